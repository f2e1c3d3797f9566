//! Constructors of graph nodes that simplify as they go.
//!
//! Every rule keeps the value: for finite operands the result is the same number to the last bit (the sign of a
//! zero apart). So no rule reassociates a sum, distributes a product or drops a factor zero (0 times infinity is
//! not 0). What the rules buy is sharing: signs move outwards and commutative operands are ordered, so that equal
//! expressions become one node, and derivative code loses its ones and zeros.

use costate_solvers::{Comparison, Real};

use super::graph::{Binary, Graph, InputId, NodeId, Op, Unary};

/// Largest |n| for which x^n is computed by multiplications.
pub const LARGEST_WHOLE_EXPONENT: i32 = 64;

impl Graph {
    /// A number.
    pub fn constant(&mut self, value: f64) -> NodeId {
        // one zero, so that +0 and -0 are shared
        self.intern(Op::Constant((value + 0.0).to_bits()))
    }
    /// An input: where it is an element of a declared array, that element.
    pub fn input(&mut self, group: u16, index: u32) -> NodeId {
        let array = self.arrays().blocks(group).find(|block| {
            let own = block.base..block.base + block.len();
            own.contains(&index)
        });
        if let Some(array) = array.cloned() {
            return self.element_number(&array, index - array.base);
        }
        self.intern(Op::Input(InputId { group, index }))
    }
    /// The number a node is, where it is one.
    pub fn constant_value(&self, id: NodeId) -> Option<f64> {
        match self.op(id) {
            Op::Constant(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }
    fn negated(&self, id: NodeId) -> Option<NodeId> {
        match self.op(id) {
            Op::Neg(a) => Some(a),
            _ => None,
        }
    }

    /// a + b
    pub fn add(&mut self, a: NodeId, b: NodeId) -> NodeId {
        match (self.constant_value(a), self.constant_value(b)) {
            (Some(x), Some(y)) => return self.constant(x + y),
            (Some(0.0), None) => return b,
            (None, Some(0.0)) => return a,
            // one form for x + -2 and x - 2
            (Some(x), None) if x < 0.0 => {
                let positive = self.constant(-x);
                return self.sub(b, positive);
            }
            (None, Some(y)) if y < 0.0 => {
                let positive = self.constant(-y);
                return self.sub(a, positive);
            }
            _ => {}
        }
        if a == b {
            let two = self.constant(2.0);
            return self.mul(two, a);
        }
        match (self.negated(a), self.negated(b)) {
            (Some(x), Some(y)) => {
                let sum = self.add(x, y);
                self.neg(sum)
            }
            (Some(x), None) => self.sub(b, x),
            (None, Some(y)) => self.sub(a, y),
            (None, None) => self.intern(Op::Add(a.min(b), a.max(b))),
        }
    }
    /// a - b
    pub fn sub(&mut self, a: NodeId, b: NodeId) -> NodeId {
        match (self.constant_value(a), self.constant_value(b)) {
            (Some(x), Some(y)) => return self.constant(x - y),
            (Some(0.0), None) => return self.neg(b),
            (None, Some(0.0)) => return a,
            // one form for x - 2 and x + -2
            (None, Some(y)) if y < 0.0 => {
                let positive = self.constant(-y);
                return self.add(a, positive);
            }
            _ => {}
        }
        match (self.negated(a), self.negated(b)) {
            (Some(x), Some(y)) => self.sub(y, x),
            (Some(x), None) => {
                let sum = self.add(x, b);
                self.neg(sum)
            }
            (None, Some(y)) => self.add(a, y),
            (None, None) => self.intern(Op::Sub(a, b)),
        }
    }
    /// a b
    pub fn mul(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let (a, b) = (a.min(b), a.max(b));
        match (self.constant_value(a), self.constant_value(b)) {
            (Some(x), Some(y)) => return self.constant(x * y),
            (Some(x), None) => {
                if let Some(product) = self.scaled(x, b) {
                    return product;
                }
            }
            (None, Some(y)) => {
                if let Some(product) = self.scaled(y, a) {
                    return product;
                }
            }
            (None, None) => {}
        }
        if a == b {
            return self.powi(a, 2);
        }
        match (self.negated(a), self.negated(b)) {
            (Some(x), Some(y)) => self.mul(x, y),
            (Some(x), None) => {
                let product = self.mul(x, b);
                self.neg(product)
            }
            (None, Some(y)) => {
                let product = self.mul(a, y);
                self.neg(product)
            }
            (None, None) => self.intern(Op::Mul(a, b)),
        }
    }
    /// A number times a node, where that is simpler than a product.
    fn scaled(&mut self, factor: f64, a: NodeId) -> Option<NodeId> {
        if factor == 1.0 {
            return Some(a);
        }
        if factor < 0.0 {
            let positive = self.constant(-factor);
            let product = self.mul(positive, a);
            return Some(self.neg(product));
        }
        None
    }
    /// a / b
    pub fn div(&mut self, a: NodeId, b: NodeId) -> NodeId {
        match (self.constant_value(a), self.constant_value(b)) {
            (Some(x), Some(y)) => return self.constant(x / y),
            (Some(x), None) if x < 0.0 => {
                let positive = self.constant(-x);
                let quotient = self.div(positive, b);
                return self.neg(quotient);
            }
            (None, Some(y)) => {
                // a power of two has an exact reciprocal
                let reciprocal = 1.0 / y;
                if y.is_normal() && reciprocal.is_normal() && y.to_bits() << 12 == 0 {
                    let factor = self.constant(reciprocal);
                    return self.mul(factor, a);
                }
                if y < 0.0 {
                    let positive = self.constant(-y);
                    let quotient = self.div(a, positive);
                    return self.neg(quotient);
                }
            }
            _ => {}
        }
        match (self.negated(a), self.negated(b)) {
            (Some(x), Some(y)) => self.div(x, y),
            (Some(x), None) => {
                let quotient = self.div(x, b);
                self.neg(quotient)
            }
            (None, Some(y)) => {
                let quotient = self.div(a, y);
                self.neg(quotient)
            }
            (None, None) => self.intern(Op::Div(a, b)),
        }
    }
    /// -a
    pub fn neg(&mut self, a: NodeId) -> NodeId {
        match self.op(a) {
            Op::Constant(bits) => self.constant(-f64::from_bits(bits)),
            Op::Neg(inner) => inner,
            Op::Sub(x, y) => self.intern(Op::Sub(y, x)),
            _ => self.intern(Op::Neg(a)),
        }
    }
    /// a^n for whole n
    pub fn powi(&mut self, a: NodeId, n: i32) -> NodeId {
        if let Some(x) = self.constant_value(a) {
            return self.constant(Real::powi(x, n));
        }
        match n {
            0 => self.constant(1.0),
            1 => a,
            -1 => {
                let one = self.constant(1.0);
                self.div(one, a)
            }
            _ => match self.negated(a) {
                Some(x) => {
                    let power = self.powi(x, n);
                    if n % 2 == 0 { power } else { self.neg(power) }
                }
                None => self.intern(Op::Powi(a, n)),
            },
        }
    }
    /// a^b; by multiplications where b is a small whole number
    pub fn pow(&mut self, a: NodeId, b: NodeId) -> NodeId {
        if let Some(y) = self.constant_value(b)
            && y == y.trunc()
            && y.abs() <= f64::from(LARGEST_WHOLE_EXPONENT)
        {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole and at most 64 in size"
            )]
            return self.powi(a, y as i32);
        }
        if let (Some(x), Some(y)) = (self.constant_value(a), self.constant_value(b)) {
            return self.constant(Real::powf(x, y));
        }
        self.intern(Op::Binary(Binary::Pow, a, b))
    }
    /// f(a)
    pub fn unary(&mut self, function: Unary, a: NodeId) -> NodeId {
        if let Some(x) = self.constant_value(a) {
            return self.constant(unary_value(function, x));
        }
        self.intern(Op::Unary(function, a))
    }
    /// f(a, b)
    pub fn binary(&mut self, function: Binary, a: NodeId, b: NodeId) -> NodeId {
        if function == Binary::Pow {
            return self.pow(a, b);
        }
        if let (Some(x), Some(y)) = (self.constant_value(a), self.constant_value(b)) {
            return self.constant(binary_value(function, x, y));
        }
        if a == b && matches!(function, Binary::Min | Binary::Max) {
            return a;
        }
        self.intern(Op::Binary(function, a, b))
    }
    /// `yes` where the comparison of left and right holds, else `no`
    pub fn select(
        &mut self,
        comparison: Comparison,
        left: NodeId,
        right: NodeId,
        yes: NodeId,
        no: NodeId,
    ) -> NodeId {
        if yes == no {
            return yes;
        }
        if let (Some(x), Some(y)) = (self.constant_value(left), self.constant_value(right)) {
            return if comparison.holds(x, y) { yes } else { no };
        }
        if left == right && matches!(comparison, Comparison::Less | Comparison::Greater) {
            return no;
        }
        // a comparison of a truth value with a number is that truth value, or its opposite
        if let Some(y) = self.constant_value(right)
            && let Op::Select {
                comparison: inner,
                left: inner_left,
                right: inner_right,
                yes: inner_yes,
                no: inner_no,
            } = self.op(left)
            && let (Some(a), Some(b)) = (
                self.constant_value(inner_yes),
                self.constant_value(inner_no),
            )
        {
            let pick = |value| if comparison.holds(value, y) { yes } else { no };
            return self.select(inner, inner_left, inner_right, pick(a), pick(b));
        }
        self.intern(Op::Select {
            comparison,
            left,
            right,
            yes,
            no,
        })
    }
    /// Derivative of order `order` of a table at `at`, on the piece that holds `place`.
    pub fn table(&mut self, table: u32, order: u8, at: NodeId, place: NodeId) -> NodeId {
        if order > 3 {
            return self.constant(0.0);
        }
        self.intern(Op::Table {
            table,
            order,
            at,
            place,
        })
    }

    /// 1 where the comparison holds, else 0.
    pub fn compare(&mut self, comparison: Comparison, left: NodeId, right: NodeId) -> NodeId {
        let (one, zero) = (self.constant(1.0), self.constant(0.0));
        self.select(comparison, left, right, one, zero)
    }
    /// `yes` where the condition is not 0, else `no`.
    pub fn choose(&mut self, condition: NodeId, yes: NodeId, no: NodeId) -> NodeId {
        let zero = self.constant(0.0);
        self.select(Comparison::NotEqual, condition, zero, yes, no)
    }
    /// 1 where both are not 0, else 0.
    pub fn and(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let zero = self.constant(0.0);
        let b = self.truth(b);
        self.choose(a, b, zero)
    }
    /// 1 where either is not 0, else 0.
    pub fn or(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let one = self.constant(1.0);
        let b = self.truth(b);
        self.choose(a, one, b)
    }
    /// 1 where it is 0, else 0.
    pub fn not(&mut self, a: NodeId) -> NodeId {
        let (one, zero) = (self.constant(1.0), self.constant(0.0));
        self.choose(a, zero, one)
    }
    /// 1 where it is not 0, else 0.
    fn truth(&mut self, a: NodeId) -> NodeId {
        let (one, zero) = (self.constant(1.0), self.constant(0.0));
        match self.op(a) {
            Op::Select { yes, no, .. }
                if (yes == one || yes == zero) && (no == one || no == zero) =>
            {
                a
            }
            _ => self.choose(a, one, zero),
        }
    }
}

/// A function of one argument, of any real.
pub fn unary_value<S: Real>(function: Unary, x: S) -> S {
    match function {
        Unary::Exp => x.exp(),
        Unary::Expm1 => x.exp_m1(),
        Unary::Log => x.ln(),
        Unary::Log1p => x.ln_1p(),
        Unary::Log2 => x.log2(),
        Unary::Log10 => x.log10(),
        Unary::Sqrt => x.sqrt(),
        Unary::Cbrt => x.cbrt(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Tan => x.tan(),
        Unary::Asin => x.asin(),
        Unary::Acos => x.acos(),
        Unary::Atan => x.atan(),
        Unary::Sinh => x.sinh(),
        Unary::Cosh => x.cosh(),
        Unary::Tanh => x.tanh(),
        Unary::Asinh => x.asinh(),
        Unary::Acosh => x.acosh(),
        Unary::Atanh => x.atanh(),
        Unary::Abs => x.abs(),
        Unary::Sign => x.sign(),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Erf => x.erf(),
    }
}

/// A function of two arguments, of any real.
pub fn binary_value<S: Real>(function: Binary, x: S, y: S) -> S {
    match function {
        Binary::Pow => Real::powf(x, y),
        Binary::Atan2 => x.atan2(y),
        Binary::Min => x.min(y),
        Binary::Max => x.max(y),
        Binary::Mod => x.modulo(y),
        Binary::Hypot => x.hypot(y),
    }
}
