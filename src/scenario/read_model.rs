//! `[states]`, `[definitions]`, `[functions]` and `[equations]`.

use toml::de::DeValue;

use super::names::{self, FUNCTIONALS};
use super::read_indices::over;
use super::reader::Names;
use super::types::{Definition, Index, Name, State, UserFunction};
use super::values::{Reader, Section, did_you_mean, shorten};
use crate::model::{Expression, ExpressionKind};

fn nothing(name: &Name) -> Expression {
    Expression {
        kind: ExpressionKind::Number(f64::NAN),
        span: name.span.clone(),
    }
}

pub(super) fn states(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    indices: &[Index],
    names: &mut Names,
) -> Vec<State> {
    let entries = reader.named(top, "states", "a state", names);
    if entries.is_empty()
        && let Some(value) = top.get("states").filter(|value| value.get_ref().is_table())
    {
        let diagnostic = reader.error(
            "scenario::missing",
            "`[states]` names no state",
            value.span(),
        );
        diagnostic.label = "empty".to_owned();
        diagnostic.help = Some("add a line such as `x = 1.0`".to_owned());
    }
    entries
        .into_iter()
        .map(|(name, value)| {
            let mut unit = None;
            let mut discrete = false;
            let mut array = Vec::new();
            let initial = if value.get_ref().is_table() {
                reader
                    .section("states.*", &name.text, value)
                    .and_then(|section| {
                        unit = reader.text(&section, "unit");
                        discrete = reader.boolean(&section, "discrete").unwrap_or(false);
                        array = over(reader, &section, indices).unwrap_or_default();
                        reader.expression_of(&section, "initial")
                    })
                    .unwrap_or_else(|| nothing(&name))
            } else {
                reader.expression(&name.text, value)
            };
            State {
                name,
                initial,
                discrete,
                unit,
                over: array,
            }
        })
        .collect()
}

pub(super) fn definitions(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    indices: &[Index],
    names: &mut Names,
) -> Vec<Definition> {
    reader
        .named(top, "definitions", "a definition", names)
        .into_iter()
        .map(|(name, value)| {
            let mut array = Vec::new();
            let expression = if value.get_ref().is_table() {
                reader
                    .section("definitions.*", &name.text, value)
                    .and_then(|section| {
                        reader.text(&section, "unit");
                        array = over(reader, &section, indices).unwrap_or_default();
                        reader.expression_of(&section, "expression")
                    })
                    .unwrap_or_else(|| nothing(&name))
            } else {
                reader.expression(&name.text, value)
            };
            Definition {
                name,
                over: array,
                expression,
            }
        })
        .collect()
}

pub(super) fn functions(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    names: &mut Names,
) -> Vec<UserFunction> {
    let mut functions = Vec::new();
    for (name, value) in reader.named(top, "functions", "a function", names) {
        if FUNCTIONALS.contains(&name.text.as_str()) {
            let message = format!(
                "`{}` cannot name a function: the language has one of this name",
                name.text
            );
            let span = name.span.clone();
            reader
                .report(crate::diagnostic::Diagnostic::error(
                    "scenario::reserved-name",
                    message,
                    Some(span),
                ))
                .help = Some(format!("choose another name, such as `{}_`", name.text));
        }
        let section = reader.section("functions.*", &name.text, value);
        let mut arguments = Vec::new();
        let mut expression = nothing(&name);
        if let Some(section) = section {
            arguments = arguments_of(reader, &section);
            expression = reader
                .expression_of(&section, "expression")
                .unwrap_or(expression);
        }
        functions.push(UserFunction {
            name,
            arguments,
            expression,
        });
    }
    functions
}

fn arguments_of(reader: &mut Reader<'_>, section: &Section<'_, '_>) -> Vec<Name> {
    let Some(value) = section.get("arguments") else {
        return Vec::new();
    };
    let DeValue::Array(items) = value.get_ref() else {
        reader.wrong_type("arguments", "an array of strings", value);
        return Vec::new();
    };
    let mut arguments: Vec<Name> = Vec::new();
    for item in items.iter() {
        let Some(text) = reader.text_value("arguments", item) else {
            continue;
        };
        if names::check(&text).is_err() {
            let key = toml::Spanned::new(item.span(), std::borrow::Cow::Owned(text.clone()));
            reader.name("an argument", &key);
        }
        if arguments.iter().any(|other| other.text == text) {
            let diagnostic = reader.error(
                "scenario::duplicate-name",
                format!("the argument `{}` is given twice", shorten(&text)),
                item.span(),
            );
            diagnostic.label = "given twice".to_owned();
            diagnostic.help = Some("rename one of the two".to_owned());
        }
        arguments.push(Name {
            text,
            span: reader.sources.span(item.span()),
        });
    }
    arguments
}

/// The equations in the order of the states, those of `[mechanics]`, `moving`, not among them: 0 for a discrete one, which has none; `NaN` stands for one that is
/// missing, which is reported.
pub(super) fn equations(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    states: &[State],
    moving: &[State],
) -> Vec<Expression> {
    let entries = reader.entries(top, "equations");
    let mut equations: Vec<Option<Expression>> = vec![None; states.len()];
    let without: Vec<&str> = states
        .iter()
        .filter(|state| !state.discrete)
        .map(|state| state.name.text.as_str())
        .filter(|name| {
            !entries
                .iter()
                .any(|(key, _)| key.get_ref().as_ref() == *name)
        })
        .collect();
    let mut mistyped = Vec::new();
    for (key, value) in &entries {
        let name: &str = key.get_ref();
        let expression = reader.expression(name, value);
        if let Some(index) = states.iter().position(|state| state.name.text == name) {
            if states[index].discrete {
                let diagnostic = reader.error(
                    "scenario::discrete",
                    format!("the discrete state `{name}` has an equation"),
                    key.span(),
                );
                diagnostic.label = "discrete".to_owned();
                diagnostic.help = Some(format!(
                    "remove the equation, as events alone change a discrete state; or remove `discrete = true` of `{name}`"
                ));
            }
            equations[index] = Some(expression);
            continue;
        }
        if moving.iter().any(|state| state.name.text == name) {
            let diagnostic = reader.error(
                "scenario::derived",
                format!("`{name}` has an equation, though `[mechanics]` derives it"),
                key.span(),
            );
            diagnostic.label = "derived from the energies".to_owned();
            diagnostic.help = Some(
                "remove the equation; a force belongs in `forces` of `[mechanics]`".to_owned(),
            );
            continue;
        }
        // a state that still lacks its equation is likelier meant than one that has it
        let near = did_you_mean(name, without.iter().copied());
        if let Some(near) = crate::diagnostic::nearest(name, without.iter().copied()) {
            mistyped.push(near);
        }
        let help = near
            .or_else(|| did_you_mean(name, states.iter().map(|state| state.name.text.as_str())))
            .unwrap_or_else(|| {
                format!(
                    "add `{0}` to `[states]`; a name for an expression belongs in `[definitions]`",
                    shorten(name)
                )
            });
        let diagnostic = reader.error(
            "scenario::unknown-state",
            format!("`[equations]` has `{}`, which is no state", shorten(name)),
            key.span(),
        );
        diagnostic.label = "no such state".to_owned();
        diagnostic.help = Some(help);
    }
    let table_there = top
        .get("equations")
        .is_some_and(|value| value.get_ref().is_table());
    states
        .iter()
        .zip(equations)
        .map(|(state, equation)| {
            if state.discrete {
                return Expression {
                    kind: ExpressionKind::Number(0.0),
                    span: state.name.span.clone(),
                };
            }
            equation.unwrap_or_else(|| {
                let name = shorten(&state.name.text);
                if table_there && !mistyped.contains(&state.name.text.as_str()) {
                    let message = format!("the state `{name}` has no equation");
                    let span = Some(state.name.span.clone());
                    let diagnostic = reader.report(crate::diagnostic::Diagnostic::error(
                        "scenario::missing-equation",
                        message,
                        span,
                    ));
                    diagnostic.label = "has no equation".to_owned();
                    diagnostic.help = Some(format!(
                        "add `{name} = \"...\"`, its time derivative, to `[equations]`"
                    ));
                }
                nothing(&state.name)
            })
        })
        .collect()
}
