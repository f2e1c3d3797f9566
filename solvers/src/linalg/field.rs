//! The fields a matrix can be factored over, and the right-hand sides its factors act on.
//!
//! An implicit method factors W = shift M - J with a real shift, or, as Radau's methods do after their
//! change of basis, with complex ones: [`Field`] is `f64` or `Complex<f64>`. The unknowns are more than
//! that: with real factors, dual numbers are solved for, which are vectors over `f64` (a value and its
//! tangents). [`Over`] says that a number is a vector over the field T: multiplied by a T it stays what it
//! is, and a linear solve treats its T-components alike and apart.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use nalgebra::Complex;

use crate::scalar::Scalar;

/// A number that matrices are factored over.
pub trait Field:
    Copy
    + Debug
    + PartialEq
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + From<f64>
    + Over<Self>
{
    /// A size to compare pivots by: |x|, and |re| + |im| of a complex number, which needs no root and is
    /// within a factor sqrt(2) of the absolute value.
    fn magnitude(self) -> f64;
    /// Whether every part is finite.
    fn is_finite(self) -> bool;
    /// 1 / x, without overflow on the way.
    fn reciprocal(self) -> Self;
    /// `self * factor` with a real factor.
    fn scaled(self, factor: f64) -> Self;
}

impl Field for f64 {
    #[inline]
    fn magnitude(self) -> f64 {
        self.abs()
    }
    #[inline]
    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }
    #[inline]
    fn reciprocal(self) -> f64 {
        1.0 / self
    }
    #[inline]
    fn scaled(self, factor: f64) -> f64 {
        self * factor
    }
}

impl Field for Complex<f64> {
    #[inline]
    fn magnitude(self) -> f64 {
        self.re.abs() + self.im.abs()
    }
    #[inline]
    fn is_finite(self) -> bool {
        self.re.is_finite() && self.im.is_finite()
    }
    /// R. L. Smith's division (Algorithm 116, 1962): scaled by the larger part.
    #[inline]
    fn reciprocal(self) -> Self {
        if self.re.abs() >= self.im.abs() {
            let ratio = self.im / self.re;
            let denominator = self.re + self.im * ratio;
            Self::new(1.0 / denominator, -ratio / denominator)
        } else {
            let ratio = self.re / self.im;
            let denominator = self.re * ratio + self.im;
            Self::new(ratio / denominator, -1.0 / denominator)
        }
    }
    #[inline]
    fn scaled(self, factor: f64) -> Self {
        Self::new(self.re * factor, self.im * factor)
    }
}

/// A number that is a vector over the field T: what a factorization over T solves for.
///
/// Every [`Scalar`] is one over `f64`; a complex number of scalars is one over `Complex<f64>`.
pub trait Over<T>: Copy {
    /// Number of T-components.
    const COMPONENTS: usize;
    /// Component `k < COMPONENTS`.
    fn component(self, k: usize) -> T;
    /// The same number with component `k` replaced.
    fn with_component(self, k: usize, value: T) -> Self;
    /// `self * factor`
    fn times(self, factor: T) -> Self;
    /// `self - x * factor`: the step of every substitution.
    fn minus_product(self, x: Self, factor: T) -> Self;
}

impl<S: Scalar> Over<f64> for S {
    const COMPONENTS: usize = S::WIDTH;
    #[inline]
    fn component(self, k: usize) -> f64 {
        self.part(k)
    }
    #[inline]
    fn with_component(self, k: usize, value: f64) -> Self {
        S::from_parts(|i| if i == k { value } else { self.part(i) })
    }
    #[inline]
    fn times(self, factor: f64) -> Self {
        self * factor
    }
    #[inline]
    fn minus_product(self, x: Self, factor: f64) -> Self {
        self.mul_add_f64(x, -factor)
    }
}

impl<S: Scalar> Over<Complex<f64>> for Complex<S> {
    const COMPONENTS: usize = S::WIDTH;
    #[inline]
    fn component(self, k: usize) -> Complex<f64> {
        Complex::new(self.re.part(k), self.im.part(k))
    }
    #[inline]
    fn with_component(self, k: usize, value: Complex<f64>) -> Self {
        Complex {
            re: self.re.with_component(k, value.re),
            im: self.im.with_component(k, value.im),
        }
    }
    #[inline]
    fn times(self, factor: Complex<f64>) -> Self {
        Complex {
            re: self.re * factor.re - self.im * factor.im,
            im: self.re * factor.im + self.im * factor.re,
        }
    }
    #[inline]
    fn minus_product(self, x: Self, factor: Complex<f64>) -> Self {
        let product = x.times(factor);
        Complex {
            re: self.re - product.re,
            im: self.im - product.im,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complex_reciprocals_do_not_overflow() {
        for z in [
            Complex::new(3.0, -4.0),
            Complex::new(0.0, 2.0),
            Complex::new(1e200, 2e200),
            Complex::new(-3e-200, 1e-200),
        ] {
            let one = z * z.reciprocal();
            assert!(
                (one - Complex::new(1.0, 0.0)).norm() < 4.0 * f64::EPSILON,
                "{z}: {one}"
            );
        }
        assert!(!Complex::new(0.0, 0.0).reciprocal().is_finite());
    }

    #[test]
    fn complex_products_are_those_of_the_field() {
        let (a, x, f) = (
            Complex::new(1.0, 2.0),
            Complex::new(-3.0, 0.5),
            Complex::new(0.25, -1.5),
        );
        assert_eq!(a.minus_product(x, f), a - x * f);
        assert_eq!(x.times(f), x * f);
        assert_eq!(Over::<Complex<f64>>::component(a, 0), a);
    }
}
