//! Second derivatives of the data objective or of a functional, by dual numbers over dual numbers.
//!
//! With x = p + e_k + sum_j d_j, e_k^2 = d_i d_j = 0, the part of F(x) that carries both e_k and d_j is d2F / dp_k dp_j:
//! exact for the discrete solve, through everything that a solve does, events included. A solve gives a row of
//! [`ANY_WIDTH`] columns.

use costate_adjoint::{Dual, DualOver};

use super::any_solver::{ANY_WIDTH, Second};
use super::error::StudyError;
use super::gradient::{GradientOf, check_variables};
use super::lane::Lane;
use super::nudge::Nudge;
use super::variable::Variable;
use super::{Solving, Study, prior};

/// A value, its gradient and its second derivatives.
#[derive(Debug, Clone, PartialEq)]
pub struct Hessian {
    /// the objective or functional
    pub value: f64,
    /// derivative with respect to each variable
    pub gradient: Vec<f64>,
    /// second derivatives, rows in the order of the variables, each with as many entries
    pub matrix: Vec<f64>,
}

impl Hessian {
    /// Largest difference of two entries that mirror each other, over the largest entry: rows are computed apart, so
    /// this is a check.
    pub fn asymmetry(&self) -> f64 {
        let m = self.gradient.len();
        let largest = self.matrix.iter().fold(0.0_f64, |a, h| a.max(h.abs()));
        let mut difference = 0.0_f64;
        for i in 0..m {
            for j in 0..i {
                let mirrored = self.matrix[i * m + j] - self.matrix[j * m + i];
                difference = difference.max(mirrored.abs());
            }
        }
        if difference == 0.0 {
            0.0
        } else {
            difference / largest
        }
    }
}

/// The Hessian at natural parameters `p`.
pub fn hessian(
    study: &Study,
    solving: &Solving,
    of: GradientOf<'_>,
    p: &[f64],
    variables: &[Variable],
) -> Result<Hessian, StudyError> {
    check_variables(study, of, variables)?;
    let m = variables.len();
    let mut result = Hessian {
        value: f64::NAN,
        gradient: vec![0.0; m],
        matrix: vec![0.0; m * m],
    };
    let mut lane = Lane::<Second>::new(study)?;
    for row in 0..m {
        for first in (0..m).step_by(ANY_WIDTH) {
            let chunk = first..(first + ANY_WIDTH).min(m);
            let seed = |value: f64, variable: Variable| {
                let mut inner = Dual::<ANY_WIDTH>::from(value);
                for (k, v) in chunk.clone().enumerate() {
                    inner.tangent[k] = f64::from(u8::from(variables[v] == variable));
                }
                let outer = f64::from(u8::from(variables[row] == variable));
                DualOver {
                    value: inner,
                    tangent: [Dual::from(outer)],
                }
            };
            let seeded: Vec<Second> = (0..p.len())
                .map(|i| seed(p[i], Variable::Parameter(i)))
                .collect();
            let nudge = Nudge::of(variables, |v| seed(0.0, variables[v]));
            let mut data = || {
                let misfit = lane.objective(study, solving, &seeded, &nudge)?;
                Ok(misfit + prior::shares(study, p, &seeded))
            };
            let total = match of {
                GradientOf::Data => data()?,
                GradientOf::Functional(functional) => {
                    functional.over(study, solving, &seeded, &nudge, data)?
                }
            };
            result.value = total.value.value;
            result.gradient[row] = total.tangent[0].value;
            for (k, column) in chunk.enumerate() {
                result.matrix[row * m + column] = total.tangent[0].tangent[k];
            }
        }
    }
    Ok(result)
}
