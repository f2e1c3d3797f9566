//! An eighth order composition of Yoshida's kind: seventeen substeps of Stormer-Verlet, fixed step.
//!
//! Yoshida's own solutions of order 8 have fifteen substeps, some of them near 2 h. With two more Kahan and Li
//! found substeps of at most 0.61 h, and with them smaller errors: theirs are taken here. Local error O(h^9);
//! symplectic and symmetric; cost: 34 evaluations of f, each used by half. Stable for h omega below
//! 3.09.
//!
//! Use it for mechanics over long times at relative errors of 1e-8 and below, down to rounding.
//!
//! Source: W. Kahan & R.-C. Li, Composition constants for raising the orders of unconventional schemes for
//! ordinary differential equations, Math. Comput. 66 (1997) 1089-1099, doi 10.1090/S0025-5718-97-00873-9,
//! as also in Hairer, Lubich & Wanner, Geometric Numerical Integration, V.3.2; the construction is that of
//! H. Yoshida, Phys. Lett. A 150 (1990) 262-268, doi 10.1016/0375-9601(90)90092-3.

use super::splitting::{Composition, Splitting};

const HALF: [f64; 8] = [
    0.13020248308889007,
    0.5611629817751084,
    -0.38947496264484727,
    0.1588419065551556,
    -0.39590389413323757,
    0.1845396409783157,
    0.25837438768632204,
    0.2950117236093103,
];
const MIDDLE: f64 = -0.6055085338300346;

/// Substeps as parts of h.
pub const WEIGHTS: [f64; 17] = [
    HALF[0], HALF[1], HALF[2], HALF[3], HALF[4], HALF[5], HALF[6], HALF[7], MIDDLE, HALF[7],
    HALF[6], HALF[5], HALF[4], HALF[3], HALF[2], HALF[1], HALF[0],
];

/// The composition.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weights;

impl Composition for Weights {
    const ORDER: u32 = 8;
    const WEIGHTS: &'static [f64] = &WEIGHTS;
}

/// The composition of order 8; see the module.
pub type Yoshida8<S> = Splitting<S, Weights>;
