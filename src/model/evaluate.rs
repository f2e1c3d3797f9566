//! What a graph means: the plain evaluation of its nodes, over any scalar.
//!
//! Compiled code is faster and is tested against this.

use costate_solvers::Scalar;

use super::algebra::{binary_value, unary_value};
use super::graph::{Graph, NodeId, Op};

/// Values of `outputs`, the inputs being `groups[group][index]` (NaN where that is absent).
pub fn evaluate<S: Scalar>(graph: &Graph, outputs: &[NodeId], groups: &[&[S]]) -> Vec<S> {
    let count = outputs
        .iter()
        .map(|id| id.0 as usize + 1)
        .max()
        .unwrap_or(0);
    let mut needed = vec![false; count];
    for &output in outputs {
        needed[output.0 as usize] = true;
    }
    for k in (0..count).rev() {
        if needed[k] {
            for operand in graph.op(node(k)).operands() {
                needed[operand.0 as usize] = true;
            }
        }
    }
    let mut values: Vec<S> = Vec::with_capacity(count);
    for (k, needed) in needed.into_iter().enumerate() {
        let at = |id: NodeId| values[id.0 as usize];
        let value = if needed {
            match graph.op(node(k)) {
                Op::Constant(bits) => S::from(f64::from_bits(bits)),
                Op::Input(input) => groups
                    .get(usize::from(input.group))
                    .and_then(|group| group.get(input.index as usize))
                    .copied()
                    .unwrap_or_else(|| S::from(f64::NAN)),
                Op::Add(a, b) => at(a) + at(b),
                Op::Sub(a, b) => at(a) - at(b),
                Op::Mul(a, b) => at(a) * at(b),
                Op::Div(a, b) => at(a) / at(b),
                Op::Neg(a) => -at(a),
                Op::Powi(a, n) => at(a).powi(n),
                Op::Unary(function, a) => unary_value(function, at(a)),
                Op::Binary(function, a, b) => binary_value(function, at(a), at(b)),
                Op::Select {
                    comparison,
                    left,
                    right,
                    yes,
                    no,
                } => S::select(comparison, at(left), at(right), at(yes), at(no)),
                Op::Table {
                    table,
                    order,
                    at: argument,
                    place,
                } => {
                    graph.tables()[table as usize].evaluate(order, at(argument), at(place).value())
                }
                // one number a node: whoever has arrays unrolls them first
                Op::Index(_)
                | Op::Listed(..)
                | Op::Gather(_)
                | Op::Sum(..)
                | Op::SumWhere(..)
                | Op::Array(..) => S::from(f64::NAN),
            }
        } else {
            S::from(0.0)
        };
        values.push(value);
    }
    outputs.iter().map(|id| values[id.0 as usize]).collect()
}

fn node(k: usize) -> NodeId {
    NodeId(u32::try_from(k).expect("an index below one that is u32"))
}
