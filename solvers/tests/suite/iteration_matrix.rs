//! W = shift M - J by every factorization, against a dense one; the banded LU by itself.

use costate_solvers::linalg::{BandedLu, DenseLu, IterationMatrix, LinearSolver};
use costate_solvers::{Pattern, linalg::SparseLu};
use nalgebra::{Complex, DMatrix, DVector};
use proptest::prelude::*;

use crate::matrices::{Sparse, convection_diffusion, scattered, unsymmetric};

const KINDS: [LinearSolver; 3] = [
    LinearSolver::Dense,
    LinearSolver::Banded,
    LinearSolver::Sparse,
];

/// Banded entries of which the diagonal is often smaller than its neighbors.
fn banded() -> impl Strategy<Value = (Sparse, usize, usize)> {
    (1usize..25, 0usize..5, 0usize..5).prop_flat_map(|(n, lower, upper)| {
        prop::collection::vec(-1.0..1.0f64, n * n).prop_map(move |values| {
            let mut entries = Vec::new();
            for i in 0..n {
                for j in 0..n {
                    if i <= j + lower && j <= i + upper {
                        entries.push((i, j, values[i * n + j]));
                    }
                }
            }
            (Sparse::new(n, &entries), lower, upper)
        })
    })
}

proptest! {
    /// The banded elimination makes the dense one's operations, and leaves out only zeros.
    #[test]
    fn banded_is_dense_to_the_last_bit((matrix, lower, upper) in banded()) {
        let n = matrix.dim();
        let mut band = BandedLu::new(n, lower, upper);
        let mut dense = DenseLu::new(n);
        let full = matrix.dense();
        for i in 0..n {
            for j in 0..n {
                match band.place(i, j) {
                    Some(place) => band.entries_mut()[place] = full[(i, j)],
                    None => prop_assert_eq!(full[(i, j)], 0.0),
                }
            }
        }
        dense.entries_mut().copy_from_slice(full.as_slice());
        let regular = dense.factor();
        prop_assert_eq!(band.factor(), regular);
        prop_assume!(regular);
        let b = scattered(n);
        let (mut x, mut y) = (b.clone(), b.clone());
        dense.solve(&mut x);
        band.solve(&mut y);
        prop_assert_eq!(&x, &y);
        let (mut x, mut y) = (b.clone(), b.clone());
        dense.solve_transposed(&mut x);
        band.solve_transposed(&mut y);
        // (the exchanges of rows are interleaved with L in a band: other order of additions)
        let bound = 1e3 * f64::EPSILON * n as f64;
        prop_assert!(matrix.backward_error(&x, &b, true) < bound);
        prop_assert!(matrix.backward_error(&y, &b, true) < bound);
    }

    #[test]
    fn every_kind_solves_the_same_system(
        jacobian in unsymmetric(1..20),
        shift in 0.5..50.0f64,
        mass in prop::option::of(prop::collection::vec(0.1..3.0f64, 20)),
    ) {
        let n = jacobian.dim();
        let mass = mass.map(|m| Sparse::new(n, &(0..n).map(|k| (k, k, m[k])).collect::<Vec<_>>()));
        let mut w = -jacobian.dense();
        let m = mass.as_ref().map_or(DMatrix::identity(n, n), Sparse::dense);
        w += m * shift;
        let inverse = w.clone().try_inverse();
        prop_assume!(inverse.is_some());
        let condition = w.norm() * inverse.map_or(0.0, |i| i.norm());
        prop_assume!(condition < 1e8);
        let b = scattered(n);
        let expected = w.clone().lu().solve(&DVector::from_vec(b.clone())).expect("regular");
        let expected_t = w.transpose().lu().solve(&DVector::from_vec(b.clone())).expect("regular");
        let bound = 100.0 * n as f64 * f64::EPSILON * condition;
        for kind in KINDS {
            let pattern = mass.as_ref().map(|m| &m.pattern);
            let mut matrix = IterationMatrix::new(&jacobian.pattern, pattern, kind);
            prop_assert_eq!(matrix.kind(), kind);
            let values = mass.as_ref().map(|m| &m.values[..]);
            // twice: what the first left behind must not show
            for _ in 0..2 {
                prop_assert!(matrix.factor(shift, |k| jacobian.values[k], values));
            }
            let mut x = b.clone();
            matrix.solve(&mut x);
            let error = (DVector::from_vec(x) - &expected).norm();
            prop_assert!(error <= bound * (1.0 + expected.norm()), "{kind:?} {error:e}");
            let mut x = b.clone();
            matrix.solve_transposed(&mut x);
            let error = (DVector::from_vec(x) - &expected_t).norm();
            prop_assert!(error <= bound * (1.0 + expected_t.norm()), "{kind:?} {error:e}");
        }
    }
}

/// A mass matrix with entries off the diagonal and none where J has none: the union holds both.
#[test]
fn a_singular_mass_matrix() {
    // x' = -x + y, 0 = x - 2 y
    let jacobian = Sparse::new(2, &[(0, 0, -1.0), (0, 1, 1.0), (1, 0, 1.0), (1, 1, -2.0)]);
    let mass = Pattern::from_entries(2, 2, &[(0, 0), (0, 1)]);
    for kind in KINDS {
        let mut matrix = IterationMatrix::new(&jacobian.pattern, Some(&mass), kind);
        assert!(matrix.factor(10.0, |k| jacobian.values[k], Some(&[1.0, 0.5])));
        // W = [11, 4; -1, 2]
        let mut b = [15.0, 1.0];
        matrix.solve(&mut b);
        assert!(
            (b[0] - 1.0).abs() < 1e-14 && (b[1] - 1.0).abs() < 1e-14,
            "{b:?}"
        );
        assert!(
            !matrix.factor(10.0, |k| jacobian.values[k], None),
            "a mass matrix was announced"
        );
        assert!(
            !matrix.factor(0.0, |_| 0.0, Some(&[0.0, 0.0])),
            "{kind:?}: singular"
        );
    }
}

#[test]
fn complex_shifts() {
    let jacobian = convection_diffusion(4, 1.0, 0.0);
    let n = jacobian.dim();
    let shift = Complex::new(2.68, 3.05);
    let mut solutions = Vec::new();
    for kind in KINDS {
        let mut matrix = IterationMatrix::<Complex<f64>>::new(&jacobian.pattern, None, kind);
        assert!(matrix.factor(shift, |k| -jacobian.values[k], None));
        let mut x: Vec<_> = scattered(n).iter().map(|&v| Complex::new(v, -v)).collect();
        let b = x.clone();
        matrix.solve(&mut x);
        for (i, (jx, b)) in complex_product(&jacobian, &x).iter().zip(&b).enumerate() {
            let left = shift * x[i] + jx;
            assert!((left - b).norm() < 1e-14, "{kind:?}");
        }
        solutions.push(x);
    }
    for x in &solutions[1..] {
        assert!(
            x.iter()
                .zip(&solutions[0])
                .all(|(a, b)| (a - b).norm() < 1e-14)
        );
    }
}

fn complex_product(matrix: &Sparse, x: &[Complex<f64>]) -> Vec<Complex<f64>> {
    let re = matrix.times(&x.iter().map(|x| x.re).collect::<Vec<_>>());
    let im = matrix.times(&x.iter().map(|x| x.im).collect::<Vec<_>>());
    re.into_iter()
        .zip(im)
        .map(|(re, im)| Complex::new(re, im))
        .collect()
}

#[test]
fn auto_chooses_by_pattern() {
    let kind =
        |pattern: &Pattern| IterationMatrix::<f64>::new(pattern, None, LinearSolver::Auto).kind();
    let chain = |n: usize, width: usize| {
        let entries: Vec<_> = (0..n)
            .flat_map(|j| (j.saturating_sub(width)..(j + width + 1).min(n)).map(move |i| (i, j)))
            .collect();
        Pattern::from_entries(n, n, &entries)
    };
    assert_eq!(kind(&Pattern::dense(3)), LinearSolver::Dense);
    assert_eq!(kind(&Pattern::dense(300)), LinearSolver::Dense);
    assert_eq!(kind(&chain(1000, 1)), LinearSolver::Banded);
    assert_eq!(kind(&chain(1000, 3)), LinearSolver::Banded);
    assert_eq!(
        kind(&convection_diffusion(30, 0.0, 1.0).pattern),
        LinearSolver::Sparse
    );
    assert_eq!(kind(&Pattern::from_entries(0, 0, &[])), LinearSolver::Dense);
}

#[test]
fn says_how_much_it_stores() {
    let pattern = convection_diffusion(10, 0.0, 1.0).pattern;
    let n = pattern.columns();
    let stored = |kind| {
        let mut matrix = IterationMatrix::<f64>::new(&pattern, None, kind);
        assert!(matrix.factor(100.0, |_| 0.5, None));
        matrix.factor_non_zeros()
    };
    assert_eq!(stored(LinearSolver::Dense), n * n);
    assert_eq!(stored(LinearSolver::Banded), n * 31);
    assert!(stored(LinearSolver::Sparse) < n * 20);
    assert_eq!(SparseLu::<f64>::new(&pattern).factor_non_zeros(), 0);
}
