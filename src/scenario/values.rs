//! Reading values with their places: every getter gives what was asked for, or reports what was expected, what was
//! found and where.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::names::{self, NotAName};
use super::schema::{self, Kind, REQUIRED, Table};
use super::source::Sources;
use super::types::Name;
use crate::diagnostic::{Diagnostic, SourceFile, Span, nearest};
use crate::model::{Expression, ExpressionKind, parser};

pub(super) type Value<'i> = Spanned<DeValue<'i>>;
pub(super) type KeyText<'i> = Spanned<toml::de::DeString<'i>>;

/// What the reader of every table shares.
pub(super) struct Reader<'a> {
    pub sources: &'a Sources,
    pub base: &'a Path,
    pub diagnostics: Vec<Diagnostic>,
    /// data files already read
    pub files: BTreeMap<PathBuf, Arc<SourceFile>>,
}

/// A table with the schema's table it must follow.
#[derive(Clone, Copy)]
pub(super) struct Section<'t, 'i> {
    pub schema: &'static Table,
    pub entries: &'t DeTable<'i>,
    /// where it stands
    pub start: usize,
    pub end: usize,
}

impl<'t, 'i> Section<'t, 'i> {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&'t Value<'i>> {
        self.entries.get(key)
    }
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
    /// Whether a key that is not known is near enough to be this one.
    pub fn mistyped(&self, key: &str) -> bool {
        self.entries.keys().any(|other| {
            self.schema.key(other.get_ref()).is_none() && nearest(other.get_ref(), [key]).is_some()
        })
    }
}

/// A table's entries in the order of the file.
pub(super) fn in_order<'t, 'i>(entries: &'t DeTable<'i>) -> Vec<(&'t KeyText<'i>, &'t Value<'i>)> {
    let mut all: Vec<_> = entries.iter().collect();
    all.sort_by_key(|(key, _)| key.span().start);
    all
}

/// What the user wrote, short enough for a message.
pub(super) fn shorten(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(60)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(60).is_some() {
        shown.push_str("...");
    }
    shown
}

/// A value's type in words.
pub(super) fn found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// The nearest of some names, as a question.
pub(super) fn did_you_mean<'n>(
    name: &str,
    candidates: impl IntoIterator<Item = &'n str>,
) -> Option<String> {
    let near = nearest(name, candidates)?;
    // for names of one letter any other is one edit away, which means nothing
    let shares_a_letter = near
        .chars()
        .any(|c| name.chars().any(|other| other.eq_ignore_ascii_case(&c)));
    shares_a_letter.then(|| format!("did you mean `{near}`?"))
}

/// Names listed in backticks, at most twelve.
pub(super) fn list<'n>(candidates: impl IntoIterator<Item = &'n str>) -> String {
    let all: Vec<&str> = candidates.into_iter().collect();
    let mut shown: Vec<String> = all
        .iter()
        .take(12)
        .map(|name| format!("`{}`", shorten(name)))
        .collect();
    if all.len() > 12 {
        shown.push(format!("and {} more", all.len() - 12));
    }
    shown.join(", ")
}

impl Reader<'_> {
    /// Reports an error; the label and the help can be set on what it gives.
    pub fn error(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        range: Range<usize>,
    ) -> &mut Diagnostic {
        let span = self.sources.span(range);
        self.report(Diagnostic::error(code, message, Some(span)))
    }

    pub fn report(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        self.diagnostics.push(diagnostic);
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    /// Reports a key that is missing from a table.
    pub fn missing(&mut self, section: &Section<'_, '_>, key: &str) {
        let expected = section
            .schema
            .key(key)
            .map_or_else(String::new, |key| key.kind.words());
        let example = match key {
            "time" if section.schema.path == "scenario" => {
                "write `time = { start = 0.0, end = 10.0 }`".to_owned()
            }
            _ => format!("add `{key} = ...`: {expected}"),
        };
        let words = section.schema.words;
        let diagnostic = self.error(
            "scenario::missing",
            format!("{words} needs `{key}`"),
            section.range(),
        );
        diagnostic.label = format!("`{key}` is missing");
        diagnostic.help = Some(example);
    }

    /// Reports a value of the wrong type.
    pub fn wrong_type(&mut self, what: &str, expected: &str, value: &Value<'_>) {
        let found = found(value.get_ref());
        let mut help = format!("expected {expected}");
        if let DeValue::String(text) = value.get_ref() {
            if expected.contains("number") && text.trim().parse::<f64>().is_ok() {
                help = format!("remove the quotes: `{}`", shorten(text.trim()));
            } else if expected.contains("true or false") && matches!(text.trim(), "true" | "false")
            {
                help = format!("remove the quotes: `{}`", text.trim());
            }
        }
        let diagnostic = self.error(
            "scenario::wrong-type",
            format!("`{}` must be {expected}, not {found}", shorten(what)),
            value.span(),
        );
        diagnostic.label = found.to_owned();
        diagnostic.help = Some(help);
    }

    /// A table that must follow the schema's table `path`; its unknown keys are reported.
    pub fn section<'t, 'i>(
        &mut self,
        path: &str,
        what: &str,
        value: &'t Value<'i>,
    ) -> Option<Section<'t, 'i>> {
        let section = self.section_unchecked(path, what, value)?;
        self.check_keys(&section, &[]);
        Some(section)
    }

    /// The same without a look at its keys.
    pub fn section_unchecked<'t, 'i>(
        &mut self,
        path: &str,
        what: &str,
        value: &'t Value<'i>,
    ) -> Option<Section<'t, 'i>> {
        let schema = schema::table(path)?;
        let Some(entries) = value.get_ref().as_table() else {
            self.wrong_type(what, "a table", value);
            return None;
        };
        let range = value.span();
        Some(Section {
            schema,
            entries,
            start: range.start,
            end: range.end,
        })
    }

    /// Reports keys that neither the section's table nor `also` has, and required ones absent.
    pub fn check_keys(&mut self, section: &Section<'_, '_>, also: &[&'static Table]) {
        let tables: Vec<&Table> = std::iter::once(section.schema)
            .chain(also.iter().copied())
            .collect();
        for (key, _) in in_order(section.entries) {
            let name: &str = key.get_ref();
            let known = tables.iter().find_map(|table| table.key(name));
            if known.is_none() {
                self.unknown_key(name, key.span(), &tables);
            }
        }
        if section.schema.path.is_empty() {
            return;
        }
        for table in std::iter::once(section.schema).chain(also.iter().copied()) {
            let of_table = Section {
                schema: table,
                ..*section
            };
            for key in table.keys.iter().filter(|key| key.default == REQUIRED) {
                if !section.entries.contains_key(key.name) && !section.mistyped(key.name) {
                    self.missing(&of_table, key.name);
                }
            }
        }
    }

    fn unknown_key(&mut self, name: &str, range: Range<usize>, tables: &[&Table]) {
        let keys = || {
            tables
                .iter()
                .flat_map(|table| table.keys)
                .map(|key| key.name)
        };
        let top = tables[0].path.is_empty();
        let help = did_you_mean(name, keys())
            .or_else(|| {
                schema::TABLES
                    .iter()
                    .filter(|table| !table.path.contains(['*', '.']) && !table.path.is_empty())
                    .find(|table| table.key(name).is_some())
                    .map(|table| format!("`{name}` is a key of {}", table.words))
            })
            .unwrap_or_else(|| {
                let sort = if top { "tables" } else { "keys" };
                format!("known {sort}: {}", list(keys()))
            });
        let words = tables[tables.len() - 1].words;
        let message = if top {
            format!("a scenario has no table `{}`", shorten(name))
        } else {
            format!("{words} has no key `{}`", shorten(name))
        };
        let diagnostic = self.error("scenario::unknown-key", message, range);
        diagnostic.label = "unknown key".to_owned();
        diagnostic.help = Some(help);
    }

    /// Reports something of the language that this version does not offer.
    pub fn not_offered(&mut self, what: &str, feature: &str, range: Range<usize>) {
        let feature = if feature.is_empty() {
            String::new()
        } else {
            format!(" ({feature})")
        };
        let diagnostic = self.error(
            "scenario::not-offered",
            format!(
                "the scenario uses {what}{feature}, which this version of costate does not offer"
            ),
            range,
        );
        diagnostic.label = "not offered by this version".to_owned();
        diagnostic.help = Some("leave it out, or use a later version".to_owned());
    }

    /// A number as TOML has it, `inf` and `nan` among them.
    pub fn any_number(&mut self, what: &str, value: &Value<'_>) -> Option<f64> {
        let number = match value.get_ref() {
            DeValue::Integer(integer) => {
                let digits = integer.as_str();
                if integer.radix() == 10 {
                    digits.parse::<f64>().ok()
                } else {
                    // a 128-bit integer rounds once to the nearest double
                    i128::from_str_radix(digits, integer.radix())
                        .ok()
                        .map(|whole| whole as f64)
                }
            }
            DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
            _ => {
                self.wrong_type(what, "a number", value);
                return None;
            }
        };
        if number.is_none() {
            let span = self.sources.span(value.span());
            let diagnostic = self.error(
                "scenario::not-finite",
                format!("`{}` is too large a number", shorten(span.text())),
                value.span(),
            );
            diagnostic.help = Some("numbers are double precision, up to 1.8e308".to_owned());
        }
        number
    }

    /// A finite number.
    pub fn finite(&mut self, what: &str, value: &Value<'_>) -> Option<f64> {
        let number = self.any_number(what, value)?;
        if number.is_finite() {
            return Some(number);
        }
        let span = self.sources.span(value.span());
        let diagnostic = self.error(
            "scenario::not-finite",
            format!("`{}` must be a finite number", shorten(what)),
            value.span(),
        );
        diagnostic.label = if number.is_nan() {
            "not a number"
        } else {
            "infinite"
        }
        .to_owned();
        diagnostic.help = Some(format!(
            "write a number in place of `{}`",
            shorten(span.text())
        ));
        None
    }

    /// A finite number of a section.
    pub fn number(&mut self, section: &Section<'_, '_>, key: &str) -> Option<f64> {
        let value = section.get(key)?;
        self.finite(key, value)
    }

    /// A finite number above zero of a section.
    pub fn positive(&mut self, section: &Section<'_, '_>, key: &str) -> Option<f64> {
        let value = section.get(key)?;
        self.positive_value(key, value)
    }

    /// A finite number above zero.
    pub fn positive_value(&mut self, what: &str, value: &Value<'_>) -> Option<f64> {
        let number = self.finite(what, value)?;
        if number > 0.0 {
            return Some(number);
        }
        let diagnostic = self.error(
            "scenario::out-of-range",
            format!("`{}` must be above zero", shorten(what)),
            value.span(),
        );
        diagnostic.label = "not above zero".to_owned();
        diagnostic.help = Some(match what {
            "rtol" | "atol" => "a tolerance such as `1e-8`".to_owned(),
            _ => "write a number above zero".to_owned(),
        });
        None
    }

    /// A whole number of a section, at least `least`.
    pub fn whole(&mut self, section: &Section<'_, '_>, key: &str, least: u64) -> Option<u64> {
        let value = section.get(key)?;
        let exact = match value.get_ref() {
            DeValue::Integer(integer) => {
                u64::from_str_radix(integer.as_str().trim_start_matches('+'), integer.radix()).ok()
            }
            DeValue::Float(_) => {
                let number = self.finite(key, value)?;
                // below 2^53 every whole double is exactly a u64
                (number >= 0.0 && number.fract() == 0.0 && number < 9_007_199_254_740_992.0)
                    .then_some(number as u64)
            }
            _ => {
                self.wrong_type(key, "a whole number", value);
                return None;
            }
        };
        if let Some(whole) = exact.filter(|&whole| whole >= least) {
            return Some(whole);
        }
        let diagnostic = self.error(
            "scenario::out-of-range",
            format!("`{key}` must be a whole number, at least {least}"),
            value.span(),
        );
        diagnostic.label = "out of range".to_owned();
        diagnostic.help = Some(format!("write a whole number such as `{}`", least.max(1)));
        None
    }

    /// Text of a section.
    pub fn text(&mut self, section: &Section<'_, '_>, key: &str) -> Option<String> {
        self.text_value(key, section.get(key)?)
    }

    /// Text.
    pub fn text_value(&mut self, what: &str, value: &Value<'_>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            _ => {
                self.wrong_type(what, "a string", value);
                None
            }
        }
    }

    /// True or false, of a section.
    pub fn boolean(&mut self, section: &Section<'_, '_>, key: &str) -> Option<bool> {
        let value = section.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(yes) => Some(*yes),
            _ => {
                self.wrong_type(key, "true or false", value);
                None
            }
        }
    }

    /// One of the words the schema has for this key.
    pub fn choice(&mut self, section: &Section<'_, '_>, key: &str) -> Option<&'static str> {
        let value = section.get(key)?;
        let text = self.text_value(key, value)?;
        let Some(schema::Key {
            kind: Kind::Choice { now, later },
            ..
        }) = section.schema.key(key)
        else {
            return None;
        };
        if let Some(word) = now.iter().find(|word| **word == text) {
            return Some(word);
        }
        if later.contains(&text.as_str()) {
            let what = format!("`{key} = \"{text}\"` in {}", section.schema.words);
            self.not_offered(&what, "", value.span());
            return None;
        }
        let help = did_you_mean(&text, now.iter().copied())
            .unwrap_or_else(|| format!("one of {}", list(now.iter().copied())));
        let diagnostic = self.error(
            "scenario::unknown-word",
            format!(
                "`{}` is no `{key}` of {}",
                shorten(&text),
                section.schema.words
            ),
            value.span(),
        );
        diagnostic.label = "unknown word".to_owned();
        diagnostic.help = Some(help);
        None
    }

    /// A number or an expression; where it is wrong, it is reported and `NaN` stands for it.
    pub fn expression(&mut self, what: &str, value: &Value<'_>) -> Expression {
        let span = self.sources.span(value.span());
        let nothing = |span: Span| Expression {
            kind: ExpressionKind::Number(f64::NAN),
            span,
        };
        match value.get_ref() {
            DeValue::Integer(_) | DeValue::Float(_) => {
                let number = self.finite(what, value).unwrap_or(f64::NAN);
                Expression {
                    kind: ExpressionKind::Number(number),
                    span,
                }
            }
            DeValue::String(text) if text.trim().is_empty() => {
                let diagnostic = self.error(
                    "scenario::empty",
                    format!("the expression of `{}` is empty", shorten(what)),
                    value.span(),
                );
                diagnostic.label = "nothing between the quotes".to_owned();
                diagnostic.help = Some("write a number or an expression".to_owned());
                nothing(span)
            }
            DeValue::String(text) => {
                let (expression, mut diagnostics) = match content_start(&span, text) {
                    Some(offset) => parser::parse(text, &span.file, offset),
                    None => parse_escaped(text, &span),
                };
                self.diagnostics.append(&mut diagnostics);
                expression.unwrap_or_else(|| nothing(span))
            }
            _ => {
                self.wrong_type(what, "a number or an expression in quotes", value);
                nothing(span)
            }
        }
    }

    /// The expression of a section's key.
    pub fn expression_of(&mut self, section: &Section<'_, '_>, key: &str) -> Option<Expression> {
        section.get(key).map(|value| self.expression(key, value))
    }

    /// The expressions of a section's key: an array of them, or one alone.
    pub fn expressions(&mut self, section: &Section<'_, '_>, key: &str) -> Vec<Expression> {
        match section.get(key).map(|value| (value, value.get_ref())) {
            None => Vec::new(),
            Some((_, DeValue::Array(items))) => items
                .iter()
                .map(|item| self.expression(key, item))
                .collect(),
            Some((value, DeValue::Integer(_) | DeValue::Float(_) | DeValue::String(_))) => {
                vec![self.expression(key, value)]
            }
            Some((value, _)) => {
                self.wrong_type(key, &Kind::Expressions.words(), value);
                Vec::new()
            }
        }
    }

    /// A name the user gives, with a report where it cannot be one.
    pub fn name(&mut self, what: &str, key: &KeyText<'_>) -> Name {
        let text = key.get_ref().to_string();
        let span = self.sources.span(key.span());
        if let Err(reason) = names::check(&text) {
            let shown = shorten(&text);
            let (code, message, label, help) = match reason {
                NotAName::Characters => (
                    "scenario::name",
                    format!("`{shown}` cannot name {what}"),
                    "not a name",
                    format!(
                        "use letters, digits and `_`, not first a digit: `{}`",
                        names::suggestion(&text)
                    ),
                ),
                NotAName::Reserved => (
                    "scenario::reserved-name",
                    format!("`{shown}` cannot name {what}: expressions use it for something else"),
                    "reserved",
                    format!("choose another name, such as `{shown}_`"),
                ),
                NotAName::Function => (
                    "scenario::reserved-name",
                    format!(
                        "`{shown}` cannot name {what}: it is a function of the expression language"
                    ),
                    "a function's name",
                    format!("choose another name, such as `{shown}_`"),
                ),
            };
            let diagnostic = self.error(code, message, key.span());
            diagnostic.label = label.to_owned();
            diagnostic.help = Some(help);
        }
        Name { text, span }
    }
}

/// Where the content of a string value starts in the file, if the file holds it letter for letter.
fn content_start(span: &Span, content: &str) -> Option<usize> {
    let raw = span.text();
    let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") {
        // a newline right after the quotes is not part of the string
        3 + if raw[3..].starts_with("\r\n") {
            2
        } else {
            usize::from(raw[3..].starts_with('\n'))
        }
    } else {
        usize::from(raw.starts_with(['"', '\'']))
    };
    raw.get(quotes..)?
        .starts_with(content)
        .then_some(span.start + quotes)
}

/// Parses a string written with escapes, whose letters are not where the file has them: the whole value stands for
/// every place in it.
fn parse_escaped(content: &str, span: &Span) -> (Option<Expression>, Vec<Diagnostic>) {
    let apart = Arc::new(SourceFile {
        path: span.file.path.clone(),
        text: content.to_owned(),
    });
    let (mut expression, mut diagnostics) = parser::parse(content, &apart, 0);
    if let Some(expression) = &mut expression {
        place_all(expression, span);
    }
    for diagnostic in &mut diagnostics {
        diagnostic.span = Some(span.clone());
    }
    (expression, diagnostics)
}

/// Gives every part of an expression one place. The parser limits how deep this goes.
fn place_all(expression: &mut Expression, span: &Span) {
    expression.span = span.clone();
    match &mut expression.kind {
        ExpressionKind::Number(_) | ExpressionKind::Name(_) => {}
        ExpressionKind::Negate(a) | ExpressionKind::Not(a) => place_all(a, span),
        ExpressionKind::Arithmetic(_, a, b)
        | ExpressionKind::Compare(_, a, b)
        | ExpressionKind::And(a, b)
        | ExpressionKind::Or(a, b)
        | ExpressionKind::Output(a, b) => {
            place_all(a, span);
            place_all(b, span);
        }
        ExpressionKind::Element(_, name, arguments) | ExpressionKind::Call(_, name, arguments) => {
            *name = span.clone();
            for argument in arguments {
                place_all(argument, span);
            }
        }
    }
}
