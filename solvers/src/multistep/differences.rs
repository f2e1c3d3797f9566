//! The memory of a multistep method: backward differences of x at equal spacing.
//!
//! nabla^0 x is the current state, which the driver keeps; rows j = 1, 2, ... of the table are nabla^j x. Any
//! step size is possible: the polynomial through the last k + 1 points is sampled anew,
//!
//! ```text
//! p(t_n + s h) = sum_{j=0}^k C_j(s) nabla^j x,    C_j(s) = s (s+1) ... (s+j-1) / j!
//! ```
//!
//! at s = -i r for a spacing r h, which is a small matrix on the rows. A tried step works on such a copy, so
//! that the table outlives it until the step is accepted.

use super::formula::{Formula, GAMMA, MAX_ORDER};
use crate::scalar::Scalar;

/// Rows kept: two beyond the highest order, for the error estimates.
const ROWS: usize = MAX_ORDER + 2;

/// Backward differences of order 1 to [`ROWS`], row after row.
#[derive(Debug, Clone)]
pub struct Differences<S> {
    n: usize,
    rows: Vec<S>,
    spacing: S,
    /// the rows at the spacing of the step being tried
    tried: Vec<S>,
    tried_spacing: S,
    /// the step being tried has the spacing of the table: `tried` is not in use
    as_is: bool,
}

impl<S: Scalar> Differences<S> {
    pub fn new(n: usize) -> Self {
        Self {
            n,
            rows: vec![S::from(0.0); ROWS * n],
            spacing: S::from(1.0),
            tried: vec![S::from(0.0); ROWS * n],
            tried_spacing: S::from(1.0),
            as_is: true,
        }
    }

    /// A table of order 1 that knows the slope alone.
    pub fn begin(&mut self, slope: &[S], h: S) {
        for (row, &s) in self.rows[..self.n].iter_mut().zip(slope) {
            *row = s * h;
        }
        self.spacing = h;
    }

    /// A table through past states: `past[i]` lies i + 1 steps of size `h` before `x`.
    pub fn through(&mut self, x: &[S], past: &[&[S]], h: S) {
        let n = self.n;
        let order = past.len().min(ROWS);
        for i in 0..n {
            let mut points = [S::from(0.0); ROWS + 1];
            points[0] = x[i];
            for (point, state) in points[1..].iter_mut().zip(past) {
                *point = state[i];
            }
            for j in 1..=order {
                for m in 0..=order - j {
                    points[m] -= points[m + 1];
                }
                self.rows[(j - 1) * n + i] = points[0];
            }
        }
        self.spacing = h;
    }

    /// Lays out the first `order` rows for a step of size `h`; whether the spacing stays.
    pub fn respace(&mut self, order: usize, h: S) -> bool {
        let (n, old) = (self.n, self.spacing);
        self.tried_spacing = h;
        self.as_is = (0..S::WIDTH).all(|part| h.part(part) == old.part(part));
        if self.as_is {
            return true;
        }
        let transfer = transfer(order, h / old);
        for i in 0..n {
            for (row, weights) in transfer.iter().enumerate().take(order) {
                let mut sum = S::from(0.0);
                for (j, &w) in weights.iter().enumerate().take(order) {
                    sum += self.rows[j * n + i] * w;
                }
                self.tried[row * n + i] = sum;
            }
        }
        false
    }

    /// Keeps the table as it is in `saved`.
    pub fn save(&self, saved: &mut Self) {
        saved.rows.copy_from_slice(&self.rows);
        saved.spacing = self.spacing;
    }

    /// The rows of the step being tried.
    pub fn rows(&self) -> &[S] {
        if self.as_is { &self.rows } else { &self.tried }
    }

    /// Row j >= 1.
    pub fn row(&self, j: usize) -> &[S] {
        &self.rows()[(j - 1) * self.n..j * self.n]
    }

    /// x_pred = sum_{j=0}^k nabla^j x and psi = sum_{j=1}^k gamma_j nabla^j x / ((1 - kappa) gamma_k).
    pub fn predict<V: Formula>(&self, order: usize, x: &[S], predicted: &mut [S], psi: &mut [S]) {
        match order {
            1 => self.predict_at::<V, 1>(x, predicted, psi),
            2 => self.predict_at::<V, 2>(x, predicted, psi),
            3 => self.predict_at::<V, 3>(x, predicted, psi),
            4 => self.predict_at::<V, 4>(x, predicted, psi),
            _ => self.predict_at::<V, 5>(x, predicted, psi),
        }
    }

    #[inline]
    fn predict_at<V: Formula, const K: usize>(&self, x: &[S], predicted: &mut [S], psi: &mut [S]) {
        let n = x.len();
        let rows: [&[S]; K] = std::array::from_fn(|j| &self.rows()[j * n..(j + 1) * n]);
        let weights: [f64; K] = std::array::from_fn(|j| GAMMA[j + 1] / V::leading(K));
        let (predicted, psi) = (&mut predicted[..n], &mut psi[..n]);
        for i in 0..n {
            let (mut p, mut q) = (rows[K - 1][i], rows[K - 1][i] * weights[K - 1]);
            for j in (0..K - 1).rev() {
                p += rows[j][i];
                q = q.mul_add_f64(rows[j][i], weights[j]);
            }
            predicted[i] = x[i] + p;
            psi[i] = q;
        }
    }

    /// Makes the step being tried the last one, `d` being x_new - x_pred = nabla^{k+1} x_new.
    pub fn advance(&mut self, order: usize, d: &[S]) {
        let n = self.n;
        if !self.as_is {
            std::mem::swap(&mut self.rows, &mut self.tried);
            self.spacing = self.tried_spacing;
            self.as_is = true;
        }
        match order {
            1 => self.advance_at::<1>(d),
            2 => self.advance_at::<2>(d),
            3 => self.advance_at::<3>(d),
            4 => self.advance_at::<4>(d),
            _ => self.advance_at::<5>(d),
        }
        debug_assert_eq!(d.len(), n);
    }

    #[inline]
    fn advance_at<const K: usize>(&mut self, d: &[S]) {
        let n = d.len();
        let (lower, upper) = self.rows.split_at_mut(K * n);
        let (next, last) = upper.split_at_mut(n);
        let last = &mut last[..n];
        for i in 0..n {
            let mut sum = d[i];
            last[i] = sum - next[i];
            next[i] = sum;
            for j in (0..K).rev() {
                sum += lower[j * n + i];
                lower[j * n + i] = sum;
            }
        }
    }
}

/// The matrix that takes rows 1..=k at spacing h to those at spacing r h.
pub fn transfer<S: Scalar>(order: usize, r: S) -> [[S; MAX_ORDER]; MAX_ORDER] {
    let mut matrix = [[S::from(0.0); MAX_ORDER]; MAX_ORDER];
    // C_j(-i r), point i = 0 being the current state, of which differences see nothing
    let mut samples = [[S::from(0.0); MAX_ORDER]; MAX_ORDER + 1];
    for (i, sample) in samples.iter_mut().enumerate().take(order + 1).skip(1) {
        *sample = binomials(r * -(i as f64));
    }
    for column in 0..order {
        let mut points: [S; MAX_ORDER + 1] = std::array::from_fn(|i| samples[i][column]);
        for j in 1..=order {
            for m in 0..=order - j {
                let below = points[m + 1];
                points[m] -= below;
            }
            matrix[j - 1][column] = points[0];
        }
    }
    matrix
}

/// 1 / j: products with these round to whole numbers where s is whole, so that r = 1 changes no bit.
const RECIPROCALS: [f64; MAX_ORDER] = [1.0, 1.0 / 2.0, 1.0 / 3.0, 1.0 / 4.0, 1.0 / 5.0];

/// C_j(s) for j = 1..=5: the weights of the differences in the interpolating polynomial.
#[inline]
pub fn binomials<S: Scalar>(s: S) -> [S; MAX_ORDER] {
    let mut c = S::from(1.0);
    std::array::from_fn(|j| {
        c = c * (s + j as f64) * RECIPROCALS[j];
        c
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Powers of t at equal points, spaced anew, are the powers at the new points.
    #[test]
    fn spacing_changes_are_exact_for_polynomials() {
        for order in 1..=MAX_ORDER {
            for r in [0.1, 0.37, 1.0, 2.5] {
                let matrix = transfer(order, r);
                let at = |h: f64| {
                    let mut table = Differences::new(1);
                    let point = |i: usize| [(1.0 + i as f64 * h).powi(order as i32)];
                    let past: Vec<[f64; 1]> = (1..=order).map(point).collect();
                    let past: Vec<&[f64]> = past.iter().map(|p| &p[..]).collect();
                    table.through(&point(0), &past, h);
                    table
                };
                let (old, new) = (at(0.5), at(0.5 * r));
                let mut respaced = old.clone();
                assert_eq!(respaced.respace(order, 0.5 * r), r == 1.0);
                for row in 1..=order {
                    let error = respaced.row(row)[0] - new.row(row)[0];
                    assert!(error.abs() < 1e-11 * (1.0 + r.powi(5)), "{order} {r} {row}");
                    if r == 1.0 {
                        for column in 1..=order {
                            let identity = if row == column { 1.0 } else { 0.0 };
                            assert_eq!(matrix[row - 1][column - 1], identity);
                        }
                    }
                }
            }
        }
    }
}
