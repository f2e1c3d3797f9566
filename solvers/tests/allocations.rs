//! Once its buffers exist a solve allocates nothing: not a step, not a sample, not a factorization.

use std::alloc::{GlobalAlloc, Layout, System as SystemAllocator};
use std::cell::Cell;

use costate_solvers::linalg::{Gmres, GmresOptions, Ilu0};
use costate_solvers::{
    AutoSwitch, Bdf, Bs3, Dop853, Dopri5, Euler, Heun, ImplicitMidpoint, ImplicitSystem,
    Integrator, IterationMatrix, KenCarp4, Kvaerno3, Kvaerno4, Kvaerno5, LinearSolver, Mass,
    Method, Midpoint, Ndf, Options, Pattern, Preconditioner, Radau5, Rk4, Rodas3, Rodas4, Rodas5P,
    Samples, System, TrBdf2, Tsit5, Verlet, Vern7, Vern9, Yoshida4, Yoshida6, Yoshida8,
};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator; the count is a thread-local cell
// that needs no allocation of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|c| c.set(c.get() + 1));
        // SAFETY: the caller's contract is that of the system's allocator.
        unsafe { SystemAllocator.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc`, hence from the system's allocator.
        unsafe { SystemAllocator.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Oscillator {
    pattern: Pattern,
    linear_solver: LinearSolver,
    has_jvp: bool,
}

impl Oscillator {
    fn by(linear_solver: LinearSolver, has_jvp: bool) -> Self {
        Self {
            pattern: Pattern::from_entries(2, 2, &[(0, 1), (1, 0)]),
            linear_solver,
            has_jvp,
        }
    }
}

impl System<f64> for Oscillator {
    fn dim(&self) -> usize {
        2
    }
    fn rhs(&mut self, _t: f64, x: &[f64], dx: &mut [f64]) {
        dx[0] = x[1];
        dx[1] = -x[0];
    }
}

impl ImplicitSystem<f64> for Oscillator {
    fn pattern(&self) -> &Pattern {
        &self.pattern
    }
    fn jacobian(&mut self, _t: f64, _x: &[f64], values: &mut [f64]) {
        values.copy_from_slice(&[-1.0, 1.0]);
    }
    fn time_derivative(&mut self, _t: f64, _x: &[f64], ft: &mut [f64]) {
        ft.fill(0.0);
    }
    fn linear_solver(&self) -> LinearSolver {
        self.linear_solver
    }
    fn has_jvp(&self) -> bool {
        self.has_jvp
    }
    fn jvp(&mut self, t: f64, _x: &[f64], v: &[f64], out: &mut [f64]) {
        self.rhs(t, v, out);
    }
}

/// x'' = -z with z = x, its mass matrix not diagonal.
struct Constrained {
    pattern: Pattern,
    linear_solver: LinearSolver,
    mass: Mass<f64>,
}

impl System<f64> for Constrained {
    fn dim(&self) -> usize {
        3
    }
    fn rhs(&mut self, _t: f64, x: &[f64], dx: &mut [f64]) {
        dx[0] = 2.0 * x[1] - x[2];
        dx[1] = x[1] - x[2];
        dx[2] = x[2] - x[0];
    }
}

impl ImplicitSystem<f64> for Constrained {
    fn pattern(&self) -> &Pattern {
        &self.pattern
    }
    fn jacobian(&mut self, _t: f64, _x: &[f64], values: &mut [f64]) {
        values.copy_from_slice(&[-1.0, 2.0, 1.0, -1.0, -1.0, 1.0]);
    }
    fn time_derivative(&mut self, _t: f64, _x: &[f64], ft: &mut [f64]) {
        ft.fill(0.0);
    }
    fn mass(&self) -> Option<&Mass<f64>> {
        Some(&self.mass)
    }
    fn linear_solver(&self) -> LinearSolver {
        self.linear_solver
    }
}

fn constrained_allocations<M: Method<f64, Constrained>>(linear_solver: LinearSolver) -> usize {
    let mut system = Constrained {
        linear_solver,
        pattern: Pattern::from_entries(3, 3, &[(2, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)]),
        mass: Mass {
            pattern: Pattern::from_entries(3, 3, &[(0, 0), (1, 0), (0, 1), (1, 1)]),
            values: vec![2.0, 1.0, 1.0, 1.0],
        },
    };
    let mut integrator = Integrator::<f64, M>::new(&system);
    let times: Vec<f64> = (0..100).map(|k| k as f64 / 10.0).collect();
    let mut samples = Samples::new(times).expect("samples");
    let options = Options::default();
    let mut before = 0;
    for _ in 0..2 {
        before = COUNT.with(Cell::get);
        // z is off: consistent values are sought, too
        let mut x = [1.0, 0.0, 5.0];
        integrator
            .run(
                &mut system,
                &mut x,
                &[0.0, 3.0, 10.0],
                &options,
                &mut samples,
            )
            .expect("a solve");
        assert!(
            (x[0] - 10.0f64.cos()).abs() < 1e-4 && samples.len() == 100,
            "{x:?}"
        );
    }
    COUNT.with(Cell::get) - before
}

fn allocations_of_a_second_solve<M: Method<f64, Oscillator>>(mut system: Oscillator) -> usize {
    let mut integrator = Integrator::<f64, M>::new(&system);
    let times: Vec<f64> = (0..100).map(|k| k as f64 / 10.0).collect();
    let mut samples = Samples::new(times).expect("samples");
    let options = Options {
        step: (!M::ADAPTIVE).then_some(0.1),
        ..Options::default()
    };
    let mut before = 0;
    for _ in 0..2 {
        before = COUNT.with(Cell::get);
        let mut x = [1.0, 0.0];
        let statistics = integrator
            .run(
                &mut system,
                &mut x,
                &[0.0, 3.0, 10.0],
                &options,
                &mut samples,
            )
            .expect("a solve");
        assert!(statistics.steps > 5 && samples.len() == 100);
    }
    COUNT.with(Cell::get) - before
}

/// Whether a method can solve a system is asked at the start of every solve; that may look at the pattern.
fn allocations_of_the_check<M: Method<f64, Oscillator>>() -> usize {
    let system = Oscillator::by(LinearSolver::Auto, false);
    let before = COUNT.with(Cell::get);
    M::check(&system).expect("a system that splits");
    COUNT.with(Cell::get) - before
}

macro_rules! solves_allocate {
    ($allowed:expr; $($method:ident)*) => {
        $(
            let allowed: fn() -> usize = $allowed;
            let system = Oscillator::by(LinearSolver::Auto, false);
            let counted = allocations_of_a_second_solve::<$method<f64>>(system);
            assert_eq!(counted, allowed(), stringify!($method));
        )*
    };
}

#[test]
fn solves_allocate_nothing() {
    solves_allocate!(|| 0;
        Euler Midpoint Heun Rk4 Bs3 Tsit5 Dopri5 Vern7 Dop853 Vern9 Rodas3 Rodas4 Rodas5P ImplicitMidpoint
        TrBdf2 Kvaerno3 Kvaerno4 Kvaerno5 KenCarp4 Radau5 Bdf Ndf AutoSwitch
    );
    solves_allocate!(allocations_of_the_check::<Verlet<f64>>;
        Verlet Yoshida4 Yoshida6 Yoshida8
    );
    assert_eq!(
        constrained_allocations::<Rodas3<f64>>(LinearSolver::Auto),
        0
    );
    assert_eq!(
        constrained_allocations::<Rodas4<f64>>(LinearSolver::Auto),
        0
    );
    assert_eq!(
        constrained_allocations::<Rodas5P<f64>>(LinearSolver::Auto),
        0
    );
}

#[test]
fn solves_by_gmres_allocate_nothing() {
    macro_rules! check {
        ($linear_solver:expr; $($method:ident)*) => {
            $(
                for has_jvp in [false, true] {
                    let system = Oscillator::by($linear_solver, has_jvp);
                    let counted = allocations_of_a_second_solve::<$method<f64>>(system);
                    assert_eq!(counted, 0, stringify!($method));
                }
            )*
        };
    }
    for preconditioner in [
        Preconditioner::None,
        Preconditioner::Ilu,
        Preconditioner::BlockJacobi { size: 2 },
    ] {
        let by = LinearSolver::Gmres { preconditioner };
        check!(by; Bdf Ndf TrBdf2 Kvaerno3 Kvaerno4 Kvaerno5 KenCarp4);
        assert_eq!(constrained_allocations::<Bdf<f64>>(by), 0);
    }
}

/// A grid of n by n points, each coupled with its neighbors.
fn grid(n: usize) -> Pattern {
    let mut entries = Vec::new();
    for k in 0..n * n {
        entries.push((k, k));
        if k >= n {
            entries.extend([(k, k - n), (k - n, k)]);
        }
        if k % n > 0 {
            entries.extend([(k, k - 1), (k - 1, k)]);
        }
    }
    Pattern::from_entries(n * n, n * n, &entries)
}

#[test]
fn factorizations_after_the_first_allocate_nothing() {
    let pattern = grid(15);
    let n = pattern.columns();
    for kind in [
        LinearSolver::Dense,
        LinearSolver::Banded,
        LinearSolver::Sparse,
    ] {
        let mut matrix = IterationMatrix::<f64>::new(&pattern, None, kind);
        let mut b = vec![1.0; n];
        assert!(matrix.factor(5.0, |_| -1.0, None));
        let before = COUNT.with(Cell::get);
        for shift in [4.5, 7.0, 1e3] {
            assert!(matrix.factor(shift, |k| (k as f64).sin() - 1.0, None));
            matrix.solve(&mut b);
            matrix.solve_transposed(&mut b);
        }
        assert_eq!(COUNT.with(Cell::get) - before, 0, "{kind:?}");
        assert!(b.iter().all(|b| b.is_finite()));
    }
}

#[test]
fn krylov_iterations_allocate_nothing() {
    let pattern = grid(12);
    let n = pattern.columns();
    let mut values = Vec::new();
    for column in 0..n {
        for &row in &pattern.rows[pattern.starts[column]..pattern.starts[column + 1]] {
            values.push(if row == column { 4.1 } else { -1.0 });
        }
    }
    let mut ilu = Ilu0::new(&pattern).expect("a diagonal");
    let mut gmres = Gmres::new(n, 10);
    let (b, mut x) = (vec![1.0; n], vec![0.0; n]);
    let before = COUNT.with(Cell::get);
    assert!(ilu.factor(&values));
    let outcome = gmres.solve(
        |x, y| {
            y.fill(0.0);
            for (&x, range) in x.iter().zip(pattern.starts.windows(2)) {
                let range = range[0]..range[1];
                for (&row, value) in pattern.rows[range.clone()].iter().zip(&values[range]) {
                    y[row] += value * x;
                }
            }
        },
        |x, y| {
            y.copy_from_slice(x);
            ilu.solve(y);
        },
        &b,
        &mut x,
        &GmresOptions::default(),
    );
    assert!(outcome.converged && outcome.iterations > 10);
    assert_eq!(COUNT.with(Cell::get) - before, 0);
}
