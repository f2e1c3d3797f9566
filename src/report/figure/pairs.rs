//! Pair plots of draws: histograms along the diagonal, clouds below it, correlations above it.

use super::axes::{self, LABEL_SIZE, PANEL_TITLE_SIZE, TICK_SIZE, look, widest_label};
use super::canvas::{Align, Area, Canvas, TextLook, draw_svg};
use super::chart::Axis;
use super::font::{ellipsize, text_width};
use super::heading::{Heading, MARGIN};
use super::palette::{self, FRAME, GRID, INK};
use super::ticks::{Scale, Ticks};
use super::{Figure, FigureError};

/// Most points of one cloud, evenly spaced among the draws.
const MOST_POINTS: usize = 300;
/// Bars of a histogram.
const BARS: usize = 24;
/// Width of the whole figure for many and for few variables.
const WIDTH: f64 = 980.0;
/// Largest side of a cell.
const LARGEST_CELL: f64 = 210.0;
const LEFT: f64 = 78.0;
const BELOW: f64 = 62.0;
const GAP: f64 = 8.0;

/// Draws of several variables against each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairPlot {
    /// Above the figure.
    pub title: String,
    /// A gray line under the title; may be empty.
    pub note: String,
    /// The variables, of as many draws each.
    pub variables: Vec<PairVariable>,
    /// Draws that are marked, by their index: where trajectories were lost.
    pub marked: Vec<usize>,
}

/// One variable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairVariable {
    /// Name and unit.
    pub label: String,
    /// Linear or logarithmic.
    pub scale: Scale,
    /// The draws.
    pub values: Vec<f64>,
}

impl PairVariable {
    /// On the axis: the value, or its logarithm.
    fn place(&self, v: f64) -> f64 {
        match self.scale {
            Scale::Linear => v,
            Scale::Logarithmic => v.ln(),
        }
    }
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len()) as f64;
    let mean = |x: &[f64]| x.iter().sum::<f64>() / n;
    let (ma, mb) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        a.iter().zip(b).map(|(&x, &y)| f(x - ma, y - mb)).sum()
    };
    sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
}

/// Clears labels that would reach beyond the middle of the gap to the next cell, where they might meet others.
fn keep_inside(ticks: &mut Ticks, cell: f64, length: impl Fn(&str) -> f64) {
    let places: Vec<Option<f64>> = ticks.marks.iter().map(|m| ticks.fraction(m.0)).collect();
    for ((_, label), place) in ticks.marks.iter_mut().zip(places) {
        let half = 0.5 * length(label);
        let inside = place
            .is_some_and(|f| f * cell - half >= -GAP / 2.0 && f * cell + half <= cell + GAP / 2.0);
        if !inside {
            label.clear();
        }
    }
}

impl PairPlot {
    /// Lays out and draws the figure.
    ///
    /// # Errors
    /// [`FigureError::Draw`] when the SVG backend fails.
    pub fn draw(&self) -> Result<Figure, FigureError> {
        let count = self.variables.len().max(1);
        let room = WIDTH - 2.0 * MARGIN - LEFT - GAP * (count - 1) as f64;
        let cell = (room / count as f64).min(LARGEST_CELL);
        let side = cell * count as f64 + GAP * (count - 1) as f64;
        let width = (2.0 * MARGIN + LEFT + side).max(420.0);
        let heading = Heading::new(&self.title, &self.note, width);
        let top = heading.height() + 26.0;
        let height = (top + side + BELOW).ceil();
        let axis = |variable: &PairVariable| Axis {
            scale: variable.scale,
            ..Axis::default()
        };
        let mut across: Vec<Ticks> = self
            .variables
            .iter()
            .map(|v| {
                let mut ticks = axes::horizontal(&axis(v), &v.values, 0.03, cell);
                keep_inside(&mut ticks, cell, |label| {
                    text_width(label, TICK_SIZE, false)
                });
                ticks
            })
            .collect();
        let mut up: Vec<Ticks> = self
            .variables
            .iter()
            .map(|v| {
                // the same limits as across, so that a value has one place in both directions
                let mut ticks = Ticks::over(
                    v.values.iter().copied(),
                    v.scale,
                    (cell / 34.0).clamp(2.0, 6.0) as usize,
                    0.03,
                    false,
                    false,
                );
                keep_inside(&mut ticks, cell, |_| TICK_SIZE);
                ticks
            })
            .collect();
        // a power of ten stands in the label, as beside its axis it would lie on the cell above
        let labels = |ticks: &mut [Ticks]| -> Vec<String> {
            let each = ticks.iter_mut().zip(&self.variables);
            each.map(|(ticks, variable)| {
                let factor = std::mem::take(&mut ticks.factor);
                let label = match factor.is_empty() {
                    true => variable.label.clone(),
                    false => format!("{} ({factor})", variable.label),
                };
                ellipsize(&label, LABEL_SIZE, false, cell)
            })
            .collect()
        };
        let (below, beside) = (labels(&mut across), labels(&mut up));
        let svg = draw_svg(width, height, |canvas| {
            heading.draw(canvas);
            for row in 0..self.variables.len() {
                for column in 0..self.variables.len() {
                    let left = MARGIN + LEFT + (cell + GAP) * column as f64;
                    let above = top + (cell + GAP) * row as f64;
                    let frame = Area {
                        left,
                        top: above,
                        right: left + cell,
                        bottom: above + cell,
                    };
                    if column > row {
                        self.number(canvas, row, column, frame);
                        continue;
                    }
                    if column == row {
                        self.histogram(canvas, row, &across[row], frame);
                    } else {
                        self.cloud(canvas, (column, row), (&across[column], &up[row]), frame);
                    }
                    canvas.frame(frame, FRAME, 1.0);
                    if row + 1 == self.variables.len() {
                        axes::draw_below(canvas, &across[column], frame, true);
                        let at = ((frame.left + frame.right) / 2.0, frame.bottom + 42.0);
                        canvas.text(&below[column], at, look(LABEL_SIZE, INK, Align::Middle));
                    }
                    if column == 0 && row > 0 {
                        axes::draw_left(canvas, &up[row], frame, true);
                        let away = widest_label(up[row].marks.iter()) + 18.0;
                        let label = std::slice::from_ref(&beside[row]);
                        axes::draw_label_left(canvas, label, frame, away);
                    }
                }
            }
        })
        .map_err(|message| FigureError::Draw { message })?;
        Ok(Figure { svg, width, height })
    }

    fn histogram(&self, canvas: &Canvas<'_>, index: usize, ticks: &Ticks, frame: Area) {
        let variable = &self.variables[index];
        let mut bars = [0_usize; BARS];
        let fractions = variable.values.iter().filter_map(|&v| ticks.fraction(v));
        for fraction in fractions {
            bars[((fraction * BARS as f64) as usize).min(BARS - 1)] += 1;
        }
        let highest = bars.iter().copied().max().unwrap_or(0).max(1) as f64;
        let wide = frame.width() / BARS as f64;
        for (k, &bar) in bars.iter().enumerate().filter(|(_, bar)| **bar > 0) {
            let area = Area {
                left: frame.left + wide * k as f64,
                right: frame.left + wide * (k + 1) as f64,
                top: frame.bottom - 0.94 * frame.height() * bar as f64 / highest,
                bottom: frame.bottom,
            };
            canvas.fill(area, palette::pale(palette::color(0), 0.55));
        }
        let label = ellipsize(&variable.label, PANEL_TITLE_SIZE, true, frame.width() + GAP);
        let bold = TextLook {
            bold: true,
            ..look(PANEL_TITLE_SIZE, INK, Align::Middle)
        };
        let at = ((frame.left + frame.right) / 2.0, frame.top - 7.0);
        canvas.text(&label, at, bold);
    }

    fn cloud(
        &self,
        canvas: &Canvas<'_>,
        (column, row): (usize, usize),
        (x, y): (&Ticks, &Ticks),
        frame: Area,
    ) {
        let place = |k: usize| {
            let px = x.fraction(*self.variables[column].values.get(k)?)?;
            let py = y.fraction(*self.variables[row].values.get(k)?)?;
            let at = (
                frame.left + px * frame.width(),
                frame.bottom - py * frame.height(),
            );
            ((0.0..=1.0).contains(&px) && (0.0..=1.0).contains(&py)).then_some(at)
        };
        for (value, _) in &x.marks {
            if let Some(f) = x.fraction(*value) {
                let px = frame.left + f * frame.width();
                canvas.line((px, frame.top), (px, frame.bottom), GRID, 0.6);
            }
        }
        for (value, _) in &y.marks {
            if let Some(f) = y.fraction(*value) {
                let py = frame.bottom - f * frame.height();
                canvas.line((frame.left, py), (frame.right, py), GRID, 0.6);
            }
        }
        let count = self.variables[row].values.len();
        let step = count.div_ceil(MOST_POINTS).max(1);
        let color = palette::pale(palette::color(0), 0.8);
        for at in (0..count).step_by(step).filter_map(place) {
            canvas.dot(at, 1.5, color);
        }
        for at in self.marked.iter().filter_map(|&k| place(k)) {
            canvas.dot(at, 2.6, palette::color(1));
        }
    }

    fn number(&self, canvas: &Canvas<'_>, row: usize, column: usize, frame: Area) {
        let on_axis = |k: usize| -> Vec<f64> {
            let variable = &self.variables[k];
            variable.values.iter().map(|&v| variable.place(v)).collect()
        };
        let r = correlation(&on_axis(row), &on_axis(column));
        if !r.is_finite() {
            return;
        }
        let text = format!("{r:.2}");
        let text = if text == "-0.00" { "0.00".into() } else { text };
        // a strong correlation is large and dark
        let size = (TICK_SIZE + 9.0 * r.abs()).min(0.3 * frame.width());
        let color = palette::pale(INK, 0.45 + 0.55 * r.abs());
        let at = (
            (frame.left + frame.right) / 2.0,
            (frame.top + frame.bottom) / 2.0 + 0.36 * size,
        );
        canvas.text(&text, at, look(size, color, Align::Middle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_by_hand() {
        // deviations (-1, 0, 1) and (-1, 1, 0): 1 / 2
        assert!((correlation(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]) - 0.5).abs() < 1e-15);
        assert!(correlation(&[1.0, 1.0], &[1.0, 2.0]).is_nan());
    }
}
