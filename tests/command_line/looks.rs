//! Looking at simulations from the command line: pictures of fields and particles, animations, NPY, and what is refused.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A field of two indices, one of one index, particles, and numbers.
const SCENARIO: &str = r#"
[scenario]
title = "All kinds"
time = { start = 0.0, end = 1.0, unit = "s" }
[indices]
i = { size = 20, boundary = "periodic" }
j = { size = 16, boundary = "zero" }
k = { size = 3 }
[states]
u = { over = ["i", "j"], initial = "exp(-((i-10)^2 + (j-4)^2)/9)", unit = "mol" }
T = { over = ["i"], initial = "i/20", unit = "K" }
x = { over = ["k"], initial = "k", unit = "m" }
y = { over = ["k"], initial = 0.0, unit = "m" }
angle = { initial = 1.0, unit = "rad" }
rate = 0.0
[definitions]
slope = { over = ["i", "j"], expression = "u[i+1,j] - u[i,j]" }
height = "cos(angle)"
[equations]
u = "u[i-1,j] + u[i+1,j] + u[i,j-1] + u[i,j+1] - 4*u"
T = "T[i-1] - 2*T + T[i+1]"
x = "-y"
y = "x"
angle = "rate"
rate = "-sin(angle)"
[observables]
mass = "sum(u)"
"#;

/// Runs `simulate scenario.toml` in a folder with the scenario; code, standard output and error.
fn simulate(folder: &Path, text: &str, arguments: &[&str]) -> (i32, String, String) {
    fs::write(folder.join("scenario.toml"), text).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_costate"))
        .args(["simulate", "scenario.toml", "--points", "13"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().expect("no signal"),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// The texts of a figure drawn with `arguments`.
fn texts(arguments: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut all = vec!["--plot", "a.svg"];
    all.extend(arguments);
    let (code, out, errors) = simulate(folder.path(), SCENARIO, &all);
    assert_eq!(code, 0, "{errors}");
    assert!(out.ends_with("wrote a.svg\n"), "{out}");
    let svg = fs::read_to_string(folder.path().join("a.svg")).expect("written");
    let lines: Vec<&str> = svg.lines().collect();
    let after_tag = lines
        .windows(2)
        .filter(|pair| pair[0].starts_with("<text"))
        .map(|pair| pair[1].to_owned());
    let mut texts: Vec<String> = after_tag.collect();
    let count = |what: &str| svg.matches(what).count();
    texts.push(format!("{} images", count("<image")));
    texts
}

fn assert_has(texts: &[String], expected: &[&str]) {
    for text in expected {
        assert!(texts.iter().any(|t| t == text), "{text} not in {texts:?}");
    }
}

fn assert_lacks(texts: &[String], unexpected: &[&str]) {
    for text in unexpected {
        assert!(!texts.iter().any(|t| t == text), "{text} in {texts:?}");
    }
}

#[test]
fn each_kind_of_state_is_drawn_by_what_it_is() {
    let all = texts(&[]);
    // u: six snapshots and a bar; T: one map and a bar; x and y: three particles; numbers by their units
    assert_has(
        &all,
        &[
            "All kinds",
            "t = 0 s",
            "t = 1 s",
            "u (mol)",
            "T (K)",
            "time (s)",
            "x (m)",
            "y (m)",
            "k = 3",
            "angle (rad)",
            "rate",
            "mass",
            "9 images",
            "dots mark t = 1 s",
        ],
    );
    let chosen = texts(&["--states", "T, u[3,4],mass"]);
    assert_has(&chosen, &["T (K)", "u[3,4] (mol)", "mass", "2 images"]);
    assert_lacks(&chosen, &["u (mol)", "x (m)", "angle (rad)"]);
    let lines = texts(&["--states", "T", "--plot-as", "lines"]);
    assert_has(
        &lines,
        &["i from the first (dark) to the last (bright)", "0 images"],
    );
    let profiles = texts(&["--states", "T", "--plot-as", "snapshots"]);
    assert_has(&profiles, &["i", "T (K)", "t = 0 s", "t = 1 s", "0 images"]);
    assert_lacks(&profiles, &["time (s)"]);
    let maps = texts(&["--plot-as", "heatmap"]);
    assert_lacks(&maps, &["dots mark t = 1 s"]);
}

#[test]
fn phase_plots_are_drawn_alone_or_with_what_is_named() {
    let phase = texts(&["--phase", "angle,rate", "--phase", "u[1,1],u[2,2]"]);
    assert_has(
        &phase,
        &[
            "angle (rad)",
            "rate",
            "u[1,1] (mol)",
            "u[2,2] (mol)",
            "0 images",
        ],
    );
    assert_lacks(&phase, &["time (s)", "mass"]);
    let both = texts(&["--phase", "x,y", "--states", "mass"]);
    assert_has(&both, &["x (m)", "k = 2", "mass", "time (s)"]);
}

/// The shape and the numbers of an NPY file, by the format's description.
fn read_npy(path: &Path) -> (Vec<usize>, Vec<f64>) {
    let bytes = fs::read(path).expect("written");
    assert_eq!(bytes[..8], *b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!((10 + length) % 64, 0, "data are aligned");
    let header = std::str::from_utf8(&bytes[10..10 + length]).expect("text");
    assert!(header.starts_with("{'descr': '<f8', 'fortran_order': False, 'shape': ("));
    assert!(header.ends_with('\n'));
    let (_, shape) = header.split_once("'shape': (").expect("a shape");
    let (shape, _) = shape.split_once(')').expect("closed");
    let shape = shape
        .split(',')
        .map(str::trim)
        .filter(|n| !n.is_empty())
        .map(|n| n.parse().expect("a size"))
        .collect();
    let numbers = bytes[10 + length..].chunks_exact(8);
    let numbers = numbers.map(|b| f64::from_le_bytes(b.try_into().expect("eight bytes")));
    (shape, numbers.collect())
}

#[test]
fn npy_files_hold_what_the_csv_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let (code, out, errors) = simulate(here, SCENARIO, &["--npy", "data", "--csv", "a.csv"]);
    assert_eq!(code, 0, "{errors}");
    assert!(out.contains("wrote a.csv\nwrote data\n"), "{out}");
    let csv = fs::read_to_string(here.join("a.csv")).expect("written");
    let rows: Vec<Vec<f64>> = csv
        .lines()
        .skip(1)
        .map(|line| {
            line.split(',')
                .map(|n| n.parse().expect("a number"))
                .collect()
        })
        .collect();
    let mut column = 0;
    for (name, shape) in [
        ("t", vec![13]),
        ("u", vec![13, 20, 16]),
        ("T", vec![13, 20]),
        ("x", vec![13, 3]),
        ("y", vec![13, 3]),
        ("angle", vec![13]),
        ("rate", vec![13]),
        ("mass", vec![13]),
    ] {
        let (found, numbers) = read_npy(&here.join(format!("data/{name}.npy")));
        assert_eq!(found, shape, "{name}");
        let width: usize = shape[1..].iter().product();
        let expected: Vec<f64> = rows
            .iter()
            .flat_map(|row| row[column..column + width].to_vec())
            .collect();
        assert_eq!(numbers, expected, "{name}");
        column += width;
    }
    assert_eq!(column, rows[0].len());
    // A second run replaces its own files, and no others.
    let (code, ..) = simulate(here, SCENARIO, &["--npy", "data", "--states", "u[2,3]"]);
    assert_eq!(code, 0);
    assert_eq!(read_npy(&here.join("data/u[2,3].npy")).0, [13]);
    fs::create_dir(here.join("other")).expect("a folder");
    fs::write(here.join("other/T.npy"), "mine").expect("written");
    let (code, _, errors) = simulate(here, SCENARIO, &["--npy", "other"]);
    assert_eq!(code, 1);
    assert!(errors.contains("will not replace"), "{errors}");
    assert_eq!(
        fs::read_to_string(here.join("other/T.npy")).expect("kept"),
        "mine"
    );
}

#[test]
fn a_csv_of_thousands_of_columns_is_asked_for_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let wide = SCENARIO.replace("size = 20", "size = 125");
    let (code, _, errors) = simulate(here, &wide, &["--csv", "a.csv"]);
    assert_eq!(code, 2);
    assert!(!here.join("a.csv").exists());
    // 125*16 + 125 + 3 + 3 + 2 states, mass and t
    for text in [
        "2135 columns",
        "--npy DIR",
        "--states u[1,1]",
        "--states u`",
    ] {
        assert!(errors.contains(text), "{text}: {errors}");
    }
    let (code, _, errors) = simulate(here, &wide, &["--csv", "a.csv", "--states", "u"]);
    assert_eq!(code, 0, "{errors}");
    let csv = fs::read_to_string(here.join("a.csv")).expect("written");
    let header = csv.lines().next().expect("a header");
    assert!(header.starts_with("t,\"u[1,1]\",") && header.ends_with(",\"u[125,16]\""));
}

#[test]
fn an_animation_has_as_many_frames_as_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let run = ["--animate", "a.gif", "--frames", "5", "--fps", "10"];
    for states in ["u", "T", "x,y", "angle", "x,y,u,mass"] {
        let mut all = run.to_vec();
        all.extend(["--states", states]);
        let (code, _, errors) = simulate(here, SCENARIO, &all);
        assert_eq!(code, 0, "{errors}");
        let bytes = fs::read(here.join("a.gif")).expect("written");
        let mut reader = gif::DecodeOptions::new()
            .read_info(&bytes[..])
            .expect("a GIF");
        let mut frames = 0;
        while let Some(frame) = reader.read_next_frame().expect("a frame") {
            assert_eq!(frame.delay, 10);
            frames += 1;
        }
        assert_eq!(frames, 5, "{states}");
    }
}

#[test]
fn what_cannot_be_drawn_is_said_before_the_solve() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases: &[(&[&str], &[&str])] = &[
        (&["--plot", "a.gif"], &["`a.gif`", ".svg or .png"]),
        (&["--animate", "a.png"], &["`a.png`", ".gif"]),
        (
            &["--animate", "a.gif", "--fps", "0"],
            &["between 0.1 and 50"],
        ),
        (&["--animate", "a.gif", "--frames", "1"], &["2..=1000"]),
        (&["--frames", "9"], &["--animate"]),
        (&["--fps", "9"], &["--animate"]),
        (&["--plot-as", "lines"], &["--plot"]),
        (&["--plot", "a.svg", "--plot-as", "pie"], &["orbits"]),
        (&["--phase", "x,y"], &["--plot FILE"]),
        (&["--plot", "a.svg", "--phase", "x"], &["two names"]),
        (
            &["--plot", "a.svg", "--phase", "x,T"],
            &["`x` has 3 elements", "`T` has 20"],
        ),
        (
            &["--plot", "a.svg", "--phase", "angle,y"],
            &["`angle` is one number"],
        ),
        (&["--csv", "a.csv", "--states", "angel"], &["`angle`?"]),
        (
            &["--csv", "a.csv", "--states", "height"],
            &["`height` is a definition", "seen = \"height\""],
        ),
        (
            &["--csv", "a.csv", "--states", "slope"],
            &["seen = \"slope[1,1]\""],
        ),
        (
            &["--csv", "a.csv", "--states", "slope[2,3]"],
            &["seen = \"slope[2,3]\""],
        ),
        (
            &["--csv", "a.csv", "--states", "u[21,1]"],
            &["20 x 16", "u[21,1]"],
        ),
        (
            &["--csv", "a.csv", "--states", "rate[1]"],
            &["`rate` is no array"],
        ),
        (
            &["--plot", "a.svg", "--states", "rate", "--plot-as", "lines"],
            &["there is none to draw"],
        ),
        (
            &["--plot", "a.svg", "--states", "u", "--plot-as", "heatmap"],
            &["--plot-as snapshots"],
        ),
        (
            &["--plot", "a.svg", "--states", "u,T", "--plot-as", "orbits"],
            &["--phase a,b"],
        ),
    ];
    for (arguments, says) in cases {
        let (code, out, errors) = simulate(folder.path(), SCENARIO, arguments);
        assert_eq!(code, 2, "{arguments:?}: {errors}");
        assert!(out.is_empty(), "{arguments:?}: {out}");
        for text in *says {
            assert!(errors.contains(text), "{arguments:?}: {text}: {errors}");
        }
    }
    let left: Vec<_> = fs::read_dir(folder.path()).expect("listed").collect();
    assert_eq!(left.len(), 1, "only the scenario: {left:?}");
}

/// A fit on a field leaves figures of its observables, and the field as NPY where it is too wide for CSV.
#[test]
fn a_fit_writes_wide_fields_as_npy() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let scenario = r#"
[scenario]
title = "Decay everywhere"
time = { start = 0.0, end = 1.0 }
[indices]
i = { size = 2100 }
[parameters]
rate = { value = 0.5, bounds = [0.1, 5.0], fit = true }
[states]
u = { over = ["i"], initial = "i" }
[equations]
u = "-rate*u"
[observables]
first = "u[1]"
[data]
file = "data.csv"
time = "t"
"#;
    fs::write(here.join("scenario.toml"), scenario).expect("written");
    fs::write(here.join("data.csv"), "t,first\n0.5,0.61\n1,0.37\n").expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_costate"))
        .args(["fit", "scenario.toml", "--starts", "1", "--out", "run"])
        .current_dir(here)
        .output()
        .expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let csv = fs::read_to_string(here.join("run/trajectory.csv")).expect("written");
    assert_eq!(csv.lines().next(), Some("t,first"));
    let (shape, numbers) = read_npy(&here.join("run/trajectory-u.npy"));
    assert_eq!(shape, [401, 2100]);
    assert_eq!(numbers[..3], [1.0, 2.0, 3.0]);
    assert!(here.join("run/fit.png").is_file());
}
