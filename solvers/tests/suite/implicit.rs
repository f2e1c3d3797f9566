//! ESDIRK methods and Radau5: orders, stiff accuracy, references, bad systems.

use costate_solvers::method::Trial;
use costate_solvers::{
    Integrator, KenCarp4, Kvaerno3, Kvaerno4, Kvaerno5, Mesh, Method, NoRecord, Options, Radau5,
    Samples, SolveError, Statistics, Tolerance, TrBdf2, Trajectory,
};

use crate::conformance_implicit::{SIZES, extrapolated_order, largest_step, zero_span};
use crate::problems::{
    Problem, coupled, coupled_solution, largest, lotka_volterra, none, reference, separate,
    separate_solution, slope, tolerance,
};
use crate::stiff_problems::{
    ChemAkzo, E5, Hires, Model, Orego, Pollu, Rober, RoberDae, Stiff, VanDerPol,
};
use crate::stretches::jumps;

/// Runs a generic test for each method.
macro_rules! each {
    ($test:ident) => {
        $test::<TrBdf2<f64>>();
        $test::<Kvaerno3<f64>>();
        $test::<Kvaerno4<f64>>();
        $test::<Kvaerno5<f64>>();
        $test::<KenCarp4<f64>>();
        $test::<Radau5<f64>>();
    };
}

/// Tolerances at which Newton's iteration leaves no more than rounding.
fn tight() -> Options {
    tolerance(1e-13, 1e-13)
}

/// Largest error of each state over the whole span in `steps` equal steps.
fn uniform_errors<M: Method<f64, Problem>>(steps: usize) -> [f64; 3] {
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
            &tight(),
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

fn order<M: Method<f64, Problem>>() {
    // at order 5 finer steps meet rounding
    let coarsest = if M::ORDER == 5 { 32 } else { 64 };
    let errors = [1, 2, 4].map(|k| uniform_errors::<M>(k * coarsest));
    for i in 0..3 {
        let observed = extrapolated_order(errors.map(|e| e[i]));
        let name = std::any::type_name::<M>();
        assert!(
            (observed - f64::from(M::ORDER)).abs() < 0.15,
            "{name} state {i}: {observed} {errors:?}"
        );
    }
}

#[test]
fn orders() {
    each!(order);
}

/// One step of size h from the exact state at t = 0.3: (error at theta, error estimate).
fn single_step<M: Method<f64, Problem>>(h: f64, theta: f64) -> (f64, f64) {
    const SCALE: f64 = 1e-13;
    let t = 0.3;
    let x = coupled_solution(t);
    let mut problem = coupled();
    let mut method = M::new(&problem);
    let mut statistics = Statistics::default();
    let options = Options {
        rtol: 0.0,
        atol: Tolerance::Uniform(SCALE),
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
    let mut out = [0.0; 2];
    M::interpolate(theta, h, &x, &x_new, method.stages(), &mut out);
    let exact = coupled_solution(t + theta * h);
    (largest((0..2).map(|i| out[i] - exact[i])), error * SCALE)
}

/// Dense output of order p is off by O(h^(p + 1)) within a step.
fn dense_output_order<M: Method<f64, Problem>>(order: f64) {
    let name = std::any::type_name::<M>();
    for theta in [0.25, 0.75] {
        let observed = extrapolated_order(SIZES.map(|h| single_step::<M>(h, theta).0));
        assert!(
            (observed - order - 1.0).abs() < 0.15,
            "{name}: {observed} at theta = {theta}"
        );
    }
    assert!(single_step::<M>(1e-3, 0.0).0 < 1e-15);
    let end = single_step::<M>(1e-3, 1.0).0;
    // TR-BDF2 itself is off by O(h^3) there
    assert!(
        end < if order < 3.0 { 1e-8 } else { 2e-11 },
        "{name}: {end:e}"
    );
}

#[test]
fn dense_output_orders() {
    dense_output_order::<TrBdf2<f64>>(2.0);
    dense_output_order::<Kvaerno3<f64>>(3.0);
    dense_output_order::<Kvaerno4<f64>>(3.0);
    dense_output_order::<Kvaerno5<f64>>(4.0);
    dense_output_order::<KenCarp4<f64>>(3.0);
    dense_output_order::<Radau5<f64>>(3.0);
}

fn error_estimate_order<M: Method<f64, Problem>>() {
    let observed = extrapolated_order(SIZES.map(|h| single_step::<M>(h, 1.0).1));
    let expected = f64::from(M::ERROR_ORDER) + 1.0;
    let name = std::any::type_name::<M>();
    assert!((observed - expected).abs() < 0.15, "{name}: {observed}");
}

#[test]
fn error_estimate_orders() {
    each!(error_estimate_order);
}

/// The error of a method whose estimate and solution have orders q and p goes with tol^(p / (q + 1)): 2/3 for
/// TR-BDF2, whose estimate is that of the solution propagated, 1 for the others.
fn exponent<M: Method<f64, Problem>>() -> f64 {
    if M::ORDER == 2 { 2.0 / 3.0 } else { 1.0 }
}

fn proportional<M: Method<f64, Problem>>() {
    let exact = &reference(include_str!("../data/lotka_volterra.txt"))[3];
    let mut problem = lotka_volterra();
    let mut integrator = Integrator::<f64, M>::new(&problem);
    let name = std::any::type_name::<M>();
    let expected = exponent::<M>();
    let points: Vec<(f64, f64)> = (3..=10)
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
            assert!(
                error < 300.0 * tol.powf(expected),
                "{name}: {error:e} at {tol:e}"
            );
            (tol.ln(), error.ln())
        })
        .collect();
    let observed = slope(&points);
    assert!((observed - expected).abs() < 0.15, "{name}: {observed}");
}

#[test]
fn errors_follow_the_tolerance() {
    each!(proportional);
}

fn both_directions<M: Method<f64, Problem>>() {
    let tol = 1e-9;
    let bound = 100.0 * f64::powf(tol, exponent::<M>());
    let mut problem = coupled();
    let mut integrator = Integrator::<f64, M>::new(&problem);
    for times in [[1.0, -0.5], [-3.0, -1.0]] {
        let sampled: Vec<f64> = (0..=4)
            .map(|k| times[0] + (times[1] - times[0]) * f64::from(k) / 4.0)
            .collect();
        let mut samples = Samples::new(sampled).expect("samples");
        let mut x = coupled_solution(times[0]);
        integrator
            .run(
                &mut problem,
                &mut x,
                &times,
                &tolerance(tol, tol),
                &mut samples,
            )
            .expect("a solve");
        for (k, &t) in samples.times().iter().enumerate() {
            let exact = coupled_solution(t);
            let error = largest((0..2).map(|i| samples.state(k)[i] - exact[i]));
            assert!(error < bound, "{error:e} at {t}");
        }
        assert_eq!(samples.state(4), x);
    }
}

#[test]
fn backward_negative_and_empty_spans() {
    each!(both_directions);
    each!(zero_span);
    largest_step::<Kvaerno4<f64>>();
    largest_step::<Kvaerno5<f64>>();
    largest_step::<Radau5<f64>>();
}

#[test]
fn announced_jumps_are_stepped_to() {
    jumps::<Kvaerno5<f64>>();
    jumps::<KenCarp4<f64>>();
    jumps::<Radau5<f64>>();
}

/// A replay follows the mesh up to what Newton's iteration leaves.
fn replay_is_near<M: Method<f64, Problem>>() {
    let mut problem = coupled();
    let mut integrator = Integrator::<f64, M>::new(&problem);
    let times = [-0.5, 0.125, 1.0];
    let mut mesh = Mesh::default();
    let (mut x, mut y) = (coupled_solution(-0.5), coupled_solution(-0.5));
    let options = tolerance(1e-8, 1e-8);
    let solved = integrator
        .run(&mut problem, &mut x, &times, &options, &mut mesh)
        .expect("a solve");
    let replayed = integrator
        .replay(&mut problem, &mut y, &times, &mesh, &options, &mut NoRecord)
        .expect("a replay");
    assert_eq!(solved.steps, replayed.steps);
    let off = largest((0..2).map(|i| x[i] - y[i]));
    assert!(off < 1e-8, "{off:e}");
}

#[test]
fn replays_follow_the_mesh() {
    each!(replay_is_near);
}

/// Steps tried from one point do not disturb each other.
fn tries_are_independent<M: Method<f64, Problem>>() {
    let mut problem = coupled();
    let mut method = M::new(&problem);
    let mut statistics = Statistics::default();
    let options = tight();
    let (mut x, mut t) = (coupled_solution(0.3), 0.3);
    let mut x_new = [0.0; 2];
    method.restart(&mut problem, t, &x, &mut statistics);
    for _ in 0..3 {
        let mut results = Vec::new();
        for h in [0.05, 0.01, 0.08, 0.05] {
            let trial = method.step(
                &mut problem,
                t,
                h,
                &x,
                &mut x_new,
                &options,
                &mut statistics,
            );
            assert!(matches!(trial, Trial::Computed { .. }), "{trial:?}");
            results.push(x_new);
        }
        let off = largest((0..2).map(|i| results[0][i] - results[3][i]));
        assert!(off < 1e-14, "{off:e}");
        t += 0.05;
        method.accept(&mut problem, t, &x_new, &mut statistics);
        x = x_new;
    }
}

#[test]
fn tries_from_one_point() {
    each!(tries_are_independent);
}

/// Prothero & Robinson's x' = lambda (x - sin t) + cos t: the error of a stiffly accurate method falls with
/// 1 / lambda at a fixed step size, however stiff.
fn stiffly_accurate<M: Method<f64, Problem>>() {
    fn problem(weak: bool) -> Problem {
        if weak {
            Problem::new(
                1,
                |t, x, dx| dx[0] = -1e4 * (x[0] - t.sin()) + t.cos(),
                |_, _, j| j[0] = -1e4,
                none,
            )
        } else {
            Problem::new(
                1,
                |t, x, dx| dx[0] = -1e8 * (x[0] - t.sin()) + t.cos(),
                |_, _, j| j[0] = -1e8,
                none,
            )
        }
    }
    let errors = [true, false].map(|weak| {
        let mut problem = problem(weak);
        let times = [0.0, 2.0];
        let mut x = [0.0];
        Integrator::<f64, M>::new(&problem)
            .replay(
                &mut problem,
                &mut x,
                &times,
                &Mesh::uniform(&times, 20),
                &tight(),
                &mut NoRecord,
            )
            .expect("a solve");
        (x[0] - f64::sin(2.0)).abs()
    });
    let name = std::any::type_name::<M>();
    // a stage order of 2 leaves h^2 / lambda
    assert!(errors[0] < 0.01 / 1e4, "{name}: {errors:?}");
    assert!(
        errors[1] < f64::max(1e-3 * errors[0], 1e-14),
        "{name}: {errors:?}"
    );
}

#[test]
fn methods_are_stiffly_accurate() {
    each!(stiffly_accurate);
}

/// With constant J one evaluation is enough, and h is kept for many steps at a time.
fn matrices_are_kept<M: Method<f64, Problem>>() {
    let mut problem = Problem::new(
        2,
        |t, x, dx| {
            dx[0] = -100.0 * (x[0] - t.cos());
            dx[1] = t.cos() - x[1];
        },
        |_, _, j| j.copy_from_slice(&[-100.0, 0.0, 0.0, -1.0]),
        |t, _, ft| ft.copy_from_slice(&[-100.0 * t.sin(), -t.sin()]),
    );
    let statistics = Integrator::<f64, M>::new(&problem)
        .run(
            &mut problem,
            &mut [1.0, 0.0],
            &[0.0, 50.0],
            &tolerance(1e-6, 1e-6),
            &mut NoRecord,
        )
        .expect("a solve");
    assert!(statistics.jacobians <= 6, "{statistics:?}");
    assert!(
        2 * statistics.factorizations < statistics.steps + statistics.rejected,
        "{statistics:?}"
    );
    assert!(statistics.newton_iterations >= statistics.steps);
    assert_eq!(statistics.newton_failures, 0);
}

#[test]
fn jacobians_and_factors_are_kept() {
    each!(matrices_are_kept);
}

/// Largest |err| / (|y| + atol / rtol) at the reference points, which are stop times.
fn achieved<M: Method<f64, Stiff<P>>, P: Model>(data: &str, rtol: f64, atol: f64) -> f64 {
    let rows = reference(data);
    let mut problem = Stiff::<P>::new();
    let mut x = P::START.to_vec();
    let mut times = vec![0.0];
    times.extend(rows.iter().map(|r| r.0));
    let mut samples = Samples::new(times[1..].to_vec()).expect("samples");
    let options = tolerance(rtol, atol);
    Integrator::<f64, M>::new(&problem)
        .run(&mut problem, &mut x, &times, &options, &mut samples)
        .unwrap_or_else(|e| panic!("{} at {rtol:e}: {e}", std::any::type_name::<(M, P)>()));
    let mut worst = 0.0f64;
    for (k, (_, exact)) in rows.iter().enumerate() {
        for (x, y) in samples.state(k).iter().zip(exact) {
            worst = worst.max((x - y).abs() / (y.abs() + atol / rtol));
        }
    }
    assert!(worst.is_finite());
    worst
}

/// The error stays below 100 tolerances (tol^(2/3) for TR-BDF2, see `exponent`). `scale` is atol / rtol.
fn reaches<M, P>(data: &str, scale: f64)
where
    M: Method<f64, Stiff<P>> + Method<f64, Problem>,
    P: Model,
{
    let order = <M as Method<f64, Problem>>::ORDER;
    for rtol in [1e-4, 1e-7, 1e-10] {
        if rtol < 1e-9 && order < 4 {
            continue;
        }
        let error = achieved::<M, P>(data, rtol, rtol * scale);
        let bound = 100.0 * f64::powf(rtol, exponent::<M>());
        let name = std::any::type_name::<(M, P)>();
        assert!(
            error < bound,
            "{name} at {rtol:e}: {error:e} = {} tol",
            error / rtol
        );
    }
}

macro_rules! stiff {
    ($($test:ident: $model:ident, $data:expr, $scale:expr;)*) => {
        $(#[test]
        fn $test() {
            reaches::<TrBdf2<f64>, $model>($data, $scale);
            reaches::<Kvaerno3<f64>, $model>($data, $scale);
            reaches::<Kvaerno4<f64>, $model>($data, $scale);
            reaches::<Kvaerno5<f64>, $model>($data, $scale);
            reaches::<KenCarp4<f64>, $model>($data, $scale);
            reaches::<Radau5<f64>, $model>($data, $scale);
        })*
    };
}
stiff! {
    hires: Hires, include_str!("../data/hires.txt"), 1e-3;
    pollu: Pollu, include_str!("../data/pollu.txt"), 1e-4;
    orego: Orego, include_str!("../data/orego.txt"), 1e-2;
    robertson_over_eleven_decades: Rober, include_str!("../data/rober.txt"), 1e-6;
    e5: E5, include_str!("../data/e5.txt"), 1e-10;
    // mu = 1000 at t = 2000 (vdpol.txt) in slow time
    van_der_pol_of_stiffness_1e6: VanDerPol, "2 1.706167732170465008478 -0.8928097010248165477873", 1.0;
}

/// Steps, Jacobians, factorizations and corrections on HIRES at 1e-6: some more mean a loss of efficiency.
#[test]
fn costs_stay_low() {
    fn cost<M: Method<f64, Stiff<Hires>>>(most: [usize; 4]) {
        let mut problem = Stiff::<Hires>::new();
        let mut x = Hires::START.to_vec();
        let s = Integrator::<f64, M>::new(&problem)
            .run(
                &mut problem,
                &mut x,
                &[0.0, 321.8122],
                &tolerance(1e-6, 1e-9),
                &mut NoRecord,
            )
            .expect("a solve");
        let tried = s.steps + s.rejected;
        let counts = [tried, s.jacobians, s.factorizations, s.newton_iterations];
        let name = std::any::type_name::<M>();
        // a tenth for the last digits of another linear algebra
        assert!(
            counts
                .iter()
                .zip(most)
                .all(|(&c, most)| 10 * c <= 11 * most),
            "{name}: {counts:?}"
        );
    }
    cost::<Kvaerno5<f64>>([125, 54, 91, 1675]);
    cost::<KenCarp4<f64>>([138, 69, 98, 1483]);
    cost::<Radau5<f64>>([125, 49, 78, 331]);
}

#[test]
fn radau5_solves_differential_algebraic_equations() {
    reaches_dae::<RoberDae>(include_str!("../data/rober_dae.txt"), 1e-6);
    reaches_dae::<ChemAkzo>(include_str!("../data/chemakzo.txt"), 1e-3);
}

fn reaches_dae<P: Model>(data: &str, scale: f64) {
    for rtol in [1e-4, 1e-7, 1e-10] {
        let error = achieved::<Radau5<f64>, P>(data, rtol, rtol * scale);
        assert!(error < 100.0 * rtol, "{error:e} at {rtol:e}");
    }
}

#[test]
fn esdirk_methods_refuse_mass_matrices() {
    let mut problem = Stiff::<RoberDae>::new();
    let result = Integrator::<f64, Kvaerno3<f64>>::new(&problem).run(
        &mut problem,
        &mut [1.0, 0.0, 0.0],
        &[0.0, 1.0],
        &Options::default(),
        &mut NoRecord,
    );
    assert!(matches!(result, Err(SolveError::Invalid { .. })));
}

fn scalar(f: fn(f64, &[f64], &mut [f64]), jacobian: fn(f64, &[f64], &mut [f64])) -> Problem {
    Problem::new(1, f, jacobian, none)
}

fn decay() -> Problem {
    scalar(|_, x, dx| dx[0] = -x[0], |_, _, j| j[0] = -1.0)
}

fn run<M: Method<f64, Problem>>(
    mut problem: Problem,
    x: &[f64],
    times: &[f64],
    options: &Options,
) -> (Result<Statistics, SolveError>, Vec<f64>) {
    let mut x = x.to_vec();
    let result = Integrator::<f64, M>::new(&problem).run(
        &mut problem,
        &mut x,
        times,
        options,
        &mut NoRecord,
    );
    (result, x)
}

/// f ends at t = 1: the solve walks up to it and says so.
fn end_is_approached<M: Method<f64, Problem>>() {
    let problem = scalar(
        |t, _, dx| dx[0] = if t > 1.0 { f64::NAN } else { 1.0 },
        |_, _, j| j[0] = 0.0,
    );
    let (result, _) = run::<M>(problem, &[0.0], &[0.0, 2.0], &Options::default());
    let Err(SolveError::NotFinite { t, state: 0, x }) = result else {
        panic!("{result:?}")
    };
    assert!((t - 1.0).abs() < 1e-12 && (x[0] - 1.0).abs() < 1e-12, "{t}");
}

/// x' = x^2 from 1 blows up at t = 1.
fn blow_up_ends<M: Method<f64, Problem>>() {
    let problem = scalar(|_, x, dx| dx[0] = x[0] * x[0], |_, x, j| j[0] = 2.0 * x[0]);
    let (result, _) = run::<M>(problem, &[1.0], &[0.0, 2.0], &Options::default());
    match result {
        Err(
            SolveError::StepSizeTooSmall { t, x, .. }
            | SolveError::NotFinite { t, x, .. }
            | SolveError::NotConverged { t, x, .. },
        ) => assert!((t - 1.0).abs() < 1e-4 && x[0] > 1e4, "{t} {x:?}"),
        other => panic!("{}: {other:?}", std::any::type_name::<M>()),
    }
}

/// Neither a Jacobian of zeros nor a wrong one, nor one that makes W singular at the first step, does harm.
fn odd_jacobians<M: Method<f64, Problem>>() {
    let options = Options {
        first_step: Some(0.5),
        ..tolerance(1e-7, 1e-7)
    };
    let exact = (-1.0f64).exp();
    for jacobian in [
        (|_, _, j| j[0] = 0.0) as fn(f64, &[f64], &mut [f64]),
        |_, _, j| j[0] = -3.0,
        |_, _, j| j[0] = 1.0 / (0.5 * 0.26),
        |_, _, j| j[0] = 1.0 / (0.5 * 0.25),
        |_, _, j| j[0] = 3.637834252744496 / 0.5,
    ] {
        let problem = scalar(|_, x, dx| dx[0] = -x[0], jacobian);
        let (result, x) = run::<M>(problem, &[1.0], &[0.0, 1.0], &options);
        result.expect("a solve");
        assert!((x[0] - exact).abs() < 1e-3, "{x:?}");
    }
    let problem = scalar(|_, x, dx| dx[0] = -x[0], |_, _, j| j[0] = f64::NAN);
    let (result, _) = run::<M>(problem, &[1.0], &[0.0, 1.0], &options);
    assert!(
        matches!(result, Err(SolveError::NotFinite { t: 0.0, .. })),
        "{result:?}"
    );
}

fn extremes<M: Method<f64, Problem>>() {
    for first in [1e-200, 1e-12, 1.0, 1e12, 1e300] {
        let options = Options {
            first_step: Some(first),
            ..tolerance(1e-7, 1e-7)
        };
        let (result, x) = run::<M>(decay(), &[1.0], &[0.0, 1.0], &options);
        result.expect("a solve");
        assert!((x[0] - (-1.0f64).exp()).abs() < 1e-4, "{first:e}: {x:?}");
    }
    for (x0, t0, t1) in [
        (1e300, 0.0, 1.0),
        (1e-300, 0.0, 1.0),
        (1.0, 1e15, 1e15 + 2.0),
        (1.0, 0.0, 1e-300),
        (0.0, 0.0, 1e300),
        (1.0, -1e-8, 1e-8),
    ] {
        match run::<M>(decay(), &[x0], &[t0, t1], &Options::default()).0 {
            Ok(statistics) => assert!(statistics.steps > 0),
            Err(
                SolveError::StepSizeTooSmall { .. }
                | SolveError::NotFinite { .. }
                | SolveError::NotConverged { .. }
                | SolveError::TooManySteps { .. },
            ) => {}
            other => panic!("{other:?} from {x0:e} over {t0:e}..{t1:e}"),
        }
    }
    let nothing = Problem::new(0, |_, _, _| {}, |_, _, _| {}, none);
    let (result, _) = run::<M>(nothing, &[], &[0.0, 1.0], &Options::default());
    assert_eq!(result.map(|s| s.steps), Ok(1));
    let options = Options {
        max_steps: 7,
        max_step: 1e-3,
        ..Options::default()
    };
    let (result, _) = run::<M>(decay(), &[1.0], &[0.0, 1.0], &options);
    assert!(matches!(
        result,
        Err(SolveError::TooManySteps { limit: 7, .. })
    ));
}

#[test]
fn bad_systems_end_in_typed_errors() {
    each!(end_is_approached);
    each!(blow_up_ends);
    each!(odd_jacobians);
    each!(extremes);
}
