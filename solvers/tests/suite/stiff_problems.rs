//! Stiff test problems and differential-algebraic ones, with exact Jacobians by complex steps:
//! df_i/dx_j = Im f_i(x + i e e_j) / e with e so small that nothing is lost.

use std::marker::PhantomData;
use std::ops::{Add, Mul, Neg, Sub};

use costate_solvers::{ImplicitSystem, Mass, Pattern, System};
use nalgebra::Complex;

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

/// A model with what a solver asks of it.
pub struct Stiff<M> {
    pattern: Pattern,
    mass: Option<Mass<f64>>,
    x: Vec<Complex<f64>>,
    dx: Vec<Complex<f64>>,
    model: PhantomData<M>,
}

impl<M: Model> Stiff<M> {
    pub fn new() -> Self {
        let n = M::START.len();
        Self {
            pattern: Pattern::dense(n),
            mass: M::MASS.map(|diagonal| {
                let entries: Vec<_> = (0..n)
                    .filter(|&i| diagonal[i] != 0.0)
                    .map(|i| (i, i))
                    .collect();
                Mass {
                    values: entries.iter().map(|&(i, _)| diagonal[i]).collect(),
                    pattern: Pattern::from_entries(n, n, &entries),
                }
            }),
            x: vec![Complex::new(0.0, 0.0); n],
            dx: vec![Complex::new(0.0, 0.0); n],
            model: PhantomData,
        }
    }
}

impl<M: Model> System<f64> for Stiff<M> {
    fn dim(&self) -> usize {
        M::START.len()
    }
    fn rhs(&mut self, _t: f64, x: &[f64], dx: &mut [f64]) {
        M::f(x, dx);
    }
}

impl<M: Model> ImplicitSystem<f64> for Stiff<M> {
    fn pattern(&self) -> &Pattern {
        &self.pattern
    }
    fn jacobian(&mut self, _t: f64, x: &[f64], values: &mut [f64]) {
        const STEP: f64 = 1e-150;
        let n = x.len();
        for j in 0..n {
            for (c, &x) in self.x.iter_mut().zip(x) {
                *c = Complex::new(x, 0.0);
            }
            self.x[j].im = STEP;
            M::f(&self.x, &mut self.dx);
            for (v, d) in values[j * n..].iter_mut().zip(&self.dx) {
                *v = d.im / STEP;
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
