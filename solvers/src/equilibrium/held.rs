//! A system whose time is held.

use crate::linalg::LinearSolver;
use crate::system::{ImplicitSystem, Mass, Pattern, System};

/// A system whose time stands still.
pub(super) struct Held<'s, F: ?Sized> {
    pub system: &'s mut F,
    pub t: f64,
}

impl<F: System<f64> + ?Sized> System<f64> for Held<'_, F> {
    fn dim(&self) -> usize {
        self.system.dim()
    }

    fn rhs(&mut self, _: f64, x: &[f64], dx: &mut [f64]) {
        self.system.rhs(self.t, x, dx);
    }
}

impl<F: ImplicitSystem<f64> + ?Sized> ImplicitSystem<f64> for Held<'_, F> {
    fn pattern(&self) -> &Pattern {
        self.system.pattern()
    }

    fn jacobian(&mut self, _: f64, x: &[f64], values: &mut [f64]) {
        self.system.jacobian(self.t, x, values);
    }

    fn time_derivative(&mut self, _: f64, _: &[f64], ft: &mut [f64]) {
        ft.fill(0.0);
    }

    fn mass(&self) -> Option<&Mass<f64>> {
        self.system.mass()
    }

    fn has_jvp(&self) -> bool {
        self.system.has_jvp()
    }

    fn jvp(&mut self, _: f64, x: &[f64], v: &[f64], out: &mut [f64]) {
        self.system.jvp(self.t, x, v, out);
    }

    fn linear_solver(&self) -> LinearSolver {
        self.system.linear_solver()
    }
}
