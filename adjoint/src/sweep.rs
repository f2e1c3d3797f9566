//! What every backward sweep over a tape shares: where cotangents enter, and where they leave for times.
//!
//! The objective is any function of states read from a solve; its derivative with respect to each reading is
//! given as [`Seeds`], and the sweep returns its derivatives with respect to the initial states, the parameters
//! and, if asked, the start, stop and end times given to the integrator.
//!
//! Step sizes are frozen: differentiating the controller would add spurious terms (Alexe & Sandu 2009,
//! doi 10.1016/j.cam.2009.08.109). Where a time of the list given to the integrator moves, the mesh points
//! between such times stay: the last step before absorbs the change in its size, the first step after in its
//! start and size.

use costate_solvers::Cause;
use costate_solvers::record::Place;
use thiserror::Error;

use crate::Tape;
use crate::hybrid::AdjointHybrid;
pub use crate::readings::Readings;
use crate::system::{AdjointSystem, dot};

/// Derivatives of an objective with respect to the states it reads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seeds<'a> {
    /// where states were read by dense output, ascending by step
    pub samples: &'a [Place],
    /// derivative with respect to each of those states, `samples.len() * n` numbers
    pub sample_bars: &'a [f64],
    /// derivative with respect to the final states (n numbers; empty: zero)
    pub final_bar: &'a [f64],
    /// derivative with respect to the time at which the solve ended, at a stop or by a terminal event
    pub final_time_bar: f64,
    /// derivatives with respect to the times of the tape's marks (one number each; empty: zero)
    pub mark_bars: &'a [f64],
}

/// Why a sweep cannot run.
#[derive(Debug, Clone, PartialEq, Error)]
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
    /// The system is solved by products with its Jacobian alone, and the adjoint must factor it.
    #[error(
        "linear systems are solved by GMRES without a preconditioner, and the adjoint needs the Jacobian: choose another `linear_solver` or `preconditioner`, or take the gradient by dual numbers"
    )]
    NoJacobian,
    /// The solution touches a root function's zero without crossing it: the time of the event has no derivative.
    #[error("root {root} is touched, not crossed, at t = {t}")]
    Grazing {
        /// index of the root function
        root: usize,
        /// when
        t: f64,
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
pub struct Step<'a> {
    /// time at its start
    pub t: f64,
    /// its size
    pub h: f64,
    /// its first stage is its own, and not the last of the step before
    pub restarted: bool,
    /// it is the first of a stretch
    pub begins: bool,
    /// size of the step before; NaN for the first
    pub last_h: f64,
    /// how the method made it ([`costate_solvers::Method::mode`])
    pub mode: u8,
    /// states at its start
    pub x: &'a [f64],
    /// states at its end
    pub x_new: &'a [f64],
    /// its stages
    pub stages: &'a [f64],
}

/// Derivatives of the objective with respect to the start of a step and to its size.
#[derive(Debug, Clone, Copy, Default)]
pub struct StepBars {
    /// that in its start
    pub t: f64,
    /// that in its size
    pub h: f64,
}

/// A backward sweep over the steps of a method, by its kernel `K`; its workspace is kept between sweeps, nothing is
/// allocated after the first.
#[derive(Debug, Clone, Default)]
pub struct Adjoint<K> {
    kernel: K,
    readings: Readings,
}

impl<K> Adjoint<K> {
    /// Runs backward over the tape. Overwrites `x0_bar` (length n) with the derivative with respect to the
    /// initial states, and adds to `p_bar` that with respect to the parameters and to `times` those with respect
    /// to the times given to the solve.
    #[expect(clippy::too_many_arguments, reason = "a sweep's inputs and outputs")]
    pub fn sweep<F, H>(
        &mut self,
        system: &mut F,
        hybrid: &mut H,
        tape: &Tape,
        seeds: &Seeds<'_>,
        x0_bar: &mut [f64],
        p_bar: &mut [f64],
        times: Option<&mut [f64]>,
    ) -> Result<(), AdjointError>
    where
        F: AdjointSystem + ?Sized,
        H: AdjointHybrid + ?Sized,
        K: Reverse<F>,
    {
        let task = Task {
            seeds: *seeds,
            x0_bar,
            p_bar: &mut *p_bar,
            times,
        };
        let (kernel, readings) = (&mut self.kernel, &mut self.readings);
        sweep(kernel, readings, system, hybrid, tape, task)?;
        self.kernel.finish(system, p_bar);
        Ok(())
    }
}

/// The reverse of one step of a method.
pub trait Reverse<F: ?Sized> {
    /// Vectors of length n that the method's stages hold.
    const STAGES: usize;
    /// Degree of its dense output.
    const DEGREE: usize;
    /// Cotangents of what the method carries from step to step beside the states, where the sweep has arrived.
    fn carried(&mut self) -> &mut [f64] {
        &mut []
    }
    /// Whether a step so made cannot be reversed, because it took a quotient for an infinite df/dt.
    fn is_bridged(mode: u8) -> bool {
        let _ = mode;
        false
    }
    /// Makes the workspace fit the system and forgets the last sweep.
    fn begin(&mut self, system: &F) -> Result<(), AdjointError>;
    /// Cotangent of the states where the sweep has arrived.
    fn lambda(&mut self) -> &mut [f64];
    /// Takes lambda from the end of a step to its start and adds what the step owes to the parameters, and to its
    /// own start and size where asked. `false`: the step's matrix is singular.
    fn reverse(
        &mut self,
        system: &mut F,
        step: &Step<'_>,
        readings: &mut Readings,
        p_bar: &mut [f64],
        bars: &mut Option<StepBars>,
    ) -> bool;
    /// Takes lambda from the states at the start of a stretch, made consistent with algebraic equations, to those
    /// before; returns what is owed to the time.
    fn uninitialize(&mut self, system: &mut F, t: f64, x: &[f64], p_bar: &mut [f64]) -> f64 {
        let _ = (system, t, x, p_bar);
        0.0
    }
    /// Adds what all steps together owe to the parameters.
    fn finish(&mut self, system: &mut F, p_bar: &mut [f64]) {
        let _ = (system, p_bar);
    }
}

/// Where a sweep starts and what it writes.
struct Task<'a> {
    pub seeds: Seeds<'a>,
    pub x0_bar: &'a mut [f64],
    pub p_bar: &'a mut [f64],
    pub times: Option<&'a mut [f64]>,
}

impl Task<'_> {
    /// Checks everything a sweep indexes by.
    fn check(&self, n: usize, p: usize, tape: &Tape, stages: usize) -> Result<(), AdjointError> {
        let seeds = &self.seeds;
        check_length("x0_bar", self.x0_bar.len(), n)?;
        check_length("p_bar", self.p_bar.len(), p)?;
        let numbers = seeds.samples.len() * n;
        check_length("sample_bars", seeds.sample_bars.len(), numbers)?;
        if !seeds.final_bar.is_empty() {
            check_length("final_bar", seeds.final_bar.len(), n)?;
        }
        if !seeds.mark_bars.is_empty() {
            check_length("mark_bars", seeds.mark_bars.len(), tape.marks())?;
        }
        if let Some(times) = &self.times {
            let stops = (0..tape.marks()).filter_map(|i| match tape.mark(i)?.cause {
                Cause::Stop(stop) => Some(stop + 1),
                _ => None,
            });
            let least = stops.max().unwrap_or(0).max(times.len().min(1));
            if times.len() < least {
                check_length("times", times.len(), least)?;
            }
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

/// What a step's size is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Size {
    /// a number
    Fixed,
    /// what is left to the stop time of this index
    ToStop(usize),
    /// the way to where this root is zero
    ToRoot(usize),
}

/// Runs backward over the tape, step by step.
fn sweep<F, R, H>(
    method: &mut R,
    readings: &mut Readings,
    system: &mut F,
    hybrid: &mut H,
    tape: &Tape,
    task: Task<'_>,
) -> Result<(), AdjointError>
where
    F: AdjointSystem + ?Sized,
    R: Reverse<F>,
    H: AdjointHybrid + ?Sized,
{
    let n = system.dim();
    task.check(n, system.parameters(), tape, R::STAGES)?;
    let seeds = task.seeds;
    method.begin(system)?;
    readings.begin(n, R::DEGREE);
    method.lambda().fill(0.0);
    method.lambda()[..seeds.final_bar.len()].copy_from_slice(seeds.final_bar);
    let mut none = [];
    let reached = |i: usize| {
        let mark = tape.mark(i);
        mark.is_some_and(|mark| matches!(mark.cause, Cause::Reached(_)))
    };
    let mut at = Backward {
        moving: task.times.is_some() || (0..tape.marks()).any(reached),
        times: task.times.unwrap_or(&mut none),
        t_bar: seeds.final_time_bar,
        size: Size::Fixed,
        marks: tape.marks(),
        root: RootPass::default(),
    };
    let mut stretch = f64::NAN;
    let mut left = seeds.samples.len();
    for index in (0..tape.steps().len()).rev() {
        let x_new = at.acts(index + 1, method, system, hybrid, tape, &seeds, task.p_bar)?;
        let step = tape.steps()[index];
        if R::is_bridged(step.mode) {
            return Err(AdjointError::InfiniteTimeDerivative { step: index });
        }
        if step.stretch != stretch {
            stretch = step.stretch;
            system.enter_stretch(stretch);
        }
        let end = left;
        while left > 0 && seeds.samples[left - 1].step == index {
            left -= 1;
        }
        let (samples, bars) = (
            &seeds.samples[left..end],
            &seeds.sample_bars[left * n..end * n],
        );
        if at.moving {
            readings.take(samples, bars);
        } else {
            readings.take_inside(samples, bars, method.lambda());
        }
        let before = index.checked_sub(1).map(|last| &tape.steps()[last]);
        let view = Step {
            t: step.t,
            h: step.h,
            // a method that takes over has no stage of the step before
            restarted: step.restarted || before.map(|last| last.mode) != Some(step.mode),
            begins: step.restarted,
            last_h: before.map_or(f64::NAN, |last| last.h),
            mode: step.mode,
            x: tape.state(index),
            x_new: x_new.unwrap_or(tape.state(index + 1)),
            stages: tape.stages(index),
        };
        let reversed = match at.size {
            Size::ToRoot(root) => {
                hybrid.enter_stretch(stretch);
                at.event_step(root, &view, method, readings, system, hybrid, task.p_bar)?
            }
            _ => at.step(&view, method, readings, system, task.p_bar),
        };
        if !reversed {
            return Err(AdjointError::SingularMatrix { step: index });
        }
        at.size = Size::Fixed;
        if step.restarted {
            at.t_bar += method.uninitialize(system, step.t, view.x, task.p_bar);
        }
    }
    at.acts(0, method, system, hybrid, tape, &seeds, task.p_bar)?;
    // What is left was read from a solve of no length.
    for bar in seeds.sample_bars[..left * n].chunks_exact(n.max(1)) {
        for (l, b) in method.lambda().iter_mut().zip(bar) {
            *l += b;
        }
    }
    task.x0_bar.copy_from_slice(method.lambda());
    Ok(())
}

/// Where a sweep stands between two steps.
struct Backward<'a> {
    /// cotangents of times are wanted
    moving: bool,
    /// those of the solve's times; none where nobody asked for them
    times: &'a mut [f64],
    /// that of the time at hand
    t_bar: f64,
    size: Size,
    /// marks that are still to come
    marks: usize,
    root: RootPass,
}

/// Buffers of a step to a root.
#[derive(Debug, Default)]
struct RootPass {
    lambda: Vec<f64>,
    gradient: Vec<f64>,
    carried: Vec<f64>,
    p_bar: Vec<f64>,
}

impl Backward<'_> {
    fn add_time(&mut self, stop: usize, bar: f64) {
        if let Some(total) = self.times.get_mut(stop) {
            *total += bar;
        }
    }

    /// Reverses what happened after `step` steps; the state there before any of it, where it did change.
    #[expect(clippy::too_many_arguments, reason = "all that a sweep works with")]
    fn acts<'t, F, R, H>(
        &mut self,
        step: usize,
        method: &mut R,
        system: &mut F,
        hybrid: &mut H,
        tape: &'t Tape,
        seeds: &Seeds<'_>,
        p_bar: &mut [f64],
    ) -> Result<Option<&'t [f64]>, AdjointError>
    where
        F: AdjointSystem + ?Sized,
        R: Reverse<F>,
        H: AdjointHybrid + ?Sized,
    {
        let stretch = |step: usize| tape.steps().get(step).map_or(f64::NAN, |s| s.stretch);
        let mut first_state = None;
        while let Some(mark) = self
            .marks
            .checked_sub(1)
            .and_then(|last| tape.mark(last))
            .filter(|mark| mark.step == step)
        {
            self.marks -= 1;
            let before = step.checked_sub(1).map_or(f64::NAN, stretch);
            self.t_bar += seeds.mark_bars.get(self.marks).copied().unwrap_or(0.0);
            if let Some(x) = mark.state {
                let entered = matches!(mark.cause, Cause::Carried(_)) && self.entered(step, tape);
                hybrid.enter_stretch(if entered { stretch(step) } else { before });
                self.t_bar += hybrid.act_vjp(mark.cause, mark.t, x, method.lambda(), p_bar);
                first_state = Some(x);
            }
            match mark.cause {
                Cause::Carried(_) => {}
                Cause::Reached(roots) => {
                    self.size = roots.first().map_or(Size::Fixed, |&r| Size::ToRoot(r));
                }
                Cause::Stop(stop) => {
                    let t_bar = std::mem::take(&mut self.t_bar);
                    self.add_time(stop, t_bar);
                    self.size = Size::ToStop(stop);
                    if let (true, Some(x), Some(last)) = (
                        !self.times.is_empty(),
                        mark.state,
                        self.follows_stop(step, tape),
                    ) {
                        // the states followed the flow from the stop before, of the same time
                        let mut slope = vec![0.0; x.len()];
                        system.enter_stretch(before);
                        system.rhs(mark.t, x, &mut slope);
                        let along = dot(method.lambda(), &slope);
                        self.add_time(stop, along);
                        self.add_time(last, -along);
                    }
                }
            }
        }
        Ok(first_state)
    }

    /// Whether the mark at hand lies behind a stop time that no step ends after: on the next stretch.
    fn entered(&self, step: usize, tape: &Tape) -> bool {
        let mut earlier = (0..self.marks).rev().map_while(|i| tape.mark(i));
        let cause = earlier.find(|m| m.step != step || !matches!(m.cause, Cause::Carried(_)));
        cause.is_some_and(|m| m.step == step && matches!(m.cause, Cause::Stop(_)))
    }

    /// The stop before the mark at hand, where no step lies between.
    fn follows_stop(&self, step: usize, tape: &Tape) -> Option<usize> {
        let last = tape.mark(self.marks.checked_sub(1)?)?;
        match last.cause {
            Cause::Stop(stop) if last.step == step => Some(stop),
            _ => None,
        }
    }

    /// Reverses a step of fixed size or up to a stop time.
    fn step<F, R>(
        &mut self,
        step: &Step<'_>,
        method: &mut R,
        readings: &mut Readings,
        system: &mut F,
        p_bar: &mut [f64],
    ) -> bool
    where
        F: AdjointSystem + ?Sized,
        R: Reverse<F>,
    {
        let mut bars = self.moving.then(StepBars::default);
        if !method.reverse(system, step, readings, p_bar, &mut bars) {
            return false;
        }
        if let Some(bars) = bars {
            self.t_bar += bars.t;
            if let Size::ToStop(stop) = self.size {
                self.t_bar -= bars.h;
                self.add_time(stop, bars.h);
            }
        }
        true
    }

    /// Reverses a step that ends where a root is zero: see the module `hybrid`.
    #[expect(clippy::too_many_arguments, reason = "all that a sweep works with")]
    fn event_step<F, R, H>(
        &mut self,
        root: usize,
        step: &Step<'_>,
        method: &mut R,
        readings: &mut Readings,
        system: &mut F,
        hybrid: &mut H,
        p_bar: &mut [f64],
    ) -> Result<bool, AdjointError>
    where
        F: AdjointSystem + ?Sized,
        R: Reverse<F>,
        H: AdjointHybrid + ?Sized,
    {
        // the step's first stage is reversed with it, twice as the step is
        let step = &Step {
            restarted: true,
            ..*step
        };
        let RootPass {
            lambda,
            gradient,
            carried,
            p_bar: own,
        } = &mut self.root;
        gradient.clear();
        gradient.resize(step.x.len(), 0.0);
        own.clear();
        own.resize(p_bar.len(), 0.0);
        let t_new = step.t + step.h;
        let mut t_rate = hybrid.root_gradient(root, t_new, step.x_new, gradient, own);
        lambda.clear();
        lambda.extend_from_slice(method.lambda());
        method.lambda().copy_from_slice(gradient);
        let mut bars = Some(StepBars::default());
        let mut none = readings.none();
        if !method.reverse(system, step, &mut none, own, &mut bars) {
            return Ok(false);
        }
        let of_root = bars.unwrap_or_default();
        let rate = t_rate + of_root.h;
        t_rate += of_root.t;
        gradient.copy_from_slice(method.lambda());
        method.lambda().copy_from_slice(lambda);
        carried.clear();
        carried.extend_from_slice(method.carried());
        method.carried().fill(0.0);
        let mut bars = Some(StepBars::default());
        if !method.reverse(system, step, readings, p_bar, &mut bars) {
            return Ok(false);
        }
        let bars = bars.unwrap_or_default();
        // nothing moves with the event: no need to know how it moves
        let owed = self.t_bar + bars.h;
        let weight = if owed == 0.0 { 0.0 } else { -owed / rate };
        if !weight.is_finite() {
            return Err(AdjointError::Grazing { root, t: t_new });
        }
        for (l, g) in method.lambda().iter_mut().zip(gradient.iter()) {
            *l += weight * g;
        }
        for (c, g) in method.carried().iter_mut().zip(carried.iter()) {
            *c += weight * g;
        }
        for (p, g) in p_bar.iter_mut().zip(own.iter()) {
            *p += weight * g;
        }
        self.t_bar += bars.t + weight * t_rate;
        Ok(true)
    }
}
