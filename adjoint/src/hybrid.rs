//! What an adjoint asks of the discrete part of a hybrid system.
//!
//! At an event the solve repeats its step so that it ends where the root function g is zero. The size h of that step
//! is thereby a function of all that the step depends on, with the discrete step `x_new(h)`
//!
//! ```text
//! g(t + h, x_new(h)) = 0        dh = -(dg at fixed h) / g',      g' = g_t + g_x dx_new/dh
//! ```
//!
//! so that in reverse, with H the cotangent of h, `-H / g'` times the gradient of g joins that of the step. (The
//! continuous limit are the saltation conditions: Rozenvasser 1967; Galan, Feehery & Barton 1999,
//! doi 10.1016/S0168-9274(98)00125-1.)

use costate_solvers::{Cause, NoEvents, Scalar};

/// The root functions and jumps of a hybrid system, with the products of their transposed derivatives.
pub trait AdjointHybrid<S = f64> {
    /// Announces the smooth stretch that what follows lies on ([`costate_solvers::Hybrid::enter_stretch`]).
    fn enter_stretch(&mut self, middle: f64) {
        let _ = middle;
    }
    /// Adds the gradients of g(t, x, p) of a root to `x_bar` and `p_bar`, and returns that with respect to t.
    fn root_gradient(&mut self, root: usize, t: S, x: &[S], x_bar: &mut [S], p_bar: &mut [S]) -> S;
    /// Takes lambda, the cotangent of the states after what happened at (t, x), to that of the states before. Adds
    /// what that owes to the parameters, and returns what it owes to t.
    fn act_vjp(&mut self, cause: Cause<'_>, t: S, x: &[S], lambda: &mut [S], p_bar: &mut [S]) -> S;
}

impl<S: Scalar> AdjointHybrid<S> for NoEvents {
    fn root_gradient(
        &mut self,
        _root: usize,
        _t: S,
        _x: &[S],
        _x_bar: &mut [S],
        _p_bar: &mut [S],
    ) -> S {
        S::from(0.0)
    }
    fn act_vjp(
        &mut self,
        _cause: Cause<'_>,
        _t: S,
        _x: &[S],
        _lambda: &mut [S],
        _p_bar: &mut [S],
    ) -> S {
        S::from(0.0)
    }
}
