//! A quantity over ranges of parameters: on a grid, or at random points of a Latin hypercube.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::error::StudyError;
use super::functional::FunctionalStudy;
use super::objective::Objective;
use super::{Solving, Study};
use crate::optimize::latin_hypercube;

/// The range of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepAxis {
    /// the parameter, by its place in the scenario
    pub parameter: usize,
    /// first value
    pub from: f64,
    /// last value
    pub to: f64,
    /// values of a grid
    pub count: usize,
    /// whether their ratios are equal, not their differences: both ends are positive then
    pub logarithmic: bool,
}

impl SweepAxis {
    /// The value at a fraction of the way, its ends exactly.
    fn at(&self, fraction: f64) -> f64 {
        if fraction <= 0.0 {
            self.from
        } else if fraction >= 1.0 {
            self.to
        } else if self.logarithmic {
            (self.from.ln() * (1.0 - fraction) + self.to.ln() * fraction).exp()
        } else {
            self.from * (1.0 - fraction) + self.to * fraction
        }
    }

    /// The values of a grid.
    pub fn values(&self) -> Vec<f64> {
        let last = self.count.saturating_sub(1).max(1) as f64;
        (0..self.count).map(|k| self.at(k as f64 / last)).collect()
    }
}

/// All points of the grid of `axes`, values in their order; the last axis changes fastest.
pub fn grid_points(axes: &[SweepAxis]) -> Vec<Vec<f64>> {
    axes.iter().fold(vec![Vec::new()], |points, axis| {
        let values = axis.values();
        points
            .iter()
            .flat_map(|point| {
                values.iter().map(move |&value| {
                    let mut point = point.clone();
                    point.push(value);
                    point
                })
            })
            .collect()
    })
}

/// `count` points of a Latin hypercube in the ranges of `axes`: the same for the same seed.
pub fn random_points(axes: &[SweepAxis], count: usize, seed: u64) -> Vec<Vec<f64>> {
    let (lower, upper) = (vec![0.0; axes.len()], vec![1.0; axes.len()]);
    // the first point is the start that it is given, and not drawn
    latin_hypercube(&lower, &lower, &upper, count + 1, seed)
        .into_iter()
        .skip(1)
        .map(|point| axes.iter().zip(&point).map(|(a, &f)| a.at(f)).collect())
        .collect()
}

/// What is evaluated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SweepOf<'t> {
    /// the data objective
    Data,
    /// a functional of a trajectory, by its text
    Functional(&'t str),
}

/// What a watcher is told.
#[derive(Debug, Clone, Copy)]
pub struct SweepProgress {
    /// points evaluated
    pub finished: usize,
    /// points in all
    pub points: usize,
}

/// The values at all points, in parallel; a point that fails has its reason. `stop` leaves the rest
/// [`StudyError::Interrupted`].
///
/// # Errors
/// [`StudyError::NoData`] for the data objective of a scenario without, those of the choice of a solver, and
/// [`StudyError::Unsupported`] for a functional that cannot be read.
pub fn sweep(
    study: &Study,
    of: SweepOf<'_>,
    axes: &[SweepAxis],
    points: &[Vec<f64>],
    stop: &AtomicBool,
    watch: &(dyn Fn(SweepProgress) + Sync),
) -> Result<Vec<Result<f64, StudyError>>, StudyError> {
    let solving = Solving::choose(study)?;
    // told once, before the work is shared
    Evaluation::new(study, &solving, of, stop)?;
    let base = study.values();
    let finished = AtomicUsize::new(0);
    let one = |evaluation: &mut Result<Evaluation<'_>, StudyError>, point: &Vec<f64>| {
        if stop.load(Ordering::Relaxed) {
            return Err(StudyError::Interrupted);
        }
        let evaluation = evaluation.as_mut().map_err(|error| error.clone())?;
        let mut p = base.clone();
        for (axis, &value) in axes.iter().zip(point) {
            p[axis.parameter] = value;
        }
        let value = evaluation.value(study, &solving, &p);
        watch(SweepProgress {
            finished: finished.fetch_add(1, Ordering::Relaxed) + 1,
            points: points.len(),
        });
        value
    };
    Ok(points
        .par_iter()
        .map_init(|| Evaluation::new(study, &solving, of, stop), one)
        .collect())
}

/// A thread's means to evaluate.
enum Evaluation<'a> {
    Data(Box<Objective<'a>>),
    Functional(Box<FunctionalStudy>),
}

impl<'a> Evaluation<'a> {
    fn new(
        study: &'a Study,
        solving: &Solving,
        of: SweepOf<'_>,
        stop: &'a AtomicBool,
    ) -> Result<Self, StudyError> {
        match of {
            SweepOf::Data => {
                let objective = Objective::new(study, solving.clone(), Some(stop))?;
                Ok(Self::Data(Box::new(objective)))
            }
            SweepOf::Functional(text) => match FunctionalStudy::parse(study, text) {
                Ok(functional) => Ok(Self::Functional(Box::new(functional))),
                Err(findings) => {
                    let messages: Vec<String> = findings.into_iter().map(|f| f.message).collect();
                    Err(StudyError::Unsupported(messages.join("; ")))
                }
            },
        }
    }

    fn value(&mut self, study: &Study, solving: &Solving, p: &[f64]) -> Result<f64, StudyError> {
        match self {
            Self::Data(objective) => objective.value(p),
            Self::Functional(functional) => functional.value(study, solving, p),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(from: f64, to: f64, count: usize, logarithmic: bool) -> SweepAxis {
        SweepAxis {
            parameter: 0,
            from,
            to,
            count,
            logarithmic,
        }
    }

    #[test]
    fn grids_reach_their_ends_and_the_last_axis_is_the_fastest() {
        let tenfold = axis(0.01, 100.0, 5, true).values();
        for (found, expected) in tenfold.iter().zip([0.01, 0.1, 1.0, 10.0, 100.0]) {
            assert!((found / expected - 1.0).abs() < 1e-14);
        }
        assert_eq!((tenfold[0], tenfold[4]), (0.01, 100.0));
        assert_eq!(axis(2.0, 3.0, 1, false).values(), [2.0]);
        let points = grid_points(&[axis(0.0, 1.0, 2, false), axis(5.0, 7.0, 3, false)]);
        assert_eq!(points.len(), 6);
        assert_eq!(points[1], [0.0, 6.0]);
        assert_eq!(points[3], [1.0, 5.0]);
    }

    #[test]
    fn random_points_are_one_in_each_stratum() {
        let points = random_points(&[axis(1.0, 16.0, 0, true)], 4, 3);
        let mut strata: Vec<usize> = points.iter().map(|p| p[0].log2() as usize).collect();
        strata.sort_unstable();
        assert_eq!(strata, [0, 1, 2, 3]);
        assert_eq!(points, random_points(&[axis(1.0, 16.0, 0, true)], 4, 3));
    }
}
