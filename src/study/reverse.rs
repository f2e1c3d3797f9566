//! The discrete adjoints of all methods behind one door.

use costate_adjoint::sweep::Reverse as Kernel;
use costate_adjoint::{
    Adjoint, AdjointError, AdjointHybrid, AutoAdjoint, Checkpoints, ContinuousAdjoint,
    EsdirkAdjoint, ExplicitAdjoint, ImplicitMidpointAdjoint, Ledger, MultistepAdjoint, Part,
    Radau5Adjoint, Rodas5PAdjoint, RosenbrockAdjoint, Seeds, SplittingAdjoint,
    StiffContinuousAdjoint, Tape, Tsit5Adjoint, continuous,
};
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
use costate_solvers::{Mesh, Position, Tableau};

use super::Solving;
use super::any_solver::StudyScalar;
use super::run::{Run, RunError};
use crate::compile::ModelSystem;
use crate::scenario::SolverMethod;

/// The backward sweep of some method, with its workspace.
pub trait AnyAdjoint<S: StudyScalar> {
    /// [`Adjoint::begin`].
    fn begin(
        &mut self,
        system: &ModelSystem<S>,
        seeds: &Seeds<'_, S>,
        moving: bool,
    ) -> Result<(), AdjointError>;
    /// [`Adjoint::segment`].
    fn segment(
        &mut self,
        system: &mut ModelSystem<S>,
        hybrid: &mut dyn AdjointHybrid<S>,
        part: Part<'_, S>,
        seeds: &Seeds<'_, S>,
        p_bar: &mut [S],
        times: Option<&mut [S]>,
    ) -> Result<(), AdjointError>;
    /// [`Adjoint::finish`].
    fn finish(
        &mut self,
        system: &mut ModelSystem<S>,
        seeds: &Seeds<'_, S>,
        x0_bar: &mut [S],
        p_bar: &mut [S],
    ) -> Result<(), AdjointError>;
}

impl<S: StudyScalar, K: Kernel<ModelSystem<S>, S>> AnyAdjoint<S> for Adjoint<K, S> {
    fn begin(
        &mut self,
        system: &ModelSystem<S>,
        seeds: &Seeds<'_, S>,
        moving: bool,
    ) -> Result<(), AdjointError> {
        self.begin(system, seeds, moving)
    }

    fn segment(
        &mut self,
        system: &mut ModelSystem<S>,
        hybrid: &mut dyn AdjointHybrid<S>,
        part: Part<'_, S>,
        seeds: &Seeds<'_, S>,
        p_bar: &mut [S],
        times: Option<&mut [S]>,
    ) -> Result<(), AdjointError> {
        self.segment(system, hybrid, part, seeds, p_bar, times)
    }

    fn finish(
        &mut self,
        system: &mut ModelSystem<S>,
        seeds: &Seeds<'_, S>,
        x0_bar: &mut [S],
        p_bar: &mut [S],
    ) -> Result<(), AdjointError> {
        self.finish(system, seeds, x0_bar, p_bar)
    }
}

/// Whether there is a backward sweep over the steps of a method.
pub(super) fn reversible(method: SolverMethod) -> bool {
    !matches!(
        method,
        SolverMethod::OdeSolversDopri5 | SolverMethod::OdeSolversDop853
    )
}

/// Whether a part of a solve can be repeated to the last bit from the states at its start.
pub(super) fn repeats_exactly(method: SolverMethod) -> bool {
    use SolverMethod as M;
    let iterates = [
        M::TrBdf2,
        M::Kvaerno3,
        M::Kvaerno4,
        M::Kvaerno5,
        M::KenCarp4,
        M::Radau5,
        M::Bdf,
        M::Ndf,
    ];
    !iterates.contains(&method)
}

/// A backward sweep, if there is one.
pub(super) type SomeAdjoint<S> = Option<Box<dyn AnyAdjoint<S>>>;

/// The adjoints of the methods of the hot path.
pub(super) fn hot_adjoint<S: StudyScalar>(method: SolverMethod) -> SomeAdjoint<S> {
    match method {
        SolverMethod::Tsit5 => Some(Box::new(Tsit5Adjoint::<S>::default())),
        SolverMethod::Rodas5p => Some(Box::new(Rodas5PAdjoint::<S>::default())),
        _ => None,
    }
}

/// The adjoint of any method that has one.
pub(super) fn any_adjoint<S: StudyScalar>(method: SolverMethod) -> SomeAdjoint<S> {
    fn explicit<S: StudyScalar, T: Tableau>() -> SomeAdjoint<S> {
        Some(Box::new(ExplicitAdjoint::<T, S>::default()))
    }
    fn rosenbrock<S: StudyScalar, T: tableau::Tableau>() -> SomeAdjoint<S> {
        Some(Box::new(RosenbrockAdjoint::<T, S>::default()))
    }
    fn esdirk<S: StudyScalar, T: Esdirk>() -> SomeAdjoint<S> {
        Some(Box::new(EsdirkAdjoint::<T, S>::default()))
    }
    fn multistep<S: StudyScalar, V: Formula + 'static>() -> SomeAdjoint<S> {
        Some(Box::new(MultistepAdjoint::<V, S>::default()))
    }
    fn splitting<S: StudyScalar, C: Composition>() -> SomeAdjoint<S> {
        Some(Box::new(SplittingAdjoint::<C, S>::default()))
    }
    match method {
        SolverMethod::Euler => explicit::<S, euler::Coefficients>(),
        SolverMethod::Midpoint => explicit::<S, midpoint::Coefficients>(),
        SolverMethod::Heun => explicit::<S, heun::Coefficients>(),
        SolverMethod::Rk4 => explicit::<S, rk4::Coefficients>(),
        SolverMethod::Bs3 => explicit::<S, bs3::Coefficients>(),
        SolverMethod::Dopri5 => explicit::<S, dopri5::Coefficients>(),
        SolverMethod::Tsit5 => explicit::<S, tsit5::Coefficients>(),
        SolverMethod::Dop853 => explicit::<S, dop853::Coefficients>(),
        SolverMethod::Vern7 => explicit::<S, vern7::Coefficients>(),
        SolverMethod::Vern9 => explicit::<S, vern9::Coefficients>(),
        SolverMethod::Rodas3 => rosenbrock::<S, rodas3::Coefficients>(),
        SolverMethod::Rodas4 => rosenbrock::<S, rodas4::Coefficients>(),
        SolverMethod::Rodas5p => rosenbrock::<S, rodas5p::Coefficients>(),
        SolverMethod::TrBdf2 => esdirk::<S, TrBdf2Tableau>(),
        SolverMethod::Kvaerno3 => esdirk::<S, Kvaerno3Tableau>(),
        SolverMethod::Kvaerno4 => esdirk::<S, Kvaerno4Tableau>(),
        SolverMethod::Kvaerno5 => esdirk::<S, Kvaerno5Tableau>(),
        SolverMethod::KenCarp4 => esdirk::<S, KenCarp4Tableau>(),
        SolverMethod::Radau5 => Some(Box::new(Radau5Adjoint::<S>::default())),
        SolverMethod::Verlet => splitting::<S, verlet::Weights>(),
        SolverMethod::Yoshida4 => splitting::<S, yoshida4::Weights>(),
        SolverMethod::Yoshida6 => splitting::<S, yoshida6::Weights>(),
        SolverMethod::Yoshida8 => splitting::<S, yoshida8::Weights>(),
        SolverMethod::ImplicitMidpoint => Some(Box::new(ImplicitMidpointAdjoint::<S>::default())),
        SolverMethod::Auto => Some(Box::new(AutoAdjoint::<S>::default())),
        SolverMethod::Bdf => multistep::<S, BackwardDifferentiation>(),
        SolverMethod::Ndf => multistep::<S, NumericalDifferentiation>(),
        SolverMethod::OdeSolversDopri5 | SolverMethod::OdeSolversDop853 => None,
    }
}

/// The adjoint of the solution that a method found, at the tolerance it was found at: lambda by an explicit method where
/// that one is.
pub(super) fn continuous_adjoint(method: SolverMethod, rtol: f64) -> Box<dyn AnyAdjoint<f64>> {
    let rtol = rtol.max(1e-13);
    use SolverMethod as M;
    let splits = matches!(method, M::Verlet | M::Yoshida4 | M::Yoshida6 | M::Yoshida8);
    match method.is_explicit() || splits {
        true => Box::new(ContinuousAdjoint::from(continuous::Kernel::new(rtol))),
        false => Box::new(StiffContinuousAdjoint::from(continuous::Kernel::new(rtol))),
    }
}

/// A method whose steps are swept, or along whose solution at a relative tolerance.
type SweptBy = (SolverMethod, Option<f64>);

/// Backward sweeps, with the workspace of the method last swept.
pub struct Reverse<S> {
    made: Option<(SweptBy, Box<dyn AnyAdjoint<S>>)>,
    /// cotangents of the parameters and of what is prepared from them
    all: Vec<S>,
}

impl<S> Default for Reverse<S> {
    fn default() -> Self {
        Self {
            made: None,
            all: Vec::new(),
        }
    }
}

impl<S: StudyScalar> Reverse<S> {
    /// A record for the solves of a method, within so many bytes: no more than its adjoint reads.
    pub fn ledger(solving: &Solving) -> Ledger<S> {
        let tape = match solving.stepper.is_explicit() && !solving.continuous {
            true => Tape::sparse(),
            false => Tape::new(),
        };
        Ledger::new(solving.memory.unwrap_or(usize::MAX), tape)
    }

    /// Runs backward over the record of the last solve of `run`: overwrites `x0_bar`, adds to `p_bar`, the cotangent of
    /// the experiment's own parameters, and, where asked for, to those of the solve's times.
    #[expect(
        clippy::too_many_arguments,
        reason = "a sweep's inputs and outputs, borrowed one by one"
    )]
    pub fn sweep(
        &mut self,
        solving: &Solving,
        run: &mut Run<S>,
        ledger: &mut Ledger<S>,
        seeds: &Seeds<'_, S>,
        x0_bar: &mut [S],
        p_bar: &mut [S],
        times: Option<&mut [S]>,
    ) -> Result<(), RunError> {
        let method = solving.stepper;
        let continuous = solving.continuous.then_some(solving.options.rtol);
        let of = (method, continuous);
        if self.made.as_ref().is_none_or(|(made, _)| *made != of) {
            let any = match continuous {
                Some(rtol) => S::continuous_adjoint(method, rtol),
                None => S::any_adjoint(method),
            };
            self.made = any.map(|any| (of, any));
        }
        let Some((_, any)) = &mut self.made else {
            return Err(RunError::NoSuchSolver(method.name()));
        };
        let any = any.as_mut();
        let count = run.all_parameters();
        if count == p_bar.len() {
            return back(any, solving, run, ledger, seeds, x0_bar, p_bar, times);
        }
        self.all.clear();
        self.all.resize(count, S::from(0.0));
        let all = &mut self.all;
        back(any, solving, run, ledger, seeds, x0_bar, all, times)?;
        run.backward(method, |system, _| {
            system.pull_back_parameters(all, p_bar);
            Ok(())
        })
    }
}

/// The sweep, to cotangents of all that f reads of the parameters.
#[expect(clippy::too_many_arguments, reason = "those of `Reverse::sweep`")]
fn back<S: StudyScalar>(
    any: &mut dyn AnyAdjoint<S>,
    solving: &Solving,
    run: &mut Run<S>,
    ledger: &mut Ledger<S>,
    seeds: &Seeds<'_, S>,
    x0_bar: &mut [S],
    p_bar: &mut [S],
    times: Option<&mut [S]>,
) -> Result<(), RunError> {
    let method = solving.stepper;
    let moving = times.is_some() || ledger.reaches_roots();
    if let Some(tape) = ledger.tape() {
        return run.backward(method, |system, hybrid| {
            any.begin(system, seeds, moving)?;
            any.segment(system, hybrid, tape.into(), seeds, p_bar, times)?;
            any.finish(system, seeds, x0_bar, p_bar)
        });
    }
    run.backward(method, |system, _| any.begin(system, seeds, moving))?;
    let (room, most) = ledger.room();
    let (mesh, start, checkpoints, tape) = ledger.parts();
    let mut parts = Parts {
        any,
        solving,
        run,
        mesh,
        start,
        tape,
        room,
        most,
        seeds,
        p_bar,
        times,
    };
    parts.reverse(checkpoints, mesh.steps.len())?;
    let Parts {
        any, run, p_bar, ..
    } = parts;
    run.backward(method, |system, _| any.finish(system, seeds, x0_bar, p_bar))
}

/// A solve that is swept part by part, each solved again.
struct Parts<'a, S: StudyScalar> {
    any: &'a mut dyn AnyAdjoint<S>,
    solving: &'a Solving,
    run: &'a mut Run<S>,
    mesh: &'a Mesh,
    /// states at the very start
    start: &'a [S],
    tape: &'a mut Tape<S>,
    /// steps that the tape has room for
    room: usize,
    /// checkpoints that a part may have of its own
    most: usize,
    seeds: &'a Seeds<'a, S>,
    p_bar: &'a mut [S],
    times: Option<&'a mut [S]>,
}

impl<S: StudyScalar> Parts<'_, S> {
    /// Takes the sweep from `end` back to the first of the checkpoints.
    fn reverse(&mut self, checkpoints: &Checkpoints<S>, end: usize) -> Result<(), RunError> {
        let method = self.solving.stepper;
        for (i, point) in checkpoints.list.iter().enumerate().rev() {
            let (first, until) = (point.at.step, checkpoints.end(i, end));
            // what happened before the first step belongs to it
            let from = match first {
                0 => (Position::default(), self.run.times[0], self.start),
                _ => (point.at, point.t, &point.x[..]),
            };
            let steps = until - first;
            let options = &self.solving.options;
            if steps > self.room {
                let spacing = self.room.max(steps.div_ceil(self.most));
                let mut own = Checkpoints::new(from.0, spacing, self.most.max(3));
                self.run
                    .resume(method, options, self.mesh, from, until, &mut own)?;
                self.reverse(&own, until)?;
                continue;
            }
            self.run
                .resume(method, options, self.mesh, from, until, &mut *self.tape)?;
            let before = first.checked_sub(1).map(|last| &self.mesh.steps[last]);
            let part = Part {
                tape: self.tape,
                first_step: first,
                first_mark: from.0.act,
                // (methods that repeat exactly do not ask how the size before moved)
                before: before.map(|step| (step.mode, S::from(step.h))),
            };
            let (any, seeds) = (&mut *self.any, self.seeds);
            let (p_bar, times) = (&mut *self.p_bar, self.times.as_deref_mut());
            self.run.backward(method, |system, hybrid| {
                any.segment(system, hybrid, part, seeds, p_bar, times)
            })?;
        }
        Ok(())
    }
}
