//! Events, mass matrices and functionals of whole runs, from TOML text through the library.

use std::path::Path;

use costate::compile::Backend;
use costate::scenario::{GradientMethod, SolverMethod};
use costate::study::{
    FunctionalStudy, Simulation, Solving, Study, StudyError, Variable, simulate, simulate_by,
};

fn study(text: &str) -> Study {
    let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

fn run(study: &Study, times: &[f64]) -> Simulation {
    simulate(study, 0, &study.values(), times).unwrap_or_else(|error| panic!("{error}"))
}

fn functional(study: &Study, text: &str) -> FunctionalStudy {
    FunctionalStudy::parse(study, text).unwrap_or_else(|findings| panic!("{findings:?}"))
}

fn value(study: &Study, text: &str) -> f64 {
    let solving = Solving::choose(study).expect("a method");
    functional(study, text)
        .value(study, &solving, &study.values())
        .unwrap_or_else(|error| panic!("{error}"))
}

fn gradient(study: &Study, text: &str) -> Vec<f64> {
    let solving = Solving::choose(study).expect("a method");
    let variables: Vec<Variable> = (0..study.values().len()).map(Variable::Parameter).collect();
    let mut gradient = vec![0.0; variables.len()];
    functional(study, text)
        .gradient(
            study,
            &solving,
            GradientMethod::Dual,
            &study.values(),
            &variables,
            &mut gradient,
        )
        .unwrap_or_else(|error| panic!("{error}"));
    gradient
}

const DOSES: &str = r#"
[scenario]
time = { start = 0.0, end = 10.0 }
[parameters]
k = 0.5
shift = 1.0
[states]
x = 1.0
count = { initial = 0, discrete = true }
[equations]
x = "-k*x"
[[events]]
name = "dose"
at = [0.0, "4 + shift", 10.0]
set = { x = "x + 2", count = "count + 1" }
[[events]]
name = "tick"
every = 2.5
first = 2.5
set = { count = "count + 10" }
[solver]
rtol = 1e-11
atol = 1e-11
"#;

/// x(10) = 2 + (3 e^-5k + 2) e^-5k; ticks at 2.5, 5, 7.5, 10, doses at 0, 5, 10.
#[test]
fn time_events_happen_at_the_start_between_and_at_the_end() {
    let study = study(DOSES);
    let result = run(&study, &[0.0, 5.0, 9.0, 10.0]);
    let decay = (-2.5f64).exp();
    let exact = 2.0 + (3.0 * decay + 2.0) * decay;
    let last = result.t.len() - 1;
    assert!((result.states[0][last] - exact).abs() < 1e-9);
    assert_eq!(result.states[1][last], 43.0);
    assert_eq!(result.events.len(), 7);
    // at one instant in file order: the dose first
    let at_five: Vec<usize> = result
        .events
        .iter()
        .filter(|e| e.t == 5.0)
        .map(|e| e.event)
        .collect();
    assert_eq!(at_five, [0, 1]);
    // before and after each instant, asked for or not
    assert_eq!(
        result.t,
        [0.0, 0.0, 2.5, 2.5, 5.0, 5.0, 7.5, 7.5, 9.0, 10.0, 10.0]
    );
    assert_eq!((result.states[0][0], result.states[0][1]), (1.0, 3.0));
}

/// d x(9) / d shift: the dose of 2 at 5 moved by shift decays for 4 - (shift - 1): 2 k e^(-4 k).
#[test]
fn derivatives_follow_a_time_event_that_moves() {
    let slope = gradient(&study(DOSES), "at(x, 9)")[1];
    let exact = 2.0 * 0.5 * (-2.0f64).exp();
    assert!((slope - exact).abs() < 1e-9, "{slope} {exact}");
}

#[test]
fn functionals_read_integrals_and_times_of_events() {
    let study = study(DOSES);
    // k times the integral of x is what doses and start gave less what is left before the last dose
    let decay = (-2.5f64).exp();
    let left = (3.0 * decay + 2.0) * decay;
    let integral = value(&study, "integral(k*x)");
    assert!((integral - (5.0 - left)).abs() < 1e-9, "{integral}");
    assert_eq!(value(&study, "event_time(tick, 3)"), 7.5);
    assert_eq!(gradient(&study, "event_time(dose, 2)"), [0.0, 1.0]);
    let solving = Solving::choose(&study).expect("a method");
    let missing =
        functional(&study, "event_time(tick, 9)").value(&study, &solving, &study.values());
    assert!(
        matches!(
            missing,
            Err(StudyError::NoSuchHappening {
                happened: 4,
                wanted: 9,
                ..
            })
        ),
        "{missing:?}"
    );
}

const CHEMISTRY: &str = r#"
[scenario]
time = { start = 0.0, end = 2.0 }
[parameters]
m = 2.0
k = 3.0
[states]
x = 1.0
y = 0.0
[equations]
x = "-x*y"
y = "y - k*x"
[mass]
x = { x = "m" }
y = {}
[solver]
rtol = 1e-11
atol = 1e-11
"#;

/// m x' = -k x^2: x = 1 / (1 + k t / m). The start of y is inconsistent and is mended.
#[test]
fn a_mass_matrix_of_parameters_is_solved_and_differentiated() {
    let mut study = study(CHEMISTRY);
    for method in [
        SolverMethod::Auto,
        SolverMethod::Rodas5p,
        SolverMethod::Radau5,
        SolverMethod::Bdf,
    ] {
        study.scenario.solver.method = method;
        let result = run(&study, &[2.0]);
        let x = result.states[0][result.t.len() - 1];
        assert!((x - 0.25).abs() < 1e-8, "{}: {x}", method.name());
        let slopes = gradient(&study, "final(x)");
        // x = m / (m + k t)
        let exact = [2.0 * 3.0 / 64.0, -2.0 * 2.0 / 64.0];
        for (slope, exact) in slopes.iter().zip(exact) {
            assert!(
                (slope - exact).abs() < 1e-7,
                "{}: {slopes:?}",
                method.name()
            );
        }
    }
}

#[test]
fn methods_for_plain_systems_refuse_a_mass_matrix() {
    let mut study = study(CHEMISTRY);
    for &method in SolverMethod::ALL {
        let takes_mass = matches!(
            method,
            SolverMethod::Auto
                | SolverMethod::Rodas3
                | SolverMethod::Rodas4
                | SolverMethod::Rodas5p
                | SolverMethod::Radau5
                | SolverMethod::Bdf
                | SolverMethod::Ndf
        );
        study.scenario.solver.method = method;
        study.scenario.solver.step = method.needs_step().then_some(0.01);
        let result = simulate(&study, 0, &study.values(), &[2.0]);
        assert_eq!(result.is_ok(), takes_mass, "{}: {result:?}", method.name());
    }
}

/// Every method meets the same event at the same time.
#[test]
fn every_method_stops_at_a_terminal_event() {
    let mut study = study(
        r#"
[scenario]
time = { start = 0.0, end = 3.0 }
[states]
q = 1.0
p = 0.0
[equations]
q = "p"
p = "-q"
[[events]]
name = "zero"
when = "q"
terminal = true
[solver]
rtol = 1e-8
atol = 1e-8
"#,
    );
    for &method in SolverMethod::ALL {
        if matches!(
            method,
            SolverMethod::OdeSolversDopri5 | SolverMethod::OdeSolversDop853
        ) {
            continue;
        }
        study.scenario.solver.method = method;
        study.scenario.solver.step = method.needs_step().then_some(1e-3);
        let solving = Solving::for_simulation(&study).expect("a method");
        let result = simulate_by(&study, &solving, 0, &[], &[0.0, 1.0, 2.0])
            .unwrap_or_else(|error| panic!("{}: {error}", method.name()));
        assert_eq!(result.ended_by, Some(0), "{}", method.name());
        let t = result.events[0].t;
        // Euler's error over the arc is about h
        let allowed = if method == SolverMethod::Euler {
            3e-3
        } else {
            1e-5
        };
        assert!(
            (t - std::f64::consts::FRAC_PI_2).abs() < allowed,
            "{}: {t}",
            method.name()
        );
        assert_eq!(result.t.last(), Some(&t));
    }
}

#[test]
fn a_run_goes_backward() {
    let study = study(
        r#"
[scenario]
time = { start = 1.0, end = -1.0 }
[parameters]
k = 2.0
[states]
x = 1.0
[equations]
x = "k*x"
[[events]]
name = "half"
when = "x - 0.5"
set = { x = "x" }
[solver]
rtol = 1e-10
atol = 1e-10
"#,
    );
    let result = run(&study, &[1.0, 0.0, -1.0]);
    let last = result.t.len() - 1;
    assert!((result.states[0][last] - (-4.0f64).exp()).abs() < 1e-9);
    assert!((result.events[0].t - (1.0 - 0.5f64.ln().abs() / 2.0)).abs() < 1e-9);
    assert!((gradient(&study, "final(x)")[0] + 2.0 * (-4.0f64).exp()).abs() < 1e-8);
}
