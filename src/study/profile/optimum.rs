//! The optimum that walks start from, and how the path of a profile leaves it.

use std::sync::atomic::AtomicBool;

use nalgebra::{DMatrix, DVector};

use super::held::{Held, NoNode, Node};
use crate::optimize::{LeastSquares, Problem, Settings};
use crate::study::error::StudyError;
use crate::study::fit_problem::FitProblem;

/// A better optimum is met when the objective is lower by more than this part of the threshold, or of itself.
const BETTER: (f64, f64) = (1e-5, 1e-9);

/// The optimum that walks start from, on the search scale.
pub(super) struct Optimum {
    pub theta: Vec<f64>,
    pub value: f64,
    pub gradient: Vec<f64>,
    pub fisher: DMatrix<f64>,
    pub held: Vec<bool>,
}

/// Minimizes over all parameters from `theta`, and asks for the Fisher information there.
pub(super) fn optimum(
    problem: &mut FitProblem<'_>,
    theta: &[f64],
    limits: &Settings,
    stop: &AtomicBool,
) -> Result<Optimum, StudyError> {
    let fail = |error: NoNode| match error {
        NoNode::Interrupted => StudyError::Interrupted,
        NoNode::Failed(reason) => StudyError::NoStartFinished { starts: 1, reason },
    };
    let found = Held::new(problem).minimize_all(theta, limits, stop);
    let (theta, value, gradient) = found.map_err(fail)?;
    let (rows, m) = (problem.residuals(), theta.len());
    let mut r = vec![0.0; rows];
    let mut jacobian = vec![0.0; rows * m];
    problem
        .value_residuals(&theta, &mut r, &mut jacobian)
        .map_err(|error| fail(NoNode::Failed(error.to_string())))?;
    let j = DMatrix::from_column_slice(rows, m, &jacobian);
    let (lower, upper) = problem.bounds();
    Ok(Optimum {
        held: (0..m)
            .map(|i| theta[i] <= lower[i] || theta[i] >= upper[i])
            .collect(),
        fisher: j.tr_mul(&j),
        theta,
        value,
        gradient,
    })
}

impl Optimum {
    pub fn node(&self, i: usize) -> Node {
        Node {
            theta: self.theta.clone(),
            value: self.value,
            // at an optimum inside its bounds the slope is rounding, and would be taken for one
            slope: if self.held[i] { self.gradient[i] } else { 0.0 },
        }
    }

    pub fn tolerance(&self, threshold: f64) -> f64 {
        (BETTER.0 * threshold).max(BETTER.1 * self.value.abs())
    }

    /// How the others follow parameter `i`, -F_oo^-1 F_oi, and the curvature of its profile, F_ii - F_io F_oo^-1 F_oi, to first
    /// order, with those at a bound held there.
    pub fn tangent(&self, i: usize) -> (Vec<f64>, f64) {
        let m = self.theta.len();
        let mut tangent = vec![0.0; m];
        tangent[i] = 1.0;
        let own = self.fisher[(i, i)];
        let scale = |j: usize| self.fisher[(j, j)].sqrt();
        // parameters without any effect stay where they are
        let others: Vec<usize> = (0..m)
            .filter(|&j| j != i && !self.held[j] && scale(j) > 0.0)
            .collect();
        if others.is_empty() {
            return (tangent, own);
        }
        let matrix = DMatrix::from_fn(others.len(), others.len(), |a, b| {
            let (a, b) = (others[a], others[b]);
            self.fisher[(a, b)] / scale(a) / scale(b)
        });
        let side = DVector::from_fn(others.len(), |a, _| {
            self.fisher[(others[a], i)] / scale(others[a])
        });
        let Ok(solution) = matrix.svd(true, true).solve(&side, 1e-12) else {
            return (tangent, own);
        };
        for (&j, s) in others.iter().zip(solution.iter()) {
            tangent[j] = -s / scale(j);
        }
        let curvature = own - side.dot(&solution);
        // what is left of a difference of equal numbers is rounding
        let rounding = 1e-10 * own;
        (tangent, if curvature > rounding { curvature } else { 0.0 })
    }
}
