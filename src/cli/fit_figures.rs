//! What a fit's residuals and starts say of it: Q-Q plots and parallel coordinates.

use costate::report::figure::{ParallelCoordinates, QuantilePanel, QuantilePlot, StartEnd};
use costate::scenario::{Parameter, Scale};
use costate::study::{Fit, Prediction, Study};

use super::figures::regression_deviation;

/// Most observables with a panel each; the residuals of more stand in one.
const MOST_PANELS: usize = 12;
/// Objectives no further apart than this, in units of the log-likelihood, are as good as each other.
const INDIFFERENT: f64 = 1e-3;

/// Quantile residuals of every observable against normal quantiles. Those of observables without a noise model are in units of the
/// standard deviation of regression.
pub fn quantiles(study: &Study, result: &Fit, data: &[Vec<Prediction>]) -> QuantilePlot {
    let scenario = &study.scenario;
    let deviation = regression_deviation(result, data);
    let scaled = |p: &Prediction| {
        let plain = study.misfits[p.observable].model.is_none() && deviation > 0.0;
        if plain {
            p.quantile / deviation
        } else {
            p.quantile
        }
    };
    let all = || data.iter().flatten();
    let measured: Vec<usize> = (0..scenario.observables.len())
        .filter(|&o| all().any(|p| p.observable == o))
        .collect();
    let panels = if measured.len() <= MOST_PANELS {
        let panel = |&o: &usize| QuantilePanel {
            title: scenario.observables[o].name.text.clone(),
            residuals: all().filter(|p| p.observable == o).map(scaled).collect(),
        };
        measured.iter().map(panel).collect()
    } else {
        vec![QuantilePanel {
            title: format!("{} observables", measured.len()),
            residuals: all().map(scaled).collect(),
        }]
    };
    let random = all().filter(|p| study.misfits[p.observable].is_randomized(p.measured));
    let note = match random.count() {
        0 => String::new(),
        random => format!(
            "randomized quantile residuals (Dunn & Smyth 1996): {random} counts or values beyond a limit of detection are put at random, seed {}, inside their probabilities",
            scenario.fit.seed
        ),
    };
    QuantilePlot {
        title: format!("{}: Q-Q plot of residuals", scenario.title),
        label: "quantile residual".into(),
        note,
        panels,
    }
}

/// Where the starts ended, between the bounds of the parameters.
pub fn parameters(study: &Study, result: &Fit, data: &[Vec<Prediction>]) -> ParallelCoordinates {
    let fitted: Vec<&Parameter> = study.scenario.parameters.iter().filter(|p| p.fit).collect();
    let ranges: Vec<[f64; 2]> = fitted
        .iter()
        .enumerate()
        .map(|(i, parameter)| {
            let ends = result.starts.iter().map(|start| start.end[i]);
            range(parameter, ends)
        })
        .collect();
    let variance = regression_deviation(result, data).powi(2);
    let plain = study.misfits.iter().all(|misfit| misfit.model.is_none());
    ParallelCoordinates {
        title: format!("{}: parameters of the starts", study.scenario.title),
        objective_label: "objective".into(),
        names: fitted
            .iter()
            .zip(&ranges)
            .map(|(parameter, range)| name(parameter, range))
            .collect(),
        indifferent: match plain && variance > 0.0 {
            true => INDIFFERENT * variance,
            false => INDIFFERENT,
        },
        ends: result
            .starts
            .iter()
            .map(|start| StartEnd {
                objective: start.outcome.value,
                places: fitted
                    .iter()
                    .zip(&ranges)
                    .zip(&start.end)
                    .map(|((parameter, &[low, high]), &v)| {
                        let [low, high, v] = [low, high, v].map(|v| place(parameter, v));
                        // without bounds, ends that agree but for rounding are one place
                        let room = high - low;
                        if room > 1e-5 * high.abs().max(low.abs()) {
                            (v - low) / room
                        } else {
                            0.5
                        }
                    })
                    .collect(),
            })
            .collect(),
    }
}

/// The place of a natural value on an axis: the search scale, but for the logit, which has no ends.
fn place(parameter: &Parameter, v: f64) -> f64 {
    match parameter.scale {
        Scale::Log | Scale::Log10 => v.ln(),
        Scale::Linear | Scale::Logit => v,
    }
}

/// Bounds of a parameter, those that it has not, or that its scale has no place for, taken from the ends of the starts.
fn range(parameter: &Parameter, ends: impl Iterator<Item = f64>) -> [f64; 2] {
    let [lower, upper] = parameter.bounds;
    let [low, high] = ends
        .filter(|v| v.is_finite())
        .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| {
            [low.min(v), high.max(v)]
        });
    let usable = |bound: f64| place(parameter, bound).is_finite();
    [
        if usable(lower) { lower } else { low },
        if usable(upper) { upper } else { high },
    ]
}

/// The name with the range in brackets, an end that is no bound with a star.
fn name(parameter: &Parameter, range: &[f64; 2]) -> String {
    use costate::report::table::significant;
    let end = |value: f64, bound: f64| {
        let star = if value == bound { "" } else { "*" };
        format!("{}{star}", significant(value, 3))
    };
    let [low, high] = *range;
    let [lower, upper] = parameter.bounds;
    format!(
        "{} [{}, {}]",
        parameter.name.text,
        end(low, lower),
        end(high, upper)
    )
}
