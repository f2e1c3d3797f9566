//! Solve one experiment and read states and observables at given times.

use costate_solvers::record::Samples;
use costate_solvers::{Statistics, peers};

use super::error::StudyError;
use super::run::{Run, RunError};
use super::{Choice, Solving, Study};
use crate::scenario::SolverMethod;

/// A trajectory at output times.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// output times
    pub t: Vec<f64>,
    /// `states[i][k]`: state i at time k
    pub states: Vec<Vec<f64>>,
    /// `observables[i][k]`: observable i at time k
    pub observables: Vec<Vec<f64>>,
    /// what the solve counted
    pub statistics: Statistics,
    /// the method that solved
    pub method: &'static str,
    /// why that method
    pub choice: Choice,
}

/// Solves experiment `experiment` at natural parameters `p` and reads it at `times` (ascending, inside the
/// scenario's span).
pub fn simulate(
    study: &Study,
    experiment: usize,
    p: &[f64],
    times: &[f64],
) -> Result<Simulation, StudyError> {
    let fail = |error: RunError| study.run_error(error, experiment);
    let (start, end) = (study.scenario.start, study.scenario.end);
    let mut run = Run::<f64>::new(&study.equations);
    run.prepare(experiment, p, start, end).map_err(fail)?;
    let peer = match study.scenario.solver.method {
        SolverMethod::OdeSolversDopri5 => Some((peers::Peer::Dopri5, "ode_solvers.dopri5")),
        SolverMethod::OdeSolversDop853 => Some((peers::Peer::Dop853, "ode_solvers.dop853")),
        _ => None,
    };
    let (values, statistics, method, choice) = if let Some((peer, name)) = peer {
        let solution = run
            .solve_by_peer(peer, times, &Solving::options(study))
            .map_err(fail)?;
        (
            solution.samples.concat(),
            solution.statistics,
            name,
            Choice::Named,
        )
    } else {
        let solving = Solving::choose(study)?;
        let mut samples = Samples::new(times.to_vec()).map_err(|e| fail(e.into()))?;
        let statistics = run
            .solve(solving.stepper, &solving.options, None, &mut samples)
            .map_err(fail)?;
        (
            samples.values().to_vec(),
            statistics,
            solving.stepper.name(),
            solving.choice,
        )
    };
    let (n, count) = (
        study.scenario.states.len(),
        study.scenario.observables.len(),
    );
    let mut outputs = vec![0.0; 2 * count];
    let mut observables = vec![Vec::with_capacity(times.len()); count];
    for (k, &t) in times.iter().enumerate() {
        run.observe(t, &values[k * n..(k + 1) * n], &mut outputs)
            .map_err(fail)?;
        for (column, &y) in observables.iter_mut().zip(&outputs) {
            column.push(y);
        }
    }
    let states = (0..n)
        .map(|i| (0..times.len()).map(|k| values[k * n + i]).collect())
        .collect();
    Ok(Simulation {
        t: times.to_vec(),
        states,
        observables,
        statistics,
        method,
        choice,
    })
}
