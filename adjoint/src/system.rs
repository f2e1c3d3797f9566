//! What an adjoint asks of a model: products with the transposed derivatives of f(t, x, p).

use costate_solvers::{ImplicitSystem, System};

/// A system x' = f(t, x, p) with vector-Jacobian products.
pub trait AdjointSystem: System<f64> {
    /// Number of parameters p.
    fn parameters(&self) -> usize;
    /// Adds `f_x(t, x, p)^T w` to `x_bar` (length n) and `f_p(t, x, p)^T w` to `p_bar` (length p).
    fn vjp(&mut self, t: f64, x: &[f64], w: &[f64], x_bar: &mut [f64], p_bar: &mut [f64]);
}

/// A system whose Jacobian can be differentiated again, for the adjoints of Rosenbrock methods.
pub trait AdjointImplicitSystem: AdjointSystem + ImplicitSystem<f64> {
    /// Adds the gradients with respect to x and p of the number `w^T (f_x(t, x, p) v + s f_t(t, x, p))`
    /// to `x_bar` and `p_bar`; v, w and s are held.
    #[expect(
        clippy::too_many_arguments,
        reason = "a bilinear form has that many places"
    )]
    fn second_order_vjp(
        &mut self,
        t: f64,
        x: &[f64],
        v: &[f64],
        s: f64,
        w: &[f64],
        x_bar: &mut [f64],
        p_bar: &mut [f64],
    );
}
