//! The coefficients of the backward and the numerical differentiation formulas.
//!
//! With nabla^j x the j-th backward difference at t_{n+1} over equal steps h, order k is
//!
//! ```text
//! sum_{j=1}^k (1/j) nabla^j x_{n+1} = h f(t_{n+1}, x_{n+1}) + kappa_k gamma_k (x_{n+1} - x_pred)
//! gamma_k = sum_{j=1}^k 1/j,      x_pred = sum_{j=0}^k nabla^j x_n
//! ```
//!
//! kappa = 0 gives the backward differentiation formula (BDF). Klopfenstein's kappa_k < 0 (the NDF) makes the
//! error constant kappa_k gamma_k + 1/(k+1) smaller, hence the steps larger: by 26 % at orders 1 to 3 and 12 %
//! at order 4, for a wedge of A(alpha)-stability at most 7 degrees narrower; order 2 stays A-stable.
//!
//! Source: L. F. Shampine and M. W. Reichelt, The MATLAB ODE suite, SIAM J. Sci. Comput. 18 (1997) 1-22,
//! doi 10.1137/S1064827594276424.

/// Highest order: formulas of order 7 and above are unstable, and 6 hardly damps.
pub const MAX_ORDER: usize = 5;

/// gamma_k = 1 + 1/2 + ... + 1/k; gamma_0 = 0.
pub const GAMMA: [f64; MAX_ORDER + 1] =
    [0.0, 1.0, 3.0 / 2.0, 11.0 / 6.0, 25.0 / 12.0, 137.0 / 60.0];

/// A family of formulas of orders 1 to 5; see the module.
pub trait Formula: Clone + Copy + Default + std::fmt::Debug + Send + Sync + 'static {
    /// kappa_k, k = 0 (unused) to 5.
    const KAPPA: [f64; MAX_ORDER + 1];

    /// (1 - kappa_k) gamma_k: the weight of x_{n+1} - x_pred in h x'.
    #[inline]
    fn leading(order: usize) -> f64 {
        (1.0 - Self::KAPPA[order]) * GAMMA[order]
    }

    /// The local error of order k is this times nabla^{k+1} x_{n+1}.
    #[inline]
    fn error_constant(order: usize) -> f64 {
        Self::KAPPA[order] * GAMMA[order] + 1.0 / (order + 1) as f64
    }
}

/// The classical formulas, kappa = 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BackwardDifferentiation;

impl Formula for BackwardDifferentiation {
    const KAPPA: [f64; MAX_ORDER + 1] = [0.0; MAX_ORDER + 1];
}

/// Klopfenstein's and Shampine's: smaller errors for a little stability.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NumericalDifferentiation;

impl Formula for NumericalDifferentiation {
    const KAPPA: [f64; MAX_ORDER + 1] = [0.0, -0.1850, -1.0 / 9.0, -0.0823, -0.0415, 0.0];
}
