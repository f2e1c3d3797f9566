//! Cotangents of dense-output readings within one step, gathered into moments.
//!
//! Where the interpolant is `x + scale sum_i sum_m c_im theta^m v_i` (m = 1..4, stages `v_i`), a reading at theta with
//! cotangent `X` gives `scale sum_m c_im theta^m X` to stage i. So all readings of a step enter through
//! `M_m = sum theta^m X`, m = 0..4: five vector additions a reading, however many stages there are.

use costate_solvers::record::Place;

use crate::sweep::StepBars;

/// Degree of the interpolants.
pub(crate) const DEGREE: usize = 4;

/// The moments of one step's readings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readings {
    n: usize,
    moments: Vec<f64>,
    any: bool,
}

impl Readings {
    /// Makes room for n states.
    pub(crate) fn begin(&mut self, n: usize) {
        self.n = n;
        self.moments.resize((DEGREE + 1) * n, 0.0);
    }

    /// Takes the readings of one step, in place of those held.
    #[inline]
    pub(crate) fn take(&mut self, samples: &[Place], bars: &[f64]) {
        self.any = !samples.is_empty();
        if !self.any {
            return;
        }
        self.moments.fill(0.0);
        let n = self.n.max(1);
        for (sample, bar) in samples.iter().zip(bars.chunks_exact(n)) {
            let mut power = 1.0;
            for moment in self.moments.chunks_exact_mut(n) {
                for (m, b) in moment.iter_mut().zip(bar) {
                    *m += power * b;
                }
                power *= sample.theta;
            }
        }
    }

    /// Whether the step was read from at all.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any
    }

    /// Adds what the readings give to each stage.
    pub(crate) fn add_to_stages(
        &self,
        weights: &[[f64; DEGREE]],
        scale: f64,
        stage_bars: &mut [f64],
    ) {
        let n = self.n;
        for (bars, weights) in stage_bars.chunks_exact_mut(n.max(1)).zip(weights) {
            for (d, bar) in bars.iter_mut().enumerate() {
                let mut sum = 0.0;
                for (m, c) in weights.iter().enumerate() {
                    sum += c * self.moments[(m + 1) * n + d];
                }
                *bar += scale * sum;
            }
        }
    }

    /// Adds what the readings give to the states at the step's start.
    #[inline]
    pub(crate) fn add_to_start(&self, lambda: &mut [f64]) {
        for (l, m) in lambda.iter_mut().zip(&self.moments) {
            *l += m;
        }
    }

    /// Adds what readings at fixed times owe to the step's start and size: theta = (t_s - t) / h moves by
    /// -dt/h - theta dh/h. Returns the derivative with respect to `scale`.
    pub(crate) fn add_to_times(
        &self,
        weights: &[[f64; DEGREE]],
        (scale, h): (f64, f64),
        stages: &[f64],
        bars: &mut StepBars,
    ) -> f64 {
        let n = self.n;
        let mut scale_bar = 0.0;
        for m in 1..=DEGREE {
            let below = &self.moments[(m - 1) * n..m * n];
            let at = &self.moments[m * n..(m + 1) * n];
            for d in 0..n {
                let terms = weights.iter().zip(stages.chunks_exact(n));
                let direction: f64 = terms.map(|(w, v)| w[m - 1] * v[d]).sum();
                let rate = m as f64 * scale * direction / h;
                bars.t -= rate * below[d];
                bars.h -= rate * at[d];
                scale_bar += at[d] * direction;
            }
        }
        scale_bar
    }
}
