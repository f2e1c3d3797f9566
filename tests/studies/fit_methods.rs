//! Where fits start, and what searches from there: candidates, points of the user, methods without derivatives, a population.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use costate::compile::Backend;
use costate::scenario::FitAlgorithm;
use costate::study::{Fit, Study, compare_derivative_free, fit};
use rayon::ThreadPoolBuilder;

/// An oscillator of frequency 3 and amplitude 2, its readings moved by a fixed pattern of 0.1 that stands for noise: least squares
/// have a minimum beside every frequency that loses or gains a turn, and one that is best (below 10, beyond which readings every 0.3
/// cannot tell frequencies apart).
fn oscillator(folder: &Path, settings: &str) -> Study {
    let mut data = "t,x\n".to_owned();
    for k in 1..=30 {
        let t = 0.3 * f64::from(k);
        let x = 2.0 * (3.0 * t).cos() + 0.1 * (7.3 * f64::from(k)).sin();
        writeln!(data, "{t},{x}").expect("written");
    }
    fs::write(folder.join("d.csv"), data).expect("written");
    let text = format!(
        r#"
[scenario]
time = {{ start = 0.0, end = 9.0 }}
[parameters]
amplitude = {{ value = 1.0, bounds = [0.1, 10.0], scale = "log10", fit = true }}
frequency = {{ value = 9.0, bounds = [0.3, 10.0], scale = "log10", fit = true }}
[states]
x = "amplitude"
v = 0.0
[equations]
x = "v"
v = "-frequency^2*x"
[observables]
x = {{ expression = "x", noise = {{ sigma = 0.1 }} }}
[data]
file = "d.csv"
time = "t"
[solver]
method = "tsit5"
rtol = 1e-7
atol = 1e-8
[fit]
{settings}
"#
    );
    let (study, findings) = Study::from_text(&text, folder, Backend::Auto);
    study.unwrap_or_else(|| panic!("{findings:?}"))
}

fn run(settings: &str) -> Fit {
    let folder = tempfile::tempdir().expect("a folder");
    let study = oscillator(folder.path(), settings);
    fit(&study, &AtomicBool::new(false), &|_| {}).expect("a fit")
}

fn at_best(fit: &Fit, best: f64) -> usize {
    let near = |value: f64| value - best < 1e-3;
    fit.starts
        .iter()
        .skip(1)
        .filter(|s| near(s.outcome.value))
        .count()
}

/// Every start's bits.
fn bits(fit: &Fit) -> Vec<(Vec<u64>, Vec<u64>, usize)> {
    let bits = |all: &[f64]| all.iter().map(|x| x.to_bits()).collect::<Vec<u64>>();
    let starts = fit.starts.iter();
    starts
        .map(|s| (bits(&s.start), bits(&s.end), s.outcome.evaluations))
        .collect()
}

#[test]
fn candidates_lead_more_starts_to_the_best_fit() {
    let alone = run("starts = 9\ncandidates = 1");
    let taken = run("starts = 9\ncandidates = 8");
    assert!((taken.best[1] - 3.0).abs() < 0.01, "{:?}", taken.best);
    let (before, after) = (
        at_best(&alone, taken.objective),
        at_best(&taken, taken.objective),
    );
    println!("{before} of 8 drawn starts, {after} with candidates");
    assert_eq!((alone.candidates, taken.candidates), (0, 64));
    assert!(taken.candidate_evaluations > 64);
    assert!(after >= 6 && after > before);
    // The first is the file's values.
    assert_eq!(taken.starts[0].start, [1.0, 9.0]);
    // At a tolerance of 1e-3 steps are (1e-3 / 1e-7)^(1/5) = 6.3 times fewer, for which there are three candidates more.
    assert_eq!(run("starts = 3").candidates, 2 * 4);
    assert_eq!(run("starts = 3\nalgorithm = \"adam\"").candidates, 0);
}

#[test]
fn starts_and_populations_have_the_same_bits_on_any_threads() {
    for settings in [
        "starts = 4\nsampling = \"sobol\"\ncandidates = 4",
        "starts = 3\nalgorithm = \"cma-es\"",
        "global = \"scatter-search\"\nmax_evaluations = 400",
    ] {
        let on = |threads| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build();
            bits(&pool.expect("threads").install(|| run(settings)))
        };
        assert_eq!(on(1), on(2), "{settings}");
    }
}

#[test]
fn a_population_finds_what_a_start_does_not() {
    let alone = run("starts = 1");
    let found = run("global = \"scatter-search\"\nmax_evaluations = 1000");
    println!(
        "{} alone, {} by {} searches",
        alone.objective,
        found.objective,
        found.starts.len()
    );
    assert!(alone.objective > found.objective + 10.0);
    assert!((found.best[1] - 3.0).abs() < 0.01 && found.converged);
    let local: usize = found.starts.iter().map(|s| s.outcome.evaluations).sum();
    assert!(found.population > 0 && found.population + local < 1300);
}

#[test]
fn the_users_points_come_after_the_files_values() {
    let folder = tempfile::tempdir().expect("a folder");
    let points = "frequency,amplitude\n2.9,1.5\n7,\n";
    fs::write(folder.path().join("points.csv"), points).expect("written");
    let settings = "start_points = \"points.csv\"";
    let study = oscillator(folder.path(), settings);
    let result = fit(&study, &AtomicBool::new(false), &|_| {}).expect("a fit");
    // three of them, though one start is asked for; an empty cell is the file's value
    let starts: Vec<&[f64]> = result.starts.iter().map(|s| &s.start[..]).collect();
    for (start, expected) in starts.iter().zip([[1.0, 9.0], [1.5, 2.9], [1.0, 7.0]]) {
        // through the search scale and back
        let close = start
            .iter()
            .zip(expected)
            .all(|(a, b)| (a / b - 1.0).abs() < 1e-12);
        assert!(close, "{start:?}");
    }
    assert_eq!((starts.len(), result.best_start), (3, 1));
}

/// Near the best fit all methods find it, with geodesic acceleration, too.
#[test]
fn methods_with_and_without_derivatives_agree() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("near.csv"), "frequency\n2.8\n").expect("written");
    let run = |settings: &str| {
        let settings = format!("start_points = \"near.csv\"\n{settings}");
        let study = oscillator(folder.path(), &settings);
        fit(&study, &AtomicBool::new(false), &|_| {}).expect("a fit")
    };
    let best = run("");
    for settings in [
        "geodesic_acceleration = true",
        "algorithm = \"nelder-mead\"",
        "algorithm = \"cma-es\"",
    ] {
        let other = run(settings);
        let outcome = &other.starts[other.best_start].outcome;
        println!("{settings}: {} {:?}", outcome.evaluations, outcome.status);
        assert!(
            (other.objective - best.objective).abs() < 1e-8,
            "{settings}"
        );
        assert!(other.converged, "{settings}");
        for (a, b) in other.best.iter().zip(&best.best) {
            assert!((a / b - 1.0).abs() < 1e-6, "{settings}");
        }
    }
    // What derivatives are worth, from the same starts.
    let study = oscillator(folder.path(), "start_points = \"near.csv\"");
    let stop = AtomicBool::new(false);
    let efforts = compare_derivative_free(&study, &best, 0.01, &stop, &|_, _| {}).expect("efforts");
    let of = |n, algorithm| {
        let found = efforts
            .iter()
            .find(|e| e.parameters == n && e.algorithm == algorithm);
        found.expect("compared").runs[1]
    };
    assert_eq!(efforts.len(), 6);
    for n in [1, 2] {
        let counts = [
            FitAlgorithm::LevenbergMarquardt,
            FitAlgorithm::NelderMead,
            FitAlgorithm::CmaEs,
        ]
        .map(|algorithm| of(n, algorithm).evaluations.unwrap_or(usize::MAX));
        println!("{n}: {counts:?}");
        assert!(counts[0] < counts[1] && counts[1] < usize::MAX);
    }
    // The amplitude alone, the frequency held at its best: a quadratic but for the search scale.
    assert!(of(1, FitAlgorithm::LevenbergMarquardt).evaluations <= Some(8));
    assert!(of(1, FitAlgorithm::LevenbergMarquardt).lowest <= best.objective + 0.01);
}
