//! Profiles and their intervals, beside answers computed without Costate, and beside other optimizers from other starts.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use costate::compile::Backend;
use costate::scenario::Override;
use costate::study::{
    IntervalEnd, ProfileSettings, Profiles, Study, Verdict, bands, fit, identifiability, profile,
};
use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn load(scenario: &str, overrides: &[(&str, &str)]) -> Study {
    let path = Path::new(ROOT).join(format!("scenarios/{scenario}/scenario.toml"));
    let overrides: Vec<Override> = overrides
        .iter()
        .map(|(path, value)| Override {
            path: (*path).into(),
            value: (*value).into(),
        })
        .collect();
    let (study, findings) = Study::load(&path, &overrides, Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

/// A study of a text whose data file, `data.csv`, holds `data`.
fn from_text(text: &str, data: &str) -> Study {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("data.csv"), data).expect("a file");
    let (study, findings) = Study::from_text(text, folder.path(), Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

fn profiled(study: &Study, level: f64) -> Profiles {
    let stop = AtomicBool::new(false);
    let best = fit(study, &stop, &|_| ()).expect("a fit");
    let settings = ProfileSettings {
        level,
        ..ProfileSettings::default()
    };
    profile(study, &best.parameters, &settings, &stop, &|_| ()).expect("profiles")
}

fn ends(profiles: &Profiles, name: &str) -> [f64; 2] {
    let i = profiles.names.iter().position(|n| n == name);
    let found = profiles.profiles.iter().find(|p| Some(p.parameter) == i);
    let found = found.unwrap_or_else(|| panic!("no profile of {name}"));
    [&found.low, &found.high].map(|end| {
        end.closed()
            .unwrap_or_else(|| panic!("{name}: {end:?} is open"))
    })
}

#[test]
fn intervals_are_those_of_independent_programs() {
    for scenario in ["lynx-hare", "theophylline"] {
        let text = fs::read_to_string(Path::new(ROOT).join(format!(
            "tests/data/profiles/{}.json",
            scenario.replace('-', "_")
        )));
        let reference: Value = serde_json::from_str(&text.expect("a file")).expect("JSON");
        let study = load(scenario, &[("fit.starts", "1")]);
        let profiles = profiled(&study, 0.95);
        let objective = reference["objective"].as_f64().expect("a number");
        assert!(
            (profiles.objective - objective).abs() < 1e-6,
            "{scenario}: {} {objective}",
            profiles.objective
        );
        let intervals = reference["intervals"].as_object().expect("intervals");
        assert_eq!(intervals.len(), profiles.profiles.len());
        for (name, interval) in intervals {
            let found = ends(&profiles, name);
            for (side, found) in found.into_iter().enumerate() {
                let expected = interval[side].as_f64().expect("a number");
                // asked for: 1e-4. The scenario is solved to rtol = 1e-8 and the reference to 1e-11 or better.
                assert!(
                    (found / expected - 1.0).abs() < 1e-5,
                    "{scenario}, {name}, {side}: {found} {expected}"
                );
            }
        }
        assert!(profiles.left.is_empty());
        for p in &profiles.profiles {
            assert_eq!(p.verdict, Verdict::Identifiable);
            assert!(p.points.len() > 10, "{}", p.points.len());
            assert!(p.points.windows(2).all(|w| w[0].value < w[1].value));
        }
    }
}

/// Each point of a profile is the least objective with that value: L-BFGS from the file's values finds no other.
#[test]
fn points_are_what_another_optimizer_finds_from_afar() {
    let study = load("lynx-hare", &[("fit.starts", "1")]);
    let profiles = profiled(&study, 0.95);
    let mut compared = 0;
    for p in profiles.profiles.iter().step_by(3) {
        let name = &profiles.names[p.parameter];
        for point in [1, p.points.len() / 3, p.points.len() - 2].map(|k| &p.points[k]) {
            let value = format!("{:?}", point.value);
            let held = load(
                "lynx-hare",
                &[
                    (name, &value),
                    (&format!("parameters.{name}.fit"), "false"),
                    ("fit.starts", "1"),
                    ("fit.algorithm", "l-bfgs"),
                ],
            );
            let again = fit(&held, &AtomicBool::new(false), &|_| ()).expect("a fit");
            assert!(
                (again.objective - point.objective).abs() < 1e-6,
                "{name} = {value}: {} {}",
                again.objective,
                point.objective
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 9);
}

/// A straight line y = a + b t at t = 0, 1, ..., 7 with every second measurement 1 above it and the others 1 below.
fn line(noise: &str) -> Study {
    let text = format!(
        r#"
        [scenario]
        time = {{ start = 0.0, end = 7.0 }}
        [parameters]
        a = {{ value = 1.0, fit = true }}
        b = {{ value = 0.0, fit = true }}
        [states]
        x = "a"
        [equations]
        x = "b"
        [observables]
        y = {{ expression = "x"{noise} }}
        [data]
        file = "data.csv"
        time = "t"
        columns = {{ y = "y" }}
        [solver]
        method = "tsit5"
        [fit]
        starts = 1
        "#
    );
    let rows = (0..8).map(|t| {
        let t = f64::from(t);
        let off = if t % 2.0 == 0.0 { 1.0 } else { -1.0 };
        format!("{t},{}\n", 2.0 + 0.5 * t + off)
    });
    from_text(&text, &format!("t,y\n{}", rows.collect::<String>()))
}

/// Linear regression by hand: n = 8, mean t = 3.5, sum (t - 3.5)^2 = 42, the alternating errors have sum 0 and
/// sum e t = -4, so that b = 0.5 - 4/42, a = 2 + 3.5 * 4/42, and the sum of squared residuals is 8 - 16/42.
#[test]
fn linear_models_have_textbook_intervals() {
    let (a, b) = (2.0 + 14.0 / 42.0, 0.5 - 4.0 / 42.0);
    let squares: f64 = 8.0 - 16.0 / 42.0;
    let unit = [
        (1.0 / 8.0 + 3.5 * 3.5 / 42.0_f64).sqrt(),
        42.0_f64.sqrt().recip(),
    ];
    // sigma = 2 known: the normal quantile; unknown: s^2 = squares / 6 and Student's 97.5 % quantile of 6 degrees of freedom
    for (noise, half) in [
        (
            r#", noise = { model = "normal", sigma = 2.0 }"#,
            2.0 * 1.959_963_984_540_054,
        ),
        ("", (squares / 6.0).sqrt() * 2.446_911_848_791_681),
    ] {
        let study = line(noise);
        let profiles = profiled(&study, 0.95);
        for (k, (name, center)) in [("a", a), ("b", b)].into_iter().enumerate() {
            let [low, high] = ends(&profiles, name);
            // ends are refined to 1e-7 of the distance from the estimate
            for (found, expected) in [
                (low, center - half * unit[k]),
                (high, center + half * unit[k]),
            ] {
                assert!(
                    (found - expected).abs() < 1e-6 * half,
                    "{name}: {found} {expected}"
                );
            }
            let wald = profiles.profiles[k].wald.expect("determined");
            assert!((wald[0] - low).abs() < 1e-6 * half && (wald[1] - high).abs() < 1e-6 * half);
        }
        // the model is linear: second derivatives are J^T J
        let exact = profiles
            .local
            .hessian_errors
            .clone()
            .expect("positive definite");
        for (exact, first) in exact.iter().zip(&profiles.local.standard_errors) {
            assert!((exact / first.expect("determined") - 1.0).abs() < 1e-9);
        }
        let criteria = profiles.local.criteria;
        let n = 8.0_f64;
        let (nll, k) = if noise.is_empty() {
            let variance = squares / n;
            (
                0.5 * n * ((2.0 * std::f64::consts::PI * variance).ln() + 1.0),
                3.0,
            )
        } else {
            let each = (2.0 * std::f64::consts::PI * 4.0).ln();
            (0.5 * (squares / 4.0 + n * each), 2.0)
        };
        assert!((criteria.aic - (2.0 * k + 2.0 * nll)).abs() < 1e-8);
        assert!((criteria.bic - (k * n.ln() + 2.0 * nll)).abs() < 1e-8);
    }
}

/// The band of a straight line: sd(y at t)^2 = sigma^2 (1/n + (t - mean)^2 / sum (t - mean)^2).
#[test]
fn bands_of_a_line_are_those_of_regression() {
    let study = line(r#", noise = { model = "normal", sigma = 2.0 }"#);
    let profiles = profiled(&study, 0.95);
    let found = bands(
        &study,
        &profiles.solving,
        &profiles.parameters,
        &profiles.local.covariance,
        15,
    )
    .expect("bands");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].t.len(), 15);
    for (t, sd) in found[0].t.iter().zip(&found[0].deviation) {
        let expected = 2.0 * (1.0 / 8.0 + (t - 3.5).powi(2) / 42.0_f64).sqrt();
        assert!((sd / expected - 1.0).abs() < 1e-9, "{t}: {sd} {expected}");
    }
    assert!(found[0].noise.iter().all(|s| *s == 2.0));
}

/// Only the product of `a` and `b` and the rate matter; `c` does nothing.
const PRODUCT: &str = r#"
    [scenario]
    time = { start = 0.0, end = 4.0 }
    [parameters]
    a = { value = 2.0, bounds = [0.1, 10.0], scale = "log", fit = true }
    b = { value = 1.5, bounds = [0.1, 10.0], scale = "log", fit = true }
    k = { value = 0.5, bounds = [1e-3, 10.0], scale = "log", fit = true }
    [states]
    x = "a*b"
    [equations]
    x = "-k*x"
    [observables]
    y = { expression = "x", noise = { model = "normal", sigma = 0.1 } }
    [data]
    file = "data.csv"
    time = "t"
    columns = { y = "y" }
    [fit]
    starts = 1
    "#;

#[test]
fn what_only_a_product_tells_is_structurally_open_and_the_product_named() {
    let study = from_text(PRODUCT, "t,y\n0,3.05\n1,1.75\n2,1.15\n3,0.6\n4,0.45\n");
    let profiles = profiled(&study, 0.95);
    let verdicts: Vec<Verdict> = profiles.profiles.iter().map(|p| p.verdict).collect();
    assert_eq!(
        verdicts,
        [
            Verdict::StructurallyNot,
            Verdict::StructurallyNot,
            Verdict::Identifiable
        ]
    );
    // a is 10 at most, so b is a b / 10 at least, where its own profile begins to rise for no reason of the data's
    assert_eq!(profiles.local.open.len(), 1);
    assert_eq!(profiles.local.open[0].parameters, [0, 1]);
    assert_eq!(profiles.local.open[0].determined, ["a*b"]);
    assert!(profiles.local.standard_errors[0].is_none());
    assert!(profiles.local.standard_errors[2].is_some());
}

#[test]
fn sums_are_named_where_parameters_are_linear() {
    let text = PRODUCT.replace("\"a*b\"", "\"a + 2*b\"").replace(
        "bounds = [0.1, 10.0], scale = \"log\"",
        "bounds = [-10.0, 10.0]",
    );
    let study = from_text(&text, "t,y\n0,5.05\n1,3.0\n2,1.85\n3,1.1\n4,0.7\n");
    let solving = costate::study::Solving::choose(&study).expect("a solver");
    let local = identifiability(&study, &solving, &study.values(), false).expect("rows");
    assert_eq!(local.open.len(), 1);
    // either is the same statement
    let determined = &local.open[0].determined;
    assert!(
        determined == &["a + 2*b"] || determined == &["0.5*a + b"],
        "{determined:?}"
    );
    assert!(local.hessian_errors.is_none());
}

/// A decay too slow to be seen in so short a time: an upper end, and none below.
#[test]
fn too_little_data_leave_an_end_open_at_the_bound() {
    let text = PRODUCT.replace("\"a*b\"", "\"3\"").replace(
        "bounds = [0.1, 10.0], scale = \"log\", fit = true",
        "fit = false",
    );
    let study = from_text(
        &text,
        "t,y\n0,3.05\n0.01,2.98\n0.02,3.02\n0.03,2.97\n0.04,3.01\n",
    );
    let profiles = profiled(&study, 0.95);
    assert_eq!(profiles.profiles.len(), 1);
    let k = &profiles.profiles[0];
    assert_eq!(k.verdict, Verdict::PracticallyNot);
    assert_eq!(k.low, IntervalEnd::Bound(1e-3));
    // y = 3 (1 - k t) to first order, information about k: sum (3 t / sigma)^2 = 900 sum t^2 = 2.7, and the best k is
    // sum 3 t (3 - y) / sum 9 t^2 = 0.0018 / 0.027 = 0.0667: the upper end is near k + 1.96 / sqrt(2.7) = 1.26
    let high = k.high.closed().expect("closed");
    assert!((high - 1.26).abs() < 0.1, "{high}");
}

/// A parameter held by its bound leaves the others the standard errors that they have given it.
#[test]
fn what_a_bound_holds_is_taken_as_known() {
    let text = PRODUCT
        .replace("\"a*b\"", "\"a\"")
        .replace(
            "b = { value = 1.5, bounds = [0.1, 10.0], scale = \"log\", fit = true }",
            "",
        )
        .replace("bounds = [1e-3, 10.0]", "bounds = [0.5, 10.0]");
    // x' = 0 would fit best: k is at its lower bound, 1/2
    let study = from_text(&text, "t,y\n0,2.0\n1,2.0\n2,2.0\n3,2.0\n4,2.0\n");
    let profiles = profiled(&study, 0.95);
    assert!((profiles.best[1] - 0.5).abs() < 1e-12);
    assert_eq!(profiles.local.at_bound, [false, true]);
    assert_eq!(profiles.profiles[1].low, IntervalEnd::Bound(0.5));
    assert!(profiles.profiles[1].high.closed().is_some());
    assert_eq!(profiles.local.standard_errors[1], None);
    // dy/da = e^(-t/2): information sum e^(-t) / sigma^2 at t = 0, ..., 4
    let information: f64 = (0..5).map(|t| (-f64::from(t)).exp()).sum::<f64>() / 0.01;
    let error = profiles.local.standard_errors[0].expect("determined");
    assert!((error * information.sqrt() - 1.0).abs() < 1e-6, "{error}");
}

/// Two optima with a ridge between them below the threshold: the walk from the worse one finds the better one.
#[test]
fn a_better_optimum_on_the_way_is_gone_after() {
    let text = r#"
        [scenario]
        time = { start = 0.0, end = 1.0 }
        [parameters]
        p = { value = 1.0, bounds = [-3.0, 3.0], fit = true }
        [states]
        x = "p^4/4 - p^2/2 + p/10"
        [equations]
        x = "0"
        [observables]
        y = { expression = "x", noise = { model = "normal", sigma = 1.0 } }
        [data]
        file = "data.csv"
        time = "t"
        columns = { y = "y" }
        [solver]
        method = "tsit5"
        [fit]
        starts = 1
        "#;
    let study = from_text(text, "t,y\n1,-5\n");
    let profiles = profiled(&study, 0.95);
    assert_eq!(profiles.left.len(), 1);
    assert!(profiles.left[0] > profiles.objective + 0.5);
    // roots of p^3 - p + 1/10: the lower minimum is at -1.04668...
    let best = profiles.best[0];
    assert!(
        (best.powi(3) - best + 0.1).abs() < 1e-6 && best < -1.0,
        "{best}"
    );
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let study = load("lynx-hare", &[("fit.starts", "1")]);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let settings = ProfileSettings {
            only: vec![0, 4],
            ..ProfileSettings::default()
        };
        let stop = AtomicBool::new(false);
        let start = study.values();
        pool.expect("threads")
            .install(|| profile(&study, &start, &settings, &stop, &|_| ()))
            .expect("profiles")
            .profiles
    };
    assert_eq!(with(1), with(3));
}
