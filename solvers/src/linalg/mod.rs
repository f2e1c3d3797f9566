//! Linear algebra for the implicit methods.

pub mod dense_lu;
pub mod field;
pub mod iteration_matrix;
pub(crate) mod null_space;

pub use dense_lu::DenseLu;
pub use field::Field;
pub use iteration_matrix::{IterationMatrix, LinearSolver};
