//! Solvers for ordinary differential equations x' = f(t, x), over any scalar.
//!
//! The same step code runs on `f64` and on dual numbers (crate `costate-adjoint`), so that a derivative
//! is that of the very numbers a plain solve computes. Nothing here knows files, names, clocks or threads.
//!
//! # A tour
//!
//! * A model implements [`System`] (and [`ImplicitSystem`] for stiff methods) over a [`Scalar`].
//! * A [`Method`] makes one step: [`Tsit5`] for systems that are not stiff, [`Rodas5P`] for those that are,
//!   the multistep methods [`Bdf`] and [`Ndf`] for stiff ones that are large or smooth.
//!   It knows its error and its dense output, and publishes its tableau for the adjoints.
//! * An [`Integrator`] drives a method through stop times under error control ([`control`]), or along a
//!   recorded [`Mesh`] again, to the last bit. It owns every buffer: solves after the first allocate
//!   nothing.
//! * A [`method::Recorder`] watches: [`Samples`] at given times, a [`Mesh`] of step sizes, a [`Trajectory`]
//!   of everything, a [`StopFlag`], or a pair of them.
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

pub mod control;
pub mod error;
pub mod explicit;
pub mod initial_step;
pub mod integrate;
pub mod linalg;
pub mod method;
pub mod multistep;
pub mod options;
pub mod peers;
pub mod record;
pub mod rosenbrock;
pub mod scalar;
pub mod system;

pub use error::SolveError;
pub use explicit::Tsit5;
pub use integrate::{Integrator, integrate, replay};
pub use linalg::{DenseLu, IterationMatrix, LinearSolver};
pub use method::{Method, Outcome, Recorder, StepView};
pub use multistep::{Bdf, Ndf};
pub use options::{ErrorNorm, Options, Statistics, Tolerance};
pub use record::{Mesh, MeshStep, NoRecord, Place, Samples, StopFlag, Trajectory};
pub use rosenbrock::Rodas5P;
pub use scalar::{Comparison, Real, Scalar};
pub use system::{ImplicitSystem, Mass, Pattern, System};
