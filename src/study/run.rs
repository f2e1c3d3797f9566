//! One experiment's solve over any scalar: parameters in, samples out, buffers kept.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use costate_adjoint::{AdjointError, AdjointHybrid};
use costate_solvers::peers::{self, Peer, PeerSolution};
use costate_solvers::record::{Mesh, StopFlag};
use costate_solvers::{
    Integrator, LinearSolver, NoEvents, Options, Position, Preconditioner, Recorder, Rodas5P,
    Scalar, SolveError, Statistics, Switch, Tsit5,
};

use thiserror::Error;

use super::any_solver::{AnySolver, StudyScalar};
use super::equations::{Equations, StatesObserved};
use super::hybrid::{EventLog, Handler};
use super::rest::{HeldTime, Rest};
use super::reverse_events::{ReverseBuffers, ReverseHandler};
use crate::compile::{
    CallError, CompileError, Derived, ModelScalar, ModelSystem, PastRecorder, Workspace,
};
use crate::scenario::SolverMethod;

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
    /// a backward sweep's account
    #[error(transparent)]
    Adjoint(#[from] AdjointError),
    /// a method that takes no part in studies
    #[error("`{0}` is no solver of this kind of study")]
    NoSuchSolver(&'static str),
    /// delays, and an end before the start
    #[error("a run with `delay` goes forward in time")]
    BackwardDelay,
    /// an equilibrium is asked for, and totals that it keeps depend on parameters by the mass matrix
    #[error("no equilibrium is looked for where an entry of [mass] depends on a parameter")]
    MovingMass,
    /// a delayed value whose delay is not above zero, by its number
    #[error("a delay is {length}, and delays are above zero")]
    Delay {
        /// which
        lag: usize,
        /// its delay
        length: f64,
    },
    /// a mass matrix, and a method for x' = f
    #[error("`{0}` solves x' = f only, and the scenario has a [mass] table")]
    NoMass(&'static str),
}

/// A reusable solve: a system with its integrator and buffers.
pub struct Run<S: StudyScalar> {
    equations: Arc<Equations>,
    workspace: Workspace<S>,
    /// Tsit5 and Rodas5P without events: the hot path of fits, compiled for each recorder
    explicit: Option<Explicit<S>>,
    implicit: Option<Implicit<S>>,
    /// any other method, and every method where there are events
    other: Option<Other<S>>,
    /// the experiment's parameters
    pub parameters: Vec<S>,
    /// initial states, then final ones
    pub x: Vec<S>,
    /// start, stop times, end
    pub times: Vec<S>,
    /// for each inner entry of `times`, the source it came from and its repeat
    pub stop_of: Vec<(usize, f64)>,
    /// what happened on the last solve
    pub log: EventLog<S>,
    /// (index of `times`, event) of the time events
    due: Vec<(usize, usize)>,
    moments: Vec<S>,
    delays: Vec<S>,
    between: Vec<Moment<S>>,
    reset: Vec<S>,
    reverse: ReverseBuffers<S>,
    /// the equilibrium before the start
    rest: Option<Rest<S>>,
    /// the one that a functional asks for
    equilibrium: Option<Rest<S>>,
    /// where cotangents of states go that nobody reads
    unread: Vec<S>,
}

/// A time that steps end on.
#[derive(Debug, Clone, Copy)]
struct Moment<S> {
    at: S,
    source: usize,
    repeat: f64,
    event: Option<usize>,
    read: Option<usize>,
}

impl<S: StudyScalar> Moment<S> {
    /// The source of echoes.
    const ECHO: usize = usize::MAX;

    /// A time at which delayed values break.
    fn echo(at: S) -> Self {
        Self {
            at,
            source: Self::ECHO,
            repeat: 0.0,
            event: None,
            read: None,
        }
    }
}

/// Which repeats of what happens at `at`, then every `length` (never again where that is not above zero), lie between two times.
fn repeats(at: f64, length: f64, [first, last]: [f64; 2]) -> impl Iterator<Item = f64> {
    let (from, until) = match length > 0.0 && at.is_finite() {
        true => (
            ((first - at) / length).ceil().max(0.0),
            ((last - at) / length * (1.0 + f64::EPSILON)).floor(),
        ),
        false => (0.0, -1.0),
    };
    // More repeats than this could not be stepped through anyway.
    std::iter::successors(Some(from), |repeat| Some(repeat + 1.0))
        .take_while(move |&repeat| repeat <= until && repeat < 1e7)
}

impl<S: StudyScalar> Run<S> {
    /// Buffers for a scenario's equations.
    pub fn new(equations: &Arc<Equations>) -> Self {
        Self {
            explicit: None,
            implicit: None,
            other: None,
            workspace: Workspace::default(),
            parameters: vec![S::from(0.0); equations.parameters()],
            x: vec![S::from(0.0); equations.states()],
            times: Vec::new(),
            stop_of: Vec::new(),
            log: EventLog::default(),
            due: Vec::new(),
            moments: vec![S::from(0.0); equations.moments.len()],
            delays: Vec::new(),
            between: Vec::new(),
            reset: Vec::new(),
            reverse: ReverseBuffers::default(),
            rest: None,
            equilibrium: None,
            unread: vec![S::from(0.0); equations.states()],
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
        self.set_parameters(experiment, parameters, start)?;
        self.equations.initial[experiment].evaluate(
            &time,
            &[],
            &self.parameters,
            &mut self.x,
            &mut self.workspace,
        )?;
        self.come_to_rest(experiment, parameters, start, end)?;
        self.times.clear();
        self.stop_of.clear();
        self.due.clear();
        self.times.push(S::from(start));
        if let Some(lags) = &self.equations.lags {
            self.delays.resize(lags.code.len(), S::from(0.0));
            let (p, workspace) = (&self.parameters, &mut self.workspace);
            let delays = &mut self.delays;
            lags.code
                .delays
                .evaluate(&time, &[], p, delays, workspace)?;
            let too_short = |delay: &S| delay.value().is_nan() || delay.value() <= 0.0;
            if let Some(lag) = self.delays.iter().position(too_short) {
                let length = self.delays[lag].value();
                return Err(RunError::Delay { lag, length });
            }
            if end < start {
                return Err(RunError::BackwardDelay);
            }
        }
        if !self.moments.is_empty() || self.equations.lags.is_some() {
            self.equations.moments.evaluate(
                &time,
                &[],
                &self.parameters,
                &mut self.moments,
                &mut self.workspace,
            )?;
            self.schedule(start, end);
        }
        self.times.push(S::from(end));
        Ok(())
    }

    /// Sets the experiment's parameters alone: those that observables are read with after a solve.
    pub fn set_parameters(
        &mut self,
        experiment: usize,
        parameters: &[S],
        start: f64,
    ) -> Result<(), RunError> {
        let time = [S::from(start); 2];
        let own = &self.equations.own[experiment];
        let workspace = &mut self.workspace;
        own_parameters(own, &time, parameters, &mut self.parameters, workspace)?;
        Ok(())
    }

    /// Puts the states where the system comes to rest before the start, if the experiment starts there.
    fn come_to_rest(
        &mut self,
        experiment: usize,
        parameters: &[S],
        start: f64,
        end: f64,
    ) -> Result<(), RunError> {
        let Some(before) = &self.equations.before[experiment] else {
            return Ok(());
        };
        let rest = match &mut self.rest {
            Some(rest) => rest,
            None => self.rest.insert(Rest::new(&self.equations.rest)?),
        };
        let (time, workspace) = ([S::from(start); 2], &mut self.workspace);
        let own = &mut rest.parameters;
        own_parameters(&before.own, &time, parameters, own, workspace)?;
        let own = &rest.parameters;
        before
            .initial
            .evaluate(&time, &[], own, &mut rest.x, workspace)?;
        rest.find(&self.equations.rest, HeldTime::before(start, end))?;
        for ((x, &given), &found) in self.x.iter_mut().zip(&before.given).zip(&rest.x) {
            if !given {
                *x = found;
            }
        }
        Ok(())
    }

    /// Looks for where the prepared system comes to rest from its initial states.
    pub fn find_equilibrium(&mut self, start: f64, end: f64) -> Result<(), RunError> {
        let rest = match &mut self.equilibrium {
            Some(rest) => rest,
            None => self.equilibrium.insert(Rest::new(&self.equations.rest)?),
        };
        rest.parameters.copy_from_slice(&self.parameters);
        let n = rest.x.len();
        rest.x.copy_from_slice(&self.x[..n]);
        rest.find(&self.equations.rest, HeldTime::after(start, end))
    }

    /// What was found last.
    pub fn equilibrium(&self) -> &[S] {
        self.equilibrium.as_ref().map_or(&[], |rest| &rest.x)
    }

    /// Puts the stops and time events between start and end into `times`, in order.
    fn schedule(&mut self, start: f64, end: f64) {
        let sign = if end < start { -1.0 } else { 1.0 };
        let (first, last) = (start.min(end), start.max(end));
        self.between.clear();
        let lags = self.equations.lags.as_ref();
        let delays = &self.delays;
        let later = |sum: &[usize]| sum.iter().fold(S::from(0.0), |s, &lag| s + delays[lag]);
        // a break comes back in what reads the past
        for sum in lags.map_or(&[][..], |lags| &lags.echoes) {
            let at = later(sum) + start;
            if at.value() < last {
                self.between.push(Moment::echo(at));
            }
        }
        for (source, m) in self.equations.moment_sources.iter().enumerate() {
            let echoes = match (lags, m.event) {
                (Some(lags), Some(event)) => &lags.of_events[event],
                (Some(lags), None) if m.read.is_none() => &lags.echoes,
                _ => &Vec::new(),
            };
            for sum in echoes {
                let at = self.moments[m.at] + later(sum);
                let mut push = |at: S| {
                    if at.value() > first && at.value() < last {
                        self.between.push(Moment::echo(at));
                    }
                };
                let Some(period) = m.period else {
                    push(at);
                    continue;
                };
                let period = self.moments[period];
                for repeat in repeats(at.value(), period.value(), [first, last]) {
                    push(at + period * repeat);
                }
            }
            let mut push = |at: S, repeat: f64| {
                // a jump of f at the start or the end has no step on one of its sides
                let inside = at.value() > first && at.value() < last;
                let at_ends = at.value() == first || at.value() == last;
                if inside || at_ends && (m.event.is_some() || m.read.is_some()) {
                    self.between.push(Moment {
                        at,
                        source,
                        repeat,
                        event: m.event,
                        read: m.read,
                    });
                }
            };
            let at = self.moments[m.at];
            let Some(period) = m.period else {
                push(at, 0.0);
                continue;
            };
            let period = self.moments[period];
            for repeat in repeats(at.value(), period.value(), [first, last]) {
                push(at + period * repeat, repeat);
            }
        }
        // events at one instant keep the order of the file; what is read then is read after them
        let key = |m: &Moment<S>| (m.at.value() * sign, (m.read, m.event.is_none()));
        let ordered = |a: &Moment<S>, b: &Moment<S>| {
            let ((ta, na), (tb, nb)) = (key(a), key(b));
            ta.total_cmp(&tb)
                .then(na.cmp(&nb))
                .then(a.event.cmp(&b.event))
        };
        if !self.between.is_sorted_by(|a, b| ordered(a, b).is_le()) {
            self.between.sort_by(ordered);
        }
        for m in &self.between {
            // an event at the start or the end, too, has a time of its own: it may move with a parameter
            let t = m.at.value();
            let same = |last: &S| (0..S::WIDTH).all(|k| last.part(k) == m.at.part(k));
            let repeated = match m.source {
                Moment::<S>::ECHO => self.times.last().is_some_and(same),
                _ => self.times.last().is_some_and(|last| last.value() == t),
            };
            if repeated && m.event.is_none() && m.read.is_none() {
                continue;
            }
            self.times.push(m.at);
            self.stop_of.push((m.source, m.repeat));
            if let Some(event) = m.event {
                self.due.push((self.times.len() - 1, event));
            }
        }
    }

    /// The index in `times` of a time at which something is read; `None` where it is outside the run.
    pub fn read(&self, read: usize) -> Option<usize> {
        let sources = &self.equations.moment_sources;
        let found = |&(source, _): &(usize, f64)| {
            sources
                .get(source)
                .is_some_and(|source| source.read == Some(read))
        };
        Some(1 + self.stop_of.iter().position(found)?)
    }

    /// That time.
    pub fn read_time(&self, read: usize) -> f64 {
        let mut sources = self.equations.moment_sources.iter();
        let source = sources.find(|source| source.read == Some(read));
        source.map_or(f64::NAN, |source| self.moments[source.at].value())
    }

    /// When the last solve ended: at the last of `times`, or at a terminal event.
    pub fn end(&self) -> S {
        match (&self.log.ended, self.times.last()) {
            (Some(ended), _) => ended.t,
            (None, Some(&t)) => t,
            (None, None) => S::from(f64::NAN),
        }
    }

    /// Solves over the prepared times; `x` becomes the final state.
    pub fn solve<R: Recorder<S>>(
        &mut self,
        method: SolverMethod,
        options: &Options,
        stop: Option<&AtomicBool>,
        recorder: R,
    ) -> Result<Statistics, RunError> {
        let never = AtomicBool::new(false);
        let mut recorder = (StopFlag(stop.unwrap_or(&never)), recorder);
        self.log.clear();
        match method {
            SolverMethod::Tsit5 if self.equations.plain() => {
                let (system, integrator) = explicit(&mut self.explicit, &self.equations);
                system.set_parameters(&self.parameters)?;
                Ok(integrator.run(system, &mut self.x, &self.times, options, &mut recorder)?)
            }
            SolverMethod::Rodas5p if self.equations.plain() => {
                let (system, integrator) = implicit(&mut self.implicit, &self.equations)?;
                system.set_parameters(&self.parameters)?;
                Ok(integrator.run(system, &mut self.x, &self.times, options, &mut recorder)?)
            }
            _ => self.by_any(method, options, |any, x, times, options, past, handler| {
                any.run(x, times, options, &mut (past, &mut recorder), handler)
            }),
        }
    }

    /// Follows the steps of an earlier solve over the prepared times.
    pub fn replay<R: Recorder<S>>(
        &mut self,
        method: SolverMethod,
        options: &Options,
        mesh: &Mesh,
        mut recorder: R,
    ) -> Result<Statistics, RunError> {
        let recorder = &mut recorder;
        self.log.clear();
        match method {
            SolverMethod::Tsit5 if self.equations.plain() => {
                let (system, integrator) = explicit(&mut self.explicit, &self.equations);
                system.set_parameters(&self.parameters)?;
                Ok(integrator.replay(system, &mut self.x, &self.times, mesh, options, recorder)?)
            }
            SolverMethod::Rodas5p if self.equations.plain() => {
                let (system, integrator) = implicit(&mut self.implicit, &self.equations)?;
                system.set_parameters(&self.parameters)?;
                Ok(integrator.replay(system, &mut self.x, &self.times, mesh, options, recorder)?)
            }
            _ => self.by_any(method, options, |any, x, times, options, past, handler| {
                any.replay(x, times, mesh, options, &mut (past, recorder), handler)
            }),
        }
    }

    /// Repeats a part of the last solve, from `at`: where it stood, the time and the states, to right before step `until`.
    pub fn resume<R: Recorder<S>>(
        &mut self,
        method: SolverMethod,
        options: &Options,
        mesh: &Mesh,
        (from, t, x): (Position, S, &[S]),
        until: usize,
        mut recorder: R,
    ) -> Result<Statistics, RunError> {
        let (recorder, part) = (&mut recorder, (from, until));
        self.log.clear();
        self.x.copy_from_slice(x);
        match method {
            SolverMethod::Tsit5 if self.equations.plain() => {
                let (system, integrator) = explicit(&mut self.explicit, &self.equations);
                let at = (t, &mut self.x[..]);
                let (times, none) = (&self.times, &mut NoEvents);
                Ok(integrator.resume(system, at, times, mesh, part, options, recorder, none)?)
            }
            SolverMethod::Rodas5p if self.equations.plain() => {
                let (system, integrator) = implicit(&mut self.implicit, &self.equations)?;
                let at = (t, &mut self.x[..]);
                let (times, none) = (&self.times, &mut NoEvents);
                Ok(integrator.resume(system, at, times, mesh, part, options, recorder, none)?)
            }
            _ => self.by_any(method, options, |any, x, times, options, _, handler| {
                any.resume((t, x), times, mesh, part, options, recorder, handler)
            }),
        }
    }

    /// The changes between the methods of `auto` on the last solve.
    pub fn switches(&self) -> &[Switch] {
        self.other.as_ref().map_or(&[], |(_, any)| any.switches())
    }

    /// Works with the solver of any method, events handled and the past kept where something reads it.
    fn by_any(
        &mut self,
        method: SolverMethod,
        options: &Options,
        work: impl FnOnce(
            &mut dyn AnySolver<S>,
            &mut [S],
            &[S],
            &Options,
            PastRecorder<S>,
            &mut Handler<'_, S>,
        ) -> Result<Statistics, SolveError>,
    ) -> Result<Statistics, RunError> {
        if self.other.as_ref().is_none_or(|(made, _)| *made != method) {
            self.other = Some((
                method,
                S::any_solver(method, &self.equations, &self.parameters)?,
            ));
        }
        let Some((_, any)) = &mut self.other else {
            return Err(RunError::NoSuchSolver(method.name()));
        };
        any.set_parameters(&self.parameters)?;
        let past = any.system().past().cloned();
        let mut options = Cow::Borrowed(options);
        if let (Some(past), &[t0, ..]) = (&past, &self.times[..]) {
            let longest = past.begin(t0, &mut self.x, &self.parameters)?;
            if longest < options.max_step {
                options.to_mut().max_step = longest;
            }
        }
        let mut handler = Handler {
            equations: &self.equations,
            parameters: &self.parameters,
            workspace: &mut self.workspace,
            due: &self.due,
            past: past.clone(),
            values: &mut self.reset,
            log: &mut self.log,
            marks: 0,
            middle: f64::NAN,
            failed: None,
        };
        let x = &mut self.x;
        let keep = PastRecorder(past);
        let done = work(any.as_mut(), x, &self.times, &options, keep, &mut handler);
        match handler.failed {
            Some(failed) => Err(failed),
            None => Ok(done?),
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

impl<S: StudyScalar> Run<S> {
    /// Which states the observables are, where they are states.
    pub fn states_observed(&self) -> Option<&StatesObserved> {
        self.equations.states_observed.as_ref()
    }
}

/// Backward.
impl<S: StudyScalar> Run<S> {
    /// Number of the experiment's parameters and of what f has prepared from them.
    pub fn all_parameters(&self) -> usize {
        self.equations.rhs.all_parameters()
    }

    /// Lets `sweep` work backward over the last solve by `method`: with the system that it stepped, and its events.
    pub fn backward(
        &mut self,
        method: SolverMethod,
        sweep: impl FnOnce(&mut ModelSystem<S>, &mut dyn AdjointHybrid<S>) -> Result<(), AdjointError>,
    ) -> Result<(), RunError> {
        let plain = self.equations.plain();
        let system = match (method, &mut self.other) {
            (SolverMethod::Tsit5, _) if plain => explicit(&mut self.explicit, &self.equations).0,
            (SolverMethod::Rodas5p, _) if plain => implicit(&mut self.implicit, &self.equations)?.0,
            (_, Some((made, any))) if *made == method => any.system(),
            _ => return Err(RunError::NoSuchSolver(method.name())),
        };
        let mut handler = ReverseHandler {
            equations: &self.equations,
            parameters: &self.parameters,
            due: &self.due,
            buffers: &mut self.reverse,
            middle: f64::NAN,
            failed: None,
        };
        let swept = sweep(system, &mut handler);
        match handler.failed {
            Some(failed) => Err(failed),
            None => Ok(swept?),
        }
    }

    /// Takes the cotangent of the equilibrium that was found last to the experiment's own parameters, adding to `own_bar`,
    /// and leaves in `x_bar` that of the initial states.
    pub fn pull_back_equilibrium(
        &mut self,
        start: f64,
        end: f64,
        x_bar: &mut [S],
        own_bar: &mut [S],
    ) {
        if let Some(rest) = &mut self.equilibrium {
            rest.pull_back(HeldTime::after(start, end), x_bar, own_bar);
        }
    }

    /// Adds the cotangents of (x, own parameters) for the cotangents `w` of `observe`'s outputs.
    #[inline]
    pub fn observe_vjp(
        &mut self,
        t: f64,
        x: &[S],
        w: &[S],
        x_bar: &mut [S],
        own_bar: &mut [S],
    ) -> Result<(), RunError> {
        let workspace = &mut self.workspace;
        Ok(self.equations.observe.vjp(
            &[S::from(t); 2],
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
        parameters: &[S],
        x0_bar: &[S],
        time_bars: Option<&[S]>,
        own_bar: &mut [S],
        bar: &mut [S],
    ) -> Result<(), RunError> {
        let [start, end] =
            [self.times.first(), self.times.last()].map(|t| t.map_or(0.0, |t| t.value()));
        let (time, zero) = ([S::from(start); 2], S::from(0.0));
        let workspace = &mut self.workspace;
        // Initial values, stop times and overrides read no state, yet their code adds the zeros somewhere.
        let none = self.unread.as_mut_slice();
        let mut x0_bar = Cow::Borrowed(x0_bar);
        if let (Some(before), Some(rest)) = (&self.equations.before[experiment], &mut self.rest) {
            let mut rest_bar = vec![zero; rest.x.len()];
            let mut rest_own = vec![zero; rest.parameters.len()];
            let found = x0_bar.to_mut().iter_mut().zip(&before.given);
            for (bar, (own, _)) in rest_bar
                .iter_mut()
                .zip(found)
                .filter(|(_, (_, given))| !**given)
            {
                *bar = std::mem::take(own);
            }
            rest.pull_back(HeldTime::before(start, end), &mut rest_bar, &mut rest_own);
            let initial = &before.initial;
            let own = &rest.parameters;
            initial.vjp(&time, &[], own, &rest_bar, none, &mut rest_own, workspace)?;
            match &before.own {
                Some(own) => own.vjp(&time, &[], parameters, &rest_own, none, bar, workspace)?,
                None => add(bar, &rest_own),
            }
        }
        self.equations.initial[experiment].vjp(
            &time,
            &[],
            &self.parameters,
            &x0_bar,
            none,
            own_bar,
            workspace,
        )?;
        if let Some(time_bars) = time_bars {
            self.moments.fill(zero);
            for (&(source, repeat), &bar) in self.stop_of.iter().zip(&time_bars[1..]) {
                let Some(source) = self.equations.moment_sources.get(source) else {
                    continue;
                };
                self.moments[source.at] += bar;
                if let Some(period) = source.period {
                    self.moments[period] += bar * repeat;
                }
            }
            self.equations.moments.vjp(
                &time,
                &[],
                &self.parameters,
                &self.moments,
                none,
                own_bar,
                workspace,
            )?;
        }
        match &self.equations.own[experiment] {
            Some(own) => own.vjp(&time, &[], parameters, own_bar, none, bar, workspace)?,
            None => add(bar, own_bar),
        }
        Ok(())
    }
}

impl Run<f64> {
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
}

/// Writes an experiment's parameters from the scenario's, which they are where it overrides none.
fn own_parameters<S: StudyScalar>(
    own: &Option<Derived>,
    time: &[S],
    parameters: &[S],
    into: &mut [S],
    workspace: &mut Workspace<S>,
) -> Result<(), CallError> {
    match own {
        None => into.copy_from_slice(parameters),
        Some(own) => own.evaluate(time, &[], parameters, into, workspace)?,
    }
    Ok(())
}

fn add<S: Scalar>(to: &mut [S], more: &[S]) {
    for (to, &more) in to.iter_mut().zip(more) {
        *to += more;
    }
}

type Explicit<S> = (ModelSystem<S>, Integrator<S, Tsit5<S>>);
type Parts<'a, S, M> = (&'a mut ModelSystem<S>, &'a mut Integrator<S, M>);
type Other<S> = (SolverMethod, Box<dyn AnySolver<S>>);
type Implicit<S> = (ModelSystem<S>, Integrator<S, Rodas5P<S>>);

/// The equations for a method, with mass matrix and the Jacobian or, for GMRES without a preconditioner, its
/// products. A method that needs factors, such as verifies another, chooses its own.
pub(super) fn implicit_system<S: ModelScalar>(
    equations: &Equations,
    method: SolverMethod,
) -> Result<ModelSystem<S>, RunError> {
    const PRODUCTS: LinearSolver = LinearSolver::Gmres {
        preconditioner: Preconditioner::None,
    };
    let choice = match equations.linear_solver {
        LinearSolver::Gmres { .. } if !method.takes_gmres() => LinearSolver::Auto,
        choice => choice,
    };
    let rhs = Arc::clone(&equations.rhs);
    let system = match (choice, &equations.mass) {
        (PRODUCTS, None) => ModelSystem::explicit(rhs).with_products()?,
        // initial values are made consistent by the Jacobian
        (PRODUCTS, Some(_)) => ModelSystem::implicit(rhs)?.with_products()?,
        _ => ModelSystem::implicit(rhs)?,
    };
    let system = system.with_linear_solver(choice);
    let system = match &equations.mass {
        None => system,
        Some((pattern, values)) => system.with_mass(pattern, values),
    };
    Ok(with_lags(system, equations))
}

/// The system with the past that its delayed values read.
pub(super) fn with_lags<S: ModelScalar>(
    system: ModelSystem<S>,
    equations: &Equations,
) -> ModelSystem<S> {
    match &equations.lags {
        None => system,
        Some(lags) => system.with_lags(&lags.code),
    }
}

fn explicit<'a, S: StudyScalar>(
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

fn implicit<'a, S: StudyScalar>(
    slot: &'a mut Option<Implicit<S>>,
    equations: &Equations,
) -> Result<Parts<'a, S, Rodas5P<S>>, RunError> {
    let (system, integrator) = match slot {
        Some(both) => both,
        None => {
            let system = implicit_system(equations, SolverMethod::Rodas5p)?;
            let integrator = Integrator::new(&system);
            slot.insert((system, integrator))
        }
    };
    Ok((system, integrator))
}
