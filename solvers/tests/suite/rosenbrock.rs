//! The conformance suite for the Rosenbrock methods of lower order, and what all of them share.

use costate_solvers::{Integrator, Mesh, Method, NoRecord, Options, Samples};

use crate::conformance_implicit::{
    SIZES, backward, error_estimate_order, extrapolated_order, largest_step, negative_times,
    replay_is_exact, single_step, uniform_errors, zero_span,
};
use crate::problems::{
    Problem, largest, lotka_volterra, powers, powers_solution, reference, slope, tolerance,
};

/// The order shows in the worst of three states; a quadrature alone may come out better (Rodas4's does).
fn order<M: Method<f64, Problem>>() {
    let errors = [64, 128, 256].map(uniform_errors::<M>);
    let observed = [0, 1, 2].map(|i| extrapolated_order(errors.map(|e| e[i])));
    let least = observed.into_iter().fold(f64::INFINITY, f64::min);
    assert!((least - f64::from(M::ORDER)).abs() < 0.15, "{observed:?}");
}

/// Interpolation at the ends of a step gives its end states: the error is the step's own at theta = 1.
fn dense_output_ends<M: Method<f64, Problem>>() {
    let (error, _) = single_step::<M>(1e-3, 0.0);
    assert!(error < 1e-15, "{error}");
    // far below the local error of h = 0.04, and falling with its order
    let sizes = [0.08, 0.04, 0.02];
    let observed = extrapolated_order(sizes.map(|h| single_step::<M>(h, 1.0).0));
    let expected = f64::from(M::ORDER) + 1.0;
    assert!((observed - expected).abs() < 0.15, "{observed}");
}

/// The dense output of both has order 3: a local error of O(h^4). (Seen away from theta = 0.25, where both error
/// constants change sign.)
fn dense_output_order<M: Method<f64, Problem>>() {
    for theta in [0.5, 0.8] {
        let observed = extrapolated_order(SIZES.map(|h| single_step::<M>(h, theta).0));
        assert!(
            (observed - 4.0).abs() < 0.15,
            "{observed} at theta = {theta}"
        );
    }
}

/// Exact to the degree of the order at the ends of steps, to degree 3 inside.
fn polynomial_exactness<M: Method<f64, Problem>>() {
    let mut problem = powers();
    let mut x = powers_solution(-1.0);
    let mut samples = Samples::new(vec![-0.9, 0.0, 0.7, 2.0]).expect("samples");
    let times = [-1.0, 2.0];
    Integrator::<f64, M>::new(&problem)
        .replay(
            &mut problem,
            &mut x,
            &times,
            &Mesh::uniform(&times, 3),
            &Options::default(),
            &mut samples,
        )
        .expect("a solve");
    let exact = powers_solution(2.0);
    let order = M::ORDER as usize;
    let error = largest((0..order).map(|i| x[i] - exact[i]));
    assert!(error < 2e-13, "{error}");
    // one degree more is not exact: t^(p+1) / (p+1)!
    assert!((x[order] - exact[order]).abs() > 1e-6);
    for (k, &t) in samples.times().iter().enumerate() {
        let exact = powers_solution(t);
        let error = largest((0..3).map(|i| samples.state(k)[i] - exact[i]));
        assert!(error < 2e-13, "{error} at {t}");
    }
}

/// The error at t = 10 follows the tolerance: h goes as tol^(1/p) for an embedded solution of order p - 1, and the
/// error as h^p.
fn tolerance_proportionality<M: Method<f64, Problem>>() {
    let exact = &reference(include_str!("../data/lotka_volterra.txt"))[3];
    let mut problem = lotka_volterra();
    let mut integrator = Integrator::<f64, M>::new(&problem);
    let points: Vec<(f64, f64)> = (3..=9)
        .map(|digits| {
            let tol = 10f64.powi(-digits);
            let mut x = [1.0, 1.0];
            integrator
                .run(
                    &mut problem,
                    &mut x,
                    &[0.0, 10.0],
                    &tolerance(tol, tol),
                    &mut NoRecord,
                )
                .expect("a solve");
            let error = largest((0..2).map(|i| x[i] - exact.1[i]));
            assert!(error < 300.0 * tol, "{error:e} at {tol:e}");
            (tol.ln(), error.ln())
        })
        .collect();
    let observed = slope(&points);
    assert!(observed > 0.85 && observed < 1.25, "{observed}");
}

macro_rules! conformance {
    ($method:ident: $($test:ident),* $(,)?) => {
        #[expect(non_snake_case, reason = "the method's own name")]
        mod $method {
            $(#[test]
            fn $test() {
                super::$test::<costate_solvers::$method<f64>>();
            })*
        }
    };
    ($($method:ident),*) => {
        $(conformance!($method: order, dense_output_order, error_estimate_order, dense_output_ends,
            polynomial_exactness, backward, negative_times, zero_span, replay_is_exact,
            tolerance_proportionality, largest_step);)*
    };
}
conformance!(Rodas3, Rodas4);
