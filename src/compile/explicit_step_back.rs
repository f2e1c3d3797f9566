//! The reverse of an explicit Runge-Kutta step, from its last stage to its second, as one function.
//!
//! With lambda the cotangent of x_new and K_i that of k_i, for i = END..2 in turn
//!
//! ```text
//! L_i = f_x(t + c_i h, Y_i)^T K_i      K_j += h a_ij L_i   (j < i)
//! x_bar += L_i                         p_bar += f_p(t + c_i h, Y_i)^T K_i
//! ```
//!
//! where Y_i is put in place of f's states and K_i in place of its cotangents, as [`super::explicit_step`] does forward.
//! The operations and their order are those of [`costate_adjoint::explicit`], and so are the bits.

use costate_solvers::ExplicitStages;

use super::explicit_step::Step;
use super::function::{Backend, Function, Output};
use crate::model::graph::{FIRST_EXTRA, Graph, InputId, NodeId, Op, PARAMETERS, STATES, TIME};
use crate::model::vjp;

/// Inputs beside `[t, middle, h]`, x and p: the stages, the state at the step's end, the cotangents of that and of the
/// stages, and that of the parameters so far.
const STAGES: u16 = 3;
const END_STATE: u16 = 4;
const LAMBDA: u16 = 5;
const STAGE_BARS: u16 = 6;
const P_BAR: u16 = 7;

/// Operations above which calls of products are left to be made one by one.
const LONGEST: usize = 1500;
/// Parameters above which the same holds: the function passes on the cotangent of each.
const MOST_PARAMETERS: usize = 64;

/// The compiled reverse; outputs the cotangents of x, of k_1 and of the parameters.
pub(super) fn explicit_step_back(
    f: &Graph,
    nodes: &[NodeId],
    parameters: usize,
    method: &ExplicitStages,
) -> Option<Function> {
    let shortest = f.live(nodes).len() * method.end;
    if f.has_arrays(nodes) || parameters > MOST_PARAMETERS || shortest > LONGEST {
        return None;
    }
    let n = nodes.len();
    let mut product = f.clone();
    let w = product.inputs_like(FIRST_EXTRA, nodes);
    let wrt = [
        product.inputs(STATES, n),
        product.inputs(PARAMETERS, parameters),
    ];
    let products = vjp(&mut product, nodes, &w, &wrt.concat());

    let mut step = Step::new(&product);
    let x = step.inputs(STATES, n);
    let h = step.input(TIME, 2);
    let slopes: Vec<Vec<NodeId>> = (0..method.end)
        .map(|j| step.inputs_from(STAGES, j * n, n))
        .collect();
    let mut bars: Vec<Vec<NodeId>> = (0..=method.end)
        .map(|j| step.inputs_from(STAGE_BARS, j * n, n))
        .collect();
    let mut lambda = step.inputs(LAMBDA, n);
    let mut p_bar = step.inputs(P_BAR, parameters);
    for i in (1..=method.end).rev() {
        let row = method.a.get(i)?;
        let last = i == method.end;
        let (y, t) = match last {
            true => (step.inputs(END_STATE, n), step.time(h, 1.0)),
            false => (
                step.state(&x, h, row, &slopes),
                step.time(h, *method.c.get(i)?),
            ),
        };
        let own = bars.pop()?;
        let made = step.put_in(&products, |input| match input {
            InputId {
                group: STATES,
                index,
            } => Some(y[index as usize]),
            InputId {
                group: TIME,
                index: 0,
            } => Some(t),
            InputId {
                group: FIRST_EXTRA,
                index,
            } => Some(own[index as usize]),
            _ => None,
        });
        let (x_bar, of_p) = made.split_at(n);
        for (l, &bar) in lambda.iter_mut().zip(x_bar) {
            *l = step.plus(*l, bar);
        }
        for (p, &bar) in p_bar.iter_mut().zip(of_p) {
            *p = step.plus(*p, bar);
        }
        for (&a, bars) in row.iter().zip(&mut bars).filter(|(a, _)| **a != 0.0) {
            let a = step.number(a);
            // what enters at the step's end weighs h a, as one number; what a stage passes on, h L_i
            let weight = step.graph.intern(Op::Mul(h, a));
            for d in 0..n {
                if !last && step.graph.constant_value(x_bar[d]) == Some(0.0) {
                    continue;
                }
                let term = match last {
                    true => Op::Mul(weight, lambda[d]),
                    false => {
                        let scaled = step.graph.intern(Op::Mul(h, x_bar[d]));
                        Op::Mul(a, scaled)
                    }
                };
                let term = step.graph.intern(term);
                bars[d] = step.plus(bars[d], term);
            }
        }
    }
    let first = bars.pop()?;
    let outputs = [lambda, first, p_bar].map(Output::store);
    let roots: Vec<NodeId> = outputs.iter().flat_map(|o| o.nodes.clone()).collect();
    if step.graph.live(&roots).len() > LONGEST {
        return None;
    }
    let function = Function::new(&step.graph, &outputs, Backend::Auto).ok()?;
    function.is_native().then_some(function)
}
