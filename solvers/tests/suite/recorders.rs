//! Samples, stop flags and pairs.

use std::sync::atomic::AtomicBool;

use costate_solvers::method::Recorder;
use costate_solvers::{
    Integrator, Mesh, NoRecord, Options, Samples, SolveError, Statistics, StopFlag, Tsit5,
};

use crate::problems::{Problem, coupled, coupled_solution, largest, tolerance};

fn solve<R: Recorder<f64>>(
    times: &[f64],
    recorder: &mut R,
) -> (Result<Statistics, SolveError>, [f64; 2]) {
    let mut problem: Problem = coupled();
    let mut x = coupled_solution(times[0]);
    let result = Integrator::<f64, Tsit5<f64>>::new(&problem).run(
        &mut problem,
        &mut x,
        times,
        &tolerance(1e-9, 1e-9),
        recorder,
    );
    (result, x)
}

#[test]
fn samples_on_step_ends_are_the_states_there() {
    let mut first = costate_solvers::Trajectory::new();
    solve(&[0.0, 0.4, 1.0], &mut first).0.expect("a solve");
    let mut wanted: Vec<f64> = first.steps().iter().map(|s| s.t).collect();
    wanted.push(1.0);
    let mut recorder = (
        Samples::new(wanted).expect("samples"),
        costate_solvers::Trajectory::new(),
    );
    let (result, x) = solve(&[0.0, 0.4, 1.0], &mut recorder);
    let steps = result.expect("a solve").steps;
    let (samples, trajectory) = recorder;
    assert_eq!(samples.len(), steps + 1);
    for k in 0..=steps {
        assert_eq!(samples.state(k), trajectory.state(k));
    }
    assert_eq!(samples.state(steps), x);
    assert_eq!(samples.places()[0].theta, 0.0);
    assert!(samples.places()[1..].iter().all(|p| p.theta == 1.0));
    assert!(
        samples.places()[1..]
            .iter()
            .zip(0..)
            .all(|(p, k)| p.step == k)
    );
}

#[test]
fn repeated_and_first_and_last_samples() {
    let wanted = vec![0.0, 0.0, 0.3, 0.3, 0.3, 1.0, 1.0];
    let mut samples = Samples::new(wanted.clone()).expect("samples");
    for _ in 0..2 {
        let (result, _) = solve(&[0.0, 1.0], &mut samples);
        result.expect("a solve");
        assert_eq!(samples.len(), wanted.len());
        for (k, &t) in wanted.iter().enumerate() {
            let exact = coupled_solution(t);
            let error = largest((0..2).map(|i| samples.state(k)[i] - exact[i]));
            assert!(error < 1e-7, "{error:e} at {t}");
        }
        assert_eq!(samples.state(2), samples.state(4));
    }
    samples.clear();
    assert!(samples.is_empty() && samples.values().is_empty());
    assert!(samples.state(0).is_empty());
}

/// Where a sample lies is told well enough to interpolate it again.
#[test]
fn places_locate_the_samples() {
    let wanted: Vec<f64> = (0..50).map(|k| k as f64 / 50.0).collect();
    let mut recorder = (
        Samples::new(wanted).expect("samples"),
        costate_solvers::Trajectory::new(),
    );
    solve(&[0.0, 0.7, 1.0], &mut recorder).0.expect("a solve");
    let (samples, trajectory) = recorder;
    for (time, place) in samples.times().iter().zip(samples.places()) {
        let step = trajectory.steps()[place.step];
        assert!((step.t + place.theta * step.h - time).abs() < 1e-15);
    }
}

#[test]
fn samples_outside_the_span_are_refused() {
    for wanted in [vec![-0.1, 0.5], vec![0.5, 1.1], vec![0.9, 0.1]] {
        let mut samples = Samples::new(wanted).expect("samples");
        let (result, x) = solve(&[0.0, 1.0], &mut samples);
        assert!(matches!(result, Err(SolveError::Invalid { .. })));
        assert_eq!(x, coupled_solution(0.0));
    }
}

#[test]
fn a_raised_flag_stops_the_solve() {
    let flag = AtomicBool::new(true);
    let mut mesh = Mesh::default();
    let (result, _) = solve(&[0.0, 1.0], &mut (&mut mesh, StopFlag(&flag)));
    assert!(matches!(result, Err(SolveError::Stopped { t }) if t > 0.0 && t < 1.0));
    assert_eq!(mesh.steps.len(), 1);
}

/// A recorder changes nothing of what it watches.
#[test]
fn recorders_only_watch() {
    let plain = solve(&[0.0, 1.0], &mut NoRecord);
    let watched = solve(
        &[0.0, 1.0],
        &mut (Mesh::default(), Samples::new(vec![0.5]).expect("samples")),
    );
    assert_eq!(plain, watched);
    assert_eq!(Options::default().max_steps, 1_000_000);
}

/// A sample at the very start of a step must not hide those inside it from dense output made on demand.
#[test]
fn samples_at_the_start_and_inside_of_one_step() {
    let inside = |times: &[f64]| Recorder::<f64>::reads_inside(&started(times), 0.0, 1.0);
    assert!(inside(&[0.0, 0.5]) && inside(&[0.0, 0.0, 0.5, 2.0]) && inside(&[0.5]));
    assert!(!inside(&[0.0]) && !inside(&[0.0, 1.0]) && !inside(&[1.0]) && !inside(&[2.0]));
}

fn started(times: &[f64]) -> Samples<f64> {
    let mut samples = Samples::new(times.to_vec()).expect("samples");
    samples.started(&[0.0, 2.0], &[0.0]).expect("a start");
    samples
}
