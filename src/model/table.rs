//! Piecewise polynomials: tables of data as functions of time.

use costate_solvers::Scalar;

use crate::scenario::Interpolation;

/// A piecewise cubic on breaks t_0 < ... < t_m, held constant outside: on piece k
/// y(t) = c0 + c1 u + c2 u^2 + c3 u^3 with u = t - t_k.
#[derive(Debug, Clone, PartialEq)]
pub struct PiecewisePolynomial {
    /// breaks, ascending, at least two
    pub breaks: Vec<f64>,
    /// a row `[c0, c1, c2, c3]` a piece: length breaks - 1
    pub coefficients: Vec<[f64; 4]>,
    /// value held after the last break (before the first, the first piece's c0)
    pub last: f64,
}

impl PiecewisePolynomial {
    /// Derivative of order `order` at `at`, on the piece that holds `place` (constant beyond the ends).
    pub fn evaluate<S: Scalar>(&self, order: u8, at: S, place: f64) -> S {
        let count = self.coefficients.len();
        if place.is_nan() || place < self.breaks[0] {
            let held = if order == 0 {
                self.coefficients[0][0]
            } else {
                0.0
            };
            return S::from(if place.is_nan() { f64::NAN } else { held });
        }
        if place >= self.breaks[count] {
            return S::from(if order == 0 { self.last } else { 0.0 });
        }
        let piece = self.breaks.partition_point(|&b| b <= place) - 1;
        let [c0, c1, c2, c3] = self.coefficients[piece];
        let u = at - self.breaks[piece];
        match order {
            0 => ((u * c3 + c2) * u + c1) * u + c0,
            1 => (u * (3.0 * c3) + 2.0 * c2) * u + c1,
            2 => u * (6.0 * c3) + 2.0 * c2,
            3 => S::from(6.0 * c3),
            _ => S::from(0.0),
        }
    }

    /// The interpolant through points (times ascending strictly, two or more, all finite); `None` where they are
    /// not that.
    pub fn through(times: &[f64], values: &[f64], interpolation: Interpolation) -> Option<Self> {
        let valid = times.len() >= 2
            && times.len() == values.len()
            && times.windows(2).all(|pair| pair[0] < pair[1])
            && times.iter().chain(values).all(|number| number.is_finite());
        if !valid {
            return None;
        }
        let steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let slopes: Vec<f64> = values
            .windows(2)
            .zip(&steps)
            .map(|(pair, step)| (pair[1] - pair[0]) / step)
            .collect();
        let coefficients = match interpolation {
            Interpolation::Hold => values[..slopes.len()]
                .iter()
                .map(|&value| [value, 0.0, 0.0, 0.0])
                .collect(),
            Interpolation::Linear => values
                .iter()
                .zip(&slopes)
                .map(|(&value, &slope)| [value, slope, 0.0, 0.0])
                .collect(),
            Interpolation::Cubic => hermite(values, &steps, &slopes, &natural(&steps, &slopes)),
            Interpolation::Pchip => hermite(values, &steps, &slopes, &monotone(&steps, &slopes)),
        };
        Some(Self {
            breaks: times.to_vec(),
            coefficients,
            last: values[values.len() - 1],
        })
    }
}

/// Cubics with given values and derivatives at their ends.
fn hermite(values: &[f64], steps: &[f64], slopes: &[f64], tangents: &[f64]) -> Vec<[f64; 4]> {
    (0..slopes.len())
        .map(|k| {
            let (h, s) = (steps[k], slopes[k]);
            let (d0, d1) = (tangents[k], tangents[k + 1]);
            [
                values[k],
                d0,
                (3.0 * s - 2.0 * d0 - d1) / h,
                (d0 + d1 - 2.0 * s) / (h * h),
            ]
        })
        .collect()
}

/// Derivatives at the points of the natural cubic spline (second derivative 0 at both ends): a tridiagonal system,
/// diagonally dominant, by elimination. C. de Boor, "A Practical Guide to Splines", 1978, chapter IV.
fn natural(steps: &[f64], slopes: &[f64]) -> Vec<f64> {
    let last = slopes.len();
    // rows: lower d[k-1] + diagonal d[k] + upper d[k+1] = right
    let row = |k: usize| -> [f64; 4] {
        if k == 0 {
            [0.0, 2.0, 1.0, 3.0 * slopes[0]]
        } else if k == last {
            [1.0, 2.0, 0.0, 3.0 * slopes[last - 1]]
        } else {
            let (before, after) = (steps[k - 1], steps[k]);
            let right = 3.0 * (after * slopes[k - 1] + before * slopes[k]);
            [after, 2.0 * (before + after), before, right]
        }
    };
    let mut reduced: Vec<[f64; 2]> = Vec::with_capacity(last + 1);
    let mut before = [0.0, 0.0];
    for k in 0..=last {
        let [lower, diagonal, upper, right] = row(k);
        let pivot = diagonal - lower * before[0];
        before = [upper / pivot, (right - lower * before[1]) / pivot];
        reduced.push(before);
    }
    let mut tangents = vec![0.0; last + 1];
    let mut next = 0.0;
    for (tangent, [upper, right]) in tangents.iter_mut().zip(reduced).rev() {
        next = right - upper * next;
        *tangent = next;
    }
    tangents
}

/// Derivatives at the points that keep a cubic monotone where the data are: the weighted harmonic mean of the
/// neighboring slopes, 0 where they differ in sign; at the ends the three-point formula, limited.
/// F. N. Fritsch & J. Butland, SIAM J. Sci. Stat. Comput. 5 (1984) 300, after Fritsch & Carlson, SIAM J. Numer.
/// Anal. 17 (1980) 238.
fn monotone(steps: &[f64], slopes: &[f64]) -> Vec<f64> {
    let last = slopes.len();
    if last == 1 {
        return vec![slopes[0]; 2];
    }
    let end = |h0: f64, h1: f64, s0: f64, s1: f64| {
        let tangent = ((2.0 * h0 + h1) * s0 - h0 * s1) / (h0 + h1);
        if tangent * s0 <= 0.0 {
            0.0
        } else if s0 * s1 <= 0.0 && tangent.abs() > 3.0 * s0.abs() {
            3.0 * s0
        } else {
            tangent
        }
    };
    (0..=last)
        .map(|k| {
            if k == 0 {
                return end(steps[0], steps[1], slopes[0], slopes[1]);
            }
            if k == last {
                let (h0, h1) = (steps[k - 1], steps[k - 2]);
                return end(h0, h1, slopes[k - 1], slopes[k - 2]);
            }
            let (s0, s1) = (slopes[k - 1], slopes[k]);
            if s0 == 0.0 || s1 == 0.0 || (s0 > 0.0) != (s1 > 0.0) {
                return 0.0;
            }
            let (w0, w1) = (2.0 * steps[k] + steps[k - 1], steps[k] + 2.0 * steps[k - 1]);
            (w0 + w1) / (w0 / s0 + w1 / s1)
        })
        .collect()
}

#[cfg(test)]
mod tests;
