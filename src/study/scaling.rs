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

/// d2v/dq2 at the natural value v.
pub fn curvature(parameter: &Parameter, v: f64) -> f64 {
    let [lower, upper] = parameter.bounds;
    slope(parameter, v)
        * match parameter.scale {
            Scale::Linear => 0.0,
            Scale::Log => 1.0,
            Scale::Log10 => std::f64::consts::LN_10,
            Scale::Logit => (lower + upper - 2.0 * v) / (upper - lower),
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::compile::Backend;
    use crate::study::Study;

    /// Central differences of step 1e-5 in q err by some 1e-10.
    #[test]
    fn slopes_and_curvatures_are_derivatives() {
        let text = "[scenario]\ntime = { start = 0.0, end = 1.0 }\n[states]\nx = 1.0\n[equations]\nx = \"-a*b*c*d*x\"\n\
                    [parameters]\na = { value = 0.7, bounds = [0.2, 3.0], scale = \"linear\" }\n\
                    b = { value = 0.7, bounds = [0.2, 3.0], scale = \"log\" }\n\
                    c = { value = 0.7, bounds = [0.2, 3.0], scale = \"log10\" }\n\
                    d = { value = 0.7, bounds = [0.2, 3.0], scale = \"logit\" }\n";
        let (study, findings) = Study::from_text(text, Path::new("."), Backend::Interpreter);
        let scenario = study.unwrap_or_else(|| panic!("{findings:?}")).scenario;
        assert_eq!(scenario.parameters.len(), 4);
        for parameter in &scenario.parameters {
            let (v, h) = (parameter.value, 1e-5);
            let q = to_scaled(parameter, v);
            let [up, down] = [q + h, q - h].map(|q| to_natural(parameter, q));
            assert!((slope(parameter, v) - (up - down) / (2.0 * h)).abs() < 1e-8);
            let difference = (slope(parameter, up) - slope(parameter, down)) / (2.0 * h);
            assert!((curvature(parameter, v) - difference).abs() < 1e-8);
        }
    }
}
