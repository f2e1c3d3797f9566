//! Costates and the Hamiltonian along a solution: how the optimum moves with a push to the states on the way.
//!
//! ```text
//! p_i(t) = d(J + lambda'c) / d(push to x_i at t)          H(t) = sum_i p_i f_i + sum_j q_j dI_j/dt
//! ```
//!
//! with q_j what the Lagrangian makes of the integral I_j. They are those of Pontryagin's maximum principle for the optimum among the
//! controls that the knots allow; where t is not named in the problem H is constant but for what the knots cost, and -H is
//! dJ*/dT. The pushes are events at the cuts, their derivatives come by the adjoint, all at once.
//!
//! Sources: Pontryagin et al., The Mathematical Theory of Optimal Processes, 1962; Bryson and Ho, Applied Optimal Control, 1975, ch. 2.

use super::cuts::{arithmetic, event, free_states, named, study_of, when};
use super::problem::{Found, TuneProblem};
use crate::model::Arithmetic;
use crate::scenario::{Name, Parameter};
use crate::study::error::StudyError;
use crate::study::simulate::simulate;
use crate::study::variable::Variable;
use crate::study::{Solving, Study};

/// Times at which they are computed.
const CUTS: usize = 50;

/// Costates and Hamiltonian at times inside a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Costates {
    /// names of the states
    pub states: Vec<String>,
    /// when
    pub t: Vec<f64>,
    /// `values[i][k]`: of state i at time k
    pub values: Vec<Vec<f64>>,
    /// at the start of the run, in the order of the states
    pub at_start: Vec<f64>,
    /// at each time
    pub hamiltonian: Vec<f64>,
}

/// Those at a point that was found: natural values of all parameters, and the constraints' multipliers.
pub(super) fn costates(
    study: &Study,
    solving: &Solving,
    found: &Found<'_>,
    p: &[f64],
) -> Result<Costates, StudyError> {
    let scenario = &study.scenario;
    let states = free_states(study, "costate")?;
    let mut pushed = scenario.clone();
    for (parameter, &value) in pushed.parameters.iter_mut().zip(p) {
        parameter.value = value;
    }
    let own = pushed.parameters.len();
    let end = scenario.free_end.map_or(scenario.end, |k| p[k]);
    let mut t = Vec::new();
    for k in 0..CUTS {
        // between knots, where controls may jump
        let share = (k as f64 + 0.5) / CUTS as f64;
        t.push(scenario.start + share * (end - scenario.start));
        let mut set = Vec::new();
        for state in &states {
            let name = Name {
                text: format!("push {} to {}", k + 1, state.text),
                span: state.span.clone(),
            };
            let (before, push) = (named(&state.text, state), named(&name.text, &name));
            set.push((state.clone(), arithmetic(Arithmetic::Add, before, push)));
            pushed.parameters.push(Parameter::held(name, 0.0));
        }
        if let Some(state) = states.first() {
            let name = format!("push {}", k + 1);
            pushed
                .events
                .push(event(when(scenario, share, state), set, name));
        }
    }
    let pushed = study_of(pushed, study.backend)?;
    let never = std::sync::atomic::AtomicBool::new(false);
    let mut problem = TuneProblem::new(&pushed, &never)?;
    problem.solving = solving.clone();
    let initial = |state: &Name| scenario.states.iter().position(|s| s.name == *state);
    let starts: Vec<usize> = states.iter().filter_map(initial).collect();
    let pushes = own..pushed.scenario.parameters.len();
    let mut held: Vec<Variable> = pushes.map(Variable::Parameter).collect();
    held.extend(starts.iter().map(|&k| Variable::Initial(k)));
    let all = problem.sensitivities(found, &held)?;
    let (along, at_start) = all.split_at(CUTS * states.len());
    let run = simulate(study, 0, p, &t)?;
    let mut points = Vec::new();
    for (k, &time) in t.iter().enumerate() {
        let Some(place) = run.t.iter().position(|&own| own == time) else {
            break; // a terminal event ended the run before
        };
        let x: Vec<f64> = run.states.iter().map(|state| state[place]).collect();
        let mut costate = vec![0.0; x.len()];
        for (&index, &value) in starts.iter().zip(&along[k * states.len()..]) {
            costate[index] = value;
        }
        points.push((time, x, costate));
    }
    let hamiltonian = problem.hamiltonian(found, &points)?;
    t.truncate(points.len());
    let of_state = |i: usize| (0..t.len()).map(|k| along[k * states.len() + i]).collect();
    Ok(Costates {
        values: (0..states.len()).map(of_state).collect(),
        states: states.into_iter().map(|name| name.text).collect(),
        t,
        at_start: at_start.to_vec(),
        hamiltonian,
    })
}
