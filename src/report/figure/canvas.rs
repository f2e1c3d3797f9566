//! A drawing surface in real-valued pixels over plotters' SVG backend.
//!
//! plotters places everything on whole numbers. The canvas therefore draws ten times oversize and tells the SVG's view box so: positions
//! are exact to a tenth of a pixel, and curves stay smooth at any zoom.

use super::font::{self, FAMILY};
use super::palette::Shape;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use plotters::coord::Shift;
use plotters::prelude::{
    Circle, DrawingArea, DrawingAreaErrorKind, IntoDrawingArea, PathElement, Polygon, Rectangle,
    SVGBackend,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    Color, FontFamily, FontStyle, FontTransform, IntoFont, IntoTextStyle, RGBColor, ShapeStyle,
    TextStyle, WHITE,
};

use std::cell::RefCell;

/// Backend units to the pixel.
const OVERSIZE: f64 = 10.0;
/// A line longer than this many pixels covers so much of a panel that its dashes would no longer show.
const LONGEST_DASHED: f64 = 20_000.0;
/// plotters divides its font size by this before writing SVG's `font-size`.
const FONT_FACTOR: f64 = 1.24;

/// Where text lies relative to its anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// The text begins at the anchor.
    Start,
    /// The text is centered on the anchor.
    Middle,
    /// The text ends at the anchor.
    End,
}

/// How a text is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextLook {
    /// Pixels to the em.
    pub size: f64,
    /// Bold face.
    pub bold: bool,
    /// Color of the letters.
    pub color: RGBColor,
    /// Horizontal alignment along the baseline.
    pub align: Align,
    /// Reads from bottom to top.
    pub upward: bool,
}

/// An axis-parallel rectangle in pixels, y downward.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    /// Left edge.
    pub left: f64,
    /// Top edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Bottom edge.
    pub bottom: f64,
}

impl Area {
    /// Width in pixels.
    pub(super) fn width(&self) -> f64 {
        self.right - self.left
    }
    /// Height in pixels.
    pub(super) fn height(&self) -> f64 {
        self.bottom - self.top
    }
}

/// The surface; the first failure is kept and returned by [`draw_svg`].
pub(super) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
    failure: RefCell<Option<String>>,
    /// SVG elements of pictures, which lie under everything else
    images: RefCell<String>,
    width: f64,
}

/// Runs `draw` on a white canvas of `width` by `height` pixels and returns the SVG document.
pub(super) fn draw_svg(
    width: f64,
    height: f64,
    draw: impl FnOnce(&Canvas<'_>),
) -> Result<String, String> {
    font::register();
    let (oversize_width, oversize_height) = (unit(width).max(1), unit(height).max(1));
    let mut svg = String::new();
    let (failure, images) = {
        let area = SVGBackend::with_string(
            &mut svg,
            (
                oversize_width.unsigned_abs(),
                oversize_height.unsigned_abs(),
            ),
        )
        .into_drawing_area();
        let canvas = Canvas {
            area,
            failure: RefCell::new(None),
            images: RefCell::new(String::new()),
            width,
        };
        canvas.note(canvas.area.fill(&WHITE));
        draw(&canvas);
        canvas.note(canvas.area.present());
        (canvas.failure.take(), canvas.images.take())
    };
    if let Some(message) = failure {
        return Err(message);
    }
    // The view box keeps the oversize units; the outer size says how large a pixel is meant to be.
    let head = format!("<svg width=\"{oversize_width}\" height=\"{oversize_height}\"");
    let scaled = format!("<svg width=\"{width}\" height=\"{height}\" stroke-linejoin=\"round\"");
    let mut svg = svg.replacen(&head, &scaled, 1);
    // Pictures go right over the white ground, which is the first element.
    if let Some(ground) = svg.find("/>\n") {
        svg.insert_str(ground + 3, &images);
    }
    Ok(svg)
}

/// Pixels to backend units, kept well inside the range of `i32` and zero for NaN.
fn unit(pixels: f64) -> i32 {
    (pixels * OVERSIZE).round().clamp(-1e8, 1e8) as i32
}

fn units((x, y): (f64, f64)) -> (i32, i32) {
    (unit(x), unit(y))
}

fn stroke(color: RGBColor, width: f64) -> ShapeStyle {
    color.stroke_width(unit(width).max(1).unsigned_abs())
}

impl Canvas<'_> {
    /// Width of the whole picture in pixels.
    pub(super) fn width(&self) -> f64 {
        self.width
    }

    /// A picture, given as a PNG, stretched over `area` with its pixels sharp, under all that is drawn otherwise.
    pub(super) fn image(&self, area: Area, png: Result<Vec<u8>, impl std::fmt::Display>) {
        let png = match png {
            Ok(png) => BASE64_STANDARD.encode(png),
            Err(error) => {
                self.failure
                    .borrow_mut()
                    .get_or_insert_with(|| error.to_string());
                return;
            }
        };
        let (x, y) = units((area.left, area.top));
        let (right, bottom) = units((area.right, area.bottom));
        self.images.borrow_mut().push_str(&format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" \
             style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{png}\"/>\n",
            right - x,
            bottom - y
        ));
    }

    fn note<E: std::error::Error + Send + Sync>(
        &self,
        result: Result<(), DrawingAreaErrorKind<E>>,
    ) {
        if let Err(error) = result {
            self.failure
                .borrow_mut()
                .get_or_insert_with(|| error.to_string());
        }
    }

    /// A straight line.
    pub(super) fn line(&self, from: (f64, f64), to: (f64, f64), color: RGBColor, width: f64) {
        self.note(self.area.draw(&PathElement::new(
            vec![units(from), units(to)],
            stroke(color, width),
        )));
    }

    /// A filled rectangle.
    pub(super) fn fill(&self, area: Area, color: RGBColor) {
        self.note(self.area.draw(&Rectangle::new(
            [
                units((area.left, area.top)),
                units((area.right, area.bottom)),
            ],
            color.filled(),
        )));
    }

    /// A filled polygon.
    pub(super) fn polygon(&self, corners: &[(f64, f64)], color: RGBColor) {
        let corners: Vec<(i32, i32)> = corners.iter().copied().map(units).collect();
        self.note(self.area.draw(&Polygon::new(corners, color.filled())));
    }

    /// A small disk without a rim, for one of many points.
    pub(super) fn dot(&self, at: (f64, f64), radius: f64, color: RGBColor) {
        let disk = Circle::new(units(at), unit(radius).max(1), color.filled());
        self.note(self.area.draw(&disk));
    }

    /// An empty rectangle.
    pub(super) fn frame(&self, area: Area, color: RGBColor, width: f64) {
        let Area {
            left,
            top,
            right,
            bottom,
        } = area;
        let corners = [
            (left, top),
            (right, top),
            (right, bottom),
            (left, bottom),
            (left, top),
        ];
        self.note(self.area.draw(&PathElement::new(
            corners.map(units).to_vec(),
            stroke(color, width),
        )));
    }

    /// A polyline, clipped to `area`, dashed by lengths `dash` (on and off in turn; empty for solid). Non-finite points break it.
    pub(super) fn curve(
        &self,
        points: &[(f64, f64)],
        area: Area,
        dash: &[f64],
        color: RGBColor,
        width: f64,
    ) {
        let style = stroke(color, width);
        for run in clipped_runs(&condense(points), area) {
            let pieces = if dash.is_empty() || length(&run) > LONGEST_DASHED {
                vec![run]
            } else {
                dashes(&run, dash)
            };
            for piece in pieces {
                let path: Vec<(i32, i32)> = piece.into_iter().map(units).collect();
                self.note(self.area.draw(&PathElement::new(path, style)));
            }
        }
    }

    /// A data point of `radius` pixels with a thin white rim that sets it off from lines beneath.
    pub(super) fn marker(&self, at: (f64, f64), shape: Shape, radius: f64, color: RGBColor) {
        for (grow, color) in [(1.0, WHITE), (0.0, color)] {
            let r = radius + grow;
            if shape == Shape::Circle {
                self.note(
                    self.area
                        .draw(&Circle::new(units(at), unit(r), color.filled())),
                );
                continue;
            }
            let (x, y) = at;
            let corners: Vec<(f64, f64)> = match shape {
                Shape::Square => {
                    let a = 0.88 * r;
                    vec![
                        (x - a, y - a),
                        (x + a, y - a),
                        (x + a, y + a),
                        (x - a, y + a),
                    ]
                }
                Shape::Diamond => {
                    let a = 1.2 * r;
                    vec![(x, y - a), (x + a, y), (x, y + a), (x - a, y)]
                }
                Shape::Triangle => triangle(at, -1.25 * r),
                Shape::DownTriangle | Shape::Circle => triangle(at, 1.25 * r),
            };
            self.note(self.area.draw(&Polygon::new(
                corners.into_iter().map(units).collect::<Vec<_>>(),
                color.filled(),
            )));
        }
    }

    /// Text with its baseline through `at`.
    pub(super) fn text(&self, text: &str, at: (f64, f64), look: TextLook) {
        // XML 1.0 has no way to write most control characters.
        let text: String = text
            .chars()
            .map(|c| {
                if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') {
                    ' '
                } else {
                    c
                }
            })
            .collect();
        if text.trim().is_empty() {
            return;
        }
        let align = match look.align {
            Align::Start => HPos::Left,
            Align::Middle => HPos::Center,
            Align::End => HPos::Right,
        };
        let face = if look.bold {
            FontStyle::Bold
        } else {
            FontStyle::Normal
        };
        let font = (
            FontFamily::Name(FAMILY),
            look.size * OVERSIZE * FONT_FACTOR,
            face,
        )
            .into_font();
        let font = if look.upward {
            font.transform(FontTransform::Rotate270)
        } else {
            font
        };
        let style: TextStyle<'_> = font
            .into_text_style(&self.area)
            .color(&look.color)
            .pos(Pos::new(align, VPos::Bottom));
        // plotters lifts bottom-anchored text by half an ex, a quarter em; undone here so that `at` is the baseline.
        let lift = 0.25 * look.size;
        let at = if look.upward {
            (at.0 + lift, at.1)
        } else {
            (at.0, at.1 + lift)
        };
        self.note(self.area.draw_text(&text, &style, units(at)));
    }
}

fn triangle((x, y): (f64, f64), tip: f64) -> Vec<(f64, f64)> {
    let half = tip.abs() * 0.95;
    vec![
        (x, y + tip),
        (x + half, y - 0.7 * tip),
        (x - half, y - 0.7 * tip),
    ]
}

/// The parts of a polyline inside `area`: Liang and Barsky's clipping of each segment, joined where they meet.
fn clipped_runs(points: &[(f64, f64)], area: Area) -> Vec<Vec<(f64, f64)>> {
    let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
    for pair in points.windows(2) {
        let Some((from, to)) = clip(pair[0], pair[1], area) else {
            continue;
        };
        match runs.last_mut() {
            Some(run) if run.last() == Some(&from) => run.push(to),
            _ => runs.push(vec![from, to]),
        }
    }
    runs.into_iter().map(|run| thin(&run)).collect()
}

/// Keeps of each run of points within half a pixel of width the first, lowest, highest and last: what a dense oscillation draws, in a
/// number of points bounded by the width of the panel.
fn condense(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let bucket = |p: &(f64, f64)| (2.0 * p.0).floor();
    let mut kept = Vec::with_capacity(points.len().min(8192));
    // NaN is unequal to itself, so that every gap stays.
    for group in
        points.chunk_by(|a, b| bucket(a) == bucket(b) && a.1.is_finite() && b.1.is_finite())
    {
        if group.len() <= 4 {
            kept.extend_from_slice(group);
            continue;
        }
        let by_height = |a: &usize, b: &usize| group[*a].1.total_cmp(&group[*b].1);
        let lowest = (0..group.len()).min_by(by_height).unwrap_or(0);
        let highest = (0..group.len()).max_by(by_height).unwrap_or(0);
        let last = group.len() - 1;
        let mut indices = [0, lowest.min(highest), lowest.max(highest), last].to_vec();
        indices.dedup();
        kept.extend(indices.into_iter().map(|i| group[i]));
    }
    kept
}

fn length(run: &[(f64, f64)]) -> f64 {
    run.windows(2)
        .map(|pair| (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1))
        .sum()
}

/// Drops points that move less than a fifth of a pixel: a million-point trajectory needs no more ink than the paper shows.
fn thin(run: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::with_capacity(run.len().min(4096));
    for (i, &(x, y)) in run.iter().enumerate() {
        let far = kept
            .last()
            .is_none_or(|&(px, py)| (x - px).abs().max((y - py).abs()) >= 0.2);
        if far || i + 1 == run.len() {
            kept.push((x, y));
        }
    }
    kept
}

fn clip(from: (f64, f64), to: (f64, f64), area: Area) -> Option<((f64, f64), (f64, f64))> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    if !(dx.is_finite() && dy.is_finite()) {
        return None;
    }
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
    for (speed, room) in [
        (-dx, from.0 - area.left),
        (dx, area.right - from.0),
        (-dy, from.1 - area.top),
        (dy, area.bottom - from.1),
    ] {
        if speed == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if speed < 0.0 {
            enter = enter.max(room / speed);
        } else {
            leave = leave.min(room / speed);
        }
    }
    if enter > leave {
        return None;
    }
    let at = |s: f64| (from.0 + s * dx, from.1 + s * dy);
    Some((
        if enter > 0.0 { at(enter) } else { from },
        if leave < 1.0 { at(leave) } else { to },
    ))
}

/// Cuts a polyline into the drawn pieces of a dash pattern, measured along the line.
fn dashes(run: &[(f64, f64)], pattern: &[f64]) -> Vec<Vec<(f64, f64)>> {
    let mut pieces = Vec::new();
    let (mut phase, mut left) = (0usize, pattern[0]);
    let Some(&first) = run.first() else {
        return pieces;
    };
    let mut piece = vec![first];
    for pair in run.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            let drawn = phase % 2 == 0;
            if length < left {
                left -= length;
                if drawn {
                    piece.push(to);
                }
                break;
            }
            let s = left / length;
            from = (from.0 + s * (to.0 - from.0), from.1 + s * (to.1 - from.1));
            if drawn {
                piece.push(from);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece = vec![from];
            }
            phase = (phase + 1) % pattern.len();
            left = pattern[phase];
        }
    }
    if phase % 2 == 0 && piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Area = Area {
        left: 0.0,
        top: 0.0,
        right: 10.0,
        bottom: 10.0,
    };

    #[test]
    fn clipping_cuts_at_the_edge_and_keeps_what_is_inside() {
        assert_eq!(
            clip((-10.0, 5.0), (20.0, 5.0), AREA),
            Some(((0.0, 5.0), (10.0, 5.0)))
        );
        assert_eq!(
            clip((1.0, 1.0), (2.0, 3.0), AREA),
            Some(((1.0, 1.0), (2.0, 3.0)))
        );
        assert_eq!(clip((-5.0, 0.0), (0.0, -5.1), AREA), None);
        assert_eq!(clip((f64::NAN, 0.0), (1.0, 1.0), AREA), None);
    }

    #[test]
    fn a_gap_breaks_a_line() {
        let points = [
            (0.0, 0.0),
            (1.0, 1.0),
            (f64::NAN, 2.0),
            (3.0, 3.0),
            (4.0, 4.0),
        ];
        let runs = clipped_runs(&condense(&points), AREA);
        assert_eq!(runs, [[(0.0, 0.0), (1.0, 1.0)], [(3.0, 3.0), (4.0, 4.0)]]);
    }

    #[test]
    fn dashes_cover_their_share_of_the_line() {
        // 9 on, 4 off along 130 pixels with corners: ten whole periods.
        let run: Vec<(f64, f64)> = (0..=13)
            .map(|i| (f64::from(i) * 6.0, f64::from(i) * 8.0))
            .collect();
        let drawn: f64 = dashes(&run, &[9.0, 4.0])
            .iter()
            .map(|piece| length(piece))
            .sum();
        assert!((drawn - 90.0).abs() < 1e-9, "{drawn}");
    }

    #[test]
    fn a_dense_oscillation_keeps_its_extent_in_few_points() {
        let points: Vec<(f64, f64)> = (0..1_000_000)
            .map(|i| (f64::from(i) * 1e-5, 5.0 + 4.0 * (f64::from(i) * 0.01).sin()))
            .collect();
        let kept = condense(&points);
        assert!(kept.len() <= 4 * 21, "{}", kept.len());
        let high = kept.iter().map(|p| p.1).fold(0.0, f64::max);
        let low = kept.iter().map(|p| p.1).fold(10.0, f64::min);
        assert!(high > 8.9999 && low < 1.0001);
    }
}
