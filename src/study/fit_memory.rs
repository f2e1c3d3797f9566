//! What a fit keeps outside itself as it goes, so that one that was cut short can be gone on with.

use crate::optimize::Outcome;

/// Where a fit's starts begin.
#[derive(Debug, Clone, PartialEq)]
pub struct StartingPoints {
    /// the points on the search scale
    pub points: Vec<Vec<f64>>,
    /// where they come from: the points drawn, or the same ones
    pub drawn: Vec<Vec<f64>>,
    /// drawn points without a finite objective that gave their place to others
    pub replaced: usize,
    /// points tried for them; 0 where none were
    pub candidates: usize,
    /// evaluations which that took
    pub candidate_evaluations: usize,
}

impl StartingPoints {
    /// The index of the start that came of the lowest candidate.
    pub(super) fn lowest_candidate(&self) -> Option<usize> {
        // what no candidate led to begins where it was drawn
        (0..self.points.len()).find(|&i| self.points[i] != self.drawn[i])
    }
}

/// A fit's memory: what an earlier run of the same fit has found, and what this one finds, start by start.
///
/// Errors are words for the user; the first ends the fit, since what is found after it could be lost.
pub trait FitMemory: Sync {
    /// Called once, before anything else, with the objective at the file's values (not a number where there is none): the
    /// same number to the last bit as an earlier run's, or the fit is another one.
    ///
    /// Gives the starting points of the earlier run, if there was one.
    fn begin(&self, objective: f64) -> Result<Option<StartingPoints>, String>;

    /// Keeps the starting points of a run that has no earlier one.
    fn keep_starts(&self, starts: &StartingPoints) -> Result<(), String>;

    /// How start `index` ended in an earlier run, where it had ended.
    fn outcome(&self, index: usize) -> Option<Outcome>;

    /// Keeps the end of a start, called from any thread.
    fn keep_outcome(&self, index: usize, outcome: &Outcome) -> Result<(), String>;
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoMemory;

impl FitMemory for NoMemory {
    fn begin(&self, _: f64) -> Result<Option<StartingPoints>, String> {
        Ok(None)
    }

    fn keep_starts(&self, _: &StartingPoints) -> Result<(), String> {
        Ok(())
    }

    fn outcome(&self, _: usize) -> Option<Outcome> {
        None
    }

    fn keep_outcome(&self, _: usize, _: &Outcome) -> Result<(), String> {
        Ok(())
    }
}
