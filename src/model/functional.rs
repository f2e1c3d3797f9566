//! Functionals of a run: arithmetic over values sampled from it, as in `final(x) - at(x, 2)` or `objective()`.
//!
//! A functional is a function of samples s_k (a node of the model at a time each), of the experiment's parameters
//! and of the objective's value: its gradient follows by the chain rule from those of its samples.

use super::Model;
use super::graph::{FIRST_EXTRA, Graph, NodeId};
use super::lower::{Context, Lowering};
use crate::diagnostic::Diagnostic;
use crate::model::Expression;

/// Whether a name is a function over a whole run.
pub(super) fn is_functional(name: &str) -> bool {
    matches!(name, "final" | "initial" | "at" | "objective")
}

/// When a sample is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// at the start
    Initial,
    /// at the end
    Final,
    /// at a time between
    At(f64),
}

/// A functional of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Functional {
    /// when and what: nodes over `TIME`, `STATES` and `PARAMETERS`
    pub samples: Vec<(When, NodeId)>,
    /// whether the objective's value is used
    pub uses_objective: bool,
    /// its value: a node over `PARAMETERS`, `FIRST_EXTRA` (the samples, in order) and, index 0 of
    /// `SECOND_EXTRA`, the objective
    pub root: NodeId,
}

/// Samples met so far.
pub(super) struct Samples {
    pub(super) taken: Vec<(When, NodeId)>,
    pub(super) uses_objective: bool,
    /// start and end of the run
    pub(super) span: [f64; 2],
}

impl Samples {
    /// The input that stands for a sample; equal samples share one.
    pub(super) fn input(&mut self, graph: &mut Graph, when: When, value: NodeId) -> NodeId {
        let known = self.taken.iter().position(|&known| known == (when, value));
        let k = known.unwrap_or_else(|| {
            self.taken.push((when, value));
            self.taken.len() - 1
        });
        graph.input(
            FIRST_EXTRA,
            u32::try_from(k).expect("fewer than 2^32 samples"),
        )
    }
}

/// Lowers a functional into the model's graph. Its stop times were met when the model was built; new ones, from
/// comparisons of `t` inside the expression, are added to the model's.
pub fn functional(
    model: &mut Model,
    expression: &Expression,
) -> Result<Functional, Vec<Diagnostic>> {
    let scope = model.scope.clone();
    let mut lowering = Lowering::new(&mut model.graph, scope);
    lowering.stops = std::mem::take(&mut model.stops);
    lowering.functional = Some(Samples {
        taken: Vec::new(),
        uses_objective: false,
        span: model.span,
    });
    let root = lowering.lower(expression, Context::ANY);
    let (samples, diagnostics) = (lowering.functional.take(), lowering.diagnostics);
    model.stops = lowering.stops;
    match (root, samples) {
        (Some(root), Some(samples)) if diagnostics.is_empty() => Ok(Functional {
            samples: samples.taken,
            uses_objective: samples.uses_objective,
            root,
        }),
        _ => Err(diagnostics),
    }
}
