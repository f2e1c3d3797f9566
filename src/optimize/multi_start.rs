//! Many starts of a local method, in parallel, with the same answer whatever the number of threads.
//!
//! Each start runs alone, on a problem its closure makes for itself, so nothing is shared and nothing depends on the
//! order of work. Results come back in the order of the starts. A start that fails is a result too.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::outcome::{Outcome, Status};
use super::problem::EvaluationError;

/// One start and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct StartResult {
    /// position among the starts
    pub index: usize,
    /// the starting point (length m)
    pub start: Vec<f64>,
    /// the run's outcome, or why there was none
    pub outcome: Result<Outcome, EvaluationError>,
}

impl StartResult {
    /// The value reached, where there is one.
    pub fn value(&self) -> Option<f64> {
        self.outcome
            .as_ref()
            .ok()
            .filter(|o| !matches!(o.status, Status::Failed { .. }))
            .map(|o| o.value)
            .filter(|v| v.is_finite())
    }
}

/// Runs `run(index, start, interrupted)` for each start over `threads` threads (those of the pool it is called in where none is named).
///
/// Once `interrupted` is set, starts not yet begun come back as [`EvaluationError::Interrupted`]; a start under way sees
/// the flag through its third argument, typically from the method's callback, and ends with its best point. Threads
/// that cannot be had are done without: the starts then run one after another.
pub fn multi_start<F>(
    starts: &[Vec<f64>],
    threads: Option<usize>,
    interrupted: &AtomicBool,
    run: F,
) -> Vec<StartResult>
where
    F: Fn(usize, &[f64], &AtomicBool) -> Result<Outcome, EvaluationError> + Sync,
{
    let one = |(index, start): (usize, &Vec<f64>)| StartResult {
        index,
        start: start.clone(),
        outcome: if interrupted.load(Ordering::Relaxed) {
            Err(EvaluationError::Interrupted)
        } else {
            run(index, start, interrupted)
        },
    };
    let serial = || starts.iter().enumerate().map(one).collect();
    // One start a task: they differ too much in length to be dealt out in blocks.
    let parallel = || {
        let starts = starts.par_iter().enumerate().with_max_len(1);
        starts.map(one).collect()
    };
    match threads {
        Some(1) => serial(),
        None => parallel(),
        Some(count) => match rayon::ThreadPoolBuilder::new().num_threads(count).build() {
            Ok(pool) => pool.install(parallel),
            Err(_) => serial(),
        },
    }
}

/// The results from best to worst value; equal values in start order, those without a value last.
pub fn ranked(results: &[StartResult]) -> Vec<&StartResult> {
    let mut order: Vec<&StartResult> = results.iter().collect();
    order.sort_by(|a, b| {
        let key = |r: &StartResult| r.value().unwrap_or(f64::INFINITY);
        key(a).total_cmp(&key(b)).then(a.index.cmp(&b.index))
    });
    order
}

/// The outcome with the lowest value; the earliest start among equals, `None` where no start has a value.
pub fn best(results: &[StartResult]) -> Option<&StartResult> {
    ranked(results).into_iter().find(|r| r.value().is_some())
}
