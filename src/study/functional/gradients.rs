//! The gradient of a functional by each of the methods.

use costate_adjoint::Dual;
use costate_solvers::NoRecord;
use costate_solvers::record::Mesh;

use super::{FunctionalStudy, WIDTH};
use crate::scenario::GradientMethod;
use crate::study::any_solver::StudyScalar;
use crate::study::error::StudyError;
use crate::study::nudge::{Nudge, moved};
use crate::study::objective::Objective;
use crate::study::variable::Variable;
use crate::study::{Solving, Study};

impl FunctionalStudy {
    /// The functional's value, and its gradient with respect to `variables` into `gradient`.
    pub fn gradient(
        &self,
        study: &Study,
        solving: &Solving,
        method: GradientMethod,
        p: &[f64],
        variables: &[Variable],
        gradient: &mut [f64],
    ) -> Result<f64, StudyError> {
        let solving = &solving.of_adjoint(study, method)?;
        let mut total = match method {
            GradientMethod::Auto | GradientMethod::Dual => {
                self.by_dual(study, solving, p, variables, gradient)?
            }
            GradientMethod::Adjoint | GradientMethod::ContinuousAdjoint => {
                self.by_adjoint(study, solving, p, variables, gradient)?
            }
            GradientMethod::FiniteDifference => {
                self.by_differences(study, solving, p, variables, gradient)?
            }
        };
        if self.uses_objective && method != GradientMethod::FiniteDifference {
            let reading = self
                .read(
                    &mut self.run(),
                    study,
                    solving,
                    p,
                    &Nudge::none(),
                    &mut NoRecord,
                    None,
                )?
                .1;
            let mut objective = Objective::new(study, solving.clone(), None)?;
            let mut part = vec![0.0; variables.len()];
            let value = match method {
                GradientMethod::Adjoint | GradientMethod::ContinuousAdjoint => {
                    objective.gradient_adjoint(p, variables, &mut part)?
                }
                _ => objective.gradient_dual(p, variables, &mut part)?,
            };
            let bars = self.root_bars(&reading, value, &self.first_alone())?;
            let slope = bars[reading.parameters.len() + reading.values.len()];
            for (g, part) in gradient.iter_mut().zip(part) {
                *g += slope * part;
            }
            total = self.evaluate_root(&reading, value)?;
        }
        Ok(total)
    }

    fn by_dual(
        &self,
        study: &Study,
        solving: &Solving,
        p: &[f64],
        variables: &[Variable],
        gradient: &mut [f64],
    ) -> Result<f64, StudyError> {
        let objective = self.objective(study, solving, p)?;
        let mut value = f64::NAN;
        for (chunk, into) in variables.chunks(WIDTH).zip(gradient.chunks_mut(WIDTH)) {
            let (seeded, nudge) = moved(p, chunk, |k| {
                let mut unit = Dual::<WIDTH>::from(0.0);
                unit.tangent[k] = 1.0;
                unit
            });
            let reading = self
                .read(
                    &mut self.run(),
                    study,
                    solving,
                    &seeded,
                    &nudge,
                    &mut NoRecord,
                    None,
                )?
                .1;
            let result = self.evaluate_root(&reading, Dual::from(objective))?;
            into.copy_from_slice(&result.tangent[..chunk.len()]);
            value = result.value;
        }
        Ok(value)
    }

    /// The functional over dual numbers of second order: `objective` is that of the data, if it is asked for.
    pub(in crate::study) fn over<S: StudyScalar>(
        &self,
        study: &Study,
        solving: &Solving,
        p: &[S],
        nudge: &Nudge<S>,
        objective: impl FnOnce() -> Result<S, StudyError>,
    ) -> Result<S, StudyError> {
        let reading = self
            .read(
                &mut self.run(),
                study,
                solving,
                p,
                nudge,
                &mut NoRecord,
                None,
            )?
            .1;
        let objective = match self.uses_objective {
            true => objective()?,
            false => S::from(0.0),
        };
        self.evaluate_root(&reading, objective)
    }

    fn by_differences(
        &self,
        study: &Study,
        solving: &Solving,
        p: &[f64],
        variables: &[Variable],
        gradient: &mut [f64],
    ) -> Result<f64, StudyError> {
        let mut mesh = Mesh::default();
        let mut run = self.run();
        let (_, reading) =
            self.read(&mut run, study, solving, p, &Nudge::none(), &mut mesh, None)?;
        let value = self.evaluate_root(&reading, self.objective(study, solving, p)?)?;
        for (g, &variable) in gradient.iter_mut().zip(variables) {
            let at = |delta: f64| -> Result<f64, StudyError> {
                let mut moved = p.to_vec();
                if let Variable::Parameter(i) = variable {
                    moved[i] += delta;
                }
                let nudge = Nudge::of(&[variable], |_| delta);
                let reading = self
                    .read(
                        &mut self.run(),
                        study,
                        solving,
                        &moved,
                        &nudge,
                        &mut NoRecord,
                        Some(&mesh),
                    )?
                    .1;
                self.evaluate_root(&reading, self.objective(study, solving, &moved)?)
            };
            let size = match variable {
                Variable::Parameter(i) => p[i].abs(),
                Variable::Initial(i) => run.x[i].abs(),
                Variable::Start | Variable::End => {
                    (study.scenario.end - study.scenario.start).abs()
                }
            };
            // The best step of a central difference is the cube root of the rounding unit, relative to the size.
            let h = f64::EPSILON.cbrt() * if size > 0.0 { size } else { 1.0 };
            *g = (at(h)? - at(-h)?) / (2.0 * h);
        }
        Ok(value)
    }
}
