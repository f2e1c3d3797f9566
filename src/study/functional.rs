//! Functionals of a trajectory (`final(x)`, `at(x, 3)`, `integral(x)`, `event_time(e)`, `objective()`, arithmetic
//! of them): value and gradient.
//!
//! A functional F = root(p, v_1, ..., v_k, objective) reads v_j = g_j(t_j, x(t_j), p). Its gradient runs through
//! dual numbers, or backward: root's, then each g_j's vector-Jacobian product, then the solve's.

use std::sync::{Arc, Mutex};

use costate_adjoint::Dual;
use costate_solvers::record::{Mesh, Samples};
use costate_solvers::{NoRecord, Options, Recorder, Scalar, Tolerance};

use super::any_solver::{ANY_WIDTH, StudyScalar};
use super::equations::Equations;
use super::error::StudyError;
use super::hybrid::Happening;
use super::moving_reads::{MovingRead, MovingReads};
use super::nudge::Nudge;
use super::objective::Objective;
use super::run::{Run, RunError};
use super::{Solving, Study};
use crate::compile::{Backend, Function, Output};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::model::graph::{
    FIRST_EXTRA, FOURTH_EXTRA, InputId, PARAMETERS, SECOND_EXTRA, SIXTH_EXTRA, STATES, THIRD_EXTRA,
    TIME,
};
use crate::model::linearity::{Form, forms};
use crate::model::{self, Expression, MassEntry, Model, NodeId, Op, PathBounds, When};
use crate::scenario::AbsoluteTolerance;

mod adjoint;
mod gradients;
mod many;
mod pool;
mod search;

pub(super) use adjoint::Kept;
pub(super) use many::Directions;
use pool::Pool;
use search::{CompiledSearch, Found, Looked};

/// Most readings that have machine code each.
const MOST_COMPILED: usize = 24;

/// Directions of a chunk of dual numbers.
const WIDTH: usize = ANY_WIDTH;

/// A functional of one experiment's trajectory, compiled.
#[derive(Debug)]
pub struct FunctionalStudy {
    experiment: usize,
    /// distinct times read, ascending
    times: Vec<f64>,
    /// where each value is read
    places: Vec<ReadAt>,
    /// how many times there are that parameters give
    reads: usize,
    /// the run must be solved to its end
    to_end: bool,
    /// the study's equations, with a state for each integral behind the others
    equations: Arc<Equations>,
    integrals: usize,
    /// (event, how many of its happenings come before)
    event_times: Vec<(usize, usize)>,
    uses_objective: bool,
    /// v_j = g_j(t, x, p), one function each
    values: Vec<Function>,
    /// gradient of w g_j with respect to x, p and t, accumulated
    values_vjp: Vec<Function>,
    /// what is looked for along the run
    searches: Vec<CompiledSearch>,
    /// how many functionals are read together
    roots: usize,
    /// of each whether it is a sum over readings
    sums: Vec<bool>,
    /// root(p, v, objective), one after the other
    root: Function,
    /// the gradient of their weighted sum with respect to p, v and objective
    root_gradient: Function,
    kept: Pool<Kept<f64>>,
    kept_duals: Pool<Kept<Dual<WIDTH>>>,
    /// where the searches of the last run ended
    looked: Mutex<Option<Looked>>,
}

/// Where a value is read.
#[derive(Debug, Clone, Copy, PartialEq)]
enum ReadAt {
    /// at a time of the list
    Sample(usize),
    /// where the run ends, be it by a terminal event
    End,
    /// where the system comes to rest
    Rest,
    /// at the so manieth of the times that parameters give
    Moving(usize),
    /// where the so manieth of the searches ended
    Found(usize),
}

/// The plain solve and readings that the backward sweep and the root need.
struct Reading<S> {
    parameters: Vec<S>,
    values: Vec<S>,
    integrals: Vec<S>,
    event_times: Vec<S>,
    /// the mark of each of these events
    marks: Vec<usize>,
    /// what is read at times that parameters give, and at the end behind them if the run came there
    moving: Vec<MovingRead<S>>,
    /// where each value was read, searches done
    places: Vec<ReadAt>,
    /// of each search the time, and 1 if that is inside
    found: Vec<S>,
}

impl<S> Reading<S> {
    /// What the root reads, group by group.
    fn of_root<'a>(&'a self, objective: &'a [S], weights: &'a [S]) -> [&'a [S]; 9] {
        [
            &[],
            &[],
            &self.parameters,
            &self.values,
            objective,
            &self.integrals,
            &self.event_times,
            &self.found,
            weights,
        ]
    }
}

impl FunctionalStudy {
    /// The functional of a text such as a command line's.
    pub fn parse(study: &Study, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let file = Arc::new(SourceFile {
            path: "--of".into(),
            text: text.to_owned(),
        });
        let (expression, findings) = model::parse(text, &file, 0);
        match expression {
            Some(expression) if findings.is_empty() => Self::new(study, &expression, None),
            _ => Err(findings),
        }
    }

    /// The functional of an expression, in a named experiment or the first.
    pub fn new(
        study: &Study,
        expression: &Expression,
        experiment: Option<&str>,
    ) -> Result<Self, Vec<Diagnostic>> {
        Self::several(study, &[expression], &[], experiment)
    }

    /// Several functionals, and path constraints behind them, read from one run: see [`model::functionals`].
    pub(super) fn several(
        study: &Study,
        expressions: &[&Expression],
        paths: &[PathBounds<'_>],
        experiment: Option<&str>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let span = match expressions.first() {
            Some(expression) => expression.span.clone(),
            None => return Err(Vec::new()),
        };
        let broken = |message: String| {
            vec![Diagnostic::error(
                "functional::failed",
                message,
                Some(span.clone()),
            )]
        };
        let experiment = study
            .experiment(experiment)
            .map_err(|e| broken(e.to_string()))?;
        let mut model = study.equations.model().clone();
        let functional = model::functionals(&mut model, expressions, paths)?;
        let integrals = functional.integrals.len();
        let equations = if integrals == 0 && model.reads.is_empty() {
            Arc::clone(&study.equations)
        } else {
            let with_quadratures = with_quadratures(&model, &functional.integrals);
            let mut equations = Equations::new(with_quadratures, study.backend)
                .map_err(|e| broken(e.to_string()))?;
            equations.linear_solver = study.equations.linear_solver;
            equations.rest = study.equations.rest.clone();
            Arc::new(equations)
        };
        let (start, end) = (study.scenario.start, study.scenario.end);
        let mut times = Vec::new();
        for (when, _) in &functional.samples {
            let t = match *when {
                When::Initial => start,
                When::At(t) => t,
                When::Final | When::Rest | When::Read(_) | When::Found(_) => continue,
            };
            if !(start.min(end)..=start.max(end)).contains(&t) {
                return Err(broken(format!(
                    "time {t} lies outside the scenario's span {start} to {end}"
                )));
            }
            times.push(t);
        }
        let mut distinct = times;
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        if end < start {
            distinct.reverse();
        }
        let place = |&(when, _): &(When, NodeId)| {
            let sample = |t: f64| distinct.iter().position(|&d| d == t).unwrap_or(0);
            match when {
                When::Initial => ReadAt::Sample(sample(start)),
                When::Final => ReadAt::End,
                When::At(t) => ReadAt::Sample(sample(t)),
                When::Rest => ReadAt::Rest,
                When::Read(read) => ReadAt::Moving(read),
                When::Found(search) => ReadAt::Found(search),
            }
        };
        let places: Vec<ReadAt> = functional.samples.iter().map(place).collect();
        let reads = model.reads.len();
        let graph = &mut model.graph;
        let input = |graph: &mut model::Graph, group, index: usize| {
            graph.intern(Op::Input(InputId {
                group,
                index: u32::try_from(index).unwrap_or(u32::MAX),
            }))
        };
        let states = graph.inputs(STATES, model.states.len());
        let parameters = graph.inputs(PARAMETERS, model.parameters.len());
        let weight = input(graph, FIRST_EXTRA, 0);
        let compile_by = |backend, graph: &model::Graph, outputs: &[Output]| {
            Function::new(graph, outputs, backend).map_err(|e| broken(e.to_string()))
        };
        let compile =
            |graph: &model::Graph, outputs: &[Output]| compile_by(study.backend, graph, outputs);
        // of many, each a few operations and called once a run, code would be longer in the making than in use
        let of_samples = match functional.samples.len() > MOST_COMPILED {
            true => Backend::Interpreter,
            false => study.backend,
        };
        let mut values = Vec::new();
        let mut values_vjp = Vec::new();
        for &(_, node) in &functional.samples {
            values.push(compile_by(of_samples, graph, &[Output::store(vec![node])])?);
            let time = input(graph, TIME, 0);
            let wrt = states.iter().chain(&parameters).chain([&time]);
            let wrt: Vec<NodeId> = wrt.copied().collect();
            let mut bars = model::vjp(graph, &[node], &[weight], &wrt);
            let time = bars.split_off(states.len() + parameters.len());
            let own = bars.split_off(states.len());
            let outputs =
                [bars, own, time].map(|nodes| Output::accumulate_what_is_not_zero(graph, nodes));
            values_vjp.push(compile_by(of_samples, graph, &outputs)?);
        }
        let count = functional.samples.len();
        let mut wrt = parameters;
        wrt.extend((0..count).map(|j| input(graph, FIRST_EXTRA, j)));
        wrt.push(input(graph, SECOND_EXTRA, 0));
        wrt.extend((0..integrals).map(|j| input(graph, THIRD_EXTRA, j)));
        let events = functional.event_times.len();
        wrt.extend((0..events).map(|j| input(graph, FOURTH_EXTRA, j)));
        let roots = functional.roots.len();
        let of_readings = |input: InputId| match input.group {
            PARAMETERS => Form::Free,
            FIRST_EXTRA | THIRD_EXTRA | FOURTH_EXTRA => Form::Proportional,
            _ => Form::Other,
        };
        let sums = forms(graph, &functional.roots, &of_readings);
        let sums = sums.into_iter().map(|form| form < Form::Other).collect();
        let weights: Vec<NodeId> = (0..roots).map(|j| input(graph, SIXTH_EXTRA, j)).collect();
        let bars = model::vjp(graph, &functional.roots, &weights, &wrt);
        let root = compile(graph, &[Output::store(functional.roots.clone())])?;
        let searches = functional
            .searches
            .iter()
            .map(|search| {
                CompiledSearch::new(search, |node| compile(graph, &[Output::store(vec![node])]))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let root_gradient = compile(graph, &[Output::store(bars)])?;
        Ok(Self {
            experiment,
            times: distinct,
            to_end: integrals > 0
                || reads > 0
                || !functional.searches.is_empty()
                || !functional.event_times.is_empty()
                || places.contains(&ReadAt::End),
            places,
            reads,
            equations,
            integrals,
            event_times: functional.event_times,
            uses_objective: functional.uses_objective,
            values,
            values_vjp,
            searches,
            roots,
            sums,
            root,
            root_gradient,
            kept: Pool::default(),
            kept_duals: Pool::default(),
            looked: Mutex::new(None),
        })
    }

    /// The functional's value at natural parameters `p`.
    pub fn value(&self, study: &Study, solving: &Solving, p: &[f64]) -> Result<f64, StudyError> {
        let reading = self
            .read(
                &mut self.run(),
                study,
                solving,
                p,
                &Nudge::none(),
                &mut NoRecord,
                None,
            )?
            .1;
        let objective = self.objective(study, solving, p)?;
        self.evaluate_root(&reading, objective)
    }

    /// The experiment that it is read from, and to when.
    pub(super) fn reach(&self, study: &Study) -> (usize, f64) {
        let end = match self.times.last() {
            _ if self.to_end => study.scenario.end,
            Some(&last) => last,
            None => study.scenario.start,
        };
        (self.experiment, end)
    }

    /// Whether it asks for an equilibrium.
    pub(super) fn rests(&self) -> bool {
        self.places.contains(&ReadAt::Rest)
    }

    fn objective(&self, study: &Study, solving: &Solving, p: &[f64]) -> Result<f64, StudyError> {
        if self.uses_objective {
            Objective::new(study, solving.clone(), None)?.value(p)
        } else {
            Ok(0.0)
        }
    }

    fn run<S: StudyScalar>(&self) -> Run<S> {
        Run::new(&self.equations)
    }

    /// Solves (or replays) the experiment and reads the values.
    #[expect(clippy::too_many_arguments, reason = "a solve's parts")]
    fn read<S: StudyScalar, R: Recorder<S>>(
        &self,
        run: &mut Run<S>,
        study: &Study,
        solving: &Solving,
        p: &[S],
        nudge: &Nudge<S>,
        record: &mut R,
        mesh: Option<&Mesh>,
    ) -> Result<(Samples<S>, Reading<S>), StudyError> {
        let found = match self.searches.is_empty() {
            true => Vec::new(),
            false => {
                let p: Vec<f64> = p.iter().map(|p| p.value()).collect();
                self.looked(study, solving, &p, &nudge.values())?
            }
        };
        self.read_at(run, study, solving, p, nudge, record, mesh, Some(&found))
    }

    /// The same with the places of searches known, or not yet.
    #[expect(clippy::too_many_arguments, reason = "a solve's parts")]
    fn read_at<S: StudyScalar, R: Recorder<S>>(
        &self,
        run: &mut Run<S>,
        study: &Study,
        solving: &Solving,
        p: &[S],
        nudge: &Nudge<S>,
        record: &mut R,
        mesh: Option<&Mesh>,
        found: Option<&[Found]>,
    ) -> Result<(Samples<S>, Reading<S>), StudyError> {
        let fail = |error: RunError| study.run_error(error, self.experiment);
        let start = study.scenario.start;
        let (_, mut end) = self.reach(study);
        let free = study.scenario.free_end.filter(|_| self.to_end);
        let free_end = free.and_then(|k| p.get(k).copied());
        if let Some(free) = free_end {
            end = free.value();
            if end == start || !end.is_finite() || (end < start) != (study.scenario.end < start) {
                return Err(StudyError::Unsupported(format!(
                    "a run from {start} cannot end at {end}: bound `time.end`"
                )));
            }
        }
        let options = &self.options(study, solving);
        run.prepare(self.experiment, p, start, end).map_err(fail)?;
        nudge.apply(run, self.to_end);
        if let (Some(free), Some(last)) = (free_end, run.times.last_mut()) {
            // the end has the tangents of the parameter
            *last += free - S::from(free.value());
        }
        if self.rests() {
            run.find_equilibrium(start, study.scenario.end)
                .map_err(fail)?;
        }
        let (all_times, places) = self.resolved(found, start, end);
        let at = |&t: &f64| if t == start { run.times[0] } else { S::from(t) };
        let times = all_times.iter().map(at).collect();
        let mut samples = Samples::new(times).map_err(|e| fail(e.into()))?;
        let mut moving = MovingReads::of(run, self.reads, self.to_end);
        match mesh {
            Some(mesh) => run
                .replay(solving.stepper, options, mesh, (&mut samples, &mut moving))
                .map_err(fail)?,
            None => run
                .solve(
                    solving.stepper,
                    options,
                    None,
                    ((&mut samples, &mut moving), record),
                )
                .map_err(fail)?,
        };
        let moving = self.found(study, run, moving)?;
        let mut values = vec![S::from(0.0); self.values.len()];
        let mut registers = Vec::new();
        for (j, (value, function)) in values.iter_mut().zip(&self.values).enumerate() {
            let ended = |sample: usize| run.log.ended.filter(|_| samples.len() <= sample);
            let (t, state) = match places[j] {
                ReadAt::Found(_) => continue,
                ReadAt::Rest => (S::from(start), run.equilibrium()),
                ReadAt::Moving(read) => (moving[read].t, moving[read].x.as_slice()),
                ReadAt::Sample(sample) if ended(sample).is_none() => {
                    (samples.times()[sample], samples.state(sample))
                }
                ReadAt::End => match moving.get(self.reads) {
                    Some(read) => (read.t, read.x.as_slice()),
                    None => (run.end(), run.x.as_slice()),
                },
                ReadAt::Sample(sample) => {
                    return Err(self.not_reached(study, run, all_times[sample]));
                }
            };
            let inputs = [&[t, t][..], state, &run.parameters];
            function.evaluate(&inputs, &mut [std::slice::from_mut(value)], &mut registers)?;
        }
        let n = run.x.len();
        let happened = self.happenings(study, run)?;
        let reading = Reading {
            parameters: run.parameters.clone(),
            values,
            integrals: run.x[n - self.integrals..].to_vec(),
            event_times: happened.iter().map(|h| h.t).collect(),
            marks: happened.iter().map(|h| h.mark).collect(),
            moving,
            places,
            found: found
                .unwrap_or_default()
                .iter()
                .flat_map(|found| [S::from(found.t), S::from(f64::from(u8::from(found.inside)))])
                .collect(),
        };
        Ok((samples, reading))
    }

    /// All times of samples, and where each value is read, the places of searches put in.
    fn resolved(&self, found: Option<&[Found]>, start: f64, end: f64) -> (Vec<f64>, Vec<ReadAt>) {
        let Some(found) = found.filter(|found| !found.is_empty()) else {
            return (self.times.clone(), self.places.clone());
        };
        let mut all = self.times.clone();
        all.extend(found.iter().map(|found| found.t).filter(|&t| t != end));
        all.sort_by(f64::total_cmp);
        all.dedup();
        if end < start {
            all.reverse();
        }
        let sample = |t: f64| all.iter().position(|&own| own == t).unwrap_or(0);
        let place = |place: &ReadAt| match *place {
            ReadAt::Sample(own) => ReadAt::Sample(sample(self.times[own])),
            ReadAt::Found(k) if found[k].t == end => ReadAt::End,
            ReadAt::Found(k) => ReadAt::Sample(sample(found[k].t)),
            other => other,
        };
        let places = self.places.iter().map(place).collect();
        (all, places)
    }

    /// What was recorded, the end behind the others; that something else was not is an error.
    fn found<S: StudyScalar>(
        &self,
        study: &Study,
        run: &Run<S>,
        moving: MovingReads<S>,
    ) -> Result<Vec<MovingRead<S>>, StudyError> {
        let mut all = Vec::with_capacity(moving.found.len());
        for (read, found) in moving.found.into_iter().enumerate() {
            match found {
                Some(found) => all.push(found),
                None if read < self.reads => {
                    return Err(self.not_reached(study, run, run.read_time(read)));
                }
                None => {}
            }
        }
        Ok(all)
    }

    /// That the run was not at a time that is to be read.
    fn not_reached<S: StudyScalar>(&self, study: &Study, run: &Run<S>, wanted: f64) -> StudyError {
        let experiment = study.experiment_name(self.experiment);
        match run.log.ended {
            Some(ended) => StudyError::EndedEarly {
                event: study.scenario.events[ended.event].name.text.clone(),
                t: ended.t.value(),
                wanted,
                experiment,
            },
            None => StudyError::OutsideRun {
                wanted,
                start: study.scenario.start,
                end: study.scenario.end,
                experiment,
            },
        }
    }

    /// The options with a tolerance for each integral, too.
    fn options(&self, study: &Study, solving: &Solving) -> Options {
        let mut options = solving.options.clone();
        if let Tolerance::PerState(atol) = &mut options.atol {
            let default = match study.scenario.solver.atol {
                AbsoluteTolerance::Uniform(atol) => atol,
                AbsoluteTolerance::ByState(_) => 1e-8,
            };
            atol.resize(self.equations.states(), default);
        }
        options
    }

    /// The happenings whose times are read.
    fn happenings<S: StudyScalar>(
        &self,
        study: &Study,
        run: &Run<S>,
    ) -> Result<Vec<Happening<S>>, StudyError> {
        let times_of = |event: usize| {
            let all = run.log.happenings.iter();
            all.filter(move |h| h.event == event).copied()
        };
        self.event_times
            .iter()
            .map(|&(event, before)| {
                let found = times_of(event).nth(before);
                found.ok_or_else(|| StudyError::NoSuchHappening {
                    event: study.scenario.events[event].name.text.clone(),
                    happened: times_of(event).count(),
                    wanted: before + 1,
                    experiment: study.experiment_name(self.experiment),
                })
            })
            .collect()
    }

    fn evaluate_root<S: Scalar>(
        &self,
        reading: &Reading<S>,
        objective: S,
    ) -> Result<S, StudyError> {
        Ok(self.evaluate_roots(reading, objective)?[0])
    }

    fn evaluate_roots<S: Scalar>(
        &self,
        reading: &Reading<S>,
        objective: S,
    ) -> Result<Vec<S>, StudyError> {
        let mut values = vec![S::from(0.0); self.roots];
        self.root.evaluate(
            &reading.of_root(&[objective], &[]),
            &mut [&mut values],
            &mut Vec::new(),
        )?;
        Ok(values)
    }

    /// Weights of one functional alone.
    fn first_alone<S: Scalar>(&self) -> Vec<S> {
        let mut weights = vec![S::from(0.0); self.roots];
        weights[0] = S::from(1.0);
        weights
    }
}

/// The model with a state q_k for each integral: q_k' = its integrand, q_k = 0 at the start. So quadratures share
/// the solver's error control and every kind of derivative.
fn with_quadratures(model: &Model, integrands: &[NodeId]) -> Model {
    let mut model = model.clone();
    let zero = model.graph.intern(Op::Constant(0f64.to_bits()));
    let one = model.graph.intern(Op::Constant(1f64.to_bits()));
    for (k, &integrand) in integrands.iter().enumerate() {
        let state = model.states.len();
        model.states.push(format!("integral {}", k + 1), Vec::new());
        model.rhs.push(integrand);
        model.discrete.push(false);
        for experiment in &mut model.experiments {
            experiment.initial.push(zero);
        }
        if let Some(mass) = &mut model.mass {
            mass.push(MassEntry {
                row: state,
                column: state,
                node: one,
            });
        }
    }
    model
}
