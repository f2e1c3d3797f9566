//! From two walks to a profile: its points, the ends of its interval, and what they come to.

use super::held::Node;
use super::optimum::Optimum;
use super::result::{IntervalEnd, Profile, ProfilePoint, Verdict};
use super::walk::{Walk, WalkEnd};
use crate::scenario::{Parameter, Scale};
use crate::study::identifiability::Identifiability;
use crate::study::scaling;

/// A rise below this part of the threshold is flat.
const FLAT: f64 = 1e-4;

/// What is known when all walks are done.
pub(super) struct Found<'f> {
    pub parameter: usize,
    pub fitted: &'f [&'f Parameter],
    pub bounds: &'f [[f64; 2]],
    pub optimum: &'f Optimum,
    pub local: &'f Identifiability,
    pub threshold: f64,
    pub quantile: f64,
}

impl Found<'_> {
    pub fn profile(&self, down: &Walk, up: &Walk) -> Profile {
        let i = self.parameter;
        let parameter = self.fitted[i];
        let crossing = |walk: &Walk| match &walk.end {
            WalkEnd::Crossed(node) => Some(node.clone()),
            _ => None,
        };
        let mut nodes: Vec<Node> = down.nodes.iter().chain(&up.nodes).cloned().collect();
        nodes.extend([down, up].into_iter().filter_map(crossing));
        nodes.push(self.optimum.node(i));
        nodes.sort_by(|a, b| a.theta[i].total_cmp(&b.theta[i]));
        nodes.dedup_by(|a, b| a.theta[i] == b.theta[i]);
        let (low, high) = (self.end(down, 0), self.end(up, 1));
        let error = self
            .local
            .scaled_error(i, parameter, self.natural(i, self.optimum.theta[i]));
        let wald = error.map(|e| {
            let at = self.optimum.theta[i];
            [-1.0, 1.0].map(|side| {
                let end = at + side * self.quantile * e;
                scaling::to_natural(parameter, end)
            })
        });
        // the parabola that rises by the threshold at the ends of that interval
        let curvature = error.map_or(0.0, |e| 2.0 * self.threshold / (self.quantile * e).powi(2));
        let verdict = match (&low, &high) {
            (IntervalEnd::Unknown, _) | (_, IntervalEnd::Unknown) => Verdict::Unknown,
            _ if self.structural([down, up]) => Verdict::StructurallyNot,
            (IntervalEnd::At(_), IntervalEnd::At(_)) => Verdict::Identifiable,
            _ => Verdict::PracticallyNot,
        };
        Profile {
            parameter: i,
            points: nodes.iter().map(|node| self.point(node)).collect(),
            low,
            high,
            wald,
            curvature,
            verdict,
        }
    }

    fn natural(&self, j: usize, q: f64) -> f64 {
        scaling::to_natural(self.fitted[j], q)
    }

    fn point(&self, node: &Node) -> ProfilePoint {
        let i = self.parameter;
        ProfilePoint {
            value: self.natural(i, node.theta[i]),
            scaled: node.theta[i],
            objective: node.value,
            slope: node.slope,
            parameters: (0..node.theta.len())
                .map(|j| self.natural(j, node.theta[j]))
                .collect(),
        }
    }

    fn end(&self, walk: &Walk, side: usize) -> IntervalEnd {
        let i = self.parameter;
        let last = || {
            let node = walk.nodes.last();
            self.natural(i, node.map_or(self.optimum.theta[i], |n| n.theta[i]))
        };
        match &walk.end {
            WalkEnd::Crossed(node) => IntervalEnd::At(self.natural(i, node.theta[i])),
            WalkEnd::Limit => {
                let bound = self.fitted[i].bounds[side];
                let meets = self.bounds[i][side].is_finite()
                    || matches!(self.fitted[i].scale, Scale::Logit);
                if meets {
                    IntervalEnd::Bound(bound)
                } else {
                    IntervalEnd::Beyond(last())
                }
            }
            WalkEnd::Tired => IntervalEnd::Beyond(last()),
            WalkEnd::Failed(reason) => IntervalEnd::Failed {
                last: last(),
                reason: reason.clone(),
            },
            // the last restart allowed: what was found so far is no end
            WalkEnd::Better(_) => IntervalEnd::Failed {
                last: last(),
                reason: "a better optimum was met again and again".into(),
            },
            WalkEnd::Interrupted => IntervalEnd::Unknown,
        }
    }

    /// Whether the parameter is part of an open direction and its profile is flat until a bound of another one, which would
    /// hold it for no reason of the data's, is met.
    fn structural(&self, walks: [&Walk; 2]) -> bool {
        let i = self.parameter;
        let open = self.local.open.iter().any(|o| o.parameters.contains(&i));
        if !open {
            return false;
        }
        let at_bound = |theta: &[f64]| {
            (0..theta.len()).any(|j| {
                let [lower, upper] = self.bounds[j];
                let near = |b: f64| (theta[j] - b).abs() <= 1e-6 * b.abs().max(1.0);
                j != i && !self.optimum.held[j] && (near(lower) || near(upper))
            })
        };
        walks.iter().all(|walk| {
            let free = walk.nodes.iter().take_while(|node| !at_bound(&node.theta));
            free.fold(0.0_f64, |rise, node| {
                rise.max(node.value - self.optimum.value)
            }) <= FLAT * self.threshold
        })
    }
}
