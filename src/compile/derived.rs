//! A vector function y = F(t, x, p) of a model with the derivatives that solvers and adjoints ask of it.
//!
//! Each form is a rewrite of the graph, compiled when first asked for and shared between threads:
//!
//! | form | computes | inputs beside t, x, p |
//! |---|---|---|
//! | plain | y | |
//! | dual, N directions | y and N tangents of each entry | t, x, p are dual numbers |
//! | vjp | adds F_x^T w, F_p^T w | w |
//! | time vjp | w^T F_t | w |
//! | second order | adds the gradients in x and p of w^T (F_x v + s F_t) | v, w, s |
//! | second order in time | w^T (F_xt v + s F_tt) | v, w, s |
//!
//! Time is passed as `[t, middle of the smooth stretch]`; the middle picks branches and is never differentiated.
//!
//! The dual form: group g of the plain inputs, an array of dual numbers, is read as plain numbers, value and N
//! tangents interleaved; the value's part of the graph is the plain one unchanged, so values are the same bits
//! as the plain form's. Long dual programs are left to the interpreter, which runs the plain program on dual
//! numbers: it needs no compilation, and N tangents an operation pay for its dispatch.

use std::sync::{Arc, OnceLock};

use costate_adjoint::{Dual, DualOver};
use costate_solvers::{ExplicitStages, Scalar};

use super::error::{CallError, CompileError};
use super::function::{Backend, Function, Output, Scratch};
use super::large_step;
use super::reinterpret::{numbers, numbers_mut};
use super::rename::Copy;
use crate::model::graph::{
    FIRST_EXTRA, Graph, NodeId, Op, PARAMETERS, SECOND_EXTRA, STATES, THIRD_EXTRA, TIME,
};
use crate::model::unroll::unroll_small;
use crate::model::{jvp, second_order_vjp, vjp};

/// Operations above which a dual program is interpreted rather than compiled.
const LONGEST_DUAL: usize = 4000;

/// Choices, made before a state is known, above which a dual program is interpreted.
const MOST_CHOICES: usize = 48;

/// Lengths of the arrays x and p that a function is called with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// states n
    pub states: usize,
    /// parameters
    pub parameters: usize,
}

/// Intermediate values of calls over a scalar, one a thread.
#[derive(Debug, Clone)]
pub struct Workspace<S> {
    pub(super) scratch: Scratch,
    registers: Vec<S>,
}

impl<S> Default for Workspace<S> {
    fn default() -> Self {
        Self {
            scratch: Scratch::default(),
            registers: Vec::new(),
        }
    }
}

/// A compiled vector function F(t, x, p) with its derivatives. `Send + Sync`.
#[derive(Debug)]
pub struct Derived {
    graph: Arc<Graph>,
    nodes: Vec<NodeId>,
    sizes: Sizes,
    backend: Backend,
    plain: OnceLock<Option<Function>>,
    /// for the N of [`DIRECTIONS`]; `None` where the interpreter runs the plain program
    dual: [OnceLock<Option<Function>>; DIRECTIONS.len()],
    vjp: OnceLock<Option<Function>>,
    time_vjp: OnceLock<Option<Function>>,
    second_order: OnceLock<Option<Function>>,
    second_order_time: OnceLock<Option<Function>>,
}

/// Numbers of directions for which dual forms are compiled; others are interpreted.
const DIRECTIONS: [usize; 4] = [1, 2, 4, 8];

/// Scalars a model runs on: `f64`, dual numbers with any number of directions, and dual numbers over those.
pub trait ModelScalar: Scalar {
    /// Whether steps of explicit methods may be compiled as a whole.
    const STEPS: bool = false;

    /// Writes F(t, x, p) into `y`; `time` is `[t, middle of the stretch]`.
    fn evaluate(
        function: &Derived,
        time: &[Self],
        x: &[Self],
        p: &[Self],
        y: &mut [Self],
        workspace: &mut Workspace<Self>,
    ) -> Result<(), CallError>;

    /// Calls a function that is not compiled for this scalar: the interpreter runs it.
    fn call(
        function: &Function,
        inputs: &[&[Self]],
        outputs: &mut [&mut [Self]],
        workspace: &mut Workspace<Self>,
    ) -> Result<(), CallError> {
        function.evaluate(inputs, outputs, &mut workspace.registers)
    }

    /// Computes the stages of a step of a large system (`large_step.rs`), where that is done for this scalar.
    fn large_stages(
        _method: &ExplicitStages,
        _t: Self,
        _h: Self,
        _x: &[Self],
        _stages: &mut [Self],
        _x_new: &mut [Self],
        _f: impl FnMut(Self, &[Self], &mut [Self]) -> bool,
    ) -> bool {
        false
    }

    /// Runs the code of a step (`explicit_step.rs`), where there is any for this scalar.
    fn call_step(
        _code: &Function,
        _inputs: &[&[Self]],
        _outputs: &mut [&mut [Self]],
        _workspace: &mut Workspace<Self>,
    ) -> bool {
        false
    }
}

impl ModelScalar for f64 {
    const STEPS: bool = true;

    #[inline]
    fn call(
        function: &Function,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
        workspace: &mut Workspace<f64>,
    ) -> Result<(), CallError> {
        function.call(inputs, outputs, &mut workspace.scratch)
    }

    fn large_stages(
        method: &ExplicitStages,
        t: f64,
        h: f64,
        x: &[f64],
        stages: &mut [f64],
        x_new: &mut [f64],
        f: impl FnMut(f64, &[f64], &mut [f64]) -> bool,
    ) -> bool {
        large_step::stages(method, t, h, x, stages, x_new, f)
    }

    #[inline]
    fn call_step(
        code: &Function,
        inputs: &[&[f64]],
        outputs: &mut [&mut [f64]],
        workspace: &mut Workspace<f64>,
    ) -> bool {
        code.call(inputs, outputs, &mut workspace.scratch).is_ok()
    }

    #[inline]
    fn evaluate(
        function: &Derived,
        time: &[f64],
        x: &[f64],
        p: &[f64],
        y: &mut [f64],
        workspace: &mut Workspace<f64>,
    ) -> Result<(), CallError> {
        function
            .plain()?
            .call(&[time, x, p], &mut [y], &mut workspace.scratch)
    }
}

impl<const N: usize> ModelScalar for Dual<N> {
    #[inline]
    fn evaluate(
        function: &Derived,
        time: &[Self],
        x: &[Self],
        p: &[Self],
        y: &mut [Self],
        workspace: &mut Workspace<Self>,
    ) -> Result<(), CallError> {
        match function.dual::<N>() {
            Some(native) => native.call(
                &[numbers(time), numbers(x), numbers(p)],
                &mut [numbers_mut(y)],
                &mut workspace.scratch,
            ),
            None => function
                .plain()?
                .evaluate(&[time, x, p], &mut [y], &mut workspace.registers),
        }
    }
}

/// Second derivatives: the interpreter runs the plain program on them.
impl<const N: usize, const M: usize> ModelScalar for DualOver<Dual<N>, M> {
    #[inline]
    fn evaluate(
        function: &Derived,
        time: &[Self],
        x: &[Self],
        p: &[Self],
        y: &mut [Self],
        workspace: &mut Workspace<Self>,
    ) -> Result<(), CallError> {
        let plain = function.plain()?;
        plain.evaluate(&[time, x, p], &mut [y], &mut workspace.registers)
    }
}

impl Derived {
    /// The function whose entries are `nodes`, which may read t, the middle of the stretch, x and p.
    pub fn new(
        graph: Arc<Graph>,
        nodes: Vec<NodeId>,
        sizes: Sizes,
        backend: Backend,
    ) -> Result<Self, CompileError> {
        let bad = |&node: &NodeId| node.0 as usize >= graph.len();
        let (graph, nodes) = match nodes.iter().any(bad) {
            true => (graph, nodes),
            false => unroll_small(&graph, nodes),
        };
        let made = Self {
            graph,
            nodes,
            sizes,
            backend,
            plain: OnceLock::new(),
            dual: std::array::from_fn(|_| OnceLock::new()),
            vjp: OnceLock::new(),
            time_vjp: OnceLock::new(),
            second_order: OnceLock::new(),
            second_order_time: OnceLock::new(),
        };
        // the program alone, to find what is wrong with it before anyone calls
        let outputs = [Output::store(made.nodes.clone())];
        let program = Function::new(&made.graph, &outputs, Backend::Interpreter)?;
        let (inputs, _) = program.required_lengths();
        let allowed = [2, sizes.states, sizes.parameters];
        for (group, &required) in inputs.iter().enumerate() {
            let given = allowed.get(group).copied().unwrap_or(0);
            if required > given {
                return Err(CompileError::InputOutOfRange {
                    group,
                    index: required - 1,
                    given,
                });
            }
        }
        match backend {
            Backend::Auto => {}
            Backend::Interpreter => {
                made.plain.get_or_init(|| Some(program));
            }
            Backend::Native => {
                let native = Function::new(&made.graph, &outputs, backend)?;
                made.plain.get_or_init(|| Some(native));
            }
        }
        Ok(made)
    }

    /// Number of entries of y.
    pub fn len(&self) -> usize {
        self.graph.total_size(&self.nodes)
    }

    /// Whether y has no entry.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Lengths of x and p.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Whether the plain form runs native code.
    pub fn is_native(&self) -> bool {
        self.plain().is_ok_and(Function::is_native)
    }

    /// Writes F(t, x, p) into `y`; `time` is `[t, middle of the stretch]`.
    #[inline]
    pub fn evaluate<S: ModelScalar>(
        &self,
        time: &[S],
        x: &[S],
        p: &[S],
        y: &mut [S],
        workspace: &mut Workspace<S>,
    ) -> Result<(), CallError> {
        S::evaluate(self, time, x, p, y, workspace)
    }

    /// Adds F_x^T w to `x_bar` and F_p^T w to `p_bar`.
    #[expect(clippy::too_many_arguments, reason = "three inputs, three cotangents")]
    #[inline]
    pub fn vjp<S: ModelScalar>(
        &self,
        time: &[S],
        x: &[S],
        p: &[S],
        w: &[S],
        x_bar: &mut [S],
        p_bar: &mut [S],
        workspace: &mut Workspace<S>,
    ) -> Result<(), CallError> {
        let function = made(&self.vjp, || self.make_vjp())?;
        S::call(function, &[time, x, p, w], &mut [x_bar, p_bar], workspace)
    }

    /// w^T F_t(t, x, p).
    pub fn time_vjp<S: ModelScalar>(
        &self,
        time: &[S],
        x: &[S],
        p: &[S],
        w: &[S],
        workspace: &mut Workspace<S>,
    ) -> Result<S, CallError> {
        let function = made(&self.time_vjp, || self.make_time_vjp())?;
        let mut t_bar = [S::from(0.0)];
        S::call(function, &[time, x, p, w], &mut [&mut t_bar], workspace)?;
        Ok(t_bar[0])
    }

    /// Adds the gradients in x and p of w^T (F_x v + s F_t) to `x_bar` and `p_bar`; v, w, s are held.
    #[expect(clippy::too_many_arguments, reason = "a bilinear form has that many")]
    pub fn second_order_vjp<S: ModelScalar>(
        &self,
        time: &[S],
        x: &[S],
        p: &[S],
        v: &[S],
        s: S,
        w: &[S],
        x_bar: &mut [S],
        p_bar: &mut [S],
        workspace: &mut Workspace<S>,
    ) -> Result<(), CallError> {
        let function = made(&self.second_order, || self.make_second_order(false))?;
        let inputs = [time, x, p, v, w, &[s]];
        S::call(function, &inputs, &mut [x_bar, p_bar], workspace)
    }

    /// w^T (F_xt v + s F_tt).
    #[expect(clippy::too_many_arguments, reason = "a bilinear form has that many")]
    pub fn second_order_time_vjp<S: ModelScalar>(
        &self,
        time: &[S],
        x: &[S],
        p: &[S],
        v: &[S],
        s: S,
        w: &[S],
        workspace: &mut Workspace<S>,
    ) -> Result<S, CallError> {
        let function = made(&self.second_order_time, || self.make_second_order(true))?;
        let mut t_bar = [S::from(0.0)];
        let inputs = [time, x, p, v, w, &[s]];
        S::call(function, &inputs, &mut [&mut t_bar], workspace)?;
        Ok(t_bar[0])
    }

    #[inline]
    fn plain(&self) -> Result<&Function, CallError> {
        made(&self.plain, || {
            self.compile(&self.graph, &[Output::store(self.nodes.clone())])
        })
    }

    /// The native dual form, `None` where the interpreter is to run.
    #[inline]
    fn dual<const N: usize>(&self) -> Option<&Function> {
        let place = const {
            match N {
                1 => Some(0),
                2 => Some(1),
                4 => Some(2),
                8 => Some(3),
                _ => None,
            }
        }?;
        self.dual[place]
            .get_or_init(|| self.make_dual(DIRECTIONS[place]))
            .as_ref()
    }

    fn compile(&self, graph: &Graph, outputs: &[Output]) -> Option<Function> {
        let backend = match self.backend {
            Backend::Interpreter => Backend::Interpreter,
            Backend::Native | Backend::Auto => Backend::Auto,
        };
        Function::new(graph, outputs, backend).ok()
    }

    fn make_vjp(&self) -> Option<Function> {
        let mut graph = (*self.graph).clone();
        let w = graph.inputs_like(FIRST_EXTRA, &self.nodes);
        let x = graph.inputs(STATES, self.sizes.states);
        let p = graph.inputs(PARAMETERS, self.sizes.parameters);
        let mut x_bar = vjp(&mut graph, &self.nodes, &w, &[&x[..], &p].concat());
        let p_bar = x_bar.split_off(x.len());
        self.compile(
            &graph,
            &[x_bar, p_bar].map(|bars| Output::accumulate_what_is_not_zero(&graph, bars)),
        )
    }

    fn make_time_vjp(&self) -> Option<Function> {
        let mut graph = (*self.graph).clone();
        let w = graph.inputs_like(FIRST_EXTRA, &self.nodes);
        let t = graph.inputs(TIME, 1);
        let t_bar = vjp(&mut graph, &self.nodes, &w, &t);
        self.compile(&graph, &[Output::store(t_bar)])
    }

    fn make_second_order(&self, in_time: bool) -> Option<Function> {
        let mut graph = (*self.graph).clone();
        let x = graph.inputs(STATES, self.sizes.states);
        let v = graph.inputs_like(FIRST_EXTRA, &x);
        let w = graph.inputs_like(SECOND_EXTRA, &self.nodes);
        let s = graph.inputs(THIRD_EXTRA, 1);
        let t = graph.inputs(TIME, 1);
        let p = graph.inputs(PARAMETERS, self.sizes.parameters);
        let seeds: Vec<_> = x
            .iter()
            .copied()
            .zip(v)
            .chain(t.iter().copied().zip(s))
            .collect();
        let wrt = if in_time { t } else { [&x[..], &p].concat() };
        let mut bars = second_order_vjp(&mut graph, &self.nodes, &seeds, &w, &wrt);
        if in_time {
            return self.compile(&graph, &[Output::store(bars)]);
        }
        let p_bar = bars.split_off(x.len());
        self.compile(
            &graph,
            &[bars, p_bar].map(|bars| Output::accumulate_what_is_not_zero(&graph, bars)),
        )
    }

    /// The dual form in native code, where that is worth its compilation.
    fn make_dual(&self, directions: usize) -> Option<Function> {
        let shortest = self.graph.live(&self.nodes).len();
        if self.backend == Backend::Interpreter || shortest * (directions + 1) > 3 * LONGEST_DUAL {
            return None;
        }
        // straight-line code computes all that may be chosen, the interpreter what is
        let plain = self.plain().ok()?;
        if plain.decided_choices() > MOST_CHOICES {
            return None;
        }
        let (graph, output) = interleaved(&self.graph, &self.nodes, directions)?;
        let function = Function::new(&graph, &[output], Backend::Auto).ok()?;
        function.is_native().then_some(function)
    }
}

/// The function in a cell, made when first asked for.
#[inline]
fn made(
    cell: &OnceLock<Option<Function>>,
    make: impl FnOnce() -> Option<Function>,
) -> Result<&Function, CallError> {
    cell.get_or_init(make)
        .as_ref()
        .ok_or(CallError::NotCompiled)
}

/// The graph of values and tangents over interleaved inputs, and the output `y_0, dy_0/d1, ..., y_1, ...`; `None`
/// where it grows longer than is worth compiling.
fn interleaved(graph: &Graph, nodes: &[NodeId], directions: usize) -> Option<(Graph, Output)> {
    let stride = u32::try_from(directions + 1).ok()?;
    let copy = Copy::new(graph, nodes, stride)?;
    let values: Vec<NodeId> = nodes.iter().map(|&id| copy.name(id)).collect();
    let mut dual = copy.graph;
    // the middle of the stretch carries no derivative
    let mut variables = copy.inputs;
    variables.retain(|&node| match dual.op(node) {
        Op::Input(input) => input.group != TIME || input.index == 0,
        _ => true,
    });
    let mut output = Output {
        stride,
        ..Output::store(values.clone())
    };
    let mut places = output.bases(&dual);
    for direction in 1..stride {
        let seeds: Vec<(NodeId, NodeId)> = variables
            .iter()
            .map(|&node| (node, dual.beside(node, direction)))
            .collect();
        output.nodes.extend(jvp(&mut dual, &values, &seeds));
        places.extend_from_within(..values.len());
        let own = places.len() - values.len();
        places[own..]
            .iter_mut()
            .for_each(|place| *place += direction);
        if dual.len() > LONGEST_DUAL {
            return None;
        }
    }
    output.places = Some(places);
    Some((dual, output))
}
