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
//! Stages ([`Method::stages`]): k_1, ..., k_7, each n long, in this order.
//!
//! Use it for tolerances from 1e-2 to about 1e-9 and when the step is limited by accuracy; where stability
//! limits it ([`Method::stiffness`] near [`Method::STABILITY_BOUND`]) take `Rodas5P`.
//!
//! Source: Ch. Tsitouras, Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying
//! assumption, Comput. Math. Appl. 62 (2011) 770-775, doi 10.1016/j.camwa.2011.06.002.

use crate::control::error_test;
use crate::method::{Method, Trial};
use crate::options::{Options, Statistics};
use crate::scalar::Scalar;
use crate::system::System;

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
    // only b_1 has a term linear in theta
    let square = theta * theta;
    let quadratic = |row: &[f64; 4]| (theta * row[3] + row[2]) * theta + row[1];
    [
        theta + square * quadratic(&DENSE[0]),
        square * quadratic(&DENSE[1]),
        square * quadratic(&DENSE[2]),
        square * quadratic(&DENSE[3]),
        square * quadratic(&DENSE[4]),
        square * quadratic(&DENSE[5]),
        square * quadratic(&DENSE[6]),
    ]
}

/// Workspace of the method for one system; see the module.
#[derive(Debug, Clone)]
pub struct Tsit5<S> {
    n: usize,
    /// k_1, ..., k_7, stage-major
    stages: Vec<S>,
    /// argument of the stage being evaluated
    argument: Vec<S>,
    /// k_7 of the last step is the k_1 of the next
    carried: bool,
    last_h: f64,
}

impl<S: Scalar> Tsit5<S> {
    /// A workspace for `n` states.
    pub fn with_dim(n: usize) -> Self {
        Self {
            n,
            stages: vec![S::from(0.0); STAGES * n],
            argument: vec![S::from(0.0); n],
            carried: false,
            last_h: 0.0,
        }
    }
}

// out = x + h (w_1 k_1 + w_2 k_2 + ...): states outermost, the weights constants, so that for two states
// as for two thousand the sum is straight code without bounds checks.
macro_rules! combine {
    ($n:ident, $out:ident, $x:ident, $h:ident, $k1:ident * $w1:expr $(, $k:ident * $w:expr)*) => {
        for i in 0..$n {
            $out[i] = $x[i] + ($k1[i] * $w1)$(.mul_add_f64($k[i], $w))* * $h;
        }
    };
}

impl<S: Scalar> Tsit5<S> {
    #[expect(
        clippy::too_many_arguments,
        reason = "the arguments of `Method::step` and the number of states"
    )]
    #[inline(always)]
    fn sized_step<F: System<S> + ?Sized>(
        &mut self,
        n: usize,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        x_new: &mut [S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Trial {
        let (k1, rest) = self.stages.split_at_mut(n);
        let (k2, rest) = rest.split_at_mut(n);
        let (k3, rest) = rest.split_at_mut(n);
        let (k4, rest) = rest.split_at_mut(n);
        let (k5, rest) = rest.split_at_mut(n);
        let (k6, k7) = rest.split_at_mut(n);
        let k7 = &mut k7[..n];
        let y = &mut self.argument[..n];
        let x = &x[..n];
        let x_new = &mut x_new[..n];
        if self.carried {
            // the carried slope stays in place while the last step's stages may still be read
            k1.copy_from_slice(k7);
            self.carried = false;
        }
        combine!(n, y, x, h, k1 * A[1][0]);
        system.rhs(t + h * C[1], y, k2);
        combine!(n, y, x, h, k1 * A[2][0], k2 * A[2][1]);
        system.rhs(t + h * C[2], y, k3);
        combine!(n, y, x, h, k1 * A[3][0], k2 * A[3][1], k3 * A[3][2]);
        system.rhs(t + h * C[3], y, k4);
        combine!(
            n,
            y,
            x,
            h,
            k1 * A[4][0],
            k2 * A[4][1],
            k3 * A[4][2],
            k4 * A[4][3]
        );
        system.rhs(t + h * C[4], y, k5);
        combine!(
            n,
            y,
            x,
            h,
            k1 * A[5][0],
            k2 * A[5][1],
            k3 * A[5][2],
            k4 * A[5][3],
            k5 * A[5][4]
        );
        system.rhs(t + h, y, k6);
        combine!(
            n,
            x_new,
            x,
            h,
            k1 * A[6][0],
            k2 * A[6][1],
            k3 * A[6][2],
            k4 * A[6][3],
            k5 * A[6][4],
            k6 * A[6][5]
        );
        system.rhs(t + h, x_new, k7);
        statistics.rhs_evaluations += 6;
        self.last_h = h.value();

        let (k1, k2, k3, k4, k5, k6, k7) =
            (&*k1, &k2[..n], &k3[..n], &k4[..n], &k5[..n], &k6[..n], &*k7);
        error_test(options, x, x_new, |i, part| {
            // the tangents of h are no part of the error of a tangent: h is held
            let sum = k1[i].part(part) * ERROR[0]
                + k2[i].part(part) * ERROR[1]
                + k3[i].part(part) * ERROR[2]
                + k4[i].part(part) * ERROR[3]
                + k5[i].part(part) * ERROR[4]
                + k6[i].part(part) * ERROR[5]
                + k7[i].part(part) * ERROR[6];
            sum * h.value()
        })
    }
}

impl<S: Scalar, F: System<S> + ?Sized> Method<S, F> for Tsit5<S> {
    const ORDER: u32 = 5;
    const ERROR_ORDER: u32 = 4;
    const STAGES: usize = STAGES;
    // the stability region ends at -3.50 on the negative real axis (a test finds it); a little inside of that
    const STABILITY_BOUND: f64 = 3.3;

    fn new(system: &F) -> Self {
        Self::with_dim(system.dim())
    }

    fn restart(&mut self, system: &mut F, t: S, x: &[S], statistics: &mut Statistics) {
        system.rhs(t, x, &mut self.stages[..self.n]);
        statistics.rhs_evaluations += 1;
        self.carried = false;
    }

    fn slope(&self) -> &[S] {
        if self.carried {
            &self.stages[6 * self.n..]
        } else {
            &self.stages[..self.n]
        }
    }

    #[inline]
    fn step(
        &mut self,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        x_new: &mut [S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Trial {
        // With n a constant the loops over states unroll: a step of a few plain states costs a quarter less.
        // Dual numbers have work enough inside each state.
        match if S::WIDTH == 1 { self.n } else { usize::MAX } {
            1 => self.sized_step(1, system, t, h, x, x_new, options, statistics),
            2 => self.sized_step(2, system, t, h, x, x_new, options, statistics),
            3 => self.sized_step(3, system, t, h, x, x_new, options, statistics),
            4 => self.sized_step(4, system, t, h, x, x_new, options, statistics),
            _ => self.sized_step(self.n, system, t, h, x, x_new, options, statistics),
        }
    }

    fn accept(&mut self, _system: &mut F, _t_new: S, _x_new: &[S], _statistics: &mut Statistics) {
        self.carried = true;
    }

    fn stages(&self) -> &[S] {
        &self.stages
    }

    #[inline]
    fn interpolate(theta: S, h: S, x: &[S], _x_new: &[S], stages: &[S], out: &mut [S]) {
        let n = x.len();
        let w = dense_weights(theta).map(|b| b * h);
        let (k1, rest) = stages.split_at(n);
        let (k2, rest) = rest.split_at(n);
        let (k3, rest) = rest.split_at(n);
        let (k4, rest) = rest.split_at(n);
        let (k5, rest) = rest.split_at(n);
        let (k6, k7) = rest.split_at(n);
        let k7 = &k7[..n];
        let out = &mut out[..n];
        for i in 0..n {
            out[i] = x[i]
                + (k1[i] * w[0]
                    + k2[i] * w[1]
                    + k3[i] * w[2]
                    + k4[i] * w[3]
                    + k5[i] * w[4]
                    + k6[i] * w[5]
                    + k7[i] * w[6]);
        }
    }

    /// |h| ||k_7 - k_6|| / ||Y_7 - Y_6||: both at t + h, so that the quotient sees J alone (Hairer & Wanner
    /// IV.2).
    fn stiffness(&self) -> f64 {
        let n = self.n;
        let (mut slopes, mut arguments) = (0.0, 0.0);
        for i in 0..n {
            let k = |j: usize| self.stages[j * n + i].value();
            let argument: f64 = (0..6).map(|j| (A[6][j] - A[5][j]) * k(j)).sum();
            slopes += (k(6) - k(5)).powi(2);
            arguments += (argument * self.last_h).powi(2);
        }
        if arguments > 0.0 {
            self.last_h.abs() * (slopes / arguments).sqrt()
        } else {
            0.0
        }
    }
}
