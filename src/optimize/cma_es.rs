//! Covariance matrix adaptation, an evolution strategy that needs values alone (Hansen, The CMA evolution strategy: a tutorial,
//! arXiv 1604.00772, with its default parameters).
//!
//! Each generation draws lambda points from a normal distribution and moves it towards the better half:
//!
//! ```text
//! x_k = mean + sigma B D z_k,   z_k ~ N(0, I),    C = B D^2 B^T  (m x m)
//! mean += sigma sum_i w_i y_(i)                                        the best half, weights falling with the rank
//! C    <- (1 - ...) C + c_1 p_c p_c^T + c_mu sum_i w_i y_(i) y_(i)^T   the path's direction, and the ranks': the worse half with
//!                                                                      negative weights
//! sigma <- sigma exp((c_s/d_s)(|p_s| / E|N(0, I)| - 1))                longer where steps go one way, shorter where they cancel
//! ```
//!
//! with lambda = 4 + floor(3 ln m). Only ranks of values count, so the search is the same for f and for any increasing function of it;
//! a failed evaluation ranks last. Steps are in units of the box's width (or of max(1, |theta|) where there is none), sigma begins at
//! [`Settings::spread`] of it.
//!
//! Bounds are kept by a map onto the box that is the identity but near the bounds, where it is a parabola whose top is the bound
//! itself, and that is repeated as in a mirror beyond (as in Hansen's pycma, `BoundTransform`): a smooth objective stays smooth.
//!
//! Some hundred m evaluations and more, m^2 numbers; on rough, noisy or many-humped objectives of 2 to 50 variables it is the
//! derivative-free method to take. `restarts` begins again with twice the points each time where a run has ended (IPOP; Auger &
//! Hansen, CEC 2005, doi 10.1109/CEC.2005.1554902). Draws are ChaCha8 from [`Settings::seed`]: the same seed gives the same bits.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::outcome::{Callback, Outcome, Progress, Settings, Status};
use super::problem::{EvaluationError, Problem};
use super::record::Record;

/// Sigma relative to its beginning, and spread of values relative to their size, below which a run has ended.
const SMALL: f64 = 1e-12;
/// Condition of C above which sampling loses its digits.
const CONDITION: f64 = 1e14;

/// Minimizes the problem around `start` (length m), projected on the bounds.
pub fn cma_es(
    problem: &mut dyn Problem,
    start: &[f64],
    settings: &Settings,
    callback: Callback<'_>,
) -> Outcome {
    let mut record = match Record::new(problem, start) {
        Ok(record) => record,
        Err(outcome) => return *outcome,
    };
    let mut theta = start.to_vec();
    record.project(&mut theta);
    let value = match record.value(problem, &theta) {
        Ok(value) => value,
        Err(error) => return record.stopped(start, error),
    };
    let coordinates: Vec<Coordinate> = (0..theta.len())
        .filter(|&i| record.lower[i] < record.upper[i])
        .map(|i| Coordinate::new(i, theta[i], record.lower[i], record.upper[i]))
        .collect();
    let mut search = Search {
        problem,
        record,
        settings,
        coordinates,
        callback,
        random: Normal::new(settings.seed),
        best: (theta, value),
        iteration: 0,
    };
    let m = search.coordinates.len();
    let mut status = Status::Converged;
    if m > 0 {
        let usual = 4 + (3.0 * (m as f64).ln()) as usize;
        for restart in 0..=settings.restarts {
            let size = usual << restart.min(16);
            status = search.generations(size);
            if !matches!(status, Status::SmallStep | Status::SmallChange) {
                break;
            }
        }
    }
    let Search {
        problem,
        record,
        best: (theta, value),
        ..
    } = search;
    record.finish_without_gradient(problem, theta, value, status, settings)
}

/// A free variable: where it is in theta, and how search coordinates, in units of its width, map to it.
struct Coordinate {
    index: usize,
    unit: f64,
    lower: f64,
    upper: f64,
    /// widths of the parabolas at the bounds
    edges: [f64; 2],
}

impl Coordinate {
    fn new(index: usize, theta: f64, lower: f64, upper: f64) -> Self {
        let width = upper - lower;
        let unit = if width.is_finite() {
            width
        } else {
            theta.abs().max(1.0)
        };
        let edge = |bound: f64| (0.5 * width).min((1.0 + bound.abs()) / 20.0);
        Self {
            index,
            unit,
            lower,
            upper,
            edges: [edge(lower), edge(upper)],
        }
    }

    /// The variable of a search coordinate, inside its bounds.
    fn theta(&self, u: f64) -> f64 {
        let mut x = u * self.unit;
        let [below, above] = self.edges;
        let (from, to) = (self.lower - below, self.upper + above);
        if from.is_finite() && to.is_finite() {
            let period = 2.0 * (to - from);
            let place = (x - from).rem_euclid(period);
            x = from + place.min(period - place);
        } else if from.is_finite() {
            x = from + (x - from).abs();
        } else if to.is_finite() {
            x = to - (to - x).abs();
        }
        let y = if x < self.lower + below {
            self.lower + (x - from).powi(2) / (4.0 * below)
        } else if x > self.upper - above {
            self.upper - (x - to).powi(2) / (4.0 * above)
        } else {
            x
        };
        y.max(self.lower).min(self.upper)
    }

    /// A search coordinate of a variable inside its bounds.
    fn coordinate(&self, theta: f64) -> f64 {
        let [below, above] = self.edges;
        let x = if theta < self.lower + below {
            self.lower - below + 2.0 * (below * (theta - self.lower)).sqrt()
        } else if theta > self.upper - above {
            self.upper + above - 2.0 * (above * (self.upper - theta)).sqrt()
        } else {
            theta
        };
        x / self.unit
    }
}

/// Standard normal numbers by pairs (Box & Muller 1958).
struct Normal {
    random: ChaCha8Rng,
    kept: Option<f64>,
}

impl Normal {
    fn new(seed: u64) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            kept: None,
        }
    }

    fn draw(&mut self) -> f64 {
        if let Some(kept) = self.kept.take() {
            return kept;
        }
        // (0, 1], so that the logarithm is finite
        let one = ((self.random.next_u64() >> 11) + 1) as f64 * (0.5 * f64::EPSILON);
        let two = (self.random.next_u64() >> 11) as f64 * (0.5 * f64::EPSILON);
        let radius = (-2.0 * libm::log(one)).sqrt();
        let (sine, cosine) = libm::sincos(std::f64::consts::TAU * two);
        self.kept = Some(radius * sine);
        radius * cosine
    }
}

/// The tutorial's parameters for m variables and lambda points a generation (its table 1).
struct Rates {
    /// of all ranks, the better half's with sum one, the worse half's negative
    weights: Vec<f64>,
    mu: usize,
    mu_eff: f64,
    c_sigma: f64,
    d_sigma: f64,
    c_c: f64,
    c_1: f64,
    c_mu: f64,
    /// the expected length of a standard normal vector
    length: f64,
}

impl Rates {
    fn new(m: usize, lambda: usize) -> Self {
        let n = m as f64;
        let mu = lambda / 2;
        let raw: Vec<f64> = (1..=lambda)
            .map(|i| (0.5 * (lambda as f64 + 1.0)).ln() - (i as f64).ln())
            .collect();
        let effective = |w: &[f64]| {
            let sum: f64 = w.iter().sum();
            sum * sum / w.iter().map(|w| w * w).sum::<f64>()
        };
        let mu_eff = effective(&raw[..mu]);
        let mu_eff_negative = effective(&raw[mu..]);
        let c_sigma = (mu_eff + 2.0) / (n + mu_eff + 5.0);
        let d_sigma = 1.0 + 2.0 * (((mu_eff - 1.0) / (n + 1.0)).sqrt() - 1.0).max(0.0) + c_sigma;
        let c_c = (4.0 + mu_eff / n) / (n + 4.0 + 2.0 * mu_eff / n);
        let c_1 = 2.0 / ((n + 1.3).powi(2) + mu_eff);
        let c_mu = (2.0 * (0.25 + mu_eff + 1.0 / mu_eff - 2.0) / ((n + 2.0).powi(2) + mu_eff))
            .min(1.0 - c_1);
        let positive: f64 = raw[..mu].iter().sum();
        let negative: f64 = raw[mu..].iter().map(|w| w.abs()).sum();
        let most = (1.0 + c_1 / c_mu)
            .min(1.0 + 2.0 * mu_eff_negative / (mu_eff + 2.0))
            .min((1.0 - c_1 - c_mu) / (n * c_mu));
        let weights = raw
            .iter()
            .map(|&w| {
                if w >= 0.0 {
                    w / positive
                } else {
                    w * most / negative
                }
            })
            .collect();
        Self {
            weights,
            mu,
            mu_eff,
            c_sigma,
            d_sigma,
            c_c,
            c_1,
            c_mu,
            length: n.sqrt() * (1.0 - 1.0 / (4.0 * n) + 1.0 / (21.0 * n * n)),
        }
    }
}

struct Search<'a, 'c> {
    problem: &'a mut dyn Problem,
    record: Record,
    settings: &'a Settings,
    coordinates: Vec<Coordinate>,
    callback: Callback<'c>,
    random: Normal,
    best: (Vec<f64>, f64),
    iteration: usize,
}

impl Search<'_, '_> {
    /// One run from the best point.
    fn generations(&mut self, lambda: usize) -> Status {
        let m = self.coordinates.len();
        let rates = Rates::new(m, lambda);
        let first = if self.settings.spread > 0.0 && self.settings.spread.is_finite() {
            self.settings.spread
        } else {
            Settings::default().spread
        };
        let place = |c: &Coordinate| c.coordinate(self.best.0[c.index]);
        let mut mean = DVector::from_iterator(m, self.coordinates.iter().map(place));
        let mut sigma = first;
        let mut c = DMatrix::<f64>::identity(m, m);
        let (mut basis, mut axes) = (
            DMatrix::<f64>::identity(m, m),
            DVector::from_element(m, 1.0),
        );
        let (mut p_sigma, mut p_c) = (DVector::<f64>::zeros(m), DVector::<f64>::zeros(m));
        let every = (1.0 / ((rates.c_1 + rates.c_mu) * m as f64 * 10.0)).max(1.0) as usize;
        let mut bests: Vec<f64> = Vec::new();
        let horizon = 10 + 30 * m / lambda;
        let budget = self.settings.max_iterations.saturating_mul(m + 1);
        for generation in 0.. {
            let progress = self.record.note(Progress {
                iteration: self.iteration,
                value: self.best.1,
                gradient_norm: f64::NAN,
                step_norm: sigma * axes.max(),
            });
            if !(self.callback)(&progress, &self.best.0) {
                return Status::Interrupted;
            }
            if self.record.exhausted(self.settings) || self.record.evaluations >= budget {
                return Status::MaxIterations;
            }
            let mut drawn = Vec::with_capacity(lambda);
            for _ in 0..lambda {
                let z = DVector::from_fn(m, |_, _| self.random.draw());
                let y = &basis * z.component_mul(&axes);
                match self.value(&mean, sigma, &y) {
                    Ok(value) => drawn.push((value, y, z)),
                    Err(_) => return Status::Interrupted,
                }
            }
            self.iteration += 1;
            // Stable: equal values rank as drawn.
            drawn.sort_by(|a, b| a.0.total_cmp(&b.0));

            let mut step = DVector::<f64>::zeros(m);
            let mut whitened = DVector::<f64>::zeros(m);
            for ((_, y, z), &w) in drawn[..rates.mu].iter().zip(&rates.weights) {
                step.axpy(w, y, 1.0);
                whitened.axpy(w, z, 1.0);
            }
            mean.axpy(sigma, &step, 1.0);
            let keep = 1.0 - rates.c_sigma;
            p_sigma *= keep;
            p_sigma.axpy(
                (rates.c_sigma * (2.0 - rates.c_sigma) * rates.mu_eff).sqrt(),
                &(&basis * whitened),
                1.0,
            );
            let n = m as f64;
            let power = keep.powf(2.0 * (generation as f64 + 1.0));
            let steady =
                p_sigma.norm() / (1.0 - power).sqrt() < (1.4 + 2.0 / (n + 1.0)) * rates.length;
            p_c *= 1.0 - rates.c_c;
            if steady {
                let pull = (rates.c_c * (2.0 - rates.c_c) * rates.mu_eff).sqrt();
                p_c.axpy(pull, &step, 1.0);
            }
            let missing = if steady {
                0.0
            } else {
                rates.c_c * (2.0 - rates.c_c)
            };
            let sum: f64 = rates.weights.iter().sum();
            c *= 1.0 + rates.c_1 * missing - rates.c_1 - rates.c_mu * sum;
            c.ger(rates.c_1, &p_c, &p_c, 1.0);
            for ((_, y, z), &w) in drawn.iter().zip(&rates.weights) {
                // a negative weight is scaled so that C stays positive definite
                let w = if w >= 0.0 {
                    w
                } else {
                    w * n / z.norm_squared().max(f64::MIN_POSITIVE)
                };
                c.ger(rates.c_mu * w, y, y, 1.0);
            }
            sigma *= ((rates.c_sigma / rates.d_sigma) * (p_sigma.norm() / rates.length - 1.0))
                .min(1.0)
                .exp();
            if generation % every == 0 {
                c = 0.5 * (&c + c.transpose());
                let Some(eigen) = SymmetricEigen::try_new(c.clone(), f64::EPSILON, 10_000) else {
                    return Status::SmallStep;
                };
                let (low, high) = (eigen.eigenvalues.min(), eigen.eigenvalues.max());
                // the comparison is false for what is not a number, too
                let usable = low > 0.0 && high <= CONDITION * low;
                if !usable || !sigma.is_finite() {
                    return Status::SmallStep;
                }
                axes = eigen.eigenvalues.map(f64::sqrt);
                basis = eigen.eigenvectors;
            }

            bests.push(drawn[0].0);
            let recent = &bests[bests.len().saturating_sub(horizon)..];
            let all = drawn.iter().map(|d| d.0).chain(recent.iter().copied());
            let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
                (l.min(v), h.max(v))
            });
            if bests.len() >= horizon && high - low <= SMALL * low.abs().max(SMALL) {
                return Status::SmallChange;
            }
            let widest = (0..m).map(|i| c[(i, i)].sqrt().max(p_c[i].abs()));
            if sigma * widest.fold(0.0, f64::max) <= SMALL * first {
                return Status::SmallStep;
            }
        }
        Status::MaxIterations
    }

    fn value(
        &mut self,
        mean: &DVector<f64>,
        sigma: f64,
        y: &DVector<f64>,
    ) -> Result<f64, EvaluationError> {
        let mut theta = self.best.0.clone();
        for (j, c) in self.coordinates.iter().enumerate() {
            theta[c.index] = c.theta(mean[j] + sigma * y[j]);
        }
        let value = self.record.value_or_infinity(self.problem, &theta)?;
        if value < self.best.1 {
            self.best = (theta, value);
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_go_there_and_back() {
        let infinite = f64::INFINITY;
        for (lower, upper) in [
            (-5.0, 5.0),
            (0.0, 1e-3),
            (0.0, infinite),
            (-infinite, 2.0),
            (-infinite, infinite),
        ] {
            for x in [-5.0, -4.99, -1.0, 0.0, 1e-4, 9.9e-4, 1.99, 2.0, 4.9] {
                if !(lower..=upper).contains(&x) {
                    continue;
                }
                let c = Coordinate::new(0, x, lower, upper);
                let back = c.theta(c.coordinate(x));
                assert!((back - x).abs() <= 1e-13 * x.abs().max(1.0), "{x} {back}");
            }
            let c = Coordinate::new(0, 0.5e-3, lower, upper);
            for k in -100..=100 {
                let u = 0.37 * f64::from(k);
                let (x, near) = (c.theta(u), c.theta(u + 1e-7));
                assert!((lower..=upper).contains(&x));
                assert!((near - x).abs() <= 1.1e-7 * c.unit, "continuous");
            }
        }
    }

    /// Table 1 of the tutorial by hand for m = 10, lambda = 10.
    #[test]
    fn rates_are_the_tutorials() {
        let r = Rates::new(10, 10);
        let raw: Vec<f64> = (1..=5).map(|i| 5.5_f64.ln() - f64::from(i).ln()).collect();
        let sum: f64 = raw.iter().sum();
        let mu_eff = sum * sum / raw.iter().map(|w| w * w).sum::<f64>();
        assert!((r.mu_eff - mu_eff).abs() < 1e-14 && (mu_eff - 3.167).abs() < 1e-3);
        assert!((r.weights[..5].iter().sum::<f64>() - 1.0).abs() < 1e-14);
        assert!((r.c_sigma - (mu_eff + 2.0) / (15.0 + mu_eff)).abs() < 1e-15);
        assert!(r.weights[5..].iter().all(|w| *w < 0.0));
        // Negative weights never take more than the decay leaves: C stays positive definite.
        let negative: f64 = r.weights[5..].iter().sum();
        assert!(-negative * 10.0 * r.c_mu <= 1.0 - r.c_1 - r.c_mu + 1e-15);
    }

    #[test]
    fn draws_are_standard_normal() {
        let mut random = Normal::new(3);
        let all: Vec<f64> = (0..20_000).map(|_| random.draw()).collect();
        let moment = |k: i32| all.iter().map(|x| x.powi(k)).sum::<f64>() / all.len() as f64;
        // standard errors 0.007, 0.01, 0.07
        assert!(moment(1).abs() < 0.03);
        assert!((moment(2) - 1.0).abs() < 0.04);
        assert!((moment(4) - 3.0).abs() < 0.3);
    }
}
