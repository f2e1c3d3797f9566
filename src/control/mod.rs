//! Linear time-invariant systems of one input and one output: poles and zeros, frequency response, margins, norms.
//!
//! Functions of numbers alone: what is linearized, and how, is for [`crate::study`] to say.

mod margins;
mod norms;
mod response;
mod zeros;

use nalgebra::{Complex, DMatrix, DVector, RowDVector};

pub use margins::{Critical, Crossing, Loop, Margins, Peak, degrees};
pub use norms::{h_infinity_norm, h2_norm, lyapunov};
pub use response::{Grid, bandwidth};

/// x' = A x + b u(t - dead_time), y = c x + d u(t - dead_time).
#[derive(Debug, Clone, PartialEq)]
pub struct StateSpace {
    /// A, n x n
    pub a: DMatrix<f64>,
    /// b, n
    pub b: DVector<f64>,
    /// c, n
    pub c: RowDVector<f64>,
    /// d
    pub d: f64,
    /// dead time, 0 or more: a factor exp(-s dead_time)
    pub dead_time: f64,
}

impl StateSpace {
    /// -G, the open loop of a system with negative feedback where G has the sign of the feedback in it.
    pub fn negated(&self) -> Self {
        Self {
            c: -&self.c,
            d: -self.d,
            ..self.clone()
        }
    }

    /// The eigenvalues of A by real part, then imaginary part.
    pub fn poles(&self) -> Vec<Complex<f64>> {
        eigenvalues(&self.a)
    }

    /// Whether all poles lie left of the imaginary axis.
    pub fn is_stable(&self) -> bool {
        self.poles().iter().all(|pole| pole.re < 0.0)
    }

    /// G(0), infinite where there is a pole at 0.
    pub fn dc_gain(&self) -> f64 {
        if self.a.is_empty() {
            return self.d;
        }
        match self.a.clone().lu().solve(&self.b) {
            Some(x) => self.d - (&self.c * x)[0],
            None => self.gain_beside_a_pole(),
        }
    }

    /// G(0) where A has an eigenvalue 0: the limit along the imaginary axis, finite where the pole is not seen.
    fn gain_beside_a_pole(&self) -> f64 {
        let poles = self.poles();
        let sizes = poles.iter().map(|p| p.norm()).filter(|size| *size > 0.0);
        let lowest = sizes.fold(f64::INFINITY, f64::min);
        let w = 1e-7 * if lowest.is_finite() { lowest } else { 1.0 };
        let [far, near] = [w, w / 2.0].map(|w| self.response(w));
        if near.norm() > 1.5 * far.norm() {
            f64::INFINITY
        } else {
            near.re
        }
    }

    /// The system around which this one, without dead time, is closed by negative feedback, from a disturbance at its input to
    /// it: 1/(1 + G). `None` where 1 + d = 0 or there is a dead time.
    pub fn sensitivity(&self) -> Option<Self> {
        let gain = 1.0 + self.d;
        if gain == 0.0 || self.dead_time > 0.0 {
            return None;
        }
        Some(Self {
            a: &self.a - &self.b * &self.c / gain,
            b: &self.b / gain,
            c: -&self.c / gain,
            d: 1.0 / gain,
            dead_time: 0.0,
        })
    }

    /// The closed loop G/(1 + G) = 1 - 1/(1 + G), likewise.
    pub fn complementary(&self) -> Option<Self> {
        let s = self.sensitivity()?;
        Some(Self {
            c: -s.c,
            d: 1.0 - s.d,
            ..s
        })
    }
}

/// Eigenvalues of a matrix by real part, then imaginary part.
pub fn eigenvalues(a: &DMatrix<f64>) -> Vec<Complex<f64>> {
    if a.is_empty() || a.iter().any(|v| !v.is_finite()) {
        return Vec::new();
    }
    let mut all: Vec<Complex<f64>> = balanced(a).complex_eigenvalues().iter().copied().collect();
    all.sort_by(|p, q| p.re.total_cmp(&q.re).then(p.im.total_cmp(&q.im)));
    all
}

/// A similar matrix with rows and columns of one size, by powers of two.
///
/// B. N. Parlett & C. Reinsch, Balancing a matrix for calculation of eigenvalues and eigenvectors, Numer. Math. 13 (1969)
/// 293-304, doi 10.1007/BF02165404.
fn balanced(a: &DMatrix<f64>) -> DMatrix<f64> {
    let mut m = a.clone();
    let n = m.nrows();
    let mut changed = true;
    while changed {
        changed = false;
        for i in 0..n {
            let off = |k: &usize| *k != i;
            let mut column: f64 = (0..n).filter(off).map(|k| m[(k, i)].abs()).sum();
            let row: f64 = (0..n).filter(off).map(|k| m[(i, k)].abs()).sum();
            if column == 0.0 || row == 0.0 {
                continue;
            }
            let sum = column + row;
            let mut factor = 1.0;
            while column < row / 2.0 {
                column *= 4.0;
                factor *= 2.0;
            }
            while column >= row * 2.0 {
                column /= 4.0;
                factor /= 2.0;
            }
            // after scaling: column * factor and row / factor; `column` holds column * factor^2
            if factor != 1.0 && (column / factor + row / factor) < 0.95 * sum {
                changed = true;
                for k in 0..n {
                    m[(k, i)] *= factor;
                    m[(i, k)] /= factor;
                }
            }
        }
    }
    m
}
