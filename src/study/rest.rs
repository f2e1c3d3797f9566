//! The equilibrium in which a system comes to rest, time held: before an experiment starts, and where a functional
//! asks for it.

use std::sync::Arc;

use costate_adjoint::AdjointSystem;
use costate_solvers::{Equilibrium, Options, Pattern, System};

use super::any_solver::StudyScalar;
use super::run::RunError;
use crate::compile::{Derived, ModelSystem, RightHandSide};

/// What is to come to rest, and how closely the way there is followed.
#[derive(Debug, Clone)]
pub struct RestEquations {
    /// f(t, x, p)
    pub rhs: Arc<RightHandSide>,
    /// the mass matrix: its pattern and values
    pub mass: Option<(Pattern, Arc<Derived>)>,
    /// whether an entry of it depends on a parameter
    pub mass_moves: bool,
    /// tolerances
    pub options: Options,
}

/// What an experiment's equilibrium before its start is of.
#[derive(Debug)]
pub struct Before {
    /// the parameters until then, of the scenario's; `None` where they are those
    pub own: Option<Derived>,
    /// the states from where it comes to rest, of those parameters
    pub initial: Derived,
    /// by state: whether the experiment gives it its own initial value
    pub given: Vec<bool>,
}

/// A time that is held: t, and a time of the smooth stretch that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeldTime {
    /// t
    pub t: f64,
    /// which side of a jump at t counts
    pub middle: f64,
}

impl HeldTime {
    /// Right before the start of a run.
    pub fn before(start: f64, end: f64) -> Self {
        let middle = if end < start {
            start.next_up()
        } else {
            start.next_down()
        };
        Self { t: start, middle }
    }

    /// Right after it.
    pub fn after(start: f64, end: f64) -> Self {
        let middle = if end < start {
            start.next_down()
        } else {
            start.next_up()
        };
        Self { t: start, middle }
    }
}

/// The system at rest, over any scalar.
pub struct Rest<S: StudyScalar> {
    values: ModelSystem<f64>,
    system: ModelSystem<S>,
    equilibrium: Equilibrium,
    /// parameters until then
    pub parameters: Vec<S>,
    /// first where it starts, then the equilibrium
    pub x: Vec<S>,
}

impl<S: StudyScalar> Rest<S> {
    /// Room for the equilibria of some equations.
    pub fn new(equations: &RestEquations) -> Result<Self, RunError> {
        if equations.mass_moves {
            return Err(RunError::MovingMass);
        }
        let values = system::<f64>(equations)?;
        let states = equations.rhs.f().sizes().states;
        Ok(Self {
            system: system(equations)?,
            equilibrium: Equilibrium::new(&values),
            parameters: vec![S::from(0.0); equations.rhs.parameters()],
            x: vec![S::from(0.0); states],
            values,
        })
    }

    /// Moves `x` to the equilibrium at `parameters`.
    pub fn find(&mut self, equations: &RestEquations, time: HeldTime) -> Result<(), RunError> {
        let values_of = |of: &[S]| of.iter().map(|v| v.value()).collect::<Vec<_>>();
        self.values.set_parameters(&values_of(&self.parameters))?;
        self.values.enter_stretch(time.middle);
        let mut x = values_of(&self.x);
        self.equilibrium
            .settle(&mut self.values, time.t, &mut x, &equations.options)?;
        for (x, value) in self.x.iter_mut().zip(x) {
            *x = S::from_parts(|part| if part == 0 { value } else { x.part(part) });
        }
        self.system.set_parameters(&self.parameters)?;
        self.system.enter_stretch(time.middle);
        if S::WIDTH > 1 {
            let t = S::from(time.t);
            self.equilibrium
                .differentiate(&mut self.system, t, &mut self.x);
        }
        Ok(())
    }
}

impl<S: StudyScalar> Rest<S> {
    /// Takes the cotangent of the equilibrium that was found last to its parameters, adding to `p_bar`, and leaves in
    /// `x_bar` that of the states from where it came to rest.
    pub fn pull_back(&mut self, time: HeldTime, x_bar: &mut [S], p_bar: &mut [S]) {
        let (t, zero) = (S::from(time.t), S::from(0.0));
        let mut w = vec![zero; x_bar.len()];
        let mut unread = vec![zero; x_bar.len()];
        let mut all = vec![zero; self.system.parameters()];
        let (system, x) = (&mut self.system, &self.x);
        self.equilibrium.pull_back(system, (t, x), x_bar, &mut w);
        system.vjp(t, x, &w, &mut unread, &mut all);
        system.pull_back_parameters(&all, p_bar);
    }
}

fn system<S: StudyScalar>(equations: &RestEquations) -> Result<ModelSystem<S>, RunError> {
    let system = ModelSystem::implicit(Arc::clone(&equations.rhs))?;
    Ok(match &equations.mass {
        None => system,
        Some((pattern, values)) => system.with_mass(pattern, values),
    })
}
