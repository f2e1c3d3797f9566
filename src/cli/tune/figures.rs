//! Before and after, and how the search converged.

use costate::report::figure::{Axis, Ink, Layer, LegendEntry, Panel, Plot, Scale};
use costate::study::{Costates, Study, Tune};

use super::{Ensemble, Shown};
use crate::cli::figures::{observable_label, time_label};

/// Most panels of observables.
const MOST: usize = 12;

fn entry(label: &str, ink: Ink) -> LegendEntry {
    LegendEntry {
        label: label.to_owned(),
        ink,
        line: true,
        dot: false,
    }
}

/// Each observable, then each control: first guess and result.
pub fn trajectories(
    study: &Study,
    before: &Shown,
    after: &Shown,
    band: Option<&Ensemble>,
    result: &Tune,
) -> Plot {
    let scenario = &study.scenario;
    let line = |t: &[f64], v: &[f64], ink, width| Layer::Line {
        ink,
        width,
        points: t.iter().copied().zip(v.iter().copied()).collect(),
    };
    let panel = |label: String, before: (&[f64], &[f64]), after: (&[f64], &[f64])| Panel {
        x: Axis::quantity(&time_label(scenario), ""),
        y: Axis {
            label,
            ..Axis::default()
        },
        layers: vec![
            line(before.0, before.1, Ink::Gray, 1.2),
            line(after.0, after.1, Ink::Solid(0), 2.0),
        ],
        ..Panel::default()
    };
    let (old, new) = (&before.run, &after.run);
    let mut panels: Vec<Panel> = (0..scenario.observables.len().min(MOST))
        .map(|k| {
            let mut panel = panel(
                observable_label(scenario, k),
                (&old.t, &old.observables[k]),
                (&new.t, &new.observables[k]),
            );
            if let Some(band) = band {
                let range = band.worst.t.iter().zip(&band.range[k]);
                let ribbon = Layer::Ribbon {
                    ink: Ink::Solid(0),
                    strength: 0.25,
                    points: range.map(|(&t, &[low, high])| (t, low, high)).collect(),
                };
                panel.layers.insert(0, ribbon);
                let worst = &band.worst;
                let worst = line(&worst.t, &worst.observables[k], Ink::Solid(1), 1.5);
                panel.layers.push(worst);
            }
            panel
        })
        .collect();
    for (first, found) in before.controls.iter().zip(&after.controls) {
        let unit = found.unit.as_deref().unwrap_or("");
        panels.push(panel(
            Axis::quantity(&found.name, unit).label,
            (&old.t, &first.values),
            (&new.t, &found.values),
        ));
    }
    let mut legend = vec![
        entry("first guess", Ink::Gray),
        entry("tuned", Ink::Solid(0)),
    ];
    if band.is_some() {
        legend[1].label = format!("tuned, band of {} plants", result.plants);
        legend.push(entry("worst plant", Ink::Solid(1)));
    }
    Plot {
        title: scenario.title.clone(),
        note: format!(
            "objective {:.6} (first guess {:.6}), {}",
            result.objective, result.objective_before, result.status
        ),
        legend,
        panels,
    }
}

/// KKT residual and violation by iteration.
pub fn convergence(study: &Study, result: &Tune) -> Plot {
    // zero has no place on a logarithmic axis
    let floor = 1e-16;
    let points = |of: &dyn Fn(usize) -> f64| -> Vec<(f64, f64)> {
        (0..result.history.len())
            .map(|k| (k as f64, of(k).max(floor)))
            .collect()
    };
    let line = |ink, of: &dyn Fn(usize) -> f64| Layer::Line {
        ink,
        width: 2.0,
        points: points(of),
    };
    let history = &result.history;
    let x = Axis {
        label: "iteration".into(),
        whole: true,
        ..Axis::default()
    };
    Plot {
        title: study.scenario.title.clone(),
        note: format!(
            "{} iterations: {}",
            history.len().saturating_sub(1),
            result.status
        ),
        legend: vec![
            entry("KKT residual, scaled", Ink::Solid(0)),
            entry("largest violation", Ink::Solid(1)),
        ],
        panels: vec![
            Panel {
                x: x.clone(),
                y: Axis {
                    label: "objective".into(),
                    ..Axis::default()
                },
                layers: vec![Layer::Line {
                    ink: Ink::Gray,
                    width: 2.0,
                    points: history
                        .iter()
                        .map(|h| (h.iteration as f64, h.value))
                        .collect(),
                }],
                ..Panel::default()
            },
            Panel {
                x,
                y: Axis {
                    label: "residual".into(),
                    scale: Scale::Logarithmic,
                    ..Axis::default()
                },
                layers: vec![
                    line(Ink::Solid(0), &|k| history[k].residual),
                    line(Ink::Solid(1), &|k| history[k].violation),
                ],
                ..Panel::default()
            },
        ],
    }
}

/// The costate of each state, then the Hamiltonian.
pub fn costates(study: &Study, costates: &Costates) -> Plot {
    let scenario = &study.scenario;
    let panel = |label: String, values: &[f64]| Panel {
        x: Axis::quantity(&time_label(scenario), ""),
        y: Axis {
            label,
            ..Axis::default()
        },
        layers: vec![Layer::Line {
            ink: Ink::Solid(0),
            width: 2.0,
            points: costates
                .t
                .iter()
                .copied()
                .zip(values.iter().copied())
                .collect(),
        }],
        ..Panel::default()
    };
    let own = costates.states.iter().zip(&costates.values);
    let mut panels: Vec<Panel> = own
        .take(MOST)
        .map(|(name, values)| panel(format!("costate of {name}"), values))
        .collect();
    panels.push(panel("Hamiltonian".to_owned(), &costates.hamiltonian));
    Plot {
        title: scenario.title.clone(),
        note: "what a push to a state then would do to the optimum".to_owned(),
        legend: Vec::new(),
        panels,
    }
}
