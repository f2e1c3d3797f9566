//! The hash-consed expression graph: every model, and every derivative of one, is a set of its nodes.

use std::collections::HashMap;
use std::sync::Arc;

use costate_solvers::Comparison;

use super::arrays::{Axis, AxisSet, GatherId, ShapeId, Tables};
use super::lists::{ListId, SelectionId};
use super::table::PiecewisePolynomial;

/// A node of a [`Graph`]; operands always have smaller indices than the node they serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// Which of a function's input arrays a value is read from (see [`crate::compile`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InputId {
    /// the array
    pub group: u16,
    /// the place in it
    pub index: u32,
}

/// The group that holds time: index 0 is t, index 1 the middle of the present smooth stretch.
pub const TIME: u16 = 0;
/// The group that holds the states x.
pub const STATES: u16 = 1;
/// The group that holds the parameters p.
pub const PARAMETERS: u16 = 2;
/// A first extra vector: a tangent v, or the cotangent w of a vector-Jacobian product.
pub const FIRST_EXTRA: u16 = 3;
/// A second extra vector: the cotangent w where `FIRST_EXTRA` holds v.
pub const SECOND_EXTRA: u16 = 4;
/// A third extra vector: integrals over a run, for a functional.
pub const THIRD_EXTRA: u16 = 5;
/// A fourth extra vector: times of events, for a functional.
pub const FOURTH_EXTRA: u16 = 6;
/// A fifth extra vector: what a functional looked for along a run, a time and whether it is inside, each.
pub const FIFTH_EXTRA: u16 = 7;
/// A sixth extra vector: weights of several functionals.
pub const SIXTH_EXTRA: u16 = 8;

/// Functions of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as in the expression language")]
pub enum Unary {
    Exp,
    Expm1,
    Log,
    Log1p,
    Log2,
    Log10,
    Sqrt,
    Cbrt,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Tanh,
    Asinh,
    Acosh,
    Atanh,
    Abs,
    Sign,
    Floor,
    Ceil,
    Erf,
}

/// Functions of two arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as in the expression language")]
pub enum Binary {
    Pow,
    Atan2,
    Min,
    Max,
    Mod,
    Hypot,
}

/// An operation; constants are stored by bits so that nodes can be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// a number, by its bits
    Constant(u64),
    /// an input
    Input(InputId),
    /// a + b
    Add(NodeId, NodeId),
    /// a - b
    Sub(NodeId, NodeId),
    /// a b
    Mul(NodeId, NodeId),
    /// a / b
    Div(NodeId, NodeId),
    /// -a
    Neg(NodeId),
    /// a^n for whole n, evaluated as `costate_solvers::scalar::powi_by_squaring`
    Powi(NodeId, i32),
    /// f(a)
    Unary(Unary, NodeId),
    /// f(a, b)
    Binary(Binary, NodeId, NodeId),
    /// `yes` where the comparison of left and right holds, else `no`
    Select {
        /// the comparison
        comparison: Comparison,
        /// its left side
        left: NodeId,
        /// its right side
        right: NodeId,
        /// value where it holds
        yes: NodeId,
        /// value where it does not
        no: NodeId,
    },
    /// derivative of order `order` of a table at `at`, on the piece that holds `place`
    Table {
        /// index into [`Graph::tables`]
        table: u32,
        /// order of the derivative, 0 the value
        order: u8,
        /// argument
        at: NodeId,
        /// what picks the piece (t itself, or the middle of the stretch where pieces end in kinks)
        place: NodeId,
    },
    /// the place on an axis as a number, counted from 1
    Index(Axis),
    /// the element that a list sends the place on an axis to, as a number, counted from 1
    Listed(Axis, ListId),
    /// an element of an array, found from places on axes
    Gather(GatherId),
    /// the sum of the values that a node takes along an axis, in order
    Sum(Axis, NodeId),
    /// the sum of the values over the places of an axis that a list sends to one element, in order
    SumWhere(SelectionId, NodeId),
    /// all values of a node along axes, the last fastest: as many numbers, in place of one. Only roots are arrays.
    Array(ShapeId, NodeId),
}

impl Op {
    /// The nodes it is computed from.
    pub fn operands(self) -> impl Iterator<Item = NodeId> {
        let (all, count) = match self {
            Self::Constant(_)
            | Self::Input(_)
            | Self::Index(_)
            | Self::Listed(..)
            | Self::Gather(_) => ([NodeId(0); 4], 0),
            Self::Neg(a)
            | Self::Powi(a, _)
            | Self::Unary(_, a)
            | Self::Sum(_, a)
            | Self::SumWhere(_, a)
            | Self::Array(_, a) => ([a; 4], 1),
            Self::Add(a, b)
            | Self::Sub(a, b)
            | Self::Mul(a, b)
            | Self::Div(a, b)
            | Self::Binary(_, a, b) => ([a, b, b, b], 2),
            Self::Table { at, place, .. } => ([at, place, place, place], 2),
            Self::Select {
                left,
                right,
                yes,
                no,
                ..
            } => ([left, right, yes, no], 4),
        };
        all.into_iter().take(count)
    }

    /// About how long it takes beside an addition, operands not counted.
    pub fn work(self) -> usize {
        match self {
            Self::Constant(_)
            | Self::Input(_)
            | Self::Index(_)
            | Self::Listed(..)
            | Self::Gather(_)
            | Self::Neg(_)
            | Self::Array(..) => 0,
            Self::Unary(Unary::Abs | Unary::Sign | Unary::Floor | Unary::Ceil, _) => 1,
            Self::Unary(Unary::Sqrt, _) | Self::Div(..) => 4,
            Self::Unary(..) | Self::Binary(Binary::Pow | Binary::Atan2, ..) => FUNCTION_WORK,
            _ => 1,
        }
    }
}

/// [`Op::work`] of a function that is no operation of the processor.
const FUNCTION_WORK: usize = 16;

/// A graph of expressions, each distinct one stored once.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: Vec<Op>,
    index: HashMap<Op, NodeId>,
    /// the axes that each node's value varies along
    axes: Vec<AxisSet>,
    /// the highest level of the axes of sums in each node
    heights: Vec<u8>,
    tables: Vec<Arc<PiecewisePolynomial>>,
    arrays: Tables,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }
    /// The node of an operation as it is, without simplification: found, or added.
    pub fn intern(&mut self, op: Op) -> NodeId {
        if let Some(&id) = self.index.get(&op) {
            return id;
        }
        let id = NodeId(u32::try_from(self.nodes.len()).expect("fewer than 2^32 nodes"));
        let (mut axes, mut height) = (AxisSet::default(), 0);
        for operand in op.operands() {
            // whoever makes a node of nodes that are not there is told so when it is compiled
            let operand = operand.0 as usize;
            axes = axes.union(self.axes.get(operand).copied().unwrap_or_default());
            height = height.max(self.heights.get(operand).copied().unwrap_or(0));
        }
        match op {
            Op::Index(axis) | Op::Listed(axis, _) => axes = axes.with(axis),
            Op::Gather(gather) => axes = self.arrays.gather(gather).axes(),
            Op::Sum(axis, _) => {
                axes = axes.without(axis);
                height = height.max(self.arrays.level(axis));
            }
            Op::SumWhere(selection, _) => {
                let selection = self.arrays.selection(selection);
                axes = axes.without(selection.axis);
                if let Some(axis) = selection.at.axis() {
                    axes = axes.with(axis);
                }
                height = height.max(self.arrays.level(selection.axis));
            }
            Op::Array(shape, _) => {
                for &axis in self.arrays.shape(shape).iter() {
                    axes = axes.without(axis);
                }
            }
            _ => {}
        }
        self.axes.push(axes);
        self.heights.push(height);
        self.nodes.push(op);
        self.index.insert(op, id);
        id
    }
    /// The operation of a node.
    pub fn op(&self, id: NodeId) -> Op {
        self.nodes[id.0 as usize]
    }
    /// The axes that a node's value varies along.
    pub fn axes(&self, id: NodeId) -> AxisSet {
        self.axes[id.0 as usize]
    }
    /// The highest level of the axes of sums in a node, 0 without one: the axis of a sum is of a higher level than
    /// those of all sums inside it.
    pub fn height(&self, id: NodeId) -> u8 {
        self.heights[id.0 as usize]
    }
    /// Axes, maps and shapes that nodes name.
    pub fn arrays(&self) -> &Tables {
        &self.arrays
    }
    /// The same, to add to.
    pub(super) fn arrays_mut(&mut self) -> &mut Tables {
        &mut self.arrays
    }
    /// A graph without nodes that knows the same tables, axes, maps and shapes.
    pub fn empty_like(&self) -> Self {
        Self {
            tables: self.tables.clone(),
            arrays: self.arrays.clone(),
            ..Self::default()
        }
    }
    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
    /// Adds a table for [`Op::Table`].
    pub fn add_table(&mut self, table: Arc<PiecewisePolynomial>) -> u32 {
        self.tables.push(table);
        u32::try_from(self.tables.len() - 1).expect("fewer than 2^32 tables")
    }
    /// The tables.
    pub fn tables(&self) -> &[Arc<PiecewisePolynomial>] {
        &self.tables
    }
    /// The nodes that `roots` are computed from, ascending: operands before users.
    pub fn live(&self, roots: &[NodeId]) -> Vec<NodeId> {
        let mut is_live = vec![false; self.len()];
        for root in roots {
            is_live[root.0 as usize] = true;
        }
        for place in (0..self.len()).rev() {
            if is_live[place] {
                for operand in self.nodes[place].operands() {
                    is_live[operand.0 as usize] = true;
                }
            }
        }
        let ids = (0..).map(NodeId);
        let alive = ids.zip(is_live).filter(|&(_, live)| live);
        alive.map(|(id, _)| id).collect()
    }
}
