//! A second opinion on a simulation: the same run by an independent method at a tighter tolerance.

use super::error::StudyError;
use super::simulate::{Simulation, simulate_by};
use super::{Choice, Solving, Study};
use crate::scenario::SolverMethod;
use costate_solvers::{Options, Tolerance};

/// How much tighter the second solve's tolerances are.
const TIGHTER: f64 = 1e-3;
/// Tolerances below this are beyond what numbers carry.
const TIGHTEST: f64 = 1e-13;

/// How far two solves agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// the second method
    pub method: &'static str,
    /// its relative tolerance
    pub rtol: f64,
    /// state by state
    pub states: Vec<Agreement>,
    /// times of events; `None` where neither run had any
    pub events: Option<EventAgreement>,
    /// the second run
    pub simulation: Simulation,
}

/// Agreement of one state over the output times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// largest difference
    pub difference: f64,
    /// where
    pub t: f64,
    /// largest magnitude of the state
    pub magnitude: f64,
}

impl Agreement {
    /// Decimal digits that agree everywhere, relative to the state's largest magnitude; 16 at the most.
    pub fn digits(&self) -> f64 {
        digits(self.difference, self.magnitude)
    }
}

/// Agreement of the events.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventAgreement {
    /// events of the first run, and of the second
    pub counts: [usize; 2],
    /// largest difference of the times of those that both have
    pub difference: f64,
    /// decimal digits of those times that agree
    pub digits: f64,
}

fn digits(difference: f64, magnitude: f64) -> f64 {
    if difference == 0.0 {
        return 16.0;
    }
    let digits = -(difference / magnitude).log10();
    if digits.is_nan() {
        0.0
    } else {
        digits.clamp(0.0, 16.0)
    }
}

/// A method that shares as little as possible with the first: another family for the same kind of problem.
fn independent(first: SolverMethod, study: &Study) -> SolverMethod {
    let implicit = study.equations.mass.is_some()
        || matches!(
            first,
            SolverMethod::Rodas3
                | SolverMethod::Rodas4
                | SolverMethod::Rodas5p
                | SolverMethod::TrBdf2
                | SolverMethod::Kvaerno3
                | SolverMethod::Kvaerno4
                | SolverMethod::Kvaerno5
                | SolverMethod::KenCarp4
                | SolverMethod::Radau5
                | SolverMethod::Bdf
                | SolverMethod::Ndf
        );
    match first {
        SolverMethod::Radau5 => SolverMethod::Rodas5p,
        _ if implicit => SolverMethod::Radau5,
        SolverMethod::Vern7 | SolverMethod::Vern9 => SolverMethod::Dop853,
        _ => SolverMethod::Vern9,
    }
}

/// Solves again and compares with `first`, which `solving` made, at the output times that both have.
pub fn verify(
    study: &Study,
    solving: &Solving,
    experiment: usize,
    p: &[f64],
    times: &[f64],
    first: &Simulation,
) -> Result<Verification, StudyError> {
    let stepper = independent(solving.stepper, study);
    let tighter = |tolerance: f64| f64::max(tolerance * TIGHTER, TIGHTEST * tolerance.min(1.0));
    let rtol = f64::max(solving.options.rtol * TIGHTER, TIGHTEST);
    let second = Solving {
        continuous: false,
        delays: solving.delays,
        memory: None,
        stepper,
        options: Options {
            rtol,
            atol: match &solving.options.atol {
                Tolerance::Uniform(atol) => Tolerance::Uniform(tighter(*atol)),
                Tolerance::PerState(all) => {
                    Tolerance::PerState(all.iter().map(|&a| tighter(a)).collect())
                }
            },
            step: None,
            first_step: None,
            max_steps: solving.options.max_steps.saturating_mul(100),
            ..solving.options.clone()
        },
        choice: Choice::Named,
    };
    let simulation = simulate_by(study, &second, experiment, p, times)?;
    let states = first
        .states
        .iter()
        .zip(&simulation.states)
        .map(|(a, b)| agreement(first, a, &simulation, b))
        .collect();
    Ok(Verification {
        method: stepper.name(),
        rtol,
        states,
        events: event_agreement(first, &simulation),
        simulation,
    })
}

/// Compares one state at the times that stand once in both runs: the rows of a jump differ by their times.
fn agreement(first: &Simulation, a: &[f64], second: &Simulation, b: &[f64]) -> Agreement {
    let once = |t: &[f64], k: usize| {
        (k == 0 || t[k - 1] != t[k]) && (k + 1 == t.len() || t[k + 1] != t[k])
    };
    let mut result = Agreement {
        difference: 0.0,
        t: first.t.first().copied().unwrap_or(f64::NAN),
        magnitude: 0.0,
    };
    let mut from = 0;
    for (k, &t) in first.t.iter().enumerate() {
        if !once(&first.t, k) {
            continue;
        }
        let Some(found) = second.t[from..].iter().position(|&other| other == t) else {
            continue;
        };
        from += found;
        if !once(&second.t, from) {
            continue;
        }
        let difference = (a[k] - b[from]).abs();
        result.magnitude = result.magnitude.max(b[from].abs());
        if difference > result.difference {
            (result.difference, result.t) = (difference, t);
        }
    }
    result
}

fn event_agreement(first: &Simulation, second: &Simulation) -> Option<EventAgreement> {
    let counts = [first.events.len(), second.events.len()];
    if counts == [0, 0] {
        return None;
    }
    let (mut difference, mut magnitude) = (0.0_f64, 0.0_f64);
    for (a, b) in first.events.iter().zip(&second.events) {
        difference = difference.max((a.t - b.t).abs());
        magnitude = magnitude.max(b.t.abs());
    }
    Some(EventAgreement {
        counts,
        difference,
        digits: digits(difference, magnitude),
    })
}
