//! Kvaerno's ESDIRK pair of orders 4(3) with 5 stages, "4/3a".
//!
//! Solution and embedded solution are both stiffly accurate: stage 4 is the embedded solution (order 3) and
//! stage 5 the solution (order 4). Here it is the embedded one that is L-stable; the solution is A-stable with
//! R(infinity) = 0.72, so that transients left over from steps too large die out slowly: of the family the
//! least fit for very stiff systems. c = (0, 2 gamma, 0.468, 1, 1), gamma = 0.4358665215 as published.
//!
//! Cost of an accepted step: four systems of n equations. Dense output of order 3: the cubic through both
//! ends and their slopes (the stages admit no interpolant of order 4).
//!
//! Use it for tolerances from 1e-3 to 1e-7.
//!
//! Source: A. Kvaerno, Singly diagonally implicit Runge-Kutta methods with an explicit first stage, BIT 44
//! (2004), doi 10.1023/B:BITN.0000046811.70614.38.

use super::tableau::{Tableau, hermite, lagrange, same_increment};

/// Coefficients of Kvaerno 4(3).
#[derive(Debug, Clone)]
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
const DENSE: [[f64; 4]; 5] = hermite([ROW_5[0], ROW_5[1], ROW_5[2], ROW_5[3], GAMMA]);

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
    const DENSE: &'static [[f64; 4]] = &DENSE;
    const MIDDLE: usize = 2;
}
