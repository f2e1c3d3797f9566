//! A problem's curves as text, CSV and figure.

use std::fmt::Write as _;
use std::path::Path;

use costate::report::figure::{Axis, Ink, Layer, LegendEntry, Panel, Plot, Scale};

use super::curve::{Curve, Point};
use crate::golden::Problem;

/// Prints the tables and writes the files.
pub fn write(
    problem: &Problem,
    curves: &[Curve],
    errors: &[f64],
    out: &Path,
) -> Result<(), String> {
    let text = table(problem, curves) + &matched(curves, errors);
    println!("{text}");
    let name = problem.id.replace('/', "-");
    let figure = plot(problem, curves).draw().map_err(|e| e.to_string())?;
    let png = figure.png().map_err(|e| e.to_string())?;
    let files: [(&str, &[u8]); 4] = [
        ("txt", text.as_bytes()),
        ("csv", &csv(curves).into_bytes()),
        ("svg", figure.svg.as_bytes()),
        ("png", &png),
    ];
    for (extension, bytes) in files {
        let path = out.join(format!("{name}.{extension}"));
        std::fs::write(&path, bytes).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}

fn table(problem: &Problem, curves: &[Curve]) -> String {
    let mut text = format!(
        "{} ({} states): error achieved, CPU time, evaluations of f\n{:24} {:>8} {:>9} {:>12} {:>9}\n",
        problem.id,
        problem.states.len(),
        "tool and method",
        "rtol",
        "error",
        "CPU, us",
        "f"
    );
    for curve in curves {
        for p in &curve.points {
            let cpu = p.cpu * 1e6;
            let _ = writeln!(
                text,
                "{:24} {:8.1e} {:9.2e} {cpu:12.2} {:9}",
                curve.name, p.rtol, p.error, p.evaluations
            );
        }
    }
    text
}

/// Time at matched error, and how the best of Costate compares with the best of the others.
fn matched(curves: &[Curve], errors: &[f64]) -> String {
    let mut text = format!("\n{:24}", "CPU at error, us");
    for error in errors {
        let _ = write!(text, " {error:>10.0e}");
    }
    for curve in curves {
        let _ = write!(text, "\n{:24}", curve.name);
        for &error in errors {
            let _ = match curve.cpu_at(error) {
                Some(cpu) => write!(text, " {:10.2}", cpu * 1e6),
                None => write!(text, " {:>10}", "-"),
            };
        }
    }
    text.push('\n');
    for &error in errors {
        let best = |ours: bool| {
            let of = curves
                .iter()
                .filter(|c| c.name.starts_with("costate ") == ours);
            let times = of.filter_map(|c| Some((c.cpu_at(error)?, &c.name)));
            times.min_by(|a, b| a.0.total_cmp(&b.0))
        };
        if let (Some((ours, our)), Some((theirs, their))) = (best(true), best(false)) {
            let _ = writeln!(
                text,
                "at {error:.0e}: {their} takes {:.2} times as long as {our}",
                theirs / ours
            );
        }
    }
    text
}

fn csv(curves: &[Curve]) -> String {
    let mut text = "tool,rtol,error,cpu_seconds,evaluations\n".to_owned();
    for curve in curves {
        for p in &curve.points {
            let _ = writeln!(
                text,
                "{},{:e},{:e},{:e},{}",
                curve.name, p.rtol, p.error, p.cpu, p.evaluations
            );
        }
    }
    text
}

fn plot(problem: &Problem, curves: &[Curve]) -> Plot {
    let panel = |label: &str, of: &dyn Fn(&Point) -> f64| Panel {
        x: Axis {
            label: "error achieved".to_owned(),
            scale: Scale::Logarithmic,
            ..Axis::default()
        },
        y: Axis {
            label: label.to_owned(),
            scale: Scale::Logarithmic,
            ..Axis::default()
        },
        layers: curves
            .iter()
            .enumerate()
            .flat_map(|(i, curve)| {
                let points: Vec<(f64, f64)> =
                    curve.points.iter().map(|p| (p.error, of(p))).collect();
                let ink = Ink::Series(i);
                [
                    Layer::Line {
                        ink,
                        width: 1.6,
                        points: points.clone(),
                    },
                    Layer::Dots {
                        ink,
                        points,
                        errors: Vec::new(),
                    },
                ]
            })
            .collect(),
        ..Panel::default()
    };
    Plot {
        title: format!("Work and precision: {}", problem.id),
        note: "a point a tolerance; errors relative to a state's value plus its size; lower and further left is better"
            .to_owned(),
        legend: curves
            .iter()
            .enumerate()
            .map(|(i, curve)| LegendEntry {
                label: curve.name.clone(),
                ink: Ink::Series(i),
                line: true,
                dot: true,
            })
            .collect(),
        panels: vec![
            panel("CPU time (µs)", &|p| p.cpu * 1e6),
            panel("evaluations of f", &|p| p.evaluations as f64),
        ],
    }
}
