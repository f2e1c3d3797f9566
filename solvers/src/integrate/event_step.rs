//! The step that ends at an event, and the jump there.

use super::{Drive, Integrator, check_state};
use crate::error::SolveError;
use crate::events::{Action, Cause, Hybrid, Piece};
use crate::method::{Method, Recorder};
use crate::scalar::Scalar;
use crate::system::System;

/// Events that may follow from each other at one instant.
const CASCADE: usize = 1000;
/// Repeats of the step that bring its end onto the event.
const POLISHES: usize = 8;

impl<S: Scalar, M> Integrator<S, M> {
    /// Accepts the step in `x_new` where no event lies on it. Otherwise `x_new` becomes the state at the first
    /// event, `search.fired` its roots, and the size of the step to it and its time are returned (size 0: the
    /// event is at the step's start).
    pub(super) fn step_to_event<F, H>(
        &mut self,
        system: &mut F,
        x: &[S],
        (t, h, t_new): (S, S, S),
        drive: &mut Drive<'_>,
        hybrid: &mut H,
    ) -> Result<Option<(S, S)>, SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
        H: Hybrid<S> + ?Sized,
    {
        let statistics = &mut drive.statistics;
        self.method.save();
        self.method.accept(system, t_new, &self.x_new, statistics);
        self.method
            .densify(system, t, h, x, &self.x_new, statistics);
        let (x_new, stages) = (&self.x_new, self.method.stages());
        let read = |theta: f64, out: &mut [S]| {
            if theta == 1.0 {
                out.copy_from_slice(x_new);
            } else {
                M::interpolate(S::from(theta), h, x, x_new, stages, out);
            }
        };
        let piece = Piece { t, h, read: &read };
        let Some(theta) = self.search.find(hybrid, &piece) else {
            return Ok(None);
        };
        let root = self.search.fired[0];
        if theta == 1.0 && S::WIDTH == 1 {
            self.search.arrive(hybrid, (theta, 0.0), t_new, &self.x_new);
            return Ok(Some((h, t_new)));
        }
        let slope = self.search.slope(hybrid, &piece, root, theta) / h.value();
        let mut size = h.value() * theta;
        if (t.value() + size - t.value()).abs() <= 2.0 * f64::EPSILON * t.value().abs() {
            self.method.retract(system, t, x, statistics);
            self.search.arrive(hybrid, (theta, 0.0), t, x);
            return Ok(Some((S::from(0.0), t)));
        }
        // Newton steps on h -> g(t + h, x(h)), x(h) being the method's own step: from the dense output's root,
        // which is as near as the local error, one or two reach rounding
        let resolution = 2.0 * f64::EPSILON * f64::max(t.value().abs(), size.abs());
        for _ in 0..POLISHES {
            self.fresh_step(
                system,
                (t, S::from(size)),
                x,
                drive.options,
                &mut drive.statistics,
            )?;
            let end = t + size;
            let g = self.search.root(hybrid, root, end, &self.x_new).value();
            let correction = g / slope;
            if !correction.is_finite() || correction.abs() <= resolution {
                break;
            }
            let next = size - correction;
            if next * size <= 0.0 || next.abs() > h.value().abs() {
                break;
            }
            size = next;
        }
        let mut step = S::from(size);
        if S::WIDTH > 1 {
            step = self.moving_step(system, t, size, x, root, drive, hybrid)?;
        }
        let end = t + step;
        let statistics = &mut drive.statistics;
        self.method.accept(system, end, &self.x_new, statistics);
        self.search
            .arrive(hybrid, (theta, slope.abs() * resolution), end, &self.x_new);
        Ok(Some((step, end)))
    }

    /// The size of the step to the event with its derivatives: g(t + h, x(h)) = 0 holds in every part. Newton
    /// with the exact dg/dh of the discrete step gains one order of derivatives an iteration.
    #[expect(
        clippy::too_many_arguments,
        reason = "the step, the root that it ends on, and what evaluates them"
    )]
    fn moving_step<F, H>(
        &mut self,
        system: &mut F,
        t: S,
        size: f64,
        x: &[S],
        root: usize,
        drive: &mut Drive<'_>,
        hybrid: &mut H,
    ) -> Result<S, SolveError>
    where
        F: System<S> + ?Sized,
        M: Method<S, F>,
        H: Hybrid<S> + ?Sized,
    {
        // the scratch of the driver is free between two steps
        let mut plain = std::mem::take(&mut self.scratch);
        for (to, from) in plain.iter_mut().zip(x) {
            *to = S::from(from.value());
        }
        let probe = S::from_parts(|part| match part {
            0 => size,
            1 => 1.0,
            _ => 0.0,
        });
        // only the difference that the probe makes is wanted: the parameters have tangents of their own
        let still = S::from(size);
        let mut rates = [0.0; 2];
        for (rate, h) in rates.iter_mut().zip([probe, still]) {
            let start = S::from(t.value());
            self.fresh_step(
                system,
                (start, h),
                &plain,
                drive.options,
                &mut drive.statistics,
            )?;
            *rate = self
                .search
                .root(hybrid, root, start + h, &self.x_new)
                .part(1);
        }
        let rate = rates[0] - rates[1];
        self.scratch = plain;
        let mut step = still;
        for _ in 0..3 {
            self.fresh_step(system, (t, step), x, drive.options, &mut drive.statistics)?;
            let g = self.search.root(hybrid, root, t + step, &self.x_new);
            if (1..S::WIDTH).all(|part| g.part(part) == 0.0) {
                break;
            }
            let correction = S::from_parts(|part| match part {
                0 => 0.0,
                _ => g.part(part) / rate,
            });
            step -= correction;
        }
        self.fresh_step(system, (t, step), x, drive.options, &mut drive.statistics)?;
        Ok(step)
    }

    /// Makes the jump of `search.fired` at (t, x), where a step ends that `reached` them. `true`: the solve ends here.
    pub(super) fn fire<H, R>(
        &mut self,
        hybrid: &mut H,
        reached: bool,
        t: S,
        x: &mut [S],
        drive: &mut Drive<'_>,
        recorder: &mut R,
    ) -> Result<bool, SolveError>
    where
        H: Hybrid<S> + ?Sized,
        R: Recorder<S> + ?Sized,
    {
        let event = self.search.fired[0];
        drive.statistics.events += 1;
        if drive.statistics.events > drive.options.max_events {
            return Err(SolveError::TooManyEvents {
                t: t.value(),
                limit: drive.options.max_events,
                event,
            });
        }
        if let Some(accumulation) = drive.accumulation.take(t.value()) {
            return Err(SolveError::Zeno {
                t: accumulation,
                event,
                events: drive.statistics.events,
            });
        }
        let fired = &self.search.fired;
        let cause = if reached {
            Cause::Reached(fired)
        } else {
            Cause::Carried(fired)
        };
        recorder.happens(cause, t, x);
        let action = hybrid.at_roots(t, fired, x);
        if action != Action::Continue {
            check_state(t, x)?;
            recorder.jumped(t, x);
        }
        Ok(action == Action::Terminate)
    }

    /// Reads the roots at the start of a stretch and fires those that a jump carried across zero, until none is.
    /// `true`: the solve ends here.
    pub(super) fn settle<H, R>(
        &mut self,
        hybrid: &mut H,
        t: S,
        x: &mut [S],
        drive: &mut Drive<'_>,
        recorder: &mut R,
    ) -> Result<bool, SolveError>
    where
        H: Hybrid<S> + ?Sized,
        R: Recorder<S> + ?Sized,
    {
        for _ in 0..CASCADE {
            self.search.enter(hybrid, t, x);
            if self.search.fired.is_empty() {
                return Ok(false);
            }
            if self.fire(hybrid, false, t, x, drive, recorder)? {
                return Ok(true);
            }
        }
        Err(SolveError::Zeno {
            t: t.value(),
            event: self.search.fired.first().copied().unwrap_or(0),
            events: drive.statistics.events,
        })
    }
}
