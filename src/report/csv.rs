//! Columns of numbers and words as CSV.
//!
//! Numbers are written as the shortest decimal that reads back as the same `f64`, so a file loses nothing and stays readable: `0.1`,
//! `1900`, `6.02e23`. A value that is not a number becomes an empty cell, the usual sign for missing; infinities are `inf` and `-inf`.

use std::io::{self, Write};

/// A named column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The heading.
    pub name: String,
    /// What stands below it.
    pub cells: Cells,
}

/// The cells of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Numbers.
    Numbers(Vec<f64>),
    /// Words, such as the name of an experiment.
    Words(Vec<String>),
}

impl Column {
    /// A column of numbers.
    pub fn numbers(name: impl Into<String>, values: impl Into<Vec<f64>>) -> Self {
        Column {
            name: name.into(),
            cells: Cells::Numbers(values.into()),
        }
    }

    /// A column of words.
    pub fn words(name: impl Into<String>, words: impl Into<Vec<String>>) -> Self {
        Column {
            name: name.into(),
            cells: Cells::Words(words.into()),
        }
    }

    fn len(&self) -> usize {
        match &self.cells {
            Cells::Numbers(values) => values.len(),
            Cells::Words(words) => words.len(),
        }
    }

    fn cell(&self, row: usize) -> String {
        match &self.cells {
            Cells::Numbers(values) => values.get(row).copied().map(number).unwrap_or_default(),
            Cells::Words(words) => words.get(row).cloned().unwrap_or_default(),
        }
    }
}

/// The shortest decimal that reads back as `value`; empty for NaN.
pub fn number(value: f64) -> String {
    if value.is_nan() {
        return String::new();
    }
    // Debug formatting is shortest round-trip and takes to exponents where plain digits would run long.
    let text = format!("{value:?}");
    match text.strip_suffix(".0") {
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// Writes a heading row and the columns below it; shorter columns end in empty cells.
///
/// # Errors
/// Whatever `target` reports.
pub fn write_columns(target: impl Write, columns: &[Column]) -> io::Result<()> {
    let mut writer = ::csv::Writer::from_writer(target);
    if columns.is_empty() {
        return writer.flush();
    }
    writer.write_record(columns.iter().map(|column| column.name.as_str()))?;
    let rows = columns.iter().map(Column::len).max().unwrap_or(0);
    for row in 0..rows {
        writer.write_record(columns.iter().map(|column| column.cell(row)))?;
    }
    writer.flush()
}
