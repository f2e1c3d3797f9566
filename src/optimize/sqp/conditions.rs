//! The Karush-Kuhn-Tucker conditions at a point, and the multipliers of bounds that follow from those of constraints.
//!
//! ```text
//! stationarity      || P(x - r) - x ||_inf,   r = g + J'lambda,   P the projection on [l, u]
//! feasibility       max violation of c_L <= c <= c_U
//! complementarity   max min(|lambda_i|, distance of c_i from the bound that lambda_i's sign names)
//! ```
//!
//! The scaled residual divides stationarity and complementarity by s = max(1, mean |multiplier| / 100), as IPOPT does: with
//! multipliers of 1e6 a gradient cannot vanish to 1e-8 (Waechter and Biegler 2006, doi 10.1007/s10107-004-0559-y, eq. 6).

use nalgebra::DMatrix;

use super::outside;
use crate::optimize::outcome::projected_gradient_norm;

/// How far the KKT conditions hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kkt {
    /// what the gradient of the Lagrangian has left that no bound holds
    pub stationarity: f64,
    /// the largest violation of a constraint
    pub feasibility: f64,
    /// the largest product-like remainder of a multiplier and its constraint's slack
    pub complementarity: f64,
    /// what stationarity and complementarity are divided by in the scaled residual
    pub scale: f64,
}

impl Kkt {
    /// The largest of the three, unscaled.
    pub fn residual(&self) -> f64 {
        self.stationarity
            .max(self.feasibility)
            .max(self.complementarity)
    }
    /// The largest of the three, scaled.
    pub fn scaled(&self) -> f64 {
        (self.stationarity.max(self.complementarity) / self.scale).max(self.feasibility)
    }
}

/// Everything known at a point.
pub(super) struct Point<'a> {
    pub x: &'a [f64],
    pub bounds: (&'a [f64], &'a [f64]),
    pub c: &'a [f64],
    pub c_bounds: (&'a [f64], &'a [f64]),
    pub gradient: &'a [f64],
    pub jacobian: &'a DMatrix<f64>,
}

impl Point<'_> {
    /// The gradient of f + lambda'c.
    pub fn lagrangian(&self, lambda: &[f64]) -> Vec<f64> {
        let mut r = self.gradient.to_vec();
        for (j, r) in r.iter_mut().enumerate() {
            let column = self.jacobian.column(j);
            *r += column.iter().zip(lambda).map(|(a, l)| a * l).sum::<f64>();
        }
        r
    }

    /// The conditions, and the multipliers of the bounds.
    pub fn conditions(&self, lambda: &[f64]) -> (Kkt, Vec<f64>) {
        let r = self.lagrangian(lambda);
        let (lower, upper) = self.bounds;
        let stationarity = projected_gradient_norm(self.x, &r, lower, upper);
        let mut bound = vec![0.0; r.len()];
        for (j, z) in bound.iter_mut().enumerate() {
            let near = 1e-10 * self.x[j].abs().max(1.0);
            let at_lower = self.x[j] - lower[j] <= near && r[j] > 0.0;
            let at_upper = upper[j] - self.x[j] <= near && r[j] < 0.0;
            if at_lower || at_upper {
                *z = -r[j];
            }
        }
        let (c_lower, c_upper) = self.c_bounds;
        let (mut feasibility, mut complementarity) = (0.0_f64, 0.0_f64);
        for i in 0..self.c.len() {
            feasibility = feasibility.max(outside(self.c[i], c_lower[i], c_upper[i]).abs());
            let slack = match lambda[i] {
                l if l > 0.0 => c_upper[i] - self.c[i],
                l if l < 0.0 => self.c[i] - c_lower[i],
                _ => continue,
            };
            complementarity = complementarity.max(slack.abs().min(lambda[i].abs()));
        }
        let count = (lambda.len() + bound.len()).max(1) as f64;
        let all = lambda.iter().chain(&bound).map(|l| l.abs()).sum::<f64>();
        let kkt = Kkt {
            stationarity,
            feasibility,
            complementarity,
            scale: (all / count / 100.0).max(1.0),
        };
        (kkt, bound)
    }
}
