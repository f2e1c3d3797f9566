//! Convergence: how each start came down to the best objective found by any.

use super::chart::{Axis, Ink, Layer, Panel, Plot};
use super::legend::LegendEntry;
use super::ticks::{Scale, number};
use super::waterfall::floor_of;
use super::{Figure, FigureError};

/// Objectives over iterations of every start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Convergence {
    /// Above the figure.
    pub title: String,
    /// What is minimized, such as `objective`.
    pub objective_label: String,
    /// One history for each start.
    pub starts: Vec<History>,
}

/// The objective of one start after each iteration, the initial value first; not finite where it could not be computed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Objectives by iteration.
    pub objectives: Vec<f64>,
}

impl Convergence {
    /// The plot to draw, for changes before drawing.
    pub fn plot(&self) -> Plot {
        let least = |history: &History| {
            history
                .objectives
                .iter()
                .copied()
                .filter(|f| f.is_finite())
                .fold(f64::INFINITY, f64::min)
        };
        let winner = self
            .starts
            .iter()
            .map(least)
            .enumerate()
            .filter(|(_, f)| f.is_finite())
            .min_by(|a, b| a.1.total_cmp(&b.1));
        let best = winner.map_or(f64::NAN, |(_, f)| f);
        let everything = self.starts.iter().flat_map(|s| s.objectives.iter());
        let floor = floor_of(best, everything.map(|f| f - best));
        let line = |history: &History, ink, width| Layer::Line {
            ink,
            width,
            points: history
                .objectives
                .iter()
                .enumerate()
                .map(|(i, f)| {
                    // `max` would turn a NaN into the floor.
                    let gap = f - best;
                    let shown = if gap.is_finite() {
                        gap.max(floor)
                    } else {
                        f64::NAN
                    };
                    (i as f64, shown)
                })
                .collect(),
        };
        let winner = winner.map(|(i, _)| i);
        let mut layers: Vec<Layer> = self
            .starts
            .iter()
            .enumerate()
            .filter(|(i, _)| Some(*i) != winner)
            .map(|(_, history)| line(history, Ink::Faint, 1.1))
            .collect();
        let mut legend = Vec::new();
        if let Some(history) = winner.and_then(|i| self.starts.get(i)) {
            layers.push(line(history, Ink::Solid(0), 2.4));
            legend.push(("best start", Ink::Solid(0)));
        }
        if self.starts.len() > 1 {
            legend.push(("other starts", Ink::Faint));
        }
        Plot {
            title: self.title.clone(),
            note: if best.is_finite() {
                format!(
                    "best {} {}; differences below {} are drawn at that level",
                    self.objective_label,
                    number(best, 7),
                    number(floor, 4)
                )
            } else {
                "no start has a finite value".to_owned()
            },
            legend: legend
                .into_iter()
                .map(|(label, ink)| LegendEntry {
                    label: label.to_owned(),
                    ink,
                    line: true,
                    dot: false,
                })
                .collect(),
            panels: vec![Panel {
                title: String::new(),
                x: Axis {
                    label: "iteration".to_owned(),
                    whole: true,
                    ..Axis::default()
                },
                y: Axis {
                    label: format!("{} − best", self.objective_label),
                    scale: Scale::Logarithmic,
                    ..Axis::default()
                },
                layers,
                ..Panel::default()
            }],
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
