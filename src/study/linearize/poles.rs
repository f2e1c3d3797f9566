//! Requirements of poles, and their derivatives.

use nalgebra::{Complex, DMatrix, DVector};

use super::{LinearChange, Margin, Requirement};
use crate::control::eigenvalues;

/// A requirement of the poles, with the derivative of the pole that decides it, y^H dA x/(y^H x).
pub(super) fn of_poles(
    a: &DMatrix<f64>,
    changes: &[LinearChange],
    requirement: Requirement,
) -> Margin {
    let damping = |p: &Complex<f64>| {
        if p.norm() == 0.0 {
            0.0
        } else {
            -p.re / p.norm()
        }
    };
    let poles = eigenvalues(a);
    let pole = match requirement {
        Requirement::Damping => poles
            .iter()
            .min_by(|p, q| damping(p).total_cmp(&damping(q))),
        _ => poles.iter().max_by(|p, q| p.re.total_cmp(&q.re)),
    };
    let Some(&pole) = pole else {
        return Margin {
            value: f64::NAN,
            frequency: None,
            gradient: vec![f64::NAN; changes.len()],
        };
    };
    let (right, left) = (eigenvector(a, pole), eigenvector(&a.transpose(), pole));
    let gradient = changes
        .iter()
        .map(|LinearChange { closed: change, .. }| {
            let (mut sum, mut own) = (Complex::new(0.0, 0.0), Complex::new(0.0, 0.0));
            for i in 0..a.nrows() {
                own += left[i] * right[i];
                for j in 0..a.ncols() {
                    sum += left[i] * right[j] * change[(i, j)];
                }
            }
            let moves = sum / own;
            match requirement {
                // d(-Re p/|p|) = -Re dp/|p| + Re p Re(conj(p) dp)/|p|^3
                Requirement::Damping => {
                    let size = pole.norm();
                    -moves.re / size + pole.re * (pole.conj() * moves).re / size.powi(3)
                }
                _ => moves.re,
            }
        })
        .collect();
    Margin {
        value: match requirement {
            Requirement::Damping => damping(&pole),
            _ => pole.re,
        },
        frequency: Some(pole.im.abs()),
        gradient,
    }
}

/// An eigenvector by inverse iteration.
fn eigenvector(a: &DMatrix<f64>, pole: Complex<f64>) -> DVector<Complex<f64>> {
    let n = a.nrows();
    let apart = (a.norm() + 1e-300) * 1e-10;
    let matrix = DMatrix::from_fn(n, n, |i, j| {
        let own = if i == j {
            pole + apart
        } else {
            Complex::new(0.0, 0.0)
        };
        Complex::new(a[(i, j)], 0.0) - own
    });
    let lu = matrix.lu();
    let mut vector = DVector::from_fn(n, |i, _| Complex::new(1.0, 0.1 * (i + 1) as f64));
    for _ in 0..6 {
        if let Some(next) = lu.solve(&vector) {
            let size = next.norm();
            if size.is_finite() && size > 0.0 {
                vector = next / Complex::new(size, 0.0);
            }
        }
    }
    vector
}
