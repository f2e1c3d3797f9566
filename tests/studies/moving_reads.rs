//! `at(x, time)` at times that parameters give, and derivatives in the times of start and end: closed forms, several at one time, the ends of a run, and what is refused.

use std::path::Path;

use costate::compile::Backend;
use costate::scenario::GradientMethod;
use costate::study::{FunctionalStudy, GradientOf, Solving, Study, Variable, gradient, hessian};

/// x' = -a x from x0 at 0, so that x(T) = x0 exp(-a T); y' = x from 0: y(T) = x0 (1 - exp(-a T))/a.
const DECAY: &str = r#"
[scenario]
time = { start = 0.0, end = 2.0 }
[parameters]
a = 0.7
x0 = 1.5
T = 1.25
same = 1.25
begin = 0.0
finish = 2.0
[states]
x = "x0"
y = 0.0
[equations]
x = "-a*x"
y = "x"
[solver]
method = "METHOD"
rtol = 1e-11
atol = 1e-13
"#;

const A: f64 = 0.7;
const X0: f64 = 1.5;

fn study(method: &str) -> Study {
    let text = DECAY.replace("METHOD", method);
    let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

fn functional(study: &Study, of: &str) -> FunctionalStudy {
    FunctionalStudy::parse(study, of).unwrap_or_else(|findings| panic!("{findings:?}"))
}

/// The value, and its derivatives by (a, x0, T, same, begin, finish).
fn derivatives(study: &Study, of: &str, how: GradientMethod) -> (f64, Vec<f64>) {
    let solving = Solving::choose(study).expect("a method");
    let variables: Vec<Variable> = (0..6).map(Variable::Parameter).collect();
    let functional = functional(study, of);
    let of = GradientOf::Functional(&functional);
    let found = gradient(study, &solving, of, how, &study.values(), &variables);
    let found = found.unwrap_or_else(|error| panic!("{error}"));
    (found.value, found.gradient)
}

#[test]
fn closed_forms() {
    let x = |t: f64| X0 * f64::exp(-A * t);
    let y = |t: f64| X0 * (1.0 - f64::exp(-A * t)) / A;
    let (t, end) = (1.25, 2.0);
    let cases: [(&str, f64, [f64; 6]); 4] = [
        (
            "at(x, T)",
            x(t),
            [-t * x(t), x(t) / X0, -A * x(t), 0.0, 0.0, 0.0],
        ),
        // two that are one by value alone, one of a time itself
        (
            "at(x, T)*at(y, same) + at(t, T)",
            x(t) * y(t) + t,
            [
                -t * x(t) * y(t) + x(t) * (X0 * t * f64::exp(-A * t) - y(t)) / A,
                2.0 * x(t) * y(t) / X0,
                -A * x(t) * y(t) + 1.0,
                x(t) * x(t),
                0.0,
                0.0,
            ],
        ),
        // the ends of the run, where no step lies between
        ("at(x, begin)", X0, [0.0, 1.0, 0.0, 0.0, -A * X0, 0.0]),
        (
            "at(x, finish) + final(y)",
            x(end) + y(end),
            [
                -end * x(end) + (X0 * end * f64::exp(-A * end) - y(end)) / A,
                (x(end) + y(end)) / X0,
                0.0,
                0.0,
                0.0,
                -A * x(end),
            ],
        ),
    ];
    for method in ["tsit5", "vern9", "rodas5p", "radau5", "kvaerno5"] {
        let study = study(method);
        for (of, value, slopes) in &cases {
            for how in [
                GradientMethod::Dual,
                GradientMethod::Adjoint,
                GradientMethod::ContinuousAdjoint,
            ] {
                let (found, gradient) = derivatives(&study, of, how);
                // some hundred times the tolerance
                assert!((found - value).abs() < 1e-9, "{of}: {found} and {value}");
                for (g, s) in gradient.iter().zip(slopes) {
                    assert!(
                        (g - s).abs() < 2e-9,
                        "{of} by {how:?}, {method}: {gradient:?} and {slopes:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn second_derivatives() {
    let study = study("tsit5");
    let solving = Solving::choose(&study).expect("a method");
    let functional = functional(&study, "at(x, T)");
    let variables = [Variable::Parameter(0), Variable::Parameter(2)];
    let of = GradientOf::Functional(&functional);
    let found = hessian(&study, &solving, of, &study.values(), &variables).expect("a matrix");
    let (t, x) = (1.25, X0 * f64::exp(-A * 1.25));
    let expected = [t * t * x, A * t * x - x, A * t * x - x, A * A * x];
    for (h, e) in found.matrix.iter().zip(expected) {
        assert!((h - e).abs() < 1e-8, "{:?} and {expected:?}", found.matrix);
    }
}

#[test]
fn a_time_outside_the_run_is_told() {
    let study = study("tsit5");
    let solving = Solving::choose(&study).expect("a method");
    let refused = |of: &str, p: &[f64]| {
        let functional = functional(&study, of);
        let value = functional.value(&study, &solving, p);
        value.expect_err("outside").to_string()
    };
    let mut p = study.values();
    assert_eq!(
        refused("at(x, T + 1)", &p),
        "the time 2.25 of `at` is outside the run, which is from 0 to 2"
    );
    p[2] = f64::NAN;
    assert_eq!(
        refused("at(x, T)", &p),
        "the time NaN of `at` is outside the run, which is from 0 to 2"
    );
}

/// With respect to the start t0 and the end t1 of x' = t x + w from x0: the flow satisfies dX/dt0 = -Phi f(t0, x0), dX/dt1 = f(t1, X).
#[test]
fn starts_and_ends() {
    let text = r#"
[scenario]
time = { start = 0.5, end = 1.5 }
[parameters]
w = 0.3
on = 1.0
[signals]
push = { kind = "step", at = "on", before = 0.0, after = 2.0 }
[states]
x = 1.2
q = 0.0
[equations]
x = "t*x"
q = "w + push"
[[events]]
name = "half"
at = ["on + 0.2"]
set = { x = "0.5*x" }
[solver]
method = "METHOD"
rtol = 1e-11
atol = 1e-13
"#;
    // x(t) = x0 exp((t^2 - t0^2)/2), halved on the way; q = w (t1 - t0) + 2 (t1 - on)
    let end = 0.5 * 1.2 * f64::exp((1.5_f64.powi(2) - 0.5_f64.powi(2)) / 2.0);
    let middle = 1.2 * f64::exp((0.8_f64.powi(2) - 0.5_f64.powi(2)) / 2.0);
    let cases = [
        // (functional, by the start, by the end)
        ("final(x)", -0.5 * end, 1.5 * end),
        ("final(q)", -0.3, 2.3),
        ("at(x, 0.8)", -0.5 * middle, 0.0),
        ("at(x, 0.8*on)", -0.5 * middle, 0.0),
        ("initial(x*t) + final(t)", 1.2, 1.0),
        (
            "integral(t*x)",
            // of d/dt x between the jumps: x(t1) - x(1.2+) + x(1.2-) - x0
            {
                let jump = 1.2 * f64::exp((1.2_f64.powi(2) - 0.25) / 2.0);
                -0.5 * (end + 0.5 * jump)
            },
            1.5 * end,
        ),
    ];
    for method in ["tsit5", "rodas5p", "radau5", "bdf", "auto"] {
        let text = text.replace("METHOD", method);
        let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
        let study = study.unwrap_or_else(|| panic!("{findings:?}"));
        let solving = Solving::choose(&study).expect("a method");
        let variables = [Variable::Start, Variable::End];
        for (of, by_start, by_end) in cases {
            let functional = functional(&study, of);
            let by = |how| {
                let of = GradientOf::Functional(&functional);
                let found = gradient(&study, &solving, of, how, &study.values(), &variables);
                found.unwrap_or_else(|error| panic!("{error}")).gradient
            };
            let dual = by(GradientMethod::Dual);
            let expected = [by_start, by_end];
            let near = |found: &[f64], to: &[f64], within: f64, what: &str| {
                for (f, t) in found.iter().zip(to) {
                    assert!(
                        (f - t).abs() < within,
                        "{of} by {method}, {what}: {found:?} {to:?}"
                    );
                }
            };
            // bdf's global error is a thousand times its tolerance here
            let within = if method == "bdf" { 2e-7 } else { 5e-9 };
            near(&dual, &expected, within, "dual");
            near(&by(GradientMethod::Adjoint), &dual, 1e-11, "adjoint");
            near(
                &by(GradientMethod::ContinuousAdjoint),
                &expected,
                within,
                "continuous",
            );
            // some 1e-9 of rounding and of what iterations leave, over a step of 6e-6
            near(
                &by(GradientMethod::FiniteDifference),
                &dual,
                1e-5,
                "differences",
            );
        }
    }
}

#[test]
fn the_data_of_a_run_that_starts_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = "t,x\n0.4,0.9\n1.0,0.7\n2.0,0.1\n";
    std::fs::write(folder.path().join("data.csv"), data).expect("written");
    let text = DECAY.replace("METHOD", "tsit5")
        + "[observables]\nx = \"x\"\n[data]\nfile = \"data.csv\"\ntime = \"t\"\n";
    let (study, findings) = Study::from_text(&text, folder.path(), Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:?}"));
    let solving = Solving::choose(&study).expect("a method");
    let variables = [Variable::Start, Variable::End, Variable::Initial(0)];
    // half the sum of squares of x0 exp(-a (t - t0)) - d, by t0
    let rows = [(0.4, 0.9), (1.0, 0.7), (2.0, 0.1)];
    let slope = rows.map(|(t, d)| {
        let x = X0 * f64::exp(-A * t);
        (x - d) * A * x
    });
    let expected: f64 = slope.iter().sum();
    for how in [
        GradientMethod::Dual,
        GradientMethod::Adjoint,
        GradientMethod::ContinuousAdjoint,
        GradientMethod::FiniteDifference,
    ] {
        let of = GradientOf::Data;
        let found = gradient(&study, &solving, of, how, &study.values(), &variables);
        let found = found.unwrap_or_else(|error| panic!("{error}")).gradient;
        assert!(
            (found[0] - expected).abs() < 1e-8,
            "{how:?}: {found:?} {expected}"
        );
        assert_eq!(found[1], 0.0, "{how:?}");
        assert!(
            (found[2] * -A * X0 + expected).abs() < 1e-7,
            "{how:?}: {found:?}"
        );
    }
}
