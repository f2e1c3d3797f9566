//! Profile likelihoods: how the objective rises as one parameter is moved and the others make up for it.
//!
//! Where the curve crosses the threshold the confidence interval ends. The dashed parabola is what the curvature at the optimum alone
//! foretells: where curve and parabola part, standard errors mislead.

use super::chart::{Axis, Ink, Layer, Panel, Plot};
use super::legend::LegendEntry;
use super::ticks::Scale;
use super::{Figure, FigureError};

/// How far above the threshold the panels reach, as a factor.
const HEADROOM: f64 = 1.5;

/// Profiles of several parameters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfileFigure {
    /// Above the figure.
    pub title: String,
    /// A gray line under the title; may be empty.
    pub note: String,
    /// Rise of the objective at the ends of intervals.
    pub threshold: f64,
    /// What the threshold is, for the legend, such as `95 % threshold`.
    pub threshold_label: String,
    /// Label of the vertical axes.
    pub rise_label: String,
    /// The panels, row by row.
    pub panels: Vec<ProfilePanel>,
}

/// The profile of one parameter; values in its natural units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProfilePanel {
    /// Above the panel; may be empty.
    pub title: String,
    /// Name and unit of the parameter.
    pub label: String,
    /// Of the parameter.
    pub scale: Scale,
    /// Values and rises that were computed, in order.
    pub points: Vec<(f64, f64)>,
    /// A smooth curve through them.
    pub curve: Vec<(f64, f64)>,
    /// The parabola of the curvature at the optimum; empty where there is none.
    pub parabola: Vec<(f64, f64)>,
    /// The best value.
    pub best: f64,
    /// Ends of the confidence interval that are closed.
    pub ends: Vec<f64>,
}

impl ProfileFigure {
    /// The plot to draw, for changes before drawing.
    pub fn plot(&self) -> Plot {
        let entry = |label: &str, ink: Ink, line: bool| LegendEntry {
            label: label.to_owned(),
            ink,
            line,
            dot: !line,
        };
        let top = HEADROOM * self.threshold;
        let panels = self.panels.iter().map(|panel| {
            let ends = panel.ends.iter().map(|&end| Layer::Line {
                ink: Ink::Faint,
                width: 1.2,
                points: vec![(end, 0.0), (end, self.threshold)],
            });
            let (first, last) = match (panel.points.first(), panel.points.last()) {
                (Some(first), Some(last)) => (first.0, last.0),
                _ => (f64::NAN, f64::NAN),
            };
            let parabola = panel.parabola.iter().copied();
            let layers = ends.chain([
                Layer::Level(self.threshold),
                Layer::Line {
                    ink: Ink::Series(1),
                    width: 1.6,
                    points: parabola
                        .filter(|p| (first..=last).contains(&p.0) && p.1 <= top)
                        .collect(),
                },
                Layer::Line {
                    ink: Ink::Solid(0),
                    width: 2.0,
                    points: panel.curve.clone(),
                },
                Layer::Dots {
                    ink: Ink::Solid(0),
                    points: panel.points.clone(),
                    errors: Vec::new(),
                },
                Layer::Mark {
                    at: (panel.best, 0.0),
                    label: String::new(),
                },
            ]);
            Panel {
                title: panel.title.clone(),
                x: Axis {
                    label: panel.label.clone(),
                    scale: panel.scale,
                    ..Axis::default()
                },
                y: Axis {
                    label: self.rise_label.clone(),
                    limits: Some((-0.06 * top, top)),
                    ..Axis::default()
                },
                layers: layers.collect(),
                ..Panel::default()
            }
        });
        Plot {
            title: self.title.clone(),
            note: self.note.clone(),
            legend: vec![
                entry("profile", Ink::Solid(0), true),
                entry("parabola of the Fisher information", Ink::Series(1), true),
                entry(&self.threshold_label, Ink::Gray, true),
            ],
            panels: panels.collect(),
        }
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// As [`Plot::draw`].
    pub fn draw(&self) -> Result<Figure, FigureError> {
        self.plot().draw()
    }
}
