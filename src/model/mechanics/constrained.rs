//! Holonomic constraints: index reduction, with the manifold made attracting.
//!
//! g(t, q) = 0 is differentiated twice (index reduction), with h = G v + dg/dt:
//!
//! ```text
//! q' = v - M^-1 G^T mu,        S mu = h + gamma g             so that  g' = -gamma g
//! M v' = b - G^T lambda,       S lambda = G M^-1 b + h. + gamma h      h' = -gamma h
//! ```
//!
//! (h. is the derivative of h along q', v held.) On the constraints mu is zero and this is the index-2 form of
//! Gear, Gupta & Leimkuhler, doi:10.1016/0377-0427(85)90008-1; beside them, the manifold attracts, as in Ascher, Chin & Reich,
//! doi:10.1007/s002110050020: g and h decay each by itself for any gamma >= 0, also one that varies, where Baumgarte's
//! form couples them and needs two constants. Nothing is to be chosen:
//!
//! ```text
//! gamma^2 = sum_i (G_i. M^-1 G_i.^T) / (G_i M^-1 G_i^T) + 1/T^2
//! ```
//!
//! with G. = dG/dt and T the length of the run: the rate at which the constraints turn, whatever the units of g and q,
//! since it is by their turning that steps leave them (a method keeps linear constraints to rounding). The
//! equations become no stiffer, and errors in g and h stay near those of a few steps.

use super::factors::{Factors, Sparse, minus, plus};
use super::{Variables, entries_of};
use crate::model::derivative::{jacobian, jvp};
use crate::model::graph::{Graph, NodeId, Unary};

/// The constraints in the graph: g, h, G, half-solved, and the Schur complement.
pub(super) struct Constrained {
    /// number of coordinates
    coordinates: usize,
    /// g
    pub(super) residuals: Vec<NodeId>,
    /// h = G v + dg/dt
    pub(super) rates: Vec<NodeId>,
    /// rows of G
    pub(super) jacobian: Vec<Sparse>,
    /// L^-1 G_i^T, where M = L D L^T
    halves: Vec<Sparse>,
    /// the diagonal of S = G M^-1 G^T
    pub(super) diagonal: Vec<NodeId>,
    /// the factors of S
    pub(super) schur: Factors,
}

/// The derivatives of q and v.
pub(super) struct Motion {
    pub(super) drift: Vec<NodeId>,
    pub(super) accelerations: Vec<NodeId>,
    pub(super) multipliers: Vec<NodeId>,
}

impl Constrained {
    /// A constraint whose row of S has no pivot is the error.
    pub(super) fn new(
        graph: &mut Graph,
        factors: &Factors,
        constraints: &[NodeId],
        variables: &Variables,
    ) -> Result<Self, usize> {
        let (n, m) = (variables.coordinates.len(), constraints.len());
        let seeds = along(graph, variables, &variables.velocities);
        let rates = jvp(graph, constraints, &seeds);
        let mut rows: Vec<Sparse> = vec![vec![None; n]; m];
        for (row, column, node) in jacobian(graph, constraints, &variables.coordinates) {
            rows[row][column] = Some(node);
        }
        let halves: Vec<Sparse> = rows
            .iter()
            .map(|row| factors.forward(graph, row.clone()))
            .collect();
        let matrix: Vec<Sparse> = (0..m)
            .map(|i| {
                (0..=i)
                    .map(|j| factors.product(graph, &halves[i], &halves[j]))
                    .collect()
            })
            .collect();
        let zero = graph.constant(0.0);
        let diagonal = (0..m).map(|i| matrix[i][i].unwrap_or(zero)).collect();
        Ok(Self {
            coordinates: n,
            residuals: constraints.to_vec(),
            rates,
            jacobian: rows,
            halves,
            diagonal,
            schur: Factors::new(graph, matrix)?,
        })
    }

    pub(super) fn entries(&self) -> Vec<(usize, usize, NodeId)> {
        entries_of(&self.jacobian)
    }

    /// D of M^-1 G^T S^-1 r before the back substitution: sum over i of L^-1 G_i^T (S^-1 r)_i; and S^-1 r itself.
    fn reaction(&self, graph: &mut Graph, right: Vec<NodeId>) -> (Sparse, Vec<NodeId>) {
        let zero = graph.constant(0.0);
        let right = right.into_iter().map(Some).collect();
        let multipliers: Vec<NodeId> = (self.schur.solve(graph, right).into_iter())
            .map(|value| value.unwrap_or(zero))
            .collect();
        let mut sum: Sparse = vec![None; self.coordinates];
        for (half, &multiplier) in self.halves.iter().zip(&multipliers) {
            for (slot, entry) in sum.iter_mut().zip(half) {
                let Some(entry) = *entry else { continue };
                let part = graph.mul(entry, multiplier);
                *slot = Some(plus(graph, *slot, part));
            }
        }
        (sum, multipliers)
    }

    /// M^-1 G^T S^-1 r: the smallest change, in the metric of M, that takes r from G q (or from G v).
    pub(super) fn correction(
        &self,
        graph: &mut Graph,
        factors: &Factors,
        right: Vec<NodeId>,
    ) -> Vec<NodeId> {
        let (sum, _) = self.reaction(graph, right);
        let zero = graph.constant(0.0);
        let solved = factors.backward(graph, sum);
        solved
            .into_iter()
            .map(|value| value.unwrap_or(zero))
            .collect()
    }

    /// q' and v' of the constrained motion under `load`, over a run of length `span`.
    pub(super) fn motion(
        &self,
        graph: &mut Graph,
        factors: &Factors,
        variables: &Variables,
        load: &[NodeId],
        span: f64,
    ) -> Motion {
        let zero = graph.constant(0.0);
        let sparse =
            |graph: &Graph, node: NodeId| (graph.constant_value(node) != Some(0.0)).then_some(node);
        let load: Sparse = load.iter().map(|&node| sparse(graph, node)).collect();
        let half = factors.forward(graph, load);
        let dense = |nodes: Sparse| nodes.into_iter().map(|node| node.unwrap_or(zero)).collect();
        if self.residuals.is_empty() {
            return Motion {
                drift: variables.velocities.clone(),
                accelerations: dense(factors.backward(graph, half)),
                multipliers: Vec::new(),
            };
        }
        let gamma = self.rate(graph, factors, variables, span);
        let attracted = |graph: &mut Graph, nodes: &[NodeId], sources: &[NodeId]| -> Vec<NodeId> {
            (nodes.iter().zip(sources))
                .map(|(&node, &source)| {
                    let part = graph.mul(gamma, source);
                    graph.add(node, part)
                })
                .collect()
        };
        let right = attracted(graph, &self.rates, &self.residuals);
        let correction = self.correction(graph, factors, right);
        let drift: Vec<NodeId> = (variables.velocities.iter().zip(correction))
            .map(|(&velocity, correction)| graph.sub(velocity, correction))
            .collect();

        let seeds = along(graph, variables, &drift);
        let turning = jvp(graph, &self.rates, &seeds);
        let known: Vec<NodeId> = (self.halves.iter().zip(turning))
            .map(|(row, turning)| {
                let pushed = factors.product(graph, row, &half);
                plus(graph, pushed, turning)
            })
            .collect();
        let right = attracted(graph, &known, &self.rates);
        let (reaction, multipliers) = self.reaction(graph, right);
        let net = half
            .into_iter()
            .zip(reaction)
            .map(|(load, reaction)| match reaction {
                Some(reaction) => Some(minus(graph, load, reaction)),
                None => load,
            })
            .collect();
        Motion {
            drift,
            accelerations: dense(factors.backward(graph, net)),
            multipliers,
        }
    }

    /// gamma: how fast the constraints turn, and at least once a run; negative where the run goes against time.
    fn rate(
        &self,
        graph: &mut Graph,
        factors: &Factors,
        variables: &Variables,
        span: f64,
    ) -> NodeId {
        let least = if span == 0.0 {
            1.0
        } else {
            1.0 / (span * span)
        };
        let mut sum = graph.constant(least);
        let seeds = along(graph, variables, &variables.velocities);
        for (row, &diagonal) in self.jacobian.iter().zip(&self.diagonal) {
            let entries: Vec<NodeId> = row.iter().flatten().copied().collect();
            let mut turning = jvp(graph, &entries, &seeds).into_iter();
            let turning: Sparse = row
                .iter()
                .map(|entry| entry.and_then(|_| turning.next()))
                .map(|node| node.filter(|&node| graph.constant_value(node) != Some(0.0)))
                .collect();
            let half = factors.forward(graph, turning);
            if let Some(square) = factors.product(graph, &half, &half) {
                let part = graph.div(square, diagonal);
                sum = graph.add(sum, part);
            }
        }
        let rate = graph.unary(Unary::Sqrt, sum);
        if span < 0.0 { graph.neg(rate) } else { rate }
    }
}

/// Seeds of the derivative in time where q moves at the given velocities.
fn along(graph: &mut Graph, variables: &Variables, velocities: &[NodeId]) -> Vec<(NodeId, NodeId)> {
    let one = graph.constant(1.0);
    let moving = variables
        .coordinates
        .iter()
        .copied()
        .zip(velocities.iter().copied());
    moving.chain([(variables.time[0], one)]).collect()
}
