//! Hessians times vectors by dual numbers through the discrete adjoint, against dual numbers over dual numbers through the
//! solve: derivatives of the same steps, equal to rounding (1e-11 to 1e-12 of the largest; the weights of vern9, which cancel,
//! and stages that an iteration solved leave a little more), whatever the tolerance of the solve.

use std::marker::PhantomData;

use costate_adjoint::sweep::Reverse;
use costate_adjoint::{
    Adjoint, AdjointHybrid, AdjointImplicitSystem, AdjointSystem, Dual, DualOver, Dynamics,
    Handwritten, Seeds, Tape, auto, esdirk, explicit, multistep, radau, rosenbrock, symplectic,
};
use costate_solvers::esdirk::{self as singly, Esdirk};
use costate_solvers::explicit::runge_kutta::RungeKutta;
use costate_solvers::explicit::{bs3, dop853, dopri5, rk4, tsit5, vern7, vern9};
use costate_solvers::multistep::{
    BackwardDifferentiation, Formula, Multistep, NumericalDifferentiation,
};
use costate_solvers::rosenbrock::{Rosenbrock, rodas3, rodas4, rodas5p, tableau};
use costate_solvers::{
    Action, AutoSwitch, Cause, Direction, Hybrid, ImplicitMidpoint, ImplicitSystem, Integrator,
    LinearSolver, Mass, Method, Options, Pattern, Radau5, Real, Samples, Scalar, System, Tableau,
};

use crate::problems::{assert_close, loss, range, tolerance};

/// A ball thrown through air, h' = v, v' = a sin(t) - g - c w, over p = (g, c, a, restitution, q), where w is
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ball {
    /// v
    Light,
    /// late: w' = exp(q) (v + v^3 / 10 - w), which is stiff
    Lagging,
    /// of infinite rate: 0 = v + v^3 / 10 - w; and the ball has mass q
    Heavy,
}

impl Dynamics for Ball {
    fn states(&self) -> usize {
        match self {
            Self::Light => 2,
            _ => 3,
        }
    }
    fn parameters(&self) -> usize {
        5
    }
    fn rhs<S: Real>(&self, t: S, x: &[S], p: &[S], dx: &mut [S]) {
        let drag = if *self == Self::Light { x[1] } else { x[2] };
        dx[0] = x[1];
        dx[1] = p[2] * t.sin() - p[0] - p[1] * drag;
        if *self != Self::Light {
            dx[2] = x[1] + x[1] * x[1] * x[1] * 0.1 - drag;
        }
        if *self == Self::Lagging {
            dx[2] *= p[4].exp();
        }
    }
}

/// A ball with its mass matrix, if it has one.
struct Model<S> {
    of: Handwritten<Ball, S>,
    mass: Option<Mass<S>>,
    choice: LinearSolver,
}

impl<S: Scalar> Model<S> {
    fn new(ball: Ball, p: &[S], choice: LinearSolver) -> Self {
        let mass = Mass {
            pattern: Pattern::from_entries(3, 3, &[(0, 0), (1, 1)]),
            values: vec![S::from(1.0), p[4]],
        };
        Self {
            of: Handwritten::new(ball, p),
            mass: (ball == Ball::Heavy).then_some(mass),
            choice,
        }
    }
}

impl<S: Scalar> System<S> for Model<S> {
    fn dim(&self) -> usize {
        self.of.dim()
    }
    fn rhs(&mut self, t: S, x: &[S], dx: &mut [S]) {
        self.of.rhs(t, x, dx);
    }
}

impl<S: Scalar> ImplicitSystem<S> for Model<S> {
    fn pattern(&self) -> &Pattern {
        self.of.pattern()
    }
    fn jacobian(&mut self, t: S, x: &[S], values: &mut [S]) {
        self.of.jacobian(t, x, values);
    }
    fn time_derivative(&mut self, t: S, x: &[S], ft: &mut [S]) {
        self.of.time_derivative(t, x, ft);
    }
    fn mass(&self) -> Option<&Mass<S>> {
        self.mass.as_ref()
    }
    fn linear_solver(&self) -> LinearSolver {
        self.choice
    }
}

impl<S: Scalar> AdjointSystem<S> for Model<S> {
    fn parameters(&self) -> usize {
        5
    }
    fn vjp(&mut self, t: S, x: &[S], w: &[S], x_bar: &mut [S], p_bar: &mut [S]) {
        self.of.vjp(t, x, w, x_bar, p_bar);
    }
    fn time_vjp(&mut self, t: S, x: &[S], w: &[S]) -> S {
        self.of.time_vjp(t, x, w)
    }
}

impl<S: Scalar> AdjointImplicitSystem<S> for Model<S> {
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
        self.of.second_order_vjp(t, x, v, s, w, x_bar, p_bar);
    }
    fn mass_vjp(&mut self, bar: &[S], p_bar: &mut [S]) {
        p_bar[4] += bar[1];
    }
    fn second_order_time_vjp(&mut self, t: S, x: &[S], v: &[S], s: S, w: &[S]) -> S {
        self.of.second_order_time_vjp(t, x, v, s, w)
    }
}

/// The ground at height 0, which gives back a part of the speed.
struct Ground<S> {
    restitution: S,
}

impl<S: Scalar> Hybrid<S> for Ground<S> {
    fn roots(&self) -> usize {
        1
    }
    fn direction(&self, _root: usize) -> Direction {
        Direction::Falling
    }
    fn root_values(&mut self, _t: S, x: &[S], g: &mut [S]) {
        g[0] = x[0];
    }
    fn at_roots(&mut self, _t: S, _roots: &[usize], x: &mut [S]) -> Action {
        x[1] = -self.restitution * x[1];
        Action::Jumped
    }
}

impl<S: Scalar> AdjointHybrid<S> for Ground<S> {
    fn root_gradient(
        &mut self,
        _root: usize,
        _t: S,
        _x: &[S],
        x_bar: &mut [S],
        _p_bar: &mut [S],
    ) -> S {
        x_bar[0] += S::from(1.0);
        S::from(0.0)
    }
    fn act_vjp(
        &mut self,
        cause: Cause<'_>,
        _t: S,
        x: &[S],
        lambda: &mut [S],
        p_bar: &mut [S],
    ) -> S {
        if matches!(cause, Cause::Reached(_) | Cause::Carried(_)) {
            p_bar[3] -= x[1] * lambda[1];
            lambda[1] = -self.restitution * lambda[1];
        }
        S::from(0.0)
    }
}

/// A method and its adjoint.
trait Pair {
    type Method<S: Scalar>: Method<S, Model<S>>;
    type Kernel<S: Scalar>: Reverse<Model<S>, S> + Default;
    /// size of its steps, where it has no error estimate
    const STEP: Option<f64> = None;
}

struct Explicit<T>(PhantomData<T>);
impl<T: Tableau> Pair for Explicit<T> {
    type Method<S: Scalar> = RungeKutta<S, T>;
    type Kernel<S: Scalar> = explicit::Kernel<T, S>;
    const STEP: Option<f64> = if T::ERROR.is_empty() {
        Some(0.01)
    } else {
        None
    };
}

struct LinearlyImplicit<T>(PhantomData<T>);
impl<T: tableau::Tableau + Default> Pair for LinearlyImplicit<T> {
    type Method<S: Scalar> = Rosenbrock<S, T>;
    type Kernel<S: Scalar> = rosenbrock::Kernel<T, S>;
}

struct SinglyDiagonal<T>(PhantomData<T>);
impl<T: singly::Tableau + Default> Pair for SinglyDiagonal<T> {
    type Method<S: Scalar> = Esdirk<S, T>;
    type Kernel<S: Scalar> = esdirk::Kernel<T, S>;
}

struct Radau;
impl Pair for Radau {
    type Method<S: Scalar> = Radau5<S>;
    type Kernel<S: Scalar> = radau::Kernel<S>;
}

struct Differences<V>(PhantomData<V>);
impl<V: Formula + Default + 'static> Pair for Differences<V> {
    type Method<S: Scalar> = Multistep<S, V>;
    type Kernel<S: Scalar> = multistep::Kernel<V, S>;
}

struct Switching;
impl Pair for Switching {
    type Method<S: Scalar> = AutoSwitch<S>;
    type Kernel<S: Scalar> = auto::Kernel<S>;
}

struct MiddlePoint;
impl Pair for MiddlePoint {
    type Method<S: Scalar> = ImplicitMidpoint<S>;
    type Kernel<S: Scalar> = symplectic::Midpoint<S>;
    const STEP: Option<f64> = Some(0.01);
}

const X0: [f64; 3] = [1.0, 0.3, 0.2];
const P: [f64; 4] = [9.81, 0.2, 0.7, 0.8];
const TIMES: [f64; 3] = [0.0, 0.9, 1.7];
/// States, parameters and times.
const MOST: usize = 11;
/// How they move.
const ALONG: [f64; MOST] = [0.3, -0.4, 1.0, 0.2, -0.7, 0.5, 0.1, 0.6, -0.2, 0.4, -0.3];

#[derive(Debug, Clone, Copy)]
struct Case {
    ball: Ball,
    bounces: bool,
    choice: LinearSolver,
}

impl Case {
    /// All variables over a scalar: states, parameters, times.
    fn variables<S>(&self, of: impl Fn(f64, usize) -> S) -> Vec<S> {
        let q = if self.ball == Ball::Heavy { 1.3 } else { 6.0 };
        let states = &X0[..self.ball.states()];
        let all = states.iter().chain(&P).chain([&q]).chain(&TIMES);
        all.enumerate().map(|(k, &v)| of(v, k)).collect()
    }

    /// Solves at these variables; the model, the ground, what was recorded, and the final states.
    #[expect(clippy::type_complexity, reason = "all that a sweep needs")]
    fn solve<S: Scalar, M: Pair>(
        &self,
        variables: &[S],
    ) -> (Model<S>, Ground<S>, Tape<S>, Samples<S>, Vec<S>) {
        let (x0, rest) = variables.split_at(self.ball.states());
        let (p, times) = rest.split_at(5);
        let mut system = Model::new(self.ball, p, self.choice);
        let mut ground = Ground { restitution: p[3] };
        let at = range(0.05, 0.11, 15).into_iter().map(S::from).collect();
        let mut recorder = (Tape::new(), Samples::new(at).expect("times"));
        let mut x = x0.to_vec();
        let mut integrator = Integrator::<S, M::Method<S>>::new(&system);
        let options = Options {
            step: M::STEP,
            ..tolerance(1e-6)
        };
        let (system_, x_) = (&mut system, &mut x);
        let solved = match self.bounces {
            true => {
                let hybrid = &mut ground;
                integrator.run_hybrid(system_, x_, times, &options, &mut recorder, hybrid)
            }
            false => integrator.run(system_, x_, times, &options, &mut recorder),
        };
        let statistics = solved.expect("a solution");
        assert_eq!(statistics.events > 1, self.bounces);
        let (tape, samples) = recorder;
        (system, ground, tape, samples, x)
    }

    /// The gradient of the samples' loss and of a number of the final state, by the adjoint.
    fn gradient<S: Scalar, M: Pair>(&self, variables: &[S]) -> Vec<S> {
        let (mut system, mut ground, tape, samples, x) = self.solve::<S, M>(variables);
        let (n, zero) = (self.ball.states(), S::from(0.0));
        let bars: Vec<S> = samples.values().iter().map(|&x| x - 1.0).collect();
        let mut final_bar = vec![zero; n];
        (final_bar[0], final_bar[1]) = (x[1] * 0.5, x[0] * 0.5);
        let seeds = Seeds {
            samples: samples.places(),
            sample_bars: &bars,
            final_bar: &final_bar,
            ..Seeds::default()
        };
        let mut gradient = vec![zero; variables.len()];
        let (x0_bar, rest) = gradient.split_at_mut(n);
        let (p_bar, time_bars) = rest.split_at_mut(5);
        Adjoint::<M::Kernel<S>, S>::from(M::Kernel::<S>::default())
            .sweep(
                &mut system,
                &mut ground,
                &tape,
                &seeds,
                x0_bar,
                p_bar,
                Some(time_bars),
            )
            .expect("a sweep");
        gradient
    }

    /// The objective over numbers that carry second derivatives: one direction over all.
    fn by_duals<M: Pair>(&self) -> DualOver<Dual<MOST>, 1> {
        let variables = self.variables(|value, k| DualOver {
            value: Dual::variable(value, k),
            tangent: [Dual::constant(ALONG[k])],
        });
        let (_, _, _, samples, x) = self.solve::<DualOver<Dual<MOST>, 1>, M>(&variables);
        loss(samples.values()) + x[0] * x[1] * 0.5
    }

    fn check<M: Pair>(&self) {
        let variables = self.variables(|value, k| Dual::<1> {
            value,
            tangent: [ALONG[k]],
        });
        let by_adjoint = self.gradient::<Dual<1>, M>(&variables);
        let by_duals = self.by_duals::<M>();
        let what = format!("{} of {self:?}", std::any::type_name::<M>());
        let count = variables.len();
        let values: Vec<f64> = by_adjoint.iter().map(|g| g.value).collect();
        let largest = |of: &[f64]| of.iter().fold(0.0_f64, |a, g| a.max(g.abs()));
        let first = &by_duals.value.tangent[..count];
        assert_close(
            &values,
            first,
            1e-10,
            largest(first),
            &format!("gradient, {what}"),
        );
        let products: Vec<f64> = by_adjoint.iter().map(|g| g.tangent[0]).collect();
        let second = &by_duals.tangent[0].tangent[..count];
        assert!(largest(second) > 1.0);
        assert_close(&products, second, 1e-10, largest(second), &what);
        // each kind of variable is among them
        let of_q = count - 4;
        let moves = self.ball == Ball::Light || second[of_q].abs() > 1e-3;
        assert!(moves && second[count - 1].abs() > 1e-2, "{second:?}");
    }
}

/// Smooth and through bounces.
fn check<M: Pair>(ball: Ball) {
    for bounces in [false, true] {
        let choice = LinearSolver::Auto;
        Case {
            ball,
            bounces,
            choice,
        }
        .check::<M>();
    }
}

#[test]
fn explicit_methods() {
    check::<Explicit<rk4::Coefficients>>(Ball::Light);
    check::<Explicit<bs3::Coefficients>>(Ball::Light);
    check::<Explicit<dopri5::Coefficients>>(Ball::Light);
    check::<Explicit<tsit5::Coefficients>>(Ball::Light);
    check::<Explicit<dop853::Coefficients>>(Ball::Light);
    check::<Explicit<vern7::Coefficients>>(Ball::Light);
    check::<Explicit<vern9::Coefficients>>(Ball::Light);
}

#[test]
fn linearly_implicit_methods() {
    for ball in [Ball::Lagging, Ball::Heavy] {
        check::<LinearlyImplicit<rodas3::Coefficients>>(ball);
        check::<LinearlyImplicit<rodas4::Coefficients>>(ball);
        check::<LinearlyImplicit<rodas5p::Coefficients>>(ball);
    }
}

/// A sparse factorization is refined, over dual numbers, too.
#[test]
fn sparse_factors() {
    for (ball, bounces) in [(Ball::Lagging, true), (Ball::Heavy, false)] {
        let case = Case {
            ball,
            bounces,
            choice: LinearSolver::Sparse,
        };
        case.check::<LinearlyImplicit<rodas5p::Coefficients>>();
    }
}

#[test]
fn singly_diagonally_implicit_methods() {
    check::<SinglyDiagonal<singly::tr_bdf2::TrBdf2Tableau>>(Ball::Lagging);
    check::<SinglyDiagonal<singly::kvaerno3::Kvaerno3Tableau>>(Ball::Lagging);
    check::<SinglyDiagonal<singly::kvaerno4::Kvaerno4Tableau>>(Ball::Lagging);
    check::<SinglyDiagonal<singly::kvaerno5::Kvaerno5Tableau>>(Ball::Lagging);
    check::<SinglyDiagonal<singly::kencarp4::KenCarp4Tableau>>(Ball::Lagging);
}

#[test]
fn other_implicit_methods() {
    for ball in [Ball::Lagging, Ball::Heavy] {
        check::<Radau>(ball);
        check::<Differences<BackwardDifferentiation>>(ball);
        check::<Differences<NumericalDifferentiation>>(ball);
    }
    check::<Switching>(Ball::Lagging);
    check::<MiddlePoint>(Ball::Light);
}
