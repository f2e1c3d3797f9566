//! What an optimizer sees of a study.

use thiserror::Error;

/// Why an objective has no value at a point.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum EvaluationError {
    /// The point is outside the model's domain or its solve failed: a line search may try a nearer one.
    #[error("{reason}")]
    Failed {
        /// the cause in words (a solver's error)
        reason: String,
    },
    /// The user, or a limit, ended the work.
    #[error("interrupted")]
    Interrupted,
}

/// A smooth function of m variables inside bounds.
pub trait Problem {
    /// Number of variables m.
    fn dim(&self) -> usize;
    /// Lower and upper bounds, infinite where none.
    fn bounds(&self) -> (&[f64], &[f64]);
    /// The value at `theta`.
    fn value(&mut self, theta: &[f64]) -> Result<f64, EvaluationError>;
    /// The value, and the gradient into `gradient` (length m).
    fn value_gradient(
        &mut self,
        theta: &[f64],
        gradient: &mut [f64],
    ) -> Result<f64, EvaluationError>;
    /// Whether the evaluations so far have cost all that a run may: no further one is asked for then.
    fn is_spent(&self) -> bool {
        false
    }
}

/// A problem whose Hessian can be multiplied by vectors, without being formed.
pub trait SecondOrder: Problem {
    /// The product H v of the Hessian at `theta` with `v` into `product` (both of length m).
    ///
    /// # Errors
    /// Where there is no derivative of second order, or no value at all.
    fn hessian_product(
        &mut self,
        theta: &[f64],
        v: &[f64],
        product: &mut [f64],
    ) -> Result<(), EvaluationError>;
}

/// A problem that is a sum of squares: value = constant + 1/2 sum r_i^2.
pub trait LeastSquares: Problem {
    /// Number of residuals k, the same at every point.
    fn residuals(&self) -> usize;
    /// The value; residuals into `r` (length k) and their Jacobian dr_i/dtheta_j into `jacobian[i + k * j]`.
    fn value_residuals(
        &mut self,
        theta: &[f64],
        r: &mut [f64],
        jacobian: &mut [f64],
    ) -> Result<f64, EvaluationError>;
}
