//! Distributions by location and scale: z = (g(y) - g(d)) / sigma has a density of its own, with g the identity or a logarithm.
//!
//! | density of z | -ln of it | information of z, of ln sigma |
//! |---|---|---|
//! | normal | z^2 / 2 + ln(2 pi) / 2 | 1, 2 |
//! | Laplace | abs z + ln 2 | 1, 1 |
//! | Student, nu degrees of freedom | (nu + 1) / 2 ln(1 + z^2 / nu) + ln(sqrt(nu pi) Gamma(nu / 2) / Gamma((nu + 1) / 2)) | (nu + 1) / (nu + 3), 2 nu / (nu + 3) |
//!
//! The share of d is that, plus ln sigma, less ln g'(d). Beyond a limit of detection c only F((g(c) - g(y)) / sigma) is known, the
//! probability of what lies below it, or the same above: the densities are symmetric (Tobin 1958; Lange et al. 1989).

use std::f64::consts::{LN_2, LN_10, PI};

use costate_solvers::Scalar;
use statrs::function::beta::beta_reg;

use super::Slopes;
use super::special::{HALF_LN_TWO_PI, ln_gamma, ln_normal_cdf, normal_hazard};

/// What is taken of values before they are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Transform {
    Identity,
    Ln,
    Log10,
}

impl Transform {
    #[inline]
    pub fn of<S: Scalar>(self, y: S) -> S {
        match self {
            Self::Identity => y,
            Self::Ln => y.ln(),
            Self::Log10 => y.log10(),
        }
    }

    /// The derivative at y.
    #[inline]
    fn slope(self, y: f64) -> f64 {
        match self {
            Self::Identity => 1.0,
            Self::Ln => 1.0 / y,
            Self::Log10 => 1.0 / (y * LN_10),
        }
    }

    /// -ln of the derivative at d: what a density of the transformed value is to be lessened by.
    #[inline]
    fn volume(self, d: f64) -> f64 {
        match self {
            Self::Identity => 0.0,
            Self::Ln => d.ln(),
            Self::Log10 => (d * LN_10).ln(),
        }
    }
}

/// The density of z.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Base {
    Normal,
    Laplace,
    Student {
        /// degrees of freedom
        nu: f64,
    },
}

impl Base {
    /// -ln of the density but for its constant.
    #[inline]
    fn energy<S: Scalar>(self, z: S) -> S {
        match self {
            Self::Normal => z * z * 0.5,
            Self::Laplace => z.abs(),
            Self::Student { nu } => (z * z / nu).ln_1p() * (0.5 * (nu + 1.0)),
        }
    }

    #[inline]
    fn constant(self) -> f64 {
        match self {
            Self::Normal => HALF_LN_TWO_PI,
            Self::Laplace => LN_2,
            Self::Student { nu } => {
                0.5 * (nu * PI).ln() + ln_gamma(0.5 * nu) - ln_gamma(0.5 * (nu + 1.0))
            }
        }
    }

    /// The derivative of `energy`.
    #[inline]
    fn force(self, z: f64) -> f64 {
        match self {
            Self::Normal => z,
            Self::Laplace if z == 0.0 => 0.0,
            Self::Laplace => z.signum(),
            Self::Student { nu } => (nu + 1.0) * z / (nu + z * z),
        }
    }

    /// Expected information of the location and of the logarithm of the scale, at scale 1.
    #[inline]
    pub fn information(self) -> (f64, f64) {
        match self {
            Self::Normal => (1.0, 2.0),
            Self::Laplace => (1.0, 1.0),
            Self::Student { nu } => ((nu + 1.0) / (nu + 3.0), 2.0 * nu / (nu + 3.0)),
        }
    }

    /// The standard deviation of z; infinite where it has none.
    pub fn deviation(self) -> f64 {
        match self {
            Self::Normal => 1.0,
            Self::Laplace => std::f64::consts::SQRT_2,
            Self::Student { nu } if nu > 2.0 => (nu / (nu - 2.0)).sqrt(),
            Self::Student { .. } => f64::INFINITY,
        }
    }

    /// ln F(u), F the distribution function.
    pub fn ln_cdf<S: Scalar>(self, u: S) -> S {
        match self {
            Self::Normal => ln_normal_cdf(u),
            Self::Laplace if u.value() <= 0.0 => u - LN_2,
            Self::Laplace => ((-u).exp() * -0.5).ln_1p(),
            Self::Student { .. } => {
                // No closed form: the Taylor polynomial at the value, as far as derivatives are ever carried.
                let at = u.value();
                let (first, second) = self.cdf_slopes(at);
                let change = u - at;
                change * (change * (0.5 * second) + first) + self.ln_cdf_value(at)
            }
        }
    }

    fn ln_cdf_value(self, u: f64) -> f64 {
        let Self::Student { nu } = self else {
            return self.ln_cdf(u);
        };
        let tail = 0.5 * beta_reg(0.5 * nu, 0.5, nu / (nu + u * u));
        if u < 0.0 { tail.ln() } else { (-tail).ln_1p() }
    }

    /// First and second derivative of ln F.
    fn cdf_slopes(self, u: f64) -> (f64, f64) {
        // f / F =: h, and h' = h (f' / f - h)
        let hazard = match self {
            Self::Normal => normal_hazard(u),
            _ => (-self.energy(u) - self.constant() - self.ln_cdf_value(u)).exp(),
        };
        (hazard, hazard * (-self.force(u) - hazard))
    }
}

/// The side of a limit of detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// all that is known is that the value is at most the limit
    Below,
    /// at least
    Above,
}

impl Side {
    fn sign(self) -> f64 {
        match self {
            Self::Below => 1.0,
            Self::Above => -1.0,
        }
    }
}

/// The share of a measurement d.
#[inline]
pub(super) fn share<S: Scalar>(transform: Transform, base: Base, y: S, sigma: S, d: f64) -> S {
    let z = (transform.of(y) - transform.of(d)) / sigma;
    base.energy(z) + sigma.ln() + (transform.volume(d) + base.constant())
}

/// Its derivatives.
#[inline]
pub(super) fn slopes(transform: Transform, base: Base, y: f64, sigma: f64, d: f64) -> Slopes {
    let z = (transform.of(y) - transform.of(d)) / sigma;
    let force = base.force(z);
    let slope = transform.slope(y) / sigma;
    let (location, scale) = base.information();
    Slopes {
        y: force * slope,
        sigma: (1.0 - z * force) / sigma,
        y_information: location * slope * slope,
        sigma_information: scale / (sigma * sigma),
    }
}

/// Its derivatives with respect to y and sigma over any scalar, for the normal distribution.
#[inline]
pub(super) fn normal_gradient<S: Scalar>(transform: Transform, y: S, sigma: S, d: f64) -> (S, S) {
    let z = (transform.of(y) - transform.of(d)) / sigma;
    let by_y = match transform {
        Transform::Identity => z / sigma,
        Transform::Ln => z / (sigma * y),
        Transform::Log10 => z / (sigma * y * LN_10),
    };
    (by_y, (S::from(1.0) - z * z) / sigma)
}

/// The share of a measurement beyond a limit.
pub(super) fn share_beyond<S: Scalar>(
    transform: Transform,
    base: Base,
    side: Side,
    y: S,
    sigma: S,
    limit: f64,
) -> S {
    let u = (transform.of(y) - transform.of(limit)) * -side.sign() / sigma;
    -base.ln_cdf(u)
}

/// Its derivatives. The information is the observed one, or the square of the slope where that is more: a tail that is not
/// log-concave has none.
pub(super) fn slopes_beyond(
    transform: Transform,
    base: Base,
    side: Side,
    y: f64,
    sigma: f64,
    limit: f64,
) -> Slopes {
    let u = (transform.of(y) - transform.of(limit)) * -side.sign() / sigma;
    let (hazard, curvature) = base.cdf_slopes(u);
    let information = match base {
        Base::Normal => -curvature,
        Base::Laplace | Base::Student { .. } => hazard.powi(2).max(-curvature),
    };
    let y_slope = side.sign() * transform.slope(y) / sigma;
    let sigma_slope = u / sigma;
    Slopes {
        y: hazard * y_slope,
        sigma: hazard * sigma_slope,
        y_information: information * y_slope * y_slope,
        sigma_information: information * sigma_slope * sigma_slope,
    }
}
