//! All stages of an explicit Runge-Kutta step as one function of (t, x, p, k_1, h).
//!
//! For a handful of states most of a step's time goes into calling f six times and into passing numbers
//! through memory. So f's graph is copied once a stage, with
//!
//! ```text
//! Y_i = x + h sum_{j<i} a_ij k_j      k_i = f(t + c_i h, Y_i)
//! ```
//!
//! put in place of the states, and the whole compiled: intermediate values stay in registers. The operations and
//! their order are those of `costate_solvers::explicit::runge_kutta`, and so are the bits.

use std::collections::HashMap;
use std::sync::Arc;

use costate_solvers::ExplicitStages;

use super::function::{Backend, Function, Output};
use super::program::with_operands;
use crate::model::graph::{FIRST_EXTRA, Graph, InputId, NodeId, Op, SECOND_EXTRA, STATES, TIME};

/// Operations of a step above which calls of f are left to be made one by one: they cost little beside f itself.
const LONGEST: usize = 700;

/// The compiled step: inputs t, x, p, k_1, h; outputs the stages from k_2 on, and the new state.
pub(super) fn explicit_step(
    f: &Graph,
    nodes: &[NodeId],
    method: &ExplicitStages,
) -> Option<Function> {
    if f.has_arrays(nodes) || operations(f, nodes, method) > LONGEST {
        return None;
    }
    let n = nodes.len();
    let mut step = Step::new(f);
    let x = step.inputs(STATES, n);
    let h = step.input(SECOND_EXTRA, 0);
    let mut slopes = vec![step.inputs(FIRST_EXTRA, n)];
    for i in 1..method.end {
        let y = step.state(&x, h, method.a.get(i)?, &slopes);
        let t = step.time(h, *method.c.get(i)?);
        slopes.push(step.slope(nodes, t, &y));
    }
    let x_new = step.state(&x, h, method.a.get(method.end)?, &slopes);
    if method.last {
        let t = step.time(h, 1.0);
        slopes.push(step.slope(nodes, t, &x_new));
    }
    let outputs = [Output::store(slopes[1..].concat()), Output::store(x_new)];
    let function = Function::new(&step.graph, &outputs, Backend::Auto).ok()?;
    function.is_native().then_some(function)
}

/// Operations of the step, inputs and constants aside.
fn operations(f: &Graph, nodes: &[NodeId], method: &ExplicitStages) -> usize {
    let live = f.live(nodes);
    let computed = live
        .iter()
        .filter(|&&id| !matches!(f.op(id), Op::Constant(_) | Op::Input(_)));
    let weights = method
        .a
        .iter()
        .take(method.end + 1)
        .flat_map(|row| row.iter());
    let terms = weights.filter(|&&w| w != 0.0).count() + method.end;
    computed.count() * method.end + 2 * nodes.len() * terms
}

/// A step's graph, made from copies of f's.
pub(super) struct Step<'a> {
    f: &'a Graph,
    pub graph: Graph,
}

impl<'a> Step<'a> {
    pub fn new(f: &'a Graph) -> Self {
        Self {
            f,
            graph: f.empty_like(),
        }
    }

    pub fn input(&mut self, group: u16, index: u32) -> NodeId {
        self.graph.intern(Op::Input(InputId { group, index }))
    }

    pub fn inputs(&mut self, group: u16, count: usize) -> Vec<NodeId> {
        self.inputs_from(group, 0, count)
    }

    pub fn inputs_from(&mut self, group: u16, first: usize, count: usize) -> Vec<NodeId> {
        let places = first as u32..(first + count) as u32;
        places.map(|k| self.input(group, k)).collect()
    }

    /// a + b, or a where b is 0
    pub fn plus(&mut self, a: NodeId, b: NodeId) -> NodeId {
        match self.graph.constant_value(b) {
            Some(0.0) => a,
            _ => self.graph.intern(Op::Add(a, b)),
        }
    }

    pub fn number(&mut self, value: f64) -> NodeId {
        self.graph.intern(Op::Constant(value.to_bits()))
    }

    /// t + c h
    pub fn time(&mut self, h: NodeId, c: f64) -> NodeId {
        let c = self.number(c);
        let (t, moved) = (self.input(TIME, 0), self.graph.intern(Op::Mul(h, c)));
        self.graph.intern(Op::Add(t, moved))
    }

    /// x + h sum_j w_j k_j
    pub fn state(
        &mut self,
        x: &[NodeId],
        h: NodeId,
        weights: &[f64],
        k: &[Vec<NodeId>],
    ) -> Vec<NodeId> {
        let state = |(i, &x): (usize, &NodeId)| {
            let mut sum: Option<NodeId> = None;
            for (w, k) in weights.iter().zip(k).filter(|(w, _)| **w != 0.0) {
                let w = self.number(*w);
                let term = self.graph.intern(Op::Mul(k[i], w));
                sum = Some(match sum {
                    Some(sum) => self.graph.intern(Op::Add(sum, term)),
                    None => term,
                });
            }
            let Some(sum) = sum else { return x };
            let moved = self.graph.intern(Op::Mul(sum, h));
            self.graph.intern(Op::Add(x, moved))
        };
        x.iter().enumerate().map(state).collect()
    }

    /// f(t, y)
    fn slope(&mut self, nodes: &[NodeId], t: NodeId, y: &[NodeId]) -> Vec<NodeId> {
        self.put_in(nodes, |input| match input {
            InputId {
                group: STATES,
                index,
            } => Some(y[index as usize]),
            InputId {
                group: TIME,
                index: 0,
            } => Some(t),
            _ => None,
        })
    }

    /// A copy of nodes of f with other values in place of some inputs.
    pub fn put_in(
        &mut self,
        nodes: &[NodeId],
        value: impl Fn(InputId) -> Option<NodeId>,
    ) -> Vec<NodeId> {
        let mut renamed: HashMap<NodeId, NodeId> = HashMap::new();
        for id in self.f.live(nodes) {
            let put = match self.f.op(id) {
                Op::Input(input) => value(input),
                _ => None,
            };
            let made = put.unwrap_or_else(|| {
                let op = with_operands(&self.f.op(id), |operand| renamed[&operand]);
                self.graph.intern(op)
            });
            renamed.insert(id, made);
        }
        nodes.iter().map(|id| renamed[id]).collect()
    }
}

/// The code for a system's steps, made once they have been so many that its compilation, a few milliseconds, is no
/// more than they took: a single short solve never pays for it, a fit or a long run does.
#[derive(Debug, Clone, Default)]
pub(super) struct StepCode {
    method: Option<&'static ExplicitStages>,
    code: Option<Arc<Function>>,
    /// steps made one call of f at a time
    steps: usize,
}

/// Steps made by calls of f before code for a whole step is made.
const PATIENCE: usize = 20_000;

impl StepCode {
    /// Whether there is code.
    pub fn is_made(&self) -> bool {
        self.code.is_some()
    }

    /// The code for a step of a method, once it is time for it.
    #[inline]
    pub fn of(
        &mut self,
        method: &'static ExplicitStages,
        make: impl FnOnce() -> Option<Arc<Function>>,
    ) -> Option<&Function> {
        if self.method.is_none_or(|known| !std::ptr::eq(known, method)) {
            *self = Self {
                method: Some(method),
                ..Self::default()
            };
        }
        if self.code.is_none() && self.steps <= PATIENCE {
            self.steps += 1;
            if self.steps == PATIENCE {
                self.code = make();
            }
        }
        self.code.as_deref()
    }
}
