//! The discrete adjoints of all methods behind one door.

use costate_adjoint::sweep::Reverse as Kernel;
use costate_adjoint::{
    Adjoint, AdjointError, AdjointHybrid, AutoAdjoint, EsdirkAdjoint, ExplicitAdjoint,
    ImplicitMidpointAdjoint, MultistepAdjoint, Radau5Adjoint, RosenbrockAdjoint, Seeds,
    SplittingAdjoint, Tape,
};
use costate_solvers::Tableau;
use costate_solvers::esdirk::{
    Tableau as Esdirk, kencarp4::KenCarp4Tableau, kvaerno3::Kvaerno3Tableau,
    kvaerno4::Kvaerno4Tableau, kvaerno5::Kvaerno5Tableau, tr_bdf2::TrBdf2Tableau,
};
use costate_solvers::explicit::{
    bs3, dop853, dopri5, euler, heun, midpoint, rk4, tsit5, vern7, vern9,
};
use costate_solvers::multistep::{BackwardDifferentiation, Formula, NumericalDifferentiation};
use costate_solvers::rosenbrock::{rodas3, rodas4, rodas5p, tableau};
use costate_solvers::symplectic::{Composition, verlet, yoshida4, yoshida6, yoshida8};

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

impl<K: Kernel<ModelSystem<f64>>> AnyAdjoint for Adjoint<K> {
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
}

/// Whether there is a backward sweep over the steps of a method.
pub(super) fn reversible(method: SolverMethod) -> bool {
    !matches!(
        method,
        SolverMethod::OdeSolversDopri5 | SolverMethod::OdeSolversDop853
    )
}

fn any_adjoint(method: SolverMethod) -> Option<Box<dyn AnyAdjoint>> {
    fn explicit<T: Tableau>() -> Option<Box<dyn AnyAdjoint>> {
        Some(Box::new(ExplicitAdjoint::<T>::default()))
    }
    fn rosenbrock<T: tableau::Tableau>() -> Option<Box<dyn AnyAdjoint>> {
        Some(Box::new(RosenbrockAdjoint::<T>::default()))
    }
    fn esdirk<T: Esdirk>() -> Option<Box<dyn AnyAdjoint>> {
        Some(Box::new(EsdirkAdjoint::<T>::default()))
    }
    fn multistep<V: Formula + 'static>() -> Option<Box<dyn AnyAdjoint>> {
        Some(Box::new(MultistepAdjoint::<V>::default()))
    }
    fn splitting<C: Composition>() -> Option<Box<dyn AnyAdjoint>> {
        Some(Box::new(SplittingAdjoint::<C>::default()))
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
        SolverMethod::TrBdf2 => esdirk::<TrBdf2Tableau>(),
        SolverMethod::Kvaerno3 => esdirk::<Kvaerno3Tableau>(),
        SolverMethod::Kvaerno4 => esdirk::<Kvaerno4Tableau>(),
        SolverMethod::Kvaerno5 => esdirk::<Kvaerno5Tableau>(),
        SolverMethod::KenCarp4 => esdirk::<KenCarp4Tableau>(),
        SolverMethod::Radau5 => Some(Box::new(Radau5Adjoint::default())),
        SolverMethod::Verlet => splitting::<verlet::Weights>(),
        SolverMethod::Yoshida4 => splitting::<yoshida4::Weights>(),
        SolverMethod::Yoshida6 => splitting::<yoshida6::Weights>(),
        SolverMethod::Yoshida8 => splitting::<yoshida8::Weights>(),
        SolverMethod::ImplicitMidpoint => Some(Box::new(ImplicitMidpointAdjoint::default())),
        SolverMethod::Auto => Some(Box::new(AutoAdjoint::default())),
        SolverMethod::Bdf => multistep::<BackwardDifferentiation>(),
        SolverMethod::Ndf => multistep::<NumericalDifferentiation>(),
        SolverMethod::OdeSolversDopri5 | SolverMethod::OdeSolversDop853 => None,
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
