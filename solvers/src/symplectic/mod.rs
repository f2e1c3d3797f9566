//! Symplectic methods: for mechanics over long times, where energy must not drift.
//!
//! A symplectic step of fixed size is the exact flow of a nearby Hamiltonian system, so that the energy error
//! stays bounded over times exponentially long in 1/h (Hairer, Lubich & Wanner, Geometric Numerical Integration,
//! IX.8, doi 10.1007/3-540-30666-8). A step size that changes with the state destroys this: these methods
//! estimate no error and take steps of [`crate::Options::step`].
//!
//! | method | order | evaluations of f a step | for |
//! |---|---|---|---|
//! | [`Verlet`] | 2 | 2 | x' = (f_q(t, p), f_p(t, q)) |
//! | [`Yoshida4`] | 4 | 6 | the same |
//! | [`Yoshida6`] | 6 | 14 | the same |
//! | [`Yoshida8`] | 8 | 34 | the same |
//! | [`ImplicitMidpoint`] | 2 | Newton | any f |
//!
//! The first four are compositions of the kick and the drift of [`splitting`]; [`separation`] finds out which
//! states are positions.
//!
//! Dense output of all is the cubic through both states with both slopes, of order 3 at most: states at the ends
//! of steps are as accurate as the method, states inside as the cubic. Sample on the grid where that matters.

pub mod implicit_midpoint;
pub mod separation;
pub mod splitting;
pub mod verlet;
pub mod yoshida4;
pub mod yoshida6;
pub mod yoshida8;

pub use implicit_midpoint::ImplicitMidpoint;
pub use splitting::{Composition, Splitting};
pub use verlet::Verlet;
pub use yoshida4::Yoshida4;
pub use yoshida6::Yoshida6;
pub use yoshida8::Yoshida8;

use crate::scalar::Scalar;

/// The cubic through (0, x) and (h, x_new) with the slopes `stages` = (f at the start, f at the end).
fn cubic<S: Scalar>(theta: S, h: S, x: &[S], x_new: &[S], stages: &[S], out: &mut [S]) {
    let n = x.len();
    let (start, end) = stages.split_at(n);
    let rest = S::from(1.0) - theta;
    let change = theta * theta * (rest * 2.0 + 1.0);
    let at_start = theta * rest * rest * h;
    let at_end = theta * theta * rest * h;
    for i in 0..n {
        out[i] = x[i] + ((x_new[i] - x[i]) * change + start[i] * at_start - end[i] * at_end);
    }
}
