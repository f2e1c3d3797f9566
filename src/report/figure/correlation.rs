//! Correlations of named quantities: the lower triangle of the matrix in colors, with numbers where they have room.

use super::axes::{TICK_SIZE, look};
use super::canvas::{Align, Area, TextLook, draw_svg};
use super::colormap::{ColorMap, ColorScale};
use super::font::{ellipsize, text_width};
use super::heading::{Heading, MARGIN};
use super::palette::{FRAME, INK};
use super::raster::Raster;
use super::{Figure, FigureError};

/// Sides of a cell.
const CELL: (f64, f64) = (14.0, 56.0);
/// Least side of a cell that has room for a number.
const NUMBERED: f64 = 36.0;
/// Longest name, in pixels.
const LONGEST_NAME: f64 = 170.0;

/// A correlation matrix with the names of its rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Correlation {
    /// Above the figure.
    pub title: String,
    /// A gray line under the title; may be empty.
    pub note: String,
    /// Names of rows and columns.
    pub names: Vec<String>,
    /// `matrix[row][column]`, between -1 and 1; what is not finite is drawn gray.
    pub matrix: Vec<Vec<f64>>,
}

impl Correlation {
    /// Lays out and draws the figure.
    ///
    /// # Errors
    /// [`FigureError::Draw`] when the SVG backend or a raster's encoder fails.
    pub fn draw(&self) -> Result<Figure, FigureError> {
        let count = self.names.len().max(1);
        let cell = (620.0 / count as f64).clamp(CELL.0, CELL.1);
        let names: Vec<String> = self
            .names
            .iter()
            .map(|name| ellipsize(name, TICK_SIZE, false, LONGEST_NAME))
            .collect();
        let widest = names
            .iter()
            .map(|n| text_width(n, TICK_SIZE, false))
            .fold(0.0, f64::max);
        let side = cell * count as f64;
        let left = MARGIN + widest + 10.0;
        // names under the columns read upward; the color bar stands in the empty upper triangle where that has room
        let width = (left + side + 90.0).max(460.0);
        let heading = Heading::new(&self.title, &self.note, width);
        let top = heading.height() + 12.0;
        let height = (top + side + widest + 2.0 * MARGIN).ceil();
        let scale = ColorScale {
            map: ColorMap::Diverging,
            low: -1.0,
            high: 1.0,
        };
        let svg = draw_svg(width, height, |canvas| {
            heading.draw(canvas);
            for (row, name) in names.iter().enumerate() {
                let middle = top + (row as f64 + 0.5) * cell;
                let at = (left - 8.0, middle + 0.36 * TICK_SIZE);
                canvas.text(name, at, look(TICK_SIZE, INK, Align::End));
                let across = left + (row as f64 + 0.5) * cell + 0.36 * TICK_SIZE;
                let upward = TextLook {
                    upward: true,
                    ..look(TICK_SIZE, INK, Align::End)
                };
                canvas.text(name, (across, top + side + 8.0), upward);
                for column in 0..=row {
                    let value = self.matrix.get(row).and_then(|r| r.get(column));
                    let value = value.copied().unwrap_or(f64::NAN);
                    let area = Area {
                        left: left + column as f64 * cell,
                        top: top + row as f64 * cell,
                        right: left + (column + 1) as f64 * cell,
                        bottom: top + (row + 1) as f64 * cell,
                    };
                    let color = if value.is_finite() {
                        scale.map.color(0.5 + 0.5 * value)
                    } else {
                        super::palette::MISSING
                    };
                    canvas.fill(area, color);
                    canvas.frame(area, plotters::style::WHITE, 1.0);
                    if cell >= NUMBERED && value.is_finite() {
                        let text = format!("{value:.2}");
                        let text = if text == "-0.00" { "0.00".into() } else { text };
                        let ink = if value.abs() > 0.75 {
                            plotters::style::WHITE
                        } else {
                            INK
                        };
                        let at = ((area.left + area.right) / 2.0, middle + 0.36 * TICK_SIZE);
                        canvas.text(&text, at, look(TICK_SIZE, ink, Align::Middle));
                    }
                }
            }
            let bar = Area {
                left: left + side + 22.0,
                top,
                right: left + side + 36.0,
                bottom: top + side.min(220.0),
            };
            let steps = 128;
            let ramp = Raster {
                columns: 1,
                rows: steps,
                values: (0..steps)
                    .map(|k| -1.0 + 2.0 * (k as f64 + 0.5) / steps as f64)
                    .collect(),
            };
            canvas.image(bar, ramp.png(&scale));
            canvas.frame(bar, FRAME, 1.0);
            for (value, label) in [(-1.0, "-1"), (0.0, "0"), (1.0, "1")] {
                let y = bar.bottom - (value + 1.0) / 2.0 * bar.height();
                canvas.line((bar.right, y), (bar.right + 4.0, y), FRAME, 1.0);
                let at = (bar.right + 8.0, y + 0.36 * TICK_SIZE);
                canvas.text(label, at, look(TICK_SIZE, INK, Align::Start));
            }
        })
        .map_err(|message| FigureError::Draw { message })?;
        Ok(Figure { svg, width, height })
    }
}
