//! One gradient by one method, timed and counted: what the command line shows side by side.

use std::time::{Duration, Instant};

use super::error::StudyError;
use super::functional::FunctionalStudy;
use super::lane::chunk_width;
use super::objective::Objective;
use super::variable::Variable;
use super::{Solving, Study};
use crate::scenario::GradientMethod;
use crate::scenario::SolverMethod;

/// Most evaluations timed, and the time after which no more are begun.
const REPEATS: usize = 51;
const LONGEST_TIMING: Duration = Duration::from_millis(50);

/// What is differentiated.
#[derive(Debug, Clone, Copy)]
pub enum GradientOf<'a> {
    /// the data objective
    Data,
    /// a functional of the trajectory
    Functional(&'a FunctionalStudy),
}

/// A value and its gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient {
    /// the objective or functional
    pub value: f64,
    /// derivative with respect to each variable, natural scale
    pub gradient: Vec<f64>,
    /// the method that made it (never `Auto`)
    pub method: GradientMethod,
    /// wall time of one evaluation with buffers warm: the median of a few
    pub seconds: f64,
    /// where `auto` chose the method: what it expected, and what came of it
    pub forecast: Option<Forecast>,
}

/// What the two methods were expected to cost, in units of a solve on dual numbers without a direction (some 1.2 to 1.5 plain solves).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// by dual numbers
    pub dual: f64,
    /// by the discrete adjoint, where there is one
    pub adjoint: Option<f64>,
    /// wall time of a plain solve
    pub solve_seconds: f64,
}

/// The method that `auto` stands for, by what each costs in units of a solve on dual numbers without a direction.
///
/// ```text
/// dual     sum over chunks of N = 1, 2, 4, 8 directions of 1 + N / 4
/// adjoint  2 (explicit methods: a recorded solve and its sweep), 1.3 (implicit ones: a factorization and a transposed
///          solve a stage, while dual numbers solve for every direction), whatever the number of variables
/// ```
///
/// Off the hot path of tsit5 and rodas5p every chunk has 8 directions, used or not.
///
/// Fitted to times of the gallery and of POLLU (`costate gradient SCENARIO --wrt ... --method all`): 0.19 to 0.5 a
/// direction, 1.7 to 2.6 for the adjoint of tsit5, 1.3 for that of rodas5p. The choice depends on counts alone, so that
/// the same scenario gives the same bits on every machine.
pub fn choose(
    method: GradientMethod,
    adjoint: Option<SolverMethod>,
    variables: usize,
    hot: bool,
) -> GradientMethod {
    let adjoint = adjoint.map_or(f64::INFINITY, adjoint_cost);
    match method {
        GradientMethod::Auto if dual_cost(variables, hot) < adjoint => GradientMethod::Dual,
        GradientMethod::Auto => GradientMethod::Adjoint,
        named => named,
    }
}

fn adjoint_cost(solver: SolverMethod) -> f64 {
    if solver.is_explicit() { 2.0 } else { 1.3 }
}

fn dual_cost(variables: usize, hot: bool) -> f64 {
    let mut cost = 0.0;
    let mut left = variables;
    while left > 0 {
        let width = chunk_width(left, hot);
        cost += 1.0 + 0.25 * width as f64;
        left = left.saturating_sub(width);
    }
    cost
}

/// Refuses what cannot be moved: the start of a run from an equilibrium, where time is held.
pub(super) fn check_variables(
    study: &Study,
    of: GradientOf<'_>,
    variables: &[Variable],
) -> Result<(), StudyError> {
    let rests = match of {
        GradientOf::Data => false,
        GradientOf::Functional(functional) => functional.rests(),
    };
    let before = study.equations.before.iter().any(Option::is_some);
    if variables.contains(&Variable::Start) && (rests || before) {
        return Err(StudyError::Unsupported(
            "`time.start` cannot be a variable where a run starts from, or asks for, an equilibrium: time is held there".into(),
        ));
    }
    Ok(())
}

/// Writes a gradient and returns the value.
type Evaluation<'a> = Box<dyn FnMut(&mut [f64]) -> Result<f64, StudyError> + 'a>;

/// The computation of a gradient by a method.
fn evaluation<'a>(
    study: &'a Study,
    solving: &'a Solving,
    of: GradientOf<'a>,
    method: GradientMethod,
    p: &'a [f64],
    variables: &'a [Variable],
) -> Result<Evaluation<'a>, StudyError> {
    check_variables(study, of, variables)?;
    Ok(match of {
        GradientOf::Data => {
            let mut objective = Objective::new(study, solving.of_adjoint(study, method)?, None)?;
            Box::new(move |gradient| match method {
                GradientMethod::Dual | GradientMethod::Auto => {
                    objective.gradient_dual(p, variables, gradient)
                }
                GradientMethod::Adjoint | GradientMethod::ContinuousAdjoint => {
                    objective.gradient_adjoint(p, variables, gradient)
                }
                GradientMethod::FiniteDifference => {
                    objective.gradient_differences(p, variables, gradient)
                }
            })
        }
        GradientOf::Functional(functional) => Box::new(move |gradient| {
            functional.gradient(study, solving, method, p, variables, gradient)
        }),
    })
}

/// The derivatives of the data objective, or of a functional, at natural parameters `p`, computed once.
pub(super) fn derivatives(
    study: &Study,
    solving: &Solving,
    of: GradientOf<'_>,
    method: GradientMethod,
    p: &[f64],
    variables: &[Variable],
) -> Result<Vec<f64>, StudyError> {
    let mut gradient = vec![0.0; variables.len()];
    evaluation(study, solving, of, method, p, variables)?(&mut gradient)?;
    Ok(gradient)
}

/// The gradient of the data objective, or of a functional, at natural parameters `p`, and what it takes.
pub fn gradient(
    study: &Study,
    solving: &Solving,
    of: GradientOf<'_>,
    method: GradientMethod,
    p: &[f64],
    variables: &[Variable],
) -> Result<Gradient, StudyError> {
    let (adjoint, hot) = (solving.adjoint().ok(), solving.hot(study));
    let asked = method;
    let method = choose(asked, adjoint, variables.len(), hot);
    let mut gradient = vec![0.0; variables.len()];
    let mut evaluate = evaluation(study, solving, of, method, p, variables)?;
    let value = evaluate(&mut gradient)?; // compiles, and makes the buffers
    let seconds = median_time(|| evaluate(&mut gradient).map(|_| ()))?;
    let forecast = match asked {
        GradientMethod::Auto => Some(Forecast {
            dual: dual_cost(variables.len(), hot),
            adjoint: adjoint.map(adjoint_cost),
            solve_seconds: plain_solve(study, solving, of, p)?,
        }),
        _ => None,
    };
    Ok(Gradient {
        value,
        gradient,
        method,
        seconds,
        forecast,
    })
}

/// The median time of some evaluations.
fn median_time(mut evaluate: impl FnMut() -> Result<(), StudyError>) -> Result<f64, StudyError> {
    let mut times = Vec::with_capacity(REPEATS);
    let begun = Instant::now();
    while times.len() < REPEATS && (times.is_empty() || begun.elapsed() < LONGEST_TIMING) {
        let start = Instant::now();
        evaluate()?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// What the value alone takes.
fn plain_solve(
    study: &Study,
    solving: &Solving,
    of: GradientOf<'_>,
    p: &[f64],
) -> Result<f64, StudyError> {
    match of {
        GradientOf::Data => {
            let mut objective = Objective::new(study, solving.clone(), None)?;
            objective.value(p)?;
            median_time(|| objective.value(p).map(|_| ()))
        }
        GradientOf::Functional(functional) => {
            functional.value(study, solving, p)?;
            median_time(|| functional.value(study, solving, p).map(|_| ()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_takes_dual_numbers_for_few_directions_only() {
        let auto = |stepper, m| choose(GradientMethod::Auto, stepper, m, true);
        assert_eq!(auto(Some(SolverMethod::Tsit5), 1), GradientMethod::Dual);
        assert_eq!(auto(Some(SolverMethod::Tsit5), 2), GradientMethod::Dual);
        assert_eq!(auto(Some(SolverMethod::Tsit5), 4), GradientMethod::Adjoint);
        assert_eq!(auto(Some(SolverMethod::Tsit5), 30), GradientMethod::Adjoint);
        assert_eq!(auto(Some(SolverMethod::Rodas5p), 1), GradientMethod::Dual);
        assert_eq!(
            auto(Some(SolverMethod::Rodas5p), 2),
            GradientMethod::Adjoint
        );
        assert_eq!(auto(None, 30), GradientMethod::Dual);
        assert_eq!(
            choose(GradientMethod::Dual, Some(SolverMethod::Rodas5p), 30, true),
            GradientMethod::Dual
        );
    }
}
