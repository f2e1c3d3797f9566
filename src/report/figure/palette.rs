//! Colors, dashes and markers that stay apart for color-blind readers and in gray print.
//!
//! The colors are Okabe and Ito's (2008), without their yellow, which is too faint for lines on white. Color, dash and marker each cycle
//! with a different period, so that no two of the first 140 series look the same.

use plotters::style::RGBColor;

/// Series colors in order of use.
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(40, 40, 40),
];
/// Dash patterns in pixels, on and off in turn; empty is a solid line.
const DASHES: [&[f64]; 4] = [&[], &[9.0, 4.0], &[9.0, 3.0, 2.0, 3.0], &[2.5, 3.0]];

/// Text, near black.
pub(super) const INK: RGBColor = RGBColor(34, 34, 34);
/// Notes and keys that belong to no one series.
pub(super) const GRAY: RGBColor = RGBColor(105, 105, 105);
/// Lines that are only context.
pub(super) const FAINT: RGBColor = RGBColor(176, 176, 176);
/// Frame and tick marks.
pub(super) const FRAME: RGBColor = RGBColor(120, 120, 120);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(228, 228, 228);
/// Cells of a heat map without a finite value.
pub(super) const MISSING: RGBColor = RGBColor(190, 190, 190);
/// Shaded bands.
pub(super) const BAND: RGBColor = RGBColor(240, 243, 247);

/// The shape of a data point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A disk.
    Circle,
    /// A square on its side.
    Square,
    /// A triangle pointing up.
    Triangle,
    /// A square on its corner.
    Diamond,
    /// A triangle pointing down.
    DownTriangle,
}

/// Number of series colors.
pub(super) const COUNT: usize = COLORS.len();

/// Color of series `index`.
pub(super) fn color(index: usize) -> RGBColor {
    COLORS[index % COLORS.len()]
}

/// `color` with white: so much of it, between 0 and 1.
pub(super) fn pale(color: RGBColor, strength: f64) -> RGBColor {
    let mix = |c: u8| {
        let white = f64::from(u8::MAX);
        (white + strength.clamp(0.0, 1.0) * (f64::from(c) - white)).round() as u8
    };
    RGBColor(mix(color.0), mix(color.1), mix(color.2))
}

/// Dash pattern of series `index`.
pub(super) fn dash(index: usize) -> &'static [f64] {
    DASHES[index % DASHES.len()]
}

/// Marker of series `index`.
pub(super) fn shape(index: usize) -> Shape {
    [
        Shape::Circle,
        Shape::Square,
        Shape::Triangle,
        Shape::Diamond,
        Shape::DownTriangle,
    ][index % 5]
}
