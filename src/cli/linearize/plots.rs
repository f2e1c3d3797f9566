//! Pictures of a linearization: Bode, Nyquist, poles and zeros, root locus.

use std::f64::consts::TAU;

use costate::control::Grid;
use costate::report::figure::{Axis, Block, Ink, Layer, LegendEntry, Panel, Plot, Scale, Sheet};
use costate::study::{Channel, Study};
use nalgebra::Complex;

use super::{Found, grid, phases};

/// How far from the origin a Nyquist plot shows.
const FAR: f64 = 3.0;

/// Every picture there is, with its file's name.
pub(super) fn sheets(study: &Study, found: &Found) -> Vec<(&'static str, Sheet)> {
    let mut all = Vec::new();
    let title = &study.scenario.title;
    let what = match &found.channel {
        Channel::Autonomous => title.clone(),
        Channel::Through { input, output } => format!("{title}: from {input} to {output}"),
        Channel::Around { controller } => format!("{title}: loop of {controller}"),
    };
    let unit = study.scenario.time_unit.as_deref().unwrap_or("");
    let sheet = |title: &str, plot: Plot| Sheet {
        title: title.to_owned(),
        rows: vec![vec![Block::Plot(plot)]],
        ..Sheet::default()
    };
    if let Some(grid) = grid(found) {
        let rows = bode(found, &grid, unit).into_iter();
        all.push((
            "bode",
            Sheet {
                title: what.clone(),
                rows: rows.map(|plot| vec![Block::Plot(plot)]).collect(),
                ..Sheet::default()
            },
        ));
        if found.of_loop.is_some() {
            all.push(("nyquist", sheet(&what, nyquist(found, &grid))));
        }
    }
    all.push(("poles", sheet(&what, pole_map(found, unit))));
    if let Some(plot) = root_locus(found, unit) {
        all.push(("root_locus", sheet(title, plot)));
    }
    all
}

fn line(series: usize, points: Vec<(f64, f64)>) -> Layer {
    Layer::Line {
        ink: Ink::Solid(series),
        width: 2.0,
        points,
    }
}

fn dots(ink: Ink, points: Vec<(f64, f64)>) -> Layer {
    Layer::Dots {
        ink,
        points,
        errors: Vec::new(),
    }
}

fn entry(label: &str, ink: Ink, line: bool) -> LegendEntry {
    LegendEntry {
        label: label.to_owned(),
        ink,
        line,
        dot: !line,
    }
}

/// Magnitude and phase, with the crossings that margins are read at.
fn bode(found: &Found, grid: &Grid, unit: &str) -> [Plot; 2] {
    let decibel = |g: Complex<f64>| 20.0 * g.norm().log10();
    let magnitudes = grid.points.iter().map(|&(w, g)| (w, decibel(g))).collect();
    let turned: Vec<(f64, f64)> = grid
        .points
        .iter()
        .zip(phases(grid))
        .map(|((w, _), phase)| (*w, phase))
        .collect();
    let phase_at = |w: f64| {
        let after = turned.partition_point(|(own, _)| *own < w);
        turned.get(after).map_or(f64::NAN, |(_, phase)| *phase)
    };
    let (mut above, mut below) = (vec![line(0, magnitudes)], Vec::new());
    below.push(line(0, turned.clone()));
    if let Some((of_loop, margins)) = &found.of_loop {
        above.push(Layer::Level(0.0));
        // the odd multiple of 180 next to the phase where the margin is read
        let reference = margins
            .gain
            .map(|m| phase_at(m.frequency))
            .or(margins.phase.map(|m| phase_at(m.frequency)));
        let level = reference.map_or(-180.0, |phase| {
            360.0 * ((phase + 180.0) / 360.0).round() - 180.0
        });
        below.push(Layer::Level(level));
        if let Some(m) = margins.gain {
            let g = of_loop.open.response(m.frequency);
            above.push(Layer::Mark {
                at: (m.frequency, decibel(g)),
                label: "gain margin".into(),
            });
        }
        if let Some(m) = margins.phase {
            below.push(Layer::Mark {
                at: (m.frequency, phase_at(m.frequency)),
                label: "phase margin".into(),
            });
        }
    }
    let per = if unit.is_empty() {
        "rad".to_owned()
    } else {
        format!("rad/{unit}")
    };
    let across = || Axis {
        label: format!("frequency ({per})"),
        scale: Scale::Logarithmic,
        ..Axis::default()
    };
    let panel = |label: &str, layers| Plot {
        panels: vec![Panel {
            x: across(),
            y: Axis::quantity(label, if label == "phase" { "degrees" } else { "dB" }),
            layers,
            ..Panel::default()
        }],
        ..Plot::default()
    };
    [panel("magnitude", above), panel("phase", below)]
}

/// L(i w) for w above and below 0, the point -1, and the circle about it that touches where Ms is.
fn nyquist(found: &Found, grid: &Grid) -> Plot {
    let near = |points: Vec<(f64, f64)>| -> Vec<(f64, f64)> {
        // far points are no part of what is looked at, and break the line
        let far = |(x, y): &(f64, f64)| x.hypot(*y) > 20.0 * FAR;
        points
            .into_iter()
            .map(|point| {
                if far(&point) {
                    (f64::NAN, f64::NAN)
                } else {
                    point
                }
            })
            .collect()
    };
    let positive = near(grid.points.iter().map(|(_, g)| (g.re, g.im)).collect());
    let negative = near(grid.points.iter().map(|(_, g)| (g.re, -g.im)).collect());
    let reach = grid
        .points
        .iter()
        .map(|(_, g)| g.norm())
        .fold(1.0, f64::max)
        .min(FAR)
        * 1.1;
    let reach = reach.max(1.5);
    let mut layers = vec![
        Layer::Line {
            ink: Ink::Faint,
            width: 1.6,
            points: negative,
        },
        line(0, positive),
    ];
    let mut legend = vec![
        entry("frequencies above 0", Ink::Solid(0), true),
        entry("below 0", Ink::Faint, true),
    ];
    let margins = found.of_loop.as_ref().map(|(_, margins)| margins);
    if let Some(peak) = margins.and_then(|m| m.sensitivity) {
        let radius = 1.0 / peak.value;
        let circle = (0..=180).map(|k| {
            let angle = TAU * f64::from(k) / 180.0;
            (-1.0 + radius * angle.cos(), radius * angle.sin())
        });
        layers.push(Layer::Line {
            ink: Ink::Solid(2),
            width: 1.6,
            points: circle.collect(),
        });
        legend.push(entry(
            &format!("Ms = {:.3}", peak.value),
            Ink::Solid(2),
            true,
        ));
    }
    layers.push(Layer::Mark {
        at: (-1.0, 0.0),
        label: "-1".into(),
    });
    let axis = |name: &str| Axis {
        label: name.into(),
        limits: Some((-reach, reach)),
        ..Axis::default()
    };
    Plot {
        legend,
        panels: vec![Panel {
            x: axis("real part"),
            y: axis("imaginary part"),
            layers,
            equal_units: true,
            ..Panel::default()
        }],
        ..Plot::default()
    }
}

fn plane(layers: Vec<Layer>, unit: &str) -> Panel {
    let per = if unit.is_empty() {
        String::new()
    } else {
        format!("1/{unit}")
    };
    Panel {
        x: Axis::quantity("real part", &per),
        y: Axis::quantity("imaginary part", &per),
        layers,
        ..Panel::default()
    }
}

fn placed(all: &[Complex<f64>]) -> Vec<(f64, f64)> {
    all.iter().map(|p| (p.re, p.im)).collect()
}

/// The imaginary axis, as high as the points reach.
fn edge<'p>(points: impl Iterator<Item = &'p Complex<f64>>) -> Layer {
    let high = points
        .map(|p| p.im.abs().max(0.3 * p.re.abs()))
        .fold(1e-12, f64::max);
    Layer::Line {
        ink: Ink::Gray,
        width: 1.0,
        points: vec![(0.0, -1.1 * high), (0.0, 1.1 * high)],
    }
}

fn pole_map(found: &Found, unit: &str) -> Plot {
    let mut layers = vec![edge(found.poles.iter().chain(&found.zeros))];
    let mut legend = Vec::new();
    if found.of_loop.is_some() {
        layers.push(dots(Ink::Gray, placed(&found.open_poles)));
        legend.push(entry("poles of the open loop", Ink::Gray, false));
    }
    layers.push(dots(Ink::Series(0), placed(&found.poles)));
    let of = if found.of_loop.is_some() {
        "of the closed loop"
    } else {
        ""
    };
    legend.push(entry(
        format!("poles {of}").trim_end(),
        Ink::Series(0),
        false,
    ));
    if !found.zeros.is_empty() {
        layers.push(dots(Ink::Series(1), placed(&found.zeros)));
        legend.push(entry("zeros", Ink::Series(1), false));
    }
    Plot {
        legend,
        panels: vec![plane(layers, unit)],
        ..Plot::default()
    }
}

fn root_locus(found: &Found, unit: &str) -> Option<Plot> {
    let locus = found.locus.as_ref()?;
    let count = locus.values.len();
    let mut layers = vec![edge(locus.poles.iter().flatten())];
    for (k, poles) in locus.poles.iter().enumerate() {
        let shade = 255 * k / count.saturating_sub(1).max(1);
        layers.push(dots(Ink::Shade(shade as u8), placed(poles)));
    }
    let (first, last) = (locus.values.first()?, locus.values.last()?);
    Some(Plot {
        legend: vec![
            entry(&format!("{} = {first}", locus.name), Ink::Shade(0), false),
            entry(&format!("{} = {last}", locus.name), Ink::Shade(255), false),
        ],
        panels: vec![plane(layers, unit)],
        ..Plot::default()
    })
}
