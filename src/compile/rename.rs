//! Copies of the live part of a graph that read other inputs: operations are kept as they are, so values are too.

use std::collections::HashMap;

use super::program::with_operands;
use crate::model::graph::{Graph, InputId, NodeId, Op};

/// A copy of what some nodes are computed from.
pub(super) struct Copy {
    /// the copy
    pub graph: Graph,
    /// where each live node went
    pub renamed: HashMap<NodeId, NodeId>,
    /// the inputs read, by their new names
    pub inputs: Vec<(NodeId, InputId)>,
}

impl Copy {
    /// Copies what `roots`, which exist, are computed from, with every input renamed; `None` where an input has
    /// no new name.
    pub fn new(
        graph: &Graph,
        roots: &[NodeId],
        rename: impl Fn(InputId) -> Option<InputId>,
    ) -> Option<Self> {
        let live = graph.live(roots);
        let mut copy = Self {
            graph: graph.empty_like(),
            renamed: HashMap::with_capacity(live.len()),
            inputs: Vec::new(),
        };
        for id in live {
            let old = graph.op(id);
            let op = match old {
                Op::Input(input) => Op::Input(rename(input)?),
                op => with_operands(&op, |operand| copy.name(operand)),
            };
            let new = copy.graph.intern(op);
            if let Op::Input(input) = op {
                copy.inputs.push((new, input));
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
