//! Tables, CSV, JSON and run folders: formats to the letter, and no file ever lost.

use costate::report::csv::{Column, number, write_columns};
use costate::report::figure::Plot;
use costate::report::run_folder::utc_name;
use costate::report::table::{Cell, Table, display_width, estimate, significant};
use costate::report::{RunFolder, WriteError, json, write_atomically, write_atomically_with};
use proptest::prelude::*;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

#[test]
fn significant_digits() {
    for (value, text) in [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (0.1 + 0.2, "0.3"),
        (-2.5, "-2.5"),
        (1900.0, "1900"),
        (123_456.0, "123456"),
        (999_999.6, "1e6"),
        (1_234_567.0, "1.2346e6"),
        (0.000_999_999_9, "0.001"),
        (0.001_234_56, "0.0012346"),
        (0.000_123_456, "1.2346e-4"),
        (-6.02e23, "-6.02e23"),
        (5e-324, "4.9407e-324"),
        (f64::MAX, "1.7977e308"),
        (f64::NAN, "n/a"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
    ] {
        assert_eq!(significant(value, 5), text, "{value:e}");
    }
}

#[test]
fn estimates_share_the_error_s_decimal_place() {
    for (value, error, texts) in [
        (0.547_21, 0.003_07, ("0.5472", "0.0031")),
        (27.4, 1.0, ("27.4", "1.0")),
        (27.4, 0.0996, ("27.40", "0.10")),
        (-3.0, 12.0, ("-3", "12")),
        (0.0, 0.5, ("0.00", "0.50")),
        (1.234e-7, 5.6e-9, ("1.234e-7", "0.056e-7")),
        (2.5e8, 1e6, ("2.500e8", "0.010e8")),
        (1.5, f64::NAN, ("1.5", "n/a")),
        (1.5, 0.0, ("1.5", "0")),
        (1.5, f64::INFINITY, ("1.5", "inf")),
        (f64::NAN, 0.1, ("n/a", "0.1")),
        (1.0, 1e-30, ("1", "1e-30")),
    ] {
        let (v, e) = estimate(value, error);
        assert_eq!((v.as_str(), e.as_str()), texts, "{value} ± {error}");
    }
}

#[test]
fn tables_align() {
    let mut table = Table::new(["parameter", "unit", "estimate", "steps"]);
    let estimate = |value, error| Cell::Estimate { value, error };
    table.push([
        "alpha".into(),
        "1/year".into(),
        estimate(0.547_21, 0.003_07),
        Cell::Count(12),
    ]);
    table.push([
        "β₀".into(),
        "温度".into(),
        estimate(27.4, 1.0),
        Cell::Count(1234),
    ]);
    table.push(["fixed".into(), Cell::Empty, Cell::Number(3.0)]);
    let text = table.render();
    let expected = "\
parameter  unit           estimate  steps
---------  ------  ---------------  -----
alpha      1/year  0.5472 ± 0.0031     12
β₀         温度      27.4 ±    1.0   1234
fixed                   3
";
    assert_eq!(text, expected, "\n{text}");
    assert_eq!(display_width("温度"), 4);
    assert_eq!(display_width("e\u{301}"), 1);
    assert_eq!(Table::default().render(), "\n\n");
}

#[test]
fn csv_is_shortest_and_quotes_names() {
    let mut bytes = Vec::new();
    let columns = [
        Column::words("experiment", vec!["a,b".to_owned()]),
        Column::numbers("t", [1900.0, 0.1, 1e300]),
        Column::numbers("x \"raw\"", [f64::NAN, f64::INFINITY]),
    ];
    write_columns(&mut bytes, &columns).expect("a vector takes all");
    assert_eq!(
        String::from_utf8(bytes).expect("text"),
        "experiment,t,\"x \"\"raw\"\"\"\n\"a,b\",1900,\n,0.1,inf\n,1e300,\n"
    );
    let mut bytes = Vec::new();
    write_columns(&mut bytes, &[]).expect("a vector takes all");
    assert!(bytes.is_empty());
}

proptest! {
    #[test]
    fn csv_numbers_read_back_exactly(bits: u64) {
        let value = f64::from_bits(bits);
        if !value.is_nan() {
            prop_assert_eq!(number(value).parse::<f64>().expect("a number").to_bits(), bits);
        }
    }

    #[test]
    fn formatting_never_panics_and_keeps_the_value(bits: u64, error: f64) {
        let value = f64::from_bits(bits);
        let _pair = estimate(value, error);
        let _pair = estimate(value, f64::from_bits(bits.rotate_left(7)));
        if value.is_normal() && value.abs() < 1e308 {
            let read: f64 = significant(value, 5).parse().expect("a number");
            // Half a unit of the fifth digit is at most 5e-5 of the value.
            prop_assert!((read - value).abs() <= 5.1e-5 * value.abs());
        }
    }
}

#[test]
fn json_keeps_order_and_nulls_what_is_not_finite() {
    let value = json::object([
        ("zeta", json::number(0.1)),
        ("alpha", json::numbers(&[1.0, f64::NAN, f64::NEG_INFINITY])),
        ("parameters", json::named_numbers([("b", 2.5), ("a", 1e-9)])),
    ]);
    let text = json::to_text(&value).expect("plain values");
    let compact: String = text.split_whitespace().collect();
    assert_eq!(
        compact,
        r#"{"zeta":0.1,"alpha":[1.0,null,null],"parameters":{"b":2.5,"a":1e-9}}"#
    );
    assert!(text.ends_with("}\n"));
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn a_failing_write_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("result.json");
    write_atomically(&path, b"old").expect("first write");
    let error = write_atomically_with(&path, |target| {
        target.write_all(&vec![b'x'; 1 << 20])?;
        Err(io::Error::from(io::ErrorKind::StorageFull))
    });
    assert!(matches!(error, Err(WriteError::DiskFull { path: p }) if p == path));
    assert_eq!(fs::read(&path).expect("still there"), b"old");
    assert_eq!(entries(folder.path()), ["result.json"]);
    write_atomically(&path, b"new").expect("second write");
    assert_eq!(fs::read(&path).expect("replaced"), b"new");
    assert_eq!(entries(folder.path()), ["result.json"]);
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("no/such/file.csv");
    let error = write_atomically(&missing, b"").expect_err("no folder");
    assert!(matches!(&error, WriteError::NoFolder { folder, .. } if folder.ends_with("no/such")));
    assert!(error.to_string().contains("file.csv"));
    assert!(matches!(
        write_atomically(folder.path(), b""),
        Err(WriteError::IsFolder { .. })
    ));
    let file = folder.path().join("file");
    write_atomically(&file, b"x").expect("a file");
    assert!(matches!(
        write_atomically(&file.join("below"), b""),
        Err(WriteError::NotAFolder { .. })
    ));
    assert!(matches!(
        RunFolder::at(&file),
        Err(WriteError::NotAFolder { .. })
    ));
    let mut permissions = fs::metadata(&file).expect("metadata").permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&file, permissions).expect("own file");
    assert!(matches!(
        write_atomically(&file, b"y"),
        Err(WriteError::PermissionDenied { .. })
    ));
    assert_eq!(fs::read(&file).expect("still there"), b"x");
}

#[cfg(target_os = "linux")]
#[test]
fn devices_are_written_to_and_links_followed() {
    write_atomically(Path::new("/dev/null"), b"gone").expect("the null device takes all");
    assert!(matches!(
        write_atomically(Path::new("/dev/full"), b"x"),
        Err(WriteError::DiskFull { .. })
    ));
    let folder = tempfile::tempdir().expect("a folder");
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    fs::write(&real, "old").expect("a file");
    std::os::unix::fs::symlink(&real, &link).expect("a link");
    write_atomically(&link, b"new").expect("through the link");
    assert_eq!(fs::read(&real).expect("the target"), b"new");
    assert!(fs::symlink_metadata(&link).expect("the link").is_symlink());
}

#[test]
fn civil_dates() {
    // Reference: `date -u -d @SECONDS`.
    for (seconds, name) in [
        (0, "1970-01-01T00-00-00Z"),
        (951_782_399, "2000-02-28T23-59-59Z"),
        (951_782_400, "2000-02-29T00-00-00Z"),
        (951_868_800, "2000-03-01T00-00-00Z"),
        (1_795_432_953, "2026-11-23T11-22-33Z"),
        (4_107_542_400, "2100-03-01T00-00-00Z"),
        (-1, "1969-12-31T23-59-59Z"),
        (-2_203_891_200, "1900-03-01T00-00-00Z"),
    ] {
        assert_eq!(utc_name(seconds), name);
    }
}

#[test]
fn runs_never_share_a_folder() {
    let root = tempfile::tempdir().expect("a folder");
    let time = UNIX_EPOCH + Duration::from_secs(1_795_432_953);
    let names: Vec<String> = (0..3)
        .map(|_| {
            let run = RunFolder::create(&root.path().join("runs"), "../lynx & hare", time)
                .expect("a new folder");
            let path = run
                .path()
                .strip_prefix(root.path())
                .expect("below the root");
            path.to_string_lossy().into_owned()
        })
        .collect();
    let base = "runs/lynx---hare/2026-11-23T11-22-33Z";
    assert_eq!(
        names,
        [base.to_owned(), format!("{base}-2"), format!("{base}-3")]
    );
}

#[test]
fn a_named_folder_keeps_what_is_not_ours() {
    let root = tempfile::tempdir().expect("a folder");
    let out = root.path().join("a/b");
    fs::create_dir_all(&out).expect("a folder");
    fs::write(out.join("scenario.toml"), "mine").expect("a file");

    let mut run = RunFolder::at(&out).expect("an existing folder");
    assert!(matches!(
        run.write_text("scenario.toml", "resolved"),
        Err(WriteError::NotOurs { .. })
    ));
    for name in ["../x", "a/b", "", ".", "..", "x\ny", ".costate-run"] {
        assert!(
            matches!(run.write_text(name, ""), Err(WriteError::BadName { .. })),
            "{name}"
        );
    }
    run.write_json("result.json", &json::object([("a", json::number(1.0))]))
        .expect("a new file");
    let mut again = RunFolder::at(&out).expect("an existing folder");
    again
        .write_json("result.json", &[2])
        .expect("replaces its own");
    again
        .write_csv("trajectories.csv", &[Column::numbers("t", [0.5])])
        .expect("a new file");
    let figure = Plot::default().draw().expect("a figure");
    again.write_figure("fit", &figure).expect("two new files");

    let read = |name: &str| fs::read_to_string(out.join(name)).expect("a file");
    assert_eq!(read("scenario.toml"), "mine");
    assert_eq!(read("result.json"), "[\n  2\n]\n");
    assert_eq!(read("trajectories.csv"), "t\n0.5\n");
    assert_eq!(
        entries(&out),
        [
            ".costate-run",
            "fit.png",
            "fit.svg",
            "result.json",
            "scenario.toml",
            "trajectories.csv"
        ]
    );
}
