//! The tableaus of the ESDIRK methods and of Radau5 against the order conditions (see `order_conditions`), and their
//! stability.

use costate_solvers::esdirk::kencarp4::KenCarp4Tableau;
use costate_solvers::esdirk::kvaerno3::Kvaerno3Tableau;
use costate_solvers::esdirk::kvaerno4::Kvaerno4Tableau;
use costate_solvers::esdirk::kvaerno5::Kvaerno5Tableau;
use costate_solvers::esdirk::tableau::{Tableau, dense_weight};
use costate_solvers::esdirk::tr_bdf2::TrBdf2Tableau;
use costate_solvers::radau::radau5;
use nalgebra::DMatrix;

use crate::rooted_trees::Trees;

/// A and b of an ESDIRK method.
fn esdirk<T: Tableau>() -> (DMatrix<f64>, Vec<f64>) {
    let s = T::A.len();
    let a = DMatrix::from_fn(s, s, |i, j| {
        if i == j && i > 0 {
            T::GAMMA
        } else {
            T::A[i].get(j).copied().unwrap_or(0.0)
        }
    });
    let b = a.row(s - 1).iter().copied().collect();
    (a, b)
}

/// A with the dense output's stage, where there is one.
fn with_dense_stage<T: Tableau>() -> DMatrix<f64> {
    let (mut a, b) = esdirk::<T>();
    if let Some((row, node)) = T::DENSE_STAGE {
        let s = b.len();
        a = a.resize(s + 1, s + 1, 0.0);
        for (j, &v) in row.iter().enumerate() {
            a[(s, j)] = v;
        }
        a[(s, s)] = T::GAMMA;
        assert!((a.row(s).sum() - node).abs() < 1e-15);
    }
    a
}

/// Conditions of solution, embedded solution and dense output, which hold to the digits published, and fail
/// one order further.
fn esdirk_conditions<T: Tableau>(embedded_order: usize, dense_order: usize, digits: f64) {
    let (a, b) = esdirk::<T>();
    let s = b.len();
    for i in 0..s {
        assert!((a.row(i).sum() - T::C[i]).abs() < digits, "row {i}");
        assert_eq!(T::GUESS[i].len(), i);
        assert_eq!(T::A[i].len(), i);
    }
    let order = T::ORDER as usize;
    let trees = Trees::up_to(usize::max(order, embedded_order) + 1);
    let phi = trees.weights(&a, &a);
    for nodes in 1..=order {
        let defect = trees.defect(&phi, nodes, &b, 1.0);
        assert!(defect < digits, "{nodes}: {defect:e}");
    }
    assert!(trees.defect(&phi, order + 1, &b, 1.0) > 1e-4);
    let embedded: Vec<f64> = b.iter().zip(T::ERROR).map(|(b, e)| b - e).collect();
    for nodes in 1..=embedded_order {
        let defect = trees.defect(&phi, nodes, &embedded, 1.0);
        assert!(defect < digits, "embedded {nodes}: {defect:e}");
    }
    assert!(trees.defect(&phi, embedded_order + 1, &embedded, 1.0) > 1e-4);
    let a = with_dense_stage::<T>();
    let phi = trees.weights(&a, &a);
    for k in 0..=10 {
        let theta = f64::from(k) / 10.0;
        let weights: Vec<f64> = (0..T::KEPT)
            .map(|i| dense_weight::<f64, T>(i, theta))
            .collect();
        for nodes in 1..=dense_order {
            let defect = trees.defect(&phi, nodes, &weights, theta);
            assert!(defect < 20.0 * digits, "{nodes} {theta}: {defect:e}");
        }
    }
    for i in 0..T::KEPT {
        let end = b.get(i).copied().unwrap_or(0.0);
        assert!((dense_weight::<f64, T>(i, 1.0) - end).abs() < 1e-13, "{i}");
    }
}

#[test]
fn esdirk_methods_satisfy_their_order_conditions() {
    // TR-BDF2's embedded solution is the one of higher order
    esdirk_conditions::<TrBdf2Tableau>(3, 2, 1e-14);
    esdirk_conditions::<Kvaerno3Tableau>(2, 3, 2e-14);
    esdirk_conditions::<Kvaerno4Tableau>(3, 3, 2e-14);
    esdirk_conditions::<Kvaerno5Tableau>(4, 4, 1e-15);
    esdirk_conditions::<KenCarp4Tableau>(3, 3, 1e-14);
}

/// |R| of an ESDIRK method at z = x + i y.
fn esdirk_stability<T: Tableau>(b: &[f64], z: nalgebra::Complex<f64>) -> f64 {
    let (a, _) = esdirk::<T>();
    let s = b.len();
    let mut k = vec![nalgebra::Complex::new(0.0, 0.0); s];
    for i in 0..s {
        let sum: nalgebra::Complex<f64> = (0..i).map(|j| k[j] * a[(i, j)]).sum();
        k[i] = z * (sum + 1.0) / (-z * a[(i, i)] + 1.0);
    }
    let end: nalgebra::Complex<f64> = k.iter().zip(b).map(|(k, b)| k * *b).sum();
    (end + 1.0).norm()
}

/// A-stability, and |R(infinity)| of the solution and the embedded solution.
fn stable<T: Tableau>(solution: f64, embedded: f64) {
    use nalgebra::Complex;
    let (_, b) = esdirk::<T>();
    // A-stable by the maximum principle: no pole on the left, |R| <= 1 on the imaginary axis
    for k in -300..=600 {
        let y = 10f64.powf(f64::from(k) / 100.0);
        let size = esdirk_stability::<T>(&b, Complex::new(0.0, y));
        assert!(size <= 1.0 + 1e-9, "{size} at {y} i");
    }
    let hat: Vec<f64> = b.iter().zip(T::ERROR).map(|(b, e)| b - e).collect();
    for (weights, expected) in [(b, solution), (hat, embedded)] {
        let far = esdirk_stability::<T>(&weights, Complex::new(-1e9, 0.0));
        assert!((far - expected).abs() < 1e-3, "{far} for {expected}");
    }
}

#[test]
fn esdirk_methods_are_stable() {
    // (TR-BDF2's embedded solution grows with z: its estimate is the filtered one)
    let growth = esdirk_stability::<TrBdf2Tableau>(
        &esdirk::<TrBdf2Tableau>().1,
        nalgebra::Complex::new(-1e9, 0.0),
    );
    assert!(growth < 1e-6 && TrBdf2Tableau::FILTERED);
    stable::<Kvaerno3Tableau>(0.0, 0.957);
    stable::<Kvaerno4Tableau>(0.7175, 0.0);
    stable::<Kvaerno5Tableau>(0.0, 0.7483);
    stable::<KenCarp4Tableau>(0.0, 0.15);
}

/// The transformation of Radau5 brings the inverse of the collocation matrix to its eigenvalues.
#[test]
fn radau5_satisfies_its_order_conditions() {
    let c = radau5::C;
    // A_ij = integral of the Lagrange polynomial l_j from 0 to c_i: exact for 1, t, t^2
    let powers = DMatrix::from_fn(3, 3, |i, k| c[i].powi(k as i32));
    let integrals = DMatrix::from_fn(3, 3, |i, k| c[i].powi(k as i32 + 1) / (k as f64 + 1.0));
    let a = &integrals * powers.try_inverse().expect("distinct nodes");
    let b: Vec<f64> = a.row(2).iter().copied().collect();
    let trees = Trees::up_to(6);
    let phi = trees.weights(&a, &a);
    for nodes in 1..=5 {
        assert!(trees.defect(&phi, nodes, &b, 1.0) < 1e-13, "{nodes}");
    }
    assert!(trees.defect(&phi, 6, &b, 1.0) > 1e-5);
    let t = DMatrix::from_fn(3, 3, |i, j| radau5::T[i][j]);
    let inverse = DMatrix::from_fn(3, 3, |i, j| radau5::T_INVERSE[i][j]);
    assert!((&t * &inverse - DMatrix::identity(3, 3)).norm() < 1e-13);
    let (gamma, alpha, beta) = (radau5::GAMMA, radau5::ALPHA, radau5::BETA);
    let blocks = DMatrix::from_row_slice(
        3,
        3,
        &[gamma, 0.0, 0.0, 0.0, alpha, -beta, 0.0, beta, alpha],
    );
    let back = t * blocks * inverse;
    let error = (back * &a - DMatrix::identity(3, 3)).norm();
    assert!(error < 1e-13, "{error:e}");
    // the estimate's weights, with b_0 = 1 / gamma for f(t, x): exact on quadratics, not on cubics
    let estimate = |power: i32| -> f64 {
        let sum: f64 = (0..3).map(|i| radau5::ERROR[i] * c[i].powi(power)).sum();
        sum + if power == 1 { 1.0 } else { 0.0 }
    };
    assert!(estimate(1).abs() < 1e-13 && estimate(2).abs() < 1e-13 && estimate(3).abs() < 1e-13);
    assert!(estimate(4).abs() > 1e-2);
    for k in 0..=10 {
        let theta = f64::from(k) / 10.0;
        let weights = radau5::dense_weights(theta);
        for power in 1..=3 {
            let value: f64 = (0..3).map(|i| weights[i] * c[i].powi(power)).sum();
            assert!((value - theta.powi(power)).abs() < 1e-14);
        }
    }
}

/// What the error test multiplies the estimates by makes the constants C of [`Tableau::CAUTION`] 1, or leaves them below.
#[test]
fn esdirk_estimates_are_as_large_as_the_errors() {
    fn constant<T: Tableau>() -> f64 {
        let (a, b) = esdirk::<T>();
        let order = T::ORDER as usize;
        let low = T::ERROR_ORDER as usize;
        let trees = Trees::up_to(order + 1);
        let phi = trees.weights(&a, &a);
        let error = trees.principal_error(&phi, order + 1, &b, 1.0);
        let scaled: Vec<f64> = T::ERROR.iter().map(|e| e * T::CAUTION).collect();
        let estimate = trees.principal_error(&phi, low + 1, &scaled, 0.0);
        error / estimate.powf((order + 1) as f64 / (low + 1) as f64)
    }
    for normalized in [constant::<Kvaerno5Tableau>(), constant::<KenCarp4Tableau>()] {
        assert!((normalized - 1.0).abs() < 0.01, "{normalized}");
    }
    for as_published in [
        constant::<Kvaerno3Tableau>(),
        constant::<Kvaerno4Tableau>(),
        constant::<TrBdf2Tableau>(),
    ] {
        assert!(
            as_published < 1.0 + 1e-12 && as_published > 0.5,
            "{as_published}"
        );
    }
}

/// Errors of x' = lambda (x - phi(t)) + phi'(t) (Prothero & Robinson, doi 10.1090/S0025-5718-1974-0331793-2) after many equal
/// steps, over h^m / m! times the m-th derivative of phi: at the end of a step and inside it, at theta. One step from e makes
/// psi(1) + R(z) e, z = h lambda, so that the end settles at psi(1) / (1 - R(z)).
fn errors_of_slaved_states<T: Tableau>(m: i32, z: f64, theta: f64) -> [f64; 2] {
    let a = with_dense_stage::<T>();
    let s = T::KEPT;
    let ones = DMatrix::from_element(s, 1, 1.0);
    let c = &a * &ones;
    let powers = |power: i32| c.map(|c| c.powi(power));
    let m_ = f64::from(m);
    // what the stages miss, and the part of it that f makes of their errors
    let defects = (&a * powers(m - 1)) * m_ - powers(m);
    let lu = (DMatrix::identity(s, s) - &a * z).lu();
    let errors = lu.solve(&defects).expect("a regular matrix");
    let growth = lu.solve(&ones).expect("a regular matrix");
    let of = |theta: f64| {
        let b = DMatrix::from_fn(1, s, |_, i| dense_weight::<f64, T>(i, theta));
        let psi = (&b * powers(m - 1))[0] * m_ - theta.powi(m) + z * (&b * &errors)[0];
        (psi, 1.0 + z * (&b * &growth)[0])
    };
    let (psi, growth) = of(1.0);
    let end = psi / (1.0 - growth);
    let (psi, growth) = of(theta);
    [end, psi + growth * end]
}

/// Whatever h lambda is, an error inside a step is no larger than `factor` times the largest that any h lambda has at the end.
fn inside_as_at_the_end<T: Tableau>(factor: f64) {
    for m in [3, 4] {
        let (mut end, mut inside) = (0.0f64, 0.0f64);
        for exponent in 0..=100 {
            let z = -(10f64.powf(0.1 * f64::from(exponent) - 2.0));
            for k in 1..20 {
                let [at_end, at_theta] = errors_of_slaved_states::<T>(m, z, 0.05 * f64::from(k));
                end = end.max(at_end.abs());
                inside = inside.max(at_theta.abs());
            }
        }
        assert!(inside <= factor * end, "{m}: {inside:e} for {end:e}");
    }
}

#[test]
fn esdirk_methods_are_as_accurate_inside_a_step_as_at_its_end() {
    inside_as_at_the_end::<TrBdf2Tableau>(1.01);
    inside_as_at_the_end::<Kvaerno3Tableau>(1.01);
    inside_as_at_the_end::<Kvaerno5Tableau>(1.0);
    inside_as_at_the_end::<KenCarp4Tableau>(1.5);
    inside_as_at_the_end::<Kvaerno4Tableau>(2.5);
}
