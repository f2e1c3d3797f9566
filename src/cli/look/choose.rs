//! What is drawn how.
//!
//! By what a quantity is: a single number as a line over time; an array of one index as a heat map over index and time, one of few
//! elements as lines; an array of more indices as snapshots, heat maps at several times (of more than two indices the last two, at the
//! middle of the others). Arrays that are positions in a plane are drawn as orbits: two arrays over one and the same index called `x` and
//! `y`, `q1` and `q2`, or `x1` and `x2`, or one called `q`, `r`, `x` or `position` whose last index has two places or three, of which the
//! first two are drawn. `--plot-as` changes that for the arrays that can be shown as it says.

use super::quantity::Quantity;
use crate::cli::arguments::PlotKind;

/// Arrays of one index with at most so many elements are drawn as lines.
pub const FEW: usize = 12;
/// Most lines of one array.
pub const MOST_LINES: usize = 500;
/// Positions in a plane: names of the arrays across and up.
const POSITIONS: [(&str, &str); 3] = [("x", "y"), ("q1", "q2"), ("x1", "x2")];
/// Names of arrays whose last index tells the coordinates of positions.
const VECTORS: [&str; 4] = ["q", "r", "x", "position"];

/// A part of a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// numbers over time
    Lines(Vec<Quantity>),
    /// the elements of an array, each over time
    Elements(Quantity),
    /// an array of one index over index and time
    SpaceTime(Quantity),
    /// an array of one index over the index, at several times
    Profiles(Quantity),
    /// an array of two or more indices at several times
    Snapshots(Quantity),
    /// one quantity against another
    Paths(Paths),
}

/// The paths of points whose coordinates are two quantities of equal size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// the coordinate across
    pub x: Quantity,
    /// the coordinate up
    pub y: Quantity,
    /// element k of the coordinates: k times this, and one more for the second where it is two or more
    pub stride: usize,
    /// both are positions in one plane: units are equally long
    pub plane: bool,
}

impl Paths {
    /// Number of points.
    pub fn len(&self) -> usize {
        self.x.len() / self.stride
    }
    /// The elements of `x` and of `y` that are the coordinates of point `k`.
    pub fn elements(&self, k: usize) -> (usize, usize) {
        let first = k * self.stride;
        (first, first + usize::from(self.stride > 1))
    }
    /// What the axes are called.
    pub fn labels(&self) -> (String, String) {
        if self.stride == 1 {
            return (self.x.label(), self.y.label());
        }
        let of = |place: usize| {
            let name = format!("{}[{},{place}]", self.x.name, self.x.indices[0].0);
            match &self.x.unit {
                Some(unit) => format!("{name} ({unit})"),
                None => name,
            }
        };
        (of(1), of(2))
    }
}

/// `y` against `x`, for `--phase`.
pub fn against(x: Quantity, y: Quantity) -> Result<View, String> {
    let sizes = |q: &Quantity| q.indices.iter().map(|(_, n)| *n).collect::<Vec<_>>();
    if sizes(&x) != sizes(&y) {
        let told = |q: &Quantity| match q.len() {
            1 if q.is_single() => format!("`{}` is one number", q.name),
            n => format!("`{}` has {n} elements", q.name),
        };
        return Err(format!(
            "{}, {}: one is drawn against the other only where they have equally many",
            told(&x),
            told(&y)
        ));
    }
    let plane = is_plane(&x.name, &y.name);
    Ok(View::Paths(Paths {
        x,
        y,
        stride: 1,
        plane,
    }))
}

/// Whether two quantities are positions in one plane: arrays, numbers, or elements of arrays in equal places.
fn is_plane(x: &str, y: &str) -> bool {
    let (across, up) = (x.split_once('['), y.split_once('['));
    match (across, up) {
        (None, None) => POSITIONS.contains(&(x, y)),
        (Some((x, i)), Some((y, j))) => i == j && POSITIONS.contains(&(x, y)),
        _ => false,
    }
}

/// The positions in a plane that `array` tells, alone or with another of `all`.
fn positions(array: &Quantity, all: &[Quantity]) -> Option<Paths> {
    if let [_, (_, 2 | 3)] = array.indices[..]
        && VECTORS.contains(&array.name.as_str())
    {
        return Some(Paths {
            stride: array.indices[1].1,
            x: array.clone(),
            y: array.clone(),
            plane: true,
        });
    }
    if array.indices.len() != 1 {
        return None;
    }
    let (_, up) = POSITIONS.iter().find(|(across, _)| *across == array.name)?;
    let y = all
        .iter()
        .find(|q| q.name == *up && q.indices == array.indices)?;
    Some(Paths {
        x: array.clone(),
        y: y.clone(),
        stride: 1,
        plane: true,
    })
}

/// How each of `quantities` is drawn: paths first, then arrays, then single numbers together.
///
/// # Errors
/// Where none of them can be drawn as `kind` says.
pub fn views(quantities: &[Quantity], kind: Option<PlotKind>) -> Result<Vec<View>, String> {
    let mut paths: Vec<Paths> = Vec::new();
    if kind.is_none_or(|kind| kind == PlotKind::Orbits) {
        paths.extend(quantities.iter().filter_map(|q| positions(q, quantities)));
    }
    let mut followed = kind.is_none() || !paths.is_empty();
    let mut arrays: Vec<View> = Vec::new();
    let drawn = |q: &Quantity| paths.iter().any(|p| p.x == *q || p.y == *q);
    for q in quantities.iter().filter(|q| !q.is_single() && !drawn(q)) {
        let own = kind.and_then(|kind| as_kind(q, kind));
        followed |= own.is_some();
        arrays.push(own.unwrap_or_else(|| by_itself(q)));
    }
    if let (false, Some(kind)) = (followed, kind) {
        return Err(cannot(quantities, kind));
    }
    let single: Vec<Quantity> = quantities
        .iter()
        .filter(|q| q.is_single())
        .cloned()
        .collect();
    let mut views: Vec<View> = paths.into_iter().map(View::Paths).collect();
    views.extend(arrays);
    if !single.is_empty() {
        views.push(View::Lines(single));
    }
    Ok(views)
}

/// How an array is drawn where nothing is said.
fn by_itself(q: &Quantity) -> View {
    match q.indices.len() {
        1 if q.len() <= FEW => View::Elements(q.clone()),
        1 => View::SpaceTime(q.clone()),
        // a row of few, each with few components
        2 if q.len() <= FEW => View::Elements(q.clone()),
        _ => View::Snapshots(q.clone()),
    }
}

fn as_kind(q: &Quantity, kind: PlotKind) -> Option<View> {
    match (kind, q.indices.len()) {
        (PlotKind::Lines, _) if q.len() <= MOST_LINES => Some(View::Elements(q.clone())),
        (PlotKind::Heatmap, 1) => Some(View::SpaceTime(q.clone())),
        (PlotKind::Snapshots, 1) => Some(View::Profiles(q.clone())),
        (PlotKind::Snapshots, 2..) => Some(View::Snapshots(q.clone())),
        _ => None,
    }
}

/// Why nothing can be drawn as `kind`.
fn cannot(quantities: &[Quantity], kind: PlotKind) -> String {
    if quantities.iter().all(Quantity::is_single) {
        return "`--plot-as` is for arrays, and there is none to draw".into();
    }
    match kind {
        PlotKind::Lines => format!(
            "no array has {MOST_LINES} elements or fewer, to draw each as a line: choose some with `--states \"u[1],u[2]\"`"
        ),
        PlotKind::Heatmap => {
            "no array has one index, to draw it over index and time: those of two are drawn by `--plot-as snapshots`".into()
        }
        // every array can be
        PlotKind::Snapshots => "nothing to draw".into(),
        PlotKind::Orbits => {
            "no arrays are called as positions are (`x` and `y`, `q1` and `q2`, `x1` and `x2`): `--phase a,b` draws any pair".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::quantity::all;
    use super::*;
    use costate::compile::Backend;
    use costate::study::Study;
    use std::path::Path;

    /// Quantities of states over indices i (7 places), d (2), k (64) and l (64).
    fn quantities(states: &[(&str, &str)]) -> Vec<Quantity> {
        let mut text = String::from(
            "scenario.time = { start = 0.0, end = 1.0 }\n[indices]\ni = 7\nd = 2\nk = 64\nl = 64\n",
        );
        text += "[states]\n";
        for (name, over) in states {
            text += &format!("{name} = {{ over = [{over}], initial = 1.0 }}\n");
        }
        text += "[equations]\n";
        for (name, _) in states {
            text += &format!("{name} = \"0\"\n");
        }
        let text = text.replace("over = [], ", "");
        let (study, findings) = Study::from_text(&text, Path::new("."), Backend::Interpreter);
        all(&study.unwrap_or_else(|| panic!("{findings:?}")).scenario)
    }

    fn told(views: &[View]) -> Vec<String> {
        let of = |view: &View| match view {
            View::Lines(all) => {
                let names: Vec<&str> = all.iter().map(|q| q.name.as_str()).collect();
                format!("lines {}", names.join(" "))
            }
            View::Elements(q) => format!("elements {}", q.name),
            View::SpaceTime(q) => format!("space-time {}", q.name),
            View::Profiles(q) => format!("profiles {}", q.name),
            View::Snapshots(q) => format!("snapshots {}", q.name),
            View::Paths(p) => format!("paths {} {}", p.x.name, p.y.name),
        };
        views.iter().map(of).collect()
    }

    #[test]
    fn each_state_is_drawn_by_what_it_is() {
        let all = quantities(&[
            ("a", ""),
            ("x", "\"i\""),
            ("y", "\"i\""),
            ("p", "\"i\""),
            ("T", "\"k\""),
            ("u", "\"k\", \"l\""),
            ("w", "\"d\", \"k\", \"l\""),
            ("b", ""),
        ]);
        assert_eq!(
            told(&views(&all, None).expect("views")),
            [
                "paths x y",
                "elements p",
                "space-time T",
                "snapshots u",
                "snapshots w",
                "lines a b"
            ]
        );
        assert_eq!(
            told(&views(&all, Some(PlotKind::Heatmap)).expect("views")),
            [
                "space-time x",
                "space-time y",
                "space-time p",
                "space-time T",
                "snapshots u",
                "snapshots w",
                "lines a b"
            ]
        );
        assert_eq!(
            told(&views(&all[1..5], Some(PlotKind::Snapshots)).expect("views")),
            ["profiles x", "profiles y", "profiles p", "profiles T"]
        );
        assert_eq!(
            told(&views(&all[3..6], Some(PlotKind::Lines)).expect("views")),
            ["elements p", "elements T", "snapshots u"]
        );
    }

    #[test]
    fn positions_may_be_components_of_one_array() {
        let all = quantities(&[("q", "\"k\", \"d\""), ("p", "\"k\", \"d\"")]);
        let drawn = views(&all, None).expect("views");
        assert_eq!(told(&drawn), ["paths q q", "snapshots p"]);
        let View::Paths(paths) = &drawn[0] else {
            panic!("paths")
        };
        assert_eq!(
            (paths.len(), paths.elements(0), paths.elements(5)),
            (64, (0, 1), (10, 11))
        );
        // x and y over different indices are no positions
        let apart = quantities(&[("x", "\"i\""), ("y", "\"k\"")]);
        assert_eq!(
            told(&views(&apart, None).expect("views")),
            ["elements x", "space-time y"]
        );
    }

    #[test]
    fn elements_in_equal_places_are_in_one_plane_too() {
        for (x, y, expected) in [
            ("x", "y", true),
            ("q1[2]", "q2[2]", true),
            ("x[1]", "y[2]", false),
            ("x[1]", "y", false),
            ("x[1]", "u[1]", false),
        ] {
            assert_eq!(is_plane(x, y), expected, "{x} {y}");
        }
    }

    #[test]
    fn what_cannot_be_drawn_so_is_said() {
        let all = quantities(&[("a", ""), ("T", "\"k\""), ("u", "\"k\", \"l\"")]);
        for (some, kind, says) in [
            (&all[..1], PlotKind::Heatmap, "there is none to draw"),
            (&all[2..], PlotKind::Heatmap, "--plot-as snapshots"),
            (&all[2..], PlotKind::Lines, "500 elements or fewer"),
            (&all[..], PlotKind::Orbits, "--phase a,b"),
        ] {
            let error = views(some, Some(kind)).expect_err("no");
            assert!(error.contains(says), "{error}");
        }
        let error = against(all[0].clone(), all[1].clone()).expect_err("no");
        assert_eq!(
            error,
            "`a` is one number, `T` has 64 elements: one is drawn against the other only where they have equally many"
        );
    }
}
