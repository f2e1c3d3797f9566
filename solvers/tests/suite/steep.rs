//! Rosenbrock methods where df/dt is infinite: f grows as the cube root of t on both sides of a stop time.

use costate_solvers::{Integrator, Mesh, Method, Rodas3, Rodas4, Rodas5P, Samples, SolveError};

use crate::problems::{Problem, tolerance};

/// The slow state x' = 4/3 cbrt(t) x has the solution exp(|t|^(4/3)), the stiff one is drawn to the same curve, at `RATE`.
fn cube_root<const RATE: i32>() -> Problem {
    Problem::new(
        2,
        |t, x, dx| {
            let slope = 4.0 / 3.0 * t.cbrt();
            dx[0] = slope * x[0];
            dx[1] = f64::from(RATE) * (x[0] - x[1]) + slope * x[0];
        },
        |t, _, j| {
            let slope = 4.0 / 3.0 * t.cbrt();
            let rate = f64::from(RATE);
            j.copy_from_slice(&[slope, rate + slope, 0.0, -rate]);
        },
        |t, x, ft| {
            // infinite at 0
            let steep = 4.0 / 9.0 * t.cbrt().powi(-2);
            ft.copy_from_slice(&[steep * x[0], steep * x[0]]);
        },
    )
}

fn exact(t: f64) -> f64 {
    t.abs().powf(4.0 / 3.0).exp()
}

/// The error stays below some tolerances, at the ends of steps and inside, and the one step from 0 is marked.
fn follows<M: Method<f64, Problem>>(strictest: i32) {
    for digits in 3..=strictest {
        let tol = 10f64.powi(-digits);
        let forward = (cube_root::<10_000>(), [-1.0, 0.0, 1.5]);
        let backward = (cube_root::<-10_000>(), [1.5, 0.0, -1.0]);
        for (mut problem, times) in [forward, backward] {
            let mut x = [exact(times[0]); 2];
            let mut at: Vec<f64> = (0..=50).map(|k| -1.0 + 0.05 * f64::from(k)).collect();
            if times[0] > 0.0 {
                at.reverse();
            }
            let mut recorder = (Mesh::default(), Samples::new(at.clone()).expect("samples"));
            Integrator::<f64, M>::new(&problem)
                .run(
                    &mut problem,
                    &mut x,
                    &times,
                    &tolerance(tol, tol),
                    &mut recorder,
                )
                .expect("a solve");
            let (mesh, samples) = recorder;
            for (k, &t) in at.iter().enumerate() {
                for x in samples.state(k) {
                    let error = (x - exact(t)).abs() / exact(t);
                    assert!(error < 50.0 * tol, "{:e} tol at {t}, {tol:e}", error / tol);
                }
            }
            // the first of the stretch from 0 on
            let bridged: Vec<_> = mesh.steps.iter().filter(|s| s.mode != 0).collect();
            assert_eq!(bridged.len(), 1);
            assert!(bridged[0].restarted);
            assert_eq!(bridged[0].stretch, 0.5 * times[2]);
            // a replay makes the same steps
            let mut y = [exact(times[0]); 2];
            Integrator::<f64, M>::new(&problem)
                .replay(
                    &mut problem,
                    &mut y,
                    &times,
                    &mesh,
                    &tolerance(tol, tol),
                    &mut costate_solvers::NoRecord,
                )
                .expect("a replay");
            assert_eq!(x, y);
        }
    }
}

#[test]
fn an_infinite_slope_in_time_is_stepped_from() {
    follows::<Rodas3<f64>>(8);
    follows::<Rodas4<f64>>(10);
    follows::<Rodas5P<f64>>(10);
}

/// Where f is infinite itself there is nothing to take in its place.
#[test]
fn an_infinite_f_is_still_reported() {
    let mut problem = Problem::new(
        1,
        |t, _, dx| dx[0] = 1.0 / t.cbrt(),
        |_, _, _| {},
        |t, _, ft| ft[0] = -1.0 / (3.0 * t * t.cbrt()),
    );
    let result = Integrator::<f64, Rodas4<f64>>::new(&problem).run(
        &mut problem,
        &mut [0.0],
        &[0.0, 1.0],
        &tolerance(1e-6, 1e-6),
        &mut costate_solvers::NoRecord,
    );
    assert!(matches!(
        result,
        Err(SolveError::NotFinite { state: 0, .. })
    ));
}
