//! Coloring of columns: a sparse Jacobian from few directional derivatives.
//!
//! Columns without a common row can be summed and told apart again: with d_c the sum of the unit vectors of
//! color c, the product J d_c holds in row i the one entry J_ij whose column j has color c. So J costs
//! as many products as there are colors, for a banded J its bandwidth and for a 5-point grid about 7, whatever
//! n is.
//!
//! Two columns conflict if they share a row: a coloring of distance 2 on the bipartite graph of rows and
//! columns. The fewest colors are NP-hard to find. Greedy coloring gives each column the first color its
//! conflicts leave; it is run in the given order, which is optimal for bands, and by falling number of
//! conflicts, and the better one is kept. No coloring has fewer colors than the fullest row has entries.
//!
//! A. H. Gebremedhin, F. Manne and A. Pothen, What color is your Jacobian?, SIAM Rev. 47 (2005), doi
//! 10.1137/S0036144504444711; A. R. Curtis, M. J. D. Powell and J. K. Reid, IMA J. Appl. Math. 13 (1974).

use crate::system::Pattern;

/// A color for each column of a pattern, so that no row has two non-zeros of one color.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coloring {
    /// color of each column, below `count`
    pub colors: Vec<u32>,
    /// number of colors
    pub count: u32,
}

const NONE: u32 = u32::MAX;

impl Coloring {
    /// Colors the columns of a pattern.
    pub fn new(pattern: &Pattern) -> Self {
        let n = pattern.columns();
        let by_row = transpose(pattern);
        let degree = |row: usize| by_row.starts[row + 1] - by_row.starts[row];
        let conflicts: Vec<usize> = (0..n)
            .map(|j| column(pattern, j).iter().map(|&row| degree(row)).sum())
            .collect();
        let mut order: Vec<usize> = (0..n).collect();
        let natural = greedy(pattern, &by_row, &order);
        order.sort_by_key(|&j| std::cmp::Reverse(conflicts[j]));
        let sorted = greedy(pattern, &by_row, &order);
        if sorted.count < natural.count {
            sorted
        } else {
            natural
        }
    }

    /// Writes the direction of a color: 1 for its columns, 0 for the others.
    pub fn direction<S: From<f64>>(&self, color: u32, direction: &mut [S]) {
        for (d, &c) in direction.iter_mut().zip(&self.colors) {
            *d = S::from(if c == color { 1.0 } else { 0.0 });
        }
    }

    /// Reads J, in its pattern's order, off its products with the directions of all colors, one after another
    /// in `products` (each as long as J is high).
    pub fn decompress<S: Copy>(&self, pattern: &Pattern, products: &[S], values: &mut [S]) {
        for (j, &color) in self.colors.iter().enumerate() {
            let product = &products[color as usize * pattern.height..];
            let range = pattern.starts[j]..pattern.starts[j + 1];
            for (value, &row) in values[range.clone()].iter_mut().zip(&pattern.rows[range]) {
                *value = product[row];
            }
        }
    }
}

fn column(pattern: &Pattern, j: usize) -> &[usize] {
    &pattern.rows[pattern.starts[j]..pattern.starts[j + 1]]
}

/// The columns of each row, as columns of a pattern.
fn transpose(pattern: &Pattern) -> Pattern {
    let mut starts = vec![0; pattern.height + 1];
    for &row in &pattern.rows {
        starts[row + 1] += 1;
    }
    for row in 0..pattern.height {
        starts[row + 1] += starts[row];
    }
    let mut next = starts.clone();
    let mut rows = vec![0; pattern.non_zeros()];
    for j in 0..pattern.columns() {
        for &row in column(pattern, j) {
            rows[next[row]] = j;
            next[row] += 1;
        }
    }
    Pattern {
        height: pattern.columns(),
        starts,
        rows,
    }
}

fn greedy(pattern: &Pattern, by_row: &Pattern, order: &[usize]) -> Coloring {
    let n = pattern.columns();
    let mut colors = vec![NONE; n];
    // the last column that each color was forbidden to
    let mut forbidden: Vec<usize> = Vec::new();
    for &j in order {
        for &row in column(pattern, j) {
            for &other in column(by_row, row) {
                if let Some(last) = forbidden.get_mut(colors[other] as usize) {
                    *last = j;
                }
            }
        }
        let color = forbidden.iter().position(|&last| last != j);
        colors[j] = color.unwrap_or(forbidden.len()) as u32;
        if color.is_none() {
            forbidden.push(usize::MAX);
        }
    }
    Coloring {
        colors,
        count: forbidden.len() as u32,
    }
}
