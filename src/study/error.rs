//! How a study can fail, in words a user can act on.

use costate_adjoint::sweep::AdjointError;
use costate_solvers::SolveError;
use thiserror::Error;

use crate::compile::{CallError, CompileError};
use crate::model::Names;

/// Why a study has no result.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum StudyError {
    /// A solve ended early.
    #[error("{}", describe_solve(.error, .states, .events, .experiment))]
    Solve {
        /// the solver's account
        error: SolveError,
        /// names of the states, to name the one at fault
        states: Names,
        /// names of the events with root functions, likewise
        events: Vec<String>,
        /// the experiment; empty where there is one only
        experiment: String,
    },
    /// The model could not be compiled.
    #[error("the model could not be compiled: {0}")]
    Compile(#[from] CompileError),
    /// A function was called with arrays that do not fit.
    #[error("the model's arrays do not fit: {0}")]
    Call(#[from] CallError),
    /// A backward sweep was given arrays that do not fit.
    #[error("adjoint: {0}")]
    Adjoint(#[from] AdjointError),
    /// An event is touched, not crossed: its time has no derivative.
    #[error("the event `{event}` is touched, not crossed, at t = {t}, so that its time has no derivative{}", in_experiment(.experiment))]
    Grazing {
        /// the event
        event: String,
        /// when
        t: f64,
        /// the experiment; empty where there is one only
        experiment: String,
    },
    /// The objective is not a finite number.
    #[error(
        "the objective is not finite: observable `{observable}` is {value} (sigma {sigma}) at t = {t}, measured {measured}"
    )]
    Objective {
        /// observable's name
        observable: String,
        /// its value
        value: f64,
        /// its standard deviation
        sigma: f64,
        /// time
        t: f64,
        /// the measurement
        measured: f64,
    },
    /// What a fit found could not be kept.
    #[error("{reason}")]
    Memory {
        /// why
        reason: String,
    },
    /// There is nothing to compare with.
    #[error("the scenario has no data: a [data] table or experiments with data are needed")]
    NoData,
    /// There is nothing to estimate.
    #[error("no parameter is marked `fit = true`")]
    NothingToFit,
    /// A name that is not the scenario's.
    #[error("no {kind} `{name}`{}", .hint.as_ref().map_or_else(String::new, |h| format!(": did you mean `{h}`?")))]
    UnknownName {
        /// what was looked for
        kind: &'static str,
        /// the name given
        name: String,
        /// the nearest there is
        hint: Option<String>,
    },
    /// Every start of a fit failed.
    #[error("none of {starts} start(s) reached a finite objective; the first: {reason}")]
    NoStartFinished {
        /// how many were tried
        starts: usize,
        /// what befell the first
        reason: String,
    },
    /// A terminal event ended a run before a time that is to be read.
    #[error("the terminal event `{event}` ended the run at t = {t}, before t = {wanted}, which is to be read{}", in_experiment(.experiment))]
    EndedEarly {
        /// the event
        event: String,
        /// when
        t: f64,
        /// the time to be read
        wanted: f64,
        /// the experiment; empty where there is one only
        experiment: String,
    },
    /// A time that parameters give, at which a functional reads, is not one of the run.
    #[error("the time {wanted} of `at` is outside the run, which is from {start} to {end}{}", in_experiment(.experiment))]
    OutsideRun {
        /// the time to be read
        wanted: f64,
        /// where the run starts
        start: f64,
        /// where it ends
        end: f64,
        /// the experiment; empty where there is one only
        experiment: String,
    },
    /// An event that a functional asks for did not happen.
    #[error("event `{event}` happened {happened} time(s), and `event_time` asks for number {wanted}{}", in_experiment(.experiment))]
    NoSuchHappening {
        /// the event
        event: String,
        /// how often it happened
        happened: usize,
        /// which was asked for, counted from 1
        wanted: usize,
        /// the experiment; empty where there is one only
        experiment: String,
    },
    /// A delay that is none.
    #[error(
        "`{name}` has a delay of {length}, and a delay is above zero: bound the parameters that make it"
    )]
    Delay {
        /// the delayed value
        name: String,
        /// its delay
        length: f64,
    },
    /// What was asked cannot be combined.
    #[error("{0}")]
    Unsupported(String),
    /// Ended by the user.
    #[error("interrupted")]
    Interrupted,
}

fn in_experiment(experiment: &str) -> String {
    if experiment.is_empty() {
        String::new()
    } else {
        format!(" (experiment `{experiment}`)")
    }
}

fn describe_solve(
    error: &SolveError,
    states: &Names,
    events: &[String],
    experiment: &str,
) -> String {
    let event_name = |i: &usize| {
        events
            .get(*i)
            .map_or_else(|| format!("number {}", i + 1), |e| format!("`{e}`"))
    };
    let name = |i: &usize| match states.name(*i) {
        name if name.is_empty() => format!("state {i}"),
        name => format!("`{name}`"),
    };
    let at = |x: &[f64]| {
        let shown: Vec<String> = states
            .iter()
            .zip(x)
            .take(6)
            .map(|(s, v)| format!("{s} = {v:.6e}"))
            .collect();
        let more = if states.len() > 6 { ", ..." } else { "" };
        format!("{}{more}", shown.join(", "))
    };
    let text = match error {
        SolveError::StepSizeTooSmall {
            t,
            step_size,
            state,
            x,
        } => format!(
            "the step size became too small ({step_size:.1e}) at t = {t} because of state {}; there {}. The solution may \
             blow up there, or be stiff or discontinuous: try the solver `rodas5p`, looser tolerances, or look at the \
             equation of {}",
            name(state),
            at(x),
            name(state)
        ),
        SolveError::NotFinite { t, state, x } => format!(
            "state {} or its derivative is not finite at t = {t}; there {}. Look for a division by zero, a logarithm or \
             root of a negative number, or a solution that blows up, in the equation of {}",
            name(state),
            at(x),
            name(state)
        ),
        SolveError::TooManySteps { t, limit, x } => format!(
            "{limit} steps were used up at t = {t}; there {}. Try the solver `rodas5p` if the system is stiff, looser \
             tolerances, or a larger `solver.max_steps`",
            at(x)
        ),
        SolveError::SingularMatrix { t } => format!(
            "the iteration matrix stayed singular at t = {t} however small the step. Look for equations whose Jacobian is \
             not finite there, or try the solver `tsit5`"
        ),
        SolveError::NotConverged { t, state, x } => format!(
            "the nonlinear equations of a step did not converge at t = {t} because of state {}; there {}. The solution may \
             jump or blow up there, or the Jacobian of the equation of {} be infinite: try the solver `rodas5p`, or \
             smooth the equation",
            name(state),
            at(x),
            name(state)
        ),
        SolveError::StepRequired => {
            "the method has no error estimate: give its step size as `solver.step`".to_owned()
        }
        SolveError::NotSeparable { state, other } => format!(
            "the equations do not split into positions and momenta: the equation of {} depends on {}, of its own part. \
             Try the solver `implicit-midpoint`, or `vern9` with a tight tolerance",
            name(state),
            name(other)
        ),
        SolveError::Inconsistent { t, state, residual } => format!(
            "the initial values do not satisfy the algebraic equation of {} at t = {t} (it is off by {residual:.3e}), and \
             no values near them were found that do. Give initial values closer to consistent ones",
            name(state)
        ),
        SolveError::Zeno { t, event, events } => format!(
            "events accumulate at t = {t}: after {events} of them, event {} happens ever faster, without end before that \
             time. Give it a guard (`only_if`) that stops it, end the run there by `terminal = true`, or model what \
             follows by a discrete state",
            event_name(event)
        ),
        SolveError::TooManyEvents { t, limit, event } => format!(
            "{limit} events had happened by t = {t}, the last of them {}. If so many are meant, raise \
             `solver.event_limit`",
            event_name(event)
        ),
        SolveError::EventAlwaysZero { event } => format!(
            "the expression `when` of event {} is zero along the whole run, so that it never crosses zero. Look for a \
             name that is 0 throughout, or a difference of a quantity with itself",
            event_name(event)
        ),
        SolveError::HighIndex { t } => format!(
            "the algebraic equations do not determine the algebraic states at t = {t} (the index of the system is above \
             1). Differentiate the constraints with respect to time until they do, and give those equations in their place"
        ),
        SolveError::NoRest {
            t,
            passed,
            state,
            rate,
        } => format!(
            "the system does not come to rest: time held at {t}, state {} still changes by {rate:.3e} a unit of time after \
             {passed:.3e}. It may oscillate or grow: simulate it to see",
            name(state)
        ),
        SolveError::NotIsolated { t } => format!(
            "the system comes to rest, time held at {t}, in one of many equilibria side by side, and no conserved total says \
             in which: its derivatives depend on all of the way there. Simulate until it rests instead"
        ),
        SolveError::Stiff { t, .. } => {
            format!("the system is stiff at t = {t}: try the solver `rodas5p`")
        }
        SolveError::Stopped { t } => format!("stopped at t = {t}"),
        SolveError::NeedsFactors { method } => format!(
            "{method} factors its matrices and cannot solve them by GMRES. Take `bdf`, `ndf`, `tr-bdf2`, `kencarp4` or one of \
             the `kvaerno` methods, or another `solver.linear_solver`"
        ),
        SolveError::Invalid { what } => format!("invalid solver option: {what}"),
    };
    if experiment.is_empty() {
        text
    } else {
        format!("experiment `{experiment}`: {text}")
    }
}
