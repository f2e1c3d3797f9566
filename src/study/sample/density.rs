//! The density that is sampled: exp(-objective), in whitened unconstrained coordinates.
//!
//! With u = center + L z, where L L^T is the covariance that the Fisher information at the best fit foretells in u, the
//! posterior of z has about unit variances and no correlations, so that the sampler's first steps are of the right
//! length already. What L is changes no result.

use std::collections::HashMap;

use nalgebra::{DMatrix, DVector};
use nuts_rs::{CpuLogpFunc, CpuMathError, HasDims, LogpError};
use thiserror::Error;

use super::super::fit_problem::FitProblem;
use super::unconstrained::Coordinate;
use crate::optimize::{EvaluationError, LeastSquares, Problem};

/// Information that is added in every direction of u, against directions of which the data know nothing: that of a
/// parameter flat between its bounds is about 0.3.
const FLOOR: f64 = 0.1;

/// From z to parameters.
#[derive(Debug, Clone)]
pub(super) struct Whitening {
    pub coordinates: Vec<Coordinate>,
    center: DVector<f64>,
    /// L, upper triangular
    factor: DMatrix<f64>,
}

impl Whitening {
    /// At natural values of the fitted parameters.
    pub fn new(
        problem: &mut FitProblem<'_>,
        coordinates: Vec<Coordinate>,
        best: &[f64],
    ) -> Result<Self, EvaluationError> {
        let m = coordinates.len();
        let center = DVector::from_fn(m, |i, _| coordinates[i].inverse(best[i]));
        let places: Vec<_> = (0..m).map(|i| coordinates[i].at(center[i])).collect();
        let theta: Vec<f64> = places.iter().map(|p| p.scaled).collect();
        let rows = problem.residuals();
        let mut r = vec![0.0; rows];
        let mut jacobian = vec![0.0; rows * m];
        problem.value_residuals(&theta, &mut r, &mut jacobian)?;
        let mut j = DMatrix::from_column_slice(rows, m, &jacobian);
        for (mut column, place) in j.column_iter_mut().zip(&places) {
            column *= place.slope;
        }
        let mut information = j.tr_mul(&j);
        for i in 0..m {
            information[(i, i)] += FLOOR;
        }
        // information = R R^T, L = R^-T
        let identity = DMatrix::identity(m, m);
        let factor = information
            .cholesky()
            .and_then(|c| c.l().tr_solve_lower_triangular(&identity))
            .unwrap_or(identity);
        Ok(Self {
            coordinates,
            center,
            factor,
        })
    }

    /// u of z.
    pub fn unconstrained(&self, z: &[f64]) -> DVector<f64> {
        &self.center + &self.factor * DVector::from_column_slice(z)
    }

    /// Natural values of z, and ln |dv/du|.
    pub fn natural(&self, z: &[f64]) -> (Vec<f64>, f64) {
        let u = self.unconstrained(z);
        let places = self.coordinates.iter().zip(u.iter()).map(|(c, &u)| c.at(u));
        let mut volume = 0.0;
        let values = places
            .map(|place| {
                volume += place.log_volume;
                place.natural
            })
            .collect();
        (values, volume)
    }
}

/// Why there is no density at a point.
#[derive(Debug, Clone, Error)]
pub(super) enum NoDensity {
    /// a solve that failed, or a likelihood without a value: the trajectory ends here
    #[error("{0}")]
    Failed(String),
    /// the user ended the work
    #[error("interrupted")]
    Interrupted,
}

impl LogpError for NoDensity {
    fn is_recoverable(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// The logarithm of the density of z, with its gradient.
pub(super) struct Density<'a> {
    pub problem: FitProblem<'a>,
    pub whitening: &'a Whitening,
}

impl Density<'_> {
    fn dim_of(&self) -> usize {
        self.whitening.coordinates.len()
    }

    /// Up to the constant ln det L.
    pub fn evaluate(&mut self, z: &[f64], gradient: &mut [f64]) -> Result<f64, NoDensity> {
        let u = self.whitening.unconstrained(z);
        let places: Vec<_> = self
            .whitening
            .coordinates
            .iter()
            .zip(u.iter())
            .map(|(c, &u)| c.at(u))
            .collect();
        let theta: Vec<f64> = places.iter().map(|p| p.scaled).collect();
        let mut slopes = vec![0.0; theta.len()];
        let objective = match self.problem.value_gradient(&theta, &mut slopes) {
            Ok(value) => value,
            Err(EvaluationError::Interrupted) => return Err(NoDensity::Interrupted),
            Err(EvaluationError::Failed { reason }) => return Err(NoDensity::Failed(reason)),
        };
        let volume: f64 = places.iter().map(|p| p.log_volume).sum();
        let of_u = DVector::from_fn(theta.len(), |i, _| {
            places[i].log_volume_slope - slopes[i] * places[i].slope
        });
        let of_z = self.whitening.factor.tr_mul(&of_u);
        let value = volume - objective;
        if !value.is_finite() || of_z.iter().any(|g| !g.is_finite()) {
            return Err(NoDensity::Failed(
                "the density or its gradient is not finite".into(),
            ));
        }
        gradient.copy_from_slice(of_z.as_slice());
        Ok(value)
    }
}

impl HasDims for Density<'_> {
    fn dim_sizes(&self) -> HashMap<String, u64> {
        let dimension = ("unconstrained_parameter".to_owned(), self.dim_of() as u64);
        HashMap::from([dimension])
    }
}

impl CpuLogpFunc for Density<'_> {
    type LogpError = NoDensity;
    type FlowParameters = ();
    type ExpandedVector = Vec<f64>;

    fn dim(&self) -> usize {
        self.dim_of()
    }

    fn logp(&mut self, position: &[f64], gradient: &mut [f64]) -> Result<f64, NoDensity> {
        self.evaluate(position, gradient)
    }

    fn expand_vector<R: rand::Rng + ?Sized>(
        &mut self,
        _: &mut R,
        array: &[f64],
    ) -> Result<Vec<f64>, CpuMathError> {
        Ok(array.to_vec())
    }
}
