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
use crate::options::{ErrorNorm, Options, Tolerance};
use crate::scalar::Scalar;

/// The scale of the local error: `atol_i + rtol * magnitude`, never 0.
#[inline]
pub fn scale(options: &Options, i: usize, magnitude: f64) -> f64 {
    scale_of(options.atol.of(i), options.rtol, magnitude)
}

#[inline(always)]
fn scale_of(atol: f64, rtol: f64, magnitude: f64) -> f64 {
    f64::max(atol + rtol * magnitude, f64::MIN_POSITIVE)
}

/// The local error of a step.
pub trait ErrorEstimate: Sync {
    /// That of part `part` of state i.
    fn of(&self, i: usize, part: usize) -> f64;
    /// Those of the states from `first` on.
    #[inline(always)]
    fn write(&self, first: usize, part: usize, errors: &mut [f64]) {
        for (i, error) in (first..).zip(errors) {
            *error = self.of(i, part);
        }
    }
}

impl<F: Fn(usize, usize) -> f64 + Sync> ErrorEstimate for F {
    #[inline(always)]
    fn of(&self, i: usize, part: usize) -> f64 {
        self(i, part)
    }
}

/// Weighted RMS norm of a step's error, `error.of(i, part)` being that of part `part` of state i.
///
/// The values alone count, or values and tangents ([`ErrorNorm`]). Values that are not finite are reported
/// as such; tangents that are not finite are left to whoever asked for them unless the norm includes them.
#[inline(always)]
pub fn error_test<S: Scalar>(
    options: &Options,
    x: &[S],
    x_new: &[S],
    error: impl Fn(usize, usize) -> f64 + Sync,
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
    error: &impl ErrorEstimate,
    i: usize,
    part: usize,
) -> f64 {
    let magnitude = f64::max(x[i].part(part).abs(), x_new[i].part(part).abs());
    error.of(i, part) / scale(options, i, magnitude)
}

/// The norm of [`error_test`]; not finite where a state or an error is not.
#[inline(always)]
pub fn error_norm<S: Scalar>(
    options: &Options,
    x: &[S],
    x_new: &[S],
    error: &impl ErrorEstimate,
) -> f64 {
    let add = |count: usize, of: &(dyn Fn(usize) -> f64 + Sync)| (0..count).map(of).sum();
    error_norm_by(options, x, x_new, error, add)
}

/// States of a block: each has a sum of squares of its own, so that threads may share them.
const BLOCK: usize = 1024;
/// Sums of every fourth state in a block: four additions run at a time, and lanes of a vector are such sums.
const LANES: usize = 4;
/// States up to which code is straight.
const FEW: usize = 4;
/// States whose errors are written down before they are weighed.
const AT_ONCE: usize = 64;

/// [`error_norm`], where `add` adds the sums of so many blocks, in their order.
#[inline(always)]
pub fn error_norm_by<S: Scalar>(
    options: &Options,
    x: &[S],
    x_new: &[S],
    error: &impl ErrorEstimate,
    add: impl FnOnce(usize, &(dyn Fn(usize) -> f64 + Sync)) -> f64,
) -> f64 {
    let n = x.len();
    let squares = Squares {
        options,
        x,
        x_new: &x_new[..n],
        error,
    };
    let sum = if n <= FEW {
        squares.of_few(n)
    } else if n <= BLOCK {
        squares.of_block(0)
    } else {
        add(n.div_ceil(BLOCK), &|block| squares.of_block(block))
    };
    (sum / (parts::<S>(options) * n).max(1) as f64).sqrt()
}

/// The squares that a norm adds.
struct Squares<'a, S, E> {
    options: &'a Options,
    x: &'a [S],
    x_new: &'a [S],
    error: &'a E,
}

impl<S: Scalar, E: ErrorEstimate> Squares<'_, S, E> {
    #[inline]
    fn of_block(&self, block: usize) -> f64 {
        let (first, end) = (block * BLOCK, ((block + 1) * BLOCK).min(self.x.len()));
        #[cfg(target_arch = "x86_64")]
        if const { S::WIDTH == 1 } && std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has what the function is compiled for
            return unsafe { self.wide_sum(first, end) };
        }
        self.sum(first, end)
    }

    /// The same operations, four at a time.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn wide_sum(&self, first: usize, end: usize) -> f64 {
        self.sum(first, end)
    }

    #[inline(always)]
    fn sum(&self, first: usize, end: usize) -> f64 {
        let (x, x_new) = (&self.x[first..end], &self.x_new[first..end]);
        let mut sums = [0.0; LANES];
        let mut errors = [0.0; AT_ONCE];
        for part in 0..parts::<S>(self.options) {
            let states = x.chunks(AT_ONCE).zip(x_new.chunks(AT_ONCE));
            for (from, (x, x_new)) in (first..).step_by(AT_ONCE).zip(states) {
                let errors = &mut errors[..x.len()];
                self.error.write(from, part, errors);
                match &self.options.atol {
                    Tolerance::Uniform(atol) => {
                        self.weigh(errors, x, x_new, part, |_| *atol, &mut sums);
                    }
                    Tolerance::PerState(atol) => {
                        let atol = &atol[from..][..x.len()];
                        self.weigh(errors, x, x_new, part, |i| atol[i], &mut sums);
                    }
                }
            }
        }
        (sums[0] + sums[2]) + (sums[1] + sums[3])
    }

    /// Adds squares, that of state i to sum i modulo [`LANES`].
    #[inline(always)]
    fn weigh(
        &self,
        errors: &[f64],
        x: &[S],
        x_new: &[S],
        part: usize,
        atol: impl Fn(usize) -> f64,
        sums: &mut [f64; LANES],
    ) {
        let n = errors.len();
        let (x, x_new) = (&x[..n], &x_new[..n]);
        let whole = n / LANES * LANES;
        let mut i = 0;
        while i < whole {
            for (lane, sum) in sums.iter_mut().enumerate() {
                let k = i + lane;
                *sum += self.square(errors[k], x[k], x_new[k], part, atol(k));
            }
            i += LANES;
        }
        for k in whole..n {
            sums[k - whole] += self.square(errors[k], x[k], x_new[k], part, atol(k));
        }
    }

    #[inline(always)]
    fn square(&self, error: f64, x: S, x_new: S, part: usize, atol: f64) -> f64 {
        let (before, after) = (x.part(part), x_new.part(part));
        let magnitude = f64::max(before.abs(), after.abs());
        let r = error / scale_of(atol, self.options.rtol, magnitude);
        // 0 * infinity is NaN: an infinite state must not hide behind its own infinite scale
        r * r + after * 0.0
    }

    /// Of a number of states that is known when this is compiled.
    #[inline(always)]
    fn of_few(&self, n: usize) -> f64 {
        let mut sum = 0.0;
        for part in 0..parts::<S>(self.options) {
            for i in 0..n {
                let (error, atol) = (self.error.of(i, part), self.options.atol.of(i));
                sum += self.square(error, self.x[i], self.x_new[i], part, atol);
            }
        }
        sum
    }
}

/// What a step with this norm of its error has come to.
#[inline(always)]
pub fn verdict<S: Scalar>(
    norm: f64,
    options: &Options,
    x: &[S],
    x_new: &[S],
    error: &impl ErrorEstimate,
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
        (0..parts).any(|part| !error.of(i, part).is_finite() || !x_new[i].part(part).is_finite())
    });
    if let Some(state) = bad {
        return Trial::NotFinite { state };
    }
    let mut worst = (0, -1.0);
    for i in 0..n {
        for part in 0..parts {
            let size = ratio(options, x, x_new, error, i, part).abs();
            if size > worst.1 {
                worst = (i, size);
            }
        }
    }
    let state = worst.0;
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

/// The PI controller; see the module. Works in binary logarithms, good to four digits: a step size needs no more,
/// and for few states the functions of the mathematical library would take a fifth of the time of a step.
#[derive(Debug, Clone)]
pub struct Controller {
    exponent: f64,
    log_previous: f64,
    after_rejection: bool,
}

impl Controller {
    /// For an error estimate of order `error_order`.
    pub fn new(error_order: u32) -> Self {
        Self {
            exponent: 1.0 / f64::from(error_order + 1),
            log_previous: log2(LEAST_PREVIOUS),
            after_rejection: false,
        }
    }
    /// Forgets the last step's error.
    pub fn restart(&mut self) {
        self.log_previous = log2(LEAST_PREVIOUS);
        self.after_rejection = false;
    }
    /// Factor on the step size after an accepted step with scaled error `error` <= 1.
    pub fn accepted(&mut self, error: f64) -> f64 {
        let log_error = log2(error.max(1e-30));
        let log_factor = BETA * self.log_previous - (self.exponent - 0.75 * BETA) * log_error;
        let most = if self.after_rejection { 1.0 } else { GROW };
        self.log_previous = log_error.max(log2(LEAST_PREVIOUS));
        self.after_rejection = false;
        (SAFETY * exp2(log_factor)).clamp(SHRINK, most)
    }
    /// Factor on the step size after a rejected step with scaled error `error` > 1.
    pub fn rejected(&mut self, error: f64) -> f64 {
        self.after_rejection = true;
        (SAFETY * exp2(-self.exponent * log2(error))).clamp(SHRINK, SAFETY)
    }
    /// Factor on the step size after a step that could not be computed.
    pub fn failed(&mut self) -> f64 {
        self.after_rejection = true;
        0.25
    }
}

/// log2 of a positive normal number to 3e-5: with x = 2^k (1 + t), 1 / sqrt 2 <= 1 + t < sqrt 2, it is
/// k + t q(t), q the polynomial through log2(1 + t) / t at five Chebyshev nodes.
#[inline]
#[expect(clippy::cast_possible_wrap, reason = "eleven bits of exponent")]
fn log2(x: f64) -> f64 {
    /// mantissa of sqrt 2
    const ROOT: u64 = 0x6_A09E_667F_3BCD;
    let bits = x.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let above = u64::from(fraction >= ROOT);
    let exponent = (bits >> 52) as i64 - 1023 + above as i64;
    let t = f64::from_bits(fraction | (1023 - above) << 52) - 1.0;
    let square = t * t;
    let low = 1.442_640_464 - 0.720_629_216 * t;
    let high = (0.485_737_842 - 0.389_675_224 * t) + 0.250_287_847 * square;
    exponent as f64 + t * (low + square * high)
}

/// 2^y to 4e-6 relative, for |y| up to 1000: with y = k + u, |u| <= 1/2, the polynomial through 2^u at five
/// Chebyshev nodes, its exponent raised by k.
#[inline]
fn exp2(y: f64) -> f64 {
    /// Adding it leaves no bits below the units, and those of k as the lowest.
    const WHOLE: f64 = 6_755_399_441_055_744.0;
    let shifted = y + WHOLE;
    let u = y - (shifted - WHOLE);
    let square = u * u;
    let low = 1.0 + 0.693_121_045 * u;
    let high = (0.240_223_490 + 0.055_921_976 * u) + 0.009_666_369 * square;
    let power = low + square * high;
    f64::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << 52))
}

#[cfg(test)]
mod tests {
    use super::{exp2, log2};

    #[test]
    fn logarithms_and_powers_are_good_to_four_digits() {
        for k in -30_000..=30_000 {
            let y = f64::from(k) / 31.7;
            assert!((exp2(y) / y.exp2() - 1.0).abs() < 4e-6, "2^{y}");
            let x = y.exp2();
            assert!((log2(x) - x.log2()).abs() < 3e-5, "log2 {x}");
        }
        assert_eq!(log2(1.0), 0.0);
        assert!((log2(f64::MAX) - 1024.0).abs() < 3e-5);
    }
}
