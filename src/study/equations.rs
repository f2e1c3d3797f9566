//! A scenario's equations compiled: f, observables, initial values, each experiment's parameters, stop times.

use std::sync::Arc;

use crate::compile::{Backend, CompileError, Derived, RightHandSide, Sizes};
use crate::model::graph::{InputId, PARAMETERS, STATES};
use crate::model::{Graph, Model, NodeId, Op};

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
    /// times of the stops, then their periods (1 where there is none), of the experiment's parameters
    pub stops: Derived,
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
        let state = |&node: &NodeId| match graph.op(node) {
            Op::Input(InputId {
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
        let periods = model.stops.iter().map(|s| s.period.unwrap_or(one));
        let stops: Vec<NodeId> = model.stops.iter().map(|s| s.at).chain(periods).collect();
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
        Ok(Self {
            rhs: Arc::new(RightHandSide::new(
                Arc::clone(&graph),
                model.rhs.clone(),
                sizes,
                backend,
            )?),
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
            stops: derived(stops)?,
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

    /// Structural non-zeros of the Jacobian.
    pub fn jacobian_entries(&self) -> Result<usize, CompileError> {
        Ok(self.rhs.linearization()?.pattern.non_zeros())
    }

    /// Whether a stop time depends on a parameter.
    pub fn stops_move(&self) -> bool {
        let moves = |node: NodeId| !matches!(self.model.graph.op(node), Op::Constant(_));
        self.model
            .stops
            .iter()
            .any(|s| moves(s.at) || s.period.is_some_and(moves))
    }
}

fn is_identity(model: &Model, nodes: &[NodeId]) -> bool {
    nodes.iter().enumerate().all(|(i, &node)| {
        matches!(model.graph.op(node), Op::Input(InputId { group: PARAMETERS, index }) if index as usize == i)
    })
}
