//! `[mass]`, rows of the mass matrix by state, `[invariants]` and `[history]`.

use toml::de::DeValue;

use super::read_settings::unknown_state;
use super::reader::Names;
use super::types::{Invariant, MassRow, Name, State};
use super::values::{KeyText, Reader, Section, in_order};
use crate::model::Expression;

/// The rows that the file gives, where it has the table.
pub(super) fn mass(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    states: &[State],
) -> Option<Vec<MassRow>> {
    top.get("mass")?;
    let mut rows = Vec::new();
    for (key, value) in reader.entries(top, "mass") {
        let state = continuous(
            reader,
            states,
            key,
            "has no row in `[mass]`",
            "remove the row: a discrete state has no equation",
        );
        let DeValue::Table(entries) = value.get_ref() else {
            let expected = "a table of coefficients by state, such as `{ x = 1.0 }`";
            reader.wrong_type(key.get_ref(), expected, value);
            continue;
        };
        let mut coefficients = Vec::new();
        for (column, value) in in_order(entries) {
            let coefficient = reader.expression(column.get_ref(), value);
            let name = continuous(
                reader,
                states,
                column,
                "has no derivative that a row of `[mass]` could use",
                "remove the coefficient: events alone change a discrete state",
            );
            if let Some(name) = name {
                coefficients.push((name, coefficient));
            }
        }
        if let Some(state) = state {
            rows.push(MassRow {
                state,
                coefficients,
            });
        }
    }
    Some(rows)
}

/// The name of a state that has an equation; else what is wrong is reported, of a discrete one in the given words.
fn continuous(
    reader: &mut Reader<'_>,
    states: &[State],
    key: &KeyText<'_>,
    discrete: &str,
    help: &str,
) -> Option<Name> {
    let text: &str = key.get_ref();
    let Some(state) = states.iter().find(|state| state.name.text == text) else {
        unknown_state(reader, states, text, "`[mass]`", key.span());
        return None;
    };
    if state.discrete {
        let diagnostic = reader.error(
            "scenario::discrete",
            format!("the discrete state `{text}` {discrete}"),
            key.span(),
        );
        diagnostic.label = "discrete".to_owned();
        diagnostic.help = Some(help.to_owned());
        return None;
    }
    Some(Name {
        text: text.to_owned(),
        span: reader.sources.span(key.span()),
    })
}

/// Named expressions; as observables, they have a name space of their own.
pub(super) fn invariants(reader: &mut Reader<'_>, top: &Section<'_, '_>) -> Vec<Invariant> {
    let mut own = Names::default();
    reader
        .named(top, "invariants", "an invariant", &mut own)
        .into_iter()
        .map(|(name, value)| Invariant {
            expression: reader.expression(&name.text, value),
            name,
        })
        .collect()
}

/// States before the start, by name.
pub(super) fn history(reader: &mut Reader<'_>, top: &Section<'_, '_>) -> Vec<(Name, Expression)> {
    let mut own = Names::default();
    reader
        .named(top, "history", "a state before the start", &mut own)
        .into_iter()
        .map(|(name, value)| {
            let value = reader.expression(&name.text, value);
            (name, value)
        })
        .collect()
}
