//! What a certificate says of gradients that hold, and of those that do not.

use std::path::Path;
use std::process::Command;

use costate::compile::Backend;
use costate::study::{FunctionalStudy, GradientOf, Solving, Study, Variable, certify};

fn objections(text: &str, of: &str) -> Vec<String> {
    let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:?}"));
    let solving = Solving::choose(&study).expect("a method");
    let functional = FunctionalStudy::parse(&study, of).expect("a functional");
    let p = study.values();
    let variables: Vec<Variable> = (0..p.len()).map(Variable::Parameter).collect();
    let of = GradientOf::Functional(&functional);
    let certificate = certify(&study, &solving, of, &p, &variables, 0).expect("a certificate");
    println!("{certificate:?}");
    certificate.objections()
}

const BALL: &str = r#"
[scenario]
time = { start = 0.0, end = 2.2 }
[parameters]
height = 1.0
gravity = 9.81
e = 0.8
[states]
y = "height"
v = 0.2
[equations]
y = "v"
v = "-gravity"
[[events]]
name = "bounce"
when = "y"
direction = "falling"
set = { v = "-e*v" }
"#;

#[test]
fn a_gradient_that_holds() {
    for method in ["tsit5", "rodas5p", "kvaerno4", "bdf"] {
        let text = format!("{BALL}[solver]\nmethod = \"{method}\"\nrtol = 1e-8\natol = 1e-8\n");
        assert_eq!(
            objections(&text, "final(y)*final(v)"),
            Vec::<String>::new(),
            "{method}"
        );
    }
}

/// An unstable balance: the states rest, so that a step may be of any length, and the derivatives grow like e^(5 t).
#[test]
fn derivatives_that_the_steps_do_not_see() {
    let text = r#"
[scenario]
time = { start = 0.0, end = 1.5 }
[parameters]
push = 0.0
[states]
x = 0.0
v = "push"
[equations]
x = "v"
v = "25*sin(x)"
[solver]
method = "tsit5"
rtol = 1e-6
atol = 1e-6
"#;
    let found = objections(text, "final(x)");
    assert!(found.iter().any(|o| o.contains("follow it")), "{found:?}");
    // with steps that are short enough it holds
    let held = text.replace("atol = 1e-6", "atol = 1e-6\nmax_step = 0.05");
    assert_eq!(objections(&held, "final(x)"), Vec::<String>::new());
    // or follow the derivatives themselves
    let held = format!("{text}[gradient]\nerror_control = true\n");
    assert_eq!(objections(&held, "final(x)"), Vec::<String>::new());
}

#[test]
fn chaos_is_called_unreliable() {
    let of = [
        "gradient",
        "double-pendulum",
        "--of",
        "final(theta2)",
        "--certify",
        "--json",
    ];
    let run = |end: &str| {
        let end = format!("scenario.time.end={end}");
        Command::new(env!("CARGO_BIN_EXE_costate"))
            .args(of)
            .args(["--set", &end])
            .output()
            .expect("a run")
    };
    let early = run("2");
    assert_eq!(early.status.code(), Some(0), "{early:?}");
    let late = run("10");
    assert_eq!(late.status.code(), Some(3), "{late:?}");
    let document: serde_json::Value = serde_json::from_slice(&late.stdout).expect("JSON");
    let certificate = &document["certificate"];
    assert_eq!(certificate["holds"], false);
    assert!(
        certificate["growth"].as_f64().is_some_and(|g| g > 1e8),
        "{certificate}"
    );
}
