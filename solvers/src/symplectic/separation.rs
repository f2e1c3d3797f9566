//! Positions and momenta, read off the pattern of the Jacobian.
//!
//! A system splits where its states fall into two parts, q and p, with
//!
//! ```text
//! q' = f_q(t, p)          p' = f_p(t, q)
//! ```
//!
//! so that no equation depends on a state of its own part: the graph that joins i and j where f_i depends on x_j
//! is bipartite. Each connected component of it has one coloring but for the names of the colors; the component's
//! first state is called a position. (Written positions first, a mechanical system gets its usual names.) A state
//! that nothing is coupled to is a position.

use crate::error::SolveError;
use crate::system::Pattern;

/// Whether each state is a position; [`SolveError::NotSeparable`] with an offending entry where there is no such
/// division.
pub fn positions(pattern: &Pattern) -> Result<Vec<bool>, SolveError> {
    let n = pattern.columns();
    let mut neighbors: Vec<Vec<usize>> = vec![Vec::new(); n];
    for column in 0..n {
        for &row in &pattern.rows[pattern.starts[column]..pattern.starts[column + 1]] {
            neighbors[row].push(column);
            neighbors[column].push(row);
        }
    }
    let mut part: Vec<Option<bool>> = vec![None; n];
    let mut reached = Vec::new();
    for first in 0..n {
        if part[first].is_some() {
            continue;
        }
        part[first] = Some(true);
        reached.push(first);
        while let Some(state) = reached.pop() {
            let other_part = part[state].map(|p| !p);
            for &neighbor in &neighbors[state] {
                if part[neighbor].is_none() {
                    part[neighbor] = other_part;
                    reached.push(neighbor);
                }
            }
        }
    }
    for column in 0..n {
        for &row in &pattern.rows[pattern.starts[column]..pattern.starts[column + 1]] {
            if part[row] == part[column] {
                return Err(SolveError::NotSeparable {
                    state: row,
                    other: column,
                });
            }
        }
    }
    Ok(part.into_iter().map(|p| p == Some(true)).collect())
}
