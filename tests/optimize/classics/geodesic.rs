//! Levenberg-Marquardt along geodesics (Transtrum & Sethna, Improvements to the Levenberg-Marquardt algorithm for nonlinear
//! least-squares minimization, arXiv 1201.5885): the same minima, in fewer steps where the way is a curved valley.

use costate::optimize::{Outcome, Settings};

use super::problems::{CLASSICS, Fit, rosenbrock};
use super::{run, silent};

fn settings(geodesic: bool) -> Settings {
    Settings {
        max_iterations: 2000,
        geodesic_acceleration: geodesic,
        ..Settings::default()
    }
}

#[test]
fn classics_have_the_same_minima() {
    let mut steps = [0, 0];
    for (name, residuals, start, minima) in CLASSICS {
        let both: [Outcome; 2] = [false, true].map(|geodesic| {
            let mut fit = Fit::new(residuals, start.len());
            run("lm", &mut fit, start, &settings(geodesic))
        });
        for (o, steps) in both.iter().zip(&mut steps) {
            *steps += o.iterations;
            print!(
                "{name:24}{:5}{:6} {:12.5e}   ",
                o.iterations,
                o.evaluations,
                2.0 * o.value
            );
            assert!(
                minima
                    .iter()
                    .any(|m| (2.0 * o.value - m).abs() <= 1e-9 * m.max(0.1)),
                "{name}: {} at {:?}",
                o.value,
                o.theta
            );
            assert!(o.is_finished(), "{name}: {:?}", o.status);
        }
        println!();
    }
    println!("steps {steps:?}");
    assert!(steps[1] < steps[0]);
}

/// Down Rosenbrock's valley a straight step is short or leaves it; the second order bends along.
#[test]
fn a_curved_valley_takes_fewer_steps() {
    for sharpness in [1.0, 10.0] {
        let start = [-1.2, 1.0];
        let both = [false, true].map(|geodesic| {
            let mut fit = Fit::new(rosenbrock, 2);
            let settings = Settings {
                initial_radius: Some(0.3 / sharpness),
                ..settings(geodesic)
            };
            super::levenberg_marquardt(&mut fit, &start, &settings, &mut silent)
        });
        let [plain, bent] = both.map(|o| (o.iterations, o.value));
        println!("{sharpness}: {plain:?} {bent:?}");
        assert!(bent.1 < 1e-20 && 4 * bent.0 < 3 * plain.0);
    }
}
