//! What stands above a figure: its title, and a note in gray.

use super::axes::{LEADING, NOTE_SIZE, TITLE_SIZE, look};
use super::canvas::{Align, Canvas, TextLook};
use super::font::wrap;
use super::palette::{GRAY, INK};

/// White space round a figure.
pub(super) const MARGIN: f64 = 14.0;

/// A title and a note, broken into lines.
pub(super) struct Heading {
    title: Vec<String>,
    note: Vec<String>,
    width: f64,
}

impl Heading {
    /// For a figure of `width` pixels.
    pub(super) fn new(title: &str, note: &str, width: f64) -> Self {
        let inner = width - 2.0 * MARGIN;
        Heading {
            title: wrap(title, TITLE_SIZE, true, inner, 3),
            note: wrap(note, NOTE_SIZE, false, inner, 4),
            width,
        }
    }

    /// Height in pixels, the margin above included.
    pub(super) fn height(&self) -> f64 {
        MARGIN
            + self.title.len() as f64 * TITLE_SIZE * LEADING
            + self.note.len() as f64 * NOTE_SIZE * LEADING
    }

    /// Draws it at the top.
    pub(super) fn draw(&self, canvas: &Canvas<'_>) {
        let mut y = MARGIN;
        for (lines, size, bold, color) in [
            (&self.title, TITLE_SIZE, true, INK),
            (&self.note, NOTE_SIZE, false, GRAY),
        ] {
            for line in lines {
                y += size * LEADING;
                let look = look(size, color, Align::Middle);
                let at = (self.width / 2.0, y - 0.3 * size);
                canvas.text(line, at, TextLook { bold, ..look });
            }
        }
    }
}
