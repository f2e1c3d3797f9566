//! Parameter estimation: many starts of a local optimizer on scaled parameters inside bounds.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::error::StudyError;
use super::gradient::choose;
use super::objective::Objective;
use super::scaling;
use super::variable::Variable;
use super::{Solving, Study};
use crate::optimize::statistics::Statistics;
use crate::optimize::{
    self, EvaluationError, LeastSquares, Outcome, Problem, Progress, Settings, Status,
    latin_hypercube,
};
use crate::scenario::{FitAlgorithm, GradientMethod, Parameter};

/// A finished fit.
#[derive(Debug, Clone)]
pub struct Fit {
    /// names of the fitted parameters
    pub names: Vec<String>,
    /// their best values, natural scale
    pub best: Vec<f64>,
    /// all parameters, the best values in place
    pub parameters: Vec<f64>,
    /// objective there
    pub objective: f64,
    /// infinity norm of the projected gradient on the search scale there
    pub gradient_norm: f64,
    /// whether that norm is below the tolerance asked for
    pub converged: bool,
    /// standard errors, natural scale; `None` where the data do not determine the parameter
    pub standard_errors: Vec<Option<f64>>,
    /// correlation matrix of the estimates, where all are determined
    pub correlation: Option<DMatrix<f64>>,
    /// every start in order
    pub starts: Vec<StartReport>,
    /// index of the best start
    pub best_start: usize,
    /// algorithm that ran (never `Auto`)
    pub algorithm: FitAlgorithm,
    /// how the solves were done
    pub solving: Solving,
    /// whether the user ended it
    pub interrupted: bool,
}

/// One start's account.
#[derive(Debug, Clone)]
pub struct StartReport {
    /// where it began, natural scale
    pub start: Vec<f64>,
    /// where it ended, natural scale
    pub end: Vec<f64>,
    /// the optimizer's account, on the search scale
    pub outcome: Outcome,
}

/// What a watcher is told.
#[derive(Debug, Clone, Copy)]
pub struct FitProgress {
    /// starts finished
    pub finished: usize,
    /// starts in all
    pub starts: usize,
    /// best objective so far
    pub best: f64,
    /// iterations done by all starts
    pub iterations: usize,
}

/// Estimates the parameters marked fit. `watch` is called after every iteration of every start, from any
/// thread; `stop` ends the fit with the best so far. The same seed gives the same bits at any thread count.
pub fn fit(
    study: &Study,
    stop: &AtomicBool,
    watch: &(dyn Fn(FitProgress) + Sync),
) -> Result<Fit, StudyError> {
    let variables = Variable::fitted(&study.scenario);
    if variables.is_empty() {
        return Err(StudyError::NothingToFit);
    }
    if study.measurements() == 0 {
        return Err(StudyError::NoData);
    }
    let settings = &study.scenario.fit;
    let solving = Solving::choose(study)?;
    let fitted: Vec<&Parameter> = study.scenario.parameters.iter().filter(|p| p.fit).collect();
    let (lower, upper): (Vec<f64>, Vec<f64>) = fitted
        .iter()
        .map(|p| {
            let [low, high] = scaling::scaled_bounds(p);
            (low, high)
        })
        .unzip();
    let first: Vec<f64> = fitted
        .iter()
        .map(|p| scaling::to_scaled(p, p.value))
        .collect();
    let starts = latin_hypercube(&first, &lower, &upper, settings.starts, settings.seed);
    let algorithm = match settings.algorithm {
        FitAlgorithm::Auto => FitAlgorithm::LevenbergMarquardt,
        named => named,
    };
    let limits = Settings {
        max_iterations: settings.max_iterations,
        gradient_tolerance: settings.gradient_tolerance,
        ..Settings::default()
    };
    let shared = Mutex::new(FitProgress {
        finished: 0,
        starts: starts.len(),
        best: f64::INFINITY,
        iterations: 0,
    });
    let tell = |change: &dyn Fn(&mut FitProgress)| {
        // A poisoned lock only means that a watcher panicked; the numbers in it are still good.
        let mut progress = shared
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        change(&mut progress);
        let now = *progress;
        drop(progress);
        watch(now);
    };
    let one = |start: &Vec<f64>| -> Outcome {
        if stop.load(Ordering::Relaxed) {
            return not_run(start, Status::Interrupted);
        }
        let mut problem = match FitProblem::new(study, &solving, &variables, (&lower, &upper), stop)
        {
            Ok(problem) => problem,
            Err(error) => {
                return not_run(
                    start,
                    Status::Failed {
                        reason: error.to_string(),
                    },
                );
            }
        };
        let mut each = |progress: &Progress, _: &[f64]| {
            tell(&|p| {
                p.best = p.best.min(progress.value);
                p.iterations += 1;
            });
            !stop.load(Ordering::Relaxed)
        };
        let outcome = match algorithm {
            FitAlgorithm::Auto | FitAlgorithm::LevenbergMarquardt => {
                optimize::levenberg_marquardt(&mut problem, start, &limits, &mut each)
            }
            FitAlgorithm::LBfgs => optimize::lbfgsb(&mut problem, start, &limits, &mut each),
            FitAlgorithm::Adam => optimize::adam(&mut problem, start, &limits, &mut each),
            FitAlgorithm::GradientDescent => {
                optimize::gradient_descent(&mut problem, start, &limits, &mut each)
            }
        };
        tell(&|p| {
            p.finished += 1;
            if outcome.value.is_finite() {
                p.best = p.best.min(outcome.value);
            }
        });
        outcome
    };
    let outcomes: Vec<Outcome> = starts.par_iter().with_max_len(1).map(one).collect();
    let natural = |q: &[f64]| -> Vec<f64> {
        fitted
            .iter()
            .zip(q)
            .map(|(p, &q)| scaling::to_natural(p, q))
            .collect()
    };
    let best_start = (0..outcomes.len())
        .filter(|&i| outcomes[i].value.is_finite())
        .min_by(|&a, &b| outcomes[a].value.total_cmp(&outcomes[b].value));
    let interrupted = stop.load(Ordering::Relaxed);
    let Some(best_start) = best_start else {
        if interrupted {
            return Err(StudyError::Interrupted);
        }
        let reason = match outcomes.first().map(|o| &o.status) {
            Some(Status::Failed { reason }) => reason.clone(),
            _ => "no start reached a finite objective".into(),
        };
        return Err(StudyError::NoStartFinished {
            starts: outcomes.len(),
            reason,
        });
    };
    let winner = &outcomes[best_start];
    let mut parameters = study.values();
    let best = natural(&winner.theta);
    for (variable, &value) in variables.iter().zip(&best) {
        if let Variable::Parameter(i) = *variable {
            parameters[i] = value;
        }
    }
    let (standard_errors, correlation) = if interrupted {
        (vec![None; best.len()], None)
    } else {
        uncertainties(study, &solving, &variables, &parameters)?
    };
    Ok(Fit {
        names: fitted.iter().map(|p| p.name.text.clone()).collect(),
        objective: winner.value,
        gradient_norm: winner.projected_gradient_norm,
        converged: winner.projected_gradient_norm <= limits.gradient_tolerance,
        best,
        parameters,
        standard_errors,
        correlation,
        best_start,
        algorithm,
        interrupted,
        starts: starts
            .iter()
            .zip(&outcomes)
            .map(|(start, outcome)| StartReport {
                start: natural(start),
                end: natural(&outcome.theta),
                outcome: outcome.clone(),
            })
            .collect(),
        solving,
    })
}

fn not_run(start: &[f64], status: Status) -> Outcome {
    Outcome {
        theta: start.to_vec(),
        value: f64::NAN,
        gradient: vec![0.0; start.len()],
        projected_gradient_norm: f64::NAN,
        iterations: 0,
        evaluations: 0,
        gradient_evaluations: 0,
        status,
        history: Vec::new(),
    }
}

/// Standard errors by parameter, and the correlation matrix where all are determined.
type Uncertainties = (Vec<Option<f64>>, Option<DMatrix<f64>>);

/// Standard errors and correlations from the Fisher information at natural parameters `p`. Without any noise
/// model the residual variance s^2 = 2 objective / (N - m) stands for the unknown one.
fn uncertainties(
    study: &Study,
    solving: &Solving,
    variables: &[Variable],
    p: &[f64],
) -> Result<Uncertainties, StudyError> {
    let mut objective = Objective::new(study, solving.clone(), None)?;
    let height = row_count(study, variables);
    let mut r = vec![0.0; height];
    let mut jacobian = vec![0.0; height * variables.len()];
    let value = objective.rows(p, variables, &mut r, &mut jacobian)?;
    let plain = study.noise.iter().all(Option::is_none);
    let free = study.measurements() as f64 - variables.len() as f64;
    let variance = if plain && free > 0.0 {
        2.0 * value / free
    } else {
        1.0
    };
    let Ok(information) = Statistics::from_jacobian(&jacobian, height, variables.len()) else {
        return Ok((vec![None; variables.len()], None));
    };
    let errors = information
        .standard_errors
        .iter()
        .map(|e| e.map(|e| e * variance.sqrt()))
        .collect();
    let determined = information.rank == variables.len();
    Ok((errors, determined.then_some(information.correlation)))
}

fn row_count(study: &Study, variables: &[Variable]) -> usize {
    let priors = variables
        .iter()
        .filter(|v| matches!(v, Variable::Parameter(i) if study.scenario.parameters[*i].prior.is_some()))
        .count();
    2 * study.measurements() + priors
}

/// The data objective on scaled fitted parameters.
struct FitProblem<'a> {
    study: &'a Study,
    objective: Objective<'a>,
    variables: &'a [Variable],
    lower: &'a [f64],
    upper: &'a [f64],
    gradient_method: GradientMethod,
    p: Vec<f64>,
    rows: usize,
}

impl<'a> FitProblem<'a> {
    fn new(
        study: &'a Study,
        solving: &Solving,
        variables: &'a [Variable],
        (lower, upper): (&'a [f64], &'a [f64]),
        stop: &'a AtomicBool,
    ) -> Result<Self, StudyError> {
        Ok(Self {
            objective: Objective::new(study, solving.clone(), Some(stop))?,
            gradient_method: choose(study.scenario.gradient.method, variables.len()),
            p: study.values(),
            rows: row_count(study, variables),
            study,
            variables,
            lower,
            upper,
        })
    }

    fn parameters(&self) -> impl Iterator<Item = (usize, &'a Parameter)> + use<'a> {
        let parameters = &self.study.scenario.parameters;
        self.variables.iter().filter_map(move |v| match *v {
            Variable::Parameter(i) => Some((i, &parameters[i])),
            Variable::Initial(_) => None,
        })
    }

    fn set(&mut self, theta: &[f64]) {
        for ((i, parameter), &q) in self.parameters().zip(theta) {
            self.p[i] = scaling::to_natural(parameter, q);
        }
    }
}

impl Problem for FitProblem<'_> {
    fn dim(&self) -> usize {
        self.variables.len()
    }

    fn bounds(&self) -> (&[f64], &[f64]) {
        (self.lower, self.upper)
    }

    fn value(&mut self, theta: &[f64]) -> Result<f64, EvaluationError> {
        self.set(theta);
        self.objective.value(&self.p).map_err(evaluation_error)
    }

    fn value_gradient(
        &mut self,
        theta: &[f64],
        gradient: &mut [f64],
    ) -> Result<f64, EvaluationError> {
        self.set(theta);
        let value = match self.gradient_method {
            GradientMethod::Auto | GradientMethod::Dual => {
                self.objective
                    .gradient_dual(&self.p, self.variables, gradient)
            }
            GradientMethod::Adjoint => {
                self.objective
                    .gradient_adjoint(&self.p, self.variables, gradient)
            }
            GradientMethod::FiniteDifference => {
                self.objective
                    .gradient_differences(&self.p, self.variables, gradient)
            }
        }
        .map_err(evaluation_error)?;
        for ((i, parameter), g) in self.parameters().zip(gradient) {
            *g *= scaling::slope(parameter, self.p[i]);
        }
        Ok(value)
    }
}

impl LeastSquares for FitProblem<'_> {
    fn residuals(&self) -> usize {
        self.rows
    }

    fn value_residuals(
        &mut self,
        theta: &[f64],
        r: &mut [f64],
        jacobian: &mut [f64],
    ) -> Result<f64, EvaluationError> {
        self.set(theta);
        let value = self
            .objective
            .rows(&self.p, self.variables, r, jacobian)
            .map_err(evaluation_error)?;
        for ((i, parameter), column) in self
            .parameters()
            .zip(jacobian.chunks_exact_mut(self.rows.max(1)))
        {
            let slope = scaling::slope(parameter, self.p[i]);
            for entry in column {
                *entry *= slope;
            }
        }
        Ok(value)
    }
}

fn evaluation_error(error: StudyError) -> EvaluationError {
    match error {
        StudyError::Interrupted => EvaluationError::Interrupted,
        other => EvaluationError::Failed {
            reason: other.to_string(),
        },
    }
}
