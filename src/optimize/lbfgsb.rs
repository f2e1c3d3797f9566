//! L-BFGS-B: limited-memory quasi-Newton inside bounds (Byrd, Lu, Nocedal & Zhu, SIAM J. Sci. Comput. 16, 1995).
//!
//! Each iteration minimizes a quadratic model of f inside the box in two stages (`cauchy`), then searches
//! the segment from theta to that point for the strong Wolfe conditions (`line_search`). Evaluations that
//! fail shorten the step. Memory 2 n m for n pairs of m variables, work O(n m) an iteration, one or two gradients an
//! iteration; convergence is linear in theory and fast in practice. Take it where there is a gradient but no residuals.

use super::cauchy::Memory;
use super::line_search;
use super::outcome::{Callback, Outcome, Progress, Settings, Status};
use super::problem::{EvaluationError, Problem};
use super::record::{Record, Stall, norm};

/// Minimizes the problem from `start` (length m), projected on the bounds.
pub fn lbfgsb(
    problem: &mut dyn Problem,
    start: &[f64],
    settings: &Settings,
    callback: Callback<'_>,
) -> Outcome {
    let mut record = match Record::new(problem, start) {
        Ok(record) => record,
        Err(outcome) => return *outcome,
    };
    let mut theta = start.to_vec();
    record.project(&mut theta);
    let mut gradient = vec![0.0; theta.len()];
    let mut value = match record.value_gradient(problem, &theta, &mut gradient) {
        Ok(value) => value,
        Err(error) => return record.stopped(start, error),
    };
    let mut memory = Memory::new(theta.len(), settings.memory);
    let (mut iteration, mut step_norm, mut stall) = (0, 0.0, Stall::new(10));

    let status = loop {
        let gradient_norm = record.norm(&theta, &gradient);
        let progress = record.note(Progress {
            iteration,
            value,
            gradient_norm,
            step_norm,
        });
        if !callback(&progress, &theta) {
            break Status::Interrupted;
        }
        if gradient_norm <= settings.gradient_tolerance {
            break Status::Converged;
        }
        if stall.is_over() {
            break Status::SmallChange;
        }
        if iteration >= settings.max_iterations || record.exhausted(settings) {
            break Status::MaxIterations;
        }

        let sample = loop {
            let target = memory.target(&theta, &gradient, &record.lower, &record.upper);
            let direction: Vec<f64> = target.iter().zip(&theta).map(|(t, x)| t - x).collect();
            let size = norm(&direction);
            let first = if memory.is_empty() && size > 1.0 {
                1.0 / size
            } else {
                1.0
            };
            let longest = longest(&theta, &direction, &record);
            let found = line_search::search(
                problem,
                &mut record,
                settings,
                &theta,
                value,
                &gradient,
                &direction,
                first,
                longest,
            );
            match found {
                // The model misled: begin again from the gradient alone.
                Ok(None) if !memory.is_empty() && !record.exhausted(settings) => memory.clear(),
                other => break other,
            }
        };
        let sample = match sample {
            Ok(Some(sample)) => sample,
            Ok(None) if record.exhausted(settings) => break Status::MaxIterations,
            Err(EvaluationError::Interrupted) => break Status::Interrupted,
            Ok(None) | Err(EvaluationError::Failed { .. }) => break Status::SmallStep,
        };
        let s: Vec<f64> = sample
            .theta
            .iter()
            .zip(&theta)
            .map(|(a, b)| a - b)
            .collect();
        let y: Vec<f64> = sample
            .gradient
            .iter()
            .zip(&gradient)
            .map(|(a, b)| a - b)
            .collect();
        step_norm = norm(&s);
        let tiny = s
            .iter()
            .zip(&theta)
            .all(|(s, x)| s.abs() <= settings.step_tolerance * (x.abs() + settings.step_tolerance));
        let change = value - sample.value;
        let scale = value.abs().max(sample.value.abs());
        let level = change <= settings.value_tolerance.max(f64::EPSILON) * scale;
        theta = sample.theta;
        value = sample.value;
        gradient = sample.gradient;
        stall.note(level, record.norm(&theta, &gradient));
        iteration += 1;
        memory.push(s, y);
        if tiny && record.norm(&theta, &gradient) > settings.gradient_tolerance {
            let gradient_norm = record.norm(&theta, &gradient);
            record.note(Progress {
                iteration,
                value,
                gradient_norm,
                step_norm,
            });
            break Status::SmallStep;
        }
    };
    record.finish(theta, value, gradient, status)
}

/// How many times the direction fits into the box, at least once since the target does; bounded where nothing ends it.
fn longest(theta: &[f64], direction: &[f64], record: &Record) -> f64 {
    const UNBOUNDED: f64 = 1e6;
    let mut longest = UNBOUNDED;
    for (i, &d) in direction.iter().enumerate() {
        let room = if d > 0.0 {
            record.upper[i] - theta[i]
        } else if d < 0.0 {
            record.lower[i] - theta[i]
        } else {
            continue;
        };
        longest = (room / d).min(longest);
    }
    longest.max(1.0)
}
