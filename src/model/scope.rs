//! Names and what they stand for; the order in which definitions can be lowered, and the cycles that have none.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::arrays::Block;
use super::delay::Lags;
use super::expression::{Expression, ExpressionKind};
use super::graph::{Graph, Op, PARAMETERS, STATES, TIME};
use super::lower_networks::NetworkBinding;
use super::{NodeId, functions};
use crate::diagnostic::{Diagnostic, Span};
use crate::scenario::{Boundary, EdgeSet, Name, Scenario, SignalKind, UserFunction};

/// What a name was given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    State,
    Parameter,
    Definition,
    Signal,
    Observable,
}

impl Role {
    /// With its article, for messages.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::State => "a state",
            Self::Parameter => "a parameter",
            Self::Definition => "a definition",
            Self::Signal => "a signal",
            Self::Observable => "an observable",
        }
    }
}

/// A name's node; `None` where it could not be lowered, which was reported then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binding {
    pub(super) role: Role,
    pub(super) node: Option<NodeId>,
}

/// An index set.
#[derive(Debug, Clone)]
pub(super) struct IndexSet {
    pub(super) name: String,
    pub(super) size: u32,
    /// what stands before the first place and after the last; `None`: nothing
    pub(super) ends: Option<[End; 2]>,
    /// where that is a value, its expression
    pub(super) values: [Option<Arc<Expression>>; 2],
}

/// What stands beyond an end of an index set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    Periodic,
    Clamp,
    Zero,
    /// the value of an expression
    Value,
}

/// An array that a name stands for.
#[derive(Debug, Clone)]
pub(super) struct ArrayBinding {
    pub(super) role: Role,
    /// its indices, by their places in [`Scope::indices`]
    pub(super) over: Vec<usize>,
    pub(super) value: ArrayValue,
}

/// Where the elements of an array come from.
#[derive(Debug, Clone)]
pub(super) enum ArrayValue {
    /// an input
    Input(Block),
    /// a node over the axes of its dimensions; `None` where it could not be lowered
    Node(Option<NodeId>),
}

/// All names that an expression of the model can use.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub(super) names: HashMap<String, Binding>,
    pub(super) arrays: HashMap<String, ArrayBinding>,
    pub(super) indices: Vec<IndexSet>,
    pub(super) graphs: Vec<Arc<EdgeSet>>,
    /// observables: usable in functionals only, where no other name is the same
    pub(super) observables: HashMap<String, NodeId>,
    /// names of the events, in order
    pub(super) events: Vec<String>,
    pub(super) functions: HashMap<String, Arc<UserFunction>>,
    pub(super) networks: HashMap<String, Arc<NetworkBinding>>,
    /// functions that call themselves: reported, never expanded
    pub(super) recursive: HashSet<String>,
    /// delayed values
    pub(super) lags: Lags,
}

/// Words that cannot be names, and why.
pub(super) fn reserved(name: &str) -> Option<&'static str> {
    Some(match name {
        "t" => "`t` is time",
        "pi" => "`pi` is 3.14159...",
        "and" | "or" | "not" => "it is an operator",
        "if" => "it is a function",
        _ => return None,
    })
}

/// What inputs a node depends on.
#[derive(Debug, Clone, Default)]
pub(super) struct Dependence {
    flags: Vec<u8>,
    /// where discrete states are among the states
    pub(super) discrete: Vec<Range<u32>>,
}

impl Dependence {
    const STATE: u8 = 1;
    const TIME: u8 = 2;
    const MIDDLE: u8 = 4;
    const OTHER: u8 = 8;
    /// a state that events alone change
    const DISCRETE: u8 = 16;

    fn of_input(&self, group: u16, index: u32) -> u8 {
        match group {
            STATES if self.discrete.iter().any(|range| range.contains(&index)) => Self::DISCRETE,
            STATES => Self::STATE,
            TIME if index == 0 => Self::TIME,
            TIME => Self::MIDDLE,
            PARAMETERS => 0,
            _ => Self::OTHER,
        }
    }

    fn flags(&mut self, graph: &Graph, id: NodeId) -> u8 {
        for k in self.flags.len()..=id.0 as usize {
            #[expect(clippy::cast_possible_truncation, reason = "k <= id.0, which is u32")]
            let op = graph.op(NodeId(k as u32));
            let flag = match op {
                Op::Input(input) => self.of_input(input.group, input.index),
                Op::Gather(gather) => {
                    let gather = graph.arrays().gather(gather);
                    self.of_input(gather.group, gather.base)
                }
                op => op
                    .operands()
                    .fold(0, |flag, operand| flag | self.flags[operand.0 as usize]),
            };
            self.flags.push(flag);
        }
        self.flags[id.0 as usize]
    }
    pub(super) fn on_states(&mut self, graph: &Graph, id: NodeId) -> bool {
        self.flags(graph, id) & (Self::STATE | Self::DISCRETE) != 0
    }
    pub(super) fn on_time(&mut self, graph: &Graph, id: NodeId) -> bool {
        self.flags(graph, id) & (Self::TIME | Self::MIDDLE) != 0
    }
    /// Whether the node changes, if at all, at events and stops alone: it depends neither on t itself nor on states that are not
    /// discrete.
    pub(super) fn is_constant_between_stops(&mut self, graph: &Graph, id: NodeId) -> bool {
        self.flags(graph, id) & !(Self::MIDDLE | Self::DISCRETE) == 0
    }
    /// Whether the node changes at events alone, if at all.
    pub(super) fn is_constant_between_events(&mut self, graph: &Graph, id: NodeId) -> bool {
        self.flags(graph, id) & !Self::DISCRETE == 0
    }
    /// Whether the node is a function of parameters alone, or a number.
    pub(super) fn on_parameters_only(&mut self, graph: &Graph, id: NodeId) -> bool {
        self.flags(graph, id) == 0
    }
}

/// Checks the names given in the tables: each once among states, parameters, definitions and signals, and none
/// that is taken by the language.
pub(super) fn check_names(scenario: &Scenario, diagnostics: &mut Vec<Diagnostic>) {
    let tables = [
        (
            Role::Parameter,
            scenario
                .parameters
                .iter()
                .map(|p| &p.name)
                .collect::<Vec<_>>(),
        ),
        (
            Role::State,
            scenario.states.iter().map(|s| &s.name).collect(),
        ),
        (
            Role::Definition,
            scenario.definitions.iter().map(|d| &d.name).collect(),
        ),
        (
            Role::Signal,
            scenario.signals.iter().map(|s| &s.name).collect(),
        ),
    ];
    let mut seen: HashMap<&str, (Role, &Name)> = HashMap::new();
    for (role, names) in tables {
        for name in names {
            check_reserved(name, diagnostics);
            if let Some((other, first)) = seen.get(name.text.as_str()) {
                let (line, _) = first.span.file.line_column(first.span.start);
                diagnostics.push(
                    Diagnostic::error(
                        "model::duplicate-name",
                        format!("`{}` is the name of {} already", name.text, other.words()),
                        Some(name.span.clone()),
                    )
                    .with_help(format!(
                        "it was given on line {line}; rename {} here or there",
                        role.words().replacen("a ", "the ", 1)
                    )),
                );
            } else {
                seen.insert(&name.text, (role, name));
            }
        }
    }
    let networks = scenario.networks.iter().map(|network| &network.name);
    for name in scenario.functions.iter().map(|f| &f.name).chain(networks) {
        if functions::function(&name.text).is_some() || super::functional::is_functional(&name.text)
        {
            diagnostics.push(
                Diagnostic::error(
                    "model::reserved-name",
                    format!("`{}` is a built-in function", name.text),
                    Some(name.span.clone()),
                )
                .with_help("choose another name"),
            );
        } else {
            check_reserved(name, diagnostics);
        }
    }
    for function in &scenario.functions {
        let mut arguments = HashSet::new();
        for argument in &function.arguments {
            check_reserved(argument, diagnostics);
            if !arguments.insert(&argument.text) {
                diagnostics.push(
                    Diagnostic::error(
                        "model::duplicate-name",
                        format!(
                            "`{}` is an argument of `{}` twice",
                            argument.text, function.name.text
                        ),
                        Some(argument.span.clone()),
                    )
                    .with_help("rename one of them"),
                );
            }
        }
    }
}

fn check_reserved(name: &Name, diagnostics: &mut Vec<Diagnostic>) {
    if let Some(why) = reserved(&name.text) {
        diagnostics.push(
            Diagnostic::error(
                "model::reserved-name",
                format!("`{}` cannot be a name: {why}", name.text),
                Some(name.span.clone()),
            )
            .with_help("choose another name"),
        );
    }
}

/// The expressions of a signal.
pub(super) fn signal_expressions(kind: &SignalKind) -> Vec<&Expression> {
    match kind {
        SignalKind::Step { at, before, after } => vec![at, before, after],
        SignalKind::Ramp {
            start,
            end,
            from,
            to,
        } => vec![start, end, from, to],
        SignalKind::Sine {
            amplitude,
            frequency,
            phase,
            offset,
        } => vec![amplitude, frequency, phase, offset],
        SignalKind::Pulse {
            start,
            width,
            period,
            low,
            high,
        } => {
            let mut all = vec![start, width, low, high];
            all.extend(period);
            all
        }
        SignalKind::Expression(expression) => vec![expression],
        SignalKind::Table { .. } | SignalKind::Knots { .. } => Vec::new(),
    }
}

/// Something named that is computed from other things named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Item {
    Definition(usize),
    Signal(usize),
    Function(usize),
}

/// Definitions, signals and functions, each after those it uses.
pub(super) struct Order {
    pub(super) items: Vec<Item>,
    /// those on a cycle
    pub(super) cyclic: HashSet<Item>,
}

/// Sorts by use (depth-first, without recursion) and reports cycles.
pub(super) fn order(scenario: &Scenario, diagnostics: &mut Vec<Diagnostic>) -> Order {
    let mut all: Vec<(Item, &Name, Vec<&Expression>, &[Name])> = Vec::new();
    let beyond: Vec<&Expression> = scenario
        .indices
        .iter()
        .flat_map(|index| index.ends.iter().flatten())
        .filter_map(|end| match end {
            Boundary::Value(expression) => Some(expression),
            _ => None,
        })
        .collect();
    for (k, definition) in scenario.definitions.iter().enumerate() {
        let mut expressions = vec![&definition.expression];
        if !definition.over.is_empty() || reads_elements(&definition.expression) {
            expressions.extend(&beyond);
        }
        all.push((Item::Definition(k), &definition.name, expressions, &[]));
    }
    for (k, signal) in scenario.signals.iter().enumerate() {
        all.push((
            Item::Signal(k),
            &signal.name,
            signal_expressions(&signal.kind),
            &[],
        ));
    }
    for (k, function) in scenario.functions.iter().enumerate() {
        let expressions = vec![&function.expression];
        all.push((
            Item::Function(k),
            &function.name,
            expressions,
            &function.arguments,
        ));
    }
    let (mut by_name, mut by_function) = (HashMap::new(), HashMap::new());
    for (k, (item, name, _, _)) in all.iter().enumerate() {
        let table = match item {
            Item::Function(_) => &mut by_function,
            _ => &mut by_name,
        };
        table.entry(name.text.as_str()).or_insert(k);
    }
    let uses: Vec<Vec<(usize, &Span)>> = all
        .iter()
        .map(|(_, _, expressions, arguments)| {
            let mut found = Vec::new();
            let mut stack = expressions.clone();
            while let Some(expression) = stack.pop() {
                match &expression.kind {
                    ExpressionKind::Number(_) => {}
                    ExpressionKind::Name(name) => {
                        if !arguments.iter().any(|argument| argument.text == *name)
                            && let Some(&k) = by_name.get(name.as_str())
                        {
                            found.push((k, &expression.span));
                        }
                    }
                    ExpressionKind::Element(name, span, inner) => {
                        if let Some(&k) = by_name.get(name.as_str()) {
                            found.push((k, span));
                        }
                        stack.extend(inner);
                    }
                    ExpressionKind::Call(name, span, inner) => {
                        if let Some(&k) = by_function.get(name.as_str()) {
                            found.push((k, span));
                        }
                        stack.extend(inner);
                    }
                    ExpressionKind::Negate(a) | ExpressionKind::Not(a) => stack.push(a),
                    ExpressionKind::Arithmetic(_, a, b)
                    | ExpressionKind::Compare(_, a, b)
                    | ExpressionKind::And(a, b)
                    | ExpressionKind::Or(a, b)
                    | ExpressionKind::Output(a, b) => stack.extend([&**a, &**b]),
                }
            }
            found.sort_by_key(|(_, span)| span.start);
            found
        })
        .collect();

    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; all.len()];
    let mut result = Order {
        items: Vec::new(),
        cyclic: HashSet::new(),
    };
    for root in 0..all.len() {
        if marks[root] != Mark::New {
            continue;
        }
        marks[root] = Mark::Open;
        let mut path = vec![(root, 0)];
        while let Some((k, next)) = path.last_mut() {
            let k = *k;
            let Some(&(used, span)) = uses[k].get(*next) else {
                marks[k] = Mark::Done;
                result.items.push(all[k].0);
                path.pop();
                continue;
            };
            *next += 1;
            match marks[used] {
                Mark::Done => {}
                Mark::New => {
                    marks[used] = Mark::Open;
                    path.push((used, 0));
                }
                Mark::Open => {
                    let first = path.iter().position(|&(k, _)| k == used).unwrap_or(0);
                    let members: Vec<usize> = path[first..].iter().map(|&(k, _)| k).collect();
                    result.cyclic.extend(members.iter().map(|&k| all[k].0));
                    let names: Vec<&Name> = members.iter().map(|&k| all[k].1).collect();
                    diagnostics.push(cycle(&names, span, scenario));
                }
            }
        }
    }
    result
}

/// Whether an expression may read elements of arrays, and so what stands beyond their ends.
fn reads_elements(expression: &Expression) -> bool {
    match &expression.kind {
        ExpressionKind::Number(_) | ExpressionKind::Name(_) => false,
        ExpressionKind::Element(..) => true,
        ExpressionKind::Call(name, _, inner) => {
            matches!(name.as_str(), "sum" | "mean") || inner.iter().any(reads_elements)
        }
        ExpressionKind::Negate(a) | ExpressionKind::Not(a) => reads_elements(a),
        ExpressionKind::Arithmetic(_, a, b)
        | ExpressionKind::Compare(_, a, b)
        | ExpressionKind::And(a, b)
        | ExpressionKind::Or(a, b)
        | ExpressionKind::Output(a, b) => reads_elements(a) || reads_elements(b),
    }
}

/// The finding for a cycle; `back` is where the last of `names` uses the first.
fn cycle(names: &[&Name], back: &Span, scenario: &Scenario) -> Diagnostic {
    // a cycle of thousands is told by its ends
    const SHOWN: usize = 12;
    let mut chain: Vec<&str> = names
        .iter()
        .take(SHOWN)
        .map(|name| name.text.as_str())
        .collect();
    if names.len() > SHOWN {
        chain.push("...");
    }
    chain.push(&names[0].text);
    let places: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| {
            let (line, column) = name.span.file.line_column(name.span.start);
            format!("`{}` at {line}:{column}", name.text)
        })
        .collect();
    let through = scenario.controllers.iter().find(|controller| {
        names
            .iter()
            .any(|name| controller.definitions.contains(&name.text))
    });
    if let Some(controller) = through {
        return Diagnostic::error(
            "model::algebraic-loop",
            format!(
                "the controller `{}` answers to itself at once, an algebraic loop: {}",
                controller.name.text,
                chain.join(" -> ")
            ),
            Some(back.clone()),
        )
        .with_label("closes the loop")
        .with_help("a block with feed-through needs a state in its loop: give it `sample_time` or `actuator_lag`, or let it measure a state of the plant");
    }
    Diagnostic::error(
        "model::cycle",
        format!(
            "`{}` is defined by itself: {}",
            chain[0],
            chain.join(" -> ")
        ),
        Some(back.clone()),
    )
    .with_label("closes the cycle")
    .with_help(format!("break the cycle: {}", places.join(", ")))
}
