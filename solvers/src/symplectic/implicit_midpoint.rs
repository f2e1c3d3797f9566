//! The implicit midpoint rule: symplectic for every Hamiltonian, order 2, fixed step.
//!
//! ```text
//! x_new = x + h f(t + h/2, (x + x_new) / 2)
//! ```
//!
//! Local error O(h^3), symmetric and A-stable; every quadratic invariant of f (angular momentum, a norm, mass) is
//! kept. That holds for solved equations only: z = x_new - x is iterated to rounding by simplified Newton,
//!
//! ```text
//! (2/h I - J) dz = 2 f(t + h/2, x + z/2) - 2/h z
//! ```
//!
//! with J at the midpoint that the slope at the start predicts, renewed where the iteration does not contract.
//! Over dual numbers the iteration runs until the tangents stand, too: they are the derivatives of the step.
//!
//! Cost of a step: one J, one LU, and as a rule three to six f and solves.
//!
//! Stages ([`Method::stages`]): f at the start and at the end of the step.
//!
//! Use it for mechanics that does not split (velocity-dependent forces, rigid bodies) and for oscillations of
//! large h times frequency whose energy must neither grow nor shrink. It damps nothing: where stiff components
//! should die out, take a method for stiff systems. Systems with a mass matrix are refused.
//!
//! Source: Hairer, Lubich & Wanner, Geometric Numerical Integration, II.1.1, IV.2 and VIII.6,
//! doi 10.1007/3-540-30666-8.

use super::cubic;
use crate::error::SolveError;
use crate::integrate::invalid;
use crate::linalg::IterationMatrix;
use crate::linalg::newton_matrix::needs_factors;
use crate::method::{Method, Trial};
use crate::options::{Options, Statistics};
use crate::scalar::Scalar;
use crate::system::ImplicitSystem;

/// Iterations with one Jacobian.
const ITERATIONS: usize = 12;
/// Jacobians a step may take.
const JACOBIANS: usize = 4;
/// Corrections below this, relative to the largest state, are rounding once they no longer shrink.
const NEAR: f64 = 1e-11;

/// Workspace of the method for one system; see the module.
#[derive(Debug, Clone)]
pub struct ImplicitMidpoint<S> {
    n: usize,
    /// f at the start and at the end
    stages: Vec<S>,
    carried: bool,
    /// z = x_new - x
    change: Vec<S>,
    correction: Vec<S>,
    argument: Vec<S>,
    jacobian: Vec<S>,
    matrix: IterationMatrix,
}

/// How a run of iterations ended.
enum Iteration {
    Converged,
    Stalled(usize),
    NotFinite(usize),
}

impl<S: Scalar> ImplicitMidpoint<S> {
    fn set_argument(&mut self, x: &[S]) {
        for ((y, &x), &z) in self.argument.iter_mut().zip(x).zip(&self.change) {
            *y = x + z * 0.5;
        }
    }

    /// Simplified Newton with the matrix at hand.
    fn iterate<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        middle: S,
        h: S,
        x: &[S],
        statistics: &mut Statistics,
    ) -> Iteration {
        let shift = S::from(2.0) / h;
        let mut last = f64::INFINITY;
        let mut worst = 0;
        for _ in 0..ITERATIONS {
            self.set_argument(x);
            system.rhs(middle, &self.argument, &mut self.correction);
            statistics.rhs_evaluations += 1;
            statistics.newton_iterations += 1;
            for (r, &z) in self.correction.iter_mut().zip(&self.change) {
                *r = *r * 2.0 - shift * z;
            }
            self.matrix.solve(&mut self.correction);
            // corrections in units of their own state, and of the largest one
            let (mut largest, mut overall) = (0.0, 0.0);
            for part in 0..S::WIDTH {
                let (mut absolute, mut norm) = (0.0f64, 0.0f64);
                for (i, &x) in x.iter().enumerate() {
                    let z = self.change[i].part(part) + self.correction[i].part(part);
                    let size = self.correction[i].part(part).abs();
                    let scale = f64::max(x.part(part).abs(), z.abs());
                    if !z.is_finite() {
                        return Iteration::NotFinite(i);
                    }
                    if size > largest * scale {
                        largest = size / scale;
                        worst = i;
                    }
                    absolute = absolute.max(size);
                    norm = norm.max(scale);
                }
                if absolute > 0.0 {
                    overall = f64::max(overall, absolute / norm);
                }
            }
            for (z, &correction) in self.change.iter_mut().zip(&self.correction) {
                *z += correction;
            }
            // a state near 0 that others add up to never stands still in its own units
            if largest <= f64::EPSILON || overall < NEAR && largest >= 0.5 * last {
                return Iteration::Converged;
            }
            if largest > 2.0 * last {
                break;
            }
            last = largest;
        }
        Iteration::Stalled(worst)
    }
}

impl<S: Scalar, F: ImplicitSystem<S> + ?Sized> Method<S, F> for ImplicitMidpoint<S> {
    const ORDER: u32 = 2;
    const ERROR_ORDER: u32 = 2;
    const STAGES: usize = 2;
    const ADAPTIVE: bool = false;

    fn check(system: &F) -> Result<(), SolveError> {
        needs_factors(system, "the implicit midpoint rule")?;
        match system.mass() {
            Some(_) => Err(invalid("the implicit midpoint rule takes no mass matrix")),
            None => Ok(()),
        }
    }

    fn new(system: &F) -> Self {
        let n = system.dim();
        let zeros = |length: usize| vec![S::from(0.0); length];
        Self {
            n,
            stages: zeros(2 * n),
            carried: false,
            change: zeros(n),
            correction: zeros(n),
            argument: zeros(n),
            jacobian: zeros(system.pattern().non_zeros()),
            matrix: IterationMatrix::new(system.pattern(), None, system.linear_solver()),
        }
    }

    fn restart(&mut self, system: &mut F, t: S, x: &[S], statistics: &mut Statistics) {
        system.rhs(t, x, &mut self.stages[..self.n]);
        statistics.rhs_evaluations += 1;
        self.carried = false;
    }

    fn slope(&self) -> &[S] {
        let stage = usize::from(self.carried);
        &self.stages[stage * self.n..][..self.n]
    }

    fn step(
        &mut self,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        x_new: &mut [S],
        _options: &Options,
        statistics: &mut Statistics,
    ) -> Trial {
        let n = self.n;
        let (start, end) = self.stages.split_at_mut(n);
        if self.carried {
            start.copy_from_slice(end);
            self.carried = false;
        }
        for (z, &k) in self.change.iter_mut().zip(&*start) {
            *z = k * h;
        }
        let middle = t + h * 0.5;
        let mut worst = 0;
        for _ in 0..JACOBIANS {
            self.set_argument(x);
            system.jacobian(middle, &self.argument, &mut self.jacobian);
            statistics.jacobians += 1;
            statistics.factorizations += 1;
            let jacobian = &self.jacobian;
            if !self
                .matrix
                .factor(2.0 / h.value(), |k| jacobian[k].value(), None)
            {
                return Trial::Singular;
            }
            match self.iterate(system, middle, h, x, statistics) {
                Iteration::Converged => {
                    for i in 0..n {
                        x_new[i] = x[i] + self.change[i];
                    }
                    system.rhs(t + h, x_new, &mut self.stages[n..]);
                    statistics.rhs_evaluations += 1;
                    let bad = |v: &S| !v.value().is_finite();
                    return match self.stages[n..].iter().position(bad) {
                        Some(state) => Trial::NotFinite { state },
                        None => Trial::Computed {
                            error: 0.0,
                            state: 0,
                        },
                    };
                }
                Iteration::NotFinite(state) => return Trial::NotFinite { state },
                Iteration::Stalled(state) => worst = state,
            }
        }
        Trial::NotConverged { state: worst }
    }

    fn accept(&mut self, _system: &mut F, _t_new: S, _x_new: &[S], _statistics: &mut Statistics) {
        self.carried = true;
    }

    fn stages(&self) -> &[S] {
        &self.stages
    }

    fn interpolate(theta: S, h: S, x: &[S], x_new: &[S], stages: &[S], out: &mut [S]) {
        cubic(theta, h, x, x_new, stages, out);
    }
}
