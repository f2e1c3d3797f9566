//! Tuning: gains, open-loop controls, design parameters and final times that minimize a functional under constraints.
//!
//! ```text
//! minimize J(theta)   subject to   c_L <= c(theta) <= c_U,   path and terminal constraints,   l <= theta <= u
//! ```
//!
//! theta are the parameters with `tune = true`, the knots of controls with `optimize = true` and a free end. Every value is a
//! functional of one run (`study/functional.rs`), so that a solve gives all of them and dual numbers give all their derivatives;
//! the Hessian of the Lagrangian comes by the adjoint over dual numbers, one chunk of directions at a time. SQP
//! (`optimize/sqp`) does the rest. This is direct single shooting (Bock and Plitt 1984, doi
//! 10.1016/S1474-6670(17)61205-9) with exact derivatives of first and second order.
//!
//! A path constraint is imposed at both ends of each window between knots, and at the highest (lowest) point inside it, which is
//! located on dense output: the bound holds at all times, to the tolerance of the solve, and not at grid points alone.
//!
//! Over an ensemble of plants the objective is the mean, the worst or the mean of the worst; the last two in epigraph form (Rockafellar and
//! Uryasev 2000, doi 10.21314/JOR.2000.038), so that the kinks of a maximum become active constraints:
//!
//! ```text
//! worst   minimize s                             subject to  J_k <= s
//! cvar    minimize s + sum y_k / ((1 - level) K)  subject to  J_k <= s + y_k,  y_k >= 0
//! ```
//!
//! Where limits, `abs` or `max` leave a kink under the minimum, SQP stops short and `descend_kinks` goes on.
//!
//! After the solve the Lagrangian's partial derivatives say how the optimum moves with everything that was held: dJ*/dp = dL/dp
//! (envelope theorem; Fiacco 1983).

mod controls;
mod costates;
mod cuts;
mod directions;
mod front;
mod margins;
mod plants;
mod problem;
mod shooting;
mod starts;

use std::sync::atomic::{AtomicBool, Ordering};

use costate_solvers::Tolerance;

use super::error::StudyError;
use super::functional::FunctionalStudy;
use super::variable::Variable;
use super::{Solving, Study};
use crate::diagnostic::Diagnostic;
use crate::model::Expression;
use crate::optimize::{
    Constrained, Kkt, Share, SqpProgress, SqpSettings, SqpStatus, descend_kinks, sqp,
};
use crate::scenario::{SignalKind, SolverMethod, TuneSettings};
pub use controls::{Control, controls};
pub use costates::Costates;
use costates::costates;
pub use front::{Front, FrontPoint, front};
use problem::{Found, Row, TuneProblem};

/// The result of a tuning.
#[derive(Debug, Clone, PartialEq)]
pub struct Tune {
    /// names of what was found
    pub names: Vec<String>,
    /// first guesses, natural scale
    pub start: Vec<f64>,
    /// best values, natural scale
    pub best: Vec<f64>,
    /// multipliers of the bounds of each, positive at upper bounds, in units of the objective per unit of the value
    pub bound_multipliers: Vec<f64>,
    /// all parameters at the best values
    pub parameters: Vec<f64>,
    /// the objective at the best values
    pub objective: f64,
    /// the objective at the first guess
    pub objective_before: f64,
    /// what was required
    pub constraints: Vec<ConstraintReport>,
    /// how far the optimality conditions hold
    pub kkt: Kkt,
    /// why the search ended
    pub status: SqpStatus,
    /// derivative of the optimal objective by what was held: name and derivative
    pub sensitivities: Vec<(String, f64)>,
    /// one entry an iteration
    pub history: Vec<SqpProgress>,
    /// evaluations of objective and constraints
    pub evaluations: usize,
    /// of a control problem: what a push to the states on the way would do to the optimum
    pub costates: Option<Costates>,
    /// number of plants
    pub plants: usize,
    /// the objective of each plant
    pub plant_objectives: Vec<f64>,
    /// all parameters of each plant at the best values
    pub plant_parameters: Vec<Vec<f64>>,
    /// how the search from each start ended
    pub starts: Vec<TuneStart>,
    /// what another method says
    pub second_opinion: Option<SecondOpinion>,
    /// how the equations are solved
    pub solving: Solving,
}

impl Tune {
    /// Whether the optimality conditions hold within the tolerance.
    pub fn converged(&self) -> bool {
        matches!(self.status, SqpStatus::Converged | SqpStatus::Kink { .. })
    }
}

/// The end of a search from one start.
#[derive(Debug, Clone, PartialEq)]
pub struct TuneStart {
    /// the objective there; NaN where there was none
    pub objective: f64,
    /// the largest violation of a constraint there
    pub violation: f64,
    /// why it ended
    pub status: SqpStatus,
}

impl TuneStart {
    /// Whether its end is to be preferred.
    fn before(&self, other: &Self, feasibility: f64) -> bool {
        let rank = |own: &Self| (own.objective.is_nan(), own.violation > feasibility);
        let value = |own: &Self| match own.violation > feasibility {
            true => own.violation,
            false => own.objective,
        };
        rank(self) < rank(other) || (rank(self) == rank(other) && value(self) < value(other))
    }
}

/// The found point, solved again by an independent method at a tenth of the tolerance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SecondOpinion {
    /// the method
    pub method: SolverMethod,
    /// the objective by it
    pub objective: f64,
    /// the largest violation of a requirement by it
    pub violation: f64,
}

/// What came of a constraint: of a path constraint, its extremes over all windows.
#[derive(Debug, Clone, PartialEq)]
pub struct ConstraintReport {
    /// as it is written
    pub text: String,
    /// where it comes from: `constraint`, `path` or `terminal`
    pub kind: &'static str,
    /// lowest and highest value, of all plants and all times
    pub values: [f64; 2],
    /// bounds
    pub bounds: [f64; 2],
    /// the largest violation
    pub violation: f64,
    /// sum of its multipliers, positive at upper bounds
    pub multiplier: f64,
    /// whether a bound is reached
    pub active: bool,
}

/// Finds what `[tune]` asks for.
///
/// # Errors
/// [`StudyError::Unsupported`] where the scenario has no `[tune]`; what a solve at the first guess meets.
pub fn tune(
    study: &Study,
    stop: &AtomicBool,
    watch: &dyn Fn(&SqpProgress),
) -> Result<Tune, StudyError> {
    let pieces = study.scenario.tune.as_ref().and_then(|settings| {
        let count = settings.multiple_shooting.filter(|&count| count > 1)?;
        Some(shooting::pieces(study, settings, count))
    });
    let (mut tune, end) = match pieces.transpose()? {
        None => search_all(&mut TuneProblem::new(study, stop)?, 0, stop, watch)?,
        Some(pieces) => {
            let mut problem = TuneProblem::new(&pieces.study, stop)?;
            problem.share_directions(&pieces);
            let (mut tune, mut end) = search_all(&mut problem, pieces.gaps.len(), stop, watch)?;
            // what is at the cuts is no one's concern once the gaps are closed
            let own = tune.names.len() - pieces.gaps.len();
            end.x.truncate(own);
            end.multipliers.drain(pieces.gaps.clone());
            tune.names.truncate(own);
            tune.start.truncate(own);
            tune.best.truncate(own);
            tune.bound_multipliers.truncate(own);
            tune.parameters.truncate(study.scenario.parameters.len());
            tune.constraints.drain(pieces.gaps);
            tune.objective_before = objective_of(study, &tune.solving);
            (tune, end)
        }
    };
    let found = Found {
        x: &end.x,
        multipliers: &end.multipliers,
    };
    if tune.objective.is_finite() {
        tune.second_opinion = second_opinion(study, &tune.solving, &found);
    }
    let controlled = study.scenario.signals.iter().any(|signal| {
        let SignalKind::Knots { first, count, .. } = signal.kind else {
            return false;
        };
        let mut own = study.scenario.parameters[first..first + count].iter();
        own.any(|parameter| parameter.tune)
    });
    if controlled && tune.plants == 1 && tune.objective.is_finite() {
        tune.costates = costates(study, &tune.solving, &found, &tune.parameters).ok();
    }
    Ok(tune)
}

impl Study {
    /// What is wrong with what `[tune]` reads of a run.
    pub fn tune_findings(&self) -> Vec<Diagnostic> {
        let settings = self.scenario.tune.as_ref();
        settings.map_or_else(Vec::new, |settings| {
            problem::compiled(self, settings).err().unwrap_or_default()
        })
    }
}

/// What an independent method says of a point that was found, where it can solve the scenario.
fn second_opinion(study: &Study, solving: &Solving, found: &Found<'_>) -> Option<SecondOpinion> {
    let method = match solving.stepper {
        SolverMethod::Tsit5 => SolverMethod::Vern7,
        SolverMethod::Rodas5p => SolverMethod::Radau5,
        _ => SolverMethod::Tsit5,
    };
    if solving.options.step.is_some() || solving.delays {
        return None;
    }
    let never = AtomicBool::new(false);
    let mut problem = TuneProblem::new(study, &never).ok()?;
    problem.solving.stepper = method;
    problem.solving.options.rtol *= 0.1;
    match &mut problem.solving.options.atol {
        Tolerance::Uniform(atol) => *atol *= 0.1,
        Tolerance::PerState(all) => all.iter_mut().for_each(|atol| *atol *= 0.1),
    }
    let mut c = vec![0.0; problem.constraints()];
    let objective = problem.values(found.x, &mut c).ok()?;
    let (lower, upper) = problem.constraint_bounds();
    let rows = problem.rows.iter().zip(&c).zip(lower.iter().zip(upper));
    let of_requirements = rows.filter(|((row, _), _)| matches!(row, Row::Requirement { .. }));
    let violation = of_requirements
        .map(|((_, &c), (&l, &u))| (c - u).max(l - c).max(0.0))
        .fold(0.0, f64::max);
    Some(SecondOpinion {
        method,
        objective,
        violation,
    })
}

/// The objective at the file's values; NaN where the run does not get to its end.
fn objective_of(study: &Study, solving: &Solving) -> f64 {
    let minimize = study
        .scenario
        .tune
        .iter()
        .map(|settings| &settings.minimize);
    let minimize: Vec<&Expression> = minimize.collect();
    FunctionalStudy::several(study, &minimize, &[], None)
        .ok()
        .and_then(|functional| functional.values(study, solving, &study.values()).ok())
        .map_or(f64::NAN, |values| values[0])
}

/// Most variables of a search that goes on from a kink: its cost grows with their square.
const MOST_KINKED: usize = 60;

/// Where a search ended, on its own scales.
struct End {
    x: Vec<f64>,
    multipliers: Vec<f64>,
}

/// Searches where none are asked for and the first one ends where it began.
const STARTS: usize = 16;

/// Searches from all starts, and what the best of them found; the last `kept` variables begin alike in all.
fn search_all(
    problem: &mut TuneProblem<'_>,
    kept: usize,
    stop: &AtomicBool,
    watch: &dyn Fn(&SqpProgress),
) -> Result<(Tune, End), StudyError> {
    let (asked, seed) = (problem.settings.starts, problem.settings.seed);
    let starts = starts::starts(problem, asked.unwrap_or(STARTS), seed, kept);
    let feasibility = feasibility(problem.settings);
    let mut best: Option<(Tune, End, TuneStart)> = None;
    let mut failed = None;
    let mut reports = Vec::new();
    let mut evaluations = 0;
    let (given, mut objective_before) = (problem.natural(&problem.given()), f64::NAN);
    for (number, start) in starts.into_iter().enumerate() {
        if stop.load(Ordering::Relaxed) && best.is_some() {
            break;
        }
        let (tune, end) = match search(problem, start, stop, watch) {
            Ok(found) => found,
            Err(StudyError::Interrupted) => break,
            Err(error) => {
                reports.push(TuneStart {
                    objective: f64::NAN,
                    violation: f64::NAN,
                    status: SqpStatus::Failed {
                        reason: error.to_string(),
                    },
                });
                failed.get_or_insert(error);
                continue;
            }
        };
        evaluations += tune.evaluations;
        if number == 0 {
            objective_before = tune.objective_before;
        }
        let report = TuneStart {
            objective: tune.objective,
            violation: tune.kkt.feasibility,
            status: tune.status.clone(),
        };
        reports.push(report.clone());
        let better = |(_, _, known): &(Tune, End, TuneStart)| report.before(known, feasibility);
        // where nothing that is found moves anything, as before a first contact, the first guess says nothing of what is beyond
        let unmoved = tune.history.len() == 1 && tune.status == SqpStatus::Converged;
        if best.as_ref().is_none_or(better) {
            best = Some((tune, end, report));
        }
        if number == 0 && asked.is_none() && !unmoved {
            break;
        }
    }
    let Some((mut tune, end, _)) = best else {
        return Err(failed.unwrap_or(StudyError::Interrupted));
    };
    (tune.start, tune.objective_before) = (given, objective_before);
    tune.starts = reports;
    tune.evaluations = evaluations;
    Ok((tune, end))
}

/// How far constraints may be violated at a converged point.
fn feasibility(settings: &TuneSettings) -> f64 {
    settings.tolerance.max(1e-9)
}

fn search(
    problem: &mut TuneProblem<'_>,
    start: Vec<f64>,
    stop: &AtomicBool,
    watch: &dyn Fn(&SqpProgress),
) -> Result<(Tune, End), StudyError> {
    let study = problem.study;
    let settings = SqpSettings {
        max_iterations: problem.settings.max_iterations,
        tolerance: problem.settings.tolerance,
        feasibility: feasibility(problem.settings),
        // what the choice of steps leaves undetermined of a value
        noise: (0.01 * problem.solving.options.rtol).max(1e-14),
        longest_step: 10.0,
    };
    problem.begin();
    let start = problem.start(start)?;
    let objective_before = problem.aggregate_of(&start)?;
    let go_on = || !stop.load(Ordering::Relaxed);
    let mut outcome = sqp(problem, &start, &settings, &mut |progress, _| {
        watch(progress);
        go_on()
    });
    if outcome.status == SqpStatus::SmallStep && outcome.x.len() <= MOST_KINKED {
        outcome = descend_kinks(problem, &outcome, &settings, &go_on);
    }
    if let SqpStatus::Failed { .. } = &outcome.status
        && let Some(error) = problem.error.take()
        && !outcome.value.is_finite()
    {
        return Err(error);
    }
    let theta = problem.natural(&outcome.x);
    let held: Vec<Variable> = held(study);
    let sensitivities = match outcome.value.is_finite() {
        true => {
            let found = Found {
                x: &outcome.x,
                multipliers: &outcome.multipliers,
            };
            match outcome.shares.is_empty() {
                true => problem.sensitivities(&found, &held)?,
                false => on_a_kink(problem, &outcome.shares, &held)?,
            }
        }
        false => Vec::new(),
    };
    let names = |variables: &[Variable]| -> Vec<String> {
        variables.iter().map(|v| v.name(&study.scenario)).collect()
    };
    let slopes = problem.slopes(&theta);
    let evaluated = problem.evaluate(&outcome.x)?;
    let tune = Tune {
        names: names(&problem.variables),
        start: problem.natural(&start),
        bound_multipliers: (outcome.bound_multipliers.iter().zip(&slopes))
            .map(|(z, slope)| z / slope)
            .collect(),
        parameters: problem.parameters(&theta),
        objective: outcome.value,
        objective_before,
        constraints: reports(problem, &outcome.constraints, &outcome.multipliers),
        kkt: outcome.kkt,
        status: outcome.status,
        sensitivities: names(&held).into_iter().zip(sensitivities).collect(),
        history: outcome.history,
        evaluations: outcome.evaluations,
        plants: problem.plants.len(),
        plant_objectives: evaluated.iter().map(|values| values[0]).collect(),
        plant_parameters: problem
            .plants
            .iter()
            .map(|plant| problem.of_plant(&theta, plant))
            .collect(),
        starts: Vec::new(),
        second_opinion: None,
        costates: None,
        solving: problem.solving.clone(),
        best: theta,
    };
    let (x, multipliers) = (outcome.x, outcome.multipliers);
    Ok((tune, End { x, multipliers }))
}

/// dJ*/dp of a minimum on a kink: the combination that cancels the gradients by what was found, of the gradients by what was held.
fn on_a_kink(
    problem: &TuneProblem<'_>,
    shares: &[Share],
    held: &[Variable],
) -> Result<Vec<f64>, StudyError> {
    let mut total = vec![0.0; held.len()];
    for share in shares {
        let found = Found {
            x: &share.x,
            multipliers: &share.multipliers,
        };
        let own = problem.sensitivities(&found, held)?;
        for (to, own) in total.iter_mut().zip(own) {
            *to += share.weight * own;
        }
    }
    Ok(total)
}

/// What the optimum may depend on beside what was found: the other parameters, and the end where it is given.
fn held(study: &Study) -> Vec<Variable> {
    let scenario = &study.scenario;
    let mut held: Vec<Variable> = (0..scenario.parameters.len())
        .filter(|&k| !scenario.parameters[k].tune)
        .map(Variable::Parameter)
        .collect();
    if scenario.free_end.is_none() {
        held.push(Variable::End);
    }
    held
}

fn reports(problem: &TuneProblem<'_>, c: &[f64], multipliers: &[f64]) -> Vec<ConstraintReport> {
    let mut reports: Vec<ConstraintReport> = problem
        .requirements
        .iter()
        .map(|(kind, requirement)| ConstraintReport {
            text: requirement.expression.to_string(),
            kind,
            values: [f64::INFINITY, f64::NEG_INFINITY],
            bounds: requirement.bounds,
            violation: 0.0,
            multiplier: 0.0,
            active: false,
        })
        .collect();
    for ((row, &c), &multiplier) in problem.rows.iter().zip(c).zip(multipliers) {
        let &Row::Requirement { which, idle } = row else {
            continue;
        };
        let report = &mut reports[which];
        if idle != Some(c) {
            report.values[0] = report.values[0].min(c);
            report.values[1] = report.values[1].max(c);
        }
        let [lower, upper] = report.bounds;
        report.violation = report.violation.max((c - upper).max(lower - c).max(0.0));
        report.multiplier += multiplier;
        let near = 1e-7 * (1.0 + c.abs());
        report.active |= (c - upper).abs() <= near || (lower - c).abs() <= near;
    }
    reports
}
