//! The Jacobian of a function with arrays: its non-zeros as arrays of values, with their rows and columns.
//!
//! Where y is computed from the element that a map e reads, dy/de is one expression with a value at each place on the
//! axes of y, and, where e is read in a sum, on the axis of the sum: the values are arrays again, computed by loops. The
//! maps say in which column each value stands. Where maps meet, at clamped ends for one, values in one place add up.

use std::collections::HashMap;

use super::arrays::{Axis, AxisSet, MOST_AXES};
use super::derivative::{dependents, tangent};
use super::graph::{Graph, NodeId, Op};

/// Non-zeros of a Jacobian.
#[derive(Debug, Clone, Default)]
pub struct ArrayJacobian {
    /// roots that hold the values
    pub values: Vec<NodeId>,
    /// row and column of each value, in the order of the roots' numbers; `None` where a map leads outside
    pub places: Vec<Option<(usize, usize)>>,
}

/// The Jacobian of `outputs` in the numbers of an input.
pub fn array_jacobian(graph: &mut Graph, outputs: &[NodeId], group: u16) -> ArrayJacobian {
    let live = graph.live(outputs);
    let variables: Vec<NodeId> = live
        .into_iter()
        .filter(|&id| match graph.op(id) {
            Op::Input(input) => input.group == group,
            Op::Gather(gather) => graph.arrays().gather(gather).group == group,
            _ => false,
        })
        .collect();
    let order = dependents(graph, outputs, variables.iter().copied());
    let one = graph.constant(1.0);
    // by node: its derivatives in the variables that it depends on
    let mut rows: HashMap<NodeId, Vec<(NodeId, NodeId)>> =
        variables.iter().map(|&id| (id, vec![(id, one)])).collect();
    for id in order {
        if rows.contains_key(&id) {
            continue;
        }
        let row = match graph.op(id) {
            Op::Array(_, values) => rows.get(&values).cloned().unwrap_or_default(),
            Op::Sum(axis, values) => {
                let terms = rows.get(&values).cloned().unwrap_or_default();
                let summed = |(variable, value): (NodeId, NodeId)| {
                    // each term has its own variable, or all have the same
                    if graph.axes(variable).contains(axis) {
                        (variable, value)
                    } else {
                        (variable, graph.sum(axis, value))
                    }
                };
                terms.into_iter().map(summed).collect()
            }
            op => {
                let mut found: Vec<NodeId> = op
                    .operands()
                    .filter_map(|operand| rows.get(&operand))
                    .flatten()
                    .map(|&(variable, _)| variable)
                    .collect();
                found.sort_unstable();
                found.dedup();
                let derivative = |variable: NodeId| {
                    let of = |operand: NodeId| {
                        let row = rows.get(&operand)?;
                        let entry = row.iter().find(|(own, _)| *own == variable)?;
                        Some(entry.1)
                    };
                    tangent(graph, id, of).map(|value| (variable, value))
                };
                found.into_iter().filter_map(derivative).collect()
            }
        };
        rows.insert(id, row);
    }
    let mut jacobian = ArrayJacobian::default();
    let mut first = 0;
    for &output in outputs {
        for &(variable, value) in rows.get(&output).map_or(&[][..], Vec::as_slice) {
            if graph.constant_value(value) != Some(0.0) {
                jacobian.block(graph, (output, first), variable, value);
            }
        }
        first += graph.size(output);
    }
    jacobian
}

impl ArrayJacobian {
    /// Adds the derivatives of one output, whose first row is `first`, through one variable.
    fn block(
        &mut self,
        graph: &mut Graph,
        (output, first): (NodeId, usize),
        variable: NodeId,
        value: NodeId,
    ) {
        let mut axes: Vec<Axis> = match graph.op(output) {
            Op::Array(shape, _) => graph.arrays().shape(shape).to_vec(),
            _ => Vec::new(),
        };
        let written = axes.len();
        let own: AxisSet = axes.iter().copied().collect();
        axes.extend(graph.axes(variable).difference(own).iter());
        let root = graph.array(&axes, value);
        self.values.push(root);

        let extents: Vec<u32> = axes
            .iter()
            .map(|&axis| graph.arrays().extent(axis))
            .collect();
        let mut on = [0_u32; MOST_AXES];
        for _ in 0..graph.size(root) {
            let column = match graph.op(variable) {
                Op::Gather(gather) => {
                    let gather = graph.arrays().gather(gather);
                    gather.place(|axis| on[usize::from(axis.0)])
                }
                Op::Input(input) => Some(input.index),
                _ => None,
            };
            let row = axes[..written]
                .iter()
                .zip(&extents)
                .fold(0, |row, (axis, &extent)| {
                    row * extent as usize + on[usize::from(axis.0)] as usize
                });
            self.places
                .push(column.map(|column| (first + row, column as usize)));
            for (axis, &extent) in axes.iter().zip(&extents).rev() {
                let place = &mut on[usize::from(axis.0)];
                *place += 1;
                if *place < extent {
                    break;
                }
                *place = 0;
            }
        }
    }
}
