//! Rodas5P, the default for stiff systems: a stiffly accurate Rosenbrock-Wanner pair of orders 5(4).
//!
//! With J = df/dx and f_t = df/dt at (t, x), the step solves eight linear systems with one matrix,
//!
//! ```text
//! W u_i = f(t + alpha_i h, x + sum_{j<i} a_ij u_j) + sum_{j<i} (c_ij / h) u_j + h d_i f_t
//! W = I / (h gamma) - J,         x_new = x + sum m_i u_i,         local error ~ u_8
//! ```
//!
//! (the form without products with J; u has the units of x). The method is L-stable; J must be exact for
//! the order to hold. Dense output of order 4 needs no further evaluations:
//! x(t + theta h) = x + sum b_i(theta) u_i, see [`dense_weights`].
//!
//! Cost of an accepted step: one J and f_t, one LU, eight f, eight solves. A rejected step keeps f, J and
//! f_t and repeats the LU.
//!
//! Over dual numbers only W_0, the values of W, is factored. As W - W_0 is nilpotent, the iteration
//! `W_0 u = r - (W - W_0) u` ends: it starts with the values of u, and each pass makes one more order of
//! derivatives exact (one pass for dual numbers, two for duals over duals). So the tangents are the exact
//! derivative of the discrete step.
//!
//! Stages ([`Method::stages`]): u_1, ..., u_8, each n long, in this order.
//!
//! Use it for stiff systems of up to a few hundred states and tolerances from 1e-2 to about 1e-10.
//!
//! Source: G. Steinebach, Construction of Rosenbrock-Wanner method Rodas5P and numerical benchmarks within
//! the Julia Differential Equations package, BIT 63:27 (2023), doi 10.1007/s10543-023-00967-x. The
//! coefficients agree digit for digit in two independent public implementations (SciML's
//! OrdinaryDiffEq.jl, and GridKit), and tests check their order conditions.

use crate::control::error_test;
use crate::linalg::DenseLu;
use crate::method::{Method, Trial};
use crate::options::{Options, Statistics};
use crate::scalar::{Scalar, depth};
use crate::system::{ImplicitSystem, Pattern};

/// Number of stages.
pub const STAGES: usize = 8;

/// gamma: W = I / (h gamma) - J.
pub const GAMMA: f64 = 0.21193756319429014;

/// Nodes alpha_i: stage i evaluates f at t + alpha_i h.
pub const ALPHA: [f64; 8] = [
    0.0,
    0.6358126895828704,
    0.4095798393397535,
    0.9769306725060716,
    0.4288403609558664,
    1.0,
    1.0,
    1.0,
];

/// Weights d_i of h f_t.
pub const D: [f64; 8] = [
    GAMMA,
    -0.42387512638858027,
    -0.3384627126235924,
    1.8046452872882734,
    2.325825639765069,
    0.0,
    0.0,
    0.0,
];

/// Weights a_ij of the argument of stage i.
pub const A: [[f64; 8]; 8] = [
    [0.0; 8],
    [3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [
        2.849394379747939,
        0.45842242204463923,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
    ],
    [
        -6.954028509809101,
        2.489845061869568,
        -10.358996098473584,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
    ],
    [
        2.8029986275628964,
        0.5072464736228206,
        -0.3988312541770524,
        -0.04721187230404641,
        0.0,
        0.0,
        0.0,
        0.0,
    ],
    [M[0], M[1], M[2], M[3], M[4], 0.0, 0.0, 0.0],
    [M[0], M[1], M[2], M[3], M[4], 1.0, 0.0, 0.0],
    [M[0], M[1], M[2], M[3], M[4], 1.0, 1.0, 0.0],
];

/// Weights c_ij / h of earlier u_j on the right-hand side of stage i.
pub const C: [[f64; 8]; 8] = [
    [0.0; 8],
    [-14.155112264123755, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [
        -17.97296035885952,
        -2.859693295451294,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
    ],
    [
        147.12150275711716,
        -1.41221402718213,
        71.68940251302358,
        0.0,
        0.0,
        0.0,
        0.0,
        0.0,
    ],
    [
        165.43517024871676,
        -0.4592823456491126,
        42.90938336958603,
        -5.961986721573306,
        0.0,
        0.0,
        0.0,
        0.0,
    ],
    [
        24.854864614690072,
        -3.0009227002832186,
        47.4931110020768,
        5.5814197821558125,
        -0.6610691825249471,
        0.0,
        0.0,
        0.0,
    ],
    [
        30.91273214028599,
        -3.1208243349937974,
        77.79954646070892,
        34.28646028294783,
        -19.097331116725623,
        -28.087943162872662,
        0.0,
        0.0,
    ],
    [
        37.80277123390563,
        -3.2571969029072276,
        112.26918849496327,
        66.9347231244047,
        -40.06618937091002,
        -54.66780262877968,
        -9.48861652309627,
        0.0,
    ],
];

/// Weights m_i of the solution: x_new = x + sum m_i u_i. (The embedded solution of order 4 leaves out u_8.)
pub const M: [f64; 8] = [
    -7.502846399306121,
    2.561846144803919,
    -11.627539656261098,
    -0.18268767659942256,
    0.030198172008377946,
    1.0,
    1.0,
    1.0,
];

/// Rows H_1, H_2, H_3 of the dense output; see [`dense_weights`].
pub const H: [[f64; 8]; 3] = [
    [
        25.948786856663858,
        -2.5579724845846235,
        10.433815404888879,
        -2.3679251022685204,
        0.524948541321073,
        1.1241088310450404,
        0.4272876194431874,
        -0.17202221070155493,
    ],
    [
        -9.91568850695171,
        -0.9689944594115154,
        3.0438037242978453,
        -24.495224566215796,
        20.176138334709044,
        15.98066361424651,
        -6.789040303419874,
        -6.710236069923372,
    ],
    [
        11.419903575922262,
        2.8879645146136994,
        72.92137995996029,
        80.12511834622643,
        -52.072871366152654,
        -59.78993625266729,
        -0.15582684282751913,
        4.883087185713722,
    ],
];

/// Weights of the dense output,
/// b_i(theta) = theta m_i + theta (1 - theta) (H_1i + theta (H_2i + theta H_3i)); b(1) = m.
#[inline]
pub fn dense_weights<S: Scalar>(theta: S) -> [S; 8] {
    let bubble = theta * (-theta + 1.0);
    std::array::from_fn(|i| {
        let cubic = (theta * H[2][i] + H[1][i]) * theta + H[0][i];
        theta * M[i] + bubble * cubic
    })
}

/// Workspace of the method for one system; see the module.
#[derive(Debug, Clone)]
pub struct Rodas5P<S> {
    n: usize,
    pattern: Pattern,
    /// u_1, ..., u_8, stage-major
    stages: Vec<S>,
    slope: Vec<S>,
    argument: Vec<S>,
    /// f_t at (t, x)
    time_slope: Vec<S>,
    /// non-zeros of J at (t, x), in the pattern's order
    jacobian: Vec<S>,
    /// J and f_t belong to the current (t, x)
    current: bool,
    lu: DenseLu,
    /// order of the derivatives that S carries: 0 for plain numbers
    depth: usize,
    /// values of the stage being solved, where S carries derivatives
    values: Vec<f64>,
    /// the stage being solved, likewise
    guess: Vec<S>,
}

impl<S: Scalar> Rodas5P<S> {
    /// A workspace for `n` states and a Jacobian of the given pattern.
    pub fn with_pattern(n: usize, pattern: &Pattern) -> Self {
        let zeros = vec![S::from(0.0); n];
        Self {
            n,
            pattern: pattern.clone(),
            stages: vec![S::from(0.0); STAGES * n],
            slope: zeros.clone(),
            argument: zeros.clone(),
            time_slope: zeros.clone(),
            jacobian: vec![S::from(0.0); pattern.non_zeros()],
            current: false,
            lu: DenseLu::new(n),
            depth: depth::<S>(),
            values: vec![0.0; n],
            guess: zeros,
        }
    }

    /// Factors the values of W.
    fn factor(&mut self, inverse_h_gamma: f64) -> bool {
        let n = self.n;
        let entries = self.lu.entries_mut();
        entries.fill(0.0);
        for column in 0..n {
            for k in self.pattern.starts[column]..self.pattern.starts[column + 1] {
                entries[self.pattern.rows[k] + column * n] = -self.jacobian[k].value();
            }
            entries[column + column * n] += inverse_h_gamma;
        }
        self.lu.factor()
    }

    /// Solves W u = r for stage `i`, whose r lies in its place in `stages`.
    fn solve(&mut self, i: usize, inverse_h_gamma: S) {
        let r = &mut self.stages[i * self.n..(i + 1) * self.n];
        if self.depth == 0 {
            self.lu.solve(r);
            return;
        }
        for (v, r) in self.values.iter_mut().zip(r.iter()) {
            *v = r.value();
        }
        self.lu.solve(&mut self.values);
        for (g, &v) in self.guess.iter_mut().zip(&self.values) {
            *g = S::from(v);
        }
        for _ in 0..self.depth {
            // argument is free here; it becomes r - (W - W_0) guess, its values those of r
            self.argument.copy_from_slice(r);
            let diagonal = inverse_h_gamma - inverse_h_gamma.value();
            for (column, &u) in self.guess.iter().enumerate() {
                self.argument[column] -= diagonal * u;
                let range = self.pattern.starts[column]..self.pattern.starts[column + 1];
                let rows = &self.pattern.rows[range.clone()];
                for (&row, &entry) in rows.iter().zip(&self.jacobian[range]) {
                    self.argument[row] += (entry - entry.value()) * u;
                }
            }
            self.lu.solve(&mut self.argument);
            self.guess.copy_from_slice(&self.argument);
        }
        r.copy_from_slice(&self.guess);
    }
}

impl<S: Scalar, F: ImplicitSystem<S> + ?Sized> Method<S, F> for Rodas5P<S> {
    const ORDER: u32 = 5;
    const ERROR_ORDER: u32 = 4;
    const STAGES: usize = STAGES;

    fn new(system: &F) -> Self {
        Self::with_pattern(system.dim(), system.pattern())
    }

    fn restart(&mut self, system: &mut F, t: S, x: &[S], statistics: &mut Statistics) {
        system.rhs(t, x, &mut self.slope);
        statistics.rhs_evaluations += 1;
        self.current = false;
    }

    fn slope(&self) -> &[S] {
        &self.slope
    }

    fn step(
        &mut self,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        x_new: &mut [S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Trial {
        let n = self.n;
        if !self.current {
            system.jacobian(t, x, &mut self.jacobian);
            system.time_derivative(t, x, &mut self.time_slope);
            statistics.jacobians += 1;
            self.current = true;
        }
        let inverse_h = S::from(1.0) / h;
        let inverse_h_gamma = inverse_h / GAMMA;
        statistics.factorizations += 1;
        if !self.factor(inverse_h_gamma.value()) {
            let bad = self.jacobian.iter().position(|j| !j.value().is_finite());
            return match bad {
                Some(k) => Trial::NotFinite {
                    state: self.pattern.rows[k],
                },
                None => Trial::Singular,
            };
        }
        for i in 0..STAGES {
            let (earlier, rest) = self.stages.split_at_mut(i * n);
            let u = &mut rest[..n];
            if i == 0 {
                u.copy_from_slice(&self.slope);
            } else {
                // x_new is free until the end: it holds the sum of the c_ij u_j
                let outputs = self.argument.iter_mut().zip(x_new.iter_mut());
                for (state, ((y, sum), &x)) in outputs.zip(x).enumerate() {
                    *y = x;
                    *sum = S::from(0.0);
                    for (j, (&a, &c)) in A[i][..i].iter().zip(&C[i]).enumerate() {
                        let v = earlier[j * n + state];
                        *y = y.mul_add_f64(v, a);
                        *sum = sum.mul_add_f64(v, c);
                    }
                }
                system.rhs(t + h * ALPHA[i], &self.argument, u);
                statistics.rhs_evaluations += 1;
                for (r, &sum) in u.iter_mut().zip(x_new.iter()) {
                    *r += sum * inverse_h;
                }
            }
            if D[i] != 0.0 {
                let weight = h * D[i];
                for (r, &ft) in u.iter_mut().zip(&self.time_slope) {
                    *r += ft * weight;
                }
            }
            self.solve(i, inverse_h_gamma);
        }
        for (state, (y, &x)) in x_new.iter_mut().zip(x).enumerate() {
            *y = x;
            for (j, &m) in M.iter().enumerate() {
                *y = y.mul_add_f64(self.stages[j * n + state], m);
            }
        }
        let last = &self.stages[(STAGES - 1) * n..];
        error_test(options, x, x_new, |i, part| last[i].part(part))
    }

    fn accept(&mut self, system: &mut F, t_new: S, x_new: &[S], statistics: &mut Statistics) {
        self.restart(system, t_new, x_new, statistics);
    }

    fn stages(&self) -> &[S] {
        &self.stages
    }

    fn interpolate(theta: S, _h: S, x: &[S], _x_new: &[S], stages: &[S], out: &mut [S]) {
        let n = x.len();
        let weights = dense_weights(theta);
        for (state, (o, &x)) in out.iter_mut().zip(x).enumerate() {
            *o = x;
            for (j, &b) in weights.iter().enumerate() {
                *o += stages[j * n + state] * b;
            }
        }
    }
}
