//! Reactions and diffusion on a square grid of side N, 2 N^2 unknowns: u and v of each point next to each other.

use costate_solvers::{ImplicitSystem, LinearSolver, Pattern, System};

/// u' = a + u^2 v - (b + 1) u + d lap u, v' = b u - u^2 v + d lap v on the unit square, no flux through its
/// edges: the Brusselator with a = 1, b = 3.4. With `reacts` off, diffusion alone.
pub struct Grid {
    side: usize,
    diffusion: f64,
    reacts: bool,
    pattern: Pattern,
    pub linear_solver: LinearSolver,
    /// whether it multiplies by its Jacobian itself
    pub has_jvp: bool,
    /// products made
    pub products: usize,
    /// Jacobians evaluated
    pub jacobians: usize,
}

impl Grid {
    pub fn new(side: usize, diffusion: f64, reacts: bool) -> Self {
        let mut entries = Vec::new();
        for point in 0..side * side {
            for species in 0..2 {
                let row = 2 * point + species;
                entries.extend([(row, 2 * point), (row, 2 * point + 1)]);
                for neighbor in neighbors(side, point) {
                    entries.push((row, 2 * neighbor + species));
                }
            }
        }
        let n = 2 * side * side;
        Self {
            side,
            diffusion,
            reacts,
            pattern: Pattern::from_entries(n, n, &entries),
            linear_solver: LinearSolver::Auto,
            has_jvp: false,
            products: 0,
            jacobians: 0,
        }
    }

    pub fn by(self, linear_solver: LinearSolver) -> Self {
        Self {
            linear_solver,
            ..self
        }
    }

    /// Hills and valleys.
    pub fn start(&self) -> Vec<f64> {
        let at = |k: usize| (k as f64 + 0.5) / self.side as f64;
        let point = |k: usize| {
            let (x, y) = (at(k % self.side), at(k / self.side));
            [
                1.0 + 0.5 * (9.0 * x).sin() * (5.0 * y).cos(),
                3.0 + (4.0 * y).sin(),
            ]
        };
        (0..self.side * self.side).flat_map(point).collect()
    }

    fn rate(&self) -> f64 {
        self.diffusion * (self.side * self.side) as f64
    }

    /// d lap x, added to `out`
    fn diffuse(&self, x: &[f64], out: &mut [f64]) {
        let rate = self.rate();
        for point in 0..self.side * self.side {
            for neighbor in neighbors(self.side, point) {
                for species in 0..2 {
                    out[2 * point + species] +=
                        rate * (x[2 * neighbor + species] - x[2 * point + species]);
                }
            }
        }
    }

    /// Derivatives of u^2 v - 4.4 u and of 3.4 u - u^2 v.
    fn reaction(&self, x: &[f64], point: usize) -> [[f64; 2]; 2] {
        if !self.reacts {
            return [[0.0; 2]; 2];
        }
        let (u, v) = (x[2 * point], x[2 * point + 1]);
        [[2.0 * u * v - 4.4, u * u], [3.4 - 2.0 * u * v, -u * u]]
    }
}

fn neighbors(side: usize, point: usize) -> impl Iterator<Item = usize> {
    let (row, column) = (point / side, point % side);
    [
        (row > 0).then(|| point - side),
        (column > 0).then(|| point - 1),
        (column + 1 < side).then_some(point + 1),
        (row + 1 < side).then_some(point + side),
    ]
    .into_iter()
    .flatten()
}

impl System<f64> for Grid {
    fn dim(&self) -> usize {
        2 * self.side * self.side
    }
    fn rhs(&mut self, _t: f64, x: &[f64], dx: &mut [f64]) {
        dx.fill(0.0);
        self.diffuse(x, dx);
        if self.reacts {
            for (x, dx) in x.chunks_exact(2).zip(dx.chunks_exact_mut(2)) {
                let production = x[0] * x[0] * x[1];
                dx[0] += 1.0 + production - 4.4 * x[0];
                dx[1] += 3.4 * x[0] - production;
            }
        }
    }
}

impl ImplicitSystem<f64> for Grid {
    fn pattern(&self) -> &Pattern {
        &self.pattern
    }
    fn jacobian(&mut self, _t: f64, x: &[f64], values: &mut [f64]) {
        self.jacobians += 1;
        let rate = self.rate();
        for column in 0..x.len() {
            let (point, species) = (column / 2, column % 2);
            let own = neighbors(self.side, point).count() as f64;
            let reaction = self.reaction(x, point);
            let places = self.pattern.starts[column]..self.pattern.starts[column + 1];
            let rows = &self.pattern.rows[places.clone()];
            for (value, &row) in values[places].iter_mut().zip(rows) {
                *value = if row == column {
                    reaction[species][species] - own * rate
                } else if row / 2 == point {
                    reaction[row % 2][species]
                } else {
                    rate
                };
            }
        }
    }
    fn time_derivative(&mut self, _t: f64, _x: &[f64], ft: &mut [f64]) {
        ft.fill(0.0);
    }
    fn has_jvp(&self) -> bool {
        self.has_jvp
    }
    fn jvp(&mut self, _t: f64, x: &[f64], v: &[f64], out: &mut [f64]) {
        self.products += 1;
        out.fill(0.0);
        self.diffuse(v, out);
        for point in 0..self.side * self.side {
            let [u, w] = self.reaction(x, point);
            let v = [v[2 * point], v[2 * point + 1]];
            out[2 * point] += u[0] * v[0] + u[1] * v[1];
            out[2 * point + 1] += w[0] * v[0] + w[1] * v[1];
        }
    }
    fn linear_solver(&self) -> LinearSolver {
        self.linear_solver
    }
}
