//! `fit`: estimate parameters, write a run folder.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use costate::report::RunFolder;
use costate::report::csv::Column;
use costate::scenario::{FitAlgorithm, Override, resolved_text};
use costate::study::{
    Fit, FitProgress, Objective, Prediction, Simulation, Study, StudyError, fit_with_memory,
    simulate,
};
use serde_json::{Map, Value, json};

use super::arguments::{AlgorithmChoice, FitArguments};
use super::fit_effort::Comparison;
use super::fit_journal::FitJournal;
use super::{
    Failure, best_fit, compare, figures, fit_figures, interrupt, load, look, print_json,
    print_text, simulate as simulate_command,
};

/// Output times of the fitted trajectories.
const POINTS: u32 = 401;

/// Runs the command.
pub fn run(arguments: &FitArguments) -> Result<(), Failure> {
    let stop = interrupt::flag();
    if !arguments.others.is_empty() {
        return compare::run(arguments, &stop);
    }
    let common = &arguments.common;
    let done = fit_one(arguments, &common.scenario, arguments.out.as_deref(), &stop)?;
    if common.json {
        print_json(&done.document())
    } else {
        print_text(&done.summary())
    }?;
    if done.result.interrupted {
        Err(Failure::Interrupted)
    } else {
        Ok(())
    }
}

/// A fit with its run folder written.
pub struct Done {
    /// the scenario
    pub study: Study,
    /// its fit
    pub result: Fit,
    seconds: f64,
    /// the run's folder
    pub folder: String,
    known: usize,
    comparison: Option<Comparison>,
}

impl Done {
    /// For machines.
    pub fn document(&self) -> Value {
        let mut document = document(&self.study, &self.result, self.seconds, &self.folder);
        if let Some(comparison) = &self.comparison {
            document["derivative_free"] = comparison.document();
        }
        document
    }

    /// For readers.
    pub fn summary(&self) -> String {
        let mut text = summary(
            &self.study,
            &self.result,
            self.seconds,
            &self.folder,
            self.known,
        );
        if let Some(comparison) = &self.comparison {
            text += &comparison.table(&self.result);
        }
        text
    }
}

/// Fits one scenario and writes its run.
pub fn fit_one(
    arguments: &FitArguments,
    scenario: &Path,
    out: Option<&Path>,
    stop: &AtomicBool,
) -> Result<Done, Failure> {
    let mut overrides = load::overrides(
        &arguments.common,
        Some(&arguments.solver),
        arguments.solver_method.as_deref(),
    )?;
    overrides.extend(
        arguments
            .starts
            .map(|n| load::set("fit.starts", n.to_string())),
    );
    overrides.extend(arguments.seed.map(|s| load::set("fit.seed", s.to_string())));
    overrides.extend(
        arguments
            .algorithm
            .map(|a| load::set("fit.algorithm", FitAlgorithm::from(a).name())),
    );
    let (study, _) = load::study_of(scenario, &arguments.common, &overrides)?;
    let begun = Instant::now();
    let bar = Mutex::new(best_fit::progress_bar(&arguments.common, "starts"));
    let watch = |progress: FitProgress| {
        // A poisoned lock means a drawing thread panicked: the fit goes on without progress.
        if let Ok(bar) = bar.lock() {
            bar.set_length(progress.starts as u64);
            bar.set_position(progress.finished as u64);
            bar.set_message(best_fit::progress_words(&progress));
        }
    };
    let text = resolved(&study, &overrides)?;
    let journal = match &arguments.resume {
        Some(folder) => FitJournal::resume(&study, text, Path::new(folder)),
        None => FitJournal::new(&study, text, out),
    }?;
    let result = fit_with_memory(&study, stop, &watch, &journal);
    if let Ok(bar) = bar.lock() {
        bar.finish_and_clear();
    }
    let result = result.map_err(|error| match error {
        StudyError::Interrupted => {
            if let Some(path) = journal.path() {
                super::tell(&go_on(&path.display().to_string()));
            }
            Failure::Interrupted
        }
        StudyError::NoData | StudyError::NothingToFit | StudyError::Unsupported(_) => {
            Failure::Usage(Some(error.to_string()))
        }
        other => Failure::Work(other.to_string()),
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let comparison = Comparison::run(&study, &result, arguments, stop)?;
    let write = |folder: &mut RunFolder| {
        let shown = write_run(&study, &result, seconds, arguments, folder)?;
        if let Some(comparison) = &comparison {
            folder
                .write_json("derivative-free.json", &comparison.document())
                .map_err(best_fit::failed)?;
            if !arguments.no_plots {
                comparison.draw(&study.scenario.title, folder)?;
            }
        }
        Ok(shown)
    };
    let folder = journal.with_folder(write, !result.interrupted)?;
    let known = journal.known();
    Ok(Done {
        study,
        result,
        seconds,
        folder,
        known,
        comparison,
    })
}

impl From<AlgorithmChoice> for FitAlgorithm {
    fn from(choice: AlgorithmChoice) -> Self {
        match choice {
            AlgorithmChoice::Auto => Self::Auto,
            AlgorithmChoice::LevenbergMarquardt => Self::LevenbergMarquardt,
            AlgorithmChoice::LBfgs => Self::LBfgs,
            AlgorithmChoice::NewtonCg => Self::NewtonCg,
            AlgorithmChoice::Adam => Self::Adam,
            AlgorithmChoice::GradientDescent => Self::GradientDescent,
            AlgorithmChoice::NelderMead => Self::NelderMead,
            AlgorithmChoice::CmaEs => Self::CmaEs,
        }
    }
}

/// How to go on with a fit that was cut short.
fn go_on(folder: &str) -> String {
    format!("to go on: the same command with `--resume {folder}`")
}

/// Writes result.json, CSV and plots into the run folder.
fn write_run(
    study: &Study,
    result: &Fit,
    seconds: f64,
    arguments: &FitArguments,
    folder: &mut RunFolder,
) -> Result<String, Failure> {
    let fail = |error: &dyn std::fmt::Display| Failure::Work(error.to_string());
    let shown = folder.path().display().to_string();
    folder
        .write_json("result.json", &document(study, result, seconds, &shown))
        .map_err(|e| fail(&e))?;
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
        .map_err(|e| fail(&e))?;
    if result.interrupted {
        return Ok(shown);
    }
    let mut objective =
        Objective::new(study, result.solving.clone(), None).map_err(|e| fail(&e))?;
    let predictions = objective
        .predictions(&result.parameters)
        .map_err(|e| fail(&e))?;
    folder
        .write_text("residuals.csv", &residuals_csv(study, &predictions))
        .map_err(|e| fail(&e))?;
    let times = simulate_command::equidistant(study.scenario.start, study.scenario.end, POINTS);
    let trajectories: Vec<Simulation> = (0..study.scenario.experiments.len())
        .map(|e| simulate(study, e, &result.parameters, &times))
        .collect::<Result<_, _>>()
        .map_err(|e| fail(&e))?;
    for (k, trajectory) in trajectories.iter().enumerate() {
        let stem = if trajectories.len() == 1 {
            "trajectory".to_owned()
        } else {
            format!("trajectory-{}", k + 1)
        };
        look::write_trajectory(folder, &stem, study, trajectory).map_err(|e| fail(&e))?;
    }
    if !arguments.no_plots {
        write_plots(study, result, &trajectories, &predictions, folder)?;
    }
    Ok(shown)
}

/// The scenario as it was run, the command line's values written in.
pub fn resolved(study: &Study, overrides: &[Override]) -> Result<String, Failure> {
    let source = &study.scenario.source;
    let text = resolved_text(&source.text, overrides).map_err(|e| Failure::Work(e.to_string()))?;
    let name = &study.scenario.name;
    Ok(format!(
        "# As run. Data files are named relative to the folder of the scenario `{name}`.\n{text}"
    ))
}

fn write_plots(
    study: &Study,
    result: &Fit,
    trajectories: &[Simulation],
    predictions: &[Vec<Prediction>],
    folder: &mut RunFolder,
) -> Result<(), Failure> {
    let fail = |error: &dyn std::fmt::Display| Failure::Work(error.to_string());
    let title = &study.scenario.title;
    let note = format!(
        "objective {:.6}, {}",
        result.objective,
        result.algorithm.name()
    );
    let mut drawn = vec![
        (
            "fit",
            figures::fits(&study.scenario, trajectories, predictions, note).draw(),
        ),
        (
            "residuals",
            figures::residuals(&study.scenario, result, predictions).draw(),
        ),
        (
            "qq",
            fit_figures::quantiles(study, result, predictions).draw(),
        ),
        ("convergence", figures::convergence(title, result).draw()),
    ];
    if result.starts.len() > 1 {
        drawn.push(("waterfall", figures::waterfall(title, result).draw()));
        let parameters = fit_figures::parameters(study, result, predictions);
        drawn.push(("parameters", parameters.draw()));
    }
    for (name, figure) in drawn {
        let figure = figure.map_err(|e| fail(&e))?;
        folder.write_figure(name, &figure).map_err(|e| fail(&e))?;
    }
    Ok(())
}

fn residuals_csv(study: &Study, predictions: &[Vec<Prediction>]) -> String {
    let mut text =
        String::from("experiment,observable,t,measured,model,sigma,residual,quantile_residual\n");
    for (experiment, all) in study.scenario.experiments.iter().zip(predictions) {
        for p in all {
            let observable = &study.scenario.observables[p.observable].name.text;
            let name = experiment.name.replace('"', "\"\"");
            text += &format!(
                "\"{name}\",{observable},{:?},{:?},{:?},{:?},{:?},{:?}\n",
                p.t, p.measured, p.model, p.sigma, p.residual, p.quantile
            );
        }
    }
    text
}

fn document(study: &Study, result: &Fit, seconds: f64, folder: &str) -> Value {
    let best: Map<String, Value> = result
        .names
        .iter()
        .zip(&result.best)
        .map(|(n, v)| (n.clone(), json!(v)))
        .collect();
    let errors: Map<String, Value> = result
        .names
        .iter()
        .zip(&result.standard_errors)
        .map(|(n, v)| (n.clone(), json!(v)))
        .collect();
    let by_name = |values: &[f64]| -> Map<String, Value> {
        result
            .names
            .iter()
            .zip(values)
            .map(|(n, v)| (n.clone(), json!(v)))
            .collect()
    };
    let starts: Vec<Value> = result
        .starts
        .iter()
        .map(|s| {
            json!({
                "start": by_name(&s.start),
                "end": by_name(&s.end),
                "objective": s.outcome.value,
                "gradient_norm": s.outcome.projected_gradient_norm,
                "iterations": s.outcome.iterations,
                "evaluations": s.outcome.evaluations,
                "status": s.outcome.status.to_string(),
            })
        })
        .collect();
    json!({
        "scenario": study.scenario.name,
        "title": study.scenario.title,
        "best": best,
        "objective": result.objective,
        "standard_errors": errors,
        "correlation": result.correlation.as_ref().map(best_fit::matrix),
        "converged": result.converged,
        "gradient_norm": result.gradient_norm,
        "predicted_decrease": result.predicted_decrease,
        "interrupted": result.interrupted,
        "algorithm": result.algorithm.name(),
        "solver": { "method": result.solving.stepper.name(), "why": result.solving.choice.to_string() },
        "seed": study.scenario.fit.seed,
        "measurements": study.measurements(),
        "best_start": result.best_start,
        "starts": starts,
        "starts_replaced": result.replaced,
        "population_evaluations": result.population,
        "candidates": result.candidates,
        "candidate_evaluations": result.candidate_evaluations,
        "seconds": seconds,
        "folder": folder,
    })
}

fn summary(study: &Study, result: &Fit, seconds: f64, folder: &str, known: usize) -> String {
    let scenario = &study.scenario;
    let finished = result
        .starts
        .iter()
        .filter(|s| s.outcome.value.is_finite())
        .count();
    let near = result
        .starts
        .iter()
        .filter(|s| s.outcome.value - result.objective <= 1e-3)
        .count();
    let width = result
        .names
        .iter()
        .map(String::len)
        .max()
        .unwrap_or(0)
        .max("parameter".len());
    let mut text = format!(
        "{}\n\n{:width$}  {:>14}  {:>14}\n",
        scenario.title, "parameter", "estimate", "std. error"
    );
    let fitted = scenario.parameters.iter().filter(|p| p.fit);
    for (((name, value), error), parameter) in result
        .names
        .iter()
        .zip(&result.best)
        .zip(&result.standard_errors)
        .zip(fitted)
    {
        let error = error.map_or_else(|| "not determined".into(), |e| format!("{e:.4e}"));
        let at_bound = if parameter.bounds.contains(value) {
            "  at its bound"
        } else {
            ""
        };
        let unit = parameter.unit.as_deref().unwrap_or("");
        text += format!(
            "{name:width$}  {:>14}  {error:>14}  {unit}{at_bound}",
            format!("{value:.7e}")
        )
        .trim_end();
        text.push('\n');
    }
    text += &format!("\nobjective      {:.10}\n", result.objective);
    let verdict = if result.converged {
        "converged"
    } else {
        "NOT converged"
    };
    let gain = match result.predicted_decrease.is_nan() {
        true => String::new(),
        false => format!(", {:.1e} still to gain", result.predicted_decrease),
    };
    text += &format!(
        "gradient norm  {:.1e} on the search scale{gain}: {verdict}\n",
        result.gradient_norm
    );
    let replaced = match result.replaced {
        0 => String::new(),
        n => format!(" ({n} drawn without a finite objective were replaced)"),
    };
    text += &format!(
        "starts         {finished} of {} finished, {near} within 0.001 of the best{replaced}\n",
        result.starts.len()
    );
    if result.population > 0 {
        let searches: usize = result.starts.iter().map(|s| s.outcome.evaluations).sum();
        text += &format!(
            "global         scatter-search: its population took {} evaluations, the starts {searches}\n",
            result.population
        );
    }
    if result.candidates > 0 {
        text += &format!(
            "candidates     {} points tried at a coarse tolerance ({} evaluations), the lowest taken as starts\n",
            result.candidates, result.candidate_evaluations
        );
    }
    if known > 0 {
        text += &format!("resumed        {known} starts were done before\n");
    }
    for smoothing in &scenario.smoothing {
        let values: Vec<String> = smoothing.values.iter().map(ToString::to_string).collect();
        let own = scenario.parameters[smoothing.parameter].value;
        let (name, values) = (&smoothing.name, values.join(", "));
        text += &format!("smoothing      {name} = {values}, then {own}\n");
    }
    text += &format!(
        "solver         {} ({})\n",
        result.solving.stepper.name(),
        result.solving.choice
    );
    text += &format!(
        "optimizer      {}, {seconds:.3} s\nresults        {folder}\n",
        result.algorithm.name()
    );
    if result.interrupted {
        text += &go_on(folder);
        text.push('\n');
    }
    text
}
