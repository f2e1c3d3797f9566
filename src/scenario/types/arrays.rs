//! Index sets and arrays of parameters.

use super::Name;
use crate::model::Expression;

/// An index set: places 1, 2, ..., and what stands beyond its ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// its name
    pub name: Name,
    /// number of places
    pub size: u32,
    /// before the first place and after the last; `None`: nothing, and nothing may be read there
    pub ends: Option<[Boundary; 2]>,
}

/// What stands beyond an end of an index set.
#[derive(Debug, Clone, PartialEq)]
pub enum Boundary {
    /// the other end
    Periodic,
    /// the last element again: nothing flows through
    Clamp,
    /// 0
    Zero,
    /// a value
    Value(Expression),
}

/// An array of parameters: a stretch of the scenario's, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterArray {
    /// its name
    pub name: Name,
    /// its indices, by their places among the scenario's
    pub over: Vec<usize>,
    /// its first parameter
    pub first: usize,
}
