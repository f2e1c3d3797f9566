//! `design`: when to measure, and with which doses, so that the data to come tell most of the parameters.

use std::time::Instant;

use costate::report::RunFolder;
use costate::report::csv::Column;
use costate::report::figure::{Axis, Ink, Layer, LegendEntry, Panel, Plot};
use costate::report::json::{named_numbers, number, numbers};
use costate::report::table::significant;
use costate::scenario::{Design, DesignCriterion};
use costate::study::{DesignResult, Outlook, Study, design};
use serde_json::{Map, Value, json};

use super::arguments::DesignArguments;
use super::best_fit::{failed, failure};
use super::{Failure, best_fit, figures, interrupt, load, print_json, print_text};

/// Most parameters with a curve each; of more, those with the largest sensitivities are drawn.
const MOST_CURVES: usize = 8;

/// Runs the command.
pub fn run(arguments: &DesignArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let method = arguments.solver_method.as_deref();
    let mut overrides = load::overrides(common, Some(&arguments.solver), method)?;
    overrides.extend(
        arguments
            .starts
            .map(|n| load::set("design.starts", n.to_string())),
    );
    let (study, _) = load::study(common, &overrides)?;
    let p = match &arguments.from {
        Some(run) => best_fit::read(&study, run)?,
        None => study.values(),
    };
    let stop = interrupt::flag();
    let begun = Instant::now();
    let result = design(&study, &p, &stop).map_err(failure)?;
    let seconds = begun.elapsed().as_secs_f64();
    let Some(table) = &study.scenario.design else {
        return Err(Failure::Work("no [design]".into()));
    };
    let mut folder = best_fit::folder(&study, arguments.out.as_deref())?;
    let shown = folder.path().display().to_string();
    let document = document(&study, table, &result, seconds, &shown);
    best_fit::write_result(&study, &document, &overrides, &mut folder)?;
    folder
        .write_csv("design.csv", &columns(&study, table, &result))
        .map_err(failed)?;
    if !arguments.no_plots {
        draw(&study, table, &result, &mut folder)?;
    }
    if common.json {
        print_json(&document)?;
    } else {
        print_text(&text(&study, table, &result, seconds, &shown))?;
    }
    if result.interrupted {
        return Err(Failure::Interrupted);
    }
    Ok(())
}

/// The experiment and the observables of a sampling, in words.
fn heading(study: &Study, table: &Design, sampling: usize) -> (String, Vec<String>) {
    let sampling = &table.sampling[sampling];
    let observables = sampling.observables.iter();
    (
        study.scenario.experiments[sampling.experiment].name.clone(),
        observables
            .map(|&o| study.scenario.observables[o].name.text.clone())
            .collect(),
    )
}

fn columns(study: &Study, table: &Design, result: &DesignResult) -> Vec<Column> {
    let (mut experiments, mut observables) = (Vec::new(), Vec::new());
    let (mut times, mut before) = (Vec::new(), Vec::new());
    for (s, (after, equidistant)) in result.times.iter().zip(&result.times_before).enumerate() {
        let (experiment, measured) = heading(study, table, s);
        for (&t, &b) in after.iter().zip(equidistant) {
            experiments.push(experiment.clone());
            observables.push(measured.join(" "));
            times.push(t);
            before.push(b);
        }
    }
    vec![
        Column::words("experiment", experiments),
        Column::words("observables", observables),
        Column::numbers("t", times),
        Column::numbers("t_equidistant", before),
    ]
}

fn draw(
    study: &Study,
    table: &Design,
    result: &DesignResult,
    folder: &mut RunFolder,
) -> Result<(), Failure> {
    let figure = plot(study, table, result).draw().map_err(failed)?;
    folder.write_figure("design", &figure).map_err(failed)?;
    Ok(())
}

/// Sensitivities along time, a panel an observable, with the chosen times on them.
fn plot(study: &Study, table: &Design, result: &DesignResult) -> Plot {
    let scenario = &study.scenario;
    let reach = |k: usize| {
        let all = result.sensitivities.iter().flat_map(|s| &s.values[k]);
        all.fold(0.0_f64, |reach, v| reach.max(v.abs()))
    };
    let mut drawn: Vec<usize> = (0..result.names.len())
        .filter(|&k| reach(k) > 0.0)
        .collect();
    let all = drawn.len();
    drawn.sort_by(|&a, &b| reach(b).total_cmp(&reach(a)));
    drawn.truncate(MOST_CURVES);
    drawn.sort_unstable();
    let panels = result.sensitivities.iter().map(|s| {
        let experiment = &scenario.experiments[table.sampling[s.sampling].experiment].name;
        let name = &scenario.observables[s.observable].name.text;
        let title = match experiment.is_empty() {
            true => name.clone(),
            false => format!("{experiment}: {name}"),
        };
        let times = &result.times[s.sampling];
        let lines = drawn.iter().enumerate().map(|(ink, &k)| Layer::Line {
            ink: Ink::Solid(ink),
            width: 2.0,
            points: s
                .t
                .iter()
                .copied()
                .zip(s.values[k].iter().copied())
                .collect(),
        });
        let dots = drawn.iter().enumerate().map(|(ink, &k)| Layer::Dots {
            ink: Ink::Solid(ink),
            points: times
                .iter()
                .copied()
                .zip(s.at_times[k].iter().copied())
                .collect(),
            errors: Vec::new(),
        });
        // a chosen time is a line from the lowest to the highest sensitivity there is
        let values = || drawn.iter().flat_map(|&k| s.values[k].iter().copied());
        let low = values().fold(0.0_f64, f64::min);
        let high = values().fold(0.0_f64, f64::max);
        let marks = times.iter().map(|&t| Layer::Line {
            ink: Ink::Gray,
            width: 1.0,
            points: vec![(t, low), (t, high)],
        });
        Panel {
            title,
            x: Axis::quantity(&figures::time_label(scenario), ""),
            y: Axis::quantity("sensitivity / noise", ""),
            layers: marks
                .chain([Layer::Level(0.0)])
                .chain(lines)
                .chain(dots)
                .collect(),
            ..Panel::default()
        }
    });
    let panels = panels.collect();
    let entry = |label: &str, ink: Ink, dot: bool| LegendEntry {
        label: label.to_owned(),
        ink,
        line: true,
        dot,
    };
    let mut legend: Vec<LegendEntry> = drawn
        .iter()
        .enumerate()
        .map(|(ink, &k)| entry(&result.names[k], Ink::Solid(ink), true))
        .collect();
    legend.push(entry("chosen times", Ink::Gray, false));
    let mut note = format!(
        "{}-optimal; what a measurement moves with each parameter, times the parameter's value, in units of the noise",
        result.criterion.name()
    );
    if drawn.len() < all {
        note += &format!("; the {} of {all} parameters with the largest", drawn.len());
    }
    Plot {
        title: format!("{}: times of measurements", scenario.title),
        note,
        legend,
        panels,
    }
}

fn errors_of(result: &DesignResult, outlook: &Outlook) -> Value {
    let names = result.names.iter().map(String::as_str);
    named_numbers(names.zip(outlook.standard_errors.iter().copied()))
}

fn document(
    study: &Study,
    table: &Design,
    result: &DesignResult,
    seconds: f64,
    folder: &str,
) -> Value {
    let times = result.times.iter().zip(&result.times_before).enumerate();
    let times = times.map(|(s, (after, before))| {
        let (experiment, observables) = heading(study, table, s);
        json!({
            "experiment": experiment,
            "observables": observables,
            "times": numbers(after),
            "equidistant": numbers(before),
        })
    });
    let chosen: Map<String, Value> = result
        .chosen
        .iter()
        .map(|(name, before, after)| (name.clone(), json!({ "before": before, "after": after })))
        .collect();
    let outlook = |outlook: &Outlook| {
        json!({
            "criterion": number(outlook.criterion),
            "standard_errors": errors_of(result, outlook),
        })
    };
    json!({
        "scenario": study.scenario.name,
        "title": study.scenario.title,
        "criterion": result.criterion.name(),
        "relative": table.relative,
        "parameters": result.interest,
        "sampling_times": times.collect::<Vec<_>>(),
        "chosen": chosen,
        "data_alone": outlook(&result.data),
        "before": outlook(&result.before),
        "after": outlook(&result.after),
        "efficiency_before": number(result.efficiency),
        "starts": numbers(&result.starts),
        "converged": result.converged,
        "interrupted": result.interrupted,
        "seconds": seconds,
        "folder": folder,
    })
}

fn text(
    study: &Study,
    table: &Design,
    result: &DesignResult,
    seconds: f64,
    folder: &str,
) -> String {
    let mut text = format!("{}\n\n", study.scenario.title);
    for (s, times) in result.times.iter().enumerate() {
        let (experiment, observables) = heading(study, table, s);
        let of = observables.join(", ");
        let place = match experiment.is_empty() {
            true => of,
            false => format!("{of} of `{experiment}`"),
        };
        text += &format!("measure {place} at\n");
        for list in grouped(times).chunks(8) {
            text += &format!("    {}\n", list.join("  "));
        }
    }
    for (name, before, after) in &result.chosen {
        let (before, after) = (significant(*before, 6), significant(*after, 6));
        text += &format!("choose {name} = {after} (in the file {before})\n");
    }
    let width = result.names.iter().map(String::len).max().unwrap_or(0);
    let width = width.max("standard error of".len());
    let with_data = table.include_data && study.measurements() > 0;
    let head = |name: &str| format!("  {name:>14}");
    let mut columns = vec![
        ("equidistant", &result.before),
        ("this design", &result.after),
    ];
    if with_data {
        columns.insert(0, ("data alone", &result.data));
    }
    let heads: String = columns.iter().map(|(name, _)| head(name)).collect();
    text += &format!("\n{:width$}{heads}\n", "standard error of");
    for (k, name) in result.names.iter().enumerate() {
        let cells = columns.iter().map(|(_, outlook)| {
            let error = outlook.standard_errors[k];
            match error.is_finite() {
                true => head(&format!("{error:.4e}")),
                false => head("undetermined"),
            }
        });
        text += &format!("{name:width$}{}\n", cells.collect::<String>());
    }
    let what = match result.criterion {
        DesignCriterion::D => "determinant",
        DesignCriterion::A => "trace",
        DesignCriterion::E => "eigenvalue",
    };
    let cells = columns
        .iter()
        .map(|(_, outlook)| match outlook.criterion.is_finite() {
            true => head(&format!("{:.4e}", outlook.criterion)),
            false => head("infinite"),
        });
    let label = format!("{}: {what}", result.criterion.name());
    text += &format!("{label:width$}{}\n", cells.collect::<String>());
    if result.interest.len() < result.names.len() {
        text += &format!("of             {}\n", result.interest.join(", "));
    }
    text.push('\n');
    if result.efficiency > 0.0 {
        text += &format!(
            "gain           {} times the information of the equidistant times\n",
            significant(1.0 / result.efficiency, 4)
        );
    } else {
        text += "gain           the equidistant times do not determine the parameters\n";
    }
    let best = result.starts.iter().copied().fold(f64::INFINITY, f64::min);
    let near = result.starts.iter().filter(|s| **s - best <= 1e-4).count();
    text += &format!(
        "starts         {near} of {} found it{}\n",
        result.starts.len(),
        if result.converged {
            ""
        } else {
            "; NOT converged"
        }
    );
    text += &format!("time           {seconds:.3} s\nresults        {folder}\n");
    text
}

/// Times, those that coincide written once with their number.
fn grouped(times: &[f64]) -> Vec<String> {
    let span = times.last().zip(times.first()).map_or(0.0, |(b, a)| b - a);
    let mut groups: Vec<(f64, usize)> = Vec::new();
    for &t in times {
        match groups.last_mut() {
            Some((last, count)) if t - *last <= 1e-4 * span => *count += 1,
            _ => groups.push((t, 1)),
        }
    }
    let words = groups.into_iter().map(|(t, count)| match count {
        1 => significant(t, 6),
        _ => format!("{} ({count} times)", significant(t, 6)),
    });
    words.collect()
}
