//! The gallery: each folder of `scenarios/` is built into the program with all of its files, and the README names it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn costate(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_costate"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program runs")
}

/// The names in a folder.
fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .filter(|name| name != "runs" && name != "__pycache__")
        .collect()
}

#[test]
fn every_scenario_is_built_in_whole_and_named_in_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let gallery = root.join("scenarios");
    let temporary = tempfile::tempdir().expect("a folder");
    let readme = fs::read_to_string(root.join("README.md")).expect("the README");
    for name in names(&gallery) {
        let row = format!("| [{name}](scenarios/{name}) |");
        assert_eq!(readme.matches(&row).count(), 1, "{row}");
        let made = costate(temporary.path(), &["new", &name, "--template", &name]);
        assert!(made.status.success(), "{name} is not built in");
        let (own, copy): (PathBuf, PathBuf) = (gallery.join(&name), temporary.path().join(&name));
        assert_eq!(names(&copy), names(&own), "{name}");
        for file in names(&own) {
            let read = |folder: &Path| fs::read(folder.join(&file)).expect("a file");
            assert!(read(&copy) == read(&own), "{name}/{file}");
        }
    }
}

#[test]
fn a_tolerance_that_changes_nothing_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = |arguments: &[&str]| {
        let output = costate(folder.path(), arguments);
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).contains("which no tolerance changes")
    };
    assert!(said(&["simulate", "kepler", "--rtol", "1e-9"]));
    assert!(said(&["simulate", "kepler", "--set", "solver.atol=1e-9"]));
    assert!(!said(&["simulate", "kepler"]));
    assert!(!said(&["simulate", "bouncing-ball", "--rtol", "1e-9"]));
}
