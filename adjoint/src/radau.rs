//! Discrete adjoint of Radau5, the step sequence frozen.
//!
//! A step solves `(A^-1 (x) M / h) z = f(t + c_i h, x + z_i)_i`, `x_new = x + z_3`. With lambda the cotangent of x_new
//! and `Z_i` that of `z_i` (lambda for the third, plus what readings gave), by the implicit function theorem
//!
//! ```text
//! ((A^-1 (x) M) / h - blockdiag(f_x(x + z_i)))^T w = Z
//! x_bar = lambda + sum_i f_x(x + z_i)^T w_i        p_bar += sum_i f_p(x + z_i)^T w_i
//! M_bar -= sum_ij w_i (A^-1)_ij z_j^T / h
//! ```
//!
//! at the stages as the solver's iteration left them. The matrix of order 3 n is factored as it stands, with three
//! Jacobians: the solver's two matrices of order n are those of one Jacobian, and good for an iteration only. Cost of a
//! step: three J, one LU of order 3 n, one transposed solve and three products.

use costate_solvers::radau::radau5::{ALPHA, BETA, C, GAMMA, T, T_INVERSE};
use costate_solvers::{LinearSolver, Pattern, Scalar};

use crate::matrix::{MassSide, Transposed, needs_jacobian};
use crate::readings::{Dense, Readings};
use crate::sweep::{Adjoint, AdjointError, Reverse, Step, StepBars};
use crate::system::{AdjointImplicitSystem, dot};

/// The backward sweep over steps of [`costate_solvers::Radau5`].
pub type Radau5Adjoint<S = f64> = Adjoint<Kernel<S>, S>;

/// The reverse of a step and its workspace.
#[derive(Debug, Clone, Default)]
pub struct Kernel<S = f64> {
    n: usize,
    /// cotangent of the states at the end of the step, then at its start
    lambda: Vec<S>,
    /// Z, then w in its place
    stage_bars: Vec<S>,
    state: Vec<S>,
    /// M w_i
    product: Vec<S>,
    jacobian: Vec<S>,
    matrix: Option<Triple<S>>,
    mass: MassSide<S>,
}

/// The matrix of all three stages, and what it was made for.
#[derive(Debug, Clone)]
struct Triple<S> {
    matrix: Transposed<S>,
    /// for each entry of blockdiag(J), its stage and its place in J
    jacobian_of: Vec<(usize, usize)>,
    /// for each entry of A^-1 (x) M, that of A^-1 and its place in M
    mass_of: Vec<(f64, usize)>,
    mass_values: Vec<S>,
    pattern: Pattern,
    of_mass: Option<Pattern>,
    choice: LinearSolver,
}

/// A^-1 = T diag(gamma, [alpha, -beta; beta, alpha]) T^-1.
fn a_inverse() -> [[f64; 3]; 3] {
    let rows = T_INVERSE;
    let scaled: [[f64; 3]; 3] = [
        rows[0].map(|v| GAMMA * v),
        std::array::from_fn(|k| ALPHA * rows[1][k] - BETA * rows[2][k]),
        std::array::from_fn(|k| BETA * rows[1][k] + ALPHA * rows[2][k]),
    ];
    std::array::from_fn(|i| std::array::from_fn(|k| (0..3).map(|j| T[i][j] * scaled[j][k]).sum()))
}

/// Coefficients of theta, theta^2, theta^3 in the polynomials that vanish at 0 and at all c but c_i, where they are 1.
fn dense() -> [f64; 9] {
    let mut coefficients = [0.0; 9];
    for i in 0..3 {
        let (j, k) = ((i + 1) % 3, (i + 2) % 3);
        let scale = C[i] * (C[i] - C[j]) * (C[i] - C[k]);
        let row = [C[j] * C[k] / scale, -(C[j] + C[k]) / scale, 1.0 / scale];
        coefficients[3 * i..][..3].copy_from_slice(&row);
    }
    coefficients
}

impl<S: Scalar> Triple<S> {
    fn new<F: AdjointImplicitSystem<S> + ?Sized>(system: &F) -> Self {
        let (n, pattern) = (system.dim(), system.pattern());
        let of_mass = system.mass().map(|mass| mass.pattern.clone());
        let identity = Pattern {
            height: n,
            starts: (0..=n).collect(),
            rows: (0..n).collect(),
        };
        let mass_pattern = of_mass.as_ref().unwrap_or(&identity);
        let (mut jacobian, mut jacobian_of) = (Vec::new(), Vec::new());
        let (mut mass, mut mass_of) = (Vec::new(), Vec::new());
        let a_inverse = a_inverse();
        // columns in order, rows ascending in each: the order of the pattern's entries
        for stage in 0..3 {
            for column in 0..n {
                for k in pattern.starts[column]..pattern.starts[column + 1] {
                    jacobian.push((stage * n + pattern.rows[k], stage * n + column));
                    jacobian_of.push((stage, k));
                }
                for (row_stage, row) in a_inverse.iter().enumerate() {
                    for k in mass_pattern.starts[column]..mass_pattern.starts[column + 1] {
                        let place = row_stage * n + mass_pattern.rows[k];
                        mass.push((place, stage * n + column));
                        mass_of.push((row[stage], k));
                    }
                }
            }
        }
        let all = Pattern::from_entries(3 * n, 3 * n, &jacobian);
        let all_mass = Pattern::from_entries(3 * n, 3 * n, &mass);
        Self {
            matrix: Transposed::new(all, Some(all_mass), system.linear_solver()),
            mass_values: vec![S::from(0.0); mass_of.len()],
            jacobian_of,
            mass_of,
            pattern: pattern.clone(),
            of_mass,
            choice: system.linear_solver(),
        }
    }

    fn fits<F: AdjointImplicitSystem<S> + ?Sized>(&self, system: &F) -> bool {
        self.pattern == *system.pattern()
            && self.of_mass.as_ref() == system.mass().map(|mass| &mass.pattern)
            && self.choice == system.linear_solver()
    }

    /// Factors with the three Jacobians one after the other.
    fn factor(&mut self, h: S, jacobians: &[S], mass: Option<&[S]>) -> bool {
        for (value, &(a, k)) in self.mass_values.iter_mut().zip(&self.mass_of) {
            *value = mass.map_or(S::from(1.0), |mass| mass[k]) * a;
        }
        let count = self.pattern.non_zeros();
        for (value, &(stage, k)) in self.matrix.jacobian.iter_mut().zip(&self.jacobian_of) {
            *value = jacobians[stage * count + k];
        }
        let shift = S::from(1.0) / h;
        self.matrix.factor(shift, Some(&self.mass_values))
    }
}

impl<S: Scalar, F: AdjointImplicitSystem<S> + ?Sized> Reverse<F, S> for Kernel<S> {
    const STAGES: Option<usize> = Some(3);
    const DEGREE: Option<usize> = Some(3);

    fn begin(&mut self, system: &F) -> Result<(), AdjointError> {
        needs_jacobian(system)?;
        self.n = system.dim();
        for vector in [&mut self.lambda, &mut self.state, &mut self.product] {
            vector.resize(self.n, S::from(0.0));
        }
        self.stage_bars.resize(3 * self.n, S::from(0.0));
        let non_zeros = system.pattern().non_zeros();
        self.jacobian.resize(3 * non_zeros, S::from(0.0));
        let anew = !self.matrix.as_ref().is_some_and(|made| made.fits(system));
        if anew {
            self.matrix = Some(Triple::new(system));
        }
        self.mass.begin(system, anew);
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
        let (n, t, h) = (self.n, step.t, step.h);
        if n == 0 {
            return true;
        }
        self.stage_bars.fill(S::from(0.0));
        self.stage_bars[2 * n..].copy_from_slice(&self.lambda);
        if readings.any() {
            let coefficients = dense();
            let dense = Dense {
                weights: &coefficients,
                degree: 3,
            };
            readings.add_to_stages(dense, S::from(1.0), &mut self.stage_bars);
            readings.add_to_start(&mut self.lambda);
            if let Some(bars) = bars {
                let stage = |i: usize| &step.stages[i * n..][..n];
                readings.add_to_times(dense, (S::from(1.0), h), stage, bars);
            }
        }
        let count = system.pattern().non_zeros();
        for (i, c) in C.iter().enumerate() {
            self.set_state(i, step);
            let jacobian = &mut self.jacobian[i * count..][..count];
            system.jacobian(t + h * *c, &self.state, jacobian);
        }
        let Some(matrix) = &mut self.matrix else {
            return false;
        };
        let mass = system.mass().map(|mass| &mass.values[..]);
        if !matrix.factor(h, &self.jacobian, mass) {
            return false;
        }
        matrix.matrix.solve(&mut self.stage_bars);
        for (i, c) in C.iter().enumerate() {
            self.set_state(i, step);
            let w = &self.stage_bars[i * n..][..n];
            let stage_t = t + h * *c;
            system.vjp(stage_t, &self.state, w, &mut self.lambda, p_bar);
            if let Some(bars) = bars {
                let slope = system.time_vjp(stage_t, &self.state, w);
                bars.t += slope;
                bars.h += slope * *c;
            }
        }
        self.owe_matrix(system, step, bars);
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

impl<S: Scalar> Kernel<S> {
    /// The state of stage i.
    fn set_state(&mut self, i: usize, step: &Step<'_, S>) {
        let z = &step.stages[i * self.n..][..self.n];
        for ((y, &x), &z) in self.state.iter_mut().zip(step.x).zip(z) {
            *y = x + z;
        }
    }

    /// Adds what h and M owe by way of (A^-1 (x) M) z / h.
    fn owe_matrix<F: AdjointImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &F,
        step: &Step<'_, S>,
        bars: &mut Option<StepBars<S>>,
    ) {
        let (n, h) = (self.n, step.h);
        if bars.is_none() && !self.mass.is_there() {
            return;
        }
        for (i, row) in a_inverse().iter().enumerate() {
            for (state, sum) in self.state.iter_mut().enumerate() {
                let z = |j: usize| step.stages[j * n + state];
                *sum = z(0) * row[0] + z(1) * row[1] + z(2) * row[2];
            }
            let w = &self.stage_bars[i * n..][..n];
            let sum = match system.mass() {
                None => &self.state,
                Some(mass) => {
                    self.mass.add_outer(mass, w, &self.state, S::from(-1.0) / h);
                    mass.multiply(&self.state, &mut self.product);
                    &self.product
                }
            };
            if let Some(bars) = bars {
                bars.h += dot(w, sum) / (h * h);
            }
        }
    }
}
