//! What draws of the posterior say of the observables: quantiles of the model's value, and of new measurements.

use costate_solvers::NoRecord;
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal};

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
/// Draws whose solve fails are left out. The quantiles of measurements are those of the mixture of the draws' noises.
///
/// # Errors
/// Where no draw can be solved for.
pub fn predict(
    study: &Study,
    solving: &Solving,
    posterior: &Posterior,
    most: usize,
    points: usize,
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
                readings(&grid, solving, lane)
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
            let sample =
                |k: usize| -> Vec<[f64; 2]> { solved.iter().map(|s| s[experiment][k]).collect() };
            let noise =
                study.noise[observable].filter(|_| !noise_is_data(study, experiment, observable));
            let model = LEVELS.map(|level| {
                let values = own.iter().map(|&k| {
                    let y: Vec<f64> = sample(k).iter().map(|r| r[0]).collect();
                    quantile(&y, level)
                });
                values.collect()
            });
            let measurement = LEVELS.map(|level| {
                let values = own.par_iter().map(|&k| mixture(noise, &sample(k), level));
                values.collect()
            });
            bands.push(PredictiveBand {
                experiment,
                observable,
                t: own
                    .iter()
                    .map(|&k| plan.times[plan.measurements[k].sample])
                    .collect(),
                model,
                measurement,
            });
        }
    }
    Ok(bands)
}

/// The quantile of the mixture of normal or log-normal distributions at values with standard deviations; NaN of other noise.
fn mixture(noise: Option<NoiseModel>, parts: &[[f64; 2]], level: f64) -> f64 {
    let logarithmic = noise == Some(NoiseModel::LogNormal);
    if !logarithmic && noise != Some(NoiseModel::Normal) {
        return f64::NAN;
    }
    let place = |y: f64| if logarithmic { y.ln() } else { y };
    let parts: Vec<[f64; 2]> = parts.iter().map(|&[y, s]| [place(y), s]).collect();
    let normal = Normal::standard();
    let below = |x: f64| {
        let each = parts.iter().map(|&[y, s]| normal.cdf((x - y) / s));
        each.sum::<f64>() / parts.len() as f64
    };
    // nothing of any part is beyond eight of its standard deviations
    let edge = |side: f64| parts.iter().map(move |&[y, s]| y + side * 8.0 * s);
    let (mut from, mut to) = (
        edge(-1.0).fold(f64::INFINITY, f64::min),
        edge(1.0).fold(f64::NEG_INFINITY, f64::max),
    );
    // to 2^-32 of the way
    for _ in 0..32 {
        let middle = 0.5 * (from + to);
        if below(middle) < level {
            from = middle;
        } else {
            to = middle;
        }
    }
    let x = 0.5 * (from + to);
    if logarithmic { x.exp() } else { x }
}

/// `[experiment][reading]`: the model's value and the standard deviation of its noise.
type Readings = Vec<Vec<[f64; 2]>>;

fn readings(grid: &Study, solving: &Solving, lane: &mut Lane<f64>) -> Result<Readings, StudyError> {
    let mut all = Vec::with_capacity(grid.plans.len());
    for (experiment, plan) in grid.plans.iter().enumerate() {
        let mut own = Vec::with_capacity(plan.measurements.len());
        if !plan.measurements.is_empty() {
            lane.solve(grid, experiment, solving, None, &Nudge::none(), NoRecord)?;
            lane.observe(grid, experiment, |_, y, sigma| {
                own.push([y, sigma]);
                Ok(())
            })?;
        }
        all.push(own);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_mixtures() {
        // one part is itself: the 95 % quantile of a normal distribution is 1.6448536269514722 deviations up
        let one = mixture(Some(NoiseModel::Normal), &[[3.0, 2.0]], 0.95);
        assert!(
            (one - (3.0 + 2.0 * 1.644_853_626_951_472_2)).abs() < 1e-7,
            "{one}"
        );
        let one = mixture(Some(NoiseModel::LogNormal), &[[3.0, 0.5]], 0.05);
        assert!(
            (one - 3.0 * (-0.5 * 1.644_853_626_951_472_2_f64).exp()).abs() < 1e-7,
            "{one}"
        );
        // of two parts far apart, the median is between them and the 75 % quantile the middle of the upper one
        let two = [[0.0, 1.0], [100.0, 1.0]];
        let upper = mixture(Some(NoiseModel::Normal), &two, 0.75);
        assert!((upper - 100.0).abs() < 1e-6, "{upper}");
        assert!(mixture(None, &two, 0.5).is_nan());
    }
}
