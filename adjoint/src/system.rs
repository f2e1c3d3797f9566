//! What an adjoint asks of a model: products with the transposed derivatives of f(t, x, p).

use costate_solvers::{ExplicitStages, ImplicitSystem, Scalar, System};

use crate::sweep::Step;

/// A system x' = f(t, x, p) with vector-Jacobian products.
pub trait AdjointSystem<S: Scalar = f64>: System<S> {
    /// Number of parameters p.
    fn parameters(&self) -> usize;
    /// Adds `f_x(t, x, p)^T w` to `x_bar` (length n) and `f_p(t, x, p)^T w` to `p_bar` (length p).
    fn vjp(&mut self, t: S, x: &[S], w: &[S], x_bar: &mut [S], p_bar: &mut [S]);
    /// `w^T f_t(t, x, p)`, needed only where a start, stop or end time carries a derivative.
    ///
    /// The default is a fourth-order central difference, good to about ten digits; a system that knows its
    /// derivative in t replaces it.
    fn time_vjp(&mut self, t: S, x: &[S], w: &[S]) -> S {
        let mut slope = vec![S::from(0.0); self.dim()];
        time_difference(t, |at| {
            self.rhs(at, x, &mut slope);
            dot(w, &slope)
        })
    }
    /// Takes cotangents through the stages of a step of an explicit Runge-Kutta method, from its last to its second, at
    /// once, or returns false, having done nothing.
    ///
    /// Given those of the states at the step's end, `lambda`, and of the stages, `stage_bars` (rows of n numbers), it
    /// leaves in `lambda` that of the states at the step's start and in the first row that of k_1, each but for what k_1
    /// owes to those states; the other rows up to `method.end` are void. It adds to `p_bar`. All in the very arithmetic
    /// of [`crate::explicit`]: to call it or not makes no difference to a bit.
    #[inline]
    fn explicit_stages_back(
        &mut self,
        method: &'static ExplicitStages,
        step: &Step<'_, S>,
        lambda: &mut [S],
        stage_bars: &mut [S],
        p_bar: &mut [S],
    ) -> bool {
        let _ = (method, step, lambda, stage_bars, p_bar);
        false
    }
}

/// A system whose Jacobian can be differentiated again, for the adjoints of Rosenbrock methods.
pub trait AdjointImplicitSystem<S: Scalar = f64>: AdjointSystem<S> + ImplicitSystem<S> {
    /// Adds the gradients with respect to x and p of the number `w^T (f_x(t, x, p) v + s f_t(t, x, p))`
    /// to `x_bar` and `p_bar`; v, w and s are held.
    #[expect(
        clippy::too_many_arguments,
        reason = "a bilinear form has that many places"
    )]
    fn second_order_vjp(
        &mut self,
        t: S,
        x: &[S],
        v: &[S],
        s: S,
        w: &[S],
        x_bar: &mut [S],
        p_bar: &mut [S],
    );
    /// The sum of [`Self::second_order_vjp`] over several (v, s, w): vectors `v[i * n..]`, `w[i * n..]` and `s[i]`,
    /// all at one (t, x). A step of a Rosenbrock method needs one for each stage; a system that shares work
    /// between them replaces the default, which takes one after the other.
    #[expect(
        clippy::too_many_arguments,
        reason = "the places of `second_order_vjp`"
    )]
    fn second_order_vjp_sum(
        &mut self,
        t: S,
        x: &[S],
        v: &[S],
        s: &[S],
        w: &[S],
        x_bar: &mut [S],
        p_bar: &mut [S],
    ) {
        let n = x.len().max(1);
        for ((v, &s), w) in v.chunks_exact(n).zip(s).zip(w.chunks_exact(n)) {
            self.second_order_vjp(t, x, v, s, w, x_bar, p_bar);
        }
    }

    /// Adds the derivatives with respect to the parameters of the entries of the mass matrix, each times its number in
    /// `bar`. The default is for a matrix that depends on none.
    fn mass_vjp(&mut self, bar: &[S], p_bar: &mut [S]) {
        let _ = (bar, p_bar);
    }

    /// `w^T (f_xt(t, x, p) v + s f_tt(t, x, p))`, needed only where a start, stop or end time carries a
    /// derivative. The default is a fourth-order central difference in t of the first-order products.
    fn second_order_time_vjp(&mut self, t: S, x: &[S], v: &[S], s: S, w: &[S]) -> S {
        let zero = S::from(0.0);
        let (mut x_bar, mut p_bar) = (vec![zero; self.dim()], vec![zero; self.parameters()]);
        let mut slope = vec![zero; self.dim()];
        time_difference(t, |at| {
            x_bar.fill(zero);
            self.vjp(at, x, w, &mut x_bar, &mut p_bar);
            self.time_derivative(at, x, &mut slope);
            dot(&x_bar, v) + s * dot(w, &slope)
        })
    }
}

/// Inner product of two vectors of one length.
#[inline]
pub(crate) fn dot<S: Scalar>(a: &[S], b: &[S]) -> S {
    let mut sum = S::from(0.0);
    for (&a, &b) in a.iter().zip(b) {
        sum += a * b;
    }
    sum
}

/// The derivative of g by the five-point formula; its error, of order h^4, meets the rounding eps / h near
/// h = eps^(1/5).
fn time_difference<S: Scalar>(t: S, mut g: impl FnMut(S) -> S) -> S {
    let h = 7e-4 * t.value().abs().max(1.0);
    let near = g(t + h) - g(t - h);
    let far = g(t + 2.0 * h) - g(t - 2.0 * h);
    (near * 8.0 - far) / (12.0 * h)
}
