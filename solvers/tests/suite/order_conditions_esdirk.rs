//! The tableaus against the order conditions, one for each rooted tree.
//!
//! For a Rosenbrock method with exact Jacobian (Hairer & Wanner IV.7) a node with one son takes beta_ij,
//! one with several takes alpha_ij for each; an explicit Runge-Kutta method is the case beta = alpha = a.
//! A solution with weights b has order p where sum b_i phi_i(tree) = 1 / density(tree) for all trees of up
//! to p nodes; an interpolant where sum b_i(theta) phi_i = theta^nodes / density.

use costate_solvers::esdirk::kencarp4::KenCarp4Tableau;
use costate_solvers::esdirk::kvaerno3::Kvaerno3Tableau;
use costate_solvers::esdirk::kvaerno4::Kvaerno4Tableau;
use costate_solvers::esdirk::kvaerno5::Kvaerno5Tableau;
use costate_solvers::esdirk::tableau::{Tableau, dense_weight};
use costate_solvers::esdirk::tr_bdf2::TrBdf2Tableau;
use costate_solvers::explicit::tsit5;
use costate_solvers::radau::radau5;
use costate_solvers::rosenbrock::rodas5p;
use nalgebra::DMatrix;

/// A rooted tree: its root's sons.
#[derive(Debug, Clone)]
struct Tree(Vec<Tree>);

impl Tree {
    fn nodes(&self) -> usize {
        1 + self.0.iter().map(Tree::nodes).sum::<usize>()
    }
    fn density(&self) -> f64 {
        self.nodes() as f64 * self.0.iter().map(Tree::density).product::<f64>()
    }
    /// phi_i for each stage i.
    fn weights(&self, alpha: &DMatrix<f64>, beta: &DMatrix<f64>) -> Vec<f64> {
        let s = alpha.nrows();
        let matrix = if self.0.len() == 1 { beta } else { alpha };
        let mut product = vec![1.0; s];
        for son in &self.0 {
            let phi = son.weights(alpha, beta);
            for (i, p) in product.iter_mut().enumerate() {
                *p *= (0..s).map(|j| matrix[(i, j)] * phi[j]).sum::<f64>();
            }
        }
        product
    }
}

/// All rooted trees of `nodes` nodes.
fn trees(nodes: usize) -> Vec<Tree> {
    fn forests(nodes: usize, most: usize) -> Vec<Vec<Tree>> {
        if nodes == 0 {
            return vec![Vec::new()];
        }
        let mut all = Vec::new();
        for size in 1..=most.min(nodes) {
            let same = trees(size);
            for (index, tree) in same.iter().enumerate() {
                for rest in forests(nodes - size, size) {
                    // forests in non-increasing order, equal sizes by their place in the list
                    let ordered = rest.iter().all(|other| {
                        other.nodes() < size
                            || same
                                .iter()
                                .position(|t| format!("{t:?}") == format!("{other:?}"))
                                .is_some_and(|place| place <= index)
                    });
                    if ordered {
                        let mut forest = vec![tree.clone()];
                        forest.extend(rest);
                        all.push(forest);
                    }
                }
            }
        }
        all
    }
    forests(nodes - 1, nodes - 1)
        .into_iter()
        .map(Tree)
        .collect()
}

/// Largest defect of the conditions with exactly `nodes` nodes.
fn defect(nodes: usize, b: &[f64], theta: f64, alpha: &DMatrix<f64>, beta: &DMatrix<f64>) -> f64 {
    trees(nodes)
        .iter()
        .map(|tree| {
            let sum: f64 = tree
                .weights(alpha, beta)
                .iter()
                .zip(b)
                .map(|(phi, b)| phi * b)
                .sum();
            (sum - theta.powi(nodes as i32) / tree.density()).abs()
        })
        .fold(0.0, f64::max)
}

/// R(z) = 1 + z b^T (I - z A)^-1 1 leaves the unit disk at -3.50: what `STABILITY_BOUND` is set by.
#[test]
fn tsit5_is_stable_up_to_its_bound() {
    let stability = |z: f64| {
        let mut k = [0.0; 7];
        for i in 0..7 {
            let sum: f64 = (0..i.min(6)).map(|j| tsit5::A[i][j] * k[j]).sum();
            k[i] = z * (1.0 + sum);
        }
        // row 7 of A holds b: k_7 = z R(z)
        k[6] / z
    };
    assert!((stability(-0.1) - (-0.1f64).exp()).abs() < 1e-8);
    for k in 1..=350 {
        assert!(stability(-0.01 * f64::from(k)).abs() <= 1.0, "{k}");
    }
    assert!(stability(-3.52).abs() > 1.0);
}

/// alpha, beta and the map u -> k of Rodas5P in classical form.
///
/// In the transformed form u = Gamma k h, so that Gamma^-1 = diag(1 / gamma) - C, alpha = A Gamma and
/// b = m Gamma.
fn rodas() -> (DMatrix<f64>, DMatrix<f64>, DMatrix<f64>) {
    let c = DMatrix::from_fn(8, 8, |i, j| rodas5p::C[i][j]);
    let inverse = DMatrix::identity(8, 8) / rodas5p::GAMMA - c;
    let gamma = inverse.try_inverse().expect("a triangular matrix");
    let alpha = DMatrix::from_fn(8, 8, |i, j| rodas5p::A[i][j]) * &gamma;
    let beta = &alpha + &gamma;
    (alpha, beta, gamma)
}

fn classical(weights: &[f64], gamma: &DMatrix<f64>) -> Vec<f64> {
    (0..8)
        .map(|j| (0..8).map(|i| weights[i] * gamma[(i, j)]).sum())
        .collect()
}

#[test]
fn rooted_trees_are_all_there() {
    let counts: Vec<usize> = (1..=6).map(|n| trees(n).len()).collect();
    assert_eq!(counts, [1, 1, 2, 4, 9, 20]);
}

#[test]
fn tsit5_satisfies_its_order_conditions() {
    let a = DMatrix::from_fn(7, 7, |i, j| if j < 6 { tsit5::A[i][j] } else { 0.0 });
    for i in 0..7 {
        assert!((a.row(i).sum() - tsit5::C[i]).abs() < 1e-14, "row {i}");
    }
    let embedded: Vec<f64> = tsit5::B
        .iter()
        .zip(tsit5::ERROR)
        .map(|(b, e)| b + e)
        .collect();
    for nodes in 1..=5 {
        assert!(defect(nodes, &tsit5::B, 1.0, &a, &a) < 1e-13, "{nodes}");
    }
    assert!(defect(6, &tsit5::B, 1.0, &a, &a) > 1e-5);
    for nodes in 1..=4 {
        assert!(defect(nodes, &embedded, 1.0, &a, &a) < 1e-13, "{nodes}");
    }
    assert!(defect(5, &embedded, 1.0, &a, &a) > 1e-5);
    for k in 0..=10 {
        let theta = f64::from(k) / 10.0;
        let b = tsit5::dense_weights(theta);
        for nodes in 1..=4 {
            let defect = defect(nodes, &b, theta, &a, &a);
            assert!(defect < 1e-13, "{defect:e} {nodes} {theta}");
        }
    }
    let end = tsit5::dense_weights(1.0);
    for (at_end, b) in end.iter().zip(tsit5::B) {
        assert!((at_end - b).abs() < 3e-14, "{at_end} for {b}");
    }
}

/// The stability function vanishes at infinity: R(z) = 1 + z b^T (I - z beta)^-1 1.
#[test]
fn rodas5p_is_l_stable_on_the_real_axis() {
    let (_, beta, gamma) = rodas();
    let b = classical(&rodas5p::M, &gamma);
    let stability = |z: f64| {
        let matrix = DMatrix::identity(8, 8) - &beta * z;
        let ones = DMatrix::from_element(8, 1, 1.0);
        let solved = matrix.lu().solve(&ones).expect("a regular matrix");
        1.0 + z * (0..8).map(|i| b[i] * solved[i]).sum::<f64>()
    };
    assert!((stability(-0.5) - (-0.5f64).exp()).abs() < 1e-4);
    for exponent in -2..=6 {
        assert!(stability(-(10f64.powi(exponent))).abs() <= 1.0);
    }
    assert!(stability(-1e8).abs() < 1e-5);
}

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
    for nodes in 1..=order {
        let defect = defect(nodes, &b, 1.0, &a, &a);
        assert!(defect < digits, "{nodes}: {defect:e}");
    }
    assert!(defect(order + 1, &b, 1.0, &a, &a) > 1e-4);
    let embedded: Vec<f64> = b.iter().zip(T::ERROR).map(|(b, e)| b - e).collect();
    for nodes in 1..=embedded_order {
        let defect = defect(nodes, &embedded, 1.0, &a, &a);
        assert!(defect < digits, "embedded {nodes}: {defect:e}");
    }
    assert!(defect(embedded_order + 1, &embedded, 1.0, &a, &a) > 1e-4);
    for k in 0..=10 {
        let theta = f64::from(k) / 10.0;
        let weights: Vec<f64> = (0..s).map(|i| dense_weight::<f64, T>(i, theta)).collect();
        for nodes in 1..=dense_order {
            let defect = defect(nodes, &weights, theta, &a, &a);
            assert!(defect < 20.0 * digits, "{nodes} {theta}: {defect:e}");
        }
    }
    for (i, b) in b.iter().enumerate() {
        assert!((dense_weight::<f64, T>(i, 1.0) - b).abs() < 1e-13, "{i}");
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
    for nodes in 1..=5 {
        assert!(defect(nodes, &b, 1.0, &a, &a) < 1e-13, "{nodes}");
    }
    assert!(defect(6, &b, 1.0, &a, &a) > 1e-5);
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
