//! Events as nodes: when they happen, and the states after them.
//!
//! At an event the states jump, x(t+) = h(t, x(t-), p), where h is the identity but for the states that are set. It
//! happens at times that parameters decide, or where a root function g(t, x, p) crosses zero in the direction that
//! counts; then, if there is a guard, only where that is not 0. Root, guard and h may hold switches at known times,
//! so all of them read [`super::graph::TIME`] as right-hand sides do: t, and the middle of the stretch that ends at
//! the event.

use costate_solvers::Comparison;

use super::expression::{Arithmetic, Expression, ExpressionKind};
use super::graph::NodeId;
use super::lower::{Context, Lowering};
use crate::diagnostic::{Diagnostic, nearest};
use crate::scenario::{Definition, Direction, Event, EventTrigger, Name, Scenario, State};

/// An event's nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct EventModel {
    /// its name
    pub name: String,
    /// when it happens
    pub trigger: TriggerModel,
    /// indices of the states that jump, with their values after it as functions of t and of the states before it
    pub set: Vec<(usize, NodeId)>,
    /// it happens only where this is not 0, of t and of the states before it
    pub guard: Option<NodeId>,
    /// whether the run ends there
    pub terminal: bool,
}

/// When an event happens.
#[derive(Debug, Clone, PartialEq)]
pub enum TriggerModel {
    /// where g(t, x, p) crosses zero
    Root {
        /// g
        node: NodeId,
        /// which crossings count
        direction: Direction,
    },
    /// at known times
    Times {
        /// functions of the experiment's parameters, in the order of the file
        at: Vec<NodeId>,
    },
    /// at first + k every, k = 0, 1, ..., to the end of the run
    Every {
        /// time between two, a function of the experiment's parameters
        every: NodeId,
        /// the first, likewise
        first: NodeId,
    },
}

const TIME_OF_EVENT: Context = Context {
    what: "a time of an event",
    states: false,
    time: false,
};

impl Lowering<'_> {
    /// The nodes of an event; `None` where something was reported.
    pub(super) fn event(&mut self, event: &Event, scenario: &Scenario) -> Option<EventModel> {
        let found = (self.nonsmooth.len(), self.singular.len());
        let trigger = self.trigger(&event.trigger, &scenario.definitions);
        let names = scenario.state_names();
        let set: Vec<Option<(usize, NodeId)>> = event
            .set
            .iter()
            .map(|(name, value)| {
                let state = self.state_index(name, &scenario.states);
                let over = state.map_or(&[][..], |k| &scenario.states[k].over);
                let value = self.lower_array(value, over, Context::ANY);
                Some((names.slots()[state?].first, value?))
            })
            .collect();
        // no derivative runs through a guard: a comparison in it is as smooth as any
        let rough = self.nonsmooth.len();
        let guard = event
            .only_if
            .as_ref()
            .map(|guard| self.lower(guard, Context::ANY));
        self.nonsmooth.truncate(rough);
        // what a run meets between events says nothing of what it does at them
        self.singular.truncate(found.1);
        for found in self.nonsmooth.iter_mut().skip(found.0) {
            found.margins.clear();
        }
        Some(EventModel {
            name: event.name.text.clone(),
            trigger: trigger?,
            set: set.into_iter().collect::<Option<_>>()?,
            guard: match guard {
                Some(node) => Some(node?),
                None => None,
            },
            terminal: event.terminal,
        })
    }

    fn trigger(
        &mut self,
        trigger: &EventTrigger,
        definitions: &[Definition],
    ) -> Option<TriggerModel> {
        match trigger {
            EventTrigger::Crossing {
                expression,
                direction,
            } => {
                if let Some(condition) = condition(expression, definitions) {
                    self.report(
                        Diagnostic::error(
                            "model::event",
                            "`when` is a condition, not a number that crosses zero",
                            Some(expression.span.clone()),
                        )
                        .with_label("a condition")
                        .with_help(as_crossing(condition)),
                    );
                    return None;
                }
                let node = self.lower(expression, Context::ANY)?;
                Some(TriggerModel::Root {
                    node,
                    direction: *direction,
                })
            }
            EventTrigger::Times(times) => {
                let at: Vec<_> = times
                    .iter()
                    .map(|time| self.lower(time, TIME_OF_EVENT))
                    .collect();
                Some(TriggerModel::Times {
                    at: at.into_iter().collect::<Option<_>>()?,
                })
            }
            EventTrigger::Every { every, first } => {
                let first = self.lower(first, TIME_OF_EVENT);
                let node = self.lower(every, TIME_OF_EVENT)?;
                if self
                    .graph
                    .constant_value(node)
                    .is_some_and(|length| length.is_nan() || length <= 0.0)
                {
                    self.report(
                        Diagnostic::error(
                            "model::event",
                            "the time between two events must be above zero",
                            Some(every.span.clone()),
                        )
                        .with_help("write an `every` above zero"),
                    );
                    return None;
                }
                Some(TriggerModel::Every {
                    every: node,
                    first: first?,
                })
            }
        }
    }

    /// The index of a state; reported where there is none.
    pub(super) fn state_index(&mut self, name: &Name, states: &[State]) -> Option<usize> {
        let index = states.iter().position(|state| state.name.text == name.text);
        if index.is_none() {
            let diagnostic = Diagnostic::error(
                "model::unknown-name",
                format!("there is no state `{}`", name.text),
                Some(name.span.clone()),
            );
            let known = states.iter().map(|state| state.name.text.as_str());
            self.report(match nearest(&name.text, known) {
                Some(near) => diagnostic.with_help(format!("did you mean `{near}`?")),
                None => diagnostic,
            });
        }
        index
    }
}

/// The condition that an expression is, by itself or by the definition it names.
fn condition<'e>(
    expression: &'e Expression,
    definitions: &'e [Definition],
) -> Option<&'e Expression> {
    let mut expression = expression;
    // a chain of names longer than the list goes round in a circle
    for _ in 0..=definitions.len() {
        match &expression.kind {
            ExpressionKind::Compare(..)
            | ExpressionKind::And(..)
            | ExpressionKind::Or(..)
            | ExpressionKind::Not(_) => return Some(expression),
            ExpressionKind::Name(name) => {
                let definition = definitions.iter().find(|d| d.name.text == *name)?;
                expression = &definition.expression;
            }
            _ => return None,
        }
    }
    None
}

/// How a condition is written as a crossing.
fn as_crossing(condition: &Expression) -> String {
    let ExpressionKind::Compare(comparison, a, b) = &condition.kind else {
        return "write one comparison as a difference, `when = \"a - b\"`, and the rest as `only_if`"
            .to_owned();
    };
    let difference = match (&a.kind, &b.kind) {
        (_, ExpressionKind::Number(0.0)) => a.to_string(),
        _ => Expression {
            kind: ExpressionKind::Arithmetic(Arithmetic::Subtract, a.clone(), b.clone()),
            span: condition.span.clone(),
        }
        .to_string(),
    };
    let direction = match comparison {
        Comparison::Less | Comparison::LessOrEqual => ", `direction = \"falling\"`",
        Comparison::Greater | Comparison::GreaterOrEqual => ", `direction = \"rising\"`",
        Comparison::Equal | Comparison::NotEqual => "",
    };
    format!("write `when = \"{difference}\"`{direction}")
}
