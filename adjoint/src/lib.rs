//! Derivatives of ODE solutions: dual numbers through the solver, and discrete adjoints of its steps.

pub mod auto;
pub mod continuous;
pub mod dual;
pub mod esdirk;
pub mod explicit;
pub mod forward;
pub mod generic;
pub mod hybrid;
pub mod ledger;
mod matrix;
pub mod multistep;
pub mod radau;
mod readings;
pub mod rosenbrock;
pub mod sweep;
pub mod symplectic;
pub mod system;

pub use auto::AutoAdjoint;
pub use continuous::{ContinuousAdjoint, StiffContinuousAdjoint};
pub use dual::{Dual, DualOver};
pub use esdirk::EsdirkAdjoint;
pub use explicit::{ExplicitAdjoint, Tsit5Adjoint};
pub use forward::{DualObjective, gradient_by_differences, gradient_by_duals};
pub use generic::{Dynamics, Handwritten};
pub use hybrid::AdjointHybrid;
pub use ledger::{Checkpoint, Checkpoints, Ledger};
pub use multistep::MultistepAdjoint;
pub use radau::Radau5Adjoint;
pub use rosenbrock::{Rodas5PAdjoint, RosenbrockAdjoint};
pub use sweep::{Adjoint, AdjointError, Part, Seeds};
pub use symplectic::{ImplicitMidpointAdjoint, SplittingAdjoint};
pub use system::{AdjointImplicitSystem, AdjointSystem};

/// The record of a plain solve that a discrete adjoint runs backward over: t, h, states and stages of every
/// accepted step, (6 + (1 + s) n) numbers each with n states and s stored stages, and the marks of what happened
/// between them. Pass it as the recorder.
pub type Tape<S = f64> = costate_solvers::Trajectory<S>;
