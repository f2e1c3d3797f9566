//! `global = "scatter-search"`: the starts of a fit are the points from which a population sends its searches.

use std::sync::atomic::AtomicBool;

use super::fit_problem::{FitProblem, parameters_of};
use super::variable::Variable;
use super::{Solving, Study, StudyError};
use crate::optimize::{Budget, EvaluationError, Found, Outcome, scatter_search};

/// Evaluations a parameter where the scenario names no budget.
const EVALUATIONS: usize = 1000;

/// The search from the so manieth start.
type Search<'s> = dyn Fn(usize, &[f64]) -> Result<Outcome, EvaluationError> + Sync + 's;

/// The local searches of a scatter search, which `local` runs, told their number.
///
/// # Errors
/// Where a parameter has no finite bounds: there is no box to spread a population in.
pub(super) fn searches(
    study: &Study,
    (solving, variables): (&Solving, &[Variable]),
    bounds: (&[f64], &[f64]),
    first: &[Vec<f64>],
    stop: &AtomicBool,
    local: &Search<'_>,
) -> Result<Found, StudyError> {
    let settings = &study.scenario.fit;
    let parameters = parameters_of(study, variables).map(|(_, parameter)| parameter);
    for ((parameter, lower), upper) in parameters.zip(bounds.0).zip(bounds.1) {
        if !(lower.is_finite() && upper.is_finite()) {
            return Err(StudyError::Unsupported(format!(
                "a global search needs two finite bounds of each parameter, and `{}` has not: give it `bounds`",
                parameter.name.text
            )));
        }
    }
    let budget = Budget {
        evaluations: settings
            .max_evaluations
            .unwrap_or(EVALUATIONS.saturating_mul(variables.len())),
        seed: settings.seed,
    };
    let problem = || {
        let made = FitProblem::new(study, solving, variables, bounds, stop).ok();
        made.map(FitProblem::solving_inside)
    };
    Ok(scatter_search(problem, local, bounds, first, budget, stop))
}
