//! The explicit methods on classical non-stiff problems: what is asked for is what comes out.

use costate_solvers::{
    Bs3, Dop853, Dopri5, Integrator, Method, NoRecord, Rodas5P, Samples, Tsit5, Vern7, Vern9,
};

use crate::problems::{Problem, largest, none, reference, tolerance, van_der_pol};

fn explicit(n: usize, f: fn(f64, &[f64], &mut [f64])) -> Problem {
    Problem::new(n, f, |_, _, j| j.fill(0.0), none)
}

fn kepler(_t: f64, x: &[f64], dx: &mut [f64]) {
    let cubed = x[0].hypot(x[1]).powi(3);
    dx.copy_from_slice(&[x[2], x[3], -x[0] / cubed, -x[1] / cubed]);
}

fn orbit(eccentricity: f64) -> Vec<f64> {
    let speed = ((1.0 + eccentricity) / (1.0 - eccentricity)).sqrt();
    vec![1.0 - eccentricity, 0.0, 0.0, speed]
}

/// Seven bodies of masses 1 to 7 in the plane: x, y, then their velocities.
fn seven_bodies(_t: f64, x: &[f64], dx: &mut [f64]) {
    dx[..14].copy_from_slice(&x[14..]);
    dx[14..].fill(0.0);
    for i in 0..7 {
        for j in (0..7).filter(|&j| j != i) {
            let (along, across) = (x[j] - x[i], x[7 + j] - x[7 + i]);
            let pull = (j + 1) as f64 / along.hypot(across).powi(3);
            dx[14 + i] += pull * along;
            dx[21 + i] += pull * across;
        }
    }
}

/// The equations of the seven bodies and where they start.
pub fn pleiades() -> (Problem, Vec<f64>) {
    let mut seven = vec![0.0; 28];
    seven[..14].copy_from_slice(&[
        3.0, 3.0, -1.0, -3.0, 2.0, -2.0, 2.0, 3.0, -3.0, 2.0, 0.0, 0.0, -4.0, 4.0,
    ]);
    (seven[19], seven[20], seven[24], seven[25]) = (1.75, -1.5, -1.25, 1.0);
    (explicit(28, seven_bodies), seven)
}

/// Name, equations, initial states and end of the span.
fn problems() -> Vec<(&'static str, Problem, Vec<f64>, f64)> {
    let (bodies, seven) = pleiades();
    vec![
        (
            "A3",
            explicit(1, |t, x, dx| dx[0] = x[0] * t.cos()),
            vec![1.0],
            20.0,
        ),
        (
            "A5",
            explicit(1, |t, x, dx| dx[0] = (x[0] - t) / (x[0] + t)),
            vec![4.0],
            20.0,
        ),
        (
            "B4",
            explicit(3, |_, x, dx| {
                let r = x[0].hypot(x[1]);
                dx[0] = -x[1] - x[0] * x[2] / r;
                dx[1] = x[0] - x[1] * x[2] / r;
                dx[2] = x[0] / r;
            }),
            vec![3.0, 0.0, 0.0],
            20.0,
        ),
        ("D2", explicit(4, kepler), orbit(0.3), 20.0),
        ("D4", explicit(4, kepler), orbit(0.7), 20.0),
        (
            "E3",
            explicit(2, |t, x, dx| {
                dx[0] = x[1];
                dx[1] = x[0].powi(3) / 6.0 - x[0] + 2.0 * (2.78535 * t).sin();
            }),
            vec![0.0, 0.0],
            20.0,
        ),
        (
            "E5",
            explicit(2, |t, x, dx| {
                dx[0] = x[1];
                dx[1] = (1.0 + x[1] * x[1]).sqrt() / (25.0 - t);
            }),
            vec![0.0, 0.0],
            20.0,
        ),
        (
            "rigid",
            explicit(3, |_, x, dx| {
                dx[0] = -2.0 * x[1] * x[2];
                dx[1] = 1.25 * x[0] * x[2];
                dx[2] = -0.5 * x[0] * x[1];
            }),
            vec![1.0, 0.0, 0.9],
            20.0,
        ),
        ("pleiades", bodies, seven, 3.0),
    ]
}

fn end_states(name: &str) -> Vec<f64> {
    let row = include_str!("../data/non_stiff.txt")
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .expect("a reference");
    row.split_whitespace()
        .map(|word| word.parse().expect("a number"))
        .collect()
}

fn solve<M: Method<f64, Problem>>(
    problem: &mut Problem,
    start: &[f64],
    end: f64,
    tol: f64,
) -> Vec<f64> {
    let mut x = start.to_vec();
    Integrator::<f64, M>::new(problem)
        .run(
            problem,
            &mut x,
            &[0.0, end],
            &tolerance(tol, tol),
            &mut NoRecord,
        )
        .expect("a solve");
    x
}

fn distance(x: &[f64], y: &[f64]) -> f64 {
    largest(x.iter().zip(y).map(|(x, y)| (x - y) / (1.0 + y.abs())))
}

/// What the problem itself makes of an early error: the largest change at the end per change of an initial state.
fn amplification(problem: &mut Problem, start: &[f64], end: f64, exact: &[f64]) -> f64 {
    let perturbed = (0..start.len()).map(|i| {
        let mut start = start.to_vec();
        start[i] += 1e-6;
        distance(&solve::<Vern9<f64>>(problem, &start, end, 1e-12), exact) / 1e-6
    });
    perturbed.fold(1.0, f64::max)
}

/// Errors stay below a hundred times the tolerance times what the problem amplifies errors by.
fn errors_follow<M: Method<f64, Problem>>(tolerances: &[f64]) {
    for (name, mut problem, start, end) in problems() {
        let exact = end_states(name);
        let amplified = amplification(&mut problem, &start, end, &exact);
        for &tol in tolerances {
            let error = distance(&solve::<M>(&mut problem, &start, end, tol), &exact);
            assert!(
                error < 100.0 * amplified * tol,
                "{name} at {tol:e}: {error:e}, amplified by {amplified}"
            );
        }
    }
}

#[test]
fn bs3() {
    errors_follow::<Bs3<f64>>(&[1e-4, 1e-7]);
}

#[test]
fn tsit5() {
    errors_follow::<Tsit5<f64>>(&[1e-4, 1e-7, 1e-10]);
}

#[test]
fn dopri5() {
    errors_follow::<Dopri5<f64>>(&[1e-4, 1e-7, 1e-10]);
}

#[test]
fn vern7() {
    errors_follow::<Vern7<f64>>(&[1e-4, 1e-7, 1e-10]);
}

#[test]
fn dop853() {
    errors_follow::<Dop853<f64>>(&[1e-4, 1e-7, 1e-10]);
}

#[test]
fn vern9() {
    errors_follow::<Vern9<f64>>(&[1e-4, 1e-7, 1e-10]);
}

/// Van der Pol's oscillator with mu = 1 at points on the way, by an explicit method and by one for stiff systems.
#[test]
fn both_methods_solve_the_mild_oscillator() {
    fn follows<M: Method<f64, Problem>>() {
        let rows = reference(include_str!("../data/vdp_mu1.txt"));
        let times: Vec<f64> = rows.iter().map(|(t, _)| *t).collect();
        let mut problem = van_der_pol();
        let mut samples = Samples::new(times).expect("samples");
        Integrator::<f64, M>::new(&problem)
            .run(
                &mut problem,
                &mut [2.0, 0.0],
                &[0.0, 20.0],
                &tolerance(1e-10, 1e-10),
                &mut samples,
            )
            .expect("a solve");
        for (k, (t, exact)) in rows.iter().enumerate() {
            let error = largest((0..2).map(|i| samples.state(k)[i] - exact[i]));
            assert!(error < 1e-8, "{error:e} at {t}");
        }
    }
    follows::<Tsit5<f64>>();
    follows::<Rodas5P<f64>>();
}
