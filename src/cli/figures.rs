//! From study results to figures.

use costate::report::figure::{
    Axis, Convergence, Curve, History, Ink, Layer, LegendEntry, Observations, Panel, Plot,
    ResidualPanel, ResidualSeries, Residuals, Trajectories, TrajectoryPanel, Waterfall,
};
use costate::scenario::{Observable, Scenario};
use costate::study::{Fit, Prediction, Simulation, Study};

use super::look::Quantity;

/// Most curves in one panel: more could not be told apart.
const CURVES_A_PANEL: usize = 6;

/// `t` with the scenario's unit.
pub fn time_label(scenario: &Scenario) -> String {
    scenario
        .time_unit
        .as_ref()
        .map_or_else(|| "t".into(), |unit| format!("time ({unit})"))
}

/// Name and unit of an observable; the unit of a state that it reads plainly serves where it has none of its own.
pub fn observable_label(scenario: &Scenario, observable: usize) -> String {
    let observable = &scenario.observables[observable];
    let name = &observable.name.text;
    match observable
        .unit
        .as_deref()
        .or_else(|| state_unit(scenario, observable))
    {
        Some(unit) => format!("{name} ({unit})"),
        None => name.clone(),
    }
}

/// The unit of the state that an observable reads plainly.
fn state_unit<'s>(scenario: &'s Scenario, observable: &Observable) -> Option<&'s str> {
    let plain = observable.expression.span.text().trim_matches(['"', '\'']);
    let mut states = scenario.states.iter();
    states
        .find(|s| s.name.text == plain)
        .and_then(|s| s.unit.as_deref())
}

/// What is known of an observable in an experiment. All lists have one length.
pub struct BandPanel<'a> {
    pub experiment: usize,
    pub observable: usize,
    pub t: &'a [f64],
    /// the line in the middle
    pub middle: &'a [f64],
    /// lower and upper edge of the band of the model's value
    pub model: Vec<(f64, f64)>,
    /// those of new measurements; not finite where they are not known
    pub measurement: Vec<(f64, f64)>,
}

/// Bands with the data, one panel each, without title and note.
pub fn band_plot<'a>(
    study: &Study,
    bands: impl Iterator<Item = BandPanel<'a>>,
    middle_label: &str,
) -> Plot {
    let scenario = &study.scenario;
    let ribbon = |t: &[f64], edges: &[(f64, f64)], strength: f64| Layer::Ribbon {
        ink: Ink::Solid(0),
        strength,
        points: t.iter().zip(edges).map(|(&t, e)| (t, e.0, e.1)).collect(),
    };
    let panels = bands.map(|band| {
        let plan = &study.plans[band.experiment];
        let own = plan.measurements.iter();
        let measured = own
            .filter(|m| m.observable == band.observable)
            .map(|m| (plan.times[m.sample], m.value));
        let middle = band.t.iter().copied().zip(band.middle.iter().copied());
        Panel {
            title: scenario.experiments[band.experiment].name.clone(),
            x: Axis::quantity(&time_label(scenario), ""),
            y: Axis {
                label: observable_label(scenario, band.observable),
                ..Axis::default()
            },
            layers: vec![
                ribbon(band.t, &band.measurement, 0.16),
                ribbon(band.t, &band.model, 0.42),
                Layer::Line {
                    ink: Ink::Solid(0),
                    width: 2.0,
                    points: middle.collect(),
                },
                Layer::Dots {
                    ink: Ink::Solid(1),
                    points: measured.collect(),
                    errors: Vec::new(),
                },
            ],
            ..Panel::default()
        }
    });
    let entry = |label: &str, ink: Ink, line: bool| LegendEntry {
        label: label.to_owned(),
        ink,
        line,
        dot: !line,
    };
    Plot {
        panels: panels.collect(),
        legend: vec![
            entry(middle_label, Ink::Solid(0), true),
            entry("data", Ink::Solid(1), false),
        ],
        ..Plot::default()
    }
}

/// A quantity to draw.
struct Drawn<'a> {
    name: &'a str,
    unit: Option<&'a str>,
    values: &'a [f64],
    observable: Option<usize>,
}

/// Panels of one experiment: quantities of one unit share a panel.
fn panels(
    quantities: &[Drawn<'_>],
    t: &[f64],
    data: &[Prediction],
    prefix: &str,
) -> Vec<TrajectoryPanel> {
    let mut groups: Vec<Vec<&Drawn<'_>>> = Vec::new();
    for quantity in quantities {
        match groups
            .iter_mut()
            .find(|g| g[0].unit == quantity.unit && g.len() < CURVES_A_PANEL)
        {
            Some(group) => group.push(quantity),
            None => groups.push(vec![quantity]),
        }
    }
    groups
        .iter()
        .map(|group| {
            let names: Vec<&str> = group.iter().map(|q| q.name).collect();
            let what = if names.len() <= 3 {
                names.join(", ")
            } else {
                String::new()
            };
            let label = match (group[0].unit, what.is_empty()) {
                (Some(unit), true) => unit.to_owned(),
                (Some(unit), false) => format!("{what} ({unit})"),
                (None, _) => what,
            };
            TrajectoryPanel {
                title: prefix.to_owned(),
                value_label: label,
                curves: group
                    .iter()
                    .map(|q| Curve {
                        name: q.name.to_owned(),
                        time: t.to_vec(),
                        values: q.values.to_vec(),
                    })
                    .collect(),
                data: group
                    .iter()
                    .filter_map(|q| q.observable.map(|o| observations(q.name, o, data)))
                    .collect(),
                ..TrajectoryPanel::default()
            }
        })
        .collect()
}

fn observations(name: &str, observable: usize, data: &[Prediction]) -> Observations {
    let of = || data.iter().filter(|p| p.observable == observable);
    Observations {
        name: name.to_owned(),
        time: of().map(|p| p.t).collect(),
        values: of().map(|p| p.measured).collect(),
        errors: Vec::new(),
    }
}

/// Curves of one simulation over time.
pub fn trajectories(
    scenario: &Scenario,
    quantities: &[Quantity],
    result: &Simulation,
) -> Trajectories {
    let drawn: Vec<Drawn<'_>> = quantities
        .iter()
        .map(|q| Drawn {
            name: &q.name,
            unit: q.unit.as_deref(),
            values: q.series(result, 0),
            observable: None,
        })
        .collect();
    Trajectories {
        time_label: time_label(scenario),
        panels: panels(&drawn, &result.t, &[], ""),
        ..Trajectories::default()
    }
}

/// The fitted observables of every experiment with their data.
pub fn fits(
    scenario: &Scenario,
    results: &[Simulation],
    data: &[Vec<Prediction>],
    note: String,
) -> Trajectories {
    let mut all = Vec::new();
    for ((experiment, result), data) in scenario.experiments.iter().zip(results).zip(data) {
        if data.is_empty() {
            continue;
        }
        let quantities: Vec<Drawn<'_>> = scenario
            .observables
            .iter()
            .zip(&result.observables)
            .enumerate()
            .filter(|(o, _)| data.iter().any(|p| p.observable == *o))
            .map(|(o, (observable, values))| {
                let unit = observable.unit.as_deref();
                let unit = unit.or_else(|| state_unit(scenario, observable));
                Drawn {
                    name: &observable.name.text,
                    unit,
                    values,
                    observable: Some(o),
                }
            })
            .collect();
        all.extend(panels(&quantities, &result.t, data, &experiment.name));
    }
    Trajectories {
        title: scenario.title.clone(),
        note,
        time_label: time_label(scenario),
        curve_label: "fit".into(),
        data_label: "data".into(),
        panels: all,
    }
}

/// The standard deviation of regression, sqrt(2 objective / (measurements - parameters)).
pub fn regression_deviation(result: &Fit, data: &[Vec<Prediction>]) -> f64 {
    let measurements: usize = data.iter().map(Vec::len).sum();
    let free = measurements.saturating_sub(result.best.len()).max(1) as f64;
    (2.0 * result.objective / free).sqrt()
}

/// Standardized residuals (data minus model) of every experiment. Where an observable has no noise model, the
/// standard deviation of regression, sqrt(2 objective / (measurements - parameters)), takes sigma's place.
pub fn residuals(scenario: &Scenario, result: &Fit, data: &[Vec<Prediction>]) -> Residuals {
    let deviation = regression_deviation(result, data);
    let sigma = |p: &Prediction| {
        if p.sigma.is_nan() && deviation > 0.0 {
            deviation
        } else {
            1.0
        }
    };
    let panels = scenario
        .experiments
        .iter()
        .zip(data)
        .filter(|(_, data)| !data.is_empty())
        .map(|(experiment, data)| {
            let series = scenario
                .observables
                .iter()
                .enumerate()
                .filter_map(|(o, observable)| {
                    let of = || data.iter().filter(|p| p.observable == o);
                    of().next()?;
                    Some(ResidualSeries {
                        name: observable.name.text.clone(),
                        time: of().map(|p| p.t).collect(),
                        residuals: of().map(|p| -p.residual / sigma(p)).collect(),
                    })
                });
            ResidualPanel {
                title: experiment.name.clone(),
                series: series.collect(),
            }
        });
    Residuals {
        title: format!("{}: residuals", scenario.title),
        time_label: time_label(scenario),
        panels: panels.collect(),
    }
}

/// Final objectives of all starts.
pub fn waterfall(title: &str, result: &Fit) -> Waterfall {
    Waterfall {
        title: format!("{title}: {} starts", result.starts.len()),
        objective_label: "objective".into(),
        objectives: result.starts.iter().map(|s| s.outcome.value).collect(),
    }
}

/// The objective over the iterations of every start.
pub fn convergence(title: &str, result: &Fit) -> Convergence {
    Convergence {
        title: format!("{title}: convergence"),
        objective_label: "objective".into(),
        starts: result
            .starts
            .iter()
            .map(|s| History {
                objectives: s.outcome.history.iter().map(|p| p.value).collect(),
            })
            .collect(),
    }
}
