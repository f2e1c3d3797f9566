//! How far a gradient can be trusted: checks of it by other roads, in random directions of the variables.
//!
//! A direction v has |v_i| = |p_i| up to a random factor of -1 to 1 (1 where p_i = 0), so that all variables count alike, and
//! a directional derivative is compared relative to `sqrt(sum (v_i g_i)^2)`, which does not cancel.
//!
//! 1. *Forward against backward:* dual numbers along v and the adjoint's gradient differentiate the same steps by different
//!    programs. What differs beyond rounding is a bug, or rounding errors that the problem multiplies.
//! 2. *Against differences* of the frozen steps, which no derivative enters: good to some 6 digits.
//! 3. *Against tighter steps:* the derivative of a discrete solve is as good as its steps, which follow the states alone. A solve
//!    at a tenth of the tolerance (or half the step) whose error test covers the derivatives, too, shows what that leaves; a start
//!    at rest, where the states say nothing of how fast derivatives grow, is found so.
//! 4. *Against the solution:* the continuous adjoint along the dense output differentiates no step at all, with an error
//!    control of its own. (Not where there is a mass matrix, or steps follow the derivatives.)
//! 5. *Growth:* by how much the run multiplies a small change of its initial states, each in units of its largest size
//!    (exp of the finite-time Lyapunov exponent times the span). Where that is a million, a gradient is no guide to anything but
//!    the next few roundings.
//! 6. *Jumps:* where f jumps and no event says so, all of the above agree on derivatives that do not see the jump move.

use costate_adjoint::Dual;
use costate_solvers::record::Samples;
use costate_solvers::{ErrorNorm, Tolerance};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::any_solver::ANY_WIDTH;
use super::error::StudyError;
use super::gradient::{GradientOf, check_variables, derivatives};
use super::kinks::{Meeting, Met, meetings};
use super::lane::Lane;
use super::nudge::Nudge;
use super::run::Run;
use super::variable::Variable;
use super::{Solving, Study};
use crate::scenario::GradientMethod;

/// Directions in which the gradient is tried.
const DIRECTIONS: usize = 4;
/// Variables whose derivatives are compared with differences: those that count most.
const DIFFERENCES: usize = 8;
/// Samples of the run that say how large its states are.
const SAMPLES: usize = 50;

/// Bounds of what passes: relative differences, and the growth.
const FORWARD_BACKWARD: f64 = 1e-6;
const BY_DIFFERENCES: f64 = 1e-3;
const BY_TOLERANCE: f64 = 1e-2;
const GROWTH: f64 = 1e6;

/// What the checks found. A check that could not be made says why.
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    /// largest difference of directional derivatives, forward and backward
    pub forward_backward: Result<f64, String>,
    /// largest difference from differences of the frozen steps
    pub differences: Result<f64, String>,
    /// largest difference from the tighter solve
    pub tolerance: Result<f64, String>,
    /// largest difference from the continuous adjoint, where there is one
    pub continuous: Option<Result<f64, String>>,
    /// by how much changes of the initial states grow
    pub growth: Result<f64, String>,
    /// kinks, jumps and singular points that the runs meet
    pub met: Result<Vec<Met>, String>,
}

impl Certificate {
    /// What is wrong with the gradient, check by check; empty where all is well.
    pub fn objections(&self) -> Vec<String> {
        let mut all = Vec::new();
        let mut judge =
            |found: &Result<f64, String>, bound: f64, what: &dyn Fn(f64) -> String| match found {
                Ok(value) if *value <= bound => {}
                Ok(value) => all.push(what(*value)),
                Err(why) => all.push(why.clone()),
            };
        judge(&self.forward_backward, FORWARD_BACKWARD, &|e| {
            format!("forward and backward derivatives of the same steps differ by {e:.1e}")
        });
        judge(&self.differences, BY_DIFFERENCES, &|e| {
            format!("differences of the same steps differ by {e:.1e}")
        });
        judge(&self.tolerance, BY_TOLERANCE, &|e| {
            format!(
                "unreliable: it changes by {e:.1e} of its size when the steps are made to follow it, too; set `error_control = true` in `[gradient]`, a tighter `rtol` or a `max_step`"
            )
        });
        if let Some(continuous) = &self.continuous {
            judge(continuous, BY_TOLERANCE, &|e| {
                format!(
                    "unreliable: the derivative of the solution between the steps differs by {e:.1e} of its size from that of the steps; set a tighter `rtol` or a `max_step`"
                )
            });
        }
        judge(&self.growth, GROWTH, &|e| {
            format!(
                "unreliable: the run multiplies small changes by {e:.1e}, so that the gradient tells nothing of the next step; shorten the span, or fit piece by piece"
            )
        });
        match &self.met {
            Ok(met) => {
                let jumps = met.iter().filter(|met| met.meeting == Meeting::Jump);
                all.extend(jumps.map(Met::message));
            }
            Err(why) => all.push(why.clone()),
        }
        all
    }
}

/// Checks the gradient of the data objective or of a functional at natural parameters `p`; `seed` chooses the directions.
pub fn certify(
    study: &Study,
    solving: &Solving,
    of: GradientOf<'_>,
    p: &[f64],
    variables: &[Variable],
    seed: u64,
) -> Result<Certificate, StudyError> {
    check_variables(study, of, variables)?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let sizes: Vec<f64> = variables.iter().map(|v| size(*v, p)).collect();
    let directions: Vec<Vec<f64>> = (0..DIRECTIONS)
        .map(|_| {
            let along = sizes.iter().map(|s| s * random.random_range(-1.0..1.0));
            along.collect()
        })
        .collect();
    // the same steps for every road: those that follow the states
    let mut plain = solving.clone();
    plain.options.error_norm = ErrorNorm::Values;
    let forward = along(study, &plain, of, p, variables, &directions)?;
    let how = match plain.adjoint() {
        Ok(_) => GradientMethod::Adjoint,
        Err(_) => GradientMethod::Dual,
    };
    let backward = derivatives(study, &plain, of, how, p, variables);
    let g = match &backward {
        Ok(backward) => backward,
        Err(error) => return Ok(none(&error.to_string())),
    };
    // the scale of a directional derivative, which does not vanish where its terms cancel
    let scales: Vec<f64> = directions
        .iter()
        .map(|v| {
            v.iter()
                .zip(g)
                .map(|(v, g)| (v * g).powi(2))
                .sum::<f64>()
                .sqrt()
        })
        .collect();
    let against = |one: &[f64], other: &[f64]| {
        let terms = one.iter().zip(other).zip(&scales);
        terms.fold(0.0_f64, |worst, ((a, b), scale)| {
            let difference = (a - b).abs();
            // (NaN is the worst of all)
            match difference == 0.0 {
                true => worst,
                false if difference.is_nan() => f64::INFINITY,
                false => worst.max(difference / scale),
            }
        })
    };
    let along_directions = |g: &[f64]| -> Vec<f64> {
        let product = |v: &Vec<f64>| v.iter().zip(g).map(|(v, g)| v * g).sum();
        directions.iter().map(product).collect()
    };
    let products = along_directions(g);
    let asked = match solving.options.error_norm {
        ErrorNorm::Values => forward.clone(),
        ErrorNorm::WithTangents => along(study, solving, of, p, variables, &directions)?,
    };
    let tighter = along(study, &tighter(solving), of, p, variables, &directions);
    Ok(Certificate {
        forward_backward: Ok(against(&forward, &products)),
        differences: by_differences(study, &plain, of, p, (variables, &sizes, g)),
        tolerance: tighter
            .map(|other| against(&asked, &other))
            .map_err(|error| format!("the tighter solve failed: {error}")),
        continuous: match solving.of_adjoint(study, GradientMethod::ContinuousAdjoint) {
            Ok(solving) if solving.adjoint().is_ok() => {
                let how = GradientMethod::ContinuousAdjoint;
                let found = derivatives(study, &plain, of, how, p, variables);
                Some(match found {
                    Ok(found) => Ok(against(&along_directions(&found), &products)),
                    Err(error) => Err(format!("the continuous adjoint failed: {error}")),
                })
            }
            _ => None,
        },
        growth: growth(study, solving, p, &mut random).map_err(|error| error.to_string()),
        met: meetings(study, &plain, of, p).map_err(|error| error.to_string()),
    })
}

fn none(why: &str) -> Certificate {
    let failed = || Err(why.to_owned());
    Certificate {
        forward_backward: failed(),
        differences: failed(),
        tolerance: failed(),
        continuous: None,
        growth: failed(),
        met: Err(why.to_owned()),
    }
}

fn size(variable: Variable, p: &[f64]) -> f64 {
    match variable {
        Variable::Parameter(i) if p[i] != 0.0 => p[i].abs(),
        _ => 1.0,
    }
}

/// The same at a tenth of the tolerance, the derivatives in the error test, or at half the step.
fn tighter(solving: &Solving) -> Solving {
    let mut solving = solving.clone();
    let options = &mut solving.options;
    options.rtol = (0.1 * options.rtol).max(1e-14);
    match &mut options.atol {
        Tolerance::Uniform(atol) => *atol *= 0.1,
        Tolerance::PerState(all) => all.iter_mut().for_each(|atol| *atol *= 0.1),
    }
    options.error_norm = ErrorNorm::WithTangents;
    options.step = options.step.map(|step| 0.5 * step);
    solving
}

/// Derivatives along the directions by dual numbers, one solve for all.
fn along(
    study: &Study,
    solving: &Solving,
    of: GradientOf<'_>,
    p: &[f64],
    variables: &[Variable],
    directions: &[Vec<f64>],
) -> Result<Vec<f64>, StudyError> {
    type D = Dual<ANY_WIDTH>;
    let mut seeded: Vec<D> = p.iter().map(|&v| D::from(v)).collect();
    let seed = |v: usize| {
        let mut seed = D::from(0.0);
        for (tangent, direction) in seed.tangent.iter_mut().zip(directions) {
            *tangent = direction[v];
        }
        seed
    };
    for (v, variable) in variables.iter().enumerate() {
        if let Variable::Parameter(i) = *variable {
            seeded[i] += seed(v);
        }
    }
    let nudge = Nudge::of(variables, seed);
    let data = || {
        let mut lane = Lane::<D>::new(study)?;
        let misfit = lane.objective(study, solving, None, &seeded, &nudge)?;
        Ok(misfit + super::prior::shares(study, p, &seeded))
    };
    let total = match of {
        GradientOf::Data => data()?,
        GradientOf::Functional(functional) => {
            functional.over(study, solving, &seeded, &nudge, data)?
        }
    };
    Ok(total.tangent[..directions.len()].to_vec())
}

/// The largest difference from differences of the frozen steps, for the variables that count most.
fn by_differences(
    study: &Study,
    solving: &Solving,
    of: GradientOf<'_>,
    p: &[f64],
    (variables, sizes, g): (&[Variable], &[f64], &[f64]),
) -> Result<f64, String> {
    let weight = |k: usize| (sizes[k] * g[k]).abs();
    let mut order: Vec<usize> = (0..variables.len()).collect();
    order.sort_by(|&a, &b| weight(b).total_cmp(&weight(a)));
    order.truncate(DIFFERENCES);
    let chosen: Vec<Variable> = order.iter().map(|&k| variables[k]).collect();
    let how = GradientMethod::FiniteDifference;
    let found =
        derivatives(study, solving, of, how, p, &chosen).map_err(|error| error.to_string())?;
    let norm = order.iter().map(|&k| weight(k).powi(2)).sum::<f64>().sqrt();
    let off = order
        .iter()
        .zip(&found)
        .map(|(&k, d)| (sizes[k] * (d - g[k])).powi(2));
    let off = off.sum::<f64>().sqrt();
    Ok(if off == 0.0 { 0.0 } else { off / norm })
}

/// By how much the first experiment's run multiplies changes of its initial states.
fn growth(
    study: &Study,
    solving: &Solving,
    p: &[f64],
    random: &mut ChaCha8Rng,
) -> Result<f64, StudyError> {
    type D = Dual<ANY_WIDTH>;
    let fail = |error| study.run_error(error, 0);
    let mut run = Run::<D>::new(&study.equations);
    let (start, end) = (study.scenario.start, study.scenario.end);
    let seeded: Vec<D> = p.iter().map(|&v| D::from(v)).collect();
    run.prepare(0, &seeded, start, end).map_err(fail)?;
    let times = (0..=SAMPLES).map(|k| start + (end - start) * k as f64 / SAMPLES as f64);
    let mut samples = Samples::new(times.map(D::from).collect()).map_err(|e| fail(e.into()))?;
    // sizes first: a plain solve would do, but this is the same code
    run.solve(solving.stepper, &solving.options, None, &mut samples)
        .map_err(fail)?;
    let n = run.x.len();
    let mut sizes = vec![0.0_f64; n];
    for x in samples.values().chunks_exact(n.max(1)) {
        for (size, x) in sizes.iter_mut().zip(x) {
            *size = size.max(x.value.abs());
        }
    }
    // (of a state that never moves nothing is known)
    sizes
        .iter_mut()
        .filter(|size| **size == 0.0)
        .for_each(|size| *size = 1.0);
    run.prepare(0, &seeded, start, end).map_err(fail)?;
    let mut before = [0.0; DIRECTIONS];
    for (x, size) in run.x.iter_mut().zip(&sizes) {
        for (k, norm) in before.iter_mut().enumerate() {
            let v: f64 = random.random_range(-1.0..1.0);
            x.tangent[k] = v * size;
            *norm += v * v;
        }
    }
    run.solve(solving.stepper, &solving.options, None, &mut samples)
        .map_err(fail)?;
    let mut largest = 0.0_f64;
    for (k, before) in before.iter().enumerate() {
        let terms = run.x.iter().zip(&sizes);
        let after: f64 = terms.map(|(x, size)| (x.tangent[k] / size).powi(2)).sum();
        largest = largest.max((after / before).sqrt());
    }
    Ok(largest)
}
