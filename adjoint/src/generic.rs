//! A system written by hand in Rust, once, and every derivative a solver or an adjoint asks of it.
//!
//! [`Dynamics::rhs`] is generic over the number type. [`Handwritten`] runs it on plain numbers for the solver, on
//! [`DualOver`] for the Jacobian `f_x` and the products `f_x^T w`, `f_p^T w` (a column of `[f_x, f_p]` for each
//! tangent direction, [`CHUNK`] at a time), and on duals over duals for the gradients of `w^T (f_x v + s f_t)`.
//! Cost of a product with n states and p parameters: `ceil((n + p) / CHUNK)` evaluations on `1 + CHUNK` numbers
//! each (twice that for second order). It is exact, and meant for small systems; large ones are compiled from a
//! graph, with reverse-mode products and sparse Jacobians.

use costate_solvers::{ImplicitSystem, Pattern, Real, Scalar, System};

use crate::dual::{Dual, DualOver};
use crate::system::{AdjointImplicitSystem, AdjointSystem};

/// Directions that one evaluation carries for a vector-Jacobian product.
pub const CHUNK: usize = 8;

/// Directions that one evaluation carries for a Jacobian over any scalar.
const COLUMNS: usize = 4;

/// Pairs (v, w) that one evaluation carries for second-order products.
const PAIRS: usize = 4;

/// The right-hand side of x' = f(t, x, p), written once over any number type.
pub trait Dynamics {
    /// Number of states n.
    fn states(&self) -> usize;
    /// Number of parameters p.
    fn parameters(&self) -> usize;
    /// Writes f(t, x, p) into `dx` (length n).
    fn rhs<S: Real>(&self, t: S, x: &[S], p: &[S], dx: &mut [S]);
    /// As [`System::enter_stretch`]: the smooth stretch that later evaluations lie on.
    fn enter_stretch(&mut self, middle: f64) {
        let _ = middle;
    }
}

/// Arguments and result of an evaluation over one number type.
#[derive(Debug, Clone)]
struct Scratch<S> {
    x: Vec<S>,
    p: Vec<S>,
    dx: Vec<S>,
}

impl<S: Real> Scratch<S> {
    fn new(states: usize, parameters: usize) -> Self {
        Self {
            x: vec![S::from(0.0); states],
            p: vec![S::from(0.0); parameters],
            dx: vec![S::from(0.0); states],
        }
    }
}

/// [`Dynamics`] with its parameters, as a system over the scalar `S`.
#[derive(Debug, Clone)]
pub struct Handwritten<M, S> {
    dynamics: M,
    parameters: Vec<S>,
    pattern: Pattern,
    columns: Scratch<DualOver<S, COLUMNS>>,
    first: Scratch<Dual<CHUNK>>,
    second: Scratch<DualOver<Dual<CHUNK>, PAIRS>>,
}

impl<M: Dynamics, S: Scalar> Handwritten<M, S> {
    /// The system at the given parameters; missing ones are 0 and surplus ones are dropped.
    pub fn new(dynamics: M, parameters: &[S]) -> Self {
        let (n, p) = (dynamics.states(), dynamics.parameters());
        let mut held = parameters.to_vec();
        held.resize(p, S::from(0.0));
        Self {
            pattern: Pattern::dense(n),
            columns: Scratch::new(n, p),
            first: Scratch::new(n, p),
            second: Scratch::new(n, p),
            parameters: held,
            dynamics,
        }
    }

    /// The parameters, to read.
    pub fn parameters(&self) -> &[S] {
        &self.parameters
    }

    /// The parameters, to change between solves.
    pub fn parameters_mut(&mut self) -> &mut [S] {
        &mut self.parameters
    }
}

impl<M: Dynamics, S: Scalar> System<S> for Handwritten<M, S> {
    #[inline]
    fn dim(&self) -> usize {
        self.pattern.height
    }

    #[inline]
    fn rhs(&mut self, t: S, x: &[S], dx: &mut [S]) {
        self.dynamics.rhs(t, x, &self.parameters, dx);
    }

    fn enter_stretch(&mut self, middle: f64) {
        self.dynamics.enter_stretch(middle);
    }
}

impl<M: Dynamics, S: Scalar> ImplicitSystem<S> for Handwritten<M, S> {
    fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    fn jacobian(&mut self, t: S, x: &[S], values: &mut [S]) {
        let (n, at) = (x.len(), &mut self.columns);
        for (to, &from) in at.p.iter_mut().zip(&self.parameters) {
            *to = DualOver::constant(from);
        }
        for first in (0..n).step_by(COLUMNS) {
            for (j, (to, &from)) in at.x.iter_mut().zip(x).enumerate() {
                *to = DualOver::variable(from, j.wrapping_sub(first));
            }
            let time = DualOver::constant(t);
            self.dynamics.rhs(time, &at.x, &at.p, &mut at.dx);
            for k in 0..COLUMNS.min(n - first) {
                let column = &mut values[(first + k) * n..][..n];
                for (to, from) in column.iter_mut().zip(&at.dx) {
                    *to = from.tangent[k];
                }
            }
        }
    }

    fn time_derivative(&mut self, t: S, x: &[S], ft: &mut [S]) {
        let at = &mut self.columns;
        for (to, &from) in at.p.iter_mut().zip(&self.parameters) {
            *to = DualOver::constant(from);
        }
        for (to, &from) in at.x.iter_mut().zip(x) {
            *to = DualOver::constant(from);
        }
        let time = DualOver::variable(t, 0);
        self.dynamics.rhs(time, &at.x, &at.p, &mut at.dx);
        for (to, from) in ft.iter_mut().zip(&at.dx) {
            *to = from.tangent[0];
        }
    }
}

impl<M: Dynamics> AdjointSystem for Handwritten<M, f64> {
    fn parameters(&self) -> usize {
        self.parameters.len()
    }

    #[inline]
    fn vjp(&mut self, t: f64, x: &[f64], w: &[f64], x_bar: &mut [f64], p_bar: &mut [f64]) {
        let (n, at) = (x.len(), &mut self.first);
        let directions = n + self.parameters.len();
        let mut first = 0;
        while first < directions {
            // Directions count through the states, then the parameters; out of the chunk's range is constant.
            for (j, (to, &from)) in at.x.iter_mut().zip(x).enumerate() {
                *to = Dual::variable(from, j.wrapping_sub(first));
            }
            for (j, (to, &from)) in at.p.iter_mut().zip(&self.parameters).enumerate() {
                *to = Dual::variable(from, (n + j).wrapping_sub(first));
            }
            self.dynamics
                .rhs(Dual::constant(t), &at.x, &at.p, &mut at.dx);
            let mut product = [0.0; CHUNK];
            for (&w, dx) in w.iter().zip(&at.dx) {
                for (sum, d) in product.iter_mut().zip(dx.tangent) {
                    *sum += w * d;
                }
            }
            scatter(first, n, &product, x_bar, p_bar);
            first += CHUNK;
        }
    }

    fn time_vjp(&mut self, t: f64, x: &[f64], w: &[f64]) -> f64 {
        let at = &mut self.first;
        for (to, &from) in at.x.iter_mut().zip(x) {
            *to = Dual::constant(from);
        }
        for (to, &from) in at.p.iter_mut().zip(&self.parameters) {
            *to = Dual::constant(from);
        }
        self.dynamics
            .rhs(Dual::variable(t, 0), &at.x, &at.p, &mut at.dx);
        w.iter().zip(&at.dx).map(|(w, d)| w * d.tangent[0]).sum()
    }
}

impl<M: Dynamics> AdjointImplicitSystem for Handwritten<M, f64> {
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
        self.second_order_vjp_sum(t, x, v, &[s], w, x_bar, p_bar);
    }

    fn second_order_vjp_sum(
        &mut self,
        t: f64,
        x: &[f64],
        v: &[f64],
        s: &[f64],
        w: &[f64],
        x_bar: &mut [f64],
        p_bar: &mut [f64],
    ) {
        let (n, at) = (x.len(), &mut self.second);
        let directions = n + self.parameters.len();
        let width = PAIRS * n.max(1);
        for ((v, w), s) in v.chunks(width).zip(w.chunks(width)).zip(s.chunks(PAIRS)) {
            let mut time = DualOver::constant(Dual::constant(t));
            for (to, &from) in time.tangent.iter_mut().zip(s) {
                to.value = from;
            }
            for first in (0..directions).step_by(CHUNK) {
                // The inner tangents are the columns asked for; the outer ones are the directions (v, s).
                for (j, (to, &x)) in at.x.iter_mut().zip(x).enumerate() {
                    *to = DualOver::constant(Dual::variable(x, j.wrapping_sub(first)));
                    for (to, v) in to.tangent.iter_mut().zip(v.chunks_exact(n)) {
                        to.value = v[j];
                    }
                }
                for (j, (to, &from)) in at.p.iter_mut().zip(&self.parameters).enumerate() {
                    *to = DualOver::constant(Dual::variable(from, (n + j).wrapping_sub(first)));
                }
                self.dynamics.rhs(time, &at.x, &at.p, &mut at.dx);
                let mut product = [0.0; CHUNK];
                for (pair, w) in w.chunks_exact(n.max(1)).enumerate() {
                    for (&w, dx) in w.iter().zip(&at.dx) {
                        for (sum, d) in product.iter_mut().zip(dx.tangent[pair].tangent) {
                            *sum += w * d;
                        }
                    }
                }
                scatter(first, n, &product, x_bar, p_bar);
            }
        }
    }

    fn second_order_time_vjp(&mut self, t: f64, x: &[f64], v: &[f64], s: f64, w: &[f64]) -> f64 {
        let at = &mut self.second;
        for (to, (&x, &v)) in at.x.iter_mut().zip(x.iter().zip(v)) {
            *to = DualOver::from(x);
            to.tangent[0].value = v;
        }
        for (to, &from) in at.p.iter_mut().zip(&self.parameters) {
            *to = DualOver::from(from);
        }
        let mut time = DualOver::constant(Dual::variable(t, 0));
        time.tangent[0].value = s;
        self.dynamics.rhs(time, &at.x, &at.p, &mut at.dx);
        let mixed = at.dx.iter().map(|d| d.tangent[0].tangent[0]);
        w.iter().zip(mixed).map(|(w, d)| w * d).sum()
    }
}

/// Adds products for directions `first..` to the states' part, then the parameters'.
#[inline]
fn scatter(first: usize, n: usize, product: &[f64; CHUNK], x_bar: &mut [f64], p_bar: &mut [f64]) {
    for (k, &product) in product.iter().enumerate() {
        let direction = first + k;
        if direction < n {
            x_bar[direction] += product;
        } else if let Some(bar) = p_bar.get_mut(direction - n) {
            *bar += product;
        }
    }
}
