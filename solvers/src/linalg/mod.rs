//! Linear algebra for the implicit methods.

pub mod dense_lu;
pub mod field;
pub mod sparse_lu;

pub use dense_lu::DenseLu;
pub use field::{Field, Over};
pub use sparse_lu::SparseLu;
