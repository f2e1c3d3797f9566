//! Rooted trees and the elementary weights of a tableau, each made once from those of its sons.

use nalgebra::{DMatrix, DVector};

struct Tree {
    nodes: usize,
    density: f64,
    sons: Vec<usize>,
}

/// All rooted trees of up to a number of nodes, smaller ones first.
pub struct Trees(Vec<Tree>);

impl Trees {
    pub fn up_to(nodes: usize) -> Self {
        let mut trees = Trees(Vec::new());
        for size in 1..=nodes {
            let mut forests = Vec::new();
            trees.forests(size - 1, trees.0.len(), &mut Vec::new(), &mut forests);
            for sons in forests {
                let product: f64 = sons.iter().map(|&k| trees.0[k].density).product();
                trees.0.push(Tree {
                    nodes: size,
                    density: size as f64 * product,
                    sons,
                });
            }
        }
        trees
    }

    /// All multisets of trees before `end` with `nodes` nodes together, in falling order.
    fn forests(
        &self,
        nodes: usize,
        end: usize,
        chosen: &mut Vec<usize>,
        found: &mut Vec<Vec<usize>>,
    ) {
        if nodes == 0 {
            found.push(chosen.clone());
            return;
        }
        for k in (0..end).filter(|&k| self.0[k].nodes <= nodes) {
            chosen.push(k);
            self.forests(nodes - self.0[k].nodes, k + 1, chosen, found);
            chosen.pop();
        }
    }

    pub fn count(&self, nodes: usize) -> usize {
        self.0.iter().filter(|tree| tree.nodes == nodes).count()
    }

    /// phi(tree), one number a stage: a node with one son takes beta, one with several alpha for each.
    pub fn weights(&self, alpha: &DMatrix<f64>, beta: &DMatrix<f64>) -> Vec<DVector<f64>> {
        let mut phi: Vec<DVector<f64>> = Vec::new();
        // phi carried through either matrix
        let mut through: Vec<[DVector<f64>; 2]> = Vec::new();
        for tree in &self.0 {
            let matrix = usize::from(tree.sons.len() == 1);
            let mut product = DVector::from_element(alpha.nrows(), 1.0);
            for &son in &tree.sons {
                product.component_mul_assign(&through[son][matrix]);
            }
            through.push([alpha * &product, beta * &product]);
            phi.push(product);
        }
        phi
    }

    /// Largest defect of the conditions sum b_i phi_i(tree) = theta^nodes / density for trees of exactly
    /// `nodes` nodes.
    pub fn defect(&self, phi: &[DVector<f64>], nodes: usize, b: &[f64], theta: f64) -> f64 {
        let of = |(tree, phi): (&Tree, &DVector<f64>)| {
            let sum: f64 = phi.iter().zip(b).map(|(phi, b)| phi * b).sum();
            (sum - theta.powi(nodes as i32) / tree.density).abs()
        };
        self.0
            .iter()
            .zip(phi)
            .filter(|(tree, _)| tree.nodes == nodes)
            .map(of)
            .fold(0.0, f64::max)
    }

    /// The length of the vector of sum b_i phi_i(tree) - target / density, each over the tree's symmetry: the coefficients of
    /// the elementary differentials of `nodes` nodes in an error (`target` 1) or in the estimate of one (0).
    pub fn principal_error(
        &self,
        phi: &[DVector<f64>],
        nodes: usize,
        b: &[f64],
        target: f64,
    ) -> f64 {
        let of = |(tree, phi): (&Tree, &DVector<f64>)| {
            let sum: f64 = phi.iter().zip(b).map(|(phi, b)| phi * b).sum();
            ((sum - target / tree.density) / self.symmetry(tree)).powi(2)
        };
        self.0
            .iter()
            .zip(phi)
            .filter(|(tree, _)| tree.nodes == nodes)
            .map(of)
            .sum::<f64>()
            .sqrt()
    }

    /// The number of ways to permute a tree's nodes that leave it as it is.
    fn symmetry(&self, tree: &Tree) -> f64 {
        let (mut product, mut equal) = (1.0, 0.0);
        for (k, &son) in tree.sons.iter().enumerate() {
            equal = if k > 0 && tree.sons[k - 1] == son {
                equal + 1.0
            } else {
                1.0
            };
            product *= equal * self.symmetry(&self.0[son]);
        }
        product
    }
}

#[test]
fn they_are_all_there() {
    let trees = Trees::up_to(10);
    let counts: Vec<usize> = (1..=10).map(|nodes| trees.count(nodes)).collect();
    assert_eq!(counts, [1, 1, 2, 4, 9, 20, 48, 115, 286, 719]);
}
