//! Reference problems as scenarios: reads the files of `tests/data/ode` and writes each problem as the TOML text that a user
//! would write, beside the states and events that it must have.
//!
//! Shared by tests and benches; knows nothing of Costate but its scenario language.

#![allow(dead_code, reason = "tests and benches each use a part")]

mod beam;
mod discontinuous;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// A problem with its answers.
#[derive(Debug, Clone)]
pub struct Problem {
    /// `hires`, or `detest_stiff/B5` in a suite
    pub id: String,
    /// what its file calls it: `stiff`, `nonstiff`, `dae`, `index3`, `event`, ...
    pub classes: Vec<String>,
    /// names of the states, in the order of every vector here
    pub states: Vec<String>,
    /// where the run starts and ends
    pub span: [f64; 2],
    /// (t, x) that a solution must pass, in the order of time
    pub outputs: Vec<(f64, Vec<f64>)>,
    /// what must happen on the way
    pub events: Vec<Happening>,
    /// the largest |x_i| that the file knows of: at the start, at the outputs, after the events
    magnitudes: Vec<f64>,
    /// number of modes, 0 where it is not hybrid
    modes: usize,
    /// the scenario
    pub toml: String,
}

/// An event of the reference solution.
#[derive(Debug, Clone)]
pub struct Happening {
    /// when
    pub t: f64,
    /// states after it
    pub after: Vec<f64>,
}

/// Sizes of states that are zero, or nearly so, wherever the file shows them, from the closed form or a plot of the run.
const SIZES: &[(&str, &[f64])] = &[
    ("detest_discontinuous/F1", &[13.0, 40.0]),
    ("detest_stiff/B1", &[1.0, 10.0, 1.0, 100.0]),
    ("detest_stiff/E1", &[1e-8, 2e-7, 1e-5, 1e-3]),
    // The usual atol = 1e-6 rtol: y1 falls to 2e-8, and below zero, where an error of 1e-4 takes it, the solution blows up.
    ("rober", &[1e-6, 1e-6, 1e-6]),
    // y3 = 1 - y1 - y2 is known to the rounding of 1, 1e-16: its atol is 1e-14 at the tightest.
    ("rober_dae", &[1e-6, 1e-6, 1e-4]),
    ("projectile_range", &[42.0, 20.0, 21.0, 21.0]),
];

impl Problem {
    /// The size s_i of each state: the largest |x_i| of the reference, but at least 1e-8 of the largest of all. A discrete state,
    /// which the scenario has and the file has not, comes last, with size 1.
    pub fn sizes(&self) -> Vec<f64> {
        let largest = self.magnitudes.iter().copied().fold(0.0, f64::max);
        let mut sizes: Vec<f64> = match SIZES.iter().find(|(id, _)| *id == self.id) {
            Some((_, sizes)) => sizes.to_vec(),
            None => self
                .magnitudes
                .iter()
                .map(|m| m.max(1e-8 * largest))
                .collect(),
        };
        if self.modes > 1 {
            sizes.push(1.0);
        }
        sizes
    }

    /// max_i |x_i - ref_i| / (|ref_i| + s_i); NaN counts as the largest.
    pub fn distance(&self, x: &[f64], reference: &[f64]) -> f64 {
        let sizes = self.sizes();
        let pairs = x.iter().zip(reference).zip(&sizes);
        worst(pairs.map(|((x, r), s)| (x - r).abs() / (r.abs() + s)))
    }

    /// The largest distance over the outputs, of states given row after row.
    pub fn error(&self, states: &[f64]) -> f64 {
        let rows = states.chunks_exact(self.sizes().len());
        if rows.len() != self.outputs.len() {
            return f64::NAN;
        }
        worst(
            rows.zip(&self.outputs)
                .map(|(x, (_, r))| self.distance(x, r)),
        )
    }

    /// Whether its file puts it in a class.
    pub fn is(&self, class: &str) -> bool {
        self.classes.iter().any(|c| c == class)
    }
}

/// The largest; NaN where one is NaN.
fn worst(errors: impl Iterator<Item = f64>) -> f64 {
    errors.fold(
        0.0,
        |most: f64, e| if most >= e || most.is_nan() { most } else { e },
    )
}

/// The folder of the files.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|p| p.join("tests/data/ode"))
        .find(|p| p.is_dir())
        .expect("tests/data/ode")
}

/// Every problem of every file, in the order of names.
pub fn all() -> Vec<Problem> {
    let mut files: Vec<String> = std::fs::read_dir(folder())
        .expect("tests/data/ode")
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_suffix(".json").map(str::to_owned)
        })
        .collect();
    files.sort();
    files.iter().flat_map(|file| read(file)).collect()
}

/// The problems of a file, one or a suite.
pub fn read(file: &str) -> Vec<Problem> {
    let path = folder().join(format!("{file}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
    let classes = strings(&json["class"]);
    match json["problems"].as_array() {
        Some(problems) => problems
            .iter()
            .map(|p| {
                let name = p["id"].as_str().expect("an id");
                problem(&format!("{file}/{name}"), &classes, p)
            })
            .collect(),
        None => vec![problem(file, &classes, &json)],
    }
}

/// The problem of a name such as `hires` or `detest_stiff/B5`.
pub fn find(id: &str) -> Option<Problem> {
    let file = id.split('/').next().unwrap_or(id);
    if !folder().join(format!("{file}.json")).is_file() {
        return None;
    }
    read(file).into_iter().find(|problem| problem.id == id)
}

fn problem(id: &str, classes: &[String], json: &Value) -> Problem {
    let states = strings(&json["states"]);
    let vector =
        |y: &Value| -> Vec<f64> { states.iter().map(|s| number(&y[s.as_str()])).collect() };
    let span = [number(&json["tspan"][0]), number(&json["tspan"][1])];
    let mut outputs: Vec<(f64, Vec<f64>)> = list(&json["outputs"])
        .iter()
        .map(|o| (number(&o["t"]), vector(&o["y"])))
        .collect();
    if !json["y_end"].is_null() {
        outputs.push((span[1], vector(&json["y_end"])));
    }
    // Both equilibria are reached to more digits than double precision has (`verification`).
    if !json["steady_state"].is_null() {
        outputs.push((span[1], vector(&json["steady_state"]["y"])));
    }
    let events: Vec<Happening> = list(&json["events"])
        .iter()
        .map(|e| Happening {
            t: number(&e["t"]),
            after: vector(&e["y_after"]),
        })
        .collect();
    let mut magnitudes: Vec<f64> = states
        .iter()
        .map(|s| {
            // An initial value that is an expression of parameters counts by the outputs alone.
            let initial = json["initial_values"][s.as_str()].as_str();
            let value = initial.and_then(|text| text.parse::<f64>().ok());
            value.unwrap_or(0.0).abs()
        })
        .collect();
    let after = events.iter().map(|e| &e.after);
    for x in outputs.iter().map(|(_, x)| x).chain(after) {
        for (largest, value) in magnitudes.iter_mut().zip(x) {
            *largest = largest.max(value.abs());
        }
    }
    Problem {
        toml: scenario(id, &states, span, json),
        id: id.to_owned(),
        classes: classes.to_vec(),
        states,
        span,
        outputs,
        events,
        magnitudes,
        modes: entries(&json["modes"]).len(),
    }
}

fn scenario(id: &str, states: &[String], span: [f64; 2], json: &Value) -> String {
    let mut toml = String::new();
    let mut line = |text: &str| toml.push_str(&format!("{text}\n"));
    line("[scenario]");
    line(&format!(
        "title = {}",
        quoted(json["title"].as_str().unwrap_or(id))
    ));
    line(&format!(
        "time = {{ start = {:?}, end = {:?} }}",
        span[0], span[1]
    ));

    line("\n[parameters]");
    for (name, value) in entries(&json["parameters"]) {
        line(&format!("{name} = {:?}", number(value)));
    }

    let modes = entries(&json["modes"]);
    line("\n[states]");
    for state in states {
        let initial = json["initial_values"][state.as_str()]
            .as_str()
            .unwrap_or("0");
        line(&format!("{state} = {}", quoted(initial)));
    }
    if modes.len() > 1 {
        let first = modes
            .iter()
            .position(|(name, _)| json["initial_mode"] == **name);
        line(&format!(
            "mode = {{ initial = {}, discrete = true }}",
            first.unwrap_or(0)
        ));
    }

    let spelled_out = match id {
        "beam" => Some(beam::equations()),
        _ => discontinuous::equations(id),
    };
    if let Some(text) = spelled_out {
        line(&text);
        return toml;
    }

    line("\n[definitions]");
    for (name, value) in entries(&json["constants"]) {
        line(&format!(
            "{name} = {}",
            quoted(value.as_str().expect("an expression"))
        ));
    }
    for pair in list(&json["intermediates"]) {
        let [name, expression] =
            [0, 1].map(|i| pair[i].as_str().expect("a name and an expression"));
        line(&format!("{name} = {}", quoted(expression)));
    }

    line("\n[equations]");
    for state in states {
        let of = |equations: &Value| {
            equations[state.as_str()]
                .as_str()
                .expect("an equation")
                .to_owned()
        };
        let equation = match &modes[..] {
            [] => of(&json["equations"]),
            [before @ .., (_, last)] => {
                let mut text = of(&last["equations"]);
                for (k, (_, mode)) in before.iter().enumerate().rev() {
                    text = format!("if(mode == {k}, {}, {text})", of(&mode["equations"]));
                }
                text
            }
        };
        line(&format!("{state} = {}", quoted(&equation)));
    }
    toml.push_str(&mass(states, json));
    toml.push_str(&events(&modes, json));
    toml
}

/// Rows of M that are not x_i' = f_i; without a matrix there are none.
fn mass(states: &[String], json: &Value) -> String {
    if json["mass_matrix"].is_null() {
        return String::new();
    }
    let mut text = "\n[mass]\n".to_owned();
    for (i, state) in states.iter().enumerate() {
        let row: Vec<(usize, &str)> = list(&json["mass_matrix"])
            .iter()
            .filter(|entry| entry[0] == i)
            .map(|entry| {
                let column = entry[1].as_u64().expect("a column") as usize;
                (column, entry[2].as_str().expect("a value"))
            })
            .collect();
        if row == [(i, "1")] {
            continue;
        }
        let coefficients: Vec<String> = row
            .iter()
            .map(|&(j, value)| format!("{} = {}", states[j], quoted(value)))
            .collect();
        let _ = writeln!(text, "{state} = {{ {} }}", coefficients.join(", "));
    }
    text
}

/// Events of each mode, guarded by it where there are several; then those at known times.
fn events(modes: &[(&String, &Value)], json: &Value) -> String {
    let several = modes.len() > 1;
    let place = |name: &Value| modes.iter().position(|(mode, _)| name == *mode);
    let set = |event: &Value| {
        let mut set: Vec<String> = entries(&event["reset"])
            .into_iter()
            .map(|(state, value)| {
                format!(
                    "{state} = {}",
                    quoted(value.as_str().expect("an expression"))
                )
            })
            .collect();
        if let (true, Some(k)) = (several, place(&event["next_mode"])) {
            set.push(format!("mode = {k}"));
        }
        match set.is_empty() {
            true => String::new(),
            false => format!("set = {{ {} }}\n", set.join(", ")),
        }
    };
    let mut text = String::new();
    for (k, (_, mode)) in modes.iter().enumerate() {
        for event in list(&mode["events"]) {
            let [name, when, direction] =
                ["name", "g", "direction"].map(|key| quoted(event[key].as_str().expect("text")));
            let _ = write!(
                text,
                "\n[[events]]\nname = {name}\nwhen = {when}\ndirection = {direction}\n"
            );
            text += &set(event);
            if event["terminal"] == true {
                text += "terminal = true\n";
            }
            if several {
                let _ = writeln!(text, "only_if = \"mode == {k}\"");
            }
        }
    }
    for event in list(&json["time_events"]) {
        let at = quoted(event["t"].as_str().expect("a time"));
        let _ = write!(text, "\n[[events]]\nat = [{at}]\n{}", set(event));
    }
    text
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn list(json: &Value) -> &[Value] {
    json.as_array().map_or(&[], Vec::as_slice)
}

fn entries(json: &Value) -> Vec<(&String, &Value)> {
    json.as_object()
        .map_or(Vec::new(), |map: &Map<_, _>| map.iter().collect())
}

fn strings(json: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    list(json).iter().map(text).collect()
}

fn number(json: &Value) -> f64 {
    let text = json
        .as_str()
        .unwrap_or_else(|| panic!("{json} is no decimal string"));
    text.parse().unwrap_or_else(|e| panic!("`{text}`: {e}"))
}
