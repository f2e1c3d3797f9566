//! Equations as one hash-consed graph: parsing, lowering, simplification, derivatives.

pub mod expression;
pub mod graph;
pub mod table;

pub use expression::{Arithmetic, Expression, ExpressionKind};
pub use graph::{Graph, NodeId, Op};
