//! The one font of every figure, embedded so that a plot looks the same on a laptop, in CI and in a bare container.
//!
//! The files are DejaVu Sans and DejaVu Sans Bold cut down to Latin, Greek, super- and subscripts and mathematical signs; their license
//! lies beside them. In an SVG the family is a list, so that a browser without DejaVu falls back to Verdana, which has nearly the same
//! widths.

use plotters::style::{FontFamily, FontStyle, IntoFont, register_font};
use std::sync::OnceLock;

/// The family list written into every SVG text element.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";
/// The family name by which the rasterizer finds the embedded font.
pub(super) const EMBEDDED_FAMILY: &str = "DejaVu Sans";
/// The regular face.
pub(super) const REGULAR: &[u8] = include_bytes!("../font/DejaVuSans-subset.ttf");
/// The bold face, for titles.
pub(super) const BOLD: &[u8] = include_bytes!("../font/DejaVuSans-Bold-subset.ttf");

/// Ascent plus descent of DejaVu Sans in em; plotters measures text at this height instead of at the em.
const HEIGHT_IN_EM: f64 = 1.164;
/// Width per character assumed when a face cannot be read, in em.
const FALLBACK_WIDTH: f64 = 0.65;

/// Registers the faces once a process.
pub(super) fn register() {
    static REGISTERED: OnceLock<()> = OnceLock::new();
    REGISTERED.get_or_init(|| {
        // Failure only means coarser text measurement below, never a missing figure.
        let _regular = register_font(FAMILY, FontStyle::Normal, REGULAR);
        let _bold = register_font(FAMILY, FontStyle::Bold, BOLD);
    });
}

/// Width of `text` in pixels when set at `size` pixels to the em.
pub(super) fn text_width(text: &str, size: f64, bold: bool) -> f64 {
    register();
    let style = if bold {
        FontStyle::Bold
    } else {
        FontStyle::Normal
    };
    // Measured large and scaled down, since plotters returns whole pixels.
    let font = (FontFamily::Name(FAMILY), 1000.0 * HEIGHT_IN_EM, style).into_font();
    match font.box_size(text) {
        Ok((width, _)) => f64::from(width) * size / 1000.0,
        Err(_) => text.chars().count() as f64 * size * FALLBACK_WIDTH,
    }
}

/// Breaks `text` into at most `max_lines` lines no wider than `max_width`; what does not fit ends in an ellipsis.
pub(super) fn wrap(
    text: &str,
    size: f64,
    bold: bool,
    max_width: f64,
    max_lines: usize,
) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let joined = match lines.last() {
            Some(line) => format!("{line} {word}"),
            None => word.to_owned(),
        };
        if text_width(&joined, size, bold) <= max_width {
            lines.pop();
            lines.push(joined);
        } else if lines.is_empty() || lines.len() < max_lines {
            lines.push(ellipsize(word, size, bold, max_width));
        } else {
            let mut rest = joined;
            for word in words.by_ref() {
                rest.push(' ');
                rest.push_str(word);
            }
            lines.pop();
            lines.push(ellipsize(&rest, size, bold, max_width));
        }
    }
    lines
}

/// `text`, or its beginning and an ellipsis where it is wider than `max_width`.
pub(super) fn ellipsize(text: &str, size: f64, bold: bool, max_width: f64) -> String {
    if text_width(text, size, bold) <= max_width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for character in text.chars() {
        let longer = format!("{kept}{character}…");
        if text_width(&longer, size, bold) > max_width {
            break;
        }
        kept.push(character);
    }
    format!("{}…", kept.trim_end())
}
