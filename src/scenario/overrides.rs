//! `--set name=value`: values given on the command line, put into the parsed file before it is checked.
//!
//! A name without a dot is a parameter; a dotted path is any key with one value, as the schema has it:
//! `solver.rtol`, `scenario.time.end`, `states.x.initial`, `parameters.k.fit`.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::schema::{self, Kind, TABLES};
use super::source::Sources;
use crate::diagnostic::{Diagnostic, SourceFile, Span, nearest};

/// One `--set`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// a parameter's name, or the dotted path of a key
    pub path: String,
    /// its value as TOML; what is no TOML value is taken as a string
    pub value: String,
}

impl Override {
    /// Reads `name=value`.
    pub fn parse(text: &str) -> Result<Self, Box<Diagnostic>> {
        match text.split_once('=') {
            Some((path, value)) if !path.trim().is_empty() && !value.trim().is_empty() => {
                Ok(Self {
                    path: path.trim().to_owned(),
                    value: value.trim().to_owned(),
                })
            }
            _ => Err(Box::new(
                Diagnostic::error("set::form", format!("`{text}` is no `name=value`"), None)
                    .with_help(
                        "write `--set rate=2.5`, or a key's path such as `--set solver.rtol=1e-9`",
                    ),
            )),
        }
    }
}

/// An override with its text among the sources.
pub(super) struct Placed<'i> {
    given: &'i Override,
    file: Arc<SourceFile>,
    base: usize,
}

/// Lays the overrides' texts behind the scenario's, each as the file `--set` with the text `path=value`.
pub(super) fn place<'i>(overrides: &'i [Override], sources: &mut Sources) -> Vec<Placed<'i>> {
    overrides
        .iter()
        .map(|given| {
            let file = Arc::new(SourceFile {
                path: PathBuf::from("--set"),
                text: format!("{}={}", given.path, given.value),
            });
            let base = sources.add(Arc::clone(&file));
            Placed { given, file, base }
        })
        .collect()
}

/// Puts every override into the table; gives what is wrong with them.
pub(super) fn apply<'i>(root: &mut DeTable<'i>, overrides: &[Placed<'i>]) -> Vec<Diagnostic> {
    overrides
        .iter()
        .filter_map(|placed| placed.apply(root).err())
        .map(|diagnostic| *diagnostic)
        .collect()
}

impl<'i> Placed<'i> {
    fn value(&self) -> Result<Spanned<DeValue<'i>>, Box<Diagnostic>> {
        let start = self.given.path.len() + 1;
        let text = self.given.value.as_str();
        let value = match DeValue::parse(text).map(Spanned::into_inner) {
            Ok(DeValue::Array(_) | DeValue::Table(_)) => {
                return Err(Box::new(
                    Diagnostic::error(
                        "set::form",
                        format!("`--set {}` gives more than one value", self.given.path),
                        Some(self.span(start, start + text.len())),
                    )
                    .with_label("one value is expected")
                    .with_help("set one number, word or expression at a time; change the file for the rest"),
                ));
            }
            Ok(value) => value,
            Err(_) => DeValue::String(Cow::Borrowed(text)),
        };
        Ok(Spanned::new(
            self.base + start..self.base + start + text.len(),
            value,
        ))
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span {
            file: Arc::clone(&self.file),
            start,
            end,
        }
    }

    fn apply(&self, root: &mut DeTable<'i>) -> Result<(), Box<Diagnostic>> {
        let value = self.value()?;
        let path = self.given.path.as_str();
        let mut segments: Vec<&str> = path.split('.').collect();
        if segments.len() == 1 {
            let parameter = has_entry(root, &["parameters"], path);
            if !parameter {
                return Err(self.unknown(root));
            }
            segments.insert(0, "parameters");
        }
        if segments[0] == "signals" && segments.len() == 3 {
            return self.set(root, &segments, value, "kind");
        }
        let Some((kind, entry)) = resolve(root, &segments) else {
            return Err(self.unknown(root));
        };
        match kind {
            Kind::Named(_, short) if entry && !short.is_empty() => {
                self.set(root, &segments, value, short)?;
            }
            kind if kind.is_scalar() || entry => {
                self.set(root, &segments, value, schema::short_form(&segments))?;
            }
            _ => return Err(self.unknown(root)),
        }
        if let Some(name) = valued_parameter(&segments)
            && let Some(parameters) = root.get_mut("parameters")
            && let DeValue::Table(parameters) = parameters.get_mut()
            && let Some(entry) = parameters.get_mut(name)
            && let DeValue::Table(entry) = entry.get_mut()
        {
            for key in FILE_KEYS {
                entry.remove(key);
            }
        }
        Ok(())
    }

    /// Walks to the last segment's table, making tables on the way, and sets the value there.
    fn set(
        &self,
        root: &mut DeTable<'i>,
        segments: &[&str],
        value: Spanned<DeValue<'i>>,
        short: &str,
    ) -> Result<(), Box<Diagnostic>> {
        let mut table = root;
        let (last, before) = segments.split_last().unwrap_or((&"", &[]));
        for &segment in before {
            if !table.contains_key(segment) {
                table.insert(
                    self.key(segment),
                    self.spanned(DeValue::Table(DeTable::new())),
                );
            }
            let Some(place) = table.get_mut(segment) else {
                return Ok(());
            };
            if !place.get_ref().is_table() {
                // the short form `x = "x0"` becomes `x = { initial = "x0" }`, which holds the key asked for
                let mut long = DeTable::new();
                let range = place.span();
                let was = std::mem::replace(place.get_mut(), DeValue::Boolean(false));
                long.insert(
                    Spanned::new(range.clone(), Cow::Owned(short.to_owned())),
                    Spanned::new(range, was),
                );
                *place.get_mut() = DeValue::Table(long);
            }
            let DeValue::Table(inner) = place.get_mut() else {
                return Ok(());
            };
            table = inner;
        }
        if let Some(place) = table.get_mut(*last) {
            match place.get_mut() {
                DeValue::Table(inner) if !short.is_empty() => match inner.get_mut(short) {
                    Some(place) => *place = value,
                    None => {
                        inner.insert(self.key(short), value);
                    }
                },
                _ => *place = value,
            }
        } else {
            table.insert(self.key(last), value);
        }
        Ok(())
    }

    fn key(&self, name: &str) -> Spanned<Cow<'i, str>> {
        self.spanned(Cow::Owned(name.to_owned()))
    }

    fn spanned<T>(&self, value: T) -> Spanned<T> {
        Spanned::new(self.base..self.base + self.given.path.len(), value)
    }

    fn unknown(&self, root: &DeTable<'_>) -> Box<Diagnostic> {
        let path = self.given.path.as_str();
        let known = settable(root);
        let mut diagnostic = Diagnostic::error(
            "set::unknown",
            format!("nothing named `{path}` can be set"),
            Some(self.span(0, path.len())),
        )
        .with_label("not a parameter, nor a key with one value");
        let array = path.split_once('[').map(|(name, _)| name);
        if let Some(name) = array.filter(|name| has_entry(root, &["parameters", name], "over")) {
            diagnostic.help = Some(format!(
                "an array is set as a whole, also by an expression of its indices: `--set {name}=\"if(i == 1, 2, 3)\"`"
            ));
            return Box::new(diagnostic);
        }
        diagnostic.help = Some(match nearest(path, known.iter().map(String::as_str)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => {
                "give a parameter's name, or the path of a key such as `solver.rtol`".to_owned()
            }
        });
        Box::new(diagnostic)
    }
}

/// Keys of a parameter that give its values by a file, which a value takes the place of.
pub(super) const FILE_KEYS: [&str; 2] = ["file", "column"];

/// The parameter whose value or values a path sets.
pub(super) fn valued_parameter<'s>(segments: &[&'s str]) -> Option<&'s str> {
    match segments {
        ["parameters", name] | ["parameters", name, "value"] => Some(name),
        _ => None,
    }
}

/// The kind of the key that a path names, and whether the path ends in a name the user chose.
fn resolve(root: &DeTable<'_>, segments: &[&str]) -> Option<(Kind, bool)> {
    let mut table = schema::table("")?;
    let mut kind = table.key(segments.first()?)?.kind;
    let mut rest = &segments[1..];
    let mut entry = false;
    while let Some((&segment, after)) = rest.split_first() {
        let before = &segments[..segments.len() - rest.len()];
        match kind {
            Kind::Table(path) => {
                table = schema::table(path)?;
                kind = table.key(segment)?.kind;
                entry = false;
            }
            Kind::Named(path, _) if !entry => {
                if !has_entry(root, before, segment) {
                    return None;
                }
                entry = true;
                if after.is_empty() {
                    return Some((kind, true));
                }
                table = schema::table(path)?;
            }
            Kind::Named(..) => {
                kind = table.key(segment)?.kind;
                entry = false;
            }
            Kind::NamedExpressions => {
                return (after.is_empty() && has_entry(root, before, segment))
                    .then_some((Kind::Expression, true));
            }
            Kind::NumberByState => {
                return (after.is_empty() && has_entry(root, &["states"], segment))
                    .then_some((Kind::Number, false));
            }
            _ => return None,
        }
        rest = after;
    }
    Some((kind, entry))
}

/// Whether the table at a path has an entry.
fn has_entry(root: &DeTable<'_>, path: &[&str], name: &str) -> bool {
    let mut table = root;
    for &key in path {
        match table.get(key).and_then(|value| value.get_ref().as_table()) {
            Some(found) => table = found,
            None => return false,
        }
    }
    table.contains_key(name)
}

/// Every parameter and every path that can be set.
fn settable(root: &DeTable<'_>) -> Vec<String> {
    let mut paths = Vec::new();
    for table in TABLES.iter().filter(|table| !table.path.is_empty()) {
        if table.path.contains([':'])
            || table.path.starts_with("experiments")
            || table.path.starts_with("tune.")
            || matches!(table.path, "expect" | "events" | "path" | "terminal")
        {
            continue;
        }
        for key in table.keys.iter().filter(|key| key.kind.is_scalar()) {
            match table.path.split_once(".*") {
                None => paths.push(format!("{}.{}", table.path, key.name)),
                Some((outer, inner)) => {
                    let entries = root.get(outer).and_then(|value| value.get_ref().as_table());
                    for (name, _) in entries.into_iter().flat_map(|entries| entries.iter()) {
                        paths.push(format!("{outer}.{}{inner}.{}", name.get_ref(), key.name));
                    }
                }
            }
        }
    }
    let parameters = root
        .get("parameters")
        .and_then(|value| value.get_ref().as_table());
    for (name, _) in parameters.into_iter().flat_map(|entries| entries.iter()) {
        paths.push(name.get_ref().to_string());
    }
    paths
}
