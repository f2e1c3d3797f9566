//! Dense LU with partial pivoting in place: P W = L U, column-major.
//!
//! nalgebra's LU takes its matrix by value and solves into fresh vectors: an allocation a factorization and
//! one a solve. A stiff solve does both at every step, so this one keeps its storage. The factors are real
//! or complex ([`Field`]); right-hand sides are whatever is linear over them ([`Over`]): a dual one goes
//! through the real factors part by part.

use crate::linalg::field::{Field, Over};

/// A square matrix and, once factored, its L and U in the same storage.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseLu<T = f64> {
    n: usize,
    /// column-major; after `factor` the strict lower triangle holds L (unit diagonal), the rest U
    entries: Vec<T>,
    /// row exchanged with row k at step k
    pivots: Vec<usize>,
    /// 1 / u_kk: a factorization serves many solves, and a division costs five products
    reciprocals: Vec<T>,
}

impl<T: Field> DenseLu<T> {
    /// A zero matrix of n rows and columns.
    pub fn new(n: usize) -> Self {
        Self {
            n,
            entries: vec![T::from(0.0); n * n],
            pivots: (0..n).collect(),
            reciprocals: vec![T::from(0.0); n],
        }
    }
    /// Number of rows.
    pub fn dim(&self) -> usize {
        self.n
    }
    /// The matrix to be factored, column-major: entry (row, column) at `row + column * n`.
    pub fn entries_mut(&mut self) -> &mut [T] {
        &mut self.entries
    }

    /// Factors the matrix in place. `false`: a pivot is 0 or not finite, and no solve is to be made.
    #[must_use = "a singular matrix must not be solved with"]
    pub fn factor(&mut self) -> bool {
        let n = self.n;
        for k in 0..n {
            let column = &self.entries[k * n..(k + 1) * n];
            let mut pivot = k;
            for row in k + 1..n {
                if column[row].magnitude() > column[pivot].magnitude() {
                    pivot = row;
                }
            }
            let value = column[pivot];
            let reciprocal = value.reciprocal();
            // a pivot of 0 or beyond what has a reciprocal
            if !value.is_finite() || !reciprocal.is_finite() {
                return false;
            }
            self.pivots[k] = pivot;
            self.reciprocals[k] = reciprocal;
            if pivot != k {
                for j in 0..n {
                    self.entries.swap(k + j * n, pivot + j * n);
                }
            }
            let (left, right) = self.entries.split_at_mut((k + 1) * n);
            let multipliers = &mut left[k * n + k + 1..];
            for l in multipliers.iter_mut() {
                *l *= reciprocal;
            }
            for j in 0..n - k - 1 {
                let (top, below) = right[j * n..(j + 1) * n].split_at_mut(k + 1);
                let u = top[k];
                // models have sparse Jacobians: many columns need no update
                if u != T::from(0.0) {
                    for (b, l) in below.iter_mut().zip(multipliers.iter()) {
                        *b -= *l * u;
                    }
                }
            }
        }
        // a NaN left of its pivot's comparison ends up in U or L
        self.entries.iter().all(|e| e.is_finite())
    }

    /// Solves W x = b in place.
    pub fn solve<S: Over<T>>(&self, b: &mut [S]) {
        let n = self.n;
        for (k, &pivot) in self.pivots.iter().enumerate() {
            b.swap(k, pivot);
        }
        // (slices by index: `chunks_exact` divides by n, which shows for a system of two states)
        for j in 0..n {
            let column = &self.entries[j * n..(j + 1) * n];
            let (known, rest) = b.split_at_mut(j + 1);
            for (r, &l) in rest.iter_mut().zip(&column[j + 1..]) {
                *r = r.minus_product(known[j], l);
            }
        }
        for j in (0..n).rev() {
            let column = &self.entries[j * n..(j + 1) * n];
            let (rest, known) = b.split_at_mut(j);
            known[0] = known[0].times(self.reciprocals[j]);
            for (r, &u) in rest.iter_mut().zip(column) {
                *r = r.minus_product(known[0], u);
            }
        }
    }

    /// Solves W^T x = b in place.
    pub fn solve_transposed<S: Over<T>>(&self, b: &mut [S]) {
        let n = self.n;
        for j in 0..n {
            let column = &self.entries[j * n..(j + 1) * n];
            let (known, rest) = b.split_at_mut(j);
            let sum = known
                .iter()
                .zip(column)
                .fold(rest[0], |sum, (&x, &u)| sum.minus_product(x, u));
            rest[0] = sum.times(self.reciprocals[j]);
        }
        for j in (0..n).rev() {
            let column = &self.entries[j * n..(j + 1) * n];
            let (rest, known) = b.split_at_mut(j + 1);
            rest[j] = known
                .iter()
                .zip(&column[j + 1..])
                .fold(rest[j], |sum, (&x, &l)| sum.minus_product(x, l));
        }
        for (k, &pivot) in self.pivots.iter().enumerate().rev() {
            b.swap(k, pivot);
        }
    }
}
