//! Several functionals of one run: values, Jacobian, gradient and Hessian of a weighted sum.

use costate_adjoint::Dual;
use costate_solvers::NoRecord;
use nalgebra::DMatrix;
use rayon::prelude::*;

use super::adjoint::Kept;
use super::{FunctionalStudy, WIDTH};
use crate::compile::Workspace;
use crate::study::error::StudyError;
use crate::study::nudge::{Nudge, moved};
use crate::study::variable::Variable;
use crate::study::{Solving, Study};

/// Directions of some variables at once.
type Chunk = Dual<WIDTH>;

/// In which direction each variable is moved.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::study) struct Directions {
    /// of each variable the number of its direction
    pub of: Vec<usize>,
    /// how many there are
    pub count: usize,
}

impl Directions {
    /// One each.
    pub fn each(variables: usize) -> Self {
        Self {
            of: (0..variables).collect(),
            count: variables,
        }
    }

    /// The first direction of each chunk, for work on all threads.
    fn chunks(&self) -> impl IndexedParallelIterator<Item = usize> {
        (0..self.count.div_ceil(WIDTH))
            .into_par_iter()
            .map(|chunk| chunk * WIDTH)
    }

    /// The directions of a chunk.
    fn chunk(&self, first: usize) -> impl Iterator<Item = usize> {
        first..(first + WIDTH).min(self.count)
    }

    /// How variable k moves in the chunk of directions from `first` on.
    fn unit(&self, k: usize, first: usize) -> Chunk {
        let mut number = Chunk::from(0.0);
        let place = self.of[k].checked_sub(first);
        if let Some(tangent) = place.and_then(|place| number.tangent.get_mut(place)) {
            *tangent = 1.0;
        }
        number
    }
}

impl FunctionalStudy {
    /// How many there are.
    pub(in crate::study) fn count(&self) -> usize {
        self.roots
    }

    /// Whether the functional is a sum, each of whose terms reads one time, one integral or one event: the others are held by parameters.
    pub(in crate::study) fn is_sum(&self, which: usize) -> bool {
        self.sums[which]
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
        let read = |kept: &mut Kept<f64>| {
            self.read(kept.run(), study, solving, p, &nudge, &mut NoRecord, None)
        };
        let reading = self.with_kept(solving, read)?.1;
        self.evaluate_roots(&reading, self.objective(study, solving, p)?)
    }

    /// All derivatives in directions of `variables`, a column each, by dual numbers.
    pub(in crate::study) fn jacobian(
        &self,
        study: &Study,
        solving: &Solving,
        p: &[f64],
        variables: &[Variable],
        directions: &Directions,
    ) -> Result<DMatrix<f64>, StudyError> {
        let mut jacobian = DMatrix::zeros(self.roots, directions.count);
        let parts = directions.chunks().map(|first| {
            let (seeded, nudge) = moved(p, variables, |k| directions.unit(k, first));
            let read = |kept: &mut Kept<Chunk>| {
                self.read(
                    kept.run(),
                    study,
                    solving,
                    &seeded,
                    &nudge,
                    &mut NoRecord,
                    None,
                )
            };
            let reading = self.with_kept_duals(solving, read)?.1;
            Ok((first, self.evaluate_roots(&reading, Chunk::from(0.0))?))
        });
        let parts: Vec<(usize, Vec<Chunk>)> = parts.collect::<Result<_, StudyError>>()?;
        for (first, roots) in parts {
            for (row, root) in roots.iter().enumerate() {
                for (k, column) in directions.chunk(first).enumerate() {
                    jacobian[(row, column)] = root.tangent[k];
                }
            }
        }
        Ok(jacobian)
    }

    /// sum_i costate_i f_i + sum_j q_j dI_j/dt at times with states and costates, q_j the derivative of the weighted sum by the
    /// integral I_j.
    pub(in crate::study) fn hamiltonian(
        &self,
        study: &Study,
        solving: &Solving,
        p: &[f64],
        weights: &[f64],
        points: &[(f64, Vec<f64>, Vec<f64>)],
    ) -> Result<Vec<f64>, StudyError> {
        let nudge = Nudge::none();
        let read = |kept: &mut Kept<f64>| {
            self.read(kept.run(), study, solving, p, &nudge, &mut NoRecord, None)
        };
        let reading = self.with_kept(solving, read)?.1;
        let bars = self.root_bars(&reading, 0.0, weights)?;
        let integrals = &bars[p.len() + self.values.len() + 1..][..self.integrals];
        let rhs = &self.equations.rhs;
        let mut workspace = Workspace::default();
        let mut all = vec![0.0; rhs.all_parameters()];
        rhs.prepare(&reading.parameters, &mut all, &mut workspace)?;
        let mut states = vec![0.0; self.equations.states()];
        let mut slope = states.clone();
        let mut values = Vec::with_capacity(points.len());
        for (t, x, costate) in points {
            states[..x.len()].copy_from_slice(x);
            rhs.f()
                .evaluate(&[*t; 2], &states, &all, &mut slope, &mut workspace)?;
            let all = costate.iter().chain(integrals);
            values.push(all.zip(&slope).map(|(p, f)| p * f).sum());
        }
        Ok(values)
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
            let at = (p, &Nudge::none());
            self.with_kept(solving, |kept| {
                let into = &mut gradient;
                self.back(study, solving, kept, at, variables, 0.0, weights, into)
            })?;
            return Ok(gradient);
        }
        let each = Directions::each(variables.len());
        let jacobian = self.jacobian(study, solving, p, variables, &each)?;
        for (g, column) in gradient.iter_mut().zip(jacobian.column_iter()) {
            *g = column.iter().zip(weights).map(|(a, w)| a * w).sum();
        }
        Ok(gradient)
    }

    /// Products of the weighted sum's Hessian with directions of `variables`, a column each, and, beside them, its gradient: the
    /// adjoint over dual numbers.
    pub(in crate::study) fn hessian_products(
        &self,
        study: &Study,
        solving: &Solving,
        p: &[f64],
        variables: &[Variable],
        weights: &[f64],
        directions: &Directions,
    ) -> Result<(Vec<f64>, DMatrix<f64>), StudyError> {
        solving.adjoint_on_duals()?;
        let solving = &Solving {
            continuous: false,
            ..solving.clone()
        };
        let m = variables.len();
        let weights: Vec<Chunk> = weights.iter().map(|&w| Chunk::from(w)).collect();
        let mut gradient = vec![0.0; m];
        let mut products = DMatrix::zeros(m, directions.count);
        let parts = directions.chunks().map(|first| {
            let (seeded, nudge) = moved(p, variables, |k| directions.unit(k, first));
            let at = (&seeded[..], &nudge);
            let zero = Chunk::from(0.0);
            let mut bars = vec![zero; m];
            self.with_kept_duals(solving, |kept| {
                let into = &mut bars;
                self.back(study, solving, kept, at, variables, zero, &weights, into)
            })?;
            Ok((first, bars))
        });
        let parts: Vec<(usize, Vec<Chunk>)> = parts.collect::<Result<_, StudyError>>()?;
        for (first, bars) in parts {
            for (i, bar) in bars.iter().enumerate() {
                gradient[i] = bar.value;
                for (k, column) in directions.chunk(first).enumerate() {
                    products[(i, column)] = bar.tangent[k];
                }
            }
        }
        Ok((gradient, products))
    }
}
