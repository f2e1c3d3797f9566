//! The one interface of a one-step method, and of what watches its steps.

use crate::auto::Switch;
use crate::error::SolveError;
use crate::events::Cause;
use crate::options::{Options, Statistics};
use crate::scalar::Scalar;

/// Result of one tried step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trial {
    /// The step was computed; its local error in units of the tolerance (accepted where at most 1) and the
    /// state with the largest share of it.
    Computed {
        /// weighted RMS norm of the local error estimate
        error: f64,
        /// state with the largest scaled error
        state: usize,
    },
    /// A stage was not finite.
    NotFinite {
        /// first state that is not
        state: usize,
    },
    /// The iteration matrix could not be factorised.
    Singular,
    /// The nonlinear equations of an implicit step were not solved.
    NotConverged {
        /// state with the largest scaled correction
        state: usize,
    },
}

/// What became of a tried step, for methods that choose their own step sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The step was accepted.
    Accepted,
    /// The error test rejected it.
    Rejected,
    /// It could not be computed.
    Failed,
}

/// A one-step method over systems of type `F`, owning its workspace: nothing is allocated after `new`.
pub trait Method<S: Scalar, F: ?Sized> {
    /// Order of the solution that is propagated.
    const ORDER: u32;
    /// Order of the error estimate: its exponent in the step control is 1 / (ERROR_ORDER + 1).
    const ERROR_ORDER: u32;
    /// Order of the first step after a start: multistep methods begin at 1. Below `ORDER`, the size of that step
    /// is always chosen anew.
    const START_ORDER: u32 = Self::ORDER;
    /// Vectors of length n that a step stores in [`StepView::stages`].
    const STAGES: usize;
    /// Whether the method estimates its error. One that does not takes steps of [`Options::step`].
    const ADAPTIVE: bool = true;

    /// Whether the method can solve `system` at all; asked once a solve, before anything is computed.
    fn check(system: &F) -> Result<(), SolveError> {
        let _ = system;
        Ok(())
    }
    /// A workspace for n states and `non_zeros` entries of the Jacobian.
    fn new(system: &F) -> Self;
    /// Makes the states at the start of a stretch consistent with the system's algebraic equations, where it has
    /// any: called before `restart`, at the start and after every jump. States that are consistent stay as they are.
    fn initialize(
        &mut self,
        system: &mut F,
        t: S,
        x: &mut [S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Result<(), SolveError> {
        let _ = (system, t, x, options, statistics);
        Ok(())
    }
    /// Whether f is x' itself: no mass matrix stands before it.
    fn explicit_form(system: &F) -> bool {
        let _ = system;
        true
    }
    /// The changes between methods since the solve began, for a method that is several.
    fn switches(&self) -> &[Switch] {
        &[]
    }
    /// A new solve begins: forgets everything that the last one left.
    fn begin(&mut self) {}
    /// Forgets what was carried from the last step (FSAL stage): call at the start and after every jump.
    fn restart(&mut self, system: &mut F, t: S, x: &[S], statistics: &mut Statistics);
    /// f at the start of the step (valid after `restart` and `accept`).
    fn slope(&self) -> &[S];
    /// Magnitude of a first step from `x`, at most `limit`, for systems whose f is not x' (those with a mass
    /// matrix); asked after `restart`. `None` leaves it to [`crate::initial_step::initial_step`].
    fn first_step(&mut self, x: &[S], limit: f64, options: &Options) -> Option<f64> {
        let _ = (x, limit, options);
        None
    }
    /// Tries a step of size `h` (either sign) from (t, x) and leaves the result in `x_new`.
    #[expect(
        clippy::too_many_arguments,
        reason = "the step's own data, all of it needed on the hot path"
    )]
    fn step(
        &mut self,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        x_new: &mut [S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Trial;
    /// Makes the step just tried the last accepted one: evaluates or carries the slope at its end.
    fn accept(&mut self, system: &mut F, t_new: S, x_new: &[S], statistics: &mut Statistics);
    /// Keeps what [`Method::retract`] needs: called before a step is accepted that may be taken back.
    fn save(&mut self) {}
    /// Takes back the acceptance of the last step: the next step starts from its start, (t, x), again.
    fn retract(&mut self, system: &mut F, t: S, x: &[S], statistics: &mut Statistics) {
        self.restart(system, t, x, statistics);
    }
    /// Adds to the stages of the step just accepted what its dense output needs beyond the step itself (`t`,
    /// `h`, `x` are its start and size). Asked for only where somebody reads inside the step.
    fn densify(
        &mut self,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        x_new: &[S],
        statistics: &mut Statistics,
    ) {
        let _ = (system, t, h, x, x_new, statistics);
    }
    /// Factor on the size of the step just tried, for methods that choose their own sizes (multistep methods);
    /// `None` leaves it to the PI controller.
    fn resize(&mut self, outcome: Outcome) -> Option<f64> {
        let _ = outcome;
        None
    }
    /// How the step just accepted was made, in the method's own code: all that a replay needs beyond its size
    /// (see [`crate::record::MeshStep::mode`]); 0 for a step made in the plain way.
    fn mode(&self) -> u8 {
        0
    }
    /// In a replay: the next step is to be made as `mode` says; 0 leaves it to the method.
    fn prescribe(&mut self, mode: u8) {
        let _ = mode;
    }
    /// Stages of the last accepted step, `STAGES * n` numbers (see the method's module for what they are).
    fn stages(&self) -> &[S];
    /// Dense output of a step given by its data: writes x(t + theta h) into `out`, 0 <= theta <= 1.
    fn interpolate(theta: S, h: S, x: &[S], x_new: &[S], stages: &[S], out: &mut [S]);
    /// |largest eigenvalue of J| times |h|, estimated from the last step where the method can, else 0.
    fn stiffness(&self) -> f64 {
        0.0
    }
    /// Bound of `stiffness` past which the method's stability, not accuracy, limits the step.
    const STABILITY_BOUND: f64 = f64::INFINITY;
}

/// [`Method::interpolate`] of some method: (theta, h, x, x_new, stages, out).
pub type Interpolant<S> = fn(S, S, &[S], &[S], &[S], &mut [S]);

/// An accepted step as a recorder sees it.
#[derive(Debug)]
pub struct StepView<'a, S> {
    /// time at the start
    pub t: S,
    /// step size, either sign
    pub h: S,
    /// time at the end: t + h, but the very stop time where the step ends at one
    pub t_new: S,
    /// states at the start
    pub x: &'a [S],
    /// states at the end
    pub x_new: &'a [S],
    /// the method's stages
    pub stages: &'a [S],
    /// how they make x(t + theta h)
    pub interpolant: Interpolant<S>,
    /// first step after a start, stop time or jump (its FSAL stage is its own)
    pub restarted: bool,
    /// middle of the smooth stretch that the step lies on (as given to `System::enter_stretch`)
    pub stretch: f64,
    /// how the method made the step, see [`Method::mode`]
    pub mode: u8,
}

impl<S: Copy> StepView<'_, S> {
    /// Writes x(t + theta h) into `out`, 0 <= theta <= 1.
    #[inline]
    pub fn interpolate(&self, theta: S, out: &mut [S]) {
        (self.interpolant)(theta, self.h, self.x, self.x_new, self.stages, out);
    }
}

/// Watches accepted steps; interpolates what it wants by the method's dense output.
pub trait Recorder<S: Scalar> {
    /// A solve from `times[0]` through stop times to the last of `times` begins at state `x`. An error
    /// ends it before anything is computed.
    fn started(&mut self, times: &[S], x: &[S]) -> Result<(), SolveError> {
        let _ = (times, x);
        Ok(())
    }
    /// Whether the inside of a step from `t` to `t_new` will be read, so that dense output must be ready.
    fn reads_inside(&self, t: S, t_new: S) -> bool {
        let _ = (t, t_new);
        true
    }
    /// The discrete part of the system is about to act at time t on the states `x`.
    fn happens(&mut self, cause: Cause<'_>, t: S, x: &[S]) {
        let _ = (cause, t, x);
    }
    /// The states jumped at time t, to `x`.
    fn jumped(&mut self, t: S, x: &[S]) {
        let _ = (t, x);
    }
    /// One accepted step. `false` ends the solve with [`crate::SolveError::Stopped`].
    fn accepted(&mut self, step: &StepView<'_, S>) -> bool;
}
