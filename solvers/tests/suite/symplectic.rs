//! What symplectic methods are for: energy that does not drift, steps that go back, systems that split.

use costate_solvers::symplectic::separation::positions;
use costate_solvers::{
    ImplicitMidpoint, Integrator, Method, NoRecord, Options, Pattern, Recorder, Rk4, SolveError,
    StepView, Verlet, Yoshida4, Yoshida6, Yoshida8,
};

use crate::problems::{Problem, largest, none, van_der_pol};

/// (x, y, vx, vy) about a unit mass in the origin.
fn kepler() -> Problem {
    let entries = [(0, 2), (1, 3), (2, 0), (2, 1), (3, 0), (3, 1)];
    Problem {
        pattern: Pattern::from_entries(4, 4, &entries),
        ..Problem::new(
            4,
            |_, x, dx| {
                let cubed = x[0].hypot(x[1]).powi(3);
                dx.copy_from_slice(&[x[2], x[3], -x[0] / cubed, -x[1] / cubed]);
            },
            |_, x, j| {
                let r = x[0].hypot(x[1]);
                let (cubed, fifth) = (r.powi(3), r.powi(5));
                let mixed = 3.0 * x[0] * x[1] / fifth;
                j.copy_from_slice(&[
                    3.0 * x[0] * x[0] / fifth - 1.0 / cubed,
                    mixed,
                    mixed,
                    3.0 * x[1] * x[1] / fifth - 1.0 / cubed,
                    1.0,
                    1.0,
                ]);
            },
            none,
        )
    }
}

/// At the pericenter of an orbit of semi-axis 1, hence of period 2 pi and energy -1/2.
fn pericenter(eccentricity: f64) -> [f64; 4] {
    let speed = ((1.0 + eccentricity) / (1.0 - eccentricity)).sqrt();
    [1.0 - eccentricity, 0.0, 0.0, speed]
}

/// Largest relative energy error of each tenth of a solve.
struct Energy {
    end: f64,
    errors: [f64; 10],
}

impl Recorder<f64> for Energy {
    fn reads_inside(&self, _t: f64, _t_new: f64) -> bool {
        false
    }
    fn accepted(&mut self, step: &StepView<'_, f64>) -> bool {
        let x = step.x_new;
        let energy = 0.5 * (x[2] * x[2] + x[3] * x[3]) - 1.0 / x[0].hypot(x[1]);
        let error = &mut self.errors[((step.t / self.end * 10.0) as usize).min(9)];
        *error = error.max((energy / -0.5 - 1.0).abs());
        true
    }
}

fn energy_errors<M: Method<f64, Problem>>(
    eccentricity: f64,
    periods: f64,
    steps_per_period: f64,
) -> [f64; 10] {
    let period = 2.0 * std::f64::consts::PI;
    let mut problem = kepler();
    let mut x = pericenter(eccentricity);
    let mut energy = Energy {
        end: periods * period,
        errors: [0.0; 10],
    };
    let options = Options {
        step: Some(period / steps_per_period),
        ..Options::default()
    };
    Integrator::<f64, M>::new(&problem)
        .run(
            &mut problem,
            &mut x,
            &[0.0, periods * period],
            &options,
            &mut energy,
        )
        .expect("a solve");
    energy.errors
}

/// Kick-drift-kick with 200 steps a period at eccentricity 0.6 errs by 0.007352 of the energy at most, in ten
/// periods and in a thousand (an independent program's run).
#[test]
fn verlet_keeps_the_energy_error_of_the_first_orbits() {
    for periods in [10.0, 1000.0] {
        let errors = energy_errors::<Verlet<f64>>(0.6, periods, 200.0);
        let error = largest(errors);
        assert!((error - 0.007352).abs() < 2e-5, "{error}");
    }
}

/// Over a thousand orbits the last hundred err no more than the first.
fn energy_does_not_drift<M: Method<f64, Problem>>(expected: f64) {
    let errors = energy_errors::<M>(0.5, 1000.0, 100.0);
    let (first, last) = (errors[0], errors[9]);
    assert!(last < 1.02 * first, "{first:e} to {last:e}");
    assert!(first < expected && first > 0.1 * expected, "{first:e}");
}

#[test]
fn no_drift_verlet() {
    energy_does_not_drift::<Verlet<f64>>(2e-2);
}

#[test]
fn no_drift_yoshida4() {
    energy_does_not_drift::<Yoshida4<f64>>(4e-4);
}

#[test]
fn no_drift_yoshida6() {
    energy_does_not_drift::<Yoshida6<f64>>(2e-6);
}

#[test]
fn no_drift_yoshida8() {
    energy_does_not_drift::<Yoshida8<f64>>(1e-10);
}

#[test]
fn no_drift_implicit_midpoint() {
    energy_does_not_drift::<ImplicitMidpoint<f64>>(2e-2);
}

/// Which is not for want of accuracy: the classical method drifts.
#[test]
fn rk4_drifts() {
    let errors = energy_errors::<Rk4<f64>>(0.6, 100.0, 200.0);
    assert!(errors[9] > 5.0 * errors[0], "{errors:?}");
}

/// Back over the same steps leads to the start, to rounding.
fn is_reversible<M: Method<f64, Problem>>() {
    let mut problem = kepler();
    let start = pericenter(0.5);
    let mut x = start;
    let options = Options {
        step: Some(0.05),
        ..Options::default()
    };
    let mut integrator = Integrator::<f64, M>::new(&problem);
    for times in [[0.0, 50.0], [50.0, 0.0]] {
        integrator
            .run(&mut problem, &mut x, &times, &options, &mut NoRecord)
            .expect("a solve");
    }
    let error = largest((0..4).map(|i| x[i] - start[i]));
    // a thousand steps of 1e-16, amplified by shear along the orbit
    assert!(error < 1e-10, "{error:e}");
}

#[test]
fn all_are_reversible() {
    is_reversible::<Verlet<f64>>();
    is_reversible::<Yoshida4<f64>>();
    is_reversible::<Yoshida6<f64>>();
    is_reversible::<Yoshida8<f64>>();
    is_reversible::<ImplicitMidpoint<f64>>();
}

/// Weights are symmetric, of sum 1, and the sums of their odd powers below the order vanish.
#[test]
fn compositions() {
    use costate_solvers::symplectic::{yoshida4, yoshida6, yoshida8};
    for (weights, order) in [
        (&yoshida4::WEIGHTS[..], 4),
        (&yoshida6::WEIGHTS[..], 6),
        (&yoshida8::WEIGHTS[..], 8),
    ] {
        let power = |m: i32| weights.iter().map(|w| w.powi(m)).sum::<f64>();
        assert!((power(1) - 1.0).abs() < 1e-15);
        for m in (3..order).step_by(2) {
            assert!(power(m).abs() < 1e-14, "{m}: {:e}", power(m));
        }
        assert!(weights.iter().eq(weights.iter().rev()));
    }
}

#[test]
fn positions_are_found() {
    let of =
        |n: usize, entries: &[(usize, usize)]| positions(&Pattern::from_entries(n, n, entries));
    // velocities first are positions by name, which changes nothing but names
    assert_eq!(of(2, &[(0, 1), (1, 0)]), Ok(vec![true, false]));
    assert_eq!(
        of(4, &[(0, 2), (1, 3), (2, 0), (2, 1), (3, 1)]),
        Ok(vec![true, true, false, false])
    );
    // two components and a state by itself
    assert_eq!(
        of(5, &[(3, 0), (4, 2)]),
        Ok(vec![true, true, true, false, false])
    );
    let refused = |state, other| Err(SolveError::NotSeparable { state, other });
    assert_eq!(of(2, &[(0, 1), (1, 0), (1, 1)]), refused(1, 1));
    // a ring of three
    let ring = of(3, &[(1, 0), (2, 1), (0, 2)]);
    assert!(matches!(ring, Err(SolveError::NotSeparable { state, other }) if state != other));
}

#[test]
fn what_does_not_split_is_refused() {
    let mut problem = van_der_pol();
    let options = Options {
        step: Some(0.1),
        ..Options::default()
    };
    let result = Integrator::<f64, Verlet<f64>>::new(&problem).run(
        &mut problem,
        &mut [2.0, 0.0],
        &[0.0, 1.0],
        &options,
        &mut NoRecord,
    );
    assert!(matches!(result, Err(SolveError::NotSeparable { .. })));
}

/// Euler's rigid body keeps two quadratic forms, exactly but for rounding, at any step size.
#[test]
fn implicit_midpoint_keeps_quadratic_invariants() {
    let mut problem = Problem::new(
        3,
        |_, x, dx| {
            dx[0] = -2.0 * x[1] * x[2];
            dx[1] = 1.25 * x[0] * x[2];
            dx[2] = -0.5 * x[0] * x[1];
        },
        |_, x, j| {
            j.copy_from_slice(&[
                0.0,
                1.25 * x[2],
                -0.5 * x[1],
                -2.0 * x[2],
                0.0,
                -0.5 * x[0],
                -2.0 * x[1],
                1.25 * x[0],
                0.0,
            ]);
        },
        none,
    );
    let invariants = |x: &[f64; 3]| {
        [
            1.25 * x[0] * x[0] + 2.0 * x[1] * x[1],
            0.5 * x[1] * x[1] + 1.25 * x[2] * x[2],
        ]
    };
    let mut x = [1.0, 0.0, 0.9];
    let before = invariants(&x);
    let options = Options {
        step: Some(0.25),
        ..Options::default()
    };
    let statistics = Integrator::<f64, ImplicitMidpoint<f64>>::new(&problem)
        .run(
            &mut problem,
            &mut x,
            &[0.0, 1000.0],
            &options,
            &mut NoRecord,
        )
        .expect("a solve");
    let after = invariants(&x);
    // 4000 steps, each rounded
    assert!(largest((0..2).map(|k| after[k] - before[k])) < 1e-12);
    assert!(statistics.newton_iterations < 8 * statistics.steps);
}

/// An oscillation far too fast for the step keeps its energy: A-stable, and nothing is damped.
#[test]
fn implicit_midpoint_is_stable_without_damping() {
    let mut problem = Problem::new(
        2,
        |_, x, dx| {
            dx[0] = 1e4 * x[1];
            dx[1] = -1e4 * x[0];
        },
        |_, _, j| j.copy_from_slice(&[0.0, -1e4, 1e4, 0.0]),
        none,
    );
    let mut x = [1.0, 0.0];
    let options = Options {
        step: Some(0.1),
        ..Options::default()
    };
    Integrator::<f64, ImplicitMidpoint<f64>>::new(&problem)
        .run(&mut problem, &mut x, &[0.0, 100.0], &options, &mut NoRecord)
        .expect("a solve");
    assert!((x[0].hypot(x[1]) - 1.0).abs() < 1e-10);
}

/// x^2 + 1 = 0 in disguise: no solution, and the iteration says so.
#[test]
fn implicit_midpoint_without_a_solution() {
    let mut problem = Problem::new(
        1,
        |_, x, dx| dx[0] = x[0] * x[0] + 1.0,
        |_, x, j| j[0] = 2.0 * x[0],
        none,
    );
    let options = Options {
        step: Some(10.0),
        ..Options::default()
    };
    let result = Integrator::<f64, ImplicitMidpoint<f64>>::new(&problem).run(
        &mut problem,
        &mut [1.0],
        &[0.0, 10.0],
        &options,
        &mut NoRecord,
    );
    assert!(
        matches!(result, Err(SolveError::NotConverged { state: 0, .. })),
        "{result:?}"
    );
}
