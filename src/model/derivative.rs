//! Derivatives as rewrites of a graph: from the nodes of f, nodes of its derivatives, in the same graph, so that
//! what f computed is shared.
//!
//! With y = f(u): the tangent product ([`jvp`]) is dy = f'(u) du, one sweep from inputs to outputs; the cotangent
//! product ([`vjp`]) is u* = f'(u)^T y*, one sweep back; [`jacobian`] is the structurally non-zero entries of
//! f'(u). An absent tangent is a zero known from the structure and costs nothing.
//!
//! Kinks follow [`costate_solvers::Real`]: abs'(0) = 0, `max` and `min` take the branch that `>=` and `<=` select,
//! `floor`, `ceil`, `sign` have derivative 0, a comparison has none. d(a^b)/db is a^b ln a where a > 0 and 0
//! elsewhere, so that 0^b with b > 0 does no harm.
//!
//! Griewank & Walther, "Evaluating Derivatives", 2nd edition, 2008, chapters 3 and 5.

use std::collections::{HashMap, HashSet};
use std::f64::consts::{FRAC_2_SQRT_PI, LN_2, LN_10};

use costate_solvers::Comparison;

use super::graph::{Binary, Graph, NodeId, Op, Unary};
use super::transpose;

/// Tangents of `outputs` where the nodes `seeds.0` have tangents `seeds.1`. A seeded node is taken as a variable:
/// what it is computed from does not matter.
pub fn jvp(graph: &mut Graph, outputs: &[NodeId], seeds: &[(NodeId, NodeId)]) -> Vec<NodeId> {
    let seeds = transpose::seeds(graph, outputs, seeds);
    let order = dependents(graph, outputs, seeds.iter().map(|&(node, _)| node));
    let mut tangents: HashMap<NodeId, NodeId> = seeds.into_iter().collect();
    for id in order {
        if tangents.contains_key(&id) {
            continue;
        }
        if let Some(tangent) = tangent(graph, id, |operand| tangents.get(&operand).copied()) {
            tangents.insert(id, tangent);
        }
    }
    outputs
        .iter()
        .map(|output| match tangents.get(output) {
            Some(&tangent) => tangent,
            None => zero_like(graph, *output),
        })
        .collect()
}

/// As many zeros as a root stands for numbers.
fn zero_like(graph: &mut Graph, root: NodeId) -> NodeId {
    let zero = graph.constant(0.0);
    match graph.op(root) {
        Op::Array(shape, _) => graph.intern(Op::Array(shape, zero)),
        _ => zero,
    }
}

/// Cotangents of the nodes `wrt` where `outputs` have the cotangents `cotangents` (shapes: one an output). A node
/// of `wrt` is taken as a variable.
pub fn vjp(
    graph: &mut Graph,
    outputs: &[NodeId],
    cotangents: &[NodeId],
    wrt: &[NodeId],
) -> Vec<NodeId> {
    let variables = transpose::variables(graph, outputs, wrt);
    let order = dependents(graph, outputs, variables.iter().copied());
    let mut sums: HashMap<NodeId, Cotangent> =
        order.iter().map(|&id| (id, Cotangent::default())).collect();
    for (&output, &cotangent) in outputs.iter().zip(cotangents) {
        let (output, cotangent) = transpose::inside(graph, output, cotangent);
        if let Some(sum) = sums.get_mut(&output) {
            sum.add(graph, cotangent, false);
        }
    }
    let mut is_variable: HashSet<NodeId> = HashSet::with_capacity(variables.len());
    is_variable.extend(variables);
    for &id in order.iter().rev() {
        let Some(&Cotangent {
            sum: Some(cotangent),
            masked,
        }) = sums.get(&id)
        else {
            continue;
        };
        if is_variable.contains(&id) {
            continue;
        }
        for place in 0..4 {
            let Some(operand) = graph.op(id).operands().nth(place) else {
                break;
            };
            if !sums.contains_key(&operand) {
                continue;
            }
            let Some((contribution, masks)) = pull_back(graph, id, place, cotangent, masked) else {
                continue;
            };
            // one operand's value serves all places along the axes that it does not vary along
            let along = match graph.op(id) {
                // its transpose goes back to the terms, of which there is one a place
                Op::SumWhere(selection, _) => {
                    let terms = graph.arrays().selection(selection).axis;
                    let axes = graph.axes(contribution).with(terms);
                    axes.difference(graph.axes(operand))
                }
                _ => graph.axes(id).difference(graph.axes(operand)),
            };
            let contribution = graph.sum_over(along, contribution);
            if let Some(sum) = sums.get_mut(&operand) {
                sum.add(graph, contribution, masks || masked);
            }
        }
    }
    let of = |id: &NodeId| sums.get(id).and_then(|c| c.sum);
    wrt.iter()
        .map(|id| match graph.variable(*id) {
            Some(variable) => transpose::array(graph, *id, &variable, &order, of),
            None => of(id).unwrap_or_else(|| graph.constant(0.0)),
        })
        .collect()
}

/// The structurally non-zero entries (row, column, value) of the Jacobian of `outputs` in the nodes `wrt`, by rows.
///
/// Gradients are carried forwards as sparse rows, so that the derivative of a shared subexpression is computed
/// once for all rows that use it.
pub fn jacobian(
    graph: &mut Graph,
    outputs: &[NodeId],
    wrt: &[NodeId],
) -> Vec<(usize, usize, NodeId)> {
    let order = dependents(graph, outputs, wrt.iter().copied());
    let mut uses: HashMap<NodeId, usize> = HashMap::with_capacity(order.len());
    for &id in &order {
        for operand in graph.op(id).operands() {
            *uses.entry(operand).or_default() += 1;
        }
    }
    for &output in outputs {
        *uses.entry(output).or_default() += 1;
    }
    let one = graph.constant(1.0);
    let mut rows: HashMap<NodeId, Vec<(usize, NodeId)>> = HashMap::new();
    for (column, &id) in wrt.iter().enumerate() {
        rows.entry(id).or_insert_with(|| vec![(column, one)]);
    }
    for &id in &order {
        if rows.contains_key(&id) {
            continue;
        }
        let operands: Vec<NodeId> = graph.op(id).operands().collect();
        let mut columns: Vec<usize> = operands
            .iter()
            .filter_map(|operand| rows.get(operand))
            .flatten()
            .map(|&(column, _)| column)
            .collect();
        columns.sort_unstable();
        columns.dedup();
        let row: Vec<(usize, NodeId)> = columns
            .into_iter()
            .filter_map(|column| {
                let entry = |operand: NodeId| {
                    let row = rows.get(&operand)?;
                    let k = row.binary_search_by_key(&column, |&(c, _)| c).ok()?;
                    Some(row[k].1)
                };
                tangent(graph, id, entry).map(|value| (column, value))
            })
            .collect();
        rows.insert(id, row);
        // a row that nothing will read again is dropped: a long sum would otherwise keep one a term
        for operand in operands {
            if let Some(left) = uses.get_mut(&operand) {
                *left -= 1;
                if *left == 0 {
                    rows.remove(&operand);
                }
            }
        }
    }
    let mut entries = Vec::new();
    for (row, output) in outputs.iter().enumerate() {
        for &(column, value) in rows.get(output).map_or(&[][..], Vec::as_slice) {
            if graph.constant_value(value) != Some(0.0) {
                entries.push((row, column, value));
            }
        }
    }
    entries
}

/// The gradient in `wrt` of w^T (f'(u) du), where `seeds` gives du and `cotangents` gives w (one an output): the
/// second-order product that the adjoint of a method with a Jacobian inside it needs.
pub fn second_order_vjp(
    graph: &mut Graph,
    outputs: &[NodeId],
    seeds: &[(NodeId, NodeId)],
    cotangents: &[NodeId],
    wrt: &[NodeId],
) -> Vec<NodeId> {
    let tangents = jvp(graph, outputs, seeds);
    vjp(graph, &tangents, cotangents, wrt)
}

/// The nodes that `outputs` are computed from and that depend on `variables`, in order of index.
pub(super) fn dependents(
    graph: &Graph,
    outputs: &[NodeId],
    variables: impl Iterator<Item = NodeId>,
) -> Vec<NodeId> {
    let mut is_variable: HashSet<NodeId> = HashSet::new();
    is_variable.extend(variables);
    let mut seen: HashSet<NodeId> = HashSet::new();
    let mut stack: Vec<NodeId> = outputs.to_vec();
    let mut reached = Vec::new();
    while let Some(id) = stack.pop() {
        if seen.insert(id) {
            reached.push(id);
            if !is_variable.contains(&id) {
                stack.extend(graph.op(id).operands());
            }
        }
    }
    reached.sort_unstable();
    let mut depends: HashSet<NodeId> = HashSet::new();
    reached.retain(|&id| {
        let holds = is_variable.contains(&id)
            || graph
                .op(id)
                .operands()
                .any(|operand| depends.contains(&operand));
        if holds {
            depends.insert(id);
        }
        holds
    });
    reached
}

/// The sum of what a node's users send back.
#[derive(Debug, Clone, Copy, Default)]
struct Cotangent {
    sum: Option<NodeId>,
    /// whether it may be 0 because a branch was not taken
    masked: bool,
}

impl Cotangent {
    fn add(&mut self, graph: &mut Graph, contribution: NodeId, masked: bool) {
        self.masked |= masked;
        self.sum = Some(match self.sum {
            Some(sum) => graph.add(sum, contribution),
            None => contribution,
        });
    }
}

/// The tangent of a node from those of its operands; `None` where it is zero by structure.
pub(super) fn tangent(
    graph: &mut Graph,
    id: NodeId,
    of: impl Fn(NodeId) -> Option<NodeId>,
) -> Option<NodeId> {
    match graph.op(id) {
        Op::Constant(_) | Op::Input(_) | Op::Index(_) | Op::Listed(..) | Op::Gather(_) => None,
        Op::Sum(axis, a) => of(a).map(|da| graph.sum(axis, da)),
        Op::SumWhere(id, a) => {
            let da = of(a)?;
            let selection = graph.arrays().selection(id);
            Some(graph.sum_where(selection, da))
        }
        Op::Array(shape, a) => of(a).map(|da| graph.intern(Op::Array(shape, da))),
        Op::Add(a, b) => match (of(a), of(b)) {
            (Some(da), Some(db)) => Some(graph.add(da, db)),
            (da, db) => da.or(db),
        },
        Op::Sub(a, b) => match (of(a), of(b)) {
            (Some(da), Some(db)) => Some(graph.sub(da, db)),
            (None, Some(db)) => Some(graph.neg(db)),
            (da, None) => da,
        },
        Op::Mul(a, b) => {
            let left = of(a).map(|da| graph.mul(da, b));
            let right = of(b).map(|db| graph.mul(a, db));
            sum(graph, left, right)
        }
        // (1/b)' = -(1/b)^2 b'
        Op::Div(a, b) if graph.constant_value(a) == Some(1.0) => of(b).map(|db| {
            let square = graph.powi(id, 2);
            let part = graph.mul(square, db);
            graph.neg(part)
        }),
        // (a/b)' = (a' - (a/b) b') / b
        Op::Div(a, b) => {
            let top = match (of(a), of(b)) {
                (None, None) => return None,
                (Some(da), None) => da,
                (da, Some(db)) => {
                    let part = graph.mul(id, db);
                    match da {
                        Some(da) => graph.sub(da, part),
                        None => graph.neg(part),
                    }
                }
            };
            Some(graph.div(top, b))
        }
        Op::Neg(a) => of(a).map(|da| graph.neg(da)),
        Op::Powi(a, n) => {
            let da = of(a)?;
            let partial = powi_partial(graph, id, a, n);
            Some(graph.mul(da, partial))
        }
        Op::Unary(function, a) => {
            let da = of(a)?;
            let partial = unary_partial(graph, id, function, a)?;
            Some(graph.mul(da, partial))
        }
        Op::Binary(Binary::Min, a, b) => choice(graph, Comparison::LessOrEqual, a, b, of(a), of(b)),
        Op::Binary(Binary::Max, a, b) => {
            choice(graph, Comparison::GreaterOrEqual, a, b, of(a), of(b))
        }
        Op::Binary(function, a, b) => {
            let mut parts = [None, None];
            for (place, operand) in [a, b].into_iter().enumerate() {
                if let Some(d) = of(operand) {
                    let partial = binary_partial(graph, id, function, a, b, place);
                    parts[place] = Some(graph.mul(d, partial));
                }
            }
            sum(graph, parts[0], parts[1])
        }
        Op::Select {
            comparison,
            left,
            right,
            yes,
            no,
        } => choice(graph, comparison, left, right, of(yes), of(no)),
        Op::Table {
            table,
            order,
            at,
            place,
        } => {
            let d = of(at)?;
            if order >= 3 {
                return None;
            }
            let slope = graph.table(table, order + 1, at, place);
            Some(graph.mul(d, slope))
        }
    }
}

fn sum(graph: &mut Graph, a: Option<NodeId>, b: Option<NodeId>) -> Option<NodeId> {
    match (a, b) {
        (Some(a), Some(b)) => Some(graph.add(a, b)),
        (a, b) => a.or(b),
    }
}

/// The tangent of a choice between two.
fn choice(
    graph: &mut Graph,
    comparison: Comparison,
    left: NodeId,
    right: NodeId,
    yes: Option<NodeId>,
    no: Option<NodeId>,
) -> Option<NodeId> {
    if yes.is_none() && no.is_none() {
        return None;
    }
    let zero = graph.constant(0.0);
    Some(graph.select(
        comparison,
        left,
        right,
        yes.unwrap_or(zero),
        no.unwrap_or(zero),
    ))
}

/// What the cotangent `w` of node `id` sends to its operand number `place`, and whether a branch not taken may
/// have made it 0.
///
/// Such a 0 must stay 0 even where the branch not taken has an infinite derivative (`if(x > 0, sqrt(x), 0)` at
/// x = 0), so products of masked cotangents are guarded.
fn pull_back(
    graph: &mut Graph,
    id: NodeId,
    place: usize,
    w: NodeId,
    masked: bool,
) -> Option<(NodeId, bool)> {
    let plain = |node| Some((node, false));
    let partial = match graph.op(id) {
        Op::Constant(_) | Op::Input(_) | Op::Index(_) | Op::Listed(..) | Op::Gather(_) => {
            return None;
        }
        Op::Add(..) | Op::Sum(..) | Op::Array(..) => return plain(w),
        Op::SumWhere(selection, values) => {
            return plain(transpose::selected(graph, selection, values, w));
        }
        Op::Sub(..) => return plain(if place == 0 { w } else { graph.neg(w) }),
        Op::Neg(_) => return plain(graph.neg(w)),
        Op::Mul(a, b) => {
            if place == 0 {
                b
            } else {
                a
            }
        }
        Op::Div(a, b) => {
            let part = if place == 0 {
                graph.div(w, b)
            } else {
                let part = if graph.constant_value(a) == Some(1.0) {
                    let slope = graph.powi(id, 2);
                    graph.mul(w, slope)
                } else {
                    // w / b is what the dividend is sent
                    let share = graph.div(w, b);
                    graph.mul(share, id)
                };
                graph.neg(part)
            };
            return plain(guarded(graph, w, masked, part, b));
        }
        Op::Powi(a, n) => powi_partial(graph, id, a, n),
        Op::Unary(function, a) => unary_partial(graph, id, function, a)?,
        Op::Binary(function @ (Binary::Min | Binary::Max), a, b) => {
            let comparison = if function == Binary::Min {
                Comparison::LessOrEqual
            } else {
                Comparison::GreaterOrEqual
            };
            return Some((mask(graph, comparison, a, b, place == 0, w), true));
        }
        Op::Binary(function, a, b) => binary_partial(graph, id, function, a, b, place),
        Op::Select {
            comparison,
            left,
            right,
            ..
        } => {
            // the comparison's own sides have no derivative
            if place < 2 {
                return None;
            }
            return Some((mask(graph, comparison, left, right, place == 2, w), true));
        }
        Op::Table {
            table,
            order,
            at,
            place: piece,
        } => {
            if place != 0 || order >= 3 {
                return None;
            }
            graph.table(table, order + 1, at, piece)
        }
    };
    let part = graph.mul(w, partial);
    plain(guarded(graph, w, masked, part, partial))
}

/// `w` where the branch is taken, else 0.
fn mask(
    graph: &mut Graph,
    comparison: Comparison,
    left: NodeId,
    right: NodeId,
    first: bool,
    w: NodeId,
) -> NodeId {
    let zero = graph.constant(0.0);
    let (yes, no) = if first { (w, zero) } else { (zero, w) };
    graph.select(comparison, left, right, yes, no)
}

/// `part`, but 0 where the masked cotangent `w` is 0, whatever `factor` is.
fn guarded(graph: &mut Graph, w: NodeId, masked: bool, part: NodeId, factor: NodeId) -> NodeId {
    if !masked || graph.constant_value(factor).is_some_and(f64::is_finite) {
        return part;
    }
    let zero = graph.constant(0.0);
    graph.select(Comparison::Equal, w, zero, zero, part)
}

/// d(a^n)/da = n a^(n-1)
fn powi_partial(graph: &mut Graph, id: NodeId, a: NodeId, n: i32) -> NodeId {
    let power = match n.checked_sub(1) {
        Some(less) => graph.powi(a, less),
        None => graph.div(id, a),
    };
    let n = graph.constant(f64::from(n));
    graph.mul(n, power)
}

/// f'(a), with id = f(a) used where it helps; `None` where it is 0 everywhere.
fn unary_partial(graph: &mut Graph, id: NodeId, function: Unary, a: NodeId) -> Option<NodeId> {
    let one = graph.constant(1.0);
    // (1 - a)(1 + a) rather than 1 - a^2: exact near the ends
    let one_less_square = |graph: &mut Graph| {
        let (less, more) = (graph.sub(one, a), graph.add(one, a));
        graph.mul(less, more)
    };
    let scaled_reciprocal = |graph: &mut Graph, factor: f64| {
        let factor = graph.constant(factor);
        graph.div(factor, a)
    };
    Some(match function {
        Unary::Exp => id,
        Unary::Expm1 => graph.unary(Unary::Exp, a),
        Unary::Log => scaled_reciprocal(graph, 1.0),
        Unary::Log1p => {
            let more = graph.add(one, a);
            graph.div(one, more)
        }
        Unary::Log2 => scaled_reciprocal(graph, 1.0 / LN_2),
        Unary::Log10 => scaled_reciprocal(graph, 1.0 / LN_10),
        Unary::Sqrt => {
            let half = graph.constant(0.5);
            graph.div(half, id)
        }
        Unary::Cbrt => {
            let square = graph.powi(id, 2);
            let three = graph.constant(3.0);
            let bottom = graph.mul(three, square);
            graph.div(one, bottom)
        }
        Unary::Sin => graph.unary(Unary::Cos, a),
        Unary::Cos => {
            let sine = graph.unary(Unary::Sin, a);
            graph.neg(sine)
        }
        Unary::Tan => {
            let square = graph.powi(id, 2);
            graph.add(one, square)
        }
        Unary::Asin | Unary::Acos => {
            let product = one_less_square(graph);
            let root = graph.unary(Unary::Sqrt, product);
            let slope = graph.div(one, root);
            if function == Unary::Asin {
                slope
            } else {
                graph.neg(slope)
            }
        }
        Unary::Atan => {
            let square = graph.powi(a, 2);
            let bottom = graph.add(one, square);
            graph.div(one, bottom)
        }
        Unary::Sinh => graph.unary(Unary::Cosh, a),
        Unary::Cosh => graph.unary(Unary::Sinh, a),
        Unary::Tanh => {
            let square = graph.powi(id, 2);
            graph.sub(one, square)
        }
        Unary::Asinh => {
            let root = graph.binary(Binary::Hypot, a, one);
            graph.div(one, root)
        }
        Unary::Acosh => {
            let (less, more) = (graph.sub(a, one), graph.add(a, one));
            let product = graph.mul(less, more);
            let root = graph.unary(Unary::Sqrt, product);
            graph.div(one, root)
        }
        Unary::Atanh => {
            let product = one_less_square(graph);
            graph.div(one, product)
        }
        Unary::Abs => graph.unary(Unary::Sign, a),
        Unary::Sign | Unary::Floor | Unary::Ceil => return None,
        Unary::Erf => {
            let square = graph.powi(a, 2);
            let exponent = graph.neg(square);
            let bell = graph.unary(Unary::Exp, exponent);
            let factor = graph.constant(FRAC_2_SQRT_PI);
            graph.mul(factor, bell)
        }
    })
}

/// The partial derivative of f(a, b) in its argument number `place`; not of `Min` and `Max`, which choose.
fn binary_partial(
    graph: &mut Graph,
    id: NodeId,
    function: Binary,
    a: NodeId,
    b: NodeId,
    place: usize,
) -> NodeId {
    let zero = graph.constant(0.0);
    match (function, place) {
        (Binary::Pow, 0) => {
            let one = graph.constant(1.0);
            let less = graph.sub(b, one);
            let power = graph.pow(a, less);
            let slope = graph.mul(b, power);
            if graph.constant_value(b).is_some() {
                slope
            } else {
                graph.select(Comparison::Equal, b, zero, zero, slope)
            }
        }
        (Binary::Pow, _) => {
            let logarithm = graph.unary(Unary::Log, a);
            let slope = graph.mul(id, logarithm);
            graph.select(Comparison::Greater, a, zero, slope, zero)
        }
        (Binary::Atan2, _) => {
            let (a2, b2) = (graph.powi(a, 2), graph.powi(b, 2));
            let bottom = graph.add(a2, b2);
            if place == 0 {
                graph.div(b, bottom)
            } else {
                let quotient = graph.div(a, bottom);
                graph.neg(quotient)
            }
        }
        (Binary::Mod, 0) => graph.constant(1.0),
        (Binary::Mod, _) => {
            let quotient = graph.div(a, b);
            let whole = graph.unary(Unary::Floor, quotient);
            graph.neg(whole)
        }
        (Binary::Hypot, _) => graph.div(if place == 0 { a } else { b }, id),
        (Binary::Min | Binary::Max, _) => {
            let comparison = if function == Binary::Min {
                Comparison::LessOrEqual
            } else {
                Comparison::GreaterOrEqual
            };
            let one = graph.constant(1.0);
            mask(graph, comparison, a, b, place == 0, one)
        }
    }
}
