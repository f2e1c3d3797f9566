//! The limited-memory Hessian in compact form, its generalized Cauchy point, and the minimization beyond it.
//!
//! With the last n pairs s = change of theta, y = change of gradient, as columns of S and Y (m x n):
//!
//! ```text
//! B = scale I - W M W^T,   W = [Y, scale S]  (m x 2n),   M^-1 = [ -D   L^T        ]
//!                                                               [  L   scale S^T S ]
//! ```
//!
//! D = diag(s_i.y_i), L the strictly lower part of S^T Y (Byrd, Nocedal & Schnabel, Math. Program. 63, 1994). The
//! Cauchy point is the first minimizer of the quadratic model along the projected gradient path, found segment by
//! segment; it fixes which variables rest on their bounds, and the model is then minimized over the others (Byrd, Lu,
//! Nocedal & Zhu, SIAM J. Sci. Comput. 16, 1995, algorithm CP and the direct primal method), and brought back into the
//! box by projection (Morales & Nocedal, ACM Trans. Math. Softw. 38, 2011).

use std::collections::VecDeque;

use nalgebra::{DMatrix, DVector};

use super::record::dot;

/// The pairs kept, and the matrices made of them.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    limit: usize,
    pairs: VecDeque<(Vec<f64>, Vec<f64>)>,
    scale: f64,
    /// m x 2n
    w: DMatrix<f64>,
    /// 2n x 2n
    middle: DMatrix<f64>,
}

/// Where the projected gradient path first stops going down in the model.
struct CauchyPoint {
    theta: Vec<f64>,
    /// W^T (theta_cauchy - theta)
    c: DVector<f64>,
    free: Vec<usize>,
}

impl Memory {
    pub fn new(dim: usize, limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            pairs: VecDeque::new(),
            scale: 1.0,
            w: DMatrix::zeros(dim, 0),
            middle: DMatrix::zeros(0, 0),
        }
    }

    /// Whether no pair is held: the model is a multiple of the identity.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Forgets all pairs.
    pub fn clear(&mut self) {
        self.pairs.clear();
        self.scale = 1.0;
        self.w = DMatrix::zeros(self.w.nrows(), 0);
        self.middle = DMatrix::zeros(0, 0);
    }

    /// Takes a pair in, if its curvature is positive.
    pub fn push(&mut self, s: Vec<f64>, y: Vec<f64>) {
        let (sy, yy) = (dot(&s, &y), dot(&y, &y));
        if sy.is_nan() || sy <= f64::EPSILON * yy || yy == 0.0 {
            return;
        }
        if self.pairs.len() == self.limit {
            self.pairs.pop_front();
        }
        self.pairs.push_back((s, y));
        self.scale = yy / sy;
        self.rebuild();
    }

    fn rebuild(&mut self) {
        let (m, n) = (self.w.nrows(), self.pairs.len());
        let mut w = DMatrix::zeros(m, 2 * n);
        let mut inverse = DMatrix::zeros(2 * n, 2 * n);
        for (j, (s, y)) in self.pairs.iter().enumerate() {
            for i in 0..m {
                w[(i, j)] = y[i];
                w[(i, n + j)] = self.scale * s[i];
            }
            inverse[(j, j)] = -dot(s, y);
            for (i, (other, _)) in self.pairs.iter().enumerate() {
                inverse[(n + i, n + j)] = self.scale * dot(other, s);
                if i > j {
                    let l = dot(other, y);
                    inverse[(n + i, j)] = l;
                    inverse[(j, n + i)] = l;
                }
            }
        }
        match inverse.try_inverse() {
            Some(middle) if middle.iter().all(|x| x.is_finite()) => {
                self.w = w;
                self.middle = middle;
            }
            _ => self.clear(),
        }
    }

    /// The minimizer of the model inside the box, as far as the two stages find it.
    pub fn target(&self, theta: &[f64], g: &[f64], lower: &[f64], upper: &[f64]) -> Vec<f64> {
        let cauchy = self.cauchy_point(theta, g, lower, upper);
        self.subspace(theta, g, lower, upper, cauchy)
    }

    fn cauchy_point(&self, x: &[f64], g: &[f64], lower: &[f64], upper: &[f64]) -> CauchyPoint {
        let m = x.len();
        let mut breaks: Vec<f64> = vec![f64::INFINITY; m];
        let mut d = DVector::zeros(m);
        for i in 0..m {
            if g[i] < 0.0 {
                breaks[i] = (x[i] - upper[i]) / g[i];
            } else if g[i] > 0.0 {
                breaks[i] = (x[i] - lower[i]) / g[i];
            }
            if breaks[i] > 0.0 {
                d[i] = -g[i];
            }
        }
        let mut order: Vec<usize> = (0..m)
            .filter(|&i| breaks[i] > 0.0 && breaks[i].is_finite())
            .collect();
        order.sort_by(|&a, &b| breaks[a].total_cmp(&breaks[b]));

        let mut theta = x.to_vec();
        let mut p = self.w.tr_mul(&d);
        let mut c = DVector::zeros(p.len());
        let mut first = -d.norm_squared();
        let mut second = -self.scale * first - p.dot(&(&self.middle * &p));
        let floor = f64::EPSILON * second.abs();
        let mut time = 0.0;
        let mut best = -first / second.max(floor).max(f64::MIN_POSITIVE);
        let mut fixed: Vec<bool> = breaks.iter().map(|&t| t <= 0.0).collect();
        let mut ended = d.iter().all(|&x| x == 0.0);
        for &b in &order {
            let span = breaks[b] - time;
            if best < span || ended {
                break;
            }
            theta[b] = if d[b] > 0.0 { upper[b] } else { lower[b] };
            fixed[b] = true;
            let moved = theta[b] - x[b];
            c += &p * span;
            let row = self.w.row(b).transpose();
            let middle_row = &self.middle * &row;
            let gb = g[b];
            first += span * second + gb * gb + self.scale * gb * moved - gb * middle_row.dot(&c);
            second -= self.scale * gb * gb
                + 2.0 * gb * middle_row.dot(&p)
                + gb * gb * middle_row.dot(&row);
            second = second.max(floor);
            p += row * gb;
            d[b] = 0.0;
            time = breaks[b];
            ended = d.iter().all(|&x| x == 0.0);
            best = if first < 0.0 {
                -first / second.max(f64::MIN_POSITIVE)
            } else {
                0.0
            };
        }
        if !ended {
            time += best;
            c += &p * best;
            for i in 0..m {
                if !fixed[i] {
                    theta[i] = (x[i] + time * d[i]).max(lower[i]).min(upper[i]);
                }
            }
        }
        CauchyPoint {
            theta,
            c,
            free: (0..m).filter(|&i| !fixed[i]).collect(),
        }
    }

    fn subspace(
        &self,
        x: &[f64],
        g: &[f64],
        lower: &[f64],
        upper: &[f64],
        cauchy: CauchyPoint,
    ) -> Vec<f64> {
        let CauchyPoint { theta, c, free } = cauchy;
        if free.is_empty() || self.is_empty() {
            return theta;
        }
        let mc = &self.middle * &c;
        let r = DVector::from_iterator(
            free.len(),
            free.iter().map(|&i| {
                g[i] + self.scale * (theta[i] - x[i]) - self.w.row(i).transpose().dot(&mc)
            }),
        );
        let wz = self.w.select_rows(&free);
        let n = self.middle.nrows();
        let system = DMatrix::identity(n, n) - &self.middle * (wz.tr_mul(&wz) / self.scale);
        let Some(v) = system.lu().solve(&(&self.middle * wz.tr_mul(&r))) else {
            return theta;
        };
        let step = -(&r / self.scale) - (wz * v) / (self.scale * self.scale);
        if step.iter().any(|s| !s.is_finite()) {
            return theta;
        }
        let mut projected = theta.clone();
        for (&i, s) in free.iter().zip(step.iter()) {
            projected[i] = (theta[i] + s).max(lower[i]).min(upper[i]);
        }
        let descends: f64 = (0..x.len()).map(|i| g[i] * (projected[i] - x[i])).sum();
        if descends < 0.0 {
            return projected;
        }
        // Projection turned the step uphill: shorten it instead.
        let mut fraction: f64 = 1.0;
        for (&i, &s) in free.iter().zip(step.iter()) {
            if s > 0.0 {
                fraction = fraction.min((upper[i] - theta[i]) / s);
            } else if s < 0.0 {
                fraction = fraction.min((lower[i] - theta[i]) / s);
            }
        }
        let mut cut = theta.clone();
        for (&i, s) in free.iter().zip(step.iter()) {
            cut[i] = (cut[i] + fraction.max(0.0) * s).max(lower[i]).min(upper[i]);
        }
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three pairs of the quadratic with Hessian diag(1..n) + ones.
    fn memory(n: usize) -> Memory {
        let mut memory = Memory::new(n, 5);
        for p in 0..3 {
            let s: Vec<f64> = (0..n).map(|i| ((i * (p + 2) + p) as f64).sin()).collect();
            let sum: f64 = s.iter().sum();
            let y = (0..n).map(|i| (i as f64 + 1.0) * s[i] + sum).collect();
            memory.push(s, y);
        }
        memory
    }

    fn times(memory: &Memory, s: &DVector<f64>) -> DVector<f64> {
        s * memory.scale - &memory.w * (&memory.middle * memory.w.tr_mul(s))
    }

    fn model(memory: &Memory, g: &[f64], step: &DVector<f64>) -> f64 {
        dot(g, step.as_slice()) + 0.5 * step.dot(&times(memory, step))
    }

    #[test]
    fn the_compact_form_satisfies_the_secant_equation() {
        let memory = memory(6);
        let (s, y) = memory.pairs.back().expect("three pairs");
        let by = times(&memory, &DVector::from_column_slice(s));
        for (a, b) in by.iter().zip(y) {
            assert!((a - b).abs() < 1e-12 * dot(y, y).sqrt());
        }
    }

    #[test]
    fn without_bounds_the_target_is_the_newton_point() {
        let (n, memory) = (6, memory(6));
        let (x, free) = (vec![0.3; n], vec![f64::INFINITY; n]);
        let negative = vec![f64::NEG_INFINITY; n];
        let g: Vec<f64> = (0..n).map(|i| (i as f64 * 1.7).cos()).collect();
        let target = memory.target(&x, &g, &negative, &free);
        let step = DVector::from_fn(n, |i, _| target[i] - x[i]);
        for (b, g) in times(&memory, &step).iter().zip(&g) {
            assert!((b + g).abs() < 1e-12);
        }
    }

    /// The Cauchy point against the model sampled along the projected path.
    #[test]
    fn the_cauchy_point_is_the_first_minimum_on_the_path() {
        let (n, memory) = (6, memory(6));
        let x = vec![0.0; n];
        let g: Vec<f64> = (0..n).map(|i| (i as f64 * 1.7 + 0.2).cos()).collect();
        for width in [1e-3, 0.02, 0.05, 0.2, 5.0] {
            let lower: Vec<f64> = (0..n).map(|i| -width * (1.0 + i as f64)).collect();
            let upper: Vec<f64> = (0..n).map(|i| width * (0.5 + i as f64)).collect();
            let cauchy = memory.cauchy_point(&x, &g, &lower, &upper);
            let at = |t: f64| DVector::from_fn(n, |i, _| (-t * g[i]).max(lower[i]).min(upper[i]));
            let (mut t, mut lowest) = (0.0, 0.0);
            let pace = 1e-5;
            loop {
                let next = model(&memory, &g, &at(t + pace));
                if next >= lowest || t > 100.0 {
                    break;
                }
                (t, lowest) = (t + pace, next);
            }
            let found = DVector::from_vec(cauchy.theta.clone());
            assert!((&found - at(t)).norm() < 1e-4, "{width}: {found} {}", at(t));
            assert!(model(&memory, &g, &found) <= lowest + 1e-12);
            // c is W^T times the step.
            assert!((memory.w.tr_mul(&found) - cauchy.c).norm() < 1e-12);
        }
    }

    #[test]
    fn pairs_without_curvature_are_refused() {
        let mut memory = Memory::new(2, 3);
        memory.push(vec![1.0, 0.0], vec![-1.0, 0.0]);
        memory.push(vec![0.0, 0.0], vec![0.0, 0.0]);
        memory.push(vec![1.0, 0.0], vec![f64::NAN, 0.0]);
        assert!(memory.is_empty());
    }
}
