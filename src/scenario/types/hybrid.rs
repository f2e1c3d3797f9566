//! What turns ordinary differential equations into hybrid systems and differential-algebraic equations: events, rows
//! of the mass matrix, invariants.

use super::Name;
use crate::model::Expression;

/// `[[events]]`: a jump x(t+) = h(t, x(t-), p) of some states, at times that are known or where a function of the run
/// crosses zero.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// its name, or `event 1`, `event 2`, ...; its place is that of the name or of the whole table
    pub name: Name,
    /// when it happens
    pub trigger: EventTrigger,
    /// states with their values after it, each of the values before it: all at once
    pub set: Vec<(Name, Expression)>,
    /// whether the run ends there
    pub terminal: bool,
    /// it happens only where this is not 0, read just before the jump
    pub only_if: Option<Expression>,
}

/// When an event happens.
#[derive(Debug, Clone, PartialEq)]
pub enum EventTrigger {
    /// where the expression crosses zero: `when`
    Crossing {
        /// g(t, x, p)
        expression: Expression,
        /// which crossings count
        direction: Direction,
    },
    /// at times that are numbers or expressions of parameters: `at`
    Times(Vec<Expression>),
    /// at `first`, `first + every`, `first + 2 every`, ..., to the end of the run
    Every {
        /// time between two, above zero
        every: Expression,
        /// the first; the scenario's start where the file does not say
        first: Expression,
    },
}

/// Which crossings of zero count, as the run goes: with time, and against it where the end is before the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// from below zero to above
    Rising,
    /// from above zero to below
    Falling,
    /// either
    #[default]
    Both,
}

impl Direction {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rising => "rising",
            Self::Falling => "falling",
            Self::Both => "both",
        }
    }
}

/// A row of `[mass]`: sum over j of M_ij dx_j/dt = f_i, in place of dx_i/dt = f_i. Without coefficients it is the
/// algebraic equation 0 = f_i.
#[derive(Debug, Clone, PartialEq)]
pub struct MassRow {
    /// the state whose equation f_i stands on the right
    pub state: Name,
    /// states with their coefficients M_ij, expressions of parameters
    pub coefficients: Vec<(Name, Expression)>,
}

/// `[invariants]`: what stays constant along an exact solution, so that its drift tells of the solver's error.
#[derive(Debug, Clone, PartialEq)]
pub struct Invariant {
    /// its name
    pub name: Name,
    /// what it is: an expression of states, parameters, definitions, signals, `t`
    pub expression: Expression,
}
