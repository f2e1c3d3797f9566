//! W x = b with W = shift M - J by products alone: GMRES in the norm of the error test.
//!
//! What matters of a residual r is the error W^-1 r that it leaves in x, measured by the weights w_i = 1 /
//! (atol_i + rtol |x_i|). Where M is the identity and J damps, |W^-1| <= 1 / shift, so r_i w_i / shift bounds
//! it. So the system is scaled to
//!
//! ```text
//! (R W D^-1) (D x) = R b,     D_j = w_j / sqrt(n),     R_i = 1 / (sqrt(n) (shift m_i + PHI s_i))
//! m_i = sum_j |M_ij| / w_j,   s_i = sqrt(sum_j (J_ij / w_j)^2)
//! ```
//!
//! and |R (b - W x)| is held below a fraction of what the nonlinear iteration may leave. The small term
//! PHI s_i limits a row's stiffness to 1 / PHI: beyond it the residual would be asked for less than its rounding.
//! A row without M, an algebraic equation, has R_i = 1 / (sqrt(n) STRICT s_i) with a sum over the algebraic states
//! alone (the columns without M), which it determines. s_i comes from the Jacobian, or where there is only its
//! product from two of those, with random signs.
//!
//! shift is always the current one, and J, where the system multiplies by it itself, that of the newest point:
//! what grows old is the preconditioner. One that cannot be factored, as ILU(0) may meet a pivot 0 in a matrix that is
//! regular, is done without until the next.
//!
//! The scaling and the tolerance: P. N. Brown and A. C. Hindmarsh, Reduced storage matrix methods in stiff ODE
//! systems, Appl. Math. Comput. 31 (1989) 40-91, doi 10.1016/0096-3003(89)90110-0 (as in CVODE); the estimate of
//! s_i: a row of J times random signs has the mean square s_i^2.

use super::gmres::norm;
use super::iteration_matrix::{diagonal, place, unite};
use super::{BlockJacobi, Gmres, GmresOptions, Ilu0, Over, Preconditioner};
use crate::method::Trial;
use crate::options::Statistics;
use crate::scalar::Scalar;
use crate::system::{ImplicitSystem, Pattern};

/// Iterations between restarts: vectors of n numbers that are kept.
const RESTART: usize = 30;
/// Iterations after which a solve has failed.
const MOST: usize = 150;
/// One over the stiffness up to which a row's residual is held below the tolerance times shift.
const PHI: f64 = 1e-8;
/// Strictness with algebraic equations: the inverse of their part of J may be that much larger than 1 / s_i.
const STRICT: f64 = 1e-3;
/// Accuracy of tangents, which are corrected until they settle.
const TANGENTS: f64 = 1e-5;
/// Part of the absolute tolerance below which nothing is worth an iteration.
const NOTHING: f64 = 1e-10;

/// Where W is, and how errors of x are measured there.
#[derive(Debug, Clone, Copy)]
pub struct Point<'a, S> {
    /// shift, not 0
    pub shift: f64,
    /// time of J
    pub t: S,
    /// states of J
    pub x: &'a [S],
    /// a number a state: 1 / tolerance
    pub weights: &'a [f64],
}

/// Largest residual left, in the weighted norm: the smaller of the two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accuracy {
    /// in units of the tolerance
    pub absolute: f64,
    /// relative to the right-hand side
    pub relative: f64,
}

/// Which numbers of dual right-hand sides to solve for; the others become 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Parts {
    /// the value
    Values(Accuracy),
    /// the tangents, to five digits of the largest
    Tangents,
    /// both
    All(Accuracy),
}

#[derive(Debug, Clone)]
enum Factors {
    None,
    Ilu(Ilu0),
    Blocks(BlockJacobi),
}

/// The operator W, its preconditioner and the workspace of GMRES; see the module.
#[derive(Debug, Clone)]
pub struct Krylov<S> {
    gmres: Gmres,
    factors: Factors,
    /// the factors are there to be used
    factored: bool,
    /// the preconditioned matrix, empty where there is none
    entries: Vec<f64>,
    /// where the non-zeros of J and M (or of the identity) go in it
    jacobian_places: Vec<usize>,
    mass_places: Vec<usize>,
    /// the system's product with J is used; else the values at the last refresh
    own_product: bool,
    pattern: Pattern,
    jacobian: Vec<f64>,
    mass: Option<(Pattern, Vec<f64>)>,
    /// equations and states without M, none where there are not both
    algebraic: Option<(Vec<bool>, Vec<bool>)>,
    shift: f64,
    t: S,
    x: Vec<S>,
    /// s_i
    stiffness: Vec<f64>,
    /// 1 / D and R
    columns: Vec<f64>,
    rows: Vec<f64>,
    right: Vec<f64>,
    solution: Vec<f64>,
    unscaled: Vec<f64>,
    product: Vec<f64>,
    direction: Vec<S>,
    image: Vec<S>,
}

impl<S: Scalar> Krylov<S> {
    /// Room for the system's W, with its mass matrix of the given pattern.
    pub fn new<F: ImplicitSystem<S> + ?Sized>(
        system: &F,
        mass: Option<&Pattern>,
        preconditioner: Preconditioner,
    ) -> Self {
        let n = system.dim();
        let pattern = system.pattern().clone();
        let own_product = system.has_jvp();
        let identity = diagonal(n);
        let with_mass = mass.unwrap_or(&identity);
        let union = unite(&unite(&pattern, with_mass), &identity);
        let factors = match preconditioner {
            Preconditioner::None => Factors::None,
            Preconditioner::Ilu => Ilu0::new(&union).map_or(Factors::None, Factors::Ilu),
            Preconditioner::BlockJacobi { size } => Factors::Blocks(BlockJacobi::new(&union, size)),
        };
        let preconditioned = !matches!(factors, Factors::None);
        let places = |part: &Pattern| {
            let mut places = Vec::new();
            for column in 0..if preconditioned { n } else { 0 } {
                for &row in &part.rows[part.starts[column]..part.starts[column + 1]] {
                    places.push(place(&union, row, column));
                }
            }
            places
        };
        let duals = if own_product { n } else { 0 };
        Self {
            gmres: Gmres::new(n, RESTART),
            factored: false,
            entries: vec![0.0; if preconditioned { union.non_zeros() } else { 0 }],
            jacobian_places: places(&pattern),
            mass_places: places(with_mass),
            factors,
            own_product,
            jacobian: vec![0.0; if own_product { 0 } else { pattern.non_zeros() }],
            pattern,
            mass: mass.map(|mass| (mass.clone(), vec![0.0; mass.non_zeros()])),
            algebraic: mass.and_then(algebraic),
            shift: 1.0,
            t: S::from(0.0),
            x: vec![S::from(0.0); duals],
            stiffness: vec![0.0; n],
            columns: vec![1.0; n],
            rows: vec![1.0; n],
            right: vec![0.0; n],
            solution: vec![0.0; n],
            unscaled: vec![0.0; n],
            product: vec![0.0; n],
            direction: vec![S::from(0.0); duals],
            image: vec![S::from(0.0); duals],
        }
    }

    /// Whether [`Krylov::refresh`] reads the Jacobian.
    pub fn takes_jacobian(&self) -> bool {
        !self.own_product || !matches!(self.factors, Factors::None)
    }

    /// Whether [`Krylov::refresh`] factors a preconditioner.
    pub fn is_preconditioned(&self) -> bool {
        !matches!(self.factors, Factors::None)
    }

    /// Takes a new J, `jacobian(k)` its k-th non-zero, and the values of M, and factors the preconditioner. Where that
    /// fails solves go on without.
    pub fn refresh<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        at: &Point<'_, S>,
        jacobian: impl Fn(usize) -> f64,
        mass: Option<&[f64]>,
    ) -> Result<(), Trial> {
        if let (Some((_, to)), Some(from)) = (&mut self.mass, mass) {
            for (to, from) in to.iter_mut().zip(from) {
                *to = *from;
            }
        }
        for (k, to) in self.jacobian.iter_mut().enumerate() {
            *to = jacobian(k);
        }
        self.move_to(at);
        self.measure(system, at.weights, &jacobian);
        if let Some(state) = self.stiffness.iter().position(|s| !s.is_finite()) {
            return Err(Trial::NotFinite { state });
        }
        self.move_to(at);
        self.entries.fill(0.0);
        for (k, &place) in self.jacobian_places.iter().enumerate() {
            self.entries[place] = -jacobian(k);
        }
        for (k, &place) in self.mass_places.iter().enumerate() {
            let m = self.mass.as_ref().map_or(1.0, |(_, values)| values[k]);
            self.entries[place] += self.shift * m;
        }
        self.factored = match &mut self.factors {
            Factors::None => false,
            Factors::Ilu(ilu) => ilu.factor(&self.entries),
            Factors::Blocks(blocks) => blocks.factor(&self.entries),
        };
        Ok(())
    }

    /// Computes or estimates s_i.
    fn measure<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        weights: &[f64],
        jacobian: &impl Fn(usize) -> f64,
    ) {
        self.stiffness.fill(0.0);
        if self.takes_jacobian() {
            let columns = self.pattern.starts.windows(2).zip(weights);
            for (j, (column, w)) in columns.enumerate() {
                for k in column[0]..column[1] {
                    let row = self.pattern.rows[k];
                    let counts = match &self.algebraic {
                        Some((equations, states)) => !equations[row] || states[j],
                        None => true,
                    };
                    if counts {
                        let share = jacobian(k) / w;
                        self.stiffness[row] += share * share;
                    }
                }
            }
        } else {
            // signs from a linear congruential generator (Knuth's MMIX)
            let mut state: u64 = 1;
            for probe in 0..if self.algebraic.is_some() { 4 } else { 2 } {
                // all states for the equations with M, the algebraic ones for the others
                let for_algebraic = probe >= 2;
                for (j, (v, w)) in self.direction.iter_mut().zip(weights).enumerate() {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    let sign = if state >> 63 == 0 { 1.0 } else { -1.0 };
                    let taken = match &self.algebraic {
                        Some((_, states)) if for_algebraic => states[j],
                        _ => true,
                    };
                    *v = S::from(if taken { sign / w } else { 0.0 });
                }
                system.jvp(self.t, &self.x, &self.direction, &mut self.image);
                for (i, (s, product)) in self.stiffness.iter_mut().zip(&self.image).enumerate() {
                    let equations = self.algebraic.as_ref().map(|(equations, _)| equations[i]);
                    if equations.unwrap_or(false) == for_algebraic {
                        *s += 0.5 * product.value() * product.value();
                    }
                }
            }
        }
        for s in &mut self.stiffness {
            *s = s.sqrt();
        }
    }

    /// Takes another shift, other weights and, where the system multiplies itself, another point.
    pub fn move_to(&mut self, at: &Point<'_, S>) {
        self.shift = at.shift;
        if self.own_product {
            self.t = at.t;
            self.x.copy_from_slice(at.x);
        }
        let root = (self.columns.len().max(1) as f64).sqrt();
        for (column, w) in self.columns.iter_mut().zip(at.weights) {
            *column = root / w;
        }
        match &self.mass {
            None => {
                for (row, w) in self.rows.iter_mut().zip(at.weights) {
                    *row = 1.0 / w;
                }
            }
            Some((pattern, values)) => {
                self.rows.fill(0.0);
                for (column, w) in pattern.starts.windows(2).zip(at.weights) {
                    let column = column[0]..column[1];
                    for (&row, m) in pattern.rows[column.clone()].iter().zip(&values[column]) {
                        self.rows[row] += m.abs() / w;
                    }
                }
            }
        }
        for (row, s) in self.rows.iter_mut().zip(&self.stiffness) {
            let size = if *row == 0.0 {
                STRICT * s
            } else {
                self.shift.abs() * *row + PHI * s
            };
            *row = 1.0 / (root * size);
            if !row.is_finite() {
                // an equation of zeros: GMRES will not solve it
                *row = 1.0;
            }
        }
    }

    /// Solves W x = b in place. `false`: GMRES did not converge, and b is of no use.
    #[must_use = "what did not converge is no solution"]
    pub fn solve<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        b: &mut [S],
        parts: Parts,
        statistics: &mut Statistics,
    ) -> bool {
        let tangents = Accuracy {
            absolute: f64::INFINITY,
            relative: TANGENTS,
        };
        (0..S::WIDTH).all(|part| {
            let accuracy = match (part, parts) {
                (0, Parts::Values(accuracy) | Parts::All(accuracy)) => accuracy,
                (1.., Parts::Tangents | Parts::All(_)) => tangents,
                _ => {
                    for b in b.iter_mut() {
                        *b = b.with_component(part, 0.0);
                    }
                    return true;
                }
            };
            self.solve_part(system, b, part, accuracy, statistics)
        })
    }

    fn solve_part<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        b: &mut [S],
        part: usize,
        accuracy: Accuracy,
        statistics: &mut Statistics,
    ) -> bool {
        for ((right, row), b) in self.right.iter_mut().zip(&self.rows).zip(b.iter()) {
            *right = row * b.part(part);
        }
        let size = norm(&self.right);
        if !size.is_finite() {
            // left to whoever looks for what is not finite
            return true;
        }
        let mut tolerance = f64::min(accuracy.absolute, accuracy.relative * size);
        if accuracy.absolute.is_finite() {
            tolerance = tolerance.max(NOTHING * accuracy.absolute);
        }
        let Self {
            gmres,
            factors,
            factored,
            own_product,
            pattern,
            jacobian,
            mass,
            shift,
            t,
            x,
            columns,
            rows,
            right,
            solution,
            unscaled,
            product,
            direction,
            image,
            ..
        } = self;
        solution.fill(0.0);
        let apply = |y: &[f64], out: &mut [f64]| {
            for ((v, y), column) in unscaled.iter_mut().zip(y).zip(columns.iter()) {
                *v = y * column;
            }
            match mass {
                None => out.copy_from_slice(unscaled),
                Some((pattern, values)) => pattern.multiply(values, unscaled, out),
            }
            if *own_product {
                for (v, &u) in direction.iter_mut().zip(unscaled.iter()) {
                    *v = S::from(u);
                }
                system.jvp(*t, x, direction, image);
                for (product, image) in product.iter_mut().zip(image.iter()) {
                    *product = image.value();
                }
            } else {
                pattern.multiply(jacobian, unscaled, product);
            }
            for ((out, product), row) in out.iter_mut().zip(product.iter()).zip(rows.iter()) {
                *out = (*shift * *out - product) * row;
            }
        };
        let precondition = |r: &[f64], out: &mut [f64]| {
            if !*factored {
                out.copy_from_slice(r);
                return;
            }
            for ((out, r), row) in out.iter_mut().zip(r).zip(rows.iter()) {
                *out = r / row;
            }
            match factors {
                Factors::None => {}
                Factors::Ilu(ilu) => ilu.solve(out),
                Factors::Blocks(blocks) => blocks.solve(out),
            }
            for (out, column) in out.iter_mut().zip(columns.iter()) {
                *out /= column;
            }
        };
        let options = GmresOptions {
            relative: 0.0,
            absolute: tolerance,
            max_iterations: MOST,
        };
        let outcome = gmres.solve(apply, precondition, right, solution, &options);
        statistics.linear_iterations += outcome.iterations;
        for ((b, y), column) in b.iter_mut().zip(solution.iter()).zip(columns.iter()) {
            *b = b.with_component(part, y * column);
        }
        outcome.converged
    }
}

/// The empty rows and the empty columns of M, where there are both.
fn algebraic(mass: &Pattern) -> Option<(Vec<bool>, Vec<bool>)> {
    let mut equations = vec![true; mass.height];
    for &row in &mass.rows {
        equations[row] = false;
    }
    let states: Vec<bool> = mass.starts.windows(2).map(|c| c[0] == c[1]).collect();
    (equations.contains(&true) && states.contains(&true)).then_some((equations, states))
}
