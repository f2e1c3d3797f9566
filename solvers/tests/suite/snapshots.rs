//! What solves cost: a silent loss of efficiency shows here. A change of controller or method that moves
//! these numbers on purpose updates them.

use costate_solvers::{
    Bs3, Dop853, Dopri5, Integrator, Method, NoRecord, Rodas5P, Statistics, Tsit5, Vern7, Vern9,
};

use crate::problems::{
    Problem, coupled, coupled_solution, lotka_volterra, robertson, stiff_van_der_pol, tolerance,
    van_der_pol,
};

fn cost<M: Method<f64, Problem>>(mut problem: Problem, x: &[f64], times: [f64; 2]) -> [usize; 5] {
    let mut x = x.to_vec();
    let Statistics {
        steps,
        rejected,
        rhs_evaluations,
        jacobians,
        factorizations,
        ..
    } = Integrator::<f64, M>::new(&problem)
        .run(
            &mut problem,
            &mut x,
            &times,
            &tolerance(1e-6, 1e-6),
            &mut NoRecord,
        )
        .expect("a solve");
    [steps, rejected, rhs_evaluations, jacobians, factorizations]
}

#[test]
fn tsit5() {
    type M = Tsit5<f64>;
    let coupled_start = coupled_solution(-0.5);
    assert_eq!(
        [
            cost::<M>(lotka_volterra(), &[1.0, 1.0], [0.0, 10.0]),
            cost::<M>(van_der_pol(), &[2.0, 0.0], [0.0, 20.0]),
            cost::<M>(coupled(), &coupled_start, [-0.5, 1.0]),
        ],
        [
            [86, 11, 584, 0, 0],
            [144, 26, 1022, 0, 0],
            [11, 1, 74, 0, 0]
        ]
    );
}

#[test]
fn rodas5p() {
    type M = Rodas5P<f64>;
    assert_eq!(
        [
            cost::<M>(lotka_volterra(), &[1.0, 1.0], [0.0, 10.0]),
            cost::<M>(robertson(), &[1.0, 0.0, 0.0], [0.0, 1e5]),
            cost::<M>(stiff_van_der_pol(), &[2.0, 0.0], [0.0, 2000.0]),
        ],
        [
            [146, 7, 1219, 146, 153],
            [70, 2, 576, 70, 72],
            [354, 91, 3471, 354, 445]
        ]
    );
}

/// [steps, rejected, evaluations] on the two oscillators.
fn explicit_cost<M: Method<f64, Problem>>() -> [[usize; 3]; 2] {
    [
        cost::<M>(lotka_volterra(), &[1.0, 1.0], [0.0, 10.0]),
        cost::<M>(van_der_pol(), &[2.0, 0.0], [0.0, 20.0]),
    ]
    .map(|[steps, rejected, evaluations, ..]| [steps, rejected, evaluations])
}

#[test]
fn other_explicit_methods() {
    assert_eq!(
        [
            explicit_cost::<Bs3<f64>>(),
            explicit_cost::<Dopri5<f64>>(),
            explicit_cost::<Vern7<f64>>(),
            explicit_cost::<Dop853<f64>>(),
            explicit_cost::<Vern9<f64>>(),
        ],
        [
            [[621, 0, 1865], [962, 6, 2906]],
            [[86, 15, 608], [147, 30, 1064]],
            [[54, 10, 632], [87, 16, 1016]],
            [[41, 8, 582], [72, 18, 1064]],
            [[35, 4, 622], [56, 3, 943]],
        ]
    );
}
