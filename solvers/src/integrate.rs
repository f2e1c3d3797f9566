//! The driver: steps a method from stop time to stop time under error control, or along a given mesh.
//!
//! A solve runs through `times = [t0, stops..., t1]`, in either direction. Each stretch between two of them
//! is announced to the system by its middle ([`System::enter_stretch`]), begins with a fresh slope and ends
//! exactly at its stop time, so that a jump of f at a stop time costs nothing.
//!
//! Over dual numbers every step size is a constant but the last of a stretch, which is end - t: the mesh of
//! a stretch moves with its start, and its last step takes up the difference. Values alone decide the steps
//! (unless [`crate::ErrorNorm::WithTangents`]), so a dual solve steps exactly as a plain one.

mod event_step;
mod replay;

pub use replay::Position;

use crate::control::Controller;
use crate::error::SolveError;
use crate::events::{Action, Cause, Hybrid, NoEvents, Search};
use crate::initial_step::initial_step;
use crate::method::{Method, Outcome, Recorder, StepView, Trial};
use crate::options::{Options, Statistics, Tolerance};
use crate::record::Mesh;
use crate::scalar::Scalar;
use crate::system::System;

/// A method with the buffers of the driver: after `new`, a solve allocates nothing.
#[derive(Debug, Clone)]
pub struct Integrator<S, M> {
    method: M,
    x_new: Vec<S>,
    scratch: Vec<S>,
    search: Search<S>,
}

impl<S: Scalar, M> Integrator<S, M> {
    /// Buffers for systems of the size and pattern of `system`.
    pub fn new<F: System<S> + ?Sized>(system: &F) -> Self
    where
        M: Method<S, F>,
    {
        let zeros = vec![S::from(0.0); system.dim()];
        Self {
            method: M::new(system),
            x_new: zeros.clone(),
            scratch: zeros,
            search: Search::default(),
        }
    }

    /// Solves from `times[0]` through the stop times to the last of `times` under error control.
    ///
    /// `x` holds x(t0) and ends as x(t1), or as the last accepted state where the solve fails.
    pub fn run<F, R>(
        &mut self,
        system: &mut F,
        x: &mut [S],
        times: &[S],
        options: &Options,
        recorder: &mut R,
    ) -> Result<Statistics, SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
        R: Recorder<S> + ?Sized,
    {
        self.run_hybrid(system, x, times, options, recorder, &mut NoEvents)
    }

    /// As [`Integrator::run`], with the events of `hybrid` on the way. Each entry of `times` is shown to it, too
    /// ([`Hybrid::at_stop`]), the start included.
    pub fn run_hybrid<F, R, H>(
        &mut self,
        system: &mut F,
        x: &mut [S],
        times: &[S],
        options: &Options,
        recorder: &mut R,
        hybrid: &mut H,
    ) -> Result<Statistics, SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
        R: Recorder<S> + ?Sized,
        H: Hybrid<S> + ?Sized,
    {
        check_options(options, system.dim())?;
        self.check_shapes(system, x, times)?;
        M::check(system)?;
        if !M::ADAPTIVE && options.step.is_none() {
            return Err(SolveError::StepRequired);
        }
        recorder.started(times, x)?;
        self.method.begin();
        let mut drive = Drive {
            options,
            direction: direction(times),
            controller: Controller::new(M::ERROR_ORDER),
            statistics: Statistics::default(),
            proposal: options.first_step,
            stiff_steps: 0,
            calm_steps: 0,
            accumulation: Accumulation::default(),
        };
        self.search.begin(hybrid.roots(), x.len());
        for (stop, &t) in times.iter().enumerate() {
            if stop > 0 && times[stop - 1].value() == t.value() {
                self.follow(system, x, times[stop - 1], t)?;
            } else if stop > 0 {
                let ends = (times[stop - 1], t);
                let ended = self.stretch(system, x, ends, &mut drive, recorder, hybrid)?;
                if ended {
                    return Ok(drive.statistics);
                }
            }
            recorder.happens(Cause::Stop(stop), t, x);
            let action = hybrid.at_stop(stop, t, x);
            if action != Action::Continue {
                drive.statistics.events += 1;
                check_state(t, x)?;
                recorder.jumped(t, x);
            }
            if action == Action::Terminate {
                return Ok(drive.statistics);
            }
        }
        if let Some(event) = self.search.always_zero.iter().position(|&zero| zero)
            && drive.statistics.steps > 0
        {
            return Err(SolveError::EventAlwaysZero { event });
        }
        Ok(drive.statistics)
    }

    /// The method's workspace.
    pub fn method(&self) -> &M {
        &self.method
    }

    fn check_shapes<F: System<S> + ?Sized>(
        &self,
        system: &F,
        x: &[S],
        times: &[S],
    ) -> Result<(), SolveError> {
        let n = system.dim();
        if x.len() != n || self.x_new.len() != n {
            return Err(invalid(&format!(
                "{} states given to a system of {n} and a workspace for {}",
                x.len(),
                self.x_new.len()
            )));
        }
        if let Some(state) = x.iter().position(|v| !v.value().is_finite()) {
            return match times.first() {
                Some(&t) => Err(not_finite(t, state, x)),
                None => Err(invalid("an initial state is not finite")),
            };
        }
        check_times(times)
    }

    /// Follows the solution between two times of one value. Where they move differently with a parameter the
    /// states move along the flow; a midpoint step gives derivatives of first and second order exactly.
    fn follow<F>(&mut self, system: &mut F, x: &mut [S], start: S, end: S) -> Result<(), SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
    {
        let h = end - start;
        if (1..S::WIDTH).all(|part| h.part(part) == 0.0) {
            return Ok(());
        }
        if !M::explicit_form(system) {
            return Err(invalid(
                "two times of one value that move differently, in a system with a mass matrix",
            ));
        }
        system.rhs(start, x, &mut self.scratch);
        for ((y, &x), &k) in self.x_new.iter_mut().zip(x.iter()).zip(&self.scratch) {
            *y = x + k * h * 0.5;
        }
        system.rhs(start + h * 0.5, &self.x_new, &mut self.scratch);
        for (x, &k) in x.iter_mut().zip(&self.scratch) {
            *x += k * h;
        }
        Ok(())
    }

    /// Solves from one stop time to the next. `true`: a terminal event ended the solve.
    fn stretch<F, R, H>(
        &mut self,
        system: &mut F,
        x: &mut [S],
        (start, end): (S, S),
        drive: &mut Drive<'_>,
        recorder: &mut R,
        hybrid: &mut H,
    ) -> Result<bool, SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
        R: Recorder<S> + ?Sized,
        H: Hybrid<S> + ?Sized,
    {
        let options = drive.options;
        let middle = middle(start, end);
        system.enter_stretch(middle);
        hybrid.enter_stretch(middle);
        let mut t = start;
        if hybrid.roots() > 0 && self.settle(hybrid, t, x, drive, recorder)? {
            return Ok(true);
        }
        let mut h = self.restart(system, t, x, end, drive)?;
        let mut restarted = true;
        let mut failure = Failure::None;
        loop {
            h = h.min(options.max_step);
            let remaining = (end.value() - t.value()).abs();
            let (size, last) = fit(h, remaining, options.max_step);
            if !last && size < least_step(t.value()) {
                return Err(failure.into_error(t, size, x));
            }
            // how many steps of a given size there are is known beforehand, and meant
            if options.step.is_none()
                && drive.statistics.steps + drive.statistics.rejected >= options.max_steps
            {
                return Err(SolveError::TooManySteps {
                    t: t.value(),
                    limit: options.max_steps,
                    x: values(x),
                });
            }
            let (step, t_new) = if last {
                (end - t, end)
            } else {
                let step = S::from(drive.direction * size);
                (step, t + step)
            };
            let trial = self.method.step(
                system,
                t,
                step,
                x,
                &mut self.x_new,
                options,
                &mut drive.statistics,
            );
            match trial {
                Trial::Computed { error, .. } if error <= 1.0 || options.step.is_some() => {
                    let at = (t, step, t_new);
                    if hybrid.roots() > 0
                        && let Some((step, t_event)) =
                            self.step_to_event(system, x, at, drive, hybrid)?
                    {
                        if step.value() != 0.0 {
                            self.show(
                                system,
                                x,
                                (t, step, t_event),
                                (restarted, middle),
                                &mut drive.statistics,
                                recorder,
                            )?;
                        }
                        t = t_event;
                        let reached = step.value() != 0.0;
                        let fired = self.fire(hybrid, reached, t, x, drive, recorder)?;
                        if fired || self.settle(hybrid, t, x, drive, recorder)? {
                            return Ok(true);
                        }
                        drive.proposal = (M::START_ORDER == M::ORDER).then_some(size);
                        if t.value() == end.value() {
                            return Ok(false);
                        }
                        h = self.restart(system, t, x, end, drive)?;
                        restarted = true;
                        continue;
                    }
                    if hybrid.roots() == 0 {
                        let statistics = &mut drive.statistics;
                        self.method.accept(system, t_new, &self.x_new, statistics);
                    }
                    self.show(
                        system,
                        x,
                        at,
                        (restarted, middle),
                        &mut drive.statistics,
                        recorder,
                    )?;
                    t = t_new;
                    restarted = false;
                    failure = Failure::None;
                    if options.stiffness_test {
                        drive.watch_stiffness::<S, F, M>(&self.method, t)?;
                    }
                    let factor = match self.method.resize(Outcome::Accepted) {
                        _ if options.step.is_some() => 1.0,
                        Some(factor) => factor,
                        None => drive.controller.accepted(error),
                    };
                    // a step cut short by the stop time is no reason to forget the size before the cut
                    h = if factor >= 1.0 {
                        f64::max(h, size * factor)
                    } else {
                        size * factor
                    };
                    if last {
                        drive.proposal = (M::START_ORDER == M::ORDER).then_some(h);
                        return Ok(false);
                    }
                }
                Trial::Computed { error, state } => {
                    drive.statistics.rejected += 1;
                    let factor = drive.controller.rejected(error);
                    h = size * self.method.resize(Outcome::Rejected).unwrap_or(factor);
                    failure = Failure::Error(state);
                }
                Trial::NotFinite { state } => {
                    h = size * self.failed::<F>(drive);
                    failure = Failure::NotFinite(state);
                }
                Trial::Singular => {
                    h = size * self.failed::<F>(drive);
                    failure = Failure::Singular;
                }
                Trial::NotConverged { state } => {
                    drive.statistics.newton_failures += 1;
                    h = size * self.failed::<F>(drive);
                    failure = Failure::NotConverged(state);
                }
            }
            if options.step.is_some() && !matches!(failure, Failure::None) {
                // a fixed step that cannot be made has no smaller one to fall back on
                return Err(failure.into_error(t, size, x));
            }
        }
    }

    /// Begins to step from (t, x), forgetting what was carried; the size of the next step.
    fn restart<F>(
        &mut self,
        system: &mut F,
        t: S,
        x: &mut [S],
        end: S,
        drive: &mut Drive<'_>,
    ) -> Result<f64, SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
    {
        let options = drive.options;
        self.method
            .initialize(system, t, x, options, &mut drive.statistics)?;
        self.method.restart(system, t, x, &mut drive.statistics);
        let slope = self.method.slope();
        if let Some(state) = slope.iter().position(|v| !v.value().is_finite()) {
            return Err(not_finite(t, state, x));
        }
        drive.controller.restart();
        let span = (end.value() - t.value()).abs();
        let limit = span.min(options.max_step);
        // After a stop time the last size is a better guess than the cautious first-step rule: where f
        // jumped, the error test corrects it at the price of a rejection.
        Ok(match (options.step, drive.proposal) {
            (Some(step), _) => even(step, span),
            (None, Some(h)) => h,
            (None, None) => match self.method.first_step(x, limit, options) {
                Some(h) => h,
                None => initial_step(
                    system,
                    t,
                    x,
                    self.method.slope(),
                    drive.direction,
                    limit,
                    M::START_ORDER,
                    options,
                    &mut self.x_new,
                    &mut self.scratch,
                    &mut drive.statistics,
                ),
            },
        })
    }

    /// Counts a step that could not be computed; the factor on its size.
    fn failed<F>(&mut self, drive: &mut Drive<'_>) -> f64
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
    {
        drive.statistics.rejected += 1;
        let factor = drive.controller.failed();
        self.method.resize(Outcome::Failed).unwrap_or(factor)
    }

    /// Shows the accepted step in `x_new` to the recorder and makes its end the current state.
    fn show<F, R>(
        &mut self,
        system: &mut F,
        x: &mut [S],
        (t, h, t_new): (S, S, S),
        (restarted, stretch): (bool, f64),
        statistics: &mut Statistics,
        recorder: &mut R,
    ) -> Result<(), SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
        R: Recorder<S> + ?Sized,
    {
        if recorder.reads_inside(t, t_new) {
            self.method
                .densify(system, t, h, x, &self.x_new, statistics);
        }
        statistics.steps += 1;
        let go_on = recorder.accepted(&StepView {
            t,
            h,
            t_new,
            x,
            x_new: &self.x_new,
            stages: self.method.stages(),
            interpolant: M::interpolate,
            restarted,
            stretch,
            mode: self.method.mode(),
        });
        x.copy_from_slice(&self.x_new);
        if go_on {
            Ok(())
        } else {
            Err(SolveError::Stopped { t: t_new.value() })
        }
    }
}

/// Solves once with fresh buffers; see [`Integrator::run`].
pub fn integrate<S, F, M, R>(
    system: &mut F,
    x: &mut [S],
    times: &[S],
    options: &Options,
    recorder: &mut R,
) -> Result<Statistics, SolveError>
where
    S: Scalar,
    F: System<S> + ?Sized,
    M: Method<S, F>,
    R: Recorder<S> + ?Sized,
{
    Integrator::<S, M>::new(system).run(system, x, times, options, recorder)
}

/// Follows a mesh once with fresh buffers; see [`Integrator::replay`].
pub fn replay<S, F, M, R>(
    system: &mut F,
    x: &mut [S],
    times: &[S],
    mesh: &Mesh,
    recorder: &mut R,
) -> Result<Statistics, SolveError>
where
    S: Scalar,
    F: System<S> + ?Sized,
    M: Method<S, F>,
    R: Recorder<S> + ?Sized,
{
    Integrator::<S, M>::new(system).replay(system, x, times, mesh, &Options::default(), recorder)
}

/// What a solve carries from stretch to stretch.
struct Drive<'a> {
    options: &'a Options,
    direction: f64,
    controller: Controller,
    statistics: Statistics,
    /// magnitude of the next step, once known
    proposal: Option<f64>,
    stiff_steps: u32,
    calm_steps: u32,
    accumulation: Accumulation,
}

/// Watches the gaps between events for a geometric series that ends within the span.
#[derive(Default)]
struct Accumulation {
    /// times of the first and of the last root event
    first: Option<f64>,
    last: Option<f64>,
    gap: f64,
    /// gaps in a row that shrank by a steady factor below 1, or were 0
    shrinking: u32,
}

impl Accumulation {
    /// Takes the time of an event; the time at which infinitely many would have passed, once that is as near as
    /// rounding.
    fn take(&mut self, t: f64) -> Option<f64> {
        let last = self.last.replace(t)?;
        let gap = (t - last).abs();
        let ratio = gap / self.gap;
        let before = std::mem::replace(&mut self.gap, gap);
        let shrinks = gap == 0.0 || before > 0.0 && ratio < 0.999;
        self.shrinking = if shrinks { self.shrinking + 1 } else { 0 };
        // what is left of a geometric series of this ratio
        let rest = if gap == 0.0 {
            0.0
        } else {
            gap * ratio / (1.0 - ratio)
        };
        // States of size 1 are known to rounding, eps; a flight that returns after dt rises about dt^2: below
        // dt = sqrt(eps) it is no longer seen.
        let scale = f64::max(t.abs(), (t - *self.first.get_or_insert(last)).abs());
        let near = rest <= 10.0 * f64::EPSILON.sqrt() * scale;
        (self.shrinking >= 12 && near).then(|| t + rest.copysign(t - last))
    }
}

impl Drive<'_> {
    /// Hairer's rule: 15 steps at the stability bound, not interrupted by 6 in a row below it.
    fn watch_stiffness<S, F, M>(&mut self, method: &M, t: S) -> Result<(), SolveError>
    where
        S: Scalar,
        F: ?Sized,
        M: Method<S, F>,
    {
        let product = method.stiffness();
        if product > M::STABILITY_BOUND {
            self.calm_steps = 0;
            self.stiff_steps += 1;
            if self.stiff_steps == 15 {
                return Err(SolveError::Stiff {
                    t: t.value(),
                    step_times_eigenvalue: product,
                });
            }
        } else {
            self.calm_steps += 1;
            if self.calm_steps == 6 {
                self.stiff_steps = 0;
            }
        }
        Ok(())
    }
}

/// Why the last tried step was rejected.
enum Failure {
    None,
    Error(usize),
    NotFinite(usize),
    Singular,
    NotConverged(usize),
}

impl Failure {
    fn into_error<S: Scalar>(self, t: S, size: f64, x: &[S]) -> SolveError {
        let too_small = |state| SolveError::StepSizeTooSmall {
            t: t.value(),
            step_size: size,
            state,
            x: values(x),
        };
        match self {
            Self::None => too_small(0),
            Self::Error(state) => too_small(state),
            Self::NotFinite(state) => not_finite(t, state, x),
            Self::Singular => SolveError::SingularMatrix { t: t.value() },
            Self::NotConverged(state) => not_converged(t, state, x),
        }
    }
}

/// The size of the next step and whether it ends the stretch: no sliver is left before the stop time.
fn fit(h: f64, remaining: f64, max_step: f64) -> (f64, bool) {
    if 1.01 * h >= remaining && (remaining <= max_step || h >= remaining) {
        (remaining, true)
    } else if 2.0 * h > remaining {
        (0.5 * remaining, false)
    } else {
        (h, false)
    }
}

/// The size of equal steps through `span`, `step` at most (but for rounding).
fn even(step: f64, span: f64) -> f64 {
    let count = (span / step * (1.0 - 1e-12)).ceil().max(1.0);
    span / count
}

/// Below this a step no longer moves t by whole digits.
fn least_step(t: f64) -> f64 {
    f64::max(
        8.0 * f64::EPSILON * t.abs(),
        f64::MIN_POSITIVE / f64::EPSILON,
    )
}

/// A state after a jump must be finite.
fn check_state<S: Scalar>(t: S, x: &[S]) -> Result<(), SolveError> {
    match x.iter().position(|v| !v.value().is_finite()) {
        Some(state) => Err(not_finite(t, state, x)),
        None => Ok(()),
    }
}

fn middle<S: Scalar>(start: S, end: S) -> f64 {
    start.value() + 0.5 * (end.value() - start.value())
}

fn direction<S: Scalar>(times: &[S]) -> f64 {
    match (times.first(), times.last()) {
        (Some(first), Some(last)) if last.value() < first.value() => -1.0,
        _ => 1.0,
    }
}

fn values<S: Scalar>(x: &[S]) -> Vec<f64> {
    x.iter().map(|v| v.value()).collect()
}

pub(crate) fn not_finite<S: Scalar>(t: S, state: usize, x: &[S]) -> SolveError {
    SolveError::NotFinite {
        t: t.value(),
        state,
        x: values(x),
    }
}

fn not_converged<S: Scalar>(t: S, state: usize, x: &[S]) -> SolveError {
    SolveError::NotConverged {
        t: t.value(),
        state,
        x: values(x),
    }
}

pub(crate) fn invalid(what: &str) -> SolveError {
    SolveError::Invalid {
        what: what.to_owned(),
    }
}

/// Times must be finite, monotone, and span what a number can hold.
pub(crate) fn check_times<S: Scalar>(times: &[S]) -> Result<(), SolveError> {
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return Err(invalid("no times given"));
    };
    if times.iter().any(|t| !t.value().is_finite()) {
        return Err(invalid("a time is not finite"));
    }
    if !(last.value() - first.value()).is_finite() {
        return Err(invalid("the span is not finite"));
    }
    let sign = direction(times);
    if times
        .windows(2)
        .any(|w| (w[1].value() - w[0].value()) * sign < 0.0)
    {
        return Err(invalid("the times are not in order"));
    }
    Ok(())
}

/// Tolerances and limits must be usable: no solve may hang on them.
pub(crate) fn check_options(options: &Options, n: usize) -> Result<(), SolveError> {
    let usable = |a: f64| a.is_finite() && a >= 0.0;
    if !usable(options.rtol) {
        return Err(invalid("rtol must be finite and not negative"));
    }
    let positive = match &options.atol {
        Tolerance::Uniform(a) => {
            if !usable(*a) {
                return Err(invalid("atol must be finite and not negative"));
            }
            *a > 0.0
        }
        Tolerance::PerState(a) => {
            if a.len() != n {
                return Err(invalid(&format!(
                    "{} absolute tolerances for {n} states",
                    a.len()
                )));
            }
            if !a.iter().all(|a| usable(*a)) {
                return Err(invalid("atol must be finite and not negative"));
            }
            a.iter().all(|a| *a > 0.0)
        }
    };
    if !positive && options.rtol == 0.0 {
        return Err(invalid("rtol and atol are both 0"));
    }
    if options.max_step.is_nan() || options.max_step <= 0.0 {
        return Err(invalid("the largest step size must be positive"));
    }
    for (h, what) in [
        (options.first_step, "the first step size"),
        (options.step, "the step size"),
    ] {
        if h.is_some_and(|h| !(h > 0.0 && h.is_finite())) {
            return Err(invalid(&format!("{what} must be positive and finite")));
        }
    }
    Ok(())
}
