//! From profiles to figures.

use costate::report::figure::{Correlation, Plot, ProfileFigure, ProfilePanel, Scale};
use costate::report::table::significant;
use costate::scenario::{self, NoiseModel};
use costate::study::{Band, Profiles, Study, Verdict};

use super::super::best_fit::label;
use super::super::figures::{BandPanel, band_plot};

fn percent(result: &Profiles) -> String {
    format!("{} %", significant(100.0 * result.level, 4))
}

/// One panel a parameter.
pub fn profiles(study: &Study, result: &Profiles) -> ProfileFigure {
    let panels = result.profiles.iter().map(|profile| {
        let i = profile.parameter;
        let name = &result.names[i];
        let mut parameters = study.scenario.parameters.iter();
        let parameter = parameters.find(|p| p.name.text == *name);
        let logarithmic = parameter
            .is_some_and(|p| matches!(p.scale, scenario::Scale::Log | scenario::Scale::Log10));
        let points: Vec<(f64, f64)> = profile
            .points
            .iter()
            .map(|p| (p.value, p.objective - result.objective))
            .collect();
        ProfilePanel {
            title: match profile.verdict {
                Verdict::Identifiable => String::new(),
                other => other.to_string(),
            },
            label: label(study, name),
            scale: if logarithmic {
                Scale::Logarithmic
            } else {
                Scale::Linear
            },
            points,
            curve: result.curve(study, profile),
            parabola: result.parabola(study, profile),
            best: result.best[i],
            ends: [&profile.low, &profile.high]
                .into_iter()
                .filter_map(|end| end.closed())
                .collect(),
        }
    });
    ProfileFigure {
        title: format!("{}: profile likelihoods", study.scenario.title),
        note: format!(
            "{} intervals end where the objective has risen by {}",
            percent(result),
            significant(result.threshold, 4)
        ),
        threshold: result.threshold,
        threshold_label: format!("{} threshold", percent(result)),
        rise_label: "rise of the objective".into(),
        panels: panels.collect(),
    }
}

/// Correlations of the estimates.
pub fn correlation(study: &Study, result: &Profiles) -> Correlation {
    let matrix = &result.local.correlation;
    let undetermined = result.local.standard_errors.iter().any(Option::is_none);
    Correlation {
        title: format!("{}: correlations", study.scenario.title),
        note: if undetermined {
            "by the Fisher information; gray: not determined by the data, or at a bound".into()
        } else {
            "by the Fisher information at the best fit".into()
        },
        names: result.names.clone(),
        matrix: (0..matrix.nrows())
            .map(|i| {
                let known = |k: usize| result.local.standard_errors[k].is_some();
                (0..matrix.ncols())
                    .map(|j| {
                        if known(i) && known(j) {
                            matrix[(i, j)]
                        } else {
                            f64::NAN
                        }
                    })
                    .collect()
            })
            .collect(),
    }
}

/// Lower and upper edge of the confidence band of an observable's value at each time; with `noise`, of a new measurement.
/// Where the noise is log-normal, edges are factors. NaN where the noise is not known, or not normal.
pub fn edges(study: &Study, result: &Profiles, band: &Band, noise: bool) -> Vec<[f64; 2]> {
    let model = study.misfits[band.observable].model;
    // the unit of sigma in ln y; no unit where the noise is not of a logarithm
    let unit = match model {
        Some(NoiseModel::LogNormal) => Some(1.0),
        Some(NoiseModel::Log10Normal) => Some(std::f64::consts::LN_10),
        _ => None,
    };
    let normal = unit.is_some() || matches!(model, None | Some(NoiseModel::Normal));
    let residual = result.local.variance.map(f64::sqrt);
    let z = result.quantile;
    (0..band.t.len())
        .map(|k| {
            let (y, sd) = (band.value[k], band.deviation[k]);
            let own = match (noise, residual) {
                (false, _) => 0.0,
                (true, Some(residual)) => residual,
                (true, None) if normal => band.noise[k] * unit.unwrap_or(1.0),
                (true, None) => f64::NAN,
            };
            if unit.is_some() && y > 0.0 {
                let factor = (z * (sd / y).hypot(own)).exp();
                [y / factor, y * factor]
            } else {
                let half = z * sd.hypot(own);
                [y - half, y + half]
            }
        })
        .collect()
}

/// The observables with what is known of them and the data.
pub fn bands(study: &Study, result: &Profiles, bands: &[Band]) -> Plot {
    let pairs = |band: &Band, noise: bool| {
        let edges = edges(study, result, band, noise).into_iter();
        edges.map(|[low, high]| (low, high)).collect()
    };
    let panels = bands.iter().map(|band| BandPanel {
        experiment: band.experiment,
        observable: band.observable,
        t: &band.t,
        middle: &band.value,
        model: pairs(band, false),
        measurement: pairs(band, true),
    });
    let level = percent(result);
    let mut plot = band_plot(study, panels, "best fit");
    plot.title = format!("{}: what is known of the observables", study.scenario.title);
    plot.note = format!(
        "dark: {level} confidence band of the model, to first order; light: where {level} of new measurements fall"
    );
    plot
}
