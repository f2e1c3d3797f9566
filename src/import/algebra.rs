//! Building expressions: constructors that leave out what says nothing (`1*x`, `x + 0`, `a + -b`), and walks over trees.

use std::collections::BTreeSet;

use costate_solvers::Comparison;

use crate::diagnostic::Span;
use crate::model::{Arithmetic, Expression, ExpressionKind};

/// Longest sum or product written as one chain; longer ones are grouped by parentheses, as readers bound the height of trees.
const LONGEST_CHAIN: usize = 100;

/// A number.
pub fn number(value: f64, span: &Span) -> Expression {
    if value < 0.0 {
        return node(
            ExpressionKind::Negate(Box::new(node(ExpressionKind::Number(-value), span))),
            span,
        );
    }
    node(ExpressionKind::Number(value), span)
}

/// A name.
pub fn name(text: &str, span: &Span) -> Expression {
    node(ExpressionKind::Name(text.to_owned()), span)
}

/// A call of a function.
pub fn call(function: &str, arguments: Vec<Expression>, span: &Span) -> Expression {
    node(
        ExpressionKind::Call(function.to_owned(), span.clone(), arguments),
        span,
    )
}

/// An expression of a kind at a place.
pub fn node(kind: ExpressionKind, span: &Span) -> Expression {
    Expression {
        kind,
        span: span.clone(),
    }
}

fn binary(operator: Arithmetic, a: Expression, b: Expression) -> Expression {
    let span = a.span.clone();
    node(
        ExpressionKind::Arithmetic(operator, Box::new(a), Box::new(b)),
        &span,
    )
}

/// The number that an expression is, a sign included.
pub fn constant(e: &Expression) -> Option<f64> {
    match &e.kind {
        ExpressionKind::Number(value) => Some(*value),
        ExpressionKind::Negate(inner) => constant(inner).map(|value| -value),
        _ => None,
    }
}

fn is(e: &Expression, value: f64) -> bool {
    constant(e) == Some(value)
}

/// a + b
pub fn sum(a: Expression, b: Expression) -> Expression {
    if is(&a, 0.0) {
        return b;
    }
    if is(&b, 0.0) {
        return a;
    }
    match without_minus(&b) {
        Some(b) => binary(Arithmetic::Subtract, a, b),
        None => binary(Arithmetic::Add, a, b),
    }
}

/// b, where an expression begins with a minus and is -b.
fn without_minus(e: &Expression) -> Option<Expression> {
    match &e.kind {
        ExpressionKind::Negate(inner) => Some((**inner).clone()),
        ExpressionKind::Arithmetic(Arithmetic::Multiply, a, b) => {
            Some(product(without_minus(a)?, (**b).clone()))
        }
        ExpressionKind::Arithmetic(Arithmetic::Divide, a, b) => {
            Some(quotient(without_minus(a)?, (**b).clone()))
        }
        _ => None,
    }
}

/// a - b
pub fn difference(a: Expression, b: Expression) -> Expression {
    if is(&b, 0.0) {
        return a;
    }
    if is(&a, 0.0) {
        return negated(b);
    }
    binary(Arithmetic::Subtract, a, b)
}

/// a b
pub fn product(a: Expression, b: Expression) -> Expression {
    if is(&a, 1.0) {
        return b;
    }
    if is(&b, 1.0) {
        return a;
    }
    if is(&a, -1.0) {
        return negated(b);
    }
    binary(Arithmetic::Multiply, a, b)
}

/// a / b
pub fn quotient(a: Expression, b: Expression) -> Expression {
    if is(&b, 1.0) {
        return a;
    }
    binary(Arithmetic::Divide, a, b)
}

/// a^b
pub fn power(a: Expression, b: Expression) -> Expression {
    binary(Arithmetic::Power, a, b)
}

/// -a
pub fn negated(a: Expression) -> Expression {
    match a.kind {
        ExpressionKind::Negate(inner) => *inner,
        // -(a b) is written -a b
        ExpressionKind::Arithmetic(Arithmetic::Multiply, left, right) => {
            product(negated(*left), *right)
        }
        ExpressionKind::Arithmetic(Arithmetic::Divide, left, right) => {
            quotient(negated(*left), *right)
        }
        kind => {
            let span = a.span;
            let inner = Expression {
                kind,
                span: span.clone(),
            };
            node(ExpressionKind::Negate(Box::new(inner)), &span)
        }
    }
}

/// A comparison; of two numbers its value, 1 or 0.
pub fn compare(comparison: Comparison, a: Expression, b: Expression) -> Expression {
    let span = a.span.clone();
    if let (Some(left), Some(right)) = (constant(&a), constant(&b)) {
        let holds = match comparison {
            Comparison::Less => left < right,
            Comparison::LessOrEqual => left <= right,
            Comparison::Greater => left > right,
            Comparison::GreaterOrEqual => left >= right,
            Comparison::Equal => left == right,
            Comparison::NotEqual => left != right,
        };
        return number(f64::from(u8::from(holds)), &span);
    }
    node(
        ExpressionKind::Compare(comparison, Box::new(a), Box::new(b)),
        &span,
    )
}

/// `a and b`, where either may be a number that stands for true (1) or false (0).
pub fn both(a: Expression, b: Expression) -> Expression {
    match (constant(&a), constant(&b)) {
        (Some(0.0), _) | (_, Some(1.0)) => a,
        (_, Some(0.0)) | (Some(1.0), _) => b,
        _ => {
            let span = a.span.clone();
            node(ExpressionKind::And(Box::new(a), Box::new(b)), &span)
        }
    }
}

/// `a or b`, likewise.
pub fn either(a: Expression, b: Expression) -> Expression {
    match (constant(&a), constant(&b)) {
        (Some(1.0), _) | (_, Some(0.0)) => a,
        (_, Some(1.0)) | (Some(0.0), _) => b,
        _ => {
            let span = a.span.clone();
            node(ExpressionKind::Or(Box::new(a), Box::new(b)), &span)
        }
    }
}

/// `not a`; comparisons turn round.
pub fn not(a: Expression) -> Expression {
    let span = a.span.clone();
    match a.kind {
        ExpressionKind::Not(inner) => *inner,
        ExpressionKind::Compare(comparison, left, right) => {
            let opposite = match comparison {
                Comparison::Less => Comparison::GreaterOrEqual,
                Comparison::LessOrEqual => Comparison::Greater,
                Comparison::Greater => Comparison::LessOrEqual,
                Comparison::GreaterOrEqual => Comparison::Less,
                Comparison::Equal => Comparison::NotEqual,
                Comparison::NotEqual => Comparison::Equal,
            };
            node(ExpressionKind::Compare(opposite, left, right), &span)
        }
        ExpressionKind::And(left, right) => either(not(*left), not(*right)),
        ExpressionKind::Or(left, right) => both(not(*left), not(*right)),
        ExpressionKind::Number(value) => number(if value == 0.0 { 1.0 } else { 0.0 }, &span),
        kind => {
            let inner = Expression {
                kind,
                span: span.clone(),
            };
            node(ExpressionKind::Not(Box::new(inner)), &span)
        }
    }
}

/// All of a list by one operation, from left to right; a long list in groups, so that the tree stays low.
pub fn chain(
    mut terms: Vec<Expression>,
    empty: Expression,
    join: fn(Expression, Expression) -> Expression,
) -> Expression {
    while terms.len() > LONGEST_CHAIN {
        let mut grouped = Vec::new();
        let mut rest = terms.into_iter().peekable();
        while rest.peek().is_some() {
            let group: Vec<Expression> = rest.by_ref().take(LONGEST_CHAIN).collect();
            grouped.extend(group.into_iter().reduce(join));
        }
        terms = grouped;
    }
    terms.into_iter().reduce(join).unwrap_or(empty)
}

/// The expression with its children replaced.
fn map_children(e: &Expression, f: &mut dyn FnMut(&Expression) -> Expression) -> Expression {
    let span = &e.span;
    match &e.kind {
        ExpressionKind::Number(_) | ExpressionKind::Name(_) => e.clone(),
        ExpressionKind::Negate(a) => negated(f(a)),
        ExpressionKind::Not(a) => not(f(a)),
        ExpressionKind::Arithmetic(operator, a, b) => {
            let (a, b) = (f(a), f(b));
            match operator {
                Arithmetic::Add => sum(a, b),
                Arithmetic::Subtract => difference(a, b),
                Arithmetic::Multiply => product(a, b),
                Arithmetic::Divide => quotient(a, b),
                Arithmetic::Power => power(a, b),
            }
        }
        ExpressionKind::Compare(comparison, a, b) => compare(*comparison, f(a), f(b)),
        ExpressionKind::And(a, b) => both(f(a), f(b)),
        ExpressionKind::Or(a, b) => either(f(a), f(b)),
        ExpressionKind::Element(array, place, inner) => node(
            ExpressionKind::Element(array.clone(), place.clone(), inner.iter().map(f).collect()),
            span,
        ),
        ExpressionKind::Call(function, place, inner) => node(
            ExpressionKind::Call(
                function.clone(),
                place.clone(),
                inner.iter().map(f).collect(),
            ),
            span,
        ),
        ExpressionKind::Output(a, b) => {
            node(ExpressionKind::Output(Box::new(f(a)), Box::new(f(b))), span)
        }
    }
}

/// The expression with names replaced, where `of` has something for them.
pub fn substitute(
    e: &Expression,
    of: &mut dyn FnMut(&str, &Span) -> Option<Expression>,
) -> Expression {
    match &e.kind {
        ExpressionKind::Name(text) => of(text, &e.span).unwrap_or_else(|| e.clone()),
        _ => map_children(e, &mut |inner| substitute(inner, of)),
    }
}

/// What stands for a call: of a function, its arguments and its place; `None` leaves it.
pub type OfCall<'f> = dyn FnMut(&str, &[Expression], &Span) -> Option<Expression> + 'f;

/// The expression with calls replaced, their arguments first, where `of` has something for them.
pub fn substitute_calls(e: &Expression, of: &mut OfCall<'_>) -> Expression {
    let inside = map_children(e, &mut |inner| substitute_calls(inner, of));
    match &inside.kind {
        ExpressionKind::Call(function, _, arguments) => {
            of(function, arguments, &inside.span).unwrap_or(inside)
        }
        _ => inside,
    }
}

/// Visits an expression and all inside it.
pub fn visit(e: &Expression, see: &mut dyn FnMut(&Expression)) {
    see(e);
    match &e.kind {
        ExpressionKind::Number(_) | ExpressionKind::Name(_) => {}
        ExpressionKind::Negate(a) | ExpressionKind::Not(a) => visit(a, see),
        ExpressionKind::Arithmetic(_, a, b)
        | ExpressionKind::Compare(_, a, b)
        | ExpressionKind::And(a, b)
        | ExpressionKind::Or(a, b)
        | ExpressionKind::Output(a, b) => {
            visit(a, see);
            visit(b, see);
        }
        ExpressionKind::Element(_, _, inner) | ExpressionKind::Call(_, _, inner) => {
            for a in inner {
                visit(a, see);
            }
        }
    }
}

/// The names an expression uses, not those of functions.
pub fn names(e: &Expression) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    visit(e, &mut |e| {
        if let ExpressionKind::Name(text) = &e.kind {
            found.insert(text.clone());
        }
    });
    found
}

/// The expression divided by a name that is a factor of it as it stands: k*V*x by V is k*x, V*a - V*b is a - b.
pub fn without_factor(e: &Expression, factor: &str) -> Option<Expression> {
    match &e.kind {
        ExpressionKind::Name(text) if text == factor => Some(number(1.0, &e.span)),
        ExpressionKind::Negate(a) => without_factor(a, factor).map(negated),
        ExpressionKind::Arithmetic(operator, a, b) => match operator {
            Arithmetic::Multiply => match without_factor(a, factor) {
                Some(a) => Some(product(a, (**b).clone())),
                None => without_factor(b, factor).map(|b| product((**a).clone(), b)),
            },
            Arithmetic::Divide => without_factor(a, factor).map(|a| quotient(a, (**b).clone())),
            Arithmetic::Add => Some(sum(without_factor(a, factor)?, without_factor(b, factor)?)),
            Arithmetic::Subtract => Some(difference(
                without_factor(a, factor)?,
                without_factor(b, factor)?,
            )),
            Arithmetic::Power => None,
        },
        _ => None,
    }
}
