//! Test problems with their Jacobians, and what the tests have in common.

use costate_solvers::{ImplicitSystem, LinearSolver, Mass, Options, Pattern, System, Tolerance};

/// x' = f(t, x) by function pointers; the Jacobian is dense unless the pattern says otherwise, column-major, and
/// both derivatives come zeroed.
#[derive(Clone)]
pub struct Problem {
    pub n: usize,
    pub f: fn(f64, &[f64], &mut [f64]),
    pub jacobian: fn(f64, &[f64], &mut [f64]),
    pub time_derivative: fn(f64, &[f64], &mut [f64]),
    pub pattern: Pattern,
    pub mass: Option<Mass<f64>>,
    pub linear_solver: LinearSolver,
    /// middle announced last, for right-hand sides that branch on it
    pub middle: f64,
    pub middles: Vec<f64>,
}

impl Problem {
    pub fn new(
        n: usize,
        f: fn(f64, &[f64], &mut [f64]),
        jacobian: fn(f64, &[f64], &mut [f64]),
        time_derivative: fn(f64, &[f64], &mut [f64]),
    ) -> Self {
        Self {
            n,
            f,
            jacobian,
            time_derivative,
            pattern: Pattern::dense(n),
            mass: None,
            linear_solver: LinearSolver::Auto,
            middle: 0.0,
            middles: Vec::new(),
        }
    }

    /// M x' = f(t, x)
    pub fn with_mass(
        mass: Mass<f64>,
        f: fn(f64, &[f64], &mut [f64]),
        jacobian: fn(f64, &[f64], &mut [f64]),
        time_derivative: fn(f64, &[f64], &mut [f64]),
    ) -> Self {
        Self {
            mass: Some(mass.clone()),
            ..Self::new(mass.pattern.height, f, jacobian, time_derivative)
        }
    }
}

/// The matrix with the given (row, column, value) entries.
pub fn mass(n: usize, entries: &[(usize, usize, f64)]) -> Mass<f64> {
    let places: Vec<(usize, usize)> = entries.iter().map(|e| (e.0, e.1)).collect();
    let pattern = Pattern::from_entries(n, n, &places);
    let mut values = Vec::with_capacity(pattern.non_zeros());
    for column in 0..n {
        for &row in &pattern.rows[pattern.starts[column]..pattern.starts[column + 1]] {
            let here = entries.iter().filter(|e| (e.0, e.1) == (row, column));
            values.push(here.map(|e| e.2).sum());
        }
    }
    Mass { pattern, values }
}

/// The identity but for empty rows.
pub fn algebraic(n: usize, rows: &[usize]) -> Mass<f64> {
    let entries: Vec<(usize, usize, f64)> = (0..n)
        .filter(|row| !rows.contains(row))
        .map(|row| (row, row, 1.0))
        .collect();
    mass(n, &entries)
}

impl System<f64> for Problem {
    fn dim(&self) -> usize {
        self.n
    }
    fn rhs(&mut self, t: f64, x: &[f64], dx: &mut [f64]) {
        (self.f)(t, x, dx);
    }
    fn enter_stretch(&mut self, middle: f64) {
        self.middle = middle;
        self.middles.push(middle);
    }
}

impl ImplicitSystem<f64> for Problem {
    fn pattern(&self) -> &Pattern {
        &self.pattern
    }
    fn jacobian(&mut self, t: f64, x: &[f64], values: &mut [f64]) {
        values.fill(0.0);
        (self.jacobian)(t, x, values);
    }
    fn time_derivative(&mut self, t: f64, x: &[f64], ft: &mut [f64]) {
        ft.fill(0.0);
        (self.time_derivative)(t, x, ft);
    }
    fn mass(&self) -> Option<&Mass<f64>> {
        self.mass.as_ref()
    }
    fn linear_solver(&self) -> LinearSolver {
        self.linear_solver
    }
}

pub fn none(_t: f64, _x: &[f64], _ft: &mut [f64]) {}

/// Coupled, nonlinear and dependent on t, with the solution (e^sin t, 1 / (1 + t^2)).
pub fn coupled() -> Problem {
    Problem::new(
        2,
        |t, x, dx| {
            dx[0] = x[0] * (t.cos() + x[1] * (1.0 + t * t) - 1.0);
            dx[1] = -2.0 * t * x[1] * x[1] + (x[0] - t.sin().exp()) * x[1];
        },
        |t, x, j| {
            j[0] = t.cos() + x[1] * (1.0 + t * t) - 1.0;
            j[1] = x[1];
            j[2] = x[0] * (1.0 + t * t);
            j[3] = -4.0 * t * x[1] + x[0] - t.sin().exp();
        },
        |t, x, ft| {
            ft[0] = x[0] * (-t.sin() + 2.0 * t * x[1]);
            ft[1] = -2.0 * x[1] * x[1] - t.cos() * t.sin().exp() * x[1];
        },
    )
}

pub fn coupled_solution(t: f64) -> [f64; 2] {
    [t.sin().exp(), 1.0 / (1.0 + t * t)]
}

/// A logistic curve, a quadrature and a linear equation with a periodic coefficient, side by side.
pub fn separate() -> Problem {
    Problem::new(
        3,
        |t, x, dx| {
            dx[0] = x[0] * (1.0 - x[0]);
            dx[1] = t.cos();
            dx[2] = x[2] * (0.5 * t).cos();
        },
        |t, x, j| {
            j.fill(0.0);
            j[0] = 1.0 - 2.0 * x[0];
            j[8] = (0.5 * t).cos();
        },
        |t, x, ft| {
            ft[0] = 0.0;
            ft[1] = -t.sin();
            ft[2] = -0.5 * x[2] * (0.5 * t).sin();
        },
    )
}

pub fn separate_solution(t: f64) -> [f64; 3] {
    [
        1.0 / (1.0 + 9.0 * (-t).exp()),
        t.sin(),
        (2.0 * (0.5 * t).sin()).exp(),
    ]
}

/// x_1' = 1, x_{k+1}' = x_k: x_k = t^k / k! for k = 1..9; beside them x_{9+k}' = k t^(k-1): x_{9+k} = t^k. So
/// each degree is seen by the deepest trees and by the bushiest.
pub fn powers() -> Problem {
    let entries: Vec<(usize, usize)> = (0..8).map(|k| (k + 1, k)).collect();
    Problem {
        pattern: Pattern::from_entries(18, 18, &entries),
        ..Problem::new(
            18,
            |t, x, dx| {
                dx[0] = 1.0;
                dx[1..9].copy_from_slice(&x[..8]);
                for k in 1..=9 {
                    dx[8 + k] = k as f64 * t.powi(k as i32 - 1);
                }
            },
            |_, _, j| j.fill(1.0),
            |t, _, ft| {
                ft.fill(0.0);
                for k in 2..=9 {
                    ft[8 + k] = (k * (k - 1)) as f64 * t.powi(k as i32 - 2);
                }
            },
        )
    }
}

pub fn powers_solution(t: f64) -> Vec<f64> {
    let factorial = |k: i32| (1..=k).map(f64::from).product::<f64>();
    let chain = (1..=9).map(|k| t.powi(k) / factorial(k));
    chain.chain((1..=9).map(|k| t.powi(k))).collect()
}

/// The unit circle, attracting, at the angle t + sin(t) / 2: nonlinear, coupled, dependent on t, and entire.
pub fn circle() -> Problem {
    Problem::new(
        2,
        |t, x, dx| {
            let speed = 1.0 + 0.5 * t.cos();
            let inside = 1.0 - x[0] * x[0] - x[1] * x[1];
            dx[0] = -speed * x[1] + x[0] * inside;
            dx[1] = speed * x[0] + x[1] * inside;
        },
        |t, x, j| {
            let speed = 1.0 + 0.5 * t.cos();
            j.copy_from_slice(&[
                1.0 - 3.0 * x[0] * x[0] - x[1] * x[1],
                speed - 2.0 * x[0] * x[1],
                -speed - 2.0 * x[0] * x[1],
                1.0 - x[0] * x[0] - 3.0 * x[1] * x[1],
            ]);
        },
        |t, x, ft| {
            ft[0] = 0.5 * t.sin() * x[1];
            ft[1] = -0.5 * t.sin() * x[0];
        },
    )
}

pub fn circle_solution(t: f64) -> [f64; 2] {
    let angle = t + 0.5 * t.sin();
    [angle.cos(), angle.sin()]
}

/// A pendulum (q, p) driven in both equations, with the solution (sin t, cos 2t); it splits.
pub fn driven_pendulum() -> Problem {
    Problem {
        pattern: Pattern::from_entries(2, 2, &[(0, 1), (1, 0)]),
        ..Problem::new(
            2,
            |t, x, dx| {
                dx[0] = x[1] + t.cos() - (2.0 * t).cos();
                dx[1] = -x[0].sin() - 2.0 * (2.0 * t).sin() + t.sin().sin();
            },
            |_, x, j| j.copy_from_slice(&[-x[0].cos(), 1.0]),
            |t, _, ft| {
                ft[0] = -t.sin() + 2.0 * (2.0 * t).sin();
                ft[1] = -4.0 * (2.0 * t).cos() + t.sin().cos() * t.cos();
            },
        )
    }
}

pub fn driven_pendulum_solution(t: f64) -> [f64; 2] {
    [t.sin(), (2.0 * t).cos()]
}

pub fn lotka_volterra() -> Problem {
    Problem::new(
        2,
        |_, x, dx| {
            dx[0] = 1.5 * x[0] - x[0] * x[1];
            dx[1] = x[0] * x[1] - 3.0 * x[1];
        },
        |_, x, j| {
            j[0] = 1.5 - x[1];
            j[1] = x[1];
            j[2] = -x[0];
            j[3] = x[0] - 3.0;
        },
        none,
    )
}

pub fn robertson() -> Problem {
    Problem::new(
        3,
        |_, x, dx| {
            let slow = 0.04 * x[0];
            let fast = 3e7 * x[1] * x[1];
            let back = 1e4 * x[1] * x[2];
            dx[0] = back - slow;
            dx[1] = slow - fast - back;
            dx[2] = fast;
        },
        |_, x, j| {
            j.copy_from_slice(&[
                -0.04,
                0.04,
                0.0,
                1e4 * x[2],
                -6e7 * x[1] - 1e4 * x[2],
                6e7 * x[1],
                1e4 * x[1],
                -1e4 * x[1],
                0.0,
            ]);
        },
        none,
    )
}

/// Van der Pol's oscillator with mu = 1.
pub fn van_der_pol() -> Problem {
    Problem::new(
        2,
        |_, x, dx| {
            dx[0] = x[1];
            dx[1] = (1.0 - x[0] * x[0]) * x[1] - x[0];
        },
        |_, x, j| {
            j.copy_from_slice(&[0.0, -2.0 * x[0] * x[1] - 1.0, 1.0, 1.0 - x[0] * x[0]]);
        },
        none,
    )
}

/// Van der Pol's oscillator with mu = 1000: stiff.
pub fn stiff_van_der_pol() -> Problem {
    Problem::new(
        2,
        |_, x, dx| {
            dx[0] = x[1];
            dx[1] = 1e3 * (1.0 - x[0] * x[0]) * x[1] - x[0];
        },
        |_, x, j| {
            j.copy_from_slice(&[
                0.0,
                -2e3 * x[0] * x[1] - 1.0,
                1.0,
                1e3 * (1.0 - x[0] * x[0]),
            ]);
        },
        none,
    )
}

pub fn tolerance(rtol: f64, atol: f64) -> Options {
    Options {
        rtol,
        atol: Tolerance::Uniform(atol),
        ..Options::default()
    }
}

pub fn largest(errors: impl IntoIterator<Item = f64>) -> f64 {
    errors.into_iter().fold(0.0, |m, e| f64::max(m, e.abs()))
}

/// Least-squares slope of y over x.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (sx, sy) = points
        .iter()
        .fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let (mx, my) = (sx / n, sy / n);
    let (xy, xx) = points.iter().fold((0.0, 0.0), |(xy, xx), (x, y)| {
        (xy + (x - mx) * (y - my), xx + (x - mx) * (x - mx))
    });
    xy / xx
}

/// Rows "t x_1 ... x_n" of a data file; its comments say where the numbers come from.
pub fn reference(text: &str) -> Vec<(f64, Vec<f64>)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let numbers: Vec<f64> = line
                .split_whitespace()
                .map(|word| word.parse().expect("a number"))
                .collect();
            (numbers[0], numbers[1..].to_vec())
        })
        .collect()
}
