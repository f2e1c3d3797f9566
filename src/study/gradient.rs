//! One gradient by one method, timed and counted: what the command line shows side by side.

use std::time::{Duration, Instant};

use super::error::StudyError;
use super::functional::FunctionalStudy;
use super::objective::Objective;
use super::variable::Variable;
use super::{Solving, Study};
use crate::scenario::GradientMethod;

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
}

/// The method that `auto` stands for: dual numbers cost about a solve times (1 + directions / 2) a chunk of
/// eight, the adjoint about four solves whatever the number of variables (measured on Lotka-Volterra; the two
/// meet near four to eight variables).
pub fn choose(method: GradientMethod, variables: usize) -> GradientMethod {
    match method {
        GradientMethod::Auto if variables <= 4 => GradientMethod::Dual,
        GradientMethod::Auto => GradientMethod::Adjoint,
        named => named,
    }
}

/// Writes a gradient and returns the value.
type Evaluation<'a> = Box<dyn FnMut(&mut [f64]) -> Result<f64, StudyError> + 'a>;

/// The gradient of the data objective, or of a functional, at natural parameters `p`.
pub fn gradient(
    study: &Study,
    solving: &Solving,
    of: GradientOf<'_>,
    method: GradientMethod,
    p: &[f64],
    variables: &[Variable],
) -> Result<Gradient, StudyError> {
    let method = choose(method, variables.len());
    let mut gradient = vec![0.0; variables.len()];
    let mut evaluate: Evaluation<'_> = match of {
        GradientOf::Data => {
            let mut objective = Objective::new(study, solving.clone(), None)?;
            Box::new(move |gradient| match method {
                GradientMethod::Dual | GradientMethod::Auto => {
                    objective.gradient_dual(p, variables, gradient)
                }
                GradientMethod::Adjoint => objective.gradient_adjoint(p, variables, gradient),
                GradientMethod::FiniteDifference => {
                    objective.gradient_differences(p, variables, gradient)
                }
            })
        }
        GradientOf::Functional(functional) => Box::new(move |gradient| {
            functional.gradient(study, solving, method, p, variables, gradient)
        }),
    };
    let value = evaluate(&mut gradient)?; // compiles, and makes the buffers
    let mut times = Vec::with_capacity(REPEATS);
    let begun = Instant::now();
    while times.len() < REPEATS && (times.is_empty() || begun.elapsed() < LONGEST_TIMING) {
        let start = Instant::now();
        evaluate(&mut gradient)?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let seconds = times[times.len() / 2];
    drop(evaluate);
    Ok(Gradient {
        value,
        gradient,
        method,
        seconds,
    })
}
