//! What of f depends on parameters alone, found so that it is computed once a solve and not in every evaluation.
//!
//! In x' = exp(-E / (R T)) x + (k_1 + k_2) y neither factor moves along a run. Each becomes a **prepared value**, a
//! parameter behind the model's own, of which f and all its derivatives are written; the values themselves, and the way
//! back of their cotangents, are one function of the parameters.
//!
//! Prepared are the largest such expressions. Those of arrays are arrays; where one would have far more elements than the parameters it is made
//! of, as the outer product of two of them, it is prepared only if it is much work.

use std::collections::{HashMap, HashSet};

use super::arrays::{At, Axis, Block, Edge, Use};
use super::graph::{Graph, NodeId, Op, PARAMETERS};

/// Operations from which a value is prepared: less is done sooner than loaded.
const LEAST_WORK: usize = 2;
/// Operations an element from which there may be more elements than parameters.
const MUCH_WORK: usize = 12;
/// Most elements of a prepared array.
const MOST_ELEMENTS: usize = 1 << 22;

/// A function with its prepared values.
#[derive(Debug)]
pub struct Prepared {
    /// holds both
    pub graph: Graph,
    /// the function, which reads prepared values as parameters behind those of the model
    pub roots: Vec<NodeId>,
    /// the prepared values, in that order, of the model's parameters
    pub values: Vec<NodeId>,
}

/// Takes what depends on the `parameters` alone out of `roots`.
pub fn prepare(graph: Graph, roots: Vec<NodeId>, parameters: usize) -> Prepared {
    let (graph, roots) = by_reciprocals(graph, roots);
    let live = graph.live(&roots);
    let chosen = Fixed::of(&graph, &live).chosen(&graph, &live, &roots);
    if chosen.is_empty() {
        return Prepared {
            graph,
            roots,
            values: Vec::new(),
        };
    }
    let (mut new, graph) = (graph.clone(), &graph);
    let mut values = Vec::new();
    let mut places: HashMap<NodeId, (u32, Vec<u32>)> = HashMap::new();
    let mut elements: HashMap<NodeId, NodeId> = HashMap::new();
    let mut end = parameters as u32;
    for id in chosen {
        let axes = in_order(graph, id);
        let extents: Vec<u32> = axes.iter().map(|&a| graph.arrays().extent(a)).collect();
        let Some(root) = array_of(&mut new, id, &axes, &extents) else {
            continue;
        };
        let (base, extents) = places.entry(root).or_insert_with(|| {
            values.push(root);
            let base = end;
            end += extents.iter().product::<u32>();
            (base, extents)
        });
        let element = match axes.is_empty() {
            true => new.input(PARAMETERS, *base),
            false => {
                let block = Block {
                    group: PARAMETERS,
                    base: *base,
                    extents: extents.clone(),
                };
                new.declare(block.clone());
                new.element(&block, &axes)
            }
        };
        elements.insert(id, element);
    }
    let mut renamed: HashMap<NodeId, NodeId> = HashMap::with_capacity(live.len());
    for &id in &live {
        let made = match elements.get(&id) {
            Some(&element) => element,
            None => new.rebuilt(graph.op(id), |operand| renamed[&operand]),
        };
        renamed.insert(id, made);
    }
    Prepared {
        roots: roots.iter().map(|root| renamed[root]).collect(),
        graph: new,
        values,
    }
}

/// The same, but that what moves is not divided by parameters: it is multiplied by their reciprocal, which does not move.
fn by_reciprocals(graph: Graph, roots: Vec<NodeId>) -> (Graph, Vec<NodeId>) {
    let live = graph.live(&roots);
    let fixed = Fixed::of(&graph, &live);
    let kind = |id: NodeId| fixed.0[&id].kind;
    let divides = |op| match op {
        Op::Div(a, b) => kind(a) == Kind::Moving && kind(b) == Kind::Parameters,
        _ => false,
    };
    if !live.iter().any(|&id| divides(graph.op(id))) {
        return (graph, roots);
    }
    let mut new = graph.clone();
    let mut renamed: HashMap<NodeId, NodeId> = HashMap::with_capacity(live.len());
    for &id in &live {
        let made = match graph.op(id) {
            op @ Op::Div(a, b) if divides(op) => {
                let one = new.constant(1.0);
                let reciprocal = new.div(one, renamed[&b]);
                new.mul(renamed[&a], reciprocal)
            }
            op => new.rebuilt(op, |operand| renamed[&operand]),
        };
        renamed.insert(id, made);
    }
    let roots = roots.iter().map(|root| renamed[root]).collect();
    (new, roots)
}

/// The axes of a value: dimensions first, then those of sums, outer ones first.
fn in_order(graph: &Graph, id: NodeId) -> Vec<Axis> {
    let mut axes: Vec<Axis> = graph.axes(id).iter().collect();
    axes.sort_by_key(|&axis| match graph.arrays().used(axis) {
        Use::Dimension(k) => (0, k),
        Use::Sum(level) => (1, u8::MAX - level),
        Use::Open(depth) => (2, depth),
    });
    axes
}

/// All elements of a value as an array of its own; `None` where the graph has no axes left.
fn array_of(graph: &mut Graph, id: NodeId, axes: &[Axis], extents: &[u32]) -> Option<NodeId> {
    let dimensions = graph.dimension_axes(extents)?;
    let mut value = id;
    // a dimension comes no later among them than it was, so that none is put where another still is
    for (&from, &to) in axes.iter().zip(&dimensions) {
        let at = At::Along {
            axis: to,
            shift: 0,
            edge: Edge::Periodic,
        };
        value = graph.substitute(value, from, at);
    }
    Some(graph.array(&dimensions, value))
}

/// What nodes are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// numbers and places alone
    Numbers,
    /// parameters, too
    Parameters,
    /// what moves along a run
    Moving,
}

/// What is known of a node.
#[derive(Debug, Clone, Copy)]
struct Known {
    kind: Kind,
    /// operations an element
    work: usize,
    /// elements of the largest array of parameters in it
    elements: usize,
}

/// What is known of the live nodes.
struct Fixed(HashMap<NodeId, Known>);

impl Fixed {
    fn of(graph: &Graph, live: &[NodeId]) -> Self {
        let mut all: HashMap<NodeId, Known> = HashMap::with_capacity(live.len());
        for &id in live {
            let op = graph.op(id);
            let parameters = |group| match group {
                PARAMETERS => Kind::Parameters,
                _ => Kind::Moving,
            };
            let mut known = Known {
                kind: Kind::Numbers,
                work: 0,
                elements: 1,
            };
            match op {
                Op::Input(input) => known.kind = parameters(input.group),
                Op::Gather(gather) => {
                    let gather = graph.arrays().gather(gather);
                    known.kind = parameters(gather.group);
                    let extents = gather.dimensions.iter().map(|d| d.extent as usize);
                    known.elements = extents.product();
                }
                // the whole of an output, no value
                Op::Array(..) => known.kind = Kind::Moving,
                _ => {}
            }
            for operand in op.operands() {
                let of = all[&operand];
                known.kind = known.kind.max(of.kind);
                known.elements = known.elements.max(of.elements);
                known.work = known.work.saturating_add(of.work);
            }
            let terms = match op {
                Op::Sum(axis, _) => graph.arrays().extent(axis) as usize,
                Op::SumWhere(selection, _) => graph.arrays().places_of_one(selection),
                _ => 1,
            };
            known.work = known.work.saturating_add(op.work()).saturating_mul(terms);
            all.insert(id, known);
        }
        Self(all)
    }

    /// The values to prepare, ascending.
    fn chosen(&self, graph: &Graph, live: &[NodeId], roots: &[NodeId]) -> Vec<NodeId> {
        let mut wanted: HashSet<NodeId> = roots.iter().copied().collect();
        let mut chosen = Vec::new();
        for &id in live.iter().rev() {
            if !wanted.contains(&id) {
                continue;
            }
            if self.is_worth(graph, id) {
                chosen.push(id);
            } else {
                wanted.extend(graph.op(id).operands());
            }
        }
        chosen.reverse();
        chosen
    }

    fn is_worth(&self, graph: &Graph, id: NodeId) -> bool {
        let known = self.0[&id];
        let extents = graph.axes(id).iter().map(|a| graph.arrays().extent(a));
        let elements = extents.fold(1_usize, |all, e| all.saturating_mul(e as usize));
        known.kind == Kind::Parameters
            && known.work >= LEAST_WORK
            && elements <= MOST_ELEMENTS
            && (elements <= known.elements || known.work >= MUCH_WORK)
    }
}
