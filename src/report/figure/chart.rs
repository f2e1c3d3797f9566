//! The general plot: a grid of panels with axes, a title and a legend. `layout.rs` places it, `panel.rs` draws each panel.

use super::canvas::{Area, Canvas};
use super::colormap::ColorMap;
use super::legend::LegendEntry;
use super::palette::{self, GRAY, Shape};
use super::sheet::{Block, Sheet};
use super::ticks::Scale;
use super::{Figure, FigureError};
use plotters::style::RGBColor;

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
    /// A unit is as long across as up, as on a map: for paths in a plane. Both axes are then linear.
    pub equal_units: bool,
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
    /// Ticks at these places with these words, in place of numbers; none for numbers.
    pub names: Vec<(f64, String)>,
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
    /// The color at so many 255ths of the sequential color map, solid: one of many lines in an order.
    Shade(u8),
}

impl Ink {
    pub(super) fn color(self) -> RGBColor {
        match self {
            Ink::Series(i) | Ink::Solid(i) => palette::color(i),
            Ink::Gray => GRAY,
            Ink::Faint => palette::FAINT,
            Ink::Shade(k) => ColorMap::Sequential.color(f64::from(k) / 255.0),
        }
    }
    pub(super) fn shape(self) -> Shape {
        match self {
            Ink::Series(i) | Ink::Solid(i) => palette::shape(i),
            Ink::Gray | Ink::Faint | Ink::Shade(_) => Shape::Circle,
        }
    }
    pub(super) fn dash(self) -> &'static [f64] {
        match self {
            Ink::Series(i) => palette::dash(i),
            Ink::Solid(_) | Ink::Gray | Ink::Faint | Ink::Shade(_) => &[],
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
    /// A band between two curves, in a pale shade of its color.
    Ribbon {
        /// Whose color it has.
        ink: Ink,
        /// How much of that color, between 0 (white) and 1.
        strength: f64,
        /// Place across, lower and upper edge, in order.
        points: Vec<(f64, f64, f64)>,
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
        Sheet {
            title: self.title.clone(),
            note: self.note.clone(),
            rows: vec![vec![Block::Plot(self.clone())]],
            ..Sheet::default()
        }
        .draw()
    }
}
