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
    /// The nonlinear equations of an implicit step did not converge however small the step.
    #[error("the nonlinear equations of a step did not converge at t = {t}")]
    NotConverged {
        /// time reached
        t: f64,
        /// state with the largest scaled correction
        state: usize,
        /// the states there
        x: Vec<f64>,
    },
    /// A method without an error estimate was given no step size.
    #[error("the method has no error estimate and needs a step size")]
    StepRequired,
    /// A splitting method met an equation that it cannot split: f_`state` depends on x_`other` of its own part.
    #[error("the system does not split: equation {state} depends on state {other}")]
    NotSeparable {
        /// equation, by state
        state: usize,
        /// the state of the same part that it depends on
        other: usize,
    },
    /// The algebraic equations of a system with singular mass matrix do not hold at the start, and no states
    /// near those given satisfy them.
    #[error("inconsistent initial states at t = {t}: equation {state} is off by {residual:e}")]
    Inconsistent {
        /// start time
        t: f64,
        /// the equation that fails most
        state: usize,
        /// its residual
        residual: f64,
    },
    /// Infinitely many events pass before a finite time.
    #[error("events accumulate at t = {t}")]
    Zeno {
        /// where they accumulate
        t: f64,
        /// root function of the last of them
        event: usize,
        /// events so far
        events: usize,
    },
    /// The event limit of the options was used up.
    #[error("{limit} events used up at t = {t}")]
    TooManyEvents {
        /// time reached
        t: f64,
        /// the limit
        limit: usize,
        /// root function of the last event
        event: usize,
    },
    /// A root function was zero wherever it was read.
    #[error("root function {event} is zero along the whole solve")]
    EventAlwaysZero {
        /// which
        event: usize,
    },
    /// The algebraic equations do not determine the algebraic states: a system of index above 1, as mechanical
    /// systems with constraints on positions or velocities are.
    #[error("the system has an index above 1 at t = {t}")]
    HighIndex {
        /// start time
        t: f64,
    },
    /// A system did not come to rest, time held.
    #[error(
        "no rest at t = {t}: state {state} still changes by {rate:e} a unit of time after {passed:e}"
    )]
    NoRest {
        /// the time that was held
        t: f64,
        /// for how long the system was followed
        passed: f64,
        /// the state that changes most, in units of its tolerance
        state: usize,
        /// its rate of change
        rate: f64,
    },
    /// The equilibrium in which a system comes to rest lies among others, and no conserved total says which it is.
    #[error("the equilibrium at t = {t} is not isolated")]
    NotIsolated {
        /// the time that was held
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
    /// The linear systems are to be solved by GMRES, and the method needs the factors of a matrix.
    #[error("{method} factors its matrices and cannot solve by GMRES")]
    NeedsFactors {
        /// the method
        method: &'static str,
    },
    /// Options or arguments that no solve can honour.
    #[error("invalid option: {what}")]
    Invalid {
        /// which, and why
        what: String,
    },
}
