//! A step of Newton's method inside the box and the ball: projected steepest descent, then conjugate gradients among the free
//! variables. See [`super`].

use super::super::problem::EvaluationError;
use super::super::record::{dot, norm};
use super::super::reflection::leaves_ball;
use super::{Point, Run};

/// Part of the model's slope that a projected step must keep of it.
const ENOUGH: f64 = 0.01;
/// Most times that a projected step is shortened.
const SHORTENED: usize = 40;

/// A step s inside the box, with H s.
pub(super) struct Step {
    pub s: Vec<f64>,
    curved: Vec<f64>,
}

impl Step {
    /// q(s).
    pub fn model(&self, gradient: &[f64]) -> f64 {
        dot(gradient, &self.s) + 0.5 * dot(&self.s, &self.curved)
    }
}

/// How far each variable may move.
struct Room {
    below: Vec<f64>,
    above: Vec<f64>,
}

impl Room {
    /// Projects a step on the box; whether that changed it.
    fn clip(&self, s: &mut [f64]) -> bool {
        let mut clipped = false;
        for ((s, &below), &above) in s.iter_mut().zip(&self.below).zip(&self.above) {
            let inside = s.max(below).min(above);
            clipped |= inside != *s;
            *s = inside;
        }
        clipped
    }

    /// Whether a variable may go on from a step in the direction of `sign`.
    fn is_open(&self, i: usize, s: f64, sign: f64) -> bool {
        sign > 0.0 && s < self.above[i] || sign < 0.0 && s > self.below[i]
    }
}

impl Run<'_> {
    /// H v at a point.
    fn product(&mut self, at: &Point, v: &[f64]) -> Result<Vec<f64>, EvaluationError> {
        let mut product = vec![0.0; v.len()];
        self.record
            .hessian_product(self.problem, &at.theta, v, &mut product)?;
        Ok(product)
    }

    /// About the minimizer of q in the box and the ball.
    pub(super) fn step(
        &mut self,
        at: &Point,
        radius: f64,
        forcing: f64,
    ) -> Result<Step, EvaluationError> {
        let differences =
            |bounds: &[f64]| bounds.iter().zip(&at.theta).map(|(b, x)| b - x).collect();
        let room = Room {
            below: differences(&self.record.lower),
            above: differences(&self.record.upper),
        };
        let mut step = self.descent(at, &room, radius)?;
        let open = |g: f64, i: usize| room.is_open(i, 0.0, -g);
        let first = at.gradient.iter().enumerate();
        let first = norm(
            &first
                .filter(|&(i, &g)| open(g, i))
                .map(|(_, &g)| g)
                .collect::<Vec<_>>(),
        );
        // each pass but the last puts a variable on a bound
        for _ in 0..=at.theta.len() {
            if !self.improve(at, &room, radius, forcing * first, &mut step)? {
                break;
            }
        }
        Ok(step)
    }

    /// Steepest descent, projected on the box, as long as q falls enough.
    fn descent(&mut self, at: &Point, room: &Room, radius: f64) -> Result<Step, EvaluationError> {
        let gradient = &at.gradient;
        let downhill: Vec<f64> = (0..gradient.len())
            .map(|i| {
                if room.is_open(i, 0.0, -gradient[i]) {
                    -gradient[i]
                } else {
                    0.0
                }
            })
            .collect();
        let curved = self.product(at, &downhill)?;
        let (steepness, curvature) = (dot(&downhill, &downhill), dot(&downhill, &curved));
        let to_ball = radius / steepness.sqrt();
        let mut times = match curvature > 0.0 {
            true => (steepness / curvature).min(to_ball),
            false => to_ball,
        };
        let mut step = Step {
            s: vec![0.0; gradient.len()],
            curved: vec![0.0; gradient.len()],
        };
        if !times.is_finite() {
            return Ok(step);
        }
        for _ in 0..SHORTENED {
            step.s = downhill.iter().map(|d| times * d).collect();
            step.curved = match room.clip(&mut step.s) {
                true => self.product(at, &step.s)?,
                false => curved.iter().map(|c| times * c).collect(),
            };
            let enough = step.model(gradient) <= ENOUGH * dot(gradient, &step.s);
            if enough || self.record.exhausted(self.settings) {
                break;
            }
            times *= 0.25;
        }
        Ok(step)
    }

    /// Conjugate gradients among the variables that a step leaves free, projected on the box. `true`: a bound was met, and there
    /// may be more to gain.
    fn improve(
        &mut self,
        at: &Point,
        room: &Room,
        radius: f64,
        tolerance: f64,
        step: &mut Step,
    ) -> Result<bool, EvaluationError> {
        let m = at.theta.len();
        let free: Vec<bool> = (0..m)
            .map(|i| room.below[i] < step.s[i] && step.s[i] < room.above[i])
            .collect();
        let slopes: Vec<f64> = at
            .gradient
            .iter()
            .zip(&step.curved)
            .map(|(g, c)| g + c)
            .collect();
        let masked = |i: usize, value: f64| if free[i] { value } else { 0.0 };
        let mut residual: Vec<f64> = (0..m).map(|i| masked(i, -slopes[i])).collect();
        let mut squared = dot(&residual, &residual);
        if squared.sqrt() <= tolerance {
            return Ok(false);
        }
        let (mut w, mut curved) = (vec![0.0; m], vec![0.0; m]);
        let mut direction = residual.clone();
        let mut at_surface = false;
        let count = free.iter().filter(|free| **free).count();
        for _ in 0..2 * count {
            if self.record.exhausted(self.settings) {
                at_surface = true;
                break;
            }
            let product = self.product(at, &direction)?;
            let curvature = dot(&direction, &product);
            let reached: Vec<f64> = step.s.iter().zip(&w).map(|(s, w)| s + w).collect();
            let surface = leaves_ball(
                dot(&direction, &direction),
                dot(&reached, &direction),
                dot(&reached, &reached) - radius * radius,
            );
            let mut times = squared / curvature;
            if curvature <= 0.0 || times >= surface {
                (times, at_surface) = (surface, true);
            }
            add(&mut w, times, &direction);
            add(&mut curved, times, &product);
            if at_surface {
                break;
            }
            for (i, (r, p)) in residual.iter_mut().zip(&product).enumerate() {
                *r -= masked(i, times * p);
            }
            let next = dot(&residual, &residual);
            if next.sqrt() <= tolerance {
                break;
            }
            for (d, r) in direction.iter_mut().zip(&residual) {
                *d = r + next / squared * *d;
            }
            squared = next;
        }
        let mut part = 1.0;
        for _ in 0..SHORTENED {
            let mut s: Vec<f64> = step.s.iter().zip(&w).map(|(s, w)| s + part * w).collect();
            let clipped = room.clip(&mut s);
            let moved: Vec<f64> = s.iter().zip(&step.s).map(|(new, old)| new - old).collect();
            let change = match clipped {
                true => self.product(at, &moved)?,
                false => curved.iter().map(|c| part * c).collect(),
            };
            let slope = dot(&slopes, &moved);
            if slope + 0.5 * dot(&moved, &change) <= ENOUGH * slope.min(0.0) {
                step.s = s;
                add(&mut step.curved, 1.0, &change);
                return Ok(clipped && !at_surface);
            }
            part *= 0.5;
        }
        Ok(false)
    }
}

/// to += factor * more
fn add(to: &mut [f64], factor: f64, more: &[f64]) {
    for (to, more) in to.iter_mut().zip(more) {
        *to += factor * more;
    }
}
