//! Stiff test problems and differential-algebraic ones, with exact Jacobians by complex steps:
//! df_i/dx_j = Im f_i(x + i e e_j) / e with e so small that nothing is lost.

use std::ops::{Add, Mul, Neg, Sub};

use nalgebra::Complex;

use crate::problems::{Problem, mass, none, reference};

/// What the right-hand sides need of a number.
pub trait Number:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + Mul<f64, Output = Self>
    + Add<f64, Output = Self>
{
    fn sqrt(self) -> Self;
}
impl Number for f64 {
    fn sqrt(self) -> Self {
        self.sqrt()
    }
}
impl Number for Complex<f64> {
    fn sqrt(self) -> Self {
        Complex::sqrt(self)
    }
}

/// x' = f(x), or M x' = f(x) with a diagonal M.
pub trait Model: 'static {
    const START: &'static [f64];
    const MASS: Option<&'static [f64]> = None;
    fn f<T: Number>(x: &[T], dx: &mut [T]);
}

/// The model as a solver sees it.
pub fn stiff<M: Model>() -> Problem {
    let n = M::START.len();
    let f = |_, x: &[f64], dx: &mut [f64]| M::f(x, dx);
    let problem = Problem::new(n, f, jacobian::<M>, none);
    let mass = M::MASS.map(|diagonal| {
        let entries: Vec<_> = (0..n).map(|i| (i, i, diagonal[i])).collect();
        let nonzero: Vec<_> = entries.into_iter().filter(|e| e.2 != 0.0).collect();
        mass(n, &nonzero)
    });
    Problem { mass, ..problem }
}

fn jacobian<M: Model>(_t: f64, x: &[f64], values: &mut [f64]) {
    const STEP: f64 = 1e-150;
    let n = x.len();
    let mut x: Vec<_> = x.iter().map(|&x| Complex::new(x, 0.0)).collect();
    let mut dx = vec![Complex::new(0.0, 0.0); n];
    for j in 0..n {
        x[j].im = STEP;
        M::f(&x, &mut dx);
        x[j].im = 0.0;
        for (v, d) in values[j * n..].iter_mut().zip(&dx) {
            *v = d.im / STEP;
        }
    }
}

/// Robertson's kinetics.
pub struct Rober;
impl Model for Rober {
    const START: &'static [f64] = &[1.0, 0.0, 0.0];
    fn f<T: Number>(x: &[T], dx: &mut [T]) {
        let (slow, fast, back) = (x[0] * 0.04, x[1] * x[1] * 3e7, x[1] * x[2] * 1e4);
        dx[0] = back - slow;
        dx[1] = slow - fast - back;
        dx[2] = fast;
    }
}

/// Robertson's kinetics with the balance in place of the last equation.
pub struct RoberDae;
impl Model for RoberDae {
    const START: &'static [f64] = &[1.0, 0.0, 0.0];
    const MASS: Option<&'static [f64]> = Some(&[1.0, 1.0, 0.0]);
    fn f<T: Number>(x: &[T], dx: &mut [T]) {
        Rober::f(x, dx);
        dx[2] = x[0] + x[1] + x[2] + -1.0;
    }
}

/// Van der Pol's oscillator in its own slow time, stiffness 1e6: x'' = 1e6 ((1 - x^2) x' - x).
///
/// At time t this is the oscillator with mu = 1000 at 1000 t, with 1000 times its slope.
pub struct VanDerPol;
impl Model for VanDerPol {
    const START: &'static [f64] = &[2.0, 0.0];
    fn f<T: Number>(x: &[T], dx: &mut [T]) {
        dx[0] = x[1];
        dx[1] = ((-(x[0] * x[0]) + 1.0) * x[1] - x[0]) * 1e6;
    }
}

pub struct Hires;
impl Model for Hires {
    const START: &'static [f64] = &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0057];
    fn f<T: Number>(y: &[T], dy: &mut [T]) {
        let fast = y[5] * y[7] * 280.0;
        dy[0] = y[0] * -1.71 + y[1] * 0.43 + y[2] * 8.32 + 0.0007;
        dy[1] = y[0] * 1.71 - y[1] * 8.75;
        dy[2] = y[2] * -10.03 + y[3] * 0.43 + y[4] * 0.035;
        dy[3] = y[1] * 8.32 + y[2] * 1.71 - y[3] * 1.12;
        dy[4] = y[4] * -1.745 + (y[5] + y[6]) * 0.43;
        dy[5] = -fast + y[3] * 0.69 + y[4] * 1.71 - y[5] * 0.43 + y[6] * 0.69;
        dy[6] = fast - y[6] * 1.81;
        dy[7] = -fast + y[6] * 1.81;
    }
}

/// The Oregonator.
pub struct Orego;
impl Model for Orego {
    const START: &'static [f64] = &[4.0, 1.1, 4.0];
    fn f<T: Number>(y: &[T], dy: &mut [T]) {
        dy[0] = (y[1] - y[0] * y[1] + y[0] - y[0] * y[0] * 8.375e-6) * 77.27;
        dy[1] = (y[2] - y[1] - y[0] * y[1]) * (1.0 / 77.27);
        dy[2] = (y[0] - y[2]) * 0.161;
    }
}

/// The same from where Hairer & Wanner start it.
pub struct OregoLater;
impl Model for OregoLater {
    const START: &'static [f64] = &[1.0, 2.0, 3.0];
    fn f<T: Number>(y: &[T], dy: &mut [T]) {
        Orego::f(y, dy);
    }
}

pub struct E5;
impl Model for E5 {
    const START: &'static [f64] = &[1.76e-3, 0.0, 0.0, 0.0];
    fn f<T: Number>(y: &[T], dy: &mut [T]) {
        let (a, b) = (y[0] * 7.89e-10, y[0] * y[2] * 1.1e7);
        let (c, d) = (y[1] * y[2] * 1.13e9, y[3] * 1.13e3);
        dy[0] = -a - b;
        dy[1] = a - c;
        dy[2] = a - c - b + d;
        dy[3] = b - d;
    }
}

/// Air pollution: 25 reactions of 20 species.
pub struct Pollu;
impl Model for Pollu {
    const START: &'static [f64] = &[
        0.0, 0.2, 0.0, 0.04, 0.0, 0.0, 0.1, 0.3, 0.01, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.007,
        0.0, 0.0, 0.0,
    ];
    fn f<T: Number>(y: &[T], dy: &mut [T]) {
        let r = [
            y[0] * 0.35,
            y[1] * y[3] * 26.6,
            y[4] * y[1] * 12300.0,
            y[6] * 0.86e-3,
            y[6] * 0.82e-3,
            y[6] * y[5] * 15000.0,
            y[8] * 0.13e-3,
            y[8] * y[5] * 24000.0,
            y[10] * y[1] * 16500.0,
            y[10] * y[0] * 9000.0,
            y[12] * 0.022,
            y[9] * y[1] * 12000.0,
            y[13] * 1.88,
            y[0] * y[5] * 16300.0,
            y[2] * 4.8e6,
            y[3] * 0.35e-3,
            y[3] * 0.0175,
            y[15] * 1e8,
            y[15] * 4.44e11,
            y[16] * y[5] * 1240.0,
            y[18] * 2.1,
            y[18] * 5.78,
            y[0] * y[3] * 0.0474,
            y[18] * y[0] * 1780.0,
            y[19] * 3.12,
        ];
        dy[0] = -r[0] - r[9] - r[13] - r[22] - r[23]
            + r[1]
            + r[2]
            + r[8]
            + r[10]
            + r[11]
            + r[21]
            + r[24];
        dy[1] = r[0] - r[1] - r[2] - r[8] - r[11] + r[20];
        dy[2] = r[0] - r[14] + r[16] + r[18] + r[21];
        dy[3] = r[14] - r[1] - r[15] - r[16] - r[22];
        dy[4] = r[3] * 2.0 - r[2] + r[5] + r[6] + r[12] + r[19];
        dy[5] = r[2] - r[5] - r[7] - r[13] - r[19] + r[17] * 2.0;
        dy[6] = r[12] - r[3] - r[4] - r[5];
        dy[7] = r[3] + r[4] + r[5] + r[6];
        dy[8] = -r[6] - r[7];
        dy[9] = r[6] - r[11] + r[8];
        dy[10] = r[7] - r[8] - r[9] + r[10];
        dy[11] = r[8];
        dy[12] = r[9] - r[10];
        dy[13] = r[11] - r[12];
        dy[14] = r[13];
        dy[15] = r[15] - r[17] - r[18];
        dy[16] = -r[19];
        dy[17] = r[19];
        dy[18] = r[22] - r[20] - r[21] - r[23] + r[24];
        dy[19] = r[23] - r[24];
    }
}

/// Chemical Akzo Nobel, with the integral of the first state.
pub struct ChemAkzo;
impl Model for ChemAkzo {
    const START: &'static [f64] = &[0.444, 0.00123, 0.0, 0.007, 0.0, 115.83 * 0.444 * 0.007, 0.0];
    const MASS: Option<&'static [f64]> = Some(&[1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0]);
    fn f<T: Number>(y: &[T], dy: &mut [T]) {
        let root = y[1].sqrt();
        let r1 = y[0] * y[0] * y[0] * y[0] * root * 18.7;
        let r2 = y[2] * y[3] * 0.58;
        let r3 = y[0] * y[4] * (0.58 / 34.4);
        let r4 = y[0] * y[3] * y[3] * 0.09;
        let r5 = y[5] * y[5] * root * 0.42;
        dy[0] = r1 * -2.0 + r2 - r3 - r4;
        dy[1] = r1 * -0.5 - r4 - r5 * 0.5 + (-y[1] + 0.9 / 737.0) * 3.3;
        dy[2] = r1 - r2 + r3;
        dy[3] = r3 - r2 - r4 * 2.0;
        dy[4] = r2 - r3 + r5;
        dy[5] = y[0] * y[3] * 115.83 - y[5];
        dy[6] = y[0];
    }
}

const BETA: f64 = 1e-6;
const THERMAL: f64 = 0.026;
const OMEGA: f64 = 200.0 * std::f64::consts::PI;

/// The transistor amplifier of the IVP test set: capacitors between nodes make M singular without an empty row.
pub fn transistor_amplifier() -> Problem {
    let c = |k: f64| k * 1e-6;
    let entries = [
        (0, 0, -c(1.0)),
        (0, 1, c(1.0)),
        (1, 0, c(1.0)),
        (1, 1, -c(1.0)),
        (2, 2, -c(2.0)),
        (3, 3, -c(3.0)),
        (3, 4, c(3.0)),
        (4, 3, c(3.0)),
        (4, 4, -c(3.0)),
        (5, 5, -c(4.0)),
        (6, 6, -c(5.0)),
        (6, 7, c(5.0)),
        (7, 6, c(5.0)),
        (7, 7, -c(5.0)),
    ];
    Problem::with_mass(
        mass(8, &entries),
        |t, y, f| {
            let input = 0.1 * (OMEGA * t).sin();
            let g = |v: f64| BETA * ((v / THERMAL).exp() - 1.0);
            let (g23, g56) = (g(y[1] - y[2]), g(y[4] - y[5]));
            f[0] = (y[0] - input) / 1000.0;
            f[1] = y[1] / 9000.0 + (y[1] - 6.0) / 9000.0 + 0.01 * g23;
            f[2] = y[2] / 9000.0 - g23;
            f[3] = (y[3] - 6.0) / 9000.0 + 0.99 * g23;
            f[4] = y[4] / 9000.0 + (y[4] - 6.0) / 9000.0 + 0.01 * g56;
            f[5] = y[5] / 9000.0 - g56;
            f[6] = (y[6] - 6.0) / 9000.0 + 0.99 * g56;
            f[7] = y[7] / 9000.0;
        },
        |_, y, j| {
            let slope = |v: f64| BETA / THERMAL * (v / THERMAL).exp();
            let (s23, s56) = (slope(y[1] - y[2]), slope(y[4] - y[5]));
            for (row, conductance) in [1e-3, 2.0 / 9e3, 1.0 / 9e3, 1.0 / 9e3]
                .into_iter()
                .chain([2.0 / 9e3, 1.0 / 9e3, 1.0 / 9e3, 1.0 / 9e3])
                .enumerate()
            {
                j[row + 8 * row] = conductance;
            }
            for (base, slope) in [(1, s23), (4, s56)] {
                for (row, weight) in [(base, 0.01), (base + 1, -1.0), (base + 2, 0.99)] {
                    j[row + 8 * base] += weight * slope;
                    j[row + 8 * (base + 1)] -= weight * slope;
                }
            }
        },
        |t, _, ft| ft[0] = -0.1 * OMEGA * (OMEGA * t).cos() / 1000.0,
    )
}

/// Reference points and what to ask of a solver there: |error| in units of |x| + floor, where floor = atol / rtol.
pub struct Reference {
    pub name: &'static str,
    pub problem: Problem,
    pub start: Vec<f64>,
    pub rows: Vec<(f64, Vec<f64>)>,
    pub floor: f64,
}

impl Reference {
    fn of<M: Model>(name: &'static str, data: &str, floor: f64) -> Self {
        Self {
            name,
            problem: stiff::<M>(),
            start: M::START.to_vec(),
            rows: reference(data),
            floor,
        }
    }
}

pub fn stiff_references() -> Vec<Reference> {
    let mut van_der_pol =
        Reference::of::<VanDerPol>("VDPOL", include_str!("../data/vdpol.txt"), 1e-2);
    for (t, x) in &mut van_der_pol.rows {
        *t /= 1e3;
        x[1] *= 1e3;
    }
    vec![
        Reference::of::<Rober>("ROBER", include_str!("../data/rober.txt"), 1e-6),
        Reference::of::<Hires>("HIRES", include_str!("../data/hires.txt"), 1e-3),
        Reference::of::<Pollu>("POLLU", include_str!("../data/pollu.txt"), 1e-4),
        Reference::of::<Orego>("OREGO", include_str!("../data/orego.txt"), 1e-2),
        Reference::of::<OregoLater>("OREGO later", include_str!("../data/orego_later.txt"), 1e-2),
        Reference::of::<E5>("E5", include_str!("../data/e5.txt"), 1e-13),
        van_der_pol,
    ]
}

pub fn algebraic_references() -> Vec<Reference> {
    vec![
        Reference::of::<RoberDae>("ROBER, DAE", include_str!("../data/rober_dae.txt"), 1e-6),
        Reference::of::<ChemAkzo>("Akzo", include_str!("../data/chemakzo.txt"), 1e-3),
        Reference {
            name: "amplifier",
            problem: transistor_amplifier(),
            start: vec![0.0, 3.0, 3.0, 6.0, 3.0, 3.0, 6.0, 0.0],
            rows: reference(include_str!("../data/transamp.txt")),
            floor: 1.0,
        },
    ]
}
