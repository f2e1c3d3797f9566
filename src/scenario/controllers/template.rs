//! Expressions from texts: `"kp*e + ki*i"` with the user's own expressions in place of some of its names.

use std::path::PathBuf;
use std::sync::Arc;

use crate::diagnostic::{SourceFile, Span};
use crate::model::{Arithmetic, Expression, ExpressionKind, parser};

/// A number at a place.
pub(super) fn number(value: f64, span: &Span) -> Expression {
    Expression {
        kind: ExpressionKind::Number(value),
        span: span.clone(),
    }
}

/// The expression of a text that the program wrote, every part of it at `span`; names that `bound` has stand for those
/// expressions, which keep their places. Terms and factors that are 0 or 1 as written are left out.
pub(super) fn template(text: &str, span: &Span, bound: &[(&str, &Expression)]) -> Expression {
    let file = Arc::new(SourceFile {
        path: PathBuf::new(),
        text: text.to_owned(),
    });
    match parser::parse(text, &file, 0).0 {
        Some(tree) => fill(tree, span, bound),
        None => number(f64::NAN, span),
    }
}

fn fill(tree: Expression, span: &Span, bound: &[(&str, &Expression)]) -> Expression {
    let inner = |tree: Box<Expression>| Box::new(fill(*tree, span, bound));
    let all = |trees: Vec<Expression>| trees.into_iter().map(|t| fill(t, span, bound)).collect();
    let kind = match tree.kind {
        ExpressionKind::Name(name) => match bound.iter().find(|(own, _)| *own == name) {
            Some((_, expression)) => return (*expression).clone(),
            None => ExpressionKind::Name(name),
        },
        ExpressionKind::Number(value) => ExpressionKind::Number(value),
        ExpressionKind::Negate(a) => match *inner(a) {
            Expression {
                kind: ExpressionKind::Number(value),
                ..
            } => ExpressionKind::Number(-value),
            a => ExpressionKind::Negate(Box::new(a)),
        },
        ExpressionKind::Not(a) => ExpressionKind::Not(inner(a)),
        ExpressionKind::Arithmetic(operator, a, b) => {
            return arithmetic(operator, *inner(a), *inner(b), span);
        }
        ExpressionKind::Compare(comparison, a, b) => {
            ExpressionKind::Compare(comparison, inner(a), inner(b))
        }
        ExpressionKind::And(a, b) => ExpressionKind::And(inner(a), inner(b)),
        ExpressionKind::Or(a, b) => ExpressionKind::Or(inner(a), inner(b)),
        ExpressionKind::Element(name, _, places) => {
            ExpressionKind::Element(name, span.clone(), all(places))
        }
        ExpressionKind::Call(name, _, arguments) => {
            ExpressionKind::Call(name, span.clone(), all(arguments))
        }
        ExpressionKind::Output(a, b) => ExpressionKind::Output(inner(a), inner(b)),
    };
    Expression {
        kind,
        span: span.clone(),
    }
}

/// Whether an expression is this number as it is written.
pub(super) fn is(expression: &Expression, number: f64) -> bool {
    matches!(expression.kind, ExpressionKind::Number(value) if value == number)
}

fn arithmetic(operator: Arithmetic, a: Expression, b: Expression, span: &Span) -> Expression {
    match operator {
        Arithmetic::Add if is(&a, 0.0) => b,
        Arithmetic::Add | Arithmetic::Subtract if is(&b, 0.0) => a,
        Arithmetic::Multiply if is(&a, 1.0) || is(&b, 0.0) => b,
        Arithmetic::Multiply | Arithmetic::Divide if is(&b, 1.0) || is(&a, 0.0) => a,
        Arithmetic::Subtract if is(&a, 0.0) => Expression {
            kind: ExpressionKind::Negate(Box::new(b)),
            span: span.clone(),
        },
        _ => Expression {
            kind: ExpressionKind::Arithmetic(operator, Box::new(a), Box::new(b)),
            span: span.clone(),
        },
    }
}
