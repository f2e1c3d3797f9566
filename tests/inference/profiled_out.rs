//! `profile_out`: the same optimum as with everything searched for, with the gradient of the envelope theorem.

use costate::study::Study;

use super::{fitted, read, study};

/// Two decays on an unknown scale, with an unknown background.
const DATA: &str = "t,y\n0,5.31\n0.5,4.02\n1,3.28\n1.5,2.61\n2,2.23\n3,1.58\n4,1.31\n6,0.94\n";
const LOGARITHMIC: [&str; 2] = [
    "t,y\n0.2,3.9\n0.7,3.3\n1.5,2.1\n2.5,1.55\n4,0.74\n",
    "t,y\n0.2,8.3\n0.7,6.1\n1.5,4.6\n2.5,2.7\n4,1.62\n",
];

/// A decay with what its observable, parameters and experiments are given as; `{inside}` is where parameters may be profiled out.
fn text(parameters: &str, observable: &str, rest: &str, inside: bool) -> String {
    let mark = if inside { ", profile_out = true" } else { "" };
    format!(
        "[scenario]\ntime = {{ start = 0.0, end = 6.0 }}\n[parameters]\n\
         k = {{ value = 0.3, bounds = [0.01, 10.0], scale = \"log\", fit = true }}\n\
         start = 1.0\n{}\n[states]\nx = \"start\"\n[equations]\nx = \"-k*x\"\n\
         [observables]\ny = {observable}\n[solver]\nrtol = 1e-10\natol = 1e-12\n{rest}",
        parameters.replace("{inside}", mark)
    )
}

struct Case {
    name: &'static str,
    parameters: &'static str,
    observable: &'static str,
    rest: &'static str,
    files: &'static [(&'static str, &'static str)],
}

const SCALE: &str =
    "s = { value = 1.0, bounds = [1e-3, 1e3], scale = \"log\", fit = true{inside} }";
const ALL: &str = "s = { value = 1.0, bounds = [1e-3, 1e3], scale = \"log\", fit = true{inside} }\n\
                   o = { value = 0.0, bounds = [-10.0, 10.0], fit = true{inside} }\n\
                   sd = { value = 1.0, bounds = [1e-4, 1e2], scale = \"log\", fit = true{inside} }";
const SHARED: &str = "s = { value = 1.0, bounds = [1e-3, 1e3], scale = \"log\", fit = true{inside} }\n\
                      sd = { value = 1.0, bounds = [1e-4, 1e2], scale = \"log\", fit = true{inside} }";
/// The best offset is some 0.7: its bound holds it.
const HELD: &str = "s = { value = 1.0, bounds = [1e-3, 1e3], scale = \"log\", fit = true{inside} }\n\
                    o = { value = 0.0, bounds = [-10.0, 0.2], fit = true{inside} }\n\
                    sd = { value = 1.0, bounds = [1e-4, 1e2], scale = \"log\", fit = true{inside} }";

const ONE: &str = "[data]\nfile = \"one.csv\"\ntime = \"t\"\n";
const TWO: &str = "[[experiments]]\nname = \"one\"\ndata = { file = \"one.csv\", time = \"t\" }\n\
                   [[experiments]]\nname = \"two\"\nparameters = { start = 2.0 }\ndata = { file = \"two.csv\", time = \"t\" }\n";

const CASES: [Case; 4] = [
    Case {
        name: "a scale",
        parameters: SCALE,
        observable: "{ expression = \"s*x\", noise = { model = \"normal\", sigma = 0.2 } }",
        rest: ONE,
        files: &[("one.csv", DATA)],
    },
    Case {
        name: "scale, offset and sigma",
        parameters: ALL,
        observable: "{ expression = \"s*x + o\", noise = { model = \"normal\", sigma = \"sd*(1 + 0.1*x)\" } }",
        rest: ONE,
        files: &[("one.csv", DATA)],
    },
    Case {
        name: "shared by experiments, log-normal",
        parameters: SHARED,
        observable: "{ expression = \"s*x\", noise = { model = \"log-normal\", sigma = \"sd\" } }",
        rest: TWO,
        files: &[("one.csv", LOGARITHMIC[0]), ("two.csv", LOGARITHMIC[1])],
    },
    Case {
        name: "at a bound",
        parameters: HELD,
        observable: "{ expression = \"s*x + o\", noise = { model = \"normal\", sigma = \"sd\" } }",
        rest: ONE,
        files: &[("one.csv", DATA)],
    },
];

fn of(case: &Case, inside: bool, more: &str) -> Study {
    let rest = format!("{}{more}", case.rest);
    study(
        &text(case.parameters, case.observable, &rest, inside),
        case.files,
    )
}

#[test]
fn the_optimum_is_that_of_the_ordinary_fit() {
    for case in &CASES {
        let fine = "[fit]\ngradient_tolerance = 1e-8\n";
        let plain = fitted(&of(case, false, fine));
        for algorithm in ["levenberg-marquardt", "l-bfgs", "newton-cg"] {
            let more = format!("{fine}algorithm = \"{algorithm}\"\n");
            let solved = fitted(&of(case, true, &more));
            let name = format!("{}, {algorithm}", case.name);
            assert!(plain.converged && solved.converged, "{name}");
            let difference = solved.objective - plain.objective;
            assert!(difference.abs() < 1e-8, "{name}: {difference}");
            assert_eq!(plain.names, solved.names);
            for i in 0..plain.names.len() {
                // at a gradient of 1e-8 parameters are found to some 1e-8 of their errors
                let (a, b) = (plain.best[i], solved.best[i]);
                assert!((a - b).abs() < 1e-5 * (1.0 + a.abs()), "{name}: {a} {b}");
                let (a, b) = (plain.standard_errors[i], solved.standard_errors[i]);
                let (a, b) = (a.expect("determined"), b.expect("determined"));
                assert!((a / b - 1.0).abs() < 1e-5, "{name}: {a} {b}");
            }
            assert_eq!(solved.starts[0].outcome.theta.len(), 1, "{name}");
        }
    }
}

/// The gradient where one step ends, beside central differences of the value at which fits begin: these err by h^2 = 1e-8 of
/// the third derivative and by the noise of the solves, 1e-10, over h.
#[test]
fn the_gradient_is_that_of_the_objective_solved_inside() {
    for case in &CASES {
        for method in ["dual", "adjoint"] {
            let how = format!(
                "[gradient]\nmethod = \"{method}\"\n[fit]\nalgorithm = \"l-bfgs\"\nmax_iterations = 1\n"
            );
            let end = fitted(&of(case, true, &how)).starts[0].outcome.clone();
            let at = |q: f64| {
                let mut moved = of(case, true, &how);
                let k = &mut moved.scenario.parameters[0];
                assert_eq!(k.name.text, "k");
                k.value = q.exp();
                fitted(&moved).starts[0].outcome.history[0].value
            };
            let (q, h) = (end.theta[0], 1e-4);
            let difference = (at(q + h) - at(q - h)) / (2.0 * h);
            let gradient = end.gradient[0];
            assert!(
                (gradient - difference).abs() < 1e-5 * (1.0 + gradient.abs()),
                "{}, {method}: {gradient} {difference}",
                case.name
            );
        }
    }
}

/// What cannot be solved for is refused, with the reason.
#[test]
fn other_parameters_are_refused() {
    let normal = |expression: &str, sigma: &str| {
        format!(
            "{{ expression = \"{expression}\", noise = {{ model = \"normal\", sigma = \"{sigma}\" }} }}"
        )
    };
    let two = "a = { value = 1.0, fit = true, profile_out = true }\nb = { value = 1.0, fit = true, profile_out = true }";
    let one = "a = { value = 1.0, fit = true, profile_out = true }";
    for (parameters, observable, says) in [
        (one, normal("exp(a)*x", "1"), "is not linear in it"),
        (two, normal("a*(x + b)", "1"), "not in all of them together"),
        (one, normal("a*x", "a"), "in its sigma"),
        (one, normal("x", "a + 1"), "is not proportional to it"),
        (one, normal("x", "1"), "no measurement depends on it"),
        (two, normal("x", "a + b"), "is not proportional to it"),
        (
            "a = { value = 1.0, fit = true, profile_out = true, prior = { distribution = \"normal\", mean = 1.0, sd = 1.0 } }",
            normal("a*x", "1"),
            "has a prior",
        ),
        (
            "a = { value = 1.0, profile_out = true }",
            normal("a*x", "1"),
            "which does not estimate it",
        ),
        (
            one,
            "{ expression = \"a*x\", noise = { model = \"laplace\", sigma = 1.0 } }".to_owned(),
            "has Laplace noise",
        ),
        (
            one,
            "{ expression = \"a + x\", noise = { model = \"log-normal\", sigma = 1.0 } }"
                .to_owned(),
            "is not proportional to it",
        ),
    ] {
        let (_, findings) = read(
            &text(parameters, &observable, ONE, false),
            &[("one.csv", DATA)],
        );
        let told = findings
            .iter()
            .any(|f| f.message.contains(says) && f.span.is_some());
        assert!(told, "{observable}: {findings:?}");
    }
    // in the dynamics
    let dynamic = text("", &normal("x", "1"), ONE, false).replace(
        "fit = true }",
        "fit = true, profile_out = true }\nz = { value = 1.0, fit = true }",
    );
    let (_, findings) = read(&dynamic, &[("one.csv", DATA)]);
    assert!(
        findings
            .iter()
            .any(|f| f.message.contains("it enters the equations")),
        "{findings:?}"
    );
}
