//! The syntax tree of an expression: what the parser makes and lowering reads.

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
