//! Counts d around a mean y: Poisson, and negative binomial with variance y + y^2 / phi.
//!
//! -ln p of the first is y - d ln y + ln d!; of the second
//! ln d! - ln(Gamma(d + phi) / Gamma(phi)) + phi ln(1 + y / phi) + d ln(1 + phi / y) (Lawless 1987).

use costate_adjoint::Dual;
use costate_solvers::{Real, Scalar};

use super::Slopes;
use super::special::ln_gamma;
use crate::scenario::NoiseModel;

/// -ln of the probability of the count d.
pub(super) fn share<S: Scalar>(model: NoiseModel, y: S, phi: S, d: f64) -> S {
    let factorial = ln_gamma(d + 1.0);
    if model == NoiseModel::Poisson {
        // 0 ln 0 = 0: a mean of zero explains a count of zero
        return if d == 0.0 {
            y
        } else {
            y - y.ln() * d + factorial
        };
    }
    let of_mean = (y / phi).ln_1p() * phi;
    if d == 0.0 {
        return of_mean;
    }
    of_mean + (phi / y).ln_1p() * d + (ln_gamma(phi) - ln_gamma(phi + d) + factorial)
}

/// Derivatives, and information: of the mean the expected one, d by its mean; of phi the square of the slope, which is
/// its expected value (no closed form has it otherwise).
pub(super) fn slopes(model: NoiseModel, y: f64, phi: f64, d: f64) -> Slopes {
    if model == NoiseModel::Poisson {
        return Slopes {
            y: if d == 0.0 { 1.0 } else { 1.0 - d / y },
            sigma: 0.0,
            y_information: 1.0 / y,
            sigma_information: 0.0,
        };
    }
    let seeded = Dual::<1> {
        value: phi,
        tangent: [1.0],
    };
    let of_phi = share(model, Dual::from(y), seeded, d).tangent[0];
    Slopes {
        y: phi * (y - d) / (y * (y + phi)),
        sigma: of_phi,
        y_information: phi / (y * (y + phi)),
        sigma_information: of_phi * of_phi,
    }
}

/// The standard deviation of the count.
pub(super) fn deviation(model: NoiseModel, y: f64, phi: f64) -> f64 {
    match model {
        NoiseModel::NegativeBinomial => Real::sqrt(y + y * y / phi),
        _ => Real::sqrt(y),
    }
}
