//! Enhanced scatter search: a small population that is combined, followed where it improves, and polished by local searches (Egea,
//! Marti & Banga, An evolutionary method for complex-process optimization, Comput. Oper. Res. 37, 2010,
//! doi 10.1016/j.cor.2009.05.003).
//!
//! The reference set holds b points, b (b - 1) >= 10 m: at first the better half of 10 m spread points, and others at random.
//! Each round,
//!
//! 1. every member x_i is combined with every other x_j, a child for each pair, uniform in a box beside x_i that lies towards the
//!    better of the two and is the narrower the closer their ranks are;
//! 2. the best child of x_i takes its place where it is lower, and as long as it is, a further child is drawn beyond it, in the
//!    direction of the improvement, in boxes that grow (go-beyond);
//! 3. local searches go from some points, those first that are low and far from the searches before, in equal parts;
//!    what they find joins the set in place of the worst member;
//! 4. a member that no child has improved for many rounds, and one that has come onto another, is drawn anew.
//!
//! It ends when the evaluations, those of the local searches included, have used the budget. All draws are ChaCha8 by round and
//! member, and the number of local searches a round is fixed, so the answer depends neither on the order of work nor on threads.

use std::sync::atomic::{AtomicBool, Ordering};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::multi_start::StartResult;
use super::outcome::Outcome;
use super::problem::{EvaluationError, Problem};
use super::starts::{Sampling, spread, uniform};

/// Local searches a round.
const LOCAL: usize = 2;
/// Rounds between them, once the first have been made.
const PAUSE: usize = 3;
/// Rounds without a better child after which a member is drawn anew.
const PATIENCE: usize = 20;
/// Distance, as a part of the box in its widest direction, below which two points are one.
const SAME: f64 = 1e-3;
/// Most steps beyond a better child.
const BEYOND: usize = 12;

/// What a search may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// evaluations of the objective, those of local searches included: no new work begins beyond
    pub evaluations: usize,
    /// seed of all draws
    pub seed: u64,
}

/// What became of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// the local searches in order
    pub searches: Vec<StartResult>,
    /// evaluations outside them
    pub evaluations: usize,
    /// rounds
    pub rounds: usize,
}

#[derive(Debug, Clone)]
struct Member {
    theta: Vec<f64>,
    value: f64,
    stuck: usize,
}

/// Searches the box [lower, upper] (all bounds finite) from the points of `first` and spread ones. `problem` makes what values are
/// asked of, one a thread; `local` searches from a point, told its number.
pub fn scatter_search<P, M, L>(
    problem: M,
    local: L,
    (lower, upper): (&[f64], &[f64]),
    first: &[Vec<f64>],
    budget: Budget,
    interrupted: &AtomicBool,
) -> Found
where
    P: Problem,
    M: Fn() -> Option<P> + Sync + Send,
    L: Fn(usize, &[f64]) -> Result<Outcome, EvaluationError> + Sync,
{
    let m = lower.len();
    let mut size = 6;
    while size * (size - 1) < 10 * m {
        size += 2;
    }
    let mut search = Search {
        problem,
        bounds: (lower, upper),
        budget,
        interrupted,
        members: Vec::new(),
        found: Found {
            searches: Vec::new(),
            evaluations: 0,
            rounds: 0,
        },
    };
    search.begin(first, size);
    while !search.is_over() {
        search.round(&local);
    }
    search.found
}

struct Search<'a, M> {
    problem: M,
    bounds: (&'a [f64], &'a [f64]),
    budget: Budget,
    interrupted: &'a AtomicBool,
    members: Vec<Member>,
    found: Found,
}

impl<P, M> Search<'_, M>
where
    P: Problem,
    M: Fn() -> Option<P> + Sync + Send,
{
    fn is_over(&self) -> bool {
        let local: usize = self.found.searches.iter().map(evaluations).sum();
        self.interrupted.load(Ordering::Relaxed)
            || self.found.evaluations + local >= self.budget.evaluations
    }

    fn random(&self, number: usize) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.budget.seed);
        // streams below 2^33 belong to the spread points
        random.set_stream((1 << 40) + ((self.found.rounds as u64) << 16) + number as u64);
        random
    }

    fn values(&mut self, points: &[Vec<f64>]) -> Vec<f64> {
        self.found.evaluations += points.len();
        let stop = self.interrupted;
        points
            .par_iter()
            .with_max_len(1)
            .map_init(&self.problem, |problem, theta| match problem {
                Some(problem) if !stop.load(Ordering::Relaxed) => value(problem, theta),
                _ => f64::INFINITY,
            })
            .collect()
    }

    fn begin(&mut self, first: &[Vec<f64>], size: usize) {
        let (lower, upper) = self.bounds;
        let count = (10 * lower.len()).max(2 * size);
        let mut points = first.to_vec();
        points.extend(
            spread(
                Sampling::LatinHypercube,
                lower,
                self.bounds,
                count + 1,
                self.budget.seed,
            )
            .into_iter()
            .skip(1),
        );
        let values = self.values(&points);
        let mut all: Vec<Member> = points
            .into_iter()
            .zip(values)
            .map(|(theta, value)| Member {
                theta: theta
                    .iter()
                    .zip(lower)
                    .zip(upper)
                    .map(|((x, l), u)| x.max(*l).min(*u))
                    .collect(),
                value,
                stuck: 0,
            })
            .collect();
        sort(&mut all);
        let mut rest = all.split_off((size / 2).min(all.len()));
        let mut random = self.random(0);
        while all.len() < size && !rest.is_empty() {
            let pick = (uniform(&mut random) * rest.len() as f64) as usize;
            all.push(rest.remove(pick.min(rest.len() - 1)));
        }
        sort(&mut all);
        self.members = all;
    }

    fn round<L>(&mut self, local: &L)
    where
        L: Fn(usize, &[f64]) -> Result<Outcome, EvaluationError> + Sync,
    {
        self.found.rounds += 1;
        let size = self.members.len();
        let mut children = Vec::with_capacity(size * (size - 1));
        for i in 0..size {
            let mut random = self.random(i);
            children.extend(
                (0..size)
                    .filter(|&j| j != i)
                    .map(|j| self.child(i, j, &mut random)),
            );
        }
        let values = self.values(&children);
        let best_of = |i: usize| {
            let own = i * (size - 1)..(i + 1) * (size - 1);
            own.min_by(|&a, &b| values[a].total_cmp(&values[b]))
        };
        let better: Vec<Option<(Vec<f64>, f64)>> = (0..size)
            .map(|i| {
                let k = best_of(i)?;
                (values[k] < self.members[i].value).then(|| (children[k].clone(), values[k]))
            })
            .collect();
        let followed: Vec<Option<(Member, usize)>> = {
            let this = &*self;
            (0..size)
                .into_par_iter()
                .with_max_len(1)
                .map_init(&this.problem, |problem, i| {
                    let (theta, value) = better[i].clone()?;
                    Some(this.beyond(problem.as_mut(), i, theta, value))
                })
                .collect()
        };
        for (member, followed) in self.members.iter_mut().zip(followed) {
            match followed {
                Some((improved, evaluations)) => {
                    self.found.evaluations += evaluations;
                    *member = improved;
                }
                None => member.stuck += 1,
            }
        }
        if (self.found.rounds - 1).is_multiple_of(PAUSE) && !self.is_over() {
            self.polish(children, values, local);
        }
        self.renew();
        sort(&mut self.members);
    }

    /// A child of members i and j, in the box of i.
    fn child(&self, i: usize, j: usize, random: &mut ChaCha8Rng) -> Vec<f64> {
        let (lower, upper) = self.bounds;
        let size = self.members.len();
        let sign = if i < j { 1.0 } else { -1.0 };
        let apart = (i.abs_diff(j) - 1) as f64 / (size.max(3) - 2) as f64;
        let (x, y) = (&self.members[i].theta, &self.members[j].theta);
        (0..x.len())
            .map(|k| {
                let half = 0.5 * (y[k] - x[k]);
                let from = x[k] - half * (1.0 + sign * apart);
                let to = x[k] + half * (1.0 - sign * apart);
                (from + (to - from) * uniform(random))
                    .max(lower[k])
                    .min(upper[k])
            })
            .collect()
    }

    /// Further children beyond a better one, as long as each is better than the last.
    fn beyond(
        &self,
        problem: Option<&mut P>,
        i: usize,
        theta: Vec<f64>,
        found: f64,
    ) -> (Member, usize) {
        let (lower, upper) = self.bounds;
        let mut random = self.random(self.members.len() + i);
        let mut parent = self.members[i].theta.clone();
        let mut best = Member {
            theta,
            value: found,
            stuck: 0,
        };
        let (mut length, mut evaluations) = (1.0, 0);
        let Some(problem) = problem else {
            return (best, 0);
        };
        for step in 1..=BEYOND {
            if self.interrupted.load(Ordering::Relaxed) {
                break;
            }
            let child: Vec<f64> = (0..parent.len())
                .map(|k| {
                    let reach = length * (best.theta[k] - parent[k]);
                    (best.theta[k] + reach * uniform(&mut random))
                        .max(lower[k])
                        .min(upper[k])
                })
                .collect();
            let at_child = value(problem, &child);
            evaluations += 1;
            if at_child >= best.value {
                break;
            }
            parent = std::mem::replace(&mut best.theta, child);
            best.value = at_child;
            if step % 2 == 0 {
                length *= 2.0;
            }
        }
        (best, evaluations)
    }

    /// Local searches from the points of this round, low ones and far ones in turn.
    fn polish<L>(&mut self, children: Vec<Vec<f64>>, values: Vec<f64>, local: &L)
    where
        L: Fn(usize, &[f64]) -> Result<Outcome, EvaluationError> + Sync,
    {
        let mut pool: Vec<(Vec<f64>, f64)> = self
            .members
            .iter()
            .map(|m| (m.theta.clone(), m.value))
            .collect();
        pool.extend(children.into_iter().zip(values));
        pool.retain(|p| p.1.is_finite());
        let mut known: Vec<Vec<f64>> = Vec::new();
        for search in &self.found.searches {
            known.push(search.start.clone());
            known.extend(search.outcome.iter().map(|o| o.theta.clone()));
        }
        let mut starts: Vec<Vec<f64>> = Vec::new();
        while starts.len() < LOCAL && !pool.is_empty() {
            let far: Vec<f64> = pool
                .iter()
                .map(|p| {
                    let near = known.iter().map(|k| self.distance(k, &p.0));
                    near.fold(f64::INFINITY, f64::min)
                })
                .collect();
            let rank = |key: &dyn Fn(usize) -> f64| -> Vec<usize> {
                let mut order: Vec<usize> = (0..pool.len()).collect();
                order.sort_by(|&a, &b| key(a).total_cmp(&key(b)));
                let mut rank = vec![0; pool.len()];
                for (place, k) in order.into_iter().enumerate() {
                    rank[k] = place;
                }
                rank
            };
            let low = rank(&|k| pool[k].1);
            let apart = rank(&|k| -far[k]);
            // The very first goes from the lowest.
            let weight = usize::from(!known.is_empty());
            let Some(pick) = (0..pool.len()).min_by_key(|&k| low[k] + weight * apart[k]) else {
                break;
            };
            let (theta, _) = pool.swap_remove(pick);
            known.push(theta.clone());
            starts.push(theta);
        }
        let begun = self.found.searches.len();
        let ends: Vec<StartResult> = starts
            .into_par_iter()
            .enumerate()
            .with_max_len(1)
            .map(|(n, start)| StartResult {
                index: begun + n,
                outcome: local(begun + n, &start),
                start,
            })
            .collect();
        for end in ends {
            if let (Some(value), Ok(outcome)) = (end.value(), &end.outcome) {
                let there = self
                    .members
                    .iter()
                    .any(|m| self.distance(&m.theta, &outcome.theta) < SAME);
                let worst = (0..self.members.len())
                    .max_by(|&a, &b| self.members[a].value.total_cmp(&self.members[b].value));
                if let Some(worst) = worst.filter(|&w| !there && value < self.members[w].value) {
                    self.members[worst] = Member {
                        theta: outcome.theta.clone(),
                        value,
                        stuck: 0,
                    };
                }
            }
            self.found.searches.push(end);
        }
    }

    /// Draws anew what is stuck, and what has come onto a better member.
    fn renew(&mut self) {
        sort(&mut self.members);
        let (lower, upper) = self.bounds;
        let mut fresh = Vec::new();
        for i in 0..self.members.len() {
            let member = &self.members[i];
            let double = self.members[..i]
                .iter()
                .any(|better| self.distance(&better.theta, &member.theta) < SAME);
            if double || member.stuck >= PATIENCE {
                let mut random = self.random(2 * self.members.len() + i);
                let point = lower
                    .iter()
                    .zip(upper)
                    .map(|(l, u)| l + (u - l) * uniform(&mut random))
                    .collect::<Vec<f64>>();
                fresh.push((i, point));
            }
        }
        let points: Vec<Vec<f64>> = fresh.iter().map(|(_, p)| p.clone()).collect();
        let values = self.values(&points);
        for ((i, theta), value) in fresh.into_iter().zip(values) {
            self.members[i] = Member {
                theta,
                value,
                stuck: 0,
            };
        }
    }

    /// The largest difference in units of the box.
    fn distance(&self, a: &[f64], b: &[f64]) -> f64 {
        let (lower, upper) = self.bounds;
        (0..a.len())
            .filter(|&k| upper[k] > lower[k])
            .map(|k| (a[k] - b[k]).abs() / (upper[k] - lower[k]))
            .fold(0.0, f64::max)
    }
}

fn value(problem: &mut dyn Problem, theta: &[f64]) -> f64 {
    match problem.value(theta) {
        Ok(value) if value.is_finite() => value,
        _ => f64::INFINITY,
    }
}

/// Stable: equal values keep their order.
fn sort(members: &mut [Member]) {
    members.sort_by(|a, b| a.value.total_cmp(&b.value));
}

fn evaluations(search: &StartResult) -> usize {
    search.outcome.as_ref().map_or(0, |o| o.evaluations)
}
