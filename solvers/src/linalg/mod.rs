//! Linear algebra for the implicit methods.
//!
//! [`IterationMatrix`] is the one they use: W = shift M - J over [`DenseLu`], [`BandedLu`] or [`SparseLu`],
//! each of which can be used by itself, over the real or the complex field ([`Field`]), for right-hand sides
//! over any scalar ([`Over`]). [`Gmres`] solves without a matrix, preconditioned by [`Ilu0`] or
//! [`BlockJacobi`]; [`Krylov`] makes it the solver of a Newton iteration, and [`NewtonMatrix`] is that or factors. [`Coloring`] says how few products give a sparse Jacobian.

pub mod banded_lu;
pub mod block_jacobi;
pub mod coloring;
pub mod dense_lu;
pub mod field;
pub mod gmres;
pub mod ilu0;
pub mod iteration_matrix;
pub mod krylov;
pub mod newton_matrix;
pub(crate) mod null_space;
pub mod sparse_lu;

pub use banded_lu::BandedLu;
pub use block_jacobi::BlockJacobi;
pub use coloring::Coloring;
pub use dense_lu::DenseLu;
pub use field::{Field, Over};
pub use gmres::{Gmres, GmresOptions, GmresOutcome};
pub use ilu0::Ilu0;
pub use iteration_matrix::{IterationMatrix, LinearSolver, Preconditioner};
pub use krylov::Krylov;
pub use newton_matrix::NewtonMatrix;
pub use sparse_lu::SparseLu;
