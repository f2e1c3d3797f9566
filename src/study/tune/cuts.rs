//! Times at which a run is cut: what an event there does, and what is read just before it.

use crate::compile::Backend;
use crate::model::{Arithmetic, Expression, ExpressionKind};
use crate::scenario::{Event, EventTrigger, Name, Scenario};
use crate::study::Study;
use crate::study::error::StudyError;

/// The study of a scenario that the program made of one that was read.
pub(super) fn study_of(scenario: Scenario, backend: Backend) -> Result<Study, StudyError> {
    let (study, findings) = Study::resolve(Some(scenario), Vec::new(), backend);
    study.ok_or_else(|| super::problem::findings(findings))
}

/// Names of the states with equations, each a single number.
///
/// # Errors
/// Where a cut would not leave them free: `what` says for whom that is.
pub(super) fn free_states(study: &Study, what: &str) -> Result<Vec<Name>, StudyError> {
    let scenario = &study.scenario;
    let why = if scenario.mass.is_some() {
        "with `[mass]`, states are not free"
    } else if study.equations.lags.is_some() {
        "with `delay`, the past is more than the states"
    } else if scenario.states.iter().any(|state| !state.over.is_empty()) {
        "it takes states that are single numbers, not arrays"
    } else {
        let own = scenario.states.iter().filter(|state| !state.discrete);
        return Ok(own.map(|state| state.name.clone()).collect());
    };
    Err(StudyError::Unsupported(format!(
        "there is no {what}: {why}"
    )))
}

/// The time of a cut at a share of the span: a number, or a part of the end that is found.
pub(super) fn when(scenario: &Scenario, share: f64, at: &Name) -> Expression {
    let Some(k) = scenario.free_end else {
        return number(scenario.start + share * (scenario.end - scenario.start), at);
    };
    let end = named(&scenario.parameters[k].name.text, at);
    let part = arithmetic(Arithmetic::Multiply, number(share, at), end);
    let rest = number((1.0 - share) * scenario.start, at);
    arithmetic(Arithmetic::Add, part, rest)
}

/// An event at a cut.
pub(super) fn event(time: Expression, set: Vec<(Name, Expression)>, name: String) -> Event {
    Event {
        name: Name {
            text: name,
            span: time.span.clone(),
        },
        trigger: EventTrigger::Times(vec![time]),
        set,
        terminal: false,
        only_if: None,
    }
}

/// `at(expression, time)`: what it is just before an event then.
pub(super) fn at(expression: Expression, time: Expression) -> Expression {
    let span = expression.span.clone();
    Expression {
        kind: ExpressionKind::Call("at".to_owned(), span.clone(), vec![expression, time]),
        span,
    }
}

pub(super) fn named(text: &str, at: &Name) -> Expression {
    Expression {
        kind: ExpressionKind::Name(text.to_owned()),
        span: at.span.clone(),
    }
}

pub(super) fn number(value: f64, at: &Name) -> Expression {
    Expression {
        kind: ExpressionKind::Number(value),
        span: at.span.clone(),
    }
}

pub(super) fn arithmetic(operator: Arithmetic, a: Expression, b: Expression) -> Expression {
    let span = a.span.clone();
    Expression {
        kind: ExpressionKind::Arithmetic(operator, Box::new(a), Box::new(b)),
        span,
    }
}
