//! Equilibria: where systems come to rest, derivatives of that, and what is refused. References: `tests/data/ode/ss_*.json`,
//! and closed forms.

use std::path::Path;

use costate::compile::Backend;
use costate::scenario::GradientMethod;
use costate::study::{
    FunctionalStudy, GradientOf, HessianMethod, Solving, Study, Variable, gradient, hessian_by,
    simulate,
};
use serde_json::Value;

fn study(text: &str) -> Study {
    let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

fn scenario(parameters: &str, states: &str, equations: &str, more: &str) -> Study {
    study(&format!(
        "[scenario]\ntitle = \"at rest\"\ntime = {{ start = 0.0, end = 10.0 }}\n[parameters]\n{parameters}\n\
         [states]\n{states}\n[equations]\n{equations}\n{more}\n"
    ))
}

fn value(study: &Study, of: &str) -> f64 {
    let functional = FunctionalStudy::parse(study, of).unwrap_or_else(|f| panic!("{f:?}"));
    let solving = Solving::choose(study).expect("a method");
    let value = functional.value(study, &solving, &study.values());
    value.unwrap_or_else(|error| panic!("{of}: {error}"))
}

fn fails(study: &Study, of: &str) -> String {
    let functional = FunctionalStudy::parse(study, of).unwrap_or_else(|f| panic!("{f:?}"));
    let solving = Solving::choose(study).expect("a method");
    let value = functional.value(study, &solving, &study.values());
    value.expect_err("no rest").to_string()
}

/// Derivatives by all parameters and one initial value, by dual numbers, adjoint, and differences.
fn slopes(study: &Study, of: &str, variables: &[Variable]) -> Vec<f64> {
    let functional = FunctionalStudy::parse(study, of).unwrap_or_else(|f| panic!("{f:?}"));
    let solving = Solving::choose(study).expect("a method");
    let by = |method| {
        let of = GradientOf::Functional(&functional);
        let found = gradient(study, &solving, of, method, &study.values(), variables);
        found.unwrap_or_else(|error| panic!("{error}")).gradient
    };
    let [dual, adjoint, differences] = [
        GradientMethod::Dual,
        GradientMethod::Adjoint,
        GradientMethod::FiniteDifference,
    ]
    .map(by);
    let size = dual.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    for ((d, a), f) in dual.iter().zip(&adjoint).zip(&differences) {
        assert!(
            (d - a).abs() <= 1e-12 * size,
            "{of}: {dual:?} and {adjoint:?}"
        );
        assert!(
            (d - f).abs() <= 1e-7 * size,
            "{of}: {dual:?} and {differences:?}"
        );
    }
    dual
}

fn parameters(study: &Study) -> Vec<Variable> {
    (0..study.values().len()).map(Variable::Parameter).collect()
}

fn close(found: f64, expected: f64, limit: f64) {
    let off = (found - expected).abs();
    assert!(
        off <= limit * expected.abs().max(1.0),
        "{found} for {expected}"
    );
}

/// States, first and second derivatives of both references.
#[test]
fn references_hold() {
    for id in ["ss_brusselator", "ss_chemostat"] {
        let text = std::fs::read_to_string(format!("tests/data/ode/{id}.json")).expect("the file");
        let file: Value = serde_json::from_str(&text).expect("JSON");
        let number = |value: &Value| -> f64 {
            let text = value.as_str().expect("a number as text");
            text.parse().expect("a number")
        };
        let table = |key: &str, pattern: fn(&str, &str) -> String| {
            let entries = file[key].as_object().expect("a table").iter();
            entries
                .map(|(name, value)| pattern(name, value.as_str().expect("text")) + "\n")
                .collect::<String>()
        };
        let study = scenario(
            &table("parameters", |name, value| format!("{name} = {value}")),
            &table("initial_values", |name, value| {
                format!("{name} = {{ initial = {value} }}")
            }),
            &table("equations", |name, value| format!("{name} = \"{value}\"")),
            "",
        );
        let rest = &file["steady_state"];
        let variables = parameters(&study);
        let name = |v: &Variable| v.name(&study.scenario);
        for (state, reference) in rest["y"].as_object().expect("states") {
            let of = format!("equilibrium({state})");
            close(value(&study, &of), number(reference), 1e-14);
            let found = slopes(&study, &of, &variables);
            for (variable, slope) in variables.iter().zip(&found) {
                close(*slope, number(&rest["dydp"][name(variable)][state]), 1e-13);
            }
            let functional = FunctionalStudy::parse(&study, &of).expect("a functional");
            let solving = Solving::choose(&study).expect("a method");
            let of = GradientOf::Functional(&functional);
            for method in [HessianMethod::DualOverDual, HessianMethod::DualOverAdjoint] {
                let p = study.values();
                let found = hessian_by(method, &study, &solving, of, &p, &variables);
                let found = found.expect("a Hessian").matrix;
                for (i, a) in variables.iter().enumerate() {
                    for (j, b) in variables.iter().enumerate() {
                        let reference = number(&rest["d2ydp2"][name(a)][name(b)][state]);
                        close(found[i * variables.len() + j], reference, 1e-12);
                    }
                }
            }
        }
    }
}

/// A <-> B keeps a + b: a = k2 (a0 + b0) / (k1 + k2). The run starts there with other rates than it goes on with.
#[test]
fn totals_are_kept() {
    let study = scenario(
        "k1 = 2.0\nk2 = 0.5\ntotal = 3.0",
        "a = { initial = \"total\" }\nb = { initial = 0.2 }",
        "a = \"-k1*a + k2*b\"\nb = \"k1*a - k2*b\"",
        "[[experiments]]\nsteady_state_before = true\nbefore_parameters = { k1 = \"k2^2\" }\n",
    );
    let (k1, k2, sum) = (2.0, 0.5, 3.2);
    let variables = parameters(&study);
    let before = |k1: f64, k2: f64| (k2 * sum / (k1 + k2), k2 / (k1 + k2));
    let (a, slope) = before(k2 * k2, k2);
    close(value(&study, "initial(a)"), a, 1e-14);
    // a = sum / (k2 + 1)
    let found = slopes(&study, "initial(a)", &variables);
    close(found[0], 0.0, 1e-14);
    close(found[1], -sum / (1.0 + k2).powi(2), 1e-13);
    close(found[2], slope, 1e-13);
    let (a, slope) = before(k1, k2);
    close(value(&study, "equilibrium(a)"), a, 1e-14);
    let mut with_initial = variables;
    with_initial.push(Variable::Initial(1));
    let found = slopes(&study, "equilibrium(a)", &with_initial);
    close(found[0], -k2 * sum / (k1 + k2).powi(2), 1e-13);
    close(found[1], k1 * sum / (k1 + k2).powi(2), 1e-13);
    close(found[2], slope, 1e-13);
    close(found[3], slope, 1e-13);
    // through the run that follows, and an integral beside
    let after = "final(a) + at(b, 0.3)*integral(a)";
    slopes(&study, after, &with_initial);
    // twice, both ways
    let second = |of: &str| {
        let functional = FunctionalStudy::parse(&study, of).expect("a functional");
        let of = GradientOf::Functional(&functional);
        let (solving, p) = (Solving::choose(&study).expect("a method"), study.values());
        [HessianMethod::DualOverDual, HessianMethod::DualOverAdjoint].map(|method| {
            let found = hessian_by(method, &study, &solving, of, &p, &with_initial);
            found.expect("a Hessian").matrix
        })
    };
    for found in second("equilibrium(a)") {
        close(found[0], 2.0 * k2 * sum / (k1 + k2).powi(3), 1e-12);
        close(found[1], (k2 - k1) * sum / (k1 + k2).powi(3), 1e-12);
        close(found[2], -k2 / (k1 + k2).powi(2), 1e-12);
        close(found[10], 0.0, 1e-12);
    }
    let [duals, adjoint] = second(after);
    for (a, b) in duals.iter().zip(&adjoint) {
        close(*a, *b, 1e-10);
    }
}

/// A slow state that starts where it rests shows nothing of its rate on the way, and yet moves with its parameter; beside a
/// total that is kept, and without one.
#[test]
fn slow_states_that_start_at_rest_are_followed() {
    for total in [true, false] {
        for rate in ["1e-2", "1e-4", "1e-7"] {
            let b = if total {
                "k1*a - k2*b"
            } else {
                "k1*a - k2*b - b"
            };
            let study = scenario(
                &format!("k1 = 2.0\nk2 = 0.5\nlevel = 3.0\nrate = {rate}"),
                "a = { initial = 1.0 }\nb = { initial = 0.2 }\nz = { initial = 3.0 }",
                &format!("a = \"-k1*a + k2*b\"\nb = \"{b}\"\nz = \"rate*(level - z)\""),
                "",
            );
            close(value(&study, "equilibrium(z)"), 3.0, 1e-14);
            let found = slopes(&study, "equilibrium(z)", &parameters(&study));
            close(found[2], 1.0, 1e-11);
            close(found[3], 0.0, 1e-11);
        }
    }
}

/// The trajectory says which of several equilibria it is; one that is left again is none.
#[test]
fn the_way_there_decides() {
    for (start, end) in [("1e-9", 1.0), ("-1e-9", -1.0), ("0.0", 0.0), ("3.0", 1.0)] {
        let study = scenario(
            &format!("r = 1.0\nstart = {start}"),
            "x = { initial = \"start\" }",
            "x = \"r*x - x^3\"",
            "",
        );
        if end == 0.0 {
            assert!(fails(&study, "equilibrium(x)").contains("does not come to rest"));
        } else {
            close(value(&study, "equilibrium(x)"), end, 1e-14);
            let found = slopes(&study, "equilibrium(x)", &parameters(&study));
            close(found[0], 0.5 * end, 1e-13);
        }
    }
}

/// What has no equilibrium, or one that hangs on all of the way there, is an error with the reason.
#[test]
fn no_rest_is_an_error() {
    let oscillates = scenario(
        "mu = 2.0",
        "x = { initial = 1.0 }\nv = { initial = 0.0 }",
        "x = \"v\"\nv = \"mu*(1-x^2)*v - x\"",
        "",
    );
    assert!(fails(&oscillates, "equilibrium(x)").contains("does not come to rest"));
    let grows = scenario("k = 2.0", "x = { initial = 1.0 }", "x = \"k\"", "");
    assert!(fails(&grows, "equilibrium(x)").contains("`x` still changes by 2.000e0"));
    let blows_up = scenario("k = 2.0", "x = { initial = 1.0 }", "x = \"k*x^2\"", "");
    fails(&blows_up, "equilibrium(x)");
    let epidemic = scenario(
        "beta = 2.0\ngamma = 1.0",
        "S = { initial = 0.99 }\nI = { initial = 0.01 }",
        "S = \"-beta*S*I\"\nI = \"beta*S*I - gamma*I\"",
        "",
    );
    assert!(fails(&epidemic, "equilibrium(S)").contains("side by side"));
}

/// x' = m - k x z, 0 = z^2 - x: x = (m/k)^(2/3).
#[test]
fn algebraic_states_come_to_rest_too() {
    let study = scenario(
        "k = 2.0\nm = 3.0",
        "x = { initial = 1.0 }\nz = { initial = 1.0 }",
        "x = \"m - k*x*z\"\nz = \"z^2 - x\"",
        "[mass]\nz = {}",
    );
    let x = 1.5_f64.powf(2.0 / 3.0);
    close(value(&study, "equilibrium(x)"), x, 1e-14);
    let found = slopes(&study, "equilibrium(x)", &parameters(&study));
    close(found[0], -2.0 / 3.0 * x / 2.0, 1e-13);
    close(found[1], 2.0 / 3.0 * x / 3.0, 1e-13);
}

/// A step at the start has not come yet; initial values of the experiment are set at rest; the data's gradient runs through.
#[test]
fn experiments_start_at_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("d.csv"), "t,x\n0.5,1.4\n1,1.2\n4,0.6\n").expect("written");
    let text = r#"
[scenario]
title = "a dose after rest"
time = { start = 0.0, end = 5.0 }
[parameters]
supply = { value = 1.0, fit = true }
decay = { value = 2.0, fit = true }
uptake = { value = 0.7, fit = true }
[signals]
on = { kind = "step", at = 0.0, before = 1.0, after = 0.25 }
[states]
gut = { initial = 0.0 }
x = { initial = 9.0 }
[equations]
gut = "-uptake*gut"
x = "supply*on + uptake*gut - decay*x"
[observables]
x = { expression = "x", noise = { sigma = 0.1 } }
[[experiments]]
steady_state_before = true
initial = { gut = 2.0 }
data = { file = "d.csv" }
"#;
    let (study, findings) = Study::from_text(text, folder.path(), Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:?}"));
    let times = [0.0, 1.0];
    let run = simulate(&study, 0, &study.values(), &times).expect("a run");
    close(run.states[0][0], 2.0, 0.0);
    close(run.states[1][0], 0.5, 1e-14);
    let solving = Solving::choose(&study).expect("a method");
    let (p, variables) = (study.values(), parameters(&study));
    let by = |method| {
        let found = gradient(&study, &solving, GradientOf::Data, method, &p, &variables);
        found.expect("a gradient").gradient
    };
    let (dual, adjoint) = (by(GradientMethod::Dual), by(GradientMethod::Adjoint));
    for (d, a) in dual.iter().zip(&adjoint) {
        close(*d, *a, 1e-12);
    }
    let differences = by(GradientMethod::FiniteDifference);
    for (d, f) in dual.iter().zip(&differences) {
        close(*d, *f, 1e-6);
    }
}

#[test]
fn before_parameters_alone_are_an_error() {
    let text = "[scenario]\ntitle = \"t\"\ntime = { start = 0.0, end = 1.0 }\n[parameters]\nk = 1.0\n[states]\n\
                x = { initial = 1.0 }\n[equations]\nx = \"-k*x\"\n[[experiments]]\nbefore_parameters = { k = 2.0 }\n";
    let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    assert!(study.is_none());
    assert!(findings[0].message.contains("steady_state_before = true"));
}
