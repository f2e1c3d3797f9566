//! Gradients through events, from TOML text by dual numbers, against closed forms and high-precision references.
//!
//! Each problem is solved at rtol = atol = 1e-11; the derivative of every state at every output, by every parameter, must agree
//! with the file's `dydp` to 1e-7 of the largest entry of its kind: the discrete solve's own error, amplified by the crossings.

mod golden;

use std::path::Path;

use costate::compile::Backend;
use costate::scenario::GradientMethod;
use costate::study::{FunctionalStudy, Solving, Study, Variable};
use serde_json::Value;

fn number(value: &Value) -> f64 {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a number")
}

fn study(problem: &golden::Problem, method: &str) -> Study {
    let text = format!(
        "{}\n[solver]\nmethod = \"{method}\"\nrtol = 1e-11\natol = 1e-11\n",
        problem.toml
    );
    let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

fn derivatives_hold(id: &str, method: &str) {
    let file = std::fs::read_to_string(format!("tests/data/ode/{id}.json")).expect("the file");
    let file: Value = serde_json::from_str(&file).expect("JSON");
    let problems = golden::all();
    let problem = problems.iter().find(|p| p.id == id).expect("the problem");
    let study = study(problem, method);
    let solving = Solving::choose(&study).expect("a method");
    let p = study.values();
    let variables: Vec<Variable> = (0..p.len()).map(Variable::Parameter).collect();
    let mut checked = 0;
    for output in file["outputs"].as_array().expect("outputs") {
        let t = number(&output["t"]);
        for state in &problem.states {
            let functional = FunctionalStudy::parse(&study, &format!("at({state}, {t:?})"))
                .unwrap_or_else(|findings| panic!("{findings:?}"));
            let mut gradient = vec![0.0; p.len()];
            functional
                .gradient(
                    &study,
                    &solving,
                    GradientMethod::Dual,
                    &p,
                    &variables,
                    &mut gradient,
                )
                .expect("a gradient");
            let expected: Vec<(usize, f64)> = study
                .scenario
                .parameters
                .iter()
                .enumerate()
                .filter_map(|(i, parameter)| {
                    let entry = &output["dydp"][&parameter.name.text][state];
                    (!entry.is_null()).then(|| (i, number(entry)))
                })
                .collect();
            let largest = expected.iter().fold(0.0f64, |a, (_, e)| a.max(e.abs()));
            for (i, e) in expected {
                let error = (gradient[i] - e).abs();
                assert!(
                    error <= 1e-7 * largest.max(1e-6),
                    "{id} by {method}: d {state}({t}) / d {}: {} for {e}",
                    study.scenario.parameters[i].name.text,
                    gradient[i]
                );
                checked += 1;
            }
        }
    }
    assert!(checked >= 12, "{checked} derivatives in the file");
}

macro_rules! problems {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            derivatives_hold(stringify!($name), "tsit5");
            derivatives_hold(stringify!($name), "vern9");
            derivatives_hold(stringify!($name), "rodas5p");
        })*
    };
}
problems!(bouncing_ball thermostat pendulum_wall pk1_oral_multidose);
