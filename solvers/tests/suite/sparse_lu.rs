//! The sparse LU: residuals of random matrices, pivots that go bad, what is singular, other scalars.

use costate_solvers::Pattern;
use costate_solvers::linalg::{Over, SparseLu};
use nalgebra::{Complex, DVector};
use proptest::prelude::*;

use crate::matrices::{Sparse, block_triangular, convection_diffusion, scattered, unsymmetric};

/// Backward errors allowed whatever the matrix: |A x - b| <= c n eps |L| |U|, where the preference for the
/// diagonal lets |L| be as large as 1e3 and the guard lets |U| grow a hundredfold.
fn bound(n: usize) -> f64 {
    1e5 * n as f64 * f64::EPSILON
}

/// The same where pivots lie far above their thresholds.
fn tight(n: usize) -> f64 {
    10.0 * n as f64 * f64::EPSILON
}

fn check(lu: &mut SparseLu, matrix: &Sparse) -> Result<(), TestCaseError> {
    let b = scattered(matrix.dim());
    let mut x = b.clone();
    lu.solve(&mut x);
    let error = matrix.backward_error(&x, &b, false);
    prop_assert!(error < bound(matrix.dim()), "{error:e}");
    let mut x = b.clone();
    lu.solve_transposed(&mut x);
    let error = matrix.backward_error(&x, &b, true);
    prop_assert!(error < bound(matrix.dim()), "transposed {error:e}");
    Ok(())
}

/// Whether a matrix is regular by a wide margin, by nalgebra's singular values of the row-scaled matrix.
fn regular(matrix: &Sparse) -> bool {
    let mut dense = matrix.dense();
    for mut row in dense.row_iter_mut() {
        let largest = row.amax();
        if largest > 0.0 {
            row /= largest;
        }
    }
    let singular = dense.singular_values();
    singular.min() > 1e-10 * singular.max()
}

proptest! {
    #[test]
    fn solves_unsymmetric_matrices(matrix in unsymmetric(1..40)) {
        let mut lu = SparseLu::new(&matrix.pattern);
        prop_assert!(!lu.is_structurally_singular());
        if lu.factor(&matrix.values) {
            check(&mut lu, &matrix)?;
        } else {
            prop_assert!(!regular(&matrix));
        }
    }

    #[test]
    fn solves_block_triangular_matrices(matrix in block_triangular()) {
        let mut lu = SparseLu::new(&matrix.pattern);
        if lu.factor(&matrix.values) {
            check(&mut lu, &matrix)?;
        } else {
            prop_assert!(!regular(&matrix));
        }
    }

    #[test]
    fn agrees_with_nalgebra(matrix in unsymmetric(1..25)) {
        prop_assume!(regular(&matrix));
        let b = scattered(matrix.dim());
        let inverse = matrix.dense().try_inverse();
        prop_assume!(inverse.is_some());
        let condition = matrix.dense().norm() * inverse.map_or(0.0, |i| i.norm());
        let reference = matrix.dense().lu().solve(&DVector::from_vec(b.clone()));
        let reference = reference.expect("a regular matrix");
        let mut lu = SparseLu::new(&matrix.pattern);
        prop_assert!(lu.factor(&matrix.values));
        let mut x = b;
        lu.solve(&mut x);
        let difference = (DVector::from_vec(x) - &reference).norm();
        prop_assert!(difference <= bound(matrix.dim()) * condition * (1.0 + reference.norm()));
    }

    /// New values on old pivots: good ones, or the guard must see it. Either way the residual is small.
    #[test]
    fn refactors_any_values(
        (matrix, values) in unsymmetric(1..30).prop_flat_map(|matrix| {
            let value = (-1.0..1.0f64, -9..1i32).prop_map(|(m, e)| m * 10f64.powi(e));
            let count = matrix.values.len();
            (Just(matrix), prop::collection::vec(value, count))
        })
    ) {
        let mut lu = SparseLu::new(&matrix.pattern);
        let _ = lu.factor(&matrix.values);
        let matrix = Sparse { values, ..matrix };
        if lu.refactor(&matrix.values) {
            check(&mut lu, &matrix)?;
        } else {
            prop_assert!(!regular(&matrix));
        }
    }

    #[test]
    fn solves_complex_matrices(matrix in unsymmetric(1..25), shift in (-1.0..1.0f64, 0.1..2.0f64)) {
        let n = matrix.dim();
        let mut entries: Vec<_> = (0..n).map(|k| (k, k, Complex::new(shift.0, shift.1))).collect();
        for j in 0..n {
            for k in matrix.pattern.starts[j]..matrix.pattern.starts[j + 1] {
                entries.push((matrix.pattern.rows[k], j, Complex::new(-matrix.values[k], 0.0)));
            }
        }
        let matrix = Sparse::new(n, &entries);
        let mut lu = SparseLu::<Complex<f64>>::new(&matrix.pattern);
        prop_assume!(lu.factor(&matrix.values));
        let b: Vec<_> = scattered(n).iter().map(|&v| Complex::new(v, 1.0 - v)).collect();
        let mut x = b.clone();
        lu.solve(&mut x);
        prop_assert!(matrix.backward_error(&x, &b, false) < bound(n));
        let mut x = b.clone();
        lu.solve_transposed(&mut x);
        prop_assert!(matrix.backward_error(&x, &b, true) < bound(n));
    }
}

/// Three numbers that are solved for at once: a vector over f64, as a dual number is.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Triple([f64; 3]);

impl Over<f64> for Triple {
    const COMPONENTS: usize = 3;
    fn component(self, k: usize) -> f64 {
        self.0[k]
    }
    fn with_component(mut self, k: usize, value: f64) -> Self {
        self.0[k] = value;
        self
    }
    fn times(self, factor: f64) -> Self {
        Self(self.0.map(|v| v * factor))
    }
    fn minus_product(self, x: Self, factor: f64) -> Self {
        Self(std::array::from_fn(|k| self.0[k] - x.0[k] * factor))
    }
}

#[test]
fn solves_component_by_component() {
    let matrix = convection_diffusion(9, 3.0, 0.1);
    let n = matrix.dim();
    let mut lu = SparseLu::new(&matrix.pattern);
    assert!(lu.factor(&matrix.values));
    let parts = [
        scattered(n),
        vec![1.0; n],
        (0..n).map(|k| k as f64).collect(),
    ];
    for transposed in [false, true] {
        let mut together: Vec<_> = (0..n)
            .map(|i| Triple(std::array::from_fn(|k| parts[k][i])))
            .collect();
        if transposed {
            lu.solve_transposed(&mut together);
        } else {
            lu.solve(&mut together);
        }
        for (k, part) in parts.iter().enumerate() {
            let mut x = part.clone();
            if transposed {
                lu.solve_transposed(&mut x);
            } else {
                lu.solve(&mut x);
            }
            assert!(x.iter().zip(&together).all(|(x, t)| *x == t.0[k]));
        }
    }
}

/// Values that are fine for a diagonal pivot order, then values for which it divides by next to nothing:
/// kept pivots would return numbers without a correct digit and call it a success.
#[test]
fn chooses_new_pivots_where_kept_ones_went_bad() {
    let n = 60;
    let grid = |diagonal: f64| {
        let mut entries = Vec::new();
        for k in 0..n {
            entries.push((k, k, diagonal));
            entries.push((k, (k + 1) % n, 1.0));
            entries.push((k, (k + 7) % n, 0.5));
        }
        Sparse::new(n, &entries)
    };
    let b = scattered(n);
    for small in [1e-3, 1e-8, 1e-14, 1e-200, 0.0] {
        let mut lu = SparseLu::new(&grid(10.0).pattern);
        assert!(lu.factor(&grid(10.0).values));
        assert!(lu.refactor(&grid(-9.0).values));
        assert_eq!(lu.pivotings(), 1, "good pivots are kept");
        let matrix = grid(small);
        assert!(lu.refactor(&matrix.values));
        assert!(lu.pivotings() > 1, "{small:e}");
        let mut x = b.clone();
        lu.solve(&mut x);
        assert!(matrix.backward_error(&x, &b, false) < tight(n), "{small:e}");
        // the new pivots are kept in turn, until they go bad
        let count = lu.pivotings();
        assert!(lu.refactor(&matrix.values));
        assert_eq!(lu.pivotings(), count);
        let matrix = grid(1e6);
        assert!(lu.refactor(&matrix.values));
        let mut x = b.clone();
        lu.solve(&mut x);
        assert!(matrix.backward_error(&x, &b, false) < tight(n));
    }
}

/// Two by two, the textbook case: without the guard x would be (0, 1) in place of about (1, 1).
#[test]
fn the_textbook_pivot() {
    let matrix = |a: f64| Sparse::new(2, &[(0, 0, a), (0, 1, 1.0), (1, 0, 1.0), (1, 1, 1.0)]);
    let mut lu = SparseLu::new(&matrix(4.0).pattern);
    assert!(lu.factor(&matrix(4.0).values));
    assert!(lu.refactor(&matrix(1e-20).values));
    let mut x = [1.0, 2.0];
    lu.solve(&mut x);
    assert_eq!(x, [1.0, 1.0]);
}

/// Numbers that cancel: the pivot left in the second column is d, and the entry beside it is as small, so
/// that nothing grows; but both are rounding errors to a part eps / d, and the multiplier 0.5 / d carries
/// these into the last row. Only the size of the pivot tells.
#[test]
fn a_pivot_that_went_bad_without_growth() {
    let matrix = |d: f64| {
        let rows = [
            [1.0, 1.0, 0.3],
            [1.0, 1.0 + d, 0.3 + 2.0 * d],
            [0.5, 1.0, 0.7],
        ];
        let entries: Vec<_> = (0..9).map(|k| (k / 3, k % 3, rows[k / 3][k % 3])).collect();
        Sparse::new(3, &entries)
    };
    let mut lu = SparseLu::new(&matrix(10.0).pattern);
    assert!(lu.factor(&matrix(10.0).values));
    let matrix = matrix(1e-10);
    assert!(lu.refactor(&matrix.values));
    let b = scattered(3);
    let mut x = b.clone();
    lu.solve(&mut x);
    assert!(matrix.backward_error(&x, &b, false) < tight(3));
    assert_eq!(lu.pivotings(), 2);
}

/// Pivots each of which is tolerable, at 2e-3 of the other candidate; but numbers grow by 500 from column to
/// column. Only the growth tells.
#[test]
fn growth_over_tolerable_pivots() {
    let matrix = |diagonal: f64| {
        let mut entries: Vec<_> = (0..3).map(|k| (k, k, diagonal)).collect();
        entries.extend((0..3).map(|k| (k + 1, k, 1.0)));
        entries.extend((0..4).map(|k| (k, 3, 1.0 + 0.1 * k as f64)));
        Sparse::new(4, &entries)
    };
    let mut lu = SparseLu::new(&matrix(10.0).pattern);
    assert!(lu.factor(&matrix(10.0).values));
    let matrix = matrix(2e-3);
    assert!(lu.refactor(&matrix.values));
    let b = scattered(4);
    let mut x = b.clone();
    lu.solve(&mut x);
    assert!(matrix.backward_error(&x, &b, false) < tight(4));
    assert!(lu.pivotings() > 1);
}

/// Wilkinson's matrix: partial pivoting itself lets numbers double in every column. The growth found is
/// then no reason to pivot again at each refactorization.
#[test]
fn growth_that_pivoting_cannot_avoid() {
    let n = 40;
    let mut entries = Vec::new();
    for i in 0..n {
        entries.extend((0..i).map(|j| (i, j, -1.0)));
        entries.push((i, i, 1.0));
        if i + 1 < n {
            entries.push((i, n - 1, 1.0));
        }
    }
    let matrix = Sparse::new(n, &entries);
    let mut lu = SparseLu::new(&matrix.pattern);
    assert!(lu.factor(&matrix.values));
    let count = lu.pivotings();
    assert!(lu.refactor(&matrix.values));
    assert_eq!(lu.pivotings(), count);
}

/// A refactorization computes what the factorization did, to the last bit.
#[test]
fn refactoring_repeats_factoring() {
    let matrix = convection_diffusion(12, 5.0, 0.3);
    let mut lu = SparseLu::new(&matrix.pattern);
    assert!(lu.factor(&matrix.values));
    let first = lu.clone();
    assert!(lu.refactor(&matrix.values));
    assert_eq!(lu, first);
}

#[test]
fn keeps_its_pivots_over_failures() {
    let matrix = convection_diffusion(6, 0.0, 1.0);
    let mut lu = SparseLu::new(&matrix.pattern);
    assert!(lu.factor(&matrix.values));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for place in 0..matrix.values.len() {
            let mut values = matrix.values.clone();
            values[place] = bad;
            assert!(!lu.refactor(&values), "{bad} at {place}");
        }
    }
    assert!(!lu.refactor(&vec![0.0; matrix.values.len()]));
    assert!(!lu.refactor(&[1.0]), "too few values");
    assert!(lu.refactor(&matrix.values));
    assert_eq!(lu.pivotings(), 1);
    let b = scattered(matrix.dim());
    let mut x = b.clone();
    lu.solve(&mut x);
    assert!(matrix.backward_error(&x, &b, false) < tight(matrix.dim()));
}

#[test]
fn refuses_what_is_singular() {
    // two columns in one row
    let structural = Sparse::new(3, &[(0, 0, 1.0), (0, 1, 1.0), (2, 2, 1.0), (1, 2, 1.0)]);
    let mut lu = SparseLu::new(&structural.pattern);
    assert!(lu.is_structurally_singular() && !lu.factor(&structural.values));
    assert!(!lu.refactor(&structural.values));
    // dependent rows
    let numeric = Sparse::new(2, &[(0, 0, 1.0), (0, 1, 2.0), (1, 0, 2.0), (1, 1, 4.0)]);
    let mut lu = SparseLu::new(&numeric.pattern);
    assert!(!lu.is_structurally_singular() && !lu.factor(&numeric.values));
    assert!(
        lu.refactor(&[1.0, 2.0, 2.0, 5.0]),
        "other values are regular"
    );
    assert!(!lu.refactor(&numeric.values));
    // a block that is 0
    let block = Sparse::new(2, &[(0, 0, 1.0), (0, 1, 2.0), (1, 1, 0.0)]);
    let mut lu = SparseLu::new(&block.pattern);
    assert!(!lu.factor(&block.values));
    let not_square = Pattern::from_entries(2, 3, &[(0, 0), (1, 1), (1, 2)]);
    assert!(SparseLu::<f64>::new(&not_square).is_structurally_singular());
    let mut empty = SparseLu::<f64>::new(&Pattern::from_entries(0, 0, &[]));
    assert!(empty.factor(&[]) && empty.refactor(&[]));
    empty.solve(&mut [0.0; 0]);
}

/// Rows of every size that a float has: scaling by powers of two changes no digit.
#[test]
fn does_not_mind_the_units_of_rows() {
    let matrix = convection_diffusion(5, 1.0, 0.2);
    let n = matrix.dim();
    let b = scattered(n);
    let mut lu = SparseLu::new(&matrix.pattern);
    assert!(lu.factor(&matrix.values));
    let mut reference = b.clone();
    lu.solve(&mut reference);
    let unit = |row: usize| 2f64.powi((row as i32 * 37) % 900 - 450);
    let rows = matrix.pattern.rows.iter();
    let values: Vec<_> = rows
        .zip(&matrix.values)
        .map(|(&row, v)| v * unit(row))
        .collect();
    assert!(lu.refactor(&values));
    assert_eq!(lu.pivotings(), 1);
    let mut x: Vec<_> = b.iter().enumerate().map(|(row, b)| b * unit(row)).collect();
    lu.solve(&mut x);
    assert_eq!(x, reference);
}

/// A cascade is solved block by block: nothing to fill, one block a state.
#[test]
fn a_cascade_has_no_fill() {
    let n = 500;
    let mut entries: Vec<_> = (0..n).map(|k| (k, k, 2.0 + k as f64)).collect();
    entries.extend((1..n).map(|k| (k, (k * 7) % k, 0.5)));
    let matrix = Sparse::new(n, &entries);
    let mut lu = SparseLu::new(&matrix.pattern);
    assert!(lu.factor(&matrix.values));
    assert_eq!(lu.blocks(), n);
    assert_eq!(lu.factor_non_zeros(), matrix.values.len());
    let b = scattered(n);
    let mut x = b.clone();
    lu.solve(&mut x);
    assert!(matrix.backward_error(&x, &b, false) < tight(n));
}
