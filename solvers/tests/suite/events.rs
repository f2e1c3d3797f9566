//! Hybrid systems: crossings found, located to rounding, and jumped at.

use costate_solvers::{
    Action, Bdf, Bs3, Direction, Dop853, Hybrid, Integrator, KenCarp4, Method, Options, Pattern,
    Radau5, Recorder, Rodas5P, Samples, SolveError, Statistics, StepView, Tsit5, Vern9,
};

use crate::problems::{Problem, none, tolerance};

type Root = fn(f64, &[f64]) -> f64;
type Guard = fn(f64, &[f64]) -> bool;
type Reset = fn(f64, &mut [f64]) -> Action;

/// Events by function pointers, with a log of what fired when.
#[derive(Clone, Default)]
struct Machine {
    roots: Vec<(Root, Direction)>,
    guards: Vec<Option<Guard>>,
    reset: Vec<Reset>,
    stops: Vec<(usize, Reset)>,
    log: Vec<(f64, Vec<usize>)>,
}

impl Machine {
    fn with(mut self, root: Root, direction: Direction, reset: Reset) -> Self {
        self.roots.push((root, direction));
        self.guards.push(None);
        self.reset.push(reset);
        self
    }
    fn guarded(mut self, guard: Guard) -> Self {
        *self.guards.last_mut().expect("a root") = Some(guard);
        self
    }
}

impl Hybrid<f64> for Machine {
    fn roots(&self) -> usize {
        self.roots.len()
    }
    fn direction(&self, root: usize) -> Direction {
        self.roots[root].1
    }
    fn root_values(&mut self, t: f64, x: &[f64], g: &mut [f64]) {
        for (g, (root, _)) in g.iter_mut().zip(&self.roots) {
            *g = root(t, x);
        }
    }
    fn armed(&mut self, root: usize, t: f64, x: &[f64]) -> bool {
        self.guards[root].is_none_or(|guard| guard(t, x))
    }
    fn at_roots(&mut self, t: f64, roots: &[usize], x: &mut [f64]) -> Action {
        self.log.push((t, roots.to_vec()));
        let mut action = Action::Continue;
        for &root in roots {
            match self.reset[root](t, x) {
                Action::Continue => {}
                other => action = other,
            }
        }
        action
    }
    fn at_stop(&mut self, stop: usize, t: f64, x: &mut [f64]) -> Action {
        let due = self.stops.iter().find(|(at, _)| *at == stop);
        match due {
            Some((_, reset)) => reset(t, x),
            None => Action::Continue,
        }
    }
}

fn run<M: Method<f64, Problem>>(
    problem: &mut Problem,
    x: &mut [f64],
    times: &[f64],
    options: &Options,
    machine: &mut Machine,
    recorder: &mut impl Recorder<f64>,
) -> Result<Statistics, SolveError> {
    Integrator::<f64, M>::new(problem).run_hybrid(problem, x, times, options, recorder, machine)
}

/// Keeps nothing, but wants to read every step.
struct Ends(Vec<f64>);
impl Recorder<f64> for Ends {
    fn accepted(&mut self, step: &StepView<'_, f64>) -> bool {
        self.0.push(step.t_new);
        true
    }
}

/// y' = v, v' = -9.81
fn ball() -> Problem {
    Problem::new(
        2,
        |_, x, dx| {
            dx[0] = x[1];
            dx[1] = -9.81;
        },
        |_, _, j| j.copy_from_slice(&[0.0, 0.0, 1.0, 0.0]),
        none,
    )
}

fn bouncing(reset: Reset) -> Machine {
    Machine::default().with(|_, x| x[0], Direction::Falling, reset)
}

fn bounce(_t: f64, x: &mut [f64]) -> Action {
    x[1] *= -0.8;
    Action::Jumped
}

/// Six impacts to t = 3 from y = 1 at rest, g = 9.81, restitution 0.8. Closed form, 40 digits by mpmath.
fn six_bounces<M: Method<f64, Problem>>() {
    let mut machine = bouncing(bounce);
    let mut x = [1.0, 0.0];
    run::<M>(
        &mut ball(),
        &mut x,
        &[0.0, 3.0],
        &tolerance(1e-9, 1e-9),
        &mut machine,
        &mut Ends(Vec::new()),
    )
    .expect("a solve");
    assert_eq!(machine.log.len(), 6);
    assert!((x[0] - 0.068_707_460_965_765_72).abs() < 1e-12, "{}", x[0]);
    assert!((x[1] + 0.015_354_133_384_744_76).abs() < 1e-11, "{}", x[1]);
    // the first impact of a fall from 1: sqrt(2 / g), to the rounding of the tableau (rows sum to c within 1e-15)
    let first = (2.0f64 / 9.81).sqrt();
    assert!(
        (machine.log[0].0 - first).abs() < 1e-14,
        "{:?}",
        machine.log[0]
    );
}

#[test]
fn six_bounces_by_tsit5() {
    six_bounces::<Tsit5<f64>>();
}

#[test]
fn six_bounces_by_rodas5p() {
    six_bounces::<Rodas5P<f64>>();
}

/// The motion between impacts is a polynomial of degree 2: methods of that order and more are exact on it.
#[test]
fn six_bounces_by_other_families() {
    six_bounces::<Bs3<f64>>();
    six_bounces::<Dop853<f64>>();
    six_bounces::<Vern9<f64>>();
    six_bounces::<KenCarp4<f64>>();
    six_bounces::<Radau5<f64>>();
}

/// BDF starts at order 1 after each impact, and holds its local errors to the tolerance.
#[test]
fn six_bounces_by_bdf() {
    let mut machine = bouncing(bounce);
    let mut x = [1.0, 0.0];
    run::<Bdf<f64>>(
        &mut ball(),
        &mut x,
        &[0.0, 3.0],
        &tolerance(1e-9, 1e-9),
        &mut machine,
        &mut Ends(Vec::new()),
    )
    .expect("a solve");
    assert_eq!(machine.log.len(), 6);
    // derivatives of the final height up to 15 (by v), a few steps an arc: 100 times the tolerance
    assert!((x[0] - 0.068_707_460_965_765_72).abs() < 1e-7, "{}", x[0]);
}

/// The ball comes to rest after infinitely many impacts at sqrt(2/g) (1 + 2 e / (1 - e)).
#[test]
fn accumulating_events_are_reported_with_their_time() {
    let result = run::<Tsit5<f64>>(
        &mut ball(),
        &mut [1.0, 0.0],
        &[0.0, 10.0],
        &tolerance(1e-9, 1e-9),
        &mut bouncing(bounce),
        &mut Ends(Vec::new()),
    );
    let Err(SolveError::Zeno {
        t,
        event: 0,
        events,
    }) = result
    else {
        panic!("{result:?}")
    };
    assert!((t - 4.063_712_768_871_578).abs() < 1e-9, "{t}");
    assert!(events < 400, "{events}");
}

#[test]
fn a_terminal_event_ends_the_solve_there() {
    let mut samples = Samples::new(vec![0.1, 0.2, 1.0]).expect("samples");
    let mut x = [1.0, 0.0];
    run::<Tsit5<f64>>(
        &mut ball(),
        &mut x,
        &[0.0, 3.0],
        &Options::default(),
        &mut bouncing(|_, _| Action::Terminate),
        &mut samples,
    )
    .expect("a solve");
    assert_eq!(samples.len(), 2);
    assert!(x[0].abs() < 1e-15);
}

/// x' = 1 with roots that cross twice within any step the solver likes.
fn line() -> Problem {
    Problem {
        pattern: Pattern::from_entries(1, 1, &[]),
        ..Problem::new(1, |_, _, dx| dx[0] = 1.0, |_, _, _| {}, none)
    }
}

#[test]
fn two_crossings_in_one_step_are_both_found() {
    // g = (x - 3)^2 - w^2 for a dip from wide to a thousandth of the step
    for (width, root) in [
        (1.0, (|_, x| (x[0] - 3.0f64).powi(2) - 1.0) as Root),
        (0.1, |_, x| (x[0] - 3.0f64).powi(2) - 0.01),
        (0.01, |_, x| (x[0] - 3.0f64).powi(2) - 1e-4),
    ] {
        let mut machine = Machine::default().with(root, Direction::Both, |_, _| Action::Continue);
        let options = Options {
            first_step: Some(10.0),
            ..Options::default()
        };
        run::<Tsit5<f64>>(
            &mut line(),
            &mut [0.0],
            &[0.0, 10.0],
            &options,
            &mut machine,
            &mut Ends(Vec::new()),
        )
        .expect("a solve");
        let times: Vec<f64> = machine.log.iter().map(|l| l.0).collect();
        assert_eq!(times.len(), 2, "width {width}: {times:?}");
        assert!((times[0] - (3.0 - width)).abs() < 1e-13, "{times:?}");
        assert!((times[1] - (3.0 + width)).abs() < 1e-13, "{times:?}");
    }
}

/// For every method, see `conformance`.
pub fn an_event_at_the_end_of_a_step_fires_once<M: Method<f64, Problem>>() {
    // steps of exactly 1, the crossing at 2
    let mut machine =
        Machine::default().with(|t, _| t - 2.0, Direction::Both, |_, _| Action::Continue);
    let options = Options {
        step: Some(1.0),
        ..Options::default()
    };
    let mut ends = Ends(Vec::new());
    run::<M>(
        &mut line(),
        &mut [0.0],
        &[0.0, 4.0],
        &options,
        &mut machine,
        &mut ends,
    )
    .expect("a solve");
    assert_eq!(machine.log, [(2.0, vec![0])]);
    assert_eq!(ends.0, [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn a_root_that_starts_at_zero_fires_at_its_next_crossing_only() {
    // sin crosses zero at 0, pi, 2 pi, 3 pi
    let root: Root = |t, _| t.sin();
    for (direction, expected) in [
        (Direction::Both, vec![1.0, 2.0, 3.0]),
        (Direction::Falling, vec![1.0, 3.0]),
        (Direction::Rising, vec![2.0]),
    ] {
        let mut machine = Machine::default().with(root, direction, |_, _| Action::Jumped);
        run::<Tsit5<f64>>(
            &mut line(),
            &mut [0.0],
            &[0.0, 10.0],
            &Options::default(),
            &mut machine,
            &mut Ends(Vec::new()),
        )
        .expect("a solve");
        let turns: Vec<f64> = machine
            .log
            .iter()
            .map(|l| l.0 / std::f64::consts::PI)
            .collect();
        assert_eq!(turns.len(), expected.len(), "{direction:?}: {turns:?}");
        for (turn, expected) in turns.iter().zip(expected) {
            assert!((turn - expected).abs() < 1e-14, "{turns:?}");
        }
    }
}

#[test]
fn events_at_one_instant_fire_together_in_order() {
    let mut machine = Machine::default()
        .with(
            |t, _| t - 1.0,
            Direction::Both,
            |_, x| {
                x[0] += 1.0;
                Action::Jumped
            },
        )
        .with(
            |t, _| 3.0 * (1.0 - t),
            Direction::Falling,
            |_, x| {
                x[0] *= 10.0;
                Action::Jumped
            },
        );
    let mut x = [0.0];
    run::<Tsit5<f64>>(
        &mut line(),
        &mut x,
        &[0.0, 1.5],
        &Options::default(),
        &mut machine,
        &mut Ends(Vec::new()),
    )
    .expect("a solve");
    assert_eq!(machine.log.len(), 1);
    assert_eq!(machine.log[0].1, [0, 1]);
    // (1 + 1) 10 + 0.5
    assert!((x[0] - 20.5).abs() < 1e-13, "{}", x[0]);
}

#[test]
fn a_jump_that_carries_another_root_across_zero_fires_it_at_the_same_instant() {
    let mut machine = Machine::default()
        .with(
            |t, _| t - 1.0,
            Direction::Rising,
            |_, x| {
                x[0] += 10.0;
                Action::Jumped
            },
        )
        .with(
            |_, x| x[0] - 5.0,
            Direction::Rising,
            |_, x| {
                x[0] -= 100.0;
                Action::Jumped
            },
        );
    let mut x = [0.0];
    run::<Tsit5<f64>>(
        &mut line(),
        &mut x,
        &[0.0, 2.0],
        &Options::default(),
        &mut machine,
        &mut Ends(Vec::new()),
    )
    .expect("a solve");
    let fired: Vec<_> = machine.log.iter().map(|l| l.1.clone()).collect();
    assert_eq!(fired, [[0], [1]]);
    assert_eq!(machine.log[0].0, machine.log[1].0);
    assert!((x[0] - (2.0 + 10.0 - 100.0)).abs() < 1e-12, "{}", x[0]);
}

#[test]
fn a_guard_decides_at_the_crossing() {
    let mut machine = Machine::default()
        .with(|t, _| t.sin(), Direction::Both, |_, _| Action::Continue)
        .guarded(|t, _| t > 5.0);
    run::<Tsit5<f64>>(
        &mut line(),
        &mut [0.0],
        &[0.0, 10.0],
        &Options::default(),
        &mut machine,
        &mut Ends(Vec::new()),
    )
    .expect("a solve");
    assert_eq!(machine.log.len(), 2);
    assert!((machine.log[0].0 - std::f64::consts::TAU).abs() < 1e-14);
}

#[test]
fn time_events_fire_at_the_start_at_repeats_and_at_the_end() {
    let reset: Reset = |_, x| {
        x[0] += 1.0;
        Action::Jumped
    };
    let mut machine = Machine {
        stops: (0..4).map(|k| (k, reset)).collect(),
        ..Machine::default()
    };
    let mut x = [0.0];
    let statistics = run::<Tsit5<f64>>(
        &mut line(),
        &mut x,
        &[0.0, 1.0, 1.0, 2.0],
        &Options::default(),
        &mut machine,
        &mut Ends(Vec::new()),
    )
    .expect("a solve");
    assert_eq!(statistics.events, 4);
    assert!((x[0] - 6.0).abs() < 1e-14);
}

/// Backward in time the ball falls upward in t; the crossing is found all the same.
#[test]
fn events_are_found_backward_in_time() {
    let mut machine =
        Machine::default().with(|t, _| t - 0.25, Direction::Both, |_, _| Action::Continue);
    run::<Tsit5<f64>>(
        &mut ball(),
        &mut [1.0, 0.0],
        &[1.0, -1.0],
        &Options::default(),
        &mut machine,
        &mut Ends(Vec::new()),
    )
    .expect("a solve");
    assert_eq!(machine.log.len(), 1);
    assert!((machine.log[0].0 - 0.25).abs() < 1e-15);
}

#[test]
fn a_root_that_is_zero_throughout_is_an_error() {
    let result = run::<Tsit5<f64>>(
        &mut line(),
        &mut [0.0],
        &[0.0, 1.0],
        &Options::default(),
        &mut Machine::default().with(|_, _| 0.0, Direction::Both, |_, _| Action::Continue),
        &mut Ends(Vec::new()),
    );
    assert_eq!(result, Err(SolveError::EventAlwaysZero { event: 0 }));
}

#[test]
fn the_event_limit_is_kept() {
    let options = Options {
        max_events: 3,
        ..Options::default()
    };
    let result = run::<Tsit5<f64>>(
        &mut line(),
        &mut [0.0],
        &[0.0, 1e3],
        &options,
        &mut Machine::default().with(|t, _| t.sin(), Direction::Both, |_, _| Action::Continue),
        &mut Ends(Vec::new()),
    );
    assert!(
        matches!(result, Err(SolveError::TooManyEvents { limit: 3, .. })),
        "{result:?}"
    );
}

/// A thermostat with hysteresis: T' = -0.3 (T - 10) + 9 on, between 19 and 21.
#[test]
fn a_thermostat_switches_where_it_must() {
    let mut problem = Problem::new(
        2,
        |_, x, dx| {
            dx[0] = -0.3 * (x[0] - 10.0) + 9.0 * x[1];
            dx[1] = 0.0;
        },
        |_, _, j| j.copy_from_slice(&[-0.3, 0.0, 9.0, 0.0]),
        none,
    );
    let mut machine = Machine::default()
        .with(
            |_, x| x[0] - 21.0,
            Direction::Rising,
            |_, x| {
                x[1] = 0.0;
                Action::Jumped
            },
        )
        .with(
            |_, x| x[0] - 19.0,
            Direction::Falling,
            |_, x| {
                x[1] = 1.0;
                Action::Jumped
            },
        );
    let mut x = [17.0, 1.0];
    run::<Tsit5<f64>>(
        &mut problem,
        &mut x,
        &[0.0, 3.0],
        &tolerance(1e-12, 1e-12),
        &mut machine,
        &mut Ends(Vec::new()),
    )
    .expect("a solve");
    // closed form: T(3) and the first two switches
    assert!(
        (machine.log[0].0 - 0.636_850_789_209_030_8).abs() < 1e-11,
        "{:?}",
        machine.log
    );
    assert!((machine.log[1].0 - 1.305_753_107_416_201_3).abs() < 1e-11);
    assert!((x[0] - 19.879_469_515_937_034).abs() < 1e-10, "{}", x[0]);
}
