//! Discrete adjoint of every ESDIRK method, the step sequence frozen.
//!
//! A step has stages `Y_i = x + h (sum_{j<i} a_ij k_j + gamma k_i)`, `k_i = f(t + c_i h, Y_i)`, `x_new = Y_s`. With
//! lambda the cotangent of x_new and `K_i` that of `k_i` (`h a_si lambda`, h gamma lambda for the last, plus what
//! readings and later stages gave), for i = s..2 in turn
//!
//! ```text
//! (I - h gamma f_x(Y_i))^T w_i = K_i        L_i = f_x(Y_i)^T w_i        K_j += h a_ij L_i   (j < i)
//! x_bar = lambda + sum_i L_i                p_bar += f_p(Y_i)^T w_i
//! ```
//!
//! by the implicit function theorem, at the stages as the solver's iteration left them. Stage 1 is the last of the step
//! before; its cotangent is carried over. The dense output's own stage, where there is one, is reversed with the others
//! in steps that were read. Cost of a step: one J and one LU a stage, one transposed solve and one product.

use std::marker::PhantomData;

use costate_solvers::Scalar;
use costate_solvers::esdirk::Tableau;

use crate::matrix::StageMatrix;
use crate::readings::{Dense, Readings};
use crate::sweep::{Adjoint, AdjointError, Reverse, Step, StepBars};
use crate::system::{AdjointImplicitSystem, dot};

/// The backward sweep over steps of the method with tableau `T`.
pub type EsdirkAdjoint<T, S = f64> = Adjoint<Kernel<T, S>, S>;

/// The reverse of a step and its workspace.
#[derive(Debug, Clone, Default)]
pub struct Kernel<T, S = f64> {
    n: usize,
    /// cotangent of the states at the end of the step, then at its start
    lambda: Vec<S>,
    /// K_i, then w_i in its place
    stage_bars: Vec<S>,
    state: Vec<S>,
    state_bar: Vec<S>,
    matrix: StageMatrix<S>,
    tableau: PhantomData<T>,
}

/// Degree of the dense outputs.
const DEGREE: usize = 4;

impl<T, S, F> Reverse<F, S> for Kernel<T, S>
where
    T: Tableau,
    S: Scalar,
    F: AdjointImplicitSystem<S> + ?Sized,
{
    const STAGES: Option<usize> = Some(T::KEPT);
    const DEGREE: Option<usize> = Some(DEGREE);

    fn begin(&mut self, system: &F) -> Result<(), AdjointError> {
        self.n = system.dim();
        for vector in [&mut self.lambda, &mut self.state, &mut self.state_bar] {
            vector.resize(self.n, S::from(0.0));
        }
        self.stage_bars.clear();
        self.stage_bars.resize(T::KEPT * self.n, S::from(0.0));
        self.matrix.begin(system)?;
        Ok(())
    }

    fn lambda(&mut self) -> &mut [S] {
        &mut self.lambda
    }

    fn reverse(
        &mut self,
        system: &mut F,
        step: &Step<'_, S>,
        readings: &mut Readings<S>,
        p_bar: &mut [S],
        bars: &mut Option<StepBars<S>>,
    ) -> bool {
        let (n, h) = (self.n, step.h);
        if n == 0 {
            return true;
        }
        let last = T::A.len() - 1;
        if readings.any() {
            let dense = Dense {
                weights: T::DENSE.as_flattened(),
                degree: DEGREE,
            };
            readings.add_to_stages(dense, h, &mut self.stage_bars);
            if let Some(bars) = bars {
                let stage = |i: usize| &step.stages[i * n..][..n];
                let of_scale = readings.add_to_times(dense, (h, h), stage, bars);
                bars.h += of_scale;
            }
        }
        let weights = T::A[last].iter().chain([&T::GAMMA]);
        for (bar, weight) in self.stage_bars.chunks_exact_mut(n).zip(weights) {
            for (k, &l) in bar.iter_mut().zip(&self.lambda) {
                *k += h * *weight * l;
            }
        }
        if let Some(bars) = bars {
            for ((&l, &new), &old) in self.lambda.iter().zip(step.x_new).zip(step.x) {
                bars.h += l * (new - old) / h;
            }
        }
        if readings.any() {
            if let Some((row, node)) = T::DENSE_STAGE
                && !self.stage((last + 1, row, node), system, step, p_bar, bars)
            {
                return false;
            }
            readings.add_to_start(&mut self.lambda);
        }
        for i in (1..=last).rev() {
            if !self.stage((i, T::A[i], T::C[i]), system, step, p_bar, bars) {
                return false;
            }
        }
        if step.restarted {
            let first = &self.stage_bars[..n];
            system.vjp(step.t, step.x, first, &mut self.lambda, p_bar);
            if let Some(bars) = bars {
                bars.t += system.time_vjp(step.t, step.x, first);
            }
            self.stage_bars.fill(S::from(0.0));
        } else {
            self.stage_bars.copy_within(..n, last * n);
            self.stage_bars[..last * n].fill(S::from(0.0));
            self.stage_bars[(last + 1) * n..].fill(S::from(0.0));
        }
        true
    }
}

impl<T: Tableau, S: Scalar> Kernel<T, S> {
    /// Reverses stage i, of this row of A and this node.
    fn stage<F: AdjointImplicitSystem<S> + ?Sized>(
        &mut self,
        (i, row, node): (usize, &[f64], f64),
        system: &mut F,
        step: &Step<'_, S>,
        p_bar: &mut [S],
        bars: &mut Option<StepBars<S>>,
    ) -> bool {
        let (n, h) = (self.n, step.h);
        self.state.copy_from_slice(step.x);
        let weights = row.iter().enumerate().chain([(i, &T::GAMMA)]);
        for (j, weight) in weights.filter(|(_, w)| **w != 0.0) {
            for (y, &k) in self.state.iter_mut().zip(&step.stages[j * n..][..n]) {
                *y += h * *weight * k;
            }
        }
        let (before, rest) = self.stage_bars.split_at_mut(i * n);
        let (w, t) = (&mut rest[..n], step.t + h * node);
        let shift = S::from(1.0) / (h * T::GAMMA);
        if !self.matrix.factor(system, t, &self.state, shift) {
            return false;
        }
        for w in w.iter_mut() {
            *w *= shift;
        }
        self.matrix.solve_transposed(w);
        self.state_bar.fill(S::from(0.0));
        system.vjp(t, &self.state, w, &mut self.state_bar, p_bar);
        for (l, &bar) in self.lambda.iter_mut().zip(&self.state_bar) {
            *l += bar;
        }
        for (j, weight) in row.iter().enumerate().filter(|(_, w)| **w != 0.0) {
            for (k, &bar) in before[j * n..][..n].iter_mut().zip(&self.state_bar) {
                *k += h * *weight * bar;
            }
        }
        if let Some(bars) = bars {
            let slope = system.time_vjp(t, &self.state, w);
            bars.t += slope;
            bars.h += slope * node;
            for (y, &x) in self.state.iter_mut().zip(step.x) {
                *y = (*y - x) / h;
            }
            bars.h += dot(&self.state_bar, &self.state);
        }
        true
    }
}
