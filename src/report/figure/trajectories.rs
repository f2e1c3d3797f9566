//! Trajectories: curves of a simulation or fit with the data they are to meet.

use super::chart::{Axis, Ink, Layer, Panel, Plot};
use super::legend::LegendEntry;
use super::ticks::Scale;
use super::{Figure, FigureError};

/// Curves and data over time, one panel for each experiment or quantity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trajectories {
    /// Above the figure.
    pub title: String,
    /// A gray line under the title, such as the method and tolerances; may be empty.
    pub note: String,
    /// Label of the time axis with its unit, such as `year` or `t (s)`.
    pub time_label: String,
    /// What the lines are, for the legend: `fit`, `simulation`.
    pub curve_label: String,
    /// What the points are, for the legend: `data`.
    pub data_label: String,
    /// The panels, row by row.
    pub panels: Vec<TrajectoryPanel>,
}

/// One panel of [`Trajectories`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrajectoryPanel {
    /// Above the panel; may be empty.
    pub title: String,
    /// Label of the vertical axis with its unit, such as `pelts (1000)`.
    pub value_label: String,
    /// Linear or logarithmic values.
    pub scale: Scale,
    /// The curves.
    pub curves: Vec<Curve>,
    /// The data.
    pub data: Vec<Observations>,
}

/// One curve; `time` and `values` have the same length, and what is longer is ignored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Name of the quantity; curves and data of one name share a color.
    pub name: String,
    /// Times.
    pub time: Vec<f64>,
    /// Values at those times; NaN leaves a gap.
    pub values: Vec<f64>,
}

/// Data of one quantity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observations {
    /// Name of the quantity.
    pub name: String,
    /// Times.
    pub time: Vec<f64>,
    /// Measured values.
    pub values: Vec<f64>,
    /// Standard deviations, drawn as error bars; empty for none.
    pub errors: Vec<f64>,
}

/// The parts of two columns that belong together.
fn zip(time: &[f64], values: &[f64]) -> Vec<(f64, f64)> {
    time.iter().copied().zip(values.iter().copied()).collect()
}

impl Trajectories {
    /// The plot to draw, for changes before drawing.
    pub fn plot(&self) -> Plot {
        let mut names: Vec<&str> = Vec::new();
        for panel in &self.panels {
            let curves = panel.curves.iter().map(|c| c.name.as_str());
            for name in curves.chain(panel.data.iter().map(|d| d.name.as_str())) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        let index = |name: &str| names.iter().position(|n| *n == name).unwrap_or(0);
        let has_curve = |name: &str| self.any_curve(|c| c.name == name);
        let has_data = |name: &str| self.any_data(|d| d.name == name);
        let (curves, data) = (self.any_curve(|_| true), self.any_data(|_| true));

        let mut legend: Vec<LegendEntry> = Vec::new();
        // A panel titled with its only quantity needs no name in the legend.
        let named = self.panels.iter().all(|panel| {
            let curves = panel.curves.iter().map(|c| &c.name);
            curves
                .chain(panel.data.iter().map(|d| &d.name))
                .all(|name| *name == panel.title)
        });
        let key_ink = if names.len() == 1 {
            Ink::Series(0)
        } else if named {
            Ink::Gray
        } else {
            legend = names
                .iter()
                .enumerate()
                .map(|(i, name)| LegendEntry {
                    label: (*name).to_owned(),
                    ink: Ink::Series(i),
                    line: has_curve(name),
                    dot: has_data(name),
                })
                .collect();
            Ink::Gray
        };
        if curves && data {
            for (label, line) in [(&self.curve_label, true), (&self.data_label, false)] {
                if !label.is_empty() {
                    legend.push(LegendEntry {
                        label: label.clone(),
                        ink: key_ink,
                        line,
                        dot: !line,
                    });
                }
            }
        }
        let panels = self
            .panels
            .iter()
            .map(|panel| {
                let lines = panel.curves.iter().map(|curve| Layer::Line {
                    ink: Ink::Series(index(&curve.name)),
                    width: 2.0,
                    points: zip(&curve.time, &curve.values),
                });
                let dots = panel.data.iter().map(|data| Layer::Dots {
                    ink: Ink::Series(index(&data.name)),
                    points: zip(&data.time, &data.values),
                    errors: data.errors.clone(),
                });
                Panel {
                    title: panel.title.clone(),
                    x: Axis::quantity(&self.time_label, ""),
                    y: Axis {
                        label: panel.value_label.clone(),
                        scale: panel.scale,
                        ..Axis::default()
                    },
                    layers: lines.chain(dots).collect(),
                    ..Panel::default()
                }
            })
            .collect();
        Plot {
            title: self.title.clone(),
            note: self.note.clone(),
            legend,
            panels,
        }
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// As [`Plot::draw`].
    pub fn draw(&self) -> Result<Figure, FigureError> {
        self.plot().draw()
    }

    fn any_curve(&self, test: impl Fn(&Curve) -> bool) -> bool {
        self.panels.iter().flat_map(|p| &p.curves).any(test)
    }

    fn any_data(&self, test: impl Fn(&Observations) -> bool) -> bool {
        self.panels.iter().flat_map(|p| &p.data).any(test)
    }
}
