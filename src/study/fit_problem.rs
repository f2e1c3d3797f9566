//! The data objective on search scales, as optimizers see it: alone, or with what can be solved for inside.

use std::sync::atomic::AtomicBool;

use super::error::StudyError;
use super::gradient::choose;
use super::information::row_count;
use super::inner::{Inner, reduced_hessian_product, without_columns};
use super::objective::Objective;
use super::scaling;
use super::shooting::Shooting;
use super::variable::Variable;
use super::{Solving, Study};
use crate::optimize::{EvaluationError, LeastSquares, Problem, SecondOrder};
use crate::scenario::{GradientMethod, Parameter};

/// What a step with a factorization costs, in steps of an explicit method.
const WITH_FACTORS: usize = 8;

/// The data objective on scaled fitted parameters.
pub(super) struct FitProblem<'a> {
    pub(super) study: &'a Study,
    objective: Objective<'a>,
    variables: &'a [Variable],
    lower: &'a [f64],
    upper: &'a [f64],
    gradient_method: GradientMethod,
    solving: Solving,
    p: Vec<f64>,
    rows: usize,
    inner: Option<SolvedInside<'a>>,
    /// most work, and what an evaluation that fails is taken for
    allowed: Option<[usize; 2]>,
    /// evaluations that failed
    failed: usize,
}

/// What a problem solves for inside.
struct SolvedInside<'a> {
    plan: &'a Inner,
    /// the variables, then what is solved for
    all: Vec<Variable>,
    /// where it was solved for last
    at: Vec<f64>,
}

impl<'a> FitProblem<'a> {
    pub(super) fn new(
        study: &'a Study,
        solving: &Solving,
        variables: &'a [Variable],
        (lower, upper): (&'a [f64], &'a [f64]),
        stop: &'a AtomicBool,
    ) -> Result<Self, StudyError> {
        let method = study.scenario.gradient.method;
        Ok(Self {
            objective: Objective::new(study, solving.of_adjoint(study, method)?, Some(stop))?,
            gradient_method: choose(
                method,
                solving.adjoint().ok(),
                variables.len(),
                solving.hot(study),
            ),
            solving: solving.clone(),
            p: study.values(),
            rows: row_count(study, variables),
            inner: None,
            allowed: None,
            failed: 0,
            study,
            variables,
            lower,
            upper,
        })
    }

    /// The same on the variables alone, with what can be solved for inside solved for at each of their values.
    pub(super) fn solving_inside(mut self) -> Self {
        self.inner = self.study.inner.as_ref().map(|plan| {
            let solved = plan.parameters.iter().map(|&i| Variable::Parameter(i));
            SolvedInside {
                plan,
                all: self.variables.iter().copied().chain(solved).collect(),
                at: Vec::new(),
            }
        });
        self
    }

    /// All parameters at `theta`, natural scale; NaN for those whose solve fails.
    pub(super) fn natural(&mut self, theta: &[f64]) -> Vec<f64> {
        if self.set(theta).is_err() {
            let solved = self.inner.iter().flat_map(|inner| &inner.plan.parameters);
            for &i in solved {
                self.p[i] = f64::NAN;
            }
        }
        self.p.clone()
    }

    /// Multiple shooting on the same problem.
    pub(super) fn shooting(
        &self,
        pieces: usize,
        stop: &'a AtomicBool,
    ) -> Result<Shooting<'a>, StudyError> {
        let bounds = (self.lower, self.upper);
        Shooting::new(
            self.study,
            self.solving.clone(),
            self.variables,
            bounds,
            pieces,
            stop,
        )
    }

    fn parameters(&self) -> impl Iterator<Item = (usize, &'a Parameter)> + use<'a> {
        parameters_of(self.study, self.variables)
    }

    /// Gives the parameters of `[smoothing]` the values of a stage, or their own.
    pub(super) fn smooth(&mut self, stage: Option<usize>) {
        for smoothing in &self.study.scenario.smoothing {
            let i = smoothing.parameter;
            let own = self.study.scenario.parameters[i].value;
            self.p[i] = stage.map_or(own, |stage| smoothing.values[stage]);
        }
        if let Some(inner) = &mut self.inner {
            inner.at.clear();
        }
    }

    /// Holds all parameters at these values (natural scale), but for the variables.
    pub(super) fn hold(&mut self, parameters: &[f64]) {
        self.p.copy_from_slice(parameters);
        if let Some(inner) = &mut self.inner {
            inner.at.clear();
        }
    }

    /// Steps of all solves of values so far, those refused included.
    pub(super) fn steps(&self) -> usize {
        let counted = &self.objective.statistics;
        counted.steps + counted.rejected
    }

    /// Work of all solves of values so far: steps, those with factors for [`WITH_FACTORS`] of those without.
    pub(super) fn work(&self) -> usize {
        self.steps() + (WITH_FACTORS - 1) * self.objective.statistics.factorizations
    }

    /// The same, spent after so much work; the second is what an evaluation that fails is taken for.
    pub(super) fn with_most_work(mut self, allowed: Option<[usize; 2]>) -> Self {
        self.allowed = allowed;
        self
    }

    /// What came of an evaluation, as optimizers see it.
    fn told<T>(&mut self, done: Result<T, StudyError>) -> Result<T, EvaluationError> {
        self.failed += usize::from(done.is_err());
        done.map_err(evaluation_error)
    }

    fn set(&mut self, theta: &[f64]) -> Result<(), EvaluationError> {
        for ((i, parameter), &q) in self.parameters().zip(theta) {
            self.p[i] = scaling::to_natural(parameter, q);
        }
        if let Some(inner) = &mut self.inner
            && inner.at != theta
        {
            inner.at.clear();
            let solved = inner.plan.solve(&mut self.objective, &mut self.p);
            solved.map_err(evaluation_error)?;
            inner.at.extend_from_slice(theta);
        }
        Ok(())
    }

    /// Of what is solved for inside: places among the variables with it, for those that are not at a bound.
    fn moving(&self) -> Vec<usize> {
        let Some(inner) = &self.inner else {
            return Vec::new();
        };
        let outer = self.variables.len();
        let free = inner.plan.parameters.iter().enumerate().filter(|&(_, &i)| {
            let bounds = &self.study.scenario.parameters[i].bounds;
            !bounds.contains(&self.p[i])
        });
        free.map(|(k, _)| outer + k).collect()
    }
}

impl Problem for FitProblem<'_> {
    fn dim(&self) -> usize {
        self.variables.len()
    }

    fn bounds(&self) -> (&[f64], &[f64]) {
        (self.lower, self.upper)
    }

    fn value(&mut self, theta: &[f64]) -> Result<f64, EvaluationError> {
        self.set(theta)?;
        let value = self.objective.value(&self.p);
        self.told(value)
    }

    fn value_gradient(
        &mut self,
        theta: &[f64],
        gradient: &mut [f64],
    ) -> Result<f64, EvaluationError> {
        self.set(theta)?;
        let value = match self.gradient_method {
            GradientMethod::Auto | GradientMethod::Dual => {
                self.objective
                    .gradient_dual(&self.p, self.variables, gradient)
            }
            GradientMethod::Adjoint | GradientMethod::ContinuousAdjoint => self
                .objective
                .gradient_adjoint(&self.p, self.variables, gradient),
            GradientMethod::FiniteDifference => {
                self.objective
                    .gradient_differences(&self.p, self.variables, gradient)
            }
        };
        let value = self.told(value)?;
        for ((i, parameter), g) in self.parameters().zip(gradient) {
            *g *= scaling::slope(parameter, self.p[i]);
        }
        Ok(value)
    }

    fn is_spent(&self) -> bool {
        self.allowed
            .is_some_and(|[most, failure]| self.work() + self.failed * failure >= most)
    }
}

impl FitProblem<'_> {
    /// The gradient, and the product of the Hessian with `v`, on the natural scale.
    fn natural_product(
        &mut self,
        v: &[f64],
        [gradient, product]: [&mut [f64]; 2],
    ) -> Result<(), StudyError> {
        let moving = self.moving();
        let Some(inner) = &self.inner else {
            let both = [gradient, product];
            return self
                .objective
                .gradient_and_product(&self.p, self.variables, v, both);
        };
        let (outer, count) = (self.variables.len(), inner.all.len());
        let picked = |all: &[f64]| -> Vec<f64> {
            let solved = moving.iter().map(|&k| all[k]);
            all[..outer].iter().copied().chain(solved).collect()
        };
        let mut all = |direction: &[f64], gradient: &mut [f64]| {
            let mut product = vec![0.0; count];
            let both = [gradient, &mut product[..]];
            self.objective
                .gradient_and_product(&self.p, &inner.all, direction, both)?;
            Ok::<_, StudyError>(picked(&product))
        };
        let mut direction = vec![0.0; count];
        let mut whole = vec![0.0; count];
        let mut columns = Vec::with_capacity(moving.len());
        for &k in &moving {
            direction[k] = 1.0;
            columns.push(all(&direction, &mut whole)?);
            direction[k] = 0.0;
        }
        direction[..outer].copy_from_slice(v);
        let of_v = all(&direction, &mut whole)?;
        gradient.copy_from_slice(&whole[..outer]);
        product.copy_from_slice(&reduced_hessian_product(&of_v, &columns, outer));
        Ok(())
    }
}

/// With natural values p(q), d2F/dq2 v = p' (F_pp (p' v)) + F_p p'' v.
impl SecondOrder for FitProblem<'_> {
    fn hessian_product(
        &mut self,
        theta: &[f64],
        v: &[f64],
        product: &mut [f64],
    ) -> Result<(), EvaluationError> {
        self.set(theta)?;
        let parameters: Vec<_> = self.parameters().collect();
        let mut natural = v.to_vec();
        for (&(i, parameter), v) in parameters.iter().zip(&mut natural) {
            *v *= scaling::slope(parameter, self.p[i]);
        }
        let mut gradient = vec![0.0; v.len()];
        self.natural_product(&natural, [&mut gradient, &mut *product])
            .map_err(evaluation_error)?;
        for (((&(i, parameter), h), g), v) in parameters.iter().zip(product).zip(gradient).zip(v) {
            let (slope, curvature) = (
                scaling::slope(parameter, self.p[i]),
                scaling::curvature(parameter, self.p[i]),
            );
            *h = slope * *h + g * curvature * v;
        }
        Ok(())
    }
}

impl LeastSquares for FitProblem<'_> {
    fn residuals(&self) -> usize {
        self.rows
    }

    fn value_residuals(
        &mut self,
        theta: &[f64],
        r: &mut [f64],
        jacobian: &mut [f64],
    ) -> Result<f64, EvaluationError> {
        self.set(theta)?;
        let moving = self.moving();
        let value = match &self.inner {
            None => self
                .objective
                .step_rows(&self.p, self.variables, r, jacobian),
            Some(inner) => {
                let mut all = vec![0.0; self.rows * inner.all.len()];
                let done = self.objective.step_rows(&self.p, &inner.all, r, &mut all);
                let solved = moving.iter().flat_map(|k| {
                    let column = k * self.rows..(k + 1) * self.rows;
                    all[column].iter().copied()
                });
                let solved: Vec<f64> = solved.collect();
                let outer = jacobian.len();
                jacobian.copy_from_slice(&all[..outer]);
                without_columns(jacobian, self.rows, &solved);
                done
            }
        };
        let value = self.told(value)?;
        for ((i, parameter), column) in self
            .parameters()
            .zip(jacobian.chunks_exact_mut(self.rows.max(1)))
        {
            let slope = scaling::slope(parameter, self.p[i]);
            for entry in column {
                *entry *= slope;
            }
        }
        Ok(value)
    }
}

pub(super) fn evaluation_error(error: StudyError) -> EvaluationError {
    match error {
        StudyError::Interrupted => EvaluationError::Interrupted,
        other => EvaluationError::Failed {
            reason: other.to_string(),
        },
    }
}

/// The parameters among some variables, with their indices.
pub(super) fn parameters_of<'a>(
    study: &'a Study,
    variables: &'a [Variable],
) -> impl Iterator<Item = (usize, &'a Parameter)> {
    let parameters = &study.scenario.parameters;
    variables.iter().filter_map(move |v| match *v {
        Variable::Parameter(i) => Some((i, &parameters[i])),
        Variable::Initial(_) | Variable::Start | Variable::End => None,
    })
}
