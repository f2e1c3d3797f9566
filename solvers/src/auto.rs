//! `auto`: an explicit method until the system turns stiff, a stiff one until it no longer is.
//!
//! The two are [`Tsit5`] and [`Rodas5P`], both of orders 5(4), so that step control goes on across a switch.
//!
//! * **To the stiff method** when stability and not accuracy limits the step. The explicit method estimates
//!   |h| |lambda| from two stages at one node (Hairer & Wanner, Solving Ordinary Differential Equations II, IV.2,
//!   doi 10.1007/978-3-642-05221-7). A step held back by stability makes the estimate saw between about half the
//!   stability bound and a little above it, so that a count of steps above the bound, Hairer's rule, can wait for
//!   ever (on Robertson's problem at rtol 1e-9 it lets 39,000 steps pass; the estimate's mean there is 0.86 of the
//!   bound). The running mean over some 20 steps tells: above 0.75 of the bound the system is called stiff.
//! * **And back** when the explicit method could take the same steps: |h| min(||J||_1, ||J||_inf), a bound of
//!   |h| |lambda|, has stayed below half the stability bound for 10 steps. (Comparing both ways is Petzold's idea,
//!   SIAM J. Sci. Stat. Comput. 4 (1983) 136-148, doi 10.1137/0904010.)
//!
//! Stages ([`Method::stages`]): those of the method that made the step, and one vector more whose first entry says
//! which it was (0 explicit, 1 stiff).

use crate::error::SolveError;
use crate::explicit::Tsit5;
use crate::method::{Method, Trial};
use crate::options::{Options, Statistics};
use crate::rosenbrock::Rodas5P;
use crate::scalar::Scalar;
use crate::system::{ImplicitSystem, System};

/// Weight of the newest step in the running mean of |h| |lambda|, and the share of the stability bound that calls
/// the system stiff.
const NEWEST: f64 = 0.05;
const STIFF_SHARE: f64 = 0.75;
/// Steps in a row that the explicit method could have taken.
const EASY_STEPS: u32 = 10;

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
    is_stiff: bool,
    /// running mean of |h| |lambda| over explicit steps
    mean: f64,
    easy_steps: u32,
    stages: Vec<S>,
    last_h: f64,
    /// sums of |J| by row
    row_sums: Vec<f64>,
    switches: Vec<Switch>,
}

/// Vectors of the stages of either method.
const INNER: usize = 8;

impl<S: Scalar> AutoSwitch<S> {
    fn switch(&mut self, t: S, step_times_eigenvalue: f64, statistics: &mut Statistics) {
        self.is_stiff = !self.is_stiff;
        (self.mean, self.easy_steps) = (0.0, 0);
        statistics.switches += 1;
        if self.switches.len() < self.switches.capacity() {
            self.switches.push(Switch {
                t: t.value(),
                to_stiff: self.is_stiff,
                step_times_eigenvalue,
            });
        }
    }

    /// min(||J||_1, ||J||_inf) of the Jacobian of the last stiff step.
    fn eigenvalue_bound(&mut self) -> f64 {
        let (pattern, jacobian) = self.stiff.jacobian();
        self.row_sums.fill(0.0);
        let mut by_column = 0.0_f64;
        for column in 0..pattern.columns() {
            let mut sum = 0.0;
            let range = pattern.starts[column]..pattern.starts[column + 1];
            for (&row, entry) in pattern.rows[range.clone()].iter().zip(&jacobian[range]) {
                let size = entry.value().abs();
                sum += size;
                self.row_sums[row] += size;
            }
            by_column = by_column.max(sum);
        }
        let by_row = self.row_sums.iter().fold(0.0_f64, |a, &b| a.max(b));
        by_column.min(by_row)
    }
}

impl<S: Scalar, F: ImplicitSystem<S> + ?Sized> Method<S, F> for AutoSwitch<S> {
    const ORDER: u32 = 5;
    const ERROR_ORDER: u32 = 4;
    const STAGES: usize = INNER + 1;

    fn check(system: &F) -> Result<(), SolveError> {
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
            is_stiff: false,
            mean: 0.0,
            easy_steps: 0,
            stages: vec![S::from(0.0); (INNER + 1) * n],
            last_h: 0.0,
            row_sums: vec![0.0; n],
            switches: Vec::with_capacity(1000),
        }
    }

    fn begin(&mut self) {
        self.is_stiff = false;
        (self.mean, self.easy_steps) = (0.0, 0);
        self.switches.clear();
    }

    fn switches(&self) -> &[Switch] {
        &self.switches
    }

    fn restart(&mut self, system: &mut F, t: S, x: &[S], statistics: &mut Statistics) {
        if self.is_stiff {
            self.stiff.restart(system, t, x, statistics);
        } else {
            self.explicit.restart(system, t, x, statistics);
        }
    }

    fn slope(&self) -> &[S] {
        if self.is_stiff {
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
        if self.is_stiff {
            self.stiff.step(system, t, h, x, x_new, options, statistics)
        } else {
            self.explicit
                .step(system, t, h, x, x_new, options, statistics)
        }
    }

    fn accept(&mut self, system: &mut F, t_new: S, x_new: &[S], statistics: &mut Statistics) {
        // the stages are those of the step just made, whichever method makes the next
        let flag = f64::from(u8::from(self.is_stiff));
        let (inner, last) = self.stages.split_at_mut(INNER * self.n);
        last.fill(S::from(flag));
        let bound = <Tsit5<S> as Method<S, F>>::STABILITY_BOUND;
        if self.is_stiff {
            inner.copy_from_slice(<Rodas5P<S> as Method<S, F>>::stages(&self.stiff));
            let product = self.last_h * self.eigenvalue_bound();
            self.easy_steps = if product < 0.5 * bound {
                self.easy_steps + 1
            } else {
                0
            };
            if self.easy_steps >= EASY_STEPS {
                self.switch(t_new, product, statistics);
                self.explicit.restart(system, t_new, x_new, statistics);
            } else {
                self.stiff.accept(system, t_new, x_new, statistics);
            }
            return;
        }
        let stages = <Tsit5<S> as Method<S, F>>::stages(&self.explicit);
        inner[..stages.len()].copy_from_slice(stages);
        let product = <Tsit5<S> as Method<S, F>>::stiffness(&self.explicit);
        // one wild estimate must not count for many steps
        self.mean += NEWEST * (product.min(2.0 * bound) - self.mean);
        if self.mean > STIFF_SHARE * bound {
            self.switch(t_new, self.mean, statistics);
            self.stiff.restart(system, t_new, x_new, statistics);
        } else {
            self.explicit.accept(system, t_new, x_new, statistics);
        }
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
