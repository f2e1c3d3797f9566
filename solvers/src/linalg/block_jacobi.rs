//! Block Jacobi: the diagonal blocks of a matrix as its preconditioner.
//!
//! Entries outside dense blocks of a given size along the diagonal are dropped, and each block is factored.
//! It suits systems of reactions at each point of a grid, with one block the species of a point: the stiff
//! reactions are solved exactly, the coupling of points is left to the iteration. It costs n size^2, knows
//! no neighbors, and its blocks are independent.

use crate::linalg::{DenseLu, Field, Over};
use crate::system::Pattern;

/// Factored diagonal blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockJacobi<T = f64> {
    size: usize,
    blocks: Vec<DenseLu<T>>,
    /// entries inside a block: index in the matrix's values, block, place in it
    entries: Vec<(u32, u32, u32)>,
    non_zeros: usize,
}

impl<T: Field> BlockJacobi<T> {
    /// Blocks of `size` rows (at least 1; the last one what is left) of a square pattern.
    pub fn new(pattern: &Pattern, size: usize) -> Self {
        let n = pattern.columns();
        let size = size.max(1);
        let blocks: Vec<_> = (0..n)
            .step_by(size)
            .map(|first| DenseLu::new(size.min(n - first)))
            .collect();
        let mut entries = Vec::new();
        for column in 0..n {
            for k in pattern.starts[column]..pattern.starts[column + 1] {
                let (row, block) = (pattern.rows[k], column / size);
                if row / size == block {
                    let place = row % size + (column % size) * blocks[block].dim();
                    entries.push((k as u32, block as u32, place as u32));
                }
            }
        }
        Self {
            size,
            blocks,
            entries,
            non_zeros: pattern.non_zeros(),
        }
    }

    /// Factors the blocks of a matrix with these values, in the pattern's order. `false`: a block is singular
    /// or not finite, and no solve is to be made.
    #[must_use = "a singular block must not be solved with"]
    pub fn factor(&mut self, values: &[T]) -> bool {
        if values.len() != self.non_zeros {
            return false;
        }
        for block in &mut self.blocks {
            block.entries_mut().fill(T::from(0.0));
        }
        for &(k, block, place) in &self.entries {
            self.blocks[block as usize].entries_mut()[place as usize] = values[k as usize];
        }
        self.blocks.iter_mut().all(DenseLu::factor)
    }

    /// Solves with each block, in place.
    pub fn solve<S: Over<T>>(&self, b: &mut [S]) {
        for (block, b) in self.blocks.iter().zip(b.chunks_mut(self.size)) {
            block.solve(b);
        }
    }
}
