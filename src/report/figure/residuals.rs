//! Standardized residuals against time: what a fit has left unexplained.
//!
//! A standardized residual is (data - model) / sigma. When the model and the noise are right, residuals scatter round zero without a
//! pattern and about 95% lie within ±2, the shaded band.

use super::chart::{Axis, Ink, Layer, Panel, Plot};
use super::legend::LegendEntry;
use super::{Figure, FigureError};

/// Half-width of the band that holds about 95% of normal residuals.
const BAND: f64 = 2.0;

/// Residuals over time, one panel for each experiment or observable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Residuals {
    /// Above the figure.
    pub title: String,
    /// Label of the time axis with its unit.
    pub time_label: String,
    /// The panels, row by row.
    pub panels: Vec<ResidualPanel>,
}

/// One panel of [`Residuals`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResidualPanel {
    /// Above the panel; may be empty.
    pub title: String,
    /// The residuals, by observable.
    pub series: Vec<ResidualSeries>,
}

/// Residuals of one observable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResidualSeries {
    /// Name of the observable; one name keeps one color through the panels.
    pub name: String,
    /// Times.
    pub time: Vec<f64>,
    /// (data - model) / sigma at those times.
    pub residuals: Vec<f64>,
}

impl Residuals {
    /// The plot to draw, for changes before drawing.
    pub fn plot(&self) -> Plot {
        let all = || self.panels.iter().flat_map(|p| &p.series);
        let mut names: Vec<&str> = Vec::new();
        for series in all() {
            if !names.contains(&series.name.as_str()) {
                names.push(&series.name);
            }
        }
        let finite = || {
            all()
                .flat_map(|s| s.residuals.iter().copied())
                .filter(|r| r.is_finite())
        };
        let outside = finite().filter(|r| r.abs() > BAND).count();
        let reach = finite().fold(1.4 * BAND, |reach, r| reach.max(1.08 * r.abs()));
        // A panel titled with its only observable needs no legend.
        let titled = self
            .panels
            .iter()
            .all(|p| p.series.iter().all(|series| series.name == p.title));
        let legend = names.iter().enumerate().map(|(i, name)| LegendEntry {
            label: (*name).to_owned(),
            ink: Ink::Series(i),
            line: false,
            dot: true,
        });
        let panels = self.panels.iter().map(|panel| {
            let dots = panel.series.iter().map(|series| Layer::Dots {
                ink: Ink::Series(names.iter().position(|n| *n == series.name).unwrap_or(0)),
                points: series
                    .time
                    .iter()
                    .copied()
                    .zip(series.residuals.iter().copied())
                    .collect(),
                errors: Vec::new(),
            });
            let ground = [
                Layer::Band {
                    low: -BAND,
                    high: BAND,
                },
                Layer::Level(0.0),
            ];
            Panel {
                title: panel.title.clone(),
                x: Axis::quantity(&self.time_label, ""),
                y: Axis {
                    label: "(data − model) / σ".to_owned(),
                    limits: Some((-reach, reach)),
                    ..Axis::default()
                },
                layers: ground.into_iter().chain(dots).collect(),
                ..Panel::default()
            }
        });
        Plot {
            title: self.title.clone(),
            note: format!(
                "{outside} of {} outside the ±2σ band; about one in twenty is expected",
                finite().count()
            ),
            legend: if titled { Vec::new() } else { legend.collect() },
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
