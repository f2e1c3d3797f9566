//! Conditions as experiments, and their measurements as data files.

use std::collections::{BTreeMap, BTreeSet};

use super::assemble::Assembly;
use super::observables::Observed;
use super::problem::{Condition, Measurement, Problem};
use crate::diagnostic::Diagnostic;
use crate::import::algebra::{name, names, number, product, substitute};
use crate::import::names::Names;
use crate::import::sbml::equations::Target;
use crate::import::system::{DataFile, Experiment};
use crate::model::Expression;

/// Measurements that one run serves.
#[derive(Debug)]
pub(super) struct Group<'p> {
    /// the condition whose equilibrium it starts from
    pub before: Option<&'p str>,
    /// the condition
    pub condition: &'p str,
    /// whether it is measured in its equilibrium
    pub at_rest: bool,
    /// its measurements, in the tables' order
    pub measurements: Vec<&'p Measurement>,
}

/// The groups of a problem, in the order in which they are measured first; then conditions that are never measured.
pub(super) fn groups(problem: &Problem) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places: BTreeMap<(Option<&str>, &str, bool), usize> = BTreeMap::new();
    for measurement in &problem.measurements {
        let before = measurement.before.as_ref().map(|cell| cell.text.as_str());
        let condition = measurement.condition.text.as_str();
        let at_rest = measurement.time.is_infinite();
        let place = *places
            .entry((before, condition, at_rest))
            .or_insert_with(|| {
                groups.push(Group {
                    before,
                    condition,
                    at_rest,
                    measurements: Vec::new(),
                });
                groups.len() - 1
            });
        groups[place].measurements.push(measurement);
    }
    let used: BTreeSet<&str> = groups
        .iter()
        .flat_map(|group| group.before.into_iter().chain([group.condition]))
        .collect();
    let unused: Vec<&str> = problem
        .conditions
        .iter()
        .map(|condition| condition.id.text.as_str())
        .filter(|id| !used.contains(id))
        .collect();
    groups.extend(unused.into_iter().map(|condition| Group {
        before: None,
        condition,
        at_rest: false,
        measurements: Vec::new(),
    }));
    groups
}

/// What a condition gives: parameters and states by name.
#[derive(Debug, Clone, Default)]
struct Given {
    parameters: Vec<(String, Expression)>,
    /// state, the parameter that is its initial value, value
    states: Vec<(String, Option<String>, Expression)>,
}

/// Adds an experiment for each group; `observed` has what is measured in each.
pub(super) fn add(assembly: &mut Assembly<'_>, groups: &[Group<'_>], observed: &[Observed]) {
    let several = groups.len() > 1;
    let mut taken = Names::default();
    for (group, observed) in groups.iter().zip(observed) {
        let Some(condition) = condition(assembly.problem, group.condition) else {
            continue;
        };
        let mut experiment = Experiment {
            name: title(group, groups),
            comment: if condition.name == group.condition {
                String::new()
            } else {
                condition.name.clone()
            },
            ..Experiment::default()
        };
        let given = given(assembly, condition);
        match group.before {
            Some(before) => {
                let Some(before) = self::condition(assembly.problem, before) else {
                    continue;
                };
                let earlier = self::given(assembly, before);
                after_rest(assembly, &mut experiment, &given, &earlier);
                if group.at_rest {
                    assembly.findings.push(
                        Diagnostic::warning(
                            "petab::rest",
                            "an equilibrium that follows another is looked for from the condition's initial values",
                            Some(group.measurements[0].condition.span.clone()),
                        )
                        .with_help("it is the same where the model has one equilibrium alone"),
                    );
                }
            }
            None => plainly(assembly, &mut experiment, &given),
        }
        if group.at_rest {
            rest_instead(&mut experiment, &given);
        }
        experiment
            .parameters
            .extend(observed.parameters.iter().cloned());
        if !group.measurements.is_empty() {
            let stem = if several {
                format!("data/{}", taken.fresh(&file_stem(&experiment.name)))
            } else {
                "measurements".to_owned()
            };
            let path = format!("{stem}.csv");
            assembly.system.data.push(data(&path, group, observed));
            experiment.data = Some(path);
        }
        assembly.system.experiments.push(experiment);
    }
}

fn file_stem(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

fn condition<'p>(problem: &'p Problem, id: &str) -> Option<&'p Condition> {
    problem.conditions.iter().find(|c| c.id.text == id)
}

/// The name of an experiment: the condition's, and what tells it from others of the same.
fn title(group: &Group<'_>, groups: &[Group<'_>]) -> String {
    let same = |other: &&Group<'_>| other.condition == group.condition;
    if groups.iter().filter(same).count() == 1 {
        return group.condition.to_owned();
    }
    let mut title = group.condition.to_owned();
    if let Some(before) = group.before {
        title += &format!(" after {before}");
    }
    if group.at_rest {
        title += " at rest";
    }
    title
}

/// What a condition gives, in the scenario's words.
fn given(assembly: &mut Assembly<'_>, condition: &Condition) -> Given {
    let mut given = Given::default();
    for (target, value) in &condition.values {
        let value = assembly.translated(value);
        match assembly.targets.get(target) {
            Some(Target::Parameter(shown)) => given.parameters.push((shown.clone(), value)),
            Some(Target::State {
                name: shown,
                start,
                factor,
            }) => {
                let value = match factor {
                    Some(factor) => product(value, factor.clone()),
                    None => value,
                };
                given.states.push((shown.clone(), start.clone(), value));
            }
            // (reported when the columns were looked at)
            Some(Target::Definition(_) | Target::One) | None => {}
        }
    }
    given
}

/// What parameters are under a condition: what it gives, and the model's formulas with that put in.
fn resolved(assembly: &Assembly<'_>, given: &Given) -> Vec<(String, Expression)> {
    let mut values = given.parameters.clone();
    for (_, start, value) in &given.states {
        if let Some(start) = start {
            values.push((start.clone(), value.clone()));
        }
    }
    let parameters = &assembly.system.parameters;
    let mut defaults: Vec<(String, Expression)> = parameters
        .iter()
        .filter(|parameter| !values.iter().any(|(name, _)| *name == parameter.name))
        .filter_map(|parameter| Some((parameter.name.clone(), parameter.default.clone()?)))
        .collect();
    let known: BTreeMap<String, Expression> = values
        .iter()
        .chain(&defaults)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (_, value) in &mut defaults {
        // (formulas at the start depend on one another at most as often as there are any)
        for _ in 0..8 {
            if !names(value).iter().any(|used| known.contains_key(used)) {
                break;
            }
            *value = substitute(value, &mut |used, _| known.get(used).cloned());
        }
    }
    values.extend(defaults);
    values
}

/// An experiment that starts from its condition's initial values.
fn plainly(assembly: &Assembly<'_>, experiment: &mut Experiment, given: &Given) {
    experiment.parameters = resolved(assembly, given);
    experiment.initial = given
        .states
        .iter()
        .filter(|(_, start, _)| start.is_none())
        .map(|(state, _, value)| (state.clone(), value.clone()))
        .collect();
}

/// An experiment that starts from the equilibrium of another condition.
fn after_rest(
    assembly: &Assembly<'_>,
    experiment: &mut Experiment,
    given: &Given,
    earlier: &Given,
) {
    let before = resolved(assembly, earlier);
    let mut now = resolved(
        assembly,
        &Given {
            states: Vec::new(),
            ..given.clone()
        },
    );
    // what is no state, but stands for one that does not change, stays as it was
    for (shown, value) in &earlier.parameters {
        let stays = assembly.targets.iter().any(|(id, target)| {
            *target == Target::Parameter(shown.clone()) && is_quantity(assembly.problem, id)
        });
        if stays && !now.iter().any(|(name, _)| name == shown) {
            now.push((shown.clone(), value.clone()));
        }
    }
    let starts: BTreeSet<&String> = assembly
        .targets
        .values()
        .filter_map(|target| match target {
            Target::State { start, .. } => start.as_ref(),
            _ => None,
        })
        .collect();
    // (initial values are those before; after the equilibrium they say nothing)
    now.retain(|(name, _)| !starts.contains(name));
    let mut changed: Vec<(String, Expression)> = Vec::new();
    for (shown, value) in &before {
        let same = now
            .iter()
            .any(|(name, other)| name == shown && other.to_string() == value.to_string());
        if !same {
            changed.push((shown.clone(), value.clone()));
        }
    }
    for (shown, value) in &now {
        if before.iter().any(|(name, _)| name == shown) {
            continue;
        }
        let parameters = &assembly.system.parameters;
        if let Some(parameter) = parameters.iter().find(|p| p.name == *shown) {
            let own = if parameter.fit {
                name(shown, &value.span)
            } else {
                number(parameter.value, &value.span)
            };
            if own.to_string() != value.to_string() {
                changed.push((shown.clone(), own));
            }
        }
    }
    experiment.parameters = now;
    experiment.before = Some(changed);
    experiment.initial = given
        .states
        .iter()
        .map(|(state, _, value)| (state.clone(), value.clone()))
        .collect();
}

/// Makes an experiment one that is measured in the equilibrium of its condition: it starts there, and is measured then.
fn rest_instead(experiment: &mut Experiment, given: &Given) {
    for (_, start, value) in &given.states {
        if let Some(start) = start {
            experiment.parameters.retain(|(name, _)| name != start);
            experiment.parameters.push((start.clone(), value.clone()));
        }
    }
    experiment.initial.clear();
    experiment.before = Some(Vec::new());
}

/// Whether an identifier is of a species or a compartment.
fn is_quantity(problem: &Problem, id: &str) -> bool {
    let species = problem.model.species.iter().map(|s| &s.identity.id);
    let compartments = problem.model.compartments.iter().map(|c| &c.identity.id);
    species.chain(compartments).any(|other| other == id)
}

/// The measurements of a group: a row a time, several rows where something is measured several times.
fn data(path: &str, group: &Group<'_>, observed: &Observed) -> DataFile {
    let mut columns = vec!["time".to_owned()];
    let mut places: Vec<(usize, Option<usize>)> = Vec::new();
    for column in &observed.columns {
        columns.push(column.name.clone());
        let value = columns.len() - 1;
        let sigma = column.sigma.as_ref().map(|sigma| {
            columns.push(sigma.clone());
            columns.len() - 1
        });
        places.push((value, sigma));
    }
    let mut order: Vec<usize> = (0..group.measurements.len()).collect();
    order.sort_by(|&a, &b| {
        let time = |k: usize| group.measurements[k].time;
        time(a).total_cmp(&time(b))
    });
    let mut rows: Vec<Vec<Option<f64>>> = Vec::new();
    let mut first = 0;
    for k in order {
        let measurement = group.measurements[k];
        let time = if group.at_rest { 0.0 } else { measurement.time };
        if rows.get(first).is_none_or(|row| row[0] != Some(time)) {
            first = rows.len();
        }
        let (value, sigma) = places[observed.of[k]];
        let free = (first..rows.len()).find(|&row| rows[row][value].is_none());
        let row = free.unwrap_or_else(|| {
            let mut row = vec![None; columns.len()];
            row[0] = Some(time);
            rows.push(row);
            rows.len() - 1
        });
        rows[row][value] = Some(measurement.value);
        if let Some(sigma) = sigma {
            rows[row][sigma] = observed.sigmas[k];
        }
    }
    DataFile {
        path: path.to_owned(),
        columns,
        rows,
    }
}
