//! Tuning as a problem for SQP: variables on their search scales, rows of all plants, epigraph variables.

use std::sync::atomic::{AtomicBool, Ordering};

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::directions::Cuts;
use super::margins::{Margin, is_margin};
use super::plants::{MOST_PLANTS, plants};
use crate::diagnostic::Diagnostic;
use crate::model::PathBounds;
use crate::optimize::{Constrained, EvaluationError};
use crate::scenario::{Aggregate, KnotShape, Parameter, Requirement, SignalKind, TuneSettings};
use crate::study::error::StudyError;
use crate::study::functional::FunctionalStudy;
use crate::study::scaling;
use crate::study::variable::Variable;
use crate::study::{Solving, Study};

/// Windows of path constraints at least.
const WINDOWS: usize = 20;

/// What a row of constraints is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Row {
    /// of a requirement; `idle` is what stands there where nothing binds
    Requirement { which: usize, idle: Option<f64> },
    /// a plant's objective below the epigraph's variable
    Epigraph,
}

pub(super) struct TuneProblem<'a> {
    pub study: &'a Study,
    pub solving: Solving,
    pub settings: &'a TuneSettings,
    /// what is found
    pub variables: Vec<Variable>,
    /// their parameters
    pub indices: Vec<usize>,
    /// all functionals: the objective, constraints, terminal ones, paths
    pub functional: FunctionalStudy,
    /// bounds on the linearized loop, whose rows are behind those
    margins: Vec<Margin>,
    pub plants: Vec<Vec<(usize, f64)>>,
    /// (kind, requirement)
    pub requirements: Vec<(&'static str, &'a Requirement)>,
    /// by row of the functional behind the objective
    pub rows: Vec<Row>,
    lower: Vec<f64>,
    upper: Vec<f64>,
    c_lower: Vec<f64>,
    c_upper: Vec<f64>,
    stop: &'a AtomicBool,
    /// why the last evaluation failed
    pub error: Option<StudyError>,
    /// whether second derivatives were found wanting
    no_hessian: bool,
    /// where the run is cut, and in which pieces each functional is read, if that is in one or two
    pub cuts: Option<(Cuts, Vec<Option<[usize; 2]>>)>,
}

impl<'a> TuneProblem<'a> {
    pub fn new(study: &'a Study, stop: &'a AtomicBool) -> Result<Self, StudyError> {
        let scenario = &study.scenario;
        let Some(settings) = &scenario.tune else {
            let text = "the scenario has no [tune]: add `minimize = \"integral(x^2)\"` there, and `tune = true` to what is to be found";
            return Err(StudyError::Unsupported(text.into()));
        };
        let windows = windows(study);
        let (functional, margins) = compiled(study, settings).map_err(findings)?;
        if functional.uses_data() {
            return Err(StudyError::Unsupported(
                "`objective()` is what `fit` makes small; [tune] takes functionals of a run".into(),
            ));
        }
        let mut requirements: Vec<(&'static str, &Requirement)> = Vec::new();
        let of_loops = |c: &&Requirement| is_margin(&c.expression);
        let of_runs = settings.constraints.iter().filter(|c| !of_loops(c));
        requirements.extend(of_runs.map(|c| ("constraint", c)));
        requirements.extend(settings.terminal.iter().map(|c| ("terminal", c)));
        let mut one: Vec<(Row, [f64; 2])> = Vec::new();
        for (which, (_, requirement)) in requirements.iter().enumerate() {
            one.push((Row::Requirement { which, idle: None }, requirement.bounds));
        }
        for path in &settings.path {
            let which = requirements.len();
            requirements.push(("path", path));
            let [lower, upper] = path.bounds;
            for _ in 0..=windows {
                one.push((Row::Requirement { which, idle: None }, path.bounds));
            }
            for (bound, off) in [(upper, -1.0), (lower, 1.0)] {
                if bound.is_finite() && lower != upper {
                    let idle = Some(bound + off);
                    let bounds = match off < 0.0 {
                        true => [f64::NEG_INFINITY, upper],
                        false => [lower, f64::INFINITY],
                    };
                    let row = (Row::Requirement { which, idle }, bounds);
                    one.extend(std::iter::repeat_n(row, windows));
                }
            }
        }
        for own in settings.constraints.iter().filter(of_loops) {
            let which = requirements.len();
            requirements.push(("constraint", own));
            one.push((Row::Requirement { which, idle: None }, own.bounds));
        }
        let Some(plants) = plants(settings.ensemble.as_ref()) else {
            return Err(StudyError::Unsupported(format!(
                "the ensemble has more than {MOST_PLANTS} plants: take fewer samples or shorter lists"
            )));
        };
        let indices: Vec<usize> = (0..scenario.parameters.len())
            .filter(|&k| scenario.parameters[k].tune)
            .collect();
        let mut problem = Self {
            solving: Solving::choose(study)?,
            study,
            settings,
            variables: indices.iter().map(|&k| Variable::Parameter(k)).collect(),
            functional,
            margins,
            requirements,
            rows: Vec::new(),
            lower: Vec::new(),
            upper: Vec::new(),
            c_lower: Vec::new(),
            c_upper: Vec::new(),
            stop,
            error: None,
            no_hessian: false,
            cuts: None,
            indices,
            plants,
        };
        for &k in &problem.indices {
            let [lower, upper] = scaling::scaled_bounds(&scenario.parameters[k]);
            problem.lower.push(lower);
            problem.upper.push(upper);
        }
        for _ in 0..problem.plants.len() {
            if problem.epigraph() {
                problem.rows.push(Row::Epigraph);
                problem.c_lower.push(f64::NEG_INFINITY);
                problem.c_upper.push(0.0);
            }
            for &(row, [lower, upper]) in &one {
                problem.rows.push(row);
                problem.c_lower.push(lower);
                problem.c_upper.push(upper);
            }
        }
        let extra = problem.extra();
        problem.lower.extend((0..extra).map(|k| match k {
            0 => f64::NEG_INFINITY,
            _ => 0.0,
        }));
        problem
            .upper
            .extend(std::iter::repeat_n(f64::INFINITY, extra));
        Ok(problem)
    }

    fn aggregate(&self) -> Aggregate {
        match &self.settings.ensemble {
            Some(ensemble) => ensemble.aggregate,
            None => Aggregate::Mean,
        }
    }

    fn epigraph(&self) -> bool {
        self.aggregate() != Aggregate::Mean
    }

    /// Variables of the epigraph.
    fn extra(&self) -> usize {
        match self.aggregate() {
            Aggregate::Mean => 0,
            Aggregate::Worst => 1,
            Aggregate::Cvar(_) => 1 + self.plants.len(),
        }
    }

    fn parameter(&self, k: usize) -> &Parameter {
        &self.study.scenario.parameters[self.indices[k]]
    }

    /// Forgets what an earlier search met.
    pub fn begin(&mut self) {
        self.error = None;
        self.no_hessian = false;
    }

    /// The file's values of what is found, on the search scale.
    pub fn given(&self) -> Vec<f64> {
        (0..self.indices.len())
            .map(|k| scaling::to_scaled(self.parameter(k), self.parameter(k).value))
            .collect()
    }

    /// Bounds of what is found, on the search scale.
    pub fn variable_bounds(&self) -> (&[f64], &[f64]) {
        let n = self.indices.len();
        (&self.lower[..n], &self.upper[..n])
    }

    /// A first guess with epigraph variables at what makes their rows feasible.
    pub fn start(&mut self, mut x: Vec<f64>) -> Result<Vec<f64>, StudyError> {
        let extra = self.extra();
        x.extend(std::iter::repeat_n(0.0, extra));
        if extra > 0 {
            let n = self.indices.len();
            let objectives: Vec<f64> = self.evaluate(&x)?.iter().map(|v| v[0]).collect();
            let level = match self.aggregate() {
                Aggregate::Cvar(level) => level,
                _ => 1.0,
            };
            let mut sorted = objectives.clone();
            sorted.sort_by(f64::total_cmp);
            let last = sorted.len() - 1;
            let place = (level * sorted.len() as f64).floor() as usize;
            x[n] = sorted[place.min(last)];
            for (k, y) in objectives.iter().enumerate().take(extra - 1) {
                x[n + 1 + k] = (y - x[n]).max(0.0);
            }
        }
        Ok(x)
    }

    /// Natural values of what is found.
    pub fn natural(&self, x: &[f64]) -> Vec<f64> {
        (0..self.indices.len())
            .map(|k| scaling::to_natural(self.parameter(k), x[k]))
            .collect()
    }

    /// d natural / d scaled.
    pub fn slopes(&self, theta: &[f64]) -> Vec<f64> {
        theta
            .iter()
            .enumerate()
            .map(|(k, &v)| scaling::slope(self.parameter(k), v))
            .collect()
    }

    /// All parameters with these natural values.
    pub fn parameters(&self, theta: &[f64]) -> Vec<f64> {
        let mut p = self.study.values();
        for (&k, &v) in self.indices.iter().zip(theta) {
            p[k] = v;
        }
        p
    }

    /// The same of a plant.
    pub fn of_plant(&self, theta: &[f64], plant: &[(usize, f64)]) -> Vec<f64> {
        let mut p = self.parameters(theta);
        for &(k, value) in plant {
            p[k] = value;
        }
        p
    }

    /// Work on all plants, in parallel where there are several, in their order.
    fn each<T: Send>(
        &self,
        x: &[f64],
        work: impl Fn(usize, &[f64]) -> Result<T, StudyError> + Sync,
    ) -> Result<Vec<T>, StudyError> {
        let theta = self.natural(x);
        let one = |k: usize| {
            if self.stop.load(Ordering::Relaxed) {
                return Err(StudyError::Interrupted);
            }
            work(k, &self.of_plant(&theta, &self.plants[k]))
        };
        let count = self.plants.len();
        match count {
            1 => Ok(vec![one(0)?]),
            _ => (0..count).into_par_iter().map(one).collect(),
        }
    }

    /// All functionals of all plants.
    pub fn evaluate(&self, x: &[f64]) -> Result<Vec<Vec<f64>>, StudyError> {
        self.each(x, |_, p| {
            let mut all = self.functional.values(self.study, &self.solving, p)?;
            for margin in &self.margins {
                all.push(margin.at(self.study, p)?.0);
            }
            Ok(all)
        })
    }

    /// The multipliers of the rows of plant k.
    fn own<'m>(&self, k: usize, multipliers: &'m [f64]) -> &'m [f64] {
        let per_plant = self.rows.len() / self.plants.len();
        &multipliers[k * per_plant..(k + 1) * per_plant]
    }

    /// Multipliers and margins of plant k.
    fn margins_of<'m>(
        &'m self,
        k: usize,
        multipliers: &'m [f64],
    ) -> impl Iterator<Item = (f64, &'m Margin)> {
        let own = self.own(k, multipliers);
        let last = own[own.len() - self.margins.len()..].iter().copied();
        last.zip(&self.margins).filter(|(lambda, _)| *lambda != 0.0)
    }

    /// The gradient of a margin of plant k on the search scale.
    fn margin_slopes(&self, k: usize, margin: &Margin, x: &[f64]) -> Result<Vec<f64>, StudyError> {
        let theta = self.natural(x);
        let (_, all) = margin.at(self.study, &self.of_plant(&theta, &self.plants[k]))?;
        let slopes = self.slopes(&theta);
        let own = self.indices.iter().zip(slopes);
        Ok(own.map(|(&i, slope)| all[i] * slope).collect())
    }

    /// Adds the second derivatives of the margins, weighted, as differences of the first.
    fn add_margins(
        &self,
        x: &[f64],
        multipliers: &[f64],
        hessian: &mut DMatrix<f64>,
    ) -> Result<(), StudyError> {
        for k in 0..self.plants.len() {
            for (lambda, margin) in self.margins_of(k, multipliers) {
                for j in 0..self.indices.len() {
                    let h = 1e-5 * x[j].abs().max(1.0);
                    let at = |sign: f64| {
                        let mut moved = x.to_vec();
                        moved[j] += sign * h;
                        self.margin_slopes(k, margin, &moved)
                    };
                    let (after, before) = (at(1.0)?, at(-1.0)?);
                    for (i, (a, b)) in after.iter().zip(before).enumerate() {
                        let half = 0.5 * lambda * (a - b) / (2.0 * h);
                        hessian[(i, j)] += half;
                        hessian[(j, i)] += half;
                    }
                }
            }
        }
        Ok(())
    }

    /// The objective at a point, its epigraph variables being what they must.
    pub fn aggregate_of(&self, x: &[f64]) -> Result<f64, StudyError> {
        let all: Vec<f64> = self.evaluate(x)?.iter().map(|values| values[0]).collect();
        let count = all.len() as f64;
        Ok(match self.aggregate() {
            Aggregate::Mean => all.iter().sum::<f64>() / count,
            Aggregate::Worst => all.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Aggregate::Cvar(level) => {
                let s = x[self.indices.len()];
                let beyond: f64 = all.iter().map(|j| (j - s).max(0.0)).sum();
                s + beyond / ((1.0 - level) * count)
            }
        })
    }

    /// Weights of the functionals of plant k in f + lambda'c.
    fn weights(&self, k: usize, multipliers: &[f64]) -> Vec<f64> {
        let count = self.functional.count();
        let own = self.own(k, multipliers);
        let own = &own[..own.len() - self.margins.len()];
        let mut weights = Vec::with_capacity(count);
        match self.epigraph() {
            true => weights.extend_from_slice(own),
            false => {
                weights.push(1.0 / self.plants.len() as f64);
                weights.extend_from_slice(own);
            }
        }
        weights
    }

    fn failed(&mut self, error: StudyError) -> EvaluationError {
        let reason = error.to_string();
        let interrupted = error == StudyError::Interrupted;
        self.error = Some(error);
        match interrupted {
            true => EvaluationError::Interrupted,
            false => EvaluationError::Failed { reason },
        }
    }

    /// dJ*/dp of what was held.
    pub fn sensitivities(
        &self,
        found: &Found<'_>,
        held: &[Variable],
    ) -> Result<Vec<f64>, StudyError> {
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let parts = self.each(found.x, |k, p| {
            let weights = self.weights(k, found.multipliers);
            let mut own =
                self.functional
                    .weighted_gradient(self.study, &self.solving, p, held, &weights)?;
            for (lambda, margin) in self.margins_of(k, found.multipliers) {
                let (_, slopes) = margin.at(self.study, p)?;
                for (g, variable) in own.iter_mut().zip(held) {
                    if let Variable::Parameter(i) = *variable {
                        *g += lambda * slopes[i];
                    }
                }
            }
            // what a plant has of its own does not follow the file's value
            for (g, variable) in own.iter_mut().zip(held) {
                let varied = |&(index, _): &(usize, f64)| *variable == Variable::Parameter(index);
                if self.plants[k].iter().any(varied) {
                    *g = 0.0;
                }
            }
            Ok(own)
        })?;
        let mut total = vec![0.0; held.len()];
        for part in parts {
            for (t, p) in total.iter_mut().zip(part) {
                *t += p;
            }
        }
        Ok(total)
    }

    /// The Hamiltonian of the first plant at times, with the states there and their costates.
    pub fn hamiltonian(
        &self,
        found: &Found<'_>,
        points: &[(f64, Vec<f64>, Vec<f64>)],
    ) -> Result<Vec<f64>, StudyError> {
        let p = self.of_plant(&self.natural(found.x), &self.plants[0]);
        let weights = self.weights(0, found.multipliers);
        self.functional
            .hamiltonian(self.study, &self.solving, &p, &weights, points)
    }
}

/// A point with multipliers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    /// on the search scale, epigraph variables behind
    pub x: &'a [f64],
    /// of the constraints
    pub multipliers: &'a [f64],
}

/// What a run is read for: the objective, constraints, terminal ones and paths; and what its linearization is.
pub(super) fn compiled(
    study: &Study,
    settings: &TuneSettings,
) -> Result<(FunctionalStudy, Vec<Margin>), Vec<Diagnostic>> {
    let windows = windows(study);
    let mut expressions = vec![&settings.minimize];
    let (of_loops, of_runs): (Vec<&Requirement>, Vec<&Requirement>) =
        (settings.constraints.iter()).partition(|c| is_margin(&c.expression));
    expressions.extend(of_runs.iter().map(|c| &c.expression));
    let finals: Vec<_> = settings
        .terminal
        .iter()
        .map(|terminal| at_the_end(&terminal.expression))
        .collect();
    expressions.extend(&finals);
    let paths: Vec<PathBounds<'_>> = settings
        .path
        .iter()
        .map(|path| PathBounds {
            expression: &path.expression,
            bounds: path.bounds,
            windows,
        })
        .collect();
    let functional = FunctionalStudy::several(study, &expressions, &paths, None);
    let mut wrong = Vec::new();
    let mut margins = Vec::new();
    for own in of_loops {
        match Margin::new(study, &own.expression) {
            Ok(margin) => margins.push(margin),
            Err(found) => wrong.extend(found),
        }
    }
    match functional {
        Ok(functional) if wrong.is_empty() => Ok((functional, margins)),
        Ok(_) => Err(wrong),
        Err(mut found) => {
            found.extend(wrong);
            Err(found)
        }
    }
}

/// `final(e)`.
fn at_the_end(e: &crate::model::Expression) -> crate::model::Expression {
    crate::model::Expression {
        kind: crate::model::ExpressionKind::Call(
            "final".to_owned(),
            e.span.clone(),
            vec![e.clone()],
        ),
        span: e.span.clone(),
    }
}

pub(super) fn findings(found: Vec<Diagnostic>) -> StudyError {
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    StudyError::Unsupported(texts.join("\n"))
}

/// Windows of path constraints: those between knots of the finest control, halved until there are enough.
pub(super) fn windows(study: &Study) -> usize {
    let intervals = study.scenario.signals.iter().filter_map(|s| match s.kind {
        SignalKind::Knots { shape, count, .. } => Some(match shape {
            KnotShape::Constant => count,
            KnotShape::Linear | KnotShape::Cubic => count - 1,
        }),
        _ => None,
    });
    let finest = intervals.max().unwrap_or(WINDOWS).max(1);
    finest * WINDOWS.div_ceil(finest)
}

impl Constrained for TuneProblem<'_> {
    fn dim(&self) -> usize {
        self.lower.len()
    }

    fn constraints(&self) -> usize {
        self.rows.len()
    }

    fn bounds(&self) -> (&[f64], &[f64]) {
        (&self.lower, &self.upper)
    }

    fn constraint_bounds(&self) -> (&[f64], &[f64]) {
        (&self.c_lower, &self.c_upper)
    }

    fn values(&mut self, x: &[f64], c: &mut [f64]) -> Result<f64, EvaluationError> {
        let all = match self.evaluate(x) {
            Ok(all) => all,
            Err(error) => return Err(self.failed(error)),
        };
        let n = self.indices.len();
        let count = all.len() as f64;
        let mut row = 0;
        let mut total = 0.0;
        for (k, values) in all.iter().enumerate() {
            match self.aggregate() {
                Aggregate::Mean => total += values[0] / count,
                Aggregate::Worst => {
                    c[row] = values[0] - x[n];
                    row += 1;
                }
                Aggregate::Cvar(level) => {
                    c[row] = values[0] - x[n] - x[n + 1 + k];
                    total += x[n + 1 + k] / ((1.0 - level) * count);
                    row += 1;
                }
            }
            for value in &values[1..] {
                c[row] = *value;
                row += 1;
            }
        }
        if self.epigraph() {
            total += x[n];
        }
        Ok(total)
    }

    fn derivatives(
        &mut self,
        x: &[f64],
        gradient: &mut [f64],
        jacobian: &mut DMatrix<f64>,
    ) -> Result<(), EvaluationError> {
        let all = self.each(x, |_, p| {
            let own = self.rows_of_run(p)?;
            let first = own.nrows();
            let mut own = own.resize_vertically(first + self.margins.len(), 0.0);
            for (row, margin) in self.margins.iter().enumerate() {
                let (_, slopes) = margin.at(self.study, p)?;
                for (column, &i) in self.indices.iter().enumerate() {
                    own[(first + row, column)] = slopes[i];
                }
            }
            Ok(own)
        });
        let all = match all {
            Ok(all) => all,
            Err(error) => return Err(self.failed(error)),
        };
        let n = self.indices.len();
        let slopes = self.slopes(&self.natural(x));
        let count = all.len() as f64;
        gradient.fill(0.0);
        jacobian.fill(0.0);
        let mut row = 0;
        for (k, own) in all.iter().enumerate() {
            match self.aggregate() {
                Aggregate::Mean => {
                    for j in 0..n {
                        gradient[j] += own[(0, j)] * slopes[j] / count;
                    }
                }
                aggregate => {
                    for j in 0..n {
                        jacobian[(row, j)] = own[(0, j)] * slopes[j];
                    }
                    jacobian[(row, n)] = -1.0;
                    if let Aggregate::Cvar(level) = aggregate {
                        jacobian[(row, n + 1 + k)] = -1.0;
                        gradient[n + 1 + k] = 1.0 / ((1.0 - level) * count);
                    }
                    row += 1;
                }
            }
            for i in 1..own.nrows() {
                for j in 0..n {
                    jacobian[(row, j)] = own[(i, j)] * slopes[j];
                }
                row += 1;
            }
        }
        if self.epigraph() {
            gradient[n] = 1.0;
        }
        Ok(())
    }

    fn hessian(
        &mut self,
        x: &[f64],
        multipliers: &[f64],
        hessian: &mut DMatrix<f64>,
    ) -> Result<bool, EvaluationError> {
        if self.no_hessian {
            return Ok(false);
        }
        let all = self.each(x, |k, p| {
            self.hessian_of_run(p, &self.weights(k, multipliers))
        });
        let all = match all {
            Ok(all) => all,
            Err(StudyError::Interrupted) => return Err(EvaluationError::Interrupted),
            Err(_) => {
                self.no_hessian = true;
                return Ok(false);
            }
        };
        let n = self.indices.len();
        let theta = self.natural(x);
        let slopes = self.slopes(&theta);
        hessian.fill(0.0);
        for (gradient, own) in &all {
            for i in 0..n {
                for j in 0..n {
                    hessian[(i, j)] += slopes[i] * slopes[j] * own[(i, j)];
                }
                hessian[(i, i)] += scaling::curvature(self.parameter(i), theta[i]) * gradient[i];
            }
        }
        if !self.margins.is_empty() && self.add_margins(x, multipliers, hessian).is_err() {
            self.no_hessian = true;
            return Ok(false);
        }
        Ok(true)
    }
}
