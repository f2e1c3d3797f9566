//! Index sets, graphs over them, and arrays of parameters.

use std::sync::Arc;

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

/// A graph: edges between the places of an index set. The edges are an index set of their own, by the graph's name.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeSet {
    /// its name
    pub name: Name,
    /// the edges, by their place among the scenario's indices
    pub edges: usize,
    /// what they join, by its place among the scenario's indices
    pub nodes: usize,
    /// where each edge begins, counted from 0
    pub from: Arc<[u32]>,
    /// where each edge ends, counted from 0
    pub to: Arc<[u32]>,
    /// whether an edge goes one way only
    pub directed: bool,
}

impl EdgeSet {
    /// The edges as they are seen from the places that they join, sorted by place: what is `from`, what is `to`, and the
    /// edge, counted from 0.
    ///
    /// A place sees the edges that end there, as `to`; where `leaving`, those that begin there, as `from`. An edge that
    /// is not directed is also one the other way round.
    pub fn seen(&self, leaving: bool) -> [Vec<u32>; 3] {
        let mut seen: Vec<[u32; 3]> = Vec::new();
        for ((edge, &from), &to) in (0..).zip(self.from.iter()).zip(self.to.iter()) {
            seen.push([from, to, edge]);
            if !self.directed && from != to {
                seen.push([to, from, edge]);
            }
        }
        let place = usize::from(!leaving);
        seen.sort_by_key(|edge| edge[place]);
        [0, 1, 2].map(|k| seen.iter().map(|edge| edge[k]).collect())
    }
}
