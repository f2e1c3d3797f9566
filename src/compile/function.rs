//! A compiled function of arrays: the one thing other rooms of the house call.
//!
//! A function reads `inputs[group][index]` for the [`crate::model::graph::InputId`]s of its graph and writes
//! (or adds to) the output arrays. It holds no state of its own: one `Arc<Function>` serves every thread,
//! each with its own [`Scratch`].

use std::sync::OnceLock;

use costate_solvers::Scalar;

use super::decided::Decisions;
use super::error::{CallError, CompileError};
use super::interpreter::Interpreter;
use super::mapped::Mapped;
use super::native::{self, NativeCode};
use super::program::Program;
use crate::model::graph::{Graph, NodeId};

/// Most input arrays, and most output arrays, a function may have: their addresses are passed on the stack.
pub const MAX_ARRAYS: usize = 12;

/// An output array of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// its roots
    pub nodes: Vec<NodeId>,
    /// add the values to the array instead of storing them
    pub accumulate: bool,
    /// the place of each root's first number; `None`: one root follows the other
    pub places: Option<Vec<u32>>,
    /// from one number of a root to its next
    pub stride: u32,
}

impl Output {
    /// An array whose places are overwritten.
    pub fn store(nodes: Vec<NodeId>) -> Self {
        Self {
            nodes,
            accumulate: false,
            places: None,
            stride: 1,
        }
    }
    /// An array to whose places the values are added.
    pub fn accumulate(nodes: Vec<NodeId>) -> Self {
        Self {
            accumulate: true,
            ..Self::store(nodes)
        }
    }
    /// The same without the roots that are 0, to which there is nothing to add.
    pub fn accumulate_what_is_not_zero(graph: &Graph, nodes: Vec<NodeId>) -> Self {
        let all = Self::accumulate(nodes);
        let kept = all.nodes.iter().copied().zip(all.bases(graph));
        let (nodes, places) = kept.filter(|&(node, _)| !graph.is_zero(node)).unzip();
        Self {
            places: Some(places),
            ..Self::accumulate(nodes)
        }
    }
    /// The place of each root's first number.
    pub(super) fn bases(&self, graph: &Graph) -> Vec<u32> {
        match &self.places {
            Some(places) => places.clone(),
            None => {
                let mut next = 0;
                let base = |&node: &NodeId| {
                    let base = next;
                    next += graph.size(node) as u32 * self.stride;
                    base
                };
                self.nodes.iter().map(base).collect()
            }
        }
    }
    /// How long the array must be.
    pub(super) fn length(&self, graph: &Graph) -> usize {
        let ends = self
            .nodes
            .iter()
            .zip(self.bases(graph))
            .map(|(&node, base)| {
                let steps = graph.size(node).saturating_sub(1) * self.stride as usize;
                base as usize + steps + 1
            });
        ends.max().unwrap_or(0)
    }
}

/// How a function is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// native code where it can be made, else the interpreter
    #[default]
    Auto,
    /// the interpreter
    Interpreter,
    /// native code, or an error
    Native,
}

/// Room for intermediate values, one a thread; any function may use any scratch.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    /// the interpreter's registers
    pub(super) registers: Vec<f64>,
    /// values that native code carries from one of its chunks to a later one
    pub(super) spill: Vec<f64>,
    /// numbers that the stages of a function with arrays leave for each other
    pub(super) shared: Vec<f64>,
}

/// Code that computes output arrays from input arrays. `Send + Sync`; cheap to share in an [`Arc`](std::sync::Arc).
#[derive(Debug)]
pub struct Function {
    lengths: Lengths,
    native: Option<NativeCode>,
    program: Program,
    /// made when first run: a function in native code often never needs it
    interpreter: OnceLock<Interpreter>,
    /// choices that its first arguments make; found when first run over a scalar
    decisions: OnceLock<Option<Decisions>>,
    /// what runs in place of all that where there are arrays
    mapped: Option<Box<Mapped>>,
}

impl Function {
    /// Compiles the outputs of a graph.
    pub fn new(graph: &Graph, outputs: &[Output], backend: Backend) -> Result<Self, CompileError> {
        let roots: Vec<NodeId> = outputs
            .iter()
            .flat_map(|o| o.nodes.iter().copied())
            .collect();
        let bad = roots.iter().find(|root| root.0 as usize >= graph.len());
        if bad.is_none() && graph.has_arrays(&roots) {
            let (mapped, lengths) = Mapped::new(graph, outputs, backend)?;
            return Ok(Self {
                lengths,
                native: None,
                program: Program::new(graph, &[])?,
                interpreter: OnceLock::new(),
                decisions: OnceLock::new(),
                mapped: Some(Box::new(mapped)),
            });
        }
        let program = Program::new(graph, outputs)?;
        let native = match backend {
            Backend::Interpreter => None,
            Backend::Native => Some(native::compile(&program)?),
            Backend::Auto => native::compile(&program).ok(),
        };
        Ok(Self {
            lengths: program.lengths(),
            native,
            program,
            interpreter: OnceLock::new(),
            decisions: OnceLock::new(),
            mapped: None,
        })
    }

    /// Whether calls run native code.
    pub fn is_native(&self) -> bool {
        match &self.mapped {
            Some(mapped) => mapped.is_native(),
            None => self.native.is_some(),
        }
    }

    /// Number of operations, inputs and constants among them.
    pub fn operations(&self) -> usize {
        match &self.mapped {
            Some(mapped) => mapped.operations(),
            None => self.program.ops.len(),
        }
    }

    /// Shortest allowed lengths of the input arrays, and of the output arrays.
    pub fn required_lengths(&self) -> (&[usize], &[usize]) {
        (
            &self.lengths.inputs[..self.lengths.input_count],
            &self.lengths.outputs[..self.lengths.output_count],
        )
    }

    /// Makes `scratch` large enough that no call of this function grows it.
    pub fn prepare(&self, scratch: &mut Scratch) {
        match (&self.native, &self.mapped) {
            (_, Some(mapped)) => mapped.prepare(scratch),
            (Some(code), _) => grow(&mut scratch.spill, code.spill_slots()),
            (None, None) => grow(&mut scratch.registers, self.interpreter().registers()),
        }
    }

    /// Computes the outputs. Arrays may be longer than required; what lies beyond is left alone.
    #[inline]
    pub fn call(
        &self,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
        scratch: &mut Scratch,
    ) -> Result<(), CallError> {
        let fits = match &self.native {
            Some(code) => code.call(inputs, outputs, &mut scratch.spill),
            None => {
                let fits = self.lengths.fit(inputs, outputs);
                match &self.mapped {
                    _ if !fits => {}
                    Some(mapped) => mapped.call(inputs, outputs, scratch),
                    None => {
                        let registers = &mut scratch.registers;
                        self.interpreter().evaluate(inputs, outputs, registers);
                    }
                }
                fits
            }
        };
        if fits {
            Ok(())
        } else {
            Err(self.lengths.misfit(inputs, outputs))
        }
    }

    /// Computes the outputs on any scalar, with the interpreter.
    pub fn evaluate<S: Scalar>(
        &self,
        inputs: &[&[S]],
        outputs: &mut [&mut [S]],
        registers: &mut Vec<S>,
    ) -> Result<(), CallError> {
        if !self.lengths.fit(inputs, outputs) {
            return Err(self.lengths.misfit(inputs, outputs));
        }
        if let Some(mapped) = &self.mapped {
            mapped.evaluate(inputs, outputs, registers);
            return Ok(());
        }
        match self.decisions() {
            Some(decisions) => {
                let left = decisions.decided(&self.program, inputs);
                left.evaluate(inputs, outputs, registers);
            }
            None => self.interpreter().evaluate(inputs, outputs, registers),
        }
        Ok(())
    }

    /// How many choices the interpreter is spared by those that are made before a state is known.
    pub(super) fn decided_choices(&self) -> usize {
        self.decisions().map_or(0, Decisions::count)
    }

    fn decisions(&self) -> Option<&Decisions> {
        let find = || Decisions::of(&self.program);
        self.decisions.get_or_init(find).as_ref()
    }

    fn interpreter(&self) -> &Interpreter {
        self.interpreter
            .get_or_init(|| Interpreter::new(&self.program))
    }
}

/// Shortest allowed lengths of the arrays of a call, 0 beyond the last array needed.
#[derive(Debug, Clone, Default)]
pub(super) struct Lengths {
    /// of every input array
    pub inputs: [usize; MAX_ARRAYS],
    /// how many input arrays there must be
    pub input_count: usize,
    /// of every output array
    pub outputs: [usize; MAX_ARRAYS],
    /// how many output arrays there must be
    pub output_count: usize,
}

impl Lengths {
    /// Those of the given arrays, at most [`MAX_ARRAYS`] of either kind.
    pub fn new(inputs: &[usize], outputs: &[usize]) -> Self {
        let mut lengths = Self {
            input_count: inputs.len(),
            output_count: outputs.len(),
            ..Self::default()
        };
        for (to, &from) in lengths.inputs.iter_mut().zip(inputs) {
            *to = from;
        }
        for (to, &from) in lengths.outputs.iter_mut().zip(outputs) {
            *to = from;
        }
        lengths
    }

    /// Whether every array is there and long enough.
    #[inline]
    pub fn fit<T>(&self, inputs: &[&[T]], outputs: &[&mut [T]]) -> bool {
        // loops over the caller's arrays: inlined where their number is known, they unroll
        inputs.len() >= self.input_count
            && outputs.len() >= self.output_count
            && inputs
                .iter()
                .zip(&self.inputs)
                .all(|(array, &required)| array.len() >= required)
            && outputs
                .iter()
                .zip(&self.outputs)
                .all(|(array, &required)| array.len() >= required)
    }

    /// Which array does not fit.
    #[cold]
    fn misfit<T>(&self, inputs: &[&[T]], outputs: &[&mut [T]]) -> CallError {
        let first_short = |given: &[usize], required: &[usize]| {
            (0..required.len())
                .find(|&k| given.get(k).is_none_or(|&length| length < required[k]))
                .map(|k| (k, given.get(k).copied().unwrap_or(0), required[k]))
        };
        let given: Vec<_> = inputs.iter().map(|a| a.len()).collect();
        if let Some((array, length, required)) =
            first_short(&given, &self.inputs[..self.input_count])
        {
            return CallError::Input {
                array,
                length,
                required,
            };
        }
        let given: Vec<_> = outputs.iter().map(|a| a.len()).collect();
        let (array, length, required) =
            first_short(&given, &self.outputs[..self.output_count]).unwrap_or_default();
        CallError::Output {
            array,
            length,
            required,
        }
    }
}

/// Lengthens a vector with zeros to at least `length`.
pub(super) fn grow(numbers: &mut Vec<f64>, length: usize) {
    if numbers.len() < length {
        numbers.resize(length, 0.0);
    }
}
