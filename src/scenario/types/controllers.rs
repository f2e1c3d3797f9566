//! `[controllers]`: blocks that were expanded into states, definitions, equations and events.

use super::Name;
use crate::model::Expression;

/// A controller, as it was expanded: what it made stands among the scenario's states, definitions, equations and events.
#[derive(Debug, Clone, PartialEq)]
pub struct Controller {
    /// its name, which is none of the model's name space
    pub name: Name,
    /// its kind, as it is written
    pub kind: &'static str,
    /// the name of its output
    pub output: Name,
    /// the definition where its loop is opened: the output, or the command that an actuator with a lag follows. `None` where
    /// it is sampled, and of an observer
    pub command: Option<String>,
    /// names of the states it made
    pub states: Vec<String>,
    /// names of the definitions it made, the gains of a regulator among them
    pub definitions: Vec<String>,
    /// where its gains follow from a Riccati equation: of what
    pub regulator: Option<Regulator>,
}

impl Controller {
    /// Whether it estimates states and drives nothing.
    pub fn is_observer(&self) -> bool {
        self.kind == "observer"
    }

    /// Whether it acts at samples, so that its loop is none of continuous time.
    pub fn is_sampled(&self) -> bool {
        self.command.is_none() && !self.is_observer()
    }
}

/// A linear-quadratic regulator u = u_0 - K (x - r), where K = B^T P / r minimizes the integral of
/// sum q_i dx_i^2 + r du^2 for the model linearized at the operating point:
///
/// ```text
/// A^T P + P A - P B B^T P / r + diag(q) = 0
/// ```
///
/// R. E. Kalman, Contributions to the theory of optimal control, Bol. Soc. Mat. Mexicana 5 (1960) 102-119.
#[derive(Debug, Clone, PartialEq)]
pub struct Regulator {
    /// by state fed back: its name, its weight q and its value at the operating point
    pub states: Vec<RegulatedState>,
    /// the weight r
    pub input_weight: Expression,
    /// the output at the operating point
    pub operating_input: Expression,
    /// of an observer: the measurement h(x), for which the equation is that of the stationary Kalman filter, A^T and C^T in
    /// place of A and B, and the gains are its own
    pub measurement: Option<Expression>,
}

/// A state that a regulator feeds back.
#[derive(Debug, Clone, PartialEq)]
pub struct RegulatedState {
    /// its name
    pub name: Name,
    /// q
    pub weight: Expression,
    /// its value at the operating point
    pub at: Expression,
    /// the name of its gain
    pub gain: String,
}
