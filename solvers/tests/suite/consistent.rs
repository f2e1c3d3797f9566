//! Consistent initial values: found, left alone, or reported; and mass matrices that are none.

use costate_solvers::consistent::Consistent;
use costate_solvers::{
    ImplicitSystem, Integrator, Mass, Method, NoRecord, Options, Pattern, Rodas3, Rodas4, Rodas5P,
    SolveError, Statistics, Tolerance, Trajectory,
};

use crate::problems::{Problem, algebraic, mass, tolerance};
use crate::stiff_problems::{ChemAkzo, stiff, transistor_amplifier};

fn initialize(dae: &Problem, x: &mut [f64], options: &Options) -> Result<Statistics, SolveError> {
    let mut dae = dae.clone();
    let mut statistics = Statistics::default();
    Consistent::new(dae.pattern(), &dae.mass.clone().expect("a mass matrix"))
        .initialize(&mut dae, 0.0, x, options, &mut statistics)
        .map(|()| statistics)
}

/// x' = -x, 0 = z^3 + z - x: one z for each x, far from a straight line.
fn cubic() -> Problem {
    Problem::with_mass(
        algebraic(2, &[1]),
        |_, x, f| {
            f[0] = -x[0];
            f[1] = x[1].powi(3) + x[1] - x[0];
        },
        |_, x, j| j.copy_from_slice(&[-1.0, -1.0, 0.0, 3.0 * x[1] * x[1] + 1.0]),
        |_, _, _| {},
    )
}

#[test]
fn algebraic_states_are_found_to_rounding() {
    for guess in [0.0, 1.0, -3.0, 1e3, -1e6] {
        let mut x = [10.0, guess];
        initialize(&cubic(), &mut x, &tolerance(1e-3, 1e-6)).expect("consistent states");
        assert_eq!(x[0], 10.0, "the differential state is kept");
        assert!((x[1] - 2.0).abs() < 4.0 * f64::EPSILON, "{guess}: {x:?}");
    }
}

#[test]
fn consistent_states_are_left_alone() {
    // off by a hundredth of the tolerance
    let mut x = [10.0, 2.0 + 1e-8];
    initialize(&cubic(), &mut x, &tolerance(1e-6, 1e-9)).expect("consistent states");
    assert_eq!(x, [10.0, 2.0 + 1e-8]);
    // and by half of one
    let mut x = [10.0, 2.0 + 1e-6];
    initialize(&cubic(), &mut x, &tolerance(1e-6, 1e-9)).expect("consistent states");
    assert!((x[1] - 2.0).abs() < 4.0 * f64::EPSILON);
}

/// Capacitors couple the states: M x is kept, charge by charge, and the voltages move.
#[test]
fn coupled_mass_matrices_keep_m_x() {
    let mut dae = transistor_amplifier();
    let start = [0.1, 2.9, 3.1, 5.9, 3.2, 2.9, 6.1, 0.1];
    let mut x = start;
    let options = tolerance(1e-8, 1e-8);
    initialize(&dae, &mut x, &options).expect("consistent states");
    let product = |x: &[f64]| {
        let mut out = [0.0; 8];
        dae.mass
            .as_ref()
            .expect("a mass matrix")
            .multiply(x, &mut out);
        out
    };
    let (before, after) = (product(&start), product(&x));
    for (a, b) in before.iter().zip(after) {
        assert!((a - b).abs() < 1e-19, "{before:?} {after:?}");
    }
    // the sums of the equations over each capacitor, the left null space
    let mut f = [0.0; 8];
    (dae.f)(0.0, &x, &mut f);
    for sum in [f[0] + f[1], f[3] + f[4], f[6] + f[7]] {
        assert!(sum.abs() < 1e-17, "{f:?}");
    }
    assert!(start.iter().zip(x).any(|(a, b)| (a - b).abs() > 1e-3));
    // a solve starts from there, and says so to its recorder
    let mut trajectory = Trajectory::new();
    let mut y = start;
    Integrator::<f64, Rodas4<f64>>::new(&dae)
        .run(&mut dae, &mut y, &[0.0, 1e-3], &options, &mut trajectory)
        .expect("a solve");
    assert_eq!(trajectory.state(0), x);
}

/// Equations and states scaled by twenty orders of magnitude change nothing.
#[test]
fn scales_do_not_matter() {
    let dae = Problem::with_mass(
        algebraic(3, &[1, 2]),
        |_, x, f| {
            f[0] = -x[0];
            f[1] = 1e-20 * (x[1] - 1e10 * x[0] * x[0]);
            f[2] = 1e12 * (x[2] * 1e9 + x[1] * 1e-10 - 3.0 * x[0]);
        },
        |_, x, j| {
            j[0] = -1.0;
            j[1] = -2e-10 * x[0];
            j[2] = -3e12;
            j[4] = 1e-20;
            j[5] = 1e2;
            j[8] = 1e21;
        },
        |_, _, _| {},
    );
    let mut x = [2.0, 0.0, 0.0];
    let options = Options {
        atol: Tolerance::PerState(vec![1e-9, 1.0, 1e-18]),
        ..Options::default()
    };
    initialize(&dae, &mut x, &options).expect("consistent states");
    assert_eq!(x[0], 2.0);
    assert!(
        (x[1] - 4e10).abs() < 1e-4 && (x[2] - 2e-9).abs() < 1e-23,
        "{x:?}"
    );
}

#[test]
fn a_regular_mass_matrix_asks_for_nothing() {
    let mut dae = cubic();
    dae.mass = Some(mass(
        2,
        &[(0, 0, 2.0), (0, 1, 1.0), (1, 0, 1.0), (1, 1, 2.0)],
    ));
    let mut x = [1.0, 5.0];
    let statistics = initialize(&dae, &mut x, &Options::default()).expect("nothing to do");
    assert_eq!((x, statistics), ([1.0, 5.0], Statistics::default()));
}

fn run<M: Method<f64, Problem>>(
    dae: &Problem,
    x: &mut [f64],
    options: &Options,
) -> Result<Statistics, SolveError> {
    let times = [0.0, 1.0];
    Integrator::<f64, M>::new(dae).run(&mut dae.clone(), x, &times, options, &mut NoRecord)
}

/// 0 = z^2 + 1 + x^2 has no solution: reported with its equation, the states as they were.
#[test]
fn unsolvable_equations_are_reported() {
    let dae = Problem::with_mass(
        algebraic(2, &[1]),
        |_, x, f| {
            f[0] = -x[0];
            f[1] = x[1] * x[1] + 1.0 + x[0] * x[0];
        },
        |_, x, j| j.copy_from_slice(&[-1.0, 2.0 * x[0], 0.0, 2.0 * x[1]]),
        |_, _, _| {},
    );
    let mut x = [1.0, 3.0];
    let result = run::<Rodas5P<f64>>(&dae, &mut x, &Options::default());
    let Err(SolveError::Inconsistent {
        t: 0.0,
        state: 1,
        residual,
    }) = result
    else {
        panic!("{result:?}")
    };
    assert!(residual >= 2.0 && x == [1.0, 3.0], "{residual} {x:?}");
}

/// The pendulum with its velocity constraint has index 2, with its position constraint 3; with the acceleration's
/// 1. The first two are reported although their states are consistent.
#[test]
fn high_index_is_reported() {
    type F = fn(f64, &[f64], &mut [f64]);
    // x, y, their velocities, and the tension of a rod of length 1 and mass 1; g = 10
    fn motion(x: &[f64], f: &mut [f64]) {
        f[0] = x[2];
        f[1] = x[3];
        f[2] = -x[4] * x[0];
        f[3] = -x[4] * x[1] - 10.0;
    }
    fn motion_jacobian(x: &[f64], j: &mut [f64]) {
        j[10] = 1.0;
        j[16] = 1.0;
        j[2] = -x[4];
        j[8] = -x[4];
        j[22] = -x[0];
        j[23] = -x[1];
    }
    let position: [F; 2] = [
        |_, x, f| {
            motion(x, f);
            f[4] = x[0] * x[0] + x[1] * x[1] - 1.0;
        },
        |_, x, j| {
            motion_jacobian(x, j);
            j[4] = 2.0 * x[0];
            j[9] = 2.0 * x[1];
        },
    ];
    let velocity: [F; 2] = [
        |_, x, f| {
            motion(x, f);
            f[4] = x[0] * x[2] + x[1] * x[3];
        },
        |_, x, j| {
            motion_jacobian(x, j);
            for (column, value) in [x[2], x[3], x[0], x[1]].into_iter().enumerate() {
                j[4 + 5 * column] = value;
            }
        },
    ];
    let acceleration: [F; 2] = [
        |_, x, f| {
            motion(x, f);
            f[4] = x[2] * x[2] + x[3] * x[3] - x[4] * (x[0] * x[0] + x[1] * x[1]) - 10.0 * x[1];
        },
        |_, x, j| {
            motion_jacobian(x, j);
            let row = [
                -2.0 * x[4] * x[0],
                -2.0 * x[4] * x[1] - 10.0,
                2.0 * x[2],
                2.0 * x[3],
                -(x[0] * x[0] + x[1] * x[1]),
            ];
            for (column, value) in row.into_iter().enumerate() {
                j[4 + 5 * column] = value;
            }
        },
    ];
    let angle: f64 = 0.6;
    let start = [angle.sin(), -angle.cos(), 0.0, 0.0, 10.0 * angle.cos()];
    let dae =
        |[f, jacobian]: [F; 2]| Problem::with_mass(algebraic(5, &[4]), f, jacobian, |_, _, _| {});
    for high in [position, velocity] {
        for solve in [run::<Rodas3<f64>>, run::<Rodas4<f64>>, run::<Rodas5P<f64>>] {
            let result = solve(&dae(high), &mut start.clone(), &Options::default());
            assert_eq!(result, Err(SolveError::HighIndex { t: 0.0 }));
        }
    }
    let mut x = start;
    run::<Rodas5P<f64>>(&dae(acceleration), &mut x, &tolerance(1e-8, 1e-8)).expect("a solve");
    let energy = 0.5 * (x[2] * x[2] + x[3] * x[3]) + 10.0 * x[1];
    assert!((energy - 10.0 * start[1]).abs() < 1e-5, "{energy}");
}

/// Index 2 hidden in a mass matrix without an empty row.
#[test]
fn high_index_is_seen_through_a_coupled_mass_matrix() {
    let mut dae = Problem::with_mass(
        mass(2, &[(0, 0, 1.0), (0, 1, 2.0), (1, 0, 1.0), (1, 1, 2.0)]),
        |_, x, f| {
            // N = (1, -1), K = (2, -1): G = N^T J K = 0
            f[0] = x[0] + 3.0 * x[1];
            f[1] = 0.3 * x[0] + 1.6 * x[1];
        },
        |_, _, j| j.copy_from_slice(&[1.0, 0.3, 3.0, 1.6]),
        |_, _, _| {},
    );
    let options = Options::default();
    let result = initialize(&dae, &mut [0.0, 0.0], &options);
    assert_eq!(result, Err(SolveError::HighIndex { t: 0.0 }));
    dae.jacobian = |_, _, j| j.copy_from_slice(&[1.0, 0.3, 3.0, 1.7]);
    assert!(initialize(&dae, &mut [0.0, 0.0], &options).is_ok());
}

#[test]
fn bad_values_at_the_start_are_named() {
    let mut x = [0.444, -1.0, 0.0, 0.007, 0.0, 0.3, 0.0];
    let result = run::<Rodas4<f64>>(&stiff::<ChemAkzo>(), &mut x, &Options::default());
    assert!(matches!(result, Err(SolveError::NotFinite { t: 0.0, .. })));
}

#[test]
fn mass_matrices_of_the_wrong_shape_are_refused() {
    let good = cubic();
    let wrong = [
        algebraic(3, &[]),
        Mass {
            pattern: Pattern::from_entries(2, 3, &[(0, 2)]),
            values: vec![1.0],
        },
        Mass {
            pattern: Pattern::from_entries(2, 2, &[(0, 0), (1, 1)]),
            values: vec![1.0],
        },
        Mass {
            pattern: Pattern::from_entries(2, 2, &[(0, 0), (3, 1)]),
            values: vec![1.0, 1.0],
        },
        Mass {
            pattern: Pattern {
                height: 2,
                starts: vec![],
                rows: vec![],
            },
            values: vec![],
        },
        mass(2, &[(0, 0, f64::NAN)]),
    ];
    for mass in wrong {
        let dae = Problem {
            n: 2,
            mass: Some(mass),
            ..good.clone()
        };
        let result = run::<Rodas3<f64>>(&dae, &mut [10.0, 2.0], &Options::default());
        assert!(
            matches!(result, Err(SolveError::Invalid { .. })),
            "{result:?}"
        );
    }
}
