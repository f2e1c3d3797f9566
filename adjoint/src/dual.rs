//! Dual numbers: a value and its derivatives in N directions, carried through every operation.
//!
//! With `e_k e_l = 0`, arithmetic on `x + sum_k x_k e_k` propagates exact first derivatives: `f(x + x_k e_k) =
//! f(x) + f'(x) x_k e_k`. The value of each operation is the very f64 operation that a plain run performs, so
//! that a solve over duals takes the same steps and returns the same states, to the last bit.
//!
//! [`DualOver`] holds its numbers in any scalar `T`; [`Dual`] is the common case over `f64`, and a dual over
//! duals gives second derivatives. Cost: an operation does about 1 + N times (product: 1 + 2 N) the work.
//!
//! Where a function has an infinite slope (`sqrt` at 0, `x^0.5` at 0), a direction in which the argument does not
//! move stays 0 rather than `0 * inf`. Griewank & Walther, *Evaluating Derivatives*, 2nd ed., ch. 3.

use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use costate_solvers::{Comparison, Real, Scalar};

/// A value of type `T` with derivatives in `N` directions. Compiled code relies on the layout: the value,
/// then the tangents in order.
#[repr(C)]
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct DualOver<T, const N: usize> {
    /// the value
    pub value: T,
    /// derivative of the value in each direction
    pub tangent: [T; N],
}

/// A dual number over `f64`: 1 + N numbers, the value first.
pub type Dual<const N: usize> = DualOver<f64, N>;

impl<T: Scalar, const N: usize> DualOver<T, N> {
    /// A number that moves in no direction.
    #[inline]
    pub fn constant(value: T) -> Self {
        Self {
            value,
            tangent: [T::from(0.0); N],
        }
    }

    /// The independent variable of direction `k`; a constant where `k >= N`.
    #[inline]
    pub fn variable(value: T, k: usize) -> Self {
        let mut number = Self::constant(value);
        if let Some(t) = number.tangent.get_mut(k) {
            *t = T::from(1.0);
        }
        number
    }

    /// `(value, slope * tangent)`: the chain rule of a function of one argument.
    #[inline]
    fn chain(self, value: T, slope: T) -> Self {
        Self {
            value,
            tangent: scaled(self.tangent, slope),
        }
    }

    /// The chain rule of a function of two arguments.
    #[inline]
    fn chain2(self, slope: T, other: Self, other_slope: T, value: T) -> Self {
        let mut tangent = scaled(self.tangent, slope);
        let rest = scaled(other.tangent, other_slope);
        for (t, r) in tangent.iter_mut().zip(rest) {
            *t += r;
        }
        Self { value, tangent }
    }
}

/// Whether every number held is zero.
#[inline]
fn vanishes<T: Scalar>(x: T) -> bool {
    (0..T::WIDTH).all(|k| x.part(k) == 0.0)
}

/// `tangent * slope`, zeros kept where the slope is infinite or undefined.
#[inline]
fn scaled<T: Scalar, const N: usize>(tangent: [T; N], slope: T) -> [T; N] {
    if slope.is_finite() {
        tangent.map(|d| d * slope)
    } else {
        tangent.map(|d| if vanishes(d) { d } else { d * slope })
    }
}

impl<T: Scalar, const N: usize> Default for DualOver<T, N> {
    /// 0
    fn default() -> Self {
        Self::from(0.0)
    }
}

impl<T: Scalar, const N: usize> From<f64> for DualOver<T, N> {
    #[inline]
    fn from(value: f64) -> Self {
        Self::constant(T::from(value))
    }
}

impl<T: Scalar, const N: usize> Add for DualOver<T, N> {
    type Output = Self;
    #[inline]
    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl<T: Scalar, const N: usize> Sub for DualOver<T, N> {
    type Output = Self;
    #[inline]
    fn sub(mut self, other: Self) -> Self {
        self -= other;
        self
    }
}

impl<T: Scalar, const N: usize> Mul for DualOver<T, N> {
    type Output = Self;
    #[inline]
    fn mul(self, other: Self) -> Self {
        let mut tangent = self.tangent;
        for (t, o) in tangent.iter_mut().zip(other.tangent) {
            *t = *t * other.value + o * self.value;
        }
        Self {
            value: self.value * other.value,
            tangent,
        }
    }
}

impl<T: Scalar, const N: usize> Div for DualOver<T, N> {
    type Output = Self;
    #[inline]
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        let inverse = T::from(1.0) / other.value;
        let mut tangent = self.tangent;
        for (t, o) in tangent.iter_mut().zip(other.tangent) {
            *t = (*t - o * value) * inverse;
        }
        Self { value, tangent }
    }
}

impl<T: Scalar, const N: usize> Neg for DualOver<T, N> {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self {
            value: -self.value,
            tangent: self.tangent.map(|d| -d),
        }
    }
}

impl<T: Scalar, const N: usize> Add<f64> for DualOver<T, N> {
    type Output = Self;
    #[inline]
    fn add(mut self, other: f64) -> Self {
        self.value = self.value + other;
        self
    }
}

impl<T: Scalar, const N: usize> Sub<f64> for DualOver<T, N> {
    type Output = Self;
    #[inline]
    fn sub(mut self, other: f64) -> Self {
        self.value = self.value - other;
        self
    }
}

impl<T: Scalar, const N: usize> Mul<f64> for DualOver<T, N> {
    type Output = Self;
    #[inline]
    fn mul(self, other: f64) -> Self {
        Self {
            value: self.value * other,
            tangent: self.tangent.map(|d| d * other),
        }
    }
}

impl<T: Scalar, const N: usize> Div<f64> for DualOver<T, N> {
    type Output = Self;
    #[inline]
    fn div(self, other: f64) -> Self {
        Self {
            value: self.value / other,
            tangent: self.tangent.map(|d| d / other),
        }
    }
}

impl<T: Scalar, const N: usize> AddAssign for DualOver<T, N> {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        self.value += other.value;
        for (t, o) in self.tangent.iter_mut().zip(other.tangent) {
            *t += o;
        }
    }
}

impl<T: Scalar, const N: usize> SubAssign for DualOver<T, N> {
    #[inline]
    fn sub_assign(&mut self, other: Self) {
        self.value -= other.value;
        for (t, o) in self.tangent.iter_mut().zip(other.tangent) {
            *t -= o;
        }
    }
}

impl<T: Scalar, const N: usize> MulAssign for DualOver<T, N> {
    #[inline]
    fn mul_assign(&mut self, other: Self) {
        *self = *self * other;
    }
}

impl<T: Scalar, const N: usize> DivAssign for DualOver<T, N> {
    #[inline]
    fn div_assign(&mut self, other: Self) {
        *self = *self / other;
    }
}

/// Functions of one argument: `name => |x, value| slope`, x and value of type `T`.
macro_rules! functions {
    ($($name:ident => |$x:ident, $v:ident| $slope:expr;)*) => { $(
        #[inline]
        fn $name(self) -> Self {
            let $x = self.value;
            let $v = $x.$name();
            self.chain($v, $slope)
        }
    )* };
}

impl<T: Scalar, const N: usize> Real for DualOver<T, N> {
    functions! {
        exp => |x, v| v;
        exp_m1 => |x, v| x.exp();
        ln => |x, v| T::from(1.0) / x;
        ln_1p => |x, v| T::from(1.0) / (x + 1.0);
        log2 => |x, v| T::from(std::f64::consts::LOG2_E) / x;
        log10 => |x, v| T::from(std::f64::consts::LOG10_E) / x;
        sqrt => |x, v| T::from(0.5) / v;
        cbrt => |x, v| T::from(1.0) / (v * v * 3.0);
        sin => |x, v| x.cos();
        cos => |x, v| -x.sin();
        tan => |x, v| v * v + 1.0;
        asin => |x, v| T::from(1.0) / ((T::from(1.0) - x) * (x + 1.0)).sqrt();
        acos => |x, v| T::from(-1.0) / ((T::from(1.0) - x) * (x + 1.0)).sqrt();
        atan => |x, v| T::from(1.0) / (x * x + 1.0);
        sinh => |x, v| x.cosh();
        cosh => |x, v| x.sinh();
        tanh => |x, v| (T::from(1.0) - v) * (v + 1.0);
        asinh => |x, v| T::from(1.0) / x.hypot(T::from(1.0));
        acosh => |x, v| T::from(1.0) / ((x - 1.0).sqrt() * (x + 1.0).sqrt());
        atanh => |x, v| T::from(1.0) / ((T::from(1.0) - x) * (x + 1.0));
        abs => |x, v| x.sign();
        erf => |x, v| (-(x * x)).exp() * std::f64::consts::FRAC_2_SQRT_PI;
    }

    #[inline]
    fn powf(self, exponent: Self) -> Self {
        let (x, e) = (self.value, exponent.value);
        let value = x.powf(e);
        // `0 * 0^-1` is not a slope: x^0 is the constant 1.
        let slope = if vanishes(e) {
            T::from(0.0)
        } else {
            e * x.powf(e - 1.0)
        };
        // x^e is smooth in e only where x > 0 (and tends to 0 with x).
        if exponent.tangent.iter().all(|&d| vanishes(d)) || x.value() <= 0.0 {
            self.chain(value, slope)
        } else {
            self.chain2(slope, exponent, value * x.ln(), value)
        }
    }

    #[inline]
    fn powi(self, exponent: i32) -> Self {
        let slope = if exponent == 0 {
            T::from(0.0)
        } else {
            self.value.powi(exponent.saturating_sub(1)) * f64::from(exponent)
        };
        self.chain(self.value.powi(exponent), slope)
    }

    #[inline]
    fn atan2(self, x: Self) -> Self {
        let value = self.value.atan2(x.value);
        let radius = self.value.hypot(x.value);
        if radius.value() == 0.0 {
            return Self::constant(value);
        }
        let (cos, sin) = (x.value / radius, self.value / radius);
        self.chain2(cos / radius, x, -(sin / radius), value)
    }

    #[inline]
    fn sign(self) -> Self {
        Self::constant(self.value.sign())
    }

    #[inline]
    fn min(self, other: Self) -> Self {
        if self.value() <= other.value() {
            self
        } else {
            other
        }
    }

    #[inline]
    fn max(self, other: Self) -> Self {
        if self.value() >= other.value() {
            self
        } else {
            other
        }
    }

    #[inline]
    fn floor(self) -> Self {
        Self::constant(self.value.floor())
    }

    #[inline]
    fn ceil(self) -> Self {
        Self::constant(self.value.ceil())
    }

    #[inline]
    fn modulo(self, other: Self) -> Self {
        let quotient = (self.value / other.value).floor();
        let value = self.value.modulo(other.value);
        self.chain2(T::from(1.0), other, -quotient, value)
    }

    #[inline]
    fn hypot(self, other: Self) -> Self {
        let value = self.value.hypot(other.value);
        if value.value() == 0.0 {
            return Self::constant(value);
        }
        self.chain2(self.value / value, other, other.value / value, value)
    }

    #[inline]
    fn select(comparison: Comparison, left: Self, right: Self, yes: Self, no: Self) -> Self {
        if comparison.holds(left.value(), right.value()) {
            yes
        } else {
            no
        }
    }
}

impl<T: Scalar, const N: usize> Scalar for DualOver<T, N> {
    const WIDTH: usize = T::WIDTH * (1 + N);

    #[inline]
    fn value(self) -> f64 {
        self.value.value()
    }

    #[inline]
    fn part(self, k: usize) -> f64 {
        if k < T::WIDTH {
            self.value.part(k)
        } else {
            self.tangent[k / T::WIDTH - 1].part(k % T::WIDTH)
        }
    }

    #[inline]
    fn from_parts(mut part: impl FnMut(usize) -> f64) -> Self {
        let value = T::from_parts(&mut part);
        let mut tangent = [value; N];
        for (k, t) in tangent.iter_mut().enumerate() {
            *t = T::from_parts(|j| part((k + 1) * T::WIDTH + j));
        }
        Self { value, tangent }
    }

    #[inline]
    fn is_finite(self) -> bool {
        self.value.is_finite() && self.tangent.iter().all(|d| d.is_finite())
    }

    #[inline]
    fn mul_add_f64(self, factor: Self, weight: f64) -> Self {
        let mut tangent = self.tangent;
        for (t, f) in tangent.iter_mut().zip(factor.tangent) {
            *t = t.mul_add_f64(f, weight);
        }
        Self {
            value: self.value.mul_add_f64(factor.value, weight),
            tangent,
        }
    }
}
