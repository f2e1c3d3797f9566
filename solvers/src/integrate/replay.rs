//! Following a mesh again: the map from (x0, times, parameters) to the trajectory with its steps frozen.

use super::{Integrator, check_options, invalid, middle, not_converged, not_finite};
use crate::error::SolveError;
use crate::events::{Action, Cause, Hybrid, NoEvents};
use crate::method::{Method, Recorder, Trial};
use crate::options::{Options, Statistics};
use crate::record::Mesh;
use crate::scalar::Scalar;
use crate::system::System;

/// Repeats of a step that bring its end onto a root.
const MOST_CORRECTIONS: usize = 12;

/// Where a solve stands right before a step, all that happens before done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// the step, by its place in the mesh
    pub step: usize,
    /// the next act of the mesh
    pub act: usize,
    /// the stop time that ends its stretch
    pub stop: usize,
}

/// Acts of the mesh that are still to come.
struct Cursor<'a> {
    mesh: &'a Mesh,
    next: usize,
    /// the step before which to stop
    until: usize,
    /// steps to roots have their recorded sizes: nothing has moved since
    still: bool,
}

/// What comes after a step.
enum After {
    /// the root that it ends at
    Root(usize),
    /// the end of its stretch
    Stop,
    Step,
}

/// Why a stretch was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    AtStop,
    /// a terminal event ended the solve
    Ended,
    /// at the step before which to stop
    Halfway,
}

impl<'a> Cursor<'a> {
    /// Takes the next act if it comes after `steps` steps and `is` what is looked for.
    fn take(&mut self, steps: usize, is: impl Fn(Cause<'_>) -> bool) -> Option<Cause<'a>> {
        let (step, cause) = self.mesh.act(self.next)?;
        let found = step == steps && is(cause);
        self.next += usize::from(found);
        found.then_some(cause)
    }
}

fn is_stop(cause: Cause<'_>) -> bool {
    matches!(cause, Cause::Stop(_))
}

impl<S: Scalar, M> Integrator<S, M> {
    /// Follows `mesh` without error control: the map from (x0, times, parameters) to x(t1) with its steps
    /// frozen, in the very arithmetic of the solve that recorded the mesh.
    ///
    /// The mesh gives the size of every step but the last of each stretch, which ends at its stop time.
    pub fn replay<F, R>(
        &mut self,
        system: &mut F,
        x: &mut [S],
        times: &[S],
        mesh: &Mesh,
        options: &Options,
        recorder: &mut R,
    ) -> Result<Statistics, SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
        R: Recorder<S> + ?Sized,
    {
        self.replay_hybrid(system, x, times, mesh, options, recorder, &mut NoEvents)
    }

    /// As [`Integrator::replay`], with the events of `hybrid`: those that happened when the mesh was recorded, in the same
    /// steps. A step that ended at an event ends where its root function is zero now.
    #[expect(
        clippy::too_many_arguments,
        reason = "those of `run_hybrid` and the mesh"
    )]
    pub fn replay_hybrid<F, R, H>(
        &mut self,
        system: &mut F,
        x: &mut [S],
        times: &[S],
        mesh: &Mesh,
        options: &Options,
        recorder: &mut R,
        hybrid: &mut H,
    ) -> Result<Statistics, SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
        R: Recorder<S> + ?Sized,
        H: Hybrid<S> + ?Sized,
    {
        if hybrid.roots() > 0 && mesh.act(0).is_none() {
            return Err(invalid("the mesh knows of no events"));
        }
        check_options(options, system.dim())?;
        self.check_shapes(system, x, times)?;
        M::check(system)?;
        recorder.started(times, x)?;
        self.method.begin();
        self.search.begin(hybrid.roots(), x.len());
        let mut acts = Cursor {
            mesh,
            next: 0,
            until: usize::MAX,
            still: false,
        };
        let mut statistics = Statistics::default();
        let work = (&mut acts, options);
        self.follow_mesh(
            system,
            x,
            (times, 0),
            work,
            &mut statistics,
            recorder,
            hybrid,
        )?;
        Ok(statistics)
    }

    /// Repeats a part of a solve to the last bit: from the states `x` at time t, where it stood at `from` (the default: at its
    /// very start), to right before step `until` of its mesh (or its end), the same parameters set. For methods whose steps depend on nothing but where
    /// they start: all but those that iterate with matrices kept from earlier steps.
    #[expect(
        clippy::too_many_arguments,
        reason = "those of `replay_hybrid`, and where to begin and end"
    )]
    pub fn resume<F, R, H>(
        &mut self,
        system: &mut F,
        (t, x): (S, &mut [S]),
        times: &[S],
        mesh: &Mesh,
        (from, until): (Position, usize),
        options: &Options,
        recorder: &mut R,
        hybrid: &mut H,
    ) -> Result<Statistics, SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
        R: Recorder<S> + ?Sized,
        H: Hybrid<S> + ?Sized,
    {
        check_options(options, system.dim())?;
        self.check_shapes(system, x, times)?;
        recorder.started(times, x)?;
        self.method.begin();
        self.search.begin(hybrid.roots(), x.len());
        let mut acts = Cursor {
            mesh,
            next: from.act,
            until,
            still: true,
        };
        let mut statistics = Statistics {
            steps: from.step,
            ..Statistics::default()
        };
        let mut left = Left::AtStop;
        if from.stop > 0 {
            let (Some(&start), Some(&end)) = (times.get(from.stop - 1), times.get(from.stop))
            else {
                return Err(invalid("the solve has no such stretch"));
            };
            left = self.replay_stretch(
                system,
                x,
                (start, end, Some(t)),
                (&mut acts, options),
                &mut statistics,
                recorder,
                hybrid,
            )?;
        }
        if left == Left::AtStop {
            let work = (&mut acts, options);
            self.follow_mesh(
                system,
                x,
                (times, from.stop),
                work,
                &mut statistics,
                recorder,
                hybrid,
            )?;
        }
        Ok(statistics)
    }

    /// Goes on from stop `first`, what happens there included, to the end or to where it is to stop.
    #[expect(clippy::too_many_arguments, reason = "a solve's parts")]
    fn follow_mesh<F, R, H>(
        &mut self,
        system: &mut F,
        x: &mut [S],
        (times, first): (&[S], usize),
        (acts, options): (&mut Cursor<'_>, &Options),
        statistics: &mut Statistics,
        recorder: &mut R,
        hybrid: &mut H,
    ) -> Result<(), SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
        R: Recorder<S> + ?Sized,
        H: Hybrid<S> + ?Sized,
    {
        for (stop, &end) in times.iter().enumerate().skip(first) {
            if stop > first {
                let start = times[stop - 1];
                if start.value() == end.value() {
                    self.follow(system, x, start, end)?;
                } else {
                    let ends = (start, end, None);
                    let work = (&mut *acts, options);
                    let left =
                        self.replay_stretch(system, x, ends, work, statistics, recorder, hybrid)?;
                    if left != Left::AtStop {
                        return Ok(());
                    }
                }
            }
            acts.take(statistics.steps, is_stop);
            recorder.happens(Cause::Stop(stop), end, x);
            let action = hybrid.at_stop(stop, end, x);
            if action != Action::Continue {
                statistics.events += 1;
                recorder.jumped(end, x);
            }
            if action == Action::Terminate {
                return Ok(());
            }
        }
        if acts.mesh.steps.len() > statistics.steps {
            return Err(invalid("the mesh has more stretches than the times"));
        }
        Ok(())
    }

    /// Follows the mesh from one stop time to the next, or from a time between.
    #[expect(clippy::too_many_arguments, reason = "a solve's parts")]
    fn replay_stretch<F, R, H>(
        &mut self,
        system: &mut F,
        x: &mut [S],
        (start, end, inside): (S, S, Option<S>),
        (acts, options): (&mut Cursor<'_>, &Options),
        statistics: &mut Statistics,
        recorder: &mut R,
        hybrid: &mut H,
    ) -> Result<Left, SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
        R: Recorder<S> + ?Sized,
        H: Hybrid<S> + ?Sized,
    {
        let middle = middle(start, end);
        system.enter_stretch(middle);
        hybrid.enter_stretch(middle);
        let mesh = acts.mesh;
        let mut t = inside.unwrap_or(start);
        let mut begins = true;
        let mut resumed = inside.is_some();
        loop {
            while let Some(cause) = acts.take(statistics.steps, |cause| !is_stop(cause)) {
                let (Cause::Reached(roots) | Cause::Carried(roots)) = cause else {
                    break;
                };
                statistics.events += 1;
                recorder.happens(cause, t, x);
                let action = hybrid.at_roots(t, roots, x);
                if action != Action::Continue {
                    recorder.jumped(t, x);
                }
                if action == Action::Terminate {
                    return Ok(Left::Ended);
                }
                begins = true;
            }
            if t.value() == end.value() {
                return Ok(Left::AtStop);
            }
            if statistics.steps == acts.until {
                return Ok(Left::Halfway);
            }
            let Some(step) = mesh.steps.get(statistics.steps) else {
                return Err(invalid("the mesh has fewer stretches than the times"));
            };
            if begins {
                if !resumed {
                    self.method.initialize(system, t, x, options, statistics)?;
                }
                self.method.restart(system, t, x, statistics);
            }
            self.method.prescribe(step.mode);
            let next = mesh.act(acts.next);
            let after = match next.filter(|&(steps, _)| steps == statistics.steps + 1) {
                Some((_, Cause::Reached(&[root, ..]))) => After::Root(root),
                Some((_, Cause::Stop(_))) => After::Stop,
                Some(_) => After::Step,
                // (a mesh made by hand knows of no stops)
                None => match mesh.steps.get(statistics.steps + 1) {
                    Some(next) if !next.restarted => After::Step,
                    _ => After::Stop,
                },
            };
            let (h, t_new) = match after {
                After::Root(root) if !acts.still => {
                    let size = (t, S::from(step.h));
                    let h =
                        self.size_to_root(system, x, size, root, options, statistics, hybrid)?;
                    (h, t + h)
                }
                After::Root(_) | After::Step => (S::from(step.h), t + step.h),
                After::Stop => (end - t, end),
            };
            if matches!(after, After::Root(_)) {
                self.fresh_step(system, (t, h), x, options, statistics)?;
            } else {
                self.exact_step(system, (t, h), x, options, statistics)?;
            }
            self.method.accept(system, t_new, &self.x_new, statistics);
            let restarted = if resumed { step.restarted } else { begins };
            self.show(
                system,
                x,
                (t, h, t_new),
                (restarted, middle),
                statistics,
                recorder,
            )?;
            t = t_new;
            (begins, resumed) = (false, false);
        }
    }

    /// The size of a step from (t, x) that ends where a root is zero, from one nearby. Newton's method with a slope by a
    /// difference, which also makes one more order of derivatives exact an iteration.
    #[expect(clippy::too_many_arguments, reason = "a step's parts, and the root's")]
    fn size_to_root<F, H>(
        &mut self,
        system: &mut F,
        x: &[S],
        (t, near): (S, S),
        root: usize,
        options: &Options,
        statistics: &mut Statistics,
        hybrid: &mut H,
    ) -> Result<S, SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
        H: Hybrid<S> + ?Sized,
    {
        self.method.save();
        let mut h = near;
        let mut slope = f64::NAN;
        let resolution = 2.0 * f64::EPSILON * f64::max(t.value().abs(), h.value().abs());
        for _ in 0..MOST_CORRECTIONS {
            self.fresh_step(system, (t, h), x, options, statistics)?;
            let g = self.search.root(hybrid, root, t + h, &self.x_new);
            if slope.is_nan() {
                let apart = f64::EPSILON.cbrt() * h.value();
                self.fresh_step(system, (t, h - apart), x, options, statistics)?;
                let before = self.search.root(hybrid, root, t + h - apart, &self.x_new);
                slope = (g.value() - before.value()) / apart;
            }
            let correction = g * (1.0 / slope);
            let settled = correction.value().abs() <= resolution
                && (1..S::WIDTH).all(|part| g.part(part) == 0.0);
            if settled || !correction.value().is_finite() {
                break;
            }
            h -= correction;
        }
        Ok(h)
    }

    /// The same from the start of the last step as if it were the first: what earlier tries left makes no difference, so
    /// that a solve over dual numbers, which tries more often, makes the very step of a plain one.
    pub(super) fn fresh_step<F>(
        &mut self,
        system: &mut F,
        (t, h): (S, S),
        x: &[S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Result<(), SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
    {
        self.method.retract(system, t, x, statistics);
        self.exact_step(system, (t, h), x, options, statistics)
    }

    /// Makes a step of this very size, whatever its error.
    pub(super) fn exact_step<F>(
        &mut self,
        system: &mut F,
        (t, h): (S, S),
        x: &[S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Result<(), SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
    {
        match self
            .method
            .step(system, t, h, x, &mut self.x_new, options, statistics)
        {
            Trial::Computed { .. } => Ok(()),
            Trial::NotFinite { state } => Err(not_finite(t, state, x)),
            Trial::Singular => Err(SolveError::SingularMatrix { t: t.value() }),
            Trial::NotConverged { state } => Err(not_converged(t, state, x)),
        }
    }
}
