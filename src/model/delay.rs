//! `delay(e, tau)`: the value that an expression had tau earlier, tau a constant of the run that may be a parameter.
//!
//! Each delayed value l(t) = e(t - tau) is a state behind the model's own (see [`crate::compile::lags`]), so that whatever reads
//! states reads it. Its row of the right-hand side is -l/tau; what the past adds to it is e'(t - tau) + e(t - tau)/tau.
//!
//! A jump or a kink at time s comes back at s + tau through each delayed value that feels it, then again one order smoother
//! (Bellen & Zennaro, Numerical Methods for Delay Differential Equations, 2003, chapter 2): [`echoes`] are the sums of delays at which that is.

use std::collections::{HashMap, HashSet};

use super::build::Model;
use super::event::TriggerModel;
use super::expression::Expression;
use super::graph::{Graph, NodeId, Op, STATES, TIME};
use super::lower::{Arguments, Context, Lowering};
use super::mass::MassEntry;
use crate::diagnostic::{Diagnostic, Span};
use crate::scenario::Scenario;

/// Echoes that are followed: after so many a jump is a jump of the fifth derivative, which error control sees to.
const MOST_ECHOES: usize = 5;
/// Sums of delays at which one break comes back, at most.
const MOST_SUMS: usize = 64;

/// A delayed value.
#[derive(Debug, Clone, PartialEq)]
pub struct LagModel {
    /// how it was written
    pub name: String,
    /// the number of its state
    pub state: usize,
    /// e, a node over `TIME`, `STATES` and `PARAMETERS`
    pub value: NodeId,
    /// tau, of the experiment's parameters
    pub delay: NodeId,
    /// e before the start of a run and its first and second derivatives in time; `STATES` holds those at the start
    pub before: [NodeId; 3],
    /// its row where an equilibrium is looked for: (e - l)/tau
    pub rest: NodeId,
}

/// The delayed values met while a scenario is lowered.
#[derive(Debug, Clone, Default)]
pub(super) struct Lags {
    /// number of the model's own states
    pub first: usize,
    /// whether there may be more of them
    pub open: bool,
    pub met: Vec<Lag>,
}

#[derive(Debug, Clone)]
pub(super) struct Lag {
    name: String,
    value: NodeId,
    delay: NodeId,
}

const HISTORY: Context = Context {
    what: "a value before the start",
    states: false,
    time: true,
};

impl Lowering<'_> {
    /// `[history]`: numbers of states, and their nodes before the start; `None` where something was reported.
    pub(super) fn history(&mut self, scenario: &Scenario) -> Option<Vec<(usize, NodeId)>> {
        let names = scenario.state_names();
        let mut nodes = Vec::new();
        for (name, value) in &scenario.history {
            let node = self.lower(value, HISTORY);
            let index = self.state_index(name, &scenario.states);
            if index.is_some_and(|index| !scenario.states[index].over.is_empty()) {
                let text = format!(
                    "`{}` is an array, and `[history]` is for single states",
                    name.text
                );
                self.report(Diagnostic::error(
                    "model::delay",
                    text,
                    Some(name.span.clone()),
                ));
                nodes.push(None);
                continue;
            }
            nodes.push(
                index
                    .zip(node)
                    .map(|(index, node)| (names.slots()[index].first, node)),
            );
        }
        nodes.into_iter().collect()
    }

    /// The node of `delay(e, tau)`.
    pub(super) fn delay(
        &mut self,
        inner: &[Expression],
        whole: &Expression,
        arguments: &Arguments,
        context: Context,
    ) -> Option<NodeId> {
        let wrong = |text: &str, help: &str| {
            Diagnostic::error("model::delay", text, Some(whole.span.clone())).with_help(help)
        };
        let [what, by] = inner else {
            self.report(wrong(
                &format!("`delay` takes 2 arguments, not {}", inner.len()),
                "delay(x, tau): the value of x tau earlier",
            ));
            return None;
        };
        if !context.states {
            self.report(wrong(
                &format!("{} cannot read the past of a run", context.what),
                "`delay` stands in equations, definitions, events and observables",
            ));
            return None;
        }
        let value = self.node(what, arguments, context);
        let delay = self.node(by, arguments, context)?;
        let value = value?;
        if self.checks_functions {
            return Some(value);
        }
        if !self.dependence.on_parameters_only(self.graph, delay) {
            self.report(wrong(
                "a delay is constant along a run",
                "write a number, or an expression of parameters",
            ));
            return None;
        }
        if let Some(length) = self.graph.constant_value(delay)
            && !(length > 0.0 && length.is_finite())
        {
            self.report(wrong(
                &format!("a delay of {length} is none"),
                "a delay is above zero; without one, write the expression itself",
            ));
            return None;
        }
        if !self.graph.axes(value).is_empty() || !self.graph.axes(delay).is_empty() {
            self.report(wrong(
                "`delay` takes a single value, not one that varies along an index",
                "delay elements one by one: `delay(u[3], tau)`",
            ));
            return None;
        }
        if self.dependence.on_parameters_only(self.graph, value) {
            return Some(value);
        }
        let lags = &mut self.scope.lags;
        let known = |lag: &Lag| lag.value == value && lag.delay == delay;
        let index = match lags.met.iter().position(known) {
            Some(index) => index,
            None if lags.open => {
                lags.met.push(Lag {
                    name: whole.to_string(),
                    value,
                    delay,
                });
                lags.met.len() - 1
            }
            None => {
                self.report(wrong(
                    "no equation, event or observable reads this delayed value",
                    "give it a name: an observable `seen = \"delay(...)\"`, then read `seen`",
                ));
                return None;
            }
        };
        let state = u32::try_from(self.scope.lags.first + index).ok()?;
        Some(self.graph.input(STATES, state))
    }
}

/// Adds the states of the delayed values to a model; `history` are nodes of time and parameters for states before the start.
pub(super) fn add_states(model: &mut Model, history: &[(usize, NodeId)]) {
    let lags = model.scope.lags.clone();
    model.scope.lags.open = false;
    let (zero, one) = (model.graph.constant(0.0), model.graph.constant(1.0));
    let t = model.graph.input(TIME, 0);
    for (state, lag) in (lags.first..).zip(lags.met) {
        let own = model.graph.input(STATES, state as u32);
        let rate = model.graph.div(own, lag.delay);
        let behind = model.graph.sub(lag.value, own);
        let value = in_the_past(&mut model.graph, lag.value, history);
        let slope = super::jvp(&mut model.graph, &[value], &[(t, one)])[0];
        let curvature = super::jvp(&mut model.graph, &[slope], &[(t, one)])[0];
        model.rhs.push(model.graph.neg(rate));
        model.states.push(lag.name.clone(), Vec::new());
        model.discrete.push(false);
        for experiment in &mut model.experiments {
            experiment.initial.push(zero);
            if let Some(before) = &mut experiment.before {
                before.initial.push(zero);
                before.given.push(false);
            }
        }
        if let Some(mass) = &mut model.mass {
            mass.push(MassEntry {
                row: state,
                column: state,
                node: one,
            });
        }
        model.lags.push(LagModel {
            name: lag.name,
            state,
            value: lag.value,
            delay: lag.delay,
            before: [value, slope, curvature],
            rest: model.graph.div(behind, lag.delay),
        });
    }
}

/// An expression with states replaced by what they were before the start.
fn in_the_past(graph: &mut Graph, value: NodeId, history: &[(usize, NodeId)]) -> NodeId {
    let mut renamed: HashMap<NodeId, NodeId> = HashMap::new();
    let known: HashMap<usize, NodeId> = history.iter().copied().collect();
    for id in graph.live(&[value]) {
        let made = match graph.op(id) {
            Op::Input(input) if input.group == STATES => {
                known.get(&(input.index as usize)).copied().unwrap_or(id)
            }
            op => graph.rebuilt(op, |operand| renamed[&operand]),
        };
        renamed.insert(id, made);
    }
    renamed[&value]
}

/// What is wrong with events that change what a delayed value reads at times found on the way.
pub(super) fn check_events(model: &Model, spans: &[Span]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if model.lags.is_empty() {
        return found;
    }
    let reads = Reads::of(model);
    for (event, span) in model.events.iter().zip(spans) {
        let TriggerModel::Root { .. } = event.trigger else {
            continue;
        };
        let reached = reads.reached(changed(model, event));
        if let Some((_, lag)) = (reads.lags.iter().zip(&model.lags))
            .find(|(of, _)| of.iter().any(|state| reached.contains(state)))
        {
            found.push(
                Diagnostic::error(
                    "model::delay",
                    format!(
                        "`{}` changes what `{}` reads, at a time that is found on the way",
                        event.name, lag.name
                    ),
                    Some(span.clone()),
                )
                .with_help("with delays, states that matter to them jump at given times (`at`, `every`) only; a smooth form such as `softstep` switches without an event"),
            );
        }
    }
    found
}

/// The states that an event sets.
fn changed<'m>(model: &'m Model, event: &'m super::EventModel) -> impl Iterator<Item = usize> + 'm {
    let of = |&(first, root): &(usize, NodeId)| first..first + model.graph.size(root);
    event.set.iter().flat_map(of)
}

/// The sums of delays after which a break comes back, each as the numbers of the delayed values, from an event's jump or, for `None`, from
/// a break that any of them may feel.
pub fn echoes(model: &Model, event: Option<usize>) -> Vec<Vec<usize>> {
    let count = model.lags.len();
    if count == 0 {
        return Vec::new();
    }
    let reads = Reads::of(model);
    let after: Vec<HashSet<usize>> = model
        .lags
        .iter()
        .map(|lag| reads.reached([lag.state]))
        .collect();
    let feels =
        |lag: usize, reached: &HashSet<usize>| reads.lags[lag].iter().any(|s| reached.contains(s));
    let first: Vec<usize> = match event {
        None => (0..count).collect(),
        Some(event) => {
            let reached = reads.reached(changed(model, &model.events[event]));
            (0..count).filter(|&lag| feels(lag, &reached)).collect()
        }
    };
    let mut open: Vec<Vec<usize>> = first.into_iter().map(|lag| vec![lag]).collect();
    let (mut sums, mut seen) = (Vec::new(), HashSet::new());
    for _ in 0..MOST_ECHOES {
        let mut next = Vec::new();
        for path in open {
            let mut sum = path.clone();
            sum.sort_unstable();
            if sums.len() < MOST_SUMS && seen.insert(sum.clone()) {
                sums.push(sum);
            }
            let last = path.last().copied().unwrap_or(0);
            for lag in (0..count).filter(|&lag| feels(lag, &after[last])) {
                let mut longer = path.clone();
                longer.push(lag);
                next.push(longer);
            }
        }
        // what is reached goes on by where it stands, not by how it came there
        let mut known = HashSet::new();
        next.retain(|path| {
            let mut sum = path.clone();
            sum.sort_unstable();
            known.insert((path.last().copied(), sum))
        });
        open = next;
    }
    sums
}

/// Which states right-hand sides and delayed expressions read.
struct Reads {
    /// by state: the states whose slopes read it
    users: HashMap<usize, Vec<usize>>,
    /// by delayed value: the states that its expression reads
    lags: Vec<Vec<usize>>,
}

impl Reads {
    fn of(model: &Model) -> Self {
        let mut users: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut row = 0;
        for &root in &model.rhs {
            let size = model.graph.size(root);
            for state in states_read(&model.graph, root) {
                users.entry(state).or_default().extend(row..row + size);
            }
            row += size;
        }
        Self {
            users,
            lags: model
                .lags
                .iter()
                .map(|lag| states_read(&model.graph, lag.value))
                .collect(),
        }
    }

    /// These states and all whose course they change.
    fn reached(&self, states: impl IntoIterator<Item = usize>) -> HashSet<usize> {
        let mut open: Vec<usize> = states.into_iter().collect();
        let mut reached: HashSet<usize> = open.iter().copied().collect();
        while let Some(state) = open.pop() {
            for &user in self.users.get(&state).into_iter().flatten() {
                if reached.insert(user) {
                    open.push(user);
                }
            }
        }
        reached
    }
}

/// The states that a node is computed from.
fn states_read(graph: &Graph, root: NodeId) -> Vec<usize> {
    let of = |id| match graph.op(id) {
        Op::Input(input) if input.group == STATES => input.index..input.index + 1,
        Op::Gather(gather) => {
            let gather = graph.arrays().gather(gather);
            match gather.group {
                STATES => gather.base..gather.end(),
                _ => 0..0,
            }
        }
        _ => 0..0,
    };
    graph
        .live(&[root])
        .into_iter()
        .flat_map(of)
        .map(|state| state as usize)
        .collect()
}
