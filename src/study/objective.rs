//! The data objective of a scenario: the negative log-likelihood of its measurements plus its log-priors,
//! with its gradient by dual numbers, by the discrete adjoint and by differences of the frozen steps.
//!
//! All three differentiate the same program, the accepted step sequence held fixed, so they agree to rounding
//! (differences: to their truncation error). Parameters here are natural; `study/scaling.rs` maps search scales.

use std::sync::atomic::AtomicBool;

use costate_adjoint::{Dual, Ledger, Seeds};
use costate_solvers::record::Mesh;
use costate_solvers::{NoRecord, Statistics};

use super::error::StudyError;
use super::lane::{Lane, RowOf, add, checked_share, chunk_width, lane};
use super::misfit::Misfit;
use super::nudge::Nudge;
use super::prior;
use super::reverse::Reverse;
use super::variable::Variable;
use super::{Solving, Study};

/// Work on the data objective of one study: buffers for every method, made when first used.
pub struct Objective<'a> {
    study: &'a Study,
    stop: Option<&'a AtomicBool>,
    solving: Solving,
    plain: Lane<f64>,
    ledger: Ledger,
    reverse: Reverse,
    cotangents: Cotangents,
    dual1: Option<Lane<Dual<1>>>,
    dual2: Option<Lane<Dual<2>>>,
    dual4: Option<Lane<Dual<4>>>,
    dual8: Option<Lane<Dual<8>>>,
    /// what all solves so far counted
    pub statistics: Statistics,
}

#[derive(Default)]
struct Cotangents {
    samples: Vec<f64>,
    outputs: Vec<f64>,
    x0: Vec<f64>,
    own: Vec<f64>,
    times: Vec<f64>,
    parameters: Vec<f64>,
    initial: Vec<f64>,
}

impl<'a> Objective<'a> {
    /// Buffers for the objective of a study; `stop` ends a solve when raised.
    pub fn new(
        study: &'a Study,
        solving: Solving,
        stop: Option<&'a AtomicBool>,
    ) -> Result<Self, StudyError> {
        if study.plans.iter().all(|plan| plan.measurements.is_empty()) {
            return Err(StudyError::NoData);
        }
        Ok(Self {
            study,
            stop,
            plain: Lane::new(study)?,
            ledger: Reverse::ledger(&solving),
            solving,
            reverse: Reverse::default(),
            cotangents: Cotangents::default(),
            dual1: None,
            dual2: None,
            dual4: None,
            dual8: None,
            statistics: Statistics::default(),
        })
    }

    /// The objective at natural parameters `p`.
    pub fn value(&mut self, p: &[f64]) -> Result<f64, StudyError> {
        let study = self.study;
        self.plain.parameters.copy_from_slice(p);
        let mut total = prior_value(study, p);
        for experiment in 0..study.plans.len() {
            if study.plans[experiment].measurements.is_empty() {
                continue;
            }
            let counted = self.plain.solve(
                study,
                experiment,
                &self.solving,
                self.stop,
                &Nudge::none(),
                NoRecord,
            )?;
            add(&mut self.statistics, counted);
            let lane = &mut self.plain;
            lane.observe(study, experiment, |index, y, sigma| {
                total += checked_share(study, experiment, index, y, sigma)?;
                Ok(())
            })?;
        }
        Ok(total)
    }

    /// The objective and its gradient by the discrete adjoint.
    pub fn gradient_adjoint(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        gradient: &mut [f64],
    ) -> Result<f64, StudyError> {
        let study = self.study;
        let mut total = prior_value(study, p);
        self.pull_back(p, variables, gradient, |experiment, index, y, sigma| {
            total += checked_share(study, experiment, index, y, sigma)?;
            let m = &study.plans[experiment].measurements[index];
            Ok(study.misfits[m.observable].gradient(y, sigma, m.value))
        })?;
        add_prior_slopes(study, p, variables, gradient);
        Ok(total)
    }

    /// The product F v of the Fisher information F = J^T J with a vector, J the Jacobian of the least-squares rows
    /// ([`Objective::rows`]): J v by one dual number, J^T of that by the discrete adjoint. Exact for the discrete solve, at
    /// the cost of a gradient whatever the number of variables.
    pub fn gauss_newton_product(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        v: &[f64],
        product: &mut [f64],
    ) -> Result<(), StudyError> {
        let study = self.study;
        let (solving, stop) = (&self.solving, self.stop);
        let mut rates = Vec::with_capacity(study.measurements());
        match chunk_width(1, solving.hot(study)) {
            1 => lane(&mut self.dual1, study)?
                .rates(study, solving, stop, p, variables, v, &mut rates)?,
            _ => lane(&mut self.dual8, study)?
                .rates(study, solving, stop, p, variables, v, &mut rates)?,
        }
        let mut rates = rates.into_iter();
        self.pull_back(p, variables, product, |experiment, index, y, sigma| {
            let m = &study.plans[experiment].measurements[index];
            let rows = study.misfits[m.observable].rows(y, sigma, m.value);
            let [dy, dsigma] = rates.next().unwrap_or_default();
            Ok((
                rows.slope * rows.slope * dy,
                rows.sigma_slope * rows.sigma_slope * dsigma,
            ))
        })?;
        for ((product, &v), variable) in product.iter_mut().zip(v).zip(variables) {
            if let Variable::Parameter(i) = *variable
                && let Some(share) = prior::share(&study.scenario.parameters[i], p[i])
            {
                *product += share.residual_slope.powi(2) * v;
            }
        }
        Ok(())
    }

    /// Solves, asks for the cotangents of each measurement's value and standard deviation, `weigh(experiment, measurement, y,
    /// sigma)`, in their order, and takes them to the variables by the discrete adjoint: overwrites `bars`.
    fn pull_back(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        bars: &mut [f64],
        mut weigh: impl FnMut(usize, usize, f64, f64) -> Result<(f64, f64), StudyError>,
    ) -> Result<(), StudyError> {
        let study = self.study;
        self.solving.adjoint()?;
        let (n, count) = (study.equations.states(), study.scenario.observables.len());
        let c = &mut self.cotangents;
        c.parameters.clear();
        c.parameters.resize(p.len(), 0.0);
        c.initial.clear();
        c.initial.resize(n, 0.0);
        let start_moves = variables.contains(&Variable::Start);
        let mut start_bar = 0.0;
        self.plain.parameters.copy_from_slice(p);
        for experiment in 0..study.plans.len() {
            let plan = &study.plans[experiment];
            if plan.measurements.is_empty() {
                continue;
            }
            let counted = self.plain.solve(
                study,
                experiment,
                &self.solving,
                self.stop,
                &Nudge::none(),
                &mut self.ledger,
            )?;
            add(&mut self.statistics, counted);
            let Lane {
                run,
                samples,
                outputs,
                ..
            } = &mut self.plain;
            let fail = |error| study.run_error(error, experiment);
            c.own.clear();
            c.own.resize(p.len(), 0.0);
            c.samples.clear();
            c.samples.resize(plan.times.len() * n, 0.0);
            c.outputs.resize(2 * count, 0.0);
            let samples_read = &samples[experiment];
            if let Some(plain) = run.states_observed() {
                for (index, m) in plan.measurements.iter().enumerate() {
                    let state = plain.states[m.observable];
                    let y = samples_read.values()[m.sample * n + state];
                    let sigma = m.sigma.unwrap_or(plain.sigmas[m.observable]);
                    let (dy, _) = weigh(experiment, index, y, sigma)?;
                    c.samples[m.sample * n + state] += dy;
                }
            } else {
                let mut first = 0;
                while first < plan.measurements.len() {
                    let sample = plan.measurements[first].sample;
                    let t = plan.times[sample];
                    let state = samples_read.state(sample);
                    run.observe(t, state, outputs).map_err(fail)?;
                    c.outputs.fill(0.0);
                    let mut next = first;
                    while let Some(m) = plan.measurements.get(next).filter(|m| m.sample == sample) {
                        let y = outputs[m.observable];
                        let sigma = m.sigma.unwrap_or(outputs[count + m.observable]);
                        let (dy, dsigma) = weigh(experiment, next, y, sigma)?;
                        c.outputs[m.observable] += dy;
                        if m.sigma.is_none() {
                            c.outputs[count + m.observable] += dsigma;
                        }
                        next += 1;
                    }
                    let x_bar = &mut c.samples[sample * n..(sample + 1) * n];
                    run.observe_vjp(t, state, &c.outputs, x_bar, &mut c.own)
                        .map_err(fail)?;
                    first = next;
                }
            }
            c.x0.clear();
            c.x0.resize(n, 0.0);
            c.times.clear();
            c.times.resize(run.times.len(), 0.0);
            let moving = !run.stop_of.is_empty() && study.moving_stops || start_moves;
            let seeds = Seeds {
                samples: samples[experiment].places(),
                sample_bars: &c.samples,
                ..Seeds::default()
            };
            let times = moving.then_some(&mut c.times[..]);
            let (solving, ledger) = (&self.solving, &mut self.ledger);
            self.reverse
                .sweep(solving, run, ledger, &seeds, &mut c.x0, &mut c.own, times)
                .map_err(fail)?;
            if start_moves {
                start_bar += c.times.first().copied().unwrap_or(0.0);
            }
            for (total, x0) in c.initial.iter_mut().zip(&c.x0) {
                *total += x0;
            }
            let time_bars = moving.then_some(&c.times[..]);
            run.prepare_vjp(
                experiment,
                p,
                &c.x0,
                time_bars,
                &mut c.own,
                &mut c.parameters,
            )
            .map_err(fail)?;
        }
        for (g, variable) in bars.iter_mut().zip(variables) {
            *g = match *variable {
                Variable::Parameter(i) => c.parameters[i],
                Variable::Initial(i) => c.initial[i],
                Variable::Start => start_bar,
                // data are read where they are, wherever the run ends
                Variable::End => 0.0,
            };
        }
        Ok(())
    }

    /// The objective and its gradient by dual numbers.
    pub fn gradient_dual(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        gradient: &mut [f64],
    ) -> Result<f64, StudyError> {
        let study = self.study;
        let mut total = prior_value(study, p);
        let hot = self.solving.hot(study);
        let mut start = 0;
        while start < variables.len() || start == 0 {
            let width = chunk_width(variables.len() - start, hot);
            let chunk = &variables[start..(start + width).min(variables.len())];
            let into = &mut gradient[start..start + chunk.len()];
            let (solving, stop) = (&self.solving, self.stop);
            let counted = &mut self.statistics;
            let data = match width {
                1 => lane(&mut self.dual1, study)?
                    .gradient(study, solving, stop, p, chunk, into, counted)?,
                2 => lane(&mut self.dual2, study)?
                    .gradient(study, solving, stop, p, chunk, into, counted)?,
                3..=4 => lane(&mut self.dual4, study)?
                    .gradient(study, solving, stop, p, chunk, into, counted)?,
                _ => lane(&mut self.dual8, study)?
                    .gradient(study, solving, stop, p, chunk, into, counted)?,
            };
            if start == 0 {
                total += data;
            }
            start += width;
        }
        add_prior_slopes(study, p, variables, gradient);
        Ok(total)
    }

    /// The objective, its least-squares rows and their Jacobian by dual numbers (see [`Misfit::rows`]); the
    /// rows of the priors of the variables follow those of the measurements.
    pub fn rows(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        r: &mut [f64],
        jacobian: &mut [f64],
    ) -> Result<f64, StudyError> {
        self.rows_by(Misfit::rows, p, variables, r, jacobian)
    }

    /// The same with the rows for a step of an optimizer ([`Misfit::step_rows`]).
    pub fn step_rows(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        r: &mut [f64],
        jacobian: &mut [f64],
    ) -> Result<f64, StudyError> {
        self.rows_by(Misfit::step_rows, p, variables, r, jacobian)
    }

    fn rows_by(
        &mut self,
        row_of: RowOf,
        p: &[f64],
        variables: &[Variable],
        r: &mut [f64],
        jacobian: &mut [f64],
    ) -> Result<f64, StudyError> {
        let study = self.study;
        let height = r.len();
        let mut total = prior_value(study, p);
        jacobian.fill(0.0);
        let hot = self.solving.hot(study);
        let mut start = 0;
        while start < variables.len() || start == 0 {
            let width = chunk_width(variables.len() - start, hot);
            let chunk = &variables[start..(start + width).min(variables.len())];
            let columns = &mut jacobian[start * height..(start + chunk.len()) * height];
            let (solving, stop) = (&self.solving, self.stop);
            let counted = &mut self.statistics;
            let data = match width {
                1 => lane(&mut self.dual1, study)?
                    .rows(study, solving, stop, p, chunk, row_of, r, columns, counted)?,
                2 => lane(&mut self.dual2, study)?
                    .rows(study, solving, stop, p, chunk, row_of, r, columns, counted)?,
                3..=4 => lane(&mut self.dual4, study)?
                    .rows(study, solving, stop, p, chunk, row_of, r, columns, counted)?,
                _ => lane(&mut self.dual8, study)?
                    .rows(study, solving, stop, p, chunk, row_of, r, columns, counted)?,
            };
            if start == 0 {
                total += data;
            }
            start += width;
        }
        let mut row = 2 * study.measurements();
        for (column, variable) in variables.iter().enumerate() {
            if let Variable::Parameter(i) = *variable
                && let Some(share) = prior::share(&study.scenario.parameters[i], p[i])
            {
                r[row] = share.residual;
                jacobian[row + column * height] = share.residual_slope;
                row += 1;
            }
        }
        Ok(total)
    }

    /// The objective and its gradient by central differences of the solve with its steps frozen.
    pub fn gradient_differences(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        gradient: &mut [f64],
    ) -> Result<f64, StudyError> {
        let study = self.study;
        let total = self.value(p)?;
        let mut meshes = Vec::with_capacity(study.plans.len());
        for experiment in 0..study.plans.len() {
            let mut mesh = Mesh::default();
            if !study.plans[experiment].measurements.is_empty() {
                self.plain.parameters.copy_from_slice(p);
                self.plain.solve(
                    study,
                    experiment,
                    &self.solving,
                    self.stop,
                    &Nudge::none(),
                    &mut mesh,
                )?;
            }
            meshes.push(mesh);
        }
        for (g, &variable) in gradient.iter_mut().zip(variables) {
            let at = |delta: f64, this: &mut Self| -> Result<f64, StudyError> {
                let mut moved = p.to_vec();
                if let Variable::Parameter(i) = variable {
                    moved[i] += delta;
                }
                let nudge = Nudge::of(&[variable], |_| delta);
                this.frozen_value(&moved, &nudge, &meshes)
            };
            // Optimal step of a central difference: cube root of the rounding unit, relative to the variable.
            let size = match variable {
                Variable::Parameter(i) => p[i].abs(),
                Variable::Initial(i) => self.plain.run.x.get(i).map_or(0.0, |x| x.abs()),
                Variable::Start | Variable::End => {
                    (study.scenario.end - study.scenario.start).abs()
                }
            };
            let h = f64::EPSILON.cbrt() * if size > 0.0 { size } else { 1.0 };
            *g = (at(h, self)? - at(-h, self)?) / (2.0 * h);
        }
        Ok(total)
    }

    fn frozen_value(
        &mut self,
        p: &[f64],
        nudge: &Nudge<f64>,
        meshes: &[Mesh],
    ) -> Result<f64, StudyError> {
        let study = self.study;
        let mut total = prior_value(study, p);
        self.plain.parameters.copy_from_slice(p);
        for (experiment, mesh) in meshes.iter().enumerate() {
            let plan = &study.plans[experiment];
            let Some(&end) = plan.times.last() else {
                continue;
            };
            let Lane {
                run,
                samples,
                parameters,
                ..
            } = &mut self.plain;
            let fail = |error| study.run_error(error, experiment);
            run.prepare(experiment, parameters, study.scenario.start, end)
                .map_err(fail)?;
            nudge.apply(run, false);
            run.replay(
                self.solving.stepper,
                &self.solving.options,
                mesh,
                &mut samples[experiment],
            )
            .map_err(fail)?;
            self.plain.observe(study, experiment, |index, y, sigma| {
                total += checked_share(study, experiment, index, y, sigma)?;
                Ok(())
            })?;
        }
        Ok(total)
    }

    /// Measured values, model values and standard deviations of every measurement at `p`, by experiment.
    pub fn predictions(&mut self, p: &[f64]) -> Result<Vec<Vec<Prediction>>, StudyError> {
        let study = self.study;
        self.plain.parameters.copy_from_slice(p);
        let mut all = Vec::with_capacity(study.plans.len());
        for experiment in 0..study.plans.len() {
            let plan = &study.plans[experiment];
            let mut predictions = Vec::with_capacity(plan.measurements.len());
            if !plan.measurements.is_empty() {
                self.plain.solve(
                    study,
                    experiment,
                    &self.solving,
                    self.stop,
                    &Nudge::none(),
                    NoRecord,
                )?;
                self.plain.observe(study, experiment, |index, y, sigma| {
                    let m = plan.measurements[index];
                    let misfit = &study.misfits[m.observable];
                    predictions.push(Prediction {
                        t: plan.times[m.sample],
                        observable: m.observable,
                        measured: m.value,
                        model: y,
                        sigma: misfit.deviation(y, sigma),
                        residual: misfit.standardized(y, sigma, m.value),
                    });
                    Ok(())
                })?;
            }
            all.push(predictions);
        }
        Ok(all)
    }
}

/// A measurement beside the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// time
    pub t: f64,
    /// index of the observable
    pub observable: usize,
    /// measured value
    pub measured: f64,
    /// the model's value
    pub model: f64,
    /// standard deviation of the noise on the scale on which it is symmetric; NaN without a noise model
    pub sigma: f64,
    /// standardized residual (model minus measured), in units of the noise's scale
    pub residual: f64,
}

fn prior_value(study: &Study, p: &[f64]) -> f64 {
    let parameters = study.scenario.parameters.iter().zip(p);
    parameters
        .filter_map(|(parameter, &v)| Some(prior::share(parameter, v)?.value))
        .sum()
}

fn add_prior_slopes(study: &Study, p: &[f64], variables: &[Variable], gradient: &mut [f64]) {
    for (g, variable) in gradient.iter_mut().zip(variables) {
        if let Variable::Parameter(i) = *variable
            && let Some(share) = prior::share(&study.scenario.parameters[i], p[i])
        {
            *g += share.slope;
        }
    }
}
