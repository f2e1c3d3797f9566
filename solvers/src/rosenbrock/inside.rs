//! What [`crate::inside`] tests of a Rosenbrock step.

use super::stage_matrix::StageMatrix;
use super::step::combine;
use super::tableau::{MOST_STAGES, Tableau, dense_slopes, dense_weights};
use crate::control::error_test;
use crate::inside::InsideTest;
use crate::method::Trial;
use crate::options::{Options, Statistics};
use crate::scalar::Scalar;
use crate::system::ImplicitSystem;

/// The estimate e and what it takes.
#[derive(Debug, Clone)]
pub(super) struct Inside<S> {
    /// b_i(theta) and b_i'(theta)
    weights: [[f64; MOST_STAGES]; 2],
    /// y, then y'
    state: Vec<S>,
    estimate: Vec<S>,
    product: Vec<S>,
    pub(super) test: InsideTest,
}

impl<S: Scalar> Inside<S> {
    pub(super) fn new<T: Tableau>(n: usize, with_mass: bool) -> Self {
        let zeros = vec![S::from(0.0); n];
        Self {
            weights: [
                dense_weights::<T, f64>(T::INSIDE),
                dense_slopes::<T>(T::INSIDE),
            ],
            state: zeros.clone(),
            estimate: zeros.clone(),
            product: if with_mass { zeros } else { Vec::new() },
            test: InsideTest::default(),
        }
    }

    /// The result of a step of size `h` that passed with the error `at_end`, once e is computed.
    pub(super) fn judge(
        &mut self,
        (options, h): (&Options, f64),
        (x, x_new): (&[S], &[S]),
        at_end: (f64, usize),
    ) -> Trial {
        let inside = error_test(options, x, x_new, |i, part| self.estimate[i].part(part));
        self.test.judge(h, at_end, inside)
    }

    /// Computes e of a step from (t, x) with these stages, its dense output's included. `inverse_h` is 1 / h, `shift`
    /// 1 / (h gamma), and `matrix` the step's W.
    pub(super) fn estimate<T: Tableau, F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        matrix: &mut StageMatrix<S>,
        (t, h, x, stages): (S, S, &[S], &[S]),
        (inverse_h, shift): (S, S),
        statistics: &mut Statistics,
    ) {
        let [values, slopes] = self.weights.each_ref().map(|w| &w[..T::KEPT]);
        combine(&mut self.state, Some(x), stages, values);
        system.rhs(t + h * T::INSIDE, &self.state, &mut self.estimate);
        statistics.rhs_evaluations += 1;
        combine(&mut self.state, None, stages, slopes);
        let slope = match &matrix.mass {
            None => &self.state,
            Some(mass) => {
                mass.multiply(&self.state, &mut self.product);
                &self.product
            }
        };
        for (e, &slope) in self.estimate.iter_mut().zip(slope) {
            *e -= slope * inverse_h;
        }
        matrix.solve(&mut self.estimate, shift);
    }
}
