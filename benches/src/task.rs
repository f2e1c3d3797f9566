//! Task T1: Lotka-Volterra with four parameters against 200 noiseless points of a nearby solution.
//!
//! x' = p1 x - p2 x y, y' = -p3 y + p4 x y, x(0) = y(0) = 1 on [0, 10]; the objective is half the sum of squared
//! differences. Data and reference answers are those of `tests/data/lv-t1`.

use std::path::{Path, PathBuf};

/// Where the parameters stand when objective and gradient are taken.
pub const PARAMETERS: [f64; 4] = [1.5, 1.0, 3.0, 1.0];
/// The state at t = 0.
pub const INITIAL: [f64; 2] = [1.0, 1.0];
/// The objective there, from scipy at rtol = 3e-14 (`golden.json`).
pub const OBJECTIVE: f64 = 71.86733376747148;
/// Its gradient, from the same computation.
pub const GRADIENT: [f64; 4] = [
    2069.868088936037,
    -271.6606640064999,
    443.55620192234426,
    594.8241654106505,
];

/// What a tool found.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// half the sum of squares
    pub objective: f64,
    /// its gradient; empty where the row solves only
    pub gradient: Vec<f64>,
}

impl Answer {
    /// Relative error of the gradient (largest norm), or of the objective where there is no gradient.
    pub fn error(&self) -> f64 {
        if self.gradient.is_empty() {
            return (self.objective / OBJECTIVE - 1.0).abs();
        }
        let largest = GRADIENT.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
        let difference = self
            .gradient
            .iter()
            .zip(GRADIENT)
            .map(|(a, b)| (a - b).abs());
        difference.fold(0.0, f64::max) / largest
    }
}

/// Times and measurements.
pub struct Data {
    /// 200 uniform times in [0, 10]
    pub times: Vec<f64>,
    /// x and y at each
    pub values: Vec<[f64; 2]>,
}

impl Data {
    /// Reads the data file of the scenario.
    pub fn read() -> Self {
        let text =
            std::fs::read_to_string(folder().join("data.csv")).expect("tests/data/lv-t1/data.csv");
        let (mut times, mut values) = (Vec::new(), Vec::new());
        for line in text.lines().skip(1) {
            let row: Vec<f64> = line
                .split(',')
                .map(|cell| cell.parse().expect("a number"))
                .collect();
            times.push(row[0]);
            values.push([row[1], row[2]]);
        }
        Self { times, values }
    }

    /// Objective of a solution given as x and y at a row's time.
    pub fn objective(&self, state: impl Fn(usize) -> [f64; 2]) -> f64 {
        let squares = self.values.iter().enumerate().map(|(k, y)| {
            let x = state(k);
            (x[0] - y[0]).powi(2) + (x[1] - y[1]).powi(2)
        });
        0.5 * squares.sum::<f64>()
    }
}

/// The scenario's folder.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/lv-t1")
}

/// The right-hand side.
pub fn rhs(x: &[f64], p: &[f64], dx: &mut [f64]) {
    dx[0] = p[0] * x[0] - p[1] * x[0] * x[1];
    dx[1] = -p[2] * x[1] + p[3] * x[0] * x[1];
}

/// Its derivative along a change v of the state.
pub fn rhs_state_jvp(x: &[f64], p: &[f64], v: &[f64], out: &mut [f64]) {
    out[0] = (p[0] - p[1] * x[1]) * v[0] - p[1] * x[0] * v[1];
    out[1] = p[3] * x[1] * v[0] + (p[3] * x[0] - p[2]) * v[1];
}

/// Its derivative along a change v of the parameters.
pub fn rhs_parameter_jvp(x: &[f64], v: &[f64], out: &mut [f64]) {
    out[0] = x[0] * v[0] - x[0] * x[1] * v[1];
    out[1] = -x[1] * v[2] + x[0] * x[1] * v[3];
}

/// The transposed state Jacobian times l.
pub fn rhs_state_vjp(x: &[f64], p: &[f64], l: &[f64], out: &mut [f64]) {
    out[0] = (p[0] - p[1] * x[1]) * l[0] + p[3] * x[1] * l[1];
    out[1] = -p[1] * x[0] * l[0] + (p[3] * x[0] - p[2]) * l[1];
}

/// The transposed parameter Jacobian times l.
pub fn rhs_parameter_vjp(x: &[f64], l: &[f64], out: &mut [f64]) {
    out[0] = x[0] * l[0];
    out[1] = -x[0] * x[1] * l[0];
    out[2] = -x[1] * l[1];
    out[3] = x[0] * x[1] * l[1];
}
