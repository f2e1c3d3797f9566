//! How nodes of a graph depend on some of its inputs, read off their operations.
//!
//! What is said holds exactly, whatever the numbers are: a node is called proportional or affine only where each of its operations
//! keeps that. `(s*x)^1` or `log(exp(s))*x`, linear by an identity, are not found to be.

use super::graph::{Graph, InputId, NodeId, Op};

/// How a value depends on inputs a = (a_1, a_2, ...), jointly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// not at all
    Free,
    /// as sum_k c_k a_k
    Proportional,
    /// as c_0 + sum_k c_k a_k
    Affine,
    /// in another way
    Other,
}

impl Form {
    /// Of a sum, a difference, or a choice by what does not depend on the inputs.
    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Free, Self::Free) => Self::Free,
            (Self::Other, _) | (_, Self::Other) => Self::Other,
            (Self::Proportional, Self::Proportional) => Self::Proportional,
            _ => Self::Affine,
        }
    }

    fn times(self, other: Self) -> Self {
        match (self, other) {
            (Self::Free, form) | (form, Self::Free) => form,
            _ => Self::Other,
        }
    }
}

/// The forms of `nodes`, by that of each input.
pub fn forms(graph: &Graph, nodes: &[NodeId], of_input: &dyn Fn(InputId) -> Form) -> Vec<Form> {
    let last = nodes.iter().map(|node| node.0 as usize).max();
    let mut all = vec![Form::Free; last.map_or(0, |last| last + 1)];
    for id in graph.live(nodes) {
        let of = |node: NodeId| all[node.0 as usize];
        let form = match graph.op(id) {
            Op::Constant(_) | Op::Index(_) | Op::Listed(..) => Form::Free,
            Op::Input(input) => of_input(input),
            Op::Gather(gather) => {
                let gather = graph.arrays().gather(gather);
                let group = gather.group;
                let read = (gather.base..gather.end()).map(|index| InputId { group, index });
                read.map(of_input).max().unwrap_or(Form::Free)
            }
            Op::Add(a, b) | Op::Sub(a, b) => of(a).plus(of(b)),
            Op::Mul(a, b) => of(a).times(of(b)),
            Op::Div(a, b) if of(b) == Form::Free => of(a),
            Op::Neg(a) | Op::Sum(_, a) | Op::SumWhere(_, a) | Op::Array(_, a) | Op::Powi(a, 1) => {
                of(a)
            }
            Op::Select {
                left,
                right,
                yes,
                no,
                ..
            } if of(left) == Form::Free && of(right) == Form::Free => match (of(yes), of(no)) {
                // nothing on one side, something on the other
                (Form::Free, Form::Proportional) | (Form::Proportional, Form::Free) => Form::Affine,
                (yes, no) => yes.plus(no),
            },
            op => {
                let mut operands = op.operands();
                if operands.all(|operand| of(operand) == Form::Free) {
                    Form::Free
                } else {
                    Form::Other
                }
            }
        };
        all[id.0 as usize] = form;
    }
    nodes.iter().map(|node| all[node.0 as usize]).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::graph::PARAMETERS;
    use crate::scenario;

    /// The form of an expression of a state x and parameters s, o, with respect to the latter two.
    fn form(expression: &str) -> Form {
        let text = format!(
            "[scenario]\ntime = {{ start = 0.0, end = 1.0 }}\n[parameters]\ns = 1.0\no = 1.0\nk = 1.0\n[states]\nx = 1.0\n\
             [equations]\nx = \"-k*x\"\n[observables]\ny = \"{expression}\"\n"
        );
        let path = Path::new("scenario.toml");
        let (scenario, findings) = scenario::read_text(path, &text, Path::new("."), &[]);
        let scenario = scenario.unwrap_or_else(|| panic!("{findings:?}"));
        let (model, findings) = crate::model::build(&scenario);
        let model = model.unwrap_or_else(|| panic!("{findings:?}"));
        let of_input = |input: InputId| match input {
            InputId {
                group: PARAMETERS,
                index: 0 | 1,
            } => Form::Proportional,
            _ => Form::Free,
        };
        forms(&model.graph, &[model.observables[0].value], &of_input)[0]
    }

    #[test]
    fn forms_follow_from_the_operations() {
        for (expression, expected) in [
            ("x^2 + k", Form::Free),
            ("s*x/k", Form::Proportional),
            ("s*x + o", Form::Proportional),
            ("-(s*x - o*t)/exp(k)", Form::Proportional),
            ("s*x + k", Form::Affine),
            ("if(x > k, s*x, o)", Form::Proportional),
            ("if(x > k, s*x, k)", Form::Affine),
            ("if(x > s, x, k)", Form::Other),
            ("s*(x + o)", Form::Other),
            ("x/s", Form::Other),
            ("s^2*x", Form::Other),
            ("exp(s)*x", Form::Other),
        ] {
            assert_eq!(form(expression), expected, "{expression}");
        }
    }
}
