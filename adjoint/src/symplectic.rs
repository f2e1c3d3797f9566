//! Discrete adjoints of the symplectic methods, step by step.
//!
//! A step of the implicit midpoint rule is `z = h f(t + h/2, x + z/2)`, `x_new = x + z`: with lambda the cotangent of
//! x_new
//!
//! ```text
//! (2/h I - f_x)^T w = 2/h lambda        x_bar = lambda + h f_x^T w        p_bar += h f_p^T w
//! ```
//!
//! A splitting step is a sequence of kicks and drifts, `x_i += g f_i(t', x)` for momenta or positions i: each is reversed
//! at the states before it, which are made again. Readings of either take the cubic through both states with both slopes.

use std::marker::PhantomData;

use costate_solvers::Scalar;
use costate_solvers::symplectic::{Composition, separation};

use crate::matrix::StageMatrix;
use crate::readings::{Dense, Readings};
use crate::sweep::{Adjoint, AdjointError, Reverse, Step, StepBars};
use crate::system::{AdjointImplicitSystem, AdjointSystem, dot};

/// The backward sweep over steps of [`costate_solvers::ImplicitMidpoint`].
pub type ImplicitMidpointAdjoint<S = f64> = Adjoint<Midpoint<S>, S>;
/// The backward sweep over steps of a [`costate_solvers::symplectic::Splitting`].
pub type SplittingAdjoint<C, S = f64> = Adjoint<Splitting<C, S>, S>;

/// Weights of x_new - x in the cubic, and of the slopes at both ends: coefficients of theta, theta^2, theta^3.
const OF_CHANGE: [f64; 3] = [0.0, 3.0, -2.0];
const OF_SLOPES: [f64; 6] = [1.0, -2.0, 1.0, 0.0, -1.0, 1.0];

/// What both kernels share: cotangents, and the reverse of the cubic.
#[derive(Debug, Clone, Default)]
struct Common<S> {
    n: usize,
    /// cotangent of the states at the end of the step, then at its start
    lambda: Vec<S>,
    /// of what readings give to the states at the start
    start_bar: Vec<S>,
    /// of x_new - x, and of the slopes at both ends
    cubic_bars: Vec<S>,
    change: Vec<S>,
}

impl<S: Scalar> Common<S> {
    fn begin(&mut self, n: usize) {
        self.n = n;
        for vector in [&mut self.lambda, &mut self.start_bar, &mut self.change] {
            vector.clear();
            vector.resize(n, S::from(0.0));
        }
        self.cubic_bars.resize(3 * n, S::from(0.0));
    }

    /// Takes readings to the cotangents of the states at the end (lambda) and at the start (start_bar).
    fn readings<F: AdjointSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        step: &Step<'_, S>,
        readings: &Readings<S>,
        p_bar: &mut [S],
        bars: &mut Option<StepBars<S>>,
    ) {
        self.start_bar.fill(S::from(0.0));
        if !readings.any() {
            return;
        }
        let (n, h) = (self.n, step.h);
        let dense = |weights| Dense { weights, degree: 3 };
        let (of_change, of_slopes) = (dense(&OF_CHANGE[..]), dense(&OF_SLOPES[..]));
        self.cubic_bars.fill(S::from(0.0));
        let (change_bar, slope_bars) = self.cubic_bars.split_at_mut(n);
        readings.add_to_stages(of_change, S::from(1.0), change_bar);
        readings.add_to_stages(of_slopes, h, slope_bars);
        readings.add_to_start(&mut self.start_bar);
        for ((l, start), &bar) in self
            .lambda
            .iter_mut()
            .zip(&mut self.start_bar)
            .zip(&*change_bar)
        {
            *l += bar;
            *start -= bar;
        }
        if let Some(bars) = bars {
            for ((change, &new), &x) in self.change.iter_mut().zip(step.x_new).zip(step.x) {
                *change = new - x;
            }
            let change = &self.change[..];
            readings.add_to_times(of_change, (S::from(1.0), h), |_| change, bars);
            let slope = |i: usize| &step.stages[i * n..][..n];
            let of_scale = readings.add_to_times(of_slopes, (h, h), slope, bars);
            bars.h += of_scale;
        }
        let (start, end) = slope_bars.split_at(n);
        let ends = [
            (step.t, step.x, start, &mut self.start_bar),
            (step.t + h, step.x_new, end, &mut self.lambda),
        ];
        for ((t, x, w, x_bar), moves) in ends.into_iter().zip([0.0, 1.0]) {
            system.vjp(t, x, w, x_bar, p_bar);
            if let Some(bars) = bars {
                let slope = system.time_vjp(t, x, w);
                bars.t += slope;
                bars.h += slope * moves;
            }
        }
    }

    fn finish_step(&mut self) {
        for (l, &start) in self.lambda.iter_mut().zip(&self.start_bar) {
            *l += start;
        }
    }
}

/// The reverse of a step of the implicit midpoint rule and its workspace.
#[derive(Debug, Clone, Default)]
pub struct Midpoint<S = f64> {
    common: Common<S>,
    w: Vec<S>,
    state: Vec<S>,
    matrix: StageMatrix<S>,
}

impl<S: Scalar, F: AdjointImplicitSystem<S> + ?Sized> Reverse<F, S> for Midpoint<S> {
    const STAGES: Option<usize> = Some(2);
    const DEGREE: Option<usize> = Some(3);

    fn begin(&mut self, system: &F) -> Result<(), AdjointError> {
        let n = system.dim();
        self.common.begin(n);
        self.w.resize(n, S::from(0.0));
        self.state.resize(n, S::from(0.0));
        self.matrix.begin(system)?;
        Ok(())
    }

    fn lambda(&mut self) -> &mut [S] {
        &mut self.common.lambda
    }

    fn reverse(
        &mut self,
        system: &mut F,
        step: &Step<'_, S>,
        readings: &mut Readings<S>,
        p_bar: &mut [S],
        bars: &mut Option<StepBars<S>>,
    ) -> bool {
        let h = step.h;
        self.common.readings(system, step, readings, p_bar, bars);
        let middle = step.t + h * 0.5;
        for ((y, &x), &new) in self.state.iter_mut().zip(step.x).zip(step.x_new) {
            *y = x + (new - x) * 0.5;
        }
        let shift = S::from(2.0) / h;
        if !self.matrix.factor(system, middle, &self.state, shift) {
            return false;
        }
        // h w of the equations above
        for (w, &l) in self.w.iter_mut().zip(&self.common.lambda) {
            *w = l * 2.0;
        }
        self.matrix.solve_transposed(&mut self.w);
        if let Some(bars) = bars {
            let slope = system.time_vjp(middle, &self.state, &self.w);
            bars.t += slope;
            bars.h += slope * 0.5;
            for ((&w, &new), &x) in self.w.iter().zip(step.x_new).zip(step.x) {
                bars.h += w * (new - x) / (h * h);
            }
        }
        let lambda = &mut self.common.lambda;
        system.vjp(middle, &self.state, &self.w, lambda, p_bar);
        self.common.finish_step();
        true
    }
}

/// The reverse of a splitting step and its workspace.
#[derive(Debug, Clone, Default)]
pub struct Splitting<C, S = f64> {
    common: Common<S>,
    positions: Vec<bool>,
    /// states before each kick and drift
    states: Vec<S>,
    slope: Vec<S>,
    w: Vec<S>,
    composition: PhantomData<C>,
}

/// A kick or a drift: `x_i += h weight f_i(t + h at, x)`.
#[derive(Debug, Clone, Copy)]
struct Move {
    drift: bool,
    at: f64,
    weight: f64,
}

/// The moves of a step, as the solver makes them.
fn moves<C: Composition>() -> impl DoubleEndedIterator<Item = Move> + ExactSizeIterator {
    let weight = |k: usize| C::WEIGHTS.get(k).copied().unwrap_or(0.0);
    let mut list = Vec::with_capacity(2 * C::WEIGHTS.len() + 1);
    let (mut drifted, mut kicked) = (0.0, 0.5 * weight(0));
    list.push(Move {
        drift: false,
        at: 0.0,
        weight: kicked,
    });
    for k in 0..C::WEIGHTS.len() {
        list.push(Move {
            drift: true,
            at: kicked,
            weight: weight(k),
        });
        drifted += weight(k);
        let last = k + 1 == C::WEIGHTS.len();
        let kick = 0.5 * (weight(k) + weight(k + 1));
        list.push(Move {
            drift: false,
            at: if last { 1.0 } else { drifted },
            weight: kick,
        });
        kicked += kick;
    }
    list.into_iter()
}

impl<C, S, F> Reverse<F, S> for Splitting<C, S>
where
    C: Composition,
    S: Scalar,
    F: AdjointImplicitSystem<S> + ?Sized,
{
    const STAGES: Option<usize> = Some(2);
    const DEGREE: Option<usize> = Some(3);

    fn begin(&mut self, system: &F) -> Result<(), AdjointError> {
        let n = system.dim();
        self.common.begin(n);
        // (what does not split was never solved)
        self.positions = separation::positions(system.pattern()).unwrap_or_else(|_| vec![true; n]);
        let zero = S::from(0.0);
        self.states.resize((2 * C::WEIGHTS.len() + 1) * n, zero);
        self.slope.resize(n, zero);
        self.w.resize(n, zero);
        Ok(())
    }

    fn lambda(&mut self) -> &mut [S] {
        &mut self.common.lambda
    }

    fn reverse(
        &mut self,
        system: &mut F,
        step: &Step<'_, S>,
        readings: &mut Readings<S>,
        p_bar: &mut [S],
        bars: &mut Option<StepBars<S>>,
    ) -> bool {
        let (n, t, h) = (self.common.n, step.t, step.h);
        if n == 0 {
            return true;
        }
        self.common.readings(system, step, readings, p_bar, bars);
        self.states[..n].copy_from_slice(step.x);
        for (m, k) in moves::<C>().zip(1..) {
            let (before, after) = self.states.split_at_mut(k * n);
            let before = &before[(k - 1) * n..];
            system.rhs(t + h * m.at, before, &mut self.slope);
            if let Some(after) = after.get_mut(..n) {
                after.copy_from_slice(before);
                for (i, x) in after.iter_mut().enumerate() {
                    if self.positions[i] == m.drift {
                        *x += h * m.weight * self.slope[i];
                    }
                }
            }
        }
        for (k, m) in moves::<C>().enumerate().rev() {
            let (x, at) = (&self.states[k * n..][..n], t + h * m.at);
            for (i, w) in self.w.iter_mut().enumerate() {
                let moved = self.positions[i] == m.drift;
                *w = if moved {
                    h * m.weight * self.common.lambda[i]
                } else {
                    S::from(0.0)
                };
            }
            if let Some(bars) = bars {
                let slope = system.time_vjp(at, x, &self.w);
                bars.t += slope;
                bars.h += slope * m.at;
                system.rhs(at, x, &mut self.slope);
                bars.h += dot(&self.w, &self.slope) / h;
            }
            system.vjp(at, x, &self.w, &mut self.common.lambda, p_bar);
        }
        self.common.finish_step();
        true
    }
}
