//! Newton's method inside bounds by products of the Hessian with vectors: a trust region whose step comes from conjugate
//! gradients.
//!
//! With the gradient g and the Hessian H at theta, a step s minimizes about
//!
//! ```text
//! q(s) = g.s + 1/2 s.H s       subject to       lower <= theta + s <= upper,   |s| <= radius
//! ```
//!
//! in two stages (Lin & More, Newton's method for large bound-constrained optimization problems, SIAM J. Optim. 9, 1999,
//! doi 10.1137/S1052623498345075). Steepest descent, projected on the box and shortened until q falls enough, finds which
//! bounds hold. Then, among the variables that are free, conjugate gradients go on from there until the gradient of q is a
//! small part of what it was (inexact Newton: the smaller g, the smaller the part, so that convergence is superlinear), until
//! they leave the ball, or until they meet negative curvature and follow it to the ball's surface (Steihaug, SIAM J. Numer.
//! Anal. 20, 1983, doi 10.1137/0720042; Toint 1981). A step that leaves the box is projected, too, and the search goes on
//! among what is still free; so steps end on bounds exactly.
//!
//! H is never formed: each product costs a few gradients, whatever the number of variables (for a study's objective one dual
//! number through the discrete adjoint, [`crate::study::Objective::hessian_product`]). Some 5 to 20 products make an iteration,
//! quadratically few iterations a run, also where residuals are large, where variables are many, and where L-BFGS-B creeps
//! along a narrow valley. Products count as evaluations.

use super::outcome::{Callback, Outcome, Progress, Settings, Status};
use super::problem::{EvaluationError, SecondOrder};
use super::record::{LEVEL, Record, Stall, norm};

mod step;

/// Ratios of actual and predicted decrease from which a step is taken, the radius is kept, and the radius may grow.
const TAKEN: f64 = 1e-4;
const GOOD: f64 = 0.25;
const EXCELLENT: f64 = 0.75;
/// Change of the radius after a bad and an excellent step.
const SHRINK: f64 = 0.25;
const GROW: f64 = 3.0;
/// Largest part of the gradient of q that conjugate gradients leave.
const FORCING: f64 = 0.1;
/// Most steps refused in a row.
const REFUSED: usize = 60;

/// Minimizes the problem from `start` (length m), projected on the bounds.
pub fn newton_cg(
    problem: &mut dyn SecondOrder,
    start: &[f64],
    settings: &Settings,
    callback: Callback<'_>,
) -> Outcome {
    let record = match Record::new(problem, start) {
        Ok(record) => record,
        Err(outcome) => return *outcome,
    };
    Run {
        problem,
        record,
        settings,
    }
    .solve(start, callback)
}

struct Run<'a> {
    problem: &'a mut dyn SecondOrder,
    record: Record,
    settings: &'a Settings,
}

/// A point with its value and gradient.
struct Point {
    theta: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

impl Run<'_> {
    fn solve(mut self, start: &[f64], callback: Callback<'_>) -> Outcome {
        let mut theta = start.to_vec();
        self.record.project(&mut theta);
        let mut at = match self.evaluate(theta) {
            Ok(point) => point,
            Err(error) => return self.record.stopped(start, error),
        };
        let first_norm = self.record.norm(&at.theta, &at.gradient);
        let mut radius = self.settings.initial_radius.unwrap_or_else(|| {
            let size = norm(&at.theta).max(1.0);
            norm(&at.gradient).min(size)
        });
        let (mut iteration, mut step_norm, mut stall) = (0, 0.0, Stall::new(6));
        let status = 'run: loop {
            let gradient_norm = self.record.norm(&at.theta, &at.gradient);
            let progress = self.record.note(Progress {
                iteration,
                value: at.value,
                gradient_norm,
                step_norm,
            });
            if !callback(&progress, &at.theta) {
                break Status::Interrupted;
            }
            if gradient_norm <= self.settings.gradient_tolerance {
                break Status::Converged;
            }
            if stall.is_over() {
                break Status::SmallChange;
            }
            if iteration >= self.settings.max_iterations {
                break Status::MaxIterations;
            }
            let forcing = (gradient_norm / first_norm).sqrt().min(FORCING);
            let mut refused = 0;
            let next = loop {
                if self.record.exhausted(self.settings) {
                    break 'run Status::MaxIterations;
                }
                let step = match self.step(&at, radius, forcing) {
                    Ok(step) => step,
                    Err(EvaluationError::Interrupted) => break 'run Status::Interrupted,
                    Err(EvaluationError::Failed { reason }) => {
                        break 'run Status::Failed { reason };
                    }
                };
                let (predicted, length) = (-step.model(&at.gradient), norm(&step.s));
                let tolerance = self.settings.step_tolerance;
                let tiny = |(s, x): (&f64, &f64)| s.abs() <= tolerance * (x.abs() + tolerance);
                let small = step.s.iter().zip(&at.theta).all(tiny);
                if small || predicted.is_nan() || refused > REFUSED {
                    break 'run Status::SmallStep;
                }
                let mut theta: Vec<f64> =
                    at.theta.iter().zip(&step.s).map(|(x, s)| x + s).collect();
                self.record.project(&mut theta);
                let trial = match self.evaluate(theta) {
                    Ok(trial) => trial,
                    Err(EvaluationError::Interrupted) => break 'run Status::Interrupted,
                    Err(EvaluationError::Failed { .. }) => {
                        radius = SHRINK * length;
                        refused += 1;
                        continue;
                    }
                };
                let actual = at.value - trial.value;
                let scale = at.value.abs().max(trial.value.abs());
                let level = predicted <= LEVEL * scale && actual.abs() <= LEVEL * scale;
                let trial_norm = self.record.norm(&trial.theta, &trial.gradient);
                // where the value's last digits decide nothing, the slopes do
                let ratio = match level {
                    false => actual / predicted,
                    true if trial_norm < gradient_norm => 1.0,
                    true => -1.0,
                };
                if ratio < GOOD {
                    radius = SHRINK * length;
                } else if ratio > EXCELLENT {
                    radius = radius.max(GROW * length);
                }
                if ratio > TAKEN {
                    stall.note(level, trial_norm);
                    step_norm = length;
                    break trial;
                }
                refused += 1;
                if level {
                    // the arithmetic has nothing more to give here
                    stall.note(true, gradient_norm);
                    if stall.is_over() {
                        break 'run Status::SmallChange;
                    }
                }
            };
            at = next;
            iteration += 1;
        };
        self.record.finish(at.theta, at.value, at.gradient, status)
    }

    fn evaluate(&mut self, theta: Vec<f64>) -> Result<Point, EvaluationError> {
        let mut gradient = vec![0.0; theta.len()];
        let value = self
            .record
            .value_gradient(self.problem, &theta, &mut gradient)?;
        Ok(Point {
            theta,
            value,
            gradient,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::dot;
    use super::*;

    /// 1/2 x.A x - b.x with A of the eigenvalues given, along axes turned by a reflection.
    struct Quadratic {
        eigenvalues: Vec<f64>,
        b: Vec<f64>,
        lower: Vec<f64>,
        upper: Vec<f64>,
        products: usize,
    }

    impl Quadratic {
        fn new(eigenvalues: &[f64], b: &[f64]) -> Self {
            let m = b.len();
            Self {
                eigenvalues: eigenvalues.to_vec(),
                b: b.to_vec(),
                lower: vec![f64::NEG_INFINITY; m],
                upper: vec![f64::INFINITY; m],
                products: 0,
            }
        }

        /// R diag R x with R = 1 - 2 u u^T, u = 1 / sqrt m.
        fn apply(&self, x: &[f64]) -> Vec<f64> {
            let m = x.len() as f64;
            let reflect = |x: &[f64]| -> Vec<f64> {
                let mean = x.iter().sum::<f64>() / m;
                x.iter().map(|x| x - 2.0 * mean).collect()
            };
            let turned = reflect(x);
            let scaled: Vec<f64> = turned
                .iter()
                .zip(&self.eigenvalues)
                .map(|(x, l)| x * l)
                .collect();
            reflect(&scaled)
        }
    }

    impl super::super::Problem for Quadratic {
        fn dim(&self) -> usize {
            self.b.len()
        }
        fn bounds(&self) -> (&[f64], &[f64]) {
            (&self.lower, &self.upper)
        }
        fn value(&mut self, x: &[f64]) -> Result<f64, EvaluationError> {
            Ok(0.5 * dot(x, &self.apply(x)) - dot(&self.b, x))
        }
        fn value_gradient(&mut self, x: &[f64], g: &mut [f64]) -> Result<f64, EvaluationError> {
            for ((g, a), b) in g.iter_mut().zip(self.apply(x)).zip(&self.b) {
                *g = a - b;
            }
            self.value(x)
        }
    }

    impl SecondOrder for Quadratic {
        fn hessian_product(
            &mut self,
            _x: &[f64],
            v: &[f64],
            product: &mut [f64],
        ) -> Result<(), EvaluationError> {
            self.products += 1;
            product.copy_from_slice(&self.apply(v));
            Ok(())
        }
    }

    fn minimize(problem: &mut Quadratic, start: &[f64]) -> Outcome {
        newton_cg(problem, start, &Settings::default(), &mut |_, _| true)
    }

    /// Conjugate gradients end after as many products as there are different eigenvalues, here three.
    #[test]
    fn a_convex_quadratic_takes_few_products() {
        let eigenvalues = [1.0, 1.0, 10.0, 10.0, 1000.0, 1000.0, 1.0, 10.0];
        let b = [1.0, -2.0, 0.5, 3.0, 1.0, 1.0, -1.0, 2.0];
        let mut problem = Quadratic::new(&eigenvalues, &b);
        let outcome = minimize(&mut problem, &[0.0; 8]);
        assert_eq!(outcome.status, Status::Converged, "{outcome:?}");
        for (a, b) in problem.apply(&outcome.theta).iter().zip(&b) {
            assert!((a - b).abs() < 1e-8);
        }
        // an inexact Newton method: some iterations of at most three products and the one of steepest descent
        assert!(
            outcome.iterations <= 12 && problem.products <= 4 * 12,
            "{outcome:?}"
        );
    }

    /// Where bounds hold, the first-order conditions do, and those variables are on their bounds exactly.
    #[test]
    fn bounds_hold_exactly() {
        let eigenvalues = [2.0, 5.0, 1.0, 30.0, 0.1];
        let mut problem = Quadratic::new(&eigenvalues, &[4.0, -3.0, 2.0, 5.0, -1.0]);
        problem.lower = vec![0.0, -0.25, -1.0, 0.0, -0.5];
        problem.upper = vec![0.5, 2.0, 1.0, 0.75, 2.0];
        let outcome = minimize(&mut problem, &[0.1, 0.1, 0.1, 0.1, 0.1]);
        assert_eq!(outcome.status, Status::Converged, "{outcome:?}");
        let (x, g) = (&outcome.theta, &outcome.gradient);
        let mut held = 0;
        for i in 0..5 {
            let (low, high) = (x[i] == problem.lower[i], x[i] == problem.upper[i]);
            assert!(
                low && g[i] >= -1e-8 || high && g[i] <= 1e-8 || g[i].abs() < 1e-8,
                "{i}: {outcome:?}"
            );
            held += usize::from(low || high);
        }
        assert!((1..5).contains(&held), "{outcome:?}");
    }

    /// Negative curvature is followed, to the bound where there is one.
    #[test]
    fn negative_curvature_leads_to_the_bounds() {
        let mut problem = Quadratic::new(&[-1.0, 2.0], &[0.0, 0.0]);
        problem.lower = vec![-3.0; 2];
        problem.upper = vec![5.0; 2];
        let outcome = minimize(&mut problem, &[0.1, -0.2]);
        assert_eq!(outcome.status, Status::Converged, "{outcome:?}");
        assert!(outcome.value < -1.0);
        assert!(outcome.theta.iter().any(|&x| x == -3.0 || x == 5.0));
    }
}
