//! Fits that are cut short, and gone on with.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_costate");

fn fit(folder: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .current_dir(folder)
        .args(["fit", "influenza-sir", "--quiet", "--no-plots"])
        .args(options)
        .stdin(Stdio::null());
    command
}

/// What a result is, but for when and where it was found.
fn result(folder: &Path) -> BTreeMap<String, Value> {
    let text = fs::read_to_string(folder.join("result.json")).expect("a result");
    let mut result: BTreeMap<String, Value> = serde_json::from_str(&text).expect("JSON");
    for key in ["seconds", "folder"] {
        assert!(result.remove(key).is_some());
    }
    result
}

/// Starts whose end the journal has, as far as it is written.
fn done(folder: &Path) -> usize {
    let text = fs::read_to_string(folder.join("journal.jsonl")).unwrap_or_default();
    text.matches("\"start\":").count()
}

/// How often the journal has each start.
fn starts(folder: &Path) -> Vec<usize> {
    let text = fs::read_to_string(folder.join("journal.jsonl")).expect("a journal");
    let lines = text.lines().map(|l| serde_json::from_str(l).expect("JSON"));
    let mut counts = Vec::new();
    for line in lines.collect::<Vec<Value>>() {
        if let Some(points) = line.get("starts") {
            counts = vec![0; points.as_array().expect("points").len()];
        }
        if let Some(start) = line.get("start") {
            counts[start.as_u64().expect("a number") as usize] += 1;
        }
    }
    counts
}

#[test]
fn a_fit_killed_again_and_again_ends_as_one_that_was_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let options = [
        "--starts",
        "40",
        "--seed",
        "5",
        "--set",
        "solver.rtol=1e-12",
    ];
    let whole = fit(at, &[&options[..], &["--out", "whole"]].concat())
        .output()
        .expect("a run");
    assert!(whole.status.success(), "{whole:?}");
    assert_eq!(starts(&at.join("whole")), [1; 40]);

    let again = [&options[..], &["--resume", "cut"]].concat();
    let mut kills = 0;
    for attempt in 0..10_usize {
        let begun = at.join("cut/journal.jsonl").is_file();
        let first = [&options[..], &["--out", "cut"]].concat();
        let before = done(&at.join("cut"));
        let mut child = fit(at, if begun { &again } else { &first })
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a run");
        // killed when a few more starts have ended, wherever it then is
        let until = before + attempt % 4;
        let running = |child: &mut Child| child.try_wait().expect("its state").is_none();
        while running(&mut child) && done(&at.join("cut")) <= until {
            sleep(Duration::from_millis(1));
        }
        kills += usize::from(running(&mut child));
        let _ended_already = child.kill(); // SIGKILL
        child.wait().expect("its end");
    }
    assert!(kills > 0, "never met at work");
    let last = fit(at, &again).output().expect("a run");
    assert!(last.status.success(), "{last:?}");
    assert_eq!(starts(&at.join("cut")), [1; 40], "none lost, none twice");
    assert_eq!(result(&at.join("cut")), result(&at.join("whole")));

    // once more, with nothing left to do
    let last = fit(at, &again).output().expect("a run");
    assert!(last.status.success());
    let text = String::from_utf8_lossy(&last.stdout).into_owned();
    assert!(
        text.contains("resumed        40 starts were done before"),
        "{text}"
    );
    assert_eq!(result(&at.join("cut")), result(&at.join("whole")));
}

#[test]
fn another_fit_is_not_gone_on_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let told = |command: &mut Command, code: i32| {
        let output = command.output().expect("a run");
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let text = told(&mut fit(at, &["--resume"]), 2);
    assert_eq!(
        text,
        "error: no run of `influenza-sir` in `runs` has a journal\n"
    );
    let text = told(&mut fit(at, &["--resume", "none"]), 2);
    assert_eq!(text, "error: there is no `journal.jsonl` in `none`\n");
    let done = fit(at, &["--starts", "3"]).output().expect("a run");
    assert!(done.status.success());
    let done = fit(at, &["--starts", "3", "--resume"]).output();
    assert!(done.expect("a run").status.success());
    let text = told(&mut fit(at, &["--starts", "4", "--resume"]), 2);
    assert!(
        text.contains("is of another fit: line ")
            && text.contains("`starts = 3`, here `starts = 4`"),
        "{text}"
    );

    // a journal without its end is not written over
    let cut = at.join("cut");
    let options = ["--starts", "3", "--out", "cut"];
    assert!(fit(at, &options).output().expect("a run").status.success());
    let journal = fs::read_to_string(cut.join("journal.jsonl")).expect("a journal");
    let (unfinished, _) = journal.trim_end().rsplit_once('\n').expect("lines");
    fs::write(cut.join("journal.jsonl"), format!("{unfinished}\n")).expect("written");
    let text = told(&mut fit(at, &options), 2);
    assert!(text.contains("go on with it by `--resume cut`"), "{text}");
    // one with its end is
    fs::write(cut.join("journal.jsonl"), journal).expect("written");
    assert!(fit(at, &options).output().expect("a run").status.success());
}

/// A limit on the size of files stands for a full disk: the write fails the same way.
#[cfg(unix)]
#[test]
fn a_full_disk_ends_a_fit_with_its_journal_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let new = ["new", "sir", "--template", "influenza-sir"];
    let new = Command::new(PROGRAM).current_dir(at).args(new).output();
    assert!(new.expect("a run").status.success());
    // 80 blocks of 512 bytes: a few dozen starts
    let fit = format!(
        "{PROGRAM} fit sir/scenario.toml --quiet --no-plots --starts 200 --set fit.candidates=1"
    );
    let script = format!("trap '' XFSZ; ulimit -f 80; exec {fit} --out full");
    let output = Command::new("sh")
        .current_dir(at)
        .args(["-c", &script])
        .output()
        .expect("a run");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("cannot write `full/journal.jsonl`"), "{text}");
    let done = starts(&at.join("full"));
    assert!(done.iter().all(|&count| count <= 1));
    assert!((1..200).contains(&done.iter().sum::<usize>()), "{done:?}");
    let script = format!("exec {fit} --resume full");
    let output = Command::new("sh")
        .current_dir(at)
        .args(["-c", &script])
        .output();
    assert!(output.expect("a run").status.success());
    assert_eq!(starts(&at.join("full")), [1; 200]);

    let script = format!("exec {fit} --out /proc/none");
    let output = Command::new("sh")
        .current_dir(at)
        .args(["-c", &script])
        .output()
        .expect("a run");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("cannot write `/proc/none`"), "{text}");
}
