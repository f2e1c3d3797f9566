//! Functionals of a run: arithmetic over what is read from it, as in `final(x) - at(x, 2)`, `objective()`,
//! `integral(x^2)`, `event_time(bounce, 2)` or `equilibrium(x)`.
//!
//! A functional is a function of samples s_k (a node of the model at a time each), of integrals q_k over the whole run
//! (a node each: dq_k/dt = node, q_k(start) = 0), of times of events, of the experiment's parameters and of the
//! objective's value: its gradient follows by the chain rule from those of what it reads.

use super::Model;
use super::functional_searches::{self, Search};
use super::functions::Arity;
use super::graph::{FIRST_EXTRA, FOURTH_EXTRA, Graph, NodeId, SECOND_EXTRA, THIRD_EXTRA};
use super::lower::{Context, Lowering};
use super::scope::{Binding, Role};
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::model::{Expression, ExpressionKind};

/// Whether a name is a function over a whole run.
pub(super) fn is_functional(name: &str) -> bool {
    matches!(
        name,
        "final" | "initial" | "at" | "objective" | "integral" | "event_time" | "equilibrium"
    ) || functional_searches::is_search(name)
}

/// When a sample is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// at the start
    Initial,
    /// at the end
    Final,
    /// at a time between
    At(f64),
    /// at a time that parameters give: the so manieth of [`Model::reads`]
    Read(usize),
    /// where the system comes to rest from its initial values, time held at the start
    Rest,
    /// where the so manieth of the searches ended
    Found(usize),
}

/// A functional of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Functional {
    /// when and what: nodes over `TIME`, `STATES` and `PARAMETERS`
    pub samples: Vec<(When, NodeId)>,
    /// whether the objective's value is used
    pub uses_objective: bool,
    /// integrands of the integrals from start to end: nodes over `TIME`, `STATES` and `PARAMETERS`
    pub integrals: Vec<NodeId>,
    /// times of events: the event's index in the model, and how many of its occurrences come before (0 is the first)
    pub event_times: Vec<(usize, usize)>,
    /// what is looked for along the run
    pub searches: Vec<Search>,
    /// the values of all expressions that were lowered together, then those of path constraints: nodes as `root`
    pub roots: Vec<NodeId>,
    /// the value of the first: a node over `PARAMETERS`, `FIRST_EXTRA` (the samples, in order), index 0 of `SECOND_EXTRA` (the
    /// objective), `THIRD_EXTRA` (the integrals, in order), `FOURTH_EXTRA` (the times of events, in order) and `FIFTH_EXTRA` (of
    /// each search the time where it ended, and 1 if that is inside a smooth stretch)
    pub root: NodeId,
}

/// What the functional reads, as met so far.
pub(super) struct Samples {
    pub(super) taken: Vec<(When, NodeId)>,
    uses_objective: bool,
    pub(super) integrals: Vec<NodeId>,
    event_times: Vec<(usize, usize)>,
    pub(super) searches: Vec<Search>,
    /// time and states with their rates of change; `None` where the model does not give them
    pub(super) rates: Option<Vec<(NodeId, NodeId)>>,
    /// times of parameters at which something is read
    reads: Vec<NodeId>,
    /// start and end of the run
    span: [f64; 2],
}

impl Samples {
    /// The place among the times that parameters give.
    fn read(&mut self, at: NodeId) -> usize {
        let known = self.reads.iter().position(|&read| read == at);
        known.unwrap_or_else(|| {
            self.reads.push(at);
            self.reads.len() - 1
        })
    }
}

/// The input of a group that stands for an item; equal items share one.
pub(super) fn input<T: PartialEq>(
    graph: &mut Graph,
    group: u16,
    items: &mut Vec<T>,
    item: T,
) -> NodeId {
    let known = items.iter().position(|known| *known == item);
    let k = known.unwrap_or_else(|| {
        items.push(item);
        items.len() - 1
    });
    graph.input(group, u32::try_from(k).expect("fewer than 2^32 readings"))
}

/// Bounds that hold at all times: an expression, and on how many windows of the run its extremes are looked for.
#[derive(Debug, Clone, Copy)]
pub struct PathBounds<'a> {
    /// what is bounded
    pub expression: &'a Expression,
    /// lower and upper bound, infinite where there is none
    pub bounds: [f64; 2],
    /// number of windows
    pub windows: usize,
}

/// Lowers a functional into the model's graph. Its stop times were met when the model was built; new ones, from
/// comparisons of `t` inside the expression, are added to the model's.
pub fn functional(
    model: &mut Model,
    expression: &Expression,
) -> Result<Functional, Vec<Diagnostic>> {
    functionals(model, &[expression], &[])
}

/// Lowers several, to be read from one run: a root each, and of each path constraint a root for each end of a window, then
/// for the highest and the lowest value inside each window, as far as these are bounded.
pub fn functionals(
    model: &mut Model,
    expressions: &[&Expression],
    paths: &[PathBounds<'_>],
) -> Result<Functional, Vec<Diagnostic>> {
    let rates = functional_searches::rates(model);
    let scope = model.scope.clone();
    let stops = std::mem::take(&mut model.stops);
    let ends = model.ends;
    let mut lowering = Lowering::new(&mut model.graph, scope);
    lowering.span = ends;
    lowering.resume_stops(stops);
    lowering.functional = Some(Samples {
        taken: Vec::new(),
        uses_objective: false,
        integrals: Vec::new(),
        event_times: Vec::new(),
        searches: Vec::new(),
        rates,
        reads: Vec::new(),
        span: model.span,
    });
    let mut roots: Vec<Option<NodeId>> = expressions
        .iter()
        .map(|expression| lowering.lower(expression, Context::ANY))
        .collect();
    for path in paths {
        match lowering.path(path) {
            Some(own) => roots.extend(own.into_iter().map(Some)),
            None => roots.push(None),
        }
    }
    let (samples, diagnostics) = (lowering.functional.take(), lowering.diagnostics);
    model.stops = lowering.stops;
    let roots: Option<Vec<NodeId>> = roots.into_iter().collect();
    match (roots, samples) {
        (Some(roots), Some(samples)) if diagnostics.is_empty() && !roots.is_empty() => {
            model.reads = samples.reads;
            Ok(Functional {
                samples: samples.taken,
                uses_objective: samples.uses_objective,
                integrals: samples.integrals,
                event_times: samples.event_times,
                searches: samples.searches,
                root: roots[0],
                roots,
            })
        }
        _ => Err(diagnostics),
    }
}

impl Lowering<'_> {
    /// `final(e)`, `initial(e)`, `at(e, time)`, `equilibrium(e)`, `objective()` and the like.
    pub(super) fn sample(
        &mut self,
        name: &str,
        span: &Span,
        inner: &[Expression],
        whole: &Expression,
    ) -> Option<NodeId> {
        let Some(mut samples) = self.functional.take() else {
            self.report(
                Diagnostic::error(
                    "model::not-allowed-here",
                    format!("`{name}` is read from a whole run and cannot stand here"),
                    Some(span.clone()),
                )
                .with_help("it stands outermost in the expressions of `[[expect]]` and `--of`"),
            );
            return None;
        };
        let arity = match name {
            "objective" => Arity::Exactly(0),
            "at" => Arity::Exactly(2),
            "event_time" => Arity::Between(1, 2),
            _ => functional_searches::arity(name),
        };
        let counted = self.check_count(name, arity, inner.len(), whole);
        let node = match name {
            _ if counted.is_none() => None,
            "objective" => {
                samples.uses_objective = true;
                Some(self.graph.input(SECOND_EXTRA, 0))
            }
            "integral" => self
                .along_the_run(&inner[0])
                .map(|node| input(self.graph, THIRD_EXTRA, &mut samples.integrals, node)),
            _ if functional_searches::is_search(name) => {
                self.searched(name, inner, whole, &mut samples)
            }
            "event_time" => self
                .occurrence(inner)
                .map(|which| input(self.graph, FOURTH_EXTRA, &mut samples.event_times, which)),
            _ => self
                .sampled(name, inner, &mut samples)
                .map(|sample| input(self.graph, FIRST_EXTRA, &mut samples.taken, sample)),
        };
        self.functional = Some(samples);
        node
    }

    fn sampled(
        &mut self,
        name: &str,
        inner: &[Expression],
        samples: &mut Samples,
    ) -> Option<(When, NodeId)> {
        let value = self.along_the_run(&inner[0]);
        let when = match name {
            "initial" => Some(When::Initial),
            "final" => Some(When::Final),
            "equilibrium" => Some(When::Rest),
            _ => self.sample_time(&inner[1], samples),
        };
        Some((when?, value?))
    }

    /// An expression of the model, in which observables are names, too.
    pub(super) fn along_the_run(&mut self, expression: &Expression) -> Option<NodeId> {
        let hidden = self.bind_observables();
        let value = self.lower(expression, Context::ANY);
        for name in hidden {
            self.scope.names.remove(&name);
        }
        value
    }

    /// `name` or `name, k` of `event_time`: the event's index, and k counted from 0.
    fn occurrence(&mut self, inner: &[Expression]) -> Option<(usize, usize)> {
        let known = |name: &str| self.scope.events.iter().position(|event| event == name);
        let event = match &inner[0].kind {
            ExpressionKind::Name(name) => known(name),
            _ => None,
        };
        if event.is_none() {
            let events = self.scope.events.iter().map(String::as_str);
            let near = match &inner[0].kind {
                ExpressionKind::Name(name) => nearest(name, events.clone()),
                _ => None,
            };
            let listed: Vec<String> = events.map(|event| format!("`{event}`")).collect();
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if listed.is_empty() => "the scenario has no `[[events]]`".to_owned(),
                None => format!("events: {}", listed.join(", ")),
            };
            self.report(
                Diagnostic::error(
                    "model::unknown-name",
                    format!("`{}` is no name of an event", inner[0]),
                    Some(inner[0].span.clone()),
                )
                .with_label("no such event")
                .with_help(help),
            );
        }
        let Some(count) = inner.get(1) else {
            return event.map(|event| (event, 0));
        };
        let number = Context {
            what: "the count of `event_time`",
            states: false,
            time: false,
        };
        let node = self.lower(count, number)?;
        // the largest count of which every smaller one is a whole double, too
        let whole = self
            .graph
            .constant_value(node)
            .filter(|k| (1.0..=9.0e15).contains(k) && k.fract() == 0.0);
        let Some(whole) = whole else {
            self.report(
                Diagnostic::error(
                    "model::event",
                    "the count of `event_time` must be a whole number, at least 1",
                    Some(count.span.clone()),
                )
                .with_help("1 is the first time that the event happens"),
            );
            return None;
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number from 1 to 9e15"
        )]
        let before = whole as usize - 1;
        event.map(|event| (event, before))
    }

    /// Makes observables usable as names; returns those to remove again.
    fn bind_observables(&mut self) -> Vec<String> {
        let mut added = Vec::new();
        for (name, &node) in &self.scope.observables {
            if !self.scope.names.contains_key(name) {
                added.push(name.clone());
                let binding = Binding {
                    role: Role::Observable,
                    node: Some(node),
                };
                self.scope.names.insert(name.clone(), binding);
            }
        }
        added
    }

    /// The time that is a share of the span after the start.
    pub(super) fn share_of_span(&mut self, share: f64, samples: &mut Samples) -> When {
        let [start, end] = self.span;
        match (
            self.graph.constant_value(start),
            self.graph.constant_value(end),
        ) {
            _ if share <= 0.0 => When::Initial,
            _ if share >= 1.0 => When::Final,
            (Some(start), Some(end)) => When::At(start + share * (end - start)),
            _ => {
                let length = self.graph.sub(end, start);
                let share = self.graph.constant(share);
                let passed = self.graph.mul(share, length);
                let at = self.graph.add(start, passed);
                When::Read(samples.read(at))
            }
        }
    }

    fn sample_time(&mut self, expression: &Expression, samples: &mut Samples) -> Option<When> {
        let number = Context {
            what: "a time of `at`",
            states: false,
            time: false,
        };
        let node = self.lower(expression, number)?;
        let [start, end] = samples.span;
        match self.graph.constant_value(node) {
            Some(time) if (start.min(end)..=start.max(end)).contains(&time) => Some(When::At(time)),
            Some(time) => {
                self.report(
                    Diagnostic::error(
                        "model::sample-time",
                        format!("the time {time} is outside the run"),
                        Some(expression.span.clone()),
                    )
                    .with_help(format!("the run is from {start} to {end}")),
                );
                None
            }
            None => Some(When::Read(samples.read(node))),
        }
    }
}
