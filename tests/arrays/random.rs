//! Random models with arrays: every edge, shifts of any size, lists, broadcasts, sums, conditions on places.

use costate::model::arrays::{At, Axis, Block, Edge, Use};
use costate::model::graph::{Graph, NodeId, PARAMETERS, STATES, Unary};
use costate::model::lists::{ListId, OUTSIDE, Selection};
use costate_solvers::Comparison;

/// Random numbers.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678_9ABC_DEF1)
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
    /// From 0.2 to 1.2: no quotient or root is near a singularity.
    pub fn unit(&mut self) -> f64 {
        0.2 + self.below(1 << 30) as f64 / (1_u64 << 30) as f64
    }
    pub fn vector(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.unit()).collect()
    }
}

/// A right-hand side over x, one entry a state, and p.
pub struct RandomModel {
    pub graph: Graph,
    pub rhs: Vec<NodeId>,
    pub states: usize,
    pub parameters: usize,
}

struct Maker {
    graph: Graph,
    numbers: Numbers,
    /// arrays with the edge of each dimension
    arrays: Vec<(Block, Vec<Edge>)>,
    scalars: Vec<NodeId>,
    open: u8,
}

/// The model of a seed.
pub fn random_model(seed: u64) -> RandomModel {
    let mut numbers = Numbers::new(seed + 77);
    let lengths = std::array::from_fn(|_| 1 + numbers.below(5) as u32);
    random_model_of(seed, lengths, 3)
}

/// The model of a seed with index sets of these lengths, and expressions so deep.
pub fn random_model_of(seed: u64, lengths: [u32; 3], depth: u32) -> RandomModel {
    let mut numbers = Numbers::new(seed);
    let mut graph = Graph::new();
    let edges = [Edge::Periodic, Edge::Clamp, Edge::Zero];
    let edge_of: Vec<Edge> = (0..3).map(|_| edges[numbers.below(3) as usize]).collect();
    let mut arrays = Vec::new();
    let mut scalars = Vec::new();
    let mut sizes = [0_u32; 2];
    let mut state_blocks = Vec::new();
    for (which, group) in [STATES, PARAMETERS].into_iter().enumerate() {
        for _ in 0..2 + numbers.below(2) {
            let rank = numbers.below(3) as usize;
            let kinds: Vec<usize> = (0..rank).map(|_| numbers.below(3) as usize).collect();
            let block = Block {
                group,
                base: sizes[which],
                extents: kinds.iter().map(|&k| lengths[k]).collect(),
            };
            sizes[which] += block.len();
            if rank == 0 {
                scalars.push(graph.input(group, block.base));
            } else {
                graph.declare(block.clone());
                arrays.push((block.clone(), kinds.iter().map(|&k| edge_of[k]).collect()));
            }
            if group == STATES {
                state_blocks.push(block);
            }
        }
    }
    let mut maker = Maker {
        graph,
        numbers,
        arrays,
        scalars,
        open: 0,
    };
    let rhs = state_blocks
        .iter()
        .map(|block| {
            let axes = maker
                .graph
                .dimension_axes(&block.extents)
                .expect("few axes");
            let body = maker.expression(&axes, depth);
            maker.graph.array(&axes, body)
        })
        .collect();
    RandomModel {
        graph: maker.graph,
        rhs,
        states: sizes[0] as usize,
        parameters: sizes[1] as usize,
    }
}

impl Maker {
    fn expression(&mut self, axes: &[Axis], depth: u32) -> NodeId {
        if depth == 0 {
            return self.leaf(axes);
        }
        match self.numbers.below(13) {
            0..=2 => {
                let (a, b) = (
                    self.expression(axes, depth - 1),
                    self.expression(axes, depth - 1),
                );
                self.graph.add(a, b)
            }
            3 => {
                let (a, b) = (
                    self.expression(axes, depth - 1),
                    self.expression(axes, depth - 1),
                );
                self.graph.sub(a, b)
            }
            4 | 5 => {
                let (a, b) = (
                    self.expression(axes, depth - 1),
                    self.expression(axes, depth - 1),
                );
                self.graph.mul(a, b)
            }
            6 => {
                let a = self.expression(axes, depth - 1);
                let f = [Unary::Sin, Unary::Exp, Unary::Tanh][self.numbers.below(3) as usize];
                let a = self.graph.unary(Unary::Sin, a);
                self.graph.unary(f, a)
            }
            7 => {
                let (a, b) = (
                    self.expression(axes, depth - 1),
                    self.expression(axes, depth - 1),
                );
                let b = self.graph.powi(b, 2);
                let one = self.graph.constant(1.0);
                let b = self.graph.add(one, b);
                self.graph.div(a, b)
            }
            8 if !axes.is_empty() => {
                let (a, b) = (
                    self.expression(axes, depth - 1),
                    self.expression(axes, depth - 1),
                );
                let axis = axes[self.numbers.below(axes.len() as u64) as usize];
                let index = self.graph.index(axis);
                let bound = self.numbers.below(5) as f64;
                let bound = self.graph.constant(bound);
                self.graph.select(Comparison::Less, index, bound, a, b)
            }
            9 if !axes.is_empty() => {
                let axis = axes[self.numbers.below(axes.len() as u64) as usize];
                let list = self.list(axis, 4, false);
                let number = self.graph.listed(axis, list);
                let number = self.graph.unary(Unary::Sin, number);
                let a = self.expression(axes, depth - 1);
                self.graph.mul(number, a)
            }
            10 | 11 if self.open < 2 => self.sum_where(axes, depth),
            _ => {
                let arrays = self.arrays.len() as u64;
                if arrays == 0 || self.open > 1 {
                    return self.leaf(axes);
                }
                let (block, _) = self.arrays[self.numbers.below(arrays) as usize].clone();
                let axis = self
                    .graph
                    .axis(block.extents[0], Use::Open(self.open))
                    .expect("few axes");
                self.open += 1;
                let body = self.expression(&[axes, &[axis]].concat(), depth - 1);
                self.open -= 1;
                self.graph.sum(axis, body)
            }
        }
    }

    /// A random list for an axis, of elements below `extent`.
    fn list(&mut self, axis: Axis, extent: u32, outside: bool) -> ListId {
        let length = self.graph.arrays().extent(axis);
        let elements: Vec<u32> = (0..length)
            .map(|_| match self.numbers.below(8) {
                0 if outside => OUTSIDE,
                _ => self.numbers.below(u64::from(extent)) as u32,
            })
            .collect();
        self.graph.list(&elements)
    }

    /// A sum over the places that a list sends to an element, which is fixed, that of an axis, or listed.
    fn sum_where(&mut self, axes: &[Axis], depth: u32) -> NodeId {
        let length = 1 + self.numbers.below(7) as u32;
        let axis = self
            .graph
            .axis(length, Use::Open(self.open))
            .expect("few axes");
        let mut count = 1 + self.numbers.below(5) as u32;
        let mut at = At::Fixed(self.numbers.below(u64::from(count)) as u32);
        if !axes.is_empty() && self.numbers.below(5) > 0 {
            let own = axes[self.numbers.below(axes.len() as u64) as usize];
            if self.numbers.below(3) == 0 {
                let list = self.list(own, count, true);
                at = At::Listed { axis: own, list };
            } else {
                count = self.graph.arrays().extent(own);
                at = At::Along {
                    axis: own,
                    shift: 0,
                    edge: Edge::Periodic,
                };
            }
        }
        let list = self.list(axis, count, true);
        self.open += 1;
        let body = self.expression(&[axes, &[axis]].concat(), depth - 1);
        self.open -= 1;
        let selection = Selection {
            axis,
            list,
            count,
            at,
        };
        self.graph.sum_where(selection, body)
    }

    fn leaf(&mut self, axes: &[Axis]) -> NodeId {
        let choice = self.numbers.below(8);
        if choice == 0 {
            let c = self.numbers.unit();
            return self.graph.constant(c);
        }
        if choice == 1 && !self.scalars.is_empty() {
            return self.scalars[self.numbers.below(self.scalars.len() as u64) as usize];
        }
        if self.arrays.is_empty() {
            return self.graph.input(STATES, 0);
        }
        let which = self.numbers.below(self.arrays.len() as u64) as usize;
        let (block, edges) = self.arrays[which].clone();
        let at: Vec<At> = block
            .extents
            .iter()
            .zip(edges)
            .map(|(&extent, edge)| {
                let fitting: Vec<Axis> = axes
                    .iter()
                    .copied()
                    .filter(|&a| edge != Edge::Periodic || self.graph.arrays().extent(a) == extent)
                    .collect();
                if fitting.is_empty() || self.numbers.below(6) == 0 {
                    return At::Fixed(self.numbers.below(u64::from(extent)) as u32);
                }
                let axis = fitting[self.numbers.below(fitting.len() as u64) as usize];
                if self.numbers.below(4) == 0 {
                    let list = self.list(axis, extent, true);
                    return At::Listed { axis, list };
                }
                let shift = self.numbers.below(5) as i32 - 2;
                At::Along { axis, shift, edge }
            })
            .collect();
        self.graph.element_at(&block, &at)
    }
}
