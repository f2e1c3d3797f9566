//! Functionals of a run: arithmetic over values sampled from it, as in `final(x) - at(x, 2)` or `objective()`.
//!
//! A functional is a function of samples s_k (a node of the model at a time each), of the experiment's parameters
//! and of the objective's value: its gradient follows by the chain rule from those of its samples.

use super::Model;
use super::functions::Arity;
use super::graph::{FIRST_EXTRA, Graph, NodeId, SECOND_EXTRA};
use super::lower::{Context, Lowering};
use super::scope::{Binding, Role};
use crate::diagnostic::{Diagnostic, Span};
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
    let stops = std::mem::take(&mut model.stops);
    let mut lowering = Lowering::new(&mut model.graph, scope);
    lowering.resume_stops(stops);
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

impl Lowering<'_> {
    /// `final(e)`, `initial(e)`, `at(e, time)`, `objective()`.
    pub(super) fn sample(
        &mut self,
        name: &str,
        span: &Span,
        inner: &[Expression],
        whole: &Expression,
    ) -> Option<NodeId> {
        let Some(mut samples) = self.functional.take() else {
            self.report(
                Diagnostic::error(
                    "model::not-allowed-here",
                    format!("`{name}` is read from a whole run and cannot stand here"),
                    Some(span.clone()),
                )
                .with_help("it stands outermost in the expressions of `[[expect]]` and `--of`"),
            );
            return None;
        };
        let count = match name {
            "objective" => 0,
            "at" => 2,
            _ => 1,
        };
        let node = if self
            .check_count(name, Arity::Exactly(count), inner.len(), whole)
            .is_none()
        {
            None
        } else if name == "objective" {
            samples.uses_objective = true;
            Some(self.graph.input(SECOND_EXTRA, 0))
        } else {
            self.sampled(name, inner, &samples)
                .map(|(when, value)| samples.input(self.graph, when, value))
        };
        self.functional = Some(samples);
        node
    }

    fn sampled(
        &mut self,
        name: &str,
        inner: &[Expression],
        samples: &Samples,
    ) -> Option<(When, NodeId)> {
        let hidden = self.bind_observables();
        let value = self.lower(&inner[0], Context::ANY);
        for name in hidden {
            self.scope.names.remove(&name);
        }
        let when = match name {
            "initial" => Some(When::Initial),
            "final" => Some(When::Final),
            _ => self.sample_time(&inner[1], samples),
        };
        Some((when?, value?))
    }

    /// Makes observables usable as names; returns those to remove again.
    fn bind_observables(&mut self) -> Vec<String> {
        let mut added = Vec::new();
        for (name, &node) in &self.scope.observables {
            if !self.scope.names.contains_key(name) {
                added.push(name.clone());
                let binding = Binding {
                    role: Role::Observable,
                    node: Some(node),
                };
                self.scope.names.insert(name.clone(), binding);
            }
        }
        added
    }

    fn sample_time(&mut self, expression: &Expression, samples: &Samples) -> Option<When> {
        let number = Context {
            what: "a time of `at`",
            states: false,
            time: false,
        };
        let node = self.lower(expression, number)?;
        let [start, end] = samples.span;
        match self.graph.constant_value(node) {
            Some(time) if (start..=end).contains(&time) => Some(When::At(time)),
            Some(time) => {
                self.report(
                    Diagnostic::error(
                        "model::sample-time",
                        format!("the time {time} is outside the run"),
                        Some(expression.span.clone()),
                    )
                    .with_help(format!("the run is from {start} to {end}")),
                );
                None
            }
            None => {
                self.report(
                    Diagnostic::error(
                        "model::sample-time",
                        "the time of `at` must be a number",
                        Some(expression.span.clone()),
                    )
                    .with_help("parameters cannot stand in it"),
                );
                None
            }
        }
    }
}
