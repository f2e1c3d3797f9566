//! A linear program: the live part of a graph in an order that keeps few values alive.
//!
//! The nodes that some output needs are put in depth-first order, output by output, operands before users:
//! a value is computed shortly before it is first used, which keeps live ranges short for the register
//! allocation of both backends. Every output is written as soon as its value is known.

use std::sync::Arc;

use super::error::CompileError;
use super::function::{Lengths, MAX_ARRAYS, Output};
use crate::model::graph::{Graph, NodeId, Op};
use crate::model::table::PiecewisePolynomial;

/// Writes a value into a place of an output array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Store {
    /// the value, by its place in [`Program::ops`]
    pub value: u32,
    /// the output array
    pub array: u32,
    /// the place in it
    pub index: u32,
    /// add to what is there
    pub accumulate: bool,
}

/// Operations in the order of their execution; operands are places of earlier operations.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// the operations, each [`NodeId`] a place in this list
    pub ops: Vec<Op>,
    /// the stores, ascending by value: all of a value's follow its computation at once
    pub stores: Vec<Store>,
    /// the tables of the graph
    pub tables: Vec<Arc<PiecewisePolynomial>>,
    /// shortest allowed length of every input array
    pub input_lengths: Vec<usize>,
    /// shortest allowed length of every output array
    pub output_lengths: Vec<usize>,
}

/// The operation with its operands renamed.
pub(super) fn with_operands(op: &Op, rename: impl Fn(NodeId) -> NodeId) -> Op {
    match *op {
        Op::Constant(_) | Op::Input(_) | Op::Index(_) | Op::Listed(..) | Op::Gather(_) => *op,
        Op::Sum(axis, a) => Op::Sum(axis, rename(a)),
        Op::SumWhere(selection, a) => Op::SumWhere(selection, rename(a)),
        Op::Array(shape, a) => Op::Array(shape, rename(a)),
        Op::Add(a, b) => Op::Add(rename(a), rename(b)),
        Op::Sub(a, b) => Op::Sub(rename(a), rename(b)),
        Op::Mul(a, b) => Op::Mul(rename(a), rename(b)),
        Op::Div(a, b) => Op::Div(rename(a), rename(b)),
        Op::Neg(a) => Op::Neg(rename(a)),
        Op::Powi(a, n) => Op::Powi(rename(a), n),
        Op::Unary(f, a) => Op::Unary(f, rename(a)),
        Op::Binary(f, a, b) => Op::Binary(f, rename(a), rename(b)),
        Op::Select {
            comparison,
            left,
            right,
            yes,
            no,
        } => Op::Select {
            comparison,
            left: rename(left),
            right: rename(right),
            yes: rename(yes),
            no: rename(no),
        },
        Op::Table {
            table,
            order,
            at,
            place,
        } => Op::Table {
            table,
            order,
            at: rename(at),
            place: rename(place),
        },
    }
}

/// The place of a node that has none yet.
const UNPLACED: u32 = u32::MAX;

impl Program {
    /// The program that computes the outputs.
    pub fn new(graph: &Graph, outputs: &[Output]) -> Result<Self, CompileError> {
        let mut places = vec![UNPLACED; graph.len()];
        let mut program = Self {
            ops: Vec::new(),
            stores: Vec::new(),
            tables: graph.tables().to_vec(),
            input_lengths: Vec::new(),
            output_lengths: outputs.iter().map(|output| output.length(graph)).collect(),
        };
        for (array, output) in outputs.iter().enumerate() {
            for (k, &node) in output.nodes.iter().enumerate() {
                let index = match &output.places {
                    Some(places) => places[k],
                    None => k as u32 * output.stride,
                };
                if node.0 as usize >= graph.len() {
                    return Err(CompileError::NodeOutOfRange {
                        node: node.0,
                        nodes: graph.len(),
                    });
                }
                // adding nothing is left out: derivatives hold many zeros
                let nothing =
                    matches!(graph.op(node), Op::Constant(bits) if f64::from_bits(bits) == 0.0);
                if output.accumulate && nothing {
                    continue;
                }
                program.place(graph, node, &mut places)?;
                program.stores.push(Store {
                    value: places[node.0 as usize],
                    array: array as u32,
                    index,
                    accumulate: output.accumulate,
                });
            }
        }
        program.stores.sort_by_key(|store| store.value);
        for arrays in [program.input_lengths.len(), program.output_lengths.len()] {
            if arrays > MAX_ARRAYS {
                return Err(CompileError::TooManyArrays {
                    arrays,
                    most: MAX_ARRAYS,
                });
            }
        }
        Ok(program)
    }

    /// Appends a node and whatever it needs, on an explicit stack: graphs may be as deep as they are long.
    fn place(
        &mut self,
        graph: &Graph,
        root: NodeId,
        places: &mut [u32],
    ) -> Result<(), CompileError> {
        let mut stack = vec![(root, 0_usize)];
        while let Some(&mut (node, ref mut next)) = stack.last_mut() {
            if places[node.0 as usize] != UNPLACED {
                stack.pop();
                continue;
            }
            let op = graph.op(node);
            if let Some(operand) = op.operands().nth(*next) {
                *next += 1;
                if operand >= node {
                    return Err(CompileError::NodeOutOfRange {
                        node: operand.0,
                        nodes: node.0 as usize,
                    });
                }
                if places[operand.0 as usize] == UNPLACED {
                    stack.push((operand, 0));
                }
                continue;
            }
            self.check(&op)?;
            places[node.0 as usize] = self.ops.len() as u32;
            self.ops
                .push(with_operands(&op, |id| NodeId(places[id.0 as usize])));
            stack.pop();
        }
        Ok(())
    }

    /// Checks what an operation refers to outside the graph and notes the inputs it reads.
    fn check(&mut self, op: &Op) -> Result<(), CompileError> {
        match *op {
            Op::Input(input) => {
                let group = usize::from(input.group);
                if group >= self.input_lengths.len() {
                    self.input_lengths.resize(group + 1, 0);
                }
                let length = &mut self.input_lengths[group];
                *length = (*length).max(input.index as usize + 1);
            }
            Op::Table { table, .. } => {
                let Some(found) = self.tables.get(table as usize) else {
                    return Err(CompileError::TableOutOfRange {
                        table,
                        tables: self.tables.len(),
                    });
                };
                let (pieces, breaks) = (found.coefficients.len(), found.breaks.len());
                if pieces == 0 || breaks != pieces + 1 {
                    return Err(CompileError::MalformedTable {
                        table,
                        pieces,
                        breaks,
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Where the value of an operation goes.
    pub fn stores_of(&self, place: usize) -> &[Store] {
        let first = self.stores.partition_point(|s| (s.value as usize) < place);
        let count = self.stores[first..].partition_point(|s| s.value as usize == place);
        &self.stores[first..first + count]
    }

    /// What a call of this program must pass.
    pub fn lengths(&self) -> Lengths {
        Lengths::new(&self.input_lengths, &self.output_lengths)
    }

    /// For every operation the last one that reads its value (itself where none does).
    pub fn last_uses(&self) -> Vec<u32> {
        let mut last: Vec<u32> = (0..self.ops.len() as u32).collect();
        for (user, op) in self.ops.iter().enumerate() {
            for operand in op.operands() {
                last[operand.0 as usize] = user as u32;
            }
        }
        last
    }
}
