//! Robust losses of a residual: width^2 rho(z) / 2 with z = (r / width)^2 (Triggs et al. 2000; Huber 1964; Beaton and Tukey 1974).

use costate_solvers::Scalar;

use crate::scenario::{Loss, LossShape};

/// The loss of a residual.
pub(super) fn share<S: Scalar>(loss: Loss, r: S) -> S {
    let scaled = r / loss.width;
    let z = scaled * scaled;
    let inside = z.value() <= 1.0;
    let rho = match loss.shape {
        LossShape::Huber if inside => z,
        LossShape::Huber => scaled.abs() * 2.0 - 1.0,
        // 2 (sqrt(1 + z) - 1) without the cancellation
        LossShape::SoftL1 => z * 2.0 / ((z + 1.0).sqrt() + 1.0),
        LossShape::Cauchy => z.ln_1p(),
        LossShape::Arctan => z.atan(),
        // (1 - (1 - z)^3) / 3, multiplied out
        LossShape::Tukey if inside => z * (z * (z * (1.0 / 3.0) - 1.0) + 1.0),
        LossShape::Tukey => S::from(1.0 / 3.0),
    };
    rho * (0.5 * loss.width * loss.width)
}

/// The derivative of the loss, rho' r, and rho', the weight by which a square is taken in its place.
pub(super) fn slope(loss: Loss, r: f64) -> (f64, f64) {
    let scaled = r / loss.width;
    let z = scaled * scaled;
    let weight = match loss.shape {
        LossShape::Huber if z <= 1.0 => 1.0,
        LossShape::Huber => 1.0 / scaled.abs(),
        LossShape::SoftL1 => 1.0 / (1.0 + z).sqrt(),
        LossShape::Cauchy => 1.0 / (1.0 + z),
        LossShape::Arctan => 1.0 / (1.0 + z * z),
        LossShape::Tukey if z <= 1.0 => (1.0 - z) * (1.0 - z),
        LossShape::Tukey => 0.0,
    };
    (weight * r, weight)
}
