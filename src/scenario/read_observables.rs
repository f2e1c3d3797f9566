//! `[observables]`: `y = "x"`, or `y = { expression, unit, noise = { model, sigma, ... }, loss }`.

use super::read_noise;
use super::reader::Names;
use super::types::{Name, Observable, State};
use super::values::{Reader, Section, Value};
use crate::model::{Expression, ExpressionKind};

pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    states: &[State],
    names: &Names,
) -> Vec<Observable> {
    if top.get("observables").is_none() {
        // an array is no single number that could be measured
        let numbers = states.iter().filter(|state| state.over.is_empty());
        return numbers.map(observe).collect();
    }
    // observables have a name space of their own: `hare = "hare"` is as good as any
    let mut own = Names::default();
    reader
        .named(top, "observables", "an observable", &mut own)
        .into_iter()
        .map(|(name, value)| observable(reader, name, value, names))
        .collect()
}

/// A state that observes itself.
fn observe(state: &State) -> Observable {
    Observable {
        name: state.name.clone(),
        expression: Expression {
            kind: ExpressionKind::Name(state.name.text.clone()),
            span: state.name.span.clone(),
        },
        unit: state.unit.clone(),
        noise: None,
        loss: None,
    }
}

fn observable(reader: &mut Reader<'_>, name: Name, value: &Value<'_>, names: &Names) -> Observable {
    let mut observable = Observable {
        expression: Expression {
            kind: ExpressionKind::Number(f64::NAN),
            span: name.span.clone(),
        },
        name,
        unit: None,
        noise: None,
        loss: None,
    };
    if !value.get_ref().is_table() {
        observable.expression = reader.expression(&observable.name.text, value);
        return observable;
    }
    let Some(section) = reader.section("observables.*", &observable.name.text, value) else {
        return observable;
    };
    if let Some(expression) = reader.expression_of(&section, "expression") {
        observable.expression = expression;
    }
    observable.unit = reader.text(&section, "unit");
    observable.noise = section
        .get("noise")
        .and_then(|value| reader.section("observables.*.noise", "noise", value))
        .and_then(|section| read_noise::noise(reader, &section, names));
    observable.loss = read_noise::loss(reader, &section);
    observable
}
