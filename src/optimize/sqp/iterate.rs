//! The iteration: model, step, line search, second-order correction, elastic mode.

use nalgebra::{DMatrix, DVector};

use super::conditions::{Kkt, Point};
use super::curvature::{ActiveRow, Bfgs, Model, convex};
use super::merit::Merit;
use super::quadratic::{Active, NoSolution, Quadratic, Solution};
use super::{Constrained, SqpOutcome, SqpProgress, SqpSettings, SqpStatus, outside};
use crate::optimize::problem::EvaluationError;

/// Sufficient decrease of the line search.
const ARMIJO: f64 = 1e-4;
/// Shortest fraction of a step that is tried.
const SHORTEST: f64 = 1e-9;
/// Iterations without progress of merit or residual after which a run ends.
const PATIENCE: usize = 12;

/// All that is known at the present point.
#[derive(Clone)]
struct Here {
    x: Vec<f64>,
    f: f64,
    c: Vec<f64>,
    g: Vec<f64>,
    j: DMatrix<f64>,
}

/// A run.
struct Search<'a> {
    problem: &'a mut dyn Constrained,
    settings: &'a SqpSettings,
    lower: Vec<f64>,
    upper: Vec<f64>,
    c_lower: Vec<f64>,
    c_upper: Vec<f64>,
    merit: Merit,
    evaluations: usize,
    /// price of a unit of violation in elastic mode
    price: f64,
    /// what held the last model's solution
    active: Active,
}

/// A step of the model, before it is tried.
struct Step {
    d: Vec<f64>,
    lambda: Vec<f64>,
    elastic: bool,
}

/// What came of a step.
enum Taken {
    /// the point's values, and the fraction
    To(Vec<f64>, f64, Vec<f64>, f64),
    Nowhere,
    Interrupted,
}

/// Minimizes under constraints from a start, which is first moved inside the bounds.
///
/// The callback sees each iteration's progress and point; `false` interrupts.
pub fn sqp(
    problem: &mut dyn Constrained,
    start: &[f64],
    settings: &SqpSettings,
    callback: &mut dyn FnMut(&SqpProgress, &[f64]) -> bool,
) -> SqpOutcome {
    let (n, m) = (problem.dim(), problem.constraints());
    let (lower, upper) = problem.bounds();
    let (lower, upper) = (lower.to_vec(), upper.to_vec());
    let (c_lower, c_upper) = problem.constraint_bounds();
    let (c_lower, c_upper) = (c_lower.to_vec(), c_upper.to_vec());
    let mut here = Here {
        x: start.to_vec(),
        f: f64::NAN,
        c: vec![0.0; m],
        g: vec![0.0; n],
        j: DMatrix::zeros(m, n),
    };
    clip(&mut here.x, &lower, &upper);
    let mut search = Search {
        problem,
        settings,
        lower,
        upper,
        c_lower,
        c_upper,
        merit: Merit::new(m),
        evaluations: 0,
        price: 0.0,
        active: Active::new(),
    };
    let mut history = Vec::new();
    let mut lambda = vec![0.0; m];
    let end = |search: &Search<'_>, here: Here, lambda: Vec<f64>, history, status| {
        search.outcome(here, lambda, history, status)
    };
    let first = search.values(&here.x.clone(), &mut here.c).and_then(|f| {
        search
            .derivatives(&here.x, &mut here.g, &mut here.j)
            .map(|()| f)
    });
    match first {
        Ok(f) if f.is_finite() && here.c.iter().all(|c| c.is_finite()) => here.f = f,
        Ok(_) => {
            let reason = "the objective or a constraint is not finite at the start".to_owned();
            return end(&search, here, lambda, history, SqpStatus::Failed { reason });
        }
        Err(error) => {
            let status = stopped(error);
            return end(&search, here, lambda, history, status);
        }
    }
    let mut bfgs = Bfgs::new(n);
    let mut hessian = DMatrix::zeros(n, n);
    let mut last = (0.0, 1.0, false);
    let mut longest = settings.longest_step;
    let (mut best, mut idle) = (None::<(f64, Here, Vec<f64>)>, 0);
    let mut reset = false;
    for iteration in 0.. {
        let (kkt, _) = search.point(&here).conditions(&lambda);
        let progress = SqpProgress {
            iteration,
            value: here.f,
            violation: kkt.feasibility,
            residual: kkt.scaled(),
            step_norm: last.0,
            fraction: last.1,
            elastic: last.2,
        };
        history.push(progress);
        let met = kkt.feasibility <= settings.feasibility;
        if met && kkt.scaled() <= settings.tolerance {
            return end(&search, here, lambda, history, SqpStatus::Converged);
        }
        if !callback(&progress, &here.x) {
            return end(&search, here, lambda, history, SqpStatus::Interrupted);
        }
        if iteration >= settings.max_iterations {
            return end(&search, here, lambda, history, SqpStatus::MaxIterations);
        }
        if best.as_ref().is_none_or(|(r, ..)| kkt.scaled() < 0.9 * r) {
            best = Some((kkt.scaled(), here.clone(), lambda.clone()));
            idle = 0;
        } else {
            idle += 1;
        }
        let mut model = match search.problem.hessian(&here.x, &lambda, &mut hessian) {
            Ok(true) if !reset && hessian.iter().all(|h| h.is_finite()) => {
                let active = search.active(&here, &lambda);
                convex(hessian.clone(), &here.g, &active)
            }
            Err(EvaluationError::Interrupted) => {
                return end(&search, here, lambda, history, SqpStatus::Interrupted);
            }
            _ => Model {
                hessian: bfgs.b.clone(),
                gradient: here.g.clone(),
            },
        };
        let mut step = search.step(&here, &model, &lambda, longest);
        for power in 0..3 {
            if step.is_ok() {
                break;
            }
            // what no program solver could solve is made rounder, which shortens the step
            let shift = 1e-2 * 100f64.powi(power) * model.hessian.amax().max(1e-8);
            for j in 0..n {
                model.hessian[(j, j)] += shift;
            }
            step = search.step(&here, &model, &lambda, longest);
        }
        let step = match step {
            Ok(step) => step,
            Err(reason) => {
                return end(&search, here, lambda, history, SqpStatus::Failed { reason });
            }
        };
        if step.elastic && !met && !search.repairs(&here, &step.d) {
            return end(&search, here, step.lambda, history, SqpStatus::Infeasible);
        }
        let before = here.clone();
        let merit_before = here.f + search.violations(&here.c);
        let (x, f, c, fraction) = match search.line(&here, &model, &step) {
            Taken::To(x, f, c, fraction) => (x, f, c, fraction),
            Taken::Interrupted => {
                return end(&search, here, lambda, history, SqpStatus::Interrupted);
            }
            Taken::Nowhere if !reset => {
                // a matrix that learned from far away may point nowhere
                reset = true;
                bfgs = Bfgs::new(n);
                longest = 0.1 * norm(&step.d).max(1e-8);
                continue;
            }
            Taken::Nowhere => {
                let status = match met {
                    true => SqpStatus::SmallStep,
                    false => SqpStatus::Infeasible,
                };
                if met
                    && let Some((residual, best, multipliers)) = best
                    && residual < kkt.scaled()
                {
                    return end(&search, best, multipliers, history, status);
                }
                return end(&search, here, lambda, history, status);
            }
        };
        reset = false;
        (here.x, here.f, here.c) = (x, f, c);
        if let Err(error) = search.derivatives(&here.x, &mut here.g, &mut here.j) {
            let status = stopped(error);
            return end(&search, before, lambda, history, status);
        }
        for (l, &own) in lambda.iter_mut().zip(&step.lambda) {
            *l += fraction * (own - *l);
        }
        let moved: Vec<f64> = here.x.iter().zip(&before.x).map(|(a, b)| a - b).collect();
        let s = DVector::from_vec(moved);
        let slope = |at: &Here| DVector::from_vec(search.point(at).lagrangian(&step.lambda));
        bfgs.update(&s, &(slope(&here) - slope(&before)));
        last = (s.norm(), fraction, step.elastic);
        longest = (10.0 * longest.min(norm(&step.d).max(settings.longest_step)))
            .max(settings.longest_step);
        // progress of the merit function counts, too
        let merit = here.f + search.violations(&here.c);
        let rounding = 10.0 * settings.noise * merit_before.abs().max(here.f.abs()).max(1e-300);
        if merit_before - merit > rounding.max(1e-9 * merit.abs()) {
            idle = 0;
        }
        if idle > PATIENCE {
            let status = match kkt.feasibility <= settings.feasibility {
                true => SqpStatus::SmallStep,
                false => SqpStatus::Infeasible,
            };
            if let Some((_, best, multipliers)) = best {
                return end(&search, best, multipliers, history, status);
            }
        }
    }
    let status = SqpStatus::MaxIterations;
    end(&search, here, lambda, history, status)
}

fn stopped(error: EvaluationError) -> SqpStatus {
    match error {
        EvaluationError::Failed { reason } => SqpStatus::Failed { reason },
        EvaluationError::Interrupted => SqpStatus::Interrupted,
    }
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn clip(x: &mut [f64], lower: &[f64], upper: &[f64]) {
    for ((x, &l), &u) in x.iter_mut().zip(lower).zip(upper) {
        *x = x.max(l).min(u);
    }
}

impl Search<'_> {
    fn values(&mut self, x: &[f64], c: &mut [f64]) -> Result<f64, EvaluationError> {
        self.evaluations += 1;
        self.problem.values(x, c)
    }

    fn derivatives(
        &mut self,
        x: &[f64],
        g: &mut [f64],
        j: &mut DMatrix<f64>,
    ) -> Result<(), EvaluationError> {
        self.problem.derivatives(x, g, j)?;
        if g.iter().chain(j.iter()).all(|v| v.is_finite()) {
            return Ok(());
        }
        let reason = "a derivative is not finite".to_owned();
        Err(EvaluationError::Failed { reason })
    }

    fn point<'p>(&'p self, here: &'p Here) -> Point<'p> {
        Point {
            x: &here.x,
            bounds: (&self.lower, &self.upper),
            c: &here.c,
            c_bounds: (&self.c_lower, &self.c_upper),
            gradient: &here.g,
            jacobian: &here.j,
        }
    }

    fn outcome(
        &self,
        here: Here,
        lambda: Vec<f64>,
        history: Vec<SqpProgress>,
        status: SqpStatus,
    ) -> SqpOutcome {
        let (kkt, bound_multipliers) = match here.f.is_finite() {
            true => self.point(&here).conditions(&lambda),
            false => (
                Kkt {
                    stationarity: f64::NAN,
                    feasibility: f64::NAN,
                    complementarity: f64::NAN,
                    scale: 1.0,
                },
                vec![0.0; here.x.len()],
            ),
        };
        SqpOutcome {
            x: here.x,
            value: here.f,
            constraints: here.c,
            gradient: here.g,
            jacobian: here.j,
            multipliers: lambda,
            bound_multipliers,
            kkt,
            iterations: history.len().saturating_sub(1),
            evaluations: self.evaluations,
            status,
            history,
            shares: Vec::new(),
        }
    }

    fn violations(&self, c: &[f64]) -> f64 {
        self.merit.violations(c, (&self.c_lower, &self.c_upper))
    }

    /// Violations without weights.
    fn plain_violations(&self, c: impl Iterator<Item = f64>) -> f64 {
        c.zip(self.c_lower.iter().zip(&self.c_upper))
            .map(|(c, (&l, &u))| outside(c, l, u).abs())
            .sum()
    }

    /// Rows that multipliers say are active, and bounds that the point is on.
    fn active(&self, here: &Here, lambda: &[f64]) -> Vec<ActiveRow> {
        let n = here.x.len();
        let (_, bounds) = self.point(here).conditions(lambda);
        let most = lambda
            .iter()
            .chain(&bounds)
            .fold(0.0_f64, |s, l| s.max(l.abs()));
        let mut rows = Vec::new();
        for (i, &l) in lambda.iter().enumerate() {
            let equation = self.c_lower[i] == self.c_upper[i];
            if !equation && l.abs() <= 1e-9 * most {
                continue;
            }
            let bound = match l < 0.0 {
                true => self.c_lower[i],
                false => self.c_upper[i],
            };
            rows.push(ActiveRow {
                normal: here.j.row(i).transpose(),
                remainder: here.c[i] - bound,
            });
        }
        for (j, z) in bounds.iter().enumerate() {
            if z.abs() > 1e-9 * most {
                let mut normal = DVector::zeros(n);
                normal[j] = 1.0;
                rows.push(ActiveRow {
                    normal,
                    remainder: 0.0,
                });
            }
        }
        rows
    }

    /// The step of the model.
    fn step(
        &mut self,
        here: &Here,
        model: &Model,
        lambda: &[f64],
        longest: f64,
    ) -> Result<Step, String> {
        let size = |v: &[f64]| v.iter().fold(0.0_f64, |s, v| s.max(v.abs()));
        let away = |c: &[f64], bounds: &[f64]| -> Vec<f64> {
            bounds.iter().zip(c).map(|(b, c)| b - c).collect()
        };
        let (lower, upper) = (away(&here.c, &self.c_lower), away(&here.c, &self.c_upper));
        let reach = |x: f64| longest * x.abs().max(1.0);
        let ends = here.x.iter().zip(self.lower.iter().zip(&self.upper));
        let (d_lower, d_upper): (Vec<f64>, Vec<f64>) = ends
            .map(|(&x, (l, u))| ((l - x).max(-reach(x)), (u - x).min(reach(x))))
            .unzip();
        let program = Quadratic {
            b: &model.hessian,
            g: &model.gradient,
            a: &here.j,
            lower: &lower,
            upper: &upper,
            d_lower: &d_lower,
            d_upper: &d_upper,
        };
        match program.solve_near(&self.active) {
            Ok(Solution { d, lambda, active }) => {
                self.active = active;
                return Ok(Step {
                    d,
                    lambda,
                    elastic: false,
                });
            }
            Err(NoSolution::Infeasible) => {}
            Err(NoSolution::Failed(reason)) => {
                // curvature too small to bound the model: more of it bounds the step
                let mut steeper = model.hessian.clone();
                let more = steeper.amax().max(size(&here.g)).max(1.0);
                for j in 0..steeper.nrows() {
                    steeper[(j, j)] += more;
                }
                let bounded = Quadratic {
                    b: &steeper,
                    ..program
                };
                if let Ok(Solution { d, lambda, .. }) = bounded.solve() {
                    return Ok(Step {
                        d,
                        lambda,
                        elastic: false,
                    });
                }
                if here.c.is_empty() {
                    return Err(reason);
                }
            }
        }
        let least = 10.0 * size(lambda).max(size(&here.g)).max(1.0);
        // (multipliers of an elastic model are as large as its price: they must not drive it up)
        self.price = self.price.max(least.min(1e4 * size(&here.g).max(1.0)));
        let dearest = 1e6 * size(&here.g).max(1.0);
        let mut found = program.solve_elastic(self.price);
        // violations that a higher price avoids are avoided
        for _ in 0..6 {
            let Ok((_, paid)) = &found else { break };
            if *paid <= self.settings.feasibility || self.price >= dearest {
                break;
            }
            let paid = *paid;
            let dearer = program.solve_elastic(10.0 * self.price);
            match dearer {
                Ok((solution, now)) if now < 0.99 * paid => {
                    self.price *= 10.0;
                    found = Ok((solution, now));
                }
                _ => break,
            }
        }
        match found {
            Ok((Solution { d, lambda, .. }, _)) => {
                self.merit.at_least(self.price);
                Ok(Step {
                    d,
                    lambda,
                    elastic: true,
                })
            }
            Err(NoSolution::Infeasible) => Err("the quadratic model has no solution".to_owned()),
            Err(NoSolution::Failed(reason)) => {
                Err(format!("the quadratic model has no solution: {reason}"))
            }
        }
    }

    /// Whether a step lowers the linearized violations noticeably.
    fn repairs(&self, here: &Here, d: &[f64]) -> bool {
        let now = self.plain_violations(here.c.iter().copied());
        let then = self.plain_violations(linearized(here, d));
        now - then > 1e-6 * now
    }

    /// The line search along a step.
    fn line(&mut self, here: &Here, model: &Model, step: &Step) -> Taken {
        let d = &step.d;
        self.merit.follow(&step.lambda);
        let descent: f64 = here.g.iter().zip(d).map(|(g, d)| g * d).sum();
        let at = DVector::from_column_slice(d);
        let curvature = at.dot(&(&model.hessian * &at)).max(0.0);
        let ahead: Vec<f64> = linearized(here, d).collect();
        let repaired = self.plain_violations(here.c.iter().copied())
            - self.plain_violations(ahead.iter().copied());
        let slope_of = |merit: &Merit| {
            let bounds = (&self.c_lower[..], &self.c_upper[..]);
            descent + merit.violations(&ahead, bounds) - merit.violations(&here.c, bounds)
        };
        let mut slope = slope_of(&self.merit);
        if slope > -0.25 * curvature && repaired > 0.0 {
            self.merit
                .at_least((descent + 0.5 * curvature) / (0.5 * repaired));
            slope = slope_of(&self.merit);
        }
        let merit = here.f + self.violations(&here.c);
        let rounding = self.settings.noise * merit.abs().max(here.f.abs()).max(1e-300);
        let slope = slope.min(0.0);
        let mut fraction = 1.0;
        let mut c = vec![0.0; here.c.len()];
        while fraction >= SHORTEST {
            let x = self.along(&here.x, d, fraction);
            match self.values(&x, &mut c) {
                Ok(f) => {
                    let trial = f + self.violations(&c);
                    if trial <= merit + ARMIJO * fraction * slope + rounding {
                        return Taken::To(x, f, c, fraction);
                    }
                    if fraction == 1.0 && trial.is_finite() {
                        match self.corrected(
                            here,
                            model,
                            step,
                            &c,
                            merit + ARMIJO * slope + rounding,
                        ) {
                            Taken::Nowhere => {}
                            taken => return taken,
                        }
                    }
                    // the minimum of the parabola through value, slope and trial
                    let bend = trial - merit - slope * fraction;
                    let guess = if bend > 0.0 && slope < 0.0 {
                        -0.5 * slope * fraction * fraction / bend
                    } else {
                        0.5 * fraction
                    };
                    fraction = if guess.is_finite() {
                        guess.clamp(0.1 * fraction, 0.5 * fraction)
                    } else {
                        0.1 * fraction
                    };
                }
                Err(EvaluationError::Interrupted) => return Taken::Interrupted,
                Err(EvaluationError::Failed { .. }) => fraction *= 0.25,
            }
        }
        Taken::Nowhere
    }

    /// The step corrected for the curvature of the constraints, which are `c` at its end.
    fn corrected(
        &mut self,
        here: &Here,
        model: &Model,
        step: &Step,
        c: &[f64],
        most: f64,
    ) -> Taken {
        if c.is_empty() || step.elastic || c.iter().any(|c| !c.is_finite()) {
            return Taken::Nowhere;
        }
        // constraints as c(x + d) + J (d' - d)
        let linear: Vec<f64> = linearized(here, &step.d).collect();
        let shifted: Vec<f64> = (0..c.len())
            .map(|i| c[i] - (linear[i] - here.c[i]))
            .collect();
        let away = |bounds: &[f64]| -> Vec<f64> {
            bounds.iter().zip(&shifted).map(|(b, c)| b - c).collect()
        };
        let (lower, upper) = (away(&self.c_lower), away(&self.c_upper));
        let ends = here.x.iter().zip(self.lower.iter().zip(&self.upper));
        let (d_lower, d_upper): (Vec<f64>, Vec<f64>) =
            ends.map(|(x, (l, u))| (l - x, u - x)).unzip();
        let program = Quadratic {
            b: &model.hessian,
            g: &model.gradient,
            a: &here.j,
            lower: &lower,
            upper: &upper,
            d_lower: &d_lower,
            d_upper: &d_upper,
        };
        let Ok(solution) = program.solve_near(&self.active) else {
            return Taken::Nowhere;
        };
        if norm(&solution.d) > 2.0 * norm(&step.d) {
            return Taken::Nowhere;
        }
        let x = self.along(&here.x, &solution.d, 1.0);
        let mut c = vec![0.0; c.len()];
        match self.values(&x, &mut c) {
            Ok(f) if f + self.violations(&c) <= most => Taken::To(x, f, c, 1.0),
            Err(EvaluationError::Interrupted) => Taken::Interrupted,
            _ => Taken::Nowhere,
        }
    }

    fn along(&self, x: &[f64], d: &[f64], fraction: f64) -> Vec<f64> {
        let mut x: Vec<f64> = x.iter().zip(d).map(|(x, d)| x + fraction * d).collect();
        clip(&mut x, &self.lower, &self.upper);
        x
    }
}

/// c + J d.
fn linearized<'a>(here: &'a Here, d: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    let ahead = &here.j * DVector::from_column_slice(d);
    (0..here.c.len()).map(move |i| here.c[i] + ahead[i])
}
