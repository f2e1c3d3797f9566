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

use costate_solvers::method::Interpolant;
use costate_solvers::record::Place;
use costate_solvers::{Cause, Scalar};
use thiserror::Error;

use crate::Tape;
use crate::hybrid::AdjointHybrid;
pub use crate::readings::Readings;
use crate::system::{AdjointSystem, dot};

/// Derivatives of an objective with respect to the states it reads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seeds<'a, S = f64> {
    /// where states were read by dense output, ascending by step
    pub samples: &'a [Place<S>],
    /// derivative with respect to each of those states, `samples.len() * n` numbers
    pub sample_bars: &'a [S],
    /// derivative with respect to the final states (n numbers; empty: zero)
    pub final_bar: &'a [S],
    /// derivative with respect to the time at which the solve ended, at a stop or by a terminal event
    pub final_time_bar: S,
    /// derivatives with respect to the times of the tape's marks (one number each; zero past the last)
    pub mark_bars: &'a [S],
    /// marks at which the states were read, before what happens there
    pub read_marks: &'a [usize],
    /// derivative with respect to each of those states, `read_marks.len() * n` numbers
    pub read_bars: &'a [S],
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
    /// The cotangent could not be followed back along a step.
    #[error("the adjoint's own solve along step {step} failed: {error}")]
    Backward {
        /// index of the step
        step: usize,
        /// why
        error: costate_solvers::SolveError,
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
pub struct Step<'a, S = f64> {
    /// time at its start
    pub t: S,
    /// its size
    pub h: S,
    /// its first stage is its own, and not the last of the step before
    pub restarted: bool,
    /// it is the first of a stretch
    pub begins: bool,
    /// size of the step before; NaN for the first
    pub last_h: S,
    /// how the method made it ([`costate_solvers::Method::mode`])
    pub mode: u8,
    /// states at its start
    pub x: &'a [S],
    /// states at its end
    pub x_new: &'a [S],
    /// its stages
    pub stages: &'a [S],
    /// how they make the states in between
    pub interpolant: Interpolant<S>,
}

/// Derivatives of the objective with respect to the start of a step and to its size.
#[derive(Debug, Clone, Copy, Default)]
pub struct StepBars<S = f64> {
    /// that in its start
    pub t: S,
    /// that in its size
    pub h: S,
}

/// A backward sweep over the steps of a method, by its kernel `K`; its workspace is kept between sweeps, nothing is
/// allocated after the first.
#[derive(Debug, Clone, Default)]
pub struct Adjoint<K, S = f64> {
    kernel: K,
    readings: Readings<S>,
    at: Backward<S>,
}

/// Steps of a solve that a tape holds in one piece.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a, S = f64> {
    /// the steps, and the marks after each (of the first part those before the first step, too)
    pub tape: &'a Tape<S>,
    /// index of its first step among those of the solve
    pub first_step: usize,
    /// index of its first mark, likewise
    pub first_mark: usize,
    /// mode and size of the step before the first
    pub before: Option<(u8, S)>,
}

impl<'a, S> From<&'a Tape<S>> for Part<'a, S> {
    /// The whole solve.
    fn from(tape: &'a Tape<S>) -> Self {
        Self {
            tape,
            first_step: 0,
            first_mark: 0,
            before: None,
        }
    }
}

impl<K, S: Scalar> From<K> for Adjoint<K, S> {
    /// A sweep by this kernel.
    fn from(kernel: K) -> Self {
        Self {
            kernel,
            readings: Readings::default(),
            at: Backward::default(),
        }
    }
}

impl<K, S: Scalar> Adjoint<K, S> {
    /// Runs backward over the tape. Overwrites `x0_bar` (length n) with the derivative with respect to the
    /// initial states, and adds to `p_bar` that with respect to the parameters and to `times` those with respect
    /// to the times given to the solve.
    #[expect(clippy::too_many_arguments, reason = "a sweep's inputs and outputs")]
    pub fn sweep<F, H>(
        &mut self,
        system: &mut F,
        hybrid: &mut H,
        tape: &Tape<S>,
        seeds: &Seeds<'_, S>,
        x0_bar: &mut [S],
        p_bar: &mut [S],
        times: Option<&mut [S]>,
    ) -> Result<(), AdjointError>
    where
        F: AdjointSystem<S> + ?Sized,
        H: AdjointHybrid<S> + ?Sized,
        K: Reverse<F, S>,
    {
        check_tape(tape, seeds, times.as_deref())?;
        let reached = |i: usize| {
            let mark = tape.mark(i);
            mark.is_some_and(|mark| matches!(mark.cause, Cause::Reached(_)))
        };
        let moving = times.is_some() || (0..tape.marks()).any(reached);
        self.begin(system, seeds, moving)?;
        self.segment(system, hybrid, tape.into(), seeds, p_bar, times)?;
        self.finish(system, seeds, x0_bar, p_bar)
    }

    /// Begins a sweep that takes the solve part by part, the last first. `moving`: cotangents of times are wanted, or a
    /// step of the solve ends at a root.
    pub fn begin<F>(
        &mut self,
        system: &F,
        seeds: &Seeds<'_, S>,
        moving: bool,
    ) -> Result<(), AdjointError>
    where
        F: AdjointSystem<S> + ?Sized,
        K: Reverse<F, S>,
    {
        let n = system.dim();
        let numbers = seeds.samples.len() * n;
        check_length("sample_bars", seeds.sample_bars.len(), numbers)?;
        if !seeds.final_bar.is_empty() {
            check_length("final_bar", seeds.final_bar.len(), n)?;
        }
        check_length(
            "read_bars",
            seeds.read_bars.len(),
            seeds.read_marks.len() * n,
        )?;
        let mut last = 0;
        for (index, sample) in seeds.samples.iter().enumerate() {
            if sample.step < last {
                return Err(AdjointError::SampleOrder { index });
            }
            last = sample.step;
        }
        self.kernel.begin(system)?;
        self.readings.begin(n, K::DEGREE);
        let lambda = self.kernel.lambda();
        lambda.fill(S::from(0.0));
        lambda[..seeds.final_bar.len()].copy_from_slice(seeds.final_bar);
        let at = &mut self.at;
        (at.moving, at.t_bar, at.size) = (moving, seeds.final_time_bar, Size::Fixed);
        (at.left, at.stretch) = (seeds.samples.len(), f64::NAN);
        Ok(())
    }

    /// Ends a sweep: see [`Adjoint::sweep`].
    pub fn finish<F>(
        &mut self,
        system: &mut F,
        seeds: &Seeds<'_, S>,
        x0_bar: &mut [S],
        p_bar: &mut [S],
    ) -> Result<(), AdjointError>
    where
        F: AdjointSystem<S> + ?Sized,
        K: Reverse<F, S>,
    {
        let n = system.dim();
        check_length("x0_bar", x0_bar.len(), n)?;
        // What is left was read from a solve of no length.
        for bar in seeds.sample_bars[..self.at.left * n].chunks_exact(n.max(1)) {
            for (l, &b) in self.kernel.lambda().iter_mut().zip(bar) {
                *l += b;
            }
        }
        x0_bar.copy_from_slice(self.kernel.lambda());
        self.kernel.finish(system, p_bar);
        Ok(())
    }

    /// Takes the sweep through a part of the solve.
    pub fn segment<F, H>(
        &mut self,
        system: &mut F,
        hybrid: &mut H,
        part: Part<'_, S>,
        seeds: &Seeds<'_, S>,
        p_bar: &mut [S],
        times: Option<&mut [S]>,
    ) -> Result<(), AdjointError>
    where
        F: AdjointSystem<S> + ?Sized,
        H: AdjointHybrid<S> + ?Sized,
        K: Reverse<F, S>,
    {
        let (tape, n) = (part.tape, system.dim());
        let steps = tape.steps();
        check_length("p_bar", p_bar.len(), system.parameters())?;
        if !steps.is_empty() {
            check_length("a tape's state", tape.state(0).len(), n)?;
            if let Some(stages) = K::STAGES {
                check_length("a tape's stages", tape.stages(0).len(), n * stages)?;
            }
        }
        let mut none = [];
        let times = times.unwrap_or(&mut none);
        let (method, readings, at) = (&mut self.kernel, &mut self.readings, &mut self.at);
        at.marks = tape.marks();
        for index in (0..steps.len()).rev() {
            let x_new = at.acts(
                index + 1,
                method,
                system,
                hybrid,
                &part,
                seeds,
                (p_bar, times),
            )?;
            let (step, number) = (steps[index], part.first_step + index);
            if K::is_bridged(step.mode) {
                return Err(AdjointError::InfiniteTimeDerivative { step: number });
            }
            if step.stretch != at.stretch {
                at.stretch = step.stretch;
                system.enter_stretch(at.stretch);
            }
            let end = at.left;
            while at.left > 0 && seeds.samples[at.left - 1].step == number {
                at.left -= 1;
            }
            let (samples, bars) = (
                &seeds.samples[at.left..end],
                &seeds.sample_bars[at.left * n..end * n],
            );
            if at.moving {
                readings.take(samples, bars, K::DEGREE);
            } else {
                readings.take_inside(samples, bars, method.lambda(), K::DEGREE);
            }
            let before = match index.checked_sub(1) {
                Some(last) => Some((steps[last].mode, steps[last].h)),
                None => part.before,
            };
            let view = Step {
                t: step.t,
                h: step.h,
                // a method that takes over has no stage of the step before
                restarted: step.restarted || before.map(|(mode, _)| mode) != Some(step.mode),
                begins: step.restarted,
                last_h: before.map_or(S::from(f64::NAN), |(_, h)| h),
                mode: step.mode,
                x: tape.state(index),
                x_new: x_new.unwrap_or(tape.state(index + 1)),
                stages: tape.stages(index),
                interpolant: tape.interpolant(),
            };
            let reversed = match at.size {
                Size::ToRoot(root) => {
                    hybrid.enter_stretch(at.stretch);
                    at.event_step(root, &view, method, readings, system, hybrid, p_bar)?
                }
                _ => at.step(&view, method, readings, system, (p_bar, times)),
            };
            if !reversed {
                return Err(method.failure(number));
            }
            at.size = Size::Fixed;
            if step.restarted {
                at.t_bar += method.uninitialize(system, step.t, view.x, p_bar);
            }
        }
        if part.first_step == 0 {
            at.acts(0, method, system, hybrid, &part, seeds, (p_bar, times))?;
        }
        Ok(())
    }
}

/// The marks at which states were read, and the cotangents of those states.
fn reads<'a, S>(seeds: &Seeds<'a, S>, n: usize) -> impl Iterator<Item = (usize, &'a [S])> {
    let bars = seeds.read_bars.chunks_exact(n.max(1));
    seeds.read_marks.iter().copied().zip(bars)
}

/// Checks everything that a sweep over a whole tape indexes by.
fn check_tape<S: Scalar>(
    tape: &Tape<S>,
    seeds: &Seeds<'_, S>,
    times: Option<&[S]>,
) -> Result<(), AdjointError> {
    if seeds.mark_bars.len() > tape.marks() {
        check_length("mark_bars", seeds.mark_bars.len(), tape.marks())?;
    }
    if let Some(times) = times {
        let stops = (0..tape.marks()).filter_map(|i| match tape.mark(i)?.cause {
            Cause::Stop(stop) => Some(stop + 1),
            _ => None,
        });
        let least = stops.max().unwrap_or(0);
        if times.len() < least {
            check_length("times", times.len(), least)?;
        }
    }
    // A solve of no length has its samples at the start.
    let steps = tape.steps().len().max(1);
    let past = seeds.samples.iter().position(|sample| sample.step >= steps);
    past.map_or(Ok(()), |index| Err(AdjointError::SampleOrder { index }))
}

/// The reverse of one step of a method.
pub trait Reverse<F: ?Sized, S: Scalar = f64> {
    /// Vectors of length n that the method's stages hold; `None`: what it does with them is the interpolant's.
    const STAGES: Option<usize>;
    /// Degree of its dense output; `None`: it wants readings one by one.
    const DEGREE: Option<usize>;
    /// Cotangents of what the method carries from step to step beside the states, where the sweep has arrived.
    fn carried(&mut self) -> &mut [S] {
        &mut []
    }
    /// Cotangents of what all steps share beside the parameters, the entries of a mass matrix, as far as the sweep has come.
    fn shared(&mut self) -> &mut [S] {
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
    fn lambda(&mut self) -> &mut [S];
    /// Takes lambda from the end of a step to its start and adds what the step owes to the parameters, and to its
    /// own start and size where asked. `false`: the step's matrix is singular.
    fn reverse(
        &mut self,
        system: &mut F,
        step: &Step<'_, S>,
        readings: &mut Readings<S>,
        p_bar: &mut [S],
        bars: &mut Option<StepBars<S>>,
    ) -> bool;
    /// Why `reverse` did not succeed with a step.
    fn failure(&self, step: usize) -> AdjointError {
        AdjointError::SingularMatrix { step }
    }
    /// Takes lambda from the states at the start of a stretch, made consistent with algebraic equations, to those
    /// before; returns what is owed to the time.
    fn uninitialize(&mut self, system: &mut F, t: S, x: &[S], p_bar: &mut [S]) -> S {
        let _ = (system, t, x, p_bar);
        S::from(0.0)
    }
    /// Adds what all steps together owe to the parameters.
    fn finish(&mut self, system: &mut F, p_bar: &mut [S]) {
        let _ = (system, p_bar);
    }
}

/// What a step's size is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Size {
    /// a number
    #[default]
    Fixed,
    /// what is left to the stop time of this index
    ToStop(usize),
    /// the way to where this root is zero
    ToRoot(usize),
}

/// Where a sweep stands between two steps.
#[derive(Debug, Clone, Default)]
struct Backward<S> {
    /// cotangents of times matter
    moving: bool,
    /// that of the time at hand
    t_bar: S,
    size: Size,
    /// marks of the part that are still to come
    marks: usize,
    /// samples that are still to come
    left: usize,
    /// stretch of the step reversed last
    stretch: f64,
    root: RootPass<S>,
}

fn add_time<S: Scalar>(times: &mut [S], stop: usize, bar: S) {
    if let Some(total) = times.get_mut(stop) {
        *total += bar;
    }
}

/// Buffers of a step to a root.
#[derive(Debug, Clone, Default)]
struct RootPass<S> {
    lambda: Vec<S>,
    gradient: Vec<S>,
    carried: Vec<S>,
    /// what other steps gave, and this one by its root
    shared: [Vec<S>; 2],
    p_bar: Vec<S>,
}

impl<S: Scalar> Backward<S> {
    /// Reverses what happened after `step` steps; the state there before any of it, where it did change.
    #[expect(clippy::too_many_arguments, reason = "all that a sweep works with")]
    fn acts<'t, F, R, H>(
        &mut self,
        step: usize,
        method: &mut R,
        system: &mut F,
        hybrid: &mut H,
        part: &Part<'t, S>,
        seeds: &Seeds<'_, S>,
        (p_bar, times): (&mut [S], &mut [S]),
    ) -> Result<Option<&'t [S]>, AdjointError>
    where
        F: AdjointSystem<S> + ?Sized,
        R: Reverse<F, S>,
        H: AdjointHybrid<S> + ?Sized,
    {
        let tape = part.tape;
        let last_step = step.checked_sub(1).and_then(|last| tape.steps().get(last));
        let before = last_step.map_or(f64::NAN, |step| step.stretch);
        let mut first_state = None;
        while let Some(mark) = self
            .marks
            .checked_sub(1)
            .and_then(|last| tape.mark(last))
            .filter(|mark| mark.step == step)
        {
            self.marks -= 1;
            let number = part.first_mark + self.marks;
            self.t_bar += seeds.mark_bars.get(number).copied().unwrap_or(S::from(0.0));
            if let Some(x) = mark.state {
                let entered = matches!(mark.cause, Cause::Carried(_)) && self.entered(step, tape);
                hybrid.enter_stretch(if entered { self.stretch } else { before });
                self.t_bar += hybrid.act_vjp(mark.cause, mark.t, x, method.lambda(), p_bar);
                first_state = Some(x);
            }
            let lambda = method.lambda();
            for (_, bar) in reads(seeds, lambda.len()).filter(|&(mark, _)| mark == number) {
                for (l, &b) in lambda.iter_mut().zip(bar) {
                    *l += b;
                }
            }
            match mark.cause {
                Cause::Carried(_) => {}
                Cause::Reached(roots) => {
                    self.size = roots.first().map_or(Size::Fixed, |&r| Size::ToRoot(r));
                }
                Cause::Stop(stop) => {
                    let t_bar = std::mem::replace(&mut self.t_bar, S::from(0.0));
                    add_time(times, stop, t_bar);
                    self.size = Size::ToStop(stop);
                    if let (true, Some(x), Some(last)) =
                        (!times.is_empty(), mark.state, self.follows_stop(step, tape))
                    {
                        // the states followed the flow from the stop before, of the same time
                        let mut slope = vec![S::from(0.0); x.len()];
                        system.enter_stretch(before);
                        system.rhs(mark.t, x, &mut slope);
                        let along = dot(method.lambda(), &slope);
                        add_time(times, stop, along);
                        add_time(times, last, -along);
                    }
                }
            }
        }
        Ok(first_state)
    }

    /// Whether the mark at hand lies behind a stop time that no step ends after: on the next stretch.
    fn entered(&self, step: usize, tape: &Tape<S>) -> bool {
        let mut earlier = (0..self.marks).rev().map_while(|i| tape.mark(i));
        let cause = earlier.find(|m| m.step != step || !matches!(m.cause, Cause::Carried(_)));
        cause.is_some_and(|m| m.step == step && matches!(m.cause, Cause::Stop(_)))
    }

    /// The stop before the mark at hand, where no step lies between.
    fn follows_stop(&self, step: usize, tape: &Tape<S>) -> Option<usize> {
        let last = tape.mark(self.marks.checked_sub(1)?)?;
        match last.cause {
            Cause::Stop(stop) if last.step == step => Some(stop),
            _ => None,
        }
    }

    /// Reverses a step of fixed size or up to a stop time.
    fn step<F, R>(
        &mut self,
        step: &Step<'_, S>,
        method: &mut R,
        readings: &mut Readings<S>,
        system: &mut F,
        (p_bar, times): (&mut [S], &mut [S]),
    ) -> bool
    where
        F: AdjointSystem<S> + ?Sized,
        R: Reverse<F, S>,
    {
        let mut bars = self.moving.then(StepBars::default);
        if !method.reverse(system, step, readings, p_bar, &mut bars) {
            return false;
        }
        if let Some(bars) = bars {
            self.t_bar += bars.t;
            if let Size::ToStop(stop) = self.size {
                self.t_bar -= bars.h;
                add_time(times, stop, bars.h);
            }
        }
        true
    }

    /// Reverses a step that ends where a root is zero: see the module `hybrid`.
    #[expect(clippy::too_many_arguments, reason = "all that a sweep works with")]
    fn event_step<F, R, H>(
        &mut self,
        root: usize,
        step: &Step<'_, S>,
        method: &mut R,
        readings: &mut Readings<S>,
        system: &mut F,
        hybrid: &mut H,
        p_bar: &mut [S],
    ) -> Result<bool, AdjointError>
    where
        F: AdjointSystem<S> + ?Sized,
        R: Reverse<F, S>,
        H: AdjointHybrid<S> + ?Sized,
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
            shared: [shared, own_shared],
            p_bar: own,
        } = &mut self.root;
        gradient.clear();
        gradient.resize(step.x.len(), S::from(0.0));
        own.clear();
        own.resize(p_bar.len(), S::from(0.0));
        let t_new = step.t + step.h;
        let mut t_rate = hybrid.root_gradient(root, t_new, step.x_new, gradient, own);
        lambda.clear();
        lambda.extend_from_slice(method.lambda());
        method.lambda().copy_from_slice(gradient);
        shared.clear();
        shared.extend_from_slice(method.shared());
        method.shared().fill(S::from(0.0));
        let mut bars = Some(StepBars::default());
        let mut none = Readings::default();
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
        method.carried().fill(S::from(0.0));
        own_shared.clear();
        own_shared.extend_from_slice(method.shared());
        method.shared().copy_from_slice(shared);
        let mut bars = Some(StepBars::default());
        if !method.reverse(system, step, readings, p_bar, &mut bars) {
            return Ok(false);
        }
        let bars = bars.unwrap_or_default();
        // nothing moves with the event: no need to know how it moves
        let owed = self.t_bar + bars.h;
        let none = (0..S::WIDTH).all(|part| owed.part(part) == 0.0);
        let weight = if none { S::from(0.0) } else { -owed / rate };
        if !weight.is_finite() {
            return Err(AdjointError::Grazing {
                root,
                t: t_new.value(),
            });
        }
        for (l, &g) in method.lambda().iter_mut().zip(gradient.iter()) {
            *l += weight * g;
        }
        for (c, &g) in method.carried().iter_mut().zip(carried.iter()) {
            *c += weight * g;
        }
        for (s, &g) in method.shared().iter_mut().zip(own_shared.iter()) {
            *s += weight * g;
        }
        for (p, &g) in p_bar.iter_mut().zip(own.iter()) {
            *p += weight * g;
        }
        self.t_bar += bars.t + weight * t_rate;
        Ok(true)
    }
}
