//! What a user types and what comes back, where all is well: the README's examples, the JSON documents, the run folder.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs the program in `folder`; its standard output, where it ends with `code`.
fn costate(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_costate"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&costate(folder, arguments, 0)).expect("one JSON document")
}

fn numbers(value: &Value) -> Vec<f64> {
    let array = value.as_array().expect("an array");
    array
        .iter()
        .map(|v| v.as_f64().expect("a number"))
        .collect()
}

/// A line of the README against one of today: words equal, numbers to what a platform's last digits may change.
fn same_line(expected: &str, got: &str) -> bool {
    // Times, folders and numbers that are all rounding are of their run alone.
    let of_the_run = [
        "time ",
        "optimizer ",
        "results ",
        "gradient norm ",
        "differs ",
    ];
    if of_the_run.iter().any(|s| expected.starts_with(s)) {
        return of_the_run.iter().any(|s| got.starts_with(s));
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (
        expected.split_whitespace().collect(),
        got.split_whitespace().collect(),
    );
    let strip = |word: &str| word.trim_end_matches([')', ',', ';']).parse::<f64>();
    a.len() == b.len()
        && a.iter().zip(&b).all(|(a, b)| match (strip(a), strip(b)) {
            // How far two nearly equal numbers are apart is rounding.
            (Ok(x), Ok(y)) => (x - y).abs() <= 1e-7 * x.abs() || (x.abs() < 1e-6 && y.abs() < 1e-6),
            _ => a == b,
        })
}

#[test]
fn the_readme_shows_what_the_program_prints() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).expect("readable");
    let folder = tempfile::tempdir().expect("a folder");
    let mut seen = 0;
    for block in readme.split("```text\n$ costate ").skip(1) {
        let (command, rest) = block.split_once('\n').expect("a line");
        let expected = rest.split("\n```").next().expect("a block").trim_end();
        if command.starts_with("check hare") || expected.contains('×') {
            continue; // shows mistakes; tests/command_line/errors.rs has those
        }
        let command = command.replace(" scenarios/", &format!(" {ROOT}/scenarios/"));
        let arguments: Vec<&str> = command.split(' ').collect();
        let got = costate(folder.path(), &arguments, 0);
        let (expected, got): (Vec<&str>, Vec<&str>) =
            (expected.lines().collect(), got.trim_end().lines().collect());
        assert_eq!(expected.len(), got.len(), "costate {command}:\n{got:#?}");
        for (expected, got) in expected.iter().zip(&got) {
            assert!(
                same_line(expected, got),
                "costate {command}\nREADME: {expected}\nnow:    {got}"
            );
        }
        seen += 1;
    }
    assert!(seen >= 4, "{seen} examples");
}

#[test]
fn show_prints_equations_of_motion_as_a_textbook_does() {
    let here = Path::new(ROOT);
    let shown = costate(here, &["show", "double-pendulum"], 0);
    for line in [
        "  (m2*l1^2 + m1*l1^2) d(theta1_dot)/dt + (m2*l1*l2*cos(theta1 - theta2)) d(theta2_dot)/dt = -m2*l1*g*sin(theta1) - m1*l1*g*sin(theta1) - m2*l1*l2*theta2_dot^2*sin(theta1 - theta2),  theta1_dot(0) = 0\n",
        "\nenergy, conserved\n",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    let shown = json(here, &["show", "double-pendulum", "--json"]);
    assert_eq!(shown["mechanics"]["conserved"], true);
    assert_eq!(
        shown["states"]["theta2_dot"]["equation"],
        "(m2*l1*l2*cos(theta1 - theta2)) d(theta1_dot)/dt + (m2*l2^2) d(theta2_dot)/dt = -m2*l2*g*sin(theta2) - m2*l1*l2*theta1_dot^2*sin(theta2 - theta1)"
    );
}

/// A field: what it is, before it runs, and how it went.
#[test]
fn arrays_are_told_by_their_names_and_ranges() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let scenario = r#"
[scenario]
title = "A rod that cools"
time = { start = 0.0, end = 0.1 }
[indices]
i = { size = 50, boundary = { first = 1.0, last = "clamp" } }
[parameters]
D = { over = ["i"], value = "0.1 + 0.001*i" }
[states]
u = { over = ["i"], initial = "i/50" }
[equations]
u = "D*2500*(u[i-1] - 2*u + u[i+1])"
[observables]
middle = "u[25]"
average = "mean(u)"
"#;
    fs::write(here.join("rod.toml"), scenario).expect("written");
    let told = costate(here, &["check", "rod.toml"], 0);
    for line in [
        "states        50\n",
        "Jacobian      148 of 2500 entries\n",
        "array         u of 50\n",
        "bandwidth     1 below the diagonal, 1 above; 3 colors\n",
        "memory        about ",
    ] {
        assert!(told.contains(line), "{told}");
    }
    let told = costate(here, &["simulate", "rod.toml", "--csv", "rod.csv"], 0);
    assert!(
        told.contains("0.0200000 to 1.00000") || told.contains("0.02 to 1"),
        "{told}"
    );
    let csv = fs::read_to_string(here.join("rod.csv")).expect("the file");
    let header = csv.lines().next().expect("a header");
    assert!(header.starts_with("t,u[1],u[2],"), "{header}");
    assert!(header.ends_with(",u[50],middle,average"), "{header}");
    let told = costate(here, &["show", "rod.toml"], 0);
    for line in [
        "  d(u[i])/dt = D*2500*(u[i - 1] - 2*u + u[i + 1]),  u[i](0) = i/50\n",
        "  D[i] = 0.101 to 0.15000000000000002  (50 values)\n",
    ] {
        assert!(told.contains(line), "{told}");
    }
}

/// 162 million states: said at once, and not tried.
#[test]
fn a_field_that_does_not_fit_is_told_so_before_it_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let scenario = r#"
[scenario]
title = "A plate that cools"
time = { start = 0.0, end = 0.1 }
[indices]
i = { size = 9000, boundary = "clamp" }
j = { size = 18000, boundary = 0.0 }
[states]
u = { over = ["i", "j"], initial = 1.0 }
[equations]
u = "u[i-1,j] + u[i+1,j] + u[i,j-1] + u[i,j+1] - 4*u"
[solver]
method = "rodas5p"
"#;
    fs::write(here.join("plate.toml"), scenario).expect("written");
    let told = costate(here, &["check", "plate.toml"], 0);
    for part in [
        "states        162000000\n",
        "Jacobian      at most 810000000 of 26244000000000000 entries\n",
        "this run needs more than ",
        "such as `bdf`",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn new_writes_a_folder_that_every_command_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let list = json(here, &["list", "--json"]);
    for entry in list["scenarios"].as_array().expect("scenarios") {
        let name = entry["name"].as_str().expect("a name");
        let made = json(
            here,
            &["new", &format!("my-{name}"), "--template", name, "--json"],
        );
        let path = made["path"].as_str().expect("a path");
        assert!(here.join(path).is_file());
        let check = json(here, &["check", path, "--json"]);
        assert!(check["states"].is_array() && check["parameters"].is_array());
        // limits of a controller have a kink by nature, and `check` says where a run meets it
        let limited = name == "dc-motor-speed";
        let findings = check["findings"].as_array().expect("findings");
        assert!(
            findings
                .iter()
                .all(|f| limited && f["code"] == "model::non-smooth"),
            "{name}: {findings:?}"
        );
        assert!(!costate(here, &["show", path], 0).is_empty());
        // Every file that the copy's README links to came along.
        let readme = fs::read_to_string(here.join(format!("my-{name}/README.md"))).expect("README");
        for link in readme
            .split("](")
            .skip(1)
            .filter_map(|l| l.split(')').next())
        {
            if !link.contains("://") && !link.starts_with("..") {
                assert!(
                    here.join(format!("my-{name}")).join(link).exists(),
                    "{name}: {link}"
                );
            }
        }
    }
    // What to try next is what the scenario is for: one with nothing to fit is watched.
    for (name, command) in [("lynx-hare", "fit"), ("bouncing-ball", "simulate")] {
        let said = costate(here, &["new", &format!("{name}-2"), "--template", name], 0);
        let hint = said.lines().last().unwrap_or_default();
        let expected = format!("try: costate {command} {name}-2/");
        assert!(hint.starts_with(&expected), "{hint}");
    }
}

#[test]
fn simulate_writes_what_was_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let run = [
        "simulate",
        "lotka-volterra",
        "--points",
        "11",
        "--csv",
        "a.csv",
        "--plot",
        "a.svg",
        "--json",
    ];
    let result = json(here, &run);
    let t = numbers(&result["t"]);
    assert_eq!((t.len(), t[0], t[10]), (11, 0.0, 10.0));
    assert_eq!(numbers(&result["states"]["x"]).len(), 11);
    assert!(result["observables"].is_object() && result["events"].is_array());
    for key in ["steps", "rejected", "rhs_evaluations"] {
        assert!(result["statistics"][key].is_u64(), "{key}");
    }
    // The CSV reads back as the same numbers.
    let csv = fs::read_to_string(here.join("a.csv")).expect("written");
    let column: Vec<f64> = csv
        .lines()
        .skip(1)
        .map(|l| l.split(',').nth(1).expect("x").parse().expect("a number"))
        .collect();
    assert_eq!(column, numbers(&result["states"]["x"]));
    assert!(
        fs::read_to_string(here.join("a.svg"))
            .expect("written")
            .starts_with("<svg")
    );
}

/// With many variables second derivatives come through the adjoint, and the output says so.
#[test]
fn second_derivatives_say_how_they_were_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrt = "a,b,c,initial.x,initial.y";
    let arguments = ["gradient", "lotka-volterra", "--wrt", wrt, "--hessian"];
    let result = json(folder.path(), &[&arguments[..], &["--json"]].concat());
    assert_eq!(result["hessian_method"], "dual-over-adjoint");
    let rows: Vec<Vec<f64>> = result["hessian"]
        .as_array()
        .expect("rows")
        .iter()
        .map(numbers)
        .collect();
    assert_eq!(rows.len(), 5);
    let largest = rows.concat().iter().fold(0.0_f64, |m, h| m.max(h.abs()));
    for (i, row) in rows.iter().enumerate() {
        for (j, entry) in row.iter().enumerate() {
            assert!((entry - rows[j][i]).abs() <= 1e-10 * largest);
        }
    }
    let text = costate(folder.path(), &arguments, 0);
    assert!(
        text.contains("second derivatives by dual numbers through the adjoint"),
        "{text}"
    );
}

#[test]
fn gradient_methods_agree_in_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |method: &str| {
        json(
            folder.path(),
            &["gradient", "lotka-volterra", "--method", method, "--json"],
        )
    };
    let (dual, adjoint) = (run("dual"), run("adjoint"));
    for result in [&dual, &adjoint] {
        assert!(result["seconds"].as_f64().is_some_and(|s| s > 0.0));
        assert!(result["certificate"].is_object());
    }
    assert_eq!(adjoint["method"], "adjoint");
    let all = run("all");
    assert!(
        all["certificate"]["adjoint"]
            .as_f64()
            .is_some_and(|d| d < 1e-12)
    );
    assert!(
        all["certificate"]["finite-difference"]
            .as_f64()
            .is_some_and(|d| d < 1e-7)
    );
    for (name, value) in dual["gradient"].as_object().expect("by name") {
        let (a, b) = (
            value.as_f64().expect("a number"),
            adjoint["gradient"][name].as_f64().expect("a number"),
        );
        assert!(
            (a - b).abs() <= 1e-12 * a.abs().max(1.0),
            "{name}: {a} and {b}"
        );
    }
    let initial = json(
        folder.path(),
        &[
            "gradient",
            "driven-pendulum",
            "--of",
            "final(theta)",
            "--wrt",
            "initial.theta",
            "--json",
        ],
    );
    assert!(initial["gradient"]["initial.theta"].is_f64());
}

#[test]
fn a_fit_leaves_its_run_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let run = [
        "fit",
        "lynx-hare",
        "--starts",
        "3",
        "--set",
        "alpha=0.6",
        "--out",
        "run",
        "--json",
    ];
    let result = json(here, &run);
    assert_eq!(result["converged"], true);
    assert_eq!(result["starts"].as_array().map(Vec::len), Some(3));
    assert!(result["best"]["alpha"].is_f64() && result["standard_errors"]["alpha"].is_f64());
    assert!(result["gradient_norm"].is_f64() && result["objective"].is_f64());
    for file in [
        "result.json",
        "trajectory.csv",
        "residuals.csv",
        "fit.svg",
        "fit.png",
        "residuals.svg",
        "convergence.svg",
        "waterfall.svg",
    ] {
        assert!(here.join("run").join(file).is_file(), "{file}");
    }
    let saved: Value =
        serde_json::from_str(&fs::read_to_string(here.join("run/result.json")).expect("written"))
            .expect("JSON");
    assert_eq!(saved["best"], result["best"]);
    // The scenario as run: what `--set` changed is in the text.
    let text = fs::read_to_string(here.join("run/resolved.toml")).expect("written");
    assert!(
        text.contains("alpha = { value = 0.6,") && text.contains("starts = 3"),
        "{text}"
    );
    // Without --out each run has a folder of its own.
    for _ in 0..2 {
        costate(
            here,
            &["fit", "lynx-hare", "--starts", "1", "--no-plots"],
            0,
        );
    }
    assert_eq!(
        fs::read_dir(here.join("runs/lynx-hare"))
            .expect("runs")
            .count(),
        2
    );
}

#[test]
fn completions_and_manual_are_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish"] {
        assert!(costate(folder.path(), &["completions", shell], 0).contains("costate"));
    }
    assert!(costate(folder.path(), &["man"], 0).contains(".TH"));
}

/// Ctrl-C: the best so far is saved, exit code 130.
#[cfg(unix)]
#[test]
fn an_interrupted_fit_is_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_costate"))
        .args([
            "fit",
            "lynx-hare",
            "--starts",
            "20000",
            "--set",
            "solver.rtol=1e-12",
            "--out",
            "run",
            "--quiet",
        ])
        .current_dir(folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the program runs");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let told = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(told.expect("kill").success());
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    let saved = fs::read_to_string(folder.path().join("run/result.json"));
    // Where the signal met the screening of the starts, there is no best yet, and nothing to save.
    if let Ok(saved) = saved {
        let result: Value = serde_json::from_str(&saved).expect("JSON");
        assert_eq!(result["interrupted"], true);
    }
}

#[test]
fn check_names_what_the_data_cannot_tell() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"[scenario]
title = "A product of parameters"
time = { start = 0.0, end = 4.0 }

[parameters]
a = { value = 0.7, bounds = [0.1, 2.0], fit = true }
b = { value = 0.5, bounds = [0.1, 2.0], fit = true }
c = { value = 0.5, bounds = [0.1, 2.0], fit = true }

[states]
amount = 3.0
other = 1.0

[equations]
amount = "-a*b*amount"
other = "-c*other"

[observables]
seen = { expression = "amount", noise = { model = "normal", sigma = 0.1 } }

[data]
file = "data.csv"
time = "t"
"#;
    fs::write(folder.path().join("scenario.toml"), text).expect("written");
    fs::write(
        folder.path().join("data.csv"),
        "t,seen\n0,3.1\n1,1.4\n2,0.8\n4,0.2\n",
    )
    .expect("written");
    let check = json(
        folder.path(),
        &["check", "scenario.toml", "--json", "--quiet"],
    );
    let found: Vec<(&str, u64)> = check["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|f| {
            (
                f["message"].as_str().expect("text"),
                f["line"].as_u64().expect("a line"),
            )
        })
        .collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].0.contains("`c`") && found[0].1 == 8, "{found:?}");
    assert!(
        found[1].0.contains("`a`, `b` apart") && found[1].1 == 6,
        "{found:?}"
    );
}

/// Times of signals that depend on parameters: dual numbers, adjoint and differences of the frozen steps agree.
#[test]
fn gradients_through_signals_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenario = |signals: &str| {
        format!(
            r#"[scenario]
title = "A driven tank"
time = {{ start = 0.0, end = 6.0 }}

[parameters]
rate = 0.7
when = 1.3
size = 2.0
length = 0.9
period = 1.7

[states]
level = "0.5*size"

[signals]
{signals}

[equations]
level = "u - rate*level"
"#
        )
    };
    let signals = [
        (
            "step",
            r#"u = { kind = "step", at = "when", before = 0.1, after = "size" }"#,
        ),
        (
            "pulse",
            r#"u = { kind = "pulse", start = "when", width = "length", period = "period", high = "size" }"#,
        ),
        (
            "ramp",
            r#"u = { kind = "ramp", start = "when", end = "when + length", to = "size" }"#,
        ),
        (
            "sine",
            r#"u = { kind = "sine", amplitude = "size", frequency = "rate", phase = "when" }"#,
        ),
        ("expression", r#"u = "size*exp(-(t - when)^2/length)""#),
        (
            "table",
            r#"u = { kind = "table", file = "u.csv", time = "t", column = "u", interpolation = "pchip" }"#,
        ),
    ];
    fs::write(folder.path().join("u.csv"), "t,u\n0,1\n2,3\n3,2.5\n7,0\n").expect("written");
    for (kind, text) in signals {
        fs::write(folder.path().join("scenario.toml"), scenario(text)).expect("written");
        let result = json(
            folder.path(),
            &[
                "gradient",
                "scenario.toml",
                "--of",
                "final(level)",
                "--method",
                "all",
                "--json",
            ],
        );
        let adjoint = result["certificate"]["adjoint"].as_f64().expect("a number");
        let differences = result["certificate"]["finite-difference"]
            .as_f64()
            .expect("a number");
        assert!(
            adjoint < 1e-12,
            "{kind}: dual and adjoint differ by {adjoint}"
        );
        assert!(
            differences < 1e-7,
            "{kind}: differences are off by {differences}"
        );
    }
}

/// The loop of a linear-quadratic regulator: its phase margin is 60 degrees at least, no gain above 1 is too much, and |1 + L| is nowhere
/// below 1 (Kalman 1964). The folder holds the figures and the tables.
#[test]
fn linearize_a_regulator() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = [
        "linearize",
        "inverted-pendulum-lqr",
        "--set",
        "tilt=0",
        "--over",
        "weight_angle=1:100:5:log",
        "--out",
        "run",
        "--json",
        "--quiet",
    ];
    let document = json(folder.path(), &arguments);
    let margins = &document["margins"];
    let value = |name: &str| margins[name]["value"].as_f64().expect("a number");
    assert!(document["stable"].as_bool().expect("a boolean"));
    assert!(value("phase_degrees") >= 60.0, "{margins}");
    assert!(value("sensitivity_peak") <= 1.0 + 1e-9, "{margins}");
    assert!(margins["gain"].is_null(), "{margins}");
    assert_eq!(document["a"].as_array().expect("rows").len(), 4);
    let run = folder.path().join("run");
    for file in [
        "result.json",
        "poles.csv",
        "frequency_response.csv",
        "root_locus.csv",
        "bode.svg",
        "nyquist.svg",
        "poles.svg",
        "root_locus.svg",
    ] {
        assert!(run.join(file).exists(), "{file}");
    }
}
