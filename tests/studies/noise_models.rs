//! Noise models, limits of detection and robust losses: estimates of a constant against optima found with other means, and
//! gradients by every method where a model moves both the value and the scale.

use std::fs;
use std::sync::atomic::AtomicBool;

use costate::compile::Backend;
use costate::study::{Fit, Objective, Solving, Study, Variable, fit};

fn study(folder: &std::path::Path, text: &str) -> Study {
    let (study, findings) = Study::from_text(text, folder, Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

/// The estimate of a constant `mu` from readings of it, and of the scale where the observable has one.
fn constant(readings: &[f64], observable: &str, scale: &str) -> Fit {
    let folder = tempfile::tempdir().expect("a folder");
    let mut data = "time,y\n".to_owned();
    for (k, d) in readings.iter().enumerate() {
        data += &format!("{k},{d}\n");
    }
    fs::write(folder.path().join("d.csv"), data).expect("written");
    let text = format!(
        r#"
[scenario]
time = {{ start = 0.0, end = 20.0 }}
[parameters]
mu = {{ value = 2.03, bounds = [0.1, 20.0], fit = true }}
{scale}
[states]
x = "mu"
[equations]
x = "0"
[observables]
y = {{ expression = "x", {observable} }}
[data]
file = "d.csv"
time = "time"
"#
    );
    let study = study(folder.path(), &text);
    fit(&study, &AtomicBool::new(false), &|_| {}).expect("a fit")
}

const SCALE: &str = "s = { value = 1.0, bounds = [0.01, 50.0], scale = \"log\", fit = true }";

/// Optima to 16 digits by mpmath's root finder on the gradient of densities written with its own functions. The fit's
/// own test of convergence leaves the objective within about 1e-12 and parameters within its square root.
#[test]
fn estimates_of_a_constant_are_those_of_other_tools() {
    let limited = [1.0, 1.0, 1.0, 1.7, 2.2, 2.9, 3.1, 4.0, 4.0];
    let outlier = [1.2, 1.9, 2.0, 2.1, 2.3, 9.0];
    let counts = [0.0, 3.0, 1.0, 7.0, 2.0, 12.0, 4.0];
    let cases = [
        (
            &limited[..],
            r#"noise = { model = "normal", sigma = "s", lower_limit = 1.0, upper_limit = 4.0 }"#,
            SCALE,
            vec![2.104_800_604_285_623, 2.397_750_351_690_501],
            13.802_696_833_911_43,
        ),
        (
            &outlier,
            r#"noise = { model = "student-t", sigma = "s", degrees_of_freedom = 3 }"#,
            SCALE,
            vec![1.981_483_282_515_672, 0.555_681_926_637_388_5],
            11.730_194_877_156_38,
        ),
        (
            &counts,
            r#"noise = { model = "poisson" }"#,
            "",
            vec![29.0 / 7.0],
            21.955_151_589_859_59,
        ),
        (
            &counts,
            r#"noise = { model = "negative-binomial", dispersion = "s" }"#,
            SCALE,
            vec![4.142_857_142_857_143, 1.444_842_543_313_394],
            17.615_771_263_110_76,
        ),
        (
            &outlier,
            r#"loss = "huber", loss_width = 0.5"#,
            "",
            vec![2.075],
            3.693_75,
        ),
        (
            &outlier,
            r#"loss = "soft-l1", loss_width = 0.5"#,
            "",
            vec![2.090_056_254_367_549],
            3.517_113_775_488_794,
        ),
        (
            &outlier,
            r#"loss = "cauchy", loss_width = 0.5"#,
            "",
            vec![2.010_449_868_944_587],
            0.867_197_015_777_203_3,
        ),
        (
            &outlier,
            r#"loss = "arctan", loss_width = 0.5"#,
            "",
            vec![2.048_764_228_240_108],
            0.394_750_866_478_417_7,
        ),
        (
            &outlier,
            r#"loss = "tukey", loss_width = 0.5"#,
            "",
            vec![2.057_471_650_553_515],
            0.120_103_511_617_285_8,
        ),
    ];
    for (readings, observable, scale, expected, objective) in cases {
        let found = constant(readings, observable, scale);
        assert!(
            (found.objective - objective).abs() < 1e-10 * objective,
            "{observable}: {} {objective}",
            found.objective
        );
        for (value, expected) in found.best.iter().zip(&expected) {
            assert!(
                (value - expected).abs() < 1e-5 * expected,
                "{observable}: {:?} {expected:?}",
                found.best
            );
        }
        assert!(found.converged, "{observable}");
    }
}

/// The Laplace distribution's estimates in closed form: the median, and the mean distance from it.
#[test]
fn laplace_noise_finds_the_median() {
    let found = constant(
        &[1.2, 1.9, 2.0, 2.6, 9.0],
        r#"noise = { model = "laplace", sigma = "s" }"#,
        SCALE,
    );
    let scale = (0.8 + 0.1 + 0.0 + 0.6 + 7.0) / 5.0;
    // the objective has a kink there: methods for smooth ones come near it, not onto it
    assert!((found.best[0] - 2.0).abs() < 1e-3, "{:?}", found.best);
    assert!((found.best[1] - scale).abs() < 1e-3, "{:?}", found.best);
}

const DECAY: &str = r#"
[scenario]
time = { start = 0.0, end = 4.0 }
[parameters]
k = { value = 0.7, bounds = [0.1, 5.0], scale = "log10", fit = true, prior = { distribution = "normal", location = 0.1, scale = 0.4, scaled = true } }
x0 = { value = 6.0, bounds = [1.0, 20.0], fit = true, prior = { distribution = "log-laplace", location = 1.2, scale = 0.5 } }
s = { value = 0.8, bounds = [0.01, 50.0], scale = "log", fit = true }
[states]
x = "x0"
[equations]
x = "-k*x"
[observables]
y = { expression = "x", OBSERVED }
[data]
file = "d.csv"
time = "time"
"#;

#[test]
fn gradients_agree_by_every_method() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = "time,y\n0,5\n1,4\n2,2\n3,1\n4,1\n";
    fs::write(folder.path().join("d.csv"), data).expect("written");
    let scaled = r#"sigma = "s + 0.1*x""#;
    let models = [
        format!(
            r#"noise = {{ model = "normal", {scaled}, lower_limit = 1.0, upper_limit = 5.0 }}"#
        ),
        format!(r#"noise = {{ model = "log-normal", {scaled} }}"#),
        format!(r#"noise = {{ model = "log10-normal", {scaled}, lower_limit = 1.0 }}"#),
        format!(r#"noise = {{ model = "laplace", {scaled} }}"#),
        format!(r#"noise = {{ model = "log-laplace", {scaled}, upper_limit = 4.0 }}"#),
        format!(r#"noise = {{ model = "log10-laplace", {scaled} }}"#),
        format!(
            r#"noise = {{ model = "student-t", {scaled}, degrees_of_freedom = 4, lower_limit = 1.0 }}"#
        ),
        r#"noise = { model = "poisson" }"#.to_owned(),
        r#"noise = { model = "negative-binomial", dispersion = "s + 0.1*x" }"#.to_owned(),
        r#"loss = "huber", loss_width = 0.3"#.to_owned(),
    ];
    for model in models {
        let study = study(folder.path(), &DECAY.replace("OBSERVED", &model));
        let variables = Variable::fitted(&study.scenario);
        let solving = Solving::choose(&study).expect("a solver");
        let mut objective = Objective::new(&study, solving, None).expect("an objective");
        let p = study.values();
        let mut dual = vec![0.0; 3];
        let mut adjoint = vec![0.0; 3];
        let mut differences = vec![0.0; 3];
        let value = objective.value(&p).expect("a value");
        let of_dual = objective
            .gradient_dual(&p, &variables, &mut dual)
            .expect("dual");
        let of_adjoint = objective
            .gradient_adjoint(&p, &variables, &mut adjoint)
            .expect("adjoint");
        objective
            .gradient_differences(&p, &variables, &mut differences)
            .expect("differences");
        for (other, what) in [(of_dual, "dual"), (of_adjoint, "adjoint")] {
            assert!(
                (other - value).abs() < 1e-13 * value.abs(),
                "{model} {what}"
            );
        }
        let size = dual.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
        for k in 0..3 {
            // rounding for the first two, the truncation of central differences for the third
            assert!(
                (dual[k] - adjoint[k]).abs() < 1e-12 * size,
                "{model}: {dual:?} {adjoint:?}"
            );
            assert!(
                (dual[k] - differences[k]).abs() < 1e-6 * size,
                "{model}: {dual:?} {differences:?}"
            );
        }
    }
}
