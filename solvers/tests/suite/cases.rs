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
    /// global order: `steps`, twice and four times as many through 0..6, states from `first_state` on
    pub global: Exact,
    pub steps: usize,
    pub first_state: usize,
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
}

pub const FIFTH_ORDER: Case = Case {
    main: COUPLED,
    global: SEPARATE,
    steps: 64,
    first_state: 0,
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
};

pub const RODAS5P: Case = Case {
    size: 0.1,
    dense_size: 0.1,
    ..FIFTH_ORDER
};

pub const BS3: Case = Case {
    dense_order: 3,
    ..FIFTH_ORDER
};

/// The logistic curve is the first state: at this order it shows terms of order 8 where 7 should be. The dense
/// output misses one order condition by 3e-7, see `order_conditions`.
pub const VERN7: Case = Case {
    steps: 8,
    first_state: 1,
    size: 0.8,
    dense_size: 0.8,
    thetas: [0.5, 0.75],
    dense_order: 7,
    dense_rounding: 1e-8,
    ..FIFTH_ORDER
};

pub const DOP853: Case = Case {
    global: CIRCLE,
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
