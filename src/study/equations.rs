//! A scenario's equations compiled: f, observables, initial values, each experiment's parameters, stop times.

use std::sync::Arc;

use costate_solvers::{Direction, LinearSolver, Options, Pattern};

use super::rest::{Before, RestEquations};
use crate::compile::{Backend, CompileError, Derived, LagCode, RightHandSide, Sizes};
use crate::model::graph::{InputId, PARAMETERS, STATES};
use crate::model::{BeforeModel, Graph, Model, NodeId, Op, TriggerModel, echoes};
use crate::scenario;

/// Every function of a model that a study calls. Shared by threads.
#[derive(Debug)]
pub struct Equations {
    model: Model,
    /// f(t, x, p)
    pub rhs: Arc<RightHandSide>,
    /// observables, then their standard deviations (1 where there is no noise model)
    pub observe: Derived,
    /// the same where every observable is a state and every standard deviation a number: no code need run
    pub states_observed: Option<StatesObserved>,
    /// initial states by experiment, of the experiment's parameters
    pub initial: Vec<Derived>,
    /// the experiment's parameters, of the scenario's; `None` where it overrides none
    pub own: Vec<Option<Derived>>,
    /// numbers that the times of stops and of time events are made of, of the experiment's parameters
    pub moments: Derived,
    /// what those times are
    pub moment_sources: Vec<MomentSource>,
    /// what events do
    pub events: Events,
    /// the mass matrix: its pattern and values
    pub mass: Option<(Pattern, Arc<Derived>)>,
    /// how linear systems are solved
    pub linear_solver: LinearSolver,
    /// invariants in the order of the model
    pub invariants: Derived,
    /// delayed values
    pub lags: Option<Lags>,
    /// what comes to rest where an equilibrium is asked for: these equations, without states that are integrals
    pub rest: RestEquations,
    /// by experiment: the equilibrium that it starts in
    pub before: Vec<Option<Before>>,
}

/// A time at which steps end, or a series of them: `moments[at] + k moments[period]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MomentSource {
    /// the first, by its place among the moments
    pub at: usize,
    /// the time between two, likewise
    pub period: Option<usize>,
    /// the event that happens then; `None`: f is not smooth there, or it is read
    pub event: Option<usize>,
    /// which of [`Model::reads`] it is
    pub read: Option<usize>,
}

/// The events of a model, compiled.
#[derive(Debug)]
pub struct Events {
    /// event of each root function
    pub of_root: Vec<usize>,
    /// which crossings of it count
    pub directions: Vec<Direction>,
    /// the root functions
    pub roots: Derived,
    /// by event: its guard
    pub guards: Vec<Option<Derived>>,
    /// by event: the states it sets and their values
    pub resets: Vec<Option<(Vec<usize>, Derived)>>,
    /// by event: whether it ends the run
    pub terminal: Vec<bool>,
}

/// The delayed values of a model, compiled, and where their past makes steps end.
#[derive(Debug)]
pub struct Lags {
    /// their functions
    pub code: Arc<LagCode>,
    /// sums of delays at which breaks of signals, and that of the start, come back
    pub echoes: Vec<Vec<usize>>,
    /// the same of jumps, by event
    pub of_events: Vec<Vec<Vec<usize>>>,
}

/// Observables that are states.
#[derive(Debug, Clone, PartialEq)]
pub struct StatesObserved {
    /// the state of each observable
    pub states: Vec<usize>,
    /// the standard deviation of each
    pub sigmas: Vec<f64>,
}

impl StatesObserved {
    fn new(graph: &Graph, outputs: &[NodeId]) -> Option<Self> {
        let (values, sigmas) = outputs.split_at(outputs.len() / 2);
        let state = |&node: &NodeId| match graph.input_of(node) {
            Some(InputId {
                group: STATES,
                index,
            }) => Some(index as usize),
            _ => None,
        };
        let number = |&node: &NodeId| match graph.op(node) {
            Op::Constant(bits) => Some(f64::from_bits(bits)),
            _ => None,
        };
        Some(Self {
            states: values.iter().map(state).collect::<Option<_>>()?,
            sigmas: sigmas.iter().map(number).collect::<Option<_>>()?,
        })
    }
}

impl Equations {
    /// Makes the functions; native code is generated when one is first called.
    pub fn new(mut model: Model, backend: Backend) -> Result<Self, CompileError> {
        let one = model.graph.intern(Op::Constant(1f64.to_bits()));
        let observables = model.observables.iter().map(|o| o.value);
        let outputs: Vec<NodeId> = observables
            .chain(model.observables.iter().map(|o| o.sigma.unwrap_or(one)))
            .collect();
        let (moments, moment_sources) = moments(&model);
        let invariants: Vec<NodeId> = model.invariants.iter().map(|&(_, node)| node).collect();
        let graph = Arc::new(model.graph.clone());
        let sizes = Sizes {
            states: model.states.len(),
            parameters: model.parameters.len(),
        };
        let derived = |nodes: Vec<NodeId>| Derived::new(Arc::clone(&graph), nodes, sizes, backend);
        let own = |nodes: &[NodeId]| {
            (!is_identity(&model, nodes))
                .then(|| derived(nodes.to_vec()))
                .transpose()
        };
        let before = |before: &BeforeModel| {
            Ok(Before {
                own: own(&before.parameters)?,
                initial: derived(before.initial.clone())?,
                given: before.given.clone(),
            })
        };
        let rhs = Arc::new(RightHandSide::prepared(&graph, &model.rhs, sizes, backend)?);
        let lags = lags(&model, &derived)?;
        let at_rest = match lags {
            None => Arc::clone(&rhs),
            Some(_) => {
                let own = model.rhs.len() - model.lags.len();
                let mut nodes = model.rhs.clone();
                for (node, lag) in nodes[own..].iter_mut().zip(&model.lags) {
                    *node = lag.rest;
                }
                Arc::new(RightHandSide::prepared(&graph, &nodes, sizes, backend)?)
            }
        };
        let mass = match &model.mass {
            None => None,
            Some(entries) => {
                let mut entries = entries.clone();
                entries.sort_unstable_by_key(|e| (e.column, e.row));
                let places: Vec<_> = entries.iter().map(|e| (e.row, e.column)).collect();
                let n = model.states.len();
                let values = derived(entries.iter().map(|e| e.node).collect())?;
                Some((Pattern::from_entries(n, n, &places), Arc::new(values)))
            }
        };
        Ok(Self {
            rest: RestEquations {
                rhs: at_rest,
                mass: mass.clone(),
                mass_moves: model.mass.iter().flatten().any(|e| moves(&model, e.node)),
                options: Options::default(),
            },
            before: model
                .experiments
                .iter()
                .map(|e| e.before.as_ref().map(before).transpose())
                .collect::<Result<_, CompileError>>()?,
            rhs,
            states_observed: StatesObserved::new(&graph, &outputs),
            observe: derived(outputs)?,
            initial: model
                .experiments
                .iter()
                .map(|e| derived(e.initial.clone()))
                .collect::<Result<_, _>>()?,
            own: model
                .experiments
                .iter()
                .map(|e| own(&e.parameters))
                .collect::<Result<_, _>>()?,
            moments: derived(moments)?,
            moment_sources,
            events: Events::new(&model, &derived)?,
            mass,
            lags,
            linear_solver: LinearSolver::Auto,
            invariants: derived(invariants)?,
            model,
        })
    }

    /// The model they were made from.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Number of states.
    pub fn states(&self) -> usize {
        self.model.states.len()
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.model.parameters.len()
    }

    /// Whether threads share the work of one step.
    pub fn steps_are_shared(&self) -> bool {
        self.states() >= crate::compile::SHARED_STATES
    }

    /// Whether a stop time depends on a parameter.
    pub fn stops_move(&self) -> bool {
        let mut nodes = moments(&self.model).0;
        nodes.extend(self.model.lags.iter().map(|lag| lag.delay));
        nodes.iter().any(|&node| moves(&self.model, node))
    }

    /// Whether events change states or end runs.
    pub fn hybrid(&self) -> bool {
        !self.model.events.is_empty()
    }

    /// x' = f without events, delays and a mass matrix: what the hot path of the default methods takes.
    pub fn plain(&self) -> bool {
        !self.hybrid() && self.mass.is_none() && self.lags.is_none()
    }
}

fn lags(
    model: &Model,
    derived: &dyn Fn(Vec<NodeId>) -> Result<Derived, CompileError>,
) -> Result<Option<Lags>, CompileError> {
    let Some(first) = model.lags.first() else {
        return Ok(None);
    };
    let code = LagCode {
        first: first.state,
        values: derived(model.lags.iter().map(|lag| lag.value).collect())?,
        before: derived(model.lags.iter().flat_map(|lag| lag.before).collect())?,
        delays: derived(model.lags.iter().map(|lag| lag.delay).collect())?,
    };
    Ok(Some(Lags {
        code: Arc::new(code),
        echoes: echoes(model, None),
        of_events: (0..model.events.len())
            .map(|event| echoes(model, Some(event)))
            .collect(),
    }))
}

/// Whether a node is no number.
fn moves(model: &Model, node: NodeId) -> bool {
    !matches!(model.graph.op(node), Op::Constant(_))
}

/// Nodes of the times of stops, time events and readings, and what each is.
fn moments(model: &Model) -> (Vec<NodeId>, Vec<MomentSource>) {
    let mut nodes = Vec::new();
    let mut sources = Vec::new();
    let mut push = |at: NodeId, period: Option<NodeId>, event| {
        nodes.push(at);
        let at = nodes.len() - 1;
        nodes.extend(period);
        sources.push(MomentSource {
            at,
            period: period.map(|_| at + 1),
            event,
            read: None,
        });
    };
    for stop in &model.stops {
        push(stop.at, stop.period, None);
    }
    for (event, m) in model.events.iter().enumerate() {
        match &m.trigger {
            TriggerModel::Root { .. } => {}
            TriggerModel::Times { at } => at.iter().for_each(|&at| push(at, None, Some(event))),
            TriggerModel::Every { every, first } => push(*first, Some(*every), Some(event)),
        }
    }
    for (read, &at) in model.reads.iter().enumerate() {
        nodes.push(at);
        sources.push(MomentSource {
            at: nodes.len() - 1,
            period: None,
            event: None,
            read: Some(read),
        });
    }
    (nodes, sources)
}

impl Events {
    fn new(
        model: &Model,
        derived: &dyn Fn(Vec<NodeId>) -> Result<Derived, CompileError>,
    ) -> Result<Self, CompileError> {
        let mut of_root = Vec::new();
        let mut directions = Vec::new();
        let mut roots = Vec::new();
        let mut guards = Vec::new();
        let mut resets = Vec::new();
        for (index, event) in model.events.iter().enumerate() {
            if let TriggerModel::Root { node, direction } = event.trigger {
                of_root.push(index);
                roots.push(node);
                directions.push(match direction {
                    scenario::Direction::Rising => Direction::Rising,
                    scenario::Direction::Falling => Direction::Falling,
                    scenario::Direction::Both => Direction::Both,
                });
            }
            guards.push(event.guard.map(|node| derived(vec![node])).transpose()?);
            let states: Vec<usize> = event
                .set
                .iter()
                .flat_map(|&(first, root)| first..first + model.graph.size(root))
                .collect();
            let values = event.set.iter().map(|&(_, root)| root).collect();
            resets.push(if states.is_empty() {
                None
            } else {
                Some((states, derived(values)?))
            });
        }
        Ok(Self {
            of_root,
            directions,
            roots: derived(roots)?,
            guards,
            resets,
            terminal: model.events.iter().map(|e| e.terminal).collect(),
        })
    }
}

fn is_identity(model: &Model, nodes: &[NodeId]) -> bool {
    nodes.iter().enumerate().all(|(i, &node)| {
        matches!(model.graph.input_of(node), Some(InputId { group: PARAMETERS, index }) if index as usize == i)
    })
}
