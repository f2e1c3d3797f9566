//! Stormer-Verlet (leapfrog) in velocity form: symplectic, order 2, fixed step.
//!
//! ```text
//! p_half = p + h/2 f_p(t, q)
//! q_new  = q + h f_q(t + h/2, p_half)
//! p_new  = p_half + h/2 f_p(t + h, q_new)
//! ```
//!
//! Local error O(h^3); symmetric, so that steps of -h go back to rounding; cost: two evaluations of f, each used
//! by half. Stable for h times the largest angular frequency below 2.
//!
//! Use it for mechanics with smooth forces that do not depend on velocities: molecules, planets, pendulums without
//! friction. With friction or magnetic forces the system does not split: take `ImplicitMidpoint`.
//!
//! Source: L. Verlet, Computer "experiments" on classical fluids I, Phys. Rev. 159 (1967) 98-103,
//! doi 10.1103/PhysRev.159.98; Hairer, Lubich & Wanner, Geometric numerical integration illustrated by the
//! Stormer-Verlet method, Acta Numer. 12 (2003) 399-450, doi 10.1017/S0962492902000144.

use super::splitting::{Composition, Splitting};

/// The one substep.
pub const WEIGHTS: [f64; 1] = [1.0];

/// The composition.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weights;

impl Composition for Weights {
    const ORDER: u32 = 2;
    const WEIGHTS: &'static [f64] = &WEIGHTS;
}

/// Stormer-Verlet; see the module.
pub type Verlet<S> = Splitting<S, Weights>;
