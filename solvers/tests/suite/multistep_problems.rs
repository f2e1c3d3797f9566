//! Classical stiff problems, with mass matrices where they are differential-algebraic.

use costate_solvers::{ImplicitSystem, Mass, Pattern, System};

/// M x' = f(x); the Jacobian by central differences.
#[derive(Clone)]
pub struct Stiff {
    pub f: fn(&[f64], &mut [f64]),
    pub start: Vec<f64>,
    pattern: Pattern,
    pub mass: Option<Mass<f64>>,
    scratch: [Vec<f64>; 3],
}

impl Stiff {
    pub fn new(f: fn(&[f64], &mut [f64]), start: &[f64]) -> Self {
        Self {
            f,
            start: start.to_vec(),
            pattern: Pattern::dense(start.len()),
            mass: None,
            scratch: std::array::from_fn(|_| start.to_vec()),
        }
    }
    /// M is diagonal: 1 for the states listed, else 0.
    pub fn with_mass(mut self, differential: &[usize]) -> Self {
        let n = self.start.len();
        let entries: Vec<(usize, usize)> = differential.iter().map(|&i| (i, i)).collect();
        self.mass = Some(Mass {
            pattern: Pattern::from_entries(n, n, &entries),
            values: vec![1.0; differential.len()],
        });
        self
    }
}

impl System<f64> for Stiff {
    fn dim(&self) -> usize {
        self.start.len()
    }
    fn rhs(&mut self, _t: f64, x: &[f64], dx: &mut [f64]) {
        (self.f)(x, dx);
    }
}

impl ImplicitSystem<f64> for Stiff {
    fn pattern(&self) -> &Pattern {
        &self.pattern
    }
    fn jacobian(&mut self, _t: f64, x: &[f64], values: &mut [f64]) {
        let n = x.len();
        let [at, up, down] = &mut self.scratch;
        at.copy_from_slice(x);
        for j in 0..n {
            let step = 1e-6 * x[j].abs().max(1e-8);
            at[j] = x[j] + step;
            (self.f)(at, up);
            at[j] = x[j] - step;
            (self.f)(at, down);
            at[j] = x[j];
            for i in 0..n {
                values[j * n + i] = (up[i] - down[i]) / (2.0 * step);
            }
        }
    }
    fn time_derivative(&mut self, _t: f64, _x: &[f64], ft: &mut [f64]) {
        ft.fill(0.0);
    }
    fn mass(&self) -> Option<&Mass<f64>> {
        self.mass.as_ref()
    }
}

fn robertson_rates(x: &[f64]) -> [f64; 3] {
    [0.04 * x[0], 3e7 * x[1] * x[1], 1e4 * x[1] * x[2]]
}

pub fn robertson() -> Stiff {
    let f = |x: &[f64], dx: &mut [f64]| {
        let [slow, fast, back] = robertson_rates(x);
        dx[0] = back - slow;
        dx[1] = slow - fast - back;
        dx[2] = fast;
    };
    Stiff::new(f, &[1.0, 0.0, 0.0])
}

/// The same with the conservation of mass in place of the third equation.
pub fn robertson_dae() -> Stiff {
    let f = |x: &[f64], dx: &mut [f64]| {
        let [slow, fast, back] = robertson_rates(x);
        dx[0] = back - slow;
        dx[1] = slow - fast - back;
        dx[2] = x[0] + x[1] + x[2] - 1.0;
    };
    Stiff::new(f, &[1.0, 0.0, 0.0]).with_mass(&[0, 1])
}

pub fn hires() -> Stiff {
    let f = |y: &[f64], dy: &mut [f64]| {
        dy[0] = -1.71 * y[0] + 0.43 * y[1] + 8.32 * y[2] + 0.0007;
        dy[1] = 1.71 * y[0] - 8.75 * y[1];
        dy[2] = -10.03 * y[2] + 0.43 * y[3] + 0.035 * y[4];
        dy[3] = 8.32 * y[1] + 1.71 * y[2] - 1.12 * y[3];
        dy[4] = -1.745 * y[4] + 0.43 * (y[5] + y[6]);
        let meeting = 280.0 * y[5] * y[7];
        dy[5] = -meeting + 0.69 * y[3] + 1.71 * y[4] - 0.43 * y[5] + 0.69 * y[6];
        dy[6] = meeting - 1.81 * y[6];
        dy[7] = -dy[6];
    };
    Stiff::new(f, &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0057])
}

pub fn oregonator() -> Stiff {
    let f = |y: &[f64], dy: &mut [f64]| {
        dy[0] = 77.27 * (y[1] + y[0] * (1.0 - 8.375e-6 * y[0] - y[1]));
        dy[1] = (y[2] - (1.0 + y[0]) * y[1]) / 77.27;
        dy[2] = 0.161 * (y[0] - y[2]);
    };
    Stiff::new(f, &[1.0, 2.0, 3.0])
}

/// Van der Pol's oscillator in the time of its slow motion, mu = 1e6.
pub fn van_der_pol() -> Stiff {
    let f = |y: &[f64], dy: &mut [f64]| {
        dy[0] = y[1];
        dy[1] = 1e6 * ((1.0 - y[0] * y[0]) * y[1] - y[0]);
    };
    Stiff::new(f, &[2.0, 0.0])
}

pub fn e5() -> Stiff {
    let f = |y: &[f64], dy: &mut [f64]| {
        let (a, b) = (7.89e-10 * y[0], 1.1e7 * y[0] * y[2]);
        let (c, d) = (1.13e9 * y[1] * y[2], 1.13e3 * y[3]);
        dy[0] = -a - b;
        dy[1] = a - c;
        dy[2] = a - b + d - c;
        dy[3] = b - d;
    };
    Stiff::new(f, &[1.76e-3, 0.0, 0.0, 0.0])
}

pub fn chemical_akzo() -> Stiff {
    let f = |y: &[f64], dy: &mut [f64]| {
        let root = y[1].max(0.0).sqrt();
        let r1 = 18.7 * y[0].powi(4) * root;
        let r2 = 0.58 * y[2] * y[3];
        let r3 = 0.58 / 34.4 * y[0] * y[4];
        let r4 = 0.09 * y[0] * y[3] * y[3];
        let r5 = 0.42 * y[5] * y[5] * root;
        let inflow = 3.3 * (0.9 / 737.0 - y[1]);
        dy[0] = -2.0 * r1 + r2 - r3 - r4;
        dy[1] = -0.5 * r1 - r4 - 0.5 * r5 + inflow;
        dy[2] = r1 - r2 + r3;
        dy[3] = -r2 + r3 - 2.0 * r4;
        dy[4] = r2 - r3 + r5;
        dy[5] = 115.83 * y[0] * y[3] - y[5];
        dy[6] = y[0];
    };
    let start = [0.444, 0.00123, 0.0, 0.007, 0.0, 115.83 * 0.444 * 0.007, 0.0];
    Stiff::new(f, &start).with_mass(&[0, 1, 2, 3, 4, 6])
}

pub fn pollution() -> Stiff {
    let f = |y: &[f64], dy: &mut [f64]| {
        let r = [
            0.35 * y[0],
            26.6 * y[1] * y[3],
            1.23e4 * y[4] * y[1],
            8.6e-4 * y[6],
            8.2e-4 * y[6],
            1.5e4 * y[6] * y[5],
            1.3e-4 * y[8],
            2.4e4 * y[8] * y[5],
            1.65e4 * y[10] * y[1],
            9e3 * y[10] * y[0],
            0.022 * y[12],
            1.2e4 * y[9] * y[1],
            1.88 * y[13],
            1.63e4 * y[0] * y[5],
            4.8e6 * y[2],
            3.5e-4 * y[3],
            0.0175 * y[3],
            1e8 * y[15],
            4.44e11 * y[15],
            1.24e3 * y[16] * y[5],
            2.1 * y[18],
            5.78 * y[18],
            0.0474 * y[0] * y[3],
            1.78e3 * y[18] * y[0],
            3.12 * y[19],
        ];
        dy[0] = -r[0] - r[9] - r[13] - r[22] - r[23]
            + r[1]
            + r[2]
            + r[8]
            + r[10]
            + r[11]
            + r[21]
            + r[24];
        dy[1] = -r[1] - r[2] - r[8] - r[11] + r[0] + r[20];
        dy[2] = -r[14] + r[0] + r[16] + r[18] + r[21];
        dy[3] = -r[1] - r[15] - r[16] - r[22] + r[14];
        dy[4] = -r[2] + 2.0 * r[3] + r[5] + r[6] + r[12] + r[19];
        dy[5] = -r[5] - r[7] - r[13] - r[19] + r[2] + 2.0 * r[17];
        dy[6] = -r[3] - r[4] - r[5] + r[12];
        dy[7] = r[3] + r[4] + r[5] + r[6];
        dy[8] = -r[6] - r[7];
        dy[9] = -r[11] + r[6] + r[8];
        dy[10] = -r[8] - r[9] + r[7] + r[10];
        dy[11] = r[8];
        dy[12] = -r[10] + r[9];
        dy[13] = -r[12] + r[11];
        dy[14] = r[13];
        dy[15] = -r[17] - r[18] + r[15];
        dy[16] = -r[19];
        dy[17] = r[19];
        dy[18] = -r[20] - r[21] - r[23] + r[22] + r[24];
        dy[19] = -r[24] + r[23];
    };
    let mut start = [0.0; 20];
    for (i, value) in [
        (1, 0.2),
        (3, 0.04),
        (6, 0.1),
        (7, 0.3),
        (8, 0.01),
        (16, 0.007),
    ] {
        start[i] = value;
    }
    Stiff::new(f, &start)
}
