//! The record of a solve within bounds of memory: all steps while they fit, then checkpoints.
//!
//! A [`Ledger`] keeps the tape of all steps until that would take its share of the budget, and from then on the mesh (24
//! bytes a step) and the states at checkpoints alone. How many steps will come is not known: checkpoints are set every s
//! steps, and where they fill their share every other one is dropped and s doubled (as in the online schemes after
//! Stumm & Walther 2010, doi 10.1137/080742439). Backward, the parts between checkpoints are solved again one after the
//! other, and a part that does not fit the tape is divided by [`Checkpoints`] of its own. Where a part repeats the solve to
//! the last bit, the gradient has the same bits for any budget.

use costate_solvers::{Cause, Mesh, Position, Recorder, Scalar, SolveError, StepView};

use crate::Tape;

/// Shares of the budget: the tape, and the checkpoints. The rest is for the mesh, which grows with the steps.
const TAPE: usize = 8;
const CHECKPOINTS: usize = 32;
/// Bytes that a step of a tape and a checkpoint take beside their numbers.
const STEP: usize = 64;

/// States right before a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint<S = f64> {
    /// where the solve stands
    pub at: Position,
    /// the time
    pub t: S,
    /// the states
    pub x: Vec<S>,
}

/// Keeps checkpoints, of which there are `most` at most: where they would be more, every other one goes.
#[derive(Debug, Clone)]
pub struct Checkpoints<S = f64> {
    /// those kept, in order
    pub list: Vec<Checkpoint<S>>,
    at: Position,
    first: usize,
    spacing: usize,
    most: usize,
}

impl<S> Checkpoints<S> {
    /// None yet, from a position on, `spacing` steps apart at least.
    pub fn new(from: Position, spacing: usize, most: usize) -> Self {
        Self {
            list: Vec::new(),
            at: from,
            first: from.step,
            spacing: spacing.max(1),
            most: most.max(2),
        }
    }

    /// The step before which the part from checkpoint `i` ends, `end` being where the last does.
    pub fn end(&self, i: usize, end: usize) -> usize {
        self.list.get(i + 1).map_or(end, |next| next.at.step)
    }
}

impl<S: Scalar> Recorder<S> for Checkpoints<S> {
    fn reads_inside(&self, _t: S, _t_new: S) -> bool {
        false
    }

    fn happens(&mut self, cause: Cause<'_>, _t: S, _x: &[S]) {
        self.at.act += 1;
        self.at.stop += usize::from(matches!(cause, Cause::Stop(_)));
    }

    #[inline]
    fn accepted(&mut self, step: &StepView<'_, S>) -> bool {
        let number = self.at.step - self.first;
        if number.is_multiple_of(self.spacing) {
            if self.list.len() >= self.most {
                let mut kept = false;
                self.list.retain(|_| {
                    kept = !kept;
                    kept
                });
                self.spacing *= 2;
            }
            if number.is_multiple_of(self.spacing) {
                self.list.push(Checkpoint {
                    at: self.at,
                    t: step.t,
                    x: step.x.to_vec(),
                });
            }
        }
        self.at.step += 1;
        true
    }
}

/// The record of a solve for a backward sweep; pass it as the recorder.
#[derive(Debug, Clone)]
pub struct Ledger<S = f64> {
    budget: usize,
    tape: Tape<S>,
    /// the tape holds every step so far
    whole: bool,
    mesh: Mesh,
    start: Vec<S>,
    checkpoints: Checkpoints<S>,
    /// bytes that a step takes on the tape
    step_bytes: usize,
    /// a step ended at a root
    reaches_roots: bool,
}

impl<S: Scalar> Ledger<S> {
    /// A record within so many bytes, on tapes like `tape`; `usize::MAX`: without bounds.
    pub fn new(budget: usize, tape: Tape<S>) -> Self {
        Self {
            budget,
            tape,
            whole: true,
            mesh: Mesh::default(),
            start: Vec::new(),
            checkpoints: Checkpoints::new(Position::default(), 1, 2),
            step_bytes: STEP,
            reaches_roots: false,
        }
    }

    /// Whether a step ended at a root, so that times move.
    pub fn reaches_roots(&self) -> bool {
        self.reaches_roots
    }

    /// The tape of the whole solve, where it fits.
    pub fn tape(&self) -> Option<&Tape<S>> {
        self.whole.then_some(&self.tape)
    }

    /// What there is where it does not: the steps, the states at the start, checkpoints, and the tape to solve parts onto.
    pub fn parts(&mut self) -> (&Mesh, &[S], &Checkpoints<S>, &mut Tape<S>) {
        (&self.mesh, &self.start, &self.checkpoints, &mut self.tape)
    }

    /// Steps that the tape has room for, and checkpoints that a part may have of its own.
    pub fn room(&self) -> (usize, usize) {
        let steps = self.budget / TAPE / self.step_bytes;
        (steps.max(1), self.checkpoints.most)
    }
}

impl<S: Scalar> Recorder<S> for Ledger<S> {
    fn started(&mut self, times: &[S], x: &[S]) -> Result<(), SolveError> {
        (self.whole, self.reaches_roots) = (true, false);
        let most = self.budget / CHECKPOINTS / (STEP + 8 * S::WIDTH * x.len());
        self.checkpoints = Checkpoints::new(Position::default(), 1, most);
        self.start.clear();
        self.start.extend_from_slice(x);
        self.mesh.started(times, x)?;
        self.tape.started(times, x)
    }

    fn reads_inside(&self, t: S, t_new: S) -> bool {
        self.whole && self.tape.reads_inside(t, t_new)
    }

    fn happens(&mut self, cause: Cause<'_>, t: S, x: &[S]) {
        self.reaches_roots |= matches!(cause, Cause::Reached(_));
        if self.budget < usize::MAX {
            self.checkpoints.happens(cause, t, x);
            self.mesh.happens(cause, t, x);
        }
        if self.whole {
            self.tape.happens(cause, t, x);
        }
    }

    fn jumped(&mut self, t: S, x: &[S]) {
        if self.whole {
            self.tape.jumped(t, x);
        }
    }

    #[inline]
    fn accepted(&mut self, step: &StepView<'_, S>) -> bool {
        if self.budget == usize::MAX {
            return self.tape.accepted(step);
        }
        self.checkpoints.accepted(step);
        self.mesh.accepted(step);
        if self.whole {
            self.tape.accepted(step);
            self.step_bytes = STEP + 8 * S::WIDTH * (step.x.len() + step.stages.len());
            if (self.tape.steps().len() + 1) * self.step_bytes > self.budget / TAPE {
                self.whole = false;
                self.tape.forget();
            }
        }
        true
    }
}
