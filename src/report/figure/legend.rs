//! The legend: entries in rows above the panels, where they can cover no data.

use super::canvas::{Align, Canvas, TextLook};
use super::chart::Ink;
use super::font::{ellipsize, text_width};
use super::palette::INK;

/// Letter size of legend entries in pixels.
const SIZE: f64 = 13.5;
/// Height of a row in pixels.
const ROW: f64 = 21.0;
/// Width of the line or marker sample in pixels.
const SAMPLE: f64 = 38.0;
/// Width of a sample that is only a marker.
const DOT_SAMPLE: f64 = 10.0;
/// Between sample and label.
const GAP: f64 = 7.0;
/// Between entries.
const BETWEEN: f64 = 24.0;

/// One entry of a legend.
#[derive(Clone, Debug, PartialEq)]
pub struct LegendEntry {
    /// The text.
    pub label: String,
    /// Color, dash and marker of the sample.
    pub ink: Ink,
    /// The sample shows a line.
    pub line: bool,
    /// The sample shows a data point.
    pub dot: bool,
}

impl LegendEntry {
    fn sample_width(&self) -> f64 {
        if self.line { SAMPLE } else { DOT_SAMPLE }
    }
}

/// An entry in its row.
struct Placed<'a> {
    entry: &'a LegendEntry,
    label: String,
    /// Distance from the row's left end.
    offset: f64,
}

/// Entries placed in centered rows.
pub(super) struct Legend<'a> {
    rows: Vec<Vec<Placed<'a>>>,
    /// Width of the widest row.
    width: f64,
}

impl<'a> Legend<'a> {
    /// Breaks the entries into rows of at most `width` pixels.
    pub(super) fn new(entries: &'a [LegendEntry], width: f64) -> Self {
        let labeled: Vec<(&LegendEntry, String, f64)> = entries
            .iter()
            .map(|entry| {
                let sample = entry.sample_width() + GAP;
                let label = ellipsize(&entry.label, SIZE, false, width - sample);
                let taken = sample + text_width(&label, SIZE, false);
                (entry, label, taken)
            })
            .collect();
        let total: f64 = labeled.iter().map(|(_, _, taken)| taken + BETWEEN).sum();
        // What fills more than one row is set in columns.
        let pitch = (total - BETWEEN > width).then(|| {
            let widest = labeled
                .iter()
                .map(|(_, _, taken)| *taken)
                .fold(0.0, f64::max);
            widest + BETWEEN
        });
        let in_row = pitch.map_or(usize::MAX, |pitch| {
            (((width + BETWEEN) / pitch) as usize).max(1)
        });
        let mut rows: Vec<Vec<Placed<'_>>> = Vec::new();
        let (mut offset, mut widest) = (0.0, 0.0_f64);
        for (entry, label, taken) in labeled {
            if rows.last().is_none_or(|row| row.len() >= in_row) {
                rows.push(Vec::new());
                offset = 0.0;
            }
            widest = widest.max(offset + taken);
            if let Some(row) = rows.last_mut() {
                row.push(Placed {
                    entry,
                    label,
                    offset,
                });
            }
            offset += pitch.unwrap_or(taken + BETWEEN);
        }
        Legend {
            rows,
            width: widest,
        }
    }

    /// Height in pixels.
    pub(super) fn height(&self) -> f64 {
        ROW * self.rows.len() as f64
    }

    /// Draws the rows centered on `middle`, beginning at `top`.
    pub(super) fn draw(&self, canvas: &Canvas<'_>, middle: f64, top: f64) {
        for (i, row) in self.rows.iter().enumerate() {
            let center = top + ROW * (i as f64 + 0.5);
            for Placed {
                entry,
                label,
                offset,
            } in row
            {
                let left = middle - self.width / 2.0 + offset;
                let right = left + entry.sample_width();
                if entry.line {
                    entry.ink.sample_line(canvas, left, right, center);
                }
                if entry.dot {
                    canvas.marker(
                        ((left + right) / 2.0, center),
                        entry.ink.shape(),
                        4.0,
                        entry.ink.color(),
                    );
                }
                canvas.text(
                    label,
                    (right + GAP, center + 0.36 * SIZE),
                    TextLook {
                        size: SIZE,
                        bold: false,
                        color: INK,
                        align: Align::Start,
                        upward: false,
                    },
                );
            }
        }
    }
}
