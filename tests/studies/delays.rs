//! `delay(e, tau)` against solutions in closed form and golden control cases T10 and T12.

use std::path::Path;

use costate::compile::Backend;
use costate::scenario::GradientMethod;
use costate::study::{FunctionalStudy, GradientOf, Solving, Study, Variable, gradient, simulate};

fn study(text: &str) -> Study {
    let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:#?}"))
}

fn value(study: &Study, text: &str) -> f64 {
    let solving = Solving::choose(study).expect("a method");
    let functional = FunctionalStudy::parse(study, text).expect("a functional");
    let value = functional.value(study, &solving, &study.values());
    value.unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn derivative(study: &Study, text: &str, parameter: &str, method: GradientMethod) -> f64 {
    let solving = Solving::choose(study).expect("a method");
    let functional = FunctionalStudy::parse(study, text).expect("a functional");
    let variable = Variable::parse(parameter, &study.scenario).expect("a parameter");
    let of = GradientOf::Functional(&functional);
    let found = gradient(study, &solving, of, method, &study.values(), &[variable]);
    found
        .unwrap_or_else(|error| panic!("{parameter}: {error}"))
        .gradient[0]
}

fn linear(solver: &str) -> String {
    format!(
        "[scenario]\ntime = {{ start = 0.0, end = 4.5 }}\n[parameters]\ntau = 1.0\nk = 1.0\n\
         [states]\nx = 1.0\n[equations]\nx = \"-k*delay(x, tau)\"\n[solver]\n{solver}\n"
    )
}

/// x' = -k x(t - tau), x = 1 until 0: x(t) = sum over j of (-k)^j (t - (j - 1) tau)^j / j! as long as t > (j - 1) tau.
fn terms(t: f64, tau: f64) -> impl Iterator<Item = (i32, f64, f64)> {
    (0..20)
        .scan(1.0, |factorial, j| {
            if j > 0 {
                *factorial *= f64::from(j);
            }
            Some((j, *factorial))
        })
        .map(move |(j, factorial)| (j, t - f64::from(j - 1) * tau, factorial))
        .take_while(|(j, since, _)| *j == 0 || *since > 0.0)
}

/// Steps of a method of order p see polynomials of degree 5 at most here. What is allowed is 100 times the tolerance.
#[test]
fn a_linear_delay_equation_by_every_class_of_method() {
    let exact: f64 = terms(4.5, 1.0)
        .map(|(j, s, f)| (-1.0f64).powi(j) * s.powi(j) / f)
        .sum();
    for method in [
        "bs3", "tsit5", "dop853", "vern9", "rodas5p", "kencarp4", "radau5", "bdf", "auto",
    ] {
        for rtol in [1e-5, 1e-8] {
            let text = linear(&format!(
                "method = \"{method}\"\nrtol = {rtol:e}\natol = {rtol:e}"
            ));
            let found = value(&study(&text), "final(x)");
            assert!(
                (found - exact).abs() < 100.0 * rtol,
                "{method} {rtol:e}: {found}, not {exact}"
            );
        }
    }
}

#[test]
fn derivatives_with_respect_to_the_delay() {
    let study = study(&linear("method = \"vern7\"\nrtol = 1e-12\natol = 1e-12"));
    let power = |s: f64, j: i32| if j < 0 { 0.0 } else { s.powi(j) };
    let by_tau: f64 = terms(4.5, 1.0)
        .map(|(j, s, f)| (-1.0f64).powi(j) * f64::from(-j * (j - 1)) * power(s, j - 1) / f)
        .sum();
    let by_k: f64 = terms(4.5, 1.0)
        .map(|(j, s, f)| (-1.0f64).powi(j) * f64::from(j) * s.powi(j) / f)
        .sum();
    for (parameter, exact) in [("tau", by_tau), ("k", by_k)] {
        let dual = derivative(&study, "final(x)", parameter, GradientMethod::Dual);
        assert!(
            (dual - exact).abs() < 1e-10,
            "{parameter}: {dual}, not {exact}"
        );
        // frozen steps, central differences: an error of some 1e-10
        let differences = derivative(
            &study,
            "final(x)",
            parameter,
            GradientMethod::FiniteDifference,
        );
        assert!(
            (differences - exact).abs() < 1e-8,
            "{parameter}: {differences}, not {exact}"
        );
    }
}

/// x' = -x(t - pi/2) with the past sin t goes on as sin t, without a break anywhere.
#[test]
fn the_past_before_the_start_is_given() {
    let text = "[scenario]\ntime = { start = 0.0, end = 20.0 }\n[states]\nx = 0.0\n[history]\nx = \"sin(t)\"\n\
                [equations]\nx = \"-delay(x, pi/2)\"\n[solver]\nmethod = \"vern7\"\nrtol = 1e-10\natol = 1e-10\n";
    let found = value(&study(text), "final(x)");
    assert!((found - 20f64.sin()).abs() < 1e-8, "{found}");
}

/// A delayed step of a signal arrives when it should; where the signal steps before the start, too.
#[test]
fn signals_arrive_late() {
    let text = "[scenario]\ntime = { start = 0.0, end = 3.0 }\n[parameters]\nat = 0.4\ntheta = 0.7\n[states]\nx = 0.0\ny = 0.0\n\
                [signals]\ninput = { kind = \"step\", at = \"at\", before = 0.0, after = 2.0 }\n\
                early = { kind = \"step\", at = -0.3, before = 0.0, after = 1.0 }\n\
                [equations]\nx = \"-x + delay(input, theta)\"\ny = \"-y + delay(early, theta)\"\n\
                [observables]\nseen = \"delay(input, theta)\"\n[solver]\nrtol = 1e-11\natol = 1e-11\n";
    let study = study(text);
    let exact = 2.0 * (1.0 - f64::exp(-(3.0 - 1.1)));
    assert!((value(&study, "final(x)") - exact).abs() < 1e-9);
    let late = 1.0 - f64::exp(-(3.0 - 0.4));
    assert!((value(&study, "final(y)") - late).abs() < 1e-9);
    for parameter in ["at", "theta"] {
        let slope = derivative(&study, "final(x)", parameter, GradientMethod::Auto);
        assert!(
            (slope + 2.0 * f64::exp(-1.9)).abs() < 1e-9,
            "{parameter}: {slope}"
        );
    }
    let times = [0.0, 1.0, 1.2];
    let run = simulate(&study, 0, &study.values(), &times).expect("a run");
    let seen: Vec<f64> = run
        .t
        .iter()
        .zip(&run.observables[0])
        .filter(|(t, _)| times.contains(t))
        .map(|(_, &y)| y)
        .collect();
    // held values come back through a polynomial of ten terms, each rounded
    let near = seen
        .iter()
        .zip([0.0, 0.0, 2.0])
        .all(|(a, b)| (a - b).abs() < 1e-13);
    assert!(near && seen.len() == 3, "{seen:?}");
}

const T10: &str = r#"
[scenario]
time = { start = 0.0, end = 40.0 }
[parameters]
Kc = 1.2
Ti = 1.0
[states]
y = 0.0
sum = 0.0
[definitions]
e = "1 - y"
u = "Kc*(e + sum/Ti)"
[equations]
y = "-y + delay(if(t < 0, 0, u), 0.5)"
sum = "e"
[solver]
method = "vern7"
rtol = 1e-11
atol = 1e-11
"#;

/// Golden control case T10: a first-order plant with dead time under a PI controller, the integral of the squared error.
#[test]
fn a_loop_with_dead_time() {
    let study = study(T10);
    let cost = "integral((1 - y)^2)";
    for (parameter, expected) in [("Kc", -0.179717882848), ("Ti", -0.038293886639)] {
        let found = derivative(&study, cost, parameter, GradientMethod::Auto);
        assert!(
            (found - expected).abs() < 1e-8,
            "{parameter}: {found}, not {expected}"
        );
    }
    let best = T10
        .replace("Kc = 1.2", "Kc = 1.80586")
        .replace("Ti = 1.0", "Ti = 1.63654");
    let found = value(&self::study(&best), cost);
    // the gains are rounded at 5e-6, and the cost is flat there
    assert!((found - 0.728865716).abs() < 1e-8, "{found}");
}

/// Golden control case T12: a sampled PI controller with limits before a dead time.
pub const T12: &str = r#"
[scenario]
time = { start = 0.0, end = 10.0 }
[parameters]
Kp = 2.0
Ki = 1.5
Tt = 1.0
theta = 0.25
tau = 1.0
K = 1.0
umax = 1.2
[states]
y = 0.0
sum = { initial = 0.0, discrete = true }
u = { initial = 0.0, discrete = true }
[definitions]
wanted = "Kp*(1 - y) + sum"
output = "clamp(wanted, -umax, umax)"
[equations]
y = "(K*delay(u, theta) - y)/tau"
[[events]]
name = "sample"
every = 0.1
first = 0.0
set = { u = "output", sum = "sum + 0.1*Ki*(1 - y) + 0.1/Tt*(output - wanted)" }
[solver]
method = "tsit5"
rtol = 1e-12
atol = 1e-12
"#;

/// T12: a sampled controller whose held output reaches the plant late by two and a half samples.
#[test]
fn a_sampled_loop_with_dead_time() {
    let study = study(T12);
    let cost = "integral((1 - y)^2) + 0.1*integral((u - 1/K)^2)";
    assert!((value(&study, cost) - 0.63299650700276).abs() < 1e-11);
    assert!((value(&study, "final(y)") - 0.999666356678).abs() < 1e-10);
    for (parameter, expected, allowed) in [
        ("Kp", 0.02164534366751, 1e-10),
        ("Ki", -0.03368267190192, 1e-10),
        ("Tt", -0.01619979337044, 1e-10),
        ("theta", 0.98635791611542, 1e-9),
        ("tau", 0.35383882634877, 1e-9),
        ("K", -0.49896230561257, 1e-9),
        ("umax", -0.40070494887638, 1e-9),
    ] {
        let found = derivative(&study, cost, parameter, GradientMethod::Auto);
        assert!(
            (found - expected).abs() < allowed,
            "{parameter}: {found}, not {expected}"
        );
    }
}

/// An equilibrium does not know how long ago anything was: x = 1 + 0.5 x at rest.
#[test]
fn at_rest_nothing_is_late() {
    let text = "[scenario]\ntime = { start = 0.0, end = 1.0 }\n[states]\nx = 0.0\n[equations]\nx = \"1 - x + 0.5*delay(x, 0.3)\"\n";
    assert!((value(&study(text), "equilibrium(x)") - 2.0).abs() < 1e-9);
}

#[test]
fn what_cannot_be_is_said() {
    let with = |equation: &str, more: &str| {
        format!(
            "[scenario]\ntime = {{ start = 0.0, end = 1.0 }}\n[parameters]\ntau = 0.5\n[states]\nx = 1.0\n[equations]\nx = \"{equation}\"\n{more}"
        )
    };
    for (equation, more, says) in [
        ("-delay(x, 0)", "", "a delay of 0 is none"),
        ("-delay(x, -1)", "", "a delay of -1 is none"),
        ("-delay(x, x)", "", "a delay is constant along a run"),
        ("-delay(x)", "", "`delay` takes 2 arguments, not 1"),
        (
            "-delay(x, tau)",
            "[[events]]\nname = \"kick\"\nwhen = \"x - 0.5\"\nset = { x = 1.0 }\n",
            "`kick` changes what `delay(x, tau)` reads",
        ),
        ("-delay(x, tau)", "[history]\nx = \"x\"\n", "`x` is a state"),
        (
            "-delay(x, tau)",
            "[history]\nz = \"1\"\n",
            "there is no state `z`",
        ),
    ] {
        let (study, findings) =
            Study::from_text(&with(equation, more), Path::new("."), Backend::Auto);
        assert!(study.is_none(), "{equation}");
        let messages: Vec<&str> = findings.iter().map(|f| f.message.as_str()).collect();
        assert!(
            messages.iter().any(|m| m.contains(says)),
            "{equation}: {messages:?}"
        );
    }
    let study = study(&with("-delay(x, tau)", "").replace("tau = 0.5", "tau = -0.5"));
    let functional = FunctionalStudy::parse(&study, "final(x)").expect("a functional");
    let error = match Solving::choose(&study) {
        Ok(solving) => functional
            .value(&study, &solving, &study.values())
            .expect_err("no delay")
            .to_string(),
        Err(error) => error.to_string(),
    };
    assert!(
        error.contains("`delay(x, tau)` has a delay of -0.5"),
        "{error}"
    );
}
