//! What a prepared run is moved by before it is solved: its initial states, its start and its end.

use costate_solvers::Scalar;

use super::any_solver::StudyScalar;
use super::run::Run;
use super::variable::Variable;

/// Increments of a run.
#[derive(Debug, Clone)]
pub(super) struct Nudge<S> {
    /// (state, increment)
    initial: Vec<(usize, S)>,
    /// of the times at which it starts and ends
    ends: Option<[S; 2]>,
}

impl<S: Scalar> Nudge<S> {
    /// None.
    pub fn none() -> Self {
        Self {
            initial: Vec::new(),
            ends: None,
        }
    }

    /// Whether nothing is moved.
    pub fn is_still(&self) -> bool {
        let still = |by: &S| by.value() == 0.0;
        let ends = self.ends.iter().flatten();
        self.initial.iter().map(|(_, by)| by).chain(ends).all(still)
    }

    /// Moves variable k by `by(k)`; parameters are set before a run is prepared, and not here.
    pub fn of(variables: &[Variable], by: impl Fn(usize) -> S) -> Self {
        let mut nudge = Self::none();
        for (k, variable) in variables.iter().enumerate() {
            let mut end = |which: usize| {
                let ends = nudge.ends.get_or_insert([S::from(0.0); 2]);
                ends[which] += by(k);
            };
            match *variable {
                Variable::Parameter(_) => {}
                Variable::Initial(i) => nudge.initial.push((i, by(k))),
                Variable::Start => end(0),
                Variable::End => end(1),
            }
        }
        nudge
    }
}

/// Parameters `p`, and what else is moved, where variable k moves by `by(k)`.
pub(super) fn moved<S: Scalar>(
    p: &[f64],
    variables: &[Variable],
    by: impl Fn(usize) -> S,
) -> (Vec<S>, Nudge<S>) {
    let mut parameters: Vec<S> = p.iter().map(|&p| S::from(p)).collect();
    for (k, variable) in variables.iter().enumerate() {
        if let Variable::Parameter(i) = *variable {
            parameters[i] += by(k);
        }
    }
    (parameters, Nudge::of(variables, by))
}

impl<S: Scalar> Nudge<S> {
    /// The same in plain numbers.
    pub fn values(&self) -> Nudge<f64> {
        let initial = self.initial.iter().map(|&(i, by)| (i, by.value()));
        Nudge {
            initial: initial.collect(),
            ends: self.ends.map(|ends| ends.map(|end| end.value())),
        }
    }
}

impl<S: StudyScalar> Nudge<S> {
    /// Moves a prepared run, its end only if that is the scenario's.
    pub fn apply(&self, run: &mut Run<S>, to_end: bool) {
        for &(i, by) in &self.initial {
            if let Some(x) = run.x.get_mut(i) {
                *x += by;
            }
        }
        let Some([start, end]) = self.ends else {
            return;
        };
        if let Some(first) = run.times.first_mut() {
            *first += start;
        }
        if let Some(last) = run.times.last_mut().filter(|_| to_end) {
            *last += end;
        }
    }
}
