//! BDF and NDF over dual numbers: the very numbers of a plain solve, with the derivatives of its steps.

use costate_adjoint::{Dual, DualOver};
use costate_solvers::{
    Bdf, ImplicitSystem, Integrator, LinearSolver, Mass, Mesh, Method, Ndf, NoRecord, Options,
    Pattern, Preconditioner, Scalar, System, Tolerance,
};

/// x' = 1 - r x y^2, y' = r x y^2 - y z, and z either z' = x - 10 z or, as an algebraic state, 0 = x y - z.
struct Reaction<S> {
    rate: S,
    pattern: Pattern,
    mass: Option<Mass<S>>,
    linear_solver: LinearSolver,
}

impl<S: Scalar> Reaction<S> {
    fn new(rate: S, (algebraic, linear_solver): (bool, LinearSolver)) -> Self {
        let mass = Mass {
            pattern: Pattern::from_entries(3, 3, &[(0, 0), (1, 1)]),
            values: vec![S::from(1.0); 2],
        };
        Self {
            rate,
            pattern: Pattern::dense(3),
            mass: algebraic.then_some(mass),
            linear_solver,
        }
    }
}

impl<S: Scalar> System<S> for Reaction<S> {
    fn dim(&self) -> usize {
        3
    }
    fn rhs(&mut self, _t: S, x: &[S], dx: &mut [S]) {
        let reaction = self.rate * x[0] * x[1] * x[1];
        dx[0] = -reaction + 1.0;
        dx[1] = reaction - x[1] * x[2];
        dx[2] = match self.mass {
            Some(_) => x[0] * x[1] - x[2],
            None => x[0] - x[2] * 10.0,
        };
    }
}

impl<S: Scalar> ImplicitSystem<S> for Reaction<S> {
    fn pattern(&self) -> &Pattern {
        &self.pattern
    }
    fn jacobian(&mut self, _t: S, x: &[S], values: &mut [S]) {
        let (by_x, by_y) = (self.rate * x[1] * x[1], self.rate * x[0] * x[1] * 2.0);
        let last = match self.mass {
            Some(_) => [x[1], x[0], S::from(-1.0)],
            None => [1.0, 0.0, -10.0].map(S::from),
        };
        values.copy_from_slice(&[
            -by_x,
            by_x,
            last[0],
            -by_y,
            by_y - x[2],
            last[1],
            S::from(0.0),
            -x[1],
            last[2],
        ]);
    }
    fn time_derivative(&mut self, _t: S, _x: &[S], ft: &mut [S]) {
        ft.fill(S::from(0.0));
    }
    fn mass(&self) -> Option<&Mass<S>> {
        self.mass.as_ref()
    }
    fn linear_solver(&self) -> LinearSolver {
        self.linear_solver
    }
}

fn options() -> Options {
    Options {
        rtol: 1e-6,
        atol: Tolerance::Uniform(1e-8),
        ..Options::default()
    }
}

/// The states at the end, rate and x(0) given, t1 = 3 + moving.
fn solve<S: Scalar, M: Method<S, Reaction<S>>>(
    variant: (bool, LinearSolver),
    [rate, start, moving]: [S; 3],
) -> ([S; 3], Mesh) {
    let mut system = Reaction::new(rate, variant);
    let z = if variant.0 { start * 0.5 } else { S::from(0.1) };
    let mut x = [start, S::from(0.5), z];
    let mut mesh = Mesh::default();
    let times = [S::from(0.0), S::from(1.5), moving + 3.0];
    Integrator::<S, M>::new(&system)
        .run(&mut system, &mut x, &times, &options(), &mut mesh)
        .expect("a solve");
    (x, mesh)
}

/// The same along a mesh, Newton's iterations at a tolerance where they leave nothing.
fn follow<M: Method<f64, Reaction<f64>>>(
    variant: (bool, LinearSolver),
    [rate, start, moving]: [f64; 3],
    mesh: &Mesh,
) -> [f64; 3] {
    let mut system = Reaction::new(rate, variant);
    let z = if variant.0 { start * 0.5 } else { 0.1 };
    let mut x = [start, 0.5, z];
    let exact = Options {
        rtol: 1e-13,
        atol: Tolerance::Uniform(1e-14),
        ..Options::default()
    };
    Integrator::<f64, M>::new(&system)
        .replay(
            &mut system,
            &mut x,
            &[0.0, 1.5, 3.0 + moving],
            mesh,
            &exact,
            &mut NoRecord,
        )
        .expect("a replay");
    x
}

const POINT: [f64; 3] = [4.0, 1.0, 0.0];

macro_rules! check {
    ($method:ident, $variant:expr) => {{
        let (plain, mesh) = solve::<f64, $method<f64>>($variant, POINT);
        let dual = std::array::from_fn(|k| Dual::<3>::variable(POINT[k], k));
        let (moved, moved_mesh) = solve::<Dual<3>, $method<Dual<3>>>($variant, dual);
        assert!(mesh == moved_mesh, "a dual solve steps otherwise");
        for k in 0..3 {
            let step = 1e-4;
            let at = |sign: f64| {
                let mut point = POINT;
                point[k] += sign * step;
                follow::<$method<f64>>($variant, point, &mesh)
            };
            let (up, down) = (at(1.0), at(-1.0));
            for i in 0..3 {
                assert_eq!(moved[i].value, plain[i]);
                let difference = (up[i] - down[i]) / (2.0 * step);
                // the tangents are taken at states that Newton left within the tolerance
                let error = moved[i].tangent[k] - difference;
                assert!(
                    error.abs() < 2e-5,
                    "d x_{i} / d p_{k}: {difference} off by {error:e}"
                );
            }
        }
    }};
}

#[test]
fn tangents_are_those_of_the_steps() {
    check!(Ndf, (false, LinearSolver::Auto));
    check!(Bdf, (false, LinearSolver::Auto));
    check!(Ndf, (true, LinearSolver::Auto));
    check!(Bdf, (true, LinearSolver::Auto));
}

#[test]
fn tangents_by_gmres_are_those_of_the_steps() {
    for preconditioner in [
        Preconditioner::None,
        Preconditioner::Ilu,
        Preconditioner::BlockJacobi { size: 2 },
    ] {
        let by = LinearSolver::Gmres { preconditioner };
        check!(Ndf, (false, by));
        check!(Bdf, (false, by));
        check!(Ndf, (true, by));
        check!(Bdf, (true, by));
    }
}

/// Duals over duals: second derivatives agree with differences of first ones.
#[test]
fn second_derivatives() {
    type Second = DualOver<Dual<1>, 1>;
    let ilu = LinearSolver::Gmres {
        preconditioner: Preconditioner::Ilu,
    };
    for variant in [
        (false, LinearSolver::Auto),
        (true, LinearSolver::Auto),
        (false, ilu),
        (true, ilu),
    ] {
        let first = |rate: f64| {
            let point = [
                Dual::<1>::variable(rate, 0),
                Dual::constant(1.0),
                Dual::constant(0.0),
            ];
            solve::<Dual<1>, Ndf<Dual<1>>>(variant, point).0
        };
        let constant = |value: f64| Second::constant(Dual::constant(value));
        let rate = Second::variable(Dual::variable(4.0, 0), 0);
        let (x, _) = solve::<Second, Ndf<Second>>(variant, [rate, constant(1.0), constant(0.0)]);
        let step = 3e-3;
        let (up, down) = (first(4.0 + step), first(4.0 - step));
        for i in 0..3 {
            assert_eq!(x[i].value.value, first(4.0)[i].value);
            let difference = (up[i].tangent[0] - down[i].tangent[0]) / (2.0 * step);
            let second = x[i].tangent[0].tangent[0];
            let error = (second - difference).abs();
            assert!(error < 2e-3, "{i}: {second} {difference}");
        }
    }
}
