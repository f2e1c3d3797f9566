//! The equilibrium in which a system comes to rest: f(t0, x*) = 0, time held at t0.
//!
//! Which equilibrium, of several, is for the trajectory from the start to say: so that is followed, by BDF in stretches
//! that grow fourfold, until one more correction
//!
//! ```text
//! x <- x + (sigma M - J)^-1 f(x),          sigma = 1 / the time passed
//! ```
//!
//! and those after it, to rounding, stay near: within 1e-3 of each state and its absolute tolerance. An equilibrium
//! that the solution would leave again, as it passes by a saddle, is none to rest in: the eigenvalues of J tell (up to
//! 100 states, M = I).
//!
//! sigma > 0 is what makes conserved totals no special case. Where `w^T f = 0` for all x, `w^T M x` keeps its value
//! under the correction, and along all other directions lambda the distance shrinks by sigma / (sigma - lambda), which
//! is small where the solution has come to rest. So the corrections' limit is the projection on the equilibrium along
//! the other directions, and their derivative its derivative, at start and parameters alike (implicit function
//! theorem): over dual numbers the same correction with the values of J alone makes tangents, and tangents of
//! tangents, converge. Backward, `lambda = (sigma M - J)^-T x_bar` and `x_bar <- x_bar + J^T lambda` repeat: what of
//! `x_bar` remains belongs to the start, and the sum of the lambdas times f_p to the parameters.
//!
//! A state that starts where it rests shows nothing of how slow it is. So the system is followed until a random direction
//! falls, in a hundred corrections, to what is kept: then those of derivatives converge, too. (Slower than 1e-10 of the
//! fastest rate counts as kept.)
//!
//! Equilibria that lie on a curve which is no such total's, as that of an epidemic that ends, depend on all of the way
//! there: they are refused (`SolveError::NotIsolated`), where totals are told from such curves by `w^T f` at other states.
//!
//! C. T. Kelley & D. E. Keyes, Convergence analysis of pseudo-transient continuation, SIAM J. Numer. Anal. 35 (1998)
//! 508-523, doi 10.1137/S0036142996304796; G. T. Lines, L. Paszkowski, L. Schmiester, D. Weindl, P. Stapor & J. Hasenauer,
//! Efficient computation of steady states in large-scale ODE models of biochemical reaction networks, IFAC-PapersOnLine
//! 52-26 (2019) 32-37, doi 10.1016/j.ifacol.2019.12.232.

use nalgebra::DMatrix;

mod held;

use held::Held;

use crate::control::scale;
use crate::error::SolveError;
use crate::integrate::{Integrator, not_finite};
use crate::linalg::{IterationMatrix, LinearSolver};
use crate::multistep::Bdf;
use crate::options::Options;
use crate::record::NoRecord;
use crate::scalar::{Scalar, depth};
use crate::system::{ImplicitSystem, Mass, Pattern};

/// Part of a state by which corrections may move it from where the trajectory is.
const NEAR: f64 = 1e-3;
/// sigma times the time passed. The smaller, the faster corrections converge, and the more totals suffer from rounding.
const SHIFT: f64 = 1.0;
/// Growth times the time passed from which an equilibrium is left again.
const LEFT: f64 = 1e-3;
/// Corrections by this part of a state, or of its absolute tolerance, are rounding.
const ROUNDING: f64 = 4.0 * f64::EPSILON;
const MOST_CORRECTIONS: usize = 40;
/// The same for derivatives, whose convergence is certain.
const MOST_PASSES: usize = 400;
/// Passes in which what is kept is to be told from the rest; where a direction needs more, the system is followed further.
const TELLING: usize = 100;
/// Movement in a pass of what is kept, beside rounding.
const STILL: f64 = 1e-9;
/// Part of a direction that is not kept.
const NOTHING: f64 = 1e-12;
/// Passes that leave only what is kept: each makes other directions an eighth or less.
const KEPT: usize = 6;
/// Times that the fastest rate's: from the first stretch to giving up.
const FIRST: f64 = 10.0;
const LAST: f64 = 1e20;
/// Growth of the time passed from stretch to stretch.
const GROWTH: f64 = 4.0;
/// Steps of a stretch.
const MOST_STEPS: usize = 100_000;
/// States up to which eigenvalues are computed.
const FEW: usize = 100;

/// Workspace for the equilibria of one system.
#[derive(Debug, Clone)]
pub struct Equilibrium {
    matrix: IterationMatrix,
    pattern: Pattern,
    jacobian: Vec<f64>,
    mass: Option<Mass<f64>>,
    sigma: f64,
    /// there are totals that f keeps
    keeps: bool,
    /// passes after which only what is kept is left
    passes: usize,
    correction: Vec<f64>,
}

impl Equilibrium {
    /// A workspace for a Jacobian and a mass matrix of the given patterns.
    pub fn new<F: ImplicitSystem<f64> + ?Sized>(system: &F) -> Self {
        let pattern = system.pattern().clone();
        let mass = system.mass().cloned();
        let mass_pattern = mass.as_ref().map(|mass| &mass.pattern);
        Self {
            matrix: IterationMatrix::new(&pattern, mass_pattern, LinearSolver::Auto),
            jacobian: vec![0.0; pattern.non_zeros()],
            correction: vec![0.0; system.dim()],
            sigma: 0.0,
            keeps: false,
            passes: 0,
            pattern,
            mass,
        }
    }

    /// Moves `x` to where the system comes to rest from it, with time held at t; gives the time that took until the
    /// corrections served.
    ///
    /// # Errors
    /// [`SolveError::NoRest`] where it does not within 1e20 times its fastest rate's time, or 100,000 steps per stretch; [`SolveError::NotIsolated`] where the equilibrium depends on the way there; those of a solve.
    pub fn settle<F: ImplicitSystem<f64> + ?Sized>(
        &mut self,
        system: &mut F,
        t: f64,
        x: &mut [f64],
        options: &Options,
    ) -> Result<f64, SolveError> {
        let start = x.to_vec();
        if let (Some(mass), Some(now)) = (&mut self.mass, system.mass()) {
            mass.values.copy_from_slice(&now.values);
        }
        system.jacobian(t, x, &mut self.jacobian);
        let fastest = self.bound();
        if !fastest.is_finite() {
            return Err(not_finite(t, 0, x));
        }
        let unit = if fastest > 0.0 { 1.0 / fastest } else { 1.0 };
        let options = Options {
            rtol: options.rtol.min(1e-6),
            first_step: None,
            step: None,
            max_step: f64::INFINITY,
            max_steps: options.max_steps.min(MOST_STEPS),
            stiffness_test: false,
            ..options.clone()
        };
        let mut passed = 0.0;
        let mut held = Held { system, t };
        let mut integrator = Integrator::<f64, Bdf<f64>>::new(&held);
        while passed < LAST * unit {
            let stretch = if passed == 0.0 {
                FIRST * unit
            } else {
                (GROWTH - 1.0) * passed
            };
            let times = [0.0, stretch];
            let run = integrator.run(&mut held, x, &times, &options, &mut NoRecord);
            match run {
                Ok(_) => passed += stretch,
                Err(SolveError::TooManySteps { .. }) => break,
                Err(error) => return Err(error),
            }
            self.sigma = SHIFT / passed;
            let Some(found) = self.polished(held.system, t, x, &options) else {
                continue;
            };
            if self.leaves(passed) {
                continue;
            }
            let Some(kept) = self.tell_kept(passed) else {
                continue;
            };
            x.copy_from_slice(&found);
            return match self.are_totals(kept, held.system, t, x, &start) {
                true => Ok(passed),
                false => Err(SolveError::NotIsolated { t }),
            };
        }
        let mut f = vec![0.0; x.len()];
        held.system.rhs(t, x, &mut f);
        let size = |i: usize| (f[i] / scale(&options, i, x[i].abs())).abs();
        let state = (0..x.len()).max_by(|&i, &j| size(i).total_cmp(&size(j)));
        let state = state.unwrap_or(0);
        Err(SolveError::NoRest {
            t,
            passed,
            state,
            rate: f.get(state).copied().unwrap_or(f64::NAN),
        })
    }

    /// Makes the tangents of `x`, equilibrium values with the tangents of the start, those of the equilibrium that
    /// [`Equilibrium::settle`] found last.
    pub fn differentiate<S: Scalar, F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        t: S,
        x: &mut [S],
    ) {
        let mut f = vec![S::from(0.0); x.len()];
        for _ in 0..MOST_PASSES {
            system.rhs(t, x, &mut f);
            self.remove_kept(&mut f);
            self.matrix.solve(&mut f);
            let mut settled = true;
            for part in 1..S::WIDTH {
                // (a NaN is not made better by another)
                let (moved, size) = (largest_part(&f, part), largest_part(x, part));
                settled &= moved.is_nan() || moved <= ROUNDING * size;
            }
            for (x, f) in x.iter_mut().zip(&f) {
                *x += S::from_parts(|part| if part == 0 { 0.0 } else { f.part(part) });
            }
            if settled {
                break;
            }
        }
    }

    /// Takes the cotangent `x_bar` of the equilibrium `x` at (t, x) that was found last to `w`, of which f_p^T w is the
    /// parameters' cotangent; that of the start is left in `x_bar`. Over dual numbers `x` carries the tangents of
    /// [`Equilibrium::differentiate`].
    pub fn pull_back<S: Scalar, F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        (t, x): (S, &[S]),
        x_bar: &mut [S],
        w: &mut [S],
    ) {
        let mut jacobian: Vec<S> = self.jacobian.iter().map(|&j| S::from(j)).collect();
        if S::WIDTH > 1 {
            system.jacobian(t, x, &mut jacobian);
        }
        let zero = S::from(0.0);
        w.fill(zero);
        let mut rest = x_bar.to_vec();
        if self.keeps {
            for _ in 0..self.passes {
                self.keep_transposed(&jacobian, x_bar);
            }
            for (rest, &kept) in rest.iter_mut().zip(&*x_bar) {
                *rest -= kept;
            }
        } else {
            x_bar.fill(zero);
        }
        let (mut lambda, mut change) = (vec![zero; x_bar.len()], vec![zero; x_bar.len()]);
        for _ in 0..MOST_PASSES {
            lambda.copy_from_slice(&rest);
            self.matrix.solve_transposed(&mut lambda);
            for (w, &lambda) in w.iter_mut().zip(&lambda) {
                *w += lambda;
            }
            let small = |part| largest_part(&lambda, part) <= ROUNDING * largest_part(w, part);
            if (0..S::WIDTH).all(small) {
                break;
            }
            self.pattern
                .multiply_transposed(&jacobian, &lambda, &mut change);
            for (rest, &change) in rest.iter_mut().zip(&change) {
                *rest += change;
            }
        }
    }

    /// v <- sigma M^T (sigma M - J)^-T v, which keeps cotangents of totals; the largest change. The factors are those of the
    /// values: what else `jacobian` holds, over dual numbers, comes in by refinement.
    fn keep_transposed<S: Scalar>(&mut self, jacobian: &[S], v: &mut [S]) -> f64 {
        let mut next = v.to_vec();
        self.matrix.solve_transposed(&mut next);
        for _ in 0..depth::<S>() {
            let mut residual = next.clone();
            self.multiply_mass_transposed(&mut residual);
            let mut product = next.clone();
            self.pattern
                .multiply_transposed(jacobian, &next, &mut product);
            for ((r, &given), &p) in residual.iter_mut().zip(&*v).zip(&product) {
                *r = given - *r * self.sigma + p;
            }
            self.matrix.solve_transposed(&mut residual);
            for (next, &r) in next.iter_mut().zip(&residual) {
                *next += r;
            }
        }
        self.multiply_mass_transposed(&mut next);
        let mut moved = 0.0;
        for (v, next) in v.iter_mut().zip(next) {
            let next = next * self.sigma;
            moved = f64::max(moved, (next - *v).value().abs());
            *v = next;
        }
        moved
    }

    /// v <- M^T v
    fn multiply_mass_transposed<S: Scalar>(&self, v: &mut [S]) {
        if let Some(mass) = &self.mass {
            let values: Vec<S> = mass.values.iter().map(|&m| S::from(m)).collect();
            let given = v.to_vec();
            mass.pattern.multiply_transposed(&values, &given, v);
        }
    }

    /// What is kept of a random cotangent, 0 where nothing is; none where passes do not tell.
    fn tell_kept(&mut self, passed: f64) -> Option<Vec<f64>> {
        let mut draw = Draw::new();
        let n = self.correction.len();
        let mut w: Vec<f64> = (0..n).map(|_| draw.next() - 0.5).collect();
        let still = STILL + 16.0 * f64::EPSILON * self.bound() * passed;
        let first = largest(&w);
        let passes = (1..=TELLING).find(|_| {
            let moved = self.keep_transposed(&[], &mut w);
            moved <= still * largest(&w) || largest(&w) <= NOTHING * first
        })?;
        // as many again, so that what is not kept falls to rounding
        for _ in 0..passes {
            self.keep_transposed(&[], &mut w);
        }
        self.passes = 2 * passes;
        self.keeps = largest(&w) > NOTHING * first;
        Some(w)
    }

    /// Removes from `f` what sigma M (sigma M - J)^-1 keeps: rounding errors, as f has nothing there, which the
    /// correction would magnify.
    fn remove_kept<S: Scalar>(&mut self, f: &mut [S]) {
        if !self.keeps {
            return;
        }
        let mut kept = f.to_vec();
        let mut product = kept.clone();
        for _ in 0..KEPT {
            self.matrix.solve(&mut kept);
            if let Some(mass) = &self.mass {
                let values: Vec<S> = mass.values.iter().map(|&m| S::from(m)).collect();
                mass.pattern.multiply(&values, &kept, &mut product);
                kept.copy_from_slice(&product);
            }
            for kept in &mut kept {
                *kept = *kept * self.sigma;
            }
        }
        for (f, kept) in f.iter_mut().zip(kept) {
            *f -= kept;
        }
    }

    /// `x` corrected to rounding, and factors there; none where corrections lead away or do not converge.
    fn polished<F: ImplicitSystem<f64> + ?Sized>(
        &mut self,
        system: &mut F,
        t: f64,
        x: &[f64],
        options: &Options,
    ) -> Option<Vec<f64>> {
        let mut y = x.to_vec();
        let mut last = f64::INFINITY;
        for _ in 0..MOST_CORRECTIONS {
            system.rhs(t, &y, &mut self.correction);
            system.jacobian(t, &y, &mut self.jacobian);
            if !self.factor() {
                return None;
            }
            self.matrix.solve(&mut self.correction);
            let (mut size, mut near) = (0.0_f64, true);
            for (i, (y, c)) in y.iter_mut().zip(&self.correction).enumerate() {
                *y += c;
                let (atol, from) = (options.atol.of(i), x[i]);
                size = size.max(c.abs() / (y.abs() + 1e-6 * atol + f64::MIN_POSITIVE));
                near &= (*y - from).abs() <= atol + NEAR * from.abs();
            }
            if !near || !size.is_finite() {
                return None;
            }
            // what cancels in f may leave more than the rounding of x
            let stalled = size > 0.5 * last;
            if size <= ROUNDING || stalled && size <= 1e-10 {
                system.jacobian(t, &y, &mut self.jacobian);
                return self.factor().then_some(y);
            }
            if stalled {
                return None;
            }
            last = size;
        }
        None
    }

    fn factor(&mut self) -> bool {
        let jacobian = &self.jacobian;
        let mass = self.mass.as_ref().map(|mass| &mass.values[..]);
        jacobian.iter().all(|j| j.is_finite())
            && self.matrix.factor(self.sigma, |k| jacobian[k], mass)
    }

    /// max_i sum_j |J_ij|
    fn bound(&self) -> f64 {
        let mut sums = vec![0.0; self.pattern.height];
        for (&row, value) in self.pattern.rows.iter().zip(&self.jacobian) {
            sums[row] += value.abs();
        }
        sums.into_iter().fold(0.0, |m, sum| {
            // (a NaN must not pass for small)
            if sum.is_nan() {
                f64::INFINITY
            } else {
                f64::max(m, sum)
            }
        })
    }

    /// Whether a direction grows, that the time passed does not yet show.
    fn leaves(&self, passed: f64) -> bool {
        let n = self.correction.len();
        if n == 0 || n > FEW || self.mass.is_some() {
            return false;
        }
        let mut dense = DMatrix::<f64>::zeros(n, n);
        for column in 0..n {
            for k in self.pattern.starts[column]..self.pattern.starts[column + 1] {
                dense[(self.pattern.rows[k], column)] += self.jacobian[k];
            }
        }
        let Some(schur) = nalgebra::Schur::try_new(dense, f64::EPSILON, 10_000) else {
            return false;
        };
        let rates = schur.complex_eigenvalues();
        rates
            .iter()
            .any(|rate| rate.re > f64::max(LEFT / passed, 1e-11 * self.bound()))
    }

    /// Whether what the corrections keep, as [`Equilibrium::tell_kept`] found it, are totals that f keeps everywhere:
    /// `w^T f = 0` at the start and at other states, too.
    fn are_totals<F: ImplicitSystem<f64> + ?Sized>(
        &mut self,
        mut w: Vec<f64>,
        system: &mut F,
        t: f64,
        x: &[f64],
        start: &[f64],
    ) -> bool {
        if !self.keeps {
            return true;
        }
        if self.mass.is_some() {
            // from M^T w' to w', of which w'^T f is meant
            self.matrix.solve_transposed(&mut w);
        }
        let mut draw = Draw::new();
        let mut f = vec![0.0; x.len()];
        let mut y = start.to_vec();
        let size = largest(x);
        (0..5).all(|_| {
            system.rhs(t, &y, &mut f);
            for ((y, &x), &start) in y.iter_mut().zip(x).zip(start) {
                let between = x + draw.next() * (start - x);
                *y = between * (1.0 + 0.2 * draw.next()) + 1e-3 * size * draw.next();
            }
            let terms = || w.iter().zip(&f).map(|(w, f)| w * f);
            let (sum, sizes) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
            !sum.is_finite() || sum.abs() <= 1e-7 * sizes
        })
    }
}

fn largest(of: &[f64]) -> f64 {
    largest_part(of, 0)
}

/// The largest magnitude of one of the numbers that each holds.
fn largest_part<S: Scalar>(of: &[S], part: usize) -> f64 {
    of.iter().fold(0.0, |m, v| f64::max(m, v.part(part).abs()))
}

/// Numbers between 0 and 1, the same each time (xorshift; G. Marsaglia, J. Stat. Softw. 8 (2003), doi 10.18637/jss.v008.i14).
struct Draw(u64);

impl Draw {
    fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
