//! Test problems and helpers shared by the tests of gradients.

use costate_adjoint::Dynamics;
use costate_solvers::{Options, Real, Tolerance};

/// Lotka-Volterra: x' = a x - b x y, y' = -c y + x y (problem P1 of the SciML suite); see data/README.md.
#[derive(Debug, Clone, Copy)]
pub struct LotkaVolterra;

impl Dynamics for LotkaVolterra {
    fn states(&self) -> usize {
        2
    }
    fn parameters(&self) -> usize {
        3
    }
    fn rhs<S: Real>(&self, _t: S, x: &[S], p: &[S], dx: &mut [S]) {
        let both = x[0] * x[1];
        dx[0] = p[0] * x[0] - p[1] * both;
        dx[1] = both - p[2] * x[1];
    }
}

/// L = sum over samples and states of (1 - x)^2 / 2.
pub fn loss<S: Real>(samples: &[S]) -> S {
    let mut sum = S::from(0.0);
    for &x in samples {
        sum += (x - 1.0) * (x - 1.0) * 0.5;
    }
    sum
}

/// Options with one tolerance for everything.
pub fn tolerance(tol: f64) -> Options {
    Options {
        rtol: tol,
        atol: Tolerance::Uniform(tol),
        ..Options::default()
    }
}

/// `|a - b| <= tol max(|b|, floor)`, elementwise, with the worst entry in the message.
pub fn assert_close(actual: &[f64], expected: &[f64], tol: f64, floor: f64, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        let error = (a - e).abs() / e.abs().max(floor);
        assert!(
            error <= tol,
            "{what}[{i}] = {a:e}, expected {e:e}: relative error {error:e}"
        );
    }
}

/// Start + step * k, k = 0..count.
pub fn range(start: f64, step: f64, count: usize) -> Vec<f64> {
    (0..count).map(|k| start + step * k as f64).collect()
}
