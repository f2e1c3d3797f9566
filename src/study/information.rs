//! What the measurements tell about the parameters, to first order: the Fisher information F = J^T J of the
//! least-squares rows' Jacobian J, its standard errors, and the directions that it leaves open.

use nalgebra::{DMatrix, DVector};

use super::error::StudyError;
use super::objective::Objective;
use super::variable::Variable;
use super::{Solving, Study};
use crate::diagnostic::Diagnostic;
use crate::optimize::statistics::Statistics;
use crate::scenario::Parameter;

/// What the rows' Jacobian at the estimate tells.
pub(super) struct Local {
    /// natural scale; `None` where the data do not determine the parameter
    pub standard_errors: Vec<Option<f64>>,
    /// where all are determined
    pub correlation: Option<DMatrix<f64>>,
    /// what a Gauss-Newton step would still take off the objective
    pub decrease: f64,
}

impl Local {
    /// Nothing known.
    pub fn unknown(parameters: usize) -> Self {
        Self {
            standard_errors: vec![None; parameters],
            correlation: None,
            decrease: f64::NAN,
        }
    }
}

/// Standard errors, correlations and the decrease a Gauss-Newton step predicts, from the Fisher information at natural
/// parameters `p`. Without any noise model the residual variance s^2 = 2 objective / (N - m) stands for the unknown one.
pub(super) fn local_statistics(
    study: &Study,
    solving: &Solving,
    variables: &[Variable],
    at_bound: &[bool],
    p: &[f64],
) -> Result<Local, StudyError> {
    let mut objective = Objective::new(study, solving.clone(), None)?;
    let height = row_count(study, variables);
    let mut r = vec![0.0; height];
    let mut jacobian = vec![0.0; height * variables.len()];
    let value = objective.rows(p, variables, &mut r, &mut jacobian)?;
    let plain = study.misfits.iter().all(|misfit| misfit.model.is_none());
    let free = study.measurements() as f64 - variables.len() as f64;
    let variance = if plain && free > 0.0 {
        2.0 * value / free
    } else {
        1.0
    };
    let Ok(information) = Statistics::from_jacobian(&jacobian, height, variables.len()) else {
        return Ok(Local::unknown(variables.len()));
    };
    let errors = information
        .standard_errors
        .iter()
        .map(|e| e.map(|e| e * variance.sqrt()))
        .collect();
    let determined = information.rank == variables.len();
    Ok(Local {
        standard_errors: errors,
        decrease: predicted_decrease(&r, &jacobian, at_bound),
        correlation: determined.then_some(information.correlation),
    })
}

/// g^T F^-1 g / 2 with g = J^T r and F = J^T J over the columns of J (`r.len()` long each) that are not `held`.
fn predicted_decrease(r: &[f64], jacobian: &[f64], held: &[bool]) -> f64 {
    let columns: Vec<f64> = jacobian
        .chunks_exact(r.len().max(1))
        .zip(held)
        .filter(|(_, held)| !**held)
        .flat_map(|(column, _)| column.iter().copied())
        .collect();
    let free = columns.len() / r.len().max(1);
    let Ok(statistics) = Statistics::from_jacobian(&columns, r.len(), free) else {
        return f64::NAN;
    };
    let g =
        DMatrix::from_column_slice(r.len(), free, &columns).tr_mul(&DVector::from_column_slice(r));
    0.5 * g.dot(&(statistics.covariance * &g))
}

/// Rows of the least-squares problem: two a measurement, then the priors.
pub fn row_count(study: &Study, variables: &[Variable]) -> usize {
    let priors = variables
        .iter()
        .filter(|v| matches!(v, Variable::Parameter(i) if study.scenario.parameters[*i].prior.is_some()))
        .count();
    2 * study.measurements() + priors
}

/// Parameters that a warning names, and directions that are warned of one by one.
const MOST_NAMES: usize = 8;
const MOST_DIRECTIONS: usize = 5;

impl Study {
    /// Parameters to fit that the data, to first order at the file's values, do not determine: each direction along
    /// which no measurement changes, as a warning at the parameter with the largest part in it. Nothing where there
    /// is nothing to fit or the file's values have no objective.
    pub fn identifiability_findings(&self, solving: &Solving) -> Vec<Diagnostic> {
        let variables = Variable::fitted(&self.scenario);
        if variables.is_empty() || self.measurements() == 0 {
            return Vec::new();
        }
        let p = self.values();
        let height = row_count(self, &variables);
        let mut r = vec![0.0; height];
        let mut jacobian = vec![0.0; height * variables.len()];
        let rows = Objective::new(self, solving.clone(), None)
            .and_then(|mut objective| objective.rows(&p, &variables, &mut r, &mut jacobian));
        if rows.is_err() {
            return Vec::new();
        }
        let parameters = self.scenario.parameters.iter().filter(|p| p.fit);
        // Columns of relative changes, so that a direction's parts compare as fractions of the values. A column of
        // zeros is a finding of its own: beside another open direction its eigenvector would mix with that one's.
        let mut columns = Vec::with_capacity(jacobian.len());
        let (mut seen, mut unseen) = (Vec::new(), Vec::new());
        for (column, parameter) in jacobian.chunks_exact(height.max(1)).zip(parameters) {
            let size = match parameter.value.abs() {
                0.0 => 1.0,
                size => size,
            };
            if column.iter().all(|&entry| entry == 0.0) {
                unseen.push(parameter);
            } else {
                seen.push(parameter);
                columns.extend(column.iter().map(|entry| entry * size));
            }
        }
        let Ok(statistics) = Statistics::from_jacobian(&columns, height, seen.len()) else {
            return Vec::new();
        };
        let warning = |at: &Parameter, message: String, help: &str| {
            let place = Some(at.name.span.clone());
            Diagnostic::warning("study::unidentifiable", message, place).with_help(help)
        };
        let alone = unseen.iter().map(|parameter| {
            let name = &parameter.name.text;
            warning(
                parameter,
                format!("no measurement changes with `{name}`: it cannot be estimated"),
                "fix it (`fit = false`), give it a prior, or measure what depends on it",
            )
        });
        let together = statistics.unidentifiable.iter().filter_map(|direction| {
            let largest = direction.iter().fold(0.0_f64, |l, v| l.max(v.abs()));
            let parts: Vec<&Parameter> = direction
                .iter()
                .zip(&seen)
                .filter(|(v, _)| v.abs() > 1e-3 * largest)
                .map(|(_, &parameter)| parameter)
                .collect();
            let names: Vec<String> = parts
                .iter()
                .take(MOST_NAMES)
                .map(|p| format!("`{}`", p.name.text))
                .collect();
            let more = match parts.len().saturating_sub(MOST_NAMES) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Some(warning(
                parts.first()?,
                format!(
                    "the measurements do not tell {}{more} apart: they can change together with no effect",
                    names.join(", ")
                ),
                "fix one of them, give one a prior, or measure what tells them apart",
            ))
        });
        let count = statistics.unidentifiable.len();
        let rest = (count > MOST_DIRECTIONS).then(|| {
            Diagnostic::warning(
                "study::unidentifiable",
                format!(
                    "in {} directions more the measurements tell nothing of the parameters",
                    count - MOST_DIRECTIONS
                ),
                None,
            )
            .with_help("a prior for all of them, or a smaller model, makes the fit one answer")
        });
        alone
            .chain(together.take(MOST_DIRECTIONS))
            .chain(rest)
            .collect()
    }
}
