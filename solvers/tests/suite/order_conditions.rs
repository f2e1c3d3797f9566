//! The tableaus against the order conditions, one for each rooted tree.
//!
//! For a Rosenbrock method with exact Jacobian (Hairer & Wanner IV.7) a node with one son takes beta_ij,
//! one with several takes alpha_ij for each; an explicit Runge-Kutta method is the case beta = alpha = a.
//! A solution with weights b has order p where sum b_i phi_i(tree) = 1 / density(tree) for all trees of up
//! to p nodes; an interpolant where sum b_i(theta) phi_i = theta^nodes / density.

use costate_solvers::explicit::tsit5;
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

#[test]
fn rodas5p_satisfies_its_order_conditions() {
    let (alpha, beta, gamma) = rodas();
    for i in 0..8 {
        assert!(
            (alpha.row(i).sum() - rodas5p::ALPHA[i]).abs() < 1e-12,
            "{i}"
        );
        assert!((gamma.row(i).sum() - rodas5p::D[i]).abs() < 1e-12, "{i}");
    }
    let b = classical(&rodas5p::M, &gamma);
    for nodes in 1..=5 {
        let defect = defect(nodes, &b, 1.0, &alpha, &beta);
        assert!(defect < 1e-12, "{nodes}: {defect:e}");
    }
    let mut embedded = rodas5p::M;
    embedded[7] = 0.0;
    let embedded = classical(&embedded, &gamma);
    for nodes in 1..=4 {
        let defect = defect(nodes, &embedded, 1.0, &alpha, &beta);
        assert!(defect < 1e-12, "{nodes}: {defect:e}");
    }
    assert!(defect(5, &embedded, 1.0, &alpha, &beta) > 1e-5);
    for k in 0..=10 {
        let theta = f64::from(k) / 10.0;
        let b = classical(&rodas5p::dense_weights(theta), &gamma);
        for nodes in 1..=4 {
            let defect = defect(nodes, &b, theta, &alpha, &beta);
            assert!(defect < 1e-11, "{nodes} {theta}: {defect:e}");
        }
    }
    assert_eq!(rodas5p::dense_weights(1.0), rodas5p::M);
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
