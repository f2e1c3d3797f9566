//! What every one-step method must do, written once and run for each.

use costate_solvers::method::Trial;
use costate_solvers::{
    Integrator, Mesh, Method, NoRecord, Options, Samples, Statistics, Tolerance, Trajectory,
};

use crate::problems::{
    Problem, coupled, coupled_solution, largest, lotka_volterra, powers, powers_solution,
    reference, separate, separate_solution, slope, tolerance,
};

/// Largest error of each state over the whole span in `steps` equal steps.
pub fn uniform_errors<M: Method<f64, Problem>>(steps: usize) -> [f64; 3] {
    let times = [0.0, 6.0];
    let mut x = separate_solution(times[0]);
    let mut problem = separate();
    let mut trajectory = Trajectory::new();
    Integrator::<f64, M>::new(&problem)
        .replay(
            &mut problem,
            &mut x,
            &times,
            &Mesh::uniform(&times, steps),
            &Options::default(),
            &mut trajectory,
        )
        .expect("a solve");
    let mut errors = [0.0f64; 3];
    for (k, step) in trajectory.steps().iter().enumerate() {
        let exact = separate_solution(step.t_new);
        for (e, (x, exact)) in errors
            .iter_mut()
            .zip(trajectory.state(k + 1).iter().zip(exact))
        {
            *e = e.max((x - exact).abs());
        }
    }
    errors
}

/// The order seen in errors at h, h/2, h/4. The slope over one halving is p + O(h), so that the O(h) goes
/// when two are extrapolated: Tsit5's own error constants are so small that higher terms show through.
pub fn extrapolated_order(errors: [f64; 3]) -> f64 {
    let [a, b, c] = errors;
    2.0 * (b / c).log2() - (a / b).log2()
}

fn order<M: Method<f64, Problem>>() {
    let errors = [64, 128, 256].map(uniform_errors::<M>);
    let order = f64::from(M::ORDER);
    for i in 0..3 {
        let observed = extrapolated_order(errors.map(|e| e[i]));
        assert!((observed - order).abs() < 0.15, "state {i}: {observed}");
    }
}

/// Step sizes for local errors: small enough for the theory, errors well above rounding.
pub const SIZES: [f64; 3] = [0.04, 0.02, 0.01];

/// One step of size h from the exact state at t = 0.3: (error at theta, error estimate).
pub fn single_step<M: Method<f64, Problem>>(h: f64, theta: f64) -> (f64, f64) {
    let t = 0.3;
    let x = coupled_solution(t);
    let mut problem = coupled();
    let mut method = M::new(&problem);
    let mut statistics = Statistics::default();
    // the scale is 1: the error comes out in absolute terms
    let options = Options {
        rtol: 0.0,
        atol: Tolerance::Uniform(1.0),
        ..Options::default()
    };
    let mut x_new = [0.0; 2];
    method.restart(&mut problem, t, &x, &mut statistics);
    let trial = method.step(
        &mut problem,
        t,
        h,
        &x,
        &mut x_new,
        &options,
        &mut statistics,
    );
    let Trial::Computed { error, .. } = trial else {
        panic!("{trial:?}")
    };
    method.accept(&mut problem, t + h, &x_new, &mut statistics);
    method.densify(&mut problem, t, h, &x, &x_new, &mut statistics);
    let mut out = [0.0; 2];
    M::interpolate(theta, h, &x, &x_new, method.stages(), &mut out);
    let exact = coupled_solution(t + theta * h);
    (largest((0..2).map(|i| out[i] - exact[i])), error)
}

/// A local error of order p is O(h^(p + 1)). (Seen away from the theta where a method's own constant all but
/// vanishes: 0.5 for Tsit5, 0.9 for Rodas5P.)
fn dense_output_order<M: Method<f64, Problem>>() {
    for theta in [0.25, 0.75] {
        let observed = extrapolated_order(SIZES.map(|h| single_step::<M>(h, theta).0));
        assert!(
            (observed - 5.0).abs() < 0.15,
            "{observed} at theta = {theta}"
        );
    }
}

pub fn error_estimate_order<M: Method<f64, Problem>>() {
    let observed = extrapolated_order(SIZES.map(|h| single_step::<M>(h, 1.0).1));
    let expected = f64::from(M::ERROR_ORDER) + 1.0;
    assert!((observed - expected).abs() < 0.15, "{observed}");
}

/// Interpolation at the ends of a step gives its end states up to rounding.
fn dense_output_ends<M: Method<f64, Problem>>() {
    let (error, _) = single_step::<M>(1e-3, 0.0);
    assert!(error < 1e-15, "{error}");
    let (error, _) = single_step::<M>(1e-3, 1.0);
    assert!(error < 4e-15, "{error}");
}

/// Order 5 is exact to degree 5, whatever the step sizes; the error test must see no error there.
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
    let error = largest((0..6).map(|i| x[i] - exact[i]));
    assert!(error < 2e-13, "{error}");
    for (k, &t) in samples.times().iter().enumerate() {
        // the interpolant has order 4
        let exact = powers_solution(t);
        let error = largest((0..4).map(|i| samples.state(k)[i] - exact[i]));
        assert!(error < 2e-13, "{error} at {t}");
    }
}

/// Solving there and back again returns to the start.
pub fn backward<M: Method<f64, Problem>>() {
    let options = tolerance(1e-10, 1e-10);
    let mut problem = coupled();
    let mut integrator = Integrator::<f64, M>::new(&problem);
    let mut x = coupled_solution(1.0);
    let mut samples = Samples::new(vec![1.0, 0.5, 0.0, -0.25, -0.5]).expect("samples");
    integrator
        .run(&mut problem, &mut x, &[1.0, -0.5], &options, &mut samples)
        .expect("a solve");
    assert_eq!(samples.len(), 5);
    for (k, &t) in samples.times().iter().enumerate() {
        let exact = coupled_solution(t);
        let error = largest((0..2).map(|i| samples.state(k)[i] - exact[i]));
        assert!(error < 1e-8, "{error} at {t}");
    }
    assert_eq!(samples.state(4), x);
}

pub fn negative_times<M: Method<f64, Problem>>() {
    let mut problem = coupled();
    let mut x = coupled_solution(-3.0);
    let statistics = Integrator::<f64, M>::new(&problem)
        .run(
            &mut problem,
            &mut x,
            &[-3.0, -1.0],
            &tolerance(1e-9, 1e-9),
            &mut NoRecord,
        )
        .expect("a solve");
    let exact = coupled_solution(-1.0);
    let error = largest((0..2).map(|i| x[i] - exact[i]));
    assert!(error < 1e-7 && statistics.steps > 5, "{error}");
}

pub fn zero_span<M: Method<f64, Problem>>() {
    let mut problem = coupled();
    let mut x = [2.0, 3.0];
    let mut samples = Samples::new(vec![1.0, 1.0]).expect("samples");
    let statistics = Integrator::<f64, M>::new(&problem)
        .run(
            &mut problem,
            &mut x,
            &[1.0, 1.0],
            &Options::default(),
            &mut samples,
        )
        .expect("a solve");
    assert_eq!(statistics, Statistics::default());
    assert_eq!(samples.values(), [2.0, 3.0, 2.0, 3.0]);
}

/// A replay repeats the solve to the last bit, samples included.
pub fn replay_is_exact<M: Method<f64, Problem>>() {
    let mut problem = coupled();
    let mut integrator = Integrator::<f64, M>::new(&problem);
    let times = [-0.5, 0.125, 0.125, 1.0];
    let sampled: Vec<f64> = (0..=40).map(|k| -0.5 + 1.5 * k as f64 / 40.0).collect();
    let samples = Samples::new(sampled).expect("samples");
    let mut recorder = (Mesh::default(), (samples.clone(), Trajectory::new()));
    let mut x = coupled_solution(-0.5);
    let solved = integrator
        .run(
            &mut problem,
            &mut x,
            &times,
            &Options::default(),
            &mut recorder,
        )
        .expect("a solve");
    let (mesh, (first, trajectory)) = recorder;
    let mut second = samples;
    let mut y = coupled_solution(-0.5);
    let replayed = integrator
        .replay(
            &mut problem,
            &mut y,
            &times,
            &mesh,
            &Options::default(),
            &mut second,
        )
        .expect("a replay");
    assert_eq!(x, y);
    assert_eq!(first.values(), second.values());
    assert_eq!(first.places(), second.places());
    assert_eq!(solved.steps, replayed.steps);
    assert_eq!(trajectory.steps().len(), solved.steps);
    assert_eq!(trajectory.state(solved.steps), x);
}

/// The error at t = 10 follows the tolerance over nine decades.
fn tolerance_proportionality<M: Method<f64, Problem>>() {
    let exact = &reference(include_str!("../data/lotka_volterra.txt"))[3];
    let mut problem = lotka_volterra();
    let mut integrator = Integrator::<f64, M>::new(&problem);
    let points: Vec<(f64, f64)> = (3..=12)
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
    // up to 6/5 where the terms of order 6 dominate
    assert!(observed > 0.85 && observed < 1.25, "{observed}");
}

/// A step size imposed by the options is honored and costs accuracy nothing.
pub fn largest_step<M: Method<f64, Problem>>() {
    let mut problem = coupled();
    let mut mesh = Mesh::default();
    let mut x = coupled_solution(0.0);
    let options = Options {
        max_step: 0.03,
        ..Options::default()
    };
    Integrator::<f64, M>::new(&problem)
        .run(&mut problem, &mut x, &[0.0, 1.0], &options, &mut mesh)
        .expect("a solve");
    assert!(mesh.steps.iter().all(|s| s.h <= 0.03));
    assert!(mesh.steps.len() >= 34);
    let exact = coupled_solution(1.0);
    assert!(largest((0..2).map(|i| x[i] - exact[i])) < 1e-6);
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
conformance!(Tsit5, Rodas5P);
