//! Parameter estimation: many starts of a local optimizer on scaled parameters inside bounds.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use nalgebra::DMatrix;

use super::any_solver::ANY_WIDTH;
use super::error::StudyError;
use super::fit_global::searches;
use super::fit_memory::{FitMemory, NoMemory};
use super::fit_problem::{FitProblem, evaluation_error, parameters_of};
use super::fit_starts::Draw;
use super::information::{Local, local_statistics};
use super::scaling;
use super::variable::Variable;
use super::{Solving, Study};
use crate::optimize::{
    self, EvaluationError, LeastSquares, Outcome, Problem, Progress, SecondOrder, Settings, Status,
};
use crate::scenario::{FitAlgorithm, GlobalMethod, Parameter};

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
    /// what a further Gauss-Newton step would still take off the objective, by its own model: g^T F^-1 g / 2 over the
    /// parameters not at a bound (NaN where it was not computed)
    pub predicted_decrease: f64,
    /// whether that norm is below the tolerance asked for, or that decrease below 1e-12 of max(1, |objective|), where a
    /// gradient cannot fall further for the rounding in the objective
    pub converged: bool,
    /// standard errors, natural scale; `None` where the data do not determine the parameter
    pub standard_errors: Vec<Option<f64>>,
    /// correlation matrix of the estimates, where all are determined
    pub correlation: Option<DMatrix<f64>>,
    /// every start in order
    pub starts: Vec<StartReport>,
    /// drawn points without a finite objective that gave their place to others before any start ran
    pub replaced: usize,
    /// points that were tried for the drawn starts, from which the promising ones were taken; 0 where each start is a drawn point
    pub candidates: usize,
    /// evaluations of the objective, at a coarse tolerance, which that took
    pub candidate_evaluations: usize,
    /// evaluations by the population of the global method; 0 without one
    pub population: usize,
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
    /// where it began, natural scale; of a candidate, the point drawn
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
    /// candidates tried, of how many, where starts are taken from some
    pub candidates: Option<(usize, usize)>,
}

/// Estimates the parameters marked fit. `watch` is called after every iteration of every start, from any
/// thread; `stop` ends the fit with the best so far. The same seed gives the same bits at any thread count.
pub fn fit(
    study: &Study,
    stop: &AtomicBool,
    watch: &(dyn Fn(FitProgress) + Sync),
) -> Result<Fit, StudyError> {
    fit_with_memory(study, stop, watch, &NoMemory)
}

/// The same with a memory: starts that it knows the end of are not run again, and the result is that of a fit which was never
/// cut short, to the last bit.
pub fn fit_with_memory(
    study: &Study,
    stop: &AtomicBool,
    watch: &(dyn Fn(FitProgress) + Sync),
    memory: &dyn FitMemory,
) -> Result<Fit, StudyError> {
    let fitted = Variable::fitted(&study.scenario);
    if fitted.is_empty() {
        return Err(StudyError::NothingToFit);
    }
    let variables = searched(study);
    if study.measurements() == 0 {
        return Err(StudyError::NoData);
    }
    let settings = &study.scenario.fit;
    let solving = Solving::choose(study)?;
    let parameters: Vec<&Parameter> = parameters_of(study, &variables).map(|(_, p)| p).collect();
    let (lower, upper): (Vec<f64>, Vec<f64>) = parameters
        .iter()
        .map(|p| {
            let [low, high] = scaling::scaled_bounds(p);
            (low, high)
        })
        .unzip();
    let first: Vec<f64> = parameters
        .iter()
        .map(|p| scaling::to_scaled(p, p.value))
        .collect();
    let memory_fails = |reason| StudyError::Memory { reason };
    let mut problem =
        FitProblem::new(study, &solving, &variables, (&lower, &upper), stop)?.solving_inside();
    if let Some(pieces) = settings.multiple_shooting {
        problem.shooting(pieces, stop)?; // what it cannot do is said before anything is begun
    }
    let at_first = problem.value(&first).unwrap_or(f64::NAN);
    let once = at_first.is_finite().then(|| problem.work());
    let known = memory.begin(at_first).map_err(memory_fails)?;
    let wanted = settings.starts.max(1 + settings.start_points.len());
    let algorithm = match settings.algorithm {
        FitAlgorithm::Auto => FitAlgorithm::LevenbergMarquardt,
        named => named,
    };
    let limits = Settings {
        max_iterations: settings.max_iterations,
        gradient_tolerance: settings.gradient_tolerance,
        geodesic_acceleration: settings.geodesic_acceleration,
        restarts: settings.restarts,
        seed: settings.seed,
        ..Settings::default()
    };
    let allowed = once.and_then(|once| most_work(study, algorithm, variables.len(), once));
    let shared = Mutex::new(FitProgress {
        finished: 0,
        starts: wanted,
        best: f64::INFINITY,
        iterations: 0,
        candidates: None,
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
    let starting = match known {
        Some(known) => known,
        None => {
            let draw = Draw {
                study,
                solving: &solving,
                variables: &variables,
                first: &first,
                bounds: (&lower, &upper),
                algorithm,
                limits: &limits,
                stop,
            };
            let drawn = draw.points(&|all| {
                tell(&|p| {
                    let done = p.candidates.map_or(0, |(done, _)| done);
                    p.candidates = Some((done + 1, all));
                });
            });
            if !stop.load(Ordering::Relaxed) {
                memory.keep_starts(&drawn).map_err(memory_fails)?;
            }
            drawn
        }
    };
    let lost = Mutex::new(None);
    let found = |outcome: &Outcome| {
        tell(&|p| {
            p.finished += 1;
            if outcome.value.is_finite() {
                p.best = p.best.min(outcome.value);
            }
        });
    };
    let run = |index: usize, start: &[f64], stop: &AtomicBool| {
        if let Some(known) = memory.outcome(index) {
            tell(&|p| p.iterations += known.iterations);
            found(&known);
            return Ok(known);
        }
        let bounds = (&lower[..], &upper[..]);
        let problem =
            FitProblem::new(study, &solving, &variables, bounds, stop).map_err(evaluation_error)?;
        let problem = problem.solving_inside().with_most_work(allowed);
        let outcome = run_start(problem, (algorithm, &limits), start, stop, &tell)?;
        // the end of a start that was cut short is none, and is looked for again
        if !stop.load(Ordering::Relaxed)
            && let Err(reason) = memory.keep_outcome(index, &outcome)
        {
            lost.lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .get_or_insert(reason);
            stop.store(true, Ordering::Relaxed);
        }
        found(&outcome);
        Ok(outcome)
    };
    let (starts, results, population) = match settings.global {
        None => {
            let results = optimize::multi_start(&starting.points, None, stop, run);
            (starting.drawn.clone(), results, 0)
        }
        Some(GlobalMethod::ScatterSearch) => {
            let local = |index: usize, start: &[f64]| run(index, start, stop);
            let found = searches(
                study,
                (&solving, &variables),
                (&lower, &upper),
                &starting.points,
                stop,
                &local,
            )?;
            let starts = found.searches.iter().map(|s| s.start.clone()).collect();
            (starts, found.searches, found.evaluations)
        }
    };
    let mut outcomes: Vec<Outcome> = results
        .into_iter()
        .map(|result| result.outcome.unwrap_or_else(|e| not_run(&result.start, e)))
        .collect();
    let lost = lost
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(reason) = lost {
        return Err(memory_fails(reason));
    }
    let interrupted = stop.load(Ordering::Relaxed);
    if interrupted && starting.candidates > 0 && best_of(&outcomes).is_none() {
        // cut short before any start ran: the file's values or the lowest candidate so far are what there is
        let never = AtomicBool::new(false);
        let bounds = (&lower[..], &upper[..]);
        let mut problem =
            FitProblem::new(study, &solving, &variables, bounds, &never)?.solving_inside();
        let lowest = starting.lowest_candidate();
        for index in [0].into_iter().chain(lowest) {
            outcomes[index] = stopped_at(&mut problem, &starting.points[index]);
        }
    }
    let best_start = best_of(&outcomes);
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
    let go_on = AtomicBool::new(false); // what was found is told, whether or not the search was ended
    let mut problem =
        FitProblem::new(study, &solving, &variables, (&lower, &upper), &go_on)?.solving_inside();
    let mut natural = |q: &[f64]| problem.natural(q);
    let parameters = natural(&winner.theta);
    let of_fitted =
        |p: &[f64]| -> Vec<f64> { parameters_of(study, &fitted).map(|(i, _)| p[i]).collect() };
    let best = of_fitted(&parameters);
    let local = if interrupted {
        Local::unknown(best.len())
    } else {
        let at_bound: Vec<bool> = fitted
            .iter()
            .zip(parameters_of(study, &fitted))
            .map(
                |(fitted, (i, parameter))| match variables.iter().position(|v| v == fitted) {
                    Some(k) => winner.theta[k] == lower[k] || winner.theta[k] == upper[k],
                    None => parameter.bounds.contains(&parameters[i]),
                },
            )
            .collect();
        local_statistics(study, &solving, &fitted, &at_bound, &parameters)?
    };
    let small_gradient = winner.projected_gradient_norm <= limits.gradient_tolerance;
    let small_decrease = local.decrease <= DECREASE * winner.value.abs().max(1.0);
    Ok(Fit {
        names: parameters_of(study, &fitted)
            .map(|(_, p)| p.name.text.clone())
            .collect(),
        objective: winner.value,
        gradient_norm: winner.projected_gradient_norm,
        predicted_decrease: local.decrease,
        converged: small_gradient || small_decrease,
        best,
        standard_errors: local.standard_errors,
        correlation: local.correlation,
        best_start,
        replaced: starting.replaced,
        candidates: starting.candidates,
        candidate_evaluations: starting.candidate_evaluations,
        algorithm,
        interrupted,
        population,
        starts: starts
            .iter()
            .zip(&outcomes)
            .map(|(start, outcome)| StartReport {
                start: of_fitted(&natural(start)),
                end: of_fitted(&natural(&outcome.theta)),
                outcome: outcome.clone(),
            })
            .collect(),
        parameters,
        solving,
    })
}

/// How much more than at the file's values a start's solves may cost before it ends.
const COSTLIER: usize = 3;

/// Most work of a start's solves: that of all its iterations where each costs [`COSTLIER`] times what it does at the file's values,
/// where a solve costs `once`; and what an evaluation that fails is taken for. Starts that are far off can cost hundreds of times as
/// much, and seldom get anywhere.
fn most_work(
    study: &Study,
    algorithm: FitAlgorithm,
    variables: usize,
    once: usize,
) -> Option<[usize; 2]> {
    let settings = &study.scenario.fit;
    let own_way = settings.multiple_shooting.is_some() || !study.scenario.smoothing.is_empty();
    let solves = match algorithm {
        FitAlgorithm::Auto | FitAlgorithm::LevenbergMarquardt => variables.div_ceil(ANY_WIDTH),
        FitAlgorithm::LBfgs | FitAlgorithm::Adam | FitAlgorithm::GradientDescent => {
            1 + variables.div_ceil(ANY_WIDTH)
        }
        FitAlgorithm::NewtonCg => 2 * (1 + variables),
        FitAlgorithm::NelderMead | FitAlgorithm::CmaEs => return None,
    };
    let each = COSTLIER * solves * once;
    (!own_way).then(|| [each.saturating_mul(settings.max_iterations), each])
}

/// The parameters that are searched for: those marked fit, but for what is solved for inside.
fn searched(study: &Study) -> Vec<Variable> {
    let inside = |v: &Variable| {
        let mut solved = study.inner.iter().flat_map(|inner| &inner.parameters);
        solved.any(|&i| *v == Variable::Parameter(i))
    };
    let mut fitted = Variable::fitted(&study.scenario);
    fitted.retain(|v| !inside(v));
    fitted
}

/// Changes what watchers see, and shows it to them.
type Tell<'t> = dyn Fn(&dyn Fn(&mut FitProgress)) + 't;

/// One start to its end: by multiple shooting and through the stages of smoothing where the scenario has them, then by the fit's own
/// algorithm on its own widths. `tell` changes what watchers see.
fn run_start(
    mut problem: FitProblem<'_>,
    (algorithm, limits): (FitAlgorithm, &Settings),
    start: &[f64],
    stop: &AtomicBool,
    tell: &Tell<'_>,
) -> Result<Outcome, EvaluationError> {
    let scenario = &problem.study.scenario;
    let mut theta = start.to_vec();
    if let Some(pieces) = scenario.fit.multiple_shooting {
        let better = problem
            .shooting(pieces, stop)
            .map_err(evaluation_error)?
            .improve(&theta);
        theta = better.unwrap_or(theta);
    }
    let stages = scenario.smoothing.first().map_or(0, |s| s.values.len());
    let mut before = [0; 3];
    for stage in 0..stages {
        problem.smooth(Some(stage));
        let mut each = |_: &Progress, _: &[f64]| {
            tell(&|p| p.iterations += 1);
            !stop.load(Ordering::Relaxed)
        };
        let outcome = minimize(algorithm, &mut problem, &theta, limits, &mut each);
        before[0] += outcome.iterations;
        before[1] += outcome.evaluations;
        before[2] += outcome.gradient_evaluations;
        // where nothing could be found, the next stage starts where this one did
        if outcome.value.is_finite() {
            theta = outcome.theta;
        }
    }
    problem.smooth(None);
    let mut each = |progress: &Progress, _: &[f64]| {
        tell(&|p| {
            p.best = p.best.min(progress.value);
            p.iterations += 1;
        });
        !stop.load(Ordering::Relaxed)
    };
    let mut outcome = minimize(algorithm, &mut problem, &theta, limits, &mut each);
    outcome.iterations += before[0];
    outcome.evaluations += before[1];
    outcome.gradient_evaluations += before[2];
    Ok(outcome)
}

/// A run of the algorithm from a start.
pub(super) fn minimize<P: LeastSquares + SecondOrder>(
    algorithm: FitAlgorithm,
    problem: &mut P,
    start: &[f64],
    limits: &Settings,
    each: &mut dyn FnMut(&Progress, &[f64]) -> bool,
) -> Outcome {
    match algorithm {
        FitAlgorithm::Auto | FitAlgorithm::LevenbergMarquardt => {
            optimize::levenberg_marquardt(problem, start, limits, each)
        }
        FitAlgorithm::LBfgs => optimize::lbfgsb(problem, start, limits, each),
        FitAlgorithm::NewtonCg => optimize::newton_cg(problem, start, limits, each),
        FitAlgorithm::Adam => optimize::adam(problem, start, limits, each),
        FitAlgorithm::GradientDescent => optimize::gradient_descent(problem, start, limits, each),
        FitAlgorithm::NelderMead => optimize::nelder_mead(problem, start, &by_values(limits), each),
        FitAlgorithm::CmaEs => optimize::cma_es(problem, start, &by_values(limits), each),
    }
}

/// The limits of a method without derivatives, whose iterations do the work and not the evaluations.
fn by_values(limits: &Settings) -> Settings {
    Settings {
        max_evaluations: usize::MAX,
        ..limits.clone()
    }
}

/// The outcome of a start that was cut short where it begins.
fn stopped_at(problem: &mut FitProblem<'_>, start: &[f64]) -> Outcome {
    let mut outcome = not_run(start, EvaluationError::Interrupted);
    let mut gradient = vec![0.0; start.len()];
    if let Ok(value) = problem.value_gradient(start, &mut gradient) {
        let (lower, upper) = problem.bounds();
        outcome.projected_gradient_norm =
            optimize::projected_gradient_norm(start, &gradient, lower, upper);
        (outcome.value, outcome.gradient) = (value, gradient);
        (outcome.evaluations, outcome.gradient_evaluations) = (1, 1);
    }
    outcome
}

fn not_run(start: &[f64], error: EvaluationError) -> Outcome {
    Outcome {
        theta: start.to_vec(),
        value: f64::NAN,
        gradient: vec![0.0; start.len()],
        projected_gradient_norm: f64::NAN,
        iterations: 0,
        evaluations: 0,
        gradient_evaluations: 0,
        status: match error {
            EvaluationError::Interrupted => Status::Interrupted,
            EvaluationError::Failed { reason } => Status::Failed { reason },
        },
        history: Vec::new(),
    }
}

/// A decrease of the objective below this part of it is not told from rounding.
const DECREASE: f64 = 1e-12;

/// The start of the lowest objective; among those equal to rounding, the one of the smallest gradient.
fn best_of(outcomes: &[Outcome]) -> Option<usize> {
    let finished = || (0..outcomes.len()).filter(|&i| outcomes[i].value.is_finite());
    let lowest = finished()
        .map(|i| outcomes[i].value)
        .min_by(f64::total_cmp)?;
    let level = lowest + DECREASE * lowest.abs().max(1.0);
    finished()
        .filter(|&i| outcomes[i].value <= level)
        .min_by(|&a, &b| {
            let norm = |i: usize| outcomes[i].projected_gradient_norm;
            norm(a).total_cmp(&norm(b))
        })
}
