//! Discrete adjoint of every explicit Runge-Kutta method (and of any solve its tape holds), the step sequence frozen.
//!
//! One step is `Y_i = x + h sum_{j<i} a_ij k_j`, `k_i = f(t + c_i h, Y_i)`, `x_new = Y_END`. With lambda the
//! cotangent of x_new and `K_i` that of `k_i`, for i = END..1 in turn
//!
//! ```text
//! L_i = f_x(Y_i)^T K_i      (n)      K_j += h a_ij L_i   (j < i)
//! x_bar += L_i                       p_bar += f_p(Y_i)^T K_i
//! ```
//!
//! (Hager 2000, doi 10.1007/s002110000178; Sandu 2006.) Stage END is the next step's stage 1, so its cotangent is
//! carried over and each step costs END - 1 vector-Jacobian products. A reading at theta is `x + h sum_i b_i(theta) k_i`
//! with `b_i` polynomials without constant term: all readings of a step enter through their moments. Rows past END
//! exist for readings alone: in steps that were read they are evaluated again and reversed, too.
//!
//! Stages are kept on the tape and stage states rebuilt from them: no evaluation of f but those.

use std::marker::PhantomData;

use costate_solvers::{ExplicitStages, Scalar, Tableau, explicit::tsit5};

use crate::readings::{Dense, Readings};
use crate::sweep::{Adjoint, AdjointError, Reverse, Step, StepBars};
use crate::system::AdjointSystem;

/// The backward sweep over steps of the method with tableau `T`.
pub type ExplicitAdjoint<T, S = f64> = Adjoint<Kernel<T, S>, S>;

/// The adjoint of [`costate_solvers::Tsit5`].
pub type Tsit5Adjoint<S = f64> = ExplicitAdjoint<tsit5::Coefficients, S>;

/// The reverse of a step and its workspace.
#[derive(Debug, Clone, Default)]
pub struct Kernel<T, S = f64> {
    n: usize,
    /// cotangent of the states at the end of the step, then at its start
    lambda: Vec<S>,
    /// cotangents of all stages
    stage_bars: Vec<S>,
    state: Vec<S>,
    state_bar: Vec<S>,
    /// stages past END, and what they give to the states at the step's start
    extra: Vec<S>,
    start_bar: Vec<S>,
    tableau: PhantomData<T>,
}

/// Row `I` of A, its `I` weights left of the diagonal.
struct Row<T, const I: usize>(PhantomData<T>);

impl<T: Tableau, const I: usize> Row<T, I> {
    const WEIGHTS: [f64; I] = {
        let mut weights = [0.0; I];
        if I < T::A.len() {
            let mut j = 0;
            while j < I && j < T::A[I].len() {
                weights[j] = T::A[I][j];
                j += 1;
            }
        }
        weights
    };
}

impl<T: Tableau, S: Scalar, F: AdjointSystem<S> + ?Sized> Reverse<F, S> for Kernel<T, S> {
    const STAGES: Option<usize> = Some(T::A.len());
    const DEGREE: Option<usize> = Some(T::DENSE_DEGREE);

    fn begin(&mut self, system: &F) -> Result<(), AdjointError> {
        self.resize(system.dim());
        self.stage_bars.fill(S::from(0.0));
        Ok(())
    }

    fn lambda(&mut self) -> &mut [S] {
        &mut self.lambda
    }

    #[inline]
    fn reverse(
        &mut self,
        system: &mut F,
        step: &Step<'_, S>,
        readings: &mut Readings<S>,
        p_bar: &mut [S],
        bars: &mut Option<StepBars<S>>,
    ) -> bool {
        let (n, h) = (self.n, step.h);
        let extras = T::A.len() - 1 - T::END;
        if readings.any() {
            let dense = Dense {
                weights: T::DENSE,
                degree: T::DENSE_DEGREE,
            };
            readings.add_to_stages(dense, h, &mut self.stage_bars);
            for stage in 0..extras {
                self.evaluate_extra(T::END + 1 + stage, system, step);
            }
            if let Some(bars) = bars {
                let stage = |i: usize| match i.checked_sub(T::END + 1) {
                    None => &step.stages[i * n..][..n],
                    Some(extra) => &self.extra[extra * n..][..n],
                };
                let of_scale = readings.add_to_times(dense, (h, h), stage, bars);
                bars.h += of_scale;
            }
            for stage in (0..extras).rev() {
                self.reverse_row(T::END + 1 + stage, system, step, p_bar, bars);
            }
        }
        let at_once = bars.is_none()
            && system.explicit_stages_back(
                Self::STAGES_AT_ONCE,
                step,
                &mut self.lambda,
                &mut self.stage_bars,
                p_bar,
            );
        if !at_once {
            self.stages_one_by_one(system, step, p_bar, bars);
        }
        if readings.any() {
            readings.add_to_start(&mut self.lambda);
            if extras > 0 {
                for (l, start) in self.lambda.iter_mut().zip(&mut self.start_bar) {
                    *l += std::mem::take(start);
                }
            }
        }
        let (first, rest) = self.stage_bars.split_at_mut(n);
        if step.restarted {
            system.vjp(step.t, step.x, first, &mut self.lambda, p_bar);
            if let Some(bars) = bars {
                bars.t += system.time_vjp(step.t, step.x, first);
            }
            self.stage_bars.fill(S::from(0.0));
        } else {
            let (middle, last) = rest.split_at_mut((T::END - 1) * n);
            let (last, extra) = last.split_at_mut(n);
            last.copy_from_slice(first);
            first.fill(S::from(0.0));
            middle.fill(S::from(0.0));
            extra.fill(S::from(0.0));
        }
        true
    }
}

impl<T: Tableau, S: Scalar> Kernel<T, S> {
    /// What a system may reverse at once.
    const STAGES_AT_ONCE: &'static ExplicitStages = &ExplicitStages {
        c: T::C,
        a: T::A,
        end: T::END,
        last: true,
    };

    /// Takes cotangents through the stages from END to the second.
    fn stages_one_by_one<F: AdjointSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        step: &Step<'_, S>,
        p_bar: &mut [S],
        bars: &mut Option<StepBars<S>>,
    ) {
        let (n, h) = (self.n, step.h);
        // Stage END sits at the end of the step; its state is x_new itself.
        let (rest, last) = self.stage_bars.split_at_mut(T::END * n);
        let (t_new, last) = (step.t + h, &last[..n]);
        system.vjp(t_new, step.x_new, last, &mut self.lambda, p_bar);
        if let Some(bars) = bars {
            let slope = system.time_vjp(t_new, step.x_new, last);
            bars.t += slope;
            bars.h += slope;
            for ((&l, &new), &old) in self.lambda.iter().zip(step.x_new).zip(step.x) {
                bars.h += l * (new - old) / h;
            }
        }
        for (j, a) in T::A[T::END].iter().enumerate().filter(|(_, a)| **a != 0.0) {
            let weight = h * *a;
            for (k, &l) in rest[j * n..(j + 1) * n].iter_mut().zip(&self.lambda) {
                *k += weight * l;
            }
        }
        if const { S::WIDTH > 1 } {
            // an operation on dual numbers is long enough that loops over stages cost nothing; unrolled they would be
            // much code for every width
            for i in (1..T::END).rev() {
                self.reverse_row(i, system, step, p_bar, bars);
            }
            return;
        }
        macro_rules! stages {
            ($($i:literal)*) => {
                $(if const { $i < T::END } {
                    self.stage::<$i, F>(system, step, p_bar, bars);
                })*
            };
        }
        stages!(24 23 22 21 20 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1);
    }

    fn resize(&mut self, n: usize) {
        self.n = n;
        self.stage_bars.resize(T::A.len() * n, S::from(0.0));
        self.extra
            .resize((T::A.len() - 1 - T::END) * n, S::from(0.0));
        let vectors = [
            &mut self.lambda,
            &mut self.state,
            &mut self.state_bar,
            &mut self.start_bar,
        ];
        for vector in vectors {
            vector.resize(n, S::from(0.0));
        }
    }

    /// Stage `I` (from 0), 1 <= I < END: rebuilds its state, takes its cotangent through f and on to the stages
    /// before.
    #[inline]
    fn stage<const I: usize, F: AdjointSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        step: &Step<'_, S>,
        p_bar: &mut [S],
        bars: &mut Option<StepBars<S>>,
    ) {
        let (n, h) = (self.n, step.h);
        let weights = const { Row::<T, I>::WEIGHTS };
        let (before, rest) = self.stage_bars.split_at_mut(I * n);
        let stage_bar = &rest[..n];
        let k: [&[S]; I] = std::array::from_fn(|j| &step.stages[j * n..][..n]);
        rebuild(&step.x[..n], h, &weights, &k, &mut self.state[..n]);
        let t = step.t + h * T::C[I];
        self.state_bar.fill(S::from(0.0));
        system.vjp(t, &self.state, stage_bar, &mut self.state_bar, p_bar);
        if let Some(bars) = bars {
            let slope = system.time_vjp(t, &self.state, stage_bar);
            bars.t += slope;
            bars.h += slope * T::C[I];
            for ((&l, &y), &x) in self.state_bar.iter().zip(&self.state).zip(step.x) {
                bars.h += l * (y - x) / h;
            }
        }
        let (lambda, state_bar) = (&mut self.lambda[..n], &mut self.state_bar[..n]);
        pass_on(lambda, state_bar, h, &weights, &mut before[..I * n]);
    }

    /// The state of stage `i`, in a loop over those before.
    fn row_state(&mut self, i: usize, step: &Step<'_, S>) {
        let (n, h) = (self.n, step.h);
        self.state.copy_from_slice(step.x);
        let weights = T::A[i].iter().enumerate();
        for (j, a) in weights.filter(|(_, a)| **a != 0.0) {
            let k = match j.checked_sub(T::END + 1) {
                None => &step.stages[j * n..][..n],
                Some(extra) => &self.extra[extra * n..][..n],
            };
            for (y, &k) in self.state.iter_mut().zip(k) {
                *y += h * *a * k;
            }
        }
    }

    /// Evaluates stage `i` > END.
    fn evaluate_extra<F: AdjointSystem<S> + ?Sized>(
        &mut self,
        i: usize,
        system: &mut F,
        step: &Step<'_, S>,
    ) {
        self.row_state(i, step);
        let own = &mut self.extra[(i - T::END - 1) * self.n..][..self.n];
        system.rhs(step.t + step.h * T::C[i], &self.state, own);
    }

    /// Takes the cotangent of stage `i` on to the stages before, and to the states: of those past END apart from the others.
    fn reverse_row<F: AdjointSystem<S> + ?Sized>(
        &mut self,
        i: usize,
        system: &mut F,
        step: &Step<'_, S>,
        p_bar: &mut [S],
        bars: &mut Option<StepBars<S>>,
    ) {
        let (n, h) = (self.n, step.h);
        self.row_state(i, step);
        let (before, rest) = self.stage_bars.split_at_mut(i * n);
        let (stage_bar, t) = (&rest[..n], step.t + h * T::C[i]);
        self.state_bar.fill(S::from(0.0));
        system.vjp(t, &self.state, stage_bar, &mut self.state_bar, p_bar);
        if let Some(bars) = bars {
            let slope = system.time_vjp(t, &self.state, stage_bar);
            bars.t += slope;
            bars.h += slope * T::C[i];
            for ((&l, &y), &x) in self.state_bar.iter().zip(&self.state).zip(step.x) {
                bars.h += l * (y - x) / h;
            }
        }
        let states = match i > T::END {
            true => &mut self.start_bar,
            false => &mut self.lambda,
        };
        for (x, &bar) in states.iter_mut().zip(&self.state_bar) {
            *x += bar;
        }
        let weights = T::A[i].iter().enumerate();
        for (j, a) in weights.filter(|(_, a)| **a != 0.0) {
            for (k, &bar) in before[j * n..][..n].iter_mut().zip(&self.state_bar) {
                *k += h * *a * bar;
            }
        }
    }
}

/// States from which loops over them are vectors' work.
const MANY: usize = 16;

/// y = x + h sum_j w_j k_j
#[inline(always)]
fn rebuild<const I: usize, S: Scalar>(x: &[S], h: S, w: &[f64; I], k: &[&[S]; I], y: &mut [S]) {
    #[cfg(target_arch = "x86_64")]
    if const { S::WIDTH == 1 } && y.len() >= MANY && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function is compiled for
        return unsafe { wide_rebuild(x, h, w, k, y) };
    }
    plain_rebuild(x, h, w, k, y);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn wide_rebuild<const I: usize, S: Scalar>(
    x: &[S],
    h: S,
    w: &[f64; I],
    k: &[&[S]; I],
    y: &mut [S],
) {
    plain_rebuild(x, h, w, k, y);
}

/// States outermost, slices of one known length: straight code without bounds checks.
#[inline(always)]
fn plain_rebuild<const I: usize, S: Scalar>(
    x: &[S],
    h: S,
    w: &[f64; I],
    k: &[&[S]; I],
    y: &mut [S],
) {
    let n = y.len();
    let (x, k): (_, [&[S]; I]) = (&x[..n], std::array::from_fn(|j| &k[j][..n]));
    for d in 0..n {
        let mut slope = S::from(0.0);
        for j in 0..I {
            if w[j] != 0.0 {
                slope += k[j][d] * w[j];
            }
        }
        y[d] = x[d] + h * slope;
    }
}

/// lambda += L and K_j += h a_j L, of stages n long each; L is used up.
#[inline(always)]
fn pass_on<const I: usize, S: Scalar>(
    lambda: &mut [S],
    bar: &mut [S],
    h: S,
    a: &[f64; I],
    before: &mut [S],
) {
    #[cfg(target_arch = "x86_64")]
    if const { S::WIDTH == 1 } && bar.len() >= MANY && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function is compiled for
        return unsafe { wide_pass_on(lambda, bar, h, a, before) };
    }
    let n = bar.len();
    for d in 0..n {
        lambda[d] += bar[d];
        let scaled = h * bar[d];
        for (j, &a) in a.iter().enumerate() {
            if a != 0.0 {
                before[j * n + d] += scaled * a;
            }
        }
    }
}

/// The same operations, a stage after the other.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn wide_pass_on<const I: usize, S: Scalar>(
    lambda: &mut [S],
    bar: &mut [S],
    h: S,
    a: &[f64; I],
    before: &mut [S],
) {
    let n = bar.len();
    for (lambda, bar) in lambda.iter_mut().zip(bar.iter_mut()) {
        *lambda += *bar;
        *bar *= h;
    }
    for (&a, before) in a.iter().zip(before.chunks_exact_mut(n)) {
        if a != 0.0 {
            for (k, &scaled) in before.iter_mut().zip(bar.iter()) {
                *k += scaled * a;
            }
        }
    }
}
