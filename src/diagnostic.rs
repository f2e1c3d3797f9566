//! What is wrong with a scenario, and where: data for a message, printed by the command line alone.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// A file that was read, kept for messages.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// path as the user gave it
    pub path: PathBuf,
    /// its text
    pub text: String,
}

impl SourceFile {
    /// Line and column (in characters) of a byte offset, both from 1.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        (line, before[start..].chars().count() + 1)
    }
}

/// A stretch of bytes `start..end` of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// the file
    pub file: Arc<SourceFile>,
    /// first byte
    pub start: usize,
    /// byte after the last
    pub end: usize,
}

impl Span {
    /// The text underlined.
    pub fn text(&self) -> &str {
        self.file.text.get(self.start..self.end).unwrap_or("")
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// the scenario cannot be used
    Error,
    /// it can, but probably not as meant
    Warning,
}

/// One finding. Wording: lower case, what the user wrote in backticks, what was expected in `help`.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostic {
    /// error or warning
    pub severity: Severity,
    /// stable identifier of the kind, `area::kind`, such as `scenario::unknown-key`
    pub code: &'static str,
    /// what is wrong
    pub message: String,
    /// where; `None` for a file that cannot be read at all
    pub span: Option<Span>,
    /// words under the underlined text
    pub label: String,
    /// what to do: the nearest valid name, what was expected
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &'static str, message: impl Into<String>, span: Option<Span>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            span,
            label: String::new(),
            help: None,
        }
    }
    /// A warning at a place.
    pub fn warning(code: &'static str, message: impl Into<String>, span: Option<Span>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message, span)
        }
    }
    /// The same with words under the underlined text.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }
    /// The same with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    /// `file:line:column: error: message (help)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(span) = &self.span {
            let (line, column) = span.file.line_column(span.start);
            write!(f, "{}:{line}:{column}: ", span.file.path.display())?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// The candidate nearest to `name` by edit distance, where one is near enough to be meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::osa_distance(&folded, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|&(distance, candidate)| {
            distance <= 1 + candidate.chars().count().max(name.chars().count()) / 4
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}
