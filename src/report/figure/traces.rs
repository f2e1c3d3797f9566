//! Traces: the draws of each chain in order. Converged chains look alike, without drift, like grass cut to one height.

use super::chart::{Axis, Ink, Layer, Panel, Plot};
use super::legend::LegendEntry;
use super::{Figure, FigureError};

/// Most points of one chain that are drawn, evenly spaced.
const MOST_POINTS: usize = 500;

/// Traces of several quantities.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Traces {
    /// Above the figure.
    pub title: String,
    /// A gray line under the title; may be empty.
    pub note: String,
    /// One panel each.
    pub traces: Vec<Trace>,
}

/// The draws of one quantity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Name and unit.
    pub label: String,
    /// `chains[chain][draw]`.
    pub chains: Vec<Vec<f64>>,
}

/// Least and largest draw with a little room: zero has no part in a trace.
fn limits(chains: &[Vec<f64>]) -> Option<(f64, f64)> {
    let all = || chains.iter().flatten().copied().filter(|v| v.is_finite());
    let (low, high) = (all().reduce(f64::min)?, all().reduce(f64::max)?);
    let room = 0.05 * (high - low);
    (room > 0.0).then_some((low - room, high + room))
}

impl Traces {
    /// The plot to draw, for changes before drawing.
    pub fn plot(&self) -> Plot {
        let chains = self.traces.iter().map(|t| t.chains.len()).max();
        let legend = (0..chains.unwrap_or(0)).map(|k| LegendEntry {
            label: format!("chain {}", k + 1),
            ink: Ink::Solid(k),
            line: true,
            dot: false,
        });
        let panels = self.traces.iter().map(|trace| {
            let layers = trace.chains.iter().enumerate().map(|(k, draws)| {
                let step = draws.len().div_ceil(MOST_POINTS).max(1);
                let points = draws.iter().enumerate().step_by(step);
                Layer::Line {
                    ink: Ink::Solid(k),
                    width: 0.7,
                    points: points.map(|(i, &v)| ((i + 1) as f64, v)).collect(),
                }
            });
            Panel {
                title: String::new(),
                x: Axis {
                    label: "draw".into(),
                    whole: true,
                    ..Axis::default()
                },
                y: Axis {
                    label: trace.label.clone(),
                    limits: limits(&trace.chains),
                    ..Axis::default()
                },
                layers: layers.collect(),
                ..Panel::default()
            }
        });
        Plot {
            title: self.title.clone(),
            note: self.note.clone(),
            legend: legend.collect(),
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
