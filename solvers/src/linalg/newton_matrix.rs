//! The matrix of a Newton iteration, W = shift M - J: factored, or known by its products.
//!
//! BDF, NDF and the ESDIRK methods, which correct their steps until they are solved, can use either: a
//! linear solve that is not exact costs a correction. Methods that take each solve for exact (Rosenbrock's),
//! that need complex matrices (Radau's) or conserve what only exact solves do (the implicit midpoint rule)
//! refuse GMRES ([`needs_factors`]).
//!
//! A factored W serves for a while at another shift, which corrections by `2 / (1 + shift / old)` make up for;
//! GMRES has the right shift always, and only its preconditioner grows old.

use super::krylov::{Krylov, Parts, Point};
use super::{IterationMatrix, LinearSolver};
use crate::error::SolveError;
use crate::method::Trial;
use crate::options::Statistics;
use crate::scalar::Scalar;
use crate::system::{ImplicitSystem, Pattern};

/// W of a Newton iteration; see the module.
#[derive(Debug, Clone)]
pub enum NewtonMatrix<S> {
    /// by its factors
    Factored(IterationMatrix),
    /// by GMRES
    Krylov(Box<Krylov<S>>),
}

impl<S: Scalar> NewtonMatrix<S> {
    /// Room for the system's W, with a mass matrix of the given pattern, as the system's choice is.
    pub fn new<F: ImplicitSystem<S> + ?Sized>(system: &F, mass: Option<&Pattern>) -> Self {
        match system.linear_solver() {
            LinearSolver::Gmres { preconditioner } => {
                Self::Krylov(Box::new(Krylov::new(system, mass, preconditioner)))
            }
            choice => Self::Factored(IterationMatrix::new(system.pattern(), mass, choice)),
        }
    }

    /// Whether [`NewtonMatrix::factor`] reads the Jacobian.
    pub fn takes_jacobian(&self) -> bool {
        match self {
            Self::Factored(_) => true,
            Self::Krylov(krylov) => krylov.takes_jacobian(),
        }
    }

    /// Whether it is solved by GMRES.
    #[inline]
    pub fn is_krylov(&self) -> bool {
        matches!(self, Self::Krylov(_))
    }

    /// Takes J, `jacobian(k)` its k-th non-zero, and the values of M, and factors W or its preconditioner.
    #[inline]
    pub fn factor<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        at: &Point<'_, S>,
        jacobian: impl Fn(usize) -> f64,
        mass: Option<&[f64]>,
        statistics: &mut Statistics,
    ) -> Result<(), Trial> {
        match self {
            Self::Factored(matrix) => {
                statistics.factorizations += 1;
                let regular = matrix.factor(at.shift, jacobian, mass);
                regular.then_some(()).ok_or(Trial::Singular)
            }
            Self::Krylov(krylov) => {
                statistics.factorizations += usize::from(krylov.is_preconditioned());
                krylov.refresh(system, at, jacobian, mass)
            }
        }
    }

    /// A step begins: where W is to be now. What is factored stays.
    #[inline]
    pub fn move_to(&mut self, at: &Point<'_, S>) {
        if let Self::Krylov(krylov) = self {
            krylov.move_to(at);
        }
    }

    /// The factor on corrections at `shift` where the matrix was factored at `old`.
    #[inline]
    pub fn relaxation(&self, shift: f64, old: f64) -> f64 {
        match self {
            Self::Factored(_) => 2.0 / (1.0 + shift / old),
            Self::Krylov(_) => 1.0,
        }
    }

    /// Solves W x = b in place: by factors all parts exactly, by GMRES the parts asked for. `false`: GMRES did
    /// not converge, and b is of no use.
    #[inline]
    #[must_use = "what did not converge is no solution"]
    pub fn solve<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        b: &mut [S],
        parts: Parts,
        statistics: &mut Statistics,
    ) -> bool {
        match self {
            Self::Factored(matrix) => {
                matrix.solve(b);
                true
            }
            Self::Krylov(krylov) => krylov.solve(system, b, parts, statistics),
        }
    }
}

/// The refusal of methods that need factors.
pub(crate) fn needs_factors<S: Scalar, F: ImplicitSystem<S> + ?Sized>(
    system: &F,
    method: &'static str,
) -> Result<(), SolveError> {
    match system.linear_solver() {
        LinearSolver::Gmres { .. } => Err(SolveError::NeedsFactors { method }),
        _ => Ok(()),
    }
}
