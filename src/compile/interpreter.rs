//! A register machine over any scalar: slower than native code, but it runs on dual numbers and everywhere.
//!
//! The program's values share registers: one is free again after the last operation that reads it, so the
//! register file stays small enough for the cache. One dispatch an operation, about 1 to 2 ns on `f64`.
//!
//! Dual numbers of many directions are what it mostly runs on. They are long: arithmetic writes them to their register at once (`put`), and
//! numbers that are constant are operands of their own, whose tangents of zero nobody multiplies.

use std::sync::Arc;

use costate_solvers::Scalar;

use super::program::{Program, with_operands};
use crate::model::graph::{Binary, NodeId, Op, Unary};
use crate::model::table::PiecewisePolynomial;

/// A step of the machine.
#[derive(Debug, Clone, Copy)]
enum Instruction {
    /// computes an operation, whose operands are registers, into a register
    Compute { to: u32, op: Op },
    /// a register times a number
    Scale { to: u32, from: u32, by: f64 },
    /// a register plus a number
    Shift { to: u32, from: u32, by: f64 },
    /// writes a register into an output
    Store { from: u32, array: u32, index: u32 },
    /// adds a register to an output
    Accumulate { from: u32, array: u32, index: u32 },
}

/// Instructions with the number of registers they need.
#[derive(Debug, Clone)]
pub(super) struct Interpreter {
    instructions: Vec<Instruction>,
    registers: usize,
    tables: Vec<Arc<PiecewisePolynomial>>,
}

impl Interpreter {
    /// Allots registers to the values of a program.
    pub fn new(program: &Program) -> Self {
        let last_uses = program.last_uses();
        let mut register_of = vec![0_u32; program.ops.len()];
        let mut free: Vec<u32> = Vec::new();
        let mut registers = 0_u32;
        let mut instructions = Vec::with_capacity(program.ops.len() + program.stores.len());
        let mut stores = program.stores.iter().peekable();
        let inlined = inlined(program);
        for (place, op) in program.ops.iter().enumerate() {
            if inlined[place] {
                continue;
            }
            let by_number = by_number(program, op);
            let place = place as u32;
            let renamed = with_operands(op, |id| NodeId(register_of[id.0 as usize]));
            // operands are read before the result is written, so their registers may take it
            for (k, operand) in op.operands().enumerate() {
                let repeated = op.operands().take(k).any(|earlier| earlier == operand);
                let kept = !inlined[operand.0 as usize];
                if last_uses[operand.0 as usize] == place && !repeated && kept {
                    free.push(register_of[operand.0 as usize]);
                }
            }
            let to = free.pop().unwrap_or_else(|| {
                registers += 1;
                registers - 1
            });
            register_of[place as usize] = to;
            instructions.push(match by_number {
                Some(ByNumber::Times(a, by)) => Instruction::Scale {
                    to,
                    from: register_of[a.0 as usize],
                    by,
                },
                Some(ByNumber::Plus(a, by)) => Instruction::Shift {
                    to,
                    from: register_of[a.0 as usize],
                    by,
                },
                None => Instruction::Compute { to, op: renamed },
            });
            while let Some(store) = stores.next_if(|store| store.value == place) {
                let (from, array, index) = (to, store.array, store.index);
                instructions.push(if store.accumulate {
                    Instruction::Accumulate { from, array, index }
                } else {
                    Instruction::Store { from, array, index }
                });
            }
            if last_uses[place as usize] == place {
                free.push(to);
            }
        }
        Self {
            instructions,
            registers: registers as usize,
            tables: program.tables.clone(),
        }
    }

    /// Number of registers a run needs.
    pub fn registers(&self) -> usize {
        self.registers
    }

    /// How long it is.
    #[cfg(test)]
    pub fn instructions(&self) -> usize {
        self.instructions.len()
    }

    /// Runs the program. The caller has checked the arrays' lengths; `registers` grows where it is short.
    pub fn evaluate<S: Scalar>(
        &self,
        inputs: &[&[S]],
        outputs: &mut [&mut [S]],
        registers: &mut Vec<S>,
    ) {
        if registers.len() < self.registers {
            registers.resize(self.registers, S::from(0.0));
        }
        let r = registers.as_mut_slice();
        for instruction in &self.instructions {
            match *instruction {
                Instruction::Compute { to, ref op } => match *op {
                    Op::Add(a, b) => put(r, to, |r| r[a.0 as usize] + r[b.0 as usize]),
                    Op::Sub(a, b) => put(r, to, |r| r[a.0 as usize] - r[b.0 as usize]),
                    Op::Mul(a, b) => put(r, to, |r| r[a.0 as usize] * r[b.0 as usize]),
                    Op::Div(a, b) => put(r, to, |r| r[a.0 as usize] / r[b.0 as usize]),
                    Op::Neg(a) => put(r, to, |r| -r[a.0 as usize]),
                    Op::Input(input) => {
                        let value = &inputs[usize::from(input.group)][input.index as usize];
                        put(r, to, |_| *value);
                    }
                    _ => put(r, to, |r| compute(op, inputs, r, &self.tables)),
                },
                Instruction::Scale { to, from, by } => put(r, to, |r| r[from as usize] * by),
                Instruction::Shift { to, from, by } => put(r, to, |r| r[from as usize] + by),
                Instruction::Store { from, array, index } => {
                    outputs[array as usize][index as usize] = r[from as usize];
                }
                Instruction::Accumulate { from, array, index } => {
                    outputs[array as usize][index as usize] += r[from as usize];
                }
            }
        }
    }
}

/// Writes what is made of registers to one of them: a function of its own for each operation, lest long numbers be handed on through
/// memory that all operations share.
#[inline(never)]
fn put<S: Copy>(r: &mut [S], to: u32, make: impl FnOnce(&[S]) -> S) {
    let value = make(r);
    r[to as usize] = value;
}

/// An operation of a value and a number.
enum ByNumber {
    Times(NodeId, f64),
    Plus(NodeId, f64),
}

/// The operation as one by a number, where one operand is constant and the other is not.
fn by_number(program: &Program, op: &Op) -> Option<ByNumber> {
    let number = |id: NodeId| match program.ops[id.0 as usize] {
        Op::Constant(bits) => Some(f64::from_bits(bits)),
        _ => None,
    };
    match *op {
        Op::Mul(a, b) => match (number(a), number(b)) {
            (Some(by), None) => Some(ByNumber::Times(b, by)),
            (None, Some(by)) => Some(ByNumber::Times(a, by)),
            _ => None,
        },
        Op::Add(a, b) => match (number(a), number(b)) {
            (Some(by), None) => Some(ByNumber::Plus(b, by)),
            (None, Some(by)) => Some(ByNumber::Plus(a, by)),
            _ => None,
        },
        _ => None,
    }
}

/// Of each place whether it is a constant that all who read it have with them.
fn inlined(program: &Program) -> Vec<bool> {
    let is_constant = |op: &Op| matches!(op, Op::Constant(_));
    let mut inlined: Vec<bool> = program.ops.iter().map(is_constant).collect();
    for store in &program.stores {
        inlined[store.value as usize] = false;
    }
    for op in program
        .ops
        .iter()
        .filter(|op| by_number(program, op).is_none())
    {
        for operand in op.operands() {
            inlined[operand.0 as usize] = false;
        }
    }
    inlined
}

/// The value of an operation whose operands are registers.
#[inline(always)]
pub(super) fn compute<S: Scalar>(
    op: &Op,
    inputs: &[&[S]],
    r: &[S],
    tables: &[Arc<PiecewisePolynomial>],
) -> S {
    let get = |id: NodeId| r[id.0 as usize];
    match *op {
        Op::Constant(bits) => S::from(f64::from_bits(bits)),
        Op::Input(input) => inputs[usize::from(input.group)][input.index as usize],
        Op::Add(a, b) => get(a) + get(b),
        Op::Sub(a, b) => get(a) - get(b),
        Op::Mul(a, b) => get(a) * get(b),
        Op::Div(a, b) => get(a) / get(b),
        Op::Neg(a) => -get(a),
        Op::Powi(a, n) => get(a).powi(n),
        Op::Unary(f, a) => apply_unary(f, get(a)),
        Op::Binary(f, a, b) => apply_binary(f, get(a), get(b)),
        Op::Select {
            comparison,
            left,
            right,
            yes,
            no,
        } => S::select(comparison, get(left), get(right), get(yes), get(no)),
        Op::Table {
            table,
            order,
            at,
            place,
        } => tables[table as usize].evaluate(order, get(at), get(place).value()),
        // run in loops (`mapped`)
        Op::Index(_)
        | Op::Listed(..)
        | Op::Gather(_)
        | Op::Sum(..)
        | Op::SumWhere(..)
        | Op::Array(..) => S::from(f64::NAN),
    }
}

/// f(a) on any scalar.
#[inline]
fn apply_unary<S: Scalar>(f: Unary, a: S) -> S {
    match f {
        Unary::Exp => a.exp(),
        Unary::Expm1 => a.exp_m1(),
        Unary::Log => a.ln(),
        Unary::Log1p => a.ln_1p(),
        Unary::Log2 => a.log2(),
        Unary::Log10 => a.log10(),
        Unary::Sqrt => a.sqrt(),
        Unary::Cbrt => a.cbrt(),
        Unary::Sin => a.sin(),
        Unary::Cos => a.cos(),
        Unary::Tan => a.tan(),
        Unary::Asin => a.asin(),
        Unary::Acos => a.acos(),
        Unary::Atan => a.atan(),
        Unary::Sinh => a.sinh(),
        Unary::Cosh => a.cosh(),
        Unary::Tanh => a.tanh(),
        Unary::Asinh => a.asinh(),
        Unary::Acosh => a.acosh(),
        Unary::Atanh => a.atanh(),
        Unary::Abs => a.abs(),
        Unary::Sign => a.sign(),
        Unary::Floor => a.floor(),
        Unary::Ceil => a.ceil(),
        Unary::Erf => a.erf(),
    }
}

/// f(a, b) on any scalar.
#[inline]
fn apply_binary<S: Scalar>(f: Binary, a: S, b: S) -> S {
    match f {
        Binary::Pow => a.powf(b),
        Binary::Atan2 => a.atan2(b),
        Binary::Min => a.min(b),
        Binary::Max => a.max(b),
        Binary::Mod => a.modulo(b),
        Binary::Hypot => a.hypot(b),
    }
}
