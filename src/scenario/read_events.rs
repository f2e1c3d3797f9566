//! `[[events]]`: each has one of `when`, `at` and `every`, and says what it sets.

use toml::de::DeValue;

use super::read_settings::unknown_state;
use super::reader::Names;
use super::types::{Direction, Event, EventTrigger, Name, State};
use super::values::{Reader, Section, in_order, shorten};
use crate::model::{Expression, ExpressionKind};

/// The keys that say when; an event has one of them.
const TRIGGERS: [&str; 3] = ["when", "at", "every"];

pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    start: f64,
    states: &[State],
    names: &Names,
) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for (index, section) in reader.list(top, "events").iter().enumerate() {
        let name = name(reader, section, index, &events);
        let trigger = trigger(reader, section, start);
        let terminal = reader.boolean(section, "terminal").unwrap_or(false);
        let set = set(reader, section, terminal, states, names);
        let only_if = reader.expression_of(section, "only_if");
        events.push(Event {
            name,
            // what is wrong with it was reported: nothing happens
            trigger: trigger.unwrap_or(EventTrigger::Times(Vec::new())),
            set,
            terminal,
            only_if,
        });
    }
    events
}

fn name(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    index: usize,
    before: &[Event],
) -> Name {
    let given = section.get("name").zip(reader.text(section, "name"));
    let (text, range) = match given {
        Some((value, text)) => (text, value.span()),
        None => (format!("event {}", index + 1), section.range()),
    };
    let problem = if text.trim().is_empty() {
        Some((
            "scenario::name",
            "an event's name is empty".to_owned(),
            "name it, or leave `name` out",
        ))
    } else if before.iter().any(|other| other.name.text == text) {
        Some((
            "scenario::duplicate-name",
            format!("two events are named `{}`", shorten(&text)),
            "rename one of the two",
        ))
    } else {
        None
    };
    if let Some((code, message, help)) = problem {
        let diagnostic = reader.error(code, message, range.clone());
        diagnostic.label = "not a name of its own".to_owned();
        diagnostic.help = Some(help.to_owned());
    }
    Name {
        text,
        span: reader.sources.span(range),
    }
}

fn trigger(reader: &mut Reader<'_>, section: &Section<'_, '_>, start: f64) -> Option<EventTrigger> {
    let given: Vec<&str> = in_order(section.entries)
        .into_iter()
        .map(|(key, _)| key.get_ref().as_ref())
        .filter(|key| TRIGGERS.contains(key))
        .collect();
    belongs(reader, section, "direction", "when", &given);
    belongs(reader, section, "first", "every", &given);
    if let [one, two, ..] = given[..] {
        let diagnostic = reader.error(
            "scenario::event",
            format!("an event has one of `when`, `at` and `every`, not both `{one}` and `{two}`"),
            section.get(two)?.span(),
        );
        diagnostic.label = format!("besides `{one}`");
        diagnostic.help = Some("remove one of the two, or write two events".to_owned());
    }
    let Some(&first) = given.first() else {
        if !TRIGGERS.iter().any(|key| section.mistyped(key)) {
            let diagnostic = reader.error(
                "scenario::missing",
                "an event needs `when`, `at` or `every`",
                section.range(),
            );
            diagnostic.label = "does not say when".to_owned();
            diagnostic.help = Some(
                "add `when = \"...\"`, which crosses zero then, or times such as `at = [1.0, 2.0]`"
                    .to_owned(),
            );
        }
        return None;
    };
    match first {
        "when" => Some(EventTrigger::Crossing {
            expression: reader.expression_of(section, "when")?,
            direction: match reader.choice(section, "direction") {
                Some("rising") => Direction::Rising,
                Some("falling") => Direction::Falling,
                _ => Direction::Both,
            },
        }),
        "at" => {
            let times = reader.expressions(section, "at");
            if let DeValue::Array(items) = section.get("at")?.get_ref()
                && items.is_empty()
            {
                let diagnostic = reader.error(
                    "scenario::empty",
                    "`at` holds no time",
                    section.get("at")?.span(),
                );
                diagnostic.label = "empty".to_owned();
                diagnostic.help = Some("write times, such as `at = [0.0, 12.0]`".to_owned());
            }
            Some(EventTrigger::Times(times))
        }
        _ => {
            let every = reader.expression_of(section, "every")?;
            if let ExpressionKind::Number(number) = every.kind
                && number <= 0.0
            {
                reader.positive(section, "every");
            }
            let first = reader
                .expression_of(section, "first")
                .unwrap_or(Expression {
                    kind: ExpressionKind::Number(start),
                    span: every.span.clone(),
                });
            Some(EventTrigger::Every { every, first })
        }
    }
}

/// Reports a key that means nothing without another.
fn belongs(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    key: &str,
    other: &str,
    given: &[&str],
) {
    if given.contains(&other) || section.mistyped(other) {
        return;
    }
    let Some((name, _)) = section.entries.get_key_value(key) else {
        return;
    };
    let diagnostic = reader.error(
        "scenario::event",
        format!("`{key}` of an event belongs to `{other}`, which this one does not have"),
        name.span(),
    );
    diagnostic.label = format!("without `{other}`");
    diagnostic.help = Some(format!("remove `{key}`, or write `{other} = ...`"));
}

fn set(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    terminal: bool,
    states: &[State],
    names: &Names,
) -> Vec<(Name, Expression)> {
    let example = || {
        let state = states.first().map_or("x", |state| state.name.text.as_str());
        format!("add `set = {{ {state} = \"...\" }}`, or `terminal = true` to end the run there")
    };
    let Some(value) = section.get("set") else {
        if !terminal && !section.mistyped("set") && !section.mistyped("terminal") {
            let diagnostic = reader.error(
                "scenario::missing",
                "an event that does not end the run needs `set`",
                section.range(),
            );
            diagnostic.label = "changes nothing".to_owned();
            diagnostic.help = Some(example());
        }
        return Vec::new();
    };
    let DeValue::Table(entries) = value.get_ref() else {
        reader.wrong_type("set", "a table of states and values", value);
        return Vec::new();
    };
    if entries.is_empty() && !terminal {
        let diagnostic = reader.error("scenario::empty", "`set` names no state", value.span());
        diagnostic.label = "empty".to_owned();
        diagnostic.help = Some(example());
    }
    let mut all = Vec::new();
    for (key, value) in in_order(entries) {
        let text: &str = key.get_ref();
        let expression = reader.expression(text, value);
        if states.iter().any(|state| state.name.text == text) {
            let name = Name {
                text: text.to_owned(),
                span: reader.sources.span(key.span()),
            };
            all.push((name, expression));
        } else {
            not_a_state(reader, states, names, key.span(), text);
        }
    }
    all
}

fn not_a_state(
    reader: &mut Reader<'_>,
    states: &[State],
    names: &Names,
    range: std::ops::Range<usize>,
    text: &str,
) {
    let Some(what) = names.what(text) else {
        unknown_state(reader, states, text, "`set`", range);
        return;
    };
    let diagnostic = reader.error(
        "scenario::event",
        format!("`set` changes `{text}`, which is {what}: events change states alone"),
        range,
    );
    diagnostic.label = "not a state".to_owned();
    diagnostic.help = Some(format!(
        "make it a state: `{text} = {{ initial = ..., discrete = true }}` in `[states]`"
    ));
}
