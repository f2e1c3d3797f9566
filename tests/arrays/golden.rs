//! Models with arrays against reference answers: the files of `tests/data/ode`, and the Brusselator of the benchmarks of
//! `SciML` (SciMLBenchmarks.jl, `AutomaticDifferentiation`, "P4"), whose answers were computed with Radau IIA and DOP853
//! of `scipy` at rtol 1e-11, gradients cross-checked by finite differences to 1e-8.

use std::path::Path;
use std::sync::Arc;

use costate::compile::{Backend, ModelSystem};
use costate::scenario::GradientMethod;
use costate::study::{FunctionalStudy, Solving, Study, Variable, simulate};
use costate_solvers::System;
use serde_json::Value;

fn study(text: &str) -> Study {
    let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    assert!(findings.is_empty(), "{findings:#?}");
    study.expect("a study")
}

fn reference(file: &str) -> Value {
    let text = std::fs::read_to_string(format!("tests/data/ode/{file}.json")).expect("the file");
    serde_json::from_str(&text).expect("JSON")
}

fn number(value: &Value) -> f64 {
    value
        .as_str()
        .and_then(|s| s.parse().ok())
        .expect("a number")
}

fn gradient(study: &Study, of: &str, method: GradientMethod) -> (f64, Vec<f64>) {
    let functional = FunctionalStudy::parse(study, of).expect("a functional");
    let solving = Solving::choose(study).expect("a method");
    let p = study.values();
    let variables: Vec<Variable> = (0..p.len()).map(Variable::Parameter).collect();
    let mut gradient = vec![0.0; p.len()];
    let value = functional
        .gradient(study, &solving, method, &p, &variables, &mut gradient)
        .expect("a gradient");
    (value, gradient)
}

/// Every state, and its derivatives in all parameters, at every output of a file, to 1e-9 of the largest.
fn check(file: &str, text: &str, parameters: &[&str]) {
    let file = reference(file);
    let study = study(text);
    let outputs = file["outputs"].as_array().expect("outputs");
    let times: Vec<f64> = outputs.iter().map(|o| number(&o["t"])).collect();
    let run = simulate(&study, 0, &study.values(), &times).expect("a run");
    for (row, output) in outputs.iter().enumerate() {
        let states = output["y"].as_object().expect("states");
        let largest = states.values().map(|y| number(y).abs()).fold(0.0, f64::max);
        for (k, y) in states.values().enumerate() {
            let found = run.states[k][row];
            assert!(
                (found - number(y)).abs() <= 1e-9 * largest,
                "{k}: {found} {y}"
            );
        }
        for k in [0, 4, states.len() - 1] {
            let of = format!("at(u[{}], {})", k + 1, times[row]);
            let (_, found) = gradient(&study, &of, GradientMethod::Adjoint);
            for (parameter, found) in parameters.iter().zip(&found) {
                let slopes = output["dydp"][parameter].as_object().expect("derivatives");
                let largest = slopes.values().map(|y| number(y).abs()).fold(0.0, f64::max);
                let expected = number(slopes.values().nth(k).expect("a state"));
                assert!(
                    (found - expected).abs() <= 1e-8 * largest,
                    "d{of}/d{parameter}: {found} {expected}"
                );
            }
        }
    }
}

const TIGHT: &str = "[solver]\nmethod = \"rodas5p\"\nrtol = 1e-12\natol = 1e-13\n";

/// 50 cells between walls at 0.
#[test]
fn heat_equation() {
    let text = r#"
[scenario]
time = { start = 0.0, end = 2.0 }
[indices]
i = { size = 50, boundary = "zero" }
[parameters]
D = 0.02
[definitions]
x = { over = ["i"], expression = "i/51" }
[states]
u = { over = ["i"], initial = "sin(pi*x) + 0.3*sin(4*pi*x) + x*(1-x)" }
[equations]
u = "D*2601*(u[i-1] - 2*u + u[i+1])"
"#;
    check("heat1d_50", &format!("{text}{TIGHT}"), &["D"]);
}

/// Advection and diffusion, 10 cells between walls at 0, which a boundary of any kind must give: here as a value.
#[test]
fn advection_and_diffusion() {
    let text = r#"
[scenario]
time = { start = 0.0, end = 5.0 }
[indices]
i = { size = 10, boundary = { first = "wall", last = "zero" } }
[parameters]
q1 = 1.0
q2 = 0.5
[definitions]
dx = "2/11"
wall = "0*q1"
x = { over = ["i"], expression = "i*dx" }
[states]
u = { over = ["i"], initial = "x*(2-x)*exp(2*x)" }
[equations]
u = "q1/dx^2*(u[i-1] - 2*u + u[i+1]) + q2/(2*dx)*(u[i+1] - u[i-1])"
"#;
    check("advdiff1d", &format!("{text}{TIGHT}"), &["q1", "q2"]);
}

fn brusselator(end: f64) -> String {
    // dimensions are (j, i): in the references the place along x goes fastest
    let text = r#"
[indices]
i = { size = 5, boundary = "periodic" }
j = { size = 5, boundary = "periodic" }
[parameters]
A = { over = ["j", "i"], value = 3.4 }
B = { over = ["j", "i"], value = 1.0 }
a1 = { over = ["j", "i"], value = 10.0 }
a2 = { over = ["j", "i"], value = 10.0 }
[definitions]
x = { over = ["i"], expression = "(i-1)/4" }
y = { over = ["j"], expression = "(j-1)/4" }
h = "1/4"
f = { over = ["j", "i"], expression = "if((x-0.3)^2 + (y-0.6)^2 <= 0.01 and t >= 1.1, 5, 0)" }
[states]
u = { over = ["j", "i"], initial = "22*(y*(1-y))^1.5" }
v = { over = ["j", "i"], initial = "27*(x*(1-x))^1.5" }
[equations]
u = "a1*(u[j-1,i] + u[j+1,i] + u[j,i-1] + u[j,i+1] - 4*u)/h^2 + B + u^2*v - (A+1)*u + f"
v = "a2*(v[j-1,i] + v[j+1,i] + v[j,i-1] + v[j,i+1] - 4*v)/h^2 + A*u - u^2*v"
[observables]
loss = "(sum((1-u)^2) + sum((1-v)^2))/2"
"#;
    format!("[scenario]\ntime = {{ start = 0.0, end = {end:.1} }}\n{text}{TIGHT}")
}

fn loss(end: f64) -> String {
    let count = (end * 10.0).round() as usize;
    let samples: Vec<String> = (0..=count)
        .map(|k| format!("at(loss, {:.1})", k as f64 / 10.0))
        .collect();
    samples.join(" + ")
}

/// Sums of the gradient over the cells of each array.
fn blocks(gradient: &[f64]) -> Vec<f64> {
    gradient
        .chunks(25)
        .map(|block| block.iter().sum())
        .collect()
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[test]
fn brusselator_to_1() {
    let study = study(&brusselator(1.0));
    let (value, g) = gradient(&study, &loss(1.0), GradientMethod::Adjoint);
    assert!((value - 296.8236539199).abs() < 1e-9 * value, "{value}");
    let expected = [
        134.808512256938,
        -6.107720849213,
        0.096926039615,
        0.001679979740,
    ];
    for (found, expected) in blocks(&g).iter().zip(expected) {
        // twelve decimals are given
        assert!(
            (found - expected).abs() < 1e-9 * f64::abs(expected) + 1e-10,
            "{found} {expected}"
        );
    }
    assert!((norm(&g) - 27.60889013486).abs() < 1e-8, "{}", norm(&g));
    // to the 1e-8 of the finite differences that these were checked by
    let single = [
        (12, 5.4580357211750545),
        (36, -0.24494200774912),
        (59, 0.0222534090646504),
        (89, 1.33217972359977),
    ];
    for (k, expected) in single {
        assert!((g[k] - expected).abs() < 1e-8, "{k}: {} {expected}", g[k]);
    }
}

/// The sum of 101 losses to t = 10; the source switches on at t = 1.1 in each cell of the disc.
#[test]
fn brusselator_to_10() {
    let study = study(&brusselator(10.0));
    let (value, g) = gradient(&study, &loss(10.0), GradientMethod::Adjoint);
    assert!((value - 11887.517403952).abs() < 1e-9 * value, "{value}");
    // as many digits as are given, but for the last
    let expected = [
        (11668.0707906, 2e-7),
        (-25210.7986763, 2e-7),
        (0.231173682980, 2e-10),
        (0.004004726671, 2e-10),
    ];
    for (found, (expected, allowed)) in blocks(&g).iter().zip(expected) {
        assert!(
            (found - expected).abs() < f64::max(allowed, 1e-9 * f64::abs(expected)),
            "{found} {expected}"
        );
    }
    assert!((norm(&g) - 5556.0337906).abs() < 1e-5, "{}", norm(&g));
}

/// The README's field is a scenario, and one evaluation of it the sum that a loop by hand gives.
#[test]
fn the_field_of_the_readme() {
    let readme = std::fs::read_to_string("README.md").expect("the file");
    let blocks = readme.split("```toml\n").skip(1);
    let block = blocks
        .filter_map(|block| block.split("\n```").next())
        .find(|block| block.contains("[indices]"))
        .expect("a field");
    let study = study(block);
    let n = 128;
    let x: Vec<f64> = (0..2 * n * n)
        .map(|k| 1.0 + (k % 17) as f64 / 20.0)
        .collect();
    let mut dx = vec![0.0; x.len()];
    let mut system = ModelSystem::<f64>::explicit(Arc::clone(&study.equations.rhs));
    system.set_parameters(&study.values()).expect("parameters");
    system.enter_stretch(0.5);
    system.rhs(0.5, &x, &mut dx);
    let (u, v) = x.split_at(n * n);
    let at = |f: &[f64], i: usize, j: usize| f[i % n * n + j % n];
    let around = |f: &[f64], i: usize, j: usize| {
        at(f, i + n - 1, j) + at(f, i + 1, j) + at(f, i, j + n - 1) + at(f, i, j + 1)
            - 4.0 * at(f, i, j)
    };
    for (i, j) in [(0, 0), (0, 127), (127, 0), (64, 64), (127, 127), (5, 100)] {
        let (a, b) = (at(u, i, j), at(v, i, j));
        let expected = [
            1.0 + a * a * b - 4.4 * a + 0.1 * 16384.0 * around(u, i, j),
            3.4 * a - a * a * b + 0.1 * 16384.0 * around(v, i, j),
        ];
        for (field, expected) in expected.into_iter().enumerate() {
            let found = dx[field * n * n + i * n + j];
            // terms of 1e4, a dozen roundings
            assert!(
                (found - expected).abs() < 1e-10,
                "{field} {i} {j}: {found} {expected}"
            );
        }
    }
}

/// The network of 2, 4 and 2 units with its 22 weights from a file: states and derivatives in the weights.
#[test]
fn neural_network() {
    let golden = reference("neural_ode_small");
    let mut weights = String::from("name,value\n");
    for (name, value) in golden["parameters"].as_object().expect("weights") {
        let (letter, at) = name.split_once('_').expect("a name such as w1_23");
        let at: Vec<String> = at.chars().map(String::from).collect();
        weights += &format!("\"f_{letter}[{}]\",{}\n", at.join(","), number(value));
    }
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("weights.csv"), weights).expect("a file");
    let text = r#"
        [scenario]
        time = { start = 0.0, end = 4.0 }
        [networks.f]
        inputs = 2
        layers = [4, 2]
        file = "weights.csv"
        [states]
        u = 1.0
        v = -0.5
        [equations]
        u = "f(u, v)[1]"
        v = "f(u, v)[2]"
        [solver]
        method = "vern9"
        rtol = 1e-13
        atol = 1e-13
    "#;
    let (study, findings) = Study::from_text(text, folder.path(), Backend::Auto);
    assert!(findings.is_empty(), "{findings:#?}");
    let study = study.expect("a study");
    for output in golden["outputs"].as_array().expect("outputs") {
        let t = number(&output["t"]);
        let run = simulate(&study, 0, &study.values(), &[t]).expect("a run");
        for (k, state) in ["u", "v"].into_iter().enumerate() {
            let expected = number(&output["y"][state]);
            // a hundred roundings of the run
            let found = run.states[k][0];
            assert!(
                (found - expected).abs() <= 2e-14 * 100.0,
                "{state}({t}): {found} {expected}"
            );
            let of = format!("at({state}, {t})");
            let (_, slopes) = gradient(&study, &of, GradientMethod::Dual);
            let slope = |name: &str| number(&output["dydp"][name][state]);
            let largest = golden["parameters"].as_object().expect("weights").keys();
            let largest = largest.map(|name| slope(name).abs()).fold(0.0, f64::max);
            for (parameter, found) in study.scenario.parameters.iter().zip(&slopes) {
                let digits: String = parameter.name.text[5..]
                    .chars()
                    .filter(char::is_ascii_digit)
                    .collect();
                let expected = slope(&format!("{}_{digits}", &parameter.name.text[2..4]));
                assert!(
                    (found - expected).abs() <= 1e-11 * largest,
                    "d{of}/d{}: {found} {expected}",
                    parameter.name.text
                );
            }
        }
    }
}
