//! Discrete adjoint of Rodas5P, the step sequence frozen.
//!
//! In the solver's transformed variables a step solves, with J and f_t at (t, x),
//!
//! ```text
//! W u_i = f(t + alpha_i h, Y_i) + sum_{j<i} (c_ij / h) u_j + h d_i f_t     W = I / (h gamma) - J
//! Y_i = x + sum_{j<i} a_ij u_j                                             x_new = x + sum m_i u_i
//! ```
//!
//! With lambda the cotangent of x_new and `U_i` that of `u_i` (`m_i lambda` plus what readings and later stages
//! gave), for i = 8..1 in turn
//!
//! ```text
//! W^T w_i = U_i            L_i = f_x(Y_i)^T w_i          U_j += a_ij L_i + (c_ij / h) w_i    (j < i)
//! x_bar = lambda + sum_i L_i + grad_x g                  p_bar += f_p(Y_i)^T w_i + grad_p g
//! g(x, p) = sum_i w_i^T (J u_i + h d_i f_t)
//! ```
//!
//! (Daescu, Carmichael & Sandu 2000, J. Comput. Phys. 165, 496-510.) g gathers all that depends on J and f_t:
//! one product of second order a stage, no Hessian. Cost of a step: one J, one LU (remade, so that the tape
//! stays (6 + 9 n) numbers a step), eight transposed solves, eight first-order and eight second-order products.

use costate_solvers::linalg::DenseLu;
use costate_solvers::rosenbrock::rodas5p::{A, ALPHA, C, D, GAMMA, H, M, STAGES};

use crate::Tape;
use crate::readings::{DEGREE, Readings};
use crate::sweep::{AdjointError, Reverse, Seeds, Step, StepBars, Task, TimeBars, sweep};
use crate::system::{AdjointImplicitSystem, dot};

/// Coefficients of theta, ..., theta^4 in the weights
/// `theta m_i + theta (1 - theta) (H_1i + theta (H_2i + theta H_3i))` of the dense output.
const DENSE: [[f64; DEGREE]; STAGES] = {
    let mut weights = [[0.0; DEGREE]; STAGES];
    let mut i = 0;
    while i < STAGES {
        weights[i] = [
            M[i] + H[0][i],
            H[1][i] - H[0][i],
            H[2][i] - H[1][i],
            -H[2][i],
        ];
        i += 1;
    }
    weights
};

/// Workspace of the backward sweep over Rodas5P steps; kept between sweeps.
#[derive(Debug, Clone)]
pub struct Rodas5PAdjoint {
    kernel: Kernel,
    readings: Readings,
}

#[derive(Debug, Clone)]
struct Kernel {
    n: usize,
    /// cotangent of the states at the end of the step, then at its start
    lambda: Vec<f64>,
    /// U_i, then w_i in its place
    stage_bars: Vec<f64>,
    state: Vec<f64>,
    state_bar: Vec<f64>,
    jacobian: Vec<f64>,
    lu: DenseLu,
}

impl Kernel {
    fn new(n: usize) -> Self {
        Self {
            n,
            lambda: vec![0.0; n],
            stage_bars: vec![0.0; STAGES * n],
            state: vec![0.0; n],
            state_bar: vec![0.0; n],
            jacobian: Vec::new(),
            lu: DenseLu::new(n),
        }
    }
}

impl Rodas5PAdjoint {
    /// A workspace for n states. (One of another size is remade by the first sweep.)
    pub fn new(n: usize) -> Self {
        let mut readings = Readings::default();
        readings.begin(n);
        Self {
            kernel: Kernel::new(n),
            readings,
        }
    }

    /// Runs backward over the tape. Overwrites `x0_bar` (length n) with the derivative with respect to the
    /// initial states, and adds to `p_bar` that with respect to the parameters and to `times` those with respect
    /// to the times.
    pub fn sweep<F: AdjointImplicitSystem + ?Sized>(
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
        self.kernel
            .jacobian
            .resize(system.pattern().non_zeros(), 0.0);
        sweep(&mut self.kernel, &mut self.readings, system, tape, task)
    }
}

impl<F: AdjointImplicitSystem + ?Sized> Reverse<F> for Kernel {
    const STAGES: usize = STAGES;

    fn begin(&mut self, n: usize) {
        if self.n != n {
            let jacobian = std::mem::take(&mut self.jacobian);
            *self = Self {
                jacobian,
                ..Self::new(n)
            };
        }
    }

    fn lambda(&mut self) -> &mut [f64] {
        &mut self.lambda
    }

    fn reverse(
        &mut self,
        system: &mut F,
        step: &Step<'_>,
        readings: &Readings,
        p_bar: &mut [f64],
        bars: &mut Option<StepBars>,
    ) -> bool {
        let (n, t, h, x) = (self.n, step.t, step.h, step.x);
        if n == 0 {
            return true;
        }
        if !self.factor(system, t, h, x) {
            return false;
        }
        for (bar, m) in self.stage_bars.chunks_exact_mut(n).zip(M) {
            for (u, l) in bar.iter_mut().zip(&self.lambda) {
                *u = m * l;
            }
        }
        if readings.any() {
            readings.add_to_stages(&DENSE, 1.0, &mut self.stage_bars);
            readings.add_to_start(&mut self.lambda);
            if let Some(bars) = bars {
                readings.add_to_times(&DENSE, (1.0, h), step.stages, bars);
            }
        }
        for i in (0..STAGES).rev() {
            let (before, rest) = self.stage_bars.split_at_mut(i * n);
            let w = &mut rest[..n];
            self.lu.solve_transposed(w);
            self.state.copy_from_slice(x);
            for (u, a) in step.stages.chunks_exact(n).zip(A[i]).take(i) {
                for (y, u) in self.state.iter_mut().zip(u) {
                    *y += a * u;
                }
            }
            self.state_bar.fill(0.0);
            let stage_t = t + ALPHA[i] * h;
            system.vjp(stage_t, &self.state, w, &mut self.state_bar, p_bar);
            for (l, bar) in self.lambda.iter_mut().zip(&self.state_bar) {
                *l += bar;
            }
            for ((bar, a), c) in before.chunks_exact_mut(n).zip(A[i]).zip(C[i]) {
                let c = c / h;
                for ((u, y), w) in bar.iter_mut().zip(&self.state_bar).zip(&*w) {
                    *u += a * y + c * w;
                }
            }
            if let Some(bars) = bars {
                let u = &step.stages[i * n..(i + 1) * n];
                let slope = system.time_vjp(stage_t, &self.state, w);
                bars.t += slope;
                bars.h += ALPHA[i] * slope + dot(w, u) / (h * h * GAMMA);
                for (u, c) in step.stages.chunks_exact(n).zip(C[i]).take(i) {
                    bars.h -= c / (h * h) * dot(w, u);
                }
                if D[i] != 0.0 {
                    system.time_derivative(t, x, &mut self.state);
                    bars.h += D[i] * dot(w, &self.state);
                }
                bars.t += system.second_order_time_vjp(t, x, u, h * D[i], w);
            }
        }
        let weights = D.map(|d| h * d);
        system.second_order_vjp_sum(
            t,
            x,
            step.stages,
            &weights,
            &self.stage_bars,
            &mut self.lambda,
            p_bar,
        );
        true
    }
}

impl Kernel {
    /// Remakes and factors W at the start of a step.
    fn factor<F: AdjointImplicitSystem + ?Sized>(
        &mut self,
        system: &mut F,
        t: f64,
        h: f64,
        x: &[f64],
    ) -> bool {
        let n = self.n;
        system.jacobian(t, x, &mut self.jacobian);
        let pattern = system.pattern();
        // The same expression as the solver's, so that the factors are the very ones of the forward step.
        let diagonal = 1.0 / h / GAMMA;
        let entries = self.lu.entries_mut();
        entries.fill(0.0);
        for column in 0..n {
            for k in pattern.starts[column]..pattern.starts[column + 1] {
                entries[pattern.rows[k] + column * n] = -self.jacobian[k];
            }
            entries[column + column * n] += diagonal;
        }
        self.lu.factor()
    }
}
