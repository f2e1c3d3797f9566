//! Yoshida's fourth order method: three substeps of Stormer-Verlet, fixed step.
//!
//! With w = 1 / (2 - 2^(1/3)) the substeps are w h, (1 - 2 w) h and w h: the leading error terms of order 3 cancel
//! as 2 w^3 + (1 - 2 w)^3 = 0. Local error O(h^5); symplectic and symmetric; cost: six evaluations of f, each used
//! by half. The middle substep goes back 1.7 h, so that error constants are large and steps past h omega = 1.57 are
//! unstable.
//!
//! Use it for mechanics at moderate accuracy; below a relative error of about 1e-6 `Yoshida6` or `Yoshida8` is
//! cheaper.
//!
//! Source: H. Yoshida, Construction of higher order symplectic integrators, Phys. Lett. A 150 (1990) 262-268,
//! doi 10.1016/0375-9601(90)90092-3; E. Forest & R. D. Ruth, Fourth-order symplectic integration, Physica D 43
//! (1990) 105-117, doi 10.1016/0167-2789(90)90019-L.

use super::splitting::{Composition, Splitting};

const OUTER: f64 = 1.3512071919596575;

/// Substeps as parts of h.
pub const WEIGHTS: [f64; 3] = [OUTER, 1.0 - 2.0 * OUTER, OUTER];

/// The composition.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weights;

impl Composition for Weights {
    const ORDER: u32 = 4;
    const WEIGHTS: &'static [f64] = &WEIGHTS;
}

/// Yoshida's method of order 4; see the module.
pub type Yoshida4<S> = Splitting<S, Weights>;
