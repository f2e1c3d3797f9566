//! Recorders: what is kept of a solve.
//!
//! [`Samples`] keeps states at given times, [`Mesh`] the step sizes (for [`crate::integrate::replay`]),
//! [`Trajectory`] every step; a pair of recorders is a recorder; [`NoRecord`] keeps nothing and
//! [`StopFlag`] ends the solve from outside.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::SolveError;
use crate::events::Cause;
use crate::integrate::{check_times, invalid};
use crate::method::{Interpolant, Recorder, StepView};
use crate::scalar::Scalar;

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRecord;

impl<S: Scalar> Recorder<S> for NoRecord {
    fn reads_inside(&self, _t: S, _t_new: S) -> bool {
        false
    }
    #[inline]
    fn accepted(&mut self, _step: &StepView<'_, S>) -> bool {
        true
    }
}

impl<S: Scalar, A: Recorder<S>, B: Recorder<S>> Recorder<S> for (A, B) {
    fn started(&mut self, times: &[S], x: &[S]) -> Result<(), SolveError> {
        self.0.started(times, x)?;
        self.1.started(times, x)
    }
    #[inline]
    fn reads_inside(&self, t: S, t_new: S) -> bool {
        self.0.reads_inside(t, t_new) || self.1.reads_inside(t, t_new)
    }
    fn happens(&mut self, cause: Cause<'_>, t: S, x: &[S]) {
        self.0.happens(cause, t, x);
        self.1.happens(cause, t, x);
    }
    fn jumped(&mut self, t: S, x: &[S]) {
        self.0.jumped(t, x);
        self.1.jumped(t, x);
    }
    #[inline]
    fn accepted(&mut self, step: &StepView<'_, S>) -> bool {
        let first = self.0.accepted(step);
        let second = self.1.accepted(step);
        first && second
    }
}

impl<S: Scalar, R: Recorder<S> + ?Sized> Recorder<S> for &mut R {
    fn started(&mut self, times: &[S], x: &[S]) -> Result<(), SolveError> {
        (**self).started(times, x)
    }
    #[inline]
    fn reads_inside(&self, t: S, t_new: S) -> bool {
        (**self).reads_inside(t, t_new)
    }
    fn happens(&mut self, cause: Cause<'_>, t: S, x: &[S]) {
        (**self).happens(cause, t, x);
    }
    fn jumped(&mut self, t: S, x: &[S]) {
        (**self).jumped(t, x);
    }
    #[inline]
    fn accepted(&mut self, step: &StepView<'_, S>) -> bool {
        (**self).accepted(step)
    }
}

/// Ends the solve after the step during which the flag was raised (an interrupt, a time limit).
#[derive(Debug, Clone, Copy)]
pub struct StopFlag<'a>(pub &'a AtomicBool);

impl<S: Scalar> Recorder<S> for StopFlag<'_> {
    #[inline]
    fn reads_inside(&self, _t: S, _t_new: S) -> bool {
        false
    }
    #[inline]
    fn accepted(&mut self, _step: &StepView<'_, S>) -> bool {
        !self.0.load(Ordering::Relaxed)
    }
}

/// States at given times, through the dense output of the step that holds each.
///
/// A time that falls on a step's end gets the very state there, and one at t0 the initial state. The times
/// are scalars: a dual time moves with its parameter, a constant one stays where it is.
#[derive(Debug, Clone)]
pub struct Samples<S> {
    times: Vec<S>,
    values: Vec<S>,
    places: Vec<Place<S>>,
    n: usize,
    steps: usize,
    sign: f64,
}

/// Where a sample lies: x(t_step + theta h_step).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place<S = f64> {
    /// index of the step among the accepted ones; 0 with `theta` 0 for samples at t0
    pub step: usize,
    /// fraction of the step, in 0..=1
    pub theta: S,
}

impl<S: Scalar> Samples<S> {
    /// Samples at `times`, in the order in which the solve passes them; repeats are allowed.
    pub fn new(times: Vec<S>) -> Result<Self, SolveError> {
        if !times.is_empty() {
            check_times(&times)?;
        }
        Ok(Self {
            values: Vec::new(),
            places: Vec::with_capacity(times.len()),
            times,
            n: 0,
            steps: 0,
            sign: 1.0,
        })
    }
    /// Forgets what was recorded and keeps the times and the memory. A new solve does so by itself.
    pub fn clear(&mut self) {
        self.places.clear();
        self.steps = 0;
    }
    /// The times asked for.
    pub fn times(&self) -> &[S] {
        &self.times
    }
    /// Number of samples taken so far.
    pub fn len(&self) -> usize {
        self.places.len()
    }
    /// Whether no sample was taken yet.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
    /// State at sample `k`, n numbers. Empty where the solve did not get there.
    pub fn state(&self, k: usize) -> &[S] {
        if k < self.len() {
            &self.values[k * self.n..(k + 1) * self.n]
        } else {
            &[]
        }
    }
    /// The samples taken, one after the other, n numbers each.
    pub fn values(&self) -> &[S] {
        &self.values[..self.len() * self.n]
    }
    /// Step and fraction of each sample taken.
    pub fn places(&self) -> &[Place<S>] {
        &self.places
    }
}

impl<S: Scalar> Recorder<S> for Samples<S> {
    fn started(&mut self, times: &[S], x: &[S]) -> Result<(), SolveError> {
        self.clear();
        self.n = x.len();
        self.values.resize(self.times.len() * self.n, S::from(0.0));
        let (Some(t0), Some(t1)) = (times.first(), times.last()) else {
            return Ok(());
        };
        self.sign = if t1.value() < t0.value() { -1.0 } else { 1.0 };
        let before = |a: S, b: S| (a.value() - b.value()) * self.sign < 0.0;
        let (Some(&first), Some(&last)) = (self.times.first(), self.times.last()) else {
            return Ok(());
        };
        if before(first, *t0) || before(*t1, last) || before(last, first) {
            return Err(invalid(&format!(
                "samples from {} to {} for a solve from {} to {}",
                first.value(),
                last.value(),
                t0.value(),
                t1.value()
            )));
        }
        if t0.value() == t1.value() {
            // no step will come: every sample is the initial state
            for k in 0..self.times.len() {
                self.values[k * self.n..(k + 1) * self.n].copy_from_slice(x);
                self.places.push(Place {
                    step: 0,
                    theta: S::from(0.0),
                });
            }
        }
        Ok(())
    }

    #[inline]
    fn reads_inside(&self, t: S, t_new: S) -> bool {
        let (start, end) = (t.value() * self.sign, t_new.value() * self.sign);
        let mut rest = self.times[self.places.len()..]
            .iter()
            .map(|next| next.value() * self.sign);
        if S::WIDTH > 1 {
            // times at either end whose tangents move are interpolated, too
            rest.next().is_some_and(|next| next <= end)
        } else {
            // a time at the start takes the state there, whatever follows it
            rest.find(|&next| next > start)
                .is_some_and(|next| next < end)
        }
    }

    #[inline]
    fn accepted(&mut self, step: &StepView<'_, S>) -> bool {
        let n = self.n;
        let end = step.t_new.value() * self.sign;
        while let Some(&time) = self.times.get(self.places.len())
            && time.value() * self.sign <= end
        {
            let k = self.places.len();
            let out = &mut self.values[k * n..(k + 1) * n];
            let at_start = time.value() == step.t.value();
            let at_end = time.value() == step.t_new.value();
            if at_start || at_end {
                let (state, fraction) = if at_end {
                    (step.x_new, 1.0)
                } else {
                    (step.x, 0.0)
                };
                let edge = if at_end { step.t_new } else { step.t };
                let moves = (1..S::WIDTH).any(|part| time.part(part) != edge.part(part));
                let mut place = S::from(fraction);
                if moves {
                    // the tangents of x(time), time moving relative to the edge; the value is the edge's
                    let theta = S::from_parts(|part| {
                        if part == 0 {
                            fraction
                        } else {
                            ((time - step.t) / step.h).part(part)
                        }
                    });
                    place = theta;
                    step.interpolate(theta, out);
                    for (o, s) in out.iter_mut().zip(state) {
                        let tangents = *o;
                        *o = S::from_parts(|part| {
                            if part == 0 {
                                s.value()
                            } else {
                                tangents.part(part)
                            }
                        });
                    }
                } else {
                    out.copy_from_slice(state);
                }
                self.places.push(Place {
                    step: self.steps,
                    theta: place,
                });
            } else {
                let theta = (time - step.t) / step.h;
                step.interpolate(theta, out);
                self.places.push(Place {
                    step: self.steps,
                    theta,
                });
            }
        }
        self.steps += 1;
        true
    }
}

/// When the solve turned to the discrete part of its system, and why.
#[derive(Debug, Clone, Default, PartialEq)]
struct Acts {
    list: Vec<Act>,
    /// the roots of all acts, one after the other
    roots: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Act {
    /// steps accepted before
    step: usize,
    /// `None`: roots
    stop: Option<usize>,
    reached: bool,
    /// end of its roots among those of all
    roots: usize,
}

impl Acts {
    fn clear(&mut self) {
        self.list.clear();
        self.roots.clear();
    }
    fn push(&mut self, step: usize, cause: Cause<'_>) {
        let (stop, reached) = match cause {
            Cause::Stop(stop) => (Some(stop), false),
            Cause::Reached(roots) | Cause::Carried(roots) => {
                self.roots.extend_from_slice(roots);
                (None, matches!(cause, Cause::Reached(_)))
            }
        };
        self.list.push(Act {
            step,
            stop,
            reached,
            roots: self.roots.len(),
        });
    }
    /// Steps before act `i`, and its cause.
    fn get(&self, i: usize) -> Option<(usize, Cause<'_>)> {
        let act = self.list.get(i)?;
        let first = i.checked_sub(1).map_or(0, |before| self.list[before].roots);
        let roots = &self.roots[first..act.roots];
        let cause = match act.stop {
            Some(stop) => Cause::Stop(stop),
            None if act.reached => Cause::Reached(roots),
            None => Cause::Carried(roots),
        };
        Some((act.step, cause))
    }
}

/// One step of a mesh.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeshStep {
    /// step size, either sign
    pub h: f64,
    /// first step of a stretch
    pub restarted: bool,
    /// middle of its stretch
    pub stretch: f64,
    /// how the method made it, in its own code (multistep methods: order and state); 0 in the plain way
    pub mode: u8,
}

/// The accepted steps of a solve, enough to repeat it to the last bit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mesh {
    /// the steps in order
    pub steps: Vec<MeshStep>,
    acts: Acts,
}

impl Mesh {
    /// `per_stretch` equal steps between each two neighbors of `times`, empty stretches left out.
    pub fn uniform(times: &[f64], per_stretch: usize) -> Self {
        let mut steps = Vec::new();
        for w in times.windows(2).filter(|w| w[0] != w[1]) {
            let h = (w[1] - w[0]) / per_stretch.max(1) as f64;
            for k in 0..per_stretch.max(1) {
                steps.push(MeshStep {
                    h,
                    restarted: k == 0,
                    stretch: w[0] + 0.5 * (w[1] - w[0]),
                    mode: 0,
                });
            }
        }
        Self {
            steps,
            acts: Acts::default(),
        }
    }
    /// Act `i` of the discrete part, stop times among them: the steps before it, and its cause.
    pub fn act(&self, i: usize) -> Option<(usize, Cause<'_>)> {
        self.acts.get(i)
    }
}

impl<S: Scalar> Recorder<S> for Mesh {
    fn started(&mut self, _times: &[S], _x: &[S]) -> Result<(), SolveError> {
        self.steps.clear();
        self.acts.clear();
        Ok(())
    }
    fn reads_inside(&self, _t: S, _t_new: S) -> bool {
        false
    }
    fn happens(&mut self, cause: Cause<'_>, _t: S, _x: &[S]) {
        self.acts.push(self.steps.len(), cause);
    }
    #[inline]
    fn accepted(&mut self, step: &StepView<'_, S>) -> bool {
        self.steps.push(MeshStep {
            h: step.h.value(),
            restarted: step.restarted,
            stretch: step.stretch,
            mode: step.mode,
        });
        true
    }
}

/// Every accepted step with its states and stages: all that dense output and an adjoint need.
#[derive(Debug, Clone, Default)]
pub struct Trajectory<S> {
    steps: Vec<TrajectoryStep<S>>,
    /// (number of steps + 1) * n
    states: Vec<S>,
    stages: Vec<S>,
    n: usize,
    stages_per_step: usize,
    acts: Acts,
    /// of each act: its time, and where the states before it are kept
    marks: Vec<(S, Option<usize>)>,
    mark_states: Vec<S>,
    /// the state at the last stop, until it is known whether it jumped
    pending: Vec<S>,
    /// dense output is ready only where another recorder asked for it
    sparse: bool,
    interpolant: Option<Interpolant<S>>,
}

/// A mark of a [`Trajectory`]: where the discrete part of a hybrid system acted, or might have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MarkView<'a, S> {
    /// steps accepted before
    pub step: usize,
    /// when
    pub t: S,
    /// why
    pub cause: Cause<'a>,
    /// the states before; `None` where they did not change and a step ends here
    pub state: Option<&'a [S]>,
}

/// Time, size and stretch of a step of a [`Trajectory`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrajectoryStep<S> {
    /// time at the start
    pub t: S,
    /// step size, either sign
    pub h: S,
    /// time at the end
    pub t_new: S,
    /// first step of a stretch
    pub restarted: bool,
    /// middle of its stretch
    pub stretch: f64,
    /// how the method made it: see [`MeshStep::mode`]
    pub mode: u8,
}

impl<S: Scalar> Trajectory<S> {
    /// An empty trajectory.
    pub fn new() -> Self {
        Self {
            steps: Vec::new(),
            states: Vec::new(),
            stages: Vec::new(),
            n: 0,
            stages_per_step: 0,
            acts: Acts::default(),
            marks: Vec::new(),
            mark_states: Vec::new(),
            pending: Vec::new(),
            sparse: false,
            interpolant: None,
        }
    }
    /// The same without what dense output needs beyond the steps themselves, but where another recorder asks for it.
    pub fn sparse() -> Self {
        Self {
            sparse: true,
            ..Self::new()
        }
    }
    /// Forgets all but the memory.
    pub fn forget(&mut self) {
        self.steps.clear();
        self.states.clear();
        self.stages.clear();
        self.acts.clear();
        self.marks.clear();
        self.mark_states.clear();
    }
    /// Number of marks: one at each of the times given to the solve, and one each time that roots fired.
    pub fn marks(&self) -> usize {
        self.marks.len()
    }
    /// Mark `i`, in the order in which the solve made them.
    pub fn mark(&self, i: usize) -> Option<MarkView<'_, S>> {
        let (step, cause) = self.acts.get(i)?;
        let &(t, state) = self.marks.get(i)?;
        Some(MarkView {
            step,
            t,
            cause,
            state: state.map(|at| &self.mark_states[at..at + self.n]),
        })
    }
    /// The accepted steps in order.
    pub fn steps(&self) -> &[TrajectoryStep<S>] {
        &self.steps
    }
    /// State at the start of step `i`, or at the end of the solve for `i` = number of steps.
    pub fn state(&self, i: usize) -> &[S] {
        self.states
            .get(i * self.n..(i + 1) * self.n)
            .unwrap_or_default()
    }
    /// How states, stages and sizes of steps make the states in between: the dense output of the method that solved.
    /// Before the first step there is none, and this one keeps the state.
    pub fn interpolant(&self) -> Interpolant<S> {
        self.interpolant
            .unwrap_or(|_, _, x, _, _, out| out.copy_from_slice(x))
    }
    /// Stages of step `i`, as the method lays them out.
    pub fn stages(&self, i: usize) -> &[S] {
        let width = self.n * self.stages_per_step;
        self.stages
            .get(i * width..(i + 1) * width)
            .unwrap_or_default()
    }
}

impl<S: Scalar> Recorder<S> for Trajectory<S> {
    fn started(&mut self, _times: &[S], x: &[S]) -> Result<(), SolveError> {
        self.forget();
        self.n = x.len();
        self.states.extend_from_slice(x);
        Ok(())
    }
    fn reads_inside(&self, _t: S, _t_new: S) -> bool {
        !self.sparse
    }
    fn happens(&mut self, cause: Cause<'_>, t: S, x: &[S]) {
        let step = self.steps.len();
        // a stop that a step ends at keeps its state only if that is about to change
        let last = self.acts.list.last();
        let wait = matches!(cause, Cause::Stop(_)) && last.is_none_or(|last| last.step < step);
        let state = (!wait).then_some(self.mark_states.len());
        if wait {
            self.pending.clear();
            self.pending.extend_from_slice(x);
        } else {
            self.mark_states.extend_from_slice(x);
        }
        self.acts.push(step, cause);
        self.marks.push((t, state));
    }
    fn jumped(&mut self, _t: S, x: &[S]) {
        if let Some((_, state @ None)) = self.marks.last_mut() {
            *state = Some(self.mark_states.len());
            self.mark_states.extend_from_slice(&self.pending);
        }
        // where no step follows, the last state is that after the jump
        let last = self.states.len() - self.n;
        self.states[last..].copy_from_slice(x);
    }
    fn accepted(&mut self, step: &StepView<'_, S>) -> bool {
        self.stages_per_step = step.stages.len() / step.x.len().max(1);
        self.interpolant = Some(step.interpolant);
        if step.restarted {
            // a jump, or the search for consistent states, may have moved it
            let start = self.states.len() - self.n;
            self.states[start..].copy_from_slice(step.x);
        }
        self.steps.push(TrajectoryStep {
            t: step.t,
            h: step.h,
            t_new: step.t_new,
            restarted: step.restarted,
            stretch: step.stretch,
            mode: step.mode,
        });
        self.states.extend_from_slice(step.x_new);
        self.stages.extend_from_slice(step.stages);
        true
    }
}
