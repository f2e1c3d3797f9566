//! The spectral projected gradient: steepest descent with a remembered step length.
//!
//! ```text
//! d = P(theta - a g) - theta,      a = s.s / s.y  (Barzilai & Borwein, IMA J. Numer. Anal. 8, 1988)
//! f(theta + t d) <= max of the last 10 values + 1e-4 t g.d,   t = 1, then smaller
//! ```
//!
//! with P the projection on the bounds (Birgin, Martinez & Raydan, SIAM J. Optim. 10, 2000). The search looks back over
//! several values because the spectral step is fast exactly by not being monotone; the outcome is the lowest point
//! seen. One value an attempt, one gradient an iteration, three vectors of memory. Linear convergence: a baseline, and
//! a choice for very many variables.

use std::collections::VecDeque;

use super::outcome::{Callback, Outcome, Progress, Settings, Status};
use super::problem::{EvaluationError, Problem};
use super::record::{Record, dot, norm};

const SUFFICIENT: f64 = 1e-4;
const LOOK_BACK: usize = 10;
const SHORTEST: f64 = 1e-30;
const LONGEST: f64 = 1e30;

/// Minimizes the problem from `start` (length m), projected on the bounds.
pub fn gradient_descent(
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
    let mut best = (theta.clone(), value, gradient.clone());
    let mut recent = VecDeque::from([value]);
    // The first step moves the largest component by one unit at most.
    let mut length = 1.0 / record.norm(&theta, &gradient).max(1.0);
    let (mut iteration, mut step_norm, mut stalls) = (0, 0.0, 0);

    let status = 'run: loop {
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
        if stalls >= 2 * LOOK_BACK {
            break Status::SmallChange;
        }
        if iteration >= settings.max_iterations || record.exhausted(settings) {
            break Status::MaxIterations;
        }

        let mut direction: Vec<f64> = theta
            .iter()
            .zip(&gradient)
            .map(|(x, g)| x - length * g)
            .collect();
        record.project(&mut direction);
        for (d, x) in direction.iter_mut().zip(&theta) {
            *d -= x;
        }
        let slope = dot(&gradient, &direction);
        let ceiling = recent.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let noise = 8.0 * f64::EPSILON * value.abs();
        let mut fraction = 1.0;
        let trial = loop {
            let mut trial: Vec<f64> = theta
                .iter()
                .zip(&direction)
                .map(|(x, d)| x + fraction * d)
                .collect();
            record.project(&mut trial);
            let still = trial.iter().zip(&theta).all(|(a, b)| {
                (a - b).abs() <= settings.step_tolerance * settings.step_tolerance.max(b.abs())
            });
            if still {
                break 'run Status::SmallStep;
            }
            if record.exhausted(settings) {
                break 'run Status::MaxIterations;
            }
            match record.value(problem, &trial) {
                Ok(next) if next <= ceiling + SUFFICIENT * fraction * slope + noise => {
                    break trial;
                }
                Ok(next) => {
                    // The parabola through both values and the slope, kept within a tenth and a half.
                    let bend = 2.0 * (next - value - fraction * slope);
                    let parabola = -slope * fraction * fraction / bend;
                    fraction = if parabola.is_finite() {
                        parabola.max(0.1 * fraction).min(0.5 * fraction)
                    } else {
                        0.5 * fraction
                    };
                }
                Err(EvaluationError::Failed { .. }) => fraction *= 0.25,
                Err(EvaluationError::Interrupted) => break 'run Status::Interrupted,
            }
        };
        let mut trial_gradient = vec![0.0; theta.len()];
        let trial_value = match record.value_gradient(problem, &trial, &mut trial_gradient) {
            Ok(value) => value,
            Err(EvaluationError::Interrupted) => break Status::Interrupted,
            Err(EvaluationError::Failed { .. }) => break Status::SmallStep,
        };
        let s: Vec<f64> = trial.iter().zip(&theta).map(|(a, b)| a - b).collect();
        let y: Vec<f64> = trial_gradient
            .iter()
            .zip(&gradient)
            .map(|(a, b)| a - b)
            .collect();
        step_norm = norm(&s);
        let curvature = dot(&s, &y);
        length = if curvature > 0.0 {
            (dot(&s, &s) / curvature).clamp(SHORTEST, LONGEST)
        } else {
            (10.0 * length).min(LONGEST)
        };
        (theta, value, gradient) = (trial, trial_value, trial_gradient);
        iteration += 1;
        recent.push_back(value);
        if recent.len() > LOOK_BACK {
            recent.pop_front();
        }
        let gained = best.1 - value;
        stalls = if gained > settings.value_tolerance * value.abs() {
            0
        } else {
            stalls + 1
        };
        let level = gained.abs() <= noise;
        if gained > 0.0 || level && record.norm(&theta, &gradient) < record.norm(&best.0, &best.2) {
            best = (theta.clone(), value, gradient.clone());
        }
    };
    let (theta, value, gradient) = best;
    record.finish(theta, value, gradient, status)
}
