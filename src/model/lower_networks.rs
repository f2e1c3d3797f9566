//! Neural networks in expressions: `growth(hare, lynx)`, one output of several `growth(hare, lynx)[2]`.
//!
//! A layer is a value over the axis of its units, and the next sums over that axis. How layers become loops, and which
//! are computed before others, is the compiler's affair; derivatives are those of any sum.

use super::arrays::{At, Axis, Block, Use};
use super::expression::{Expression, ExpressionKind};
use super::functions::{self, Arity, Smoothness};
use super::graph::{Binary, NodeId};
use super::lower::{Arguments, Context, Lowering};
use super::lower_arrays::along;
use super::nonsmooth::{Margin, NonSmooth};
use super::scope::ArrayValue;
use crate::diagnostic::{Diagnostic, Span};
use crate::scenario::{Activation, Network};

/// A network that a name stands for.
#[derive(Debug, Clone)]
pub(super) struct NetworkBinding {
    inputs: u32,
    layers: Vec<Layer>,
}

#[derive(Debug, Clone)]
struct Layer {
    /// units by inputs
    weights: Block,
    /// units
    biases: Block,
    activation: Activation,
}

impl NetworkBinding {
    /// Of a network whose weights and biases are these blocks, in the order W_1, b_1, W_2, ...
    pub(super) fn new(network: &Network, blocks: &[Block]) -> Self {
        let last = network.layers.len();
        let layers = blocks.chunks_exact(2).zip(1..).map(|(pair, k)| Layer {
            weights: pair[0].clone(),
            biases: pair[1].clone(),
            activation: if k == last {
                network.output
            } else {
                network.activation
            },
        });
        Self {
            inputs: network.inputs,
            layers: layers.collect(),
        }
    }

    fn outputs(&self) -> u32 {
        self.layers
            .last()
            .map_or(0, |layer| layer.biases.extents[0])
    }
}

/// An argument of a network: one number, or an array of so many.
enum Argument {
    Number(NodeId),
    Array(Block),
}

/// What a layer is computed from.
enum Before {
    Arguments(Vec<Argument>),
    Layer(Axis, NodeId),
}

impl Lowering<'_> {
    /// A call of a network, and which output is asked for.
    pub(super) fn network(
        &mut self,
        name: &str,
        inner: &[Expression],
        output: Option<&Expression>,
        whole: &Expression,
        arguments: &Arguments,
        context: Context,
    ) -> Option<NodeId> {
        let network = self.scope.networks.get(name)?.clone();
        let given: Vec<Option<Argument>> = inner
            .iter()
            .map(|argument| self.argument(argument, arguments, context))
            .collect();
        let given: Vec<Argument> = given.into_iter().collect::<Option<_>>()?;
        let count = given.iter().map(|argument| match argument {
            Argument::Number(_) => 1,
            Argument::Array(block) => block.len() as usize,
        });
        let count = count.sum();
        self.check_count(name, Arity::Exactly(network.inputs as usize), count, whole)?;
        let which = self.output(name, network.outputs(), output, whole, arguments)?;
        let mut before = Before::Arguments(given);
        let opened = self.open;
        let mut result = None;
        for (k, layer) in network.layers.iter().enumerate() {
            let last = k + 1 == network.layers.len();
            let (at, axis) = if last {
                (which, None)
            } else {
                let Some(axis) = self
                    .graph
                    .axis(layer.biases.extents[0], Use::Open(self.open))
                else {
                    self.open = opened;
                    self.too_many_axes(&whole.span);
                    return None;
                };
                self.open += 1;
                (along(axis, 0), Some(axis))
            };
            let sum = self.weighted(layer, at, &before)?;
            let value = self.activation(layer.activation, sum, whole);
            match axis {
                Some(axis) => before = Before::Layer(axis, value),
                None => result = Some(value),
            }
        }
        self.open = opened;
        result
    }

    /// An argument: the name of a whole array whose indices are not bound stands for all its elements.
    fn argument(
        &mut self,
        argument: &Expression,
        arguments: &Arguments,
        context: Context,
    ) -> Option<Argument> {
        if let ExpressionKind::Name(name) = &argument.kind
            && !arguments.iter().any(|(own, _)| own == name)
            && let Some(array) = self.scope.arrays.get(name)
            && let ArrayValue::Input(block) = &array.value
            && array.over.len() == 1
        {
            let bound = &self.scope.indices[array.over[0]].name;
            if !arguments.iter().any(|(own, _)| own == bound) {
                let (block, role) = (block.clone(), array.role);
                let first = self.graph.element_at(&block, &[At::Fixed(0)]);
                self.allowed(name, &argument.span, role, first, context)?;
                return Some(Argument::Array(block));
            }
        }
        self.node(argument, arguments, context)
            .map(Argument::Number)
    }

    /// Which output: the only one, or what stands in brackets.
    fn output(
        &mut self,
        name: &str,
        outputs: u32,
        output: Option<&Expression>,
        whole: &Expression,
        arguments: &Arguments,
    ) -> Option<At> {
        let Some(output) = output else {
            if outputs == 1 {
                return Some(At::Fixed(0));
            }
            self.report(
                Diagnostic::error(
                    "model::network",
                    format!("`{name}` has {outputs} outputs"),
                    Some(whole.span.clone()),
                )
                .with_label("which?")
                .with_help(format!("name one: `{name}(...)[1]`")),
            );
            return None;
        };
        self.place_among(name, outputs, output, arguments)
    }

    /// The sum of a unit, or of each along an axis.
    fn weighted(&mut self, layer: &Layer, at: At, before: &Before) -> Option<NodeId> {
        let mut sum = self.graph.element_at(&layer.biases, &[at]);
        match before {
            Before::Layer(axis, values) => {
                let weight = self
                    .graph
                    .element_at(&layer.weights, &[at, along(*axis, 0)]);
                let terms = self.graph.mul(weight, *values);
                let terms = self.graph.sum(*axis, terms);
                sum = self.graph.add(sum, terms);
            }
            Before::Arguments(arguments) => {
                let mut first = 0;
                for argument in arguments {
                    let terms = match argument {
                        Argument::Number(node) => {
                            let weight = self
                                .graph
                                .element_at(&layer.weights, &[at, At::Fixed(first)]);
                            first += 1;
                            self.graph.mul(weight, *node)
                        }
                        Argument::Array(block) => {
                            let axis = self.graph.axis(block.len(), Use::Open(self.open))?;
                            let weight = self
                                .graph
                                .element_at(&layer.weights, &[at, along(axis, first as i32)]);
                            first += block.len();
                            let element = self.graph.element_at(block, &[along(axis, 0)]);
                            let terms = self.graph.mul(weight, element);
                            self.graph.sum(axis, terms)
                        }
                    };
                    sum = self.graph.add(sum, terms);
                }
            }
        }
        Some(sum)
    }

    fn activation(&mut self, activation: Activation, x: NodeId, whole: &Expression) -> NodeId {
        let name = match activation {
            Activation::Identity => return x,
            Activation::Relu => return self.relu(x, whole),
            Activation::Tanh => "tanh",
            Activation::Softplus => "softplus",
            Activation::Sigmoid | Activation::Swish => "logistic",
        };
        let Some(function) = functions::function(name) else {
            return x;
        };
        let value = (function.build)(self.graph, &[x]);
        if activation == Activation::Swish {
            self.graph.mul(x, value)
        } else {
            value
        }
    }

    fn relu(&mut self, x: NodeId, whole: &Expression) -> NodeId {
        if self.varies(&[x]) {
            self.note(NonSmooth {
                operation: "relu".to_owned(),
                smoothness: Smoothness::Kink,
                span: whole.span.clone(),
                smooth_form: Some("activation = \"softplus\""),
                margins: vec![Margin::Sign(x)],
            });
        }
        let zero = self.graph.constant(0.0);
        self.graph.binary(Binary::Max, x, zero)
    }

    pub(super) fn no_outputs(&mut self, name: &str, span: &Span) {
        self.report(
            Diagnostic::error(
                "model::network",
                format!("`{name}(...)` is one number"),
                Some(span.clone()),
            )
            .with_label("an element of a number")
            .with_help("networks have several outputs; elements are of arrays: `u[1]`"),
        );
    }
}
