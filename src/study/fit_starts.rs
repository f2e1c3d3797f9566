//! Where the starts of a fit begin: the file's values, the user's points, and drawn points of which the promising ones are taken.
//!
//! Where data leave a model many local optima, most random starts end in one that is not the best, and what a start will find shows
//! long before its last digits. So each drawn start has some candidates: from each a search of few iterations goes on solves of coarse
//! tolerance, and those that came lowest go to the end at the tolerance asked for (one round of successive halving: Jamieson &
//! Talwalkar, AISTATS 2016, arXiv 1502.07943). Values at the drawn points themselves say nothing about where they lead; after some
//! tens of iterations they do.
//!
//! A one-step method of order five takes (1e-3 / rtol)^(1/5) times fewer steps at the coarse tolerance, a candidate has about half the
//! iterations of a start, and what it has found a start need not find again; so there are as many candidates as make up for what they
//! spare the starts. Both tolerances grow together: what is too small to matter stays what it was. Candidates run alone and are compared when all
//! are done: the choice depends neither on the order of work nor on the number of threads.

use std::iter;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use costate_solvers::Tolerance;
use rayon::prelude::*;

use super::fit::minimize;
use super::fit_memory::StartingPoints;
use super::fit_problem::{FitProblem, parameters_of};
use super::variable::Variable;
use super::{Solving, Study, scaling};
use crate::optimize::{Problem, Progress, Sampling, Settings, spread};
use crate::scenario::{FitAlgorithm, StartSampling};

/// Relative tolerance of the solves of candidates, where the one asked for is finer.
const COARSE: f64 = 1e-3;
/// Iterations of a candidate.
const ITERATIONS: usize = 30;
/// A solve of a candidate is given up beyond so many times the steps of all solves at the file's values: a point where the model is
/// that much harder (stiff for an explicit method, mostly) costs more than it promises.
const STEPS: usize = 10;
/// Steps that a solve may have in any case.
const LEAST_STEPS: usize = 1000;
/// Most candidates of a start, where none are asked for.
const MOST: usize = 10;
/// Rounds in which points without an objective are drawn again.
const ROUNDS: u64 = 20;

/// What points are drawn for.
pub(super) struct Draw<'a> {
    pub study: &'a Study,
    pub solving: &'a Solving,
    pub variables: &'a [Variable],
    /// the file's values on the search scale
    pub first: &'a [f64],
    pub bounds: (&'a [f64], &'a [f64]),
    pub algorithm: FitAlgorithm,
    pub limits: &'a Settings,
    pub stop: &'a AtomicBool,
}

impl Draw<'_> {
    /// The starting points; `told` hears of each candidate that is done, and of how many there are.
    pub fn points(&self, told: &(dyn Fn(usize) + Sync)) -> StartingPoints {
        let settings = &self.study.scenario.fit;
        let mut points = vec![self.spread(1, 0).swap_remove(0)];
        points.extend(settings.start_points.iter().map(|point| {
            let given = self
                .study
                .scenario
                .parameters
                .iter()
                .filter(|p| p.fit)
                .zip(point);
            let searched = parameters_of(self.study, self.variables);
            searched
                .filter_map(|(_, p)| {
                    let (_, &v) = given.clone().find(|(given, _)| given.name == p.name)?;
                    Some(scaling::to_scaled(p, v))
                })
                .collect()
        }));
        let wanted = match settings.global {
            // the population is where others come from
            Some(_) => 0,
            None => settings.starts.saturating_sub(points.len()),
        };
        let each = self.candidates();
        if wanted == 0 || each <= 1 {
            let (drawn, replaced) = self.usable(wanted);
            points.extend(drawn);
            return StartingPoints {
                drawn: points.clone(),
                points,
                replaced,
                candidates: 0,
                candidate_evaluations: 0,
            };
        }
        let pool = self.spread(wanted.saturating_mul(each) + 1, 0).split_off(1);
        let searched = self.search(&pool, told);
        let candidate_evaluations = searched.iter().map(|s| s.evaluations).sum();
        let mut order: Vec<usize> = (0..pool.len()).collect();
        // those without a value come last; the earlier of equals first
        let value = |i: usize| match searched[i].value {
            value if value.is_finite() => value,
            _ => f64::INFINITY,
        };
        order.sort_by(|&a, &b| value(a).total_cmp(&value(b)).then(a.cmp(&b)));
        order.truncate(wanted);
        let mut drawn = points.clone();
        drawn.extend(order.iter().map(|&i| pool[i].clone()));
        points.extend(order.iter().map(|&i| searched[i].theta.clone()));
        StartingPoints {
            points,
            drawn,
            replaced: 0,
            candidates: pool.len(),
            candidate_evaluations,
        }
    }

    /// Candidates of each drawn start.
    fn candidates(&self) -> usize {
        let scenario = &self.study.scenario;
        if let Some(candidates) = scenario.fit.candidates {
            return candidates;
        }
        let searches_well = matches!(
            self.algorithm,
            FitAlgorithm::Auto
                | FitAlgorithm::LevenbergMarquardt
                | FitAlgorithm::LBfgs
                | FitAlgorithm::NewtonCg
        );
        // shooting and smoothing find starts in their own ways
        let own_way = scenario.fit.multiple_shooting.is_some() || !scenario.smoothing.is_empty();
        let rtol = self.solving.options.rtol;
        if !searches_well || own_way || self.solving.options.step.is_some() || rtol <= 0.0 {
            return 1;
        }
        let cheaper = (COARSE / rtol).max(1.0).powf(0.2);
        // a little more, so that rounding takes none away
        (1 + (0.6 * cheaper + 1e-6) as usize).min(MOST)
    }

    /// The file's values, and points spread inside the bounds, `count` together.
    fn spread(&self, count: usize, round: u64) -> Vec<Vec<f64>> {
        let settings = &self.study.scenario.fit;
        let sampling = match settings.sampling {
            StartSampling::LatinHypercube => Sampling::LatinHypercube,
            StartSampling::Sobol => Sampling::Sobol,
            StartSampling::Uniform => Sampling::Uniform,
        };
        let seed = settings.seed.wrapping_add(round << 32);
        spread(sampling, self.first, self.bounds, count, seed)
    }

    fn problem<'b>(&'b self, solving: &'b Solving) -> Option<FitProblem<'b>> {
        FitProblem::new(self.study, solving, self.variables, self.bounds, self.stop)
            .ok()
            .map(FitProblem::solving_inside)
    }

    /// Steps of all solves of one objective at the file's values, where it has one.
    fn steps(&self, solving: &Solving) -> Option<usize> {
        let mut problem = self.problem(solving)?;
        problem.value(self.first).ok()?;
        Some(problem.steps())
    }

    /// A short search from each point at a coarse tolerance.
    fn search(&self, pool: &[Vec<f64>], told: &(dyn Fn(usize) + Sync)) -> Vec<Searched> {
        let mut coarse = coarse(self.solving);
        if let Some(steps) = self.steps(&coarse) {
            let most = steps.saturating_mul(STEPS).max(LEAST_STEPS);
            coarse.options.max_steps = coarse.options.max_steps.min(most);
        }
        let short = Settings {
            max_iterations: ITERATIONS.min(self.limits.max_iterations),
            ..self.limits.clone()
        };
        let one = |problem: &mut Option<FitProblem<'_>>, start: &Vec<f64>| {
            let mut each = |_: &Progress, _: &[f64]| !self.stop.load(Ordering::Relaxed);
            let searched = match problem {
                Some(problem) if !self.stop.load(Ordering::Relaxed) => {
                    let outcome = minimize(self.algorithm, problem, start, &short, &mut each);
                    Searched {
                        theta: outcome.theta,
                        value: outcome.value,
                        evaluations: outcome.evaluations,
                    }
                }
                _ => Searched {
                    theta: start.clone(),
                    value: f64::NAN,
                    evaluations: 0,
                },
            };
            told(pool.len());
            searched
        };
        // a problem a thread, which takes one candidate after the other
        let next = AtomicUsize::new(0);
        let mut done: Vec<(usize, Searched)> = (0..rayon::current_num_threads())
            .into_par_iter()
            .with_max_len(1)
            .flat_map_iter(|_| {
                let (next, one) = (&next, &one);
                let mut problem = self.problem(&coarse);
                iter::from_fn(move || {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    Some((index, one(&mut problem, pool.get(index)?)))
                })
            })
            .collect();
        done.sort_unstable_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, searched)| searched).collect()
    }

    /// Drawn points, and how many of those had to be replaced.
    ///
    /// A drawn point without a finite objective (a solve that fails, a likelihood without a value) would be a start lost:
    /// it gives its place to a point of a further drawing. Whatever still fails after some rounds stays, and its failure
    /// is reported with the others' results.
    fn usable(&self, wanted: usize) -> (Vec<Vec<f64>>, usize) {
        let mut points = self.spread(wanted + 1, 0).split_off(1);
        let mut missing: Vec<usize> = (0..points.len()).collect();
        let mut replaced = 0;
        for round in 0..ROUNDS {
            if round > 0 {
                let fresh = self.spread(missing.len() + 1, round);
                for (&i, point) in missing.iter().zip(fresh.into_iter().skip(1)) {
                    points[i] = point;
                }
            }
            let usable: Vec<bool> = missing
                .par_iter()
                .map_init(
                    || self.problem(self.solving),
                    |problem, &i| {
                        let value = problem.as_mut().and_then(|p| p.value(&points[i]).ok());
                        value.is_some_and(f64::is_finite)
                    },
                )
                .collect();
            let mut usable = usable.into_iter();
            missing.retain(|_| !usable.next().unwrap_or(true));
            if round == 0 {
                replaced = missing.len();
            }
            if missing.is_empty() || self.stop.load(Ordering::Relaxed) {
                break;
            }
            // Where nothing works, nothing further will: the model or its bounds are to blame, and one round is told.
            if round == 2 && missing.len() == wanted {
                break;
            }
        }
        (points, replaced)
    }
}

/// Where a candidate came.
struct Searched {
    theta: Vec<f64>,
    value: f64,
    evaluations: usize,
}

/// The same way of solving at a coarse tolerance.
fn coarse(solving: &Solving) -> Solving {
    let mut coarse = solving.clone();
    let options = &mut coarse.options;
    if options.rtol > 0.0 && options.rtol < COARSE {
        let factor = COARSE / options.rtol;
        options.rtol = COARSE;
        options.atol = match &options.atol {
            Tolerance::Uniform(atol) => Tolerance::Uniform(factor * atol),
            Tolerance::PerState(all) => {
                Tolerance::PerState(all.iter().map(|atol| factor * atol).collect())
            }
        };
    }
    coarse
}
