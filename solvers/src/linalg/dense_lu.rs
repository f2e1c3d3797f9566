//! Dense LU with partial pivoting in place: P W = L U, column-major.
//!
//! nalgebra's LU takes its matrix by value and solves into fresh vectors: an allocation a factorization and
//! one a solve. A stiff solve does both at every step, so this one keeps its storage. The factors are real
//! or complex ([`Field`]); right-hand sides are whatever is linear over them ([`Over`]): a dual one goes
//! through the real factors part by part.

use crate::linalg::field::{Field, Over};

/// Returns what was done for up to a dozen rows, one number a row.
macro_rules! small {
    ($n:expr, $s:ident, $self:ident.$solve:ident($b:ident)) => {
        if $s::COMPONENTS == 1 {
            let done = match $n {
                1 => $self.$solve::<1, $s>($b),
                2 => $self.$solve::<2, $s>($b),
                3 => $self.$solve::<3, $s>($b),
                4 => $self.$solve::<4, $s>($b),
                5 => $self.$solve::<5, $s>($b),
                6 => $self.$solve::<6, $s>($b),
                7 => $self.$solve::<7, $s>($b),
                8 => $self.$solve::<8, $s>($b),
                9 => $self.$solve::<9, $s>($b),
                10 => $self.$solve::<10, $s>($b),
                11 => $self.$solve::<11, $s>($b),
                12 => $self.$solve::<12, $s>($b),
                _ => None,
            };
            if done.is_some() {
                return;
            }
        }
    };
}

/// A square matrix and, once factored, its L and U in the same storage.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseLu<T = f64> {
    n: usize,
    /// column-major; after `factor` the strict lower triangle holds L (unit diagonal), the rest U
    entries: Vec<T>,
    /// row exchanged with row k at step k
    pivots: Vec<usize>,
    /// 1 / u_kk: a factorization serves many solves, and a division costs five products
    reciprocals: Vec<T>,
}

impl<T: Field> DenseLu<T> {
    /// A zero matrix of n rows and columns.
    pub fn new(n: usize) -> Self {
        Self {
            n,
            entries: vec![T::from(0.0); n * n],
            pivots: (0..n).collect(),
            reciprocals: vec![T::from(0.0); n],
        }
    }
    /// Number of rows.
    pub fn dim(&self) -> usize {
        self.n
    }
    /// The matrix to be factored, column-major: entry (row, column) at `row + column * n`.
    pub fn entries_mut(&mut self) -> &mut [T] {
        &mut self.entries
    }

    /// Factors the matrix in place. `false`: a pivot is 0 or not finite, and no solve is to be made.
    #[must_use = "a singular matrix must not be solved with"]
    pub fn factor(&mut self) -> bool {
        // with the number of rows a constant the loops have known lengths
        match self.n {
            1 => self.factor_of(1),
            2 => self.factor_of(2),
            3 => self.factor_of(3),
            4 => self.factor_of(4),
            5 => self.factor_of(5),
            6 => self.factor_of(6),
            7 => self.factor_of(7),
            8 => self.factor_of(8),
            n => self.factor_of(n),
        }
    }

    #[inline(always)]
    fn factor_of(&mut self, n: usize) -> bool {
        for k in 0..n {
            let column = &self.entries[k * n..(k + 1) * n];
            let mut pivot = k;
            for row in k + 1..n {
                if column[row].magnitude() > column[pivot].magnitude() {
                    pivot = row;
                }
            }
            let value = column[pivot];
            let reciprocal = value.reciprocal();
            // a pivot of 0 or beyond what has a reciprocal
            if !value.is_finite() || !reciprocal.is_finite() {
                return false;
            }
            self.pivots[k] = pivot;
            self.reciprocals[k] = reciprocal;
            if pivot != k {
                for j in 0..n {
                    self.entries.swap(k + j * n, pivot + j * n);
                }
            }
            let (left, right) = self.entries.split_at_mut((k + 1) * n);
            let multipliers = &mut left[k * n + k + 1..];
            for l in multipliers.iter_mut() {
                *l *= reciprocal;
            }
            for j in 0..n - k - 1 {
                let (top, below) = right[j * n..(j + 1) * n].split_at_mut(k + 1);
                let u = top[k];
                // models have sparse Jacobians: many columns need no update
                if u != T::from(0.0) {
                    for (b, l) in below.iter_mut().zip(multipliers.iter()) {
                        *b -= *l * u;
                    }
                }
            }
        }
        // a NaN left of its pivot's comparison ends up in U or L
        self.entries.iter().all(|e| e.is_finite())
    }

    /// Solves W x = b in place.
    pub fn solve<S: Over<T>>(&self, b: &mut [S]) {
        small!(self.n, S, self.solve_sized(b));
        let n = self.n;
        for (k, &pivot) in self.pivots.iter().enumerate() {
            b.swap(k, pivot);
        }
        // models have sparse Jacobians, and a comparison costs less than the product of a dual number
        let skip = |factor: T| S::COMPONENTS > 1 && factor == T::from(0.0);
        for j in 0..n {
            let column = &self.entries[j * n..(j + 1) * n];
            let (known, rest) = b.split_at_mut(j + 1);
            for (r, &l) in rest.iter_mut().zip(&column[j + 1..]) {
                if !skip(l) {
                    *r = r.minus_product(known[j], l);
                }
            }
        }
        for j in (0..n).rev() {
            let column = &self.entries[j * n..(j + 1) * n];
            let (rest, known) = b.split_at_mut(j);
            known[0] = known[0].times(self.reciprocals[j]);
            for (r, &u) in rest.iter_mut().zip(column) {
                if !skip(u) {
                    *r = r.minus_product(known[0], u);
                }
            }
        }
    }

    /// The same in the same order for a number of rows known at compile time: the loops unroll, and b stays in registers.
    #[inline(never)]
    fn solve_sized<const N: usize, S: Over<T>>(&self, b: &mut [S]) -> Option<()> {
        let (columns, pivots, reciprocals) = self.sized::<N>()?;
        let b = b.first_chunk_mut::<N>()?;
        for (k, &pivot) in pivots.iter().enumerate() {
            b.swap(k, pivot);
        }
        let mut x = *b;
        for j in 0..N {
            let known = x[j];
            for i in j + 1..N {
                x[i] = x[i].minus_product(known, columns[j][i]);
            }
        }
        for j in (0..N).rev() {
            let known = x[j].times(reciprocals[j]);
            x[j] = known;
            for i in 0..j {
                x[i] = x[i].minus_product(known, columns[j][i]);
            }
        }
        *b = x;
        Some(())
    }

    #[inline]
    #[expect(clippy::type_complexity, reason = "three arrays, taken apart at once")]
    fn sized<const N: usize>(&self) -> Option<(&[[T; N]; N], &[usize; N], &[T; N])> {
        let columns = self.entries.as_chunks::<N>().0.first_chunk::<N>()?;
        let pivots = self.pivots.first_chunk::<N>()?;
        Some((columns, pivots, self.reciprocals.first_chunk::<N>()?))
    }

    #[inline(never)]
    fn solve_transposed_sized<const N: usize, S: Over<T>>(&self, b: &mut [S]) -> Option<()> {
        let (columns, pivots, reciprocals) = self.sized::<N>()?;
        let b = b.first_chunk_mut::<N>()?;
        let mut x = *b;
        for j in 0..N {
            let sum = (0..j).fold(x[j], |sum, i| sum.minus_product(x[i], columns[j][i]));
            x[j] = sum.times(reciprocals[j]);
        }
        for j in (0..N).rev() {
            x[j] = (j + 1..N).fold(x[j], |sum, i| sum.minus_product(x[i], columns[j][i]));
        }
        *b = x;
        for (k, &pivot) in pivots.iter().enumerate().rev() {
            b.swap(k, pivot);
        }
        Some(())
    }

    /// Solves W^T x = b in place.
    pub fn solve_transposed<S: Over<T>>(&self, b: &mut [S]) {
        small!(self.n, S, self.solve_transposed_sized(b));
        let n = self.n;
        for j in 0..n {
            let column = &self.entries[j * n..(j + 1) * n];
            let (known, rest) = b.split_at_mut(j);
            let sum = known
                .iter()
                .zip(column)
                .fold(rest[0], |sum, (&x, &u)| sum.minus_product(x, u));
            rest[0] = sum.times(self.reciprocals[j]);
        }
        for j in (0..n).rev() {
            let column = &self.entries[j * n..(j + 1) * n];
            let (rest, known) = b.split_at_mut(j + 1);
            rest[j] = known
                .iter()
                .zip(&column[j + 1..])
                .fold(rest[j], |sum, (&x, &l)| sum.minus_product(x, l));
        }
        for (k, &pivot) in self.pivots.iter().enumerate().rev() {
            b.swap(k, pivot);
        }
    }
}
