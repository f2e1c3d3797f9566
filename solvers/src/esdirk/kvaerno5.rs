//! Kvaerno's ESDIRK pair of orders 5(4) with 7 stages, "5/4a".
//!
//! Solution and embedded solution are both stiffly accurate: stage 6 is the embedded solution (order 4) and
//! stage 7 the solution (order 5, L-stable). The embedded one is A-stable, R(infinity) = -0.75, so that the
//! estimate z_7 - z_6 serves for stiff components as it stands. gamma = 0.26; stage 3 looks ahead of the step,
//! c_3 = 1.23.
//!
//! Cost of an accepted step: six systems of n equations. Dense output of order 4: the cubic through both
//! ends and their slopes plus theta^2 (1 - theta)^2 h sum v_i k_i. With v_2 = 0 (stage 2 is the least
//! accurate) order 4 leaves two of the v free; those here are the shortest. None are published; tests check
//! their order conditions.
//!
//! Use it for tolerances from 1e-5 to 1e-10 where the Jacobian or its factorization is dear.
//!
//! Source: A. Kvaerno, Singly diagonally implicit Runge-Kutta methods with an explicit first stage, BIT 44
//! (2004), doi 10.1023/B:BITN.0000046811.70614.38.

use super::tableau::{Tableau, hermite, lagrange, same_increment, with_bubble};

/// Coefficients of Kvaerno 5(4).
#[derive(Debug, Clone)]
pub struct Kvaerno5Tableau;

const GAMMA: f64 = 0.26;
const C: [f64; 7] = [
    0.0,
    0.52,
    1.230333209967908,
    0.895765984350076,
    0.436393609858648,
    1.0,
    1.0,
];
const ROW_6: [f64; 6] = [
    0.13855640231268224,
    0.0,
    -0.04245337201752043,
    0.02446657898003141,
    0.6194303907248068,
    GAMMA,
];
const ROW_7: [f64; 6] = [
    0.13659751177640291,
    0.0,
    -0.05496908796538376,
    -0.04118626728321046,
    0.629933048990164,
    0.06962479448202728,
];
const GUESS_3: [f64; 2] = lagrange([C[0], C[1]], C[2]);
const GUESS_4: [f64; 3] = lagrange([C[0], C[1], C[2]], C[3]);
const GUESS_5: [f64; 4] = lagrange([C[0], C[1], C[2], C[3]], C[4]);
const GUESS_6: [f64; 5] = lagrange([C[0], C[1], C[2], C[3], C[4]], C[5]);
const GUESS_7: [f64; 6] = same_increment(ROW_6, ROW_7, GAMMA);
const BUBBLE: [f64; 7] = [
    -0.4842493496458592,
    0.0,
    0.9921747011803448,
    -0.6241080331021583,
    1.3801004273784236,
    -0.6319588729053757,
    -0.6319588729053757,
];
const DENSE: [[f64; 4]; 7] = with_bubble(
    hermite([
        ROW_7[0], ROW_7[1], ROW_7[2], ROW_7[3], ROW_7[4], ROW_7[5], GAMMA,
    ]),
    BUBBLE,
);

impl Tableau for Kvaerno5Tableau {
    const ORDER: u32 = 5;
    const ERROR_ORDER: u32 = 4;
    const GAMMA: f64 = GAMMA;
    const A: &'static [&'static [f64]] = &[
        &[],
        &[GAMMA],
        &[0.13, 0.8403332099679081],
        &[0.22371961478320505, 0.476755323197997, -0.06470895363112615],
        &[
            0.16648564323248321,
            0.1045001884159172,
            0.03631482272098715,
            -0.13090704451073998,
        ],
        &[ROW_6[0], ROW_6[1], ROW_6[2], ROW_6[3], ROW_6[4]],
        &ROW_7,
    ];
    const C: &'static [f64] = &C;
    const ERROR: &'static [f64] = &[
        ROW_7[0] - ROW_6[0],
        ROW_7[1] - ROW_6[1],
        ROW_7[2] - ROW_6[2],
        ROW_7[3] - ROW_6[3],
        ROW_7[4] - ROW_6[4],
        ROW_7[5] - ROW_6[5],
        GAMMA,
    ];
    const FILTERED: bool = false;
    const GUESS: &'static [&'static [f64]] = &[
        &[],
        &[1.0],
        &GUESS_3,
        &GUESS_4,
        &GUESS_5,
        &GUESS_6,
        &GUESS_7,
    ];
    const DENSE: &'static [[f64; 4]] = &DENSE;
    const MIDDLE: usize = 1;
}
