//! An objective over many experiments, group by group, on all threads where that pays.
//!
//! Groups and the order in which their shares are summed depend on the number of experiments alone, so that the bits do not depend on
//! the number of threads.

use std::ops::Range;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::error::StudyError;
use super::lane::add;
use super::objective::Objective;

/// Groups at most.
const GROUPS: usize = 16;

/// An evaluation that takes less is done before other threads have been woken.
const WORTH_WAKING: Duration = Duration::from_micros(300);

/// What the work on one group leaves beside its share.
#[derive(Default)]
pub(super) struct Left {
    /// a gradient
    pub bars: Vec<f64>,
    /// least-squares rows
    pub rows: Vec<f64>,
    /// their Jacobian, column by column
    pub columns: Vec<f64>,
}

/// The groups of `experiments` experiments: neighbours, of nearly one size.
fn groups(experiments: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    let count = experiments.clamp(1, GROUPS);
    (0..count).map(move |k| k * experiments / count..(k + 1) * experiments / count)
}

impl<'a> Objective<'a> {
    /// Sums `work(objective, group)` over the groups; `take(left, group)` sees what each left, in order.
    pub(super) fn spread(
        &mut self,
        work: impl Fn(&mut Self, Range<usize>) -> Result<f64, StudyError> + Sync,
        mut take: impl FnMut(&Left, Range<usize>),
    ) -> Result<f64, StudyError> {
        let experiments = self.study.plans.len();
        if !self.worth_spreading {
            let begun = Instant::now();
            let mut total = 0.0;
            for group in groups(experiments) {
                total += work(self, group.clone())?;
                take(&self.left, group);
            }
            self.worth_spreading = experiments > 1
                && begun.elapsed() > WORTH_WAKING
                && rayon::current_num_threads() > 1
                && !self.study.equations.steps_are_shared();
            return Ok(total);
        }
        while self.parts.len() < groups(experiments).len() {
            let part = Objective::new(self.study, self.solving.clone(), self.stop)?;
            self.parts.push(part);
        }
        let shares: Vec<Result<f64, StudyError>> = self
            .parts
            .par_iter_mut()
            .zip(groups(experiments).collect::<Vec<_>>())
            .map(|(part, group)| work(part, group))
            .collect();
        let mut total = 0.0;
        for ((share, part), group) in shares
            .into_iter()
            .zip(&mut self.parts)
            .zip(groups(experiments))
        {
            total += share?;
            add(&mut self.statistics, std::mem::take(&mut part.statistics));
            take(&part.left, group);
        }
        Ok(total)
    }
}
