//! `[tune]`, `[[path]]`, `[[terminal]]`, and an end of the run that is to be found.

use toml::de::DeValue;

use super::read_parameters::bounds_of;
use super::read_settings::unknown_state;
use super::types::{
    Aggregate, Ensemble, Name, Parameter, Requirement, Spread, State, TuneSettings,
};
use super::values::{Reader, Section, Value, did_you_mean, in_order, list, shorten};
use crate::model::{Expression, ExpressionKind};

/// `end = { value = 2.0, bounds = [0.1, 10.0], tune = true }`.
pub(super) fn free_end(reader: &mut Reader<'_>, value: &Value<'_>) -> Parameter {
    let span = reader.sources.span(value.span());
    let name = Name {
        text: "time.end".to_owned(),
        span,
    };
    let mut end = Parameter::held(name, f64::NAN);
    let Some(section) = reader.section("scenario.time.end", "end", value) else {
        return end;
    };
    match reader.number(&section, "value") {
        Some(number) => end.value = number,
        None if section.get("value").is_none() => reader.missing(&section, "value"),
        None => {}
    }
    if let Some(bounds) = section.get("bounds") {
        bounds_of(reader, &mut end, bounds);
    }
    end.tune = reader.boolean(&section, "tune").unwrap_or(false);
    end
}

pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    parameters: &[Parameter],
    states: &[State],
) -> Option<TuneSettings> {
    let path = requirements(reader, top, "path");
    let terminal = requirements(reader, top, "terminal");
    let Some(value) = top.get("tune") else {
        for key in ["path", "terminal"] {
            if let Some(value) = top.get(key) {
                let diagnostic = reader.error(
                    "scenario::missing",
                    format!(
                        "`[[{key}]]` binds what `tune` finds, and the scenario has no `[tune]`"
                    ),
                    value.span(),
                );
                diagnostic.label = "nothing to be found".to_owned();
                diagnostic.help =
                    Some("add `[tune]` with `minimize = \"integral(x^2)\"`".to_owned());
            }
        }
        return None;
    };
    let section = reader.section("tune", "tune", value)?;
    let minimize = reader.expression_of(&section, "minimize");
    let mut constraints = Vec::new();
    if let Some(value) = section.get("constraints") {
        match value.get_ref() {
            DeValue::Array(items) => {
                for item in items {
                    if let Some(own) = reader.section("tune.constraints", "a constraint", item)
                        && let Some(constraint) = requirement(reader, &own)
                    {
                        constraints.push(constraint);
                    }
                }
            }
            _ => reader.wrong_type("constraints", "an array of tables", value),
        }
    }
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let max_iterations = reader
        .whole(&section, "max_iterations", 1)
        .map_or(300, whole);
    let tolerance = reader.positive(&section, "tolerance").unwrap_or(1e-8);
    let starts = reader.whole(&section, "starts", 1).map(whole);
    let seed = reader.whole(&section, "seed", 0).unwrap_or(1);
    let ensemble = section.get("ensemble").and_then(|value| {
        let section = reader.section("tune.ensemble", "ensemble", value)?;
        ensemble(reader, &section, parameters)
    });
    let multiple_shooting = reader.whole(&section, "multiple_shooting", 1).map(whole);
    let guess = guess(reader, &section, states);
    if !guess.is_empty() && multiple_shooting.is_none() {
        let diagnostic = reader.error(
            "scenario::contradiction",
            "`guess` is of the states where `multiple_shooting` cuts a run, and it cuts none",
            section.get("guess").map_or(section.range(), |v| v.span()),
        );
        diagnostic.label = "nothing to begin with".to_owned();
        diagnostic.help = Some("add `multiple_shooting = 10` to `[tune]`".to_owned());
    }
    if !parameters.iter().any(|p| p.tune) {
        let diagnostic = reader.error(
            "scenario::missing",
            "`[tune]` has nothing to find",
            value.span(),
        );
        diagnostic.label = "no parameter has `tune = true`".to_owned();
        diagnostic.help = Some(
            "mark parameters with `tune = true`, controls with `optimize = true`, or let the end be free"
                .to_owned(),
        );
    }
    Some(TuneSettings {
        minimize: minimize?,
        constraints,
        path,
        terminal,
        max_iterations,
        tolerance,
        starts,
        seed,
        ensemble,
        multiple_shooting,
        guess,
    })
}

/// `guess = { angle = "pi*t/2" }`.
fn guess(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    states: &[State],
) -> Vec<(Name, Expression)> {
    let Some(value) = section.get("guess") else {
        return Vec::new();
    };
    let Some(entries) = value.get_ref().as_table() else {
        reader.wrong_type("guess", "a table of states and expressions", value);
        return Vec::new();
    };
    let mut all = Vec::new();
    for (key, value) in in_order(entries) {
        let text: &str = key.get_ref();
        let known = states.iter().find(|state| state.name.text == text);
        match known {
            None => unknown_state(reader, states, text, "`guess`", key.span()),
            Some(state) if state.discrete => {
                let diagnostic = reader.error(
                    "scenario::contradiction",
                    format!("`{text}` is discrete: events alone change it"),
                    key.span(),
                );
                diagnostic.label = "not found at the cuts".to_owned();
                diagnostic.help = Some("leave it out".to_owned());
            }
            Some(state) => all.push((state.name.clone(), reader.expression(text, value))),
        }
    }
    all
}

fn requirements(reader: &mut Reader<'_>, top: &Section<'_, '_>, table: &str) -> Vec<Requirement> {
    let sections = reader.list(top, table);
    sections
        .iter()
        .filter_map(|section| requirement(reader, section))
        .collect()
}

/// An expression with `equals`, `bounds`, or `min` and `max`.
fn requirement(reader: &mut Reader<'_>, section: &Section<'_, '_>) -> Option<Requirement> {
    let expression = reader.expression_of(section, "expression");
    let mut bounds = [f64::NEG_INFINITY, f64::INFINITY];
    let known = |key: &str| section.schema.key(key).is_some();
    let number = |reader: &mut Reader<'_>, key: &str| match known(key) {
        true => reader.number(section, key),
        false => None,
    };
    let (min, max) = (number(reader, "min"), number(reader, "max"));
    let equals = number(reader, "equals");
    let interval = section.get("bounds").filter(|_| known("bounds"));
    let given = [
        section.get("equals").is_some(),
        interval.is_some(),
        section.get("min").is_some() || section.get("max").is_some(),
    ];
    let kinds = given.iter().filter(|given| **given).count();
    let words = match (known("equals"), known("min")) {
        (true, true) => "`min`, `max` or `equals`",
        (true, false) => "`equals` or `bounds`",
        _ => "`bounds`",
    };
    if kinds != 1 {
        let message = match kinds {
            0 => format!("{} has no bound", section.schema.words),
            _ => format!("{} has bounds and `equals`", section.schema.words),
        };
        let diagnostic = reader.error("scenario::missing", message, section.range());
        diagnostic.label = "what must it be?".to_owned();
        diagnostic.help = Some(format!("give it {words}"));
        return None;
    }
    if let Some(value) = interval {
        let name = Name {
            text: section.schema.words.to_owned(),
            span: reader.sources.span(value.span()),
        };
        let mut own = Parameter {
            bounds,
            ..Parameter::held(name, 0.0)
        };
        bounds_of(reader, &mut own, value);
        bounds = own.bounds;
    }
    if let Some(equals) = equals {
        bounds = [equals; 2];
    }
    bounds[0] = min.unwrap_or(bounds[0]);
    bounds[1] = max.unwrap_or(bounds[1]);
    if bounds[0] > bounds[1] {
        let [low, high] = bounds;
        let diagnostic = reader.error(
            "scenario::bounds",
            format!("the lowest value, {low}, is above the highest, {high}"),
            section.range(),
        );
        diagnostic.label = "min above max".to_owned();
        diagnostic.help = Some("swap them".to_owned());
        return None;
    }
    Some(Requirement {
        expression: expression?,
        bounds,
    })
}

fn ensemble(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    parameters: &[Parameter],
) -> Option<Ensemble> {
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let samples = reader.whole(section, "samples", 1).map_or(16, whole);
    let seed = reader.whole(section, "seed", 0).unwrap_or(1);
    let aggregate = aggregate(reader, section);
    let together = super::read_from_fit::together(reader, section, parameters);
    let mut vary = Vec::new();
    let value = section.get("vary");
    if value.is_none() && section.get("from_fit").is_none() {
        let diagnostic = reader.error(
            "scenario::missing",
            "an ensemble needs `vary` or `from_fit`",
            section.range(),
        );
        diagnostic.label = "no plant differs from another".to_owned();
        diagnostic.help = Some(
            "add `vary = { mass = { distribution = \"uniform\", low = 0.8, high = 1.2 } }`, or `from_fit = \"runs/...\"`"
                .to_owned(),
        );
        return None;
    }
    let entries = match value.map(|value| (value, value.get_ref().as_table())) {
        None => Vec::new(),
        Some((_, Some(entries))) => in_order(entries),
        Some((value, None)) => {
            reader.wrong_type("vary", "a table of parameters", value);
            return None;
        }
    };
    for (key, value) in entries {
        let name = key.get_ref().to_string();
        let Some(index) = parameters.iter().position(|p| p.name.text == name) else {
            let known = || parameters.iter().map(|p| p.name.text.as_str());
            let help = did_you_mean(&name, known())
                .unwrap_or_else(|| format!("parameters: {}", list(known())));
            let diagnostic = reader.error(
                "scenario::unknown-name",
                format!("`vary` names `{}`, which is no parameter", shorten(&name)),
                key.span(),
            );
            diagnostic.label = "no such parameter".to_owned();
            diagnostic.help = Some(help);
            continue;
        };
        if (together.iter()).any(|together| together.parameters.contains(&index)) {
            let diagnostic = reader.error(
                "scenario::contradiction",
                format!(
                    "`{}` varies as the fit knows it, and by `vary`",
                    shorten(&name)
                ),
                key.span(),
            );
            diagnostic.label = "is one of `from_fit`".to_owned();
            diagnostic.help = Some("keep one of the two".to_owned());
            continue;
        }
        if parameters[index].tune {
            let diagnostic = reader.error(
                "scenario::contradiction",
                format!("`{}` is found by `tune` and cannot vary", shorten(&name)),
                key.span(),
            );
            diagnostic.label = "has `tune = true`".to_owned();
            diagnostic.help = Some("keep one of the two".to_owned());
            continue;
        }
        if let Some(own) = reader.section("tune.ensemble.vary.*", &name, value)
            && let Some(spread) = spread(reader, &own)
        {
            vary.push((index, spread));
        }
    }
    Some(Ensemble {
        samples,
        seed,
        vary,
        together,
        aggregate: aggregate?,
    })
}

fn aggregate(reader: &mut Reader<'_>, section: &Section<'_, '_>) -> Option<Aggregate> {
    let Some(value) = section.get("aggregate") else {
        return Some(Aggregate::Mean);
    };
    let text = reader.text(section, "aggregate")?;
    let level = text
        .trim()
        .strip_prefix("cvar(")
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|number| number.trim().parse::<f64>().ok())
        .filter(|level| (0.0..1.0).contains(level));
    match (text.trim(), level) {
        ("mean", _) => Some(Aggregate::Mean),
        ("worst", _) => Some(Aggregate::Worst),
        (_, Some(level)) => Some(Aggregate::Cvar(level)),
        _ => {
            let diagnostic = reader.error(
                "scenario::unknown-word",
                format!("`{}` is no `aggregate`", shorten(&text)),
                value.span(),
            );
            diagnostic.label = "unknown word".to_owned();
            diagnostic.help =
                Some("one of `mean`, `worst`, `cvar(0.9)`, the level between 0 and 1".to_owned());
            None
        }
    }
}

fn spread(reader: &mut Reader<'_>, section: &Section<'_, '_>) -> Option<Spread> {
    let needed: &[&str] = match reader.choice(section, "distribution")? {
        "uniform" => &["low", "high"],
        "list" => &["values"],
        _ => &["location", "scale"],
    };
    let mut complete = true;
    for key in needed {
        if section.get(key).is_none() {
            reader.missing(section, key);
            complete = false;
        }
    }
    if !complete {
        return None;
    }
    Some(match reader.choice(section, "distribution")? {
        "uniform" => {
            let (low, high) = (
                reader.number(section, "low")?,
                reader.number(section, "high")?,
            );
            if low >= high {
                let diagnostic = reader.error(
                    "scenario::bounds",
                    format!("the low end, {low}, is not below the high end, {high}"),
                    section.range(),
                );
                diagnostic.label = "no room".to_owned();
                diagnostic.help = Some("swap them".to_owned());
                return None;
            }
            Spread::Uniform { low, high }
        }
        "list" => {
            let all = reader.expressions(section, "values");
            let number = |expression: &Expression| match &expression.kind {
                ExpressionKind::Number(number) => Some(*number),
                _ => None,
            };
            let values: Option<Vec<f64>> = all.iter().map(number).collect();
            match values {
                Some(values) if !values.is_empty() => Spread::List(values),
                _ => {
                    let value = section.get("values")?;
                    reader.wrong_type("values", "an array of numbers", value);
                    return None;
                }
            }
        }
        word => {
            let location = reader.number(section, "location")?;
            let scale = reader.positive(section, "scale")?;
            match word {
                "normal" => Spread::Normal { location, scale },
                _ => Spread::LogNormal { location, scale },
            }
        }
    })
}
