//! Bad options, right-hand sides that end, and limits, for every method that controls its error: a typed error each,
//! or a right answer within the budget; never a panic or a hang.

use costate_solvers::{
    Action, AutoSwitch, Bdf, Bs3, Direction, Dop853, Dopri5, Hybrid, ImplicitSystem, Integrator,
    KenCarp4, Kvaerno3, Kvaerno4, Kvaerno5, Mass, Mesh, Method, Ndf, NoRecord, Options, Pattern,
    Radau5, Rodas3, Rodas4, Rodas5P, Samples, SolveError, Statistics, Tolerance, TrBdf2, Tsit5,
    Vern7, Vern9,
};

use crate::problems::{Problem, none, tolerance};

fn scalar(f: fn(f64, &[f64], &mut [f64]), jacobian: fn(f64, &[f64], &mut [f64])) -> Problem {
    Problem::new(1, f, jacobian, none)
}

fn decay() -> Problem {
    scalar(|_, x, dx| dx[0] = -x[0], |_, _, j| j[0] = -1.0)
}

fn run<M: Method<f64, Problem>>(
    problem: &mut Problem,
    x: &mut [f64],
    times: &[f64],
    options: &Options,
) -> Result<Statistics, SolveError> {
    Integrator::<f64, M>::new(problem).run(problem, x, times, options, &mut NoRecord)
}

type Solve = fn(&mut Problem, &mut [f64], &[f64], &Options) -> Result<Statistics, SolveError>;

macro_rules! methods {
    ($($method:ident)*) => { [$((stringify!($method), run::<$method<f64>> as Solve)),*] };
}

const ADAPTIVE: [(&str, Solve); 18] = methods!(
    Bs3 Tsit5 Dopri5 Vern7 Dop853 Vern9 Rodas3 Rodas4 Rodas5P TrBdf2 Kvaerno3 Kvaerno4 Kvaerno5 KenCarp4 Radau5 Bdf
    Ndf AutoSwitch
);

/// Those that solve with a Jacobian from the start.
fn implicit() -> impl Iterator<Item = (&'static str, Solve)> {
    let others = &ADAPTIVE[6..17];
    others.iter().copied()
}

/// What each method makes of the problem, and where it got to.
fn each(
    problem: &Problem,
    x: &[f64],
    times: &[f64],
    options: &Options,
) -> Vec<(&'static str, Result<Statistics, SolveError>, Vec<f64>)> {
    let solve = |(name, solve): (&'static str, Solve)| {
        let mut x = x.to_vec();
        let result = solve(&mut problem.clone(), &mut x, times, options);
        (name, result, x)
    };
    ADAPTIVE.map(solve).into()
}

#[test]
fn nan_at_the_start_is_named() {
    let problem = Problem::new(
        2,
        |_, x, dx| {
            dx[0] = 1.0;
            dx[1] = (-x[1]).sqrt();
        },
        |_, _, j| j.fill(0.0),
        none,
    );
    for (name, result, _) in each(&problem, &[1.0, 2.0], &[0.0, 1.0], &Options::default()) {
        let expected = SolveError::NotFinite {
            t: 0.0,
            state: 1,
            x: vec![1.0, 2.0],
        };
        assert_eq!(result, Err(expected), "{name}");
    }
    for (name, result, _) in each(&decay(), &[f64::NAN], &[0.0, 1.0], &Options::default()) {
        let state = matches!(result, Err(SolveError::NotFinite { state: 0, .. }));
        assert!(state, "{name}: {result:?}");
    }
}

/// f ends at t = 1: the solve walks up to it and says so.
#[test]
fn nan_later_is_approached() {
    let problem = scalar(
        |t, _, dx| dx[0] = if t > 1.0 { f64::NAN } else { 1.0 },
        |_, _, j| j[0] = 0.0,
    );
    for (name, result, _) in each(&problem, &[0.0], &[0.0, 2.0], &Options::default()) {
        let Err(SolveError::NotFinite { t, state: 0, x }) = result else {
            panic!("{name}: {result:?}")
        };
        assert!((t - 1.0).abs() < 1e-12, "{t}");
        assert!((x[0] - 1.0).abs() < 1e-12);
    }
}

/// x' = x^2 from 1 blows up at t = 1, x' = x^3 at t = 1/2.
#[test]
fn blow_up_ends() {
    let square = scalar(|_, x, dx| dx[0] = x[0] * x[0], |_, x, j| j[0] = 2.0 * x[0]);
    let cube = scalar(
        |_, x, dx| dx[0] = x[0].powi(3),
        |_, x, j| j[0] = 3.0 * x[0] * x[0],
    );
    for (problem, end) in [(square, 1.0), (cube, 0.5)] {
        for (name, result, _) in each(&problem, &[1.0], &[0.0, 2.0], &Options::default()) {
            match result {
                Err(
                    SolveError::StepSizeTooSmall { t, x, .. }
                    | SolveError::NotFinite { t, x, .. }
                    | SolveError::NotConverged { t, x, .. },
                ) => {
                    assert!((t - end).abs() < 1e-4 && x[0] > 1e4, "{name}: {t} {x:?}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}

/// A jump of f that no stop time announces is stepped over at the price of small steps.
#[test]
fn unannounced_jump_is_survived() {
    let problem = scalar(
        |t, _, dx| dx[0] = if t > 0.5 { 100.0 } else { 1.0 },
        |_, _, j| j[0] = 0.0,
    );
    for (name, result, x) in each(&problem, &[0.0], &[0.0, 1.0], &tolerance(1e-6, 1e-6)) {
        let statistics = result.expect("a solve");
        assert!((x[0] - 50.5).abs() < 1e-3, "{name}: {x:?}");
        assert!(
            statistics.steps + statistics.rejected < 500,
            "{name}: {statistics:?}"
        );
    }
}

/// Nor does one at every swing of an oscillator.
#[test]
fn unannounced_jumps_by_the_state_are_survived() {
    let problem = Problem::new(
        2,
        |_, x, dx| {
            dx[0] = x[1];
            dx[1] = if x[0] > 0.0 { -1.0 } else { 1.0 };
        },
        |_, _, j| j[2] = 1.0,
        none,
    );
    for (name, result, x) in each(&problem, &[0.5, 0.0], &[0.0, 20.0], &tolerance(1e-5, 1e-5)) {
        let statistics = result.expect("a solve");
        assert!(
            statistics.steps + statistics.rejected < 20_000,
            "{name}: {statistics:?}"
        );
        // the energy |x| + v^2 / 2
        let energy = x[0].abs() + 0.5 * x[1] * x[1];
        assert!((energy - 0.5).abs() < 0.05, "{name}: {energy}");
    }
}

#[test]
fn step_limit_is_kept() {
    let options = Options {
        max_steps: 7,
        max_step: 1e-3,
        ..Options::default()
    };
    for (name, result, _) in each(&decay(), &[1.0], &[0.0, 1.0], &options) {
        let Err(SolveError::TooManySteps { limit: 7, t, .. }) = result else {
            panic!("{name}: {result:?}")
        };
        assert!(t > 0.0 && t <= 7e-3 + 1e-12);
    }
}

#[test]
fn unusable_options_are_refused() {
    let base = Options::default();
    let wrong = [
        Options {
            rtol: f64::NAN,
            ..base.clone()
        },
        Options {
            rtol: -1e-3,
            ..base.clone()
        },
        Options {
            atol: Tolerance::Uniform(f64::INFINITY),
            ..base.clone()
        },
        Options {
            atol: Tolerance::PerState(vec![1e-6, 1e-6]),
            ..base.clone()
        },
        Options {
            rtol: 0.0,
            atol: Tolerance::PerState(vec![0.0]),
            ..base.clone()
        },
        Options {
            max_step: 0.0,
            ..base.clone()
        },
        Options {
            max_step: f64::NAN,
            ..base.clone()
        },
        Options {
            first_step: Some(-0.1),
            ..base.clone()
        },
        Options {
            first_step: Some(f64::NAN),
            ..base.clone()
        },
    ];
    for options in wrong {
        for (name, result, _) in each(&decay(), &[1.0], &[0.0, 1.0], &options) {
            assert!(
                matches!(result, Err(SolveError::Invalid { .. })),
                "{name}: {options:?}"
            );
        }
    }
}

#[test]
fn unusable_times_and_shapes_are_refused() {
    let invalid = |x: &[f64], times: &[f64]| {
        for (name, result, _) in each(&decay(), x, times, &Options::default()) {
            assert!(
                matches!(result, Err(SolveError::Invalid { .. })),
                "{name}: {times:?}"
            );
        }
    };
    invalid(&[1.0], &[]);
    invalid(&[1.0], &[0.0, f64::NAN]);
    invalid(&[1.0], &[0.0, f64::INFINITY]);
    invalid(&[1.0], &[0.0, 2.0, 1.0]);
    invalid(&[1.0], &[-1e308, 1e308]);
    invalid(&[1.0, 2.0], &[0.0, 1.0]);
    invalid(&[], &[0.0, 1.0]);
    assert!(Samples::new(vec![0.0, 2.0, 1.0]).is_err());
    assert!(Samples::new(vec![f64::NAN]).is_err());
}

/// First steps far too large or too small still end in the right place. (The span is not 1, as the error estimate of
/// Bs3 happens to vanish for a step of that size.)
#[test]
fn hostile_first_steps_are_corrected() {
    for first in [1e-200, 1e-12, 1.0, 1e12, 1e300] {
        let options = Options {
            first_step: Some(first),
            ..tolerance(1e-8, 1e-10)
        };
        for (name, result, x) in each(&decay(), &[1.0], &[0.0, 1.1], &options) {
            result.expect("a solve");
            // the error of TR-BDF2 goes as tol^(2/3)
            let bound = if name == "TrBdf2" { 1e-5 } else { 1e-7 };
            let error = (x[0] - (-1.1f64).exp()).abs();
            assert!(error < bound, "{name} {first:e}: {error:e}");
        }
    }
}

#[test]
fn extreme_scales_are_survived() {
    for (x0, t0, t1) in [
        (1e300, 0.0, 1.0),
        (1e-300, 0.0, 1.0),
        (1.0, 1e15, 1e15 + 2.0),
        (1.0, 0.0, 1e-300),
        (0.0, 0.0, 1e300),
        (1.0, -1e-8, 1e-8),
    ] {
        for (name, result, _) in each(&decay(), &[x0], &[t0, t1], &Options::default()) {
            match result {
                Ok(statistics) => assert!(statistics.steps > 0),
                Err(
                    SolveError::StepSizeTooSmall { .. }
                    | SolveError::NotFinite { .. }
                    | SolveError::NotConverged { .. }
                    | SolveError::TooManySteps { .. },
                ) => {}
                other => panic!("{name}: {other:?} from {x0:e} over {t0:e}..{t1:e}"),
            }
        }
    }
}

#[test]
fn no_states_at_all() {
    let problem = Problem::new(0, |_, _, _| {}, |_, _, _| {}, none);
    assert_eq!(problem.pattern().non_zeros(), 0);
    for (name, result, _) in each(&problem, &[], &[0.0, 1.0], &Options::default()) {
        assert_eq!(result.map(|s| s.steps), Ok(1), "{name}");
    }
}

/// A Jacobian that is not finite is reported as such, with its state.
#[test]
fn bad_jacobian_is_named() {
    let problem = scalar(|_, x, dx| dx[0] = -x[0], |_, _, j| j[0] = f64::NAN);
    for (name, solve) in implicit() {
        let result = solve(
            &mut problem.clone(),
            &mut [1.0],
            &[0.0, 1.0],
            &Options::default(),
        );
        assert!(
            matches!(result, Err(SolveError::NotFinite { t: 0.0, .. })),
            "{name}: {result:?}"
        );
    }
}

/// W = 1 / (h gamma) - J vanishes at one h: the step is retried with another.
#[test]
fn singular_matrix_is_stepped_round() {
    let mut problem = scalar(
        |_, x, dx| dx[0] = x[0],
        |_, _, j| j[0] = 1.0 / (0.5 * costate_solvers::rosenbrock::rodas5p::GAMMA),
    );
    let options = Options {
        first_step: Some(0.5),
        ..Options::default()
    };
    let result = run::<Rodas5P<f64>>(&mut problem, &mut [1.0], &[0.0, 10.0], &options);
    assert!(result.is_ok_and(|s| s.rejected > 0));
}

/// Neither a Jacobian of zeros nor a wrong one, nor one that makes W singular at the first step, does harm to methods
/// that iterate. (Rosenbrock methods take the Jacobian at its word.)
#[test]
fn odd_jacobians_do_no_harm_to_iterations() {
    let options = Options {
        first_step: Some(0.5),
        ..tolerance(1e-7, 1e-7)
    };
    let exact = (-1.0f64).exp();
    for jacobian in [
        (|_, _, j| j[0] = 0.0) as fn(f64, &[f64], &mut [f64]),
        |_, _, j| j[0] = -3.0,
        |_, _, j| j[0] = 1.0 / (0.5 * 0.26),
        |_, _, j| j[0] = 1.0 / (0.5 * 0.25),
        |_, _, j| j[0] = 3.637834252744496 / 0.5,
        // BDF and NDF of order 1
        |_, _, j| j[0] = 2.0,
        |_, _, j| j[0] = 2.0 * (1.0 + 0.185),
    ] {
        let problem = scalar(|_, x, dx| dx[0] = -x[0], jacobian);
        for (name, solve) in implicit().filter(|(name, _)| !name.starts_with("Rodas")) {
            let mut x = [1.0];
            let result = solve(&mut problem.clone(), &mut x, &[0.0, 1.0], &options);
            assert!(result.is_ok(), "{name}: {result:?}");
            assert!((x[0] - exact).abs() < 1e-3, "{name}: {x:?}");
        }
    }
}

/// f = (x_1 + x_2)(1, 1) / 2 - (2, 0): its Jacobian is singular throughout, and nothing comes of it.
#[test]
fn singular_jacobians_are_no_trouble() {
    let problem = Problem::new(
        2,
        |_, x, dx| {
            let mean = -0.5 * (x[0] + x[1]);
            dx[0] = mean - 1.0;
            dx[1] = mean + 1.0;
        },
        |_, _, j| j.fill(-0.5),
        none,
    );
    for (name, result, x) in each(&problem, &[1.0, 1.0], &[0.0, 2.0], &tolerance(1e-7, 1e-7)) {
        result.expect("a solve");
        let exact = [(-2.0f64).exp() - 2.0, (-2.0f64).exp() + 2.0];
        let error = f64::max((x[0] - exact[0]).abs(), (x[1] - exact[1]).abs());
        assert!(error < 1e-4, "{name}: {error:e}");
    }
}

/// A mass matrix of another size is refused, and any at all by methods that know none. (Explicit ones ask a system for
/// f alone.)
#[test]
fn wrong_mass_matrices_are_refused() {
    for n in [1, 3] {
        let mut problem = Problem::new(
            2,
            |_, x, dx| dx.copy_from_slice(x),
            |_, _, j| j.copy_from_slice(&[1.0, 0.0, 0.0, 1.0]),
            none,
        );
        problem.mass = Some(Mass {
            pattern: Pattern::dense(n),
            values: vec![1.0; n * n],
        });
        for (name, solve) in ADAPTIVE.into_iter().skip(6) {
            let result = solve(
                &mut problem.clone(),
                &mut [1.0, 1.0],
                &[0.0, 1.0],
                &Options::default(),
            );
            assert!(
                matches!(result, Err(SolveError::Invalid { .. })),
                "{name}: {result:?}"
            );
        }
    }
}

#[test]
fn an_event_that_is_always_zero_is_named() {
    struct Zero;
    impl Hybrid<f64> for Zero {
        fn roots(&self) -> usize {
            1
        }
        fn direction(&self, _root: usize) -> Direction {
            Direction::Both
        }
        fn root_values(&mut self, _t: f64, _x: &[f64], g: &mut [f64]) {
            g.fill(0.0);
        }
        fn at_roots(&mut self, _t: f64, _roots: &[usize], _x: &mut [f64]) -> Action {
            Action::Continue
        }
    }
    fn ends<M: Method<f64, Problem>>() {
        let mut problem = decay();
        let result = Integrator::<f64, M>::new(&problem).run_hybrid(
            &mut problem,
            &mut [1.0],
            &[0.0, 1.0],
            &Options::default(),
            &mut NoRecord,
            &mut Zero,
        );
        assert_eq!(result, Err(SolveError::EventAlwaysZero { event: 0 }));
    }
    macro_rules! each {
        ($($method:ident)*) => { $(ends::<$method<f64>>();)* };
    }
    each!(Bs3 Tsit5 Dopri5 Vern7 Dop853 Vern9 Rodas3 Rodas4 Rodas5P TrBdf2 Kvaerno3 Kvaerno4 Kvaerno5 KenCarp4 Radau5
        Bdf Ndf AutoSwitch);
}

#[test]
fn meshes_that_do_not_fit_are_refused() {
    let mut problem = decay();
    let times = [0.0, 0.5, 1.0];
    for mesh in [
        Mesh::default(),
        Mesh::uniform(&times[..2], 3),
        Mesh::uniform(&[0.0, 0.2, 0.5, 1.0], 3),
    ] {
        let result = Integrator::<f64, Tsit5<f64>>::new(&problem).replay(
            &mut problem,
            &mut [1.0],
            &times,
            &mesh,
            &Options::default(),
            &mut NoRecord,
        );
        assert!(matches!(result, Err(SolveError::Invalid { .. })));
    }
}
