//! `AutoSwitch` over dual numbers: the very steps and switches of a plain solve, with their derivatives.

use costate_adjoint::Dual;
use costate_solvers::{
    AutoSwitch, ImplicitSystem, Integrator, Mesh, Method, Options, Pattern, Scalar, Switch, System,
    Tolerance,
};

/// Van der Pol's oscillator: stiff on its slow branches, and not on the jumps between them.
struct Oscillator<S> {
    mu: S,
    pattern: Pattern,
}

impl<S: Scalar> System<S> for Oscillator<S> {
    fn dim(&self) -> usize {
        2
    }
    fn rhs(&mut self, _t: S, x: &[S], dx: &mut [S]) {
        dx[0] = x[1];
        dx[1] = self.mu * (-(x[0] * x[0]) + 1.0) * x[1] - x[0];
    }
}

impl<S: Scalar> ImplicitSystem<S> for Oscillator<S> {
    fn pattern(&self) -> &Pattern {
        &self.pattern
    }
    fn jacobian(&mut self, _t: S, x: &[S], values: &mut [S]) {
        values.copy_from_slice(&[
            S::from(0.0),
            self.mu * x[0] * x[1] * -2.0 - 1.0,
            S::from(1.0),
            self.mu * (-(x[0] * x[0]) + 1.0),
        ]);
    }
    fn time_derivative(&mut self, _t: S, _x: &[S], ft: &mut [S]) {
        ft.fill(S::from(0.0));
    }
}

fn options(rtol: f64) -> Options {
    Options {
        rtol,
        atol: Tolerance::Uniform(1e-2 * rtol),
        ..Options::default()
    }
}

fn solve<S: Scalar>(mu: S, rtol: f64) -> ([S; 2], Mesh, Vec<Switch>) {
    let mut system = Oscillator {
        mu,
        pattern: Pattern::dense(2),
    };
    let mut x = [S::from(2.0), S::from(0.0)];
    let mut mesh = Mesh::default();
    let times = [0.0, 200.0].map(S::from);
    let mut integrator = Integrator::<S, AutoSwitch<S>>::new(&system);
    integrator
        .run(&mut system, &mut x, &times, &options(rtol), &mut mesh)
        .expect("a solve");
    let switches = Method::<S, Oscillator<S>>::switches(integrator.method()).to_vec();
    (x, mesh, switches)
}

#[test]
fn duals_take_the_same_steps() {
    for rtol in [1e-3, 1e-5, 1e-7] {
        let (x, mesh, switches) = solve(100.0, rtol);
        let (y, of_duals, dual_switches) = solve(Dual::<1>::variable(100.0, 0), rtol);
        assert!(
            !switches.is_empty() && (rtol > 1e-4 || switches.len() > 2),
            "{switches:?}"
        );
        assert!(mesh == of_duals && switches == dual_switches);
        assert_eq!(y.map(|y| y.value), x);
    }
}

/// Through four changes of method, against differences along the same mesh.
#[test]
fn tangents_are_those_of_the_steps() {
    let (_, mesh, switches) = solve(100.0, 1e-7);
    assert!(switches.len() > 3);
    let (y, ..) = solve(Dual::<1>::variable(100.0, 0), 1e-7);
    let follow = |mu: f64| {
        let mut system = Oscillator {
            mu,
            pattern: Pattern::dense(2),
        };
        let mut x = [2.0, 0.0];
        Integrator::<f64, AutoSwitch<f64>>::new(&system)
            .replay(
                &mut system,
                &mut x,
                &[0.0, 200.0],
                &mesh,
                &options(1e-7),
                &mut costate_solvers::NoRecord,
            )
            .expect("a replay");
        x
    };
    let step = 1e-4;
    let (up, down) = (follow(100.0 + step), follow(100.0 - step));
    for i in 0..2 {
        let difference = (up[i] - down[i]) / (2.0 * step);
        let error = (y[i].tangent[0] - difference).abs();
        assert!(
            error < 1e-5 * difference.abs(),
            "{i}: {} for {difference}",
            y[i].tangent[0]
        );
    }
}
