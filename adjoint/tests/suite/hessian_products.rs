//! Hessians times vectors by dual numbers through the discrete adjoint, against dual numbers over dual numbers through the
//! solve: derivatives of the same steps, equal to rounding (1e-11 to 1e-12 of the largest; the weights of vern9, which cancel,
//! leave a little more).

use costate_adjoint::{
    AdjointHybrid, Dual, DualOver, Dynamics, ExplicitAdjoint, Handwritten, Seeds, Tape,
};
use costate_solvers::explicit::runge_kutta::RungeKutta;
use costate_solvers::explicit::{bs3, dop853, dopri5, rk4, tsit5, vern7, vern9};
use costate_solvers::{
    Action, Cause, Direction, Hybrid, Integrator, Options, Real, Samples, Scalar, Tableau,
};

use crate::problems::{assert_close, loss, range, tolerance};

/// A ball thrown through air, x' = v, v' = a sin(t) - g - c v, over p = (g, c, a, restitution).
#[derive(Debug, Clone, Copy)]
struct Ball;

impl Dynamics for Ball {
    fn states(&self) -> usize {
        2
    }
    fn parameters(&self) -> usize {
        4
    }
    fn rhs<S: Real>(&self, t: S, x: &[S], p: &[S], dx: &mut [S]) {
        dx[0] = x[1];
        dx[1] = p[2] * t.sin() - p[0] - p[1] * x[1];
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

const X0: [f64; 2] = [1.0, 0.3];
const P: [f64; 4] = [9.81, 0.2, 0.7, 0.8];
const TIMES: [f64; 3] = [0.0, 0.9, 1.7];
/// How the nine variables (initial states, parameters, times) move.
const ALONG: [f64; 9] = [0.3, -0.4, 1.0, 0.2, -0.7, 0.5, 0.1, 0.6, -0.2];

/// All variables over a scalar.
fn variables<S: Scalar>(of: impl Fn(f64, usize) -> S) -> ([S; 2], [S; 4], [S; 3]) {
    (
        std::array::from_fn(|k| of(X0[k], k)),
        std::array::from_fn(|k| of(P[k], 2 + k)),
        std::array::from_fn(|k| of(TIMES[k], 6 + k)),
    )
}

fn options<T: Tableau>() -> Options {
    Options {
        step: T::ERROR.is_empty().then_some(0.01),
        ..tolerance(1e-6)
    }
}

fn at<S: Scalar>() -> Samples<S> {
    let times = range(0.05, 0.11, 15);
    Samples::new(times.into_iter().map(S::from).collect()).expect("times")
}

/// The objective: the samples' loss, and a number of the final state.
fn objective<S: Scalar>(samples: &[S], x: &[S]) -> S {
    loss(samples) + x[0] * x[1] * 0.5
}

/// Its gradient by the adjoint.
fn gradient<S: Scalar, T: Tableau>(bounces: bool) -> impl Fn([S; 2], [S; 4], [S; 3]) -> Vec<S> {
    move |x0, p, times| {
        let mut system = Handwritten::new(Ball, &p);
        let mut ground = Ground { restitution: p[3] };
        let mut recorder = (Tape::new(), at::<S>());
        let mut x = x0;
        let mut integrator = Integrator::<S, RungeKutta<S, T>>::new(&system);
        let options = options::<T>();
        let solved = match bounces {
            true => integrator.run_hybrid(
                &mut system,
                &mut x,
                &times,
                &options,
                &mut recorder,
                &mut ground,
            ),
            false => integrator.run(&mut system, &mut x, &times, &options, &mut recorder),
        };
        let statistics = solved.expect("a solution");
        assert_eq!(statistics.events > 1, bounces);
        let (tape, samples) = recorder;
        let bars: Vec<S> = samples.values().iter().map(|&x| x - 1.0).collect();
        let seeds = Seeds {
            samples: samples.places(),
            sample_bars: &bars,
            final_bar: &[x[1] * 0.5, x[0] * 0.5],
            ..Seeds::default()
        };
        let zero = S::from(0.0);
        let (mut x0_bar, mut p_bar, mut time_bars) = ([zero; 2], [zero; 4], [zero; 3]);
        ExplicitAdjoint::<T, S>::default()
            .sweep(
                &mut system,
                &mut ground,
                &tape,
                &seeds,
                &mut x0_bar,
                &mut p_bar,
                Some(&mut time_bars),
            )
            .expect("a sweep");
        [&x0_bar[..], &p_bar, &time_bars].concat()
    }
}

/// The objective over numbers that carry second derivatives: one direction over nine.
fn by_duals<T: Tableau>(bounces: bool) -> DualOver<Dual<9>, 1> {
    type Second = DualOver<Dual<9>, 1>;
    let (x0, p, times) = variables(|value, k| Second {
        value: Dual::variable(value, k),
        tangent: [Dual::constant(ALONG[k])],
    });
    let mut system = Handwritten::new(Ball, &p);
    let mut ground = Ground { restitution: p[3] };
    let mut samples = at();
    let mut x = x0;
    let mut integrator = Integrator::<Second, RungeKutta<Second, T>>::new(&system);
    let options = options::<T>();
    let solved = match bounces {
        true => integrator.run_hybrid(
            &mut system,
            &mut x,
            &times,
            &options,
            &mut samples,
            &mut ground,
        ),
        false => integrator.run(&mut system, &mut x, &times, &options, &mut samples),
    };
    solved.expect("a solution");
    objective(samples.values(), &x)
}

fn check<T: Tableau>(bounces: bool) {
    let (x0, p, times) = variables(|value, k| Dual::<1> {
        value,
        tangent: [ALONG[k]],
    });
    let by_adjoint = gradient::<Dual<1>, T>(bounces)(x0, p, times);
    let by_duals = by_duals::<T>(bounces);
    let what = std::any::type_name::<T>();
    let values: Vec<f64> = by_adjoint.iter().map(|g| g.value).collect();
    let largest = |of: &[f64]| of.iter().fold(0.0_f64, |a, g| a.max(g.abs()));
    let first = by_duals.value.tangent;
    assert_close(&values, &first, 1e-10, largest(&first), what);
    let products: Vec<f64> = by_adjoint.iter().map(|g| g.tangent[0]).collect();
    let second = by_duals.tangent[0].tangent;
    assert!(largest(&second) > 1.0);
    assert_close(&products, &second, 1e-10, largest(&second), what);
}

macro_rules! each {
    ($bounces:expr) => {
        check::<rk4::Coefficients>($bounces);
        check::<bs3::Coefficients>($bounces);
        check::<dopri5::Coefficients>($bounces);
        check::<tsit5::Coefficients>($bounces);
        check::<dop853::Coefficients>($bounces);
        check::<vern7::Coefficients>($bounces);
        check::<vern9::Coefficients>($bounces);
    };
}

#[test]
fn hessian_products_of_smooth_runs() {
    each!(false);
}

#[test]
fn hessian_products_through_bounces() {
    each!(true);
}
