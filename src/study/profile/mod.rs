//! Profile likelihoods: what the data know of each parameter without the assumption that the objective is a parabola.
//!
//! The profile of parameter i is g(c) = min f(theta) over all others with theta_i = c. The values with
//! g(c) - f(best) <= threshold are its confidence interval, with threshold = chi2_{1, level} / 2 (Raue et al. 2009, doi
//! 10.1093/bioinformatics/btp358). Without any noise model, where the variance is unknown, threshold = s^2 t^2 / 2 with the
//! residual variance s^2 and Student's quantile t of N - m degrees of freedom, which is exact for linear models (Bates &
//! Watts 1988, chapter 6).
//!
//! Each parameter is walked in both directions ([`walk`]), all walks in parallel and each by itself, so that the bits do
//! not depend on the number of threads. A lower objective met on the way becomes the optimum, and all walks begin again.

mod held;
mod judge;
mod optimum;
mod result;
mod walk;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

pub use self::result::{IntervalEnd, Profile, ProfilePoint, Profiles, Verdict};

use self::held::Held;
use self::judge::Found;
use self::optimum::optimum;
use self::walk::{Course, Walk, WalkEnd};
use super::error::StudyError;
use super::fit_problem::FitProblem;
use super::identifiability::{identifiability, is_plain, residual_variance};
use super::scaling;
use super::variable::Variable;
use super::{Solving, Study};
use crate::optimize::Settings;
use crate::scenario::{Parameter, Scale};

/// What to profile.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileSettings {
    /// confidence level, between 0 and 1
    pub level: f64,
    /// parameters to profile, by their places among those fitted; all where none is named
    pub only: Vec<usize>,
}

impl Default for ProfileSettings {
    fn default() -> Self {
        Self {
            level: 0.95,
            only: Vec::new(),
        }
    }
}

/// What a watcher is told.
#[derive(Debug, Clone, Copy)]
pub struct ProfileProgress {
    /// walks finished, two a parameter
    pub finished: usize,
    /// walks in all
    pub walks: usize,
}

/// Parameters up to which second derivatives are taken: their cost grows with the square.
const MOST_EXACT: usize = 64;
/// Better optima that are gone after.
const MOST_RESTARTS: usize = 20;
/// The norm of the gradient to which each point is optimized, where the scenario asks for no tighter one.
const GRADIENT_TOLERANCE: f64 = 1e-7;
/// How far an unbounded parameter is walked: factors (scales of logarithms), or multiples of its size (linear).
const FARTHEST: f64 = 1e6;
/// A logit is walked until its parameter is this near to a bound, as part of the room between its bounds.
const LOGIT_EDGE: f64 = 1e-9;
/// Steps that the way to a bound has at least.
const STEPS_TO_BOUND: f64 = 20.0;

/// Profiles the parameters marked fit from the best fit found before, `start` (all parameters, natural scale), which is
/// polished first. `stop` ends the work with the walks so far.
///
/// # Errors
/// [`StudyError::NothingToFit`], [`StudyError::NoData`], a level that is none, or those of solves at the start.
pub fn profile(
    study: &Study,
    start: &[f64],
    settings: &ProfileSettings,
    stop: &AtomicBool,
    watch: &(dyn Fn(ProfileProgress) + Sync),
) -> Result<Profiles, StudyError> {
    let variables = Variable::fitted(&study.scenario);
    if variables.is_empty() {
        return Err(StudyError::NothingToFit);
    }
    if study.measurements() == 0 {
        return Err(StudyError::NoData);
    }
    let fitted: Vec<&Parameter> = study.scenario.parameters.iter().filter(|p| p.fit).collect();
    let m = fitted.len();
    let quantile = quantile(study, settings.level, m)?;
    let solving = Solving::choose(study)?;
    let bounds: Vec<[f64; 2]> = fitted.iter().map(|p| scaling::scaled_bounds(p)).collect();
    let (lower, upper): (Vec<f64>, Vec<f64>) = bounds.iter().map(|&[l, u]| (l, u)).unzip();
    let mut theta: Vec<f64> = variables
        .iter()
        .zip(&fitted)
        .map(|(variable, parameter)| match *variable {
            Variable::Parameter(i) => scaling::to_scaled(parameter, start[i]),
            Variable::Initial(_) | Variable::Start | Variable::End => 0.0,
        })
        .collect();
    let limits = Settings {
        gradient_tolerance: study
            .scenario
            .fit
            .gradient_tolerance
            .min(GRADIENT_TOLERANCE),
        max_iterations: study.scenario.fit.max_iterations,
        ..Settings::default()
    };
    let fit_problem = || FitProblem::new(study, &solving, &variables, (&lower, &upper), stop);
    let natural = |theta: &[f64]| -> Vec<f64> {
        let pairs = fitted.iter().zip(theta);
        pairs.map(|(p, &q)| scaling::to_natural(p, q)).collect()
    };
    let which: Vec<usize> = if settings.only.is_empty() {
        (0..m).collect()
    } else {
        settings.only.clone()
    };
    let mut left = Vec::new();
    loop {
        let optimum = optimum(&mut fit_problem()?, &theta, &limits, stop)?;
        let best = natural(&optimum.theta);
        let mut parameters = study.values();
        for (variable, &value) in variables.iter().zip(&best) {
            if let Variable::Parameter(i) = *variable {
                parameters[i] = value;
            }
        }
        let unit = residual_variance(study, optimum.value, m).unwrap_or(1.0);
        let threshold = 0.5 * quantile * quantile * unit;
        let finished = AtomicUsize::new(0);
        let tell = || {
            let finished = finished.fetch_add(1, Ordering::Relaxed) + 1;
            let walks = 2 * which.len();
            watch(ProfileProgress { finished, walks });
        };
        let walks: Vec<(usize, f64)> = which.iter().flat_map(|&i| [(i, -1.0), (i, 1.0)]).collect();
        let walks: Vec<Result<Walk, StudyError>> = walks
            .par_iter()
            .with_max_len(1)
            .map(|&(i, direction)| {
                let mut problem = fit_problem()?;
                let mut held = Held::new(&mut problem);
                let (limit, longest) = reach(fitted[i], bounds[i], optimum.theta[i], direction);
                let (tangent, curvature) = optimum.tangent(i);
                let course = Course {
                    parameter: i,
                    direction,
                    origin: &optimum.node(i),
                    tangent: &tangent,
                    curvature,
                    threshold,
                    tolerance: optimum.tolerance(threshold),
                    limit,
                    longest,
                };
                let walk = course.walk(&mut held, &limits, stop);
                tell();
                Ok(walk)
            })
            .collect();
        let walks = walks.into_iter().collect::<Result<Vec<_>, _>>()?;
        let interrupted = stop.load(Ordering::Relaxed);
        let better = walks.iter().find_map(|walk| match &walk.end {
            WalkEnd::Better(theta) => Some(theta.clone()),
            _ => None,
        });
        if let Some(better) = better.filter(|_| !interrupted && left.len() < MOST_RESTARTS) {
            left.push(optimum.value);
            theta = better;
            continue;
        }
        let exact = !interrupted && m <= MOST_EXACT;
        let local = identifiability(study, &solving, &parameters, exact)?;
        let profiles = which
            .iter()
            .zip(walks.chunks_exact(2))
            .map(|(&i, pair)| {
                let found = Found {
                    parameter: i,
                    fitted: &fitted,
                    bounds: &bounds,
                    optimum: &optimum,
                    local: &local,
                    threshold,
                    quantile,
                };
                found.profile(&pair[0], &pair[1])
            })
            .collect();
        return Ok(Profiles {
            names: fitted.iter().map(|p| p.name.text.clone()).collect(),
            best,
            parameters,
            objective: optimum.value,
            level: settings.level,
            threshold,
            quantile,
            local,
            profiles,
            left,
            solving,
            interrupted,
        });
    }
}

/// The number of standard deviations to the ends of an interval: of a normal distribution, or of Student's where the
/// variance is estimated.
fn quantile(study: &Study, level: f64, fitted: usize) -> Result<f64, StudyError> {
    if !(level > 0.0 && level < 1.0) {
        return Err(StudyError::Unsupported(format!(
            "the confidence level {level} is not between 0 and 1, such as 0.95"
        )));
    }
    let tail = 0.5 + 0.5 * level;
    let free = study.measurements() as f64 - fitted as f64;
    if is_plain(study) {
        let student = StudentsT::new(0.0, 1.0, free).map_err(|_| {
            StudyError::Unsupported(format!(
                "{} measurements do not tell {fitted} parameters and, without a noise model, their own scatter: there are no confidence intervals",
                study.measurements()
            ))
        })?;
        return Ok(student.inverse_cdf(tail));
    }
    let normal = Normal::new(0.0, 1.0)
        .map_err(|error| StudyError::Unsupported(format!("the normal distribution: {error}")))?;
    Ok(normal.inverse_cdf(tail))
}

/// Where a walk has to end on the search scale, and its longest step.
fn reach(parameter: &Parameter, [lower, upper]: [f64; 2], from: f64, direction: f64) -> (f64, f64) {
    let far = match parameter.scale {
        Scale::Linear => FARTHEST * from.abs().max(1.0),
        Scale::Log => FARTHEST.ln(),
        Scale::Log10 => FARTHEST.log10(),
        Scale::Logit => (from.abs() - LOGIT_EDGE.ln()).max(1.0),
    };
    let bound = if direction > 0.0 { upper } else { lower };
    let limit = if bound.is_finite() {
        bound
    } else if matches!(parameter.scale, Scale::Logit) {
        -direction * LOGIT_EDGE.ln()
    } else {
        from + direction * far
    };
    // Without a bound steps may double: the way is long, and what is to be seen on it has no known size.
    let longest = if bound.is_finite() || !matches!(parameter.scale, Scale::Linear) {
        (limit - from).abs() / STEPS_TO_BOUND
    } else {
        f64::INFINITY
    };
    (limit, longest.max(f64::MIN_POSITIVE))
}
