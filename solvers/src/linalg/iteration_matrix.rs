//! W = shift M - J, the matrix that implicit methods factor.

use nalgebra::Complex;

use super::field::Field;
use crate::scalar::Scalar;
use crate::system::Pattern;

/// How iteration matrices are factored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinearSolver {
    /// chosen from size and pattern
    #[default]
    Auto,
    /// dense LU with partial pivoting
    Dense,
    /// banded LU with partial pivoting
    Banded,
    /// sparse LU
    Sparse,
}

/// W = shift M - J, assembled and factored.
#[derive(Debug, Clone)]
pub struct IterationMatrix<T = f64> {
    n: usize,
    pattern: Pattern,
    mass: Option<Pattern>,
    /// column-major; once factored L below the diagonal, on it the reciprocals of U's
    entries: Vec<T>,
    /// row exchanged with row k at step k, whole rows: a right-hand side is permuted before anything else
    pivots: Vec<usize>,
}

impl<T: Field> IterationMatrix<T> {
    /// For a Jacobian of the given pattern and a mass matrix of the given pattern (`None`: identity).
    pub fn new(pattern: &Pattern, mass: Option<&Pattern>, choice: LinearSolver) -> Self {
        let _ = choice;
        let n = pattern.height;
        Self {
            n,
            pattern: pattern.clone(),
            mass: mass.cloned(),
            entries: vec![T::from(0.0); n * n],
            pivots: (0..n).collect(),
        }
    }

    /// Factors W from the k-th non-zeros of J and the values of M, each in its pattern's order. `false`: W is
    /// singular or not finite, and no solve is to be made.
    #[must_use = "a singular matrix must not be solved with"]
    pub fn factor(
        &mut self,
        shift: T,
        jacobian: impl Fn(usize) -> f64,
        mass: Option<&[f64]>,
    ) -> bool {
        let n = self.n;
        self.entries.fill(T::from(0.0));
        for column in 0..n {
            for k in self.pattern.starts[column]..self.pattern.starts[column + 1] {
                self.entries[self.pattern.rows[k] + column * n] = -T::from(jacobian(k));
            }
            match (&self.mass, mass) {
                (Some(pattern), Some(values)) => {
                    let range = pattern.starts[column]..pattern.starts[column + 1];
                    for (&row, &value) in pattern.rows[range.clone()].iter().zip(&values[range]) {
                        let entry = &mut self.entries[row + column * n];
                        *entry = *entry + shift * T::from(value);
                    }
                }
                _ => {
                    let entry = &mut self.entries[column + column * n];
                    *entry = *entry + shift;
                }
            }
        }
        for k in 0..n {
            let mut pivot = k;
            for row in k + 1..n {
                if self.entries[row + k * n].magnitude() > self.entries[pivot + k * n].magnitude() {
                    pivot = row;
                }
            }
            let value = self.entries[pivot + k * n];
            if !value.is_finite() || value.magnitude() == 0.0 {
                return false;
            }
            self.pivots[k] = pivot;
            if pivot != k {
                for j in 0..n {
                    self.entries.swap(k + j * n, pivot + j * n);
                }
            }
            let reciprocal = T::from(1.0) / value;
            let (left, right) = self.entries.split_at_mut((k + 1) * n);
            let multipliers = &mut left[k * n + k + 1..];
            for l in multipliers.iter_mut() {
                *l = *l * reciprocal;
            }
            left[k * n + k] = reciprocal;
            let multipliers = &left[k * n + k + 1..];
            for j in 0..n - k - 1 {
                let (top, below) = right[j * n..(j + 1) * n].split_at_mut(k + 1);
                let u = top[k];
                if u != T::from(0.0) {
                    for (b, &l) in below.iter_mut().zip(multipliers.iter()) {
                        *b = *b - l * u;
                    }
                }
            }
        }
        self.entries.iter().all(|e| e.is_finite())
    }
}

impl IterationMatrix<f64> {
    /// Solves W x = b in place.
    pub fn solve<S: Scalar>(&mut self, b: &mut [S]) {
        let n = self.n;
        for (k, &pivot) in self.pivots.iter().enumerate() {
            b.swap(k, pivot);
        }
        for j in 0..n {
            let column = &self.entries[j * n..(j + 1) * n];
            let (known, rest) = b.split_at_mut(j + 1);
            for (r, &l) in rest.iter_mut().zip(&column[j + 1..]) {
                *r = r.mul_add_f64(known[j], -l);
            }
        }
        for j in (0..n).rev() {
            let column = &self.entries[j * n..(j + 1) * n];
            let (rest, known) = b.split_at_mut(j);
            known[0] = known[0] * column[j];
            for (r, &u) in rest.iter_mut().zip(column) {
                *r = r.mul_add_f64(known[0], -u);
            }
        }
    }
}

impl IterationMatrix<Complex<f64>> {
    /// Solves W x = b in place.
    pub fn solve(&mut self, b: &mut [Complex<f64>]) {
        let n = self.n;
        for (k, &pivot) in self.pivots.iter().enumerate() {
            b.swap(k, pivot);
        }
        for k in 0..n {
            for row in k + 1..n {
                b[row] -= b[k] * self.entries[row + k * n];
            }
        }
        for k in (0..n).rev() {
            b[k] *= self.entries[k + k * n];
            for row in 0..k {
                b[row] -= b[k] * self.entries[row + k * n];
            }
        }
    }
}
