//! Dormand-Prince 5(4): the explicit Runge-Kutta pair of DOPRI5 and ode45.
//!
//! With k_i = f(t + c_i h, Y_i) and Y_i = x + h sum_{j<i} a_ij k_j, i = 1..6, the step is
//!
//! ```text
//! x_new = x + h sum b_i k_i          k_7 = f(t + h, x_new)      local error ~ h sum e_i k_i
//! ```
//!
//! k_7 is the next step's k_1: an accepted step costs six evaluations of f. The estimate has order 4, the free
//! dense output x + h sum b_i(theta) k_i (Hairer's CONTD5, here in powers of theta) order 4, and it is
//! continuously differentiable from step to step.
//!
//! Use it for tolerances from 1e-2 to about 1e-9 where results must be comparable with the many programs that
//! use this pair; `Tsit5` costs the same and errs a little less. Not for stiff systems.
//!
//! Source: J. R. Dormand & P. J. Prince, A family of embedded Runge-Kutta formulae, J. Comput. Appl. Math. 6
//! (1980) 19-26, doi 10.1016/0771-050X(80)90013-3; dense output: Hairer, Norsett & Wanner, Solving Ordinary
//! Differential Equations I, II.6, doi 10.1007/978-3-540-78862-1.

use super::runge_kutta::{RungeKutta, Tableau};

/// The row of [`A`] that holds the weights b of the solution; its stage is f(t + h, x_new).
pub const END: usize = 6;

/// Nodes c_i.
pub const C: [f64; 7] = [0.0, 1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0];

/// Weights a_ij, row i for Y_i; row [`END`] holds the weights b of the solution.
pub const A: [&[f64]; 7] = [
    &[],
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[
        19372.0 / 6561.0,
        -25360.0 / 2187.0,
        64448.0 / 6561.0,
        -212.0 / 729.0,
    ],
    &[
        9017.0 / 3168.0,
        -355.0 / 33.0,
        46732.0 / 5247.0,
        49.0 / 176.0,
        -5103.0 / 18656.0,
    ],
    &[
        35.0 / 384.0,
        0.0,
        500.0 / 1113.0,
        125.0 / 192.0,
        -2187.0 / 6784.0,
        11.0 / 84.0,
    ],
];

/// Weights e_i: h sum e_i k_i estimates the local error, and b + e is the embedded solution.
pub const ERROR: [f64; 7] = [
    -71.0 / 57600.0,
    0.0,
    71.0 / 16695.0,
    -71.0 / 1920.0,
    17253.0 / 339200.0,
    -22.0 / 525.0,
    1.0 / 40.0,
];

/// Coefficients of b_i(theta) = sum_m r_im theta^(m+1).
pub const DENSE: [[f64; 4]; 7] = [
    [
        1.0,
        -8048581381.0 / 2820520608.0,
        8663915743.0 / 2820520608.0,
        -12715105075.0 / 11282082432.0,
    ],
    [0.0, 0.0, 0.0, 0.0],
    [
        0.0,
        131558114200.0 / 32700410799.0,
        -68118460800.0 / 10900136933.0,
        87487479700.0 / 32700410799.0,
    ],
    [
        0.0,
        -1754552775.0 / 470086768.0,
        14199869525.0 / 1410260304.0,
        -10690763975.0 / 1880347072.0,
    ],
    [
        0.0,
        127303824393.0 / 49829197408.0,
        -318862633887.0 / 49829197408.0,
        701980252875.0 / 199316789632.0,
    ],
    [
        0.0,
        -282668133.0 / 205662961.0,
        2019193451.0 / 616988883.0,
        -1453857185.0 / 822651844.0,
    ],
    [
        0.0,
        40617522.0 / 29380423.0,
        -110615467.0 / 29380423.0,
        69997945.0 / 29380423.0,
    ],
];
/// The weights b of the solution.
pub const B: &[f64] = A[END];

/// The tableau.
#[derive(Debug, Clone, Copy, Default)]
pub struct Coefficients;

impl Tableau for Coefficients {
    const ORDER: u32 = 5;
    const ERROR_ORDER: u32 = 4;
    const DENSE_ORDER: u32 = 4;
    const C: &'static [f64] = &C;
    const A: &'static [&'static [f64]] = &A;
    const END: usize = END;
    const ERROR: &'static [f64] = &ERROR;
    const DENSE: &'static [f64] = DENSE.as_flattened();
    const DENSE_DEGREE: usize = 4;
    const TWINS: Option<(usize, usize)> = Some((6, 5));
    // the stability region ends at -3.31 on the negative real axis (a test finds it)
    const STABILITY_BOUND: f64 = 3.2;
}

/// The pair of Dormand and Prince; see the module.
pub type Dopri5<S> = RungeKutta<S, Coefficients>;
