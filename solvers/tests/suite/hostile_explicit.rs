//! Bad options, right-hand sides that end, and limits: a typed error each, never a panic or a hang.

use costate_solvers::{
    Bs3, Dop853, Dopri5, ImplicitSystem, Integrator, Mesh, Method, NoRecord, Options, Rodas5P,
    Samples, SolveError, Statistics, Tolerance, Tsit5, Vern7, Vern9,
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

/// Every method that controls its error.
const ADAPTIVE: [Solve; 7] = [
    run::<Bs3<f64>>,
    run::<Tsit5<f64>>,
    run::<Dopri5<f64>>,
    run::<Vern7<f64>>,
    run::<Dop853<f64>>,
    run::<Vern9<f64>>,
    run::<Rodas5P<f64>>,
];

fn each(
    problem: &Problem,
    x: &[f64],
    times: &[f64],
    options: &Options,
) -> [Result<Statistics, SolveError>; 7] {
    ADAPTIVE.map(|solve| solve(&mut problem.clone(), &mut x.to_vec(), times, options))
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
    for result in each(&problem, &[1.0, 2.0], &[0.0, 1.0], &Options::default()) {
        let expected = SolveError::NotFinite {
            t: 0.0,
            state: 1,
            x: vec![1.0, 2.0],
        };
        assert_eq!(result, Err(expected));
    }
    for result in each(&decay(), &[f64::NAN], &[0.0, 1.0], &Options::default()) {
        assert!(matches!(
            result,
            Err(SolveError::NotFinite { state: 0, .. })
        ));
    }
}

/// f ends at t = 1: the solve walks up to it and says so.
#[test]
fn nan_later_is_approached() {
    let problem = scalar(
        |t, _, dx| dx[0] = if t > 1.0 { f64::NAN } else { 1.0 },
        |_, _, j| j[0] = 0.0,
    );
    for result in each(&problem, &[0.0], &[0.0, 2.0], &Options::default()) {
        let Err(SolveError::NotFinite { t, state: 0, x }) = result else {
            panic!("{result:?}")
        };
        assert!((t - 1.0).abs() < 1e-12, "{t}");
        assert!((x[0] - 1.0).abs() < 1e-12);
    }
}

/// x' = x^2 from 1 blows up at t = 1.
#[test]
fn blow_up_ends() {
    let problem = scalar(|_, x, dx| dx[0] = x[0] * x[0], |_, x, j| j[0] = 2.0 * x[0]);
    for result in each(&problem, &[1.0], &[0.0, 2.0], &Options::default()) {
        match result {
            Err(SolveError::StepSizeTooSmall { t, x, .. } | SolveError::NotFinite { t, x, .. }) => {
                assert!((t - 1.0).abs() < 1e-5 && x[0] > 1e6, "{t} {x:?}");
            }
            other => panic!("{other:?}"),
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
    for mut result in ADAPTIVE.map(|solve| {
        let mut x = [0.0];
        solve(
            &mut problem.clone(),
            &mut x,
            &[0.0, 1.0],
            &tolerance(1e-6, 1e-6),
        )
        .map(|_| x[0])
    }) {
        let x = result.as_mut().expect("a solve");
        assert!((*x - 50.5).abs() < 1e-3, "{x}");
    }
}

#[test]
fn step_limit_is_kept() {
    let options = Options {
        max_steps: 7,
        max_step: 1e-3,
        ..Options::default()
    };
    for result in each(&decay(), &[1.0], &[0.0, 1.0], &options) {
        let Err(SolveError::TooManySteps { limit: 7, t, .. }) = result else {
            panic!("{result:?}")
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
        for result in each(&decay(), &[1.0], &[0.0, 1.0], &options) {
            assert!(
                matches!(result, Err(SolveError::Invalid { .. })),
                "{options:?}"
            );
        }
    }
}

#[test]
fn unusable_times_and_shapes_are_refused() {
    let invalid = |x: &[f64], times: &[f64]| {
        for result in each(&decay(), x, times, &Options::default()) {
            assert!(
                matches!(result, Err(SolveError::Invalid { .. })),
                "{times:?}"
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
        for solve in ADAPTIVE {
            let mut x = [1.0];
            let times = [0.0, 1.1];
            solve(&mut decay(), &mut x, &times, &options).expect("a solve");
            assert!((x[0] - (-1.1f64).exp()).abs() < 1e-7, "{first:e}: {x:?}");
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
        for result in each(&decay(), &[x0], &[t0, t1], &Options::default()) {
            match result {
                Ok(statistics) => assert!(statistics.steps > 0),
                Err(
                    SolveError::StepSizeTooSmall { .. }
                    | SolveError::NotFinite { .. }
                    | SolveError::TooManySteps { .. },
                ) => {}
                other => panic!("{other:?} from {x0:e} over {t0:e}..{t1:e}"),
            }
        }
    }
}

#[test]
fn no_states_at_all() {
    let problem = Problem::new(0, |_, _, _| {}, |_, _, _| {}, none);
    assert_eq!(problem.pattern().non_zeros(), 0);
    for result in each(&problem, &[], &[0.0, 1.0], &Options::default()) {
        assert_eq!(result.map(|s| s.steps), Ok(1));
    }
}

/// A Jacobian that is not finite is reported as such, with its state.
#[test]
fn bad_jacobian_is_named() {
    let mut problem = scalar(|_, x, dx| dx[0] = -x[0], |_, _, j| j[0] = f64::NAN);
    let result = run::<Rodas5P<f64>>(&mut problem, &mut [1.0], &[0.0, 1.0], &Options::default());
    assert!(
        matches!(result, Err(SolveError::NotFinite { t: 0.0, .. })),
        "{result:?}"
    );
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
