//! A [`System`] as the text of a scenario and its data files.

use std::fmt::Write as _;

use super::system::{DataFile, Event, Experiment, Observable, Parameter, State, System, Trigger};
use crate::model::{Expression, ExpressionKind};

/// Widest line of a comment.
const WIDTH: usize = 100;
/// Longest remark behind an entry; a longer one stands above.
const LONGEST_REMARK: usize = 60;
/// Longest inline table of an experiment.
const LONGEST_LINE: usize = 120;

/// The scenario's text.
pub fn scenario(system: &System) -> String {
    let mut text = String::new();
    for paragraph in &system.header {
        comment(&mut text, paragraph);
    }
    if !system.renamed.is_empty() {
        let names: Vec<String> = system
            .renamed
            .iter()
            .map(|(was, is)| format!("{was} is {is}"))
            .collect();
        comment(
            &mut text,
            &format!("Names that had to be changed: {}.", names.join(", ")),
        );
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "[scenario]\ntitle = {}",
        quoted(&one_line(&system.title))
    );
    let unit = unit(system.time_unit.as_deref());
    let [start, end] = system.time.map(float);
    let _ = write!(text, "time = {{ start = {start}, end = {end}{unit} }}");
    remark(&mut text, &system.time_comment);
    parameters(&mut text, &system.parameters);
    states(&mut text, &system.states);
    if !system.functions.is_empty() {
        text += "\n[functions]\n";
        for function in &system.functions {
            above(&mut text, &function.comment);
            let arguments: Vec<String> = function.arguments.iter().map(|a| quoted(a)).collect();
            let _ = write!(
                text,
                "{} = {{ arguments = [{}], expression = {} }}",
                function.name,
                arguments.join(", "),
                quoted(&function.body.to_string())
            );
            behind(&mut text, &function.comment);
        }
    }
    if !system.definitions.is_empty() {
        text += "\n[definitions]\n";
        let width = width(system.definitions.iter().map(|d| d.name.as_str()));
        for definition in &system.definitions {
            above(&mut text, &definition.comment);
            let value = expression(&definition.expression);
            let _ = write!(text, "{:width$} = {value}", definition.name);
            behind(&mut text, &definition.comment);
        }
    }
    text += "\n[equations]\n";
    let moving: Vec<(&State, &Expression)> = system
        .states
        .iter()
        .filter_map(|state| Some((state, state.rate.as_ref()?)))
        .collect();
    let wide = width(moving.iter().map(|(state, _)| state.name.as_str()));
    for (state, rate) in moving {
        let _ = writeln!(text, "{:wide$} = {}", state.name, expression(rate));
    }
    for event in &system.events {
        self::event(&mut text, event);
    }
    observables(&mut text, &system.observables);
    text += "\n[solver]\nmethod = \"auto\"\nrtol = 1e-8\natol = 1e-10\n";
    if system.parameters.iter().any(|parameter| parameter.fit) {
        text += "\n[fit]\nstarts = 10\nseed = 1\n";
    }
    for experiment in &system.experiments {
        self::experiment(&mut text, experiment);
    }
    text
}

fn parameters(text: &mut String, parameters: &[Parameter]) {
    if parameters.is_empty() {
        return;
    }
    *text += "\n[parameters]\n";
    let width = width(parameters.iter().map(|p| p.name.as_str()));
    for parameter in parameters {
        above(text, &parameter.comment);
        let value = float(parameter.value);
        let mut keys = format!("value = {value}");
        if let Some([low, high]) = parameter.bounds {
            let _ = write!(keys, ", bounds = [{}, {}]", float(low), float(high));
        }
        if let Some(scale) = parameter.scale {
            let _ = write!(keys, ", scale = {}", quoted(scale));
        }
        if parameter.fit {
            keys += ", fit = true";
        }
        if let Some(prior) = &parameter.prior {
            let [first, second] = prior.numbers.map(float);
            let [a, b] = match prior.distribution {
                "uniform" => ["low", "high"],
                _ => ["location", "scale"],
            };
            let scaled = if prior.scaled { ", scaled = true" } else { "" };
            let _ = write!(
                keys,
                ", prior = {{ distribution = {}, {a} = {first}, {b} = {second}{scaled} }}",
                quoted(prior.distribution)
            );
        }
        keys += &unit(parameter.unit.as_deref());
        if keys.contains(',') {
            let _ = write!(text, "{:width$} = {{ {keys} }}", parameter.name);
        } else {
            let _ = write!(text, "{:width$} = {value}", parameter.name);
        }
        behind(text, &parameter.comment);
    }
}

fn states(text: &mut String, states: &[State]) {
    *text += "\n[states]\n";
    let width = width(states.iter().map(|state| state.name.as_str()));
    for state in states {
        above(text, &state.comment);
        let initial = expression(&state.initial);
        let discrete = if state.rate.is_none() {
            ", discrete = true"
        } else {
            ""
        };
        let unit = unit(state.unit.as_deref());
        if discrete.is_empty() && unit.is_empty() {
            let _ = write!(text, "{:width$} = {initial}", state.name);
        } else {
            let _ = write!(
                text,
                "{:width$} = {{ initial = {initial}{discrete}{unit} }}",
                state.name
            );
        }
        behind(text, &state.comment);
    }
}

fn event(text: &mut String, event: &Event) {
    *text += "\n[[events]]\n";
    comment(text, &event.comment);
    let _ = writeln!(text, "name = {}", quoted(&one_line(&event.name)));
    match &event.trigger {
        Trigger::Crossing { when, rising } => {
            let direction = if *rising { "rising" } else { "falling" };
            let _ = writeln!(
                text,
                "when = {}\ndirection = {}",
                quoted(&when.to_string()),
                quoted(direction)
            );
        }
        Trigger::At(time) => {
            let _ = writeln!(text, "at = [{}]", expression(time));
        }
    }
    if let Some(guard) = &event.only_if {
        let _ = writeln!(text, "only_if = {}", quoted(&guard.to_string()));
    }
    let _ = writeln!(text, "set = {}", table(&event.sets));
}

fn observables(text: &mut String, observables: &[Observable]) {
    if observables.is_empty() {
        return;
    }
    *text += "\n[observables]\n";
    let width = width(observables.iter().map(|o| o.name.as_str()));
    for observable in observables {
        above(text, &observable.comment);
        let value = quoted(&observable.expression.to_string());
        match &observable.noise {
            Some((model, sigma)) => {
                let _ = write!(
                    text,
                    "{:width$} = {{ expression = {value}, noise = {{ model = {}, sigma = {} }} }}",
                    observable.name,
                    quoted(model),
                    expression(sigma)
                );
            }
            None => {
                let _ = write!(text, "{:width$} = {value}", observable.name);
            }
        }
        behind(text, &observable.comment);
    }
}

fn experiment(text: &mut String, experiment: &Experiment) {
    *text += "\n[[experiments]]\n";
    let _ = write!(text, "name = {}", quoted(&one_line(&experiment.name)));
    remark(text, &experiment.comment);
    if !experiment.parameters.is_empty() {
        let _ = writeln!(text, "parameters = {}", table(&experiment.parameters));
    }
    if !experiment.initial.is_empty() {
        let _ = writeln!(text, "initial = {}", table(&experiment.initial));
    }
    if let Some(before) = &experiment.before {
        *text += "steady_state_before = true\n";
        if !before.is_empty() {
            let _ = writeln!(text, "before_parameters = {}", table(before));
        }
    }
    if let Some(file) = &experiment.data {
        let _ = writeln!(text, "data = {{ file = {} }}", quoted(file));
    }
}

/// An inline table; in lines of its own where it is long.
fn table(entries: &[(String, Expression)]) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|(name, value)| format!("{name} = {}", expression(value)))
        .collect();
    let line = format!("{{ {} }}", entries.join(", "));
    if line.len() <= LONGEST_LINE {
        return line;
    }
    let mut text = "{".to_owned();
    for entry in entries {
        let _ = write!(text, "\n    {entry},");
    }
    text + "\n}"
}

/// A data file's text.
pub fn data(file: &DataFile) -> String {
    let mut text = file.columns.join(",") + "\n";
    for row in &file.rows {
        let cells: Vec<String> = row
            .iter()
            .map(|cell| cell.map_or_else(String::new, plain))
            .collect();
        text += &cells.join(",");
        text.push('\n');
    }
    text
}

/// A number as it is written in data: the shortest text that reads as it.
fn plain(value: f64) -> String {
    let text = float(value);
    match text.strip_suffix(".0") {
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// A number as TOML writes one with a point.
pub fn float(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    format!("{value:?}")
}

/// A number, or an expression in quotes.
fn expression(e: &Expression) -> String {
    match &e.kind {
        ExpressionKind::Number(value) => float(*value),
        ExpressionKind::Negate(inner) => match inner.kind {
            ExpressionKind::Number(value) => float(-value),
            _ => quoted(&e.to_string()),
        },
        _ => quoted(&e.to_string()),
    }
}

/// Text as TOML writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted += "\\\"",
            '\\' => quoted += "\\\\",
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Text on one line, single blanks between its words.
fn one_line(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unit(unit: Option<&str>) -> String {
    unit.map_or_else(String::new, |unit| format!(", unit = {}", quoted(unit)))
}

fn width<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(str::len).max().unwrap_or(0).min(24)
}

/// A comment behind an entry, which ends its line.
fn remark(text: &mut String, words: &str) {
    let words = one_line(words);
    if !words.is_empty() {
        let _ = write!(text, "   # {words}");
    }
    text.push('\n');
}

/// A short comment behind an entry.
fn behind(text: &mut String, words: &str) {
    let short = one_line(words).chars().count() <= LONGEST_REMARK;
    remark(text, if short { words } else { "" });
}

/// A long comment above an entry.
fn above(text: &mut String, words: &str) {
    if one_line(words).chars().count() > LONGEST_REMARK {
        comment(text, words);
    }
}

/// A paragraph as comment lines.
fn comment(text: &mut String, paragraph: &str) {
    let mut line = String::new();
    for word in one_line(paragraph)
        .split(' ')
        .filter(|word| !word.is_empty())
    {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "# {line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    if !line.is_empty() {
        let _ = writeln!(text, "# {line}");
    }
}
