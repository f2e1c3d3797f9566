//! A table of a PEtab problem: tab-separated values, each with its place.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, SourceFile, Span, nearest};

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    /// the file
    pub file: Arc<SourceFile>,
    /// names of the columns
    pub header: Vec<Cell>,
    /// rows, as wide as the header
    pub rows: Vec<Vec<Cell>>,
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// its text, without blanks around it and quotes
    pub text: String,
    /// its place
    pub span: Span,
}

impl Cell {
    /// Whether nothing is given: an empty cell or NaN.
    pub fn is_missing(&self) -> bool {
        self.text.is_empty() || self.text.eq_ignore_ascii_case("nan")
    }
    /// The number that it is.
    pub fn number(&self) -> Option<f64> {
        self.text.parse::<f64>().ok().filter(|v| !v.is_nan())
    }
}

impl Table {
    /// Reads a table; what is wrong with it is reported.
    pub fn read(file: &Arc<SourceFile>, findings: &mut Vec<Diagnostic>) -> Option<Self> {
        let text = &file.text;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(b'\t')
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut record = csv::ByteRecord::new();
        let mut header: Vec<Cell> = Vec::new();
        let mut rows = Vec::new();
        while let Ok(true) = reader.read_byte_record(&mut record) {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a place in a text in memory"
            )]
            let at = record.position().map_or(0, |place| place.byte() as usize);
            let mut cells = cells(file, &record, at);
            if cells.iter().all(|cell| cell.text.is_empty()) {
                continue;
            }
            if header.is_empty() {
                if let Some(first) = cells.first_mut() {
                    first.text = first.text.trim_start_matches('\u{feff}').to_owned();
                }
                while cells.last().is_some_and(|cell| cell.text.is_empty()) {
                    cells.pop();
                }
                header = cells;
                continue;
            }
            if cells[header.len().min(cells.len())..]
                .iter()
                .any(|cell| !cell.text.is_empty())
            {
                let extra = &cells[header.len()];
                findings.push(
                    Diagnostic::error(
                        "petab::row-width",
                        format!(
                            "a row has {} cells, the header {}",
                            cells.len(),
                            header.len()
                        ),
                        Some(extra.span.clone()),
                    )
                    .with_label("beyond the last column")
                    .with_help("cells are separated by one tab each"),
                );
            }
            let end = cells.last().map(|cell| cell.span.end);
            cells.resize_with(header.len(), || Cell {
                text: String::new(),
                span: Span {
                    file: Arc::clone(file),
                    start: end.unwrap_or(at),
                    end: end.unwrap_or(at),
                },
            });
            rows.push(cells);
        }
        if header.is_empty() {
            let span = Span {
                file: Arc::clone(file),
                start: 0,
                end: 0,
            };
            findings.push(
                Diagnostic::error("petab::empty", "the table is empty", Some(span))
                    .with_help("its first line has the names of the columns"),
            );
            return None;
        }
        for (k, cell) in header.iter().enumerate() {
            if header[..k].iter().any(|other| other.text == cell.text) {
                findings.push(Diagnostic::error(
                    "petab::duplicate",
                    format!("two columns `{}`", cell.text),
                    Some(cell.span.clone()),
                ));
            }
        }
        Some(Self {
            file: Arc::clone(file),
            header,
            rows,
        })
    }

    /// The index of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|cell| cell.text == name)
    }

    /// The index of a column that must be there; reported where it is not.
    pub fn needed(&self, name: &str, findings: &mut Vec<Diagnostic>) -> Option<usize> {
        let found = self.column(name);
        if found.is_none() {
            let last = &self.header[self.header.len() - 1].span;
            let span = Span {
                file: Arc::clone(&self.file),
                start: self.header[0].span.start,
                end: last.end,
            };
            let known = self.header.iter().map(|cell| cell.text.as_str());
            let diagnostic = Diagnostic::error(
                "petab::missing-column",
                format!("there is no column `{name}`"),
                Some(span),
            )
            .with_label("the columns");
            findings.push(match nearest(name, known) {
                Some(near) => diagnostic.with_help(format!("is `{near}` meant to be it?")),
                None => diagnostic.with_help("columns are separated by tabs"),
            });
        }
        found
    }

    /// Warns of columns that are none of these.
    pub fn check_columns(&self, known: &[&str], what: &str, findings: &mut Vec<Diagnostic>) {
        let unread: Vec<&Cell> = self
            .header
            .iter()
            .filter(|cell| !known.contains(&cell.text.as_str()) && !cell.text.is_empty())
            .collect();
        if let Some(first) = unread.first() {
            let names: Vec<String> = unread.iter().map(|c| format!("`{}`", c.text)).collect();
            findings.push(
                Diagnostic::warning(
                    "petab::ignored",
                    format!(
                        "{what}: {} not read, as PEtab has no such column",
                        names.join(", ")
                    ),
                    Some(first.span.clone()),
                )
                .with_label("not read"),
            );
        }
    }
}

/// The cells of a record that starts at a byte.
fn cells(file: &Arc<SourceFile>, record: &csv::ByteRecord, at: usize) -> Vec<Cell> {
    let bytes = file.text.as_bytes();
    let mut from = at;
    // (lines that hold nothing are passed over before a record)
    while bytes.get(from).is_some_and(|b| matches!(b, b'\n' | b'\r')) {
        from += 1;
    }
    record
        .iter()
        .map(|cell| {
            let mut end = from;
            let mut quoted = false;
            while let Some(&byte) = bytes.get(end) {
                match byte {
                    b'"' => quoted = !quoted,
                    b'\t' | b'\n' | b'\r' if !quoted => break,
                    _ => {}
                }
                end += 1;
            }
            let raw = file.text.get(from..end).unwrap_or("");
            let lead = raw.len() - raw.trim_start_matches(' ').len();
            let start = (from + lead).min(end);
            let stop = from + lead.max(raw.trim_end_matches(' ').len());
            from = (end + 1).min(bytes.len());
            Cell {
                text: String::from_utf8_lossy(cell).trim().to_owned(),
                span: Span {
                    file: Arc::clone(file),
                    start,
                    end: stop.min(end),
                },
            }
        })
        .collect()
}
