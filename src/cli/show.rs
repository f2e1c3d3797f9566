//! `show`: a scenario as understood.

use costate::model::{Model, NodeId, readable};
use costate::scenario::{Direction, Event, EventTrigger, Scale, Scenario};
use serde_json::{Map, Value, json};

use super::arguments::Common;
use super::{Failure, load, print_json, print_text};

/// Runs the command.
pub fn run(common: &Common) -> Result<(), Failure> {
    let overrides = load::overrides(common, None, None)?;
    let (study, _) = load::study(common, &overrides)?;
    if common.json {
        print_json(&document(&study.scenario, study.equations.model()))
    } else {
        print_text(&text(&study.scenario, study.equations.model()))
    }
}

fn source(expression: &costate::model::Expression) -> String {
    expression.to_string()
}

/// When an event happens, in words.
fn when(trigger: &EventTrigger) -> String {
    match trigger {
        EventTrigger::Crossing {
            expression,
            direction,
        } => {
            let way = match direction {
                Direction::Rising => "rises through",
                Direction::Falling => "falls through",
                Direction::Both => "crosses",
            };
            format!("{} {way} 0", source(expression))
        }
        EventTrigger::Times(times) => {
            let times: Vec<String> = times.iter().map(source).collect();
            format!("t = {}", times.join(", "))
        }
        EventTrigger::Every { every, first } => {
            format!("t = {}, then every {}", source(first), source(every))
        }
    }
}

fn event_line(event: &Event) -> String {
    let mut line = format!("  {}: where {}", event.name.text, when(&event.trigger));
    if let Some(guard) = &event.only_if {
        line += &format!(", only if {}", source(guard));
    }
    let mut effects: Vec<String> = event
        .set
        .iter()
        .map(|(state, value)| format!("{} becomes {}", state.text, source(value)))
        .collect();
    if event.terminal {
        effects.push("the run ends".to_owned());
    }
    format!("{line}: {}\n", effects.join(", "))
}

/// The left-hand side of a state's equation.
/// An array as its element at its indices, `u[i,j]`; else the name.
fn element(scenario: &Scenario, name: &str, over: &[usize]) -> String {
    if over.is_empty() {
        return name.to_owned();
    }
    let indices: Vec<&str> = over
        .iter()
        .map(|&k| scenario.indices[k].name.text.as_str())
        .collect();
    format!("{name}[{}]", indices.join(","))
}

fn left_hand_side(scenario: &Scenario, state: &str) -> String {
    let row = scenario
        .mass
        .iter()
        .flatten()
        .find(|row| row.state.text == state);
    match row {
        None => format!("d({state})/dt"),
        Some(row) if row.coefficients.is_empty() => "0".to_owned(),
        Some(row) => {
            let terms: Vec<String> = row
                .coefficients
                .iter()
                .map(|(name, value)| format!("({}) d({})/dt", source(value), name.text))
                .collect();
            terms.join(" + ")
        }
    }
}

fn scale_name(scale: Scale) -> &'static str {
    match scale {
        Scale::Linear => "linear",
        Scale::Log => "log",
        Scale::Log10 => "log10",
        Scale::Logit => "logit",
    }
}

/// A derived expression.
fn derived(model: &Model, node: NodeId) -> String {
    readable(model, node).map_or_else(
        || {
            let operations = model.graph.live(&[node]).len();
            format!("(an expression of {operations} operations)")
        },
        |expression| expression.to_string(),
    )
}

/// The value of a regulator's gain at the file's parameters.
fn gain(scenario: &Scenario, model: &Model, name: &str) -> f64 {
    let parameters: Vec<f64> = scenario.parameters.iter().map(|p| p.value).collect();
    let node = model.definitions.iter().find(|(own, _)| own == name);
    node.and_then(|&(_, node)| {
        costate::model::evaluate(&model.graph, &[node], &[&[], &[], &parameters]).pop()
    })
    .unwrap_or(f64::NAN)
}

/// Both sides of the equation of a velocity: a row of M v' = load - G^T lambda. `None` for other states.
fn equation_of_motion(model: &Model, state: usize) -> Option<(String, String)> {
    let mechanics = model.mechanics.as_ref()?;
    let row = mechanics
        .velocities
        .iter()
        .position(|&velocity| velocity == state)?;
    let left: Vec<String> = mechanics
        .mass
        .iter()
        .filter(|(i, j, _)| *i == row || *j == row)
        .map(|&(i, j, node)| {
            let velocity = mechanics.velocities[if i == row { j } else { i }];
            format!(
                "({}) d({})/dt",
                derived(model, node),
                model.states.name(velocity)
            )
        })
        .collect();
    let mut right = derived(model, mechanics.load[row]);
    for &(constraint, column, node) in &mechanics.constraint_jacobian {
        if column == row {
            if right == "0" {
                right.clear();
            }
            let sign = if right.is_empty() { "-" } else { " - " };
            right += &format!("{sign}({}) lambda_{}", derived(model, node), constraint + 1);
        }
    }
    Some((left.join(" + "), right))
}

fn text(scenario: &Scenario, model: &Model) -> String {
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
    for (k, (state, equation)) in scenario.states.iter().zip(&scenario.equations).enumerate() {
        let name = &element(scenario, &state.name.text, &state.over);
        let initial = source(&state.initial);
        let equation = if state.discrete {
            format!("{name} changes in events alone")
        } else if let Some((left, right)) = equation_of_motion(model, k) {
            format!("{left} = {right}")
        } else {
            format!("{} = {}", left_hand_side(scenario, name), source(equation))
        };
        text += &format!(
            "  {equation},  {name}({}) = {initial}{}\n",
            scenario.start,
            unit(&state.unit)
        );
    }
    if let (Some(energies), Some(mechanics)) = (&scenario.mechanics, &model.mechanics) {
        if !energies.constraints.is_empty() {
            text += if energies.project {
                "\nconstraints, onto which initial values are moved\n"
            } else {
                "\nconstraints\n"
            };
            for (k, constraint) in energies.constraints.iter().enumerate() {
                text += &format!("  0 = {}, held by lambda_{}\n", source(constraint), k + 1);
            }
        }
        let word = if mechanics.conservative {
            "conserved"
        } else {
            "not conserved"
        };
        text += &format!("\nenergy, {word}\n  {}\n", derived(model, mechanics.energy));
    }
    if !scenario.events.is_empty() {
        text += "\nevents\n";
        for event in &scenario.events {
            text += &event_line(event);
        }
    }
    if !scenario.invariants.is_empty() {
        text += "\ninvariants\n";
        for invariant in &scenario.invariants {
            text += &format!(
                "  {} = {}\n",
                invariant.name.text,
                source(&invariant.expression)
            );
        }
    }
    if !scenario.definitions.is_empty() {
        text += "\nwith\n";
        for definition in &scenario.definitions {
            text += &format!(
                "  {} = {}\n",
                element(scenario, &definition.name.text, &definition.over),
                source(&definition.expression)
            );
        }
    }
    for controller in &scenario.controllers {
        text += &format!(
            "\ncontroller `{}`, {}: makes `{}`{}\n",
            controller.name.text,
            controller.kind,
            controller.output.text,
            if controller.is_sampled() {
                ", sampled"
            } else {
                ""
            }
        );
        let Some(regulator) = &controller.regulator else {
            continue;
        };
        for state in &regulator.states {
            text += &format!(
                "  {} = {}, of the Riccati equation, {} {}\n",
                state.gain,
                gain(scenario, model, &state.gain),
                if controller.is_observer() {
                    "noise"
                } else {
                    "weight"
                },
                source(&state.weight)
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
    if !scenario.graphs.is_empty() {
        text += "\ngraphs\n";
        for graph in &scenario.graphs {
            let (count, nodes) = (graph.from.len(), &scenario.indices[graph.nodes].name.text);
            let directed = if graph.directed { "directed " } else { "" };
            text += &format!(
                "  {}: {count} {directed}edges between places of `{nodes}`\n",
                graph.name.text
            );
        }
    }
    if !scenario.networks.is_empty() {
        text += "\nnetworks\n";
        for network in &scenario.networks {
            let hidden = network.layers.len() - 1;
            let mut layers = format!("{}", network.inputs);
            for (k, &units) in network.layers.iter().enumerate() {
                let follows = if k < hidden {
                    network.activation
                } else {
                    network.output
                };
                layers += &format!(" -> {units} {}", follows.word());
            }
            text += &format!("  {}: {layers}\n", network.name.text);
        }
    }
    text += "\nparameters\n";
    // elements of arrays are told together
    let single = || {
        scenario
            .parameters
            .iter()
            .filter(|p| !p.name.text.contains('['))
    };
    let width = single().map(|p| p.name.text.len()).max().unwrap_or(0);
    for array in &scenario.parameter_arrays {
        let size: usize = scenario
            .extents(&array.over)
            .iter()
            .map(|&e| e as usize)
            .product();
        let own = &scenario.parameters[array.first..array.first + size];
        let of = |pick: fn(f64, f64) -> f64| own.iter().map(|p| p.value).fold(f64::NAN, pick);
        let fit = if own.iter().any(|p| p.fit) {
            ", fitted"
        } else {
            ""
        };
        let (least, most) = (of(f64::min), of(f64::max));
        let range = if least == most {
            format!("{least}")
        } else {
            format!("{least} to {most}")
        };
        let plural = if size == 1 { "" } else { "s" };
        text += &format!(
            "  {} = {range}  ({size} value{plural}{fit})\n",
            element(scenario, &array.name.text, &array.over),
        );
    }
    for p in single() {
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
        let noise = match (&observable.noise, observable.loss) {
            (Some(noise), _) => format!("{} noise", noise.model.name()),
            (None, Some(loss)) => format!("{} loss", loss.shape.name()),
            (None, None) => "no noise model".to_owned(),
        };
        text += &format!(
            "  {} = {}  ({noise})\n",
            observable.name.text,
            source(&observable.expression)
        );
    }
    text
}

fn document(scenario: &Scenario, model: &Model) -> Value {
    let states: Map<String, Value> = scenario
        .states
        .iter()
        .zip(&scenario.equations)
        .enumerate()
        .map(|(k, (s, e))| {
            let equation = equation_of_motion(model, k)
                .map_or_else(|| source(e), |(left, right)| format!("{left} = {right}"));
            (
                s.name.text.clone(),
                json!({
                    "initial": source(&s.initial),
                    "equation": (!s.discrete).then_some(equation),
                    "unit": s.unit,
                    "discrete": s.discrete,
                }),
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
    let by_name = |all: &[(costate::scenario::Name, costate::model::Expression)]| {
        all.iter()
            .map(|(name, value)| (name.text.clone(), json!(source(value))))
            .collect::<Map<String, Value>>()
    };
    let events: Vec<Value> = scenario
        .events
        .iter()
        .map(|event| {
            let mut entry = json!({
                "name": event.name.text,
                "set": by_name(&event.set),
                "only_if": event.only_if.as_ref().map(source),
                "terminal": event.terminal,
            });
            match &event.trigger {
                EventTrigger::Crossing {
                    expression,
                    direction,
                } => {
                    entry["when"] = json!(source(expression));
                    entry["direction"] = json!(direction.name());
                }
                EventTrigger::Times(times) => {
                    entry["at"] = times.iter().map(source).collect();
                }
                EventTrigger::Every { every, first } => {
                    entry["every"] = json!(source(every));
                    entry["first"] = json!(source(first));
                }
            }
            entry
        })
        .collect();
    let mass: Option<Map<String, Value>> = scenario.mass.as_ref().map(|rows| {
        rows.iter()
            .map(|row| (row.state.text.clone(), json!(by_name(&row.coefficients))))
            .collect()
    });
    let invariants: Map<String, Value> = scenario
        .invariants
        .iter()
        .map(|i| (i.name.text.clone(), json!(source(&i.expression))))
        .collect();
    let mechanics = scenario
        .mechanics
        .as_ref()
        .zip(model.mechanics.as_ref())
        .map(|(energies, mechanics)| {
            json!({
                "energy": derived(model, mechanics.energy),
                "conserved": mechanics.conservative,
                "project": energies.project,
                "constraints": energies.constraints.iter().map(source).collect::<Vec<_>>(),
            })
        });
    let controllers: Vec<Value> = scenario
        .controllers
        .iter()
        .map(|controller| {
            json!({
                "name": controller.name.text,
                "kind": controller.kind,
                "output": controller.output.text,
                "sampled": controller.is_sampled(),
                "states": controller.states,
                "definitions": controller.definitions,
                "gains": controller.regulator.iter().flat_map(|r| &r.states).map(|state| {
                    (state.name.text.clone(), json!(gain(scenario, model, &state.gain)))
                }).collect::<Map<String, Value>>(),
            })
        })
        .collect();
    json!({
        "title": scenario.title,
        "time": { "start": scenario.start, "end": scenario.end, "unit": scenario.time_unit },
        "states": states,
        "definitions": definitions,
        "parameters": parameters,
        "observables": observables,
        "events": events,
        "mass": mass,
        "mechanics": mechanics,
        "controllers": controllers,
        "invariants": invariants,
        "experiments": scenario.experiments.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(),
    })
}
