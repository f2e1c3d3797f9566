//! Second derivatives by dual numbers over dual numbers and through the adjoint: against references (`tests/data/ode`), against themselves across the
//! diagonal, and, through events, against differences of gradients.

use std::path::Path;

use costate::compile::Backend;
use costate::scenario::GradientMethod;
use costate::study::{
    FunctionalStudy, GradientOf, Hessian, HessianMethod, Solving, Study, Variable, hessian_by,
};
use serde_json::Value;

fn number(value: &Value) -> f64 {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("a number")
}

fn study(text: &str, method: &str) -> Study {
    let text = format!(
        "{text}\n[solver]\nmethod = \"{method}\"\nrtol = 1e-11\natol = 1e-12\nmax_steps = 10000000\n"
    );
    let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

fn file(id: &str) -> Value {
    let text = std::fs::read_to_string(format!("tests/data/ode/{id}.json")).expect("the file");
    serde_json::from_str(&text).expect("JSON")
}

/// Both ways, which agree: derivatives of the same steps, so that rounding alone lies between them (1e-11 and less of the largest
/// entry; 1e-10 is what a product of the Hessian is to be good for).
fn both_ways(study: &Study, of: GradientOf<'_>, variables: &[Variable]) -> Hessian {
    let solving = Solving::choose(study).expect("a method");
    let p = study.values();
    let by = |method| {
        let found = hessian_by(method, study, &solving, of, &p, variables);
        found.unwrap_or_else(|error| panic!("{method:?}: {error}"))
    };
    let duals = by(HessianMethod::DualOverDual);
    let adjoint = by(HessianMethod::DualOverAdjoint);
    let name = solving.stepper.name();
    let close = |a: &[f64], b: &[f64], what: &str| {
        // (what has decayed far below the absolute tolerance, 1e-12, was never solved for to more than that)
        let largest = a.iter().fold(1e-20_f64, |m, a| m.max(a.abs()));
        for (k, (a, b)) in a.iter().zip(b).enumerate() {
            let off = (a - b).abs();
            assert!(off <= 1e-10 * largest, "{what} {k} by {name}: {a} and {b}");
        }
    };
    assert!((duals.value - adjoint.value).abs() <= 1e-13 * duals.value.abs());
    close(&duals.gradient, &adjoint.gradient, "slope");
    close(&duals.matrix, &adjoint.matrix, "entry");
    adjoint
}

/// All second derivatives of all states at the last output, to `limit` of the largest of a state at any output.
fn states_hold(id: &str, method: &str, limit: f64) {
    let problem = crate::golden::all()
        .into_iter()
        .find(|p| p.id == id)
        .expect("the problem");
    let file = file(id);
    let output = file["outputs"]
        .as_array()
        .and_then(|all| all.last())
        .expect("an output");
    let (t, reference) = (number(&output["t"]), &output["d2ydp2"]);
    let study = study(&problem.toml, method);
    let variables: Vec<Variable> = (0..study.values().len())
        .map(Variable::Parameter)
        .filter(|v| reference.get(v.name(&study.scenario)).is_some())
        .collect();
    let m = variables.len();
    assert!(m > 0);
    for state in problem.states.iter().take(4) {
        let functional = FunctionalStudy::parse(&study, &format!("at({state}, {t:?})"))
            .unwrap_or_else(|findings| panic!("{findings:?}"));
        let of = GradientOf::Functional(&functional);
        let found = both_ways(&study, of, &variables);
        let name = |v: &Variable| v.name(&study.scenario);
        let expected = variables.iter().flat_map(|a| {
            let row = &reference[name(a)];
            variables.iter().map(move |b| number(&row[name(b)][state]))
        });
        let expected: Vec<f64> = expected.collect();
        // errors are controlled along the whole run, so that its largest counts
        let of_output = |output: &Value| {
            let rows = output["d2ydp2"].as_object().expect("second derivatives");
            let entries = rows
                .values()
                .flat_map(|row| row.as_object().expect("a row").values());
            entries.fold(0.0_f64, |a, entry| a.max(number(&entry[state]).abs()))
        };
        let outputs = file["outputs"].as_array().expect("outputs").iter();
        let largest = outputs.map(of_output).fold(0.0, f64::max);
        for (k, (h, e)) in found.matrix.iter().zip(&expected).enumerate() {
            let mirrored = found.matrix[k % m * m + k / m];
            assert!((h - mirrored).abs() <= 1e-10 * largest, "{id} by {method}");
            assert!(
                (h - e).abs() <= limit * largest,
                "{id} by {method}: {state}: entry {} {}: {h} for {e}",
                k / m,
                k % m
            );
        }
    }
}

#[test]
fn of_states() {
    for id in [
        "lotka_volterra",
        "logistic",
        "fitzhugh_nagumo",
        "lqr_riccati",
        "pid_loop",
        "sir",
        "sundials_hessian",
        "vdp_mu1",
    ] {
        states_hold(id, "vern9", 1e-9);
        states_hold(id, "tsit5", 1e-8);
    }
    for method in ["rodas5p", "kvaerno5", "radau5", "bdf"] {
        states_hold("lotka_volterra", method, 1e-6);
        states_hold("exp_decay_stiff_linear", method, 1e-6);
    }
}

/// The 4 by 4 Hessian of Lotka-Volterra's final state, and that of a loss.
#[test]
fn of_functionals() {
    let problem = crate::golden::all()
        .into_iter()
        .find(|p| p.id == "lotka_volterra");
    let problem = problem.expect("the problem");
    let file = file("lotka_volterra");
    let study = study(&problem.toml, "vern9");
    let mut seen = 0;
    for functional in file["functionals"].as_array().expect("functionals") {
        let (text, order) = if let Some(expression) = functional["expression"].as_str() {
            let t = number(&functional["t"]);
            // each name of a state, read then
            let text: String = expression
                .split_inclusive(|c: char| !c.is_alphanumeric())
                .map(|word| match word.strip_prefix(['x', 'y']) {
                    Some(rest) if !rest.starts_with(char::is_alphanumeric) => {
                        format!("at({}, {t:?}){rest}", &word[..1])
                    }
                    _ => word.to_owned(),
                })
                .collect();
            (text, &functional["hessian_order"])
        } else {
            let times = functional["times"].as_array().expect("times");
            let data = functional["data"].as_array().expect("data");
            let observed = functional["observed"].as_array().expect("observed");
            let mut terms = Vec::new();
            for (t, row) in times.iter().zip(data) {
                for (k, state) in observed.iter().enumerate() {
                    let value = row
                        .as_array()
                        .map_or_else(|| number(row), |row| number(&row[k]));
                    let state = state.as_str().expect("a state");
                    terms.push(format!(
                        "0.5*(at({state}, {:?}) - ({value:?}))^2",
                        number(t)
                    ));
                }
            }
            (terms.join(" + "), &functional["matrix_order"])
        };
        let names = order.as_array().expect("an order");
        let variables: Vec<Variable> = names
            .iter()
            .map(|name| {
                Variable::parse(name.as_str().expect("a name"), &study.scenario).expect("it")
            })
            .collect();
        let parsed = FunctionalStudy::parse(&study, &text)
            .unwrap_or_else(|findings| panic!("{text}: {findings:?}"));
        let of = GradientOf::Functional(&parsed);
        let found = both_ways(&study, of, &variables);
        let value = number(&functional["value"]);
        println!("{}: {} for {value}", functional["name"], found.value);
        assert!(
            (found.value - value).abs() <= 1e-9 * value.abs(),
            "{}",
            functional["formula"]
        );
        let rows = functional["hessian"].as_array().expect("a matrix");
        let expected: Vec<f64> = rows
            .iter()
            .flat_map(|row| row.as_array().expect("a row").iter().map(number))
            .collect();
        let largest = expected.iter().fold(0.0_f64, |a, e| a.max(e.abs()));
        for (h, e) in found.matrix.iter().zip(&expected) {
            assert!((h - e).abs() <= 1e-8 * largest, "{h} for {e}");
        }
        assert!(found.asymmetry() <= 1e-10);
        seen += 1;
    }
    assert_eq!(seen, 2);
}

/// Through bounces, moving doses and a terminal event: differences of the gradient.
#[test]
fn through_events() {
    let ball = "[scenario]\ntime = { start = 0.0, end = 2.2 }\n[parameters]\nheight = 1.0\ngravity = 9.81\ne = 0.8\ndrag = 0.1\n\
                [states]\ny = \"height\"\nv = 0.2\n[equations]\ny = \"v\"\nv = \"-gravity - drag*v\"\n\
                [[events]]\nname = \"bounce\"\nwhen = \"y\"\ndirection = \"falling\"\nset = { v = \"-e*v\" }\n";
    let doses = "[scenario]\ntime = { start = 0.0, end = 9.0 }\n[parameters]\nk = 0.5\nshift = 1.1\ndose = 2.0\n\
                 [states]\nx = \"dose\"\n[equations]\nx = \"-k*x/(1 + 0.2*x)\"\n\
                 [[events]]\nname = \"dose\"\nat = [\"2*shift\", \"4 + shift^2\"]\nset = { x = \"x + dose*exp(-0.1*t)\" }\n";
    let landing = "[scenario]\ntime = { start = 0.0, end = 20.0 }\n[parameters]\nspeed = 20.0\nangle = 0.8\n\
                   [states]\nx = 0.0\ny = 0.5\nu = \"speed*cos(angle)\"\nv = \"speed*sin(angle)\"\n\
                   [equations]\nx = \"u\"\ny = \"v\"\nu = \"-0.02*u*sqrt(u^2 + v^2)\"\nv = \"-9.81 - 0.02*v*sqrt(u^2 + v^2)\"\n\
                   [[events]]\nname = \"ground\"\nwhen = \"y\"\ndirection = \"falling\"\nterminal = true\n";
    for (text, of) in [
        (ball, "final(y)*final(v) + event_time(bounce, 2)"),
        (doses, "final(x) + integral(x^2)"),
        (landing, "final(x) + final(t)^2"),
    ] {
        for method in ["vern7", "rodas5p", "kvaerno5", "bdf"] {
            let study = study(text, method);
            let solving = Solving::choose(&study).expect("a method");
            let functional = FunctionalStudy::parse(&study, of)
                .unwrap_or_else(|findings| panic!("{findings:?}"));
            let p = study.values();
            let m = p.len();
            let variables: Vec<Variable> = (0..m).map(Variable::Parameter).collect();
            let found = both_ways(&study, GradientOf::Functional(&functional), &variables);
            assert!(
                found.asymmetry() <= 1e-9,
                "{of} by {method}: {:e}",
                found.asymmetry()
            );
            let largest = found.matrix.iter().fold(0.0_f64, |a, h| a.max(h.abs()));
            for row in 0..m {
                let h = 1e-4 * p[row];
                let at = |delta: f64| {
                    let mut moved = p.clone();
                    moved[row] += delta;
                    let mut gradient = vec![0.0; m];
                    let how = GradientMethod::Dual;
                    functional
                        .gradient(&study, &solving, how, &moved, &variables, &mut gradient)
                        .expect("a gradient");
                    gradient
                };
                let (up, down) = (at(h), at(-h));
                for column in 0..m {
                    let difference = (up[column] - down[column]) / (2.0 * h);
                    let entry = found.matrix[row * m + column];
                    // h^2 and the solver's 1e-11 over h
                    assert!(
                        (entry - difference).abs() <= 2e-6 * largest,
                        "{of} by {method}: {row} {column}: {entry} for {difference}"
                    );
                }
            }
        }
    }
}
