//! `[mechanics]`: equations of motion from energies against those written by hand, reference values
//! (`tests/data/control/mechanics.json`, `tests/data/ode/pendulum_dae.json`) and conservation laws.

use std::fmt::Write as _;
use std::path::Path;

use costate::compile::Backend;
use costate::diagnostic::{Diagnostic, Severity};
use costate::model::{NodeId, evaluate, readable};
use costate::scenario::{self, GradientMethod, Override, resolved_text};
use costate::study::{FunctionalStudy, Solving, Study, Variable, simulate_by};
use serde_json::Value;

fn read(text: &str) -> (Option<Study>, Vec<Diagnostic>) {
    Study::from_text(text, Path::new("."), Backend::Auto)
}

fn study(text: &str) -> Study {
    let (study, findings) = read(text);
    assert!(findings.is_empty(), "{findings:#?}");
    study.expect("a study")
}

/// Right-hand sides at t, x and the scenario's parameters, by state.
fn right_hand_side(study: &Study, t: f64, x: &[f64]) -> Vec<f64> {
    at(study, &study.equations.model().rhs, t, x)
}

fn at(study: &Study, nodes: &[NodeId], t: f64, x: &[f64]) -> Vec<f64> {
    evaluate(
        &study.equations.model().graph,
        nodes,
        &[&[t; 2], x, &study.values()],
    )
}

/// A functional's value.
fn value(study: &Study, text: &str) -> f64 {
    let functional = FunctionalStudy::parse(study, text).expect("a functional");
    let solving = Solving::choose(study).expect("a method");
    functional
        .value(study, &solving, &study.values())
        .expect("a value")
}

/// A functional's gradient in all parameters.
fn gradient(study: &Study, text: &str, method: GradientMethod) -> Vec<f64> {
    let functional = FunctionalStudy::parse(study, text).expect("a functional");
    let solving = Solving::choose(study).expect("a method");
    let p = study.values();
    let variables: Vec<Variable> = (0..p.len()).map(Variable::Parameter).collect();
    let mut gradient = vec![0.0; p.len()];
    functional
        .gradient(study, &solving, method, &p, &variables, &mut gradient)
        .expect("a gradient");
    gradient
}

/// A reference of `tests/data/control/mechanics.json`: its numbers and the error allowed.
fn reference(case: &str, name: &str) -> (Vec<f64>, f64) {
    let text = std::fs::read_to_string("tests/data/control/mechanics.json").expect("the file");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let case = (file["cases"].as_array().expect("cases").iter())
        .find(|c| c["id"] == case)
        .expect("the case");
    let entry = (case["references"].as_array().expect("references").iter())
        .find(|r| r["name"] == name)
        .expect("the reference");
    let numbers = match &entry["value"] {
        Value::Array(all) => all.iter().map(|v| v.as_f64().expect("a number")).collect(),
        one => vec![one.as_f64().expect("a number")],
    };
    (numbers, entry["tol"].as_f64().expect("a tolerance"))
}

/// Numbers in [-1, 1), the same every time.
fn random(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    (*seed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

const SOLVER: &str = "[solver]\nmethod = \"dop853\"\nrtol = 1e-13\natol = 1e-13\n";

const DOUBLE_PENDULUM: &str = r#"
[scenario]
time = { start = 0.0, end = 5.0 }
[parameters]
m1 = 1.0
m2 = 1.0
l1 = 1.0
l2 = 1.0
g = 9.81
start = 2.0
[mechanics]
coordinates = { theta1 = "start", theta2 = 2.5 }
kinetic = "0.5*(m1 + m2)*l1^2*theta1_dot^2 + 0.5*m2*l2^2*theta2_dot^2 + m2*l1*l2*theta1_dot*theta2_dot*cos(theta1 - theta2)"
potential = "-(m1 + m2)*g*l1*cos(theta1) - m2*g*l2*cos(theta2)"
"#;

/// A single mass needs one division, and the derivative of a square is exact: the equations are those written by hand.
#[test]
fn one_coordinate_gives_the_bits_of_the_equation_by_hand() {
    let derived = study(
        r#"
[scenario]
time = { start = 0.0, end = 1.0 }
[parameters]
m = 1.3
l = 0.7
g = 9.81
c = 0.11
[signals]
u = { kind = "sine", amplitude = 2.0, frequency = 0.3 }
[mechanics]
coordinates = { theta = 0.4 }
velocities = { theta = -0.2 }
kinetic = "0.5*m*l^2*theta_dot^2"
potential = "-m*g*l*cos(theta)"
dissipation = "0.5*c*theta_dot^2"
forces = { theta = "u" }
"#,
    );
    let by_hand = study(
        r#"
[scenario]
time = { start = 0.0, end = 1.0 }
[parameters]
m = 1.3
l = 0.7
g = 9.81
c = 0.11
[signals]
u = { kind = "sine", amplitude = 2.0, frequency = 0.3 }
[states]
theta = 0.4
theta_dot = -0.2
[equations]
theta = "theta_dot"
theta_dot = "(-m*g*l*sin(theta) - c*theta_dot + u)/(m*l^2)"
"#,
    );
    let mut seed = 1;
    for _ in 0..200 {
        let (t, x) = (
            random(&mut seed),
            [3.0 * random(&mut seed), 5.0 * random(&mut seed)],
        );
        assert_eq!(
            right_hand_side(&derived, t, &x),
            right_hand_side(&by_hand, t, &x)
        );
    }
    let model = derived.equations.model();
    assert_eq!(
        model
            .states
            .iter()
            .collect::<Vec<_>>()
            .iter()
            .collect::<Vec<_>>(),
        ["theta", "theta_dot"]
    );
    assert_eq!(
        at(&derived, &model.experiments[0].initial, 0.0, &[]),
        [0.4, -0.2]
    );
}

/// Two equations solved for the accelerations: the elimination and Cramer's rule round differently. Each is backward
/// stable, so they differ by a few eps of cond(M) times the terms; here M = [2, c; c, 1], cond(M) < 7, and 9 operations
/// or fewer stand on any path.
#[test]
fn double_pendulum_is_that_of_the_textbook() {
    let derived = study(&(DOUBLE_PENDULUM.to_owned() + SOLVER));
    let mut seed = 3;
    for _ in 0..500 {
        let x: Vec<f64> = (0..4).map(|_| 3.0 * random(&mut seed)).collect();
        let [a, b, va, vb] = [x[0], x[1], x[2], x[3]];
        let (s, c, g) = ((a - b).sin(), (a - b).cos(), 9.81);
        // 2 a' + c b' = f1, c a' + b' = f2
        let f1 = -s * vb * vb - 2.0 * g * a.sin();
        let f2 = s * va * va - g * b.sin();
        let determinant = 2.0 - c * c;
        let expected = [
            va,
            vb,
            (f1 - c * f2) / determinant,
            (2.0 * f2 - c * f1) / determinant,
        ];
        let terms = 2.0 * (va * va + vb * vb + (va * vb).abs()) + 4.0 * g;
        let found = right_hand_side(&derived, 0.0, &x);
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() <= 9.0 * 7.0 * f64::EPSILON * terms, "{f} {e}");
        }
    }
}

#[test]
fn double_pendulum_meets_its_references() {
    let study = study(&(DOUBLE_PENDULUM.to_owned() + SOLVER));
    let names = ["theta1", "theta2", "theta1_dot", "theta2_dot"];
    let (states, allowed) = reference("T18_double_pendulum", "T=5 state");
    let (slopes, allowed_slope) = reference("T18_double_pendulum", "T=5 d(state)/dtheta1(0)");
    for ((name, expected), slope) in names.iter().zip(states).zip(slopes) {
        let found = value(&study, &format!("final({name})"));
        println!("{name} = {found} (off by {:.1e})", (found - expected).abs());
        assert!(
            (found - expected).abs() <= allowed,
            "{name} = {found}, not {expected}"
        );
        let found = gradient(&study, &format!("final({name})"), GradientMethod::Dual)[5];
        println!("d {name} = {found} (off by {:.1e})", (found - slope).abs());
        assert!(
            (found - slope).abs() <= allowed_slope,
            "d {name} = {found}, not {slope}"
        );
    }
    let (energy, allowed) = reference("T18_double_pendulum", "energy");
    assert!((value(&study, "final(energy)") - energy[0]).abs() <= allowed);
    // the energy is an invariant without being asked for
    let solving = Solving::choose(&study).expect("a method");
    let run = simulate_by(&study, &solving, 0, &study.values(), &[5.0]).expect("a run");
    assert_eq!(run.invariants.len(), 1);
    assert_eq!(run.invariants[0].name, "energy");
    assert!((run.invariants[0].initial - energy[0]).abs() <= allowed);
    assert!(
        run.invariants[0].relative() < 1e-11,
        "{}",
        run.invariants[0].relative()
    );
}

/// The cart-pole of M. Kelly, doi:10.1137/16M1062569, whose equations the case gives.
#[test]
fn cart_pole_is_that_of_its_paper() {
    let derived = study(
        r#"
[scenario]
time = { start = 0.0, end = 1.0 }
[parameters]
m1 = 1.0
m2 = 0.3
l = 0.5
g = 9.81
[states]
u = 0.7
[equations]
u = "-u"
[mechanics]
coordinates = { x = 0.0, theta = 0.0 }
kinetic = "0.5*(m1 + m2)*x_dot^2 + m2*l*x_dot*theta_dot*cos(theta) + 0.5*m2*l^2*theta_dot^2"
potential = "-m2*g*l*cos(theta)"
forces = { x = "u" }
"#,
    );
    assert_eq!(
        derived.equations.model().states.iter().collect::<Vec<_>>(),
        ["u", "x", "theta", "x_dot", "theta_dot"]
    );
    let (m1, m2, l, g) = (1.0, 0.3, 0.5, 9.81);
    let mut seed = 5;
    for _ in 0..500 {
        let x: Vec<f64> = (0..5).map(|_| 3.0 * random(&mut seed)).collect();
        let [u, _, q, v, w] = [x[0], x[1], x[2], x[3], x[4]];
        let (s, c) = (q.sin(), q.cos());
        let expected = [
            -u,
            v,
            w,
            (l * m2 * s * w * w + u + m2 * g * c * s) / (m1 + m2 * (1.0 - c * c)),
            -(l * m2 * c * s * w * w + u * c + (m1 + m2) * g * s)
                / (l * m1 + l * m2 * (1.0 - c * c)),
        ];
        // cond(M) < 20 for M = [1.3, 0.15 c; 0.15 c, 0.075], and the angle's terms are divided by l m1
        let terms = (w * w + w.abs() * v.abs() + u.abs() + 2.0 * g) / l;
        for (f, e) in right_hand_side(&derived, 0.0, &x).iter().zip(expected) {
            assert!(
                (f - e).abs() <= 9.0 * 20.0 * f64::EPSILON * terms,
                "{f} {e}"
            );
        }
    }
    // a force takes the energy's invariance, not its name
    assert!(derived.equations.model().invariants.is_empty());
    assert!(value(&derived, "final(energy)").is_finite());
}

/// A bead on a wire turned at a changing rate, the wire's length and the mass changing with a state: each term of the total
/// time derivative of the momentum counts. T = m(z)/2 (v^2 + r^2 w(t)^2 + 2 r w v k(t)) by hand.
#[test]
fn time_and_other_states_in_the_kinetic_energy() {
    let derived = study(
        r#"
[scenario]
time = { start = 0.0, end = 2.0 }
[parameters]
k = 0.4
[signals]
w = { kind = "ramp", start = 0.5, end = 1.5, from = 1.0, to = 3.0 }
[states]
m = 2.0
[equations]
m = "-0.1*m + 0.05*r"
[mechanics]
coordinates = { r = 1.0 }
velocities = { r = 0.3 }
kinetic = "0.5*m*(r_dot^2 + r^2*w^2 + 2*k*r*w*sin(t)*r_dot)"
"#,
    );
    for (t, w, w_dot) in [(0.2, 1.0, 0.0), (0.9, 1.8, 2.0), (1.7, 3.0, 0.0f64)] {
        let t: f64 = t;
        let (m, r, v, k) = (1.7, 0.8, -0.6, 0.4);
        let m_dot = -0.1 * m + 0.05 * r;
        // p = m v + m k r w sin t;  p' = dT/dr
        let slope = m * r * w * w + m * k * w * t.sin() * v;
        let rest = m_dot * v
            + m_dot * k * r * w * t.sin()
            + m * k * v * w * t.sin()
            + m * k * r * (w_dot * t.sin() + w * t.cos());
        let expected = (slope - rest) / m;
        let found = right_hand_side(&derived, t, &[m, r, v])[2];
        assert!(
            (found - expected).abs() <= 1e-14 * 10.0,
            "t = {t}: {found}, not {expected}"
        );
    }
    assert!(derived.equations.model().invariants.is_empty());
}

/// L = m v^2/2 - q (phi - A v): a charge in a magnetic field, B = 2 b across the plane with A = b (-y, x).
#[test]
fn a_potential_may_depend_on_velocities() {
    let derived = study(
        r#"
[scenario]
time = { start = 0.0, end = 3.0 }
[parameters]
m = 2.0
b = 0.75
[mechanics]
coordinates = { x = 1.0, y = 0.0 }
velocities = { y = 1.0 }
kinetic = "0.5*m*(x_dot^2 + y_dot^2)"
potential = "-b*(x*y_dot - y*x_dot)"
[solver]
method = "vern9"
rtol = 1e-12
atol = 1e-12
"#,
    );
    let found = right_hand_side(&derived, 0.0, &[0.3, -0.4, 1.1, 0.6]);
    let expected = [1.1, 0.6, 2.0 * 0.75 * 0.6 / 2.0, -2.0 * 0.75 * 1.1 / 2.0];
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() < 1e-15 * 4.0, "{found:?}");
    }
    // a magnetic force does no work: the energy is kinetic alone, m/2 at the start
    assert!((value(&derived, "final(energy)") - 1.0).abs() < 1e-11);
    assert_eq!(derived.equations.model().invariants[0].0, "energy");
}

/// A free relativistic particle under a spring: T is not quadratic, M = gamma^3 m, the energy is gamma m c^2 + V.
#[test]
fn a_kinetic_energy_that_is_not_quadratic() {
    let derived = study(
        r#"
[scenario]
time = { start = 0.0, end = 5.0 }
[parameters]
m = 1.5
c = 2.0
k = 3.0
[mechanics]
coordinates = { x = 1.0 }
velocities = { x = 0.5 }
kinetic = "-m*c^2*sqrt(1 - x_dot^2/c^2)"
potential = "0.5*k*x^2"
[solver]
method = "vern9"
rtol = 1e-12
atol = 1e-12
"#,
    );
    let (m, c, k, x, v) = (1.5, 2.0, 3.0, 0.7, 1.1f64);
    let gamma = 1.0 / (1.0 - v * v / (c * c)).sqrt();
    let found = right_hand_side(&derived, 0.0, &[x, v])[1];
    let expected = -k * x / (m * gamma.powi(3));
    assert!(
        (found - expected).abs() < 1e-14 * 10.0,
        "{found} {expected}"
    );
    let gamma = 1.0 / (1.0 - 0.25 / (c * c)).sqrt();
    let energy = gamma * m * c * c + 0.5 * k;
    assert!((value(&derived, "final(energy)") - energy).abs() < 1e-10);
}

const PENDULUM: &str = r#"
[scenario]
time = { start = 0.0, end = 10.0 }
[parameters]
theta0 = 2.0
l = 1.0
g = 9.81
m = 1.0
[mechanics]
coordinates = { x = "l*sin(theta0)", y = "-l*cos(theta0)" }
kinetic = "0.5*m*(x_dot^2 + y_dot^2)"
potential = "m*g*y"
constraints = ["x^2 + y^2 - l^2"]
"#;

#[test]
fn constrained_pendulum_meets_its_references() {
    let study_of_run = study(&(PENDULUM.to_owned() + SOLVER));
    let (ends, allowed) = reference("T20_pendulum_index3", "x(10),y(10)");
    for (name, expected) in ["x", "y"].iter().zip(ends) {
        let found = value(&study_of_run, &format!("final({name})"));
        println!(
            "{name}(10) = {found} (off by {:.1e})",
            (found - expected).abs()
        );
        assert!(
            (found - expected).abs() <= allowed,
            "{name}(10) = {found}, not {expected}"
        );
    }
    // the rod goes through the bottom at a quarter of the period, where its tension, 2 lambda l, is largest
    let events = "[[events]]\nname = \"bottom\"\nwhen = \"x\"\ndirection = \"falling\"\nset = { x_dot = \"x_dot\" }\n[states]\ntension = { initial = 0.0, discrete = true }\n[[events]]\nname = \"again\"\nwhen = \"x\"\ndirection = \"falling\"\nset = { tension = \"2*lambda_1*l\" }\n";
    let quarter = study(&(PENDULUM.replace("end = 10.0", "end = 1.0") + events + SOLVER));
    for (what, text, index) in [
        ("period", "4*event_time(bottom)", None),
        ("max rod tension", "final(tension)", None),
        ("dPeriod/dtheta0", "4*event_time(bottom)", Some(0)),
        ("dPeriod/dL", "4*event_time(bottom)", Some(1)),
    ] {
        let (expected, allowed) = reference("T20_pendulum_index3", what);
        let found = match index {
            None => value(&quarter, text),
            Some(index) => gradient(&quarter, text, GradientMethod::Dual)[index],
        };
        println!(
            "{what} = {found} (off by {:.1e})",
            (found - expected[0]).abs()
        );
        assert!(
            (found - expected[0]).abs() <= allowed,
            "{what} = {found}, not {}",
            expected[0]
        );
    }
}

/// `tests/data/ode/pendulum_dae.json`: states, the multiplier and their derivatives by five parameters.
#[test]
fn constrained_pendulum_follows_the_index_3_reference() {
    let text = std::fs::read_to_string("tests/data/ode/pendulum_dae.json").expect("the file");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let number = |v: &Value| {
        v.as_str()
            .and_then(|s| s.parse::<f64>().ok())
            .expect("a number")
    };
    let scenario = r#"
[scenario]
time = { start = 0.0, end = 10.0 }
[parameters]
g = 9.81
L = 1.5
m = 1.2
th0 = 0.9
om0 = 0.4
[mechanics]
coordinates = { x = "L*sin(th0)", y = "-L*cos(th0)" }
velocities = { x = "L*om0*cos(th0)", y = "L*om0*sin(th0)" }
kinetic = "0.5*m*(x_dot^2 + y_dot^2)"
potential = "m*g*y"
constraints = "x^2 + y^2 - L^2"
"#;
    let study = study(&(scenario.to_owned() + SOLVER));
    let mut checked = 0;
    for output in file["outputs"].as_array().expect("outputs") {
        let t = number(&output["t"]);
        // the file's multiplier is that of (x^2 + y^2 - L^2)/2
        for (ours, theirs) in [
            ("x", "x"),
            ("y", "y"),
            ("x_dot", "vx"),
            ("y_dot", "vy"),
            ("2*lambda_1", "lam"),
        ] {
            let text = format!("at({ours}, {t:?})");
            let (found, expected) = (value(&study, &text), number(&output["y"][theirs]));
            // 1e-13 a step, some hundred steps, and phase errors that grow with t
            let scale = expected.abs().max(1.0);
            println!("{text} = {found} (off by {:.1e})", (found - expected).abs());
            assert!(
                (found - expected).abs() <= 1e-10 * scale,
                "{text} = {found}, not {expected}"
            );
            let slopes = gradient(&study, &text, GradientMethod::Dual);
            for (k, p) in ["g", "L", "m", "th0", "om0"].iter().enumerate() {
                let expected = number(&output["dydp"][*p][theirs]);
                assert!(
                    (slopes[k] - expected).abs() <= 1e-9 * expected.abs().max(10.0),
                    "d {text} / d {p} = {}, not {expected}",
                    slopes[k]
                );
                checked += 1;
            }
        }
    }
    assert!(checked >= 50, "{checked}");
}

/// A hundred swings at a coarse tolerance: the rod's length does not drift, in either direction of time, and on a unit of length
/// a thousand times as small neither.
#[test]
fn constraints_hold_over_long_runs() {
    for (end, l, atol) in [(266.6, 1.0, 1e-6), (-266.6, 1.0, 1e-6), (8.43, 0.001, 1e-9)] {
        let text = PENDULUM
            .replace("end = 10.0", &format!("end = {end:?}"))
            .replace("l = 1.0", &format!("l = {l:?}"));
        let solver = format!(
            "[invariants]\nrod = \"hypot(x, y)/l\"\nalong = \"(x*x_dot + y*y_dot)/l/sqrt(g*l)\"\n[solver]\nmethod = \"tsit5\"\nrtol = 1e-6\natol = {atol:e}\n"
        );
        let study = study(&(text + &solver));
        let solving = Solving::choose(&study).expect("a method");
        let run = simulate_by(&study, &solving, 0, &study.values(), &[end]).expect("a run");
        for drift in &run.invariants[..2] {
            println!("end = {end}: {} strays {:.1e}", drift.name, drift.largest);
            // a few steps' errors of 1e-6
            assert!(
                drift.largest <= 1e-5,
                "{} strays by {}",
                drift.name,
                drift.largest
            );
        }
    }
}

/// Two constraints that share a mass, one of them moving: a double pendulum hung from a lift, against angles.
#[test]
fn coupled_and_moving_constraints() {
    let cartesian = study(&(r#"
[scenario]
time = { start = 0.0, end = 3.0 }
[parameters]
g = 9.81
m = 0.7
[definitions]
lift = "0.3*sin(2*t)"
[mechanics]
coordinates = { x1 = "sin(1.0)", y1 = "-cos(1.0)", x2 = "sin(1.0) + sin(0.5)", y2 = "-cos(1.0) - cos(0.5)" }
velocities = { y1 = 0.6, y2 = 0.6 }
kinetic = "0.5*(x1_dot^2 + y1_dot^2) + 0.5*m*(x2_dot^2 + y2_dot^2)"
potential = "g*y1 + m*g*y2"
constraints = ["x1^2 + (y1 - lift)^2 - 1", "hypot(x2 - x1, y2 - y1) - 1"]
"#.to_owned() + SOLVER));
    let angles = study(
        &(r#"
[scenario]
time = { start = 0.0, end = 3.0 }
[parameters]
g = 9.81
m = 0.7
[definitions]
lift = "0.3*sin(2*t)"
rise = "0.6*cos(2*t)"
v1x = "cos(a)*a_dot"
v1y = "rise + sin(a)*a_dot"
v2x = "v1x + cos(b)*b_dot"
v2y = "v1y + sin(b)*b_dot"
[mechanics]
coordinates = { a = 1.0, b = 0.5 }
kinetic = "0.5*(v1x^2 + v1y^2) + 0.5*m*(v2x^2 + v2y^2)"
potential = "g*(lift - cos(a)) + m*g*(lift - cos(a) - cos(b))"
"#
        .to_owned()
            + SOLVER),
    );
    for (cartesian_text, text) in [
        ("final(x1)", "final(sin(a))"),
        ("final(y1)", "final(lift - cos(a))"),
        ("final(x2)", "final(sin(a) + sin(b))"),
        ("final(y2_dot)", "final(v2y)"),
        (
            "final(y2_ddot)",
            "final(-1.2*sin(2*t) + cos(a)*a_dot^2 + sin(a)*a_ddot + cos(b)*b_dot^2 + sin(b)*b_ddot)",
        ),
    ] {
        let (found, expected) = (value(&cartesian, cartesian_text), value(&angles, text));
        println!("{cartesian_text} = {found}, {expected}");
        assert!(
            (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
            "{cartesian_text} = {found}, not {expected}"
        );
    }
}

/// Dual numbers and the adjoint differentiate the same steps and agree to rounding, amplified by what the run amplifies (errors
/// of 1e-16 by 1e3); finite differences of those steps agree to their own error.
#[test]
fn gradients_agree() {
    let free = DOUBLE_PENDULUM.replace("end = 5.0", "end = 1.5");
    for (text, what) in [
        (free.as_str(), "final(theta1_dot)"),
        (
            &PENDULUM.replace("end = 10.0", "end = 1.5"),
            "final(x_dot) + final(lambda_1)",
        ),
    ] {
        for method in ["tsit5", "rodas5p"] {
            let study = study(&format!(
                "{text}[solver]\nmethod = \"{method}\"\nrtol = 1e-8\natol = 1e-8\n"
            ));
            let [dual, adjoint, differences] = [
                GradientMethod::Dual,
                GradientMethod::Adjoint,
                GradientMethod::FiniteDifference,
            ]
            .map(|m| gradient(&study, what, m));
            let largest = dual.iter().fold(0.0f64, |a, b| a.max(b.abs()));
            for k in 0..dual.len() {
                println!(
                    "{method} {k}: {} {} {}",
                    dual[k], adjoint[k], differences[k]
                );
                assert!(
                    (dual[k] - adjoint[k]).abs() <= 1e-11 * largest,
                    "{method} {k}"
                );
                assert!(
                    (dual[k] - differences[k]).abs() <= 1e-6 * largest,
                    "{method} {k}"
                );
            }
        }
    }
}

/// n rods in a chain, angles from the vertical.
fn chain(n: usize) -> String {
    let mut definitions = String::new();
    let (mut kinetic, mut potential, mut coordinates) = (Vec::new(), Vec::new(), Vec::new());
    for k in 1..=n {
        let before = |axis: &str| {
            if k == 1 {
                String::new()
            } else {
                format!("{axis}{} + ", k - 1)
            }
        };
        let _ = writeln!(
            definitions,
            "vx{k} = \"{}l*cos(q{k})*q{k}_dot\"",
            before("vx")
        );
        let _ = writeln!(
            definitions,
            "vy{k} = \"{}l*sin(q{k})*q{k}_dot\"",
            before("vy")
        );
        let _ = writeln!(
            definitions,
            "h{k} = \"{}-l*cos(q{k})\"",
            before("h").replace(" + ", " ")
        );
        kinetic.push(format!("vx{k}^2 + vy{k}^2"));
        potential.push(format!("h{k}"));
        coordinates.push(format!("q{k} = {:?}", 0.3 + 0.05 * k as f64));
    }
    format!(
        "[scenario]\ntime = {{ start = 0.0, end = 1.0 }}\n[parameters]\nm = 1.0\nl = 0.5\ng = 9.81\n[definitions]\n{definitions}[mechanics]\ncoordinates = {{ {} }}\nkinetic = \"0.5*m*({})\"\npotential = \"m*g*({})\"\n",
        coordinates.join(", "),
        kinetic.join(" + "),
        potential.join(" + ")
    )
}

#[test]
fn a_chain_of_sixteen_conserves_energy() {
    let study = study(&(chain(16) + SOLVER));
    let model = study.equations.model();
    println!(
        "{} nodes, {} alive in f",
        model.graph.len(),
        model.graph.live(&model.rhs).len()
    );
    let solving = Solving::choose(&study).expect("a method");
    let run = simulate_by(&study, &solving, 0, &study.values(), &[1.0]).expect("a run");
    let drift = &run.invariants[0];
    println!("energy strays {:.1e}", drift.relative());
    assert!(
        drift.initial.is_finite() && drift.relative() <= 1e-11,
        "{}",
        drift.relative()
    );
}

/// What is wrong with the constrained pendulum where a text is replaced by another.
const WRONG: &[(&str, &str, &[&str])] = &[
    (
        "(x_dot^2 + y_dot^2)",
        "x_dot^2",
        &[
            "model::mechanics 10:38 y | the coordinate `y` has no kinetic energy: the mass matrix has no pivot for `y_dot` | give it a term such as `0.5*m*y_dot^2` in `kinetic`, or make it a state with an equation of its own",
        ],
    ),
    (
        "(x_dot^2 + y_dot^2)",
        "(x_dot + y_dot)^2",
        &[
            "model::mechanics 10:38 y | the mass matrix is not positive definite at the start: its pivot for `y_dot` is 0 | give it a term such as `0.5*m*y_dot^2` in `kinetic`, or make it a state with an equation of its own",
        ],
    ),
    (
        "kinetic = \"0.5*m*(x_dot^2 + y_dot^2)\"\n",
        "",
        &[
            "scenario::missing 9:1 [mechanics] | `[mechanics]` needs `kinetic` | add `kinetic = ...`: a number or an expression in quotes",
        ],
    ),
    (
        "potential",
        "potentiel",
        &[
            "scenario::unknown-key 12:1 potentiel | `[mechanics]` has no key `potentiel` | did you mean `potential`?",
        ],
    ),
    (
        "x_dot^2",
        "xdot^2",
        &["model::unknown-name 11:19 xdot | there is no `xdot` | did you mean `x_dot`?"],
    ),
    (
        "coordinates = { x = \"l*sin(theta0)\", y = \"-l*cos(theta0)\" }",
        "coordinates = 3",
        &[
            "scenario::wrong-type 10:15 3 | `coordinates` must be a table, not a number | expected a table",
        ],
    ),
    (
        "potential",
        "velocities = { x_dot = 1.0 }\npotential",
        &[
            "scenario::unknown-name 12:16 x_dot | `velocities` of `[mechanics]` names `x_dot`, which is no coordinate | name the coordinate: `x`",
        ],
    ),
    (
        "potential",
        "forces = { u = 1.0 }\npotential",
        &[
            "scenario::unknown-name 12:12 u | `forces` of `[mechanics]` names `u`, which is no coordinate | coordinates: `x`, `y`",
        ],
    ),
    (
        "potential",
        "dissipation = \"x^2\"\npotential",
        &[
            "model::mechanics 12:16 x^2 | the dissipation depends on no velocity, so it has no effect | write it as Rayleigh's function, such as `0.5*c*x_dot^2`: the force along x is -dD/dx_dot",
        ],
    ),
    (
        "[mechanics]",
        "[states]\nx_dot = 1.0\n[equations]\nx_dot = 3\n[mechanics]",
        &[
            "scenario::duplicate-name 14:17 x | `x_dot`, the velocity of `x`, names a state too | rename one of the two",
            "model::duplicate-name 14:17 x | `x_dot` is the name of a state already | it was given on line 10; rename the state here or there",
        ],
    ),
    (
        "[mechanics]",
        "[equations]\nx_dot = 3\n[mechanics]",
        &[
            "scenario::derived 10:1 x_dot | `x_dot` has an equation, though `[mechanics]` derives it | remove the equation; a force belongs in `forces` of `[mechanics]`",
        ],
    ),
    (
        "[mechanics]",
        "[mass]\nx_dot = { x_dot = 2.0 }\n[mechanics]",
        &[
            "model::mechanics 10:1 x_dot | `[mass]` has a row of `x_dot`, whose equation `[mechanics]` derives | remove the row: the mass matrix follows from the kinetic energy",
        ],
    ),
    (
        "\"l*sin(theta0)\"",
        "\"0.9\"",
        &[
            "model::inconsistent 13:17 x^2 + y^2 - l^2 | the initial positions are off a constraint: it is -1.682181e-2 there, not 0 | positions that hold, near by: x = 0.907666677, y = 0.4196917958; `project = true` takes them",
        ],
    ),
    (
        "potential",
        "velocities = { x = 1.0 }\npotential",
        &[
            "model::inconsistent 14:17 x^2 + y^2 - l^2 | the initial velocities leave a constraint: its derivative in time is 1.818595e0 at the start, not 0 | velocities that hold, near by: x_dot = 0.1731781896, y_dot = -0.3784012477; `project = true` takes them",
        ],
    ),
    (
        "\"x^2 + y^2 - l^2\"",
        "\"x^2 + y^2 - l^2\", \"2*x^2 + 2*y^2 - 2*l^2\"",
        &[
            "model::mechanics 13:36 2*x^2 + 2*y^2 - 2*l^2 | the constraint follows from the others, or holds nothing | leave it out: each constraint must take one freedom more",
        ],
    ),
    (
        "\"x^2 + y^2 - l^2\"",
        "\"x\", \"y\", \"x + y\"",
        &[
            "model::mechanics 13:27 x + y | there are more constraints than the 2 coordinates | leave out what follows from the others",
        ],
    ),
    (
        "\"x^2 + y^2 - l^2\"",
        "\"x_dot + x\"",
        &[
            "model::mechanics 13:17 x_dot + x | a constraint is a function of the coordinates and of time, and `x_dot` is no coordinate | constraints on velocities are not offered; leave it out, or write its force in `forces`",
        ],
    ),
    (
        "\"x^2 + y^2 - l^2\"",
        "\"l\"",
        &[
            "model::mechanics 13:17 l | the constraint depends on no coordinate | write an expression of coordinates that is to stay 0, such as `x^2 + y^2 - l^2`",
        ],
    ),
    (
        "\"x^2 + y^2 - l^2\"",
        "\"x - if(t > 3, t, 3)\"",
        &[
            "model::mechanics 13:17 x - if(t > 3, t, 3) | the constraint jumps or has kinks in time: the velocities would jump, too | use smooth functions of time: sines, expressions of `t`, tables with `interpolation = \"cubic\"`",
        ],
    ),
    (
        "[mechanics]",
        "[states]\nz = 1.0\n[equations]\nz = 1.0\n[mass]\nz = { z = 2.0 }\n[mechanics]\ndissipation = \"z*x_dot^2\"\nforces = { x = \"z\" }",
        &[],
    ),
];

#[test]
fn wrong_inputs_are_told_with_their_place() {
    for (was, becomes, expected) in WRONG {
        let text = PENDULUM.replacen(was, becomes, 1);
        assert!(text != PENDULUM, "{was}");
        let (study, findings) = read(&text);
        let found: Vec<String> = findings.iter().map(shown).collect();
        assert_eq!(found, *expected, "{becomes}");
        let errors = findings.iter().any(|d| d.severity == Severity::Error);
        assert_eq!(study.is_none(), errors, "{becomes}");
    }
    let seventeen = chain(17);
    let (none, findings) = read(&seventeen);
    assert!(none.is_none());
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let found = shown(&findings[0]);
    assert!(
        found.starts_with("scenario::out-of-range") && found.contains("17 coordinates; at most 16"),
        "{found}"
    );
    // a state whose derivative is implicit may not be in the kinetic energy
    let implicit = PENDULUM
        .replace(
            "[mechanics]",
            "[states]\nz = 1.0\n[equations]\nz = 1.0\n[mass]\nz = { z = 2.0 }\n[mechanics]",
        )
        .replace("0.5*m*(", "0.5*m*z*(");
    let found: Vec<String> = read(&implicit).1.iter().map(shown).collect();
    assert_eq!(
        found,
        [
            "model::mechanics 17:12 0.5*m*z*(x_dot^2 + y_dot^2) | the kinetic energy depends on `z`, whose derivative a row of `[mass]` leaves implicit | write `z` as an ordinary state, or take it out of the kinetic energy"
        ]
    );
}

/// Initial values off the constraints are moved onto them where that is asked for, and derivatives run through the move:
/// the projection onto a circle is x/|x|, and the speed along it v - (v.x) x.
#[test]
fn initial_values_are_projected_on_request() {
    let text = PENDULUM
        .replace(
            "theta0 = 2.0",
            "theta0 = 2.0\na = 0.3\nb = -1.1\nspeed = 0.7",
        )
        .replace(
            "\"l*sin(theta0)\", y = \"-l*cos(theta0)\"",
            "\"a\", y = \"b\"",
        )
        .replace(
            "potential",
            "velocities = { x = \"speed\" }\nproject = true\npotential",
        );
    let study = study(&(text + SOLVER));
    let (a, b, speed) = (0.3f64, -1.1, 0.7);
    let r = a.hypot(b);
    let names = study
        .scenario
        .parameters
        .iter()
        .map(|p| p.name.text.as_str());
    let index: Vec<usize> = ["a", "l"]
        .iter()
        .map(|n| names.clone().position(|m| m == *n).expect("one"))
        .collect();
    for (what, expected, by_a, by_l) in [
        ("initial(x)", a / r, b * b / r.powi(3), a / r),
        ("initial(y)", b / r, -a * b / r.powi(3), b / r),
        (
            "initial(x_dot)",
            speed * b * b / (r * r),
            -2.0 * speed * a * b * b / r.powi(4),
            0.0,
        ),
        (
            "initial(y_dot)",
            -speed * a * b / (r * r),
            -speed * b * (b * b - a * a) / r.powi(4),
            0.0,
        ),
    ] {
        let found = value(&study, what);
        assert!(
            (found - expected).abs() < 1e-15 * 10.0,
            "{what} = {found}, not {expected}"
        );
        let slopes = gradient(&study, what, GradientMethod::Dual);
        for (k, expected) in index.iter().zip([by_a, by_l]) {
            assert!(
                (slopes[*k] - expected).abs() < 1e-14 * 10.0,
                "{what}: {} for {expected}",
                slopes[*k]
            );
        }
    }
}

/// Each experiment's start is checked, with its own parameters and initial values.
#[test]
fn the_start_of_every_experiment_counts() {
    let good = "[[experiments]]\nname = \"long\"\nparameters = { l = 2.0 }\n";
    let bad = "[[experiments]]\nname = \"off\"\ninitial = { x = 0.1 }\n";
    assert!(read(&format!("{PENDULUM}{good}")).1.is_empty());
    let (none, findings) = read(&format!("{PENDULUM}{good}{bad}"));
    assert!(none.is_none() && findings.len() == 1, "{findings:#?}");
    let found = shown(&findings[0]);
    assert!(
        found.starts_with(
            "model::inconsistent 13:17 x^2 + y^2 - l^2 | in experiment `off`, the initial positions"
        ),
        "{found}"
    );
}

/// A name that the file gives to something else keeps its meaning; the others of a run can be read.
#[test]
fn results_have_names_where_these_are_free() {
    let text = PENDULUM.replace("theta0 = 2.0", "theta0 = 2.0\nenergy = 7.0")
        + "[invariants]\nenergy = \"0.5*m*(x_dot^2 + y_dot^2) + m*g*y - 1\"\n";
    let study = study(&text);
    assert_eq!(value(&study, "energy"), 7.0);
    assert_eq!(study.equations.model().invariants.len(), 1);
    // at rest the rod carries what of the weight lies along it: 2 lambda l = m g cos(theta), and y'' = -g sin(theta)^2
    let (s, c) = 2.0f64.sin_cos();
    assert!((value(&study, "initial(2*lambda_1*l)") - 9.81 * c).abs() < 1e-14 * 10.0);
    assert!((value(&study, "initial(y_ddot)") + 9.81 * s * s).abs() < 1e-14 * 10.0);
}

#[test]
fn entries_can_be_set_from_the_command_line() {
    let given = [
        ("mechanics.coordinates.x", "0.6"),
        ("mechanics.coordinates.y", "-0.8"),
        ("mechanics.coordinates.y.unit", "m"),
        ("mechanics.potential", "2*m*g*y"),
        ("mechanics.project", "true"),
    ];
    let overrides: Vec<Override> = given
        .iter()
        .map(|(path, value)| Override {
            path: (*path).to_owned(),
            value: (*value).to_owned(),
        })
        .collect();
    let path = Path::new("scenario.toml");
    let (scenario, findings) = scenario::read_text(path, PENDULUM, Path::new("."), &overrides);
    assert!(findings.is_empty(), "{findings:#?}");
    let resolved = resolved_text(PENDULUM, &overrides).expect("TOML");
    let (again, findings) = scenario::read_text(path, &resolved, Path::new("."), &[]);
    assert!(findings.is_empty(), "{findings:#?}");
    for scenario in [scenario, again] {
        let scenario = scenario.expect("a scenario");
        let initial: Vec<String> = scenario
            .states
            .iter()
            .map(|s| s.initial.to_string())
            .collect();
        assert_eq!(initial, ["0.6", "-0.8", "0", "0"]);
        assert_eq!(scenario.states[1].unit.as_deref(), Some("m"));
        let mechanics = scenario.mechanics.expect("mechanics");
        assert!(mechanics.project);
        assert_eq!(mechanics.potential.expect("one").to_string(), "2*m*g*y");
    }
}

/// What `show` prints of the derived equations, read again as definitions, has the values of the equations.
#[test]
fn derived_equations_read_back() {
    let gallery =
        std::fs::read_to_string("scenarios/double-pendulum/scenario.toml").expect("the file");
    for text in [
        gallery,
        DOUBLE_PENDULUM.to_owned(),
        PENDULUM.to_owned(),
        chain(3),
    ] {
        let first = study(&text);
        let model = first.equations.model();
        let mechanics = model.mechanics.as_ref().expect("mechanics");
        let nodes: Vec<NodeId> = mechanics
            .mass
            .iter()
            .map(|e| e.2)
            .chain(mechanics.load.iter().copied())
            .chain([mechanics.energy])
            .collect();
        let table: String = nodes
            .iter()
            .enumerate()
            .map(|(k, &node)| format!("again{k} = \"{}\"\n", readable(model, node).expect("short")))
            .collect();
        let text = if text.contains("[definitions]\n") {
            text.replace("[definitions]\n", &format!("[definitions]\n{table}"))
        } else {
            format!("{text}[definitions]\n{table}")
        };
        let again = study(&text);
        let definitions = &again.equations.model().definitions;
        let read: Vec<NodeId> = (0..nodes.len())
            .map(|k| {
                definitions
                    .iter()
                    .find(|d| d.0 == format!("again{k}"))
                    .expect("one")
                    .1
            })
            .collect();
        let mut seed = 9;
        for _ in 0..20 {
            let x: Vec<f64> = (0..model.states.len())
                .map(|_| 2.0 * random(&mut seed))
                .collect();
            for (a, b) in at(&first, &nodes, 0.0, &x)
                .iter()
                .zip(at(&again, &read, 0.0, &x))
            {
                // some tens of roundings of terms up to 100
                assert!((a - b).abs() <= 1e-12, "{a} {b}");
            }
        }
    }
}

fn shown(d: &Diagnostic) -> String {
    let span = d.span.as_ref().expect("a place");
    let (line, column) = span.file.line_column(span.start);
    format!(
        "{} {line}:{column} {} | {} | {}",
        d.code,
        span.text(),
        d.message,
        d.help.as_deref().unwrap_or("")
    )
}
