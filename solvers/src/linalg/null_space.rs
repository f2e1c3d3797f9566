//! Null spaces of a mass matrix: N with N^T M = 0 and K with M K = 0.

use nalgebra::{DMatrix, SVD};

use crate::scalar::Scalar;
use crate::system::Mass;

/// A basis of a subspace of the n states, held by states: the entries of each row of the n by a matrix.
#[derive(Debug, Clone)]
pub(crate) struct Basis<S> {
    dimension: usize,
    starts: Vec<usize>,
    columns: Vec<usize>,
    values: Vec<S>,
}

impl<S: Scalar> Basis<S> {
    /// Number of vectors a.
    pub(crate) fn dimension(&self) -> usize {
        self.dimension
    }

    /// The entries (vector, value) of row `state`.
    pub(crate) fn row(&self, state: usize) -> impl Iterator<Item = (usize, S)> + '_ {
        let range = self.starts[state]..self.starts[state + 1];
        let columns = self.columns[range.clone()].iter().copied();
        columns.zip(self.values[range].iter().copied())
    }

    /// The unit vectors of the states that are `true`.
    fn units(of: &[bool]) -> Self {
        let mut starts = vec![0];
        let mut count = 0;
        for &unit in of {
            count += usize::from(unit);
            starts.push(count);
        }
        Self {
            dimension: count,
            starts,
            columns: (0..count).collect(),
            values: vec![S::from(1.0); count],
        }
    }

    fn dense(matrix: &DMatrix<f64>) -> Self {
        let (n, a) = matrix.shape();
        Self {
            dimension: a,
            starts: (0..=n).map(|row| row * a).collect(),
            columns: (0..n).flat_map(|_| 0..a).collect(),
            values: (0..n)
                .flat_map(|row| (0..a).map(move |k| S::from(matrix[(row, k)])))
                .collect(),
        }
    }

    /// Makes B = B_0 - inverse D B exact to `depth` orders of derivatives, D the entries of M (or M^T) without
    /// their values.
    fn follow(&mut self, mass: &Mass<S>, transposed: bool, inverse: &DMatrix<f64>, depth: usize) {
        let a = self.dimension;
        let n = self.starts.len() - 1;
        let values = self.values.clone();
        for _ in 0..depth {
            let mut product = vec![S::from(0.0); n * a];
            for column in 0..n {
                for k in mass.pattern.starts[column]..mass.pattern.starts[column + 1] {
                    let entry = mass.values[k] - mass.values[k].value();
                    let row = mass.pattern.rows[k];
                    let (row, column) = if transposed {
                        (column, row)
                    } else {
                        (row, column)
                    };
                    for j in 0..a {
                        product[row * a + j] += entry * self.values[column * a + j];
                    }
                }
            }
            self.values.copy_from_slice(&values);
            for row in 0..n {
                for column in 0..n {
                    let weight = -inverse[(row, column)];
                    for j in 0..a {
                        let value = &mut self.values[row * a + j];
                        *value = value.mul_add_f64(product[column * a + j], weight);
                    }
                }
            }
        }
    }
}

/// (N, K) of M, with derivatives up to order `depth`. `None`: the singular value decomposition did not converge.
pub(crate) fn null_spaces<S: Scalar>(mass: &Mass<S>, depth: usize) -> Option<(Basis<S>, Basis<S>)> {
    let n = mass.pattern.columns();
    let mut in_row = vec![0usize; n];
    let mut in_column = vec![0usize; n];
    for (column, count) in in_column.iter_mut().enumerate() {
        for k in mass.pattern.starts[column]..mass.pattern.starts[column + 1] {
            if mass.values[k].value() != 0.0 {
                in_row[mass.pattern.rows[k]] += 1;
                *count += 1;
            }
        }
    }
    let empty = |counts: &[usize]| counts.iter().map(|&c| c == 0).collect::<Vec<bool>>();
    let units = (
        Basis::units(&empty(&in_row)),
        Basis::units(&empty(&in_column)),
    );
    if in_row.iter().chain(&in_column).all(|&count| count <= 1) {
        return Some(units);
    }

    // Row and column scales, so that a small capacitance is not taken for none: M' = R M C, N = R N', K = C K'.
    let mut matrix = DMatrix::zeros(n, n);
    for column in 0..n {
        for k in mass.pattern.starts[column]..mass.pattern.starts[column + 1] {
            matrix[(mass.pattern.rows[k], column)] += mass.values[k].value();
        }
    }
    let scale = |largest: f64| if largest > 0.0 { 1.0 / largest } else { 1.0 };
    let rows: Vec<f64> = matrix.row_iter().map(|r| scale(r.amax())).collect();
    for (mut row, &scale) in matrix.row_iter_mut().zip(&rows) {
        row *= scale;
    }
    let columns: Vec<f64> = matrix.column_iter().map(|c| scale(c.amax())).collect();
    for (mut column, &scale) in matrix.column_iter_mut().zip(&columns) {
        column *= scale;
    }
    let svd = SVD::try_new(matrix, true, true, f64::EPSILON, 100 * n + 1000)?;
    let (u, v) = (svd.u.as_ref()?, svd.v_t.as_ref()?.transpose());
    let least = n as f64 * f64::EPSILON * svd.singular_values.amax();
    let zero: Vec<usize> = (0..n)
        .filter(|&k| svd.singular_values[k] <= least)
        .collect();
    if units.0.dimension() == zero.len() && units.1.dimension() == zero.len() {
        return Some(units);
    }
    let pick = |vectors: &DMatrix<f64>, scales: &[f64]| {
        DMatrix::from_fn(n, zero.len(), |row, k| {
            scales[row] * vectors[(row, zero[k])]
        })
    };
    let mut left = Basis::dense(&pick(u, &rows));
    let mut right = Basis::dense(&pick(&v, &columns));
    if depth > 0 {
        // a generalized inverse of M: C V S^+ U^T R
        let mut scaled = v;
        for (k, mut column) in scaled.column_iter_mut().enumerate() {
            let value = svd.singular_values[k];
            column *= if value > least { 1.0 / value } else { 0.0 };
        }
        let mut inverse = scaled * u.transpose();
        for ((row, column), entry) in (0..n)
            .flat_map(|column| (0..n).map(move |row| (row, column)))
            .zip(inverse.iter_mut())
        {
            *entry *= columns[row] * rows[column];
        }
        left.follow(mass, true, &inverse.transpose(), depth);
        right.follow(mass, false, &inverse, depth);
    }
    Some((left, right))
}
