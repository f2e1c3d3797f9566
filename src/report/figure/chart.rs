//! The general plot: a grid of panels with axes, a title and a legend.
//!
//! Everything is measured before it is placed. Margins follow the widest tick label, the legend wraps into rows, and the figure grows
//! downward for what it has to hold, so that nothing is cut off and no text lies on data.

use super::canvas::{Align, Area, Canvas, TextLook, draw_svg};
use super::font::{text_width, wrap};
use super::legend::{Legend, LegendEntry};
use super::palette::{self, BAND, FRAME, GRAY, GRID, INK, Shape};
use super::ticks::{Scale, Ticks};
use super::{Figure, FigureError};
use plotters::style::RGBColor;

/// Width of every figure in pixels.
const WIDTH: f64 = 900.0;
/// White space round the figure.
const MARGIN: f64 = 14.0;
const TITLE_SIZE: f64 = 18.0;
const PANEL_TITLE_SIZE: f64 = 14.0;
const LABEL_SIZE: f64 = 14.0;
const TICK_SIZE: f64 = 13.0;
const NOTE_SIZE: f64 = 13.0;
/// Height of a text line over its letter size.
const LEADING: f64 = 1.35;

/// A figure to be drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plot {
    /// Above everything; may be empty.
    pub title: String,
    /// A line under the title in gray; may be empty.
    pub note: String,
    /// Entries above the panels.
    pub legend: Vec<LegendEntry>,
    /// Panels, row by row.
    pub panels: Vec<Panel>,
}

/// One pair of axes with what is drawn on them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// Above the panel; may be empty.
    pub title: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Drawn in order, later ones on top.
    pub layers: Vec<Layer>,
}

/// One axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    /// Name and unit, such as `hare (1000 pelts)`.
    pub label: String,
    /// How values map to positions.
    pub scale: Scale,
    /// Limits in data units in place of those found from the data.
    pub limits: Option<(f64, f64)>,
    /// Ticks at integers only, for counts.
    pub whole: bool,
}

impl Axis {
    /// A linear axis labeled `name (unit)`, or `name` when there is no unit.
    pub fn quantity(name: &str, unit: &str) -> Self {
        let label = if unit.is_empty() {
            name.to_owned()
        } else {
            format!("{name} ({unit})")
        };
        Axis {
            label,
            ..Axis::default()
        }
    }
}

/// Color, dash and marker of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Those of the series with this index.
    Series(usize),
    /// The color and marker of the series with this index, its line solid.
    Solid(usize),
    /// Gray, solid, with round markers: for what belongs to no one series.
    Gray,
    /// Light gray, solid: context behind the line that matters.
    Faint,
}

impl Ink {
    pub(super) fn color(self) -> RGBColor {
        match self {
            Ink::Series(i) | Ink::Solid(i) => palette::color(i),
            Ink::Gray => GRAY,
            Ink::Faint => palette::FAINT,
        }
    }
    pub(super) fn shape(self) -> Shape {
        match self {
            Ink::Series(i) | Ink::Solid(i) => palette::shape(i),
            Ink::Gray | Ink::Faint => Shape::Circle,
        }
    }
    fn dash(self) -> &'static [f64] {
        match self {
            Ink::Series(i) => palette::dash(i),
            Ink::Solid(_) | Ink::Gray | Ink::Faint => &[],
        }
    }
    pub(super) fn sample_line(self, canvas: &Canvas<'_>, left: f64, right: f64, y: f64) {
        let area = Area {
            left,
            top: y,
            right,
            bottom: y,
        };
        canvas.curve(
            &[(left, y), (right, y)],
            area,
            self.dash(),
            self.color(),
            2.0,
        );
    }
}

/// Something drawn on a panel, in data units. Points that are not finite are left out and break lines.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// A line through points.
    Line {
        /// Its look.
        ink: Ink,
        /// Stroke width in pixels; 2 is usual, less for what is only context.
        width: f64,
        /// The points in order.
        points: Vec<(f64, f64)>,
    },
    /// Separate points.
    Dots {
        /// Their look.
        ink: Ink,
        /// The points.
        points: Vec<(f64, f64)>,
        /// Half-length of each point's error bar; empty for none.
        errors: Vec<f64>,
    },
    /// A shaded band between two heights across the panel.
    Band {
        /// Lower edge.
        low: f64,
        /// Upper edge.
        high: f64,
    },
    /// A thin gray line across the panel.
    Level(f64),
    /// A conspicuous point with a word beside it.
    Mark {
        /// Where.
        at: (f64, f64),
        /// The word.
        label: String,
    },
}

/// What the grid needs to know of a panel before placing it.
struct Prepared<'a> {
    panel: &'a Panel,
    x: Ticks,
    y: Ticks,
    empty: bool,
}

impl Plot {
    /// A single line through points on linear axes.
    pub fn line(title: &str, x: Axis, y: Axis, points: Vec<(f64, f64)>) -> Self {
        Plot {
            title: title.to_owned(),
            panels: vec![Panel {
                x,
                y,
                layers: vec![Layer::Line {
                    ink: Ink::Solid(0),
                    width: 2.0,
                    points,
                }],
                ..Panel::default()
            }],
            ..Plot::default()
        }
    }

    /// Lays out and draws the figure.
    ///
    /// # Errors
    /// [`FigureError::Draw`] when the SVG backend fails.
    pub fn draw(&self) -> Result<Figure, FigureError> {
        let columns = match self.panels.len() {
            0 | 1 => 1,
            2..=4 => 2,
            5..=12 => 3,
            _ => 4,
        };
        let frame_height = match columns {
            1 => 380.0,
            2 => 250.0,
            3 => 185.0,
            _ => 150.0,
        };
        let rows = self.panels.len().div_ceil(columns);
        let inner = WIDTH - 2.0 * MARGIN;
        let cell = inner / columns as f64;

        let heights: Vec<Ticks> = self
            .panels
            .iter()
            .map(|panel| vertical_axis(panel, frame_height))
            .collect();
        // One margin for all keeps frames aligned; a label still stands beside the ticks of its own column.
        let widest_ticks: Vec<f64> = (0..columns)
            .map(|column| {
                let axes = heights.iter().skip(column).step_by(columns);
                widest_label(axes.flat_map(|ticks| ticks.marks.iter()))
            })
            .collect();
        let widest_tick = widest_ticks.iter().copied().fold(0.0, f64::max);
        let y_labels: Vec<Vec<String>> = self
            .panels
            .iter()
            .map(|p| wrap(&p.y.label, LABEL_SIZE, false, frame_height, 4))
            .collect();
        let y_label_lines = y_labels.iter().map(Vec::len).max().unwrap_or(0);
        let left = y_label_lines as f64 * LABEL_SIZE * LEADING + widest_tick + 16.0;
        let right = 14.0;
        let frame_width = (cell - left - right).max(40.0);
        let prepared: Vec<Prepared<'_>> = self
            .panels
            .iter()
            .zip(heights)
            .map(|(panel, y)| {
                let x = horizontal_axis(panel, frame_width);
                let empty = !points(panel)
                    .any(|(px, py)| x.fraction(px).is_some() && y.fraction(py).is_some());
                Prepared { panel, x, y, empty }
            })
            .collect();
        let x_labels: Vec<Vec<String>> = prepared
            .iter()
            .map(|p| wrap(&p.panel.x.label, LABEL_SIZE, false, frame_width, 2))
            .collect();
        let x_label_lines = x_labels.iter().map(Vec::len).max().unwrap_or(0);
        // A power of ten or an offset of the horizontal axis has a row of its own under the tick labels.
        let x_factor_row = if prepared.iter().any(|p| !p.x.factor.is_empty()) {
            17.0
        } else {
            0.0
        };
        let below = 22.0 + x_factor_row + x_label_lines as f64 * LABEL_SIZE * LEADING + 10.0;
        let titles: Vec<Vec<String>> = self
            .panels
            .iter()
            .map(|p| wrap(&p.title, PANEL_TITLE_SIZE, true, frame_width, 2))
            .collect();
        let title_lines = titles.iter().map(Vec::len).max().unwrap_or(0);
        let factor_row = if prepared.iter().any(|p| !p.y.factor.is_empty()) {
            21.0
        } else {
            0.0
        };
        let above = title_lines as f64 * PANEL_TITLE_SIZE * LEADING + factor_row + 8.0;

        let heading = wrap(&self.title, TITLE_SIZE, true, inner, 3);
        let note = wrap(&self.note, NOTE_SIZE, false, inner, 4);
        let legend = Legend::new(&self.legend, inner);
        let legend_gap = if self.legend.is_empty() { 0.0 } else { 8.0 };
        let top = MARGIN
            + heading.len() as f64 * TITLE_SIZE * LEADING
            + note.len() as f64 * NOTE_SIZE * LEADING
            + legend.height()
            + legend_gap;
        let row_height = above + frame_height + below;
        let height = (top + rows as f64 * row_height + MARGIN / 2.0).ceil();

        let svg = draw_svg(WIDTH, height, |canvas| {
            let mut y = MARGIN;
            for (lines, size, bold, color) in [
                (&heading, TITLE_SIZE, true, INK),
                (&note, NOTE_SIZE, false, GRAY),
            ] {
                for line in lines {
                    y += size * LEADING;
                    let look = look(size, color, Align::Middle);
                    let at = (WIDTH / 2.0, y - 0.3 * size);
                    canvas.text(line, at, TextLook { bold, ..look });
                }
            }
            legend.draw(canvas, WIDTH / 2.0, y + legend_gap / 2.0);
            for (i, prepared) in prepared.iter().enumerate() {
                let x0 = MARGIN + cell * (i % columns) as f64 + left;
                let y0 = top + row_height * (i / columns) as f64 + above;
                let frame = Area {
                    left: x0,
                    top: y0,
                    right: x0 + frame_width,
                    bottom: y0 + frame_height,
                };
                draw_panel(canvas, prepared, frame);
                let middle = (frame.left + frame.right) / 2.0;
                for (k, line) in titles[i].iter().rev().enumerate() {
                    let up = factor_row + 7.0 + k as f64 * PANEL_TITLE_SIZE * LEADING;
                    let look = look(PANEL_TITLE_SIZE, INK, Align::Middle);
                    canvas.text(line, (middle, y0 - up), TextLook { bold: true, ..look });
                }
                for (k, line) in x_labels[i].iter().enumerate() {
                    let down = 24.0 + x_factor_row + (k as f64 + 0.85) * LABEL_SIZE * LEADING;
                    let at = (middle, frame.bottom + down);
                    canvas.text(line, at, look(LABEL_SIZE, INK, Align::Middle));
                }
                for (k, line) in y_labels[i].iter().rev().enumerate() {
                    let x = x0 - widest_ticks[i % columns] - 18.0 - k as f64 * LABEL_SIZE * LEADING;
                    let at = (x, (frame.top + frame.bottom) / 2.0);
                    let look = look(LABEL_SIZE, INK, Align::Middle);
                    canvas.text(
                        line,
                        at,
                        TextLook {
                            upward: true,
                            ..look
                        },
                    );
                }
            }
        })
        .map_err(|message| FigureError::Draw { message })?;
        Ok(Figure {
            svg,
            width: WIDTH,
            height,
        })
    }
}

fn look(size: f64, color: RGBColor, align: Align) -> TextLook {
    TextLook {
        size,
        bold: false,
        color,
        align,
        upward: false,
    }
}

fn widest_label<'a>(marks: impl Iterator<Item = &'a (f64, String)>) -> f64 {
    marks
        .map(|(_, label)| text_width(label, TICK_SIZE, false))
        .fold(0.0, f64::max)
}

fn make_axis(axis: &Axis, values: &[f64], count: usize, padding: f64, zero: bool) -> Ticks {
    match (axis.limits, axis.scale) {
        (Some((low, high)), Scale::Linear)
            if low < high && (high - low).is_finite() && high - low > 1e-290 =>
        {
            Ticks::linear(low, high, count, axis.whole)
        }
        _ => Ticks::over(
            values.iter().copied(),
            axis.scale,
            count,
            padding,
            zero,
            axis.whole,
        ),
    }
}

/// The vertical axis of a frame `height` pixels high.
fn vertical_axis(panel: &Panel, height: f64) -> Ticks {
    let values: Vec<f64> = y_extents(panel).collect();
    let count = (height / 30.0).clamp(3.0, 8.0) as usize;
    make_axis(&panel.y, &values, count, 0.05, true)
}

/// The horizontal axis of a frame `width` pixels wide: as many ticks as their labels have room for.
fn horizontal_axis(panel: &Panel, width: f64) -> Ticks {
    let has_dots = panel
        .layers
        .iter()
        .any(|layer| matches!(layer, Layer::Dots { .. }));
    let padding = if has_dots { 0.02 } else { 0.0 };
    let values: Vec<f64> = points(panel).map(|(x, _)| x).collect();
    let mut count = (width / 30.0).clamp(2.0, 12.0) as usize;
    let mut ticks = make_axis(&panel.x, &values, count, padding, false);
    while count > 2 && crowded(&ticks, width) {
        count -= 1;
        ticks = make_axis(&panel.x, &values, count, padding, false);
    }
    if crowded(&ticks, width) {
        // Even two do not fit: the tick marks stay, the first label speaks for the axis.
        for (_, label) in ticks.marks.iter_mut().skip(1) {
            label.clear();
        }
    }
    ticks
}

/// Whether two neighboring labels come too close on an axis `width` pixels long.
fn crowded(ticks: &Ticks, width: f64) -> bool {
    let reach = |label: &str| text_width(label, TICK_SIZE, false) / 2.0;
    ticks.marks.windows(2).any(|pair| {
        let places = (ticks.fraction(pair[0].0), ticks.fraction(pair[1].0));
        let (Some(first), Some(second)) = places else {
            return false;
        };
        (second - first) * width < reach(&pair[0].1) + reach(&pair[1].1) + 10.0
    })
}

fn points(panel: &Panel) -> impl Iterator<Item = (f64, f64)> {
    panel
        .layers
        .iter()
        .flat_map(|layer| match layer {
            Layer::Line { points, .. } | Layer::Dots { points, .. } => points.as_slice(),
            Layer::Mark { at, .. } => std::slice::from_ref(at),
            Layer::Band { .. } | Layer::Level(_) => &[],
        })
        .copied()
        .filter(|(x, y)| x.is_finite() && y.is_finite())
}

/// Every height the vertical axis has to hold.
fn y_extents(panel: &Panel) -> impl Iterator<Item = f64> {
    panel.layers.iter().flat_map(|layer| match layer {
        Layer::Line { points, .. } => points
            .iter()
            .filter(|(x, _)| x.is_finite())
            .map(|p| p.1)
            .collect(),
        Layer::Dots { points, errors, .. } => points
            .iter()
            .enumerate()
            .filter(|(_, (x, _))| x.is_finite())
            .flat_map(|(i, &(_, y))| {
                let error = errors.get(i).copied().filter(|e| e.is_finite());
                let error = error.unwrap_or(0.0).abs();
                [y - error, y, y + error]
            })
            .collect::<Vec<f64>>(),
        Layer::Band { low, high } => vec![*low, *high],
        Layer::Level(level) => vec![*level],
        Layer::Mark { at, .. } => vec![at.1],
    })
}

fn draw_panel(canvas: &Canvas<'_>, prepared: &Prepared<'_>, frame: Area) {
    let Prepared { panel, x, y, empty } = prepared;
    let place_x = |v: f64| Some(frame.left + x.fraction(v)?.clamp(-10.0, 11.0) * frame.width());
    let place_y = |v: f64| Some(frame.bottom - y.fraction(v)?.clamp(-10.0, 11.0) * frame.height());
    let place = |(px, py): (f64, f64)| match (place_x(px), place_y(py)) {
        (Some(px), Some(py)) => (px, py),
        _ => (f64::NAN, f64::NAN),
    };
    let inside = |(px, py): (f64, f64)| {
        (frame.left - 0.5..=frame.right + 0.5).contains(&px)
            && (frame.top - 0.5..=frame.bottom + 0.5).contains(&py)
    };

    for layer in &panel.layers {
        if let Layer::Band { low, high } = layer
            && let (Some(bottom), Some(top)) = (place_y(*low), place_y(*high))
        {
            let top = top.clamp(frame.top, frame.bottom);
            let bottom = bottom.clamp(frame.top, frame.bottom);
            canvas.fill(
                Area {
                    top,
                    bottom,
                    ..frame
                },
                BAND,
            );
        }
    }
    for (value, label) in &x.marks {
        if let Some(px) = place_x(*value) {
            canvas.line((px, frame.top), (px, frame.bottom), GRID, 0.8);
            canvas.line((px, frame.bottom), (px, frame.bottom + 4.0), FRAME, 1.0);
            // A long label at the picture's edge moves in rather than out of it.
            let half = text_width(label, TICK_SIZE, false) / 2.0 + 3.0;
            let at = (
                px.clamp(half, (WIDTH - half).max(half)),
                frame.bottom + 18.0,
            );
            canvas.text(label, at, look(TICK_SIZE, INK, Align::Middle));
        }
    }
    for (value, label) in &y.marks {
        if let Some(py) = place_y(*value) {
            canvas.line((frame.left, py), (frame.right, py), GRID, 0.8);
            canvas.line((frame.left - 4.0, py), (frame.left, py), FRAME, 1.0);
            let at = (frame.left - 8.0, py + 0.36 * TICK_SIZE);
            canvas.text(label, at, look(TICK_SIZE, INK, Align::End));
        }
    }
    let factor = look(TICK_SIZE, INK, Align::Start);
    // A long one in a narrow panel reaches left over the margin rather than into the next panel.
    let fitting = frame.right - text_width(&y.factor, TICK_SIZE, false);
    let start = fitting.min(frame.left - 4.0);
    canvas.text(&y.factor, (start, frame.top - 10.0), factor);
    let factor = look(TICK_SIZE, INK, Align::End);
    canvas.text(&x.factor, (frame.right, frame.bottom + 36.0), factor);
    canvas.frame(frame, FRAME, 1.0);

    for layer in &panel.layers {
        match layer {
            Layer::Band { .. } => {}
            Layer::Level(level) => {
                if let Some(py) = place_y(*level) {
                    let ends = [(frame.left, py), (frame.right, py)];
                    canvas.curve(&ends, frame, &[], FRAME, 1.2);
                }
            }
            Layer::Mark { at, label } => {
                let at = place(*at);
                if inside(at) {
                    canvas.marker(at, Shape::Diamond, 6.0, palette::color(1));
                    // Beside the point, on the side with more room.
                    let (side, align) = if at.0 > (frame.left + frame.right) / 2.0 {
                        (-11.0, Align::End)
                    } else {
                        (11.0, Align::Start)
                    };
                    let look = look(TICK_SIZE, palette::color(1), align);
                    let up = (at.1 - 9.0).max(frame.top + TICK_SIZE);
                    canvas.text(label, (at.0 + side, up), TextLook { bold: true, ..look });
                }
            }
            Layer::Line { ink, width, points } => {
                let placed: Vec<(f64, f64)> = points.iter().copied().map(place).collect();
                canvas.curve(&placed, frame, ink.dash(), ink.color(), *width);
                // A line of one point would be invisible.
                let mut finite = placed.iter().filter(|p| p.0.is_finite());
                if let (Some(&only), None) = (finite.next(), finite.next())
                    && inside(only)
                {
                    canvas.marker(only, Shape::Circle, 3.0, ink.color());
                }
            }
            Layer::Dots {
                ink,
                points,
                errors,
            } => {
                let radius = if points.len() > 200 { 2.4 } else { 3.8 };
                for (i, &(px, py)) in points.iter().enumerate() {
                    let at = place((px, py));
                    if let Some(error) = errors.get(i).filter(|e| e.is_finite()) {
                        let low = place_y(py - error.abs()).unwrap_or(frame.bottom);
                        let high = place_y(py + error.abs()).unwrap_or(frame.top);
                        for (from, to) in [
                            ((at.0, low), (at.0, high)),
                            ((at.0 - 3.5, low), (at.0 + 3.5, low)),
                            ((at.0 - 3.5, high), (at.0 + 3.5, high)),
                        ] {
                            canvas.curve(&[from, to], frame, &[], ink.color(), 1.2);
                        }
                    }
                    if inside(at) {
                        canvas.marker(at, ink.shape(), radius, ink.color());
                    }
                }
            }
        }
    }
    if *empty {
        let middle = (frame.left + frame.right) / 2.0;
        let center = (frame.top + frame.bottom) / 2.0;
        let lines = wrap(
            "no finite values",
            LABEL_SIZE,
            false,
            frame.width() - 8.0,
            3,
        );
        for (k, line) in lines.iter().enumerate() {
            let at = (middle, center + k as f64 * LABEL_SIZE * LEADING);
            canvas.text(line, at, look(LABEL_SIZE, GRAY, Align::Middle));
        }
    }
}
