//! What solves cost: a silent loss of efficiency shows here. A change of controller or method that moves
//! these numbers on purpose updates them.

use costate_solvers::{Bdf, Integrator, Method, Ndf, NoRecord, Rodas5P, Statistics, Tsit5};

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

#[test]
fn multistep() {
    fn costs<M: Method<f64, Problem>>() -> [[usize; 5]; 3] {
        [
            cost::<M>(lotka_volterra(), &[1.0, 1.0], [0.0, 10.0]),
            cost::<M>(robertson(), &[1.0, 0.0, 0.0], [0.0, 1e5]),
            cost::<M>(stiff_van_der_pol(), &[2.0, 0.0], [0.0, 2000.0]),
        ]
    }
    assert_eq!(
        costs::<Bdf<f64>>(),
        [
            [369, 14, 403, 34, 34],
            [274, 11, 313, 45, 45],
            [977, 95, 1180, 153, 153]
        ]
    );
    assert_eq!(
        costs::<Ndf<f64>>(),
        [
            [383, 14, 415, 35, 35],
            [266, 10, 303, 43, 43],
            [950, 90, 1142, 144, 144]
        ]
    );
}
