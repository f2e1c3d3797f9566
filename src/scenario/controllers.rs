//! `[controllers]`: blocks as named tables that expand into ordinary states, definitions, equations and events.
//!
//! A controller `speed` makes names that begin with `speed_` (`speed_error`, `speed_integral`, ...) and the name of its
//! output. `feedback.rs`, `pid.rs` and `rational.rs` say what a kind wants its output to be; `actuator.rs` puts it through
//! deadband, limits, quantization, rate limit and lag, and through a sampler where there is one. Everything after the reader
//! sees equations like any, so that `show` prints them and derivatives run through them.

mod actuator;
mod feedback;
mod known;
mod observer;
mod pid;
mod rational;
mod template;

use std::borrow::Cow;

use toml::de::DeValue;

use super::names;
use super::reader::Names;
use super::schema::controllers::{KINDS, SHARED};
use super::types::{Controller, Definition, Event, Name, Parameter, State};
use super::values::{Reader, Section, did_you_mean, in_order, list, shorten};
use crate::diagnostic::{Diagnostic, Span};
use crate::model::{Expression, ExpressionKind};
use template::{number, template};

/// What controllers add to a scenario.
#[derive(Default)]
pub(super) struct Made {
    pub controllers: Vec<Controller>,
    pub states: Vec<State>,
    /// of these states, in their order
    pub equations: Vec<Expression>,
    pub definitions: Vec<Definition>,
    pub events: Vec<Event>,
}

/// What of the scenario controllers need to know.
pub(super) struct Known<'k> {
    pub parameters: &'k [Parameter],
    /// the states of the file, those of `[mechanics]` among them
    pub states: &'k [State],
    /// of these states, in their order
    pub equations: &'k [Expression],
    pub definitions: &'k [Definition],
    /// whether `[mechanics]` or `[mass]` give the states' rates of change
    pub implicit: bool,
    /// names of the controllers that are observers
    pub observers: Vec<String>,
    pub start: f64,
    pub end: f64,
}

/// Names of the controllers that are observers.
pub(super) fn observers(top: &Section<'_, '_>) -> Vec<String> {
    let Some(DeValue::Table(all)) = top.get("controllers").map(|value| value.get_ref()) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    for (key, value) in in_order(all) {
        let DeValue::Table(entries) = value.get_ref() else {
            continue;
        };
        let kind = entries.iter().find(|(key, _)| key.get_ref() == "kind");
        if kind.is_some_and(|(_, kind)| kind.get_ref().as_str() == Some("observer")) {
            names.push(key.get_ref().to_string());
        }
    }
    names
}

/// Reads the table, where the file has it.
pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    known: &Known<'_>,
    names: &mut Names,
) -> Made {
    let mut made = Made::default();
    for (key, value) in reader.entries(top, "controllers") {
        let name = reader.name("a controller", key);
        let Some(section) = reader.section("controllers.*", &name.text, value) else {
            continue;
        };
        let Some(kind) = reader.choice(&section, "kind") else {
            continue;
        };
        if !belongs(reader, &section, kind) {
            continue;
        }
        let mut block = Block {
            controller: Controller {
                output: name.clone(),
                name,
                kind,
                command: None,
                states: Vec::new(),
                definitions: Vec::new(),
                regulator: None,
            },
            initial: Vec::new(),
            reader,
            section,
            known,
            names,
            made: &mut made,
        };
        if block.expand(kind).is_some() {
            let controller = block.finish();
            made.controllers.push(controller);
        }
    }
    made
}

/// Reports keys that a controller of this kind does not have.
fn belongs(reader: &mut Reader<'_>, section: &Section<'_, '_>, kind: &str) -> bool {
    let own = KINDS.iter().find(|(word, _)| *word == kind);
    let own = own.map_or(&[][..], |(_, keys)| keys);
    let mut all = true;
    for (key, _) in in_order(section.entries) {
        let name: &str = key.get_ref();
        if section.schema.key(name).is_none() || SHARED.contains(&name) || own.contains(&name) {
            continue;
        }
        all = false;
        let diagnostic = reader.error(
            "scenario::controller",
            format!("a controller of kind `{kind}` has no `{name}`"),
            key.span(),
        );
        diagnostic.label = format!("not of `{kind}`");
        diagnostic.help = Some(format!("its keys: {}", list(own.iter().copied())));
    }
    all
}

/// A controller being expanded.
struct Block<'b, 'r, 't, 'i> {
    controller: Controller,
    /// initial values given for its own states, by the part of their names behind the controller's
    initial: Vec<(Name, Expression)>,
    reader: &'b mut Reader<'r>,
    section: Section<'t, 'i>,
    known: &'b Known<'b>,
    names: &'b mut Names,
    made: &'b mut Made,
}

impl Block<'_, '_, '_, '_> {
    fn expand(&mut self, kind: &'static str) -> Option<()> {
        self.controller.output = self.output_name()?;
        if let Some(value) = self.section.get("initial") {
            let DeValue::Table(entries) = value.get_ref() else {
                self.reader
                    .wrong_type("initial", "a table of names and expressions", value);
                return None;
            };
            for (key, value) in in_order(entries) {
                let name = Name {
                    text: key.get_ref().to_string(),
                    span: self.reader.sources.span(key.span()),
                };
                let expression = self.reader.expression(&name.text, value);
                self.initial.push((name, expression));
            }
        }
        self.check_sampling()?;
        match kind {
            "pid" | "pi" => self.pid(kind),
            "lead-lag" => self.lead_lag(),
            "notch" => self.notch(),
            "transfer-function" => self.transfer_function(),
            "state-feedback" => self.state_feedback(),
            "lqr" => self.regulator(),
            "observer" => self.observer(),
            _ => {
                let expression = self.required("expression")?;
                self.actuate(&expression, &[])
            }
        }
    }

    /// The expanded controller; initial values of states that it does not have are reported.
    fn finish(mut self) -> Controller {
        for (name, _) in std::mem::take(&mut self.initial) {
            let own = self.controller.states.iter();
            let own: Vec<String> = own.map(|state| self.behind(state).to_owned()).collect();
            let own = || own.iter().map(String::as_str);
            let help = if own().next().is_none() {
                "leave `initial` out: the block has no state".to_owned()
            } else {
                did_you_mean(&name.text, own())
                    .unwrap_or_else(|| format!("states: {}", list(own())))
            };
            let message = format!(
                "`{}` has no state `{}`",
                self.controller.name.text,
                shorten(&name.text)
            );
            let diagnostic = Diagnostic::error("scenario::unknown-name", message, Some(name.span));
            let diagnostic = self.reader.report(diagnostic);
            diagnostic.label = "no such state of the block".to_owned();
            diagnostic.help = Some(help);
        }
        self.controller
    }

    /// The part of one of its names behind the controller's own; `output` for the output.
    fn behind<'n>(&self, name: &'n str) -> &'n str {
        if name == self.controller.output.text {
            return "output";
        }
        let own = self.controller.name.text.as_str();
        name.strip_prefix(own)
            .and_then(|rest| rest.strip_prefix('_'))
            .unwrap_or(name)
    }

    fn output_name(&mut self) -> Option<Name> {
        let value = self.section.get("output")?;
        let text = self.reader.text(&self.section, "output")?;
        if names::check(&text).is_err() {
            let key = toml::Spanned::new(value.span(), Cow::Owned(text));
            self.reader.name("an output", &key);
            return None;
        }
        Some(Name {
            text,
            span: self.reader.sources.span(value.span()),
        })
    }

    /// Where what it makes stands.
    fn span(&self) -> Span {
        self.controller.name.span.clone()
    }

    /// The name of a part: the controller's, `_`, and this.
    fn own(&self, part: &str) -> String {
        format!("{}_{part}", self.controller.name.text)
    }

    /// An expression from a text with some names bound; `_` before a name stands for the controller's: `_error` for `speed_error`.
    fn text(&self, text: &str, bound: &[(&str, &Expression)]) -> Expression {
        let span = self.span();
        let own: Vec<(String, Expression)> = text
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter_map(|word| {
                let part = word.strip_prefix('_')?;
                let kind = ExpressionKind::Name(self.own(part));
                let span = span.clone();
                Some((word.to_owned(), Expression { kind, span }))
            })
            .collect();
        let mut all: Vec<(&str, &Expression)> = bound.to_vec();
        all.extend(own.iter().map(|(name, own)| (name.as_str(), own)));
        template(text, &span, &all)
    }

    fn name_expression(&self, name: &str) -> Expression {
        Expression {
            kind: ExpressionKind::Name(name.to_owned()),
            span: self.span(),
        }
    }

    /// Declares a name that the controller makes.
    fn declare(&mut self, what: &'static str, text: String) -> Name {
        let is_output = text == self.controller.output.text;
        let span = if is_output {
            self.controller.output.span.clone()
        } else {
            self.span()
        };
        let name = Name { text, span };
        if let Some((other, first)) = self.names.declare(what, &name) {
            let (line, _) = first.span.file.line_column(first.span.start);
            let part = if is_output { "output" } else { "part" };
            let message = format!(
                "the controller `{}` has {} {part} `{}`, which is {other}",
                self.controller.name.text,
                if is_output { "an" } else { "a" },
                name.text
            );
            let span = Some(name.span.clone());
            let diagnostic = Diagnostic::error("scenario::duplicate-name", message, span);
            let diagnostic = self.reader.report(diagnostic);
            diagnostic.label = format!("`{}` is given in line {line}", name.text);
            diagnostic.help = Some(if is_output {
                "give it there or here: the output is made by the controller".to_owned()
            } else {
                "rename one of the two".to_owned()
            });
        }
        name
    }

    fn define(&mut self, name: String, expression: Expression) {
        let name = self.declare("a part of a controller", name);
        self.controller.definitions.push(name.text.clone());
        self.made.definitions.push(Definition {
            name,
            over: Vec::new(),
            expression,
        });
    }

    /// A state; `equation` is `None` for a discrete one.
    fn state(&mut self, name: String, equation: Option<Expression>) {
        let name = self.declare("a state of a controller", name);
        let part = self.behind(&name.text).to_owned();
        let given = self.initial.iter().position(|(own, _)| own.text == part);
        let initial = given.map_or_else(
            || number(0.0, &name.span),
            |place| self.initial.remove(place).1,
        );
        self.controller.states.push(name.text.clone());
        self.made.states.push(State {
            initial,
            discrete: equation.is_none(),
            unit: None,
            over: Vec::new(),
            name: name.clone(),
        });
        let zero = || number(0.0, &name.span);
        self.made.equations.push(equation.unwrap_or_else(zero));
    }

    fn optional(&mut self, key: &str) -> Option<Expression> {
        self.reader.expression_of(&self.section, key)
    }

    /// The expression of a key that this kind needs.
    fn required(&mut self, key: &str) -> Option<Expression> {
        let found = self.optional(key);
        if found.is_none() {
            self.missing(key);
        }
        found
    }

    /// Reports a key that this kind needs.
    fn missing(&mut self, key: &str) {
        if self.section.mistyped(key) {
            return;
        }
        let kind = self.controller.kind;
        let words = self.section.schema.key(key);
        let words = words.map_or_else(String::new, |key| key.kind.words());
        let diagnostic = self.reader.error(
            "scenario::missing",
            format!("a controller of kind `{kind}` needs `{key}`"),
            self.section.range(),
        );
        diagnostic.label = format!("`{key}` is missing");
        diagnostic.help = Some(format!("add `{key} = ...`: {words}"));
    }

    /// The expression of a key, or a number.
    fn or(&mut self, key: &str, default: f64) -> Expression {
        let span = self.span();
        self.optional(key).unwrap_or_else(|| number(default, &span))
    }

    /// The entries of a table of expressions, whose names must be among `known`.
    fn table(&mut self, key: &str, known: &[&str]) -> Option<Vec<(Name, Expression)>> {
        let Some(value) = self.section.get(key) else {
            return Some(Vec::new());
        };
        let DeValue::Table(entries) = value.get_ref() else {
            self.reader
                .wrong_type(key, "a table of names and expressions", value);
            return None;
        };
        let mut found = Vec::new();
        let mut wrong = false;
        for (entry, value) in in_order(entries) {
            let text: &str = entry.get_ref();
            let expression = self.reader.expression(text, value);
            if known.contains(&text) {
                let span = self.reader.sources.span(entry.span());
                let text = text.to_owned();
                found.push((Name { text, span }, expression));
                continue;
            }
            wrong = true;
            let diagnostic = self.reader.error(
                "scenario::unknown-name",
                format!("`{key}` of a controller has no `{}`", shorten(text)),
                entry.span(),
            );
            diagnostic.label = "unknown".to_owned();
            diagnostic.help = Some(
                did_you_mean(text, known.iter().copied())
                    .unwrap_or_else(|| format!("known: {}", list(known.iter().copied()))),
            );
        }
        (!wrong).then_some(found)
    }

    /// What an expression is worth at the file's values, where parameters alone decide it.
    fn value(&self, expression: &Expression) -> Option<f64> {
        known::value(expression, self.known.parameters)
    }

    /// Reports what is wrong with the value of a key.
    fn wrong(&mut self, key: &str, message: String, label: &str, help: String) {
        let range = self
            .section
            .get(key)
            .map_or_else(|| self.section.range(), |value| value.span());
        let diagnostic = self.reader.error("scenario::controller", message, range);
        diagnostic.label = label.to_owned();
        diagnostic.help = Some(help);
    }

    /// The value of a key that must be above zero, where it is known now.
    fn check_positive(&mut self, key: &str, expression: &Expression) -> Option<()> {
        match self.value(expression) {
            Some(value) if value <= 0.0 => {
                let message = format!("`{key}` of a controller is {value}; it must be above zero");
                self.wrong(
                    key,
                    message,
                    "not above zero",
                    format!("write a `{key}` above zero"),
                );
                None
            }
            _ => Some(()),
        }
    }
}
