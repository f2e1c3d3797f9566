//! The Fisher information of measurements that are planned, with its derivatives with respect to their times and to parameters
//! that are chosen.
//!
//! A measurement of y(t, theta) with scale sigma(t, theta) adds g g^T, g = w dy/dtheta, and as much for sigma, with the expected
//! slopes w of its noise. Sensitivities dy/dtheta are the tangents of the solve on dual numbers. Along time they move by
//! d/dt dy/dtheta = d/dtheta (h_t + h_x f), the observable h on numbers that carry f; with a dose by second derivatives, of dual
//! numbers over dual numbers ([`Second`]). Both are exact for the solve.

use std::sync::atomic::AtomicBool;

use costate_adjoint::{Dual, DualOver};
use costate_solvers::Scalar as _;
use costate_solvers::record::Samples;

use crate::compile::Workspace;
use crate::scenario::Sampling;
use crate::study::any_solver::{ANY_WIDTH, Second};
use crate::study::error::StudyError;
use crate::study::run::Run;
use crate::study::{Solving, Study};

type Chunk = Dual<ANY_WIDTH>;

/// A row g of a measurement, and how it moves.
#[derive(Debug, Clone, Default)]
pub(super) struct PlannedRow {
    /// index of the sampling and of the time in it
    pub place: (usize, usize),
    /// index of the observable, and whether the row is that of its scale
    pub of: (usize, bool),
    /// by estimated parameter
    pub g: Vec<f64>,
    /// its derivative with respect to the time
    pub by_time: Vec<f64>,
    /// and with respect to each parameter that is chosen
    pub by_chosen: Vec<Vec<f64>>,
}

/// Solves for the information of plans.
pub(super) struct Informant<'a> {
    pub study: &'a Study,
    pub solving: &'a Solving,
    pub stop: Option<&'a AtomicBool>,
    /// estimated parameters
    pub estimated: &'a [usize],
    /// chosen ones
    pub chosen: &'a [usize],
    run: Run<Second>,
    workspace: Workspace<Second>,
}

/// Value and scale of a measurement with their derivatives.
#[derive(Clone, Default)]
struct Output {
    value: f64,
    slopes: Vec<f64>,
    /// derivatives of both with respect to time
    by_time: (f64, Vec<f64>),
    /// and to each chosen parameter
    by_chosen: Vec<(f64, Vec<f64>)>,
}

impl<'a> Informant<'a> {
    pub fn new(
        study: &'a Study,
        solving: &'a Solving,
        stop: Option<&'a AtomicBool>,
        (estimated, chosen): (&'a [usize], &'a [usize]),
    ) -> Self {
        Self {
            study,
            solving,
            stop,
            estimated,
            chosen,
            run: Run::new(&study.equations),
            workspace: Workspace::default(),
        }
    }

    /// The rows of measurements at `times` (a list a sampling) with the parameters `p`.
    pub fn rows(
        &mut self,
        sampling: &[Sampling],
        times: &[Vec<f64>],
        p: &[f64],
    ) -> Result<Vec<PlannedRow>, StudyError> {
        let mut rows = Vec::new();
        for experiment in 0..self.study.scenario.experiments.len() {
            let mut places = Vec::new();
            for (s, list) in times.iter().enumerate() {
                if sampling[s].experiment == experiment {
                    places.extend(list.iter().enumerate().map(|(k, &t)| ((s, k), t)));
                }
            }
            if !places.is_empty() {
                self.rows_of(experiment, sampling, places, p, &mut rows)?;
            }
        }
        Ok(rows)
    }

    fn rows_of(
        &mut self,
        experiment: usize,
        sampling: &[Sampling],
        mut places: Vec<((usize, usize), f64)>,
        p: &[f64],
        rows: &mut Vec<PlannedRow>,
    ) -> Result<(), StudyError> {
        let study = self.study;
        let (start, end) = (study.scenario.start, study.scenario.end);
        let backward = end < start;
        places.sort_by(|a, b| {
            let order = a.1.total_cmp(&b.1);
            if backward { order.reverse() } else { order }
        });
        let times: Vec<f64> = places.iter().map(|(_, t)| *t).collect();
        let count = 2 * study.scenario.observables.len();
        let m = self.estimated.len();
        let empty = Output {
            slopes: vec![0.0; m],
            by_time: (0.0, vec![0.0; m]),
            by_chosen: vec![(0.0, vec![0.0; m]); self.chosen.len()],
            ..Output::default()
        };
        let mut outputs = vec![empty; count * times.len()];
        for pass in 0..self.chosen.len().max(1) {
            for first in (0..m).step_by(ANY_WIDTH) {
                self.pass(experiment, &times, (pass, first), p, &mut outputs)?;
            }
        }
        let half = count / 2;
        for (sample, &(place, t)) in places.iter().enumerate() {
            for &o in &sampling[place.0].observables {
                let own = &outputs[sample * count..][..count];
                let (y, sigma) = (&own[o], &own[half + o]);
                for of_scale in [false, true] {
                    let row = self.row(o, of_scale, y, sigma);
                    let finite = row.g.iter().all(|g| g.is_finite());
                    if !finite {
                        let name = &study.scenario.observables[o].name.text;
                        return Err(StudyError::Unsupported(format!(
                            "a measurement of `{name}` at t = {t} has no information: its value there is {}, its sigma {}",
                            y.value, sigma.value
                        )));
                    }
                    if row.g.iter().any(|g| *g != 0.0) {
                        rows.push(PlannedRow { place, ..row });
                    }
                }
            }
        }
        Ok(())
    }

    /// The row of a value or of its scale.
    fn row(&self, observable: usize, of_scale: bool, y: &Output, sigma: &Output) -> PlannedRow {
        let misfit = &self.study.misfits[observable];
        let along = |dy: f64, dsigma: f64| {
            let number = |value: f64, tangent: f64| Dual::<1> {
                value,
                tangent: [tangent],
            };
            misfit.expected_slopes(number(y.value, dy), number(sigma.value, dsigma))
                [usize::from(of_scale)]
        };
        let own = if of_scale { sigma } else { y };
        let weight = along(0.0, 0.0).value;
        let moved = |dy: f64, dsigma: f64, slopes: &[f64]| -> Vec<f64> {
            let by = along(dy, dsigma).tangent[0];
            let pairs = own.slopes.iter().zip(slopes);
            pairs.map(|(s, ds)| by * s + weight * ds).collect()
        };
        let by_chosen = (0..self.chosen.len()).map(|k| {
            let (dy, dsigma) = (y.by_chosen[k].0, sigma.by_chosen[k].0);
            moved(dy, dsigma, &own.by_chosen[k].1)
        });
        PlannedRow {
            place: (0, 0),
            of: (observable, of_scale),
            g: own.slopes.iter().map(|s| weight * s).collect(),
            by_time: moved(y.by_time.0, sigma.by_time.0, &own.by_time.1),
            by_chosen: by_chosen.collect(),
        }
    }

    /// One solve: the directions of eight estimated parameters from `first` on, and of chosen parameter `pass`.
    fn pass(
        &mut self,
        experiment: usize,
        times: &[f64],
        (pass, first): (usize, usize),
        p: &[f64],
        outputs: &mut [Output],
    ) -> Result<(), StudyError> {
        let study = self.study;
        let mut parameters: Vec<Second> = p.iter().map(|&p| Second::from(p)).collect();
        let chunk = &self.estimated[first..(first + ANY_WIDTH).min(self.estimated.len())];
        for (k, &i) in chunk.iter().enumerate() {
            parameters[i].value.tangent[k] = 1.0;
        }
        if let Some(&i) = self.chosen.get(pass) {
            parameters[i].tangent[0] = Chunk::from(1.0);
        }
        let fail = |error| study.run_error(error, experiment);
        let mut samples = Samples::new(times.iter().map(|&t| Second::from(t)).collect())
            .map_err(|error| study.run_error(error, experiment))?;
        let start = study.scenario.start;
        let end = times.last().copied().unwrap_or(start);
        self.run
            .prepare(experiment, &parameters, start, end)
            .map_err(fail)?;
        self.run
            .solve(
                self.solving.stepper,
                &self.solving.options,
                self.stop,
                &mut samples,
            )
            .map_err(fail)?;
        if let (Some(ended), Some(wanted)) = (&self.run.log.ended, times.get(samples.len())) {
            return Err(StudyError::EndedEarly {
                event: study.scenario.events[ended.event].name.text.clone(),
                t: ended.t.value(),
                wanted: *wanted,
                experiment: study.experiment_name(experiment),
            });
        }
        let equations = &study.equations;
        let count = 2 * study.scenario.observables.len();
        let mut all = vec![Second::from(0.0); equations.rhs.all_parameters()];
        let mut f = vec![Second::from(0.0); equations.states()];
        let mut read = vec![Second::from(0.0); count];
        let still = |number: &Second, tangent: Chunk| DualOver {
            value: number.value,
            tangent: [tangent],
        };
        let zero = Chunk::from(0.0);
        let held: Vec<Second> = self.run.parameters.iter().map(|p| still(p, zero)).collect();
        let own = &self.run.parameters;
        equations
            .rhs
            .prepare(own, &mut all, &mut self.workspace)
            .map_err(|error| fail(error.into()))?;
        for (sample, &t) in times.iter().enumerate() {
            let x = samples.state(sample);
            let time = [Second::from(t); 2];
            let outputs = &mut outputs[sample * count..][..count];
            equations
                .observe
                .evaluate(&time, x, own, &mut read, &mut self.workspace)
                .map_err(|error| fail(error.into()))?;
            for (output, number) in outputs.iter_mut().zip(&read) {
                output.value = number.value.value;
                let slopes = output.slopes[first..].iter_mut();
                slopes.zip(number.value.tangent).for_each(|(to, s)| *to = s);
                if let Some((value, slopes)) = output.by_chosen.get_mut(pass) {
                    *value = number.tangent[0].value;
                    let slopes = slopes[first..].iter_mut();
                    slopes
                        .zip(number.tangent[0].tangent)
                        .for_each(|(to, s)| *to = s);
                }
            }
            if pass > 0 {
                continue;
            }
            equations
                .rhs
                .f()
                .evaluate(&time, x, &all, &mut f, &mut self.workspace)
                .map_err(|error| fail(error.into()))?;
            let moving: Vec<Second> = x.iter().zip(&f).map(|(x, f)| still(x, f.value)).collect();
            // the second number tells the piece of a table, which is the same nearby
            let time = [still(&time[0], Chunk::from(1.0)), time[1]];
            equations
                .observe
                .evaluate(&time, &moving, &held, &mut read, &mut self.workspace)
                .map_err(|error| fail(error.into()))?;
            for (output, number) in outputs.iter_mut().zip(&read) {
                let (value, slopes) = &mut output.by_time;
                *value = number.tangent[0].value;
                let slopes = slopes[first..].iter_mut();
                slopes
                    .zip(number.tangent[0].tangent)
                    .for_each(|(to, s)| *to = s);
            }
        }
        Ok(())
    }
}
