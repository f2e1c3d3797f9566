//! Graphs made runnable: linear programs, an interpreter over any scalar, and native code.
//!
//! A [`Function`] computes chosen nodes of a [`crate::model::Graph`] from arrays of numbers. The road there:
//!
//! ```text
//! graph --(dead code out, depth-first order)--> Program --(registers)--> Interpreter   f64, Dual<N>, ...
//!                                                  \----(Cranelift)----> native code   f64
//! ```
//!
//! Outputs that hold arrays are loops (`mapped`), interpreted or compiled likewise.
//!
//! Both ends carry out the same operations in the same order of association, without fused multiply-adds,
//! and call the very same functions of the mathematical library, so that they agree to the last bit.

mod decided;
pub mod derived;
pub mod error;
mod explicit_step;
mod explicit_step_back;
pub mod function;
mod interpreter;
pub mod lags;
mod large_step;
mod mapped;
mod native;
mod program;
mod reinterpret;
mod rename;
pub mod rhs;
pub mod system;
mod team;

pub use derived::{Derived, ModelScalar, Sizes, Workspace};
pub use error::{CallError, CompileError};
pub use function::{Backend, Function, Output, Scratch};
pub use lags::{LagCode, PastRecorder, SharedPast};
pub use large_step::SHARED_STATES;
pub use rhs::{Linearization, RightHandSide};
pub use system::ModelSystem;
