//! Stiff and other references by programs that share nothing with this crate (see the data files).

use costate_solvers::{Integrator, Options, Rodas5P, Samples, SolveError, Tsit5};

use crate::problems::{largest, reference, robertson, stiff_van_der_pol, tolerance, van_der_pol};

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

/// An explicit method meets the stiff oscillator, and says so when asked.
#[test]
fn stiffness_is_reported() {
    let mut problem = stiff_van_der_pol();
    let mut x = [2.0, 0.0];
    let options = Options {
        stiffness_test: true,
        ..Options::default()
    };
    let result = Integrator::<f64, Tsit5<f64>>::new(&problem).run(
        &mut problem,
        &mut x,
        &[0.0, 500.0],
        &options,
        &mut costate_solvers::NoRecord,
    );
    let Err(SolveError::Stiff {
        t,
        step_times_eigenvalue,
    }) = result
    else {
        panic!("{result:?}")
    };
    assert!(t < 1.0 && step_times_eigenvalue > 3.3 && step_times_eigenvalue < 10.0);
}
