//! The stages of an explicit method for large systems, block by block: sums of slopes are formed while a block of the
//! state is in the cache, and blocks are shared among threads (`team.rs`).
//!
//! ```text
//! Y_i = x + h sum_{j<i} a_ij k_j      k_i = f(t + c_i h, Y_i)
//! ```
//!
//! The operations and their order are those of `costate_solvers::explicit::runge_kutta`, and so are the bits, at any
//! number of threads.

use costate_solvers::ExplicitStages;

use super::team;

/// States from which this is worth while: threads share the work of a step.
pub const SHARED_STATES: usize = 16_384;

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
    team::together(|| {
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
    })
}

/// Terms that are added at once, in registers.
const MOST_TERMS: usize = 8;

/// y = x + h sum_j w_j k_j
fn combine(x: &[f64], h: f64, weights: &[f64], slopes: &[f64], y: &mut [f64]) {
    let n = x.len();
    let terms = || {
        let terms = weights.iter().zip(slopes.chunks_exact(n));
        terms.filter(|(w, _)| **w != 0.0)
    };
    let count = terms().count();
    let block = |start: usize, y: &mut [f64]| {
        let own = start..start + y.len();
        let x = &x[own.clone()];
        if count > MOST_TERMS {
            y.fill(0.0);
            for (first, (&w, k)) in (0..).zip(terms()) {
                add(y, w, &k[own.clone()], first == 0);
            }
            for (y, x) in y.iter_mut().zip(x) {
                *y = x + *y * h;
            }
            return;
        }
        let mut w = [0.0; MOST_TERMS];
        let mut k: [&[f64]; MOST_TERMS] = [&[]; MOST_TERMS];
        for (place, (&weight, slope)) in terms().enumerate() {
            (w[place], k[place]) = (weight, &slope[own.clone()]);
        }
        match count {
            0 => y.copy_from_slice(x),
            1 => row::<1>(x, h, &w, &k, y),
            2 => row::<2>(x, h, &w, &k, y),
            3 => row::<3>(x, h, &w, &k, y),
            4 => row::<4>(x, h, &w, &k, y),
            5 => row::<5>(x, h, &w, &k, y),
            6 => row::<6>(x, h, &w, &k, y),
            7 => row::<7>(x, h, &w, &k, y),
            _ => row::<8>(x, h, &w, &k, y),
        }
    };
    team::for_each_piece(y, LEAST_SHARE * BLOCK, &|start, share| {
        for (number, y) in share.chunks_mut(BLOCK).enumerate() {
            block(start + number * BLOCK, y);
        }
    });
}

fn add(y: &mut [f64], w: f64, k: &[f64], first: bool) {
    for (y, k) in y.iter_mut().zip(k) {
        *y = if first { k * w } else { *y + k * w };
    }
}

/// A block of y = x + h sum_j w_j k_j of so many terms, on vectors as wide as the processor has them.
fn row<const TERMS: usize>(
    x: &[f64],
    h: f64,
    w: &[f64; MOST_TERMS],
    k: &[&[f64]; MOST_TERMS],
    y: &mut [f64],
) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function is compiled for
        return unsafe { wide_row::<TERMS>(x, h, w, k, y) };
    }
    plain_row::<TERMS>(x, h, w, k, y);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn wide_row<const TERMS: usize>(
    x: &[f64],
    h: f64,
    w: &[f64; MOST_TERMS],
    k: &[&[f64]; MOST_TERMS],
    y: &mut [f64],
) {
    plain_row::<TERMS>(x, h, w, k, y);
}

#[inline(always)]
fn plain_row<const TERMS: usize>(
    x: &[f64],
    h: f64,
    w: &[f64; MOST_TERMS],
    k: &[&[f64]; MOST_TERMS],
    y: &mut [f64],
) {
    let n = y.len();
    let x = &x[..n];
    let k: [&[f64]; TERMS] = std::array::from_fn(|j| &k[j][..n]);
    for i in 0..n {
        let mut sum = k[0][i] * w[0];
        for j in 1..TERMS {
            sum += k[j][i] * w[j];
        }
        y[i] = x[i] + sum * h;
    }
}

/// Blocks from which threads share a sum over them.
const SHARED_BLOCKS: usize = 16;

/// The sum of what `of` gives for each block, in their order; `sums` is workspace.
pub(super) fn sum(count: usize, of: &(dyn Fn(usize) -> f64 + Sync), sums: &mut Vec<f64>) -> f64 {
    if count < SHARED_BLOCKS || rayon::current_num_threads() < 2 {
        return (0..count).map(of).sum();
    }
    if sums.len() < count {
        sums.resize(count, 0.0);
    }
    let sums = &mut sums[..count];
    team::for_each_piece(sums, LEAST_SHARE, &|start, share| {
        for (block, sum) in (start..).zip(share) {
            *sum = of(block);
        }
    });
    sums.iter().sum()
}
