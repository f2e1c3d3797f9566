//! What experiments change: parameters, initial values, the equilibrium before the start.

use std::collections::HashSet;

use crate::diagnostic::{Diagnostic, nearest};
use crate::model::Expression;
use crate::model::graph::{NodeId, PARAMETERS};
use crate::model::lower::{Context, Lowering};
use crate::scenario::{Experiment, Name, Scenario};

/// What an experiment changes.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentModel {
    /// its name
    pub name: String,
    /// the experiment's parameters as functions of the scenario's, which `PARAMETERS` holds; one a parameter
    pub parameters: Vec<NodeId>,
    /// initial values as functions of the experiment's parameters, which `PARAMETERS` holds; one root a state or array
    pub initial: Vec<NodeId>,
    /// the equilibrium before its start
    pub before: Option<BeforeModel>,
}

/// The equilibrium that a system, time held at the start, comes to rest in before a run.
#[derive(Debug, Clone, PartialEq)]
pub struct BeforeModel {
    /// the parameters until then as functions of the scenario's, which `PARAMETERS` holds; one a parameter
    pub parameters: Vec<NodeId>,
    /// the states from where it comes to rest, as functions of those parameters; one root a state or array
    pub initial: Vec<NodeId>,
    /// by state: whether the experiment gives it its own initial value, not that of the equilibrium
    pub given: Vec<bool>,
}

pub(super) const INITIAL: Context = Context {
    what: "an initial value",
    states: false,
    time: false,
};
const OVERRIDE: Context = Context {
    what: "a parameter of an experiment",
    states: false,
    time: false,
};

/// Lowers an experiment; `initial` are the initial values of `[states]`.
pub(super) fn lower(
    lowering: &mut Lowering<'_>,
    scenario: &Scenario,
    experiment: &Experiment,
    initial: &[Option<NodeId>],
) -> Option<ExperimentModel> {
    let mut parameters: Vec<Option<NodeId>> = (0..)
        .zip(&scenario.parameters)
        .map(|(k, _)| Some(lowering.graph.input(PARAMETERS, k)))
        .collect();
    let mut own = initial.to_vec();
    replace(
        lowering,
        scenario,
        &experiment.parameters,
        &mut parameters,
        Slots::Parameters,
    );
    replace(
        lowering,
        scenario,
        &experiment.initial,
        &mut own,
        Slots::States,
    );
    let before = experiment.before.as_ref().map(|changed| {
        let mut before = parameters.clone();
        replace(lowering, scenario, changed, &mut before, Slots::Parameters);
        let states = scenario.state_names();
        let given = states.slots().iter().flat_map(|slot| {
            let given = experiment
                .initial
                .iter()
                .any(|(name, _)| name.text == slot.name);
            std::iter::repeat_n(given, slot.len())
        });
        let given = given.collect();
        Some(BeforeModel {
            parameters: before.into_iter().collect::<Option<_>>()?,
            initial: initial.iter().copied().collect::<Option<_>>()?,
            given,
        })
    });
    Some(ExperimentModel {
        name: experiment.name.clone(),
        parameters: parameters.into_iter().collect::<Option<_>>()?,
        initial: own.into_iter().collect::<Option<_>>()?,
        before: match before {
            Some(before) => Some(before?),
            None => None,
        },
    })
}

/// What an experiment gives other values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slots {
    Parameters,
    States,
}

/// Puts the values that an experiment gives in their places.
fn replace(
    lowering: &mut Lowering<'_>,
    scenario: &Scenario,
    overrides: &[(Name, Expression)],
    slots: &mut [Option<NodeId>],
    of: Slots,
) {
    let (names, context, what): (Vec<&str>, _, _) = match of {
        Slots::Parameters => {
            let names = scenario.parameters.iter().map(|p| p.name.text.as_str());
            (names.collect(), OVERRIDE, "parameter")
        }
        Slots::States => {
            let names = scenario.states.iter().map(|s| s.name.text.as_str());
            (names.collect(), INITIAL, "state")
        }
    };
    let mut seen = HashSet::new();
    for (name, expression) in overrides {
        let found = names.iter().position(|known| *known == name.text);
        let over = match found {
            Some(k) if of == Slots::States => &scenario.states[k].over[..],
            _ => &[],
        };
        let value = lowering.lower_array(expression, over, context);
        match found {
            Some(k) => slots[k] = value,
            None => {
                let diagnostic = Diagnostic::error(
                    "model::unknown-name",
                    format!("there is no {what} `{}`", name.text),
                    Some(name.span.clone()),
                );
                lowering.report(match nearest(&name.text, names.iter().copied()) {
                    Some(near) => diagnostic.with_help(format!("did you mean `{near}`?")),
                    None => diagnostic,
                });
            }
        }
        if !seen.insert(&name.text) {
            lowering.report(Diagnostic::error(
                "model::duplicate-name",
                format!("`{}` is given twice", name.text),
                Some(name.span.clone()),
            ));
        }
    }
}
