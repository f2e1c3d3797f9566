//! `[mechanics]`: energies, forces and constraints, and the states that its coordinates and velocities are.

use std::ops::Range;

use super::reader::Names;
use super::types::{Coordinate, MOST_COORDINATES, Mechanics, Name, State};
use super::values::{Reader, Section, Value, did_you_mean, list, shorten};
use crate::diagnostic::Span;
use crate::model::{Expression, ExpressionKind};

/// The table, where the file has it, and its states: the coordinates, then the velocities.
pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    names: &mut Names,
) -> Option<(Mechanics, Vec<State>)> {
    let value = top.get("mechanics")?;
    let section = reader.section("mechanics", "mechanics", value)?;
    let entries = reader.named(&section, "coordinates", "a coordinate", names);
    count(reader, &section, entries.len());
    if entries.is_empty() {
        // every name in the energies would be unknown
        return None;
    }
    let mut states: Vec<State> = entries
        .into_iter()
        .map(|(name, value)| state(reader, name, value))
        .collect();
    let coordinates: Vec<Name> = states.iter().map(|state| state.name.clone()).collect();
    let mut velocities: Vec<State> = coordinates
        .iter()
        .map(|name| velocity(reader, name, names))
        .collect();
    for (index, key, value) in by_coordinate(reader, &section, "velocities", &coordinates) {
        let given = state(
            reader,
            Name {
                text: key,
                span: velocities[index].name.span.clone(),
            },
            value,
        );
        velocities[index].initial = given.initial;
        velocities[index].unit = given.unit;
    }
    let mut forces: Vec<Option<Expression>> = vec![None; coordinates.len()];
    for (index, key, value) in by_coordinate(reader, &section, "forces", &coordinates) {
        forces[index] = Some(reader.expression(&key, value));
    }
    let place = reader.sources.span(section.range());
    let kinetic = reader
        .expression_of(&section, "kinetic")
        .unwrap_or_else(|| number(f64::NAN, &place));
    let mechanics = Mechanics {
        kinetic,
        potential: reader.expression_of(&section, "potential"),
        dissipation: reader.expression_of(&section, "dissipation"),
        constraints: reader.expressions(&section, "constraints"),
        project: reader.boolean(&section, "project").unwrap_or(false),
        coordinates: coordinates
            .into_iter()
            .zip(&velocities)
            .zip(forces)
            .map(|((name, velocity), force)| Coordinate {
                name,
                velocity: velocity.name.text.clone(),
                force,
            })
            .collect(),
        place,
    };
    states.extend(velocities);
    Some((mechanics, states))
}

/// What stands for the states' equations, as their right-hand sides are derived: the velocity for a coordinate, 0 for a velocity.
pub(super) fn equations(mechanics: &Mechanics) -> Vec<Expression> {
    let all = &mechanics.coordinates;
    let of_coordinate = all.iter().map(|coordinate| Expression {
        kind: ExpressionKind::Name(coordinate.velocity.clone()),
        span: coordinate.name.span.clone(),
    });
    let of_velocity = all
        .iter()
        .map(|coordinate| number(0.0, &coordinate.name.span));
    of_coordinate.chain(of_velocity).collect()
}

fn number(value: f64, span: &Span) -> Expression {
    Expression {
        kind: ExpressionKind::Number(value),
        span: span.clone(),
    }
}

/// Reports tables of no coordinate and of too many.
fn count(reader: &mut Reader<'_>, section: &Section<'_, '_>, count: usize) {
    let Some(value) = section
        .get("coordinates")
        .filter(|value| value.get_ref().is_table())
    else {
        return;
    };
    if count == 0 {
        let diagnostic = reader.error(
            "scenario::missing",
            "`[mechanics]` names no coordinate",
            value.span(),
        );
        diagnostic.label = "empty".to_owned();
        diagnostic.help = Some("write `coordinates = { theta = 0.0 }`".to_owned());
    } else if count > MOST_COORDINATES {
        let diagnostic = reader.error(
            "scenario::out-of-range",
            format!("`[mechanics]` has {count} coordinates; at most {MOST_COORDINATES} are offered, as the mass matrix is factored within the equations"),
            value.span(),
        );
        diagnostic.label = format!("{count} coordinates");
        diagnostic.help = Some("write larger systems as `[states]` and `[equations]`, with their mass matrix in `[mass]` where it is constant".to_owned());
    }
}

/// A coordinate, or the initial value of its velocity: `0.5`, or `{ initial, unit }`.
fn state(reader: &mut Reader<'_>, name: Name, value: &Value<'_>) -> State {
    let mut initial = number(f64::NAN, &name.span);
    let mut unit = None;
    if !value.get_ref().is_table() {
        initial = reader.expression(&name.text, value);
    } else if let Some(section) = reader.section("mechanics.coordinates.*", &name.text, value) {
        unit = reader.text(&section, "unit");
        initial = reader.expression_of(&section, "initial").unwrap_or(initial);
    }
    State {
        name,
        initial,
        discrete: false,
        unit,
        over: Vec::new(),
    }
}

/// The velocity of a coordinate as a state, 0 at the start; its name is declared.
fn velocity(reader: &mut Reader<'_>, coordinate: &Name, names: &mut Names) -> State {
    let name = Name {
        text: format!("{}_dot", coordinate.text),
        span: coordinate.span.clone(),
    };
    if let Some((other, first)) = names.declare("a velocity", &name) {
        let (line, _) = first.span.file.line_column(first.span.start);
        let diagnostic = reader.report(crate::diagnostic::Diagnostic::error(
            "scenario::duplicate-name",
            format!(
                "`{}`, the velocity of `{}`, names {other} too",
                shorten(&name.text),
                shorten(&coordinate.text)
            ),
            Some(name.span.clone()),
        ));
        diagnostic.label = format!("`{}` is {other} in line {line}", shorten(&name.text));
        diagnostic.help = Some("rename one of the two".to_owned());
    }
    State {
        initial: number(0.0, &name.span),
        name,
        discrete: false,
        unit: None,
        over: Vec::new(),
    }
}

/// The entries of a table by coordinate, with the index of each; others are reported.
fn by_coordinate<'t, 'i>(
    reader: &mut Reader<'_>,
    section: &Section<'t, 'i>,
    table: &str,
    coordinates: &[Name],
) -> Vec<(usize, String, &'t Value<'i>)> {
    let mut found = Vec::new();
    for (key, value) in reader.entries(section, table) {
        let text: &str = key.get_ref();
        match coordinates.iter().position(|name| name.text == text) {
            Some(index) => found.push((index, text.to_owned(), value)),
            None => unknown(reader, coordinates, table, text, key.span()),
        }
    }
    found
}

fn unknown(
    reader: &mut Reader<'_>,
    coordinates: &[Name],
    table: &str,
    text: &str,
    range: Range<usize>,
) {
    let known = || coordinates.iter().map(|name| name.text.as_str());
    let of_velocity = text
        .strip_suffix("_dot")
        .filter(|text| known().any(|name| name == *text));
    let help = of_velocity
        .map(|name| format!("name the coordinate: `{name}`"))
        .or_else(|| did_you_mean(text, known()))
        .unwrap_or_else(|| format!("coordinates: {}", list(known())));
    let diagnostic = reader.error(
        "scenario::unknown-name",
        format!(
            "`{table}` of `[mechanics]` names `{}`, which is no coordinate",
            shorten(text)
        ),
        range,
    );
    diagnostic.label = "no such coordinate".to_owned();
    diagnostic.help = Some(help);
}
