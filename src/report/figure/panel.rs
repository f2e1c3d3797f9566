//! One panel of a plot: the data's extents, and its layers drawn into a frame.

use super::axes::{LABEL_SIZE, LEADING, TICK_SIZE, draw_below, draw_left, look};
use super::canvas::{Align, Area, Canvas, TextLook};
use super::chart::{Layer, Panel};
use super::font::wrap;
use super::palette::{self, BAND, FRAME, GRAY, GRID, Shape};
use super::ticks::Ticks;

/// Every finite point of the data.
pub(super) fn points(panel: &Panel) -> impl Iterator<Item = (f64, f64)> {
    panel
        .layers
        .iter()
        .flat_map(|layer| match layer {
            Layer::Line { points, .. } | Layer::Dots { points, .. } => points.clone(),
            Layer::Ribbon { points, .. } => points
                .iter()
                .flat_map(|&(x, low, high)| [(x, low), (x, high)])
                .collect(),
            Layer::Mark { at, .. } => vec![*at],
            Layer::Band { .. } | Layer::Level(_) => Vec::new(),
        })
        .filter(|(x, y)| x.is_finite() && y.is_finite())
}

/// Every height the vertical axis has to hold.
pub(super) fn y_extents(panel: &Panel) -> impl Iterator<Item = f64> {
    panel.layers.iter().flat_map(|layer| match layer {
        Layer::Line { points, .. } => points
            .iter()
            .filter(|(x, _)| x.is_finite())
            .map(|p| p.1)
            .collect(),
        Layer::Dots { points, errors, .. } => points
            .iter()
            .enumerate()
            .filter(|(_, (x, _))| x.is_finite())
            .flat_map(|(i, &(_, y))| {
                let error = errors.get(i).copied().filter(|e| e.is_finite());
                let error = error.unwrap_or(0.0).abs();
                [y - error, y, y + error]
            })
            .collect::<Vec<f64>>(),
        Layer::Band { low, high } => vec![*low, *high],
        Layer::Ribbon { points, .. } => points.iter().flat_map(|p| [p.1, p.2]).collect(),
        Layer::Level(level) => vec![*level],
        Layer::Mark { at, .. } => vec![at.1],
    })
}

/// Draws `panel` with its axes into `frame`.
pub(super) fn draw(canvas: &Canvas<'_>, panel: &Panel, x: &Ticks, y: &Ticks, frame: Area) {
    let place_x = |v: f64| Some(frame.left + x.fraction(v)?.clamp(-10.0, 11.0) * frame.width());
    let place_y = |v: f64| Some(frame.bottom - y.fraction(v)?.clamp(-10.0, 11.0) * frame.height());
    let place = |(px, py): (f64, f64)| match (place_x(px), place_y(py)) {
        (Some(px), Some(py)) => (px, py),
        _ => (f64::NAN, f64::NAN),
    };
    let inside = |(px, py): (f64, f64)| {
        (frame.left - 0.5..=frame.right + 0.5).contains(&px)
            && (frame.top - 0.5..=frame.bottom + 0.5).contains(&py)
    };

    for layer in &panel.layers {
        if let Layer::Ribbon {
            ink,
            strength,
            points,
        } = layer
        {
            let color = palette::pale(ink.color(), *strength);
            let placed = points.iter().map(|&(px, low, high)| {
                let up = |v: f64| place_y(v).map(|y| y.clamp(frame.top, frame.bottom));
                let across = place_x(px).map(|x| x.clamp(frame.left, frame.right));
                Some((across?, up(low)?, up(high)?))
            });
            let placed: Vec<Option<(f64, f64, f64)>> = placed.collect();
            for run in placed.split(Option::is_none) {
                let upper = run.iter().flatten().map(|&(px, _, high)| (px, high));
                let lower = run.iter().rev().flatten().map(|&(px, low, _)| (px, low));
                let corners: Vec<(f64, f64)> = upper.chain(lower).collect();
                if corners.len() >= 4 {
                    canvas.polygon(&corners, color);
                }
            }
        }
        if let Layer::Band { low, high } = layer
            && let (Some(bottom), Some(top)) = (place_y(*low), place_y(*high))
        {
            let top = top.clamp(frame.top, frame.bottom);
            let bottom = bottom.clamp(frame.top, frame.bottom);
            canvas.fill(
                Area {
                    top,
                    bottom,
                    ..frame
                },
                BAND,
            );
        }
    }
    for px in x.marks.iter().filter_map(|(value, _)| place_x(*value)) {
        canvas.line((px, frame.top), (px, frame.bottom), GRID, 0.8);
    }
    for py in y.marks.iter().filter_map(|(value, _)| place_y(*value)) {
        canvas.line((frame.left, py), (frame.right, py), GRID, 0.8);
    }
    draw_below(canvas, x, frame, true);
    draw_left(canvas, y, frame, true);
    canvas.frame(frame, FRAME, 1.0);

    for layer in &panel.layers {
        match layer {
            Layer::Band { .. } | Layer::Ribbon { .. } => {}
            Layer::Level(level) => {
                if let Some(py) = place_y(*level) {
                    let ends = [(frame.left, py), (frame.right, py)];
                    canvas.curve(&ends, frame, &[], FRAME, 1.2);
                }
            }
            Layer::Mark { at, label } => {
                let at = place(*at);
                if inside(at) {
                    canvas.marker(at, Shape::Diamond, 6.0, palette::color(1));
                    // Beside the point, on the side with more room.
                    let (side, align) = if at.0 > (frame.left + frame.right) / 2.0 {
                        (-11.0, Align::End)
                    } else {
                        (11.0, Align::Start)
                    };
                    let look = look(TICK_SIZE, palette::color(1), align);
                    let up = (at.1 - 9.0).max(frame.top + TICK_SIZE);
                    canvas.text(label, (at.0 + side, up), TextLook { bold: true, ..look });
                }
            }
            Layer::Line { ink, width, points } => {
                let placed: Vec<(f64, f64)> = points.iter().copied().map(place).collect();
                canvas.curve(&placed, frame, ink.dash(), ink.color(), *width);
                // A line of one point would be invisible.
                let mut finite = placed.iter().filter(|p| p.0.is_finite());
                if let (Some(&only), None) = (finite.next(), finite.next())
                    && inside(only)
                {
                    canvas.marker(only, Shape::Circle, 3.0, ink.color());
                }
            }
            Layer::Dots {
                ink,
                points,
                errors,
            } => {
                let radius = if points.len() > 200 { 2.4 } else { 3.8 };
                for (i, &(px, py)) in points.iter().enumerate() {
                    let at = place((px, py));
                    if let Some(error) = errors.get(i).filter(|e| e.is_finite()) {
                        let low = place_y(py - error.abs()).unwrap_or(frame.bottom);
                        let high = place_y(py + error.abs()).unwrap_or(frame.top);
                        for (from, to) in [
                            ((at.0, low), (at.0, high)),
                            ((at.0 - 3.5, low), (at.0 + 3.5, low)),
                            ((at.0 - 3.5, high), (at.0 + 3.5, high)),
                        ] {
                            canvas.curve(&[from, to], frame, &[], ink.color(), 1.2);
                        }
                    }
                    if inside(at) {
                        canvas.marker(at, ink.shape(), radius, ink.color());
                    }
                }
            }
        }
    }
    if !points(panel).any(|at| place(at).0.is_finite()) {
        let middle = (frame.left + frame.right) / 2.0;
        let center = (frame.top + frame.bottom) / 2.0;
        let lines = wrap(
            "no finite values",
            LABEL_SIZE,
            false,
            frame.width() - 8.0,
            3,
        );
        for (k, line) in lines.iter().enumerate() {
            let at = (middle, center + k as f64 * LABEL_SIZE * LEADING);
            canvas.text(line, at, look(LABEL_SIZE, GRAY, Align::Middle));
        }
    }
}
