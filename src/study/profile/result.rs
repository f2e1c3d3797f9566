//! Profiles as a study hands them out: points, ends of intervals, verdicts, curves.

use super::walk::cubic;
use crate::study::identifiability::Identifiability;
use crate::study::{Solving, Study, scaling};

/// Profiles of parameters at the best fit.
#[derive(Debug, Clone)]
pub struct Profiles {
    /// names of the fitted parameters
    pub names: Vec<String>,
    /// their best values, natural scale
    pub best: Vec<f64>,
    /// all parameters, the best values in place
    pub parameters: Vec<f64>,
    /// objective there
    pub objective: f64,
    /// confidence level
    pub level: f64,
    /// rise of the objective at the ends of intervals
    pub threshold: f64,
    /// standard deviations to the ends of intervals by them
    pub quantile: f64,
    /// local information there
    pub local: Identifiability,
    /// profiles in the order of the parameters; those asked for
    pub profiles: Vec<Profile>,
    /// objectives of the starts of profiling but the last: each was left for a better optimum met on the way
    pub left: Vec<f64>,
    /// how the solves were done
    pub solving: Solving,
    /// whether the user ended it
    pub interrupted: bool,
}

/// The profile of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// the parameter, by its place among those fitted
    pub parameter: usize,
    /// points by value, the optimum among them
    pub points: Vec<ProfilePoint>,
    /// lower end of the interval
    pub low: IntervalEnd,
    /// upper end
    pub high: IntervalEnd,
    /// interval by the Fisher information on the search scale, which is a parabola there; `None` where undetermined
    pub wald: Option<[f64; 2]>,
    /// the second derivative that parabola has on the search scale, 0 where undetermined
    pub curvature: f64,
    /// what it comes to
    pub verdict: Verdict,
}

/// A point of a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfilePoint {
    /// value of the parameter, natural scale
    pub value: f64,
    /// the same on its search scale
    pub scaled: f64,
    /// the least objective with it
    pub objective: f64,
    /// its derivative with respect to the value on the search scale
    pub slope: f64,
    /// all fitted parameters there, natural scale
    pub parameters: Vec<f64>,
}

/// An end of a confidence interval, natural scale.
#[derive(Debug, Clone, PartialEq)]
pub enum IntervalEnd {
    /// the objective has risen by the threshold here
    At(f64),
    /// it has not at the parameter's bound
    Bound(f64),
    /// it has not as far as was looked
    Beyond(f64),
    /// what is beyond this value could not be computed
    Failed {
        /// the last value computed
        last: f64,
        /// the cause in words
        reason: String,
    },
    /// the user ended the work first
    Unknown,
}

impl IntervalEnd {
    /// The value where the interval is closed.
    pub fn closed(&self) -> Option<f64> {
        match *self {
            Self::At(value) => Some(value),
            _ => None,
        }
    }
}

/// What the data say of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// its interval is closed
    Identifiable,
    /// these data leave its interval open on one side or both
    PracticallyNot,
    /// no data of this kind can tell it: others make up for any change of it
    StructurallyNot,
    /// the user ended the work first
    Unknown,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Identifiable => "identifiable",
            Self::PracticallyNot => "practically not identifiable",
            Self::StructurallyNot => "structurally not identifiable",
            Self::Unknown => "not finished",
        })
    }
}

/// Parts of the way between two points of a profile that its curve is drawn by.
const PARTS: u32 = 12;

impl Profiles {
    /// A profile as a smooth curve: values and rises of the objective, by the cubics that have the values and slopes of
    /// neighboring points.
    pub fn curve(&self, study: &Study, profile: &Profile) -> Vec<(f64, f64)> {
        let mut fitted = study.scenario.parameters.iter().filter(|p| p.fit);
        let Some(parameter) = fitted.nth(profile.parameter) else {
            return Vec::new();
        };
        let mut curve = Vec::new();
        for pair in profile.points.windows(2) {
            let [a, b] = pair else { continue };
            let h = b.scaled - a.scaled;
            curve.extend((0..PARTS).map(|k| {
                let s = f64::from(k) / f64::from(PARTS);
                let value = cubic([a.objective, b.objective], [h * a.slope, h * b.slope], s);
                (
                    scaling::to_natural(parameter, a.scaled + s * h),
                    value - self.objective,
                )
            }));
        }
        let last = profile.points.last();
        curve.extend(last.map(|p| (p.value, p.objective - self.objective)));
        curve
    }
}

/// Points of a parabola, and how far it is drawn, in thresholds.
const PARABOLA: (u32, f64) = (201, 1.5);

impl Profiles {
    /// The parabola that the Fisher information foretells for a profile, over the part of it that was walked: values and
    /// rises of the objective. Empty where the data do not determine the parameter.
    pub fn parabola(&self, study: &Study, profile: &Profile) -> Vec<(f64, f64)> {
        let mut fitted = study.scenario.parameters.iter().filter(|p| p.fit);
        let (Some(parameter), Some(first), Some(last)) = (
            fitted.nth(profile.parameter),
            profile.points.first(),
            profile.points.last(),
        ) else {
            return Vec::new();
        };
        if profile.curvature.is_nan() || profile.curvature <= 0.0 {
            return Vec::new();
        }
        let best = scaling::to_scaled(parameter, self.best[profile.parameter]);
        let half = (2.0 * PARABOLA.1 * self.threshold / profile.curvature).sqrt();
        let (low, high) = (first.scaled.max(best - half), last.scaled.min(best + half));
        (0..PARABOLA.0)
            .map(|k| {
                let q = low + (high - low) * f64::from(k) / f64::from(PARABOLA.0 - 1);
                let rise = 0.5 * profile.curvature * (q - best) * (q - best);
                (scaling::to_natural(parameter, q), rise)
            })
            .collect()
    }
}
