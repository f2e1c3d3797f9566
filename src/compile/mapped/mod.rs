//! Functions with arrays: loops that are kept from the text to the machine code.
//!
//! The work is cut into stages. What varies along no axis is straight-line code like any other function's, and leaves
//! the numbers that loops need in an array that all stages share; sums over whole arrays are loops that leave theirs
//! there, and so do loops for values that other loops would compute again and again; last come the loops that write arrays. Loops over the same axes are one loop. Large ones are cut into blocks
//! of whole rows that threads share: each element is computed by one thread in one way, so the bits are the same for
//! any number of threads.

mod interpret;
mod kept;
pub(super) mod nest;
mod run;

use std::collections::HashMap;

use costate_solvers::Scalar;

use self::nest::{Nest, SHARED, Write};
use super::error::CompileError;
use super::function::{Backend, Function, Lengths, Output, Scratch, grow};
use super::native::loops::LoopCode;
use crate::model::arrays::Axis;
use crate::model::graph::{Graph, InputId, NodeId, Op};

/// A function whose outputs hold arrays.
#[derive(Debug)]
pub(super) struct Mapped {
    stages: Vec<Stage>,
    /// how many numbers stages leave for each other
    shared: usize,
    operations: usize,
}

#[derive(Debug)]
enum Stage {
    /// straight-line code; it writes the shared numbers from `first` on
    Scalars { code: Box<Function>, first: usize },
    /// loops
    Loops {
        nest: Box<Nest>,
        code: Option<Box<LoopCode>>,
    },
}

/// Where each root of a function goes.
struct Placed {
    root: NodeId,
    array: u32,
    base: u32,
    stride: u32,
    accumulate: bool,
}

impl Mapped {
    /// The stages that compute outputs, with what a call must pass.
    pub fn new(
        graph: &Graph,
        outputs: &[Output],
        backend: Backend,
    ) -> Result<(Self, Lengths), CompileError> {
        let placed = place(graph, outputs);
        let roots: Vec<NodeId> = placed.iter().map(|p| p.root).collect();
        let live = graph.live(&roots);
        let mut stages = Staging::new(graph, &live, &placed);
        let mut made = Vec::new();
        let mut operations = 0;
        for rank in 0..=stages.last {
            if rank > 0 {
                let sums = stages.sums(rank);
                if !sums.is_empty() {
                    made.push(loops(stages.nest(&[], &sums, rank), backend)?);
                }
                for (axes, writes) in stages.kept(rank) {
                    made.push(loops(stages.nest(&axes, &writes, rank), backend)?);
                }
            }
            if let Some(stage) = stages.scalars(rank, &placed, outputs, backend)? {
                made.push(stage);
            }
        }
        for (shape, writes) in arrays(graph, &placed) {
            let axes = graph.arrays().shape(shape).to_vec();
            made.push(loops(stages.nest(&axes, &writes, usize::MAX), backend)?);
        }
        for stage in &made {
            operations += match stage {
                Stage::Scalars { code, .. } => code.operations(),
                Stage::Loops { nest, .. } => nest.levels.iter().map(Vec::len).sum(),
            };
        }
        let lengths = lengths(graph, &live, outputs)?;
        let mapped = Self {
            stages: made,
            shared: stages.length,
            operations,
        };
        Ok((mapped, lengths))
    }

    /// Number of operations, those of a loop once.
    pub fn operations(&self) -> usize {
        self.operations
    }

    /// Whether all of it is native code.
    pub fn is_native(&self) -> bool {
        self.stages.iter().all(|stage| match stage {
            Stage::Scalars { code, .. } => code.is_native(),
            Stage::Loops { code, .. } => code.is_some(),
        })
    }

    /// Makes `scratch` large enough that no call grows it.
    pub fn prepare(&self, scratch: &mut Scratch) {
        grow(&mut scratch.shared, self.shared);
        for stage in &self.stages {
            match stage {
                Stage::Scalars { code, .. } => code.prepare(scratch),
                Stage::Loops { nest, code: None } => grow(&mut scratch.registers, nest.registers),
                Stage::Loops { .. } => {}
            }
        }
    }

    /// Computes the outputs; the caller has checked the arrays' lengths.
    pub fn call(&self, inputs: &[&[f64]], outputs: &mut [&mut [f64]], scratch: &mut Scratch) {
        let mut shared = std::mem::take(&mut scratch.shared);
        grow(&mut shared, self.shared);
        for stage in &self.stages {
            match stage {
                Stage::Scalars { code, first } => {
                    with_shared(inputs, outputs, &mut shared, *first, |inputs, outputs| {
                        // lengths were checked: those of the whole are those of its parts
                        let _ = code.call(inputs, outputs, scratch);
                    });
                }
                Stage::Loops {
                    nest,
                    code: Some(code),
                } => run::call(code, nest, inputs, outputs, &mut shared),
                Stage::Loops { nest, code: None } => {
                    nest.interpret(inputs, outputs, &mut shared, &mut scratch.registers);
                }
            }
        }
        scratch.shared = shared;
    }

    /// Computes the outputs on any scalar; the caller has checked the arrays' lengths.
    pub fn evaluate<S: Scalar>(
        &self,
        inputs: &[&[S]],
        outputs: &mut [&mut [S]],
        registers: &mut Vec<S>,
    ) {
        // the shared numbers stand at the end of the registers
        let mut shared = std::mem::take(registers);
        if shared.len() < self.shared {
            shared.resize(self.shared, S::from(0.0));
        }
        let mut own = shared.split_off(self.shared);
        for stage in &self.stages {
            match stage {
                Stage::Scalars { code, first } => {
                    with_shared(inputs, outputs, &mut shared, *first, |inputs, outputs| {
                        let _ = code.evaluate(inputs, outputs, &mut own);
                    });
                }
                Stage::Loops { nest, .. } => {
                    nest.interpret(inputs, outputs, &mut shared, &mut own);
                }
            }
        }
        shared.append(&mut own);
        *registers = shared;
    }
}

/// Calls straight-line code with the shared numbers below `first` as one more input, those from there on as one more
/// output.
fn with_shared<S>(
    inputs: &[&[S]],
    outputs: &mut [&mut [S]],
    shared: &mut [S],
    first: usize,
    call: impl FnOnce(&[&[S]], &mut [&mut [S]]),
) {
    let (below, above) = shared.split_at_mut(first);
    let mut all_inputs: [&[S]; SHARED as usize + 1] = [&[]; SHARED as usize + 1];
    for (to, &from) in all_inputs
        .iter_mut()
        .zip(&inputs[..inputs.len().min(SHARED as usize)])
    {
        *to = from;
    }
    all_inputs[SHARED as usize] = below;
    let mut all_outputs: [&mut [S]; SHARED as usize] = Default::default();
    let count = outputs.len();
    for (to, from) in all_outputs.iter_mut().zip(outputs.iter_mut()) {
        *to = from;
    }
    if let Some(last) = all_outputs.get_mut(count) {
        *last = above;
    }
    call(
        &all_inputs,
        &mut all_outputs[..(count + 1).min(SHARED as usize)],
    );
}

fn loops(nest: Nest, backend: Backend) -> Result<Stage, CompileError> {
    if nest.slots > interpret::MOST_SLOTS {
        return Err(CompileError::TooManyLoops {
            loops: nest.slots,
            most: interpret::MOST_SLOTS,
        });
    }
    let code = match backend {
        Backend::Interpreter => None,
        Backend::Native => Some(Box::new(LoopCode::new(&nest)?)),
        Backend::Auto => LoopCode::new(&nest).ok().map(Box::new),
    };
    let nest = Box::new(nest);
    Ok(Stage::Loops { nest, code })
}

/// Where the roots of outputs go.
fn place(graph: &Graph, outputs: &[Output]) -> Vec<Placed> {
    let mut placed = Vec::new();
    for (array, output) in outputs.iter().enumerate() {
        for (&root, base) in output.nodes.iter().zip(output.bases(graph)) {
            let value = match graph.op(root) {
                Op::Array(_, value) => value,
                _ => root,
            };
            // adding nothing is left out
            if output.accumulate && graph.constant_value(value) == Some(0.0) {
                continue;
            }
            placed.push(Placed {
                root,
                array: array as u32,
                base,
                stride: output.stride,
                accumulate: output.accumulate,
            });
        }
    }
    placed
}

/// The arrays among roots, those of one shape together.
fn arrays(graph: &Graph, placed: &[Placed]) -> Vec<(crate::model::arrays::ShapeId, Vec<Write>)> {
    let mut by_shape: Vec<(_, Vec<Write>)> = Vec::new();
    for p in placed {
        let Op::Array(shape, value) = graph.op(p.root) else {
            continue;
        };
        let write = Write {
            value,
            array: p.array,
            base: p.base,
            stride: p.stride,
            accumulate: p.accumulate,
        };
        match by_shape.iter_mut().find(|(known, _)| *known == shape) {
            Some((_, writes)) => writes.push(write),
            None => by_shape.push((shape, vec![write])),
        }
    }
    by_shape
}

/// Shortest lengths of the arrays of a call.
fn lengths(graph: &Graph, live: &[NodeId], outputs: &[Output]) -> Result<Lengths, CompileError> {
    let mut inputs: Vec<usize> = Vec::new();
    for &id in live {
        let (group, end) = match graph.op(id) {
            Op::Input(input) => (input.group, input.index + 1),
            Op::Gather(gather) => {
                let gather = graph.arrays().gather(gather);
                (gather.group, gather.end())
            }
            _ => continue,
        };
        let group = usize::from(group);
        if group >= inputs.len() {
            inputs.resize(group + 1, 0);
        }
        inputs[group] = inputs[group].max(end as usize);
    }
    let outputs: Vec<usize> = outputs.iter().map(|output| output.length(graph)).collect();
    for arrays in [inputs.len(), outputs.len() + 1] {
        if arrays > usize::from(SHARED) {
            return Err(CompileError::TooManyArrays {
                arrays,
                most: usize::from(SHARED),
            });
        }
    }
    Ok(Lengths::new(&inputs, &outputs))
}

fn is_sum(graph: &Graph, id: NodeId) -> bool {
    matches!(graph.op(id), Op::Sum(..) | Op::SumWhere(..))
}

/// Which stage computes what varies along no axis.
struct Staging<'a> {
    graph: &'a Graph,
    /// by node: how many sums over whole arrays come before it
    rank: HashMap<NodeId, usize>,
    /// nodes whose value stages leave for others
    wanted: Vec<NodeId>,
    /// their places among the shared numbers
    shared: HashMap<NodeId, u32>,
    /// values over axes that stages leave for others, with the axes of their loops and their first places
    kept: Vec<(NodeId, Vec<Axis>, u32)>,
    kept_at: HashMap<NodeId, usize>,
    /// how many numbers stages leave
    length: usize,
    last: usize,
}

impl<'a> Staging<'a> {
    fn new(graph: &'a Graph, live: &[NodeId], placed: &[Placed]) -> Self {
        let roots: Vec<NodeId> = placed.iter().map(|p| p.root).collect();
        let keep = kept::values(graph, &roots);
        let mut rank: HashMap<NodeId, usize> = HashMap::with_capacity(live.len());
        let alone = |id: NodeId| graph.axes(id).is_empty();
        let computed = |id: NodeId| {
            alone(id)
                && !matches!(
                    graph.op(id),
                    Op::Constant(_) | Op::Input(_) | Op::Gather(_) | Op::Array(..)
                )
        };
        for &id in live {
            let before = graph.op(id).operands().map(|operand| rank[&operand]).max();
            let sum = alone(id) && is_sum(graph, id);
            let later = sum || keep.contains_key(&id);
            rank.insert(id, before.unwrap_or(0) + usize::from(later));
        }
        let mut wanted: Vec<NodeId> = Vec::new();
        for &id in live {
            let in_loop = !alone(id) || is_sum(graph, id) || matches!(graph.op(id), Op::Array(..));
            for operand in graph.op(id).operands() {
                let sum = is_sum(graph, operand);
                if computed(operand) && (in_loop || sum || rank[&operand] < rank[&id]) {
                    wanted.push(operand);
                }
            }
        }
        // a sum that is itself an output
        let sums = roots.into_iter();
        wanted.extend(sums.filter(|&root| computed(root) && is_sum(graph, root)));
        wanted.sort_unstable_by_key(|&id| (rank[&id], !is_sum(graph, id), id));
        wanted.dedup();
        let shared = wanted.iter().copied().zip(0..).collect();
        let mut length = wanted.len();
        let mut kept: Vec<(NodeId, Vec<Axis>, u32)> = Vec::new();
        for &id in live {
            if let Some(axes) = keep.get(&id) {
                kept.push((id, axes.clone(), length as u32));
                let size = axes.iter().map(|&a| graph.arrays().extent(a) as usize);
                length += size.product::<usize>();
            }
        }
        Self {
            graph,
            kept_at: kept.iter().map(|&(id, ..)| id).zip(0..).collect(),
            kept,
            length,
            last: rank.values().copied().max().unwrap_or(0),
            rank,
            wanted,
            shared,
        }
    }

    /// Where loops read a number that varies along no axis.
    fn input(&self, id: NodeId) -> InputId {
        if let Some(&index) = self.shared.get(&id) {
            return InputId {
                group: SHARED,
                index,
            };
        }
        match self.graph.op(id) {
            Op::Input(input) => input,
            Op::Gather(gather) => {
                let tables = self.graph.arrays();
                let gather = tables.gather(gather);
                InputId {
                    group: gather.group,
                    index: tables.place(gather, |_| 0).unwrap_or(gather.base),
                }
            }
            // what is neither is a constant, and no number to be read
            _ => InputId { group: 0, index: 0 },
        }
    }

    /// Loops of a rank: they read what is kept of lower ones.
    fn nest(&self, axes: &[Axis], writes: &[Write], rank: usize) -> Nest {
        let kept = |id: NodeId| {
            let (_, axes, base) = &self.kept[*self.kept_at.get(&id)?];
            (self.rank[&id] < rank).then(|| kept::element(self.graph, axes, *base))
        };
        Nest::new(self.graph, axes, writes, |id| self.input(id), kept)
    }

    /// The values over axes that stages of a rank leave, those along the same axes together.
    fn kept(&self, rank: usize) -> Vec<(Vec<Axis>, Vec<Write>)> {
        let mut nests: Vec<(Vec<Axis>, Vec<Write>)> = Vec::new();
        for (value, axes, base) in &self.kept {
            if self.rank[value] != rank {
                continue;
            }
            let write = Write {
                value: *value,
                array: u32::from(SHARED),
                base: *base,
                stride: 1,
                accumulate: false,
            };
            match nests.iter_mut().find(|(known, _)| known == axes) {
                Some((_, writes)) => writes.push(write),
                None => nests.push((axes.clone(), vec![write])),
            }
        }
        nests
    }

    fn is_sum(&self, id: NodeId) -> bool {
        is_sum(self.graph, id)
    }

    /// The sums over whole arrays of a rank.
    fn sums(&self, rank: usize) -> Vec<Write> {
        self.wanted
            .iter()
            .filter(|&&id| self.rank[&id] == rank && self.is_sum(id))
            .map(|&id| Write {
                value: id,
                array: u32::from(SHARED),
                base: self.shared[&id],
                stride: 1,
                accumulate: false,
            })
            .collect()
    }

    /// The straight-line code of a rank: numbers for other stages, and the outputs that are numbers.
    fn scalars(
        &mut self,
        rank: usize,
        placed: &[Placed],
        outputs: &[Output],
        backend: Backend,
    ) -> Result<Option<Stage>, CompileError> {
        let graph = self.graph;
        let exports: Vec<NodeId> = self
            .wanted
            .iter()
            .copied()
            .filter(|id| self.rank[id] == rank && !self.is_sum(*id))
            .collect();
        let first = exports
            .first()
            .map_or(self.wanted.len(), |id| self.shared[id] as usize);
        let roots: Vec<&Placed> = placed
            .iter()
            .filter(|p| !matches!(graph.op(p.root), Op::Array(..)) && self.rank[&p.root] == rank)
            .collect();
        if exports.is_empty() && roots.is_empty() {
            return Ok(None);
        }
        // a copy in which what other stages and loops compute is an input
        let wanted: Vec<NodeId> = exports
            .iter()
            .copied()
            .chain(roots.iter().map(|p| p.root))
            .collect();
        let mut copy = graph.empty_like();
        let mut renamed: HashMap<NodeId, NodeId> = HashMap::new();
        let mut stack = wanted.clone();
        while let Some(&id) = stack.last() {
            if renamed.contains_key(&id) {
                stack.pop();
                continue;
            }
            let elsewhere =
                self.shared.contains_key(&id) && (self.is_sum(id) || self.rank[&id] < rank);
            let op = graph.op(id);
            let new = if elsewhere || matches!(op, Op::Input(_) | Op::Gather(_)) {
                copy.intern(Op::Input(self.input(id)))
            } else {
                let missing: Vec<NodeId> = op
                    .operands()
                    .filter(|operand| !renamed.contains_key(operand))
                    .collect();
                if !missing.is_empty() {
                    stack.extend(missing);
                    continue;
                }
                copy.intern(super::program::with_operands(&op, |operand| {
                    renamed[&operand]
                }))
            };
            renamed.insert(id, new);
            stack.pop();
        }
        let mut lists: Vec<Output> = outputs
            .iter()
            .map(|output| Output {
                nodes: Vec::new(),
                places: Some(Vec::new()),
                accumulate: output.accumulate,
                stride: 1,
            })
            .collect();
        for p in roots {
            let list = &mut lists[p.array as usize];
            list.nodes.push(renamed[&p.root]);
            list.places.get_or_insert_default().push(p.base);
        }
        lists.push(Output::store(
            exports.iter().map(|id| renamed[id]).collect(),
        ));
        let code = Function::new(&copy, &lists, backend)?;
        Ok(Some(Stage::Scalars {
            code: Box::new(code),
            first,
        }))
    }
}
