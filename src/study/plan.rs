//! What to solve and read for the data of one experiment.

use crate::scenario::DataSet;

/// One measurement: a number, where it stands and how it is weighted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// index into [`ExperimentPlan::times`]
    pub sample: usize,
    /// index into the scenario's observables
    pub observable: usize,
    /// the measured value
    pub value: f64,
    /// its standard deviation where that is a data column
    pub sigma: Option<f64>,
}

/// The measurements of an experiment, and the distinct times they are read at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExperimentPlan {
    /// distinct times, ascending
    pub times: Vec<f64>,
    /// measurements, ordered by sample
    pub measurements: Vec<Measurement>,
}

impl ExperimentPlan {
    /// The plan of a data set; rows with nothing measured are left out.
    pub fn new(data: Option<&DataSet>) -> Self {
        let mut plan = Self::default();
        let Some(data) = data else { return plan };
        for (row, &t) in data.times.iter().enumerate() {
            for (observable, column) in data.values.iter().enumerate() {
                let value = column.get(row).copied().unwrap_or(f64::NAN);
                if value.is_nan() {
                    continue;
                }
                if plan.times.last() != Some(&t) {
                    plan.times.push(t);
                }
                let sigma = data
                    .sigmas
                    .get(observable)
                    .and_then(|column| column.get(row))
                    .copied();
                plan.measurements.push(Measurement {
                    sample: plan.times.len() - 1,
                    observable,
                    value,
                    sigma,
                });
            }
        }
        plan
    }
}
