//! KenCarp4: the implicit part of Kennedy & Carpenter's ARK4(3)6L\[2\]SA, orders 4(3) with 6 stages.
//!
//! Stiffly accurate and L-stable with gamma = 1/4, b_2 = 0. The embedded solution of order 3 is A-stable,
//! R(infinity) = -0.15, and the estimate is used as it stands: multiplied by (I - h gamma J)^-1 it comes out
//! too small on several test problems.
//!
//! Cost of an accepted step: five systems of n equations. Dense output of order 3 by the authors' weights
//! b*_i(theta) = sum_j b*_ij theta^j.
//!
//! Use it for tolerances from 1e-3 to 1e-7.
//!
//! Source: C. A. Kennedy & M. H. Carpenter, Additive Runge-Kutta schemes for convection-diffusion-reaction
//! equations, Applied Numerical Mathematics 44 (2003), doi 10.1016/S0168-9274(02)00138-1.

use super::tableau::{Tableau, lagrange};

/// Coefficients of KenCarp4.
#[derive(Debug, Clone)]
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
    const FILTERED: bool = false;
    const GUESS: &'static [&'static [f64]] = &[&[], &[1.0], &GUESS_3, &GUESS_4, &GUESS_5, &GUESS_6];
    const DENSE: &'static [[f64; 4]] = &[
        [
            6943876665148.0 / 7220017795957.0,
            -54480133.0 / 30881146.0,
            6818779379841.0 / 7100303317025.0,
            0.0,
        ],
        [0.0; 4],
        [
            7640104374378.0 / 9702883013639.0,
            -11436875.0 / 14766696.0,
            2173542590792.0 / 12501825683035.0,
            0.0,
        ],
        [
            -20649996744609.0 / 7521556579894.0,
            174696575.0 / 18121608.0,
            -31592104683404.0 / 5083833661969.0,
            0.0,
        ],
        [
            8854892464581.0 / 2390941311638.0,
            -12120380.0 / 966161.0,
            61146701046299.0 / 7138195549469.0,
            0.0,
        ],
        [
            -11397109935349.0 / 6675773540249.0,
            3843.0 / 706.0,
            -17219254887155.0 / 4939391667607.0,
            0.0,
        ],
    ];
    const MIDDLE: usize = 1;
}
