//! MathML, the subset of SBML, to expressions.
//!
//! Time and pi are written [`TIME`] and [`PI`] here, as `t` and `pi` may be names of a model; `rateOf` is a call of
//! [`RATE_OF`]. What the expression language has no word for is composed: sec x = 1/cos x.

use super::super::algebra::{call, name, number};
use super::operators::operate;
use super::xml::{Content, Element};
use crate::diagnostic::{Diagnostic, nearest};
use crate::model::Expression;

/// Time among the names of a model.
pub const TIME: &str = "$time";
/// 3.14159... among them.
pub const PI: &str = "$pi";
/// The function that gives the time derivative of a name.
pub const RATE_OF: &str = "$rateOf";

/// Stands before the name of a function of the model, so that it is none of the language.
pub const OWN: &str = "@";

const MATHML: &str = "http://www.w3.org/1998/Math/MathML";
/// Avogadro's number as SBML Level 3 fixes it (CODATA 2006).
const AVOGADRO: f64 = 6.022_141_79e23;
/// Deepest nesting of operators: what is written must be read again.
const MOST_DEPTH: usize = 200;

/// The operators understood, for messages.
const OPERATORS: &[&str] = &[
    "plus",
    "minus",
    "times",
    "divide",
    "power",
    "root",
    "abs",
    "exp",
    "ln",
    "log",
    "floor",
    "ceiling",
    "factorial",
    "sin",
    "cos",
    "tan",
    "sec",
    "csc",
    "cot",
    "sinh",
    "cosh",
    "tanh",
    "sech",
    "csch",
    "coth",
    "arcsin",
    "arccos",
    "arctan",
    "arcsec",
    "arccsc",
    "arccot",
    "arcsinh",
    "arccosh",
    "arctanh",
    "arcsech",
    "arccsch",
    "arccoth",
    "eq",
    "neq",
    "lt",
    "gt",
    "leq",
    "geq",
    "and",
    "or",
    "not",
    "xor",
    "implies",
    "min",
    "max",
    "quotient",
    "rem",
    "piecewise",
];

/// The expression of a `<math>` element; `None` where something was reported.
pub fn expression(math: &Element, findings: &mut Vec<Diagnostic>) -> Option<Expression> {
    let inner = only_child(math, findings)?;
    read(inner, 0, findings)
}

/// A function definition's `<math>`: its `<lambda>`'s arguments and body.
pub fn lambda(math: &Element, findings: &mut Vec<Diagnostic>) -> Option<(Vec<String>, Expression)> {
    let mut inner = only_child(math, findings)?;
    while inner.name == "semantics" {
        inner = inner.elements().next()?;
    }
    if inner.name != "lambda" {
        findings.push(
            Diagnostic::error(
                "sbml::math",
                format!("a function is a `<lambda>`, not `<{}>`", inner.name),
                Some(inner.span.clone()),
            )
            .with_help("write `<lambda><bvar><ci>x</ci></bvar> body </lambda>`"),
        );
        return None;
    }
    let mut arguments = Vec::new();
    let mut body = None;
    for element in inner.elements() {
        if element.name == "bvar" {
            arguments.push(element.text());
        } else {
            body = read(element, 0, findings);
        }
    }
    if body.is_none() && findings.is_empty() {
        findings.push(Diagnostic::error(
            "sbml::math",
            "a `<lambda>` without a body",
            Some(inner.span.clone()),
        ));
    }
    Some((arguments, body?))
}

fn only_child<'e>(math: &'e Element, findings: &mut Vec<Diagnostic>) -> Option<&'e Element> {
    if math.namespace != MATHML {
        findings.push(
            Diagnostic::error(
                "sbml::math",
                format!("`<{}>` is not in the namespace of MathML", math.name),
                Some(math.span.clone()),
            )
            .with_help(format!("write `<math xmlns=\"{MATHML}\">`")),
        );
        return None;
    }
    let mut inside = math.elements();
    let first = inside.next();
    let Some(first) = first else {
        findings.push(
            Diagnostic::error("sbml::math", "an empty `<math>`", Some(math.span.clone()))
                .with_help("write the formula into it"),
        );
        return None;
    };
    if let Some(second) = inside.next() {
        findings.push(Diagnostic::error(
            "sbml::math",
            "a second formula in one `<math>`",
            Some(second.span.clone()),
        ));
        return None;
    }
    Some(first)
}

fn wrong<T>(element: &Element, message: String, findings: &mut Vec<Diagnostic>) -> Option<T> {
    findings.push(Diagnostic::error(
        "sbml::math",
        message,
        Some(element.span.clone()),
    ));
    None
}

fn unsupported<T>(element: &Element, what: &str, findings: &mut Vec<Diagnostic>) -> Option<T> {
    findings.push(
        Diagnostic::error(
            "sbml::unsupported",
            format!("{what} cannot be imported"),
            Some(element.span.clone()),
        )
        .with_label("not supported")
        .with_help("rewrite the model without it"),
    );
    None
}

fn read(element: &Element, depth: usize, findings: &mut Vec<Diagnostic>) -> Option<Expression> {
    let span = &element.span;
    if depth > MOST_DEPTH {
        return wrong(
            element,
            format!("more than {MOST_DEPTH} operators inside one another"),
            findings,
        );
    }
    Some(match element.name.as_str() {
        "cn" => number(literal(element, findings)?, span),
        "ci" => {
            let text = element.text();
            if text.is_empty() {
                return wrong(element, "a `<ci>` without a name".to_owned(), findings);
            }
            name(&text, span)
        }
        "csymbol" => return symbol(element, findings),
        "pi" => name(PI, span),
        "exponentiale" => call("exp", vec![number(1.0, span)], span),
        "true" => number(1.0, span),
        "false" => number(0.0, span),
        "infinity" => return unsupported(element, "`<infinity/>`", findings),
        "notanumber" => return unsupported(element, "`<notanumber/>`", findings),
        "semantics" => match element.elements().next() {
            Some(inner) => return read(inner, depth + 1, findings),
            None => return wrong(element, "an empty `<semantics>`".to_owned(), findings),
        },
        "piecewise" => return piecewise(element, depth, findings),
        "apply" => return apply(element, depth, findings),
        other => {
            let message = format!("`<{other}>` is no formula of SBML");
            return wrong(element, message, findings);
        }
    })
}

/// The number that a `<cn>` holds.
fn literal(element: &Element, findings: &mut Vec<Diagnostic>) -> Option<f64> {
    let kind = element
        .attribute("type")
        .map_or("real", |a| a.value.as_str());
    let mut parts = vec![String::new()];
    for content in &element.content {
        match content {
            Content::Text(text) => {
                if let Some(last) = parts.last_mut() {
                    last.push_str(text.trim());
                }
            }
            Content::Element(inner) if inner.name == "sep" => parts.push(String::new()),
            Content::Element(inner) => {
                return wrong(
                    inner,
                    format!("`<{}>` inside a number", inner.name),
                    findings,
                );
            }
        }
    }
    let parsed = |text: &str| text.parse::<f64>().ok().filter(|v| v.is_finite());
    let value = match (kind, &parts[..]) {
        ("real" | "integer", [whole]) => parsed(whole),
        ("e-notation", [mantissa, exponent]) => parsed(&format!("{mantissa}e{exponent}")),
        ("e-notation", [whole]) => parsed(whole),
        ("rational", [above, below]) => parsed(above)
            .zip(parsed(below))
            .map(|(above, below)| above / below),
        _ => None,
    };
    match value.filter(|value| value.is_finite()) {
        Some(value) => Some(value),
        None => {
            let message = format!("`{}` is not a number of type `{kind}`", parts.join(" "));
            wrong(element, message, findings)
        }
    }
}

fn symbol(element: &Element, findings: &mut Vec<Diagnostic>) -> Option<Expression> {
    let url = element
        .attribute("definitionURL")
        .map_or("", |a| a.value.trim());
    match url.rsplit('/').next().unwrap_or("") {
        "time" => Some(name(TIME, &element.span)),
        "avogadro" => Some(number(AVOGADRO, &element.span)),
        _ => wrong(
            element,
            format!("unknown symbol `{url}`: known are time, avogadro, and rateOf as a function"),
            findings,
        ),
    }
}

fn piecewise(
    element: &Element,
    depth: usize,
    findings: &mut Vec<Diagnostic>,
) -> Option<Expression> {
    let (mut pieces, mut last) = (Vec::new(), None);
    for inner in element.elements() {
        let parts: Vec<&Element> = inner.elements().collect();
        match (inner.name.as_str(), &parts[..]) {
            ("piece", [value, condition]) => {
                let value = read(value, depth + 1, findings);
                let condition = read(condition, depth + 1, findings);
                pieces.push((condition?, value?));
            }
            ("otherwise", [value]) => last = Some(read(value, depth + 1, findings)?),
            (other, parts) => {
                let message = format!(
                    "`<{other}>` with {} formulas in a `<piecewise>`",
                    parts.len()
                );
                return wrong(inner, message, findings);
            }
        }
    }
    let mut value = match last {
        Some(last) => last,
        None => {
            findings.push(
                Diagnostic::warning(
                    "sbml::piecewise",
                    "a `<piecewise>` without `<otherwise>`",
                    Some(element.span.clone()),
                )
                .with_label("undefined where no piece holds")
                .with_help("0 is taken there"),
            );
            number(0.0, &element.span)
        }
    };
    for (condition, piece) in pieces.into_iter().rev() {
        value = call("if", vec![condition, piece, value], &element.span);
    }
    Some(value)
}

fn apply(element: &Element, depth: usize, findings: &mut Vec<Diagnostic>) -> Option<Expression> {
    let mut inside = element.elements();
    let Some(operator) = inside.next() else {
        return wrong(element, "an empty `<apply>`".to_owned(), findings);
    };
    let mut qualifier = None;
    let mut arguments = Vec::new();
    let mut failed = false;
    for inner in inside {
        if matches!(inner.name.as_str(), "degree" | "logbase") {
            match inner.elements().next() {
                Some(inner) => qualifier = Some(read(inner, depth + 1, findings)?),
                None => return wrong(inner, format!("an empty `<{}>`", inner.name), findings),
            }
            continue;
        }
        match read(inner, depth + 1, findings) {
            Some(argument) => arguments.push(argument),
            None => failed = true,
        }
    }
    if failed {
        return None;
    }
    let span = &element.span;
    match operator.name.as_str() {
        // (some write parentheses as an operation on nothing)
        "apply" if arguments.is_empty() => return read(operator, depth + 1, findings),
        "ci" => return Some(call(&format!("{OWN}{}", operator.text()), arguments, span)),
        "csymbol" => {
            let url = operator
                .attribute("definitionURL")
                .map_or("", |a| a.value.trim());
            return match url.rsplit('/').next().unwrap_or("") {
                "rateOf" => Some(call(RATE_OF, arguments, span)),
                "delay" => unsupported(operator, "a delay", findings),
                _ => wrong(operator, format!("unknown function `{url}`"), findings),
            };
        }
        _ => {}
    }
    let count = arguments.len();
    let operation = operator.name.as_str();
    if !OPERATORS.contains(&operation) {
        let message = format!("unknown operator `<{operation}/>`");
        let mut diagnostic = Diagnostic::error("sbml::math", message, Some(operator.span.clone()));
        if let Some(near) = nearest(operation, OPERATORS.iter().copied()) {
            diagnostic = diagnostic.with_help(format!("did you mean `<{near}/>`?"));
        }
        findings.push(diagnostic);
        return None;
    }
    if let Some(composed) = operate(operation, arguments, qualifier, element) {
        return Some(composed);
    }
    if operation == "factorial" && count == 1 {
        return unsupported(
            operator,
            "a factorial of what is no small whole number",
            findings,
        );
    }
    wrong(
        operator,
        format!("`<{operation}/>` with {count} operands"),
        findings,
    )
}
