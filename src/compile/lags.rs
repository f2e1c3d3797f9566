//! Delayed values: what `delay(e, tau)` reads of the past of a run.
//!
//! A delayed value l(t) = e(t - tau) is a state of its own: l' = e'(t - tau) + (e(t - tau) - l) / tau, which starts on e and stays there, so that
//! error control, dense output, events, observables and every method see it as any other state. The past of e is kept as a
//! [`History`]: a polynomial a step, made of the method's own dense output. Before the start of a run e is read on the states of
//! [`LagCode::before`].
//!
//! Where a piece of the past ends in a jump or a kink, a stretch of the run ends, too (the study makes it so), and which side is read follows
//! from the stretch: times right at an end are moved inside to find the piece, never to read it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use costate_solvers::method::StepView;
use costate_solvers::{History, Reading, Recorder};

use super::derived::{Derived, ModelScalar, Workspace};
use super::error::CallError;

/// The delayed values of a model, compiled; functions of (t, x, p) as all of a model.
#[derive(Debug)]
pub struct LagCode {
    /// the state of the first; the others follow
    pub first: usize,
    /// e, one a delayed value
    pub values: Derived,
    /// e before the start, its slope and its curvature in time, one after the other for each: x is the start
    pub before: Derived,
    /// tau, of the parameters alone
    pub delays: Derived,
}

impl LagCode {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The past of a run, shared by the system that reads it and the recorder that writes it.
#[derive(Debug)]
pub struct Past<S: ModelScalar> {
    code: Arc<LagCode>,
    history: History<S>,
    parameters: Vec<S>,
    delays: Vec<S>,
    /// the states and the time at the start
    start: Vec<S>,
    t0: f64,
    /// where the present stretch begins and ends
    stretch: [f64; 2],
    middle: f64,
    end: f64,
    scratch: Vec<S>,
    values: Vec<S>,
    workspace: Workspace<S>,
    failed: bool,
}

/// One past, held by several.
#[derive(Debug, Clone)]
pub struct SharedPast<S: ModelScalar>(Arc<Mutex<Past<S>>>);

impl<S: ModelScalar> SharedPast<S> {
    /// The past of a run that has not begun.
    pub fn new(code: &Arc<LagCode>) -> Self {
        Self(Arc::new(Mutex::new(Past {
            history: History::new(code.len()),
            parameters: Vec::new(),
            delays: vec![S::from(0.0); code.len()],
            start: Vec::new(),
            t0: 0.0,
            stretch: [0.0; 2],
            middle: 0.0,
            end: 0.0,
            scratch: Vec::new(),
            values: vec![S::from(0.0); 3 * code.len()],
            workspace: Workspace::default(),
            failed: false,
            code: Arc::clone(code),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Past<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run begins at t0 from x with parameters p, whose delayed values are put into `x`. Returns the least delay: no step may
    /// be longer.
    pub fn begin(&self, t0: S, x: &mut [S], p: &[S]) -> Result<f64, CallError> {
        self.lock().begin(t0, x, p)
    }

    /// Announces the stretch around `middle`.
    pub(super) fn enter(&self, middle: f64) {
        let past = &mut *self.lock();
        past.middle = middle;
        past.stretch = [past.end, 2.0 * middle - past.end];
    }

    /// Adds to the slopes of the delayed values at t what does not come of themselves: e'(t - tau) + e(t - tau) / tau.
    pub(super) fn force(&self, t: S, dx: &mut [S]) {
        let past = &mut *self.lock();
        for k in 0..past.delays.len() {
            let read = past.read(k, t);
            dx[past.code.first + k] += read.slope + read.value / past.delays[k];
        }
    }

    /// The derivative of that in time.
    pub(super) fn force_slope(&self, t: S, ft: &mut [S]) {
        let past = &mut *self.lock();
        for k in 0..past.delays.len() {
            let read = past.read(k, t);
            ft[past.code.first + k] += read.curvature + read.slope / past.delays[k];
        }
    }

    /// The run has come to the end of a stretch at t: puts the delayed values right after it into `x`. Whether one of them jumps.
    pub fn arrive(&self, t: S, x: &mut [S]) -> bool {
        let past = &mut *self.lock();
        let mut jumps = false;
        let (begun, now) = (past.stretch[0], t.value());
        for k in 0..past.delays.len() {
            past.stretch = [begun, now];
            let before = past.read(k, t).value.value();
            past.stretch = [now, f64::INFINITY];
            let after = past.read(k, t).value;
            // pieces meet to rounding where nothing jumps
            jumps |= (after.value() - before).abs() > 1e-12 * before.abs().max(after.value().abs());
            x[past.code.first + k] = after;
        }
        jumps
    }
}

impl<S: ModelScalar> Past<S> {
    fn begin(&mut self, t0: S, x: &mut [S], p: &[S]) -> Result<f64, CallError> {
        let code = Arc::clone(&self.code);
        self.history.clear();
        self.parameters.clear();
        self.parameters.extend_from_slice(p);
        self.t0 = t0.value();
        self.end = self.t0;
        self.failed = false;
        let time = [t0; 2];
        code.delays
            .evaluate(&time, &[], p, &mut self.delays, &mut self.workspace)?;
        // one may be of another, which comes before it
        self.stretch = [self.t0, f64::INFINITY];
        for k in 0..self.delays.len() {
            self.start.clear();
            self.start.extend_from_slice(x);
            x[code.first + k] = self.read(k, t0).value;
        }
        self.start.clear();
        self.start.extend_from_slice(x);
        let values = self.delays.iter().map(|delay| delay.value());
        Ok(values.fold(f64::INFINITY, f64::min))
    }

    /// Delayed value `k` at t, as the present stretch sees it.
    fn read(&mut self, k: usize, t: S) -> Reading<S> {
        let delay = self.delays[k];
        let then = t - delay;
        // the piece is found a few units in the last place inside the stretch
        let [start, end] = self.stretch;
        let size = start
            .abs()
            .max(if end.is_finite() { end.abs() } else { 0.0 });
        let room = 8.0 * f64::EPSILON * (size + delay.value());
        let [first, last] = [start - delay.value() + room, end - delay.value() - room];
        let inside = then.value().min(last).max(first);
        if inside >= self.t0
            && let Some(piece) = self.history.locate(inside)
        {
            return self.history.read(piece, k, then);
        }
        let middle = (self.middle - delay.value()).min(self.t0.next_down());
        let code = Arc::clone(&self.code);
        let time = [then, S::from(middle)];
        let done = code.before.evaluate(
            &time,
            &self.start,
            &self.parameters,
            &mut self.values,
            &mut self.workspace,
        );
        if done.is_err() {
            let nan = S::from(f64::NAN);
            return Reading {
                value: nan,
                slope: nan,
                curvature: nan,
            };
        }
        Reading {
            value: self.values[3 * k],
            slope: self.values[3 * k + 1],
            curvature: self.values[3 * k + 2],
        }
    }

    /// Keeps what happened during a step.
    fn keep(&mut self, step: &StepView<'_, S>) {
        let Self {
            code,
            history,
            parameters,
            scratch,
            workspace,
            failed,
            ..
        } = self;
        let count = code.len();
        scratch.resize(step.x.len(), S::from(0.0));
        let middle = S::from(step.stretch);
        let h = step.t_new - step.t;
        history.push(step.t, h, |theta, values| {
            let (t, x) = if theta == 0.0 {
                (step.t, step.x)
            } else if theta == 1.0 {
                (step.t_new, step.x_new)
            } else {
                step.interpolate(S::from(theta), scratch);
                (step.t + h * theta, &scratch[..])
            };
            let values = &mut values[..count];
            *failed |= code
                .values
                .evaluate(&[t, middle], x, parameters, values, workspace)
                .is_err();
        });
        self.end = step.t_new.value();
    }
}

/// Keeps the past of a run while it goes on, if anything reads it.
#[derive(Debug, Clone)]
pub struct PastRecorder<S: ModelScalar>(pub Option<SharedPast<S>>);

impl<S: ModelScalar> Recorder<S> for PastRecorder<S> {
    fn reads_inside(&self, _t: S, _t_new: S) -> bool {
        self.0.is_some()
    }
    fn accepted(&mut self, step: &StepView<'_, S>) -> bool {
        let Some(past) = &self.0 else { return true };
        let past = &mut *past.lock();
        past.keep(step);
        !past.failed
    }
}
