//! The matrix of a Newton iteration, W = shift M - J: factored, or known by its products.
//!
//! BDF, NDF and the ESDIRK methods, which correct their steps until they are solved, can use either: a
//! linear solve that is not exact costs a correction. Methods that take each solve for exact (Rosenbrock's),
//! that need complex matrices (Radau's) or conserve what only exact solves do (the implicit midpoint rule)
//! refuse GMRES (`SolveError::NeedsFactors`).
//!
//! A factored W serves for a while at another shift, which corrections by `2 / (1 + shift / old)` make up for;
//! GMRES has the right shift always, and only its preconditioner grows old.
//!
//! Measured with BDF on grids of N by N points, 2 N^2 unknowns, over one unit of time at rtol = 1e-6, atol = 1e-8
//! (seconds of a solve, steps, factorizations, iterations of GMRES, on one core; `none` multiplies by hand-written
//! code, the others by the sparse Jacobian; no solve by GMRES failed):
//!
//! | problem     |    N | linear solver |    s  | steps | fact. | iter.  |
//! |-------------|------|---------------|-------|-------|-------|--------|
//! | heat        |   32 | sparse        |  0.03 |   168 |    21 |      0 |
//! | heat        |   32 | gmres, ilu    |  0.02 |   172 |    21 |    339 |
//! | heat        |   32 | gmres, blocks |  0.03 |   183 |    22 |    905 |
//! | heat        |   32 | gmres, none   |  0.02 |   179 |     0 |    853 |
//! | heat        |   64 | sparse        |  0.27 |   179 |    24 |      0 |
//! | heat        |   64 | gmres, ilu    |  0.12 |   188 |    25 |    585 |
//! | heat        |   64 | gmres, blocks |  0.27 |   209 |    24 |   1819 |
//! | heat        |   64 | gmres, none   |  0.18 |   206 |     0 |   1724 |
//! | heat        |  128 | sparse        |  2.68 |   197 |    27 |      0 |
//! | heat        |  128 | gmres, ilu    |  0.84 |   209 |    26 |   1125 |
//! | heat        |  128 | gmres, blocks |  2.25 |   228 |    27 |   3569 |
//! | heat        |  128 | gmres, none   |  1.60 |   225 |     0 |   3450 |
//! | Brusselator |   32 | sparse        |  0.02 |    84 |    12 |      0 |
//! | Brusselator |   32 | gmres, ilu    |  0.01 |    82 |    11 |     84 |
//! | Brusselator |   64 | sparse        |  0.16 |    95 |    14 |      0 |
//! | Brusselator |   64 | gmres, ilu    |  0.04 |    97 |    16 |    121 |
//! | Brusselator |   64 | gmres, none   |  0.03 |   102 |     0 |    252 |
//! | Brusselator |  128 | sparse        |  1.86 |   114 |    16 |      0 |
//! | Brusselator |  128 | gmres, ilu    |  0.22 |   112 |    17 |    190 |
//! | Brusselator |  128 | gmres, blocks |  0.32 |   123 |    14 |    486 |
//! | Brusselator |  128 | gmres, none   |  0.19 |   121 |     0 |    482 |
//!
//! On waves, convection, a biharmonic operator and a network of reactions at random (8192 unknowns each; the biharmonic
//! 4096) ILU(0) held, too: 2 to 200 times faster by BDF than sparse factors, 1.1 to 4 times by KenCarp4 (no network), without a failure. So
//! [`LinearSolver::Auto`] is GMRES with ILU(0) from 8000 states on, where the factors would hold more than six
//! times the numbers of W and M is the identity. Over dual numbers each direction is solved for by itself: with one,
//! GMRES with ILU(0) took a third to a half of the time of sparse factors at N = 64 and as much at N = 32; with many
//! directions sparse factors can be the faster choice.

use super::krylov::{Krylov, Parts, Point};
use super::{IterationMatrix, LinearSolver, Preconditioner};
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
            choice => {
                let factored = IterationMatrix::new(system.pattern(), mass, choice);
                if choice == LinearSolver::Auto && mass.is_none() && factored.fills_up() {
                    Self::Krylov(Box::new(Krylov::new(system, mass, Preconditioner::Ilu)))
                } else {
                    Self::Factored(factored)
                }
            }
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

    /// The factor on corrections where shift is `ratio` times that of the factored matrix.
    #[inline]
    pub fn relaxation(&self, ratio: f64) -> f64 {
        match self {
            Self::Factored(_) => 2.0 / (1.0 + ratio),
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
