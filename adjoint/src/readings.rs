//! Cotangents of dense-output readings within one step, gathered into moments.
//!
//! Where the interpolant is `x + scale sum_i sum_m c_im theta^m v_i` (m = 1..D, stages `v_i`), a reading at theta with
//! cotangent `X` gives `scale sum_m c_im theta^m X` to stage i. So all readings of a step enter through
//! `M_m = sum theta^m X`, m = 0..D: D + 1 vector additions a reading, however many stages there are.

use costate_solvers::Scalar;
use costate_solvers::record::Place;

use crate::sweep::StepBars;

/// The moments of one step's readings of its dense output.
#[derive(Debug, Clone, Default)]
pub struct Readings<S = f64> {
    /// for each state, M_0, ..., M_D
    moments: Vec<S>,
    /// D + 1
    count: usize,
    /// theta and cotangent of each, where they are wanted one by one in place of the moments
    list: Option<(Vec<S>, Vec<S>)>,
    n: usize,
    any: bool,
}

/// Coefficients c_im of a dense output, a row a stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dense<'a> {
    pub weights: &'a [f64],
    pub degree: usize,
}

impl Dense<'_> {
    #[inline(always)]
    fn row(&self, stage: usize) -> &[f64] {
        &self.weights[stage * self.degree..][..self.degree]
    }
}

impl<S: Scalar> Readings<S> {
    /// Makes room for n states and polynomials of this degree, or a list.
    pub(crate) fn begin(&mut self, n: usize, degree: Option<usize>) {
        self.n = n;
        self.list = degree.is_none().then(Default::default);
        let degree = degree.unwrap_or(0);
        self.count = degree + 1;
        self.moments.resize(n * (degree + 1), S::from(0.0));
        self.any = false;
    }

    /// Takes the readings of one step, in place of those held.
    #[inline(always)]
    pub(crate) fn take(&mut self, samples: &[Place<S>], bars: &[S], degree: Option<usize>) {
        self.any = !samples.is_empty();
        if !self.any {
            return;
        }
        self.clear();
        for (sample, bar) in samples.iter().zip(bars.chunks_exact(self.n.max(1))) {
            self.add(sample.theta, bar, degree);
        }
    }

    fn clear(&mut self) {
        self.moments.fill(S::from(0.0));
        if let Some((thetas, bars)) = &mut self.list {
            thetas.clear();
            bars.clear();
        }
    }

    /// The readings in order of theta: theta, and the cotangent of the states there.
    pub(crate) fn one_by_one(&self) -> impl DoubleEndedIterator<Item = (S, &[S])> {
        let (thetas, bars) = match &self.list {
            Some((thetas, bars)) if self.any => (&thetas[..], &bars[..]),
            _ => (&[][..], &[][..]),
        };
        thetas.iter().copied().zip(bars.chunks_exact(self.n.max(1)))
    }

    /// The same, but readings at the step's end, which is not to move, are added to the cotangent there.
    #[inline(always)]
    pub(crate) fn take_inside(
        &mut self,
        samples: &[Place<S>],
        bars: &[S],
        end: &mut [S],
        degree: Option<usize>,
    ) {
        self.any = samples.iter().any(|sample| !is_one(sample.theta));
        if self.any {
            self.clear();
        }
        for (sample, bar) in samples.iter().zip(bars.chunks_exact(self.n.max(1))) {
            if is_one(sample.theta) {
                for (l, &b) in end.iter_mut().zip(bar) {
                    *l += b;
                }
            } else {
                self.add(sample.theta, bar, degree);
            }
        }
    }

    /// `degree` is the one that this began with, here a constant of the caller, so that loops over it are none.
    #[inline(always)]
    fn add(&mut self, theta: S, bar: &[S], degree: Option<usize>) {
        if let Some((thetas, bars)) = &mut self.list {
            thetas.push(theta);
            bars.extend_from_slice(bar);
            return;
        }
        let count = degree.unwrap_or(0) + 1;
        for (moments, &bar) in self.moments.chunks_exact_mut(count).zip(bar) {
            let mut power = S::from(1.0);
            for m in moments {
                *m += power * bar;
                power *= theta;
            }
        }
    }

    /// Whether the step was read from at all.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any
    }

    /// Adds what the readings give to each stage.
    #[inline(always)]
    pub(crate) fn add_to_stages(&self, dense: Dense<'_>, scale: S, stage_bars: &mut [S]) {
        let (n, count) = (self.n, dense.degree + 1);
        for (stage, bars) in stage_bars.chunks_exact_mut(n.max(1)).enumerate() {
            let weights = dense.row(stage);
            if weights.iter().all(|&w| w == 0.0) {
                continue;
            }
            for (bar, moments) in bars.iter_mut().zip(self.moments.chunks_exact(count)) {
                let mut sum = S::from(0.0);
                for (&w, &m) in weights.iter().zip(&moments[1..]) {
                    sum += m * w;
                }
                *bar += scale * sum;
            }
        }
    }

    /// Adds what the readings give to the states at the step's start.
    #[inline]
    pub(crate) fn add_to_start(&self, lambda: &mut [S]) {
        let count = self.count;
        for (l, moments) in lambda.iter_mut().zip(self.moments.chunks_exact(count)) {
            *l += moments[0];
        }
    }

    /// Adds what readings at fixed times owe to the step's start and size: theta = (t_s - t) / h moves by
    /// -dt/h - theta dh/h. Returns the derivative with respect to `scale`.
    pub(crate) fn add_to_times<'v>(
        &self,
        dense: Dense<'_>,
        (scale, h): (S, S),
        stage: impl Fn(usize) -> &'v [S],
        bars: &mut StepBars<S>,
    ) -> S {
        let count = dense.degree + 1;
        let mut scale_bar = S::from(0.0);
        for row in 0..dense.weights.len() / dense.degree {
            let (weights, v) = (dense.row(row), stage(row));
            for (m, &w) in (1..).zip(weights).filter(|(_, w)| **w != 0.0) {
                for (&v, moments) in v.iter().zip(self.moments.chunks_exact(count)) {
                    let rate = scale * m as f64 * w * v / h;
                    bars.t -= rate * moments[m - 1];
                    bars.h -= rate * moments[m];
                    scale_bar += moments[m] * w * v;
                }
            }
        }
        scale_bar
    }
}

/// Whether a fraction of a step is 1 and stays it.
#[inline(always)]
fn is_one<S: Scalar>(theta: S) -> bool {
    theta.value() == 1.0 && (1..S::WIDTH).all(|part| theta.part(part) == 0.0)
}
