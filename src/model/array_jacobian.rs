//! The Jacobian of a function with arrays: its non-zeros as arrays of values, with their rows and columns.
//!
//! Where y is computed from the element that a map e reads, dy/de is one expression with a value at each place on the
//! axes of y, and, where e is read in a sum, on the axis of the sum: the values are arrays again, computed by loops. The
//! maps say in which column each value stands. Where maps meet, at clamped ends for one, values in one place add up.

use std::collections::HashMap;

use super::arrays::{At, Axis, Edge, MOST_AXES, Use};
use super::derivative::{dependents, tangent};
use super::graph::{Graph, NodeId, Op};
use super::lists::{OUTSIDE, Selection};

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
    let mut jacobian = ArrayJacobian::default();
    for block in blocks(graph, outputs, group) {
        jacobian.values.push(block.values);
        block.list(graph, &mut jacobian.places);
    }
    jacobian
}

/// How many values [`array_jacobian`] has: at least as many as the Jacobian has non-zeros, with none of them listed.
pub fn array_jacobian_values(graph: &mut Graph, outputs: &[NodeId], group: u16) -> u64 {
    let blocks = blocks(graph, outputs, group);
    blocks.iter().map(|b| graph.size(b.values) as u64).sum()
}

fn blocks(graph: &mut Graph, outputs: &[NodeId], group: u16) -> Vec<Block> {
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
    let mut rows: HashMap<NodeId, Vec<Entry>> = variables
        .iter()
        .map(|&variable| {
            let place = Place {
                variable,
                bound: Vec::new(),
            };
            (variable, vec![Entry { place, value: one }])
        })
        .collect();
    for id in order {
        if rows.contains_key(&id) {
            continue;
        }
        let row = match graph.op(id) {
            Op::Array(_, values) => rows.get(&values).cloned().unwrap_or_default(),
            Op::Sum(axis, values) => {
                let terms = rows.get(&values).cloned().unwrap_or_default();
                let terms = terms.into_iter();
                terms.map(|term| term.summed(graph, axis)).collect()
            }
            Op::SumWhere(selection, values) => {
                let selection = graph.arrays().selection(selection);
                let terms = rows.get(&values).cloned().unwrap_or_default();
                let terms = terms.into_iter();
                terms
                    .filter_map(|term| term.selected(graph, selection))
                    .collect()
            }
            op => {
                let mut found: Vec<Place> = op
                    .operands()
                    .filter_map(|operand| rows.get(&operand))
                    .flatten()
                    .map(|entry| entry.place.clone())
                    .collect();
                found.sort_unstable();
                found.dedup();
                let derivative = |place: Place| {
                    let of = |operand: NodeId| {
                        let row = rows.get(&operand)?;
                        let entry = row.iter().find(|entry| entry.place == place)?;
                        Some(entry.value)
                    };
                    tangent(graph, id, of).map(|value| Entry { place, value })
                };
                found.into_iter().filter_map(derivative).collect()
            }
        };
        rows.insert(id, row);
    }
    let mut blocks = Vec::new();
    let mut first = 0;
    for &output in outputs {
        for entry in rows.get(&output).map_or(&[][..], Vec::as_slice) {
            if graph.constant_value(entry.value) != Some(0.0) {
                blocks.push(Block::new(graph, (output, first), entry));
            }
        }
        first += graph.size(output);
    }
    blocks
}

/// What a derivative is with respect to: the element that a node reads; and axes whose place follows from its places,
/// where sums over listed places lie between.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    variable: NodeId,
    bound: Vec<(Axis, At)>,
}

#[derive(Debug, Clone)]
struct Entry {
    place: Place,
    value: NodeId,
}

impl Entry {
    /// Puts what follows from the variable's places for an axis, where it does.
    fn freed(&mut self, graph: &mut Graph, axis: Axis) -> Option<At> {
        let bound = &mut self.place.bound;
        let k = bound.iter().position(|&(own, _)| own == axis)?;
        let (_, at) = bound.remove(k);
        self.value = graph.substitute(self.value, axis, at);
        Some(at)
    }

    /// In the sum along an axis: each term has its own variable, or all have the same.
    fn summed(mut self, graph: &mut Graph, axis: Axis) -> Self {
        let known = self.freed(graph, axis).is_some();
        if !known && !graph.axes(self.place.variable).contains(axis) {
            self.value = graph.sum(axis, self.value);
        }
        self
    }

    /// In the sum over the places that a list sends to an element: that element follows from the place.
    fn selected(mut self, graph: &mut Graph, selection: Selection) -> Option<Self> {
        let Selection {
            axis, list, count, ..
        } = selection;
        let own = At::Listed { axis, list };
        let element = match self.freed(graph, axis) {
            Some(at) => graph.composed(own, count, axis, at)?,
            None if graph.axes(self.place.variable).contains(axis) => own,
            None => {
                self.value = graph.sum_where(selection, self.value);
                return Some(self);
            }
        };
        let along = element.axis()?;
        let tables = graph.arrays();
        let places = 0..tables.extent(along);
        let elements: Vec<Option<u32>> = places
            .map(|place| tables.position(element, count, |_| place))
            .collect();
        // pairs of a place of the sum's element and a place that is summed there
        let (at, pairs): (Option<Axis>, Vec<(u32, u32)>) = match selection.at {
            At::Along { axis, .. } => {
                self.place.bound.push((axis, element));
                return Some(self);
            }
            At::Fixed(fixed) => {
                let there = (0..).zip(&elements).filter(|&(_, &e)| e == Some(fixed));
                (None, there.map(|(place, _)| (0, place)).collect())
            }
            At::Listed { axis, list } => {
                let mut by_element = vec![Vec::new(); count as usize];
                for (place, element) in (0..).zip(&elements) {
                    if let Some(element) = element {
                        by_element[*element as usize].push(place);
                    }
                }
                let mut pairs = Vec::new();
                for (at, &element) in (0..).zip(tables.list(list).iter()) {
                    if element != OUTSIDE {
                        pairs.extend(by_element[element as usize].iter().map(|&k| (at, k)));
                    }
                }
                (Some(axis), pairs)
            }
        };
        let depth = self.place.bound.len() as u8;
        let extent = u32::try_from(pairs.len())
            .ok()
            .filter(|&extent| extent > 0)?;
        let joint = graph.axis(extent, Use::Open(JOINT + depth))?;
        let [left, right] = [0, 1].map(|side| {
            let places = pairs.iter().map(|&(at, place)| [at, place][side]);
            let list = graph.list(&places.collect::<Vec<u32>>());
            At::Listed { axis: joint, list }
        });
        self.value = graph.substitute(self.value, along, right);
        self.place.variable = graph.substitute(self.place.variable, along, right);
        for k in 0..self.place.bound.len() {
            let (axis, at) = self.place.bound[k];
            let at = graph.composed(at, graph.arrays().extent(axis), along, right)?;
            self.place.bound[k] = (axis, at);
        }
        if let Some(axis) = at {
            self.place.bound.push((axis, left));
        }
        Some(self)
    }
}

/// The axes of pairs are those of [`Use::Open`] from here on.
const JOINT: u8 = 240;

/// The derivatives of one output through one variable.
struct Block {
    /// the root that holds their values
    values: NodeId,
    /// its axes
    axes: Vec<Axis>,
    /// what they are with respect to
    variable: NodeId,
    /// the axes of the output, and the places on them
    written: Vec<(Axis, At)>,
    /// first row of the output
    first: usize,
}

impl Block {
    fn new(graph: &mut Graph, (output, first): (NodeId, usize), entry: &Entry) -> Self {
        let written: Vec<Axis> = match graph.op(output) {
            Op::Array(shape, _) => graph.arrays().shape(shape).to_vec(),
            _ => Vec::new(),
        };
        let Place { variable, bound } = &entry.place;
        let bound_to = |axis: Axis| bound.iter().find(|&&(own, _)| own == axis).map(|b| b.1);
        let mut value = entry.value;
        for &(axis, at) in bound {
            value = graph.substitute(value, axis, at);
        }
        let written: Vec<(Axis, At)> = written
            .iter()
            .map(|&axis| (axis, bound_to(axis).unwrap_or(along(axis))))
            .collect();
        let mut axes: Vec<Axis> = Vec::new();
        let further = graph.axes(*variable).iter();
        for axis in written
            .iter()
            .filter_map(|(_, at)| at.axis())
            .chain(further)
        {
            if !axes.contains(&axis) {
                axes.push(axis);
            }
        }
        Self {
            values: graph.array(&axes, value),
            axes,
            variable: *variable,
            written,
            first,
        }
    }

    /// Adds the row and column of each value.
    fn list(&self, graph: &Graph, into: &mut Vec<Option<(usize, usize)>>) {
        let tables = graph.arrays();
        let extents: Vec<u32> = self.axes.iter().map(|&axis| tables.extent(axis)).collect();
        let mut on = [0_u32; MOST_AXES];
        for _ in 0..graph.size(self.values) {
            let place_on = |axis: Axis| on[usize::from(axis.0)];
            let column = match graph.op(self.variable) {
                Op::Gather(gather) => tables.place(tables.gather(gather), place_on),
                Op::Input(input) => Some(input.index),
                _ => None,
            };
            let mut row = Some(0);
            for &(axis, at) in &self.written {
                let extent = tables.extent(axis);
                let place = tables.position(at, extent, place_on);
                row = row
                    .zip(place)
                    .map(|(row, place)| row * extent as usize + place as usize);
            }
            let place = row.zip(column);
            into.push(place.map(|(row, column)| (self.first + row, column as usize)));
            for (axis, &extent) in self.axes.iter().zip(&extents).rev() {
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

fn along(axis: Axis) -> At {
    At::Along {
        axis,
        shift: 0,
        edge: Edge::Periodic,
    }
}
