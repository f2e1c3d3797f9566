//! Nelder and Mead's simplex search inside bounds, with coefficients that follow the number of variables (Gao & Han, Implementing the
//! Nelder-Mead simplex algorithm with adaptive parameters, Comput. Optim. Appl. 51, 2012, doi 10.1007/s10589-010-9329-3).
//!
//! A simplex of m + 1 points walks downhill by values alone: its worst point x is put through the others' mean c, at
//! c + a (c - x), and each step takes the first of these that helps:
//!
//! ```text
//! reflection a = 1,  expansion a = 1 + 2/m,  contraction a = +-(3/4 - 1/(2m)),  shrinkage of all towards the best by 1 - 1/m
//! ```
//!
//! For m = 2 these are the classical 1, 2, 1/2, 1/2 (Nelder & Mead, Comput. J. 7, 1965). Trial points outside the box go to the nearest
//! point inside. A simplex may collapse where there is no minimum; where it has become small, a new one is therefore spread around the
//! best point, and the search ends when that finds no lower value.
//!
//! One or two evaluations a step, no derivatives; a failed evaluation counts as infinitely high. It works on rough objectives of a
//! handful of variables; beyond ten or so it is slow, and no theory says that it ends at a minimum. The gradient is evaluated once, at
//! the end, so that the outcome is judged like any other. An iteration is a step; besides [`Settings::max_iterations`] steps for each
//! of the m + 1 points, [`Settings::max_evaluations`] ends it.

use super::outcome::{Callback, Outcome, Progress, Settings, Status};
use super::problem::{EvaluationError, Problem};
use super::record::{Record, norm};

/// First edges, as parts of the width of the box, or of max(1, |theta|) where there is none.
const EDGE: f64 = 0.05;
/// A new simplex has edges smaller by this.
const SMALLER: f64 = 0.1;

#[derive(Clone)]
struct Vertex {
    theta: Vec<f64>,
    value: f64,
}

/// Minimizes the problem from `start` (length m), projected on the bounds.
pub fn nelder_mead(
    problem: &mut dyn Problem,
    start: &[f64],
    settings: &Settings,
    callback: Callback<'_>,
) -> Outcome {
    let mut record = match Record::new(problem, start) {
        Ok(record) => record,
        Err(outcome) => return *outcome,
    };
    let mut theta = start.to_vec();
    record.project(&mut theta);
    let value = match record.value(problem, &theta) {
        Ok(value) => value,
        Err(error) => return record.stopped(start, error),
    };
    let free: Vec<usize> = (0..theta.len())
        .filter(|&i| record.lower[i] < record.upper[i])
        .collect();
    let mut search = Search {
        problem,
        record,
        settings,
        free,
        callback,
        iteration: 0,
    };
    let (best, status) = search.run(Vertex { theta, value });
    let Search {
        problem, record, ..
    } = search;
    record.finish_without_gradient(problem, best.theta, best.value, status, settings)
}

struct Search<'a, 'c> {
    problem: &'a mut dyn Problem,
    record: Record,
    settings: &'a Settings,
    free: Vec<usize>,
    callback: Callback<'c>,
    iteration: usize,
}

impl Search<'_, '_> {
    fn run(&mut self, mut best: Vertex) -> (Vertex, Status) {
        let mut edge = EDGE;
        loop {
            let before = best.value;
            let ended = self.descend(&mut best, edge);
            if let Some(status) = ended {
                return (best, status);
            }
            // A simplex spread anew around the end of the last one finds nothing lower: it was no collapse.
            if before - best.value <= self.settings.value_tolerance.max(1e-12) * best.value.abs() {
                return (best, Status::SmallChange);
            }
            edge = (edge * SMALLER).max(1e-4);
        }
    }

    /// One simplex until it is small; `Some` where all is to end.
    fn descend(&mut self, best: &mut Vertex, edge: f64) -> Option<Status> {
        let m = self.free.len();
        let (expand, contract, shrink) = coefficients(m);
        let mut simplex = match self.spread(best, edge) {
            Ok(simplex) => simplex,
            Err(_) => return Some(Status::Interrupted),
        };
        loop {
            // Stable: equal values keep their age.
            simplex.sort_by(|a, b| a.value.total_cmp(&b.value));
            if simplex[0].value < best.value {
                *best = simplex[0].clone();
            }
            let size = self.size(&simplex);
            let progress = self.record.note(Progress {
                iteration: self.iteration,
                value: best.value,
                gradient_norm: f64::NAN,
                step_norm: size,
            });
            if !(self.callback)(&progress, &best.theta) {
                return Some(Status::Interrupted);
            }
            let spread = simplex[m].value - simplex[0].value;
            let level = spread <= self.settings.value_tolerance * simplex[0].value.abs();
            if m == 0 || size <= self.settings.step_tolerance.max(1e-12) || (level && size <= 1e-8)
            {
                return None;
            }
            if self.record.exhausted(self.settings)
                || self.iteration >= self.settings.max_iterations.saturating_mul(m + 1)
            {
                return Some(Status::MaxIterations);
            }
            self.iteration += 1;
            if self.step(&mut simplex, [expand, contract, shrink]).is_err() {
                return Some(Status::Interrupted);
            }
        }
    }

    /// One step; the simplex is sorted, the worst last.
    fn step(
        &mut self,
        simplex: &mut [Vertex],
        [expand, contract, shrink]: [f64; 3],
    ) -> Result<(), EvaluationError> {
        let m = self.free.len();
        let mut center = simplex[0].theta.clone();
        for &i in &self.free {
            center[i] = simplex[..m].iter().map(|v| v.theta[i]).sum::<f64>() / m as f64;
        }
        let worst = simplex[m].clone();
        let through = |a: f64| -> Vec<f64> {
            let pairs = center.iter().zip(&worst.theta);
            pairs.map(|(c, x)| c + a * (c - x)).collect()
        };
        let reflected = self.vertex(through(1.0))?;
        if reflected.value < simplex[0].value {
            let expanded = self.vertex(through(expand))?;
            simplex[m] = if expanded.value < reflected.value {
                expanded
            } else {
                reflected
            };
            return Ok(());
        }
        if reflected.value < simplex[m - 1].value {
            simplex[m] = reflected;
            return Ok(());
        }
        let outside = reflected.value < worst.value;
        let contracted = self.vertex(through(if outside { contract } else { -contract }))?;
        if contracted.value < reflected.value.min(worst.value) {
            simplex[m] = contracted;
            return Ok(());
        }
        let best = simplex[0].theta.clone();
        for vertex in &mut simplex[1..] {
            let pairs = best.iter().zip(&vertex.theta);
            *vertex = self.vertex(pairs.map(|(b, x)| b + shrink * (x - b)).collect())?;
        }
        Ok(())
    }

    /// The simplex of the best point and one beside it in each free variable, on the side where there is more room.
    fn spread(&mut self, best: &Vertex, edge: f64) -> Result<Vec<Vertex>, EvaluationError> {
        let mut simplex = vec![best.clone()];
        for n in 0..self.free.len() {
            let i = self.free[n];
            let (lower, upper) = (self.record.lower[i], self.record.upper[i]);
            let (x, width) = (best.theta[i], upper - lower);
            let length = edge
                * if width.is_finite() {
                    width
                } else {
                    x.abs().max(1.0)
                };
            let mut theta = best.theta.clone();
            theta[i] += if upper - x >= x - lower {
                length
            } else {
                -length
            };
            simplex.push(self.vertex(theta)?);
        }
        Ok(simplex)
    }

    fn vertex(&mut self, mut theta: Vec<f64>) -> Result<Vertex, EvaluationError> {
        self.record.project(&mut theta);
        let value = self.record.value_or_infinity(self.problem, &theta)?;
        Ok(Vertex { theta, value })
    }

    /// The longest edge from the best point, relative to the sizes of the variables.
    fn size(&self, simplex: &[Vertex]) -> f64 {
        let scale = norm(&simplex[0].theta).max(1.0);
        let best = &simplex[0].theta;
        let edge = |v: &Vertex| -> f64 {
            let between: Vec<f64> = v.theta.iter().zip(best).map(|(a, b)| a - b).collect();
            norm(&between)
        };
        simplex.iter().map(edge).fold(0.0, f64::max) / scale
    }
}

/// Expansion, contraction and shrinkage; those of two variables for fewer.
fn coefficients(m: usize) -> (f64, f64, f64) {
    let m = m.max(2) as f64;
    (1.0 + 2.0 / m, 0.75 - 0.5 / m, 1.0 - 1.0 / m)
}
