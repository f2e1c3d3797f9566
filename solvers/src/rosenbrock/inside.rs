//! Whether a step can be read inside: the defect of its dense output, as a second estimate of the error.
//!
//! The estimate u_s is that of a step's end. Two kinds of components come out well there and badly inside: those slaved to
//! a smooth course (x = phi(t) + O(1/lambda), and algebraic states), which the stages meet at the end however large h is, and
//! those on which a method happens to be exact, as Rodas3 is on x' = -x^2. So at one theta between, with the dense output y,
//!
//! ```text
//! W e = f(t + theta h, y(theta)) - M y'(theta)
//! ```
//!
//! In a component where h lambda is large e is the error of y itself; in one where it is small e is h gamma times the
//! error of its slope, of the order of y; for an algebraic state e is the Newton correction that it lacks. theta is where
//! the error of y in a slaved component is about largest. Cost: one f and one solve with the step's LU.
//!
//! e has a floor that no step size lowers: an algebraic equation such as x_3 = 1 - x_1 - x_2 is met to rounding only,
//! which may be more than a tolerance of x_3. So a step once refused that is refused again, by less than ten tolerances and without
//! gain from its smaller size, is left to the estimate at the end; and e does not shrink steps that it lets pass.
//!
//! That dense output needs a control of its own: W. H. Enright, Continuous numerical methods for ODEs with defect control,
//! J. Comput. Appl. Math. 125 (2000) 159-170, doi 10.1016/S0377-0427(00)00466-0; in Rosenbrock methods: G. Steinebach,
//! BIT 63:27 (2023), doi 10.1007/s10543-023-00967-x.

use super::stage_matrix::StageMatrix;
use super::step::combine;
use super::tableau::{MOST_STAGES, Tableau, dense_slopes, dense_weights};
use crate::control::error_test;
use crate::method::Trial;
use crate::options::{Options, Statistics};
use crate::scalar::Scalar;
use crate::system::ImplicitSystem;

/// Errors above this, in units of the tolerance, are not taken for rounding.
const ROUNDING: f64 = 10.0;
/// The error after which a step is followed by one of about its own size.
const KEEPS: f64 = 0.6;

/// The estimate e and what it takes.
#[derive(Debug, Clone)]
pub(super) struct Inside<S> {
    /// b_i(theta) and b_i'(theta)
    weights: [[f64; MOST_STAGES]; 2],
    /// y, then y'
    state: Vec<S>,
    estimate: Vec<S>,
    product: Vec<S>,
    /// error and size of a step from the same start that was refused for what is inside
    refused: Option<(f64, f64)>,
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
            refused: None,
        }
    }

    /// Steps start from another point now.
    pub(super) fn move_on(&mut self) {
        self.refused = None;
    }

    /// The result of a step of size `h` that passed with the error `at_end`, once e is computed.
    pub(super) fn judge(
        &mut self,
        (options, h): (&Options, f64),
        (x, x_new): (&[S], &[S]),
        (at_end, state): (f64, usize),
    ) -> Trial {
        let inside = error_test(options, x, x_new, |i, part| self.estimate[i].part(part));
        match inside {
            Trial::Computed { error, .. } if error > 1.0 => {
                let no_gain = self
                    .refused
                    .replace((error, h))
                    .is_some_and(|(e, size)| error < ROUNDING && error * size.abs() >= e * h.abs());
                if no_gain {
                    Trial::Computed {
                        error: at_end,
                        state,
                    }
                } else {
                    inside
                }
            }
            Trial::Computed { error, .. } => Trial::Computed {
                error: at_end.max(error.min(KEEPS)),
                state,
            },
            other => other,
        }
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
