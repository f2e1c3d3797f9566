//! Maximum transversal: one non-zero in every row and column, by augmenting paths.
//!
//! A column j and a row i of one of its non-zeros can be matched. A column left over is matched along an
//! augmenting path: it takes the row of another column, which takes the row of a third, and so on to a
//! free row. Before going deeper each column looks for a free row of its own, and never looks twice at
//! the same place. The worst case is n times the number of non-zeros, the usual case the latter alone.
//! Diagonal entries are matched first, so that a matrix with a full diagonal keeps it.
//!
//! Fewer than n matches mean that the matrix is singular whatever its values.
//!
//! I. S. Duff, On algorithms for obtaining a maximum transversal, ACM TOMS 7 (1981), doi
//! 10.1145/355958.355963.

use crate::system::Pattern;

const FREE: u32 = u32::MAX;

/// The row matched with each column of a square pattern; `None` where no full transversal exists.
pub fn maximum_transversal(pattern: &Pattern) -> Option<Vec<u32>> {
    let n = pattern.columns();
    let mut row_of = vec![FREE; n];
    let mut column_of = vec![FREE; n];
    for j in 0..n {
        if pattern.rows[pattern.starts[j]..pattern.starts[j + 1]]
            .binary_search(&j)
            .is_ok()
        {
            row_of[j] = j as u32;
            column_of[j] = j as u32;
        }
    }
    // where each column's hunt for a free row, and its search along paths, goes on
    let mut hunt: Vec<usize> = pattern.starts[..n].to_vec();
    let mut next = vec![0; n];
    let mut visited = vec![FREE; n];
    // the path: columns, each with the row by which the next was reached
    let mut path: Vec<(usize, usize)> = Vec::new();
    for root in 0..n {
        if row_of[root] != FREE {
            continue;
        }
        path.clear();
        path.push((root, 0));
        visited[root] = root as u32;
        next[root] = pattern.starts[root];
        let free = loop {
            let Some(&mut (j, ref mut through)) = path.last_mut() else {
                break None;
            };
            let end = pattern.starts[j + 1];
            let found = (hunt[j]..end).find(|&p| column_of[pattern.rows[p]] == FREE);
            hunt[j] = found.map_or(end, |p| p + 1);
            if let Some(p) = found {
                break Some(pattern.rows[p]);
            }
            let deeper = (next[j]..end)
                .find(|&p| visited[column_of[pattern.rows[p]] as usize] != root as u32);
            next[j] = deeper.map_or(end, |p| p + 1);
            match deeper {
                Some(p) => {
                    *through = pattern.rows[p];
                    let column = column_of[pattern.rows[p]] as usize;
                    visited[column] = root as u32;
                    next[column] = pattern.starts[column];
                    path.push((column, 0));
                }
                None => {
                    path.pop();
                }
            }
        };
        let mut row = free?;
        while let Some((j, _)) = path.pop() {
            row_of[j] = row as u32;
            column_of[row] = j as u32;
            if let Some(&(_, through)) = path.last() {
                row = through;
            }
        }
    }
    Some(row_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_full_diagonal() {
        let pattern = Pattern::from_entries(3, 3, &[(0, 0), (1, 1), (2, 2), (0, 2), (2, 0)]);
        assert_eq!(maximum_transversal(&pattern), Some(vec![0, 1, 2]));
    }

    #[test]
    fn follows_augmenting_paths() {
        // columns 0 and 1 are content with the diagonal; column 2 reaches only row 0, so that all move
        let pattern = Pattern::from_entries(3, 3, &[(0, 0), (1, 0), (1, 1), (2, 1), (0, 2)]);
        assert_eq!(maximum_transversal(&pattern), Some(vec![1, 2, 0]));
    }

    #[test]
    fn knows_structural_singularity() {
        let pattern = Pattern::from_entries(3, 3, &[(0, 0), (0, 1), (0, 2), (1, 2), (2, 2)]);
        assert_eq!(maximum_transversal(&pattern), None);
        assert_eq!(maximum_transversal(&Pattern::from_entries(2, 2, &[])), None);
    }
}
