use std::collections::HashSet;

use super::*;
use crate::model::graph::STATES;
use crate::model::{evaluate, jvp, vjp};

fn value(name: &str, x: &[f64]) -> f64 {
    let mut graph = Graph::new();
    let inputs: Vec<_> = (0..).zip(x).map(|(k, _)| graph.input(STATES, k)).collect();
    let node = (function(name).expect("a function").build)(&mut graph, &inputs);
    evaluate(&graph, &[node], &[&[], x])[0]
}

/// First and second derivative in the first argument, forwards and backwards alike.
fn derivatives(name: &str, x: &[f64]) -> [f64; 2] {
    let mut graph = Graph::new();
    let inputs: Vec<_> = (0..).zip(x).map(|(k, _)| graph.input(STATES, k)).collect();
    let node = (function(name).expect("a function").build)(&mut graph, &inputs);
    let one = graph.constant(1.0);
    let seed = [(inputs[0], one)];
    let first = jvp(&mut graph, &[node], &seed)[0];
    let back = vjp(&mut graph, &[node], &[one], &inputs[..1])[0];
    let second = jvp(&mut graph, &[first], &seed)[0];
    let [f, b, s] = evaluate(&graph, &[first, back, second], &[&[], x])[..] else {
        panic!("three values")
    };
    assert!(
        (f - b).abs() <= 1e-14 * (1.0 + f.abs()),
        "{name}{x:?}: {f} {b}"
    );
    [f, s]
}

#[test]
fn the_table_is_consistent() {
    let names: HashSet<_> = FUNCTIONS.iter().map(|f| f.name).collect();
    assert_eq!(names.len(), FUNCTIONS.len());
    // SCENARIO.md, section 2
    for name in "sqrt cbrt exp expm1 log log1p log2 log10 pow sin cos tan asin acos atan atan2 sinh cosh tanh \
                 asinh acosh atanh abs sign min max clamp floor ceil mod hypot erf logistic softplus heaviside \
                 if softabs softmin softmax softstep softclamp"
        .split_whitespace()
    {
        assert!(names.contains(name), "{name}");
    }
    for f in FUNCTIONS {
        assert!(f.doc.starts_with(&format!("{}(", f.name)), "{}", f.doc);
        let (Arity::Exactly(n) | Arity::AtLeast(n) | Arity::Between(n, _)) = f.arity;
        assert!(n > 0 && !f.arity.allows(n - 1) && f.arity.allows(n));
        assert_eq!(f.arity.allows(n + 1), matches!(f.arity, Arity::AtLeast(_)));
        // each takes as many as it says, without panic
        assert!(!value(f.name, &vec![0.7; n]).is_nan() || f.name == "acosh");
        if f.smoothness == Smoothness::Smooth {
            assert!(f.smooth_form.is_none());
        }
    }
}

/// Every smooth function of the table: its derivatives against Richardson-extrapolated central differences,
/// error O(h^4) + eps/h ~ 1e-11 relative to values of size 1.
#[test]
fn derivatives_agree_with_differences() {
    let mut compared = 0;
    for f in FUNCTIONS {
        let (Arity::Exactly(n) | Arity::AtLeast(n) | Arity::Between(n, _)) = f.arity;
        for at in [0.35, 0.8, 1.7, -0.45, -2.3] {
            let mut x = vec![0.6; n];
            x[0] = at;
            if f.name == "if" {
                continue;
            }
            let central = |h: f64| {
                let moved = |s: f64| {
                    let mut moved = x.clone();
                    moved[0] += s;
                    value(f.name, &moved)
                };
                (moved(h) - moved(-h)) / (2.0 * h)
            };
            let numeric = (4.0 * central(5e-4) - central(1e-3)) / 3.0;
            if numeric.is_nan() || value(f.name, &x).is_nan() {
                continue;
            }
            compared += 1;
            let [first, _] = derivatives(f.name, &x);
            assert!(
                (first - numeric).abs() <= 1e-8 * (1.0 + first.abs()),
                "{} at {at}: {first} {numeric}",
                f.name
            );
        }
    }
    // most are defined on most of the line
    assert!(compared > 150, "{compared}");
}

#[test]
fn logistic_and_softplus_never_overflow() {
    for x in [
        -1e308, -1e4, -745.0, -40.0, -0.0, 0.0, 40.0, 745.0, 1e4, 1e308,
    ] {
        for name in ["logistic", "softplus"] {
            let [first, second] = derivatives(name, &[x]);
            let value = value(name, &[x]);
            assert!(
                value.is_finite() && first.is_finite() && second.is_finite(),
                "{name}({x})"
            );
        }
    }
    assert_eq!(value("logistic", &[0.0]), 0.5);
    assert_eq!(derivatives("logistic", &[0.0]), [0.25, 0.0]);
    assert_eq!(derivatives("softplus", &[0.0]), [0.5, 0.25]);
    assert_eq!(value("softplus", &[1e4]), 1e4);
    // relative accuracy in the tail: logistic(-40) = e^-40 / (1 + e^-40)
    let tail = (-40.0_f64).exp();
    assert!((value("logistic", &[-40.0]) / tail - 1.0).abs() < 1e-15);
    assert!((derivatives("softplus", &[-40.0])[0] / tail - 1.0).abs() < 1e-15);
}

#[test]
fn smooth_forms_tend_to_sharp_ones() {
    for (a, b) in [(1.0, 2.0), (2.0, -1.0), (0.5, 0.5)] {
        for width in [1e-1, 1e-3] {
            let near = |soft: f64, sharp: f64| {
                (soft - sharp).abs() <= width * std::f64::consts::LN_2 + 1e-15
            };
            assert!(near(value("softmax", &[a, b, width]), a.max(b)));
            assert!(near(value("softmin", &[a, b, width]), a.min(b)));
            assert!((value("softabs", &[a - b, width]) - (a - b).abs()).abs() <= width);
        }
    }
    assert!((value("softclamp", &[5.0, 0.0, 1.0, 1e-3]) - 1.0).abs() < 1e-3);
    assert!((value("softclamp", &[0.5, 0.0, 1.0, 1e-3]) - 0.5).abs() < 1e-12);
    assert_eq!(value("softstep", &[0.0, 0.1]), 0.5);
    assert_eq!(value("softstep", &[100.0, 0.1]), 1.0);
    // extreme widths overflow nothing
    assert!(derivatives("softmax", &[1e3, -1e3, 1e-6])[0] == 1.0);
    assert!(derivatives("softclamp", &[1e3, -1.0, 1.0, 1e-6])[0] == 0.0);
}

#[test]
fn sharp_functions_have_their_values() {
    for (name, x, expected) in [
        ("min", &[3.0, 1.0, 2.0][..], 1.0),
        ("max", &[3.0, 1.0, 4.0, 2.0], 4.0),
        ("clamp", &[5.0, 0.0, 1.0], 1.0),
        ("clamp", &[-5.0, 0.0, 1.0], 0.0),
        ("mod", &[-1.0, 3.0], 2.0),
        ("heaviside", &[0.0], 1.0),
        ("heaviside", &[-1e-9], 0.0),
        ("if", &[1.0, 5.0, 6.0], 5.0),
        ("if", &[0.0, 5.0, 6.0], 6.0),
        ("sign", &[-2.0], -1.0),
        ("atan2", &[1.0, -1.0], 0.75 * std::f64::consts::PI),
        ("pow", &[2.0, 0.5], std::f64::consts::SQRT_2),
    ] {
        assert_eq!(value(name, x), expected, "{name}{x:?}");
    }
}
