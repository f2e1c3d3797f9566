//! A compiled right-hand side as the systems that solvers and adjoints step: x' = f(t, x, p) at held parameters.
//!
//! One [`ModelSystem`] a thread; the code behind it is shared. No call allocates, once each derivative has been
//! asked for one time (the first call compiles it and grows the workspace).

use std::sync::Arc;

use costate_adjoint::sweep::Step;
use costate_adjoint::{AdjointImplicitSystem, AdjointSystem};
use costate_solvers::{ExplicitStages, ImplicitSystem, LinearSolver, Mass, Pattern, System};

use super::derived::{Derived, ModelScalar, Workspace};
use super::error::{CallError, CompileError};
use super::explicit_step::StepCode;
use super::lags::{LagCode, SharedPast};
use super::large_step;
use super::rhs::{RightHandSide, Way};

/// A right-hand side at parameters p, over the scalar `S`: `f64` or dual numbers.
///
/// Slices of a wrong length, which no solver passes, give NaN throughout, as would an `f` that is not finite.
#[derive(Debug, Clone)]
pub struct ModelSystem<S: ModelScalar> {
    rhs: Arc<RightHandSide>,
    /// p and what is prepared from it
    parameters: Vec<S>,
    middle: f64,
    workspace: Workspace<S>,
    pattern: Arc<Pattern>,
    /// values of the Jacobian before they are assembled, where f has arrays
    unassembled: Vec<S>,
    /// M and the function of p that its values are
    mass: Option<(Mass<S>, Arc<Derived>)>,
    linear_solver: LinearSolver,
    /// (x, v) of the products J v, where it offers them
    pair: Option<Vec<S>>,
    step_code: StepCode,
    back_code: StepCode,
    /// cotangents of x, of k_1 and of the parameters, while a step is reversed
    back: Vec<S>,
    /// sums over blocks of the state
    block_sums: Vec<f64>,
    /// what delayed values read
    past: Option<SharedPast<S>>,
}

impl<S: ModelScalar> ModelSystem<S> {
    /// The system at parameters 0, for explicit methods: its Jacobian is not made, its pattern empty.
    pub fn explicit(rhs: Arc<RightHandSide>) -> Self {
        let sizes = rhs.f().sizes();
        Self {
            parameters: vec![S::from(0.0); sizes.parameters],
            middle: 0.0,
            workspace: Workspace::default(),
            pattern: Arc::new(Pattern::from_entries(sizes.states, sizes.states, &[])),
            unassembled: Vec::new(),
            mass: None,
            linear_solver: LinearSolver::Auto,
            pair: None,
            step_code: StepCode::default(),
            back_code: StepCode::default(),
            back: Vec::new(),
            block_sums: Vec::new(),
            past: None,
            rhs,
        }
    }

    /// The system at parameters 0, with its Jacobian, for any method.
    pub fn implicit(rhs: Arc<RightHandSide>) -> Result<Self, CompileError> {
        let linear = rhs.linearization()?;
        let pattern = Arc::new(linear.pattern.clone());
        let values = linear.assembly.as_ref().map_or(0, Vec::len);
        Ok(Self {
            pattern,
            unassembled: vec![S::from(0.0); values],
            ..Self::explicit(rhs)
        })
    }

    /// The same with a mass matrix: `values` gives its entries, in the order of `pattern`, from p.
    #[must_use]
    pub fn with_mass(mut self, pattern: &Pattern, values: &Arc<Derived>) -> Self {
        let mass = Mass {
            pattern: pattern.clone(),
            values: vec![S::from(0.0); pattern.non_zeros()],
        };
        self.mass = Some((mass, Arc::clone(values)));
        self
    }

    /// The same with its linear systems solved in a given way.
    #[must_use]
    pub fn with_linear_solver(mut self, choice: LinearSolver) -> Self {
        self.linear_solver = choice;
        self
    }

    /// The same with products J v of its own, so that GMRES asks for no Jacobian.
    pub fn with_products(mut self) -> Result<Self, CompileError> {
        let length = self.rhs.product()?.sizes().states;
        self.pair = Some(vec![S::from(0.0); length]);
        Ok(self)
    }

    /// The same with delayed values, whose states f leaves to the past.
    #[must_use]
    pub fn with_lags(mut self, code: &Arc<LagCode>) -> Self {
        self.past = Some(SharedPast::new(code));
        self
    }

    /// The past that delayed values read, where there are any.
    pub fn past(&self) -> Option<&SharedPast<S>> {
        self.past.as_ref()
    }

    /// Sets p; a length other than the model's is an error and changes nothing.
    pub fn set_parameters(&mut self, p: &[S]) -> Result<(), CallError> {
        self.rhs
            .prepare(p, &mut self.parameters, &mut self.workspace)?;
        if let Some((mass, values)) = &mut self.mass {
            let time = [S::from(0.0); 2];
            values.evaluate(&time, &[], p, &mut mass.values, &mut self.workspace)?;
        }
        Ok(())
    }

    /// p.
    pub fn parameter_values(&self) -> &[S] {
        &self.parameters[..self.rhs.parameters()]
    }

    /// The compiled right-hand side.
    pub fn right_hand_side(&self) -> &Arc<RightHandSide> {
        &self.rhs
    }

    /// Whether steps of the explicit method used last are made by one function, f put in, instead of calls of f stage
    /// by stage: so it is for small systems, once there have been steps enough to pay for its compilation.
    pub fn compiles_steps(&self) -> bool {
        self.step_code.is_made()
    }

    /// The same of their reverse.
    pub fn compiles_steps_back(&self) -> bool {
        self.back_code.is_made()
    }

    #[inline]
    fn time(&self, t: S) -> [S; 2] {
        [t, S::from(self.middle)]
    }
}

impl<S: ModelScalar> System<S> for ModelSystem<S> {
    #[inline]
    fn dim(&self) -> usize {
        self.rhs.f().len()
    }

    #[inline]
    fn rhs(&mut self, t: S, x: &[S], dx: &mut [S]) {
        let time = self.time(t);
        let done = self
            .rhs
            .f()
            .evaluate(&time, x, &self.parameters, dx, &mut self.workspace);
        or_nan(done, dx);
        if let Some(past) = &self.past {
            past.force(t, dx);
        }
    }

    fn enter_stretch(&mut self, middle: f64) {
        self.middle = middle;
        if let Some(past) = &self.past {
            past.enter(middle);
        }
    }

    #[inline]
    fn explicit_stages(
        &mut self,
        method: &'static ExplicitStages,
        t: S,
        h: S,
        x: &[S],
        stages: &mut [S],
        x_new: &mut [S],
    ) -> bool {
        if !S::STEPS || self.past.is_some() {
            return false;
        }
        if x.len() >= large_step::SHARED_STATES {
            let (rhs, p) = (&self.rhs, &self.parameters);
            let (middle, workspace) = (S::from(self.middle), &mut self.workspace);
            let f = |t: S, y: &[S], dx: &mut [S]| {
                let done = rhs.f().evaluate(&[t, middle], y, p, dx, workspace);
                done.is_ok()
            };
            return S::large_stages(method, t, h, x, stages, x_new, f);
        }
        let time = self.time(t);
        let Some(code) = self
            .step_code
            .of(method, || self.rhs.explicit_step(method, Way::Forward))
        else {
            return false;
        };
        let Some((first, rest)) = stages.split_at_mut_checked(x.len()) else {
            return false;
        };
        let inputs = [&time[..], x, &self.parameters, first, &[h]];
        S::call_step(code, &inputs, &mut [rest, x_new], &mut self.workspace)
    }

    fn sum_over_blocks(&mut self, count: usize, of: &(dyn Fn(usize) -> f64 + Sync)) -> f64 {
        large_step::sum(count, of, &mut self.block_sums)
    }
}

impl<S: ModelScalar> ImplicitSystem<S> for ModelSystem<S> {
    fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    fn mass(&self) -> Option<&Mass<S>> {
        self.mass.as_ref().map(|(mass, _)| mass)
    }

    fn linear_solver(&self) -> LinearSolver {
        self.linear_solver
    }

    fn has_jvp(&self) -> bool {
        self.pair.is_some()
    }

    fn jvp(&mut self, t: S, x: &[S], v: &[S], out: &mut [S]) {
        let time = self.time(t);
        let workspace = &mut self.workspace;
        let done = match (self.rhs.product(), &mut self.pair) {
            (Ok(product), Some(pair)) if pair.len() == x.len() + v.len() => {
                let (states, direction) = pair.split_at_mut(x.len());
                states.copy_from_slice(x);
                direction.copy_from_slice(v);
                product.evaluate(&time, pair, &self.parameters, out, workspace)
            }
            _ => Err(CallError::NotCompiled),
        };
        or_nan(done, out);
    }

    #[inline]
    fn jacobian(&mut self, t: S, x: &[S], values: &mut [S]) {
        let time = self.time(t);
        let done = match self.rhs.linearization() {
            Ok(linear) => {
                let whole = linear.assembly.is_none();
                let to = match whole {
                    true => &mut *values,
                    false => &mut self.unassembled,
                };
                let (p, workspace) = (&self.parameters, &mut self.workspace);
                let done = linear.jacobian.evaluate(&time, x, p, to, workspace);
                if !whole {
                    linear.assemble(&self.unassembled, values);
                }
                done
            }
            Err(_) => Err(CallError::NotCompiled),
        };
        or_nan(done, values);
    }

    #[inline]
    fn time_derivative(&mut self, t: S, x: &[S], ft: &mut [S]) {
        let time = self.time(t);
        let done = match self.rhs.linearization() {
            Ok(linear) => {
                linear
                    .time_derivative
                    .evaluate(&time, x, &self.parameters, ft, &mut self.workspace)
            }
            Err(_) => Err(CallError::NotCompiled),
        };
        or_nan(done, ft);
        if let Some(past) = &self.past {
            past.force_slope(t, ft);
        }
    }
}

impl<S: ModelScalar> ModelSystem<S> {
    /// Takes cotangents of all that f reads of the parameters, [`AdjointSystem::parameters`] of them, back to the
    /// parameters themselves, adding to `p_bar`.
    pub fn pull_back_parameters(&mut self, bar: &[S], p_bar: &mut [S]) {
        let p = &self.parameters[..self.rhs.parameters()];
        let done = self.rhs.prepare_vjp(p, bar, p_bar, &mut self.workspace);
        or_nan(done, p_bar);
    }
}

/// Its parameters are those of the model and what is prepared from them: see [`ModelSystem::pull_back_parameters`].
impl<S: ModelScalar> AdjointSystem<S> for ModelSystem<S> {
    #[inline]
    fn parameters(&self) -> usize {
        self.parameters.len()
    }

    #[inline]
    fn vjp(&mut self, t: S, x: &[S], w: &[S], x_bar: &mut [S], p_bar: &mut [S]) {
        let time = self.time(t);
        let (p, workspace) = (&self.parameters, &mut self.workspace);
        let done = self.rhs.f().vjp(&time, x, p, w, x_bar, p_bar, workspace);
        or_nan(done, x_bar);
        or_nan(done, p_bar);
    }

    fn time_vjp(&mut self, t: S, x: &[S], w: &[S]) -> S {
        let time = self.time(t);
        self.rhs
            .f()
            .time_vjp(&time, x, &self.parameters, w, &mut self.workspace)
            .unwrap_or(S::from(f64::NAN))
    }

    #[inline]
    fn explicit_stages_back(
        &mut self,
        method: &'static ExplicitStages,
        step: &Step<'_, S>,
        lambda: &mut [S],
        stage_bars: &mut [S],
        p_bar: &mut [S],
    ) -> bool {
        if !S::STEPS {
            return false;
        }
        let rhs = &self.rhs;
        let make = || rhs.explicit_step(method, Way::Backward);
        let Some(code) = self.back_code.of(method, make) else {
            return false;
        };
        let (n, count) = (lambda.len(), p_bar.len());
        self.back.resize(2 * n + count, S::from(0.0));
        let (of_states, p_before) = self.back.split_at_mut(2 * n);
        let (x_bar, first) = of_states.split_at_mut(n);
        p_before.copy_from_slice(p_bar);
        let time = [step.t, S::from(self.middle), step.h];
        let inputs = [
            &time[..],
            step.x,
            &self.parameters,
            step.stages,
            step.x_new,
            lambda,
            stage_bars,
            p_before,
        ];
        let outputs = &mut [&mut *x_bar, &mut *first, &mut *p_bar];
        if !S::call_step(code, &inputs, outputs, &mut self.workspace) {
            return false;
        }
        lambda.copy_from_slice(x_bar);
        stage_bars[..n].copy_from_slice(first);
        true
    }
}

impl<S: ModelScalar> AdjointImplicitSystem<S> for ModelSystem<S> {
    #[inline]
    fn second_order_vjp(
        &mut self,
        t: S,
        x: &[S],
        v: &[S],
        s: S,
        w: &[S],
        x_bar: &mut [S],
        p_bar: &mut [S],
    ) {
        let time = self.time(t);
        let (p, workspace) = (&self.parameters, &mut self.workspace);
        let done = self
            .rhs
            .f()
            .second_order_vjp(&time, x, p, v, s, w, x_bar, p_bar, workspace);
        or_nan(done, x_bar);
        or_nan(done, p_bar);
    }

    fn mass_vjp(&mut self, bar: &[S], p_bar: &mut [S]) {
        let Some((_, values)) = &self.mass else {
            return;
        };
        // its entries read no state, yet the code adds the zeros somewhere
        let zero = S::from(0.0);
        let mut unread = vec![zero; self.pattern.columns()];
        let done = values.vjp(
            &[zero; 2],
            &[],
            &self.parameters,
            bar,
            &mut unread,
            p_bar,
            &mut self.workspace,
        );
        or_nan(done, p_bar);
    }

    fn second_order_time_vjp(&mut self, t: S, x: &[S], v: &[S], s: S, w: &[S]) -> S {
        let time = self.time(t);
        let (p, workspace) = (&self.parameters, &mut self.workspace);
        self.rhs
            .f()
            .second_order_time_vjp(&time, x, p, v, s, w, workspace)
            .unwrap_or(S::from(f64::NAN))
    }
}

/// Writes NaN where a call was refused: the solver reports it as a value that is not finite.
#[inline]
fn or_nan<S: ModelScalar>(done: Result<(), CallError>, values: &mut [S]) {
    if done.is_err() {
        values.fill(S::from(f64::NAN));
    }
}
