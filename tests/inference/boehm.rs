//! The profile of a parameter of Boehm et al. 2014 beside exact re-optimization: tests/data/profiles/boehm.py, which knows nothing
//! of Costate, and L-BFGS with the parameter held.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use costate::compile::Backend;
use costate::import::import_petab;
use costate::scenario::Override;
use costate::study::{ProfileSettings, Study, profile};
use serde_json::Value;

use super::fitted;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const NAME: &str = "Epo_degradation_BaF3";

fn load(folder: &Path, more: &[(&str, String)]) -> Study {
    let tight = [
        ("solver.method", "rodas5p"),
        ("solver.rtol", "1e-8"),
        ("solver.atol", "1e-9"),
        ("fit.gradient_tolerance", "1e-6"),
        ("fit.starts", "1"),
    ];
    let tight = tight.map(|(path, value)| (path, value.to_owned()));
    let overrides: Vec<Override> = tight
        .iter()
        .chain(more)
        .map(|(path, value)| Override {
            path: (*path).to_owned(),
            value: value.clone(),
        })
        .collect();
    let path = folder.join("scenario.toml");
    let (study, findings) = Study::load(&path, &overrides, Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

#[test]
fn a_profile_is_what_re_optimization_finds() {
    let text = fs::read_to_string(Path::new(ROOT).join("tests/data/profiles/boehm.json"));
    let reference: Value = serde_json::from_str(&text.expect("a file")).expect("JSON");
    let problem = Path::new(ROOT).join("tests/data/petab/boehm/Boehm_JProteomeRes2014.yaml");
    let (imported, findings) = import_petab(&problem);
    let imported = imported.unwrap_or_else(|| panic!("{findings:?}"));
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in &imported.files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let study = load(folder.path(), &[]);
    let best = fitted(&study);
    let objective = reference["objective"].as_f64().expect("a number");
    assert!(
        (best.objective - objective).abs() < 1e-6,
        "{} {objective}",
        best.objective
    );
    // with a value held, the objective of a fit is that of the reference
    let held = |value: f64| {
        let set = [
            (NAME, format!("{value:?}")),
            ("parameters.Epo_degradation_BaF3.fit", "false".to_owned()),
            ("fit.algorithm", "l-bfgs".to_owned()),
        ];
        fitted(&load(folder.path(), &set)).objective
    };
    let points = reference["points"][NAME].as_array().expect("points");
    for point in points {
        let [value, expected] = [&point[0], &point[1]].map(|v| v.as_f64().expect("a number"));
        let found = held(value);
        assert!(
            (found - expected).abs() < 1e-6,
            "{value}: {found} {expected}"
        );
    }
    // and so is the profile, at its own points, and its end
    let settings = ProfileSettings {
        level: 0.95,
        only: vec![
            best.names
                .iter()
                .position(|n| n == NAME)
                .expect("a parameter"),
        ],
    };
    let stop = AtomicBool::new(false);
    let profiles = profile(&study, &best.parameters, &settings, &stop, &|_| ()).expect("profiles");
    let own = &profiles.profiles[0];
    for k in [1, own.points.len() / 3, own.points.len() - 2] {
        let point = &own.points[k];
        let found = held(point.value);
        assert!(
            (found - point.objective).abs() < 1e-6,
            "{found} {}",
            point.objective
        );
    }
    for (end, expected) in [&own.low, &own.high]
        .into_iter()
        .zip(reference["intervals"][NAME].as_array().expect("ends"))
    {
        if let Some(expected) = expected.as_f64() {
            let found = end.closed().expect("a closed end");
            assert!((found / expected - 1.0).abs() < 1e-4, "{found} {expected}");
        }
    }
}
