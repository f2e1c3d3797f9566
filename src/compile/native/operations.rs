//! One operation on one number, or on two in the lanes of a vector, in Cranelift's intermediate language.

use std::sync::Arc;

use costate_solvers::{Comparison, Real};
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::immediates::Ieee64;
use cranelift_codegen::ir::{
    AbiParam, InstBuilder, MemFlagsData, SigRef, Signature, Type, Value, types,
};
use cranelift_frontend::FunctionBuilder;

use crate::model::graph::{Binary, Op, Unary};
use crate::model::table::PiecewisePolynomial;

/// Writes operations.
pub(super) struct Operations<'a, 'b> {
    pub builder: FunctionBuilder<'b>,
    pub pointer: Type,
    tables: &'a [Arc<PiecewisePolynomial>],
    /// signatures f(a), f(a, b) and of the table look-up, once used
    unary: Option<SigRef>,
    binary: Option<SigRef>,
    table: Option<SigRef>,
}

impl<'a, 'b> Operations<'a, 'b> {
    pub fn new(
        builder: FunctionBuilder<'b>,
        pointer: Type,
        tables: &'a [Arc<PiecewisePolynomial>],
    ) -> Self {
        Self {
            builder,
            pointer,
            tables,
            unary: None,
            binary: None,
            table: None,
        }
    }

    pub fn constant(&mut self, value: f64) -> Value {
        self.builder
            .ins()
            .f64const(Ieee64::with_bits(value.to_bits()))
    }

    /// Two numbers in a vector.
    pub fn join(&mut self, low: Value, high: Value) -> Value {
        let low = self.builder.ins().scalar_to_vector(types::F64X2, low);
        self.builder.ins().insertlane(low, high, 1)
    }

    pub fn is_vector(&self, value: Value) -> bool {
        self.builder.func.dfg.value_type(value).is_vector()
    }

    /// The number in both lanes, where it is not a vector already.
    pub fn spread(&mut self, value: Value) -> Value {
        if self.is_vector(value) {
            value
        } else {
            self.builder.ins().splat(types::F64X2, value)
        }
    }

    /// An operation on the values of its operands; `half` is n where it is a power with the exponent n / 2.
    pub fn apply(&mut self, op: &Op, mut values: [Value; 4], half: Option<i32>) -> Value {
        let count = op.operands().count();
        let sides = if matches!(op, Op::Select { .. }) {
            2
        } else {
            0
        };
        if values[sides..count].iter().any(|&v| self.is_vector(v))
            || values[..sides].iter().any(|&v| self.is_vector(v))
        {
            // a condition that is the same for both lanes decides for both at once
            let own = values[..sides].iter().any(|&v| self.is_vector(v));
            let first = if own { 0 } else { sides };
            for value in &mut values[first..count] {
                *value = self.spread(*value);
            }
        }
        let [a, b, c, d] = values;
        match *op {
            Op::Constant(bits) => self.constant(f64::from_bits(bits)),
            // read elsewhere
            Op::Input(_)
            | Op::Index(_)
            | Op::Listed(..)
            | Op::Gather(_)
            | Op::Sum(..)
            | Op::SumWhere(..)
            | Op::Array(..) => self.constant(f64::NAN),
            Op::Add(..) => self.builder.ins().fadd(a, b),
            Op::Sub(..) => self.builder.ins().fsub(a, b),
            Op::Mul(..) => self.builder.ins().fmul(a, b),
            Op::Div(..) => self.builder.ins().fdiv(a, b),
            Op::Neg(_) => self.builder.ins().fneg(a),
            Op::Powi(_, n) => self.powi(a, n),
            Op::Unary(f, _) => self.apply_unary(f, a),
            Op::Binary(Binary::Pow, ..) if let Some(n) = half => self.power_of_root(a, n),
            Op::Binary(f, ..) => self.apply_binary(f, a, b),
            Op::Select { comparison, .. } => self.select(condition(comparison), a, b, c, d),
            Op::Table { table, order, .. } => self.look_up(table, order, a, b),
        }
    }

    fn look_up(&mut self, table: u32, order: u8, at: Value, place: Value) -> Value {
        let address = Arc::as_ptr(&self.tables[table as usize]) as usize;
        let parameters = [self.pointer, types::I32, types::F64, types::F64];
        let signature = match self.table {
            Some(signature) => signature,
            None => self.import(&parameters),
        };
        self.table = Some(signature);
        let address = self.builder.ins().iconst(self.pointer, address as i64);
        let order = self.builder.ins().iconst(types::I32, i64::from(order));
        let callee = look_up as TableFunction as usize;
        self.by_lane([at, place], |ops, [at, place]| {
            ops.call(signature, callee, &[address, order, at, place])
        })
    }

    /// What can only be done lane by lane.
    fn by_lane<const N: usize>(
        &mut self,
        values: [Value; N],
        mut act: impl FnMut(&mut Self, [Value; N]) -> Value,
    ) -> Value {
        if !values.iter().any(|&value| self.is_vector(value)) {
            return act(self, values);
        }
        let values = values.map(|value| self.spread(value));
        let mut lane = |ops: &mut Self, lane: u8| {
            let values = values.map(|value| ops.builder.ins().extractlane(value, lane));
            act(ops, values)
        };
        let low = lane(self, 0);
        let high = lane(self, 1);
        self.join(low, high)
    }

    fn select(&mut self, code: FloatCC, left: Value, right: Value, yes: Value, no: Value) -> Value {
        let holds = self.builder.ins().fcmp(code, left, right);
        if self.is_vector(holds) {
            let (yes, no) = (self.spread(yes), self.spread(no));
            let mask = MemFlagsData::new();
            let holds = self.builder.ins().bitcast(types::F64X2, mask, holds);
            return self.builder.ins().bitselect(holds, yes, no);
        }
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
    pub fn powi(&mut self, x: Value, n: i32) -> Value {
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

    /// `costate_solvers::scalar::power_of_root`, unrolled.
    pub fn power_of_root(&mut self, x: Value, n: i32) -> Value {
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
                let one = self.one_like(a);
                let zero = self.builder.ins().fsub(one, one);
                let minus = self.builder.ins().fneg(one);
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
        self.by_lane([a], |ops, a| ops.call(signature, function as usize, &a))
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
        self.by_lane([a, b], |ops, sides| {
            ops.call(signature, function as usize, &sides)
        })
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
