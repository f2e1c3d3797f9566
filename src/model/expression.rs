//! The syntax tree of an expression: what the parser makes and lowering reads.

use std::collections::HashMap;

use costate_solvers::Comparison;

use crate::diagnostic::Span;

/// An expression with its place in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    /// what it is
    pub kind: ExpressionKind,
    /// where it stands
    pub span: Span,
}

/// Kinds of expression.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpressionKind {
    /// a number
    Number(f64),
    /// a name: state, parameter, definition, signal, `t`, `pi`, function argument
    Name(String),
    /// unary minus
    Negate(Box<Expression>),
    /// `not a`
    Not(Box<Expression>),
    /// `+ - * / ^`
    Arithmetic(Arithmetic, Box<Expression>, Box<Expression>),
    /// `< <= > >= == !=`
    Compare(Comparison, Box<Expression>, Box<Expression>),
    /// `a and b`
    And(Box<Expression>, Box<Expression>),
    /// `a or b`
    Or(Box<Expression>, Box<Expression>),
    /// `a[i, j]`, an element of an array; the array's own place
    Element(String, Span, Vec<Expression>),
    /// `f(a, b, ...)`, `if(c, a, b)` among them; the function's own place
    Call(String, Span, Vec<Expression>),
    /// `f(a, b)[k]`, one output of a call
    Output(Box<Expression>, Box<Expression>),
}

/// The arithmetic operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `^`
    Power,
}

impl Expression {
    /// Every name in it, those of functions among them.
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let mut pending = vec![self];
        while let Some(expression) = pending.pop() {
            match &expression.kind {
                ExpressionKind::Number(_) => {}
                ExpressionKind::Name(name) => names.push(name.as_str()),
                ExpressionKind::Negate(a) | ExpressionKind::Not(a) => pending.push(a),
                ExpressionKind::Arithmetic(_, a, b)
                | ExpressionKind::Compare(_, a, b)
                | ExpressionKind::And(a, b)
                | ExpressionKind::Or(a, b)
                | ExpressionKind::Output(a, b) => pending.extend([a.as_ref(), b.as_ref()]),
                ExpressionKind::Element(name, _, inner) | ExpressionKind::Call(name, _, inner) => {
                    names.push(name);
                    pending.extend(inner);
                }
            }
        }
        names
    }

    /// The same with names of values replaced; its parts keep their places, so that findings point to what was written.
    #[must_use]
    pub fn renamed(&self, names: &HashMap<String, String>) -> Self {
        let of = |name: &String| names.get(name).unwrap_or(name).clone();
        let inner = |a: &Self| Box::new(a.renamed(names));
        let all = |inner: &[Self]| inner.iter().map(|a| a.renamed(names)).collect();
        let kind = match &self.kind {
            ExpressionKind::Number(value) => ExpressionKind::Number(*value),
            ExpressionKind::Name(name) => ExpressionKind::Name(of(name)),
            ExpressionKind::Negate(a) => ExpressionKind::Negate(inner(a)),
            ExpressionKind::Not(a) => ExpressionKind::Not(inner(a)),
            ExpressionKind::Arithmetic(operator, a, b) => {
                ExpressionKind::Arithmetic(*operator, inner(a), inner(b))
            }
            ExpressionKind::Compare(comparison, a, b) => {
                ExpressionKind::Compare(*comparison, inner(a), inner(b))
            }
            ExpressionKind::And(a, b) => ExpressionKind::And(inner(a), inner(b)),
            ExpressionKind::Or(a, b) => ExpressionKind::Or(inner(a), inner(b)),
            ExpressionKind::Output(a, b) => ExpressionKind::Output(inner(a), inner(b)),
            ExpressionKind::Element(name, span, places) => {
                ExpressionKind::Element(of(name), span.clone(), all(places))
            }
            ExpressionKind::Call(name, span, arguments) => {
                ExpressionKind::Call(name.clone(), span.clone(), all(arguments))
            }
        };
        Self {
            kind,
            span: self.span.clone(),
        }
    }
}
