//! The numbers that make one ESDIRK method, and how those that follow from others are derived.

use crate::scalar::Scalar;

/// Coefficients of an ESDIRK method with s stages; see the module of the family for what they mean.
pub trait Tableau: std::fmt::Debug + Clone + Copy + Default + Send + Sync + 'static {
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
    /// The error test multiplies the estimate by this, so that a step whose estimate is 1 makes an error of about 1.
    ///
    /// With T_{p+1} the vector of the solution's defects in the order conditions of p + 1, each over the symmetry of its
    /// tree, and E_{q+1} that of the estimate's leading terms, a step that just passes has an error
    /// C tol^((p+1)/(q+1)), C = |T_{p+1}| / |E_{q+1}|^((p+1)/(q+1)) (Prince & Dormand, J. Comput. Appl. Math. 7 (1981),
    /// doi 10.1016/0771-050X(81)90010-3). Multiplying the estimate by C^((q+1)/(p+1)) makes C = 1. Pairs with C <= 1 keep 1.
    const CAUTION: f64 = 1.0;
    /// Whether the error estimate is multiplied by (I - h gamma J)^-1, for estimates that do not vanish at
    /// infinity.
    const FILTERED: bool;
    /// Row i: weights of the earlier slopes in the guess of slope i.
    const GUESS: &'static [&'static [f64]];
    /// Row of A left of the diagonal, and node, of a stage more that is solved where somebody reads inside a step.
    const DENSE_STAGE: Option<(&'static [f64], f64)> = None;
    /// Stages kept: those of the step and the dense output's own.
    const KEPT: usize = Self::A.len() + Self::DENSE_STAGE.is_some() as usize;
    /// Coefficients of theta, ..., theta^4 in b_i(theta), a row for each stage kept.
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
