//! A last look at a whole function before it is differentiated and compiled: divisions by one divisor share its
//! reciprocal, and a difference and its opposite become one node.
//!
//! A processor divides once in the time of eight products. In the pull of one star on another,
//!
//! ```text
//! m (x2 - x1) / r,   m (y2 - y1) / r,   n (x1 - x2) / r,   n (y1 - y2) / r
//! ```
//!
//! four divisions become one reciprocal s = 1 / r, the products m s and n s that two terms each share, and
//! four products more; the two differences are formed once each.
//!
//! Unlike the rules of [`super::algebra`] this may move a value by rounding: a (1 / b) is within two units in the last place of a / b.
//! It differs by more only where 1 / b is no normal number, |b| being below 1e-308 or above 4e307.
//! So it is done once, to the nodes of f, before derivatives are taken: all forms of f then see the same f.

use std::collections::HashMap;
use std::sync::Arc;

use super::graph::{Graph, NodeId, Op};

/// A graph of what `roots` are computed from, rewritten, and the roots in it.
pub fn share(graph: &Graph, roots: &[NodeId]) -> (Graph, Vec<NodeId>) {
    let live = graph.live(roots);
    let uses = Uses::of(graph, &live);
    let mut new = Graph::new();
    for table in graph.tables() {
        new.add_table(Arc::clone(table));
    }
    let mut renamed: HashMap<NodeId, NodeId> = HashMap::with_capacity(live.len());
    for &id in &live {
        let op = graph.op(id);
        let made = match op {
            Op::Div(a, b) if uses.shared(b) => {
                let (factor, rest) = uses.split(graph, a, b);
                let one = new.constant(1.0);
                let reciprocal = new.div(one, renamed[&b]);
                let scaled = match factor {
                    Some(factor) => new.mul(renamed[&factor], reciprocal),
                    None => reciprocal,
                };
                match rest {
                    Some(rest) => new.mul(renamed[&rest], scaled),
                    None => scaled,
                }
            }
            Op::Sub(a, b) if uses.opposite(id, a, b) => {
                let opposite = new.sub(renamed[&b], renamed[&a]);
                match new.op(opposite) {
                    // `neg` would turn it round again
                    Op::Sub(..) => new.intern(Op::Neg(opposite)),
                    _ => new.neg(opposite),
                }
            }
            op => rebuilt(&mut new, op, |operand| renamed[&operand]),
        };
        renamed.insert(id, made);
    }
    let roots = roots.iter().map(|root| renamed[root]).collect();
    (new, roots)
}

/// The operation on renamed operands, simplified: signs move outwards anew.
pub(super) fn rebuilt(graph: &mut Graph, op: Op, name: impl Fn(NodeId) -> NodeId) -> NodeId {
    match op {
        Op::Constant(_) | Op::Input(_) => graph.intern(op),
        Op::Add(a, b) => graph.add(name(a), name(b)),
        Op::Sub(a, b) => graph.sub(name(a), name(b)),
        Op::Mul(a, b) => graph.mul(name(a), name(b)),
        Op::Div(a, b) => graph.div(name(a), name(b)),
        Op::Neg(a) => graph.neg(name(a)),
        Op::Powi(a, n) => graph.powi(name(a), n),
        Op::Unary(function, a) => graph.unary(function, name(a)),
        Op::Binary(function, a, b) => graph.binary(function, name(a), name(b)),
        Op::Select {
            comparison,
            left,
            right,
            yes,
            no,
        } => graph.select(comparison, name(left), name(right), name(yes), name(no)),
        Op::Table {
            table,
            order,
            at,
            place,
        } => graph.table(table, order, name(at), name(place)),
    }
}

/// What the live nodes have in common.
struct Uses {
    /// divisions by each divisor that is not a number
    divisions: HashMap<NodeId, u32>,
    /// among the dividends over a divisor that are products, those with a given factor: (divisor, factor)
    factors: HashMap<(NodeId, NodeId), u32>,
    /// the first node of each difference
    differences: HashMap<(NodeId, NodeId), NodeId>,
}

impl Uses {
    fn of(graph: &Graph, live: &[NodeId]) -> Self {
        let mut uses = Self {
            divisions: HashMap::new(),
            factors: HashMap::new(),
            differences: HashMap::new(),
        };
        for &id in live {
            match graph.op(id) {
                Op::Div(a, b) => {
                    if graph.constant_value(b).is_some() {
                        // few quotients by a number; what is exact stays exact
                        continue;
                    }
                    *uses.divisions.entry(b).or_default() += 1;
                    if let Op::Mul(p, q) = graph.op(a) {
                        *uses.factors.entry((b, p)).or_default() += 1;
                        *uses.factors.entry((b, q)).or_default() += 1;
                    }
                }
                Op::Sub(a, b) => {
                    uses.differences.insert((a, b), id);
                }
                _ => {}
            }
        }
        uses
    }

    /// Whether divisions by it share its reciprocal.
    fn shared(&self, divisor: NodeId) -> bool {
        self.divisions.get(&divisor).is_some_and(|&count| count > 1)
    }

    /// A dividend as (factor to be multiplied into the reciprocal, the rest); nothing is a one.
    fn split(
        &self,
        graph: &Graph,
        dividend: NodeId,
        divisor: NodeId,
    ) -> (Option<NodeId>, Option<NodeId>) {
        match graph.op(dividend) {
            Op::Constant(bits) if f64::from_bits(bits) == 1.0 => (None, None),
            Op::Mul(p, q) => {
                let count = |factor| self.factors.get(&(divisor, factor)).copied().unwrap_or(0);
                let (factor, rest) = if count(q) > count(p) { (q, p) } else { (p, q) };
                if count(factor) > 1 {
                    (Some(factor), Some(rest))
                } else {
                    (None, Some(dividend))
                }
            }
            _ => (None, Some(dividend)),
        }
    }

    /// Whether a - b, node `id`, is to be the opposite of an earlier b - a.
    fn opposite(&self, id: NodeId, a: NodeId, b: NodeId) -> bool {
        self.differences
            .get(&(b, a))
            .is_some_and(|&other| other < id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evaluate;
    use crate::model::graph::STATES;

    fn count(graph: &Graph, roots: &[NodeId], which: impl Fn(Op) -> bool) -> usize {
        let live = graph.live(roots);
        live.iter().filter(|&&id| which(graph.op(id))).count()
    }

    /// The pulls of two stars on each other, m = u[4], n = u[5].
    fn pulls() -> (Graph, Vec<NodeId>) {
        let mut g = Graph::new();
        let u: Vec<NodeId> = (0..6).map(|k| g.input(STATES, k)).collect();
        let (dx, dy) = (g.sub(u[0], u[2]), g.sub(u[1], u[3]));
        let (dx2, dy2) = (g.powi(dx, 2), g.powi(dy, 2));
        let square = g.add(dx2, dy2);
        let exponent = g.constant(1.5);
        let r = g.pow(square, exponent);
        let (back_x, back_y) = (g.sub(u[2], u[0]), g.sub(u[3], u[1]));
        let terms = [(u[4], back_x), (u[4], back_y), (u[5], dx), (u[5], dy)];
        let roots = terms.map(|(mass, difference)| {
            let top = g.mul(mass, difference);
            g.div(top, r)
        });
        (g, roots.to_vec())
    }

    #[test]
    fn a_pair_of_stars_divides_once() {
        let (graph, roots) = pulls();
        let is_division = |op| matches!(op, Op::Div(..));
        let is_difference = |op| matches!(op, Op::Sub(..));
        let is_product = |op| matches!(op, Op::Mul(..));
        let (new, shared) = share(&graph, &roots);
        assert_eq!(count(&graph, &roots, is_division), 4);
        assert_eq!(count(&new, &shared, is_division), 1);
        assert_eq!(count(&graph, &roots, is_difference), 4);
        assert_eq!(count(&new, &shared, is_difference), 2);
        assert_eq!(count(&new, &shared, is_product), 6);
    }

    /// Three roundings, of 1 / b, of the first product and of the second, instead of two.
    #[test]
    fn values_move_by_rounding_alone() {
        let (graph, roots) = pulls();
        let (new, shared) = share(&graph, &roots);
        let mut seed = 1_u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        };
        let mut moved = 0;
        for _ in 0..1000 {
            let u: Vec<f64> = (0..6).map(|_| random()).collect();
            let before = evaluate(&graph, &roots, &[&[], &u]);
            let after = evaluate(&new, &shared, &[&[], &u]);
            for (b, a) in before.iter().zip(&after) {
                assert!((a - b).abs() <= 2.5 * f64::EPSILON * b.abs(), "{b} {a}");
                moved += usize::from(a != b);
            }
        }
        assert!(moved > 0, "nothing was rewritten");
    }

    /// One division, and quotients by a number, stay what they are, bit for bit.
    #[test]
    fn a_single_division_stays() {
        let mut g = Graph::new();
        let (x, y) = (g.input(STATES, 0), g.input(STATES, 1));
        let three = g.constant(3.0);
        let (one, two) = (g.div(x, three), g.div(y, three));
        let alone = g.div(one, two);
        let (new, roots) = share(&g, &[alone, one]);
        assert_eq!(count(&new, &roots, |op| matches!(op, Op::Div(..))), 3);
        assert_eq!(
            evaluate(&new, &roots, &[&[], &[0.7, 1.9]]),
            evaluate(&g, &[alone, one], &[&[], &[0.7, 1.9]])
        );
    }
}
