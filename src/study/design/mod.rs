//! Optimal experiments: times of measurements, and doses or inputs, at which the data to come tell most of the parameters, judged at
//! given values of these (a locally optimal design: Chernoff 1953, doi 10.1214/aoms/1177728915; Atkinson, Donev & Tobias 2007).
//!
//! ```text
//! F(xi) = F_data + F_priors + sum over planned measurements of g g^T         minimize phi(F(xi)) over xi inside its bounds
//! dphi/dxi = 2 sum g^T (dphi/dF) dg/dxi
//! ```
//!
//! `information.rs` has g and dg/dxi, `criterion.rs` phi and dphi/dF. phi has many minima, so the search, by L-BFGS inside bounds,
//! begins at several points: the design of equidistant times, which the result is compared with, and those of a Latin hypercube.

mod criterion;
mod information;

use std::sync::atomic::{AtomicBool, Ordering};

use nalgebra::DMatrix;

use self::criterion::{Judged, judge};
use self::information::{Informant, PlannedRow};
use super::error::StudyError;
use super::fit_problem::evaluation_error;
use super::information::row_count;
use super::objective::Objective;
use super::variable::Variable;
use super::{Solving, Study, prior, scaling};
use crate::optimize::{
    EvaluationError, Outcome, Problem, Settings, Status, latin_hypercube, lbfgsb, multi_start,
};
use crate::scenario::{Design, DesignCriterion, Parameter};

/// Powers through which the search for the largest eigenvalue goes.
const POWERS: [f64; 4] = [4.0, 32.0, 256.0, 2048.0];
/// Times of a curve of sensitivities.
const GRID: usize = 201;

/// A planned experiment beside the one that it was compared with.
#[derive(Debug, Clone)]
pub struct DesignResult {
    /// names of the estimated parameters
    pub names: Vec<String>,
    /// names of those of interest
    pub interest: Vec<String>,
    /// what was made small
    pub criterion: DesignCriterion,
    /// the chosen times of each `sampling_times`, ascending
    pub times: Vec<Vec<f64>>,
    /// the equidistant times it was compared with
    pub times_before: Vec<Vec<f64>>,
    /// chosen parameters: name, value in the file, best value
    pub chosen: Vec<(String, f64, f64)>,
    /// what the scenario's data and priors alone tell
    pub data: Outlook,
    /// what they tell with the equidistant times and the file's values
    pub before: Outlook,
    /// what they tell with the plan
    pub after: Outlook,
    /// how much of the plan's information the design before has: by so many times it would have to be repeated less. det
    /// (C_after) / det (C_before) to the power of one over the number of parameters of interest, or the ratio of the traces or of
    /// the largest eigenvalues; 0 where the design before does not determine the parameters
    pub efficiency: f64,
    /// sensitivities along time under the plan
    pub sensitivities: Vec<Sensitivities>,
    /// criterion reached from each start (its logarithm), not finite where one failed
    pub starts: Vec<f64>,
    /// whether the best start converged
    pub converged: bool,
    /// whether the user ended it
    pub interrupted: bool,
}

/// What a design tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    /// det, trace or largest eigenvalue of the covariance of the parameters of interest (of relative errors where asked for);
    /// infinite where they are not determined
    pub criterion: f64,
    /// expected standard errors of all estimated parameters, natural scale; infinite where they are not determined
    pub standard_errors: Vec<f64>,
}

/// By how much a measurement of an observable would move with each parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensitivities {
    /// index of the sampling
    pub sampling: usize,
    /// index of the observable
    pub observable: usize,
    /// times
    pub t: Vec<f64>,
    /// by estimated parameter: dy/dtheta |theta| in units of the noise
    pub values: Vec<Vec<f64>>,
    /// the same at the chosen times
    pub at_times: Vec<Vec<f64>>,
}

/// Everything that stays the same through a search.
struct Setting<'a> {
    study: &'a Study,
    solving: Solving,
    design: &'a Design,
    estimated: Vec<usize>,
    /// places of the parameters of interest among the estimated
    interest: Vec<usize>,
    /// units of the estimated parameters
    sizes: Vec<f64>,
    /// parameters with the estimates, chosen ones as in the file
    p: Vec<f64>,
    /// information of data and priors, in those units
    base: DMatrix<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

/// Plans the experiments of `[design]` for the parameters `p` (natural scale). `stop` ends the work with the best so far.
///
/// # Errors
/// [`StudyError::Unsupported`] without `[design]`, with a mass matrix or without a plan that determines the parameters; those of
/// solves.
pub fn design(study: &Study, p: &[f64], stop: &AtomicBool) -> Result<DesignResult, StudyError> {
    let Some(design) = &study.scenario.design else {
        return Err(StudyError::Unsupported(
            "the scenario has no [design] table: it says what is to be planned".into(),
        ));
    };
    if study.equations.mass.is_some() {
        return Err(StudyError::Unsupported(
            "no design is planned for a scenario with [mass]: its sensitivities have no rates of change in closed form".into(),
        ));
    }
    let setting = Setting::new(study, design, p)?;
    let first = setting.equidistant();
    let dimension = first.len();
    let (lower, upper) = (vec![0.0; dimension], vec![1.0; dimension]);
    let starts = latin_hypercube(&first, &lower, &upper, design.starts, design.seed);
    let run = |_: usize, start: &[f64], stop: &AtomicBool| {
        let mut problem = DesignProblem {
            informant: setting.informant(Some(stop)),
            setting: &setting,
            power: None,
        };
        problem.minimize(start, stop)
    };
    let outcomes = multi_start(&starts, None, stop, run);
    let interrupted = stop.load(Ordering::Relaxed);
    let finite = |outcome: &Outcome| outcome.value.is_finite().then_some(outcome.value);
    let reached: Vec<f64> = outcomes
        .iter()
        .map(|o| o.outcome.as_ref().ok().and_then(finite).unwrap_or(f64::NAN))
        .collect();
    let best = (0..reached.len())
        .filter(|&i| reached[i].is_finite())
        .min_by(|&a, &b| reached[a].total_cmp(&reached[b]));
    let Some(Ok(best)) = best.map(|i| &outcomes[i].outcome) else {
        if interrupted {
            return Err(StudyError::Interrupted);
        }
        return Err(setting.no_plan(outcomes.first().map(|o| &o.outcome)));
    };
    let mut result = setting.result(&first, &best.theta)?;
    result.starts = reached;
    result.converged = matches!(
        best.status,
        Status::Converged | Status::SmallStep | Status::SmallChange
    );
    result.interrupted = interrupted;
    Ok(result)
}

impl<'a> Setting<'a> {
    fn new(study: &'a Study, design: &'a Design, p: &[f64]) -> Result<Self, StudyError> {
        let solving = Solving::choose(study)?;
        let variables = Variable::fitted(&study.scenario);
        let all = &study.scenario.parameters;
        let estimated: Vec<usize> = (0..all.len()).filter(|&i| all[i].fit).collect();
        let interest = if design.interest.is_empty() {
            (0..estimated.len()).collect()
        } else {
            let place = |i: &usize| estimated.iter().position(|e| e == i);
            design.interest.iter().filter_map(place).collect()
        };
        let sizes: Vec<f64> = estimated
            .iter()
            .map(|&i| match p[i].abs() {
                size if design.relative && size > 0.0 => size,
                _ => 1.0,
            })
            .collect();
        let m = estimated.len();
        let mut base = DMatrix::zeros(m, m);
        if design.include_data && study.measurements() > 0 {
            let height = row_count(study, &variables);
            let mut r = vec![0.0; height];
            let mut jacobian = vec![0.0; height * m];
            let mut objective = Objective::new(study, solving.clone(), None)?;
            objective.rows(p, &variables, &mut r, &mut jacobian)?;
            let j = DMatrix::from_column_slice(height, m, &jacobian);
            base = j.tr_mul(&j);
        } else {
            for (k, &i) in estimated.iter().enumerate() {
                let share = prior::share(&all[i], p[i]);
                base[(k, k)] = share.map_or(0.0, |share| share.residual_slope.powi(2));
            }
        }
        let base = DMatrix::from_fn(m, m, |a, b| base[(a, b)] * sizes[a] * sizes[b]);
        let dimension = design.sampling.iter().map(|s| s.number).sum::<usize>();
        let dimension = dimension + design.optimize.len();
        Ok(Self {
            study,
            solving,
            design,
            estimated,
            interest,
            sizes,
            p: p.to_vec(),
            base,
            lower: vec![0.0; dimension],
            upper: vec![1.0; dimension],
        })
    }

    fn informant<'s>(&'s self, stop: Option<&'s AtomicBool>) -> Informant<'s> {
        let parameters = (&self.estimated[..], &self.design.optimize[..]);
        Informant::new(self.study, &self.solving, stop, parameters)
    }

    fn chosen(&self) -> impl Iterator<Item = (usize, &'a Parameter)> {
        let all = &self.study.scenario.parameters;
        self.design.optimize.iter().map(move |&i| (i, &all[i]))
    }

    /// Equidistant times, and the file's values, as places between bounds.
    fn equidistant(&self) -> Vec<f64> {
        let mut theta = Vec::with_capacity(self.lower.len());
        for sampling in &self.design.sampling {
            let n = sampling.number;
            theta.extend((0..n).map(|k| match n {
                1 => 0.5,
                _ => k as f64 / (n - 1) as f64,
            }));
        }
        for (i, parameter) in self.chosen() {
            let [low, high] = scaling::scaled_bounds(parameter);
            let q = scaling::to_scaled(parameter, self.p[i]);
            theta.push(((q - low) / (high - low)).clamp(0.0, 1.0));
        }
        theta
    }

    /// Times and parameters of places between bounds.
    fn natural(&self, theta: &[f64]) -> (Vec<Vec<f64>>, Vec<f64>) {
        let mut places = theta.iter();
        let mut next = || places.next().copied().unwrap_or(0.0);
        let times = self.design.sampling.iter().map(|sampling| {
            let [low, high] = sampling.bounds;
            let time = |place: f64| (low * (1.0 - place) + high * place).clamp(low, high);
            (0..sampling.number).map(|_| time(next())).collect()
        });
        let times = times.collect();
        let mut p = self.p.clone();
        for (i, parameter) in self.chosen() {
            let [low, high] = scaling::scaled_bounds(parameter);
            let place = next();
            p[i] = scaling::to_natural(parameter, low * (1.0 - place) + high * place);
        }
        (times, p)
    }

    /// The information of rows with data and priors, in units of the parameters.
    fn information(&self, rows: &[PlannedRow]) -> DMatrix<f64> {
        let mut total = self.base.clone();
        for row in rows {
            for (a, size_a) in self.sizes.iter().enumerate() {
                for (b, size_b) in self.sizes.iter().enumerate() {
                    total[(a, b)] += row.g[a] * size_a * row.g[b] * size_b;
                }
            }
        }
        total
    }

    fn judge(&self, information: &DMatrix<f64>, power: Option<f64>) -> Option<Judged> {
        judge(information, &self.interest, self.design.criterion, power)
    }

    fn outlook(&self, information: &DMatrix<f64>) -> Outlook {
        let unknown = Outlook {
            criterion: f64::INFINITY,
            standard_errors: vec![f64::INFINITY; self.sizes.len()],
        };
        let Some(judged) = self.judge(information, None) else {
            return unknown;
        };
        let errors = self.sizes.iter().enumerate();
        Outlook {
            criterion: match self.design.criterion {
                DesignCriterion::E => judged.largest,
                DesignCriterion::D | DesignCriterion::A => judged.value.exp(),
            },
            standard_errors: errors
                .map(|(k, size)| judged.covariance[(k, k)].sqrt() * size)
                .collect(),
        }
    }

    fn no_plan(&self, first: Option<&Result<Outcome, EvaluationError>>) -> StudyError {
        let reason = match first {
            Some(Ok(Outcome {
                status: Status::Failed { reason },
                ..
            })) => reason.clone(),
            Some(Err(error)) => error.to_string(),
            _ => String::from("the criterion is not finite"),
        };
        StudyError::NoStartFinished {
            starts: self.design.starts,
            reason,
        }
    }

    fn result(&self, first: &[f64], best: &[f64]) -> Result<DesignResult, StudyError> {
        let mut informant = self.informant(None);
        let sampling = &self.design.sampling;
        let mut look = |theta: &[f64]| {
            let (times, p) = self.natural(theta);
            let rows = informant.rows(sampling, &times, &p);
            (times, p, rows)
        };
        let (mut times_before, _, rows) = look(first);
        let before = match rows {
            Ok(rows) => self.outlook(&self.information(&rows)),
            Err(StudyError::Interrupted) => return Err(StudyError::Interrupted),
            // a design that cannot even be solved for tells nothing
            Err(_) => self.outlook(&DMatrix::zeros(self.sizes.len(), self.sizes.len())),
        };
        let (mut times, p, rows) = look(best);
        let rows = rows?;
        let after = self.outlook(&self.information(&rows));
        for list in times.iter_mut().chain(&mut times_before) {
            list.sort_by(f64::total_cmp);
        }
        let ratio = after.criterion / before.criterion;
        let efficiency = match self.design.criterion {
            DesignCriterion::D => ratio.powf(1.0 / self.interest.len().max(1) as f64),
            DesignCriterion::A | DesignCriterion::E => ratio,
        };
        let all = &self.study.scenario.parameters;
        let name = |k: usize| all[self.estimated[k]].name.text.clone();
        let chosen = self.chosen();
        Ok(DesignResult {
            names: (0..self.sizes.len()).map(name).collect(),
            interest: self.interest.iter().map(|&k| name(k)).collect(),
            criterion: self.design.criterion,
            sensitivities: self.sensitivities(&times, &p)?,
            chosen: chosen
                .map(|(i, parameter)| (parameter.name.text.clone(), self.p[i], p[i]))
                .collect(),
            times,
            times_before,
            data: self.outlook(&self.base),
            before,
            after,
            efficiency,
            starts: Vec::new(),
            converged: false,
            interrupted: false,
        })
    }

    /// Sensitivities along time, of observables' values.
    fn sensitivities(
        &self,
        times: &[Vec<f64>],
        p: &[f64],
    ) -> Result<Vec<Sensitivities>, StudyError> {
        let sampling = &self.design.sampling;
        let grid: Vec<Vec<f64>> = sampling
            .iter()
            .map(|sampling| {
                let [low, high] = sampling.bounds;
                let place = |k: usize| k as f64 / (GRID - 1) as f64;
                let times = (0..GRID).map(|k| low * (1.0 - place(k)) + high * place(k));
                times.collect()
            })
            .collect();
        let mut informant = self.informant(None);
        // what cannot be computed on the way, such as a logarithm of nothing at the start, is left out of the curves
        let rows = informant.rows(sampling, &grid, p).unwrap_or_default();
        let at = informant.rows(sampling, times, p)?;
        let m = self.sizes.len();
        let mut all = Vec::new();
        for (s, sampling) in sampling.iter().enumerate() {
            for &observable in &sampling.observables {
                let collect = |rows: &[PlannedRow], count: usize| {
                    let mut values = vec![vec![0.0; count]; m];
                    let own = rows
                        .iter()
                        .filter(|row| row.place.0 == s && row.of == (observable, false));
                    for row in own {
                        for (k, values) in values.iter_mut().enumerate() {
                            let i = self.estimated[k];
                            let size = if self.p[i] == 0.0 {
                                1.0
                            } else {
                                self.p[i].abs()
                            };
                            values[row.place.1] = row.g[k] * size;
                        }
                    }
                    values
                };
                all.push(Sensitivities {
                    sampling: s,
                    observable,
                    t: grid[s].clone(),
                    values: collect(&rows, GRID),
                    at_times: collect(&at, sampling.number),
                });
            }
        }
        Ok(all)
    }
}

/// The criterion over the places of times and chosen parameters between their bounds.
struct DesignProblem<'s> {
    setting: &'s Setting<'s>,
    informant: Informant<'s>,
    power: Option<f64>,
}

impl DesignProblem<'_> {
    fn minimize(&mut self, start: &[f64], stop: &AtomicBool) -> Result<Outcome, EvaluationError> {
        let limits = Settings {
            max_iterations: 500,
            gradient_tolerance: 1e-7,
            ..Settings::default()
        };
        let mut each = |_: &_, _: &[f64]| !stop.load(Ordering::Relaxed);
        if self.setting.design.criterion != DesignCriterion::E {
            return Ok(lbfgsb(self, start, &limits, &mut each));
        }
        let mut theta = start.to_vec();
        let mut last = None;
        for power in POWERS {
            self.power = Some(power);
            let outcome = lbfgsb(self, &theta, &limits, &mut each);
            if !outcome.value.is_finite() {
                return Ok(outcome);
            }
            theta.clone_from(&outcome.theta);
            last = Some(outcome);
        }
        self.power = None;
        let value = self.value(&theta)?;
        last.map(|outcome| Outcome { value, ..outcome })
            .ok_or(EvaluationError::Interrupted)
    }
}

impl Problem for DesignProblem<'_> {
    fn dim(&self) -> usize {
        self.setting.lower.len()
    }

    fn bounds(&self) -> (&[f64], &[f64]) {
        (&self.setting.lower, &self.setting.upper)
    }

    fn value(&mut self, theta: &[f64]) -> Result<f64, EvaluationError> {
        let mut gradient = vec![0.0; theta.len()];
        self.value_gradient(theta, &mut gradient)
    }

    fn value_gradient(
        &mut self,
        theta: &[f64],
        gradient: &mut [f64],
    ) -> Result<f64, EvaluationError> {
        let setting = self.setting;
        let (times, p) = setting.natural(theta);
        let sampling = &setting.design.sampling;
        let rows = self.informant.rows(sampling, &times, &p);
        let rows = rows.map_err(evaluation_error)?;
        let information = setting.information(&rows);
        let Some(judged) = setting.judge(&information, self.power) else {
            let (measurements, parameters) = (
                times.iter().map(Vec::len).sum::<usize>(),
                setting.sizes.len(),
            );
            return Err(EvaluationError::Failed {
                reason: format!(
                    "measurements at {measurements} times do not determine {parameters} parameters: plan more, name more observables, or fit fewer parameters"
                ),
            });
        };
        gradient.fill(0.0);
        let mut first_of = vec![0];
        for sampling in sampling {
            first_of.push(first_of[first_of.len() - 1] + sampling.number);
        }
        let of_times = first_of[sampling.len()];
        let sizes = &setting.sizes;
        for row in &rows {
            // 2 g^T (dphi/dF), in natural units
            let pull: Vec<f64> = (0..sizes.len())
                .map(|a| {
                    let terms =
                        (0..sizes.len()).map(|b| judged.slope[(a, b)] * row.g[b] * sizes[b]);
                    2.0 * terms.sum::<f64>() * sizes[a]
                })
                .collect();
            let along = |by: &[f64]| pull.iter().zip(by).map(|(a, b)| a * b).sum::<f64>();
            let (s, k) = row.place;
            let [low, high] = sampling[s].bounds;
            gradient[first_of[s] + k] += along(&row.by_time) * (high - low);
            for (c, (i, parameter)) in setting.chosen().enumerate() {
                let [low, high] = scaling::scaled_bounds(parameter);
                let slope = scaling::slope(parameter, p[i]) * (high - low);
                gradient[of_times + c] += along(&row.by_chosen[c]) * slope;
            }
        }
        Ok(judged.value)
    }
}
