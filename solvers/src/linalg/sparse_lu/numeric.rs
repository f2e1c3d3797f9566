//! The numbers of the factors, for pivots already chosen.
//!
//! Column by column of the permuted and row-scaled matrix, left-looking: x = A(:, k) is scattered into a
//! dense column; each segment of U, in ascending order, is solved with the diagonal block of its supernode
//! and its product with the panel subtracted from x; what remains on and below the diagonal is the pivot
//! and L times it.
//!
//! Pivots that were good for other values may be bad for these, and nothing in the numbers would look
//! wrong. So each column is watched: its pivot beside the candidates it would have had to beat, and the
//! largest number of the column beside the largest of A(:, k), the growth that bounds the backward error
//! (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 2002, section 9.3). [`Guard`]
//! says how much is too much.

use super::pivoting::Entries;
use super::supernodes::{CHUNK, Structure};
use crate::linalg::field::Field;

/// What a factorization with given pivots must satisfy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guard {
    /// least size of a pivot relative to the largest candidate of its column
    pub pivot: f64,
    /// largest number of a column relative to the largest of the matrix's column
    pub growth: f64,
}

/// The numbers of the factors, in the places of a [`Structure`], and scratch to compute them.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers<T> {
    pub diagonal: Vec<T>,
    pub panels: Vec<[T; CHUNK]>,
    pub upper: Vec<T>,
    pub reciprocals: Vec<T>,
    /// the column at work; its last place stands for the rows that fill up a chunk
    pub x: Vec<T>,
}

/// The largest of some sizes. As whole numbers floats that are not negative order like themselves, and a
/// NaN is larger than all: it cannot hide.
#[derive(Clone, Copy)]
struct Largest(u64);

impl Largest {
    #[inline]
    fn see<T: Field>(&mut self, value: T) {
        self.0 = self.0.max(value.magnitude().to_bits());
    }
    fn size(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl<T: Field> Numbers<T> {
    /// Of no matrix yet.
    pub fn empty() -> Self {
        Self {
            diagonal: Vec::new(),
            panels: Vec::new(),
            upper: Vec::new(),
            reciprocals: Vec::new(),
            x: Vec::new(),
        }
    }

    /// Room for the numbers of a structure on n columns.
    pub fn new(structure: &Structure, n: usize) -> Self {
        let zero = T::from(0.0);
        Self {
            diagonal: vec![zero; structure.diagonal_length],
            panels: vec![[zero; CHUNK]; structure.panel_length],
            upper: vec![zero; structure.upper_starts[n]],
            reciprocals: vec![zero; n],
            x: vec![zero; n + 1],
        }
    }

    /// Computes the numbers; the largest growth, or `None` where the guard or arithmetic forbids.
    pub fn compute(
        &mut self,
        structure: &Structure,
        entries: &Entries,
        values: &[T],
        scale: &[f64],
        guard: Guard,
    ) -> Option<f64> {
        let growth = self.columns(structure, entries, values, scale, guard);
        if growth.is_none() {
            self.x.fill(T::from(0.0));
        }
        growth
    }

    fn columns(
        &mut self,
        structure: &Structure,
        entries: &Entries,
        values: &[T],
        scale: &[f64],
        guard: Guard,
    ) -> Option<f64> {
        let zero = T::from(0.0);
        let mut worst = 0.0_f64;
        let x = &mut self.x[..];
        let mut upper = &mut self.upper[..];
        for node in &structure.supernodes {
            let (first, end, width) = (node.first as usize, node.end as usize, node.width());
            let (blocks, block) = self.diagonal.split_at_mut(node.diagonal);
            let block = &mut block[..width * width];
            let (panels, panel) = self.panels.split_at_mut(node.panel);
            let rows = &structure.rows[node.row_chunks()];
            for k in first..end {
                let mut given = Largest(0);
                for e in entries.column(k) {
                    let row = entries.rows[e] as usize;
                    let value = values[entries.sources[e] as usize].scaled(scale[row]);
                    given.see(value);
                    x[row] = value;
                }

                let mut found = Largest(0);
                for segment in &structure.segments[structure.column_segments(k)] {
                    let source = &structure.supernodes[segment.supernode as usize];
                    let width = source.width();
                    let range = segment.rows();
                    let skip = width - range.len();
                    let (u, rest) = upper.split_at_mut(range.len());
                    upper = rest;
                    let column = &mut x[range];
                    let block = &blocks[source.diagonal..source.diagonal + width * width];
                    solve_unit_lower(column, block, width, skip);
                    for (u, x) in u.iter_mut().zip(column) {
                        found.see(*x);
                        *u = std::mem::replace(x, zero);
                    }
                    let rows = &structure.rows[source.row_chunks()];
                    let panel = &panels[source.panel..source.panel + rows.len() * width];
                    subtract_panel(x, rows, panel, width, skip, u);
                }

                // the supernode's own columns before k
                let before = k - first;
                eliminate_unit_lower(&mut x[first..end], block, width, before);
                let column = &mut block[before * width..(before + 1) * width];
                let pivot = x[k];
                let reciprocal = pivot.reciprocal();
                self.reciprocals[k] = reciprocal;
                for (u, x) in column.iter_mut().zip(&mut x[first..k]) {
                    found.see(*x);
                    *u = std::mem::replace(x, zero);
                }
                let mut candidates = Largest(0);
                for (l, x) in column[before..].iter_mut().zip(&mut x[k..end]) {
                    candidates.see(*x);
                    *l = std::mem::replace(x, zero) * reciprocal;
                }
                column[before] = pivot;
                let u = &column[..before];
                let mut panel = &mut panel[..rows.len() * width];
                for rows in rows {
                    let (columns, rest) = panel.split_at_mut(width);
                    panel = rest;
                    let sum = combination(columns, u);
                    let chunk = &mut columns[before];
                    for ((l, &row), sum) in chunk.iter_mut().zip(rows).zip(sum) {
                        let value = std::mem::replace(&mut x[row as usize], zero) - sum;
                        candidates.see(value);
                        *l = value * reciprocal;
                    }
                }

                let size = pivot.magnitude();
                let growth = found.size().max(candidates.size()) / given.size();
                // (each comparison is false of a NaN; those of `found` and `candidates` must be seen before
                // `max` drops them)
                let sound = found.size().is_finite()
                    && candidates.size().is_finite()
                    && reciprocal.is_finite()
                    && size >= guard.pivot * candidates.size()
                    && growth <= guard.growth;
                if !sound {
                    return None;
                }
                worst = worst.max(growth);
            }
        }
        Some(worst)
    }
}

/// Solves with the unit lower triangle of a block, without its first `skip` columns and rows.
#[inline]
fn solve_unit_lower<T: Field>(x: &mut [T], block: &[T], width: usize, skip: usize) {
    for c in 0..x.len() - 1 {
        let column = &block[(skip + c) * width..(skip + c + 1) * width];
        let (known, rest) = x.split_at_mut(c + 1);
        for (x, &l) in rest.iter_mut().zip(&column[skip + c + 1..]) {
            *x -= l * known[c];
        }
    }
}

/// Eliminates with the first `count` columns of the unit lower triangle of a block.
#[inline]
fn eliminate_unit_lower<T: Field>(x: &mut [T], block: &[T], width: usize, count: usize) {
    for c in 0..count {
        let column = &block[c * width..(c + 1) * width];
        let (known, rest) = x.split_at_mut(c + 1);
        for (x, &l) in rest.iter_mut().zip(&column[c + 1..]) {
            *x -= l * known[c];
        }
    }
}

/// The combination of a chunk's columns with weights `u`.
#[inline]
fn combination<T: Field>(columns: &[[T; CHUNK]], u: &[T]) -> [T; CHUNK] {
    let mut sum = [T::from(0.0); CHUNK];
    for (l, &u) in columns.iter().zip(u) {
        for (sum, &l) in sum.iter_mut().zip(l) {
            *sum += l * u;
        }
    }
    sum
}

/// x -= (panel without its first `skip` columns) u, at the panel's rows.
#[inline]
fn subtract_panel<T: Field>(
    x: &mut [T],
    rows: &[[u32; CHUNK]],
    mut panel: &[[T; CHUNK]],
    width: usize,
    skip: usize,
    u: &[T],
) {
    for rows in rows {
        let (columns, rest) = panel.split_at(width);
        panel = rest;
        let sum = combination(&columns[skip..], u);
        for (&row, sum) in rows.iter().zip(sum) {
            x[row as usize] -= sum;
        }
    }
}
