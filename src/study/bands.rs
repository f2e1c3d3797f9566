//! How well observables are known at any time, to first order: sd(y)^2 = J_y C J_y^T, with J_y = dy/dp by dual numbers and C
//! the covariance of the parameters (the delta method).

use costate_adjoint::Dual;
use costate_solvers::NoRecord;
use nalgebra::{DMatrix, DVector};

use super::error::StudyError;
use super::grid::{noise_is_data, on_grid};
use super::lane::Lane;
use super::nudge::Nudge;
use super::variable::Variable;
use super::{Solving, Study};

/// Directions of one solve.
const WIDTH: usize = 8;

/// An observable along a run of an experiment. All lists have one length.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// the experiment
    pub experiment: usize,
    /// the observable
    pub observable: usize,
    /// times
    pub t: Vec<f64>,
    /// the model's value
    pub value: Vec<f64>,
    /// its standard deviation, which the parameters' is the reason of
    pub deviation: Vec<f64>,
    /// the noise's, in the units of its model: of ln y where that is log-normal; NaN where it is not known between data
    pub noise: Vec<f64>,
}

/// Bands of the observables with data at natural parameters `p`, given the covariance of the fitted ones (m x m, natural).
///
/// # Errors
/// Those of solves.
pub fn bands(
    study: &Study,
    solving: &Solving,
    p: &[f64],
    covariance: &DMatrix<f64>,
    points: usize,
) -> Result<Vec<Band>, StudyError> {
    let grid = on_grid(study, points);
    let variables = Variable::fitted(&study.scenario);
    let m = variables.len();
    let mut lane = Lane::<Dual<WIDTH>>::new(&grid)?;
    let mut bands = Vec::new();
    for (experiment, plan) in grid.plans.iter().enumerate() {
        if plan.measurements.is_empty() {
            continue;
        }
        let count = plan.measurements.len();
        let mut slopes = DMatrix::<f64>::zeros(m, count);
        let mut values = vec![[f64::NAN; 2]; count];
        for first in (0..m).step_by(WIDTH) {
            for (dual, &value) in lane.parameters.iter_mut().zip(p) {
                *dual = Dual::from(value);
            }
            let chunk = &variables[first..(first + WIDTH).min(m)];
            for (k, variable) in chunk.iter().enumerate() {
                if let Variable::Parameter(i) = *variable {
                    lane.parameters[i].tangent[k] = 1.0;
                }
            }
            lane.solve(&grid, experiment, solving, None, &Nudge::none(), NoRecord)?;
            lane.observe(&grid, experiment, |index, y, sigma| {
                values[index] = [y.value, sigma.value];
                for k in 0..chunk.len() {
                    slopes[(first + k, index)] = y.tangent[k];
                }
                Ok(())
            })?;
        }
        for observable in 0..grid.scenario.observables.len() {
            let own: Vec<usize> = (0..count)
                .filter(|&k| plan.measurements[k].observable == observable)
                .collect();
            if own.is_empty() {
                continue;
            }
            let known = study.misfits[observable].model.is_some()
                && !noise_is_data(study, experiment, observable);
            bands.push(Band {
                experiment,
                observable,
                t: own
                    .iter()
                    .map(|&k| plan.times[plan.measurements[k].sample])
                    .collect(),
                value: own.iter().map(|&k| values[k][0]).collect(),
                deviation: own
                    .iter()
                    .map(|&k| {
                        let slope = DVector::from(slopes.column(k));
                        slope.dot(&(covariance * &slope)).max(0.0).sqrt()
                    })
                    .collect(),
                noise: own
                    .iter()
                    .map(|&k| if known { values[k][1] } else { f64::NAN })
                    .collect(),
            });
        }
    }
    Ok(bands)
}
