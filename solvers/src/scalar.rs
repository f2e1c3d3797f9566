//! Number types a model can be evaluated on.
//!
//! [`Real`] is what a right-hand side may use: arithmetic and the functions of the expression language. It
//! holds for `f64`, for dual numbers and for the tracing scalar that records a graph. [`Scalar`] adds what a
//! solver needs: a value to compare and a width to measure errors on.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// An order comparison, as data, so that a tracing scalar can record it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `a < b`
    Less,
    /// `a <= b`
    LessOrEqual,
    /// `a > b`
    Greater,
    /// `a >= b`
    GreaterOrEqual,
    /// `a == b`
    Equal,
    /// `a != b`
    NotEqual,
}

impl Comparison {
    /// Whether the comparison holds of two numbers.
    #[inline]
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Equal => left == right,
            Self::NotEqual => left != right,
        }
    }
}

/// A number a model can be written over: arithmetic and elementary functions, no branching on its value.
///
/// Derivative conventions at kinks: `abs'(0) = 0`, `max`/`min` take the derivative of the branch that
/// `a >= b` (`max`) or `a <= b` (`min`) selects, `floor`, `ceil`, `signum` have derivative 0.
pub trait Real:
    Copy
    + Debug
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + From<f64>
{
    /// `e^x`
    fn exp(self) -> Self;
    /// `e^x - 1`, accurate near 0
    fn exp_m1(self) -> Self;
    /// natural logarithm
    fn ln(self) -> Self;
    /// `ln(1 + x)`, accurate near 0
    fn ln_1p(self) -> Self;
    /// logarithm to base 2
    fn log2(self) -> Self;
    /// logarithm to base 10
    fn log10(self) -> Self;
    /// square root
    fn sqrt(self) -> Self;
    /// cube root
    fn cbrt(self) -> Self;
    /// `self^exponent`
    fn powf(self, exponent: Self) -> Self;
    /// `self^exponent` for a whole exponent
    fn powi(self, exponent: i32) -> Self;
    /// sine
    fn sin(self) -> Self;
    /// cosine
    fn cos(self) -> Self;
    /// tangent
    fn tan(self) -> Self;
    /// inverse sine
    fn asin(self) -> Self;
    /// inverse cosine
    fn acos(self) -> Self;
    /// inverse tangent
    fn atan(self) -> Self;
    /// four-quadrant inverse tangent of `self / x`
    fn atan2(self, x: Self) -> Self;
    /// hyperbolic sine
    fn sinh(self) -> Self;
    /// hyperbolic cosine
    fn cosh(self) -> Self;
    /// hyperbolic tangent
    fn tanh(self) -> Self;
    /// inverse hyperbolic sine
    fn asinh(self) -> Self;
    /// inverse hyperbolic cosine
    fn acosh(self) -> Self;
    /// inverse hyperbolic tangent
    fn atanh(self) -> Self;
    /// absolute value
    fn abs(self) -> Self;
    /// -1, 0 or 1 (0 at 0)
    fn sign(self) -> Self;
    /// the smaller of two
    fn min(self, other: Self) -> Self;
    /// the larger of two
    fn max(self, other: Self) -> Self;
    /// largest whole number not above
    fn floor(self) -> Self;
    /// smallest whole number not below
    fn ceil(self) -> Self;
    /// `self - other * floor(self / other)`: the remainder with the divisor's sign
    fn modulo(self, other: Self) -> Self;
    /// `sqrt(self^2 + other^2)` without overflow
    fn hypot(self, other: Self) -> Self;
    /// error function
    fn erf(self) -> Self;
    /// `yes` where the comparison of `left` with `right` holds, else `no`
    fn select(comparison: Comparison, left: Self, right: Self, yes: Self, no: Self) -> Self;
}

/// A number a solver can step: [`Real`] with a value; the default is 0.
pub trait Scalar: Real + Default + Send + Sync + 'static {
    /// Numbers held: 1 for `f64`, 1 + N for a dual number with N directions.
    const WIDTH: usize;
    /// The value (for a dual number without its derivatives).
    fn value(self) -> f64;
    /// Number `k < WIDTH` of those held; 0 is the value.
    fn part(self, k: usize) -> f64;
    /// The number whose part `k` is `part(k)`, asked for k = 0, 1, ..., WIDTH - 1 in this order.
    fn from_parts(part: impl FnMut(usize) -> f64) -> Self;
    /// Whether every number held is finite.
    fn is_finite(self) -> bool;
    /// `self + factor * weight` with a plain weight: the workhorse of Runge-Kutta sums.
    fn mul_add_f64(self, factor: Self, weight: f64) -> Self;
}

/// The sum of numbers, those of plain ones as [`Iterator::sum`] adds them: from -0, which changes no number.
#[inline]
pub fn sum<S: Scalar>(terms: impl Iterator<Item = S>) -> S {
    terms.fold(S::from(-0.0), |sum, term| sum + term)
}

/// The order of the derivatives that S carries: the largest power of a number without value that is not 0.
///
/// 0 for plain numbers, 1 for dual numbers, 2 for dual numbers over dual numbers.
pub fn depth<S: Scalar>() -> usize {
    let nilpotent = S::from_parts(|k| if k == 0 { 0.0 } else { 1.0 });
    let mut power = nilpotent;
    let mut depth = 0;
    while (0..S::WIDTH).any(|k| power.part(k) != 0.0) {
        depth += 1;
        power *= nilpotent;
    }
    depth
}

macro_rules! forward_to_std {
    ($($name:ident),* $(,)?) => { $(#[inline] fn $name(self) -> f64 { f64::$name(self) })* };
}

impl Real for f64 {
    forward_to_std!(
        exp, exp_m1, ln, ln_1p, log2, log10, sqrt, cbrt, sin, cos, tan, asin, acos, atan, sinh,
        cosh, tanh, asinh, acosh, atanh, abs, floor, ceil
    );
    #[inline]
    fn powf(self, exponent: f64) -> f64 {
        match half_exponent(exponent) {
            Some(n) => power_of_root(self, n),
            None => f64::powf(self, exponent),
        }
    }
    #[inline]
    fn powi(self, exponent: i32) -> f64 {
        powi_by_squaring(self, exponent)
    }
    #[inline]
    fn atan2(self, x: f64) -> f64 {
        f64::atan2(self, x)
    }
    #[inline]
    fn sign(self) -> f64 {
        if self > 0.0 {
            1.0
        } else if self < 0.0 {
            -1.0
        } else {
            self * 0.0
        }
    }
    #[inline]
    fn min(self, other: f64) -> f64 {
        if self <= other { self } else { other }
    }
    #[inline]
    fn max(self, other: f64) -> f64 {
        if self >= other { self } else { other }
    }
    #[inline]
    fn modulo(self, other: f64) -> f64 {
        self - other * f64::floor(self / other)
    }
    #[inline]
    fn hypot(self, other: f64) -> f64 {
        f64::hypot(self, other)
    }
    #[inline]
    fn erf(self) -> f64 {
        libm::erf(self)
    }
    #[inline]
    fn select(comparison: Comparison, left: f64, right: f64, yes: f64, no: f64) -> f64 {
        if comparison.holds(left, right) {
            yes
        } else {
            no
        }
    }
}

impl Scalar for f64 {
    const WIDTH: usize = 1;
    #[inline]
    fn value(self) -> f64 {
        self
    }
    #[inline]
    fn part(self, _k: usize) -> f64 {
        self
    }
    #[inline]
    fn from_parts(mut part: impl FnMut(usize) -> f64) -> f64 {
        part(0)
    }
    #[inline]
    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }
    #[inline]
    fn mul_add_f64(self, factor: f64, weight: f64) -> f64 {
        self + factor * weight
    }
}

/// n where `exponent` = n / 2 for an odd n of at most 15 in size: such powers are taken by [`power_of_root`].
#[inline]
pub fn half_exponent(exponent: f64) -> Option<i32> {
    let twice = 2.0 * exponent;
    // (by way of an integer: a remainder of floating point is a loop in a library)
    let whole = twice as i32;
    (twice.abs() <= 15.0 && f64::from(whole) == twice && whole & 1 == 1).then_some(whole)
}

/// `x^(n/2)` for an odd n as x^((|n|-1)/2) sqrt(x), then one reciprocal where n < 0: within 2 units in the last
/// place, in a fifth of the time of the library's power (the 3/2 of distances in gravity is the commonest). Every
/// backend computes it in this one order of operations.
#[inline]
pub fn power_of_root(x: f64, n: i32) -> f64 {
    let whole = (n.unsigned_abs() / 2) as i32;
    let magnitude = match whole {
        0 => x.sqrt(),
        _ => powi_by_squaring(x, whole) * x.sqrt(),
    };
    if n < 0 { 1.0 / magnitude } else { magnitude }
}

/// `x^n` by repeated squaring, in the one order of operations that every backend uses, so that they agree to
/// the last bit: the binary digits of |n| from the least significant, then one reciprocal where n < 0.
#[inline]
pub fn powi_by_squaring<S: Copy + Mul<Output = S> + Div<Output = S> + From<f64>>(
    x: S,
    n: i32,
) -> S {
    let mut left = n.unsigned_abs();
    let mut square = x;
    let mut product: Option<S> = None;
    while left > 0 {
        if left & 1 == 1 {
            product = Some(match product {
                Some(p) => p * square,
                None => square,
            });
        }
        left >>= 1;
        if left > 0 {
            square = square * square;
        }
    }
    let magnitude = product.unwrap_or_else(|| S::from(1.0));
    if n < 0 {
        S::from(1.0) / magnitude
    } else {
        magnitude
    }
}
