//! The choice of pivots: left-looking LU of Gilbert and Peierls.
//!
//! Column k of L and U is the solution of a triangular system with the columns already found,
//! `L x = A(:, k)`. Which x are not zero is a question of reach: from the rows of A(:, k) along the
//! columns of L, found by depth-first search in time proportional to the arithmetic itself. Of the rows
//! without pivot the diagonal one is taken if it is at least `threshold` times the largest, because the
//! fill-reducing order was made for the diagonal; otherwise the largest.
//!
//! Only the pivots and the patterns are kept: they serve `supernodes`, on whose storage the
//! numbers are then computed, the first time as every time.
//!
//! J. R. Gilbert and T. Peierls, Sparse partial pivoting in time proportional to arithmetic operations, SIAM
//! J. Sci. Stat. Comput. 9 (1988), doi 10.1137/0909058; T. A. Davis and E. Palamadai Natarajan, Algorithm
//! 907: KLU, ACM TOMS 37 (2010), doi 10.1145/1824801.1824814.

use crate::linalg::field::Field;

const NONE: u32 = u32::MAX;

/// A matrix in compressed columns by position: entry `source` of the caller's values at each row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entries {
    pub starts: Vec<u32>,
    pub rows: Vec<u32>,
    pub sources: Vec<u32>,
}

impl Entries {
    /// Range of the entries of column k.
    #[inline]
    pub fn column(&self, k: usize) -> std::ops::Range<usize> {
        self.starts[k] as usize..self.starts[k + 1] as usize
    }
}

/// Patterns of the factors; rows are positions in pivot order, ascending, without the diagonal.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    /// the pivot position of each row
    pub position: Vec<u32>,
    pub lower_starts: Vec<usize>,
    pub lower: Vec<u32>,
    pub upper_starts: Vec<usize>,
    pub upper: Vec<u32>,
}

/// Factors the diagonal blocks of the matrix with entries `entries` and row scales `scale`, for its
/// pivots. `None`: a column without a pivot, or one that is not finite.
pub fn choose_pivots<T: Field>(
    entries: &Entries,
    blocks: &[u32],
    values: &[T],
    scale: &[f64],
    threshold: f64,
) -> Option<Factors> {
    let n = scale.len();
    let mut position = vec![NONE; n];
    let mut pivot_rows = vec![NONE; n];
    let (mut lower_starts, mut lower, mut numbers) = (vec![0], Vec::new(), Vec::<T>::new());
    let (mut upper_starts, mut upper) = (vec![0], Vec::new());
    // the row each column would like for a pivot, and the column that would like each row
    let mut diagonal: Vec<u32> = (0..n as u32).collect();
    let mut suitor: Vec<u32> = (0..n as u32).collect();
    let mut x = vec![T::from(0.0); n];
    let mut mark = vec![NONE; n];
    let mut path: Vec<(u32, usize)> = Vec::new();
    // pivoted rows reached, in postorder: the reverse of an order of elimination
    let mut reached: Vec<u32> = Vec::new();
    for block in blocks.windows(2) {
        for k in block[0]..block[1] {
            reached.clear();
            let first_lower = lower.len();
            for e in entries.column(k as usize) {
                let root = entries.rows[e];
                x[root as usize] = values[entries.sources[e] as usize].scaled(scale[root as usize]);
                if mark[root as usize] == k {
                    continue;
                }
                mark[root as usize] = k;
                match position[root as usize] {
                    NONE => lower.push(root),
                    j => path.push((root, lower_starts[j as usize])),
                }
                while let Some((row, next)) = path.last_mut() {
                    let j = position[*row as usize] as usize;
                    if *next == lower_starts[j + 1] {
                        reached.push(*row);
                        path.pop();
                        continue;
                    }
                    let child = lower[*next];
                    *next += 1;
                    if mark[child as usize] != k {
                        mark[child as usize] = k;
                        match position[child as usize] {
                            NONE => lower.push(child),
                            c => path.push((child, lower_starts[c as usize])),
                        }
                    }
                }
            }
            for &row in reached.iter().rev() {
                let j = position[row as usize] as usize;
                let u = x[row as usize];
                x[row as usize] = T::from(0.0);
                let column = lower_starts[j]..lower_starts[j + 1];
                for (&row, &l) in lower[column.clone()].iter().zip(&numbers[column]) {
                    x[row as usize] -= l * u;
                }
                upper.push(j as u32);
            }
            upper_starts.push(upper.len());

            let candidates = &lower[first_lower..];
            let mut pivot = *candidates.first()?;
            for &row in candidates {
                // a NaN wins, and is found below
                let (size, best) = (x[row as usize].magnitude(), x[pivot as usize].magnitude());
                if size > best || size.is_nan() {
                    pivot = row;
                }
            }
            let preferred = diagonal[k as usize];
            let largest = x[pivot as usize].magnitude();
            if position[preferred as usize] == NONE
                && mark[preferred as usize] == k
                && x[preferred as usize].magnitude() >= threshold * largest
                && largest.is_finite()
            {
                pivot = preferred;
            }
            let value = x[pivot as usize];
            let reciprocal = value.reciprocal();
            if !value.is_finite() || !reciprocal.is_finite() {
                return None;
            }
            if pivot != preferred {
                // the column that wanted this row gets what this column leaves
                let other = suitor[pivot as usize];
                diagonal[other as usize] = preferred;
                suitor[preferred as usize] = other;
                diagonal[k as usize] = pivot;
                suitor[pivot as usize] = k;
            }
            position[pivot as usize] = k;
            pivot_rows[k as usize] = pivot;
            let mut kept = first_lower;
            for i in first_lower..lower.len() {
                let row = lower[i];
                let value = x[row as usize];
                x[row as usize] = T::from(0.0);
                if row != pivot {
                    lower[kept] = row;
                    kept += 1;
                    numbers.push(value * reciprocal);
                }
            }
            lower.truncate(kept);
            lower_starts.push(kept);
        }
    }
    for row in &mut lower {
        *row = position[*row as usize];
    }
    for (starts, rows) in [(&lower_starts, &mut lower), (&upper_starts, &mut upper)] {
        for range in starts.windows(2) {
            rows[range[0]..range[1]].sort_unstable();
        }
    }
    Some(Factors {
        position,
        lower_starts,
        lower,
        upper_starts,
        upper,
    })
}
