//! Norms of stable systems.
//!
//! The H2 norm, `sqrt(c P c^T)` with A P + P A^T + b b^T = 0, by the complex Schur form (R. H. Bartels & G. W. Stewart, Solution
//! of the matrix equation AX + XB = C, Comm. ACM 15 (1972) 820-826, doi 10.1145/361573.361582). The H-infinity norm, the
//! peak of |G(i w)|, by the eigenvalues of the Hamiltonian matrix
//!
//! ```text
//! H(g) = [ A + b d c/R    b b^T/R ; -(1 + d^2/R) c^T c    -(A + b d c/R)^T ],    R = g^2 - d^2
//! ```
//!
//! which has those i w on the imaginary axis where |G(i w)| = g: from the peak of a grid, g grows until there are none
//! (N. A. Bruinsma & M. Steinbuch, A fast algorithm to compute the H-infinity norm of a transfer function matrix, Systems &
//! Control Letters 14 (1990) 287-293, doi 10.1016/0167-6911(90)90049-Z).

use nalgebra::{Complex, DMatrix, DVector, Schur};

use super::margins::{Peak, peak};
use super::{Grid, StateSpace, eigenvalues};

/// Relative error of the H-infinity norm.
const CLOSE: f64 = 1e-10;
/// Real part, beside its size, of an eigenvalue of the Hamiltonian on the axis.
const ON_AXIS: f64 = 1e-7;
const MOST_ROUNDS: usize = 30;

/// Root mean square of y where u is white noise of intensity 1; infinite where a pole is not stable or d is not 0.
pub fn h2_norm(system: &StateSpace) -> f64 {
    if system.a.is_empty() {
        return if system.d == 0.0 { 0.0 } else { f64::INFINITY };
    }
    if system.d != 0.0 || !system.is_stable() {
        return f64::INFINITY;
    }
    let q = &system.b * system.b.transpose();
    match lyapunov(&system.a, &q) {
        Some(p) => (&system.c * p * system.c.transpose())[0].max(0.0).sqrt(),
        None => f64::INFINITY,
    }
}

/// P with A P + P A^T + Q = 0; `None` where two eigenvalues of A add up to 0.
pub fn lyapunov(a: &DMatrix<f64>, q: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    let complex = |m: &DMatrix<f64>| m.map(|v| Complex::new(v, 0.0));
    let (u, t) = Schur::try_new(complex(a), f64::EPSILON, 10_000)?.unpack();
    let n = a.nrows();
    let f = u.adjoint() * complex(q) * &u;
    // T Y + Y T^H = -F, the last column first
    let mut y = DMatrix::<Complex<f64>>::zeros(n, n);
    for j in (0..n).rev() {
        let mut right: DVector<Complex<f64>> = -f.column(j);
        for k in j + 1..n {
            right -= y.column(k) * t[(j, k)].conj();
        }
        for i in (0..n).rev() {
            let mut sum = right[i];
            for k in i + 1..n {
                sum -= t[(i, k)] * y[(k, j)];
            }
            let divisor = t[(i, i)] + t[(j, j)].conj();
            if divisor.norm() == 0.0 {
                return None;
            }
            y[(i, j)] = sum / divisor;
        }
    }
    Some((&u * y * u.adjoint()).map(|v| v.re))
}

/// The largest |G(i w)| and where; `None` where a pole is not stable. A dead time does not change it.
pub fn h_infinity_norm(system: &StateSpace) -> Option<Peak> {
    if !system.is_stable() {
        return None;
    }
    // a dead time turns G, no more
    let system = &StateSpace {
        dead_time: 0.0,
        ..system.clone()
    };
    let mut best = Peak {
        value: system.dc_gain().abs(),
        frequency: 0.0,
    };
    if system.d.abs() > best.value {
        best = Peak {
            value: system.d.abs(),
            frequency: f64::INFINITY,
        };
    }
    let size = |w: f64| system.response(w).norm();
    if let Some(found) = peak(&Grid::new(system), |_, g| g.norm(), size)
        && found.value > best.value
    {
        best = found;
    }
    for _ in 0..MOST_ROUNDS {
        let crossings = crossings(system, best.value * (1.0 + CLOSE));
        // between two crossings |G| is above the level, or below it
        let middles = crossings.windows(2).map(|pair| (pair[0] * pair[1]).sqrt());
        let higher = middles
            .chain(crossings.first().map(|w| w / 2.0))
            .map(|frequency| Peak {
                value: size(frequency),
                frequency,
            })
            .filter(|found| found.value > best.value * (1.0 + CLOSE))
            .max_by(|a, b| a.value.total_cmp(&b.value));
        match higher {
            Some(higher) => best = higher,
            None => break,
        }
    }
    Some(best)
}

/// Frequencies above 0 where |G(i w)| is this, ascending.
fn crossings(system: &StateSpace, level: f64) -> Vec<f64> {
    let n = system.a.nrows();
    let r = level * level - system.d * system.d;
    if n == 0 || r <= 0.0 {
        return Vec::new();
    }
    let (b, c) = (&system.b, &system.c);
    let a = &system.a + b * c * (system.d / r);
    let mut h = DMatrix::zeros(2 * n, 2 * n);
    h.view_mut((0, 0), (n, n)).copy_from(&a);
    h.view_mut((0, n), (n, n))
        .copy_from(&(b * b.transpose() / r));
    let lower = c.transpose() * c * -(1.0 + system.d * system.d / r);
    h.view_mut((n, 0), (n, n)).copy_from(&lower);
    h.view_mut((n, n), (n, n)).copy_from(&-a.transpose());
    let mut all: Vec<f64> = eigenvalues(&h)
        .into_iter()
        .filter(|root| root.im > 0.0 && root.re.abs() <= ON_AXIS * root.norm())
        .map(|root| root.im)
        .collect();
    all.sort_by(f64::total_cmp);
    all
}
