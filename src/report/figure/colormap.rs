//! Colors for values: perceptually uniform maps, and the scale that applies one.
//!
//! The sequential map is viridis (S. van der Walt and N. Smith, 2015, CC0), as ten of its colors with straight lines between: its
//! lightness rises evenly, so that equal differences look equal, also in gray print and to color-blind readers. The diverging map is
//! made in the OKLab space (B. Ottosson, 2020): from blue over near white to red, both arms equally light at equal distances from the
//! middle.

use super::palette::MISSING;
use plotters::style::RGBColor;

/// Colors of a raster: so many levels, and one more for what is not finite.
pub(super) const LEVELS: usize = 255;

const VIRIDIS: [[u8; 3]; 10] = [
    [68, 1, 84],
    [72, 40, 120],
    [62, 74, 137],
    [49, 104, 142],
    [38, 130, 142],
    [31, 158, 137],
    [53, 183, 121],
    [109, 205, 89],
    [180, 222, 44],
    [253, 231, 37],
];
/// OKLab lightness of the diverging map in its middle and at its ends.
const LIGHTNESS: (f64, f64) = (0.97, 0.38);
/// OKLab chroma at the ends of the diverging map, and the hues (degrees) of its lower and upper arm.
const CHROMA: f64 = 0.15;
const HUES: (f64, f64) = (255.0, 28.0);

/// A map from the fractions 0 to 1 to colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorMap {
    /// From dark violet over green to yellow: viridis.
    Sequential,
    /// From blue over near white, at one half, to red.
    Diverging,
}

impl ColorMap {
    /// The color at `fraction`, which is clamped to 0..=1.
    pub(super) fn color(self, fraction: f64) -> RGBColor {
        let fraction = fraction.clamp(0.0, 1.0);
        match self {
            ColorMap::Sequential => {
                let place = fraction * (VIRIDIS.len() - 1) as f64;
                let k = (place as usize).min(VIRIDIS.len() - 2);
                let s = place - k as f64;
                let mix = |c: usize| {
                    let (a, b) = (f64::from(VIRIDIS[k][c]), f64::from(VIRIDIS[k + 1][c]));
                    (a + s * (b - a)).round() as u8
                };
                RGBColor(mix(0), mix(1), mix(2))
            }
            ColorMap::Diverging => {
                let hue = if fraction < 0.5 { HUES.0 } else { HUES.1 };
                let arm = (2.0 * fraction - 1.0).abs();
                let lightness = LIGHTNESS.0 + arm * (LIGHTNESS.1 - LIGHTNESS.0);
                let chroma = CHROMA * (0.5 * std::f64::consts::PI * arm).sin();
                oklch(lightness, chroma, hue.to_radians())
            }
        }
    }
}

/// sRGB of a color in OKLab's cylindrical coordinates.
fn oklch(lightness: f64, chroma: f64, hue: f64) -> RGBColor {
    let (a, b) = (chroma * hue.cos(), chroma * hue.sin());
    let l = (lightness + 0.3963377774 * a + 0.2158037573 * b).powi(3);
    let m = (lightness - 0.1055613458 * a - 0.0638541728 * b).powi(3);
    let s = (lightness - 0.0894841775 * a - 1.2914855480 * b).powi(3);
    let encode = |linear: f64| {
        let linear = linear.clamp(0.0, 1.0);
        let value = if linear <= 0.0031308 {
            12.92 * linear
        } else {
            1.055 * linear.powf(1.0 / 2.4) - 0.055
        };
        (255.0 * value).round() as u8
    };
    RGBColor(
        encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
        encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
        encode(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s),
    )
}

/// Which color a value has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColorScale {
    /// The colors.
    pub map: ColorMap,
    /// The value of the map's lower end.
    pub low: f64,
    /// The value of its upper end, larger than `low`.
    pub high: f64,
}

impl ColorScale {
    /// The scale of `values`, those that are finite.
    ///
    /// Where they lie on both sides of zero, and on the side where they reach less far still a quarter as far as on the other, the
    /// scale diverges from zero and is symmetric; else it is sequential from the least to the largest.
    pub fn over(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|v| v.is_finite())
            .map(|v| v.clamp(-1e300, 1e300))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            });
        let largest = low.abs().max(high.abs());
        let scale = |map, low, high| ColorScale { map, low, high };
        if low > high {
            scale(ColorMap::Sequential, 0.0, 1.0)
        } else if low < 0.0 && high > 0.0 && low.abs().min(high) >= 0.25 * largest {
            scale(ColorMap::Diverging, -largest, largest)
        } else if high - low <= 1e-12 * largest || high - low < 1e-290 {
            // A range that rounding alone could make is shown as a constant.
            let half = if largest < 1e-290 { 1.0 } else { 0.1 * largest };
            scale(ColorMap::Sequential, low - half, high + half)
        } else {
            scale(ColorMap::Sequential, low, high)
        }
    }

    /// The level of `value`, [`LEVELS`] where it is not finite.
    pub(super) fn level(&self, value: f64) -> u8 {
        if !value.is_finite() {
            return LEVELS as u8;
        }
        let fraction = (value - self.low) / (self.high - self.low);
        (fraction.clamp(0.0, 1.0) * (LEVELS - 1) as f64).round() as u8
    }

    /// The colors of the levels, the last for what is not finite.
    pub(super) fn colors(&self) -> Vec<RGBColor> {
        let of = |k| self.map.color(k as f64 / (LEVELS - 1) as f64);
        (0..LEVELS).map(of).chain([MISSING]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lightness L* of CIE 1976, by the definition of sRGB (IEC 61966-2-1), not by OKLab.
    fn lightness(RGBColor(r, g, b): RGBColor) -> f64 {
        let linear = |c: u8| {
            let c = f64::from(c) / 255.0;
            if c <= 0.04045 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        };
        let y = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        if y > 0.008856 {
            116.0 * y.cbrt() - 16.0
        } else {
            903.3 * y
        }
    }

    #[test]
    fn lightness_rises_evenly_along_the_sequential_map() {
        let all: Vec<f64> = (0..=16)
            .map(|k| lightness(ColorMap::Sequential.color(f64::from(k) / 16.0)))
            .collect();
        let mean = (all[16] - all[0]) / 16.0;
        for pair in all.windows(2) {
            let step = pair[1] - pair[0];
            assert!((0.6 * mean..1.4 * mean).contains(&step), "{all:?}");
        }
    }

    #[test]
    fn the_arms_of_the_diverging_map_are_equally_light() {
        for k in 0..=20 {
            let away = f64::from(k) / 40.0;
            let below = lightness(ColorMap::Diverging.color(0.5 - away));
            let above = lightness(ColorMap::Diverging.color(0.5 + away));
            assert!((below - above).abs() < 8.0, "{away}: {below} and {above}");
        }
        let RGBColor(r, g, b) = ColorMap::Diverging.color(0.0);
        assert!(b > r && b > g, "blue below");
        let RGBColor(r, g, b) = ColorMap::Diverging.color(1.0);
        assert!(r > g && r > b, "red above");
    }

    #[test]
    fn a_scale_diverges_where_values_lie_on_both_sides_of_zero() {
        let over = |values: &[f64]| ColorScale::over(values.iter().copied());
        let scale = over(&[-1.0, 0.3, f64::NAN, 2.0]);
        assert_eq!(
            (scale.map, scale.low, scale.high),
            (ColorMap::Diverging, -2.0, 2.0)
        );
        assert_eq!(
            scale.level(0.0),
            127,
            "zero has the color of the middle level"
        );
        assert_eq!(scale.level(f64::NAN), 255);
        // a tenth below zero is an undershoot, not another side
        assert_eq!(over(&[-0.1, 1.0]).map, ColorMap::Sequential);
        let constant = over(&[3.0, 3.0]);
        assert!(constant.low < 3.0 && constant.high > 3.0);
        let nothing = over(&[f64::NAN]);
        assert!(nothing.low < nothing.high);
    }
}
