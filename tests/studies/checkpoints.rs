//! Gradients within bounds of memory: the same bits as without.

use std::path::Path;

use costate::compile::Backend;
use costate::scenario::{GradientMethod, SolverMethod};
use costate::study::{
    FunctionalStudy, GradientOf, HessianMethod, Solving, Study, Variable, hessian, hessian_by,
};

/// Everything that a part of a solve may begin or end at: bounces, doses that move, signals, stops.
const HYBRID: &str = r#"
[scenario]
time = { start = 0.0, end = 12.0 }
[parameters]
height = 1.0
gravity = 9.81
e = 0.93
shift = 1.1
push = 0.4
[signals]
wind = { kind = "pulse", start = "2*shift", width = 0.7, high = "push" }
[states]
y = "height"
v = 0.2
z = 0.5
[equations]
y = "v"
v = "-gravity + wind - 0.01*v"
z = "-0.2*z + 0.1*y"
[[events]]
name = "bounce"
when = "y"
direction = "falling"
set = { v = "-e*v" }
[[events]]
name = "dose"
every = "0.5*shift"
first = "shift"
only_if = "z < 0.6"
set = { z = "z + 0.1*e" }
"#;

const SMOOTH: &str = r#"
[scenario]
time = { start = 0.0, end = 30.0 }
[parameters]
a = 1.0
b = 0.3
[states]
q = "a"
p = 0.1
[equations]
q = "p"
p = "-q - b*q^3"
"#;

fn gradient(text: &str, method: &str, memory: Option<&str>, of: &str) -> Vec<u64> {
    let steps = match method {
        "rk4" | "yoshida4" | "implicit-midpoint" => "step = 0.005",
        _ => "rtol = 1e-10\natol = 1e-10",
    };
    let memory = memory.map_or(String::new(), |m| format!("[gradient]\nmemory = \"{m}\"\n"));
    let text = format!("{text}[solver]\nmethod = \"{method}\"\n{steps}\n{memory}");
    let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:?}"));
    let solving = match study.scenario.solver.method {
        SolverMethod::Auto => Solving::for_simulation(&study),
        _ => Solving::choose(&study),
    };
    let solving = solving.expect("a method");
    let p = study.values();
    let variables: Vec<Variable> = (0..p.len()).map(Variable::Parameter).collect();
    let functional = FunctionalStudy::parse(&study, of).expect("a functional");
    let mut gradient = vec![0.0; p.len()];
    let how = GradientMethod::Adjoint;
    functional
        .gradient(&study, &solving, how, &p, &variables, &mut gradient)
        .unwrap_or_else(|error| panic!("{method} {memory}: {error}"));
    assert!(gradient.iter().any(|g| *g != 0.0));
    gradient.iter().map(|g| g.to_bits()).collect()
}

#[test]
fn budgets_change_no_bit() {
    let through_events = "final(y)*at(v, 3.3) + event_time(bounce, 5) + integral(z^2) + at(z, 7.7)";
    for method in [
        "tsit5", "dop853", "vern9", "bs3", "rk4", "rodas5p", "rodas3", "auto",
    ] {
        let free = gradient(HYBRID, method, None, through_events);
        for memory in ["64 KiB", "200 kB", "2 MiB"] {
            let bound = gradient(HYBRID, method, Some(memory), through_events);
            assert_eq!(free, bound, "{method} in {memory}");
        }
    }
    for method in ["yoshida4", "implicit-midpoint", "tsit5", "rodas4", "auto"] {
        let of = "final(q)^2 + at(p, 11.1)";
        let free = gradient(SMOOTH, method, None, of);
        for memory in ["64 KiB", "300 KiB"] {
            assert_eq!(
                free,
                gradient(SMOOTH, method, Some(memory), of),
                "{method} in {memory}"
            );
        }
    }
}

/// Second derivatives need the whole solve, or come by dual numbers over dual numbers.
#[test]
fn second_derivatives_go_without() {
    let text = format!("{SMOOTH}[solver]\nmethod = \"tsit5\"\n[gradient]\nmemory = \"64 KiB\"\n");
    let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:?}"));
    let solving = Solving::choose(&study).expect("a method");
    let functional = FunctionalStudy::parse(&study, "final(q)^2").expect("a functional");
    let (of, p) = (GradientOf::Functional(&functional), study.values());
    let variables = [Variable::Parameter(0), Variable::Parameter(1)];
    let way = HessianMethod::DualOverAdjoint;
    let refused = hessian_by(way, &study, &solving, of, &p, &variables);
    let message = refused.expect_err("no adjoint").to_string();
    assert!(message.contains("`memory`"), "{message}");
    let found = hessian(&study, &solving, of, &p, &variables).expect("a Hessian");
    assert_eq!(found.method, HessianMethod::DualOverDual);
}

#[test]
fn amounts_that_are_none_are_refused() {
    for bad in ["much", "64", "-1 MiB", "3 B", "nan GB"] {
        let text = format!("{SMOOTH}[gradient]\nmemory = \"{bad}\"\n");
        let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
        assert!(study.is_none(), "{bad}");
        assert!(
            findings.iter().any(|f| f.message.contains("memory")),
            "{findings:?}"
        );
    }
}
