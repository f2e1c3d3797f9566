//! Solve one experiment and read states and observables at given times, with the events on the way.

use costate_solvers::record::Samples;
use costate_solvers::{SolveError, Statistics, Switch, peers};

use super::drift::{Drift, Drifts};
use super::error::StudyError;
use super::run::{Run, RunError};
use super::{Choice, Solving, Study};
use crate::scenario::SolverMethod;

/// A trajectory at output times.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// output times; the time of a jump stands twice, before it and after it
    pub t: Vec<f64>,
    /// `states[i][k]`: state i at time k
    pub states: Vec<Vec<f64>>,
    /// `observables[i][k]`: observable i at time k
    pub observables: Vec<Vec<f64>>,
    /// what happened on the way, in order
    pub events: Vec<SimulatedEvent>,
    /// the terminal event that ended the run early, by its place in `events`
    pub ended_by: Option<usize>,
    /// how far each invariant strayed; not watched by the solvers of `ode_solvers`
    pub invariants: Vec<Drift>,
    /// the changes between the methods of `auto`
    pub switches: Vec<Switch>,
    /// what the solve counted
    pub statistics: Statistics,
    /// the method that solved
    pub method: &'static str,
    /// why that method
    pub choice: Choice,
}

/// An event that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedEvent {
    /// when
    pub t: f64,
    /// the event, by its place in the scenario
    pub event: usize,
    /// states before it
    pub before: Vec<f64>,
    /// states after it
    pub after: Vec<f64>,
}

/// Solves experiment `experiment` at natural parameters `p` and reads it at `times` (in the order of the run,
/// inside the scenario's span).
pub fn simulate(
    study: &Study,
    experiment: usize,
    p: &[f64],
    times: &[f64],
) -> Result<Simulation, StudyError> {
    simulate_by(
        study,
        &Solving::for_simulation(study)?,
        experiment,
        p,
        times,
    )
}

/// The same by a method chosen before. (Where the explicit half of `auto` gets stuck, rodas5p solves it all.)
pub fn simulate_by(
    study: &Study,
    solving: &Solving,
    experiment: usize,
    p: &[f64],
    times: &[f64],
) -> Result<Simulation, StudyError> {
    if let Some(peer) = peer(solving.stepper) {
        return simulate_by_peer(study, solving, experiment, p, times, peer);
    }
    let result = simulate_by_one(study, solving, experiment, p, times);
    match result {
        Err(StudyError::Solve {
            error: SolveError::TooManySteps { t, .. } | SolveError::StepSizeTooSmall { t, .. },
            ..
        }) if solving.stepper == SolverMethod::Auto => {
            let stiff = Solving {
                stepper: SolverMethod::Rodas5p,
                choice: Choice::ExplicitFailed { t },
                ..solving.clone()
            };
            // where that fails, too, the first account is as good as the second
            simulate_by_one(study, &stiff, experiment, p, times).or(result)
        }
        result => result,
    }
}

fn simulate_by_one(
    study: &Study,
    solving: &Solving,
    experiment: usize,
    p: &[f64],
    times: &[f64],
) -> Result<Simulation, StudyError> {
    let fail = |error: RunError| study.run_error(error, experiment);
    let mut run = prepared(study, experiment, p)?;
    run.log.keeps_states = true;
    let mut samples = Samples::new(times.to_vec()).map_err(|e| fail(e.into()))?;
    let mut drifts = Drifts::new(&study.equations, &run.parameters);
    let statistics = run
        .solve(
            solving.stepper,
            &solving.options,
            None,
            (&mut samples, &mut drifts),
        )
        .map_err(fail)?;
    let n = study.equations.states();
    let events: Vec<SimulatedEvent> = run
        .log
        .happenings
        .iter()
        .zip(run.log.states.chunks_exact((2 * n).max(1)))
        .map(|(h, states)| SimulatedEvent {
            t: h.t,
            event: h.event,
            before: states[..n].to_vec(),
            after: states[n..].to_vec(),
        })
        .collect();
    let sampled = times[..samples.len()]
        .iter()
        .zip(samples.values().chunks_exact(n.max(1)));
    let rows = rows(sampled, &events);
    let ended_by = run.log.ended.map(|_| events.len().saturating_sub(1));
    let switches = run.switches().to_vec();
    let mut simulation = read(study, &mut run, experiment, &rows)?;
    simulation.events = events;
    simulation.invariants = drifts.drifts;
    simulation.ended_by = ended_by;
    simulation.statistics = statistics;
    (simulation.method, simulation.choice) = match (solving.stepper, switches.first()) {
        (SolverMethod::Auto, None) => (SolverMethod::Tsit5.name(), Choice::NonStiff),
        (SolverMethod::Auto, Some(first)) => (
            "tsit5 and rodas5p",
            Choice::Switched {
                t: first.t,
                step_times_eigenvalue: first.step_times_eigenvalue,
                to_stiff: statistics.switches.div_ceil(2),
                back: statistics.switches / 2,
            },
        ),
        (method, _) => (method.name(), solving.choice),
    };
    simulation.switches = switches;
    Ok(simulation)
}

fn simulate_by_peer(
    study: &Study,
    solving: &Solving,
    experiment: usize,
    p: &[f64],
    times: &[f64],
    peer: peers::Peer,
) -> Result<Simulation, StudyError> {
    let name = solving.stepper.name();
    if !study.equations.plain() {
        return Err(StudyError::Unsupported(format!(
            "`{name}` knows neither events nor delays nor mass matrices: choose a method of ours"
        )));
    }
    let fail = |error: RunError| study.run_error(error, experiment);
    let mut run = prepared(study, experiment, p)?;
    let solution = run
        .solve_by_peer(peer, times, &solving.options)
        .map_err(fail)?;
    let rows: Vec<(f64, &[f64])> = times
        .iter()
        .copied()
        .zip(solution.samples.iter().map(Vec::as_slice))
        .collect();
    let mut simulation = read(study, &mut run, experiment, &rows)?;
    simulation.statistics = solution.statistics;
    simulation.method = name;
    Ok(simulation)
}

/// The solver of the crate `ode_solvers` that a method's name stands for.
fn peer(method: SolverMethod) -> Option<peers::Peer> {
    match method {
        SolverMethod::OdeSolversDopri5 => Some(peers::Peer::Dopri5),
        SolverMethod::OdeSolversDop853 => Some(peers::Peer::Dop853),
        _ => None,
    }
}

fn prepared(study: &Study, experiment: usize, p: &[f64]) -> Result<Run<f64>, StudyError> {
    let mut run = Run::<f64>::new(&study.equations);
    run.prepare(experiment, p, study.scenario.start, study.scenario.end)
        .map_err(|error| study.run_error(error, experiment))?;
    Ok(run)
}

/// The samples with two rows more for each instant of events, before and after; a sample at such an instant, which
/// would repeat one of them, is left out.
fn rows<'a>(
    sampled: impl Iterator<Item = (&'a f64, &'a [f64])>,
    events: &'a [SimulatedEvent],
) -> Vec<(f64, &'a [f64])> {
    let mut rows = Vec::new();
    let mut instants = events.chunk_by(|a, b| a.t == b.t).peekable();
    let push_instant = |rows: &mut Vec<(f64, &'a [f64])>, instant: &'a [SimulatedEvent]| {
        if let (Some(first), Some(last)) = (instant.first(), instant.last()) {
            rows.push((first.t, first.before.as_slice()));
            rows.push((last.t, last.after.as_slice()));
        }
    };
    let forward = match (events.first(), events.last()) {
        (Some(first), Some(last)) => last.t >= first.t,
        _ => true,
    };
    let mut previous = None;
    for (&t, state) in sampled {
        let backward = previous.map_or(!forward, |p| t < p);
        previous = Some(t);
        while let Some(instant) = instants.next_if(|i| {
            let at = i[0].t;
            if backward { at >= t } else { at <= t }
        }) {
            push_instant(&mut rows, instant);
        }
        if rows.last().is_none_or(|&(last, _)| last != t) {
            rows.push((t, state));
        }
    }
    for instant in instants {
        push_instant(&mut rows, instant);
    }
    rows
}

/// Observables along rows of (t, states).
fn read(
    study: &Study,
    run: &mut Run<f64>,
    experiment: usize,
    rows: &[(f64, &[f64])],
) -> Result<Simulation, StudyError> {
    let (n, count) = (study.equations.states(), study.scenario.observables.len());
    let mut outputs = vec![0.0; 2 * count];
    let mut observables = vec![Vec::with_capacity(rows.len()); count];
    for &(t, state) in rows {
        run.observe(t, state, &mut outputs)
            .map_err(|error| study.run_error(error, experiment))?;
        for (column, &y) in observables.iter_mut().zip(&outputs) {
            column.push(y);
        }
    }
    Ok(Simulation {
        t: rows.iter().map(|&(t, _)| t).collect(),
        states: (0..n)
            .map(|i| rows.iter().map(|(_, x)| x[i]).collect())
            .collect(),
        observables,
        events: Vec::new(),
        ended_by: None,
        invariants: Vec::new(),
        switches: Vec::new(),
        statistics: Statistics::default(),
        method: "",
        choice: Choice::Named,
    })
}
