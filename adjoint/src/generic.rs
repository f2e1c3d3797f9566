//! A system written by hand in Rust, once, and every derivative a solver or an adjoint asks of it.
//!
//! [`Dynamics::rhs`] is generic over the number type. [`Handwritten`] runs it on plain numbers for the solver, on
//! [`DualOver`] for the Jacobian `f_x` and the products `f_x^T w`, `f_p^T w` (a column of `[f_x, f_p]` for each
//! tangent direction, [`CHUNK`] at a time), and on duals over duals for the gradients of `w^T (f_x v + s f_t)`.
//! Cost of a product with n states and p parameters: `ceil((n + p) / CHUNK)` evaluations on `1 + CHUNK` numbers
//! each (twice that for second order). It is exact, and meant for small systems; large ones are compiled from a
//! graph, with reverse-mode products and sparse Jacobians.

use costate_solvers::scalar::sum;
use costate_solvers::{ImplicitSystem, Pattern, Real, Scalar, System};

use crate::dual::DualOver;
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

/// Arguments and result of an evaluation over duals of `W` directions, and which are seeded: number `first + k` of
/// `[x, p]` has tangent k.
///
/// Seeds stay from call to call and only values are written anew: with few states and parameters, one chunk, that
/// halves the time of a product.
#[derive(Debug, Clone)]
struct Scratch<T, const W: usize> {
    x: Vec<DualOver<T, W>>,
    p: Vec<DualOver<T, W>>,
    dx: Vec<DualOver<T, W>>,
    first: usize,
}

/// Start of a chunk that seeds nothing: past all states and parameters.
const NOTHING: usize = usize::MAX / 2;

impl<T: Scalar, const W: usize> Scratch<T, W> {
    fn new(states: usize, parameters: usize) -> Self {
        let zero = DualOver::from(0.0);
        Self {
            x: vec![zero; states],
            p: vec![zero; parameters],
            dx: vec![zero; states],
            first: NOTHING,
        }
    }

    /// The same for so many states and parameters.
    fn of(&mut self, states: usize, parameters: usize) -> &mut Self {
        if (self.x.len(), self.p.len()) != (states, parameters) {
            *self = Self::new(states, parameters);
        }
        self
    }

    /// Moves the seeds to the numbers from `first` on.
    #[inline]
    fn seed(&mut self, first: usize) {
        if self.first != first {
            self.mark(0.0);
            self.first = first;
            self.mark(1.0);
        }
    }

    fn mark(&mut self, seed: f64) {
        let numbers = self.x.iter_mut().chain(&mut self.p);
        for (k, number) in numbers.skip(self.first).take(W).enumerate() {
            number.tangent[k] = T::from(seed);
        }
    }

    /// Writes values, the states' by `state(j)` and the parameters' by `parameter(j)`.
    #[inline]
    fn set(&mut self, state: impl Fn(usize) -> T, parameter: impl Fn(usize) -> T) {
        for (j, x) in self.x.iter_mut().enumerate() {
            x.value = state(j);
        }
        for (j, p) in self.p.iter_mut().enumerate() {
            p.value = parameter(j);
        }
    }
}

/// [`Dynamics`] with its parameters, as a system over the scalar `S`.
#[derive(Debug, Clone)]
pub struct Handwritten<M, S> {
    dynamics: M,
    parameters: Vec<S>,
    pattern: Pattern,
    columns: Scratch<S, COLUMNS>,
    first: Scratch<S, CHUNK>,
    /// of wide numbers, and made when first asked for
    second: Scratch<DualOver<S, PAIRS>, CHUNK>,
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
            second: Scratch::new(0, 0),
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
        let (n, at) = (self.dim(), &mut self.columns);
        at.set(|j| x[j], |j| self.parameters[j]);
        for first in (0..n).step_by(COLUMNS) {
            at.seed(first);
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
        at.seed(NOTHING);
        at.set(|j| x[j], |j| self.parameters[j]);
        let time = DualOver::variable(t, 0);
        self.dynamics.rhs(time, &at.x, &at.p, &mut at.dx);
        for (to, from) in ft.iter_mut().zip(&at.dx) {
            *to = from.tangent[0];
        }
    }
}

impl<M: Dynamics, S: Scalar> AdjointSystem<S> for Handwritten<M, S> {
    fn parameters(&self) -> usize {
        self.parameters.len()
    }

    #[inline]
    fn vjp(&mut self, t: S, x: &[S], w: &[S], x_bar: &mut [S], p_bar: &mut [S]) {
        let (n, at) = (self.pattern.height, &mut self.first);
        let directions = n + self.parameters.len();
        at.set(|j| x[j], |j| self.parameters[j]);
        let mut first = 0;
        while first < directions {
            at.seed(first);
            let time = DualOver::constant(t);
            self.dynamics.rhs(time, &at.x, &at.p, &mut at.dx);
            let mut product = [S::from(0.0); CHUNK];
            for (&w, dx) in w.iter().zip(&at.dx) {
                for (sum, d) in product.iter_mut().zip(dx.tangent) {
                    *sum += w * d;
                }
            }
            scatter(first, n, &product, x_bar, p_bar);
            first += CHUNK;
        }
    }

    fn time_vjp(&mut self, t: S, x: &[S], w: &[S]) -> S {
        let at = &mut self.first;
        at.seed(NOTHING);
        at.set(|j| x[j], |j| self.parameters[j]);
        let time = DualOver::variable(t, 0);
        self.dynamics.rhs(time, &at.x, &at.p, &mut at.dx);
        let mut sum = S::from(0.0);
        for (&w, d) in w.iter().zip(&at.dx) {
            sum += w * d.tangent[0];
        }
        sum
    }
}

impl<M: Dynamics, S: Scalar> AdjointImplicitSystem<S> for Handwritten<M, S> {
    fn second_order_vjp(
        &mut self,
        t: S,
        x: &[S],
        v: &[S],
        s: S,
        w: &[S],
        x_bar: &mut [S],
        p_bar: &mut [S],
    ) {
        self.second_order_vjp_sum(t, x, v, &[s], w, x_bar, p_bar);
    }

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
        let n = self.pattern.height;
        let at = self.second.of(n, self.parameters.len());
        let directions = n + self.parameters.len();
        let width = PAIRS * n.max(1);
        for ((v, w), s) in v.chunks(width).zip(w.chunks(width)).zip(s.chunks(PAIRS)) {
            // The inner tangents are the directions (v, s), the outer ones the columns asked for.
            let time = DualOver::constant(along(t, s.iter().copied()));
            at.set(
                |j| along(x[j], v.chunks_exact(n).map(|v| v[j])),
                |j| DualOver::constant(self.parameters[j]),
            );
            for first in (0..directions).step_by(CHUNK) {
                at.seed(first);
                self.dynamics.rhs(time, &at.x, &at.p, &mut at.dx);
                let mut product = [S::from(0.0); CHUNK];
                for (pair, w) in w.chunks_exact(n.max(1)).enumerate() {
                    for (&w, dx) in w.iter().zip(&at.dx) {
                        for (sum, d) in product.iter_mut().zip(dx.tangent) {
                            *sum += w * d.tangent[pair];
                        }
                    }
                }
                scatter(first, n, &product, x_bar, p_bar);
            }
        }
    }

    fn second_order_time_vjp(&mut self, t: S, x: &[S], v: &[S], s: S, w: &[S]) -> S {
        let at = self.second.of(self.pattern.height, self.parameters.len());
        at.seed(NOTHING);
        at.set(
            |j| along(x[j], [v[j]]),
            |j| DualOver::constant(self.parameters[j]),
        );
        let mut time = DualOver::constant(along(t, [s]));
        time.tangent[0] = DualOver::from(1.0);
        self.dynamics.rhs(time, &at.x, &at.p, &mut at.dx);
        let mixed = at.dx.iter().map(|d| d.tangent[0].tangent[0]);
        sum(w.iter().zip(mixed).map(|(&w, d)| w * d))
    }
}

/// A number that moves at the given rates, one a direction, and at none in the others.
#[inline]
fn along<S: Scalar, const N: usize>(
    value: S,
    rates: impl IntoIterator<Item = S>,
) -> DualOver<S, N> {
    let mut number = DualOver::constant(value);
    for (to, rate) in number.tangent.iter_mut().zip(rates) {
        *to = rate;
    }
    number
}

/// Adds products for directions `first..` to the states' part, then the parameters'.
#[inline]
fn scatter<S: Scalar>(
    first: usize,
    n: usize,
    product: &[S; CHUNK],
    x_bar: &mut [S],
    p_bar: &mut [S],
) {
    let (states, parameters) = product.split_at(n.saturating_sub(first).min(CHUNK));
    for (bar, &product) in x_bar.iter_mut().skip(first).zip(states) {
        *bar += product;
    }
    for (bar, &product) in p_bar
        .iter_mut()
        .skip(first.saturating_sub(n))
        .zip(parameters)
    {
        *bar += product;
    }
}
