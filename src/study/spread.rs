//! An objective over many experiments, group by group, on all threads where that pays.
//!
//! Groups and the order in which their shares are summed depend on the number of experiments alone, so that the bits do not depend on
//! the number of threads.

use std::iter;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    /// Sums `work(objective, group)` over the groups; `take(left)` sees what each left, in order.
    pub(super) fn spread(
        &mut self,
        work: impl Fn(&mut Self, Range<usize>) -> Result<f64, StudyError> + Sync,
        mut take: impl FnMut(&Left),
    ) -> Result<f64, StudyError> {
        let experiments = self.study.plans.len();
        let (mut total, mut alone) = (0.0, 0);
        if !self.worth_spreading {
            let others =
                rayon::current_num_threads() > 1 && !self.study.equations.steps_are_shared();
            let begun = Instant::now();
            for group in groups(experiments) {
                total += self.rescued(|own| work(own, group.clone()))?;
                take(&self.left);
                alone += 1;
                // as long as this for each group to come
                let left = (groups(experiments).len() - alone) as u32;
                if others && begun.elapsed() / alone as u32 * left > WORTH_WAKING {
                    self.worth_spreading = true;
                    break;
                }
            }
            if alone == groups(experiments).len() {
                return Ok(total);
            }
        }
        // an objective a thread, not a group: each compiles steps of its own
        let workers = rayon::current_num_threads().min(groups(experiments).len());
        while self.parts.len() < workers {
            let part = Objective::new(self.study, self.solving.clone(), self.stop)?;
            self.parts.push(part);
        }
        let next = AtomicUsize::new(alone);
        let mut done: Vec<(usize, Result<f64, StudyError>, Left)> = self
            .parts
            .par_iter_mut()
            .with_max_len(1)
            .flat_map_iter(|part| {
                let (next, work) = (&next, &work);
                iter::from_fn(move || {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let group = groups(experiments).nth(index)?;
                    let share = part.rescued(|own| work(own, group.clone()));
                    Some((index, share, std::mem::take(&mut part.left)))
                })
            })
            .collect();
        done.sort_unstable_by_key(|(index, ..)| *index);
        for part in &mut self.parts {
            add(&mut self.statistics, std::mem::take(&mut part.statistics));
        }
        for (_, share, left) in done {
            total += share?;
            take(&left);
        }
        Ok(total)
    }
}
