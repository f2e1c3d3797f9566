//! Axis scales, round tick values and their labels.
//!
//! Ticks lie at multiples of 1, 2 or 5 times a power of ten. A label is made from the integer multiple, so that 0.3 never prints as
//! 0.30000000000000004. Values that need more than six digits are divided by one power of ten for the whole axis, shown once beside it.

/// How values map to positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal distances for equal differences.
    #[default]
    Linear,
    /// Equal distances for equal ratios; values that are not positive have no place on it.
    Logarithmic,
}

/// Beyond this magnitude values are clamped, so that differences stay finite; below its inverse a logarithmic axis shows nothing.
const LARGEST: f64 = 1e300;
/// Beyond this many tick steps from zero, labels leave out the digits they share.
const MOST_STEPS: f64 = 1e5;

/// A finished axis: limits, ticks and labels.
#[derive(Clone, Debug)]
pub(super) struct Ticks {
    /// Lower limit in data units.
    pub low: f64,
    /// Upper limit in data units.
    pub high: f64,
    /// Tick values with labels.
    pub marks: Vec<(f64, String)>,
    /// A power of ten by which the labels are to be multiplied, as text; empty for none.
    pub factor: String,
    scale: Scale,
}

impl Ticks {
    /// Position of `value` as a fraction of the axis, 0 at the low end; `None` where the scale has no place for it.
    pub(super) fn fraction(&self, value: f64) -> Option<f64> {
        if !value.is_finite() {
            return None;
        }
        match self.scale {
            Scale::Linear => {
                let value = value.clamp(-LARGEST, LARGEST);
                Some((value - self.low) / (self.high - self.low))
            }
            Scale::Logarithmic if value >= 1.0 / LARGEST => Some(
                (value.min(LARGEST).log10() - self.low.log10())
                    / (self.high.log10() - self.low.log10()),
            ),
            Scale::Logarithmic => None,
        }
    }

    /// An axis over the finite `values` (positive ones on a logarithmic scale) with about `count` ticks.
    ///
    /// A linear axis whose values come near zero from one side begins at zero when `anchor_zero` holds.
    pub(super) fn over(
        values: impl Iterator<Item = f64>,
        scale: Scale,
        count: usize,
        padding: f64,
        anchor_zero: bool,
        whole: bool,
    ) -> Ticks {
        let limits = values
            .filter(|v| v.is_finite() && (scale == Scale::Linear || *v >= 1.0 / LARGEST))
            .map(|v| v.clamp(-LARGEST, LARGEST))
            .fold(None, |limits: Option<(f64, f64)>, v| {
                Some(limits.map_or((v, v), |(low, high)| (low.min(v), high.max(v))))
            });
        match scale {
            Scale::Linear => {
                let (low, high) = linear_limits(limits, padding, anchor_zero);
                Ticks::linear(low, high, count, whole)
            }
            Scale::Logarithmic => Ticks::logarithmic(limits.unwrap_or((0.1, 10.0)), count),
        }
    }

    /// A linear axis with the given limits (`low < high`, both finite).
    ///
    /// With `whole` the ticks are integers, for axes that count.
    pub(super) fn linear(low: f64, high: f64, count: usize, whole: bool) -> Ticks {
        let (step, exponent) = match nice_step((high - low) / count.max(2) as f64) {
            (step, _) if whole && step < 1.0 => (1.0, 0),
            found => found,
        };
        let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
        let multiples: Vec<f64> = (0..=(last - first).clamp(0.0, 100.0) as usize)
            .map(|i| first + i as f64)
            .collect();
        // Ticks that share their first digits show only what differs, with the common part written once beside the axis.
        let largest = low.abs().max(high.abs());
        let base = match multiples.first() {
            Some(first) if largest > MOST_STEPS * step => first * step,
            _ => 0.0,
        };
        let origin = if base == 0.0 { 0.0 } else { first };
        let largest = if base == 0.0 { largest } else { high - low };
        let leading = largest.log10().floor() as i32;
        // Years and counts stay plain; a shared power of ten takes over where labels would grow long.
        let power = if !(-3..6).contains(&leading) {
            leading
        } else {
            0
        };
        let decimals = (power - exponent).clamp(0, 15) as usize;
        let marks = multiples
            .into_iter()
            .map(|multiple| {
                let shown = (multiple - origin) * step_at(step, exponent, power);
                (multiple * step, minus(&format!("{shown:.decimals$}")))
            })
            .collect();
        let mut factor = String::new();
        if power != 0 {
            factor = format!("×{}", power_of_ten(power));
        }
        if base != 0.0 {
            let sign = if base < 0.0 { "−" } else { "+" };
            factor = format!("{factor} {sign} {}", number(base.abs(), 15))
                .trim()
                .to_owned();
        }
        Ticks {
            low,
            high,
            marks,
            factor,
            scale: Scale::Linear,
        }
    }

    fn logarithmic((low, high): (f64, f64), count: usize) -> Ticks {
        let (mut bottom, mut top) = (low.log10(), high.log10());
        // All values equal: a decade round them, since no narrower window would mean anything.
        let margin = if top - bottom < 1e-6 {
            0.5
        } else {
            (0.04 * (top - bottom)).max(0.02)
        };
        bottom = (bottom - margin).max(-300.0);
        top = (top + margin).min(300.0);
        let decades: Vec<i32> = (bottom.ceil() as i32..=top.floor() as i32).collect();
        let marks = if decades.len() >= 3 {
            let stride = decades.len().div_ceil(count.max(2)) as i32;
            // One style for the whole axis: plain where all are short, else powers of ten.
            let plain = decades.iter().all(|d| (-2..=4).contains(d));
            let label = |d: i32| {
                if plain {
                    mantissa_label(1.0, d)
                } else {
                    power_of_ten(d)
                }
            };
            decades
                .iter()
                .filter(|d| *d % stride == 0)
                .map(|&d| (10f64.powi(d), label(d)))
                .collect()
        } else {
            let fine: Vec<(f64, String)> = (bottom.floor() as i32..=top.ceil() as i32)
                .flat_map(|d| [1.0, 2.0, 5.0].map(|m| (m, d)))
                .map(|(m, d)| (m * 10f64.powi(d), mantissa_label(m, d)))
                .filter(|(v, _)| *v <= LARGEST && (bottom..=top).contains(&v.log10()))
                .collect();
            if fine.len() >= 2 {
                fine
            } else {
                // Less than a factor of two: the ticks of a linear axis, placed logarithmically.
                Ticks::linear(10f64.powf(bottom), 10f64.powf(top), count, false)
                    .marks
                    .into_iter()
                    .map(|(v, _)| (v, number(v, 4)))
                    .collect()
            }
        };
        Ticks {
            low: 10f64.powf(bottom),
            high: 10f64.powf(top),
            marks,
            factor: String::new(),
            scale: Scale::Logarithmic,
        }
    }
}

/// Limits of a linear axis: data limits with `padding` (a fraction of the range) outside, never of zero width.
fn linear_limits(limits: Option<(f64, f64)>, padding: f64, anchor_zero: bool) -> (f64, f64) {
    let Some((low, high)) = limits else {
        return (0.0, 1.0);
    };
    let magnitude = low.abs().max(high.abs());
    // A range that rounding alone could make is shown as a constant.
    if high - low <= 1e-12 * magnitude || high - low < 1e-290 {
        let half = if magnitude < 1e-290 {
            1.0
        } else {
            0.1 * magnitude
        };
        return (low - half, high + half);
    }
    let pad = padding * (high - low);
    let near_zero = |near: f64, far: f64| anchor_zero && near.abs() <= 0.35 * far.abs();
    let bottom = if low >= 0.0 && near_zero(low, high) {
        0.0
    } else {
        low - pad
    };
    let top = if high <= 0.0 && near_zero(high, low) {
        0.0
    } else {
        high + pad
    };
    (bottom, top)
}

/// The least of 1, 2, 5 times a power of ten that is at least `raw`, with that power's exponent.
fn nice_step(raw: f64) -> (f64, i32) {
    let mut exponent = raw.log10().floor() as i32;
    let mantissa = raw / 10f64.powi(exponent);
    let nice = if mantissa <= 1.0 + 1e-9 {
        1.0
    } else if mantissa <= 2.0 + 1e-9 {
        2.0
    } else if mantissa <= 5.0 + 1e-9 {
        5.0
    } else {
        exponent += 1;
        1.0
    };
    // Dividing by a positive power is exact to one rounding, where multiplying by 0.1 is not.
    let step = if (-300..0).contains(&exponent) {
        nice / 10f64.powi(-exponent)
    } else {
        nice * 10f64.powi(exponent)
    };
    (step, exponent)
}

/// The step divided by `10^power`, from its integer mantissa.
fn step_at(step: f64, exponent: i32, power: i32) -> f64 {
    let mantissa = (step / 10f64.powi(exponent)).round();
    mantissa * 10f64.powi(exponent - power)
}

/// `10ⁿ` in superscript digits.
pub(super) fn power_of_ten(exponent: i32) -> String {
    let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let mut text = String::from("10");
    for c in exponent.to_string().chars() {
        text.push(match c.to_digit(10) {
            Some(d) => digits[d as usize],
            None => '⁻',
        });
    }
    text
}

fn mantissa_label(mantissa: f64, exponent: i32) -> String {
    if (-3..=4).contains(&exponent) {
        let decimals = (-exponent).max(0) as usize;
        format!("{:.decimals$}", mantissa * 10f64.powi(exponent))
    } else if mantissa == 1.0 {
        power_of_ten(exponent)
    } else {
        format!("{mantissa}×{}", power_of_ten(exponent))
    }
}

/// A hyphen made a minus sign, and minus zero made zero.
fn minus(text: &str) -> String {
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|c| c == '0' || c == '.') => digits.to_owned(),
        Some(digits) => format!("−{digits}"),
        None => text.to_owned(),
    }
}

/// A single number for captions and notes, to `digits` significant digits, with a power of ten outside 0.001 to 999999.
pub(super) fn number(value: f64, digits: i32) -> String {
    if value.is_nan() {
        return "not a number".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let exponent = value.abs().log10().floor() as i32;
    let trim = |text: String| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    };
    let text = if (-3..6).contains(&exponent) {
        let decimals = (digits - 1 - exponent).max(0) as usize;
        trim(format!("{value:.decimals$}"))
    } else {
        let decimals = (digits - 1).max(0) as usize;
        let scientific = format!("{value:.decimals$e}");
        let (mantissa, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let power = power.parse().unwrap_or(exponent);
        match trim(mantissa.to_owned()).as_str() {
            "1" => power_of_ten(power),
            mantissa => format!("{mantissa}×{}", power_of_ten(power)),
        }
    };
    minus(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &Ticks) -> Vec<&str> {
        ticks
            .marks
            .iter()
            .map(|(_, label)| label.as_str())
            .collect()
    }

    #[test]
    fn linear_labels_are_round_and_short() {
        for (low, high, count, expected, factor) in [
            (
                0.0,
                0.5,
                5,
                vec!["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"],
                "",
            ),
            (-1.0, 1.0, 4, vec!["−1.0", "−0.5", "0.0", "0.5", "1.0"], ""),
            (
                1900.0,
                1920.0,
                5,
                vec!["1900", "1905", "1910", "1915", "1920"],
                "",
            ),
            (0.0, 100_000.0, 2, vec!["0", "50000", "100000"], ""),
            (0.0, 3e6, 3, vec!["0", "1", "2", "3"], "×10⁶"),
            (0.0, 4e-9, 2, vec!["0", "2", "4"], "×10⁻⁹"),
            (1e9, 1e9 + 4.0, 2, vec!["0", "2", "4"], "+ 10⁹"),
            (
                -1e-7 - 2.0,
                1e-7 - 2.0,
                2,
                vec!["0", "1", "2"],
                "×10⁻⁷ − 2.0000001",
            ),
        ] {
            let ticks = Ticks::linear(low, high, count, false);
            assert_eq!(labels(&ticks), expected, "{low} to {high}");
            assert_eq!(ticks.factor, factor, "{low} to {high}");
        }
    }

    #[test]
    fn tick_values_are_multiples_to_rounding() {
        let ticks = Ticks::linear(0.0, 0.7, 7, false);
        for (i, (value, _)) in ticks.marks.iter().enumerate() {
            assert!((value - i as f64 / 10.0).abs() <= f64::EPSILON);
        }
        assert_eq!(labels(&Ticks::linear(0.9, 3.1, 8, true)), ["1", "2", "3"]);
    }

    #[test]
    fn logarithmic_labels_keep_one_style() {
        let over = |low: f64, high: f64| {
            Ticks::over(
                [low, high].into_iter(),
                Scale::Logarithmic,
                8,
                0.0,
                false,
                false,
            )
        };
        assert_eq!(
            labels(&over(0.01, 100.0)),
            ["0.01", "0.1", "1", "10", "100"]
        );
        assert_eq!(labels(&over(1e-6, 1.0)).first(), Some(&"10⁻⁶"));
        assert_eq!(labels(&over(1e-6, 1.0)).last(), Some(&"10⁰"));
        assert_eq!(labels(&over(1.0, 20.0)), ["1", "2", "5", "10", "20"]);
        let ticks = over(1e-3, 1e3);
        let middle = ticks.fraction(1.0).unwrap_or(f64::NAN);
        assert!((middle - 0.5).abs() < 1e-12, "{middle}");
        assert_eq!(ticks.fraction(0.0), None);
        assert_eq!(ticks.fraction(-1.0), None);
    }

    #[test]
    fn numbers_in_captions() {
        for (value, text) in [
            (0.0, "0"),
            (132.6, "132.6"),
            (0.1 + 0.2, "0.3"),
            (-1.5e-7, "−1.5×10⁻⁷"),
            (1e-7, "10⁻⁷"),
            (6.022e23, "6.022×10²³"),
            (f64::NAN, "not a number"),
            (f64::NEG_INFINITY, "−∞"),
        ] {
            assert_eq!(number(value, 4), text);
        }
    }
}
