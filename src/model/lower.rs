//! One syntax tree to one node: names looked up, functions expanded, places kept for what is wrong.

use std::collections::{HashMap, HashSet};

use costate_solvers::Comparison;

use super::StopTime;
use super::expression::{Arithmetic, Expression, ExpressionKind};
use super::functional::Samples;
use super::functions::{self, Arity};
use super::graph::{FIRST_EXTRA, Graph, NodeId, TIME, Unary};
use super::nonsmooth::NonSmooth;
use super::scope::{Dependence, Role, Scope};
use crate::diagnostic::{Diagnostic, Span, nearest};

/// Deepest nesting while functions are expanded.
const MOST_DEPTH: usize = 1500;
/// Most steps inside functions that are expanded: functions that call functions can grow without bound.
const MOST_STEPS: usize = 1_000_000;
/// Most findings of one scenario.
const MOST_FINDINGS: usize = 100;

/// What an expression may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Context {
    /// what it is, with its article
    pub(super) what: &'static str,
    /// states
    pub(super) states: bool,
    /// `t`, signals
    pub(super) time: bool,
}

impl Context {
    /// A right-hand side, an observable: anything.
    pub(super) const ANY: Self = Self {
        what: "an expression",
        states: true,
        time: true,
    };
}

/// The state of lowering.
pub(super) struct Lowering<'a> {
    pub(super) graph: &'a mut Graph,
    pub(super) scope: Scope,
    pub(super) dependence: Dependence,
    pub(super) stops: Vec<StopTime>,
    known_stops: HashSet<StopTime>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// where a functional is being lowered: its samples
    pub(super) functional: Option<Samples>,
    /// rough operations met, and their places
    pub(super) nonsmooth: Vec<NonSmooth>,
    /// operations with a point where they have no derivative
    pub(super) singular: Vec<NonSmooth>,
    noted: HashSet<(usize, usize)>,
    reported: HashSet<(usize, usize, &'static str)>,
    expansions: HashMap<(String, Vec<NodeId>, Context), Option<NodeId>>,
    /// start and end of the run as nodes
    pub(super) span: [NodeId; 2],
    steps: usize,
    depth: usize,
    /// what stands beyond ends of indices: (index, end)
    pub(super) boundary_values: HashMap<(usize, usize), Option<NodeId>>,
    /// sums that are open
    pub(super) open: u8,
    /// functions are looked through for findings, their arguments standing for anything
    pub(super) checks_functions: bool,
}

/// Arguments of the function being expanded, and indices that are bound.
pub(super) type Arguments<'a> = [(&'a str, NodeId)];

impl<'a> Lowering<'a> {
    pub(super) fn new(graph: &'a mut Graph, scope: Scope) -> Self {
        let nothing = graph.constant(f64::NAN);
        Self {
            span: [nothing; 2],
            graph,
            scope,
            dependence: Dependence::default(),
            stops: Vec::new(),
            known_stops: HashSet::new(),
            diagnostics: Vec::new(),
            functional: None,
            nonsmooth: Vec::new(),
            singular: Vec::new(),
            noted: HashSet::new(),
            reported: HashSet::new(),
            expansions: HashMap::new(),
            steps: 0,
            depth: 0,
            boundary_values: HashMap::new(),
            open: 0,
            checks_functions: false,
        }
    }

    /// Goes on from stops met before.
    pub(super) fn resume_stops(&mut self, stops: Vec<StopTime>) {
        self.known_stops.extend(&stops);
        self.stops = stops;
    }

    /// Reports once a place and kind: the body of a function is lowered at each of its calls.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        let key = diagnostic
            .span
            .as_ref()
            .map_or((0, 0, diagnostic.code), |span| {
                (span.start, span.end, diagnostic.code)
            });
        if self.diagnostics.len() < MOST_FINDINGS && self.reported.insert(key) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Adds a stop, once.
    pub(super) fn stop(&mut self, at: NodeId, period: Option<NodeId>) {
        let stop = StopTime { at, period };
        if self.known_stops.insert(stop) {
            self.stops.push(stop);
        }
    }

    /// The node of an expression; `None` where something was reported, here or where a name it uses was given.
    pub(super) fn lower(&mut self, expression: &Expression, context: Context) -> Option<NodeId> {
        self.node(expression, &[], context)
    }

    pub(super) fn node(
        &mut self,
        expression: &Expression,
        arguments: &Arguments,
        context: Context,
    ) -> Option<NodeId> {
        self.steps += usize::from(!arguments.is_empty());
        if self.depth >= MOST_DEPTH || self.steps > MOST_STEPS {
            self.report(
                Diagnostic::error(
                    "model::size",
                    "functions call functions too often or too deeply",
                    Some(expression.span.clone()),
                )
                .with_help("give intermediate results names in `[definitions]`"),
            );
            return None;
        }
        self.depth += 1;
        let node = self.of_kind(expression, arguments, context);
        self.depth -= 1;
        node
    }

    fn of_kind(
        &mut self,
        expression: &Expression,
        arguments: &Arguments,
        context: Context,
    ) -> Option<NodeId> {
        match &expression.kind {
            ExpressionKind::Number(value) => Some(self.graph.constant(*value)),
            ExpressionKind::Name(name) => self.name(name, &expression.span, arguments, context),
            ExpressionKind::Negate(a) => {
                let a = self.node(a, arguments, context)?;
                Some(self.graph.neg(a))
            }
            ExpressionKind::Not(a) => {
                let a = self.node(a, arguments, context)?;
                Some(self.graph.not(a))
            }
            ExpressionKind::Arithmetic(operator, a, b) => {
                let (a, b) = self.pair(a, b, arguments, context)?;
                Some(match operator {
                    Arithmetic::Add => self.graph.add(a, b),
                    Arithmetic::Subtract => self.graph.sub(a, b),
                    Arithmetic::Multiply => self.graph.mul(a, b),
                    Arithmetic::Divide => self.graph.div(a, b),
                    Arithmetic::Power => {
                        self.note_singular("^", a, Some(b), &expression.span);
                        self.graph.pow(a, b)
                    }
                })
            }
            ExpressionKind::Compare(comparison, a, b) => {
                let (a, b) = self.pair(a, b, arguments, context)?;
                self.note_comparison(*comparison, a, b, &expression.span);
                Some(self.compare(*comparison, a, b))
            }
            ExpressionKind::And(a, b) => {
                let (a, b) = self.pair(a, b, arguments, context)?;
                Some(self.graph.and(a, b))
            }
            ExpressionKind::Or(a, b) => {
                let (a, b) = self.pair(a, b, arguments, context)?;
                Some(self.graph.or(a, b))
            }
            ExpressionKind::Element(name, span, places) => {
                self.element(name, span, places, arguments, context)
            }
            ExpressionKind::Call(name, span, inner) if self.is_reduction(name) => {
                self.reduction(name, span, inner, expression, arguments, context)
            }
            ExpressionKind::Call(name, _, inner) if self.scope.networks.contains_key(name) => {
                self.network(name, inner, None, expression, arguments, context)
            }
            ExpressionKind::Call(name, _, inner) if name == "delay" => {
                self.delay(inner, expression, arguments, context)
            }
            ExpressionKind::Call(name, span, inner) => {
                self.call(name, span, inner, expression, arguments, context)
            }
            ExpressionKind::Output(call, which) => match &call.kind {
                ExpressionKind::Call(name, _, inner) if self.scope.networks.contains_key(name) => {
                    self.network(name, inner, Some(which), call, arguments, context)
                }
                ExpressionKind::Call(name, ..) => {
                    self.no_outputs(name, &expression.span);
                    None
                }
                _ => None,
            },
        }
    }

    /// Both sides, each lowered for its findings.
    fn pair(
        &mut self,
        a: &Expression,
        b: &Expression,
        arguments: &Arguments,
        context: Context,
    ) -> Option<(NodeId, NodeId)> {
        let a = self.node(a, arguments, context);
        let b = self.node(b, arguments, context);
        Some((a?, b?))
    }

    fn name(
        &mut self,
        name: &str,
        span: &Span,
        arguments: &Arguments,
        context: Context,
    ) -> Option<NodeId> {
        if let Some(&(_, node)) = arguments.iter().rfind(|(argument, _)| *argument == name) {
            return Some(node);
        }
        if self.functional.is_some() {
            return self.name_in_functional(name, span);
        }
        if self.scope.arrays.contains_key(name) {
            return self.whole_array(name, span, arguments, context);
        }
        if name == "pi" {
            return Some(self.graph.constant(std::f64::consts::PI));
        }
        if name == "t" {
            if !context.time {
                self.report(
                    Diagnostic::error(
                        "model::not-allowed-here",
                        format!("{} cannot depend on time", context.what),
                        Some(span.clone()),
                    )
                    .with_help(permitted(context)),
                );
                return None;
            }
            return Some(self.graph.input(TIME, 0));
        }
        let Some(binding) = self.scope.names.get(name).copied() else {
            self.unknown_name(name, span, arguments, context);
            return None;
        };
        self.allowed(name, span, binding.role, binding.node?, context)
    }

    /// The node of a name, where the context permits it.
    pub(super) fn allowed(
        &mut self,
        name: &str,
        span: &Span,
        role: Role,
        node: NodeId,
        context: Context,
    ) -> Option<NodeId> {
        let on_states = !context.states && self.dependence.on_states(self.graph, node);
        if on_states || (!context.time && self.dependence.on_time(self.graph, node)) {
            let what = match (role, on_states) {
                (Role::State, _) => "is a state",
                (_, true) => "depends on a state",
                (_, false) => "depends on time",
            };
            self.report(
                Diagnostic::error(
                    "model::not-allowed-here",
                    format!("`{name}` {what} and cannot stand in {}", context.what),
                    Some(span.clone()),
                )
                .with_help(permitted(context)),
            );
            return None;
        }
        Some(node)
    }

    /// A name outside the samples of a functional: a parameter or a number, nothing that varies along the run.
    fn name_in_functional(&mut self, name: &str, span: &Span) -> Option<NodeId> {
        let constant = Context {
            what: "a functional",
            states: false,
            time: false,
        };
        let varies = name == "t"
            || match self.scope.names.get(name) {
                Some(binding) => binding
                    .node
                    .is_some_and(|node| !self.dependence.on_parameters_only(self.graph, node)),
                None => self.scope.observables.contains_key(name),
            };
        if varies {
            self.report(
                Diagnostic::error(
                    "model::not-allowed-here",
                    format!("`{name}` varies along the run"),
                    Some(span.clone()),
                )
                .with_help(format!(
                    "say when: `final({name})`, `initial({name})` or `at({name}, time)`"
                )),
            );
            return None;
        }
        let samples = self.functional.take();
        let node = self.name(name, span, &[], constant);
        self.functional = samples;
        node
    }

    fn unknown_name(&mut self, name: &str, span: &Span, arguments: &Arguments, context: Context) {
        let mut candidates: Vec<&str> = self.scope.names.keys().map(String::as_str).collect();
        candidates.extend(self.scope.arrays.keys().map(String::as_str));
        candidates.extend(arguments.iter().map(|(argument, _)| *argument));
        candidates.push("pi");
        if context.time {
            candidates.push("t");
        }
        candidates.sort_unstable();
        let is_function =
            functions::function(name).is_some() || self.scope.functions.contains_key(name);
        let index = self.scope.indices.iter().find(|index| index.name == name);
        let help = if index.is_some() {
            format!(
                "`{name}` is an index: it stands in what is `over` it, or in `sum({name}, ...)`"
            )
        } else if is_function {
            format!("`{name}` is a function: give its arguments in parentheses")
        } else if name == "e" && !candidates.contains(&"e") {
            "Euler's number is `exp(1)`".to_owned()
        } else if matches!(name, "time" | "Time") {
            "time is `t`".to_owned()
        } else {
            match nearest(name, candidates.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", listed(&candidates)),
            }
        };
        let message = format!("there is no `{name}`");
        self.report(
            Diagnostic::error("model::unknown-name", message, Some(span.clone()))
                .with_label("unknown name")
                .with_help(help),
        );
    }

    fn call(
        &mut self,
        name: &str,
        span: &Span,
        inner: &[Expression],
        whole: &Expression,
        arguments: &Arguments,
        context: Context,
    ) -> Option<NodeId> {
        if super::functional::is_functional(name) {
            return self.sample(name, span, inner, whole);
        }
        let nodes: Vec<Option<NodeId>> = inner
            .iter()
            .map(|argument| self.node(argument, arguments, context))
            .collect();
        if let Some(function) = functions::function(name) {
            self.check_count(name, function.arity, inner.len(), whole)?;
            let nodes: Vec<NodeId> = nodes.into_iter().collect::<Option<_>>()?;
            self.note_call(function, inner, &nodes, &whole.span);
            return Some(self.built_in(name, function, &nodes));
        }
        let Some(function) = self.scope.functions.get(name).cloned() else {
            self.unknown_function(name, span);
            return None;
        };
        self.check_count(
            name,
            Arity::Exactly(function.arguments.len()),
            inner.len(),
            whole,
        )?;
        if self.scope.recursive.contains(name) {
            return None;
        }
        let nodes: Vec<NodeId> = nodes.into_iter().collect::<Option<_>>()?;
        let key = (name.to_owned(), nodes, context);
        if let Some(&known) = self.expansions.get(&key) {
            return known;
        }
        let bound: Vec<(&str, NodeId)> = function
            .arguments
            .iter()
            .map(|argument| argument.text.as_str())
            .zip(key.1.iter().copied())
            .collect();
        // a body is no place for samples
        let samples = self.functional.take();
        let node = self.node(&function.expression, &bound, context);
        self.functional = samples;
        self.expansions.insert(key, node);
        node
    }

    pub(super) fn check_count(
        &mut self,
        name: &str,
        arity: Arity,
        count: usize,
        whole: &Expression,
    ) -> Option<()> {
        if arity.allows(count) {
            return Some(());
        }
        let mut diagnostic = Diagnostic::error(
            "model::argument-count",
            format!("`{name}` takes {}, not {count}", arity.words()),
            Some(whole.span.clone()),
        );
        if let Some(function) = functions::function(name) {
            diagnostic = diagnostic.with_help(function.doc);
        }
        self.report(diagnostic);
        None
    }

    fn unknown_function(&mut self, name: &str, span: &Span) {
        let mut candidates: Vec<&str> = functions::FUNCTIONS.iter().map(|f| f.name).collect();
        candidates.extend(self.scope.functions.keys().map(String::as_str));
        candidates.push("delay");
        candidates.extend(self.scope.networks.keys().map(String::as_str));
        candidates.sort_unstable();
        let help = match (self.scope.names.get(name), alias(name)) {
            (Some(binding), _) => format!(
                "`{name}` is {}; a product is written `{name}*(...)`",
                binding.role.words()
            ),
            (None, Some(known)) => format!("it is called `{known}` here"),
            (None, None) => match nearest(name, candidates) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "functions of one's own are given in `[functions]`".to_owned(),
            },
        };
        self.report(
            Diagnostic::error(
                "model::unknown-function",
                format!("there is no function `{name}`"),
                Some(span.clone()),
            )
            .with_label("unknown function")
            .with_help(help),
        );
    }

    /// A built-in function; those with a switch at a known time are decided as comparisons are.
    fn built_in(&mut self, name: &str, function: &functions::Function, nodes: &[NodeId]) -> NodeId {
        let zero = self.graph.constant(0.0);
        match (name, nodes) {
            ("heaviside", &[x]) => self.compare(Comparison::GreaterOrEqual, x, zero),
            ("abs", &[x]) if self.switch(x, zero).is_some() => {
                let condition = self.compare(Comparison::GreaterOrEqual, x, zero);
                let negative = self.graph.neg(x);
                self.graph.choose(condition, x, negative)
            }
            ("sign", &[x]) if self.switch(x, zero).is_some() => {
                let condition = self.compare(Comparison::GreaterOrEqual, x, zero);
                let (one, minus) = (self.graph.constant(1.0), self.graph.constant(-1.0));
                self.graph.choose(condition, one, minus)
            }
            ("max" | "min", &[a, b]) if self.switch(a, b).is_some() => {
                let comparison = if name == "max" {
                    Comparison::GreaterOrEqual
                } else {
                    Comparison::LessOrEqual
                };
                let condition = self.compare(comparison, a, b);
                self.graph.choose(condition, a, b)
            }
            _ => (function.build)(self.graph, nodes),
        }
    }

    /// Whether any of the nodes changes along a run, between its events.
    pub(super) fn varies(&mut self, nodes: &[NodeId]) -> bool {
        nodes
            .iter()
            .any(|&node| !self.dependence.is_constant_between_events(self.graph, node))
    }
    /// Whether only the middle of the stretch and events may change a node.
    pub(super) fn is_constant_between_stops(&mut self, node: NodeId) -> bool {
        self.dependence.is_constant_between_stops(self.graph, node)
    }
    /// Notes a rough operation, once a place: a function's body is lowered at each call.
    pub(super) fn note(&mut self, found: NonSmooth) {
        if self.noted.insert((found.span.start, found.span.end)) {
            self.nonsmooth.push(found);
            return;
        }
        let same = |known: &&mut NonSmooth| known.span == found.span;
        if let Some(known) = self.nonsmooth.iter_mut().find(same) {
            known.margins.extend(found.margins);
        }
    }

    /// Lowers the bodies of all functions for their findings, on a copy of the graph: a function that is never
    /// called is checked, too.
    pub(super) fn check_functions(&mut self) {
        let functions: Vec<_> = {
            let mut all: Vec<_> = self.scope.functions.values().cloned().collect();
            all.sort_by_key(|function| function.name.span.start);
            all
        };
        if functions.is_empty() {
            return;
        }
        let mut copy = self.graph.clone();
        let mut check = Lowering::new(&mut copy, self.scope.clone());
        check.dependence = self.dependence.clone();
        check.checks_functions = true;
        for function in functions {
            if check.scope.recursive.contains(&function.name.text) {
                continue;
            }
            let bound: Vec<(&str, NodeId)> = function
                .arguments
                .iter()
                .zip(0..)
                .map(|(argument, k)| (argument.text.as_str(), check.graph.input(FIRST_EXTRA, k)))
                .collect();
            check.node(&function.expression, &bound, Context::ANY);
        }
        for diagnostic in check.diagnostics {
            self.report(diagnostic);
        }
    }

    /// 2 pi a
    pub(super) fn radians(&mut self, cycles: NodeId) -> NodeId {
        let tau = self.graph.constant(std::f64::consts::TAU);
        self.graph.mul(tau, cycles)
    }
    /// sin a
    pub(super) fn sine(&mut self, a: NodeId) -> NodeId {
        self.graph.unary(Unary::Sin, a)
    }
}

/// What a context permits, as advice.
fn permitted(context: Context) -> &'static str {
    match (context.states, context.time) {
        (false, false) => "parameters and numbers may be used here",
        (false, true) => "parameters, signals and `t` may be used here",
        (true, _) => "states, parameters and definitions may be used here",
    }
}

/// The first few of a list.
pub(super) fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(8)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = if names.len() > 8 { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// What some call differently.
fn alias(name: &str) -> Option<&'static str> {
    Some(match name {
        "ln" => "log",
        "arcsin" => "asin",
        "arccos" => "acos",
        "arctan" => "atan",
        "arctan2" => "atan2",
        "arsinh" | "arcsinh" => "asinh",
        "arcosh" | "arccosh" => "acosh",
        "artanh" | "arctanh" => "atanh",
        "sgn" | "signum" => "sign",
        "power" => "pow",
        "fabs" => "abs",
        "minimum" => "min",
        "maximum" => "max",
        "clip" => "clamp",
        "sigmoid" | "expit" => "logistic",
        "ceiling" => "ceil",
        "where" | "ifelse" | "piecewise" => "if",
        "fmod" | "rem" => "mod",
        "theta" | "unitstep" => "heaviside",
        _ => return None,
    })
}
