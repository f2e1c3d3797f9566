//! `sample`: draws from the posterior of the parameters.

mod figures;
mod tables;

use std::time::Instant;

use costate::report::RunFolder;
use costate::report::json::{named_numbers, number, numbers};
use costate::scenario::Override;
use costate::study::{Posterior, SampleProgress, SampleSettings, Study, predict, sample};
use serde_json::{Map, Value, json};

use super::arguments::SampleArguments;
use super::{Failure, best_fit, interrupt, load, print_json, print_text};

/// Draws that bands are made of, and their times.
const PREDICTED: usize = 400;
const POINTS: usize = 121;

/// Runs the command.
pub fn run(arguments: &SampleArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let overrides = best_fit::overrides(
        common,
        &arguments.solver,
        arguments.solver_method.as_deref(),
        &arguments.best,
    )?;
    if !(arguments.acceptance > 0.0 && arguments.acceptance < 1.0) {
        return Err(Failure::Usage(Some(format!(
            "--acceptance {}: a number between 0 and 1 is expected, such as 0.9",
            arguments.acceptance
        ))));
    }
    let (study, _) = load::study(common, &overrides)?;
    let settings = SampleSettings {
        chains: usize::from(arguments.chains),
        draws: arguments.draws as usize,
        warmup: arguments.warmup as usize,
        seed: arguments.seed,
        acceptance: arguments.acceptance,
        ..SampleSettings::default()
    };
    let stop = interrupt::flag();
    let begun = Instant::now();
    let best = best_fit::find(&study, &arguments.best, common, &stop)?;
    let sampling = Instant::now();
    let bar = best_fit::progress_bar(common, "draws");
    let watch = |progress: SampleProgress| {
        bar.set_length(progress.draws as u64);
        bar.set_position(progress.drawn as u64);
    };
    let result = sample(&study, &best, &settings, &stop, &watch).map_err(best_fit::failure)?;
    bar.finish_and_clear();
    let seconds = [begun, sampling].map(|since| since.elapsed().as_secs_f64());
    let mut folder = best_fit::folder(&study, arguments.out.as_deref())?;
    let shown = folder.path().display().to_string();
    let document = document(&study, &result, &settings, seconds, &shown);
    let mut notes = Vec::new();
    write(
        &study,
        &result,
        &document,
        arguments.no_plots,
        &overrides,
        &mut folder,
        &mut notes,
    )?;
    if common.json {
        print_json(&document)?;
    } else {
        print_text(&tables::summary(
            &study, &result, &settings, seconds, &shown, &notes,
        ))?;
    }
    if result.interrupted {
        Err(Failure::Interrupted)
    } else {
        Ok(())
    }
}

/// Writes result.json, the scenario, the draws and plots.
fn write(
    study: &Study,
    result: &Posterior,
    document: &Value,
    no_plots: bool,
    overrides: &[Override],
    folder: &mut RunFolder,
    notes: &mut Vec<String>,
) -> Result<(), Failure> {
    best_fit::write_result(study, document, overrides, folder)?;
    folder
        .write_csv("draws.csv", &tables::draws(result))
        .map_err(best_fit::failed)?;
    let mut drawn = vec![
        ("traces", figures::traces(study, result).draw()),
        ("pairs", figures::pairs(study, result).draw()),
    ];
    if !result.interrupted {
        let solving = &result.solving;
        match predict(study, solving, result, PREDICTED, POINTS) {
            Ok(bands) => {
                folder
                    .write_csv("bands.csv", &tables::bands(study, &bands))
                    .map_err(best_fit::failed)?;
                drawn.push(("bands", figures::bands(study, &bands).draw()));
            }
            Err(error) => notes.push(format!("no bands of the observables: {error}")),
        }
    }
    if !no_plots {
        for (name, figure) in drawn {
            folder
                .write_figure(name, &figure.map_err(best_fit::failed)?)
                .map_err(best_fit::failed)?;
        }
    }
    Ok(())
}

fn document(
    study: &Study,
    result: &Posterior,
    settings: &SampleSettings,
    seconds: [f64; 2],
    folder: &str,
) -> Value {
    let summary: Map<String, Value> = result
        .names
        .iter()
        .zip(&result.summaries)
        .map(|(name, s)| {
            let value = json!({
                "mean": number(s.mean),
                "sd": number(s.deviation),
                "q05": number(s.low),
                "q50": number(s.median),
                "q95": number(s.high),
                "mcse_mean": number(s.mean_error),
                "r_hat": number(s.convergence.r_hat),
                "ess_bulk": number(s.convergence.bulk),
                "ess_tail": number(s.convergence.tail),
            });
            (name.clone(), value)
        })
        .collect();
    let divergences: Vec<Value> = result
        .divergences
        .iter()
        .map(|d| {
            let names = result.names.iter().map(String::as_str);
            json!({
                "chain": d.chain + 1,
                "draw": d.draw + 1,
                "at": named_numbers(names.zip(d.parameters.iter().copied())),
                "reason": d.reason,
            })
        })
        .collect();
    json!({
        "scenario": study.scenario.name,
        "title": study.scenario.title,
        "summary": summary,
        "log_density": {
            "r_hat": number(result.log_density.r_hat),
            "ess_bulk": number(result.log_density.bulk),
            "ess_tail": number(result.log_density.tail),
        },
        "warnings": tables::warnings(study, result, settings),
        "divergences": divergences,
        "divergences_tuning": result.tuning_divergences,
        "longest_trajectories": result.longest,
        "chains": settings.chains,
        "draws": result.draws.iter().map(Vec::len).collect::<Vec<_>>(),
        "warmup": settings.warmup,
        "seed": settings.seed,
        "acceptance": settings.acceptance,
        "steps": numbers(&result.steps),
        "gradients": result.gradients,
        "solver": { "method": result.solving.stepper.name(), "why": result.solving.choice.to_string() },
        "measurements": study.measurements(),
        "interrupted": result.interrupted,
        "seconds": seconds[0],
        "seconds_sampling": seconds[1],
        "folder": folder,
    })
}
