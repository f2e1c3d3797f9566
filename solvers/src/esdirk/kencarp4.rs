//! KenCarp4: the implicit part of Kennedy & Carpenter's ARK4(3)6L\[2\]SA, orders 4(3) with 6 stages.
//!
//! Stiffly accurate and L-stable with gamma = 1/4, b_2 = 0. The embedded solution of order 3 is A-stable,
//! R(infinity) = -0.15, and the estimate is used as it stands: multiplied by (I - h gamma J)^-1 it comes out
//! too small on several test problems.
//!
//! The published estimate is thirteen times too small for what the solution's own error is (see
//! [`Tableau::CAUTION`]), and is multiplied by that.
//!
//! Cost of an accepted step: five systems of n equations. Dense output of order 3, ours: the authors' weights leave
//! 0.16 h^3 / 6 times the third derivative in a stiff component, 20 times the error at the end of a step. These are the
//! only ones that satisfy the conditions of order 3, sum b_i c_i^3 = theta^4 / 4, and, in x(theta) = x + sum w_i(theta)
//! z_i, sum w_i c_i^3 = theta^3 with no part of k_1: exact to degree 3 in a stiff component, too.
//!
//! Use it for tolerances from 1e-3 to 1e-7.
//!
//! Source: C. A. Kennedy & M. H. Carpenter, Additive Runge-Kutta schemes for convection-diffusion-reaction
//! equations, Applied Numerical Mathematics 44 (2003), doi 10.1016/S0168-9274(02)00138-1.

use super::tableau::{Tableau, lagrange};

/// Coefficients of KenCarp4.
#[derive(Debug, Clone, Copy, Default)]
pub struct KenCarp4Tableau;

const GAMMA: f64 = 0.25;
const C: [f64; 6] = [0.0, 0.5, 83.0 / 250.0, 31.0 / 50.0, 17.0 / 20.0, 1.0];
const GUESS_3: [f64; 2] = lagrange([C[0], C[1]], C[2]);
const GUESS_4: [f64; 3] = lagrange([C[0], C[1], C[2]], C[3]);
const GUESS_5: [f64; 4] = lagrange([C[0], C[1], C[2], C[3]], C[4]);
const GUESS_6: [f64; 5] = lagrange([C[0], C[1], C[2], C[3], C[4]], C[5]);

impl Tableau for KenCarp4Tableau {
    const ORDER: u32 = 4;
    const ERROR_ORDER: u32 = 3;
    const GAMMA: f64 = GAMMA;
    const A: &'static [&'static [f64]] = &[
        &[],
        &[GAMMA],
        &[8611.0 / 62500.0, -1743.0 / 31250.0],
        &[
            5012029.0 / 34652500.0,
            -654441.0 / 2922500.0,
            174375.0 / 388108.0,
        ],
        &[
            15267082809.0 / 155376265600.0,
            -71443401.0 / 120774400.0,
            730878875.0 / 902184768.0,
            2285395.0 / 8070912.0,
        ],
        &[
            82889.0 / 524892.0,
            0.0,
            15625.0 / 83664.0,
            69875.0 / 102672.0,
            -2260.0 / 8211.0,
        ],
    ];
    const C: &'static [f64] = &C;
    const ERROR: &'static [f64] = &[
        82889.0 / 524892.0 - 4586570599.0 / 29645900160.0,
        0.0,
        15625.0 / 83664.0 - 178811875.0 / 945068544.0,
        69875.0 / 102672.0 - 814220225.0 / 1159782912.0,
        -2260.0 / 8211.0 + 3700637.0 / 11593932.0,
        GAMMA - 61727.0 / 225920.0,
    ];
    const CAUTION: f64 = 12.9;
    const FILTERED: bool = false;
    const GUESS: &'static [&'static [f64]] = &[&[], &[1.0], &GUESS_3, &GUESS_4, &GUESS_5, &GUESS_6];
    const DENSE: &'static [[f64; 4]] = &[
        [
            1.168483635070744,
            -4.0189532030747595,
            5.258511139769475,
            -2.2501252766037876,
        ],
        [
            2.4211125620068135,
            -16.379173542541192,
            26.175059823303695,
            -12.216998842769316,
        ],
        [
            -1.401177690914274,
            14.685186641013376,
            -25.062269821828327,
            11.965019812253226,
        ],
        [
            -0.9389551354737303,
            3.1583360444878994,
            -0.5136127199146674,
            -1.0252028937901667,
        ],
        [
            -0.5750017804226544,
            4.657784008286793,
            -9.395146512482834,
            5.037123753623687,
        ],
        [
            0.3255384097331011,
            -2.103179948172116,
            3.5374580911526587,
            -1.5098165527136438,
        ],
    ];
    const MIDDLE: usize = 1;
}
