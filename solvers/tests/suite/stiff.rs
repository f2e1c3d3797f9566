//! Stiff problems and differential-algebraic ones by every method that can take them, against references by programs
//! that share nothing with this crate (see the data files).

use costate_solvers::{
    AutoSwitch, Bdf, Integrator, KenCarp4, Kvaerno3, Kvaerno4, Kvaerno5, Method, Ndf, NoRecord,
    Options, Radau5, Rodas3, Rodas4, Rodas5P, Samples, SolveError, TrBdf2,
};

use crate::problems::{Problem, largest, reference, robertson, stiff_van_der_pol, tolerance};
use crate::stiff_problems::{
    Model, Reference, RoberDae, algebraic_references, stiff, stiff_references,
};

/// Largest error at the reference points, relative to |x| + floor; the points are stop times or samples.
fn achieved<M: Method<f64, Problem>>(reference: &Reference, rtol: f64, stops: bool) -> f64 {
    let Reference {
        name,
        problem,
        start,
        rows,
        floor,
    } = reference;
    let mut problem = problem.clone();
    let mut x = start.clone();
    let mut times = vec![0.0];
    times.extend(rows.iter().map(|(t, _)| *t));
    let mut samples = Samples::new(times[1..].to_vec()).expect("samples");
    if !stops {
        times.drain(1..rows.len());
    }
    let options = tolerance(rtol, rtol * floor);
    Integrator::<f64, M>::new(&problem)
        .run(&mut problem, &mut x, &times, &options, &mut samples)
        .unwrap_or_else(|e| panic!("{name} by {} at {rtol:e}: {e}", method::<M>()));
    let mut worst = 0.0f64;
    for (k, (_, exact)) in rows.iter().enumerate() {
        for (x, exact) in samples.state(k).iter().zip(exact) {
            let error = (x - exact).abs() / (exact.abs() + floor);
            assert!(error.is_finite());
            worst = worst.max(error);
        }
    }
    worst
}

fn method<M>() -> &'static str {
    std::any::type_name::<M>()
}

/// Errors below 100 tolerances from 1e-4 to `strictest`.
fn reaches<M: Method<f64, Problem>>(reference: &Reference, strictest: f64, stops: bool) {
    for rtol in [1e-4, 1e-7, 1e-10] {
        if rtol < strictest {
            continue;
        }
        let error = achieved::<M>(reference, rtol, stops);
        assert!(
            error < 100.0 * rtol,
            "{} by {} at {rtol:e}: {} tol",
            reference.name,
            method::<M>(),
            error / rtol
        );
    }
}

/// Tests of the methods named, at the reference points as `stops`, or as `samples` too.
macro_rules! stiff {
    ($references:expr; $($test:ident $method:ident $strictest:literal $($how:ident)*),* $(,)?) => {
        $(#[test]
        fn $test() {
            for reference in $references {
                $(reaches::<$method<f64>>(&reference, $strictest, stringify!($how) == "stops");)*
            }
        })*
    };
}

mod ordinary {
    use super::*;
    stiff!(stiff_references();
        rodas3 Rodas3 1e-8 stops samples,
        rodas4 Rodas4 1e-10 stops samples,
        rodas5p Rodas5P 1e-10 stops samples,
        tr_bdf2 TrBdf2 1e-8 stops samples,
        kvaerno3 Kvaerno3 1e-8 stops samples,
        kvaerno4 Kvaerno4 1e-10 stops samples,
        kvaerno5 Kvaerno5 1e-10 stops samples,
        kencarp4 KenCarp4 1e-10 stops samples,
        radau5 Radau5 1e-10 stops samples,
        bdf Bdf 1e-10 stops samples,
        ndf Ndf 1e-10 stops samples,
        auto AutoSwitch 1e-10 stops samples,
    );
}

mod algebraic {
    use super::*;
    stiff!(algebraic_references();
        rodas3 Rodas3 1e-8 stops samples,
        rodas4 Rodas4 1e-10 stops samples,
        rodas5p Rodas5P 1e-10 stops samples,
        radau5 Radau5 1e-10 stops samples,
    );

    /// x_3 = 1 - x_1 - x_2 of Robertson's reaction is known to 1e-16 only: no tolerance may ask for more of a method
    /// that takes its error from differences of past states.
    fn by_differences() -> Vec<Reference> {
        let mut references = algebraic_references();
        references[0].floor = 1e-4;
        references
    }

    stiff!(by_differences();
        bdf Bdf 1e-10 stops samples,
        ndf Ndf 1e-10 stops samples,
    );
}

/// The others refuse a mass matrix.
#[test]
fn mass_matrices_are_refused() {
    fn refuses<M: Method<f64, Problem>>() {
        let mut problem = stiff::<RoberDae>();
        let mut x = RoberDae::START.to_vec();
        let result = Integrator::<f64, M>::new(&problem).run(
            &mut problem,
            &mut x,
            &[0.0, 1.0],
            &Options::default(),
            &mut NoRecord,
        );
        assert!(matches!(result, Err(SolveError::Invalid { .. })));
    }
    refuses::<TrBdf2<f64>>();
    refuses::<Kvaerno3<f64>>();
    refuses::<Kvaerno4<f64>>();
    refuses::<Kvaerno5<f64>>();
    refuses::<KenCarp4<f64>>();
    refuses::<AutoSwitch<f64>>();
}

/// Rodas3 is exact on x' = -x^2, and its published estimate is 0 there: steps must still be short enough to look inside.
#[test]
fn rodas3_can_be_read_inside_steps_on_second_order_kinetics() {
    for tol in [1e-3, 1e-5, 1e-7] {
        let mut problem = Problem::new(
            1,
            |_, x, dx| dx[0] = -x[0] * x[0],
            |_, x, j| j[0] = -2.0 * x[0],
            |_, _, _| {},
        );
        let times = (0..=60).map(|k| 10f64.powf(f64::from(k) / 15.0)).collect();
        let mut samples = Samples::new(times).expect("samples");
        Integrator::<f64, Rodas3<f64>>::new(&problem)
            .run(
                &mut problem,
                &mut [1.0],
                &[0.0, 1e4],
                &tolerance(tol, 1e-3 * tol),
                &mut samples,
            )
            .expect("a solve");
        for (k, t) in samples.times().iter().enumerate() {
            let error = samples.state(k)[0] * (1.0 + t) - 1.0;
            assert!(error.abs() < 10.0 * tol, "{error:e} at {t}, {tol:e}");
        }
    }
}

/// The smallest state relative to itself, and the sum of all.
#[test]
fn robertson_over_eleven_decades() {
    let rows = reference(include_str!("../data/rober.txt"));
    let times: Vec<f64> = rows.iter().map(|(t, _)| *t).collect();
    let mut samples = Samples::new(times).expect("samples");
    let mut problem = robertson();
    let mut x = [1.0, 0.0, 0.0];
    Integrator::<f64, Rodas5P<f64>>::new(&problem)
        .run(
            &mut problem,
            &mut x,
            &[0.0, 1e11],
            &tolerance(1e-9, 1e-16),
            &mut samples,
        )
        .expect("a solve");
    for (k, (t, exact)) in rows.iter().enumerate() {
        let error = largest((0..3).map(|i| (samples.state(k)[i] - exact[i]) / exact[i]));
        assert!(error < 1e-6, "{error:e} at {t:e}");
    }
    assert!((x.iter().sum::<f64>() - 1.0).abs() < 1e-12);
}

/// In the oscillator's own time, each state relative to itself.
#[test]
fn stiff_van_der_pol_through_its_jumps() {
    let rows = reference(include_str!("../data/vdpol.txt"));
    let mut samples = Samples::new(rows.iter().map(|(t, _)| *t).collect()).expect("samples");
    let mut problem = stiff_van_der_pol();
    let mut x = [2.0, 0.0];
    Integrator::<f64, Rodas5P<f64>>::new(&problem)
        .run(
            &mut problem,
            &mut x,
            &[0.0, 2000.0],
            &tolerance(1e-9, 1e-9),
            &mut samples,
        )
        .expect("a solve");
    for (k, (t, exact)) in rows.iter().enumerate() {
        let error = largest((0..2).map(|i| (samples.state(k)[i] - exact[i]) / exact[i]));
        assert!(error < 1e-6, "{error:e} at {t}");
    }
}
