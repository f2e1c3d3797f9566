//! Solves with the factors, one component of the right-hand side at a time.
//!
//! With row scales R, the permuted matrix is B = P R W Q, block upper triangular with B_bb = L_b U_b on its
//! diagonal. W x = b is B (Q^T x) = P R b, solved from the last block to the first; W^T x = b is
//! B^T (P R^-1 x) = Q^T b, solved from the first to the last.

use super::SparseLu;
use super::numeric::Numbers;
use super::supernodes::{CHUNK, Structure, Supernode};
use crate::linalg::field::{Field, Over};

impl<T: Field> SparseLu<T> {
    /// Solves W x = b in place.
    pub fn solve<S: Over<T>>(&mut self, b: &mut [S]) {
        for component in 0..S::COMPONENTS {
            for ((y, &row), &scale) in self.work.iter_mut().zip(&self.rows).zip(&self.scale) {
                *y = b[row as usize].component(component).scaled(scale);
            }
            for range in self.nodes_of_block.windows(2).rev() {
                let range = range[0] as usize..range[1] as usize;
                let nodes = &self.structure.supernodes[range];
                forward(&self.structure, &self.numbers, nodes, &mut self.work);
                backward(&self.structure, &self.numbers, nodes, &mut self.work);
                if self.off_block.rows.is_empty() {
                    continue;
                }
                for k in columns(nodes) {
                    let x = self.work[k];
                    let range = self.off_block.column(k);
                    let rows = &self.off_block.rows[range.clone()];
                    for (&row, &value) in rows.iter().zip(&self.off_block_values[range]) {
                        self.work[row as usize] -= value * x;
                    }
                }
            }
            for (&x, &column) in self.work.iter().zip(&self.columns) {
                let b = &mut b[column as usize];
                *b = b.with_component(component, x);
            }
        }
    }

    /// Solves W^T x = b in place (transposed, not conjugated).
    pub fn solve_transposed<S: Over<T>>(&mut self, b: &mut [S]) {
        for component in 0..S::COMPONENTS {
            for (y, &column) in self.work.iter_mut().zip(&self.columns) {
                *y = b[column as usize].component(component);
            }
            for range in self.nodes_of_block.windows(2) {
                let range = range[0] as usize..range[1] as usize;
                let nodes = &self.structure.supernodes[range];
                if !self.off_block.rows.is_empty() {
                    for k in columns(nodes) {
                        let range = self.off_block.column(k);
                        let rows = &self.off_block.rows[range.clone()];
                        let mut sum = self.work[k];
                        for (&row, &value) in rows.iter().zip(&self.off_block_values[range]) {
                            sum -= value * self.work[row as usize];
                        }
                        self.work[k] = sum;
                    }
                }
                forward_transposed(&self.structure, &self.numbers, nodes, &mut self.work);
                backward_transposed(&self.structure, &self.numbers, nodes, &mut self.work);
            }
            let places = self.rows.iter().zip(&self.scale);
            for (&x, (&row, &scale)) in self.work.iter().zip(places) {
                let b = &mut b[row as usize];
                *b = b.with_component(component, x.scaled(scale));
            }
        }
    }
}

/// The columns of some neighboring supernodes.
fn columns(nodes: &[Supernode]) -> std::ops::Range<usize> {
    match (nodes.first(), nodes.last()) {
        (Some(first), Some(last)) => first.first as usize..last.end as usize,
        _ => 0..0,
    }
}

/// L y = y
fn forward<T: Field>(
    structure: &Structure,
    numbers: &Numbers<T>,
    nodes: &[Supernode],
    y: &mut [T],
) {
    for node in nodes {
        let (first, end, width) = (node.first as usize, node.end as usize, node.width());
        let block = &numbers.diagonal[node.diagonal..node.diagonal + width * width];
        for c in 0..width - 1 {
            let column = &block[c * width..(c + 1) * width];
            let (known, rest) = y[first + c..end].split_at_mut(1);
            for (y, &l) in rest.iter_mut().zip(&column[c + 1..]) {
                *y -= l * known[0];
            }
        }
        let (known, rest) = y.split_at_mut(end);
        let known = &known[first..];
        let rows = &structure.rows[node.row_chunks()];
        let panel = &numbers.panels[node.panel..node.panel + rows.len() * width];
        for (rows, columns) in rows.iter().zip(panel.chunks_exact(width)) {
            let mut sum = [T::from(0.0); CHUNK];
            for (l, &x) in columns.iter().zip(known) {
                for (sum, &l) in sum.iter_mut().zip(l) {
                    *sum += l * x;
                }
            }
            for (&row, sum) in rows.iter().zip(sum) {
                rest[row as usize - end] -= sum;
            }
        }
    }
}

/// U y = y
fn backward<T: Field>(
    structure: &Structure,
    numbers: &Numbers<T>,
    nodes: &[Supernode],
    y: &mut [T],
) {
    for node in nodes.iter().rev() {
        let (first, end, width) = (node.first as usize, node.end as usize, node.width());
        let block = &numbers.diagonal[node.diagonal..node.diagonal + width * width];
        for k in (first..end).rev() {
            let column = &block[(k - first) * width..(k - first + 1) * width];
            let x = y[k] * numbers.reciprocals[k];
            y[k] = x;
            for (y, &u) in y[first..k].iter_mut().zip(column) {
                *y -= u * x;
            }
            let mut upper = &numbers.upper[structure.upper_starts[k]..];
            for segment in &structure.segments[structure.column_segments(k)] {
                let range = segment.rows();
                let (u, rest) = upper.split_at(range.len());
                upper = rest;
                for (y, &u) in y[range].iter_mut().zip(u) {
                    *y -= u * x;
                }
            }
        }
    }
}

/// U^T y = y
fn forward_transposed<T: Field>(
    structure: &Structure,
    numbers: &Numbers<T>,
    nodes: &[Supernode],
    y: &mut [T],
) {
    for node in nodes {
        let (first, end, width) = (node.first as usize, node.end as usize, node.width());
        let block = &numbers.diagonal[node.diagonal..node.diagonal + width * width];
        for k in first..end {
            let column = &block[(k - first) * width..(k - first + 1) * width];
            let mut sum = y[k];
            let mut upper = &numbers.upper[structure.upper_starts[k]..];
            for segment in &structure.segments[structure.column_segments(k)] {
                let range = segment.rows();
                let (u, rest) = upper.split_at(range.len());
                upper = rest;
                for (&y, &u) in y[range].iter().zip(u) {
                    sum -= u * y;
                }
            }
            for (&y, &u) in y[first..k].iter().zip(column) {
                sum -= u * y;
            }
            y[k] = sum * numbers.reciprocals[k];
        }
    }
}

/// L^T y = y
fn backward_transposed<T: Field>(
    structure: &Structure,
    numbers: &Numbers<T>,
    nodes: &[Supernode],
    y: &mut [T],
) {
    for node in nodes.iter().rev() {
        let (first, end, width) = (node.first as usize, node.end as usize, node.width());
        let block = &numbers.diagonal[node.diagonal..node.diagonal + width * width];
        let (head, rest) = y.split_at_mut(end);
        let own = &mut head[first..];
        let rows = &structure.rows[node.row_chunks()];
        let panel = &numbers.panels[node.panel..node.panel + rows.len() * width];
        for (rows, columns) in rows.iter().zip(panel.chunks_exact(width)) {
            let known = rows.map(|row| rest[row as usize - end]);
            for (y, l) in own.iter_mut().zip(columns) {
                let mut sum = *y;
                for (&l, x) in l.iter().zip(known) {
                    sum -= l * x;
                }
                *y = sum;
            }
        }
        for c in (0..width).rev() {
            let column = &block[c * width..(c + 1) * width];
            let (head, known) = own.split_at_mut(c + 1);
            for (&x, &l) in known.iter().zip(&column[c + 1..]) {
                head[c] -= l * x;
            }
        }
    }
}
