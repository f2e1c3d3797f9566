//! The gradient of a functional by an adjoint: what it reads is seeded backward, from its root to the run.

use costate_adjoint::{Dual, Ledger, Seeds};

use super::{FunctionalStudy, ReadAt, Reading, WIDTH};
use crate::compile::Workspace;
use crate::scenario::SolverMethod;
use crate::study::any_solver::StudyScalar;
use crate::study::error::StudyError;
use crate::study::moving_reads::MovingRead;
use crate::study::nudge::Nudge;
use crate::study::reverse::Reverse;
use crate::study::run::Run;
use crate::study::variable::Variable;
use crate::study::{Solving, Study};

/// Workspace of the gradient by the adjoint.
pub(in crate::study) struct Kept<S: StudyScalar> {
    /// the method, the bound of memory, and whether the adjoint is continuous
    solver: (SolverMethod, Option<usize>, bool),
    run: Run<S>,
    ledger: Ledger<S>,
    reverse: Reverse<S>,
}

impl<S: StudyScalar> Kept<S> {
    /// Its run.
    pub(super) fn run(&mut self) -> &mut Run<S> {
        &mut self.run
    }

    fn key(solving: &Solving) -> (SolverMethod, Option<usize>, bool) {
        (solving.stepper, solving.memory, solving.continuous)
    }
}

impl<S: StudyScalar> std::fmt::Debug for Kept<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

impl FunctionalStudy {
    /// Work with the workspace of an earlier solve, or a new one.
    pub(super) fn with_kept<R>(
        &self,
        solving: &Solving,
        work: impl FnOnce(&mut Kept<f64>) -> R,
    ) -> R {
        let key = Kept::<f64>::key(solving);
        let fits = |kept: &Kept<f64>| kept.solver == key;
        self.kept.with(fits, || self.fresh(solving), work)
    }

    /// The same over dual numbers.
    pub(super) fn with_kept_duals<R>(
        &self,
        solving: &Solving,
        work: impl FnOnce(&mut Kept<Dual<WIDTH>>) -> R,
    ) -> R {
        let key = Kept::<f64>::key(solving);
        let fits = |kept: &Kept<Dual<WIDTH>>| kept.solver == key;
        self.kept_duals.with(fits, || self.fresh(solving), work)
    }

    pub(super) fn fresh<S: StudyScalar>(&self, solving: &Solving) -> Kept<S> {
        Kept {
            solver: Kept::<S>::key(solving),
            run: self.run(),
            ledger: Reverse::ledger(solving),
            reverse: Reverse::default(),
        }
    }

    /// Derivatives of root with respect to the experiment's parameters, the values, the objective, the integrals and
    /// the times of events.
    pub(super) fn root_bars<S: StudyScalar>(
        &self,
        reading: &Reading<S>,
        objective: S,
        weights: &[S],
    ) -> Result<Vec<S>, StudyError> {
        let read = reading.values.len() + 1 + self.integrals + self.event_times.len();
        let count = reading.parameters.len() + read;
        let mut bars = vec![S::from(0.0); count];
        let inputs = reading.of_root(std::slice::from_ref(&objective), weights);
        let workspace = &mut Workspace::default();
        S::call(&self.root_gradient, &inputs, &mut [&mut bars], workspace)?;
        Ok(bars)
    }

    pub(super) fn by_adjoint(
        &self,
        study: &Study,
        solving: &Solving,
        p: &[f64],
        variables: &[Variable],
        gradient: &mut [f64],
    ) -> Result<f64, StudyError> {
        let objective = self.objective(study, solving, p)?;
        let at = (p, &Nudge::none());
        let weights = self.first_alone();
        let read = self.with_kept(solving, |kept| {
            self.back(
                study, solving, kept, at, variables, objective, &weights, gradient,
            )
        })?;
        Ok(read.0)
    }

    /// The functional and its gradient over any scalar, at parameters p and what else is moved. `objective` gives that of the
    /// data and its gradient, where it is asked for.
    #[expect(clippy::too_many_arguments, reason = "a sweep's inputs and outputs")]
    pub(in crate::study) fn backward_over<S: StudyScalar>(
        &self,
        study: &Study,
        solving: &Solving,
        kept: &mut Option<Kept<S>>,
        at: (&[S], &Nudge<S>),
        variables: &[Variable],
        gradient: &mut [S],
        objective: impl FnOnce(&mut [S]) -> Result<S, StudyError>,
    ) -> Result<S, StudyError> {
        let kept = match kept {
            Some(kept) => kept,
            None => kept.insert(self.fresh(solving)),
        };
        let zero = S::from(0.0);
        if !self.uses_objective {
            let one = self.first_alone();
            let back = self.back(study, solving, kept, at, variables, zero, &one, gradient)?;
            return Ok(back.0);
        }
        let mut part = vec![zero; variables.len()];
        let value = objective(&mut part)?;
        let one = self.first_alone();
        let (value, slope) =
            self.back(study, solving, kept, at, variables, value, &one, gradient)?;
        for (g, part) in gradient.iter_mut().zip(part) {
            *g += slope * part;
        }
        Ok(value)
    }

    /// The functional with the objective held, its gradient, and its derivative with respect to the objective.
    #[expect(clippy::too_many_arguments, reason = "a sweep's inputs and outputs")]
    pub(super) fn back<S: StudyScalar>(
        &self,
        study: &Study,
        solving: &Solving,
        kept: &mut Kept<S>,
        (p, nudge): (&[S], &Nudge<S>),
        variables: &[Variable],
        objective: S,
        weights: &[S],
        gradient: &mut [S],
    ) -> Result<(S, S), StudyError> {
        solving.adjoint()?;
        let solving = &Solving {
            options: self.options(study, solving),
            ..solving.clone()
        };
        let (n, zero) = (self.equations.states(), S::from(0.0));
        let Kept {
            run,
            ledger,
            reverse,
            ..
        } = kept;
        let (samples, reading) = self.read(run, study, solving, p, nudge, ledger, None)?;
        let bars = self.root_bars(&reading, objective, weights)?;
        let slope = bars[p.len() + self.values.len()];
        let mut own = bars[..p.len()].to_vec();
        let mut sample_bars = vec![zero; samples.len() * n];
        let mut final_bar = vec![zero; n];
        let mut final_time_bar = [zero];
        let mut rest_bar = vec![zero; run.equilibrium().len()];
        let mut read_bars = vec![zero; reading.moving.len() * n];
        let mut read_time_bars = vec![[zero]; reading.moving.len()];
        let ends_move = variables
            .iter()
            .any(|v| matches!(v, Variable::Start | Variable::End));
        let free = study.scenario.free_end.filter(|_| self.to_end);
        let ends_move = ends_move || free.is_some();
        // what is read at the start goes with it, and is no reading of the first step
        let start_moves = variables.contains(&Variable::Start);
        let (mut start_bar, mut start_time_bar) = (vec![zero; n], [zero]);
        let mut workspace = Workspace::default();
        for (j, (function, &place)) in self.values_vjp.iter().zip(&reading.places).enumerate() {
            let weight = &bars[p.len() + j..=p.len() + j];
            let (mut still, end) = ([zero], run.end());
            let (t, x, x_bar, t_bar) = match place {
                // (where searches ended is known by now)
                ReadAt::Found(_) => continue,
                ReadAt::Rest => {
                    let start = S::from(study.scenario.start);
                    (start, run.equilibrium(), &mut rest_bar[..], &mut still)
                }
                ReadAt::Moving(_) | ReadAt::End => {
                    let read = match place {
                        ReadAt::Moving(read) => read,
                        _ => self.reads,
                    };
                    match reading.moving.get(read) {
                        Some(MovingRead { t, x, .. }) => {
                            let x_bar = &mut read_bars[read * n..(read + 1) * n];
                            (*t, &x[..], x_bar, &mut read_time_bars[read])
                        }
                        // a terminal event ended the run, and the value is read there
                        None => (end, &run.x[..], &mut final_bar[..], &mut final_time_bar),
                    }
                }
                ReadAt::Sample(sample) => {
                    let (t, x) = (samples.times()[sample], samples.state(sample));
                    if start_moves && t.value() == study.scenario.start {
                        (t, x, &mut start_bar[..], &mut start_time_bar)
                    } else {
                        let x_bar = &mut sample_bars[sample * n..(sample + 1) * n];
                        (t, x, x_bar, &mut still)
                    }
                }
            };
            let inputs = [&[t, t][..], x, &reading.parameters, weight];
            let outputs = &mut [x_bar, &mut own, t_bar];
            S::call(function, &inputs, outputs, &mut workspace)?;
        }
        let (integrals, event_times) =
            bars[p.len() + self.values.len() + 1..].split_at(self.integrals);
        for (bar, &q) in final_bar[n - self.integrals..].iter_mut().zip(integrals) {
            *bar += q;
        }
        let read_marks: Vec<usize> = reading.moving.iter().map(|read| read.mark).collect();
        let last = reading.marks.iter().chain(&read_marks).max();
        let mut mark_bars = vec![zero; last.map_or(0, |mark| mark + 1)];
        let of_reads = read_time_bars.iter().flatten();
        let times = reading.marks.iter().zip(event_times);
        for (&mark, &bar) in times.chain(read_marks.iter().zip(of_reads)) {
            mark_bars[mark] += bar;
        }
        let seeds = Seeds {
            samples: samples.places(),
            sample_bars: &sample_bars,
            final_bar: &final_bar,
            final_time_bar: final_time_bar[0],
            mark_bars: &mark_bars,
            read_marks: &read_marks,
            read_bars: &read_bars,
        };
        let value_of = |place: usize| run.times.get(place).map(|t| t.value());
        let changes = value_of(1) == value_of(0) || self.equations.mass.is_some();
        let counts = |bar: &S| (0..S::WIDTH).any(|part| bar.part(part) != 0.0);
        if changes && start_bar.iter().any(counts) {
            return Err(StudyError::Unsupported(
                "the derivative by `time.start` of what is read at the start, where states are made consistent or an event happens: take it by `dual`".into(),
            ));
        }
        let mut x0 = vec![zero; n];
        let moving = self.equations.stops_move() && !run.stop_of.is_empty() || ends_move;
        let mut time_bars = vec![zero; run.times.len()];
        let fail = |error| study.run_error(error, self.experiment);
        let bars = moving.then_some(&mut time_bars[..]);
        reverse
            .sweep(solving, run, ledger, &seeds, &mut x0, &mut own, bars)
            .map_err(fail)?;
        if self.rests() {
            let (start, end) = (study.scenario.start, study.scenario.end);
            run.pull_back_equilibrium(start, end, &mut rest_bar, &mut own);
            for (x0, &rest) in x0.iter_mut().zip(&rest_bar) {
                *x0 += rest;
            }
        }
        for (x0, &start) in x0.iter_mut().zip(&start_bar) {
            *x0 += start;
        }
        if let Some(first) = time_bars.first_mut() {
            *first += start_time_bar[0];
        }
        let mut global = vec![zero; p.len()];
        run.prepare_vjp(
            self.experiment,
            p,
            &x0,
            moving.then_some(&time_bars[..]),
            &mut own,
            &mut global,
        )
        .map_err(fail)?;
        if let Some(k) = free {
            global[k] += time_bars.last().copied().unwrap_or(zero);
        }
        for (g, variable) in gradient.iter_mut().zip(variables) {
            *g = match *variable {
                Variable::Parameter(i) => global[i],
                Variable::Initial(i) => x0[i],
                Variable::Start => time_bars.first().copied().unwrap_or(zero),
                Variable::End => match self.to_end {
                    true => time_bars.last().copied().unwrap_or(zero),
                    false => zero,
                },
            };
        }
        Ok((self.evaluate_root(&reading, objective)?, slope))
    }
}
