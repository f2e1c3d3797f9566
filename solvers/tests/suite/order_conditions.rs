//! The explicit tableaus against the order conditions, one for each rooted tree.
//!
//! For a Rosenbrock method with exact Jacobian (Hairer & Wanner IV.7) a node with one son takes beta_ij,
//! one with several takes alpha_ij for each; an explicit Runge-Kutta method is the case beta = alpha = a.
//! A solution with weights b has order p where sum b_i phi_i(tree) = 1 / density(tree) for all trees of up
//! to p nodes; an interpolant where sum b_i(theta) phi_i = theta^nodes / density.

use costate_solvers::Tableau;
use costate_solvers::explicit::runge_kutta::dense_weight;
use costate_solvers::explicit::{
    bs3, dop853, dopri5, euler, heun, midpoint, rk4, tsit5, vern7, vern9,
};
use nalgebra::DMatrix;

use crate::rooted_trees::Trees;

fn padded(row: &[f64], length: usize) -> Vec<f64> {
    let mut row = row.to_vec();
    row.resize(length, 0.0);
    row
}

/// Sum of magnitudes: what rounding errors in a sum are proportional to.
fn magnitude(terms: &[f64]) -> f64 {
    terms.iter().map(|t| t.abs()).sum()
}

/// Every order that a tableau claims, and no order more. The conditions hold up to rounding: some 1e-16 times
/// the magnitudes that cancel in a row of A, or in a polynomial b_i(theta). `printed` is what the digits of the
/// published coefficients allow where they are fewer than that.
fn satisfies<T: Tableau>(printed: f64) {
    let largest = |rows: &mut dyn Iterator<Item = f64>| rows.fold(1.0, f64::max);
    let tolerance = 1e-15 * largest(&mut T::A.iter().map(|row| magnitude(row)));
    let dense_tolerance =
        1e-15 * largest(&mut T::DENSE.chunks(T::DENSE_DEGREE).map(magnitude)).max(tolerance * 1e15);
    let stages = T::A.len();
    assert_eq!(T::C.len(), stages);
    let a = DMatrix::from_fn(stages, stages, |i, j| padded(T::A[i], stages)[j]);
    for i in 0..stages {
        let defect = (a.row(i).sum() - T::C[i]).abs();
        assert!(defect < tolerance, "row {i}: {defect:e}");
        assert!(a.row(i).iter().skip(i).all(|a| *a == 0.0), "row {i}");
    }
    let trees = Trees::up_to(T::ORDER as usize + 1);
    let phi = trees.weights(&a, &a);
    let exactly = |order: u32, b: &[f64], tolerance: f64| {
        for nodes in 1..=order as usize {
            let defect = trees.defect(&phi, nodes, b, 1.0);
            assert!(defect < tolerance, "{nodes} nodes: {defect:e}");
        }
        let defect = trees.defect(&phi, order as usize + 1, b, 1.0);
        assert!(defect > 30.0 * tolerance, "{order} and more: {defect:e}");
    };
    let b = padded(T::A[T::END], stages);
    exactly(T::ORDER, &b, tolerance);
    // the combined estimate E^2 / E' of orders 5 and 3 has order 7: E is of order 5 there
    let estimates = match (T::ERROR, T::COARSE_ERROR) {
        ([], _) => vec![],
        (fine, []) => vec![(fine, T::ERROR_ORDER)],
        (fine, coarse) => vec![(fine, 5), (coarse, 3)],
    };
    for (error, order) in estimates {
        let error = padded(error, stages);
        let embedded: Vec<f64> = b.iter().zip(&error).map(|(b, e)| b + e).collect();
        exactly(order, &embedded, tolerance);
    }
    let dense = |theta: f64| -> Vec<f64> {
        (0..stages)
            .map(|j| dense_weight::<T, f64>(j, theta))
            .collect()
    };
    for k in 0..=10 {
        let theta = f64::from(k) / 10.0;
        for nodes in 1..=T::DENSE_ORDER as usize {
            let defect = trees.defect(&phi, nodes, &dense(theta), theta);
            let highest = nodes == T::DENSE_ORDER as usize;
            assert!(
                defect < dense_tolerance || highest && defect < printed,
                "{defect:e} {nodes} nodes at {theta}"
            );
        }
    }
    if T::DENSE_ORDER < T::ORDER {
        let defect = trees.defect(&phi, T::DENSE_ORDER as usize + 1, &dense(0.3), 0.3);
        assert!(defect > 30.0 * dense_tolerance, "dense: {defect:e}");
    }
    // continuous, and so is its derivative: b(1) = b, b'(0) and b'(1) pick the slopes at the ends
    let end = dense(1.0);
    for i in 0..stages {
        let row = &T::DENSE[i * T::DENSE_DEGREE..][..T::DENSE_DEGREE];
        let slope: f64 = (1..).zip(row).map(|(m, r)| f64::from(m) * r).sum();
        let expected = f64::from(u8::from(i == T::END));
        assert!((end[i] - b[i]).abs() < dense_tolerance, "b({i}) at 1");
        assert!(
            (slope - expected).abs() < 10.0 * dense_tolerance,
            "b'({i}): {slope}"
        );
        assert_eq!(row[0], f64::from(u8::from(i == 0)), "b'({i}) at 0");
    }
}

/// R(z) = 1 + z b^T (I - z A)^-1 1 leaves the unit disk where `STABILITY_BOUND` says, but for a margin.
fn is_stable_up_to_its_bound<T: Tableau>() {
    let stability = |z: f64| {
        let mut stages: Vec<f64> = Vec::new();
        for row in &T::A[..=T::END] {
            let sum: f64 = row.iter().zip(&stages).map(|(a, k)| a * k).sum();
            stages.push(1.0 + z * sum);
        }
        stages[T::END]
    };
    assert!((stability(-0.1) - (-0.1f64).exp()).abs() < 1e-6);
    let end = (1..)
        .map(|k| 0.01 * f64::from(k))
        .find(|&z| stability(-z).abs() > 1.0)
        .expect("an end");
    assert!(T::TWINS.is_some() && T::STABILITY_BOUND < end && T::STABILITY_BOUND > 0.94 * end);
    let (p, q) = T::TWINS.expect("twins");
    assert_eq!(T::C[p], T::C[q]);
}

macro_rules! tableaus {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            satisfies::<$name::Coefficients>(0.0);
        })*
    };
}
tableaus!(
    euler, midpoint, heun, rk4, bs3, tsit5, dopri5, dop853, vern9
);

/// A parameter of its interpolant was published with nine digits: one tree of seven nodes shows it.
#[test]
fn vern7() {
    satisfies::<vern7::Coefficients>(4e-7);
}

#[test]
fn stability_bounds() {
    is_stable_up_to_its_bound::<tsit5::Coefficients>();
    is_stable_up_to_its_bound::<dopri5::Coefficients>();
    is_stable_up_to_its_bound::<dop853::Coefficients>();
    is_stable_up_to_its_bound::<vern7::Coefficients>();
    is_stable_up_to_its_bound::<vern9::Coefficients>();
}

/// A step that just passes makes an error of C tol^((p+1)/(q+1)): see `costate_solvers::esdirk::Tableau::CAUTION`.
#[test]
fn estimates_are_as_large_as_the_errors() {
    fn constant<T: Tableau>() -> f64 {
        let stages = T::A.len();
        let a = DMatrix::from_fn(stages, stages, |i, j| padded(T::A[i], stages)[j]);
        let (order, low) = (T::ORDER as usize, T::ERROR_ORDER as usize);
        let trees = Trees::up_to(order + 1);
        let phi = trees.weights(&a, &a);
        let error = trees.principal_error(&phi, order + 1, &padded(T::A[T::END], stages), 1.0);
        let scaled: Vec<f64> = padded(T::ERROR, stages)
            .iter()
            .map(|e| e * T::CAUTION)
            .collect();
        let estimate = trees.principal_error(&phi, low + 1, &scaled, 0.0);
        error / estimate.powf((order + 1) as f64 / (low + 1) as f64)
    }
    let bs3 = constant::<bs3::Coefficients>();
    assert!((bs3 - 1.0).abs() < 0.01, "{bs3}");
    for as_published in [
        constant::<dopri5::Coefficients>(),
        constant::<tsit5::Coefficients>(),
    ] {
        assert!(as_published > 0.5 && as_published < 1.31, "{as_published}");
    }
}
