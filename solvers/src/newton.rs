//! Simplified Newton iteration for the stages of implicit methods, and when its matrix may be kept.
//!
//! A stage z solves F(z) = 0 by corrections from one factored matrix W, that of an earlier Jacobian and
//! perhaps of a slightly different step size:
//!
//! ```text
//! W d_m = F(z_m),   z_{m+1} = z_m + d_m,   theta_m = ||d_m|| / ||d_{m-1}||,   eta = theta / (1 - theta)
//! ```
//!
//! in the norm of the error test, `||d|| = sqrt(mean((d_i / (atol_i + rtol |x_i|))^2))`. As the corrections
//! shrink like theta, what is left after d_m is about eta ||d_m||, and the iteration ends where
//!
//! ```text
//! eta ||d_m|| <= kappa,          kappa of order 1e-2, 10 roundings of x at least
//! ```
//!
//! so that its error stays a small part of the step's. It gives up where theta >= 0.99, or where the
//! corrections left would not suffice at the rate seen, and then says by which factor a smaller step should
//! do. The first correction of a solve is judged by the last solve's eta, raised to 0.8: in a smooth region
//! one iteration is enough.
//!
//! A matrix is worth its cost as long as the iteration is fast: J is evaluated again only where theta was
//! large or the iteration failed ([`LaggedJacobian`]), W factored again only where J or h changed.
//!
//! Over dual numbers ([`polish`]) the values are found as for plain numbers; the tangents, whose equation is
//! linear with the same convergence rate, then take as many corrections as it takes to settle to rounding.
//! So they are the derivative of the solved stage, not of the iteration that found it.
//!
//! Source: E. Hairer & G. Wanner, Solving Ordinary Differential Equations II (1996), section IV.8,
//! doi 10.1007/978-3-642-05221-7.

use crate::control::scale;
use crate::method::Trial;
use crate::options::{Options, Statistics};
use crate::scalar::Scalar;
use crate::system::{ImplicitSystem, Pattern};

/// What a correction says about the iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress {
    /// another correction is needed
    Continue,
    /// what is left is within the tolerance
    Converged,
    /// no convergence within the limit; a step smaller by `factor` is likely to
    Diverged {
        /// suggested factor on the step size
        factor: f64,
    },
}

/// Why the stages of a step were not found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Failure {
    /// f is not finite in a stage; the first state
    NotFinite(usize),
    /// W could not be factored
    Singular,
    /// no convergence: the state with the largest correction, and the factor on the step size that may help
    NotConverged(usize, f64),
}

impl Failure {
    /// The result of the step, and the factor on its size.
    pub fn into_trial(self) -> (Trial, f64) {
        match self {
            Self::NotFinite(state) => (Trial::NotFinite { state }, 0.25),
            Self::Singular => (Trial::Singular, 0.25),
            Self::NotConverged(state, factor) => (Trial::NotConverged { state }, factor),
        }
    }
}

/// The convergence test of one nonlinear system after the other; see the module.
#[derive(Debug, Clone)]
pub struct Newton {
    /// 1 / (atol_i + rtol |x_i|)
    weights: Vec<f64>,
    limit: usize,
    /// most that may be left, in units of the tolerance
    kappa: f64,
    /// corrections below this are rounding
    rounding: f64,
    eta: f64,
    theta: f64,
    /// largest theta since `weigh`
    slowest: f64,
    last_ratio: f64,
    last_norm: f64,
    corrections: usize,
}

impl Newton {
    /// For `n` states and at most `limit` corrections a system.
    pub fn new(n: usize, limit: usize) -> Self {
        Self {
            weights: vec![1.0; n],
            limit,
            kappa: 0.0,
            rounding: 0.0,
            eta: 1.0,
            theta: 0.0,
            slowest: 0.0,
            last_ratio: 0.0,
            last_norm: 0.0,
            corrections: 0,
        }
    }
    /// Forgets how fast earlier systems converged.
    pub fn restart(&mut self) {
        self.eta = 1.0;
    }
    /// How fast systems have converged.
    pub fn pace(&self) -> [f64; 2] {
        [self.eta, self.slowest]
    }
    /// Puts back what [`Newton::pace`] said.
    pub fn keep_pace(&mut self, [eta, slowest]: [f64; 2]) {
        (self.eta, self.slowest) = (eta, slowest);
    }
    /// Starts a step from `x`, whose values make the weights. The tolerance of the step is `widening` times
    /// that of the options, and `kappa` of it may be left.
    pub fn weigh<S: Scalar>(&mut self, options: &Options, x: &[S], widening: f64, kappa: f64) {
        let mut sum = 0.0;
        for (i, (w, x)) in self.weights.iter_mut().zip(x).enumerate() {
            *w = 1.0 / (widening * scale(options, i, x.value().abs()));
            sum += (x.value() * *w) * (x.value() * *w);
        }
        let size = (sum / x.len().max(1) as f64).sqrt();
        self.rounding = f64::EPSILON * size;
        self.kappa = f64::max(10.0 * self.rounding, kappa);
        self.slowest = 0.0;
    }
    /// 1 / (tolerance of each state).
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }
    /// Most that may be left of a stage's error, in units of the tolerance.
    pub fn kappa(&self) -> f64 {
        self.kappa
    }
    /// Sum of the squared weighted values of `d`.
    pub fn squares<S: Scalar>(&self, d: &[S]) -> f64 {
        d.iter()
            .zip(&self.weights)
            .map(|(d, w)| (d.value() * w) * (d.value() * w))
            .sum()
    }
    /// Weighted norm of `d`.
    pub fn norm<S: Scalar>(&self, d: &[S]) -> f64 {
        (self.squares(d) / d.len().max(1) as f64).sqrt()
    }
    /// State with the largest weighted value in `d`.
    pub fn worst<S: Scalar>(&self, d: &[S]) -> usize {
        let size = |i: usize| (d[i].value() * self.weights[i]).abs();
        (0..d.len()).fold(0, |best, i| if size(i) > size(best) { i } else { best })
    }
    /// Starts another system.
    pub fn begin(&mut self) {
        self.eta = self.eta.max(f64::EPSILON).powf(0.8);
        self.theta = 0.0;
        self.corrections = 0;
    }
    /// Judges a correction of norm `norm`.
    pub fn judge(&mut self, norm: f64) -> Progress {
        self.corrections += 1;
        if self.corrections > 1 {
            let ratio = norm / self.last_norm;
            self.theta = if self.corrections == 2 {
                ratio
            } else {
                (ratio * self.last_ratio).sqrt()
            };
            self.last_ratio = ratio;
            if norm > self.rounding {
                // a ratio of rounding errors says nothing
                self.slowest = self.slowest.max(self.theta);
                if self.theta >= 0.99 {
                    self.eta = 1.0;
                    return Progress::Diverged { factor: 0.5 };
                }
                self.eta = self.theta / (1.0 - self.theta);
            }
        }
        self.last_norm = norm.max(f64::MIN_POSITIVE);
        if self.eta * norm <= self.kappa || norm <= self.rounding {
            return Progress::Converged;
        }
        let left = self.limit.saturating_sub(self.corrections);
        let expected = if self.corrections > 1 {
            self.eta * norm * self.theta.powi(left as i32) / self.kappa
        } else {
            0.0
        };
        if left == 0 || expected >= 1.0 {
            let excess = expected.clamp(1e-4, 20.0);
            self.eta = 1.0;
            return Progress::Diverged {
                factor: (0.8 * excess.powf(-1.0 / (4 + left) as f64)).min(0.8),
            };
        }
        Progress::Continue
    }
    /// The slowest rate since [`Newton::weigh`]; 0 where single corrections were enough.
    pub fn slowest(&self) -> f64 {
        self.slowest
    }
}

/// A Jacobian that is kept from step to step.
#[derive(Debug, Clone)]
pub struct LaggedJacobian<S> {
    rows: Vec<usize>,
    values: Vec<S>,
    known: bool,
    current: bool,
}

impl<S: Scalar> LaggedJacobian<S> {
    /// Room for the non-zeros of `pattern`.
    pub fn new(pattern: &Pattern) -> Self {
        Self {
            rows: pattern.rows.clone(),
            values: vec![S::from(0.0); pattern.non_zeros()],
            known: false,
            current: false,
        }
    }
    /// Whether there is one to use.
    pub fn is_known(&self) -> bool {
        self.known
    }
    /// Whether it is that of the point the step starts from.
    pub fn is_current(&self) -> bool {
        self.current
    }
    /// The step starts from another point now; the Jacobian serves on where `keep`.
    pub fn moved(&mut self, keep: bool) {
        self.known &= keep;
        self.current = false;
    }
    /// The step starts here, and nothing reads the Jacobian's values.
    pub fn waive(&mut self) {
        (self.known, self.current) = (true, true);
    }
    /// Evaluates it at (t, x). Where an entry is not finite says so.
    pub fn refresh<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        t: S,
        x: &[S],
        statistics: &mut Statistics,
    ) -> Result<(), Trial> {
        system.jacobian(t, x, &mut self.values);
        statistics.jacobians += 1;
        let bad = self.values.iter().position(|j| !j.value().is_finite());
        self.known = bad.is_none();
        self.current = self.known;
        match bad {
            Some(k) => Err(Trial::NotFinite {
                state: self.rows[k],
            }),
            None => Ok(()),
        }
    }
    /// The value of non-zero `k`.
    pub fn value(&self, k: usize) -> f64 {
        self.values[k].value()
    }
}

/// Most corrections of tangents: a rate of 0.7 is down to rounding by then.
const MOST_TANGENT_CORRECTIONS: usize = 100;

/// Repeats `correct` until the tangents of a stage settle. It makes one correction of them, the values held,
/// and says how large the correction and the tangents are ([`add_tangents`]), or why it could not be made.
pub fn polish<S: Scalar>(
    mut correct: impl FnMut() -> Result<(f64, f64), Failure>,
) -> Result<(), Failure> {
    if S::WIDTH == 1 {
        return Ok(());
    }
    let mut last = f64::INFINITY;
    for _ in 0..MOST_TANGENT_CORRECTIONS {
        let (change, size) = correct()?;
        let settled = change <= f64::EPSILON * size;
        // corrections that no longer shrink are rounding
        let stalled = change >= last && change <= 1e-6 * size;
        if settled || stalled || !change.is_finite() {
            return Ok(());
        }
        last = change;
    }
    Ok(())
}

/// Adds the tangents of `d` to those of `z`; the sums of |d| and |z| over all tangents.
pub fn add_tangents<S: Scalar>(z: &mut [S], d: &[S]) -> (f64, f64) {
    let (mut change, mut size) = (0.0, 0.0);
    for (z, d) in z.iter_mut().zip(d) {
        let old = *z;
        *z = S::from_parts(|k| {
            if k == 0 {
                old.value()
            } else {
                old.part(k) + d.part(k)
            }
        });
        for k in 1..S::WIDTH {
            change += d.part(k).abs();
            size += z.part(k).abs();
        }
    }
    (change, size)
}
