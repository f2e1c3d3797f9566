//! Native code for programs over `f64`, made by Cranelift.
//!
//! A program becomes straight-line code without a branch that a reader would see: loads of inputs, arithmetic,
//! calls, stores. Code generation takes super-linear time in the length of a function, so a long program is
//! cut into chunks of about [`CHUNK_WEIGHT`] operations, each a machine function of its own; a value computed
//! in one chunk and read in a later one travels through a spill array. Inputs are read again and constants
//! made again in every chunk that needs them.
//!
//! Bits: every operation is the one that `Real for f64` performs, in the same order, never contracted to a
//! fused multiply-add; functions of the mathematical library are called through wrappers of the very same
//! Rust methods. Only operations that IEEE 754 rounds exactly (+ - * / sqrt, abs, neg, floor, ceil) are
//! instructions. Sign and payload of a NaN are not specified, here or in Rust.
//!
//! This is the only file of the crate that runs generated code.

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use costate_solvers::{Comparison, Real};
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::immediates::Ieee64;
use cranelift_codegen::ir::{
    AbiParam, InstBuilder, MemFlagsData, SigRef, Signature, Type, UserFuncName, Value, types,
};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{Context, ir};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Module, default_libcall_names};

use super::error::CompileError;
use super::function::{Lengths, MAX_ARRAYS, grow};
use super::program::{Program, Store};
use crate::model::graph::{Binary, InputId, NodeId, Op, Unary};
use crate::model::table::PiecewisePolynomial;

/// Operations a chunk holds before the next one begins.
const CHUNK_WEIGHT: usize = 700;

/// Programs above this many operations are compiled by the fast, single-pass code generator.
const OPTIMIZED_WEIGHT: usize = 1500;

/// A chunk's machine code: input arrays, output arrays, spill array.
type Chunk = unsafe extern "C" fn(*const *const f64, *const *mut f64, *mut f64);

/// Memory that holds the code of a program; freed with it. The lock makes it `Sync`; nobody waits for it.
struct CodeMemory(Mutex<Option<JITModule>>);

impl CodeMemory {
    fn module(&mut self) -> Option<&mut JITModule> {
        let module = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        module.as_mut()
    }
}

impl Drop for CodeMemory {
    fn drop(&mut self) {
        let module = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = module.take() {
            // SAFETY: the addresses of this module's functions live only in the `NativeCode` that owns this
            // memory and hands none of them out; it is being dropped, so no code runs or will be called.
            unsafe { module.free_memory() };
        }
    }
}

/// Machine code of one program.
pub(super) struct NativeCode {
    chunks: Box<[Chunk]>,
    lengths: Lengths,
    spill_slots: usize,
    /// what the addresses in the code point to
    _tables: Box<[Arc<PiecewisePolynomial>]>,
    _memory: CodeMemory,
}

impl fmt::Debug for NativeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeCode")
            .field("chunks", &self.chunks.len())
            .field("spill_slots", &self.spill_slots)
            .finish_non_exhaustive()
    }
}

impl NativeCode {
    /// Numbers that travel between chunks.
    pub fn spill_slots(&self) -> usize {
        self.spill_slots
    }

    /// Runs the code, or returns false, having done nothing, where an array is missing or too short.
    #[inline]
    pub fn call(
        &self,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
        spill: &mut Vec<f64>,
    ) -> bool {
        if !self.lengths.fit(inputs, outputs) {
            return false;
        }
        let mut input_addresses = [const { MaybeUninit::<*const f64>::uninit() }; MAX_ARRAYS];
        for (address, array) in input_addresses.iter_mut().zip(inputs) {
            address.write(array.as_ptr());
        }
        let mut output_addresses = [const { MaybeUninit::<*mut f64>::uninit() }; MAX_ARRAYS];
        for (address, array) in output_addresses.iter_mut().zip(outputs) {
            address.write(array.as_mut_ptr());
        }
        grow(spill, self.spill_slots);
        for chunk in &self.chunks {
            // SAFETY: the code was generated for a `Program` that reads and writes only arrays that `lengths`
            // counts, each address of which was written just now, at indices below the lengths just checked,
            // and spill slots below `spill_slots`, to which `spill` was grown; inputs and outputs are borrowed
            // for the call, outputs exclusively, so they do not overlap; the memory that holds the code and
            // the tables it points to live in `self`; the functions it calls neither unwind nor touch these
            // arrays.
            unsafe {
                chunk(
                    input_addresses.as_ptr().cast(),
                    output_addresses.as_ptr().cast(),
                    spill.as_mut_ptr(),
                );
            }
        }
        true
    }
}

/// The two code generators, told apart by how they allot machine registers.
struct Generators {
    /// code about twice as fast as the other's, at 7 us an operation
    optimizing: OwnedTargetIsa,
    /// compiles about three times as fast
    single_pass: OwnedTargetIsa,
}

/// The code generators for this machine, made once.
fn generators() -> Result<&'static Generators, CompileError> {
    static GENERATORS: OnceLock<Result<Generators, String>> = OnceLock::new();
    let make = |options: &[(&str, &str)]| -> Result<OwnedTargetIsa, String> {
        let mut flags = settings::builder();
        let common = [
            // the graph has no repeated work left to find: measured, "speed" compiles longer into no faster code
            ("opt_level", "none"),
            ("enable_verifier", "false"),
            ("unwind_info", "false"),
            ("is_pic", "false"),
            ("use_colocated_libcalls", "false"),
            ("enable_probestack", "true"),
            ("probestack_strategy", "inline"),
        ];
        for (name, value) in common.iter().chain(options) {
            flags.set(name, value).map_err(|e| e.to_string())?;
        }
        cranelift_native::builder()?
            .finish(settings::Flags::new(flags))
            .map_err(|e| e.to_string())
    };
    GENERATORS
        .get_or_init(|| {
            Ok(Generators {
                optimizing: make(&[("regalloc_algorithm", "backtracking")])?,
                single_pass: make(&[("opt_level", "none"), ("regalloc_algorithm", "single_pass")])?,
            })
        })
        .as_ref()
        .map_err(refused)
}

fn refused(reason: impl fmt::Display) -> CompileError {
    CompileError::Native {
        reason: reason.to_string(),
    }
}

/// Generates the code of a program.
pub(super) fn compile(program: &Program) -> Result<NativeCode, CompileError> {
    let generators = generators()?;
    let plan = Plan::new(program)?;
    let isa = if plan.weight > OPTIMIZED_WEIGHT {
        &generators.single_pass
    } else {
        &generators.optimizing
    };
    let mut builder = JITBuilder::with_isa(isa.clone(), default_libcall_names());
    // called on processors that cannot round in one instruction
    builder.symbol("floor", floor as UnaryFunction as *const u8);
    builder.symbol("ceil", ceil as UnaryFunction as *const u8);
    // owned from the start: the memory is freed whichever way this function is left
    let mut memory = CodeMemory(Mutex::new(Some(JITModule::new(builder))));
    let module = memory.module().ok_or_else(|| refused("no module"))?;
    let mut context = Context::new();
    let mut builder_context = FunctionBuilderContext::new();
    let mut ids = Vec::with_capacity(plan.starts.len());
    for chunk in 0..plan.starts.len() - 1 {
        context.clear();
        Emitter::emit(
            program,
            &plan,
            chunk,
            isa,
            &mut context.func,
            &mut builder_context,
        );
        let id = module
            .declare_anonymous_function(&context.func.signature)
            .map_err(refused)?;
        module
            .define_function(id, &mut context)
            .map_err(|error| refused(format!("{error:?}")))?;
        ids.push(id);
    }
    module.finalize_definitions().map_err(refused)?;
    let chunks = ids
        .into_iter()
        .map(|id| {
            let address = module.get_finalized_function(id);
            // SAFETY: the address is that of a finalized function generated with the signature of `Chunk` in the
            // platform's C calling convention.
            unsafe { std::mem::transmute::<*const u8, Chunk>(address) }
        })
        .collect();
    Ok(NativeCode {
        chunks,
        lengths: program.lengths(),
        spill_slots: plan.slots,
        _tables: program.tables.clone().into(),
        _memory: memory,
    })
}

/// No spill slot.
const NO_SLOT: u32 = u32::MAX;

/// How a program is cut into chunks, and which values travel between them.
struct Plan {
    /// first operation of every chunk, and the end
    starts: Vec<usize>,
    /// spill slot of every operation's value, or [`NO_SLOT`]
    slot_of: Vec<u32>,
    /// number of slots
    slots: usize,
    /// machine operations in all
    weight: usize,
}

impl Plan {
    fn new(program: &Program) -> Result<Self, CompileError> {
        let mut starts = vec![0];
        let (mut weight, mut in_chunk) = (0, 0);
        for (place, op) in program.ops.iter().enumerate() {
            if in_chunk >= CHUNK_WEIGHT {
                starts.push(place);
                in_chunk = 0;
            }
            let own = match *op {
                Op::Constant(_) => 0,
                Op::Input(_) => 1,
                Op::Powi(_, n) => 2 * (32 - n.unsigned_abs().leading_zeros() as usize),
                _ => 1,
            };
            weight += own;
            in_chunk += own;
        }
        starts.push(program.ops.len());
        // offsets of loads and stores have 32 bits and a sign
        let most = (i32::MAX / 8) as usize;
        let longest = program
            .input_lengths
            .iter()
            .chain(&program.output_lengths)
            .max();
        if longest.is_some_and(|&length| length > most) || program.ops.len() > most {
            return Err(refused("an array is too long"));
        }
        let (slot_of, slots) = Self::allot(program, &starts);
        Ok(Self {
            starts,
            slot_of,
            slots,
            weight,
        })
    }

    /// Gives a slot to every value that a later chunk reads; a slot is free again after the last such chunk.
    fn allot(program: &Program, starts: &[usize]) -> (Vec<u32>, usize) {
        let chunks = starts.len() - 1;
        let mut slot_of = vec![NO_SLOT; program.ops.len()];
        let mut slots = 0_u32;
        if chunks <= 1 {
            return (slot_of, 0);
        }
        let last_uses = program.last_uses();
        let chunk_of = |place: usize| starts.partition_point(|&start| start <= place) - 1;
        let mut free: Vec<u32> = Vec::new();
        let mut freed_after: Vec<Vec<u32>> = vec![Vec::new(); chunks];
        for chunk in 0..chunks {
            for place in starts[chunk]..starts[chunk + 1] {
                let travels = !matches!(program.ops[place], Op::Constant(_) | Op::Input(_))
                    && last_uses[place] as usize >= starts[chunk + 1];
                if travels {
                    let slot = free.pop().unwrap_or_else(|| {
                        slots += 1;
                        slots - 1
                    });
                    slot_of[place] = slot;
                    freed_after[chunk_of(last_uses[place] as usize)].push(slot);
                }
            }
            free.append(&mut freed_after[chunk]);
        }
        (slot_of, slots as usize)
    }
}

/// Writes the code of one chunk.
struct Emitter<'a, 'b> {
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
    brought: std::collections::HashMap<u32, Value>,
    input_arrays: [Option<Value>; MAX_ARRAYS],
    output_arrays: [Option<Value>; MAX_ARRAYS],
    /// signatures f(a), f(a, b) and of the table look-up, once used
    unary: Option<SigRef>,
    binary: Option<SigRef>,
    table: Option<SigRef>,
}

impl<'a, 'b> Emitter<'a, 'b> {
    fn emit(
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
            brought: std::collections::HashMap::new(),
            input_arrays: [None; MAX_ARRAYS],
            output_arrays: [None; MAX_ARRAYS],
            unary: None,
            binary: None,
            table: None,
        };
        let first_store = program
            .stores
            .partition_point(|store| (store.value as usize) < start);
        let mut stores = program.stores[first_store..].iter().peekable();
        for place in start..end {
            let op = &program.ops[place];
            let stored = stores.peek().is_some_and(|s| s.value as usize == place);
            // inputs and constants are made where they are used
            if matches!(op, Op::Input(_) | Op::Constant(_)) && !stored {
                continue;
            }
            let value = emitter.operation(op);
            emitter.own[place - start] = Some(value);
            while let Some(store) = stores.next_if(|s| s.value as usize == place) {
                emitter.store(store, value);
            }
            let slot = plan.slot_of[place];
            if slot != NO_SLOT {
                let spill = emitter.spill;
                emitter
                    .builder
                    .ins()
                    .store(MemFlagsData::trusted(), value, spill, slot as i32 * 8);
            }
        }
        emitter.builder.ins().return_(&[]);
        emitter.builder.finalize(isa.frontend_config());
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

    fn store(&mut self, store: &Store, value: Value) {
        let array = store.array as usize;
        let base = match self.output_arrays[array] {
            Some(base) => base,
            None => self.builder.ins().load(
                self.pointer,
                MemFlagsData::trusted().with_readonly(),
                self.outputs,
                (array * usize::from(self.pointer.bytes() as u8)) as i32,
            ),
        };
        self.output_arrays[array] = Some(base);
        let offset = store.index as i32 * 8;
        let flags = MemFlagsData::trusted();
        let value = if store.accumulate {
            let old = self.builder.ins().load(types::F64, flags, base, offset);
            self.builder.ins().fadd(old, value)
        } else {
            value
        };
        self.builder.ins().store(flags, value, base, offset);
    }

    fn input(&mut self, input: InputId) -> Value {
        let array = usize::from(input.group);
        let flags = MemFlagsData::trusted().with_readonly();
        let base = match self.input_arrays[array] {
            Some(base) => base,
            None => self.builder.ins().load(
                self.pointer,
                flags,
                self.inputs,
                (array * usize::from(self.pointer.bytes() as u8)) as i32,
            ),
        };
        self.input_arrays[array] = Some(base);
        self.builder
            .ins()
            .load(types::F64, flags, base, input.index as i32 * 8)
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
            Op::Add(..) => self.builder.ins().fadd(a, b),
            Op::Sub(..) => self.builder.ins().fsub(a, b),
            Op::Mul(..) => self.builder.ins().fmul(a, b),
            Op::Div(..) => self.builder.ins().fdiv(a, b),
            Op::Neg(_) => self.builder.ins().fneg(a),
            Op::Powi(_, n) => self.powi(a, n),
            Op::Unary(f, _) => self.apply_unary(f, a),
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
        let one = self.constant(1.0);
        let magnitude = product.unwrap_or(one);
        if n < 0 {
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

type UnaryFunction = extern "C" fn(f64) -> f64;
type BinaryFunction = extern "C" fn(f64, f64) -> f64;
type TableFunction = unsafe extern "C" fn(*const PiecewisePolynomial, u32, f64, f64) -> f64;

/// The methods of `Real for f64` as functions that native code can call.
macro_rules! callable {
    ($($name:ident),*) => {
        $(extern "C" fn $name(x: f64) -> f64 { Real::$name(x) })*
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
