//! Sparse matrices for the tests of linear algebra.

use costate_solvers::Pattern;
use costate_solvers::linalg::{Field, Over};
use nalgebra::DMatrix;
use proptest::prelude::*;

/// A sparse matrix: a pattern and its values.
#[derive(Debug, Clone)]
pub struct Sparse<T = f64> {
    pub pattern: Pattern,
    pub values: Vec<T>,
}

impl<T: Field> Sparse<T> {
    /// From (row, column, value) entries without repeats.
    pub fn new(n: usize, entries: &[(usize, usize, T)]) -> Self {
        let places: Vec<_> = entries.iter().map(|&(i, j, _)| (i, j)).collect();
        let pattern = Pattern::from_entries(n, n, &places);
        let mut values = vec![T::from(0.0); pattern.non_zeros()];
        for &(i, j, v) in entries {
            let start = pattern.starts[j];
            let rows = &pattern.rows[start..pattern.starts[j + 1]];
            values[start + rows.partition_point(|&r| r < i)] += v;
        }
        Self { pattern, values }
    }
    pub fn dim(&self) -> usize {
        self.pattern.columns()
    }
    /// Calls back with every entry's row, column and value.
    fn each(&self, mut visit: impl FnMut(usize, usize, T)) {
        for j in 0..self.dim() {
            for k in self.pattern.starts[j]..self.pattern.starts[j + 1] {
                visit(self.pattern.rows[k], j, self.values[k]);
            }
        }
    }
    /// A x
    pub fn times<S: Over<T>>(&self, x: &[S]) -> Vec<S> {
        let mut y: Vec<S> = x.iter().map(|x| x.times(T::from(0.0))).collect();
        self.each(|i, j, v| y[i] = y[i].minus_product(x[j], -v));
        y
    }
    /// A^T x
    pub fn transposed_times<S: Over<T>>(&self, x: &[S]) -> Vec<S> {
        let mut y: Vec<S> = x.iter().map(|x| x.times(T::from(0.0))).collect();
        self.each(|i, j, v| y[j] = y[j].minus_product(x[i], -v));
        y
    }
    /// Largest row sum of sizes, and largest column sum.
    pub fn norm(&self) -> f64 {
        let mut sums = vec![0.0; 2 * self.dim()];
        self.each(|i, j, v| {
            sums[i] += v.magnitude();
            sums[self.dim() + j] += v.magnitude();
        });
        sums.into_iter().fold(0.0, f64::max)
    }
    /// |A x - b| / (|A| |x| + |b|), in the largest component: a few n eps after a stable solve, whatever
    /// the condition.
    pub fn backward_error(&self, x: &[T], b: &[T], transposed: bool) -> f64 {
        let product = if transposed {
            self.transposed_times(x)
        } else {
            self.times(x)
        };
        let largest = |v: &[T]| v.iter().fold(0.0, |m: f64, v| m.max(v.magnitude()));
        let residual: Vec<T> = product.iter().zip(b).map(|(&p, &b)| p - b).collect();
        if residual.iter().any(|r| !r.is_finite()) {
            return f64::INFINITY;
        }
        largest(&residual) / (self.norm() * largest(x) + largest(b)).max(f64::MIN_POSITIVE)
    }
}

impl Sparse {
    pub fn dense(&self) -> DMatrix<f64> {
        let mut dense = DMatrix::zeros(self.dim(), self.dim());
        self.each(|i, j, v| dense[(i, j)] = v);
        dense
    }
}

/// Random entries with a hidden full transversal, so that most are regular, and a diagonal that is often
/// missing, so that rows must be exchanged. Sizes range over six orders of magnitude.
pub fn unsymmetric(sizes: std::ops::Range<usize>) -> impl Strategy<Value = Sparse> {
    sizes
        .prop_flat_map(|n| {
            let value = (-1.0..1.0f64, -3..3i32).prop_map(|(m, e)| m * 10f64.powi(e));
            (
                Just((0..n).collect::<Vec<_>>()).prop_shuffle(),
                prop::collection::vec(0.5..2.0f64, n),
                prop::collection::vec((0..n, 0..n, value), 0..3 * n),
            )
        })
        .prop_map(|(permutation, sizes, more)| {
            let n = permutation.len();
            let hidden = permutation.iter().zip(&sizes).enumerate();
            let mut entries: Vec<_> = hidden.map(|(j, (&i, &v))| (i, j, v)).collect();
            entries.extend(more);
            Sparse::new(n, &entries)
        })
}

/// Diagonal blocks, full or not, coupled only upward, then rows and columns shuffled.
pub fn block_triangular() -> impl Strategy<Value = Sparse> {
    prop::collection::vec(1usize..6, 1..8)
        .prop_flat_map(|sizes| {
            let n: usize = sizes.iter().sum();
            (
                Just(sizes),
                Just((0..n).collect::<Vec<_>>()).prop_shuffle(),
                Just((0..n).collect::<Vec<_>>()).prop_shuffle(),
                prop::collection::vec(-1.0..1.0f64, n * n),
                prop::collection::vec(0..4u8, n * n),
            )
        })
        .prop_map(|(sizes, rows, columns, values, chances)| {
            let n = rows.len();
            let block: Vec<usize> = sizes
                .iter()
                .enumerate()
                .flat_map(|(b, &size)| std::iter::repeat_n(b, size))
                .collect();
            let mut entries = Vec::new();
            for i in 0..n {
                for j in 0..n {
                    let k = i * n + j;
                    let inside = block[i] == block[j];
                    if inside || (block[i] < block[j] && chances[k] == 0) {
                        let shift = if i == j { 2.0 } else { 0.0 };
                        entries.push((rows[i], columns[j], values[k] + shift));
                    }
                }
            }
            Sparse::new(n, &entries)
        })
}

/// W = shift I - J of the heat equation with a wind on a grid of n by n points, upwind differences.
pub fn convection_diffusion(n: usize, wind: f64, shift: f64) -> Sparse {
    let mut entries = Vec::new();
    for i in 0..n {
        for j in 0..n {
            let k = i * n + j;
            entries.push((k, k, shift + 4.0 + wind));
            if i + 1 < n {
                entries.extend([(k, k + n, -1.0), (k + n, k, -1.0)]);
            }
            if j + 1 < n {
                entries.extend([(k, k + 1, -1.0), (k + 1, k, -1.0 - wind)]);
            }
        }
    }
    Sparse::new(n * n, &entries)
}

/// Reproducible numbers between -1 and 1 without order.
pub fn scattered(n: usize) -> Vec<f64> {
    (1..=n).map(|k| (k as f64 * 12.9898).sin()).collect()
}
