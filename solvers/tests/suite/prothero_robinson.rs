//! A state that is slaved to a smooth course: x' = lambda (x - phi(t)) + phi'(t) with x = phi, lambda = -1e6.
//!
//! Classical orders say nothing here: it is what becomes of a step's stages and of its error estimate for h lambda -> infinity
//! that counts. An estimate that grows with lambda makes steps of 1 / lambda, one that vanishes too fast lets them grow past
//! what the dense output can follow.
//!
//! A. Prothero & A. Robinson, On the stability and accuracy of one-step methods for solving stiff systems of ordinary
//! differential equations, Math. Comp. 28 (1974) 145-162, doi 10.1090/S0025-5718-1974-0331793-2.

use costate_solvers::{
    AutoSwitch, Bdf, Integrator, KenCarp4, Kvaerno3, Kvaerno4, Kvaerno5, Method, Ndf, Radau5,
    Rodas3, Rodas4, Rodas5P, Samples, TrBdf2,
};

use crate::problems::{Problem, algebraic, tolerance};

const LAMBDA: f64 = -1e6;

/// phi, phi' and phi'': of size 1, with two frequencies.
fn course(t: f64) -> [f64; 3] {
    [
        t.cos() + 0.5 * (2.0 * t).sin(),
        -t.sin() + (2.0 * t).cos(),
        -t.cos() - 2.0 * (2.0 * t).sin(),
    ]
}

fn slaved() -> Problem {
    Problem::new(
        1,
        |t, x, dx| {
            let [phi, slope, _] = course(t);
            dx[0] = LAMBDA * (x[0] - phi) + slope;
        },
        |_, _, j| j[0] = LAMBDA,
        |t, _, ft| {
            let [_, slope, bend] = course(t);
            ft[0] = -LAMBDA * slope + bend;
        },
    )
}

/// The same for lambda -> infinity: 0 = phi - x.
fn algebraically() -> Problem {
    Problem::with_mass(
        algebraic(1, &[0]),
        |t, x, f| f[0] = course(t)[0] - x[0],
        |_, _, j| j[0] = -1.0,
        |t, _, ft| ft[0] = course(t)[1],
    )
}

/// Errors below 100 tolerances, at the ends of stretches and inside steps, and no more steps than a method of order 1 needs.
fn follows<M: Method<f64, Problem>>(problem: fn() -> Problem, inside: bool) {
    let name = std::any::type_name::<M>();
    for digits in 3..=9 {
        let tol = 10f64.powi(-digits);
        let mut problem = problem();
        let mut x = [course(0.0)[0]];
        let times = (1..=400).map(|k| 0.025 * f64::from(k)).collect();
        let mut samples = Samples::new(times).expect("samples");
        let statistics = Integrator::<f64, M>::new(&problem)
            .run(
                &mut problem,
                &mut x,
                &[0.0, 10.0],
                &tolerance(tol, tol),
                &mut samples,
            )
            .unwrap_or_else(|e| panic!("{name} at {tol:e}: {e}"));
        let mut worst = 0.0f64;
        let first = if inside { 0 } else { samples.len() - 1 };
        for (k, &t) in samples.times().iter().enumerate().skip(first) {
            let phi = course(t)[0];
            worst = worst.max((samples.state(k)[0] - phi).abs() / (1.0 + phi.abs()));
        }
        assert!(
            worst < 100.0 * tol,
            "{name} at {tol:e}: {} tol",
            worst / tol
        );
        // an interpolant of order 1 would do with steps of sqrt(8 tol / |phi''|)
        let most = 10.0 / (8.0 * tol / 3.0).sqrt();
        assert!(
            (statistics.steps as f64) < 60.0 + most,
            "{name} at {tol:e}: {statistics:?}"
        );
    }
}

/// Tests of the methods named, inside steps or at the end.
macro_rules! follow {
    ($($test:ident $method:ident $where:ident $($problem:ident)*),* $(,)?) => {
        $(#[test]
        fn $test() {
            $(follows::<$method<f64>>($problem, stringify!($where) == "inside");)*
        })*
    };
}

// TR-BDF2 and Kvaerno's methods have no test of their dense output: what is slaved comes out right at the ends of steps only,
// which are as large as what is not slaved allows.
follow!(
    rodas3 Rodas3 inside slaved algebraically,
    rodas4 Rodas4 inside slaved algebraically,
    rodas5p Rodas5P inside slaved algebraically,
    tr_bdf2 TrBdf2 end slaved,
    kvaerno3 Kvaerno3 end slaved,
    kvaerno4 Kvaerno4 end slaved,
    kvaerno5 Kvaerno5 end slaved,
    kencarp4 KenCarp4 inside slaved,
    radau5 Radau5 inside slaved algebraically,
    bdf Bdf inside slaved algebraically,
    ndf Ndf inside slaved algebraically,
    auto AutoSwitch inside slaved,
);
