//! W = M / (h gamma) - J over any scalar, and the solution of W u = r.
//!
//! Over dual numbers only W_0, the values of W, is factored. As W - W_0 is nilpotent, the iteration
//! `W_0 u = r - (W - W_0) u` ends: it starts with the values of u, and each pass makes one more order of
//! derivatives exact (one pass for dual numbers, two for duals over duals). So the tangents are the exact
//! derivative of the discrete step, M's own among them.

use crate::linalg::IterationMatrix;
use crate::scalar::{Scalar, depth};
use crate::system::{ImplicitSystem, Mass, Pattern};

/// W of one system: its parts, its factors and scratch space.
#[derive(Debug, Clone)]
pub(super) struct StageMatrix<S> {
    pub(super) pattern: Pattern,
    /// non-zeros of J, in the pattern's order
    pub(super) jacobian: Vec<S>,
    /// M; `None`: identity
    pub(super) mass: Option<Mass<S>>,
    mass_values: Vec<f64>,
    factors: IterationMatrix,
    /// order of the derivatives that S carries: 0 for plain numbers
    depth: usize,
    /// values of the right-hand side, where S carries derivatives
    values: Vec<f64>,
    /// u, likewise
    guess: Vec<S>,
    /// r - (W - W_0) u, likewise
    residual: Vec<S>,
}

impl<S: Scalar> StageMatrix<S> {
    pub(super) fn new<F>(system: &F, mass: Option<&Mass<S>>) -> Self
    where
        F: ImplicitSystem<S> + ?Sized,
    {
        let n = system.dim();
        let pattern = system.pattern().clone();
        let mass = mass.cloned();
        let depth = depth::<S>();
        let scratch = if depth == 0 { 0 } else { n };
        Self {
            jacobian: vec![S::from(0.0); pattern.non_zeros()],
            mass_values: mass
                .iter()
                .flat_map(|m| m.values.iter().map(|v| v.value()))
                .collect(),
            factors: IterationMatrix::new(
                &pattern,
                mass.as_ref().map(|m| &m.pattern),
                system.linear_solver(),
            ),
            depth,
            values: vec![0.0; scratch],
            guess: vec![S::from(0.0); scratch],
            residual: vec![S::from(0.0); scratch],
            pattern,
            mass,
        }
    }

    /// Takes over the entries of M, which may depend on parameters that changed since the last solve.
    pub(super) fn refresh_mass<F: ImplicitSystem<S> + ?Sized>(&mut self, system: &F) {
        if let (Some(mass), Some(now)) = (&mut self.mass, system.mass()) {
            let entries = mass.values.iter_mut().zip(&mut self.mass_values);
            for ((entry, value), &new) in entries.zip(&now.values) {
                *entry = new;
                *value = new.value();
            }
        }
    }

    /// Factors the values of W with `shift` = 1 / (h gamma). `false`: they are singular or not finite.
    pub(super) fn factor(&mut self, shift: f64) -> bool {
        let jacobian = &self.jacobian;
        let mass = self.mass.is_some().then_some(&self.mass_values[..]);
        self.factors.factor(shift, |k| jacobian[k].value(), mass)
    }

    /// What a factorization and a solve cost, see [`IterationMatrix::costs`].
    pub(super) fn costs(&self) -> [f64; 2] {
        self.factors.costs()
    }

    /// Turns `r` into u with W u = r.
    pub(super) fn solve(&mut self, r: &mut [S], shift: S) {
        if self.depth == 0 {
            self.factors.solve(r);
            return;
        }
        for (v, r) in self.values.iter_mut().zip(r.iter()) {
            *v = r.value();
        }
        self.factors.solve(&mut self.values);
        for (g, &v) in self.guess.iter_mut().zip(&self.values) {
            *g = S::from(v);
        }
        for _ in 0..self.depth {
            self.residual.copy_from_slice(r);
            self.subtract_nilpotent(shift);
            self.factors.solve(&mut self.residual);
            self.guess.copy_from_slice(&self.residual);
        }
        r.copy_from_slice(&self.guess);
    }

    /// residual -= (W - W_0) guess
    fn subtract_nilpotent(&mut self, shift: S) {
        let diagonal = shift - shift.value();
        for (column, &u) in self.guess.iter().enumerate() {
            match &self.mass {
                None => self.residual[column] -= diagonal * u,
                Some(mass) => {
                    let entries = mass.pattern.starts[column]..mass.pattern.starts[column + 1];
                    let rows = &mass.pattern.rows[entries.clone()];
                    for (&row, &m) in rows.iter().zip(&mass.values[entries]) {
                        let entry = shift * m;
                        self.residual[row] -= (entry - entry.value()) * u;
                    }
                }
            }
            let range = self.pattern.starts[column]..self.pattern.starts[column + 1];
            let rows = &self.pattern.rows[range.clone()];
            for (&row, &entry) in rows.iter().zip(&self.jacobian[range]) {
                self.residual[row] += (entry - entry.value()) * u;
            }
        }
    }
}
