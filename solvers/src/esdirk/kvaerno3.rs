//! Kvaerno's ESDIRK pair of orders 3(2) with 4 stages, "3/2a".
//!
//! Solution and embedded solution are both stiffly accurate: stage 3 is the embedded solution (order 2) and
//! stage 4 the solution (order 3, L-stable). The embedded one is A-stable, R(infinity) = -0.96, so that the
//! estimate z_4 - z_3 serves for stiff components as it stands. c = (0, 2 gamma, 1, 1), gamma = 0.4358665215
//! as published (to ten digits, which the other coefficients match).
//!
//! Cost of an accepted step: three systems of n equations. Dense output of order 3: the cubic through both
//! ends and their slopes.
//!
//! Use it for tolerances from 1e-2 to 1e-5.
//!
//! Source: A. Kvaerno, Singly diagonally implicit Runge-Kutta methods with an explicit first stage, BIT 44
//! (2004), doi 10.1023/B:BITN.0000046811.70614.38.

use super::tableau::{Tableau, hermite, lagrange, same_increment};

/// Coefficients of Kvaerno 3(2).
#[derive(Debug, Clone, Copy, Default)]
pub struct Kvaerno3Tableau;

const GAMMA: f64 = 0.4358665215;
const ROW_3: [f64; 3] = [0.490563388419108, 0.073570090080892, GAMMA];
const ROW_4: [f64; 3] = [0.308809969973036, 1.490563388254106, -1.235239879727145];
const GUESS_3: [f64; 2] = lagrange([0.0, 2.0 * GAMMA], 1.0);
const GUESS_4: [f64; 3] = same_increment(ROW_3, ROW_4, GAMMA);
const DENSE: [[f64; 4]; 4] = hermite([ROW_4[0], ROW_4[1], ROW_4[2], GAMMA]);

impl Tableau for Kvaerno3Tableau {
    const ORDER: u32 = 3;
    const ERROR_ORDER: u32 = 2;
    const GAMMA: f64 = GAMMA;
    const A: &'static [&'static [f64]] = &[&[], &[GAMMA], &[ROW_3[0], ROW_3[1]], &ROW_4];
    const C: &'static [f64] = &[0.0, 2.0 * GAMMA, 1.0, 1.0];
    const ERROR: &'static [f64] = &[
        ROW_4[0] - ROW_3[0],
        ROW_4[1] - ROW_3[1],
        ROW_4[2] - ROW_3[2],
        GAMMA,
    ];
    const FILTERED: bool = false;
    const GUESS: &'static [&'static [f64]] = &[&[], &[1.0], &GUESS_3, &GUESS_4];
    const DENSE: &'static [[f64; 4]] = &DENSE;
    const MIDDLE: usize = 1;
}
