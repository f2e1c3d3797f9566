//! The matrices `shift M - J` of a sweep, remade where the solver made them, and what a mass matrix brings along.

use costate_solvers::consistent::Consistent;
use costate_solvers::{IterationMatrix, LinearSolver, Mass, Pattern, Preconditioner};

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

/// J, M and the factors of `shift M - J`, for solves with its transpose.
#[derive(Debug, Clone)]
pub(crate) struct Transposed {
    factors: IterationMatrix,
    pattern: Pattern,
    of_mass: Option<Pattern>,
    /// non-zeros of J, to be filled before it is factored
    pub(crate) jacobian: Vec<f64>,
    mass: Vec<f64>,
    shift: f64,
    right: Vec<f64>,
    product: Vec<f64>,
}

impl Transposed {
    pub(crate) fn new(pattern: Pattern, of_mass: Option<Pattern>, choice: LinearSolver) -> Self {
        let n = pattern.columns();
        Self {
            factors: IterationMatrix::new(&pattern, of_mass.as_ref(), choice),
            jacobian: vec![0.0; pattern.non_zeros()],
            mass: vec![0.0; of_mass.as_ref().map_or(0, Pattern::non_zeros)],
            shift: 0.0,
            right: vec![0.0; n],
            product: vec![0.0; n],
            pattern,
            of_mass,
        }
    }

    /// Factors; `mass` gives the non-zeros of M, `None` where it is the identity. `false`: singular.
    pub(crate) fn factor(&mut self, shift: f64, mass: Option<&[f64]>) -> bool {
        self.shift = shift;
        self.mass.copy_from_slice(mass.unwrap_or_default());
        let jacobian = &self.jacobian;
        self.factors.factor(shift, |k| jacobian[k], mass)
    }

    /// Solves in place.
    ///
    /// A sparse factorization keeps its pivots while they are tolerable, at the price of digits. Where the solver corrects
    /// its solutions anyway that does not matter; here one step of refinement brings them back.
    pub(crate) fn solve(&mut self, w: &mut [f64]) {
        if self.factors.kind() != LinearSolver::Sparse {
            self.factors.solve_transposed(w);
            return;
        }
        self.right.copy_from_slice(w);
        self.factors.solve_transposed(w);
        let product = &mut self.product;
        self.pattern.multiply_transposed(&self.jacobian, w, product);
        for (r, p) in self.right.iter_mut().zip(&*product) {
            *r += p;
        }
        match &self.of_mass {
            None => product.copy_from_slice(w),
            Some(pattern) => pattern.multiply_transposed(&self.mass, w, product),
        }
        for (r, p) in self.right.iter_mut().zip(&*product) {
            *r -= self.shift * p;
        }
        self.factors.solve_transposed(&mut self.right);
        for (w, r) in w.iter_mut().zip(&self.right) {
            *w += r;
        }
    }
}

/// The matrix of one system, remade where the solver made it.
#[derive(Debug, Clone, Default)]
pub(crate) struct StageMatrix {
    /// and the choice that it was made for
    made: Option<(Transposed, LinearSolver)>,
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
        if let Some((made, made_choice)) = &self.made
            && made.pattern == *pattern
            && made.of_mass.as_ref() == of_mass
            && *made_choice == choice
        {
            return Ok(false);
        }
        let matrix = Transposed::new(pattern.clone(), of_mass.cloned(), choice);
        self.made = Some((matrix, choice));
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
        let Some((matrix, _)) = &mut self.made else {
            return false;
        };
        system.jacobian(t, x, &mut matrix.jacobian);
        matrix.factor(shift, system.mass().map(|mass| &mass.values[..]))
    }

    /// Solves with the transpose, in place.
    pub(crate) fn solve_transposed(&mut self, w: &mut [f64]) {
        if let Some((matrix, _)) = &mut self.made {
            matrix.solve(w);
        }
    }
}

/// What a mass matrix M brings to a sweep: the cotangents of its entries, and starts that were made consistent with the
/// equations that it makes algebraic. Empty for a system without one.
#[derive(Debug, Clone, Default)]
pub(crate) struct MassSide {
    consistent: Option<Consistent<f64>>,
    bar: Vec<f64>,
    w: Vec<f64>,
}

impl MassSide {
    /// Makes it fit the system; `anew`: it may be another than the last.
    pub(crate) fn begin<F: AdjointImplicitSystem + ?Sized>(&mut self, system: &F, anew: bool) {
        let mass = system.mass();
        self.bar.clear();
        self.bar.resize(mass.map_or(0, |m| m.values.len()), 0.0);
        self.w.resize(system.dim(), 0.0);
        if anew {
            self.consistent = mass.map(|mass| Consistent::new(system.pattern(), mass));
        }
    }

    /// Whether the system has a mass matrix.
    pub(crate) fn is_there(&self) -> bool {
        self.consistent.is_some()
    }

    /// Adds `factor v w^T` to the cotangent of M.
    pub(crate) fn add_outer(&mut self, mass: &Mass<f64>, v: &[f64], w: &[f64], factor: f64) {
        mass.pattern.add_outer(v, w, factor, &mut self.bar);
    }

    /// Takes lambda from states that were made consistent to those before; returns what is owed to the time.
    pub(crate) fn uninitialize<F: AdjointImplicitSystem + ?Sized>(
        &mut self,
        system: &mut F,
        (t, x): (f64, &[f64]),
        lambda: &mut [f64],
        p_bar: &mut [f64],
    ) -> f64 {
        let Some(consistent) = &mut self.consistent else {
            return 0.0;
        };
        if !consistent.pull_back(system, (t, x), lambda, &mut self.w) {
            return 0.0;
        }
        system.vjp(t, x, &self.w, lambda, p_bar);
        system.time_vjp(t, x, &self.w)
    }

    /// Adds what the entries of M owe to the parameters.
    pub(crate) fn finish<F: AdjointImplicitSystem + ?Sized>(
        &self,
        system: &mut F,
        p_bar: &mut [f64],
    ) {
        if !self.bar.is_empty() {
            system.mass_vjp(&self.bar, p_bar);
        }
    }
}
