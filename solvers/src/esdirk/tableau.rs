//! The numbers that make one ESDIRK method, and how those that follow from others are derived.

use crate::scalar::Scalar;

/// Coefficients of an ESDIRK method with s stages; see the module of the family for what they mean.
pub trait Tableau: std::fmt::Debug + Clone + Send + Sync + 'static {
    /// Order of the solution.
    const ORDER: u32;
    /// Order of the error estimate, the lower of the pair's.
    const ERROR_ORDER: u32;
    /// The diagonal of A.
    const GAMMA: f64;
    /// Row i of A left of the diagonal: i numbers, i = 0, ..., s - 1. The last row with gamma is b.
    const A: &'static [&'static [f64]];
    /// Nodes c_i.
    const C: &'static [f64];
    /// b - bhat.
    const ERROR: &'static [f64];
    /// Whether the error estimate is multiplied by (I - h gamma J)^-1, for estimates that do not vanish at
    /// infinity.
    const FILTERED: bool;
    /// Row i: weights of the earlier slopes in the guess of slope i.
    const GUESS: &'static [&'static [f64]];
    /// Coefficients of theta, ..., theta^4 in b_i(theta).
    const DENSE: &'static [[f64; 4]];
    /// Stage between the ends of the step whose slope, with those at the ends, predicts the next step.
    const MIDDLE: usize;
}

/// Weights b_i(theta), i = 0, ..., s - 1, of the dense output of `T`.
#[inline]
pub fn dense_weight<S: Scalar, T: Tableau>(i: usize, theta: S) -> S {
    let [c1, c2, c3, c4] = T::DENSE[i];
    (((theta * c4 + c3) * theta + c2) * theta + c1) * theta
}

/// Values at `at` of the Lagrange polynomials over `nodes`: weights that extrapolate slopes.
pub const fn lagrange<const N: usize>(nodes: [f64; N], at: f64) -> [f64; N] {
    let mut weights = [1.0; N];
    let mut i = 0;
    while i < N {
        let mut j = 0;
        while j < N {
            if j != i {
                weights[i] *= (at - nodes[j]) / (nodes[i] - nodes[j]);
            }
            j += 1;
        }
        i += 1;
    }
    weights
}

/// Weights that guess the increment of a stage by that of the stage before, whose row of A is `before`
/// (with its diagonal); `row` is the stage's own without.
pub const fn same_increment<const N: usize>(
    before: [f64; N],
    row: [f64; N],
    gamma: f64,
) -> [f64; N] {
    let mut weights = [0.0; N];
    let mut j = 0;
    while j < N {
        weights[j] = (before[j] - row[j]) / gamma;
        j += 1;
    }
    weights
}

/// The cubic through x and x_new with the slopes k_1 and k_s, as weights of the k_i: order 3.
pub const fn hermite<const N: usize>(b: [f64; N]) -> [[f64; 4]; N] {
    let mut rows = [[0.0; 4]; N];
    let mut i = 0;
    while i < N {
        rows[i] = [0.0, 3.0 * b[i], -2.0 * b[i], 0.0];
        i += 1;
    }
    rows[0][0] += 1.0;
    rows[0][1] -= 2.0;
    rows[0][2] += 1.0;
    rows[N - 1][1] -= 1.0;
    rows[N - 1][2] += 1.0;
    rows
}

/// `rows` and theta^2 (1 - theta)^2 `weights` on top: the ends and the slopes there stay.
pub const fn with_bubble<const N: usize>(
    mut rows: [[f64; 4]; N],
    weights: [f64; N],
) -> [[f64; 4]; N] {
    let mut i = 0;
    while i < N {
        rows[i][1] += weights[i];
        rows[i][2] -= 2.0 * weights[i];
        rows[i][3] += weights[i];
        i += 1;
    }
    rows
}
