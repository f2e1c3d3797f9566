//! Dual numbers through the implicit methods whose stages are found by iteration: the values are those of the
//! plain solve, and the tangents the derivative of the very steps, however old the matrix of the iteration.

use costate_adjoint::Dual;
use costate_solvers::{
    ImplicitSystem, Integrator, KenCarp4, Kvaerno3, Kvaerno4, Kvaerno5, LinearSolver, Mass, Mesh,
    Method, NoRecord, Options, Pattern, Preconditioner, Radau5, Scalar, System, Tolerance, TrBdf2,
};

/// Robertson's kinetics; with `balance`, the conservation of mass in place of the last equation.
struct Robertson<S> {
    k: [S; 3],
    pattern: Pattern,
    mass: Option<Mass<S>>,
    linear_solver: LinearSolver,
}

impl<S: Scalar> Robertson<S> {
    fn new(k: [S; 3], (balance, linear_solver): (bool, LinearSolver)) -> Self {
        Self {
            k,
            pattern: Pattern::dense(3),
            mass: balance.then(|| Mass {
                pattern: Pattern::from_entries(3, 3, &[(0, 0), (1, 1)]),
                values: vec![S::from(1.0); 2],
            }),
            linear_solver,
        }
    }
}

impl<S: Scalar> System<S> for Robertson<S> {
    fn dim(&self) -> usize {
        3
    }
    fn rhs(&mut self, _t: S, x: &[S], dx: &mut [S]) {
        let [k1, k2, k3] = self.k;
        let (slow, fast, back) = (k1 * x[0], k2 * x[1] * x[1], k3 * x[1] * x[2]);
        dx[0] = back - slow;
        dx[1] = slow - fast - back;
        dx[2] = if self.mass.is_some() {
            x[0] + x[1] + x[2] - 1.0
        } else {
            fast
        };
    }
}

impl<S: Scalar> ImplicitSystem<S> for Robertson<S> {
    fn pattern(&self) -> &Pattern {
        &self.pattern
    }
    fn jacobian(&mut self, _t: S, x: &[S], values: &mut [S]) {
        let [k1, k2, k3] = self.k;
        let (fast, back1, back2) = (k2 * x[1] * 2.0, k3 * x[2], k3 * x[1]);
        let one = S::from(1.0);
        let last = if self.mass.is_some() {
            [one; 3]
        } else {
            [S::from(0.0), fast, S::from(0.0)]
        };
        values.copy_from_slice(&[
            -k1,
            k1,
            last[0],
            back1,
            -fast - back1,
            last[1],
            back2,
            -back2,
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

const K: [f64; 3] = [0.04, 3e7, 1e4];

/// dx/dk at t = 40, by parameter; Radau IIA with 9 stages in quadruple precision, which a second method
/// confirms to 13 digits.
const SENSITIVITIES: [[f64; 3]; 3] = [
    [-4.247558771705733, 4.591196249253894e-05, 4.24751285974324],
    [
        -2.2883550889056694e-09,
        -1.1380595093501273e-13,
        2.2884688948566043e-09,
    ],
    [
        1.3730807973446248e-05,
        -2.3571921138463333e-10,
        -1.3730572254234863e-05,
    ],
];

fn options(rtol: f64) -> Options {
    Options {
        rtol,
        atol: Tolerance::Uniform(rtol * 1e-5),
        ..Options::default()
    }
}

fn duals() -> [Dual<3>; 3] {
    std::array::from_fn(|i| {
        Dual::from_parts(|part| {
            if part == 0 {
                K[i]
            } else {
                f64::from(u8::from(part == i + 1))
            }
        })
    })
}

fn derivatives<M, D>(variant: (bool, LinearSolver))
where
    M: Method<f64, Robertson<f64>>,
    D: Method<Dual<3>, Robertson<Dual<3>>>,
{
    let name = std::any::type_name::<M>();
    let options = options(1e-7);
    let mut plain = Robertson::new(K, variant);
    let mut x = [1.0, 0.0, 0.0];
    let mut mesh = Mesh::default();
    let statistics = Integrator::<f64, M>::new(&plain)
        .run(&mut plain, &mut x, &[0.0, 40.0], &options, &mut mesh)
        .expect("a solve");
    let mut system = Robertson::new(duals(), variant);
    let start = [1.0, 0.0, 0.0].map(Dual::<3>::from);
    let times = [0.0, 40.0].map(Dual::from);
    let mut y = start;
    let of_duals = Integrator::<Dual<3>, D>::new(&system)
        .run(&mut system, &mut y, &times, &options, &mut NoRecord)
        .expect("a solve over duals");
    assert_eq!(y.map(|y| y.value()), x, "{name}");
    assert_eq!(of_duals.steps, statistics.steps);
    assert_eq!(of_duals.newton_iterations, statistics.newton_iterations);
    // TR-BDF2's error goes with tol^(2/3), and tangents are less accurate than values
    let bound = if M::ORDER == 2 { 3e-3 } else { 1e-4 };
    for (i, row) in SENSITIVITIES.iter().enumerate() {
        for (y, exact) in y.iter().zip(row) {
            let error = (y.part(i + 1) / exact - 1.0).abs();
            assert!(error < bound, "{name}: {} for {exact}", y.part(i + 1));
        }
    }
    // the frozen steps, solved to rounding, against differences
    let mut tight = self::options(1e-12);
    if variant.0 {
        // x_3 = 1 - x_1 - x_2 is known to the rounding of 1: Newton's method cannot be asked for more
        tight.atol = Tolerance::Uniform(1e-13);
    }
    let mut y = start;
    Integrator::<Dual<3>, D>::new(&system)
        .replay(&mut system, &mut y, &times, &mesh, &tight, &mut NoRecord)
        .expect("a replay over duals");
    for i in 0..3 {
        let ends = [1e-4, -1e-4].map(|change| {
            let mut k = K;
            k[i] *= 1.0 + change;
            let mut plain = Robertson::new(k, variant);
            let mut x = [1.0, 0.0, 0.0];
            Integrator::<f64, M>::new(&plain)
                .replay(
                    &mut plain,
                    &mut x,
                    &[0.0, 40.0],
                    &mesh,
                    &tight,
                    &mut NoRecord,
                )
                .expect("a replay");
            x
        });
        for (j, y) in y.iter().enumerate() {
            let difference = (ends[0][j] - ends[1][j]) / (2e-4 * K[i]);
            let error = (y.part(i + 1) / difference - 1.0).abs();
            // truncation 1e-8, rounding of x over the change
            assert!(
                error < 1e-6,
                "{name} {i} {j}: {} for {difference}",
                y.part(i + 1)
            );
        }
    }
}

#[test]
fn tangents_are_those_of_the_steps() {
    derivatives::<TrBdf2<f64>, TrBdf2<Dual<3>>>((false, LinearSolver::Auto));
    derivatives::<Kvaerno3<f64>, Kvaerno3<Dual<3>>>((false, LinearSolver::Auto));
    derivatives::<Kvaerno4<f64>, Kvaerno4<Dual<3>>>((false, LinearSolver::Auto));
    derivatives::<Kvaerno5<f64>, Kvaerno5<Dual<3>>>((false, LinearSolver::Auto));
    derivatives::<KenCarp4<f64>, KenCarp4<Dual<3>>>((false, LinearSolver::Auto));
    derivatives::<Radau5<f64>, Radau5<Dual<3>>>((false, LinearSolver::Auto));
    derivatives::<Radau5<f64>, Radau5<Dual<3>>>((true, LinearSolver::Auto));
}

#[test]
fn tangents_by_gmres_are_those_of_the_steps() {
    for preconditioner in [Preconditioner::None, Preconditioner::Ilu] {
        let by = LinearSolver::Gmres { preconditioner };
        derivatives::<TrBdf2<f64>, TrBdf2<Dual<3>>>((false, by));
        derivatives::<Kvaerno3<f64>, Kvaerno3<Dual<3>>>((false, by));
        derivatives::<Kvaerno5<f64>, Kvaerno5<Dual<3>>>((false, by));
        derivatives::<KenCarp4<f64>, KenCarp4<Dual<3>>>((false, by));
    }
}

/// x' = (1 + t^2) A x: linear, so that dx/dx0 over given steps does not depend on x, but with a Jacobian that
/// changes from step to step.
struct Linear {
    pattern: Pattern,
}

const A: [[f64; 2]; 2] = [[-2.0, 1.0], [0.5, -3.0]];

impl<S: Scalar> System<S> for Linear {
    fn dim(&self) -> usize {
        2
    }
    fn rhs(&mut self, t: S, x: &[S], dx: &mut [S]) {
        for (d, row) in dx.iter_mut().zip(A) {
            *d = (t * t + 1.0) * (x[0] * row[0] + x[1] * row[1]);
        }
    }
}

impl<S: Scalar> ImplicitSystem<S> for Linear {
    fn pattern(&self) -> &Pattern {
        &self.pattern
    }
    fn jacobian(&mut self, t: S, _x: &[S], values: &mut [S]) {
        for (k, v) in values.iter_mut().enumerate() {
            *v = (t * t + 1.0) * A[k % 2][k / 2];
        }
    }
    fn time_derivative(&mut self, t: S, x: &[S], ft: &mut [S]) {
        for (d, row) in ft.iter_mut().zip(A) {
            *d = t * 2.0 * (x[0] * row[0] + x[1] * row[1]);
        }
    }
}

/// Where the iteration for the values stops early, that for the tangents goes on to rounding.
fn tangents_settle<D: Method<Dual<2>, Linear>>() {
    let mesh = Mesh::uniform(&[0.0, 3.0], 30);
    let ends = [1e-2, 1e-13].map(|tol| {
        let mut system = Linear {
            pattern: Pattern::dense(2),
        };
        let mut x = [Dual::variable(1.0, 0), Dual::variable(-0.5, 1)];
        let options = Options {
            rtol: tol,
            atol: Tolerance::Uniform(tol),
            ..Options::default()
        };
        Integrator::<Dual<2>, D>::new(&system)
            .replay(
                &mut system,
                &mut x,
                &[0.0, 3.0].map(Dual::from),
                &mesh,
                &options,
                &mut NoRecord,
            )
            .expect("a replay");
        x
    });
    let name = std::any::type_name::<D>();
    for (loose, tight) in ends[0].iter().zip(&ends[1]) {
        for part in 1..3 {
            let off = (loose.part(part) - tight.part(part)).abs();
            assert!(off < 1e-12, "{name}: {off:e}");
        }
    }
    let values = (ends[0][0].value() - ends[1][0].value()).abs();
    assert!(values > 1e-12, "{name}: the values were to be inexact");
}

#[test]
fn tangents_settle_however_loose_the_tolerance() {
    tangents_settle::<TrBdf2<Dual<2>>>();
    tangents_settle::<Kvaerno3<Dual<2>>>();
    tangents_settle::<Kvaerno4<Dual<2>>>();
    tangents_settle::<Kvaerno5<Dual<2>>>();
    tangents_settle::<KenCarp4<Dual<2>>>();
    tangents_settle::<Radau5<Dual<2>>>();
}
