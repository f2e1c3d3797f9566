//! Derivatives of ODE solutions: dual numbers through the solver, and discrete adjoints of its steps.

pub mod system;

pub use system::{AdjointImplicitSystem, AdjointSystem};
