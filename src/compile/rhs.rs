//! The right-hand side f of x' = f(t, x, p) with its Jacobian, ready for every solver and adjoint.
//!
//! The graphs of the Jacobian and of its product with a vector are made when first asked for: an explicit method
//! never pays for them, nor one that only multiplies for the Jacobian.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use costate_solvers::{ExplicitStages, Pattern, Scalar};

use super::derived::{Derived, ModelScalar, Sizes, Workspace};
use super::error::{CallError, CompileError};
use super::explicit_step::explicit_step;
use super::explicit_step_back::explicit_step_back;
use super::function::{Backend, Function};
use crate::model::graph::{Graph, InputId, NodeId, Op, PARAMETERS, STATES, TIME};
use crate::model::unroll::unroll_small;
use crate::model::{array_jacobian, array_jacobian_values, jacobian, jvp, prepare, share};

/// Which way through a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Way {
    Forward,
    Backward,
}

/// A method, a way through its steps, and the code for that where it could be made.
type StepOf = (&'static ExplicitStages, Way, Option<Arc<Function>>);

/// f with its derivatives. `Send + Sync`: one serves every thread.
#[derive(Debug)]
pub struct RightHandSide {
    graph: Arc<Graph>,
    nodes: Vec<NodeId>,
    backend: Backend,
    f: Derived,
    /// values of the parameters alone that f reads behind them
    prepared: Option<Derived>,
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
    /// the non-zeros of J in the pattern's order; where f has arrays, what `assembly` puts in that order
    pub jacobian: Derived,
    /// where f has arrays: the non-zero that each value is added to, [`Linearization::NOWHERE`] for none
    pub assembly: Option<Vec<u32>>,
    /// f_t, states held
    pub time_derivative: Derived,
}

impl Linearization {
    /// The place of a value that belongs to no entry.
    pub const NOWHERE: u32 = u32::MAX;

    /// Puts values of `jacobian` where they belong.
    pub fn assemble<S: Scalar>(&self, values: &[S], non_zeros: &mut [S]) {
        non_zeros.fill(S::from(0.0));
        let places = self.assembly.iter().flatten();
        for (&value, &place) in values.iter().zip(places) {
            if place != Self::NOWHERE {
                non_zeros[place as usize] += value;
            }
        }
    }
}

impl RightHandSide {
    /// The right-hand side whose entries are `nodes`, one a state.
    pub fn new(
        graph: &Graph,
        nodes: &[NodeId],
        sizes: Sizes,
        backend: Backend,
    ) -> Result<Self, CompileError> {
        Self::made(graph, nodes, sizes, backend, false)
    }

    /// The same, but that what depends on parameters alone is computed once for all evaluations: `f` takes the values of
    /// [`RightHandSide::prepare`] for its parameters.
    pub fn prepared(
        graph: &Graph,
        nodes: &[NodeId],
        sizes: Sizes,
        backend: Backend,
    ) -> Result<Self, CompileError> {
        Self::made(graph, nodes, sizes, backend, true)
    }

    fn made(
        graph: &Graph,
        nodes: &[NodeId],
        sizes: Sizes,
        backend: Backend,
        prepares: bool,
    ) -> Result<Self, CompileError> {
        if graph.total_size(nodes) != sizes.states {
            return Err(CompileError::NotSquare {
                equations: graph.total_size(nodes),
                states: sizes.states,
            });
        }
        let (graph, nodes) = if graph.has_arrays(nodes) {
            let (graph, nodes) = unroll_small(&Arc::new(graph.clone()), nodes.to_vec());
            share(&graph, &nodes)
        } else {
            share(graph, nodes)
        };
        let (graph, nodes, values) = match prepares {
            true => {
                let of = prepare(graph, nodes, sizes.parameters);
                (Arc::new(of.graph), of.roots, of.values)
            }
            false => (Arc::new(graph), nodes, Vec::new()),
        };
        let all = Sizes {
            parameters: sizes.parameters + graph.total_size(&values),
            ..sizes
        };
        let of_parameters = Sizes { states: 0, ..sizes };
        Ok(Self {
            f: Derived::new(Arc::clone(&graph), nodes.clone(), all, backend)?,
            prepared: match values.is_empty() {
                true => None,
                false => Some(Derived::new(
                    Arc::clone(&graph),
                    values,
                    of_parameters,
                    backend,
                )?),
            },
            graph,
            nodes,
            backend,
            linearization: OnceLock::new(),
            product: OnceLock::new(),
            steps: Mutex::default(),
        })
    }

    /// f itself, of [`RightHandSide::all_parameters`].
    #[inline]
    pub fn f(&self) -> &Derived {
        &self.f
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        match &self.prepared {
            Some(prepared) => prepared.sizes().parameters,
            None => self.f.sizes().parameters,
        }
    }

    /// Number of parameters and of the values prepared from them.
    pub fn all_parameters(&self) -> usize {
        self.f.sizes().parameters
    }

    /// Computes what f reads of the parameters p: writes p and what is prepared from it to `all`.
    ///
    /// # Errors
    /// A wrong length of either.
    pub fn prepare<S: ModelScalar>(
        &self,
        p: &[S],
        all: &mut [S],
        workspace: &mut Workspace<S>,
    ) -> Result<(), CallError> {
        let count = self.parameters();
        if p.len() != count || all.len() != self.all_parameters() {
            return Err(CallError::Input {
                array: usize::from(PARAMETERS),
                length: p.len(),
                required: count,
            });
        }
        let (own, values) = all.split_at_mut(count);
        own.copy_from_slice(p);
        match &self.prepared {
            Some(prepared) => prepared.evaluate(&[S::from(0.0); 2], &[], own, values, workspace),
            None => Ok(()),
        }
    }

    /// Takes cotangents `bar` of all that [`RightHandSide::prepare`] wrote back to the parameters, adding to `p_bar`.
    ///
    /// # Errors
    /// A wrong length.
    pub fn prepare_vjp<S: ModelScalar>(
        &self,
        p: &[S],
        bar: &[S],
        p_bar: &mut [S],
        workspace: &mut Workspace<S>,
    ) -> Result<(), CallError> {
        let (own, values) = bar.split_at(self.parameters().min(bar.len()));
        for (to, &more) in p_bar.iter_mut().zip(own) {
            *to += more;
        }
        match &self.prepared {
            Some(prepared) => prepared.vjp(
                &[S::from(0.0); 2],
                &[],
                p,
                values,
                &mut [],
                p_bar,
                workspace,
            ),
            None => Ok(()),
        }
    }

    /// The Jacobian and the time derivative, made when first asked for.
    #[inline]
    pub fn linearization(&self) -> Result<&Linearization, CompileError> {
        self.linearization
            .get_or_init(|| self.linearize())
            .as_ref()
            .map_err(Clone::clone)
    }

    /// How many values make up the Jacobian, at least one for each of its non-zeros: known without listing them where f
    /// has arrays.
    ///
    /// # Errors
    /// Those of [`RightHandSide::linearization`] where f has none.
    pub fn jacobian_values(&self) -> Result<u64, CompileError> {
        if self.linearization.get().is_none() && self.graph.has_arrays(&self.nodes) {
            let mut graph = (*self.graph).clone();
            return Ok(array_jacobian_values(&mut graph, &self.nodes, STATES));
        }
        Ok(self.linearization()?.pattern.non_zeros() as u64)
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
        let states = graph.inputs(STATES, sizes.states);
        let seeds: Vec<_> = states
            .into_iter()
            .map(|x| (x, graph.beside(x, n)))
            .collect();
        let product = jvp(&mut graph, &self.nodes, &seeds);
        let sizes = Sizes {
            states: 2 * sizes.states,
            ..sizes
        };
        Derived::new(Arc::new(graph), product, sizes, self.backend)
    }

    /// All stages of a step of an explicit method, or their reverse, as one function, for systems so small that this is
    /// worth while: see [`mod@super::explicit_step`]. Made when first asked for.
    pub(super) fn explicit_step(
        &self,
        method: &'static ExplicitStages,
        way: Way,
    ) -> Option<Arc<Function>> {
        if self.backend == Backend::Interpreter {
            return None;
        }
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |(known, known_way, _): &&StepOf| *known == method && *known_way == way;
        if let Some((.., code)) = steps.iter().find(known) {
            return code.clone();
        }
        let code = match way {
            Way::Forward => explicit_step(&self.graph, &self.nodes, method),
            Way::Backward => {
                let parameters = self.all_parameters();
                explicit_step_back(&self.graph, &self.nodes, parameters, method)
            }
        };
        let code = code.map(Arc::new);
        steps.push((method, way, code.clone()));
        code
    }

    fn linearize(&self) -> Result<Linearization, CompileError> {
        let sizes = self.f.sizes();
        let mut graph = (*self.graph).clone();
        let has_arrays = graph.has_arrays(&self.nodes);
        let (values, places, assembly) = if has_arrays {
            let made = array_jacobian(&mut graph, &self.nodes, STATES);
            let (places, assembly) = in_order(sizes.states, &made.places);
            (made.values, places, Some(assembly))
        } else {
            let x = graph.inputs(STATES, sizes.states);
            let mut entries = jacobian(&mut graph, &self.nodes, &x);
            entries.sort_unstable_by_key(|&(row, column, _)| (column, row));
            let places: Vec<(usize, usize)> = entries.iter().map(|&(r, c, _)| (r, c)).collect();
            let values = entries.into_iter().map(|(_, _, value)| value).collect();
            (values, places, None)
        };
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
            assembly,
            time_derivative: derived(slopes)?,
        })
    }
}

/// The distinct places, column by column, and for each place given its number among them.
fn in_order(columns: usize, places: &[Option<(usize, usize)>]) -> (Vec<(usize, usize)>, Vec<u32>) {
    let mut starts = vec![0_usize; columns + 1];
    for (_, column) in places.iter().flatten() {
        starts[column + 1] += 1;
    }
    for column in 0..columns {
        starts[column + 1] += starts[column];
    }
    let mut by_column = vec![(0_usize, 0_usize); starts[columns]];
    let mut next = starts.clone();
    for (number, place) in places.iter().enumerate() {
        if let Some((row, column)) = *place {
            by_column[next[column]] = (row, number);
            next[column] += 1;
        }
    }
    let mut distinct: Vec<(usize, usize)> = Vec::with_capacity(by_column.len());
    let mut number_of = vec![Linearization::NOWHERE; places.len()];
    for column in 0..columns {
        let own = &mut by_column[starts[column]..starts[column + 1]];
        own.sort_unstable();
        for &(row, number) in own.iter() {
            if distinct.last() != Some(&(row, column)) {
                distinct.push((row, column));
            }
            number_of[number] = (distinct.len() - 1) as u32;
        }
    }
    (distinct, number_of)
}
