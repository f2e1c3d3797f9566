//! What is particular to BDF and NDF: formulas, fixed orders, the choice of order, stiff references, replays.

use costate_solvers::multistep::{
    BackwardDifferentiation, Formula, Multistep, NumericalDifferentiation, formula,
};
use costate_solvers::{
    Bdf, Integrator, Mass, Mesh, Method, Ndf, NoRecord, Options, Pattern, Samples, SolveError,
    Statistics, Tolerance, Trajectory,
};

use crate::multistep_problems::{
    self as stiff, Stiff, chemical_akzo, e5, hires, oregonator, pollution, robertson_dae,
};
use crate::problems::{
    Problem, coupled, coupled_solution, largest, lotka_volterra, reference, slope, tolerance,
};

/// nabla^j of t^m over unit steps, at t = 0.
fn difference(j: usize, m: i32) -> f64 {
    let mut points: Vec<f64> = (0..=j).map(|i| (-(i as f64)).powi(m)).collect();
    for left in (1..=j).rev() {
        for i in 0..left {
            points[i] -= points[i + 1];
        }
    }
    points[0]
}

/// Order k differentiates t^m exactly for m <= k, and misses t^{k+1} by 1/(k+1) nabla^{k+1}.
#[test]
fn formulas_have_their_orders() {
    for k in 1..=formula::MAX_ORDER {
        let derivative = |m| {
            let terms = (1..=k).map(|j| difference(j, m) / j as f64);
            terms.sum::<f64>()
        };
        for m in 0..=k as i32 {
            let exact = if m == 1 { 1.0 } else { 0.0 };
            assert!((derivative(m) - exact).abs() < 1e-10, "order {k}, t^{m}");
        }
        let missed = -derivative(k as i32 + 1) / difference(k + 1, k as i32 + 1);
        assert!((missed - BackwardDifferentiation::error_constant(k)).abs() < 1e-10);
        let sum: f64 = (1..=k).map(|j| 1.0 / j as f64).sum();
        assert!((formula::GAMMA[k] - sum).abs() < 1e-15);
    }
}

/// The step that an error allows grows as (error constant)^(-1/(k+1)): Shampine & Reichelt's table 1.
#[test]
fn ndf_allows_larger_steps() {
    for (k, gain) in [(1, 1.26), (2, 1.26), (3, 1.26), (4, 1.12), (5, 1.0)] {
        let ratio = BackwardDifferentiation::error_constant(k)
            / NumericalDifferentiation::error_constant(k);
        let growth = ratio.powf(1.0 / (k + 1) as f64);
        assert!((growth - gain).abs() < 6e-3, "order {k}: {growth}");
    }
}

/// `steps` steps of order k from exact past states: errors at the end and inside the last step.
fn fixed_order<V: Formula>(k: usize, steps: usize) -> [f64; 2] {
    let mut problem = coupled();
    let (start, end) = (-0.4, 0.8);
    let h = (end - start) / steps as f64;
    let options = tolerance(1e-13, 1e-13);
    let mut statistics = Statistics::default();
    type M<V> = Multistep<f64, V>;
    let mut method = <M<V> as Method<f64, Problem>>::new(&problem);
    let mut x = coupled_solution(start);
    method.restart(&mut problem, start, &x, &mut statistics);
    let past: Vec<[f64; 2]> = (1..=k)
        .map(|i| coupled_solution(start - i as f64 * h))
        .collect();
    let past: Vec<&[f64]> = past.iter().map(|x| &x[..]).collect();
    method.begin_with(&x, &past, h);
    let mut x_new = [0.0; 2];
    let mut inside = [0.0; 2];
    for step in 0..steps {
        let t = start + step as f64 * h;
        method.step(
            &mut problem,
            t,
            h,
            &x,
            &mut x_new,
            &options,
            &mut statistics,
        );
        Method::<f64, Problem>::accept(&mut method, &mut problem, t + h, &x_new, &mut statistics);
        assert_eq!(method.next_order(), k);
        method.densify(&mut problem, t, h, &x, &x_new, &mut statistics);
        let stages = Method::<f64, Problem>::stages(&method);
        let at = |theta: f64| {
            let mut out = [0.0; 2];
            <M<V> as Method<f64, Problem>>::interpolate(theta, h, &x, &x_new, stages, &mut out);
            out
        };
        // dense output meets both ends
        assert!(largest((0..2).map(|i| at(0.0)[i] - x[i])) < 1e-14);
        assert_eq!(at(1.0), x_new);
        inside = at(0.4);
        x = x_new;
    }
    let error = |t: f64, x: &[f64; 2]| largest((0..2).map(|i| x[i] - coupled_solution(t)[i]));
    [error(end, &x), error(end - 0.6 * h, &inside)]
}

#[test]
fn fixed_orders_converge() {
    fn check<V: Formula>() {
        for k in 1..=5 {
            let counts: &[usize] = if k < 4 {
                &[160, 240, 360, 540]
            } else {
                &[240, 360, 540]
            };
            let errors: Vec<[f64; 2]> = counts.iter().map(|&s| fixed_order::<V>(k, s)).collect();
            for place in 0..2 {
                let points: Vec<(f64, f64)> = counts
                    .iter()
                    .zip(&errors)
                    .map(|(&steps, e)| (-(steps as f64).ln(), e[place].ln()))
                    .collect();
                let order = slope(&points);
                assert!(
                    (order - k as f64).abs() < 0.15,
                    "order {k}: {order} {errors:?}"
                );
            }
        }
    }
    check::<BackwardDifferentiation>();
    check::<NumericalDifferentiation>();
}

/// The largest error at the reference points in units of |x| + atol / rtol, over rtol.
fn achieved<M: Method<f64, Stiff>>(
    problem: &Stiff,
    rows: &[(f64, Vec<f64>)],
    rtol: f64,
    floor: f64,
) -> (f64, Statistics) {
    let mut problem = problem.clone();
    let mut x = problem.start.clone();
    let mut samples = Samples::new(rows.iter().map(|(t, _)| *t).collect()).expect("samples");
    let end = rows[rows.len() - 1].0;
    let statistics = Integrator::<f64, M>::new(&problem)
        .run(
            &mut problem,
            &mut x,
            &[0.0, end],
            &tolerance(rtol, rtol * floor),
            &mut samples,
        )
        .expect("a solve");
    let errors = rows.iter().enumerate().flat_map(|(k, (_, exact))| {
        let state = samples.state(k);
        exact
            .iter()
            .zip(state)
            .map(move |(e, x)| (x - e) / (e.abs() + floor))
    });
    (largest(errors) / rtol, statistics)
}

/// Times and the states there.
type Rows = Vec<(f64, Vec<f64>)>;

/// Name, problem, reference states and atol / rtol.
fn stiff_references() -> Vec<(&'static str, Stiff, Rows, f64)> {
    let rober = reference(include_str!("../data/rober.txt"));
    let until = |end: f64| rober.iter().filter(|(t, _)| *t <= end).cloned().collect();
    // in the time of the slow motion: t / 1000 and 1000 x_2
    let van_der_pol = reference(include_str!("../data/vdpol.txt"))
        .into_iter()
        .map(|(t, x)| (t / 1e3, vec![x[0], 1e3 * x[1]]))
        .collect();
    vec![
        ("ROBER", stiff::robertson(), until(1e11), 1e-6),
        (
            "ROBER, DAE",
            robertson_dae(),
            until(4e10), // x_3 = 1 - x_1 - x_2 is known to 1e-16 only: no tolerance may ask for more
            1e-4,
        ),
        (
            "HIRES",
            hires(),
            reference(include_str!("../data/multistep/hires.txt")),
            1e-2,
        ),
        (
            "OREGO",
            oregonator(),
            reference(include_str!("../data/multistep/orego.txt")),
            1e-2,
        ),
        (
            "POLLU",
            pollution(),
            reference(include_str!("../data/multistep/pollu.txt")),
            1e-2,
        ),
        ("VDPOL", stiff::van_der_pol(), van_der_pol, 1e-2),
        (
            "E5",
            e5(),
            reference(include_str!("../data/multistep/e5.txt")),
            1e-13,
        ),
        (
            "Akzo",
            chemical_akzo(),
            reference(include_str!("../data/multistep/chemakzo.txt")),
            1e-2,
        ),
    ]
}

#[test]
fn stiff_problems_are_solved_to_tolerance() {
    for (name, problem, rows, floor) in stiff_references() {
        for rtol in [1e-4, 1e-7, 1e-10] {
            let (ndf, _) = achieved::<Ndf<f64>>(&problem, &rows, rtol, floor);
            let (bdf, _) = achieved::<Bdf<f64>>(&problem, &rows, rtol, floor);
            assert!(
                ndf < 100.0 && bdf < 100.0,
                "{name} at {rtol:e}: {ndf} {bdf}"
            );
        }
    }
}

/// A mesh of a solve with rejections, through stop times, repeats it to the last bit, mass matrix or not.
#[test]
fn replays_are_exact() {
    for (problem, times) in [
        (stiff::van_der_pol(), vec![0.0, 0.3, 0.9, 2.0]),
        (oregonator(), vec![0.0, 100.0, 360.0]),
        (robertson_dae(), vec![0.0, 1.0, 1e6]),
    ] {
        let mut system = problem.clone();
        let mut integrator = Integrator::<f64, Ndf<f64>>::new(&system);
        let options = tolerance(1e-5, 1e-9);
        let mut recorder = (Mesh::default(), Trajectory::new());
        let mut x = problem.start.clone();
        let solved = integrator
            .run(&mut system, &mut x, &times, &options, &mut recorder)
            .expect("a solve");
        let (mesh, first) = recorder;
        assert!(solved.rejected > 0);
        let mut second = Trajectory::new();
        let mut y = problem.start.clone();
        integrator
            .replay(&mut system, &mut y, &times, &mesh, &options, &mut second)
            .expect("a replay");
        assert_eq!(x, y);
        for i in 0..solved.steps {
            assert_eq!(first.state(i), second.state(i));
            assert_eq!(first.stages(i), second.stages(i));
        }
    }
}

/// Any step may be tried from a state before one is accepted, and leaves no trace.
#[test]
fn tried_steps_leave_no_trace() {
    let mut problem = coupled();
    let options = tolerance(1e-8, 1e-8);
    let mut statistics = Statistics::default();
    let run = |detours: &[f64], problem: &mut Problem, statistics: &mut Statistics| {
        let mut method = <Ndf<f64> as Method<f64, Problem>>::new(problem);
        let mut x = coupled_solution(0.0);
        let mut x_new = [0.0; 2];
        method.restart(problem, 0.0, &x, statistics);
        let h = 1e-3;
        for step in 0..40 {
            let t = h * f64::from(step);
            if step == 20 {
                for &detour in detours {
                    method.step(problem, t, detour, &x, &mut x_new, &options, statistics);
                }
            }
            // both begin this step with a new matrix
            if step == 20 && detours.is_empty() {
                method.step(problem, t, h, &x, &mut x_new, &options, statistics);
            }
            method.step(problem, t, h, &x, &mut x_new, &options, statistics);
            method.accept(problem, t + h, &x_new, statistics);
            Method::<f64, Problem>::resize(&mut method, costate_solvers::Outcome::Accepted);
            x = x_new;
        }
        x
    };
    let plain = run(&[], &mut problem, &mut statistics);
    let detoured = run(&[5e-4, 7e-2, 1e-9], &mut problem, &mut statistics);
    assert_eq!(plain, detoured);
    let exact = coupled_solution(0.04);
    let error = largest((0..2).map(|i| plain[i] - exact[i]));
    assert!(error < 3e-6, "{error:e}");
}

/// Interpolated states are as good as those at the steps' ends.
#[test]
fn samples_between_steps_keep_the_accuracy() {
    let times: Vec<f64> = (0..=200)
        .map(|k| -0.5 + 1.5 * f64::from(k) / 200.0)
        .collect();
    let mut samples = Samples::new(times.clone()).expect("samples");
    let mut problem = coupled();
    let mut x = coupled_solution(-0.5);
    Integrator::<f64, Ndf<f64>>::new(&problem)
        .run(
            &mut problem,
            &mut x,
            &[-0.5, 1.0],
            &tolerance(1e-8, 1e-8),
            &mut samples,
        )
        .expect("a solve");
    let error = |t: f64, x: &[f64]| largest((0..2).map(|i| x[i] - coupled_solution(t)[i]));
    let worst = largest(
        times
            .iter()
            .enumerate()
            .map(|(k, &t)| error(t, samples.state(k))),
    );
    assert!(worst < 1e-6, "{worst:e}");
}

/// A hundred stop times: each a fresh start, all of them met.
#[test]
fn many_stop_times() {
    let times: Vec<f64> = (0..=100).map(|k| f64::from(k) / 10.0).collect();
    let mut problem = lotka_volterra();
    let mut x = [1.0, 1.0];
    let statistics = Integrator::<f64, Ndf<f64>>::new(&problem)
        .run(
            &mut problem,
            &mut x,
            &times,
            &tolerance(1e-6, 1e-6),
            &mut NoRecord,
        )
        .expect("a solve");
    let exact = &reference(include_str!("../data/lotka_volterra.txt"))[3].1;
    let error = largest((0..2).map(|i| x[i] - exact[i]));
    assert!(error < 3e-4, "{error:e}");
    assert!(
        statistics.rejected < statistics.steps / 10,
        "{statistics:?}"
    );
}

/// Fixed steps are taken as they are; the order still rises.
#[test]
fn fixed_steps() {
    let mut problem = coupled();
    let mut mesh = Mesh::default();
    let mut x = coupled_solution(0.0);
    let options = Options {
        step: Some(0.01),
        ..tolerance(1e-8, 1e-8)
    };
    Integrator::<f64, Ndf<f64>>::new(&problem)
        .run(&mut problem, &mut x, &[0.0, 1.0], &options, &mut mesh)
        .expect("a solve");
    assert_eq!(mesh.steps.len(), 100);
    assert!(mesh.steps.iter().all(|s| (s.h - 0.01).abs() < 1e-12));
    assert!(mesh.steps.iter().any(|s| s.mode & 0x0f >= 4));
}

/// The order climbs to the highest where accuracy asks for it.
#[test]
fn orders_are_used() {
    let mut problem = hires();
    let mut mesh = Mesh::default();
    let mut x = problem.start.clone();
    Integrator::<f64, Bdf<f64>>::new(&problem)
        .run(
            &mut problem,
            &mut x,
            &[0.0, 321.8122],
            &tolerance(1e-8, 1e-10),
            &mut mesh,
        )
        .expect("a solve");
    let taken = |order: u8| mesh.steps.iter().filter(|s| s.mode & 0x0f == order).count();
    assert!((1..=5).all(|order| taken(order) > 0));
    assert!(taken(1) < 20 && taken(5) > mesh.steps.len() / 4);
}

#[test]
fn a_mass_matrix_of_another_size_is_refused() {
    let mut problem = robertson_dae();
    problem.mass = Some(Mass {
        pattern: Pattern::dense(2),
        values: vec![1.0; 4],
    });
    let mut x = problem.start.clone();
    let options = Options::default();
    let result = Integrator::<f64, Bdf<f64>>::new(&robertson_dae()).run(
        &mut problem,
        &mut x,
        &[0.0, 1.0],
        &options,
        &mut NoRecord,
    );
    assert!(matches!(result, Err(SolveError::Invalid { .. })));
}

/// M x' = f with M = diag(2, 0): x_1 = e^(-t/2), x_2 = x_1^2 + sin t follows at the accuracy of x_1.
#[test]
fn algebraic_states_follow() {
    let mut problem = Problem::new(
        2,
        |t, x, dx| {
            dx[0] = -x[0];
            dx[1] = x[1] - x[0] * x[0] - t.sin();
        },
        |_, x, j| j.copy_from_slice(&[-1.0, -2.0 * x[0], 0.0, 1.0]),
        |t, _, ft| {
            ft[0] = 0.0;
            ft[1] = -t.cos();
        },
    );
    problem.mass = Some(Mass {
        pattern: Pattern::from_entries(2, 2, &[(0, 0)]),
        values: vec![2.0],
    });
    let mut x = [1.0, 1.0];
    Integrator::<f64, Ndf<f64>>::new(&problem)
        .run(
            &mut problem,
            &mut x,
            &[0.0, 3.0],
            &tolerance(1e-9, 1e-9),
            &mut NoRecord,
        )
        .expect("a solve");
    let first = (-1.5f64).exp();
    assert!((x[0] - first).abs() < 1e-7);
    assert!((x[1] - first * first - 3.0f64.sin()).abs() < 1e-7);
}

/// The error at t = 10 follows the tolerance over seven decades: as tol^(5/6) where order 5 is used throughout,
/// since the error test is one of local errors, not of errors per unit of time.
#[test]
fn errors_follow_the_tolerance() {
    fn check<M: Method<f64, Problem>>() {
        let exact = &reference(include_str!("../data/lotka_volterra.txt"))[3].1;
        let points: Vec<(f64, f64)> = (3..=10)
            .map(|digits| {
                let tol = 10f64.powi(-digits);
                let mut problem = lotka_volterra();
                let mut x = [1.0, 1.0];
                Integrator::<f64, M>::new(&problem)
                    .run(
                        &mut problem,
                        &mut x,
                        &[0.0, 10.0],
                        &tolerance(tol, tol),
                        &mut NoRecord,
                    )
                    .expect("a solve");
                let error = largest((0..2).map(|i| x[i] - exact[i]));
                assert!(error < 300.0 * tol, "{error:e} at {tol:e}");
                (tol.ln(), error.ln())
            })
            .collect();
        let observed = slope(&points);
        assert!(observed > 0.75 && observed < 1.1, "{observed}");
    }
    check::<Bdf<f64>>();
    check::<Ndf<f64>>();
}

/// No step is larger than the largest allowed, at no cost in accuracy.
#[test]
fn largest_step() {
    let mut problem = coupled();
    let mut mesh = Mesh::default();
    let mut x = coupled_solution(0.0);
    let options = Options {
        max_step: 0.01,
        ..Options::default()
    };
    Integrator::<f64, Bdf<f64>>::new(&problem)
        .run(&mut problem, &mut x, &[0.0, 1.0], &options, &mut mesh)
        .expect("a solve");
    assert!(mesh.steps.iter().all(|s| s.h <= 0.01));
    let exact = coupled_solution(1.0);
    assert!(largest((0..2).map(|i| x[i] - exact[i])) < 1e-5);
}

/// A tolerance per state is kept.
#[test]
fn tolerances_per_state() {
    let mut problem = hires();
    let mut x = problem.start.clone();
    let options = Options {
        rtol: 1e-6,
        atol: Tolerance::PerState(vec![1e-10; 8]),
        ..Options::default()
    };
    let (t, exact) = &reference(include_str!("../data/multistep/hires.txt"))[2];
    Integrator::<f64, Ndf<f64>>::new(&problem)
        .run(&mut problem, &mut x, &[0.0, *t], &options, &mut NoRecord)
        .expect("a solve");
    assert!(largest((0..8).map(|i| (x[i] - exact[i]) / exact[i])) < 1e-4);
}

/// An order limit is kept.
#[test]
fn orders_are_limited() {
    let mut problem = coupled();
    let mut statistics = Statistics::default();
    for limit in 1..=5 {
        let mut method = <Ndf<f64> as Method<f64, Problem>>::new(&problem);
        method.limit_order(limit);
        let mut x = coupled_solution(0.0);
        method.restart(&mut problem, 0.0, &x, &mut statistics);
        let h = 1e-3;
        for step in 0..60 {
            let t = h * f64::from(step);
            let mut x_new = [0.0; 2];
            let options = tolerance(1e-8, 1e-8);
            method.step(
                &mut problem,
                t,
                h,
                &x,
                &mut x_new,
                &options,
                &mut statistics,
            );
            Method::<f64, Problem>::accept(
                &mut method,
                &mut problem,
                t + h,
                &x_new,
                &mut statistics,
            );
            Method::<f64, Problem>::resize(&mut method, costate_solvers::Outcome::Accepted);
            assert!(method.next_order() <= limit);
            x = x_new;
        }
        assert!(method.next_order() >= limit.min(3));
    }
}
