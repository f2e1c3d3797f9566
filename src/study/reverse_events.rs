//! A scenario's events in reverse: products with the transposed derivatives of root functions and resets.

use costate_adjoint::AdjointHybrid;
use costate_solvers::Cause;

use super::equations::{Equations, Events};
use super::run::RunError;
use crate::compile::{CallError, ModelScalar, Workspace};

/// A scenario's events at held parameters, for a backward sweep.
pub(super) struct ReverseHandler<'a, S: ModelScalar> {
    pub equations: &'a Equations,
    pub parameters: &'a [S],
    /// (index of the solve's times, event) of the time events
    pub due: &'a [(usize, usize)],
    pub buffers: &'a mut ReverseBuffers<S>,
    /// middle of the stretch; NaN before the first
    pub middle: f64,
    /// a function that could not be called: what the sweep gave is void
    pub failed: Option<RunError>,
}

/// Workspace of a [`ReverseHandler`].
#[derive(Debug, Default)]
pub(super) struct ReverseBuffers<S> {
    workspace: Workspace<S>,
    /// states before each of several events at one instant
    before: Vec<S>,
    /// the events that happen there
    events: Vec<usize>,
    state: Vec<S>,
    values: Vec<S>,
    weights: Vec<S>,
}

impl<S: ModelScalar> ReverseHandler<'_, S> {
    fn events(&self) -> &Events {
        &self.equations.events
    }

    fn time(&self, t: S) -> [S; 2] {
        let middle = if self.middle.is_nan() {
            t.value()
        } else {
            self.middle
        };
        [t, S::from(middle)]
    }

    fn note(&mut self, done: Result<(), CallError>) {
        if let Err(error) = done {
            self.failed.get_or_insert(error.into());
        }
    }

    /// Whether a time event whose turn it is happens.
    fn guard_holds(&mut self, event: usize, time: &[S; 2]) -> bool {
        let Some(guard) = &self.equations.events.guards[event] else {
            return true;
        };
        let mut value = [S::from(0.0)];
        let ReverseBuffers {
            workspace, state, ..
        } = self.buffers;
        let done = guard.evaluate(time, state, self.parameters, &mut value, workspace);
        self.note(done);
        value[0].value() != 0.0
    }

    /// Repeats what happened at (t, x): the events in their order and the states before each.
    fn repeat(&mut self, cause: Cause<'_>, t: S, x: &[S]) {
        let time = self.time(t);
        self.buffers.before.clear();
        self.buffers.events.clear();
        self.buffers.state.clear();
        self.buffers.state.extend_from_slice(x);
        match cause {
            Cause::Reached(roots) | Cause::Carried(roots) => {
                for &root in roots {
                    self.happen(self.events().of_root[root], &time);
                }
            }
            Cause::Stop(stop) => {
                let due = self.due;
                let first = due.partition_point(|&(index, _)| index < stop);
                for &(_, event) in due[first..].iter().take_while(|(index, _)| *index == stop) {
                    if self.guard_holds(event, &time) {
                        self.happen(event, &time);
                    }
                }
            }
        }
    }

    fn happen(&mut self, event: usize, time: &[S; 2]) {
        let ReverseBuffers {
            workspace,
            before,
            events,
            state,
            values,
            ..
        } = self.buffers;
        before.extend_from_slice(state);
        events.push(event);
        if let Some((states, reset)) = &self.equations.events.resets[event] {
            values.resize(states.len(), S::from(0.0));
            let done = reset.evaluate(time, state, self.parameters, values, workspace);
            for (&i, &value) in states.iter().zip(values.iter()) {
                state[i] = value;
            }
            self.note(done);
        }
    }
}

impl<S: ModelScalar> AdjointHybrid<S> for ReverseHandler<'_, S> {
    fn enter_stretch(&mut self, middle: f64) {
        self.middle = middle;
    }

    fn root_gradient(&mut self, root: usize, t: S, x: &[S], x_bar: &mut [S], p_bar: &mut [S]) -> S {
        let (time, p) = (self.time(t), self.parameters);
        let ReverseBuffers {
            workspace, weights, ..
        } = self.buffers;
        let roots = &self.equations.events.roots;
        weights.clear();
        weights.resize(roots.len(), S::from(0.0));
        weights[root] = S::from(1.0);
        let done = roots.vjp(&time, x, p, weights, x_bar, p_bar, workspace);
        let slope = roots.time_vjp(&time, x, p, weights, workspace);
        self.note(done);
        self.note(slope.map(|_| ()));
        slope.unwrap_or(S::from(f64::NAN))
    }

    fn act_vjp(&mut self, cause: Cause<'_>, t: S, x: &[S], lambda: &mut [S], p_bar: &mut [S]) -> S {
        self.repeat(cause, t, x);
        let (time, p, n) = (self.time(t), self.parameters, x.len());
        let mut t_bar = S::from(0.0);
        for k in (0..self.buffers.events.len()).rev() {
            let ReverseBuffers {
                workspace,
                before,
                events,
                weights,
                ..
            } = &mut *self.buffers;
            let Some((states, reset)) = &self.equations.events.resets[events[k]] else {
                continue;
            };
            weights.clear();
            weights.extend(states.iter().map(|&i| std::mem::take(&mut lambda[i])));
            let x = &before[k * n..(k + 1) * n];
            let done = reset.vjp(&time, x, p, weights, lambda, p_bar, workspace);
            let slope = reset.time_vjp(&time, x, p, weights, workspace);
            t_bar += slope.unwrap_or(S::from(f64::NAN));
            self.note(done);
            self.note(slope.map(|_| ()));
        }
        t_bar
    }
}
