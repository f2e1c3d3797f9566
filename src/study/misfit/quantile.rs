//! Quantile residuals: Phi^-1(F(d)), with F the distribution that the model gives the measurement d and Phi the normal one.
//!
//! Under the model they are standard normal, whatever the noise (Dunn & Smyth 1996, doi 10.2307/1390802). Where only an
//! interval of F is known, of a count from F(d - 1) to F(d), of what lies beyond a limit of detection the whole tail, the
//! place in it is drawn at random.

use std::f64::consts::SQRT_2;

use statrs::function::beta::beta_reg;
use statrs::function::erf::erfc_inv;
use statrs::function::gamma::{gamma_lr, gamma_ur};

use super::location_scale::{Base, Side};
use super::{Misfit, parts};
use crate::scenario::NoiseModel;

impl Misfit {
    /// The quantile residual of one measurement, positive where it lies above the model; `place`, between 0 and 1, is where in
    /// the interval of its probabilities it is put. The plain d - y without a noise model.
    pub fn quantile_residual(&self, y: f64, sigma: f64, d: f64, place: f64) -> f64 {
        let Some(model) = self.model else {
            return d - y;
        };
        let Some((transform, base)) = parts(model) else {
            let [below, above] = count_probabilities(model, y, sigma, d);
            let at = 1.0 - below - above;
            return normal_score(below + place * at, above + (1.0 - place) * at);
        };
        let z = |value: f64| (transform.of(value) - transform.of(y)) / sigma;
        match self.beyond(d) {
            None => score(base, z(d)),
            Some((Side::Below, limit)) => tail_score(base, z(limit), 1.0 - place),
            Some((Side::Above, limit)) => -tail_score(base, -z(limit), 1.0 - place),
        }
    }

    /// Whether the quantile residual of the measurement d has a random part.
    pub fn is_randomized(&self, d: f64) -> bool {
        let counts = self.model.is_some_and(|model| parts(model).is_none());
        counts || self.beyond(d).is_some()
    }
}

/// Phi^-1(F(z)) of a symmetric density.
fn score(base: Base, z: f64) -> f64 {
    match base {
        Base::Normal => z,
        _ if z > 0.0 => -tail_score(base, -z, 1.0),
        _ => tail_score(base, z, 1.0),
    }
}

/// Phi^-1(part F(z)), 0 < part <= 1.
fn tail_score(base: Base, z: f64, part: f64) -> f64 {
    let below = part * base.ln_cdf(z).exp();
    normal_score(below, 1.0 - below)
}

/// Phi^-1(below), from the smaller of that and its complement `above`; finite always.
fn normal_score(below: f64, above: f64) -> f64 {
    let tail = |probability: f64| -SQRT_2 * erfc_inv(2.0 * probability.max(f64::MIN_POSITIVE));
    if below <= above {
        tail(below)
    } else {
        -tail(above)
    }
}

/// Probabilities of counts below and above d.
fn count_probabilities(model: NoiseModel, y: f64, phi: f64, d: f64) -> [f64; 2] {
    let d = d.floor();
    let sound = y > 0.0 && y.is_finite() && d >= 0.0;
    if !sound {
        return [f64::NAN; 2];
    }
    if model == NoiseModel::Poisson {
        let below = if d > 0.0 { gamma_ur(d, y) } else { 0.0 };
        return [below, gamma_lr(d + 1.0, y)];
    }
    let sound = phi > 0.0 && phi.is_finite();
    if !sound {
        return [f64::NAN; 2];
    }
    let p = phi / (phi + y);
    let below = if d > 0.0 { beta_reg(phi, d, p) } else { 0.0 };
    [below, beta_reg(d + 1.0, phi, 1.0 - p)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(model: NoiseModel) -> Misfit {
        Misfit {
            model: Some(model),
            loss: None,
            limits: [f64::NEG_INFINITY, f64::INFINITY],
        }
    }

    /// Phi^-1 of sums of the probabilities of the counts 0, 1, ... by Python's `statistics.NormalDist`; `erfc_inv` is good to
    /// some 1e-9.
    const POISSON: [f64; 3] = [-0.940119745007310, -0.406205093794050, 3.594313541253451];
    const NEGATIVE: [f64; 2] = [-0.353405876061065, -0.031211928381660];
    /// Of exp(-2) / 2.
    const LAPLACE: f64 = 1.493389410657259;
    /// Of 1/2 + (x / (1 + x^2) + atan x) / pi, x = 2 / sqrt 3: three degrees of freedom at 2.
    const STUDENT: f64 = 1.478305715492448;

    #[test]
    fn counts_lie_between_the_quantiles_of_their_probabilities() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-7, "{a} {b}");
        let poisson = of(NoiseModel::Poisson);
        close(poisson.quantile_residual(4.5, 0.0, 3.0, 1.0), POISSON[1]);
        close(poisson.quantile_residual(4.5, 0.0, 3.0, 0.0), POISSON[0]);
        close(poisson.quantile_residual(4.5, 0.0, 14.0, 0.5), POISSON[2]);
        let negative = of(NoiseModel::NegativeBinomial);
        close(negative.quantile_residual(4.5, 2.0, 3.0, 1.0), NEGATIVE[1]);
        close(negative.quantile_residual(4.5, 2.0, 3.0, 0.0), NEGATIVE[0]);
    }

    #[test]
    fn symmetric_densities_are_mapped_to_the_normal_one() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-7, "{a} {b}");
        let log_normal = of(NoiseModel::LogNormal);
        close(
            log_normal.quantile_residual(2.0, 0.5, 3.0, 0.3),
            (1.5f64).ln() / 0.5,
        );
        let laplace = of(NoiseModel::Laplace);
        close(laplace.quantile_residual(1.0, 0.5, 2.0, 0.0), LAPLACE);
        close(laplace.quantile_residual(1.0, 0.5, 0.0, 0.0), -LAPLACE);
        let student = of(NoiseModel::StudentT {
            degrees_of_freedom: 3.0,
        });
        close(student.quantile_residual(0.0, 1.0, 2.0, 0.0), STUDENT);
    }

    #[test]
    fn what_lies_beyond_a_limit_is_put_in_its_tail() {
        let censored = Misfit {
            limits: [1.0, f64::INFINITY],
            ..of(NoiseModel::Normal)
        };
        for place in [0.0, 0.25, 0.5, 0.999] {
            let r = censored.quantile_residual(1.5, 0.5, 1.0, place);
            assert!(r <= -1.0 + 1e-7, "{r}");
        }
        assert!(censored.is_randomized(1.0) && !censored.is_randomized(1.1));
    }
}
