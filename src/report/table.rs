//! Aligned tables for terminals and logs.
//!
//! Numbers are set flush right, words flush left, and an estimate's standard error decides how many digits its value shows: 0.5472 ±
//! 0.0031. Nothing depends on color.

/// Significant digits of a plain number.
const DIGITS: i32 = 5;
/// Spaces between columns.
const GAP: &str = "  ";

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Headings with units, such as `alpha (1/year)`.
    pub headings: Vec<String>,
    /// Rows of cells; a missing cell is empty.
    pub rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A count, written in full.
    Count(u64),
    /// A number to five significant digits.
    Number(f64),
    /// A value with its standard error to two significant digits.
    Estimate {
        /// The value.
        value: f64,
        /// Its standard error; not finite where it is not known.
        error: f64,
    },
    /// Nothing.
    Empty,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Cell::Number(value)
    }
}

/// Columns a terminal gives `text`: two for East Asian wide characters, none for combining marks and controls, one for all else.
pub fn display_width(text: &str) -> usize {
    text.chars()
        .map(|c| match u32::from(c) {
            0..=0x1F
            | 0x7F..=0x9F
            | 0x300..=0x36F
            | 0x200B..=0x200F
            | 0x20D0..=0x20FF
            | 0xFE00..=0xFE0F => 0,
            0x1100..=0x115F
            | 0x2E80..=0xA4CF
            | 0xAC00..=0xD7A3
            | 0xF900..=0xFAFF
            | 0xFE30..=0xFE4F
            | 0xFF00..=0xFF60
            | 0xFFE0..=0xFFE6
            | 0x1F300..=0x1FAFF
            | 0x20000..=0x3FFFD => 2,
            _ => 1,
        })
        .sum()
}

/// The decimal exponent of a value once rounded to `digits` significant digits; `None` for zero and what is not finite.
fn exponent_of(value: f64, digits: i32) -> Option<i32> {
    if value == 0.0 || !value.is_finite() {
        return None;
    }
    let decimals = (digits - 1).max(0) as usize;
    let text = format!("{:.decimals$e}", value.abs());
    text.split_once('e').and_then(|(_, e)| e.parse().ok())
}

fn special(value: f64) -> String {
    if value.is_nan() {
        "n/a".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "inf" } else { "-inf" }.to_owned()
    } else {
        "0".to_owned()
    }
}

/// A number to `digits` significant digits without trailing zeros, with an exponent below 0.001 and from a million on.
///
/// `n/a` stands for NaN. Whole numbers below a million keep all their digits.
pub fn significant(value: f64, digits: u8) -> String {
    let digits = i32::from(digits.clamp(1, 17));
    let Some(exponent) = exponent_of(value, digits) else {
        return special(value);
    };
    let trim = |text: String| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    };
    if (-3..6).contains(&exponent) {
        let decimals = (digits - 1 - exponent).max(0) as usize;
        return trim(format!("{value:.decimals$}"));
    }
    let decimals = (digits - 1) as usize;
    let text = format!("{value:.decimals$e}");
    match text.split_once('e') {
        Some((mantissa, power)) => format!("{}e{power}", trim(mantissa.to_owned())),
        None => text,
    }
}

/// A value and its standard error as two texts: the error to two significant digits, the value to the same decimal place.
///
/// Where the error is not a positive finite number the value has five significant digits and the error is `n/a` (or `0`).
pub fn estimate(value: f64, error: f64) -> (String, String) {
    let fallback = || {
        let error = if error.is_finite() {
            significant(error, 2)
        } else {
            special(error)
        };
        (significant(value, DIGITS as u8), error)
    };
    let (Some(place), true) = (exponent_of(error, 2), value.is_finite() && error > 0.0) else {
        return fallback();
    };
    let leading = exponent_of(value, 2).unwrap_or(place).max(place);
    // More digits than an f64 holds would be invented.
    if leading - place > 14 {
        return fallback();
    }
    let power = if (-3..6).contains(&leading) {
        0
    } else {
        leading
    };
    let decimals = (power - place + 1).clamp(0, 17) as usize;
    if power == 0 {
        // An error of 120 is rounded to tens in both numbers by printing no decimals at all.
        return (format!("{value:.decimals$}"), format!("{error:.decimals$}"));
    }
    let scaled = |x: f64| {
        // Two factors, since 10^-power alone may overflow for the smallest numbers.
        let half = power / 2;
        let y = x / 10f64.powi(half) / 10f64.powi(power - half);
        format!("{y:.decimals$}e{power}")
    };
    (scaled(value), scaled(error))
}

impl Cell {
    /// The cell's text in two parts that align at the `±`; the second is empty for all but estimates.
    fn parts(&self) -> (String, String) {
        match self {
            Cell::Text(text) => (printable(text), String::new()),
            Cell::Count(count) => (count.to_string(), String::new()),
            Cell::Number(value) => (significant(*value, DIGITS as u8), String::new()),
            Cell::Estimate { value, error } => estimate(*value, *error),
            Cell::Empty => (String::new(), String::new()),
        }
    }
}

/// Control characters would move the cursor; they become spaces.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn pad(text: &str, width: usize, right: bool) -> String {
    let space = " ".repeat(width.saturating_sub(display_width(text)));
    if right {
        format!("{space}{text}")
    } else {
        format!("{text}{space}")
    }
}

impl Table {
    /// A table without rows.
    pub fn new<S: Into<String>>(headings: impl IntoIterator<Item = S>) -> Self {
        Table {
            headings: headings.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = Cell>) {
        self.rows.push(row.into_iter().collect());
    }

    /// The table as lines of text, each ending in a newline: headings, a rule, rows.
    pub fn render(&self) -> String {
        let columns = self
            .rows
            .iter()
            .map(Vec::len)
            .fold(self.headings.len(), usize::max);
        // Column by column: each becomes texts of one width.
        let set: Vec<(Vec<String>, usize)> = (0..columns).map(|c| self.set_column(c)).collect();
        let lines = self.rows.len() + 1;
        let mut text = String::new();
        for line in 0..lines {
            let cells: Vec<&str> = set.iter().map(|(cells, _)| cells[line].as_str()).collect();
            text.push_str(cells.join(GAP).trim_end());
            text.push('\n');
            if line == 0 {
                let rules: Vec<String> = set.iter().map(|(_, width)| "-".repeat(*width)).collect();
                text.push_str(&rules.join(GAP));
                text.push('\n');
            }
        }
        text
    }

    fn set_column(&self, column: usize) -> (Vec<String>, usize) {
        let cells: Vec<&Cell> = self
            .rows
            .iter()
            .map(|row| row.get(column).unwrap_or(&Cell::Empty))
            .collect();
        let parts: Vec<(String, String)> = cells.iter().map(|cell| cell.parts()).collect();
        let width_of = |part: fn(&(String, String)) -> &str| {
            parts
                .iter()
                .map(|p| display_width(part(p)))
                .max()
                .unwrap_or(0)
        };
        let estimates = cells.iter().any(|c| matches!(c, Cell::Estimate { .. }));
        let errors = width_of(|p| &p.1);
        let values = if estimates {
            // Words in a column of estimates span both parts.
            let numbers = cells.iter().zip(&parts);
            numbers
                .filter(|(cell, _)| !matches!(cell, Cell::Text(_)))
                .map(|(_, p)| display_width(&p.0))
                .max()
                .unwrap_or(0)
        } else {
            0
        };
        let texts: Vec<String> = cells
            .iter()
            .zip(&parts)
            .map(|(cell, (value, error))| match cell {
                Cell::Estimate { .. } => {
                    format!(
                        "{} ± {}",
                        pad(value, values, true),
                        pad(error, errors, true)
                    )
                }
                Cell::Number(_) | Cell::Count(_) if estimates => {
                    format!("{}   {}", pad(value, values, true), " ".repeat(errors))
                }
                _ => value.clone(),
            })
            .collect();
        let heading = printable(self.headings.get(column).map_or("", String::as_str));
        let right = cells
            .iter()
            .any(|c| !matches!(c, Cell::Text(_) | Cell::Empty));
        let width = texts
            .iter()
            .map(|t| display_width(t))
            .fold(display_width(&heading), usize::max);
        let set = std::iter::once(&heading)
            .chain(&texts)
            .map(|t| pad(t, width, right))
            .collect();
        (set, width)
    }
}
