//! Twenty and more kinds of bad input: each ends with its documented exit code and a message that names the
//! place and what to do; nothing panics, hangs or is written over.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A scenario that works, to break in one place at a time.
const GOOD: &str = r#"[scenario]
title = "Decay"
time = { start = 0.0, end = 4.0 }

[parameters]
rate = { value = 0.7, bounds = [0.1, 2.0], fit = true }

[states]
amount = 3.0

[equations]
amount = "-rate*amount"

[data]
file = "data.csv"
time = "t"
"#;

const DATA: &str = "t,amount\n0,3.1\n1,1.4\n2,0.8\n4,0.2\n";

struct Case {
    name: &'static str,
    /// what is replaced in GOOD, and by what
    change: (&'static str, &'static str),
    /// the data file
    data: &'static str,
    code: i32,
    /// parts that standard error must hold
    says: &'static [&'static str],
}

const fn case(
    name: &'static str,
    change: (&'static str, &'static str),
    code: i32,
    says: &'static [&'static str],
) -> Case {
    Case {
        name,
        change,
        data: DATA,
        code,
        says,
    }
}

const fn data_case(name: &'static str, data: &'static str, says: &'static [&'static str]) -> Case {
    Case {
        name,
        change: ("", ""),
        data,
        code: 2,
        says,
    }
}

const CASES: &[Case] = &[
    case(
        "unknown key",
        ("title =", "titel ="),
        2,
        &["scenario.toml:2:1", "titel", "title"],
    ),
    case(
        "missing equation",
        ("amount = \"-rate*amount\"", ""),
        2,
        &["scenario.toml:", "amount"],
    ),
    case(
        "cycle",
        (
            "[equations]",
            "[definitions]\na = \"b\"\nb = \"a\"\n\n[equations]",
        ),
        2,
        &["scenario.toml:13:", "a -> b -> a"],
    ),
    case(
        "wrong type",
        ("value = 0.7", "value = true"),
        2,
        &["scenario.toml:6:", "true", "number"],
    ),
    case(
        "unbalanced parenthesis",
        ("-rate*amount", "-(rate*amount"),
        2,
        &["scenario.toml:12:", "`(`"],
    ),
    case(
        "unknown name near a known one",
        ("-rate*amount", "-rate*amonut"),
        2,
        &["scenario.toml:12:", "amonut", "`amount`"],
    ),
    case(
        "wrong argument count",
        ("-rate*amount", "-rate*sin(amount, 2)"),
        2,
        &["scenario.toml:12:", "sin"],
    ),
    data_case("CSV without its column", "t,amuont\n0,3\n", &["amuont"]),
    data_case(
        "text in a number cell",
        "t,amount\n0,3\n1,lots\n",
        &["data.csv:3:", "lots", "amount"],
    ),
    data_case(
        "non-monotone time",
        "t,amount\n0,3\n2,1\n1,2\n",
        &["data.csv:4:"],
    ),
    case(
        "NaN parameter",
        ("value = 0.7", "value = nan"),
        2,
        &["scenario.toml:6:", "nan"],
    ),
    case(
        "start outside bounds",
        ("value = 0.7", "value = 7.0"),
        2,
        &["scenario.toml:6:", "7"],
    ),
    case(
        "lower above upper",
        ("[0.1, 2.0]", "[2.0, 0.1]"),
        2,
        &["scenario.toml:6:"],
    ),
    data_case("empty data file", "", &["data.csv", "empty"]),
    case(
        "missing data file",
        ("data.csv", "date.csv"),
        2,
        &["scenario.toml:15:", "date.csv", "data.csv"],
    ),
    case(
        "an end before the start, and data after it",
        ("end = 4.0", "end = -4.0"),
        2,
        &["data.csv:", "after the start", "scenario.time.start"],
    ),
    case(
        "no such method",
        ("[data]", "[solver]\nmethod = \"tsit6\"\n[data]"),
        2,
        &["tsit6", "tsit5"],
    ),
    case(
        "an operator of another language",
        ("-rate*amount", "-rate*amount**2"),
        2,
        &["scenario.toml:12:", "^"],
    ),
    case(
        "a controller without an output",
        ("[data]", "[controllers.speed]\nkind = \"pid\"\n[data]"),
        2,
        &["a controller needs `output`"],
    ),
    case(
        "division by zero at t0",
        ("-rate*amount", "-rate*amount/t"),
        1,
        &["amount", "t = 0", "not finite"],
    ),
    case(
        "a state that blows up",
        ("-rate*amount", "amount^2"),
        1,
        &["amount", "t = 0.333"],
    ),
    case(
        "negative tolerance",
        ("[data]", "[solver]\nrtol = -1e-6\n[data]"),
        2,
        &["rtol"],
    ),
    case("nothing to fit", (", fit = true", ""), 2, &["fit = true"]),
];

fn costate(folder: &Path, arguments: &[&str]) -> Output {
    let started = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_costate"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program runs");
    // Not a timing test: a hang would last until the runner gives up.
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{arguments:?} took {:?}",
        started.elapsed()
    );
    output
}

/// What is wrong with an ending.
fn complaints(name: &str, output: &Output, code: i32, says: &[&str]) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    let mut all = Vec::new();
    if output.status.code() != Some(code) {
        all.push(format!(
            "{name}: exit code {:?} for {code}; it said\n{text}",
            output.status.code()
        ));
    }
    for part in says.iter().filter(|part| !text.contains(**part)) {
        all.push(format!("{name}: no `{part}` in\n{text}"));
    }
    if text.contains("panicked") {
        all.push(format!("{name}: {text}"));
    }
    all
}

fn assert_says(name: &str, output: &Output, code: i32, says: &[&str]) {
    let all = complaints(name, output, code, says);
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn each_kind_of_bad_scenario_ends_in_words() {
    let mut all = Vec::new();
    for case in CASES {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = case.change;
        assert!(GOOD.contains(from), "{}: nothing to replace", case.name);
        let text = GOOD.replacen(from, to, 1);
        fs::write(folder.path().join("scenario.toml"), &text).expect("written");
        fs::write(folder.path().join("data.csv"), case.data).expect("written");
        let output = costate(
            folder.path(),
            &["fit", "scenario.toml", "--no-plots", "--out", "out"],
        );
        all.extend(complaints(case.name, &output, case.code, case.says));
        assert_eq!(
            fs::read_to_string(folder.path().join("scenario.toml")).expect("still there"),
            text,
            "{}",
            case.name
        );
        assert_eq!(
            fs::read_to_string(folder.path().join("data.csv")).expect("still there"),
            case.data,
            "{}",
            case.name
        );
        assert!(
            !folder.path().join("out/result.json").exists(),
            "{}: a result was written",
            case.name
        );
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn hostile_files_end_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let files: [(&str, Vec<u8>, &[&str]); 5] = [
        ("empty.toml", Vec::new(), &["empty.toml", "states"]),
        (
            "binary.toml",
            (0..=255).cycle().take(5000).collect(),
            &["binary.toml"],
        ),
        (
            "long.toml",
            format!("{GOOD}x{} = 1\n", "y".repeat(1_000_000)).into_bytes(),
            &["long.toml:"],
        ),
        (
            "deep.toml",
            GOOD.replace("-rate*amount", &deep).into_bytes(),
            &["deep.toml:12:"],
        ),
        (
            "syntax.toml",
            GOOD.replace("[states]", "[states").into_bytes(),
            &["syntax.toml:8:"],
        ),
    ];
    fs::write(folder.path().join("data.csv"), DATA).expect("written");
    for (name, bytes, says) in files {
        fs::write(folder.path().join(name), bytes).expect("written");
        for command in ["check", "simulate"] {
            let output = costate(folder.path(), &[command, name]);
            assert_says(name, &output, 2, says);
            assert!(
                output.stderr.len() < 100_000,
                "{name}: {} bytes of message",
                output.stderr.len()
            );
        }
    }
    assert_says(
        "missing file",
        &costate(folder.path(), &["check", "nowhere.toml"]),
        2,
        &["nowhere.toml"],
    );
}

#[test]
fn bad_command_lines_end_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("scenario.toml"), GOOD).expect("written");
    fs::write(folder.path().join("data.csv"), DATA).expect("written");
    let cases: [(&[&str], &[&str]); 8] = [
        (&["simulat", "scenario.toml"], &["simulate"]),
        (
            &["simulate", "scenario.toml", "--set", "rat=1"],
            &["rat", "rate"],
        ),
        (&["simulate", "scenario.toml", "--set", "rate"], &["rate"]),
        (
            &["simulate", "scenario.toml", "--plot", "x.gif"],
            &[".svg", ".png"],
        ),
        (
            &["simulate", "scenario.toml", "--experiment", "none"],
            &["none"],
        ),
        (
            &["gradient", "scenario.toml", "--wrt", "rat"],
            &["rat", "`rate`"],
        ),
        (
            &["gradient", "scenario.toml", "--of", "final(amonut)"],
            &["amonut", "`amount`"],
        ),
        (&["new", "x", "--template", "lynxhare"], &["lynx-hare"]),
    ];
    for (arguments, says) in cases {
        assert_says(
            &arguments.join(" "),
            &costate(folder.path(), arguments),
            2,
            says,
        );
    }
}

#[test]
fn a_failed_expectation_is_exit_code_3() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        "{GOOD}\n[[expect]]\nexpression = \"final(amount)\"\nvalue = 1.0\nrelative = 1e-6\n"
    );
    fs::write(folder.path().join("scenario.toml"), text).expect("written");
    fs::write(folder.path().join("data.csv"), DATA).expect("written");
    let output = costate(folder.path(), &["check", "scenario.toml"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).contains("FAIL"));
}

#[test]
fn nothing_of_the_users_is_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("scenario.toml"), GOOD).expect("written");
    fs::write(folder.path().join("data.csv"), DATA).expect("written");
    let output = costate(
        folder.path(),
        &["fit", "scenario.toml", "--no-plots", "--out", "."],
    );
    let text = fs::read_to_string(folder.path().join("scenario.toml")).expect("still there");
    assert_eq!(text, GOOD, "{}", String::from_utf8_lossy(&output.stderr));
}
