//! The data objective backward, over any scalar: a recorded solve of each experiment, the cotangents of its measurements, and
//! the sweep of the discrete adjoint that takes them to parameters, initial states and the start.
//!
//! Over dual numbers the gradient carries its own derivatives: the product of the Hessian with each of their directions, at a
//! cost that does not grow with the number of variables (Ozyurt & Barton 2005, doi 10.1137/030601582).

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use costate_adjoint::{Ledger, Seeds};
use costate_solvers::Statistics;

use super::any_solver::StudyScalar;
use super::error::StudyError;
use super::lane::{Lane, add, checked_share};
use super::nudge::{Nudge, moved};
use super::reverse::Reverse;
use super::variable::Variable;
use super::{Solving, Study, prior};

/// What is solved, and how; and what the solves count.
pub(super) struct On<'a> {
    pub study: &'a Study,
    pub solving: &'a Solving,
    /// ends a solve when raised
    pub stop: Option<&'a AtomicBool>,
    pub statistics: &'a mut Statistics,
}

/// Workspace of one scalar.
pub(super) struct Backward<S: StudyScalar> {
    pub lane: Lane<S>,
    ledger: Ledger<S>,
    reverse: Reverse<S>,
    cotangents: Cotangents<S>,
}

#[derive(Default)]
struct Cotangents<S> {
    samples: Vec<S>,
    outputs: Vec<S>,
    x0: Vec<S>,
    own: Vec<S>,
    times: Vec<S>,
    parameters: Vec<S>,
    initial: Vec<S>,
}

impl<S: StudyScalar> Backward<S> {
    pub fn new(study: &Study, solving: &Solving) -> Result<Self, StudyError> {
        Ok(Self {
            lane: Lane::new(study)?,
            ledger: Reverse::ledger(solving),
            reverse: Reverse::default(),
            cotangents: Cotangents::default(),
        })
    }

    /// The objective, priors included, and its gradient at parameters that are `p` but for the derivatives of `moved`.
    pub fn gradient(
        &mut self,
        on: &mut On<'_>,
        p: &[f64],
        (moved, nudge): (&[S], &Nudge<S>),
        variables: &[Variable],
        gradient: &mut [S],
    ) -> Result<S, StudyError> {
        let study = on.study;
        let all = 0..study.plans.len();
        let data = self.data_gradient(on, all, (moved, nudge), variables, gradient)?;
        prior::add_slopes(study, p, moved, variables, gradient);
        Ok(prior::shares(study, p, moved) + data)
    }

    /// The data's share of some experiments, and its gradient.
    pub fn data_gradient(
        &mut self,
        on: &mut On<'_>,
        experiments: Range<usize>,
        at: (&[S], &Nudge<S>),
        variables: &[Variable],
        gradient: &mut [S],
    ) -> Result<S, StudyError> {
        let study = on.study;
        let mut total = S::from(0.0);
        let weigh = |experiment: usize, index: usize, y, sigma| {
            total += checked_share(study, experiment, index, y, sigma)?;
            let m = &study.plans[experiment].measurements[index];
            Ok(study.misfits[m.observable].gradient(y, sigma, m.value))
        };
        self.pull_back(on, experiments, at, variables, gradient, weigh)?;
        Ok(total)
    }

    /// The gradient, and the product of the Hessian with a vector: the gradient's derivative along it.
    pub fn gradient_and_product(
        &mut self,
        on: &mut On<'_>,
        p: &[f64],
        variables: &[Variable],
        v: &[f64],
        [gradient, product]: [&mut [f64]; 2],
    ) -> Result<(), StudyError> {
        on.solving.adjoint_on_duals()?;
        let along = |k: usize| {
            let speed = v.get(k).copied().unwrap_or(0.0);
            S::from_parts(|part| if part == 1 { speed } else { 0.0 })
        };
        let (moved, nudge) = moved(p, variables, along);
        let mut bars = vec![S::from(0.0); variables.len()];
        self.gradient(on, p, (&moved, &nudge), variables, &mut bars)?;
        for ((gradient, product), bar) in gradient.iter_mut().zip(product).zip(bars) {
            (*gradient, *product) = (bar.part(0), bar.part(1));
        }
        Ok(())
    }

    /// Solves the experiments, asks for the cotangents of each measurement's value and standard deviation, `weigh(experiment, measurement, y,
    /// sigma)`, in their order, and takes them to the variables by the discrete adjoint: overwrites `bars`.
    pub fn pull_back(
        &mut self,
        on: &mut On<'_>,
        experiments: Range<usize>,
        (p, nudge): (&[S], &Nudge<S>),
        variables: &[Variable],
        bars: &mut [S],
        mut weigh: impl FnMut(usize, usize, S, S) -> Result<(S, S), StudyError>,
    ) -> Result<(), StudyError> {
        let (study, solving, zero) = (on.study, on.solving, S::from(0.0));
        solving.adjoint()?;
        let (n, count) = (study.equations.states(), study.scenario.observables.len());
        let c = &mut self.cotangents;
        c.parameters.clear();
        c.parameters.resize(p.len(), zero);
        c.initial.clear();
        c.initial.resize(n, zero);
        let start_moves = variables.contains(&Variable::Start);
        let mut start_bar = zero;
        self.lane.parameters.copy_from_slice(p);
        for experiment in experiments {
            let plan = &study.plans[experiment];
            if plan.measurements.is_empty() {
                continue;
            }
            let ledger = &mut self.ledger;
            let counted =
                self.lane
                    .solve(study, experiment, solving, on.stop, nudge, &mut *ledger)?;
            add(on.statistics, counted);
            let Lane {
                run,
                samples,
                outputs,
                ..
            } = &mut self.lane;
            let fail = |error| study.run_error(error, experiment);
            c.own.clear();
            c.own.resize(p.len(), zero);
            c.samples.clear();
            c.samples.resize(plan.times.len() * n, zero);
            c.outputs.resize(2 * count, zero);
            let samples_read = &samples[experiment];
            if let Some(plain) = run.states_observed() {
                for (index, m) in plan.measurements.iter().enumerate() {
                    let state = plain.states[m.observable];
                    let y = samples_read.values()[m.sample * n + state];
                    let sigma = S::from(m.sigma.unwrap_or(plain.sigmas[m.observable]));
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
                    c.outputs.fill(zero);
                    let mut next = first;
                    while let Some(m) = plan.measurements.get(next).filter(|m| m.sample == sample) {
                        let y = outputs[m.observable];
                        let sigma = m.sigma.map_or(outputs[count + m.observable], S::from);
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
            c.x0.resize(n, zero);
            c.times.clear();
            c.times.resize(run.times.len(), zero);
            let moving = !run.stop_of.is_empty() && study.moving_stops || start_moves;
            let seeds = Seeds {
                samples: samples[experiment].places(),
                sample_bars: &c.samples,
                ..Seeds::default()
            };
            let times = moving.then_some(&mut c.times[..]);
            self.reverse
                .sweep(solving, run, ledger, &seeds, &mut c.x0, &mut c.own, times)
                .map_err(fail)?;
            if start_moves {
                start_bar += c.times.first().copied().unwrap_or(zero);
            }
            for (total, &x0) in c.initial.iter_mut().zip(&c.x0) {
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
                Variable::End => zero,
            };
        }
        Ok(())
    }
}

/// The workspace of a slot, made when first used.
pub(super) fn backward<'l, S: StudyScalar>(
    slot: &'l mut Option<Backward<S>>,
    study: &Study,
    solving: &Solving,
) -> Result<&'l mut Backward<S>, StudyError> {
    match slot {
        Some(made) => Ok(made),
        None => Ok(slot.insert(Backward::new(study, solving)?)),
    }
}
