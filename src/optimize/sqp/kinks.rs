//! Minima on kinks: BFGS for functions that are smooth almost everywhere, and the conditions that hold where they are not.
//!
//! Limits of a controller, `abs` and `max` make objectives of many smooth pieces, whose minimum often lies where pieces meet: there, no gradient vanishes, and
//! SQP stops short. What it leaves is minimized as an exact penalty function
//!
//! ```text
//! phi(x) = f(P(x)) + sum_i nu_i violation_i(c(P(x))) + sum_j mu_j |x_j - P(x)_j|,     P the projection on [l, u]
//! ```
//!
//! by BFGS with a weak Wolfe line search, which converges on such functions as it does on smooth ones (Lewis and Overton 2013, doi
//! 10.1007/s10107-012-0514-2). A minimum x of it is stationary in the sense of Clarke: 0 is a convex combination of gradients near x,
//!
//! ```text
//! min || sum_k w_k grad phi(x_k) ||,   w_k >= 0,   sum_k w_k = 1,   |x_k - x| <= radius
//! ```
//!
//! (Burke, Lewis and Overton 2005, doi 10.1137/030601296), which is a quadratic program. Its weights give the multipliers, sums of w_k times
//! those that each x_k has, and with them derivatives of the optimum.

use nalgebra::{DMatrix, DVector};

use super::conditions::Kkt;
use super::quadratic::Quadratic;
use super::{Constrained, SqpOutcome, SqpSettings, SqpStatus, outside};
use crate::optimize::problem::EvaluationError;

/// Sufficient decrease and curvature of the line search.
const WOLFE: [f64; 2] = [1e-4, 0.5];
/// Trials of a line search.
const TRIALS: usize = 60;
/// Most iterations a variable, and beside.
const ITERATIONS: [usize; 2] = [50, 300];
/// Most descents across kinks in a run.
const CROSSINGS: usize = 8;
/// Radii within which gradients are combined, relative to each variable and at least to 1.
const RADII: [f64; 3] = [1e-8, 1e-7, 1e-6];
/// Radii of the gradients that a descent across kinks listens to.
const ACROSS: [f64; 3] = [1e-4, 1e-6, 1e-8];
/// How far from where SQP stopped runs begin, relative to each variable and at least to 1.
const REACHES: [f64; 3] = [1e-3, 1e-4, 1e-5];

/// phi and its derivatives at a point.
#[derive(Debug, Clone)]
struct Sample {
    x: Vec<f64>,
    phi: f64,
    slope: Vec<f64>,
    f: f64,
    c: Vec<f64>,
    gradient: Vec<f64>,
    jacobian: DMatrix<f64>,
    /// nu_i with the sign of the violation
    multipliers: Vec<f64>,
    /// the same of mu_j
    of_bounds: Vec<f64>,
}

/// A point near a minimum with its part in the combination of gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// w_k
    pub weight: f64,
    /// x_k, inside the bounds
    pub x: Vec<f64>,
    /// multipliers of the constraints there
    pub multipliers: Vec<f64>,
}

struct Descent<'a> {
    problem: &'a mut dyn Constrained,
    bounds: [Vec<f64>; 2],
    c_bounds: [Vec<f64>; 2],
    nu: Vec<f64>,
    mu: Vec<f64>,
    evaluations: usize,
}

/// Goes on from where SQP could not: a better point if there is one, and whether it is a minimum on a kink.
pub fn descend_kinks(
    problem: &mut dyn Constrained,
    from: &SqpOutcome,
    settings: &SqpSettings,
    go_on: &dyn Fn() -> bool,
) -> SqpOutcome {
    let mut outcome = from.clone();
    let n = from.x.len();
    let own = |(l, u): (&[f64], &[f64])| [l.to_vec(), u.to_vec()];
    let price = 2.0
        * largest(&from.multipliers)
            .max(largest(&from.gradient))
            .max(1e-3);
    let mut descent = Descent {
        bounds: own(problem.bounds()),
        c_bounds: own(problem.constraint_bounds()),
        problem,
        nu: (from.multipliers.iter())
            .map(|l| (2.0 * l.abs()).max(price))
            .collect(),
        mu: vec![5.0 * price; n],
        evaluations: 0,
    };
    let Ok(found) = descent.minimize(from, settings, go_on) else {
        return outcome;
    };
    let Found {
        at: best,
        shares,
        left,
        radius,
    } = found;
    outcome.evaluations += descent.evaluations;
    let violation = descent.violation(&best.c);
    let better = best.f < from.value || violation < from.kkt.feasibility;
    if violation > settings.feasibility.max(from.kkt.feasibility) || !better {
        return outcome;
    }
    let mut multipliers = vec![0.0; best.c.len()];
    let mut bound_multipliers = vec![0.0; n];
    for (weight, sample) in &shares {
        for (to, l) in multipliers.iter_mut().zip(&sample.multipliers) {
            *to += weight * l;
        }
        for (to, z) in bound_multipliers.iter_mut().zip(&sample.of_bounds) {
            *to += weight * z;
        }
    }
    let scale = scale(&shares);
    let kkt = Kkt {
        stationarity: left * scale,
        feasibility: violation,
        complementarity: descent.slackness(&best.c, &multipliers),
        scale,
    };
    let met = kkt.scaled() <= settings.tolerance.max(settings.feasibility);
    outcome.status = match (met, shares.len()) {
        (true, 1) => SqpStatus::Converged,
        (true, _) => SqpStatus::Kink { radius },
        (false, _) => SqpStatus::SmallStep,
    };
    outcome.x = descent.inside(&best.x);
    outcome.value = best.f;
    outcome.constraints = best.c;
    outcome.gradient = best.gradient;
    outcome.jacobian = best.jacobian;
    outcome.multipliers = multipliers;
    outcome.bound_multipliers = bound_multipliers;
    outcome.kkt = kkt;
    outcome.shares = shares
        .into_iter()
        .map(|(weight, sample)| Share {
            weight,
            x: descent.inside(&sample.x),
            multipliers: sample.multipliers,
        })
        .collect();
    outcome
}

/// Samples with their weights in a combination.
type Weighted = Vec<(f64, Sample)>;

/// The end of a run.
struct Found {
    at: Sample,
    /// gradients that cancel
    shares: Weighted,
    /// what they leave, relative to the largest of them, which counts at least 1
    left: f64,
    /// how near they are
    radius: f64,
}

impl Found {
    fn new(at: Sample, shares: Weighted, left: f64, radius: f64) -> Self {
        Self {
            at,
            shares,
            left,
            radius,
        }
    }
}

/// The size of what cancels, at least 1.
fn scale(shares: &[(f64, Sample)]) -> f64 {
    let sizes = shares.iter().map(|(_, sample)| largest(&sample.slope));
    sizes.fold(1.0, f64::max)
}

impl Descent<'_> {
    fn inside(&self, x: &[f64]) -> Vec<f64> {
        let [lower, upper] = &self.bounds;
        let sides = lower.iter().zip(upper);
        x.iter()
            .zip(sides)
            .map(|(x, (&l, &u))| x.max(l).min(u))
            .collect()
    }

    fn violation(&self, c: &[f64]) -> f64 {
        let [lower, upper] = &self.c_bounds;
        let rows = c.iter().zip(lower.iter().zip(upper));
        rows.map(|(&c, (&l, &u))| outside(c, l, u).abs())
            .fold(0.0, f64::max)
    }

    /// The largest product-like remainder of a multiplier and its row's slack.
    fn slackness(&self, c: &[f64], multipliers: &[f64]) -> f64 {
        let [lower, upper] = &self.c_bounds;
        let slack = |i: usize| match multipliers[i] {
            l if l > 0.0 => (upper[i] - c[i]).abs().min(l),
            l if l < 0.0 => (c[i] - lower[i]).abs().min(-l),
            _ => 0.0,
        };
        (0..c.len()).map(slack).fold(0.0, f64::max)
    }

    fn at(&mut self, x: Vec<f64>) -> Result<Sample, EvaluationError> {
        self.evaluations += 1;
        let inside = self.inside(&x);
        let (n, m) = (x.len(), self.nu.len());
        let mut c = vec![0.0; m];
        let f = self.problem.values(&inside, &mut c)?;
        let mut gradient = vec![0.0; n];
        let mut jacobian = DMatrix::zeros(m, n);
        self.problem
            .derivatives(&inside, &mut gradient, &mut jacobian)?;
        let [lower, upper] = &self.c_bounds;
        let out: Vec<f64> = (0..m).map(|i| outside(c[i], lower[i], upper[i])).collect();
        let sign = |v: f64| if v == 0.0 { 0.0 } else { v.signum() };
        let multipliers: Vec<f64> = self
            .nu
            .iter()
            .zip(&out)
            .map(|(nu, &v)| nu * sign(v))
            .collect();
        let beyond: Vec<f64> = x.iter().zip(&inside).map(|(x, p)| x - p).collect();
        let of_bounds: Vec<f64> = (self.mu.iter().zip(&beyond))
            .map(|(mu, &v)| mu * sign(v))
            .collect();
        let mut phi = f;
        phi += self
            .nu
            .iter()
            .zip(&out)
            .map(|(nu, v)| nu * v.abs())
            .sum::<f64>();
        phi += self
            .mu
            .iter()
            .zip(&beyond)
            .map(|(mu, v)| mu * v.abs())
            .sum::<f64>();
        let slope = (0..n).map(|j| {
            // the projection holds what is beyond a bound
            if beyond[j] != 0.0 {
                return of_bounds[j];
            }
            let column = jacobian.column(j);
            gradient[j]
                + column
                    .iter()
                    .zip(&multipliers)
                    .map(|(a, l)| a * l)
                    .sum::<f64>()
        });
        let slope: Vec<f64> = slope.collect();
        if !phi.is_finite() || slope.iter().any(|v| !v.is_finite()) {
            let reason = "the objective or a derivative is not finite".to_owned();
            return Err(EvaluationError::Failed { reason });
        }
        Ok(Sample {
            x,
            phi,
            slope,
            f,
            c,
            gradient,
            jacobian,
            multipliers,
            of_bounds,
        })
    }

    fn minimize(
        &mut self,
        from: &SqpOutcome,
        settings: &SqpSettings,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Found, EvaluationError> {
        let mut best: Option<Found> = None;
        let mut x = from.x.clone();
        for reach in REACHES {
            // on a kink one gradient points nowhere: a run begins beside it
            for (j, x) in x.iter_mut().enumerate() {
                let share = ((j + 1) as f64 * 0.618_033_988_749_895).fract();
                *x += reach * (2.0 * share - 1.0) * x.abs().max(1.0);
            }
            let found = self.run(x, settings, go_on)?;
            let lower = |known: &Found| found.at.phi < known.at.phi;
            if best.as_ref().is_none_or(lower) {
                best = Some(found);
            }
            match &best {
                Some(known) if known.left > settings.tolerance => x = known.at.x.clone(),
                _ => break,
            }
        }
        best.ok_or(EvaluationError::Interrupted)
    }

    /// A run of BFGS: where it ends, with the gradients that cancel there, what they leave and how near they are.
    fn run(
        &mut self,
        start: Vec<f64>,
        settings: &SqpSettings,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Found, EvaluationError> {
        let n = start.len();
        let mut here = self.at(start)?;
        let mut samples = vec![here.clone()];
        let most = 4 * n + 20;
        // the first step goes some tenth of the variables' size
        let size = here.x.iter().fold(1.0_f64, |a, b| a.max(b.abs()));
        let mut h = DMatrix::identity(n, n) * (1e-1 * size / length(&here.slope).max(1e-300));
        let mut crossings = 0;
        for _ in 0..ITERATIONS[0] * n + ITERATIONS[1] {
            if !go_on() {
                return Err(EvaluationError::Interrupted);
            }
            samples.drain(..samples.len().saturating_sub(most));
            let g = DVector::from_column_slice(&here.slope);
            let d = -(&h * &g);
            let slope = d.dot(&g);
            if slope >= 0.0 || !slope.is_finite() {
                break;
            }
            let Some(next) = self.line(&here, &d, slope, &mut samples)? else {
                crossings += 1;
                match self.across(&here, &h, settings, &mut samples)? {
                    Some(next) if crossings <= CROSSINGS => here = next,
                    _ => break,
                }
                continue;
            };
            let s = DVector::from_iterator(n, next.x.iter().zip(&here.x).map(|(a, b)| a - b));
            let y =
                DVector::from_iterator(n, next.slope.iter().zip(&here.slope).map(|(a, b)| a - b));
            let product = s.dot(&y);
            if product > 0.0 {
                let hy = &h * &y;
                let factor = (1.0 + y.dot(&hy) / product) / product;
                h += &s * s.transpose() * factor
                    - (&hy * s.transpose() + &s * hy.transpose()) / product;
            }
            let step = s
                .iter()
                .zip(&next.x)
                .map(|(s, x)| s.abs() / x.abs().max(1.0));
            let step = step.fold(0.0, f64::max);
            here = next;
            if step <= 10.0 * RADII[0] {
                let (shares, sum) = combined(&samples, &here, RADII[0], None);
                let left = largest(&sum) / scale(&shares);
                if left <= settings.tolerance {
                    return Ok(Found::new(here, shares, left, RADII[0]));
                }
            }
        }
        let mut end = Found::new(here, Vec::new(), f64::INFINITY, RADII[0]);
        for radius in RADII {
            self.star(&end.at, radius, &mut samples);
            let (shares, sum) = combined(&samples, &end.at, radius, None);
            let left = largest(&sum) / scale(&shares);
            if left < end.left {
                (end.shares, end.left, end.radius) = (shares, left, radius);
            }
            if left <= settings.tolerance {
                break;
            }
        }
        Ok(end)
    }

    /// Samples at a distance on all axes: they find the pieces that meet here.
    fn star(&mut self, here: &Sample, radius: f64, samples: &mut Vec<Sample>) {
        for j in 0..here.x.len() {
            for sign in [1.0, -1.0] {
                let mut x = here.x.clone();
                x[j] += sign * 0.9 * radius * x[j].abs().max(1.0);
                samples.extend(self.at(x).ok());
            }
        }
    }

    /// A lower point along the descent that all gradients near agree on, where that of one piece leads into another (Curtis and Que 2013,
    /// doi 10.1080/10556788.2012.714781).
    fn across(
        &mut self,
        here: &Sample,
        h: &DMatrix<f64>,
        settings: &SqpSettings,
        samples: &mut Vec<Sample>,
    ) -> Result<Option<Sample>, EvaluationError> {
        for radius in ACROSS {
            self.star(here, radius, samples);
            let (shares, sum) = combined(samples, here, radius, Some(h));
            if largest(&sum) <= settings.tolerance * scale(&shares) {
                continue;
            }
            let sum = DVector::from_vec(sum);
            let d = -(h * &sum);
            let slope = d.dot(&sum);
            let mut t = 1.0;
            for _ in 0..TRIALS / 3 {
                let x: Vec<f64> = here.x.iter().zip(&d).map(|(x, d)| x + t * d).collect();
                match self.at(x) {
                    Err(EvaluationError::Interrupted) => return Err(EvaluationError::Interrupted),
                    Err(_) => {}
                    Ok(there) => {
                        samples.push(there.clone());
                        if there.phi < here.phi + WOLFE[0] * t * slope {
                            return Ok(Some(there));
                        }
                    }
                }
                t *= 0.5;
            }
        }
        Ok(None)
    }

    /// A point that lowers phi enough and is steeper no more; `None` where rounding lets none be found.
    fn line(
        &mut self,
        here: &Sample,
        d: &DVector<f64>,
        slope: f64,
        samples: &mut Vec<Sample>,
    ) -> Result<Option<Sample>, EvaluationError> {
        let [sufficient, curvature] = WOLFE;
        let (mut low, mut high, mut t) = (0.0, f64::INFINITY, 1.0);
        for _ in 0..TRIALS {
            let x: Vec<f64> = here.x.iter().zip(d).map(|(x, d)| x + t * d).collect();
            if x == here.x {
                break;
            }
            match self.at(x) {
                Err(EvaluationError::Interrupted) => return Err(EvaluationError::Interrupted),
                Err(_) => high = t,
                Ok(there) => {
                    let there_slope: f64 = there.slope.iter().zip(d).map(|(g, d)| g * d).sum();
                    let lower = there.phi < here.phi + sufficient * t * slope;
                    samples.push(there.clone());
                    if !lower {
                        high = t;
                    } else if there_slope < curvature * slope {
                        low = t;
                    } else {
                        return Ok(Some(there));
                    }
                }
            }
            t = match high.is_finite() {
                true => 0.5 * (low + high),
                false => 2.0 * low,
            };
        }
        Ok(None)
    }
}

/// The convex combination of gradients near a point that is shortest (in the metric h, where there is one): its weights and itself.
fn combined(
    samples: &[Sample],
    here: &Sample,
    radius: f64,
    h: Option<&DMatrix<f64>>,
) -> (Weighted, Vec<f64>) {
    let near = |sample: &&Sample| {
        let both = sample.x.iter().zip(&here.x);
        both.into_iter()
            .all(|(a, b)| (a - b).abs() <= radius * b.abs().max(1.0))
    };
    let near: Vec<&Sample> = samples.iter().filter(near).collect();
    let k = near.len();
    let slopes = DMatrix::from_fn(here.x.len(), k, |j, a| near[a].slope[j]);
    let gram = match h {
        Some(h) => slopes.transpose() * h * &slopes,
        None => slopes.transpose() * &slopes,
    };
    let gram = &gram / gram.amax().max(1e-300);
    let ones = DMatrix::from_element(1, k, 1.0);
    let quadratic = Quadratic {
        b: &gram,
        g: &vec![0.0; k],
        a: &ones,
        lower: &[1.0],
        upper: &[1.0],
        d_lower: &vec![0.0; k],
        d_upper: &vec![1.0; k],
    };
    let alone = || (vec![(1.0, here.clone())], here.slope.clone());
    let Ok(solution) = quadratic.solve() else {
        return alone();
    };
    let total: f64 = solution.d.iter().map(|w| w.max(0.0)).sum();
    if total.is_nan() || total <= 0.5 {
        return alone();
    }
    let weights: Vec<f64> = solution.d.iter().map(|w| w.max(0.0) / total).collect();
    let mut sum = vec![0.0; here.x.len()];
    for (weight, sample) in weights.iter().zip(&near) {
        for (to, g) in sum.iter_mut().zip(&sample.slope) {
            *to += weight * g;
        }
    }
    let shares = weights
        .iter()
        .zip(near)
        .filter(|(weight, _)| **weight > 1e-12);
    let shares = shares
        .map(|(&weight, sample)| (weight, sample.clone()))
        .collect();
    (shares, sum)
}

fn length(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn largest(v: &[f64]) -> f64 {
    v.iter().fold(0.0, |a, b| a.max(b.abs()))
}
