//! Kvaerno's ESDIRK pair of orders 4(3) with 5 stages, "4/3a".
//!
//! Solution and embedded solution are both stiffly accurate: stage 4 is the embedded solution (order 3) and
//! stage 5 the solution (order 4). Here it is the embedded one that is L-stable; the solution is A-stable with
//! R(infinity) = 0.72, so that transients left over from steps too large die out slowly: of the family the
//! least fit for very stiff systems. c = (0, 2 gamma, 0.468, 1, 1), gamma = 0.4358665215 as published.
//!
//! Cost of an accepted step: four systems of n equations, and one more where somebody reads inside it. Dense output of
//! order 3 (the stages admit no interpolant of order 4), ours: [`super::kvaerno5`] says why the slopes at the ends are no
//! use in stiff components. With a stage more, at c_6 = 3/8, there are weights without k_1 that meet the conditions up to
//! order 3 and sum w_i c_i^3 = theta^3; they are unique.
//!
//! Use it for tolerances from 1e-3 to 1e-7.
//!
//! Source: A. Kvaerno, Singly diagonally implicit Runge-Kutta methods with an explicit first stage, BIT 44
//! (2004), doi 10.1023/B:BITN.0000046811.70614.38.

use super::tableau::{Tableau, lagrange, same_increment};

/// Coefficients of Kvaerno 4(3).
#[derive(Debug, Clone, Copy, Default)]
pub struct Kvaerno4Tableau;

const GAMMA: f64 = 0.4358665215;
const C_3: f64 = 0.468238744853136;
const ROW_4: [f64; 4] = [
    0.102399400616089,
    -0.376878452267324,
    0.838612530151233,
    GAMMA,
];
const ROW_5: [f64; 4] = [
    0.157024897860995,
    0.117330441357768,
    0.61667803039168,
    -0.326899891110444,
];
const GUESS_3: [f64; 2] = lagrange([0.0, 2.0 * GAMMA], C_3);
const GUESS_4: [f64; 3] = lagrange([0.0, 2.0 * GAMMA, C_3], 1.0);
const GUESS_5: [f64; 4] = same_increment(ROW_4, ROW_5, GAMMA);
/// The dense output's stage.
const ROW_6: [f64; 5] = [
    0.1316134931240678,
    -0.056145337194568684,
    -0.17327508655069976,
    0.0,
    0.03694040912120065,
];
const DENSE: [[f64; 4]; 6] = [
    [
        0.02075922500090918,
        1.3271369802694684,
        -1.1908713074093917,
        0.0,
    ],
    [
        -0.48360363493623043,
        1.064005893426653,
        -0.46307181713266493,
        0.0,
    ],
    [
        -6.7849466643767045,
        22.5366455219472,
        -15.135020827178874,
        0.0,
    ],
    [
        -0.5356583750352791,
        2.1602206431289632,
        -1.9514621592041397,
        0.0,
    ],
    [
        1.3446608157473299,
        -4.7716431379723385,
        3.86284884372503,
        0.0,
    ],
    [
        7.438788633599975,
        -22.316365900799944,
        14.87757726720004,
        0.0,
    ],
];

impl Tableau for Kvaerno4Tableau {
    const ORDER: u32 = 4;
    const ERROR_ORDER: u32 = 3;
    const GAMMA: f64 = GAMMA;
    const A: &'static [&'static [f64]] = &[
        &[],
        &[GAMMA],
        &[0.140737774731968, -0.108365551378832],
        &[ROW_4[0], ROW_4[1], ROW_4[2]],
        &ROW_5,
    ];
    const C: &'static [f64] = &[0.0, 2.0 * GAMMA, C_3, 1.0, 1.0];
    const ERROR: &'static [f64] = &[
        ROW_5[0] - ROW_4[0],
        ROW_5[1] - ROW_4[1],
        ROW_5[2] - ROW_4[2],
        ROW_5[3] - ROW_4[3],
        GAMMA,
    ];
    const FILTERED: bool = false;
    const GUESS: &'static [&'static [f64]] = &[&[], &[1.0], &GUESS_3, &GUESS_4, &GUESS_5];
    const DENSE_STAGE: Option<(&'static [f64], f64)> = Some((&ROW_6, 0.375));
    const DENSE: &'static [[f64; 4]] = &DENSE;
    const MIDDLE: usize = 2;
}
