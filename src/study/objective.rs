//! The data objective of a scenario: the negative log-likelihood of its measurements plus its log-priors,
//! with its gradient by dual numbers, by the discrete adjoint and by differences of the frozen steps.
//!
//! All three differentiate the same program, the accepted step sequence held fixed, so they agree to rounding
//! (differences: to their truncation error). Parameters here are natural; `study/scaling.rs` maps search scales.

use std::ops::Range;
use std::sync::atomic::AtomicBool;

use costate_adjoint::Dual;
use costate_solvers::record::Mesh;
use costate_solvers::{NoRecord, Statistics};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::any_solver::Second;
use super::backward::{Backward, On, backward};
use super::error::StudyError;
use super::gradient::{GradientOf, check_variables};
use super::hessian::product_by_duals;
use super::lane::{Lane, Of, RowOf, add, checked_share, chunk_width, lane};
use super::misfit::Misfit;
use super::nudge::Nudge;
use super::prior;
use super::spread::Left;
use super::variable::Variable;
use super::{Solving, Study};

/// Work on the data objective of one study: buffers for every method, made when first used.
pub struct Objective<'a> {
    pub(super) study: &'a Study,
    pub(super) stop: Option<&'a AtomicBool>,
    pub(super) solving: Solving,
    /// the same with the discrete adjoint
    discrete: Solving,
    pub(super) plain: Backward<f64>,
    backward1: Option<Backward<Dual<1>>>,
    backward8: Option<Backward<Dual<8>>>,
    second: Option<Lane<Second>>,
    dual1: Option<Lane<Dual<1>>>,
    dual2: Option<Lane<Dual<2>>>,
    dual4: Option<Lane<Dual<4>>>,
    dual8: Option<Lane<Dual<8>>>,
    /// objectives of other threads, each with its own buffers: `spread.rs`
    pub(super) parts: Vec<Objective<'a>>,
    pub(super) left: Left,
    pub(super) worth_spreading: bool,
    /// the same by the stiff method: `rescue.rs`
    pub(super) stiff: Option<Box<Objective<'a>>>,
    /// what all solves so far counted
    pub statistics: Statistics,
}

impl<'a> Objective<'a> {
    /// Buffers for the objective of a study; `stop` ends a solve when raised.
    pub fn new(
        study: &'a Study,
        solving: Solving,
        stop: Option<&'a AtomicBool>,
    ) -> Result<Self, StudyError> {
        if study.plans.iter().all(|plan| plan.measurements.is_empty()) {
            return Err(StudyError::NoData);
        }
        let solving = solving.watching_stiffness();
        Ok(Self {
            study,
            stop,
            plain: Backward::new(study, &solving)?,
            discrete: Solving {
                continuous: false,
                ..solving.clone()
            },
            solving,
            backward1: None,
            backward8: None,
            second: None,
            dual1: None,
            dual2: None,
            dual4: None,
            dual8: None,
            parts: Vec::new(),
            left: Left::default(),
            worth_spreading: false,
            stiff: None,
            statistics: Statistics::default(),
        })
    }

    /// The objective at natural parameters `p`.
    pub fn value(&mut self, p: &[f64]) -> Result<f64, StudyError> {
        let prior = prior::value(self.study, p);
        let data = self.spread(|part, group| part.value_of(group, p), |_| ())?;
        Ok(prior + data)
    }

    fn value_of(&mut self, experiments: Range<usize>, p: &[f64]) -> Result<f64, StudyError> {
        let study = self.study;
        self.plain.lane.parameters.copy_from_slice(p);
        let mut total = 0.0;
        for experiment in experiments {
            if study.plans[experiment].measurements.is_empty() {
                continue;
            }
            let counted = self.plain.lane.solve(
                study,
                experiment,
                &self.solving,
                self.stop,
                &Nudge::none(),
                NoRecord,
            )?;
            add(&mut self.statistics, counted);
            let lane = &mut self.plain.lane;
            lane.observe(study, experiment, |index, y, sigma| {
                total += checked_share(study, experiment, index, y, sigma)?;
                Ok(())
            })?;
        }
        Ok(total)
    }

    /// The objective and its gradient by the discrete adjoint.
    pub fn gradient_adjoint(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        gradient: &mut [f64],
    ) -> Result<f64, StudyError> {
        let work = |part: &mut Self, group| part.gradient_adjoint_of(group, p, variables);
        self.gradient_by(work, p, variables, gradient)
    }

    /// The objective and its gradient from those of groups of experiments, which `work` leaves.
    fn gradient_by(
        &mut self,
        work: impl Fn(&mut Self, Range<usize>) -> Result<f64, StudyError> + Sync,
        p: &[f64],
        variables: &[Variable],
        gradient: &mut [f64],
    ) -> Result<f64, StudyError> {
        gradient.fill(0.0);
        let data = self.spread(work, |left| {
            for (sum, part) in gradient.iter_mut().zip(&left.bars) {
                *sum += part;
            }
        })?;
        prior::add_slopes(self.study, p, p, variables, gradient);
        Ok(prior::value(self.study, p) + data)
    }

    /// The share of some experiments, and their gradient into `left`.
    fn gradient_adjoint_of(
        &mut self,
        experiments: Range<usize>,
        p: &[f64],
        variables: &[Variable],
    ) -> Result<f64, StudyError> {
        let mut on = On {
            study: self.study,
            solving: &self.solving,
            stop: self.stop,
            statistics: &mut self.statistics,
        };
        self.left.bars.resize(variables.len(), 0.0);
        let (at, bars) = ((p, &Nudge::none()), &mut self.left.bars[..]);
        self.plain
            .data_gradient(&mut on, experiments, at, variables, bars)
    }

    /// The product H v of the Hessian of the objective with a vector over the variables.
    ///
    /// One dual number through the discrete adjoint, where there is one of the method (see [`Solving::adjoint_on_duals`]): exact for
    /// the discrete solve, at the cost of a few gradients whatever the number of variables. Else, and where the adjoint
    /// cannot follow the solve, dual numbers over dual numbers: a solve for every eight variables.
    ///
    /// # Errors
    /// [`StudyError::NoData`] without measurements; [`StudyError::Unsupported`] where a variable cannot be moved; those of a
    /// solve.
    pub fn hessian_product(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        v: &[f64],
        product: &mut [f64],
    ) -> Result<(), StudyError> {
        let mut gradient = vec![0.0; product.len()];
        self.gradient_and_product(p, variables, v, [&mut gradient, product])
    }

    /// The same, with the gradient, which comes along.
    pub(super) fn gradient_and_product(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        v: &[f64],
        [gradient, product]: [&mut [f64]; 2],
    ) -> Result<(), StudyError> {
        check_variables(self.study, GradientOf::Data, variables)?;
        self.rescued(|own| {
            own.gradient_and_product_of(p, variables, v, [&mut *gradient, &mut *product])
        })
    }

    fn gradient_and_product_of(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        v: &[f64],
        [gradient, product]: [&mut [f64]; 2],
    ) -> Result<(), StudyError> {
        let study = self.study;
        let mut on = On {
            study,
            solving: &self.discrete,
            stop: self.stop,
            statistics: &mut self.statistics,
        };
        let done = match chunk_width(1, self.discrete.hot(study)) {
            1 => backward(&mut self.backward1, study, on.solving)?.gradient_and_product(
                &mut on,
                p,
                variables,
                v,
                [&mut *gradient, &mut *product],
            ),
            _ => backward(&mut self.backward8, study, on.solving)?.gradient_and_product(
                &mut on,
                p,
                variables,
                v,
                [&mut *gradient, &mut *product],
            ),
        };
        match done {
            Err(error) if error != StudyError::Interrupted && !on.solving.rescues(&error) => {
                let lane = lane(&mut self.second, study)?;
                product_by_duals(lane, &mut on, p, variables, v, [gradient, product])
            }
            done => done,
        }
    }

    /// The product F v of the Fisher information F = J^T J with a vector, J the Jacobian of the least-squares rows
    /// ([`Objective::rows`]): J v by one dual number, J^T of that by the discrete adjoint. Exact for the discrete solve, at
    /// the cost of a gradient whatever the number of variables.
    pub fn gauss_newton_product(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        v: &[f64],
        product: &mut [f64],
    ) -> Result<(), StudyError> {
        self.rescued(|own| own.gauss_newton_product_of(p, variables, v, product))
    }

    fn gauss_newton_product_of(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        v: &[f64],
        product: &mut [f64],
    ) -> Result<(), StudyError> {
        let study = self.study;
        let (solving, stop) = (&self.solving, self.stop);
        let mut rates = Vec::with_capacity(study.measurements());
        match chunk_width(1, solving.hot(study)) {
            1 => lane(&mut self.dual1, study)?
                .rates(study, solving, stop, p, variables, v, &mut rates)?,
            _ => lane(&mut self.dual8, study)?
                .rates(study, solving, stop, p, variables, v, &mut rates)?,
        }
        let mut rates = rates.into_iter();
        let weigh = |experiment: usize, index: usize, y, sigma| {
            let m = &study.plans[experiment].measurements[index];
            let rows = study.misfits[m.observable].rows(y, sigma, m.value);
            let [dy, dsigma] = rates.next().unwrap_or_default();
            Ok((
                rows.slope * rows.slope * dy,
                rows.sigma_slope * rows.sigma_slope * dsigma,
            ))
        };
        let mut on = On {
            study,
            solving,
            stop,
            statistics: &mut self.statistics,
        };
        let none = Nudge::none();
        let all = 0..study.plans.len();
        self.plain
            .pull_back(&mut on, all, (p, &none), variables, product, weigh)?;
        for ((product, &v), variable) in product.iter_mut().zip(v).zip(variables) {
            if let Variable::Parameter(i) = *variable
                && let Some(share) = prior::share(&study.scenario.parameters[i], p[i])
            {
                *product += share.residual_slope.powi(2) * v;
            }
        }
        Ok(())
    }

    /// The objective and its gradient by dual numbers.
    pub fn gradient_dual(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        gradient: &mut [f64],
    ) -> Result<f64, StudyError> {
        let work = |part: &mut Self, group| part.gradient_dual_of(group, p, variables);
        self.gradient_by(work, p, variables, gradient)
    }

    /// The share of some experiments, and their gradient into `left`.
    fn gradient_dual_of(
        &mut self,
        experiments: Range<usize>,
        p: &[f64],
        variables: &[Variable],
    ) -> Result<f64, StudyError> {
        let study = self.study;
        let (hot, solving) = (self.solving.hot(study), &self.solving);
        let counted = &mut self.statistics;
        self.left.bars.resize(variables.len(), 0.0);
        let mut total = 0.0;
        let mut start = 0;
        while start < variables.len() || start == 0 {
            let width = chunk_width(variables.len() - start, hot);
            let chunk = &variables[start..(start + width).min(variables.len())];
            let into = &mut self.left.bars[start..start + chunk.len()];
            let of = Of {
                study,
                solving,
                stop: self.stop,
                experiments: experiments.clone(),
                p,
                chunk,
            };
            let data = match width {
                1 => lane(&mut self.dual1, study)?.gradient(of, into, counted)?,
                2 => lane(&mut self.dual2, study)?.gradient(of, into, counted)?,
                3..=4 => lane(&mut self.dual4, study)?.gradient(of, into, counted)?,
                _ => lane(&mut self.dual8, study)?.gradient(of, into, counted)?,
            };
            if start == 0 {
                total = data;
            }
            start += width;
        }
        Ok(total)
    }

    /// The objective, its least-squares rows and their Jacobian by dual numbers (see [`Misfit::rows`]); the
    /// rows of the priors of the variables follow those of the measurements.
    pub fn rows(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        r: &mut [f64],
        jacobian: &mut [f64],
    ) -> Result<f64, StudyError> {
        self.rows_by(Misfit::rows, p, variables, r, jacobian)
    }

    /// The same with the rows for a step of an optimizer ([`Misfit::step_rows`]).
    pub fn step_rows(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        r: &mut [f64],
        jacobian: &mut [f64],
    ) -> Result<f64, StudyError> {
        self.rows_by(Misfit::step_rows, p, variables, r, jacobian)
    }

    fn rows_by(
        &mut self,
        row_of: RowOf,
        p: &[f64],
        variables: &[Variable],
        r: &mut [f64],
        jacobian: &mut [f64],
    ) -> Result<f64, StudyError> {
        let study = self.study;
        let height = r.len();
        let prior = prior::value(study, p);
        jacobian.fill(0.0);
        let mut row = 0;
        let work = |part: &mut Self, group| part.rows_of(row_of, group, p, variables);
        let data = self.spread(work, |left| {
            let count = left.rows.len();
            r[row..row + count].copy_from_slice(&left.rows);
            let columns = left.columns.chunks_exact(count.max(1));
            for (column, own) in jacobian.chunks_exact_mut(height.max(1)).zip(columns) {
                column[row..row + count].copy_from_slice(own);
            }
            row += count;
        })?;
        let mut row = 2 * study.measurements();
        for (column, variable) in variables.iter().enumerate() {
            if let Variable::Parameter(i) = *variable
                && let Some(share) = prior::share(&study.scenario.parameters[i], p[i])
            {
                r[row] = share.residual;
                jacobian[row + column * height] = share.residual_slope;
                row += 1;
            }
        }
        Ok(prior + data)
    }

    /// The share of some experiments, and their rows with the Jacobian into `left`.
    fn rows_of(
        &mut self,
        row_of: RowOf,
        experiments: Range<usize>,
        p: &[f64],
        variables: &[Variable],
    ) -> Result<f64, StudyError> {
        let study = self.study;
        let (hot, solving) = (self.solving.hot(study), &self.solving);
        let counted = &mut self.statistics;
        let plans = &study.plans[experiments.clone()];
        let height = 2 * plans
            .iter()
            .map(|plan| plan.measurements.len())
            .sum::<usize>();
        let Left { rows, columns, .. } = &mut self.left;
        rows.resize(height, 0.0);
        columns.resize(height * variables.len(), 0.0);
        columns.fill(0.0);
        let mut total = 0.0;
        let mut start = 0;
        while start < variables.len() || start == 0 {
            let width = chunk_width(variables.len() - start, hot);
            let chunk = &variables[start..(start + width).min(variables.len())];
            let own = &mut columns[start * height..(start + chunk.len()) * height];
            let of = Of {
                study,
                solving,
                stop: self.stop,
                experiments: experiments.clone(),
                p,
                chunk,
            };
            let data = match width {
                1 => lane(&mut self.dual1, study)?.rows(of, row_of, rows, own, counted)?,
                2 => lane(&mut self.dual2, study)?.rows(of, row_of, rows, own, counted)?,
                3..=4 => lane(&mut self.dual4, study)?.rows(of, row_of, rows, own, counted)?,
                _ => lane(&mut self.dual8, study)?.rows(of, row_of, rows, own, counted)?,
            };
            if start == 0 {
                total = data;
            }
            start += width;
        }
        Ok(total)
    }

    /// The objective and its gradient by central differences of the solve with its steps frozen.
    pub fn gradient_differences(
        &mut self,
        p: &[f64],
        variables: &[Variable],
        gradient: &mut [f64],
    ) -> Result<f64, StudyError> {
        let study = self.study;
        let total = self.value(p)?;
        let mut meshes = Vec::with_capacity(study.plans.len());
        for experiment in 0..study.plans.len() {
            let mut mesh = Mesh::default();
            if !study.plans[experiment].measurements.is_empty() {
                self.plain.lane.parameters.copy_from_slice(p);
                self.plain.lane.solve(
                    study,
                    experiment,
                    &self.solving,
                    self.stop,
                    &Nudge::none(),
                    &mut mesh,
                )?;
            }
            meshes.push(mesh);
        }
        for (g, &variable) in gradient.iter_mut().zip(variables) {
            let at = |delta: f64, this: &mut Self| -> Result<f64, StudyError> {
                let mut moved = p.to_vec();
                if let Variable::Parameter(i) = variable {
                    moved[i] += delta;
                }
                let nudge = Nudge::of(&[variable], |_| delta);
                this.frozen_value(&moved, &nudge, &meshes)
            };
            // Optimal step of a central difference: cube root of the rounding unit, relative to the variable.
            let size = match variable {
                Variable::Parameter(i) => p[i].abs(),
                Variable::Initial(i) => self.plain.lane.run.x.get(i).map_or(0.0, |x| x.abs()),
                Variable::Start | Variable::End => {
                    (study.scenario.end - study.scenario.start).abs()
                }
            };
            let h = f64::EPSILON.cbrt() * if size > 0.0 { size } else { 1.0 };
            *g = (at(h, self)? - at(-h, self)?) / (2.0 * h);
        }
        Ok(total)
    }

    fn frozen_value(
        &mut self,
        p: &[f64],
        nudge: &Nudge<f64>,
        meshes: &[Mesh],
    ) -> Result<f64, StudyError> {
        let study = self.study;
        let mut total = prior::value(study, p);
        self.plain.lane.parameters.copy_from_slice(p);
        for (experiment, mesh) in meshes.iter().enumerate() {
            let plan = &study.plans[experiment];
            let Some(&end) = plan.times.last() else {
                continue;
            };
            let Lane {
                run,
                samples,
                parameters,
                ..
            } = &mut self.plain.lane;
            let fail = |error| study.run_error(error, experiment);
            run.prepare(experiment, parameters, study.scenario.start, end)
                .map_err(fail)?;
            nudge.apply(run, false);
            run.replay(
                self.solving.stepper,
                &self.solving.options,
                mesh,
                &mut samples[experiment],
            )
            .map_err(fail)?;
            self.plain
                .lane
                .observe(study, experiment, |index, y, sigma| {
                    total += checked_share(study, experiment, index, y, sigma)?;
                    Ok(())
                })?;
        }
        Ok(total)
    }

    /// Measured values, model values and standard deviations of every measurement at `p`, by experiment.
    pub fn predictions(&mut self, p: &[f64]) -> Result<Vec<Vec<Prediction>>, StudyError> {
        let study = self.study;
        self.plain.lane.parameters.copy_from_slice(p);
        let mut random = ChaCha8Rng::seed_from_u64(study.scenario.fit.seed);
        let mut all = Vec::with_capacity(study.plans.len());
        for experiment in 0..study.plans.len() {
            let plan = &study.plans[experiment];
            let mut predictions = Vec::with_capacity(plan.measurements.len());
            if !plan.measurements.is_empty() {
                self.plain.lane.solve(
                    study,
                    experiment,
                    &self.solving,
                    self.stop,
                    &Nudge::none(),
                    NoRecord,
                )?;
                self.plain
                    .lane
                    .observe(study, experiment, |index, y, sigma| {
                        let m = plan.measurements[index];
                        let misfit = &study.misfits[m.observable];
                        let place = random.random::<f64>();
                        predictions.push(Prediction {
                            t: plan.times[m.sample],
                            observable: m.observable,
                            measured: m.value,
                            model: y,
                            sigma: misfit.deviation(y, sigma),
                            residual: misfit.standardized(y, sigma, m.value),
                            quantile: misfit.quantile_residual(y, sigma, m.value, place),
                        });
                        Ok(())
                    })?;
            }
            all.push(predictions);
        }
        Ok(all)
    }
}

/// A measurement beside the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// time
    pub t: f64,
    /// index of the observable
    pub observable: usize,
    /// measured value
    pub measured: f64,
    /// the model's value
    pub model: f64,
    /// standard deviation of the noise on the scale on which it is symmetric; NaN without a noise model
    pub sigma: f64,
    /// standardized residual (model minus measured), in units of the noise's scale
    pub residual: f64,
    /// quantile residual (measured minus model), standard normal where the model and its noise are right; measured minus
    /// model without a noise model. Counts and what lies beyond a limit of detection are put at random inside their
    /// probabilities, by the seed of `[fit]` ([`Misfit::quantile_residual`])
    pub quantile: f64,
}
