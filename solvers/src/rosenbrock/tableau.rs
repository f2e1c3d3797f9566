//! What sets one Rosenbrock method apart from another: its coefficients.

use std::fmt::Debug;

use crate::scalar::Scalar;

/// Stages of the largest method, its dense output's included.
pub const MOST_STAGES: usize = 8;

/// Coefficients of a stiffly accurate Rosenbrock method with s stages (see [`super`] for what they mean): rows
/// i of `A` and `C` hold at least the i - 1 entries left of the diagonal, a_sj = m_j (j < s) and m_s = 1.
pub trait Tableau: Debug + Clone + Copy + Default + Send + Sync + 'static {
    /// Order of the solution.
    const ORDER: u32;
    /// Order of the embedded solution, the one without u_s.
    const ERROR_ORDER: u32;
    /// gamma: W = M / (h gamma) - J.
    const GAMMA: f64;
    /// Nodes alpha_i.
    const ALPHA: &'static [f64];
    /// Weights d_i of h f_t.
    const D: &'static [f64];
    /// Weights a_ij of the arguments.
    const A: &'static [&'static [f64]];
    /// Weights c_ij / h on the right-hand sides.
    const C: &'static [&'static [f64]];
    /// Weights m_i of the solution.
    const M: &'static [f64];
    /// Rows H_1, H_2, ... of the dense output; see [`dense_weights`].
    const H: &'static [&'static [f64]];
    /// Whether the dense output takes one stage more, `W u_{s+1} = f(t + h, x_new) + h gamma f_t`: the first of
    /// the next step but for its matrix, at the price of one solve.
    const DENSE_STAGE: bool;

    /// theta of the test inside a step (the module `inside`).
    const INSIDE: f64;

    /// Number of stages s.
    const STAGES: usize = Self::M.len();
    /// Stages kept: s, and the dense output's own.
    const KEPT: usize = Self::STAGES + Self::DENSE_STAGE as usize;
}

/// Weights of the dense output x(t + theta h) = x + sum b_i(theta) u_i,
/// b_i(theta) = theta m_i + theta (1 - theta) (H_1i + theta (H_2i + ...)); b(1) = m. Those past
/// [`Tableau::KEPT`] are 0.
#[inline]
pub fn dense_weights<T: Tableau, S: Scalar>(theta: S) -> [S; MOST_STAGES] {
    let bubble = theta * (-theta + 1.0);
    std::array::from_fn(|i| {
        if i >= T::KEPT {
            return S::from(0.0);
        }
        let mut rows = T::H.iter().rev();
        let highest = rows.next().map_or(0.0, |row| row[i]);
        let polynomial = rows.fold(S::from(highest), |sum, row| sum * theta + row[i]);
        let linear = T::M.get(i).map_or(S::from(0.0), |&m| theta * m);
        linear + bubble * polynomial
    })
}

/// Derivatives of the weights, b_i'(theta).
pub fn dense_slopes<T: Tableau>(theta: f64) -> [f64; MOST_STAGES] {
    std::array::from_fn(|i| {
        if i >= T::KEPT {
            return 0.0;
        }
        // the polynomial of the rows and its derivative
        let start = (0.0, 0.0);
        let (value, slope) = T::H.iter().rev().fold(start, |(value, slope), row| {
            (value * theta + row[i], slope * theta + value)
        });
        let linear = T::M.get(i).copied().unwrap_or(0.0);
        linear + (1.0 - 2.0 * theta) * value + theta * (1.0 - theta) * slope
    })
}
