//! The waterfall: final objectives of all starts, sorted, as differences to the best.
//!
//! A plateau at the bottom means that many starts found the same optimum; several plateaus are several local optima; a slope is a sign
//! of starts that stopped early.

use super::chart::{Axis, Ink, Layer, Panel, Plot};
use super::ticks::{Scale, number};
use super::{Figure, FigureError};

/// Final objectives of a multi-start fit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waterfall {
    /// Above the figure.
    pub title: String,
    /// What is minimized, such as `objective` or `negative log-likelihood`.
    pub objective_label: String,
    /// The final objective of each start in any order; not finite where the start failed.
    pub objectives: Vec<f64>,
}

/// The least difference a logarithmic axis shows: smaller ones, the best's own zero among them, are drawn at this level.
///
/// A power of ten: at most a billionth of the best objective, or a tenth of the least difference where the best is nearly zero.
pub(super) fn floor_of(best: f64, differences: impl Iterator<Item = f64>) -> f64 {
    let least = differences
        .filter(|d| *d > 0.0 && d.is_finite())
        .fold(f64::INFINITY, f64::min);
    let relative = 1e-9 * best.abs();
    let floor = if relative > 1e-200 {
        relative
    } else if least.is_finite() {
        (0.1 * least).max(1e-299)
    } else {
        1e-12
    };
    // A round number reads better than an exact one nobody needs.
    10f64.powf(floor.log10().floor())
}

impl Waterfall {
    /// The plot to draw, for changes before drawing.
    pub fn plot(&self) -> Plot {
        let mut finished: Vec<f64> = self
            .objectives
            .iter()
            .copied()
            .filter(|f| f.is_finite())
            .collect();
        finished.sort_by(f64::total_cmp);
        let best = finished.first().copied().unwrap_or(f64::NAN);
        let floor = floor_of(best, finished.iter().map(|f| f - best));
        let points: Vec<(f64, f64)> = finished
            .iter()
            .enumerate()
            .map(|(i, f)| ((i + 1) as f64, (f - best).max(floor)))
            .collect();
        let failed = self.objectives.len() - finished.len();
        let plural = if self.objectives.len() == 1 { "" } else { "s" };
        let mut note = format!("{} start{plural}, {failed} failed", self.objectives.len());
        if best.is_finite() {
            note.push_str(&format!(
                "; best {} {}; differences below {} are drawn at that level",
                self.objective_label,
                number(best, 7),
                number(floor, 4)
            ));
        }
        let crown = points.first().copied();
        Plot {
            title: self.title.clone(),
            note,
            legend: Vec::new(),
            panels: vec![Panel {
                title: String::new(),
                x: Axis {
                    label: "start, sorted by result".to_owned(),
                    whole: true,
                    ..Axis::default()
                },
                y: Axis {
                    label: format!("{} − best", self.objective_label),
                    scale: Scale::Logarithmic,
                    ..Axis::default()
                },
                layers: vec![
                    Layer::Line {
                        ink: Ink::Gray,
                        width: 1.0,
                        points: points.clone(),
                    },
                    Layer::Dots {
                        ink: Ink::Series(0),
                        points,
                        errors: Vec::new(),
                    },
                    Layer::Mark {
                        at: crown.unwrap_or((f64::NAN, f64::NAN)),
                        label: "best".to_owned(),
                    },
                ],
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
