//! `profile`: what the data know of the parameters, and what they do not.

mod figures;
mod tables;

use std::time::Instant;

use costate::diagnostic::nearest;
use costate::report::RunFolder;
use costate::report::csv::Column;
use costate::report::json::{named_numbers, number, numbers};
use costate::scenario::Override;
use costate::study::{
    Band, IntervalEnd, ProfileProgress, ProfileSettings, Profiles, Study, bands, profile,
};
use serde_json::{Map, Value, json};

use super::arguments::ProfileArguments;
use super::{Failure, best_fit, interrupt, load, print_json, print_text};

/// Times of bands.
const POINTS: usize = 201;

/// Runs the command.
pub fn run(arguments: &ProfileArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let overrides = best_fit::overrides(
        common,
        &arguments.solver,
        arguments.solver_method.as_deref(),
        &arguments.best,
    )?;
    let (study, _) = load::study(common, &overrides)?;
    let settings = ProfileSettings {
        level: arguments.level,
        only: chosen(&study, &arguments.only)?,
    };
    if !(settings.level > 0.0 && settings.level < 1.0) {
        return Err(Failure::Usage(Some(format!(
            "--level {}: a number between 0 and 1 is expected, such as 0.95",
            settings.level
        ))));
    }
    let stop = interrupt::flag();
    let begun = Instant::now();
    let best = best_fit::find(&study, &arguments.best, common, &stop)?;
    let bar = best_fit::progress_bar(common, "walks");
    let watch = |progress: ProfileProgress| {
        bar.set_length(progress.walks as u64);
        bar.set_position(progress.finished as u64);
    };
    let result = profile(&study, &best, &settings, &stop, &watch).map_err(best_fit::failure)?;
    bar.finish_and_clear();
    let seconds = begun.elapsed().as_secs_f64();
    let mut folder = best_fit::folder(&study, arguments.out.as_deref())?;
    let shown = folder.path().display().to_string();
    let document = document(&study, &result, seconds, &shown);
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
        print_text(&tables::summary(&study, &result, seconds, &shown, &notes))?;
    }
    if result.interrupted {
        Err(Failure::Interrupted)
    } else {
        Ok(())
    }
}

/// The places of the parameters named by `--only` among those fitted.
fn chosen(study: &Study, only: &[String]) -> Result<Vec<usize>, Failure> {
    let fitted: Vec<&str> = study
        .scenario
        .parameters
        .iter()
        .filter(|p| p.fit)
        .map(|p| p.name.text.as_str())
        .collect();
    // elements of arrays have commas in their names, `k[1,2]`
    let mut places = Vec::new();
    for name in only.iter().flat_map(|list| split_names(list)) {
        let Some(place) = fitted.iter().position(|own| *own == name) else {
            let hint = match nearest(name, fitted.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("those are {}", fitted.join(", ")),
            };
            return Err(Failure::Usage(Some(format!(
                "--only {name}: no parameter of that name is marked `fit = true`: {hint}"
            ))));
        };
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places.sort_unstable();
    Ok(places)
}

/// Names between commas outside brackets.
fn split_names(list: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    list.split(|c| {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        c == ',' && depth <= 0
    })
    .map(str::trim)
    .filter(|name| !name.is_empty())
    .collect()
}

/// Writes result.json, the scenario, tables and plots.
fn write(
    study: &Study,
    result: &Profiles,
    document: &Value,
    no_plots: bool,
    overrides: &[Override],
    folder: &mut RunFolder,
    notes: &mut Vec<String>,
) -> Result<(), Failure> {
    best_fit::write_result(study, document, overrides, folder)?;
    folder
        .write_csv("profiles.csv", &tables::profiles(result))
        .map_err(best_fit::failed)?;
    folder
        .write_csv("correlation.csv", &tables::correlation(result))
        .map_err(best_fit::failed)?;
    let mut drawn = vec![
        ("profiles", figures::profiles(study, result).draw()),
        ("correlation", figures::correlation(study, result).draw()),
    ];
    if !result.interrupted {
        let found = bands(
            study,
            &result.solving,
            &result.parameters,
            &result.local.covariance,
            POINTS,
        );
        match found {
            Ok(found) => {
                let table = bands_table(study, result, &found);
                folder
                    .write_csv("bands.csv", &table)
                    .map_err(best_fit::failed)?;
                let plot = figures::bands(study, result, &found);
                drawn.push(("bands", plot.draw()));
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

/// Edges of the confidence band and of new measurements of an observable, at each time.
fn bands_table(study: &Study, result: &Profiles, bands: &[Band]) -> Vec<Column> {
    let experiments = bands.iter().flat_map(|b| {
        let name = &study.scenario.experiments[b.experiment].name;
        b.t.iter().map(|_| name.clone())
    });
    let observables = bands.iter().flat_map(|b| {
        let name = &study.scenario.observables[b.observable].name.text;
        b.t.iter().map(|_| name.clone())
    });
    let column = |f: &dyn Fn(&Band) -> Vec<f64>| bands.iter().flat_map(f).collect::<Vec<f64>>();
    let edges = |side: usize, noise: bool| {
        column(&|b| {
            let edges = figures::edges(study, result, b, noise);
            edges.iter().map(|e| e[side]).collect()
        })
    };
    vec![
        Column::words("experiment", experiments.collect::<Vec<_>>()),
        Column::words("observable", observables.collect::<Vec<_>>()),
        Column::numbers("t", column(&|b| b.t.clone())),
        Column::numbers("value", column(&|b| b.value.clone())),
        Column::numbers("sd", column(&|b| b.deviation.clone())),
        Column::numbers("low", edges(0, false)),
        Column::numbers("high", edges(1, false)),
        Column::numbers("measurement_low", edges(0, true)),
        Column::numbers("measurement_high", edges(1, true)),
    ]
}

/// An end of an interval for machines: its value where it is closed, and how it ends.
fn end(end: &IntervalEnd) -> (Value, &'static str) {
    match end {
        IntervalEnd::At(value) => (number(*value), "closed"),
        IntervalEnd::Bound(_) => (Value::Null, "open at its bound"),
        IntervalEnd::Beyond(_) => (Value::Null, "open"),
        IntervalEnd::Failed { .. } => (Value::Null, "failed"),
        IntervalEnd::Unknown => (Value::Null, "not finished"),
    }
}

fn document(study: &Study, result: &Profiles, seconds: f64, folder: &str) -> Value {
    let names: Vec<&str> = result.names.iter().map(String::as_str).collect();
    let local = &result.local;
    let by_name = |values: &[f64]| named_numbers(names.iter().copied().zip(values.iter().copied()));
    let intervals: Map<String, Value> = result
        .profiles
        .iter()
        .map(|p| {
            let (low, low_end) = end(&p.low);
            let (high, high_end) = end(&p.high);
            let value = json!({
                "low": low, "high": high, "low_end": low_end, "high_end": high_end,
                "wald": p.wald.map(|w| numbers(&w)),
                "verdict": p.verdict.to_string(),
            });
            (names[p.parameter].to_owned(), value)
        })
        .collect();
    let profiles: Map<String, Value> = result
        .profiles
        .iter()
        .map(|p| {
            let value = json!({
                "values": numbers(&p.points.iter().map(|q| q.value).collect::<Vec<_>>()),
                "objectives": numbers(&p.points.iter().map(|q| q.objective).collect::<Vec<_>>()),
            });
            (names[p.parameter].to_owned(), value)
        })
        .collect();
    let unidentifiable: Vec<Value> = tables::unidentifiable(result)
        .into_iter()
        .map(|u| json!({ "parameters": u.names, "kind": u.kind, "determined": u.determined }))
        .collect();
    let errors: Vec<f64> = local
        .standard_errors
        .iter()
        .map(|e| e.unwrap_or(f64::NAN))
        .collect();
    json!({
        "scenario": study.scenario.name,
        "title": study.scenario.title,
        "level": result.level,
        "threshold": result.threshold,
        "best": by_name(&result.best),
        "objective": number(result.objective),
        "intervals": intervals,
        "unidentifiable": unidentifiable,
        "standard_errors": by_name(&errors),
        "hessian_standard_errors": local.hessian_errors.as_deref().map(by_name),
        "fisher": {
            "parameters": names,
            "matrix": best_fit::matrix(&local.fisher),
            "eigenvalues": numbers(&local.directions.iter().map(|d| d.eigenvalue).collect::<Vec<_>>()),
            "eigenvectors": local.directions.iter().map(|d| numbers(&d.weights)).collect::<Vec<_>>(),
            "combinations": local.directions.iter().map(|d| d.combination.clone()).collect::<Vec<_>>(),
        },
        "covariance": best_fit::matrix(&local.covariance),
        "correlation": best_fit::matrix(&local.correlation),
        "residual_variance": local.variance.map(number),
        "criteria": {
            "negative_log_likelihood": number(local.criteria.negative_log_likelihood),
            "parameters": local.criteria.parameters,
            "aic": number(local.criteria.aic),
            "aicc": number(local.criteria.aicc),
            "bic": number(local.criteria.bic),
        },
        "profiles": profiles,
        "left_optima": numbers(&result.left),
        "measurements": study.measurements(),
        "solver": { "method": result.solving.stepper.name(), "why": result.solving.choice.to_string() },
        "interrupted": result.interrupted,
        "seconds": seconds,
        "folder": folder,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_outside_brackets() {
        assert_eq!(split_names("a, k[1,2],b,"), ["a", "k[1,2]", "b"]);
    }
}
