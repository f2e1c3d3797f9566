//! Heat maps: rasters of one quantity side by side, with one color scale and its color bar.

use super::axes::{
    self, LABEL_SIZE, LEADING, PANEL_TITLE_SIZE, TICK_SIZE, draw_below, draw_label_left, draw_left,
    look, widest_label,
};
use super::canvas::{Align, Area, Canvas, TextLook};
use super::chart::Axis;
use super::colormap::ColorScale;
use super::font::{text_width, wrap};
use super::palette::{FRAME, INK};
use super::raster::Raster;
use super::ticks::Ticks;

/// Most cells along one side of a drawn raster; more are averaged.
const MOST_CELLS: usize = 512;
/// Between maps side by side.
const GAP: f64 = 14.0;
/// Between the last map and the color bar, and the bar's width.
const BAR: (f64, f64) = (16.0, 14.0);
/// Heights of a map.
const HEIGHTS: (f64, f64) = (60.0, 420.0);

/// Heat maps with one color scale.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMaps {
    /// The maps, row by row.
    pub maps: Vec<HeatMap>,
    /// Maps in a row.
    pub columns: usize,
    /// The axis across, of all maps; its limits are the outer edges of the rasters.
    pub x: Axis,
    /// The axis up.
    pub y: Axis,
    /// Cells are squares where that leaves the maps a sensible shape; else the maps fill the width.
    pub square: bool,
    /// The colors.
    pub colors: ColorScale,
    /// Name and unit of the quantity, along the color bar.
    pub label: String,
}

/// One map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeatMap {
    /// Above the map; may be empty.
    pub title: String,
    /// What it shows.
    pub raster: Raster,
}

/// Room beside the maps of a block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Margins {
    left: f64,
    right: f64,
}

impl Margins {
    /// What the ticks and labels of `maps` take.
    pub(super) fn of(maps: &HeatMaps) -> Self {
        let y = limited(&maps.y, HEIGHTS.1);
        let bar = bar_ticks(&maps.colors, HEIGHTS.1);
        let line = |label: &str| {
            if label.is_empty() {
                0.0
            } else {
                LABEL_SIZE * LEADING
            }
        };
        let numbers = widest_label(bar.marks.iter());
        // A power of ten stands over the bar.
        let factor = text_width(&bar.factor, TICK_SIZE, false) - BAR.1;
        Margins {
            left: widest_label(y.marks.iter()) + 16.0 + line(&maps.y.label),
            right: BAR.0 + BAR.1 + (numbers + 10.0).max(factor) + line(&maps.label) + 4.0,
        }
    }
    /// Room for both.
    pub(super) fn max(self, other: Self) -> Self {
        Margins {
            left: self.left.max(other.left),
            right: self.right.max(other.right),
        }
    }
}

/// The axis of a map, `length` pixels long.
fn limited(axis: &Axis, length: f64) -> Ticks {
    axes::vertical(axis, &[], length)
}

fn bar_ticks(colors: &ColorScale, height: f64) -> Ticks {
    let axis = Axis {
        limits: Some((colors.low, colors.high)),
        ..Axis::default()
    };
    axes::vertical(&axis, &[], height)
}

/// Heat maps, measured.
pub(super) struct HeatLayout<'a> {
    maps: &'a HeatMaps,
    margins: Margins,
    size: (f64, f64),
    x: Ticks,
    y: Ticks,
    titles: Vec<Vec<String>>,
    above: f64,
    below: f64,
    /// white space left of the maps, where they do not fill the width
    indent: f64,
}

impl<'a> HeatLayout<'a> {
    /// Measures `maps` for `width` pixels.
    pub(super) fn new(maps: &'a HeatMaps, width: f64, margins: Margins) -> Self {
        let columns = maps.columns.clamp(1, maps.maps.len().max(1));
        let gaps = GAP * (columns - 1) as f64;
        let room = (width - margins.left - margins.right - gaps) / columns as f64;
        let mut size = (room.max(30.0), if columns == 1 { 330.0 } else { 250.0 });
        if maps.square
            && let Some(raster) = maps.maps.first().map(|m| &m.raster)
        {
            let ratio = raster.rows.max(1) as f64 / raster.columns.max(1) as f64;
            if (0.2..=5.0).contains(&ratio) {
                size.1 = (size.0 * ratio).clamp(HEIGHTS.0, HEIGHTS.1);
                size.0 = (size.1 / ratio).min(size.0);
            } else {
                size.1 = size.1.min(size.0);
            }
        }
        let x = axes::horizontal(&maps.x, &[], 0.0, size.0);
        let y = limited(&maps.y, size.1);
        let bar = bar_ticks(&maps.colors, size.1);
        let titles: Vec<Vec<String>> = maps
            .maps
            .iter()
            .map(|map| wrap(&map.title, PANEL_TITLE_SIZE, true, size.0 + GAP, 2))
            .collect();
        let title_lines = titles.iter().map(Vec::len).max().unwrap_or(0);
        let factors = [&y.factor, &bar.factor];
        let factor_row = if factors.iter().all(|f| f.is_empty()) {
            0.0
        } else {
            18.0
        };
        let titles_height = title_lines as f64 * PANEL_TITLE_SIZE * LEADING;
        let label = if maps.x.label.is_empty() {
            0.0
        } else {
            LABEL_SIZE * LEADING
        };
        let x_factor = if x.factor.is_empty() { 0.0 } else { 17.0 };
        HeatLayout {
            maps,
            indent: columns as f64 * (room - size.0).max(0.0) / 2.0,
            margins,
            size,
            x,
            y,
            titles,
            above: titles_height.max(factor_row) + 8.0,
            below: 22.0 + x_factor + label + 10.0,
        }
    }

    fn columns(&self) -> usize {
        self.maps.columns.clamp(1, self.maps.maps.len().max(1))
    }

    fn rows(&self) -> usize {
        self.maps.maps.len().div_ceil(self.columns()).max(1)
    }

    /// Height in pixels.
    pub(super) fn height(&self) -> f64 {
        self.rows() as f64 * (self.above + self.size.1 + self.below)
    }

    /// Draws them with the upper left corner at `origin`.
    pub(super) fn draw(&self, canvas: &Canvas<'_>, (left, top): (f64, f64)) {
        let columns = self.columns();
        let first = left + self.indent + self.margins.left;
        let frame = |row: usize, column: usize| {
            let x = first + (self.size.0 + GAP) * column as f64;
            let y = top + self.above + (self.above + self.size.1 + self.below) * row as f64;
            Area {
                left: x,
                top: y,
                right: x + self.size.0,
                bottom: y + self.size.1,
            }
        };
        for (i, (map, title)) in self.maps.maps.iter().zip(&self.titles).enumerate() {
            let frame = frame(i / columns, i % columns);
            let raster = map.raster.averaged(MOST_CELLS, MOST_CELLS);
            canvas.image(frame, raster.png(&self.maps.colors));
            canvas.frame(frame, FRAME, 1.0);
            draw_below(canvas, &self.x, frame, true);
            draw_left(canvas, &self.y, frame, i % columns == 0);
            let middle = (frame.left + frame.right) / 2.0;
            for (k, line) in title.iter().rev().enumerate() {
                let up = 7.0 + k as f64 * PANEL_TITLE_SIZE * LEADING;
                let look = TextLook {
                    bold: true,
                    ..look(PANEL_TITLE_SIZE, INK, Align::Middle)
                };
                canvas.text(line, (middle, frame.top - up), look);
            }
            let down = self.below - 10.0 - 0.15 * LABEL_SIZE * LEADING;
            let at = (middle, frame.bottom + down);
            canvas.text(&self.maps.x.label, at, look(LABEL_SIZE, INK, Align::Middle));
            if i % columns == 0 {
                let label = [self.maps.y.label.clone()];
                draw_label_left(
                    canvas,
                    &label,
                    frame,
                    widest_label(self.y.marks.iter()) + 18.0,
                );
            }
        }
        let (upper, lower) = (frame(0, columns - 1), frame(self.rows() - 1, columns - 1));
        self.draw_bar(
            canvas,
            Area {
                left: upper.right + BAR.0,
                top: upper.top,
                right: upper.right + BAR.0 + BAR.1,
                bottom: lower.bottom,
            },
        );
    }

    fn draw_bar(&self, canvas: &Canvas<'_>, area: Area) {
        let ticks = bar_ticks(&self.maps.colors, area.height());
        let colors = &self.maps.colors;
        let steps = 128;
        let at = |k: usize| {
            colors.low + (colors.high - colors.low) * (k as f64 + 0.5) / f64::from(steps as u16)
        };
        let ramp = Raster {
            columns: 1,
            rows: steps,
            values: (0..steps).map(at).collect(),
        };
        canvas.image(area, ramp.png(colors));
        canvas.frame(area, FRAME, 1.0);
        for (value, label) in &ticks.marks {
            if let Some(fraction) = ticks.fraction(*value) {
                let y = area.bottom - fraction * area.height();
                canvas.line((area.right, y), (area.right + 4.0, y), FRAME, 1.0);
                let at = (area.right + 8.0, y + 0.36 * TICK_SIZE);
                canvas.text(label, at, look(TICK_SIZE, INK, Align::Start));
            }
        }
        let at = (area.left, area.top - 9.0);
        canvas.text(&ticks.factor, at, look(TICK_SIZE, INK, Align::Start));
        let label = wrap(&self.maps.label, LABEL_SIZE, false, area.height(), 1);
        let beside = widest_label(ticks.marks.iter()) + 14.0 + LABEL_SIZE;
        if let Some(label) = label.first() {
            let look = TextLook {
                upward: true,
                ..look(LABEL_SIZE, INK, Align::Middle)
            };
            let at = (area.right + beside, (area.top + area.bottom) / 2.0);
            canvas.text(label, at, look);
        }
    }
}
