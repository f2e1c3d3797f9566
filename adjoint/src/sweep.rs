//! What every backward sweep over a tape shares: where cotangents enter, and where they leave for times.
//!
//! The objective is any function of states read from a solve; its derivative with respect to each reading is
//! given as [`Seeds`], and the sweep returns its derivatives with respect to the initial states, the parameters
//! and, if asked, the start, stop and end times ([`TimeBars`]).
//!
//! Step sizes are frozen: differentiating the controller would add spurious terms (Alexe & Sandu 2009,
//! doi 10.1016/j.cam.2009.08.109). Where a time of the list given to the integrator moves, the mesh points
//! between such times stay: the last step before absorbs the change in its size, the first step after in its
//! start and size.

use costate_solvers::record::Place;
use costate_solvers::rosenbrock::BRIDGED;
use thiserror::Error;

use crate::Tape;
use crate::readings::Readings;
use crate::system::AdjointSystem;

/// Derivatives of an objective with respect to the states it reads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seeds<'a> {
    /// where states were read by dense output, ascending by step
    pub samples: &'a [Place],
    /// derivative with respect to each of those states, `samples.len() * n` numbers
    pub sample_bars: &'a [f64],
    /// derivative with respect to the final states (n numbers; empty: zero)
    pub final_bar: &'a [f64],
}

/// Derivatives with respect to the times of a solve.
#[derive(Debug)]
pub struct TimeBars<'a> {
    /// the start, stop and end times given to the integrator, in its order
    pub times: &'a [f64],
    /// where the derivative with respect to each is added
    pub bars: &'a mut [f64],
}

/// Why a sweep cannot run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AdjointError {
    /// A slice has the wrong length.
    #[error("`{what}` holds {actual} numbers, expected {expected}")]
    Length {
        /// which slice
        what: &'static str,
        /// its length
        actual: usize,
        /// the length it must have
        expected: usize,
    },
    /// Samples are not ascending by step, or lie past the tape.
    #[error("sample {index} is out of order or past the tape")]
    SampleOrder {
        /// index of the sample
        index: usize,
    },
    /// The iteration matrix of a recorded step has no inverse.
    #[error("singular iteration matrix in step {step}")]
    SingularMatrix {
        /// index of the step
        step: usize,
    },
    /// A recorded step starts where df/dt is infinite and took a difference quotient in its place
    /// ([`costate_solvers::rosenbrock::BRIDGED`]). The sweep differentiates df/dt itself; dual numbers follow the quotient.
    #[error(
        "df/dt is infinite at the start of step {step}, and the adjoint needs it: take the gradient by dual numbers, or by `tsit5`"
    )]
    InfiniteTimeDerivative {
        /// index of the step
        step: usize,
    },
}

/// `Ok` where a slice has the length it must.
fn check_length(what: &'static str, actual: usize, expected: usize) -> Result<(), AdjointError> {
    if actual == expected {
        Ok(())
    } else {
        Err(AdjointError::Length {
            what,
            actual,
            expected,
        })
    }
}

/// A step of the tape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    pub t: f64,
    pub h: f64,
    pub restarted: bool,
    pub x: &'a [f64],
    pub x_new: &'a [f64],
    pub stages: &'a [f64],
}

/// Derivatives of the objective with respect to the start of a step and to its size.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StepBars {
    pub t: f64,
    pub h: f64,
}

/// The reverse of one step of a method.
pub(crate) trait Reverse<F: ?Sized> {
    /// Vectors of length n that the method's stages hold.
    const STAGES: usize;
    /// Makes the workspace fit n states and forgets the last sweep.
    fn begin(&mut self, n: usize);
    /// Cotangent of the states where the sweep has arrived.
    fn lambda(&mut self) -> &mut [f64];
    /// Takes lambda from the end of a step to its start and adds what the step owes to the parameters, and to its
    /// own start and size where asked. `false`: the step's matrix is singular.
    fn reverse(
        &mut self,
        system: &mut F,
        step: &Step<'_>,
        readings: &Readings,
        p_bar: &mut [f64],
        bars: &mut Option<StepBars>,
    ) -> bool;
}

/// Where a sweep starts and what it writes.
pub(crate) struct Task<'a> {
    pub seeds: Seeds<'a>,
    pub x0_bar: &'a mut [f64],
    pub p_bar: &'a mut [f64],
    pub times: Option<TimeBars<'a>>,
}

impl Task<'_> {
    /// Checks everything a sweep indexes by.
    fn check(&self, n: usize, p: usize, tape: &Tape, stages: usize) -> Result<(), AdjointError> {
        let seeds = &self.seeds;
        check_length("x0_bar", self.x0_bar.len(), n)?;
        check_length("p_bar", self.p_bar.len(), p)?;
        check_length(
            "sample_bars",
            seeds.sample_bars.len(),
            seeds.samples.len() * n,
        )?;
        if !seeds.final_bar.is_empty() {
            check_length("final_bar", seeds.final_bar.len(), n)?;
        }
        if let Some(times) = &self.times {
            check_length("bars", times.bars.len(), times.times.len())?;
        }
        let steps = tape.steps().len();
        if steps > 0 {
            check_length("a tape's state", tape.state(0).len(), n)?;
            check_length("a tape's stages", tape.stages(0).len(), n * stages)?;
        }
        let mut last = 0;
        for (index, sample) in seeds.samples.iter().enumerate() {
            // A solve of no length has its samples at the start.
            if sample.step < last || sample.step >= steps.max(1) {
                return Err(AdjointError::SampleOrder { index });
            }
            last = sample.step;
        }
        Ok(())
    }
}

/// Runs backward over the tape, step by step.
pub(crate) fn sweep<F: AdjointSystem + ?Sized, R: Reverse<F>>(
    method: &mut R,
    readings: &mut Readings,
    system: &mut F,
    tape: &Tape,
    task: Task<'_>,
) -> Result<(), AdjointError> {
    let n = system.dim();
    task.check(n, system.parameters(), tape, R::STAGES)?;
    let seeds = task.seeds;
    method.begin(n);
    readings.begin(n);
    method.lambda().fill(0.0);
    method.lambda()[..seeds.final_bar.len()].copy_from_slice(seeds.final_bar);
    let mut times = task.times.map(TimeSweep::new);
    let mut stretch = f64::NAN;
    let mut left = seeds.samples.len();
    let mut last_of_stretch = true;
    for (index, at) in tape.steps().iter().enumerate().rev() {
        if at.mode == BRIDGED {
            return Err(AdjointError::InfiniteTimeDerivative { step: index });
        }
        if at.stretch != stretch {
            stretch = at.stretch;
            system.enter_stretch(stretch);
        }
        let end = left;
        while left > 0 && seeds.samples[left - 1].step == index {
            left -= 1;
        }
        readings.take(
            &seeds.samples[left..end],
            &seeds.sample_bars[left * n..end * n],
        );
        let step = Step {
            t: at.t,
            h: at.h,
            restarted: at.restarted,
            x: tape.state(index),
            x_new: tape.state(index + 1),
            stages: tape.stages(index),
        };
        let mut bars = times.is_some().then(StepBars::default);
        if !method.reverse(system, &step, readings, task.p_bar, &mut bars) {
            return Err(AdjointError::SingularMatrix { step: index });
        }
        if let (Some(times), Some(bars)) = (&mut times, bars) {
            times.add(last_of_stretch, bars);
        }
        last_of_stretch = at.restarted;
    }
    // What is left was read from a solve of no length.
    for bar in seeds.sample_bars[..left * n].chunks_exact(n.max(1)) {
        for (l, b) in method.lambda().iter_mut().zip(bar) {
            *l += b;
        }
    }
    task.x0_bar.copy_from_slice(method.lambda());
    Ok(())
}

/// Hands the derivatives of steps, last first, to the times that they begin and end at.
#[derive(Debug)]
pub(crate) struct TimeSweep<'a> {
    bars: TimeBars<'a>,
    /// index of the time at which the current stretch ends
    end: usize,
}

impl<'a> TimeSweep<'a> {
    pub(crate) fn new(bars: TimeBars<'a>) -> Self {
        Self {
            end: bars.times.len(),
            bars,
        }
    }

    /// Takes the derivatives of one step; `last`: it is the last of its stretch.
    pub(crate) fn add(&mut self, last: bool, bar: StepBars) {
        let times = self.bars.times;
        if last {
            // Stretches of no length have no steps.
            self.end = self.end.saturating_sub(1);
            while self.end > 0 && times[self.end] == times[self.end - 1] {
                self.end -= 1;
            }
        }
        let Some(start) = self.end.checked_sub(1) else {
            return;
        };
        self.bars.bars[start] += bar.t;
        if last {
            self.bars.bars[start] -= bar.h;
            self.bars.bars[self.end] += bar.h;
        }
    }
}
