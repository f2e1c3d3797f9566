//! The guarded `ode_solvers`, and the defects of the raw crate (0.6.2) that the guards are for. A raw test
//! that fails means that upstream mended the defect: drop the guard.

use std::panic::{AssertUnwindSafe, catch_unwind};

use costate_solvers::peers::{Peer, solve};
use costate_solvers::{Options, SolveError, Tolerance};
use ode_solvers::dop_shared::OutputType;
use ode_solvers::{DVector, Dop853, Dopri5};

use crate::problems::{
    Problem, coupled, coupled_solution, largest, lotka_volterra, none, reference, slope, tolerance,
};

type Raw = fn(f64, &DVector<f64>, &mut DVector<f64>);

struct Function(Raw);

impl ode_solvers::System<f64, DVector<f64>> for Function {
    fn system(&self, t: f64, x: &DVector<f64>, dx: &mut DVector<f64>) {
        (self.0)(t, x, dx);
    }
}

fn one(x: f64) -> DVector<f64> {
    DVector::from_vec(vec![x])
}

/// Error at t = 1 of x' = cos t by the raw DOP853 in steps of at most h.
fn raw_dop853_error(h: f64) -> f64 {
    let mut solver = Dop853::from_param(
        Function(|t, _, dx| dx[0] = t.cos()),
        0.0,
        1.0,
        1.0,
        one(0.0),
        1e10,
        1e10,
        0.9,
        0.0,
        0.333,
        6.0,
        h,
        h,
        100_000,
        1000,
        OutputType::Sparse,
    );
    solver.integrate().expect("a solve");
    let end = solver.y_out().last().expect("a state")[0];
    (end - 1f64.sin()).abs()
}

#[test]
fn raw_dop853_has_order_one_where_f_depends_on_t() {
    let points: Vec<(f64, f64)> = [0.2f64, 0.1, 0.05]
        .iter()
        .map(|&h| (h.ln(), raw_dop853_error(h).ln()))
        .collect();
    let observed = slope(&points);
    assert!((observed - 1.0).abs() < 0.3, "{observed}");
}

type RawResult = Option<(Vec<f64>, f64)>;

/// The raw DOPRI5 on x' = -x from x = 1: times put out and the last state. `None`: it panicked.
fn raw_decay(t0: f64, t1: f64, dx: f64, output: OutputType) -> RawResult {
    catch_unwind(AssertUnwindSafe(|| {
        let mut solver = Dopri5::new(
            Function(|_, x, dx| dx[0] = -x[0]),
            t0,
            t1,
            dx,
            one(1.0),
            1e-10,
            1e-10,
        );
        solver.set_output(output);
        solver.integrate().expect("a solve");
        let last = solver.y_out().last().expect("a state")[0];
        (solver.x_out().clone(), last)
    }))
    .ok()
}

#[test]
fn raw_dense_output_spoils_its_last_point() {
    let (times, dense) = raw_decay(0.0, 1.0, 0.1, OutputType::Dense).expect("output");
    assert_eq!(times.last(), Some(&1.0));
    let (_, sparse) = raw_decay(0.0, 1.0, 0.1, OutputType::Sparse).expect("output");
    let [dense, sparse] = [dense, sparse].map(|x| (x - (-1.0f64).exp()).abs());
    assert!(sparse < 1e-10 && dense > 1e-9, "{sparse:e} {dense:e}");
}

#[test]
fn raw_dense_output_fails_for_negative_times() {
    // from -1 to -0.5 in tenths are six points (other spans make it loop for ever)
    let result = raw_decay(-1.0, -0.5, 0.1, OutputType::Dense);
    assert!(
        result.as_ref().is_none_or(|(times, _)| times.len() < 6),
        "{result:?}"
    );
}

#[test]
fn raw_backward_panics() {
    assert_eq!(raw_decay(1.0, 0.0, 0.1, OutputType::Dense), None);
}

fn both() -> [Peer; 2] {
    [Peer::Dopri5, Peer::Dop853]
}

#[test]
fn guarded_is_right_where_f_depends_on_t() {
    for peer in both() {
        for times in [[-0.5, 1.0], [1.0, -0.5], [-2.0, -1.0]] {
            let samples: Vec<f64> = (0..=8)
                .map(|k| times[0] + (times[1] - times[0]) * f64::from(k) / 8.0)
                .collect();
            let solution = solve(
                peer,
                &mut coupled(),
                &coupled_solution(times[0]),
                &times,
                &samples,
                &tolerance(1e-10, 1e-10),
            )
            .expect("a solve");
            assert_eq!(solution.samples.len(), samples.len());
            for (x, &t) in solution.samples.iter().zip(&samples) {
                let exact = coupled_solution(t);
                let error = largest((0..2).map(|i| x[i] - exact[i]));
                assert!(error < 1e-7, "{peer:?}: {error:e} at {t}");
            }
            assert_eq!(solution.samples.last(), Some(&solution.last));
        }
    }
}

#[test]
fn guarded_agrees_with_the_reference() {
    let rows = reference(include_str!("../data/lotka_volterra.txt"));
    let samples: Vec<f64> = rows.iter().map(|(t, _)| *t).collect();
    for peer in both() {
        let options = Options {
            rtol: 1e-11,
            atol: Tolerance::PerState(vec![1e-11, 2e-11]),
            ..Options::default()
        };
        let solution = solve(
            peer,
            &mut lotka_volterra(),
            &[1.0, 1.0],
            &[0.0, 10.0],
            &samples,
            &options,
        )
        .expect("a solve");
        for (x, (t, exact)) in solution.samples.iter().zip(&rows) {
            let error = largest((0..2).map(|i| x[i] - exact[i]));
            assert!(error < 1e-8, "{peer:?}: {error:e} at {t}");
        }
        assert!(solution.statistics.steps > 10);
    }
}

#[test]
fn guarded_fails_with_types() {
    let ends = Problem::new(
        1,
        |t, _, dx| dx[0] = if t > 1.0 { f64::NAN } else { 1.0 },
        |_, _, j| j[0] = 0.0,
        none,
    );
    for peer in both() {
        let options = Options::default();
        let run = |problem: &Problem, times: &[f64], samples: &[f64], options: &Options| {
            solve(
                peer,
                &mut problem.clone(),
                &vec![0.5; problem.n],
                times,
                samples,
                options,
            )
        };
        let result = run(&ends, &[0.0, 2.0], &[], &options);
        assert!(
            matches!(result, Err(SolveError::NotFinite { state: 0, t, .. }) if (t - 1.0).abs() < 1e-6),
            "{result:?}"
        );
        let result = run(&ends, &[1.5, 2.0], &[], &options);
        assert!(matches!(result, Err(SolveError::NotFinite { .. })));
        let few = Options {
            max_steps: 5,
            max_step: 1e-3,
            ..options.clone()
        };
        let result = run(&coupled(), &[0.0, 1.0], &[], &few);
        assert!(matches!(
            result,
            Err(SolveError::TooManySteps { limit: 5, .. })
        ));
        for (times, samples) in [
            (vec![], vec![]),
            (vec![0.0, f64::NAN], vec![]),
            (vec![0.0, 1.0], vec![2.0]),
            (vec![0.0, 1.0], vec![0.5, 0.2]),
        ] {
            let result = run(&coupled(), &times, &samples, &options);
            assert!(matches!(result, Err(SolveError::Invalid { .. })));
        }
        let zero = Options {
            atol: Tolerance::Uniform(0.0),
            ..options.clone()
        };
        let result = run(&coupled(), &[0.0, 1.0], &[], &zero);
        assert!(result.is_ok() || matches!(result, Err(SolveError::Invalid { .. })));
        let still = run(&coupled(), &[1.0, 1.0], &[1.0, 1.0], &options).expect("nothing to do");
        assert_eq!(still.samples, vec![vec![0.5, 0.5]; 2]);
    }
}
