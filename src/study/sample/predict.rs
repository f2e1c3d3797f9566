//! What draws of the posterior say of the observables: quantiles of the model's value, and of new measurements.

use costate_solvers::NoRecord;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::chain::standard_normal;
use super::{Posterior, quantile};
use crate::scenario::NoiseModel;
use crate::study::error::StudyError;
use crate::study::grid::{noise_is_data, on_grid};
use crate::study::lane::Lane;
use crate::study::nudge::Nudge;
use crate::study::variable::Variable;
use crate::study::{Solving, Study};

/// An observable along a run of an experiment: quantiles over draws. All lists have one length.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictiveBand {
    /// the experiment
    pub experiment: usize,
    /// the observable
    pub observable: usize,
    /// times
    pub t: Vec<f64>,
    /// 5 %, 50 % and 95 % quantiles of the model's value
    pub model: [Vec<f64>; 3],
    /// the same of a measurement; NaN where its noise is not known between data
    pub measurement: [Vec<f64>; 3],
}

const LEVELS: [f64; 3] = [0.05, 0.5, 0.95];

/// Solves for at most `most` draws, evenly spaced over all of them, and reads the observables with data at `points` times.
/// Draws whose solve fails are left out; `seed` is that of the noise of measurements.
///
/// # Errors
/// Where no draw can be solved for.
pub fn predict(
    study: &Study,
    solving: &Solving,
    posterior: &Posterior,
    most: usize,
    points: usize,
    seed: u64,
) -> Result<Vec<PredictiveBand>, StudyError> {
    let grid = on_grid(study, points);
    let variables = Variable::fitted(&study.scenario);
    let all: Vec<&Vec<f64>> = posterior.draws.iter().flatten().collect();
    let count = most.min(all.len());
    let picked: Vec<usize> = (0..count).map(|k| k * all.len() / count.max(1)).collect();
    let base = study.values();
    let read: Vec<Result<Readings, StudyError>> = picked
        .par_iter()
        .map_init(
            || Lane::<f64>::new(&grid),
            |lane, &k| {
                let lane = lane.as_mut().map_err(|error| error.clone())?;
                lane.parameters.copy_from_slice(&base);
                for (variable, &value) in variables.iter().zip(all[k]) {
                    if let Variable::Parameter(i) = *variable {
                        lane.parameters[i] = value;
                    }
                }
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                random.set_stream(k as u64);
                readings(&grid, study, solving, lane, &mut random)
            },
        )
        .collect();
    let mut solved = Vec::with_capacity(count);
    let mut failure = None;
    for one in read {
        match one {
            Ok(readings) => solved.push(readings),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    if solved.is_empty() {
        return match failure {
            Some(error) => Err(error),
            None => Ok(Vec::new()),
        };
    }
    let mut bands = Vec::new();
    for (experiment, plan) in grid.plans.iter().enumerate() {
        for observable in 0..grid.scenario.observables.len() {
            let own: Vec<usize> = (0..plan.measurements.len())
                .filter(|&k| plan.measurements[k].observable == observable)
                .collect();
            if own.is_empty() {
                continue;
            }
            let over = |which: usize| {
                LEVELS.map(|level| {
                    own.iter()
                        .map(|&k| {
                            let sample: Vec<f64> =
                                solved.iter().map(|s| s[experiment][k][which]).collect();
                            quantile(&sample, level)
                        })
                        .collect::<Vec<f64>>()
                })
            };
            bands.push(PredictiveBand {
                experiment,
                observable,
                t: own
                    .iter()
                    .map(|&k| plan.times[plan.measurements[k].sample])
                    .collect(),
                model: over(0),
                measurement: over(1),
            });
        }
    }
    Ok(bands)
}

/// `[experiment][reading]`: the model's value and a measurement of it.
type Readings = Vec<Vec<[f64; 2]>>;

fn readings(
    grid: &Study,
    study: &Study,
    solving: &Solving,
    lane: &mut Lane<f64>,
    random: &mut ChaCha8Rng,
) -> Result<Readings, StudyError> {
    let mut all = Vec::with_capacity(grid.plans.len());
    for (experiment, plan) in grid.plans.iter().enumerate() {
        let mut own = Vec::with_capacity(plan.measurements.len());
        if !plan.measurements.is_empty() {
            lane.solve(grid, experiment, solving, None, &Nudge::none(), NoRecord)?;
            lane.observe(grid, experiment, |index, y, sigma| {
                let observable = plan.measurements[index].observable;
                let noise = sigma * standard_normal(random);
                let unknown = noise_is_data(study, experiment, observable);
                let model = study.noise[observable].filter(|_| !unknown);
                let measured = if model == Some(NoiseModel::Normal) {
                    y + noise
                } else if model == Some(NoiseModel::LogNormal) {
                    y * noise.exp()
                } else {
                    f64::NAN
                };
                own.push([y, measured]);
                Ok(())
            })?;
        }
        all.push(own);
    }
    Ok(all)
}
