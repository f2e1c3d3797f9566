//! `[smoothing]`: a fit that goes from a wide width to a narrow one finds what it misses with the narrow one alone.

use std::fs;
use std::sync::atomic::AtomicBool;

use costate::compile::Backend;
use costate::study::{Fit, Study, fit};

/// When a pulse began, from readings of it: far from where it was, moving it makes no difference to the objective.
fn pulse(folder: &std::path::Path, smoothing: &str) -> Fit {
    let (began, width): (f64, f64) = (7.4, 0.05);
    let step = |x: f64| 1.0 / (1.0 + (-x / width).exp());
    let mut data = "time,y\n".to_owned();
    for k in 0..=40 {
        let t = 0.25 * f64::from(k);
        let y = step(t - began) * step(began + 1.0 - t);
        data += &format!("{t},{y:.17}\n");
    }
    fs::write(folder.join("pulse.csv"), data).expect("written");
    let text = format!(
        r#"
[scenario]
time = {{ start = 0.0, end = 10.0 }}
[parameters]
began = {{ value = 2.1, bounds = [0.0, 10.0], fit = true }}
width = {width}
[states]
x = 0.0
[equations]
x = "1"
[observables]
y = {{ expression = "softstep(x - began, width)*softstep(began + 1 - x, width)", noise = {{ model = "normal", sigma = 0.01 }} }}
[data]
file = "pulse.csv"
time = "time"
columns = {{ y = "y" }}
{smoothing}
"#
    );
    let (study, findings) = Study::from_text(&text, folder, Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:?}"));
    fit(&study, &AtomicBool::new(false), &|_| {}).expect("a fit")
}

#[test]
fn wide_first_finds_what_narrow_alone_misses() {
    let folder = tempfile::tempdir().expect("a folder");
    let narrow = pulse(folder.path(), "");
    let began = narrow.best[0];
    assert!((began - 7.4).abs() > 1.0, "found without: {began}");
    let annealed = pulse(folder.path(), "[smoothing]\nwidth = [3.0, 1.0, 0.3]");
    // the data have no noise, and the last stage is of their own width
    let began = annealed.best[0];
    assert!((began - 7.4).abs() < 1e-8, "{began}");
    assert!(annealed.converged);
    assert_eq!(annealed.parameters[1], 0.05);
    assert!(annealed.starts[0].outcome.iterations > narrow.starts[0].outcome.iterations);
}
