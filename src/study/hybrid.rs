//! The events of a scenario as the solvers see them, and the log of what happened.

use costate_solvers::{Action, Direction, Hybrid};

use super::equations::Equations;
use super::run::RunError;
use crate::compile::{ModelScalar, SharedPast, Workspace};

/// One event that happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Happening<S> {
    /// when
    pub t: S,
    /// the event, by its place in the scenario
    pub event: usize,
    /// the mark of a [`costate_solvers::Trajectory`] of the solve that it belongs to
    pub mark: usize,
}

/// What happened along a solve.
#[derive(Debug, Clone)]
pub struct EventLog<S> {
    /// the events in the order in which they happened
    pub happenings: Vec<Happening<S>>,
    /// states before and after each of them, 2 n numbers each, where `keeps_states`
    pub states: Vec<S>,
    /// whether states are kept
    pub keeps_states: bool,
    /// the terminal event that ended the run, and when
    pub ended: Option<Happening<S>>,
}

impl<S> Default for EventLog<S> {
    fn default() -> Self {
        Self {
            happenings: Vec::new(),
            states: Vec::new(),
            keeps_states: false,
            ended: None,
        }
    }
}

impl<S> EventLog<S> {
    /// Forgets what happened.
    pub fn clear(&mut self) {
        self.happenings.clear();
        self.states.clear();
        self.ended = None;
    }
}

/// A scenario's events at held parameters.
pub(super) struct Handler<'a, S: ModelScalar> {
    pub equations: &'a Equations,
    pub parameters: &'a [S],
    pub workspace: &'a mut Workspace<S>,
    /// (index of the solve's times, event) of the time events
    pub due: &'a [(usize, usize)],
    /// the past, where delayed values read it
    pub past: Option<SharedPast<S>>,
    /// values of a reset before they are stored
    pub values: &'a mut Vec<S>,
    pub log: &'a mut EventLog<S>,
    /// how often the solver has turned here
    pub marks: usize,
    /// middle of the stretch; NaN before the first
    pub middle: f64,
    /// a function that could not be called: the solve is ended, this says why
    pub failed: Option<RunError>,
}

impl<S: ModelScalar> Handler<'_, S> {
    fn time(&self, t: S) -> [S; 2] {
        let middle = if self.middle.is_nan() {
            t.value()
        } else {
            self.middle
        };
        [t, S::from(middle)]
    }

    fn guard_holds(&mut self, event: usize, t: S, x: &[S]) -> bool {
        let Some(guard) = &self.equations.events.guards[event] else {
            return true;
        };
        let mut value = [S::from(0.0)];
        let time = self.time(t);
        let done = guard.evaluate(&time, x, self.parameters, &mut value, self.workspace);
        self.note(done);
        value[0].value() != 0.0
    }

    fn note(&mut self, done: Result<(), crate::compile::CallError>) {
        if let Err(error) = done {
            self.failed.get_or_insert(error.into());
        }
    }

    /// Makes one event happen.
    fn happen(&mut self, event: usize, t: S, x: &mut [S]) -> Action {
        if self.log.keeps_states {
            self.log.states.extend_from_slice(x);
        }
        let mut action = Action::Continue;
        if let Some((states, reset)) = &self.equations.events.resets[event] {
            self.values.resize(states.len(), S::from(0.0));
            let time = self.time(t);
            let done = reset.evaluate(&time, x, self.parameters, self.values, self.workspace);
            for (&state, &value) in states.iter().zip(self.values.iter()) {
                x[state] = value;
            }
            action = Action::Jumped;
            self.note(done);
        }
        if self.log.keeps_states {
            self.log.states.extend_from_slice(x);
        }
        let happening = Happening {
            t,
            event,
            mark: self.marks,
        };
        self.log.happenings.push(happening);
        if self.equations.events.terminal[event] {
            self.log.ended.get_or_insert(happening);
            action = Action::Terminate;
        }
        if self.failed.is_some() {
            action = Action::Terminate;
        }
        action
    }
}

/// The stronger of two consequences.
fn stronger(a: Action, b: Action) -> Action {
    match (a, b) {
        (Action::Terminate, _) | (_, Action::Terminate) => Action::Terminate,
        (Action::Jumped, _) | (_, Action::Jumped) => Action::Jumped,
        (Action::Continue, Action::Continue) => Action::Continue,
    }
}

impl<S: ModelScalar> Hybrid<S> for Handler<'_, S> {
    fn roots(&self) -> usize {
        self.equations.events.of_root.len()
    }

    fn direction(&self, root: usize) -> Direction {
        self.equations.events.directions[root]
    }

    fn root_values(&mut self, t: S, x: &[S], g: &mut [S]) {
        let time = self.time(t);
        let roots = &self.equations.events.roots;
        let done = roots.evaluate(&time, x, self.parameters, g, self.workspace);
        self.note(done);
    }

    fn armed(&mut self, root: usize, t: S, x: &[S]) -> bool {
        self.guard_holds(self.equations.events.of_root[root], t, x)
    }

    fn enter_stretch(&mut self, middle: f64) {
        self.middle = middle;
    }

    fn at_roots(&mut self, t: S, roots: &[usize], x: &mut [S]) -> Action {
        let mut action = Action::Continue;
        for &root in roots {
            let event = self.equations.events.of_root[root];
            action = stronger(action, self.happen(event, t, x));
        }
        self.marks += 1;
        action
    }

    fn at_stop(&mut self, stop: usize, t: S, x: &mut [S]) -> Action {
        let first = self.due.partition_point(|&(index, _)| index < stop);
        let mut action = Action::Continue;
        let due = self.due;
        for &(index, event) in &due[first..] {
            if index != stop {
                break;
            }
            if self.guard_holds(event, t, x) {
                action = stronger(action, self.happen(event, t, x));
            }
        }
        if let Some(past) = &self.past
            && past.arrive(t, x)
        {
            action = stronger(action, Action::Jumped);
        }
        self.marks += 1;
        action
    }
}
