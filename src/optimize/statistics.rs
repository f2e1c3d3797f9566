//! From the Fisher information to standard errors, or to the directions the data do not determine.
//!
//! ```text
//! F = J^T J (m x m, residuals divided by their noise),   covariance = F^-1,   standard error_i = sqrt(covariance_ii)
//! ```
//!
//! The inverse of a nearly singular F is a page of large meaningless numbers, so the rank is tested first: F is scaled
//! to unit diagonal, which takes the units out, and its eigenvalues are compared with the largest. Eigenvectors below
//! the threshold are reported as unidentifiable, and only parameters without a component along them get a standard
//! error; the covariance is the inverse on the complement. With the rank full this is the plain inverse.

use nalgebra::{DMatrix, SymmetricEigen};
use thiserror::Error;

/// Why there are no statistics.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum StatisticsError {
    /// The information matrix is not square, or not finite.
    #[error("the Fisher information must be square and finite, and is {rows} x {columns}")]
    Malformed {
        /// rows of the matrix given
        rows: usize,
        /// columns of the matrix given
        columns: usize,
    },
    /// The eigenvalue iteration did not end.
    #[error("the eigenvalues of the Fisher information were not found")]
    NoEigenvalues,
}

/// Local statistics of an estimate of m parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    /// eigenvalues of the unit-diagonal information, from the largest (m)
    pub eigenvalues: Vec<f64>,
    /// the matching eigenvectors in scaled parameters, one a column (m x m)
    pub eigenvectors: DMatrix<f64>,
    /// number of determined directions
    pub rank: usize,
    /// unit vectors in parameter space along which the data say nothing (m - rank of them, each of length m)
    pub unidentifiable: Vec<Vec<f64>>,
    /// inverse of the information over the determined directions (m x m, units of the parameters squared)
    pub covariance: DMatrix<f64>,
    /// square roots of the covariance's diagonal; `None` for a parameter the data do not determine (m)
    pub standard_errors: Vec<Option<f64>>,
    /// covariance over the standard errors' product; 0 beside an undetermined parameter, 1 on the diagonal (m x m)
    pub correlation: DMatrix<f64>,
}

impl Statistics {
    /// The rank threshold of [`Statistics::new`], relative to the largest eigenvalue.
    pub const THRESHOLD: f64 = 1e-12;

    /// Inverts the information (m x m, symmetric) where it has rank.
    pub fn new(information: &DMatrix<f64>) -> Result<Self, StatisticsError> {
        Self::with_threshold(information, Self::THRESHOLD)
    }

    /// From the Jacobian of residuals divided by their noise: F = J^T J, `jacobian[i + k * j]` as an optimizer has it.
    pub fn from_jacobian(jacobian: &[f64], k: usize, m: usize) -> Result<Self, StatisticsError> {
        if jacobian.len() != k * m {
            return Err(StatisticsError::Malformed {
                rows: k,
                columns: m,
            });
        }
        let j = DMatrix::from_column_slice(k, m, jacobian);
        Self::new(&j.tr_mul(&j))
    }

    /// Inverts the information over eigenvalues above `threshold` times the largest.
    pub fn with_threshold(
        information: &DMatrix<f64>,
        threshold: f64,
    ) -> Result<Self, StatisticsError> {
        let (rows, columns) = information.shape();
        if rows != columns || information.iter().any(|x| !x.is_finite()) {
            return Err(StatisticsError::Malformed { rows, columns });
        }
        let m = rows;
        // A parameter with no information at all keeps scale 1: its row is zero and so is its eigenvalue.
        let scale: Vec<f64> = (0..m)
            .map(|i| {
                let f = information[(i, i)];
                if f > 0.0 { f.sqrt() } else { 1.0 }
            })
            .collect();
        let scaled = DMatrix::from_fn(m, m, |i, j| {
            0.5 * (information[(i, j)] + information[(j, i)]) / scale[i] / scale[j]
        });
        let eigen = if m == 0 {
            SymmetricEigen {
                eigenvectors: scaled,
                eigenvalues: nalgebra::DVector::zeros(0),
            }
        } else {
            SymmetricEigen::try_new(scaled, f64::EPSILON, 10_000)
                .ok_or(StatisticsError::NoEigenvalues)?
        };
        let mut order: Vec<usize> = (0..m).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        let eigenvalues: Vec<f64> = order.iter().map(|&i| eigen.eigenvalues[i]).collect();
        let eigenvectors = eigen.eigenvectors.select_columns(&order);
        let floor = threshold * eigenvalues.first().copied().unwrap_or(0.0).max(0.0);
        let rank = eigenvalues
            .iter()
            .take_while(|&&l| l > floor && l > 0.0)
            .count();

        let mut covariance = DMatrix::<f64>::zeros(m, m);
        for (n, l) in eigenvalues.iter().take(rank).enumerate() {
            let v = eigenvectors.column(n);
            for j in 0..m {
                for i in 0..m {
                    covariance[(i, j)] += v[i] * v[j] / l / scale[i] / scale[j];
                }
            }
        }
        let unidentifiable: Vec<Vec<f64>> = (rank..m)
            .map(|n| {
                let v: Vec<f64> = (0..m).map(|i| eigenvectors[(i, n)] / scale[i]).collect();
                let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
                v.iter().map(|x| x / length).collect()
            })
            .collect();
        // An eigenvector known to 1e-16 / gap has components of rounding: those below the square root do not count.
        let loose = |i: usize| (rank..m).any(|n| eigenvectors[(i, n)].abs() > 1e-6);
        let standard_errors: Vec<Option<f64>> = (0..m)
            .map(|i| (!loose(i)).then(|| covariance[(i, i)].max(0.0).sqrt()))
            .collect();
        let correlation = DMatrix::from_fn(m, m, |i, j| {
            if i == j {
                return 1.0;
            }
            match (standard_errors[i], standard_errors[j]) {
                (Some(a), Some(b)) if a > 0.0 && b > 0.0 => {
                    (covariance[(i, j)] / (a * b)).clamp(-1.0, 1.0)
                }
                _ => 0.0,
            }
        });
        Ok(Self {
            eigenvalues,
            eigenvectors,
            rank,
            unidentifiable,
            covariance,
            standard_errors,
            correlation,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_rank_inverse_is_the_inverse() {
        // Scales 1e6 apart; the inverse of [[a, b], [b, d]] is [[d, -b], [-b, a]] / (a d - b^2).
        let f = DMatrix::from_row_slice(2, 2, &[4.0e12, 1.0e6, 1.0e6, 3.0]);
        let s = Statistics::new(&f).expect("finite");
        assert_eq!(s.rank, 2);
        let det = 11.0e12_f64;
        let expected = [(3.0 / det).sqrt(), (4.0e12 / det).sqrt()];
        for (got, want) in s.standard_errors.iter().zip(expected) {
            let got = got.expect("identifiable");
            assert!((got / want - 1.0).abs() < 1e-14);
        }
        assert!((s.correlation[(0, 1)] + 1.0e6 / 12.0e12_f64.sqrt()).abs() < 1e-14);
    }

    #[test]
    fn a_product_of_parameters_leaves_one_direction() {
        // y = a b t beside z = c: with a = 2, b = 3 only a b is seen, and (a, -b) is free.
        let j: Vec<f64> = (1..=5)
            .flat_map(|t| {
                let t = f64::from(t);
                [3.0 * t, 2.0 * t, 0.0, 0.0, 0.0, 1.0]
            })
            .collect();
        let rows = DMatrix::from_row_slice(10, 3, &j);
        let s = Statistics::from_jacobian(rows.as_slice(), 10, 3).expect("finite");
        assert_eq!(s.rank, 2);
        assert_eq!(s.standard_errors[0], None);
        assert_eq!(s.standard_errors[1], None);
        let third = s.standard_errors[2].expect("seen five times");
        assert!((third - 0.2_f64.sqrt()).abs() < 1e-14);
        let free = &s.unidentifiable[0];
        assert!((free[0] / free[1] + 2.0 / 3.0).abs() < 1e-12, "{free:?}");
        assert!(free[2].abs() < 1e-12);
    }

    #[test]
    fn no_information_and_malformed_matrices() {
        let s = Statistics::new(&DMatrix::zeros(2, 2)).expect("finite");
        assert_eq!(s.rank, 0);
        assert_eq!(s.unidentifiable.len(), 2);
        assert_eq!(
            Statistics::new(&DMatrix::zeros(0, 0)).map(|s| s.rank),
            Ok(0)
        );
        assert!(Statistics::new(&DMatrix::zeros(2, 3)).is_err());
        assert!(Statistics::new(&DMatrix::from_element(1, 1, f64::NAN)).is_err());
    }
}
