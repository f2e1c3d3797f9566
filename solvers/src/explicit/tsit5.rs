//! Tsit5, the default for systems that are not stiff: an explicit Runge-Kutta pair of orders 5(4).
//!
//! With k_i = f(t + c_i h, Y_i) and Y_i = x + h sum_{j<i} a_ij k_j, i = 1..6, the step is
//!
//! ```text
//! x_new = x + h sum b_i k_i          k_7 = f(t + h, x_new)      local error ~ h sum e_i k_i
//! ```
//!
//! k_7 is the next step's k_1 ("first same as last"), so an accepted step costs six evaluations of f. The
//! free interpolant x(t + theta h) = x + h sum b_i(theta) k_i has order 4 and is continuously
//! differentiable from step to step.
//!
//! Stages ([`crate::Method::stages`]): k_1, ..., k_7, each n long, in this order.
//!
//! Use it for tolerances from 1e-2 to about 1e-9 and when the step is limited by accuracy; where stability
//! limits it ([`crate::Method::stiffness`] near [`crate::Method::STABILITY_BOUND`]) take `Rodas5P`.
//!
//! Source: Ch. Tsitouras, Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying
//! assumption, Comput. Math. Appl. 62 (2011) 770-775, doi 10.1016/j.camwa.2011.06.002.

use super::runge_kutta::{RungeKutta, Tableau, dense_weight};
use crate::scalar::Scalar;

/// Number of stage derivatives kept, k_7 = f(t + h, x_new) included.
pub const STAGES: usize = 7;

/// Nodes c_i.
pub const C: [f64; 7] = [0.0, 0.161, 0.327, 0.9, 0.9800255409045097, 1.0, 1.0];

/// Weights a_ij, row i for Y_i; row 7 holds the weights b of the solution, as Y_7 = x_new.
pub const A: [[f64; 6]; 7] = [
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [0.161, 0.0, 0.0, 0.0, 0.0, 0.0],
    [-0.008480655492356989, 0.335480655492357, 0.0, 0.0, 0.0, 0.0],
    [
        2.8971530571054935,
        -6.359448489975075,
        4.3622954328695815,
        0.0,
        0.0,
        0.0,
    ],
    [
        5.325864828439257,
        -11.748883564062828,
        7.4955393428898365,
        -0.09249506636175525,
        0.0,
        0.0,
    ],
    [
        5.86145544294642,
        -12.92096931784711,
        8.159367898576159,
        -0.071584973281401,
        -0.028269050394068383,
        0.0,
    ],
    [
        0.09646076681806523,
        0.01,
        0.4798896504144996,
        1.379008574103742,
        -3.290069515436081,
        2.324710524099774,
    ],
];

/// Weights b_i of the solution of order 5 (b_7 = 0).
pub const B: [f64; 7] = [A[6][0], A[6][1], A[6][2], A[6][3], A[6][4], A[6][5], 0.0];

/// Weights e_i: h sum e_i k_i estimates the local error, and b + e is an embedded solution of order 4.
pub const ERROR: [f64; 7] = [
    -0.001780011052225777,
    -0.0008164344596567469,
    0.007880878010261995,
    -0.1447110071732629,
    0.5823571654525552,
    -0.45808210592918697,
    1.0 / 66.0,
];

/// Coefficients of b_i(theta) = sum_m r_im theta^(m+1), m = 0..3.
pub const DENSE: [[f64; 4]; 7] = [
    [
        1.0,
        -2.763706197274826,
        2.9132554618219126,
        -1.0530884977290216,
    ],
    [0.0, 0.1317, -0.2234, 0.1017],
    [
        0.0,
        3.9302962368947516,
        -5.941033872131505,
        2.490627285651253,
    ],
    [
        0.0,
        -12.411077166933676,
        30.33818863028232,
        -16.548102889244902,
    ],
    [0.0, 37.50931341651104, -88.1789048947664, 47.37952196281928],
    [
        0.0,
        -27.896526289197286,
        65.09189467479366,
        -34.87065786149661,
    ],
    [0.0, 1.5, -4.0, 2.5],
];

/// Weights b_1(theta), ..., b_7(theta) of the interpolant; b(1) = b.
#[inline]
pub fn dense_weights<S: Scalar>(theta: S) -> [S; 7] {
    std::array::from_fn(|j| dense_weight::<Coefficients, S>(j, theta))
}

/// The tableau.
#[derive(Debug, Clone, Copy, Default)]
pub struct Coefficients;

impl Tableau for Coefficients {
    const ORDER: u32 = 5;
    const ERROR_ORDER: u32 = 4;
    const DENSE_ORDER: u32 = 4;
    const C: &'static [f64] = &C;
    const A: &'static [&'static [f64]] = &[&A[0], &A[1], &A[2], &A[3], &A[4], &A[5], &A[6]];
    const END: usize = 6;
    const ERROR: &'static [f64] = &ERROR;
    const DENSE: &'static [f64] = DENSE.as_flattened();
    const DENSE_DEGREE: usize = 4;
    const TWINS: Option<(usize, usize)> = Some((6, 5));
    // the stability region ends at -3.50 on the negative real axis (a test finds it); a little inside of that
    const STABILITY_BOUND: f64 = 3.3;
}

/// Tsitouras' pair; see the module.
pub type Tsit5<S> = RungeKutta<S, Coefficients>;
