//! Arrays written out element by element: the same numbers by the same operations, one node each.
//!
//! For few elements straight-line code is faster than loops, and every part of the house takes it.

use std::collections::HashMap;
use std::sync::Arc;

use super::arrays::Axis;
use super::graph::{Graph, InputId, NodeId, Op};
use super::lists::Selection;

impl Graph {
    /// Whether what `roots` are computed from has arrays.
    pub fn has_arrays(&self, roots: &[NodeId]) -> bool {
        !self.arrays().is_empty()
            && self.live(roots).into_iter().any(|id| {
                matches!(
                    self.op(id),
                    Op::Array(..)
                        | Op::Gather(_)
                        | Op::Sum(..)
                        | Op::SumWhere(..)
                        | Op::Index(_)
                        | Op::Listed(..)
                )
            })
    }

    /// About how many operations there are once arrays are written out: each node counts once for each place on its
    /// axes.
    pub fn unrolled_size(&self, roots: &[NodeId]) -> usize {
        let live = self.live(roots);
        let places = |id: NodeId| -> usize {
            let extent = |axis| self.arrays().extent(axis) as usize;
            match self.op(id) {
                Op::Constant(_)
                | Op::Input(_)
                | Op::Index(_)
                | Op::Listed(..)
                | Op::Gather(_)
                | Op::Array(..) => 0,
                Op::Sum(axis, _) => self.axes(id).with(axis).iter().map(extent).product(),
                Op::SumWhere(selection, _) => {
                    let places: usize = self.axes(id).iter().map(extent).product();
                    places.saturating_mul(self.arrays().places_of_one(selection))
                }
                _ => self.axes(id).iter().map(extent).product(),
            }
        };
        live.into_iter().map(places).fold(0, usize::saturating_add)
    }
}

/// Operations up to which arrays are better written out: straight-line code keeps values in registers, and its
/// compilation takes milliseconds.
const FEWEST: usize = 1000;

/// The same function, its arrays written out where they are small.
pub fn unroll_small(graph: &Arc<Graph>, roots: Vec<NodeId>) -> (Arc<Graph>, Vec<NodeId>) {
    if graph.has_arrays(&roots)
        && graph.total_size(&roots) <= FEWEST
        && graph.unrolled_size(&roots) <= FEWEST
    {
        let (plain, roots) = unroll(graph, &roots);
        return (Arc::new(plain), roots);
    }
    (Arc::clone(graph), roots)
}

/// A graph without arrays, and a root in it for each number that `roots` stand for.
pub fn unroll(graph: &Graph, roots: &[NodeId]) -> (Graph, Vec<NodeId>) {
    let mut unrolling = Unrolling {
        from: graph,
        to: {
            let mut to = Graph::new();
            for table in graph.tables() {
                to.add_table(Arc::clone(table));
            }
            to
        },
        known: HashMap::new(),
        places: vec![0; super::arrays::MOST_AXES],
    };
    let mut made = Vec::with_capacity(graph.total_size(roots));
    for &root in roots {
        match graph.op(root) {
            Op::Array(shape, values) => {
                let axes = graph.arrays().shape(shape).to_vec();
                let extents: Vec<u32> = axes.iter().map(|&a| graph.arrays().extent(a)).collect();
                for k in 0..graph.arrays().size(shape) {
                    let mut rest = k;
                    for (&axis, &extent) in axes.iter().zip(&extents).rev() {
                        unrolling.places[usize::from(axis.0)] = (rest % extent as usize) as u32;
                        rest /= extent as usize;
                    }
                    made.push(unrolling.at(values));
                }
            }
            _ => made.push(unrolling.at(root)),
        }
    }
    (unrolling.to, made)
}

struct Unrolling<'a> {
    from: &'a Graph,
    to: Graph,
    /// by node and the places on its axes
    known: HashMap<(NodeId, Vec<u32>), NodeId>,
    places: Vec<u32>,
}

impl Unrolling<'_> {
    fn place(&self, axis: Axis) -> u32 {
        self.places[usize::from(axis.0)]
    }

    fn key(&self, id: NodeId) -> (NodeId, Vec<u32>) {
        let axes = self.from.axes(id).iter();
        (id, axes.map(|axis| self.place(axis)).collect())
    }

    /// The node at the present places: what it needs first, on an explicit stack but for sums.
    fn at(&mut self, root: NodeId) -> NodeId {
        let mut stack = vec![root];
        while let Some(&id) = stack.last() {
            let key = self.key(id);
            if self.known.contains_key(&key) {
                stack.pop();
                continue;
            }
            let op = self.from.op(id);
            let new = match op {
                Op::Index(axis) => {
                    let place = f64::from(self.place(axis)) + 1.0;
                    self.to.constant(place)
                }
                Op::Listed(axis, list) => {
                    let element = self.from.arrays().list(list)[self.place(axis) as usize];
                    self.to.constant(f64::from(element) + 1.0)
                }
                Op::Gather(gather) => {
                    let gather = self.from.arrays().gather(gather);
                    match self.from.arrays().place(gather, |axis| self.place(axis)) {
                        Some(index) => self.to.intern(Op::Input(InputId {
                            group: gather.group,
                            index,
                        })),
                        None => self.to.constant(0.0),
                    }
                }
                Op::Sum(axis, values) => self.sum(axis, 0..self.from.arrays().extent(axis), values),
                Op::SumWhere(id, values) => {
                    let tables = self.from.arrays();
                    let Selection {
                        axis, count, at, ..
                    } = tables.selection(id);
                    let groups = Arc::clone(tables.groups(id));
                    let element = tables.position(at, count, |axis| self.place(axis));
                    let places = element.map_or(&[][..], |element| groups.of(element));
                    self.sum(axis, places.iter().copied(), values)
                }
                op => {
                    let missing: Vec<NodeId> = op
                        .operands()
                        .filter(|&operand| !self.known.contains_key(&self.key(operand)))
                        .collect();
                    if !missing.is_empty() {
                        stack.extend(missing);
                        continue;
                    }
                    let operands: HashMap<NodeId, NodeId> = op
                        .operands()
                        .map(|operand| (operand, self.known[&self.key(operand)]))
                        .collect();
                    self.to.rebuilt(op, |operand| operands[&operand])
                }
            };
            self.known.insert(key, new);
            stack.pop();
        }
        self.known[&self.key(root)]
    }

    fn sum(&mut self, axis: Axis, places: impl Iterator<Item = u32>, values: NodeId) -> NodeId {
        let before = self.place(axis);
        // in four parts, as loops add
        let mut parts = [self.to.constant(0.0); 4];
        for (k, place) in places.enumerate() {
            self.places[usize::from(axis.0)] = place;
            let term = self.at(values);
            let part = &mut parts[k % 4];
            *part = self.to.add(*part, term);
        }
        self.places[usize::from(axis.0)] = before;
        let [a, b] = [0, 1].map(|k| self.to.add(parts[k], parts[k + 2]));
        self.to.add(a, b)
    }
}
