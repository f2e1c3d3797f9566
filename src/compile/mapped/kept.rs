//! Values that loops would compute again and again, computed once before them.
//!
//! A value is computed in the innermost loop whose axis it varies along, so once more for each place of every loop
//! around that one whose axis it does not vary along: a layer of a network once for each unit of the next, a column's
//! profile once a row. Where that is much work, the value is an array of its own, which a loop nest before the others
//! computes and the others read.

use std::collections::{HashMap, HashSet};

use crate::model::arrays::{At, Axis, Dimension, Edge, Gather};
use crate::model::graph::{Graph, NodeId, Op};

use super::nest::SHARED;

/// Work from which a value is kept, in operations: a value that is kept is stored and loaded.
const LEAST_WORK: usize = 12;
/// Most elements of an array that is kept: beyond, memory would be what takes the time.
const MOST_ELEMENTS: usize = 1 << 22;

/// The values to keep, and the axes of each.
pub(super) fn values(graph: &Graph, roots: &[NodeId]) -> HashMap<NodeId, Vec<Axis>> {
    let mut search = Search {
        graph,
        work: HashMap::new(),
        seen: HashSet::new(),
        kept: HashMap::new(),
    };
    let mut nests: Vec<(NodeId, Vec<Axis>)> = roots
        .iter()
        .map(|&root| match graph.op(root) {
            Op::Array(shape, value) => (value, graph.arrays().shape(shape).to_vec()),
            _ => (root, Vec::new()),
        })
        .collect();
    while let Some((value, axes)) = nests.pop() {
        search.visit(value, axes, &mut nests);
    }
    search.kept
}

/// The map to the elements of a kept value that stands at `base` among the shared numbers.
pub(super) fn element(graph: &Graph, axes: &[Axis], base: u32) -> Gather {
    let mut stride = 1;
    let mut dimensions: Vec<Dimension> = axes
        .iter()
        .rev()
        .map(|&axis| {
            let extent = graph.arrays().extent(axis);
            let dimension = Dimension {
                extent,
                stride,
                at: along(axis),
            };
            stride *= extent;
            dimension
        })
        .collect();
    dimensions.reverse();
    Gather {
        group: SHARED,
        base,
        dimensions,
    }
}

fn along(axis: Axis) -> At {
    At::Along {
        axis,
        shift: 0,
        edge: Edge::Periodic,
    }
}

struct Search<'a> {
    graph: &'a Graph,
    /// operations that a value takes where it is computed, by node
    work: HashMap<NodeId, usize>,
    seen: HashSet<(NodeId, Vec<Axis>)>,
    kept: HashMap<NodeId, Vec<Axis>>,
}

impl Search<'_> {
    /// Looks at a value inside open loops, outermost first, and all it is computed from.
    fn visit(&mut self, value: NodeId, open: Vec<Axis>, nests: &mut Vec<(NodeId, Vec<Axis>)>) {
        let mut stack = vec![(value, open)];
        while let Some((id, mut open)) = stack.pop() {
            let axes = self.graph.axes(id);
            // what is inside loops that matter to it alone is found in the same way whatever loops are inside them
            let innermost = open.iter().rposition(|&axis| axes.contains(axis));
            open.truncate(innermost.map_or(0, |k| k + 1));
            if !self.seen.insert((id, open.clone())) {
                continue;
            }
            let again = open.iter().filter(|&&axis| !axes.contains(axis));
            let again: usize = again
                .map(|&a| self.graph.arrays().extent(a) as usize)
                .product();
            if self.kept.contains_key(&id) {
                continue;
            }
            if again > 1 && self.work(id) >= LEAST_WORK {
                let own: Vec<Axis> = open.iter().copied().filter(|&a| axes.contains(a)).collect();
                let size = own.iter().map(|&a| self.graph.arrays().extent(a) as usize);
                if size.fold(1, usize::saturating_mul) <= MOST_ELEMENTS {
                    self.kept.insert(id, own.clone());
                    nests.push((id, own));
                    continue;
                }
            }
            match self.graph.op(id) {
                Op::Sum(axis, terms) => {
                    open.push(axis);
                    stack.push((terms, open));
                }
                Op::SumWhere(selection, terms) => {
                    // over the loop of its element, each place is gone through about once
                    let selection = self.graph.arrays().selection(selection);
                    open.retain(|&axis| selection.at != along(axis));
                    open.push(selection.axis);
                    stack.push((terms, open));
                }
                op => stack.extend(op.operands().map(|operand| (operand, open.clone()))),
            }
        }
    }

    /// Operations that a value takes, those outside all loops not counted.
    fn work(&mut self, id: NodeId) -> usize {
        for id in self.graph.live(&[id]) {
            if self.work.contains_key(&id) {
                continue;
            }
            let op = self.graph.op(id);
            let below = |work: &HashMap<NodeId, usize>| {
                op.operands()
                    .map(|operand| work[&operand])
                    .fold(0, usize::saturating_add)
            };
            let work = match op {
                _ if self.graph.axes(id).is_empty() => 0,
                Op::Sum(axis, _) => (self.graph.arrays().extent(axis) as usize)
                    .saturating_mul(below(&self.work) + 1),
                Op::SumWhere(selection, _) => (self.graph.arrays().places_of_one(selection))
                    .saturating_mul(below(&self.work) + 1),
                op => below(&self.work).saturating_add(op.work()),
            };
            self.work.insert(id, work);
        }
        self.work[&id]
    }
}
