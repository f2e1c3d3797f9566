//! The posterior in words and columns.

use costate::report::csv::Column;
use costate::report::table::{Cell, Table, significant};
use costate::study::{Misfit, Posterior, PredictiveBand, SampleSettings, Study};

/// R-hat above this, or effective sizes below that, are warned of (Vehtari et al. 2021).
const R_HAT: f64 = 1.01;
const EFFECTIVE: f64 = 400.0;
/// Regions of divergences that are told.
const MOST_REGIONS: usize = 3;

/// What a reader should know before using the draws.
pub fn warnings(study: &Study, result: &Posterior, settings: &SampleSettings) -> Vec<String> {
    let mut all = Vec::new();
    let those = |test: &dyn Fn(usize) -> bool| -> Vec<String> {
        let names = result.names.iter().enumerate().filter(|(i, _)| test(*i));
        names.map(|(_, name)| format!("`{name}`")).collect()
    };
    for (chain, reason) in &result.failures {
        all.push(format!("chain {} ended early: {reason}", chain + 1));
    }
    let plain = |m: &Misfit| m.model.is_none() && m.loss.is_none();
    if study.misfits.iter().any(plain) {
        all.push(
            "an observable without a noise model counts as normal with a standard deviation of 1: give it a noise model with a fitted sigma".into(),
        );
    }
    if !result.improper.is_empty() {
        all.push(format!(
            "{} {} neither a prior nor a bound on both sides: there may be no posterior",
            result.improper.join(", "),
            if result.improper.len() == 1 {
                "has"
            } else {
                "have"
            }
        ));
    }
    let apart = those(&|i| {
        let r_hat = result.summaries[i].convergence.r_hat;
        r_hat.is_nan() || r_hat > R_HAT
    });
    if !apart.is_empty() {
        all.push(format!(
            "chains have not come to agree (R-hat above {R_HAT}) in {}: draw more, or look for several optima",
            apart.join(", ")
        ));
    }
    let few = those(&|i| {
        let c = result.summaries[i].convergence;
        [c.bulk, c.tail]
            .iter()
            .any(|ess| ess.is_nan() || *ess < EFFECTIVE)
    });
    if !few.is_empty() {
        all.push(format!(
            "fewer than {EFFECTIVE} effective draws of {}: draw more before trusting quantiles",
            few.join(", ")
        ));
    }
    let lost = result.divergences.len();
    if lost > 0 {
        let reasons: Vec<String> = result
            .reasons()
            .into_iter()
            .map(|(reason, count)| format!("{count} times {reason}"))
            .collect();
        let mut text = format!(
            "{lost} of {} trajectories diverged ({})",
            result.count(),
            reasons.join("; ")
        );
        let regions: Vec<String> = result
            .regions()
            .into_iter()
            .take(MOST_REGIONS)
            .map(|r| {
                format!(
                    "{:.0} % of them with `{}` {} {}",
                    100.0 * r.share,
                    result.names[r.parameter],
                    if r.below { "below" } else { "above" },
                    significant(r.edge, 3)
                )
            })
            .collect();
        text += &match regions.is_empty() {
            true => ", in no one region".to_owned(),
            false => format!(", {}", regions.join(", ")),
        };
        let nearer = 1.0 - 0.25 * (1.0 - settings.acceptance);
        text += &format!(": the posterior there is not explored; try --acceptance {nearer:.2}");
        all.push(text);
    }
    if result.longest > 0 {
        all.push(format!(
            "{} trajectories were ended by their greatest length of 2^{} steps: slow, not wrong",
            result.longest, settings.depth
        ));
    }
    all
}

/// What `sample` prints.
pub fn summary(
    study: &Study,
    result: &Posterior,
    settings: &SampleSettings,
    seconds: [f64; 2],
    folder: &str,
    notes: &[String],
) -> String {
    let mut table = Table::new([
        "parameter",
        "mean",
        "sd",
        "5 %",
        "50 %",
        "95 %",
        "R-hat",
        "bulk ESS",
        "tail ESS",
    ]);
    for (name, s) in result.names.iter().zip(&result.summaries) {
        let c = &s.convergence;
        let count = |ess: f64| {
            if ess.is_finite() {
                Cell::Count(ess.round().max(0.0) as u64)
            } else {
                Cell::Number(f64::NAN)
            }
        };
        let r_hat = if c.r_hat.is_finite() {
            Cell::Text(format!("{:.4}", c.r_hat))
        } else {
            Cell::Number(f64::NAN)
        };
        table.push([
            Cell::Text(name.clone()),
            Cell::Number(s.mean),
            Cell::Number(s.deviation),
            Cell::Number(s.low),
            Cell::Number(s.median),
            Cell::Number(s.high),
            r_hat,
            count(c.bulk),
            count(c.tail),
        ]);
    }
    let mut text = format!("{}\n\n{}\n", study.scenario.title, table.render());
    let warnings = warnings(study, result, settings);
    for warning in &warnings {
        text += &format!("warning: {warning}\n");
    }
    if warnings.is_empty() {
        text += "chains agree, and no trajectory diverged\n";
    }
    for note in notes {
        text += &format!("note: {note}\n");
    }
    text += &format!(
        "\ndraws          {} in {} chains, after {} each for tuning{}\n",
        result.count(),
        settings.chains,
        settings.warmup,
        match result.tuning_divergences {
            0 => String::new(),
            n => format!(" (in which {n} trajectories diverged)"),
        }
    );
    text += &format!("gradients      {} in {:.3} s", result.gradients, seconds[1]);
    text += &match seconds[0] - seconds[1] > 1e-3 {
        true => format!(", {:.3} s with the fit\n", seconds[0]),
        false => "\n".to_owned(),
    };
    text += &format!(
        "solver         {} ({})\nresults        {folder}\n",
        result.solving.stepper.name(),
        result.solving.choice
    );
    text
}

/// All draws: chain and draw from 1, -objective, the parameters.
pub fn draws(result: &Posterior) -> Vec<Column> {
    let numbered = || {
        let each = result.draws.iter().enumerate();
        each.flat_map(|(c, draws)| (0..draws.len()).map(move |k| (c, k)))
    };
    let mut columns = vec![
        Column::numbers(
            "chain",
            numbered().map(|(c, _)| (c + 1) as f64).collect::<Vec<_>>(),
        ),
        Column::numbers(
            "draw",
            numbered().map(|(_, k)| (k + 1) as f64).collect::<Vec<_>>(),
        ),
        Column::numbers(
            "log_density",
            numbered()
                .map(|(c, k)| result.log_densities[c][k])
                .collect::<Vec<_>>(),
        ),
    ];
    columns.extend(result.names.iter().enumerate().map(|(i, name)| {
        let values: Vec<f64> = numbered().map(|(c, k)| result.draws[c][k][i]).collect();
        Column::numbers(name.clone(), values)
    }));
    columns
}

/// Quantiles of the observables at each time.
pub fn bands(study: &Study, bands: &[PredictiveBand]) -> Vec<Column> {
    let words = |f: &dyn Fn(&PredictiveBand) -> String| {
        let each = bands.iter().flat_map(|b| b.t.iter().map(|_| f(b)));
        each.collect::<Vec<String>>()
    };
    let numbers = |f: &dyn Fn(&PredictiveBand) -> &Vec<f64>| {
        bands.iter().flat_map(f).copied().collect::<Vec<f64>>()
    };
    let experiment = |b: &PredictiveBand| study.scenario.experiments[b.experiment].name.clone();
    let observable = |b: &PredictiveBand| {
        let observable = &study.scenario.observables[b.observable];
        observable.name.text.clone()
    };
    vec![
        Column::words("experiment", words(&experiment)),
        Column::words("observable", words(&observable)),
        Column::numbers("t", numbers(&|b| &b.t)),
        Column::numbers("q05", numbers(&|b| &b.model[0])),
        Column::numbers("q50", numbers(&|b| &b.model[1])),
        Column::numbers("q95", numbers(&|b| &b.model[2])),
        Column::numbers("measurement_q05", numbers(&|b| &b.measurement[0])),
        Column::numbers("measurement_q50", numbers(&|b| &b.measurement[1])),
        Column::numbers("measurement_q95", numbers(&|b| &b.measurement[2])),
    ]
}
