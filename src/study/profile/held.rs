//! The objective with one parameter held: the problem whose minima make up a profile.
//!
//! Held is a parameter whose two bounds are equal, which optimizers leave alone. The gradient is still that of all
//! parameters, so that at a minimum the slope of the profile, dg/dc = df/dtheta_i (the envelope theorem), costs nothing.

use std::sync::atomic::{AtomicBool, Ordering};

use super::super::fit_problem::FitProblem;
use crate::optimize::{
    EvaluationError, LeastSquares, Problem, Settings, Status, levenberg_marquardt,
};

/// A point of a profile, on the search scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// all fitted parameters
    pub theta: Vec<f64>,
    /// objective
    pub value: f64,
    /// its derivative with respect to the parameter held
    pub slope: f64,
}

/// Why there is no node at a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NoNode {
    /// the user ended the work
    Interrupted,
    /// the cause in words
    Failed(String),
}

/// The objective of a fit inside bounds of its own.
pub(super) struct Held<'p, 'a> {
    pub inner: &'p mut FitProblem<'a>,
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
}

impl<'p, 'a> Held<'p, 'a> {
    pub fn new(inner: &'p mut FitProblem<'a>) -> Self {
        let (lower, upper) = inner.bounds();
        let (lower, upper) = (lower.to_vec(), upper.to_vec());
        Self {
            inner,
            lower,
            upper,
        }
    }

    /// Minimizes over all parameters but `held`, which stays at `at`, from `guess`.
    pub fn minimize(
        &mut self,
        held: usize,
        at: f64,
        guess: &[f64],
        settings: &Settings,
        stop: &AtomicBool,
    ) -> Result<Node, NoNode> {
        let own = (self.lower[held], self.upper[held]);
        (self.lower[held], self.upper[held]) = (at, at);
        let mut start = guess.to_vec();
        start[held] = at;
        let node = self.minimize_all(&start, settings, stop);
        (self.lower[held], self.upper[held]) = own;
        let (theta, value, gradient) = node?;
        Ok(Node {
            theta,
            value,
            slope: gradient[held],
        })
    }

    /// Minimizes over all parameters: the point, its objective and its gradient.
    pub fn minimize_all(
        &mut self,
        start: &[f64],
        settings: &Settings,
        stop: &AtomicBool,
    ) -> Result<(Vec<f64>, f64, Vec<f64>), NoNode> {
        let mut each = |_: &_, _: &[f64]| !stop.load(Ordering::Relaxed);
        let outcome = levenberg_marquardt(self, start, settings, &mut each);
        match outcome.status {
            Status::Interrupted => Err(NoNode::Interrupted),
            Status::Failed { reason } => Err(NoNode::Failed(reason)),
            _ if outcome.value.is_finite() => Ok((outcome.theta, outcome.value, outcome.gradient)),
            _ => Err(NoNode::Failed("the objective is not finite".into())),
        }
    }
}

impl Problem for Held<'_, '_> {
    fn dim(&self) -> usize {
        self.inner.dim()
    }
    fn bounds(&self) -> (&[f64], &[f64]) {
        (&self.lower, &self.upper)
    }
    fn value(&mut self, theta: &[f64]) -> Result<f64, EvaluationError> {
        self.inner.value(theta)
    }
    fn value_gradient(
        &mut self,
        theta: &[f64],
        gradient: &mut [f64],
    ) -> Result<f64, EvaluationError> {
        self.inner.value_gradient(theta, gradient)
    }
}

impl LeastSquares for Held<'_, '_> {
    fn residuals(&self) -> usize {
        self.inner.residuals()
    }
    fn value_residuals(
        &mut self,
        theta: &[f64],
        r: &mut [f64],
        jacobian: &mut [f64],
    ) -> Result<f64, EvaluationError> {
        self.inner.value_residuals(theta, r, jacobian)
    }
}
