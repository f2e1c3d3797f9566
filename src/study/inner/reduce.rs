//! Derivatives of F(theta) = min over a of L(theta, a) from those of L, where dL/da = 0 for the a that are not at a bound.

use nalgebra::{DMatrix, DVector};

/// A column of which less than this part is left beside those before it is one of them.
const DEPENDENT: f64 = 1e-10;

/// Takes out of the columns of `jacobian` (`height` long each) what the columns `of_inner` span: (I - Q Q^T) J. With the rows
/// r of a least-squares method at the best a, Q^T r = 0: the gradient J^T r stays what it is, and J^T J becomes the Schur
/// complement F_tt - F_ta F_aa^-1 F_at of the information (variable projection, in Kaufman's form: Golub & Pereyra 2003, doi
/// 10.1088/0266-5611/19/2/201).
pub(in crate::study) fn without_columns(jacobian: &mut [f64], height: usize, of_inner: &[f64]) {
    let height = height.max(1);
    let mut basis: Vec<DVector<f64>> = Vec::new();
    for column in of_inner.chunks_exact(height) {
        let mut q = DVector::from_column_slice(column);
        let size = q.norm();
        // twice is enough (Giraud & Langou 2002)
        for _ in 0..2 {
            for other in &basis {
                let part = other.dot(&q);
                q.axpy(-part, other, 1.0);
            }
        }
        let left = q.norm();
        if left > DEPENDENT * size {
            basis.push(q / left);
        }
    }
    for column in jacobian.chunks_exact_mut(height) {
        let mut c = DVector::from_column_slice(column);
        for q in &basis {
            let part = q.dot(&c);
            c.axpy(-part, q, 1.0);
        }
        column.copy_from_slice(c.as_slice());
    }
}

/// H_tt v - H_ta H_aa^-1 H_at v: `product` is (H_tt v, H_at v) and `columns` are those of H that belong to a, all of `outer` entries
/// for theta and then one for each a.
pub(in crate::study) fn reduced_hessian_product(
    product: &[f64],
    columns: &[Vec<f64>],
    outer: usize,
) -> Vec<f64> {
    let k = columns.len();
    let inner = DMatrix::from_fn(k, k, |i, j| {
        0.5 * (columns[j][outer + i] + columns[i][outer + j])
    });
    let side = DVector::from_fn(k, |i, _| product[outer + i]);
    let mut reduced = product[..outer].to_vec();
    // without an inverse a does not follow
    if let Some(follow) = inner.lu().solve(&side) {
        for (column, f) in columns.iter().zip(follow.iter()) {
            for (r, h) in reduced.iter_mut().zip(column) {
                *r -= h * f;
            }
        }
    }
    reduced
}
