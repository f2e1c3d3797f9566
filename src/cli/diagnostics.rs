//! Findings as the user sees them: file:line:column, the offending text underlined, what to do.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

use costate::diagnostic::{Diagnostic, Severity, Span};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

/// A line longer than this is shown as an excerpt round the offending text.
const LONGEST_LINE: usize = 300;

/// Prints findings on standard error.
pub fn print(diagnostics: &[Diagnostic]) {
    let theme = if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(110)
        .with_links(false);
    let mut text = String::new();
    for diagnostic in diagnostics {
        render(&handler, diagnostic, &mut text);
    }
    // A closed pipe is no reason to fail: there is nobody left to read.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn render(handler: &GraphicalReportHandler, diagnostic: &Diagnostic, text: &mut String) {
    match &diagnostic.span {
        Some(span) if line_of(span).is_none_or(|line| line.len() <= LONGEST_LINE) => {
            let shown = Shown::new(diagnostic, span);
            if handler.render_report(text, &shown).is_err() {
                let _ = writeln!(text, "{diagnostic}");
            }
        }
        Some(span) => {
            let _ = writeln!(text, "{diagnostic}\n    {}", excerpt(span));
        }
        None => {
            let _ = writeln!(text, "{diagnostic}");
        }
    }
}

fn line_of(span: &Span) -> Option<&str> {
    let text = &span.file.text;
    let start = text.get(..span.start)?.rfind('\n').map_or(0, |i| i + 1);
    let end = text
        .get(span.start..)?
        .find('\n')
        .map_or(text.len(), |i| span.start + i);
    text.get(start..end)
}

/// The neighborhood of the offending text, on one line.
fn excerpt(span: &Span) -> String {
    let text = &span.file.text;
    let floor = |mut i: usize| {
        while !text.is_char_boundary(i) {
            i -= 1;
        }
        i
    };
    let from = floor(span.start.saturating_sub(30));
    let to = floor((span.start + 60).min(text.len()));
    let shown = text[from..to].replace(['\n', '\r'], " ");
    format!("... {shown} ...")
}

/// A finding as miette wants it.
struct Shown<'a> {
    diagnostic: &'a Diagnostic,
    source: NamedSource<String>,
    label: LabeledSpan,
}

impl<'a> Shown<'a> {
    fn new(diagnostic: &'a Diagnostic, span: &Span) -> Self {
        let length = span.end.saturating_sub(span.start);
        // An underline over several lines says less than one over the first.
        let first_line = span.text().find('\n').unwrap_or(length);
        let label = if diagnostic.label.is_empty() {
            None
        } else {
            Some(diagnostic.label.clone())
        };
        Self {
            diagnostic,
            source: NamedSource::new(span.file.path.display().to_string(), span.file.text.clone()),
            label: LabeledSpan::new(
                Some(label.unwrap_or_else(|| "here".into())),
                span.start,
                first_line,
            ),
        }
    }
}

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.diagnostic)
    }
}

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(self.diagnostic.code))
    }
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.diagnostic
            .help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(self.label.clone())))
    }
}
