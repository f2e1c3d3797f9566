//! The first step size, from the sizes of x, f and the change of f (Hairer, Norsett & Wanner, II.4).
//!
//! With norms d0 = ||x||, d1 = ||f|| weighted by the tolerance, an explicit Euler step of h0 = 0.01 d0/d1
//! gives d2 = ||f(t + h0, x + h0 f) - f(t, x)|| / h0, an estimate of x''; the step is then
//! h = min(100 h0, (0.01 / max(d1, d2))^(1/(p+1))) for a method of order p.
//!
//! For M x' = f, where f is not x', see [`initial_step_with_mass`].

use crate::control::scale;
use crate::options::{Options, Statistics};
use crate::scalar::Scalar;
use crate::system::{Mass, System};

/// Magnitude of a first step from (t, x) towards t + direction * limit, at most `limit`.
///
/// `slope` is f(t, x); `x1` and `f1` are scratch of length n. Costs one evaluation of f.
#[expect(
    clippy::too_many_arguments,
    reason = "the problem, the method's order and scratch space: called once a solve"
)]
pub fn initial_step<S: Scalar, F: System<S> + ?Sized>(
    system: &mut F,
    t: S,
    x: &[S],
    slope: &[S],
    direction: f64,
    limit: f64,
    order: u32,
    options: &Options,
    x1: &mut [S],
    f1: &mut [S],
    statistics: &mut Statistics,
) -> f64 {
    let n = x.len();
    if n == 0 {
        return limit;
    }
    let norm = |of: &dyn Fn(usize) -> f64| {
        let sum: f64 = (0..n)
            .map(|i| (of(i) / scale(options, i, x[i].value().abs())).powi(2))
            .sum();
        (sum / n as f64).sqrt()
    };
    let d0 = norm(&|i| x[i].value());
    let d1 = norm(&|i| slope[i].value());
    let h0 = if d0 < 1e-5 || d1 < 1e-5 {
        1e-6
    } else {
        0.01 * (d0 / d1)
    };
    let h0 = h0.min(limit);
    let euler = S::from(direction * h0);
    for i in 0..n {
        x1[i] = x[i] + slope[i] * euler;
    }
    system.rhs(t + euler, x1, f1);
    statistics.rhs_evaluations += 1;
    let d2 = norm(&|i| f1[i].value() - slope[i].value()) / h0;
    let steepest = d1.max(d2);
    let h = if !d2.is_finite() {
        // f ends within reach of an Euler step: start well inside
        0.01 * h0
    } else if steepest <= 1e-15 {
        f64::max(1e-6, 1e-3 * h0)
    } else {
        (0.01 / steepest).powf(1.0 / f64::from(order + 1))
    };
    let h = h.min(100.0 * h0).min(limit);
    // norms that overflow leave 0 or NaN: the controller grows a tiny step fast
    if h > 0.0 { h } else { limit.min(1e-10) }
}

/// Magnitude of a first step for M x' = f, at most `limit`, without x' (M may be singular) and without another f.
///
/// Row i of M gives |f_i| / sum_j |M_ij| w_j, w being the scale of the error, a rate at which the differential
/// states move; with d1 its RMS over the rows of M that are not 0, the step is
/// min(0.01 d0/d1, (0.01/d1)^(1/(p+1))). It is cautious, as algebraic states may move faster: the controller makes
/// up for that in a few steps. `weights` is scratch of length n.
pub fn initial_step_with_mass<S: Scalar>(
    mass: &Mass<S>,
    x: &[S],
    slope: &[S],
    limit: f64,
    order: u32,
    options: &Options,
    weights: &mut [S],
) -> f64 {
    let n = x.len();
    weights.fill(S::from(0.0));
    let mut d0 = 0.0;
    for (column, x) in x.iter().enumerate().take(mass.pattern.columns()) {
        let x = x.value().abs();
        let scale = scale(options, column, x);
        d0 += (x / scale).powi(2) / n as f64;
        for k in mass.pattern.starts[column]..mass.pattern.starts[column + 1] {
            weights[mass.pattern.rows[k]] += S::from(mass.values[k].value().abs() * scale);
        }
    }
    let (mut sum, mut rows) = (0.0, 0usize);
    for (f, weight) in slope.iter().zip(weights.iter()) {
        if weight.value() > 0.0 {
            sum += (f.value() / weight.value()).powi(2);
            rows += 1;
        }
    }
    let d0 = d0.sqrt();
    let d1 = (sum / rows.max(1) as f64).sqrt();
    let h = if d0 < 1e-5 || d1 < 1e-5 {
        1e-6
    } else {
        f64::min(
            0.01 * (d0 / d1),
            (0.01 / d1).powf(1.0 / f64::from(order + 1)),
        )
    };
    let h = h.min(limit);
    if h > 0.0 { h } else { limit.min(1e-10) }
}
