//! Where the panels of a plot go.
//!
//! Everything is measured before it is placed. Margins follow the widest tick label, the legend wraps into rows, and the figure grows
//! downward for what it has to hold, so that nothing is cut off and no text lies on data.

use super::axes::{
    self, LABEL_SIZE, LEADING, PANEL_TITLE_SIZE, draw_label_left, look, widest_label,
};
use super::canvas::{Align, Area, Canvas, TextLook};
use super::chart::{Axis, Layer, Panel, Plot};
use super::font::wrap;
use super::legend::Legend;
use super::palette::INK;
use super::panel::{self, points, y_extents};
use super::ticks::{Scale, Ticks};

/// White space right of each frame.
const RIGHT: f64 = 14.0;
/// Heights of a frame whose units are equal on both axes.
const EQUAL_HEIGHT: (f64, f64) = (240.0, 520.0);

/// Height of a name on the vertical axis.
const NAME_ROW: f64 = 18.0;

/// A panel with its axes.
struct Prepared<'a> {
    panel: &'a Panel,
    x: Ticks,
    y: Ticks,
    title: Vec<String>,
    x_label: Vec<String>,
    y_label: Vec<String>,
}

/// A plot without its title and note, measured for a width.
pub(super) struct PlotLayout<'a> {
    legend: Legend<'a>,
    legend_gap: f64,
    panels: Vec<Prepared<'a>>,
    columns: usize,
    width: f64,
    frame: (f64, f64),
    widest_ticks: Vec<f64>,
    left: f64,
    above: f64,
    below: f64,
    factor_row: f64,
    x_factor_row: f64,
}

impl<'a> PlotLayout<'a> {
    /// Measures `plot` for `width` pixels.
    pub(super) fn new(plot: &'a Plot, width: f64) -> Self {
        let columns = columns(plot.panels.len(), width);
        let cell = width / columns as f64;
        let guessed_width = (cell - 120.0).max(40.0);
        let frame_height = plot
            .panels
            .iter()
            .filter_map(|panel| equal_height(panel, guessed_width))
            .fold(None, |most: Option<f64>, h| {
                Some(most.map_or(h, |m| m.max(h)))
            })
            .unwrap_or(match columns {
                1 => 380.0,
                2 => 250.0,
                3 => 185.0,
                _ => 150.0,
            });
        // Names on the vertical axis are all shown, a row each.
        let names = plot.panels.iter().map(|panel| panel.y.names.len());
        let frame_height = frame_height.max(NAME_ROW * names.max().unwrap_or(0) as f64);

        let heights: Vec<Ticks> = plot
            .panels
            .iter()
            .map(|panel| vertical_axis(panel, guessed_width, frame_height))
            .collect();
        // One margin for all keeps frames aligned; a label still stands beside the ticks of its own column.
        let widest_ticks: Vec<f64> = (0..columns)
            .map(|column| {
                let axes = heights.iter().skip(column).step_by(columns);
                widest_label(axes.flat_map(|ticks| ticks.marks.iter()))
            })
            .collect();
        let widest_tick = widest_ticks.iter().copied().fold(0.0, f64::max);
        let y_labels: Vec<Vec<String>> = plot
            .panels
            .iter()
            .map(|p| wrap(&p.y.label, LABEL_SIZE, false, frame_height, 4))
            .collect();
        let y_label_lines = y_labels.iter().map(Vec::len).max().unwrap_or(0);
        let left = y_label_lines as f64 * LABEL_SIZE * LEADING + widest_tick + 16.0;
        let frame_width = (cell - left - RIGHT).max(40.0);
        let panels: Vec<Prepared<'_>> = plot
            .panels
            .iter()
            .zip(heights)
            .zip(y_labels)
            .map(|((panel, y), y_label)| Prepared {
                panel,
                x: horizontal_axis(panel, &y, frame_width, frame_height),
                y,
                title: wrap(&panel.title, PANEL_TITLE_SIZE, true, frame_width, 2),
                x_label: wrap(&panel.x.label, LABEL_SIZE, false, frame_width, 2),
                y_label,
            })
            .collect();
        let x_label_lines = panels.iter().map(|p| p.x_label.len()).max().unwrap_or(0);
        // A power of ten or an offset of the horizontal axis has a row of its own under the tick labels.
        let x_factor_row = if panels.iter().any(|p| !p.x.factor.is_empty()) {
            17.0
        } else {
            0.0
        };
        let title_lines = panels.iter().map(|p| p.title.len()).max().unwrap_or(0);
        let factor_row = if panels.iter().any(|p| !p.y.factor.is_empty()) {
            21.0
        } else {
            0.0
        };
        PlotLayout {
            legend: Legend::new(&plot.legend, width),
            legend_gap: if plot.legend.is_empty() { 0.0 } else { 8.0 },
            panels,
            columns,
            width,
            frame: (frame_width, frame_height),
            widest_ticks,
            left,
            above: title_lines as f64 * PANEL_TITLE_SIZE * LEADING + factor_row + 8.0,
            below: 22.0 + x_factor_row + x_label_lines as f64 * LABEL_SIZE * LEADING + 10.0,
            factor_row,
            x_factor_row,
        }
    }

    fn row_height(&self) -> f64 {
        self.above + self.frame.1 + self.below
    }

    /// Height in pixels.
    pub(super) fn height(&self) -> f64 {
        let rows = self.panels.len().div_ceil(self.columns);
        self.legend.height() + self.legend_gap + rows as f64 * self.row_height()
    }

    /// Draws it with its upper left corner at `origin`.
    pub(super) fn draw(&self, canvas: &Canvas<'_>, (left, top): (f64, f64)) {
        let middle = left + self.width / 2.0;
        self.legend
            .draw(canvas, middle, top + self.legend_gap / 2.0);
        let top = top + self.legend.height() + self.legend_gap;
        let cell = self.width / self.columns as f64;
        for (i, prepared) in self.panels.iter().enumerate() {
            let x0 = left + cell * (i % self.columns) as f64 + self.left;
            let y0 = top + self.row_height() * (i / self.columns) as f64 + self.above;
            let frame = Area {
                left: x0,
                top: y0,
                right: x0 + self.frame.0,
                bottom: y0 + self.frame.1,
            };
            panel::draw(canvas, prepared.panel, &prepared.x, &prepared.y, frame);
            let middle = (frame.left + frame.right) / 2.0;
            for (k, line) in prepared.title.iter().rev().enumerate() {
                let up = self.factor_row + 7.0 + k as f64 * PANEL_TITLE_SIZE * LEADING;
                let look = look(PANEL_TITLE_SIZE, INK, Align::Middle);
                canvas.text(line, (middle, y0 - up), TextLook { bold: true, ..look });
            }
            for (k, line) in prepared.x_label.iter().enumerate() {
                let down = 24.0 + self.x_factor_row + (k as f64 + 0.85) * LABEL_SIZE * LEADING;
                let at = (middle, frame.bottom + down);
                canvas.text(line, at, look(LABEL_SIZE, INK, Align::Middle));
            }
            let beside = self.widest_ticks[i % self.columns] + 18.0;
            draw_label_left(canvas, &prepared.y_label, frame, beside);
        }
    }
}

/// Columns of a grid of so many panels.
fn columns(panels: usize, width: f64) -> usize {
    let most = (width / 210.0).max(1.0) as usize;
    let wanted = match panels {
        0 | 1 => 1,
        2..=4 => 2,
        5..=12 => 3,
        _ => 4,
    };
    wanted.min(most)
}

/// Least and largest of what is finite.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|v| v.is_finite())
        .fold(None, |range: Option<(f64, f64)>, v| {
            Some(range.map_or((v, v), |(low, high)| (low.min(v), high.max(v))))
        })
}

/// Limits across and up of a panel with equal units, with room round the data; `None` where there is nothing to draw.
fn extents(panel: &Panel) -> Option<[(f64, f64); 2]> {
    let across = panel
        .x
        .limits
        .or_else(|| range(points(panel).map(|p| p.0)))?;
    let up = panel
        .y
        .limits
        .or_else(|| range(points(panel).map(|p| p.1)))?;
    let size = (across.1 - across.0).max(up.1 - up.0);
    let size = if size > 0.0 && size.is_finite() {
        size
    } else {
        1.0
    };
    let room = |(low, high): (f64, f64)| (low - 0.04 * size, high + 0.04 * size);
    Some([room(across), room(up)])
}

/// The height that suits the data of a panel with equal units.
fn equal_height(panel: &Panel, width: f64) -> Option<f64> {
    if !panel.equal_units {
        return None;
    }
    let [across, up] = extents(panel)?;
    let height = width * (up.1 - up.0) / (across.1 - across.0);
    Some(height.clamp(EQUAL_HEIGHT.0, EQUAL_HEIGHT.1))
}

/// The axis with the limits `middle` ± `half`.
fn centered(axis: &Axis, (low, high): (f64, f64), half: f64) -> Axis {
    let middle = 0.5 * (low + high);
    Axis {
        scale: Scale::Linear,
        limits: Some((middle - half, middle + half)),
        ..axis.clone()
    }
}

/// The vertical axis of a frame; `width` is at most what the frame will have.
fn vertical_axis(panel: &Panel, width: f64, height: f64) -> Ticks {
    let values: Vec<f64> = y_extents(panel).collect();
    match extents(panel).filter(|_| panel.equal_units) {
        Some([across, up]) => {
            let unit = ((across.1 - across.0) / width).max((up.1 - up.0) / height);
            let axis = centered(&panel.y, up, 0.5 * unit * height);
            axes::vertical(&axis, &values, height)
        }
        None => axes::vertical(&panel.y, &values, height),
    }
}

/// The horizontal axis of a frame whose vertical one is `y`.
fn horizontal_axis(panel: &Panel, y: &Ticks, width: f64, height: f64) -> Ticks {
    let has_dots = panel
        .layers
        .iter()
        .any(|layer| matches!(layer, Layer::Dots { .. }));
    let padding = if has_dots { 0.02 } else { 0.0 };
    let values: Vec<f64> = points(panel).map(|(x, _)| x).collect();
    match extents(panel).filter(|_| panel.equal_units) {
        Some([across, _]) => {
            let half = 0.5 * width * (y.high - y.low) / height;
            let axis = centered(&panel.x, across, half);
            axes::horizontal(&axis, &values, padding, width)
        }
        None => axes::horizontal(&panel.x, &values, padding, width),
    }
}
