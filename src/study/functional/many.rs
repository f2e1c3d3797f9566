//! Several functionals of one run: values, Jacobian, gradient and Hessian of a weighted sum.

use costate_adjoint::Dual;
use costate_solvers::NoRecord;
use nalgebra::DMatrix;

use super::adjoint::Kept;
use super::{FunctionalStudy, WIDTH};
use crate::study::error::StudyError;
use crate::study::nudge::{Nudge, moved};
use crate::study::variable::Variable;
use crate::study::{Solving, Study};

/// Directions of some variables at once.
type Chunk = Dual<WIDTH>;

/// How variable k moves where those from `first` on have directions of their own.
fn unit(k: usize, first: usize) -> Chunk {
    let mut number = Chunk::from(0.0);
    let place = k.checked_sub(first);
    if let Some(tangent) = place.and_then(|place| number.tangent.get_mut(place)) {
        *tangent = 1.0;
    }
    number
}

impl FunctionalStudy {
    /// How many there are.
    pub(in crate::study) fn count(&self) -> usize {
        self.roots
    }

    /// Whether the objective of the data is among what they are made of.
    pub(in crate::study) fn uses_data(&self) -> bool {
        self.uses_objective
    }

    /// All values at natural parameters `p`.
    pub(in crate::study) fn values(
        &self,
        study: &Study,
        solving: &Solving,
        p: &[f64],
    ) -> Result<Vec<f64>, StudyError> {
        let nudge = Nudge::none();
        let reading = self
            .read(
                &mut self.run(),
                study,
                solving,
                p,
                &nudge,
                &mut NoRecord,
                None,
            )?
            .1;
        self.evaluate_roots(&reading, self.objective(study, solving, p)?)
    }

    /// All derivatives with respect to `variables`, a column each, by dual numbers.
    pub(in crate::study) fn jacobian(
        &self,
        study: &Study,
        solving: &Solving,
        p: &[f64],
        variables: &[Variable],
    ) -> Result<DMatrix<f64>, StudyError> {
        let mut jacobian = DMatrix::zeros(self.roots, variables.len());
        for first in (0..variables.len()).step_by(WIDTH) {
            let (seeded, nudge) = moved(p, variables, |k| unit(k, first));
            let reading = self
                .read(
                    &mut self.run(),
                    study,
                    solving,
                    &seeded,
                    &nudge,
                    &mut NoRecord,
                    None,
                )?
                .1;
            let roots = self.evaluate_roots(&reading, Chunk::from(0.0))?;
            for (row, root) in roots.iter().enumerate() {
                let columns = first..(first + WIDTH).min(variables.len());
                for (k, column) in columns.enumerate() {
                    jacobian[(row, column)] = root.tangent[k];
                }
            }
        }
        Ok(jacobian)
    }

    /// The gradient of the weighted sum.
    pub(in crate::study) fn weighted_gradient(
        &self,
        study: &Study,
        solving: &Solving,
        p: &[f64],
        variables: &[Variable],
        weights: &[f64],
    ) -> Result<Vec<f64>, StudyError> {
        let mut gradient = vec![0.0; variables.len()];
        if solving.adjoint().is_ok() {
            let mut kept = self.fresh(solving);
            let at = (p, &Nudge::none());
            self.back(
                study,
                solving,
                &mut kept,
                at,
                variables,
                0.0,
                weights,
                &mut gradient,
            )?;
            return Ok(gradient);
        }
        let jacobian = self.jacobian(study, solving, p, variables)?;
        for (g, column) in gradient.iter_mut().zip(jacobian.column_iter()) {
            *g = column.iter().zip(weights).map(|(a, w)| a * w).sum();
        }
        Ok(gradient)
    }

    /// The Hessian of the weighted sum and, beside it, its gradient: the adjoint over dual numbers.
    pub(in crate::study) fn weighted_hessian(
        &self,
        study: &Study,
        solving: &Solving,
        p: &[f64],
        variables: &[Variable],
        weights: &[f64],
    ) -> Result<(Vec<f64>, DMatrix<f64>), StudyError> {
        solving.adjoint_on_duals()?;
        let solving = &Solving {
            continuous: false,
            ..solving.clone()
        };
        let m = variables.len();
        let weights: Vec<Chunk> = weights.iter().map(|&w| Chunk::from(w)).collect();
        let mut kept: Kept<Chunk> = self.fresh(solving);
        let (mut gradient, mut hessian) = (vec![0.0; m], DMatrix::zeros(m, m));
        let mut bars = vec![Chunk::from(0.0); m];
        for first in (0..m).step_by(WIDTH) {
            let (seeded, nudge) = moved(p, variables, |k| unit(k, first));
            let at = (&seeded[..], &nudge);
            let zero = Chunk::from(0.0);
            self.back(
                study, solving, &mut kept, at, variables, zero, &weights, &mut bars,
            )?;
            for (i, bar) in bars.iter().enumerate() {
                gradient[i] = bar.value;
                for k in 0..WIDTH.min(m - first) {
                    hessian[(i, first + k)] = bar.tangent[k];
                }
            }
        }
        Ok((gradient, hessian))
    }
}
