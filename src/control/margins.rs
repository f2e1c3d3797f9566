//! Margins of a loop L closed by negative feedback, exact to rounding: frequencies are found between those of a grid and
//! polished, dead time and all.
//!
//! ```text
//! gain margins    1/|L| where L crosses the negative real axis
//! phase margin    the angle of -L where |L| = 1, the smallest
//! delay margin    the least such angle, counted from 0 to 2 pi, over its frequency
//! Ms, Mt          peaks of |S| = |1/(1 + L)| and of |T| = |L/(1 + L)|
//! disk margin     a = 1/max |(S - T)/2|: stable for gains from (2 - a)/(2 + a) to (2 + a)/(2 - a), and phases to 2 atan(a/2)
//! ```
//!
//! P. Seiler, A. Packard & P. Gahinet, An introduction to disk margins, IEEE Control Systems 40(5) (2020) 78-95,
//! doi 10.1109/MCS.2020.3005277.

use std::f64::consts::{PI, TAU};

use nalgebra::Complex;

use super::response::root;
use super::{Grid, StateSpace};

/// A frequency with the margin there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crossing {
    /// w, radians a unit of time
    pub frequency: f64,
    /// the margin
    pub value: f64,
}

/// The largest value of a function of the frequency, and where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// the value
    pub value: f64,
    /// w, radians a unit of time; 0 or infinite where it is the limit there
    pub frequency: f64,
}

/// An open loop with its response on a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Loop {
    /// L, for negative feedback: the closed loop is L/(1 + L)
    pub open: StateSpace,
    /// its response
    pub grid: Grid,
}

/// What margins there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margins {
    /// the least gain above 1 that brings the loop to the edge of stability
    pub gain: Option<Crossing>,
    /// the largest gain below 1 that does
    pub gain_reduction: Option<Crossing>,
    /// the smallest phase that does, radians, below 0 where lead does
    pub phase: Option<Crossing>,
    /// the least dead time that does
    pub delay: Option<Crossing>,
    /// Ms
    pub sensitivity: Option<Peak>,
    /// Mt
    pub complementary: Option<Peak>,
    /// a
    pub disk: Option<Peak>,
}

/// A margin as a function of L at a frequency, for its derivative by [`Loop::tangent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Critical {
    /// [`Margins::gain`] and [`Margins::gain_reduction`]
    Gain,
    /// [`Margins::phase`], radians
    Phase,
    /// [`Margins::delay`]
    Delay,
    /// Ms
    Sensitivity,
    /// Mt
    Complementary,
    /// a
    Disk,
    /// the frequency of [`Margins::phase`]
    Crossover,
    /// [`Loop::bandwidth`]
    Bandwidth,
}

/// The highest value of a function on a grid, polished by golden section between the neighbors of the highest point.
pub(super) fn peak(
    grid: &Grid,
    on_grid: impl Fn(f64, Complex<f64>) -> f64,
    value: impl Fn(f64) -> f64,
) -> Option<Peak> {
    let all: Vec<f64> = grid.points.iter().map(|&(w, g)| on_grid(w, g)).collect();
    let finite = (0..all.len()).filter(|&k| all[k].is_finite());
    // the highest three local peaks: the polished highest need not be the highest of the grid
    let mut peaks: Vec<usize> = finite
        .filter(|&k| {
            (k == 0 || all[k] >= all[k - 1]) && all.get(k + 1).is_none_or(|next| all[k] >= *next)
        })
        .collect();
    peaks.sort_by(|&i, &j| all[j].total_cmp(&all[i]));
    peaks.truncate(3);
    let ratio = (5f64.sqrt() - 1.0) / 2.0;
    peaks
        .into_iter()
        .map(|k| {
            let at = |k: usize| grid.points[k].0.ln();
            let (mut from, mut to) = (at(k.saturating_sub(1)), at((k + 1).min(all.len() - 1)));
            let mut best = Peak {
                value: all[k],
                frequency: grid.points[k].0,
            };
            let mut inner = [to - ratio * (to - from), from + ratio * (to - from)];
            let mut values = inner.map(|w| value(w.exp()));
            for _ in 0..80 {
                for (w, value) in inner.into_iter().zip(values) {
                    if value > best.value {
                        let frequency = w.exp();
                        best = Peak { value, frequency };
                    }
                }
                if values[0] > values[1] {
                    to = inner[1];
                    inner = [to - ratio * (to - from), inner[0]];
                    values = [value(inner[0].exp()), values[0]];
                } else {
                    from = inner[0];
                    inner = [inner[1], from + ratio * (to - from)];
                    values = [values[1], value(inner[1].exp())];
                }
            }
            best
        })
        .max_by(|a, b| a.value.total_cmp(&b.value))
}

impl Loop {
    /// An open loop, for negative feedback.
    pub fn new(open: StateSpace) -> Self {
        Self {
            grid: Grid::new(&open),
            open,
        }
    }

    /// Frequencies where |L| = 1.
    fn gain_crossovers(&self) -> Vec<f64> {
        let excess = |w: f64| self.open.response(w).norm().ln();
        self.changes(|g| g.norm() >= 1.0)
            .map(|(from, to)| root(from, to, excess))
            .collect()
    }

    /// Frequencies where L crosses the negative real axis.
    fn phase_crossovers(&self) -> Vec<f64> {
        let side = |w: f64| {
            let g = self.open.response(w);
            g.im / g.norm()
        };
        self.changes(|g| g.im >= 0.0)
            .map(|(from, to)| root(from, to, side))
            .filter(|&w| self.open.response(w).re < 0.0)
            .collect()
    }

    /// Neighbors on the grid that differ in something.
    fn changes(&self, of: impl Fn(Complex<f64>) -> bool) -> impl Iterator<Item = (f64, f64)> {
        self.grid
            .points
            .windows(2)
            .filter(move |pair| of(pair[0].1) != of(pair[1].1))
            .map(|pair| (pair[0].0, pair[1].0))
    }

    /// All margins.
    pub fn margins(&self) -> Margins {
        let gains: Vec<Crossing> = self
            .phase_crossovers()
            .into_iter()
            .map(|frequency| Crossing {
                frequency,
                value: 1.0 / self.open.response(frequency).norm(),
            })
            .collect();
        let phases: Vec<Crossing> = self
            .gain_crossovers()
            .into_iter()
            .map(|frequency| Crossing {
                frequency,
                value: (-self.open.response(frequency)).arg(),
            })
            .collect();
        let by = |a: &Crossing, b: &Crossing| a.value.total_cmp(&b.value);
        let delays = phases.iter().map(|phase| Crossing {
            value: phase.value.rem_euclid(TAU) / phase.frequency,
            ..*phase
        });
        let of = |kind: Critical| {
            let value = |w: f64| magnitude(kind, self.open.response(w));
            peak(&self.grid, |_, g| magnitude(kind, g), value)
        };
        Margins {
            gain: gains.iter().copied().filter(|g| g.value >= 1.0).min_by(by),
            gain_reduction: gains.iter().copied().filter(|g| g.value < 1.0).max_by(by),
            phase: phases
                .iter()
                .copied()
                .min_by(|a, b| a.value.abs().total_cmp(&b.value.abs())),
            delay: delays.min_by(by),
            sensitivity: of(Critical::Sensitivity),
            complementary: of(Critical::Complementary),
            disk: of(Critical::Disk).map(|peak| Peak {
                value: 1.0 / peak.value,
                ..peak
            }),
        }
    }

    /// L/(1 + L) at frequency 0.
    fn closed_at_rest(&self) -> f64 {
        let rest = self.open.dc_gain();
        if rest.is_infinite() {
            1.0
        } else {
            rest / (1.0 + rest)
        }
    }

    /// The lowest frequency at which |L/(1 + L)| is 1/sqrt 2 of what it is at 0, if it falls so far.
    pub fn bandwidth(&self) -> Option<f64> {
        let level = self.closed_at_rest().abs() / std::f64::consts::SQRT_2;
        if !(level.is_finite() && level > 0.0) {
            return None;
        }
        let above = |l: Complex<f64>| (l / (l + 1.0)).norm() >= level;
        let (from, to) = self.changes(above).next()?;
        Some(root(from, to, |w| {
            let l = self.open.response(w);
            ((l / (l + 1.0)).norm() / level).ln()
        }))
    }

    /// The derivative of a margin, found at `frequency`, where L changes by a tangent: the crossing moves with it, and at a
    /// peak the frequency's own movement does not count (envelope theorem).
    pub fn tangent(&self, kind: Critical, frequency: f64, change: &StateSpace) -> f64 {
        let [l, slope] = self.open.response_and_slope(frequency);
        let dl = self.open.response_tangent(frequency, change);
        let (own, along) = (dl / l, slope / l);
        match kind {
            Critical::Gain => {
                let moves = -own.im / along.im;
                -(own.re + along.re * moves) / l.norm()
            }
            Critical::Phase | Critical::Delay | Critical::Crossover => {
                let moves = -own.re / along.re;
                let turn = own.im + along.im * moves;
                let phase = (-l).arg();
                match kind {
                    Critical::Phase => turn,
                    Critical::Crossover => moves,
                    _ => turn / frequency - phase.rem_euclid(TAU) / (frequency * frequency) * moves,
                }
            }
            Critical::Bandwidth => {
                let closed = |l: Complex<f64>, dl: Complex<f64>| (dl / (l * (l + 1.0))).re;
                let rest = self.open.response(0.0);
                let at_rest = closed(rest, self.open.response_tangent(0.0, change));
                let at_rest = if at_rest.is_finite() { at_rest } else { 0.0 };
                (at_rest - closed(l, dl)) / closed(l, slope)
            }
            Critical::Sensitivity => -(dl / (l + 1.0)).re * magnitude(kind, l),
            Critical::Complementary => (own - dl / (l + 1.0)).re * magnitude(kind, l),
            Critical::Disk => {
                // a = 2 |1 + L|/|1 - L|
                (dl / (l + 1.0) + dl / (-l + 1.0)).re / magnitude(kind, l)
            }
        }
    }
}

/// What has a peak, of L.
fn magnitude(kind: Critical, l: Complex<f64>) -> f64 {
    match kind {
        Critical::Complementary => (l / (l + 1.0)).norm(),
        Critical::Disk => ((-l + 1.0) / (l + 1.0)).norm() / 2.0,
        _ => 1.0 / (l + 1.0).norm(),
    }
}

/// Radians in degrees.
pub fn degrees(radians: f64) -> f64 {
    radians * 180.0 / PI
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{DMatrix, DVector, RowDVector};

    /// b(s)/(s^n + a_1 s^(n-1) + ...)
    fn rational(numerator: &[f64], denominator: &[f64], dead_time: f64) -> StateSpace {
        let n = denominator.len();
        StateSpace {
            a: DMatrix::from_fn(n, n, |i, j| {
                if i + 1 == n {
                    -denominator[n - 1 - j]
                } else {
                    f64::from(u8::from(j == i + 1))
                }
            }),
            b: DVector::from_fn(n, |i, _| f64::from(u8::from(i + 1 == n))),
            c: RowDVector::from_fn(n, |_, j| {
                numerator
                    .len()
                    .checked_sub(j + 1)
                    .map_or(0.0, |k| numerator[k])
            }),
            d: 0.0,
            dead_time,
        }
    }

    /// L = exp(-theta s)/(2 theta s), whose margins are known: pi, pi/2 - 1/2, (pi - 1) theta (S. Skogestad, Simple analytic rules
    /// for model reduction and PID controller tuning, J. Process Control 13 (2003) 291-309); Ms by a fine grid.
    #[test]
    fn margins_of_an_integrator_with_dead_time() {
        for theta in [0.25, 1.0, 7.0] {
            let margins = Loop::new(rational(&[0.5 / theta], &[0.0], theta)).margins();
            let value = |c: Option<Crossing>| c.expect("a crossing").value;
            assert!((value(margins.gain) / PI - 1.0).abs() < 1e-12);
            assert!((degrees(value(margins.phase)) - 61.35211024345886).abs() < 1e-9);
            assert!((value(margins.delay) / theta - 2.141592653589793).abs() < 1e-10);
            let ms = margins.sensitivity.expect("a peak").value;
            assert!((ms - 1.5904902).abs() < 1e-7, "{ms}");
        }
    }

    /// Derivatives of every margin by the dead time and by the gain against central differences, whose error is of the order
    /// of step^2 and of rounding over the step: 1e-8.
    #[test]
    fn derivatives_of_margins_are_those_of_differences() {
        let system =
            |gain: f64, theta: f64| rational(&[gain * 1.3, gain], &[2.4, 1.9, 0.4, 0.0], theta);
        let (gain, theta, step) = (0.15, 0.3, 1e-5);
        let found = Loop::new(system(gain, theta));
        let margins = found.margins();
        let ways = [(1.0, 0.0), (0.0, 1.0)];
        for (by_gain, by_theta) in ways {
            let [after, before] = [step, -step]
                .map(|h| Loop::new(system(gain + h * by_gain, theta + h * by_theta)).margins());
            let zero = system(0.0, 0.0);
            let change = StateSpace {
                a: DMatrix::zeros(4, 4),
                b: DVector::zeros(4),
                c: system(1.0, 0.0).c * by_gain,
                d: 0.0,
                dead_time: by_theta,
            };
            assert_eq!(zero.c.norm(), 0.0);
            let crossing = |of: fn(&Margins) -> Option<Crossing>, kind| {
                let at = of(&margins).expect("a crossing").frequency;
                let differences = (of(&after).expect("after").value
                    - of(&before).expect("before").value)
                    / (2.0 * step);
                let tangent = found.tangent(kind, at, &change);
                assert!(
                    (tangent - differences).abs() < 1e-7 * (1.0 + differences.abs()),
                    "{kind:?}: {tangent} {differences}"
                );
            };
            let bandwidth =
                |of: &StateSpace| Loop::new(of.clone()).bandwidth().expect("a bandwidth");
            let differences = (bandwidth(&system(gain + step * by_gain, theta + step * by_theta))
                - bandwidth(&system(gain - step * by_gain, theta - step * by_theta)))
                / (2.0 * step);
            let tangent = found.tangent(Critical::Bandwidth, bandwidth(&found.open), &change);
            assert!((tangent - differences).abs() < 1e-6 * (1.0 + differences.abs()));
            crossing(|m| m.gain, Critical::Gain);
            crossing(|m| m.phase, Critical::Phase);
            crossing(|m| m.delay, Critical::Delay);
            let peak = |of: fn(&Margins) -> Option<Peak>, kind| {
                let at = of(&margins).expect("a peak").frequency;
                let differences = (of(&after).expect("after").value
                    - of(&before).expect("before").value)
                    / (2.0 * step);
                let tangent = found.tangent(kind, at, &change);
                // the frequency of a peak is known to the root of rounding
                assert!(
                    (tangent - differences).abs() < 1e-6 * (1.0 + differences.abs()),
                    "{kind:?}: {tangent} {differences}"
                );
            };
            peak(|m| m.sensitivity, Critical::Sensitivity);
            peak(|m| m.complementary, Critical::Complementary);
            peak(|m| m.disk, Critical::Disk);
        }
    }
}
