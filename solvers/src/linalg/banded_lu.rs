//! Banded LU with partial pivoting in place.
//!
//! A matrix with kl diagonals below the main one and ku above is stored by columns of 2 kl + ku + 1 numbers,
//! LAPACK's layout for `gbtrf`: entry (i, j) at row kl + ku + i - j of column j. The kl rows on top take
//! the fill that row exchanges make. Right-looking elimination costs 2 n kl (kl + ku) operations and a solve
//! 2 n (2 kl + ku), with unit stride throughout. For a chain of states (a line of cells, a cascade) nothing
//! is faster; on a grid of two dimensions the band is as wide as the grid, and
//! [`SparseLu`](super::SparseLu) is.

use crate::linalg::field::{Field, Over};

/// A square banded matrix and, once factored, its L and U in the same storage.
#[derive(Debug, Clone, PartialEq)]
pub struct BandedLu<T = f64> {
    n: usize,
    lower: usize,
    upper: usize,
    entries: Vec<T>,
    /// row exchanged with row k at step k
    pivots: Vec<u32>,
    /// 1 / u_kk
    reciprocals: Vec<T>,
}

impl<T: Field> BandedLu<T> {
    /// A zero matrix of n rows with so many diagonals below and above the main one.
    pub fn new(n: usize, lower: usize, upper: usize) -> Self {
        let (lower, upper) = (
            lower.min(n.saturating_sub(1)),
            upper.min(n.saturating_sub(1)),
        );
        Self {
            n,
            lower,
            upper,
            entries: vec![T::from(0.0); n * (2 * lower + upper + 1)],
            pivots: (0..n as u32).collect(),
            reciprocals: vec![T::from(0.0); n],
        }
    }
    /// Number of rows.
    pub fn dim(&self) -> usize {
        self.n
    }
    /// The matrix to be factored, in band storage; to be filled with zeros before it is written anew.
    pub fn entries_mut(&mut self) -> &mut [T] {
        &mut self.entries
    }
    /// Where entry (row, column) lies in the storage; `None` outside the band.
    pub fn place(&self, row: usize, column: usize) -> Option<usize> {
        let inside = row < self.n
            && column < self.n
            && row <= column + self.lower
            && column <= row + self.upper;
        inside.then(|| self.top() + row - column + column * self.height())
    }
    /// Numbers stored.
    pub fn factor_non_zeros(&self) -> usize {
        self.entries.len()
    }

    /// Length of a stored column.
    fn height(&self) -> usize {
        2 * self.lower + self.upper + 1
    }
    /// Where the diagonal lies in a stored column.
    fn top(&self) -> usize {
        self.lower + self.upper
    }
    /// Rows that column k of L has below the diagonal.
    fn below(&self, k: usize) -> usize {
        self.lower.min(self.n - 1 - k)
    }

    /// Factors the matrix in place. `false`: a pivot is 0 or not finite, and no solve is to be made.
    #[must_use = "a singular matrix must not be solved with"]
    pub fn factor(&mut self) -> bool {
        let (n, height, top) = (self.n, self.height(), self.top());
        // the last column that row exchanges have reached
        let mut reach = 0;
        for k in 0..n {
            let below = self.below(k);
            let diagonal = k * height + top;
            let column = &self.entries[diagonal..=diagonal + below];
            let mut pivot = 0;
            for row in 1..=below {
                if column[row].magnitude() > column[pivot].magnitude() {
                    pivot = row;
                }
            }
            let value = column[pivot];
            let reciprocal = value.reciprocal();
            if !value.is_finite() || !reciprocal.is_finite() {
                return false;
            }
            self.pivots[k] = (k + pivot) as u32;
            self.reciprocals[k] = reciprocal;
            reach = reach.max((k + self.upper + pivot).min(n - 1));
            let (left, right) = self.entries.split_at_mut((k + 1) * height);
            let own = &mut left[diagonal..=diagonal + below];
            own.swap(0, pivot);
            let multipliers = &mut own[1..];
            for l in multipliers.iter_mut() {
                *l *= reciprocal;
            }
            for j in 0..reach - k {
                let first = j * height + top - 1 - j;
                let part = &mut right[first..=first + below];
                part.swap(0, pivot);
                let (u, rest) = part.split_at_mut(1);
                if u[0] != T::from(0.0) {
                    for (b, &l) in rest.iter_mut().zip(multipliers.iter()) {
                        *b -= l * u[0];
                    }
                }
            }
        }
        // a NaN left of its pivot's comparison ends up in U or L
        self.entries.iter().all(|e| e.is_finite())
    }

    /// Solves W x = b in place.
    pub fn solve<S: Over<T>>(&self, b: &mut [S]) {
        let (height, top) = (self.height(), self.top());
        for k in 0..self.n {
            b.swap(k, self.pivots[k] as usize);
            let diagonal = k * height + top;
            let multipliers = &self.entries[diagonal + 1..=diagonal + self.below(k)];
            let (known, rest) = b.split_at_mut(k + 1);
            for (r, &l) in rest.iter_mut().zip(multipliers) {
                *r = r.minus_product(known[k], l);
            }
        }
        for k in (0..self.n).rev() {
            let above = top.min(k);
            let diagonal = k * height + top;
            let (rest, known) = b.split_at_mut(k);
            known[0] = known[0].times(self.reciprocals[k]);
            let column = &self.entries[diagonal - above..diagonal];
            for (r, &u) in rest[k - above..].iter_mut().zip(column) {
                *r = r.minus_product(known[0], u);
            }
        }
    }

    /// Solves W^T x = b in place (transposed, not conjugated).
    pub fn solve_transposed<S: Over<T>>(&self, b: &mut [S]) {
        let (height, top) = (self.height(), self.top());
        for k in 0..self.n {
            let above = top.min(k);
            let diagonal = k * height + top;
            let (known, rest) = b.split_at_mut(k);
            let column = &self.entries[diagonal - above..diagonal];
            let sum = (known[k - above..].iter().zip(column))
                .fold(rest[0], |sum, (&x, &u)| sum.minus_product(x, u));
            rest[0] = sum.times(self.reciprocals[k]);
        }
        for k in (0..self.n).rev() {
            let diagonal = k * height + top;
            let multipliers = &self.entries[diagonal + 1..=diagonal + self.below(k)];
            let (rest, known) = b.split_at_mut(k + 1);
            rest[k] = (known.iter().zip(multipliers))
                .fold(rest[k], |sum, (&x, &l)| sum.minus_product(x, l));
            b.swap(k, self.pivots[k] as usize);
        }
    }
}
