//! The stages of an explicit method for large systems, block by block: sums of slopes are formed while a block of the
//! state is in the cache, and blocks are shared among threads.
//!
//! ```text
//! Y_i = x + h sum_{j<i} a_ij k_j      k_i = f(t + c_i h, Y_i)
//! ```
//!
//! The operations and their order are those of `costate_solvers::explicit::runge_kutta`, and so are the bits, at any
//! number of threads.

use costate_solvers::ExplicitStages;
use rayon::prelude::*;

/// States from which this is worth while.
pub(super) const FEWEST: usize = 16_384;

/// States of a block: 8 kB of each array.
const BLOCK: usize = 1024;
/// Blocks that one thread takes at least.
const LEAST_SHARE: usize = 8;

/// Computes the stages from the second on, and the new state; `stages` holds the first. Gives false where f failed.
pub(super) fn stages(
    method: &ExplicitStages,
    t: f64,
    h: f64,
    x: &[f64],
    stages: &mut [f64],
    x_new: &mut [f64],
    mut f: impl FnMut(f64, &[f64], &mut [f64]) -> bool,
) -> bool {
    let n = x.len();
    for i in 1..method.end {
        let (known, rest) = stages.split_at_mut(i * n);
        let row = method.a.get(i).copied().unwrap_or_default();
        combine(x, h, row, known, x_new);
        let c = method.c.get(i).copied().unwrap_or_default();
        if !f(t + h * c, x_new, &mut rest[..n]) {
            return false;
        }
    }
    let (known, rest) = stages.split_at_mut(method.end * n);
    let row = method.a.get(method.end).copied().unwrap_or_default();
    combine(x, h, row, known, x_new);
    !method.last || f(t + h, x_new, &mut rest[..n])
}

/// y = x + h sum_j w_j k_j
fn combine(x: &[f64], h: f64, weights: &[f64], slopes: &[f64], y: &mut [f64]) {
    let n = x.len();
    let block = |(number, y): (usize, &mut [f64])| {
        let first = number * BLOCK;
        let own = first..first + y.len();
        let x = &x[own.clone()];
        let mut terms = weights
            .iter()
            .zip(slopes.chunks_exact(n))
            .filter(|(w, _)| **w != 0.0)
            .map(|(&w, k)| (w, &k[own.clone()]));
        let Some((w, k)) = terms.next() else {
            y.copy_from_slice(x);
            return;
        };
        for (y, k) in y.iter_mut().zip(k) {
            *y = k * w;
        }
        for (w, k) in terms {
            for (y, k) in y.iter_mut().zip(k) {
                *y += k * w;
            }
        }
        for (y, x) in y.iter_mut().zip(x) {
            *y = x + *y * h;
        }
    };
    y.par_chunks_mut(BLOCK)
        .with_min_len(LEAST_SHARE)
        .enumerate()
        .for_each(block);
}
