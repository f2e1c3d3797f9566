//! Stiff and other references by programs that share nothing with this crate (see the data files).

use costate_solvers::{
    Dop853, Dopri5, Integrator, Method, Options, Rodas5P, Samples, SolveError, Tsit5, Vern7, Vern9,
};

use crate::problems::{
    Problem, largest, reference, robertson, stiff_van_der_pol, tolerance, van_der_pol,
};

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

#[test]
fn both_methods_solve_the_mild_oscillator() {
    let rows = reference(include_str!("../data/vdp_mu1.txt"));
    let times: Vec<f64> = rows.iter().map(|(t, _)| *t).collect();
    let mut problem = van_der_pol();
    let options = tolerance(1e-10, 1e-10);
    for stiff in [false, true] {
        let mut samples = Samples::new(times.clone()).expect("samples");
        let mut x = [2.0, 0.0];
        let span = [0.0, 20.0];
        if stiff {
            Integrator::<f64, Rodas5P<f64>>::new(&problem).run(
                &mut problem,
                &mut x,
                &span,
                &options,
                &mut samples,
            )
        } else {
            Integrator::<f64, Tsit5<f64>>::new(&problem).run(
                &mut problem,
                &mut x,
                &span,
                &options,
                &mut samples,
            )
        }
        .expect("a solve");
        for (k, (t, exact)) in rows.iter().enumerate() {
            let error = largest((0..2).map(|i| samples.state(k)[i] - exact[i]));
            assert!(error < 1e-8, "{error:e} at {t}");
        }
    }
}

/// Explicit methods meet the stiff oscillator, and say so when asked, near their stability bounds.
#[test]
fn stiffness_is_reported() {
    reports_stiffness::<Tsit5<f64>>();
    reports_stiffness::<Dopri5<f64>>();
    reports_stiffness::<Vern7<f64>>();
    reports_stiffness::<Dop853<f64>>();
    reports_stiffness::<Vern9<f64>>();
}

fn reports_stiffness<M: Method<f64, Problem>>() {
    let mut problem = stiff_van_der_pol();
    let mut x = [2.0, 0.0];
    let options = Options {
        stiffness_test: true,
        ..Options::default()
    };
    let result = Integrator::<f64, M>::new(&problem).run(
        &mut problem,
        &mut x,
        &[0.0, 500.0],
        &options,
        &mut costate_solvers::NoRecord,
    );
    let Err(SolveError::Stiff {
        t,
        step_times_eigenvalue: product,
    }) = result
    else {
        panic!("{result:?}")
    };
    assert!(t < 1.0 && product > M::STABILITY_BOUND && product < 3.0 * M::STABILITY_BOUND);
}

/// And are not fooled where accuracy limits the step.
#[test]
fn no_stiffness_is_seen_in_the_mild_oscillator() {
    fn is_calm<M: Method<f64, Problem>>() {
        let mut problem = van_der_pol();
        let options = Options {
            stiffness_test: true,
            ..tolerance(1e-8, 1e-8)
        };
        Integrator::<f64, M>::new(&problem)
            .run(
                &mut problem,
                &mut [2.0, 0.0],
                &[0.0, 100.0],
                &options,
                &mut costate_solvers::NoRecord,
            )
            .expect("a solve");
    }
    is_calm::<Tsit5<f64>>();
    is_calm::<Dopri5<f64>>();
    is_calm::<Vern7<f64>>();
    is_calm::<Dop853<f64>>();
    is_calm::<Vern9<f64>>();
}
