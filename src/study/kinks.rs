//! Where a run meets what has no derivative: kinks, jumps and singular points of the operations in a model.
//!
//! Each operation has a margin (`a - b` of `max(a, b)`), read five times a step on the dense output and bisected where its
//! sign changes, to rounding. What f does there decides what it means. A kink leaves derivatives that hold on either side. A
//! jump of f moves with the parameters, and a derivative does not see it move: the term of an event is missing. So a jump that
//! counts (over the span, more than the tolerance) makes a gradient wrong unless it is written as an event.

use std::sync::Arc;

use costate_solvers::{Recorder, StepView, Tolerance};

use super::gradient::GradientOf;
use super::run::Run;
use super::{Solving, Study, StudyError};
use crate::compile::{Derived, Sizes, Workspace};
use crate::diagnostic::Diagnostic;
use crate::model::{Margin, Model, NodeId, NonSmooth};

/// Readings in a step.
const READINGS: u32 = 4;
/// Part of a step that counts as its start or end.
const AT_ENDS: f64 = 1e-6;
/// Parts of the span by which the two sides of a crossing lie apart from it: where its margin is 0 either may hold.
const BESIDE: [f64; 2] = [1e-9, 1e-11];
/// Crossings of an operation, in a field of many elements, that are located; the others are counted.
const MOST_LOCATED: usize = 64;
/// How near to its singular point an argument comes, of its largest size on the run.
const CLOSE: f64 = 1e-6;
/// Change of f, times the span, in units of the tolerance, from which it is a jump.
const JUMP: f64 = 10.0;
/// Change of an observable, of its largest size at a crossing or the end of a step so far, that is one.
const OBSERVED_JUMP: f64 = 1e-6;

/// What a run does where an operation has no derivative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meeting {
    /// it crosses a kink: derivatives hold on either side
    Kink,
    /// it comes near a point where derivatives grow without bound
    Singular,
    /// f, or what is observed, jumps: derivatives do not see that the jump moves
    Jump,
}

/// A meeting of a run with an operation that has no derivative everywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Met {
    /// the operation
    pub operation: NonSmooth,
    /// the experiment's name, empty where there is one only
    pub experiment: String,
    /// what happens
    pub meeting: Meeting,
    /// the first time
    pub t: f64,
    /// how often
    pub count: usize,
}

impl Met {
    /// Where and what, in words.
    pub fn message(&self) -> String {
        let Self {
            operation: NonSmooth { operation, .. },
            t,
            count,
            ..
        } = self;
        let t = format!("t = {t:.6}");
        let t = match self.experiment.as_str() {
            "" => t,
            name => format!("{t} of experiment `{name}`"),
        };
        let more = match count {
            1 => String::new(),
            2 => " and once more".to_owned(),
            _ => format!(" and {} times more", count - 1),
        };
        match self.meeting {
            Meeting::Kink => format!(
                "the run crosses the kink of `{operation}` at {t}{more}: the gradient holds on the side that it is on"
            ),
            Meeting::Singular => format!(
                "the argument of `{operation}` comes to 0 at {t}{more}, where its derivative has no bound"
            ),
            Meeting::Jump => format!(
                "`{operation}` makes the model jump at {t}{more}, and the gradient does not see that the jump moves: it is wrong by that"
            ),
        }
    }

    /// As a warning at its place.
    pub fn finding(&self) -> Diagnostic {
        let span = Some(self.operation.span.clone());
        let finding = Diagnostic::warning("model::non-smooth", self.message(), span);
        match self.help() {
            Some(help) => finding.with_help(help),
            None => finding,
        }
    }

    /// What would serve.
    pub fn help(&self) -> Option<String> {
        let smooth = self.operation.smooth_form;
        match (self.meeting, smooth) {
            (Meeting::Jump, Some(form)) => Some(format!(
                "make it an event (`[[events]]`), whose time is differentiated, or smooth: `{form}`"
            )),
            (Meeting::Jump, None) => {
                Some("make it an event (`[[events]]`), whose time is differentiated".to_owned())
            }
            (_, Some(form)) => Some(format!("the smooth form is `{form}`")),
            (_, None) => None,
        }
    }
}

/// What the runs meet that a gradient is of: those of all data, or that of a functional.
pub fn meetings(
    study: &Study,
    solving: &Solving,
    of: GradientOf<'_>,
    p: &[f64],
) -> Result<Vec<Met>, StudyError> {
    let ends: Vec<(usize, f64)> = match of {
        GradientOf::Functional(functional) => vec![functional.reach(study)],
        GradientOf::Data => {
            let plans = study.plans.iter().enumerate();
            let last = plans.filter_map(|(k, plan)| Some((k, *plan.times.last()?)));
            last.collect()
        }
    };
    let mut all = Vec::new();
    for (experiment, end) in ends {
        all.extend(met_by(study, solving, p, experiment, end)?);
    }
    Ok(all)
}

/// What a run of an experiment meets from the start to `end`, in the order of the file.
pub(super) fn met_by(
    study: &Study,
    solving: &Solving,
    p: &[f64],
    experiment: usize,
    end: f64,
) -> Result<Vec<Met>, StudyError> {
    let model = study.equations.model();
    if model.nonsmooth.is_empty() && model.singular.is_empty() {
        return Ok(Vec::new());
    }
    let fail = |error| study.run_error(error, experiment);
    let watched = Watched::new(study.equations.model(), study)?;
    let mut run = Run::<f64>::new(&study.equations);
    run.prepare(experiment, p, study.scenario.start, end)
        .map_err(fail)?;
    let rhs = &study.equations.rhs;
    let mut all_parameters = vec![0.0; rhs.all_parameters()];
    let mut workspace = Workspace::default();
    rhs.prepare(&run.parameters, &mut all_parameters, &mut workspace)
        .map_err(|error| fail(error.into()))?;
    let mut watch = Watch {
        study,
        parameters: run.parameters.clone(),
        all_parameters,
        rtol: solving.options.rtol,
        atol: &solving.options.atol,
        span: (end - study.scenario.start).abs(),
        smallest: vec![(f64::INFINITY, f64::NAN); watched.of.len()],
        largest: vec![0.0; watched.of.len()],
        met: vec![None; watched.of.len()],
        pending: Vec::new(),
        located: vec![0; model.nonsmooth.len() + model.singular.len()],
        observed: match study.equations.states_observed {
            Some(_) => Vec::new(),
            None => vec![0.0; study.equations.observe.len()],
        },
        workspace,
        last: vec![f64::NAN; watched.of.len()],
        next: vec![f64::NAN; watched.of.len()],
        x: vec![0.0; study.equations.states()],
        watched: &watched,
    };
    let solved = run.solve(solving.stepper, &solving.options, None, &mut watch);
    solved.map_err(fail)?;
    let mut found: Vec<Met> = Vec::new();
    for (k, &(operation, margin)) in watched.of.iter().enumerate() {
        let crossed = watch.met[k].or_else(|| {
            let (smallest, t) = watch.smallest[k];
            // what is 0 all along, as a body's distance from itself, is left out of account by the model, too
            let near = smallest <= CLOSE * watch.largest[k] && watch.largest[k] > 0.0;
            let close = matches!(margin, Margin::Zero(_)) && near;
            close.then_some((Meeting::Singular, t, 1))
        });
        let Some((meeting, t, count)) = crossed else {
            continue;
        };
        let operation = watched.operation(model, operation);
        match found.iter_mut().find(|met| met.operation == *operation) {
            Some(met) => {
                met.count += count;
                met.t = met.t.min(t);
                met.meeting = met.meeting.max(meeting);
            }
            None => found.push(Met {
                operation: operation.clone(),
                experiment: study.experiment_name(experiment),
                meeting,
                t,
                count,
            }),
        }
    }
    found.sort_by_key(|met| met.operation.span.start);
    Ok(found)
}

/// The margins of a model, compiled; those with axes by element.
struct Watched {
    margins: Derived,
    /// for each number: its operation (those of `nonsmooth`, then of `singular`) and what it tells
    of: Vec<(usize, Margin)>,
}

impl Watched {
    fn new(model: &Model, study: &Study) -> Result<Self, StudyError> {
        let mut graph = model.graph.clone();
        let (mut roots, mut of) = (Vec::new(), Vec::new());
        let operations = model.nonsmooth.iter().chain(&model.singular);
        for (operation, found) in operations.enumerate() {
            for &margin in &found.margins {
                let (Margin::Sign(node) | Margin::Value(node) | Margin::Zero(node)) = margin;
                let axes: Vec<_> = graph.axes(node).iter().collect();
                let root: NodeId = graph.array(&axes, node);
                roots.push(root);
                of.extend(std::iter::repeat_n((operation, margin), graph.size(root)));
            }
        }
        let sizes = Sizes {
            states: model.states.len(),
            parameters: model.parameters.len(),
        };
        let margins = Derived::new(Arc::new(graph), roots, sizes, study.backend)?;
        Ok(Self { margins, of })
    }

    fn operation<'m>(&self, model: &'m Model, k: usize) -> &'m NonSmooth {
        match model.nonsmooth.get(k) {
            Some(found) => found,
            None => &model.singular[k - model.nonsmooth.len()],
        }
    }
}

/// Reads the margins along a run.
struct Watch<'a> {
    study: &'a Study,
    watched: &'a Watched,
    parameters: Vec<f64>,
    /// and what f has prepared from them
    all_parameters: Vec<f64>,
    rtol: f64,
    atol: &'a Tolerance,
    span: f64,
    workspace: Workspace<f64>,
    last: Vec<f64>,
    next: Vec<f64>,
    x: Vec<f64>,
    /// the smallest size so far, and when; the largest
    smallest: Vec<(f64, f64)>,
    largest: Vec<f64>,
    met: Vec<Option<(Meeting, f64, usize)>>,
    /// met at the end of the last step: an event or a stop may be there
    pending: Vec<(usize, Meeting, f64)>,
    /// by operation: crossings that were located
    located: Vec<usize>,
    /// largest sizes of what is observed; none where that is states, which do not jump
    observed: Vec<f64>,
}

impl Watch<'_> {
    /// The margins at a place of a step, into `next`.
    fn read(&mut self, step: &StepView<'_, f64>, theta: f64) {
        step.interpolate(theta, &mut self.x);
        let time = [step.t + theta * step.h, step.stretch];
        let (x, p, next) = (&self.x, &self.parameters, &mut self.next);
        let done = self
            .watched
            .margins
            .evaluate(&time, x, p, next, &mut self.workspace);
        if done.is_err() {
            next.fill(f64::NAN);
        }
    }

    fn crosses(margin: Margin, a: f64, b: f64) -> bool {
        match margin {
            Margin::Sign(_) | Margin::Zero(_) => (a < 0.0) != (b < 0.0) && a != 0.0,
            Margin::Value(_) => a != b,
        }
    }

    /// Bisects margin k between two places of a step, and says what f does there.
    fn locate(&mut self, step: &StepView<'_, f64>, k: usize, [mut low, mut high]: [f64; 2]) {
        let (operation, margin) = self.watched.of[k];
        let first = self.last[k];
        if self.located[operation] >= MOST_LOCATED {
            return self.count(k, Meeting::Kink, step.t + high * step.h);
        }
        self.located[operation] += 1;
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                break;
            }
            self.read(step, middle);
            match Self::crosses(margin, first, self.next[k]) {
                true => high = middle,
                false => low = middle,
            }
        }
        if step.restarted && high <= AT_ENDS {
            // an event, or a stop, is there already
            return;
        }
        let t = step.t + high * step.h;
        let meeting = match margin {
            _ if self.jumps(step, high) => Meeting::Jump,
            Margin::Zero(_) => Meeting::Singular,
            _ => Meeting::Kink,
        };
        match low >= 1.0 - AT_ENDS {
            true => self.pending.push((k, meeting, t)),
            false => self.count(k, meeting, t),
        }
    }

    fn count(&mut self, k: usize, meeting: Meeting, t: f64) {
        let met = self.met[k].get_or_insert((meeting, t, 0));
        met.0 = met.0.max(meeting);
        met.2 += 1;
    }

    /// Whether f, or what is observed, jumps at a place of a step: by more than the tolerance, and by no less from nearer by.
    fn jumps(&mut self, step: &StepView<'_, f64>, theta: f64) -> bool {
        let n = self.x.len();
        let [far, near] = BESIDE.map(|part| {
            let apart = (part * self.span / step.h.abs()).min(1.0);
            let [mut before, after] =
                [theta - apart, theta + apart].map(|at| self.outputs(step, at));
            for (before, after) in before.iter_mut().zip(after) {
                *before = (after - *before).abs();
            }
            before
        });
        let counts = |i: usize| match i < n {
            true => {
                let tolerance = self.atol.of(i) + self.rtol * self.x[i].abs();
                near[i] * self.span > JUMP * tolerance
            }
            false => near[i] > OBSERVED_JUMP * self.observed[i - n],
        };
        (0..near.len()).any(|i| counts(i) && near[i] > 0.5 * far[i])
    }

    /// f and what is observed at a place of a step.
    fn outputs(&mut self, step: &StepView<'_, f64>, theta: f64) -> Vec<f64> {
        let equations = &self.study.equations;
        step.interpolate(theta, &mut self.x);
        let time = [step.t + theta * step.h, step.stretch];
        let (x, p, workspace) = (&self.x, &self.parameters, &mut self.workspace);
        let all = &self.all_parameters;
        let mut outputs = vec![0.0; x.len() + self.observed.len()];
        let (dx, y) = outputs.split_at_mut(x.len());
        let rhs = equations.rhs.f().evaluate(&time, x, all, dx, workspace);
        let observed = match y.len() {
            0 => Ok(()),
            _ => equations.observe.evaluate(&time, x, p, y, workspace),
        };
        if rhs.is_err() || observed.is_err() {
            outputs.fill(f64::NAN);
        }
        outputs
    }
}

impl Recorder<f64> for Watch<'_> {
    fn accepted(&mut self, step: &StepView<'_, f64>) -> bool {
        let pending = std::mem::take(&mut self.pending);
        if !step.restarted {
            for (k, meeting, t) in pending {
                self.count(k, meeting, t);
            }
        }
        self.read(step, 0.0);
        std::mem::swap(&mut self.last, &mut self.next);
        for reading in 1..=READINGS {
            let [low, high] = [reading - 1, reading].map(|r| f64::from(r) / f64::from(READINGS));
            self.read(step, high);
            let read = self.next.clone();
            for (k, &value) in read.iter().enumerate() {
                let size = value.abs();
                self.largest[k] = self.largest[k].max(size);
                if size < self.smallest[k].0 {
                    self.smallest[k] = (size, step.t + high * step.h);
                }
                if Self::crosses(self.watched.of[k].1, self.last[k], value) {
                    self.locate(step, k, [low, high]);
                }
            }
            self.last.copy_from_slice(&read);
        }
        if !self.observed.is_empty() {
            let outputs = self.outputs(step, 1.0);
            for (largest, y) in self.observed.iter_mut().zip(&outputs[step.x.len()..]) {
                *largest = largest.max(y.abs());
            }
        }
        true
    }
}
