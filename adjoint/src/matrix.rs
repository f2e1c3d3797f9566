//! The matrices `shift M - J` of a sweep, remade where the solver made them.

use costate_solvers::{IterationMatrix, LinearSolver, Pattern, Preconditioner};

use crate::sweep::AdjointError;
use crate::system::AdjointImplicitSystem;

/// Refuses a system that is solved by products with its Jacobian alone.
pub(crate) fn needs_jacobian<F: AdjointImplicitSystem + ?Sized>(
    system: &F,
) -> Result<(), AdjointError> {
    match system.linear_solver() {
        LinearSolver::Gmres {
            preconditioner: Preconditioner::None,
        } => Err(AdjointError::NoJacobian),
        _ => Ok(()),
    }
}

/// J, M and the factors of `shift M - J` of one system.
#[derive(Debug, Clone, Default)]
pub(crate) struct StageMatrix {
    jacobian: Vec<f64>,
    /// the factors, and the patterns and the choice that they were made for
    factors: Option<(IterationMatrix, Pattern, Option<Pattern>, LinearSolver)>,
}

impl StageMatrix {
    /// Makes it fit the system. `Ok(true)`: it is made anew.
    pub(crate) fn begin<F>(&mut self, system: &F) -> Result<bool, AdjointError>
    where
        F: AdjointImplicitSystem + ?Sized,
    {
        needs_jacobian(system)?;
        let (pattern, choice) = (system.pattern(), system.linear_solver());
        let of_mass = system.mass().map(|mass| &mass.pattern);
        if let Some((_, made, made_mass, made_choice)) = &self.factors
            && made == pattern
            && made_mass.as_ref() == of_mass
            && *made_choice == choice
        {
            return Ok(false);
        }
        self.jacobian.resize(pattern.non_zeros(), 0.0);
        let matrix = IterationMatrix::new(pattern, of_mass, choice);
        self.factors = Some((matrix, pattern.clone(), of_mass.cloned(), choice));
        Ok(true)
    }

    /// Factors `shift M - J(t, x)`. `false`: it is singular.
    pub(crate) fn factor<F: AdjointImplicitSystem + ?Sized>(
        &mut self,
        system: &mut F,
        t: f64,
        x: &[f64],
        shift: f64,
    ) -> bool {
        system.jacobian(t, x, &mut self.jacobian);
        let Some((matrix, ..)) = &mut self.factors else {
            return false;
        };
        let jacobian = &self.jacobian;
        let mass = system.mass().map(|mass| &mass.values[..]);
        matrix.factor(shift, |k| jacobian[k], mass)
    }

    /// Solves with the transpose, in place.
    pub(crate) fn solve_transposed(&mut self, w: &mut [f64]) {
        if let Some((matrix, ..)) = &mut self.factors {
            matrix.solve_transposed(w);
        }
    }
}
