//! `tune`: find gains, controls, designs; write a run folder.

mod figures;
mod front;

use std::time::Instant;

use costate::report::csv::Column;
use costate::report::table::{Cell, Table, significant};
use costate::study::{
    Control, Simulation, Solving, Study, Tune, TuneStart, controls, simulate_by, tune,
};
use serde_json::{Map, Value, json};

use super::arguments::TuneArguments;
use super::simulate::equidistant;
use super::{Failure, best_fit, interrupt, load, look, print_json, print_text};

/// Output times of trajectories.
const POINTS: u32 = 401;
/// Values listed one by one; of more only those that are no knots.
const LISTED: usize = 24;

/// A run with its controls.
pub struct Shown {
    pub run: Simulation,
    pub controls: Vec<Control>,
}

/// Runs the command.
pub fn run(arguments: &TuneArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let overrides = load::overrides(
        common,
        Some(&arguments.solver),
        arguments.solver_method.as_deref(),
    )?;
    let (mut study, _) = load::study(common, &overrides)?;
    if let Some(against) = &arguments.against {
        return front::run(arguments, &study, against);
    }
    let stop = interrupt::flag();
    let begun = Instant::now();
    let bar = best_fit::progress_bar(common, "iterations");
    if let Some(settings) = &mut study.scenario.tune {
        settings.starts = arguments.starts.map(|n| n as usize).or(settings.starts);
        settings.seed = arguments.seed.unwrap_or(settings.seed);
        bar.set_length(settings.max_iterations as u64);
    }
    let result = tune(&study, &stop, &|progress| {
        bar.set_position(progress.iteration as u64);
        bar.set_message(format!(
            "objective {:.8e}, violation {:.1e}, KKT {:.1e}",
            progress.value, progress.violation, progress.residual
        ));
    })
    .map_err(best_fit::failure)?;
    bar.finish_and_clear();
    let seconds = begun.elapsed().as_secs_f64();
    let before = shown(&study, &study.values())?;
    let band = band(&study, &result);
    if let Some(k) = study.scenario.free_end {
        study.scenario.end = result.parameters[k];
    }
    let after = shown(&study, &result.parameters)?;
    let mut folder = best_fit::folder(&study, arguments.out.as_deref())?;
    let path = folder.path().display().to_string();
    let document = document(&study, &result, seconds, &path);
    best_fit::write_result(&study, &document, &overrides, &mut folder)?;
    let names = study.scenario.parameters.iter();
    let values = [
        Column::words(
            "name",
            names.map(|p| p.name.text.clone()).collect::<Vec<_>>(),
        ),
        Column::numbers("value", result.parameters.clone()),
    ];
    folder
        .write_csv("parameters.csv", &values)
        .map_err(best_fit::failed)?;
    for (stem, shown) in [("before", &before), ("trajectory", &after)] {
        look::write_trajectory(&mut folder, stem, &study, &shown.run).map_err(best_fit::failed)?;
    }
    if !after.controls.is_empty() {
        let mut columns = vec![Column::numbers("t", after.run.t.clone())];
        let own = after.controls.iter();
        columns.extend(own.map(|c| Column::numbers(&c.name, c.values.clone())));
        folder
            .write_csv("controls.csv", &columns)
            .map_err(best_fit::failed)?;
    }
    if let Some(costates) = &result.costates {
        let mut columns = vec![Column::numbers("t", costates.t.clone())];
        let own = costates.states.iter().zip(&costates.values);
        columns.extend(own.map(|(name, values)| Column::numbers(name, values.clone())));
        columns.push(Column::numbers("hamiltonian", costates.hamiltonian.clone()));
        folder
            .write_csv("costates.csv", &columns)
            .map_err(best_fit::failed)?;
    }
    if !arguments.no_plots {
        let mut drawn = vec![
            (
                "tune",
                figures::trajectories(&study, &before, &after, band.as_ref(), &result),
            ),
            ("convergence", figures::convergence(&study, &result)),
        ];
        if let Some(costates) = &result.costates {
            drawn.push(("costates", figures::costates(&study, costates)));
        }
        for (name, plot) in drawn {
            let figure = plot.draw().map_err(best_fit::failed)?;
            folder
                .write_figure(name, &figure)
                .map_err(best_fit::failed)?;
        }
    }
    if common.json {
        print_json(&document)?;
    } else {
        print_text(&summary(&study, &result, seconds, &path))?;
    }
    match &result.status {
        costate::optimize::SqpStatus::Interrupted => Err(Failure::Interrupted),
        costate::optimize::SqpStatus::Converged
        | costate::optimize::SqpStatus::Kink { .. }
        | costate::optimize::SqpStatus::SmallStep => Ok(()),
        other => Err(Failure::Work(format!("not converged: {other}"))),
    }
}

/// A run at parameters, over the scenario's span.
fn shown(study: &Study, p: &[f64]) -> Result<Shown, Failure> {
    let times = equidistant(study.scenario.start, study.scenario.end, POINTS);
    let solving = Solving::for_simulation(study).map_err(best_fit::failure)?;
    let run = simulate_by(study, &solving, 0, p, &times).map_err(best_fit::failure)?;
    let controls = controls(study, p, &run.t).map_err(best_fit::failure)?;
    Ok(Shown { run, controls })
}

/// Runs of the plants of an ensemble.
pub struct Ensemble {
    /// lowest and highest value of each observable over all plants, by time
    pub range: Vec<Vec<[f64; 2]>>,
    /// the run of the plant with the largest objective
    pub worst: Simulation,
}

/// Those of the tuned plants, where there are several and all runs get to the end.
fn band(study: &Study, result: &Tune) -> Option<Ensemble> {
    if result.plants < 2 {
        return None;
    }
    let times = equidistant(study.scenario.start, study.scenario.end, POINTS);
    let solving = Solving::for_simulation(study).ok()?;
    let runs: Option<Vec<Simulation>> = result
        .plant_parameters
        .iter()
        .map(|p| simulate_by(study, &solving, 0, p, &times).ok())
        .collect();
    let mut runs = runs?;
    let objectives = result.plant_objectives.iter().enumerate();
    let (worst, _) = objectives.max_by(|a, b| a.1.total_cmp(b.1))?;
    let points = runs.iter().map(|run| run.t.len()).min()?;
    if runs.iter().any(|run| run.t.len() != points) {
        return None; // jumps at times of their own
    }
    let range = (0..study.scenario.observables.len())
        .map(|k| {
            let at = |place: usize| {
                let all = runs.iter().map(|run| run.observables[k][place]);
                let ends = [f64::INFINITY, f64::NEG_INFINITY];
                all.fold(ends, |[low, high], y| [low.min(y), high.max(y)])
            };
            (0..points).map(at).collect()
        })
        .collect();
    Some(Ensemble {
        range,
        worst: runs.swap_remove(worst),
    })
}

fn document(study: &Study, result: &Tune, seconds: f64, folder: &str) -> Value {
    let by_name = |values: &[f64]| -> Map<String, Value> {
        let all = result.names.iter().zip(values);
        all.map(|(n, v)| (n.clone(), json!(v))).collect()
    };
    let bound = |b: f64| if b.is_finite() { json!(b) } else { Value::Null };
    let constraints: Vec<Value> = result
        .constraints
        .iter()
        .map(|c| {
            json!({
                "kind": c.kind,
                "expression": c.text,
                "lowest": c.values[0],
                "highest": c.values[1],
                "min": bound(c.bounds[0]),
                "max": bound(c.bounds[1]),
                "violation": c.violation,
                "multiplier": c.multiplier,
                "active": c.active,
            })
        })
        .collect();
    let sensitivities: Map<String, Value> = result
        .sensitivities
        .iter()
        .map(|(n, v)| (n.clone(), json!(v)))
        .collect();
    let history: Vec<Value> = result
        .history
        .iter()
        .map(|h| {
            json!({
                "objective": h.value,
                "violation": h.violation,
                "kkt": h.residual,
                "step": h.step_norm,
                "fraction": h.fraction,
                "elastic": h.elastic,
            })
        })
        .collect();
    let starts: Vec<Value> = result
        .starts
        .iter()
        .map(|s| {
            json!({
                "objective": s.objective,
                "violation": s.violation,
                "status": s.status.to_string(),
            })
        })
        .collect();
    json!({
        "scenario": study.scenario.name,
        "title": study.scenario.title,
        "best": by_name(&result.best),
        "start": by_name(&result.start),
        "objective": result.objective,
        "objective_before": result.objective_before,
        "constraints": constraints,
        "bound_multipliers": by_name(&result.bound_multipliers),
        "kkt": {
            "residual": result.kkt.residual(),
            "scaled": result.kkt.scaled(),
            "stationarity": result.kkt.stationarity,
            "feasibility": result.kkt.feasibility,
            "complementarity": result.kkt.complementarity,
        },
        "sensitivities": sensitivities,
        "converged": result.converged(),
        "status": result.status.to_string(),
        "iterations": result.history.len().saturating_sub(1),
        "evaluations": result.evaluations,
        "starts": starts,
        "costates": result.costates.as_ref().map(|c| {
            let of_states = |values: &dyn Fn(usize) -> Value| -> Map<String, Value> {
                c.states.iter().enumerate().map(|(i, n)| (n.clone(), values(i))).collect()
            };
            json!({
                "t": c.t,
                "values": of_states(&|i| json!(c.values[i])),
                "at_start": of_states(&|i| json!(c.at_start[i])),
                "hamiltonian": c.hamiltonian,
            })
        }),
        "plants": result.plants,
        "plant_objectives": result.plant_objectives,
        "second_opinion": result.second_opinion.map(|s| json!({
            "method": s.method.name(),
            "objective": s.objective,
            "violation": s.violation,
        })),
        "history": history,
        "solver": { "method": result.solving.stepper.name(), "why": result.solving.choice.to_string() },
        "seconds": seconds,
        "folder": folder,
    })
}

/// A number of a table, short.
fn short(value: f64) -> Cell {
    Cell::Text(significant(value, 8))
}

/// How many searches ended where the best did.
fn starts_line(result: &Tune) -> String {
    let near = 1e-6 * result.objective.abs().max(1e-6);
    let ended_there = |s: &&TuneStart| (s.objective - result.objective).abs() <= near;
    let there = result.starts.iter().filter(ended_there).count();
    let first = result.starts.iter().position(|s| ended_there(&s));
    format!(
        "starts         {}, {there} of them ended at this objective, number {} first\n",
        result.starts.len(),
        first.unwrap_or(0) + 1
    )
}

fn summary(study: &Study, result: &Tune, seconds: f64, folder: &str) -> String {
    let mut text = format!("{}\n\n", study.scenario.title);
    let listed: Vec<usize> = (0..result.names.len())
        .filter(|&k| result.names.len() <= LISTED || !result.names[k].contains('['))
        .collect();
    let mut table = Table::new(["found", "first guess", "value", ""]);
    for &k in &listed {
        let z = result.bound_multipliers[k];
        let note = match z {
            z if z > 0.0 => format!("at its upper bound, multiplier {}", significant(z, 4)),
            z if z < 0.0 => format!("at its lower bound, multiplier {}", significant(z, 4)),
            _ => String::new(),
        };
        table.push([
            Cell::Text(result.names[k].clone()),
            short(result.start[k]),
            short(result.best[k]),
            Cell::Text(note),
        ]);
    }
    if !listed.is_empty() {
        text += &table.render();
    }
    let left = result.names.len() - listed.len();
    if left > 0 {
        let at_bounds = result
            .bound_multipliers
            .iter()
            .filter(|z| **z != 0.0)
            .count();
        text += &format!("{left} knots of controls, {at_bounds} at a bound: controls.csv\n");
    }
    text += &format!(
        "\nobjective      {:.10} (first guess {})\n",
        result.objective,
        significant(result.objective_before, 6)
    );
    if result.plants > 1 {
        let all = &result.plant_objectives;
        let low = all.iter().copied().fold(f64::INFINITY, f64::min);
        let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        text += &format!(
            "plants         {}, objectives from {} to {}\n",
            result.plants,
            significant(low, 6),
            significant(high, 6)
        );
    }
    if result.starts.len() > 1 {
        text += &starts_line(result);
    }
    let verdict = match result.converged() {
        true => result.status.to_string(),
        false => format!("NOT converged: {}", result.status),
    };
    text += &format!(
        "optimality     KKT residual {:.1e} ({:.1e} unscaled: gradient {:.1e}, constraints {:.1e}, complementarity {:.1e}): {verdict}\n",
        result.kkt.scaled(),
        result.kkt.residual(),
        result.kkt.stationarity,
        result.kkt.feasibility,
        result.kkt.complementarity
    );
    if !result.constraints.is_empty() {
        let mut table = Table::new(["requirement", "value", "bounds", "multiplier", ""]);
        for c in &result.constraints {
            let value = match c.values {
                [a, b] if (a - b).abs() <= 1e-9 * (1.0 + a.abs()) => significant(a, 6),
                [a, b] => format!("{} to {}", significant(a, 6), significant(b, 6)),
            };
            let bounds = match c.bounds {
                [a, b] if a == b => format!("= {a}"),
                [a, b] if a == f64::NEG_INFINITY => format!("<= {b}"),
                [a, b] if b == f64::INFINITY => format!(">= {a}"),
                [a, b] => format!("{a} to {b}"),
            };
            let state = match (c.violation > 1e-7, c.active) {
                (true, _) => format!("VIOLATED by {:.1e}", c.violation),
                (false, true) => "active".to_owned(),
                (false, false) => String::new(),
            };
            table.push([
                Cell::Text(c.text.clone()),
                Cell::Text(value),
                Cell::Text(bounds),
                Cell::Text(significant(c.multiplier, 6)),
                Cell::Text(state),
            ]);
        }
        text += &format!("\n{}", table.render());
    }
    let mut largest: Vec<&(String, f64)> = result
        .sensitivities
        .iter()
        .filter(|(_, v)| *v != 0.0)
        .collect();
    if !largest.is_empty() {
        largest.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let mut table = Table::new(["held", "d objective / d value"]);
        for (name, value) in largest.iter().take(12) {
            table.push([Cell::Text(name.clone()), short(*value)]);
        }
        text += &format!("\n{}", table.render());
        if largest.len() > 12 {
            text += &format!("and {} more: result.json\n", largest.len() - 12);
        }
    }
    if let Some(second) = &result.second_opinion {
        text += &format!(
            "\nsecond opinion objective {:.10} by {} at a tenth of the tolerance; requirements met to {}\n",
            second.objective,
            second.method.name(),
            significant(second.violation, 2)
        );
    }
    if let Some(costates) = &result.costates {
        let low = costates
            .hamiltonian
            .iter()
            .copied()
            .fold(f64::INFINITY, f64::min);
        let high = costates
            .hamiltonian
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        text += &format!(
            "\nHamiltonian    {} to {} along the way, costates in costates.csv\n",
            significant(low, 6),
            significant(high, 6)
        );
    }
    text += &format!(
        "\nsolver         {} ({})\noptimizer      sqp, {} iterations, {} evaluations, {seconds:.3} s\nresults        {folder}\n",
        result.solving.stepper.name(),
        result.solving.choice,
        result.history.len().saturating_sub(1),
        result.evaluations
    );
    text
}
