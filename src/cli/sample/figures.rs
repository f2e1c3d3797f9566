//! From draws to figures.

use costate::report::figure::{PairPlot, PairVariable, Plot, Scale, Trace, Traces};
use costate::study::{Posterior, PredictiveBand, Study};

use super::super::best_fit::label;
use super::super::figures::{BandPanel, band_plot};

/// Most variables of a pair plot: more cells could not be read.
const MOST_PAIRS: usize = 9;
/// Most panels of traces.
const MOST_TRACES: usize = 24;

/// The draws of each chain in order.
pub fn traces(study: &Study, result: &Posterior) -> Traces {
    let count = result.names.len();
    Traces {
        title: format!("{}: traces", study.scenario.title),
        note: if count > MOST_TRACES {
            format!("the first {MOST_TRACES} of {count} parameters")
        } else {
            String::new()
        },
        traces: (0..count.min(MOST_TRACES))
            .map(|i| Trace {
                label: label(study, &result.names[i]),
                chains: result.chains_of(i),
            })
            .collect(),
    }
}

/// Draws of pairs of parameters, on linear scales.
pub fn pairs(study: &Study, result: &Posterior) -> PairPlot {
    let count = result.names.len();
    let mut note = format!("{} draws; above the diagonal: correlations", result.count());
    if count > MOST_PAIRS {
        note += &format!("; the first {MOST_PAIRS} of {count} parameters");
    }
    if !result.divergences.is_empty() {
        note += "; orange: draws whose trajectory diverged";
    }
    let first = |chain: usize| result.draws[..chain].iter().map(Vec::len).sum::<usize>();
    PairPlot {
        title: format!("{}: posterior", study.scenario.title),
        note,
        variables: (0..count.min(MOST_PAIRS))
            .map(|i| PairVariable {
                label: result.names[i].clone(),
                scale: Scale::Linear,
                values: result.chains_of(i).concat(),
            })
            .collect(),
        marked: result
            .divergences
            .iter()
            .map(|d| first(d.chain) + d.draw)
            .collect(),
    }
}

/// The observables with quantiles over the draws and the data.
pub fn bands(study: &Study, bands: &[PredictiveBand]) -> Plot {
    let edges = |q: &[Vec<f64>; 3]| q[0].iter().copied().zip(q[2].iter().copied()).collect();
    let panels = bands.iter().map(|band| BandPanel {
        experiment: band.experiment,
        observable: band.observable,
        t: &band.t,
        middle: &band.model[1],
        model: edges(&band.model),
        measurement: edges(&band.measurement),
    });
    let mut plot = band_plot(study, panels, "median");
    plot.title = format!("{}: posterior predictions", study.scenario.title);
    plot.note =
        "dark: 90 % of draws of the model; light: 90 % of new measurements, noise included".into();
    plot
}
