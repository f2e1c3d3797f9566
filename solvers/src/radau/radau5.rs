//! Radau5: Radau IIA collocation at three points, order 5, for M x' = f(t, x) with constant M.
//!
//! The polynomial of degree 3 through x that satisfies the equation at t + c_i h, c = ((4 - sqrt 6) / 10,
//! (4 + sqrt 6) / 10, 1), is the step; with z_i = x(t + c_i h) - x, each of length n,
//!
//! ```text
//! (A^-1 (x) M / h) z = f(t + c_i h, x + z_i)_i,        x_new = x + z_3
//! ```
//!
//! The 3n equations of a Newton correction fall apart where A^-1 is brought to its eigenvalues,
//! T^-1 A^-1 T = diag(gamma, alpha +- i beta): with w = T^-1 z one real system with gamma M / h - J and one
//! complex with (alpha + i beta) M / h - J. Both matrices are kept as long as h and the convergence allow
//! ([`crate::newton`]). The iteration starts from the last step's polynomial, continued.
//!
//! Stiffly accurate, L-stable, and stiff order 3: M may be singular (differential-algebraic equations of index 1;
//! the start must satisfy the algebraic ones).
//!
//! Error estimate, of order 3: (gamma M / h - J)^-1 (f(t, x) + M sum e_i z_i / h); where it would reject the
//! first step or one after a rejection, it is filtered again through f(t, x + estimate). The estimate is
//! O(h^4) and the error of the solution O(h^5), hence the estimate is held against 0.3 rtol^(4/5) (and atol in
//! proportion): then the error follows the tolerance asked for. (RADAU5 takes 0.1 rtol^(2/3).)
//!
//! A state that is slaved to others or to the time, an algebraic one above all, comes out right at the end of a step of any
//! size. So the collocation polynomial is tested between c_2 and 1, too, against the same tolerance as the estimate: by its
//! defect there through the real matrix (the module `inside` of this crate).
//!
//! Step sizes: Gustafsson's predictive controller from two errors, with a safety factor that falls with the
//! number of corrections; a factor in [1, 1.2] leaves the step as it is. Dense output of order 3: the
//! collocation polynomial.
//!
//! Cost of a step: one real and one complex LU where h changed, per correction three f and a solve with
//! each, and two f and two real solves to test it. Use it for the stiffest problems, for tolerances of 1e-4 to 1e-11 and for singular M.
//!
//! Stages ([`Method::stages`]): z_1, z_2, z_3, each n long.
//!
//! Source: E. Hairer & G. Wanner, Solving Ordinary Differential Equations II (1996), section IV.8, and
//! Stiff differential equations solved by Radau methods, J. Comput. Appl. Math. 111 (1999),
//! doi 10.1016/S0377-0427(99)00134-X; K. Gustafsson, ACM TOMS 20 (1994), doi 10.1145/198429.198437.

use nalgebra::Complex;

use crate::consistent::Consistent;
use crate::control::error_test;
use crate::error::SolveError;
use crate::inside::InsideTest;
use crate::linalg::IterationMatrix;
use crate::linalg::newton_matrix::needs_factors;
use crate::method::{Method, Outcome, Trial};
use crate::newton::{Failure, LaggedJacobian, Newton, Progress, add_tangents, polish};
use crate::options::{Options, Statistics};
use crate::scalar::Scalar;
use crate::system::ImplicitSystem;

const SQRT_6: f64 = 2.449489742783178;

/// The nodes c_1, c_2, c_3.
pub const C: [f64; 3] = [(4.0 - SQRT_6) / 10.0, (4.0 + SQRT_6) / 10.0, 1.0];

/// The real eigenvalue of A^-1.
pub const GAMMA: f64 = 3.637834252744496;
/// The complex eigenvalues of A^-1 are `ALPHA` +- i `BETA`.
pub const ALPHA: f64 = 2.6810828736277523;
/// See [`ALPHA`].
pub const BETA: f64 = 3.050430199247411;

/// z = T w.
pub const T: [[f64; 3]; 3] = [
    [
        0.09123239487089295,
        -0.1412552950209542,
        -0.030029194105147424,
    ],
    [0.241717932707107, 0.20412935229379994, 0.3829421127572619],
    [0.966048182615093, 1.0, 0.0],
];

/// w = T^-1 z.
pub const T_INVERSE: [[f64; 3]; 3] = [
    [4.325579890063155, 0.33919925181580984, 0.5417705399358749],
    [
        -4.178718591551905,
        -0.32768282076106237,
        0.47662355450055044,
    ],
    [-0.5028726349457868, 2.571926949855605, -0.5960392048282249],
];

/// Weights e_i of z_i / h in the error estimate.
pub const ERROR: [f64; 3] = [
    -(13.0 + 7.0 * SQRT_6) / 3.0,
    (-13.0 + 7.0 * SQRT_6) / 3.0,
    -1.0 / 3.0,
];

/// Corrections allowed a step.
const MOST_CORRECTIONS: usize = 7;
/// A Jacobian with which the step converged faster than this serves the next one, too.
const FAST: f64 = 1e-2;
const SAFETY: f64 = 0.9;
const SHRINK: f64 = 0.2;
const GROW: f64 = 8.0;
/// A step size within this factor of the ideal one is left alone.
const SAME: f64 = 1.2;

/// Values at theta of the polynomials of degree 3 that vanish at 0 and at all c but c_i, where they are 1:
/// x(t + theta h) = x + sum l_i(theta) z_i.
#[inline]
pub fn dense_weights<S: Scalar>(theta: S) -> [S; 3] {
    std::array::from_fn(|i| {
        let (j, k) = ((i + 1) % 3, (i + 2) % 3);
        let scale = C[i] * (C[i] - C[j]) * (C[i] - C[k]);
        theta * (theta - C[j]) * (theta - C[k]) / scale
    })
}

/// Their derivatives.
fn dense_slopes(theta: f64) -> [f64; 3] {
    std::array::from_fn(|i| {
        let (j, k) = ((i + 1) % 3, (i + 2) % 3);
        let scale = C[i] * (C[i] - C[j]) * (C[i] - C[k]);
        ((theta - C[j]) * (theta - C[k]) + theta * (2.0 * theta - C[j] - C[k])) / scale
    })
}

/// Where the polynomial is tested inside the step: theta (theta - c_1) (theta - c_2) (theta - 1), which the error of an
/// interpolant follows, is about largest there.
const INSIDE: f64 = 0.85;

/// Workspace of the method for one system; see the module.
#[derive(Debug, Clone)]
pub struct Radau5<S> {
    n: usize,
    newton: Newton,
    jacobian: LaggedJacobian<S>,
    real: IterationMatrix<f64>,
    complex: IterationMatrix<Complex<f64>>,
    /// values of M
    mass: Option<Vec<f64>>,
    consistent: Option<Consistent<S>>,
    /// h of the factored matrices
    factored: Option<f64>,
    /// f at the start of the step
    slope: Vec<S>,
    /// z of the step being tried
    trial: Vec<S>,
    /// z of the last accepted step
    accepted: Vec<S>,
    h_trial: f64,
    h_accepted: Option<f64>,
    /// w = T^-1 z
    transformed: Vec<S>,
    /// right-hand sides, then corrections of w
    correction: Vec<S>,
    /// M w
    momentum: Vec<S>,
    argument: Vec<S>,
    /// one part of the complex system
    pair: Vec<Complex<f64>>,
    corrections: usize,
    error: f64,
    /// size and error of the last accepted step, once there were two in a row
    history: Option<(f64, f64)>,
    /// the last trial did not end in an accepted step
    rejected: bool,
    inside: InsideTest,
    failure_factor: f64,
}

impl<S: Scalar> Radau5<S> {
    /// Factors both matrices for step size `h` unless those at hand are. Whether there are any.
    fn prepare(&mut self, h: f64, statistics: &mut Statistics) -> bool {
        if self.factored == Some(h) {
            return true;
        }
        statistics.factorizations += 1;
        let jacobian = &self.jacobian;
        let mass = self.mass.as_deref();
        let shift = Complex::new(ALPHA / h, BETA / h);
        let regular = self.real.factor(GAMMA / h, |k| jacobian.value(k), mass)
            && self.complex.factor(shift, |k| jacobian.value(k), mass);
        self.factored = regular.then_some(h);
        regular
    }

    /// z from the polynomial of the last step, continued, and w = T^-1 z.
    fn guess(&mut self, h: f64) {
        let n = self.n;
        let Some(h_old) = self.h_accepted else {
            self.trial.fill(S::from(0.0));
            self.transformed.fill(S::from(0.0));
            return;
        };
        for (i, c) in C.iter().enumerate() {
            let weights = dense_weights(1.0 + c * h / h_old);
            for state in 0..n {
                let old = |j: usize| self.accepted[j * n + state];
                // the last step's end is where this one starts
                self.trial[i * n + state] =
                    old(0) * weights[0] + old(1) * weights[1] + old(2) * (weights[2] - 1.0);
            }
        }
        for (i, row) in T_INVERSE.iter().enumerate() {
            for state in 0..n {
                let z = |j: usize| self.trial[j * n + state];
                self.transformed[i * n + state] = z(0) * row[0] + z(1) * row[1] + z(2) * row[2];
            }
        }
    }

    /// Leaves in `correction` the Newton correction of w.
    fn correct<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        statistics: &mut Statistics,
    ) -> Result<(), Failure> {
        let n = self.n;
        // momentum is free here: it holds f at the three points
        for (i, c) in C.iter().enumerate() {
            let range = i * n..(i + 1) * n;
            for ((y, &x), &z) in self
                .argument
                .iter_mut()
                .zip(x)
                .zip(&self.trial[range.clone()])
            {
                *y = x + z;
            }
            let f = &mut self.momentum[range];
            system.rhs(t + h * *c, &self.argument, f);
            statistics.rhs_evaluations += 1;
            if let Some(state) = f.iter().position(|f| !f.value().is_finite()) {
                return Err(Failure::NotFinite(state));
            }
        }
        for (i, row) in T_INVERSE.iter().enumerate() {
            for state in 0..n {
                let f = |j: usize| self.momentum[j * n + state];
                self.correction[i * n + state] = f(0) * row[0] + f(1) * row[1] + f(2) * row[2];
            }
        }
        if let Some(mass) = system.mass() {
            for (w, out) in self
                .transformed
                .chunks_exact(n.max(1))
                .zip(self.momentum.chunks_exact_mut(n.max(1)))
            {
                mass.multiply(w, out);
            }
        } else {
            self.momentum.copy_from_slice(&self.transformed);
        }
        let inverse = S::from(1.0) / h;
        let (gamma, alpha, beta) = (inverse * GAMMA, inverse * ALPHA, inverse * BETA);
        for state in 0..n {
            let (i, j, k) = (state, state + n, state + 2 * n);
            let (w1, w2, w3) = (self.momentum[i], self.momentum[j], self.momentum[k]);
            self.correction[i] -= gamma * w1;
            self.correction[j] -= alpha * w2 - beta * w3;
            self.correction[k] -= alpha * w3 + beta * w2;
        }
        let (real, imaginary) = self.correction.split_at_mut(n);
        self.real.solve(real);
        let (re, im) = imaginary.split_at_mut(n);
        for part in 0..S::WIDTH {
            for ((p, a), b) in self.pair.iter_mut().zip(re.iter()).zip(im.iter()) {
                *p = Complex::new(a.part(part), b.part(part));
            }
            self.complex.solve(&mut self.pair);
            let with =
                |old: S, new: f64| S::from_parts(|k| if k == part { new } else { old.part(k) });
            for ((p, a), b) in self.pair.iter().zip(re.iter_mut()).zip(im.iter_mut()) {
                *a = with(*a, p.re);
                *b = with(*b, p.im);
            }
        }
        Ok(())
    }

    /// z = T w
    fn transform(&mut self) {
        let n = self.n;
        for (i, row) in T.iter().enumerate() {
            for state in 0..n {
                let w = |j: usize| self.transformed[j * n + state];
                self.trial[i * n + state] = w(0) * row[0] + w(1) * row[1] + w(2) * row[2];
            }
        }
    }

    fn solve_stages<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        statistics: &mut Statistics,
    ) -> Result<(), Failure> {
        let n = self.n;
        self.guess(h.value());
        self.newton.begin();
        self.corrections = 0;
        loop {
            self.correct(system, t, h, x, statistics)?;
            statistics.newton_iterations += 1;
            self.corrections += 1;
            let squares: f64 = self
                .correction
                .chunks_exact(n.max(1))
                .map(|d| self.newton.squares(d))
                .sum();
            let norm = (squares / (3 * n).max(1) as f64).sqrt();
            if !norm.is_finite() {
                return Err(Failure::NotConverged(0, 0.25));
            }
            for (w, &d) in self.transformed.iter_mut().zip(&self.correction) {
                *w += d;
            }
            self.transform();
            match self.newton.judge(norm) {
                Progress::Continue => {}
                Progress::Converged => break,
                Progress::Diverged { factor } => {
                    let worst = self.newton.worst(&self.correction[..n]);
                    return Err(Failure::NotConverged(worst, factor));
                }
            }
        }
        polish::<S>(|| {
            self.correct(system, t, h, x, statistics)?;
            let sizes = add_tangents(&mut self.transformed, &self.correction);
            self.transform();
            Ok(sizes)
        })
    }

    /// Leaves the error estimate in `correction[..n]`.
    fn estimate<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        (t, h): (S, S),
        x: &[S],
        x_new: &[S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Trial {
        let n = self.n;
        let inverse = S::from(1.0) / h;
        for (state, a) in self.argument.iter_mut().enumerate() {
            let z = |i: usize| self.trial[i * n + state];
            *a = (z(0) * ERROR[0] + z(1) * ERROR[1] + z(2) * ERROR[2]) * inverse;
        }
        let combined = &mut self.momentum[..n];
        match system.mass() {
            Some(mass) => mass.multiply(&self.argument, combined),
            None => combined.copy_from_slice(&self.argument),
        }
        let widening = widening(options);
        let slopes = self.slope.iter().zip(self.momentum.iter());
        for (e, (&f, &m)) in self.correction.iter_mut().zip(slopes) {
            *e = f + m;
        }
        self.real.solve(&mut self.correction[..n]);
        let test = |e: &[S]| error_test(options, x, x_new, |i, part| e[i].part(part) / widening);
        let trial = test(&self.correction[..n]);
        let again = self.rejected || self.h_accepted.is_none();
        if !again || !matches!(trial, Trial::Computed { error, .. } if error > 1.0) {
            return trial;
        }
        for ((y, &x), &e) in self.argument.iter_mut().zip(x).zip(&self.correction) {
            *y = x + e;
        }
        system.rhs(t, &self.argument, &mut self.correction[..n]);
        statistics.rhs_evaluations += 1;
        for (e, &m) in self.correction.iter_mut().zip(&self.momentum[..n]) {
            *e += m;
        }
        self.real.solve(&mut self.correction[..n]);
        match test(&self.correction[..n]) {
            // f ends near x: the first estimate stands
            Trial::NotFinite { .. } => trial,
            second => second,
        }
    }
}

impl<S: Scalar> Radau5<S> {
    /// Tests a step that passed with `at_end` at its end inside, too.
    fn test_inside<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        (t, h): (S, S),
        (x, x_new): (&[S], &[S]),
        at_end: (f64, usize),
        options: &Options,
        statistics: &mut Statistics,
    ) -> Trial {
        let n = self.n;
        let z = &self.trial;
        let sum = |weights: [f64; 3], state: usize| {
            (0..3).fold(S::from(0.0), |sum, i| {
                sum.mul_add_f64(z[i * n + state], weights[i])
            })
        };
        let (values, slopes) = (dense_weights(INSIDE), dense_slopes(INSIDE));
        for (state, (y, &x)) in self.argument.iter_mut().zip(x).enumerate() {
            *y = x + sum(values, state);
        }
        let defect = &mut self.correction[..n];
        system.rhs(t + h * INSIDE, &self.argument, defect);
        statistics.rhs_evaluations += 1;
        for (state, slope) in self.argument.iter_mut().enumerate() {
            *slope = sum(slopes, state) / h;
        }
        let momentum = &mut self.momentum[..n];
        match system.mass() {
            Some(mass) => mass.multiply(&self.argument, momentum),
            None => momentum.copy_from_slice(&self.argument),
        }
        for (d, &m) in defect.iter_mut().zip(momentum.iter()) {
            *d -= m;
        }
        self.real.solve(defect);
        let widening = widening(options);
        let inside = error_test(options, x, x_new, |i, part| {
            self.correction[i].part(part) / widening
        });
        self.inside.judge(h.value(), at_end, inside)
    }
}

/// What the estimate is held against, in units of the tolerance asked for; see the module.
fn widening(options: &Options) -> f64 {
    if options.rtol > 0.0 {
        0.3 * options.rtol.powf(-0.2)
    } else {
        1.0
    }
}

impl<S: Scalar, F: ImplicitSystem<S> + ?Sized> Method<S, F> for Radau5<S> {
    const ORDER: u32 = 5;
    const ERROR_ORDER: u32 = 3;
    const STAGES: usize = 3;

    fn check(system: &F) -> Result<(), SolveError> {
        needs_factors(system, "radau5")?;
        match system.mass() {
            Some(mass) => mass.check(system.dim()),
            None => Ok(()),
        }
    }

    fn explicit_form(system: &F) -> bool {
        system.mass().is_none()
    }

    fn new(system: &F) -> Self {
        let n = system.dim();
        let (zeros, triple) = (vec![S::from(0.0); n], vec![S::from(0.0); 3 * n]);
        let pattern = system.pattern();
        // one of another size is refused when a solve begins
        let mass = system.mass().filter(|mass| mass.check(n).is_ok());
        let mass_pattern = mass.map(|m| &m.pattern);
        Self {
            n,
            consistent: mass
                .filter(|mass| mass.check(n).is_ok())
                .map(|mass| Consistent::new(pattern, mass)),
            newton: Newton::new(n, MOST_CORRECTIONS),
            jacobian: LaggedJacobian::new(pattern),
            real: IterationMatrix::new(pattern, mass_pattern, system.linear_solver()),
            complex: IterationMatrix::new(pattern, mass_pattern, system.linear_solver()),
            mass: mass.map(|m| m.values.iter().map(|v| v.value()).collect()),
            factored: None,
            slope: zeros.clone(),
            trial: triple.clone(),
            accepted: triple.clone(),
            h_trial: 0.0,
            h_accepted: None,
            transformed: triple.clone(),
            correction: triple.clone(),
            momentum: triple,
            argument: zeros,
            pair: vec![Complex::new(0.0, 0.0); n],
            corrections: 0,
            error: 0.0,
            history: None,
            rejected: false,
            inside: InsideTest::default(),
            failure_factor: 0.5,
        }
    }

    fn initialize(
        &mut self,
        system: &mut F,
        t: S,
        x: &mut [S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Result<(), SolveError> {
        match &mut self.consistent {
            Some(consistent) => consistent.initialize(system, t, x, options, statistics),
            None => Ok(()),
        }
    }

    fn restart(&mut self, system: &mut F, t: S, x: &[S], statistics: &mut Statistics) {
        if let (Some(values), Some(mass)) = (&mut self.mass, system.mass()) {
            for (v, m) in values.iter_mut().zip(&mass.values) {
                *v = m.value();
            }
        }
        system.rhs(t, x, &mut self.slope);
        statistics.rhs_evaluations += 1;
        self.jacobian.moved(false);
        self.factored = None;
        self.h_accepted = None;
        self.history = None;
        self.rejected = false;
        self.inside.move_on();
        self.newton.restart();
    }

    fn slope(&self) -> &[S] {
        &self.slope
    }

    fn step(
        &mut self,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        x_new: &mut [S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Trial {
        let widening = widening(options);
        // the tolerance of the step is coarse where that asked for is fine
        let kappa = (widening * options.rtol).sqrt().clamp(1e-3, 0.03);
        self.newton.weigh(options, x, widening, kappa);
        self.failure_factor = 0.25;
        loop {
            if !self.jacobian.is_known() {
                self.factored = None;
                if let Err(trial) = self.jacobian.refresh(system, t, x, statistics) {
                    return trial;
                }
            }
            let solved = if self.prepare(h.value(), statistics) {
                self.solve_stages(system, t, h, x, statistics)
            } else {
                Err(Failure::Singular)
            };
            let Err(failure) = solved else { break };
            if self.jacobian.is_current() {
                let (trial, factor) = failure.into_trial();
                self.failure_factor = factor;
                return trial;
            }
            self.jacobian.moved(false);
        }
        self.h_trial = h.value();
        for ((y, &x), &z) in x_new.iter_mut().zip(x).zip(&self.trial[2 * self.n..]) {
            *y = x + z;
        }
        let mut trial = self.estimate(system, (t, h), x, x_new, options, statistics);
        if let Trial::Computed { error, state } = trial
            && error <= 1.0
        {
            let (ends, at_end) = ((x, x_new as &[S]), (error, state));
            trial = self.test_inside(system, (t, h), ends, at_end, options, statistics);
        }
        if let Trial::Computed { error, .. } = trial {
            self.error = error.max(1e-10);
        }
        trial
    }

    fn accept(&mut self, system: &mut F, t_new: S, x_new: &[S], statistics: &mut Statistics) {
        std::mem::swap(&mut self.trial, &mut self.accepted);
        system.rhs(t_new, x_new, &mut self.slope);
        statistics.rhs_evaluations += 1;
        self.h_accepted = Some(self.h_trial);
        self.inside.move_on();
        self.jacobian.moved(self.newton.slowest() <= FAST);
    }

    fn resize(&mut self, outcome: Outcome) -> Option<f64> {
        // more corrections than usual: J or h is not what the next step needs
        let limit = MOST_CORRECTIONS as f64;
        let safety = SAFETY * (1.0 + 2.0 * limit) / (self.corrections as f64 + 2.0 * limit);
        let factor = safety.min(SAFETY) * self.error.powf(-0.25);
        Some(match outcome {
            Outcome::Accepted => {
                let mut factor = factor.clamp(SHRINK, GROW);
                if let Some((h_old, error_old)) = self.history {
                    let trend = (self.h_trial / h_old).abs();
                    let predicted =
                        SAFETY * trend * (error_old / (self.error * self.error)).powf(0.25);
                    factor = factor.min(predicted.clamp(SHRINK, GROW));
                }
                self.history = Some((self.h_trial, self.error.max(1e-2)));
                let after_rejection = std::mem::take(&mut self.rejected);
                let kept = self.jacobian.is_known() && (1.0..=SAME).contains(&factor);
                if after_rejection {
                    factor.min(1.0)
                } else if kept {
                    1.0
                } else {
                    factor
                }
            }
            Outcome::Rejected => {
                self.rejected = true;
                if self.h_accepted.is_none() {
                    0.1
                } else {
                    factor.clamp(SHRINK, SAFETY)
                }
            }
            Outcome::Failed => {
                self.rejected = true;
                self.failure_factor
            }
        })
    }

    fn stages(&self) -> &[S] {
        &self.accepted
    }

    fn interpolate(theta: S, _h: S, x: &[S], _x_new: &[S], stages: &[S], out: &mut [S]) {
        let n = x.len();
        let weights = dense_weights(theta);
        for (state, (o, &x)) in out.iter_mut().zip(x).enumerate() {
            *o = x
                + stages[state] * weights[0]
                + stages[n + state] * weights[1]
                + stages[2 * n + state] * weights[2];
        }
    }
}
