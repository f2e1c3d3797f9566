//! Native code for programs over `f64`, made by Cranelift.
//!
//! A program becomes straight-line code without a branch that a reader would see: loads of inputs, arithmetic,
//! calls, stores. Code generation takes super-linear time in the length of a function, so a long program is
//! cut into chunks of about [`plan::CHUNK_WEIGHT`] operations, each a machine function of its own; a value computed
//! in one chunk and read in a later one travels through a spill array. Inputs are read again and constants
//! made again in every chunk that needs them.
//!
//! Bits: every operation is the one that `Real for f64` performs, in the same order, never contracted to a
//! fused multiply-add; functions of the mathematical library are called through wrappers of the very same
//! Rust methods. Only operations that IEEE 754 rounds exactly (+ - * / sqrt, abs, neg, floor, ceil) are
//! instructions. Sign and payload of a NaN are not specified, here or in Rust.
//!
//! Here the code is kept and called; [`mod@plan`] cuts it into chunks, [`mod@lanes`] finds operations to run two at a
//! time, [`emit`] writes them, operation by operation
//! (`operations`); [`mod@loops`] writes loops over arrays.

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cranelift_codegen::Context;
use cranelift_codegen::ir;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Module, default_libcall_names};

use self::emit::Emitter;
use self::operations::{UnaryFunction, ceil, floor};
use self::plan::Plan;
use super::error::CompileError;
use super::function::{Lengths, MAX_ARRAYS, grow};
use super::program::Program;
use crate::model::table::PiecewisePolynomial;

mod emit;
mod lanes;
pub(super) mod loops;
mod operations;
mod plan;

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
    let (addresses, memory) = generate(isa, plan.starts.len() - 1, |chunk, function, context| {
        Emitter::emit(program, &plan, chunk, isa, function, context);
    })?;
    let chunks = addresses
        .into_iter()
        .map(|address| {
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

/// Addresses of functions, written by `emit` one by one, and the memory that holds them.
fn generate(
    isa: &OwnedTargetIsa,
    count: usize,
    mut emit: impl FnMut(usize, &mut ir::Function, &mut FunctionBuilderContext),
) -> Result<(Vec<*const u8>, CodeMemory), CompileError> {
    let mut builder = JITBuilder::with_isa(isa.clone(), default_libcall_names());
    // called on processors that cannot round in one instruction
    builder.symbol("floor", floor as UnaryFunction as *const u8);
    builder.symbol("ceil", ceil as UnaryFunction as *const u8);
    // owned from the start: the memory is freed whichever way this function is left
    let mut memory = CodeMemory(Mutex::new(Some(JITModule::new(builder))));
    let module = memory.module().ok_or_else(|| refused("no module"))?;
    let mut context = Context::new();
    let mut builder_context = FunctionBuilderContext::new();
    let mut ids = Vec::with_capacity(count);
    for number in 0..count {
        context.clear();
        emit(number, &mut context.func, &mut builder_context);
        let id = module
            .declare_anonymous_function(&context.func.signature)
            .map_err(refused)?;
        module
            .define_function(id, &mut context)
            .map_err(|error| refused(format!("{error:?}")))?;
        ids.push(id);
    }
    module.finalize_definitions().map_err(refused)?;
    let addresses = ids.into_iter().map(|id| module.get_finalized_function(id));
    Ok((addresses.collect(), memory))
}
