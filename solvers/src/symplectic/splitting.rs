//! Kick and drift, and their symmetric compositions.
//!
//! For x = (q, p) with q' = f_q(t, p), p' = f_p(t, q) ([`super::separation`]) a substep of size g is
//!
//! ```text
//! kick    p += g/2 f_p(t, q)
//! drift   q += g f_q(t + g/2, p)
//! kick    p += g/2 f_p(t + g, q)
//! ```
//!
//! (Stormer-Verlet in velocity form): symplectic, symmetric, of order 2. Substeps of sizes w_1 h, ..., w_s h with
//! symmetric weights of sum 1 make a symmetric method of higher order; the kicks of neighboring substeps merge and
//! the last is the next step's first, so that s substeps cost s kicks and s drifts: 2 s evaluations of f, of which
//! each uses one part.
//!
//! Stages ([`Method::stages`]): f at the start and f at the end of the step, complete after [`Method::densify`]
//! only. Without it the momenta's part alone is kept from step to step, and so [`Method::slope`] is whole after
//! `restart` and after a step that was made dense.
//!
//! Sources: H. Yoshida, Construction of higher order symplectic integrators, Phys. Lett. A 150 (1990) 262-268,
//! doi 10.1016/0375-9601(90)90092-3; Hairer, Lubich & Wanner, Geometric Numerical Integration, II.5 and V.3,
//! doi 10.1007/3-540-30666-8.

use std::fmt::Debug;
use std::marker::PhantomData;

use super::{cubic, separation};
use crate::error::SolveError;
use crate::integrate::invalid;
use crate::method::{Method, Trial};
use crate::options::{Options, Statistics};
use crate::scalar::Scalar;
use crate::system::ImplicitSystem;

/// Sizes of the substeps that make a step.
pub trait Composition: Debug + Clone + Copy + Default + Send + Sync + 'static {
    /// Order of the composed method.
    const ORDER: u32;
    /// w_1, ..., w_s: symmetric, of sum 1.
    const WEIGHTS: &'static [f64];
}

/// Workspace of a splitting method for one system; see the module.
#[derive(Debug, Clone)]
pub struct Splitting<S, C> {
    n: usize,
    positions: Vec<usize>,
    momenta: Vec<usize>,
    /// f at the start and at the end
    stages: Vec<S>,
    slope: Vec<S>,
    /// the end of the last step is the start of the next
    carried: bool,
    /// whether the slopes' position parts are there, too
    start_whole: bool,
    end_whole: bool,
    composition: PhantomData<C>,
}

impl<S: Scalar, C: Composition, F: ImplicitSystem<S> + ?Sized> Method<S, F> for Splitting<S, C> {
    const ORDER: u32 = C::ORDER;
    const ERROR_ORDER: u32 = C::ORDER;
    const STAGES: usize = 2;
    const ADAPTIVE: bool = false;

    fn check(system: &F) -> Result<(), SolveError> {
        if system.mass().is_some() {
            return Err(invalid("splitting methods take no mass matrix"));
        }
        separation::positions(system.pattern()).map(|_| ())
    }

    fn new(system: &F) -> Self {
        let n = system.dim();
        // a system that does not split is refused by `check` before a step is made
        let is_position = separation::positions(system.pattern()).unwrap_or_else(|_| vec![true; n]);
        let zeros = vec![S::from(0.0); n];
        Self {
            n,
            positions: (0..n).filter(|&i| is_position[i]).collect(),
            momenta: (0..n).filter(|&i| !is_position[i]).collect(),
            stages: [zeros.clone(), zeros.clone()].concat(),
            slope: zeros,
            carried: false,
            start_whole: false,
            end_whole: false,
            composition: PhantomData,
        }
    }

    fn restart(&mut self, system: &mut F, t: S, x: &[S], statistics: &mut Statistics) {
        system.rhs(t, x, &mut self.stages[..self.n]);
        statistics.rhs_evaluations += 1;
        self.carried = false;
        self.start_whole = true;
    }

    fn slope(&self) -> &[S] {
        let stage = usize::from(self.carried);
        &self.stages[stage * self.n..][..self.n]
    }

    fn step(
        &mut self,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        x_new: &mut [S],
        _options: &Options,
        statistics: &mut Statistics,
    ) -> Trial {
        let n = self.n;
        let (start, end) = self.stages.split_at_mut(n);
        if self.carried {
            start.copy_from_slice(end);
            self.carried = false;
            self.start_whole = self.end_whole;
        }
        self.end_whole = false;
        x_new.copy_from_slice(x);
        let substeps = C::WEIGHTS.len();
        let weight = |k: usize| C::WEIGHTS.get(k).copied().unwrap_or(0.0);
        // fractions of the step that positions and momenta have gone
        let (mut drifted, mut kicked) = (0.0, 0.5 * weight(0));
        for &i in &self.momenta {
            x_new[i] += start[i] * (h * kicked);
        }
        for k in 0..substeps {
            system.rhs(t + h * kicked, x_new, &mut self.slope);
            for &i in &self.positions {
                x_new[i] += self.slope[i] * (h * weight(k));
            }
            drifted += weight(k);
            let last = k + 1 == substeps;
            let (time, slope) = if last {
                (t + h, &mut *end)
            } else {
                (t + h * drifted, &mut self.slope[..])
            };
            system.rhs(time, x_new, slope);
            let kick = 0.5 * (weight(k) + weight(k + 1));
            kicked += kick;
            for &i in &self.momenta {
                x_new[i] += slope[i] * (h * kick);
            }
        }
        statistics.rhs_evaluations += 2 * substeps;
        match x_new.iter().position(|v| !v.value().is_finite()) {
            Some(state) => Trial::NotFinite { state },
            None => Trial::Computed {
                error: 0.0,
                state: 0,
            },
        }
    }

    fn accept(&mut self, _system: &mut F, _t_new: S, _x_new: &[S], _statistics: &mut Statistics) {
        self.carried = true;
    }

    fn densify(
        &mut self,
        system: &mut F,
        t: S,
        h: S,
        x: &[S],
        x_new: &[S],
        statistics: &mut Statistics,
    ) {
        let (start, end) = self.stages.split_at_mut(self.n);
        if !self.start_whole {
            system.rhs(t, x, start);
            statistics.rhs_evaluations += 1;
            self.start_whole = true;
        }
        // at the very time of the last kick, whose part must come out the same to the last bit
        system.rhs(t + h, x_new, end);
        statistics.rhs_evaluations += 1;
        self.end_whole = true;
    }

    fn stages(&self) -> &[S] {
        &self.stages
    }

    fn interpolate(theta: S, h: S, x: &[S], x_new: &[S], stages: &[S], out: &mut [S]) {
        cubic(theta, h, x, x_new, stages, out);
    }
}
