//! One experiment's solve over any scalar: parameters in, samples out, buffers kept.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use costate_solvers::explicit::tsit5::Tsit5;
use costate_solvers::peers::{self, Peer, PeerSolution};
use costate_solvers::record::{Mesh, StopFlag};
use costate_solvers::rosenbrock::rodas5p::Rodas5P;
use costate_solvers::{Integrator, Options, Recorder, SolveError, Statistics};

use thiserror::Error;

use super::equations::Equations;
use crate::compile::{CallError, CompileError, ModelScalar, ModelSystem, Workspace};

/// A one-step method of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stepper {
    /// explicit, for non-stiff systems
    Tsit5,
    /// linearly implicit, for stiff ones
    Rodas5p,
}

impl Stepper {
    /// Its name in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tsit5 => "tsit5",
            Self::Rodas5p => "rodas5p",
        }
    }
}

/// Why a run ended early; a study adds the names.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum RunError {
    /// the solver's account
    #[error(transparent)]
    Solve(#[from] SolveError),
    /// a function could not be compiled
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// arrays did not fit a function
    #[error(transparent)]
    Call(#[from] CallError),
}

/// A reusable solve: a system with its integrator and buffers.
pub struct Run<S: ModelScalar> {
    equations: Arc<Equations>,
    workspace: Workspace<S>,
    explicit: Option<Explicit<S>>,
    implicit: Option<Implicit<S>>,
    /// the experiment's parameters
    pub parameters: Vec<S>,
    /// initial states, then final ones
    pub x: Vec<S>,
    /// start, stop times, end
    pub times: Vec<S>,
    /// for each inner entry of `times`, the model's stop it came from and its repeat
    pub stop_of: Vec<(usize, f64)>,
    stops: Vec<S>,
    /// where cotangents of states go that nobody reads
    unread: Vec<f64>,
}

impl<S: ModelScalar> Run<S> {
    /// Buffers for a scenario's equations.
    pub fn new(equations: &Arc<Equations>) -> Self {
        Self {
            explicit: None,
            implicit: None,
            workspace: Workspace::default(),
            parameters: vec![S::from(0.0); equations.parameters()],
            x: vec![S::from(0.0); equations.states()],
            times: Vec::new(),
            stop_of: Vec::new(),
            stops: vec![S::from(0.0); 2 * equations.model().stops.len()],
            unread: vec![0.0; equations.states()],
            equations: Arc::clone(equations),
        }
    }

    /// Sets the experiment's parameters from the scenario's, its initial states, and the times from `start`
    /// through the stop times between to `end`.
    pub fn prepare(
        &mut self,
        experiment: usize,
        parameters: &[S],
        start: f64,
        end: f64,
    ) -> Result<(), RunError> {
        let time = [S::from(start); 2];
        match &self.equations.own[experiment] {
            None => self.parameters.copy_from_slice(parameters),
            Some(own) => own.evaluate(
                &time,
                &[],
                parameters,
                &mut self.parameters,
                &mut self.workspace,
            )?,
        }
        self.equations.initial[experiment].evaluate(
            &time,
            &[],
            &self.parameters,
            &mut self.x,
            &mut self.workspace,
        )?;
        self.times.clear();
        self.stop_of.clear();
        self.times.push(S::from(start));
        if !self.stops.is_empty() {
            self.equations.stops.evaluate(
                &time,
                &[],
                &self.parameters,
                &mut self.stops,
                &mut self.workspace,
            )?;
            let count = self.equations.model().stops.len();
            for k in 0..count {
                let at = self.stops[k];
                if self.equations.model().stops[k].period.is_none() {
                    push_between(&mut self.times, &mut self.stop_of, at, (k, 0.0), start, end);
                    continue;
                }
                let period = self.stops[count + k];
                let length = period.value();
                if !(length > 0.0 && at.value().is_finite()) {
                    continue;
                }
                let last = ((end - at.value()) / length).floor();
                let mut repeat = ((start - at.value()) / length).ceil().max(0.0);
                // More repeats than this could not be stepped through anyway.
                while repeat <= last && self.times.len() < 10_000_000 {
                    push_between(
                        &mut self.times,
                        &mut self.stop_of,
                        at + period * repeat,
                        (k, repeat),
                        start,
                        end,
                    );
                    repeat += 1.0;
                }
            }
            sort_stops(&mut self.times, &mut self.stop_of);
        }
        self.times.push(S::from(end));
        Ok(())
    }

    /// Solves over the prepared times; `x` becomes the final state.
    pub fn solve<R: Recorder<S>>(
        &mut self,
        stepper: Stepper,
        options: &Options,
        stop: Option<&AtomicBool>,
        recorder: R,
    ) -> Result<Statistics, RunError> {
        let never = AtomicBool::new(false);
        let mut recorder = (StopFlag(stop.unwrap_or(&never)), recorder);
        match stepper {
            Stepper::Tsit5 => {
                let (system, integrator) = explicit(&mut self.explicit, &self.equations);
                system.set_parameters(&self.parameters)?;
                Ok(integrator.run(system, &mut self.x, &self.times, options, &mut recorder)?)
            }
            Stepper::Rodas5p => {
                let (system, integrator) = implicit(&mut self.implicit, &self.equations)?;
                system.set_parameters(&self.parameters)?;
                Ok(integrator.run(system, &mut self.x, &self.times, options, &mut recorder)?)
            }
        }
    }

    /// Follows the steps of an earlier solve over the prepared times.
    pub fn replay<R: Recorder<S>>(
        &mut self,
        stepper: Stepper,
        options: &Options,
        mesh: &Mesh,
        mut recorder: R,
    ) -> Result<Statistics, RunError> {
        let recorder = &mut recorder;
        match stepper {
            Stepper::Tsit5 => {
                let (system, integrator) = explicit(&mut self.explicit, &self.equations);
                system.set_parameters(&self.parameters)?;
                Ok(integrator.replay(system, &mut self.x, &self.times, mesh, options, recorder)?)
            }
            Stepper::Rodas5p => {
                let (system, integrator) = implicit(&mut self.implicit, &self.equations)?;
                system.set_parameters(&self.parameters)?;
                Ok(integrator.replay(system, &mut self.x, &self.times, mesh, options, recorder)?)
            }
        }
    }

    /// Writes the observables, then their standard deviations, at (t, x) into `outputs`.
    #[inline]
    pub fn observe(&mut self, t: f64, x: &[S], outputs: &mut [S]) -> Result<(), RunError> {
        if let Some(plain) = &self.equations.states_observed {
            let (values, sigmas) = outputs.split_at_mut(plain.states.len());
            for (value, &state) in values.iter_mut().zip(&plain.states) {
                *value = x[state];
            }
            for (sigma, &number) in sigmas.iter_mut().zip(&plain.sigmas) {
                *sigma = S::from(number);
            }
            return Ok(());
        }
        let time = [S::from(t); 2];
        Ok(self.equations.observe.evaluate(
            &time,
            x,
            &self.parameters,
            outputs,
            &mut self.workspace,
        )?)
    }
}

impl Run<f64> {
    /// The system that the last solve of `stepper` stepped, at the prepared parameters.
    pub fn system(&mut self, stepper: Stepper) -> Result<&mut ModelSystem<f64>, RunError> {
        Ok(match stepper {
            Stepper::Tsit5 => explicit(&mut self.explicit, &self.equations).0,
            Stepper::Rodas5p => implicit(&mut self.implicit, &self.equations)?.0,
        })
    }

    /// Solves over the prepared times by a solver of the crate `ode_solvers`, read at `samples`.
    pub fn solve_by_peer(
        &mut self,
        peer: Peer,
        samples: &[f64],
        options: &Options,
    ) -> Result<PeerSolution, RunError> {
        let (system, _) = explicit(&mut self.explicit, &self.equations);
        system.set_parameters(&self.parameters)?;
        Ok(peers::solve(
            peer,
            system,
            &self.x,
            &self.times,
            samples,
            options,
        )?)
    }

    /// Adds the cotangents of (x, own parameters) for the cotangents `w` of `observe`'s outputs.
    #[inline]
    pub fn observe_vjp(
        &mut self,
        t: f64,
        x: &[f64],
        w: &[f64],
        x_bar: &mut [f64],
        own_bar: &mut [f64],
    ) -> Result<(), RunError> {
        if let Some(plain) = &self.equations.states_observed {
            for (&state, &w) in plain.states.iter().zip(w) {
                x_bar[state] += w;
            }
            return Ok(());
        }
        let workspace = &mut self.workspace;
        Ok(self.equations.observe.vjp(
            &[t; 2],
            x,
            &self.parameters,
            w,
            x_bar,
            own_bar,
            workspace,
        )?)
    }

    /// Takes cotangents of the initial states, of the solve's times (where they move) and of the experiment's own
    /// parameters back to the scenario's parameters, adding to `bar`. `own_bar` is used up.
    pub fn prepare_vjp(
        &mut self,
        experiment: usize,
        parameters: &[f64],
        x0_bar: &[f64],
        time_bars: Option<&[f64]>,
        own_bar: &mut [f64],
        bar: &mut [f64],
    ) -> Result<(), RunError> {
        let time = [self.times.first().map_or(0.0, |&t| t); 2];
        let workspace = &mut self.workspace;
        // Initial values, stop times and overrides read no state, yet their code adds the zeros somewhere.
        let none = self.unread.as_mut_slice();
        self.equations.initial[experiment].vjp(
            &time,
            &[],
            &self.parameters,
            x0_bar,
            none,
            own_bar,
            workspace,
        )?;
        if let Some(time_bars) = time_bars {
            self.stops.fill(0.0);
            let count = self.stops.len() / 2;
            for (&(stop, repeat), bar) in self.stop_of.iter().zip(&time_bars[1..]) {
                self.stops[stop] += bar;
                self.stops[count + stop] += repeat * bar;
            }
            self.equations.stops.vjp(
                &time,
                &[],
                &self.parameters,
                &self.stops,
                none,
                own_bar,
                workspace,
            )?;
        }
        match &self.equations.own[experiment] {
            Some(own) => own.vjp(&time, &[], parameters, own_bar, none, bar, workspace)?,
            None => {
                for (b, own) in bar.iter_mut().zip(own_bar) {
                    *b += *own;
                }
            }
        }
        Ok(())
    }
}

type Explicit<S> = (ModelSystem<S>, Integrator<S, Tsit5<S>>);
type Parts<'a, S, M> = (&'a mut ModelSystem<S>, &'a mut Integrator<S, M>);
type Implicit<S> = (ModelSystem<S>, Integrator<S, Rodas5P<S>>);

fn explicit<'a, S: ModelScalar>(
    slot: &'a mut Option<Explicit<S>>,
    equations: &Equations,
) -> Parts<'a, S, Tsit5<S>> {
    let (system, integrator) = slot.get_or_insert_with(|| {
        let system = ModelSystem::explicit(Arc::clone(&equations.rhs));
        let integrator = Integrator::new(&system);
        (system, integrator)
    });
    (system, integrator)
}

fn implicit<'a, S: ModelScalar>(
    slot: &'a mut Option<Implicit<S>>,
    equations: &Equations,
) -> Result<Parts<'a, S, Rodas5P<S>>, RunError> {
    let (system, integrator) = match slot {
        Some(both) => both,
        None => {
            let system = ModelSystem::implicit(Arc::clone(&equations.rhs))?;
            let integrator = Integrator::new(&system);
            slot.insert((system, integrator))
        }
    };
    Ok((system, integrator))
}

fn push_between<S: ModelScalar>(
    times: &mut Vec<S>,
    stop_of: &mut Vec<(usize, f64)>,
    at: S,
    k: (usize, f64),
    start: f64,
    end: f64,
) {
    if at.value() > start && at.value() < end {
        times.push(at);
        stop_of.push(k);
    }
}

/// Sorts the stops in `times[1..]` with their origins; of several at one instant the first is kept.
fn sort_stops<S: ModelScalar>(times: &mut Vec<S>, stop_of: &mut Vec<(usize, f64)>) {
    let ordered = times[1..].windows(2).all(|w| w[0].value() < w[1].value());
    if ordered {
        return;
    }
    let mut both: Vec<(S, (usize, f64))> = times[1..]
        .iter()
        .copied()
        .zip(stop_of.iter().copied())
        .collect();
    both.sort_by(|a, b| a.0.value().total_cmp(&b.0.value()));
    both.dedup_by(|later, earlier| later.0.value() == earlier.0.value());
    times.truncate(1);
    stop_of.clear();
    for (at, k) in both {
        times.push(at);
        stop_of.push(k);
    }
}
