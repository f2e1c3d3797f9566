//! A syntax tree back to text, with the parentheses it needs and no others: parse(print(e)) = e.

use std::fmt;

use costate_solvers::Comparison;

use super::expression::{Arithmetic, Expression, ExpressionKind};

/// How tightly the outermost operator of an expression binds; operands bind tightest.
fn binding(kind: &ExpressionKind) -> u8 {
    match kind {
        ExpressionKind::Or(..) => 1,
        ExpressionKind::And(..) => 2,
        ExpressionKind::Not(_) => 3,
        ExpressionKind::Compare(..) => 4,
        ExpressionKind::Arithmetic(Arithmetic::Add | Arithmetic::Subtract, ..) => 5,
        ExpressionKind::Arithmetic(Arithmetic::Multiply | Arithmetic::Divide, ..) => 6,
        ExpressionKind::Negate(_) => 7,
        ExpressionKind::Arithmetic(Arithmetic::Power, ..) => 8,
        ExpressionKind::Number(_)
        | ExpressionKind::Name(_)
        | ExpressionKind::Element(..)
        | ExpressionKind::Call(..)
        | ExpressionKind::Output(..) => 9,
    }
}

/// Prints an operand, in parentheses where it binds less than `least`.
fn operand(f: &mut fmt::Formatter<'_>, expression: &Expression, least: u8) -> fmt::Result {
    if binding(&expression.kind) < least {
        write!(f, "({expression})")
    } else {
        write!(f, "{expression}")
    }
}

fn list(f: &mut fmt::Formatter<'_>, expressions: &[Expression]) -> fmt::Result {
    for (k, expression) in expressions.iter().enumerate() {
        if k > 0 {
            write!(f, ", ")?;
        }
        write!(f, "{expression}")?;
    }
    Ok(())
}

/// The sign of a comparison.
pub fn comparison_sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
        Comparison::Equal => "==",
        Comparison::NotEqual => "!=",
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExpressionKind::Number(value) => {
                if *value == 0.0 || (1e-4..1e15).contains(&value.abs()) {
                    write!(f, "{value}")
                } else {
                    write!(f, "{value:e}")
                }
            }
            ExpressionKind::Name(name) => write!(f, "{name}"),
            ExpressionKind::Negate(inner) => {
                write!(f, "-")?;
                operand(f, inner, 7)
            }
            ExpressionKind::Not(inner) => {
                write!(f, "not ")?;
                operand(f, inner, 3)
            }
            ExpressionKind::Arithmetic(operator, left, right) => {
                let (sign, left_least, right_least) = match operator {
                    Arithmetic::Add => (" + ", 5, 6),
                    Arithmetic::Subtract => (" - ", 5, 6),
                    Arithmetic::Multiply => ("*", 6, 7),
                    Arithmetic::Divide => ("/", 6, 7),
                    // the exponent may be negated or a power without parentheses
                    Arithmetic::Power => ("^", 9, 7),
                };
                operand(f, left, left_least)?;
                write!(f, "{sign}")?;
                operand(f, right, right_least)
            }
            ExpressionKind::Compare(comparison, left, right) => {
                operand(f, left, 5)?;
                write!(f, " {} ", comparison_sign(*comparison))?;
                operand(f, right, 5)
            }
            ExpressionKind::And(left, right) => {
                operand(f, left, 2)?;
                write!(f, " and ")?;
                operand(f, right, 3)
            }
            ExpressionKind::Or(left, right) => {
                operand(f, left, 1)?;
                write!(f, " or ")?;
                operand(f, right, 2)
            }
            ExpressionKind::Element(name, _, places) => {
                write!(f, "{name}[")?;
                list(f, places)?;
                write!(f, "]")
            }
            ExpressionKind::Call(name, _, arguments) => {
                write!(f, "{name}(")?;
                list(f, arguments)?;
                write!(f, ")")
            }
            ExpressionKind::Output(call, which) => write!(f, "{call}[{which}]"),
        }
    }
}
