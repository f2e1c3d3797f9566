//! Invariants along a run: how far each strays from its value at the start.
//!
//! They are read at the end of every step, where the method's own solution stands; a reading of the dense output would
//! add its error to theirs. What a jump changes is no drift: the distance goes on from where it was.

use costate_solvers::{Recorder, SolveError, StepView};

use super::equations::Equations;
use crate::compile::Workspace;

/// An invariant along a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// its name
    pub name: String,
    /// its value at the start
    pub initial: f64,
    /// its value at the end
    pub last: f64,
    /// its largest distance from the start's value, jumps taken out
    pub largest: f64,
    /// the value that it should have
    expected: f64,
}

impl Drift {
    /// The largest distance relative to the start's value (absolute where that is 0).
    pub fn relative(&self) -> f64 {
        if self.initial == 0.0 {
            self.largest
        } else {
            self.largest / self.initial.abs()
        }
    }
}

/// Watches the invariants of a scenario at held parameters.
pub(super) struct Drifts<'a> {
    equations: &'a Equations,
    parameters: Vec<f64>,
    workspace: Workspace<f64>,
    values: Vec<f64>,
    pub drifts: Vec<Drift>,
}

impl<'a> Drifts<'a> {
    /// Nothing watched yet.
    pub fn new(equations: &'a Equations, parameters: &[f64]) -> Self {
        let names = equations.model().invariants.iter();
        Self {
            equations,
            parameters: parameters.to_vec(),
            workspace: Workspace::default(),
            values: vec![0.0; names.len()],
            drifts: names
                .map(|(name, _)| Drift {
                    name: name.clone(),
                    initial: f64::NAN,
                    last: f64::NAN,
                    largest: 0.0,
                    expected: f64::NAN,
                })
                .collect(),
        }
    }

    fn read(&mut self, t: f64, x: &[f64]) {
        if self.values.is_empty() {
            return;
        }
        let invariants = &self.equations.invariants;
        let (p, values) = (&self.parameters, &mut self.values);
        // arrays are of the model's own lengths; what could not be read shows as NaN
        if invariants
            .evaluate(&[t; 2], x, p, values, &mut self.workspace)
            .is_err()
        {
            values.fill(f64::NAN);
        }
    }
}

impl Recorder<f64> for Drifts<'_> {
    fn started(&mut self, times: &[f64], x: &[f64]) -> Result<(), SolveError> {
        self.read(times.first().copied().unwrap_or(0.0), x);
        for (drift, &value) in self.drifts.iter_mut().zip(&self.values) {
            (drift.initial, drift.last, drift.expected) = (value, value, value);
        }
        Ok(())
    }

    fn reads_inside(&self, _t: f64, _t_new: f64) -> bool {
        false
    }

    fn jumped(&mut self, t: f64, x: &[f64]) {
        self.read(t, x);
        for (drift, &value) in self.drifts.iter_mut().zip(&self.values) {
            drift.expected += value - drift.last;
            drift.last = value;
        }
    }

    fn accepted(&mut self, step: &StepView<'_, f64>) -> bool {
        self.read(step.t_new, step.x_new);
        for (drift, &value) in self.drifts.iter_mut().zip(&self.values) {
            drift.last = value;
            let distance = (value - drift.expected).abs();
            // a NaN stays
            if distance > drift.largest || distance.is_nan() {
                drift.largest = distance;
            }
        }
        true
    }
}
