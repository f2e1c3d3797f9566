//! Implicit methods by GMRES.

use std::time::Instant;

use costate_solvers::linalg::NewtonMatrix;
use costate_solvers::linalg::krylov::{Accuracy, Parts, Point};
use costate_solvers::{
    AutoSwitch, Bdf, ImplicitMidpoint, ImplicitSystem, Integrator, KenCarp4, Kvaerno3, Kvaerno4,
    Kvaerno5, LinearSolver, Mass, Mesh, Method, Ndf, NoRecord, Pattern, Preconditioner, Radau5,
    Rodas3, Rodas4, Rodas5P, SolveError, Statistics, System, TrBdf2,
};

use crate::grids::Grid;
use crate::problems::{Problem, largest, mass, none, tolerance};
use crate::stiff_problems::{Model, Rober, RoberDae, stiff};

const fn gmres(preconditioner: Preconditioner) -> LinearSolver {
    LinearSolver::Gmres { preconditioner }
}

const NONE: LinearSolver = gmres(Preconditioner::None);
const ILU: LinearSolver = gmres(Preconditioner::Ilu);
const KINDS: [LinearSolver; 3] = [NONE, ILU, gmres(Preconditioner::BlockJacobi { size: 2 })];

fn solve<M: Method<f64, F>, F: ImplicitSystem<f64>>(
    system: &mut F,
    start: &[f64],
    end: f64,
    (rtol, atol): (f64, f64),
) -> Result<(Vec<f64>, Statistics), SolveError> {
    let mut x = start.to_vec();
    let options = tolerance(rtol, atol);
    let statistics = Integrator::<f64, M>::new(system).run(
        system,
        &mut x,
        &[0.0, end],
        &options,
        &mut NoRecord,
    )?;
    Ok((x, statistics))
}

/// A problem that multiplies by its Jacobian itself.
struct Products(Problem);

impl System<f64> for Products {
    fn dim(&self) -> usize {
        self.0.n
    }
    fn rhs(&mut self, t: f64, x: &[f64], dx: &mut [f64]) {
        self.0.rhs(t, x, dx);
    }
}

impl ImplicitSystem<f64> for Products {
    fn pattern(&self) -> &Pattern {
        self.0.pattern()
    }
    fn jacobian(&mut self, t: f64, x: &[f64], values: &mut [f64]) {
        self.0.jacobian(t, x, values);
    }
    fn time_derivative(&mut self, t: f64, x: &[f64], ft: &mut [f64]) {
        self.0.time_derivative(t, x, ft);
    }
    fn mass(&self) -> Option<&Mass<f64>> {
        self.0.mass()
    }
    fn has_jvp(&self) -> bool {
        true
    }
    fn linear_solver(&self) -> LinearSolver {
        self.0.linear_solver()
    }
}

/// The error of a solve in units of the tolerance.
fn error(x: &[f64], reference: &[f64], (rtol, atol): (f64, f64)) -> f64 {
    largest(
        x.iter()
            .zip(reference)
            .map(|(x, r)| (x - r) / (atol + rtol * r.abs())),
    )
}

/// A linear solve leaves a twentieth of what the nonlinear one may, which leaves a part of the tolerance: errors
/// are those of the solve by factors, but for another choice of steps here and there. (By factors they may cancel at
/// the very end, so that a few times the tolerance are allowed.)
fn as_accurate<M: Method<f64, F>, F: ImplicitSystem<f64>>(
    make: impl Fn(LinearSolver) -> F,
    start: &[f64],
    end: f64,
    tolerances: (f64, f64),
    reference: &[f64],
) {
    let name = std::any::type_name::<M>();
    let (x, direct) =
        solve::<M, F>(&mut make(LinearSolver::Dense), start, end, tolerances).expect("by factors");
    assert_eq!(direct.linear_iterations, 0);
    let allowed = 2.0 * error(&x, reference, tolerances) + 3.0;
    for kind in KINDS {
        let (x, krylov) = solve::<M, F>(&mut make(kind), start, end, tolerances)
            .unwrap_or_else(|e| panic!("{name} {kind:?}: {e}"));
        let found = error(&x, reference, tolerances);
        assert!(found < allowed, "{name} {kind:?}: {found} for {allowed}");
        assert!(
            10 * krylov.linear_iterations >= 9 * krylov.newton_iterations
                && krylov.newton_iterations > 0,
            "{name} {kind:?}: {krylov:?}"
        );
        assert!(
            2 * krylov.steps < 3 * direct.steps + 20,
            "{name} {kind:?}: {} steps for {}",
            krylov.steps,
            direct.steps
        );
    }
}

macro_rules! each {
    ($($method:ident)*; $check:ident $arguments:tt) => {
        $($check::<$method<f64>, _> $arguments;)*
    };
}

#[test]
fn diffusion_with_reactions_as_by_factors() {
    let grid = |kind| Grid::new(7, 0.2, true).by(kind);
    let start = Grid::new(7, 0.2, true).start();
    let (reference, _) =
        solve::<Radau5<f64>, _>(&mut grid(LinearSolver::Dense), &start, 2.0, (1e-11, 1e-12))
            .expect("a reference");
    each!(Bdf Ndf Kvaerno3 Kvaerno4 Kvaerno5 TrBdf2 KenCarp4;
        as_accurate(grid, &start, 2.0, (1e-5, 1e-7), &reference));
}

#[test]
fn robertson_as_by_factors() {
    let problem = |linear_solver| Problem {
        linear_solver,
        ..stiff::<Rober>()
    };
    let (start, end) = (Rober::START, 1e5);
    let (reference, _) = solve::<Radau5<f64>, _>(
        &mut problem(LinearSolver::Dense),
        start,
        end,
        (1e-12, 1e-17),
    )
    .expect("a reference");
    each!(Bdf Ndf Kvaerno3 Kvaerno4 Kvaerno5 TrBdf2 KenCarp4;
        as_accurate(problem, start, end, (1e-6, 1e-11), &reference));
    each!(Bdf Kvaerno5;
        as_accurate(|by| Products(problem(by)), start, end, (1e-6, 1e-11), &reference));
}

#[test]
fn mass_matrices_as_by_factors() {
    let problem = |linear_solver| Problem {
        linear_solver,
        ..stiff::<RoberDae>()
    };
    let (start, end) = (RoberDae::START, 1e3);
    let (reference, _) = solve::<Radau5<f64>, _>(
        &mut problem(LinearSolver::Dense),
        start,
        end,
        (1e-12, 1e-17),
    )
    .expect("a reference");
    each!(Bdf Ndf; as_accurate(problem, start, end, (1e-6, 1e-11), &reference));
    each!(Bdf Ndf;
        as_accurate(|by| Products(problem(by)), start, end, (1e-6, 1e-11), &reference));
    // x'' = -z and z = x, by a mass matrix that is not diagonal
    let constrained = |linear_solver| Problem {
        linear_solver,
        ..Problem::with_mass(
            mass(3, &[(0, 0, 2.0), (1, 0, 1.0), (0, 1, 1.0), (1, 1, 1.0)]),
            |_, x, f| {
                f[0] = 2.0 * x[1] - x[2];
                f[1] = x[1] - x[2];
                f[2] = x[2] - x[0];
            },
            |_, _, j| j.copy_from_slice(&[0.0, 0.0, -1.0, 2.0, 1.0, 0.0, -1.0, -1.0, 1.0]),
            none,
        )
    };
    let reference = [5f64.cos(), -5f64.sin(), 5f64.cos()];
    each!(Bdf Ndf; as_accurate(constrained, &[1.0, 0.0, 1.0], 5.0, (1e-6, 1e-8), &reference));
}

/// A system that multiplies by its Jacobian and has no preconditioner is never asked for one.
#[test]
fn no_jacobian_is_formed() {
    fn check<M: Method<f64, Grid>>() {
        let mut grid = Grid::new(8, 0.05, true).by(NONE);
        let start = grid.start();
        let (formed, by_matrix) =
            solve::<M, _>(&mut grid, &start, 1.0, (1e-6, 1e-8)).expect("a solve");
        assert!(by_matrix.jacobians > 0 && grid.products == 0);
        grid.has_jvp = true;
        grid.jacobians = 0;
        let (x, s) = solve::<M, _>(&mut grid, &start, 1.0, (1e-6, 1e-8)).expect("a solve");
        assert_eq!((s.jacobians, s.factorizations, grid.jacobians), (0, 0, 0));
        // one product an iteration, one to measure each residual, and some to measure rows
        assert!(grid.products > s.linear_iterations && s.linear_iterations > s.steps);
        assert!(error(&x, &formed, (1e-6, 1e-8)) < 50.0);
        // a preconditioner needs the Jacobian, but seldom
        grid.linear_solver = ILU;
        let (_, s) = solve::<M, _>(&mut grid, &start, 1.0, (1e-6, 1e-8)).expect("a solve");
        assert!(s.jacobians > 0 && 2 * s.jacobians < s.steps, "{s:?}");
        assert!(s.factorizations >= s.jacobians);
    }
    check::<Bdf<f64>>();
    check::<Ndf<f64>>();
    check::<Kvaerno4<f64>>();
}

/// ILU leaves less to iterate for than nothing does.
#[test]
fn a_preconditioner_saves_iterations() {
    let iterations = |kind| {
        let mut grid = Grid::new(16, 0.1, true).by(kind);
        let start = grid.start();
        let (_, s) = solve::<Bdf<f64>, _>(&mut grid, &start, 2.0, (1e-5, 1e-7)).expect("a solve");
        s.linear_iterations
    };
    let (plain, ilu) = (iterations(NONE), iterations(ILU));
    assert!(2 * ilu < plain, "{ilu} {plain}");
}

/// |D W^-1 r| <= |r w| / (shift sqrt(n)) where J damps: the error of x is within the accuracy asked for.
#[test]
fn errors_are_within_the_accuracy() {
    let mut grid = Grid::new(9, 0.3, false);
    let n = 2 * 81;
    let x = grid.start();
    let weights: Vec<f64> = (0..n).map(|k| 10f64.powi((k % 5) as i32)).collect();
    let exact: Vec<f64> = (0..n).map(|k| ((k * k) as f64).sin()).collect();
    let mut values = vec![0.0; grid.pattern().non_zeros()];
    grid.jacobian(0.0, &x, &mut values);
    let shift = 3.0;
    let mut product = vec![0.0; n];
    grid.pattern().multiply(&values, &exact, &mut product);
    for kind in KINDS {
        grid.linear_solver = kind;
        let mut matrix = NewtonMatrix::new(&grid, None);
        let mut b: Vec<f64> = exact
            .iter()
            .zip(&product)
            .map(|(x, jx)| shift * x - jx)
            .collect();
        let at = Point {
            shift,
            t: 0.0,
            x: &x,
            weights: &weights,
        };
        let mut statistics = Statistics::default();
        matrix
            .factor(&mut grid, &at, |k| values[k], None, &mut statistics)
            .expect("a regular matrix");
        let accuracy = Parts::Values(Accuracy {
            absolute: 1e-3,
            relative: 1.0,
        });
        assert!(matrix.solve(&mut grid, &mut b, accuracy, &mut statistics));
        let squares: f64 = b
            .iter()
            .zip(&exact)
            .zip(&weights)
            .map(|((b, x), w)| ((b - x) * w).powi(2))
            .sum();
        let error = (squares / n as f64).sqrt();
        // the weights, which differ by 1e4, let a residual of one state be an error of another
        assert!(error < 1.0, "{kind:?}: {error}");
        assert!(statistics.linear_iterations > 0);
    }
}

/// x' = x + y, y' = x + y by steps at which 1 / (h gamma) is the eigenvalue 2 exactly.
fn singular(linear_solver: LinearSolver) -> Problem {
    Problem {
        linear_solver,
        ..Problem::new(
            2,
            |_, x, dx| dx.fill(x[0] + x[1]),
            |_, _, j| j.fill(1.0),
            none,
        )
    }
}

#[test]
fn singular_matrices_are_errors() {
    for kind in KINDS {
        let mut problem = singular(kind);
        let mut integrator = Integrator::<f64, Bdf<f64>>::new(&problem);
        // backward Euler: shift = 1 / h
        let times = [0.0, 0.5];
        let mut x = [1.0, 0.5];
        let result = integrator.replay(
            &mut problem,
            &mut x,
            &times,
            &Mesh::uniform(&times, 1),
            &tolerance(1e-8, 1e-8),
            &mut NoRecord,
        );
        // a preconditioner that cannot be factored is done without, and then GMRES does not converge
        let refused = matches!(result, Err(SolveError::NotConverged { t: 0.0, .. }));
        assert!(refused, "{kind:?}: {result:?}");
    }
}

/// W = 2 I - J is regular, but its first pivot is 0, as is the whole of its first block.
#[test]
fn a_preconditioner_without_a_pivot_is_done_without() {
    let problem = |linear_solver| Problem {
        linear_solver,
        ..Problem::new(
            3,
            |_, x, dx| {
                dx[0] = 2.0 * x[0] - x[2];
                dx[1] = 2.0 * x[1] - x[0];
                dx[2] = -x[1] - x[2];
            },
            |_, _, j| j.copy_from_slice(&[2.0, -1.0, 0.0, 0.0, 2.0, -1.0, -1.0, 0.0, -1.0]),
            none,
        )
    };
    let step = |linear_solver| {
        let mut problem = problem(linear_solver);
        let (times, mut x) = ([0.0, 0.5], [1.0, 0.5, -0.25]);
        // backward Euler: shift = 1 / h = 2
        let statistics = Integrator::<f64, Bdf<f64>>::new(&problem)
            .replay(
                &mut problem,
                &mut x,
                &times,
                &Mesh::uniform(&times, 1),
                &tolerance(1e-10, 1e-10),
                &mut NoRecord,
            )
            .unwrap_or_else(|e| panic!("{linear_solver:?}: {e}"));
        (x, statistics.linear_iterations)
    };
    // (2 I - J) x = 2 x_0
    let exact = [1.0, -6.5, 2.0];
    let (by_factors, _) = step(LinearSolver::Dense);
    for kind in KINDS {
        let (x, iterations) = step(kind);
        assert!(iterations > 0);
        for (x, y) in [(x, by_factors), (x, exact)] {
            let off = largest((0..3).map(|i| x[i] - y[i]));
            assert!(off < 1e-8, "{kind:?}: {x:?} {off:e}");
        }
    }
}

#[test]
fn methods_that_need_factors_refuse() {
    fn check<M: Method<f64, Grid>>() {
        let mut grid = Grid::new(4, 0.1, true).by(ILU);
        let start = grid.start();
        let refused = solve::<M, _>(&mut grid, &start, 1.0, (1e-6, 1e-8));
        assert!(
            matches!(refused, Err(SolveError::NeedsFactors { .. })),
            "{}: {refused:?}",
            std::any::type_name::<M>()
        );
        assert_eq!(grid.jacobians, 0);
    }
    check::<Rodas3<f64>>();
    check::<Rodas4<f64>>();
    check::<Rodas5P<f64>>();
    check::<Radau5<f64>>();
    check::<ImplicitMidpoint<f64>>();
    check::<AutoSwitch<f64>>();
}

/// By size and fill: grids of 2 64^2 unknowns, but no smaller ones, none whose factors stay sparse, none with M.
#[test]
fn auto_takes_gmres_for_large_systems_that_fill() {
    let chosen = |system: &Grid| NewtonMatrix::new(system, None).is_krylov();
    assert!(chosen(&Grid::new(64, 1.0, true)));
    assert!(!chosen(&Grid::new(62, 1.0, true)));
    assert!(!chosen(&Grid::new(64, 1.0, true).by(LinearSolver::Sparse)));
    let n = 20_000;
    // a tree of three branches a node, numbered at random strides: no fill in the right order
    let place = |k: usize| k * 7919 % n;
    let edges = (1..n).flat_map(|k| {
        let (child, parent) = (place(k), place((k - 1) / 3));
        [(child, parent), (parent, child), (child, child)]
    });
    let tree = Problem {
        pattern: Pattern::from_entries(n, n, &edges.collect::<Vec<_>>()),
        ..Problem::new(1, |_, _, _| {}, |_, _, _| {}, none)
    };
    assert!(!NewtonMatrix::new(&Problem { n, ..tree }, None).is_krylov());
}

/// A replay that is given how each step was made repeats a solve to the last bit.
#[test]
fn replays_repeat_to_the_last_bit() {
    let mut grid = Grid::new(10, 0.1, true).by(ILU);
    let options = tolerance(1e-6, 1e-8);
    let times = [0.0, 2.0];
    let mut integrator = Integrator::<f64, Bdf<f64>>::new(&grid);
    let (mut x, mut again) = (grid.start(), grid.start());
    let mut mesh = Mesh::default();
    integrator
        .run(&mut grid, &mut x, &times, &options, &mut mesh)
        .expect("a solve");
    integrator
        .replay(
            &mut grid,
            &mut again,
            &times,
            &mesh,
            &options,
            &mut NoRecord,
        )
        .expect("a replay");
    assert_eq!(x, again);
}

/// The product that every system has.
#[test]
fn the_default_product_multiplies_the_jacobian() {
    let mut problem = stiff::<Rober>();
    let x = [0.7, 1e-5, 0.3];
    let mut out = [0.0; 3];
    problem.jvp(0.0, &x, &[1.0, 2.0, -1.0], &mut out);
    let mut columns = [0.0; 9];
    problem.jacobian(0.0, &x, &mut columns);
    for row in 0..3 {
        let sum = columns[row] + 2.0 * columns[3 + row] - columns[6 + row];
        assert!((out[row] - sum).abs() <= 1e-12 * sum.abs());
    }
    assert_eq!(*problem.pattern(), Pattern::dense(3));
}

/// The measurement in the module `linalg::newton_matrix`; run with `--release -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn measure_linear_solvers() {
    let kinds = [
        ("sparse", LinearSolver::Sparse, false),
        ("gmres, ilu", ILU, false),
        ("gmres, blocks", KINDS[2], false),
        ("gmres, none", NONE, true),
    ];
    for (name, diffusion, reacts) in [("heat", 1.0, false), ("Brusselator", 0.02, true)] {
        for side in [32, 64, 128] {
            for (kind, linear_solver, has_jvp) in kinds {
                let mut grid = Grid::new(side, diffusion, reacts).by(linear_solver);
                grid.has_jvp = has_jvp;
                let start = grid.start();
                let before = Instant::now();
                let result = solve::<Bdf<f64>, _>(&mut grid, &start, 1.0, (1e-6, 1e-8));
                let seconds = before.elapsed().as_secs_f64();
                match result {
                    Ok((_, s)) => println!(
                        "//! | {name:11} | {side:4} | {kind:13} | {seconds:6.2} | {:5} | {:5} | {:5} | {:6} |",
                        s.steps, s.newton_failures, s.factorizations, s.linear_iterations
                    ),
                    Err(e) => println!("{name} {side} {kind}: {e} after {seconds:.2} s"),
                }
            }
        }
    }
}
