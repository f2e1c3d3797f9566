//! Direct multiple shooting (Bock and Plitt 1984): a run cut into pieces, each with initial states of its own.
//!
//! At the cuts t_1 < t_2 < ... the run goes on from states s_k that are found like any other value, and the gaps are closed by equations:
//!
//! ```text
//! x(t_k-; s_{k-1}, theta) - s_k = 0
//! ```
//!
//! A trajectory can then begin near what is wanted, however wrong the controls still are, and no error grows over more than a piece: the
//! linear model of a step is good for longer steps.
//!
//! The pieces are the scenario's own run with an event at each cut, so that all functionals, path constraints and derivatives
//! are those of any run.

use std::ops::Range;

use super::cuts::{arithmetic, at, event, free_states, named, number, study_of, when};
use super::directions::Cuts;
use super::margins::is_margin;
use crate::model::{Arithmetic, Expression, ExpressionKind};
use crate::scenario::{Name, Parameter, Requirement, TuneSettings};
use crate::study::error::StudyError;
use crate::study::functional::FunctionalStudy;
use crate::study::simulate::simulate;
use crate::study::{Solving, Study};

/// A scenario cut into pieces.
pub(super) struct Pieces {
    /// with the states at the cuts among its parameters, behind its own
    pub study: Study,
    /// the gaps among its constraints
    pub gaps: Range<usize>,
    /// where the cuts are; `None` where a piece is told more than the states at its beginning
    pub cuts: Option<Cuts>,
}

/// A scenario cut into so many pieces of equal length, where the states at the cuts begin with the guesses of `[tune]`, and where
/// there is none with those of a run with the file's values.
pub(super) fn pieces(
    study: &Study,
    settings: &TuneSettings,
    count: usize,
) -> Result<Pieces, StudyError> {
    let scenario = &study.scenario;
    if settings.ensemble.is_some() {
        return Err(StudyError::Unsupported(
            "`multiple_shooting` in `[tune]` serves one plant: leave it or `[tune.ensemble]` out"
                .into(),
        ));
    }
    let states = free_states(study, "`multiple_shooting` in `[tune]`")?;
    let shares: Vec<f64> = (1..count).map(|k| k as f64 / count as f64).collect();
    let guesses = guesses(study, settings, &shares, &states)?;
    let mut cut = scenario.clone();
    let mut wanted = settings.clone();
    // (bounds on the linearized loop have their rows behind)
    let of_runs = (wanted.constraints.iter()).filter(|c| !is_margin(&c.expression));
    let first = of_runs.count();
    for (k, &share) in shares.iter().enumerate() {
        let mut set = Vec::new();
        for (state, &guess) in states.iter().zip(&guesses[k]) {
            let name = Name {
                text: format!("{} at cut {}", state.text, k + 1),
                span: state.span.clone(),
            };
            let own = named(&name.text, &name);
            let before = at(named(&state.text, state), when(scenario, share, state));
            wanted.constraints.push(Requirement {
                expression: arithmetic(Arithmetic::Subtract, before, own.clone()),
                bounds: [0.0; 2],
            });
            cut.parameters.push(Parameter {
                tune: true,
                ..Parameter::held(name, guess)
            });
            set.push((state.clone(), own));
        }
        if let Some(state) = states.first() {
            let name = format!("cut {}", k + 1);
            cut.events
                .push(event(when(scenario, share, state), set, name));
        }
    }
    let gaps = first..first + shares.len() * states.len();
    cut.tune = Some(wanted);
    let remembers = scenario.states.iter().any(|state| state.discrete);
    let ends = scenario.events.iter().any(|event| event.terminal);
    let cuts = (!remembers && !ends).then(|| Cuts {
        first: scenario.parameters.iter().filter(|p| p.tune).count(),
        states: states.len(),
        pieces: count,
    });
    let study = study_of(cut, study.backend)?;
    Ok(Pieces { study, gaps, cuts })
}

/// The states at the cuts to begin with, those of a cut together.
fn guesses(
    study: &Study,
    settings: &TuneSettings,
    shares: &[f64],
    states: &[Name],
) -> Result<Vec<Vec<f64>>, StudyError> {
    let scenario = &study.scenario;
    let p = study.values();
    let end = scenario.free_end.map_or(scenario.end, |k| p[k]);
    let times: Vec<f64> = shares
        .iter()
        .map(|share| scenario.start + share * (end - scenario.start))
        .collect();
    let guess = |state: &Name| {
        settings
            .guess
            .iter()
            .find(|(own, _)| own.text == state.text)
    };
    let simulated = match states.iter().all(|state| guess(state).is_some()) {
        true => None,
        // where it does not get there, the states at the start serve
        false => simulate(study, 0, &p, &times)
            .ok()
            .filter(|run| run.ended_by.is_none()),
    };
    // expressions are read from a run in which nothing moves
    let mut still = scenario.clone();
    for equation in &mut still.equations {
        equation.kind = ExpressionKind::Number(0.0);
    }
    still.events.clear();
    let still = study_of(still, study.backend)?;
    let mut expressions = Vec::new();
    for &time in &times {
        for state in states {
            let own = guess(state).map_or_else(|| named(&state.text, state), |(_, e)| e.clone());
            expressions.push(at(own, number(time, state)));
        }
    }
    let expressions: Vec<&Expression> = expressions.iter().collect();
    let functional = FunctionalStudy::several(&still, &expressions, &[], None)
        .map_err(super::problem::findings)?;
    let values = functional.values(&still, &Solving::choose(&still)?, &p)?;
    let mut values: Vec<Vec<f64>> = values
        .chunks_exact(states.len().max(1))
        .map(<[f64]>::to_vec)
        .collect();
    if let Some(run) = simulated {
        for (own, time) in values.iter_mut().zip(&times) {
            // the later of two outputs at one time
            let Some(place) = run.t.iter().rposition(|t| t == time) else {
                continue;
            };
            for (value, state) in own.iter_mut().zip(states) {
                let index = scenario.states.iter().position(|s| s.name == *state);
                if let (None, Some(index)) = (guess(state), index) {
                    *value = run.states[index][place];
                }
            }
        }
    }
    Ok(values)
}
