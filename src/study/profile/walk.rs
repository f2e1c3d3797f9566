//! One walk along a profile: from the optimum in one direction, until the objective has risen by the threshold or
//! there is nowhere to go.
//!
//! With g(c) = min over the other parameters of f at theta_i = c, each step is chosen so that g should rise by a tenth
//! of the threshold: the s > 0 with
//!
//! ```text
//! |g'| s + k s^2 / 2 = threshold / 10,     k = change of g' over the last step (at the optimum: 1 / (F^-1)_ii)
//! ```
//!
//! and the others start where the polynomial through the last three points of the path puts them (at the optimum: where
//! the tangent F_oo^-1 F_oi does). The point where g crosses the threshold is found by cubic Hermite interpolation between
//! bracketing points, whose slopes are exact (Raue et al. 2009, doi 10.1093/bioinformatics/btp358, describe the method,
//! with fixed guesses of the next point).

use std::sync::atomic::AtomicBool;

use super::held::{Held, NoNode, Node};
use crate::optimize::Settings;

/// Part of the threshold that a step should climb.
const CLIMB: f64 = 0.1;
/// A step that climbs more than this many times as much is made again, smaller.
const TOO_HIGH: f64 = 3.0;
/// Most points of a walk.
const MOST_POINTS: usize = 200;
/// Most tries at a step that fails or climbs too high.
const MOST_TRIES: usize = 12;
/// An end of the interval is found to this part of its distance from the optimum.
const END_TOLERANCE: f64 = 1e-7;
const MOST_REFINEMENTS: usize = 40;

/// What a walk is given.
pub(super) struct Course<'c> {
    /// the parameter, by its place among those fitted
    pub parameter: usize,
    /// 1 or -1
    pub direction: f64,
    /// where it starts: the optimum
    pub origin: &'c Node,
    /// d theta / d theta_i along the profile there
    pub tangent: &'c [f64],
    /// second derivative of the profile there, to first order; 0 where the Fisher information is singular
    pub curvature: f64,
    /// how far the objective has to rise
    pub threshold: f64,
    /// a point lower than the optimum by more than this is a better one
    pub tolerance: f64,
    /// where the walk has to end
    pub limit: f64,
    /// longest step
    pub longest: f64,
}

/// How a walk ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum WalkEnd {
    /// the objective crosses the threshold here
    Crossed(Node),
    /// it does not before the limit
    Limit,
    /// the walk did not come as far as the limit within the number of points it is given
    Tired,
    /// nothing can be computed further on, and why
    Failed(String),
    /// a lower objective than at the optimum
    Better(Vec<f64>),
    /// the user ended it
    Interrupted,
}

/// A walk's points, in order, without the optimum, and its end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Walk {
    pub nodes: Vec<Node>,
    pub end: WalkEnd,
}

impl Course<'_> {
    /// Walks.
    pub fn walk(&self, problem: &mut Held<'_, '_>, settings: &Settings, stop: &AtomicBool) -> Walk {
        let i = self.parameter;
        let target = self.origin.value + self.threshold;
        let mut nodes: Vec<Node> = Vec::new();
        let mut curvature = self.curvature;
        let mut previous_step = f64::INFINITY;
        let end = loop {
            let here = nodes.last().unwrap_or(self.origin);
            let from = here.theta[i];
            if (self.limit - from) * self.direction <= 0.0 {
                break WalkEnd::Limit;
            }
            if nodes.len() >= MOST_POINTS {
                break WalkEnd::Tired;
            }
            let slope = here.slope * self.direction;
            let mut step = self
                .step(slope, curvature)
                .min(self.longest)
                .min(2.0 * previous_step);
            let mut tries = 0;
            let reached = loop {
                tries += 1;
                let mut to = from + self.direction * step;
                // a hair of a step before the limit would be lost to rounding
                if (self.limit - to) * self.direction < 1e-3 * step {
                    to = self.limit;
                }
                if to == from {
                    break Err(NoNode::Failed("steps became too small".into()));
                }
                let guess = self.guess(&nodes, to);
                match problem.minimize(i, to, &guess, settings, stop) {
                    Ok(node)
                        if node.value - here.value > TOO_HIGH * CLIMB * self.threshold
                            && tries < MOST_TRIES =>
                    {
                        step = 0.5 * (to - from).abs();
                    }
                    Ok(node) => break Ok(node),
                    Err(NoNode::Failed(_)) if tries < MOST_TRIES => {
                        step = 0.25 * (to - from).abs();
                    }
                    Err(error) => break Err(error),
                }
            };
            match reached {
                Ok(node) => {
                    if node.value < self.origin.value - self.tolerance {
                        break WalkEnd::Better(node.theta);
                    }
                    let length = (node.theta[i] - from) * self.direction;
                    curvature = (node.slope - here.slope) * self.direction / length;
                    previous_step = length;
                    let crossed = node.value >= target;
                    let low = here.clone();
                    nodes.push(node.clone());
                    if crossed {
                        break self.refine(problem, low, node, target, settings, stop);
                    }
                }
                Err(NoNode::Interrupted) => break WalkEnd::Interrupted,
                Err(NoNode::Failed(reason)) => break WalkEnd::Failed(reason),
            }
        };
        Walk { nodes, end }
    }

    /// The length that should climb as much as wanted, infinite on a flat profile.
    fn step(&self, slope: f64, curvature: f64) -> f64 {
        let climb = CLIMB * self.threshold;
        let slope = slope.max(0.0);
        let curvature = curvature.max(0.0);
        // the root of |g'| s + k s^2 / 2 = climb in the form that loses nothing
        2.0 * climb / (slope + (slope * slope + 2.0 * curvature * climb).sqrt())
    }

    /// The path continued to `to`: by the tangent at the optimum, later by the polynomial through the last points.
    fn guess(&self, nodes: &[Node], to: f64) -> Vec<f64> {
        let i = self.parameter;
        let Some((last, before)) = nodes.split_last() else {
            let from = &self.origin.theta;
            return from
                .iter()
                .zip(self.tangent)
                .map(|(theta, slope)| theta + slope * (to - from[i]))
                .collect();
        };
        let mut points: Vec<&Node> = vec![last];
        points.extend(before.iter().rev().take(2));
        if points.len() < 3 {
            points.push(self.origin);
        }
        let weights: Vec<f64> = (0..points.len())
            .map(|a| {
                let others = (0..points.len()).filter(|&b| b != a);
                others
                    .map(|b| (to - points[b].theta[i]) / (points[a].theta[i] - points[b].theta[i]))
                    .product()
            })
            .collect();
        (0..last.theta.len())
            .map(|j| {
                let terms = weights.iter().zip(&points).map(|(w, p)| w * p.theta[j]);
                terms.sum()
            })
            .collect()
    }

    /// Where the profile crosses `target` between `low`, which is below, and `high`, which is not.
    fn refine(
        &self,
        problem: &mut Held<'_, '_>,
        mut low: Node,
        mut high: Node,
        target: f64,
        settings: &Settings,
        stop: &AtomicBool,
    ) -> WalkEnd {
        let i = self.parameter;
        for _ in 0..MOST_REFINEMENTS {
            let (a, b) = (low.theta[i], high.theta[i]);
            let tolerance = END_TOLERANCE * (b - self.origin.theta[i]).abs();
            if (b - a).abs() <= tolerance {
                break;
            }
            let c = hermite_root(&low, &high, i, target);
            let s = (c - a) / (b - a);
            let guess: Vec<f64> = low
                .theta
                .iter()
                .zip(&high.theta)
                .map(|(l, h)| l + s * (h - l))
                .collect();
            let node = match problem.minimize(i, c, &guess, settings, stop) {
                Ok(node) => node,
                Err(NoNode::Interrupted) => return WalkEnd::Interrupted,
                Err(NoNode::Failed(reason)) => return WalkEnd::Failed(reason),
            };
            if node.value < self.origin.value - self.tolerance {
                return WalkEnd::Better(node.theta);
            }
            let miss = node.value - target;
            if miss.abs() <= tolerance * node.slope.abs() {
                return WalkEnd::Crossed(node);
            }
            if miss < 0.0 {
                low = node;
            } else {
                high = node;
            }
        }
        WalkEnd::Crossed(high)
    }
}

/// The cubic with these values and slopes (with respect to s) at s = 0 and s = 1.
pub(super) fn cubic(values: [f64; 2], slopes: [f64; 2], s: f64) -> f64 {
    let r = 1.0 - s;
    values[0] * (1.0 + 2.0 * s) * r * r
        + values[1] * s * s * (3.0 - 2.0 * s)
        + slopes[0] * s * r * r
        - slopes[1] * s * s * r
}

/// Where the cubic with the values and slopes of two nodes takes the value `target`, inside the middle 99 % of the way.
fn hermite_root(low: &Node, high: &Node, i: usize, target: f64) -> f64 {
    let (a, h) = (low.theta[i], high.theta[i] - low.theta[i]);
    let off = |s: f64| {
        let slopes = [h * low.slope, h * high.slope];
        cubic([low.value, high.value], slopes, s) - target
    };
    let (mut from, mut to) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (from + to);
        if off(middle) < 0.0 {
            from = middle;
        } else {
            to = middle;
        }
    }
    // Never an end again: where noise hides the crossing, the bracket still shrinks.
    a + h * (0.5 * (from + to)).clamp(0.005, 0.995)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cubic_is_crossed_where_it_is() {
        // f = c^3 + c over [1, 2]: 2 and 10 with slopes 4 and 13; f = 5 at 1.515980227692841 (bisection by hand of c^3 + c = 5).
        let node = |c: f64| Node {
            theta: vec![c],
            value: c * c * c + c,
            slope: 3.0 * c * c + 1.0,
        };
        let root = hermite_root(&node(1.0), &node(2.0), 0, 5.0);
        assert!((root * root * root + root - 5.0).abs() < 1e-12, "{root}");
        assert!((root - 1.515_980_227_692_841).abs() < 1e-12, "{root}");
    }
}
