//! What must be true at the start of a run: a positive definite mass matrix, positions on the constraints, velocities
//! along them.
//!
//! A position counts as on a constraint where it is within sqrt(eps) |q| of it, |g_i| / |G_i| being the distance to first
//! order: an initial value copied with eight digits passes, a wrong one does not. Rounding in g itself is allowed for by
//! the largest number met on the way to it. Velocities likewise, with h and |v|.
//!
//! This is judged at the file's values. Where a study changes a length, initial values written as expressions of it stay
//! on the constraints; so do projected ones.
//!
//! With `project = true` the initial values are first moved onto the constraints, in the metric of M: positions by Newton's
//! method, unrolled in the graph so that derivatives run through it, then velocities, which takes one linear solve.

use std::collections::HashMap;

use super::{Constrained, Factors, Variables};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::build::ExperimentModel;
use crate::model::evaluate;
use crate::model::graph::{Graph, NodeId, STATES};
use crate::model::lower::Lowering;
use crate::scenario::{Mechanics, Scenario};

/// Nodes that are read at the start.
pub(in crate::model) struct Start {
    /// t, and the middle of the stretch
    time: [NodeId; 2],
    /// indices of the coordinates among the states
    coordinates: Vec<usize>,
    /// indices of the velocities
    velocities: Vec<usize>,
    /// diagonals and pivots of M and of S
    mass: Vec<(NodeId, NodeId)>,
    schur: Vec<(NodeId, NodeId)>,
    /// rows of G without their zeros
    rows: Vec<Vec<NodeId>>,
    positions: Level,
    speeds: Level,
}

/// A condition on positions, g, or on velocities, h.
struct Level {
    residuals: Vec<NodeId>,
    /// the change of q (or of v) that takes the residual away, to first order
    correction: Vec<NodeId>,
}

/// A pivot this much below its diagonal entry is nothing but rounding.
const ROUNDING: f64 = 64.0 * f64::EPSILON;

/// Newton steps for a proposal.
const MOST_STEPS: usize = 50;

/// Newton steps of a projection: each doubles the digits, the first of them from one.
const PROJECTION_STEPS: usize = 6;

impl Start {
    pub(super) fn new(
        graph: &mut Graph,
        factors: &Factors,
        constrained: &Constrained,
        mass: &[(usize, usize, NodeId)],
        variables: &Variables,
    ) -> Self {
        let diagonal = mass.iter().filter(|(row, column, _)| row == column);
        let mut level = |residuals: &[NodeId]| Level {
            residuals: residuals.to_vec(),
            correction: constrained.correction(graph, factors, residuals.to_vec()),
        };
        let (positions, speeds) = (level(&constrained.residuals), level(&constrained.rates));
        let indices = |nodes: &[NodeId]| {
            nodes
                .iter()
                .filter_map(|&node| super::state(graph, node))
                .collect()
        };
        Self {
            time: variables.time,
            coordinates: indices(&variables.coordinates),
            velocities: indices(&variables.velocities),
            mass: diagonal
                .map(|entry| entry.2)
                .zip(factors.pivots.iter().copied())
                .collect(),
            schur: (constrained.diagonal.iter().copied())
                .zip(constrained.schur.pivots.iter().copied())
                .collect(),
            rows: (constrained.jacobian.iter())
                .map(|row| row.iter().flatten().copied().collect())
                .collect(),
            positions,
            speeds,
        }
    }
}

impl Start {
    /// Moves initial values, one a state, onto the constraints.
    fn project(&self, graph: &mut Graph, start: f64, initial: &mut [NodeId]) {
        let now = graph.constant(start);
        let inputs: Vec<NodeId> = (0..)
            .zip(initial.iter())
            .map(|(k, _)| graph.input(STATES, k))
            .collect();
        let mut step = |graph: &mut Graph, states: &[usize], level: &Level| {
            let mut values: HashMap<NodeId, NodeId> = inputs
                .iter()
                .copied()
                .zip(initial.iter().copied())
                .collect();
            values.extend(self.time.map(|time| (time, now)));
            let corrections = substitute(graph, &level.correction, values);
            for (&k, correction) in states.iter().zip(corrections) {
                initial[k] = graph.sub(initial[k], correction);
            }
        };
        for _ in 0..PROJECTION_STEPS {
            step(graph, &self.coordinates, &self.positions);
        }
        step(graph, &self.velocities, &self.speeds);
    }
}

/// The roots with some inputs replaced.
fn substitute(graph: &mut Graph, roots: &[NodeId], values: HashMap<NodeId, NodeId>) -> Vec<NodeId> {
    let mut renamed = values;
    for id in graph.live(roots) {
        if !renamed.contains_key(&id) {
            let op = graph.op(id);
            let made = graph.rebuilt(op, |operand| renamed[&operand]);
            renamed.insert(id, made);
        }
    }
    roots.iter().map(|root| renamed[root]).collect()
}

impl Lowering<'_> {
    /// Projects the initial values of the experiments, where that is asked for, and reports what is not true at the start of
    /// each, at the file's values.
    pub(in crate::model) fn start_motion(
        &mut self,
        start: &Start,
        mechanics: &Mechanics,
        scenario: &Scenario,
        experiments: &mut [Option<ExperimentModel>],
    ) {
        for experiment in experiments.iter_mut().flatten() {
            if mechanics.project {
                start.project(self.graph, scenario.start, &mut experiment.initial);
            }
            // what follows from another error is none of its own
            if self
                .diagnostics
                .iter()
                .any(|d| d.severity == Severity::Error)
            {
                return;
            }
            let values: Vec<f64> = scenario.parameters.iter().map(|p| p.value).collect();
            let p = evaluate(self.graph, &experiment.parameters, &[&[], &[], &values]);
            let x = evaluate(self.graph, &experiment.initial, &[&[], &[], &p]);
            let at = At {
                graph: self.graph,
                t: [scenario.start; 2],
                p,
            };
            let Some(mut found) = at.finding(start, mechanics, x) else {
                continue;
            };
            if !experiment.name.is_empty() {
                found.message = format!("in experiment `{}`, {}", experiment.name, found.message);
            }
            self.report(found);
        }
    }
}

/// Nodes at the start of one experiment.
struct At<'a> {
    graph: &'a Graph,
    t: [f64; 2],
    p: Vec<f64>,
}

impl At<'_> {
    fn read(&self, nodes: &[NodeId], x: &[f64]) -> Vec<f64> {
        evaluate(self.graph, nodes, &[&self.t, x, &self.p])
    }

    fn finding(&self, start: &Start, mechanics: &Mechanics, x: Vec<f64>) -> Option<Diagnostic> {
        let all = &mechanics.coordinates;
        if let Some(row) = self.singular(&start.mass, &x) {
            let mut found = super::no_mass(mechanics, row);
            found.message = format!(
                "the mass matrix is not positive definite at the start: its pivot for `{}` is {}",
                mechanics.coordinates[row].velocity,
                self.read(&[start.mass[row].1], &x)[0],
            );
            return Some(found);
        }
        let off = self.farthest(start, &start.positions, &start.coordinates, &x);
        if let Some((row, residual)) = off {
            let constraint = &mechanics.constraints[row];
            let message = format!(
                "the initial positions are off a constraint: it is {residual:.6e} there, not 0"
            );
            let known = self.corrected(start, &start.positions, &start.coordinates, x);
            return Some(
                Diagnostic::error(
                    "model::inconsistent",
                    message,
                    Some(constraint.span.clone()),
                )
                .with_label("is not 0 at the start")
                .with_help(proposal(
                    "positions that hold",
                    known,
                    &start.coordinates,
                    all.iter().map(|c| &c.name.text),
                )),
            );
        }
        if let Some(row) = self.singular(&start.schur, &x) {
            return Some(super::redundant(mechanics, row));
        }
        let (row, residual) = self.farthest(start, &start.speeds, &start.velocities, &x)?;
        let message = format!(
            "the initial velocities leave a constraint: its derivative in time is {residual:.6e} at the start, not 0"
        );
        let known = self.corrected(start, &start.speeds, &start.velocities, x);
        Some(
            Diagnostic::error(
                "model::inconsistent",
                message,
                Some(mechanics.constraints[row].span.clone()),
            )
            .with_label("changes at the start")
            .with_help(proposal(
                "velocities that hold",
                known,
                &start.velocities,
                all.iter().map(|c| &c.velocity),
            )),
        )
    }

    /// The row whose pivot is not above rounding.
    fn singular(&self, pivots: &[(NodeId, NodeId)], x: &[f64]) -> Option<usize> {
        let (diagonal, pivots): (Vec<_>, Vec<_>) = pivots.iter().copied().unzip();
        let (diagonal, pivots) = (self.read(&diagonal, x), self.read(&pivots, x));
        (diagonal.iter().zip(&pivots))
            .position(|(diagonal, pivot)| *pivot <= ROUNDING * diagonal.abs())
    }

    /// The constraint that the state is farthest from, with its residual, where that is more than allowed.
    fn farthest(
        &self,
        start: &Start,
        level: &Level,
        states: &[usize],
        x: &[f64],
    ) -> Option<(usize, f64)> {
        let norm =
            |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
        let size = norm(&mut states.iter().map(|&k| x[k]));
        let residuals = self.read(&level.residuals, x);
        let off = |(row, &residual): (usize, &f64)| {
            let slope = norm(&mut self.read(&start.rows[row], x).into_iter());
            let live = self.graph.live(&[level.residuals[row]]);
            let largest = (self.read(&live, x).into_iter()).fold(0.0f64, |a, b| a.max(b.abs()));
            let allowed = f64::EPSILON.sqrt() * size * slope + ROUNDING * largest;
            (residual.abs() > allowed).then_some((row, residual, residual.abs() / slope))
        };
        let all = residuals.iter().enumerate().filter_map(off);
        all.max_by(|a, b| a.2.total_cmp(&b.2))
            .map(|(row, residual, _)| (row, residual))
    }

    /// The state with its positions or velocities moved onto the constraints by Newton's method; `None` where it does
    /// not get there.
    fn corrected(
        &self,
        start: &Start,
        level: &Level,
        states: &[usize],
        mut x: Vec<f64>,
    ) -> Option<Vec<f64>> {
        for _ in 0..MOST_STEPS {
            let correction = self.read(&level.correction, &x);
            let mut moved = false;
            for (&k, change) in states.iter().zip(correction) {
                let next = x[k] - change;
                moved |= (next - x[k]).abs() > f64::EPSILON * x[k].abs();
                x[k] = next;
            }
            if !moved {
                break;
            }
        }
        let arrived = states.iter().all(|&k| x[k].is_finite())
            && self.farthest(start, level, states, &x).is_none();
        arrived.then_some(x)
    }
}

fn proposal<'n>(
    what: &str,
    x: Option<Vec<f64>>,
    states: &[usize],
    names: impl Iterator<Item = &'n String>,
) -> String {
    let Some(x) = x else {
        return format!("give {what}");
    };
    let values: Vec<String> = states
        .iter()
        .zip(names)
        .map(|(&k, name)| {
            // ten digits: more than the check asks for
            let short = format!("{:.9e}", x[k]).parse().unwrap_or(x[k]);
            format!("{name} = {short}")
        })
        .collect();
    format!(
        "{what}, near by: {}; `project = true` takes them",
        values.join(", ")
    )
}
