//! A scenario with an input in place: a copy in which a name is a parameter.

use std::collections::HashMap;

use super::{Input, Opened, state_inputs, state_matrix};
use crate::diagnostic::{Diagnostic, SourceFile, nearest};
use crate::model::graph::{PARAMETERS, STATES};
use crate::model::{Model, NodeId, build, jacobian, parse};
use crate::scenario::{Definition, Experiment, Name, Parameter, Scenario};

/// From an input to an output.
pub(super) fn through(
    scenario: &Scenario,
    closed: &Model,
    kept: &[usize],
    input: &str,
    output: &str,
) -> Result<Opened, Vec<Diagnostic>> {
    let mut copy = bare(scenario);
    let file = std::sync::Arc::new(SourceFile {
        path: "--output".into(),
        text: output.to_owned(),
    });
    let (expression, findings) = parse(output, &file, 0);
    let Some(expression) = expression else {
        return Err(findings);
    };
    let observable = scenario.observables.iter().find(|o| o.name.text == output);
    let expression = match observable {
        Some(observable) if !is_named(scenario, output) => observable.expression.clone(),
        _ => expression,
    };
    let name = fresh(scenario, "output");
    copy.definitions.push(Definition {
        name: Name {
            text: name.clone(),
            span: expression.span.clone(),
        },
        over: Vec::new(),
        expression,
    });
    open(scenario, copy, closed, kept, input, &name, 1.0)
}

fn is_named(scenario: &Scenario, name: &str) -> bool {
    let mut names = scenario.states.iter().map(|s| &s.name);
    names.any(|own| own.text == name)
        || scenario.definitions.iter().any(|d| d.name.text == name)
        || scenario.parameters.iter().any(|p| p.name.text == name)
        || scenario.signals.iter().any(|s| s.name.text == name)
}

/// A name that nothing has.
fn fresh(scenario: &Scenario, word: &str) -> String {
    let mut name = format!("linearized_{word}");
    while is_named(scenario, &name) {
        name.push('_');
    }
    name
}

pub(super) fn around(
    scenario: &Scenario,
    closed: &Model,
    kept: &[usize],
    controller: &str,
) -> Result<Opened, Vec<Diagnostic>> {
    let refuse = |text: String, help: Option<String>| {
        let mut diagnostic = Diagnostic::error("linearize::failed", text, None);
        diagnostic.help = help;
        vec![diagnostic]
    };
    let all = || scenario.controllers.iter().map(|c| c.name.text.as_str());
    let Some(found) = scenario
        .controllers
        .iter()
        .find(|c| c.name.text == controller)
    else {
        let help = match nearest(controller, all()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if all().next().is_none() => "the scenario has no `[controllers]`".to_owned(),
            None => format!("controllers: {}", all().collect::<Vec<_>>().join(", ")),
        };
        return Err(refuse(format!("no controller `{controller}`"), Some(help)));
    };
    if found.is_observer() {
        let text = format!("`{controller}` is an observer, which has no loop of its own");
        let help = "open the loop at the controller that uses its estimate".to_owned();
        return Err(refuse(text, Some(help)));
    }
    let Some(command) = &found.command else {
        let help = format!(
            "linearize the plant from its output held, `--input {} --output ...`, or leave out `sample_time`",
            found.output.text
        );
        let text = format!(
            "the controller `{controller}` is sampled, and its loop is not one of continuous time"
        );
        return Err(refuse(text, Some(help)));
    };
    let copy = bare(scenario);
    open(scenario, copy, closed, kept, command, "", -1.0)
}

/// The scenario without what reads its runs.
fn bare(scenario: &Scenario) -> Scenario {
    let mut copy = scenario.clone();
    copy.events = Vec::new();
    copy.invariants = Vec::new();
    copy.observables = Vec::new();
    copy.expectations = Vec::new();
    copy.solver.stop_times = Vec::new();
    copy.experiments = vec![Experiment {
        name: String::new(),
        parameters: Vec::new(),
        initial: Vec::new(),
        before: None,
        data: None,
    }];
    copy
}

/// Replaces names in what a controller made.
fn tell(copy: &mut Scenario, controller: usize, names: &HashMap<String, String>) {
    let own = &copy.controllers[controller];
    for (state, equation) in copy.states.iter().zip(&mut copy.equations) {
        if own.states.contains(&state.name.text) {
            *equation = equation.renamed(names);
        }
    }
    for definition in &mut copy.definitions {
        if own.definitions.contains(&definition.name.text) {
            definition.expression = definition.expression.renamed(names);
        }
    }
}

/// Makes the input a parameter of `copy` and differentiates; `output` is a definition of it, the input's own expression where
/// that is empty.
fn open(
    scenario: &Scenario,
    mut copy: Scenario,
    closed: &Model,
    kept: &[usize],
    input: &str,
    output: &str,
    sign: f64,
) -> Result<Opened, Vec<Diagnostic>> {
    let parameter = |name: &Name| Parameter::held(name.clone(), 0.0);
    let mut closed = closed.clone();
    let of = |names: &[(String, NodeId)]| {
        let found = names.iter().find(|(own, _)| own == input);
        found.map(|&(_, node)| node)
    };
    let mut output = output.to_owned();
    let place = copy.parameters.len();
    let (input, value) = if let Some(k) = copy.parameters.iter().position(|p| p.name.text == input)
    {
        (
            Input::Parameter(k),
            closed.graph.input(PARAMETERS, k as u32),
        )
    } else if let Some(k) = scenario
        .states
        .iter()
        .position(|s| s.discrete && s.name.text == input)
    {
        (Input::State(k), closed.graph.input(STATES, k as u32))
    } else if let Some(k) = copy.definitions.iter().position(|d| d.name.text == input)
        && let Some(node) = of(&closed.definitions)
    {
        let returned = fresh(scenario, "return");
        let name = copy.definitions[k].name.clone();
        copy.definitions[k].name.text.clone_from(&returned);
        // the controller that makes it makes it still, under that name
        for controller in &mut copy.controllers {
            if controller.definitions.contains(&name.text) {
                controller.definitions.push(returned.clone());
            }
        }
        // the loop is opened at the plant: an observer is told what its controller wants
        let wanted = HashMap::from([(name.text.clone(), returned.clone())]);
        for k in 0..copy.controllers.len() {
            if copy.controllers[k].is_observer() {
                tell(&mut copy, k, &wanted);
            }
        }
        copy.parameters.push(parameter(&name));
        if output.is_empty() {
            output = returned;
        }
        (Input::Parameter(place), node)
    } else if let Some(k) = copy.signals.iter().position(|s| s.name.text == input)
        && let Some(node) = of(&closed.signals)
    {
        let signal = copy.signals.remove(k);
        copy.parameters.push(parameter(&signal.name));
        (Input::Parameter(place), node)
    } else {
        let names = scenario
            .parameters
            .iter()
            .map(|p| p.name.text.as_str())
            .chain(scenario.signals.iter().map(|s| s.name.text.as_str()))
            .chain(scenario.definitions.iter().map(|d| d.name.text.as_str()));
        let mut finding = Diagnostic::error(
            "linearize::unknown-name",
            format!(
                "`{input}` can be no input: it is no parameter, signal, definition or discrete state"
            ),
            None,
        );
        finding.help = Some(match nearest(input, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name what the equations take from outside, such as a controller's output"
                .to_owned(),
        });
        return Err(vec![finding]);
    };
    let (model, findings) = build(&copy);
    let Some(mut model) = model else {
        return Err(findings);
    };
    let Some(&(_, output)) = model.definitions.iter().find(|(own, _)| *own == output) else {
        return Err(findings);
    };
    let u = match input {
        Input::Parameter(k) => model.graph.input(PARAMETERS, k as u32),
        Input::State(k) => model.graph.input(STATES, k as u32),
    };
    let a = state_matrix(&mut model, kept);
    let rhs: Vec<NodeId> = kept.iter().map(|&k| model.rhs[k]).collect();
    let states = state_inputs(&mut model.graph, kept);
    let graph = &mut model.graph;
    let b = jacobian(graph, &rhs, &[u]);
    let c = jacobian(graph, &[output], &states);
    let d = jacobian(graph, &[output], &[u]);
    Ok(Opened {
        graph: model.graph,
        input,
        a,
        b,
        c,
        d,
        sign,
        value,
    })
}
