//! Discrete adjoint of the multistep methods, sizes and orders of all steps frozen: their table of differences in reverse.
//!
//! A step of order k and size h takes the rows `r_j`, j = 1..k, at its spacing and
//!
//! ```text
//! x_pred = x + sum r_j      psi = sum g_j r_j      f(t + h, x_pred + d) = c M (psi + d)      x_new = x_pred + d
//! r'_j = d + sum_{m=j..k} r_m                      r'_{k+1} = d                              c = leading_k / h
//! ```
//!
//! (`costate_solvers::multistep`; g_j = gamma_j / leading_k.) With lambda and `R'_j` the cotangents of x_new and of the rows
//! at the step's end,
//!
//! ```text
//! D = lambda + sum_{j=1..k+1} R'_j         (c M - f_x)^T w = D         P = lambda + f_x^T w      Q = -c M^T w
//! x_bar = P                                R_j = P + g_j Q + sum_{m=1..j} R'_m                   p_bar += f_p^T w
//! ```
//!
//! and where the table was sampled anew at another spacing the rows' cotangents go back through that matrix, transposed. A
//! step without history has one row, h times a slope: f at its start, or that of the step before, or, with a mass matrix, the
//! solution of a linear system at states made consistent. Cost of a step: one J, one LU, one transposed solve, one product.
//!
//! (The methods' own error estimates and orders are frozen as sizes are. What is differentiated is the very sum that the
//! solver makes, so this agrees with dual numbers to rounding, which an adjoint of the continuous equations would not.)

use std::marker::PhantomData;

use costate_solvers::multistep::backward::{COLD, ORDER};
use costate_solvers::multistep::formula::{Formula, GAMMA, MAX_ORDER};
use costate_solvers::multistep::{SMALL, transfer};
use costate_solvers::{Scalar, scalar::sum};

use crate::dual::DualOver;
use crate::matrix::{MassSide, StageMatrix};
use crate::readings::{Dense, Readings};
use crate::sweep::{Adjoint, AdjointError, Reverse, Step, StepBars};
use crate::system::{AdjointImplicitSystem, dot};

/// The backward sweep over steps of [`costate_solvers::multistep::Multistep`] with formulas `V`.
pub type MultistepAdjoint<V, S = f64> = Adjoint<Kernel<V, S>, S>;

/// Rows whose cotangents are carried: a step of the highest order leaves one more.
const ROWS: usize = MAX_ORDER + 1;

/// The reverse of a step and its workspace.
#[derive(Debug, Clone, Default)]
pub struct Kernel<V, S = f64> {
    n: usize,
    /// cotangent of the states at the end of the step, then at its start
    lambda: Vec<S>,
    /// cotangents of rows 1, 2, ..., of the slope that a step leaves, and of the table's spacing
    carried: Vec<S>,
    /// the step's rows at its spacing
    rows: Vec<S>,
    /// psi + d, and other vectors that are summed
    sum: Vec<S>,
    product: Vec<S>,
    predicted: Vec<S>,
    w: Vec<S>,
    matrix: StageMatrix<S>,
    mass: MassSide<S>,
    formula: PhantomData<V>,
}

/// Coefficients of theta, ..., theta^5 in C_j(theta - 1) = (theta - 1) theta ... (theta + j - 2) / j!; the constant is -1
/// for j = 1, else 0.
const DENSE: [[f64; MAX_ORDER]; MAX_ORDER] = [
    [1.0, 0.0, 0.0, 0.0, 0.0],
    [-1.0 / 2.0, 1.0 / 2.0, 0.0, 0.0, 0.0],
    [-1.0 / 6.0, 0.0, 1.0 / 6.0, 0.0, 0.0],
    [-2.0 / 24.0, -1.0 / 24.0, 2.0 / 24.0, 1.0 / 24.0, 0.0],
    [
        -6.0 / 120.0,
        -5.0 / 120.0,
        5.0 / 120.0,
        5.0 / 120.0,
        1.0 / 120.0,
    ],
];

impl<V, S, F> Reverse<F, S> for Kernel<V, S>
where
    V: Formula,
    S: Scalar,
    F: AdjointImplicitSystem<S> + ?Sized,
{
    const STAGES: Option<usize> = Some(MAX_ORDER + 1);
    const DEGREE: Option<usize> = Some(MAX_ORDER);

    fn begin(&mut self, system: &F) -> Result<(), AdjointError> {
        self.n = system.dim();
        let vectors = [
            &mut self.lambda,
            &mut self.sum,
            &mut self.product,
            &mut self.predicted,
            &mut self.w,
        ];
        for vector in vectors {
            vector.resize(self.n, S::from(0.0));
        }
        self.rows.resize(MAX_ORDER * self.n, S::from(0.0));
        self.carried.clear();
        self.carried.resize((ROWS + 1) * self.n + 1, S::from(0.0));
        let anew = self.matrix.begin(system)?;
        self.mass.begin(system, anew);
        Ok(())
    }

    fn lambda(&mut self) -> &mut [S] {
        &mut self.lambda
    }

    fn carried(&mut self) -> &mut [S] {
        &mut self.carried
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
        let (n, h) = (self.n, step.h);
        if n == 0 {
            return true;
        }
        let order = usize::from(step.mode & ORDER).clamp(1, MAX_ORDER);
        let (c, t_new) = (S::from(V::leading(order)) / h, step.t + h);
        if readings.any() {
            self.take(order, step, readings, bars);
        }
        self.lay_out(order, step);
        if !self.matrix.factor(system, t_new, step.x_new, c) {
            return false;
        }
        let (rows_bar, rest) = self.carried.split_at_mut(ROWS * n);
        let slope_bar = &mut rest[..n];
        for (i, w) in self.w.iter_mut().enumerate() {
            let of_rows = sum((0..=order).map(|j| rows_bar[j * n + i]));
            *w = self.lambda[i] + of_rows + c * slope_bar[i];
        }
        self.matrix.solve_transposed(&mut self.w);
        let mass_w = match system.mass() {
            None => &self.w,
            Some(mass) => {
                let pattern = &mass.pattern;
                pattern.multiply_transposed(&mass.values, &self.w, &mut self.product);
                self.mass.add_outer(mass, &self.w, &self.sum, -c);
                &self.product
            }
        };
        // what is left of the cotangent of c (psi + d), in the slope's place: Q / c
        for (s, &w) in slope_bar.iter_mut().zip(mass_w) {
            *s -= w;
        }
        system.vjp(t_new, step.x_new, &self.w, &mut self.lambda, p_bar);
        if let Some(bars) = bars {
            let slope = system.time_vjp(t_new, step.x_new, &self.w);
            bars.t += slope;
            bars.h += slope - dot(slope_bar, &self.sum) * c / h + rest[n];
        }
        let (slope_bar, spacing_bar) = rest.split_at_mut(n);
        spacing_bar.fill(S::from(0.0));
        for i in 0..n {
            let mut sum = S::from(0.0);
            for j in 0..order {
                let g = GAMMA[j + 1] / V::leading(order);
                sum += rows_bar[j * n + i];
                rows_bar[j * n + i] = sum + self.lambda[i] + c * g * slope_bar[i];
            }
        }
        rows_bar[order * n..].fill(S::from(0.0));
        slope_bar.fill(S::from(0.0));
        if step.mode & COLD == 0 {
            self.respace(order, step, bars);
            return true;
        }
        // one row, h times the slope
        let rate = dot(&self.carried[..n], &self.rows[..n]) / h;
        if let Some(bars) = bars {
            bars.h += rate;
        }
        for i in 0..n {
            self.w[i] = h * self.carried[i];
        }
        self.carried.fill(S::from(0.0));
        if self.mass.is_there() {
            return self.begin_consistently(system, step, p_bar, bars);
        }
        if step.begins {
            system.vjp(step.t, step.x, &self.w, &mut self.lambda, p_bar);
            if let Some(bars) = bars {
                bars.t += system.time_vjp(step.t, step.x, &self.w);
            }
        } else {
            self.carried[ROWS * n..][..n].copy_from_slice(&self.w);
        }
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

impl<V: Formula, S: Scalar> Kernel<V, S> {
    /// Takes readings to x_new and to the rows at the step's end.
    fn take(
        &mut self,
        order: usize,
        step: &Step<'_, S>,
        readings: &Readings<S>,
        bars: &mut Option<StepBars<S>>,
    ) {
        let n = self.n;
        let dense = Dense {
            weights: &DENSE.as_flattened()[..order * MAX_ORDER],
            degree: MAX_ORDER,
        };
        readings.add_to_stages(dense, S::from(1.0), &mut self.carried[..order * n]);
        readings.add_to_start(&mut self.lambda);
        self.sum.fill(S::from(0.0));
        readings.add_to_start(&mut self.sum);
        for (r, &constant) in self.carried.iter_mut().zip(&self.sum) {
            *r -= constant;
        }
        if let Some(bars) = bars {
            let stage = |j: usize| &step.stages[j * n..][..n];
            readings.add_to_times(dense, (S::from(1.0), step.h), stage, bars);
        }
    }

    /// The rows that the step set out from, at its spacing, and psi + d.
    fn lay_out(&mut self, order: usize, step: &Step<'_, S>) {
        let n = self.n;
        let correction = &step.stages[MAX_ORDER * n..][..n];
        self.sum.copy_from_slice(correction);
        for j in 0..order {
            let last = j + 1 == order;
            let next = if last {
                correction
            } else {
                &step.stages[(j + 1) * n..][..n]
            };
            let g = GAMMA[j + 1] / V::leading(order);
            let rows = self.rows[j * n..].iter_mut().zip(&step.stages[j * n..]);
            for ((sum, (row, &end)), &next) in self.sum.iter_mut().zip(rows).zip(next) {
                *row = end - next;
                *sum += *row * g;
            }
        }
    }

    /// Takes the cotangents of the rows at the step's spacing to those at the spacing of the step before.
    fn respace(&mut self, order: usize, step: &Step<'_, S>, bars: &mut Option<StepBars<S>>) {
        let (n, h, old) = (self.n, step.h, step.last_h);
        if let Some(bars) = bars {
            // rows change by T'(1) rows for each relative change of the spacing
            let rates = transfer(order, DualOver::<S, 1>::variable(S::from(1.0), 0));
            let mut owed = S::from(0.0);
            for (j, weights) in rates.iter().enumerate().take(order) {
                for (m, weight) in weights.iter().enumerate().take(order) {
                    let (bar, row) = (&self.carried[j * n..][..n], &self.rows[m * n..][..n]);
                    owed += weight.tangent[0] * dot(bar, row);
                }
            }
            bars.h += owed / h;
            self.carried[(ROWS + 1) * n] = -owed / old;
        }
        let same = (0..S::WIDTH).all(|part| h.part(part) == old.part(part));
        if same {
            return;
        }
        let matrix = transfer(order, h / old);
        for i in 0..n {
            let bars: [S; MAX_ORDER] = std::array::from_fn(|j| self.carried[j * n + i]);
            let columns = self.carried[i..].iter_mut().step_by(n).take(order);
            for (m, bar) in columns.enumerate() {
                let terms = matrix.iter().zip(&bars).take(order);
                *bar = sum(terms.map(|(row, &bar)| row[m] * bar));
            }
        }
    }

    /// Reverses the start without history of a system with a mass matrix, `w` being the cotangent of its slope: the slope,
    /// then the states made consistent, of which lambda is the cotangent.
    fn begin_consistently<F: AdjointImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        step: &Step<'_, S>,
        p_bar: &mut [S],
        bars: &mut Option<StepBars<S>>,
    ) -> bool {
        let (n, t, h) = (self.n, step.t, step.h);
        let c = S::from(1.0) / (h * SMALL);
        let correction = &step.stages[MAX_ORDER * n..][..n];
        // the states, and the slope in place of the row
        let ends = step.x_new.iter().zip(correction);
        let rows = self.rows.iter_mut();
        for ((x, (&end, &d)), row) in self.predicted.iter_mut().zip(ends).zip(rows) {
            *x = end - d - *row;
            *row /= h;
        }
        let (x, v) = (&self.predicted, &self.rows[..n]);
        if !self.matrix.factor(system, t, x, c) {
            return false;
        }
        self.matrix.solve_transposed(&mut self.w);
        let w = &self.w;
        if let Some(mass) = system.mass() {
            self.mass.add_outer(mass, w, v, -c);
            mass.multiply(v, &mut self.product);
        }
        if let Some(bars) = bars {
            system.rhs(t, x, &mut self.sum);
            let c_bar = dot(w, &self.sum) - dot(w, &self.product);
            bars.h -= c_bar * c / h;
            bars.t += c * system.time_vjp(t, x, w);
            bars.t += system.second_order_time_vjp(t, x, v, S::from(1.0), w);
        }
        system.second_order_vjp(t, x, v, S::from(1.0), w, &mut self.lambda, p_bar);
        for (sum, &w) in self.sum.iter_mut().zip(w) {
            *sum = c * w;
        }
        system.vjp(t, x, &self.sum, &mut self.lambda, p_bar);
        let owed = self
            .mass
            .uninitialize(system, (t, x), &mut self.lambda, p_bar);
        if let Some(bars) = bars {
            bars.t += owed;
        }
        true
    }
}
