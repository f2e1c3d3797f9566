//! Derivatives of arrays: what reads elements of a varied array gets their tangents, and the cotangents of what reads
//! them are brought together, element by element.
//!
//! A map reads, at the place i of an axis, the element e(i) of an array. The cotangent of the element j is
//!
//! ```text
//! x*[j] = sum over all i with e(i) = j of y*[i]
//! ```
//!
//! As e moves a place by a constant, that is y* at j less the constant, and at the array's ends what the edges say: so the
//! transpose of a map that gathers is a sum of maps that gather, under conditions on j that are false but at the ends.
//! Nothing is scattered; each element is written once, and the loop over j is as parallel as that over i. Where e is a list,
//! the sum over all i with e(i) = j is an [`Op::SumWhere`], and the transpose of that is a map by the list again.

use super::arrays::{At, Axis, Dimension, Edge, Gather};
use super::graph::{Binary, Graph, NodeId, Op};
use super::lists::{OUTSIDE, Selection, SelectionId};
use costate_solvers::Comparison;

/// Whether two maps read the same array.
fn same_array(a: &Gather, b: &Gather) -> bool {
    let shape = |gather: &Gather| {
        let dimensions = gather.dimensions.iter();
        dimensions.map(|d| (d.extent, d.stride)).collect::<Vec<_>>()
    };
    a.group == b.group && a.base == b.base && shape(a) == shape(b)
}

/// The gathers that `outputs` are computed from.
fn gathers(graph: &Graph, outputs: &[NodeId]) -> Vec<NodeId> {
    if graph.arrays().is_empty() {
        return Vec::new();
    }
    let live = graph.live(outputs).into_iter();
    live.filter(|&id| matches!(graph.op(id), Op::Gather(_)))
        .collect()
}

/// The map of a node that is one.
fn map_of(graph: &Graph, id: NodeId) -> Option<std::sync::Arc<Gather>> {
    match graph.op(id) {
        Op::Gather(gather) => Some(std::sync::Arc::clone(graph.arrays().gather(gather))),
        _ => None,
    }
}

/// Seeds with those of whole arrays made seeds of each node that reads an element of them.
pub(super) fn seeds(
    graph: &mut Graph,
    outputs: &[NodeId],
    seeds: &[(NodeId, NodeId)],
) -> Vec<(NodeId, NodeId)> {
    let gathers = gathers(graph, outputs);
    let mut plain = Vec::with_capacity(seeds.len());
    for &(variable, tangent) in seeds {
        let (Some(from), Some(to)) = (graph.variable(variable), graph.variable(tangent)) else {
            plain.push((variable, tangent));
            continue;
        };
        for &gather in &gathers {
            let Some(map) = map_of(graph, gather).filter(|map| same_array(map, &from)) else {
                continue;
            };
            let mut map = Gather::clone(&map);
            (map.group, map.base) = (to.group, to.base);
            for (dimension, to) in map.dimensions.iter_mut().zip(&to.dimensions) {
                dimension.stride = to.stride;
            }
            plain.push((gather, graph.gather(map)));
        }
    }
    plain
}

/// The nodes that stand for variables: themselves, and for a whole array each node that reads an element of it.
pub(super) fn variables(graph: &Graph, outputs: &[NodeId], wrt: &[NodeId]) -> Vec<NodeId> {
    let gathers = gathers(graph, outputs);
    let mut nodes = Vec::with_capacity(wrt.len());
    for &variable in wrt {
        match graph.variable(variable) {
            None => nodes.push(variable),
            Some(array) => nodes.extend(gathers.iter().copied().filter(|&gather| {
                map_of(graph, gather).is_some_and(|map| same_array(&map, &array))
            })),
        }
    }
    nodes
}

/// Of an array and its cotangent: the values, and their cotangent on the same axes.
pub(super) fn inside(graph: &mut Graph, output: NodeId, cotangent: NodeId) -> (NodeId, NodeId) {
    let (Op::Array(shape, values), Op::Array(other, mut weights)) =
        (graph.op(output), graph.op(cotangent))
    else {
        return (output, cotangent);
    };
    let axes = graph.arrays().shape(shape).to_vec();
    let theirs = graph.arrays().shape(other).to_vec();
    for (&from, &to) in theirs.iter().zip(&axes) {
        weights = graph.substitute(weights, from, along(to, 0));
    }
    let all = axes.into_iter().collect::<super::arrays::AxisSet>();
    let along = all.difference(graph.axes(values));
    (values, graph.sum_over(along, weights))
}

fn along(axis: Axis, shift: i32) -> At {
    At::Along {
        axis,
        shift,
        edge: Edge::Periodic,
    }
}

/// The cotangent of a whole array from the cotangents (`of`) of the nodes, among `nodes`, that read its elements.
pub(super) fn array(
    graph: &mut Graph,
    variable: NodeId,
    array: &Gather,
    nodes: &[NodeId],
    of: impl Fn(&NodeId) -> Option<NodeId>,
) -> NodeId {
    let axes = match graph.op(variable) {
        Op::Array(shape, _) => graph.arrays().shape(shape).to_vec(),
        _ => Vec::new(),
    };
    let mut sum = graph.constant(0.0);
    for id in nodes {
        let Some(map) = map_of(graph, *id).filter(|map| same_array(map, array)) else {
            continue;
        };
        if let Some(cotangent) = of(id) {
            for part in parts(graph, &map, cotangent, &axes) {
                sum = graph.add(sum, part);
            }
        }
    }
    graph.array(&axes, sum)
}

/// One way in which a place j comes from a place i: what to put for axes, and conditions on j that must hold; or the
/// places i to sum over, and conditions on them.
#[derive(Clone, Default)]
struct Way {
    put: Vec<(Axis, At)>,
    conditions: Vec<Condition>,
    sums: Vec<Selection>,
    terms: Vec<Condition>,
}

/// A comparison of two numbers that depend on j alone.
type Condition = (Comparison, NodeId, NodeId);

/// The contributions of one map to the element at the places on `axes`.
fn parts(graph: &mut Graph, map: &Gather, cotangent: NodeId, axes: &[Axis]) -> Vec<NodeId> {
    // the cotangent may hold the very axes of j, bound by no sum: they are moved out of the way as they are put
    let mut ways = vec![Way::default()];
    for (dimension, &axis) in map.dimensions.iter().zip(axes) {
        let mut longer = Vec::new();
        for way in &ways {
            longer.extend(ways_along(graph, map, dimension, axis, way, cotangent));
        }
        ways = longer;
    }
    ways.into_iter()
        .map(|way| {
            let value = put_all(graph, cotangent, &way.put);
            let value = where_all(graph, value, way.terms);
            let sums = way.sums.into_iter();
            let value = sums.fold(value, |value, sum| graph.sum_where(sum, value));
            where_all(graph, value, way.conditions)
        })
        .collect()
}

/// A value where conditions hold, else 0.
fn where_all(graph: &mut Graph, value: NodeId, conditions: Vec<Condition>) -> NodeId {
    let zero = graph.constant(0.0);
    let conditions = conditions.into_iter().rev();
    conditions.fold(value, |value, (comparison, left, right)| {
        graph.select(comparison, left, right, value, zero)
    })
}

/// What the cotangent `w` of a sum over the places that a list sends to an element gives each of its terms.
pub(super) fn selected(graph: &mut Graph, id: SelectionId, values: NodeId, w: NodeId) -> NodeId {
    let selection = graph.arrays().selection(id);
    let Selection {
        axis,
        list,
        count,
        at,
    } = selection;
    let back = At::Listed { axis, list };
    let element = graph.listed(axis, list);
    let last = graph.constant(f64::from(count));
    let outside = graph.arrays().list(list).contains(&OUTSIDE);
    let inside = outside.then_some((Comparison::LessOrEqual, element, last));
    match at {
        _ if at
            .axis()
            .is_some_and(|own| graph.axes(values).contains(own)) =>
        {
            let own = graph.index_at(at);
            let here = (Comparison::Equal, element, own);
            where_all(graph, w, inside.into_iter().chain([here]).collect())
        }
        At::Along { axis: own, .. } => {
            let value = graph.substitute(w, own, back);
            where_all(graph, value, inside.into_iter().collect())
        }
        At::Listed { axis, list } => {
            let back = Selection {
                axis,
                list,
                count,
                at: back,
            };
            graph.sum_where(back, w)
        }
        At::Fixed(place) => {
            let place = graph.constant(f64::from(place) + 1.0);
            where_all(graph, w, vec![(Comparison::Equal, element, place)])
        }
    }
}

/// All substitutions at once: none sees what another put.
fn put_all(graph: &mut Graph, node: NodeId, put: &[(Axis, At)]) -> NodeId {
    let clash = put.iter().enumerate().any(|(k, (_, at))| {
        let axis = at.axis();
        put[k + 1..].iter().any(|(later, _)| Some(*later) == axis)
    });
    if !clash {
        return put
            .iter()
            .fold(node, |node, &(axis, at)| graph.substitute(node, axis, at));
    }
    // by way of axes that nothing uses
    let mut node = node;
    let mut second = Vec::new();
    for (k, &(axis, at)) in put.iter().enumerate() {
        let extent = graph.arrays().extent(axis);
        match graph.axis(extent, super::arrays::Use::Open(200 + k as u8)) {
            Some(aside) => {
                node = graph.substitute(node, axis, along(aside, 0));
                second.push((aside, at));
            }
            None => second.push((axis, at)),
        }
    }
    second
        .into_iter()
        .fold(node, |node, (axis, at)| graph.substitute(node, axis, at))
}

/// A way, gone on along one dimension.
fn ways_along(
    graph: &mut Graph,
    map: &Gather,
    dimension: &Dimension,
    to: Axis,
    way: &Way,
    cotangent: NodeId,
) -> Vec<Way> {
    let index = graph.index(to);
    let (axis, shift, edge) = match dimension.at {
        At::Fixed(place) => {
            let mut way = way.clone();
            let place = graph.constant(f64::from(place) + 1.0);
            way.conditions.push((Comparison::Equal, index, place));
            return vec![way];
        }
        At::Along { axis, shift, edge } => (axis, shift, edge),
        At::Listed { axis, .. } => (axis, 0, Edge::Periodic),
    };
    if let Some(&(_, put)) = way.put.iter().find(|(known, _)| *known == axis) {
        // the axis is known already: j must agree
        let mut way = way.clone();
        let place = match dimension.at {
            At::Listed { list, .. } => {
                let listed = graph.listed(axis, list);
                graph.substitute(listed, axis, put)
            }
            _ => moved(graph, put, shift, edge, dimension.extent),
        };
        let summed = way.sums.iter().any(|sum| Some(sum.axis) == put.axis());
        let conditions = if summed {
            &mut way.terms
        } else {
            &mut way.conditions
        };
        conditions.push((Comparison::Equal, index, place));
        return vec![way];
    }
    if let At::Listed { list, .. } = dimension.at {
        let mut way = way.clone();
        let extent = graph.arrays().extent(axis);
        let name = super::arrays::Use::Open(230 + way.sums.len() as u8);
        let aside = graph.axis(extent, name).unwrap_or(axis);
        way.put.push((axis, along(aside, 0)));
        way.sums.push(Selection {
            axis: aside,
            list,
            count: dimension.extent,
            at: along(to, 0),
        });
        return vec![way];
    }
    let count = i64::from(graph.arrays().extent(axis));
    let extent = i64::from(dimension.extent);
    let shift = i64::from(shift);
    let put = |by: i64| (axis, along(to, by as i32));
    // i = j - shift must be a place of the axis
    let inside = |graph: &mut Graph, by: i64| {
        let mut conditions = Vec::new();
        if by < 0 {
            let first = graph.constant((1 - by) as f64);
            conditions.push((Comparison::GreaterOrEqual, index, first));
        }
        if extent - 1 + by > count - 1 {
            let last = graph.constant((count - by) as f64);
            conditions.push((Comparison::LessOrEqual, index, last));
        }
        conditions
    };
    let with = |way: &Way, by: i64, conditions: Vec<Condition>| {
        let mut way = way.clone();
        way.put.push(put(by));
        way.conditions.extend(conditions);
        way
    };
    let mut ways = Vec::new();
    match edge {
        Edge::Periodic
            if shift == 0
                || (count == extent
                    && goes_round(map, axis, extent)
                    && wraps(graph, cotangent, axis, extent)) =>
        {
            let conditions = if shift == 0 {
                inside(graph, 0)
            } else {
                Vec::new()
            };
            ways.push(with(way, -shift, conditions));
        }
        Edge::Periodic => {
            for turns in [-1, 0, 1] {
                let by = turns * extent - shift;
                // a place of the axis for some j
                if by < count && by + extent > 0 {
                    let conditions = inside(graph, by);
                    ways.push(with(way, by, conditions));
                }
            }
        }
        Edge::Zero => {
            let conditions = inside(graph, -shift);
            ways.push(with(way, -shift, conditions));
        }
        Edge::Clamp => {
            if -shift < count && extent - shift > 0 {
                let conditions = inside(graph, -shift);
                ways.push(with(way, -shift, conditions));
            }
            let one = graph.constant(1.0);
            for i in 0..(-shift).clamp(0, count) {
                ways.push(with(way, i, vec![(Comparison::Equal, index, one)]));
            }
            let last = graph.constant(extent as f64);
            for i in (extent - shift).clamp(0, count)..count {
                let condition = (Comparison::Equal, index, last);
                ways.push(with(way, i - (extent - 1), vec![condition]));
            }
        }
    }
    ways
}

/// Whether a node depends on an axis through maps alone that go round arrays of this length.
pub(super) fn wraps(graph: &Graph, node: NodeId, axis: Axis, length: i64) -> bool {
    graph
        .live(&[node])
        .into_iter()
        .filter(|&id| graph.axes(id).contains(axis))
        .all(|id| match graph.op(id) {
            Op::Index(_) | Op::Listed(..) => false,
            Op::SumWhere(id, _) => graph.arrays().selection(id).at.axis() != Some(axis),
            Op::Gather(gather) => goes_round(graph.arrays().gather(gather), axis, length),
            _ => true,
        })
}

/// Whether a map goes round arrays of this length wherever it follows an axis.
fn goes_round(map: &Gather, axis: Axis, length: i64) -> bool {
    map.dimensions.iter().all(|d| match d.at {
        At::Along {
            axis: own, edge, ..
        } if own == axis => edge == Edge::Periodic && i64::from(d.extent) == length,
        At::Listed { axis: own, .. } => own != axis,
        _ => true,
    })
}

/// The place that a map comes to, as a number from 1.
fn moved(graph: &mut Graph, put: At, shift: i32, edge: Edge, extent: u32) -> NodeId {
    let (base, by) = match put {
        At::Fixed(place) => (graph.constant(f64::from(place) + 1.0), shift),
        At::Along {
            axis,
            shift: before,
            ..
        } => (graph.index(axis), before + shift),
        At::Listed { axis, list } => (graph.listed(axis, list), shift),
    };
    let by = graph.constant(f64::from(by));
    let place = graph.add(base, by);
    let (one, last) = (graph.constant(1.0), graph.constant(f64::from(extent)));
    match edge {
        // outside, it agrees with no j
        Edge::Zero => place,
        Edge::Clamp => {
            let place = graph.binary(Binary::Max, place, one);
            graph.binary(Binary::Min, place, last)
        }
        Edge::Periodic => {
            let from_zero = graph.sub(place, one);
            let round = graph.binary(Binary::Mod, from_zero, last);
            graph.add(round, one)
        }
    }
}
