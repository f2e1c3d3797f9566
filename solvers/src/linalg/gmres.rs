//! GMRES(m) with right preconditioning, for matrices known only by their products.
//!
//! Of all x in the Krylov space x_0 + M^-1 span{r, A M^-1 r, ..., (A M^-1)^(m-1) r} it takes the one with
//! the smallest residual |b - A x|. An orthonormal basis V of the space satisfies
//!
//! ```text
//! A M^-1 V_k = V_(k+1) H,   H upper Hessenberg, k + 1 by k:   |b - A x| = | |r| e_1 - H y |
//! ```
//!
//! and Givens rotations keep H triangular, so that the residual is known at each iteration without x. After m
//! iterations it starts again from the x reached. Preconditioning from the right leaves the residual that of
//! the system itself, so that tolerances mean what they say.
//!
//! Orthogonalization is modified Gram-Schmidt, repeated where a vector lost much of its length (then its
//! rest is mostly rounding). An iteration costs one product, one preconditioner and 2 k dot products; storage
//! is m + 4 vectors, allocated once.
//!
//! Use it where W is too large to factor, with a preconditioner that catches its stiffest part; without
//! one it needs as many iterations as W has clusters of eigenvalues.
//!
//! Y. Saad and M. H. Schultz, SIAM J. Sci. Stat. Comput. 7 (1986), doi 10.1137/0907058; the repetition:
//! J. W. Daniel, W. B. Gragg, L. Kaufman and G. W. Stewart, Math. Comp. 30 (1976), doi 10.2307/2005398.

/// When to stop: at |b - A x| <= max(relative |b|, absolute), or after so many iterations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GmresOptions {
    /// relative to |b|
    pub relative: f64,
    /// in the units of b
    pub absolute: f64,
    /// products with A in the Krylov spaces, over all restarts
    pub max_iterations: usize,
}

impl Default for GmresOptions {
    fn default() -> Self {
        Self {
            relative: 1e-8,
            absolute: 0.0,
            max_iterations: 1000,
        }
    }
}

/// What came of an iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GmresOutcome {
    /// iterations made
    pub iterations: usize,
    /// |b - A x|, computed from x
    pub residual: f64,
    /// whether the residual is within the tolerance
    pub converged: bool,
}

/// Workspace for systems of n unknowns; see the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Gmres {
    n: usize,
    restart: usize,
    /// v_0, ..., v_m
    basis: Vec<f64>,
    /// column k of the triangle that H becomes: k + 1 numbers at k (m + 1)
    triangle: Vec<f64>,
    rotations: Vec<(f64, f64)>,
    /// the rotated right-hand side |r| e_1, then y
    target: Vec<f64>,
    combined: Vec<f64>,
    preconditioned: Vec<f64>,
}

/// Below this ratio of lengths after and before, a vector is orthogonalized once more.
const LOST_LENGTH: f64 = std::f64::consts::FRAC_1_SQRT_2;

impl Gmres {
    /// A workspace for `n` unknowns, with restarts after `restart` iterations (at least 1).
    pub fn new(n: usize, restart: usize) -> Self {
        let restart = restart.clamp(1, n.max(1));
        Self {
            n,
            restart,
            basis: vec![0.0; (restart + 1) * n],
            triangle: vec![0.0; restart * (restart + 1)],
            rotations: vec![(1.0, 0.0); restart],
            target: vec![0.0; restart + 1],
            combined: vec![0.0; n],
            preconditioned: vec![0.0; n],
        }
    }

    /// Improves x until A x = b within the tolerance. `apply(x, y)` writes y = A x and
    /// `precondition(x, y)` y = M^-1 x.
    pub fn solve(
        &mut self,
        mut apply: impl FnMut(&[f64], &mut [f64]),
        mut precondition: impl FnMut(&[f64], &mut [f64]),
        b: &[f64],
        x: &mut [f64],
        options: &GmresOptions,
    ) -> GmresOutcome {
        let n = self.n;
        let tolerance = (options.relative * norm(b)).max(options.absolute);
        let mut iterations = 0;
        let mut last = f64::INFINITY;
        loop {
            let residual = &mut self.basis[..n];
            if x.iter().all(|&x| x == 0.0) {
                residual.copy_from_slice(b);
            } else {
                apply(x, residual);
                for (r, &b) in residual.iter_mut().zip(b) {
                    *r = b - *r;
                }
            }
            let length = norm(residual);
            let converged = length <= tolerance;
            // a restart that gains nothing would be repeated for ever; a NaN gains nothing either
            let gained = length < last;
            if converged || !gained || iterations >= options.max_iterations {
                return GmresOutcome {
                    iterations,
                    residual: length,
                    converged,
                };
            }
            last = length;
            for r in residual {
                *r /= length;
            }
            self.target.fill(0.0);
            self.target[0] = length;
            let mut k = 0;
            while k < self.restart && iterations < options.max_iterations {
                let (known, new) = self.basis.split_at_mut((k + 1) * n);
                let new = &mut new[..n];
                precondition(&known[k * n..], &mut self.preconditioned);
                apply(&self.preconditioned, new);
                iterations += 1;
                let column = &mut self.triangle[k * (self.restart + 1)..][..k + 2];
                column.fill(0.0);
                let length = orthogonalize(known, new, &mut column[..=k]);
                column[k + 1] = length;
                for (i, &(c, s)) in self.rotations[..k].iter().enumerate() {
                    let (upper, lower) = (column[i], column[i + 1]);
                    column[i] = c * upper + s * lower;
                    column[i + 1] = c * lower - s * upper;
                }
                let diagonal = column[k].hypot(length);
                if !(diagonal.is_finite() && diagonal > 0.0) {
                    // not finite, or A M^-1 is singular on the space: what was found so far must do
                    break;
                }
                let (c, s) = (column[k] / diagonal, length / diagonal);
                self.rotations[k] = (c, s);
                column[k] = diagonal;
                self.target[k + 1] = -s * self.target[k];
                self.target[k] *= c;
                k += 1;
                if self.target[k].abs() <= tolerance || length == 0.0 {
                    break;
                }
                for v in new {
                    *v /= length;
                }
            }
            for i in (0..k).rev() {
                let mut sum = self.target[i];
                for j in i + 1..k {
                    sum -= self.triangle[j * (self.restart + 1) + i] * self.target[j];
                }
                self.target[i] = sum / self.triangle[i * (self.restart + 1) + i];
            }
            self.combined.fill(0.0);
            for (j, &y) in self.target[..k].iter().enumerate() {
                for (u, v) in self.combined.iter_mut().zip(&self.basis[j * n..]) {
                    *u += y * v;
                }
            }
            precondition(&self.combined, &mut self.preconditioned);
            for (x, z) in x.iter_mut().zip(&self.preconditioned) {
                *x += z;
            }
        }
    }
}

/// Takes the components along the basis vectors out of `vector`, adds them to `components`, and returns the
/// length of what remains: exactly 0 where that is only rounding.
fn orthogonalize(basis: &[f64], vector: &mut [f64], components: &mut [f64]) -> f64 {
    let n = vector.len();
    let mut before = norm(vector);
    let start = before;
    for _pass in 0..2 {
        for (i, component) in components.iter_mut().enumerate() {
            let v = &basis[i * n..(i + 1) * n];
            let along = dot(v, vector);
            *component += along;
            for (w, v) in vector.iter_mut().zip(v) {
                *w -= along * v;
            }
        }
        let after = norm(vector);
        if after > LOST_LENGTH * before {
            return after;
        }
        before = after;
    }
    if before <= f64::EPSILON * start {
        0.0
    } else {
        before
    }
}

/// In eight sums, which do not wait for each other.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a_eights, b_eights) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a_eights.remainder().iter().zip(b_eights.remainder());
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    let mut sums = [0.0; 8];
    for (a, b) in a_eights.zip(b_eights) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    rest + sums.iter().sum::<f64>()
}

/// The Euclidean norm. Squares overflow beyond 1e154: such systems are the caller's to scale.
pub(super) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One pass leaves a component of eps relative to the old length: a part in a million of the new one.
    #[test]
    fn orthogonalizes_again_what_lost_its_length() {
        let n = 50;
        let first = vec![1.0 / (n as f64).sqrt(); n];
        let mut vector: Vec<f64> = (0..n).map(|k| 1.0 + 1e-10 * (k as f64).sin()).collect();
        let given = vector.clone();
        let mut components = [0.0];
        let length = orthogonalize(&first, &mut vector, &mut components);
        assert!((1e-10..1e-9).contains(&length), "{length:e}");
        assert!(dot(&first, &vector).abs() < 1e-14 * length);
        let back = first
            .iter()
            .zip(&vector)
            .map(|(v, w)| components[0] * v + w);
        assert!(back.zip(&given).all(|(b, g)| (b - g).abs() < 1e-15));
        // what lies in the span has no length left at all
        let mut vector: Vec<f64> = first.iter().map(|v| 3.0 * v).collect();
        assert_eq!(orthogonalize(&first, &mut vector, &mut [0.0]), 0.0);
    }
}
