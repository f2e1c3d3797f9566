//! Controls as functions of time, for plots and tables.

use crate::compile::{Function, Output};
use crate::scenario::SignalKind;
use crate::study::Study;
use crate::study::error::StudyError;

/// A control over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Control {
    /// its name
    pub name: String,
    /// its unit
    pub unit: Option<String>,
    /// its values at the times asked for
    pub values: Vec<f64>,
}

/// The signals whose knots are parameters, at natural parameters `p`.
///
/// # Errors
/// Where their code cannot be made.
pub fn controls(study: &Study, p: &[f64], times: &[f64]) -> Result<Vec<Control>, StudyError> {
    let model = study.equations.model();
    let mut all = Vec::new();
    for signal in &study.scenario.signals {
        if !matches!(signal.kind, SignalKind::Knots { .. }) {
            continue;
        }
        let name = &signal.name.text;
        let Some((_, node)) = model.signals.iter().find(|(own, _)| own == name) else {
            continue;
        };
        let outputs = [Output::store(vec![*node])];
        let function = Function::new(&model.graph, &outputs, study.backend)?;
        let states = vec![0.0; study.equations.states()];
        let mut registers = Vec::new();
        let mut values = vec![0.0; times.len()];
        for (value, &t) in values.iter_mut().zip(times) {
            let inputs = [&[t, t][..], &states, p];
            function.evaluate(&inputs, &mut [std::slice::from_mut(value)], &mut registers)?;
        }
        all.push(Control {
            name: name.clone(),
            unit: signal.unit.clone(),
            values,
        });
    }
    Ok(all)
}
