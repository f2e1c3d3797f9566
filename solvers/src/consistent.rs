//! Consistent initial values of M x' = f(t, x) with a constant singular M.
//!
//! With N and K bases of the null spaces of M (n by a each: N^T M = 0, M K = 0) the algebraic equations are
//!
//! ```text
//! g(z) = N^T f(t, x + K z) = 0,          G = dg/dz = N^T J K          (a equations, a unknowns)
//! ```
//!
//! so that M x, what the differential equations carry forward, is kept and z alone moves. The index is 1 where G
//! is regular. Newton's method solves for z, damped until the correction G^-1 g shrinks (Deuflhard's natural
//! monotonicity test), which no scaling of equations or states can disturb. States whose own correction is a small
//! part of the tolerance count as consistent and keep their values to the last bit.
//!
//! Where M has at most one entry a row and column, N and K are unit vectors, those of its empty rows and columns;
//! else they come from a singular value decomposition of M, its rows and columns scaled to 1.
//!
//! Over dual numbers the values are found first; then `z -= G^-1 g` with the values held makes one more order of
//! derivatives exact a pass (the implicit function theorem). N and K move with M likewise:
//! `K = K_0 - M_0^- (M - M_0) K`, M_0^- a generalized inverse of the values M_0. Backward, solves with G^T go likewise.
//!
//! Cost: one J, one dense LU of a by a and a few f at the start of each smooth stretch.
//!
//! P. N. Brown, A. C. Hindmarsh & L. R. Petzold, Consistent initial condition calculation for
//! differential-algebraic systems, SIAM J. Sci. Comput. 19 (1998) 1495-1512, doi 10.1137/S1064827595289996;
//! P. Deuflhard, Newton Methods for Nonlinear Problems, 3.3, doi 10.1007/978-3-642-23899-4.

use crate::control::scale;
use crate::error::SolveError;
use crate::integrate::{invalid, not_finite};
use crate::linalg::DenseLu;
use crate::linalg::null_space::{Basis, null_spaces};
use crate::options::{Options, Statistics};
use crate::scalar::{Scalar, depth, sum};
use crate::system::{ImplicitSystem, Mass, Pattern};

/// Corrections below this part of the tolerance leave the states as they are.
const TOLERATED: f64 = 0.1;
/// Newton's method ends with a correction below this part of the tolerance: one more would be rounding.
const CONVERGED: f64 = 1e-9;
const MOST_ITERATIONS: usize = 50;
const LEAST_DAMPING: f64 = 1.0 / 1024.0;
/// Pivots of G below this, rows and columns scaled to 1, are rounding errors.
const SINGULAR: f64 = 1e-12;

/// Workspace for the consistent initial values of one system.
#[derive(Debug, Clone)]
pub struct Consistent<S> {
    mass: Mass<S>,
    /// N by states, K by states
    bases: Option<(Basis<S>, Basis<S>)>,
    pattern: Pattern,
    jacobian: Vec<S>,
    f: Vec<S>,
    /// states before the search
    start: Vec<S>,
    z: Vec<S>,
    /// z of the iterate before
    held: Vec<f64>,
    /// g, then G^-1 g
    g: Vec<S>,
    correction: Vec<f64>,
    /// the correction that the search follows
    direction: Vec<f64>,
    /// scale of the states at the iterate
    weights: Vec<f64>,
    /// G with its rows and columns scaled
    lu: DenseLu,
    row_scales: Vec<f64>,
    column_scales: Vec<f64>,
    /// sums of magnitudes that G's entries are differences of
    bounds: Vec<f64>,
    depth: usize,
}

impl<S: Scalar> Consistent<S> {
    /// A workspace for a Jacobian of the given pattern and a mass matrix that passes [`Mass::check`].
    pub fn new(pattern: &Pattern, mass: &Mass<S>) -> Self {
        let n = mass.pattern.columns();
        let zeros = vec![S::from(0.0); n];
        let mut workspace = Self {
            mass: mass.clone(),
            bases: None,
            pattern: pattern.clone(),
            jacobian: vec![S::from(0.0); pattern.non_zeros()],
            f: zeros.clone(),
            start: zeros,
            z: Vec::new(),
            held: Vec::new(),
            g: Vec::new(),
            correction: Vec::new(),
            direction: Vec::new(),
            weights: vec![0.0; n],
            lu: DenseLu::new(0),
            row_scales: Vec::new(),
            column_scales: Vec::new(),
            bounds: Vec::new(),
            depth: depth::<S>(),
        };
        workspace.decompose();
        workspace
    }

    /// Number a of algebraic equations.
    pub fn algebraic(&self) -> usize {
        self.g.len()
    }

    /// Takes over the entries of M, which may depend on parameters that changed.
    fn refresh<F: ImplicitSystem<S> + ?Sized>(&mut self, system: &F) {
        if let Some(mass) = system.mass() {
            let same = |(a, b): (&S, &S)| (0..S::WIDTH).all(|p| a.part(p) == b.part(p));
            if !self.mass.values.iter().zip(&mass.values).all(same) {
                self.mass.values.copy_from_slice(&mass.values);
                self.decompose();
            }
        }
    }

    /// Finds the null spaces of M and makes room for their dimension.
    fn decompose(&mut self) {
        self.bases = null_spaces(&self.mass, self.depth);
        let a = self.bases.as_ref().map_or(0, |(left, _)| left.dimension());
        self.z.resize(a, S::from(0.0));
        self.held.resize(a, 0.0);
        self.g.resize(a, S::from(0.0));
        self.correction.resize(a, 0.0);
        self.direction.resize(a, 0.0);
        self.row_scales.resize(a, 0.0);
        self.column_scales.resize(a, 0.0);
        self.bounds.resize(a * a, 0.0);
        if self.lu.dim() != a {
            self.lu = DenseLu::new(a);
        }
    }

    /// Moves `x` to consistent states at t, or leaves it where it is consistent.
    pub fn initialize<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        t: S,
        x: &mut [S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Result<(), SolveError> {
        self.bring_within(TOLERATED, system, (t, x), options, statistics)
    }

    /// The same for states whose algebraic equations are about to be divided by `part` of a step size: they are off by no
    /// more than that part of what `initialize` lets pass.
    pub fn refine<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        part: f64,
        system: &mut F,
        (t, x): (S, &mut [S]),
        options: &Options,
        statistics: &mut Statistics,
    ) -> Result<(), SolveError> {
        self.bring_within(part * TOLERATED, system, (t, x), options, statistics)
    }

    fn bring_within<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        tolerated: f64,
        system: &mut F,
        (t, x): (S, &mut [S]),
        options: &Options,
        statistics: &mut Statistics,
    ) -> Result<(), SolveError> {
        self.refresh(system);
        if self.bases.is_none() {
            return Err(invalid("the null space of the mass matrix was not found"));
        }
        if self.algebraic() == 0 {
            return Ok(());
        }
        if !self.evaluate(system, t, x, statistics) {
            let state = self.f.iter().position(|f| !f.value().is_finite());
            return Err(not_finite(t, state.unwrap_or(0), x));
        }
        self.factor(system, t, x, statistics)?;
        self.start.copy_from_slice(x);
        self.z.fill(S::from(0.0));
        self.weigh(x, options);
        let size = self.correct();
        if size > tolerated {
            self.search(system, t, x, size, options, statistics)?;
        }
        for _ in 0..self.depth {
            self.evaluate(system, t, x, statistics);
            self.solve_scaled();
            for (z, g) in self.z.iter_mut().zip(&self.g) {
                *z -= S::from_parts(|part| if part == 0 { 0.0 } else { g.part(part) });
            }
            self.place(x);
        }
        Ok(())
    }

    /// What is left of the cotangent `x_bar` of states that were made consistent: with `w` = -N G^-T K^T x_bar, that of
    /// the states before is x_bar + J^T w, and f_p^T w and w^T f_t go to parameters and time. `false`: w is 0.
    pub fn pull_back<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        (t, x): (S, &[S]),
        x_bar: &[S],
        w: &mut [S],
    ) -> bool {
        self.refresh(system);
        if self.algebraic() == 0 {
            return false;
        }
        if self
            .factor(system, t, x, &mut Statistics::default())
            .is_err()
        {
            return false;
        }
        if self.bases.is_none() {
            return false;
        }
        self.project(x_bar);
        self.solve_transposed_scaled();
        self.z.copy_from_slice(&self.g);
        for _ in 0..self.depth {
            // (x_bar + J^T w) is what z leaves of the equation
            self.spread(w);
            let of_states = &mut self.f;
            self.pattern
                .multiply_transposed(&self.jacobian, w, of_states);
            for (left, &bar) in of_states.iter_mut().zip(x_bar) {
                *left += bar;
            }
            let left = std::mem::take(&mut self.f);
            self.project(&left);
            self.f = left;
            self.solve_transposed_scaled();
            for (z, g) in self.z.iter_mut().zip(&self.g) {
                *z += S::from_parts(|part| if part == 0 { 0.0 } else { g.part(part) });
            }
        }
        self.spread(w);
        true
    }

    /// g = K^T x_bar
    fn project(&mut self, x_bar: &[S]) {
        self.g.fill(S::from(0.0));
        let Some((_, right)) = &self.bases else {
            return;
        };
        for (row, &bar) in x_bar.iter().enumerate() {
            for (k, value) in right.row(row) {
                self.g[k] += value * bar;
            }
        }
    }

    /// w = -N z
    fn spread(&self, w: &mut [S]) {
        let Some((left, _)) = &self.bases else {
            return;
        };
        for (row, w) in w.iter_mut().enumerate() {
            *w = -sum(left.row(row).map(|(k, value)| value * self.z[k]));
        }
    }

    /// Turns g into G^-T g, G of its values.
    fn solve_transposed_scaled(&mut self) {
        for (g, &scale) in self.g.iter_mut().zip(&self.column_scales) {
            *g = *g * scale;
        }
        self.lu.solve_transposed(&mut self.g);
        for (g, &scale) in self.g.iter_mut().zip(&self.row_scales) {
            *g = *g * scale;
        }
    }

    /// Damped Newton's method from a first correction of the given size.
    fn search<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        t: S,
        x: &mut [S],
        mut size: f64,
        options: &Options,
        statistics: &mut Statistics,
    ) -> Result<(), SolveError> {
        for _ in 0..MOST_ITERATIONS {
            for (held, z) in self.held.iter_mut().zip(&self.z) {
                *held = z.value();
            }
            self.direction.copy_from_slice(&self.correction);
            let mut damping = 1.0;
            let shrunk = loop {
                let moves = self.held.iter().zip(&self.direction);
                for (z, (&held, &direction)) in self.z.iter_mut().zip(moves) {
                    *z = S::from(held - damping * direction);
                }
                self.place(x);
                if self.evaluate(system, t, x, statistics) {
                    // with the old G: the natural measure of progress
                    let next = self.correct();
                    if next <= (1.0 - 0.25 * damping) * size || next <= CONVERGED {
                        break true;
                    }
                }
                damping *= 0.5;
                if damping < LEAST_DAMPING {
                    break false;
                }
            };
            if !shrunk {
                for (z, &held) in self.z.iter_mut().zip(&self.held) {
                    *z = S::from(held);
                }
                self.place(x);
                self.evaluate(system, t, x, statistics);
                break;
            }
            self.factor(system, t, x, statistics)?;
            self.weigh(x, options);
            let next = self.correct();
            if next <= CONVERGED {
                for (z, &c) in self.z.iter_mut().zip(&self.correction) {
                    *z = S::from(z.value() - c);
                }
                self.place(x);
                return Ok(());
            }
            let stalled = next > 0.5 * size;
            size = next;
            if stalled && size <= TOLERATED {
                return Ok(());
            }
        }
        // rounding may keep a badly scaled system from more
        if size <= 1.0 {
            return Ok(());
        }
        let (state, residual) = self.worst_equation();
        x.copy_from_slice(&self.start);
        Err(SolveError::Inconsistent {
            t: t.value(),
            state,
            residual,
        })
    }

    /// g = N^T f(t, x). `false`: its value is not finite.
    fn evaluate<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        t: S,
        x: &[S],
        statistics: &mut Statistics,
    ) -> bool {
        system.rhs(t, x, &mut self.f);
        statistics.rhs_evaluations += 1;
        self.g.fill(S::from(0.0));
        let Some((left, _)) = &self.bases else {
            return false;
        };
        for (row, &f) in self.f.iter().enumerate() {
            for (k, value) in left.row(row) {
                self.g[k] += value * f;
            }
        }
        self.f.iter().all(|f| f.value().is_finite())
    }

    /// Evaluates J and factors the values of G, its rows and columns scaled to 1.
    fn factor<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        t: S,
        x: &[S],
        statistics: &mut Statistics,
    ) -> Result<(), SolveError> {
        system.jacobian(t, x, &mut self.jacobian);
        statistics.jacobians += 1;
        statistics.factorizations += 1;
        let bad = self.jacobian.iter().position(|j| !j.value().is_finite());
        if let Some(k) = bad {
            return Err(not_finite(t, self.pattern.rows[k], x));
        }
        let Some((left, right)) = &self.bases else {
            return Ok(());
        };
        let a = left.dimension();
        let entries = self.lu.entries_mut();
        entries.fill(0.0);
        self.bounds.fill(0.0);
        for column in 0..self.pattern.columns() {
            for k in self.pattern.starts[column]..self.pattern.starts[column + 1] {
                let j = self.jacobian[k].value();
                for (row_of_g, n) in left.row(self.pattern.rows[k]) {
                    for (column_of_g, k) in right.row(column) {
                        let product = n.value() * j * k.value();
                        entries[row_of_g + column_of_g * a] += product;
                        self.bounds[row_of_g + column_of_g * a] += product.abs();
                    }
                }
            }
        }
        for (entry, &bound) in entries.iter_mut().zip(&self.bounds) {
            if entry.abs() < SINGULAR * bound {
                *entry = 0.0;
            }
        }
        let largest = |of: &mut dyn Iterator<Item = f64>| of.fold(0.0, |m, e| f64::max(m, e.abs()));
        for (row, scale) in self.row_scales.iter_mut().enumerate() {
            *scale = 1.0 / largest(&mut (0..a).map(|column| entries[row + column * a]));
        }
        for (column, scale) in self.column_scales.iter_mut().enumerate() {
            let entries = &mut entries[column * a..(column + 1) * a];
            for (entry, scale) in entries.iter_mut().zip(&self.row_scales) {
                *entry *= scale;
            }
            *scale = 1.0 / largest(&mut entries.iter().copied());
            for entry in entries {
                *entry *= *scale;
            }
        }
        // a row or column of zeros made entries that are not finite, which `factor` refuses
        let regular = self.lu.factor();
        let pivots = self.lu.entries_mut().iter().step_by(a + 1);
        if regular && pivots.fold(f64::INFINITY, |m, p| m.min(p.abs())) > SINGULAR {
            Ok(())
        } else {
            Err(SolveError::HighIndex { t: t.value() })
        }
    }

    /// Turns g into G^-1 g.
    fn solve_scaled(&mut self) {
        for (g, &scale) in self.g.iter_mut().zip(&self.row_scales) {
            *g = *g * scale;
        }
        self.lu.solve(&mut self.g);
        for (g, &scale) in self.g.iter_mut().zip(&self.column_scales) {
            *g = *g * scale;
        }
    }

    /// Computes the values of G^-1 g; the size of the change of the states in units of their tolerance.
    fn correct(&mut self) -> f64 {
        let scaled = self.g.iter().zip(&self.row_scales);
        for (c, (g, &scale)) in self.correction.iter_mut().zip(scaled) {
            *c = g.value() * scale;
        }
        self.lu.solve(&mut self.correction);
        for (c, &scale) in self.correction.iter_mut().zip(&self.column_scales) {
            *c *= scale;
        }
        let Some((_, right)) = &self.bases else {
            return 0.0;
        };
        let mut largest: f64 = 0.0;
        for (row, &weight) in self.weights.iter().enumerate() {
            let change: f64 = right
                .row(row)
                .map(|(k, value)| value.value() * self.correction[k])
                .sum();
            // (a NaN must not pass for small)
            let ratio = (change / weight).abs();
            largest = if ratio.is_nan() {
                f64::INFINITY
            } else {
                largest.max(ratio)
            };
        }
        largest
    }

    /// Scales of the states at `x`: the tolerance, and not less than rounding errors.
    fn weigh(&mut self, x: &[S], options: &Options) {
        for (i, (weight, x)) in self.weights.iter_mut().zip(x).enumerate() {
            let x = x.value().abs();
            *weight = scale(options, i, x).max(16.0 * f64::EPSILON * x);
        }
    }

    /// x = start + K z
    fn place(&self, x: &mut [S]) {
        let Some((_, right)) = &self.bases else {
            return;
        };
        for (row, (x, &start)) in x.iter_mut().zip(&self.start).enumerate() {
            *x = right
                .row(row)
                .fold(start, |x, (k, value)| x + value * self.z[k]);
        }
    }

    /// The equation with the largest residual, and that: component of N g, for unit vectors f itself.
    fn worst_equation(&self) -> (usize, f64) {
        let Some((left, _)) = &self.bases else {
            return (0, 0.0);
        };
        (0..self.f.len())
            .map(|row| {
                let residual: f64 = left
                    .row(row)
                    .map(|(k, value)| value.value() * self.g[k].value())
                    .sum();
                (row, residual)
            })
            .fold((0, 0.0), |worst, (row, residual)| {
                if residual.abs() > f64::abs(worst.1) {
                    (row, residual)
                } else {
                    worst
                }
            })
    }
}
