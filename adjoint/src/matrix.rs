//! The matrices `shift M - J` of a sweep, remade where the solver made them, and what a mass matrix brings along.

use costate_solvers::consistent::Consistent;
use costate_solvers::scalar::depth;
use costate_solvers::{IterationMatrix, LinearSolver, Mass, Pattern, Preconditioner, Scalar};

use crate::sweep::AdjointError;
use crate::system::AdjointImplicitSystem;

/// Refuses a system that is solved by products with its Jacobian alone.
pub(crate) fn needs_jacobian<S: Scalar, F: AdjointImplicitSystem<S> + ?Sized>(
    system: &F,
) -> Result<(), AdjointError> {
    match system.linear_solver() {
        LinearSolver::Gmres {
            preconditioner: Preconditioner::None,
        } => Err(AdjointError::NoJacobian),
        _ => Ok(()),
    }
}

/// J, M and the factors of W = `shift M - J`, for solves with its transpose.
///
/// W_0, the values of W, is factored. A pass of refinement, `z <- z + W_0^-T (b - W^T z)`, multiplies the error of z by
/// `1 - W_0^-T W^T`: over dual numbers that is nilpotent, so that each pass makes one more order of derivatives exact
/// (one for dual numbers, two for duals over duals), as in the solver's own solves.
#[derive(Debug, Clone)]
pub(crate) struct Transposed<S = f64> {
    factors: IterationMatrix,
    pattern: Pattern,
    of_mass: Option<Pattern>,
    /// non-zeros of J, to be filled before it is factored
    pub(crate) jacobian: Vec<S>,
    mass: Vec<S>,
    /// the values of the latter
    mass_values: Vec<f64>,
    shift: S,
    /// b
    given: Vec<S>,
    right: Vec<S>,
    product: Vec<S>,
    /// passes of refinement
    passes: usize,
}

impl<S: Scalar> Transposed<S> {
    pub(crate) fn new(pattern: Pattern, of_mass: Option<Pattern>, choice: LinearSolver) -> Self {
        let factors = IterationMatrix::new(&pattern, of_mass.as_ref(), choice);
        let (n, zero) = (pattern.columns(), S::from(0.0));
        let entries = of_mass.as_ref().map_or(0, Pattern::non_zeros);
        // A sparse factorization keeps its pivots while they are tolerable, at the price of digits. Where the solver
        // corrects its solutions anyway that does not matter; here one more pass brings them back.
        let sparse = factors.kind() == LinearSolver::Sparse;
        Self {
            passes: depth::<S>() + usize::from(sparse),
            jacobian: vec![zero; pattern.non_zeros()],
            mass: vec![zero; entries],
            mass_values: vec![0.0; entries],
            shift: zero,
            given: vec![zero; n],
            right: vec![zero; n],
            product: vec![zero; n],
            factors,
            pattern,
            of_mass,
        }
    }

    /// Factors; `mass` gives the non-zeros of M, `None` where it is the identity. `false`: singular.
    pub(crate) fn factor(&mut self, shift: S, mass: Option<&[S]>) -> bool {
        self.shift = shift;
        self.mass.copy_from_slice(mass.unwrap_or_default());
        for (value, m) in self.mass_values.iter_mut().zip(&self.mass) {
            *value = m.value();
        }
        let (jacobian, shift) = (&self.jacobian, shift.value());
        let mass = mass.map(|_| &self.mass_values[..]);
        self.factors.factor(shift, |k| jacobian[k].value(), mass)
    }

    /// Solves in place.
    pub(crate) fn solve(&mut self, w: &mut [S]) {
        if self.passes == 0 {
            self.factors.solve_transposed(w);
            return;
        }
        self.given.copy_from_slice(w);
        self.factors.solve_transposed(w);
        for _ in 0..self.passes {
            let product = &mut self.product;
            self.pattern.multiply_transposed(&self.jacobian, w, product);
            let sums = self.given.iter().zip(&*product);
            for (r, (&given, &p)) in self.right.iter_mut().zip(sums) {
                *r = given + p;
            }
            match &self.of_mass {
                None => product.copy_from_slice(w),
                Some(pattern) => pattern.multiply_transposed(&self.mass, w, product),
            }
            for (r, &p) in self.right.iter_mut().zip(&*product) {
                *r -= self.shift * p;
            }
            self.factors.solve_transposed(&mut self.right);
            for (w, &r) in w.iter_mut().zip(&self.right) {
                *w += r;
            }
        }
    }
}

/// The matrix of one system, remade where the solver made it.
#[derive(Debug, Clone, Default)]
pub(crate) struct StageMatrix<S = f64> {
    /// and the choice that it was made for
    made: Option<(Transposed<S>, LinearSolver)>,
}

impl<S: Scalar> StageMatrix<S> {
    /// Makes it fit the system. `Ok(true)`: it is made anew.
    pub(crate) fn begin<F>(&mut self, system: &F) -> Result<bool, AdjointError>
    where
        F: AdjointImplicitSystem<S> + ?Sized,
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
    pub(crate) fn factor<F: AdjointImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        t: S,
        x: &[S],
        shift: S,
    ) -> bool {
        let Some((matrix, _)) = &mut self.made else {
            return false;
        };
        system.jacobian(t, x, &mut matrix.jacobian);
        matrix.factor(shift, system.mass().map(|mass| &mass.values[..]))
    }

    /// Solves with the transpose, in place.
    pub(crate) fn solve_transposed(&mut self, w: &mut [S]) {
        if let Some((matrix, _)) = &mut self.made {
            matrix.solve(w);
        }
    }
}

/// What a mass matrix M brings to a sweep: the cotangents of its entries, and starts that were made consistent with the
/// equations that it makes algebraic. Empty for a system without one.
#[derive(Debug, Clone, Default)]
pub(crate) struct MassSide<S = f64> {
    consistent: Option<Consistent<S>>,
    bar: Vec<S>,
    w: Vec<S>,
}

impl<S: Scalar> MassSide<S> {
    /// Makes it fit the system; `anew`: it may be another than the last.
    pub(crate) fn begin<F: AdjointImplicitSystem<S> + ?Sized>(&mut self, system: &F, anew: bool) {
        let mass = system.mass();
        self.bar.clear();
        let entries = mass.map_or(0, |m| m.values.len());
        self.bar.resize(entries, S::from(0.0));
        self.w.resize(system.dim(), S::from(0.0));
        if anew {
            self.consistent = mass.map(|mass| Consistent::new(system.pattern(), mass));
        }
    }

    /// Cotangents of the entries of M.
    pub(crate) fn bars(&mut self) -> &mut [S] {
        &mut self.bar
    }

    /// Whether the system has a mass matrix.
    pub(crate) fn is_there(&self) -> bool {
        self.consistent.is_some()
    }

    /// Adds `factor v w^T` to the cotangent of M.
    pub(crate) fn add_outer(&mut self, mass: &Mass<S>, v: &[S], w: &[S], factor: S) {
        mass.pattern.add_outer(v, w, factor, &mut self.bar);
    }

    /// Takes lambda from states that were made consistent to those before; returns what is owed to the time.
    pub(crate) fn uninitialize<F: AdjointImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        (t, x): (S, &[S]),
        lambda: &mut [S],
        p_bar: &mut [S],
    ) -> S {
        let Some(consistent) = &mut self.consistent else {
            return S::from(0.0);
        };
        if !consistent.pull_back(system, (t, x), lambda, &mut self.w) {
            return S::from(0.0);
        }
        system.vjp(t, x, &self.w, lambda, p_bar);
        system.time_vjp(t, x, &self.w)
    }

    /// Adds what the entries of M owe to the parameters.
    pub(crate) fn finish<F: AdjointImplicitSystem<S> + ?Sized>(
        &self,
        system: &mut F,
        p_bar: &mut [S],
    ) {
        if !self.bar.is_empty() {
            system.mass_vjp(&self.bar, p_bar);
        }
    }
}
