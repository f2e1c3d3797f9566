//! `show`: a scenario as understood.

use costate::scenario::{Scale, Scenario};
use serde_json::{Map, Value, json};

use super::arguments::Common;
use super::{Failure, load, print_json, print_text};

/// Runs the command.
pub fn run(common: &Common) -> Result<(), Failure> {
    let overrides = load::overrides(common, None, None)?;
    let (study, _) = load::study(common, &overrides)?;
    if common.json {
        print_json(&document(&study.scenario))
    } else {
        print_text(&text(&study.scenario))
    }
}

fn source(expression: &costate::model::Expression) -> String {
    expression.to_string()
}

fn scale_name(scale: Scale) -> &'static str {
    match scale {
        Scale::Linear => "linear",
        Scale::Log => "log",
        Scale::Log10 => "log10",
        Scale::Logit => "logit",
    }
}

fn text(scenario: &Scenario) -> String {
    let unit = |unit: &Option<String>| {
        unit.as_ref()
            .map_or_else(String::new, |u| format!("  [{u}]"))
    };
    let mut text = format!("{}\n", scenario.title);
    text += &format!(
        "\ntime {} to {}{}\n",
        scenario.start,
        scenario.end,
        unit(&scenario.time_unit)
    );
    text += "\nequations\n";
    for (state, equation) in scenario.states.iter().zip(&scenario.equations) {
        let (name, initial) = (&state.name.text, source(&state.initial));
        text += &format!(
            "  d({name})/dt = {},  {name}({}) = {initial}{}\n",
            source(equation),
            scenario.start,
            unit(&state.unit)
        );
    }
    if !scenario.definitions.is_empty() {
        text += "\nwith\n";
        for definition in &scenario.definitions {
            text += &format!(
                "  {} = {}\n",
                definition.name.text,
                source(&definition.expression)
            );
        }
    }
    if !scenario.functions.is_empty() {
        text += "\nfunctions\n";
        for function in &scenario.functions {
            let arguments: Vec<&str> = function.arguments.iter().map(|a| a.text.as_str()).collect();
            text += &format!(
                "  {}({}) = {}\n",
                function.name.text,
                arguments.join(", "),
                source(&function.expression)
            );
        }
    }
    text += "\nparameters\n";
    let width = scenario
        .parameters
        .iter()
        .map(|p| p.name.text.len())
        .max()
        .unwrap_or(0);
    for p in &scenario.parameters {
        let [low, high] = p.bounds;
        let bounds = if low.is_finite() || high.is_finite() {
            format!("  in {low} to {high}")
        } else {
            String::new()
        };
        let fit = if p.fit {
            format!("  fitted on the {} scale", scale_name(p.scale))
        } else {
            String::new()
        };
        text += format!(
            "  {:width$} = {}{}{bounds}{fit}",
            p.name.text,
            p.value,
            unit(&p.unit)
        )
        .trim_end();
        text.push('\n');
    }
    if !scenario.signals.is_empty() {
        let names: Vec<&str> = scenario
            .signals
            .iter()
            .map(|s| s.name.text.as_str())
            .collect();
        text += &format!("\nsignals: {}\n", names.join(", "));
    }
    text += "\nobservables\n";
    for observable in &scenario.observables {
        let noise = observable
            .noise
            .as_ref()
            .map_or("no noise model", |n| match n.model {
                costate::scenario::NoiseModel::Normal => "normal noise",
                costate::scenario::NoiseModel::LogNormal => "log-normal noise",
            });
        text += &format!(
            "  {} = {}  ({noise})\n",
            observable.name.text,
            source(&observable.expression)
        );
    }
    text
}

fn document(scenario: &Scenario) -> Value {
    let states: Map<String, Value> = scenario
        .states
        .iter()
        .zip(&scenario.equations)
        .map(|(s, e)| {
            (
                s.name.text.clone(),
                json!({ "initial": source(&s.initial), "equation": source(e), "unit": s.unit }),
            )
        })
        .collect();
    let parameters: Map<String, Value> = scenario
        .parameters
        .iter()
        .map(|p| {
            let bound = |b: f64| if b.is_finite() { json!(b) } else { Value::Null };
            let value = json!({
                "value": p.value, "lower": bound(p.bounds[0]), "upper": bound(p.bounds[1]),
                "scale": scale_name(p.scale), "fit": p.fit, "unit": p.unit,
            });
            (p.name.text.clone(), value)
        })
        .collect();
    let definitions: Map<String, Value> = scenario
        .definitions
        .iter()
        .map(|d| (d.name.text.clone(), json!(source(&d.expression))))
        .collect();
    let observables: Map<String, Value> = scenario
        .observables
        .iter()
        .map(|o| (o.name.text.clone(), json!(source(&o.expression))))
        .collect();
    json!({
        "title": scenario.title,
        "time": { "start": scenario.start, "end": scenario.end, "unit": scenario.time_unit },
        "states": states,
        "definitions": definitions,
        "parameters": parameters,
        "observables": observables,
        "experiments": scenario.experiments.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(),
    })
}
