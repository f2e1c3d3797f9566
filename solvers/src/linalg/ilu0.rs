//! Incomplete LU without fill, ILU(0): a preconditioner.
//!
//! The elimination of a sparse LU, but numbers that would fall outside the pattern of the matrix are dropped:
//! A = L U + R with R zero on the pattern. It costs a few products per non-zero, needs no pivoting, and does
//! well on M-matrices such as those of diffusion and upwinded convection. There its pivots are never 0; for
//! other matrices they may be, or be so small that the factors are useless.
//!
//! J. A. Meijerink and H. A. van der Vorst, Math. Comp. 31 (1977), doi 10.1090/S0025-5718-1977-0438681-4;
//! Y. Saad, Iterative Methods for Sparse Linear Systems, 2nd ed. (2003), section 10.3.

use crate::linalg::field::{Field, Over};
use crate::system::Pattern;

/// Incomplete factors on the pattern of a square matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Ilu0<T = f64> {
    pattern: Pattern,
    /// where the diagonal lies in each column
    diagonal: Vec<usize>,
    /// L (unit diagonal) and U in the pattern's order
    values: Vec<T>,
    reciprocals: Vec<T>,
    /// where each row lies in the column at work
    place: Vec<usize>,
}

const ABSENT: usize = usize::MAX;

impl<T: Field> Ilu0<T> {
    /// Room for the factors; `None` where the pattern is not square or lacks a diagonal entry.
    pub fn new(pattern: &Pattern) -> Option<Self> {
        let n = pattern.columns();
        if pattern.height != n {
            return None;
        }
        let diagonal = (0..n)
            .map(|j| {
                let start = pattern.starts[j];
                let rows = &pattern.rows[start..pattern.starts[j + 1]];
                rows.binary_search(&j).ok().map(|k| start + k)
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Self {
            pattern: pattern.clone(),
            diagonal,
            values: vec![T::from(0.0); pattern.non_zeros()],
            reciprocals: vec![T::from(0.0); n],
            place: vec![ABSENT; n],
        })
    }

    /// Computes the factors of a matrix with these values, in the pattern's order. `false`: a pivot is 0 or
    /// not finite, and no solve is to be made.
    #[must_use = "factors without a pivot must not be solved with"]
    pub fn factor(&mut self, values: &[T]) -> bool {
        if values.len() != self.values.len() {
            return false;
        }
        self.values.copy_from_slice(values);
        let rows = &self.pattern.rows;
        for j in 0..self.diagonal.len() {
            let column = self.pattern.starts[j]..self.pattern.starts[j + 1];
            for p in column.clone() {
                self.place[rows[p]] = p;
            }
            for p in column.start..self.diagonal[j] {
                let k = rows[p];
                let u = self.values[p];
                let below = self.diagonal[k] + 1..self.pattern.starts[k + 1];
                for (q, &row) in below.clone().zip(&rows[below]) {
                    let target = self.place[row];
                    if target != ABSENT {
                        let l = self.values[q];
                        self.values[target] -= l * u;
                    }
                }
            }
            for p in column.clone() {
                self.place[rows[p]] = ABSENT;
            }
            let pivot = self.values[self.diagonal[j]];
            let reciprocal = pivot.reciprocal();
            if !pivot.is_finite() || !reciprocal.is_finite() {
                return false;
            }
            self.reciprocals[j] = reciprocal;
            for l in &mut self.values[self.diagonal[j] + 1..column.end] {
                *l *= reciprocal;
            }
        }
        self.values.iter().all(|v| v.is_finite())
    }

    /// Solves L U x = b in place.
    pub fn solve<S: Over<T>>(&self, b: &mut [S]) {
        let rows = &self.pattern.rows;
        for (j, &diagonal) in self.diagonal.iter().enumerate() {
            let x = b[j];
            let below = diagonal + 1..self.pattern.starts[j + 1];
            for (&row, &l) in rows[below.clone()].iter().zip(&self.values[below]) {
                b[row] = b[row].minus_product(x, l);
            }
        }
        for (j, &diagonal) in self.diagonal.iter().enumerate().rev() {
            let x = b[j].times(self.reciprocals[j]);
            b[j] = x;
            let above = self.pattern.starts[j]..diagonal;
            for (&row, &u) in rows[above.clone()].iter().zip(&self.values[above]) {
                b[row] = b[row].minus_product(x, u);
            }
        }
    }
}
