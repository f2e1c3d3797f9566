//! Formulas of PEtab tables: the mathematics of PEtab v1, near to that of scenarios.
//!
//! `**` is `^`, `&&` is `and`, `ln` is `log`, `piecewise(a, c, b)` is `if(c, a, b)`; what has another name here is renamed,
//! what has none is composed. Names stay as they are, time is [`TIME`].

use std::sync::Arc;

use super::super::algebra::{call, number, power, product, quotient, substitute, substitute_calls};
use super::super::sbml::mathml::TIME;
use super::table::Cell;
use crate::diagnostic::{Diagnostic, SourceFile, Span};
use crate::model::{Expression, parse};

/// The expression in a cell; `None` where something was reported.
pub fn read(cell: &Cell, findings: &mut Vec<Diagnostic>) -> Option<Expression> {
    part(&cell.text, &cell.span, findings)
}

/// The expressions in a cell, between `;`.
pub fn list(cell: &Cell, findings: &mut Vec<Diagnostic>) -> Option<Vec<Expression>> {
    if cell.text.is_empty() {
        return Some(Vec::new());
    }
    cell.text
        .split(';')
        .map(|text| part(text.trim(), &cell.span, findings))
        .collect()
}

fn part(text: &str, span: &Span, findings: &mut Vec<Diagnostic>) -> Option<Expression> {
    let plain = text
        .replace("**", "^")
        .replace("&&", " and ")
        .replace("||", " or ");
    let plain = negations(&plain);
    let whole = span.text();
    let found = match whole.find(text) {
        // the place is that of the text itself, where it stands as it is
        Some(at) if plain == text => {
            let (tree, found) = parse(text, &span.file, span.start + at);
            findings.extend(found);
            tree?
        }
        _ => {
            let file = Arc::new(SourceFile {
                path: span.file.path.clone(),
                text: plain.clone(),
            });
            let (tree, found) = parse(&plain, &file, 0);
            for mut finding in found {
                finding.span = Some(span.clone());
                findings.push(finding);
            }
            replaced(tree?, span)
        }
    };
    translated(&found, findings)
}

/// `!a` as `not a`, leaving `!=`.
fn negations(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '!' && rest.peek() != Some(&'=') {
            result += " not ";
        } else {
            result.push(c);
        }
    }
    result
}

/// The same tree with one place for all of it.
fn replaced(e: Expression, span: &Span) -> Expression {
    let mut e = substitute(&e, &mut |text, _| {
        Some(super::super::algebra::name(text, span))
    });
    e.span = span.clone();
    e
}

fn translated(e: &Expression, findings: &mut Vec<Diagnostic>) -> Option<Expression> {
    let before = findings.len();
    let named = substitute(e, &mut |text, span| {
        Some(match text {
            "time" => super::super::algebra::name(TIME, span),
            "true" | "True" => number(1.0, span),
            "false" | "False" => number(0.0, span),
            _ => return None,
        })
    });
    let done = substitute_calls(&named, &mut |function, arguments, span| {
        let one = |f: &str| {
            let [x] = arguments else { return None };
            Some(call(f, vec![x.clone()], span))
        };
        let inverse = |f: &str| {
            let [x] = arguments else { return None };
            let inside = quotient(number(1.0, span), x.clone());
            Some(call(f, vec![inside], span))
        };
        let over = |f: &str| Some(quotient(number(1.0, span), one(f)?));
        match (function, arguments) {
            ("log", [x, base]) => Some(quotient(
                call("log", vec![x.clone()], span),
                call("log", vec![base.clone()], span),
            )),
            ("pow" | "power" | "Pow", [x, y]) => Some(power(x.clone(), y.clone())),
            ("sqr", [x]) => Some(product(x.clone(), x.clone())),
            ("ln", _) => one("log"),
            ("arcsin", _) => one("asin"),
            ("arccos", _) => one("acos"),
            ("arctan", _) => one("atan"),
            ("arcsinh", _) => one("asinh"),
            ("arccosh", _) => one("acosh"),
            ("arctanh", _) => one("atanh"),
            ("Abs", _) => one("abs"),
            ("ceiling", _) => one("ceil"),
            ("sec", _) => over("cos"),
            ("csc", _) => over("sin"),
            ("cot", _) => over("tan"),
            ("sech", _) => over("cosh"),
            ("csch", _) => over("sinh"),
            ("coth", _) => over("tanh"),
            ("arcsec" | "asec", _) => inverse("acos"),
            ("arccsc" | "acsc", _) => inverse("asin"),
            ("arccot" | "acot", _) => inverse("atan"),
            ("arcsech" | "asech", _) => inverse("acosh"),
            ("arccsch" | "acsch", _) => inverse("asinh"),
            ("arccoth" | "acoth", _) => inverse("atanh"),
            ("piecewise", arguments) if arguments.len() % 2 == 1 => {
                let (last, pieces) = arguments.split_last()?;
                let mut value = last.clone();
                for piece in pieces.chunks(2).rev() {
                    value = call("if", vec![piece[1].clone(), piece[0].clone(), value], span);
                }
                Some(value)
            }
            _ => {
                if crate::model::functions::function(function).is_none() {
                    findings.push(
                        Diagnostic::error(
                            "petab::formula",
                            format!("there is no function `{function}` of so many arguments"),
                            Some(span.clone()),
                        )
                        .with_help("formulas use the functions of PEtab's mathematics"),
                    );
                }
                None
            }
        }
    });
    (findings.len() == before).then_some(done)
}
