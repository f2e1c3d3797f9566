//! What draws of the posterior say of the observables: quantiles of the model's value, and of new measurements.

use costate_solvers::NoRecord;
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

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
            let noise = study.misfits[observable]
                .model
                .filter(|_| !noise_is_data(study, experiment, observable));
            let model = LEVELS.map(|level| {
                let values = own.iter().map(|&k| {
                    let y: Vec<f64> = sample(k).iter().map(|r| r[0]).collect();
                    quantile(&y, level)
                });
                values.collect()
            });
            let measurement = LEVELS.map(|level| {
                let values = own.par_iter().map(|&k| {
                    let noise = Noise::new(noise);
                    noise.map_or(f64::NAN, |noise| noise.mixture(&sample(k), level))
                });
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

/// A distribution of noise about a value: its shape, and the unit of its scale where it is of the logarithm of the value.
struct Noise {
    shape: Box<dyn Fn(f64) -> f64>,
    /// of sigma, in natural logarithms
    logarithm: Option<f64>,
    /// nothing to speak of is farther than so many scales
    reach: f64,
}

impl Noise {
    /// `None` where there is no model, and of counts.
    fn new(model: Option<NoiseModel>) -> Option<Self> {
        use NoiseModel as M;
        let logarithm = match model? {
            M::LogNormal | M::LogLaplace => Some(1.0),
            M::Log10Normal | M::Log10Laplace => Some(std::f64::consts::LN_10),
            _ => None,
        };
        let (shape, reach): (Box<dyn Fn(f64) -> f64>, f64) = match model? {
            M::Normal | M::LogNormal | M::Log10Normal => {
                let normal = Normal::standard();
                (Box::new(move |x| normal.cdf(x)), 8.0)
            }
            M::Laplace | M::LogLaplace | M::Log10Laplace => {
                let half = |x: f64| 0.5 * (-x.abs()).exp();
                let cdf = move |x: f64| if x < 0.0 { half(x) } else { 1.0 - half(x) };
                (Box::new(cdf), 40.0)
            }
            M::StudentT { degrees_of_freedom } => {
                let student = StudentsT::new(0.0, 1.0, degrees_of_freedom).ok()?;
                (Box::new(move |x| student.cdf(x)), 1e4)
            }
            M::Poisson | M::NegativeBinomial => return None,
        };
        Some(Self {
            shape,
            logarithm,
            reach,
        })
    }

    /// The quantile of the mixture of these distributions at values with their scales.
    fn mixture(&self, parts: &[[f64; 2]], level: f64) -> f64 {
        let part = |&[y, s]: &[f64; 2]| match self.logarithm {
            Some(unit) => [y.ln(), s * unit],
            None => [y, s],
        };
        let parts: Vec<[f64; 2]> = parts.iter().map(part).collect();
        let below = |x: f64| {
            let each = parts.iter().map(|&[y, s]| (self.shape)((x - y) / s));
            each.sum::<f64>() / parts.len() as f64
        };
        let edge = |side: f64| parts.iter().map(move |&[y, s]| y + side * self.reach * s);
        let (mut from, mut to) = (
            edge(-1.0).fold(f64::INFINITY, f64::min),
            edge(1.0).fold(f64::NEG_INFINITY, f64::max),
        );
        // to 2^-40 of the way
        for _ in 0..40 {
            let middle = 0.5 * (from + to);
            if below(middle) < level {
                from = middle;
            } else {
                to = middle;
            }
        }
        let x = 0.5 * (from + to);
        if self.logarithm.is_some() { x.exp() } else { x }
    }
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
        let mixture = |model, parts: &[[f64; 2]], level| {
            let noise = Noise::new(Some(model)).expect("no counts");
            noise.mixture(parts, level)
        };
        // one part is itself: the 95 % quantile of a normal distribution is 1.6448536269514722 deviations up
        let z = 1.644_853_626_951_472_2_f64;
        let one = mixture(NoiseModel::Normal, &[[3.0, 2.0]], 0.95);
        assert!((one - (3.0 + 2.0 * z)).abs() < 1e-9, "{one}");
        let one = mixture(NoiseModel::LogNormal, &[[3.0, 0.5]], 0.05);
        assert!((one - 3.0 * (-0.5 * z).exp()).abs() < 1e-9, "{one}");
        let one = mixture(NoiseModel::Log10Normal, &[[3.0, 0.5]], 0.05);
        assert!((one - 3.0 * 10f64.powf(-0.5 * z)).abs() < 1e-9, "{one}");
        // Laplace: half e^-x beyond x, so that 5 % are beyond ln 10
        let one = mixture(NoiseModel::Laplace, &[[3.0, 2.0]], 0.95);
        assert!((one - (3.0 + 2.0 * 10f64.ln())).abs() < 1e-9, "{one}");
        // Cauchy: 25 % are beyond 1
        let cauchy = NoiseModel::StudentT {
            degrees_of_freedom: 1.0,
        };
        let one = mixture(cauchy, &[[3.0, 2.0]], 0.75);
        assert!((one - 5.0).abs() < 1e-6, "{one}");
        // of two parts far apart, the 75 % quantile is the middle of the upper one
        let two = [[0.0, 1.0], [100.0, 1.0]];
        let upper = mixture(NoiseModel::Normal, &two, 0.75);
        assert!((upper - 100.0).abs() < 1e-6, "{upper}");
        assert!(Noise::new(None).is_none());
    }
}
