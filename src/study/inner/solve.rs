//! The best values of the parameters that are solved for, at given values of the others.

use std::f64::consts::LN_10;
use std::ops::Range;

use costate_solvers::NoRecord;
use nalgebra::{DMatrix, DVector};

use super::bounded::least_squares;
use super::{Inner, Role};
use crate::scenario::NoiseModel;
use crate::study::error::StudyError;
use crate::study::lane::add;
use crate::study::nudge::Nudge;
use crate::study::objective::Objective;

/// One measurement that depends on what is solved for.
struct Row {
    group: usize,
    /// what it would be with nothing of the linear parameters, less what was measured, on the scale of the noise
    constant: f64,
    /// sigma, or what multiplies the parameter that sigma is proportional to
    weight: f64,
    /// (place in the group's locations, coefficient)
    coefficients: Vec<(usize, f64)>,
}

impl Inner {
    /// Puts the best values into `p`.
    ///
    /// # Errors
    /// Those of the solves.
    pub fn solve(&self, objective: &mut Objective<'_>, p: &mut [f64]) -> Result<(), StudyError> {
        let study = objective.study;
        let mut base = p.to_vec();
        for (&i, role) in self.parameters.iter().zip(&self.roles) {
            base[i] = role.base();
        }
        let mut rows: Vec<Row> = Vec::new();
        let mut experiment_rows = Vec::new();
        objective.spread(
            |part, group| part.inner_rows(self, group, &base).map(|()| 0.0),
            |left| experiment_rows.extend_from_slice(&left.rows),
        )?;
        // rows come as y, sigma, then what each location adds: read back in the same order
        let mut numbers = experiment_rows.into_iter();
        let mut next = || numbers.next().unwrap_or(f64::NAN);
        for (plan, uses) in study.plans.iter().zip(&self.uses) {
            for m in &plan.measurements {
                let Some(used) = &uses[m.observable] else {
                    continue;
                };
                let (y, weight) = (next(), next());
                let locations = &self.groups[used.group].locations;
                let model = study.misfits[m.observable].model;
                let unit = match model {
                    Some(NoiseModel::Log10Normal) => 1.0 / LN_10,
                    _ => 1.0,
                };
                let coefficients = used.locations.iter().map(|location| {
                    let place = locations.iter().position(|l| l == location);
                    let added = next();
                    let coefficient = match self.roles[*location] {
                        Role::Linear => added,
                        // ln of a factor is added to the logarithm
                        Role::Factor | Role::Deviation => unit,
                    };
                    (place.unwrap_or(0), coefficient)
                });
                let coefficients = coefficients.collect();
                let constant = match model {
                    Some(NoiseModel::LogNormal | NoiseModel::Log10Normal) => {
                        (y.ln() - m.value.ln()) * unit
                    }
                    _ => y - m.value,
                };
                rows.push(Row {
                    group: used.group,
                    constant,
                    weight,
                    coefficients,
                });
            }
        }
        for group in 0..self.groups.len() {
            let own: Vec<&Row> = rows.iter().filter(|row| row.group == group).collect();
            if !own.is_empty() {
                self.solve_group(objective, group, &own, p);
            }
        }
        Ok(())
    }

    fn solve_group(&self, objective: &Objective<'_>, group: usize, rows: &[&Row], p: &mut [f64]) {
        let group = &self.groups[group];
        let parameter = |k: usize| &objective.study.scenario.parameters[self.parameters[k]];
        let n = group.locations.len();
        let mut a = DMatrix::zeros(rows.len(), n);
        let mut b = DVector::zeros(rows.len());
        for (i, row) in rows.iter().enumerate() {
            for &(k, coefficient) in &row.coefficients {
                a[(i, k)] = coefficient / row.weight;
            }
            b[i] = -row.constant / row.weight;
        }
        if a.iter().chain(b.iter()).any(|v| !v.is_finite()) {
            // the objective, which is not finite either, says what is wrong
            for &k in group.locations.iter().chain(&group.deviation) {
                p[self.parameters[k]] = f64::NAN;
            }
            return;
        }
        let bounds: Vec<[f64; 2]> = group
            .locations
            .iter()
            .map(|&k| {
                let bounds = parameter(k).bounds;
                match self.roles[k] {
                    Role::Factor => bounds.map(|bound| bound.max(0.0).ln()),
                    Role::Linear | Role::Deviation => bounds,
                }
            })
            .collect();
        let (lower, upper): (Vec<f64>, Vec<f64>) = bounds.iter().map(|&[l, u]| (l, u)).unzip();
        let x = least_squares(&a, &b, &lower, &upper);
        for (place, &k) in group.locations.iter().enumerate() {
            let [low, high] = parameter(k).bounds;
            let value = match self.roles[k] {
                // a bound comes back as it is
                _ if x[place] == lower[place] => low,
                _ if x[place] == upper[place] => high,
                Role::Factor => x[place].exp(),
                Role::Linear | Role::Deviation => x[place],
            };
            p[self.parameters[k]] = value.max(low).min(high);
        }
        if let Some(k) = group.deviation {
            let [low, high] = parameter(k).bounds;
            let residuals = a * DVector::from_vec(x) - b;
            let size = (residuals.norm_squared() / rows.len() as f64).sqrt();
            p[self.parameters[k]] = size.max(low).min(high);
        }
    }
}

impl Objective<'_> {
    /// Of the measurements of some experiments that depend on what is solved for: value and sigma at `base`, then what one of each
    /// location adds to the value; into `left`.
    fn inner_rows(
        &mut self,
        inner: &Inner,
        experiments: Range<usize>,
        base: &[f64],
    ) -> Result<(), StudyError> {
        let study = self.study;
        let mut all = std::mem::take(&mut self.left.rows);
        all.clear();
        for experiment in experiments {
            let uses = &inner.uses[experiment];
            let plan = &study.plans[experiment];
            if uses.iter().all(Option::is_none) {
                continue;
            }
            let lane = &mut self.plain.lane;
            lane.parameters.copy_from_slice(base);
            let none = Nudge::none();
            let counted =
                lane.solve(study, experiment, &self.solving, self.stop, &none, NoRecord)?;
            add(&mut self.statistics, counted);
            let mut at_base = vec![[0.0; 2]; plan.measurements.len()];
            lane.observe(study, experiment, |index, y, sigma| {
                at_base[index] = [y, sigma];
                Ok(())
            })?;
            let mut linear: Vec<usize> = uses
                .iter()
                .flatten()
                .flat_map(|used| &used.locations)
                .copied()
                .filter(|&k| inner.roles[k] == Role::Linear)
                .collect();
            linear.sort_unstable();
            linear.dedup();
            let mut added = Vec::with_capacity(linear.len());
            for &k in &linear {
                let i = inner.parameters[k];
                lane.parameters[i] = 1.0;
                let set =
                    lane.run
                        .set_parameters(experiment, &lane.parameters, study.scenario.start);
                set.map_err(|error| study.run_error(error, experiment))?;
                let mut values = vec![0.0; plan.measurements.len()];
                lane.observe(study, experiment, |index, y, _| {
                    values[index] = y - at_base[index][0];
                    Ok(())
                })?;
                lane.parameters[i] = base[i];
                added.push(values);
            }
            for (index, m) in plan.measurements.iter().enumerate() {
                let Some(used) = &uses[m.observable] else {
                    continue;
                };
                all.extend(at_base[index]);
                for k in &used.locations {
                    let place = linear.binary_search(k);
                    all.push(place.map_or(0.0, |place| added[place][index]));
                }
            }
        }
        self.left.rows = all;
        Ok(())
    }
}
