//! Multiple shooting (Bock 1983): a run cut into pieces, each with initial states of its own, so that a trajectory which begins wrong
//! cannot run away from the data before the parameters have been mended.
//!
//! Unknowns are the search-scale parameters q and the states s_k at the cuts, first taken from the data where a state is measured. With
//! the gaps d_k = x(t_k; s_{k-1}, q) - s_k, what is minimized is the objective plus |d / (delta size)|^2 / 2, as if the model itself erred
//! by the part delta of each state's size, for a falling sequence of delta, each from where the last arrived (Turan and Jaeschke 2021).
//! In the end the pieces are one run, and an ordinary fit goes on from q.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::any_solver::{ANY_WIDTH, StudyScalar};
use super::error::StudyError;
use super::fit_problem::evaluation_error;
use super::lane::checked_share;
use super::run::Run;
use super::variable::Variable;
use super::{Solving, Study, prior, row_count, scaling};
use crate::model::graph::{InputId, STATES};
use crate::optimize::{
    EvaluationError, LeastSquares, Problem, Progress, Settings, levenberg_marquardt,
};
use crate::scenario::Parameter;
use costate_adjoint::Dual;
use costate_solvers::record::Samples;

type D = Dual<ANY_WIDTH>;

/// The parts of the states' sizes by which the model may err, one after another.
const MODEL_ERRORS: [f64; 5] = [0.3, 0.1, 0.03, 0.01, 1e-3];
/// Iterations with each.
const ITERATIONS: usize = 40;

/// A piece of an experiment's run.
#[derive(Debug, Clone)]
struct Piece {
    experiment: usize,
    start: f64,
    end: f64,
    /// its measurements in the experiment's plan
    measurements: Range<usize>,
    /// the first time in the plan that is read in it
    first_sample: usize,
    /// where it starts: a cut, or the experiment's own start
    from: Option<usize>,
    /// the cut at which it ends
    to: Option<usize>,
}

/// The work of multiple shooting on one study.
pub(super) struct Shooting<'a> {
    study: &'a Study,
    solving: Solving,
    stop: &'a AtomicBool,
    variables: &'a [Variable],
    pieces: Vec<Piece>,
    /// of the parameters, then of the states at cuts over their sizes
    bounds: (Vec<f64>, Vec<f64>),
    /// by state
    sizes: Vec<f64>,
    /// now
    model_error: f64,
    plain: Engine<f64>,
    dual: Engine<D>,
}

/// What one scalar needs.
struct Engine<S: StudyScalar> {
    run: Run<S>,
    samples: Vec<Samples<S>>,
    parameters: Vec<S>,
    outputs: Vec<S>,
}

impl<S: StudyScalar> Engine<S> {
    fn new(study: &Study, pieces: &[Piece]) -> Result<Self, StudyError> {
        let samples = pieces.iter().map(|piece| {
            let times = &study.plans[piece.experiment].times;
            let read = times_of(study, piece).map(|k| S::from(times[k])).collect();
            Samples::new(read).map_err(|error| study.run_error(error, piece.experiment))
        });
        Ok(Self {
            run: Run::new(&study.equations),
            samples: samples.collect::<Result<_, _>>()?,
            parameters: vec![S::from(0.0); study.scenario.parameters.len()],
            outputs: vec![S::from(0.0); 2 * study.scenario.observables.len()],
        })
    }

    /// Solves piece `index` from the states that `begin` sets, and tells each measurement's value and scale.
    fn solve(
        &mut self,
        study: &Study,
        solving: &Solving,
        stop: &AtomicBool,
        (index, piece): (usize, &Piece),
        begin: impl FnOnce(&mut [S]),
        mut each: impl FnMut(usize, S, S) -> Result<(), StudyError>,
    ) -> Result<(), StudyError> {
        let fail = |error| study.run_error(error, piece.experiment);
        let run = &mut self.run;
        run.prepare(piece.experiment, &self.parameters, piece.start, piece.end)
            .map_err(fail)?;
        begin(&mut run.x);
        let samples = &mut self.samples[index];
        let recorder = &mut *samples;
        run.solve(solving.stepper, &solving.options, Some(stop), recorder)
            .map_err(fail)?;
        let plan = &study.plans[piece.experiment];
        let count = study.scenario.observables.len();
        let mut observed = usize::MAX;
        for m in piece.measurements.clone() {
            let measurement = plan.measurements[m];
            let sample = measurement.sample - piece.first_sample;
            if sample >= samples.len() {
                return Err(StudyError::Unsupported(TERMINAL.into()));
            }
            if observed != sample {
                observed = sample;
                let t = plan.times[measurement.sample];
                run.observe(t, samples.state(sample), &mut self.outputs)
                    .map_err(fail)?;
            }
            let y = self.outputs[measurement.observable];
            let own = self.outputs[count + measurement.observable];
            each(m, y, measurement.sigma.map_or(own, S::from))?;
        }
        Ok(())
    }
}

const TERMINAL: &str = "multiple shooting through an event that ends the run";

/// The times of the plan that are read in a piece.
fn times_of(study: &Study, piece: &Piece) -> Range<usize> {
    let measurements = &study.plans[piece.experiment].measurements;
    match piece.measurements.clone().last() {
        Some(last) => piece.first_sample..measurements[last].sample + 1,
        None => 0..0,
    }
}

impl<'a> Shooting<'a> {
    /// Cuts each experiment's run into `count` pieces with about as many measurement times each.
    pub fn new(
        study: &'a Study,
        solving: Solving,
        variables: &'a [Variable],
        bounds: (&'a [f64], &'a [f64]),
        count: usize,
        stop: &'a AtomicBool,
    ) -> Result<Self, StudyError> {
        let model = study.equations.model();
        if model.discrete.iter().any(|&discrete| discrete) {
            return Err(StudyError::Unsupported(
                "multiple shooting with discrete states: the pieces would not know their values"
                    .into(),
            ));
        }
        if study.equations.lags.is_some() {
            return Err(StudyError::Unsupported(
                "multiple shooting with `delay`: the pieces would not know their past".into(),
            ));
        }
        let pieces = cut(study, count);
        let cuts = pieces.iter().filter(|piece| piece.to.is_some()).count();
        let open = |bound: &[f64], beyond| {
            let mut all = bound.to_vec();
            all.resize(bound.len() + cuts * study.equations.states(), beyond);
            all
        };
        Ok(Self {
            plain: Engine::new(study, &pieces)?,
            dual: Engine::new(study, &pieces)?,
            study,
            solving,
            stop,
            variables,
            bounds: (
                open(bounds.0, f64::NEG_INFINITY),
                open(bounds.1, f64::INFINITY),
            ),
            model_error: 1.0,
            sizes: vec![1.0; study.equations.states()],
            pieces,
        })
    }

    /// A better start: search-scale parameters from which one run follows the data; `None` where none was found.
    pub fn improve(&mut self, theta: &[f64]) -> Option<Vec<f64>> {
        let cuts = self.first_cuts(theta);
        self.sizes = sizes(&cuts, self.sizes.len());
        let mut point = theta.to_vec();
        for cut in &cuts {
            point.extend(cut.iter().zip(&self.sizes).map(|(s, size)| s / size));
        }
        let settings = Settings {
            max_iterations: ITERATIONS,
            gradient_tolerance: 1e-4,
            value_tolerance: 1e-6,
            ..Settings::default()
        };
        let stop = self.stop;
        for model_error in MODEL_ERRORS {
            self.model_error = model_error;
            let mut each = |_: &Progress, _: &[f64]| !stop.load(Ordering::Relaxed);
            let outcome = levenberg_marquardt(self, &point, &settings, &mut each);
            if !outcome.value.is_finite() || stop.load(Ordering::Relaxed) {
                return None;
            }
            point = outcome.theta;
        }
        point.truncate(theta.len());
        Some(point)
    }

    /// States at the cuts: measured ones between the measurements beside the cut, others from the run at `theta` as far as it goes.
    fn first_cuts(&mut self, theta: &[f64]) -> Vec<Vec<f64>> {
        let p = self.parameters(theta);
        self.plain.parameters.copy_from_slice(&p);
        let model = self.study.equations.model();
        let state_of: Vec<Option<usize>> = model
            .observables
            .iter()
            .map(|observable| match model.graph.input_of(observable.value) {
                Some(InputId {
                    group: STATES,
                    index,
                }) => Some(index as usize),
                _ => None,
            })
            .collect();
        let count = self.pieces.iter().filter_map(|p| p.to).max();
        let mut cuts = vec![Vec::new(); count.map_or(0, |last| last + 1)];
        let pieces = std::mem::take(&mut self.pieces);
        for (index, piece) in pieces.iter().enumerate() {
            let Some(to) = piece.to else { continue };
            let from = piece.from.map(|from| cuts[from].clone());
            let begin = |x: &mut [f64]| {
                if let Some(from) = from {
                    x.copy_from_slice(&from);
                }
            };
            let (study, solving) = (self.study, &self.solving);
            let solved = self.plain.solve(
                study,
                solving,
                self.stop,
                (index, piece),
                begin,
                |_, _, _| Ok(()),
            );
            let mut states = self.plain.run.x.clone();
            if solved.is_err() || states.iter().any(|x| !x.is_finite()) {
                // what it began with: the run from there does not get this far
                let again = self.plain.run.prepare(
                    piece.experiment,
                    &self.plain.parameters,
                    piece.start,
                    piece.end,
                );
                if again.is_ok() {
                    states.copy_from_slice(&self.plain.run.x);
                }
            }
            let plan = &study.plans[piece.experiment];
            for (observable, state) in state_of.iter().enumerate() {
                let Some(state) = *state else { continue };
                let mut before = None;
                let mut after = None;
                for m in plan
                    .measurements
                    .iter()
                    .filter(|m| m.observable == observable)
                {
                    let t = plan.times[m.sample];
                    if (t - piece.start) / (piece.end - piece.start) <= 1.0 {
                        before = Some((t, m.value));
                    } else {
                        after = after.or(Some((t, m.value)));
                    }
                }
                states[state] = match (before, after) {
                    (Some((t0, x0)), Some((t1, x1))) => {
                        x0 + (x1 - x0) * (piece.end - t0) / (t1 - t0)
                    }
                    (Some((_, x)), None) | (None, Some((_, x))) => x,
                    (None, None) => states[state],
                };
            }
            cuts[to] = states;
        }
        self.pieces = pieces;
        cuts
    }

    fn fitted(&self) -> impl Iterator<Item = (usize, &'a Parameter)> + use<'a> {
        let parameters = &self.study.scenario.parameters;
        self.variables.iter().filter_map(move |v| match *v {
            Variable::Parameter(i) => Some((i, &parameters[i])),
            Variable::Initial(_) | Variable::Start | Variable::End => None,
        })
    }

    /// All parameters, natural.
    fn parameters(&self, theta: &[f64]) -> Vec<f64> {
        let mut p = self.study.values();
        for ((i, parameter), &q) in self.fitted().zip(theta) {
            p[i] = scaling::to_natural(parameter, q);
        }
        p
    }

    /// The state at a cut.
    fn cut_of(&self, point: &[f64], cut: usize) -> Vec<f64> {
        let n = self.sizes.len();
        let scaled = &point[self.variables.len() + cut * n..][..n];
        scaled
            .iter()
            .zip(&self.sizes)
            .map(|(s, size)| s * size)
            .collect()
    }
}

impl Problem for Shooting<'_> {
    fn dim(&self) -> usize {
        self.bounds.0.len()
    }

    fn bounds(&self) -> (&[f64], &[f64]) {
        (&self.bounds.0, &self.bounds.1)
    }

    fn value(&mut self, point: &[f64]) -> Result<f64, EvaluationError> {
        let p = self.parameters(point);
        self.plain.parameters.copy_from_slice(&p);
        let mut total = prior::value(self.study, &p);
        let study = self.study;
        for (index, piece) in self.pieces.iter().enumerate() {
            let from = piece.from.map(|from| self.cut_of(point, from));
            let begin = |x: &mut [f64]| {
                if let Some(from) = &from {
                    x.copy_from_slice(from);
                }
            };
            self.plain
                .solve(
                    study,
                    &self.solving,
                    self.stop,
                    (index, piece),
                    begin,
                    |m, y, sigma| {
                        total += checked_share(study, piece.experiment, m, y, sigma)?;
                        Ok(())
                    },
                )
                .map_err(evaluation_error)?;
            if let Some(to) = piece.to {
                let gaps = self.plain.run.x.iter().zip(self.cut_of(point, to));
                for ((x, s), size) in gaps.zip(&self.sizes) {
                    total += 0.5 * ((x - s) / (size * self.model_error)).powi(2);
                }
            }
        }
        Ok(total)
    }

    fn value_gradient(
        &mut self,
        point: &[f64],
        gradient: &mut [f64],
    ) -> Result<f64, EvaluationError> {
        let height = self.residuals();
        let mut r = vec![0.0; height];
        let mut jacobian = vec![0.0; height * point.len()];
        let value = self.value_residuals(point, &mut r, &mut jacobian)?;
        for (g, column) in gradient.iter_mut().zip(jacobian.chunks_exact(height)) {
            *g = column.iter().zip(&r).map(|(d, r)| d * r).sum();
        }
        Ok(value)
    }
}

impl LeastSquares for Shooting<'_> {
    fn residuals(&self) -> usize {
        row_count(self.study, self.variables) + self.dim() - self.variables.len()
    }

    fn value_residuals(
        &mut self,
        point: &[f64],
        r: &mut [f64],
        jacobian: &mut [f64],
    ) -> Result<f64, EvaluationError> {
        let (study, n, m) = (self.study, self.sizes.len(), self.variables.len());
        let height = r.len();
        let p = self.parameters(point);
        let slopes: Vec<f64> = self
            .fitted()
            .map(|(i, parameter)| scaling::slope(parameter, p[i]))
            .collect();
        let mut total = prior::value(self.study, &p);
        r.fill(0.0);
        jacobian.fill(0.0);
        let mut row = 0;
        for (index, piece) in self.pieces.iter().enumerate() {
            let from = piece.from.map(|from| (from, self.cut_of(point, from)));
            // the columns that this piece moves with: the parameters, the states where it starts
            let first_state = from.as_ref().map(|(from, _)| m + from * n);
            let directions = m + if from.is_some() { n } else { 0 };
            let column_of = |k: usize| {
                if k < m {
                    k
                } else {
                    first_state.unwrap_or(m) + k - m
                }
            };
            let mut start = 0;
            while start < directions || start == 0 {
                let width = ANY_WIDTH.min(directions - start);
                let seeded = start..start + width;
                for (dual, &value) in self.dual.parameters.iter_mut().zip(&p) {
                    *dual = D::from(value);
                }
                for (k, (i, _)) in self.fitted().enumerate() {
                    if seeded.contains(&k) {
                        self.dual.parameters[i].tangent[k - start] = slopes[k];
                    }
                }
                let begin = |x: &mut [D]| {
                    let Some((_, from)) = &from else { return };
                    for (i, (x, &s)) in x.iter_mut().zip(from).enumerate() {
                        *x = D::from(s);
                        if seeded.contains(&(m + i)) {
                            x.tangent[m + i - start] = self.sizes[i];
                        }
                    }
                };
                let mut at = row;
                self.dual
                    .solve(
                        study,
                        &self.solving,
                        self.stop,
                        (index, piece),
                        begin,
                        |k, y, sigma| {
                            let share =
                                checked_share(study, piece.experiment, k, y.value, sigma.value)?;
                            let measurement = study.plans[piece.experiment].measurements[k];
                            let misfit = &study.misfits[measurement.observable];
                            let rows = misfit.step_rows(y.value, sigma.value, measurement.value);
                            if start == 0 {
                                total += share;
                                r[at] = rows.residual;
                                r[at + 1] = rows.sigma_residual;
                            }
                            for k in 0..width {
                                let column = column_of(start + k) * height;
                                jacobian[column + at] = rows.slope * y.tangent[k];
                                jacobian[column + at + 1] = rows.sigma_slope * sigma.tangent[k];
                            }
                            at += 2;
                            Ok(())
                        },
                    )
                    .map_err(evaluation_error)?;
                if let Some(to) = piece.to {
                    let own = m + to * n;
                    let gaps = self.dual.run.x.iter().zip(self.cut_of(point, to));
                    for (i, ((x, s), size)) in gaps.zip(&self.sizes).enumerate() {
                        let weight = 1.0 / (size * self.model_error);
                        for k in 0..width {
                            jacobian[column_of(start + k) * height + at] = weight * x.tangent[k];
                        }
                        if start == 0 {
                            r[at] = weight * (x.value - s);
                            total += 0.5 * r[at] * r[at];
                            jacobian[(own + i) * height + at] = -weight * size;
                        }
                        at += 1;
                    }
                }
                start += ANY_WIDTH;
            }
            row += 2 * piece.measurements.len() + if piece.to.is_some() { n } else { 0 };
        }
        for (k, (i, parameter)) in self.fitted().enumerate() {
            if let Some(share) = prior::share(parameter, p[i]) {
                r[row] = share.residual;
                jacobian[row + k * height] = share.residual_slope * slopes[k];
                row += 1;
            }
        }
        Ok(total)
    }
}

/// The largest size of each state at the cuts.
fn sizes(cuts: &[Vec<f64>], n: usize) -> Vec<f64> {
    (0..n)
        .map(|i| {
            let largest = cuts.iter().fold(0.0_f64, |m, cut| m.max(cut[i].abs()));
            if largest > 0.0 { largest } else { 1.0 }
        })
        .collect()
}

/// Pieces with about as many measurement times each, cut in the middle between two of them.
fn cut(study: &Study, count: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut cuts = 0;
    for (experiment, plan) in study.plans.iter().enumerate() {
        let Some(&last) = plan.times.last() else {
            continue;
        };
        let times = plan.times.len();
        let count = count.clamp(1, times);
        let mut start = study.scenario.start;
        let mut from = None;
        let mut measurement = 0;
        for k in 0..count {
            let first_sample = k * times / count;
            let next = (k + 1) * times / count;
            let begun = measurement;
            while plan
                .measurements
                .get(measurement)
                .is_some_and(|m| m.sample < next)
            {
                measurement += 1;
            }
            let to = (k + 1 < count).then_some(cuts);
            let end = match to {
                Some(_) => 0.5 * (plan.times[next - 1] + plan.times[next]),
                None => last,
            };
            pieces.push(Piece {
                experiment,
                start,
                end,
                measurements: begun..measurement,
                first_sample,
                from,
                to,
            });
            if to.is_some() {
                cuts += 1;
            }
            (start, from) = (end, to);
        }
    }
    pieces
}
