//! BDF and NDF of variable order 1 to 5: the methods.

use std::marker::PhantomData;

use super::corrector::{Corrector, Equation, SMALL, norm, norm_of_sum};
use super::differences::{Differences, binomials};
use super::formula::{BackwardDifferentiation, Formula, MAX_ORDER, NumericalDifferentiation};
use super::order_and_size::{Choice, OrderAndSize};
use crate::consistent::Consistent;
use crate::control::{error_test, scale};
use crate::error::SolveError;
use crate::method::{Method, Outcome, Trial};
use crate::options::{ErrorNorm, Options, Statistics};
use crate::scalar::Scalar;
use crate::system::ImplicitSystem;

/// Backward differentiation formulas of orders 1 to 5.
pub type Bdf<S> = Multistep<S, BackwardDifferentiation>;
/// Numerical differentiation formulas of orders 1 to 5.
pub type Ndf<S> = Multistep<S, NumericalDifferentiation>;

/// The error test holds each local error below the tolerance over this: those of many steps add up, and a tolerance
/// ten times tighter takes more of them. 2 at rtol = 1e-4, 4.7 at 1e-7, 11 from 1e-10 on: so chosen that runs over
/// thousands of steps stay below 100 times the tolerance.
fn strictness(options: &Options) -> f64 {
    2.0 * (1e-4 / options.rtol.clamp(1e-10, 1e-4)).powf(0.125)
}

/// Bit of [`Method::mode`] beside the order: J was new.
pub const FRESH: u8 = 0x10;
/// The same: there was no history.
pub const COLD: u8 = 0x20;
/// Bits that hold the order.
pub const ORDER: u8 = 0x0f;

/// Workspace of the method for one system; see the module.
#[derive(Debug, Clone)]
pub struct Multistep<S, V> {
    n: usize,
    order: usize,
    max_order: usize,
    /// `slope` is f(t, x), not yet x'
    restarted: bool,
    /// the next step has no history: order 1, from the slope
    cold: bool,
    /// the next step begins with new J and W: what a failed trial left of them must not matter
    fresh: bool,
    consistent: Option<Consistent<S>>,
    /// where a step without history sets out, where there is a mass matrix: x made consistent
    origin: Vec<S>,
    differences: Differences<S>,
    corrector: Corrector<S>,
    choice: OrderAndSize,
    slope: Vec<S>,
    predicted: Vec<S>,
    psi: Vec<S>,
    /// x_new - x_pred of the step just tried
    correction: Vec<S>,
    /// 1 / (scale of the error test) at the step just tried
    weights: Vec<f64>,
    /// rows of the step just accepted, for dense output
    stages: Vec<S>,
    /// of the options of the step just tried
    strictness: f64,
    last: Tried<S>,
    saved: Saved<S>,
    formula: PhantomData<V>,
}

/// What [`Method::retract`] restores.
#[derive(Debug, Clone)]
struct Saved<S> {
    differences: Differences<S>,
    slope: Vec<S>,
    restarted: bool,
    cold: bool,
}

/// The step just tried.
#[derive(Debug, Clone, Copy)]
struct Tried<S> {
    order: usize,
    leading: S,
    error: f64,
    mode: u8,
    /// order or size differ from the step's before
    changed: bool,
}

impl<S: Scalar, V: Formula> Multistep<S, V> {
    /// Limits the order to `order`.
    pub fn limit_order(&mut self, order: usize) {
        self.max_order = order.clamp(1, MAX_ORDER);
    }

    /// Begins from known past states instead of at order 1: `past[i]` lies i + 1 steps of size `h` before `x`,
    /// and the order is their number. To be called after `restart`.
    pub fn begin_with(&mut self, x: &[S], past: &[&[S]], h: S) {
        self.order = past.len().clamp(1, MAX_ORDER);
        self.differences.through(x, past, h);
        self.cold = false;
    }

    /// The order of the next step.
    pub fn next_order(&self) -> usize {
        self.order
    }

    /// The scaled error that order `order` makes is this times the norm of nabla^{order + 1} x.
    #[inline]
    fn error_factor(&self, order: usize) -> f64 {
        self.strictness * V::error_constant(order)
    }

    fn adopt(&mut self, choice: Choice) -> Option<f64> {
        self.order = choice.order;
        self.cold = choice.cold;
        Some(choice.factor)
    }
}

impl<S: Scalar, V: Formula, F: ImplicitSystem<S> + ?Sized> Method<S, F> for Multistep<S, V> {
    const ORDER: u32 = MAX_ORDER as u32;
    const ERROR_ORDER: u32 = MAX_ORDER as u32;
    const START_ORDER: u32 = 1;
    const STAGES: usize = MAX_ORDER + 1;

    fn check(system: &F) -> Result<(), SolveError> {
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
        let zeros = vec![S::from(0.0); n];
        // `check` will refuse a matrix that is not one
        let mass = system.mass().filter(|mass| mass.check(n).is_ok());
        Self {
            n,
            consistent: mass.map(|mass| Consistent::new(system.pattern(), mass)),
            origin: if mass.is_some() {
                zeros.clone()
            } else {
                Vec::new()
            },
            order: 1,
            max_order: MAX_ORDER,
            restarted: true,
            cold: true,
            fresh: true,
            differences: Differences::new(n),
            corrector: Corrector::new(system),
            choice: OrderAndSize::default(),
            slope: zeros.clone(),
            predicted: zeros.clone(),
            psi: zeros.clone(),
            correction: zeros,
            weights: vec![0.0; n * S::WIDTH],
            stages: vec![S::from(0.0); (MAX_ORDER + 1) * n],
            last: Tried {
                order: 1,
                leading: S::from(1.0),
                error: 0.0,
                mode: 0,
                changed: true,
            },
            strictness: 2.0,
            saved: Saved {
                differences: Differences::new(n),
                slope: vec![S::from(0.0); n],
                restarted: true,
                cold: true,
            },
            formula: PhantomData,
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
        self.corrector.refresh_mass(system);
        system.rhs(t, x, &mut self.slope);
        statistics.rhs_evaluations += 1;
        self.order = 1;
        self.restarted = true;
        self.cold = true;
        self.fresh = true;
        self.choice.restart();
    }

    fn save(&mut self) {
        self.differences.save(&mut self.saved.differences);
        self.saved.slope.copy_from_slice(&self.slope);
        (self.saved.restarted, self.saved.cold) = (self.restarted, self.cold);
    }

    fn retract(&mut self, _system: &mut F, _t: S, _x: &[S], _statistics: &mut Statistics) {
        self.saved.differences.save(&mut self.differences);
        self.slope.copy_from_slice(&self.saved.slope);
        (self.restarted, self.cold) = (self.saved.restarted, self.saved.cold);
        self.fresh = true;
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
        let mut mode = 0;
        if self.cold {
            mode |= COLD;
            self.order = 1;
            if let Err(trial) = self.begin(system, (t, h), x, options, statistics) {
                return trial;
            }
        }
        if self.fresh {
            mode |= FRESH;
            self.corrector.forget();
        }
        // until a step is accepted, any other from here begins anew
        self.fresh = true;
        let k = self.order;
        let same_size = self.differences.respace(k, h);
        let origin = if self.cold && self.consistent.is_some() {
            &self.origin
        } else {
            x
        };
        self.differences
            .predict::<V>(k, origin, &mut self.predicted, &mut self.psi);
        let parts = match options.error_norm {
            ErrorNorm::Values => 1,
            ErrorNorm::WithTangents => S::WIDTH,
        };
        self.weights.resize(parts * n, 0.0);
        for part in 0..parts {
            let weights = &mut self.weights[part * n..(part + 1) * n];
            for (i, ((w, x), p)) in weights.iter_mut().zip(x).zip(&self.predicted).enumerate() {
                let magnitude = f64::max(x.part(part).abs(), p.part(part).abs());
                *w = 1.0 / scale(options, i, magnitude);
            }
        }
        self.strictness = strictness(options);
        let error_constant = self.error_factor(k);
        let equation = Equation {
            t_new: t + h,
            leading: S::from(V::leading(k)) / h,
            predicted: &self.predicted,
            psi: &self.psi,
            weights: &self.weights,
            error_constant,
        };
        self.last = Tried {
            order: k,
            leading: equation.leading,
            error: f64::MAX,
            mode: mode | k as u8,
            changed: mode & COLD != 0 || !same_size || k != self.last.order,
        };
        let d = &mut self.correction;
        let error = match self
            .corrector
            .solve(system, &equation, d, x_new, statistics)
        {
            Ok(size) => size * error_constant,
            Err(failure) => return failure,
        };
        let mut trial = Trial::Computed { error, state: 0 };
        if error.is_nan() || error > 1.0 {
            // the careful test: names the state, and what is not finite
            let d = &self.correction;
            trial = error_test(options, x, x_new, |i, part| {
                d[i].part(part) * error_constant
            });
        }
        if let Trial::Computed { error, .. } = trial {
            self.last.error = error;
        }
        trial
    }

    fn accept(&mut self, _system: &mut F, _t_new: S, _x_new: &[S], _statistics: &mut Statistics) {
        self.differences.advance(self.last.order, &self.correction);
        self.corrector.grow_older();
        self.restarted = false;
        self.cold = false;
        self.fresh = false;
        let c = self.last.leading;
        let change = self.psi.iter().zip(&self.correction);
        for (slope, (&psi, &d)) in self.slope.iter_mut().zip(change) {
            *slope = c * (psi + d);
        }
    }

    fn densify(
        &mut self,
        _system: &mut F,
        _t: S,
        _h: S,
        _x: &[S],
        _x_new: &[S],
        _statistics: &mut Statistics,
    ) {
        let used = self.last.order * self.n;
        self.stages[..used].copy_from_slice(&self.differences.rows()[..used]);
        let (unused, correction) = self.stages[used..].split_at_mut(MAX_ORDER * self.n - used);
        unused.fill(S::from(0.0));
        correction.copy_from_slice(&self.correction);
    }

    fn resize(&mut self, outcome: Outcome) -> Option<f64> {
        let Tried {
            order, error, mode, ..
        } = self.last;
        let weights = &self.weights[..];
        let strictness = self.strictness;
        let error_factor = |q: usize| strictness * V::error_constant(q);
        let choice = match outcome {
            Outcome::Accepted => {
                let first = mode & COLD != 0;
                let differences = &self.differences;
                self.choice.accepted(
                    order,
                    self.max_order,
                    (self.last.changed, first),
                    |q| match q == order {
                        true => error,
                        false => error_factor(q) * norm(weights, differences.row(q + 1)),
                    },
                )
            }
            Outcome::Rejected => {
                let differences = &self.differences;
                let correction = &self.correction;
                self.choice.rejected(order, |q| match q == order {
                    true => error,
                    // nabla^{q+1} at the end of the tried step
                    false => {
                        error_factor(q) * norm_of_sum(weights, differences.row(q + 1), correction)
                    }
                })
            }
            Outcome::Failed => self.choice.failed(order),
        };
        self.adopt(choice)
    }

    fn mode(&self) -> u8 {
        self.last.mode
    }

    fn prescribe(&mut self, mode: u8) {
        if mode & ORDER != 0 {
            self.order = usize::from(mode & ORDER).min(MAX_ORDER);
            self.fresh = mode & FRESH != 0;
            self.cold = mode & COLD != 0;
        }
    }

    fn stages(&self) -> &[S] {
        &self.stages
    }

    fn interpolate(theta: S, _h: S, _x: &[S], x_new: &[S], stages: &[S], out: &mut [S]) {
        let n = x_new.len();
        let weights = binomials(theta - 1.0);
        for (i, (o, &end)) in out.iter_mut().zip(x_new).enumerate() {
            let mut sum = S::from(0.0);
            for (j, &w) in weights.iter().enumerate() {
                sum += stages[j * n + i] * w;
            }
            *o = end + sum;
        }
    }
}

impl<S: Scalar, V: Formula> Multistep<S, V> {
    /// A table of order 1 from the slope: f(t, x) after a restart, else that of the step before.
    ///
    /// With a mass matrix there is more to it. What the iteration of the step before left in the algebraic equations goes in
    /// this step, whatever its size, so that no size would satisfy the error test where that was more than it allows; and the
    /// slope is made of these equations over a small part of h. So the step sets out from consistent states with the same M x,
    /// and from the slope there.
    fn begin<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        (t, h): (S, S),
        x: &[S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Result<(), Trial> {
        if let Some(consistent) = &mut self.consistent {
            self.origin.copy_from_slice(x);
            consistent
                .refine(SMALL, system, (t, &mut self.origin), options, statistics)
                .map_err(|_| Trial::NotConverged { state: 0 })?;
            // f anew: an earlier trial from here left x' for another size in its place
            system.rhs(t, &self.origin, &mut self.slope);
            statistics.rhs_evaluations += 1;
            self.corrector
                .slope(system, (t, h), &self.origin, &mut self.slope, statistics)?;
        }
        if let Some(state) = self.slope.iter().position(|s| !s.value().is_finite()) {
            return Err(Trial::NotFinite { state });
        }
        self.differences.begin(&self.slope, h);
        Ok(())
    }
}
