//! Sparse LU with a pattern that stays and values that change.
//!
//! ```text
//! P R W Q = B,   B block upper triangular,   B_bb = L_b U_b
//! ```
//!
//! R scales rows by powers of two (so that scaling rounds nothing) to a largest entry between 1 and 2. The
//! order of elimination is found once (`ordering`): a maximum transversal, the strongly connected
//! components as blocks, minimum degree within each. The first factorization chooses the pivots (`pivoting`,
//! left-looking, threshold partial pivoting that prefers the diagonal); later ones keep them and only
//! compute (`numeric`, on the storage of `supernodes`), and allocate nothing.
//!
//! Kept pivots are checked in every column, and chosen anew where they became bad; see
//! [`SparseLu::refactor`]. So a factorization that is returned is one that pivoting for its very values could
//! have made.
//!
//! Cost: in proportion to the arithmetic. The 5-point grid of 100 by 100 has 10,000 unknowns and about
//! 400,000 numbers in its factors. Use it for matrices with few entries a row; a small or full
//! one is faster in a [`DenseLu`](super::DenseLu), one with a narrow band in a
//! [`BandedLu`](super::BandedLu), and [`IterationMatrix`](super::IterationMatrix) chooses.
//!
//! The plan is that of KLU: T. A. Davis and E. Palamadai Natarajan, Algorithm 907: KLU, a direct sparse
//! solver for circuit simulation problems, ACM TOMS 37 (2010), doi 10.1145/1824801.1824814.

mod block_triangular;
mod matching;
mod numeric;
mod ordering;
mod pivoting;
mod solve;
mod supernodes;

use crate::linalg::field::Field;
use crate::system::Pattern;
use numeric::{Guard, Numbers};
use ordering::Ordering;
use pivoting::{Entries, Factors, choose_pivots};
use supernodes::Structure;

/// The diagonal is taken for a pivot from this size relative to the largest candidate on: first KLU's
/// value, for least fill; a stricter one where that lets numbers grow too much.
const DIAGONAL_PREFERENCES: [f64; 3] = [1e-3, 0.1, 1.0];

/// A kept pivot is good from half the first on: what was just chosen is not refused for a rounding.
const KEPT_PIVOT: f64 = 0.5 * DIAGONAL_PREFERENCES[0];

/// Growth accepted without a question. With L no larger than 1 / preference it bounds the backward error by
/// 1e5 n eps; what is usual is n eps.
const GROWTH: f64 = 100.0;

/// A factorization of a square matrix with a fixed sparse pattern; see the module.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseLu<T = f64> {
    pattern: Pattern,
    /// `None`: singular whatever the values
    ordering: Option<Ordering>,
    /// the original row and column at each position; rows in the order of the pivots
    rows: Vec<u32>,
    columns: Vec<u32>,
    /// entries of the diagonal blocks, and those above them, by position
    entries: Entries,
    off_block: Entries,
    off_block_values: Vec<T>,
    /// row scales by position
    scale: Vec<f64>,
    structure: Structure,
    numbers: Numbers<T>,
    /// first supernode of each block, and their number
    nodes_of_block: Vec<u32>,
    /// growth up to which the kept pivots are good
    growth: f64,
    /// pivots have been chosen
    chosen: bool,
    pivotings: usize,
    /// a right-hand side in the order of the pivots; its last place is for rows that fill up a chunk
    work: Vec<T>,
}

impl<T: Field> SparseLu<T> {
    /// Analyzes a square pattern (rows ascending in each column). Entries that a model leaves 0 may be in it.
    pub fn new(pattern: &Pattern) -> Self {
        let n = pattern.columns();
        let ordering = if pattern.height == n {
            ordering::order(pattern)
        } else {
            None
        };
        Self {
            pattern: pattern.clone(),
            ordering,
            rows: Vec::new(),
            columns: Vec::new(),
            entries: Entries::default(),
            off_block: Entries::default(),
            off_block_values: Vec::new(),
            scale: vec![1.0; n],
            structure: Structure::default(),
            numbers: Numbers::empty(),
            nodes_of_block: Vec::new(),
            growth: GROWTH,
            chosen: false,
            pivotings: 0,
            work: vec![T::from(0.0); n + 1],
        }
    }
    /// Number of rows.
    pub fn dim(&self) -> usize {
        self.pattern.columns()
    }
    /// Whether no values can make the matrix regular.
    pub fn is_structurally_singular(&self) -> bool {
        self.ordering.is_none()
    }
    /// Number of diagonal blocks of the block triangular form.
    pub fn blocks(&self) -> usize {
        self.ordering.as_ref().map_or(0, |o| o.blocks.len() - 1)
    }
    /// Numbers stored for the factors and the entries above the blocks; 0 before the first factorization.
    pub fn factor_non_zeros(&self) -> usize {
        self.structure.diagonal_length
            + supernodes::CHUNK * self.structure.panel_length
            + self.numbers.upper.len()
            + self.off_block_values.len()
    }
    /// Numbers in the factors of the large diagonal blocks as the ordering foresees them, before any factorization.
    pub fn foreseen_non_zeros(&self) -> f64 {
        self.ordering.as_ref().map_or(0.0, |o| 2.0 * o.below)
    }
    /// How often pivots were chosen so far: 1 after the first factorization, more where kept ones went bad.
    pub fn pivotings(&self) -> usize {
        self.pivotings
    }

    /// Factors with pivots chosen for these values, which lie in the pattern's order. `false`: singular or
    /// not finite, and no solve is to be made.
    ///
    /// Pivots are chosen with a preference for the diagonal. Where that lets numbers grow too much they are
    /// chosen again with less of it, at last for size alone.
    #[must_use = "a singular matrix must not be solved with"]
    pub fn factor(&mut self, values: &[T]) -> bool {
        if values.len() != self.pattern.non_zeros() {
            return false;
        }
        let Some(ordering) = self.ordering.take() else {
            return false;
        };
        self.chosen = false;
        for threshold in DIAGONAL_PREFERENCES {
            let growth = self.factor_with(&ordering, values, threshold);
            self.chosen = growth.is_some();
            self.growth = growth.map_or(GROWTH, |growth| (10.0 * growth).max(GROWTH));
            if growth.is_some_and(|growth| growth <= GROWTH) {
                break;
            }
        }
        self.ordering = Some(ordering);
        self.chosen
    }

    /// Factors with the pivots of the last factorization, or, where these are bad for the new values, as
    /// [`factor`](Self::factor) does. `false`: singular or not finite.
    ///
    /// Bad is a pivot much smaller than another candidate of its column, or numbers that grow beyond 100
    /// times those of their column of the matrix (or ten times what the best pivots could do). Nothing is allocated unless pivots are chosen anew.
    #[must_use = "a singular matrix must not be solved with"]
    pub fn refactor(&mut self, values: &[T]) -> bool {
        if !self.chosen {
            return self.factor(values);
        }
        if values.len() != self.pattern.non_zeros() || !self.rescale(values) {
            return false;
        }
        let guard = Guard {
            pivot: KEPT_PIVOT,
            growth: self.growth,
        };
        self.compute(values, guard).is_some() || self.factor(values)
    }

    /// Chooses pivots and computes; the growth, or `None`: singular.
    fn factor_with(&mut self, ordering: &Ordering, values: &[T], threshold: f64) -> Option<f64> {
        let n = ordering.columns.len();
        // rows by the position of the column they are matched with
        self.rows.clone_from(&ordering.rows);
        self.columns.clone_from(&ordering.columns);
        let mut position = vec![0; n];
        for (k, &row) in self.rows.iter().enumerate() {
            position[row as usize] = k as u32;
        }
        self.split_entries(ordering, &position);
        if !self.rescale(values) {
            return None;
        }
        self.pivotings += 1;
        let factors = choose_pivots(
            &self.entries,
            &ordering.blocks,
            values,
            &self.scale,
            threshold,
        )?;
        self.adopt(ordering, &factors);
        // the pivots just chosen hold; what can still go wrong is arithmetic that does not stay finite
        let guard = Guard {
            pivot: 0.0,
            growth: f64::INFINITY,
        };
        self.rescale(values);
        self.compute(values, guard)
    }

    /// Sorts the matrix's entries into those within the blocks and those above.
    fn split_entries(&mut self, ordering: &Ordering, position: &[u32]) {
        let (mut inside, mut above) = (Entries::default(), Entries::default());
        inside.starts.push(0);
        above.starts.push(0);
        for block in ordering.blocks.windows(2) {
            for &column in &ordering.columns[block[0] as usize..block[1] as usize] {
                let column = column as usize;
                for source in self.pattern.starts[column]..self.pattern.starts[column + 1] {
                    let row = position[self.pattern.rows[source]];
                    let part = if row < block[0] {
                        &mut above
                    } else {
                        &mut inside
                    };
                    part.rows.push(row);
                    part.sources.push(source as u32);
                }
                inside.starts.push(inside.rows.len() as u32);
                above.starts.push(above.rows.len() as u32);
            }
        }
        self.off_block_values = vec![T::from(0.0); above.rows.len()];
        self.entries = inside;
        self.off_block = above;
    }

    /// Puts rows in the order of the pivots and makes room for the factors.
    fn adopt(&mut self, ordering: &Ordering, factors: &Factors) {
        let matched = std::mem::take(&mut self.rows);
        self.rows = vec![0; matched.len()];
        for (&row, &k) in matched.iter().zip(&factors.position) {
            self.rows[k as usize] = row;
        }
        for row in (self.entries.rows.iter_mut()).chain(&mut self.off_block.rows) {
            *row = factors.position[*row as usize];
        }
        self.structure = Structure::new(factors, &ordering.blocks);
        self.numbers = Numbers::new(&self.structure, matched.len());
        self.nodes_of_block.clear();
        let mut blocks = ordering.blocks.iter().peekable();
        for (i, node) in self.structure.supernodes.iter().enumerate() {
            if blocks.next_if_eq(&&node.first).is_some() {
                self.nodes_of_block.push(i as u32);
            }
        }
        self.nodes_of_block
            .push(self.structure.supernodes.len() as u32);
    }

    /// Computes the row scales; `false` where a row is 0 or not finite.
    fn rescale(&mut self, values: &[T]) -> bool {
        self.scale.fill(0.0);
        for entries in [&self.entries, &self.off_block] {
            for (&row, &source) in entries.rows.iter().zip(&entries.sources) {
                let size = values[source as usize].magnitude();
                let scale = &mut self.scale[row as usize];
                // a NaN replaces and stays
                if size > *scale || size.is_nan() {
                    *scale = size;
                }
            }
        }
        let mut sound = true;
        for scale in &mut self.scale {
            sound &= *scale > 0.0 && scale.is_finite();
            *scale = inverse_power_of_two(*scale);
        }
        sound
    }

    fn compute(&mut self, values: &[T], guard: Guard) -> Option<f64> {
        let places = self.off_block.rows.iter().zip(&self.off_block.sources);
        for (value, (&row, &source)) in self.off_block_values.iter_mut().zip(places) {
            *value = values[source as usize].scaled(self.scale[row as usize]);
        }
        let entries = &self.entries;
        self.numbers
            .compute(&self.structure, entries, values, &self.scale, guard)
    }
}

/// The inverse of the largest power of two not above a positive number (within the exponents of a float).
fn inverse_power_of_two(size: f64) -> f64 {
    const EXPONENT_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    const TWICE_BIAS: u64 = 2 * (f64::MAX_EXP as u64 - 1);
    let exponent = (size.to_bits() >> EXPONENT_BITS) & 0x7FF;
    f64::from_bits(TWICE_BIAS.saturating_sub(exponent).max(1) << EXPONENT_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_powers_of_two() {
        for size in [
            1.0,
            1.5,
            3.0,
            1e-300,
            1e300,
            f64::MIN_POSITIVE,
            5e-324,
            f64::MAX,
        ] {
            let scale = inverse_power_of_two(size);
            assert_eq!(scale.to_bits() << 12, 0, "{size}");
            assert!(scale.is_normal() && size * scale < 4.0, "{size} {scale}");
            if size.is_normal() {
                assert!(size * scale >= 1.0);
            }
        }
    }
}
