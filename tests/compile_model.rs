//! A scenario's model compiled whole: every part against the same formulas written by hand in Rust.

use std::path::Path;
use std::sync::Arc;

use costate::compile::{Backend, CompiledModel, ModelScalar, ModelSystem, Workspace};
use costate::model::{Model, When, build};
use costate::scenario::read_text;
use costate_adjoint::Dual;
use costate_solvers::{ImplicitSystem, Real, System};

const SCENARIO: &str = r#"
[scenario]
time = { start = 0.0, end = 10.0 }

[parameters]
rate = 0.7
size = 2.0
moment = 1.5
noise = 0.1

[states]
a = "size^2"
b = 0.25

[signals]
dose = { kind = "step", at = "moment", before = 0.0, after = "size" }
beat = { kind = "pulse", start = 2.0, width = 0.5, period = "2*rate", low = 0.0, high = 1.0 }

[equations]
a = "-rate*a*b + dose"
b = "rate*a*b - b + beat"

[observables]
total = "a + b"
share = { expression = "a / (a + b)", noise = { model = "normal", sigma = "noise*exp(-b)" } }

[[experiments]]
name = "plain"

[[experiments]]
name = "double"
parameters = { size = "2*size", rate = 0.9 }
initial = { b = "size / 8" }

[[expect]]
expression = "final(a)*rate + at(b, 3.0)^2 - objective()"
value = 1.0
relative = 1e-3
experiment = "plain"
"#;

fn model() -> Model {
    let (scenario, findings) = read_text(Path::new("test.toml"), SCENARIO, Path::new("."), &[]);
    assert!(findings.is_empty(), "{findings:?}");
    let (model, findings) = build(&scenario.expect("a scenario"));
    assert!(findings.is_empty(), "{findings:?}");
    model.expect("a model")
}

/// f at a place where the signals are `dose` and `beat`.
fn by_hand<S: Real>(x: &[S], rate: S, dose: S, beat: S) -> [S; 2] {
    let infection = rate * x[0] * x[1];
    [dose - infection, infection - x[1] + beat]
}

fn seeded<const N: usize>(value: f64, direction: usize) -> Dual<N> {
    Dual {
        value,
        tangent: std::array::from_fn(|k| f64::from(u8::from(k == direction))),
    }
}

/// Equal to rounding: a handful of operations, each within a unit in the last place.
fn assert_close(got: f64, expected: f64) {
    assert!(
        (got - expected).abs() <= 1e-14 * expected.abs().max(1.0),
        "{got:e}, expected {expected:e}"
    );
}

fn values<S: ModelScalar>(function: &costate::compile::Derived, x: &[S], p: &[S]) -> Vec<S> {
    let mut y = vec![S::from(0.0); function.len()];
    let time = [S::from(0.0); 2];
    function
        .evaluate(&time, x, p, &mut y, &mut Workspace::default())
        .expect("lengths fit");
    y
}

const P: [f64; 4] = [0.7, 2.0, 1.5, 0.1];

#[test]
fn right_hand_side_takes_the_branch_of_the_stretch() {
    for backend in [Backend::Native, Backend::Interpreter] {
        let model = CompiledModel::new(&model(), backend).expect("compiles");
        let mut system = ModelSystem::<Dual<2>>::implicit(Arc::clone(model.right_hand_side()))
            .expect("a Jacobian");
        let p: Vec<Dual<2>> = (0..4)
            .map(|k| seeded(P[k], if k == 0 { 0 } else { 9 }))
            .collect();
        system.set_parameters(&p).expect("as many as there are");
        let x = [seeded::<2>(3.0, 1), seeded::<2>(0.5, 9)];
        // the stage stands at the jump itself; the stretch says on which side
        for (t, middle, dose, beat) in [
            (1.5, 1.2, 0.0, 0.0),
            (1.5, 1.7, 2.0, 0.0),
            (2.0, 2.2, 2.0, 1.0),
        ] {
            system.enter_stretch(middle);
            let mut dx = [Dual::from(0.0); 2];
            system.rhs(Dual::from(t), &x, &mut dx);
            let expected = by_hand(&x, p[0], Dual::from(dose), Dual::from(beat));
            for (got, expected) in dx.iter().zip(&expected) {
                assert_close(got.value, expected.value);
                assert_close(got.tangent[0], expected.tangent[0]);
                assert_close(got.tangent[1], expected.tangent[1]);
            }
        }
        // J = [[-rate b, -rate a], [rate b, rate a - 1]] by columns
        let mut jacobian = [Dual::from(0.0); 4];
        assert_eq!(system.pattern().rows, [0, 1, 0, 1]);
        system.jacobian(Dual::from(0.0), &x, &mut jacobian);
        for (got, expected) in jacobian.iter().zip([-0.35, 0.35, -2.1, 1.1]) {
            assert_close(got.value, expected);
        }
        for (got, expected) in jacobian.iter().zip([-0.5, 0.5, -3.0, 3.0]) {
            assert_close(got.tangent[0], expected);
        }
    }
}

#[test]
fn observables_come_with_their_sigmas_and_cotangents() {
    let model = CompiledModel::new(&model(), Backend::Auto).expect("compiles");
    assert_eq!(model.sigma_places(), [None, Some(2)]);
    let x = [3.0, 0.5];
    let y = values(model.observe(), &x, &P);
    let sigma = 0.1 * Real::exp(-0.5);
    for (&got, expected) in y.iter().zip([3.5, 3.0 / 3.5, sigma]) {
        assert_close(got, expected);
    }
    let (mut x_bar, mut p_bar) = ([0.0; 2], [0.0; 4]);
    let workspace = &mut Workspace::default();
    let w = [1.0, 2.0, 3.0];
    model
        .observe()
        .vjp(&[0.0; 2], &x, &P, &w, &mut x_bar, &mut p_bar, workspace)
        .expect("lengths fit");
    assert_close(x_bar[0], 1.0 + 2.0 * 0.5 / 3.5_f64.powi(2));
    assert_close(x_bar[1], 1.0 - 2.0 * 3.0 / 3.5_f64.powi(2) - 3.0 * sigma);
    for (got, expected) in p_bar.into_iter().zip([0.0, 0.0, 0.0, 3.0 * sigma / 0.1]) {
        assert_close(got, expected);
    }
}

#[test]
fn experiments_map_parameters_and_initial_values() {
    let model = CompiledModel::new(&model(), Backend::Auto).expect("compiles");
    let [plain, double] = model.experiments() else {
        panic!("two experiments");
    };
    assert_eq!(values(&plain.parameters, &[0.0; 2], &P), P);
    assert_eq!(values(&plain.initial, &[0.0; 2], &P), [4.0, 0.25]);
    // d/d size along the whole road: size' = 2 size, a(0) = size'^2, b(0) = size' / 8
    let p: Vec<Dual<1>> = (0..4)
        .map(|k| seeded(P[k], if k == 1 { 0 } else { 9 }))
        .collect();
    let none = [Dual::from(0.0); 2];
    let own = values(&double.parameters, &none, &p);
    assert_eq!(
        own.iter().map(|p| p.value).collect::<Vec<_>>(),
        [0.9, 4.0, 1.5, 0.1]
    );
    let initial = values(&double.initial, &none, &own);
    assert_eq!(
        initial,
        [
            Dual {
                value: 16.0,
                tangent: [16.0]
            },
            Dual {
                value: 0.5,
                tangent: [0.25]
            },
        ]
    );
}

#[test]
fn stop_times_and_their_periods_follow_the_parameters() {
    let model = CompiledModel::new(&model(), Backend::Auto).expect("compiles");
    let stops = values(model.stops(), &[0.0; 2], &P);
    let mut found: Vec<(f64, Option<f64>)> = model
        .stop_places()
        .iter()
        .map(|&(at, period)| (stops[at], period.map(|place| stops[place])))
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert_eq!(found, [(1.5, None), (2.0, Some(1.4)), (2.5, Some(1.4))]);
}

#[test]
fn functionals_differentiate_in_samples_and_objective() {
    let model = model();
    let compiled = CompiledModel::new(&model, Backend::Auto).expect("compiles");
    let functional = compiled
        .functional(&model.graph, &model.expectations[0])
        .expect("compiles");
    assert!(functional.uses_objective);
    let when: Vec<When> = functional.samples.iter().map(|&(when, _)| when).collect();
    assert_eq!(when, [When::Final, When::At(3.0)]);
    let x = [3.0, 0.5];
    assert_eq!(values(&functional.samples[0].1, &x, &P), [3.0]);
    assert_eq!(values(&functional.samples[1].1, &x, &P), [0.5]);
    // samples 3 and 0.5, objective 7
    let samples = [3.0, 0.5, 7.0];
    assert_close(
        values(&functional.root, &samples, &P)[0],
        3.0 * 0.7 + 0.25 - 7.0,
    );
    let (mut s_bar, mut p_bar) = ([0.0; 3], [0.0; 4]);
    functional
        .root
        .vjp(
            &[0.0; 2],
            &samples,
            &P,
            &[1.0],
            &mut s_bar,
            &mut p_bar,
            &mut Workspace::default(),
        )
        .expect("lengths fit");
    assert_eq!(s_bar, [0.7, 1.0, -1.0]);
    assert_eq!(p_bar, [3.0, 0.0, 0.0, 0.0]);
}
