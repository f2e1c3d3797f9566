//! ESDIRK methods: one explicit stage, then stages that each solve n nonlinear equations with one matrix.
//!
//! With s stages of increments z_i and slopes k_i, all of length n, k_1 = f(t, x) being the last slope of the
//! step before,
//!
//! ```text
//! z_i = h sum_{j<i} a_ij k_j + h gamma k_i,      k_i = f(t + c_i h, x + z_i),      i = 2, ..., s
//! x_new = x + z_s,                               local error ~ h sum (b_i - bhat_i) k_i
//! ```
//!
//! The diagonal is the same gamma in every stage, so one LU of W = I / (h gamma) - J serves them all, and,
//! as long as the iteration converges fast, several steps ([`crate::newton`]). The last stage is the
//! solution (stiff accuracy), fit for large h. The slope is taken from the increment,
//! k_i = (z_i - h sum a_ij k_j) / (h gamma), not from f at it: f would multiply what the iteration left by J.
//!
//! Guesses: k_i is extrapolated from the earlier slopes of the step, k_2 from those of the step before.
//!
//! Step sizes: the PI controller's, but a factor in [1, 1.2] leaves the step as it is, so that W need not be
//! factored again; and W stays where h changed by less than 20 % (a correction is then scaled by
//! 2 / (1 + h_W / h), which halves the error that an eigenvalue near 0 sees).
//!
//! Dense output x(t + theta h) = x + h sum b_i(theta) k_i. In a stiff component the stages are accurate but their slopes are
//! not (order 2): Kvaerno4, Kvaerno5 and KenCarp4 have weights that use the stages alone, b_i = sum_j w_j a_ji, the former two
//! with a stage more that is solved where somebody reads inside a step ([`kvaerno5`]); the others, of lower order, need none.
//!
//! Error test: the estimates of Kvaerno5 and KenCarp4 are multiplied by 11 and 13, without which their errors are that many
//! times those of other pairs at the same tolerance ([`Tableau::CAUTION`]); that of TR-BDF2, which does not extrapolate, is held
//! against tol^(3/2). What the iterations leave is kept at 2 % of a step's error.
//!
//! A matrix kept from earlier steps makes a step depend on what came before to within the iteration's
//! tolerance: [`crate::Integrator::replay`] repeats a solve to that, not to the last bit.
//!
//! Stages ([`crate::Method::stages`]): k_1, ..., k_s, each n long.
//!
//! The methods: [`TrBdf2`] (order 2), [`Kvaerno3`], [`Kvaerno4`], [`Kvaerno5`], [`KenCarp4`]. Against
//! [`crate::Rodas5P`] they need no exact Jacobian, few Jacobians and few factorizations, which pays where
//! these are dear (large n), and can solve by GMRES ([`crate::linalg::NewtonMatrix`]); where f is cheap and n small, Rodas5P usually wins. Mass matrices are not
//! supported: use [`crate::Radau5`].

pub mod kencarp4;
mod kernel;
pub mod kvaerno3;
pub mod kvaerno4;
pub mod kvaerno5;
pub mod tableau;
pub mod tr_bdf2;

pub use kernel::Esdirk;
pub use tableau::Tableau;

/// TR-BDF2 over `S`; see [`tr_bdf2`].
pub type TrBdf2<S> = Esdirk<S, tr_bdf2::TrBdf2Tableau>;
/// Kvaerno's pair of orders 3(2) over `S`; see [`kvaerno3`].
pub type Kvaerno3<S> = Esdirk<S, kvaerno3::Kvaerno3Tableau>;
/// Kvaerno's pair of orders 4(3) over `S`; see [`kvaerno4`].
pub type Kvaerno4<S> = Esdirk<S, kvaerno4::Kvaerno4Tableau>;
/// Kvaerno's pair of orders 5(4) over `S`; see [`kvaerno5`].
pub type Kvaerno5<S> = Esdirk<S, kvaerno5::Kvaerno5Tableau>;
/// The implicit part of Kennedy & Carpenter's ARK4(3)6L\[2\]SA over `S`; see [`kencarp4`].
pub type KenCarp4<S> = Esdirk<S, kencarp4::KenCarp4Tableau>;
