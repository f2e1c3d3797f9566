//! What is observed, at equidistant times: a study like another, whose plans read a grid in place of data.

use std::sync::Arc;

use super::Study;
use super::plan::{ExperimentPlan, Measurement};

/// The observables with data, of each experiment, at `points` times from the start to its last measurement. (Not further:
/// a run may end there.)
pub(super) fn on_grid(study: &Study, points: usize) -> Study {
    let plans = study
        .plans
        .iter()
        .map(|plan| grid(study, plan, points.max(2)))
        .collect();
    Study {
        scenario: study.scenario.clone(),
        equations: Arc::clone(&study.equations),
        backend: study.backend,
        plans,
        misfits: study.misfits.clone(),
        moving_stops: study.moving_stops,
        inner: None,
    }
}

fn grid(study: &Study, plan: &ExperimentPlan, points: usize) -> ExperimentPlan {
    let (start, Some(&end)) = (study.scenario.start, plan.times.last()) else {
        return ExperimentPlan::default();
    };
    if end == start {
        return ExperimentPlan::default();
    }
    let last = (points - 1) as f64;
    let times = (0..points).map(|k| {
        if k == points - 1 {
            end
        } else {
            start + (end - start) * (k as f64 / last)
        }
    });
    let observed: Vec<usize> = (0..study.scenario.observables.len())
        .filter(|&o| plan.measurements.iter().any(|m| m.observable == o))
        .collect();
    ExperimentPlan {
        times: times.collect(),
        measurements: (0..points)
            .flat_map(|sample| observed.iter().map(move |&o| (sample, o)))
            .map(|(sample, observable)| Measurement {
                sample,
                observable,
                value: f64::NAN,
                sigma: None,
            })
            .collect(),
    }
}

/// Whether the standard deviation of an observable is a column of the data, which says nothing of times between them.
pub(super) fn noise_is_data(study: &Study, experiment: usize, observable: usize) -> bool {
    let mut measurements = study.plans[experiment].measurements.iter();
    measurements.any(|m| m.observable == observable && m.sigma.is_some())
}
