//! Where along a run something is highest, lowest, or crosses a level: looked for on the dense output of a plain solve.
//!
//! Each step is scanned at some points; a change of sign of the rate of change (of the level's distance, for crossings) between two
//! of them is followed to the last bits by bisection. What lies between points closer than 1/8 of a step is not seen:
//! steps are as long as a polynomial of the method's order follows the solution, so that more than one extreme in an eighth of
//! one is below the tolerance of the solve.

use std::sync::PoisonError;

use costate_solvers::{Recorder, SolveError, StepView};

use super::{FunctionalStudy, Kept};
use crate::compile::{Function, Workspace};
use crate::diagnostic::Diagnostic;
use crate::model::{NodeId, Search, SearchFor};
use crate::study::error::StudyError;
use crate::study::nudge::Nudge;
use crate::study::{Solving, Study};

/// Points of a step at which it is looked at.
const POINTS: usize = 8;

/// A search, compiled.
#[derive(Debug)]
pub(super) struct CompiledSearch {
    value: Function,
    rate: Option<Function>,
    what: SearchFor,
    window: [f64; 2],
}

impl CompiledSearch {
    pub fn new(
        search: &Search,
        mut compile: impl FnMut(NodeId) -> Result<Function, Vec<Diagnostic>>,
    ) -> Result<Self, Vec<Diagnostic>> {
        Ok(Self {
            value: compile(search.value)?,
            rate: search.rate.map(compile).transpose()?,
            what: search.what,
            window: search.window,
        })
    }
}

/// Where a search ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub t: f64,
    /// where the rate of change is zero, or the level is crossed, inside a smooth stretch
    pub inside: bool,
}

/// One recorded step.
struct DenseStep {
    t: f64,
    h: f64,
    t_new: f64,
    stretch: f64,
    interpolant: costate_solvers::method::Interpolant<f64>,
}

/// Every step of a solve with all that its dense output needs.
#[derive(Default)]
pub(super) struct Dense {
    steps: Vec<DenseStep>,
    n: usize,
    stages_per_step: usize,
    x: Vec<f64>,
    x_new: Vec<f64>,
    stages: Vec<f64>,
}

impl Recorder<f64> for Dense {
    fn started(&mut self, _times: &[f64], x: &[f64]) -> Result<(), SolveError> {
        self.steps.clear();
        self.x.clear();
        self.x_new.clear();
        self.stages.clear();
        self.n = x.len();
        Ok(())
    }
    fn accepted(&mut self, step: &StepView<'_, f64>) -> bool {
        self.stages_per_step = step.stages.len();
        self.steps.push(DenseStep {
            t: step.t,
            h: step.h,
            t_new: step.t_new,
            stretch: step.stretch,
            interpolant: step.interpolant,
        });
        self.x.extend_from_slice(step.x);
        self.x_new.extend_from_slice(step.x_new);
        self.stages.extend_from_slice(step.stages);
        true
    }
}

/// Reads a function on dense output.
struct Eye<'a> {
    dense: &'a Dense,
    parameters: &'a [f64],
    state: Vec<f64>,
    workspace: Workspace<f64>,
}

impl Eye<'_> {
    /// The function at time t of a step.
    fn see(&mut self, function: &Function, step: usize, t: f64) -> Result<f64, StudyError> {
        let dense = self.dense;
        let own = &dense.steps[step];
        let n = dense.n;
        let (x, x_new) = (
            &dense.x[step * n..(step + 1) * n],
            &dense.x_new[step * n..(step + 1) * n],
        );
        if t == own.t {
            self.state.copy_from_slice(x);
        } else if t == own.t_new {
            self.state.copy_from_slice(x_new);
        } else {
            let width = dense.stages_per_step;
            let stages = &dense.stages[step * width..(step + 1) * width];
            let theta = (t - own.t) / own.h;
            (own.interpolant)(theta, own.h, x, x_new, stages, &mut self.state);
        }
        let mut value = 0.0;
        let inputs = [&[t, own.stretch][..], &self.state, self.parameters];
        let outputs = &mut [std::slice::from_mut(&mut value)];
        <f64 as crate::compile::ModelScalar>::call(
            function,
            &inputs,
            outputs,
            &mut self.workspace,
        )?;
        Ok(value)
    }

    /// Where sign times the function, positive at `a` and not at `b`, changes its sign.
    fn root(
        &mut self,
        function: &Function,
        level: f64,
        step: usize,
        [mut a, mut b]: [f64; 2],
    ) -> Result<f64, StudyError> {
        let sign = (self.see(function, step, a)? - level).signum();
        for _ in 0..200 {
            let middle = a + 0.5 * (b - a);
            if middle == a || middle == b {
                break;
            }
            let value = sign * (self.see(function, step, middle)? - level);
            if value > 0.0 {
                a = middle;
            } else {
                b = middle;
            }
        }
        let (at_a, at_b) = (self.see(function, step, a)?, self.see(function, step, b)?);
        Ok(if (at_a - level).abs() < (at_b - level).abs() {
            a
        } else {
            b
        })
    }
}

/// Where the searches of a run ended.
#[derive(Debug, Clone)]
pub(super) struct Looked {
    solving: Solving,
    p: Vec<f64>,
    found: Vec<Found>,
}

impl FunctionalStudy {
    /// Where the searches end, which is known where the last run was the same.
    pub(super) fn looked(
        &self,
        study: &Study,
        solving: &Solving,
        p: &[f64],
        nudge: &Nudge<f64>,
    ) -> Result<Vec<Found>, StudyError> {
        let last = || self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(looked) = &*last()
            && looked.p == p
            && nudge.is_still()
            && looked.solving == *solving
        {
            return Ok(looked.found.clone());
        }
        let found = self.look(study, solving, p, nudge)?;
        if nudge.is_still() {
            *last() = Some(Looked {
                solving: solving.clone(),
                p: p.to_vec(),
                found: found.clone(),
            });
        }
        Ok(found)
    }

    /// Solves once, and looks for everything.
    fn look(
        &self,
        study: &Study,
        solving: &Solving,
        p: &[f64],
        nudge: &Nudge<f64>,
    ) -> Result<Vec<Found>, StudyError> {
        let mut dense = Dense::default();
        let read = |kept: &mut Kept<f64>| {
            let run = kept.run();
            self.read_at(run, study, solving, p, nudge, &mut dense, None, None)
        };
        let reading = self.with_kept(solving, read)?.1;
        let mut eye = Eye {
            dense: &dense,
            parameters: &reading.parameters,
            state: vec![0.0; dense.n],
            workspace: Workspace::default(),
        };
        let (Some(first), Some(last)) = (dense.steps.first(), dense.steps.last()) else {
            let t = study.scenario.start;
            return Ok(vec![Found { t, inside: false }; self.searches.len()]);
        };
        let span = [first.t, last.t_new];
        self.searches
            .iter()
            .map(|search| found(search, &mut eye, span, &reading.values))
            .collect()
    }
}

/// Points of a step inside a window: its share of the step's own.
fn points(step: &DenseStep, [from, to]: [f64; 2]) -> Vec<f64> {
    let sign = step.h.signum();
    let before = |a: f64, b: f64| (a - b) * sign < 0.0;
    let begin = if before(step.t, from) { from } else { step.t };
    let end = if before(to, step.t_new) {
        to
    } else {
        step.t_new
    };
    if !before(begin, end) {
        return Vec::new();
    }
    (0..=POINTS)
        .map(|i| match i {
            0 => begin,
            POINTS => end,
            _ => begin + (end - begin) * (i as f64 / POINTS as f64),
        })
        .collect()
}

fn found(
    search: &CompiledSearch,
    eye: &mut Eye<'_>,
    [start, end]: [f64; 2],
    values: &[f64],
) -> Result<Found, StudyError> {
    let window = search.window.map(|share| match share {
        0.0 => start,
        1.0 => end,
        share => start + share * (end - start),
    });
    let sign = match search.what {
        SearchFor::Highest => 1.0,
        SearchFor::Lowest => -1.0,
        SearchFor::Crossing { from, to, fraction } => {
            let level = values[from] + fraction * (values[to] - values[from]);
            return crossing(search, eye, window, level);
        }
        SearchFor::LastOutside {
            from,
            to,
            band,
            side,
        } => {
            let height = band * (values[to] - values[from]).abs();
            return last_outside(search, eye, window, side, height);
        }
    };
    let mut best: Option<(f64, Found)> = None;
    let mut offer = |value: f64, t: f64, inside: bool| {
        let better = best
            .is_none_or(|(most, found)| value > most || value == most && inside && !found.inside);
        if better && value.is_finite() {
            best = Some((value, Found { t, inside }));
        }
    };
    for step in 0..eye.dense.steps.len() {
        let points = points(&eye.dense.steps[step], window);
        let mut before = None;
        for (k, &t) in points.iter().enumerate() {
            offer(sign * eye.see(&search.value, step, t)?, t, false);
            let Some(rate) = &search.rate else { continue };
            let along = eye.dense.steps[step].h.signum();
            let slope = sign * along * eye.see(rate, step, t)?;
            if before.is_some_and(|b| b > 0.0) && slope <= 0.0 && (slope < 0.0 || k < POINTS) {
                let at = eye.root(rate, 0.0, step, [points[k - 1], t])?;
                let top = sign * eye.see(&search.value, step, at)?;
                // (an extreme at a window's very edge is the neighbor's, too)
                let inside = at != window[0] && at != window[1];
                offer(top, at, inside);
            }
            before = Some(slope);
        }
    }
    let t = window[0];
    Ok(best.map_or(Found { t, inside: false }, |(_, found)| found))
}

/// The first crossing of a level.
fn crossing(
    search: &CompiledSearch,
    eye: &mut Eye<'_>,
    window: [f64; 2],
    level: f64,
) -> Result<Found, StudyError> {
    for step in 0..eye.dense.steps.len() {
        let mut before: Option<(f64, f64)> = None;
        for t in points(&eye.dense.steps[step], window) {
            let away = eye.see(&search.value, step, t)? - level;
            if let Some((earlier, then)) = before
                && then != 0.0
                && then * away <= 0.0
            {
                let t = eye.root(&search.value, level, step, [earlier, t])?;
                return Ok(Found { t, inside: true });
            }
            before = Some((t, away));
        }
    }
    // never: the run is too short to tell
    Ok(Found {
        t: window[1],
        inside: false,
    })
}

/// The last time beyond a side of a band.
fn last_outside(
    search: &CompiledSearch,
    eye: &mut Eye<'_>,
    window: [f64; 2],
    side: f64,
    height: f64,
) -> Result<Found, StudyError> {
    for step in (0..eye.dense.steps.len()).rev() {
        let mut after: Option<f64> = None;
        for t in points(&eye.dense.steps[step], window).into_iter().rev() {
            let beyond = side * eye.see(&search.value, step, t)? > height;
            if beyond {
                let Some(later) = after else {
                    // outside at the end of the run, or until a jump
                    return Ok(Found { t, inside: false });
                };
                let t = eye.root(&search.value, side * height, step, [t, later])?;
                return Ok(Found { t, inside: true });
            }
            after = Some(t);
        }
    }
    Ok(Found {
        t: window[0],
        inside: false,
    })
}
