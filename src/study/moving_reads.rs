//! What a functional reads at times that parameters give, as in `at(x, dose_time + 2)`, and at the end of the run: steps end
//! there, so that the reading is the state of a stop that may move, exact and differentiated like any.

use costate_solvers::{Cause, Recorder, Scalar, SolveError, StepView};

use super::any_solver::StudyScalar;
use super::run::Run;

/// One reading.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MovingRead<S> {
    /// when
    pub t: S,
    /// the states, before what happens then
    pub x: Vec<S>,
    /// the mark of a [`costate_solvers::Trajectory`] of the solve that it belongs to
    pub mark: usize,
}

/// Records the readings of a solve.
pub(super) struct MovingReads<S> {
    /// of each, its index among the times of the solve
    wanted: Vec<usize>,
    /// those that were met
    pub found: Vec<Option<MovingRead<S>>>,
    marks: usize,
}

impl<S: StudyScalar> MovingReads<S> {
    /// So many times that parameters give, and the end of a prepared run behind them.
    pub fn of(run: &Run<S>, reads: usize, end: bool) -> Self {
        // (one that is outside the run is none of its times)
        let wanted = (0..reads).map(|read| run.read(read).unwrap_or(usize::MAX));
        let last = end.then_some(run.times.len().saturating_sub(1));
        let wanted: Vec<usize> = wanted.chain(last).collect();
        Self {
            found: vec![None; wanted.len()],
            wanted,
            marks: 0,
        }
    }
}

impl<S: Scalar> Recorder<S> for MovingReads<S> {
    fn started(&mut self, _times: &[S], _x: &[S]) -> Result<(), SolveError> {
        self.marks = 0;
        self.found.fill(None);
        Ok(())
    }
    fn reads_inside(&self, _t: S, _t_new: S) -> bool {
        false
    }
    fn happens(&mut self, cause: Cause<'_>, t: S, x: &[S]) {
        if let Cause::Stop(stop) = cause
            && let Some(read) = self.wanted.iter().position(|&wanted| wanted == stop)
        {
            let (x, mark) = (x.to_vec(), self.marks);
            self.found[read] = Some(MovingRead { t, x, mark });
        }
        self.marks += 1;
    }
    fn accepted(&mut self, _step: &StepView<'_, S>) -> bool {
        true
    }
}
