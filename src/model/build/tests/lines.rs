//! Scenarios and models from a few lines, as tests want them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, SourceFile, Span};
use crate::model::{Expression, ExpressionKind, Model, NodeId, build, evaluate, parse};
use crate::scenario::{
    Definition, Direction, Event, EventTrigger, Expectation, ExpectedTolerance, Experiment,
    Interpolation, Invariant, MassRow, Name, Noise, NoiseModel, Observable, Parameter, Scale,
    Scenario, Sigma, Signal, SignalKind, SolverSettings, State, UserFunction,
};

/// A scenario from lines `kind name = text`, as short as tests want them: `param`, `state`, `def`, `eq`, `fn` (name
/// with its arguments, `f(a,b)`), `obs`, `sigma`, `expect`, `step`, `ramp`, `sine`, `pulse`, `signal` (its numbers
/// separated by `;`), `table` (kind, times, values), `with` and `start` (of the experiment), `discrete` (a state),
/// `falling` (what crosses zero), `times` and `every` (and first) of an event, `set x`, `if`, `end` of the last event,
/// `mass row,column`, `algebraic` row, `invariant`, `stop`.
pub(super) fn scenario(text: &str) -> Scenario {
    let source = Arc::new(SourceFile {
        path: PathBuf::from("scenario.toml"),
        text: text.to_owned(),
    });
    let span = |part: &str| {
        let start = part.as_ptr() as usize - text.as_ptr() as usize;
        Span {
            file: Arc::clone(&source),
            start,
            end: start + part.len(),
        }
    };
    // places are those of `text` as it is kept in `source`
    let expression = |part: &str| -> Expression {
        let start = part.as_ptr() as usize - text.as_ptr() as usize;
        let (expression, diagnostics) = parse(part, &source, start);
        assert!(diagnostics.is_empty(), "{part}: {diagnostics:?}");
        expression.expect("parses")
    };
    let named = |part: &str| Name {
        text: part.to_owned(),
        span: span(part),
    };
    let mut result = Scenario {
        indices: Vec::new(),
        graphs: Vec::new(),
        parameter_arrays: Vec::new(),
        networks: Vec::new(),
        source: Arc::clone(&source),
        name: "test".into(),
        title: "test".into(),
        start: 0.0,
        end: 10.0,
        time_unit: None,
        free_end: None,
        tune: None,
        parameters: Vec::new(),
        states: Vec::new(),
        definitions: Vec::new(),
        equations: Vec::new(),
        functions: Vec::new(),
        signals: Vec::new(),
        events: Vec::new(),
        controllers: Vec::new(),
        history: Vec::new(),
        mass: None,
        mechanics: None,
        invariants: Vec::new(),
        observables: Vec::new(),
        experiments: vec![Experiment {
            name: String::new(),
            parameters: Vec::new(),
            initial: Vec::new(),
            before: None,
            data: None,
        }],
        solver: SolverSettings::default(),
        gradient: crate::scenario::GradientSettings::default(),
        fit: crate::scenario::FitSettings::default(),
        smoothing: Vec::new(),
        expectations: Vec::new(),
        design: None,
    };
    let mut equations = HashMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (head, value) = line.split_once(" = ").expect("`kind name = text`");
        let (kind, name) = head.trim().split_once(' ').expect("`kind name`");
        let parts: Vec<&str> = value.split("; ").collect();
        let signal = |kind| Signal {
            name: named(name),
            unit: None,
            kind,
        };
        match kind {
            "param" => result.parameters.push(Parameter {
                name: named(name),
                value: value.parse().expect("a number"),
                bounds: [f64::NEG_INFINITY, f64::INFINITY],
                scale: Scale::Linear,
                fit: false,
                profile_out: false,
                tune: false,
                unit: None,
                prior: None,
            }),
            "state" => result.states.push(State {
                over: Vec::new(),
                name: named(name),
                initial: expression(value),
                discrete: false,
                unit: None,
            }),
            "discrete" => {
                let still = Expression {
                    kind: ExpressionKind::Number(0.0),
                    span: span(name),
                };
                equations.insert(name.to_owned(), still);
                result.states.push(State {
                    over: Vec::new(),
                    name: named(name),
                    initial: expression(value),
                    discrete: true,
                    unit: None,
                });
            }
            "falling" | "times" | "every" => result.events.push(Event {
                name: named(name),
                trigger: match kind {
                    "falling" => EventTrigger::Crossing {
                        expression: expression(value),
                        direction: Direction::Falling,
                    },
                    "times" => {
                        EventTrigger::Times(parts.iter().map(|part| expression(part)).collect())
                    }
                    _ => EventTrigger::Every {
                        every: expression(parts[0]),
                        first: expression(parts[1]),
                    },
                },
                set: Vec::new(),
                terminal: false,
                only_if: None,
            }),
            "set" | "if" | "end" => {
                let event = result.events.last_mut().expect("after its event");
                match kind {
                    "set" => event.set.push((named(name), expression(value))),
                    "if" => event.only_if = Some(expression(value)),
                    _ => event.terminal = true,
                }
            }
            "mass" | "algebraic" => {
                let (row, column) = name.split_once(',').unwrap_or((name, ""));
                let rows = result.mass.get_or_insert_default();
                let index = rows.iter().position(|known| known.state.text == row);
                let index = index.unwrap_or_else(|| {
                    rows.push(MassRow {
                        state: named(row),
                        coefficients: Vec::new(),
                    });
                    rows.len() - 1
                });
                if kind == "mass" {
                    let coefficient = (named(column), expression(value));
                    rows[index].coefficients.push(coefficient);
                }
            }
            "invariant" => result.invariants.push(Invariant {
                name: named(name),
                expression: expression(value),
            }),
            "stop" => result.solver.stop_times.push(expression(value)),
            "def" => result.definitions.push(Definition {
                over: Vec::new(),
                name: named(name),
                expression: expression(value),
            }),
            "eq" => {
                equations.insert(name.to_owned(), expression(value));
            }
            "fn" => {
                let (name, arguments) = name.split_once('(').expect("`f(a,b)`");
                result.functions.push(UserFunction {
                    name: named(name),
                    arguments: arguments
                        .trim_end_matches(')')
                        .split(',')
                        .map(named)
                        .collect(),
                    expression: expression(value),
                });
            }
            "obs" => result.observables.push(Observable {
                name: named(name),
                expression: expression(value),
                unit: None,
                noise: None,
                loss: None,
            }),
            "sigma" => {
                let last = result.observables.last_mut().expect("after its `obs`");
                last.noise = Some(Noise {
                    model: NoiseModel::Normal,
                    sigma: Sigma::Expression(expression(value)),
                    limits: [f64::NEG_INFINITY, f64::INFINITY],
                });
            }
            "expect" => result.expectations.push(Expectation {
                expression: expression(value),
                value: 0.0,
                tolerance: ExpectedTolerance::Absolute(1.0),
                experiment: None,
            }),
            "with" => result.experiments[0]
                .parameters
                .push((named(name), expression(value))),
            "start" => result.experiments[0]
                .initial
                .push((named(name), expression(value))),
            "step" => result.signals.push(signal(SignalKind::Step {
                at: expression(parts[0]),
                before: expression(parts[1]),
                after: expression(parts[2]),
            })),
            "ramp" => result.signals.push(signal(SignalKind::Ramp {
                start: expression(parts[0]),
                end: expression(parts[1]),
                from: expression(parts[2]),
                to: expression(parts[3]),
            })),
            "sine" => result.signals.push(signal(SignalKind::Sine {
                amplitude: expression(parts[0]),
                frequency: expression(parts[1]),
                phase: expression(parts[2]),
                offset: expression(parts[3]),
            })),
            "pulse" => result.signals.push(signal(SignalKind::Pulse {
                start: expression(parts[0]),
                width: expression(parts[1]),
                period: parts.get(4).map(|period| expression(period)),
                low: expression(parts[2]),
                high: expression(parts[3]),
            })),
            "signal" => result
                .signals
                .push(signal(SignalKind::Expression(expression(value)))),
            "table" => {
                let numbers = |part: &str| -> Vec<f64> {
                    part.split(' ')
                        .map(|n| n.parse().expect("a number"))
                        .collect()
                };
                result.signals.push(signal(SignalKind::Table {
                    times: numbers(parts[1]),
                    values: numbers(parts[2]),
                    interpolation: match parts[0] {
                        "hold" => Interpolation::Hold,
                        "linear" => Interpolation::Linear,
                        "cubic" => Interpolation::Cubic,
                        _ => Interpolation::Pchip,
                    },
                }));
            }
            other => panic!("no kind `{other}`"),
        }
    }
    result.equations = result
        .states
        .iter()
        .filter_map(|state| equations.remove(&state.name.text))
        .collect();
    result
}

pub(super) fn ok(text: &str) -> Model {
    let (model, diagnostics) = build(&scenario(text));
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    model.expect("a model where there is no finding")
}

pub(super) fn errors(text: &str) -> Vec<Diagnostic> {
    let (model, diagnostics) = build(&scenario(text));
    assert!(model.is_none(), "built: {text}");
    assert!(!diagnostics.is_empty());
    diagnostics
}

/// The one finding: its code, the text it underlines, its message and advice in one.
pub(super) fn error(text: &str) -> (&'static str, String, String) {
    let found = errors(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    let place = found[0].span.as_ref().map_or("", Span::text).to_owned();
    let words = format!(
        "{}; {}",
        found[0].message,
        found[0].help.as_deref().unwrap_or("")
    );
    (found[0].code, place, words)
}

/// Values at a time inside a stretch with the given middle.
pub(super) fn values(
    model: &Model,
    nodes: &[NodeId],
    t: [f64; 2],
    x: &[f64],
    p: &[f64],
) -> Vec<f64> {
    evaluate(&model.graph, nodes, &[&t, x, p])
}

pub(super) fn stops(model: &Model, p: &[f64]) -> Vec<(f64, Option<f64>)> {
    let number = |id: NodeId| values(model, &[id], [f64::NAN; 2], &[], p)[0];
    model
        .stops
        .iter()
        .map(|stop| (number(stop.at), stop.period.map(number)))
        .collect()
}

const ONE_STATE: &str = "state x = 1\nparam k = 2.0\n";

pub(super) fn with(rest: &str) -> String {
    format!("{ONE_STATE}{rest}")
}
