//! Whether an expression is a homogeneous polynomial in some variables, by its structure: f(s v) = s^k f(v).

use std::collections::{HashMap, HashSet};

use crate::model::graph::{Graph, NodeId, Op};

/// The degree k of `root` in `variables`, where its structure shows one; a sum of terms of different degrees, or a
/// function that is no polynomial, has none.
pub(super) fn degree(graph: &Graph, root: NodeId, variables: &[NodeId]) -> Option<i32> {
    let variables: HashSet<NodeId> = variables.iter().copied().collect();
    let mut degrees: HashMap<NodeId, Option<i32>> = HashMap::new();
    for id in graph.live(&[root]) {
        let of = |operand: NodeId| degrees[&operand];
        let degree = if variables.contains(&id) {
            Some(1)
        } else {
            match graph.op(id) {
                Op::Add(a, b) | Op::Sub(a, b) => of(a).filter(|_| of(a) == of(b)),
                Op::Mul(a, b) => of(a).zip(of(b)).and_then(|(a, b)| a.checked_add(b)),
                Op::Div(a, b) => of(a).filter(|_| of(b) == Some(0)),
                Op::Neg(a) => of(a),
                Op::Powi(a, n) => of(a)
                    .filter(|&degree| degree == 0 || n >= 0)
                    .and_then(|degree| degree.checked_mul(n)),
                Op::Select {
                    left,
                    right,
                    yes,
                    no,
                    ..
                } => of(yes)
                    .filter(|_| of(yes) == of(no) && of(left) == Some(0) && of(right) == Some(0)),
                op => op
                    .operands()
                    .all(|operand| of(operand) == Some(0))
                    .then_some(0),
            }
        };
        degrees.insert(id, degree);
    }
    degrees[&root]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::graph::{STATES, Unary};

    #[test]
    fn degrees_follow_the_structure() {
        let mut g = Graph::new();
        let (q, v, w) = (g.input(STATES, 0), g.input(STATES, 1), g.input(STATES, 2));
        let cosine = g.unary(Unary::Cos, q);
        let (square, product) = (g.powi(v, 2), g.mul(v, w));
        let mixed = g.mul(product, cosine);
        let quadratic = g.add(square, mixed);
        let linear = g.mul(cosine, w);
        let both = g.add(quadratic, linear);
        let quotient = g.div(quadratic, v);
        let root = g.unary(Unary::Sqrt, quadratic);
        let of = |node| degree(&g, node, &[v, w]);
        assert_eq!(of(quadratic), Some(2));
        assert_eq!(of(linear), Some(1));
        assert_eq!(of(cosine), Some(0));
        assert_eq!((of(both), of(quotient), of(root)), (None, None, None));
    }
}
