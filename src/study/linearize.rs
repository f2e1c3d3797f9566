//! Linearization: the scenario's equations near an operating point, x' = A x + b u, y = c x + d u, by the derivatives of their
//! graph; and margins of loops with derivatives in the parameters.
//!
//! An input is a parameter, a signal, a definition or a discrete state: its name is made a parameter in a copy of the
//! scenario, so that what a definition would be is no longer fed back. For a controller's loop that is its output, and the loop
//! is what would have come back, with the sign of negative feedback. States that events alone change are held.

mod open;
mod poles;

use costate_adjoint::Dual;
use costate_solvers::Scalar;
use nalgebra::{DMatrix, DVector, RowDVector};

use super::error::StudyError;
use super::{Solving, Study, simulate_by};
use crate::control::{Critical, Loop, StateSpace, degrees};
use crate::diagnostic::Diagnostic;
use crate::model::graph::STATES;
use crate::model::{Graph, Model, NodeId, evaluate, jacobian};
use open::{around, through};
use poles::of_poles;

/// Most steps of Newton's method, and of halvings of one.
const MOST_STEPS: usize = 100;
const MOST_HALVINGS: usize = 30;
/// Step, beside the states, after which the operating point is found.
const FOUND: f64 = 1e-12;
/// Singular value, beside the largest, of a direction along which the equilibrium is free.
const FREE: f64 = 1e-12;

/// Where to linearize.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OperatingPoint {
    /// where nothing changes, by Newton's method from the initial values, with time held at the end of the run; where a
    /// position is free, the equilibrium nearest to where the method passes
    Equilibrium,
    /// on the trajectory at this time
    Time(f64),
}

/// From where to where.
#[derive(Debug, Clone, PartialEq)]
pub enum Channel {
    /// the whole system, without an input
    Autonomous,
    /// from a parameter, signal, definition or discrete state to an expression
    Through {
        /// the input's name
        input: String,
        /// an expression of states, definitions, parameters
        output: String,
    },
    /// around the loop of a continuous controller
    Around {
        /// the controller's name
        controller: String,
    },
}

/// The scenario at an operating point.
#[derive(Debug, Clone, PartialEq)]
pub struct Linearization {
    /// names of the states that are not held
    pub states: Vec<String>,
    /// time held
    pub t: f64,
    /// all states
    pub x: Vec<f64>,
    /// the input's value, where there is an input
    pub u: Option<f64>,
    /// largest time derivative of a state there
    pub residual: f64,
    /// A of the scenario as it is, with its loops closed
    pub closed: DMatrix<f64>,
    /// the channel; of a loop, with the sign of negative feedback. `b`, `c` and `d` are 0 where there is no input
    pub system: StateSpace,
}

/// What of a linearization a requirement is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// least gain above 1 that brings the loop to the edge of stability
    GainMargin,
    /// degrees
    PhaseMargin,
    /// time
    DelayMargin,
    /// half of the disk's size, between 0 and 2
    DiskMargin,
    /// Ms
    SensitivityPeak,
    /// Mt
    ComplementaryPeak,
    /// angular frequency of the closed loop
    Bandwidth,
    /// the least -Re p/|p| of the closed loop's poles p
    Damping,
    /// the largest Re p
    SpectralAbscissa,
}

/// A requirement's value with its derivatives.
#[derive(Debug, Clone, PartialEq)]
pub struct Margin {
    /// the value; infinite where nothing brings the loop to the edge
    pub value: f64,
    /// the frequency where it is decided, where there is one
    pub frequency: Option<f64>,
    /// derivatives in the scenario's parameters
    pub gradient: Vec<f64>,
}

/// How a linearization changes with a parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearChange {
    /// change of the closed loop's A
    pub closed: DMatrix<f64>,
    /// changes of the channel's matrices
    pub system: StateSpace,
}

/// Matrices as nodes: entries by row and column.
type Entries = Vec<(usize, usize, NodeId)>;

/// What is differentiated with an input in place.
#[derive(Debug, Clone)]
struct Opened {
    graph: Graph,
    /// which input: a parameter, or a held state
    input: Input,
    a: Entries,
    b: Entries,
    c: Entries,
    d: Entries,
    /// -1 for a loop
    sign: f64,
    /// the input's value in the scenario as it is: a node of the closed model
    value: NodeId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Parameter(usize),
    State(usize),
}

/// A scenario made ready to be linearized, at any parameters.
#[derive(Debug, Clone)]
pub struct LinearStudy {
    closed: Model,
    a: Entries,
    /// places of the states that are not held
    kept: Vec<usize>,
    opened: Option<Opened>,
}

impl LinearStudy {
    /// Makes the derivatives.
    ///
    /// # Errors
    /// Findings where the output is no expression of the scenario; [`StudyError::UnknownName`] and
    /// [`StudyError::Unsupported`] as a finding's text.
    pub fn new(study: &Study, channel: &Channel) -> Result<Self, Vec<Diagnostic>> {
        let scenario = &study.scenario;
        let refuse = |text: String| vec![Diagnostic::error("linearize::failed", text, None)];
        let model = study.equations.model();
        if let Some(lag) = model.lags.first() {
            return Err(refuse(format!(
                "a scenario with `{}` cannot be linearized yet: leave the delay out and give it as `--dead-time`",
                lag.name
            )));
        }
        if model.mass.is_some() {
            return Err(refuse(
                "a scenario with `[mass]` cannot be linearized yet".into(),
            ));
        }
        if scenario.states.iter().any(|state| !state.over.is_empty()) {
            return Err(refuse(
                "a scenario with arrays cannot be linearized yet".into(),
            ));
        }
        let mut closed = model.clone();
        let kept: Vec<usize> = (0..model.states.len())
            .filter(|&k| !model.discrete[k])
            .collect();
        if kept.is_empty() {
            return Err(refuse("no state of the scenario has an equation".into()));
        }
        let a = state_matrix(&mut closed, &kept);
        let opened = match channel {
            Channel::Autonomous => None,
            Channel::Through { input, output } => {
                Some(through(scenario, &closed, &kept, input, output)?)
            }
            Channel::Around { controller } => Some(around(scenario, &closed, &kept, controller)?),
        };
        Ok(Self {
            closed,
            a,
            kept,
            opened,
        })
    }

    /// The linearization at natural parameters `p`.
    ///
    /// # Errors
    /// [`StudyError::Unsupported`] where no equilibrium is found; those of a solve for a time on the trajectory.
    pub fn at(
        &self,
        study: &Study,
        p: &[f64],
        at: OperatingPoint,
    ) -> Result<Linearization, StudyError> {
        let (t, x) = self.operating_point(study, p, at)?;
        self.matrices(study, p, t, x)
    }

    /// Parameters of the first experiment.
    fn own<S: Scalar>(&self, p: &[S]) -> Vec<S> {
        match self.closed.experiments.first() {
            Some(experiment) => {
                evaluate(&self.closed.graph, &experiment.parameters, &[&[], &[], p])
            }
            None => p.to_vec(),
        }
    }

    fn operating_point(
        &self,
        study: &Study,
        p: &[f64],
        at: OperatingPoint,
    ) -> Result<([f64; 2], Vec<f64>), StudyError> {
        let scenario = &study.scenario;
        let own = self.own(p);
        match at {
            OperatingPoint::Time(t) => {
                let span = [scenario.start, scenario.end];
                if !(span[0].min(span[1])..=span[0].max(span[1])).contains(&t) {
                    return Err(StudyError::Unsupported(format!(
                        "the time {t} lies outside the run, which is from {} to {}",
                        span[0], span[1]
                    )));
                }
                let run = simulate_by(study, &Solving::for_simulation(study)?, 0, p, &[t])?;
                let row = run.t.iter().rposition(|&own| own == t);
                let x: Option<Vec<f64>> =
                    row.and_then(|k| run.states.iter().map(|s| s.get(k).copied()).collect());
                let x =
                    x.ok_or_else(|| StudyError::Unsupported("the run did not get there".into()))?;
                let after = if t == scenario.end {
                    t.next_down()
                } else {
                    t.next_up()
                };
                Ok(([t, after], x))
            }
            OperatingPoint::Equilibrium => {
                let initial = match self.closed.experiments.first() {
                    Some(experiment) => experiment.initial.clone(),
                    None => Vec::new(),
                };
                let time = [scenario.end, scenario.end.next_down()];
                let x = evaluate(&self.closed.graph, &initial, &[&[], &[], &own]);
                Ok((time, self.newton(&own, time, x)?))
            }
        }
    }

    fn rates(&self, own: &[f64], time: [f64; 2], x: &[f64]) -> DVector<f64> {
        let all = evaluate(&self.closed.graph, &self.closed.rhs, &[&time, x, own]);
        DVector::from_iterator(self.kept.len(), self.kept.iter().map(|&k| all[k]))
    }

    fn newton(&self, own: &[f64], time: [f64; 2], mut x: Vec<f64>) -> Result<Vec<f64>, StudyError> {
        let mut f = self.rates(own, time, &x);
        for _ in 0..MOST_STEPS {
            let jacobian = self.jacobian(own, time, &x);
            let Some(step) = least_step(&jacobian, &f) else {
                break;
            };
            let size = self.kept.iter().map(|&k| x[k].abs()).fold(1.0, f64::max);
            let (mut factor, before) = (1.0, f.norm());
            let small = step.norm() <= FOUND * size;
            for halving in 0..=MOST_HALVINGS {
                let mut trial = x.clone();
                for (&k, s) in self.kept.iter().zip(step.iter()) {
                    trial[k] -= factor * s;
                }
                let at_trial = self.rates(own, time, &trial);
                let better = at_trial.norm() < before;
                if better || small && at_trial.norm().is_finite() && halving == 0 {
                    (x, f) = (trial, at_trial);
                    break;
                }
                factor /= 2.0;
                if halving == MOST_HALVINGS && !small {
                    return Err(no_equilibrium(before));
                }
            }
            if small {
                // where a direction is free, a step of nothing may leave a rate that no state can undo
                let rate = jacobian.norm() * size;
                return if f.norm() <= 1e-9 * rate.max(1e-300) {
                    Ok(x)
                } else {
                    Err(no_equilibrium(f.norm()))
                };
            }
        }
        Err(no_equilibrium(f.norm()))
    }

    fn jacobian(&self, own: &[f64], time: [f64; 2], x: &[f64]) -> DMatrix<f64> {
        let n = self.kept.len();
        dense(&self.closed.graph, &self.a, (n, n), &[&time, x, own])
    }

    fn matrices(
        &self,
        study: &Study,
        p: &[f64],
        time: [f64; 2],
        x: Vec<f64>,
    ) -> Result<Linearization, StudyError> {
        let own = self.own(p);
        let n = self.kept.len();
        let closed = self.jacobian(&own, time, &x);
        if closed.iter().any(|v| !v.is_finite()) {
            return Err(StudyError::Unsupported(
                "the equations have no finite derivatives at the operating point".into(),
            ));
        }
        let (system, u) = match &self.opened {
            None => {
                let system = StateSpace {
                    a: closed.clone(),
                    b: DVector::zeros(n),
                    c: RowDVector::zeros(n),
                    d: 0.0,
                    dead_time: 0.0,
                };
                (system, None)
            }
            Some(opened) => {
                let groups: [&[f64]; 3] = [&time, &x, &own];
                let u = evaluate(&self.closed.graph, &[opened.value], &groups)[0];
                (opened.system(n, [&time, &x, &own], u), Some(u))
            }
        };
        Ok(Linearization {
            states: self
                .kept
                .iter()
                .map(|&k| study.scenario.states[k].name.text.clone())
                .collect(),
            t: time[0],
            residual: self.rates(&own, time, &x).amax(),
            x,
            u,
            closed,
            system,
        })
    }

    /// The changes of the closed A and of the channel by each parameter, at the equilibrium, which moves with them.
    ///
    /// # Errors
    /// Those of [`Self::at`].
    pub fn tangents(
        &self,
        study: &Study,
        p: &[f64],
    ) -> Result<(Linearization, Vec<LinearChange>), StudyError> {
        let (time, x) = self.operating_point(study, p, OperatingPoint::Equilibrium)?;
        let own = self.own(p);
        let jacobian = self.jacobian(&own, time, &x);
        let n = self.kept.len();
        let constants =
            |of: &[f64]| -> Vec<Dual<1>> { of.iter().map(|&v| Dual::constant(v)).collect() };
        let time_dual = constants(&time);
        let changes = (0..p.len())
            .map(|j| {
                let mut moving = constants(p);
                moving[j] = Dual::variable(p[j], 0);
                let own = self.own(&moving);
                let mut x = constants(&x);
                let f = evaluate(
                    &self.closed.graph,
                    &self.closed.rhs,
                    &[&time_dual, &x, &own],
                );
                let rates = self.kept.iter().map(|&k| f[k].tangent[0]);
                let rates = DVector::from_iterator(n, rates);
                if let Some(step) = least_step(&jacobian, &rates) {
                    for (&k, s) in self.kept.iter().zip(step.iter()) {
                        x[k].tangent[0] = -s;
                    }
                }
                let groups: [&[Dual<1>]; 3] = [&time_dual, &x, &own];
                let closed = dense_tangent(&self.closed.graph, &self.a, (n, n), &groups);
                let system = match &self.opened {
                    None => StateSpace {
                        a: closed.clone(),
                        b: DVector::zeros(n),
                        c: RowDVector::zeros(n),
                        d: 0.0,
                        dead_time: 0.0,
                    },
                    Some(opened) => {
                        let u = evaluate(&self.closed.graph, &[opened.value], &groups)[0];
                        opened.tangent(n, groups, u)
                    }
                };
                LinearChange { closed, system }
            })
            .collect();
        Ok((self.matrices(study, p, time, x)?, changes))
    }

    /// A requirement's value at the equilibrium, and its derivatives in the scenario's parameters: those of the crossing, the
    /// peak or the pole that decides it.
    ///
    /// # Errors
    /// Those of [`Self::at`]; [`StudyError::Unsupported`] where a margin is asked of what is no loop.
    pub fn requirement(
        &self,
        study: &Study,
        p: &[f64],
        requirement: Requirement,
    ) -> Result<Margin, StudyError> {
        let (linear, changes) = self.tangents(study, p)?;
        if matches!(
            requirement,
            Requirement::Damping | Requirement::SpectralAbscissa
        ) {
            return Ok(of_poles(&linear.closed, &changes, requirement));
        }
        if !self.opened.as_ref().is_some_and(|opened| opened.sign < 0.0) {
            return Err(StudyError::Unsupported(
                "margins are of a controller's loop".into(),
            ));
        }
        let abscissa = of_poles(&linear.closed, &changes, Requirement::SpectralAbscissa).value;
        if abscissa > 1e-9 * linear.closed.amax() {
            return Err(StudyError::Unsupported(
                "the closed loop is not stable, and has no margins: begin with gains that stabilize it".into(),
            ));
        }
        let found = Loop::new(linear.system);
        let margins = found.margins();
        let crossing = |c: Option<crate::control::Crossing>| c.map(|c| (c.value, c.frequency));
        let peak = |c: Option<crate::control::Peak>| c.map(|c| (c.value, c.frequency));
        let (at, kind, scale) = match requirement {
            Requirement::GainMargin => (crossing(margins.gain), Critical::Gain, 1.0),
            Requirement::PhaseMargin => (crossing(margins.phase), Critical::Phase, degrees(1.0)),
            Requirement::DelayMargin => (crossing(margins.delay), Critical::Delay, 1.0),
            Requirement::DiskMargin => (peak(margins.disk), Critical::Disk, 1.0),
            Requirement::ComplementaryPeak => {
                (peak(margins.complementary), Critical::Complementary, 1.0)
            }
            Requirement::Bandwidth => {
                let bandwidth = found.bandwidth();
                (bandwidth.map(|w| (w, w)), Critical::Bandwidth, 1.0)
            }
            _ => (peak(margins.sensitivity), Critical::Sensitivity, 1.0),
        };
        let Some((value, frequency)) = at else {
            return Ok(Margin {
                value: f64::INFINITY,
                frequency: None,
                gradient: vec![0.0; p.len()],
            });
        };
        let gradient = changes
            .iter()
            .map(|change| scale * found.tangent(kind, frequency, &change.system))
            .collect();
        Ok(Margin {
            value: scale * value,
            frequency: Some(frequency),
            gradient,
        })
    }
}

impl Opened {
    fn groups<S: Scalar>(&self, [_, x, own]: [&[S]; 3], u: S) -> (Vec<S>, Vec<S>) {
        let (mut x, mut own) = (x.to_vec(), own.to_vec());
        match self.input {
            Input::State(k) => x[k] = u,
            Input::Parameter(k) if k < own.len() => own[k] = u,
            Input::Parameter(_) => own.push(u),
        }
        (x, own)
    }

    fn system(&self, n: usize, groups: [&[f64]; 3], u: f64) -> StateSpace {
        let (x, own) = self.groups(groups, u);
        let groups: [&[f64]; 3] = [groups[0], &x, &own];
        let of = |entries, shape| dense(&self.graph, entries, shape, &groups);
        self.assemble(
            of(&self.a, (n, n)),
            of(&self.b, (n, 1)),
            of(&self.c, (1, n)),
            of(&self.d, (1, 1)),
        )
    }

    fn tangent(&self, n: usize, groups: [&[Dual<1>]; 3], u: Dual<1>) -> StateSpace {
        let (x, own) = self.groups(groups, u);
        let groups: [&[Dual<1>]; 3] = [groups[0], &x, &own];
        let of = |entries, shape| dense_tangent(&self.graph, entries, shape, &groups);
        self.assemble(
            of(&self.a, (n, n)),
            of(&self.b, (n, 1)),
            of(&self.c, (1, n)),
            of(&self.d, (1, 1)),
        )
    }

    fn assemble(
        &self,
        a: DMatrix<f64>,
        b: DMatrix<f64>,
        c: DMatrix<f64>,
        d: DMatrix<f64>,
    ) -> StateSpace {
        StateSpace {
            a,
            b: b.column(0).into_owned(),
            c: c.row(0) * self.sign,
            d: d[(0, 0)] * self.sign,
            dead_time: 0.0,
        }
    }
}

fn no_equilibrium(rate: f64) -> StudyError {
    StudyError::Unsupported(format!(
        "no equilibrium was found from the initial values: the states still change by {rate:.3e} a unit of time where Newton's method stopped; start nearer to it, or linearize at a time, `--at 1.5`"
    ))
}

/// The smallest step with J step = f as nearly as can be.
fn least_step(jacobian: &DMatrix<f64>, f: &DVector<f64>) -> Option<DVector<f64>> {
    if jacobian.iter().chain(f.iter()).any(|v| !v.is_finite()) {
        return None;
    }
    let svd = jacobian.clone().svd(true, true);
    let largest = svd.singular_values.max();
    if largest == 0.0 {
        return Some(DVector::zeros(f.len()));
    }
    svd.solve(f, FREE * largest).ok()
}

fn dense(
    graph: &Graph,
    entries: &Entries,
    (rows, columns): (usize, usize),
    groups: &[&[f64]],
) -> DMatrix<f64> {
    let nodes: Vec<NodeId> = entries.iter().map(|&(_, _, node)| node).collect();
    let mut matrix = DMatrix::zeros(rows, columns);
    for (&(i, j, _), value) in entries.iter().zip(evaluate(graph, &nodes, groups)) {
        matrix[(i, j)] = value;
    }
    matrix
}

fn dense_tangent(
    graph: &Graph,
    entries: &Entries,
    (rows, columns): (usize, usize),
    groups: &[&[Dual<1>]],
) -> DMatrix<f64> {
    let nodes: Vec<NodeId> = entries.iter().map(|&(_, _, node)| node).collect();
    let mut matrix = DMatrix::zeros(rows, columns);
    for (&(i, j, _), value) in entries.iter().zip(evaluate(graph, &nodes, groups)) {
        matrix[(i, j)] = value.tangent[0];
    }
    matrix
}

fn state_inputs(graph: &mut Graph, kept: &[usize]) -> Vec<NodeId> {
    kept.iter()
        .map(|&k| graph.input(STATES, k as u32))
        .collect()
}

fn state_matrix(model: &mut Model, kept: &[usize]) -> Entries {
    let wrt = state_inputs(&mut model.graph, kept);
    let rhs: Vec<NodeId> = kept.iter().map(|&k| model.rhs[k]).collect();
    jacobian(&mut model.graph, &rhs, &wrt)
}
