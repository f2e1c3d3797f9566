//! Profile likelihoods: what the data know of each parameter without the assumption that the objective is a parabola.
//!
//! The profile of parameter i is g(c) = min f(theta) over all others with theta_i = c. The values with
//! g(c) - f(best) <= threshold are its confidence interval, with threshold = chi2_{1, level} / 2 (Raue et al. 2009, doi
//! 10.1093/bioinformatics/btp358). Without any noise model, where the variance is unknown, threshold = s^2 t^2 / 2 with the
//! residual variance s^2 and Student's quantile t of N - m degrees of freedom, which is exact for linear models (Bates &
//! Watts 1988, chapter 6).
//!
//! Each parameter is walked in both directions ([`walk`]), all walks in parallel and each by itself, so that the bits do
//! not depend on the number of threads. A lower objective met on the way becomes the optimum, and all walks begin again.

mod held;
mod walk;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use self::held::{Held, NoNode, Node};
use self::walk::{Course, Walk, WalkEnd, cubic};
use super::error::StudyError;
use super::fit::FitProblem;
use super::identifiability::{Identifiability, identifiability, is_plain, residual_variance};
use super::scaling;
use super::variable::Variable;
use super::{Solving, Study};
use crate::optimize::{LeastSquares, Problem, Settings};
use crate::scenario::{Parameter, Scale};

/// What to profile.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileSettings {
    /// confidence level, between 0 and 1
    pub level: f64,
    /// parameters to profile, by their places among those fitted; all where none is named
    pub only: Vec<usize>,
}

impl Default for ProfileSettings {
    fn default() -> Self {
        Self {
            level: 0.95,
            only: Vec::new(),
        }
    }
}

/// Profiles of parameters at the best fit.
#[derive(Debug, Clone)]
pub struct Profiles {
    /// names of the fitted parameters
    pub names: Vec<String>,
    /// their best values, natural scale
    pub best: Vec<f64>,
    /// all parameters, the best values in place
    pub parameters: Vec<f64>,
    /// objective there
    pub objective: f64,
    /// confidence level
    pub level: f64,
    /// rise of the objective at the ends of intervals
    pub threshold: f64,
    /// standard deviations to the ends of intervals by them
    pub quantile: f64,
    /// local information there
    pub local: Identifiability,
    /// profiles in the order of the parameters; those asked for
    pub profiles: Vec<Profile>,
    /// objectives of the starts of profiling but the last: each was left for a better optimum met on the way
    pub left: Vec<f64>,
    /// how the solves were done
    pub solving: Solving,
    /// whether the user ended it
    pub interrupted: bool,
}

/// The profile of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// the parameter, by its place among those fitted
    pub parameter: usize,
    /// points by value, the optimum among them
    pub points: Vec<ProfilePoint>,
    /// lower end of the interval
    pub low: IntervalEnd,
    /// upper end
    pub high: IntervalEnd,
    /// interval by the Fisher information on the search scale, which is a parabola there; `None` where undetermined
    pub wald: Option<[f64; 2]>,
    /// the second derivative that parabola has on the search scale, 0 where undetermined
    pub curvature: f64,
    /// what it comes to
    pub verdict: Verdict,
}

/// A point of a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfilePoint {
    /// value of the parameter, natural scale
    pub value: f64,
    /// the same on its search scale
    pub scaled: f64,
    /// the least objective with it
    pub objective: f64,
    /// its derivative with respect to the value on the search scale
    pub slope: f64,
    /// all fitted parameters there, natural scale
    pub parameters: Vec<f64>,
}

/// An end of a confidence interval, natural scale.
#[derive(Debug, Clone, PartialEq)]
pub enum IntervalEnd {
    /// the objective has risen by the threshold here
    At(f64),
    /// it has not at the parameter's bound
    Bound(f64),
    /// it has not as far as was looked
    Beyond(f64),
    /// what is beyond this value could not be computed
    Failed {
        /// the last value computed
        last: f64,
        /// the cause in words
        reason: String,
    },
    /// the user ended the work first
    Unknown,
}

impl IntervalEnd {
    /// The value where the interval is closed.
    pub fn closed(&self) -> Option<f64> {
        match *self {
            Self::At(value) => Some(value),
            _ => None,
        }
    }
}

/// What the data say of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// its interval is closed
    Identifiable,
    /// these data leave its interval open on one side or both
    PracticallyNot,
    /// no data of this kind can tell it: others make up for any change of it
    StructurallyNot,
    /// the user ended the work first
    Unknown,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Identifiable => "identifiable",
            Self::PracticallyNot => "practically not identifiable",
            Self::StructurallyNot => "structurally not identifiable",
            Self::Unknown => "not finished",
        })
    }
}

/// What a watcher is told.
#[derive(Debug, Clone, Copy)]
pub struct ProfileProgress {
    /// walks finished, two a parameter
    pub finished: usize,
    /// walks in all
    pub walks: usize,
}

/// Parts of the way between two points of a profile that its curve is drawn by.
const PARTS: u32 = 12;

impl Profiles {
    /// A profile as a smooth curve: values and rises of the objective, by the cubics that have the values and slopes of
    /// neighboring points.
    pub fn curve(&self, study: &Study, profile: &Profile) -> Vec<(f64, f64)> {
        let mut fitted = study.scenario.parameters.iter().filter(|p| p.fit);
        let Some(parameter) = fitted.nth(profile.parameter) else {
            return Vec::new();
        };
        let mut curve = Vec::new();
        for pair in profile.points.windows(2) {
            let [a, b] = pair else { continue };
            let h = b.scaled - a.scaled;
            curve.extend((0..PARTS).map(|k| {
                let s = f64::from(k) / f64::from(PARTS);
                let value = cubic([a.objective, b.objective], [h * a.slope, h * b.slope], s);
                (
                    scaling::to_natural(parameter, a.scaled + s * h),
                    value - self.objective,
                )
            }));
        }
        let last = profile.points.last();
        curve.extend(last.map(|p| (p.value, p.objective - self.objective)));
        curve
    }
}

/// Points of a parabola, and how far it is drawn, in thresholds.
const PARABOLA: (u32, f64) = (201, 1.5);

impl Profiles {
    /// The parabola that the Fisher information foretells for a profile, over the part of it that was walked: values and
    /// rises of the objective. Empty where the data do not determine the parameter.
    pub fn parabola(&self, study: &Study, profile: &Profile) -> Vec<(f64, f64)> {
        let mut fitted = study.scenario.parameters.iter().filter(|p| p.fit);
        let (Some(parameter), Some(first), Some(last)) = (
            fitted.nth(profile.parameter),
            profile.points.first(),
            profile.points.last(),
        ) else {
            return Vec::new();
        };
        if profile.curvature.is_nan() || profile.curvature <= 0.0 {
            return Vec::new();
        }
        let best = scaling::to_scaled(parameter, self.best[profile.parameter]);
        let half = (2.0 * PARABOLA.1 * self.threshold / profile.curvature).sqrt();
        let (low, high) = (first.scaled.max(best - half), last.scaled.min(best + half));
        (0..PARABOLA.0)
            .map(|k| {
                let q = low + (high - low) * f64::from(k) / f64::from(PARABOLA.0 - 1);
                let rise = 0.5 * profile.curvature * (q - best) * (q - best);
                (scaling::to_natural(parameter, q), rise)
            })
            .collect()
    }
}

/// A better optimum is met when the objective is lower by more than this part of the threshold, or of itself.
const BETTER: (f64, f64) = (1e-5, 1e-9);
/// A rise below this part of the threshold is flat.
const FLAT: f64 = 1e-4;
/// Better optima that are gone after.
const MOST_RESTARTS: usize = 20;
/// The norm of the gradient to which each point is optimized, where the scenario asks for no tighter one.
const GRADIENT_TOLERANCE: f64 = 1e-7;
/// How far an unbounded parameter is walked: factors (scales of logarithms), or multiples of its size (linear).
const FARTHEST: f64 = 1e6;
/// A logit is walked until its parameter is this near to a bound, as part of the room between its bounds.
const LOGIT_EDGE: f64 = 1e-9;
/// Steps that the way to a bound has at least.
const STEPS_TO_BOUND: f64 = 20.0;

/// Profiles the parameters marked fit from the best fit found before, `start` (all parameters, natural scale), which is
/// polished first. `stop` ends the work with the walks so far.
///
/// # Errors
/// [`StudyError::NothingToFit`], [`StudyError::NoData`], a level that is none, or those of solves at the start.
pub fn profile(
    study: &Study,
    start: &[f64],
    settings: &ProfileSettings,
    stop: &AtomicBool,
    watch: &(dyn Fn(ProfileProgress) + Sync),
) -> Result<Profiles, StudyError> {
    let variables = Variable::fitted(&study.scenario);
    if variables.is_empty() {
        return Err(StudyError::NothingToFit);
    }
    if study.measurements() == 0 {
        return Err(StudyError::NoData);
    }
    let fitted: Vec<&Parameter> = study.scenario.parameters.iter().filter(|p| p.fit).collect();
    let m = fitted.len();
    let quantile = quantile(study, settings.level, m)?;
    let solving = Solving::choose(study)?;
    let bounds: Vec<[f64; 2]> = fitted.iter().map(|p| scaling::scaled_bounds(p)).collect();
    let (lower, upper): (Vec<f64>, Vec<f64>) = bounds.iter().map(|&[l, u]| (l, u)).unzip();
    let mut theta: Vec<f64> = variables
        .iter()
        .zip(&fitted)
        .map(|(variable, parameter)| match *variable {
            Variable::Parameter(i) => scaling::to_scaled(parameter, start[i]),
            Variable::Initial(_) | Variable::Start | Variable::End => 0.0,
        })
        .collect();
    let limits = Settings {
        gradient_tolerance: study
            .scenario
            .fit
            .gradient_tolerance
            .min(GRADIENT_TOLERANCE),
        max_iterations: study.scenario.fit.max_iterations,
        ..Settings::default()
    };
    let fit_problem = || FitProblem::new(study, &solving, &variables, (&lower, &upper), stop);
    let natural = |theta: &[f64]| -> Vec<f64> {
        let pairs = fitted.iter().zip(theta);
        pairs.map(|(p, &q)| scaling::to_natural(p, q)).collect()
    };
    let which: Vec<usize> = if settings.only.is_empty() {
        (0..m).collect()
    } else {
        settings.only.clone()
    };
    let mut left = Vec::new();
    loop {
        let optimum = optimum(&mut fit_problem()?, &theta, &limits, stop)?;
        let best = natural(&optimum.theta);
        let mut parameters = study.values();
        for (variable, &value) in variables.iter().zip(&best) {
            if let Variable::Parameter(i) = *variable {
                parameters[i] = value;
            }
        }
        let unit = residual_variance(study, optimum.value, m).unwrap_or(1.0);
        let threshold = 0.5 * quantile * quantile * unit;
        let finished = AtomicUsize::new(0);
        let tell = || {
            let finished = finished.fetch_add(1, Ordering::Relaxed) + 1;
            let walks = 2 * which.len();
            watch(ProfileProgress { finished, walks });
        };
        let walks: Vec<(usize, f64)> = which.iter().flat_map(|&i| [(i, -1.0), (i, 1.0)]).collect();
        let walks: Vec<Result<Walk, StudyError>> = walks
            .par_iter()
            .with_max_len(1)
            .map(|&(i, direction)| {
                let mut problem = fit_problem()?;
                let mut held = Held::new(&mut problem);
                let (limit, longest) = reach(fitted[i], bounds[i], optimum.theta[i], direction);
                let (tangent, curvature) = optimum.tangent(i);
                let course = Course {
                    parameter: i,
                    direction,
                    origin: &optimum.node(i),
                    tangent: &tangent,
                    curvature,
                    threshold,
                    tolerance: optimum.tolerance(threshold),
                    limit,
                    longest,
                };
                let walk = course.walk(&mut held, &limits, stop);
                tell();
                Ok(walk)
            })
            .collect();
        let walks = walks.into_iter().collect::<Result<Vec<_>, _>>()?;
        let interrupted = stop.load(Ordering::Relaxed);
        let better = walks.iter().find_map(|walk| match &walk.end {
            WalkEnd::Better(theta) => Some(theta.clone()),
            _ => None,
        });
        if let Some(better) = better.filter(|_| !interrupted && left.len() < MOST_RESTARTS) {
            left.push(optimum.value);
            theta = better;
            continue;
        }
        let local = identifiability(study, &solving, &parameters, !interrupted)?;
        let profiles = which
            .iter()
            .zip(walks.chunks_exact(2))
            .map(|(&i, pair)| {
                let found = Found {
                    parameter: i,
                    fitted: &fitted,
                    bounds: &bounds,
                    optimum: &optimum,
                    local: &local,
                    threshold,
                    quantile,
                };
                found.profile(&pair[0], &pair[1])
            })
            .collect();
        return Ok(Profiles {
            names: fitted.iter().map(|p| p.name.text.clone()).collect(),
            best,
            parameters,
            objective: optimum.value,
            level: settings.level,
            threshold,
            quantile,
            local,
            profiles,
            left,
            solving,
            interrupted,
        });
    }
}

/// The number of standard deviations to the ends of an interval: of a normal distribution, or of Student's where the
/// variance is estimated.
fn quantile(study: &Study, level: f64, fitted: usize) -> Result<f64, StudyError> {
    if !(level > 0.0 && level < 1.0) {
        return Err(StudyError::Unsupported(format!(
            "the confidence level {level} is not between 0 and 1, such as 0.95"
        )));
    }
    let tail = 0.5 + 0.5 * level;
    let free = study.measurements() as f64 - fitted as f64;
    if is_plain(study) {
        let student = StudentsT::new(0.0, 1.0, free).map_err(|_| {
            StudyError::Unsupported(format!(
                "{} measurements do not tell {fitted} parameters and, without a noise model, their own scatter: there are no confidence intervals",
                study.measurements()
            ))
        })?;
        return Ok(student.inverse_cdf(tail));
    }
    let normal = Normal::new(0.0, 1.0)
        .map_err(|error| StudyError::Unsupported(format!("the normal distribution: {error}")))?;
    Ok(normal.inverse_cdf(tail))
}

/// The optimum that walks start from, on the search scale.
struct Optimum {
    theta: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    fisher: DMatrix<f64>,
    held: Vec<bool>,
}

fn optimum(
    problem: &mut FitProblem<'_>,
    theta: &[f64],
    limits: &Settings,
    stop: &AtomicBool,
) -> Result<Optimum, StudyError> {
    let fail = |error: NoNode| match error {
        NoNode::Interrupted => StudyError::Interrupted,
        NoNode::Failed(reason) => StudyError::NoStartFinished { starts: 1, reason },
    };
    let found = Held::new(problem).minimize_all(theta, limits, stop);
    let (theta, value, gradient) = found.map_err(fail)?;
    let (rows, m) = (problem.residuals(), theta.len());
    let mut r = vec![0.0; rows];
    let mut jacobian = vec![0.0; rows * m];
    problem
        .value_residuals(&theta, &mut r, &mut jacobian)
        .map_err(|error| fail(NoNode::Failed(error.to_string())))?;
    let j = DMatrix::from_column_slice(rows, m, &jacobian);
    let (lower, upper) = problem.bounds();
    Ok(Optimum {
        held: (0..m)
            .map(|i| theta[i] <= lower[i] || theta[i] >= upper[i])
            .collect(),
        fisher: j.tr_mul(&j),
        theta,
        value,
        gradient,
    })
}

impl Optimum {
    fn node(&self, i: usize) -> Node {
        Node {
            theta: self.theta.clone(),
            value: self.value,
            // at an optimum inside its bounds the slope is rounding, and would be taken for one
            slope: if self.held[i] { self.gradient[i] } else { 0.0 },
        }
    }

    fn tolerance(&self, threshold: f64) -> f64 {
        (BETTER.0 * threshold).max(BETTER.1 * self.value.abs())
    }

    /// How the others follow parameter `i`, -F_oo^-1 F_oi, and the curvature of its profile, F_ii - F_io F_oo^-1 F_oi, to first
    /// order, with those at a bound held there.
    fn tangent(&self, i: usize) -> (Vec<f64>, f64) {
        let m = self.theta.len();
        let mut tangent = vec![0.0; m];
        tangent[i] = 1.0;
        let own = self.fisher[(i, i)];
        let scale = |j: usize| self.fisher[(j, j)].sqrt();
        // parameters without any effect stay where they are
        let others: Vec<usize> = (0..m)
            .filter(|&j| j != i && !self.held[j] && scale(j) > 0.0)
            .collect();
        if others.is_empty() {
            return (tangent, own);
        }
        let matrix = DMatrix::from_fn(others.len(), others.len(), |a, b| {
            let (a, b) = (others[a], others[b]);
            self.fisher[(a, b)] / scale(a) / scale(b)
        });
        let side = DVector::from_fn(others.len(), |a, _| {
            self.fisher[(others[a], i)] / scale(others[a])
        });
        let Ok(solution) = matrix.svd(true, true).solve(&side, 1e-12) else {
            return (tangent, own);
        };
        for (&j, s) in others.iter().zip(solution.iter()) {
            tangent[j] = -s / scale(j);
        }
        let curvature = own - side.dot(&solution);
        // what is left of a difference of equal numbers is rounding
        let rounding = 1e-10 * own;
        (tangent, if curvature > rounding { curvature } else { 0.0 })
    }
}

/// Where a walk has to end on the search scale, and its longest step.
fn reach(parameter: &Parameter, [lower, upper]: [f64; 2], from: f64, direction: f64) -> (f64, f64) {
    let far = match parameter.scale {
        Scale::Linear => FARTHEST * from.abs().max(1.0),
        Scale::Log => FARTHEST.ln(),
        Scale::Log10 => FARTHEST.log10(),
        Scale::Logit => (from.abs() - LOGIT_EDGE.ln()).max(1.0),
    };
    let bound = if direction > 0.0 { upper } else { lower };
    let limit = if bound.is_finite() {
        bound
    } else if matches!(parameter.scale, Scale::Logit) {
        -direction * LOGIT_EDGE.ln()
    } else {
        from + direction * far
    };
    // Without a bound steps may double: the way is long, and what is to be seen on it has no known size.
    let longest = if bound.is_finite() || !matches!(parameter.scale, Scale::Linear) {
        (limit - from).abs() / STEPS_TO_BOUND
    } else {
        f64::INFINITY
    };
    (limit, longest.max(f64::MIN_POSITIVE))
}

/// What is known when all walks are done.
struct Found<'f> {
    parameter: usize,
    fitted: &'f [&'f Parameter],
    bounds: &'f [[f64; 2]],
    optimum: &'f Optimum,
    local: &'f Identifiability,
    threshold: f64,
    quantile: f64,
}

impl Found<'_> {
    fn profile(&self, down: &Walk, up: &Walk) -> Profile {
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
        if self.local.standard_errors[i].is_some() {
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
