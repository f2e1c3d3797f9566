//! `profile`, `sample` and `sweep`: what they print, write and refuse.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn output(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_costate"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program runs")
}

/// Standard output of a run that ends well.
fn costate(folder: &Path, arguments: &[&str]) -> String {
    let output = output(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Standard error of a run that the command line or the scenario is to blame for.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = output(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
    errors
}

#[test]
fn profile_tells_intervals_and_writes_a_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let arguments = [
        "profile",
        "lynx-hare",
        "--starts",
        "1",
        "--only",
        "alpha,lynx0",
    ];
    let text = costate(
        here,
        &[&arguments[..], &["--json", "--out", "run"]].concat(),
    );
    let document: Value = serde_json::from_str(&text).expect("one JSON document");
    let interval = &document["intervals"]["alpha"];
    // tests/data/profiles/lynx_hare.json has the ends; here that they are on either side of the best value
    let best = document["best"]["alpha"].as_f64().expect("a number");
    assert!(interval["low"].as_f64().expect("a number") < best);
    assert!(interval["high"].as_f64().expect("a number") > best);
    assert_eq!(interval["low_end"], "closed");
    assert_eq!(interval["verdict"], "identifiable");
    assert_eq!(
        document["intervals"].as_object().map(serde_json::Map::len),
        Some(2)
    );
    assert_eq!(
        document["fisher"]["matrix"].as_array().map(Vec::len),
        Some(8)
    );
    assert_eq!(
        document["fisher"]["eigenvalues"].as_array().map(Vec::len),
        Some(8)
    );
    assert_eq!(document["unidentifiable"], Value::Array(Vec::new()));
    let files = [
        "result.json",
        "resolved.toml",
        "profiles.csv",
        "correlation.csv",
        "bands.csv",
        "profiles.svg",
        "profiles.png",
        "correlation.svg",
        "bands.svg",
    ];
    for file in files {
        assert!(here.join("run").join(file).exists(), "{file}");
    }
    let csv = fs::read_to_string(here.join("run/profiles.csv")).expect("a file");
    assert!(
        csv.starts_with("profile_of,at,objective,rise,alpha,beta,"),
        "{csv}"
    );

    // from that run, without a fit: the same answer
    let from = [
        "profile",
        "lynx-hare",
        "--from",
        "run",
        "--only",
        "alpha",
        "--no-plots",
    ];
    let again = costate(here, &[&from[..], &["--json", "--out", "again"]].concat());
    let again: Value = serde_json::from_str(&again).expect("one JSON document");
    for end in ["low", "high"] {
        let (a, b) = (&interval[end], &again["intervals"]["alpha"][end]);
        let (a, b) = (a.as_f64().expect("a number"), b.as_f64().expect("a number"));
        assert!((a / b - 1.0).abs() < 1e-6, "{a} {b}");
    }
    assert!(!here.join("again/profiles.svg").exists());
    let text = costate(here, &[&from[..], &["--quiet"]].concat());
    for part in [
        "95 % from",
        "identifiable",
        "threshold      +1.92073",
        "AIC",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn sample_writes_the_same_draws_on_any_number_of_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let options = [
        "--starts", "1", "--draws", "20", "--warmup", "40", "--chains", "2",
    ];
    let run = |threads: &str, out: &str, plots: &[&str]| {
        let all = [
            "sample",
            "lynx-hare",
            "--json",
            "--threads",
            threads,
            "--out",
            out,
        ];
        costate(here, &[&all[..], &options, plots].concat())
    };
    let document: Value = serde_json::from_str(&run("1", "one", &[])).expect("one JSON document");
    run("2", "two", &["--no-plots"]);
    let read = |run: &str| fs::read(here.join(run).join("draws.csv")).expect("a file");
    assert!(read("one") == read("two"));
    let lines = String::from_utf8(read("one"))
        .expect("UTF-8")
        .lines()
        .count();
    assert_eq!(lines, 1 + 2 * 20);
    let alpha = &document["summary"]["alpha"];
    for key in [
        "mean", "sd", "q05", "q50", "q95", "r_hat", "ess_bulk", "ess_tail",
    ] {
        assert!(alpha[key].is_number(), "{key}: {alpha}");
    }
    // forty draws are too few, and it says so
    let warnings = document["warnings"].to_string();
    assert!(
        warnings.contains("fewer than 400 effective draws"),
        "{warnings}"
    );
    for file in [
        "result.json",
        "bands.csv",
        "pairs.svg",
        "traces.svg",
        "bands.png",
    ] {
        assert!(here.join("one").join(file).exists(), "{file}");
    }
}

#[test]
fn sweep_evaluates_lines_and_grids() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let sweep = [
        "sweep",
        "lynx-hare",
        "--over",
        "alpha=0.4:0.6:3:log",
        "--json",
    ];
    let document = |more: &[&str]| -> Value {
        serde_json::from_str(&costate(here, &[&sweep[..], more].concat())).expect("JSON")
    };
    let line = document(&["--out", "line", "--of", "final(hare)"]);
    let points = line["points"].as_array().expect("points");
    assert_eq!(points.len(), 3);
    assert_eq!(points[2]["alpha"], 0.6);
    let middle = points[1]["alpha"].as_f64().expect("a number");
    assert!((middle - 0.24_f64.sqrt()).abs() < 1e-14);
    let grid = document(&["--out", "grid", "--over", "gamma=0.7:0.9:2"]);
    assert_eq!(grid["points"].as_array().map(Vec::len), Some(6));
    let random = document(&[
        "--out",
        "random",
        "--over",
        "gamma=0.7:0.9",
        "--random",
        "5",
    ]);
    assert_eq!(random["points"].as_array().map(Vec::len), Some(5));
    for file in [
        "line/sweep.csv",
        "line/sweep.svg",
        "grid/sweep.png",
        "random/sweep.svg",
    ] {
        assert!(here.join(file).exists(), "{file}");
    }
}

#[test]
fn mistakes_are_told_with_what_was_expected() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    for (arguments, expected) in [
        (
            vec!["profile", "lynx-hare", "--only", "alfa"],
            "did you mean `alpha`?",
        ),
        (
            vec!["profile", "lynx-hare", "--level", "95"],
            "between 0 and 1",
        ),
        (vec!["profile", "lynx-hare", "--from", "nowhere"], "nowhere"),
        (vec!["profile", "kepler"], "no parameter is marked"),
        (
            vec!["sample", "lynx-hare", "--acceptance", "2"],
            "between 0 and 1",
        ),
        (
            vec!["sample", "lynx-hare", "--chains", "1"],
            "1 is not in 2..=1000",
        ),
        (
            vec!["sweep", "lynx-hare", "--over", "alfa=1:2"],
            "did you mean `alpha`?",
        ),
        (
            vec!["sweep", "lynx-hare", "--over", "alpha=1:x"],
            "`x` is no number",
        ),
        (
            vec!["sweep", "lynx-hare", "--over", "alpha=-1:2:5:log"],
            "two positive ends",
        ),
        (
            vec!["sweep", "kepler", "--over", "mu=1:2"],
            "the scenario has no data",
        ),
    ] {
        let errors = refused(here, &arguments);
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
    fs::create_dir(here.join("other")).expect("a folder");
    fs::write(
        here.join("other/result.json"),
        r#"{ "best": { "alfa": 1.0 } }"#,
    )
    .expect("a file");
    let errors = refused(here, &["sample", "lynx-hare", "--from", "other"]);
    assert!(
        errors.contains("no best value of `alpha` (it has `alfa`)"),
        "{errors}"
    );
}

#[test]
fn tune_draws_the_front_of_two_objectives() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let arguments = [
        "tune",
        "van-der-pol-control",
        "--against",
        "final(speed^2 + position^2)",
        "--points",
        "4",
        "--out",
        "front",
        "--json",
    ];
    let told: Value = serde_json::from_str(&costate(here, &arguments)).expect("JSON");
    let points = told["front"].as_array().expect("points");
    assert_eq!(points.len(), 4);
    let of = |key: &str| -> Vec<f64> { points.iter().filter_map(|p| p[key].as_f64()).collect() };
    // each point has less of the second and more of the first than the one before
    assert!(of("objective").windows(2).all(|pair| pair[0] < pair[1]));
    assert!(of("other").windows(2).all(|pair| pair[0] > pair[1]));
    assert_eq!(of("exchange").len(), 2);
    let csv = fs::read_to_string(here.join("front/front.csv")).expect("a table");
    assert!(csv.starts_with("objective,other,exchange,"), "{csv}");
    assert_eq!(csv.lines().count(), 5);
    assert!(here.join("front/front.svg").exists() && here.join("front/front.png").exists());
    let said = refused(
        here,
        &["tune", "van-der-pol-control", "--against", "final(sped)"],
    );
    assert!(said.contains("did you mean `speed`?"), "{said}");
    let said = refused(here, &["tune", "van-der-pol-control", "--points", "5"]);
    assert!(said.contains("--against"), "{said}");
}

#[test]
fn an_observer_is_shown_as_what_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let text = r#"
[scenario]
time = { start = 0.0, end = 3.0 }
[states]
x = 1.0
[equations]
x = "x + u"
[controllers.hold]
kind = "state-feedback"
output = "u"
gains = { x = 3.0 }
observer = "estimate"
[controllers.estimate]
kind = "observer"
output = "seen"
measurement = "x"
process_noise = { x = 3.0 }
measurement_noise = 1.0
"#;
    fs::write(here.join("held.toml"), text).expect("written");
    let shown = costate(here, &["show", "held.toml"]);
    // l = a + sqrt(a^2 + q/r)
    let expected = "controller `estimate`, observer: makes `seen`\n  estimate_gain_x = 3, of the Riccati equation, noise 3\n";
    assert!(shown.contains(expected), "{shown}");
    let csv = [
        "simulate",
        "held.toml",
        "--csv",
        "run.csv",
        "--plot",
        "run.svg",
    ];
    costate(here, &csv);
    let csv = fs::read_to_string(here.join("run.csv")).expect("a table");
    assert!(csv.starts_with("t,x,estimate_x"), "{csv}");
}
