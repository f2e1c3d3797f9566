//! How a solve can fail.

use thiserror::Error;

/// Why a solve ended before its end time. `state` indexes the state that was hardest to satisfy.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SolveError {
    /// The error test drove the step below what t can resolve.
    #[error("step size {step_size:e} too small at t = {t}")]
    StepSizeTooSmall {
        /// time reached
        t: f64,
        /// last step size tried
        step_size: f64,
        /// state with the largest scaled error
        state: usize,
        /// the states there
        x: Vec<f64>,
    },
    /// f, or a state, became infinite or not a number at the start or however small the step.
    #[error("not finite at t = {t}")]
    NotFinite {
        /// time reached
        t: f64,
        /// first state whose value or derivative is not finite
        state: usize,
        /// the last finite states
        x: Vec<f64>,
    },
    /// The step limit of the options was used up.
    #[error("{limit} steps used up at t = {t}")]
    TooManySteps {
        /// time reached
        t: f64,
        /// the limit
        limit: usize,
        /// the states there
        x: Vec<f64>,
    },
    /// The iteration matrix of an implicit method stayed singular however small the step.
    #[error("singular iteration matrix at t = {t}")]
    SingularMatrix {
        /// time reached
        t: f64,
    },
    /// An explicit method met stiffness and was told to report it (`Options::stiffness_test`).
    #[error("the system is stiff at t = {t}")]
    Stiff {
        /// time reached
        t: f64,
        /// estimate of |largest eigenvalue| times the step size
        step_times_eigenvalue: f64,
    },
    /// The caller's recorder asked to stop (an interrupt, a time limit).
    #[error("stopped at t = {t}")]
    Stopped {
        /// time reached
        t: f64,
    },
    /// Options or arguments that no solve can honour.
    #[error("invalid option: {what}")]
    Invalid {
        /// which, and why
        what: String,
    },
}
