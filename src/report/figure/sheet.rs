//! A sheet: plots and heat maps in rows under one title.

use super::canvas::{Canvas, draw_svg};
use super::chart::Plot;
use super::heading::{Heading, MARGIN};
use super::heat::{HeatLayout, HeatMaps, Margins};
use super::layout::PlotLayout;
use super::{Figure, FigureError};

/// Width of a figure in pixels, where nothing else is said.
const WIDTH: f64 = 900.0;
/// Between blocks of a row.
const BETWEEN: f64 = 10.0;

/// Blocks in rows, each row as high as its highest block.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// Above everything; may be empty.
    pub title: String,
    /// A line under the title in gray; may be empty.
    pub note: String,
    /// Width in pixels.
    pub width: f64,
    /// The blocks; those of a row share its width.
    pub rows: Vec<Vec<Block>>,
}

impl Default for Sheet {
    fn default() -> Self {
        Sheet {
            title: String::new(),
            note: String::new(),
            width: WIDTH,
            rows: Vec::new(),
        }
    }
}

/// What a sheet is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Panels with curves; their title and note are left out.
    Plot(Plot),
    /// Heat maps with their color bar.
    Heat(HeatMaps),
}

/// A block, measured.
enum Laid<'a> {
    Plot(PlotLayout<'a>),
    Heat(HeatLayout<'a>),
}

impl Laid<'_> {
    fn height(&self) -> f64 {
        match self {
            Laid::Plot(layout) => layout.height(),
            Laid::Heat(layout) => layout.height(),
        }
    }
    fn draw(&self, canvas: &Canvas<'_>, origin: (f64, f64)) {
        match self {
            Laid::Plot(layout) => layout.draw(canvas, origin),
            Laid::Heat(layout) => layout.draw(canvas, origin),
        }
    }
}

impl Sheet {
    /// Lays out and draws the figure.
    ///
    /// # Errors
    /// [`FigureError::Draw`] when the SVG backend or a raster's encoder fails.
    pub fn draw(&self) -> Result<Figure, FigureError> {
        let width = self.width.max(120.0);
        let inner = width - 2.0 * MARGIN;
        // Heat maps that stand alone in their rows share margins, so that one lies under the other.
        let alone = self.rows.iter().filter(|row| row.len() == 1).flatten();
        let shared = alone
            .filter_map(|block| match block {
                Block::Heat(maps) => Some(Margins::of(maps)),
                Block::Plot(_) => None,
            })
            .fold(Margins::default(), Margins::max);
        let rows: Vec<Vec<Laid<'_>>> = self
            .rows
            .iter()
            .map(|row| {
                let own = block_width(inner, row.len());
                row.iter()
                    .map(|block| match block {
                        Block::Plot(plot) => Laid::Plot(PlotLayout::new(plot, own)),
                        Block::Heat(maps) => {
                            let margins = Margins::of(maps);
                            let margins = if row.len() == 1 {
                                margins.max(shared)
                            } else {
                                margins
                            };
                            Laid::Heat(HeatLayout::new(maps, own, margins))
                        }
                    })
                    .collect()
            })
            .collect();
        let heading = Heading::new(&self.title, &self.note, width);
        let heights: Vec<f64> = rows
            .iter()
            .map(|row| row.iter().map(Laid::height).fold(0.0, f64::max))
            .collect();
        let height = (heading.height() + heights.iter().sum::<f64>() + MARGIN / 2.0).ceil();
        let svg = draw_svg(width, height, |canvas| {
            heading.draw(canvas);
            let mut y = heading.height();
            for (row, height) in rows.iter().zip(&heights) {
                let step = block_width(inner, row.len()) + BETWEEN;
                for (k, block) in row.iter().enumerate() {
                    block.draw(canvas, (MARGIN + step * k as f64, y));
                }
                y += height;
            }
        })
        .map_err(|message| FigureError::Draw { message })?;
        Ok(Figure { svg, width, height })
    }
}

/// Width of each of so many blocks in a row.
fn block_width(inner: f64, blocks: usize) -> f64 {
    let blocks = blocks.max(1) as f64;
    (inner - BETWEEN * (blocks - 1.0)) / blocks
}
