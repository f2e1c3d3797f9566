//! Sequential quadratic programming: smooth optimization under smooth constraints.
//!
//! ```text
//! minimize f(x)   subject to   c_L <= c(x) <= c_U,   l <= x <= u          x in R^n, c in R^m
//! ```
//!
//! a row with c_L = c_U being an equation. Each iteration solves the quadratic model
//!
//! ```text
//! minimize g'd + d'Bd/2   subject to   c_L <= c + J d <= c_U,   l <= x + d <= u
//! ```
//!
//! (`quadratic.rs`) for a step and the multipliers, B being the Hessian of the Lagrangian where the problem gives it, made
//! convex without moving the model's solution, or a damped BFGS matrix (`curvature.rs`). The l1 merit function f + sum nu_i
//! violation_i with Powell's weights decides how much of the step is taken (`merit.rs`); a full step that the curvature of the constraints
//! spoils is corrected to second order, so that steps of length one survive near the solution. A model without a feasible
//! point is solved in elastic mode: violations are paid for. What remains is judged by the Karush-Kuhn-Tucker conditions
//! of the problem itself (`conditions.rs`), never by the length of a step alone.
//!
//! Cost: one evaluation with derivatives and one dense quadratic program an iteration, O((n + m)^3). Use it for up to some hundreds
//! of variables; with an exact Hessian it converges quadratically, with BFGS superlinearly. A maximum of several functions takes an epigraph
//! form (a bound as one more variable); from where other kinks stop a run, [`descend_kinks`] goes on.
//!
//! Signs: the Lagrangian is f + lambda'c + z'x, so that a multiplier is positive at an upper bound and negative at a lower one.
//!
//! Sources: Nocedal and Wright, Numerical Optimization, 2006, ch. 18, doi 10.1007/978-0-387-40065-5; Powell, A fast algorithm
//! for nonlinearly constrained optimization calculations, 1978, doi 10.1007/BFb0067703; the quadratic programs by Clarabel
//! (Goulart and Chen 2024, doi 10.48550/arXiv.2405.12762).

mod conditions;
mod curvature;
mod iterate;
mod kinks;
mod merit;
mod quadratic;

pub use conditions::Kkt;
pub use iterate::sqp;
pub use kinks::{Share, descend_kinks};

use nalgebra::DMatrix;
use std::fmt;

use super::problem::EvaluationError;

/// A smooth problem with constraints.
pub trait Constrained {
    /// Number of variables n.
    fn dim(&self) -> usize;
    /// Number of constraints m, the same at every point.
    fn constraints(&self) -> usize;
    /// Lower and upper bounds of the variables, infinite where none.
    fn bounds(&self) -> (&[f64], &[f64]);
    /// Lower and upper bounds of the constraints; equal where an equation is meant, infinite where none.
    fn constraint_bounds(&self) -> (&[f64], &[f64]);
    /// The objective at `x`, and the constraints into `c` (length m).
    ///
    /// # Errors
    /// Where there is none at this point: a nearer one is tried.
    fn values(&mut self, x: &[f64], c: &mut [f64]) -> Result<f64, EvaluationError>;
    /// The gradient of the objective (length n), and the Jacobian of the constraints (m x n).
    ///
    /// # Errors
    /// As [`Self::values`].
    fn derivatives(
        &mut self,
        x: &[f64],
        gradient: &mut [f64],
        jacobian: &mut DMatrix<f64>,
    ) -> Result<(), EvaluationError>;
    /// The Hessian of f + lambda'c into `hessian` (n x n, symmetric); `false` where the problem has none, and BFGS serves.
    ///
    /// # Errors
    /// As [`Self::values`].
    fn hessian(
        &mut self,
        x: &[f64],
        multipliers: &[f64],
        hessian: &mut DMatrix<f64>,
    ) -> Result<bool, EvaluationError> {
        let _ = (x, multipliers, hessian);
        Ok(false)
    }
}

/// When to stop.
#[derive(Debug, Clone, PartialEq)]
pub struct SqpSettings {
    /// most iterations
    pub max_iterations: usize,
    /// converged when the scaled KKT residual is at most this
    pub tolerance: f64,
    /// how far constraints may be violated at a converged point
    pub feasibility: f64,
    /// relative rounding of values: smaller changes of the merit function say nothing
    pub noise: f64,
    /// longest first step relative to the size of the variables (at least 1); later steps may be ten times longer than the last
    pub longest_step: f64,
}

impl Default for SqpSettings {
    fn default() -> Self {
        Self {
            max_iterations: 200,
            tolerance: 1e-8,
            feasibility: 1e-8,
            noise: 1e-14,
            longest_step: f64::INFINITY,
        }
    }
}

/// One line of a run's history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SqpProgress {
    /// iteration, 0 at the start
    pub iteration: usize,
    /// objective there
    pub value: f64,
    /// the largest violation of a constraint there
    pub violation: f64,
    /// scaled KKT residual there
    pub residual: f64,
    /// Euclidean length of the step that led there (0 at the start)
    pub step_norm: f64,
    /// the fraction of the model's step that was taken
    pub fraction: f64,
    /// whether the model was elastic
    pub elastic: bool,
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum SqpStatus {
    /// the KKT conditions hold within the tolerances
    Converged,
    /// a minimum where smooth pieces meet: constraints hold, and 0 is a convex combination of gradients nearby
    Kink {
        /// how near, relative to each variable and at least to 1
        radius: f64,
    },
    /// constraints hold, and no step lowers the objective any more; the residual says how far the conditions are met
    SmallStep,
    /// no nearby point violates the constraints less
    Infeasible,
    /// out of iterations
    MaxIterations,
    /// the callback or the problem asked to stop; the last point is kept
    Interrupted,
    /// no value at the start, or a model without a solution
    Failed {
        /// the cause in words
        reason: String,
    },
}

impl fmt::Display for SqpStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Converged => f.write_str("converged"),
            Self::Kink { radius } => write!(
                f,
                "converged on a kink: gradients within {radius:.0e} of it cancel"
            ),
            Self::SmallStep => f.write_str("steps became too small"),
            Self::Infeasible => f.write_str("no nearby point meets the constraints"),
            Self::MaxIterations => f.write_str("iteration limit"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Failed { reason } => write!(f, "failed: {reason}"),
        }
    }
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct SqpOutcome {
    /// the point (length n), inside the bounds
    pub x: Vec<f64>,
    /// objective there
    pub value: f64,
    /// constraints there (length m)
    pub constraints: Vec<f64>,
    /// gradient of the objective there (length n)
    pub gradient: Vec<f64>,
    /// Jacobian of the constraints there (m x n)
    pub jacobian: DMatrix<f64>,
    /// multipliers of the constraints (length m), positive at upper bounds
    pub multipliers: Vec<f64>,
    /// multipliers of the variables' bounds (length n), positive at upper bounds
    pub bound_multipliers: Vec<f64>,
    /// how far the KKT conditions hold
    pub kkt: Kkt,
    /// iterations done
    pub iterations: usize,
    /// evaluations of objective and constraints
    pub evaluations: usize,
    /// why the run ended
    pub status: SqpStatus,
    /// one entry an iteration, the start included
    pub history: Vec<SqpProgress>,
    /// on a kink: the points whose gradients cancel
    pub shares: Vec<Share>,
}

/// How far c is outside [lower, upper]: positive above, negative below.
fn outside(c: f64, lower: f64, upper: f64) -> f64 {
    if c > upper {
        c - upper
    } else if c < lower {
        c - lower
    } else {
        0.0
    }
}
