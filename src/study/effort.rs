//! What derivatives are worth: the work of methods with and without them, on the same fits from the same starts.
//!
//! Of the fitted parameters, the first 1, 2, 4, ... and all are searched while the rest are held where the best fit has them. The best
//! objective is then the same for every number, and each method, from each start, counts its evaluations until it has come within a
//! given amount of it. An evaluation of a method with derivatives costs more than one of a method without: the seconds tell how much.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rayon::prelude::*;

use super::fit::{Fit, minimize};
use super::fit_problem::FitProblem;
use super::variable::Variable;
use super::{Study, StudyError, scaling};
use crate::optimize::{EvaluationError, LeastSquares, Problem, SecondOrder, Settings};
use crate::scenario::{FitAlgorithm, Parameter};

/// Evaluations after which a run is given up, a parameter.
const MOST: usize = 2000;

/// The runs of one method on some of the parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Effort {
    /// parameters searched, the first so many
    pub parameters: usize,
    /// the method
    pub algorithm: FitAlgorithm,
    /// one a start
    pub runs: Vec<EffortRun>,
}

/// One run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EffortRun {
    /// evaluations until the objective was first low enough; `None` where it never was
    pub evaluations: Option<usize>,
    /// seconds until then, or until the end
    pub seconds: f64,
    /// lowest objective seen
    pub lowest: f64,
}

impl Effort {
    /// Runs that came low enough.
    pub fn reached(&self) -> usize {
        self.runs.iter().filter(|r| r.evaluations.is_some()).count()
    }

    /// The median evaluations and the median seconds of the runs that came low enough.
    pub fn median(&self) -> Option<(f64, f64)> {
        let reached = || self.runs.iter().filter(|r| r.evaluations.is_some());
        let evaluations = median(reached().filter_map(|r| Some(r.evaluations? as f64)))?;
        Some((evaluations, median(reached().map(|r| r.seconds))?))
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut all: Vec<f64> = values.collect();
    all.sort_by(f64::total_cmp);
    let middle = all.len() / 2;
    match all.len() {
        0 => None,
        n if n % 2 == 1 => Some(all[middle]),
        _ => Some(0.5 * (all[middle - 1] + all[middle])),
    }
}

/// The effort of the fit's own method (Levenberg-Marquardt where that is one without derivatives), of Nelder-Mead and of CMA-ES to
/// come within `amount` of the fit's objective, from the fit's starts. `told` hears of each run that is done, and of how many there
/// are; once `stop` is set, the runs that are left count as ones that never came low enough.
///
/// # Errors
/// Where the fit's parameters have no objective any more, or the fit was interrupted.
pub fn compare_derivative_free(
    study: &Study,
    fit: &Fit,
    amount: f64,
    stop: &AtomicBool,
    told: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<Effort>, StudyError> {
    if fit.interrupted {
        return Err(StudyError::Interrupted);
    }
    let variables = Variable::fitted(&study.scenario);
    let fitted: Vec<&Parameter> = study.scenario.parameters.iter().filter(|p| p.fit).collect();
    let (lower, upper): (Vec<f64>, Vec<f64>) = fitted
        .iter()
        .map(|p| scaling::scaled_bounds(p).into())
        .unzip();
    let starts: Vec<Vec<f64>> = fit
        .starts
        .iter()
        .map(|s| {
            let scaled = fitted.iter().zip(&s.start);
            scaled.map(|(p, &v)| scaling::to_scaled(p, v)).collect()
        })
        .collect();
    let own = match fit.algorithm {
        FitAlgorithm::NelderMead | FitAlgorithm::CmaEs => FitAlgorithm::LevenbergMarquardt,
        algorithm => algorithm,
    };
    let target = fit.objective + amount;
    let counts = counts(variables.len());
    let methods = [own, FitAlgorithm::NelderMead, FitAlgorithm::CmaEs];
    let jobs: Vec<(usize, FitAlgorithm, usize)> = counts
        .iter()
        .flat_map(|&count| methods.map(|method| (count, method)))
        .flat_map(|(count, method)| (0..starts.len()).map(move |start| (count, method, start)))
        .collect();
    let done = std::sync::atomic::AtomicUsize::new(0);
    let runs: Vec<EffortRun> = jobs
        .par_iter()
        .with_max_len(1)
        .map(|&(count, algorithm, start)| {
            let bounds = (&lower[..count], &upper[..count]);
            let variables = &variables[..count];
            let mut inner = FitProblem::new(study, &fit.solving, variables, bounds, stop)?;
            inner.hold(&fit.parameters);
            let mut watched = Watched {
                inner,
                begun: Instant::now(),
                target,
                most: MOST * (count + 1),
                evaluations: 0,
                lowest: f64::INFINITY,
                reached: None,
            };
            let limits = Settings {
                max_iterations: MOST,
                max_evaluations: usize::MAX,
                gradient_tolerance: study.scenario.fit.gradient_tolerance,
                seed: study.scenario.fit.seed.wrapping_add(start as u64),
                ..Settings::default()
            };
            if !stop.load(Ordering::Relaxed) {
                let start = &starts[start][..count];
                minimize(algorithm, &mut watched, start, &limits, &mut |_, _| true);
            }
            told(done.fetch_add(1, Ordering::Relaxed) + 1, jobs.len());
            let reached = watched.reached;
            Ok(EffortRun {
                evaluations: reached.map(|r| r.0),
                seconds: reached.map_or_else(|| watched.begun.elapsed().as_secs_f64(), |r| r.1),
                lowest: watched.lowest,
            })
        })
        .collect::<Result<_, StudyError>>()?;
    let groups = jobs.chunks(starts.len().max(1));
    Ok(groups
        .zip(runs.chunks(starts.len().max(1)))
        .map(|(jobs, runs)| Effort {
            parameters: jobs[0].0,
            algorithm: jobs[0].1,
            runs: runs.to_vec(),
        })
        .collect())
}

/// 1, 2, 4, ... and all.
fn counts(all: usize) -> Vec<usize> {
    let mut counts: Vec<usize> = std::iter::successors(Some(1_usize), |n| n.checked_mul(2))
        .take_while(|&n| n < all)
        .collect();
    counts.push(all);
    counts
}

/// A problem that counts, and ends the run once its objective is low enough.
struct Watched<'a> {
    inner: FitProblem<'a>,
    begun: Instant,
    target: f64,
    most: usize,
    evaluations: usize,
    lowest: f64,
    reached: Option<(usize, f64)>,
}

impl Watched<'_> {
    fn before(&mut self) -> Result<(), EvaluationError> {
        if self.reached.is_some() || self.evaluations >= self.most {
            return Err(EvaluationError::Interrupted);
        }
        self.evaluations += 1;
        Ok(())
    }

    fn after(&mut self, value: f64) -> f64 {
        if value < self.lowest {
            self.lowest = value;
        }
        if value <= self.target && self.reached.is_none() {
            self.reached = Some((self.evaluations, self.begun.elapsed().as_secs_f64()));
        }
        value
    }
}

impl Problem for Watched<'_> {
    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn bounds(&self) -> (&[f64], &[f64]) {
        self.inner.bounds()
    }

    fn value(&mut self, theta: &[f64]) -> Result<f64, EvaluationError> {
        self.before()?;
        let value = self.inner.value(theta)?;
        Ok(self.after(value))
    }

    fn value_gradient(
        &mut self,
        theta: &[f64],
        gradient: &mut [f64],
    ) -> Result<f64, EvaluationError> {
        self.before()?;
        let value = self.inner.value_gradient(theta, gradient)?;
        Ok(self.after(value))
    }
}

impl LeastSquares for Watched<'_> {
    fn residuals(&self) -> usize {
        self.inner.residuals()
    }

    fn value_residuals(
        &mut self,
        theta: &[f64],
        r: &mut [f64],
        jacobian: &mut [f64],
    ) -> Result<f64, EvaluationError> {
        self.before()?;
        let value = self.inner.value_residuals(theta, r, jacobian)?;
        Ok(self.after(value))
    }
}

impl SecondOrder for Watched<'_> {
    fn hessian_product(
        &mut self,
        theta: &[f64],
        v: &[f64],
        product: &mut [f64],
    ) -> Result<(), EvaluationError> {
        self.before()?;
        self.inner.hessian_product(theta, v, product)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_parameters_double_up_to_all() {
        assert_eq!(counts(1), [1]);
        assert_eq!(counts(2), [1, 2]);
        assert_eq!(counts(9), [1, 2, 4, 8, 9]);
        assert_eq!(median([3.0, 1.0].into_iter()), Some(2.0));
        assert_eq!(median(std::iter::empty()), None);
    }
}
