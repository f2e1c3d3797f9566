//! Search scales: natural values v to scaled values q and back, with dv/dq.

use crate::scenario::{Parameter, Scale};

/// v to q.
pub fn to_scaled(parameter: &Parameter, v: f64) -> f64 {
    let [lower, upper] = parameter.bounds;
    match parameter.scale {
        Scale::Linear => v,
        Scale::Log => v.ln(),
        Scale::Log10 => v.log10(),
        Scale::Logit => ((v - lower) / (upper - v)).ln(),
    }
}

/// q to v; bounds come back exactly.
pub fn to_natural(parameter: &Parameter, q: f64) -> f64 {
    let [lower, upper] = parameter.bounds;
    let v = match parameter.scale {
        Scale::Linear => q,
        Scale::Log => q.exp(),
        Scale::Log10 => 10f64.powf(q),
        Scale::Logit => lower + (upper - lower) / (1.0 + (-q).exp()),
    };
    // exp(ln b) may miss b by a rounding error; a value past a bound would be outside the model's promise.
    v.clamp(lower, upper)
}

/// dv/dq at the natural value v.
pub fn slope(parameter: &Parameter, v: f64) -> f64 {
    let [lower, upper] = parameter.bounds;
    match parameter.scale {
        Scale::Linear => 1.0,
        Scale::Log => v,
        Scale::Log10 => v * std::f64::consts::LN_10,
        Scale::Logit => (v - lower) * (upper - v) / (upper - lower),
    }
}

/// d^2 q / dv^2 at the natural value v.
pub fn curvature(parameter: &Parameter, v: f64) -> f64 {
    let [lower, upper] = parameter.bounds;
    match parameter.scale {
        Scale::Linear => 0.0,
        Scale::Log => -1.0 / (v * v),
        Scale::Log10 => -1.0 / (v * v * std::f64::consts::LN_10),
        Scale::Logit => (upper - v).powi(-2) - (v - lower).powi(-2),
    }
}

/// Bounds of q. A logit's are infinite: its scale keeps v inside by itself.
pub fn scaled_bounds(parameter: &Parameter) -> [f64; 2] {
    match parameter.scale {
        Scale::Logit => [f64::NEG_INFINITY, f64::INFINITY],
        Scale::Log | Scale::Log10 => parameter.bounds.map(|b| {
            if b <= 0.0 {
                f64::NEG_INFINITY
            } else {
                to_scaled(parameter, b)
            }
        }),
        Scale::Linear => parameter.bounds,
    }
}
