//! Arrays in expressions: elements `u[i+1, j]`, whole arrays where their indices are bound, sums over indices.

use super::arrays::{At, Axis, Edge, Use};
use super::expression::{Expression, ExpressionKind};
use super::graph::{Graph, NodeId, Op};
use super::lists::ListId;
use super::lower::{Arguments, Context, Lowering, listed};
use super::lower_graphs::edges_of;
use super::scope::{ArrayBinding, ArrayValue, End, Role};
use super::{transpose, unroll};
use crate::diagnostic::{Diagnostic, Span, nearest};
use costate_solvers::Comparison;

const PLACE: Context = Context {
    what: "a place in an array",
    states: false,
    time: false,
};

/// A place along a dimension.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// this one, from 0
    Fixed(i64),
    /// that on an axis, moved
    Along(Axis, i64),
    /// that which a list has for the one on an axis
    Listed(Axis, ListId),
}

/// The values of an expression of indices and numbers, row by row: for parameters, which are numbers.
pub(crate) fn values_over(
    expression: &Expression,
    indices: &[(&str, u32)],
) -> Result<Vec<f64>, Vec<Diagnostic>> {
    let mut graph = Graph::new();
    let extents: Vec<u32> = indices.iter().map(|&(_, size)| size).collect();
    let Some(axes) = graph.dimension_axes(&extents) else {
        return Ok(Vec::new());
    };
    let bound: Vec<(&str, NodeId)> = indices
        .iter()
        .zip(&axes)
        .map(|(&(name, _), &axis)| (name, graph.index(axis)))
        .collect();
    let mut lowering = Lowering::new(&mut graph, super::scope::Scope::default());
    let context = Context {
        what: "a value",
        states: false,
        time: false,
    };
    let value = lowering.node(expression, &bound, context);
    let diagnostics = std::mem::take(&mut lowering.diagnostics);
    let Some(value) = value.filter(|_| diagnostics.is_empty()) else {
        return Err(diagnostics);
    };
    let root = graph.array(&axes, value);
    let (plain, roots) = unroll::unroll(&graph, &[root]);
    Ok(super::evaluate(&plain, &roots, &[]))
}

impl Lowering<'_> {
    /// The node of an expression over indices: its values along the axes of their dimensions.
    pub(super) fn lower_over(
        &mut self,
        expression: &Expression,
        over: &[usize],
        context: Context,
    ) -> Option<NodeId> {
        let axes = self.axes_of(over, &expression.span)?;
        let mut bound = Vec::new();
        for (&index, &axis) in over.iter().zip(&axes) {
            self.bind_index(index, axis, &mut bound);
        }
        let bound: Vec<(&str, NodeId)> = bound
            .iter()
            .map(|(name, node)| (name.as_str(), *node))
            .collect();
        self.node(expression, &bound, context)
    }

    /// Binds an index to the places of an axis; the edges of a graph also bind their ends.
    pub(super) fn bind_index(
        &mut self,
        index: usize,
        axis: Axis,
        bound: &mut Vec<(String, NodeId)>,
    ) {
        let name = self.scope.indices[index].name.clone();
        bound.push((name, self.graph.index(axis)));
        let graph = self.scope.graphs.iter().find(|graph| graph.edges == index);
        if let Some(graph) = graph.cloned() {
            for (name, ends) in [("from", &graph.from), ("to", &graph.to)] {
                let list = self.graph.list(ends);
                bound.push((name.to_owned(), self.graph.listed(axis, list)));
            }
        }
    }

    /// The same as a root that holds all values.
    pub(super) fn lower_array(
        &mut self,
        expression: &Expression,
        over: &[usize],
        context: Context,
    ) -> Option<NodeId> {
        let values = self.lower_over(expression, over, context)?;
        let axes = self.axes_of(over, &expression.span)?;
        Some(self.graph.array(&axes, values))
    }

    fn axes_of(&mut self, over: &[usize], span: &Span) -> Option<Vec<Axis>> {
        let extents: Vec<u32> = over.iter().map(|&k| self.scope.indices[k].size).collect();
        let axes = self.graph.dimension_axes(&extents);
        if axes.is_none() {
            self.too_many_axes(span);
        }
        axes
    }

    pub(super) fn too_many_axes(&mut self, span: &Span) {
        let most = super::arrays::MOST_AXES;
        self.report(
            Diagnostic::error(
                "model::size",
                format!("the scenario has more than {most} index sizes and dimensions"),
                Some(span.clone()),
            )
            .with_help("let index sets share sizes, or nest fewer sums"),
        );
    }

    /// A whole array by its name: its element at the bound places of its indices.
    pub(super) fn whole_array(
        &mut self,
        name: &str,
        span: &Span,
        arguments: &Arguments,
        context: Context,
    ) -> Option<NodeId> {
        let array = self.scope.arrays.get(name)?.clone();
        let index_names: Vec<String> = array
            .over
            .iter()
            .map(|&k| self.scope.indices[k].name.clone())
            .collect();
        let bound = |index: &String| {
            // the innermost sum's
            let argument = arguments.iter().rfind(|(own, _)| own == index);
            argument.map(|&(_, node)| node)
        };
        let Some(nodes) = index_names.iter().map(bound).collect::<Option<Vec<_>>>() else {
            let ones = vec!["1"; index_names.len()].join(", ");
            self.report(
                Diagnostic::error(
                    "model::array",
                    format!("`{name}` is an array over {}", listed_owned(&index_names)),
                    Some(span.clone()),
                )
                .with_label("which element?")
                .with_help(format!(
                    "name an element, `{name}[{ones}]`, or add up: `sum({name})`, `mean({name})`"
                )),
            );
            return None;
        };
        let spans = vec![span.clone(); nodes.len()];
        self.element_of(name, &array, span, &nodes, &spans, context)
    }

    /// `name[place, ...]`
    pub(super) fn element(
        &mut self,
        name: &str,
        span: &Span,
        places: &[Expression],
        arguments: &Arguments,
        context: Context,
    ) -> Option<NodeId> {
        let Some(array) = self.scope.arrays.get(name).cloned() else {
            self.no_array(name, span);
            return None;
        };
        // no sample is taken of a place
        let samples = self.functional.take();
        let nodes: Vec<Option<NodeId>> = places
            .iter()
            .map(|place| self.node(place, arguments, PLACE))
            .collect();
        self.functional = samples;
        if self.functional.is_some() && array.role != Role::Parameter {
            return self.varies_along(name, span);
        }
        if places.len() != array.over.len() {
            let count = array.over.len();
            let plural = if count == 1 { "index" } else { "indices" };
            self.report(
                Diagnostic::error(
                    "model::array",
                    format!("`{name}` has {count} {plural}, not {}", places.len()),
                    Some(span.clone()),
                )
                .with_help(format!(
                    "it is over {}",
                    listed_owned(
                        &array
                            .over
                            .iter()
                            .map(|&k| self.scope.indices[k].name.clone())
                            .collect::<Vec<_>>()
                    )
                )),
            );
            return None;
        }
        let nodes: Vec<NodeId> = nodes.into_iter().collect::<Option<_>>()?;
        let spans: Vec<Span> = places.iter().map(|place| place.span.clone()).collect();
        self.element_of(name, &array, span, &nodes, &spans, context)
    }

    fn varies_along(&mut self, name: &str, span: &Span) -> Option<NodeId> {
        self.report(
            Diagnostic::error(
                "model::not-allowed-here",
                format!("`{name}` varies along the run"),
                Some(span.clone()),
            )
            .with_help(format!("say when: `final({name}[...])`")),
        );
        None
    }

    fn no_array(&mut self, name: &str, span: &Span) {
        let mut arrays: Vec<&str> = self.scope.arrays.keys().map(String::as_str).collect();
        arrays.sort_unstable();
        let message = match self.scope.names.get(name) {
            Some(binding) => format!("`{name}` is {}, no array", binding.role.words()),
            None => format!("there is no array `{name}`"),
        };
        let help = match nearest(name, arrays.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if arrays.is_empty() => {
                "an array is given with its indices: `u = { over = [\"i\"], initial = 0.0 }`"
                    .to_owned()
            }
            None => format!("arrays are {}", listed(&arrays)),
        };
        self.report(
            Diagnostic::error("model::unknown-name", message, Some(span.clone()))
                .with_label("no array")
                .with_help(help),
        );
    }

    fn element_of(
        &mut self,
        name: &str,
        array: &ArrayBinding,
        span: &Span,
        nodes: &[NodeId],
        spans: &[Span],
        context: Context,
    ) -> Option<NodeId> {
        let mut places = Vec::with_capacity(nodes.len());
        for ((&node, &index), place_span) in nodes.iter().zip(&array.over).zip(spans) {
            match self.place(node) {
                Some(place) => places.push(self.checked(name, index, place, place_span)?),
                // the body of a function whose arguments may be places
                None if self.checks_functions => return Some(self.graph.constant(f64::NAN)),
                None => {
                    self.report(
                        Diagnostic::error(
                            "model::array",
                            "a place is an index, with a whole number added or taken away, or a whole number",
                            Some(place_span.clone()),
                        )
                        .with_help("such as `u[i]`, `u[i+1]`, `u[1]`"),
                    );
                    return None;
                }
            }
        }
        let node = match &array.value {
            ArrayValue::Node(node) => {
                let node = (*node)?;
                self.moved_node(node, &array.over, &places, span)
            }
            ArrayValue::Input(block) => {
                let at: Vec<At> = places
                    .iter()
                    .zip(&array.over)
                    .map(|(&place, &index)| self.at(place, index))
                    .collect();
                let mut value = self.graph.element_at(block, &at);
                for (&place, &index) in places.iter().zip(&array.over) {
                    value = self.beyond(value, place, index, |_, _| None)?;
                }
                Some(value)
            }
        }?;
        self.allowed(name, span, array.role, node, context)
    }

    /// A place among the outputs of a network.
    pub(super) fn place_among(
        &mut self,
        name: &str,
        outputs: u32,
        output: &Expression,
        arguments: &Arguments,
    ) -> Option<At> {
        let samples = self.functional.take();
        let node = self.node(output, arguments, PLACE);
        self.functional = samples;
        let place = self.place(node?);
        let count = i64::from(outputs);
        match place {
            Some(Place::Fixed(at)) if (0..count).contains(&at) => Some(At::Fixed(at as u32)),
            Some(Place::Along(axis, shift))
                if shift >= 0 && i64::from(self.graph.arrays().extent(axis)) + shift <= count =>
            {
                Some(along(axis, shift as i32))
            }
            _ => {
                self.report(
                    Diagnostic::error(
                        "model::network",
                        format!("`{name}` has the outputs 1 to {outputs}"),
                        Some(output.span.clone()),
                    )
                    .with_label("no output")
                    .with_help(format!(
                        "write `{name}(...)[1]`, or an index as long as there are outputs"
                    )),
                );
                None
            }
        }
    }

    /// What a node says of a place.
    fn place(&self, node: NodeId) -> Option<Place> {
        let whole = |id: NodeId| {
            let value = self.graph.constant_value(id)?;
            (value.fract() == 0.0 && value.abs() < 1e9).then_some(value as i64)
        };
        let along = |id: NodeId| match self.graph.op(id) {
            Op::Index(axis) => Some(axis),
            _ => None,
        };
        match self.graph.op(node) {
            Op::Constant(_) => whole(node).map(|place| Place::Fixed(place - 1)),
            Op::Index(axis) => Some(Place::Along(axis, 0)),
            Op::Listed(axis, list) => Some(Place::Listed(axis, list)),
            Op::Add(a, b) => match (along(a), whole(b), whole(a), along(b)) {
                (Some(axis), Some(shift), ..) | (_, _, Some(shift), Some(axis)) => {
                    Some(Place::Along(axis, shift))
                }
                _ => None,
            },
            Op::Sub(a, b) => Some(Place::Along(along(a)?, -whole(b)?)),
            _ => None,
        }
    }

    /// A place, where there is something for all places of its axis.
    fn checked(&mut self, name: &str, index: usize, place: Place, span: &Span) -> Option<Place> {
        let set = self.scope.indices[index].clone();
        let (size, own) = (i64::from(set.size), &set.name);
        let refuse = |lowering: &mut Self, message: String, help: String| {
            lowering.report(
                Diagnostic::error("model::array", message, Some(span.clone()))
                    .with_label("outside")
                    .with_help(help),
            );
            None
        };
        let (axis, shift) = match place {
            Place::Fixed(at) if (0..size).contains(&at) => return Some(place),
            Place::Fixed(at) => {
                let message = format!("`{name}` has no place {} along `{own}`", at + 1);
                return refuse(self, message, format!("`{own}` goes from 1 to {size}"));
            }
            Place::Along(axis, shift) => (axis, shift),
            Place::Listed(_, list) => {
                let elements = self.graph.arrays().list(list);
                let last = elements.iter().max().map_or(0, |&last| i64::from(last) + 1);
                if last <= size {
                    return Some(place);
                }
                let message = format!("`{name}` has no place {last} along `{own}`");
                return refuse(self, message, format!("`{own}` goes from 1 to {size}"));
            }
        };
        let count = i64::from(self.graph.arrays().extent(axis));
        let (before, after) = (shift < 0, count + shift > size);
        if !before && !after {
            return Some(place);
        }
        if shift.abs() >= size.max(count) {
            let message = format!("`{name}` is read {} places away along `{own}`", shift.abs());
            return refuse(self, message, format!("`{own}` has {size} places"));
        }
        let Some(ends) = &set.ends else {
            let end = if before { 1 + shift } else { count + shift };
            let message = format!("there is no place {end} along `{own}`, which has no boundary");
            let help = format!(
                "say what stands there: `{own} = {{ size = {size}, boundary = \"periodic\" }}` in `[indices]`, or \"clamp\", \"zero\", a value"
            );
            return refuse(self, message, help);
        };
        if ends.contains(&End::Periodic) && count != size {
            let message = format!("an index of {count} places runs beyond the {size} of `{own}`");
            return refuse(
                self,
                message,
                "a periodic index is read by one as long".to_owned(),
            );
        }
        Some(place)
    }

    fn ends_used(&self, place: Place, index: usize) -> [Option<End>; 2] {
        let Place::Along(axis, shift) = place else {
            return [None, None];
        };
        let set = &self.scope.indices[index];
        let count = i64::from(self.graph.arrays().extent(axis));
        let ends = set.ends.as_ref();
        [
            ends.map(|ends| ends[0]).filter(|_| shift < 0),
            ends.map(|ends| ends[1])
                .filter(|_| count + shift > i64::from(set.size)),
        ]
    }

    fn at(&self, place: Place, index: usize) -> At {
        match place {
            Place::Fixed(at) => At::Fixed(at as u32),
            Place::Listed(axis, list) => At::Listed { axis, list },
            Place::Along(axis, shift) => {
                let used = self.ends_used(place, index);
                let all = |end: End| used.iter().flatten().all(|&own| own == end);
                let edge = if all(End::Periodic) {
                    Edge::Periodic
                } else if all(End::Zero) {
                    Edge::Zero
                } else {
                    Edge::Clamp
                };
                let shift = shift as i32;
                At::Along { axis, shift, edge }
            }
        }
    }

    /// A value with what stands beyond the ends of an index, where its map does not say so itself. `other` gives what
    /// an end that is not a value has instead: for the end before the first place, or that after the last.
    fn beyond(
        &mut self,
        value: NodeId,
        place: Place,
        index: usize,
        mut other: impl FnMut(&mut Self, usize) -> Option<NodeId>,
    ) -> Option<NodeId> {
        let Place::Along(axis, shift) = place else {
            return Some(value);
        };
        let size = i64::from(self.scope.indices[index].size);
        let used = self.ends_used(place, index);
        let same = match used {
            [Some(a), Some(b)] => a == b,
            _ => true,
        };
        let mut value = value;
        for (side, end) in used.into_iter().enumerate() {
            let outside = match end {
                None => continue,
                Some(End::Value) => Some(self.boundary_value(index, side)?),
                Some(End::Zero) if !same => Some(self.graph.constant(0.0)),
                Some(_) => other(self, side),
            };
            let Some(outside) = outside else {
                continue;
            };
            let at = self.graph.index(axis);
            let (comparison, bound) = match side {
                0 => (Comparison::LessOrEqual, -shift),
                _ => (Comparison::Greater, size - shift),
            };
            let bound = self.graph.constant(bound as f64);
            value = self.graph.select(comparison, at, bound, outside, value);
        }
        Some(value)
    }

    /// The value beyond an end of an index.
    fn boundary_value(&mut self, index: usize, side: usize) -> Option<NodeId> {
        if let Some(&known) = self.boundary_values.get(&(index, side)) {
            return known;
        }
        let expression = self.scope.indices[index].values[side].clone()?;
        let samples = self.functional.take();
        let value = self.node(&expression, &[], Context::ANY);
        self.functional = samples;
        self.boundary_values.insert((index, side), value);
        value
    }

    /// A definition's node at other places than those of its own axes.
    fn moved_node(
        &mut self,
        node: NodeId,
        over: &[usize],
        places: &[Place],
        span: &Span,
    ) -> Option<NodeId> {
        let own = self.axes_of(over, span)?;
        let mut node = node;
        // out of the way first: a place may be on an axis of another dimension
        let mut aside = Vec::with_capacity(own.len());
        for (k, &axis) in own.iter().enumerate() {
            let extent = self.graph.arrays().extent(axis);
            let Some(other) = self.graph.axis(extent, Use::Open(150 + k as u8)) else {
                self.too_many_axes(span);
                return None;
            };
            node = self.graph.substitute(node, axis, along(other, 0));
            aside.push(other);
        }
        for ((&axis, &place), &index) in aside.iter().zip(places).zip(over) {
            let from = node;
            let size = self.scope.indices[index].size;
            node = match place {
                Place::Fixed(at) => self.graph.substitute(from, axis, At::Fixed(at as u32)),
                Place::Listed(to, list) => {
                    let at = At::Listed { axis: to, list };
                    self.graph.substitute(from, axis, at)
                }
                Place::Along(to, shift) => {
                    let main = self.graph.substitute(from, axis, along(to, shift as i32));
                    let round = transpose::wraps(self.graph, from, axis, i64::from(size));
                    let used = self.ends_used(place, index);
                    self.beyond(main, place, index, |lowering, side| match used[side] {
                        Some(End::Periodic) if round => None,
                        Some(End::Periodic) => {
                            let turn = if side == 0 {
                                size as i32
                            } else {
                                -(size as i32)
                            };
                            let by = along(to, shift as i32 + turn);
                            Some(lowering.graph.substitute(from, axis, by))
                        }
                        Some(End::Clamp) => {
                            let last = if side == 0 { 0 } else { size - 1 };
                            Some(lowering.graph.substitute(from, axis, At::Fixed(last)))
                        }
                        _ => Some(lowering.graph.constant(0.0)),
                    })?
                }
            };
        }
        Some(node)
    }

    /// Whether a call is a sum or a mean over indices.
    pub(super) fn is_reduction(&self, name: &str) -> bool {
        matches!(name, "sum" | "mean") && !self.scope.functions.contains_key(name)
    }

    /// `sum(k, e)`, `sum(k, l, e)`, and `sum(u)`, which goes over the whole array wherever it stands; `mean` likewise.
    pub(super) fn reduction(
        &mut self,
        name: &str,
        span: &Span,
        inner: &[Expression],
        whole: &Expression,
        arguments: &Arguments,
        context: Context,
    ) -> Option<NodeId> {
        let Some((body, named)) = inner.split_last() else {
            self.report(
                Diagnostic::error(
                    "model::argument-count",
                    format!("`{name}` of nothing"),
                    Some(whole.span.clone()),
                )
                .with_help(format!(
                    "write `{name}(k, ...)` with an index, or `{name}(u)`"
                )),
            );
            return None;
        };
        if let [first, ..] = named
            && let Some((_, graph)) = edges_of(first)
        {
            let graph = self.graph_named(graph, first)?;
            return self.over_edges(name, &graph, (inner, whole), arguments, context);
        }
        let indices = if named.is_empty() {
            self.indices_of(name, body, span)?
        } else {
            let found: Vec<Option<usize>> = named
                .iter()
                .map(|index| self.index_named(name, index, arguments))
                .collect();
            found.into_iter().collect::<Option<_>>()?
        };
        let mut bound: Vec<(String, NodeId)> = arguments
            .iter()
            .map(|&(own, node)| (own.to_owned(), node))
            .collect();
        let mut axes = Vec::new();
        let before = self.open;
        for &index in &indices {
            let set = self.scope.indices[index].clone();
            let Some(axis) = self.graph.axis(set.size, Use::Open(self.open)) else {
                self.open = before;
                self.too_many_axes(span);
                return None;
            };
            self.open += 1;
            self.bind_index(index, axis, &mut bound);
            axes.push(axis);
        }
        let names: Vec<(&str, NodeId)> = bound
            .iter()
            .map(|(own, node)| (own.as_str(), *node))
            .collect();
        let value = self.node(body, &names, context);
        self.open = before;
        let mut value = value?;
        let mut count = 1.0;
        for &axis in axes.iter().rev() {
            count *= f64::from(self.graph.arrays().extent(axis));
            value = self.graph.sum(axis, value);
        }
        if name == "mean" {
            let count = self.graph.constant(count);
            value = self.graph.div(value, count);
        }
        Some(value)
    }

    fn index_named(
        &mut self,
        reduction: &str,
        expression: &Expression,
        arguments: &Arguments,
    ) -> Option<usize> {
        let sets = self.scope.indices.iter();
        let names: Vec<String> = sets.map(|set| set.name.clone()).collect();
        let written = match &expression.kind {
            ExpressionKind::Name(name) => name.as_str(),
            _ => "",
        };
        let Some(index) = names.iter().position(|name| name == written) else {
            let near = nearest(written, names.iter().map(String::as_str));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if names.is_empty() => "index sets are given in `[indices]`".to_owned(),
                None => format!("indices are {}", listed_owned(&names)),
            };
            self.report(
                Diagnostic::error(
                    "model::unknown-name",
                    format!("`{reduction}` goes over an index, which `{expression}` is not"),
                    Some(expression.span.clone()),
                )
                .with_label("no index")
                .with_help(help),
            );
            return None;
        };
        if arguments.iter().any(|(own, _)| *own == written) {
            self.report(
                Diagnostic::error(
                    "model::array",
                    format!("`{written}` is bound already"),
                    Some(expression.span.clone()),
                )
                .with_help(format!(
                    "give another index of the same size, such as `other = {}`, in `[indices]`",
                    self.scope.indices[index].size
                )),
            );
            return None;
        }
        Some(index)
    }

    /// The indices of the arrays that stand whole in an expression.
    fn indices_of(
        &mut self,
        reduction: &str,
        body: &Expression,
        span: &Span,
    ) -> Option<Vec<usize>> {
        let mut found = Vec::new();
        let mut stack = vec![body];
        while let Some(expression) = stack.pop() {
            match &expression.kind {
                ExpressionKind::Number(_) => {}
                ExpressionKind::Name(name) => {
                    let array = self.scope.arrays.get(name);
                    for &index in array.iter().flat_map(|array| &array.over) {
                        if !found.contains(&index) {
                            found.push(index);
                        }
                    }
                }
                ExpressionKind::Element(_, _, inner) | ExpressionKind::Call(_, _, inner) => {
                    stack.extend(inner.iter().rev());
                }
                ExpressionKind::Negate(a) | ExpressionKind::Not(a) => stack.push(a),
                ExpressionKind::Arithmetic(_, a, b)
                | ExpressionKind::Compare(_, a, b)
                | ExpressionKind::And(a, b)
                | ExpressionKind::Or(a, b)
                | ExpressionKind::Output(a, b) => stack.extend([&**b, &**a]),
            }
        }
        if found.is_empty() {
            self.report(
                Diagnostic::error(
                    "model::array",
                    format!("`{reduction}` of one number"),
                    Some(span.clone()),
                )
                .with_help(format!(
                    "`{reduction}(k, ...)` goes over an index, `{reduction}(u)` over an array"
                )),
            );
            return None;
        }
        Some(found)
    }
}

pub(super) fn along(axis: Axis, shift: i32) -> At {
    At::Along {
        axis,
        shift,
        edge: Edge::Periodic,
    }
}

fn listed_owned(names: &[String]) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    listed(&names)
}
