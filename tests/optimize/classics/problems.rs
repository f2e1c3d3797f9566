//! The problems, as residuals with their Jacobian.

use costate::optimize::{EvaluationError, LeastSquares, Problem, SecondOrder};

/// Residuals r(theta), and dr_i/dtheta_j as rows.
pub type Residuals = fn(&[f64]) -> (Vec<f64>, Vec<Vec<f64>>);

/// A least-squares problem from one function, failing where `fails` says so.
pub struct Fit {
    residuals: Residuals,
    lower: Vec<f64>,
    upper: Vec<f64>,
    fails: fn(&[f64]) -> bool,
    constant: f64,
}

impl Fit {
    pub fn new(residuals: Residuals, dim: usize) -> Self {
        Self {
            residuals,
            lower: vec![f64::NEG_INFINITY; dim],
            upper: vec![f64::INFINITY; dim],
            fails: |_| false,
            constant: 0.0,
        }
    }

    pub fn within(mut self, lower: &[f64], upper: &[f64]) -> Self {
        self.lower = lower.to_vec();
        self.upper = upper.to_vec();
        self
    }

    /// Adds a constant to the value, as a log-likelihood has one.
    pub fn above(mut self, constant: f64) -> Self {
        self.constant = constant;
        self
    }

    pub fn failing(mut self, fails: fn(&[f64]) -> bool) -> Self {
        self.fails = fails;
        self
    }

    fn at(&self, theta: &[f64]) -> Result<(Vec<f64>, Vec<Vec<f64>>), EvaluationError> {
        for ((x, l), u) in theta.iter().zip(&self.lower).zip(&self.upper) {
            assert!(l <= x && x <= u, "evaluated outside the bounds: {theta:?}");
        }
        if (self.fails)(theta) {
            return Err(EvaluationError::Failed {
                reason: "outside the domain".into(),
            });
        }
        Ok((self.residuals)(theta))
    }
}

impl Problem for Fit {
    fn dim(&self) -> usize {
        self.lower.len()
    }
    fn bounds(&self) -> (&[f64], &[f64]) {
        (&self.lower, &self.upper)
    }
    fn value(&mut self, theta: &[f64]) -> Result<f64, EvaluationError> {
        let (r, _) = self.at(theta)?;
        Ok(self.constant + 0.5 * r.iter().map(|r| r * r).sum::<f64>())
    }
    fn value_gradient(&mut self, theta: &[f64], g: &mut [f64]) -> Result<f64, EvaluationError> {
        let (r, j) = self.at(theta)?;
        g.fill(0.0);
        for (r, row) in r.iter().zip(&j) {
            for (g, d) in g.iter_mut().zip(row) {
                *g += r * d;
            }
        }
        Ok(self.constant + 0.5 * r.iter().map(|r| r * r).sum::<f64>())
    }
}

/// By central differences of gradients, good to some nine digits: an inexact product is a product to Newton's method.
impl SecondOrder for Fit {
    fn hessian_product(
        &mut self,
        theta: &[f64],
        v: &[f64],
        product: &mut [f64],
    ) -> Result<(), EvaluationError> {
        let size = |of: &[f64]| of.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        let h = f64::EPSILON.cbrt() * size(theta).max(1e-3) / size(v).max(f64::MIN_POSITIVE);
        let gradient = |h: f64| {
            let x: Vec<f64> = theta.iter().zip(v).map(|(x, v)| x + h * v).collect();
            let (r, j) = (self.residuals)(&x);
            let column = |k: usize| r.iter().zip(&j).map(|(r, row)| r * row[k]).sum::<f64>();
            (0..x.len()).map(column).collect::<Vec<f64>>()
        };
        for ((to, up), down) in product.iter_mut().zip(gradient(h)).zip(gradient(-h)) {
            *to = (up - down) / (2.0 * h);
        }
        Ok(())
    }
}

impl LeastSquares for Fit {
    fn residuals(&self) -> usize {
        (self.residuals)(&vec![0.5; self.dim()]).0.len()
    }
    fn value_residuals(
        &mut self,
        theta: &[f64],
        r: &mut [f64],
        jacobian: &mut [f64],
    ) -> Result<f64, EvaluationError> {
        let (values, rows) = self.at(theta)?;
        r.copy_from_slice(&values);
        for (i, row) in rows.iter().enumerate() {
            for (j, d) in row.iter().enumerate() {
                jacobian[i + values.len() * j] = *d;
            }
        }
        Ok(self.constant + 0.5 * values.iter().map(|r| r * r).sum::<f64>())
    }
}

pub fn rosenbrock(x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let (mut r, mut j) = (Vec::new(), Vec::new());
    for i in 0..x.len() - 1 {
        let mut row = vec![0.0; x.len()];
        row[i] = -20.0 * x[i];
        row[i + 1] = 10.0;
        r.push(10.0 * (x[i + 1] - x[i] * x[i]));
        j.push(row);
        let mut row = vec![0.0; x.len()];
        row[i] = -1.0;
        r.push(1.0 - x[i]);
        j.push(row);
    }
    (r, j)
}

pub fn freudenstein_roth(x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let y = x[1];
    (
        vec![
            -13.0 + x[0] + ((5.0 - y) * y - 2.0) * y,
            -29.0 + x[0] + ((y + 1.0) * y - 14.0) * y,
        ],
        vec![
            vec![1.0, 10.0 * y - 3.0 * y * y - 2.0],
            vec![1.0, 3.0 * y * y + 2.0 * y - 14.0],
        ],
    )
}

pub fn powell_badly_scaled(x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    (
        vec![
            1e4 * x[0] * x[1] - 1.0,
            (-x[0]).exp() + (-x[1]).exp() - 1.0001,
        ],
        vec![
            vec![1e4 * x[1], 1e4 * x[0]],
            vec![-(-x[0]).exp(), -(-x[1]).exp()],
        ],
    )
}

pub fn brown_badly_scaled(x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    (
        vec![x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2.0],
        vec![vec![1.0, 0.0], vec![0.0, 1.0], vec![x[1], x[0]]],
    )
}

pub fn beale(x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let y = [1.5, 2.25, 2.625];
    let mut r = Vec::new();
    let mut j = Vec::new();
    for (i, y) in y.iter().enumerate() {
        let n = i as i32 + 1;
        r.push(y - x[0] * (1.0 - x[1].powi(n)));
        j.push(vec![
            -(1.0 - x[1].powi(n)),
            x[0] * f64::from(n) * x[1].powi(n - 1),
        ]);
    }
    (r, j)
}

pub fn jennrich_sampson(x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    (1..=10)
        .map(|i| {
            let i = f64::from(i);
            let (a, b) = ((i * x[0]).exp(), (i * x[1]).exp());
            (2.0 + 2.0 * i - (a + b), vec![-i * a, -i * b])
        })
        .unzip()
}

pub fn helical_valley(x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let turn = 2.0 * std::f64::consts::PI;
    let mut angle = (x[1] / x[0]).atan() / turn;
    if x[0] < 0.0 {
        angle += 0.5;
    }
    let q = x[0] * x[0] + x[1] * x[1];
    let radius = q.sqrt();
    (
        vec![10.0 * (x[2] - 10.0 * angle), 10.0 * (radius - 1.0), x[2]],
        vec![
            vec![100.0 * x[1] / (turn * q), -100.0 * x[0] / (turn * q), 10.0],
            vec![10.0 * x[0] / radius, 10.0 * x[1] / radius, 0.0],
            vec![0.0, 0.0, 1.0],
        ],
    )
}

pub fn bard(x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    const Y: [f64; 15] = [
        0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39,
    ];
    Y.iter()
        .enumerate()
        .map(|(i, y)| {
            let u = i as f64 + 1.0;
            let v = 16.0 - u;
            let w = u.min(v);
            let q = v * x[1] + w * x[2];
            (
                y - (x[0] + u / q),
                vec![-1.0, u * v / (q * q), u * w / (q * q)],
            )
        })
        .unzip()
}

pub fn powell_singular(x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let (s5, s10) = (5f64.sqrt(), 10f64.sqrt());
    let (a, b) = (x[1] - 2.0 * x[2], x[0] - x[3]);
    (
        vec![x[0] + 10.0 * x[1], s5 * (x[2] - x[3]), a * a, s10 * b * b],
        vec![
            vec![1.0, 10.0, 0.0, 0.0],
            vec![0.0, 0.0, s5, -s5],
            vec![0.0, 2.0 * a, -4.0 * a, 0.0],
            vec![2.0 * s10 * b, 0.0, 0.0, -2.0 * s10 * b],
        ],
    )
}

pub fn wood(x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let (s90, s10) = (90f64.sqrt(), 10f64.sqrt());
    (
        vec![
            10.0 * (x[1] - x[0] * x[0]),
            1.0 - x[0],
            s90 * (x[3] - x[2] * x[2]),
            1.0 - x[2],
            s10 * (x[1] + x[3] - 2.0),
            (x[1] - x[3]) / s10,
        ],
        vec![
            vec![-20.0 * x[0], 10.0, 0.0, 0.0],
            vec![-1.0, 0.0, 0.0, 0.0],
            vec![0.0, 0.0, -2.0 * s90 * x[2], s90],
            vec![0.0, 0.0, -1.0, 0.0],
            vec![0.0, s10, 0.0, s10],
            vec![0.0, 1.0 / s10, 0.0, -1.0 / s10],
        ],
    )
}

pub fn kowalik_osborne(x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    const Y: [f64; 11] = [
        0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246,
    ];
    const U: [f64; 11] = [
        4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625,
    ];
    Y.iter()
        .zip(U)
        .map(|(y, u)| {
            let top = u * (u + x[1]);
            let bottom = u * (u + x[2]) + x[3];
            let f = x[0] / bottom;
            (
                y - f * top,
                vec![
                    -top / bottom,
                    -f * u,
                    f * top * u / bottom,
                    f * top / bottom,
                ],
            )
        })
        .unzip()
}

pub fn brown_dennis(x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    (1..=20)
        .map(|i| {
            let t = f64::from(i) / 5.0;
            let a = x[0] + t * x[1] - t.exp();
            let b = x[2] + x[3] * t.sin() - t.cos();
            (
                a * a + b * b,
                vec![2.0 * a, 2.0 * a * t, 2.0 * b, 2.0 * b * t.sin()],
            )
        })
        .unzip()
}

pub fn box_three(x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    (1..=10)
        .map(|i| {
            let t = 0.1 * f64::from(i);
            let (a, b) = ((-t * x[0]).exp(), (-t * x[1]).exp());
            let c = (-t).exp() - (-10.0 * t).exp();
            (a - b - x[2] * c, vec![-t * a, t * b, -c])
        })
        .unzip()
}

/// Name, residuals, start, sum of squares at the minima (several where local ones are known).
pub const CLASSICS: [(&str, Residuals, &[f64], &[f64]); 13] = [
    ("Rosenbrock", rosenbrock, &[-1.2, 1.0], &[0.0]),
    (
        "Freudenstein and Roth",
        freudenstein_roth,
        &[0.5, -2.0],
        &[0.0, 48.984_253_679_24],
    ),
    (
        "Powell badly scaled",
        powell_badly_scaled,
        &[0.0, 1.0],
        &[0.0],
    ),
    (
        "Brown badly scaled",
        brown_badly_scaled,
        &[1.0, 1.0],
        &[0.0],
    ),
    ("Beale", beale, &[1.0, 1.0], &[0.0]),
    (
        "Jennrich and Sampson",
        jennrich_sampson,
        &[0.3, 0.4],
        &[124.362_182_355_615],
    ),
    ("helical valley", helical_valley, &[-1.0, 0.0, 0.0], &[0.0]),
    ("Bard", bard, &[1.0, 1.0, 1.0], &[8.214_877_306_578_96e-3]),
    (
        "Powell singular",
        powell_singular,
        &[3.0, -1.0, 0.0, 1.0],
        &[0.0],
    ),
    ("Wood", wood, &[-3.0, -1.0, -3.0, -1.0], &[0.0]),
    (
        "Kowalik and Osborne",
        kowalik_osborne,
        &[0.25, 0.39, 0.415, 0.39],
        &[3.075_056_038_492_4e-4],
    ),
    (
        "Brown and Dennis",
        brown_dennis,
        &[25.0, 5.0, -5.0, -1.0],
        &[85_822.201_626_356_3],
    ),
    (
        "box three-dimensional",
        box_three,
        &[0.0, 10.0, 20.0],
        &[0.0],
    ),
];
