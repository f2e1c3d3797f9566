//! A scenario to a [`Model`]: every equation, observable, initial value and expectation as nodes of one graph.

use std::sync::Arc;

use super::arrays::Block;
use super::delay::{self, LagModel};
use super::event::EventModel;
use super::functional::Functional;
use super::graph::{Graph, NodeId, PARAMETERS, STATES};
use super::lower::{Context, Lowering};
use super::lower_networks::NetworkBinding;
use super::mass::MassEntry;
use super::mechanics::MechanicsModel;
use super::names::Names;
use super::nonsmooth::NonSmooth;
use super::scope::{
    ArrayBinding, ArrayValue, Binding, End, IndexSet, Item, Role, Scope, check_names, order,
};
use crate::diagnostic::{Diagnostic, Severity, nearest};
use crate::scenario::{Boundary, Controller, Index, Name, Scenario, Sigma};

mod experiments;

use experiments::INITIAL;
pub use experiments::{BeforeModel, ExperimentModel};

/// A scenario's equations, lowered. Nodes read the inputs named in [`super::graph`]: time, the states x, the
/// experiment's parameters p.
#[derive(Debug, Clone)]
pub struct Model {
    /// the graph of everything below
    pub graph: Graph,
    /// names of the states, in order
    pub states: Names,
    /// names of the parameters, in order
    pub parameters: Vec<String>,
    /// dx/dt, one root a state or array of states; with a mass matrix, the f of M x' = f
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
    /// delayed values; their states follow those of the scenario
    pub lags: Vec<LagModel>,
    /// times of the experiment's parameters at which a functional reads the states
    pub reads: Vec<NodeId>,
    /// definitions by name
    pub definitions: Vec<(String, NodeId)>,
    /// signals by name
    pub signals: Vec<(String, NodeId)>,
    /// the functionals of `[[expect]]`, in order
    pub expectations: Vec<Functional>,
    /// operations without a derivative everywhere
    pub nonsmooth: Vec<NonSmooth>,
    /// operations with a point where they have no derivative, such as roots, that vary along a run
    pub singular: Vec<NonSmooth>,
    /// what names stand for
    pub(super) scope: Scope,
    /// start and end of the run
    pub(super) span: [f64; 2],
    /// the same as nodes
    pub(super) ends: [NodeId; 2],
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

/// A time that steps must end on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StopTime {
    /// when, as a function of the experiment's parameters
    pub at: NodeId,
    /// repeated every so much after that, to the end of the run
    pub period: Option<NodeId>,
}

const STOP: Context = Context {
    what: "a stop time",
    states: false,
    time: false,
};
/// Lowers a scenario. There is a model exactly where no finding is an error.
pub fn build(scenario: &Scenario) -> (Option<Model>, Vec<Diagnostic>) {
    let mut graph = Graph::new();
    let mut early = Vec::new();
    check_names(scenario, &mut early);
    let order = order(scenario, &mut early);

    let mut scope = Scope {
        indices: scenario.indices.iter().map(index_set).collect(),
        graphs: scenario.graphs.iter().cloned().map(Arc::new).collect(),
        ..Scope::default()
    };
    let states = scenario.state_names();
    for array in &scenario.parameter_arrays {
        let block = Block {
            group: PARAMETERS,
            base: array.first as u32,
            extents: scenario.extents(&array.over),
        };
        scope.array(&mut graph, &array.name, Role::Parameter, &array.over, block);
    }
    for (k, parameter) in (0..).zip(&scenario.parameters) {
        // elements are known by their array's name
        if !parameter.name.text.contains('[') {
            let node = Some(graph.input(PARAMETERS, k));
            scope.number(&parameter.name, Role::Parameter, node);
        }
    }
    for (state, slot) in scenario.states.iter().zip(states.slots()) {
        let base = slot.first as u32;
        if state.over.is_empty() {
            let node = Some(graph.input(STATES, base));
            scope.number(&state.name, Role::State, node);
        } else {
            let block = Block {
                group: STATES,
                base,
                extents: slot.extents.clone(),
            };
            scope.array(&mut graph, &state.name, Role::State, &state.over, block);
        }
    }
    for (k, function) in scenario.functions.iter().enumerate() {
        let name = &function.name.text;
        if order.cyclic.contains(&Item::Function(k)) {
            scope.recursive.insert(name.clone());
        }
        scope
            .functions
            .insert(name.clone(), Arc::new(function.clone()));
    }

    for network in &scenario.networks {
        let arrays = &scenario.parameter_arrays[network.first_array..];
        let blocks: Vec<Block> = arrays
            .iter()
            .take(2 * network.layers.len())
            .map(|array| Block {
                group: PARAMETERS,
                base: array.first as u32,
                extents: scenario.extents(&array.over),
            })
            .collect();
        let binding = NetworkBinding::new(network, &blocks);
        let name = network.name.text.clone();
        scope.networks.insert(name, Arc::new(binding));
    }

    let span = span_nodes(&mut graph, scenario);
    scope.lags.first = states.len();
    scope.lags.open = true;
    let mut lowering = Lowering::new(&mut graph, scope);
    lowering.span = span;
    lowering.dependence.discrete = scenario
        .states
        .iter()
        .zip(states.slots())
        .filter(|(state, _)| state.discrete)
        .map(|(_, slot)| slot.first as u32..(slot.first + slot.len()) as u32)
        .collect();
    for diagnostic in early {
        lowering.report(diagnostic);
    }
    let (mut definitions, mut signals) = (
        vec![None; scenario.definitions.len()],
        vec![None; scenario.signals.len()],
    );
    let mut gains: Vec<(String, NodeId)> = Vec::new();
    let mut regulated = vec![false; scenario.controllers.len()];
    for &item in &order.items {
        let cyclic = order.cyclic.contains(&item);
        if let Item::Definition(k) = item {
            // a regulator's gains come before the definitions that use them
            let name = &scenario.definitions[k].name.text;
            let own = |c: &Controller| c.regulator.is_some() && c.definitions.contains(name);
            let found = scenario.controllers.iter().position(own);
            if let Some(place) = found
                && !std::mem::replace(&mut regulated[place], true)
            {
                gains.extend(bind_gains(&mut lowering, scenario, place));
            }
        }
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
                let definition = &scenario.definitions[k];
                if !definition.over.is_empty() {
                    let over = definition.over.clone();
                    let values = lowering.lower_over(&definition.expression, &over, Context::ANY);
                    lowering
                        .scope
                        .array_of(name, role, over.clone(), ArrayValue::Node(values));
                    *slot = values.and_then(|values| {
                        let extents = scenario.extents(&over);
                        let axes = lowering.graph.dimension_axes(&extents)?;
                        Some(lowering.graph.array(&axes, values))
                    });
                    continue;
                }
                lowering.lower(&definition.expression, Context::ANY)
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
        .enumerate()
        .map(|(k, equation)| {
            let over = scenario.states.get(k).map_or(&[][..], |state| &state.over);
            lowering.lower_array(equation, over, Context::ANY)
        })
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
        .map(|rows| lowering.mass(rows, &scenario.states, &states));
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
        .map(|state| lowering.lower_array(&state.initial, &state.over, INITIAL))
        .collect();
    let mut experiments: Vec<_> = scenario
        .experiments
        .iter()
        .map(|experiment| experiments::lower(&mut lowering, scenario, experiment, &initial))
        .collect();
    if let (Some((_, start)), Some(mechanics)) = (&motion, &scenario.mechanics) {
        lowering.start_motion(start, mechanics, scenario, &mut experiments);
    }
    let history = lowering.history(scenario);
    lowering.check_functions();
    check_expected_experiments(&mut lowering, scenario);

    let Lowering {
        scope,
        stops,
        mut nonsmooth,
        singular,
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
            discrete: states
                .slots()
                .iter()
                .zip(&scenario.states)
                .flat_map(|(slot, state)| std::iter::repeat_n(state.discrete, slot.len()))
                .collect(),
            states,
            parameters: names(scenario.parameters.iter().map(|p| &p.name).collect()),
            rhs: all(rhs)?,
            mass: match mass {
                Some(entries) => Some(entries?),
                None => None,
            },
            events,
            mechanics: motion.map(|(mechanics, _)| mechanics),
            invariants: invariants.into_iter().collect::<Option<_>>()?,
            observables,
            experiments: experiments.into_iter().collect::<Option<_>>()?,
            stops,
            lags: Vec::new(),
            reads: Vec::new(),
            definitions: {
                let own = scenario.definitions.iter().map(|d| &d.name).collect();
                let mut all = named(own, definitions)?;
                all.extend(gains);
                all
            },
            signals: named(scenario.signals.iter().map(|s| &s.name).collect(), signals)?,
            expectations: Vec::new(),
            nonsmooth,
            singular,
            scope,
            span: [scenario.start, scenario.end],
            ends: span,
        })
    })();
    let model = lowered.and_then(|mut model| {
        delay::add_states(&mut model, &history?);
        let spans: Vec<_> = (scenario.events.iter().map(|event| event.name.span.clone())).collect();
        diagnostics.extend(delay::check_events(&model, &spans));
        for expectation in &scenario.expectations {
            match super::functional(&mut model, &expectation.expression) {
                Ok(functional) => model.expectations.push(functional),
                Err(found) => diagnostics.extend(found),
            }
        }
        Some(model)
    });
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.as_ref().map_or(0, |span| span.start));
    let failed = diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error);
    (model.filter(|_| !failed), diagnostics)
}

/// Lowers the gains of a regulator and gives them their names; those that there are.
fn bind_gains(
    lowering: &mut Lowering<'_>,
    scenario: &Scenario,
    controller: usize,
) -> Vec<(String, NodeId)> {
    let controller = &scenario.controllers[controller];
    let Some(regulator) = &controller.regulator else {
        return Vec::new();
    };
    let found = lowering.regulator_gains(controller, regulator, scenario);
    let nodes: Vec<Option<NodeId>> = match found {
        Some(nodes) => nodes.into_iter().map(Some).collect(),
        None => vec![None; regulator.states.len()],
    };
    let names = regulator.states.iter().map(|state| &state.gain);
    let mut bound = Vec::new();
    for (name, node) in names.zip(nodes) {
        let role = Role::Definition;
        let names = &mut lowering.scope.names;
        names.entry(name.clone()).or_insert(Binding { role, node });
        bound.extend(node.map(|node| (name.clone(), node)));
    }
    bound
}

/// Start and end of the run as nodes: the end is a parameter where it is to be found.
fn span_nodes(graph: &mut Graph, scenario: &Scenario) -> [NodeId; 2] {
    let start = graph.constant(scenario.start);
    let end = match scenario.free_end {
        Some(parameter) => graph.input(PARAMETERS, parameter as u32),
        None => graph.constant(scenario.end),
    };
    [start, end]
}

fn index_set(index: &Index) -> IndexSet {
    let end = |boundary: &Boundary| match boundary {
        Boundary::Periodic => End::Periodic,
        Boundary::Clamp => End::Clamp,
        Boundary::Zero => End::Zero,
        Boundary::Value(_) => End::Value,
    };
    let value = |side: usize| match index.ends.as_ref().map(|ends| &ends[side]) {
        Some(Boundary::Value(expression)) => Some(Arc::new(expression.clone())),
        _ => None,
    };
    IndexSet {
        name: index.name.text.clone(),
        size: index.size,
        ends: index
            .ends
            .as_ref()
            .map(|[first, last]| [end(first), end(last)]),
        values: [value(0), value(1)],
    }
}

impl Scope {
    /// Binds a name to a number; where a name is given twice the first stands.
    fn number(&mut self, name: &Name, role: Role, node: Option<NodeId>) {
        let binding = Binding { role, node };
        self.names.entry(name.text.clone()).or_insert(binding);
    }

    /// Binds a name to an array in an input.
    fn array(&mut self, graph: &mut Graph, name: &Name, role: Role, over: &[usize], block: Block) {
        graph.declare(block.clone());
        self.array_of(name, role, over.to_vec(), ArrayValue::Input(block));
    }

    fn array_of(&mut self, name: &Name, role: Role, over: Vec<usize>, value: ArrayValue) {
        let binding = ArrayBinding { role, over, value };
        self.arrays.entry(name.text.clone()).or_insert(binding);
    }
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
