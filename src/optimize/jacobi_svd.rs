//! Singular values and right singular vectors by one-sided Jacobi rotations.
//!
//! For A (k rows, m columns, k >= m): A V = U S, with the columns of A V rotated pairwise until orthogonal. Each small
//! singular value of a matrix whose columns differ only by scale is found to its own relative accuracy (Demmel &
//! Veselic, Jacobi's method is more accurate than QR, SIAM J. Matrix Anal. Appl. 13, 1992), which is what a nearly
//! rank-deficient fit needs and what J^T J would have squared away. A is first reduced to its triangular factor, so the
//! cost is 2 k m^2 and a few sweeps of 3 m^3.

use nalgebra::{DMatrix, DVector};

/// A = U S V^T with the product U^T f instead of U itself.
#[derive(Debug, Clone)]
pub struct Svd {
    /// singular values (m), in the order of the columns of `v`, not sorted
    pub singular: DVector<f64>,
    /// right singular vectors, one a column (m x m)
    pub v: DMatrix<f64>,
    /// U^T f (m); zero where the singular value is zero
    pub utf: DVector<f64>,
}

/// Decomposes `a` (k x m, k >= m, finite) beside the vector `f` (k); `None` where shapes do not fit.
pub fn decompose(a: DMatrix<f64>, f: &DVector<f64>) -> Option<Svd> {
    let (k, m) = a.shape();
    if k < m || f.len() != k {
        return None;
    }
    let qr = a.qr();
    let mut rotated = f.clone();
    qr.q_tr_mul(&mut rotated);
    let f = rotated.rows(0, m).into_owned();
    // Rotating the rows of R^T R's factor from the right; R itself serves.
    let mut w = qr.r();
    let mut v = DMatrix::identity(m, m);
    const SWEEPS: usize = 60;
    for _ in 0..SWEEPS {
        let mut rotations = 0;
        for p in 0..m {
            for q in p + 1..m {
                let (x, y) = columns(&mut w, p, q);
                let (mut alpha, mut beta, mut gamma) = (0.0_f64, 0.0_f64, 0.0_f64);
                for (x, y) in x.iter().zip(&*y) {
                    alpha += x * x;
                    beta += y * y;
                    gamma += x * y;
                }
                if gamma == 0.0 || gamma.abs() <= f64::EPSILON * (alpha * beta).sqrt() {
                    continue;
                }
                rotations += 1;
                let zeta = (beta - alpha) / (2.0 * gamma);
                let t = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                let s = c * t;
                for matrix in [&mut w, &mut v] {
                    let (x, y) = columns(matrix, p, q);
                    for (x, y) in x.iter_mut().zip(y) {
                        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
                    }
                }
            }
        }
        if rotations == 0 {
            break;
        }
    }
    let singular = DVector::from_fn(m, |j, _| w.column(j).norm());
    let utf = DVector::from_fn(m, |j, _| {
        if singular[j] > 0.0 {
            w.column(j).dot(&f) / singular[j]
        } else {
            0.0
        }
    });
    Some(Svd { singular, v, utf })
}

/// Columns p < q of a square matrix.
fn columns(matrix: &mut DMatrix<f64>, p: usize, q: usize) -> (&mut [f64], &mut [f64]) {
    let m = matrix.nrows();
    let (before, from) = matrix.as_mut_slice().split_at_mut(q * m);
    (&mut before[p * m..(p + 1) * m], &mut from[..m])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_solve_the_least_squares_problem() {
        let (k, m) = (7, 4);
        let a = DMatrix::from_fn(k, m, |i, j| ((3 * i + 5 * j * j + 1) as f64).sin());
        let f = DVector::from_fn(k, |i, _| (i as f64).cos());
        let svd = decompose(a.clone(), &f).expect("tall");
        let v = &svd.v;
        assert!((v.tr_mul(v) - DMatrix::identity(m, m)).norm() < 1e-14);
        let squares = DMatrix::from_diagonal(&svd.singular.map(|s| s * s));
        assert!((v * squares * v.transpose() - a.tr_mul(&a)).norm() < 1e-13);
        // V S U^T f = A^T f
        let slope = v * svd.utf.component_mul(&svd.singular);
        assert!((slope - a.tr_mul(&f)).norm() < 1e-14 * a.norm() * f.norm());
    }

    #[test]
    fn graded_columns_keep_their_relative_accuracy() {
        // [1 x; 0 x; 0 x] with x = 1e-20: singular values 1 and sqrt(2) x up to x^2.
        let x = 1e-20;
        let a = DMatrix::from_column_slice(3, 2, &[1.0, 0.0, 0.0, x, x, x]);
        let svd = decompose(a, &DVector::zeros(3)).expect("tall");
        let mut s = svd.singular.as_slice().to_vec();
        s.sort_by(f64::total_cmp);
        assert!((s[0] / (2f64.sqrt() * x) - 1.0).abs() < 1e-15);
        assert!((s[1] - 1.0).abs() < 1e-15);
    }

    #[test]
    fn zero_and_wide_matrices() {
        let svd = decompose(DMatrix::zeros(3, 2), &DVector::from_element(3, 1.0)).expect("tall");
        assert_eq!(svd.singular.as_slice(), [0.0, 0.0]);
        assert_eq!(svd.utf.as_slice(), [0.0, 0.0]);
        assert!(decompose(DMatrix::zeros(2, 3), &DVector::zeros(2)).is_none());
    }
}
