//! What the data know of the parameters at an estimate, to second order: Fisher information and Hessian, their standard
//! errors, the directions from the best to the least known, and the combinations that are known where parameters are not.
//!
//! ```text
//! F = J^T J        J: the least-squares rows' Jacobian (rows x parameters)
//! R = D F D        D = diag |v|: in relative changes of the parameters, which are changes of their logarithms
//! R w = lambda w   along w the data know the relative change to a standard deviation of lambda^(-1/2)
//! ```
//!
//! A parameter at one of its bounds is held there by it: the covariance is that of the others, given it.
//!
//! Without any noise model the residual variance s^2 = 2 objective / (N - m) stands for the unknown one and divides F.

use nalgebra::{DMatrix, SymmetricEigen};

use super::combinations;
use super::error::StudyError;
use super::gradient::GradientOf;
use super::information::row_count;
use super::objective::Objective;
use super::variable::Variable;
use super::{Solving, Study, hessian, prior, scaling};
use crate::optimize::statistics::Statistics;
use crate::scenario::{Parameter, Scale};

/// Local information at an estimate of m parameters. Matrices are in natural units unless said otherwise.
#[derive(Debug, Clone)]
pub struct Identifiability {
    /// the Fisher information F (m x m)
    pub fisher: DMatrix<f64>,
    /// its inverse over the directions that the data determine
    pub covariance: DMatrix<f64>,
    /// correlation of the estimates; 0 beside an undetermined one
    pub correlation: DMatrix<f64>,
    /// whether each parameter is at one of its bounds
    pub at_bound: Vec<bool>,
    /// by the Fisher information; `None` where the data do not determine the parameter, or its bound does
    pub standard_errors: Vec<Option<f64>>,
    /// whether the exact Hessian was asked for
    pub exact: bool,
    /// by it, NaN for a parameter at its bound; `None` where it is not positive definite
    pub hessian_errors: Option<Vec<f64>>,
    /// eigen-directions of R, the best known first
    pub directions: Vec<Direction>,
    /// groups of parameters that change together with no effect, to first order
    pub open: Vec<Open>,
    /// residual variance that stands for an unknown one
    pub variance: Option<f64>,
    /// Akaike's and the Bayesian criterion, where there is a likelihood
    pub criteria: Criteria,
}

/// An eigen-direction of the Fisher information of relative changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Direction {
    /// lambda
    pub eigenvalue: f64,
    /// w: unit vector of relative changes
    pub weights: Vec<f64>,
    /// the product of powers whose logarithm changes most along it
    pub combination: String,
}

/// Parameters that the data do not tell apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// their places among those fitted
    pub parameters: Vec<usize>,
    /// combinations of them that are determined; none where one parameter has no effect by itself
    pub determined: Vec<String>,
}

/// How well a model does for its number of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Criteria {
    /// -ln likelihood at the estimate; of normal noise of the residual variance SSR / N where there is no noise model
    pub negative_log_likelihood: f64,
    /// parameters counted, that variance among them
    pub parameters: usize,
    /// 2 k + 2 nll
    pub aic: f64,
    /// corrected for few measurements: aic + 2 k (k + 1) / (N - k - 1)
    pub aicc: f64,
    /// k ln N + 2 nll
    pub bic: f64,
}

impl Criteria {
    pub(super) fn new(
        study: &Study,
        objective: f64,
        p: &[f64],
        fitted: usize,
        plain: bool,
    ) -> Self {
        let count = study.measurements() as f64;
        let priors: f64 = study
            .scenario
            .parameters
            .iter()
            .zip(p)
            .filter_map(|(parameter, &v)| prior::share(parameter, v))
            .map(|share| share.value)
            .sum();
        let misfit = objective - priors;
        let (nll, parameters) = if plain {
            let variance = 2.0 * misfit / count;
            let nll = 0.5 * count * ((2.0 * std::f64::consts::PI * variance).ln() + 1.0);
            (nll, fitted + 1)
        } else {
            (misfit, fitted)
        };
        let k = parameters as f64;
        let aic = 2.0 * (k + nll);
        Self {
            negative_log_likelihood: nll,
            parameters,
            aic,
            aicc: aic + 2.0 * k * (k + 1.0) / (count - k - 1.0).max(0.0),
            bic: k * count.ln() + 2.0 * nll,
        }
    }
}

/// Whether no observable has a noise model, so that the variance is unknown.
pub(super) fn is_plain(study: &Study) -> bool {
    study.misfits.iter().all(|misfit| misfit.model.is_none())
}

/// s^2 where it stands for an unknown variance.
pub(super) fn residual_variance(study: &Study, objective: f64, fitted: usize) -> Option<f64> {
    let free = study.measurements() as f64 - fitted as f64;
    (is_plain(study) && free > 0.0).then(|| 2.0 * objective / free)
}

/// What is known at natural parameters `p`, by the Fisher information and, where `exact`, by second derivatives.
///
/// # Errors
/// Those of a solve with derivatives. Where the Hessian alone cannot be had, there are no errors by it.
pub fn identifiability(
    study: &Study,
    solving: &Solving,
    p: &[f64],
    exact: bool,
) -> Result<Identifiability, StudyError> {
    let variables = Variable::fitted(&study.scenario);
    let fitted: Vec<&Parameter> = study.scenario.parameters.iter().filter(|p| p.fit).collect();
    let m = variables.len();
    let height = row_count(study, &variables);
    let mut r = vec![0.0; height];
    let mut jacobian = vec![0.0; height * m];
    let mut objective = Objective::new(study, solving.clone(), None)?;
    let value = objective.rows(p, &variables, &mut r, &mut jacobian)?;
    let variance = residual_variance(study, value, m);
    let unit = 1.0 / variance.unwrap_or(1.0).max(f64::MIN_POSITIVE).sqrt();
    jacobian.iter_mut().for_each(|entry| *entry *= unit);
    let j = DMatrix::from_column_slice(height, m, &jacobian);
    let fisher = j.tr_mul(&j);
    let statistics = statistics_of(&fisher)?;
    let values = values(&variables, p);
    let at_bound: Vec<bool> = fitted
        .iter()
        .zip(&values)
        .map(|(parameter, v)| {
            // exp(ln b) may miss b by a rounding error
            let mut bounds = parameter.bounds.iter();
            bounds.any(|b| b.is_finite() && (v - b).abs() <= 1e-12 * b.abs())
        })
        .collect();
    let free: Vec<usize> = (0..m).filter(|&i| !at_bound[i]).collect();
    let hessian_errors = exact
        .then(|| hessian_errors(study, solving, p, &variables, &free, variance))
        .flatten();
    let open = open(&statistics, &fitted, &values);
    let given = Given::new(&fisher, &free)?;
    let standard_errors = (0..m)
        .map(|i| given.errors[i].filter(|_| !open.iter().any(|o| o.parameters.contains(&i))))
        .collect();
    Ok(Identifiability {
        directions: directions(&fisher, &fitted, &values),
        open,
        covariance: given.covariance,
        correlation: given.correlation,
        standard_errors,
        at_bound,
        exact,
        hessian_errors,
        criteria: Criteria::new(study, value, p, m, is_plain(study)),
        fisher,
        variance,
    })
}

fn statistics_of(fisher: &DMatrix<f64>) -> Result<Statistics, StudyError> {
    Statistics::new(fisher)
        .map_err(|error| StudyError::Unsupported(format!("the Fisher information: {error}")))
}

/// Statistics of the free parameters, in the places of all: zeros beside those held.
struct Given {
    covariance: DMatrix<f64>,
    correlation: DMatrix<f64>,
    errors: Vec<Option<f64>>,
}

impl Given {
    fn new(fisher: &DMatrix<f64>, free: &[usize]) -> Result<Self, StudyError> {
        let m = fisher.nrows();
        let inner = statistics_of(&fisher.select_rows(free).select_columns(free))?;
        let mut given = Self {
            covariance: DMatrix::zeros(m, m),
            correlation: DMatrix::identity(m, m),
            errors: vec![None; m],
        };
        for (a, &i) in free.iter().enumerate() {
            given.errors[i] = inner.standard_errors[a];
            for (b, &j) in free.iter().enumerate() {
                given.covariance[(i, j)] = inner.covariance[(a, b)];
                given.correlation[(i, j)] = inner.correlation[(a, b)];
            }
        }
        Ok(given)
    }
}

impl Identifiability {
    /// The standard deviation of parameter `i` on its search scale, natural value `v`.
    pub(super) fn scaled_error(&self, i: usize, parameter: &Parameter, v: f64) -> Option<f64> {
        let slope = scaling::slope(parameter, v);
        self.standard_errors[i].map(|e| e / slope.abs())
    }
}

fn values(variables: &[Variable], p: &[f64]) -> Vec<f64> {
    let value = |variable: &Variable| match *variable {
        Variable::Parameter(i) => p[i],
        Variable::Initial(_) | Variable::Start | Variable::End => 0.0,
    };
    variables.iter().map(value).collect()
}

/// |v|, or 1 where the value is 0: the unit of relative changes.
fn size(v: f64) -> f64 {
    if v == 0.0 { 1.0 } else { v.abs() }
}

fn directions(fisher: &DMatrix<f64>, fitted: &[&Parameter], values: &[f64]) -> Vec<Direction> {
    let m = values.len();
    let relative = DMatrix::from_fn(m, m, |i, j| {
        fisher[(i, j)] * size(values[i]) * size(values[j])
    });
    let Some(eigen) = SymmetricEigen::try_new(relative, f64::EPSILON, 10_000) else {
        return Vec::new();
    };
    let names: Vec<&str> = fitted.iter().map(|p| p.name.text.as_str()).collect();
    let mut order: Vec<usize> = (0..m).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    order
        .into_iter()
        .map(|k| {
            let mut weights: Vec<f64> = eigen.eigenvectors.column(k).iter().copied().collect();
            let largest = |w: &[f64]| w.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
            // either sign is an eigenvector: the largest part is shown positive
            if largest(&weights).is_some_and(|w| w < 0.0) {
                weights.iter_mut().for_each(|w| *w = -*w);
            }
            Direction {
                eigenvalue: eigen.eigenvalues[k].max(0.0),
                combination: shown(&names, &weights),
                weights,
            }
        })
        .collect()
}

/// Parts of a direction that are told, the largest, where they are at least so large.
const TOLD: (usize, f64) = (6, 0.1);

/// The product of powers along a direction, small parts left out.
fn shown(names: &[&str], weights: &[f64]) -> String {
    let mut order: Vec<usize> = (0..weights.len())
        .filter(|&i| weights[i].abs() >= TOLD.1)
        .collect();
    order.sort_by(|&a, &b| weights[b].abs().total_cmp(&weights[a].abs()));
    let more = order.len() > TOLD.0;
    order.truncate(TOLD.0);
    let rounded: Vec<f64> = (0..weights.len())
        .map(|i| match order.contains(&i) {
            true => (weights[i] * 100.0).round() / 100.0,
            false => 0.0,
        })
        .collect();
    let product = combinations::product(names, &rounded);
    if more { product + "*..." } else { product }
}

/// A part of a direction below this, in relative changes beside the largest, is rounding.
const PART: f64 = 1e-4;

/// The groups of parameters that open directions connect, with what is determined in each.
fn open(statistics: &Statistics, fitted: &[&Parameter], values: &[f64]) -> Vec<Open> {
    // relative changes along each open direction
    let all: Vec<Vec<f64>> = statistics
        .unidentifiable
        .iter()
        .map(|direction| {
            let relative: Vec<f64> = direction
                .iter()
                .zip(values)
                .map(|(d, &v)| d / size(v))
                .collect();
            let largest = relative.iter().fold(0.0_f64, |a, d| a.max(d.abs()));
            let clean = |d: &f64| {
                if d.abs() > PART * largest {
                    d / largest
                } else {
                    0.0
                }
            };
            relative.iter().map(clean).collect()
        })
        .collect();
    groups(&all)
        .into_iter()
        .map(|(parameters, directions)| {
            let part = |unit: &dyn Fn(usize) -> f64| -> Vec<Vec<f64>> {
                let pick = |d: &Vec<f64>| parameters.iter().map(|&i| d[i] * unit(i)).collect();
                directions.iter().map(|&d| pick(&all[d])).collect()
            };
            let names: Vec<&str> = parameters
                .iter()
                .map(|&i| fitted[i].name.text.as_str())
                .collect();
            let linear = parameters
                .iter()
                .all(|&i| matches!(fitted[i].scale, Scale::Linear));
            let determined = if linear {
                let natural = part(&|i| size(values[i]));
                combinations::determined(&natural)
                    .iter()
                    .map(|c| combinations::sum(&names, c))
                    .collect()
            } else {
                combinations::determined(&part(&|_| 1.0))
                    .iter()
                    .map(|c| combinations::product(&names, c))
                    .collect()
            };
            Open {
                parameters,
                determined,
            }
        })
        .collect()
}

/// Parameters that directions connect, with those directions: the connected components.
fn groups(directions: &[Vec<f64>]) -> Vec<(Vec<usize>, Vec<usize>)> {
    let m = directions.first().map_or(0, Vec::len);
    let mut found: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
    for (k, direction) in directions.iter().enumerate() {
        let mut parameters: Vec<usize> = (0..m).filter(|&i| direction[i] != 0.0).collect();
        let mut own = vec![k];
        let (touching, apart): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|(others, _)| others.iter().any(|i| parameters.contains(i)));
        for (others, directions) in touching {
            parameters.extend(others);
            own.extend(directions);
        }
        parameters.sort_unstable();
        parameters.dedup();
        own.sort_unstable();
        found = apart;
        found.push((parameters, own));
    }
    found.sort();
    found
}

/// Square roots of the diagonal of the inverse Hessian; `None` where it is not positive definite or not to be had.
fn hessian_errors(
    study: &Study,
    solving: &Solving,
    p: &[f64],
    variables: &[Variable],
    free: &[usize],
    variance: Option<f64>,
) -> Option<Vec<f64>> {
    let m = free.len();
    let own: Vec<Variable> = free.iter().map(|&i| variables[i]).collect();
    let second = hessian(study, solving, GradientOf::Data, p, &own).ok()?;
    let h = DMatrix::from_fn(m, m, |i, j| {
        0.5 * (second.matrix[i * m + j] + second.matrix[j * m + i])
    });
    // to unit diagonal, so that units do not decide
    let scale: Vec<f64> = (0..m).map(|i| h[(i, i)].sqrt()).collect();
    if scale.iter().any(|s| s.is_nan() || *s <= 0.0) {
        return None;
    }
    let scaled = DMatrix::from_fn(m, m, |i, j| h[(i, j)] / scale[i] / scale[j]);
    let inverse = scaled.cholesky()?.inverse();
    let mut errors = vec![f64::NAN; variables.len()];
    for (k, &i) in free.iter().enumerate() {
        errors[i] = inverse[(k, k)].sqrt() / scale[k] * variance.unwrap_or(1.0).sqrt();
    }
    free.iter()
        .all(|&i| errors[i].is_finite())
        .then_some(errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_that_share_a_parameter_are_one_group() {
        let directions = vec![
            vec![1.0, 1.0, 0.0, 0.0, 0.0],
            vec![0.0, 0.0, 0.0, 1.0, 0.0],
            vec![0.0, 1.0, 1.0, 0.0, 0.0],
        ];
        assert_eq!(
            groups(&directions),
            [(vec![0, 1, 2], vec![0, 2]), (vec![3], vec![1])]
        );
    }
}
