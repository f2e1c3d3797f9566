//! The views of a simulation as frames of an animation, axes and color scales the same in all of them.
//!
//! Fields are heat maps, arrays of one index lines over it, points leave trails, and single numbers are drawn up to now. Where there are
//! points in a plane, other arrays over their index are left out, unless `--states` names what is to be seen.

use costate::report::figure::{
    Axis, Block, ColorScale, Figure, FigureError, HeatMap, Ink, Layer, Panel, Plot, Sheet,
    animation,
};
use costate::scenario::Scenario;
use costate::study::Simulation;

use super::choose::{FEW, Paths, View};
use super::fields::{index_axis, plane, plane_maps};
use super::quantity::Quantity;
use super::still::{in_rows, key, path_ink, profile, zip};
use crate::cli::arguments::LookArguments;
use crate::cli::figures::time_label;

/// Widths of frames with one block and with two side by side, in pixels.
const WIDTHS: (f64, f64) = (520.0, 860.0);
/// Length of a trail, as a fraction of the whole run.
const TRAIL: f64 = 0.25;
/// Most points that leave trails.
const MOST_TRAILS: usize = 500;

/// What of a view stays the same in all frames.
enum Scene<'a> {
    /// a heat map and its colors
    Field(&'a Quantity, ColorScale),
    /// an array over its index, and the limits of its values
    Profile(&'a Quantity, (f64, f64)),
    /// points and the limits of their coordinates
    Paths(&'a Paths, [(f64, f64); 2]),
    /// one number over time
    Line(&'a Quantity),
}

/// Least and largest of the finite values of `series`.
fn limits<'a>(series: impl Iterator<Item = &'a [f64]>) -> (f64, f64) {
    let range =
        series
            .flatten()
            .filter(|v| v.is_finite())
            .fold(None, |range: Option<(f64, f64)>, &v| {
                Some(range.map_or((v, v), |(low, high)| (low.min(v), high.max(v))))
            });
    let (low, high) = range.unwrap_or((0.0, 1.0));
    let largest = low.abs().max(high.abs());
    if high - low > 1e-12 * largest {
        (low, high)
    } else {
        let half = if largest > 0.0 { 0.1 * largest } else { 1.0 };
        (low - half, high + half)
    }
}

fn scenes<'a>(views: &'a [View], result: &Simulation, named: bool) -> Vec<Scene<'a>> {
    let of_points = |q: &Quantity| {
        let over = &q.indices[0];
        views.iter().any(|view| {
            matches!(view, View::Paths(paths) if paths.plane && paths.x.indices.first() == Some(over))
        })
    };
    let mut scenes = Vec::new();
    for view in views {
        if let View::SpaceTime(q) | View::Elements(q) | View::Snapshots(q) = view
            && !named
            && of_points(q)
        {
            continue;
        }
        match view {
            View::Snapshots(q) => {
                let values = q.all_series(result).flatten().copied();
                scenes.push(Scene::Field(q, ColorScale::over(values)));
            }
            View::Elements(q) if q.indices.len() > 1 => {
                let values = q.all_series(result).flatten().copied();
                scenes.push(Scene::Field(q, ColorScale::over(values)));
            }
            View::SpaceTime(q) | View::Profiles(q) | View::Elements(q) => {
                scenes.push(Scene::Profile(q, limits(q.all_series(result))));
            }
            View::Paths(paths) => {
                let elements = || (0..paths.len()).map(|k| paths.elements(k));
                let x = limits(elements().map(|(a, _)| paths.x.series(result, a)));
                let y = limits(elements().map(|(_, b)| paths.y.series(result, b)));
                scenes.push(Scene::Paths(paths, [x, y]));
            }
            View::Lines(all) => scenes.extend(all.iter().map(Scene::Line)),
        }
    }
    scenes
}

impl Scene<'_> {
    /// The scene at output `k`.
    fn block(&self, result: &Simulation, k: usize, time: &str) -> Block {
        match self {
            Scene::Field(q, colors) => {
                let map = HeatMap {
                    title: String::new(),
                    raster: plane(q, result, k),
                };
                Block::Heat(plane_maps(q, vec![map], 1, *colors))
            }
            Scene::Profile(q, limits) => Block::Plot(one(profile_panel(q, *limits, result, k))),
            Scene::Paths(paths, limits) => {
                let (legend, title) = key(&paths.x, paths.len(), true);
                let panel = Panel {
                    title,
                    ..paths_panel(paths, *limits, result, k)
                };
                Block::Plot(Plot {
                    legend,
                    ..one(panel)
                })
            }
            Scene::Line(q) => Block::Plot(one(line_panel(q, result, k, time))),
        }
    }
}

fn one(panel: Panel) -> Plot {
    Plot {
        panels: vec![panel],
        ..Plot::default()
    }
}

/// Limits with some room.
fn roomy((low, high): (f64, f64)) -> (f64, f64) {
    let room = 0.05 * (high - low);
    (low - room, high + room)
}

fn profile_panel(q: &Quantity, limits: (f64, f64), result: &Simulation, k: usize) -> Panel {
    let points = profile(q, result, k);
    let mut layers = vec![Layer::Line {
        ink: Ink::Solid(0),
        width: 2.0,
        points: points.clone(),
    }];
    if q.len() <= FEW {
        layers.push(Layer::Dots {
            ink: Ink::Solid(0),
            points,
            errors: Vec::new(),
        });
    }
    Panel {
        x: index_axis(&q.indices[0]),
        y: Axis {
            limits: Some(roomy(limits)),
            ..Axis::quantity(&q.label(), "")
        },
        layers,
        ..Panel::default()
    }
}

/// Points at output `k` and where they came from.
fn paths_panel(paths: &Paths, limits: [(f64, f64); 2], result: &Simulation, k: usize) -> Panel {
    let count = paths.len();
    // one path is followed from its start, several would hide each other
    let back = if count == 1 {
        k
    } else {
        (TRAIL * result.t.len() as f64) as usize
    };
    let from = k.saturating_sub(back);
    let points = |point: usize| {
        let (a, b) = paths.elements(point);
        let part = |series: &[f64]| series.get(from..=k).unwrap_or(&[]).to_vec();
        zip(
            &part(paths.x.series(result, a)),
            &part(paths.y.series(result, b)),
        )
    };
    let trails = if count <= MOST_TRAILS { count } else { 0 };
    let lines = (0..trails).map(|point| Layer::Line {
        ink: path_ink(point, count),
        width: if count <= FEW { 1.6 } else { 0.8 },
        points: points(point),
    });
    let now = (0..count).map(|point| Layer::Dots {
        ink: path_ink(point, count),
        points: points(point).last().copied().into_iter().collect(),
        errors: Vec::new(),
    });
    let (across, up) = paths.labels();
    let axis = |label: &str, limits: (f64, f64)| Axis {
        limits: Some(if paths.plane { limits } else { roomy(limits) }),
        ..Axis::quantity(label, "")
    };
    Panel {
        x: axis(&across, limits[0]),
        y: axis(&up, limits[1]),
        layers: lines.chain(now).collect(),
        equal_units: paths.plane,
        ..Panel::default()
    }
}

/// One number over time: the whole faint, up to output `k` strong.
fn line_panel(q: &Quantity, result: &Simulation, k: usize, time: &str) -> Panel {
    let points = zip(&result.t, q.series(result, 0));
    let line = |ink, points: &[(f64, f64)]| Layer::Line {
        ink,
        width: 2.0,
        points: points.to_vec(),
    };
    let now = points.get(..=k).unwrap_or(&points);
    Panel {
        x: Axis::quantity(time, ""),
        y: Axis::quantity(&q.label(), ""),
        layers: vec![
            line(Ink::Faint, &points),
            line(Ink::Solid(0), now),
            Layer::Dots {
                ink: Ink::Solid(0),
                points: now.last().copied().into_iter().collect(),
                errors: Vec::new(),
            },
        ],
        ..Panel::default()
    }
}

/// `t = 0.40 s`, with as many decimals in all frames as tell them apart.
fn clock(scenario: &Scenario, t: f64, step: f64) -> String {
    let decimals = if step > 0.0 {
        (-step.log10()).ceil().clamp(0.0, 12.0) as usize
    } else {
        0
    };
    let unit = scenario.time_unit.as_deref().unwrap_or("");
    format!("t = {t:.decimals$} {unit}").trim_end().to_owned()
}

/// Output times that become frames: `count` of them at most, from the first to the last.
fn frames(times: usize, count: usize) -> Vec<usize> {
    let count = count.clamp(1, times.max(1));
    let last = times.saturating_sub(1);
    (0..count).map(|k| k * last / (count - 1).max(1)).collect()
}

/// The animation of `views`.
///
/// # Errors
/// [`FigureError`] of a frame or of the encoder.
pub fn gif(
    scenario: &Scenario,
    views: &[View],
    result: &Simulation,
    arguments: &LookArguments,
) -> Result<Vec<u8>, FigureError> {
    let scenes = scenes(views, result, !arguments.states.is_empty());
    let time = time_label(scenario);
    let shown = frames(result.t.len(), arguments.frames as usize);
    let span = match (result.t.first(), result.t.last()) {
        (Some(first), Some(last)) => (last - first).abs(),
        _ => 0.0,
    };
    let step = span / shown.len().saturating_sub(1).max(1) as f64;
    let draw = |frame: usize| -> Result<Figure, FigureError> {
        let k = shown[frame];
        let block = |scene: &Scene<'_>| scene.block(result, k, &time);
        let (paths, others): (Vec<&Scene<'_>>, Vec<&Scene<'_>>) = scenes
            .iter()
            .partition(|scene| matches!(scene, Scene::Paths(..)));
        let mut rows = in_rows(paths.into_iter().map(block).collect());
        rows.extend(in_rows(others.into_iter().map(block).collect()));
        Sheet {
            title: scenario.title.clone(),
            note: clock(scenario, result.t[k], step),
            width: if rows.iter().any(|row| row.len() > 1) {
                WIDTHS.1
            } else {
                WIDTHS.0
            },
            rows,
        }
        .draw()
    };
    animation(shown.len(), arguments.fps, draw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_go_from_the_first_time_to_the_last() {
        assert_eq!(frames(5, 100), [0, 1, 2, 3, 4]);
        assert_eq!(frames(201, 3), [0, 100, 200]);
        assert_eq!(frames(201, 100).last(), Some(&200));
    }
}
