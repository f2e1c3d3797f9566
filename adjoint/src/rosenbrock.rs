//! Discrete adjoint of every Rosenbrock method, the step sequence frozen.
//!
//! In the solver's transformed variables a step of M x' = f(t, x) solves, with J and f_t at (t, x),
//!
//! ```text
//! W u_i = f(t + alpha_i h, Y_i) + M sum_{j<i} (c_ij / h) u_j + h d_i f_t     W = M / (h gamma) - J
//! Y_i = x + sum_{j<i} a_ij u_j                                               x_new = x + sum m_i u_i
//! ```
//!
//! With lambda the cotangent of x_new and `U_i` that of `u_i` (`m_i lambda` plus what readings and later stages
//! gave), for i = s..1 in turn
//!
//! ```text
//! W^T w_i = U_i          L_i = f_x(Y_i)^T w_i          U_j += a_ij L_i + (c_ij / h) M^T w_i    (j < i)
//! x_bar = lambda + sum_i L_i + grad_x g                p_bar += f_p(Y_i)^T w_i + grad_p g
//! g(x, p) = sum_i w_i^T (J u_i + h d_i f_t)            M_bar += w_i (sum_j c_ij / h u_j - u_i / (h gamma))^T
//! ```
//!
//! (Daescu, Carmichael & Sandu 2000, J. Comput. Phys. 165, 496-510, doi 10.1006/jcph.2000.6622.) g gathers all that
//! depends on J and f_t: one product of second order a stage, no Hessian. Where a dense output has a stage of its own,
//! `W u = f(t + h, x_new) + h gamma f_t`, it is reversed first, in steps that were read. Cost of a step: one J, one LU
//! (remade, so that the tape stays small), and s transposed solves, first-order and second-order products.
//!
//! Algebraic states at the start of a stretch were made consistent (`costate_solvers::consistent`): by the implicit
//! function theorem.

use std::marker::PhantomData;

use costate_solvers::Scalar;
use costate_solvers::rosenbrock::{BRIDGED, combine, rodas5p, tableau::Tableau};

use crate::matrix::{MassSide, StageMatrix};
use crate::readings::{Dense, Readings};
use crate::sweep::{Adjoint, AdjointError, Reverse, Step, StepBars};
use crate::system::{AdjointImplicitSystem, dot};

/// The backward sweep over steps of the method with tableau `T`.
pub type RosenbrockAdjoint<T, S = f64> = Adjoint<Kernel<T, S>, S>;

/// The adjoint of [`costate_solvers::Rodas5P`].
pub type Rodas5PAdjoint<S = f64> = RosenbrockAdjoint<rodas5p::Coefficients, S>;

/// The reverse of a step and its workspace.
#[derive(Debug, Clone, Default)]
pub struct Kernel<T, S = f64> {
    n: usize,
    /// cotangent of the states at the end of the step, then at its start
    lambda: Vec<S>,
    /// U_i, then w_i in its place
    stage_bars: Vec<S>,
    /// L_i
    slope_bars: Vec<S>,
    /// M^T w_i, where there is an M
    mass_bars: Vec<S>,
    state: Vec<S>,
    state_bar: Vec<S>,
    /// M^T w
    product: Vec<S>,
    /// coefficients of the dense output
    dense: Vec<f64>,
    matrix: StageMatrix<S>,
    mass: MassSide<S>,
    tableau: PhantomData<T>,
}

impl<T, S, F> Reverse<F, S> for Kernel<T, S>
where
    T: Tableau,
    S: Scalar,
    F: AdjointImplicitSystem<S> + ?Sized,
{
    const STAGES: Option<usize> = Some(T::KEPT);
    const DEGREE: Option<usize> = Some(T::H.len() + 1);

    fn is_bridged(mode: u8) -> bool {
        mode == BRIDGED
    }

    fn begin(&mut self, system: &F) -> Result<(), AdjointError> {
        let n = system.dim();
        self.n = n;
        let vectors = [&mut self.lambda, &mut self.state, &mut self.state_bar];
        for vector in vectors {
            vector.resize(n, S::from(0.0));
        }
        self.stage_bars.resize(T::KEPT * n, S::from(0.0));
        self.slope_bars.resize(T::STAGES * n, S::from(0.0));
        let products = if system.mass().is_some() { n } else { 0 };
        self.product.resize(products, S::from(0.0));
        self.mass_bars.resize(T::STAGES * products, S::from(0.0));
        let anew = self.matrix.begin(system)?;
        self.mass.begin(system, anew);
        if self.dense.is_empty() {
            self.dense = dense::<T>();
        }
        Ok(())
    }

    fn lambda(&mut self) -> &mut [S] {
        &mut self.lambda
    }

    fn shared(&mut self) -> &mut [S] {
        self.mass.bars()
    }

    fn reverse(
        &mut self,
        system: &mut F,
        step: &Step<'_, S>,
        readings: &mut Readings<S>,
        p_bar: &mut [S],
        bars: &mut Option<StepBars<S>>,
    ) -> bool {
        let (n, t, h, x) = (self.n, step.t, step.h, step.x);
        if n == 0 {
            return true;
        }
        // The same expression as the solver's, so that the factors are the very ones of the forward step.
        let shift = S::from(1.0) / h / T::GAMMA;
        if !self.matrix.factor(system, t, x, shift) {
            return false;
        }
        let mut used = T::STAGES;
        self.stage_bars[T::STAGES * n..].fill(S::from(0.0));
        if readings.any() {
            used = T::KEPT;
            self.stage_bars.fill(S::from(0.0));
            let dense = Dense {
                weights: &self.dense,
                degree: T::H.len() + 1,
            };
            readings.add_to_stages(dense, S::from(1.0), &mut self.stage_bars);
            if let Some(bars) = bars {
                let stage = |i: usize| &step.stages[i * n..][..n];
                readings.add_to_times(dense, (S::from(1.0), h), stage, bars);
            }
            if T::DENSE_STAGE {
                self.dense_stage(system, step, p_bar, bars);
            }
            for (bar, m) in self.stage_bars.chunks_exact_mut(n).zip(T::M) {
                for (u, &l) in bar.iter_mut().zip(&self.lambda) {
                    *u += l * *m;
                }
            }
            readings.add_to_start(&mut self.lambda);
        } else {
            for (bar, m) in self.stage_bars.chunks_exact_mut(n).zip(T::M) {
                for (u, &l) in bar.iter_mut().zip(&self.lambda) {
                    *u = l * *m;
                }
            }
        }
        for i in (0..T::STAGES).rev() {
            self.stage(i, system, step, p_bar, bars);
        }
        let weights: [S; MOST] = std::array::from_fn(|i| h * weight_of_time::<T>(i));
        system.second_order_vjp_sum(
            t,
            x,
            &step.stages[..used * n],
            &weights[..used],
            &self.stage_bars[..used * n],
            &mut self.lambda,
            p_bar,
        );
        true
    }

    fn uninitialize(&mut self, system: &mut F, t: S, x: &[S], p_bar: &mut [S]) -> S {
        self.mass
            .uninitialize(system, (t, x), &mut self.lambda, p_bar)
    }

    fn finish(&mut self, system: &mut F, p_bar: &mut [S]) {
        self.mass.finish(system, p_bar);
    }
}

/// Stages kept by the largest method.
const MOST: usize = 8;

/// d_i, of the dense output's stage, too.
fn weight_of_time<T: Tableau>(i: usize) -> f64 {
    T::D.get(i).copied().unwrap_or(T::GAMMA)
}

/// Coefficients of theta, theta^2, ... in the weights
/// `theta m_i + theta (1 - theta) (H_1i + theta (H_2i + ...))` of the dense output, a row a stage.
fn dense<T: Tableau>() -> Vec<f64> {
    let degree = T::H.len() + 1;
    let mut coefficients = vec![0.0; T::KEPT * degree];
    for (i, row) in coefficients.chunks_exact_mut(degree).enumerate() {
        row[0] = T::M.get(i).copied().unwrap_or(0.0);
        for (r, h) in T::H.iter().enumerate() {
            row[r] += h[i];
            row[r + 1] -= h[i];
        }
    }
    coefficients
}

impl<T: Tableau, S: Scalar> Kernel<T, S> {
    /// Turns the cotangent of u_i into w_i; adds what u_i's equation owes to h and to M, but for its f and earlier
    /// stages.
    fn solve<F: AdjointImplicitSystem<S> + ?Sized>(
        &mut self,
        i: usize,
        system: &F,
        step: &Step<'_, S>,
        bars: &mut Option<StepBars<S>>,
    ) {
        let (n, h) = (self.n, step.h);
        let w = &mut self.stage_bars[i * n..][..n];
        self.matrix.solve_transposed(w);
        let u = &step.stages[i * n..][..n];
        let w = match system.mass() {
            None => &*w,
            Some(mass) => {
                let pattern = &mass.pattern;
                pattern.multiply_transposed(&mass.values, w, &mut self.product);
                self.mass
                    .add_outer(mass, w, u, S::from(-1.0) / (h * T::GAMMA));
                &self.product
            }
        };
        if let Some(bars) = bars {
            bars.h += dot(w, u) / (h * h * T::GAMMA);
        }
    }

    /// Adds what later stages give to the cotangent of `u_i`.
    fn gather(&mut self, i: usize, inverse_h: S) {
        let (n, first) = (self.n, i + 1);
        let count = T::STAGES - first;
        let column = |of: &[&[f64]]| -> [f64; MOST] {
            std::array::from_fn(|j| if j < count { of[first + j][i] } else { 0.0 })
        };
        let (a, c) = (column(T::A), column(T::C));
        let (own, later) = self.stage_bars.split_at_mut(first * n);
        let mass_bars = match self.mass_bars.is_empty() {
            true => &later[..count * n],
            false => &self.mass_bars[first * n..],
        };
        let slope_bars = &self.slope_bars[first * n..];
        combine(&mut self.state, None, slope_bars, &a[..count]);
        combine(&mut self.state_bar, None, mass_bars, &c[..count]);
        let sums = self.state.iter().zip(&self.state_bar);
        for (u, (&slope, &mass)) in own[i * n..].iter_mut().zip(sums) {
            *u += slope + mass * inverse_h;
        }
    }

    /// Reverses stage i; `stage_bars` then holds w_i in its place.
    fn stage<F: AdjointImplicitSystem<S> + ?Sized>(
        &mut self,
        i: usize,
        system: &mut F,
        step: &Step<'_, S>,
        p_bar: &mut [S],
        bars: &mut Option<StepBars<S>>,
    ) {
        let (n, t, h, x) = (self.n, step.t, step.h, step.x);
        self.gather(i, S::from(1.0) / h);
        self.solve(i, system, step, bars);
        let w = &self.stage_bars[i * n..][..n];
        combine(
            &mut self.state,
            Some(x),
            &step.stages[..i * n],
            &T::A[i][..i],
        );
        let slope_bar = &mut self.slope_bars[i * n..][..n];
        slope_bar.fill(S::from(0.0));
        let stage_t = t + h * T::ALPHA[i];
        system.vjp(stage_t, &self.state, w, slope_bar, p_bar);
        for (l, &bar) in self.lambda.iter_mut().zip(&*slope_bar) {
            *l += bar;
        }
        let mass_w = match system.mass() {
            None => w,
            Some(mass) => {
                for (u, c) in step.stages.chunks_exact(n).zip(T::C[i]).take(i) {
                    self.mass.add_outer(mass, w, u, S::from(*c) / h);
                }
                self.mass_bars[i * n..][..n].copy_from_slice(&self.product);
                &self.product
            }
        };
        if let Some(bars) = bars {
            let slope = system.time_vjp(stage_t, &self.state, w);
            bars.t += slope;
            bars.h += slope * T::ALPHA[i];
            for (u, c) in step.stages.chunks_exact(n).zip(T::C[i]).take(i) {
                bars.h -= S::from(*c) / (h * h) * dot(mass_w, u);
            }
        }
        self.owe_time(i, system, step, bars);
    }

    /// Adds what stage i owes to the times by way of J and f_t.
    fn owe_time<F: AdjointImplicitSystem<S> + ?Sized>(
        &mut self,
        i: usize,
        system: &mut F,
        step: &Step<'_, S>,
        bars: &mut Option<StepBars<S>>,
    ) {
        let Some(bars) = bars else { return };
        let (n, t, x) = (self.n, step.t, step.x);
        let (w, u) = (&self.stage_bars[i * n..][..n], &step.stages[i * n..][..n]);
        let d = weight_of_time::<T>(i);
        if d != 0.0 {
            system.time_derivative(t, x, &mut self.state);
            bars.h += dot(w, &self.state) * d;
        }
        bars.t += system.second_order_time_vjp(t, x, u, step.h * d, w);
    }

    /// Reverses the dense output's own stage.
    fn dense_stage<F: AdjointImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        step: &Step<'_, S>,
        p_bar: &mut [S],
        bars: &mut Option<StepBars<S>>,
    ) {
        let n = self.n;
        self.solve(T::STAGES, system, step, bars);
        let w = &self.stage_bars[T::STAGES * n..];
        let t_new = step.t + step.h;
        system.vjp(t_new, step.x_new, w, &mut self.lambda, p_bar);
        if let Some(bars) = bars {
            let slope = system.time_vjp(t_new, step.x_new, w);
            bars.t += slope;
            bars.h += slope;
        }
        self.owe_time(T::STAGES, system, step, bars);
    }
}
