//! What an expression of parameters is worth at the file's values: for checks, and for numbers that decide structure.

use crate::model::graph::Graph;
use crate::model::{Arithmetic, Expression, ExpressionKind, functions};
use crate::scenario::types::Parameter;

/// The value of an expression of numbers and parameters; `None` where it is of anything else.
pub(super) fn value(expression: &Expression, parameters: &[Parameter]) -> Option<f64> {
    let of = |expression: &Expression| value(expression, parameters);
    match &expression.kind {
        ExpressionKind::Number(value) => Some(*value),
        ExpressionKind::Name(name) if name == "pi" => Some(std::f64::consts::PI),
        ExpressionKind::Name(name) => {
            let parameter = parameters.iter().find(|p| p.name.text == *name);
            parameter.map(|p| p.value)
        }
        ExpressionKind::Negate(a) => Some(-of(a)?),
        ExpressionKind::Arithmetic(operator, a, b) => {
            let (a, b) = (of(a)?, of(b)?);
            Some(match operator {
                Arithmetic::Add => a + b,
                Arithmetic::Subtract => a - b,
                Arithmetic::Multiply => a * b,
                Arithmetic::Divide => a / b,
                Arithmetic::Power => a.powf(b),
            })
        }
        ExpressionKind::Call(name, _, arguments) => {
            let function = functions::function(name)?;
            if !function.arity.allows(arguments.len()) {
                return None;
            }
            let mut graph = Graph::new();
            let nodes: Option<Vec<_>> = arguments
                .iter()
                .map(|argument| Some(graph.constant(of(argument)?)))
                .collect();
            let node = function.node(&mut graph, &nodes?);
            crate::model::evaluate::<f64>(&graph, &[node], &[]).pop()
        }
        _ => None,
    }
    .filter(|value| value.is_finite())
}
