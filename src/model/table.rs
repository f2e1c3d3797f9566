//! Piecewise polynomials: tables of data as functions of time.

use costate_solvers::Scalar;

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
        if !(place >= self.breaks[0]) {
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
}
