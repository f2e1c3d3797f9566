//! Block triangular form: which unknowns can be eliminated apart from which.
//!
//! With rows matched to columns (`matching`) the matrix is a directed graph on the columns: an
//! entry in column j and in the row matched with column c is an edge j -> c. Its strongly connected
//! components are the smallest blocks for which, permuted,
//!
//! ```text
//!             [ A_11  A_12  A_13 ]
//! P A Q   =   [       A_22  A_23 ]
//!             [             A_33 ]
//! ```
//!
//! Only the diagonal blocks need factors: no fill, and no pivoting, crosses a block. Tarjan's algorithm
//! finds the components in one depth-first pass, with a stack of its own, so that a long chain of states
//! cannot overflow the thread's; it emits a component after all that it reaches, which is the order wanted.
//!
//! R. Tarjan, Depth-first search and linear graph algorithms, SIAM J. Comput. 1 (1972), doi
//! 10.1137/0201010; I. S. Duff and J. K. Reid, ACM TOMS 4 (1978), doi 10.1145/355780.355785.

use crate::system::Pattern;

const NEW: u32 = u32::MAX;

/// Columns in block order, and where each block starts (blocks + 1 numbers).
#[derive(Debug, Clone, PartialEq)]
pub struct Blocks {
    pub columns: Vec<u32>,
    pub starts: Vec<u32>,
}

/// The blocks of a pattern whose row `i` is matched with column `column_of[i]`.
pub fn block_triangular(pattern: &Pattern, column_of: &[u32]) -> Blocks {
    let n = pattern.columns();
    let mut columns = Vec::with_capacity(n);
    let mut starts = vec![0];
    let mut number = vec![NEW; n];
    let mut low = vec![0; n];
    let mut done = vec![false; n];
    let mut next: Vec<usize> = pattern.starts[..n].to_vec();
    // columns whose component is open, and the path of the search
    let mut open: Vec<u32> = Vec::new();
    let mut path: Vec<usize> = Vec::new();
    let mut count = 0;
    for root in 0..n {
        if number[root] != NEW {
            continue;
        }
        path.push(root);
        while let Some(&j) = path.last() {
            if number[j] == NEW {
                number[j] = count;
                low[j] = count;
                count += 1;
                open.push(j as u32);
            }
            let mut deeper = None;
            while next[j] < pattern.starts[j + 1] {
                let c = column_of[pattern.rows[next[j]]] as usize;
                next[j] += 1;
                if number[c] == NEW {
                    deeper = Some(c);
                    break;
                }
                if !done[c] {
                    low[j] = low[j].min(number[c]);
                }
            }
            if let Some(c) = deeper {
                path.push(c);
                continue;
            }
            path.pop();
            if let Some(&parent) = path.last() {
                low[parent] = low[parent].min(low[j]);
            }
            if low[j] == number[j] {
                while let Some(c) = open.pop() {
                    done[c as usize] = true;
                    columns.push(c);
                    if c as usize == j {
                        break;
                    }
                }
                starts.push(columns.len() as u32);
            }
        }
    }
    Blocks { columns, starts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_two_cycles_and_a_bridge() {
        // 0 <-> 1, 2 <-> 3, and column 2 has an entry in row 0: block {0, 1} comes first
        let entries = [
            (0, 0),
            (1, 0),
            (0, 1),
            (1, 1),
            (2, 2),
            (3, 2),
            (2, 3),
            (3, 3),
            (0, 2),
        ];
        let pattern = Pattern::from_entries(4, 4, &entries);
        let mut blocks = block_triangular(&pattern, &[0, 1, 2, 3]);
        assert_eq!(blocks.starts, [0, 2, 4]);
        blocks.columns[..2].sort_unstable();
        blocks.columns[2..].sort_unstable();
        assert_eq!(blocks.columns, [0, 1, 2, 3]);
    }

    #[test]
    fn a_long_chain_is_blocks_of_one() {
        let n = 200_000;
        let entries: Vec<_> = (0..n)
            .flat_map(|j| [(j, j), ((j + 1).min(n - 1), j)])
            .collect();
        let identity: Vec<u32> = (0..n as u32).collect();
        let blocks = block_triangular(&Pattern::from_entries(n, n, &entries), &identity);
        assert_eq!(blocks.starts.len(), n + 1);
        assert_eq!(blocks.columns[0], n as u32 - 1);
    }
}
