//! Every method behind one door: a system with its integrator, chosen by name at run time.

use std::sync::Arc;

use costate_adjoint::{Dual, DualOver};
use costate_solvers::{
    AutoSwitch, Bdf, Bs3, Dop853, Dopri5, Euler, Heun, Hybrid, ImplicitMidpoint, Integrator,
    KenCarp4, Kvaerno3, Kvaerno4, Kvaerno5, Mesh, Method, Midpoint, Ndf, Options, Position, Radau5,
    Recorder, Rk4, Rodas3, Rodas4, Rodas5P, SolveError, Statistics, Switch, TrBdf2, Tsit5, Verlet,
    Vern7, Vern9, Yoshida4, Yoshida6, Yoshida8,
};

use super::equations::Equations;
use super::reverse::{SomeAdjoint, any_adjoint, continuous_adjoint, hot_adjoint};
use super::run::{RunError, implicit_system, with_lags};
use crate::compile::{CallError, ModelScalar, ModelSystem};
use crate::scenario::SolverMethod;

/// A model with the integrator of some method.
pub trait AnySolver<S: ModelScalar>: Send {
    /// Sets the parameters.
    fn set_parameters(&mut self, p: &[S]) -> Result<(), CallError>;
    /// [`Integrator::run_hybrid`].
    fn run(
        &mut self,
        x: &mut [S],
        times: &[S],
        options: &Options,
        recorder: &mut dyn Recorder<S>,
        hybrid: &mut dyn Hybrid<S>,
    ) -> Result<Statistics, SolveError>;
    /// The model, as the solver steps it.
    fn system(&mut self) -> &mut ModelSystem<S>;
    /// The changes between the methods of `auto` on the last solve.
    fn switches(&self) -> &[Switch];
    /// [`Integrator::replay_hybrid`].
    fn replay(
        &mut self,
        x: &mut [S],
        times: &[S],
        mesh: &Mesh,
        options: &Options,
        recorder: &mut dyn Recorder<S>,
        hybrid: &mut dyn Hybrid<S>,
    ) -> Result<Statistics, SolveError>;
    /// [`Integrator::resume`].
    #[expect(clippy::too_many_arguments, reason = "those of `Integrator::resume`")]
    fn resume(
        &mut self,
        at: (S, &mut [S]),
        times: &[S],
        mesh: &Mesh,
        part: (Position, usize),
        options: &Options,
        recorder: &mut dyn Recorder<S>,
        hybrid: &mut dyn Hybrid<S>,
    ) -> Result<Statistics, SolveError>;
}

/// A method's integrator beside the system it steps.
struct Stepped<S: ModelScalar, M> {
    system: ModelSystem<S>,
    integrator: Integrator<S, M>,
}

impl<S: ModelScalar, M: Method<S, ModelSystem<S>> + Send> AnySolver<S> for Stepped<S, M> {
    fn set_parameters(&mut self, p: &[S]) -> Result<(), CallError> {
        self.system.set_parameters(p)
    }

    fn run(
        &mut self,
        x: &mut [S],
        times: &[S],
        options: &Options,
        recorder: &mut dyn Recorder<S>,
        hybrid: &mut dyn Hybrid<S>,
    ) -> Result<Statistics, SolveError> {
        self.integrator
            .run_hybrid(&mut self.system, x, times, options, recorder, hybrid)
    }

    fn system(&mut self) -> &mut ModelSystem<S> {
        &mut self.system
    }

    fn switches(&self) -> &[Switch] {
        self.integrator.method().switches()
    }

    fn replay(
        &mut self,
        x: &mut [S],
        times: &[S],
        mesh: &Mesh,
        options: &Options,
        recorder: &mut dyn Recorder<S>,
        hybrid: &mut dyn Hybrid<S>,
    ) -> Result<Statistics, SolveError> {
        let system = &mut self.system;
        self.integrator
            .replay_hybrid(system, x, times, mesh, options, recorder, hybrid)
    }

    fn resume(
        &mut self,
        at: (S, &mut [S]),
        times: &[S],
        mesh: &Mesh,
        part: (Position, usize),
        options: &Options,
        recorder: &mut dyn Recorder<S>,
        hybrid: &mut dyn Hybrid<S>,
    ) -> Result<Statistics, SolveError> {
        let system = &mut self.system;
        self.integrator
            .resume(system, at, times, mesh, part, options, recorder, hybrid)
    }
}

fn boxed<S: ModelScalar, M: Method<S, ModelSystem<S>> + Send + 'static>(
    mut system: ModelSystem<S>,
    p: &[S],
) -> Result<Box<dyn AnySolver<S>>, RunError> {
    // a mass matrix has its values before a method looks at it
    system.set_parameters(p)?;
    let integrator = Integrator::<S, M>::new(&system);
    Ok(Box::new(Stepped { system, integrator }))
}

/// Scalars that studies run on. Every method is made for plain numbers and for dual numbers of [`ANY_WIDTH`]
/// directions; the other widths serve the hot path of the default methods alone, as each is machine code of its own.
pub trait StudyScalar: ModelScalar {
    /// The solver of a method for the equations at parameters `p`.
    fn any_solver(
        method: SolverMethod,
        equations: &Equations,
        p: &[Self],
    ) -> Result<Box<dyn AnySolver<Self>>, RunError>;
    /// The backward sweep over the steps of a method, if there is one for this scalar.
    fn any_adjoint(method: SolverMethod) -> SomeAdjoint<Self>;
    /// The adjoint of the solution that a method found at a relative tolerance: for plain numbers alone.
    fn continuous_adjoint(method: SolverMethod, rtol: f64) -> SomeAdjoint<Self> {
        let _ = (method, rtol);
        None
    }
}

/// Directions of the dual numbers that run through any method.
pub const ANY_WIDTH: usize = 8;
/// Second derivatives: in one direction, and that and [`ANY_WIDTH`] others.
pub type Second = DualOver<Dual<ANY_WIDTH>, 1>;

macro_rules! study_scalars {
    ($($scalar:ty: $make:expr, $adjoint:expr $(, $continuous:expr)?;)*) => {
        $(impl StudyScalar for $scalar {
            fn any_solver(
                method: SolverMethod,
                equations: &Equations,
                p: &[Self],
            ) -> Result<Box<dyn AnySolver<Self>>, RunError> {
                $make(method, equations, p)
            }

            fn any_adjoint(method: SolverMethod) -> SomeAdjoint<Self> {
                $adjoint(method)
            }

            $(fn continuous_adjoint(method: SolverMethod, rtol: f64) -> SomeAdjoint<Self> {
                Some($continuous(method, rtol))
            })?
        })*
    };
}
study_scalars! {
    f64: any_solver, any_adjoint, continuous_adjoint;
    Dual<ANY_WIDTH>: any_solver, any_adjoint;
    Dual<1>: no_solver, hot_adjoint;
    Dual<2>: no_solver, no_adjoint;
    Dual<4>: no_solver, no_adjoint;
    Second: any_solver, no_adjoint;
}

fn no_solver<S: ModelScalar>(
    method: SolverMethod,
    _equations: &Equations,
    _p: &[S],
) -> Result<Box<dyn AnySolver<S>>, RunError> {
    Err(RunError::NoSuchSolver(method.name()))
}

fn no_adjoint<S: StudyScalar>(_method: SolverMethod) -> SomeAdjoint<S> {
    None
}

/// The solver of a method for the equations.
fn any_solver<S: ModelScalar>(
    method: SolverMethod,
    equations: &Equations,
    p: &[S],
) -> Result<Box<dyn AnySolver<S>>, RunError> {
    let explicit = || match equations.mass {
        None => {
            let system = ModelSystem::explicit(Arc::clone(&equations.rhs));
            Ok(with_lags(system, equations))
        }
        Some(_) => Err(RunError::NoMass(method.name())),
    };
    let implicit = || implicit_system(equations, method);
    match method {
        SolverMethod::Auto => boxed::<S, AutoSwitch<S>>(implicit()?, p),
        SolverMethod::Euler => boxed::<S, Euler<S>>(explicit()?, p),
        SolverMethod::Midpoint => boxed::<S, Midpoint<S>>(explicit()?, p),
        SolverMethod::Heun => boxed::<S, Heun<S>>(explicit()?, p),
        SolverMethod::Rk4 => boxed::<S, Rk4<S>>(explicit()?, p),
        SolverMethod::Bs3 => boxed::<S, Bs3<S>>(explicit()?, p),
        SolverMethod::Dopri5 => boxed::<S, Dopri5<S>>(explicit()?, p),
        SolverMethod::Tsit5 => boxed::<S, Tsit5<S>>(explicit()?, p),
        SolverMethod::Dop853 => boxed::<S, Dop853<S>>(explicit()?, p),
        SolverMethod::Vern7 => boxed::<S, Vern7<S>>(explicit()?, p),
        SolverMethod::Vern9 => boxed::<S, Vern9<S>>(explicit()?, p),
        SolverMethod::Rodas3 => boxed::<S, Rodas3<S>>(implicit()?, p),
        SolverMethod::Rodas4 => boxed::<S, Rodas4<S>>(implicit()?, p),
        SolverMethod::Rodas5p => boxed::<S, Rodas5P<S>>(implicit()?, p),
        SolverMethod::TrBdf2 => boxed::<S, TrBdf2<S>>(implicit()?, p),
        SolverMethod::Kvaerno3 => boxed::<S, Kvaerno3<S>>(implicit()?, p),
        SolverMethod::Kvaerno4 => boxed::<S, Kvaerno4<S>>(implicit()?, p),
        SolverMethod::Kvaerno5 => boxed::<S, Kvaerno5<S>>(implicit()?, p),
        SolverMethod::KenCarp4 => boxed::<S, KenCarp4<S>>(implicit()?, p),
        SolverMethod::Radau5 => boxed::<S, Radau5<S>>(implicit()?, p),
        SolverMethod::Verlet => boxed::<S, Verlet<S>>(implicit()?, p),
        SolverMethod::Yoshida4 => boxed::<S, Yoshida4<S>>(implicit()?, p),
        SolverMethod::Yoshida6 => boxed::<S, Yoshida6<S>>(implicit()?, p),
        SolverMethod::Yoshida8 => boxed::<S, Yoshida8<S>>(implicit()?, p),
        SolverMethod::ImplicitMidpoint => boxed::<S, ImplicitMidpoint<S>>(implicit()?, p),
        SolverMethod::Bdf => boxed::<S, Bdf<S>>(implicit()?, p),
        SolverMethod::Ndf => boxed::<S, Ndf<S>>(implicit()?, p),
        SolverMethod::OdeSolversDopri5 | SolverMethod::OdeSolversDop853 => {
            Err(RunError::NoSuchSolver(method.name()))
        }
    }
}
