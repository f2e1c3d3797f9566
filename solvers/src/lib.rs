//! Solvers for ordinary differential equations x' = f(t, x), over any scalar.
//!
//! The same step code runs on `f64` and on dual numbers (crate `costate-adjoint`), so that a derivative
//! is that of the very numbers a plain solve computes. Nothing here knows files, names, clocks or threads.
//!
//! # A tour
//!
//! * A model implements [`System`] (and [`ImplicitSystem`] for stiff methods) over a [`Scalar`].
//! * A [`Method`] makes one step: [`Tsit5`] and its family ([`explicit`]) for systems that are not stiff,
//!   [`Rodas5P`] for those that are, the [`esdirk`] methods where Jacobians are dear, [`Radau5`] for high
//!   accuracy and mass matrices, [`multistep`] ones for many states, [`symplectic`] ones for mechanics over
//!   long times, [`AutoSwitch`] where nobody knows. It knows its error and its dense output, and publishes
//!   its tableau for the adjoints.
//! * An [`Integrator`] drives a method through stop times under error control ([`control`]), or along a
//!   recorded [`Mesh`] again, to the last bit. It owns every buffer: solves after the first allocate
//!   nothing.
//! * A [`method::Recorder`] watches: [`Samples`] at given times, a [`Mesh`] of step sizes, a [`Trajectory`]
//!   of everything, a [`StopFlag`], or a pair of them.
//! * [`linalg`] factors the matrices of implicit methods, dense, banded or sparse ([`IterationMatrix`]), or
//!   solves by products alone, as [`multistep`] and [`esdirk`] methods can ([`LinearSolver::Gmres`]); [`Coloring`] finds a sparse Jacobian from few products.
//! * A solve that cannot go on says where and why in a [`SolveError`]; no state, time or option makes it
//!   panic or hang.
//! * [`peers`] runs the solvers of the crate `ode_solvers` as an independent check.
//!
//! ```
//! use costate_solvers::{Integrator, Options, Samples, Scalar, System, Tsit5};
//!
//! struct Decay {
//!     rate: f64,
//! }
//!
//! impl<S: Scalar> System<S> for Decay {
//!     fn dim(&self) -> usize {
//!         1
//!     }
//!     fn rhs(&mut self, _t: S, x: &[S], dx: &mut [S]) {
//!         dx[0] = x[0] * -self.rate;
//!     }
//! }
//!
//! let mut system = Decay { rate: 2.0 };
//! let mut integrator = Integrator::<f64, Tsit5<f64>>::new(&system);
//! let mut samples = Samples::new(vec![0.25, 0.5])?;
//! let mut x = [1.0];
//! integrator.run(&mut system, &mut x, &[0.0, 1.0], &Options::default(), &mut samples)?;
//! assert!((samples.state(1)[0] - f64::exp(-1.0)).abs() < 1e-6);
//! assert!((x[0] - f64::exp(-2.0)).abs() < 1e-6);
//! # Ok::<(), costate_solvers::SolveError>(())
//! ```

pub mod auto;
pub mod consistent;
pub mod control;
pub mod equilibrium;
pub mod error;
pub mod esdirk;
pub mod events;
pub mod explicit;
pub mod history;
pub mod initial_step;
mod inside;
pub mod integrate;
pub mod linalg;
pub mod method;
pub mod multistep;
pub mod newton;
pub mod options;
pub mod peers;
pub mod radau;
pub mod record;
pub mod rosenbrock;
pub mod scalar;
pub mod symplectic;
pub mod system;

pub use auto::{AutoSwitch, Switch};
pub use equilibrium::Equilibrium;
pub use error::SolveError;
pub use esdirk::{KenCarp4, Kvaerno3, Kvaerno4, Kvaerno5, TrBdf2};
pub use events::{Action, Cause, Direction, Hybrid, NoEvents};
pub use explicit::{Bs3, Dop853, Dopri5, Euler, Heun, Midpoint, Rk4, Tableau, Tsit5, Vern7, Vern9};
pub use history::{History, Reading};
pub use integrate::{Integrator, Position, integrate, replay};
pub use linalg::{Coloring, DenseLu, IterationMatrix, LinearSolver, Preconditioner};
pub use method::{Method, Outcome, Recorder, StepView};
pub use multistep::{Bdf, Ndf};
pub use options::{ErrorNorm, Options, Statistics, Tolerance};
pub use radau::Radau5;
pub use record::{Mesh, MeshStep, NoRecord, Place, Samples, StopFlag, Trajectory};
pub use rosenbrock::{Rodas3, Rodas4, Rodas5P, Rosenbrock};
pub use scalar::{Comparison, Real, Scalar};
pub use symplectic::{ImplicitMidpoint, Verlet, Yoshida4, Yoshida6, Yoshida8};
pub use system::{ExplicitStages, ImplicitSystem, Mass, Pattern, System};
