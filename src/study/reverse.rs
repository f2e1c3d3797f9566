//! The discrete adjoints of all methods behind one door.

use costate_adjoint::{
    AdjointError, AdjointHybrid, ExplicitAdjoint, RosenbrockAdjoint, Seeds, Tape,
};
use costate_solvers::Tableau;
use costate_solvers::explicit::{
    bs3, dop853, dopri5, euler, heun, midpoint, rk4, tsit5, vern7, vern9,
};
use costate_solvers::rosenbrock::{rodas3, rodas4, rodas5p, tableau};

use super::run::{Run, RunError};
use crate::compile::ModelSystem;
use crate::scenario::SolverMethod;

/// The backward sweep of some method, with its workspace.
trait AnyAdjoint {
    #[expect(clippy::too_many_arguments, reason = "a sweep's inputs and outputs")]
    fn sweep(
        &mut self,
        system: &mut ModelSystem<f64>,
        hybrid: &mut dyn AdjointHybrid,
        tape: &Tape,
        seeds: &Seeds<'_>,
        x0_bar: &mut [f64],
        p_bar: &mut [f64],
        times: Option<&mut [f64]>,
    ) -> Result<(), AdjointError>;
}

macro_rules! any_adjoint {
    ($($adjoint:ident of $tableau:path;)*) => {
        $(impl<T: $tableau> AnyAdjoint for $adjoint<T> {
            fn sweep(
                &mut self,
                system: &mut ModelSystem<f64>,
                hybrid: &mut dyn AdjointHybrid,
                tape: &Tape,
                seeds: &Seeds<'_>,
                x0_bar: &mut [f64],
                p_bar: &mut [f64],
                times: Option<&mut [f64]>,
            ) -> Result<(), AdjointError> {
                self.sweep(system, hybrid, tape, seeds, x0_bar, p_bar, times)
            }
        })*
    };
}
any_adjoint! {
    ExplicitAdjoint of Tableau;
    RosenbrockAdjoint of tableau::Tableau;
}

/// Whether there is a backward sweep over the steps of a method.
pub(super) fn reversible(method: SolverMethod) -> bool {
    any_adjoint(method).is_some()
}

fn any_adjoint(method: SolverMethod) -> Option<Box<dyn AnyAdjoint>> {
    fn explicit<T: Tableau>() -> Option<Box<dyn AnyAdjoint>> {
        Some(Box::new(ExplicitAdjoint::<T>::new(0)))
    }
    fn rosenbrock<T: tableau::Tableau>() -> Option<Box<dyn AnyAdjoint>> {
        Some(Box::new(RosenbrockAdjoint::<T>::new()))
    }
    match method {
        SolverMethod::Euler => explicit::<euler::Coefficients>(),
        SolverMethod::Midpoint => explicit::<midpoint::Coefficients>(),
        SolverMethod::Heun => explicit::<heun::Coefficients>(),
        SolverMethod::Rk4 => explicit::<rk4::Coefficients>(),
        SolverMethod::Bs3 => explicit::<bs3::Coefficients>(),
        SolverMethod::Dopri5 => explicit::<dopri5::Coefficients>(),
        SolverMethod::Tsit5 => explicit::<tsit5::Coefficients>(),
        SolverMethod::Dop853 => explicit::<dop853::Coefficients>(),
        SolverMethod::Vern7 => explicit::<vern7::Coefficients>(),
        SolverMethod::Vern9 => explicit::<vern9::Coefficients>(),
        SolverMethod::Rodas3 => rosenbrock::<rodas3::Coefficients>(),
        SolverMethod::Rodas4 => rosenbrock::<rodas4::Coefficients>(),
        SolverMethod::Rodas5p => rosenbrock::<rodas5p::Coefficients>(),
        _ => None,
    }
}

/// Backward sweeps, with the workspace of the method last swept.
#[derive(Default)]
pub struct Reverse {
    made: Option<(SolverMethod, Box<dyn AnyAdjoint>)>,
}

impl Reverse {
    /// A tape for the solves of a method: no more than its adjoint reads.
    pub fn tape(method: SolverMethod) -> Tape {
        match method.is_explicit() {
            true => Tape::sparse(),
            false => Tape::new(),
        }
    }

    /// Runs backward over the tape that the last solve of `run` by `method` recorded: overwrites `x0_bar`, adds to
    /// `p_bar`, the cotangent of the experiment's own parameters, and, where asked for, to those of the solve's times.
    #[expect(
        clippy::too_many_arguments,
        reason = "a sweep's inputs and outputs, borrowed one by one"
    )]
    pub fn sweep(
        &mut self,
        method: SolverMethod,
        run: &mut Run<f64>,
        tape: &Tape,
        seeds: &Seeds<'_>,
        x0_bar: &mut [f64],
        p_bar: &mut [f64],
        times: Option<&mut [f64]>,
    ) -> Result<(), RunError> {
        if self.made.as_ref().is_none_or(|(made, _)| *made != method) {
            self.made = any_adjoint(method).map(|any| (method, any));
        }
        let Some((_, any)) = &mut self.made else {
            return Err(RunError::NoSuchSolver(method.name()));
        };
        run.backward(method, |system, hybrid| {
            any.sweep(system, hybrid, tape, seeds, x0_bar, p_bar, times)
        })
    }
}
