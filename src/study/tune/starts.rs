//! Where searches begin: the file's values, and points spread over the bounds, where one search might end in a minimum of its own.
//!
//! A control is drawn as a level that it holds all the time: knots drawn one by one would shake a plant about its file's values and send it
//! nowhere. States at cuts begin with their guesses.

use super::problem::TuneProblem;
use crate::optimize::{Sampling, spread};
use crate::scenario::SignalKind;

/// How far controls without bounds are drawn, in units of their first guess, which counts at least 1.
const WIDE: f64 = 10.0;

/// First guesses of what is found, on the search scale, the file's values first; the last `kept` variables are never drawn.
pub(super) fn starts(
    problem: &TuneProblem<'_>,
    count: usize,
    seed: u64,
    kept: usize,
) -> Vec<Vec<f64>> {
    let given = problem.given();
    let drawn = given.len() - kept;
    let control = |k: usize| {
        let parameter = problem.indices[k];
        let signals = &problem.study.scenario.signals;
        signals.iter().position(|signal| {
            let SignalKind::Knots { first, count, .. } = signal.kind else {
                return false;
            };
            (first..first + count).contains(&parameter)
        })
    };
    // of each variable the coordinate that it follows, and of each coordinate a variable
    let mut coordinates: Vec<(Option<usize>, usize)> = Vec::new();
    let mut of = Vec::with_capacity(drawn);
    for k in 0..drawn {
        let own = control(k);
        let known = own.and_then(|_| coordinates.iter().position(|(c, _)| *c == own));
        of.push(known.unwrap_or(coordinates.len()));
        if known.is_none() {
            coordinates.push((own, k));
        }
    }
    let (lower, upper) = problem.variable_bounds();
    let pick =
        |values: &[f64]| -> Vec<f64> { coordinates.iter().map(|&(_, k)| values[k]).collect() };
    let (mut low, mut high) = (pick(lower), pick(upper));
    for (place, &(control, k)) in coordinates.iter().enumerate() {
        // the size of a control without bounds is not known from where it begins, which is mostly 0
        let reach = WIDE * given[k].abs().max(1.0);
        if control.is_some() && !(low[place].is_finite() && high[place].is_finite()) {
            low[place] = low[place].max(given[k] - reach);
            high[place] = high[place].min(given[k] + reach);
        }
    }
    let sides = (&low[..], &high[..]);
    let points = spread(Sampling::Sobol, &pick(&given), sides, count, seed);
    let place = |(number, point): (usize, Vec<f64>)| {
        let mut x = given.clone();
        // (the first is what the file says, knot by knot)
        for k in 0..if number == 0 { 0 } else { drawn } {
            x[k] = point[of[k]].max(lower[k]).min(upper[k]);
        }
        x
    };
    points.into_iter().enumerate().map(place).collect()
}
