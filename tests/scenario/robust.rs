//! Hostile files: every one ends in messages, quickly, without a panic.

use std::path::Path;
use std::time::{Duration, Instant};

use costate::diagnostic::Diagnostic;
use costate::scenario::{self, MOST_DIAGNOSTICS, Scenario};
use proptest::prelude::*;

const START: &str =
    "[scenario]\ntime = { start = 0, end = 1 }\n[states]\nx = 1\n[equations]\nx = \"-x\"\n";

fn read(text: &str) -> (Option<Scenario>, Vec<Diagnostic>) {
    let begin = Instant::now();
    let result = scenario::read_text(Path::new("scenario.toml"), text, Path::new("."), &[]);
    let took = begin.elapsed();
    assert!(
        took < Duration::from_secs(20),
        "{took:?} for {} bytes",
        text.len()
    );
    assert!(result.1.len() <= MOST_DIAGNOSTICS + 1);
    for diagnostic in &result.1 {
        assert!(
            diagnostic.message.len() < 1000,
            "a message of {} bytes",
            diagnostic.message.len()
        );
        assert!(
            diagnostic
                .help
                .as_ref()
                .is_none_or(|help| help.len() < 2000)
        );
    }
    result
}

fn codes(diagnostics: &[Diagnostic]) -> Vec<&'static str> {
    diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code)
        .collect()
}

#[test]
fn files_that_are_no_scenario() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a written file");
        path
    };
    let scenario = write("scenario.toml", START.as_bytes());
    let huge = folder.path().join("huge.toml");
    // sparse: no disk is used
    let file = std::fs::File::create(&huge).expect("a file");
    file.set_len(65 << 20).expect("a length");
    for (path, code, help) in [
        (
            folder.path().join("scenari.toml"),
            "file::missing",
            "scenario.toml",
        ),
        (
            folder.path().join("x/y.toml"),
            "file::missing",
            "does not exist either",
        ),
        (folder.path().to_owned(), "file::is-folder", "scenario.toml"),
        (write("empty.toml", b""), "file::empty", "[states]"),
        (
            write("blank.toml", b"\xef\xbb\xbf \n\t\n"),
            "file::empty",
            "[states]",
        ),
        (
            write("nul.toml", b"[scenario]\n\0\0"),
            "file::not-text",
            "binary",
        ),
        (
            write("image.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
            "file::not-text",
            "binary",
        ),
        (
            write("latin.toml", b"title = \"\xe9\""),
            "file::not-text",
            "UTF-8",
        ),
        (huge, "file::too-large", "CSV"),
    ] {
        let (scenario, diagnostics) = scenario::read(&path, &[]);
        assert!(scenario.is_none());
        assert_eq!(codes(&diagnostics), [code], "{}", path.display());
        let advice = diagnostics[0].help.as_deref().expect("help");
        assert!(advice.contains(help), "{advice}");
    }
    let (read, diagnostics) = scenario::read(&scenario, &[]);
    assert!(diagnostics.is_empty());
    let folder_name = folder.path().file_name().expect("a name").to_string_lossy();
    assert_eq!(
        read.expect("a scenario").name,
        folder_name,
        "`scenario.toml` is named by its folder"
    );
}

#[test]
fn nesting_without_end() {
    let deep = 100_000;
    for (text, code) in [
        (
            format!("{START}a = {}", "[".repeat(deep)),
            "scenario::nesting",
        ),
        (
            format!("{START}a = {}{}", "[".repeat(deep), "]".repeat(deep)),
            "scenario::nesting",
        ),
        (
            format!("{START}a = {}", "{a=".repeat(deep)),
            "scenario::nesting",
        ),
        (
            format!("{START}{}a = 1", "a.".repeat(deep)),
            "scenario::nesting",
        ),
        (
            format!("{START}[{}a]\nb = 1", "a.".repeat(deep)),
            "scenario::nesting",
        ),
        (format!("{START}{}", "[".repeat(deep)), "scenario::syntax"),
        (
            START.replace("-x", &format!("{}x{}", "(".repeat(deep), ")".repeat(deep))),
            "expression::nesting",
        ),
        (
            START.replace("-x", &"-".repeat(deep)),
            "expression::nesting",
        ),
    ] {
        let (_, diagnostics) = read(&text);
        assert!(
            codes(&diagnostics).contains(&code),
            "{} {:?}",
            &text[60..100],
            codes(&diagnostics)
        );
    }
}

#[test]
fn a_line_of_a_million_characters() {
    let long = "x".repeat(1_000_000);
    for text in [
        format!("{START}{long}"),
        format!("{START}{long} = 1"),
        format!("{START}[{long}]\nx = 1"),
        format!("{START}# {long}"),
        format!("{START}[parameters]\n{long} = true"),
        format!("{START}[solver]\nmethod = \"{long}\""),
        format!("{START}[solver]\nrtol = \"{long}\""),
        format!("{START}[solver]\nrtol = {}", "1".repeat(1_000_000)),
        format!("{START}[data]\nfile = \"{long}\""),
        format!(
            "{START}[observables]\ny = {{ expression = \"x\", noise = {{ sigma = \"{long}\" }} }}"
        ),
        START.replace("-x", &long),
        START.replace("-x", &"x+".repeat(500_000)),
        format!("{START}[definitions]\na = {}1", "-".repeat(1_000_000)),
    ] {
        read(&text);
    }
}

#[test]
fn no_more_findings_than_anyone_reads() {
    let mut text = format!("{START}[parameters]\n");
    for i in 0..10_000 {
        text.push_str(&format!("p{i} = true\n"));
    }
    let (_, diagnostics) = read(&text);
    assert_eq!(diagnostics.len(), MOST_DIAGNOSTICS + 1);
    assert_eq!(diagnostics[MOST_DIAGNOSTICS].message, "and 9950 more");
    let many = format!("{START}{}", "= 1\n".repeat(20_000));
    read(&many);
}

#[test]
fn a_million_rows_are_read_in_seconds_and_bad_ones_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut rows = String::from("t,x\n");
    for i in 0..1_000_000 {
        rows.push_str(&format!("{},{}\n", f64::from(i) * 1e-6, i % 7));
    }
    std::fs::write(folder.path().join("d.csv"), &rows).expect("a written file");
    std::fs::write(folder.path().join("e.csv"), rows.replace(",3\n", ",?\n"))
        .expect("a written file");
    let text = format!("{START}[data]\nfile = \"d.csv\"\n");
    let begin = Instant::now();
    let (scenario, diagnostics) =
        scenario::read_text(Path::new("m.toml"), &text, folder.path(), &[]);
    assert!(diagnostics.is_empty());
    assert!(
        begin.elapsed() < Duration::from_secs(10),
        "{:?}",
        begin.elapsed()
    );
    let data = scenario.expect("a scenario").experiments.remove(0).data;
    assert_eq!(data.expect("data").times.len(), 1_000_000);
    let begin = Instant::now();
    let (_, diagnostics) = scenario::read_text(
        Path::new("m.toml"),
        &text.replace("d.csv", "e.csv"),
        folder.path(),
        &[],
    );
    assert!(
        begin.elapsed() < Duration::from_secs(10),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(diagnostics.len(), 11);
    assert!(
        diagnostics
            .iter()
            .any(|d| d.message == "`e.csv` has 142847 more such cells"),
        "{diagnostics:?}"
    );
}

proptest! {
    /// Whatever is cut, doubled or replaced, there is a scenario or a message.
    #[test]
    fn broken_text_never_panics(
        at in 0usize..400, length in 0usize..40, junk in "[\\[\\]{}=\"'#.,a-z0-9\\n \\\\é-]{0,12}"
    ) {
        let whole = format!(
            "{START}[parameters]\nk = {{ value = 1, bounds = [0, 2], prior = {{ distribution = \"normal\", mean = 1, sd = 1 }} }}\n[signals]\ns = {{ kind = \"pulse\", start = 1, width = 1 }}\n[[experiments]]\ninitial = {{ x = \"k\" }}\n[[expect]]\nexpression = \"final(x)\"\nvalue = 1\n"
        );
        let at = at.min(whole.len());
        let end = (at + length).min(whole.len());
        let text = format!("{}{junk}{}", &whole[..at], &whole[end..]);
        let (scenario, diagnostics) = read(&text);
        prop_assert!(scenario.is_some() || !diagnostics.is_empty());
        for diagnostic in diagnostics {
            prop_assert!(diagnostic.help.is_some(), "{}", diagnostic.message);
        }
    }
}
