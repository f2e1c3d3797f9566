//! Gradients through Tsit5: adjoint, duals and differences of the frozen steps against each other and against
//! high-precision answers.

use crate::problems::{LotkaVolterra, assert_close, loss, range, tolerance};
use costate_adjoint::{Dual, Dynamics, Handwritten, Seeds, Tape, Tsit5Adjoint};
use costate_solvers::{
    Integrator, Mesh, NoEvents, NoRecord, Options, Real, Samples, Scalar, Tsit5,
};

const P: [f64; 3] = [1.5, 1.0, 3.0];
const GOLDEN_LOSS: f64 = 102.04210862116673;
const GOLDEN_GRADIENT: [f64; 3] = [25.50063723177803, -77.25507741525088, 93.53212756432494];
const GOLDEN_FINAL: [[f64; 3]; 2] = [
    [2.160557523563006, 0.1885687770779806, 0.5631827941682601],
    [-6.256770517220717, -0.6979775889892963, -1.709017680597943],
];

/// Loss and its gradient by the adjoint: with respect to the initial states, the parameters and the times.
fn by_adjoint<M: Dynamics>(
    model: M,
    x0: &[f64],
    p: &[f64],
    times: &[f64],
    at: &[f64],
    options: &Options,
) -> (f64, Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut system = Handwritten::new(model, p);
    let mut recorder = (Tape::new(), Samples::new(at.to_vec()).unwrap());
    let mut x = x0.to_vec();
    Integrator::<f64, Tsit5<f64>>::new(&system)
        .run(&mut system, &mut x, times, options, &mut recorder)
        .unwrap();
    let (tape, samples) = recorder;
    let sample_bars: Vec<f64> = samples.values().iter().map(|x| x - 1.0).collect();
    // The final states enter with a weight of their own, so that their road is tested, too.
    let final_bar: Vec<f64> = (0..x.len()).map(|i| 0.25 * i as f64).collect();
    let value = loss(samples.values()) + final_part(&x);
    let (mut x0_bar, mut p_bar) = (vec![0.0; x.len()], vec![0.0; p.len()]);
    let mut time_bars = vec![0.0; times.len()];
    Tsit5Adjoint::default()
        .sweep(
            &mut system,
            &mut NoEvents,
            &tape,
            &Seeds {
                samples: samples.places(),
                sample_bars: &sample_bars,
                final_bar: &final_bar,
                ..Seeds::default()
            },
            &mut x0_bar,
            &mut p_bar,
            Some(&mut time_bars),
        )
        .unwrap();
    (value, x0_bar, p_bar, time_bars)
}

fn final_part<S: Real>(x: &[S]) -> S {
    let mut sum = S::from(0.0);
    for (i, &x) in x.iter().enumerate() {
        sum += x * (0.25 * i as f64);
    }
    sum
}

/// The same objective over any scalar.
fn objective<M: Dynamics, S: Scalar>(
    model: M,
    x0: &[S],
    p: &[S],
    times: &[S],
    at: &[f64],
    options: &Options,
) -> S {
    let mut system = Handwritten::new(model, p);
    let at = at.iter().map(|&t| S::from(t)).collect();
    let mut samples = Samples::new(at).unwrap();
    let mut x = x0.to_vec();
    Integrator::<S, Tsit5<S>>::new(&system)
        .run(&mut system, &mut x, times, options, &mut samples)
        .unwrap();
    loss(samples.values()) + final_part(&x)
}

/// The gradient by duals, all directions (states, parameters, times) at once; N of them at most.
fn by_duals<const N: usize, M: Dynamics>(
    model: M,
    x0: &[f64],
    p: &[f64],
    times: &[f64],
    at: &[f64],
    options: &Options,
) -> Dual<N> {
    let mut k = 0;
    let mut seed = |&v: &f64| {
        k += 1;
        Dual::<N>::variable(v, k - 1)
    };
    let x0: Vec<_> = x0.iter().map(&mut seed).collect();
    let p: Vec<_> = p.iter().map(&mut seed).collect();
    let times: Vec<_> = times.iter().map(&mut seed).collect();
    objective(model, &x0, &p, &times, at, options)
}

#[test]
fn lotka_volterra_meets_the_high_precision_loss_and_gradient() {
    let (x0, times, at) = ([1.0, 1.0], [0.0, 10.0], range(0.0, 0.5, 21));
    let options = tolerance(1e-12);
    let mut system = Handwritten::new(LotkaVolterra, &P);
    let mut recorder = (Tape::new(), Samples::new(at.clone()).unwrap());
    let mut x = x0.to_vec();
    Integrator::<f64, Tsit5<f64>>::new(&system)
        .run(&mut system, &mut x, &times, &options, &mut recorder)
        .unwrap();
    let (tape, samples) = recorder;
    assert_close(&[loss(samples.values())], &[GOLDEN_LOSS], 1e-9, 0.0, "loss");
    let bars: Vec<f64> = samples.values().iter().map(|x| x - 1.0).collect();
    let seeds = Seeds {
        samples: samples.places(),
        sample_bars: &bars,
        ..Seeds::default()
    };
    let (mut x0_bar, mut p_bar) = ([0.0; 2], [0.0; 3]);
    let mut adjoint = Tsit5Adjoint::default();
    adjoint
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
    assert_close(&p_bar, &GOLDEN_GRADIENT, 1e-9, 0.0, "dL/dp by adjoint");
    for (row, expected) in GOLDEN_FINAL.iter().enumerate() {
        let mut final_bar = [0.0; 2];
        final_bar[row] = 1.0;
        let seeds = Seeds {
            final_bar: &final_bar,
            ..Seeds::default()
        };
        p_bar.fill(0.0);
        adjoint
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
        assert_close(&p_bar, expected, 1e-9, 0.0, "du(10)/dp by adjoint");
    }

    let p = [0, 1, 2].map(|k| Dual::<4>::variable(P[k], k));
    let mut system = Handwritten::new(LotkaVolterra, &p);
    let mut samples = Samples::new(at.iter().map(|&t| t.into()).collect()).unwrap();
    let mut x = x0.map(Dual::constant);
    let times = times.map(Dual::constant);
    Integrator::<_, Tsit5<_>>::new(&system)
        .run(&mut system, &mut x, &times, &options, &mut samples)
        .unwrap();
    let by_dual = loss(samples.values());
    assert_close(
        &[by_dual.value],
        &[GOLDEN_LOSS],
        1e-9,
        0.0,
        "loss over duals",
    );
    assert_close(
        &by_dual.tangent[..3],
        &GOLDEN_GRADIENT,
        1e-9,
        0.0,
        "dL/dp by duals",
    );
    for (x, expected) in x.iter().zip(&GOLDEN_FINAL) {
        assert_close(&x.tangent[..3], expected, 1e-9, 0.0, "du(10)/dp by duals");
    }
}

#[test]
fn adjoint_and_duals_agree_to_rounding_on_the_steps_taken() {
    for tol in [1e-3, 1e-6, 1e-9] {
        let (x0, times, at) = ([1.0, 1.0], [0.0, 3.3, 10.0], range(0.0, 0.05, 201));
        let options = tolerance(tol);
        let (value, x0_bar, p_bar, t_bar) =
            by_adjoint(LotkaVolterra, &x0, &P, &times, &at, &options);
        let dual = by_duals::<8, _>(LotkaVolterra, &x0, &P, &times, &at, &options);
        assert_eq!(value.to_bits(), dual.value.to_bits());
        let adjoint = [x0_bar, p_bar, t_bar].concat();
        // (the derivative in the stop time is what is left of 200 terms of up to 100, one a sample)
        assert_close(&adjoint, &dual.tangent, 1e-12, 100.0, "gradient");
    }
}

#[test]
fn the_gradient_is_that_of_the_frozen_steps() {
    let (times, at) = ([0.0, 10.0], range(0.5, 0.5, 19));
    let options = tolerance(1e-6);
    let (_, x0_bar, p_bar, t_bar) =
        by_adjoint(LotkaVolterra, &[1.0, 1.0], &P, &times, &at, &options);
    let mut system = Handwritten::new(LotkaVolterra, &P);
    let mut mesh = Mesh::default();
    let mut integrator = Integrator::<f64, Tsit5<f64>>::new(&system);
    integrator
        .run(&mut system, &mut [1.0, 1.0], &times, &options, &mut mesh)
        .unwrap();
    // Directions: two states, three parameters, start and end.
    let mut value = |moved: [f64; 7]| {
        let mut x = [moved[0], moved[1]];
        system.parameters_mut().copy_from_slice(&moved[2..5]);
        let mut samples = Samples::new(at.clone()).unwrap();
        let times = [moved[5], moved[6]];
        integrator
            .replay(&mut system, &mut x, &times, &mesh, &options, &mut samples)
            .unwrap();
        loss(samples.values()) + final_part(&x)
    };
    let center = [1.0, 1.0, P[0], P[1], P[2], 0.0, 10.0];
    let adjoint = [x0_bar, p_bar, t_bar].concat();
    for (k, expected) in adjoint.iter().enumerate() {
        let h = 1e-5;
        let (mut up, mut down) = (center, center);
        up[k] += h;
        down[k] -= h;
        let difference = (value(up) - value(down)) / (2.0 * h);
        assert_close(&[difference], &[*expected], 1e-7, 1.0, "difference");
    }
}

/// A forced, damped pendulum whose torque jumps at t = 2 and whose forcing depends on t: everything that
/// x' = f(t, x, p) may do.
#[derive(Debug, Clone, Copy)]
struct Pendulum {
    late: bool,
}

const JUMP: f64 = 2.0;

impl Dynamics for Pendulum {
    fn states(&self) -> usize {
        2
    }
    fn parameters(&self) -> usize {
        3
    }
    fn rhs<S: Real>(&self, t: S, x: &[S], p: &[S], dx: &mut [S]) {
        let torque = if self.late { p[2] } else { S::from(0.0) };
        dx[0] = x[1];
        dx[1] = torque + (t * p[1]).sin() - p[0] * x[0].sin() - x[1] * t * 0.1;
    }
    fn enter_stretch(&mut self, middle: f64) {
        self.late = middle > JUMP;
    }
}

#[test]
fn jumps_and_moving_times_agree_with_duals() {
    let model = Pendulum { late: false };
    let (x0, p) = ([0.4, -0.1], [2.0, 1.3, 0.7]);
    for times in [[-0.5, 2.0, 4.0], [4.0, 2.0, -0.5]] {
        let mut at = range(-0.25, 0.25, 17);
        if times[0] > times[2] {
            at.reverse();
        }
        for tol in [1e-3, 1e-8] {
            let options = tolerance(tol);
            let (value, x0_bar, p_bar, t_bar) = by_adjoint(model, &x0, &p, &times, &at, &options);
            let dual = by_duals::<8, _>(model, &x0, &p, &times, &at, &options);
            assert_eq!(value.to_bits(), dual.value.to_bits());
            let adjoint = [x0_bar, p_bar, t_bar].concat();
            assert_close(&adjoint, &dual.tangent, 1e-11, 1.0, "gradient");
            assert!(adjoint[6].abs() > 0.1, "the jump's time matters");
        }
    }
}

#[test]
fn a_moved_jump_changes_the_end_as_theory_says() {
    // dx(t1)/dt_jump = Phi(t1, t_jump) (f_before - f_after); here from differences of whole solves.
    let (x0, p, options) = ([0.4, -0.1], [2.0, 1.3, 0.7], tolerance(1e-12));
    let end = |jump: f64| {
        let model = Pendulum { late: false };
        let mut system = Handwritten::new(model, &p);
        let mut x = x0;
        let mut integrator = Integrator::<f64, Tsit5<f64>>::new(&system);
        for (from, to, middle) in [(0.0, jump, 0.0), (jump, 4.0, 3.0)] {
            system = Handwritten::new(Pendulum { late: middle > 2.0 }, &p);
            let mut still = Still(&mut system);
            integrator
                .run(&mut still, &mut x, &[from, to], &options, &mut NoRecord)
                .unwrap();
        }
        final_part(&x)
    };
    let expected = (end(JUMP + 1e-4) - end(JUMP - 1e-4)) / 2e-4;
    let (.., t_bar) = by_adjoint(
        Pendulum { late: false },
        &x0,
        &p,
        &[0.0, JUMP, 4.0],
        &[],
        &options,
    );
    assert_close(&t_bar[1..2], &[expected], 1e-6, 0.0, "d/dt_jump");
}

/// A system that keeps its branch whatever stretch is entered.
struct Still<'a>(&'a mut Handwritten<Pendulum, f64>);

impl costate_solvers::System<f64> for Still<'_> {
    fn dim(&self) -> usize {
        self.0.dim()
    }
    fn rhs(&mut self, t: f64, x: &[f64], dx: &mut [f64]) {
        self.0.rhs(t, x, dx);
    }
}

#[test]
fn a_solve_of_no_length_and_wrong_shapes_are_handled() {
    let mut system = Handwritten::new(LotkaVolterra, &P);
    let mut adjoint = Tsit5Adjoint::default();
    let mut recorder = (Tape::new(), Samples::new(vec![0.0, 0.0]).unwrap());
    Integrator::<f64, Tsit5<f64>>::new(&system)
        .run(
            &mut system,
            &mut [1.0, 2.0],
            &[0.0, 0.0],
            &Options::default(),
            &mut recorder,
        )
        .unwrap();
    let (mut x0_bar, mut p_bar) = ([0.0; 2], [0.0; 3]);
    let seeds = Seeds {
        samples: recorder.1.places(),
        sample_bars: &[1.0, 2.0, 3.0, 4.0],
        final_bar: &[10.0, 20.0],
        ..Seeds::default()
    };
    adjoint
        .sweep(
            &mut system,
            &mut NoEvents,
            &recorder.0,
            &seeds,
            &mut x0_bar,
            &mut p_bar,
            None,
        )
        .unwrap();
    assert_eq!((x0_bar, p_bar), ([14.0, 26.0], [0.0; 3]));
    let short = Seeds {
        sample_bars: &[1.0],
        ..seeds
    };
    assert!(
        adjoint
            .sweep(
                &mut system,
                &mut NoEvents,
                &recorder.0,
                &short,
                &mut x0_bar,
                &mut p_bar,
                None
            )
            .is_err()
    );
}

/// x' = a x - b x y, y' = -c y + d x y with (a, b, c, d) all free.
#[derive(Debug, Clone, Copy)]
struct FourRates;

impl Dynamics for FourRates {
    fn states(&self) -> usize {
        2
    }
    fn parameters(&self) -> usize {
        4
    }
    fn rhs<S: Real>(&self, _t: S, x: &[S], p: &[S], dx: &mut [S]) {
        let both = x[0] * x[1];
        dx[0] = p[0] * x[0] - p[1] * both;
        dx[1] = p[3] * both - p[2] * x[1];
    }
}

#[test]
fn sensitivities_in_time_meet_the_reference_of_twenty_digits() {
    let text = include_str!("../data/lotka_volterra.json");
    let reference: serde_json::Value = serde_json::from_str(text).unwrap();
    let number = |v: &serde_json::Value| v.as_str().unwrap().parse::<f64>().unwrap();
    let names = ["x0", "y0", "a", "b", "c", "d"];
    let start = names.map(|name| number(&reference["parameters"][name]));
    let seeded: [Dual<8>; 6] = std::array::from_fn(|k| Dual::variable(start[k], k));
    let outputs = reference["outputs"].as_array().unwrap();
    let at: Vec<f64> = outputs.iter().map(|o| number(&o["t"])).collect();
    let options = tolerance(1e-12);

    let mut over_duals = Handwritten::new(FourRates, &seeded[2..]);
    let mut samples = Samples::new(at.iter().map(|&t| t.into()).collect()).unwrap();
    let mut x = [seeded[0], seeded[1]];
    let times = [0.0, 10.0].map(Dual::constant);
    Integrator::<_, Tsit5<_>>::new(&over_duals)
        .run(&mut over_duals, &mut x, &times, &options, &mut samples)
        .unwrap();

    let mut system = Handwritten::new(FourRates, &start[2..]);
    let mut recorder = (Tape::new(), Samples::new(at).unwrap());
    Integrator::<f64, Tsit5<f64>>::new(&system)
        .run(
            &mut system,
            &mut [start[0], start[1]],
            &[0.0, 10.0],
            &options,
            &mut recorder,
        )
        .unwrap();
    let mut adjoint = Tsit5Adjoint::default();
    assert!(!outputs.is_empty());
    for (k, output) in outputs.iter().enumerate() {
        for (i, state) in ["x", "y"].iter().enumerate() {
            let expected = names.map(|name| number(&output["dydp"][name][state]));
            let scale = expected.iter().fold(0.0, |m: f64, e| m.max(e.abs()));
            let dual = samples.state(k)[i];
            assert_close(
                &[dual.value],
                &[number(&output["y"][state])],
                2e-10,
                1.0,
                state,
            );
            assert_close(&dual.tangent[..6], &expected, 1e-9, scale, "by duals");
            let mut sample_bars = [0.0; 2];
            sample_bars[i] = 1.0;
            let seeds = Seeds {
                samples: &recorder.1.places()[k..=k],
                sample_bars: &sample_bars,
                ..Seeds::default()
            };
            let (mut x0_bar, mut p_bar) = ([0.0; 2], [0.0; 4]);
            adjoint
                .sweep(
                    &mut system,
                    &mut NoEvents,
                    &recorder.0,
                    &seeds,
                    &mut x0_bar,
                    &mut p_bar,
                    None,
                )
                .unwrap();
            let by_adjoint = [&x0_bar[..], &p_bar].concat();
            assert_close(&by_adjoint, &dual.tangent[..6], 1e-12, scale, "by adjoint");
        }
    }
}
