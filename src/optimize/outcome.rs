//! What an optimizer is told and what it answers.
//!
//! The one measure of convergence inside bounds is the projected gradient
//!
//! ```text
//! || P(theta - g) - theta ||_inf,     P = projection on [lower, upper]
//! ```
//!
//! zero exactly at the points that satisfy the first-order (Karush-Kuhn-Tucker) conditions, and the plain gradient's
//! infinity norm where no bound is near. Every status is judged against it: only a point below the tolerance is
//! [`Status::Converged`]; a run that ended because nothing moved any more says that instead.

use std::fmt;

/// Called after each iteration with the progress and the current point (length m); `false` interrupts the run.
pub type Callback<'a> = &'a mut dyn FnMut(&Progress, &[f64]) -> bool;

/// When to stop, and the few choices a method leaves open.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// most iterations (accepted steps)
    pub max_iterations: usize,
    /// most evaluations of the objective, with or without gradient
    pub max_evaluations: usize,
    /// converged when the projected gradient's infinity norm is at most this (units of value per unit of theta)
    pub gradient_tolerance: f64,
    /// ended when each variable moves by less than this fraction of itself
    pub step_tolerance: f64,
    /// ended when the value changes by less than this fraction of itself and the gradient no longer falls
    pub value_tolerance: f64,
    /// correction pairs kept by L-BFGS-B
    pub memory: usize,
    /// first trust-region radius, in variables scaled by the Jacobian's column norms; from the start where none
    pub initial_radius: Option<f64>,
    /// whether Levenberg-Marquardt bends its steps along the model's geodesics, for one more Jacobian each
    pub geodesic_acceleration: bool,
    /// Adam's step in each variable (units of theta)
    pub learning_rate: f64,
    /// first standard deviation of CMA-ES, in widths of the box
    pub spread: f64,
    /// runs of CMA-ES after the first, each with twice the points a generation
    pub restarts: usize,
    /// seed of methods that draw numbers
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_iterations: 500,
            max_evaluations: 5000,
            gradient_tolerance: 1e-8,
            step_tolerance: 1e-14,
            value_tolerance: 1e-15,
            memory: 10,
            initial_radius: None,
            geodesic_acceleration: false,
            learning_rate: 1e-2,
            spread: 0.3,
            restarts: 0,
            seed: 1,
        }
    }
}

/// One line of a run's history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// iteration, 0 at the start
    pub iteration: usize,
    /// objective there
    pub value: f64,
    /// projected gradient's infinity norm there
    pub gradient_norm: f64,
    /// Euclidean length of the step that led there (0 at the start)
    pub step_norm: f64,
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// the projected gradient is below the tolerance
    Converged,
    /// no step longer than the tolerance lowers the objective
    SmallStep,
    /// the objective changes only in its last digits
    SmallChange,
    /// out of iterations or evaluations, or of what the problem allows
    MaxIterations,
    /// the callback or the problem asked to stop; the best point so far is kept
    Interrupted,
    /// no point to return, or none finite
    Failed {
        /// the cause in words
        reason: String,
    },
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Converged => f.write_str("converged"),
            Self::SmallStep => f.write_str("steps became too small"),
            Self::SmallChange => f.write_str("the value no longer changes"),
            Self::MaxIterations => f.write_str("limit of iterations or work"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Failed { reason } => write!(f, "failed: {reason}"),
        }
    }
}

/// A run's best point and how it was reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// the best point seen, inside the bounds (length m)
    pub theta: Vec<f64>,
    /// objective there; not a number when the start itself failed
    pub value: f64,
    /// gradient there (length m), zeros when the start failed
    pub gradient: Vec<f64>,
    /// infinity norm of P(theta - g) - theta; not a number when the start failed
    pub projected_gradient_norm: f64,
    /// iterations done
    pub iterations: usize,
    /// evaluations of the objective, those with a gradient included
    pub evaluations: usize,
    /// evaluations that asked for a gradient or a Jacobian
    pub gradient_evaluations: usize,
    /// why the run ended
    pub status: Status,
    /// one entry an iteration, the start included
    pub history: Vec<Progress>,
}

impl Outcome {
    /// Whether the point is a usable end of a run: it has a value, and the run was not cut short.
    pub fn is_finished(&self) -> bool {
        self.value.is_finite()
            && matches!(
                self.status,
                Status::Converged | Status::SmallStep | Status::SmallChange
            )
    }
}

/// Infinity norm of P(theta - g) - theta for the box [lower, upper]; slices of one length.
pub fn projected_gradient_norm(
    theta: &[f64],
    gradient: &[f64],
    lower: &[f64],
    upper: &[f64],
) -> f64 {
    let mut norm: f64 = 0.0;
    for (((&x, &g), &l), &u) in theta.iter().zip(gradient).zip(lower).zip(upper) {
        // max and min rather than clamp, which panics on crossed or NaN bounds. Measured as a length along the
        // gradient, so that x - g is never rounded when no bound is near.
        let reach = if g > 0.0 {
            g.min(x - l).max(0.0)
        } else {
            (-g).min(u - x).max(0.0)
        };
        if g.is_nan() || reach.is_nan() {
            return f64::NAN;
        }
        norm = norm.max(reach);
    }
    norm
}
