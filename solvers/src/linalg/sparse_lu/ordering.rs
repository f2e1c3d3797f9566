//! The order of elimination: rows matched, blocks found, each block ordered against fill.
//!
//! Within a block columns are ordered by approximate minimum degree on the pattern of B + B^T (crate
//! `amd`; P. R. Amestoy, T. A. Davis and I. S. Duff, ACM TOMS 30 (2004), doi 10.1145/1024074.1024081), with
//! the matched rows on the diagonal of B. Its postordering puts columns of like structure side by side.

use amd::Control;

use super::block_triangular::block_triangular;
use super::matching::maximum_transversal;
use crate::system::Pattern;

/// A block this small is eliminated as it stands.
const SMALL: usize = 4;

/// What can be said of the matrix before its values are known.
#[derive(Debug, Clone, PartialEq)]
pub struct Ordering {
    /// the original column at each position
    pub columns: Vec<u32>,
    /// the row matched with that column: the diagonal, where pivots are sought first
    pub rows: Vec<u32>,
    /// first position of each block, and n
    pub blocks: Vec<u32>,
    /// entries below the diagonals of the blocks' factors L, as the ordering foresees them
    pub below: f64,
}

/// Orders a square pattern; `None` where it is structurally singular.
pub fn order(pattern: &Pattern) -> Option<Ordering> {
    let n = pattern.columns();
    let row_of = maximum_transversal(pattern)?;
    let mut column_of = vec![0; n];
    for (j, &row) in row_of.iter().enumerate() {
        column_of[row as usize] = j as u32;
    }
    let blocks = block_triangular(pattern, &column_of);
    let mut columns = blocks.columns;
    let mut local = vec![0; n];
    let mut below = 0.0;
    for block in blocks.starts.windows(2) {
        let members = &mut columns[block[0] as usize..block[1] as usize];
        // so that the outcome does not depend on the search that found the block
        members.sort_unstable();
        if members.len() > SMALL {
            below += minimum_degree(pattern, &column_of, members, &mut local);
        }
    }
    let rows = columns.iter().map(|&j| row_of[j as usize]).collect();
    Some(Ordering {
        columns,
        rows,
        blocks: blocks.starts,
        below,
    })
}

/// Reorders the columns of one block, given in ascending order; foreseen entries of L. `local` is scratch.
fn minimum_degree(
    pattern: &Pattern,
    column_of: &[u32],
    members: &mut [u32],
    local: &mut [i64],
) -> f64 {
    for (k, &j) in members.iter().enumerate() {
        local[j as usize] = k as i64;
    }
    let inside = |c: u32| members.get(local[c as usize] as usize) == Some(&c);
    let mut starts = vec![0];
    let mut rows = Vec::new();
    for &j in members.iter() {
        let j = j as usize;
        let first = rows.len();
        for &row in &pattern.rows[pattern.starts[j]..pattern.starts[j + 1]] {
            let c = column_of[row];
            if inside(c) {
                rows.push(local[c as usize]);
            }
        }
        rows[first..].sort_unstable();
        starts.push(rows.len() as i64);
    }
    let n = members.len() as i64;
    // a refusal would only cost fill: any order is a correct one
    let Ok((permutation, _, info)) = amd::order(n, &starts, &rows, &Control::default()) else {
        return 0.0;
    };
    let ordered: Vec<u32> = permutation.iter().map(|&k| members[k as usize]).collect();
    members.copy_from_slice(&ordered);
    info.lnz as f64
}
