//! Yoshida's sixth order method, solution A: seven substeps of Stormer-Verlet, fixed step.
//!
//! The substeps are w_3 h, w_2 h, w_1 h, w_0 h, w_1 h, w_2 h, w_3 h with w_0 = 1 - 2 (w_1 + w_2 + w_3). Local error
//! O(h^7); symplectic and symmetric; cost: fourteen evaluations of f, each used by half.
//! Stable for h omega below 2.27.
//!
//! Use it for mechanics over long times at relative errors of 1e-5 to 1e-9.
//!
//! Source: H. Yoshida, Construction of higher order symplectic integrators, Phys. Lett. A 150 (1990) 262-268,
//! doi 10.1016/0375-9601(90)90092-3; to more digits in Hairer, Lubich & Wanner, Geometric Numerical Integration,
//! V.3.2, doi 10.1007/3-540-30666-8.

use super::splitting::{Composition, Splitting};

const W1: f64 = -1.177679984178871;
const W2: f64 = 0.23557321335935813;
const W3: f64 = 0.7845136104775573;

/// Substeps as parts of h.
pub const WEIGHTS: [f64; 7] = [W3, W2, W1, 1.0 - 2.0 * (W1 + W2 + W3), W1, W2, W3];

/// The composition.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weights;

impl Composition for Weights {
    const ORDER: u32 = 6;
    const WEIGHTS: &'static [f64] = &WEIGHTS;
}

/// Yoshida's method of order 6; see the module.
pub type Yoshida6<S> = Splitting<S, Weights>;
