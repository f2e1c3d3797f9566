//! Arrays in the graph: axes, the maps from places on axes to elements, and the constructors of their nodes.
//!
//! An array is a stretch of an input, row by row. A node that reads elements by [`Op::Gather`] has one value for each
//! place on its axes; [`Op::Sum`] adds its values along one axis; [`Op::Array`] writes them all. So one node stands for
//! the loop, whatever its length: all rewrites, derivatives among them, cost the same for ten elements as for a million.
//!
//! An element outside an array is what the array's [`Edge`] says: the one at the other end, the last one, or nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::graph::{Graph, InputId, NodeId, Op};
use super::lists::{ListId, Lists, Selection};

/// A range of places 0, 1, ..., named by its number in [`Tables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Axis(pub u8);

/// A map to elements, by its number in [`Tables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GatherId(pub u32);

/// A list of axes, by its number in [`Tables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShapeId(pub u32);

/// Most axes of one graph: of each length there is one for each dimension, and one for each depth of sums.
pub const MOST_AXES: usize = 64;

/// A set of axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct AxisSet(u64);

impl AxisSet {
    /// Whether it has none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// Whether it has an axis.
    pub fn contains(self, axis: Axis) -> bool {
        self.0 >> axis.0 & 1 == 1
    }
    /// The set with an axis.
    #[must_use]
    pub fn with(self, axis: Axis) -> Self {
        Self(self.0 | 1 << axis.0)
    }
    /// The set without an axis.
    #[must_use]
    pub fn without(self, axis: Axis) -> Self {
        Self(self.0 & !(1 << axis.0))
    }
    /// Axes of either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// Those that are not in `other`.
    #[must_use]
    pub fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// The axes, ascending.
    pub fn iter(self) -> impl Iterator<Item = Axis> {
        (0..MOST_AXES as u8)
            .map(Axis)
            .filter(move |&axis| self.contains(axis))
    }
}

impl FromIterator<Axis> for AxisSet {
    fn from_iter<I: IntoIterator<Item = Axis>>(axes: I) -> Self {
        axes.into_iter().fold(Self::default(), Self::with)
    }
}

/// What an axis serves as. Axes of one length and one use are the same axis, so that loops over them become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Use {
    /// the so manieth dimension of arrays that are written
    Dimension(u8),
    /// the axis of a sum, of a higher level than those of the sums inside it
    Sum(u8),
    /// while expressions are read: a sum so deep inside others, not yet closed
    Open(u8),
}

/// What stands outside an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Edge {
    /// the array again: the element before the first is the last
    Periodic,
    /// the nearest element
    Clamp,
    /// 0
    Zero,
}

/// Which element along one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum At {
    /// this one
    Fixed(u32),
    /// the place on an axis, moved
    Along {
        /// the axis
        axis: Axis,
        /// added to the place
        shift: i32,
        /// what stands outside
        edge: Edge,
    },
    /// the one that a list sends the place on an axis to
    Listed {
        /// the axis
        axis: Axis,
        /// the list, as long as the axis
        list: ListId,
    },
}

/// One dimension of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dimension {
    /// elements along it
    pub extent: u32,
    /// from one to the next in the input
    pub stride: u32,
    /// which
    pub at: At,
}

/// A map from places on axes to an element of an array.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Gather {
    /// the input that holds the array
    pub group: u16,
    /// where the array begins in it
    pub base: u32,
    /// the dimensions, slowest first
    pub dimensions: Vec<Dimension>,
}

impl Gather {
    /// The axes it depends on.
    pub fn axes(&self) -> AxisSet {
        self.dimensions.iter().filter_map(|d| d.at.axis()).collect()
    }

    /// The place after the last that it may read.
    pub fn end(&self) -> u32 {
        let last = self.dimensions.iter().map(|d| (d.extent - 1) * d.stride);
        self.base + last.sum::<u32>() + 1
    }
}

impl At {
    /// The axis it follows.
    pub fn axis(self) -> Option<Axis> {
        match self {
            Self::Fixed(_) => None,
            Self::Along { axis, .. } | Self::Listed { axis, .. } => Some(axis),
        }
    }
}

/// An array in an input: a stretch of it, row by row. A single number has no extents.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Block {
    /// the input
    pub group: u16,
    /// where it begins
    pub base: u32,
    /// elements along each dimension
    pub extents: Vec<u32>,
}

impl Block {
    /// Number of elements.
    pub fn len(&self) -> u32 {
        self.extents.iter().product()
    }
    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The strides, row by row.
    pub fn strides(&self) -> Vec<u32> {
        let mut strides = vec![1; self.extents.len()];
        for k in (1..self.extents.len()).rev() {
            strides[k - 1] = strides[k] * self.extents[k];
        }
        strides
    }
}

/// What the nodes of a graph refer to by number.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    axes: Vec<(u32, Use)>,
    gathers: Vec<Arc<Gather>>,
    gather_index: HashMap<Arc<Gather>, GatherId>,
    shapes: Vec<Arc<[Axis]>>,
    shape_index: HashMap<Arc<[Axis]>, ShapeId>,
    /// arrays among the inputs
    blocks: Vec<Block>,
    pub(super) lists: Lists,
}

impl Tables {
    /// Length of an axis.
    pub fn extent(&self, axis: Axis) -> u32 {
        self.axes[usize::from(axis.0)].0
    }
    /// What an axis serves as.
    pub fn used(&self, axis: Axis) -> Use {
        self.axes[usize::from(axis.0)].1
    }
    /// The level of the axis of a sum, 0 for other axes.
    pub fn level(&self, axis: Axis) -> u8 {
        match self.used(axis) {
            Use::Sum(level) => level,
            Use::Dimension(_) | Use::Open(_) => 0,
        }
    }
    /// A map.
    pub fn gather(&self, id: GatherId) -> &Arc<Gather> {
        &self.gathers[id.0 as usize]
    }
    /// The place of an element in its input, from those on axes; `None` where it is outside and 0.
    pub fn place(&self, gather: &Gather, on: impl Fn(Axis) -> u32) -> Option<u32> {
        let mut place = gather.base;
        for dimension in &gather.dimensions {
            place += dimension.stride * self.position(dimension.at, dimension.extent, &on)?;
        }
        Some(place)
    }
    /// The axes of an array.
    pub fn shape(&self, id: ShapeId) -> &Arc<[Axis]> {
        &self.shapes[id.0 as usize]
    }
    /// Number of elements of a shape.
    pub fn size(&self, id: ShapeId) -> usize {
        let extents = self
            .shape(id)
            .iter()
            .map(|&axis| self.extent(axis) as usize);
        extents.product()
    }
    /// Whether there is any array.
    pub fn is_empty(&self) -> bool {
        self.axes.is_empty() && self.gathers.is_empty()
    }
    /// The arrays declared in an input.
    pub fn blocks(&self, group: u16) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(move |block| block.group == group)
    }
}

impl Graph {
    /// The axis of a length and use; `None` where a graph has too many.
    pub fn axis(&mut self, extent: u32, used: Use) -> Option<Axis> {
        let axes = &mut self.arrays_mut().axes;
        let known = axes.iter().position(|&axis| axis == (extent, used));
        let place = known.unwrap_or(axes.len());
        if place == MOST_AXES {
            return None;
        }
        if known.is_none() {
            axes.push((extent, used));
        }
        Some(Axis(place as u8))
    }

    /// Says that a stretch of an input is an array.
    pub fn declare(&mut self, block: Block) {
        let blocks = &mut self.arrays_mut().blocks;
        if !blocks.contains(&block) {
            blocks.push(block);
        }
    }

    /// The place on an axis, from 1.
    pub fn index(&mut self, axis: Axis) -> NodeId {
        self.intern(Op::Index(axis))
    }

    /// An element of an array.
    pub fn gather(&mut self, mut gather: Gather) -> NodeId {
        for dimension in &mut gather.dimensions {
            dimension.at = self.plain(dimension.at);
            if let At::Along { axis, shift, edge } = &mut dimension.at {
                let extent = self.arrays().extent(*axis);
                let whole = *shift == 0 && extent <= dimension.extent;
                match edge {
                    // no place is outside: one name for such a map
                    _ if whole => *edge = Edge::Periodic,
                    Edge::Periodic => *shift %= dimension.extent as i32,
                    Edge::Clamp | Edge::Zero => {}
                }
            }
        }
        let id = self.gather_id(gather);
        self.intern(Op::Gather(id))
    }

    fn gather_id(&mut self, gather: Gather) -> GatherId {
        let tables = self.arrays_mut();
        if let Some(&id) = tables.gather_index.get(&gather) {
            return id;
        }
        let id = GatherId(tables.gathers.len() as u32);
        let gather = Arc::new(gather);
        tables.gathers.push(Arc::clone(&gather));
        tables.gather_index.insert(gather, id);
        id
    }

    fn shape_id(&mut self, axes: &[Axis]) -> ShapeId {
        let tables = self.arrays_mut();
        if let Some(&id) = tables.shape_index.get(axes) {
            return id;
        }
        let id = ShapeId(tables.shapes.len() as u32);
        let axes: Arc<[Axis]> = axes.into();
        tables.shapes.push(Arc::clone(&axes));
        tables.shape_index.insert(axes, id);
        id
    }

    /// All values of a node along axes; without axes the node itself.
    pub fn array(&mut self, axes: &[Axis], values: NodeId) -> NodeId {
        if axes.is_empty() {
            return values;
        }
        let shape = self.shape_id(axes);
        self.intern(Op::Array(shape, values))
    }

    /// How many numbers a root stands for.
    pub fn size(&self, root: NodeId) -> usize {
        // a root that is not there is told of elsewhere
        if root.0 as usize >= self.len() {
            return 1;
        }
        match self.op(root) {
            Op::Array(shape, _) => self.arrays().size(shape),
            _ => 1,
        }
    }

    /// How many numbers roots stand for.
    pub fn total_size(&self, roots: &[NodeId]) -> usize {
        roots.iter().map(|&root| self.size(root)).sum()
    }

    /// Whether all numbers that a root stands for are 0, whatever the inputs.
    pub fn is_zero(&self, root: NodeId) -> bool {
        match self.op(root) {
            Op::Array(_, value) => self.is_zero(value),
            _ => self.constant_value(root) == Some(0.0),
        }
    }

    /// The elements of an array as they are, over the axes of their dimensions; of a single number, that.
    pub fn whole(&mut self, block: &Block) -> Option<NodeId> {
        if block.extents.is_empty() {
            return Some(self.input(block.group, block.base));
        }
        let axes = self.dimension_axes(&block.extents)?;
        let element = self.element(block, &axes);
        Some(self.array(&axes, element))
    }

    /// The axes of the dimensions of an array of these extents.
    pub fn dimension_axes(&mut self, extents: &[u32]) -> Option<Vec<Axis>> {
        (0..)
            .zip(extents)
            .map(|(k, &extent)| self.axis(extent, Use::Dimension(k)))
            .collect()
    }

    /// The element of an array at places on axes, one a dimension and as long.
    pub fn element(&mut self, block: &Block, axes: &[Axis]) -> NodeId {
        let at = axes.iter().map(|&axis| At::Along {
            axis,
            shift: 0,
            edge: Edge::Periodic,
        });
        let at: Vec<At> = at.collect();
        self.element_at(block, &at)
    }

    /// The element of an array at a place along each dimension.
    pub fn element_at(&mut self, block: &Block, at: &[At]) -> NodeId {
        let dimensions = block.extents.iter().zip(block.strides()).zip(at);
        let dimensions = dimensions
            .map(|((&extent, stride), &at)| Dimension { extent, stride, at })
            .collect();
        self.gather(Gather {
            group: block.group,
            base: block.base,
            dimensions,
        })
    }

    /// The element of an array of which so many come before it.
    pub(super) fn element_number(&mut self, block: &Block, before: u32) -> NodeId {
        let places = block.strides().into_iter().zip(&block.extents);
        let at: Vec<At> = places
            .map(|(stride, &extent)| At::Fixed(before / stride % extent))
            .collect();
        self.element_at(block, &at)
    }

    /// The input that a node is.
    pub fn input_of(&self, node: NodeId) -> Option<InputId> {
        match self.op(node) {
            Op::Input(input) => Some(input),
            Op::Gather(gather) if self.axes(node).is_empty() => {
                let gather = self.arrays().gather(gather);
                Some(InputId {
                    group: gather.group,
                    index: self.arrays().place(gather, |_| 0)?,
                })
            }
            _ => None,
        }
    }

    /// The nodes of an input of `length` numbers: single ones, and each declared array as a whole.
    pub fn inputs(&mut self, group: u16, length: usize) -> Vec<NodeId> {
        let inside = |block: &&Block| (block.base + block.len()) as usize <= length;
        let blocks = self.arrays().blocks(group).filter(inside);
        let mut blocks: Vec<Block> = blocks.cloned().collect();
        blocks.sort_by_key(|block| block.base);
        let mut nodes = Vec::new();
        let mut next = 0_u32;
        for block in blocks {
            nodes.extend((next..block.base).map(|index| self.input(group, index)));
            next = block.base + block.len();
            nodes.extend(self.whole(&block));
        }
        nodes.extend((next..length as u32).map(|index| self.input(group, index)));
        nodes
    }

    /// The nodes of an input that has a number for each of those that `roots` stand for.
    pub fn inputs_like(&mut self, group: u16, roots: &[NodeId]) -> Vec<NodeId> {
        let mut base = 0;
        let mut nodes = Vec::with_capacity(roots.len());
        for &root in roots {
            let extents = match self.op(root) {
                Op::Array(shape, _) => {
                    let tables = self.arrays();
                    tables
                        .shape(shape)
                        .iter()
                        .map(|&a| tables.extent(a))
                        .collect()
                }
                _ => Vec::new(),
            };
            let block = Block {
                group,
                base,
                extents,
            };
            base += block.len();
            nodes.extend(self.whole(&block));
        }
        nodes
    }

    /// The input beside one that is read, or the array beside one that a root is, so many numbers further on.
    pub fn beside(&mut self, node: NodeId, by: u32) -> NodeId {
        match self.op(node) {
            Op::Array(shape, values) => {
                let values = self.beside(values, by);
                self.intern(Op::Array(shape, values))
            }
            Op::Input(input) => self.input(input.group, input.index + by),
            Op::Gather(gather) => {
                let mut gather = Gather::clone(self.arrays().gather(gather));
                gather.base += by;
                self.gather(gather)
            }
            _ => node,
        }
    }

    /// The array that a root is the whole of, with its map.
    pub fn variable(&self, root: NodeId) -> Option<Arc<Gather>> {
        match self.op(root) {
            Op::Array(_, values) => match self.op(values) {
                Op::Gather(id) => Some(Arc::clone(self.arrays().gather(id))),
                _ => None,
            },
            _ => None,
        }
    }

    /// The sum of a node's values along an axis.
    pub fn sum(&mut self, axis: Axis, values: NodeId) -> NodeId {
        let extent = self.arrays().extent(axis);
        if !self.axes(values).contains(axis) {
            let count = self.constant(f64::from(extent));
            return self.mul(count, values);
        }
        let others = self.axes(values).without(axis);
        let (bound, values) = self.bind(axis, extent, others, values);
        self.intern(Op::Sum(bound, values))
    }

    /// Values with the axis of a sum over them renamed: one name for the axis of equal sums, the lowest that is neither
    /// among the `others` in use nor below a sum inside.
    pub(super) fn bind(
        &mut self,
        axis: Axis,
        extent: u32,
        others: AxisSet,
        values: NodeId,
    ) -> (Axis, NodeId) {
        let mut level = self.height(values) + 1;
        let mut bound = axis;
        while let Some(next) = self.axis(extent, Use::Sum(level)) {
            if !others.contains(next) {
                bound = next;
                break;
            }
            level += 1;
        }
        let at = At::Along {
            axis: bound,
            shift: 0,
            edge: Edge::Periodic,
        };
        (bound, self.substitute(values, axis, at))
    }

    /// The sum along several axes, the dimension that goes fastest innermost.
    pub fn sum_over(&mut self, axes: AxisSet, values: NodeId) -> NodeId {
        let mut axes: Vec<Axis> = axes.iter().collect();
        axes.sort_by_key(|&axis| match self.arrays().axes[usize::from(axis.0)].1 {
            Use::Dimension(k) => std::cmp::Reverse(k),
            Use::Sum(_) | Use::Open(_) => std::cmp::Reverse(u8::MAX),
        });
        axes.into_iter()
            .fold(values, |sum, axis| self.sum(axis, sum))
    }

    /// A node with another place put in place of that on an axis. A moved place is taken to be inside the old axis;
    /// what comes out where it is not means nothing.
    pub fn substitute(&mut self, node: NodeId, axis: Axis, at: At) -> NodeId {
        if matches!(at, At::Along { axis: to, shift: 0, .. } if to == axis) {
            return node;
        }
        let touched: Vec<NodeId> = self
            .live(&[node])
            .into_iter()
            .filter(|&id| self.axes(id).contains(axis))
            .collect();
        let mut renamed: HashMap<NodeId, NodeId> = HashMap::with_capacity(touched.len());
        for id in touched {
            let new = match self.op(id) {
                Op::Index(_) => self.index_at(at),
                Op::Gather(gather) => {
                    let mut gather = Gather::clone(self.arrays().gather(gather));
                    let moved = gather.dimensions.iter_mut().try_for_each(|dimension| {
                        dimension.at = self.composed(dimension.at, dimension.extent, axis, at)?;
                        Some(())
                    });
                    match moved {
                        Some(()) => self.gather(gather),
                        None => self.constant(0.0),
                    }
                }
                Op::Listed(own, list) => {
                    let own = At::Listed { axis: own, list };
                    match self.composed(own, u32::MAX, axis, at) {
                        Some(at) => self.index_at(at),
                        None => self.constant(0.0),
                    }
                }
                Op::Sum(bound, values) if at.axis() == Some(bound) => {
                    let (aside, values) = self.set_aside(bound, values);
                    let values = self.substitute(values, axis, at);
                    self.sum(aside, values)
                }
                Op::SumWhere(selection, values) => {
                    let mut selection = self.arrays().selection(selection);
                    let values = if at.axis() == Some(selection.axis) {
                        let (aside, values) = self.set_aside(selection.axis, values);
                        selection.axis = aside;
                        self.substitute(values, axis, at)
                    } else {
                        renamed.get(&values).copied().unwrap_or(values)
                    };
                    match self.composed(selection.at, selection.count, axis, at) {
                        Some(at) => self.sum_where(Selection { at, ..selection }, values),
                        None => self.constant(0.0),
                    }
                }
                op => self.rebuilt(op, |operand| {
                    renamed.get(&operand).copied().unwrap_or(operand)
                }),
            };
            renamed.insert(id, new);
        }
        renamed.get(&node).copied().unwrap_or(node)
    }

    /// The terms of a sum with its axis renamed, so that another place can be put on that axis.
    fn set_aside(&mut self, bound: Axis, values: NodeId) -> (Axis, NodeId) {
        let extent = self.arrays().extent(bound);
        let Some(aside) = self.axis(extent, Use::Open(140)) else {
            return (bound, values);
        };
        let at = At::Along {
            axis: aside,
            shift: 0,
            edge: Edge::Periodic,
        };
        (aside, self.substitute(values, bound, at))
    }

    /// A place as a number, from 1.
    pub(super) fn index_at(&mut self, at: At) -> NodeId {
        match at {
            At::Fixed(place) => self.constant(f64::from(place) + 1.0),
            At::Along { axis, shift, .. } => {
                let index = self.index(axis);
                let shift = self.constant(f64::from(shift));
                self.add(index, shift)
            }
            At::Listed { axis, list } => self.listed(axis, list),
        }
    }

    /// An operation on renamed operands, simplified.
    pub(super) fn rebuilt(&mut self, op: Op, name: impl Fn(NodeId) -> NodeId) -> NodeId {
        match op {
            Op::Constant(_) | Op::Input(_) | Op::Index(_) | Op::Listed(..) | Op::Gather(_) => {
                self.intern(op)
            }
            Op::Add(a, b) => self.add(name(a), name(b)),
            Op::Sub(a, b) => self.sub(name(a), name(b)),
            Op::Mul(a, b) => self.mul(name(a), name(b)),
            Op::Div(a, b) => self.div(name(a), name(b)),
            Op::Neg(a) => self.neg(name(a)),
            Op::Powi(a, n) => self.powi(name(a), n),
            Op::Unary(function, a) => self.unary(function, name(a)),
            Op::Binary(function, a, b) => self.binary(function, name(a), name(b)),
            Op::Select {
                comparison,
                left,
                right,
                yes,
                no,
            } => self.select(comparison, name(left), name(right), name(yes), name(no)),
            Op::Table {
                table,
                order,
                at,
                place,
            } => self.table(table, order, name(at), name(place)),
            Op::Sum(axis, values) => self.sum(axis, name(values)),
            Op::SumWhere(selection, values) => {
                let selection = self.arrays().selection(selection);
                self.sum_where(selection, name(values))
            }
            Op::Array(shape, values) => self.intern(Op::Array(shape, name(values))),
        }
    }
}
