//! The operators of MathML in the words of scenarios; what has no word is composed.

use costate_solvers::Comparison;

use super::super::algebra::{
    both, call, chain, compare, constant, difference, either, negated, not, number, power, product,
    quotient, sum,
};
use super::xml::Element;
use crate::diagnostic::Span;
use crate::model::Expression;

/// An operator on operands; `None` where their number is wrong.
pub(super) fn operate(
    operator: &str,
    arguments: Vec<Expression>,
    qualifier: Option<Expression>,
    element: &Element,
) -> Option<Expression> {
    let span = &element.span;
    let of = |function: &str, x: Expression| call(function, vec![x], span);
    let inverse = |x: Expression| quotient(number(1.0, span), x);
    // operators of any number of operands
    match operator {
        "plus" => return Some(chain(arguments, number(0.0, span), sum)),
        "times" => return Some(chain(arguments, number(1.0, span), product)),
        "and" => return Some(chain(arguments, number(1.0, span), both)),
        "or" => return Some(chain(arguments, number(0.0, span), either)),
        "xor" => return Some(chain(arguments, number(0.0, span), exclusive)),
        "min" | "max" if arguments.len() == 1 => return arguments.into_iter().next(),
        "min" | "max" if arguments.len() > 1 => return Some(call(operator, arguments, span)),
        "eq" | "lt" | "gt" | "leq" | "geq" if arguments.len() >= 2 => {
            let comparison = match operator {
                "eq" => Comparison::Equal,
                "lt" => Comparison::Less,
                "gt" => Comparison::Greater,
                "leq" => Comparison::LessOrEqual,
                _ => Comparison::GreaterOrEqual,
            };
            let pairs = arguments
                .windows(2)
                .map(|pair| compare(comparison, pair[0].clone(), pair[1].clone()))
                .collect();
            return Some(chain(pairs, number(1.0, span), both));
        }
        _ => {}
    }
    let count = arguments.len();
    let mut arguments = arguments.into_iter();
    let a = arguments.next()?;
    if count == 2 {
        let b = arguments.next()?;
        return Some(match operator {
            "minus" => difference(a, b),
            "divide" => quotient(a, b),
            "power" => power(a, b),
            "neq" => compare(Comparison::NotEqual, a, b),
            "implies" => either(not(a), b),
            "quotient" => truncated(quotient(a, b), span),
            "rem" => {
                let whole = truncated(quotient(a.clone(), b.clone()), span);
                difference(a, product(b, whole))
            }
            _ => return None,
        });
    }
    if count != 1 {
        return None;
    }
    Some(match operator {
        "minus" => negated(a),
        "not" => not(a),
        "abs" | "exp" | "floor" | "sin" | "cos" | "tan" | "sinh" | "cosh" | "tanh" => {
            of(operator, a)
        }
        "ln" => of("log", a),
        "ceiling" => of("ceil", a),
        "log" => match qualifier {
            None => of("log10", a),
            Some(base) => match constant(&base) {
                Some(10.0) => of("log10", a),
                Some(2.0) => of("log2", a),
                _ => quotient(of("log", a), of("log", base)),
            },
        },
        "root" => match qualifier {
            None => of("sqrt", a),
            Some(degree) => match constant(&degree) {
                Some(2.0) => of("sqrt", a),
                Some(3.0) => of("cbrt", a),
                _ => power(a, quotient(number(1.0, span), degree)),
            },
        },
        "factorial" => number(factorial(constant(&a)?)?, span),
        "sec" => inverse(of("cos", a)),
        "csc" => inverse(of("sin", a)),
        "cot" => inverse(of("tan", a)),
        "sech" => inverse(of("cosh", a)),
        "csch" => inverse(of("sinh", a)),
        "coth" => inverse(of("tanh", a)),
        "arcsin" => of("asin", a),
        "arccos" => of("acos", a),
        "arctan" => of("atan", a),
        "arcsinh" => of("asinh", a),
        "arccosh" => of("acosh", a),
        "arctanh" => of("atanh", a),
        "arcsec" => of("acos", inverse(a)),
        "arccsc" => of("asin", inverse(a)),
        "arccot" => of("atan", inverse(a)),
        "arcsech" => of("acosh", inverse(a)),
        "arccsch" => of("asinh", inverse(a)),
        "arccoth" => of("atanh", inverse(a)),
        _ => return None,
    })
}

/// One of two conditions, not both.
fn exclusive(a: Expression, b: Expression) -> Expression {
    match (constant(&a), constant(&b)) {
        (Some(0.0), _) => b,
        (_, Some(0.0)) => a,
        (Some(1.0), _) => not(b),
        (_, Some(1.0)) => not(a),
        _ => either(both(a.clone(), not(b.clone())), both(not(a), b)),
    }
}

/// x without its fraction.
fn truncated(x: Expression, span: &Span) -> Expression {
    let sign = call("sign", vec![x.clone()], span);
    let size = call("floor", vec![call("abs", vec![x], span)], span);
    product(sign, size)
}

/// n! of a whole number up to 170, the largest whose factorial is a number.
fn factorial(n: f64) -> Option<f64> {
    ((0.0..=170.0).contains(&n) && n.fract() == 0.0).then(|| {
        let mut value = 1.0;
        let mut k = 2.0;
        while k <= n {
            value *= k;
            k += 1.0;
        }
        value
    })
}
