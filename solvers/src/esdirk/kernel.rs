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
/// Part of the tolerance that an iteration may leave: less changes no step, more shows in the errors.
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
        t: S,
        h: S,
        x: &[S],
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
        self.trial[..n].copy_from_slice(&self.slope);
        for i in 1..T::A.len() {
            let (earlier, rest) = self.trial.split_at_mut(i * n);
            let k = &mut rest[..n];
            for (state, (base, guess)) in self.base.iter_mut().zip(k.iter_mut()).enumerate() {
                let (mut sum, mut extrapolated) = (S::from(0.0), S::from(0.0));
                for (j, (&a, &w)) in T::A[i].iter().zip(T::GUESS[i]).enumerate() {
                    let v = earlier[j * n + state];
                    sum = sum.mul_add_f64(v, a);
                    extrapolated = extrapolated.mul_add_f64(v, w);
                }
                *base = sum * h;
                *guess = extrapolated;
            }
            if let (1, Some(h_old)) = (i, self.h_accepted) {
                let at = 1.0 + T::C[1] * h.value() / h_old;
                let weights = lagrange([0.0, T::C[T::MIDDLE], 1.0], at);
                let last = T::A.len() - 1;
                for (state, guess) in k.iter_mut().enumerate() {
                    let old = |stage: usize| self.accepted[stage * n + state];
                    *guess =
                        old(0) * weights[0] + old(T::MIDDLE) * weights[1] + old(last) * weights[2];
                }
            }
            for ((z, &base), &guess) in self.increment.iter_mut().zip(&self.base).zip(k.iter()) {
                *z = base + guess * h_gamma;
            }
            let t_stage = t + h * T::C[i];
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
        }
        Ok(())
    }
}

impl<S: Scalar, T: Tableau, F: ImplicitSystem<S> + ?Sized> Method<S, F> for Esdirk<S, T> {
    const ORDER: u32 = T::ORDER;
    const ERROR_ORDER: u32 = T::ERROR_ORDER;
    const STAGES: usize = T::A.len();

    fn check(system: &F) -> Result<(), SolveError> {
        if system.mass().is_some() {
            return Err(invalid("ESDIRK methods take no mass matrix: use radau5"));
        }
        Ok(())
    }

    fn new(system: &F) -> Self {
        let n = system.dim();
        let zeros = vec![S::from(0.0); n];
        let stages = vec![S::from(0.0); T::A.len() * n];
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
        let n = self.n;
        self.newton.weigh(options, x, 1.0, KAPPA);
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
                .and_then(|()| self.solve_stages(system, t, h, x, statistics));
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
        for (state, e) in self.residual.iter_mut().enumerate() {
            let mut sum = S::from(0.0);
            for (j, &weight) in T::ERROR.iter().enumerate() {
                sum = sum.mul_add_f64(self.trial[j * n + state], weight);
            }
            *e = sum * h;
        }
        if T::FILTERED {
            // (I - h gamma J)^-1 = W^-1 / (h gamma), with the h gamma of W
            let shift = if self.matrix.is_krylov() {
                1.0 / h_gamma
            } else {
                1.0 / self.factored.unwrap_or(h_gamma)
            };
            let parts = Parts::All(Accuracy {
                absolute: LINEAR / shift.abs(),
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
        let trial = error_test(options, x, x_new, |i, part| self.residual[i].part(part));
        if let Trial::Computed { error, .. } = trial {
            self.error = error;
        }
        trial
    }

    fn accept(&mut self, _system: &mut F, _t_new: S, _x_new: &[S], _statistics: &mut Statistics) {
        std::mem::swap(&mut self.trial, &mut self.accepted);
        self.slope
            .copy_from_slice(&self.accepted[(T::A.len() - 1) * self.n..]);
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
