//! Loops over the places of arrays, put in order: what is computed before which loop.
//!
//! A nest has one loop for each axis of the arrays it writes. A value is computed in the innermost loop whose axis it
//! varies along, no deeper: what depends on the row alone is computed once a row. A sum is a loop of its own at the
//! depth of its value; sums along one axis at one depth share it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::compile::program::with_operands;
use crate::model::arrays::{At, Axis, Edge, Gather};
use crate::model::graph::{Graph, InputId, NodeId, Op};
use crate::model::lists::{Groups, OUTSIDE, Selection, SelectionId, moved};
use crate::model::table::PiecewisePolynomial;

/// What a root of a function is written to.
#[derive(Debug, Clone, Copy)]
pub(in crate::compile) struct Target {
    /// the value, by its register
    pub value: u32,
    /// the output array; [`SHARED`] for numbers that later stages read
    pub array: u32,
    /// place of the first element
    pub base: u32,
    /// from one element to the next
    pub stride: u32,
    /// add to what is there
    pub accumulate: bool,
}

/// The array of numbers that later stages read.
pub(in crate::compile) const SHARED: u16 = 11;

/// One step: operands, and what it computes, are registers.
#[derive(Debug, Clone)]
pub(in crate::compile) enum Step {
    /// an operation, or a constant or an input
    Compute { to: u32, op: Op },
    /// the place on an axis, from 1
    Index { to: u32, slot: usize },
    /// the element that a list sends the place on an axis to, from 1
    Listed {
        to: u32,
        slot: usize,
        list: Arc<[u32]>,
    },
    /// an element of an array
    Load { to: u32, from: Element },
    /// sums along one axis
    Sum(Box<SumLoop>),
}

/// A loop that adds.
#[derive(Debug, Clone)]
pub(in crate::compile) struct SumLoop {
    /// the slot of its place
    pub slot: usize,
    /// places of its axis
    pub extent: u32,
    /// of which those that are summed; `None`: all
    pub among: Option<Among>,
    /// what computes the terms
    pub steps: Vec<Step>,
    /// the sum, and its term; the three registers after the sum's hold parts of it
    pub terms: Vec<(u32, u32)>,
}

impl SumLoop {
    /// About how many terms there are.
    pub fn usual(&self) -> usize {
        let elements = match &self.among {
            Some(among) => among.groups.starts.len() - 1,
            None => 1,
        };
        (self.extent as usize).div_ceil(elements.max(1))
    }
}

/// Places of an axis that a list sends to one element.
#[derive(Debug, Clone)]
pub(in crate::compile) struct Among {
    /// the places by element
    pub groups: Arc<Groups>,
    /// the element: where it is fixed, that
    pub base: u32,
    /// where it is not, how it follows a place
    pub follow: Option<Follow>,
}

/// Parts of a sum: the term number k is added to part k modulo this. Four additions run at a time, and lanes are parts.
pub(in crate::compile) const PARTS: usize = 4;

/// An element of an input, found from the slots of places.
#[derive(Debug, Clone)]
pub(in crate::compile) struct Element {
    /// the input
    pub group: u16,
    /// the first element
    pub base: u32,
    /// along each dimension that follows an axis
    pub follows: Vec<Follow>,
}

/// How an element follows a place.
#[derive(Debug, Clone)]
pub(in crate::compile) struct Follow {
    /// the slot of the place
    pub slot: usize,
    /// elements along the dimension
    pub extent: u32,
    /// places on the axis
    pub places: u32,
    /// from one to the next
    pub stride: u32,
    /// which element
    pub by: By,
}

/// The rule by which an element follows a place.
#[derive(Debug, Clone)]
pub(in crate::compile) enum By {
    /// the place, moved; what stands outside
    Shift(i32, Edge),
    /// what a list has for it
    List(Arc<[u32]>),
}

impl Follow {
    /// The element along this dimension; `None`: 0.
    pub fn position(&self, place: u32) -> Option<u32> {
        match &self.by {
            By::Shift(0, Edge::Periodic) if place < self.extent => Some(place),
            By::Shift(shift, edge) => moved(i64::from(place), *shift, *edge, self.extent),
            By::List(list) => {
                let element = list[place as usize];
                (element != OUTSIDE).then_some(element)
            }
        }
    }
}

/// Loops and what they compute.
#[derive(Debug, Clone)]
pub(in crate::compile) struct Nest {
    /// lengths of the loops, outermost first
    pub extents: Vec<u32>,
    /// what is computed before the first loop, inside the first, inside the second, ...
    pub levels: Vec<Vec<Step>>,
    /// what is written in the innermost loop
    pub targets: Vec<Target>,
    /// number of registers
    pub registers: usize,
    /// number of slots of places
    pub slots: usize,
    /// operations in the innermost loop
    pub weight: usize,
    /// the tables of the graph
    pub tables: Vec<Arc<PiecewisePolynomial>>,
}

/// A value to be written along the axes of a nest.
#[derive(Debug, Clone, Copy)]
pub(in crate::compile) struct Write {
    pub value: NodeId,
    pub array: u32,
    pub base: u32,
    pub stride: u32,
    pub accumulate: bool,
}

impl Nest {
    /// The loops along `axes` that compute and write values. `input` says where a number is read that varies along no
    /// axis and is no constant; `kept` where one is that varies along some and was computed before.
    pub fn new(
        graph: &Graph,
        axes: &[Axis],
        writes: &[Write],
        input: impl Fn(NodeId) -> InputId,
        kept: impl Fn(NodeId) -> Option<Gather>,
    ) -> Self {
        let mut builder = Builder {
            graph,
            input: &input,
            kept: &kept,
            scopes: vec![Scope::default()],
            own: match axes {
                [] => writes.iter().map(|write| write.value).collect(),
                _ => HashSet::new(),
            },
            registers: 0,
            open: axes.len(),
            slots: axes.len(),
        };
        for (slot, &axis) in axes.iter().enumerate() {
            builder.scopes.push(Scope {
                axis: Some((axis, slot)),
                ..Scope::default()
            });
        }
        let mut needed: Vec<NodeId> = writes.iter().map(|write| write.value).collect();
        needed.sort_unstable();
        needed.dedup();
        builder.schedule(&needed);
        let targets = writes
            .iter()
            .map(|write| Target {
                value: builder.register(write.value),
                array: write.array,
                base: write.base,
                stride: write.stride,
                accumulate: write.accumulate,
            })
            .collect();
        let levels: Vec<Vec<Step>> = builder.scopes.into_iter().map(|s| s.steps).collect();
        Self {
            extents: axes.iter().map(|&a| graph.arrays().extent(a)).collect(),
            weight: levels.last().map_or(0, |steps| weight(steps)),
            targets,
            registers: builder.registers as usize,
            slots: builder.slots,
            tables: graph.tables().to_vec(),
            levels,
        }
    }

    /// Number of places.
    pub fn places(&self) -> usize {
        self.extents.iter().map(|&extent| extent as usize).product()
    }
}

/// Operations of steps, those of sums as often as they are done.
fn weight(steps: &[Step]) -> usize {
    let of = |step: &Step| match step {
        Step::Sum(sum) => sum
            .usual()
            .saturating_mul(weight(&sum.steps) + sum.terms.len()),
        _ => 1,
    };
    steps.iter().map(of).fold(0, usize::saturating_add)
}

/// What a sum goes over.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Summing {
    All(Axis),
    Where(SelectionId),
}

impl Summing {
    /// Of a node that is a sum.
    fn of(graph: &Graph, id: NodeId) -> Option<Self> {
        match graph.op(id) {
            Op::Sum(axis, _) => Some(Self::All(axis)),
            Op::SumWhere(selection, _) => Some(Self::Where(selection)),
            _ => None,
        }
    }
}

/// A loop being filled; the first is what comes before all loops.
#[derive(Default)]
struct Scope {
    axis: Option<(Axis, usize)>,
    steps: Vec<Step>,
    register_of: HashMap<NodeId, u32>,
}

struct Builder<'a> {
    graph: &'a Graph,
    input: &'a dyn Fn(NodeId) -> InputId,
    kept: &'a dyn Fn(NodeId) -> Option<Gather>,
    scopes: Vec<Scope>,
    /// what varies along no axis and is yet computed here
    own: HashSet<NodeId>,
    registers: u32,
    /// loops that are open, and the most that were
    open: usize,
    slots: usize,
}

impl Builder<'_> {
    /// The scope in which a node is computed: the innermost whose axis it varies along.
    fn scope_of(&self, id: NodeId) -> usize {
        let axes = self.graph.axes(id);
        let inside = |scope: &Scope| scope.axis.is_some_and(|(axis, _)| axes.contains(axis));
        self.scopes.iter().rposition(inside).unwrap_or(0)
    }

    fn is_leaf(&self, id: NodeId) -> bool {
        let alone = self.graph.axes(id).is_empty() && !self.own.contains(&id);
        alone || (self.kept)(id).is_some()
    }

    fn register(&self, id: NodeId) -> u32 {
        let scope = &self.scopes[self.scope_of(id)];
        scope.register_of.get(&id).copied().unwrap_or(u32::MAX)
    }

    fn slot(&self, axis: Axis) -> usize {
        let of = |scope: &Scope| {
            scope
                .axis
                .filter(|&(own, _)| own == axis)
                .map(|(_, slot)| slot)
        };
        self.scopes.iter().rev().find_map(of).unwrap_or(0)
    }

    fn new_register(&mut self) -> u32 {
        self.registers += 1;
        self.registers - 1
    }

    /// Computes nodes, and what they need that is not computed yet, each in its scope.
    fn schedule(&mut self, roots: &[NodeId]) {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut stack: Vec<NodeId> = roots.to_vec();
        while let Some(id) = stack.pop() {
            let scope = self.scope_of(id);
            let known = self.scopes[scope].register_of.contains_key(&id);
            if known || !seen.insert(id) {
                continue;
            }
            found.push(id);
            if self.is_leaf(id) {
                continue;
            }
            match self.graph.op(id) {
                Op::Sum(axis, values) => self.outside(values, axis, &mut stack),
                Op::SumWhere(id, values) => {
                    let axis = self.graph.arrays().selection(id).axis;
                    self.outside(values, axis, &mut stack);
                }
                op => stack.extend(op.operands()),
            }
        }
        // a sum after all that its terms need from outside it; what needs the sum after it
        let graph = self.graph;
        let order = |&id: &NodeId| {
            let is_sum = Summing::of(graph, id).is_some() && !self.is_leaf(id);
            let height = if self.is_leaf(id) {
                0
            } else {
                graph.height(id)
            };
            (height, !is_sum, id)
        };
        found.sort_by_key(order);
        let mut next = 0;
        while next < found.len() {
            let id = found[next];
            let scope = self.scope_of(id);
            match Summing::of(graph, id).filter(|_| !self.is_leaf(id)) {
                Some(summing) => {
                    let height = graph.height(id);
                    let mates: Vec<NodeId> = found[next..]
                        .iter()
                        .copied()
                        .take_while(|&mate| {
                            Summing::of(graph, mate).is_some() && graph.height(mate) == height
                        })
                        .filter(|&mate| {
                            Summing::of(graph, mate) == Some(summing)
                                && self.scope_of(mate) == scope
                                && !self.scopes[scope].register_of.contains_key(&mate)
                        })
                        .collect();
                    if !mates.is_empty() {
                        self.sums(summing, &mates, scope);
                    }
                }
                None => {
                    let to = self.new_register();
                    let step = self.step(id, graph.op(id), to);
                    self.scopes[scope].steps.push(step);
                    self.scopes[scope].register_of.insert(id, to);
                }
            }
            next += 1;
        }
    }

    /// What the terms of a sum along `axis` need that does not vary along it.
    fn outside(&self, values: NodeId, axis: Axis, out: &mut Vec<NodeId>) {
        let mut seen = HashSet::new();
        let mut stack = vec![values];
        while let Some(id) = stack.pop() {
            if !seen.insert(id) {
                continue;
            }
            if !self.graph.axes(id).contains(axis) {
                out.push(id);
                continue;
            }
            if (self.kept)(id).is_some() {
                continue;
            }
            match self.graph.op(id) {
                // what a sum inside needs from outside this one: its own terms tell
                Op::Sum(inner, values) => {
                    let mut needed = Vec::new();
                    self.outside(values, inner, &mut needed);
                    stack.extend(needed);
                }
                Op::SumWhere(inner, values) => {
                    let inner = self.graph.arrays().selection(inner).axis;
                    let mut needed = Vec::new();
                    self.outside(values, inner, &mut needed);
                    stack.extend(needed);
                }
                op => stack.extend(op.operands()),
            }
        }
    }

    /// A loop for sums over the same places, in a scope.
    fn sums(&mut self, summing: Summing, sums: &[NodeId], scope: usize) {
        let terms = sums.iter().flat_map(|&sum| self.graph.op(sum).operands());
        let terms: Vec<NodeId> = terms.collect();
        let tables = self.graph.arrays();
        let axis = match summing {
            Summing::All(axis) => axis,
            Summing::Where(id) => tables.selection(id).axis,
        };
        let among = match summing {
            Summing::All(_) => None,
            Summing::Where(id) => Some(self.among(id)),
        };
        // deeper scopes of the nest are not open here
        let deeper = self.scopes.split_off(scope + 1);
        let slot = self.open;
        self.open += 1;
        self.slots = self.slots.max(self.open);
        self.scopes.push(Scope {
            axis: Some((axis, slot)),
            ..Scope::default()
        });
        self.schedule(&terms);
        let terms = terms
            .iter()
            .map(|&term| self.register(term))
            .collect::<Vec<_>>();
        let steps = self
            .scopes
            .pop()
            .map(|inner| inner.steps)
            .unwrap_or_default();
        self.open -= 1;
        self.scopes.extend(deeper);
        let mut pairs = Vec::new();
        for (&sum, term) in sums.iter().zip(terms) {
            let to = self.new_register();
            self.registers += PARTS as u32 - 1;
            self.scopes[scope].register_of.insert(sum, to);
            pairs.push((to, term));
        }
        let extent = self.graph.arrays().extent(axis);
        self.scopes[scope].steps.push(Step::Sum(Box::new(SumLoop {
            slot,
            extent,
            among,
            steps,
            terms: pairs,
        })));
    }

    fn among(&self, id: SelectionId) -> Among {
        let tables = self.graph.arrays();
        let Selection { count, at, .. } = tables.selection(id);
        let (base, follow) = match self.follow(at, count, 1) {
            Ok(follow) => (0, Some(follow)),
            Err(fixed) => (fixed, None),
        };
        Among {
            groups: Arc::clone(tables.groups(id)),
            base,
            follow,
        }
    }

    /// How an element follows a place, or which it is.
    fn follow(&self, at: At, extent: u32, stride: u32) -> Result<Follow, u32> {
        let tables = self.graph.arrays();
        let (axis, by) = match at {
            At::Fixed(place) => return Err(place),
            At::Along { axis, shift, edge } => (axis, By::Shift(shift, edge)),
            At::Listed { axis, list } => (axis, By::List(Arc::clone(tables.list(list)))),
        };
        Ok(Follow {
            slot: self.slot(axis),
            extent,
            places: tables.extent(axis),
            stride,
            by,
        })
    }

    fn load(&self, gather: &Gather, to: u32) -> Step {
        let mut from = Element {
            group: gather.group,
            base: gather.base,
            follows: Vec::new(),
        };
        for d in &gather.dimensions {
            match self.follow(d.at, d.extent, d.stride) {
                Ok(follow) => from.follows.push(follow),
                Err(place) => from.base += place * d.stride,
            }
        }
        Step::Load { to, from }
    }

    fn step(&self, id: NodeId, op: Op, to: u32) -> Step {
        if let Some(gather) = (self.kept)(id) {
            return self.load(&gather, to);
        }
        if self.is_leaf(id) {
            let op = match op {
                Op::Constant(_) => op,
                _ => Op::Input((self.input)(id)),
            };
            return Step::Compute { to, op };
        }
        match op {
            Op::Index(axis) => Step::Index {
                to,
                slot: self.slot(axis),
            },
            Op::Listed(axis, list) => Step::Listed {
                to,
                slot: self.slot(axis),
                list: Arc::clone(self.graph.arrays().list(list)),
            },
            Op::Gather(gather) => self.load(self.graph.arrays().gather(gather), to),
            op => Step::Compute {
                to,
                op: with_operands(&op, |operand| NodeId(self.register(operand))),
            },
        }
    }
}
