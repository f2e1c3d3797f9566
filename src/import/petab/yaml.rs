//! The YAML of a PEtab problem as a tree with places: mappings, sequences and scalars, no anchors.

use std::sync::Arc;

use saphyr_parser::{Event, Parser, Span as Range};

use crate::diagnostic::{Diagnostic, SourceFile, Span, nearest};

/// Deepest nesting.
const MOST_DEPTH: usize = 64;

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// what it is
    pub value: Value,
    /// where it stands
    pub span: Span,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// text, a number, nothing
    Scalar(String),
    /// a list
    Sequence(Vec<Node>),
    /// names and values
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Mapping(entries) => entries
                .iter()
                .find(|(name, _)| name.text() == Some(key))
                .map(|(_, value)| value),
            _ => None,
        }
    }
    /// The keys of a mapping that are none of these, each reported.
    pub fn check_keys(&self, known: &[&str], findings: &mut Vec<Diagnostic>) {
        let Value::Mapping(entries) = &self.value else {
            return;
        };
        for (key, _) in entries {
            let name = key.text().unwrap_or("");
            if known.contains(&name) {
                continue;
            }
            findings.push(
                Diagnostic::error(
                    "petab::unknown-key",
                    format!("unknown key `{name}`"),
                    Some(key.span.clone()),
                )
                .with_help(match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are {}", known.join(", ")),
                }),
            );
        }
    }
}

/// What is being read.
enum Open {
    Sequence(Vec<Node>, usize),
    Mapping(Vec<(Node, Node)>, Option<Node>, usize),
}

/// Reads the one document of a file.
pub fn read(file: &Arc<SourceFile>) -> Result<Node, Box<Diagnostic>> {
    // places come as numbers of characters
    let offsets: Vec<usize> = file.text.char_indices().map(|(at, _)| at).collect();
    let byte = |index: usize| offsets.get(index).copied().unwrap_or(file.text.len());
    let place = |start: usize, end: usize| Span {
        file: Arc::clone(file),
        start,
        end: end.max(start),
    };
    let wrong = |message: String, span: Span| {
        Box::new(
            Diagnostic::error(
                "yaml::malformed",
                format!("not YAML: {message}"),
                Some(span),
            )
            .with_help("a PEtab problem is a YAML file with `format_version` and `problems`"),
        )
    };
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str(&file.text) {
        let (event, range): (Event<'_>, Range) = match event {
            Ok(found) => found,
            Err(error) => {
                let at = byte(error.marker().index());
                return Err(wrong(error.info().to_owned(), place(at, at)));
            }
        };
        let (start, end) = (byte(range.start.index()), byte(range.end.index()));
        let done = match event {
            Event::Scalar(text, ..) => Node {
                value: Value::Scalar(text.into_owned()),
                span: place(start, end),
            },
            Event::SequenceStart(..) => {
                open.push(Open::Sequence(Vec::new(), start));
                if open.len() > MOST_DEPTH {
                    let message = format!("more than {MOST_DEPTH} levels");
                    return Err(wrong(message, place(start, end)));
                }
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Mapping(Vec::new(), None, start));
                if open.len() > MOST_DEPTH {
                    let message = format!("more than {MOST_DEPTH} levels");
                    return Err(wrong(message, place(start, end)));
                }
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::Sequence(items, from)) => Node {
                    value: Value::Sequence(items),
                    span: place(from, end),
                },
                Some(Open::Mapping(entries, _, from)) => Node {
                    value: Value::Mapping(entries),
                    span: place(from, end),
                },
                None => continue,
            },
            Event::Alias(_) => {
                let message = "aliases (`*name`) are not read".to_owned();
                return Err(wrong(message, place(start, end)));
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => continue,
        };
        match open.last_mut() {
            Some(Open::Sequence(items, _)) => items.push(done),
            Some(Open::Mapping(entries, key, _)) => match key.take() {
                None => *key = Some(done),
                Some(name) => {
                    if entries.iter().any(|(other, _)| other.text() == name.text()) {
                        let shown = name.text().unwrap_or("").to_owned();
                        return Err(wrong(format!("`{shown}` is given twice"), name.span));
                    }
                    entries.push((name, done));
                }
            },
            None if root.is_none() => root = Some(done),
            None => return Err(wrong("a second document".to_owned(), done.span)),
        }
    }
    root.ok_or_else(|| wrong("the file is empty".to_owned(), place(0, 0)))
}
