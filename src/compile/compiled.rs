//! A whole model compiled: right-hand side, observables, experiments, stop times and functionals.
//!
//! Everything is a [`Derived`] function of (t, x, p): values on any scalar, and cotangents through its vjp. Each
//! form is compiled when first used; one `Arc<CompiledModel>` serves every thread.
//!
//! ```text
//! scenario's parameters --parameters--> p --initial--> x(t0) --f--> x(t) --observe--> values, sigmas
//!                                       p --stops--> times steps must end on
//! ```

use std::sync::Arc;

use super::derived::{Derived, Sizes};
use super::error::CompileError;
use super::function::Backend;
use super::rename::Copy;
use super::rhs::RightHandSide;
use crate::model::Model;
use crate::model::functional::{Functional, When};
use crate::model::graph::{FIRST_EXTRA, Graph, InputId, NodeId, SECOND_EXTRA, STATES};

/// A model in the form in which studies evaluate it. `Send + Sync`.
#[derive(Debug)]
pub struct CompiledModel {
    graph: Arc<Graph>,
    sizes: Sizes,
    backend: Backend,
    rhs: Arc<RightHandSide>,
    observe: Derived,
    sigma_places: Vec<Option<usize>>,
    experiments: Vec<CompiledExperiment>,
    stops: Derived,
    stop_places: Vec<(usize, Option<usize>)>,
}

/// What an experiment changes; neither function reads t or x.
#[derive(Debug)]
pub struct CompiledExperiment {
    /// the experiment's parameters from the scenario's (passed as p)
    pub parameters: Derived,
    /// the initial states from the experiment's parameters (passed as p)
    pub initial: Derived,
}

/// A functional of a run, such as `final(x) - at(x, 2)`.
#[derive(Debug)]
pub struct CompiledFunctional {
    /// when each sample is taken, and what it is: one entry, a function of (t, x, p)
    pub samples: Vec<(When, Derived)>,
    /// whether the objective's value is used
    pub uses_objective: bool,
    /// the value: one entry, a function of p and, passed as x, the samples in order followed by the objective
    pub root: Derived,
}

impl CompiledModel {
    /// Prepares a model; code is generated when first needed.
    pub fn new(model: &Model, backend: Backend) -> Result<Self, CompileError> {
        let graph = Arc::new(model.graph.clone());
        let sizes = Sizes {
            states: model.states.len(),
            parameters: model.parameters.len(),
        };
        let derived = |nodes| Derived::new(Arc::clone(&graph), nodes, sizes, backend);
        let rhs = RightHandSide::new(Arc::clone(&graph), model.rhs.clone(), sizes, backend)?;

        let mut observed: Vec<NodeId> = model.observables.iter().map(|o| o.value).collect();
        let sigma_places = append_optional(
            &mut observed,
            model.observables.iter().map(|observable| observable.sigma),
        );
        let mut stop_nodes: Vec<NodeId> = model.stops.iter().map(|stop| stop.at).collect();
        let periods = append_optional(&mut stop_nodes, model.stops.iter().map(|stop| stop.period));
        let experiments = model
            .experiments
            .iter()
            .map(|experiment| {
                Ok(CompiledExperiment {
                    parameters: derived(experiment.parameters.clone())?,
                    initial: derived(experiment.initial.clone())?,
                })
            })
            .collect::<Result<_, CompileError>>()?;
        Ok(Self {
            rhs: Arc::new(rhs),
            observe: derived(observed)?,
            sigma_places,
            experiments,
            stops: derived(stop_nodes)?,
            stop_places: periods.into_iter().enumerate().collect(),
            sizes,
            backend,
            graph,
        })
    }

    /// Numbers of states and parameters.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// The right-hand side: what a [`super::ModelSystem`] is made of.
    pub fn right_hand_side(&self) -> &Arc<RightHandSide> {
        &self.rhs
    }

    /// The observables' values, in order, followed by the standard deviations that are expressions; for where
    /// each one's stands see [`Self::sigma_places`].
    pub fn observe(&self) -> &Derived {
        &self.observe
    }

    /// For every observable the place of its standard deviation in [`Self::observe`]; `None` where it has no
    /// noise, or a column of the data gives it.
    pub fn sigma_places(&self) -> &[Option<usize>] {
        &self.sigma_places
    }

    /// The experiments, in order.
    pub fn experiments(&self) -> &[CompiledExperiment] {
        &self.experiments
    }

    /// Times that steps must end on, and the periods of those that repeat, as functions of the experiment's
    /// parameters; for which is which see [`Self::stop_places`].
    pub fn stops(&self) -> &Derived {
        &self.stops
    }

    /// For every stop time the places in [`Self::stops`] of its time and, where it repeats, of its period.
    pub fn stop_places(&self) -> &[(usize, Option<usize>)] {
        &self.stop_places
    }

    /// Any nodes of the model's graph (definitions, signals) as a function of (t, x, p).
    pub fn function(&self, nodes: Vec<NodeId>) -> Result<Derived, CompileError> {
        Derived::new(Arc::clone(&self.graph), nodes, self.sizes, self.backend)
    }

    /// A functional of the model, which was lowered into `graph`: the model's own, or one grown from it.
    pub fn functional(
        &self,
        graph: &Graph,
        functional: &Functional,
    ) -> Result<CompiledFunctional, CompileError> {
        let count = functional.samples.len();
        let shared = Arc::new(graph.clone());
        let samples = functional
            .samples
            .iter()
            .map(|&(when, node)| {
                let sample =
                    Derived::new(Arc::clone(&shared), vec![node], self.sizes, self.backend)?;
                Ok((when, sample))
            })
            .collect::<Result<_, CompileError>>()?;
        if functional.root.0 as usize >= graph.len() {
            return Err(CompileError::NodeOutOfRange {
                node: functional.root.0,
                nodes: graph.len(),
            });
        }
        // the samples and the objective are read as states: the forms of `Derived` differentiate in those
        let roots = [functional.root];
        let copy = Copy::new(graph, &roots, |InputId { group, index }| {
            Some(match group {
                FIRST_EXTRA => InputId {
                    group: STATES,
                    index,
                },
                SECOND_EXTRA => InputId {
                    group: STATES,
                    index: u32::try_from(count).ok()?,
                },
                _ => InputId { group, index },
            })
        });
        let copy = copy.ok_or(CompileError::InputOutOfRange {
            group: usize::from(SECOND_EXTRA),
            index: 0,
            given: 0,
        })?;
        let root = copy.name(functional.root);
        let sizes = Sizes {
            states: count + 1,
            parameters: self.sizes.parameters,
        };
        Ok(CompiledFunctional {
            samples,
            uses_objective: functional.uses_objective,
            root: Derived::new(Arc::new(copy.graph), vec![root], sizes, self.backend)?,
        })
    }
}

/// Appends the nodes that are there and tells where each went.
fn append_optional(
    nodes: &mut Vec<NodeId>,
    more: impl Iterator<Item = Option<NodeId>>,
) -> Vec<Option<usize>> {
    more.map(|node| {
        let node = node?;
        nodes.push(node);
        Some(nodes.len() - 1)
    })
    .collect()
}
