//! Criteria of designs and their derivatives.
//!
//! With the Fisher information F, the covariance C = F^-1 and its block C_ss of the parameters of interest, with eigenvalues
//! lambda_1, ..., lambda_n and eigenvectors U,
//!
//! ```text
//! phi_D = ln det C_ss        phi_q = 1/q ln sum_i lambda_i^q        q = 1: A        q -> infinity: E
//! dphi = -tr(C_.s M C_s. dF)      M = U diag(1 / lambda_i) U^T, or U diag(lambda_i^(q-1) / sum_j lambda_j^q) U^T
//! ```
//!
//! (Kiefer 1974, doi 10.1214/aos/1176342810). The largest eigenvalue has no derivative where two are equal, which an optimal design
//! often makes them; a search for it goes through growing q.

use nalgebra::{Cholesky, DMatrix, SymmetricEigen};

use crate::scenario::DesignCriterion;

/// An information of which the smallest pivot, units taken out, is below this is taken for singular.
const SINGULAR: f64 = 1e-13;

/// What a design tells of the parameters.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    /// phi
    pub value: f64,
    /// dphi / dF, symmetric
    pub slope: DMatrix<f64>,
    /// C
    pub covariance: DMatrix<f64>,
    /// largest eigenvalue of C_ss
    pub largest: f64,
}

/// The criterion at an information, the parameters of interest being at the places `interest`; by the power q in place of the
/// largest eigenvalue where one is given. `None` where the information is singular.
pub(super) fn judge(
    information: &DMatrix<f64>,
    interest: &[usize],
    criterion: DesignCriterion,
    power: Option<f64>,
) -> Option<Judged> {
    let m = information.nrows();
    let sizes: Vec<f64> = (0..m).map(|i| information[(i, i)].sqrt()).collect();
    if !sizes.iter().all(|size| *size > 0.0 && size.is_finite()) {
        return None;
    }
    let scaled = DMatrix::from_fn(m, m, |i, j| information[(i, j)] / sizes[i] / sizes[j]);
    let cholesky = Cholesky::new(scaled)?;
    let pivots = cholesky.l_dirty().diagonal();
    if !pivots.iter().all(|pivot| pivot * pivot > SINGULAR) {
        return None;
    }
    let inverse = cholesky.inverse();
    let covariance = DMatrix::from_fn(m, m, |i, j| inverse[(i, j)] / (sizes[i] * sizes[j]));
    let of_interest = covariance.select_rows(interest).select_columns(interest);
    let eigen = SymmetricEigen::try_new(of_interest, f64::EPSILON, 10_000)?;
    let lambda = &eigen.eigenvalues;
    let largest = lambda.max();
    if !lambda.iter().all(|l| *l > 0.0 && l.is_finite()) {
        return None;
    }
    let (value, weights): (f64, Vec<f64>) = match criterion {
        DesignCriterion::D => (
            lambda.iter().map(|l| l.ln()).sum(),
            lambda.iter().map(|l| 1.0 / l).collect(),
        ),
        DesignCriterion::A | DesignCriterion::E => {
            let q = match criterion {
                DesignCriterion::A => 1.0,
                _ => power.unwrap_or(f64::INFINITY),
            };
            // relative to the largest, so that no power overflows
            let sum: f64 = lambda.iter().map(|l| relative_power(l / largest, q)).sum();
            let value = largest.ln() + if q.is_finite() { sum.ln() / q } else { 0.0 };
            let weights = lambda.iter().map(|l| {
                let ratio = l / largest;
                relative_power(ratio, q) / ratio / sum / largest
            });
            (value, weights.collect())
        }
    };
    let u = &eigen.eigenvectors;
    let middle = u * DMatrix::from_diagonal(&nalgebra::DVector::from_vec(weights)) * u.transpose();
    let columns = covariance.select_columns(interest);
    let slope = -(&columns * middle * columns.transpose());
    Some(Judged {
        value,
        slope,
        covariance,
        largest,
    })
}

/// ratio^q for a ratio up to 1: at infinity 1 for 1 and 0 below.
fn relative_power(ratio: f64, q: f64) -> f64 {
    if ratio >= 1.0 { 1.0 } else { ratio.powf(q) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_derivatives() {
        let base = DMatrix::from_row_slice(3, 3, &[4.0, 1.0, 0.5, 1.0, 3.0, -0.2, 0.5, -0.2, 2.0]);
        let change =
            DMatrix::from_row_slice(3, 3, &[0.3, -0.4, 0.2, -0.4, 0.1, 0.6, 0.2, 0.6, -0.5]);
        let h = 1e-5;
        for (criterion, power) in [
            (DesignCriterion::D, None),
            (DesignCriterion::A, None),
            (DesignCriterion::E, Some(7.0)),
            (DesignCriterion::E, None),
        ] {
            for interest in [vec![0, 1, 2], vec![0, 2]] {
                let at = |s: f64| {
                    judge(&(&base + &change * s), &interest, criterion, power).expect("regular")
                };
                let difference = (at(h).value - at(-h).value) / (2.0 * h);
                let slope = at(0.0).slope.dot(&change);
                // central differences err by h^2
                assert!(
                    (slope - difference).abs() < 1e-8,
                    "{criterion:?} {slope} {difference}"
                );
            }
        }
        let singular = DMatrix::from_element(2, 2, 1.0);
        assert!(judge(&singular, &[0, 1], DesignCriterion::D, None).is_none());
    }
}
