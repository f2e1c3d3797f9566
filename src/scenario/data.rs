//! Wide CSV files: a header, then a row a time and a column a quantity; `#` starts a comment line, an empty cell or
//! `NaN` is missing, a byte-order mark and Windows line ends are tolerated.
//!
//! Reading makes no allocation a cell; places of cells are searched only for messages.

use std::ops::Range;
use std::sync::Arc;

use super::values::{list, shorten};
use crate::diagnostic::{Diagnostic, SourceFile, Span, nearest};

/// Findings shown of one file; the rest are counted.
const MOST_FINDINGS: usize = 10;

/// A CSV file with its header read.
pub(super) struct Csv {
    pub source: Arc<SourceFile>,
    /// where the text starts: after a byte-order mark
    base: usize,
    header: Vec<String>,
    header_at: usize,
}

/// Some columns of a file's rows.
pub(super) struct Rows {
    /// `columns[i][row]`, in the order asked for; NaN where a cell is missing
    pub columns: Vec<Vec<f64>>,
    /// where each row starts in the file
    pub places: Vec<usize>,
    /// what is wrong with them
    pub findings: Findings,
}

/// What is wrong with a file: the first few, and how many more.
#[derive(Default)]
pub(super) struct Findings {
    list: Vec<Diagnostic>,
    more: usize,
}

impl Findings {
    /// Adds a finding; it is made only where it will be shown, since finding the place of a cell takes time.
    pub fn push(&mut self, diagnostic: impl FnOnce() -> Diagnostic) {
        if self.list.len() < MOST_FINDINGS {
            self.list.push(diagnostic());
        } else {
            self.more += 1;
        }
    }
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
    /// Whether no more need be looked for.
    pub fn full(&self) -> bool {
        self.list.len() >= MOST_FINDINGS
    }
    pub fn finish(mut self, csv: &Csv) -> Vec<Diagnostic> {
        if self.more > 0 {
            let message = format!("`{}` has {} more such cells", csv.name(), self.more);
            self.list.push(
                Diagnostic::error("data::more", message, None).with_help("correct these first"),
            );
        }
        self.list
    }
}

fn builder() -> csv::ReaderBuilder {
    let mut builder = csv::ReaderBuilder::new();
    builder
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'));
    builder
}

impl Csv {
    /// Reads the header.
    pub fn new(source: Arc<SourceFile>) -> Result<Self, Box<Diagnostic>> {
        let base = if source.text.starts_with('\u{feff}') {
            3
        } else {
            0
        };
        let mut reader = builder().from_reader(&source.text.as_bytes()[base..]);
        let mut record = csv::StringRecord::new();
        let there = matches!(reader.read_record(&mut record), Ok(true));
        let mut csv = Self {
            base,
            header: record.iter().map(|name| name.trim().to_owned()).collect(),
            header_at: 0,
            source,
        };
        if !there {
            let message = format!("`{}` holds no data", csv.name());
            return Err(Box::new(
                Diagnostic::error("data::empty", message, None)
                    .with_help("write a header such as `time,x`, then a line for each time"),
            ));
        }
        csv.header_at = csv.skip_comments(base);
        for (column, name) in csv.header.iter().enumerate() {
            if csv.header[..column].contains(name) && !name.is_empty() {
                return Err(Box::new(
                    Diagnostic::error(
                        "data::duplicate-column",
                        format!("`{}` has two columns `{}`", csv.name(), shorten(name)),
                        Some(csv.heading(column)),
                    )
                    .with_label("the second")
                    .with_help("rename one of the two"),
                ));
            }
        }
        Ok(csv)
    }

    /// The file as the user knows it.
    pub fn name(&self) -> String {
        self.source.path.file_name().map_or_else(
            || self.source.path.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        )
    }

    /// Names of the columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The place of a column's name.
    pub fn heading(&self, column: usize) -> Span {
        self.place(self.header_at, column)
    }

    /// A column by its name; `place` is where the scenario asks for it.
    pub fn column(&self, name: &str, place: &Span) -> Result<usize, Box<Diagnostic>> {
        if let Some(column) = self.header.iter().position(|other| other == name) {
            return Ok(column);
        }
        let names = || self.header.iter().map(String::as_str);
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean `{}`?", shorten(near)),
            None if self.header.len() == 1 && self.header[0].contains([';', '\t']) => {
                "columns are separated by commas; this file uses another character".to_owned()
            }
            None => format!("its columns: {}", list(names())),
        };
        Err(Box::new(
            Diagnostic::error(
                "data::missing-column",
                format!("`{}` has no column `{}`", self.name(), shorten(name)),
                Some(place.clone()),
            )
            .with_label("no such column")
            .with_help(help),
        ))
    }

    /// Some columns of the rows whose cells equal the filter's texts.
    pub fn rows(&self, filter: &[(usize, String)], columns: &[usize]) -> Rows {
        let text = &self.source.text[self.base..];
        let mut reader = builder().from_reader(text.as_bytes());
        let mut rows = Rows {
            columns: vec![Vec::new(); columns.len()],
            places: Vec::new(),
            findings: Findings::default(),
        };
        let filter: Vec<(usize, &str, Option<f64>)> = filter
            .iter()
            .map(|(column, text)| (*column, text.trim(), text.trim().parse().ok()))
            .collect();
        let mut record = csv::ByteRecord::new();
        let mut first = true;
        loop {
            match reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    let message = format!("cannot read `{}`: {error}", self.name());
                    rows.findings
                        .push(|| Diagnostic::error("data::form", message, None));
                    break;
                }
            }
            if std::mem::take(&mut first) {
                continue;
            }
            let start = record
                .position()
                .map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0));
            let place = self.base + start;
            if record.len() != self.header.len() {
                // a line of blanks is no row
                if record.len() == 1 && record[0].trim_ascii().is_empty() {
                    continue;
                }
                rows.findings.push(|| self.wrong_width(place, record.len()));
                continue;
            }
            let wanted = filter.iter().all(|&(column, text, number)| {
                let cell = cell_text(&record, column);
                cell == text || (number.is_some() && cell.parse().ok() == number)
            });
            if !wanted {
                continue;
            }
            for (&column, values) in columns.iter().zip(&mut rows.columns) {
                let cell = cell_text(&record, column);
                let value = if cell.is_empty() {
                    f64::NAN
                } else {
                    match cell.parse::<f64>() {
                        Ok(value) if value.is_infinite() => {
                            rows.findings
                                .push(|| self.bad_cell(place, column, "not finite"));
                            f64::NAN
                        }
                        Ok(value) => value,
                        Err(_) => {
                            rows.findings
                                .push(|| self.bad_cell(place, column, "not a number"));
                            f64::NAN
                        }
                    }
                };
                values.push(value);
            }
            rows.places.push(place);
        }
        rows
    }

    /// The texts of a column, of the rows that [`Csv::rows`] gives without a filter.
    pub fn texts(&self, column: usize) -> Vec<String> {
        let text = &self.source.text[self.base..];
        let reader = builder().from_reader(text.as_bytes());
        reader
            .into_byte_records()
            .skip(1)
            .filter_map(Result::ok)
            .filter(|record| record.len() == self.header.len())
            .map(|record| cell_text(&record, column).to_owned())
            .collect()
    }

    /// Where the line of a row starts, past comments and empty lines.
    fn skip_comments(&self, mut at: usize) -> usize {
        let text = &self.source.text;
        while at < text.len() {
            let end = text[at..].find('\n').map_or(text.len(), |n| at + n + 1);
            let line = &text[at..end];
            if line.starts_with('#') || line.trim_end_matches(['\r', '\n']).is_empty() {
                at = end;
            } else {
                break;
            }
        }
        at
    }

    /// The place of a cell.
    pub fn place(&self, row: usize, column: usize) -> Span {
        let bytes = self.source.text.as_bytes();
        let start = self.skip_comments(row);
        let mut at = start;
        let mut from = start;
        let mut index = 0;
        let mut quoted = false;
        while at < bytes.len() {
            match bytes[at] {
                b'"' => quoted = !quoted,
                b',' if !quoted => {
                    if index == column {
                        break;
                    }
                    index += 1;
                    from = at + 1;
                }
                b'\n' | b'\r' if !quoted => break,
                _ => {}
            }
            at += 1;
        }
        let raw = &self.source.text[from..at];
        let lead = raw.len() - raw.trim_start().len();
        self.span(from + lead..from + lead.max(raw.trim_end().len()))
    }

    fn line(&self, row: usize) -> Span {
        let start = self.skip_comments(row);
        let length = self.source.text[start..].find(['\r', '\n']);
        self.span(start..length.map_or(self.source.text.len(), |length| start + length))
    }

    fn span(&self, range: Range<usize>) -> Span {
        Span {
            file: Arc::clone(&self.source),
            start: range.start,
            end: range.end,
        }
    }

    /// `line 4 of `pelts.csv`, column `hare``.
    pub fn words(&self, span: &Span, column: usize) -> String {
        let (line, _) = self.source.line_column(span.start);
        let column = self.header.get(column).map_or("", String::as_str);
        format!(
            "line {line} of `{}`, column `{}`",
            self.name(),
            shorten(column)
        )
    }

    fn bad_cell(&self, row: usize, column: usize, why: &str) -> Diagnostic {
        let span = self.place(row, column);
        let message = format!(
            "{}: `{}` is {why}",
            self.words(&span, column),
            shorten(span.text())
        );
        let help = if span.text().trim().parse::<f64>().is_ok() {
            "write a finite number, or leave the cell empty if the value is missing"
        } else if span.text().contains(',') {
            "write a decimal point, not a comma"
        } else {
            "write a number, or leave the cell empty if the value is missing"
        };
        Diagnostic::error("data::bad-cell", message, Some(span))
            .with_label(why)
            .with_help(help)
    }

    fn wrong_width(&self, row: usize, found: usize) -> Diagnostic {
        let span = self.line(row);
        let (line, _) = self.source.line_column(span.start);
        let expected = self.header.len();
        let cells = |count: usize| format!("{count} cell{}", if count == 1 { "" } else { "s" });
        Diagnostic::error(
            "data::row-width",
            format!(
                "line {line} of `{}` has {}, the header {}",
                self.name(),
                cells(found),
                cells(expected)
            ),
            Some(span),
        )
        .with_label(cells(found))
        .with_help("give every row a cell for each column; a missing value is an empty cell")
    }

    /// A cell that must not be missing.
    pub fn missing_cell(&self, row: usize, column: usize, why: &str) -> Diagnostic {
        let span = self.place(row, column);
        let message = format!("{}: the value is missing", self.words(&span, column));
        Diagnostic::error("data::missing-cell", message, Some(span))
            .with_label("missing")
            .with_help(format!("{why}: write a number, or remove the row"))
    }

    /// A number that is no place of an index set.
    pub fn bad_place(&self, row: usize, column: usize, why: &str) -> Diagnostic {
        let span = self.place(row, column);
        let message = format!(
            "{}: `{}` is no place",
            self.words(&span, column),
            shorten(span.text())
        );
        Diagnostic::error("data::bad-cell", message, Some(span))
            .with_label("no place")
            .with_help(why)
    }

    /// A time that is not after the one before it.
    pub fn not_ascending(
        &self,
        row: usize,
        column: usize,
        time: f64,
        before: f64,
        strictly: bool,
    ) -> Diagnostic {
        let span = self.place(row, column);
        let relation = if strictly { "not after" } else { "before" };
        let message = format!(
            "{}: the time {time} is {relation} {before}, the time of the row above",
            self.words(&span, column)
        );
        Diagnostic::error("data::not-monotone", message, Some(span))
            .with_label(format!("{relation} {before}"))
            .with_help(if strictly {
                "sort the rows by time, and give each time once"
            } else {
                "sort the rows by time; several rows of one time are replicates"
            })
    }

    /// A time outside the span that is solved.
    pub fn outside(
        &self,
        row: usize,
        column: usize,
        time: f64,
        [start, end]: [f64; 2],
    ) -> Diagnostic {
        let span = self.place(row, column);
        let (side, limit, key) = match (time < start && time < end, end < start) {
            (true, false) => ("before the start", start, "start"),
            (false, false) => ("after the end", end, "end"),
            (true, true) => ("before the end", end, "end"),
            (false, true) => ("after the start", start, "start"),
        };
        let message = format!(
            "{}: the time {time} is {side}, {limit}",
            self.words(&span, column)
        );
        Diagnostic::error("data::outside-time-span", message, Some(span))
            .with_label(side)
            .with_help(format!("change `scenario.time.{key}`, or remove the row"))
    }

    /// A value that must be above zero.
    pub fn not_positive(&self, row: usize, column: usize, why: &str) -> Diagnostic {
        let span = self.place(row, column);
        let message = format!(
            "{}: `{}` is not above zero",
            self.words(&span, column),
            shorten(span.text())
        );
        Diagnostic::error("data::not-positive", message, Some(span))
            .with_label("not above zero")
            .with_help(why)
    }

    /// A value that must be a whole number, not negative.
    pub fn not_a_count(&self, row: usize, column: usize, model: &str) -> Diagnostic {
        let span = self.place(row, column);
        let message = format!(
            "{}: `{}` is no count",
            self.words(&span, column),
            shorten(span.text())
        );
        Diagnostic::error("data::not-a-count", message, Some(span))
            .with_label("not a whole number, 0 or above")
            .with_help(format!(
                "{model} noise is for counts: leave the cell empty, or use `model = \"normal\"`"
            ))
    }

    /// A file with a header and no row.
    pub fn no_rows(&self) -> Diagnostic {
        let span = self.line(self.header_at);
        Diagnostic::error(
            "data::empty",
            format!("`{}` has a header, but no row", self.name()),
            Some(span),
        )
        .with_label("nothing below the header")
        .with_help("write a line for each time")
    }
}

/// A cell's text without blanks around it. The whole file is UTF-8, and cells are cut at ASCII characters.
fn cell_text(record: &csv::ByteRecord, column: usize) -> &str {
    record
        .get(column)
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .unwrap_or("")
        .trim()
}
