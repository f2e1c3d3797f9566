//! Bogacki-Shampine: an explicit Runge-Kutta pair of orders 3(2) for low accuracy.
//!
//! ```text
//! k_1 = f(t, x)     k_2 = f(t + h/2, x + h/2 k_1)     k_3 = f(t + 3/4 h, x + 3/4 h k_2)
//! x_new = x + h/9 (2 k_1 + 3 k_2 + 4 k_3)             k_4 = f(t + h, x_new)
//! local error ~ h (5/72 k_1 - 1/12 k_2 - 1/9 k_3 + 1/8 k_4)
//! ```
//!
//! k_4 is the next step's k_1: an accepted step costs three evaluations of f. Dense output is the cubic through
//! both states with both slopes, of order 3. No two stages share a node, so that stiffness is not estimated.
//!
//! The published estimate, that of a formula of order 2, leaves an error of C tol^(4/3) in a step that just passes, with
//! C = 4.6 where other pairs have 0.5 to 1.3; it is multiplied by C^(3/4) ([`crate::esdirk::Tableau::CAUTION`]).
//!
//! Use it for tolerances of 1e-2 to 1e-4 and for right-hand sides that are not smooth; below that `Tsit5` is
//! cheaper.
//!
//! Source: P. Bogacki & L. F. Shampine, A 3(2) pair of Runge-Kutta formulas, Appl. Math. Lett. 2 (1989) 321-325,
//! doi 10.1016/0893-9659(89)90079-7.

use super::runge_kutta::{RungeKutta, Tableau, hermite};

/// The row of [`A`] that holds the weights b of the solution; its stage is f(t + h, x_new).
pub const END: usize = 3;

/// Nodes c_i.
pub const C: [f64; 4] = [0.0, 0.5, 0.75, 1.0];

/// Weights a_ij, row i for Y_i; row [`END`] holds the weights b of the solution.
pub const A: [&[f64]; 4] = [
    &[],
    &[0.5],
    &[0.0, 0.75],
    &[2.0 / 9.0, 1.0 / 3.0, 4.0 / 9.0],
];

/// Coefficients of b_i(theta) = sum_m r_im theta^(m+1): the cubic through both states with both slopes.
pub const DENSE: [[f64; 3]; 4] = hermite(B);

/// Weights e_i: h sum e_i k_i estimates the local error, and b + e is the embedded solution of order 2.
pub const ERROR: [f64; 4] = [5.0 / 72.0, -1.0 / 12.0, -1.0 / 9.0, 1.0 / 8.0];

/// The weights b of the solution.
pub const B: &[f64] = A[END];

/// The tableau.
#[derive(Debug, Clone, Copy, Default)]
pub struct Coefficients;

impl Tableau for Coefficients {
    const ORDER: u32 = 3;
    const ERROR_ORDER: u32 = 2;
    const DENSE_ORDER: u32 = 3;
    const C: &'static [f64] = &C;
    const A: &'static [&'static [f64]] = &A;
    const END: usize = END;
    const ERROR: &'static [f64] = &ERROR;
    const CAUTION: f64 = 3.138;
    const DENSE: &'static [f64] = DENSE.as_flattened();
    const DENSE_DEGREE: usize = 3;
}

/// The pair of Bogacki and Shampine; see the module.
pub type Bs3<S> = RungeKutta<S, Coefficients>;
