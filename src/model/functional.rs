//! Functionals of a run: arithmetic over what is read from it, as in `final(x) - at(x, 2)`, `objective()`,
//! `integral(x^2)`, `event_time(bounce, 2)` or `equilibrium(x)`.
//!
//! A functional is a function of samples s_k (a node of the model at a time each), of integrals q_k over the whole run
//! (a node each: dq_k/dt = node, q_k(start) = 0), of times of events, of the experiment's parameters and of the
//! objective's value: its gradient follows by the chain rule from those of what it reads.

use super::Model;
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
    )
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
    /// its value: a node over `PARAMETERS`, `FIRST_EXTRA` (the samples, in order), index 0 of `SECOND_EXTRA` (the
    /// objective), `THIRD_EXTRA` (the integrals, in order) and `FOURTH_EXTRA` (the times of events, in order)
    pub root: NodeId,
}

/// What the functional reads, as met so far.
pub(super) struct Samples {
    taken: Vec<(When, NodeId)>,
    uses_objective: bool,
    integrals: Vec<NodeId>,
    event_times: Vec<(usize, usize)>,
    /// times of parameters at which something is read
    reads: Vec<NodeId>,
    /// start and end of the run
    span: [f64; 2],
}

/// The input of a group that stands for an item; equal items share one.
fn input<T: PartialEq>(graph: &mut Graph, group: u16, items: &mut Vec<T>, item: T) -> NodeId {
    let known = items.iter().position(|known| *known == item);
    let k = known.unwrap_or_else(|| {
        items.push(item);
        items.len() - 1
    });
    graph.input(group, u32::try_from(k).expect("fewer than 2^32 readings"))
}

/// Lowers a functional into the model's graph. Its stop times were met when the model was built; new ones, from
/// comparisons of `t` inside the expression, are added to the model's.
pub fn functional(
    model: &mut Model,
    expression: &Expression,
) -> Result<Functional, Vec<Diagnostic>> {
    let scope = model.scope.clone();
    let stops = std::mem::take(&mut model.stops);
    let mut lowering = Lowering::new(&mut model.graph, scope);
    lowering.resume_stops(stops);
    lowering.functional = Some(Samples {
        taken: Vec::new(),
        uses_objective: false,
        integrals: Vec::new(),
        event_times: Vec::new(),
        reads: Vec::new(),
        span: model.span,
    });
    let root = lowering.lower(expression, Context::ANY);
    let (samples, diagnostics) = (lowering.functional.take(), lowering.diagnostics);
    model.stops = lowering.stops;
    match (root, samples) {
        (Some(root), Some(samples)) if diagnostics.is_empty() => {
            model.reads = samples.reads;
            Ok(Functional {
                samples: samples.taken,
                uses_objective: samples.uses_objective,
                integrals: samples.integrals,
                event_times: samples.event_times,
                root,
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
            _ => Arity::Exactly(1),
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
    fn along_the_run(&mut self, expression: &Expression) -> Option<NodeId> {
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
            None => {
                let known = samples.reads.iter().position(|&read| read == node);
                Some(When::Read(known.unwrap_or_else(|| {
                    samples.reads.push(node);
                    samples.reads.len() - 1
                })))
            }
        }
    }
}
