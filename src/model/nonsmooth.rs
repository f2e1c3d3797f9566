//! Operations without a derivative everywhere, with their places and the smooth form that would serve.
//!
//! A model that uses them works: derivatives at a kink are one-sided by convention. Not listed are operations on
//! parameters and discrete states alone, which do not vary between events, and switches at times that are hit exactly (see
//! [`super::StopTime`]).

use costate_solvers::Comparison;

use super::expression::{Expression, ExpressionKind};
use super::functions::{Function, Smoothness};
use super::graph::{Binary, NodeId, Unary};
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
    /// what tells on a run where it is met, for each time that it is written out
    pub margins: Vec<Margin>,
}

/// What tells where a run meets a kink, a jump or a singular point: nodes, which may have axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Margin {
    /// there the node changes its sign
    Sign(NodeId),
    /// there the node changes its value
    Value(NodeId),
    /// there the node comes to 0
    Zero(NodeId),
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
            let margin = Margin::Sign(self.graph.sub(a, b));
            self.note(NonSmooth {
                operation: comparison_sign(comparison).to_owned(),
                smoothness: Smoothness::Jump,
                span: span.clone(),
                smooth_form: Some("softstep(a - b, width)"),
                margins: vec![margin],
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
        if let ("sqrt" | "log" | "log2" | "log10", &[x]) | ("pow", &[x, _]) = (function.name, nodes)
        {
            self.note_singular(function.name, x, nodes.get(1).copied(), span);
            return;
        }
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
            let margins = self.margins(function.name, nodes);
            self.note(NonSmooth {
                operation: function.name.to_owned(),
                smoothness: function.smoothness,
                span: span.clone(),
                smooth_form: function.smooth_form,
                margins,
            });
        }
    }

    /// What tells where a function's kinks and jumps are met.
    fn margins(&mut self, function: &str, nodes: &[NodeId]) -> Vec<Margin> {
        match (function, nodes) {
            ("abs" | "sign" | "heaviside", &[x]) => vec![Margin::Sign(x)],
            ("floor" | "ceil", &[x]) => vec![Margin::Value(self.graph.unary(Unary::Floor, x))],
            ("mod", &[a, b]) => {
                let ratio = self.graph.div(a, b);
                vec![Margin::Value(self.graph.unary(Unary::Floor, ratio))]
            }
            ("clamp", &[x, low, high]) => [low, high]
                .map(|end| Margin::Sign(self.graph.sub(x, end)))
                .to_vec(),
            ("max" | "min", nodes) => {
                let operator = match function {
                    "max" => Binary::Max,
                    _ => Binary::Min,
                };
                let mut margins = Vec::new();
                let mut extreme = nodes.first().copied();
                for &node in nodes.iter().skip(1) {
                    let before = extreme.unwrap_or(node);
                    margins.push(Margin::Sign(self.graph.sub(before, node)));
                    extreme = Some(self.graph.binary(operator, before, node));
                }
                margins
            }
            ("if", &[condition, ..]) => vec![Margin::Value(condition)],
            _ => Vec::new(),
        }
    }

    /// Notes where a root, a logarithm or a power that is not whole has no derivative: 0.
    pub(super) fn note_singular(
        &mut self,
        operation: &str,
        x: NodeId,
        exponent: Option<NodeId>,
        span: &Span,
    ) {
        let whole = |e: NodeId| {
            self.graph
                .constant_value(e)
                .is_some_and(|e| e.fract() == 0.0 && e >= 0.0)
        };
        if exponent.is_some_and(whole) || !self.varies(&[x]) {
            return;
        }
        let found = NonSmooth {
            operation: operation.to_owned(),
            smoothness: Smoothness::Smooth,
            span: span.clone(),
            smooth_form: None,
            margins: vec![Margin::Zero(x)],
        };
        let same = |known: &&mut NonSmooth| known.span == found.span;
        match self.singular.iter_mut().find(same) {
            Some(known) => known.margins.extend(found.margins),
            None => self.singular.push(found),
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
