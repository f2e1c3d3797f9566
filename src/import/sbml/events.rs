//! Events of SBML as events of scenarios.
//!
//! A trigger is a condition that becomes true. Where it is built of comparisons by `and` and `or`, it becomes true when
//! one comparison does, a - b crossing zero, while the others are such that it decides: with F the condition, F where
//! this comparison holds and not F where it does not. So each comparison is an event, with that as its guard. A
//! comparison of time with parameters is a time.

use costate_solvers::Comparison;

use super::super::algebra::{
    both, compare, constant, difference, either, not, number, product, sum, visit,
};
use super::super::system::{Event, Trigger};
use super::equations::{Builder, comment};
use super::mathml::OWN;
use super::model;
use super::symbols::Role;
use crate::diagnostic::{Diagnostic, Span};
use crate::model::{Expression, ExpressionKind};

/// Most comparisons of one trigger.
const MOST_ATOMS: usize = 32;

/// Adds the events of the model.
pub(super) fn add(builder: &mut Builder<'_, '_>) {
    let model = builder.symbols.model;
    // those of higher priority come first, as the first in the file happens first
    let mut order: Vec<(f64, &model::Event)> = Vec::new();
    for event in &model.events {
        let priority = match &event.priority {
            None => f64::NEG_INFINITY,
            Some(formula) => match constant(formula) {
                Some(priority) => priority,
                None => {
                    let what = "a priority that is not a number";
                    unsupported(builder, what, &formula.span, "write a number");
                    continue;
                }
            },
        };
        order.push((priority, event));
    }
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (k, (_, event)) in order.into_iter().enumerate() {
        one(builder, event, k);
    }
}

fn unsupported(builder: &mut Builder<'_, '_>, what: &str, span: &Span, help: &str) {
    builder.findings.push(
        Diagnostic::error(
            "sbml::unsupported",
            format!("{what} cannot be imported"),
            Some(span.clone()),
        )
        .with_label("not supported")
        .with_help(help),
    );
}

fn one(builder: &mut Builder<'_, '_>, event: &model::Event, k: usize) {
    let id = &event.identity;
    let shown = match (&*id.id, &*id.name) {
        ("", "") => format!("event {}", k + 1),
        ("", name) => name.to_owned(),
        (id, _) => id.to_owned(),
    };
    let trigger = builder
        .symbols
        .translate(&inlined(builder, &event.trigger), None);
    let sets = sets(builder, event);
    if sets.is_empty() {
        builder.findings.push(
            Diagnostic::warning(
                "sbml::ignored",
                format!("the event `{shown}` sets nothing"),
                Some(id.span.clone()),
            )
            .with_help("it is left out"),
        );
        return;
    }
    let delay = match &event.delay {
        None => None,
        Some(delay) => {
            let delay = builder.symbols.translate(delay, None);
            (constant(&delay) != Some(0.0)).then_some(delay)
        }
    };
    let mut atoms = Vec::new();
    if !comparisons(&trigger, &mut atoms) || atoms.len() > MOST_ATOMS {
        let what = "a trigger that is not made of inequalities by `and`, `or` and `not`";
        unsupported(
            builder,
            what,
            &event.trigger.span,
            "write it as comparisons, such as `time >= 10`",
        );
        return;
    }
    let several = atoms.len() > 1;
    let mut at_start = false;
    for (k, atom) in atoms.iter().enumerate() {
        let holds = both(
            replaced(&trigger, atom, 1.0),
            not(replaced(&trigger, atom, 0.0)),
        );
        if constant(&holds) == Some(0.0) {
            continue;
        }
        let Some(when) = trigger_of(builder, atom) else {
            continue;
        };
        let mut guard = (constant(&holds) != Some(1.0)).then_some(holds);
        let when = match (when, &delay) {
            (When::Always | When::Never, _) => continue,
            (When::At(time), None) => Trigger::At(time),
            (When::At(time), Some(delay)) => {
                if builder.varies(delay)
                    || guard.is_some()
                    || (event.values_from_trigger
                        && sets.iter().any(|(_, value)| builder.varies(value)))
                {
                    let what =
                        "a delay of an event whose delay, trigger or values depend on states";
                    unsupported(
                        builder,
                        what,
                        &delay.span,
                        "write the time of the event itself",
                    );
                    return;
                }
                Trigger::At(sum(time, delay.clone()))
            }
            (When::Crossing { .. }, Some(delay)) => {
                let what = "a delay after what states trigger";
                unsupported(
                    builder,
                    what,
                    &delay.span,
                    "write the event without a delay",
                );
                return;
            }
            (When::Crossing { when, rising }, None) => Trigger::Crossing { when, rising },
        };
        // before the start nothing happens; at the start only what was false before
        if let Trigger::At(time) = &when {
            match (constant(time), event.initially_true) {
                (Some(at), _) if at < 0.0 => {
                    late(builder, &shown, &event.trigger.span);
                    continue;
                }
                (Some(at), true) if at <= 0.0 => {
                    late(builder, &shown, &event.trigger.span);
                    continue;
                }
                (None, true) => {
                    let after = compare(Comparison::Greater, time.clone(), number(0.0, &time.span));
                    guard = Some(match guard {
                        Some(guard) => both(after, guard),
                        None => after,
                    });
                }
                (at, _) => at_start |= at == Some(0.0),
            }
        }
        builder.system.events.push(Event {
            name: if several {
                format!("{shown} ({})", k + 1)
            } else {
                shown.clone()
            },
            trigger: when,
            only_if: guard,
            sets: sets.clone(),
            comment: comment(id),
        });
    }
    let known = at_start && atoms.len() == 1;
    if !(event.initially_true || known) {
        let start = builder.at_start(&trigger);
        if constant(&start) != Some(0.0) {
            builder.system.events.push(Event {
                name: format!("{shown} (at the start)"),
                trigger: Trigger::At(number(0.0, &id.span)),
                only_if: Some(trigger),
                sets,
                comment: "the trigger counts as false before the start".to_owned(),
            });
        }
    }
}

fn late(builder: &mut Builder<'_, '_>, shown: &str, span: &Span) {
    builder.findings.push(
        Diagnostic::warning(
            "sbml::ignored",
            format!("the event `{shown}` is true from the start and does not become true"),
            Some(span.clone()),
        )
        .with_help("it is left out, as it never happens"),
    );
}

/// The values that an event sets, of states.
fn sets(builder: &mut Builder<'_, '_>, event: &model::Event) -> Vec<(String, Expression)> {
    let mut sets: Vec<(String, Expression)> = Vec::new();
    // sizes after the event, of the compartments that it sets
    let new_sizes: Vec<(String, Expression)> = event
        .sets
        .iter()
        .filter(|set| {
            let mut compartments = builder.symbols.model.compartments.iter();
            compartments.any(|c| c.identity.id == set.of.id)
        })
        .map(|set| {
            let value = builder.symbols.translate(&set.math, None);
            (set.of.id.clone(), value)
        })
        .collect();
    for set in &event.sets {
        let value = builder.symbols.translate(&set.math, None);
        let Some(symbol) = builder.symbols.table.get(set.of.id.as_str()).cloned() else {
            continue;
        };
        match symbol.role {
            Role::State | Role::Discrete => sets.push((symbol.name, value)),
            Role::Concentration => {
                let Some(species) = builder.symbols.species.get(set.of.id.as_str()).copied() else {
                    continue;
                };
                let size = new_sizes
                    .iter()
                    .find(|(id, _)| *id == species.compartment.id)
                    .map_or_else(|| builder.size(species), |(_, size)| size.clone());
                sets.push((symbol.amount, product(value, size)));
            }
            _ => builder.error(
                "sbml::rule",
                format!(
                    "an event cannot set `{}`, which is constant or has a rule",
                    set.of.id
                ),
                &set.of.span,
            ),
        }
    }
    sets
}

/// A trigger with the model's functions written out.
fn inlined(builder: &Builder<'_, '_>, e: &Expression) -> Expression {
    let functions = &builder.symbols.model.functions;
    let mut e = e.clone();
    // (functions do not call themselves, so that there are no more levels than functions)
    for _ in 0..=functions.len().min(16) {
        let mut more = false;
        visit(&e, &mut |e| {
            more |= matches!(&e.kind, ExpressionKind::Call(f, ..) if f.starts_with(OWN));
        });
        if !more {
            break;
        }
        e = super::super::algebra::substitute_calls(&e, &mut |function, arguments, _| {
            let id = function.strip_prefix(OWN)?;
            let function = functions.iter().find(|f| f.identity.id == id)?;
            Some(super::super::algebra::substitute(
                &function.body,
                &mut |text, _| {
                    let k = function.arguments.iter().position(|a| a == text)?;
                    arguments.get(k).cloned()
                },
            ))
        });
    }
    e
}

/// The inequalities of a condition, each once; false where it has other parts.
fn comparisons(e: &Expression, atoms: &mut Vec<Expression>) -> bool {
    match &e.kind {
        ExpressionKind::Compare(Comparison::Equal | Comparison::NotEqual, ..) => false,
        ExpressionKind::Compare(..) => {
            if !atoms.iter().any(|atom| same(atom, e)) {
                atoms.push(e.clone());
            }
            true
        }
        ExpressionKind::And(a, b) | ExpressionKind::Or(a, b) => {
            comparisons(a, atoms) && comparisons(b, atoms)
        }
        ExpressionKind::Number(_) => true,
        _ => false,
    }
}

fn same(a: &Expression, b: &Expression) -> bool {
    a.to_string() == b.to_string()
}

/// A condition where one of its inequalities is known.
fn replaced(e: &Expression, atom: &Expression, value: f64) -> Expression {
    match &e.kind {
        ExpressionKind::Compare(..) if same(e, atom) => number(value, &e.span),
        ExpressionKind::And(a, b) => both(replaced(a, atom, value), replaced(b, atom, value)),
        ExpressionKind::Or(a, b) => either(replaced(a, atom, value), replaced(b, atom, value)),
        _ => e.clone(),
    }
}

enum When {
    At(Expression),
    Crossing { when: Expression, rising: bool },
    Always,
    Never,
}

/// When an inequality becomes true.
fn trigger_of(builder: &mut Builder<'_, '_>, atom: &Expression) -> Option<When> {
    let ExpressionKind::Compare(comparison, a, b) = &atom.kind else {
        return None;
    };
    let greater = matches!(comparison, Comparison::Greater | Comparison::GreaterOrEqual);
    if !builder.varies(a) && !builder.varies(b) {
        // what never changes never becomes true
        return Some(if constant(a).is_some() {
            When::Always
        } else {
            When::Never
        });
    }
    // t >= c, and what is as plain
    let (left, right) = if greater { (a, b) } else { (b, a) };
    if !builder.varies(right)
        && let Some(shift) = time_plus(builder, left)
    {
        return Some(When::At(difference((**right).clone(), shift)));
    }
    if !builder.varies(left) && time_plus(builder, right).is_some() {
        // t < c is true at first and never becomes true
        return Some(When::Never);
    }
    let zero = |e: &Expression| constant(e) == Some(0.0);
    Some(match (zero(a), zero(b)) {
        (_, true) => When::Crossing {
            when: (**a).clone(),
            rising: greater,
        },
        (true, false) => When::Crossing {
            when: (**b).clone(),
            rising: !greater,
        },
        _ => When::Crossing {
            when: difference((**a).clone(), (**b).clone()),
            rising: greater,
        },
    })
}

/// s, where an expression is t + s with s of parameters.
fn time_plus(builder: &mut Builder<'_, '_>, e: &Expression) -> Option<Expression> {
    use crate::model::Arithmetic::{Add, Subtract};
    match &e.kind {
        ExpressionKind::Name(text) if text == "t" => Some(number(0.0, &e.span)),
        ExpressionKind::Arithmetic(Add, a, b) if !builder.varies(b) => {
            time_plus(builder, a).map(|shift| sum(shift, (**b).clone()))
        }
        ExpressionKind::Arithmetic(Add, a, b) if !builder.varies(a) => {
            time_plus(builder, b).map(|shift| sum((**a).clone(), shift))
        }
        ExpressionKind::Arithmetic(Subtract, a, b) if !builder.varies(b) => {
            time_plus(builder, a).map(|shift| difference(shift, (**b).clone()))
        }
        _ => None,
    }
}
