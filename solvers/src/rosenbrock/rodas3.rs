//! Rodas3, for loose tolerances: a stiffly accurate Rosenbrock pair of orders 3(2).
//!
//! Four stages of the scheme in [`super`], L-stable. The second stage evaluates f where the first did, so that a
//! step costs three f.
//!
//! Dense output of order 3, ours: u_5 solves `W u_5 = f(t + h, x_new) + h gamma f_t`, with the slope that the next
//! step starts from and this step's LU. Its weights are the only ones that satisfy, for every theta, the four
//! order conditions up to order 3 and the condition of order 2 on algebraic states, sum b_i omega_ij alpha_j^2 =
//! theta^2 with omega the inverse of beta.
//!
//! The method is exact on x' = (a x + b)^2, the tail of second-order kinetics, and its estimate 0: the leading terms that
//! it leaves, h^3 (f'f'f - 2 f''(f, f)) / 24, cancel. There the test inside the step limits its size.
//!
//! Cost of an accepted step: one J and f_t, one LU, four f and six solves.
//!
//! Stages ([`crate::Method::stages`]): u_1, ..., u_4 and, once densified, u_5, each n long.
//!
//! Use it for stiff systems at tolerances of 1e-4 and looser, as in atmospheric chemistry; `Rodas5P` below that.
//!
//! Source: A. Sandu, J. G. Verwer, J. G. Blom, E. J. Spee, G. R. Carmichael & F. A. Potra, Benchmarking stiff ODE
//! solvers for atmospheric chemistry problems II: Rosenbrock solvers, Atmos. Environ. 31 (1997) 3459-3472,
//! doi 10.1016/S1352-2310(97)83212-8.

use super::tableau::Tableau;

/// Coefficients of Rodas3.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coefficients;

impl Tableau for Coefficients {
    const ORDER: u32 = 3;
    const ERROR_ORDER: u32 = 2;
    const GAMMA: f64 = 0.5;
    const ALPHA: &'static [f64] = &[0.0, 0.0, 1.0, 1.0];
    const D: &'static [f64] = &[0.5, 1.5, 0.0, 0.0];
    const A: &'static [&'static [f64]] = &[&[], &[0.0], &[2.0, 0.0], &[2.0, 0.0, 1.0]];
    const C: &'static [&'static [f64]] = &[&[], &[4.0], &[1.0, -1.0], &[1.0, -1.0, -8.0 / 3.0]];
    const M: &'static [f64] = &[2.0, 0.0, 1.0, 1.0];
    const H: &'static [&'static [f64]] =
        &[&[7.0, -3.0, -1.0, 5.0, 2.0], &[-4.0, 2.0, 0.0, -4.0, -2.0]];
    const DENSE_STAGE: bool = true;
    const INSIDE: f64 = 2.0 / 3.0;
}
