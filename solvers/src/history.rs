//! What a solve has been through, as polynomials that can be read at any time behind it: the past of a delay equation.
//!
//! Each accepted step is one piece: the interpolant through its values at the ten Chebyshev points of the second kind,
//! which is the method's dense output itself where that is of degree 9 or less (all methods here), and the ends of the
//! step to rounding. A piece is kept as a Chebyshev series, so that values, slopes and curvatures come by stable recurrences
//! (Trefethen, Approximation Theory and Approximation Practice, 2013, chapters 3 and 19).

use crate::scalar::Scalar;

/// Points of a piece.
const POINTS: usize = 10;

/// Polynomials in time, piece by piece, of a number of quantities.
#[derive(Debug, Clone)]
pub struct History<S> {
    width: usize,
    /// from the values at the points to the coefficients of the series, row by row
    transform: [[f64; POINTS]; POINTS],
    pieces: Vec<Piece<S>>,
    /// quantity by quantity, piece by piece
    coefficients: Vec<S>,
    values: Vec<S>,
}

#[derive(Debug, Clone, Copy)]
struct Piece<S> {
    t: S,
    h: S,
}

/// A quantity at some time in the past with its derivatives by time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading<S> {
    /// q
    pub value: S,
    /// q'
    pub slope: S,
    /// q''
    pub curvature: S,
}

impl<S: Scalar> History<S> {
    /// The empty past of `width` quantities.
    pub fn new(width: usize) -> Self {
        let last = (POINTS - 1) as f64;
        let mut transform = [[0.0; POINTS]; POINTS];
        for (k, row) in transform.iter_mut().enumerate() {
            for (j, weight) in row.iter_mut().enumerate() {
                let at_end = |i: usize| i == 0 || i == POINTS - 1;
                let halves = [at_end(k), at_end(j)].iter().filter(|&&end| end).count();
                // point j is at s_j = -cos(pi j / 9), so that T_k(s_j) = cos(pi k (9 - j) / 9)
                let angle = std::f64::consts::PI * (k * (POINTS - 1 - j)) as f64 / last;
                *weight = 2.0 / last * angle.cos() * 0.5_f64.powi(halves as i32);
            }
        }
        Self {
            width,
            transform,
            pieces: Vec::new(),
            coefficients: Vec::new(),
            values: vec![S::from(0.0); width * POINTS],
        }
    }

    /// Forgets all pieces, and keeps the memory.
    pub fn clear(&mut self) {
        self.pieces.clear();
        self.coefficients.clear();
    }

    /// Number of pieces.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Adds the piece from t to t + h: `sample(theta, values)` writes the quantities at t + theta h, theta from 0 to 1.
    pub fn push(&mut self, t: S, h: S, mut sample: impl FnMut(f64, &mut [S])) {
        let width = self.width;
        for (j, values) in self.values.chunks_exact_mut(width.max(1)).enumerate() {
            let theta = match j {
                0 => 0.0,
                _ if j == POINTS - 1 => 1.0,
                _ => 0.5 - 0.5 * (std::f64::consts::PI * j as f64 / (POINTS - 1) as f64).cos(),
            };
            sample(theta, values);
        }
        for quantity in 0..width {
            for row in &self.transform {
                let mut sum = S::from(0.0);
                for (j, &weight) in row.iter().enumerate() {
                    sum += self.values[j * width + quantity] * weight;
                }
                self.coefficients.push(sum);
            }
        }
        self.pieces.push(Piece { t, h });
    }

    /// The last piece that begins at `t` or before; `None` before the first.
    pub fn locate(&self, t: f64) -> Option<usize> {
        let after = self.pieces.partition_point(|piece| piece.t.value() <= t);
        after.checked_sub(1)
    }

    /// A quantity at time t by the polynomial of a piece, which t may be a little outside of.
    pub fn read(&self, piece: usize, quantity: usize, t: S) -> Reading<S> {
        let Piece { t: start, h } = self.pieces[piece];
        let first = (piece * self.width + quantity) * POINTS;
        let series = &self.coefficients[first..first + POINTS];
        let one = S::from(1.0);
        let s = (t - start) / h * 2.0 - one;
        let scale = S::from(2.0) / h;
        // T_k, T_k' and T_k'' of k - 1 and k
        let (mut before, mut now) = ([one, S::from(0.0), S::from(0.0)], [s, one, S::from(0.0)]);
        let mut sum = [series[0] + series[1] * s, series[1], S::from(0.0)];
        for &c in &series[2..] {
            let next = [
                s * now[0] * 2.0 - before[0],
                (now[0] + s * now[1]) * 2.0 - before[1],
                (now[1] * 2.0 + s * now[2]) * 2.0 - before[2],
            ];
            for (sum, &term) in sum.iter_mut().zip(&next) {
                *sum += c * term;
            }
            (before, now) = (now, next);
        }
        Reading {
            value: sum[0],
            slope: sum[1] * scale,
            curvature: sum[2] * scale * scale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A polynomial of degree 9 comes back to rounding, which grows with the square and the fourth power of the degree
    /// in the derivatives (Markov's inequality: by 81 and by 81 * 80 / 3).
    #[test]
    fn polynomials_up_to_degree_nine_come_back() {
        let f = |t: f64| ((0.3 * t - 1.0) * t + 0.5) * t.powi(7) - 2.0;
        let slope = |t: f64| 2.7 * t.powi(8) - 8.0 * t.powi(7) + 3.5 * t.powi(6);
        let curvature = |t: f64| 21.6 * t.powi(7) - 56.0 * t.powi(6) + 21.0 * t.powi(5);
        let mut history = History::<f64>::new(2);
        for (t, h) in [(0.0, 0.7), (0.7, 0.4)] {
            history.push(t, h, |theta, values| {
                values[0] = 3.0;
                values[1] = f(t + theta * h);
            });
        }
        assert_eq!(history.len(), 2);
        assert_eq!(history.locate(-0.1), None);
        for (t, piece) in [(0.0, 0), (0.31, 0), (0.69, 0), (0.7, 1), (1.1, 1)] {
            assert_eq!(history.locate(t), Some(piece));
            let read = history.read(piece, 1, t);
            assert!((read.value - f(t)).abs() < 1e-14, "{t}");
            assert!((read.slope - slope(t)).abs() < 1e-12, "{t}");
            assert!((read.curvature - curvature(t)).abs() < 1e-10, "{t}");
            assert!((history.read(piece, 0, t).value - 3.0).abs() < 1e-14);
        }
    }
}
