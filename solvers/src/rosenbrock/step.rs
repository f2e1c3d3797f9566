//! The step common to all Rosenbrock methods; see [`super`] for the scheme.

use std::marker::PhantomData;

use super::BRIDGED;
use super::inside::Inside;
use super::stage_matrix::StageMatrix;
use super::tableau::{Tableau, dense_weights};
use crate::consistent::Consistent;
use crate::control::error_test;
use crate::error::SolveError;
use crate::initial_step::initial_step_with_mass;
use crate::linalg::newton_matrix::needs_factors;
use crate::method::{Method, Trial};
use crate::options::{Options, Statistics};
use crate::scalar::Scalar;
use crate::system::{ImplicitSystem, Mass, Pattern};

/// Workspace of the method with tableau `T` for one system.
#[derive(Debug, Clone)]
pub struct Rosenbrock<S, T> {
    n: usize,
    /// u_1, u_2, ..., stage-major
    stages: Vec<S>,
    arguments: Vec<Argument>,
    slope: Vec<S>,
    /// x + sum a_ij u_j of the stage at hand
    argument: Vec<S>,
    /// f_t at (t, x)
    time_slope: Vec<S>,
    /// f_t is not 0
    moving: bool,
    /// f_t is not finite at (t, x): see [`super`] for what stands in for it
    steep: bool,
    /// J and f_t belong to the current (t, x)
    current: bool,
    matrix: StageMatrix<S>,
    consistent: Option<Consistent<S>>,
    /// M times a sum of stages, where there is an M
    product: Vec<S>,
    /// f at the end of the step tried, where the dense output takes it, and whether it is that
    end_slope: Vec<S>,
    ended: bool,
    inside: Inside<S>,
    tableau: PhantomData<T>,
}

/// Where a stage evaluates f, in the cheapest way to get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Argument {
    /// at (t, x), whose f is known
    Start,
    /// at the argument of the stage before plus its u
    Next,
    /// at x + sum a_ij u_j
    Sum,
}

impl Argument {
    fn of_stages<T: Tableau>() -> Vec<Self> {
        let row = |i: usize| &T::A[i][..i];
        (0..T::STAGES)
            .map(|i| {
                if T::ALPHA[i] == 0.0 && row(i).iter().all(|&a| a == 0.0) {
                    Self::Start
                } else if row(i)[..i - 1] == *row(i - 1) && row(i)[i - 1] == 1.0 {
                    Self::Next
                } else {
                    Self::Sum
                }
            })
            .collect()
    }
}

/// out = start + sum_j w_j u_j, the stages `u_j` one after the other, summed in their order; without a start from 0.
#[inline(always)]
pub fn combine<S: Scalar>(out: &mut [S], start: Option<&[S]>, stages: &[S], weights: &[f64]) {
    // With the number of stages a constant the sum over them unrolls, and states go two at a time. Dual numbers
    // have work enough inside each state.
    match if S::WIDTH == 1 { weights.len() } else { 0 } {
        1 => combine_sized::<S, 1>(out, start, stages, weights),
        2 => combine_sized::<S, 2>(out, start, stages, weights),
        3 => combine_sized::<S, 3>(out, start, stages, weights),
        4 => combine_sized::<S, 4>(out, start, stages, weights),
        5 => combine_sized::<S, 5>(out, start, stages, weights),
        6 => combine_sized::<S, 6>(out, start, stages, weights),
        7 => combine_sized::<S, 7>(out, start, stages, weights),
        8 => combine_sized::<S, 8>(out, start, stages, weights),
        _ => {
            let n = out.len();
            for (state, o) in out.iter_mut().enumerate() {
                *o = start.map_or(S::from(0.0), |x| x[state]);
                for (j, &w) in weights.iter().enumerate() {
                    *o = o.mul_add_f64(stages[j * n + state], w);
                }
            }
        }
    }
}

#[inline]
fn combine_sized<S: Scalar, const J: usize>(
    out: &mut [S],
    start: Option<&[S]>,
    stages: &[S],
    weights: &[f64],
) {
    let n = out.len();
    let w: [f64; J] = std::array::from_fn(|j| weights[j]);
    let u: [&[S]; J] = std::array::from_fn(|j| &stages[j * n..][..n]);
    let sum = |from: S, state: usize| (0..J).fold(from, |y, j| y.mul_add_f64(u[j][state], w[j]));
    match start {
        Some(x) => {
            let x = &x[..n];
            for state in 0..n {
                out[state] = sum(x[state], state);
            }
        }
        None => {
            for (state, o) in out.iter_mut().enumerate() {
                *o = sum(S::from(0.0), state);
            }
        }
    }
}

impl<S: Scalar, T: Tableau> Rosenbrock<S, T> {
    /// The Jacobian of the last step tried: its pattern and its non-zeros.
    pub fn jacobian(&self) -> (&Pattern, &[S]) {
        (&self.matrix.pattern, &self.matrix.jacobian)
    }

    /// What a factorization and a solve cost, see [`IterationMatrix::costs`].
    pub(crate) fn costs(&self) -> [f64; 2] {
        self.matrix.costs()
    }

    /// Puts (f(t + h, x) - f(t, x)) / h where f_t is not finite. `ahead` is scratch of length n.
    fn bridge<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        (t, h): (S, S),
        x: &[S],
        ahead: &mut [S],
        statistics: &mut Statistics,
    ) {
        system.rhs(t + h, x, ahead);
        statistics.rhs_evaluations += 1;
        let ends = self.slope.iter().zip(ahead.iter());
        for (ft, (&start, &end)) in self.time_slope.iter_mut().zip(ends) {
            if !ft.value().is_finite() {
                *ft = (end - start) / h;
            }
        }
    }

    /// The dense output's stage, from f at the end of the step.
    fn solve_dense_stage(&mut self, h: S, shift: S) {
        let u = &mut self.stages[T::STAGES * self.n..];
        u.copy_from_slice(&self.end_slope);
        Self::add_time_slope(self.moving, &self.time_slope, u, h * T::GAMMA);
        self.matrix.solve(u, shift);
    }

    /// Adds h d f_t to a right-hand side.
    fn add_time_slope(moving: bool, time_slope: &[S], u: &mut [S], weight: S) {
        if moving {
            for (r, &ft) in u.iter_mut().zip(time_slope) {
                *r += ft * weight;
            }
        }
    }
}

impl<S: Scalar, T: Tableau, F: ImplicitSystem<S> + ?Sized> Method<S, F> for Rosenbrock<S, T> {
    const ORDER: u32 = T::ORDER;
    const ERROR_ORDER: u32 = T::ERROR_ORDER;
    const STAGES: usize = T::KEPT;

    fn check(system: &F) -> Result<(), SolveError> {
        needs_factors(system, "a Rosenbrock method")?;
        let check = |mass: &Mass<S>| mass.check(system.dim());
        system.mass().map_or(Ok(()), check)
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
            stages: vec![S::from(0.0); T::KEPT * n],
            arguments: Argument::of_stages::<T>(),
            slope: zeros.clone(),
            argument: zeros.clone(),
            time_slope: zeros.clone(),
            moving: false,
            steep: false,
            current: false,
            matrix: StageMatrix::new(system, mass),
            consistent: mass.map(|mass| Consistent::new(system.pattern(), mass)),
            end_slope: if T::DENSE_STAGE {
                zeros.clone()
            } else {
                Vec::new()
            },
            ended: false,
            inside: Inside::new::<T>(n, mass.is_some()),
            product: if mass.is_some() { zeros } else { Vec::new() },
            tableau: PhantomData,
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
        self.matrix.refresh_mass(system);
        system.rhs(t, x, &mut self.slope);
        statistics.rhs_evaluations += 1;
        self.current = false;
        self.inside.test.move_on();
    }

    fn slope(&self) -> &[S] {
        &self.slope
    }

    fn first_step(&mut self, x: &[S], limit: f64, options: &Options) -> Option<f64> {
        let mass = self.matrix.mass.as_ref()?;
        let scratch = &mut self.product;
        Some(initial_step_with_mass(
            mass,
            x,
            &self.slope,
            limit,
            T::ORDER,
            options,
            scratch,
        ))
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
        if !self.current {
            system.jacobian(t, x, &mut self.matrix.jacobian);
            system.time_derivative(t, x, &mut self.time_slope);
            self.moving = self
                .time_slope
                .iter()
                .any(|ft| (0..S::WIDTH).any(|part| ft.part(part) != 0.0));
            self.steep = self.time_slope.iter().any(|ft| !ft.value().is_finite());
            statistics.jacobians += 1;
            self.current = true;
        } else if self.steep {
            // what stood in for it belongs to another h
            system.time_derivative(t, x, &mut self.time_slope);
        }
        if self.steep {
            // x_new is free until the end
            self.bridge(system, (t, h), x, x_new, statistics);
        }
        let inverse_h = S::from(1.0) / h;
        let shift = inverse_h / T::GAMMA;
        statistics.factorizations += 1;
        if !self.matrix.factor(shift.value()) {
            let jacobian = &self.matrix.jacobian;
            let bad = jacobian.iter().position(|j| !j.value().is_finite());
            return match bad {
                Some(k) => Trial::NotFinite {
                    state: self.matrix.pattern.rows[k],
                },
                None => Trial::Singular,
            };
        }
        for (i, &argument) in self.arguments.iter().enumerate() {
            let (earlier, rest) = self.stages.split_at_mut(i * n);
            let u = &mut rest[..n];
            match argument {
                Argument::Start => {
                    self.argument.copy_from_slice(x);
                    u.copy_from_slice(&self.slope);
                }
                Argument::Next => {
                    let last = &earlier[(i - 1) * n..];
                    for (y, &v) in self.argument.iter_mut().zip(last) {
                        *y += v;
                    }
                }
                Argument::Sum => combine(&mut self.argument, Some(x), earlier, &T::A[i][..i]),
            }
            if argument != Argument::Start {
                system.rhs(t + h * T::ALPHA[i], &self.argument, u);
                statistics.rhs_evaluations += 1;
            }
            if i > 0 {
                // x_new is free until the end: it holds the sum of the c_ij u_j
                combine(x_new, None, earlier, &T::C[i][..i]);
                let sum = match &self.matrix.mass {
                    None => &*x_new,
                    Some(mass) => {
                        mass.multiply(x_new, &mut self.product);
                        &self.product
                    }
                };
                for (r, &sum) in u.iter_mut().zip(sum) {
                    *r += sum * inverse_h;
                }
            }
            if T::D[i] != 0.0 {
                Self::add_time_slope(self.moving, &self.time_slope, u, h * T::D[i]);
            }
            self.matrix.solve(u, shift);
        }
        // stiffly accurate: the last argument is the embedded solution, and u_s what is missing
        let last = &self.stages[(T::STAGES - 1) * n..T::STAGES * n];
        for ((y, &embedded), &u) in x_new.iter_mut().zip(&self.argument).zip(last) {
            *y = embedded + u;
        }
        self.ended = false;
        let at_end = error_test(options, x, x_new, |i, part| last[i].part(part));
        let (error, state) = match at_end {
            Trial::Computed { error, state } if error <= 1.0 => (error, state),
            other => return other,
        };
        if T::DENSE_STAGE {
            system.rhs(t + h, x_new, &mut self.end_slope);
            statistics.rhs_evaluations += 1;
            self.ended = true;
            self.solve_dense_stage(h, shift);
        }
        self.inside.estimate::<T, F>(
            system,
            &mut self.matrix,
            (t, h, x, &self.stages),
            (inverse_h, shift),
            statistics,
        );
        self.inside
            .judge((options, h.value()), (x, x_new), (error, state))
    }

    fn accept(&mut self, system: &mut F, t_new: S, x_new: &[S], statistics: &mut Statistics) {
        self.current = false;
        self.inside.test.move_on();
        if self.ended {
            std::mem::swap(&mut self.slope, &mut self.end_slope);
        } else {
            system.rhs(t_new, x_new, &mut self.slope);
            statistics.rhs_evaluations += 1;
        }
    }

    fn densify(
        &mut self,
        _system: &mut F,
        _t: S,
        h: S,
        _x: &[S],
        _x_new: &[S],
        _statistics: &mut Statistics,
    ) {
        if T::DENSE_STAGE && !self.ended {
            // a step past its error test that is made all the same
            self.end_slope.copy_from_slice(&self.slope);
            self.solve_dense_stage(h, S::from(1.0) / h / T::GAMMA);
        }
    }

    fn mode(&self) -> u8 {
        if self.steep { BRIDGED } else { 0 }
    }

    fn stages(&self) -> &[S] {
        &self.stages
    }

    fn interpolate(theta: S, _h: S, x: &[S], _x_new: &[S], stages: &[S], out: &mut [S]) {
        let n = x.len();
        let weights = dense_weights::<T, S>(theta);
        for (state, (o, &x)) in out.iter_mut().zip(x).enumerate() {
            *o = x;
            for (j, &b) in weights.iter().take(T::KEPT).enumerate() {
                *o += stages[j * n + state] * b;
            }
        }
    }
}
