//! `import`: a folder that works, files that are left alone, messages with places.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn costate(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_costate"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program runs")
}

fn petab(case: &str, file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/petab")
        .join(case)
        .join(file)
}

#[test]
fn a_petab_problem_becomes_a_scenario_that_passes_check() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let problem = petab("bruno", "Bruno_JExpBot2016.yaml");
    let problem = problem.to_str().expect("UTF-8");
    let output = costate(
        folder.path(),
        &["import", "petab", problem, "--out", "bruno", "--json"],
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(document["path"], "bruno/scenario.toml");
    // the scenario and a data file for each of six conditions
    assert_eq!(document["files"].as_array().map(Vec::len), Some(7));
    let check = costate(folder.path(), &["check", "bruno", "--json", "--quiet"]);
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    let check: Value = serde_json::from_slice(&check.stdout).expect("one JSON document");
    assert_eq!(check["experiments"], 6);
    assert_eq!(check["measurements"], 77);
}

#[test]
fn an_sbml_model_becomes_a_scenario_that_runs_to_the_end_given() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = petab("elowitz", "model_Elowitz_Nature2000.xml");
    let model = model.to_str().expect("UTF-8");
    let output = costate(
        folder.path(),
        &[
            "import",
            "sbml",
            model,
            "--out",
            "repressilator",
            "--end",
            "7",
        ],
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("wrote repressilator/scenario.toml"), "{said}");
    let text = fs::read_to_string(folder.path().join("repressilator/scenario.toml"))
        .expect("the scenario");
    assert!(text.contains("end = 7.0"), "{text}");
    let run = costate(
        folder.path(),
        &["simulate", "repressilator", "--points", "3", "--quiet"],
    );
    assert_eq!(run.status.code(), Some(0), "{run:?}");
}

#[test]
fn nothing_that_is_there_is_written_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("mine")).expect("a folder");
    fs::write(folder.path().join("mine/scenario.toml"), "precious").expect("a file");
    let model = petab("boehm", "model_Boehm_JProteomeRes2014.xml");
    let model = model.to_str().expect("UTF-8");
    let output = costate(folder.path(), &["import", "sbml", model, "--out", "mine"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing was written"));
    assert_eq!(
        fs::read_to_string(folder.path().join("mine/scenario.toml")).expect("the file"),
        "precious"
    );
}

#[test]
fn what_cannot_be_imported_ends_with_code_2_a_place_and_no_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = "<sbml xmlns=\"http://www.sbml.org/sbml/level2/version4\"><model>\n<listOfRules><algebraicRule/></listOfRules></model></sbml>";
    fs::write(folder.path().join("model.xml"), text).expect("a document");
    let output = costate(
        folder.path(),
        &["import", "sbml", "model.xml", "--out", "out"],
    );
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("model.xml:2:14"), "{said}");
    assert!(
        said.contains("an algebraic rule cannot be imported"),
        "{said}"
    );
    assert!(!folder.path().join("out").exists());
    let missing = costate(
        folder.path(),
        &["import", "petab", "gone.yaml", "--out", "out"],
    );
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("gone.yaml"));
}
