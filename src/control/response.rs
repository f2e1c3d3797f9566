//! Frequency response: G(i w), its slope in w, and frequencies close enough that nothing happens between two.

use nalgebra::{Complex, DMatrix, DVector};

use super::StateSpace;

/// Farthest beyond the lowest and the highest corner that is looked at.
const BEYOND: f64 = 1e3;
/// Frequencies a decade before refinement.
const A_DECADE: f64 = 40.0;
/// Most turn of G between two frequencies, radians, and most change of ln |G|.
const TURN: f64 = 0.2;
const CHANGE: f64 = 0.5;
const MOST_POINTS: usize = 20_000;
const MOST_HALVINGS: usize = 40;

/// x = (s - A)^-1 b, and s - A.
type Resolvent = (DVector<Complex<f64>>, DMatrix<Complex<f64>>);

impl StateSpace {
    fn resolvent(&self, s: Complex<f64>) -> Option<Resolvent> {
        let n = self.a.nrows();
        let matrix = DMatrix::from_fn(n, n, |i, j| {
            let own = if i == j { s } else { Complex::new(0.0, 0.0) };
            own - self.a[(i, j)]
        });
        let b = self.b.map(|v| Complex::new(v, 0.0));
        let x = matrix.clone().lu().solve(&b)?;
        Some((x, matrix))
    }

    /// G(i w), dead time and all; NaN at a pole.
    pub fn response(&self, w: f64) -> Complex<f64> {
        let s = Complex::new(0.0, w);
        let delay = (-s * self.dead_time).exp();
        let Some((x, _)) = self.resolvent(s) else {
            return Complex::new(f64::NAN, f64::NAN);
        };
        let sum: Complex<f64> = self.c.iter().zip(x.iter()).map(|(c, x)| x * *c).sum();
        (sum + self.d) * delay
    }

    /// G(i w) and d G(i w)/d w.
    pub fn response_and_slope(&self, w: f64) -> [Complex<f64>; 2] {
        let s = Complex::new(0.0, w);
        let delay = (-s * self.dead_time).exp();
        let nothing = [Complex::new(f64::NAN, f64::NAN); 2];
        let Some((x, matrix)) = self.resolvent(s) else {
            return nothing;
        };
        let Some(z) = matrix.lu().solve(&x) else {
            return nothing;
        };
        let along = |v: &DVector<Complex<f64>>| -> Complex<f64> {
            self.c.iter().zip(v.iter()).map(|(c, x)| x * *c).sum()
        };
        let value = along(&x) + self.d;
        // d/ds (s - A)^-1 b = -(s - A)^-2 b
        let slope = -along(&z) - value * self.dead_time;
        [value * delay, slope * delay * Complex::i()]
    }

    /// The change of G(i w) where A, b, c, d and the dead time change so: a tangent.
    pub fn response_tangent(&self, w: f64, change: &Self) -> Complex<f64> {
        let s = Complex::new(0.0, w);
        let delay = (-s * self.dead_time).exp();
        let Some((x, matrix)) = self.resolvent(s) else {
            return Complex::new(f64::NAN, f64::NAN);
        };
        let forced = DVector::from_fn(x.len(), |i, _| {
            let row: Complex<f64> = (0..x.len()).map(|j| x[j] * change.a[(i, j)]).sum();
            row + change.b[i]
        });
        let Some(dx) = matrix.lu().solve(&forced) else {
            return Complex::new(f64::NAN, f64::NAN);
        };
        let mut value = Complex::new(self.d, 0.0);
        let mut sum = Complex::new(change.d, 0.0);
        for k in 0..x.len() {
            value += x[k] * self.c[k];
            sum += dx[k] * self.c[k] + x[k] * change.c[k];
        }
        (sum - value * s * change.dead_time) * delay
    }
}

/// Frequencies with the response there, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// w, in radians a unit of time, and G(i w)
    pub points: Vec<(f64, Complex<f64>)>,
}

impl Grid {
    /// Frequencies from far below the lowest corner of G to far above the highest, so close that G turns and grows little
    /// between two.
    pub fn new(system: &StateSpace) -> Self {
        let corners: Vec<Complex<f64>> = system.poles().into_iter().chain(system.zeros()).collect();
        let largest = corners.iter().map(|p| p.norm()).fold(0.0, f64::max);
        let delay = (system.dead_time > 0.0).then(|| 1.0 / system.dead_time);
        let sizes = corners
            .iter()
            .map(|p| p.norm())
            .filter(|size| *size > 1e-9 * largest)
            .chain(delay);
        let sizes: Vec<f64> = sizes.filter(|size| size.is_finite()).collect();
        let lowest = sizes.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = sizes.iter().copied().fold(0.0, f64::max);
        let (lowest, highest) = if highest > 0.0 {
            (lowest, highest)
        } else {
            (1.0, 1.0)
        };
        let (low, high) = ((lowest / BEYOND).ln(), (highest * BEYOND).ln());
        let count = ((high - low) / std::f64::consts::LN_10 * A_DECADE)
            .ceil()
            .min(4000.0);
        let count = count as usize + 1;
        let mut all: Vec<f64> = (0..=count)
            .map(|k| (low + (high - low) * k as f64 / count as f64).exp())
            .collect();
        // resonances are as narrow as their poles are near the axis
        for corner in corners.iter().filter(|corner| corner.im > 0.0) {
            let width = corner.re.abs().max(1e-12 * corner.im);
            for k in -8..=8 {
                all.push(corner.im + f64::from(k) * width / 4.0);
            }
        }
        all.retain(|w| w.is_finite() && *w > 0.0);
        all.sort_by(f64::total_cmp);
        all.dedup();
        let mut points: Vec<(f64, Complex<f64>)> = Vec::new();
        for w in all {
            let value = system.response(w);
            if let Some(&before) = points.last() {
                refine(system, before, (w, value), MOST_HALVINGS, &mut points);
            }
            points.push((w, value));
        }
        points.retain(|(_, value)| value.re.is_finite() && value.im.is_finite());
        Self { points }
    }
}

/// Adds points between two where G turns or changes much from the one to the other.
fn refine(
    system: &StateSpace,
    from: (f64, Complex<f64>),
    to: (f64, Complex<f64>),
    halvings: usize,
    points: &mut Vec<(f64, Complex<f64>)>,
) {
    let ratio = to.1 / from.1;
    let calm = ratio.arg().abs() < TURN && ratio.norm().ln().abs() < CHANGE;
    if calm || !ratio.re.is_finite() || halvings == 0 || points.len() >= MOST_POINTS {
        return;
    }
    let w = (from.0 * to.0).sqrt();
    if w <= from.0 || w >= to.0 {
        return;
    }
    let middle = (w, system.response(w));
    refine(system, from, middle, halvings - 1, points);
    points.push(middle);
    refine(system, middle, to, halvings - 1, points);
}

/// The zero of a function of the frequency between two of them, by halving their logarithms to rounding.
pub(super) fn root(mut from: f64, mut to: f64, value: impl Fn(f64) -> f64) -> f64 {
    let below = value(from) < 0.0;
    for _ in 0..200 {
        let middle = (from * to).sqrt();
        if middle <= from || middle >= to {
            break;
        }
        if (value(middle) < 0.0) == below {
            from = middle;
        } else {
            to = middle;
        }
    }
    // the nearer of the two ends
    if value(from).abs() < value(to).abs() {
        from
    } else {
        to
    }
}

/// The lowest frequency at which |G| is 1/sqrt 2 of |G(0)|; `None` where it never is, or G(0) is 0 or infinite.
pub fn bandwidth(system: &StateSpace) -> Option<f64> {
    let rest = system.dc_gain().abs();
    if !(rest.is_finite() && rest > 0.0) {
        return None;
    }
    let level = rest / std::f64::consts::SQRT_2;
    let grid = Grid::new(system);
    let excess = |w: f64| (system.response(w).norm() / level).ln();
    let place = grid
        .points
        .windows(2)
        .find(|pair| pair[0].1.norm() >= level && pair[1].1.norm() < level)?;
    Some(root(place[0].0, place[1].0, excess))
}
