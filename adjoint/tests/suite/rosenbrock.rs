//! Gradients through Rodas5P: adjoint, duals and differences of the frozen steps against each other and against
//! high-precision answers.

use crate::problems::{assert_close, loss, range, tolerance};
use costate_adjoint::sweep::AdjointError;
use costate_adjoint::{
    Dual, DualObjective, Dynamics, Handwritten, Rodas5PAdjoint, Seeds, Tape,
    gradient_by_differences, gradient_by_duals,
};
use costate_solvers::rosenbrock::Rodas5P;
use costate_solvers::{
    Integrator, Mesh, NoEvents, Options, Real, Samples, Scalar, SolveError, Tolerance,
};

/// POLLU, problem P3: 20 species, 25 reactions of air pollution; see data/README.md.
#[derive(Debug, Clone, Copy)]
struct Pollu;

const K: [f64; 25] = [
    0.35, 26.6, 12300.0, 8.6e-4, 8.2e-4, 15000.0, 1.3e-4, 24000.0, 16500.0, 9000.0, 0.022, 12000.0,
    1.88, 16300.0, 4.8e6, 3.5e-4, 0.0175, 1e8, 4.44e11, 1240.0, 2.1, 5.78, 0.0474, 1780.0, 3.12,
];

const GOLDEN_LOSS: f64 = 1142.528356907347;
const GOLDEN_Y1: f64 = 0.05646255480022;
const GOLDEN_GRADIENT: [f64; 25] = [
    -1.21793563,
    0.01632622266,
    -1.5585630e-9,
    -168.464161943,
    77.4263012873,
    4.4271486e-6,
    -45.822942345,
    -7.5511118e-6,
    -2.33299065e-6,
    4.2767270e-6,
    -0.61195974569,
    -1.61564e-10,
    -5.39994747e-4,
    7.1160883e-6,
    7.3693e-14,
    -7.93791017e-4,
    -9.250938e-8,
    -2.77732e-15,
    6.255e-19,
    -9.672683e-7,
    4.14139388e-4,
    -8.39312031e-4,
    0.155938412654,
    2.2364326e-6,
    -1.26373454e-3,
];

impl Dynamics for Pollu {
    fn states(&self) -> usize {
        20
    }
    fn parameters(&self) -> usize {
        25
    }
    fn rhs<S: Real>(&self, _t: S, y: &[S], k: &[S], dy: &mut [S]) {
        let r1 = k[0] * y[0];
        let r2 = k[1] * y[1] * y[3];
        let r3 = k[2] * y[4] * y[1];
        let r4 = k[3] * y[6];
        let r5 = k[4] * y[6];
        let r6 = k[5] * y[6] * y[5];
        let r7 = k[6] * y[8];
        let r8 = k[7] * y[8] * y[5];
        let r9 = k[8] * y[10] * y[1];
        let r10 = k[9] * y[10] * y[0];
        let r11 = k[10] * y[12];
        let r12 = k[11] * y[9] * y[1];
        let r13 = k[12] * y[13];
        let r14 = k[13] * y[0] * y[5];
        let r15 = k[14] * y[2];
        let r16 = k[15] * y[3];
        let r17 = k[16] * y[3];
        let r18 = k[17] * y[15];
        let r19 = k[18] * y[15];
        let r20 = k[19] * y[16] * y[5];
        let r21 = k[20] * y[18];
        let r22 = k[21] * y[18];
        let r23 = k[22] * y[0] * y[3];
        let r24 = k[23] * y[18] * y[0];
        let r25 = k[24] * y[19];
        dy[0] = -r1 - r10 - r14 - r23 - r24 + r2 + r3 + r9 + r11 + r12 + r22 + r25;
        dy[1] = -r2 - r3 - r9 - r12 + r1 + r21;
        dy[2] = -r15 + r1 + r17 + r19 + r22;
        dy[3] = -r2 - r16 - r17 - r23 + r15;
        dy[4] = -r3 + r4 * 2.0 + r6 + r7 + r13 + r20;
        dy[5] = -r6 - r8 - r14 - r20 + r3 + r18 * 2.0;
        dy[6] = -r4 - r5 - r6 + r13;
        dy[7] = r4 + r5 + r6 + r7;
        dy[8] = -r7 - r8;
        dy[9] = -r12 + r7 + r9;
        dy[10] = -r9 - r10 + r8 + r11;
        dy[11] = r9;
        dy[12] = -r11 + r10;
        dy[13] = -r13 + r12;
        dy[14] = r14;
        dy[15] = -r18 - r19 + r16;
        dy[16] = -r20;
        dy[17] = r20;
        dy[18] = -r21 - r22 - r24 + r23 + r25;
        dy[19] = -r25 + r24;
    }
}

fn pollu_start() -> Vec<f64> {
    let mut y = vec![0.0; 20];
    for (i, v) in [
        (1, 0.2),
        (3, 0.04),
        (6, 0.1),
        (7, 0.3),
        (8, 0.01),
        (16, 0.007),
    ] {
        y[i] = v;
    }
    y
}

/// A forced, stiff oscillator with a jump at t = 1 and a right-hand side that depends on t nonlinearly.
#[derive(Debug, Clone, Copy)]
struct Forced {
    late: bool,
}

impl Dynamics for Forced {
    fn states(&self) -> usize {
        2
    }
    fn parameters(&self) -> usize {
        3
    }
    fn rhs<S: Real>(&self, t: S, x: &[S], p: &[S], dx: &mut [S]) {
        let push = if self.late { p[2] } else { S::from(0.0) };
        let driven = (t * p[1]).sin() * x[0];
        dx[0] = x[1] + push;
        dx[1] = p[0] * ((-(x[0] * x[0]) + 1.0) * x[1]) - x[0] + driven * x[1] + (t * t).cos();
    }
    fn enter_stretch(&mut self, middle: f64) {
        self.late = middle > 1.0;
    }
}

/// A solve whose objective is the loss of its samples and a weighted sum of its final states.
#[derive(Debug, Clone)]
struct Problem<M> {
    model: M,
    states: usize,
    parameters: usize,
    times: Vec<f64>,
    at: Vec<f64>,
    options: Options,
    mesh: Option<Mesh>,
}

fn weight(i: usize) -> f64 {
    0.25 * (i as f64 - 0.5)
}

impl<M: Dynamics + Copy> Problem<M> {
    /// The objective at variables (x0, p, times), along the mesh where there is one.
    fn value<S: Scalar>(&self, variables: &[S]) -> Result<S, SolveError> {
        let (x0, rest) = variables.split_at(self.states);
        let (p, times) = rest.split_at(self.parameters);
        let mut system = Handwritten::new(self.model, p);
        let mut samples = Samples::new(self.at.iter().map(|&t| S::from(t)).collect())?;
        let mut x = x0.to_vec();
        let mut integrator = Integrator::<S, Rodas5P<S>>::new(&system);
        let options = &self.options;
        match &self.mesh {
            None => integrator.run(&mut system, &mut x, times, options, &mut samples)?,
            Some(mesh) => {
                integrator.replay(&mut system, &mut x, times, mesh, options, &mut samples)?
            }
        };
        let mut sum = loss(samples.values());
        for (i, &x) in x.iter().enumerate() {
            sum += x * weight(i);
        }
        Ok(sum)
    }

    fn variables(&self, x0: &[f64], p: &[f64]) -> Vec<f64> {
        [x0, p, &self.times].concat()
    }

    /// Objective and gradient by the adjoint, in the order of the variables, and the steps taken.
    fn adjoint(&self, variables: &[f64]) -> (f64, Vec<f64>, Mesh) {
        let (x0, rest) = variables.split_at(self.states);
        let (p, times) = rest.split_at(self.parameters);
        let mut system = Handwritten::new(self.model, p);
        let samples = Samples::new(self.at.clone()).unwrap();
        let mut recorder = (Mesh::default(), (Tape::new(), samples));
        let mut x = x0.to_vec();
        Integrator::<f64, Rodas5P<f64>>::new(&system)
            .run(&mut system, &mut x, times, &self.options, &mut recorder)
            .unwrap();
        let (mesh, (tape, samples)) = recorder;
        let sample_bars: Vec<f64> = samples.values().iter().map(|x| x - 1.0).collect();
        let final_bar: Vec<f64> = (0..self.states).map(weight).collect();
        let mut gradient = vec![0.0; variables.len()];
        let (x0_bar, rest) = gradient.split_at_mut(self.states);
        let (p_bar, bars) = rest.split_at_mut(self.parameters);
        let seeds = Seeds {
            samples: samples.places(),
            sample_bars: &sample_bars,
            final_bar: &final_bar,
            ..Seeds::default()
        };
        Rodas5PAdjoint::default()
            .sweep(
                &mut system,
                &mut NoEvents,
                &tape,
                &seeds,
                x0_bar,
                p_bar,
                Some(bars),
            )
            .unwrap();
        let mut value = loss(samples.values());
        for (i, &x) in x.iter().enumerate() {
            value += x * weight(i);
        }
        (value, gradient, mesh)
    }
}

impl<M: Dynamics + Copy> DualObjective for Problem<M> {
    type Error = SolveError;
    fn evaluate<const N: usize>(&mut self, variables: &[Dual<N>]) -> Result<Dual<N>, SolveError> {
        self.value(variables)
    }
}

fn forced(times: &[f64], tol: f64) -> Problem<Forced> {
    let mut at = range(times[0].min(times[2]) + 0.05, 0.125, 15);
    if times[0] > times[2] {
        at.reverse();
    }
    Problem {
        model: Forced { late: false },
        states: 2,
        parameters: 3,
        times: times.to_vec(),
        at,
        options: tolerance(tol),
        mesh: None,
    }
}

#[test]
fn adjoint_and_duals_agree_to_rounding_with_jumps_and_moving_times() {
    // Backward in time the damping has the other sign.
    for (times, damping) in [([-0.2, 1.0, 2.0], 8.0), ([2.0, 1.0, 0.1], -8.0)] {
        for tol in [1e-3, 1e-8] {
            let mut problem = forced(&times, tol);
            let variables = problem.variables(&[1.5, -0.3], &[damping, 1.3, 0.7]);
            let (value, adjoint, _) = problem.adjoint(&variables);
            let mut by_duals = vec![0.0; 8];
            let directions: Vec<usize> = (0..8).collect();
            let over_duals =
                gradient_by_duals(&mut problem, &variables, &directions, &mut by_duals).unwrap();
            assert_eq!(value.to_bits(), over_duals.to_bits());
            let scale = by_duals.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
            assert_close(&adjoint, &by_duals, 1e-11, scale, "gradient");
            assert!(adjoint[6].abs() > 1e-3 * scale, "the jump's time matters");
        }
    }
}

#[test]
fn the_gradient_is_that_of_the_frozen_steps() {
    let mut problem = forced(&[-0.2, 1.0, 2.0], 1e-5);
    let variables = problem.variables(&[1.5, -0.3], &[8.0, 1.3, 0.7]);
    let (_, adjoint, mesh) = problem.adjoint(&variables);
    problem.mesh = Some(mesh);
    let mut differences = vec![0.0; 8];
    let directions: Vec<usize> = (0..8).collect();
    gradient_by_differences(
        |v| problem.value(v),
        &variables,
        &directions,
        &mut differences,
    )
    .unwrap();
    assert_close(&differences, &adjoint, 1e-7, 1.0, "differences");
}

/// df/dt is infinite at t = 0, where a stretch begins. The solution is x0 exp(3/4 p t^(4/3)) from 0 on.
#[derive(Debug, Clone, Copy)]
struct Steep;

impl Dynamics for Steep {
    fn states(&self) -> usize {
        1
    }
    fn parameters(&self) -> usize {
        1
    }
    fn rhs<S: Real>(&self, t: S, x: &[S], p: &[S], dx: &mut [S]) {
        dx[0] = p[0] * t.cbrt() * x[0];
    }
}

fn steep() -> Problem<Steep> {
    Problem {
        model: Steep,
        states: 1,
        parameters: 1,
        times: vec![0.0, 1.0],
        at: Vec::new(),
        options: tolerance(1e-8),
        mesh: None,
    }
}

#[test]
fn duals_go_through_an_infinite_time_derivative() {
    let mut problem = steep();
    let variables = problem.variables(&[2.0], &[1.2]);
    let mut by_duals = vec![0.0; 4];
    gradient_by_duals(&mut problem, &variables, &[0, 1], &mut by_duals).unwrap();
    let grown = f64::exp(0.75 * 1.2);
    let exact = [weight(0) * grown, weight(0) * 0.75 * 2.0 * grown];
    assert_close(&by_duals[..2], &exact, 1e-6, 0.0, "gradient");
    let mut system = Handwritten::new(problem.model, &variables[1..2]);
    let mut mesh = Mesh::default();
    Integrator::<f64, Rodas5P<f64>>::new(&system)
        .run(
            &mut system,
            &mut [2.0],
            &problem.times,
            &problem.options,
            &mut mesh,
        )
        .unwrap();
    problem.mesh = Some(mesh);
    let mut differences = vec![0.0; 4];
    gradient_by_differences(|v| problem.value(v), &variables, &[0, 1], &mut differences).unwrap();
    assert_close(&differences, &by_duals, 1e-8, 1.0, "differences");
}

/// The sweep would need the derivatives of df/dt, and says so.
#[test]
fn the_adjoint_refuses_an_infinite_time_derivative() {
    let problem = steep();
    let mut system = Handwritten::new(problem.model, &[1.2]);
    let mut tape = Tape::new();
    Integrator::<f64, Rodas5P<f64>>::new(&system)
        .run(
            &mut system,
            &mut [2.0],
            &problem.times,
            &problem.options,
            &mut tape,
        )
        .unwrap();
    let seeds = Seeds {
        final_bar: &[1.0],
        ..Seeds::default()
    };
    let result = Rodas5PAdjoint::default().sweep(
        &mut system,
        &mut NoEvents,
        &tape,
        &seeds,
        &mut [0.0],
        &mut [0.0],
        None,
    );
    assert_eq!(
        result,
        Err(AdjointError::InfiniteTimeDerivative { step: 0 })
    );
}

#[test]
fn pollu_meets_the_high_precision_loss_and_gradient() {
    let options = Options {
        rtol: 1e-10,
        atol: Tolerance::Uniform(1e-14),
        ..Options::default()
    };
    let mut system = Handwritten::new(Pollu, &K);
    let samples = Samples::new(range(0.0, 0.5, 121)).unwrap();
    let mut recorder = (Tape::new(), samples);
    let mut x = pollu_start();
    Integrator::<f64, Rodas5P<f64>>::new(&system)
        .run(&mut system, &mut x, &[0.0, 60.0], &options, &mut recorder)
        .unwrap();
    let (tape, samples) = recorder;
    assert_close(
        &[loss(samples.values())],
        &[GOLDEN_LOSS],
        1e-10,
        0.0,
        "loss",
    );
    assert_close(&x[..1], &[GOLDEN_Y1], 1e-9, 0.0, "y1(60)");
    let bars: Vec<f64> = samples.values().iter().map(|x| x - 1.0).collect();
    let seeds = Seeds {
        samples: samples.places(),
        sample_bars: &bars,
        ..Seeds::default()
    };
    let (mut x0_bar, mut p_bar) = ([0.0; 20], [0.0; 25]);
    Rodas5PAdjoint::default()
        .sweep(
            &mut system,
            &mut NoEvents,
            &tape,
            &seeds,
            &mut x0_bar,
            &mut p_bar,
            None,
        )
        .unwrap();
    for (i, (actual, expected)) in p_bar.iter().zip(GOLDEN_GRADIENT).enumerate() {
        // The reference is good to some 3e-7 relative, and no better than its printed digits (4 to 12).
        let what = format!("dL/dk{}", i + 1);
        assert_close(&[*actual], &[expected], digits(expected), 0.0, &what);
    }
}

/// Relative tolerance for a number printed with that many digits: one unit in the last, at least 5e-7.
fn digits(x: f64) -> f64 {
    let printed = format!("{x:e}");
    let mantissa = printed.split('e').next().unwrap_or_default();
    let count = mantissa.chars().filter(char::is_ascii_digit).count() as i32;
    let leading: f64 = mantissa.parse().unwrap();
    f64::max(5e-7, 10f64.powi(1 - count) / leading.abs())
}

#[test]
fn pollu_by_adjoint_and_by_duals_in_chunks_agree() {
    let mut problem = Problem {
        model: Pollu,
        states: 20,
        parameters: 25,
        times: vec![0.0, 60.0],
        at: range(0.0, 0.5, 121),
        options: tolerance(1e-6),
        mesh: None,
    };
    let variables = problem.variables(&pollu_start(), &K);
    let (value, adjoint, _) = problem.adjoint(&variables);
    let directions: Vec<usize> = (20..45).collect();
    let mut by_duals = vec![0.0; 25];
    let over_duals =
        gradient_by_duals(&mut problem, &variables, &directions, &mut by_duals).unwrap();
    assert_eq!(value.to_bits(), over_duals.to_bits());
    // Relative to what a relative change of the rate does to the loss, which spans 20 orders of magnitude.
    for i in 0..25 {
        let scaled = [adjoint[20 + i] * K[i], by_duals[i] * K[i]];
        assert_close(&scaled[..1], &scaled[1..], 1e-8, 1e-4, "k dL/dk");
    }
}
