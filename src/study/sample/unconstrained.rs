//! Parameters inside bounds as numbers without bounds: what a sampler of smooth densities on R^m moves in.
//!
//! With w = v on the linear and the logit scale and w = ln v on logarithmic ones, and bounds l, h of w:
//!
//! | bounds | w(u) | dw/du |
//! |---|---|---|
//! | l, h | l + (h - l) s, s = 1 / (1 + e^-u) | (h - l) s (1 - s) |
//! | l | l + e^u | e^u |
//! | h | h - e^u | -e^u |
//! | none | u | 1 |
//!
//! A density p(v) becomes p(v(u)) |dv/du|; where a prior is `scaled`, a density of the value q on the search scale, it is
//! p(q(u)) |dq/du|. A uniform prior is a bound like any.

use crate::scenario::{Density, Parameter, Scale};
use crate::study::scaling;

/// Where an estimate on a bound is moved: this part of the room between the bounds inside.
const INSIDE: f64 = 1e-3;

/// The map of one parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Coordinate {
    scale: Scale,
    /// of v, narrowed by a uniform prior
    bounds: [f64; 2],
    /// of v, the parameter's own
    own: [f64; 2],
    /// whether its prior is a density of q
    of_scaled: bool,
    /// of w
    low: f64,
    high: f64,
}

/// A parameter at u.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// v
    pub natural: f64,
    /// q, on the parameter's search scale
    pub scaled: f64,
    /// dq/du
    pub slope: f64,
    /// ln |dv/du|, or ln |dq/du| where the prior is a density of q
    pub log_volume: f64,
    /// its derivative with respect to u
    pub log_volume_slope: f64,
}

impl Coordinate {
    pub fn new(parameter: &Parameter) -> Self {
        let [mut lower, mut upper] = parameter.bounds;
        if let Some(prior) = parameter.prior
            && let Density::Uniform { low, high } = prior.density
        {
            let [low, high] = match prior.scaled {
                true => [low, high].map(|q| scaling::to_natural(parameter, q)),
                false => [low, high],
            };
            lower = lower.max(low);
            upper = upper.min(high);
        }
        let w = |v: f64| match parameter.scale {
            Scale::Linear | Scale::Logit => v,
            Scale::Log | Scale::Log10 if v <= 0.0 => f64::NEG_INFINITY,
            Scale::Log | Scale::Log10 => v.ln(),
        };
        Self {
            scale: parameter.scale,
            bounds: [lower, upper],
            own: parameter.bounds,
            of_scaled: parameter.prior.is_some_and(|prior| prior.scaled),
            low: w(lower),
            high: w(upper),
        }
    }

    fn logarithmic(&self) -> bool {
        matches!(self.scale, Scale::Log | Scale::Log10)
    }

    /// Whether the parameter can leave every bounded region: a flat prior on it is not proper.
    pub fn unbounded(&self) -> bool {
        // zero bounds what is logarithmic from below
        !self.high.is_finite() || !self.low.is_finite() && !self.logarithmic()
    }

    /// Everything at `u`.
    pub fn at(&self, u: f64) -> Place {
        let (low, high) = (self.low, self.high);
        let (w, dw, log_dw, log_dw_slope) = match (low.is_finite(), high.is_finite()) {
            (true, true) => {
                let (s, r) = (1.0 / (1.0 + (-u).exp()), 1.0 / (1.0 + u.exp()));
                // ln s + ln r = -|u| - 2 ln(1 + e^-|u|), without overflow
                let log = -u.abs() - 2.0 * (-u.abs()).exp().ln_1p();
                let room = high - low;
                (low + room * s, room * s * r, room.ln() + log, r - s)
            }
            (true, false) => (low + u.exp(), u.exp(), u, 1.0),
            (false, true) => (high - u.exp(), -u.exp(), u, 1.0),
            (false, false) => (u, 1.0, 0.0, 0.0),
        };
        let (natural, log_volume, log_volume_slope) = if self.logarithmic() {
            (w.exp(), w + log_dw, dw + log_dw_slope)
        } else {
            (w, log_dw, log_dw_slope)
        };
        let natural = natural.clamp(self.bounds[0], self.bounds[1]);
        let (scaled, slope) = match self.scale {
            Scale::Linear | Scale::Log => (w, dw),
            Scale::Log10 => (w / std::f64::consts::LN_10, dw / std::f64::consts::LN_10),
            Scale::Logit if self.own == self.bounds => (u, 1.0),
            Scale::Logit => {
                let (below, above) = (natural - self.own[0], self.own[1] - natural);
                let slope = dw * (self.own[1] - self.own[0]) / (below * above);
                ((below / above).ln(), slope)
            }
        };
        let (log_volume, log_volume_slope) = match (self.of_scaled, self.scale) {
            (false, _) => (log_volume, log_volume_slope),
            (true, Scale::Linear | Scale::Log | Scale::Log10) => (slope.abs().ln(), log_dw_slope),
            (true, Scale::Logit) if self.own == self.bounds => (0.0, 0.0),
            (true, Scale::Logit) => {
                // ln |dq/du| = ln |dw/du| + ln |dq/dv|
                let (below, above) = (natural - self.own[0], self.own[1] - natural);
                (
                    slope.abs().ln(),
                    log_dw_slope + dw * (1.0 / above - 1.0 / below),
                )
            }
        };
        Place {
            natural,
            scaled,
            slope,
            log_volume,
            log_volume_slope,
        }
    }

    /// The u of a natural value; one on a bound is moved inside a little.
    pub fn inverse(&self, v: f64) -> f64 {
        let w = if self.logarithmic() { v.ln() } else { v };
        let (low, high) = (self.low, self.high);
        let hair = INSIDE * w.abs().max(1.0);
        match (low.is_finite(), high.is_finite()) {
            (true, true) => {
                let s = ((w - low) / (high - low)).clamp(INSIDE, 1.0 - INSIDE);
                (s / (1.0 - s)).ln()
            }
            (true, false) => (w - low).max(hair).ln(),
            (false, true) => (high - w).max(hair).ln(),
            (false, false) => w,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::compile::Backend;
    use crate::study::{Study, scaling};

    /// One parameter for each scale and kind of bounds, all fitted.
    fn parameters() -> Vec<Parameter> {
        let text = r#"
            [scenario]
            time = { start = 0.0, end = 1.0 }
            [parameters]
            free  = { value = 0.3, fit = true }
            above = { value = 0.3, bounds = [0.1, inf], fit = true }
            below = { value = 0.3, bounds = [-inf, 2.0], fit = true }
            box   = { value = 0.3, bounds = [0.1, 2.0], fit = true }
            logs  = { value = 0.3, bounds = [0.1, 2.0], scale = "log", fit = true }
            open  = { value = 0.3, scale = "log", fit = true }
            ten   = { value = 0.3, bounds = [0.1, inf], scale = "log10", fit = true }
            logit = { value = 0.3, bounds = [0.1, 2.0], scale = "logit", fit = true }
            prior = { value = 0.3, bounds = [0.1, 2.0], scale = "logit", fit = true, prior = { distribution = "uniform", low = 0.2, high = 1.0 } }
            scaled = { value = 0.3, bounds = [0.1, 2.0], scale = "log10", fit = true, prior = { distribution = "normal", location = 0.0, scale = 1.0, scaled = true } }
            edges = { value = 0.3, bounds = [0.1, 2.0], scale = "logit", fit = true, prior = { distribution = "uniform", low = -3.0, high = 1.0, scaled = true } }
            [states]
            x = 1.0
            [equations]
            x = "-x"
        "#;
        let (study, findings) = Study::from_text(text, Path::new("."), Backend::Interpreter);
        let study = study.unwrap_or_else(|| panic!("{findings:?}"));
        study.scenario.parameters
    }

    #[test]
    fn places_are_inverses_and_their_slopes_differences() {
        for parameter in parameters() {
            let name = &parameter.name.text;
            let coordinate = Coordinate::new(&parameter);
            let u = coordinate.inverse(parameter.value);
            assert!(
                (coordinate.at(u).natural - parameter.value).abs() < 1e-14,
                "{name}"
            );
            for u in [u, u + 0.7, u - 0.9] {
                let at = coordinate.at(u);
                let scaled = scaling::to_scaled(&parameter, at.natural);
                assert!(
                    (at.scaled - scaled).abs() < 1e-13 * scaled.abs().max(1.0),
                    "{name}"
                );
                // central differences: an error of h^2 = 1e-10 times third derivatives of size 1, and rounding 1e-16 / h
                let h = 1e-5;
                let (up, down) = (coordinate.at(u + h), coordinate.at(u - h));
                let difference = |f: fn(&Place) -> f64| (f(&up) - f(&down)) / (2.0 * h);
                let dv = match coordinate.of_scaled {
                    true => difference(|p| p.scaled),
                    false => difference(|p| p.natural),
                };
                assert!(
                    (at.log_volume - dv.abs().ln()).abs() < 1e-8,
                    "{name} at {u}"
                );
                assert!(
                    (at.slope - difference(|p| p.scaled)).abs() < 1e-8,
                    "{name} at {u}"
                );
                let change = difference(|p| p.log_volume);
                assert!((at.log_volume_slope - change).abs() < 1e-8, "{name} at {u}");
            }
        }
    }

    #[test]
    fn bounds_hold_far_out_and_estimates_on_them_move_inside() {
        for parameter in parameters() {
            let coordinate = Coordinate::new(&parameter);
            let [lower, upper] = coordinate.bounds;
            for u in [-700.0, -40.0, 40.0, 700.0] {
                let at = coordinate.at(u);
                assert!(
                    (lower..=upper).contains(&at.natural),
                    "{}",
                    parameter.name.text
                );
                assert!(!at.log_volume.is_nan());
            }
            for bound in [lower, upper]
                .into_iter()
                .filter(|b| b.is_finite() && *b != 0.0)
            {
                assert!(
                    coordinate.inverse(bound).is_finite(),
                    "{}",
                    parameter.name.text
                );
            }
        }
    }
}
