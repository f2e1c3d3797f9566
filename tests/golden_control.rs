//! Mechanics and contact with known answers (`tests/data/control`): values by the scenarios' own `[[expect]]` entries, derivatives
//! through events here, and the energy of a symplectic method over a thousand periods.

use std::path::{Path, PathBuf};

use costate::compile::Backend;
use costate::scenario::{GradientMethod, SolverMethod};
use costate::study::{
    Choice, FunctionalStudy, GradientOf, Solving, Study, StudyError, Variable, check_expectations,
    gradient, simulate_by,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/control")
}

fn study(name: &str) -> Study {
    let path = folder().join(format!("{name}.toml"));
    let (study, findings) = Study::load(&path, &[], Backend::Auto);
    study.unwrap_or_else(|| panic!("{name}: {findings:#?}"))
}

#[test]
fn every_scenario_meets_its_expectations() {
    let mut seen = 0;
    for name in [
        "bouncing-ball",
        "sliding-block",
        "sticking-oscillator",
        "kepler",
        "euler-top",
    ] {
        for result in check_expectations(&study(name)) {
            println!("{name}: {} = {}", result.text, result.outcome_text());
            assert!(
                result.holds(),
                "{name}: {}: {}",
                result.text,
                result.outcome_text()
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 13);
}

#[test]
fn bounces_are_counted() {
    let study = study("bouncing-ball");
    let solving = Solving::choose(&study).expect("a method");
    let run = simulate_by(&study, &solving, 0, &study.values(), &[3.0]).expect("a run");
    assert_eq!(run.events.len(), 6);
}

/// scenario, functional, parameter, derivative, allowed error
const DERIVATIVES: &[(&str, &str, &str, f64, f64)] = &[
    (
        "bouncing-ball",
        "final(y)",
        "height",
        0.09173866104288286,
        1e-10,
    ),
    (
        "bouncing-ball",
        "final(y)",
        "speed",
        0.0015651512114928398,
        1e-10,
    ),
    (
        "bouncing-ball",
        "final(y)",
        "gravity",
        -0.00234772681723926,
        1e-10,
    ),
    (
        "bouncing-ball",
        "final(y)",
        "restitution",
        1.1638877209850786,
        1e-9,
    ),
    (
        "bouncing-ball",
        "final(v)",
        "height",
        14.707322933307628,
        1e-8,
    ),
    ("bouncing-ball", "final(v)", "speed", 1.0, 1e-9),
    (
        "bouncing-ball",
        "final(v)",
        "gravity",
        -1.5007825756057465,
        1e-9,
    ),
    (
        "bouncing-ball",
        "final(v)",
        "restitution",
        85.03687628886169,
        1e-8,
    ),
    ("sliding-block", "final(x)", "mu", -5.09683995922528, 1e-9),
    ("sticking-oscillator", "final(x)", "mu", 3.3354, 1e-8),
    ("sticking-oscillator", "final(x)", "x0", -1.0, 1e-9),
    ("kepler", "final(x)", "mu", 22.633762925084014, 1e-7),
    ("kepler", "final(y)", "mu", -30.70989412252724, 1e-7),
    ("kepler", "final(x)", "start", -66.10073459442202, 1e-6),
    ("kepler", "final(y)", "start", 88.04525824514913, 1e-6),
    ("kepler", "final(x)", "speed", -21.49800926469652, 1e-6),
    ("kepler", "final(y)", "speed", 28.313955331511142, 1e-6),
];

#[test]
fn derivatives_through_events() {
    for &(name, text, parameter, expected, allowed) in DERIVATIVES {
        let study = study(name);
        let solving = Solving::choose(&study).expect("a method");
        let functional = FunctionalStudy::parse(&study, text).expect("a functional");
        let variable = Variable::parse(parameter, &study.scenario).expect("a parameter");
        for method in [GradientMethod::Dual, GradientMethod::Adjoint] {
            let of = GradientOf::Functional(&functional);
            let (p, wrt) = (study.values(), [variable]);
            let result = gradient(&study, &solving, of, method, &p, &wrt);
            let found = result.expect("a gradient").gradient[0];
            let error = (found - expected).abs();
            println!(
                "{name}: d {text} / d {parameter} = {found} by {method:?} (off by {error:.1e})"
            );
            assert!(
                error <= allowed,
                "{name}: d {text} / d {parameter} = {found} by {method:?}, not {expected}"
            );
        }
    }
}

/// The error of the energy stays where it is in the first periods: the map is symplectic, and follows a nearby energy exactly.
#[test]
fn the_energy_of_verlet_does_not_drift() {
    let step = std::f64::consts::TAU / 200.0;
    let mut largest = Vec::new();
    for periods in [10, 1000] {
        let mut study = study("kepler");
        let mut options = Solving::options(&study);
        (options.step, options.max_steps) = (Some(step), 1_000_000);
        let solving = Solving {
            stepper: SolverMethod::Verlet,
            options,
            choice: Choice::Named,
        };
        let times: Vec<f64> = (0..=200 * periods).map(|i| f64::from(i) * step).collect();
        study.scenario.end = times[times.len() - 1];
        let run = match simulate_by(&study, &solving, 0, &study.values(), &times) {
            Err(StudyError::Unsupported(why)) => return println!("{why}"),
            run => run.expect("a run"),
        };
        println!("{periods} periods: {}", run.invariants[0].relative());
        largest.push(run.invariants[0].relative());
    }
    for drift in largest {
        assert!((drift - 0.007352).abs() < 2e-5, "{drift}");
    }
}

#[test]
fn invariants_of_the_top_hold() {
    let study = study("euler-top");
    let solving = Solving::choose(&study).expect("a method");
    let times: Vec<f64> = (0..=500).map(|i| 0.1 * f64::from(i)).collect();
    let run = simulate_by(&study, &solving, 0, &study.values(), &times).expect("a run");
    for (drift, value) in run.invariants.iter().zip([8.13, 16.37]) {
        assert!((drift.initial - value).abs() < 1e-14 * value);
        assert!(
            drift.largest < 1e-12 * value,
            "{}: {:e}",
            drift.name,
            drift.largest
        );
    }
}
