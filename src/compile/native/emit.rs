//! The machine code of one chunk, operation by operation, as Cranelift's intermediate language.

use std::collections::HashMap;
use std::sync::Arc;

use costate_solvers::scalar::half_exponent;
use costate_solvers::{Comparison, Real};
use cranelift_codegen::ir;
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::immediates::Ieee64;
use cranelift_codegen::ir::{
    AbiParam, InstBuilder, MemFlagsData, SigRef, Signature, Type, UserFuncName, Value, types,
};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

use super::lanes::{Unit, units};
use super::plan::{NO_SLOT, Plan};
use crate::compile::function::MAX_ARRAYS;
use crate::compile::program::{Program, Store};
use crate::model::graph::{Binary, InputId, NodeId, Op, Unary};
use crate::model::table::PiecewisePolynomial;

/// Flags of access to two numbers: they are aligned as one is.
const UNALIGNED: MemFlagsData = MemFlagsData::new().with_notrap();

/// Writes the code of one chunk.
pub(super) struct Emitter<'a, 'b> {
    program: &'a Program,
    plan: &'a Plan,
    builder: FunctionBuilder<'b>,
    pointer: Type,
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
    /// signatures f(a), f(a, b) and of the table look-up, once used
    unary: Option<SigRef>,
    binary: Option<SigRef>,
    table: Option<SigRef>,
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
            builder,
            pointer,
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
            unary: None,
            binary: None,
            table: None,
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
        emitter.builder.ins().return_(&[]);
        emitter.builder.finalize(isa.frontend_config());
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
            self.builder
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
            Op::Powi(_, n) => self.powi(a, n),
            Op::Binary(_, _, exponent) => {
                let n = self.half_exponent(exponent).unwrap_or(1);
                self.power_of_root(a, n)
            }
            Op::Div(_, divisor) => {
                let b = self.lanes(operands.next().unwrap_or((divisor, divisor)));
                self.builder.ins().fdiv(a, b)
            }
            _ => self.builder.ins().sqrt(a),
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
                self.builder.ins().splat(types::F64X2, value)
            }
            _ => {
                let (low, high) = (self.value(low), self.value(high));
                self.join(low, high)
            }
        };
        self.vectors.insert(key, both);
        both
    }

    fn join(&mut self, low: Value, high: Value) -> Value {
        let low = self.builder.ins().scalar_to_vector(types::F64X2, low);
        self.builder.ins().insertlane(low, high, 1)
    }

    fn pair_of_constants(&mut self, low: u64, high: u64) -> Value {
        let bytes: Vec<u8> = [low, high].into_iter().flat_map(u64::to_le_bytes).collect();
        let data = self.builder.func.dfg.constants.insert(bytes.into());
        self.builder.ins().vconst(types::F64X2, data)
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
                self.builder.ins().extractlane(vector, lane)
            }
            _ => self.builder.ins().load(
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
            let old = self.builder.ins().load(types::F64, flags, base, offset);
            let sum = self.builder.ins().fadd(old, value);
            self.builder.ins().store(flags, sum, base, offset);
            return;
        }
        match self.waiting.take() {
            Some((array, index, other)) if array == store.array && index ^ 1 == store.index => {
                let [low, high] = if index < store.index {
                    [other, value]
                } else {
                    [value, other]
                };
                let both = self.join(low, high);
                let (base, offset) = self.address(array, index & !1);
                self.builder.ins().store(UNALIGNED, both, base, offset);
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
            self.builder.ins().store(flags, value, base, offset);
        }
    }

    /// Base and offset of a place of an output array.
    fn address(&mut self, array: u32, index: u32) -> (Value, i32) {
        let place = array as usize;
        let base = match self.output_arrays[place] {
            Some(base) => base,
            None => self.builder.ins().load(
                self.pointer,
                MemFlagsData::trusted().with_readonly(),
                self.outputs,
                (place * usize::from(self.pointer.bytes() as u8)) as i32,
            ),
        };
        self.output_arrays[place] = Some(base);
        (base, index as i32 * 8)
    }

    fn input(&mut self, input: InputId) -> Value {
        let base = self.input_array(input.group);
        let flags = MemFlagsData::trusted().with_readonly();
        self.builder
            .ins()
            .load(types::F64, flags, base, input.index as i32 * 8)
    }

    /// Address of an input array.
    fn input_array(&mut self, group: u16) -> Value {
        let array = usize::from(group);
        let base = match self.input_arrays[array] {
            Some(base) => base,
            None => self.builder.ins().load(
                self.pointer,
                MemFlagsData::trusted().with_readonly(),
                self.inputs,
                (array * usize::from(self.pointer.bytes() as u8)) as i32,
            ),
        };
        self.input_arrays[array] = Some(base);
        base
    }

    fn constant(&mut self, value: f64) -> Value {
        self.builder
            .ins()
            .f64const(Ieee64::with_bits(value.to_bits()))
    }

    fn operation(&mut self, op: &Op) -> Value {
        let mut values = [Value::from_u32(0); 4];
        for (value, operand) in values.iter_mut().zip(op.operands()) {
            *value = self.value(operand);
        }
        let [a, b, c, d] = values;
        match *op {
            Op::Constant(bits) => self.constant(f64::from_bits(bits)),
            Op::Input(input) => self.input(input),
            // loops are compiled elsewhere (`mapped`)
            Op::Index(_) | Op::Gather(_) | Op::Sum(..) | Op::Array(..) => self.constant(f64::NAN),
            Op::Add(..) => self.builder.ins().fadd(a, b),
            Op::Sub(..) => self.builder.ins().fsub(a, b),
            Op::Mul(..) => self.builder.ins().fmul(a, b),
            Op::Div(..) => self.builder.ins().fdiv(a, b),
            Op::Neg(_) => self.builder.ins().fneg(a),
            Op::Powi(_, n) => self.powi(a, n),
            Op::Unary(f, _) => self.apply_unary(f, a),
            Op::Binary(Binary::Pow, _, exponent) if self.half_exponent(exponent).is_some() => {
                let n = self.half_exponent(exponent).unwrap_or(1);
                self.power_of_root(a, n)
            }
            Op::Binary(f, ..) => self.apply_binary(f, a, b),
            Op::Select { comparison, .. } => self.select(condition(comparison), a, b, c, d),
            Op::Table { table, order, .. } => {
                let address = Arc::as_ptr(&self.program.tables[table as usize]) as usize;
                let address = self.builder.ins().iconst(self.pointer, address as i64);
                let order = self.builder.ins().iconst(types::I32, i64::from(order));
                let parameters = [self.pointer, types::I32, types::F64, types::F64];
                let signature = match self.table {
                    Some(signature) => signature,
                    None => self.import(&parameters),
                };
                self.table = Some(signature);
                let callee = look_up as TableFunction as usize;
                self.call(signature, callee, &[address, order, a, b])
            }
        }
    }

    fn select(&mut self, code: FloatCC, left: Value, right: Value, yes: Value, no: Value) -> Value {
        let holds = self.builder.ins().fcmp(code, left, right);
        self.builder.ins().select(holds, yes, no)
    }

    /// 1, as many times as `like` has lanes.
    fn one_like(&mut self, like: Value) -> Value {
        let one = self.constant(1.0);
        let kind = self.builder.func.dfg.value_type(like);
        if kind.is_vector() {
            self.builder.ins().splat(kind, one)
        } else {
            one
        }
    }

    /// `costate_solvers::scalar::powi_by_squaring`, unrolled.
    fn powi(&mut self, x: Value, n: i32) -> Value {
        let mut left = n.unsigned_abs();
        let mut square = x;
        let mut product: Option<Value> = None;
        while left > 0 {
            if left & 1 == 1 {
                product = Some(match product {
                    Some(p) => self.builder.ins().fmul(p, square),
                    None => square,
                });
            }
            left >>= 1;
            if left > 0 {
                square = self.builder.ins().fmul(square, square);
            }
        }
        let one = self.one_like(x);
        let magnitude = product.unwrap_or(one);
        if n < 0 {
            self.builder.ins().fdiv(one, magnitude)
        } else {
            magnitude
        }
    }

    /// n where an operand is the constant n / 2 for a small odd n.
    fn half_exponent(&self, operand: NodeId) -> Option<i32> {
        match self.program.ops[operand.0 as usize] {
            Op::Constant(bits) => half_exponent(f64::from_bits(bits)),
            _ => None,
        }
    }

    /// `costate_solvers::scalar::power_of_root`, unrolled.
    fn power_of_root(&mut self, x: Value, n: i32) -> Value {
        let whole = (n.unsigned_abs() / 2) as i32;
        let root = self.builder.ins().sqrt(x);
        let magnitude = if whole == 0 {
            root
        } else {
            let power = self.powi(x, whole);
            self.builder.ins().fmul(power, root)
        };
        if n < 0 {
            let one = self.one_like(x);
            self.builder.ins().fdiv(one, magnitude)
        } else {
            magnitude
        }
    }

    fn apply_unary(&mut self, f: Unary, a: Value) -> Value {
        let function: UnaryFunction = match f {
            Unary::Sqrt => return self.builder.ins().sqrt(a),
            Unary::Abs => return self.builder.ins().fabs(a),
            Unary::Floor => return self.builder.ins().floor(a),
            Unary::Ceil => return self.builder.ins().ceil(a),
            Unary::Sign => {
                let (zero, one) = (self.constant(0.0), self.constant(1.0));
                let minus = self.constant(-1.0);
                let neither = self.builder.ins().fmul(a, zero);
                let below = self.select(FloatCC::LessThan, a, zero, minus, neither);
                return self.select(FloatCC::GreaterThan, a, zero, one, below);
            }
            Unary::Exp => exp,
            Unary::Expm1 => exp_m1,
            Unary::Log => ln,
            Unary::Log1p => ln_1p,
            Unary::Log2 => log2,
            Unary::Log10 => log10,
            Unary::Cbrt => cbrt,
            Unary::Sin => sin,
            Unary::Cos => cos,
            Unary::Tan => tan,
            Unary::Asin => asin,
            Unary::Acos => acos,
            Unary::Atan => atan,
            Unary::Sinh => sinh,
            Unary::Cosh => cosh,
            Unary::Tanh => tanh,
            Unary::Asinh => asinh,
            Unary::Acosh => acosh,
            Unary::Atanh => atanh,
            Unary::Erf => erf,
        };
        let signature = match self.unary {
            Some(signature) => signature,
            None => self.import(&[types::F64]),
        };
        self.unary = Some(signature);
        self.call(signature, function as usize, &[a])
    }

    fn apply_binary(&mut self, f: Binary, a: Value, b: Value) -> Value {
        let function: BinaryFunction = match f {
            Binary::Min => return self.select(FloatCC::LessThanOrEqual, a, b, a, b),
            Binary::Max => return self.select(FloatCC::GreaterThanOrEqual, a, b, a, b),
            Binary::Mod => {
                let quotient = self.builder.ins().fdiv(a, b);
                let whole = self.builder.ins().floor(quotient);
                let multiple = self.builder.ins().fmul(b, whole);
                return self.builder.ins().fsub(a, multiple);
            }
            Binary::Pow => powf,
            Binary::Atan2 => atan2,
            Binary::Hypot => hypot,
        };
        let signature = match self.binary {
            Some(signature) => signature,
            None => self.import(&[types::F64; 2]),
        };
        self.binary = Some(signature);
        self.call(signature, function as usize, &[a, b])
    }

    /// Declares the signature of a function that returns a number.
    fn import(&mut self, parameters: &[Type]) -> SigRef {
        let mut signature = Signature::new(self.builder.func.signature.call_conv);
        signature.params = parameters.iter().map(|&t| AbiParam::new(t)).collect();
        signature.returns.push(AbiParam::new(types::F64));
        self.builder.import_signature(signature)
    }

    fn call(&mut self, signature: SigRef, address: usize, arguments: &[Value]) -> Value {
        let callee = self.builder.ins().iconst(self.pointer, address as i64);
        let call = self
            .builder
            .ins()
            .call_indirect(signature, callee, arguments);
        self.builder.inst_results(call)[0]
    }
}

/// The machine's comparison; all are false where a side is NaN, but "not equal", which is true, as in Rust.
fn condition(comparison: Comparison) -> FloatCC {
    match comparison {
        Comparison::Less => FloatCC::LessThan,
        Comparison::LessOrEqual => FloatCC::LessThanOrEqual,
        Comparison::Greater => FloatCC::GreaterThan,
        Comparison::GreaterOrEqual => FloatCC::GreaterThanOrEqual,
        Comparison::Equal => FloatCC::Equal,
        Comparison::NotEqual => FloatCC::NotEqual,
    }
}

/// A function of one argument that native code calls.
pub(super) type UnaryFunction = extern "C" fn(f64) -> f64;
type BinaryFunction = extern "C" fn(f64, f64) -> f64;
type TableFunction = unsafe extern "C" fn(*const PiecewisePolynomial, u32, f64, f64) -> f64;

/// The methods of `Real for f64` as functions that native code can call.
macro_rules! callable {
    ($($name:ident),*) => {
        $(pub(super) extern "C" fn $name(x: f64) -> f64 { Real::$name(x) })*
    };
}
callable!(
    exp, exp_m1, ln, ln_1p, log2, log10, cbrt, sin, cos, tan, asin, acos, atan, sinh, cosh, tanh,
    asinh, acosh, atanh, erf, floor, ceil
);
extern "C" fn powf(x: f64, exponent: f64) -> f64 {
    Real::powf(x, exponent)
}
extern "C" fn atan2(y: f64, x: f64) -> f64 {
    Real::atan2(y, x)
}
extern "C" fn hypot(x: f64, y: f64) -> f64 {
    Real::hypot(x, y)
}

/// Looks a table up for native code.
///
/// # Safety
///
/// `table` points to a table that lives and is not written to during the call.
unsafe extern "C" fn look_up(
    table: *const PiecewisePolynomial,
    order: u32,
    at: f64,
    place: f64,
) -> f64 {
    // SAFETY: promised by the caller: native code passes the address of a table that its owner keeps alive.
    let table = unsafe { &*table };
    table.evaluate(order as u8, at, place)
}
