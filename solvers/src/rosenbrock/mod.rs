//! Rosenbrock methods: linearly implicit, one LU a step and no iteration, for stiff systems and for
//! differential-algebraic ones of index 1.
//!
//! For M x' = f(t, x) with J = df/dx and f_t = df/dt at (t, x), a step solves s linear systems with one matrix,
//!
//! ```text
//! W u_i = f(t + alpha_i h, x + sum_{j<i} a_ij u_j) + M sum_{j<i} (c_ij / h) u_j + h d_i f_t
//! W = M / (h gamma) - J,         x_new = x + sum m_i u_i,         local error ~ u_s
//! ```
//!
//! (the form without products with J; u has the units of x). J must be exact for the order to hold. The methods
//! here are stiffly accurate, a_sj = m_j and m_s = 1: the last stage corrects a state of the embedded solution,
//! and the algebraic equations hold at the end of a step to the order of u_s squared.
//!
//! | method | order | stages | f a step | dense output | use |
//! |---|---|---|---|---|---|
//! | [`Rodas3`] | 3(2) | 4 | 4 | 3, one more solve | rtol above 1e-4 |
//! | [`Rodas4`] | 4(3) | 6 | 7 | 3 | rtol 1e-3 to 1e-6 |
//! | [`Rodas5P`] | 5(4) | 8 | 9 | 4 | rtol below 1e-4 (the default) |
//!
//! One of those f, and a solve, test the dense output inside the step (the module `inside` says how): states that are slaved
//! to others or to the time, algebraic ones among them, come out right at the end of a step of any size.
//!
//! A mass matrix M is constant and may be singular: a row of zeros makes its equation algebraic, 0 = f_i. The
//! initial states are then made consistent first ([`crate::consistent`]). The error test counts algebraic states
//! as it does the others.
//!
//! Where f has a slope without bound in t, as |t|^(1/3) has at 0, f_t is infinite. A step that starts there takes the
//! mean over itself, (f(t + h, x) - f(t, x)) / h, in the place of each component that is not finite, at the price of
//! one more f. That is the step of a W-method in t: what a wrong f_t does to the order is of the size of what a
//! polynomial through the step does not see of such an f, and the error estimate sees both. Over dual numbers the quotient
//! carries its derivatives.
//!
//! E. Hairer & G. Wanner, Solving Ordinary Differential Equations II, 2nd ed., IV.7 and VI.4,
//! doi 10.1007/978-3-642-05221-7.

mod inside;
pub mod rodas3;
pub mod rodas4;
pub mod rodas5p;
mod stage_matrix;
mod step;
pub mod tableau;

pub use step::{Rosenbrock, combine};

/// [`crate::Method::mode`] of a step that took a difference quotient for an infinite f_t; that of others is 0.
pub const BRIDGED: u8 = 1;

/// Order 3(2) for loose tolerances; see [`rodas3`].
pub type Rodas3<S> = Rosenbrock<S, rodas3::Coefficients>;
/// Order 4(3); see [`rodas4`].
pub type Rodas4<S> = Rosenbrock<S, rodas4::Coefficients>;
/// Order 5(4), the default for stiff systems; see [`rodas5p`].
pub type Rodas5P<S> = Rosenbrock<S, rodas5p::Coefficients>;
