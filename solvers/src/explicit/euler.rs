//! Euler's method: explicit, order 1, fixed step.
//!
//! ```text
//! x_new = x + h f(t, x)
//! ```
//!
//! Local error O(h^2), no error estimate; cost: one evaluation of f. Dense output is the cubic through both
//! states with both slopes, as accurate as the states: x(t + theta h) = x + h (b_1(theta) k_1 + b_2(theta) k_2)
//! with k_2 = f(t + h, x_new), the next step's k_1.
//!
//! Use it to reproduce a program that does, to check another solver's order, or for a right-hand side so rough
//! that no order is worth having. For accuracy take any other method of this family: halving the error costs
//! twice the work. It is stable for |1 + h lambda| <= 1 only.
//!
//! Source: Hairer, Norsett & Wanner, Solving Ordinary Differential Equations I, II.1,
//! doi 10.1007/978-3-540-78862-1.

use super::runge_kutta::{RungeKutta, Tableau, hermite};

/// The row of [`A`] that holds the weights b of the solution; its stage is f(t + h, x_new).
pub const END: usize = 1;

/// Nodes c_i.
pub const C: [f64; 2] = [0.0, 1.0];

/// Weights a_ij, row i for Y_i; row [`END`] holds the weights b of the solution.
pub const A: [&[f64]; 2] = [&[], &[1.0]];

/// Coefficients of b_i(theta) = sum_m r_im theta^(m+1): the cubic through both states with both slopes.
pub const DENSE: [[f64; 3]; 2] = hermite(B);

/// The weights b of the solution.
pub const B: &[f64] = A[END];

/// The tableau.
#[derive(Debug, Clone, Copy, Default)]
pub struct Coefficients;

impl Tableau for Coefficients {
    const ORDER: u32 = 1;
    const DENSE_ORDER: u32 = 1;
    const C: &'static [f64] = &C;
    const A: &'static [&'static [f64]] = &A;
    const END: usize = END;
    const DENSE: &'static [f64] = DENSE.as_flattened();
    const DENSE_DEGREE: usize = 3;
}

/// Euler's method; see the module.
pub type Euler<S> = RungeKutta<S, Coefficients>;
