//! Failing regions, interrupts, limits, rank deficiency, many starts.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use costate::optimize::{
    EvaluationError, Outcome, Settings, StartResult, Status, adam, best, gradient_descent,
    latin_hypercube, lbfgsb, levenberg_marquardt, multi_start, newton_cg, ranked,
};

use super::problems::{
    Fit, beale, freudenstein_roth, kowalik_osborne, powell_singular, rosenbrock,
};
use super::{run, silent};

const METHODS: [&str; 5] = ["lm", "lbfgsb", "newton-cg", "gradient descent", "adam"];

#[test]
fn failing_regions_are_walked_around() {
    for method in METHODS {
        // No value left of the line x + y = -1.5 nor above y = 1.6: both next to the valley's path.
        let mut fit =
            Fit::new(rosenbrock, 2).failing(|x| x[0] + x[1] < -1.5 || x[1] > 1.6 || x[0] > 1.01);
        let settings = Settings {
            max_iterations: 20_000,
            max_evaluations: 40_000,
            gradient_tolerance: 1e-6,
            learning_rate: 0.05,
            ..Settings::default()
        };
        let o = run(method, &mut fit, &[-1.2, 1.0], &settings);
        println!(
            "{method}: {} {} {:?}",
            o.iterations, o.evaluations, o.status
        );
        assert!(
            (o.theta[0] - 1.0).abs() < 1e-4,
            "{method}: {:?} {:?}",
            o.theta,
            o.status
        );
    }
}

#[test]
fn a_start_without_a_value_fails_in_words() {
    for method in METHODS {
        let mut fit = Fit::new(rosenbrock, 2).failing(|_| true);
        let o = run(method, &mut fit, &[-1.2, 1.0], &Settings::default());
        assert_eq!(
            o.status,
            Status::Failed {
                reason: "outside the domain".into()
            }
        );
        assert!(o.value.is_nan() && o.theta == [-1.2, 1.0]);
        for start in [vec![1.0], vec![f64::NAN, 1.0]] {
            let o = run(
                method,
                &mut Fit::new(rosenbrock, 2),
                &start,
                &Settings::default(),
            );
            assert!(matches!(o.status, Status::Failed { .. }), "{method}");
        }
        let mut empty = Fit::new(rosenbrock, 2).within(&[1.0, 1.0], &[0.0, 2.0]);
        let o = run(method, &mut empty, &[0.5, 1.0], &Settings::default());
        assert!(matches!(o.status, Status::Failed { .. }), "{method}");
    }
}

#[test]
fn an_interrupt_keeps_the_best_point() {
    for method in METHODS {
        let mut fit = Fit::new(rosenbrock, 2);
        let mut lowest = f64::INFINITY;
        let mut callback = |p: &costate::optimize::Progress, _: &[f64]| {
            lowest = lowest.min(p.value);
            p.iteration < 6
        };
        let (start, settings) = ([-1.2, 1.0], Settings::default());
        let o = match method {
            "lm" => levenberg_marquardt(&mut fit, &start, &settings, &mut callback),
            "lbfgsb" => lbfgsb(&mut fit, &start, &settings, &mut callback),
            "newton-cg" => newton_cg(&mut fit, &start, &settings, &mut callback),
            "adam" => adam(&mut fit, &start, &settings, &mut callback),
            _ => gradient_descent(&mut fit, &start, &settings, &mut callback),
        };
        assert_eq!(o.status, Status::Interrupted);
        assert_eq!(o.iterations, 6, "{method}");
        assert_eq!(o.history.len(), 7);
        assert_eq!(o.value, lowest, "{method}");
    }
}

#[test]
fn limits_end_a_run() {
    for method in METHODS {
        let few = Settings {
            max_iterations: 3,
            ..Settings::default()
        };
        let o = run(method, &mut Fit::new(rosenbrock, 2), &[-1.2, 1.0], &few);
        assert_eq!(
            (o.status, o.iterations),
            (Status::MaxIterations, 3),
            "{method}"
        );
        let few = Settings {
            max_evaluations: 5,
            ..Settings::default()
        };
        let o = run(method, &mut Fit::new(rosenbrock, 2), &[-1.2, 1.0], &few);
        assert_eq!(o.status, Status::MaxIterations, "{method}");
        // Gradient descent asks for a value and then its gradient.
        assert!(o.evaluations <= 6 && o.value < 12.1, "{method}");
    }
}

/// r = (a b - 6, a b - 6, c - 1): J has rank 2 everywhere, and a b = 6 is a curve of minima.
#[test]
fn a_rank_deficient_jacobian_still_gives_a_minimum() {
    let mut fit = Fit::new(
        |x| {
            let product = x[0] * x[1] - 6.0;
            (
                vec![product, product, x[2] - 1.0],
                vec![
                    vec![x[1], x[0], 0.0],
                    vec![x[1], x[0], 0.0],
                    vec![0.0, 0.0, 1.0],
                ],
            )
        },
        3,
    );
    let o = run("lm", &mut fit, &[1.0, 1.0, 5.0], &Settings::default());
    assert_eq!(o.status, Status::Converged);
    assert!(o.value < 1e-16 && o.iterations < 20);
    // The shortest steps from (1, 1) keep a = b.
    assert!((o.theta[0] - o.theta[1]).abs() < 1e-6);
    // A variable that no residual sees stays where it was, as does one more unknown than residuals.
    let mut under = Fit::new(|x| (vec![x[0] + x[1] - 3.0], vec![vec![1.0, 1.0, 0.0]]), 3);
    let o = run("lm", &mut under, &[1.0, 1.0, 5.0], &Settings::default());
    assert!((o.theta[0] - 1.5).abs() < 1e-12 && (o.theta[1] - 1.5).abs() < 1e-12);
    assert_eq!(o.theta[2], 5.0);
}

#[test]
fn a_singular_minimum_is_reached() {
    // The Jacobian has rank 2 at the minimum; Newton's method converges there by a factor 1/2 only.
    let tight = Settings {
        gradient_tolerance: 1e-14,
        ..Settings::default()
    };
    let o = run(
        "lm",
        &mut Fit::new(powell_singular, 4),
        &[3.0, -1.0, 0.0, 1.0],
        &tight,
    );
    assert_eq!(o.status, Status::Converged);
    assert!(o.theta.iter().all(|x| x.abs() < 1e-4));
}

fn freudenstein_run(
    threads: Option<usize>,
    interrupted: &AtomicBool,
    runs: &AtomicUsize,
) -> Vec<StartResult> {
    let (lower, upper) = ([-20.0, -10.0], [20.0, 10.0]);
    let starts = latin_hypercube(&[0.5, -2.0], &lower, &upper, 24, 42);
    multi_start(&starts, threads, interrupted, |index, start, _| {
        runs.fetch_add(1, Ordering::Relaxed);
        if index == 3 {
            return Err(EvaluationError::Failed {
                reason: "this one has no model".into(),
            });
        }
        let mut fit = Fit::new(freudenstein_roth, 2).within(&lower, &upper);
        Ok(levenberg_marquardt(
            &mut fit,
            start,
            &Settings::default(),
            &mut silent,
        ))
    })
}

#[test]
fn many_starts_find_the_global_minimum_the_same_on_any_number_of_threads() {
    let (go, runs) = (AtomicBool::new(false), AtomicUsize::new(0));
    let one = freudenstein_run(Some(1), &go, &runs);
    assert_eq!(one.len(), 24);
    for threads in [Some(2), Some(5), None] {
        assert_eq!(one, freudenstein_run(threads, &go, &runs));
    }
    for (i, result) in one.iter().enumerate() {
        assert_eq!(result.index, i);
    }
    assert!(one[3].outcome.is_err() && one[3].value().is_none());
    // The given start ends in the local minimum; the global one is (5, 4).
    assert!((one[0].value().expect("a value") - 24.492).abs() < 1e-3);
    let global = best(&one).expect("a value");
    let theta = &global.outcome.as_ref().expect("an outcome").theta;
    assert!((theta[0] - 5.0).abs() < 1e-6 && (theta[1] - 4.0).abs() < 1e-6);
    let order = ranked(&one);
    assert_eq!(order[23].index, 3);
    assert!(order.windows(2).all(|w| {
        let value = |r: &StartResult| r.value().unwrap_or(f64::INFINITY);
        value(w[0]) < value(w[1]) || value(w[0]) == value(w[1]) && w[0].index < w[1].index
    }));
}

#[test]
fn an_interrupted_multi_start_returns_every_start() {
    let interrupted = AtomicBool::new(false);
    let starts = vec![vec![1.0, 1.0]; 6];
    let results = multi_start(&starts, Some(1), &interrupted, |index, start, flag| {
        let mut fit = Fit::new(beale, 2);
        let outcome: Outcome = lbfgsb(&mut fit, start, &Settings::default(), &mut |p, _| {
            if index == 2 && p.iteration == 3 {
                flag.store(true, Ordering::Relaxed);
            }
            !flag.load(Ordering::Relaxed)
        });
        Ok(outcome)
    });
    assert_eq!(results.len(), 6);
    let statuses: Vec<Option<Status>> = results
        .iter()
        .map(|r| r.outcome.as_ref().ok().map(|o| o.status.clone()))
        .collect();
    assert_eq!(
        statuses[..2],
        [Some(Status::Converged), Some(Status::Converged)]
    );
    assert_eq!(statuses[2], Some(Status::Interrupted));
    assert_eq!(statuses[3..], [None, None, None]);
}

/// Kowalik and Osborne's residuals with a solver's noise of 1e-9 on top, which the Jacobian does not see.
fn noisy(x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let (mut r, j) = kowalik_osborne(x);
    for (i, r) in r.iter_mut().enumerate() {
        *r += 1e-9 * (1e9 * (x[0] + x[1] - 2.0 * x[3]) + 7.0 * i as f64).sin();
    }
    (r, j)
}

#[test]
fn noise_ends_a_run_near_the_minimum() {
    let start = [0.25, 0.39, 0.415, 0.39];
    let tight = Settings {
        gradient_tolerance: 1e-13,
        ..Settings::default()
    };
    let exact = run("lm", &mut Fit::new(kowalik_osborne, 4), &start, &tight);
    for method in ["lm", "lbfgsb", "newton-cg", "gradient descent"] {
        let o = run(method, &mut Fit::new(noisy, 4), &start, &tight);
        // The noise is worth about |r| 1e-9 = 1e-11 of value; that is all it may cost, in value or in patience.
        let lost = o.value - exact.value;
        assert!(lost.abs() <= 5e-11, "{method}: {lost:e}");
        assert!(o.evaluations <= if method == "lm" { 60 } else { 1500 });
    }
}

/// A likelihood's constant may put the minimum at zero or far from it; the parameters must not notice.
#[test]
fn a_constant_changes_nothing_but_the_value() {
    let start = [0.25, 0.39, 0.415, 0.39];
    let plain = run(
        "lm",
        &mut Fit::new(kowalik_osborne, 4),
        &start,
        &Settings::default(),
    );
    for method in ["lm", "lbfgsb", "newton-cg"] {
        for constant in [-plain.value, 1.0, -50.0] {
            let mut fit = Fit::new(kowalik_osborne, 4).above(constant);
            let o = run(method, &mut fit, &start, &Settings::default());
            assert!(o.is_finished(), "{method} {constant}: {:?}", o.status);
            assert!(
                (o.value - constant - plain.value).abs() < 1e-13,
                "{method} {constant}"
            );
            // Curvatures of 1e-3 turn the gradient's tolerance of 1e-8 into 1e-5.
            for (a, b) in o.theta.iter().zip(&plain.theta) {
                assert!(
                    (a - b).abs() < 2e-5,
                    "{method} {constant}: {:?} {:?}",
                    o.theta,
                    o.status
                );
            }
        }
    }
}
