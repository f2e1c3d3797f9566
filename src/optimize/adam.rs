//! Adam inside bounds (Kingma & Ba, Adam: a method for stochastic optimization, ICLR 2015, arXiv:1412.6980).
//!
//! ```text
//! a <- 0.9 a + 0.1 g,     b <- 0.999 b + 0.001 g^2
//! theta <- P( theta - rate * (a / (1 - 0.9^n)) / (sqrt(b / (1 - 0.999^n)) + 1e-8) )
//! ```
//!
//! Each variable moves by about `rate`, whatever its gradient's size, so the iteration walks through rough ground where
//! a line search gives up. At a fixed rate it ends by circling the minimum; the rate is therefore halved, from the best
//! point and with fresh averages, whenever 50 iterations bring no lower value. It converges slowly: polish its answer
//! with [`super::lbfgsb()`]. One gradient an iteration. An evaluation that fails also halves the rate.

use super::outcome::{Callback, Outcome, Progress, Settings, Status};
use super::problem::{EvaluationError, Problem};
use super::record::{Record, norm};

const FIRST_DECAY: f64 = 0.9;
const SECOND_DECAY: f64 = 0.999;
const FLOOR: f64 = 1e-8;
const PATIENCE: usize = 50;

/// Minimizes the problem from `start` (length m), projected on the bounds, by steps of `settings.learning_rate`.
pub fn adam(
    problem: &mut dyn Problem,
    start: &[f64],
    settings: &Settings,
    callback: Callback<'_>,
) -> Outcome {
    let mut record = match Record::new(problem, start) {
        Ok(record) => record,
        Err(outcome) => return *outcome,
    };
    let m = start.len();
    let mut theta = start.to_vec();
    record.project(&mut theta);
    let mut gradient = vec![0.0; m];
    let mut value = match record.value_gradient(problem, &theta, &mut gradient) {
        Ok(value) => value,
        Err(error) => return record.stopped(start, error),
    };
    let mut best = (theta.clone(), value, gradient.clone());
    let mut rate = if settings.learning_rate > 0.0 {
        settings.learning_rate
    } else {
        Settings::default().learning_rate
    };
    let (mut first, mut second) = (vec![0.0; m], vec![0.0; m]);
    let (mut decay_first, mut decay_second) = (1.0, 1.0);
    let (mut iteration, mut step_norm, mut since_best) = (0, 0.0, 0);

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
            best = (theta, value, gradient);
            break Status::Converged;
        }
        if iteration >= settings.max_iterations || record.exhausted(settings) {
            break Status::MaxIterations;
        }

        decay_first *= FIRST_DECAY;
        decay_second *= SECOND_DECAY;
        let mut trial = theta.clone();
        for i in 0..m {
            first[i] = FIRST_DECAY * first[i] + (1.0 - FIRST_DECAY) * gradient[i];
            second[i] = SECOND_DECAY * second[i] + (1.0 - SECOND_DECAY) * gradient[i] * gradient[i];
            let mean = first[i] / (1.0 - decay_first);
            let spread = (second[i] / (1.0 - decay_second)).sqrt();
            trial[i] -= rate * mean / (spread + FLOOR);
        }
        record.project(&mut trial);
        let mut trial_gradient = vec![0.0; m];
        let failed = match record.value_gradient(problem, &trial, &mut trial_gradient) {
            Ok(trial_value) => {
                let s: Vec<f64> = trial.iter().zip(&theta).map(|(a, b)| a - b).collect();
                step_norm = norm(&s);
                (theta, value, gradient) = (trial, trial_value, trial_gradient);
                false
            }
            Err(EvaluationError::Failed { .. }) => true,
            Err(EvaluationError::Interrupted) => break Status::Interrupted,
        };
        iteration += 1;
        if value < best.1 {
            best = (theta.clone(), value, gradient.clone());
            since_best = 0;
        } else {
            since_best += 1;
        }
        if failed || since_best >= PATIENCE {
            rate *= 0.5;
            since_best = 0;
            (theta, value, gradient) = best.clone();
            first.fill(0.0);
            second.fill(0.0);
            (decay_first, decay_second) = (1.0, 1.0);
            let largest = theta.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
            if rate <= settings.step_tolerance * largest.max(settings.step_tolerance) {
                break Status::SmallStep;
            }
        }
    };
    let (theta, value, gradient) = best;
    record.finish(theta, value, gradient, status)
}
