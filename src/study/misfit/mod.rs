//! What one measurement adds to the objective, and its derivatives.
//!
//! With the model's value y and the measurement d:
//!
//! | | share |
//! |---|---|
//! | neither noise nor loss | (y - d)^2 / 2 |
//! | a robust loss | width^2 rho((y - d)^2 / width^2) / 2: `loss.rs` |
//! | a noise model | -ln of the density of d: `location_scale.rs`, `counts.rs` |
//! | a noise model, d at a limit of detection | -ln of the probability of what lies beyond: `location_scale.rs` |
//!
//! A share is evaluated over any scalar; its gradient and its curvature are written out, since every evaluation needs them.

mod counts;
mod location_scale;
mod loss;
mod quantile;
mod special;

use costate_adjoint::DualOver;
use costate_solvers::Scalar;

use crate::scenario::{Loss, NoiseModel, Scenario};
use location_scale::{Base, Side, Transform};

/// The distance from a corner, in units of sigma, below which its parabola narrows no more.
const CORNER: f64 = 1e-6;

/// How the measurements of an observable count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Misfit {
    /// the distribution of the noise, where there is one
    pub model: Option<NoiseModel>,
    /// the robust loss, where there is one
    pub loss: Option<Loss>,
    /// limits of detection
    pub limits: [f64; 2],
}

/// Derivatives of a share to first order, and what stands for its second ones in a least-squares method: the Fisher information
/// of the noise model, by which a step of Gauss and Newton is one of Fisher scoring.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Slopes {
    /// with respect to y
    y: f64,
    /// with respect to sigma
    sigma: f64,
    /// information of y
    y_information: f64,
    /// information of sigma
    sigma_information: f64,
}

/// One measurement as two least-squares rows whose gradient `r1 dr1 + r2 dr2` is the share's and whose
/// Gauss-Newton matrix `dr1 dr1^T + dr2 dr2^T` is its Fisher information: r1 = `residual` with dr1 = `slope` dy and, where
/// sigma moves, r2 = `sigma_residual` with dr2 = `sigma_slope` dsigma.
///
/// For the normal distribution r1 = (y - d) / sigma, dr1 = dy / sigma, r2 = (1 - r1^2) / sqrt 2, dr2 = sqrt 2 dsigma / sigma.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rows {
    /// r1
    pub residual: f64,
    /// dr1 / dy
    pub slope: f64,
    /// r2
    pub sigma_residual: f64,
    /// dr2 / dsigma
    pub sigma_slope: f64,
}

impl Misfit {
    /// Those of a scenario's observables.
    pub fn of(scenario: &Scenario) -> Vec<Self> {
        let observables = scenario.observables.iter();
        observables
            .map(|observable| Self {
                model: observable.noise.as_ref().map(|noise| noise.model),
                loss: observable.loss,
                limits: observable
                    .noise
                    .as_ref()
                    .map_or([f64::NEG_INFINITY, f64::INFINITY], |noise| noise.limits),
            })
            .collect()
    }

    /// The side of the limits of detection on which d lies, and the limit.
    fn beyond(&self, d: f64) -> Option<(Side, f64)> {
        let [lower, upper] = self.limits;
        if d <= lower {
            Some((Side::Below, lower))
        } else if d >= upper {
            Some((Side::Above, upper))
        } else {
            None
        }
    }

    /// The share of one measurement in the objective.
    #[inline]
    pub fn share<S: Scalar>(&self, y: S, sigma: S, d: f64) -> S {
        let Some(model) = self.model else {
            return match self.loss {
                None => {
                    let r = y - d;
                    r * r * 0.5
                }
                Some(loss) => loss::share(loss, y - d),
            };
        };
        let Some((transform, base)) = parts(model) else {
            return counts::share(model, y, sigma, d);
        };
        match self.beyond(d) {
            None => location_scale::share(transform, base, y, sigma, d),
            Some((side, limit)) => {
                location_scale::share_beyond(transform, base, side, y, sigma, limit)
            }
        }
    }

    #[inline]
    fn slopes(&self, y: f64, sigma: f64, d: f64) -> Slopes {
        let Some(model) = self.model else {
            let (y, y_information) = match self.loss {
                None => (y - d, 1.0),
                Some(loss) => loss::slope(loss, y - d),
            };
            return Slopes {
                y,
                sigma: 0.0,
                y_information,
                sigma_information: 0.0,
            };
        };
        let Some((transform, base)) = parts(model) else {
            return counts::slopes(model, y, sigma, d);
        };
        match self.beyond(d) {
            None => location_scale::slopes(transform, base, y, sigma, d),
            Some((side, limit)) => {
                location_scale::slopes_beyond(transform, base, side, y, sigma, limit)
            }
        }
    }

    /// Derivatives of [`Misfit::share`] with respect to y and sigma.
    #[inline]
    pub fn gradient<S: Scalar>(&self, y: S, sigma: S, d: f64) -> (S, S) {
        match (self.model.and_then(parts), self.loss) {
            (None, None) if self.model.is_none() => (y - d, S::from(0.0)),
            (Some((transform, Base::Normal)), _) if self.beyond(d).is_none() => {
                location_scale::normal_gradient(transform, y, sigma, d)
            }
            _ => {
                let one = S::from(1.0);
                let zero = S::from(0.0);
                let y = DualOver {
                    value: y,
                    tangent: [one, zero],
                };
                let sigma = DualOver {
                    value: sigma,
                    tangent: [zero, one],
                };
                let [by_y, by_sigma] = self.share(y, sigma, d).tangent;
                (by_y, by_sigma)
            }
        }
    }

    /// The rows of one measurement.
    #[inline]
    pub fn rows(&self, y: f64, sigma: f64, d: f64) -> Rows {
        Rows::new(self.slopes(y, sigma, d))
    }

    /// The rows for a step of an optimizer: as [`Misfit::rows`], but where the share has a corner at d, as the Laplace family has,
    /// with the curvature of the parabola that touches it from above at y (iteratively reweighted least squares; Schlossmacher
    /// 1973). A step by the Fisher information would jump over the corner to and fro.
    #[inline]
    pub fn step_rows(&self, y: f64, sigma: f64, d: f64) -> Rows {
        let mut slopes = self.slopes(y, sigma, d);
        if let Some((transform, Base::Laplace)) = self.model.and_then(parts)
            && self.beyond(d).is_none()
        {
            let z = (transform.of(y) - transform.of(d)) / sigma;
            slopes.y_information /= z.abs().max(CORNER);
        }
        Rows::new(slopes)
    }

    /// Of a measurement to come: the square roots of the expected information of y and of sigma, the slopes of its rows.
    ///
    /// That of the dispersion of counts, which has no closed form, is 0, as is all of a robust loss.
    pub fn expected_slopes<S: Scalar>(&self, y: S, sigma: S) -> [S; 2] {
        let one = S::from(1.0);
        let zero = S::from(0.0);
        let Some(model) = self.model else {
            return [if self.loss.is_none() { one } else { zero }, zero];
        };
        let Some((transform, base)) = parts(model) else {
            let variance = match model {
                NoiseModel::NegativeBinomial => y + y * y / sigma,
                _ => y,
            };
            return [one / variance.sqrt(), zero];
        };
        let (of_y, of_sigma) = base.information();
        let unit = match transform {
            Transform::Identity => one,
            Transform::Ln => one / y,
            Transform::Log10 => one / (y * std::f64::consts::LN_10),
        };
        [unit * of_y.sqrt() / sigma, one / sigma * of_sigma.sqrt()]
    }

    /// The standard deviation of the noise of one measurement around y, on the scale on which it is symmetric; NaN without a
    /// noise model.
    pub fn deviation(&self, y: f64, sigma: f64) -> f64 {
        match self.model {
            None => f64::NAN,
            Some(model) => match parts(model) {
                Some((_, base)) => sigma * base.deviation(),
                None => counts::deviation(model, y, sigma),
            },
        }
    }

    /// The residual, model minus measured, in units of the noise's scale: of the transformed values where the noise is of
    /// those; y - d without a noise model.
    pub fn standardized(&self, y: f64, sigma: f64, d: f64) -> f64 {
        match self.model {
            None => y - d,
            Some(model) => match parts(model) {
                Some((transform, _)) => (transform.of(y) - transform.of(d)) / sigma,
                None => (y - d) / counts::deviation(model, y, sigma),
            },
        }
    }
}

impl Rows {
    fn new(slopes: Slopes) -> Self {
        let row = |gradient: f64, information: f64| {
            let slope = information.sqrt();
            // without information there is no row: what is left of the gradient, if anything, lies within rounding
            let residual = if slope > 0.0 { gradient / slope } else { 0.0 };
            (residual, slope)
        };
        let (residual, slope) = row(slopes.y, slopes.y_information);
        let (sigma_residual, sigma_slope) = row(slopes.sigma, slopes.sigma_information);
        Self {
            residual,
            slope,
            sigma_residual,
            sigma_slope,
        }
    }
}

/// The transform and the density of a location-scale family; `None` of counts.
fn parts(model: NoiseModel) -> Option<(Transform, Base)> {
    Some(match model {
        NoiseModel::Normal => (Transform::Identity, Base::Normal),
        NoiseModel::LogNormal => (Transform::Ln, Base::Normal),
        NoiseModel::Log10Normal => (Transform::Log10, Base::Normal),
        NoiseModel::Laplace => (Transform::Identity, Base::Laplace),
        NoiseModel::LogLaplace => (Transform::Ln, Base::Laplace),
        NoiseModel::Log10Laplace => (Transform::Log10, Base::Laplace),
        NoiseModel::StudentT { degrees_of_freedom } => (
            Transform::Identity,
            Base::Student {
                nu: degrees_of_freedom,
            },
        ),
        NoiseModel::Poisson | NoiseModel::NegativeBinomial => return None,
    })
}

#[cfg(test)]
mod tests;
