//! Solvers for ordinary differential equations x' = f(t, x), over any scalar.
//!
//! The same step code runs on `f64` and on dual numbers (crate `costate-adjoint`), so that a derivative
//! is that of the very numbers a plain solve computes. Nothing here knows files, names, clocks or threads.

pub mod error;
pub mod method;
pub mod options;
pub mod scalar;
pub mod system;

pub use error::SolveError;
pub use method::{Method, Recorder, StepView};
pub use options::{ErrorNorm, Options, Statistics, Tolerance};
pub use scalar::{Comparison, Real, Scalar};
pub use system::{ImplicitSystem, Pattern, System};
