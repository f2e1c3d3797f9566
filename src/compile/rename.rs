//! Copies of the live part of a graph that read other inputs: operations are kept as they are, so values are too.

use std::collections::HashMap;

use super::program::with_operands;
use crate::model::arrays::Gather;
use crate::model::graph::{Graph, InputId, NodeId, Op};

/// A copy of what some nodes are computed from, whose inputs stand `stride` numbers apart.
pub(super) struct Copy {
    /// the copy
    pub graph: Graph,
    /// where each live node went
    pub renamed: HashMap<NodeId, NodeId>,
    /// the nodes that read inputs, in the copy
    pub inputs: Vec<NodeId>,
}

impl Copy {
    /// Copies what `roots`, which exist, are computed from; `None` where a place in an input has no number.
    pub fn new(graph: &Graph, roots: &[NodeId], stride: u32) -> Option<Self> {
        let live = graph.live(roots);
        let mut copy = Self {
            graph: graph.empty_like(),
            renamed: HashMap::with_capacity(live.len()),
            inputs: Vec::new(),
        };
        for id in live {
            let new = match graph.op(id) {
                Op::Input(InputId { group, index }) => {
                    let index = index.checked_mul(stride)?;
                    copy.graph.intern(Op::Input(InputId { group, index }))
                }
                Op::Gather(gather) => {
                    let mut gather = Gather::clone(graph.arrays().gather(gather));
                    gather.end().checked_mul(stride)?;
                    gather.base *= stride;
                    for dimension in &mut gather.dimensions {
                        dimension.stride *= stride;
                    }
                    copy.graph.gather(gather)
                }
                op => {
                    let op = with_operands(&op, |operand| copy.name(operand));
                    copy.graph.intern(op)
                }
            };
            if matches!(graph.op(id), Op::Input(_) | Op::Gather(_)) {
                copy.inputs.push(new);
            }
            copy.renamed.insert(id, new);
        }
        Some(copy)
    }

    /// The copy of a node; of one that is not live, itself.
    pub fn name(&self, id: NodeId) -> NodeId {
        self.renamed.get(&id).copied().unwrap_or(id)
    }
}
