//! `AutoSwitch`: it knows stiffness when it meets it, and nothing of it where there is none.

use costate_solvers::{
    AutoSwitch, Dop853, Dopri5, Integrator, Mesh, Method, NoRecord, Options, Recorder, Rodas5P,
    Samples, SolveError, Statistics, StepView, Switch, Trajectory, Tsit5, Vern7, Vern9,
};

use crate::grids::Grid;
use crate::non_stiff::pleiades;
use crate::problems::{
    Problem, largest, lotka_volterra, reference, robertson, stiff_van_der_pol, tolerance,
    van_der_pol,
};
use crate::stiff_problems::{E5, Model, stiff};

type Auto = AutoSwitch<f64>;

fn solve<M: Method<f64, Problem>>(
    problem: &Problem,
    x: &mut [f64],
    end: f64,
    options: &Options,
    recorder: &mut impl Recorder<f64>,
) -> (Statistics, Vec<Switch>) {
    let mut integrator = Integrator::<f64, M>::new(problem);
    let statistics = integrator
        .run(&mut problem.clone(), x, &[0.0, end], options, recorder)
        .expect("a solve");
    (
        statistics,
        Method::<f64, Problem>::switches(integrator.method()).to_vec(),
    )
}

/// Steps made before time t.
struct Count(Vec<f64>);
impl Recorder<f64> for Count {
    fn reads_inside(&self, _t: f64, _t_new: f64) -> bool {
        false
    }
    fn accepted(&mut self, step: &StepView<'_, f64>) -> bool {
        self.0.push(step.t_new);
        true
    }
}

/// Once the transient is over the problem is stiff for good, at any tolerance: one switch, early.
#[test]
fn robertson_turns_stiff_early() {
    for rtol in [1e-3, 1e-6, 1e-9] {
        let problem = robertson();
        let options = tolerance(rtol, rtol * 1e-6);
        let mut count = Count(Vec::new());
        let start = [1.0, 0.0, 0.0];
        let mut x = start;
        let (auto, switches) = solve::<Auto>(&problem, &mut x, 4e4, &options, &mut count);
        let [Switch { t, to_stiff, .. }] = switches[..] else {
            panic!("{rtol:e}: {switches:?}")
        };
        let explicit_steps = count.0.iter().filter(|&&end| end <= t).count();
        assert!(
            to_stiff && t < 2.0 && explicit_steps < 1500,
            "{rtol:e}: {t} {explicit_steps}"
        );
        let (stiff, _) =
            solve::<Rodas5P<f64>>(&problem, &mut start.clone(), 4e4, &options, &mut NoRecord);
        assert!(
            auto.steps < 3 * stiff.steps,
            "{rtol:e}: {} of {}",
            auto.steps,
            stiff.steps
        );
        let exact = &reference(include_str!("../data/rober.txt"))[5].1;
        let error = largest((0..3).map(|i| (x[i] - exact[i]) / (exact[i] + 1e-6)));
        assert!(error < 100.0 * rtol, "{rtol:e}: {error:e}");
    }
}

/// E5's states differ by eight orders of magnitude: sizes are seen in units of the tolerance.
#[test]
fn e5_turns_stiff_early() {
    for rtol in [1e-4, 1e-7, 1e-10] {
        let options = tolerance(rtol, rtol * 1e-13);
        let mut x = E5::START.to_vec();
        let (statistics, switches) =
            solve::<Auto>(&stiff::<E5>(), &mut x, 1e3, &options, &mut NoRecord);
        assert_eq!(switches.len(), 1);
        assert!(
            switches[0].t < 0.01 && statistics.steps < 400,
            "{statistics:?}"
        );
    }
}

/// Where accuracy limits the steps they are those of Tsit5, to the last bit.
#[test]
fn problems_that_are_not_stiff_are_left_to_tsit5() {
    let (bodies, seven) = pleiades();
    for digits in 3..=10 {
        let tol = 10f64.powi(-digits);
        let options = tolerance(tol, tol);
        for (problem, start, end) in [
            (lotka_volterra(), vec![1.0, 1.0], 100.0),
            (van_der_pol(), vec![2.0, 0.0], 50.0),
            (bodies.clone(), seven.clone(), 3.0),
        ] {
            let (mut x, mut y) = (start.clone(), start);
            let mut recorders = [Trajectory::new(), Trajectory::new()];
            let (auto, switches) =
                solve::<Auto>(&problem, &mut x, end, &options, &mut recorders[0]);
            let (plain, _) =
                solve::<Tsit5<f64>>(&problem, &mut y, end, &options, &mut recorders[1]);
            assert!(switches.is_empty(), "{tol:e}: {switches:?}");
            assert_eq!(x, y);
            assert_eq!((auto.steps, auto.rejected), (plain.steps, plain.rejected));
            // one difference of f every four steps
            let probes = auto.rhs_evaluations - plain.rhs_evaluations;
            assert!(probes <= auto.steps / 4 + 1, "{probes} of {}", auto.steps);
            assert!((0..auto.steps).all(|k| recorders[0].state(k) == recorders[1].state(k)));
        }
    }
}

/// Slow stretches are stiff, the jumps between them are not.
#[test]
fn van_der_pol_goes_forth_and_back() {
    let rows = reference(include_str!("../data/vdpol.txt"));
    for rtol in [1e-3, 1e-6, 1e-9] {
        let mut samples = Samples::new(rows.iter().map(|(t, _)| *t).collect()).expect("samples");
        let mut x = [2.0, 0.0];
        let problem = stiff_van_der_pol();
        let options = tolerance(rtol, rtol * 1e-2);
        let (auto, switches) = solve::<Auto>(&problem, &mut x, 2000.0, &options, &mut samples);
        let (stiff, _) =
            solve::<Rodas5P<f64>>(&problem, &mut [2.0, 0.0], 2000.0, &options, &mut NoRecord);
        assert!(
            switches
                .iter()
                .zip(0..)
                .all(|(s, k)| s.to_stiff == (k % 2 == 0))
        );
        assert!(
            switches[0].t < 1.0 && switches.len() % 2 == 1,
            "{switches:?}"
        );
        assert_eq!(switches.len() > 1, rtol < 1e-3, "{switches:?}");
        assert!(
            2 * auto.steps < 3 * stiff.steps,
            "{} of {}",
            auto.steps,
            stiff.steps
        );
        for (k, (t, exact)) in rows.iter().enumerate() {
            let state = samples.state(k);
            let error = largest((0..2).map(|i| (state[i] - exact[i]) / (exact[i].abs() + 1e-2)));
            assert!(error < 100.0 * rtol, "{rtol:e}: {error:e} at {t}");
        }
    }
}

/// x' = -1000 (x - sin t) + cos t from sin(0): samples between steps, in the explicit part and in the stiff one.
#[test]
fn dense_output_is_right_in_both_parts() {
    let problem = Problem::new(
        1,
        |t, x, dx| dx[0] = -1e3 * (x[0] - t.sin()) + t.cos(),
        |_, _, j| j[0] = -1e3,
        |t, _, ft| ft[0] = 1e3 * t.cos() - t.sin(),
    );
    let times: Vec<f64> = (0..=2000).map(|k| f64::from(k) * 1e-3).collect();
    let samples = Samples::new(times).expect("samples");
    let mesh = Mesh::default();
    let mut recorder = (samples, mesh);
    let options = tolerance(1e-7, 1e-7);
    let (_, switches) = solve::<Auto>(&problem, &mut [0.0], 2.0, &options, &mut recorder);
    let (samples, mesh) = recorder;
    assert_eq!(switches.len(), 1);
    assert!(switches[0].t > 0.02 && switches[0].t < 1.0, "{switches:?}");
    for (k, t) in samples.times().iter().enumerate() {
        let error = (samples.state(k)[0] - t.sin()).abs();
        assert!(error < 1e-6, "{error:e} at {t}");
    }
    assert!(mesh.steps.iter().any(|s| s.mode == 1) && mesh.steps.iter().any(|s| s.mode == 2));
}

/// A mesh says which method made each step: a replay keeps to it whatever its tolerances.
#[test]
fn replays_keep_to_the_methods_of_the_mesh() {
    let problem = stiff_van_der_pol();
    let options = tolerance(1e-6, 1e-8);
    let mut mesh = Mesh::default();
    let (mut x, mut y) = ([2.0, 0.0], [2.0, 0.0]);
    let (solved, switches) = solve::<Auto>(&problem, &mut x, 2000.0, &options, &mut mesh);
    assert!(switches.len() > 2);
    let mut integrator = Integrator::<f64, Auto>::new(&problem);
    let replayed = integrator
        .replay(
            &mut problem.clone(),
            &mut y,
            &[0.0, 2000.0],
            &mesh,
            &tolerance(1e-2, 1.0),
            &mut NoRecord,
        )
        .expect("a replay");
    assert_eq!(x, y);
    assert_eq!(solved.switches, replayed.switches);
    let again = <Auto as Method<f64, Problem>>::switches(integrator.method());
    assert!(again.iter().zip(&switches).all(|(a, b)| a.t == b.t));
}

/// Explicit methods meet the stiff oscillator, and say so when asked, near their stability bounds.
#[test]
fn stiffness_is_reported() {
    fn reports<M: Method<f64, Problem>>() {
        let mut problem = stiff_van_der_pol();
        let mut x = [2.0, 0.0];
        let options = Options {
            stiffness_test: true,
            ..Options::default()
        };
        let result = Integrator::<f64, M>::new(&problem).run(
            &mut problem,
            &mut x,
            &[0.0, 500.0],
            &options,
            &mut NoRecord,
        );
        let Err(SolveError::Stiff {
            t,
            step_times_eigenvalue: product,
        }) = result
        else {
            panic!("{result:?}")
        };
        assert!(t < 1.0 && product > M::STABILITY_BOUND && product < 3.0 * M::STABILITY_BOUND);
    }
    reports::<Tsit5<f64>>();
    reports::<Dopri5<f64>>();
    reports::<Vern7<f64>>();
    reports::<Dop853<f64>>();
    reports::<Vern9<f64>>();
}

/// And are not fooled where accuracy limits the step.
#[test]
fn no_stiffness_is_seen_in_the_mild_oscillator() {
    fn is_calm<M: Method<f64, Problem>>() {
        let options = Options {
            stiffness_test: true,
            ..tolerance(1e-8, 1e-8)
        };
        solve::<M>(
            &van_der_pol(),
            &mut [2.0, 0.0],
            100.0,
            &options,
            &mut NoRecord,
        );
    }
    is_calm::<Tsit5<f64>>();
    is_calm::<Dopri5<f64>>();
    is_calm::<Vern7<f64>>();
    is_calm::<Dop853<f64>>();
    is_calm::<Vern9<f64>>();
}

fn on_a_grid<M: Method<f64, Grid>>(
    side: usize,
    diffusion: f64,
    end: f64,
) -> (Statistics, Vec<f64>, usize) {
    let mut grid = Grid::new(side, diffusion, true);
    let mut x = grid.start();
    let mut integrator = Integrator::<f64, M>::new(&grid);
    let statistics = integrator
        .run(
            &mut grid,
            &mut x,
            &[0.0, end],
            &tolerance(1e-6, 1e-8),
            &mut NoRecord,
        )
        .expect("a solve");
    let switches = Method::<f64, Grid>::switches(integrator.method()).len();
    (statistics, x, switches)
}

/// A grid is stiff, mildly: steps could be some times as long, and would cost dozens of explicit ones each. A few are tried.
#[test]
fn stiff_steps_that_do_not_pay_are_given_up() {
    let (auto, x, switches) = on_a_grid::<Auto>(16, 0.02, 1.0);
    let (plain, y, _) = on_a_grid::<Tsit5<f64>>(16, 0.02, 1.0);
    let (stiff, _, _) = on_a_grid::<Rodas5P<f64>>(16, 0.02, 1.0);
    assert!(
        auto.factorizations < stiff.factorizations / 3,
        "{auto:?} {stiff:?}"
    );
    assert!(auto.steps < plain.steps * 6 / 5, "{auto:?} {plain:?}");
    assert_eq!(switches % 2, 0);
    assert!(largest(x.iter().zip(&y).map(|(x, y)| x - y)) < 1e-5);
}

/// Where they pay, they are gone on with.
#[test]
fn stiff_steps_that_pay_are_kept() {
    let (auto, _, switches) = on_a_grid::<Auto>(16, 50.0, 10.0);
    let (stiff, _, _) = on_a_grid::<Rodas5P<f64>>(16, 50.0, 10.0);
    assert_eq!(switches, 1, "{auto:?}");
    // twelve tries' worth of explicit steps come before, no more
    assert!(auto.steps < stiff.steps + 3000, "{auto:?} {stiff:?}");
}
