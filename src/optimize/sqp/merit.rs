//! The l1 merit function f + sum nu_i |violation_i|: what a step has to lower.

use super::outside;

/// Weights of the violations.
#[derive(Debug, Clone)]
pub(super) struct Merit {
    weights: Vec<f64>,
}

impl Merit {
    pub fn new(constraints: usize) -> Self {
        Self {
            weights: vec![0.0; constraints],
        }
    }

    /// Powell's rule: no weight below its multiplier, and no faster down than by half.
    pub fn follow(&mut self, lambda: &[f64]) {
        for (weight, l) in self.weights.iter_mut().zip(lambda) {
            *weight = l.abs().max(0.5 * (*weight + l.abs()));
        }
    }

    /// Raises all weights that are below a number.
    pub fn at_least(&mut self, weight: f64) {
        for own in &mut self.weights {
            *own = own.max(weight);
        }
    }

    /// The weighted violations of `c`.
    pub fn violations(&self, c: &[f64], (lower, upper): (&[f64], &[f64])) -> f64 {
        let rows = c.iter().zip(lower).zip(upper).zip(&self.weights);
        rows.map(|(((&c, &l), &u), weight)| weight * outside(c, l, u).abs())
            .sum()
    }
}
