//! Every method behind one door: a system with its integrator, chosen by name at run time.

use std::sync::Arc;

use costate_solvers::explicit::Tsit5;
use costate_solvers::record::Mesh;
use costate_solvers::rosenbrock::Rodas5P;
use costate_solvers::{Hybrid, Integrator, Method, Options, Recorder, SolveError, Statistics};

use super::equations::Equations;
use super::run::{RunError, implicit_system};
use crate::compile::{CallError, ModelScalar, ModelSystem};
use crate::scenario::SolverMethod;

/// A model with the integrator of some method.
pub(super) trait AnySolver<S: ModelScalar> {
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
}

/// A method's integrator beside the system it steps.
struct Stepped<S: ModelScalar, M> {
    system: ModelSystem<S>,
    integrator: Integrator<S, M>,
}

impl<S: ModelScalar, M: Method<S, ModelSystem<S>>> AnySolver<S> for Stepped<S, M> {
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
}

fn boxed<S: ModelScalar, M: Method<S, ModelSystem<S>> + 'static>(
    system: ModelSystem<S>,
) -> Box<dyn AnySolver<S>> {
    let integrator = Integrator::<S, M>::new(&system);
    Box::new(Stepped { system, integrator })
}

/// The solver of a method for the equations.
pub(super) fn any_solver<S: ModelScalar>(
    method: SolverMethod,
    equations: &Equations,
) -> Result<Box<dyn AnySolver<S>>, RunError> {
    let explicit = || match equations.mass {
        None => Ok(ModelSystem::explicit(Arc::clone(&equations.rhs))),
        Some(_) => Err(RunError::NoMass(method.name())),
    };
    Ok(match method {
        SolverMethod::Tsit5 => boxed::<S, Tsit5<S>>(explicit()?),
        SolverMethod::Rodas5p => boxed::<S, Rodas5P<S>>(implicit_system(equations)?),
        _ => return Err(RunError::NoSuchSolver(method.name())),
    })
}
