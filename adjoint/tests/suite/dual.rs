//! Dual numbers against an independent implementation (num-dual), identities and the documented kinks.

use costate_adjoint::dual::{Dual, DualOver};
use costate_solvers::{Comparison, Real, Scalar};
use num_dual::{Dual64, DualNum};

type Unary = (
    &'static str,
    fn(Dual<2>) -> Dual<2>,
    fn(f64) -> f64,
    fn(Dual64) -> Dual64,
    f64,
    f64,
);

macro_rules! row {
    ($name:ident, $from:expr, $to:expr) => {
        (
            stringify!($name),
            <Dual<2> as Real>::$name,
            <f64 as Real>::$name,
            |x: Dual64| DualNum::$name(&x),
            $from,
            $to,
        )
    };
}

fn table() -> Vec<Unary> {
    vec![
        row!(exp, -20.0, 20.0),
        row!(exp_m1, -5.0, 5.0),
        row!(ln, 1e-3, 50.0),
        row!(ln_1p, -0.9, 5.0),
        row!(log2, 1e-3, 50.0),
        row!(log10, 1e-3, 50.0),
        row!(sqrt, 1e-3, 50.0),
        row!(cbrt, -9.0, 9.0),
        row!(sin, -9.0, 9.0),
        row!(cos, -9.0, 9.0),
        row!(tan, -1.5, 1.5),
        row!(asin, -0.99, 0.99),
        row!(acos, -0.99, 0.99),
        row!(atan, -9.0, 9.0),
        row!(sinh, -5.0, 5.0),
        row!(cosh, -5.0, 5.0),
        row!(tanh, -4.0, 4.0),
        row!(asinh, -9.0, 9.0),
        row!(acosh, 1.01, 9.0),
        row!(atanh, -0.98, 0.98),
    ]
}

fn close(actual: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (actual - expected).abs() <= tolerance * (1.0 + expected.abs()),
        "{what}: {actual:e}, expected {expected:e}"
    );
}

#[test]
fn functions_of_one_argument_agree_with_num_dual_and_keep_the_plain_value() {
    for (name, dual, plain, reference, from, to) in table() {
        for i in 0..=97 {
            let x = from + (to - from) * f64::from(i) / 97.0;
            let ours = dual(Dual {
                value: x,
                tangent: [1.0, -2.5],
            });
            let theirs = reference(Dual64::new(x, 1.0));
            assert_eq!(ours.value.to_bits(), plain(x).to_bits(), "{name}({x})");
            close(ours.tangent[0], theirs.eps, 2e-13, name);
            close(ours.tangent[1], -2.5 * theirs.eps, 2e-13, name);
        }
    }
}

#[test]
fn the_rest_agrees_with_central_differences_of_the_plain_function() {
    type Binary = (
        &'static str,
        fn(Dual<2>, Dual<2>) -> Dual<2>,
        fn(f64, f64) -> f64,
    );
    let table: [Binary; 8] = [
        ("atan2", <Dual<2> as Real>::atan2, |a, b| a.atan2(b)),
        ("hypot", <Dual<2> as Real>::hypot, |a, b| a.hypot(b)),
        (
            "powf",
            |a, b| Real::powf(a * a + 0.2, b),
            |a, b| (a * a + 0.2).powf(b),
        ),
        ("modulo", Real::modulo, Real::modulo),
        ("min", Real::min, Real::min),
        ("max", Real::max, Real::max),
        ("div", |a, b| a / b, |a, b| a / b),
        (
            "mul",
            |a, b| a * b - a + b * 2.0,
            |a, b| a * b - a + b * 2.0,
        ),
    ];
    for (name, dual, plain) in table {
        for i in 0..40 {
            let (a, b) = (-3.0 + 0.153 * f64::from(i), 1.7 - 0.0833 * f64::from(i));
            let ours = dual(Dual::variable(a, 0), Dual::variable(b, 1));
            assert_eq!(
                ours.value.to_bits(),
                plain(a, b).to_bits(),
                "{name}({a}, {b})"
            );
            // No difference quotient across a jump of the remainder.
            if name == "modulo" && (a / b - (a / b).round()).abs() < 1e-3 {
                continue;
            }
            let h = 1e-5;
            let da = (plain(a + h, b) - plain(a - h, b)) / (2.0 * h);
            let db = (plain(a, b + h) - plain(a, b - h)) / (2.0 * h);
            close(ours.tangent[0], da, 2e-6, name);
            close(ours.tangent[1], db, 2e-6, name);
        }
    }
    for i in 0..40 {
        let x = -3.0 + 0.153 * f64::from(i);
        let ours = Dual::<1>::variable(x, 0).erf();
        assert_eq!(ours.value, libm::erf(x));
        close(
            ours.tangent[0],
            (libm::erf(x + 1e-5) - libm::erf(x - 1e-5)) / 2e-5,
            1e-9,
            "erf",
        );
        for n in [-5, -1, 0, 1, 2, 7] {
            let ours = Dual::<1>::variable(x, 0).powi(n);
            assert_eq!(ours.value, Real::powi(x, n));
            close(ours.tangent[0], f64::from(n) * x.powi(n - 1), 1e-13, "powi");
        }
    }
}

#[test]
fn kinks_and_edges_follow_the_documented_conventions() {
    let x = |v: f64| Dual::<2>::variable(v, 0);
    assert_eq!(x(0.0).abs().tangent, [0.0, 0.0]);
    assert_eq!(x(-2.0).abs().tangent, [-1.0, 0.0]);
    let y = Dual::<2>::variable(1.0, 1);
    assert_eq!(x(1.0).min(y).tangent, [1.0, 0.0]);
    assert_eq!(x(1.0).max(y).tangent, [1.0, 0.0]);
    assert_eq!(x(2.5).floor().tangent, [0.0, 0.0]);
    assert_eq!(x(2.5).ceil().value, 3.0);
    assert_eq!(x(-2.5).sign(), Dual::constant(-1.0));
    assert_eq!(x(0.0).sqrt().tangent, [f64::INFINITY, 0.0]);
    assert_eq!(x(0.0).hypot(Dual::constant(0.0)).tangent, [0.0, 0.0]);
    assert_eq!(x(0.0).atan2(Dual::constant(0.0)).tangent, [0.0, 0.0]);
    // x^c with a constant exponent: no logarithm of a base that has none.
    assert_eq!(x(-2.0).powf(Dual::constant(3.0)).tangent, [12.0, 0.0]);
    assert_eq!(x(0.0).powf(Dual::constant(2.0)).tangent, [0.0, 0.0]);
    assert_eq!(x(0.0).powf(Dual::constant(1.0)).tangent, [1.0, 0.0]);
    assert_eq!(x(0.0).powf(Dual::constant(0.0)), Dual::constant(1.0));
    assert_eq!(
        x(0.0).powf(Dual::constant(0.5)).tangent,
        [f64::INFINITY, 0.0]
    );
    assert_eq!(Dual::<2>::constant(0.0).powf(x(2.0)).tangent, [0.0, 0.0]);
    let picked = Dual::select(Comparison::Less, x(1.0), Dual::constant(2.0), x(5.0), y);
    assert_eq!(picked, x(5.0));
}

#[test]
fn a_dual_over_duals_carries_second_derivatives() {
    type Nested = DualOver<Dual<1>, 1>;
    for i in 1..30 {
        let v = 0.1 * f64::from(i);
        let x = Nested::variable(Dual::variable(v, 0), 0);
        let second = (x.sin() * x.exp() / x).tangent[0].tangent[0];
        let (s, c, e) = (v.sin(), v.cos(), v.exp());
        let expected = e * (2.0 * c / v - 2.0 * (s + c) / (v * v) + 2.0 * s / (v * v * v));
        close(second, expected, 1e-13, "(sin x exp x / x)''");
        let cube = x.powf(Nested::from(3.0)).tangent[0].tangent[0];
        close(cube, 6.0 * v, 1e-13, "(x^3)''");
    }
}

#[test]
fn parts_follow_the_memory_layout() {
    type Nested = DualOver<Dual<2>, 2>;
    assert_eq!(Nested::WIDTH, 9);
    let at = |v: f64| Dual {
        value: v,
        tangent: [v + 1.0, v + 2.0],
    };
    let x = Nested {
        value: at(0.0),
        tangent: [at(3.0), at(6.0)],
    };
    for k in 0..9 {
        assert_eq!(x.part(k), k as f64);
    }
    assert_eq!(Nested::from_parts(|k| k as f64), x);
    assert_eq!(size_of::<Dual<4>>(), 40);
    assert!(x.is_finite() && !(x / Nested::from(0.0)).is_finite());
}
