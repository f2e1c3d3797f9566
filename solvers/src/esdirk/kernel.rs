//! The step that all ESDIRK tableaus share; see the family's module for its equations.

use std::marker::PhantomData;

use super::tableau::{Tableau, dense_weight, lagrange};
use crate::control::{Controller, error_test};
use crate::error::SolveError;
use crate::integrate::invalid;
use crate::linalg::NewtonMatrix;
use crate::linalg::krylov::{Accuracy, Parts, Point};
use crate::method::{Method, Outcome, Trial};
use crate::newton::{Failure, LaggedJacobian, Newton, Progress, add_tangents, polish};
use crate::options::{Options, Statistics};
use crate::scalar::Scalar;
use crate::system::ImplicitSystem;

/// Corrections allowed a stage.
const MOST_CORRECTIONS: usize = 10;
/// Part of a step's error that an iteration may leave.
const KAPPA: f64 = 0.02;
/// A Jacobian with which every stage converged faster than this serves the next step, too. (With 0.1 one of
/// before a turning point can lead to the wrong branch behind it.)
const FAST: f64 = 0.03;
/// W is kept where the step size differs from that it was made for by less than this fraction.
const STRETCH: f64 = 0.2;
/// Share of what the iteration may leave that a solve by GMRES leaves, and largest relative residual.
const LINEAR: f64 = 0.05;
const LINEAR_RELATIVE: f64 = 0.1;
/// A step size within this factor of the ideal one is left alone.
const SAME: f64 = 1.2;

/// Workspace of the ESDIRK method with tableau `T`.
#[derive(Debug, Clone)]
pub struct Esdirk<S, T> {
    n: usize,
    newton: Newton,
    jacobian: LaggedJacobian<S>,
    matrix: NewtonMatrix<S>,
    /// h gamma of the factored W
    factored: Option<f64>,
    /// f at the start of the step
    slope: Vec<S>,
    /// k_1, ..., k_s of the step being tried
    trial: Vec<S>,
    /// k_1, ..., k_s of the last accepted step
    accepted: Vec<S>,
    /// h of the step tried and of the last one accepted since the restart
    h_trial: f64,
    h_accepted: Option<f64>,
    /// h sum_{j<i} a_ij k_j
    base: Vec<S>,
    increment: Vec<S>,
    argument: Vec<S>,
    residual: Vec<S>,
    controller: Controller,
    error: f64,
    /// factor on the step after one that was not solved
    failure_factor: f64,
    tableau: PhantomData<T>,
}

impl<S: Scalar, T: Tableau> Esdirk<S, T> {
    /// Factors W for `h_gamma` unless the one at hand will do.
    fn prepare<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        (t, x, h_gamma): (S, &[S], f64),
        exact: bool,
        statistics: &mut Statistics,
    ) -> Result<(), Failure> {
        let at = Point {
            shift: 1.0 / h_gamma,
            t,
            x,
            weights: self.newton.weights(),
        };
        let near = if exact { 0.0 } else { STRETCH };
        if self
            .factored
            .is_some_and(|old| (h_gamma / old - 1.0).abs() <= near)
        {
            self.matrix.move_to(&at);
            return Ok(());
        }
        let jacobian = &self.jacobian;
        self.factored = None;
        self.matrix
            .factor(system, &at, |k| jacobian.value(k), None, statistics)
            .map_err(|trial| match trial {
                Trial::NotFinite { state } => Failure::NotFinite(state),
                _ => Failure::Singular,
            })?;
        self.factored = Some(h_gamma);
        Ok(())
    }

    /// Solves the stages in order with the W at hand.
    fn solve_stages<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        (t, h): (S, S),
        x: &[S],
        statistics: &mut Statistics,
    ) -> Result<(), Failure> {
        let n = self.n;
        self.trial[..n].copy_from_slice(&self.slope);
        for i in 1..T::A.len() {
            let (earlier, rest) = self.trial.split_at_mut(i * n);
            combine(&mut rest[..n], earlier, T::GUESS[i]);
            if let (1, Some(h_old)) = (i, self.h_accepted) {
                let at = 1.0 + T::C[1] * h.value() / h_old;
                let weights = lagrange([0.0, T::C[T::MIDDLE], 1.0], at);
                let last = T::A.len() - 1;
                for (state, guess) in rest[..n].iter_mut().enumerate() {
                    let old = |stage: usize| self.accepted[stage * n + state];
                    *guess =
                        old(0) * weights[0] + old(T::MIDDLE) * weights[1] + old(last) * weights[2];
                }
            }
            let stage = (i, T::A[i], T::C[i]);
            self.solve_stage(system, (t, h), x, stage, statistics)?;
        }
        Ok(())
    }

    /// Guesses the slope of the dense output's stage from three of the step's, the rows of `trial`.
    fn guess_inside(&mut self, node: f64) {
        let (n, last) = (self.n, T::A.len() - 1);
        let weights = lagrange([0.0, T::C[T::MIDDLE], 1.0], node);
        for state in 0..n {
            let k = |stage: usize| self.trial[stage * n + state];
            self.trial[(last + 1) * n + state] =
                k(0) * weights[0] + k(T::MIDDLE) * weights[1] + k(last) * weights[2];
        }
    }

    /// Solves stage i, of this row of A and this node, from the guess of its slope that `trial` holds in its place.
    fn solve_stage<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        (t, h): (S, S),
        x: &[S],
        (i, row, node): (usize, &[f64], f64),
        statistics: &mut Statistics,
    ) -> Result<(), Failure> {
        let n = self.n;
        let h_gamma = h * T::GAMMA;
        let factored = self.factored.unwrap_or(h_gamma.value());
        let relaxation = self.matrix.relaxation(factored / h_gamma.value());
        let values = Parts::Values(Accuracy {
            absolute: LINEAR * self.newton.kappa(),
            relative: LINEAR_RELATIVE,
        });
        let (earlier, rest) = self.trial.split_at_mut(i * n);
        let k = &mut rest[..n];
        combine(&mut self.base, earlier, row);
        for base in &mut self.base {
            *base *= h;
        }
        for ((z, &base), &guess) in self.increment.iter_mut().zip(&self.base).zip(k.iter()) {
            *z = base + guess * h_gamma;
        }
        let t_stage = t + h * node;
        let inverse = S::from(1.0) / h_gamma;
        let (argument, residual, base) = (&mut self.argument, &mut self.residual, &self.base);
        let matrix = &mut self.matrix;
        // leaves f in k and the correction in residual; `false`: GMRES found none
        let mut correct = |z: &[S],
                           k: &mut [S],
                           residual: &mut [S],
                           parts: Parts,
                           statistics: &mut Statistics| {
            statistics.rhs_evaluations += 1;
            for ((y, &x), &z) in argument.iter_mut().zip(x).zip(z) {
                *y = x + z;
            }
            system.rhs(t_stage, argument, k);
            for (((r, &f), &z), &base) in residual.iter_mut().zip(k.iter()).zip(z).zip(base) {
                *r = f - (z - base) * inverse;
            }
            let solved = matrix.solve(system, residual, parts, statistics);
            if relaxation != 1.0 {
                for r in residual.iter_mut() {
                    *r = *r * relaxation;
                }
            }
            solved
        };
        self.newton.begin();
        loop {
            let solved = correct(&self.increment, k, residual, values, statistics);
            statistics.newton_iterations += 1;
            if !solved {
                return Err(Failure::NotConverged(self.newton.worst(residual), 0.25));
            }
            let norm = self.newton.norm(residual);
            if !norm.is_finite() {
                let bad = k.iter().position(|f| !f.value().is_finite());
                return Err(match bad {
                    Some(state) => Failure::NotFinite(state),
                    None => Failure::NotConverged(0, 0.25),
                });
            }
            for (z, &d) in self.increment.iter_mut().zip(residual.iter()) {
                *z += d;
            }
            match self.newton.judge(norm) {
                Progress::Continue => {}
                Progress::Converged => break,
                Progress::Diverged { factor } => {
                    return Err(Failure::NotConverged(self.newton.worst(residual), factor));
                }
            }
        }
        polish::<S>(|| {
            if !correct(&self.increment, k, residual, Parts::Tangents, statistics) {
                return Err(Failure::NotConverged(0, 0.25));
            }
            Ok(add_tangents(&mut self.increment, residual))
        })?;
        for ((k, &z), &base) in k.iter_mut().zip(&self.increment).zip(&self.base) {
            *k = (z - base) * inverse;
        }
        Ok(())
    }
}

/// Factor on the estimate of the error test: see [`Tableau::CAUTION`].
///
/// Where the estimate is that of the solution itself, of order p, a step that just passes has an error of tol, and the
/// some tol^(-1/(p+1)) steps of a solve add up to tol^(p/(p+1)) only. So the estimate is held against tol^((p+1)/p): what a
/// pair of orders p and p - 1 with C = 1 leaves in a step that just passes.
fn caution<T: Tableau>(options: &Options) -> f64 {
    if T::ORDER > T::ERROR_ORDER {
        T::CAUTION
    } else {
        T::CAUTION / share::<T>(options)
    }
}

/// The error of a step that just passes over the tolerance, but for a constant: tol^((p+1)/p) / tol for a solution of order p
/// that is estimated itself, tol^((p+1)/(q+1)) / tol where the estimate has order q < p, 1 at 1e-4 there. What iterations leave must
/// shrink with it, or it is what adds up. (Without a relative tolerance there is no scale: 1.)
fn share<T: Tableau>(options: &Options) -> f64 {
    if options.rtol == 0.0 {
        return 1.0;
    }
    let (one_at, power) = if T::ORDER > T::ERROR_ORDER {
        (1e-4, 1.0 / f64::from(T::ERROR_ORDER + 1))
    } else {
        (1.0, 1.0 / f64::from(T::ORDER))
    };
    (options.rtol.clamp(1e-14, one_at) / one_at).powf(power)
}

/// out = sum_j w_j k_j.
fn combine<S: Scalar>(out: &mut [S], slopes: &[S], weights: &[f64]) {
    let n = out.len();
    for (state, o) in out.iter_mut().enumerate() {
        let mut sum = S::from(0.0);
        for (j, &w) in weights.iter().enumerate() {
            sum = sum.mul_add_f64(slopes[j * n + state], w);
        }
        *o = sum;
    }
}

impl<S: Scalar, T: Tableau, F: ImplicitSystem<S> + ?Sized> Method<S, F> for Esdirk<S, T> {
    const ORDER: u32 = T::ORDER;
    const ERROR_ORDER: u32 = T::ERROR_ORDER;
    const STAGES: usize = T::KEPT;

    fn check(system: &F) -> Result<(), SolveError> {
        if system.mass().is_some() {
            return Err(invalid("ESDIRK methods take no mass matrix: use radau5"));
        }
        Ok(())
    }

    fn new(system: &F) -> Self {
        let n = system.dim();
        let zeros = vec![S::from(0.0); n];
        let stages = vec![S::from(0.0); T::KEPT * n];
        Self {
            n,
            newton: Newton::new(n, MOST_CORRECTIONS),
            jacobian: LaggedJacobian::new(system.pattern()),
            matrix: NewtonMatrix::new(system, None),
            factored: None,
            slope: zeros.clone(),
            trial: stages.clone(),
            accepted: stages,
            h_trial: 0.0,
            h_accepted: None,
            base: zeros.clone(),
            increment: zeros.clone(),
            argument: zeros.clone(),
            residual: zeros,
            controller: Controller::new(T::ERROR_ORDER),
            error: 0.0,
            failure_factor: 0.25,
            tableau: PhantomData,
        }
    }

    fn restart(&mut self, system: &mut F, t: S, x: &[S], statistics: &mut Statistics) {
        system.rhs(t, x, &mut self.slope);
        statistics.rhs_evaluations += 1;
        self.jacobian.moved(false);
        self.factored = None;
        self.h_accepted = None;
        self.newton.restart();
        self.controller.restart();
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
        self.newton
            .weigh(options, x, 1.0, KAPPA * share::<T>(options));
        self.failure_factor = 0.25;
        let h_gamma = h.value() * T::GAMMA;
        let mut exact = false;
        loop {
            if !self.jacobian.is_known() {
                self.factored = None;
                if !self.matrix.takes_jacobian() {
                    self.jacobian.waive();
                } else if let Err(trial) = self.jacobian.refresh(system, t, x, statistics) {
                    return trial;
                }
            }
            let solved = self
                .prepare(system, (t, x, h_gamma), exact, statistics)
                .and_then(|()| self.solve_stages(system, (t, h), x, statistics));
            let Err(failure) = solved else { break };
            let newest = self.jacobian.is_current() && self.factored.is_none_or(|w| w == h_gamma);
            // (with products alone, nothing is out of date)
            if newest || !self.matrix.takes_jacobian() {
                let (trial, factor) = failure.into_trial();
                self.failure_factor = factor;
                return trial;
            }
            if !self.jacobian.is_current() {
                self.jacobian.moved(false);
            }
            // again, with everything that may be out of date made new
            exact = true;
        }
        self.h_trial = h.value();
        combine(&mut self.residual, &self.trial, T::ERROR);
        for e in &mut self.residual {
            *e *= h;
        }
        if T::FILTERED {
            // (I - h gamma J)^-1 = W^-1 / (h gamma), with the h gamma of W
            let shift = if self.matrix.is_krylov() {
                1.0 / h_gamma
            } else {
                1.0 / self.factored.unwrap_or(h_gamma)
            };
            let parts = Parts::All(Accuracy {
                absolute: LINEAR * share::<T>(options) / shift.abs(),
                relative: LINEAR_RELATIVE,
            });
            let (matrix, residual) = (&mut self.matrix, &mut self.residual);
            if !matrix.solve(system, residual, parts, statistics) {
                return Trial::NotConverged { state: 0 };
            }
            for e in &mut self.residual {
                *e = *e * shift;
            }
        }
        for ((y, &x), &z) in x_new.iter_mut().zip(x).zip(&self.increment) {
            *y = x + z;
        }
        let caution = caution::<T>(options);
        let trial = error_test(options, x, x_new, |i, part| {
            self.residual[i].part(part) * caution
        });
        if let Trial::Computed { error, .. } = trial {
            self.error = error;
        }
        trial
    }

    fn accept(&mut self, _system: &mut F, _t_new: S, _x_new: &[S], _statistics: &mut Statistics) {
        std::mem::swap(&mut self.trial, &mut self.accepted);
        let last = T::A.len() - 1;
        self.slope
            .copy_from_slice(&self.accepted[last * self.n..][..self.n]);
        self.h_accepted = Some(self.h_trial);
        // a W of another step size slows the iteration by itself: that is no fault of the Jacobian
        let ratio = match self.factored {
            Some(old) if !self.matrix.is_krylov() => self.h_trial * T::GAMMA / old,
            _ => 1.0,
        };
        let mismatch = (ratio - 1.0).abs() / (ratio + 1.0);
        self.jacobian
            .moved(self.newton.slowest() <= FAST + mismatch);
    }

    fn resize(&mut self, outcome: Outcome) -> Option<f64> {
        Some(match outcome {
            Outcome::Accepted => {
                let factor = self.controller.accepted(self.error);
                if (1.0..=SAME).contains(&factor) {
                    1.0
                } else {
                    factor
                }
            }
            Outcome::Rejected => self.controller.rejected(self.error),
            Outcome::Failed => self.controller.failed().max(self.failure_factor),
        })
    }

    fn densify(
        &mut self,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        _x_new: &[S],
        statistics: &mut Statistics,
    ) {
        let Some((row, node)) = T::DENSE_STAGE else {
            return;
        };
        // with the W and the guess of the last step; whether anybody looks must not change the next one
        std::mem::swap(&mut self.trial, &mut self.accepted);
        let pace = self.newton.pace();
        let i = T::A.len();
        self.guess_inside(node);
        let stage = (i, row, node);
        if self
            .solve_stage(system, (t, h), x, stage, statistics)
            .is_err()
        {
            // does not happen where the other stages converged with this W; the guess is of order 2
            self.guess_inside(node);
        }
        self.newton.keep_pace(pace);
        std::mem::swap(&mut self.trial, &mut self.accepted);
    }

    fn stages(&self) -> &[S] {
        &self.accepted
    }

    fn interpolate(theta: S, h: S, x: &[S], _x_new: &[S], stages: &[S], out: &mut [S]) {
        let n = x.len();
        out.copy_from_slice(x);
        for (i, k) in stages.chunks_exact(n.max(1)).enumerate() {
            let weight = dense_weight::<S, T>(i, theta) * h;
            for (o, &k) in out.iter_mut().zip(k) {
                *o += k * weight;
            }
        }
    }
}
