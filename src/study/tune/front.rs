//! The front of two objectives: what has to be given of one for the other (epsilon-constraint method, Haimes, Lasdon and Wismer 1971, doi
//! 10.1109/TSMC.1971.4308298).
//!
//! Both ends are found first, each objective by itself. Between them the first is minimized under bounds on the second, which are spread evenly, each
//! search beginning where the last one ended:
//!
//! ```text
//! minimize J_1   subject to   J_2 <= e_k,   e_k between J_2's minimum and its value at the minimum of J_1
//! ```
//!
//! Fronts that bend inward are found, too, where weighted sums would jump across. The multiplier of the bound is the rate of exchange -dJ_1/dJ_2.

use std::sync::atomic::{AtomicBool, Ordering};

use super::cuts::study_of;
use super::margins::is_margin;
use super::{Tune, tune};
use crate::diagnostic::Diagnostic;
use crate::model::Expression;
use crate::optimize::SqpStatus;
use crate::scenario::{Requirement, TuneSettings};
use crate::study::Study;
use crate::study::error::StudyError;
use crate::study::functional::FunctionalStudy;

/// What is found for two objectives, from the first one's minimum to the other's.
#[derive(Debug, Clone, PartialEq)]
pub struct Front {
    /// names of what is found
    pub names: Vec<String>,
    /// in the order of falling second objectives
    pub points: Vec<FrontPoint>,
}

/// A point of a front: no other has less of both.
#[derive(Debug, Clone, PartialEq)]
pub struct FrontPoint {
    /// J_1
    pub objective: f64,
    /// J_2
    pub other: f64,
    /// what was found
    pub best: Vec<f64>,
    /// -dJ_1/dJ_2: what a unit less of J_2 costs; NaN at the ends, where nothing binds it
    pub exchange: f64,
    /// why the search ended
    pub status: SqpStatus,
}

/// The front of `[tune] minimize` and another functional, in so many points, both ends among them.
///
/// # Errors
/// As [`tune()`]; an expression that is no functional; an ensemble, which has as many second objectives as plants.
pub fn front(
    study: &Study,
    other: &Expression,
    count: usize,
    stop: &AtomicBool,
    told: &dyn Fn(usize),
) -> Result<Front, StudyError> {
    let settings = study.scenario.tune.clone();
    let settings = settings.ok_or_else(|| {
        StudyError::Unsupported("the scenario has no [tune], which a front begins with".into())
    })?;
    if settings.ensemble.is_some() {
        return Err(StudyError::Unsupported(
            "a front serves one plant: leave `[tune.ensemble]` out".into(),
        ));
    }
    let functional = |of: &Expression| FunctionalStudy::new(study, of, None).map_err(listed);
    let (first, second) = (functional(&settings.minimize)?, functional(other)?);
    let value = |functional: &FunctionalStudy, found: &Tune| {
        functional.value(study, &found.solving, &found.parameters)
    };
    let one = tune(study, stop, &|_| {})?;
    told(1);
    // where the second objective has its minimum, from there
    let alone = TuneSettings {
        minimize: other.clone(),
        ..settings.clone()
    };
    let two = searched(study, alone, &one.parameters, stop)?;
    told(2);
    let point = |found: &Tune, exchange: f64| -> Result<FrontPoint, StudyError> {
        Ok(FrontPoint {
            objective: value(&first, found)?,
            other: value(&second, found)?,
            best: found.best.clone(),
            exchange,
            status: found.status.clone(),
        })
    };
    let (begin, end) = (point(&one, f64::NAN)?, point(&two, f64::NAN)?);
    let (highest, lowest) = (begin.other, end.other);
    let mut points = vec![begin];
    if highest - lowest > 1e-9 * highest.abs().max(lowest.abs()) {
        let place = settings
            .constraints
            .iter()
            .filter(|c| !is_margin(&c.expression))
            .count();
        let mut from = one.parameters;
        for k in 1..count.saturating_sub(1) {
            if stop.load(Ordering::Relaxed) {
                return Err(StudyError::Interrupted);
            }
            let share = k as f64 / (count - 1) as f64;
            let mut bounded = settings.clone();
            let bound = highest + share * (lowest - highest);
            let requirement = Requirement {
                expression: other.clone(),
                bounds: [f64::NEG_INFINITY, bound],
            };
            // behind the others: its report is that of the last row of runs, wherever bounds on margins stand
            bounded.constraints.push(requirement);
            let found = searched(study, bounded, &from, stop)?;
            told(k + 2);
            let exchange = found
                .constraints
                .get(place)
                .map_or(f64::NAN, |c| c.multiplier);
            points.push(point(&found, exchange)?);
            from = found.parameters;
        }
        points.push(end);
    }
    Ok(Front {
        names: one.names,
        points,
    })
}

/// One search with other settings, from these parameters.
fn searched(
    study: &Study,
    settings: TuneSettings,
    from: &[f64],
    stop: &AtomicBool,
) -> Result<Tune, StudyError> {
    let mut scenario = study.scenario.clone();
    for (parameter, &value) in scenario.parameters.iter_mut().zip(from) {
        if parameter.tune {
            parameter.value = value;
        }
    }
    scenario.tune = Some(TuneSettings {
        starts: Some(1),
        ..settings
    });
    tune(&study_of(scenario, study.backend)?, stop, &|_| {})
}

fn listed(found: Vec<Diagnostic>) -> StudyError {
    super::problem::findings(found)
}
