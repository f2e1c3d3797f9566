//! Priors: the negative log-density of a parameter, as a value, a slope and a least-squares row.

use costate_solvers::Scalar;

use super::variable::Variable;
use super::{Study, scaling};
use crate::scenario::{Density, Parameter};

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

/// The share of a parameter's prior, if it has one: the density of its natural value v or, of a `scaled` prior, that of q, the
/// value on its search scale, as it stands, without dq/dv.
pub fn share(parameter: &Parameter, v: f64) -> Option<PriorShare> {
    let prior = parameter.prior?;
    if !prior.scaled {
        return Some(of_density(prior.density, v));
    }
    let of_q = of_density(prior.density, scaling::to_scaled(parameter, v));
    // dq/dv, and d2q/dv2 = -v'' / v'^3 with v as a function of q
    let slope = 1.0 / scaling::slope(parameter, v);
    let curvature = -scaling::curvature(parameter, v) * slope.powi(3);
    Some(PriorShare {
        value: of_q.value,
        slope: of_q.slope * slope,
        curvature: of_q.curvature * slope * slope + of_q.slope * curvature,
        residual: of_q.residual,
        residual_slope: of_q.residual_slope * slope,
    })
}

/// The share of a density: normal and Laplace, of a value or its logarithm; uniform is constant inside and infinite outside.
fn of_density(density: Density, v: f64) -> PriorShare {
    match density {
        Density::Normal { location, scale } => {
            let residual = (v - location) / scale;
            PriorShare {
                value: 0.5 * residual * residual + scale.ln() + HALF_LN_TWO_PI,
                slope: residual / scale,
                curvature: 1.0 / (scale * scale),
                residual,
                residual_slope: 1.0 / scale,
            }
        }
        Density::LogNormal { location, scale } => {
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
        Density::Laplace { location, scale } => {
            let sign = sign(v - location);
            PriorShare {
                value: (v - location).abs() / scale + (2.0 * scale).ln(),
                slope: sign / scale,
                curvature: 0.0,
                residual: sign,
                residual_slope: 1.0 / scale,
            }
        }
        Density::LogLaplace { location, scale } => {
            let z = v.ln() - location;
            // d/dv of abs z / scale + ln v; the row has that gradient and the information of the Laplace part
            let residual = sign(z) + scale;
            let residual_slope = 1.0 / (scale * v);
            PriorShare {
                value: z.abs() / scale + v.ln() + (2.0 * scale).ln(),
                slope: residual * residual_slope,
                curvature: -residual * residual_slope / v,
                residual,
                residual_slope,
            }
        }
        Density::Uniform { low, high } => PriorShare {
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

/// -1, 0 or 1.
fn sign(v: f64) -> f64 {
    if v == 0.0 { 0.0 } else { v.signum() }
}

/// The shares of all priors at p.
pub(super) fn value(study: &Study, p: &[f64]) -> f64 {
    let parameters = study.scenario.parameters.iter().zip(p);
    parameters
        .filter_map(|(parameter, &v)| Some(share(parameter, v)?.value))
        .sum()
}

/// The shares of all priors at parameters that are `p` but for derivatives, of second order at most: their Taylor
/// polynomials.
pub(super) fn shares<S: Scalar>(study: &Study, p: &[f64], seeded: &[S]) -> S {
    let mut total = S::from(0.0);
    for ((parameter, &at), &moved) in study.scenario.parameters.iter().zip(p).zip(seeded) {
        if let Some(share) = share(parameter, at) {
            let change = moved - at;
            total += change * (change * (0.5 * share.curvature) + share.slope) + share.value;
        }
    }
    total
}

/// Adds the derivatives of [`shares`] with respect to the variables.
pub(super) fn add_slopes<S: Scalar>(
    study: &Study,
    p: &[f64],
    seeded: &[S],
    variables: &[Variable],
    gradient: &mut [S],
) {
    for (g, variable) in gradient.iter_mut().zip(variables) {
        if let Variable::Parameter(i) = *variable
            && let Some(share) = share(&study.scenario.parameters[i], p[i])
        {
            *g += (seeded[i] - p[i]) * share.curvature + share.slope;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::{SourceFile, Span};
    use crate::scenario::{Name, Prior, Scale};

    fn parameter(density: Density, scale: Scale, scaled: bool) -> Parameter {
        let file = Arc::new(SourceFile {
            path: "test".into(),
            text: String::new(),
        });
        let span = Span {
            file,
            start: 0,
            end: 0,
        };
        Parameter {
            name: Name {
                text: "k".into(),
                span,
            },
            value: 1.0,
            bounds: [0.1, 9.0],
            scale,
            fit: true,
            profile_out: false,
            tune: false,
            unit: None,
            prior: Some(Prior { density, scaled }),
        }
    }

    #[test]
    fn slopes_match_differences_and_rows() {
        let (location, scale) = (0.2, 0.5);
        let densities = [
            Density::Normal { location, scale },
            Density::LogNormal { location, scale },
            Density::Laplace { location, scale },
            Density::LogLaplace { location, scale },
            Density::Uniform {
                low: -3.0,
                high: 3.0,
            },
        ];
        let scales = [Scale::Linear, Scale::Log, Scale::Log10, Scale::Logit];
        for density in densities {
            for (search, scaled) in [false, true]
                .into_iter()
                .flat_map(|scaled| scales.map(|scale| (scale, scaled)))
            {
                let parameter = parameter(density, search, scaled);
                // 2.7 is above 0 on every scale, as log-normal and log-laplace densities want it; the logit of it is below 0
                let (v, h) = (if search == Scale::Logit { 6.0 } else { 2.7 }, 1e-6);
                let of = |v| share(&parameter, v).expect("has a prior");
                if !of(v).value.is_finite() {
                    continue; // outside a uniform density
                }
                let at = of(v);
                let difference = (of(v + h).value - of(v - h).value) / (2.0 * h);
                assert!(
                    (at.slope - difference).abs() < 1e-8,
                    "{parameter:?}: {} {difference}",
                    at.slope
                );
                assert!((at.residual * at.residual_slope - at.slope).abs() < 1e-13);
                let difference = (of(v + h).slope - of(v - h).slope) / (2.0 * h);
                assert!(
                    (at.curvature - difference).abs() < 1e-8,
                    "{parameter:?}: {} {difference}",
                    at.curvature
                );
            }
        }
    }

    /// By hand: log10 1000 = 3 is one deviation of 0.5 above 2.5.
    #[test]
    fn a_scaled_prior_is_of_the_value_on_its_scale() {
        let normal = Density::Normal {
            location: 2.5,
            scale: 0.5,
        };
        let share = share(&parameter(normal, Scale::Log10, true), 1000.0).expect("has a prior");
        let expected = 0.5 + 0.5f64.ln() + HALF_LN_TWO_PI;
        assert!((share.value - expected).abs() < 1e-14);
    }
}
