//! Which divisions and roots of a short program run two at a time, in the two lanes of a vector register.
//!
//! A processor has one divider, busy some five cycles with a quotient or a root, or with two of them in a vector. Two
//! operations of one kind on one level of the program's graph (one more than the highest of their operands) cannot
//! depend on each other, so any number of such pairs leaves an order to run them in. Sums and products stay
//! single: there are units enough for them, and what a vector saves its moves between lanes take again (measured
//! on the pull of seven stars on each other: 68 ns single, 49 with pairs of quotients and roots, 51 to 60 with
//! pairs of everything).
//!
//! Each lane rounds as a scalar does: the bits stay the same.

use std::collections::HashMap;

use costate_solvers::scalar::half_exponent;

use crate::compile::program::Program;
use crate::model::graph::{Binary, Op, Unary};

/// What runs at once; operations are places in [`Program::ops`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// one operation
    One(usize),
    /// two of one kind: in the low lane, and in the high
    Two(usize, usize),
}

/// What keeps the divider busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Quotient,
    Root,
    /// x^-n
    Power(i32),
    /// x^(n/2)
    RootPower(i32),
}

/// The units of a program in an order to run them in: depth first, output by output, operands before users.
pub(super) fn units(program: &Program) -> Vec<Unit> {
    let partners = pair(program);
    let mut done = vec![false; program.ops.len()];
    let mut units = Vec::new();
    let mut stack = Vec::new();
    for store in &program.stores {
        stack.push(store.value as usize);
        while let Some(&place) = stack.last() {
            if done[place] {
                stack.pop();
                continue;
            }
            let unit = match partners[place] {
                Some(other) => Unit::Two(place.min(other), place.max(other)),
                None => Unit::One(place),
            };
            let before = stack.len();
            for member in unit.places() {
                let operands = program.ops[member].operands().map(|id| id.0 as usize);
                // inputs and constants are made where they are used
                stack.extend(operands.filter(|&operand| {
                    let leaf = matches!(program.ops[operand], Op::Input(_) | Op::Constant(_));
                    !leaf && !done[operand]
                }));
            }
            if stack.len() == before {
                stack.pop();
                for member in unit.places() {
                    done[member] = true;
                }
                units.push(unit);
            } else {
                // the first operand first
                stack[before..].reverse();
            }
        }
    }
    units
}

impl Unit {
    /// The operations.
    pub fn places(self) -> impl Iterator<Item = usize> {
        let (first, second) = match self {
            Self::One(place) => (place, None),
            Self::Two(low, high) => (low, Some(high)),
        };
        std::iter::once(first).chain(second)
    }
}

/// The partner of each operation: the next of its kind on its level that has none.
fn pair(program: &Program) -> Vec<Option<usize>> {
    let mut partners = vec![None; program.ops.len()];
    let mut level = vec![0_u32; program.ops.len()];
    let mut waiting: HashMap<(u32, Kind), usize> = HashMap::new();
    for (place, op) in program.ops.iter().enumerate() {
        let operands = op.operands().map(|id| level[id.0 as usize] + 1);
        level[place] = operands.max().unwrap_or(0);
        let Some(kind) = kind(program, op) else {
            continue;
        };
        match waiting.remove(&(level[place], kind)) {
            Some(other) => {
                partners[place] = Some(other);
                partners[other] = Some(place);
            }
            None => {
                waiting.insert((level[place], kind), place);
            }
        }
    }
    partners
}

/// The kind of an operation; `None` for those that run alone.
fn kind(program: &Program, op: &Op) -> Option<Kind> {
    match *op {
        Op::Div(..) => Some(Kind::Quotient),
        Op::Powi(_, n) if n < 0 => Some(Kind::Power(n)),
        Op::Unary(Unary::Sqrt, _) => Some(Kind::Root),
        Op::Binary(Binary::Pow, _, exponent) => match program.ops[exponent.0 as usize] {
            Op::Constant(bits) => half_exponent(f64::from_bits(bits)).map(Kind::RootPower),
            _ => None,
        },
        _ => None,
    }
}
