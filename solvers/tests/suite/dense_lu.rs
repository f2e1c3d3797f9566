//! The dense LU against nalgebra's, on random matrices and on what breaks an LU.

use costate_solvers::DenseLu;
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

fn filled(matrix: &DMatrix<f64>) -> DenseLu {
    let mut lu = DenseLu::new(matrix.nrows());
    lu.entries_mut().copy_from_slice(matrix.as_slice());
    lu
}

fn square() -> impl Strategy<Value = (DMatrix<f64>, DVector<f64>)> {
    (1usize..12).prop_flat_map(|n| {
        (
            prop::collection::vec(-1.0..1.0f64, n * n),
            prop::collection::vec(-1.0..1.0f64, n),
        )
            .prop_map(move |(a, b)| (DMatrix::from_vec(n, n, a), DVector::from_vec(b)))
    })
}

proptest! {
    #[test]
    fn solves_like_nalgebra((a, b) in square()) {
        let condition = a.norm() * a.clone().try_inverse().map_or(f64::INFINITY, |i| i.norm());
        prop_assume!(condition < 1e8);
        let bound = 1e-14 * condition * (1.0 + b.norm()) * a.nrows() as f64;
        let mut lu = filled(&a);
        prop_assert!(lu.factor());
        let mut x = b.as_slice().to_vec();
        lu.solve(&mut x);
        let reference = a.clone().lu().solve(&b).expect("a regular matrix");
        let scale = 1.0 + reference.norm();
        prop_assert!((DVector::from_vec(x) - &reference).norm() < bound * scale);
        let mut x = b.as_slice().to_vec();
        lu.solve_transposed(&mut x);
        let reference = a.transpose().lu().solve(&b).expect("a regular matrix");
        let scale = 1.0 + reference.norm();
        prop_assert!((DVector::from_vec(x) - &reference).norm() < bound * scale);
    }
}

#[test]
fn pivots_where_the_diagonal_vanishes() {
    let mut lu = filled(&DMatrix::from_row_slice(2, 2, &[0.0, 2.0, 3.0, 1.0]));
    assert!(lu.factor());
    let mut b = [4.0, 5.0];
    lu.solve(&mut b);
    assert_eq!(b, [1.0, 2.0]);
    let mut b = [6.0, 4.0];
    lu.solve_transposed(&mut b);
    assert_eq!(b, [1.0, 2.0]);
}

#[test]
fn refuses_what_has_no_inverse() {
    let singular = DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 2.0, 4.0]);
    assert!(!filled(&singular).factor());
    for bad in [f64::NAN, f64::INFINITY] {
        for place in 0..9 {
            let mut matrix = DMatrix::from_row_slice(3, 3, &[4., 1., 2., 1., 5., 3., 2., 3., 6.]);
            matrix[place] = bad;
            assert!(!filled(&matrix).factor(), "{bad} at {place}");
        }
    }
    assert!(DenseLu::<f64>::new(0).factor());
}

#[test]
fn can_be_filled_again() {
    let mut lu = filled(&DMatrix::from_row_slice(2, 2, &[0.0, 2.0, 3.0, 1.0]));
    assert!(lu.factor());
    lu.entries_mut().copy_from_slice(&[2.0, 0.0, 0.0, 4.0]);
    assert!(lu.factor());
    let mut b = [2.0, 2.0];
    lu.solve(&mut b);
    assert_eq!(b, [1.0, 0.5]);
}
