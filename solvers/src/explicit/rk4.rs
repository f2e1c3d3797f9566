//! The classical Runge-Kutta method: order 4, fixed step.
//!
//! ```text
//! k_1 = f(t, x)                        k_2 = f(t + h/2, x + h/2 k_1)
//! k_3 = f(t + h/2, x + h/2 k_2)        k_4 = f(t + h, x + h k_3)
//! x_new = x + h/6 (k_1 + 2 k_2 + 2 k_3 + k_4)
//! ```
//!
//! Local error O(h^5), no error estimate; cost: four evaluations of f. Dense output is the cubic through both
//! states with both slopes, of order 3 (local error O(h^4)).
//!
//! Use it for smooth problems on a grid of equal steps that is given from outside. Where the step may be chosen,
//! `Tsit5` reaches the same accuracy for less and says how accurate it is. Over long times energy drifts: take
//! a symplectic method for mechanics.
//!
//! Source: W. Kutta, Beitrag zur naeherungsweisen Integration totaler Differentialgleichungen, Z. Math. Phys. 46
//! (1901) 435-453; Hairer, Norsett & Wanner, Solving Ordinary Differential Equations I, II.1,
//! doi 10.1007/978-3-540-78862-1.

use super::runge_kutta::{RungeKutta, Tableau, hermite};

/// The row of [`A`] that holds the weights b of the solution; its stage is f(t + h, x_new).
pub const END: usize = 4;

/// Nodes c_i.
pub const C: [f64; 5] = [0.0, 0.5, 0.5, 1.0, 1.0];

/// Weights a_ij, row i for Y_i; row [`END`] holds the weights b of the solution.
pub const A: [&[f64]; 5] = [
    &[],
    &[0.5],
    &[0.0, 0.5],
    &[0.0, 0.0, 1.0],
    &[1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0],
];

/// Coefficients of b_i(theta) = sum_m r_im theta^(m+1): the cubic through both states with both slopes.
pub const DENSE: [[f64; 3]; 5] = hermite(B);

/// The weights b of the solution.
pub const B: &[f64] = A[END];

/// The tableau.
#[derive(Debug, Clone, Copy, Default)]
pub struct Coefficients;

impl Tableau for Coefficients {
    const ORDER: u32 = 4;
    const DENSE_ORDER: u32 = 3;
    const C: &'static [f64] = &C;
    const A: &'static [&'static [f64]] = &A;
    const END: usize = END;
    const DENSE: &'static [f64] = DENSE.as_flattened();
    const DENSE_DEGREE: usize = 3;
}

/// The classical Runge-Kutta method; see the module.
pub type Rk4<S> = RungeKutta<S, Coefficients>;
