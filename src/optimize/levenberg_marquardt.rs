//! Levenberg-Marquardt inside bounds: a reflective trust region with a structured quasi-Newton correction.
//!
//! ```text
//! f(theta) = constant + 1/2 |r(theta)|^2,   g = J^T r,   Hessian = J^T J + S,   S ~ sum_i r_i grad^2 r_i
//! ```
//!
//! with r in R^k, J (k x m), and lower <= theta <= upper. Each iterate stays strictly inside the bounds and each step
//! minimizes a quadratic model within a ball in scaled variables p = D^-1 s:
//!
//! ```text
//! min  (D g).p + 1/2 p.(D (J^T J [+ S]) D + C) p,   |p| <= radius
//! D_i = sqrt(v_i e_i),  C_i = |g_i| e_i   where the descent direction points to a finite bound at distance v_i,
//! D_i = e_i,            C_i = 0           elsewhere
//! ```
//!
//! where e_i is the inverse of the largest norm seen of the Jacobian's column i. The scaling makes steps turn away from
//! a bound before they hit it and turns the first-order conditions into a smooth equation, so that convergence stays
//! fast with bounds active (Coleman & Li, SIAM J. Optim. 6, 1996). A step that would leave the box is tried three ways,
//! and the model picks: cut short of the bound, reflected there (Frohlich & Sorger, Fides, PLoS Comput. Biol. 18,
//! 2022), or along the scaled gradient.
//!
//! Gauss-Newton leaves out S and converges only linearly when residuals at the solution are large, as they always are
//! for noisy data. S is therefore kept by the update of Dennis, Gay & Welsch (NL2SOL, ACM Trans. Math. Softw. 7, 1981),
//! sized by their factor so that it dies on zero-residual problems, and the model that better predicted the last
//! gradient makes the next step.
//!
//! On request a step v is bent along the geodesic of the model manifold that it begins: v + a/2, where a solves the damped system with
//! the second derivative of the residuals along v, taken from the Jacobian at a tenth of the way (Transtrum & Sethna, Improvements to
//! the Levenberg-Marquardt algorithm, arXiv 1201.5885, 2012). A step with 2 |a| > 3/4 |v| is refused and the radius halved: where the
//! second order is no correction, the first is no guide. Fewer steps down curved valleys, for one more Jacobian a step.
//!
//! Cost: one residual and Jacobian evaluation an iteration, 2 k m^2 operations beside. An evaluation that fails shrinks
//! the radius. A Jacobian without full rank gives the shortest step. Variables with equal bounds are left alone.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::jacobi_svd;
use super::outcome::{Callback, Outcome, Progress, Settings, Status};
use super::problem::{EvaluationError, LeastSquares};
use super::record::{LEVEL, Record, Stall, dot, norm};
use super::reflection::Room;
use super::trust_region::Model;

/// Value, residuals, Jacobian and gradient at a point; J over the free variables only.
#[derive(Clone)]
struct Point {
    theta: Vec<f64>,
    value: f64,
    r: DVector<f64>,
    jacobian: DMatrix<f64>,
    /// over all variables
    gradient: Vec<f64>,
}

impl Point {
    /// The size of the terms that make up the value: a constant may cancel the squares.
    fn scale(&self) -> f64 {
        self.value.abs().max(0.5 * self.r.norm_squared())
    }
}

/// The affine scaling at a point, over the free variables.
struct Scaling {
    d: DVector<f64>,
    c: DVector<f64>,
}

/// Minimizes the problem from `start` (length m), which is moved inside the bounds.
pub fn levenberg_marquardt(
    problem: &mut dyn LeastSquares,
    start: &[f64],
    settings: &Settings,
    callback: Callback<'_>,
) -> Outcome {
    let record = match Record::new(problem, start) {
        Ok(record) => record,
        Err(outcome) => return *outcome,
    };
    let free: Vec<usize> = (0..start.len())
        .filter(|&i| record.lower[i] < record.upper[i])
        .collect();
    Run {
        problem,
        record,
        free,
        settings,
    }
    .solve(start, callback)
}

/// A step before its acceleration: over the free variables, and its coordinates in the basis of the model that gave it.
struct Plain<'a> {
    model: &'a Model,
    basis: &'a DMatrix<f64>,
    step: &'a [f64],
    coordinates: &'a [f64],
}

/// Why a step is not to be tried.
enum Refused {
    /// the second order of the residuals is no correction of the first: a shorter step is asked for
    TooCurved,
    /// the user, or a limit, ended the work
    Interrupted,
}

struct Run<'a> {
    problem: &'a mut dyn LeastSquares,
    record: Record,
    free: Vec<usize>,
    settings: &'a Settings,
}

impl Run<'_> {
    fn solve(mut self, start: &[f64], callback: Callback<'_>) -> Outcome {
        let mut theta = start.to_vec();
        self.record.project(&mut theta);
        self.make_interior(&mut theta);
        let mut point = match self.evaluate(theta) {
            Ok(point) => point,
            Err(error) => return self.record.stopped(start, error),
        };
        let m = self.free.len();
        let mut columns = DVector::<f64>::zeros(m);
        let mut correction = DMatrix::<f64>::zeros(m, m);
        let mut corrected = false;
        let mut radius = 0.0;
        let mut iteration = 0;
        let mut step_norm = 0.0;
        let mut stall = Stall::new(6);

        let status = 'run: loop {
            let gradient_norm = self.record.norm(&point.theta, &point.gradient);
            let progress = self.record.note(Progress {
                iteration,
                value: point.value,
                gradient_norm,
                step_norm,
            });
            if !callback(&progress, &point.theta) {
                break Status::Interrupted;
            }
            if gradient_norm <= self.settings.gradient_tolerance || m == 0 {
                break Status::Converged;
            }
            if stall.is_over() {
                break Status::SmallChange;
            }
            if iteration >= self.settings.max_iterations {
                break Status::MaxIterations;
            }

            for (largest, column) in columns.iter_mut().zip(point.jacobian.column_iter()) {
                *largest = largest.max(column.norm());
            }
            let scaling = self.scaling(&point, &columns);
            if radius == 0.0 {
                radius = self.first_radius(&point, &scaling);
            }
            let mut model_of = None;
            let mut rejections = 0;
            loop {
                if model_of.is_none() {
                    model_of = self.model(&point, &scaling, corrected.then_some(&correction));
                }
                let Some((model, basis)) = &model_of else {
                    if corrected {
                        corrected = false;
                        continue;
                    }
                    break 'run Status::SmallStep;
                };
                let (mut step, coordinates) = self.step(&point, &scaling, model, basis, radius);
                let predicted = -model.value(&coordinates);
                let length = norm(&coordinates);
                let tolerance = self.settings.step_tolerance;
                let small = self
                    .free
                    .iter()
                    .zip(&step)
                    .all(|(&i, s)| s.abs() <= tolerance * (point.theta[i].abs() + tolerance));
                if small || predicted.is_nan() || rejections > 60 {
                    break 'run Status::SmallStep;
                }
                if self.record.exhausted(self.settings) {
                    break 'run Status::MaxIterations;
                }
                if self.settings.geodesic_acceleration && predicted > LEVEL * point.scale() {
                    let plain = Plain {
                        model,
                        basis,
                        step: &step,
                        coordinates: &coordinates,
                    };
                    match self.acceleration(&point, &scaling, &plain) {
                        Ok(None) => {}
                        Ok(Some(half)) => step = half,
                        Err(Refused::TooCurved) => {
                            radius = 0.5 * length;
                            rejections += 1;
                            continue;
                        }
                        Err(Refused::Interrupted) => break 'run Status::Interrupted,
                    }
                }
                let mut theta = point.theta.clone();
                for (&i, s) in self.free.iter().zip(&step) {
                    theta[i] += s;
                }
                self.record.project(&mut theta);
                self.make_interior(&mut theta);
                let trial = match self.evaluate(theta) {
                    Ok(trial) => trial,
                    Err(EvaluationError::Interrupted) => break 'run Status::Interrupted,
                    Err(EvaluationError::Failed { .. }) => {
                        radius = 0.25 * length;
                        rejections += 1;
                        continue;
                    }
                };
                let actual = point.value - trial.value;
                // Where the value's last digits decide nothing, the slopes at both ends do.
                let scale = point.scale().max(trial.scale());
                let level = predicted <= LEVEL * scale && actual.abs() <= LEVEL * scale;
                let trial_norm = self.record.norm(&trial.theta, &trial.gradient);
                let ratio = if !level {
                    actual / predicted
                } else if trial_norm <= 0.5 * gradient_norm {
                    // Beside a bound a step may trade a last digit of the value for the first-order conditions.
                    1.0
                } else if trial_norm < gradient_norm || actual > 0.0 {
                    let (s, y) = self.differences(&point, &trial);
                    let slope: f64 = self
                        .free
                        .iter()
                        .zip(&s)
                        .map(|(&i, s)| point.gradient[i] * s)
                        .sum();
                    -(slope + 0.5 * dot(s.as_slice(), y.as_slice())) / predicted
                } else {
                    0.0
                };
                if ratio < 0.25 {
                    radius = 0.25 * length;
                } else if ratio > 0.75 && length > 0.95 * radius {
                    radius *= 2.0;
                }
                let other = self.judge(&point, &trial, &scaling, &correction, corrected);
                if ratio > 1e-4 && predicted > 0.0 {
                    self.update(&mut correction, &point, &trial);
                    corrected = other;
                    let still = actual.abs() <= self.settings.value_tolerance * scale;
                    stall.note(level || still, trial_norm);
                    step_norm = norm(&step);
                    point = trial;
                    break;
                }
                // Neither value nor slope falls, and the model says nothing of note is left.
                if level && predicted <= 8.0 * f64::EPSILON * scale {
                    break 'run Status::SmallChange;
                }
                rejections += 1;
                if other != corrected {
                    corrected = other;
                    model_of = None;
                }
            }
            iteration += 1;
        };
        self.snap(&mut point);
        // The bound's exact value may be what brings the projected gradient down.
        let status = match status {
            Status::SmallStep | Status::SmallChange
                if self.record.norm(&point.theta, &point.gradient)
                    <= self.settings.gradient_tolerance =>
            {
                Status::Converged
            }
            other => other,
        };
        self.record
            .finish(point.theta, point.value, point.gradient, status)
    }

    fn evaluate(&mut self, theta: Vec<f64>) -> Result<Point, EvaluationError> {
        let (k, m) = (self.problem.residuals(), theta.len());
        let mut r = DVector::zeros(k);
        let mut full = DMatrix::zeros(k, m);
        let value = self.record.value_residuals(
            self.problem,
            &theta,
            r.as_mut_slice(),
            full.as_mut_slice(),
        )?;
        let gradient: Vec<f64> = full.column_iter().map(|c| c.dot(&r)).collect();
        if gradient.iter().any(|g| !g.is_finite()) {
            return Err(EvaluationError::Failed {
                reason: "the gradient is not finite".into(),
            });
        }
        let jacobian = if self.free.len() == m {
            full
        } else {
            full.select_columns(&self.free)
        };
        Ok(Point {
            theta,
            value,
            r,
            jacobian,
            gradient,
        })
    }

    /// Moves free variables off their bounds by a hair: the scaling needs a distance.
    fn make_interior(&self, theta: &mut [f64]) {
        const HAIR: f64 = 1e-15;
        for &i in &self.free {
            let (l, u) = (self.record.lower[i], self.record.upper[i]);
            if theta[i] <= l {
                theta[i] = l + HAIR * l.abs().max(1e-3);
            } else if theta[i] >= u {
                theta[i] = u - HAIR * u.abs().max(1e-3);
            }
            if !(theta[i] > l && theta[i] < u) {
                theta[i] = l + 0.5 * (u - l);
            }
        }
    }

    fn scaling(&self, point: &Point, columns: &DVector<f64>) -> Scaling {
        let m = self.free.len();
        let mut d = DVector::zeros(m);
        let mut c = DVector::zeros(m);
        for (j, &i) in self.free.iter().enumerate() {
            let unit = if columns[j] > 0.0 {
                1.0 / columns[j]
            } else {
                1.0
            };
            let g = point.gradient[i];
            let distance = if g < 0.0 {
                self.record.upper[i] - point.theta[i]
            } else if g > 0.0 {
                point.theta[i] - self.record.lower[i]
            } else {
                f64::INFINITY
            };
            if distance.is_finite() {
                d[j] = (distance * unit).sqrt();
                c[j] = g.abs() * unit;
            } else {
                d[j] = unit;
            }
        }
        Scaling { d, c }
    }

    fn first_radius(&self, point: &Point, scaling: &Scaling) -> f64 {
        if let Some(radius) = self.settings.initial_radius.filter(|r| *r > 0.0) {
            return radius;
        }
        let size = self
            .free
            .iter()
            .enumerate()
            .map(|(j, &i)| (point.theta[i] / scaling.d[j]).powi(2))
            .sum::<f64>()
            .sqrt();
        if size.is_finite() && size > 0.0 {
            size
        } else {
            1.0
        }
    }

    /// The model's eigenvalues and slopes, and its eigenbasis; `None` where none is found.
    fn model(
        &self,
        point: &Point,
        scaling: &Scaling,
        correction: Option<&DMatrix<f64>>,
    ) -> Option<(Model, DMatrix<f64>)> {
        let m = self.free.len();
        let k = point.r.len();
        let Scaling { d, c } = scaling;
        if let Some(correction) = correction {
            let mut hessian = point.jacobian.tr_mul(&point.jacobian) + correction;
            for j in 0..m {
                for i in 0..m {
                    hessian[(i, j)] *= d[i] * d[j];
                }
                hessian[(j, j)] += c[j];
            }
            if hessian.iter().any(|h| !h.is_finite()) {
                return None;
            }
            let eigen = SymmetricEigen::try_new(hessian, f64::EPSILON, 1000)?;
            let scaled = DVector::from_fn(m, |j, _| d[j] * point.gradient[self.free[j]]);
            let slope = eigen.eigenvectors.tr_mul(&scaled);
            let model = Model {
                lambda: eigen.eigenvalues.as_slice().to_vec(),
                slope: slope.as_slice().to_vec(),
            };
            return Some((model, eigen.eigenvectors));
        }
        // [J D; sqrt(C)] has J D's squares plus C for its own, and its residual is (r, 0).
        let mut stacked = DMatrix::zeros(k + m, m);
        for j in 0..m {
            for i in 0..k {
                stacked[(i, j)] = point.jacobian[(i, j)] * d[j];
            }
            stacked[(k + j, j)] = c[j].sqrt();
        }
        if stacked.iter().any(|x| !x.is_finite()) {
            return None;
        }
        let mut f = DVector::zeros(k + m);
        f.rows_mut(0, k).copy_from(&point.r);
        let svd = jacobi_svd::decompose(stacked, &f)?;
        let largest = svd.singular.iter().copied().fold(0.0, f64::max);
        let negligible = largest * f64::EPSILON * m as f64;
        let mut model = Model {
            lambda: Vec::with_capacity(m),
            slope: Vec::with_capacity(m),
        };
        for (&s, &u) in svd.singular.iter().zip(svd.utf.iter()) {
            let kept = s > negligible;
            model.lambda.push(if kept { s * s } else { 0.0 });
            model.slope.push(if kept { s * u } else { 0.0 });
        }
        Some((model, svd.v))
    }

    /// The step over the free variables, and its coordinates in the model's basis.
    fn step(
        &self,
        point: &Point,
        scaling: &Scaling,
        model: &Model,
        basis: &DMatrix<f64>,
        radius: f64,
    ) -> (Vec<f64>, Vec<f64>) {
        let pick = |f: &dyn Fn(usize) -> f64| {
            DVector::from_iterator(self.free.len(), self.free.iter().map(|&i| f(i)))
        };
        let room = Room {
            below: pick(&|i| self.record.lower[i] - point.theta[i]),
            above: pick(&|i| self.record.upper[i] - point.theta[i]),
            d: &scaling.d,
        };
        let gradient = pick(&|i| point.gradient[i]).component_mul(&scaling.d);
        // Closer to the bound as the run converges, so that the last steps are not held back.
        let measure = self.record.norm(&point.theta, &point.gradient);
        let short = (1.0 - measure).max(0.995);
        let p = room.step(model, basis, &gradient, radius, short);
        (
            p.component_mul(&scaling.d).as_slice().to_vec(),
            basis.tr_mul(&p).as_slice().to_vec(),
        )
    }

    /// The step with its geodesic acceleration, v + a / 2, where that stays inside the box; `None` where the plain step is
    /// better left alone.
    ///
    /// a = -(B + alpha)^-1 J^T r_vv in the scaled variables, B + alpha the damped model that gave v, and r_vv the second
    /// derivative of the residuals along v, from the Jacobian at a tenth of the way.
    fn acceleration(
        &mut self,
        point: &Point,
        scaling: &Scaling,
        plain: &Plain<'_>,
    ) -> Result<Option<Vec<f64>>, Refused> {
        const PART: f64 = 0.1;
        const MOST: f64 = 0.75;
        let mut theta = point.theta.clone();
        for (&i, s) in self.free.iter().zip(plain.step) {
            theta[i] += PART * s;
        }
        let near = match self.evaluate(theta) {
            Ok(near) => near,
            Err(EvaluationError::Interrupted) => return Err(Refused::Interrupted),
            Err(EvaluationError::Failed { .. }) => return Err(Refused::TooCurved),
        };
        let v = DVector::from_column_slice(plain.step);
        let second = ((&near.jacobian - &point.jacobian) * &v) / PART;
        let pull = point.jacobian.tr_mul(&second).component_mul(&scaling.d);
        let pull = plain.basis.tr_mul(&pull);
        let damping = plain.model.damping(plain.coordinates);
        let floor = f64::EPSILON * plain.model.lambda.iter().copied().fold(0.0, f64::max);
        let a: Vec<f64> = plain
            .model
            .lambda
            .iter()
            .zip(pull.iter())
            .map(|(l, w)| {
                let stiffness = l + damping;
                if stiffness > floor {
                    -w / stiffness
                } else {
                    0.0
                }
            })
            .collect();
        let size = norm(&a);
        if !size.is_finite() {
            return Ok(None);
        }
        if 2.0 * size > MOST * norm(plain.coordinates) {
            return Err(Refused::TooCurved);
        }
        let half = (plain.basis * DVector::from_vec(a)).component_mul(&scaling.d) * 0.5;
        let both: Vec<f64> = plain
            .step
            .iter()
            .zip(half.iter())
            .map(|(s, h)| s + h)
            .collect();
        let inside = self.free.iter().zip(&both).all(|(&i, s)| {
            let x = point.theta[i] + s;
            x > self.record.lower[i] && x < self.record.upper[i]
        });
        Ok(inside.then_some(both))
    }

    /// Whether the corrected model should make the next step: the one that foretold the trial's gradient better.
    fn judge(
        &self,
        point: &Point,
        trial: &Point,
        scaling: &Scaling,
        correction: &DMatrix<f64>,
        corrected: bool,
    ) -> bool {
        let (step, change) = self.differences(point, trial);
        let gauss_newton = point.jacobian.tr_mul(&(&point.jacobian * &step));
        let missing = change - gauss_newton;
        let plain = missing.component_mul(&scaling.d).norm();
        let better = (missing - correction * step)
            .component_mul(&scaling.d)
            .norm();
        // A margin against changing back and forth.
        if corrected {
            better <= 1.2 * plain
        } else {
            better < 0.7 * plain
        }
    }

    /// The Dennis-Gay-Welsch update of S for an accepted step.
    fn update(&self, correction: &mut DMatrix<f64>, point: &Point, trial: &Point) {
        let (step, y) = self.differences(point, trial);
        let curvature = y.dot(&step);
        if curvature <= 1e-14 * y.norm() * step.norm() {
            return;
        }
        let wanted = (&trial.jacobian - &point.jacobian).tr_mul(&trial.r);
        let held = step.dot(&(&*correction * &step));
        let asked = step.dot(&wanted);
        if held.abs() > asked.abs() {
            *correction *= (asked / held).abs();
        }
        let w = wanted - &*correction * &step;
        let inner = w.dot(&step);
        let outer = &w * y.transpose();
        *correction += (&outer + outer.transpose()) / curvature
            - &y * y.transpose() * (inner / (curvature * curvature));
        if correction.iter().any(|x| !x.is_finite()) {
            correction.fill(0.0);
        }
    }

    /// Step and change of gradient between two points, over the free variables.
    fn differences(&self, point: &Point, trial: &Point) -> (DVector<f64>, DVector<f64>) {
        let pick = |a: &[f64], b: &[f64]| {
            DVector::from_iterator(self.free.len(), self.free.iter().map(|&i| a[i] - b[i]))
        };
        (
            pick(&trial.theta, &point.theta),
            pick(&trial.gradient, &point.gradient),
        )
    }

    /// Puts variables held by a bound exactly on it, if that costs nothing.
    fn snap(&mut self, point: &mut Point) {
        let mut theta = point.theta.clone();
        for &i in &self.free {
            let g = point.gradient[i];
            let bound = if g > 0.0 {
                self.record.lower[i]
            } else if g < 0.0 {
                self.record.upper[i]
            } else {
                continue;
            };
            let distance = (theta[i] - bound).abs();
            if distance <= g.abs() && distance <= 1e-6 * bound.abs().max(1.0) {
                theta[i] = bound;
            }
        }
        if theta == point.theta {
            return;
        }
        if let Ok(trial) = self.evaluate(theta) {
            let noise = LEVEL * point.scale();
            // An exact bound is worth a little gradient, but never a run's convergence.
            let before = self.record.norm(&point.theta, &point.gradient);
            let after = self.record.norm(&trial.theta, &trial.gradient);
            let tolerance = self.settings.gradient_tolerance;
            let limit = if before <= tolerance {
                tolerance
            } else {
                4.0 * before
            };
            if trial.value <= point.value + noise && after <= limit {
                *point = trial;
            }
        }
    }
}
