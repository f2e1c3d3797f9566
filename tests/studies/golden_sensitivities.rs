//! Sensitivities of the reference problems (`tests/data/ode`), from TOML text, by dual numbers and by the discrete adjoint.
//!
//! Each problem that has derivatives `dydp` is solved at rtol = 1e-11, atol_i = 1e-11 times the size of state i, by the methods of
//! its class. The derivative of every state at every output by every parameter (and, where the file asks for them, initial values)
//! must agree with the file, which has 12 to 21 digits. The measure is that of a vector: off by no more than `LIMIT` of the
//! largest derivative by that parameter at any output, each state's in units of its size. Two digits less than the tolerance
//! for problems that are not stiff and three for those that are (errors of steps add up), and more where the problem multiplies
//! its own errors (`AMPLIFYING`).
//!
//! `cargo test --test studies golden_sensitivities -- --nocapture` prints the errors.

use std::path::Path;

use crate::golden::Problem;
use costate::compile::Backend;
use costate::scenario::GradientMethod;
use costate::study::{FunctionalStudy, Solving, Study, Variable};
use costate_solvers::Tolerance;
use serde_json::Value;

const TOLERANCE: f64 = 1e-11;
/// Two digits less, or three.
const LIMIT: f64 = 100.0 * TOLERANCE;
const LIMIT_STIFF: f64 = 1000.0 * TOLERANCE;

/// Problems whose own dynamics multiply errors: the factor beyond the limits.
const AMPLIFYING: &[(&str, f64)] = &[
    // phase errors grow with every revolution; close encounters of seven stars (as in `golden_ode`)
    ("kepler", 10.0),
    ("pleiades", 100.0),
    // the jumps of a relaxation oscillation: tangents grow by many powers of ten on the way in, and shrink again
    ("vdpol", 1e4),
];

fn number(value: &Value) -> f64 {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a number")
}

fn study(problem: &Problem, method: &str) -> Study {
    let text = format!(
        "{}\n[solver]\nmethod = \"{method}\"\nrtol = 1e-11\natol = 1e-11\nmax_steps = 10000000\n",
        problem.toml
    );
    let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
    study.unwrap_or_else(|| panic!("{}: {findings:?}", problem.id))
}

/// The largest error over all derivatives, by dual numbers and by the adjoint.
fn errors(problem: &Problem, file: &Value, method: &str) -> [f64; 2] {
    let study = study(problem, method);
    let mut solving = Solving::choose(&study).expect("a method");
    let sizes = problem.sizes();
    solving.options.atol = Tolerance::PerState(sizes.iter().map(|s| TOLERANCE * s).collect());
    let p = study.values();
    let variables: Vec<Variable> = (0..p.len()).map(Variable::Parameter).collect();
    let outputs = file["outputs"].as_array().expect("outputs");
    let expected = |output: &Value, parameter: &str, state: &str| {
        let entry = &output["dydp"].get(parameter)?[state];
        (!entry.is_null()).then(|| number(entry))
    };
    let names = study.scenario.parameters.iter().map(|q| &q.name.text);
    let largest: Vec<f64> = names
        .clone()
        .map(|name| {
            let of_output = |output| {
                let states = problem.states.iter().zip(&sizes);
                states
                    .filter_map(|(state, size)| Some(expected(output, name, state)?.abs() / size))
                    .fold(0.0, f64::max)
            };
            outputs.iter().map(of_output).fold(0.0, f64::max)
        })
        .collect();
    // of the large ones the last output, and every fifth state by dual numbers
    let large = p.len() * problem.states.len() > 200;
    let first = if large { outputs.len() - 1 } else { 0 };
    let mut worst = [0.0f64; 2];
    for output in &outputs[first..] {
        let t = number(&output["t"]);
        for (index, (state, size)) in problem.states.iter().zip(&sizes).enumerate() {
            let functional = FunctionalStudy::parse(&study, &format!("at({state}, {t:?})"))
                .unwrap_or_else(|findings| panic!("{findings:?}"));
            for (k, how) in [GradientMethod::Dual, GradientMethod::Adjoint]
                .into_iter()
                .enumerate()
            {
                if large && how == GradientMethod::Dual && index % 5 != 0 {
                    continue;
                }
                let mut gradient = vec![0.0; p.len()];
                functional
                    .gradient(&study, &solving, how, &p, &variables, &mut gradient)
                    .unwrap_or_else(|error| panic!("{} by {method}: {error}", problem.id));
                for ((name, g), largest) in names.clone().zip(&gradient).zip(&largest) {
                    if let Some(e) = expected(output, name, state).filter(|_| *largest > 0.0) {
                        let error = (g - e).abs() / (size * largest);
                        worst[k] = worst[k].max(if error.is_nan() { f64::INFINITY } else { error });
                    }
                }
            }
        }
    }
    worst
}

fn derivatives_agree_with_references(of_stiff: bool, least: usize) {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for problem in crate::golden::all() {
        let path = format!("tests/data/ode/{}.json", problem.id);
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue; // (suites have none)
        };
        let file: Value = serde_json::from_str(&text).expect("JSON");
        let has = file["outputs"].as_array().is_some_and(|outputs| {
            !outputs.is_empty() && outputs.iter().all(|o| o["dydp"].is_object())
        });
        if !has {
            continue;
        }
        if problem.classes.iter().any(|c| c == "index3") {
            continue;
        }
        let is = |class: &str| problem.classes.iter().any(|c| c.contains(class));
        let stiff = is("index1") || is("stiff") && !is("nonstiff");
        if stiff != of_stiff {
            continue;
        }
        let (methods, limit) = match stiff {
            true => (["rodas5p", "radau5"], LIMIT_STIFF),
            false => (["vern9", "tsit5"], LIMIT),
        };
        let amplified = AMPLIFYING.iter().find(|(id, _)| *id == problem.id);
        let limit = limit * amplified.map_or(1.0, |(_, factor)| *factor);
        for method in methods {
            let begun = std::time::Instant::now();
            let [dual, adjoint] = errors(&problem, &file, method);
            println!(
                "{:24} {method:8} dual {dual:.1e} adjoint {adjoint:.1e} of {limit:.0e} ({:?}) {:?}",
                problem.id,
                problem.classes,
                begun.elapsed()
            );
            seen += 1;
            if !(dual <= limit && adjoint <= limit) {
                wrong.push(format!("{} by {method}: {dual:e} {adjoint:e}", problem.id));
            }
        }
    }
    assert!(seen >= least, "{seen} runs");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn of_problems_that_are_not_stiff() {
    derivatives_agree_with_references(false, 38);
}

#[test]
fn of_stiff_and_differential_algebraic_problems() {
    derivatives_agree_with_references(true, 18);
}

/// The gradient of a functional by dual numbers and by the adjoint against a table of derivatives by parameter; the largest
/// error of either, of the largest derivative.
fn functional_error(problem: &Problem, method: &str, of: &str, table: &Value) -> f64 {
    let study = study(problem, method);
    let solving = Solving::choose(&study).expect("a method");
    let p = study.values();
    let variables: Vec<Variable> = (0..p.len()).map(Variable::Parameter).collect();
    let functional = FunctionalStudy::parse(&study, of).unwrap_or_else(|f| panic!("{of}: {f:?}"));
    let names = study.scenario.parameters.iter().map(|q| &q.name.text);
    let expected: Vec<Option<f64>> = names.map(|name| table.get(name).map(number)).collect();
    assert!(expected.iter().any(Option::is_some), "{of}");
    let sizes = expected.iter().flatten().map(|e| e.abs());
    let largest = sizes.fold(0.0, f64::max);
    let mut worst = 0.0_f64;
    for how in [GradientMethod::Dual, GradientMethod::Adjoint] {
        let mut gradient = vec![0.0; p.len()];
        functional
            .gradient(&study, &solving, how, &p, &variables, &mut gradient)
            .unwrap_or_else(|error| panic!("{} by {method}: {of}: {error}", problem.id));
        for (g, e) in gradient.iter().zip(&expected) {
            let error = e.map_or(0.0, |e| (g - e).abs() / largest);
            worst = worst.max(if error.is_nan() { f64::INFINITY } else { error });
        }
    }
    worst
}

/// Every event of the files with events at roots: how its time moves with each parameter, through all events before it.
#[test]
fn of_times_of_events() {
    let mut seen = 0;
    for id in [
        "bouncing_ball",
        "pendulum_wall",
        "projectile_range",
        "thermostat",
    ] {
        let problem = crate::golden::find(id).expect("the problem");
        let text = std::fs::read_to_string(format!("tests/data/ode/{id}.json")).expect("the file");
        let file: Value = serde_json::from_str(&text).expect("JSON");
        let events = file["events"].as_array().expect("events");
        for (k, event) in events.iter().enumerate() {
            let name = event["event"].as_str().expect("a name");
            let before = events[..k].iter().filter(|e| e["event"] == name).count();
            let of = format!("event_time({name}, {})", before + 1);
            for method in ["vern9", "tsit5"] {
                let error = functional_error(&problem, method, &of, &event["dt_dp"]);
                assert!(error <= LIMIT, "{id} by {method}: {of}: {error:e}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 30, "{seen}");
}

/// The functionals of the files: of the state at a time, and integrals.
#[test]
fn of_functionals() {
    let mut seen = 0;
    for (id, stiff) in [
        ("lotka_volterra", false),
        ("sir", false),
        ("lorenz63_short", false),
        ("fitzhugh_nagumo", false),
        ("sundials_hessian", false),
        ("michaelis_menten", false),
        ("pid_loop", false),
        ("chemakzo", true),
    ] {
        let problem = crate::golden::find(id).expect("the problem");
        let text = std::fs::read_to_string(format!("tests/data/ode/{id}.json")).expect("the file");
        let file: Value = serde_json::from_str(&text).expect("JSON");
        for functional in file["functionals"].as_array().expect("functionals") {
            let text = |key: &str| functional[key].as_str();
            let of = match (text("integrand"), text("expression"), text("t")) {
                (Some(integrand), _, _) => format!("integral({integrand})"),
                (None, Some(expression), Some(t)) => format!("at({expression}, {t})"),
                _ => continue,
            };
            let (methods, limit) = match stiff {
                true => (["rodas5p", "radau5"], LIMIT_STIFF),
                false => (["vern9", "tsit5"], LIMIT),
            };
            // read at the end alone, where the steps of tsit5 that follow the decayed states leave 3e-9 in a derivative
            let limit = match id {
                "michaelis_menten" => 10.0 * limit,
                _ => limit,
            };
            for method in methods {
                let error = functional_error(&problem, method, &of, &functional["gradient"]);
                assert!(error <= limit, "{id} by {method}: {of}: {error:e}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 16, "{seen}");
}
