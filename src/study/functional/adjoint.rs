//! The gradient of a functional by an adjoint: what it reads is seeded backward, from its root to the run.

use costate_adjoint::{Ledger, Seeds};

use super::{FunctionalStudy, ReadAt, Reading};
use crate::compile::Scratch;
use crate::scenario::SolverMethod;
use crate::study::error::StudyError;
use crate::study::moving_reads::MovingRead;
use crate::study::nudge::Nudge;
use crate::study::reverse::Reverse;
use crate::study::run::Run;
use crate::study::variable::Variable;
use crate::study::{Solving, Study};

/// Workspace of the gradient by the adjoint.
pub(super) struct Kept {
    /// the method, the bound of memory, and whether the adjoint is continuous
    solver: (SolverMethod, Option<usize>, bool),
    run: Run<f64>,
    ledger: Ledger,
    reverse: Reverse,
}

impl Kept {
    fn key(solving: &Solving) -> (SolverMethod, Option<usize>, bool) {
        (solving.stepper, solving.memory, solving.continuous)
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

impl FunctionalStudy {
    /// The workspace of the last gradient by the adjoint, or a new one.
    fn kept(&self, solving: &Solving) -> Kept {
        let fits = |kept: &Kept| kept.solver == Kept::key(solving);
        self.kept.take().filter(fits).unwrap_or_else(|| Kept {
            solver: Kept::key(solving),
            run: self.run(),
            ledger: Reverse::ledger(solving),
            reverse: Reverse::default(),
        })
    }

    /// Derivatives of root with respect to the experiment's parameters, the values, the objective, the integrals and
    /// the times of events.
    pub(super) fn root_bars(
        &self,
        reading: &Reading<f64>,
        objective: f64,
    ) -> Result<Vec<f64>, StudyError> {
        let read = reading.values.len() + 1 + self.integrals + self.event_times.len();
        let count = reading.parameters.len() + read;
        let mut bars = vec![0.0; count];
        self.root_gradient.call(
            &reading.of_root(&[objective]),
            &mut [&mut bars],
            &mut Scratch::default(),
        )?;
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
        solving.adjoint()?;
        let solving = &Solving {
            options: self.options(study, solving),
            ..solving.clone()
        };
        let n = self.equations.states();
        let Kept {
            solver,
            run,
            mut ledger,
            mut reverse,
        } = self.kept(solving);
        let (mut run, samples, reading) =
            self.read(run, study, solving, p, &Nudge::none(), &mut ledger, None)?;
        let objective = self.objective(study, solving, p)?;
        let bars = self.root_bars(&reading, objective)?;
        let mut own = bars[..p.len()].to_vec();
        let mut sample_bars = vec![0.0; samples.len() * n];
        let mut final_bar = vec![0.0; n];
        let mut final_time_bar = [0.0];
        let mut rest_bar = vec![0.0; run.equilibrium().len()];
        let mut read_bars = vec![0.0; reading.moving.len() * n];
        let mut read_time_bars = vec![[0.0]; reading.moving.len()];
        let ends_move = variables
            .iter()
            .any(|v| matches!(v, Variable::Start | Variable::End));
        // what is read at the start goes with it, and is no reading of the first step
        let start_moves = variables.contains(&Variable::Start);
        let (mut start_bar, mut start_time_bar) = (vec![0.0; n], [0.0]);
        let mut scratch = Scratch::default();
        for (j, (function, &place)) in self.values_vjp.iter().zip(&self.places).enumerate() {
            let weight = &bars[p.len() + j..=p.len() + j];
            let (mut still, end) = ([0.0], run.end());
            let (t, x, x_bar, t_bar) = match place {
                ReadAt::Rest => {
                    let start = study.scenario.start;
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
                    let (t, x) = (self.times[sample], samples.state(sample));
                    if start_moves && t == study.scenario.start {
                        (t, x, &mut start_bar[..], &mut start_time_bar)
                    } else {
                        let x_bar = &mut sample_bars[sample * n..(sample + 1) * n];
                        (t, x, x_bar, &mut still)
                    }
                }
            };
            let inputs = [&[t, t][..], x, &reading.parameters, weight];
            function.call(&inputs, &mut [x_bar, &mut own, t_bar], &mut scratch)?;
        }
        let (integrals, event_times) =
            bars[p.len() + self.values.len() + 1..].split_at(self.integrals);
        for (bar, q) in final_bar[n - self.integrals..].iter_mut().zip(integrals) {
            *bar += q;
        }
        let read_marks: Vec<usize> = reading.moving.iter().map(|read| read.mark).collect();
        let last = reading.marks.iter().chain(&read_marks).max();
        let mut mark_bars = vec![0.0; last.map_or(0, |mark| mark + 1)];
        let of_reads = read_time_bars.iter().flatten();
        let times = reading.marks.iter().zip(event_times);
        for (&mark, bar) in times.chain(read_marks.iter().zip(of_reads)) {
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
        let changes = run.times.get(1) == run.times.first() || self.equations.mass.is_some();
        if changes && (start_bar.iter().any(|&bar| bar != 0.0)) {
            return Err(StudyError::Unsupported(
                "the derivative by `time.start` of what is read at the start, where states are made consistent or an event happens: take it by `dual`".into(),
            ));
        }
        let mut x0 = vec![0.0; n];
        let moving = self.equations.stops_move() && !run.stop_of.is_empty() || ends_move;
        let mut time_bars = vec![0.0; run.times.len()];
        let fail = |error| study.run_error(error, self.experiment);
        let bars = moving.then_some(&mut time_bars[..]);
        reverse
            .sweep(
                solving,
                &mut run,
                &mut ledger,
                &seeds,
                &mut x0,
                &mut own,
                bars,
            )
            .map_err(fail)?;
        if self.rests() {
            let (start, end) = (study.scenario.start, study.scenario.end);
            run.pull_back_equilibrium(start, end, &mut rest_bar, &mut own);
            for (x0, rest) in x0.iter_mut().zip(&rest_bar) {
                *x0 += rest;
            }
        }
        for (x0, start) in x0.iter_mut().zip(&start_bar) {
            *x0 += start;
        }
        if let Some(first) = time_bars.first_mut() {
            *first += start_time_bar[0];
        }
        let mut global = vec![0.0; p.len()];
        run.prepare_vjp(
            self.experiment,
            p,
            &x0,
            moving.then_some(&time_bars[..]),
            &mut own,
            &mut global,
        )
        .map_err(fail)?;
        for (g, variable) in gradient.iter_mut().zip(variables) {
            *g = match *variable {
                Variable::Parameter(i) => global[i],
                Variable::Initial(i) => x0[i],
                Variable::Start => time_bars.first().copied().unwrap_or(0.0),
                Variable::End => match self.to_end {
                    true => time_bars.last().copied().unwrap_or(0.0),
                    false => 0.0,
                },
            };
        }
        self.kept.replace(Some(Kept {
            solver,
            run,
            ledger,
            reverse,
        }));
        self.evaluate_root(&reading, objective)
    }
}
