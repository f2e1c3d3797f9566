//! Numbers that matrices are factored over: real ones, and complex ones for methods with complex eigenvalues.

use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

use nalgebra::Complex;

/// A field with a magnitude to choose pivots by.
pub trait Field:
    Copy
    + Debug
    + PartialEq
    + From<f64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// |a|, or a number that orders like it
    fn magnitude(self) -> f64;
    /// neither infinite nor NaN
    fn is_finite(self) -> bool;
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
}
