//! Figures: trajectories, heat maps, residuals, the waterfall of starts and convergence, as SVG and PNG, and animations as GIF.
//!
//! There is one drawing path: a figure is laid out and drawn to an SVG string, and a PNG is that string rasterized. The font is embedded,
//! so no figure depends on what is installed.

mod axes;
mod canvas;
mod chart;
mod colormap;
mod convergence;
mod correlation;
mod font;
mod gif;
mod heading;
mod heat;
mod layout;
mod legend;
mod pairs;
mod palette;
mod panel;
mod parallel;
mod png;
mod profiles;
mod quantiles;
mod raster;
mod residuals;
mod sheet;
mod ticks;
mod traces;
mod trajectories;
mod waterfall;

pub use self::gif::animation;
pub use self::png::rasterize;
pub use chart::{Axis, Ink, Layer, Panel, Plot};
pub use colormap::{ColorMap, ColorScale};
pub use convergence::{Convergence, History};
pub use correlation::Correlation;
pub use heat::{HeatMap, HeatMaps};
pub use legend::LegendEntry;
pub use pairs::{PairPlot, PairVariable};
pub use parallel::{ParallelCoordinates, StartEnd};
pub use profiles::{ProfileFigure, ProfilePanel};
pub use quantiles::{QuantilePanel, QuantilePlot};
pub use raster::Raster;
pub use residuals::{ResidualPanel, ResidualSeries, Residuals};
pub use sheet::{Block, Sheet};
pub use ticks::Scale;
pub use traces::{Trace, Traces};
pub use trajectories::{Curve, Observations, Trajectories, TrajectoryPanel};
pub use waterfall::Waterfall;

use std::path::{Path, PathBuf};

/// Device pixels to each SVG pixel in PNG files: sharp on today's screens and in print.
pub const PNG_SCALE: f64 = 2.0;

/// A drawn figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The SVG document.
    pub svg: String,
    /// Width in pixels.
    pub width: f64,
    /// Height in pixels.
    pub height: f64,
}

impl Figure {
    /// The figure as PNG bytes at [`PNG_SCALE`].
    ///
    /// # Errors
    /// As [`rasterize`].
    pub fn png(&self) -> Result<Vec<u8>, FigureError> {
        rasterize(&self.svg, PNG_SCALE)
    }

    /// The bytes of a file whose name ends in `.svg` or `.png`.
    ///
    /// # Errors
    /// [`FigureError::UnknownFormat`] for any other ending; otherwise as [`rasterize`].
    pub fn bytes_for(&self, path: &Path) -> Result<Vec<u8>, FigureError> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        match ending.to_ascii_lowercase().as_str() {
            "svg" => Ok(self.svg.clone().into_bytes()),
            "png" => self.png(),
            _ => Err(FigureError::UnknownFormat {
                path: path.to_path_buf(),
            }),
        }
    }
}

/// Why a figure could not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FigureError {
    /// The SVG could not be written.
    #[error("cannot draw the figure: {message}")]
    Draw {
        /// What the drawing backend said.
        message: String,
    },
    /// A file name that ends in neither `.svg` nor `.png`.
    #[error("`{}` ends in neither `.svg` nor `.png`", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// An animation could not be written.
    #[error("cannot make the animation: {message}")]
    Encode {
        /// What the encoder said.
        message: String,
    },
    /// The SVG could not be turned into pixels.
    #[error("cannot rasterize the figure: {message}")]
    Rasterize {
        /// What the rasterizer said.
        message: String,
    },
}
