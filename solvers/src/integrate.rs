//! The driver: steps a method from stop time to stop time under error control, or along a given mesh.
//!
//! A solve runs through `times = [t0, stops..., t1]`, in either direction. Each stretch between two of them
//! is announced to the system by its middle ([`System::enter_stretch`]), begins with a fresh slope and ends
//! exactly at its stop time, so that a jump of f at a stop time costs nothing.
//!
//! Over dual numbers every step size is a constant but the last of a stretch, which is end - t: the mesh of
//! a stretch moves with its start, and its last step takes up the difference. Values alone decide the steps
//! (unless [`crate::ErrorNorm::WithTangents`]), so a dual solve steps exactly as a plain one.

use crate::control::Controller;
use crate::error::SolveError;
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
        R: Recorder<S>,
    {
        check_options(options, system.dim())?;
        self.check_shapes(system, x, times)?;
        M::check(system)?;
        if !M::ADAPTIVE && options.step.is_none() {
            return Err(SolveError::StepRequired);
        }
        recorder.started(times, x)?;
        let mut drive = Drive {
            options,
            direction: direction(times),
            controller: Controller::new(M::ERROR_ORDER),
            statistics: Statistics::default(),
            proposal: options.first_step,
            stiff_steps: 0,
            calm_steps: 0,
        };
        for ends in times.windows(2) {
            if ends[0].value() != ends[1].value() {
                self.stretch(system, x, ends[0], ends[1], &mut drive, recorder)?;
            }
        }
        Ok(drive.statistics)
    }

    /// Follows `mesh` without error control: the map from (x0, times, parameters) to x(t1) with its steps
    /// frozen, in the very arithmetic of the solve that recorded the mesh.
    ///
    /// The mesh gives the size of every step but the last of each stretch, which ends at its stop time.
    pub fn replay<F, R>(
        &mut self,
        system: &mut F,
        x: &mut [S],
        times: &[S],
        mesh: &Mesh,
        options: &Options,
        recorder: &mut R,
    ) -> Result<Statistics, SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
        R: Recorder<S>,
    {
        check_options(options, system.dim())?;
        self.check_shapes(system, x, times)?;
        M::check(system)?;
        recorder.started(times, x)?;
        let mut statistics = Statistics::default();
        let mut steps = mesh.steps.iter().peekable();
        for ends in times.windows(2) {
            let (start, end) = (ends[0], ends[1]);
            if start.value() == end.value() {
                continue;
            }
            let middle = middle(start, end);
            system.enter_stretch(middle);
            self.method.restart(system, start, x, &mut statistics);
            let mut t = start;
            let mut restarted = true;
            loop {
                let Some(step) = steps.next() else {
                    return Err(invalid("the mesh has fewer stretches than the times"));
                };
                let last = steps.peek().is_none_or(|next| next.restarted);
                let (h, t_new) = if last {
                    (end - t, end)
                } else {
                    let h = S::from(step.h);
                    (h, t + h)
                };
                self.method.prescribe(step.mode);
                let trial =
                    self.method
                        .step(system, t, h, x, &mut self.x_new, options, &mut statistics);
                match trial {
                    Trial::Computed { .. } => {}
                    Trial::NotFinite { state } => return Err(not_finite(t, state, x)),
                    Trial::Singular => return Err(SolveError::SingularMatrix { t: t.value() }),
                    Trial::NotConverged { state } => return Err(not_converged(t, state, x)),
                }
                self.finish(
                    system,
                    x,
                    (t, h, t_new),
                    (restarted, middle),
                    &mut statistics,
                    recorder,
                )?;
                t = t_new;
                restarted = false;
                if last {
                    break;
                }
            }
        }
        if steps.next().is_some() {
            return Err(invalid("the mesh has more stretches than the times"));
        }
        Ok(statistics)
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

    fn stretch<F, R>(
        &mut self,
        system: &mut F,
        x: &mut [S],
        start: S,
        end: S,
        drive: &mut Drive<'_>,
        recorder: &mut R,
    ) -> Result<(), SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
        R: Recorder<S>,
    {
        let options = drive.options;
        let middle = middle(start, end);
        system.enter_stretch(middle);
        let mut t = start;
        self.method.restart(system, t, x, &mut drive.statistics);
        let slope = self.method.slope();
        if let Some(state) = slope.iter().position(|v| !v.value().is_finite()) {
            return Err(not_finite(t, state, x));
        }
        // After a stop time the last size is a better guess than the cautious first-step rule: where f
        // jumped, the error test corrects it at the price of a rejection.
        let mut h = match (options.step, drive.proposal) {
            (Some(step), _) => even(step, (end.value() - t.value()).abs()),
            (None, Some(h)) => h,
            (None, None) => initial_step(
                system,
                t,
                x,
                slope,
                drive.direction,
                (end.value() - t.value()).abs().min(options.max_step),
                M::START_ORDER,
                options,
                &mut self.x_new,
                &mut self.scratch,
                &mut drive.statistics,
            ),
        };
        drive.controller.restart();
        let mut restarted = true;
        let mut failure = Failure::None;
        loop {
            h = h.min(options.max_step);
            let remaining = (end.value() - t.value()).abs();
            let (size, last) = fit(h, remaining, options.max_step);
            if !last && size < least_step(t.value()) {
                return Err(failure.into_error(t, size, x));
            }
            if drive.statistics.steps + drive.statistics.rejected >= options.max_steps {
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
                    self.finish(
                        system,
                        x,
                        (t, step, t_new),
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
                        return Ok(());
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

    /// Accepts the step in `x_new`, shows it to the recorder and makes it the current state.
    fn finish<F, R>(
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
        R: Recorder<S>,
    {
        self.method.accept(system, t_new, &self.x_new, statistics);
        if recorder.reads_inside(t, t_new) {
            self.method
                .densify(system, t, h, x, &self.x_new, statistics);
        }
        statistics.steps += 1;
        let go_on = recorder.accepted::<F, M>(&StepView {
            t,
            h,
            t_new,
            x,
            x_new: &self.x_new,
            stages: self.method.stages(),
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
    R: Recorder<S>,
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
    R: Recorder<S>,
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

fn not_finite<S: Scalar>(t: S, state: usize, x: &[S]) -> SolveError {
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
