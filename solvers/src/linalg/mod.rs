//! Linear algebra for the implicit methods.

pub mod dense_lu;

pub use dense_lu::DenseLu;
