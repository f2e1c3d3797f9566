//! Animations: figures of one size, one after the other, as a GIF.
//!
//! All frames share one palette, made of the colors that figures are drawn in, so that a value has the same color in every frame. After
//! the first, a frame holds only the rectangle that changed, and in it only the pixels that did: what stays costs next to nothing.

use std::borrow::Cow;
use std::collections::HashMap;

use plotters::style::RGBColor;
use rayon::prelude::*;

use super::colormap::ColorMap;
use super::palette::{self, MISSING};
use super::png::pixels;
use super::{Figure, FigureError};

/// Colors of each map in the palette: 2 * 98 + 24 grays + 7 series in 5 strengths, and one for what did not change, are 256.
const MAP_COLORS: usize = 98;
const GRAYS: usize = 24;
const STRENGTHS: usize = 5;
/// The palette's last entry: the pixel stays as it was.
const UNCHANGED: u8 = 255;
/// Frames drawn at once, before they are written.
const BATCH: usize = 16;

/// An animation of `frames` figures drawn by `draw`, a pixel to each of their pixels, `fps` of them a second, without end.
///
/// The first figure gives the size. GIF tells time in hundredths of a second; fewer than 2 are shown slowly by most programs, so that 50
/// frames a second are the most.
///
/// # Errors
/// What `draw` reports; [`FigureError::Rasterize`] and [`FigureError::Encode`].
pub fn animation(
    frames: usize,
    fps: f64,
    draw: impl Fn(usize) -> Result<Figure, FigureError> + Sync,
) -> Result<Vec<u8>, FigureError> {
    let palette = Palette::new();
    let fail = |error: gif::EncodingError| FigureError::Encode {
        message: error.to_string(),
    };
    // NaN, too, becomes a second
    let delay = (100.0 / fps).clamp(2.0, 6000.0).round() as u16;
    let mut encoder: Option<gif::Encoder<Vec<u8>>> = None;
    let mut before: Option<Indexed> = None;
    for begin in (0..frames).step_by(BATCH) {
        let batch: Vec<Indexed> = (begin..frames.min(begin + BATCH))
            .into_par_iter()
            .map(|k| palette.index(&draw(k)?))
            .collect::<Result<_, _>>()?;
        for indexed in batch {
            let indexed = match &before {
                Some(first) => indexed.resized(first.width, first.height),
                None => indexed,
            };
            let writer = match &mut encoder {
                Some(writer) => writer,
                none => {
                    let (width, height) = (indexed.width, indexed.height);
                    let mut made = gif::Encoder::new(Vec::new(), width, height, &palette.bytes())
                        .map_err(fail)?;
                    made.set_repeat(gif::Repeat::Infinite).map_err(fail)?;
                    none.insert(made)
                }
            };
            let frame = indexed.frame(before.as_ref(), delay);
            writer.write_frame(&frame).map_err(fail)?;
            before = Some(indexed);
        }
    }
    match encoder {
        Some(writer) => writer.into_inner().map_err(|error| FigureError::Encode {
            message: error.to_string(),
        }),
        None => Err(FigureError::Encode {
            message: "no frames".into(),
        }),
    }
}

/// A picture as indices into the palette.
struct Indexed {
    width: u16,
    height: u16,
    levels: Vec<u8>,
}

impl Indexed {
    /// Cut or filled with white to another size.
    fn resized(self, width: u16, height: u16) -> Self {
        if (self.width, self.height) == (width, height) {
            return self;
        }
        let white = self.levels.first().copied().unwrap_or(0);
        let (w, h) = (usize::from(width), usize::from(height));
        let mut levels = vec![white; w * h];
        let shared = w.min(usize::from(self.width));
        let rows = self.levels.chunks_exact(usize::from(self.width).max(1));
        for (to, from) in levels.chunks_exact_mut(w.max(1)).zip(rows) {
            to[..shared].copy_from_slice(&from[..shared]);
        }
        Indexed {
            width,
            height,
            levels,
        }
    }

    /// As a frame that follows `before`, of equal size.
    fn frame(&self, before: Option<&Indexed>, delay: u16) -> gif::Frame<'static> {
        let width = usize::from(self.width);
        let plain =
            |left: usize, top: usize, right: usize, bottom: usize, buffer: Vec<u8>| gif::Frame {
                delay,
                left: left as u16,
                top: top as u16,
                width: (right - left) as u16,
                height: (bottom - top) as u16,
                buffer: Cow::Owned(buffer),
                dispose: gif::DisposalMethod::Keep,
                transparent: Some(UNCHANGED),
                ..gif::Frame::default()
            };
        let Some(before) = before else {
            let height = usize::from(self.height);
            return plain(0, 0, width, height, self.levels.clone());
        };
        let changed = |k: &usize| self.levels[*k] != before.levels[*k];
        let (mut left, mut right) = (width, 0);
        let (mut top, mut bottom) = (usize::MAX, 0);
        for k in (0..self.levels.len()).filter(changed) {
            let (x, y) = (k % width, k / width);
            (left, right) = (left.min(x), right.max(x + 1));
            (top, bottom) = (top.min(y), bottom.max(y + 1));
        }
        if left >= right {
            return plain(0, 0, 1, 1, vec![UNCHANGED]);
        }
        let buffer = (top..bottom)
            .flat_map(|y| (left..right).map(move |x| y * width + x))
            .map(|k| {
                if changed(&k) {
                    self.levels[k]
                } else {
                    UNCHANGED
                }
            })
            .collect();
        plain(left, top, right, bottom, buffer)
    }
}

/// The colors of all frames.
struct Palette {
    colors: Vec<RGBColor>,
}

impl Palette {
    fn new() -> Self {
        let of_map = |map: ColorMap| {
            (0..MAP_COLORS).map(move |k| map.color(k as f64 / (MAP_COLORS - 1) as f64))
        };
        let grays = (0..GRAYS).map(|k| {
            let gray = (255 * k / (GRAYS - 1)) as u8;
            RGBColor(gray, gray, gray)
        });
        let series = (0..palette::COUNT).flat_map(|i| {
            (1..=STRENGTHS).map(move |k| {
                let strength = k as f64 / STRENGTHS as f64;
                let over_white = |c: u8| (255.0 - strength * (255.0 - f64::from(c))).round() as u8;
                let RGBColor(r, g, b) = palette::color(i);
                RGBColor(over_white(r), over_white(g), over_white(b))
            })
        });
        let colors = of_map(ColorMap::Sequential)
            .chain(of_map(ColorMap::Diverging))
            .chain(grays)
            .chain(series)
            .take(usize::from(UNCHANGED))
            .collect();
        Palette { colors }
    }

    /// Red, green and blue of each entry.
    fn bytes(&self) -> Vec<u8> {
        let all = self.colors.iter().copied().chain([MISSING]);
        all.flat_map(|c| [c.0, c.1, c.2]).collect()
    }

    fn nearest(&self, pixel: [u8; 3]) -> u8 {
        let distance = |c: &RGBColor| -> i32 {
            [c.0, c.1, c.2]
                .into_iter()
                .zip(pixel)
                .map(|(a, b)| (i32::from(a) - i32::from(b)).pow(2))
                .sum()
        };
        let found = self.colors.iter().enumerate();
        found.min_by_key(|(_, c)| distance(c)).map_or(0, |(k, _)| k) as u8
    }

    /// The pixels of a figure.
    fn index(&self, figure: &Figure) -> Result<Indexed, FigureError> {
        let picture = pixels(&figure.svg, 1.0)?;
        let too_large = |_| FigureError::Encode {
            message: format!("{} by {} pixels", picture.width(), picture.height()),
        };
        let mut known: HashMap<[u8; 3], u8> = HashMap::new();
        // the ground is white, so that every pixel is opaque
        let levels = picture
            .pixels()
            .iter()
            .map(|p| [p.red(), p.green(), p.blue()])
            .map(|pixel| *known.entry(pixel).or_insert_with(|| self.nearest(pixel)))
            .collect();
        Ok(Indexed {
            width: u16::try_from(picture.width()).map_err(too_large)?,
            height: u16::try_from(picture.height()).map_err(too_large)?,
            levels,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(levels: &[u8]) -> Indexed {
        Indexed {
            width: 4,
            height: 3,
            levels: levels.to_vec(),
        }
    }

    #[test]
    fn a_frame_holds_what_changed() {
        let first = picture(&[0; 12]);
        let second = picture(&[0, 0, 0, 0, 0, 7, 0, 8, 0, 0, 9, 0]);
        let whole = first.frame(None, 5);
        assert_eq!((whole.width, whole.height, whole.delay), (4, 3, 5));
        let frame = second.frame(Some(&first), 5);
        assert_eq!(
            (frame.left, frame.top, frame.width, frame.height),
            (1, 1, 3, 2)
        );
        assert_eq!(frame.buffer[..], [7, UNCHANGED, 8, UNCHANGED, 9, UNCHANGED]);
        // nothing changed: the frame still takes its time
        assert_eq!(second.frame(Some(&second), 5).buffer.len(), 1);
    }

    #[test]
    fn drawn_colors_are_in_the_palette() {
        let palette = Palette::new();
        assert_eq!(palette.colors.len(), usize::from(UNCHANGED));
        for (color, most) in [
            (RGBColor(255, 255, 255), 0),
            (palette::color(3), 0),
            (ColorMap::Sequential.color(0.37), 3),
            (ColorMap::Diverging.color(0.81), 3),
        ] {
            let found = palette.colors[usize::from(palette.nearest([color.0, color.1, color.2]))];
            for (a, b) in [(color.0, found.0), (color.1, found.1), (color.2, found.2)] {
                assert!(a.abs_diff(b) <= most, "{color:?} became {found:?}");
            }
        }
    }
}
