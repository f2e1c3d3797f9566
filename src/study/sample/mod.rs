//! The posterior of the parameters by draws: exp(-objective), with the priors of the scenario, flat in natural parameters
//! inside their bounds where there is none.
//!
//! Hamiltonian trajectories that turn back by themselves (NUTS: Hoffman & Gelman 2014; multinomial, Betancourt 2017,
//! arXiv 1701.02434), by the crate nuts-rs, on exact gradients. Chains run in parallel, each with its own stream of random
//! numbers, so that the bits do not depend on the number of threads.

mod chain;
mod convergence;
mod density;
mod predict;
mod unconstrained;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;

pub use self::convergence::{Convergence, convergence, mean_size, quantile};
pub use self::predict::{PredictiveBand, predict};

use self::chain::Chain;
use self::density::{Density, Whitening};
use self::unconstrained::Coordinate;
use super::error::StudyError;
use super::fit_problem::FitProblem;
use super::scaling;
use super::variable::Variable;
use super::{Solving, Study};
use crate::scenario::Parameter;

/// How to sample.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleSettings {
    /// chains
    pub chains: usize,
    /// draws of each chain after tuning
    pub draws: usize,
    /// draws for tuning, which are thrown away
    pub warmup: usize,
    /// of the random numbers
    pub seed: u64,
    /// acceptance that the step size is tuned for: nearer to 1, steps are shorter
    pub acceptance: f64,
    /// a trajectory has at most 2^depth steps
    pub depth: u64,
}

impl Default for SampleSettings {
    fn default() -> Self {
        Self {
            chains: 4,
            draws: 1000,
            warmup: 500,
            seed: 1,
            acceptance: 0.8,
            depth: 10,
        }
    }
}

/// Draws and what they tell.
#[derive(Debug, Clone)]
pub struct Posterior {
    /// names of the fitted parameters
    pub names: Vec<String>,
    /// `draws[chain][draw][parameter]`, natural scale
    pub draws: Vec<Vec<Vec<f64>>>,
    /// -objective of each draw, by chain
    pub log_densities: Vec<Vec<f64>>,
    /// summary of each parameter
    pub summaries: Vec<Summary>,
    /// convergence of -objective
    pub log_density: Convergence,
    /// trajectories that were lost, after tuning
    pub divergences: Vec<Divergence>,
    /// those during tuning
    pub tuning_divergences: usize,
    /// draws whose trajectory was ended by its greatest length
    pub longest: usize,
    /// evaluations of the gradient
    pub gradients: u64,
    /// the step sizes that chains came to, in whitened coordinates
    pub steps: Vec<f64>,
    /// chains that ended early, and why
    pub failures: Vec<(usize, String)>,
    /// flat priors without a bound: there may be no posterior
    pub improper: Vec<String>,
    /// whether the user ended it
    pub interrupted: bool,
    /// how the solves were done
    pub solving: Solving,
}

/// The marginal of one quantity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// mean
    pub mean: f64,
    /// standard deviation
    pub deviation: f64,
    /// 5 % quantile
    pub low: f64,
    /// median
    pub median: f64,
    /// 95 % quantile
    pub high: f64,
    /// Monte Carlo standard error of the mean
    pub mean_error: f64,
    /// R-hat and effective sizes
    pub convergence: Convergence,
}

/// A trajectory that could not be followed: its draw is not that of the posterior's own density.
#[derive(Debug, Clone, PartialEq)]
pub struct Divergence {
    /// chain
    pub chain: usize,
    /// draw
    pub draw: usize,
    /// where it began to go wrong, natural scale
    pub parameters: Vec<f64>,
    /// the cause in words
    pub reason: String,
}

/// What a watcher is told.
#[derive(Debug, Clone, Copy)]
pub struct SampleProgress {
    /// draws of all chains so far, tuning included
    pub drawn: usize,
    /// draws in all
    pub draws: usize,
}

/// Samples the parameters marked fit, started near `best` (all parameters, natural scale). `stop` ends the work with the
/// draws so far; the same seed gives the same bits at any thread count.
///
/// # Errors
/// [`StudyError::NothingToFit`], [`StudyError::NoData`], those of a solve at the best fit; the reason of the first chain
/// where none drew anything.
pub fn sample(
    study: &Study,
    best: &[f64],
    settings: &SampleSettings,
    stop: &AtomicBool,
    watch: &(dyn Fn(SampleProgress) + Sync),
) -> Result<Posterior, StudyError> {
    let variables = Variable::fitted(&study.scenario);
    if variables.is_empty() {
        return Err(StudyError::NothingToFit);
    }
    if study.measurements() == 0 {
        return Err(StudyError::NoData);
    }
    let solving = Solving::choose(study)?;
    let fitted: Vec<(usize, &Parameter)> = study
        .scenario
        .parameters
        .iter()
        .enumerate()
        .filter(|(_, p)| p.fit)
        .collect();
    let (lower, upper): (Vec<f64>, Vec<f64>) = fitted
        .iter()
        .map(|(_, p)| {
            let [low, high] = scaling::scaled_bounds(p);
            (low, high)
        })
        .unzip();
    let problem = || FitProblem::new(study, &solving, &variables, (&lower, &upper), stop);
    let coordinates: Vec<Coordinate> = fitted.iter().map(|(_, p)| Coordinate::new(p)).collect();
    let improper = fitted
        .iter()
        .zip(&coordinates)
        .filter(|((_, p), c)| p.prior.is_none() && c.unbounded())
        .map(|((_, p), _)| p.name.text.clone())
        .collect();
    let values: Vec<f64> = fitted.iter().map(|&(i, _)| best[i]).collect();
    let whitening = Whitening::new(&mut problem()?, coordinates, &values).map_err(|error| {
        if stop.load(Ordering::Relaxed) {
            return StudyError::Interrupted;
        }
        StudyError::NoStartFinished {
            starts: 1,
            reason: error.to_string(),
        }
    })?;
    let drawn = AtomicUsize::new(0);
    let each = || {
        watch(SampleProgress {
            drawn: drawn.fetch_add(1, Ordering::Relaxed) + 1,
            draws: settings.chains * (settings.warmup + settings.draws),
        });
    };
    let chains: Vec<Result<Chain, StudyError>> = (0..settings.chains)
        .into_par_iter()
        .with_max_len(1)
        .map(|index| {
            let density = Density {
                problem: problem()?,
                whitening: &whitening,
            };
            Ok(chain::run(density, index, settings, stop, &each))
        })
        .collect();
    let chains = chains.into_iter().collect::<Result<Vec<_>, _>>()?;
    let interrupted = stop.load(Ordering::Relaxed);
    if chains.iter().all(|c| c.draws.is_empty()) {
        if interrupted {
            return Err(StudyError::Interrupted);
        }
        let reason = chains.iter().find_map(|c| c.failure.clone());
        return Err(StudyError::NoStartFinished {
            starts: chains.len(),
            reason: reason.unwrap_or_else(|| "no draws were asked for".into()),
        });
    }
    let failures = chains.iter().enumerate();
    Ok(Posterior {
        names: fitted.iter().map(|(_, p)| p.name.text.clone()).collect(),
        summaries: (0..fitted.len())
            .map(|i| Summary::new(&columns(&chains, |c, k| c.draws[k][i])))
            .collect(),
        log_density: convergence(&columns(&chains, |c, k| c.log_densities[k])),
        divergences: chains.iter().flat_map(|c| c.divergences.clone()).collect(),
        tuning_divergences: chains.iter().map(|c| c.tuning_divergences).sum(),
        longest: chains.iter().map(|c| c.longest).sum(),
        gradients: chains.iter().map(|c| c.gradients).sum(),
        steps: chains.iter().map(|c| c.step).collect(),
        failures: failures
            .filter_map(|(k, c)| c.failure.clone().map(|reason| (k, reason)))
            .collect(),
        log_densities: chains.iter().map(|c| c.log_densities.clone()).collect(),
        draws: chains.into_iter().map(|c| c.draws).collect(),
        improper,
        interrupted,
        solving,
    })
}

/// One quantity by chain; chains that drew nothing are left out.
fn columns(chains: &[Chain], of: impl Fn(&Chain, usize) -> f64) -> Vec<Vec<f64>> {
    chains
        .iter()
        .filter(|chain| !chain.draws.is_empty())
        .map(|chain| (0..chain.draws.len()).map(|k| of(chain, k)).collect())
        .collect()
}

impl Summary {
    /// Of draws by chain.
    pub fn new(chains: &[Vec<f64>]) -> Self {
        let all: Vec<f64> = chains.iter().flatten().copied().collect();
        let count = all.len() as f64;
        let mean = all.iter().sum::<f64>() / count;
        let squares: f64 = all.iter().map(|x| (x - mean) * (x - mean)).sum();
        let deviation = (squares / (count - 1.0)).sqrt();
        Self {
            mean,
            deviation,
            low: quantile(&all, 0.05),
            median: quantile(&all, 0.5),
            high: quantile(&all, 0.95),
            mean_error: deviation / mean_size(chains).sqrt(),
            convergence: convergence(chains),
        }
    }
}

/// A parameter whose divergences gather on one side.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// the parameter, by its place among those fitted
    pub parameter: usize,
    /// whether they are at small values
    pub below: bool,
    /// the 10 % quantile of its draws, or the 90 % one, beyond which they are
    pub edge: f64,
    /// the part of divergences that is there; a tenth would be chance
    pub share: f64,
}

/// A region holds at least this part of the divergences.
const GATHERED: f64 = 0.4;

impl Posterior {
    /// `[chain][draw]` of parameter `i`.
    pub fn chains_of(&self, i: usize) -> Vec<Vec<f64>> {
        let chain = |draws: &Vec<Vec<f64>>| draws.iter().map(|d| d[i]).collect();
        self.draws.iter().map(chain).collect()
    }

    /// Draws in all.
    pub fn count(&self) -> usize {
        self.draws.iter().map(Vec::len).sum()
    }

    /// Where divergences gather, the clearest first.
    pub fn regions(&self) -> Vec<Region> {
        let count = self.divergences.len() as f64;
        let mut regions: Vec<Region> = (0..self.names.len())
            .flat_map(|i| {
                let all: Vec<f64> = self.chains_of(i).concat();
                [(true, 0.1), (false, 0.9)].map(|(below, level)| {
                    let edge = quantile(&all, level);
                    let there = self.divergences.iter().filter(|d| {
                        let v = d.parameters[i];
                        if below { v < edge } else { v > edge }
                    });
                    Region {
                        parameter: i,
                        below,
                        edge,
                        share: there.count() as f64 / count,
                    }
                })
            })
            .filter(|region| region.share >= GATHERED)
            .collect();
        regions.sort_by(|a, b| b.share.total_cmp(&a.share));
        regions
    }

    /// The reasons of divergences with their numbers left out, and how often each was given, the most frequent first.
    pub fn reasons(&self) -> Vec<(String, usize)> {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for divergence in &self.divergences {
            let kind = without_numbers(&divergence.reason);
            match counts.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => counts.push((kind, 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }
}

/// Reasons that differ in their numbers alone are one.
fn without_numbers(reason: &str) -> String {
    if reason.starts_with("Divergence") {
        return "steps too long for the curvature of the density".to_owned();
    }
    let mut text = String::new();
    let mut inside = false;
    for c in reason.chars() {
        let part = c.is_ascii_digit() || inside && matches!(c, '.' | 'e' | '-' | '+');
        if part && !inside {
            text.push('…');
        } else if !part {
            text.push(c);
        }
        inside = part;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_one_where_their_numbers_differ() {
        assert_eq!(
            without_numbers("the step size became too small at t = 1.25e-3 (state `x2`)"),
            "the step size became too small at t = … (state `x…`)"
        );
    }

    #[test]
    fn a_summary_of_known_numbers() {
        let s = Summary::new(&[
            (1..=50).map(f64::from).collect(),
            (51..=100).map(f64::from).collect(),
        ]);
        assert_eq!(s.mean, 50.5);
        // the variance of 1..=n is n (n + 1) / 12
        assert!((s.deviation - (100.0 * 101.0 / 12.0_f64).sqrt()).abs() < 1e-12);
        assert!((s.low - 5.95).abs() < 1e-12 && (s.high - 95.05).abs() < 1e-12);
        assert!(s.convergence.r_hat > 1.5);
    }
}
