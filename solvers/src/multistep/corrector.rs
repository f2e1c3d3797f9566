//! The implicit equation of a multistep step, solved by a Newton iteration that keeps its matrix for long.
//!
//! With c = (1 - kappa) gamma_k / h, d = x_new - x_pred is to make
//!
//! ```text
//! r(d) = f(t_new, x_pred + d) - c M (psi + d) = 0,        d += 2 / (1 + c / c_W) W^{-1} r(d),      W = c_W M - J
//! ```
//!
//! W stays for up to [`OLD`] steps while c is within [`STALE_RATIO`] of c_W, the factor of d making up for the
//! difference (Brown, Byrne & Hindmarsh, SIAM J. Sci. Stat. Comput. 10 (1989) 1038-1051,
//! doi 10.1137/0910062). Every new W takes a new J: next to the factorization it is cheap, and keeping old ones
//! was measured to cost a fifth more work. The rate of convergence is remembered from
//! step to step, so that most steps end after one or two iterations: at one evaluation of f each.
//!
//! Over dual numbers the iteration is the plain one on the values. Tangents follow from J at the solution:
//! as W_0, the values of W, differs from W by a nilpotent part, each pass d += W_0^{-1} r(d) over the
//! dual numbers makes one more order of derivatives exact.
//!
//! By GMRES ([`crate::linalg::krylov`]) an iteration is inexact: it leaves a twentieth of what the nonlinear one may. The
//! tangents are then corrected until they settle. A solve that does not converge is an iteration that failed.

use crate::linalg::krylov::{Accuracy, Parts, Point};
use crate::linalg::{IterationMatrix, NewtonMatrix};
use crate::method::Trial;
use crate::newton::{Failure, add_tangents, polish};
use crate::options::Statistics;
use crate::scalar::{Scalar, depth};
use crate::system::ImplicitSystem;

/// Iterations at most.
const ITERATIONS: usize = 4;
/// Share of the error test that the iteration may leave.
const SHARE: f64 = 0.3;
/// Relative change of c that calls for a new W.
const STALE_RATIO: f64 = 0.25;
/// Accepted steps that W serves at most.
const OLD: u32 = 20;
/// Rate of convergence expected of a new W.
const EXPECTED_RATE: f64 = 0.5;
/// Share of the remembered rate that a faster iteration cannot go below.
const MEMORY: f64 = 0.3;
/// delta / h where the slope at a start is made of f(t, x): it is off by delta x'', a small part of the h x'' / 2 that the error estimate of
/// order 1 is made of, and what rounding leaves of the algebraic equations is in it divided by delta.
pub const SMALL: f64 = 0.03;
/// Share of what the iteration may leave that a solve by GMRES leaves, and largest relative residual.
const LINEAR: f64 = 0.05;
const LINEAR_RELATIVE: f64 = 0.1;
/// Relative residual of a start by GMRES.
const START: f64 = 1e-8;
/// An iteration that grows by more has failed.
const DIVERGENCE: f64 = 2.0;

/// J, W and what is known of the iteration's convergence.
#[derive(Debug, Clone)]
pub struct Corrector<S> {
    jacobian: Vec<S>,
    matrix: NewtonMatrix<S>,
    mass_values: Vec<f64>,
    residual: Vec<S>,
    /// psi + d and M (psi + d), where there is a mass matrix
    sum: Vec<S>,
    product: Vec<S>,
    /// weights of errors where there are none yet
    ones: Vec<f64>,
    /// c_W; 0 where there is no W
    leading: f64,
    /// accepted steps since W was made
    age: u32,
    rate: f64,
    /// W and J at the solution, where S carries derivatives and W is factored
    exact: Option<(IterationMatrix, Vec<S>)>,
    depth: usize,
}

/// The equation of one step.
pub struct Equation<'a, S> {
    pub t_new: S,
    /// c = (1 - kappa) gamma_k / h
    pub leading: S,
    pub predicted: &'a [S],
    pub psi: &'a [S],
    /// 1 / (scale of the error test), a number a state (and part)
    pub weights: &'a [f64],
    /// the local error over nabla^{k+1} x
    pub error_constant: f64,
}

impl<S: Scalar> Equation<'_, S> {
    /// Where W is: at the predicted state.
    fn point(&self) -> Point<'_, S> {
        Point {
            shift: self.leading.value(),
            t: self.t_new,
            x: self.predicted,
            weights: &self.weights[..self.predicted.len()],
        }
    }
}

/// Weighted RMS norm; `weights` holds a number a state for each part that counts.
#[inline]
pub fn norm<S: Scalar>(weights: &[f64], of: &[S]) -> f64 {
    let n = of.len();
    let mut sum = 0.0;
    if weights.len() == n {
        for (w, v) in weights.iter().zip(of) {
            let r = v.value() * w;
            sum += r * r;
        }
    } else {
        for (part, weights) in weights.chunks_exact(n.max(1)).enumerate() {
            for (w, v) in weights.iter().zip(of) {
                let r = v.part(part) * w;
                sum += r * r;
            }
        }
    }
    (sum / weights.len().max(1) as f64).sqrt()
}

/// Weighted RMS norm of a + b.
pub fn norm_of_sum<S: Scalar>(weights: &[f64], a: &[S], b: &[S]) -> f64 {
    let n = a.len();
    let mut sum = 0.0;
    for (part, weights) in weights.chunks_exact(n.max(1)).enumerate() {
        for (w, (a, b)) in weights.iter().zip(a.iter().zip(b)) {
            let r = (a.part(part) + b.part(part)) * w;
            sum += r * r;
        }
    }
    (sum / weights.len().max(1) as f64).sqrt()
}

impl<S: Scalar> Corrector<S> {
    pub fn new<F: ImplicitSystem<S> + ?Sized>(system: &F) -> Self {
        let n = system.dim();
        let zeros = vec![S::from(0.0); n];
        // one of another size is refused when a solve begins
        let mass = system.mass().filter(|mass| mass.check(n).is_ok());
        let depth = depth::<S>();
        let mass_pattern = mass.map(|m| &m.pattern);
        let matrix = NewtonMatrix::new(system, mass_pattern);
        let jacobian = vec![S::from(0.0); system.pattern().non_zeros()];
        Self {
            exact: (depth > 0 && !matrix.is_krylov()).then(|| {
                let choice = system.linear_solver();
                let matrix = IterationMatrix::new(system.pattern(), mass_pattern, choice);
                (matrix, jacobian.clone())
            }),
            jacobian,
            matrix,
            mass_values: mass
                .map(|m| m.values.iter().map(|v| v.value()).collect())
                .unwrap_or_default(),
            residual: zeros.clone(),
            sum: zeros.clone(),
            product: zeros,
            ones: vec![1.0; if mass.is_some() { n } else { 0 }],
            leading: 0.0,
            age: 0,
            rate: 1.0,
            depth,
        }
    }

    /// Forgets J and W.
    pub fn forget(&mut self) {
        self.leading = 0.0;
    }

    /// Turns f(t, x) into x' where M x' = f: (M - delta J) x' = f + delta f_t for a delta that is small beside
    /// the step, which for algebraic equations is their derivative.
    pub fn slope<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        (t, h): (S, S),
        x: &[S],
        slope: &mut [S],
        statistics: &mut Statistics,
    ) -> Result<(), Trial> {
        if system.mass().is_none() {
            return Ok(());
        }
        let c = S::from(1.0) / (h * SMALL);
        self.forget();
        system.jacobian(t, x, &mut self.jacobian);
        system.time_derivative(t, x, &mut self.residual);
        statistics.jacobians += 1;
        let jacobian = &self.jacobian;
        let mass = Some(self.mass_values.as_slice());
        let at = Point {
            shift: c.value(),
            t,
            x,
            weights: &self.ones,
        };
        self.matrix
            .factor(system, &at, |k| jacobian[k].value(), mass, statistics)
            .map_err(|trial| unusable(system, &self.jacobian, trial))?;
        // right-hand side in `sum`, solution in `slope`
        for ((sum, &f), &ft) in self.sum.iter_mut().zip(slope.iter()).zip(&self.residual) {
            *sum = f * c + ft;
        }
        slope.fill(S::from(0.0));
        let accuracy = Parts::All(Accuracy {
            absolute: f64::INFINITY,
            relative: START,
        });
        for pass in 0..=self.depth {
            self.residual.copy_from_slice(&self.sum);
            if let Some(mass) = system.mass() {
                mass.multiply(slope, &mut self.product);
            }
            for (r, &p) in self.residual.iter_mut().zip(&self.product) {
                *r -= c * p;
            }
            system
                .pattern()
                .multiply(&self.jacobian, slope, &mut self.product);
            for (r, &p) in self.residual.iter_mut().zip(&self.product) {
                *r += p;
            }
            let (matrix, residual) = (&mut self.matrix, &mut self.residual);
            if !matrix.solve(system, residual, accuracy, statistics) {
                return Err(Trial::NotConverged { state: 0 });
            }
            for (v, &r) in slope.iter_mut().zip(&self.residual) {
                // the values are those of the first pass, as in a plain solve
                *v += if pass == 0 { r } else { r - r.value() };
            }
        }
        Ok(())
    }

    /// Takes the values of M anew: parameters may have changed.
    pub fn refresh_mass<F: ImplicitSystem<S> + ?Sized>(&mut self, system: &F) {
        if let Some(mass) = system.mass() {
            for (to, from) in self.mass_values.iter_mut().zip(&mass.values) {
                *to = from.value();
            }
        }
    }

    /// Counts an accepted step.
    pub fn grow_older(&mut self) {
        self.age += 1;
    }

    /// Finds d and x_new = x_pred + d; returns the weighted norm of d.
    pub fn solve<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        equation: &Equation<'_, S>,
        d: &mut [S],
        x_new: &mut [S],
        statistics: &mut Statistics,
    ) -> Result<f64, Trial> {
        let ratio = equation.leading.value() / self.leading;
        let stale = self.leading == 0.0 || self.age >= OLD || (ratio - 1.0).abs() > STALE_RATIO;
        if stale {
            self.factor(system, equation, statistics)?;
        } else {
            self.matrix.move_to(&equation.point());
        }
        let mut solved = self.iterate(system, equation, d, x_new, statistics);
        // (with products alone, nothing is out of date)
        if solved.is_err() && !stale && self.matrix.takes_jacobian() {
            self.factor(system, equation, statistics)?;
            solved = self.iterate(system, equation, d, x_new, statistics);
        }
        let size = solved?;
        if self.depth == 0 {
            return Ok(size);
        }
        self.tangents(system, equation, d, x_new, statistics)?;
        Ok(norm(equation.weights, d))
    }

    /// Factors W, with J at the predicted state.
    fn factor<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        equation: &Equation<'_, S>,
        statistics: &mut Statistics,
    ) -> Result<(), Trial> {
        if self.matrix.takes_jacobian() {
            system.jacobian(equation.t_new, equation.predicted, &mut self.jacobian);
            statistics.jacobians += 1;
        }
        let jacobian = &self.jacobian;
        let mass = system.mass().map(|_| self.mass_values.as_slice());
        let at = equation.point();
        self.leading = 0.0;
        self.matrix
            .factor(system, &at, |k| jacobian[k].value(), mass, statistics)
            .map_err(|trial| unusable(system, &self.jacobian, trial))?;
        self.leading = at.shift;
        self.age = 0;
        self.rate = EXPECTED_RATE;
        Ok(())
    }

    fn iterate<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        equation: &Equation<'_, S>,
        d: &mut [S],
        x_new: &mut [S],
        statistics: &mut Statistics,
    ) -> Result<f64, Trial> {
        let n = d.len();
        let (d, x_new) = (&mut d[..n], &mut x_new[..n]);
        let predicted = &equation.predicted[..n];
        let leading = equation.leading.value();
        let relaxation = self.matrix.relaxation(leading / self.leading);
        let limit = SHARE / equation.error_constant;
        let accuracy = Parts::Values(Accuracy {
            absolute: LINEAR * limit,
            relative: LINEAR_RELATIVE,
        });
        let mut previous = 0.0;
        for iteration in 0..ITERATIONS {
            statistics.newton_iterations += 1;
            if iteration == 0 {
                d.fill(S::from(0.0));
                self.evaluate(system, equation, d, predicted, statistics);
            } else {
                self.evaluate(system, equation, d, x_new, statistics);
            }
            let (matrix, residual) = (&mut self.matrix, &mut self.residual);
            if !matrix.solve(system, residual, accuracy, statistics) {
                break;
            }
            let residual = &mut self.residual[..n];
            for i in 0..n {
                let r = residual[i] * relaxation;
                residual[i] = r;
                d[i] += r;
                x_new[i] = predicted[i] + d[i];
            }
            let size = norm(equation.weights, &self.residual);
            if !size.is_finite() {
                let bad = self.residual.iter().position(|r| !r.value().is_finite());
                return Err(Trial::NotFinite {
                    state: bad.unwrap_or(0),
                });
            }
            if iteration > 0 {
                let rate = size / previous;
                if rate > DIVERGENCE {
                    break;
                }
                self.rate = f64::max(MEMORY * self.rate, rate);
            }
            if size * self.rate.min(1.0) <= limit {
                return Ok(if iteration == 0 {
                    size
                } else {
                    norm(equation.weights, d)
                });
            }
            previous = size;
        }
        let worst = (0..n).fold(0, |worst, i| {
            let share = |i: usize| (self.residual[i].value() * equation.weights[i]).abs();
            if share(i) > share(worst) { i } else { worst }
        });
        Err(Trial::NotConverged { state: worst })
    }

    /// residual = f(t_new, x_new) - c M (psi + d)
    #[inline]
    fn evaluate<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        equation: &Equation<'_, S>,
        d: &[S],
        x_new: &[S],
        statistics: &mut Statistics,
    ) {
        let n = d.len();
        system.rhs(equation.t_new, x_new, &mut self.residual);
        statistics.rhs_evaluations += 1;
        let (r, psi) = (&mut self.residual[..n], &equation.psi[..n]);
        let c = equation.leading;
        if let Some(mass) = system.mass() {
            for i in 0..n {
                self.sum[i] = psi[i] + d[i];
            }
            mass.multiply(&self.sum, &mut self.product);
            for (r, &p) in r.iter_mut().zip(&self.product) {
                *r -= c * p;
            }
        } else {
            for i in 0..n {
                r[i] -= c * (psi[i] + d[i]);
            }
        }
    }

    /// Makes the tangents of d and x_new exact, values held; see the module.
    fn tangents<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        equation: &Equation<'_, S>,
        d: &mut [S],
        x_new: &mut [S],
        statistics: &mut Statistics,
    ) -> Result<(), Trial> {
        let Some((matrix, jacobian)) = &mut self.exact else {
            return self.settle_tangents(system, equation, d, x_new, statistics);
        };
        system.jacobian(equation.t_new, x_new, jacobian);
        statistics.jacobians += 1;
        statistics.factorizations += 1;
        let leading = equation.leading.value();
        let mass = system.mass().map(|_| self.mass_values.as_slice());
        if !matrix.factor(leading, |k| jacobian[k].value(), mass) {
            return Err(unusable(system, jacobian, Trial::Singular));
        }
        for _ in 0..self.depth {
            self.evaluate(system, equation, d, x_new, statistics);
            if let Some((matrix, _)) = &mut self.exact {
                matrix.solve(&mut self.residual);
            }
            for (i, (d, &r)) in d.iter_mut().zip(&self.residual).enumerate() {
                *d += r - r.value();
                x_new[i] = with_value(x_new[i].value(), equation.predicted[i] + *d);
            }
        }
        Ok(())
    }

    /// The same by GMRES, with J of the predicted state: corrections until they settle.
    fn settle_tangents<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        equation: &Equation<'_, S>,
        d: &mut [S],
        x_new: &mut [S],
        statistics: &mut Statistics,
    ) -> Result<(), Trial> {
        polish::<S>(|| {
            self.evaluate(system, equation, d, x_new, statistics);
            let (matrix, residual) = (&mut self.matrix, &mut self.residual);
            if !matrix.solve(system, residual, Parts::Tangents, statistics) {
                return Err(Failure::NotConverged(0, 0.25));
            }
            let sizes = add_tangents(d, residual);
            for ((x, &p), &d) in x_new.iter_mut().zip(equation.predicted).zip(d.iter()) {
                *x = with_value(x.value(), p + d);
            }
            Ok(sizes)
        })
        .map_err(|failure| failure.into_trial().0)
    }
}

fn with_value<S: Scalar>(value: f64, tangents: S) -> S {
    S::from_parts(|part| {
        if part == 0 {
            value
        } else {
            tangents.part(part)
        }
    })
}

/// Why there is no W: an entry of J that is not finite, or what was found in factoring.
fn unusable<S: Scalar, F: ImplicitSystem<S> + ?Sized>(
    system: &F,
    jacobian: &[S],
    found: Trial,
) -> Trial {
    match jacobian.iter().position(|j| !j.value().is_finite()) {
        Some(k) => Trial::NotFinite {
            state: system.pattern().rows[k],
        },
        None => found,
    }
}
