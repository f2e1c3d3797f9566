//! Linear systems against python-control (`tests/data/control/linear_references.py`), and linearizations against hand.

use std::path::Path;

use costate::compile::Backend;
use costate::control::{Crossing, Loop, StateSpace, h_infinity_norm, h2_norm};
use costate::study::{Channel, LinearStudy, OperatingPoint, Requirement, Study};
use nalgebra::{Complex, DMatrix, DVector, RowDVector};
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    let all = value.as_array().expect("an array").iter();
    all.map(|v| v.as_f64().expect("a number")).collect()
}

fn system(numerator: &[f64], denominator: &[f64]) -> StateSpace {
    let n = denominator.len() - 1;
    let mut b = vec![0.0; denominator.len() - numerator.len()];
    b.extend(numerator);
    StateSpace {
        a: DMatrix::from_fn(n, n, |i, j| match i + 1 == n {
            true => -denominator[n - j],
            false => f64::from(u8::from(j == i + 1)),
        }),
        b: DVector::from_fn(n, |i, _| f64::from(u8::from(i + 1 == n))),
        c: RowDVector::from_fn(n, |_, j| b[n - j] - b[0] * denominator[n - j]),
        d: b[0],
        dead_time: 0.0,
    }
}

fn same_roots(found: &[Complex<f64>], expected: &Value, allowed: f64) {
    let expected: Vec<Complex<f64>> = expected
        .as_array()
        .expect("an array")
        .iter()
        .map(|pair| Complex::new(numbers(pair)[0], numbers(pair)[1]))
        .collect();
    assert_eq!(found.len(), expected.len());
    for root in expected {
        assert!(
            found.iter().any(|f| (f - root).norm() < allowed),
            "{root} {found:?}"
        );
    }
}

#[test]
fn as_python_control_has_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/control/linear.json");
    let text = std::fs::read_to_string(path).expect("the references");
    let all: Value = serde_json::from_str(&text).expect("JSON");
    for (name, reference) in all.as_object().expect("systems") {
        println!("{name}");
        let open = system(
            &numbers(&reference["numerator"]),
            &numbers(&reference["denominator"]),
        );
        // a triple pole is known to the cube root of rounding
        same_roots(&open.poles(), &reference["poles"], 1e-4);
        same_roots(&open.zeros(), &reference["zeros"], 1e-9);
        let closed = open.complementary().expect("a closed loop");
        same_roots(&closed.poles(), &reference["closed_poles"], 1e-9);
        let of_loop = Loop::new(open);
        let margins = of_loop.margins();
        let near = |found: Option<f64>, key: &str, allowed: f64| match reference[key].as_f64() {
            Some(expected) => {
                let found = found.unwrap_or_else(|| panic!("{name}: no {key}"));
                assert!(
                    (found - expected).abs() < allowed * (1.0 + expected.abs()),
                    "{name}: {key} {found} {expected}"
                );
            }
            None => assert_eq!(found, None, "{name}: {key}"),
        };
        let value = |c: Option<Crossing>| c.map(|c| c.value);
        near(
            value(margins.gain).or(value(margins.gain_reduction)),
            "gain_margin",
            1e-9,
        );
        near(
            value(margins.phase).map(f64::to_degrees),
            "phase_margin",
            1e-9,
        );
        near(margins.sensitivity.map(|p| p.value), "ms", 1e-9);
        near(margins.complementary.map(|p| p.value), "mt", 1e-9);
        near(of_loop.bandwidth(), "bandwidth", 1e-9);
        let h2 = Some(h2_norm(&closed)).filter(|norm| norm.is_finite());
        near(h2, "closed_h2", 1e-9);
        // the peak is the norm where the closed loop is stable
        if closed.is_stable() {
            near(h_infinity_norm(&closed).map(|p| p.value), "mt", 1e-9);
        }
    }
}

/// A pole pair so near the axis that grids miss its peak: the norm of 1/(s^2 + 2 z s + 1) is 1/(2 z sqrt(1 - z^2)).
#[test]
fn narrow_peaks_are_found() {
    for z in [1e-2, 1e-4, 1e-6] {
        let found = h_infinity_norm(&system(&[1.0], &[1.0, 2.0 * z, 1.0])).expect("stable");
        let expected = 1.0 / (2.0 * z * (1.0 - z * z).sqrt());
        assert!(
            (found.value / expected - 1.0).abs() < 1e-8,
            "{z}: {found:?}"
        );
    }
}

const LOOP: &str = r#"
[scenario]
time = { start = 0.0, end = 5.0 }
[parameters]
kp = 1.5
ki = 0.8
drag = 0.6
setpoint = 2.0
[states]
speed = 0.0
filtered = 0.0
[equations]
speed = "voltage - drag*speed*abs(speed)"
filtered = "(speed - filtered)/0.2"
[controllers.cruise]
kind = "pi"
setpoint = "setpoint"
measurement = "filtered"
output = "voltage"
gains = { kp = "kp", ki = "ki" }
"#;

fn study(text: &str) -> Study {
    let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:#?}"))
}

#[test]
fn a_loop_is_opened_where_the_controller_acts() {
    let study = study(LOOP);
    let around = Channel::Around {
        controller: "cruise".into(),
    };
    let linear = LinearStudy::new(&study, &around).expect("a loop");
    let found = linear
        .at(&study, &study.values(), OperatingPoint::Equilibrium)
        .expect("an equilibrium");
    // speed = 2, so that the drag's slope is 2 0.6 2 and the voltage 0.6 2^2
    assert!((found.x[0] - 2.0).abs() < 1e-12 && (found.u.expect("an output") - 2.4).abs() < 1e-12);
    let w = 0.9;
    let s = Complex::new(0.0, w);
    let plant = Complex::from(1.0) / (s + 2.4) / (s * 0.2 + 1.0);
    let expected = plant * (Complex::from(1.5) + Complex::from(0.8) / s);
    assert!((found.system.response(w) - expected).norm() < 1e-13);
    // and from the voltage to the speed alone
    let through = Channel::Through {
        input: "voltage".into(),
        output: "2*speed".into(),
    };
    let plant = LinearStudy::new(&study, &through).expect("a plant");
    let plant = plant
        .at(&study, &study.values(), OperatingPoint::Equilibrium)
        .expect("an equilibrium");
    assert!((plant.system.response(w) - Complex::from(2.0) / (s + 2.4)).norm() < 1e-13);
    assert!((plant.system.dc_gain() - 2.0 / 2.4).abs() < 1e-12);
    // on the way, at t = 0, the drag has no slope yet
    let early = linear
        .at(&study, &study.values(), OperatingPoint::Time(0.0))
        .expect("a time");
    assert_eq!(early.closed[(0, 0)], 0.0);
}

/// Derivatives of every requirement, the operating point moving, against central differences: error h^2, and rounding over h.
#[test]
fn requirements_are_differentiated() {
    let study = study(LOOP);
    let around = Channel::Around {
        controller: "cruise".into(),
    };
    let linear = LinearStudy::new(&study, &around).expect("a loop");
    let p: Vec<f64> = study.values();
    for requirement in [
        Requirement::PhaseMargin,
        Requirement::DelayMargin,
        Requirement::DiskMargin,
        Requirement::SensitivityPeak,
        Requirement::ComplementaryPeak,
        Requirement::Bandwidth,
        Requirement::Damping,
        Requirement::SpectralAbscissa,
    ] {
        let found = linear
            .requirement(&study, &p, requirement)
            .expect("a margin");
        for k in 0..p.len() {
            let step = 1e-5;
            let at = |by: f64| {
                let mut moved = p.clone();
                moved[k] += by;
                linear
                    .requirement(&study, &moved, requirement)
                    .expect("a margin")
                    .value
            };
            let differences = (at(step) - at(-step)) / (2.0 * step);
            assert!(
                (found.gradient[k] - differences).abs() < 1e-5 * (1.0 + differences.abs()),
                "{requirement:?} {k}: {} {differences}",
                found.gradient[k]
            );
        }
    }
}
