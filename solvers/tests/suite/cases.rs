//! What the conformance suite must know of a method beyond its type, and where its order is to be seen.
//!
//! An order shows between two regimes: steps so large that higher terms count, and errors so small that rounding
//! does. The higher the order the narrower the window, so that each method says where to look.

use crate::problems::{
    Problem, circle, circle_solution, coupled, coupled_solution, driven_pendulum,
    driven_pendulum_solution, separate, separate_solution,
};

/// A problem and its solution.
#[derive(Clone, Copy)]
pub struct Exact {
    pub problem: fn() -> Problem,
    pub solution: fn(f64) -> Vec<f64>,
}

const COUPLED: Exact = Exact {
    problem: coupled,
    solution: |t| coupled_solution(t).to_vec(),
};
const SEPARATE: Exact = Exact {
    problem: separate,
    solution: |t| separate_solution(t).to_vec(),
};
const CIRCLE: Exact = Exact {
    problem: circle,
    solution: |t| circle_solution(t).to_vec(),
};
const PENDULUM: Exact = Exact {
    problem: driven_pendulum,
    solution: |t| driven_pendulum_solution(t).to_vec(),
};

#[derive(Clone, Copy)]
pub struct Case {
    /// for everything that is not about orders; two states
    pub main: Exact,
    /// global order: `steps`, twice and four times as many through 0..6, seen in `states`
    pub global: Exact,
    pub steps: usize,
    pub states: &'static [usize],
    /// order of the error estimate: single steps of this size, a half and a quarter
    pub local: Exact,
    pub size: f64,
    /// order of the dense output, likewise
    pub dense: Exact,
    pub dense_size: f64,
    pub thetas: [f64; 2],
    pub dense_order: u32,
    pub dense_slack: f64,
    /// rounding of the dense output relative to the size of its terms
    pub dense_rounding: f64,
    /// a fixed step, and the error it may make on the main problem
    pub step: f64,
    pub step_error: f64,
    /// the error on the main problem at a tolerance of 1e-8, and with steps of 0.03 at most
    pub error: f64,
    pub small_steps_error: f64,
    /// the tolerance at which steps of given size are made: what Newton's iteration leaves, where there is one
    pub newton: f64,
    /// how far a replay may be off, 0: not by a bit
    pub replay: f64,
    /// the error goes as the tolerance to a power between these, from 1e-3 down to 10^-strictest
    pub exponents: [f64; 2],
    pub strictest: i32,
    /// the checks that do not apply as they are, and why
    pub exempt: &'static [(&'static str, &'static str)],
}

pub const FIFTH_ORDER: Case = Case {
    main: COUPLED,
    global: SEPARATE,
    steps: 64,
    states: &[0, 1, 2],
    local: SEPARATE,
    size: 0.2,
    dense: SEPARATE,
    dense_size: 0.2,
    thetas: [0.25, 0.75],
    dense_order: 4,
    dense_slack: 0.15,
    dense_rounding: 1e-13,
    step: f64::NAN,
    step_error: f64::NAN,
    error: 1e-6,
    small_steps_error: 1e-6,
    newton: 1.0,
    replay: 0.0,
    // up to (p + 1) / p where the next terms dominate
    exponents: [0.85, 1.3],
    strictest: 12,
    exempt: &[],
};

/// The constants of its dense output change sign near theta = 0.25.
pub const RODAS3: Case = Case {
    size: 0.1,
    dense_size: 0.1,
    thetas: [0.5, 0.8],
    dense_order: 3,
    strictest: 9,
    ..FIFTH_ORDER
};

/// A quadrature comes out better than order 4.
pub const RODAS4: Case = Case {
    states: &[0, 2],
    ..RODAS3
};

/// Newton's iteration stops at its tolerance, from where the last matrix left it: a replay meets other matrices. And
/// what is left sums up over the many steps of the strictest tolerances, where the error falls more slowly.
pub const ESDIRK: Case = Case {
    size: 0.1,
    dense_size: 0.1,
    dense_order: 3,
    newton: 1e-13,
    replay: 1e-8,
    exponents: [0.85, 1.15],
    strictest: 10,
    ..FIFTH_ORDER
};

pub const TR_BDF2: Case = Case {
    dense_order: 2,
    error: 1e-4,
    // c h^2 with c = 0.014
    small_steps_error: 2e-5,
    ..ESDIRK
};

/// At order 5 finer steps meet rounding.
pub const KVAERNO5: Case = Case {
    steps: 32,
    dense_order: 4,
    ..ESDIRK
};

pub const RADAU5: Case = Case {
    steps: 32,
    ..ESDIRK
};

const BY_ORDER: &str =
    "the order varies from step to step: `multistep::fixed_orders_converge` sees each";

/// A step by itself has no past, and is one of order 1. The error goes as tol^(5/6) where order 5 is used
/// throughout, since the error test is one of local errors, not of errors per unit of time.
pub const MULTISTEP: Case = Case {
    small_steps_error: 5e-6,
    exponents: [0.75, 1.1],
    strictest: 10,
    exempt: &[
        ("order", BY_ORDER),
        ("dense_output_order", BY_ORDER),
        ("dense_output_ends", BY_ORDER),
        (
            "error_estimate_order",
            "the estimate is the formula's error constant: `multistep::formulas_have_their_orders`",
        ),
        (
            "polynomial_exactness",
            "`multistep::formulas_have_their_orders` sees it for each order",
        ),
    ],
    ..FIFTH_ORDER
};

pub const RODAS5P: Case = Case {
    size: 0.1,
    dense_size: 0.1,
    ..FIFTH_ORDER
};

pub const BS3: Case = Case {
    dense_order: 3,
    small_steps_error: 5e-6,
    strictest: 7,
    ..FIFTH_ORDER
};

/// The logistic curve is the first state: at this order it shows terms of order 8 where 7 should be. The dense
/// output misses one order condition by 3e-7, see `order_conditions`.
pub const VERN7: Case = Case {
    steps: 8,
    states: &[1, 2],
    size: 0.8,
    dense_size: 0.8,
    thetas: [0.5, 0.75],
    dense_order: 7,
    dense_rounding: 1e-8,
    ..FIFTH_ORDER
};

pub const DOP853: Case = Case {
    global: CIRCLE,
    states: &[0, 1],
    steps: 12,
    local: COUPLED,
    size: 0.4,
    dense: COUPLED,
    dense_size: 0.4,
    thetas: [0.5, 0.75],
    dense_order: 7,
    dense_rounding: 1e-12,
    ..FIFTH_ORDER
};

/// Dense coefficients of 1e4 leave rounding errors of 1e-12, and less than three decades to see an order in.
pub const VERN9: Case = Case {
    global: CIRCLE,
    states: &[0, 1],
    steps: 11,
    size: 0.8,
    dense: CIRCLE,
    dense_size: 0.8,
    thetas: [0.25, 0.75],
    dense_order: 9,
    dense_slack: 0.4,
    dense_rounding: 1e-11,
    ..FIFTH_ORDER
};

pub const EULER: Case = Case {
    steps: 256,
    dense_order: 1,
    step: 1.0 / 256.0,
    step_error: 3e-2,
    ..FIFTH_ORDER
};

pub const SECOND_ORDER: Case = Case {
    dense_order: 2,
    step: 1.0 / 256.0,
    step_error: 1e-4,
    ..FIFTH_ORDER
};

pub const RK4: Case = Case {
    dense_order: 3,
    step: 1.0 / 64.0,
    step_error: 1e-6,
    ..FIFTH_ORDER
};

pub const SPLITTING: Case = Case {
    main: PENDULUM,
    global: PENDULUM,
    states: &[0, 1],
    dense: PENDULUM,
    ..SECOND_ORDER
};

pub const YOSHIDA4: Case = Case {
    dense_order: 3,
    step_error: 1e-6,
    ..SPLITTING
};

pub const YOSHIDA6: Case = Case {
    steps: 24,
    ..YOSHIDA4
};

pub const YOSHIDA8: Case = Case {
    steps: 12,
    ..YOSHIDA4
};
