//! Tolerances, limits and what a solve counted.

/// Absolute tolerance: one for all states or one each.
#[derive(Debug, Clone, PartialEq)]
pub enum Tolerance {
    /// the same for every state
    Uniform(f64),
    /// one a state
    PerState(Vec<f64>),
}

impl Tolerance {
    /// The tolerance of state `i`.
    #[inline]
    pub fn of(&self, i: usize) -> f64 {
        match self {
            Self::Uniform(a) => *a,
            Self::PerState(a) => a[i],
        }
    }
}

/// What the error test measures where the scalar is a dual number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorNorm {
    /// Values alone: the step sequence of a plain solve, to the last bit.
    #[default]
    Values,
    /// Values and tangents: the derivative gets the accuracy asked for, too.
    WithTangents,
}

/// How to integrate.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// relative tolerance
    pub rtol: f64,
    /// absolute tolerance
    pub atol: Tolerance,
    /// first step size; `None`: chosen
    pub first_step: Option<f64>,
    /// steps of this size without error control (shortened evenly where a stretch is no multiple of it);
    /// methods without an error estimate need it
    pub step: Option<f64>,
    /// largest step size; infinite: none
    pub max_step: f64,
    /// accepted and rejected steps allowed; steps of a given size are not counted
    pub max_steps: usize,
    /// events allowed
    pub max_events: usize,
    /// what the error test measures
    pub error_norm: ErrorNorm,
    /// end with [`crate::SolveError::Stiff`] where an explicit method meets stiffness
    pub stiffness_test: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rtol: 1e-6,
            atol: Tolerance::Uniform(1e-8),
            first_step: None,
            step: None,
            max_step: f64::INFINITY,
            max_steps: 1_000_000,
            max_events: 1_000_000,
            error_norm: ErrorNorm::Values,
            stiffness_test: false,
        }
    }
}

/// What a solve counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// accepted steps
    pub steps: usize,
    /// rejected steps
    pub rejected: usize,
    /// evaluations of f
    pub rhs_evaluations: usize,
    /// evaluations of the Jacobian
    pub jacobians: usize,
    /// changes between the methods of `auto`
    pub switches: usize,
    /// jumps made by events
    pub events: usize,
    /// LU factorisations
    pub factorizations: usize,
    /// iterations of GMRES, each a product with the Jacobian
    pub linear_iterations: usize,
    /// iterations of the nonlinear solver of implicit methods
    pub newton_iterations: usize,
    /// steps given up because the nonlinear solver did not converge (among the rejected)
    pub newton_failures: usize,
}
