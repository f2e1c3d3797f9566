//! Parallel coordinates: where the starts of a fit ended, a line each across all parameters, colored by the objective.
//!
//! Parameters stand one under the other, each on its own scale from bound to bound. Lines of one color that lie on one another are one
//! optimum; where they part, the data leave the parameter open; a parameter at an edge is held by its bound.

use super::axes::TICK_SIZE;
use super::chart::{Axis, Ink, Layer, Panel, Plot};
use super::font::ellipsize;
use super::legend::LegendEntry;
use super::ticks::number;
use super::{Figure, FigureError};

/// Widest name in pixels.
const WIDEST: f64 = 200.0;
/// Most parameters drawn: more could not be read.
const MOST: usize = 60;
/// Most decades of the objective with colors of their own; what lies above has the last one's.
const DECADES: i32 = 6;
/// The lightest color used of the map, whose end is too pale for lines on white.
const LIGHTEST: f64 = 215.0;

/// The ends of the starts of a fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParallelCoordinates {
    /// Above the figure.
    pub title: String,
    /// What is minimized, such as `objective`.
    pub objective_label: String,
    /// Names of the parameters.
    pub names: Vec<String>,
    /// Difference of the objective below which two ends are as good as each other.
    pub indifferent: f64,
    /// The ends in any order.
    pub ends: Vec<StartEnd>,
}

/// Where one start ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StartEnd {
    /// Its final objective.
    pub objective: f64,
    /// Places of the parameters between their bounds, 0 at the lower and 1 at the upper one.
    pub places: Vec<f64>,
}

impl ParallelCoordinates {
    /// The plot to draw, for changes before drawing.
    pub fn plot(&self) -> Plot {
        let mut ends: Vec<&StartEnd> = self.ends.iter().collect();
        ends.retain(|end| end.objective.is_finite());
        ends.sort_by(|a, b| a.objective.total_cmp(&b.objective));
        let best = ends.first().map_or(f64::NAN, |end| end.objective);
        let unit = self.indifferent;
        let decade = |end: &StartEnd| {
            let rise = end.objective - best;
            if rise <= unit {
                0
            } else {
                ((rise / unit).log10().ceil() as i32).clamp(1, DECADES)
            }
        };
        let highest = ends.iter().map(|end| decade(end)).max().unwrap_or(0);
        let ink = |decade: i32| {
            Ink::Shade((LIGHTEST * f64::from(decade) / f64::from(highest.max(1))) as u8)
        };
        let chosen = self.chosen(&ends);
        let height = chosen.len();
        let place = |row: usize| (height - 1 - row) as f64;
        let lines = ends.iter().rev().map(|end| Layer::Line {
            ink: ink(decade(end)),
            width: if decade(end) == 0 { 2.0 } else { 1.2 },
            points: chosen
                .iter()
                .enumerate()
                .map(|(row, &i)| (end.places.get(i).copied().unwrap_or(f64::NAN), place(row)))
                .collect(),
        });
        let layers: Vec<Layer> = lines
            .chain(ends.first().map(|end| {
                Layer::Dots {
                    ink: ink(0),
                    points: chosen
                        .iter()
                        .enumerate()
                        .map(|(row, &i)| {
                            (end.places.get(i).copied().unwrap_or(f64::NAN), place(row))
                        })
                        .collect(),
                    errors: Vec::new(),
                }
            }))
            .collect();
        let label = |decade: i32| match decade {
            0 => format!("within {} of the best", number(unit, 3)),
            DECADES => format!(
                "more than {} above",
                number(unit * 10f64.powi(DECADES - 1), 3)
            ),
            _ => format!("up to {} above", number(unit * 10f64.powi(decade), 3)),
        };
        let legend = (0..=highest)
            .filter(|&d| ends.iter().any(|end| decade(end) == d))
            .map(|d| LegendEntry {
                label: label(d),
                ink: ink(d),
                line: true,
                dot: false,
            });
        let names = chosen.iter().enumerate().map(|(row, &i)| {
            (
                place(row),
                ellipsize(&self.names[i], TICK_SIZE, false, WIDEST),
            )
        });
        let marks = [(0.0, "lower bound"), (0.5, "middle"), (1.0, "upper bound")];
        let failed = self.ends.len() - ends.len();
        let mut note = format!(
            "ends of {} starts on the search scale, colored by {} − best",
            ends.len(),
            self.objective_label
        );
        if failed > 0 {
            note += &format!("; {failed} failed");
        }
        if height < self.names.len() {
            note += &format!(
                "; the {height} of {} parameters that differ most",
                self.names.len()
            );
        }
        Plot {
            title: self.title.clone(),
            note,
            legend: legend.collect(),
            panels: vec![Panel {
                x: Axis {
                    limits: Some((-0.02, 1.02)),
                    names: marks.map(|(at, word)| (at, word.to_owned())).to_vec(),
                    ..Axis::default()
                },
                y: Axis {
                    limits: Some((-0.5, height.max(1) as f64 - 0.5)),
                    names: names.collect(),
                    ..Axis::default()
                },
                layers,
                ..Panel::default()
            }],
        }
    }

    /// The parameters drawn, in order: all, or those whose places spread most.
    fn chosen(&self, ends: &[&StartEnd]) -> Vec<usize> {
        let mut all: Vec<usize> = (0..self.names.len()).collect();
        if all.len() <= MOST {
            return all;
        }
        let spread = |i: usize| {
            let places = ends.iter().filter_map(|end| end.places.get(i).copied());
            let (low, high) = places
                .filter(|p| p.is_finite())
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| {
                    (low.min(p), high.max(p))
                });
            high - low
        };
        all.sort_by(|&a, &b| spread(b).total_cmp(&spread(a)));
        all.truncate(MOST);
        all.sort_unstable();
        all
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// As [`Plot::draw`].
    pub fn draw(&self) -> Result<Figure, FigureError> {
        self.plot().draw()
    }
}
