//! `auto`: an explicit method until the system turns stiff, a stiff one until it no longer is.
//!
//! The two are [`Tsit5`] and [`Rodas5P`], both of orders 5(4), so that step control goes on across a switch.
//!
//! * **To the stiff method** when stability and not accuracy limits the step: |h| |lambda| keeps near the stability
//!   bound. Two estimates of |lambda| are at hand. Two stages at one node cost nothing (Hairer & Wanner, Solving
//!   Ordinary Differential Equations II, IV.2, doi 10.1007/978-3-642-05221-7), but see what dominates the step's
//!   error: at strict tolerances that may be the smooth solution, for thousands of steps (on Robertson's problem at
//!   rtol 1e-9 they say 0.05 where |h| |lambda| is 2.6, for 30,000 steps). So a vector is kept beside the solution
//!   that one difference of f every 4 steps turns toward the dominant eigenvector, as the power method does
//!   (Sommeijer, Shampine & Verwer, J. Comput. Appl. Math. 88 (1998) 315-326, doi 10.1016/S0377-0427(97)00219-7):
//!   4 % more evaluations. The larger of the two, averaged over some 20 steps, above 0.85 of the bound calls the
//!   system stiff. (At tolerances near rounding the stiff terms of the error itself may hold |h| |lambda| to a third of
//!   the bound: there the method stays explicit, and who knows better asks for the stiff one.)
//! * **And back** when the explicit method could take the same steps: |h| min(||J||_1, ||J||_inf), a bound of
//!   |h| |lambda|, has stayed below half the stability bound for 10 steps. (Comparing both ways is Petzold's idea,
//!   SIAM J. Sci. Stat. Comput. 4 (1983) 136-148, doi 10.1137/0904010.)
//!
//! * **And back, too,** when its steps do not pay. On a large system a stiff step may cost as much as hundreds of explicit ones
//!   (an estimate from the numbers in J and in the factors says how many), and where accuracy holds it to less than
//!   so many times the step that stability allows, the explicit method is the faster one, stiff or not. A try costs some
//!   stiff steps: it waits for explicit steps of that cost, the next for four times as many, and so on.
//!
//! A mesh says by which method each step was made ([`Method::mode`]: [`EXPLICIT`], or [`STIFF`] and more), and a replay
//! keeps to it.
//!
//! Stages ([`Method::stages`]): those of the method that made the step, and one vector more whose first entry says
//! which it was: [`Method::mode`] less that of an explicit step.

use crate::error::SolveError;
use crate::explicit::Tsit5;
use crate::linalg::newton_matrix::needs_factors;
use crate::method::{Method, Trial};
use crate::options::{Options, Statistics};
use crate::rosenbrock::Rodas5P;
use crate::scalar::Scalar;
use crate::system::{ImplicitSystem, System};

/// Weight of the newest step in the running mean of |h| |lambda|, and the share of the stability bound that calls
/// the system stiff. At 0.75 the Lotka-Volterra oscillator at rtol 1e-3 would be called so (the mean comes to 2.5);
/// at 0.85 Robertson's problem at 1e-9 is after 900 steps.
const NEWEST: f64 = 0.05;
const STIFF_SHARE: f64 = 0.85;
/// Explicit steps from one difference of f in the direction of the dominant eigenvector to the next.
const PROBE_EVERY: u32 = 4;
/// Steps in a row that the explicit method could have taken.
const EASY_STEPS: u32 = 10;
/// Explicit steps that a stiff step must cost before it is asked whether it pays: below, other things count as much.
const DEAR: f64 = 8.0;
/// Steps in a row that did not pay.
const VAIN_STEPS: u32 = 2;
/// Growth of a step that may go on.
const GROWING: f64 = 1.5;
/// What a try in vain costs, in stiff steps: those it makes, and a first factorization that looks for pivots.
const TRY: f64 = 12.0;
/// Growth of the time between tries.
const PATIENCE: f64 = 4.0;

/// A change of method on the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Switch {
    /// when
    pub t: f64,
    /// to the stiff method, or back from it
    pub to_stiff: bool,
    /// the step size times the eigenvalue that decided
    pub step_times_eigenvalue: f64,
}

/// The two methods and which of them is at work.
#[derive(Debug, Clone)]
pub struct AutoSwitch<S> {
    n: usize,
    explicit: Tsit5<S>,
    stiff: Rodas5P<S>,
    judgement: Judgement,
    /// the judgement before the last step was accepted, and how many switches there had been
    saved: (Judgement, usize),
    /// in a replay: the code of the method to use
    prescribed: u8,
    /// perturbation toward the dominant eigenvector, of size 1 in units of the tolerance
    direction: Vec<f64>,
    perturbed: Vec<S>,
    perturbed_slope: Vec<S>,
    stages: Vec<S>,
    /// the mode of the last accepted step
    made: u8,
    last_h: f64,
    /// sums of |J| by row
    row_sums: Vec<f64>,
    switches: Vec<Switch>,
}

/// Which method is at work, and what speaks for the other.
#[derive(Debug, Clone, Copy, Default)]
struct Judgement {
    is_stiff: bool,
    /// running mean of |h| |lambda| over explicit steps
    mean: f64,
    /// |lambda| by the last difference of f, and explicit steps since
    eigenvalue: f64,
    since: u32,
    /// stiff steps in a row that the explicit method could have taken
    easy_steps: u32,
    /// size of the last explicit step, and the bound of |lambda| at the first stiff one
    stable_step: f64,
    stable_bound: f64,
    /// size of the last stiff step, and stiff steps in a row that did not pay
    stiff_step: f64,
    vain_steps: u32,
    /// explicit steps before stiffness counts again, and how many that was last
    patience: f64,
    last_patience: f64,
}

/// What a mesh calls a step of the explicit method.
pub const EXPLICIT: u8 = 1;
/// And one of the stiff method, to which that method's own [`Method::mode`] is added.
pub const STIFF: u8 = 2;

/// Vectors of the stages of either method.
const INNER: usize = 8;

impl<S: Scalar> AutoSwitch<S> {
    fn switch(&mut self, t: S, step_times_eigenvalue: f64, statistics: &mut Statistics) {
        self.judgement = Judgement {
            is_stiff: !self.judgement.is_stiff,
            // the direction is sought at once
            since: PROBE_EVERY,
            stable_step: self.last_h,
            last_patience: self.judgement.last_patience,
            ..Judgement::default()
        };
        statistics.switches += 1;
        if self.switches.len() < self.switches.capacity() {
            self.switches.push(Switch {
                t: t.value(),
                to_stiff: self.judgement.is_stiff,
                step_times_eigenvalue,
            });
        }
    }

    /// One step of the power method, v <- J v / |J v| by a difference of f at (t, x): |J v| is the new estimate of
    /// |lambda|. Sizes are in units of the tolerance, which leaves eigenvalues as they are; v starts as the slope.
    fn probe<F: ImplicitSystem<S> + ?Sized>(
        &mut self,
        system: &mut F,
        t: S,
        x: &[S],
        options: &Options,
        statistics: &mut Statistics,
    ) {
        // rounding spoils smaller differences
        let rtol = f64::max(options.rtol, f64::EPSILON.sqrt());
        let unit = |i: usize, x: f64| options.atol.of(i) + rtol * x.abs();
        let slope = <Tsit5<S> as Method<S, F>>::slope(&self.explicit);
        let normalize = |v: &mut [f64]| {
            let squares = v.iter().zip(x).enumerate().map(|(i, (v, x))| {
                let scaled = v / unit(i, x.value());
                if *v == 0.0 { 0.0 } else { scaled * scaled }
            });
            let norm = (squares.sum::<f64>() / v.len() as f64).sqrt();
            let usable = norm.is_finite() && norm > 0.0;
            for v in v.iter_mut() {
                *v = if usable { *v / norm } else { 0.0 };
            }
            usable.then_some(norm)
        };
        self.judgement.since = 0;
        if self.direction.iter().all(|v| *v == 0.0) {
            for (v, slope) in self.direction.iter_mut().zip(slope) {
                *v = slope.value();
            }
            normalize(&mut self.direction);
        }
        for ((p, x), v) in self.perturbed.iter_mut().zip(x).zip(&self.direction) {
            *p = *x + *v;
        }
        system.rhs(t, &self.perturbed, &mut self.perturbed_slope);
        statistics.rhs_evaluations += 1;
        let differences = self.perturbed_slope.iter().zip(slope);
        for (v, (perturbed, slope)) in self.direction.iter_mut().zip(differences) {
            *v = perturbed.value() - slope.value();
        }
        self.judgement.eigenvalue = normalize(&mut self.direction).unwrap_or(0.0);
    }

    /// min(||J||_1, ||J||_inf) of the Jacobian of the last stiff step.
    fn eigenvalue_bound(&mut self) -> f64 {
        let (pattern, jacobian) = self.stiff.jacobian();
        self.row_sums.fill(0.0);
        let mut by_column = 0.0_f64;
        for column in 0..pattern.columns() {
            let mut sum = 0.0;
            let range = pattern.starts[column]..pattern.starts[column + 1];
            for (&row, value) in pattern.rows[range.clone()].iter().zip(&jacobian[range]) {
                let size = value.value().abs();
                sum += size;
                self.row_sums[row] += size;
            }
            by_column = by_column.max(sum);
        }
        let by_row = self.row_sums.iter().fold(0.0_f64, |a, &b| a.max(b));
        by_column.min(by_row)
    }
}

impl<S: Scalar> AutoSwitch<S> {
    /// How many explicit steps a stiff one costs, about.
    fn cost_of_stiff_step(&self) -> f64 {
        let (pattern, _) = self.stiff.jacobian();
        let (n, entries) = (self.n as f64, pattern.non_zeros() as f64);
        let f = 4.0 * (entries + n);
        let [factor, solve] = self.stiff.costs();
        let stiff = 8.0 * f + 6.0 * entries + factor + 8.0 * (solve + 10.0 * n);
        stiff / (6.0 * f + 40.0 * n)
    }

    /// Whether stiff steps turn out not to pay: the last few, and none of them growing.
    fn in_vain(&mut self, bound: f64) -> bool {
        let size = self.last_h;
        let j = &mut self.judgement;
        if j.stiff_step == 0.0 {
            j.stable_bound = bound;
        }
        let grows = size > GROWING * j.stiff_step;
        j.stiff_step = size;
        let stable_step = j.stable_step * j.stable_bound / bound;
        let cost = self.cost_of_stiff_step();
        let j = &mut self.judgement;
        j.vain_steps = match cost > DEAR && size < cost * stable_step && !grows {
            true => j.vain_steps + 1,
            false => 0,
        };
        if j.vain_steps < VAIN_STEPS {
            return false;
        }
        j.last_patience *= PATIENCE;
        true
    }
}

impl<S: Scalar, F: ImplicitSystem<S> + ?Sized> Method<S, F> for AutoSwitch<S> {
    const ORDER: u32 = 5;
    const ERROR_ORDER: u32 = 4;
    const STAGES: usize = INNER + 1;

    fn check(system: &F) -> Result<(), SolveError> {
        needs_factors(system, "the stiff half of `auto`")?;
        match system.mass() {
            None => Ok(()),
            Some(_) => Err(SolveError::Invalid {
                what: "the explicit half of `auto` knows no mass matrix".to_owned(),
            }),
        }
    }

    fn new(system: &F) -> Self {
        let n = System::dim(system);
        Self {
            n,
            explicit: <Tsit5<S> as Method<S, F>>::new(system),
            stiff: <Rodas5P<S> as Method<S, F>>::new(system),
            judgement: Judgement::default(),
            saved: Default::default(),
            prescribed: 0,
            direction: vec![0.0; n],
            perturbed: vec![S::from(0.0); n],
            perturbed_slope: vec![S::from(0.0); n],
            stages: vec![S::from(0.0); (INNER + 1) * n],
            made: EXPLICIT,
            last_h: 0.0,
            row_sums: vec![0.0; n],
            switches: Vec::with_capacity(1000),
        }
    }

    fn begin(&mut self) {
        self.judgement = Judgement {
            since: PROBE_EVERY,
            ..Judgement::default()
        };
        self.prescribed = 0;
        self.direction.fill(0.0);
        self.switches.clear();
    }

    fn switches(&self) -> &[Switch] {
        &self.switches
    }

    fn restart(&mut self, system: &mut F, t: S, x: &[S], statistics: &mut Statistics) {
        if self.judgement.is_stiff {
            self.stiff.restart(system, t, x, statistics);
        } else {
            self.explicit.restart(system, t, x, statistics);
        }
    }

    fn save(&mut self) {
        self.saved = (self.judgement, self.switches.len());
    }

    fn retract(&mut self, system: &mut F, t: S, x: &[S], statistics: &mut Statistics) {
        let (judgement, switches) = self.saved;
        if judgement.is_stiff != self.judgement.is_stiff {
            statistics.switches -= 1;
            self.switches.truncate(switches);
        }
        self.judgement = judgement;
        self.restart(system, t, x, statistics);
    }

    fn mode(&self) -> u8 {
        self.made
    }

    fn prescribe(&mut self, mode: u8) {
        self.prescribed = mode;
    }

    fn slope(&self) -> &[S] {
        if self.judgement.is_stiff {
            <Rodas5P<S> as Method<S, F>>::slope(&self.stiff)
        } else {
            <Tsit5<S> as Method<S, F>>::slope(&self.explicit)
        }
    }

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
        self.last_h = h.value().abs();
        if self.prescribed != 0 && (self.prescribed >= STIFF) != self.judgement.is_stiff {
            self.switch(t, f64::NAN, statistics);
            self.restart(system, t, x, statistics);
        }
        let due = self.prescribed == 0 && self.judgement.since >= PROBE_EVERY;
        if due && !self.judgement.is_stiff {
            self.probe(system, t, x, options, statistics);
        }
        if self.judgement.is_stiff {
            self.stiff.step(system, t, h, x, x_new, options, statistics)
        } else {
            self.explicit
                .step(system, t, h, x, x_new, options, statistics)
        }
    }

    fn accept(&mut self, system: &mut F, t_new: S, x_new: &[S], statistics: &mut Statistics) {
        self.made = match self.judgement.is_stiff {
            false => EXPLICIT,
            true => STIFF + <Rodas5P<S> as Method<S, F>>::mode(&self.stiff),
        };
        let bound = <Tsit5<S> as Method<S, F>>::STABILITY_BOUND;
        if self.judgement.is_stiff {
            let eigenvalue = self.eigenvalue_bound();
            let product = self.last_h * eigenvalue;
            let vain = self.in_vain(eigenvalue);
            let easy_steps = &mut self.judgement.easy_steps;
            *easy_steps = if product < 0.5 * bound {
                *easy_steps + 1
            } else {
                0
            };
            if (*easy_steps >= EASY_STEPS || vain) && self.prescribed == 0 {
                self.switch(t_new, product, statistics);
                if vain {
                    self.judgement.patience = self.judgement.last_patience;
                }
                self.explicit.restart(system, t_new, x_new, statistics);
            } else {
                self.stiff.accept(system, t_new, x_new, statistics);
            }
            return;
        }
        let by_stages = <Tsit5<S> as Method<S, F>>::stiffness(&self.explicit);
        let judgement = &mut self.judgement;
        judgement.since += 1;
        judgement.patience -= 1.0;
        let product = f64::max(by_stages, self.last_h * judgement.eigenvalue);
        // a few wild estimates (bodies that meet) must not count for many steps
        judgement.mean += NEWEST * (product.min(1.1 * bound) - judgement.mean);
        let stiff = judgement.mean > STIFF_SHARE * bound && self.prescribed == 0;
        if stiff && judgement.last_patience == 0.0 {
            let cost = self.cost_of_stiff_step();
            let judgement = &mut self.judgement;
            judgement.last_patience = TRY * cost;
            judgement.patience = if cost > DEAR { TRY * cost } else { 0.0 };
        }
        let judgement = &mut self.judgement;
        if stiff && judgement.patience <= 0.0 {
            let mean = judgement.mean;
            self.switch(t_new, mean, statistics);
            self.stiff.restart(system, t_new, x_new, statistics);
        } else {
            self.explicit.accept(system, t_new, x_new, statistics);
        }
    }

    /// The stages of the step just made, whichever method makes the next.
    fn densify(&mut self, _: &mut F, _: S, _: S, _: &[S], _: &[S], _: &mut Statistics) {
        let stages = match self.made {
            EXPLICIT => <Tsit5<S> as Method<S, F>>::stages(&self.explicit),
            _ => <Rodas5P<S> as Method<S, F>>::stages(&self.stiff),
        };
        let (inner, last) = self.stages.split_at_mut(INNER * self.n);
        inner[..stages.len()].copy_from_slice(stages);
        last.fill(S::from(f64::from(self.made - EXPLICIT)));
    }

    fn stages(&self) -> &[S] {
        &self.stages
    }

    fn interpolate(theta: S, h: S, x: &[S], x_new: &[S], stages: &[S], out: &mut [S]) {
        let (inner, flag) = stages.split_at(INNER * x.len());
        if flag.first().is_some_and(|flag| flag.value() != 0.0) {
            <Rodas5P<S> as Method<S, F>>::interpolate(theta, h, x, x_new, inner, out);
        } else {
            <Tsit5<S> as Method<S, F>>::interpolate(theta, h, x, x_new, inner, out);
        }
    }
}
