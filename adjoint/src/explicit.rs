//! Discrete adjoint of Tsit5 (and of any solve its tape holds), the step sequence frozen.
//!
//! One step is `Y_i = x + h sum_{j<i} a_ij k_j`, `k_i = f(t + c_i h, Y_i)`, `x_new = Y_7`. With lambda the
//! cotangent of x_new and `K_i` that of `k_i`, for i = 7..1 in turn
//!
//! ```text
//! L_i = f_x(Y_i)^T K_i      (n)      K_j += h a_ij L_i   (j < i)
//! x_bar += L_i                       p_bar += f_p(Y_i)^T K_i
//! ```
//!
//! (Hager 2000; Sandu 2006.) Stage 7 is the next step's stage 1, so its cotangent is carried over and each step
//! costs six vector-Jacobian products. A reading at theta is `x + h sum_i b_i(theta) k_i` with `b_i` polynomials
//! of degree four without constant term: all readings of a step enter through their moments `M_m = sum theta^m
//! x_bar`, which makes a reading as cheap as four additions of vectors.
//!
//! Stages are kept on the tape and stage states rebuilt from them: (2 + 7) n numbers a step, no evaluation of f.

use costate_solvers::explicit::tsit5::{A, C, DENSE, STAGES};

use crate::Tape;
use crate::readings::Readings;
use crate::sweep::{AdjointError, Reverse, Seeds, Step, StepBars, Task, TimeBars, sweep};
use crate::system::AdjointSystem;

/// Workspace of the backward sweep over Tsit5 steps; kept between sweeps, nothing is allocated in them.
#[derive(Debug, Clone, Default)]
pub struct Tsit5Adjoint {
    kernel: Kernel,
    readings: Readings,
}

#[derive(Debug, Clone, Default)]
struct Kernel {
    n: usize,
    /// cotangent of the states at the end of the step, then at its start
    lambda: Vec<f64>,
    /// cotangents of the seven stages
    stage_bars: Vec<f64>,
    state: Vec<f64>,
    state_bar: Vec<f64>,
}

impl Tsit5Adjoint {
    /// A workspace for n states. (One of another size is remade by the first sweep.)
    pub fn new(n: usize) -> Self {
        let mut made = Self::default();
        made.kernel.resize(n);
        made.readings.begin(n);
        made
    }

    /// Runs backward over the tape. Overwrites `x0_bar` (length n) with the derivative with respect to the
    /// initial states, and adds to `p_bar` that with respect to the parameters and to `times` those with respect
    /// to the times.
    pub fn sweep<F: AdjointSystem + ?Sized>(
        &mut self,
        system: &mut F,
        tape: &Tape,
        seeds: &Seeds<'_>,
        x0_bar: &mut [f64],
        p_bar: &mut [f64],
        times: Option<TimeBars<'_>>,
    ) -> Result<(), AdjointError> {
        let task = Task {
            seeds: *seeds,
            x0_bar,
            p_bar,
            times,
        };
        sweep(&mut self.kernel, &mut self.readings, system, tape, task)
    }
}

impl<F: AdjointSystem + ?Sized> Reverse<F> for Kernel {
    const STAGES: usize = STAGES;

    fn begin(&mut self, n: usize) {
        self.resize(n);
        self.stage_bars.fill(0.0);
    }

    fn lambda(&mut self) -> &mut [f64] {
        &mut self.lambda
    }

    #[inline]
    fn reverse(
        &mut self,
        system: &mut F,
        step: &Step<'_>,
        readings: &Readings,
        p_bar: &mut [f64],
        bars: &mut Option<StepBars>,
    ) -> bool {
        let (n, h) = (self.n, step.h);
        if readings.any() {
            readings.add_to_stages(&DENSE, h, &mut self.stage_bars);
            if let Some(bars) = bars {
                bars.h += readings.add_to_times(&DENSE, (h, h), step.stages, bars);
            }
        }
        // Stage 7 sits at the end of the step; its state is x_new itself.
        let (rest, last) = self.stage_bars.split_at_mut((STAGES - 1) * n);
        let t_new = step.t + h;
        system.vjp(t_new, step.x_new, last, &mut self.lambda, p_bar);
        if let Some(bars) = bars {
            let slope = system.time_vjp(t_new, step.x_new, last);
            bars.t += slope;
            bars.h += slope;
            for ((l, new), old) in self.lambda.iter().zip(step.x_new).zip(step.x) {
                bars.h += l * (new - old) / h;
            }
        }
        for (j, a) in A[STAGES - 1].iter().enumerate() {
            let weight = h * a;
            for (k, l) in rest[j * n..(j + 1) * n].iter_mut().zip(&self.lambda) {
                *k += weight * l;
            }
        }
        self.stage::<5, F>(system, step, p_bar, bars);
        self.stage::<4, F>(system, step, p_bar, bars);
        self.stage::<3, F>(system, step, p_bar, bars);
        self.stage::<2, F>(system, step, p_bar, bars);
        self.stage::<1, F>(system, step, p_bar, bars);
        if readings.any() {
            readings.add_to_start(&mut self.lambda);
        }
        let (first, rest) = self.stage_bars.split_at_mut(n);
        if step.restarted {
            system.vjp(step.t, step.x, first, &mut self.lambda, p_bar);
            if let Some(bars) = bars {
                bars.t += system.time_vjp(step.t, step.x, first);
            }
            self.stage_bars.fill(0.0);
        } else {
            let (middle, last) = rest.split_at_mut((STAGES - 2) * n);
            last.copy_from_slice(first);
            first.fill(0.0);
            middle.fill(0.0);
        }
        true
    }
}

impl Kernel {
    fn resize(&mut self, n: usize) {
        self.n = n;
        self.stage_bars.resize(STAGES * n, 0.0);
        for vector in [&mut self.lambda, &mut self.state, &mut self.state_bar] {
            vector.resize(n, 0.0);
        }
    }

    /// Stage `I` (from 0), 1 <= I <= 5: rebuilds its state, takes its cotangent through f and on to the stages
    /// before.
    #[inline]
    fn stage<const I: usize, F: AdjointSystem + ?Sized>(
        &mut self,
        system: &mut F,
        step: &Step<'_>,
        p_bar: &mut [f64],
        bars: &mut Option<StepBars>,
    ) {
        let (n, h) = (self.n, step.h);
        let (before, rest) = self.stage_bars.split_at_mut(I * n);
        let stage_bar = &rest[..n];
        // States outermost, weights constant, slices of one known length: straight code without bounds checks.
        let k: [&[f64]; I] = std::array::from_fn(|j| &step.stages[j * n..][..n]);
        let (x, state) = (&step.x[..n], &mut self.state[..n]);
        for d in 0..n {
            let mut slope = 0.0;
            for j in 0..I {
                slope += A[I][j] * k[j][d];
            }
            state[d] = x[d] + h * slope;
        }
        let t = step.t + C[I] * h;
        self.state_bar.fill(0.0);
        system.vjp(t, &self.state, stage_bar, &mut self.state_bar, p_bar);
        if let Some(bars) = bars {
            let slope = system.time_vjp(t, &self.state, stage_bar);
            bars.t += slope;
            bars.h += C[I] * slope;
            for ((l, y), x) in self.state_bar.iter().zip(&self.state).zip(step.x) {
                bars.h += l * (y - x) / h;
            }
        }
        let (lambda, state_bar) = (&mut self.lambda[..n], &self.state_bar[..n]);
        let before = &mut before[..I * n];
        for d in 0..n {
            lambda[d] += state_bar[d];
            let scaled = h * state_bar[d];
            for (j, a) in A[I][..I].iter().enumerate() {
                before[j * n + d] += a * scaled;
            }
        }
    }
}
