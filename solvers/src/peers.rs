//! The solvers of the crate `ode_solvers`, DOPRI5 and DOP853, as an independent check; never a default.
//!
//! Version 0.6.2 has defects, each guarded against here and pinned by a test of the raw crate, so that we
//! learn when it is mended:
//!
//! * DOP853's twelfth node is 0 where it should be 1: order 1 where f depends on t. Time is carried as one
//!   more state and the crate sees an autonomous system.
//! * Dense output looks only at |t|: it panics or never returns where t0 < 0, and it extrapolates its last
//!   point. Each piece between two samples is an integration of its own over s = |t - start| from 0, with
//!   sparse output, that ends exactly at the sample.
//! * Backward integration panics: s runs forward and f is reversed.
//! * A NaN in f leaves its own first-step rule with a NaN step that runs into the step limit: the first
//!   step comes from [`crate::initial_step`], and f is checked where it starts.
//! * One absolute tolerance for all states: states are divided by their own.
//!
//! The time state takes part in the crate's error norm with an error near 0, so that a tolerance is looser
//! by a factor sqrt((n + 1) / n) than asked for.

use std::cell::RefCell;

use ode_solvers::dop_shared::{IntegrationError, OutputType};
use ode_solvers::{DVector, Dop853, Dopri5};

use crate::error::SolveError;
use crate::initial_step::initial_step;
use crate::integrate::{check_options, check_times, invalid};
use crate::options::{Options, Statistics, Tolerance};
use crate::system::System;

/// Which solver of `ode_solvers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Dormand and Prince's pair of orders 5(4)
    Dopri5,
    /// Hairer's triple of orders 8(5, 3)
    Dop853,
}

/// States at the samples and the final state of a [`solve`].
#[derive(Debug, Clone, PartialEq)]
pub struct PeerSolution {
    /// state at each sample, in order
    pub samples: Vec<Vec<f64>>,
    /// state at the last time
    pub last: Vec<f64>,
    /// counts; those of the crate and of the first-step rule
    pub statistics: Statistics,
}

/// Solves from `times[0]` through the stop times to the last of `times`, in either direction, and reads
/// the state at each of `samples` (in the order of the solve, within the span).
pub fn solve<F: System<f64>>(
    peer: Peer,
    system: &mut F,
    x0: &[f64],
    times: &[f64],
    samples: &[f64],
    options: &Options,
) -> Result<PeerSolution, SolveError> {
    let n = system.dim();
    check_options(options, n)?;
    check_times(times)?;
    if x0.len() != n {
        return Err(invalid(&format!(
            "{} states given to a system of {n}",
            x0.len()
        )));
    }
    if let Some(state) = x0.iter().position(|v| !v.is_finite()) {
        return Err(SolveError::NotFinite {
            t: times[0],
            state,
            x: x0.to_vec(),
        });
    }
    let atol = match &options.atol {
        Tolerance::Uniform(_) => vec![1.0; n],
        Tolerance::PerState(each) => each.clone(),
    };
    if atol.iter().any(|a| *a <= 0.0) {
        return Err(invalid(
            "this solver needs a positive absolute tolerance for every state",
        ));
    }
    let (first, last) = (times[0], times[times.len() - 1]);
    let sign = if last < first { -1.0 } else { 1.0 };
    let ahead = |a: f64, b: f64| (b - a) * sign > 0.0;
    if !samples.is_empty() {
        check_times(samples)?;
        let (from, to) = (samples[0], samples[samples.len() - 1]);
        if ahead(from, first) || ahead(last, to) || ahead(to, from) {
            return Err(invalid(&format!(
                "samples from {from} to {to} for a solve from {first} to {last}"
            )));
        }
    }
    let mut run = Run {
        peer,
        system,
        options,
        scale: atol,
        sign,
        statistics: Statistics::default(),
    };
    let mut x = x0.to_vec();
    let mut taken = Vec::with_capacity(samples.len());
    let mut pending = samples.iter().copied().peekable();
    while pending.next_if(|s| *s == first).is_some() {
        taken.push(x.clone());
    }
    for ends in times.windows(2).filter(|w| w[0] != w[1]) {
        let mut t = ends[0];
        run.system
            .enter_stretch(ends[0] + 0.5 * (ends[1] - ends[0]));
        while t != ends[1] {
            let to = match pending.peek() {
                Some(s) if ahead(*s, ends[1]) => *s,
                _ => ends[1],
            };
            run.piece(t, to, &mut x)?;
            t = to;
            while pending.next_if(|s| *s == t).is_some() {
                taken.push(x.clone());
            }
        }
    }
    Ok(PeerSolution {
        samples: taken,
        last: x,
        statistics: run.statistics,
    })
}

struct Run<'a, F> {
    peer: Peer,
    system: &'a mut F,
    options: &'a Options,
    scale: Vec<f64>,
    sign: f64,
    statistics: Statistics,
}

impl<F: System<f64>> Run<'_, F> {
    /// One integration from `start` to `end`, over s = |t - start|.
    fn piece(&mut self, start: f64, end: f64, x: &mut [f64]) -> Result<(), SolveError> {
        let n = x.len();
        let span = (end - start).abs();
        let (rtol, atol) = (
            self.options.rtol,
            match self.options.atol {
                Tolerance::Uniform(a) => a,
                Tolerance::PerState(_) => 1.0,
            },
        );
        let mut slope = vec![0.0; n];
        self.system.rhs(start, x, &mut slope);
        self.statistics.rhs_evaluations += 1;
        if let Some(state) = slope.iter().position(|v| !v.is_finite()) {
            return Err(SolveError::NotFinite {
                t: start,
                state,
                x: x.to_vec(),
            });
        }
        let order = match self.peer {
            Peer::Dopri5 => 5,
            Peer::Dop853 => 8,
        };
        let h_max = self.options.max_step.min(span);
        let h = match self.options.first_step {
            Some(h) => h.min(h_max),
            None => {
                let (mut x1, mut f1) = (vec![0.0; n], vec![0.0; n]);
                initial_step(
                    self.system,
                    start,
                    x,
                    &slope,
                    self.sign,
                    h_max,
                    order,
                    self.options,
                    &mut x1,
                    &mut f1,
                    &mut self.statistics,
                )
            }
        };
        let used = self.statistics.steps + self.statistics.rejected;
        let left = self.options.max_steps.saturating_sub(used);
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        let n_stiff = if self.options.stiffness_test {
            1000
        } else {
            u32::MAX
        };
        let mut z: Vec<f64> = x.iter().zip(&self.scale).map(|(v, a)| v / a).collect();
        z.push(0.0);
        let z = DVector::from_vec(z);
        let reversed = Reversed {
            inner: RefCell::new(Inner {
                system: &mut *self.system,
                x: vec![0.0; n],
                slope,
                bad: None,
            }),
            scale: &self.scale,
            start,
            sign: self.sign,
        };
        macro_rules! integrate {
            ($solver:ident, $beta:expr, $least:expr, $most:expr) => {{
                let mut solver = $solver::from_param(
                    &reversed,
                    0.0,
                    span,
                    span,
                    z,
                    rtol,
                    atol,
                    0.9,
                    $beta,
                    $least,
                    $most,
                    h_max,
                    h,
                    left,
                    n_stiff,
                    OutputType::Sparse,
                );
                let result = solver.integrate();
                let reached = solver.x_out().last().copied().unwrap_or(0.0);
                (result, reached, solver.y_out().last().cloned())
            }};
        }
        let (result, reached, z) = match self.peer {
            Peer::Dopri5 => integrate!(Dopri5, 0.04, 0.2, 10.0),
            Peer::Dop853 => integrate!(Dop853, 0.0, 0.333, 6.0),
        };
        let bad = reversed.inner.into_inner().bad;
        if let Some(z) = z {
            for ((v, z), a) in x.iter_mut().zip(z.iter()).zip(&self.scale) {
                *v = z * a;
            }
        }
        let t = start + self.sign * reached;
        match result {
            Ok(counts) => {
                self.statistics.steps += counts.accepted_steps as usize;
                self.statistics.rejected += counts.rejected_steps as usize;
                self.statistics.rhs_evaluations += counts.num_eval as usize;
                Ok(())
            }
            Err(_) if bad.is_some() => Err(SolveError::NotFinite {
                t,
                state: bad.unwrap_or(0),
                x: x.to_vec(),
            }),
            Err(IntegrationError::MaxNumStepReached { .. }) => Err(SolveError::TooManySteps {
                t,
                limit: self.options.max_steps,
                x: x.to_vec(),
            }),
            Err(IntegrationError::StepSizeUnderflow { .. }) => Err(SolveError::StepSizeTooSmall {
                t,
                step_size: f64::EPSILON * reached,
                state: 0,
                x: x.to_vec(),
            }),
            Err(IntegrationError::StiffnessDetected { .. }) => Err(SolveError::Stiff {
                t,
                step_times_eigenvalue: match self.peer {
                    Peer::Dopri5 => 3.25,
                    Peer::Dop853 => 6.1,
                },
            }),
        }
    }
}

/// d/ds of (x / scale, s) with t = start + sign s.
struct Reversed<'a, F> {
    inner: RefCell<Inner<'a, F>>,
    scale: &'a [f64],
    start: f64,
    sign: f64,
}

/// What an evaluation changes; the crate evaluates through a shared reference.
struct Inner<'a, F> {
    system: &'a mut F,
    x: Vec<f64>,
    slope: Vec<f64>,
    /// first state of the last evaluation that was not finite
    bad: Option<usize>,
}

impl<F: System<f64>> ode_solvers::System<f64, DVector<f64>> for &Reversed<'_, F> {
    fn system(&self, _s: f64, z: &DVector<f64>, dz: &mut DVector<f64>) {
        let inner = &mut *self.inner.borrow_mut();
        let n = inner.x.len();
        for ((x, z), a) in inner.x.iter_mut().zip(z.iter()).zip(self.scale) {
            *x = z * a;
        }
        let t = self.start + self.sign * z[n];
        inner.system.rhs(t, &inner.x, &mut inner.slope);
        inner.bad = inner.slope.iter().position(|v| !v.is_finite());
        for ((d, f), a) in dz.iter_mut().zip(&inner.slope).zip(self.scale) {
            *d = self.sign * f / a;
        }
        dz[n] = 1.0;
    }
}
