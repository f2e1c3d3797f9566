//! A scenario to a [`Model`]: every equation, observable, initial value and expectation as nodes of one graph.

use std::collections::HashSet;
use std::sync::Arc;

use super::event::EventModel;
use super::functional::Functional;
use super::graph::{Graph, NodeId, PARAMETERS, STATES};
use super::lower::{Context, Lowering};
use super::mass::MassEntry;
use super::mechanics::MechanicsModel;
use super::nonsmooth::NonSmooth;
use super::scope::{Binding, Item, Role, Scope, check_names, order};
use crate::diagnostic::{Diagnostic, Severity, nearest};
use crate::scenario::{Experiment, Name, Scenario, Sigma};

/// A scenario's equations, lowered. Nodes read the inputs named in [`super::graph`]: time, the states x, the
/// experiment's parameters p.
#[derive(Debug, Clone)]
pub struct Model {
    /// the graph of everything below
    pub graph: Graph,
    /// names of the states, in order
    pub states: Vec<String>,
    /// names of the parameters, in order
    pub parameters: Vec<String>,
    /// dx/dt, one a state; with a mass matrix, the f of M x' = f
    pub rhs: Vec<NodeId>,
    /// the entries of M that are not 0, row by row, where the scenario has `[mass]`
    pub mass: Option<Vec<MassEntry>>,
    /// the equations of motion, where the scenario has `[mechanics]`
    pub mechanics: Option<MechanicsModel>,
    /// whether a state is discrete: its right-hand side is 0, and events alone change it
    pub discrete: Vec<bool>,
    /// jumps of states, in the order of the file
    pub events: Vec<EventModel>,
    /// functions of t, x and p that an exact solution keeps constant, by name
    pub invariants: Vec<(String, NodeId)>,
    /// what is measured
    pub observables: Vec<ObservableModel>,
    /// parameters and initial values of each experiment
    pub experiments: Vec<ExperimentModel>,
    /// times where the right-hand side is not smooth, and those that the solver's settings name
    pub stops: Vec<StopTime>,
    /// definitions by name
    pub definitions: Vec<(String, NodeId)>,
    /// signals by name
    pub signals: Vec<(String, NodeId)>,
    /// the functionals of `[[expect]]`, in order
    pub expectations: Vec<Functional>,
    /// operations without a derivative everywhere
    pub nonsmooth: Vec<NonSmooth>,
    /// what names stand for
    pub(super) scope: Scope,
    /// start and end of the run
    pub(super) span: [f64; 2],
}

/// An observable's nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservableModel {
    /// its name
    pub name: String,
    /// its value
    pub value: NodeId,
    /// the standard deviation of its noise; `None` where there is no noise, or a data column gives it
    pub sigma: Option<NodeId>,
}

/// What an experiment changes.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentModel {
    /// its name
    pub name: String,
    /// the experiment's parameters as functions of the scenario's, which `PARAMETERS` holds; one a parameter
    pub parameters: Vec<NodeId>,
    /// initial values as functions of the experiment's parameters, which `PARAMETERS` holds; one a state
    pub initial: Vec<NodeId>,
}

/// A time that steps must end on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StopTime {
    /// when, as a function of the experiment's parameters
    pub at: NodeId,
    /// repeated every so much after that, to the end of the run
    pub period: Option<NodeId>,
}

const INITIAL: Context = Context {
    what: "an initial value",
    states: false,
    time: false,
};
const STOP: Context = Context {
    what: "a stop time",
    states: false,
    time: false,
};
const OVERRIDE: Context = Context {
    what: "a parameter of an experiment",
    states: false,
    time: false,
};

/// Lowers a scenario. There is a model exactly where no finding is an error.
pub fn build(scenario: &Scenario) -> (Option<Model>, Vec<Diagnostic>) {
    let mut graph = Graph::new();
    let mut early = Vec::new();
    check_names(scenario, &mut early);
    let order = order(scenario, &mut early);

    let mut scope = Scope::default();
    let inputs = |graph: &mut Graph, group, names: Vec<&Name>, role, scope: &mut Scope| {
        for (name, k) in names.into_iter().zip(0..) {
            let node = Some(graph.input(group, k));
            let binding = Binding { role, node };
            scope.names.entry(name.text.clone()).or_insert(binding);
        }
    };
    let parameters = scenario.parameters.iter().map(|p| &p.name).collect();
    inputs(
        &mut graph,
        PARAMETERS,
        parameters,
        Role::Parameter,
        &mut scope,
    );
    let states = scenario.states.iter().map(|s| &s.name).collect();
    inputs(&mut graph, STATES, states, Role::State, &mut scope);
    for (k, function) in scenario.functions.iter().enumerate() {
        let name = &function.name.text;
        if order.cyclic.contains(&Item::Function(k)) {
            scope.recursive.insert(name.clone());
        }
        scope
            .functions
            .insert(name.clone(), Arc::new(function.clone()));
    }

    let mut lowering = Lowering::new(&mut graph, scope);
    for diagnostic in early {
        lowering.report(diagnostic);
    }
    let (mut definitions, mut signals) = (
        vec![None; scenario.definitions.len()],
        vec![None; scenario.signals.len()],
    );
    for &item in &order.items {
        let cyclic = order.cyclic.contains(&item);
        let (name, role, slot) = match item {
            Item::Definition(k) => (
                &scenario.definitions[k].name,
                Role::Definition,
                &mut definitions[k],
            ),
            Item::Signal(k) => (&scenario.signals[k].name, Role::Signal, &mut signals[k]),
            Item::Function(_) => continue,
        };
        *slot = match item {
            _ if cyclic => None,
            Item::Definition(k) => {
                lowering.lower(&scenario.definitions[k].expression, Context::ANY)
            }
            Item::Signal(k) => lowering.signal(&scenario.signals[k]),
            Item::Function(_) => None,
        };
        let binding = Binding { role, node: *slot };
        // where a name is given twice the first stands
        lowering
            .scope
            .names
            .entry(name.text.clone())
            .or_insert(binding);
    }

    let mut rhs: Vec<_> = scenario
        .equations
        .iter()
        .map(|equation| lowering.lower(equation, Context::ANY))
        .collect();
    if rhs.len() != scenario.states.len() {
        lowering.report(Diagnostic::error(
            "model::equations",
            format!(
                "there are {} equations for {} states",
                rhs.len(),
                scenario.states.len()
            ),
            None,
        ));
    }
    let motion = scenario
        .mechanics
        .as_ref()
        .and_then(|mechanics| lowering.mechanics(mechanics, scenario, &mut rhs));
    let mass = scenario
        .mass
        .as_ref()
        .map(|rows| lowering.mass(rows, &scenario.states));
    let events: Vec<_> = scenario
        .events
        .iter()
        .map(|event| lowering.event(event, scenario))
        .collect();
    for time in &scenario.solver.stop_times {
        if let Some(at) = lowering.lower(time, STOP) {
            lowering.stop(at, None);
        }
    }
    let mut invariants: Vec<_> = scenario
        .invariants
        .iter()
        .map(|invariant| {
            let node = lowering.lower(&invariant.expression, Context::ANY)?;
            Some((invariant.name.text.clone(), node))
        })
        .collect();
    if let Some((mechanics, _)) = &motion
        && mechanics.conservative
        && !scenario.invariants.iter().any(|i| i.name.text == "energy")
    {
        invariants.push(Some(("energy".to_owned(), mechanics.energy)));
    }
    let observables: Vec<_> = scenario
        .observables
        .iter()
        .map(|observable| {
            let value = lowering.lower(&observable.expression, Context::ANY);
            let sigma = match observable.noise.as_ref().map(|noise| &noise.sigma) {
                Some(Sigma::Expression(sigma)) => Some(lowering.lower(sigma, Context::ANY)?),
                Some(Sigma::Column(_)) | None => None,
            };
            Some(ObservableModel {
                name: observable.name.text.clone(),
                value: value?,
                sigma,
            })
        })
        .collect();
    let initial: Vec<_> = scenario
        .states
        .iter()
        .map(|state| lowering.lower(&state.initial, INITIAL))
        .collect();
    let mut experiments: Vec<_> = scenario
        .experiments
        .iter()
        .map(|experiment| lower_experiment(&mut lowering, scenario, experiment, &initial))
        .collect();
    if let (Some((_, start)), Some(mechanics)) = (&motion, &scenario.mechanics) {
        lowering.start_motion(start, mechanics, scenario, &mut experiments);
    }
    lowering.check_functions();
    check_expected_experiments(&mut lowering, scenario);

    let Lowering {
        scope,
        stops,
        mut nonsmooth,
        mut diagnostics,
        ..
    } = lowering;
    nonsmooth.sort_by_key(|found| found.span.start);
    let all = |nodes: Vec<Option<NodeId>>| nodes.into_iter().collect::<Option<Vec<_>>>();
    let names = |names: Vec<&Name>| names.into_iter().map(|name| name.text.clone()).collect();
    let lowered = (|| {
        let named = |names: Vec<&Name>, nodes: Vec<Option<NodeId>>| {
            names
                .into_iter()
                .zip(nodes)
                .map(|(name, node)| Some((name.text.clone(), node?)))
                .collect::<Option<Vec<_>>>()
        };
        let observables = observables.into_iter().collect::<Option<Vec<_>>>()?;
        let mut scope = scope;
        scope.observables = observables
            .iter()
            .map(|observable| (observable.name.clone(), observable.value))
            .collect();
        let events = events.into_iter().collect::<Option<Vec<_>>>()?;
        scope.events = events.iter().map(|event| event.name.clone()).collect();
        Some(Model {
            graph,
            states: names(scenario.states.iter().map(|s| &s.name).collect()),
            parameters: names(scenario.parameters.iter().map(|p| &p.name).collect()),
            rhs: all(rhs)?,
            mass: match mass {
                Some(entries) => Some(entries?),
                None => None,
            },
            discrete: scenario.states.iter().map(|s| s.discrete).collect(),
            events,
            mechanics: motion.map(|(mechanics, _)| mechanics),
            invariants: invariants.into_iter().collect::<Option<_>>()?,
            observables,
            experiments: experiments.into_iter().collect::<Option<_>>()?,
            stops,
            definitions: named(
                scenario.definitions.iter().map(|d| &d.name).collect(),
                definitions,
            )?,
            signals: named(scenario.signals.iter().map(|s| &s.name).collect(), signals)?,
            expectations: Vec::new(),
            nonsmooth,
            scope,
            span: [scenario.start, scenario.end],
        })
    })();
    let model = lowered.map(|mut model| {
        for expectation in &scenario.expectations {
            match super::functional(&mut model, &expectation.expression) {
                Ok(functional) => model.expectations.push(functional),
                Err(found) => diagnostics.extend(found),
            }
        }
        model
    });
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.as_ref().map_or(0, |span| span.start));
    let failed = diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error);
    (model.filter(|_| !failed), diagnostics)
}

fn lower_experiment(
    lowering: &mut Lowering<'_>,
    scenario: &Scenario,
    experiment: &Experiment,
    initial: &[Option<NodeId>],
) -> Option<ExperimentModel> {
    let mut parameters: Vec<Option<NodeId>> = (0..)
        .zip(&scenario.parameters)
        .map(|(k, _)| Some(lowering.graph.input(PARAMETERS, k)))
        .collect();
    let mut initial = initial.to_vec();
    let parameter_names: Vec<&str> = scenario
        .parameters
        .iter()
        .map(|p| p.name.text.as_str())
        .collect();
    let state_names: Vec<&str> = scenario
        .states
        .iter()
        .map(|s| s.name.text.as_str())
        .collect();
    for (overrides, names, slots, context, what) in [
        (
            &experiment.parameters,
            &parameter_names,
            &mut parameters,
            OVERRIDE,
            "parameter",
        ),
        (
            &experiment.initial,
            &state_names,
            &mut initial,
            INITIAL,
            "state",
        ),
    ] {
        let mut seen = HashSet::new();
        for (name, expression) in overrides {
            let value = lowering.lower(expression, context);
            match names.iter().position(|known| *known == name.text) {
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
    Some(ExperimentModel {
        name: experiment.name.clone(),
        parameters: parameters.into_iter().collect::<Option<_>>()?,
        initial: initial.into_iter().collect::<Option<_>>()?,
    })
}

fn check_expected_experiments(lowering: &mut Lowering<'_>, scenario: &Scenario) {
    let names: Vec<&str> = scenario
        .experiments
        .iter()
        .map(|experiment| experiment.name.as_str())
        .collect();
    for expectation in &scenario.expectations {
        if let Some(name) = &expectation.experiment
            && !names.contains(&name.as_str())
        {
            let diagnostic = Diagnostic::error(
                "model::unknown-experiment",
                format!("there is no experiment `{name}`"),
                Some(expectation.expression.span.clone()),
            );
            lowering.report(match nearest(name, names.iter().copied()) {
                Some(near) => diagnostic.with_help(format!("did you mean `{near}`?")),
                None => diagnostic,
            });
        }
    }
}

#[cfg(test)]
mod tests;
