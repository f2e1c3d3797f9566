//! Q-Q plots: sorted residuals against the quantiles that normal ones would have.
//!
//! The i-th smallest of n standard normal numbers is Phi^-1 of one of the distribution Beta(i, n + 1 - i). Its median is the
//! place across, its central 95% the shaded band. A slope other than one says that the noise has another size than the model's, an S
//! that its tails are longer or shorter, a single point outside that it is an outlier.

use statrs::distribution::{Beta, ContinuousCDF, Normal};

use super::chart::{Axis, Ink, Layer, Panel, Plot};
use super::{Figure, FigureError};

/// Probability in the band.
const LEVEL: f64 = 0.95;
/// Most points drawn of a panel, and how many at either end are never left out.
const MOST: usize = 1000;
const KEPT: usize = 100;

/// Residuals against normal quantiles, one panel a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuantilePlot {
    /// Above the figure.
    pub title: String,
    /// What is on the vertical axis.
    pub label: String,
    /// Said under the title, before what lies outside the band.
    pub note: String,
    /// The panels, row by row.
    pub panels: Vec<QuantilePanel>,
}

/// One panel of a [`QuantilePlot`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuantilePanel {
    /// Above the panel; may be empty.
    pub title: String,
    /// The residuals in any order.
    pub residuals: Vec<f64>,
}

/// Where the i-th smallest of n standard normal numbers is found: median, and the ends of the band.
fn order_statistic(i: usize, n: usize) -> Option<[f64; 3]> {
    let standard = Normal::standard();
    let of_rank = Beta::new(i as f64, (n + 1 - i) as f64).ok()?;
    let at = |probability: f64| standard.inverse_cdf(of_rank.inverse_cdf(probability));
    Some([at(0.5), at(0.5 * (1.0 - LEVEL)), at(0.5 * (1.0 + LEVEL))])
}

impl QuantilePlot {
    /// The plot to draw, for changes before drawing.
    pub fn plot(&self) -> Plot {
        let (mut outside, mut shown) = (0, 0);
        let panels = self.panels.iter().map(|panel| {
            let mut sorted: Vec<f64> = panel.residuals.clone();
            sorted.retain(|r| r.is_finite());
            sorted.sort_by(f64::total_cmp);
            let n = sorted.len();
            let stride = n.div_ceil(MOST).max(1);
            let drawn = (0..n).filter(|i| *i < KEPT || *i + KEPT >= n || i % stride == 0);
            let mut points = Vec::new();
            let mut band = Vec::new();
            for i in drawn {
                let Some([median, low, high]) = order_statistic(i + 1, n) else {
                    continue;
                };
                points.push((median, sorted[i]));
                band.push((median, low, high));
                shown += 1;
                outside += usize::from(!(low..=high).contains(&sorted[i]));
            }
            let ends = band.first().zip(band.last());
            let line = ends.map_or_else(Vec::new, |(a, b)| vec![(a.0, a.0), (b.0, b.0)]);
            Panel {
                title: panel.title.clone(),
                x: Axis::quantity("normal quantile", ""),
                y: Axis::quantity(&self.label, ""),
                layers: vec![
                    Layer::Ribbon {
                        ink: Ink::Gray,
                        strength: 0.16,
                        points: band,
                    },
                    Layer::Line {
                        ink: Ink::Gray,
                        width: 1.2,
                        points: line,
                    },
                    Layer::Dots {
                        ink: Ink::Series(0),
                        points,
                        errors: Vec::new(),
                    },
                ],
                ..Panel::default()
            }
        });
        let panels = panels.collect();
        let stop = if self.note.is_empty() { "" } else { "; " };
        Plot {
            title: self.title.clone(),
            note: format!(
                "{}{stop}{outside} of {shown} outside the band, in which each would be 19 times of 20",
                self.note
            ),
            legend: Vec::new(),
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
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beta(i, n + 1 - i) is below x with the probability that at least i of n uniform numbers are: that binomial sum inverted
    /// by bisection, and Phi^-1 by Python's `statistics.NormalDist`.
    const FIRST_OF_TEN: [f64; 3] = [-1.4987672753590, -2.8033702834230, -0.5001148425166];
    const MIDDLE_OF_NINE: [f64; 3] = [0.0, -0.7994715902419, 0.7994715902419];

    #[test]
    fn order_statistics_are_those_of_beta() {
        let close = |a: [f64; 3], b: [f64; 3]| {
            for (a, b) in a.into_iter().zip(b) {
                assert!((a - b).abs() < 1e-6, "{a} {b}");
            }
        };
        close(order_statistic(1, 10).expect("a rank"), FIRST_OF_TEN);
        close(order_statistic(5, 9).expect("a rank"), MIDDLE_OF_NINE);
    }
}
