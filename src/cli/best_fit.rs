//! What studies of a fitted model begin with: the best fit of an earlier run, or one made now; and what they leave behind.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use costate::diagnostic::nearest;
use costate::report::RunFolder;
use costate::scenario::Override;
use costate::study::{FitProgress, Study, StudyError, fit};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nalgebra::DMatrix;
use serde_json::Value;

use super::arguments::{BestArguments, Common, SolverArguments};
use super::{Failure, fit as fit_command, load};

/// The overrides of the common options, of those of the solver and of the fit that comes first.
pub fn overrides(
    common: &Common,
    solver: &SolverArguments,
    method: Option<&str>,
    best: &BestArguments,
) -> Result<Vec<Override>, Failure> {
    let mut overrides = load::overrides(common, Some(solver), method)?;
    overrides.extend(best.starts.map(|n| load::set("fit.starts", n.to_string())));
    Ok(overrides)
}

/// A bar on standard error; none in pipes, with `--quiet` or `--json`.
pub fn progress_bar(common: &Common, unit: &str) -> ProgressBar {
    let bar = ProgressBar::new(1);
    if common.quiet || common.json {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let template = format!("{{bar:30}} {{pos}}/{{len}} {unit}  {{msg}}  {{elapsed}}, {{eta}} left");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

/// What a fit's bar says.
pub fn progress_words(progress: &FitProgress) -> String {
    match progress.candidates {
        Some((done, all)) if done < all => format!("candidates {done}/{all}"),
        _ => format!("best {:.6e}", progress.best),
    }
}

/// All parameters at the best fit, natural scale.
pub fn find(
    study: &Study,
    arguments: &BestArguments,
    common: &Common,
    stop: &AtomicBool,
) -> Result<Vec<f64>, Failure> {
    if let Some(run) = &arguments.from {
        return read(study, run);
    }
    let bar = progress_bar(common, "starts of the fit");
    let watch = |progress: FitProgress| {
        bar.set_length(progress.starts as u64);
        bar.set_position(progress.finished as u64);
        bar.set_message(progress_words(&progress));
    };
    let result = fit(study, stop, &watch).map_err(failure)?;
    bar.finish_and_clear();
    if result.interrupted {
        return Err(Failure::Stopped);
    }
    Ok(result.parameters)
}

/// An error of a study of a fitted model as the program's.
pub fn failure(error: StudyError) -> Failure {
    match error {
        StudyError::Interrupted => Failure::Stopped,
        StudyError::NoData | StudyError::NothingToFit | StudyError::Unsupported(_) => {
            Failure::Usage(Some(error.to_string()))
        }
        other => Failure::Work(other.to_string()),
    }
}

/// The `best` values of a run's result.json in the place of the file's.
pub fn read(study: &Study, run: &Path) -> Result<Vec<f64>, Failure> {
    let path = if run.is_dir() {
        run.join("result.json")
    } else {
        run.to_owned()
    };
    let usage = |text: String| Failure::Usage(Some(format!("{}: {text}", path.display())));
    let text = std::fs::read_to_string(&path).map_err(|error| usage(error.to_string()))?;
    let document: Value =
        serde_json::from_str(&text).map_err(|error| usage(format!("no JSON: {error}")))?;
    let Some(best) = document.get("best").and_then(Value::as_object) else {
        return Err(usage(
            "no `best` in it: the folder of a `costate fit` run is expected".into(),
        ));
    };
    let mut values = study.values();
    for (value, parameter) in values.iter_mut().zip(&study.scenario.parameters) {
        if !parameter.fit {
            continue;
        }
        let name = &parameter.name.text;
        let Some(found) = best.get(name).and_then(Value::as_f64) else {
            let near = nearest(name, best.keys().map(String::as_str));
            let hint = near.map_or_else(String::new, |n| format!(" (it has `{n}`)"));
            return Err(usage(format!(
                "no best value of `{name}`{hint}: is it a run of this scenario?"
            )));
        };
        let [lower, upper] = parameter.bounds;
        if !(lower..=upper).contains(&found) {
            return Err(usage(format!(
                "`{name}` = {found} is outside its bounds, {lower} to {upper}"
            )));
        }
        *value = found;
    }
    Ok(values)
}

/// The folder of a run: the one named, or a new one under `runs`.
pub fn folder(study: &Study, out: Option<&Path>) -> Result<RunFolder, Failure> {
    match out {
        Some(out) => RunFolder::at(out),
        None => RunFolder::create(Path::new("runs"), &study.scenario.name, SystemTime::now()),
    }
    .map_err(failed)
}

/// Writes result.json and the scenario as it was run.
pub fn write_result(
    study: &Study,
    document: &Value,
    overrides: &[Override],
    folder: &mut RunFolder,
) -> Result<(), Failure> {
    folder.write_json("result.json", document).map_err(failed)?;
    let resolved = fit_command::resolved(study, overrides)?;
    folder
        .write_text("resolved.toml", &resolved)
        .map_err(failed)?;
    Ok(())
}

/// Work that failed, by its error.
pub fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Work(error.to_string())
}

/// Name and unit of a parameter.
pub fn label(study: &Study, name: &str) -> String {
    let parameter = study
        .scenario
        .parameters
        .iter()
        .find(|p| p.name.text == name);
    match parameter.and_then(|p| p.unit.as_deref()) {
        Some(unit) => format!("{name} ({unit})"),
        None => name.to_owned(),
    }
}

/// A matrix for machines, row by row.
pub fn matrix(m: &DMatrix<f64>) -> Value {
    let row = |i: usize| Value::from_iter(m.row(i).iter().copied());
    Value::Array((0..m.nrows()).map(row).collect())
}
