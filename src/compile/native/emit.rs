//! The machine code of one chunk, operation by operation, as Cranelift's intermediate language.

use std::collections::HashMap;

use costate_solvers::scalar::half_exponent;
use cranelift_codegen::ir;
use cranelift_codegen::ir::{
    AbiParam, InstBuilder, MemFlagsData, Signature, UserFuncName, Value, types,
};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

use super::lanes::{Unit, units};
use super::operations::Operations;
use super::plan::{NO_SLOT, Plan};
use crate::compile::function::MAX_ARRAYS;
use crate::compile::program::{Program, Store};
use crate::model::graph::{Binary, InputId, NodeId, Op};

/// Flags of access to two numbers: they are aligned as one is.
const UNALIGNED: MemFlagsData = MemFlagsData::new().with_notrap();

/// Writes the code of one chunk.
pub(super) struct Emitter<'a, 'b> {
    program: &'a Program,
    plan: &'a Plan,
    ops: Operations<'a, 'b>,
    /// the three parameters
    inputs: Value,
    outputs: Value,
    spill: Value,
    /// first operation of the chunk
    start: usize,
    /// values of the chunk's own operations
    own: Vec<Option<Value>>,
    /// values of earlier operations, brought in
    brought: HashMap<u32, Value>,
    /// two operations' values, or operands, in one vector
    vectors: HashMap<(usize, usize), Value>,
    /// vector and lane of each operation that ran in one
    lane_of: Vec<Option<(Value, u8)>>,
    input_arrays: [Option<Value>; MAX_ARRAYS],
    output_arrays: [Option<Value>; MAX_ARRAYS],
    /// the value not yet stored: output array, place in it
    waiting: Option<(u32, u32, Value)>,
}

impl<'a, 'b> Emitter<'a, 'b> {
    /// Writes the code of a chunk into `function`.
    pub fn emit(
        program: &'a Program,
        plan: &'a Plan,
        chunk: usize,
        isa: &OwnedTargetIsa,
        function: &'b mut ir::Function,
        context: &'b mut FunctionBuilderContext,
    ) {
        let pointer = isa.pointer_type();
        let mut signature = Signature::new(isa.default_call_conv());
        signature.params = vec![AbiParam::new(pointer); 3];
        function.signature = signature;
        function.name = UserFuncName::user(0, 0);
        let mut builder = FunctionBuilder::new(function, context);
        let block = builder.create_block();
        builder.append_block_params_for_function_params(block);
        builder.switch_to_block(block);
        builder.seal_block(block);
        let (inputs, outputs, spill) = match *builder.block_params(block) {
            [inputs, outputs, spill] => (inputs, outputs, spill),
            _ => return,
        };
        let (start, end) = (plan.starts[chunk], plan.starts[chunk + 1]);
        let mut emitter = Self {
            program,
            plan,
            ops: Operations::new(builder, pointer, &program.tables),
            inputs,
            outputs,
            spill,
            start,
            own: vec![None; end - start],
            brought: HashMap::new(),
            vectors: HashMap::new(),
            lane_of: vec![None; program.ops.len()],
            input_arrays: [None; MAX_ARRAYS],
            output_arrays: [None; MAX_ARRAYS],
            waiting: None,
        };
        if plan.starts.len() == 2 {
            for unit in units(program) {
                match unit {
                    Unit::One(place) => emitter.place(place),
                    Unit::Two(low, high) => emitter.pair(low, high),
                }
            }
        } else {
            for place in start..end {
                emitter.place(place);
            }
        }
        emitter.finish_stores();
        emitter.ops.builder.ins().return_(&[]);
        emitter.ops.builder.finalize(isa.frontend_config());
    }

    /// Runs one operation and stores its value where it goes.
    fn place(&mut self, place: usize) {
        let op = &self.program.ops[place];
        let stores = self.program.stores_of(place);
        // inputs and constants are made where they are used
        if matches!(op, Op::Input(_) | Op::Constant(_)) && stores.is_empty() {
            return;
        }
        let value = self.operation(op);
        self.own[place - self.start] = Some(value);
        for store in stores {
            self.store(store, value);
        }
        let slot = self.plan.slot_of[place];
        if slot != NO_SLOT {
            let flags = MemFlagsData::trusted();
            self.ops
                .builder
                .ins()
                .store(flags, value, self.spill, slot as i32 * 8);
        }
    }

    /// Runs two operations of one kind at once.
    fn pair(&mut self, low: usize, high: usize) {
        let (first, second) = (self.program.ops[low], self.program.ops[high]);
        let mut operands = first.operands().zip(second.operands());
        let Some(operand) = operands.next() else {
            return;
        };
        let a = self.lanes(operand);
        let value = match first {
            Op::Powi(_, n) => self.ops.powi(a, n),
            Op::Binary(_, _, exponent) => {
                let n = self.half_exponent(exponent).unwrap_or(1);
                self.ops.power_of_root(a, n)
            }
            Op::Div(_, divisor) => {
                let b = self.lanes(operands.next().unwrap_or((divisor, divisor)));
                self.ops.builder.ins().fdiv(a, b)
            }
            _ => self.ops.builder.ins().sqrt(a),
        };
        self.vectors.insert((low, high), value);
        self.lane_of[low] = Some((value, 0));
        self.lane_of[high] = Some((value, 1));
        for place in [low, high] {
            for store in self.program.stores_of(place) {
                let value = self.value(NodeId(place as u32));
                self.store(store, value);
            }
        }
    }

    /// Two values in the lanes of a vector.
    fn lanes(&mut self, (low, high): (NodeId, NodeId)) -> Value {
        let key = (low.0 as usize, high.0 as usize);
        if let Some(&known) = self.vectors.get(&key) {
            return known;
        }
        let both = match (self.program.ops[key.0], self.program.ops[key.1]) {
            (Op::Constant(x), Op::Constant(y)) => self.pair_of_constants(x, y),
            _ if low == high => {
                let value = self.value(low);
                self.ops.builder.ins().splat(types::F64X2, value)
            }
            _ => {
                let (low, high) = (self.value(low), self.value(high));
                self.ops.join(low, high)
            }
        };
        self.vectors.insert(key, both);
        both
    }

    fn pair_of_constants(&mut self, low: u64, high: u64) -> Value {
        let bytes: Vec<u8> = [low, high].into_iter().flat_map(u64::to_le_bytes).collect();
        let data = self.ops.builder.func.dfg.constants.insert(bytes.into());
        self.ops.builder.ins().vconst(types::F64X2, data)
    }

    /// The value of an operand, brought into the chunk where it is not there yet.
    fn value(&mut self, id: NodeId) -> Value {
        let place = id.0 as usize;
        let known = match place.checked_sub(self.start) {
            Some(own) => self.own[own],
            None => self.brought.get(&id.0).copied(),
        };
        if let Some(value) = known {
            return value;
        }
        let op = &self.program.ops[place];
        let value = match *op {
            Op::Input(_) | Op::Constant(_) => self.operation(op),
            _ if let Some((vector, lane)) = self.lane_of[place] => {
                self.ops.builder.ins().extractlane(vector, lane)
            }
            _ => self.ops.builder.ins().load(
                types::F64,
                MemFlagsData::trusted(),
                self.spill,
                self.plan.slot_of[place] as i32 * 8,
            ),
        };
        match place.checked_sub(self.start) {
            Some(own) => self.own[own] = Some(value),
            None => {
                self.brought.insert(id.0, value);
            }
        }
        value
    }

    /// Stores a value, or lets it wait for the next store: two neighbors are written by one instruction. For who reads
    /// both at once, two instructions would be worth a stall: a processor hands a value on from one store only.
    fn store(&mut self, store: &Store, value: Value) {
        let (base, offset) = self.address(store.array, store.index);
        let flags = MemFlagsData::trusted();
        if store.accumulate {
            let old = self.ops.builder.ins().load(types::F64, flags, base, offset);
            let sum = self.ops.builder.ins().fadd(old, value);
            self.ops.builder.ins().store(flags, sum, base, offset);
            return;
        }
        match self.waiting.take() {
            Some((array, index, other)) if array == store.array && index ^ 1 == store.index => {
                let [low, high] = if index < store.index {
                    [other, value]
                } else {
                    [value, other]
                };
                let both = self.ops.join(low, high);
                let (base, offset) = self.address(array, index & !1);
                self.ops.builder.ins().store(UNALIGNED, both, base, offset);
            }
            other => {
                self.waiting = other;
                self.finish_stores();
                self.waiting = Some((store.array, store.index, value));
            }
        }
    }

    /// Stores the value that waits for its neighbor.
    fn finish_stores(&mut self) {
        if let Some((array, index, value)) = self.waiting.take() {
            let (base, offset) = self.address(array, index);
            let flags = MemFlagsData::trusted();
            self.ops.builder.ins().store(flags, value, base, offset);
        }
    }

    /// Base and offset of a place of an output array.
    fn address(&mut self, array: u32, index: u32) -> (Value, i32) {
        let place = array as usize;
        let base = match self.output_arrays[place] {
            Some(base) => base,
            None => self.ops.builder.ins().load(
                self.ops.pointer,
                MemFlagsData::trusted().with_readonly(),
                self.outputs,
                (place * usize::from(self.ops.pointer.bytes() as u8)) as i32,
            ),
        };
        self.output_arrays[place] = Some(base);
        (base, index as i32 * 8)
    }

    fn input(&mut self, input: InputId) -> Value {
        let base = self.input_array(input.group);
        let flags = MemFlagsData::trusted().with_readonly();
        self.ops
            .builder
            .ins()
            .load(types::F64, flags, base, input.index as i32 * 8)
    }

    /// Address of an input array.
    fn input_array(&mut self, group: u16) -> Value {
        let array = usize::from(group);
        let base = match self.input_arrays[array] {
            Some(base) => base,
            None => self.ops.builder.ins().load(
                self.ops.pointer,
                MemFlagsData::trusted().with_readonly(),
                self.inputs,
                (array * usize::from(self.ops.pointer.bytes() as u8)) as i32,
            ),
        };
        self.input_arrays[array] = Some(base);
        base
    }

    fn operation(&mut self, op: &Op) -> Value {
        let mut values = [Value::from_u32(0); 4];
        for (value, operand) in values.iter_mut().zip(op.operands()) {
            *value = self.value(operand);
        }
        match *op {
            Op::Input(input) => self.input(input),
            Op::Binary(Binary::Pow, _, exponent) => {
                let half = self.half_exponent(exponent);
                self.ops.apply(op, values, half)
            }
            _ => self.ops.apply(op, values, None),
        }
    }

    /// n where an operand is the constant n / 2 for a small odd n.
    fn half_exponent(&self, operand: NodeId) -> Option<i32> {
        match self.program.ops[operand.0 as usize] {
            Op::Constant(bits) => half_exponent(f64::from_bits(bits)),
            _ => None,
        }
    }
}
