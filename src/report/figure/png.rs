//! Rasterizing a figure's SVG with the embedded font only.

use super::FigureError;
use super::font::{BOLD, EMBEDDED_FAMILY, REGULAR};
use resvg::{tiny_skia, usvg};
use std::sync::Arc;

/// Most pixels along one side of a PNG.
const LARGEST_SIDE: f64 = 16_000.0;

/// The PNG bytes of an SVG document, `scale` device pixels to each of its pixels.
///
/// The font database holds the embedded faces and nothing of the system, so that the same figure gives the same bytes everywhere.
///
/// # Errors
/// [`FigureError::Rasterize`] when the document is not valid SVG or the picture would be empty or too large.
pub fn rasterize(svg: &str, scale: f64) -> Result<Vec<u8>, FigureError> {
    pixels(svg, scale)?
        .encode_png()
        .map_err(|error| FigureError::Rasterize {
            message: error.to_string(),
        })
}

/// The pixels of an SVG document on white ground.
///
/// # Errors
/// As [`rasterize`].
pub(super) fn pixels(svg: &str, scale: f64) -> Result<tiny_skia::Pixmap, FigureError> {
    let fail = |message: String| FigureError::Rasterize { message };
    let mut fonts = usvg::fontdb::Database::new();
    for face in [REGULAR, BOLD] {
        fonts.load_font_source(usvg::fontdb::Source::Binary(Arc::new(face)));
    }
    fonts.set_sans_serif_family(EMBEDDED_FAMILY);
    let options = usvg::Options {
        font_family: EMBEDDED_FAMILY.to_owned(),
        fontdb: Arc::new(fonts),
        ..usvg::Options::default()
    };
    let tree = usvg::Tree::from_str(svg, &options).map_err(|error| fail(error.to_string()))?;
    let (width, height) = (
        (f64::from(tree.size().width()) * scale).round(),
        (f64::from(tree.size().height()) * scale).round(),
    );
    if !(1.0..=LARGEST_SIDE).contains(&width) || !(1.0..=LARGEST_SIDE).contains(&height) {
        return Err(fail(format!("a picture of {width} by {height} pixels")));
    }
    let mut pixels = tiny_skia::Pixmap::new(width as u32, height as u32)
        .ok_or_else(|| fail(format!("no memory for {width} by {height} pixels")))?;
    pixels.fill(tiny_skia::Color::WHITE);
    resvg::render(
        &tree,
        tiny_skia::Transform::from_scale(scale as f32, scale as f32),
        &mut pixels.as_mut(),
    );
    Ok(pixels)
}
