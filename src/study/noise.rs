//! Noise models: one measurement's share of the negative log-likelihood, and its derivatives.
//!
//! With the model's value y, the measurement d and the standard deviation sigma:
//!
//! | model | share |
//! |---|---|
//! | none | (y - d)^2 / 2 |
//! | normal | r^2 / 2 + ln sigma + ln(2 pi) / 2 with r = (y - d) / sigma |
//! | log-normal | r^2 / 2 + ln sigma + ln d + ln(2 pi) / 2 with r = (ln y - ln d) / sigma |

use costate_solvers::Real;

use crate::scenario::NoiseModel;

const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// The share of one measurement in the objective, over any scalar.
#[inline]
pub fn share<S: Real>(model: Option<NoiseModel>, y: S, sigma: S, d: f64) -> S {
    match model {
        None => {
            let r = y - d;
            r * r * 0.5
        }
        Some(NoiseModel::Normal) => {
            let r = (y - d) / sigma;
            r * r * 0.5 + sigma.ln() + HALF_LN_TWO_PI
        }
        Some(NoiseModel::LogNormal) => {
            let r = (y.ln() - d.ln()) / sigma;
            r * r * 0.5 + sigma.ln() + (d.ln() + HALF_LN_TWO_PI)
        }
    }
}

/// Derivatives of [`share`] with respect to y and sigma.
#[inline]
pub fn share_gradient(model: Option<NoiseModel>, y: f64, sigma: f64, d: f64) -> (f64, f64) {
    match model {
        None => (y - d, 0.0),
        Some(NoiseModel::Normal) => {
            let r = (y - d) / sigma;
            (r / sigma, (1.0 - r * r) / sigma)
        }
        Some(NoiseModel::LogNormal) => {
            let r = (y.ln() - d.ln()) / sigma;
            (r / (sigma * y), (1.0 - r * r) / sigma)
        }
    }
}

/// One measurement as two least-squares rows whose gradient `r1 dr1 + r2 dr2` is the share's and whose
/// Gauss-Newton matrix `dr1 dr1^T + dr2 dr2^T` is its Fisher information:
/// r1 = r with dr1 = (dr/dy) dy, and, where sigma moves, r2 = (1 - r^2) / sqrt 2 with dr2 = sqrt 2 dsigma / sigma.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rows {
    /// standardized residual r
    pub residual: f64,
    /// dr / dy with sigma held
    pub slope: f64,
    /// (1 - r^2) / sqrt 2
    pub sigma_residual: f64,
    /// sqrt 2 / sigma
    pub sigma_slope: f64,
}

/// The rows of one measurement.
#[inline]
pub fn rows(model: Option<NoiseModel>, y: f64, sigma: f64, d: f64) -> Rows {
    let (residual, slope) = match model {
        None => {
            return Rows {
                residual: y - d,
                slope: 1.0,
                sigma_residual: 0.0,
                sigma_slope: 0.0,
            };
        }
        Some(NoiseModel::Normal) => ((y - d) / sigma, 1.0 / sigma),
        Some(NoiseModel::LogNormal) => ((y.ln() - d.ln()) / sigma, 1.0 / (sigma * y)),
    };
    Rows {
        residual,
        slope,
        sigma_residual: (1.0 - residual * residual) * std::f64::consts::FRAC_1_SQRT_2,
        sigma_slope: std::f64::consts::SQRT_2 / sigma,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradient_and_rows_are_the_derivatives_of_the_share() {
        for model in [None, Some(NoiseModel::Normal), Some(NoiseModel::LogNormal)] {
            let (y, sigma, d) = (2.3, 0.7, 1.9);
            let (dy, dsigma) = share_gradient(model, y, sigma, d);
            let h = 1e-6; // central differences: error about h^2 f''' / 6 + rounding 1e-16 / h, under 1e-9
            let fd_y = (share(model, y + h, sigma, d) - share(model, y - h, sigma, d)) / (2.0 * h);
            let fd_sigma =
                (share(model, y, sigma + h, d) - share(model, y, sigma - h, d)) / (2.0 * h);
            assert!((dy - fd_y).abs() < 1e-9, "{model:?}: {dy} {fd_y}");
            assert!(
                (dsigma - fd_sigma).abs() < 1e-9,
                "{model:?}: {dsigma} {fd_sigma}"
            );
            let rows = rows(model, y, sigma, d);
            assert!((rows.residual * rows.slope - dy).abs() < 1e-14);
            assert!((rows.sigma_residual * rows.sigma_slope - dsigma).abs() < 1e-14);
        }
    }
}
