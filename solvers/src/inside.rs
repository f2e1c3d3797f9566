//! Whether a step can be read inside: the defect of its dense output, as a second estimate of the error.
//!
//! The estimate of a one-step method is that of its step's end. Two kinds of components come out well there and badly inside:
//! those slaved to a smooth course (x = phi(t) + O(1/lambda), and algebraic states), which stiffly accurate methods meet at the end
//! however large h is, and those on which a method happens to be exact, as Rodas3 is on x' = -x^2. So at one theta between,
//! with the dense output y and the step's own W = M / (h gamma) - J,
//!
//! ```text
//! W e = f(t + theta h, y(theta)) - M y'(theta)
//! ```
//!
//! In a component where h lambda is large e is the error of y itself; in one where it is small e is h gamma times the
//! error of its slope, of the order of y; for an algebraic state e is the Newton correction that it lacks. theta is where
//! the error of y in a slaved component is about largest. Cost: one f and one solve with a matrix that is factored.
//!
//! e has a floor that no step size lowers: an algebraic equation such as x_3 = 1 - x_1 - x_2 is met to rounding only,
//! which may be more than a tolerance of x_3. So a step once refused that is refused again, by less than ten tolerances and without
//! gain from its smaller size, is left to the estimate at the end; and e does not shrink steps that it lets pass.
//!
//! That dense output needs a control of its own: W. H. Enright & W. B. Hayes, Robust and reliable defect control for
//! Runge-Kutta methods, ACM Trans. Math. Softw. 33 (2007), doi 10.1145/1206040.1206041; in Rosenbrock methods: G. Steinebach,
//! BIT 63:27 (2023), doi 10.1007/s10543-023-00967-x.

use crate::method::Trial;

/// Errors above this, in units of the tolerance, are not taken for rounding.
const ROUNDING: f64 = 10.0;
/// The error after which a step is followed by one of about its own size.
const KEEPS: f64 = 0.6;

/// The verdict on steps, one after the other; see the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct InsideTest {
    /// error and size of a step from the same start that was refused for what is inside
    refused: Option<(f64, f64)>,
}

impl InsideTest {
    /// Steps start from another point now.
    pub(crate) fn move_on(&mut self) {
        self.refused = None;
    }

    /// What a step of size `h` has come to: it passed its own test with the error `at_end`, and `inside` is the test of e.
    pub(crate) fn judge(&mut self, h: f64, (at_end, state): (f64, usize), inside: Trial) -> Trial {
        let Trial::Computed { error, .. } = inside else {
            return inside;
        };
        let by_the_end = |error| Trial::Computed { error, state };
        if error <= 1.0 {
            return by_the_end(at_end.max(error.min(KEEPS)));
        }
        let before = self.refused.replace((error, h));
        let no_gain = before.is_some_and(|(e, size)| error * size.abs() >= e * h.abs());
        if no_gain && error < ROUNDING {
            by_the_end(at_end)
        } else {
            inside
        }
    }
}
