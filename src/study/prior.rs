//! Priors: the negative log-density of a parameter, as a value, a slope and a least-squares row.

use costate_solvers::Scalar;

use super::Study;
use crate::scenario::Prior;

const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// A prior's share at the natural value v.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PriorShare {
    /// -ln p(v)
    pub value: f64,
    /// its derivative
    pub slope: f64,
    /// its second derivative
    pub curvature: f64,
    /// residual of the least-squares row: `residual * residual_slope = slope`
    pub residual: f64,
    /// derivative of the row's residual: its square is the Fisher information of the prior
    pub residual_slope: f64,
}

/// The share of a prior: normal, log-normal and Laplace by their densities; uniform is constant inside and
/// infinite outside.
pub fn share(prior: Prior, v: f64) -> PriorShare {
    match prior {
        Prior::Normal { location, scale } => {
            let residual = (v - location) / scale;
            PriorShare {
                value: 0.5 * residual * residual + scale.ln() + HALF_LN_TWO_PI,
                slope: residual / scale,
                curvature: 1.0 / (scale * scale),
                residual,
                residual_slope: 1.0 / scale,
            }
        }
        Prior::LogNormal { location, scale } => {
            let z = (v.ln() - location) / scale;
            // z^2 / 2 + ln v = (z + scale)^2 / 2 + constants: the row completes the square.
            let residual_slope = 1.0 / (scale * v);
            PriorShare {
                value: 0.5 * z * z + v.ln() + scale.ln() + HALF_LN_TWO_PI,
                slope: (z + scale) * residual_slope,
                curvature: residual_slope * (residual_slope - (z + scale) / v),
                residual: z + scale,
                residual_slope,
            }
        }
        Prior::Laplace { location, scale } => {
            let sign = if v == location {
                0.0
            } else {
                (v - location).signum()
            };
            PriorShare {
                value: (v - location).abs() / scale + (2.0 * scale).ln(),
                slope: sign / scale,
                curvature: 0.0,
                residual: sign,
                residual_slope: 1.0 / scale,
            }
        }
        Prior::Uniform { low, high } => PriorShare {
            value: if (low..=high).contains(&v) {
                (high - low).ln()
            } else {
                f64::INFINITY
            },
            slope: 0.0,
            curvature: 0.0,
            residual: 0.0,
            residual_slope: 0.0,
        },
    }
}

/// The shares of all priors at parameters that are `p` but for derivatives, of second order at most: their Taylor
/// polynomials.
pub(super) fn shares<S: Scalar>(study: &Study, p: &[f64], seeded: &[S]) -> S {
    let mut total = S::from(0.0);
    for ((parameter, &at), &moved) in study.scenario.parameters.iter().zip(p).zip(seeded) {
        if let Some(prior) = parameter.prior {
            let (share, change) = (share(prior, at), moved - at);
            total += change * (change * (0.5 * share.curvature) + share.slope) + share.value;
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_match_differences_and_rows() {
        let priors = [
            Prior::Normal {
                location: 1.0,
                scale: 0.3,
            },
            Prior::LogNormal {
                location: 0.2,
                scale: 0.5,
            },
            Prior::Laplace {
                location: 1.0,
                scale: 0.4,
            },
            Prior::Uniform {
                low: 0.0,
                high: 3.0,
            },
        ];
        for prior in priors {
            let (v, h) = (1.7, 1e-6);
            let at = share(prior, v);
            let difference = (share(prior, v + h).value - share(prior, v - h).value) / (2.0 * h);
            assert!(
                (at.slope - difference).abs() < 1e-8,
                "{prior:?}: {} {difference}",
                at.slope
            );
            assert!((at.residual * at.residual_slope - at.slope).abs() < 1e-14);
            let difference = (share(prior, v + h).slope - share(prior, v - h).slope) / (2.0 * h);
            assert!(
                (at.curvature - difference).abs() < 1e-8,
                "{prior:?}: {} {difference}",
                at.curvature
            );
        }
    }
}
