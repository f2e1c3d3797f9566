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
    /// for each state, M_0, ..., M_4
    moments: Vec<[f64; DEGREE + 1]>,
    any: bool,
}

impl Readings {
    /// Makes room for n states.
    pub(crate) fn begin(&mut self, n: usize) {
        self.moments.resize(n, [0.0; DEGREE + 1]);
    }

    /// Takes the readings of one step, in place of those held.
    #[inline]
    pub(crate) fn take(&mut self, samples: &[Place], bars: &[f64]) {
        self.any = !samples.is_empty();
        if !self.any {
            return;
        }
        self.moments.fill([0.0; DEGREE + 1]);
        let n = self.moments.len().max(1);
        for (sample, bar) in samples.iter().zip(bars.chunks_exact(n)) {
            let theta = sample.theta;
            let square = theta * theta;
            let powers = [1.0, theta, square, square * theta, square * square];
            for (moments, bar) in self.moments.iter_mut().zip(bar) {
                for (m, p) in moments.iter_mut().zip(powers) {
                    *m += p * bar;
                }
            }
        }
    }

    /// Whether the step was read from at all.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any
    }

    /// Adds what the readings give to each stage.
    #[inline]
    pub(crate) fn add_to_stages<const S: usize>(
        &self,
        weights: &[[f64; DEGREE]; S],
        scale: f64,
        stage_bars: &mut [f64],
    ) {
        let n = self.moments.len();
        for (d, m) in self.moments.iter().enumerate() {
            let m = m.map(|m| scale * m);
            for (i, w) in weights.iter().enumerate() {
                stage_bars[i * n + d] += w[0] * m[1] + w[1] * m[2] + w[2] * m[3] + w[3] * m[4];
            }
        }
    }

    /// Adds what the readings give to the states at the step's start.
    #[inline]
    pub(crate) fn add_to_start(&self, lambda: &mut [f64]) {
        for (l, m) in lambda.iter_mut().zip(&self.moments) {
            *l += m[0];
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
        let n = self.moments.len().max(1);
        let mut scale_bar = 0.0;
        for (d, moments) in self.moments.iter().enumerate() {
            for m in 1..=DEGREE {
                let terms = weights.iter().zip(stages.chunks_exact(n));
                let direction: f64 = terms.map(|(w, v)| w[m - 1] * v[d]).sum();
                let rate = m as f64 * scale * direction / h;
                bars.t -= rate * moments[m - 1];
                bars.h -= rate * moments[m];
                scale_bar += moments[m] * direction;
            }
        }
        scale_bar
    }
}
