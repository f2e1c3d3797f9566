//! The products a system gives an adjoint: the exact ones of a hand-written system against the traits' defaults.

use costate_adjoint::{AdjointImplicitSystem, AdjointSystem, Dynamics, Handwritten};
use costate_solvers::{ImplicitSystem, Pattern, Real, System};

use crate::problems::assert_close;

#[derive(Debug, Clone, Copy)]
struct Driven;

impl Dynamics for Driven {
    fn states(&self) -> usize {
        3
    }
    fn parameters(&self) -> usize {
        7
    }
    fn rhs<S: Real>(&self, t: S, x: &[S], p: &[S], dx: &mut [S]) {
        dx[0] = p[0] * x[1] * (t * p[1]).sin() - x[0] * x[2];
        dx[1] = (t * x[0] * p[2]).cos() * p[3] + x[2] * x[2] * p[6];
        dx[2] = (x[0] * p[4]).exp() - t * t * x[1] * p[5];
    }
}

/// A system that leaves everything it may to the traits.
struct Frugal(Handwritten<Driven, f64>);

impl System<f64> for Frugal {
    fn dim(&self) -> usize {
        self.0.dim()
    }
    fn rhs(&mut self, t: f64, x: &[f64], dx: &mut [f64]) {
        self.0.rhs(t, x, dx);
    }
}

impl ImplicitSystem<f64> for Frugal {
    fn pattern(&self) -> &Pattern {
        self.0.pattern()
    }
    fn jacobian(&mut self, t: f64, x: &[f64], values: &mut [f64]) {
        self.0.jacobian(t, x, values);
    }
    fn time_derivative(&mut self, t: f64, x: &[f64], ft: &mut [f64]) {
        self.0.time_derivative(t, x, ft);
    }
}

impl AdjointSystem for Frugal {
    fn parameters(&self) -> usize {
        AdjointSystem::parameters(&self.0)
    }
    fn vjp(&mut self, t: f64, x: &[f64], w: &[f64], x_bar: &mut [f64], p_bar: &mut [f64]) {
        self.0.vjp(t, x, w, x_bar, p_bar);
    }
}

impl AdjointImplicitSystem for Frugal {
    fn second_order_vjp(
        &mut self,
        t: f64,
        x: &[f64],
        v: &[f64],
        s: f64,
        w: &[f64],
        x_bar: &mut [f64],
        p_bar: &mut [f64],
    ) {
        self.0.second_order_vjp(t, x, v, s, w, x_bar, p_bar);
    }
}

#[test]
fn defaults_agree_with_exact_products() {
    let p = [1.2, 0.9, -0.4, 2.0, 0.3, 0.7, -1.1];
    let mut exact = Handwritten::new(Driven, &p);
    let mut frugal = Frugal(exact.clone());
    let (x, w) = ([0.4, -1.3, 0.8], [0.5, 1.5, -2.0]);
    for t in [-2.0, 0.0, 0.3, 5.0] {
        let (a, b) = (exact.time_vjp(t, &x, &w), frugal.time_vjp(t, &x, &w));
        assert_close(&[b], &[a], 1e-9, 1.0, "w f_t");
        let (v, s) = ([1.0, 0.2, -0.6], 0.7);
        let a = exact.second_order_time_vjp(t, &x, &v, s, &w);
        let b = frugal.second_order_time_vjp(t, &x, &v, s, &w);
        assert_close(&[b], &[a], 1e-9, 1.0, "w (f_xt v + s f_tt)");

        // Five pairs: more than one evaluation carries.
        let vs: Vec<f64> = (0..15).map(|i| (0.7 * f64::from(i)).sin()).collect();
        let ws: Vec<f64> = (0..15).map(|i| (1.3 * f64::from(i)).cos()).collect();
        let ss = [0.3, -0.2, 0.0, 1.0, 0.5];
        let mut bars = [[0.0; 10]; 2];
        let [a, b] = &mut bars;
        let (x_bar, p_bar) = a.split_at_mut(3);
        exact.second_order_vjp_sum(t, &x, &vs, &ss, &ws, x_bar, p_bar);
        let (x_bar, p_bar) = b.split_at_mut(3);
        frugal.second_order_vjp_sum(t, &x, &vs, &ss, &ws, x_bar, p_bar);
        assert_close(a, b, 1e-13, 1.0, "the sum");

        // And against differences of the first-order product: d/dx of w^T f_x v along each x_j.
        let mut x_bar = [0.0; 3];
        exact.second_order_vjp(t, &x, &v, 0.0, &w, &mut x_bar, &mut [0.0; 7]);
        for j in 0..3 {
            let mut form = |h: f64| {
                let mut moved = x;
                moved[j] += h;
                let mut row = [0.0; 3];
                exact.vjp(t, &moved, &w, &mut row, &mut [0.0; 7]);
                row.iter().zip(v).map(|(r, v)| r * v).sum::<f64>()
            };
            let difference = (form(1e-5) - form(-1e-5)) / 2e-5;
            assert_close(&[x_bar[j]], &[difference], 1e-7, 1.0, "gradient of w f_x v");
        }
    }
}
