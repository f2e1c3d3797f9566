//! Problems with known minima: More, Garbow & Hillstrom, Testing unconstrained optimization software, ACM Trans. Math.
//! Softw. 7, 1981, with and without bounds, and how the methods behave beside them.

mod behavior;
mod bounded;
mod geodesic;
mod problems;

use costate::optimize::{
    Outcome, Progress, Settings, Status, adam, gradient_descent, lbfgsb, levenberg_marquardt,
    newton_cg,
};
use problems::{CLASSICS, Fit, rosenbrock};

fn silent(_: &Progress, _: &[f64]) -> bool {
    true
}

fn run(method: &str, fit: &mut Fit, start: &[f64], settings: &Settings) -> Outcome {
    match method {
        "lm" => levenberg_marquardt(fit, start, settings, &mut silent),
        "lbfgsb" => lbfgsb(fit, start, settings, &mut silent),
        "newton-cg" => newton_cg(fit, start, settings, &mut silent),
        "gradient descent" => gradient_descent(fit, start, settings, &mut silent),
        _ => adam(fit, start, settings, &mut silent),
    }
}

#[test]
fn classics_reach_their_published_minima() {
    for method in ["lm", "lbfgsb", "newton-cg"] {
        for (name, residuals, start, minima) in CLASSICS {
            // Scales 1e10 apart need a method that scales its variables.
            if method != "lm" && name == "Powell badly scaled" {
                continue;
            }
            let mut fit = Fit::new(residuals, start.len());
            let settings = Settings {
                max_iterations: 2000,
                ..Settings::default()
            };
            let o = run(method, &mut fit, start, &settings);
            println!(
                "{method:7}{name:24}{:5}{:6} {:12.5e} {:10.2e} {:?}",
                o.iterations,
                o.evaluations,
                2.0 * o.value,
                o.projected_gradient_norm,
                o.status
            );
            // Published to six digits or more; a zero residual ends where the gradient is below its tolerance.
            assert!(
                minima
                    .iter()
                    .any(|m| (2.0 * o.value - m).abs() <= 1e-9 * m.max(0.1)),
                "{method} {name}: {} at {:?}",
                o.value,
                o.theta
            );
            assert!(o.is_finished(), "{method} {name}: {:?}", o.status);
        }
    }
}

#[test]
fn rosenbrock_in_many_dimensions() {
    for dim in [2, 5, 10, 30, 100] {
        let start: Vec<f64> = (0..dim)
            .map(|i| if i % 2 == 0 { -1.2 } else { 1.0 })
            .collect();
        for method in ["lm", "lbfgsb", "newton-cg"] {
            // Dense factors of 100 variables take seconds without optimization.
            if method == "lm" && dim > 30 {
                continue;
            }
            let mut fit = Fit::new(rosenbrock, dim);
            let settings = Settings {
                max_iterations: 1000,
                ..Settings::default()
            };
            let o = run(method, &mut fit, &start, &settings);
            println!(
                "{method} {dim}: {} {} {}",
                o.iterations, o.evaluations, o.value
            );
            assert_eq!(o.status, Status::Converged, "{method} {dim}");
            // From four variables on there is another minimum, near (-1, 1, ..., 1) and of this value times two (Kok &
            // Sandrock, Evol. Comput. 17 (2009) 437-453, doi 10.1162/evco.2009.17.3.437): a step that is no gradient's may find it.
            if dim >= 4 && (2.0 * o.value - 3.986_62).abs() < 1e-5 && o.theta[0] < -0.99 {
                continue;
            }
            // The Hessian at the minimum has eigenvalues above 0.4 in any dimension.
            let worst = o.theta.iter().map(|x| (x - 1.0).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-7, "{method} {dim}: {:?}", o.theta);
        }
    }
}

/// Gauss-Newton alone contracts Brown and Dennis by a constant factor; the corrected model must beat any.
#[test]
fn large_residuals_converge_superlinearly() {
    let (_, residuals, start, _) = CLASSICS[11];
    let o = run(
        "lm",
        &mut Fit::new(residuals, 4),
        start,
        &Settings::default(),
    );
    let norms: Vec<f64> = o
        .history
        .iter()
        .rev()
        .take(4)
        .map(|p| p.gradient_norm)
        .collect();
    let ratios: Vec<f64> = norms.windows(2).map(|w| w[0] / w[1]).collect();
    println!("{ratios:?}");
    assert!(o.projected_gradient_norm <= 1e-8);
    assert!(ratios[0] < 0.05, "last contractions {ratios:?}");
    assert!(o.iterations <= 40);
}

/// The distance of the last iterates to a zero-residual minimum is squared by each step.
#[test]
fn zero_residuals_converge_quadratically() {
    let (_, residuals, start, _) = CLASSICS[4];
    let mut path: Vec<Vec<f64>> = Vec::new();
    levenberg_marquardt(
        &mut Fit::new(residuals, 2),
        start,
        &Settings::default(),
        &mut |_, theta| {
            path.push(theta.to_vec());
            true
        },
    );
    let error = |x: &Vec<f64>| (x[0] - 3.0).hypot(x[1] - 0.5);
    let errors: Vec<f64> = path
        .iter()
        .map(error)
        .filter(|e| (1e-7..1e-1).contains(e))
        .collect();
    println!("{errors:?}");
    assert!(errors.len() >= 2);
    for w in errors.windows(2) {
        assert!(w[1] <= 20.0 * w[0] * w[0], "{errors:?}");
    }
}

#[test]
fn slow_methods_reach_easy_minima() {
    for (method, iterations) in [("gradient descent", 2000), ("adam", 20_000)] {
        for (name, index) in [("Rosenbrock", 0), ("Beale", 4), ("Bard", 7)] {
            let (_, residuals, start, minima) = CLASSICS[index];
            let settings = Settings {
                max_iterations: iterations,
                max_evaluations: 4 * iterations,
                gradient_tolerance: 1e-6,
                learning_rate: 0.02,
                ..Settings::default()
            };
            let o = run(
                method,
                &mut Fit::new(residuals, start.len()),
                start,
                &settings,
            );
            println!(
                "{method} {name}: {} {} {:e} {:?}",
                o.iterations, o.evaluations, o.projected_gradient_norm, o.status
            );
            assert!(
                (2.0 * o.value - minima[0]).abs() <= 1e-6,
                "{method} {name}: {}",
                o.value
            );
        }
    }
}
