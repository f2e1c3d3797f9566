//! `fit --compare-derivative-free`: the table, the JSON and the figure of what derivatives are worth.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use costate::report::RunFolder;
use costate::report::figure::{Axis, Ink, Layer, LegendEntry, Panel, Plot, Scale};
use costate::study::{Effort, Fit, Study, compare_derivative_free};
use serde_json::{Value, json};

use super::arguments::FitArguments;
use super::{Failure, best_fit};

/// What was compared.
pub struct Comparison {
    within: f64,
    efforts: Vec<Effort>,
}

impl Comparison {
    /// Runs all methods, where the command asks for it.
    pub fn run(
        study: &Study,
        fit: &Fit,
        arguments: &FitArguments,
        stop: &AtomicBool,
    ) -> Result<Option<Self>, Failure> {
        if !arguments.compare_derivative_free || fit.interrupted {
            return Ok(None);
        }
        let bar = Mutex::new(best_fit::progress_bar(&arguments.common, "runs compared"));
        let told = |done: usize, all: usize| {
            // A poisoned lock means a drawing thread panicked: the work goes on without progress.
            if let Ok(bar) = bar.lock() {
                bar.set_length(all as u64);
                bar.set_position(done as u64);
            }
        };
        let efforts = compare_derivative_free(study, fit, arguments.within, stop, &told);
        if let Ok(bar) = bar.lock() {
            bar.finish_and_clear();
        }
        Ok(Some(Self {
            within: arguments.within,
            efforts: efforts.map_err(best_fit::failure)?,
        }))
    }

    /// For `--json`.
    pub fn document(&self) -> Value {
        let rows: Vec<Value> = self
            .efforts
            .iter()
            .map(|effort| {
                json!({
                    "parameters": effort.parameters,
                    "method": effort.algorithm.name(),
                    "starts": effort.runs.len(),
                    "reached": effort.reached(),
                    "median_evaluations": effort.median().map(|m| m.0),
                    "median_seconds": effort.median().map(|m| m.1),
                    "evaluations": effort.runs.iter().map(|r| r.evaluations).collect::<Vec<_>>(),
                    "lowest": effort.runs.iter().map(|r| r.lowest).collect::<Vec<_>>(),
                })
            })
            .collect();
        json!({ "within": self.within, "efforts": rows })
    }

    /// The table, of the fit whose first parameters were searched.
    pub fn table(&self, fit: &Fit) -> String {
        let mut text = format!(
            "\nto come within {} of the best objective, the first n parameters searched, the rest held (medians)\n\n{:>3}  {:<20}  {:>9}  {:>11}  {:>9}\n",
            self.within, "n", "method", "reached", "evaluations", "seconds"
        );
        let mut last = 0;
        for effort in &self.efforts {
            let n = if effort.parameters == last {
                String::new()
            } else {
                effort.parameters.to_string()
            };
            last = effort.parameters;
            let reached = format!("{} of {}", effort.reached(), effort.runs.len());
            let (evaluations, seconds) = match effort.median() {
                Some((evaluations, seconds)) => {
                    (format!("{evaluations:.0}"), format!("{seconds:.4}"))
                }
                None => ("-".into(), "-".into()),
            };
            text += &format!(
                "{n:>3}  {:<20}  {reached:>9}  {evaluations:>11}  {seconds:>9}\n",
                effort.algorithm.name()
            );
        }
        text += &format!("\nparameters in order: {}\n", fit.names.join(", "));
        text
    }

    /// Evaluations and seconds over the number of parameters.
    pub fn draw(&self, title: &str, folder: &mut RunFolder) -> Result<(), Failure> {
        let mut methods: Vec<&str> = Vec::new();
        for effort in &self.efforts {
            if !methods.contains(&effort.algorithm.name()) {
                methods.push(effort.algorithm.name());
            }
        }
        let panel = |label: &str, of: &dyn Fn((f64, f64)) -> f64| {
            let layers = methods.iter().enumerate().flat_map(|(k, method)| {
                let own = self
                    .efforts
                    .iter()
                    .filter(|e| e.algorithm.name() == *method);
                let points: Vec<(f64, f64)> = own
                    .filter_map(|e| Some((e.parameters as f64, of(e.median()?))))
                    .collect();
                [
                    Layer::Line {
                        ink: Ink::Series(k),
                        width: 2.0,
                        points: points.clone(),
                    },
                    Layer::Dots {
                        ink: Ink::Series(k),
                        points,
                        errors: Vec::new(),
                    },
                ]
            });
            Panel {
                x: Axis {
                    label: "parameters searched".into(),
                    whole: true,
                    ..Axis::default()
                },
                y: Axis {
                    label: label.into(),
                    scale: Scale::Logarithmic,
                    ..Axis::default()
                },
                layers: layers.collect(),
                ..Panel::default()
            }
        };
        let plot = Plot {
            title: format!("{title}: with and without derivatives"),
            note: format!(
                "median to come within {} of the best objective",
                self.within
            ),
            legend: methods
                .iter()
                .enumerate()
                .map(|(k, method)| LegendEntry {
                    label: (*method).to_owned(),
                    ink: Ink::Series(k),
                    line: true,
                    dot: true,
                })
                .collect(),
            panels: vec![
                panel("evaluations", &|median| median.0),
                panel("seconds", &|median| median.1),
            ],
        };
        let figure = plot.draw().map_err(best_fit::failed)?;
        folder
            .write_figure("derivative-free", &figure)
            .map_err(best_fit::failed)?;
        Ok(())
    }
}
