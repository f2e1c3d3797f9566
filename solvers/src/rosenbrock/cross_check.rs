//! A second estimate of the local error, for a pair whose own has a blind spot.
//!
//! An estimate of order p sees a linear combination of the elementary differentials of order p + 1 and misses an f for
//! which they cancel. The defect of the trapezoidal rule along the step,
//!
//! ```text
//! r = M (x_new - x) - h/2 (f(t, x) + f(t + h, x_new)) = -h^3/12 M x''' + O(h^4),
//! W e_1 = r / (h gamma),   W e = M e_1 / (h gamma),
//! ```
//!
//! sees another one of order 3: all with equal signs, as they are in x'''. Both factors (I - h gamma J)^-1 are needed:
//! in a component far from its slow course, which a large step takes there, r is h lambda/2 times the distance, and e no
//! more than 1 / (h gamma lambda) of the distance. An algebraic equation leaves no defect, so that an algebraic state has the
//! estimate that the differential ones make it have. Cost: two solves with the step's LU; f(t + h, x_new) serves the next step.
//!
//! The filter is that of L. F. Shampine & L. S. Baca, Error estimators for stiff differential equations, J. Comput. Appl.
//! Math. 11 (1984) 197-207, doi 10.1016/0377-0427(84)90020-1.

use super::stage_matrix::StageMatrix;
use crate::scalar::Scalar;

/// The estimate e and what it takes.
#[derive(Debug, Clone)]
pub(super) struct CrossCheck<S> {
    /// f at the end of the step tried
    pub(super) slope: Vec<S>,
    /// whether `slope` belongs to the last step tried
    pub(super) known: bool,
    estimate: Vec<S>,
    scratch: Vec<S>,
}

impl<S: Scalar> CrossCheck<S> {
    pub(super) fn new(n: usize) -> Self {
        let zeros = vec![S::from(0.0); n];
        Self {
            slope: zeros.clone(),
            known: false,
            estimate: zeros.clone(),
            scratch: zeros,
        }
    }

    /// Computes e of a step from `x`, where f is `start`, to `x_new`, where it is [`Self::slope`]. `inverse_h` is 1 / h,
    /// `shift` 1 / (h gamma), and `matrix` the step's W.
    pub(super) fn estimate(
        &mut self,
        matrix: &mut StageMatrix<S>,
        (start, x, x_new): (&[S], &[S], &[S]),
        (inverse_h, shift): (S, S),
    ) -> &[S] {
        for ((d, &x), &y) in self.estimate.iter_mut().zip(x).zip(x_new) {
            *d = y - x;
        }
        self.multiply(matrix);
        let inverse_gamma = shift / inverse_h;
        let slopes = start.iter().zip(&self.slope);
        for (e, (&start, &end)) in self.estimate.iter_mut().zip(slopes) {
            *e = (*e * inverse_h - (start + end) * 0.5) * inverse_gamma;
        }
        matrix.solve(&mut self.estimate, shift);
        self.multiply(matrix);
        for e in &mut self.estimate {
            *e *= shift;
        }
        matrix.solve(&mut self.estimate, shift);
        &self.estimate
    }

    /// Multiplies the estimate by M.
    fn multiply(&mut self, matrix: &StageMatrix<S>) {
        if let Some(mass) = &matrix.mass {
            mass.multiply(&self.estimate, &mut self.scratch);
            self.estimate.copy_from_slice(&self.scratch);
        }
    }
}
