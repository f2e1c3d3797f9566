//! The right-hand side f of x' = f(t, x, p) with its Jacobian, ready for every solver and adjoint.
//!
//! The graphs of the Jacobian and of its product with a vector are made when first asked for: an explicit method
//! never pays for them, nor one that only multiplies for the Jacobian.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use costate_solvers::{ExplicitStages, Pattern};

use super::derived::{Derived, Sizes};
use super::error::CompileError;
use super::explicit_step::explicit_step;
use super::function::{Backend, Function};
use crate::model::graph::{Graph, InputId, NodeId, Op, STATES, TIME};
use crate::model::{jacobian, jvp, share};

/// A method, and the code for its steps where it could be made.
type StepOf = (&'static ExplicitStages, Option<Arc<Function>>);

/// f with its derivatives. `Send + Sync`: one serves every thread.
#[derive(Debug)]
pub struct RightHandSide {
    graph: Arc<Graph>,
    nodes: Vec<NodeId>,
    backend: Backend,
    f: Derived,
    linearization: OnceLock<Result<Linearization, CompileError>>,
    product: OnceLock<Result<Derived, CompileError>>,
    /// code for steps of explicit methods, where it could be made
    steps: Mutex<Vec<StepOf>>,
}

/// J = df/dx and f_t = df/dt.
#[derive(Debug)]
pub struct Linearization {
    /// the non-zero pattern of J
    pub pattern: Pattern,
    /// the non-zeros of J in the pattern's order
    pub jacobian: Derived,
    /// f_t, states held
    pub time_derivative: Derived,
}

impl RightHandSide {
    /// The right-hand side whose entries are `nodes`, one a state.
    pub fn new(
        graph: &Graph,
        nodes: &[NodeId],
        sizes: Sizes,
        backend: Backend,
    ) -> Result<Self, CompileError> {
        if nodes.len() != sizes.states {
            return Err(CompileError::NotSquare {
                equations: nodes.len(),
                states: sizes.states,
            });
        }
        let (graph, nodes) = share(graph, nodes);
        let graph = Arc::new(graph);
        Ok(Self {
            f: Derived::new(Arc::clone(&graph), nodes.clone(), sizes, backend)?,
            graph,
            nodes,
            backend,
            linearization: OnceLock::new(),
            product: OnceLock::new(),
            steps: Mutex::default(),
        })
    }

    /// f itself.
    #[inline]
    pub fn f(&self) -> &Derived {
        &self.f
    }

    /// The Jacobian and the time derivative, made when first asked for.
    #[inline]
    pub fn linearization(&self) -> Result<&Linearization, CompileError> {
        self.linearization
            .get_or_init(|| self.linearize())
            .as_ref()
            .map_err(Clone::clone)
    }

    /// J v as a function of the 2 n numbers (x, v), made when first asked for: no entry of J is formed.
    #[inline]
    pub fn product(&self) -> Result<&Derived, CompileError> {
        self.product
            .get_or_init(|| self.make_product())
            .as_ref()
            .map_err(Clone::clone)
    }

    fn make_product(&self) -> Result<Derived, CompileError> {
        let sizes = self.f.sizes();
        let n = sizes.states as u32;
        let mut graph = (*self.graph).clone();
        let mut state = |index| {
            graph.intern(Op::Input(InputId {
                group: STATES,
                index,
            }))
        };
        let seeds: Vec<_> = (0..n).map(|i| (state(i), state(n + i))).collect();
        let product = jvp(&mut graph, &self.nodes, &seeds);
        let sizes = Sizes {
            states: 2 * sizes.states,
            ..sizes
        };
        Derived::new(Arc::new(graph), product, sizes, self.backend)
    }

    /// All stages of a step of an explicit method as one function, for systems so small that this is worth while: see
    /// [`mod@super::explicit_step`]. Made when first asked for.
    pub(super) fn explicit_step(&self, method: &'static ExplicitStages) -> Option<Arc<Function>> {
        if self.backend == Backend::Interpreter {
            return None;
        }
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, code)) = steps.iter().find(|(known, _)| *known == method) {
            return code.clone();
        }
        let code = explicit_step(&self.graph, &self.nodes, method).map(Arc::new);
        steps.push((method, code.clone()));
        code
    }

    fn linearize(&self) -> Result<Linearization, CompileError> {
        let sizes = self.f.sizes();
        let mut graph = (*self.graph).clone();
        let x: Vec<NodeId> = (0..sizes.states as u32)
            .map(|index| {
                graph.intern(Op::Input(InputId {
                    group: STATES,
                    index,
                }))
            })
            .collect();
        let mut entries = jacobian(&mut graph, &self.nodes, &x);
        entries.sort_unstable_by_key(|&(row, column, _)| (column, row));
        let places: Vec<(usize, usize)> = entries.iter().map(|&(r, c, _)| (r, c)).collect();
        let values = entries.into_iter().map(|(_, _, value)| value).collect();
        let t = graph.intern(Op::Input(InputId {
            group: TIME,
            index: 0,
        }));
        let one = graph.intern(Op::Constant(1.0_f64.to_bits()));
        let slopes = jvp(&mut graph, &self.nodes, &[(t, one)]);
        let graph = Arc::new(graph);
        let derived = |nodes| Derived::new(Arc::clone(&graph), nodes, sizes, self.backend);
        Ok(Linearization {
            pattern: Pattern::from_entries(sizes.states, sizes.states, &places),
            jacobian: derived(values)?,
            time_derivative: derived(slopes)?,
        })
    }
}
