//! `[mechanics]`: equations of motion that follow from energies.

use super::Name;
use crate::diagnostic::Span;
use crate::model::Expression;

/// Most coordinates of a `[mechanics]` table: the mass matrix is factored within the right-hand side.
pub const MOST_COORDINATES: usize = 16;

/// `[mechanics]`: d/dt dL/dv - dL/dq = Q - dD/dv - G^T lambda with L = T - V and v = dq/dt, on 0 = g(t, q), G = dg/dq.
///
/// Coordinates and velocities are also among the scenario's states.
#[derive(Debug, Clone, PartialEq)]
pub struct Mechanics {
    /// where the table stands
    pub place: Span,
    /// the coordinates q, in the order of the file
    pub coordinates: Vec<Coordinate>,
    /// the kinetic energy T(t, q, v)
    pub kinetic: Expression,
    /// the potential energy V(t, q); 0 where absent
    pub potential: Option<Expression>,
    /// Rayleigh's dissipation function D(t, q, v), half the power lost where it is quadratic in v; 0 where absent
    pub dissipation: Option<Expression>,
    /// the constraints g
    pub constraints: Vec<Expression>,
    /// whether initial values are moved onto the constraints
    pub project: bool,
}

/// A coordinate of `[mechanics]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Coordinate {
    /// its name
    pub name: Name,
    /// the name of its velocity: the coordinate's with `_dot` behind it
    pub velocity: String,
    /// the generalized force Q along it; 0 where absent
    pub force: Option<Expression>,
}
