//! Operations without a derivative everywhere, with their places and the smooth form that would serve.
//!
//! A model that uses them works: derivatives at a kink are one-sided by convention. Not listed are operations on
//! parameters and discrete states alone, which do not vary between events, and switches at times that are hit exactly (see
//! [`super::StopTime`]).

use costate_solvers::Comparison;

use super::expression::{Expression, ExpressionKind};
use super::functions::{Function, Smoothness};
use super::graph::NodeId;
use super::lower::Lowering;
use super::print::comparison_sign;
use crate::diagnostic::Span;

/// An operation that has a kink or a jump.
#[derive(Debug, Clone, PartialEq)]
pub struct NonSmooth {
    /// as it is written: `max`, `if`, `<`
    pub operation: String,
    /// kink or jump
    pub smoothness: Smoothness,
    /// where
    pub span: Span,
    /// what would serve
    pub smooth_form: Option<&'static str>,
}

impl Lowering<'_> {
    /// Notes a comparison of nodes that vary along a run, where it is no stop.
    pub(super) fn note_comparison(
        &mut self,
        comparison: Comparison,
        a: NodeId,
        b: NodeId,
        span: &Span,
    ) {
        if self.varies(&[a, b]) && !self.is_stop(comparison, a, b) {
            self.note(NonSmooth {
                operation: comparison_sign(comparison).to_owned(),
                smoothness: Smoothness::Jump,
                span: span.clone(),
                smooth_form: Some("softstep(a - b, width)"),
            });
        }
    }

    /// Notes a call of a function with a kink or a jump, where it is no stop.
    pub(super) fn note_call(
        &mut self,
        function: &Function,
        arguments: &[Expression],
        nodes: &[NodeId],
        span: &Span,
    ) {
        // a choice is as rough as its condition, which is noted itself where it is made of comparisons
        let by_comparison = function.name == "if" && arguments.first().is_some_and(is_truth);
        if function.smoothness == Smoothness::Smooth || by_comparison || !self.varies(nodes) {
            return;
        }
        let zero = self.graph.constant(0.0);
        let (a, b) = match (function.name, nodes) {
            ("heaviside" | "abs" | "sign", &[x]) => (x, zero),
            ("max" | "min", &[a, b]) => (a, b),
            // a condition by name: a comparison, noted where it was given, is decided where it was decided
            ("if", &[condition, ..]) if self.is_constant_between_stops(condition) => return,
            _ => (zero, zero),
        };
        if !self.is_stop(Comparison::Less, a, b) {
            self.note(NonSmooth {
                operation: function.name.to_owned(),
                smoothness: function.smoothness,
                span: span.clone(),
                smooth_form: function.smooth_form,
            });
        }
    }
}

/// Whether an expression is a comparison or made of such.
fn is_truth(expression: &Expression) -> bool {
    matches!(
        expression.kind,
        ExpressionKind::Compare(..)
            | ExpressionKind::And(..)
            | ExpressionKind::Or(..)
            | ExpressionKind::Not(_)
    )
}
