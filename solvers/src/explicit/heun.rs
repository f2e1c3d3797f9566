//! Heun's method, the explicit trapezoidal rule: order 2, fixed step.
//!
//! ```text
//! k_1 = f(t, x)        k_2 = f(t + h, x + h k_1)        x_new = x + h/2 (k_1 + k_2)
//! ```
//!
//! Local error O(h^3), no error estimate; cost: two evaluations of f. f is evaluated at grid times alone, which
//! suits inputs that are known only there. Dense output is the cubic through both states with both slopes, as
//! accurate as the states.
//!
//! Use it where steps of a given size at low accuracy are wanted. Where the step may be chosen, `Bs3` or `Tsit5`
//! reach the same accuracy for less.
//!
//! Source: K. Heun, Neue Methoden zur approximativen Integration der Differentialgleichungen einer
//! unabhaengigen Veraenderlichen, Z. Math. Phys. 45 (1900) 23-38; Hairer, Norsett & Wanner, Solving Ordinary
//! Differential Equations I, II.1, doi 10.1007/978-3-540-78862-1.

use super::runge_kutta::{RungeKutta, Tableau, hermite};

/// The row of [`A`] that holds the weights b of the solution; its stage is f(t + h, x_new).
pub const END: usize = 2;

/// Nodes c_i.
pub const C: [f64; 3] = [0.0, 1.0, 1.0];

/// Weights a_ij, row i for Y_i; row [`END`] holds the weights b of the solution.
pub const A: [&[f64]; 3] = [&[], &[1.0], &[0.5, 0.5]];

/// Coefficients of b_i(theta) = sum_m r_im theta^(m+1): the cubic through both states with both slopes.
pub const DENSE: [[f64; 3]; 3] = hermite(B);

/// The weights b of the solution.
pub const B: &[f64] = A[END];

/// The tableau.
#[derive(Debug, Clone, Copy, Default)]
pub struct Coefficients;

impl Tableau for Coefficients {
    const ORDER: u32 = 2;
    const DENSE_ORDER: u32 = 2;
    const C: &'static [f64] = &C;
    const A: &'static [&'static [f64]] = &A;
    const END: usize = END;
    const DENSE: &'static [f64] = DENSE.as_flattened();
    const DENSE_DEGREE: usize = 3;
}

/// Heun's method; see the module.
pub type Heun<S> = RungeKutta<S, Coefficients>;
