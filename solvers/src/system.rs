//! What a solver asks of a model.

use crate::error::SolveError;
use crate::integrate::invalid;
use crate::linalg::LinearSolver;
use crate::scalar::{Scalar, sum};

/// A system x' = f(t, x) on n states. Parameters are the system's own business; it may keep scratch space.
pub trait System<S: Scalar> {
    /// Number of states n.
    fn dim(&self) -> usize;
    /// Writes f(t, x) into `dx` (length n).
    fn rhs(&mut self, t: S, x: &[S], dx: &mut [S]);
    /// Announces that every evaluation until the next call lies on the smooth stretch between two stop
    /// times that contains `middle`: a signal with jumps decides its branch by `middle`, not by `t`, so
    /// that a stage at the very end of a stretch still sees the branch before the jump.
    fn enter_stretch(&mut self, middle: f64) {
        let _ = middle;
    }
    /// Computes what a step of an explicit Runge-Kutta method needs at once, or returns false, having done nothing.
    ///
    /// Given k_1 as the first n numbers of `stages`, it writes k_2 up to the stage before `end` (and k_end too
    /// where `method.last` says so) behind it, and the new state into `x_new`, in the very arithmetic of
    /// [`crate::explicit::runge_kutta`]: to call it or not makes no difference to a bit.
    #[inline]
    fn explicit_stages(
        &mut self,
        method: &'static ExplicitStages,
        t: S,
        h: S,
        x: &[S],
        stages: &mut [S],
        x_new: &mut [S],
    ) -> bool {
        let _ = (method, t, h, x, stages, x_new);
        false
    }
    /// The sum of what `of` gives for the blocks 0, 1, ..., `count` - 1 of a large state, added in this order. A system
    /// that has threads may let them compute the terms: to do so or not makes no difference to a bit.
    #[inline]
    fn sum_over_blocks(&mut self, count: usize, of: &(dyn Fn(usize) -> f64 + Sync)) -> f64 {
        (0..count).map(of).sum()
    }
}

/// What [`System::explicit_stages`] is asked for; indices count from 0, so that row 0 is k_1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExplicitStages {
    /// nodes c_i
    pub c: &'static [f64],
    /// weights a_ij; rows may be as short as their last non-zero
    pub a: &'static [&'static [f64]],
    /// the row of `a` that holds the weights of the solution
    pub end: usize,
    /// whether k_end, the slope at the step's end, is asked for
    pub last: bool,
}

/// A system with a Jacobian, for implicit methods.
pub trait ImplicitSystem<S: Scalar>: System<S> {
    /// Non-zero pattern of J = df/dx, fixed for the system's life.
    fn pattern(&self) -> &Pattern;
    /// Writes the non-zeros of J(t, x) into `values`, in the pattern's column order.
    fn jacobian(&mut self, t: S, x: &[S], values: &mut [S]);
    /// Writes df/dt at (t, x), states held, into `ft` (length n).
    fn time_derivative(&mut self, t: S, x: &[S], ft: &mut [S]);
    /// The constant mass matrix M of M x' = f(t, x), which may be singular (index 1); `None`: identity.
    fn mass(&self) -> Option<&Mass<S>> {
        None
    }
    /// Whether [`ImplicitSystem::jvp`] is the system's own, cheaper than evaluating J. GMRES then asks for no
    /// Jacobian but its preconditioner's; else it multiplies the one of the last `jacobian`.
    fn has_jvp(&self) -> bool {
        false
    }
    /// Writes J(t, x) v into `out` (length n). What stands here evaluates J each time, and allocates.
    fn jvp(&mut self, t: S, x: &[S], v: &[S], out: &mut [S]) {
        let mut values = vec![S::from(0.0); self.pattern().non_zeros()];
        self.jacobian(t, x, &mut values);
        self.pattern().multiply(&values, v, out);
    }
    /// How the matrices made of M and J are to be factored.
    fn linear_solver(&self) -> LinearSolver {
        LinearSolver::Auto
    }
}

/// A constant mass matrix; a row without entries makes its equation algebraic, 0 = f_i.
#[derive(Debug, Clone, PartialEq)]
pub struct Mass<S> {
    /// non-zero pattern
    pub pattern: Pattern,
    /// the entries in the pattern's column order
    pub values: Vec<S>,
}

impl<S: Scalar> Mass<S> {
    /// Whether this is an n by n matrix of finite entries, one for each place of its pattern.
    pub fn check(&self, n: usize) -> Result<(), SolveError> {
        let Pattern {
            height,
            starts,
            rows,
        } = &self.pattern;
        if *height != n || starts.len() != n + 1 {
            return Err(invalid(&format!(
                "a mass matrix of {height} rows and {} columns for {n} states",
                starts.len().saturating_sub(1)
            )));
        }
        let ordered = starts.windows(2).all(|w| w[0] <= w[1]);
        if !ordered || starts[0] != 0 || starts[n] != rows.len() || rows.iter().any(|&r| r >= n) {
            return Err(invalid("the pattern of the mass matrix is not one"));
        }
        if self.values.len() != rows.len() {
            return Err(invalid(&format!(
                "{} values for a mass matrix of {} entries",
                self.values.len(),
                rows.len()
            )));
        }
        if self.values.iter().any(|v| !v.value().is_finite()) {
            return Err(invalid("an entry of the mass matrix is not finite"));
        }
        Ok(())
    }
    /// out = M v
    pub fn multiply(&self, v: &[S], out: &mut [S]) {
        self.pattern.multiply(&self.values, v, out);
    }
}

/// A sparse pattern in compressed columns: rows of column j are `rows[starts[j]..starts[j + 1]]`, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// Number of rows.
    pub height: usize,
    /// Start of each column in `rows`, and the end: length columns + 1.
    pub starts: Vec<usize>,
    /// Row of each non-zero.
    pub rows: Vec<usize>,
}

impl Pattern {
    /// The pattern with every entry of an n by n matrix.
    pub fn dense(n: usize) -> Self {
        Self {
            height: n,
            starts: (0..=n).map(|j| j * n).collect(),
            rows: (0..n).flat_map(|_| 0..n).collect(),
        }
    }
    /// The pattern of the given (row, column) entries, in any order, repeats merged.
    pub fn from_entries(height: usize, columns: usize, entries: &[(usize, usize)]) -> Self {
        let mut by_column: Vec<Vec<usize>> = vec![Vec::new(); columns];
        for &(row, column) in entries {
            by_column[column].push(row);
        }
        let mut starts = vec![0];
        let mut rows = Vec::with_capacity(entries.len());
        for column in &mut by_column {
            column.sort_unstable();
            column.dedup();
            rows.extend_from_slice(column);
            starts.push(rows.len());
        }
        Self {
            height,
            starts,
            rows,
        }
    }
    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.starts.len() - 1
    }
    /// out = A v with A of these values, in the pattern's order.
    #[inline]
    pub fn multiply<S: Scalar>(&self, values: &[S], v: &[S], out: &mut [S]) {
        out.fill(S::from(0.0));
        for (column, &factor) in self.starts.windows(2).zip(v) {
            let column = column[0]..column[1];
            for (&row, &value) in self.rows[column.clone()].iter().zip(&values[column]) {
                out[row] += value * factor;
            }
        }
    }
    /// out = A^T v with A of these values.
    #[inline]
    pub fn multiply_transposed<S: Scalar>(&self, values: &[S], v: &[S], out: &mut [S]) {
        for (column, o) in self.starts.windows(2).zip(out) {
            let column = column[0]..column[1];
            let entries = self.rows[column.clone()].iter().zip(&values[column]);
            *o = sum(entries.map(|(&row, &value)| value * v[row]));
        }
    }
    /// Adds the entries of `factor v w^T` that lie in the pattern.
    pub fn add_outer<S: Scalar>(&self, v: &[S], w: &[S], factor: S, values: &mut [S]) {
        for (column, &w) in self.starts.windows(2).zip(w) {
            let column = column[0]..column[1];
            for (&row, value) in self.rows[column.clone()].iter().zip(&mut values[column]) {
                *value += factor * v[row] * w;
            }
        }
    }
    /// Number of non-zeros.
    pub fn non_zeros(&self) -> usize {
        self.rows.len()
    }
}
