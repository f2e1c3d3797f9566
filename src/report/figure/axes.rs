//! Axes: how many ticks have room, and their marks and labels round a frame.

use super::canvas::{Align, Area, Canvas, TextLook};
use super::chart::Axis;
use super::font::text_width;
use super::palette::{FRAME, INK};
use super::ticks::{Scale, Ticks};
use plotters::style::RGBColor;

pub(super) const TITLE_SIZE: f64 = 18.0;
pub(super) const PANEL_TITLE_SIZE: f64 = 14.0;
pub(super) const LABEL_SIZE: f64 = 14.0;
pub(super) const TICK_SIZE: f64 = 13.0;
pub(super) const NOTE_SIZE: f64 = 13.0;
/// Height of a text line over its letter size.
pub(super) const LEADING: f64 = 1.35;

pub(super) fn look(size: f64, color: RGBColor, align: Align) -> TextLook {
    TextLook {
        size,
        bold: false,
        color,
        align,
        upward: false,
    }
}

pub(super) fn widest_label<'a>(marks: impl Iterator<Item = &'a (f64, String)>) -> f64 {
    marks
        .map(|(_, label)| text_width(label, TICK_SIZE, false))
        .fold(0.0, f64::max)
}

fn make_axis(axis: &Axis, values: &[f64], count: usize, padding: f64, zero: bool) -> Ticks {
    let mut ticks = numbered(axis, values, count, padding, zero);
    if !axis.names.is_empty() {
        ticks.marks.clone_from(&axis.names);
        ticks.factor.clear();
    }
    ticks
}

fn numbered(axis: &Axis, values: &[f64], count: usize, padding: f64, zero: bool) -> Ticks {
    match (axis.limits, axis.scale) {
        (Some((low, high)), Scale::Linear)
            if low < high && (high - low).is_finite() && high - low > 1e-290 =>
        {
            Ticks::linear(low, high, count, axis.whole)
        }
        _ => Ticks::over(
            values.iter().copied(),
            axis.scale,
            count,
            padding,
            zero,
            axis.whole,
        ),
    }
}

/// The vertical axis of a frame `height` pixels high, over `values`.
pub(super) fn vertical(axis: &Axis, values: &[f64], height: f64) -> Ticks {
    let count = (height / 30.0).clamp(3.0, 8.0) as usize;
    make_axis(axis, values, count, 0.05, true)
}

/// The horizontal axis of a frame `width` pixels wide, over `values` with `padding`: as many ticks as their labels have room for.
pub(super) fn horizontal(axis: &Axis, values: &[f64], padding: f64, width: f64) -> Ticks {
    let mut count = (width / 30.0).clamp(2.0, 12.0) as usize;
    let mut ticks = make_axis(axis, values, count, padding, false);
    while count > 2 && crowded(&ticks, width) {
        count -= 1;
        ticks = make_axis(axis, values, count, padding, false);
    }
    if crowded(&ticks, width) {
        // Even two do not fit: the tick marks stay, the first label speaks for the axis.
        for (_, label) in ticks.marks.iter_mut().skip(1) {
            label.clear();
        }
    }
    ticks
}

/// Whether two neighboring labels come too close on an axis `width` pixels long.
fn crowded(ticks: &Ticks, width: f64) -> bool {
    let reach = |label: &str| text_width(label, TICK_SIZE, false) / 2.0;
    ticks.marks.windows(2).any(|pair| {
        let places = (ticks.fraction(pair[0].0), ticks.fraction(pair[1].0));
        let (Some(first), Some(second)) = places else {
            return false;
        };
        (second - first) * width < reach(&pair[0].1) + reach(&pair[1].1) + 10.0
    })
}

/// Draws tick marks and labels below `frame`.
pub(super) fn draw_below(canvas: &Canvas<'_>, ticks: &Ticks, frame: Area, labels: bool) {
    for (value, label) in &ticks.marks {
        let Some(fraction) = ticks.fraction(*value) else {
            continue;
        };
        let x = frame.left + fraction * frame.width();
        canvas.line((x, frame.bottom), (x, frame.bottom + 4.0), FRAME, 1.0);
        if labels {
            // A long label at the picture's edge moves in rather than out of it.
            let half = text_width(label, TICK_SIZE, false) / 2.0 + 3.0;
            let at = (
                x.clamp(half, (canvas.width() - half).max(half)),
                frame.bottom + 18.0,
            );
            canvas.text(label, at, look(TICK_SIZE, INK, Align::Middle));
        }
    }
    if labels {
        let factor = look(TICK_SIZE, INK, Align::End);
        canvas.text(&ticks.factor, (frame.right, frame.bottom + 36.0), factor);
    }
}

/// Draws tick marks and labels left of `frame`.
pub(super) fn draw_left(canvas: &Canvas<'_>, ticks: &Ticks, frame: Area, labels: bool) {
    for (value, label) in &ticks.marks {
        let Some(fraction) = ticks.fraction(*value) else {
            continue;
        };
        let y = frame.bottom - fraction * frame.height();
        canvas.line((frame.left - 4.0, y), (frame.left, y), FRAME, 1.0);
        if labels {
            let at = (frame.left - 8.0, y + 0.36 * TICK_SIZE);
            canvas.text(label, at, look(TICK_SIZE, INK, Align::End));
        }
    }
    if labels {
        // A long one in a narrow panel reaches left over the margin rather than into the next panel.
        let fitting = frame.right - text_width(&ticks.factor, TICK_SIZE, false);
        let at = (fitting.min(frame.left - 4.0), frame.top - 10.0);
        canvas.text(&ticks.factor, at, look(TICK_SIZE, INK, Align::Start));
    }
}

/// Draws the lines of a label that reads upward, its last line `beside` pixels left of `frame`.
pub(super) fn draw_label_left(canvas: &Canvas<'_>, lines: &[String], frame: Area, beside: f64) {
    for (k, line) in lines.iter().rev().enumerate() {
        let x = frame.left - beside - k as f64 * LABEL_SIZE * LEADING;
        let look = TextLook {
            upward: true,
            ..look(LABEL_SIZE, INK, Align::Middle)
        };
        canvas.text(line, (x, (frame.top + frame.bottom) / 2.0), look);
    }
}
