//! A scalar that writes down what is done to it: a generic Rust function becomes nodes of a graph.
//!
//! ```
//! use std::cell::RefCell;
//! use costate::model::{Graph, Traced, graph::STATES};
//! use costate_solvers::Real;
//!
//! fn spring<S: Real>(x: [S; 2]) -> [S; 2] {
//!     [x[1], -x[0].sin() - x[1] * 0.1]
//! }
//!
//! let graph = RefCell::new(Graph::new());
//! let [_, force] = spring([0, 1].map(|k| Traced::input(&graph, STATES, k)));
//! let node = force.node(&graph);
//! assert_eq!(costate::model::evaluate(&graph.borrow(), &[node], &[&[], &[0.5, 2.0]]), [-0.5_f64.sin() - 0.2]);
//! ```

use std::cell::RefCell;
use std::fmt;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use costate_solvers::{Comparison, Real};

use super::algebra::{binary_value, unary_value};
use super::graph::{Binary, Graph, NodeId, Unary};

/// A number known, or a node of a graph. Numbers stay numbers until they meet a node.
///
/// Two traced values of different graphs must not meet: the left one's graph would be asked for the other's node.
#[derive(Clone, Copy)]
pub enum Traced<'g> {
    /// a number
    Constant(f64),
    /// a node
    Node {
        /// its graph
        graph: &'g RefCell<Graph>,
        /// which
        id: NodeId,
    },
}

impl fmt::Debug for Traced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(value) => write!(f, "{value}"),
            Self::Node { id, .. } => write!(f, "node {}", id.0),
        }
    }
}

impl<'g> Traced<'g> {
    /// An input of a graph.
    pub fn input(graph: &'g RefCell<Graph>, group: u16, index: u32) -> Self {
        let id = graph.borrow_mut().input(group, index);
        Self::Node { graph, id }
    }
    /// Its node, made if it is a number.
    pub fn node(self, graph: &RefCell<Graph>) -> NodeId {
        match self {
            Self::Constant(value) => graph.borrow_mut().constant(value),
            Self::Node { id, .. } => id,
        }
    }
    fn graph(self) -> Option<&'g RefCell<Graph>> {
        match self {
            Self::Constant(_) => None,
            Self::Node { graph, .. } => Some(graph),
        }
    }
    fn map(
        self,
        number: impl FnOnce(f64) -> f64,
        record: impl FnOnce(&mut Graph, NodeId) -> NodeId,
    ) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(number(value)),
            Self::Node { graph, id } => {
                let id = record(&mut graph.borrow_mut(), id);
                Self::Node { graph, id }
            }
        }
    }
    fn combine(
        self,
        other: Self,
        number: impl FnOnce(f64, f64) -> f64,
        record: impl FnOnce(&mut Graph, NodeId, NodeId) -> NodeId,
    ) -> Self {
        if let (Self::Constant(a), Self::Constant(b)) = (self, other) {
            return Self::Constant(number(a, b));
        }
        let Some(graph) = self.graph().or(other.graph()) else {
            return self;
        };
        let (a, b) = (self.node(graph), other.node(graph));
        let id = record(&mut graph.borrow_mut(), a, b);
        Self::Node { graph, id }
    }
    fn unary(self, function: Unary) -> Self {
        self.map(
            |x| unary_value(function, x),
            |graph, a| graph.unary(function, a),
        )
    }
    fn binary(self, other: Self, function: Binary) -> Self {
        self.combine(
            other,
            |x, y| binary_value(function, x, y),
            |graph, a, b| graph.binary(function, a, b),
        )
    }
}

impl From<f64> for Traced<'_> {
    fn from(value: f64) -> Self {
        Self::Constant(value)
    }
}

macro_rules! operators {
    ($($operator:ident $method:ident $assign:ident $assign_method:ident $sign:tt $record:ident),* $(,)?) => { $(
        impl $operator for Traced<'_> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                self.combine(other, |a, b| a $sign b, Graph::$record)
            }
        }
        impl $operator<f64> for Traced<'_> {
            type Output = Self;
            fn $method(self, other: f64) -> Self {
                self $sign Self::Constant(other)
            }
        }
        impl $assign for Traced<'_> {
            fn $assign_method(&mut self, other: Self) {
                *self = *self $sign other;
            }
        }
    )* };
}

operators!(
    Add add AddAssign add_assign + add,
    Sub sub SubAssign sub_assign - sub,
    Mul mul MulAssign mul_assign * mul,
    Div div DivAssign div_assign / div,
);

impl Neg for Traced<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        self.map(|x| -x, Graph::neg)
    }
}

macro_rules! unary_functions {
    ($($method:ident $function:ident),* $(,)?) => { $(
        fn $method(self) -> Self {
            self.unary(Unary::$function)
        }
    )* };
}

macro_rules! binary_functions {
    ($($method:ident $function:ident),* $(,)?) => { $(
        fn $method(self, other: Self) -> Self {
            self.binary(other, Binary::$function)
        }
    )* };
}

impl Real for Traced<'_> {
    unary_functions!(
        exp Exp, exp_m1 Expm1, ln Log, ln_1p Log1p, log2 Log2, log10 Log10, sqrt Sqrt, cbrt Cbrt,
        sin Sin, cos Cos, tan Tan, asin Asin, acos Acos, atan Atan, sinh Sinh, cosh Cosh, tanh Tanh,
        asinh Asinh, acosh Acosh, atanh Atanh, abs Abs, sign Sign, floor Floor, ceil Ceil, erf Erf,
    );
    binary_functions!(powf Pow, atan2 Atan2, min Min, max Max, modulo Mod, hypot Hypot);
    fn powi(self, exponent: i32) -> Self {
        self.map(
            |x| Real::powi(x, exponent),
            |graph, a| graph.powi(a, exponent),
        )
    }
    fn select(comparison: Comparison, left: Self, right: Self, yes: Self, no: Self) -> Self {
        if let (Self::Constant(a), Self::Constant(b)) = (left, right) {
            return if comparison.holds(a, b) { yes } else { no };
        }
        let Some(graph) = left.graph().or(right.graph()) else {
            return yes;
        };
        let [left, right, yes, no] = [left, right, yes, no].map(|side| side.node(graph));
        let id = graph.borrow_mut().select(comparison, left, right, yes, no);
        Self::Node { graph, id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evaluate;
    use crate::model::graph::{PARAMETERS, STATES};

    /// Every operation of `Real`, on numbers in (0, 1).
    fn everything<S: Real>(x: S, y: S, p: S) -> Vec<S> {
        let mut sum = x + y;
        sum += x * 2.0;
        sum -= p / y;
        sum *= S::from(0.5) - x;
        sum /= x + 3.0 + S::from(1.0) * 2.0;
        let mut all = vec![
            x + y,
            x - y,
            -x * y,
            x / y - 1.0,
            sum,
            S::from(2.0).exp(),
            x.powf(p),
            x.powi(3),
            y.powi(-2),
            x.atan2(y),
            x.min(y),
            x.max(y),
            x.modulo(p),
            x.hypot(y),
            (x + 1.5).acosh(),
            S::select(Comparison::Less, x, y, x * 2.0, y * 3.0),
            S::select(Comparison::GreaterOrEqual, S::from(1.0), S::from(0.0), x, y),
        ];
        all.extend(
            [x, y]
                .map(|x| {
                    [
                        x.exp(),
                        x.exp_m1(),
                        x.ln(),
                        x.ln_1p(),
                        x.log2(),
                        x.log10(),
                        x.sqrt(),
                        x.cbrt(),
                        x.sin(),
                        x.cos(),
                        x.tan(),
                        x.asin(),
                        x.acos(),
                        x.atan(),
                        x.sinh(),
                        x.cosh(),
                        x.tanh(),
                        x.asinh(),
                        x.atanh(),
                        x.abs(),
                        x.sign(),
                        x.floor(),
                        x.ceil(),
                        x.erf(),
                    ]
                })
                .concat(),
        );
        all
    }

    #[test]
    fn what_is_traced_is_what_was_written() {
        let graph = RefCell::new(Graph::new());
        let x = Traced::input(&graph, STATES, 0);
        let y = Traced::input(&graph, STATES, 1);
        let p = Traced::input(&graph, PARAMETERS, 0);
        let nodes: Vec<_> = everything(x, y, p)
            .into_iter()
            .map(|value| value.node(&graph))
            .collect();
        for [a, b, c] in [[0.3, 0.7, 0.2], [0.9, 0.05, 0.6], [0.5, 0.5, 0.5]] {
            let traced = evaluate(&graph.borrow(), &nodes, &[&[], &[a, b], &[c]]);
            assert_eq!(traced, everything(a, b, c));
        }
    }

    #[test]
    fn text_and_rust_become_the_same_node() {
        let graph = RefCell::new(Graph::new());
        let x = Traced::input(&graph, STATES, 0);
        let p = Traced::input(&graph, PARAMETERS, 0);
        let id = (x * p - x.powi(2)).node(&graph);
        let mut graph = graph.into_inner();
        let (x, p) = (graph.input(STATES, 0), graph.input(PARAMETERS, 0));
        let (product, square) = (graph.mul(p, x), graph.mul(x, x));
        assert_eq!(graph.sub(product, square), id);
    }
}
