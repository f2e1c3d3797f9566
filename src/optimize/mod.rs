//! Local optimizers inside bounds, and many starts of them.

pub mod problem;

pub use problem::{EvaluationError, LeastSquares, Problem};
