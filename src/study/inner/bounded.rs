//! Linear least squares inside bounds, for few unknowns: min |A x - b|^2, lower <= x <= upper.
//!
//! An active-set method as BVLS (Stark & Parker 1995): unknowns are free or held at a bound. Where the free ones' least squares
//! leaves the bounds, the way there is gone to the first bound, which is then held; where it does not, the held unknown whose
//! gradient points inside most is set free, until none does.

use nalgebra::{DMatrix, DVector};

/// Singular values below this part of the largest are taken for zero.
const RANK: f64 = 1e-12;
/// A gradient below this part of |A_k| |r| is zero.
const FLAT: f64 = 1e-10;

/// The solution; columns without effect stay as near to zero as bounds allow.
pub(super) fn least_squares(
    a: &DMatrix<f64>,
    b: &DVector<f64>,
    lower: &[f64],
    upper: &[f64],
) -> Vec<f64> {
    let n = a.ncols();
    let mut x: Vec<f64> = (0..n)
        .map(|k| 0.0_f64.max(lower[k]).min(upper[k]))
        .collect();
    let mut held: Vec<bool> = vec![false; n];
    // each round holds or frees one unknown, and the sum of squares falls between two frees: bounded in theory, and here
    for _ in 0..100 * (n + 1) {
        let free: Vec<usize> = (0..n).filter(|&k| !held[k]).collect();
        if !free.is_empty() {
            let fixed: Vec<f64> = (0..n).map(|k| if held[k] { x[k] } else { 0.0 }).collect();
            let side = b - a * DVector::from_vec(fixed);
            let target = unbounded(&a.select_columns(&free), &side);
            let mut part = 1.0;
            let mut stops = None;
            for (&k, &to) in free.iter().zip(target.iter()) {
                for bound in [lower[k], upper[k]] {
                    let beyond =
                        (bound == lower[k] && to < bound) || (bound == upper[k] && to > bound);
                    if beyond {
                        let way = (bound - x[k]) / (to - x[k]);
                        if way < part || stops.is_none() {
                            part = way.clamp(0.0, part);
                            stops = Some((k, bound));
                        }
                    }
                }
            }
            for (&k, &to) in free.iter().zip(target.iter()) {
                x[k] += part * (to - x[k]);
            }
            if let Some((k, bound)) = stops {
                x[k] = bound;
                held[k] = true;
                continue;
            }
            for (&k, &to) in free.iter().zip(target.iter()) {
                x[k] = to;
            }
        }
        let residual = a * DVector::from_column_slice(&x) - b;
        let gradient = a.tr_mul(&residual);
        let inward = |k: usize| {
            let noise = FLAT * a.column(k).norm() * residual.norm();
            let slope = if x[k] == lower[k] {
                -gradient[k]
            } else {
                gradient[k]
            };
            (held[k] && slope > noise).then_some(slope)
        };
        let freed = (0..n)
            .filter_map(|k| Some((k, inward(k)?)))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        match freed {
            Some((k, _)) => held[k] = false,
            None => break,
        }
    }
    x
}

/// Without bounds: by a QR factorization, then the singular values of R, columns scaled to one length.
fn unbounded(a: &DMatrix<f64>, b: &DVector<f64>) -> DVector<f64> {
    let n = a.ncols();
    let sizes: Vec<f64> = (0..n)
        .map(|k| a.column(k).norm())
        .map(|size| if size > 0.0 { size } else { 1.0 })
        .collect();
    let scaled = DMatrix::from_fn(a.nrows(), n, |i, k| a[(i, k)] / sizes[k]);
    let (r, side) = if a.nrows() > n {
        let qr = scaled.qr();
        let side = qr.q().tr_mul(b);
        (qr.r(), side)
    } else {
        (scaled, b.clone())
    };
    let mut x = match r.svd(true, true).solve(&side, RANK) {
        Ok(x) => x,
        Err(_) => DVector::from_element(n, f64::NAN),
    };
    for (x, size) in x.iter_mut().zip(&sizes) {
        *x /= size;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the best of all 3^n choices of bounds held, which is exact.
    #[test]
    fn the_solution_is_the_best_of_all_active_sets() {
        let mut state = 1_u64;
        let mut uniform = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        };
        for _ in 0..200 {
            let n = 3;
            let a = DMatrix::from_fn(7, n, |_, _| uniform());
            let b = DVector::from_fn(7, |_, _| uniform());
            let lower: Vec<f64> = (0..n).map(|_| uniform() - 0.2).collect();
            let upper: Vec<f64> = lower.iter().map(|l| l + 0.3 + uniform().abs()).collect();
            let square = |x: &[f64]| (&a * DVector::from_column_slice(x) - &b).norm_squared();
            let mut best = f64::INFINITY;
            for code in 0..27_usize {
                let choice = [code % 3, code / 3 % 3, code / 9];
                let free: Vec<usize> = (0..n).filter(|&k| choice[k] == 2).collect();
                let mut x: Vec<f64> = (0..n)
                    .map(|k| match choice[k] {
                        0 => lower[k],
                        1 => upper[k],
                        _ => 0.0,
                    })
                    .collect();
                if !free.is_empty() {
                    let side = &b - &a * DVector::from_column_slice(&x);
                    let solved = unbounded(&a.select_columns(&free), &side);
                    free.iter().zip(solved.iter()).for_each(|(&k, &v)| x[k] = v);
                }
                if (0..n).all(|k| (lower[k]..=upper[k]).contains(&x[k])) {
                    best = best.min(square(&x));
                }
            }
            let x = least_squares(&a, &b, &lower, &upper);
            assert!(
                (0..n).all(|k| (lower[k]..=upper[k]).contains(&x[k])),
                "{x:?}"
            );
            assert!(square(&x) <= best + 1e-12, "{} {best}", square(&x));
        }
    }
}
