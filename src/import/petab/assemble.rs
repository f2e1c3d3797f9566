//! A PEtab problem as a scenario.
//!
//! Conditions become experiments, what the condition table gives values parameters that experiments override, or
//! initial values of states; placeholders of observables are written in place where they are the same everywhere.

use std::collections::{BTreeMap, BTreeSet};

use super::experiments::{self, Group};
use super::observables;
use super::problem::{Parameter, Problem};
use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::import::algebra::{constant, name, names, number, substitute};
use crate::import::names::Names;
use crate::import::sbml::equations::{Target, Translated, translate};
use crate::import::sbml::mathml::TIME;
use crate::import::sbml::{Asked, model::Model};
use crate::import::system::{self, System};
use crate::model::Expression;

/// What has been made of a problem so far.
pub(super) struct Assembly<'p> {
    pub problem: &'p Problem,
    pub system: System,
    /// by identifier of the model
    pub targets: BTreeMap<String, Target>,
    pub names: Names,
    pub findings: &'p mut Vec<Diagnostic>,
}

/// Makes a scenario of a problem; `None` where something is wrong with it.
pub fn assemble(problem: &Problem, findings: &mut Vec<Diagnostic>) -> Option<System> {
    let before = findings.len();
    let asked = asked(problem);
    let Translated {
        system,
        targets,
        names,
    } = translate(&problem.model, &asked, findings)?;
    let mut assembly = Assembly {
        problem,
        system,
        targets,
        names,
        findings,
    };
    assembly.parameters();
    assembly.condition_parameters();
    let groups = experiments::groups(problem);
    assembly.check_rest(&groups);
    let observed = observables::add(&mut assembly, &groups);
    // (what is measured is known only where no observable is wrong)
    if failed(&assembly.findings[before..]) {
        return None;
    }
    experiments::add(&mut assembly, &groups, &observed);
    assembly.time();
    assembly.system.renamed.clone_from(&assembly.names.changed);
    let system = assembly.system;
    (!failed(&findings[before..])).then_some(system)
}

fn failed(findings: &[Diagnostic]) -> bool {
    findings
        .iter()
        .any(|finding| finding.severity == Severity::Error)
}

/// What the tables ask of the model.
fn asked(problem: &Problem) -> Asked {
    let targets: BTreeSet<String> = problem.targets.iter().map(|t| t.text.clone()).collect();
    let rests = problem
        .measurements
        .iter()
        .any(|m| m.before.is_some() || m.time.is_infinite());
    // the initial value of one state may depend on that of another, which an experiment changes
    let read_at_start = problem
        .model
        .initial
        .iter()
        .any(|one| names(&one.math).iter().any(|used| targets.contains(used)));
    let estimated: BTreeSet<String> = problem
        .parameters
        .iter()
        .map(|parameter| parameter.id.text.clone())
        .collect();
    let mut starts = estimated;
    if rests || read_at_start {
        starts.extend(targets.iter().cloned());
    }
    Asked {
        kept: targets,
        starts,
        values: problem
            .parameters
            .iter()
            .map(|parameter| (parameter.id.text.clone(), parameter.value))
            .collect(),
    }
}

impl Assembly<'_> {
    pub fn error(&mut self, code: &'static str, message: String, span: &Span) {
        self.findings
            .push(Diagnostic::error(code, message, Some(span.clone())));
    }

    /// The parameter table: values, bounds and scales of the model's parameters, and parameters of its own, first and
    /// in its order.
    fn parameters(&mut self) {
        let mut first = Vec::new();
        for given in &self.problem.parameters {
            let id = &given.id.text;
            let shown = match self.targets.get(id) {
                Some(Target::Parameter(shown)) => Some(shown.clone()),
                Some(Target::State {
                    start: Some(start), ..
                }) => Some(start.clone()),
                Some(_) => {
                    let message =
                        format!("`{id}` is no parameter of the model: a rule or formula gives it");
                    self.error("petab::parameter", message, &given.id.span);
                    continue;
                }
                None => None,
            };
            let known = shown.and_then(|shown| {
                let at = self
                    .system
                    .parameters
                    .iter()
                    .position(|p| p.name == shown)?;
                Some(self.system.parameters.remove(at))
            });
            let mut parameter = match known {
                Some(parameter) => parameter,
                None => {
                    let shown = self.names.of(id);
                    self.targets
                        .insert(id.clone(), Target::Parameter(shown.clone()));
                    system::Parameter {
                        name: shown,
                        ..system::Parameter::default()
                    }
                }
            };
            describe(&mut parameter, given);
            first.push(parameter);
        }
        first.append(&mut self.system.parameters);
        self.system.parameters = first;
    }

    /// What the condition tables give values that is not of the model.
    fn condition_parameters(&mut self) {
        for target in &self.problem.targets {
            let id = &target.text;
            match self.targets.get(id) {
                Some(Target::Parameter(_) | Target::State { .. }) => {}
                Some(Target::Definition(_)) => {
                    let message = format!(
                        "`{id}` has a rule in the model, so that conditions cannot give it values"
                    );
                    self.error("petab::condition", message, &target.span);
                }
                Some(Target::One) | None => {
                    let shown = self.names.of(id);
                    self.targets
                        .insert(id.clone(), Target::Parameter(shown.clone()));
                    self.system.parameters.push(system::Parameter {
                        name: shown,
                        comment: "experiments give it".to_owned(),
                        ..system::Parameter::default()
                    });
                }
            }
        }
    }

    /// An equilibrium is where all stands still, time held: equations that depend on time have none.
    fn check_rest(&mut self, groups: &[Group<'_>]) {
        let at_rest = groups.iter().find(|group| group.at_rest);
        let Some(group) = at_rest else { return };
        let definitions = self.system.definitions.iter().map(|d| &d.expression);
        let rates = self.system.states.iter().filter_map(|s| s.rate.as_ref());
        if definitions.chain(rates).any(|e| names(e).contains("t")) {
            let span = group.measurements[0].condition.span.clone();
            self.error(
                "petab::unsupported",
                "a measurement at time inf of a model whose equations depend on time cannot be imported"
                    .to_owned(),
                &span,
            );
        }
    }

    /// A formula of a table in the scenario's words; what it names must be there.
    pub fn translated(&mut self, formula: &Expression) -> Expression {
        let mut unknown: Vec<(String, Span)> = Vec::new();
        let done = substitute(formula, &mut |id, span| {
            if id == TIME {
                return Some(name("t", span));
            }
            if id == "pi" && !self.targets.contains_key("pi") {
                return None;
            }
            match self.targets.get(id) {
                Some(Target::Parameter(shown) | Target::Definition(shown)) => {
                    Some(name(shown, span))
                }
                Some(Target::State {
                    name: shown,
                    factor,
                    ..
                }) => match factor {
                    // (where the size varies the identifier is a definition of its own)
                    Some(_) => Some(name(self.names.get(id).unwrap_or(shown), span)),
                    None => Some(name(shown, span)),
                },
                Some(Target::One) => Some(number(1.0, span)),
                None => {
                    unknown.push((id.to_owned(), span.clone()));
                    None
                }
            }
        });
        for (id, span) in unknown {
            let known = self.targets.keys().map(String::as_str);
            let diagnostic = Diagnostic::error(
                "petab::unknown",
                format!("there is no `{id}` in the model or the parameter table"),
                Some(span),
            );
            let near = crate::diagnostic::nearest(&id, known).map(str::to_owned);
            self.findings.push(match near {
                Some(near) => diagnostic.with_help(format!("did you mean `{near}`?")),
                None => diagnostic.with_help("add it to the parameter table"),
            });
        }
        done
    }

    fn time(&mut self) {
        let last = self
            .problem
            .measurements
            .iter()
            .map(|m| m.time)
            .filter(|time| time.is_finite())
            .fold(0.0, f64::max);
        self.system.time = [0.0, if last > 0.0 { last } else { 1.0 }];
    }

    /// The number that a value is, parameters as in the scenario.
    pub fn value_of(&self, e: &Expression) -> Option<f64> {
        if let Some(value) = constant(e) {
            return Some(value);
        }
        let crate::model::ExpressionKind::Name(shown) = &e.kind else {
            return None;
        };
        let parameters = &self.system.parameters;
        parameters
            .iter()
            .find(|parameter| parameter.name == *shown)
            .map(|parameter| parameter.value)
    }
}

fn describe(parameter: &mut system::Parameter, given: &Parameter) {
    parameter.value = given.value;
    parameter.default = None;
    parameter.fit = given.estimated;
    parameter.prior = given.prior;
    let [low, high] = given.bounds;
    let on_scale = given.scale.is_none() || (given.value > 0.0 && low >= 0.0);
    if given.estimated || (on_scale && low <= given.value && given.value <= high && low < high) {
        if low.is_finite() || high.is_finite() {
            parameter.bounds = Some(given.bounds);
        }
        parameter.scale = given.scale;
    }
    let plain = given.name.replace(['{', '}', '\\', '_', ' ', ','], "");
    let same = given.id.text.replace(['_', ' '], "");
    if parameter.comment.is_empty() && !plain.is_empty() && plain != same {
        parameter.comment.clone_from(&given.name);
    }
}

/// The title of a problem: its model's, or the file's.
pub fn title(model: &Model, file: &str) -> String {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    match (&*model.name, &*model.id) {
        ("", "" | "model") => stem.to_owned(),
        ("", id) => id.to_owned(),
        (name, _) => name.to_owned(),
    }
}
