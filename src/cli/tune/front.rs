//! `tune --against`: the front of two objectives as a table, a file and a picture.

use std::time::Instant;

use costate::diagnostic::SourceFile;
use costate::model::parse;
use costate::report::csv::Column;
use costate::report::figure::{Axis, Ink, Layer, Panel, Plot};
use costate::report::table::{Cell, Table, significant};
use costate::study::{Front, Study, front};
use serde_json::{Value, json};

use super::super::arguments::TuneArguments;
use super::super::{Failure, best_fit, interrupt, print_json, print_text};

/// Finds the front, prints and writes it.
pub fn run(arguments: &TuneArguments, study: &Study, against: &str) -> Result<(), Failure> {
    let common = &arguments.common;
    let file = std::sync::Arc::new(SourceFile {
        path: "--against".into(),
        text: against.to_owned(),
    });
    let (expression, findings) = parse(against, &file, 0);
    let Some(expression) = expression else {
        let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
        return Err(Failure::Usage(Some(texts.join("\n"))));
    };
    let minimize = study.scenario.tune.as_ref();
    let minimize = minimize.map_or_else(String::new, |t| t.minimize.to_string());
    let count = arguments.points as usize;
    let stop = interrupt::flag();
    let begun = Instant::now();
    let bar = best_fit::progress_bar(common, "points");
    bar.set_length(count as u64);
    let found = front(study, &expression, count, &stop, &|done| {
        bar.set_position(done as u64);
    })
    .map_err(best_fit::failure)?;
    bar.finish_and_clear();
    let seconds = begun.elapsed().as_secs_f64();
    let mut folder = best_fit::folder(study, arguments.out.as_deref())?;
    let path = folder.path().display().to_string();
    let points: Vec<Value> = found
        .points
        .iter()
        .map(|p| {
            let best = found
                .names
                .iter()
                .cloned()
                .zip(p.best.iter().map(|v| json!(v)));
            json!({
                "objective": p.objective,
                "other": p.other,
                "exchange": p.exchange,
                "best": Value::Object(best.collect()),
                "status": p.status.to_string(),
            })
        })
        .collect();
    let document = json!({
        "scenario": study.scenario.name,
        "title": study.scenario.title,
        "minimize": minimize,
        "against": against,
        "front": points,
        "seconds": seconds,
        "folder": path,
    });
    folder
        .write_json("result.json", &document)
        .map_err(best_fit::failed)?;
    folder
        .write_csv("front.csv", &columns(&found))
        .map_err(best_fit::failed)?;
    if !arguments.no_plots {
        let figure = plot(study, &found, &minimize, against).draw();
        let figure = figure.map_err(best_fit::failed)?;
        folder
            .write_figure("front", &figure)
            .map_err(best_fit::failed)?;
    }
    if common.json {
        return print_json(&document);
    }
    let mut table = Table::new(["objective", "other", "cost of a unit less", ""]);
    for p in &found.points {
        let exchange = match p.exchange.is_nan() {
            true => String::new(),
            false => significant(p.exchange, 6),
        };
        table.push([
            Cell::Text(significant(p.objective, 8)),
            Cell::Text(significant(p.other, 8)),
            Cell::Text(exchange),
            Cell::Text(p.status.to_string()),
        ]);
    }
    print_text(&format!(
        "{}\n\nobjective      {minimize}\nother          {against}\n\n{}\nfront          {} points, {seconds:.3} s\nresults        {path}\n",
        study.scenario.title,
        table.render(),
        found.points.len(),
    ))
}

fn columns(found: &Front) -> Vec<Column> {
    let of =
        |value: &dyn Fn(usize) -> f64| (0..found.points.len()).map(value).collect::<Vec<f64>>();
    let mut columns = vec![
        Column::numbers("objective", of(&|k| found.points[k].objective)),
        Column::numbers("other", of(&|k| found.points[k].other)),
        Column::numbers("exchange", of(&|k| found.points[k].exchange)),
    ];
    let own = found.names.iter().enumerate();
    columns.extend(own.map(|(j, name)| Column::numbers(name, of(&|k| found.points[k].best[j]))));
    columns
}

/// One objective over the other.
fn plot(study: &Study, found: &Front, minimize: &str, against: &str) -> Plot {
    let points: Vec<(f64, f64)> = found
        .points
        .iter()
        .map(|p| (p.other, p.objective))
        .collect();
    Plot {
        title: format!("{}: what one costs the other", study.scenario.title),
        note: format!("{} points; none was found below the line", points.len()),
        legend: Vec::new(),
        panels: vec![Panel {
            x: Axis {
                label: against.to_owned(),
                ..Axis::default()
            },
            y: Axis {
                label: minimize.to_owned(),
                ..Axis::default()
            },
            layers: vec![
                Layer::Line {
                    ink: Ink::Solid(0),
                    width: 2.0,
                    points: points.clone(),
                },
                Layer::Dots {
                    ink: Ink::Solid(0),
                    points,
                    errors: Vec::new(),
                },
            ],
            ..Panel::default()
        }],
    }
}
