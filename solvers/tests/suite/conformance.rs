//! What every one-step method must do, written once and run for each.

use costate_solvers::method::Trial;
use costate_solvers::{
    Integrator, Mesh, Method, NoRecord, Options, Samples, SolveError, Statistics, Tolerance,
    Trajectory,
};

use crate::cases::{Case, Exact};
use crate::events::an_event_at_the_end_of_a_step_fires_once;
use crate::problems::{
    Problem, largest, lotka_volterra, powers, powers_solution, reference, slope, tolerance,
};

/// The order seen in errors at h, h/2, h/4. The slope over one halving is p + O(h), so that the O(h) goes
/// when two are extrapolated: some error constants are so small that higher terms show through.
pub fn extrapolated_order(errors: [f64; 3]) -> f64 {
    let [a, b, c] = errors;
    2.0 * (b / c).log2() - (a / b).log2()
}

/// Largest error of each state over 0..6 in `steps` equal steps.
fn uniform_errors<M: Method<f64, Problem>>(exact: &Exact, steps: usize, newton: f64) -> Vec<f64> {
    let times = [0.0, 6.0];
    let mut x = (exact.solution)(times[0]);
    let mut problem = (exact.problem)();
    let mut trajectory = Trajectory::new();
    Integrator::<f64, M>::new(&problem)
        .replay(
            &mut problem,
            &mut x,
            &times,
            &Mesh::uniform(&times, steps),
            &tolerance(newton, newton),
            &mut trajectory,
        )
        .expect("a solve");
    let mut errors = vec![0.0f64; x.len()];
    for (k, step) in trajectory.steps().iter().enumerate() {
        let solution = (exact.solution)(step.t_new);
        for (e, (x, exact)) in errors
            .iter_mut()
            .zip(trajectory.state(k + 1).iter().zip(solution))
        {
            *e = e.max((x - exact).abs());
        }
    }
    errors
}

fn order<M: Method<f64, Problem>>(case: &Case) {
    let [a, b, c] =
        [1, 2, 4].map(|k| uniform_errors::<M>(&case.global, k * case.steps, case.newton));
    let order = f64::from(M::ORDER);
    for &i in case.states {
        let observed = extrapolated_order([a[i], b[i], c[i]]);
        assert!((observed - order).abs() < 0.15, "{observed}");
    }
}

/// One step of size h from the exact state at t: (error at theta, error estimate).
fn single_step<M: Method<f64, Problem>>(
    exact: &Exact,
    [t, h, theta]: [f64; 3],
    newton: f64,
) -> (f64, f64) {
    let x = (exact.solution)(t);
    let n = x.len();
    let mut problem = (exact.problem)();
    let mut method = M::new(&problem);
    let mut statistics = Statistics::default();
    let options = tolerance(0.0, newton);
    let mut x_new = vec![0.0; n];
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
    let mut out = vec![0.0; n];
    M::interpolate(theta, h, &x, &x_new, method.stages(), &mut out);
    let solution = (exact.solution)(t + theta * h);
    // the estimate comes in units of the tolerance
    (
        largest((0..n).map(|i| out[i] - solution[i])),
        error * newton,
    )
}

/// The order of errors of single steps of sizes h, h/2, h/4, in the mean square over starts in 0..6: no start at
/// which a leading term happens to vanish spoils it.
fn local_order(h: f64, error: impl Fn(f64, f64) -> f64) -> f64 {
    extrapolated_order([1.0, 0.5, 0.25].map(|part| {
        let squares = (0..24).map(|k| error(0.25 * f64::from(k), h * part).powi(2));
        (squares.sum::<f64>() / 24.0).sqrt()
    }))
}

/// A local error of order p is O(h^(p + 1)).
fn dense_output_order<M: Method<f64, Problem>>(case: &Case) {
    for theta in case.thetas {
        let observed = local_order(case.dense_size, |t, h| {
            single_step::<M>(&case.dense, [t, h, theta], case.newton).0
        });
        let expected = f64::from(case.dense_order) + 1.0;
        assert!(
            (observed - expected).abs() < case.dense_slack,
            "{observed} at theta = {theta}"
        );
    }
}

fn error_estimate_order<M: Method<f64, Problem>>(case: &Case) {
    let observed = local_order(case.size, |t, h| {
        single_step::<M>(&case.local, [t, h, 1.0], case.newton).1
    });
    let expected = f64::from(M::ERROR_ORDER) + 1.0;
    assert!((observed - expected).abs() < 0.15, "{observed}");
}

/// Interpolation at the ends of a step gives its end states up to rounding.
fn dense_output_ends<M: Method<f64, Problem>>(case: &Case) {
    // so small that nothing is left of the method's own error
    let h = if M::ORDER == 1 { 1e-8 } else { 1e-5 };
    let (error, _) = single_step::<M>(&case.main, [0.3, h, 0.0], case.newton);
    assert!(error < 1e-15, "{error}");
    let (error, _) = single_step::<M>(&case.main, [0.3, h, 1.0], case.newton);
    assert!(error < 4e-15, "{error}");
}

/// Order p is exact to degree p and no further, whatever the step sizes; dense output to its own order.
fn polynomial_exactness<M: Method<f64, Problem>>(case: &Case) {
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
            &tolerance(case.newton, case.newton),
            &mut samples,
        )
        .expect("a solve");
    let error = |x: &[f64], t: f64, degree: u32| {
        let exact = powers_solution(t);
        let relative = |i: usize| (x[i] - exact[i]).abs() / (1.0 + exact[i].abs());
        f64::max(relative(degree as usize - 1), relative(degree as usize + 8))
    };
    for degree in 1..=M::ORDER {
        let error = error(&x, 2.0, degree);
        assert!(error < 1e-13, "degree {degree}: {error:e}");
    }
    if M::ORDER < 9 {
        assert!(error(&x, 2.0, M::ORDER + 1) > 1e-9);
    }
    for (k, &t) in samples.times().iter().enumerate() {
        for degree in 1..=case.dense_order {
            let error = error(samples.state(k), t, degree);
            assert!(
                error < case.dense_rounding,
                "degree {degree} at {t}: {error:e}"
            );
        }
    }
}

/// Options and the error they should give on the main problem.
fn accurate<M: Method<f64, Problem>>(case: &Case) -> (Options, f64) {
    if M::ADAPTIVE {
        (tolerance(1e-8, 1e-8), case.error)
    } else {
        let options = Options {
            step: Some(case.step),
            ..Options::default()
        };
        (options, case.step_error)
    }
}

fn error_at(exact: &Exact, t: f64, x: &[f64]) -> f64 {
    let solution = (exact.solution)(t);
    largest(x.iter().zip(solution).map(|(x, exact)| x - exact))
}

fn backward<M: Method<f64, Problem>>(case: &Case) {
    let (options, allowed) = accurate::<M>(case);
    let exact = &case.main;
    let mut problem = (exact.problem)();
    let mut x = (exact.solution)(1.0);
    let mut samples = Samples::new(vec![1.0, 0.5, 0.0, -0.25, -0.5]).expect("samples");
    Integrator::<f64, M>::new(&problem)
        .run(&mut problem, &mut x, &[1.0, -0.5], &options, &mut samples)
        .expect("a solve");
    assert_eq!(samples.len(), 5);
    for (k, &t) in samples.times().iter().enumerate() {
        let error = error_at(exact, t, samples.state(k));
        assert!(error < allowed, "{error} at {t}");
    }
    assert_eq!(samples.state(4), x);
}

fn negative_times<M: Method<f64, Problem>>(case: &Case) {
    let (options, allowed) = accurate::<M>(case);
    let exact = &case.main;
    let mut problem = (exact.problem)();
    let mut x = (exact.solution)(-3.0);
    let statistics = Integrator::<f64, M>::new(&problem)
        .run(&mut problem, &mut x, &[-3.0, -1.0], &options, &mut NoRecord)
        .expect("a solve");
    let error = error_at(exact, -1.0, &x);
    assert!(error < 3.0 * allowed && statistics.steps > 3, "{error}");
}

fn zero_span<M: Method<f64, Problem>>(case: &Case) {
    let mut problem = (case.main.problem)();
    let mut x = [2.0, 3.0];
    let mut samples = Samples::new(vec![1.0, 1.0]).expect("samples");
    let statistics = Integrator::<f64, M>::new(&problem)
        .run(
            &mut problem,
            &mut x,
            &[1.0, 1.0],
            &accurate::<M>(case).0,
            &mut samples,
        )
        .expect("a solve");
    assert_eq!(statistics, Statistics::default());
    assert_eq!(samples.values(), [2.0, 3.0, 2.0, 3.0]);
}

/// A replay repeats the solve to the last bit (or to what Newton's iteration leaves), samples included, and whether
/// anybody reads inside or not.
fn replay<M: Method<f64, Problem>>(case: &Case) {
    let (options, _) = accurate::<M>(case);
    let mut problem = (case.main.problem)();
    let start = (case.main.solution)(-0.5);
    let mut integrator = Integrator::<f64, M>::new(&problem);
    let times = [-0.5, 0.125, 0.125, 1.0];
    let sampled: Vec<f64> = (0..=40).map(|k| -0.5 + 1.5 * f64::from(k) / 40.0).collect();
    let samples = Samples::new(sampled).expect("samples");
    let mut recorder = (Mesh::default(), (samples.clone(), Trajectory::new()));
    let mut x = start.clone();
    let solved = integrator
        .run(&mut problem, &mut x, &times, &options, &mut recorder)
        .expect("a solve");
    let (mesh, (first, trajectory)) = recorder;
    let mut second = samples;
    let mut y = start.clone();
    let replayed = integrator
        .replay(&mut problem, &mut y, &times, &mesh, &options, &mut second)
        .expect("a replay");
    let off = largest(x.iter().zip(&y).map(|(x, y)| x - y));
    let values = first.values().iter().zip(second.values());
    let inside = largest(values.map(|(x, y)| x - y));
    assert!(
        off <= case.replay && inside <= case.replay,
        "{off:e} {inside:e}"
    );
    assert_eq!(first.places(), second.places());
    assert_eq!(solved.steps, replayed.steps);
    assert_eq!(trajectory.steps().len(), solved.steps);
    assert_eq!(trajectory.state(solved.steps), x);
    let mut unseen = start;
    integrator
        .run(&mut problem, &mut unseen, &times, &options, &mut NoRecord)
        .expect("a solve");
    assert_eq!(unseen, x);
}

/// The error at t = 10 stays below so many tolerances over the decades the order is meant for, and follows them.
fn tolerance_proportionality<M: Method<f64, Problem>>(case: &Case) {
    let exact = &reference(include_str!("../data/lotka_volterra.txt"))[3];
    let mut problem = lotka_volterra();
    let mut integrator = Integrator::<f64, M>::new(&problem);
    let [least, most] = case.exponents;
    let exponent = f64::min(1.0, 0.5 * (least + most));
    let last = i32::max(case.strictest, if M::ORDER < 4 { 7 } else { 12 });
    let points: Vec<(f64, f64)> = (3..=last)
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
            let factor = error / tol.powf(exponent);
            assert!(factor < 100.0, "{factor} at {tol:e}");
            (tol.ln(), error.ln())
        })
        .collect();
    let observed = slope(&points[..=case.strictest as usize - 3]);
    assert!(observed > least && observed < most, "{observed}");
}

/// A step size imposed by the options is honored and costs accuracy nothing.
fn largest_step<M: Method<f64, Problem>>(case: &Case) {
    let exact = &case.main;
    let mut problem = (exact.problem)();
    let mut mesh = Mesh::default();
    let mut x = (exact.solution)(0.0);
    let options = Options {
        max_step: 0.03,
        ..Options::default()
    };
    Integrator::<f64, M>::new(&problem)
        .run(&mut problem, &mut x, &[0.0, 1.0], &options, &mut mesh)
        .expect("a solve");
    assert!(mesh.steps.iter().all(|s| s.h <= 0.03));
    assert!(mesh.steps.len() >= 34);
    let error = error_at(exact, 1.0, &x);
    assert!(error < case.small_steps_error, "{error:e}");
}

/// f without a value past t = 1 ends a solve with the last state before, however steps are chosen.
fn not_finite<M: Method<f64, Problem>>(case: &Case) {
    let mut problem = Problem::new(
        1,
        |t, _, dx| dx[0] = if t > 1.0 { f64::NAN } else { 1.0 },
        |_, _, _| {},
        |_, _, ft| ft.fill(0.0),
    );
    problem.pattern = costate_solvers::Pattern::from_entries(1, 1, &[]);
    let result = Integrator::<f64, M>::new(&problem).run(
        &mut problem,
        &mut [0.0],
        &[0.0, 2.0],
        &accurate::<M>(case).0,
        &mut NoRecord,
    );
    let Err(SolveError::NotFinite { t, state: 0, x }) = result else {
        panic!("{result:?}")
    };
    let reached = if M::ADAPTIVE { 1e-12 } else { case.step };
    assert!(t <= 1.0 + 1e-12 && t > 1.0 - 1.01 * reached, "{t}");
    assert!((x[0] - t).abs() < 1e-12);
}

/// Without an error estimate there is no step size unless one is given.
fn step_required<M: Method<f64, Problem>>(case: &Case) {
    let mut problem = (case.main.problem)();
    let mut x = (case.main.solution)(0.0);
    let result = Integrator::<f64, M>::new(&problem).run(
        &mut problem,
        &mut x,
        &[0.0, 1.0],
        &Options {
            atol: Tolerance::Uniform(1e-6),
            ..Options::default()
        },
        &mut NoRecord,
    );
    assert_eq!(result, Err(SolveError::StepRequired));
}

fn event_at_a_step_end<M: Method<f64, Problem>>(_case: &Case) {
    an_event_at_the_end_of_a_step_fires_once::<M>();
}

macro_rules! conformance {
    ($method:ident, $case:ident; $($test:ident)*) => {
        #[expect(non_snake_case, reason = "the method's own name")]
        mod $method {
            use crate::cases::$case;
            $(#[test]
            fn $test() {
                let check = stringify!($test);
                match $case.exempt.iter().find(|(name, _)| *name == check) {
                    Some((_, reason)) => println!("does not apply: {reason}"),
                    None => super::$test::<costate_solvers::$method<f64>>(&$case),
                }
            }

            )*
            #[test]
            fn exemptions_are_of_checks() {
                let checks = [$(stringify!($test)),*];
                assert!($case.exempt.iter().all(|(name, _)| checks.contains(name)));
            }
        }
    };
    (fixed: $($method:ident $case:ident),* $(,)?) => {
        $(conformance!($method, $case; order dense_output_order dense_output_ends polynomial_exactness backward
            negative_times zero_span replay not_finite event_at_a_step_end step_required);)*
    };
    (adaptive: $($method:ident $case:ident),* $(,)?) => {
        $(conformance!($method, $case; order dense_output_order error_estimate_order dense_output_ends
            polynomial_exactness backward negative_times zero_span replay
            tolerance_proportionality largest_step not_finite event_at_a_step_end);)*
    };
}
// without an error estimate there is none to check, and no tolerance to follow
conformance!(fixed:
    Euler EULER, Midpoint SECOND_ORDER, Heun SECOND_ORDER, Rk4 RK4,
    Verlet SPLITTING, Yoshida4 YOSHIDA4, Yoshida6 YOSHIDA6, Yoshida8 YOSHIDA8,
    ImplicitMidpoint SECOND_ORDER,
);
conformance!(adaptive:
    Bs3 BS3, Tsit5 FIFTH_ORDER, Dopri5 FIFTH_ORDER, Vern7 VERN7, Dop853 DOP853, Vern9 VERN9,
    Rodas3 RODAS3, Rodas4 RODAS4, Rodas5P RODAS5P,
    TrBdf2 TR_BDF2, Kvaerno3 ESDIRK, Kvaerno4 ESDIRK, Kvaerno5 KVAERNO5, KenCarp4 ESDIRK, Radau5 RADAU5,
    Bdf MULTISTEP, Ndf MULTISTEP, AutoSwitch FIFTH_ORDER,
);
