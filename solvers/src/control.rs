//! The error test and the step size that follows from it.
//!
//! A step whose scaled local error is e (accepted where e <= 1) is followed by one of
//!
//! ```text
//! h_next = h * clamp(0.9 * e^-(1/(q+1) - 0.75 beta) * e_previous^beta, 0.2, 10),      beta = 0.04
//! ```
//!
//! with q the order of the error estimate: the PI controller of Gustafsson as Hairer & Wanner (IV.2) give
//! it for DOPRI5. The step after a rejection does not grow.

use crate::method::Trial;
use crate::options::{ErrorNorm, Options};
use crate::scalar::Scalar;

/// The scale of the local error: `atol_i + rtol * magnitude`, never 0.
#[inline]
pub fn scale(options: &Options, i: usize, magnitude: f64) -> f64 {
    f64::max(
        options.atol.of(i) + options.rtol * magnitude,
        f64::MIN_POSITIVE,
    )
}

/// Weighted RMS norm of a step's error, `error(i, part)` being that of part `part` of state i.
///
/// The values alone count, or values and tangents ([`ErrorNorm`]). Values that are not finite are reported
/// as such; tangents that are not finite are left to whoever asked for them unless the norm includes them.
#[inline(always)]
pub fn error_test<S: Scalar>(
    options: &Options,
    x: &[S],
    x_new: &[S],
    error: impl Fn(usize, usize) -> f64,
) -> Trial {
    let norm = error_norm(options, x, x_new, &error);
    verdict(norm, options, x, x_new, &error)
}

fn parts<S: Scalar>(options: &Options) -> usize {
    match options.error_norm {
        ErrorNorm::Values => 1,
        ErrorNorm::WithTangents => S::WIDTH,
    }
}

/// Part `part` of the error of state i in units of the tolerance.
#[inline(always)]
fn ratio<S: Scalar>(
    options: &Options,
    x: &[S],
    x_new: &[S],
    error: &impl Fn(usize, usize) -> f64,
    i: usize,
    part: usize,
) -> f64 {
    let magnitude = f64::max(x[i].part(part).abs(), x_new[i].part(part).abs());
    error(i, part) / scale(options, i, magnitude)
}

/// The norm of [`error_test`]; not finite where a state or an error is not.
#[inline(always)]
pub fn error_norm<S: Scalar>(
    options: &Options,
    x: &[S],
    x_new: &[S],
    error: &impl Fn(usize, usize) -> f64,
) -> f64 {
    let n = x.len();
    let x_new = &x_new[..n];
    let parts = parts::<S>(options);
    let mut sum = 0.0;
    for part in 0..parts {
        for (i, end) in x_new.iter().enumerate() {
            let r = ratio(options, x, x_new, error, i, part);
            // 0 * infinity is NaN: an infinite state must not hide behind its own infinite scale
            sum += r * r + end.part(part) * 0.0;
        }
    }
    (sum / (parts * n).max(1) as f64).sqrt()
}

/// What a step with this norm of its error has come to.
#[inline(always)]
pub fn verdict<S: Scalar>(
    norm: f64,
    options: &Options,
    x: &[S],
    x_new: &[S],
    error: &impl Fn(usize, usize) -> f64,
) -> Trial {
    let n = x.len();
    let x_new = &x_new[..n];
    let parts = parts::<S>(options);
    if norm <= 1.0 {
        // which state was hardest matters only where a step fails
        return Trial::Computed {
            error: norm,
            state: 0,
        };
    }
    let bad = (0..n).find(|&i| {
        (0..parts).any(|part| !error(i, part).is_finite() || !x_new[i].part(part).is_finite())
    });
    if let Some(state) = bad {
        return Trial::NotFinite { state };
    }
    let worst = |i: usize| {
        (0..parts)
            .map(|part| ratio(options, x, x_new, error, i, part).abs())
            .fold(0.0, f64::max)
    };
    let state = (0..n).fold(0, |best, i| if worst(i) > worst(best) { i } else { best });
    Trial::Computed {
        error: if norm.is_finite() { norm } else { f64::MAX },
        state,
    }
}

const SAFETY: f64 = 0.9;
const BETA: f64 = 0.04;
const SHRINK: f64 = 0.2;
const GROW: f64 = 10.0;
/// Errors below this say nothing about the next step.
const LEAST_PREVIOUS: f64 = 1e-4;

/// The PI controller; see the module. Works in logarithms: one `ln` and one `exp` a step.
#[derive(Debug, Clone)]
pub struct Controller {
    exponent: f64,
    ln_previous: f64,
    after_rejection: bool,
}

impl Controller {
    /// For an error estimate of order `error_order`.
    pub fn new(error_order: u32) -> Self {
        Self {
            exponent: 1.0 / f64::from(error_order + 1),
            ln_previous: LEAST_PREVIOUS.ln(),
            after_rejection: false,
        }
    }
    /// Forgets the last step's error.
    pub fn restart(&mut self) {
        self.ln_previous = LEAST_PREVIOUS.ln();
        self.after_rejection = false;
    }
    /// Factor on the step size after an accepted step with scaled error `error` <= 1.
    pub fn accepted(&mut self, error: f64) -> f64 {
        let ln_error = error.max(1e-30).ln();
        let ln_factor = BETA * self.ln_previous - (self.exponent - 0.75 * BETA) * ln_error;
        let most = if self.after_rejection { 1.0 } else { GROW };
        self.ln_previous = ln_error.max(LEAST_PREVIOUS.ln());
        self.after_rejection = false;
        (SAFETY * ln_factor.exp()).clamp(SHRINK, most)
    }
    /// Factor on the step size after a rejected step with scaled error `error` > 1.
    pub fn rejected(&mut self, error: f64) -> f64 {
        self.after_rejection = true;
        (SAFETY * error.powf(-self.exponent)).clamp(SHRINK, SAFETY)
    }
    /// Factor on the step size after a step that could not be computed.
    pub fn failed(&mut self) -> f64 {
        self.after_rejection = true;
        0.25
    }
}
