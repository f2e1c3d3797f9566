//! The Hessian of the quadratic model.
//!
//! A damped BFGS matrix stays positive definite by itself (Powell 1978; Nocedal and Wright, procedure 18.2). An exact Hessian of the
//! Lagrangian need not be convex where constraints hold it: it is made so by adding rho q q' for an orthonormal basis q of the active
//! rows. Together with the linear term rho q r, r being the distance from the bounds in that basis, this adds rho (q'd + r)^2 / 2 to
//! the model, which is zero at every step that ends on the bounds: neither the solution nor its multipliers move, and quadratic
//! convergence stays. Only where the Hessian is not positive definite on the constraints' null space, either, are its negative
//! eigenvalues there turned into positive ones, the others left.

use nalgebra::{Cholesky, DMatrix, DVector, SymmetricEigen};

/// What negative curvature is turned into at least, relative to the largest entry: less would ask for steps far beyond the model.
const LEAST_CURVATURE: f64 = 1e-4;

/// The model's quadratic and linear terms.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub hessian: DMatrix<f64>,
    pub gradient: Vec<f64>,
}

/// A row that is expected to be active: its normal, and how far the present point is from the bound.
pub(super) struct ActiveRow {
    pub normal: DVector<f64>,
    pub remainder: f64,
}

fn is_convex(h: &DMatrix<f64>, least: f64) -> bool {
    let mut shifted = h.clone();
    for j in 0..h.nrows() {
        shifted[(j, j)] -= least;
    }
    Cholesky::new(shifted).is_some()
}

/// The model of an exact Hessian.
pub(super) fn convex(mut h: DMatrix<f64>, gradient: &[f64], active: &[ActiveRow]) -> Model {
    let n = h.nrows();
    for i in 0..n {
        for j in 0..i {
            let mean = 0.5 * (h[(i, j)] + h[(j, i)]);
            h[(i, j)] = mean;
            h[(j, i)] = mean;
        }
    }
    let size = h.amax().max(1e-8);
    let least = 1e-9 * size;
    if is_convex(&h, least) {
        return Model {
            hessian: h,
            gradient: gradient.to_vec(),
        };
    }
    let basis = orthonormal(active);
    if let Some(model) = lifted(&h, gradient, &basis, (size, least)) {
        return model;
    }
    // negative curvature where no row holds it
    let mut free = DMatrix::identity(n, n);
    for row in &basis {
        free.ger(-1.0, &row.normal, &row.normal, 1.0);
    }
    let eigen = SymmetricEigen::new(&free * &h * &free);
    for (value, vector) in eigen
        .eigenvalues
        .iter()
        .zip(eigen.eigenvectors.column_iter())
    {
        if *value < least {
            let raise = value.abs().max(LEAST_CURVATURE * size) - value;
            let vector = &free * vector;
            h.ger(raise, &vector, &vector, 1.0);
        }
    }
    if let Some(model) = lifted(&h, gradient, &basis, (size, 0.0)) {
        return model;
    }
    let mut shift = 1e-4 * size;
    loop {
        let mut shifted = h.clone();
        for j in 0..n {
            shifted[(j, j)] += shift;
        }
        if is_convex(&shifted, 0.5 * shift) || shift > 1e12 * size || !shift.is_finite() {
            return Model {
                hessian: shifted,
                gradient: gradient.to_vec(),
            };
        }
        shift *= 4.0;
    }
}

/// An orthonormal basis of the rows, with how far the present point is from the bounds in it; rows that depend on others are left out.
fn orthonormal(rows: &[ActiveRow]) -> Vec<ActiveRow> {
    let mut basis: Vec<ActiveRow> = Vec::new();
    for row in rows {
        let size = row.normal.norm();
        let (mut normal, mut remainder) = (row.normal.clone(), row.remainder);
        // twice is enough (Kahan)
        for _ in 0..2 {
            for own in &basis {
                let along = own.normal.dot(&normal);
                normal.axpy(-along, &own.normal, 1.0);
                remainder -= along * own.remainder;
            }
        }
        let left = normal.norm();
        if left > 1e-9 * size {
            normal /= left;
            remainder /= left;
            basis.push(ActiveRow { normal, remainder });
        }
    }
    basis
}

/// The model with the least weight on the rows that makes it convex, where there is one.
fn lifted(
    h: &DMatrix<f64>,
    gradient: &[f64],
    basis: &[ActiveRow],
    (size, least): (f64, f64),
) -> Option<Model> {
    // (a heavier weight would drown the rest of the model in the rounding of the program's solution)
    for power in 0..4 {
        if basis.is_empty() && power > 0 {
            break;
        }
        let rho = 2.0 * size * 10f64.powi(power);
        let (mut hessian, mut slope) = (h.clone(), gradient.to_vec());
        for row in basis {
            hessian.ger(rho, &row.normal, &row.normal, 1.0);
            for (g, a) in slope.iter_mut().zip(row.normal.iter()) {
                *g += rho * a * row.remainder;
            }
        }
        if is_convex(&hessian, least) {
            return Some(Model {
                hessian,
                gradient: slope,
            });
        }
    }
    None
}

/// A damped BFGS matrix.
#[derive(Debug, Clone)]
pub(super) struct Bfgs {
    pub b: DMatrix<f64>,
    fresh: bool,
}

impl Bfgs {
    pub fn new(n: usize) -> Self {
        Self {
            b: DMatrix::identity(n, n),
            fresh: true,
        }
    }

    /// Takes in that the Lagrangian's gradient changed by `y` along `s`.
    pub fn update(&mut self, s: &DVector<f64>, y: &DVector<f64>) {
        let (ss, sy) = (s.dot(s), s.dot(y));
        if ss <= 0.0 || !sy.is_finite() {
            return;
        }
        if self.fresh {
            // the first matrix has the size of the curvature seen
            let size = y.dot(y) / sy.abs().max(1e-12 * ss);
            let size = if sy > 1e-8 * ss { size } else { 1.0 };
            self.b = DMatrix::identity(s.len(), s.len()) * size.clamp(1e-8, 1e8);
            self.fresh = false;
        }
        let bs = &self.b * s;
        let sbs = s.dot(&bs);
        if sbs <= 0.0 {
            return;
        }
        let theta = if sy >= 0.2 * sbs {
            1.0
        } else {
            0.8 * sbs / (sbs - sy)
        };
        let r = y * theta + &bs * (1.0 - theta);
        let sr = s.dot(&r);
        if sr <= 0.0 {
            return;
        }
        self.b.ger(-1.0 / sbs, &bs, &bs, 1.0);
        self.b.ger(1.0 / sr, &r, &r, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// min -x y on x + y = 2: indefinite, convex on the constraint; the lifted model has the same solution.
    #[test]
    fn an_indefinite_hessian_is_lifted_along_active_rows() {
        let h = DMatrix::from_row_slice(2, 2, &[0.0, -1.0, -1.0, 0.0]);
        let active = ActiveRow {
            normal: DVector::from_element(2, 1.0),
            remainder: -2.0,
        };
        let model = convex(-h, &[0.0, 0.0], &[active]);
        // curvature along the constraint's null space (1, -1) is what it was
        let null = DVector::from_column_slice(&[1.0, -1.0]);
        let along = null.dot(&(&model.hessian * &null));
        assert!(along > 0.0);
    }

    #[test]
    fn bfgs_satisfies_the_secant_equation() {
        let mut bfgs = Bfgs::new(2);
        let (s, y) = (
            DVector::from_column_slice(&[1.0, 0.5]),
            DVector::from_column_slice(&[2.0, 1.5]),
        );
        bfgs.update(&s, &y);
        assert!((&bfgs.b * &s - &y).norm() < 1e-12);
    }
}
