//! The trust-region subproblem, solved in the eigenbasis of the model.
//!
//! ```text
//! min  g.p + 1/2 p.B p   subject to  |p| <= radius,      B = V diag(lambda) V^T  (m x m)
//! ```
//!
//! In coordinates c = V^T p the minimizer is c_i = -(V^T g)_i / (lambda_i + alpha), with the smallest alpha >= 0 that
//! makes every lambda_i + alpha >= 0 and |c| <= radius. The length is found by Newton's method on 1/|c| - 1/radius,
//! which is nearly linear in alpha, between safeguards (More & Sorensen, Computing a trust region step, SIAM J. Sci.
//! Stat. Comput. 4, 1983). In the hard case, the gradient without a component along the most negative curvature, a
//! multiple of that eigenvector fills the region.

/// A quadratic model in its own eigenbasis.
#[derive(Debug, Clone)]
pub struct Model {
    /// eigenvalues of B (m); directions without curvature or slope are exact zeros
    pub lambda: Vec<f64>,
    /// V^T g (m)
    pub slope: Vec<f64>,
}

impl Model {
    /// g.p + 1/2 p.B p at coordinates `c`.
    pub fn value(&self, c: &[f64]) -> f64 {
        let mut sum = 0.0;
        for ((&l, &g), &c) in self.lambda.iter().zip(&self.slope).zip(c) {
            sum += c * (g + 0.5 * l * c);
        }
        sum
    }

    /// The t in [from, to] that minimizes the model at `origin + t * direction`.
    pub fn minimize_along(&self, origin: &[f64], direction: &[f64], from: f64, to: f64) -> f64 {
        let (mut first, mut second) = (0.0, 0.0);
        for (((&l, &g), &o), &d) in self
            .lambda
            .iter()
            .zip(&self.slope)
            .zip(origin)
            .zip(direction)
        {
            first += d * (g + l * o);
            second += d * l * d;
        }
        if second > 0.0 {
            (-first / second).max(from).min(to)
        } else if first * (to - from) + 0.5 * second * (to * to - from * from) < 0.0 {
            to
        } else {
            from
        }
    }

    /// The alpha for which `c` solves (lambda + alpha) c = -slope best: that of a minimizer within a radius, 0 inside it.
    pub fn damping(&self, c: &[f64]) -> f64 {
        let (mut work, mut size) = (0.0, 0.0);
        for ((&l, &g), &c) in self.lambda.iter().zip(&self.slope).zip(c) {
            work += c * (g + l * c);
            size += c * c;
        }
        if size > 0.0 {
            (-work / size).max(0.0)
        } else {
            0.0
        }
    }

    /// The minimizer's coordinates within `radius`.
    pub fn minimize(&self, radius: f64) -> Vec<f64> {
        let smallest = self.lambda.iter().copied().fold(f64::INFINITY, f64::min);
        let shifted = |alpha: f64| -> Vec<f64> {
            self.lambda
                .iter()
                .zip(&self.slope)
                .map(|(&l, &g)| {
                    let denominator = l + alpha;
                    if g == 0.0 || denominator <= 0.0 {
                        0.0
                    } else {
                        -g / denominator
                    }
                })
                .collect()
        };
        let length = |c: &[f64]| c.iter().map(|x| x * x).sum::<f64>().sqrt();

        let singular_slope = self
            .lambda
            .iter()
            .zip(&self.slope)
            .any(|(&l, &g)| l <= 0.0 && g != 0.0);
        if smallest >= 0.0 && !singular_slope {
            let newton = shifted(0.0);
            if length(&newton) <= radius {
                return newton;
            }
        }

        let floor = (-smallest).max(0.0);
        if smallest < 0.0 {
            let mut c = shifted(floor);
            let at_edge = self
                .lambda
                .iter()
                .zip(&self.slope)
                .any(|(&l, &g)| l + floor <= 0.0 && g != 0.0);
            let inside = length(&c);
            if !at_edge && inside < radius {
                if let Some(i) = self.lambda.iter().position(|&l| l == smallest) {
                    c[i] = (radius * radius - inside * inside).sqrt();
                }
                return c;
            }
        }

        let slope = length(&self.slope);
        let (mut low, mut high) = (floor, floor.max(slope / radius - smallest));
        // A point with every l + alpha > 0, a little inside the safeguards.
        let mut alpha = low + 1e-3 * (high - low);
        let mut c = shifted(alpha);
        for _ in 0..100 {
            let size = length(&c);
            if (size - radius).abs() <= 1e-3 * radius {
                break;
            }
            if size > radius {
                low = alpha;
            } else {
                high = alpha;
            }
            let derivative: f64 = self
                .lambda
                .iter()
                .zip(&self.slope)
                .filter(|&(&l, _)| l + alpha > 0.0)
                .map(|(&l, &g)| g * g / (l + alpha).powi(3))
                .sum();
            let next = alpha + (size - radius) / radius * size * size / derivative;
            alpha = if next > low && next < high {
                next
            } else if low > 0.0 {
                (low * high).sqrt()
            } else {
                low + 0.01 * (high - low)
            };
            c = shifted(alpha);
        }
        // Never outside: the tolerance above is two-sided.
        let size = length(&c);
        if size > radius {
            for x in &mut c {
                *x *= radius / size;
            }
        }
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The optimality conditions: (B + alpha) c = -g with alpha >= 0, B + alpha >= 0 and |c| = radius where alpha > 0.
    #[test]
    fn steps_satisfy_the_optimality_conditions() {
        let cases = [
            (vec![1.0, 2.0, 3.0], vec![1.0, -1.0, 0.5], 10.0),
            (vec![1.0, 2.0, 3.0], vec![1.0, -1.0, 0.5], 0.1),
            (vec![-1.0, 2.0, 3.0], vec![1.0, -1.0, 0.5], 1.0),
            (vec![0.0, 2.0, 3.0], vec![1.0, -1.0, 0.5], 1.0),
            (vec![1e-12, 1e12], vec![1.0, 1.0], 1.0),
        ];
        for (lambda, slope, radius) in cases {
            let model = Model {
                lambda: lambda.clone(),
                slope: slope.clone(),
            };
            let c = model.minimize(radius);
            let size = c.iter().map(|x| x * x).sum::<f64>().sqrt();
            assert!(size <= radius * (1.0 + 1e-12), "{lambda:?}");
            let alphas: Vec<f64> = (0..c.len()).map(|i| -slope[i] / c[i] - lambda[i]).collect();
            let largest = lambda.iter().fold(0.0_f64, |a, l| a.max(l.abs()));
            if size < 0.99 * radius {
                assert!(alphas.iter().all(|a| a.abs() < 1e-12 * largest));
            } else {
                // the scaling back to the radius changes alpha by at most 1e-3 relative to lambda + alpha
                for (a, l) in alphas.iter().zip(&lambda) {
                    assert!(
                        (a - alphas[0]).abs() <= 3e-3 * (l + alphas[0]).abs(),
                        "{alphas:?}"
                    );
                    assert!(l + a > 0.0);
                }
            }
        }
    }

    #[test]
    fn the_hard_case_fills_the_region() {
        let model = Model {
            lambda: vec![-2.0, 1.0],
            slope: vec![0.0, 1.0],
        };
        let c = model.minimize(5.0);
        assert!((c[1] + 1.0 / 3.0).abs() < 1e-15);
        assert!((c[0].hypot(c[1]) - 5.0).abs() < 1e-14);
    }

    #[test]
    fn directions_without_slope_or_curvature_stay_put() {
        let model = Model {
            lambda: vec![0.0, 4.0],
            slope: vec![0.0, 2.0],
        };
        assert_eq!(model.minimize(1.0), vec![0.0, -0.5]);
    }
}
