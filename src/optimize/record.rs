//! A run's bookkeeping: counted evaluations that are finite or failed, the history, and the outcome's assembly.

use super::outcome::{Outcome, Progress, Settings, Status, projected_gradient_norm};
use super::problem::{EvaluationError, LeastSquares, Problem, SecondOrder};

/// Bounds, counters and history of one run.
pub(super) struct Record {
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
    pub evaluations: usize,
    pub gradient_evaluations: usize,
    /// the problem allows no further evaluation
    spent: bool,
    history: Vec<Progress>,
}

impl Record {
    /// Checks the start against the problem; the error is the outcome of a run that cannot begin.
    pub fn new(problem: &dyn Problem, start: &[f64]) -> Result<Self, Box<Outcome>> {
        let (lower, upper) = problem.bounds();
        let m = problem.dim();
        let record = Self {
            lower: lower.to_vec(),
            upper: upper.to_vec(),
            evaluations: 0,
            gradient_evaluations: 0,
            spent: false,
            history: Vec::new(),
        };
        let complaint = if start.len() != m || lower.len() != m || upper.len() != m {
            Some(format!(
                "a problem of {m} variables was given a start of {} and bounds of {} and {}",
                start.len(),
                lower.len(),
                upper.len()
            ))
        } else if let Some(i) = (0..m).find(|&i| !start[i].is_finite()) {
            Some(format!("variable {i} starts at {}", start[i]))
        } else {
            (0..m)
                .find(|&i| {
                    lower[i].is_nan()
                        || upper[i].is_nan()
                        || lower[i] > upper[i]
                        || lower[i] == f64::INFINITY
                        || upper[i] == f64::NEG_INFINITY
                })
                .map(|i| {
                    format!(
                        "variable {i} has the empty interval [{}, {}]",
                        lower[i], upper[i]
                    )
                })
        };
        match complaint {
            None => Ok(record),
            Some(reason) => Err(Box::new(record.failed(start, reason))),
        }
    }

    /// The nearest point inside the bounds.
    pub fn project(&self, theta: &mut [f64]) {
        for ((x, &l), &u) in theta.iter_mut().zip(&self.lower).zip(&self.upper) {
            *x = x.max(l).min(u);
        }
    }

    /// Infinity norm of the projected gradient.
    pub fn norm(&self, theta: &[f64], gradient: &[f64]) -> f64 {
        projected_gradient_norm(theta, gradient, &self.lower, &self.upper)
    }

    /// Value and gradient; a value or slope that is not finite is a failure.
    pub fn value_gradient(
        &mut self,
        problem: &mut dyn Problem,
        theta: &[f64],
        gradient: &mut [f64],
    ) -> Result<f64, EvaluationError> {
        self.evaluations += 1;
        self.gradient_evaluations += 1;
        let value = problem.value_gradient(theta, gradient);
        self.spent = problem.is_spent();
        let value = value?;
        finite(value, gradient.iter().all(|g| g.is_finite()))
    }

    /// Value alone; not finite is a failure.
    pub fn value(
        &mut self,
        problem: &mut dyn Problem,
        theta: &[f64],
    ) -> Result<f64, EvaluationError> {
        self.evaluations += 1;
        let value = problem.value(theta);
        self.spent = problem.is_spent();
        finite(value?, true)
    }

    /// Value alone; infinity where there is none, so that methods that compare values go on. The error is an interruption.
    pub fn value_or_infinity(
        &mut self,
        problem: &mut dyn Problem,
        theta: &[f64],
    ) -> Result<f64, EvaluationError> {
        match self.value(problem, theta) {
            Ok(value) => Ok(value),
            Err(EvaluationError::Failed { .. }) => Ok(f64::INFINITY),
            Err(interrupted) => Err(interrupted),
        }
    }

    /// The Hessian times a vector, counted as an evaluation; anything not finite is a failure.
    pub fn hessian_product(
        &mut self,
        problem: &mut dyn SecondOrder,
        theta: &[f64],
        v: &[f64],
        product: &mut [f64],
    ) -> Result<(), EvaluationError> {
        self.evaluations += 1;
        self.gradient_evaluations += 1;
        let done = problem.hessian_product(theta, v, product);
        self.spent = problem.is_spent();
        done?;
        finite(0.0, product.iter().all(|h| h.is_finite())).map(|_| ())
    }

    /// Value, residuals and Jacobian; anything not finite is a failure.
    pub fn value_residuals(
        &mut self,
        problem: &mut dyn LeastSquares,
        theta: &[f64],
        r: &mut [f64],
        jacobian: &mut [f64],
    ) -> Result<f64, EvaluationError> {
        self.evaluations += 1;
        self.gradient_evaluations += 1;
        let value = problem.value_residuals(theta, r, jacobian);
        self.spent = problem.is_spent();
        let value = value?;
        finite(value, r.iter().chain(&*jacobian).all(|x| x.is_finite()))
    }

    /// Whether another evaluation is allowed.
    pub fn exhausted(&self, settings: &Settings) -> bool {
        self.evaluations >= settings.max_evaluations || self.spent
    }

    /// Notes one iteration.
    pub fn note(&mut self, progress: Progress) -> Progress {
        self.history.push(progress);
        progress
    }

    /// The outcome at a point that has a value and a gradient.
    pub fn finish(
        self,
        theta: Vec<f64>,
        value: f64,
        gradient: Vec<f64>,
        status: Status,
    ) -> Outcome {
        let norm = self.norm(&theta, &gradient);
        Outcome {
            projected_gradient_norm: norm,
            theta,
            value,
            gradient,
            iterations: self.history.last().map_or(0, |p| p.iteration),
            evaluations: self.evaluations,
            gradient_evaluations: self.gradient_evaluations,
            status,
            history: self.history,
        }
    }

    /// The outcome at a point found by values alone. The gradient is evaluated there, once, to judge it as others are: where it is
    /// below the tolerance, the run has converged, whatever ended it. Where there is no gradient it is not a number.
    pub fn finish_without_gradient(
        mut self,
        problem: &mut dyn Problem,
        theta: Vec<f64>,
        value: f64,
        status: Status,
        settings: &Settings,
    ) -> Outcome {
        let mut gradient = vec![f64::NAN; theta.len()];
        if status != Status::Interrupted
            && self.value_gradient(problem, &theta, &mut gradient).is_err()
        {
            gradient.fill(f64::NAN);
        }
        let small = self.norm(&theta, &gradient) <= settings.gradient_tolerance;
        let status = if small { Status::Converged } else { status };
        self.finish(theta, value, gradient, status)
    }

    /// The outcome of a run whose start has no value.
    pub fn stopped(self, start: &[f64], error: EvaluationError) -> Outcome {
        match error {
            EvaluationError::Failed { reason } => self.failed(start, reason),
            EvaluationError::Interrupted => {
                let mut outcome = self.failed(start, String::new());
                outcome.status = Status::Interrupted;
                outcome
            }
        }
    }

    fn failed(self, start: &[f64], reason: String) -> Outcome {
        Outcome {
            theta: start.to_vec(),
            value: f64::NAN,
            gradient: vec![0.0; start.len()],
            projected_gradient_norm: f64::NAN,
            iterations: 0,
            evaluations: self.evaluations,
            gradient_evaluations: self.gradient_evaluations,
            status: Status::Failed { reason },
            history: self.history,
        }
    }
}

fn finite(value: f64, rest: bool) -> Result<f64, EvaluationError> {
    if value.is_finite() && rest {
        Ok(value)
    } else {
        Err(EvaluationError::Failed {
            reason: "the objective or its derivative is not finite".into(),
        })
    }
}

/// Relative change of the value below which slopes, not values, tell whether a step went down.
///
/// A sum of squares of differences carries the rounding of what is subtracted, and an objective behind a solver carries
/// the solver's: both are far above the value's own last digit, while the gradient still points well.
pub(super) const LEVEL: f64 = 1e-10;

/// Counts level steps that leave the gradient as it is: the end of what the arithmetic can do.
pub(super) struct Stall {
    lowest: f64,
    count: usize,
    limit: usize,
}

impl Stall {
    pub fn new(limit: usize) -> Self {
        Self {
            lowest: f64::INFINITY,
            count: 0,
            limit,
        }
    }

    /// Notes a step; whether it was `level`, and the gradient's norm after it.
    pub fn note(&mut self, level: bool, gradient_norm: f64) {
        if gradient_norm <= 0.5 * self.lowest {
            self.lowest = gradient_norm;
            self.count = 0;
        } else if level {
            self.count += 1;
        } else {
            self.count = 0;
        }
    }

    pub fn is_over(&self) -> bool {
        self.count >= self.limit
    }
}

/// Euclidean inner product.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Euclidean norm.
pub(super) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}
