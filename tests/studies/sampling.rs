//! Draws from posteriors that are known: by a formula, or by another program.
//!
//! An estimate from draws has a Monte Carlo error. Means and standard deviations are compared within five standard errors of
//! theirs (chance: one in two million each). That of a standard deviation is sd(w) / (2 sd sqrt(ESS of w)), w the squared
//! distances from the mean, of which chains that jump back and forth tell less than of the mean.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use costate::compile::Backend;
use costate::study::{Posterior, SampleSettings, Study, Summary, fit, predict, sample};
use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Four measurements of x = p + q t with normal noise.
fn line(parameters: &str, sigma: f64) -> Study {
    let text = format!(
        r#"
        [scenario]
        time = {{ start = 0.0, end = 3.0 }}
        [parameters]
        {parameters}
        [states]
        x = "p"
        [equations]
        x = "q"
        [observables]
        y = {{ expression = "x", noise = {{ model = "normal", sigma = {sigma:?} }} }}
        [data]
        file = "data.csv"
        time = "t"
        columns = {{ y = "y" }}
        [solver]
        method = "tsit5"
        "#
    );
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("data.csv"), "t,y\n0,1\n1,3\n2,4\n3,6\n").expect("a file");
    let (study, findings) = Study::from_text(&text, folder.path(), Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

fn drawn(study: &Study, draws: usize, seed: u64) -> Posterior {
    let settings = SampleSettings {
        draws,
        warmup: 200,
        seed,
        ..SampleSettings::default()
    };
    let stop = AtomicBool::new(false);
    sample(study, &study.values(), &settings, &stop, &|_| ()).expect("draws")
}

/// Standard error of the standard deviation of parameter `i`.
fn deviation_error(posterior: &Posterior, i: usize) -> f64 {
    let s = &posterior.summaries[i];
    let mut chains = posterior.chains_of(i);
    for x in chains.iter_mut().flatten() {
        *x = (*x - s.mean).powi(2);
    }
    Summary::new(&chains).mean_error / (2.0 * s.deviation)
}

fn near(posterior: &Posterior, i: usize, mean: f64, deviation: f64) {
    let (name, s) = (&posterior.names[i], &posterior.summaries[i]);
    assert!(
        (s.mean - mean).abs() < 5.0 * s.mean_error,
        "{name}: mean {} for {mean}, standard error {}",
        s.mean,
        s.mean_error
    );
    let error = deviation_error(posterior, i);
    assert!(
        (s.deviation - deviation).abs() < 5.0 * error,
        "{name}: sd {} for {deviation}, standard error {error}",
        s.deviation
    );
    assert!(s.convergence.r_hat < 1.02, "{name}: {:?}", s.convergence);
}

/// Flat priors: the posterior of regression. Mean t = 1.5, sum (t - 1.5)^2 = 5, q = 8/5, p = 3.5 - 1.5 q.
#[test]
fn a_linear_model_has_a_normal_posterior() {
    let study = line(
        "p = { value = 1.0, fit = true }\nq = { value = 1.0, fit = true }",
        0.7,
    );
    let posterior = drawn(&study, 500, 1);
    let sd = [
        (1.0 / 4.0 + 1.5 * 1.5 / 5.0_f64).sqrt(),
        5.0_f64.sqrt().recip(),
    ];
    near(&posterior, 0, 1.1, 0.7 * sd[0]);
    near(&posterior, 1, 1.6, 0.7 * sd[1]);
    assert!(posterior.divergences.is_empty());
    assert_eq!(posterior.improper, ["p", "q"]);
    // and of predictions: at t = 3 the model is 5.9 with sd 0.7 sqrt(1/4 + 1.5^2 / 5), whose quantiles are 1.645 sd off
    let bands = predict(&study, &posterior.solving, &posterior, 2000, 4).expect("bands");
    let [low, middle, high] = [0, 1, 2].map(|k| bands[0].model[k][3]);
    let at_end = 0.7 * (1.0 / 4.0 + 1.5 * 1.5 / 5.0_f64).sqrt();
    // a 5 % quantile of N independent draws has the standard error 2.1 sd / sqrt(N); five of 500 draws: 0.47 sd
    assert!((middle - 5.9).abs() < 0.3 * at_end, "{middle}");
    for (found, side) in [(low, -1.0), (high, 1.0)] {
        let expected = 5.9 + side * 1.645 * at_end;
        assert!(
            (found - expected).abs() < 0.47 * at_end,
            "{found} {expected}"
        );
    }
    let noisy = bands[0].measurement[2][3] - bands[0].measurement[0][3];
    let expected = 2.0 * 1.645 * at_end.hypot(0.7);
    assert!((noisy / expected - 1.0).abs() < 0.3, "{noisy} {expected}");
}

/// Where data say nothing, draws are those of the prior: flat in natural values between bounds, whatever the scale.
#[test]
fn without_information_priors_come_back() {
    let study = line(
        r#"p = { value = 1.0, bounds = [0.5, 4.0], scale = "log", fit = true }
        q = { value = 0.4, bounds = [0.1, 2.0], scale = "logit", fit = true, prior = { distribution = "uniform", low = 0.2, high = 1.0 } }
        r = { value = 1.0, scale = "log10", fit = true, prior = { distribution = "log-normal", location = 0.3, scale = 0.5 } }
        s = { value = 1.0, bounds = [-2.0, inf], fit = true, prior = { distribution = "normal", location = 1.0, scale = 0.5 } }
        u = { value = 0.1, bounds = [0.0, 1.0], fit = true }
        w = { value = 1.0, scale = "log10", fit = true, prior = { distribution = "normal", location = 0.1, scale = 0.1, scaled = true } }"#,
        1e6,
    );
    let posterior = drawn(&study, 1000, 3);
    // of exp(m + s z): mean exp(m + s^2 / 2), deviation mean sqrt(exp(s^2) - 1)
    let log_normal = |m: f64, s: f64| {
        let mean = (m + 0.5 * s * s).exp();
        (mean, mean * ((s * s).exp() - 1.0).sqrt())
    };
    let flat = |low: f64, high: f64| (0.5 * (low + high), (high - low) / 12.0_f64.sqrt());
    for (k, (mean, sd)) in [
        flat(0.5, 4.0),
        flat(0.2, 1.0),
        log_normal(0.3, 0.5),
        (1.0, 0.5),
        flat(0.0, 1.0),
        // log10 w is normal: ln w has mean and deviation 0.1 ln 10
        log_normal(0.1 * std::f64::consts::LN_10, 0.1 * std::f64::consts::LN_10),
    ]
    .into_iter()
    .enumerate()
    {
        near(&posterior, k, mean, sd);
    }
    assert!(posterior.improper.is_empty());
    assert!(
        posterior
            .chains_of(1)
            .concat()
            .iter()
            .all(|q| (0.2..=1.0).contains(q))
    );
}

/// The reference posterior of posteriordb, from 10,000 draws of another program.
#[test]
fn lynx_and_hare_are_those_of_stan() {
    let folder = Path::new(ROOT).join("tests/data/posterior");
    let text = fs::read_to_string(folder.join("reference.json")).expect("a file");
    let reference: Value = serde_json::from_str(&text).expect("JSON");
    let (study, findings) = Study::load(&folder.join("scenario.toml"), &[], Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:?}"));
    let stop = AtomicBool::new(false);
    let best = fit(&study, &stop, &|_| ()).expect("a fit");
    let settings = SampleSettings {
        draws: 300,
        warmup: 200,
        ..SampleSettings::default()
    };
    let posterior = sample(&study, &best.parameters, &settings, &stop, &|_| ()).expect("draws");
    let theirs = reference["draws"].as_f64().expect("a number");
    for (i, (name, s)) in posterior.names.iter().zip(&posterior.summaries).enumerate() {
        let of = |key: &str| {
            reference["parameters"][name][key]
                .as_f64()
                .expect("a number")
        };
        let (mean, sd) = (of("mean"), of("sd"));
        let error = s.mean_error.hypot(sd / theirs.sqrt());
        assert!((s.mean - mean).abs() < 5.0 * error, "{name}: {s:?}, {mean}");
        let error = deviation_error(&posterior, i).hypot(sd / (2.0 * theirs).sqrt());
        assert!(
            (s.deviation - sd).abs() < 5.0 * error,
            "{name}: {s:?}, {sd}"
        );
        // the standard error of a 5 % quantile is about 2.1 sd / sqrt(N) of a normal distribution
        for (found, key) in [(s.low, "q05"), (s.high, "q95")] {
            let error = 2.1 * sd * (1.0 / s.convergence.tail + 1.0 / theirs).sqrt();
            assert!(
                (found - of(key)).abs() < 5.0 * error,
                "{name}, {key}: {s:?}"
            );
        }
        assert!(s.convergence.r_hat < 1.03, "{name}: {s:?}");
    }
    assert!(
        posterior.divergences.len() < 5,
        "{}",
        posterior.divergences.len()
    );
}

/// x' = x^2 from p has no solution up to t = 1 where p >= 1, and nothing else keeps p from there.
#[test]
fn solves_that_fail_are_divergences_with_their_reason() {
    let study = line(
        "p = { value = 0.5, bounds = [0.0, 3.0], fit = true }\nq = 0.0",
        1e6,
    );
    let text = study
        .scenario
        .source
        .text
        .replace(r#"x = "q""#, r#"x = "x^2""#)
        .replace("end = 3.0", "end = 1.0");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("data.csv"), "t,y\n0,1\n1,3\n").expect("a file");
    let (study, findings) = Study::from_text(&text, folder.path(), Backend::Auto);
    let study = study.unwrap_or_else(|| panic!("{findings:?}"));
    let posterior = drawn(&study, 300, 2);
    assert!(posterior.chains_of(0).concat().iter().all(|p| *p < 1.0));
    assert!(!posterior.divergences.is_empty());
    let reasons = posterior.reasons();
    assert!(
        reasons.iter().any(|(reason, _)| reason.contains("t = …")),
        "{reasons:?}"
    );
    // they are where p is large
    let regions = posterior.regions();
    assert!(!regions[0].below && regions[0].share > 0.4, "{regions:?}");
}

#[test]
fn bits_depend_on_the_seed_alone() {
    let study = line(
        "p = { value = 1.0, fit = true }\nq = { value = 1.0, fit = true }",
        0.7,
    );
    let with = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads")
            .install(|| drawn(&study, 50, seed))
            .draws
    };
    assert_eq!(with(1, 7), with(3, 7));
    assert_ne!(with(1, 7), with(1, 8));
}

#[test]
fn a_raised_flag_ends_it_before_the_first_draw() {
    let study = line("p = { value = 1.0, fit = true }\nq = 1.0", 0.7);
    let settings = SampleSettings::default();
    let stop = AtomicBool::new(true);
    let result = sample(&study, &study.values(), &settings, &stop, &|_| ());
    assert_eq!(result.err(), Some(costate::study::StudyError::Interrupted));
}
