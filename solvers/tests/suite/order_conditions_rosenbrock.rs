//! The Rosenbrock tableaus against the order conditions (see `order_conditions`), those on algebraic states, and
//! stability.

use costate_solvers::rosenbrock::tableau::{Tableau, dense_weights};
use costate_solvers::rosenbrock::{rodas3, rodas4, rodas5p};
use nalgebra::DMatrix;

use crate::rooted_trees::Trees;

/// alpha, beta and the map u -> k of a Rosenbrock method in classical form, the dense output's stage included.
///
/// In the transformed form u = Gamma k h, so that Gamma^-1 = diag(1 / gamma) - C, alpha = A Gamma and
/// b = m Gamma. The dense output's stage has a = m and c = 0.
fn classical_form<T: Tableau>() -> (DMatrix<f64>, DMatrix<f64>, DMatrix<f64>) {
    let s = T::KEPT;
    let below = |rows: &[&[f64]], i: usize, j: usize| {
        rows.get(i).filter(|_| j < i).map_or(0.0, |row| row[j])
    };
    let c = DMatrix::from_fn(s, s, |i, j| below(T::C, i, j));
    let inverse = DMatrix::identity(s, s) / T::GAMMA - c;
    let gamma = inverse.try_inverse().expect("a triangular matrix");
    let a = DMatrix::from_fn(s, s, |i, j| {
        if i == T::STAGES {
            T::M.get(j).copied().unwrap_or(0.0)
        } else {
            below(T::A, i, j)
        }
    });
    let alpha = a * &gamma;
    let beta = &alpha + &gamma;
    (alpha, beta, gamma)
}

fn classical(weights: &[f64], gamma: &DMatrix<f64>) -> Vec<f64> {
    (0..gamma.ncols())
        .map(|j| {
            let products = weights.iter().enumerate().take(gamma.nrows());
            products.map(|(i, w)| w * gamma[(i, j)]).sum()
        })
        .collect()
}

/// The order of the solution, of the one without u_s, and of the dense output, each no more than that.
fn rosenbrock_order<T: Tableau>(dense_order: usize) {
    let (alpha, beta, gamma) = classical_form::<T>();
    for i in 0..T::STAGES {
        assert!((alpha.row(i).sum() - T::ALPHA[i]).abs() < 1e-12, "{i}");
        assert!((gamma.row(i).sum() - T::D[i]).abs() < 1e-12, "{i}");
    }
    let trees = Trees::up_to(T::ORDER as usize + 1);
    let phi = trees.weights(&alpha, &beta);
    let defect_of = |weights: &[f64], theta: f64, nodes: usize| {
        trees.defect(&phi, nodes, &classical(weights, &gamma), theta)
    };
    let mut embedded = T::M.to_vec();
    embedded[T::STAGES - 1] = 0.0;
    for (weights, order) in [(T::M, T::ORDER), (&embedded, T::ERROR_ORDER)] {
        for nodes in 1..=order as usize {
            let defect = defect_of(weights, 1.0, nodes);
            assert!(defect < 1e-12, "{nodes}: {defect:e}");
        }
        assert!(defect_of(weights, 1.0, order as usize + 1) > 1e-5);
    }
    for k in 0..=10 {
        let theta = f64::from(k) / 10.0;
        let weights = dense_weights::<T, f64>(theta);
        for nodes in 1..=dense_order {
            let defect = defect_of(&weights, theta, nodes);
            assert!(defect < 1e-11, "{nodes} {theta}: {defect:e}");
        }
    }
    let end = dense_weights::<T, f64>(1.0);
    for (i, &end) in end.iter().enumerate() {
        assert_eq!(end, T::M.get(i).copied().unwrap_or(0.0));
    }
    // stiffly accurate: the last argument is the embedded solution
    assert_eq!(
        &T::A[T::STAGES - 1][..T::STAGES - 1],
        &T::M[..T::STAGES - 1]
    );
    assert_eq!(T::M[T::STAGES - 1], 1.0);
}

#[test]
fn rosenbrock_methods_satisfy_their_order_conditions() {
    rosenbrock_order::<rodas3::Coefficients>(3);
    rosenbrock_order::<rodas4::Coefficients>(3);
    rosenbrock_order::<rodas5p::Coefficients>(4);
}

/// The conditions on algebraic states (Hairer & Wanner VI.4, Theorem 4.4), omega the inverse of beta:
/// sum b_i omega_ij alpha_j^2 = theta^2 for order 2, and sum b_i omega_ij alpha_j^3 = theta^3 and
/// sum b_i omega_ij alpha_j (alpha beta)_j = theta^3 / 2 for order 3.
#[test]
fn rosenbrock_methods_satisfy_conditions_on_algebraic_states() {
    fn defects<T: Tableau>(theta: f64) -> [f64; 3] {
        let (alpha, beta, gamma) = classical_form::<T>();
        let s = T::KEPT;
        let b = classical(&dense_weights::<T, f64>(theta), &gamma);
        let ones = DMatrix::from_element(s, 1, 1.0);
        let nodes = &alpha * &ones;
        let beta_sums = &beta * &ones;
        let second = &alpha * &beta_sums;
        let omega = beta.try_inverse().expect("a triangular matrix");
        let condition = |right: DMatrix<f64>, value: f64| {
            let product = &omega * right;
            (0..s).map(|i| b[i] * product[i]).sum::<f64>() - value
        };
        [
            condition(nodes.map(|a| a * a), theta.powi(2)),
            condition(nodes.map(|a| a * a * a), theta.powi(3)),
            condition(nodes.component_mul(&second), theta.powi(3) / 2.0),
        ]
    }
    for defects in [
        defects::<rodas3::Coefficients>(1.0),
        defects::<rodas4::Coefficients>(1.0),
        defects::<rodas5p::Coefficients>(1.0),
    ] {
        assert!(defects.iter().all(|d| d.abs() < 1e-12), "{defects:?}");
    }
    for theta in [0.25, 0.5, 0.8] {
        assert!(defects::<rodas3::Coefficients>(theta)[0].abs() < 1e-13);
    }
}

/// The stability function vanishes at infinity: R(z) = 1 + z b^T (I - z beta)^-1 1.
#[test]
fn rosenbrock_methods_are_l_stable_on_the_real_axis() {
    fn check<T: Tableau>(accuracy: f64) {
        let (_, beta, gamma) = classical_form::<T>();
        let s = T::KEPT;
        let b = classical(T::M, &gamma);
        let stability = |z: f64| {
            let matrix = DMatrix::identity(s, s) - &beta * z;
            let ones = DMatrix::from_element(s, 1, 1.0);
            let solved = matrix.lu().solve(&ones).expect("a regular matrix");
            1.0 + z * (0..s).map(|i| b[i] * solved[i]).sum::<f64>()
        };
        let error = (stability(-0.5) - (-0.5f64).exp()).abs();
        assert!(error < accuracy, "{error:e}");
        for exponent in -2..=6 {
            assert!(stability(-(10f64.powi(exponent))).abs() <= 1.0);
        }
        assert!(stability(-1e8).abs() < 1e-5);
    }
    check::<rodas3::Coefficients>(1e-2);
    check::<rodas4::Coefficients>(1e-3);
    check::<rodas5p::Coefficients>(1e-4);
}
