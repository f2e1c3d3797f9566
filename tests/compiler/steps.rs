//! Steps of explicit methods compiled as a whole: the same bits as steps by calls of f, and not before they pay.

use std::sync::Arc;

use costate::compile::{Backend, ModelSystem, RightHandSide, Sizes};
use costate::model::Graph;
use costate::model::graph::{Binary, PARAMETERS, STATES, TIME, Unary};
use costate_adjoint::{ExplicitAdjoint, Seeds, Tape};
use costate_solvers::explicit::{bs3, dop853, dopri5, rk4, runge_kutta, tsit5, vern7, vern9};
use costate_solvers::{
    Bs3, Dop853, Dopri5, Integrator, Method, NoEvents, Options, Rk4, Samples, Statistics, Tableau,
    Tsit5, Vern7, Vern9,
};

/// A driven oscillator whose drive changes at the middle of the stretch:
/// x' = v, v' = p sin(t + middle) - v / (1 + x^2) - max(x, v).
fn oscillator(backend: Backend) -> Arc<RightHandSide> {
    let mut g = Graph::new();
    let (t, middle) = (g.input(TIME, 0), g.input(TIME, 1));
    let (x, v, p) = (
        g.input(STATES, 0),
        g.input(STATES, 1),
        g.input(PARAMETERS, 0),
    );
    let phase = g.add(t, middle);
    let sine = g.unary(Unary::Sin, phase);
    let drive = g.mul(p, sine);
    let (square, one) = (g.powi(x, 2), g.constant(1.0));
    let bottom = g.add(one, square);
    let drag = g.div(v, bottom);
    let larger = g.binary(Binary::Max, x, v);
    let forces = g.sub(drive, drag);
    let slope = g.sub(forces, larger);
    let sizes = Sizes {
        states: 2,
        parameters: 1,
    };
    Arc::new(RightHandSide::new(&g, &[v, slope], sizes, backend).expect("compiles"))
}

fn solve<M: Method<f64, ModelSystem<f64>>>(
    system: &mut ModelSystem<f64>,
    integrator: &mut Integrator<f64, M>,
) -> (Vec<f64>, Statistics) {
    let mut options = Options {
        rtol: 1e-6,
        ..Options::default()
    };
    if !M::ADAPTIVE {
        options.step = Some(0.01);
    }
    let mut samples = Samples::new(vec![1.0, 2.5, 17.3, 20.0]).expect("times");
    let mut x = [1.0, 0.0];
    let statistics = integrator
        .run(system, &mut x, &[0.0, 7.0, 20.0], &options, &mut samples)
        .expect("a solution");
    (samples.values().to_vec(), statistics)
}

/// Solves until steps are made by compiled code, and says after how many that was (none: never).
fn first_and_last<M: Method<f64, ModelSystem<f64>>>(backend: Backend) -> Option<usize> {
    let mut system = ModelSystem::<f64>::explicit(oscillator(backend));
    system.set_parameters(&[1.3]).expect("one parameter");
    let mut integrator = Integrator::<f64, M>::new(&system);
    let first = solve(&mut system, &mut integrator);
    assert!(!system.compiles_steps(), "after a single solve");
    let per_solve = first.1.steps + first.1.rejected;
    for k in 1..=40_000 / per_solve {
        let again = solve(&mut system, &mut integrator);
        assert_eq!(again, first);
        if system.compiles_steps() {
            // this solve began without and ended with it, the next has it throughout
            assert_eq!(solve(&mut system, &mut integrator), first);
            return Some(k * per_solve);
        }
    }
    None
}

#[test]
fn the_same_bits() {
    macro_rules! each {
        ($($method:ident),*) => {
            $({
                let steps = first_and_last::<$method<f64>>(Backend::Auto);
                assert!(steps.is_some_and(|s| s > 10_000), "{}: {steps:?}", stringify!($method));
            })*
        };
    }
    each!(Rk4, Bs3, Dopri5, Tsit5, Dop853, Vern7, Vern9);
}

#[test]
fn the_interpreter_makes_no_code() {
    assert_eq!(first_and_last::<Tsit5<f64>>(Backend::Interpreter), None);
}

/// The derivatives of what is read between steps and at the end, in the initial states and the parameter, and by how many
/// steps; first by products stage by stage, then until a step's reverse is one function, and throughout by that.
fn back_first_and_last<T: Tableau>(backend: Backend) -> Option<usize> {
    let mut system = ModelSystem::<f64>::explicit(oscillator(backend));
    system.set_parameters(&[1.3]).expect("one parameter");
    let mut integrator = Integrator::<f64, runge_kutta::RungeKutta<f64, T>>::new(&system);
    let mut options = Options::default();
    if T::ERROR.is_empty() {
        options.step = Some(0.01);
    }
    let mut recorder = (
        Tape::new(),
        Samples::new(vec![1.0, 2.5, 2.6, 17.3, 20.0]).expect("times"),
    );
    let mut x = [1.0, 0.0];
    integrator
        .run(
            &mut system,
            &mut x,
            &[0.0, 7.0, 20.0],
            &options,
            &mut recorder,
        )
        .expect("a solution");
    let (tape, samples) = recorder;
    let seeds = Seeds {
        samples: samples.places(),
        sample_bars: samples.values(),
        final_bar: &x,
        ..Seeds::default()
    };
    let mut adjoint = ExplicitAdjoint::<T>::default();
    let mut sweep = |system: &mut ModelSystem<f64>| {
        let (mut x0_bar, mut p_bar) = ([0.0; 2], [0.5]);
        adjoint
            .sweep(
                system,
                &mut NoEvents,
                &tape,
                &seeds,
                &mut x0_bar,
                &mut p_bar,
                None,
            )
            .expect("a sweep");
        [x0_bar[0], x0_bar[1], p_bar[0]].map(f64::to_bits)
    };
    let first = sweep(&mut system);
    assert!(!system.compiles_steps_back(), "after a single sweep");
    for k in 1..=40_000 / tape.steps().len() {
        assert_eq!(sweep(&mut system), first);
        if system.compiles_steps_back() {
            assert_eq!(sweep(&mut system), first);
            return Some(k * tape.steps().len());
        }
    }
    None
}

#[test]
fn the_same_bits_backward() {
    macro_rules! each {
        ($($method:ident),*) => {
            $({
                let steps = back_first_and_last::<$method::Coefficients>(Backend::Auto);
                assert!(steps.is_some_and(|s| s > 10_000), "{}: {steps:?}", stringify!($method));
            })*
        };
    }
    each!(rk4, bs3, dopri5, tsit5, dop853, vern7, vern9);
    assert_eq!(
        back_first_and_last::<tsit5::Coefficients>(Backend::Interpreter),
        None
    );
}

/// An f so long that its calls cost next to nothing beside it is called stage by stage.
#[test]
fn a_long_right_hand_side_is_left_alone() {
    let mut g = Graph::new();
    let x = g.input(STATES, 0);
    let mut node = x;
    for k in 1..=200 {
        let number = g.constant(f64::from(k));
        let sum = g.add(node, number);
        node = g.div(x, sum);
    }
    let slope = g.neg(node);
    let sizes = Sizes {
        states: 1,
        parameters: 0,
    };
    let rhs = RightHandSide::new(&g, &[slope], sizes, Backend::Auto).expect("compiles");
    let mut system = ModelSystem::<f64>::explicit(Arc::new(rhs));
    let mut integrator = Integrator::<f64, Tsit5<f64>>::new(&system);
    let options = Options {
        step: Some(1e-5),
        ..Options::default()
    };
    let mut x = [1.0];
    integrator
        .run(
            &mut system,
            &mut x,
            &[0.0, 0.3],
            &options,
            &mut costate_solvers::NoRecord,
        )
        .expect("a solution");
    assert!(!system.compiles_steps());
}
