//! The views of a simulation as one figure.

use costate::report::figure::{
    Axis, Block, ColorScale, HeatMap, HeatMaps, Ink, Layer, LegendEntry, Panel, Plot, Sheet,
};
use costate::report::table::significant;
use costate::scenario::Scenario;
use costate::study::Simulation;

use super::choose::{FEW, Paths, View};
use super::fields::{index_axis, plane, plane_maps, space_time};
use super::quantity::Quantity;
use crate::cli::figures::{self, time_label};

/// Times at which an array is shown.
const SNAPSHOTS: usize = 6;
/// The same where several arrays are shown, each in one row.
const SNAPSHOTS_IN_A_ROW: usize = 5;
/// Most paths that are drawn as lines; of more only the ends are.
const MOST_PATHS: usize = 2000;

/// Draws `views`, with `note` under the title.
pub fn sheet(scenario: &Scenario, views: &[View], result: &Simulation, note: &str) -> Sheet {
    let mut rows: Vec<Vec<Block>> = Vec::new();
    let time = time_label(scenario);
    let paths: Vec<Block> = views
        .iter()
        .filter_map(|view| match view {
            View::Paths(paths) => Some(Block::Plot(paths_plot(paths, result))),
            _ => None,
        })
        .collect();
    rows.extend(in_rows(paths));
    let fields = views.iter().filter(|v| matches!(v, View::Snapshots(_)));
    let alone = fields.count() == 1;
    for view in views {
        if let View::Snapshots(q) = view {
            rows.push(vec![Block::Heat(snapshots(scenario, q, result, alone))]);
        }
    }
    let maps: Vec<Block> = views
        .iter()
        .filter_map(|view| match view {
            View::SpaceTime(q) => Some(Block::Heat(space_time(q, result, &time))),
            _ => None,
        })
        .collect();
    rows.extend(in_rows(maps));
    for plot in [
        profiles(scenario, views, result),
        elements(views, result, &time),
    ] {
        if !plot.panels.is_empty() {
            rows.push(vec![Block::Plot(plot)]);
        }
    }
    for view in views {
        if let View::Lines(all) = view {
            let plot = figures::trajectories(scenario, all, result).plot();
            rows.push(vec![Block::Plot(plot)]);
        }
    }
    let mut note = note.to_owned();
    if views.iter().any(|view| matches!(view, View::Paths(_)))
        && let Some(end) = result.t.last()
    {
        let separator = if note.is_empty() { "" } else { "; " };
        note += &format!("{separator}dots mark {}", at_time(scenario, *end));
    }
    Sheet {
        title: scenario.title.clone(),
        note,
        rows,
        ..Sheet::default()
    }
}

/// Blocks side by side, two in a row.
pub fn in_rows(blocks: Vec<Block>) -> Vec<Vec<Block>> {
    let mut rows: Vec<Vec<Block>> = Vec::new();
    for block in blocks {
        match rows.last_mut() {
            Some(row) if row.len() < 2 => row.push(block),
            _ => rows.push(vec![block]),
        }
    }
    rows
}

/// `t = 0.4 s`.
fn at_time(scenario: &Scenario, t: f64) -> String {
    let unit = scenario.time_unit.as_deref().unwrap_or("");
    format!("t = {} {unit}", significant(t, 4))
        .trim_end()
        .into()
}

/// Color of line `k` of `count`: one of a few, or a shade.
pub fn ink(k: usize, count: usize) -> Ink {
    if count <= FEW {
        Ink::Series(k)
    } else {
        shade(k, count)
    }
}

/// Color `k` of `count` in an order, dark to bright; the brightest of the map would not show on white.
fn shade(k: usize, count: usize) -> Ink {
    Ink::Shade((k * 225 / (count - 1).max(1)).min(225) as u8)
}

/// What tells the elements of an array of several apart: entries of a legend for few, else words.
pub fn key(q: &Quantity, count: usize, dot: bool) -> (Vec<LegendEntry>, String) {
    let names: Vec<&str> = q.indices.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(", ");
    if count <= 1 {
        return (Vec::new(), String::new());
    }
    if count > FEW {
        return (
            Vec::new(),
            format!("{names} from the first (dark) to the last (bright)"),
        );
    }
    let places: Vec<String> = if q.len() == count {
        q.columns()
            .map(|name| {
                let places = name.split_once('[').map_or("", |(_, rest)| rest);
                format!("{names} = {}", places.trim_end_matches(']'))
            })
            .collect()
    } else {
        (1..=count)
            .map(|k| format!("{} = {k}", q.indices[0].0))
            .collect()
    };
    let entries = places
        .into_iter()
        .enumerate()
        .map(|(k, label)| LegendEntry {
            label,
            ink: if dot { Ink::Solid(k) } else { Ink::Series(k) },
            line: true,
            dot,
        });
    (entries.collect(), String::new())
}

/// Two series as points.
pub fn zip(x: &[f64], y: &[f64]) -> Vec<(f64, f64)> {
    x.iter().copied().zip(y.iter().copied()).collect()
}

/// The color of path `k`.
pub fn path_ink(k: usize, count: usize) -> Ink {
    match ink(k, count) {
        Ink::Series(k) => Ink::Solid(k),
        shade => shade,
    }
}

/// One quantity against another: paths as lines, their ends as dots.
fn paths_plot(paths: &Paths, result: &Simulation) -> Plot {
    let count = paths.len();
    let points = |k: usize| {
        let (a, b) = paths.elements(k);
        zip(paths.x.series(result, a), paths.y.series(result, b))
    };
    let width = if count <= FEW { 1.6 } else { 0.8 };
    let drawn = if count <= MOST_PATHS { count } else { 0 };
    let lines = (0..drawn).map(|k| Layer::Line {
        ink: path_ink(k, count),
        width,
        points: points(k),
    });
    let ends = (0..count).map(|k| Layer::Dots {
        ink: path_ink(k, count),
        points: points(k).last().copied().into_iter().collect(),
        errors: Vec::new(),
    });
    let (across, up) = paths.labels();
    let (legend, title) = key(&paths.x, count, true);
    Plot {
        legend,
        panels: vec![Panel {
            title,
            x: Axis::quantity(&across, ""),
            y: Axis::quantity(&up, ""),
            layers: lines.chain(ends).collect(),
            equal_units: paths.plane,
        }],
        ..Plot::default()
    }
}

/// The elements of arrays over time, a panel an array; arrays over the same indices share the legend.
fn elements(views: &[View], result: &Simulation, time: &str) -> Plot {
    let mut plot = Plot::default();
    for view in views {
        let View::Elements(q) = view else { continue };
        let count = q.len();
        let (legend, title) = key(q, count, false);
        for entry in legend {
            if !plot.legend.contains(&entry) {
                plot.legend.push(entry);
            }
        }
        let lines = q
            .all_series(result)
            .enumerate()
            .map(|(k, values)| Layer::Line {
                ink: ink(k, count),
                width: if count <= FEW { 2.0 } else { 0.9 },
                points: zip(&result.t, values),
            });
        plot.panels.push(Panel {
            title,
            x: Axis::quantity(time, ""),
            y: Axis::quantity(&q.label(), ""),
            layers: lines.collect(),
            ..Panel::default()
        });
    }
    plot
}

/// Output times at which arrays are shown: the first, the last, and some between.
fn shown(times: usize, count: usize) -> Vec<usize> {
    let count = count.min(times);
    let last = times.saturating_sub(1);
    (0..count)
        .map(|k| (k * last + (count - 1) / 2) / (count - 1).max(1))
        .collect()
}

/// Arrays of one index over it, at several times.
fn profiles(scenario: &Scenario, views: &[View], result: &Simulation) -> Plot {
    let mut plot = Plot::default();
    let times = shown(result.t.len(), SNAPSHOTS);
    for view in views {
        let View::Profiles(q) = view else { continue };
        let lines = times.iter().enumerate().map(|(i, &k)| Layer::Line {
            ink: shade(i, times.len()),
            width: 2.0,
            points: profile(q, result, k),
        });
        plot.panels.push(Panel {
            x: index_axis(&q.indices[0]),
            y: Axis::quantity(&q.label(), ""),
            layers: lines.collect(),
            ..Panel::default()
        });
    }
    if !plot.panels.is_empty() {
        plot.legend = times
            .iter()
            .enumerate()
            .map(|(i, &k)| LegendEntry {
                label: at_time(scenario, result.t[k]),
                ink: shade(i, times.len()),
                line: true,
                dot: false,
            })
            .collect();
    }
    plot
}

/// An array of one index at time `k`, over the index.
pub fn profile(q: &Quantity, result: &Simulation, k: usize) -> Vec<(f64, f64)> {
    let value = |series: &[f64]| series.get(k).copied().unwrap_or(f64::NAN);
    q.all_series(result)
        .enumerate()
        .map(|(place, series)| ((place + 1) as f64, value(series)))
        .collect()
}

/// An array of two or more indices at several times: in two rows where it is alone.
fn snapshots(scenario: &Scenario, q: &Quantity, result: &Simulation, alone: bool) -> HeatMaps {
    let count = if alone { SNAPSHOTS } else { SNAPSHOTS_IN_A_ROW };
    let maps: Vec<HeatMap> = shown(result.t.len(), count)
        .into_iter()
        .map(|k| HeatMap {
            title: at_time(scenario, result.t[k]),
            raster: plane(q, result, k),
        })
        .collect();
    let colors = ColorScale::over(maps.iter().flat_map(|m| m.raster.values.iter().copied()));
    let columns = if alone {
        maps.len().div_ceil(2).min(maps.len())
    } else {
        maps.len()
    };
    plane_maps(q, maps, columns, colors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_begin_at_the_first_time_and_end_at_the_last() {
        assert_eq!(shown(201, 6), [0, 40, 80, 120, 160, 200]);
        assert_eq!(shown(3, 6), [0, 1, 2]);
        assert_eq!(shown(1, 6), [0]);
    }
}
