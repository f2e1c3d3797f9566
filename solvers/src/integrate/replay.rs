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

/// Acts of the mesh that are still to come.
struct Cursor<'a> {
    mesh: &'a Mesh,
    next: usize,
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
        let mut acts = Cursor { mesh, next: 0 };
        let mut statistics = Statistics::default();
        for (stop, &end) in times.iter().enumerate() {
            if stop > 0 {
                let start = times[stop - 1];
                if start.value() == end.value() {
                    self.follow(system, x, start, end)?;
                } else if self.replay_stretch(
                    system,
                    x,
                    (start, end),
                    (&mut acts, options),
                    &mut statistics,
                    recorder,
                    hybrid,
                )? {
                    return Ok(statistics);
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
                return Ok(statistics);
            }
        }
        if mesh.steps.len() > statistics.steps {
            return Err(invalid("the mesh has more stretches than the times"));
        }
        Ok(statistics)
    }

    /// Follows the mesh from one stop time to the next. `true`: a terminal event ended the solve.
    #[expect(clippy::too_many_arguments, reason = "a solve's parts")]
    fn replay_stretch<F, R, H>(
        &mut self,
        system: &mut F,
        x: &mut [S],
        (start, end): (S, S),
        (acts, options): (&mut Cursor<'_>, &Options),
        statistics: &mut Statistics,
        recorder: &mut R,
        hybrid: &mut H,
    ) -> Result<bool, SolveError>
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
        let mut t = start;
        let mut begins = true;
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
                    return Ok(true);
                }
                begins = true;
            }
            if t.value() == end.value() {
                return Ok(false);
            }
            let Some(step) = mesh.steps.get(statistics.steps) else {
                return Err(invalid("the mesh has fewer stretches than the times"));
            };
            if begins {
                self.method.initialize(system, t, x, options, statistics)?;
                self.method.restart(system, t, x, statistics);
            }
            self.method.prescribe(step.mode);
            let next = mesh.act(acts.next);
            let root = next
                .filter(|&(steps, _)| steps == statistics.steps + 1)
                .and_then(|(_, cause)| match cause {
                    Cause::Reached(roots) => roots.first().copied(),
                    _ => None,
                });
            let (h, t_new) = if let Some(root) = root {
                let size = (t, S::from(step.h));
                let h = self.size_to_root(system, x, size, root, options, statistics, hybrid)?;
                (h, t + h)
            } else {
                let after = mesh.steps.get(statistics.steps + 1);
                if after.is_none_or(|next| next.restarted) {
                    (end - t, end)
                } else {
                    (S::from(step.h), t + step.h)
                }
            };
            if root.is_some() {
                self.fresh_step(system, (t, h), x, options, statistics)?;
            } else {
                self.exact_step(system, (t, h), x, options, statistics)?;
            }
            self.method.accept(system, t_new, &self.x_new, statistics);
            self.show(
                system,
                x,
                (t, h, t_new),
                (begins, middle),
                statistics,
                recorder,
            )?;
            t = t_new;
            begins = false;
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
