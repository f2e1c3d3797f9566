//! The seven PEtab problems of tests/data/petab: imported, evaluated, beside reference values.

use std::fs;
use std::path::{Path, PathBuf};

use costate::compile::Backend;
use costate::diagnostic::Severity;
use costate::import::{Imported, import_petab};
use costate::scenario::{GradientMethod, Override};
use costate::study::{GradientOf, Solving, Study, Variable, gradient};
use serde_json::Value;

pub fn write(imported: &Imported, folder: &Path) {
    for (name, text) in &imported.files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).expect("a folder for the scenario");
        }
        fs::write(path, text).expect("a file of the scenario");
    }
}

fn case(name: &str) -> (PathBuf, Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/petab")
        .join(name);
    let problem = fs::read_dir(&folder)
        .expect("the case's folder")
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|e| e == "yaml"))
        .expect("the problem's file");
    let text = fs::read_to_string(folder.join("reference.json")).expect("the reference");
    (problem, serde_json::from_str(&text).expect("JSON"))
}

/// A solver and its tolerances.
struct How {
    solver: &'static str,
    rtol: &'static str,
    atol: &'static str,
}

/// The likelihood within 1e-8 and the gradient within 1e-6, the latter in the norm of the largest element of the gradient with
/// respect to the scaled parameters: at an optimum single elements are differences of large numbers that cancel, and the
/// references themselves move by `gradient_max_rel_to_inf_norm` in that norm (up to 1e-7, for Crauste).
fn agrees(name: &str, how: &How, methods: &[GradientMethod]) {
    let (problem, reference) = case(name);
    let (imported, findings) = import_petab(&problem);
    let imported = imported.unwrap_or_else(|| panic!("{name}: {findings:?}"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(&imported, folder.path());
    let set = |path: &str, value: &str| Override {
        path: path.to_owned(),
        value: value.to_owned(),
    };
    let overrides = [
        set("solver.method", how.solver),
        set("solver.rtol", how.rtol),
        set("solver.atol", how.atol),
    ];
    let scenario = folder.path().join("scenario.toml");
    let (study, findings) = Study::load(&scenario, &overrides, Backend::Auto);
    assert!(
        findings.iter().all(|f| f.severity != Severity::Error),
        "{name}: {findings:?}"
    );
    let study = study.expect("a study");
    let solving = Solving::choose(&study).expect("a solver");
    let variables = Variable::fitted(&study.scenario);
    for point in ["nominal", "perturbed"] {
        let expected = &reference["points"][point];
        let mut values = study.values();
        for (name, value) in expected["parameters"].as_object().expect("parameters") {
            let at = study
                .scenario
                .parameters
                .iter()
                .position(|p| p.name.text == *name)
                .unwrap_or_else(|| panic!("no parameter {name}"));
            values[at] = value.as_f64().expect("a number");
        }
        let scaled = expected["gradient_scaled"].as_object().expect("a gradient");
        let natural = expected["gradient_linear"].as_object().expect("a gradient");
        assert_eq!(scaled.len(), variables.len(), "{name}: what is estimated");
        let largest = scaled
            .values()
            .filter_map(Value::as_f64)
            .fold(0.0, |m: f64, v| m.max(v.abs()));
        for &method in methods {
            let result = gradient(
                &study,
                &solving,
                GradientOf::Data,
                method,
                &values,
                &variables,
            )
            .unwrap_or_else(|e| panic!("{name} {point} {method:?}: {e}"));
            let nllh = expected["nllh"].as_f64().expect("a likelihood");
            let error = (result.value - nllh).abs() / nllh.abs();
            assert!(
                error <= 1e-8,
                "{name} {point} {method:?}: {} beside {nllh}",
                result.value
            );
            for (variable, &value) in variables.iter().zip(&result.gradient) {
                let shown = variable.name(&study.scenario);
                let (g, s) = (
                    natural[&shown].as_f64().expect("a derivative"),
                    scaled[&shown].as_f64().expect("a derivative"),
                );
                // d scaled = d natural times (s / g)
                let error = if g == 0.0 {
                    value.abs()
                } else {
                    ((value - g) / g * s).abs()
                };
                assert!(
                    error <= 1e-6 * largest,
                    "{name} {point} {method:?} {shown}: {value} beside {g}, error {:e}",
                    error / largest
                );
            }
        }
    }
}

const BOTH: &[GradientMethod] = &[GradientMethod::Dual, GradientMethod::Adjoint];

fn at(solver: &'static str, rtol: &'static str, atol: &'static str) -> How {
    How { solver, rtol, atol }
}

#[test]
fn boehm() {
    agrees("boehm", &at("auto", "1e-11", "1e-13"), BOTH);
}

#[test]
fn bruno() {
    // near an optimum: the gradient is 1e-3 of terms that cancel
    agrees("bruno", &at("auto", "1e-13", "1e-18"), BOTH);
}

#[test]
fn crauste() {
    // the nominal point is next to where the pathogen grows without bound: derivatives lose seven digits
    agrees("crauste", &at("vern9", "1e-14", "1e-20"), BOTH);
}

#[test]
fn elowitz() {
    agrees("elowitz", &at("auto", "1e-10", "1e-12"), BOTH);
}

#[test]
fn fujita() {
    agrees("fujita", &at("auto", "1e-10", "1e-13"), BOTH);
}

#[test]
fn perelson() {
    agrees("perelson", &at("auto", "1e-11", "1e-13"), BOTH);
}

#[test]
fn sneyd() {
    agrees("sneyd", &at("rodas5p", "1e-10", "1e-13"), BOTH);
}

#[test]
fn the_scenario_reads_like_one_written_by_hand() {
    let (problem, _) = case("boehm");
    let (imported, findings) = import_petab(&problem);
    assert!(findings.is_empty(), "{findings:?}");
    let imported = imported.expect("a scenario");
    let text = &imported.files[0].1;
    for line in [
        "STAT5A  = \"207.6*ratio\"",
        "v1_v_0   = \"BaF3_Epo*STAT5A^2*k_phos\"   # 2 STAT5A -> pApA; v_0",
        "STAT5A  = \"-2*v1_v_0 - v2_v_1 + 2*v7_v_6/cyt + v8_v_7/cyt\"",
        "nucpApA = \"(v4_v_3 - v7_v_6)/nuc\"",
        "noise = { model = \"normal\", sigma = \"sd_pSTAT5A_rel\" }",
        "data = { file = \"measurements.csv\" }",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
    assert_eq!(imported.files.len(), 2);
    assert!(
        imported.files[1]
            .1
            .starts_with("time,pSTAT5A_rel,pSTAT5B_rel,rSTAT5A_rel\n0,")
    );
}
