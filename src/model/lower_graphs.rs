//! Sums over the edges of a graph: `sum(edges.grid, k*sin(theta[from] - theta[to]))` in an equation over its nodes.
//!
//! The edges that a node sees are those that end there, so that `to` is the node itself and `from` the other end; an edge
//! that is not directed is seen from both ends. `sum(leaving.grid, ...)` goes over those that begin at the node. All edges
//! as they are seen are one axis, and the sum is [`super::graph::Op::SumWhere`].

use std::sync::Arc;

use super::arrays::{At, Use};
use super::expression::{Expression, ExpressionKind};
use super::graph::{NodeId, Op};
use super::lists::Selection;
use super::lower::{Arguments, Context, Lowering, listed};
use crate::diagnostic::{Diagnostic, nearest};
use crate::scenario::EdgeSet;

/// Of `edges.grid` and `leaving.grid`: the word, and the graph's name.
pub(super) fn edges_of(expression: &Expression) -> Option<(&str, &str)> {
    match &expression.kind {
        ExpressionKind::Name(name) => name.split_once('.'),
        _ => None,
    }
}

impl Lowering<'_> {
    /// A graph by its name.
    pub(super) fn graph_named(
        &mut self,
        name: &str,
        expression: &Expression,
    ) -> Option<Arc<EdgeSet>> {
        let graphs = self.scope.graphs.iter();
        if let Some(graph) = graphs.clone().find(|graph| graph.name.text == name) {
            return Some(Arc::clone(graph));
        }
        let known: Vec<&str> = graphs.map(|graph| graph.name.text.as_str()).collect();
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => {
                "graphs are given in `[graphs]`: `grid = { index = \"i\", file = \"edges.csv\" }`"
                    .to_owned()
            }
            None => format!("graphs are {}", listed(&known)),
        };
        self.report(
            Diagnostic::error(
                "model::unknown-name",
                format!("there is no graph `{name}`"),
                Some(expression.span.clone()),
            )
            .with_label("no graph")
            .with_help(help),
        );
        None
    }

    /// `sum(edges.grid, e)`, or the mean: over the edges that the node sees whose index is bound.
    pub(super) fn over_edges(
        &mut self,
        reduction: &str,
        graph: &EdgeSet,
        call: (&[Expression], &Expression),
        arguments: &Arguments,
        context: Context,
    ) -> Option<NodeId> {
        let (inner, whole) = call;
        let [edges, body] = inner else {
            let message = format!("`{reduction}` over edges has one expression");
            self.report(
                Diagnostic::error("model::argument-count", message, Some(whole.span.clone()))
                    .with_help(format!(
                        "write `{reduction}(edges.{}, ...)`",
                        graph.name.text
                    )),
            );
            return None;
        };
        let leaving = edges_of(edges).is_some_and(|(word, _)| word == "leaving");
        let nodes = self.scope.indices[graph.nodes].clone();
        let here = arguments.iter().rfind(|(name, _)| *name == nodes.name);
        let here = match here.map(|&(_, node)| self.graph.op(node)) {
            Some(Op::Index(axis)) => axis,
            _ => {
                let message = format!("no place of `{}` sees edges here", nodes.name);
                self.report(
                    Diagnostic::error("model::array", message, Some(edges.span.clone()))
                        .with_label("seen from where?")
                        .with_help(format!(
                            "`{reduction}({}, ...)` goes over all edges; `edges.{}` over those of a place, in an expression over `{}`",
                            graph.name.text, graph.name.text, nodes.name
                        )),
                );
                return None;
            }
        };
        let seen = graph.seen(leaving);
        let Some(axis) = self.graph.axis(seen[0].len() as u32, Use::Open(self.open)) else {
            self.too_many_axes(&whole.span);
            return None;
        };
        let [from, to, edge] = seen.map(|list| self.graph.list(&list));
        let mut bound: Vec<(&str, NodeId)> = arguments.to_vec();
        for (name, list) in [("from", from), ("to", to), (&graph.name.text, edge)] {
            bound.push((name, self.graph.listed(axis, list)));
        }
        self.open += 1;
        let value = self.node(body, &bound, context);
        self.open -= 1;
        let list = if leaving { from } else { to };
        let value = self
            .graph
            .substitute(value?, here, At::Listed { axis, list });
        let selection = Selection {
            axis,
            list,
            count: nodes.size,
            at: super::lower_arrays::along(here, 0),
        };
        let sum = self.graph.sum_where(selection, value);
        if reduction != "mean" {
            return Some(sum);
        }
        let one = self.graph.constant(1.0);
        let count = self.graph.sum_where(selection, one);
        Some(self.graph.div(sum, count))
    }
}
