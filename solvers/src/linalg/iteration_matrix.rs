//! The matrix of implicit methods, W = shift M - J, factored by what suits its pattern.
//!
//! shift is 1 / (h gamma), M the mass matrix (the identity for x' = f), J = df/dx. Only values change
//! from step to step, so that everything that follows from the patterns is done once: the union of both,
//! the choice of a factorization, where each non-zero of J and M goes.
//!
//! [`LinearSolver::Auto`] chooses by rules fitted to measured times of one factorization and six solves
//! (microseconds, one core of an AMD EPYC):
//!
//! | pattern                        |    n | dense | banded | sparse | chosen |
//! |--------------------------------|------|-------|--------|--------|--------|
//! | full                           |    8 |  0.84 |   1.00 |   1.01 | dense  |
//! | full                           |  128 |   196 |    244 |    235 | dense  |
//! | tridiagonal                    |   12 |  1.35 |   1.07 |   1.67 | banded |
//! | tridiagonal                    | 1000 | 21000 |    100 |    146 | banded |
//! | 33 full diagonals              | 1000 | 23000 |    291 |    399 | banded |
//! | 5-point grid                   |   36 |  7.01 |   5.31 |   5.08 | banded |
//! | 5-point grid                   |   64 |  19.4 |   10.6 |   10.3 | sparse |
//! | 5-point grid                   | 1024 | 38000 |    597 |    283 | sparse |
//! | 3 entries a column, scattered  |   24 |  3.62 |   4.47 |   3.00 | sparse |
//! | 11 entries a column, scattered |   64 |  25.6 |   33.3 |   25.8 | dense  |
//! | 11 entries a column, scattered |  128 |   142 |    174 |    102 | sparse |
//!
//! Up to eight states it is always dense. A band is chosen that is narrow or at least half full; a
//! sparse factorization from 24 states on, if at most a sixth of the entries are not zero. (Where a Newton
//! iteration may use GMRES instead, [`NewtonMatrix`](super::NewtonMatrix) decides first.)

use crate::linalg::{BandedLu, DenseLu, Field, Over, SparseLu};
use crate::system::Pattern;

/// States from which GMRES is the better choice, if factors would fill up.
const LARGE: usize = 8000;
/// Fill of the factors, relative to W, above which it is.
const FILL: f64 = 6.0;

/// How the linear systems of an implicit method are solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum LinearSolver {
    /// by size and pattern
    #[default]
    Auto,
    /// [`DenseLu`]: few states, or a full Jacobian
    Dense,
    /// [`BandedLu`]: a narrow band about the diagonal
    Banded,
    /// [`SparseLu`]: everything else
    Sparse,
    /// [`Gmres`](super::Gmres), with products J v alone and no matrix but the preconditioner's: very many
    /// states (see [`NewtonMatrix`](super::NewtonMatrix), which says what methods can)
    Gmres {
        /// what stands in for W
        preconditioner: Preconditioner,
    },
}

/// What stands in for W in GMRES, so that few iterations suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Preconditioner {
    /// nothing: no Jacobian is formed
    None,
    /// [`Ilu0`](super::Ilu0) of W
    #[default]
    Ilu,
    /// [`BlockJacobi`](super::BlockJacobi) of W
    BlockJacobi {
        /// rows of a block
        size: usize,
    },
}

/// W = shift M - J and its factors; see the module.
#[derive(Debug, Clone, PartialEq)]
pub struct IterationMatrix<T = f64> {
    factors: Factors<T>,
    /// where each non-zero of J goes in the entries of the factorization's matrix
    jacobian_places: Vec<u32>,
    /// where each non-zero of M does, or each one of the identity
    mass_places: Vec<u32>,
    /// M is the identity
    identity: bool,
    n: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Factors<T> {
    Dense(DenseLu<T>),
    Banded(BandedLu<T>),
    Sparse {
        lu: Box<SparseLu<T>>,
        values: Vec<T>,
    },
}

impl<T: Field> IterationMatrix<T> {
    /// Room for J of the given square pattern and M of the other (`None`: the identity).
    pub fn new(pattern: &Pattern, mass: Option<&Pattern>, choice: LinearSolver) -> Self {
        let n = pattern.columns();
        let identity = diagonal(n);
        let mass_pattern = mass.unwrap_or(&identity);
        let union = unite(pattern, mass_pattern);
        let band = Band::of(&union);
        let factors = match choice {
            // (methods that need factors refuse GMRES before they solve)
            LinearSolver::Auto | LinearSolver::Gmres { .. } => choose(n, union.non_zeros(), band),
            chosen => chosen,
        };
        let factors = match factors {
            LinearSolver::Banded => Factors::Banded(BandedLu::new(n, band.lower, band.upper)),
            LinearSolver::Sparse => Factors::Sparse {
                lu: Box::new(SparseLu::new(&union)),
                values: vec![T::from(0.0); union.non_zeros()],
            },
            _ => Factors::Dense(DenseLu::new(n)),
        };
        let places = |part: &Pattern| {
            let mut places = Vec::with_capacity(part.non_zeros());
            for column in 0..n {
                for &row in &part.rows[part.starts[column]..part.starts[column + 1]] {
                    places.push(match &factors {
                        Factors::Dense(_) => row + column * n,
                        Factors::Banded(lu) => lu.place(row, column).unwrap_or(0),
                        Factors::Sparse { .. } => place(&union, row, column),
                    } as u32);
                }
            }
            places
        };
        Self {
            jacobian_places: places(pattern),
            mass_places: places(mass_pattern),
            identity: mass.is_none(),
            factors,
            n,
        }
    }
    /// Number of rows.
    pub fn dim(&self) -> usize {
        self.n
    }
    /// The factorization in use: never [`LinearSolver::Auto`] nor [`LinearSolver::Gmres`].
    pub fn kind(&self) -> LinearSolver {
        match &self.factors {
            Factors::Dense(_) => LinearSolver::Dense,
            Factors::Banded(_) => LinearSolver::Banded,
            Factors::Sparse { .. } => LinearSolver::Sparse,
        }
    }
    /// Numbers stored for the factors (0 for sparse ones before the first factorization).
    pub fn factor_non_zeros(&self) -> usize {
        match &self.factors {
            Factors::Dense(lu) => lu.dim() * lu.dim(),
            Factors::Banded(lu) => lu.factor_non_zeros(),
            Factors::Sparse { lu, .. } => lu.factor_non_zeros(),
        }
    }

    /// How many times more numbers sparse factors will hold than W, as far as the ordering can tell; 0 for others.
    pub fn foreseen_fill(&self) -> f64 {
        match &self.factors {
            Factors::Sparse { lu, values } => lu.foreseen_non_zeros() / values.len().max(1) as f64,
            _ => 0.0,
        }
    }

    /// What it costs to factor W and to solve with the factors once, about, in multiplications by numbers that stand side by
    /// side.
    pub fn costs(&self) -> [f64; 2] {
        let numbers = match (&self.factors, self.factor_non_zeros()) {
            (Factors::Sparse { lu, .. }, 0) => lu.foreseen_non_zeros(),
            (_, numbers) => numbers as f64,
        };
        // scattered numbers are three times as dear
        let each = match &self.factors {
            Factors::Sparse { .. } => 3.0,
            _ => 1.0,
        };
        let a_column = numbers / self.n.max(1) as f64;
        [0.6 * each * numbers * a_column, 2.0 * each * numbers]
    }

    /// Whether W is so large, and its factors so full, that GMRES is the better choice for a Newton iteration.
    pub fn fills_up(&self) -> bool {
        self.n >= LARGE && self.foreseen_fill() > FILL
    }

    /// Factors W = shift M - J, with `jacobian(k)` the k-th non-zero of J in its pattern's order and `mass`
    /// the non-zeros of M likewise, `None` if and only if the pattern of M was. `false`: singular or not
    /// finite, and no solve is to be made.
    ///
    /// Allocates nothing after the first call, except where the sparse factorization must choose new pivots
    /// (see [`SparseLu::refactor`]).
    #[must_use = "a singular matrix must not be solved with"]
    #[inline]
    pub fn factor(
        &mut self,
        shift: T,
        jacobian: impl Fn(usize) -> f64,
        mass: Option<&[f64]>,
    ) -> bool {
        if mass.is_none() != self.identity {
            return false;
        }
        let entries = match &mut self.factors {
            Factors::Dense(lu) => lu.entries_mut(),
            Factors::Banded(lu) => lu.entries_mut(),
            Factors::Sparse { values, .. } => &mut values[..],
        };
        entries.fill(T::from(0.0));
        for (k, &place) in self.jacobian_places.iter().enumerate() {
            entries[place as usize] = T::from(-jacobian(k));
        }
        match mass {
            None => {
                for &place in &self.mass_places {
                    entries[place as usize] += shift;
                }
            }
            Some(mass) => {
                for (&m, &place) in mass.iter().zip(&self.mass_places) {
                    entries[place as usize] += shift.scaled(m);
                }
            }
        }
        match &mut self.factors {
            Factors::Dense(lu) => lu.factor(),
            Factors::Banded(lu) => lu.factor(),
            Factors::Sparse { lu, values } => lu.refactor(values),
        }
    }

    /// Solves W x = b in place. (Mutable, because the sparse factors keep the scratch they need.)
    #[inline]
    pub fn solve<S: Over<T>>(&mut self, b: &mut [S]) {
        match &mut self.factors {
            Factors::Dense(lu) => lu.solve(b),
            Factors::Banded(lu) => lu.solve(b),
            Factors::Sparse { lu, .. } => lu.solve(b),
        }
    }

    /// Solves W^T x = b in place (transposed, not conjugated).
    #[inline]
    pub fn solve_transposed<S: Over<T>>(&mut self, b: &mut [S]) {
        match &mut self.factors {
            Factors::Dense(lu) => lu.solve_transposed(b),
            Factors::Banded(lu) => lu.solve_transposed(b),
            Factors::Sparse { lu, .. } => lu.solve_transposed(b),
        }
    }
}

/// Diagonals that are not empty, below and above the main one.
#[derive(Debug, Clone, Copy)]
struct Band {
    lower: usize,
    upper: usize,
}

impl Band {
    fn of(pattern: &Pattern) -> Self {
        let mut band = Self { lower: 0, upper: 0 };
        for column in 0..pattern.columns() {
            for &row in &pattern.rows[pattern.starts[column]..pattern.starts[column + 1]] {
                band.lower = band.lower.max(row.saturating_sub(column));
                band.upper = band.upper.max(column.saturating_sub(row));
            }
        }
        band
    }
}

/// The pattern of the identity.
pub(super) fn diagonal(n: usize) -> Pattern {
    Pattern::from_entries(n, n, &(0..n).map(|k| (k, k)).collect::<Vec<_>>())
}

/// Where an entry of a pattern stands in its order.
pub(super) fn place(pattern: &Pattern, row: usize, column: usize) -> usize {
    let start = pattern.starts[column];
    let rows = &pattern.rows[start..pattern.starts[column + 1]];
    start + rows.partition_point(|&other| other < row)
}

/// The non-zeros of either of two square patterns of one size.
pub(super) fn unite(left: &Pattern, right: &Pattern) -> Pattern {
    let mut rows = Vec::with_capacity(left.non_zeros() + right.non_zeros());
    let mut starts = vec![0];
    for column in 0..left.columns() {
        let first = rows.len();
        for part in [left, right] {
            if column < part.columns() {
                rows.extend_from_slice(&part.rows[part.starts[column]..part.starts[column + 1]]);
            }
        }
        rows[first..].sort_unstable();
        let mut kept = first;
        for i in first..rows.len() {
            if i == first || rows[i] != rows[kept - 1] {
                rows[kept] = rows[i];
                kept += 1;
            }
        }
        rows.truncate(kept);
        starts.push(kept);
    }
    Pattern {
        height: left.height,
        starts,
        rows,
    }
}

/// States up to which a dense factorization is at least as fast as any other.
const FEW: usize = 8;

/// States from which a sparse factorization can win against a dense one.
const MANY: usize = 24;

/// Diagonals off the main one up to which a band wins against a sparse factorization even when hollow.
const NARROW: usize = 12;

/// The choice of [`LinearSolver::Auto`], after measurements; see the module.
fn choose(n: usize, non_zeros: usize, band: Band) -> LinearSolver {
    let width = band.lower + band.upper;
    if n <= FEW {
        LinearSolver::Dense
    } else if width < n && (width <= NARROW || 2 * non_zeros >= n * (width + 1)) {
        LinearSolver::Banded
    } else if n >= MANY && non_zeros <= n * n / 6 {
        LinearSolver::Sparse
    } else {
        LinearSolver::Dense
    }
}
