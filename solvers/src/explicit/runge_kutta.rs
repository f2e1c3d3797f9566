//! One kernel for every explicit Runge-Kutta method: a method is its [`Tableau`].
//!
//! With stages `k_i` (n numbers each) and nodes, weights and a solution row of the tableau, a step is
//!
//! ```text
//! Y_i = x + h sum_{j<i} a_ij k_j      k_i = f(t + c_i h, Y_i)      i = 1, ..., END - 1
//! x_new = Y_END = x + h sum b_j k_j   k_END = f(t + h, x_new)      the next step's k_1
//! local error ~ h sum e_j k_j
//! ```
//!
//! where row END of A holds b. A method whose error estimate weighs `k_END` ("first same as last") evaluates
//! it in every tried step, the others only once the error test is passed. Rows past END are evaluated on
//! demand, for dense output alone: x(t + theta h) = x + h sum b_j(theta) k_j with polynomials b_j.
//!
//! Weights are constants of the type: a weight that is 0 costs nothing, not even in a sparse row of twenty,
//! and with the number of states a constant for small systems a step is straight code.
//!
//! Stages ([`Method::stages`]): all rows of A in order, n long each. Those past END are left as they are
//! unless [`Method::densify`] is called.
//!
//! The stiffness estimate is |h| ||k_p - k_q|| / ||Y_p - Y_q|| of two stages at the same node, so that the
//! quotient sees J alone (Hairer & Wanner, Solving Ordinary Differential Equations II, IV.2,
//! doi 10.1007/978-3-642-05221-7).

use std::fmt::Debug;
use std::marker::PhantomData;

use crate::control::{ErrorEstimate, error_norm_by, verdict};
use crate::method::{Method, Trial};
use crate::options::{Options, Statistics};
use crate::scalar::Scalar;
use crate::system::{ExplicitStages, System};

/// Coefficients of an explicit Runge-Kutta method; indices count from 0, so that row 0 is k_1.
pub trait Tableau: Debug + Clone + Copy + Default + Send + Sync + 'static {
    /// Order of the solution.
    const ORDER: u32;
    /// Order of the error estimate; `ORDER` for methods without one.
    const ERROR_ORDER: u32 = Self::ORDER;
    /// Order of the dense output.
    const DENSE_ORDER: u32;
    /// Nodes c_i, one a row of `A`.
    const C: &'static [f64];
    /// Weights a_ij; rows may be as short as their last non-zero, or padded.
    const A: &'static [&'static [f64]];
    /// The row of `A` that holds the weights b of the solution.
    const END: usize;
    /// Weights e_i of the error estimate, b + e being the embedded solution; empty for methods without one.
    /// It reaches to `END` where the estimate weighs f(t + h, x_new).
    const ERROR: &'static [f64] = &[];
    /// The error test multiplies the estimate by this, so that a step whose estimate is 1 makes an error of about 1: see
    /// [`crate::esdirk::Tableau::CAUTION`].
    const CAUTION: f64 = 1.0;
    /// Weights of a second, coarser estimate E' of low order; the error is then E^2 / sqrt(E^2 + E'^2 / 100).
    const COARSE_ERROR: &'static [f64] = &[];
    /// b_i(theta) = sum_m DENSE[i * DENSE_DEGREE + m] theta^(m + 1), one row of coefficients a row of `A`.
    const DENSE: &'static [f64];
    /// Degree of the polynomials b_i(theta), 2 at least.
    const DENSE_DEGREE: usize;
    /// Two stages at the same node, for the stiffness estimate.
    const TWINS: Option<(usize, usize)> = None;
    /// A little less than where the stability region leaves the negative real axis.
    const STABILITY_BOUND: f64 = f64::INFINITY;
}

/// Rows a tableau may have.
const MOST: usize = 26;

/// Calls `$callback!(0 1 2 ... 25)`: stage indices as literals, for code that must be unrolled.
macro_rules! for_stages {
    ($callback:ident) => {
        $callback!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25)
    };
}

/// Weights known at compile time.
trait Row {
    const ROW: &'static [f64];
}
/// Row `I` of A.
struct Stage<T, const I: usize>(PhantomData<T>);
/// b
struct Solution<T>(PhantomData<T>);
/// e
struct Fine<T>(PhantomData<T>);
/// the second error estimate
struct Coarse<T>(PhantomData<T>);

impl<T: Tableau, const I: usize> Row for Stage<T, I> {
    const ROW: &'static [f64] = if I < T::A.len() { T::A[I] } else { &[] };
}
impl<T: Tableau> Row for Solution<T> {
    const ROW: &'static [f64] = T::A[T::END];
}
impl<T: Tableau> Row for Fine<T> {
    const ROW: &'static [f64] = T::ERROR;
}
impl<T: Tableau> Row for Coarse<T> {
    const ROW: &'static [f64] = T::COARSE_ERROR;
}

const fn weight(row: &[f64], j: usize) -> f64 {
    if j < row.len() { row[j] } else { 0.0 }
}

const fn first_weight(row: &[f64]) -> usize {
    let mut j = 0;
    while j < row.len() && row[j] == 0.0 {
        j += 1;
    }
    j
}

const fn has_dense_weight<T: Tableau>(j: usize) -> bool {
    let mut m = 0;
    while m < T::DENSE_DEGREE {
        if weight(T::DENSE, j * T::DENSE_DEGREE + m) != 0.0 {
            return true;
        }
        m += 1;
    }
    false
}

/// A row past END, evaluated for dense output alone.
const fn is_extra<T: Tableau>(i: usize) -> bool {
    T::END < i && i < T::A.len()
}

/// The stages that row `R` weighs, n long each; the others empty.
#[inline(always)]
fn weighed<R: Row, S>(n: usize, stages: &[S]) -> [&[S]; MOST] {
    macro_rules! slices {
        ($($j:literal)*) => {
            [$(if const { weight(R::ROW, $j) != 0.0 } { &stages[$j * n..][..n] } else { &[] }),*]
        };
    }
    for_stages!(slices)
}

/// sum_j w_j k_j
#[inline(always)]
fn sum<R: Row, V: Scalar>(k: impl Fn(usize) -> V) -> V {
    let mut sum = V::from(0.0);
    macro_rules! terms {
        ($($j:literal)*) => {
            $(if const { weight(R::ROW, $j) != 0.0 } {
                let (w, k) = (const { weight(R::ROW, $j) }, k($j));
                sum = if const { first_weight(R::ROW) == $j } { k * w } else { sum.mul_add_f64(k, w) };
            })*
        };
    }
    for_stages!(terms);
    sum
}

/// out = x + h sum_j w_j k_j: states outermost, so that for two states as for two thousand it is straight
/// code without bounds checks.
#[inline(always)]
fn combine<R: Row, S: Scalar>(n: usize, stages: &[S], x: &[S], h: S, out: &mut [S]) {
    let k = weighed::<R, S>(n, stages);
    let (x, out) = (&x[..n], &mut out[..n]);
    for i in 0..n {
        out[i] = x[i] + sum::<R, S>(|j| k[j][i]) * h;
    }
}

/// h sum_j w_j k_j, the error that row `R` estimates. The tangents of h are no part of the error of a tangent: h is held.
struct Estimate<'a, R, S> {
    /// all stages, n long each: an array of slices would be written to memory in every step
    stages: &'a [S],
    n: usize,
    h: f64,
    caution: f64,
    row: PhantomData<R>,
}

impl<R: Row + Sync, S: Scalar> ErrorEstimate for Estimate<'_, R, S> {
    #[inline(always)]
    fn of(&self, i: usize, part: usize) -> f64 {
        let (stages, n) = (self.stages, self.n);
        let k = |j: usize| stages[j * n..][..n][i].part(part);
        sum::<R, f64>(k) * self.h * self.caution
    }

    #[inline(always)]
    fn write(&self, first: usize, part: usize, errors: &mut [f64]) {
        let n = errors.len();
        macro_rules! from_first {
            ($($j:literal)*) => {
                [$(if const { weight(R::ROW, $j) != 0.0 } {
                    &self.stages[$j * self.n + first..][..n]
                } else {
                    &[]
                }),*]
            };
        }
        let slopes: [&[S]; MOST] = for_stages!(from_first);
        for (i, error) in errors.iter_mut().enumerate() {
            *error = sum::<R, f64>(|j| slopes[j][i].part(part)) * self.h * self.caution;
        }
    }
}

/// Workspace of an explicit Runge-Kutta method for one system; see the module.
#[derive(Debug, Clone)]
pub struct RungeKutta<S, T> {
    n: usize,
    /// one n-vector a row of A
    stages: Vec<S>,
    /// argument of the stage being evaluated
    argument: Vec<S>,
    /// stage END belongs to the step just tried
    ended: bool,
    /// stage END of the last step is the k_1 of the next
    carried: bool,
    last_h: f64,
    tableau: PhantomData<T>,
}

impl<S: Scalar, T: Tableau> RungeKutta<S, T> {
    /// What a tried step evaluates: the slope at its end where the error estimate weighs it, or where there is none.
    const STAGES_AT_ONCE: ExplicitStages = ExplicitStages {
        c: T::C,
        a: T::A,
        end: T::END,
        last: T::ERROR.len() > T::END || T::ERROR.is_empty(),
    };

    /// A workspace for `n` states.
    pub fn with_dim(n: usize) -> Self {
        Self {
            n,
            stages: vec![S::from(0.0); T::A.len() * n],
            argument: vec![S::from(0.0); n],
            ended: false,
            carried: false,
            last_h: 0.0,
            tableau: PhantomData,
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the arguments of `Method::step` and the number of states"
    )]
    #[inline(always)]
    fn sized_step<F: System<S> + ?Sized>(
        &mut self,
        n: usize,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        x_new: &mut [S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Trial {
        let stages = &mut self.stages[..T::A.len() * n];
        let y = &mut self.argument[..n];
        let (x, x_new) = (&x[..n], &mut x_new[..n]);
        if self.carried {
            // the carried slope stays in place while the last step's stages may still be read
            stages.copy_within(T::END * n..(T::END + 1) * n, 0);
            self.carried = false;
        }
        macro_rules! evaluate {
            ($($i:literal)*) => {
                $(if const { $i > 0 && $i < T::END } {
                    let (before, rest) = stages.split_at_mut($i * n);
                    combine::<Stage<T, $i>, S>(n, before, x, h, y);
                    system.rhs(t + h * const { weight(T::C, $i) }, y, &mut rest[..n]);
                })*
            };
        }
        self.ended = Self::STAGES_AT_ONCE.last;
        let method = const { &Self::STAGES_AT_ONCE };
        if !system.explicit_stages(method, t, h, x, stages, x_new) {
            for_stages!(evaluate);
            combine::<Solution<T>, S>(n, stages, x, h, x_new);
            if self.ended {
                system.rhs(t + h, x_new, &mut stages[T::END * n..][..n]);
            }
        }
        statistics.rhs_evaluations += T::END - 1 + usize::from(self.ended);
        self.last_h = h.value();
        if const { T::ERROR.is_empty() } {
            let end = &stages[T::END * n..][..n];
            return match first_not_finite(x_new).or(first_not_finite(end)) {
                Some(state) => Trial::NotFinite { state },
                None => Trial::Computed {
                    error: 0.0,
                    state: 0,
                },
            };
        }
        let fine = Estimate::<Fine<T>, S> {
            stages,
            n,
            h: h.value(),
            caution: T::CAUTION,
            row: PhantomData,
        };
        let mut norm = error_norm_by(options, x, x_new, &fine, |count, of| {
            system.sum_over_blocks(count, of)
        });
        if const { !T::COARSE_ERROR.is_empty() } {
            let coarse = Estimate::<Coarse<T>, S> {
                stages,
                n,
                h: h.value(),
                caution: 1.0,
                row: PhantomData,
            };
            let coarse = error_norm_by(options, x, x_new, &coarse, |count, of| {
                system.sum_over_blocks(count, of)
            });
            norm = corrected(norm, coarse);
        }
        let trial = verdict(norm, options, x, x_new, &fine);
        match trial {
            // found here and not in `accept`, where a slope that is not finite would come too late
            Trial::Computed { error, .. } if error <= 1.0 && !self.ended => {
                self.ended = true;
                let end = &mut stages[T::END * n..][..n];
                system.rhs(t + h, x_new, end);
                statistics.rhs_evaluations += 1;
                match first_not_finite(end) {
                    Some(state) => Trial::NotFinite { state },
                    None => trial,
                }
            }
            trial => trial,
        }
    }
}

/// Steps of any number of states, on vectors as wide as the processor has them.
impl<S: Scalar, T: Tableau> RungeKutta<S, T> {
    #[expect(clippy::too_many_arguments, reason = "the arguments of `Method::step`")]
    fn any_step<F: System<S> + ?Sized>(
        &mut self,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        x_new: &mut [S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Trial {
        // dual numbers have enough numbers in each state
        #[cfg(target_arch = "x86_64")]
        if const { S::WIDTH == 1 } && std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has what the function is compiled for
            return unsafe { self.wide_step(system, t, h, x, x_new, options, statistics) };
        }
        self.sized_step(self.n, system, t, h, x, x_new, options, statistics)
    }

    /// The same operations, each rounded by itself: the same bits.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    #[expect(clippy::too_many_arguments, reason = "the arguments of `Method::step`")]
    fn wide_step<F: System<S> + ?Sized>(
        &mut self,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        x_new: &mut [S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Trial {
        self.sized_step(self.n, system, t, h, x, x_new, options, statistics)
    }
}

#[inline(always)]
fn first_not_finite<S: Scalar>(x: &[S]) -> Option<usize> {
    // one pass without branches first: 0 * infinity is NaN
    let sum: f64 = x.iter().map(|v| v.value() * 0.0).sum();
    if sum == 0.0 {
        return None;
    }
    x.iter().position(|v| !v.value().is_finite())
}

/// E^2 / sqrt(E^2 + E'^2 / 100).
#[inline(always)]
fn corrected(fine: f64, coarse: f64) -> f64 {
    let both = (fine * fine + 0.01 * coarse * coarse).sqrt();
    if !coarse.is_finite() {
        f64::INFINITY
    } else if both.is_finite() && both > 0.0 {
        fine * (fine / both)
    } else {
        // squares that overflow or vanish
        fine
    }
}

impl<S: Scalar, T: Tableau, F: System<S> + ?Sized> Method<S, F> for RungeKutta<S, T> {
    const ORDER: u32 = T::ORDER;
    const ERROR_ORDER: u32 = T::ERROR_ORDER;
    const STAGES: usize = T::A.len();
    const ADAPTIVE: bool = !T::ERROR.is_empty();
    const STABILITY_BOUND: f64 = T::STABILITY_BOUND;

    fn new(system: &F) -> Self {
        Self::with_dim(system.dim())
    }

    fn restart(&mut self, system: &mut F, t: S, x: &[S], statistics: &mut Statistics) {
        system.rhs(t, x, &mut self.stages[..self.n]);
        statistics.rhs_evaluations += 1;
        self.carried = false;
    }

    fn slope(&self) -> &[S] {
        let stage = if self.carried { T::END } else { 0 };
        &self.stages[stage * self.n..][..self.n]
    }

    #[inline]
    fn step(
        &mut self,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        x_new: &mut [S],
        options: &Options,
        statistics: &mut Statistics,
    ) -> Trial {
        // With n a constant the loops over states unroll: a step of a few plain states costs a quarter less.
        // Dual numbers have work enough inside each state.
        match if S::WIDTH == 1 { self.n } else { usize::MAX } {
            1 => self.sized_step(1, system, t, h, x, x_new, options, statistics),
            2 => self.sized_step(2, system, t, h, x, x_new, options, statistics),
            3 => self.sized_step(3, system, t, h, x, x_new, options, statistics),
            4 => self.sized_step(4, system, t, h, x, x_new, options, statistics),
            _ => self.any_step(system, t, h, x, x_new, options, statistics),
        }
    }

    #[inline]
    fn accept(&mut self, system: &mut F, t_new: S, x_new: &[S], statistics: &mut Statistics) {
        if !self.ended {
            // a step past its error test that is made all the same: a replay, or a step size imposed
            system.rhs(t_new, x_new, &mut self.stages[T::END * self.n..][..self.n]);
            statistics.rhs_evaluations += 1;
            self.ended = true;
        }
        self.carried = true;
    }

    fn densify(
        &mut self,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        _x_new: &[S],
        statistics: &mut Statistics,
    ) {
        let n = self.n;
        macro_rules! evaluate {
            ($($i:literal)*) => {
                $(if const { is_extra::<T>($i) } {
                    let (before, rest) = self.stages.split_at_mut($i * n);
                    combine::<Stage<T, $i>, S>(n, before, x, h, &mut self.argument);
                    system.rhs(t + h * const { weight(T::C, $i) }, &self.argument, &mut rest[..n]);
                })*
            };
        }
        for_stages!(evaluate);
        statistics.rhs_evaluations += T::A.len() - 1 - T::END;
    }

    fn stages(&self) -> &[S] {
        &self.stages
    }

    #[inline]
    fn interpolate(theta: S, h: S, x: &[S], _x_new: &[S], stages: &[S], out: &mut [S]) {
        let n = x.len();
        let out = &mut out[..n];
        macro_rules! combine_dense {
            ($($j:literal)*) => {
                let k: [&[S]; MOST] = [$(if const { has_dense_weight::<T>($j) } {
                    &stages[$j * n..][..n]
                } else {
                    &[]
                }),*];
                let w: [S; MOST] = [$(if const { has_dense_weight::<T>($j) } {
                    dense_weight::<T, S>($j, theta) * h
                } else {
                    S::from(0.0)
                }),*];
                for i in 0..n {
                    let mut sum = k[0][i] * w[0];
                    $(if const { $j > 0 && has_dense_weight::<T>($j) } {
                        sum += k[$j][i] * w[$j];
                    })*
                    out[i] = x[i] + sum;
                }
            };
        }
        for_stages!(combine_dense);
    }

    fn stiffness(&self) -> f64 {
        let Some((p, q)) = T::TWINS else { return 0.0 };
        let n = self.n;
        let (mut slopes, mut arguments) = (0.0, 0.0);
        for i in 0..n {
            let k = |j: usize| self.stages[j * n + i].value();
            let argument: f64 = (0..T::END)
                .map(|j| (weight(T::A[p], j) - weight(T::A[q], j)) * k(j))
                .sum();
            slopes += (k(p) - k(q)).powi(2);
            arguments += (argument * self.last_h).powi(2);
        }
        if arguments > 0.0 {
            self.last_h.abs() * (slopes / arguments).sqrt()
        } else {
            0.0
        }
    }
}

/// Weight b_j(theta) of stage `j` (from 0) in the dense output of `T`.
#[inline(always)]
pub fn dense_weight<T: Tableau, S: Scalar>(j: usize, theta: S) -> S {
    let row = |m: usize| T::DENSE[j * T::DENSE_DEGREE + m];
    // all but b_1 begin with theta^2
    let mut rest = S::from(row(T::DENSE_DEGREE - 1));
    for m in (1..T::DENSE_DEGREE - 1).rev() {
        rest = rest * theta + row(m);
    }
    let rest = theta * theta * rest;
    if row(0) == 0.0 {
        rest
    } else {
        theta * row(0) + rest
    }
}

/// Dense output by the cubic through both states with both slopes, as weights of the `R` stages k_1, ...,
/// k_END: with b the weights of the solution,
/// b_i(theta) = b_i (3 theta^2 - 2 theta^3), and theta (1 - theta)^2 more for k_1, theta^2 (theta - 1) for k_END.
pub const fn hermite<const R: usize>(b: &[f64]) -> [[f64; 3]; R] {
    let mut dense = [[0.0; 3]; R];
    let mut i = 0;
    while i < R {
        let b = weight(b, i);
        dense[i] = [0.0, 3.0 * b, -2.0 * b];
        i += 1;
    }
    dense[0][0] += 1.0;
    dense[0][1] -= 2.0;
    dense[0][2] += 1.0;
    dense[R - 1][1] -= 1.0;
    dense[R - 1][2] += 1.0;
    dense
}
