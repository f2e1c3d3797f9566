//! A solve with its measurements over one scalar: plain numbers, or dual numbers in chunks of directions.

use std::sync::atomic::AtomicBool;

use costate_adjoint::Dual;
use costate_solvers::record::Samples;
use costate_solvers::{NoRecord, Recorder, Scalar, Statistics};

use super::any_solver::{ANY_WIDTH, StudyScalar};
use super::error::StudyError;
use super::misfit::{Misfit, Rows};
use super::nudge::Nudge;
use super::plan::ExperimentPlan;
use super::run::Run;
use super::variable::Variable;
use super::{Solving, Study};

/// How a measurement becomes rows: [`Misfit::rows`] or [`Misfit::step_rows`] of its value, its scale and what was measured.
pub(super) type RowOf = fn(&Misfit, f64, f64, f64) -> Rows;

/// Everything one scalar needs to evaluate the measurements.
pub(super) struct Lane<S: StudyScalar> {
    pub run: Run<S>,
    pub samples: Vec<Samples<S>>,
    pub parameters: Vec<S>,
    pub outputs: Vec<S>,
}

impl<S: StudyScalar> Lane<S> {
    pub fn new(study: &Study) -> Result<Self, StudyError> {
        let samples = study
            .plans
            .iter()
            .map(|plan| Samples::new(plan.times.iter().map(|&t| S::from(t)).collect()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| study.run_error(error, 0))?;
        Ok(Self {
            run: Run::new(&study.equations),
            samples,
            parameters: vec![S::from(0.0); study.scenario.parameters.len()],
            outputs: vec![S::from(0.0); 2 * study.scenario.observables.len()],
        })
    }

    /// Solves an experiment through its samples; `self.parameters` are set already.
    pub fn solve<R: Recorder<S>>(
        &mut self,
        study: &Study,
        experiment: usize,
        solving: &Solving,
        stop: Option<&AtomicBool>,
        nudge: &Nudge<S>,
        also: R,
    ) -> Result<Statistics, StudyError> {
        let start = study.scenario.start;
        let end = study.plans[experiment]
            .times
            .last()
            .copied()
            .unwrap_or(start);
        let fail = |error| study.run_error(error, experiment);
        self.run
            .prepare(experiment, &self.parameters, start, end)
            .map_err(fail)?;
        nudge.apply(&mut self.run, false);
        let samples = &mut self.samples[experiment];
        let statistics = self
            .run
            .solve(
                solving.stepper,
                &solving.options,
                stop,
                (&mut *samples, also),
            )
            .map_err(fail)?;
        match (&self.run.log.ended, samples.times().get(samples.len())) {
            (Some(ended), Some(wanted)) => Err(StudyError::EndedEarly {
                event: study.scenario.events[ended.event].name.text.clone(),
                t: ended.t.value(),
                wanted: wanted.value(),
                experiment: study.experiment_name(experiment),
            }),
            _ => Ok(statistics),
        }
    }

    /// Calls `each(measurement, y, sigma)` over an experiment's measurements after `solve`.
    pub fn observe(
        &mut self,
        study: &Study,
        experiment: usize,
        mut each: impl FnMut(usize, S, S) -> Result<(), StudyError>,
    ) -> Result<(), StudyError> {
        let plan = &study.plans[experiment];
        if let Some(plain) = self.run.states_observed() {
            let samples = &self.samples[experiment];
            for (index, m) in plan.measurements.iter().enumerate() {
                let state = samples.state(m.sample);
                let y = state[plain.states[m.observable]];
                let sigma = S::from(m.sigma.unwrap_or(plain.sigmas[m.observable]));
                each(index, y, sigma)?;
            }
            return Ok(());
        }
        let count = study.scenario.observables.len();
        let mut observed = usize::MAX;
        for (index, m) in plan.measurements.iter().enumerate() {
            if observed != m.sample {
                observed = m.sample;
                let state = self.samples[experiment].state(m.sample);
                self.run
                    .observe(plan.times[m.sample], state, &mut self.outputs)
                    .map_err(|e| study.run_error(e, experiment))?;
            }
            let y = self.outputs[m.observable];
            let sigma = m.sigma.map_or(self.outputs[count + m.observable], S::from);
            each(index, y, sigma)?;
        }
        Ok(())
    }
}

impl<S: StudyScalar> Lane<S> {
    /// The data's share of the objective at parameters `p`; `nudge` moves the runs of all experiments.
    pub fn objective(
        &mut self,
        study: &Study,
        solving: &Solving,
        stop: Option<&AtomicBool>,
        p: &[S],
        nudge: &Nudge<S>,
    ) -> Result<S, StudyError> {
        self.parameters.copy_from_slice(p);
        let mut total = S::from(0.0);
        for experiment in 0..study.plans.len() {
            if study.plans[experiment].measurements.is_empty() {
                continue;
            }
            self.solve(study, experiment, solving, stop, nudge, NoRecord)?;
            self.observe(study, experiment, |index, y, sigma| {
                total += checked_share(study, experiment, index, y, sigma)?;
                Ok(())
            })?;
        }
        Ok(total)
    }
}

/// The lane of a slot, made when first used.
pub(super) fn lane<'l, S: StudyScalar>(
    slot: &'l mut Option<Lane<S>>,
    study: &Study,
) -> Result<&'l mut Lane<S>, StudyError> {
    if slot.is_none() {
        *slot = Some(Lane::new(study)?);
    }
    slot.as_mut().ok_or(StudyError::NoData)
}

impl<const N: usize> Lane<Dual<N>>
where
    Dual<N>: StudyScalar,
{
    fn seed(&mut self, p: &[f64], chunk: &[Variable]) {
        for (dual, &value) in self.parameters.iter_mut().zip(p) {
            *dual = Dual::from(value);
        }
        for (k, variable) in chunk.iter().enumerate() {
            if let Variable::Parameter(i) = *variable {
                self.parameters[i].tangent[k] = 1.0;
            }
        }
    }

    fn solve_seeded(
        &mut self,
        study: &Study,
        experiment: usize,
        solving: &Solving,
        stop: Option<&AtomicBool>,
        chunk: &[Variable],
    ) -> Result<Statistics, StudyError> {
        let nudge = Nudge::of(chunk, |k| {
            let mut unit = Dual::<N>::from(0.0);
            unit.tangent[k] = 1.0;
            unit
        });
        self.solve(study, experiment, solving, stop, &nudge, NoRecord)
    }

    /// How the value and the standard deviation of each measurement move where the variables do at the given speeds.
    #[expect(clippy::too_many_arguments, reason = "as those of `gradient`")]
    pub fn rates(
        &mut self,
        study: &Study,
        solving: &Solving,
        stop: Option<&AtomicBool>,
        p: &[f64],
        variables: &[Variable],
        speeds: &[f64],
        rates: &mut Vec<[f64; 2]>,
    ) -> Result<(), StudyError> {
        self.seed(p, &[]);
        for (variable, speed) in variables.iter().zip(speeds) {
            if let Variable::Parameter(i) = *variable {
                self.parameters[i].tangent[0] += speed;
            }
        }
        let nudge = Nudge::of(variables, |k| {
            let mut moved = Dual::<N>::from(0.0);
            moved.tangent[0] = speeds[k];
            moved
        });
        for experiment in 0..study.plans.len() {
            if study.plans[experiment].measurements.is_empty() {
                continue;
            }
            self.solve(study, experiment, solving, stop, &nudge, NoRecord)?;
            self.observe(study, experiment, |_, y, sigma| {
                rates.push([y.tangent[0], sigma.tangent[0]]);
                Ok(())
            })?;
        }
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the objective's parts, borrowed one by one"
    )]
    pub fn gradient(
        &mut self,
        study: &Study,
        solving: &Solving,
        stop: Option<&AtomicBool>,
        p: &[f64],
        chunk: &[Variable],
        gradient: &mut [f64],
        counted: &mut Statistics,
    ) -> Result<f64, StudyError> {
        self.seed(p, chunk);
        let mut total = Dual::<N>::from(0.0);
        for experiment in 0..study.plans.len() {
            if study.plans[experiment].measurements.is_empty() {
                continue;
            }
            add(
                counted,
                self.solve_seeded(study, experiment, solving, stop, chunk)?,
            );
            self.observe(study, experiment, |index, y, sigma| {
                total += checked_share(study, experiment, index, y, sigma)?;
                Ok(())
            })?;
        }
        gradient.copy_from_slice(&total.tangent[..chunk.len()]);
        Ok(total.value)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the objective's parts, borrowed one by one"
    )]
    pub fn rows(
        &mut self,
        study: &Study,
        solving: &Solving,
        stop: Option<&AtomicBool>,
        p: &[f64],
        chunk: &[Variable],
        row_of: RowOf,
        r: &mut [f64],
        columns: &mut [f64],
        counted: &mut Statistics,
    ) -> Result<f64, StudyError> {
        self.seed(p, chunk);
        let height = r.len();
        let mut total = 0.0;
        let mut row = 0;
        for experiment in 0..study.plans.len() {
            if study.plans[experiment].measurements.is_empty() {
                continue;
            }
            add(
                counted,
                self.solve_seeded(study, experiment, solving, stop, chunk)?,
            );
            self.observe(study, experiment, |index, y, sigma| {
                total += checked_share(study, experiment, index, y.value, sigma.value)?;
                let m = study.plans[experiment].measurements[index];
                let rows = row_of(&study.misfits[m.observable], y.value, sigma.value, m.value);
                r[row] = rows.residual;
                // Where nothing moves sigma, its residual has no place in the sum: the row stays empty.
                let moves = sigma.tangent.iter().any(|&d| d != 0.0);
                r[row + 1] = rows.sigma_residual;
                for k in 0..chunk.len() {
                    columns[row + k * height] = rows.slope * y.tangent[k];
                    if moves {
                        columns[row + 1 + k * height] = rows.sigma_slope * sigma.tangent[k];
                    }
                }
                row += 2;
                Ok(())
            })?;
        }
        Ok(total)
    }
}

/// Directions of the dual numbers for `left` remaining variables; `hot` on the hot path of the default methods.
pub(super) fn chunk_width(left: usize, hot: bool) -> usize {
    match left {
        _ if !hot => ANY_WIDTH,
        0 | 1 => 1,
        2 => 2,
        3 | 4 => 4,
        _ => 8,
    }
}

/// A measurement's share, or a finding that names it where its value is not finite.
#[inline]
pub(super) fn checked_share<S: Scalar>(
    study: &Study,
    experiment: usize,
    index: usize,
    y: S,
    sigma: S,
) -> Result<S, StudyError> {
    let plan: &ExperimentPlan = &study.plans[experiment];
    let m = plan.measurements[index];
    let share = study.misfits[m.observable].share(y, sigma, m.value);
    if share.value().is_finite() {
        return Ok(share);
    }
    Err(StudyError::Objective {
        observable: study.scenario.observables[m.observable].name.text.clone(),
        value: y.value(),
        sigma: sigma.value(),
        t: plan.times[m.sample],
        measured: m.value,
    })
}

/// Adds what one solve counted.
pub(super) fn add(total: &mut Statistics, one: Statistics) {
    total.steps += one.steps;
    total.rejected += one.rejected;
    total.rhs_evaluations += one.rhs_evaluations;
    total.jacobians += one.jacobians;
    total.factorizations += one.factorizations;
    total.linear_iterations += one.linear_iterations;
    total.newton_iterations += one.newton_iterations;
    total.newton_failures += one.newton_failures;
    total.switches += one.switches;
    total.events += one.events;
}
