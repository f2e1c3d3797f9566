//! A line search for the strong Wolfe conditions that survives points without a value.
//!
//! Along phi(a) = f(x + a d), phi'(0) < 0, 0 < a <= `longest`, it looks for
//!
//! ```text
//! phi(a) <= phi(0) + c1 a phi'(0)      and      |phi'(a)| <= c2 |phi'(0)|
//! ```
//!
//! by bracketing and cubic interpolation (Nocedal & Wright, Numerical Optimization, 2006, algorithms 3.5 and 3.6).
//! An evaluation that fails counts as +infinity: the bracket closes from that side by bisection. Where phi(a) equals
//! phi(0) to ten digits, the first condition is replaced by the approximate one of Hager & Zhang (SIAM J. Optim. 16,
//! 2005), which needs slopes only, so that the last digits can still be won.

use super::outcome::Settings;
use super::problem::{EvaluationError, Problem};
use super::record::{LEVEL, Record, dot};

const SUFFICIENT: f64 = 1e-4;
const CURVATURE: f64 = 0.9;
const TRIALS: usize = 20;

/// A point along the line with its value and gradient.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub theta: Vec<f64>,
    pub value: f64,
    pub gradient: Vec<f64>,
    /// multiple of the direction
    length: f64,
    slope: f64,
}

/// The far end of the bracket; a failed evaluation has no value there.
struct Far {
    length: f64,
    known: Option<(f64, f64)>,
}

/// Searches from `theta` along `direction`; `None` where no lower point was found.
#[expect(
    clippy::too_many_arguments,
    reason = "a line is a point, a value, a gradient and a direction, and the run around it"
)]
pub(super) fn search(
    problem: &mut dyn Problem,
    record: &mut Record,
    settings: &Settings,
    theta: &[f64],
    value: f64,
    gradient: &[f64],
    direction: &[f64],
    first: f64,
    longest: f64,
) -> Result<Option<Sample>, EvaluationError> {
    let slope = dot(gradient, direction);
    if slope.is_nan() || slope >= 0.0 {
        return Ok(None);
    }
    let noise = LEVEL * value.abs();
    let mut near = Sample {
        theta: theta.to_vec(),
        value,
        gradient: gradient.to_vec(),
        length: 0.0,
        slope,
    };
    let mut far: Option<Far> = None;
    let mut length = first.min(longest);
    let mut outer = 0.0;
    for _ in 0..TRIALS {
        if record.exhausted(settings) || length <= 0.0 {
            break;
        }
        let mut trial = theta.to_vec();
        for (x, d) in trial.iter_mut().zip(direction) {
            *x += length * d;
        }
        record.project(&mut trial);
        if trial == near.theta {
            break;
        }
        let mut trial_gradient = vec![0.0; theta.len()];
        let evaluated = match record.value_gradient(problem, &trial, &mut trial_gradient) {
            Ok(value) => Some(value),
            Err(EvaluationError::Failed { .. }) => None,
            Err(EvaluationError::Interrupted) => {
                return if near.length > 0.0 {
                    Ok(Some(near))
                } else {
                    Err(EvaluationError::Interrupted)
                };
            }
        };
        if let Some(trial_value) = evaluated {
            let sample = Sample {
                slope: dot(&trial_gradient, direction),
                theta: trial,
                value: trial_value,
                gradient: trial_gradient,
                length,
            };
            let level = (sample.value - value).abs() <= noise;
            let approximate = level
                && sample.slope <= (2.0 * SUFFICIENT - 1.0) * slope
                && sample.slope >= CURVATURE * slope;
            if approximate {
                return Ok(Some(sample));
            }
            let low_enough = sample.value <= value + SUFFICIENT * length * slope;
            if !low_enough || (sample.value >= near.value && !level) {
                far = Some(Far {
                    length,
                    known: Some((sample.value, sample.slope)),
                });
            } else if sample.slope.abs() <= CURVATURE * slope.abs() {
                return Ok(Some(sample));
            } else {
                let outward = far.as_ref().map_or(1.0, |f| f.length - near.length);
                if sample.slope * outward >= 0.0 {
                    far = Some(Far {
                        length: near.length,
                        known: Some((near.value, near.slope)),
                    });
                } else if length >= longest {
                    // Downhill all the way to the bound: the bound is the answer.
                    return Ok(Some(sample));
                }
                // Where the slope would vanish if it went on as it did, between twice and twenty times as far.
                let secant = sample.slope * (length - near.length) / (near.slope - sample.slope);
                let farthest = 20.0 * length;
                let gone = length + secant;
                outer = if gone > length {
                    gone.max(2.0 * length).min(farthest)
                } else {
                    farthest
                };
                near = sample;
            }
        } else {
            far = Some(Far {
                length,
                known: None,
            });
        }
        length = match &far {
            None => outer.min(longest),
            Some(far) => inside(&near, far),
        };
    }
    Ok((near.length > 0.0 && near.value < value).then_some(near))
}

/// The next trial inside the bracket: the cubic's minimizer, kept off the ends.
fn inside(near: &Sample, far: &Far) -> f64 {
    let width = far.length - near.length;
    let fraction = match far.known {
        None => 0.25,
        Some((value, slope)) => {
            let (s0, s1) = (near.slope * width, slope * width);
            let theta = 3.0 * (near.value - value) + s0 + s1;
            let discriminant = theta * theta - s0 * s1;
            if discriminant >= 0.0 {
                // On a unit interval, oriented from near to far, where s0 < 0.
                let root = discriminant.sqrt();
                1.0 - (s1 + root - theta) / (s1 - s0 + 2.0 * root)
            } else {
                0.5
            }
        }
    };
    let fraction = if fraction.is_finite() {
        fraction.clamp(0.1, 0.9)
    } else {
        0.5
    };
    near.length + fraction * width
}
