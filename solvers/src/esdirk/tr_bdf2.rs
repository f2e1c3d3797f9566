//! TR-BDF2: the trapezoidal rule to t + 2 gamma h, then the second-order backward difference. Order 2.
//!
//! With gamma = 1 - sqrt(2) / 2 both stages share one matrix, and the method is L-stable; c = (0, 2 gamma, 1).
//! The embedded solution has order 3, so that the estimate, of order 2, is that of the lower-order solution
//! which is propagated: with local errors of tol the error at the end would follow tol^(2/3) only. Steps are made for local
//! errors of tol^(3/2) instead, as an extrapolating pair of orders 2 and 1 with C = 1 ([`Tableau::CAUTION`]) would make them, so that it
//! follows tol. That is a matter of what the tolerance means: work for an error achieved stays the same. (Other programs take tol: their
//! results at tol are to be had here at tol^(2/3).)
//! The estimate does not vanish for stiff components and is multiplied by
//! (I - h gamma J)^-1, as the authors advise.
//!
//! Cost of an accepted step: two systems of n equations. Dense output of order 2: the cubic through both
//! ends and their slopes.
//!
//! Use it for loose tolerances (1e-2 to 1e-4), rough right-hand sides and semi-discretized diffusion; take
//! [`super::Kvaerno5`] or [`crate::Rodas5P`] for more digits.
//!
//! Source: M. E. Hosea & L. F. Shampine, Analysis and implementation of TR-BDF2, Applied Numerical
//! Mathematics 20 (1996), doi 10.1016/0168-9274(95)00115-8.

use std::f64::consts::SQRT_2;

use super::tableau::{Tableau, hermite, lagrange};

/// Coefficients of TR-BDF2.
#[derive(Debug, Clone, Copy, Default)]
pub struct TrBdf2Tableau;

const GAMMA: f64 = 1.0 - SQRT_2 / 2.0;
const OMEGA: f64 = SQRT_2 / 4.0;
const GUESS_3: [f64; 2] = lagrange([0.0, 2.0 * GAMMA], 1.0);
const DENSE: [[f64; 4]; 3] = hermite([OMEGA, OMEGA, GAMMA]);

impl Tableau for TrBdf2Tableau {
    const ORDER: u32 = 2;
    const ERROR_ORDER: u32 = 2;
    const GAMMA: f64 = GAMMA;
    const A: &'static [&'static [f64]] = &[&[], &[GAMMA], &[OMEGA, OMEGA]];
    const C: &'static [f64] = &[0.0, 2.0 * GAMMA, 1.0];
    const ERROR: &'static [f64] = &[(SQRT_2 - 1.0) / 3.0, -1.0 / 3.0, (2.0 - SQRT_2) / 3.0];
    const FILTERED: bool = true;
    const GUESS: &'static [&'static [f64]] = &[&[], &[1.0], &GUESS_3];
    const DENSE: &'static [[f64; 4]] = &DENSE;
    const MIDDLE: usize = 1;
}
