//! Special functions of noise models, over any scalar.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2};

use costate_solvers::Scalar;

/// ln(2 pi) / 2
pub(super) const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// Where Stirling's series begins: the first term left out is below 1e-17 there.
const STIRLING_FROM: f64 = 12.0;

/// B_2k / (2k (2k - 1)), the coefficients of z^(1 - 2k) in Stirling's series.
const STIRLING: [f64; 8] = [
    1.0 / 12.0,
    -1.0 / 360.0,
    1.0 / 1260.0,
    -1.0 / 1680.0,
    1.0 / 1188.0,
    -691.0 / 360_360.0,
    1.0 / 156.0,
    -3617.0 / 122_400.0,
];

/// ln Gamma(z) for z > 0: Stirling's series at z + n, less ln(z (z + 1) ... (z + n - 1)) (Abramowitz and Stegun 6.1.40).
pub(super) fn ln_gamma<S: Scalar>(z: S) -> S {
    let mut shifted = z;
    let mut product = S::from(1.0);
    while shifted.value() < STIRLING_FROM {
        product *= shifted;
        shifted += S::from(1.0);
    }
    let inverse = S::from(1.0) / shifted;
    let square = inverse * inverse;
    let mut series = S::from(0.0);
    for &coefficient in STIRLING.iter().rev() {
        series = series * square + coefficient;
    }
    (shifted - 0.5) * shifted.ln() - shifted + series * inverse + HALF_LN_TWO_PI - product.ln()
}

/// Below, the tail of the normal distribution is a continued fraction.
const TAIL: f64 = -3.0;

/// Convergents of it: at `TAIL` they have converged to rounding.
const TAIL_TERMS: u32 = 120;

/// ln of the normal distribution function, exact far into its lower tail: there
/// ln Phi(u) = -u^2 / 2 - ln(2 pi) / 2 + ln R with Mills' ratio R = 1 / (x + 1 / (x + 2 / (x + 3 / ...))), x = -u (Laplace).
pub(super) fn ln_normal_cdf<S: Scalar>(u: S) -> S {
    if u.value() > TAIL {
        // erfc of a positive argument would cancel here, 1 + erf does not
        let erf = (u * FRAC_1_SQRT_2).erf();
        return if u.value() > 0.0 {
            ((erf - 1.0) * 0.5).ln_1p()
        } else {
            (erf + 1.0).ln() - LN_2
        };
    }
    u * u * -0.5 - HALF_LN_TWO_PI - mills_denominator(-u).ln()
}

/// phi(u) / Phi(u), the derivative of ln Phi.
pub(super) fn normal_hazard(u: f64) -> f64 {
    if u > TAIL {
        (-0.5 * u * u - HALF_LN_TWO_PI - ln_normal_cdf(u)).exp()
    } else {
        mills_denominator(-u)
    }
}

/// x + 1 / (x + 2 / (x + 3 / ...)).
fn mills_denominator<S: Scalar>(x: S) -> S {
    let mut denominator = x;
    for k in (1..=TAIL_TERMS).rev() {
        denominator = x + S::from(f64::from(k)) / denominator;
    }
    denominator
}
