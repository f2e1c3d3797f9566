//! `sweep`: a quantity over ranges of parameters.

use std::path::Path;
use std::time::Instant;

use costate::diagnostic::nearest;
use costate::report::csv::Column;
use costate::report::figure::{
    Axis, Block, ColorScale, HeatMap, HeatMaps, Ink, Layer, Panel, Plot, Raster, Scale, Sheet,
};
use costate::report::json::{named_numbers, number};
use costate::report::table::significant;
use costate::study::{
    Study, StudyError, SweepAxis, SweepOf, SweepProgress, grid_points, random_points, sweep,
};
use serde_json::{Value, json};

use super::arguments::SweepArguments;
use super::{Failure, best_fit, interrupt, load, print_json, print_text};

/// Values of an axis where no number is given.
const COUNT: usize = 21;
/// Most points of a grid: more is taken for a slip.
const MOST_POINTS: usize = 10_000_000;

/// Runs the command.
pub fn run(arguments: &SweepArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    let overrides = load::overrides(
        common,
        Some(&arguments.solver),
        arguments.solver_method.as_deref(),
    )?;
    let (study, _) = load::study(common, &overrides)?;
    let axes = arguments
        .over
        .iter()
        .map(|text| axis(&study, text))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|text| Failure::Usage(Some(text)))?;
    let twice =
        (0..axes.len()).find(|&k| axes[..k].iter().any(|a| a.parameter == axes[k].parameter));
    if let Some(k) = twice {
        let name = name(&study, &axes[k]);
        return Err(Failure::Usage(Some(format!("--over {name}: given twice"))));
    }
    let points = match arguments.random {
        Some(count) => random_points(&axes, count as usize, arguments.seed),
        None => {
            let count = axes.iter().try_fold(1_usize, |n, a| n.checked_mul(a.count));
            if count.is_none_or(|n| n > MOST_POINTS) {
                return Err(Failure::Usage(Some(format!(
                    "the grid has more than {MOST_POINTS} points: take fewer values of each, or --random N"
                ))));
            }
            grid_points(&axes)
        }
    };
    let of = arguments
        .of
        .as_deref()
        .map_or(SweepOf::Data, SweepOf::Functional);
    let stop = interrupt::flag();
    let begun = Instant::now();
    let bar = best_fit::progress_bar(common, "points");
    let watch = |progress: SweepProgress| {
        bar.set_length(progress.points as u64);
        bar.set_position(progress.finished as u64);
    };
    let values = sweep(&study, of, &axes, &points, &stop, &watch).map_err(|error| match error {
        StudyError::NoData => Failure::Usage(Some(
            "the scenario has no data: name what is to be evaluated, such as --of \"final(x)\""
                .into(),
        )),
        other => best_fit::failure(other),
    })?;
    bar.finish_and_clear();
    let result = Swept {
        study: &study,
        what: arguments.of.clone().unwrap_or_else(|| "objective".into()),
        axes: &axes,
        grid: arguments.random.is_none(),
        points: &points,
        values: &values,
        seconds: begun.elapsed().as_secs_f64(),
    };
    let interrupted = values.contains(&Err(StudyError::Interrupted));
    let mut folder = best_fit::folder(&study, arguments.out.as_deref())?;
    let shown = folder.path().display().to_string();
    let document = result.document(&shown, interrupted);
    best_fit::write_result(&study, &document, &overrides, &mut folder)?;
    folder
        .write_csv("sweep.csv", &result.columns())
        .map_err(best_fit::failed)?;
    if !arguments.no_plots {
        let figure = result.sheet().draw().map_err(best_fit::failed)?;
        folder
            .write_figure("sweep", &figure)
            .map_err(best_fit::failed)?;
    }
    if common.json {
        print_json(&document)?;
    } else {
        print_text(&result.summary(Path::new(&shown)))?;
    }
    if interrupted {
        return Err(Failure::Interrupted);
    }
    match values.iter().find_map(|v| v.as_ref().err()) {
        Some(error) if values.iter().all(Result::is_err) => Err(Failure::Work(format!(
            "no point could be evaluated; the first: {error}"
        ))),
        _ => Ok(()),
    }
}

fn name<'s>(study: &'s Study, axis: &SweepAxis) -> &'s str {
    &study.scenario.parameters[axis.parameter].name.text
}

/// `kp=0.1:10`, `kp=0.1:10:50` or `kp=0.1:10:50:log`.
pub(super) fn axis(study: &Study, text: &str) -> Result<SweepAxis, String> {
    let wrong = |what: &str| {
        format!("--over {text}: {what}; NAME=FROM:TO:COUNT:log is expected, the last two at will")
    };
    let (name, range) = text.split_once('=').ok_or_else(|| wrong("no `=`"))?;
    let name = name.trim();
    let names = || {
        study
            .scenario
            .parameters
            .iter()
            .map(|p| p.name.text.as_str())
    };
    let parameter = names().position(|own| own == name).ok_or_else(|| {
        let hint = nearest(name, names());
        let hint = hint.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
        format!("--over {text}: no parameter `{name}`{hint}")
    })?;
    let parts: Vec<&str> = range.split(':').map(str::trim).collect();
    let end = |k: usize| {
        let part = parts.get(k).copied().unwrap_or("");
        let value = part.parse::<f64>().ok().filter(|v| v.is_finite());
        value.ok_or_else(|| wrong(&format!("`{part}` is no number")))
    };
    let (from, to) = (end(0)?, end(1)?);
    let mut rest = parts[2..].iter().copied().peekable();
    let count = match rest.peek().map(|part| part.parse::<usize>()) {
        Some(Ok(count)) => {
            rest.next();
            count
        }
        _ => COUNT,
    };
    if count == 0 {
        return Err(wrong("no values"));
    }
    let logarithmic = match rest.next() {
        None | Some("linear") => false,
        Some("log") => true,
        Some(other) => {
            return Err(wrong(&format!(
                "`{other}` is neither a count nor `log` nor `linear`"
            )));
        }
    };
    if let Some(other) = rest.next() {
        return Err(wrong(&format!("`{other}` is too much")));
    }
    if logarithmic && (from <= 0.0 || to <= 0.0) {
        return Err(wrong("a logarithmic range has two positive ends"));
    }
    Ok(SweepAxis {
        parameter,
        from,
        to,
        count,
        logarithmic,
    })
}

/// A finished sweep.
struct Swept<'s> {
    study: &'s Study,
    what: String,
    axes: &'s [SweepAxis],
    grid: bool,
    points: &'s [Vec<f64>],
    values: &'s [Result<f64, StudyError>],
    seconds: f64,
}

impl Swept<'_> {
    fn value(&self, k: usize) -> f64 {
        *self.values[k].as_ref().unwrap_or(&f64::NAN)
    }

    fn names(&self) -> Vec<&str> {
        self.axes.iter().map(|a| name(self.study, a)).collect()
    }

    /// Places of the lowest and the highest value.
    fn extremes(&self) -> Option<[usize; 2]> {
        let finite = || (0..self.points.len()).filter(|&k| self.value(k).is_finite());
        let by = |a: &usize, b: &usize| self.value(*a).total_cmp(&self.value(*b));
        Some([finite().min_by(by)?, finite().max_by(by)?])
    }

    fn document(&self, folder: &str, interrupted: bool) -> Value {
        let names = self.names();
        let at =
            |k: usize| named_numbers(names.iter().copied().zip(self.points[k].iter().copied()));
        let points: Vec<Value> = (0..self.points.len())
            .map(|k| {
                let mut point = at(k);
                point["value"] = number(self.value(k));
                if let Err(error) = &self.values[k] {
                    point["error"] = json!(error.to_string());
                }
                point
            })
            .collect();
        let extreme = |side: usize| {
            self.extremes().map(|ends| {
                let mut point = at(ends[side]);
                point["value"] = number(self.value(ends[side]));
                point
            })
        };
        json!({
            "scenario": self.study.scenario.name,
            "of": self.what,
            "over": names,
            "points": points,
            "lowest": extreme(0),
            "highest": extreme(1),
            "interrupted": interrupted,
            "seconds": self.seconds,
            "folder": folder,
        })
    }

    fn columns(&self) -> Vec<Column> {
        let names = self.names();
        let parameters = names.iter().enumerate().map(|(i, name)| {
            let values: Vec<f64> = self.points.iter().map(|p| p[i]).collect();
            Column::numbers(*name, values)
        });
        let values: Vec<f64> = (0..self.points.len()).map(|k| self.value(k)).collect();
        parameters
            .chain([Column::numbers(self.what.clone(), values)])
            .collect()
    }

    fn summary(&self, folder: &Path) -> String {
        let names = self.names();
        let failed = self.values.iter().filter(|v| v.is_err()).count();
        let mut text = format!("{}\n\n", self.study.scenario.title);
        if let Some(ends) = self.extremes() {
            for (word, k) in ["lowest ", "highest"].into_iter().zip(ends) {
                let at = names.iter().zip(&self.points[k]);
                let at: Vec<String> = at
                    .map(|(name, v)| format!("{name} = {}", significant(*v, 6)))
                    .collect();
                text += &format!(
                    "{word}  {} = {} at {}\n",
                    self.what,
                    significant(self.value(k), 8),
                    at.join(", ")
                );
            }
        }
        if let Some(error) = self.values.iter().find_map(|v| v.as_ref().err()) {
            text += &format!(
                "failed   {failed} of {} points; the first: {error}\n",
                self.points.len()
            );
        }
        text += &format!(
            "points   {} in {:.3} s\nresults  {}\n",
            self.points.len(),
            self.seconds,
            folder.display()
        );
        text
    }

    fn axis_of(&self, i: usize) -> Axis {
        Axis {
            label: best_fit::label(self.study, name(self.study, &self.axes[i])),
            scale: if self.axes[i].logarithmic {
                Scale::Logarithmic
            } else {
                Scale::Linear
            },
            ..Axis::default()
        }
    }

    /// A line over one parameter, a heat map over a grid of two, clouds over each otherwise.
    fn sheet(&self) -> Sheet {
        let block = if self.grid && self.axes.len() == 2 {
            Block::Heat(self.heat())
        } else {
            Block::Plot(self.lines())
        };
        Sheet {
            title: format!("{}: {}", self.study.scenario.title, self.what),
            rows: vec![vec![block]],
            ..Sheet::default()
        }
    }

    fn lines(&self) -> Plot {
        let panels = (0..self.axes.len()).map(|i| {
            let at = |k: usize| (self.points[k][i], self.value(k));
            let points: Vec<(f64, f64)> = (0..self.points.len()).map(at).collect();
            let layer = if self.grid && self.axes.len() == 1 {
                Layer::Line {
                    ink: Ink::Solid(0),
                    width: 2.0,
                    points,
                }
            } else {
                Layer::Dots {
                    ink: Ink::Solid(0),
                    points,
                    errors: Vec::new(),
                }
            };
            Panel {
                x: self.axis_of(i),
                y: Axis {
                    label: self.what.clone(),
                    ..Axis::default()
                },
                layers: vec![layer],
                ..Panel::default()
            }
        });
        Plot {
            panels: panels.collect(),
            ..Plot::default()
        }
    }

    /// The first parameter across, the second up; of a logarithmic range, the decimal logarithm.
    fn heat(&self) -> HeatMaps {
        let [across, up] = [0, 1].map(|i| {
            let axis = &self.axes[i];
            let place = |v: f64| if axis.logarithmic { v.log10() } else { v };
            let (from, to) = (place(axis.from), place(axis.to));
            // a value stands in the middle of its cell
            let half = 0.5 * (to - from) / axis.count.saturating_sub(1).max(1) as f64;
            let half = if half == 0.0 { 0.5 } else { half };
            let label = best_fit::label(self.study, name(self.study, axis));
            Axis {
                label: if axis.logarithmic {
                    format!("log10 {label}")
                } else {
                    label
                },
                limits: Some(((from - half).min(to + half), (from - half).max(to + half))),
                ..Axis::default()
            }
        });
        let (columns, rows) = (self.axes[0].count, self.axes[1].count);
        // an axis may run downward, where the raster's first cells are at the low end
        let cell = |i: usize, k: usize| {
            let axis = &self.axes[i];
            if axis.from <= axis.to {
                k
            } else {
                axis.count - 1 - k
            }
        };
        let values: Vec<f64> = (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (row, column)))
            .map(|(row, column)| self.value(cell(0, column) * rows + cell(1, row)))
            .collect();
        HeatMaps {
            columns: 1,
            x: across,
            y: up,
            square: false,
            colors: ColorScale::over(values.iter().copied()),
            label: self.what.clone(),
            maps: vec![HeatMap {
                title: String::new(),
                raster: Raster {
                    columns,
                    rows,
                    values,
                },
            }],
        }
    }
}
