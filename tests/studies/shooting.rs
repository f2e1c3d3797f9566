//! `fit.multiple_shooting`: chaotic data are fitted from far away, where one long run cannot be.

use std::fmt::Write as _;
use std::fs;
use std::sync::atomic::AtomicBool;

use costate::compile::Backend;
use costate::study::{Fit, Study, StudyError, fit, simulate};

/// Lorenz's system from parameters far from those of the data; `shooting` in `[fit]`.
fn lorenz(data: Option<&str>, values: [f64; 3], shooting: &str) -> (tempfile::TempDir, Study) {
    let folder = tempfile::tempdir().expect("a folder");
    let [sigma, rho, beta] = values;
    let read = data.map_or(String::new(), |csv| {
        fs::write(folder.path().join("d.csv"), csv).expect("written");
        "[data]\nfile = \"d.csv\"\ntime = \"t\"".to_owned()
    });
    let text = format!(
        r#"
[scenario]
time = {{ start = 0.0, end = 10.0 }}
[parameters]
sigma = {{ value = {sigma}, bounds = [1.0, 50.0], fit = true }}
rho = {{ value = {rho}, bounds = [1.0, 80.0], fit = true }}
beta = {{ value = {beta}, bounds = [0.1, 10.0], fit = true }}
[states]
x = -8.0
y = 7.0
z = 27.0
[equations]
x = "sigma*(y - x)"
y = "x*(rho - z) - y"
z = "x*y - beta*z"
{read}
[solver]
method = "vern9"
rtol = 1e-10
atol = 1e-10
[fit]
{shooting}
"#
    );
    let (study, findings) = Study::from_text(&text, folder.path(), Backend::Auto);
    (folder, study.unwrap_or_else(|| panic!("{findings:?}")))
}

#[test]
fn chaos_is_fitted_piece_by_piece() {
    const TRUE: [f64; 3] = [10.0, 28.0, 8.0 / 3.0];
    let (_folder, study) = lorenz(None, TRUE, "");
    let times: Vec<f64> = (0..=100).map(|k| 0.1 * f64::from(k)).collect();
    let truth = simulate(&study, 0, &study.values(), &times).expect("a run");
    let mut csv = "t,x,y,z\n".to_owned();
    for (k, t) in times.iter().enumerate() {
        let [x, y, z] = [0, 1, 2].map(|i| truth.states[i][k]);
        writeln!(csv, "{t:?},{x:?},{y:?},{z:?}").expect("written");
    }
    let far = [20.0, 15.0, 6.0];
    let found = |shooting: &str| -> Fit {
        let (_folder, study) = lorenz(Some(&csv), far, shooting);
        fit(&study, &AtomicBool::new(false), &|_| {}).expect("a fit")
    };
    let single = found("");
    assert!(
        single.objective > 1.0,
        "one run finds it, too: {:?}",
        single.best
    );
    let multiple = found("multiple_shooting = 25");
    for (value, expected) in multiple.best.iter().zip(TRUE) {
        // data without noise, to the digits of the solver's tolerance times the growth of errors, about exp(0.9 * 10)
        assert!((value / expected - 1.0).abs() < 1e-6, "{:?}", multiple.best);
    }
}

#[test]
fn discrete_states_have_no_pieces() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("d.csv"), "t,x\n0.5,1\n1.5,2\n").expect("written");
    let text = r#"
[scenario]
time = { start = 0.0, end = 2.0 }
[parameters]
k = { value = 1.0, bounds = [0.1, 2.0], fit = true }
[states]
x = 1.0
mode = { initial = 1.0, discrete = true }
[equations]
x = "k*mode"
[[events]]
name = "stop"
at = 1.0
set = { mode = "0" }
[observables]
x = "x"
[data]
file = "d.csv"
time = "t"
[fit]
multiple_shooting = 2
"#;
    let (study, findings) = Study::from_text(text, folder.path(), Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:?}"));
    let failed = fit(&study, &AtomicBool::new(false), &|_| {}).expect_err("no pieces");
    assert!(
        matches!(&failed, StudyError::Unsupported(what) if what.contains("discrete states")),
        "{failed:?}"
    );
}
