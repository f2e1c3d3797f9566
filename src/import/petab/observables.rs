//! Observables and their noise, placeholders replaced.
//!
//! `observableParameter1_y` and `noiseParameter1_y` in the formulas of `y` stand for what each measurement says. Where
//! that is the same everywhere it is written in place. Where a formula of noise is a placeholder that is always a
//! number, the numbers become a column of the data. Where values vary between experiments, the placeholder is a
//! parameter that experiments give; where they vary within one, there is an observable for each.

use std::collections::BTreeMap;

use super::assemble::Assembly;
use super::experiments::Group;
use super::problem::{Measurement, Observable};
use crate::diagnostic::Diagnostic;
use crate::import::algebra::{constant, name, names, substitute};
use crate::import::names::Names;
use crate::import::system;
use crate::model::{Expression, ExpressionKind};

/// What is measured in a group.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// columns of its data
    pub columns: Vec<Column>,
    /// by measurement: its column
    pub of: Vec<usize>,
    /// by measurement: the width of its noise, where that is a column
    pub sigmas: Vec<Option<f64>>,
    /// values of placeholders
    pub parameters: Vec<(String, Expression)>,
}

/// A column of a data file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    /// the observable
    pub name: String,
    /// the column of its noise
    pub sigma: Option<String>,
}

/// What the placeholders of an observable stand for in a measurement, and the words that tell it from others.
type Values = Vec<(String, Expression)>;

/// How the placeholders of an observable are served.
enum Way {
    /// one observable, placeholders in place or parameters of these names
    One {
        name: String,
        parameters: BTreeMap<String, String>,
    },
    /// one for each of several values, by their words
    Several(BTreeMap<String, String>),
}

/// Adds the observables; what is measured in each group.
pub(super) fn add(assembly: &mut Assembly<'_>, groups: &[Group<'_>]) -> Vec<Observed> {
    let mut observed: Vec<Observed> = groups
        .iter()
        .map(|group| Observed {
            of: vec![0; group.measurements.len()],
            sigmas: vec![None; group.measurements.len()],
            ..Observed::default()
        })
        .collect();
    let problem = assembly.problem;
    let mut taken = Names::default();
    taken.reserve(problem.observables.iter().map(|o| o.id.text.as_str()));
    for observable in &problem.observables {
        one(assembly, observable, groups, &mut observed, &mut taken);
    }
    observed
}

fn one(
    assembly: &mut Assembly<'_>,
    observable: &Observable,
    groups: &[Group<'_>],
    observed: &mut [Observed],
    taken: &mut Names,
) {
    let id = &observable.id.text;
    let problem = assembly.problem;
    // other observables may stand in formulas
    let inside = |formula: &Expression| {
        substitute(formula, &mut |used, _| {
            let other = problem.observables.iter().find(|o| o.id.text == used)?;
            let known = assembly.targets.contains_key(used);
            (!known).then(|| other.formula.clone())
        })
    };
    let (formula, noise) = (inside(&observable.formula), inside(&observable.noise));
    let holders = placeholders(&[&formula, &noise], id);
    // a noise that is one number a measurement is a column
    let lone = format!("noiseParameter1_{id}");
    let is_lone = matches!(&noise.kind, ExpressionKind::Name(text) if *text == lone)
        && !names(&formula).contains(&lone);
    let mut all: Vec<(usize, usize, Values)> = Vec::new();
    for (g, group) in groups.iter().enumerate() {
        for (m, measurement) in group.measurements.iter().enumerate() {
            if measurement.observable.text == *id {
                match values(assembly, measurement, &holders, id) {
                    Some(values) => all.push((g, m, values)),
                    None => return,
                }
            }
        }
    }
    let lone_numbers: Vec<Option<f64>> = all
        .iter()
        .map(|(.., values)| {
            let value = values.iter().find(|(holder, _)| *holder == lone)?;
            constant(&value.1)
        })
        .collect();
    let varies = lone_numbers.windows(2).any(|pair| pair[0] != pair[1]);
    let column = is_lone && varies && lone_numbers.iter().all(Option::is_some);
    if column {
        for ((g, m, values), number) in all.iter_mut().zip(&lone_numbers) {
            values.retain(|(holder, _)| *holder != lone);
            observed[*g].sigmas[*m] = *number;
        }
    }
    let sigma = column.then(|| assembly.names.fresh(&format!("{id}_sigma")));
    if all.is_empty() {
        unmeasured(assembly, observable, &formula, &noise, &holders, taken);
        return;
    }
    let way = way(assembly, &all, id, taken);
    write(
        assembly,
        observable,
        (&formula, &noise),
        &all,
        &way,
        sigma.as_deref(),
    );
    // what experiments give
    if let Way::One { parameters, .. } = &way {
        for (g, group) in observed.iter_mut().enumerate() {
            let Some((.., values)) = all.iter().find(|(of, ..)| *of == g) else {
                continue;
            };
            for (holder, value) in values {
                if let Some(shown) = parameters.get(holder) {
                    let value = assembly.translated(value);
                    group.parameters.push((shown.clone(), value));
                }
            }
        }
    }
    for (g, m, values) in &all {
        let name = match &way {
            Way::One { name, .. } => name.clone(),
            Way::Several(by) => by.get(&words(values)).cloned().unwrap_or_default(),
        };
        let column = Column {
            name,
            sigma: sigma.clone(),
        };
        let columns = &mut observed[*g].columns;
        let at = columns.iter().position(|other| *other == column);
        let at = at.unwrap_or_else(|| {
            columns.push(column);
            columns.len() - 1
        });
        observed[*g].of[*m] = at;
    }
}

/// How placeholders that stand for these values are served.
fn way(
    assembly: &mut Assembly<'_>,
    all: &[(usize, usize, Values)],
    id: &str,
    taken: &mut Names,
) -> Way {
    let first = &all[0].2;
    let varying: Vec<&String> = first
        .iter()
        .enumerate()
        .filter(|(k, (_, value))| {
            let text = value.to_string();
            all.iter()
                .any(|(.., values)| values[*k].1.to_string() != text)
        })
        .map(|(_, (holder, _))| holder)
        .collect();
    if varying.is_empty() {
        return Way::One {
            name: taken.of(id),
            parameters: BTreeMap::new(),
        };
    }
    let mut by_group: BTreeMap<usize, String> = BTreeMap::new();
    let within = all.iter().any(|(g, _, values)| {
        let text = words(values);
        *by_group.entry(*g).or_insert_with(|| text.clone()) != text
    });
    if within {
        let mut by = BTreeMap::new();
        for (.., values) in all {
            let next = by.len() + 1;
            by.entry(words(values))
                .or_insert_with(|| taken.fresh(&format!("{id}_{next}")));
        }
        return Way::Several(by);
    }
    let parameters: BTreeMap<String, String> = varying
        .into_iter()
        .map(|holder| (holder.clone(), assembly.names.fresh(holder)))
        .collect();
    for (holder, shown) in &parameters {
        let value = first.iter().find(|(other, _)| other == holder);
        let value = value.map(|(_, value)| assembly.translated(value));
        let value = value.and_then(|value| assembly.value_of(&value));
        assembly.system.parameters.push(system::Parameter {
            name: shown.clone(),
            value: value.unwrap_or(1.0),
            comment: format!("of {id}; experiments give it"),
            ..system::Parameter::default()
        });
    }
    Way::One {
        name: taken.of(id),
        parameters,
    }
}

fn words(values: &Values) -> String {
    let texts: Vec<String> = values.iter().map(|(_, value)| value.to_string()).collect();
    texts.join("; ")
}

/// Writes an observable, or one for each of its values.
fn write(
    assembly: &mut Assembly<'_>,
    observable: &Observable,
    (formula, noise): (&Expression, &Expression),
    all: &[(usize, usize, Values)],
    way: &Way,
    sigma: Option<&str>,
) {
    let mut add =
        |shown: &str, values: &Values, parameters: &BTreeMap<String, String>, about: String| {
            let mut put = |e: &Expression| {
                // names of placeholders that are parameters of the scenario stand as they are
                let kept: BTreeMap<&str, &str> = parameters
                    .iter()
                    .map(|(holder, name)| (holder.as_str(), name.as_str()))
                    .collect();
                let filled = substitute(e, &mut |used, span| {
                    if let Some(shown) = kept.get(used) {
                        return Some(name(&format!("\u{1}{shown}"), span));
                    }
                    let value = values.iter().find(|(holder, _)| holder == used)?;
                    Some(value.1.clone())
                });
                let hidden: Vec<String> = names(&filled)
                    .into_iter()
                    .filter(|used| used.starts_with('\u{1}'))
                    .collect();
                for used in &hidden {
                    assembly.targets.insert(
                        used.clone(),
                        crate::import::sbml::equations::Target::Parameter(used[1..].to_owned()),
                    );
                }
                let done = assembly.translated(&filled);
                for used in &hidden {
                    assembly.targets.remove(used);
                }
                done
            };
            let expression = put(formula);
            let width = match sigma {
                Some(column) => name(column, &noise.span),
                None => put(noise),
            };
            assembly.system.observables.push(system::Observable {
                name: shown.to_owned(),
                expression,
                noise: Some((observable.model, width)),
                comment: about,
            });
        };
    let about = if observable.name == observable.id.text {
        ""
    } else {
        &observable.name
    };
    match way {
        Way::One { name, parameters } => add(name, &all[0].2, parameters, about.to_owned()),
        Way::Several(by) => {
            let mut done = Vec::new();
            for (.., values) in all {
                let text = words(values);
                if done.contains(&text) {
                    continue;
                }
                let what = format!("{} with {text}", observable.id.text);
                if let Some(shown) = by.get(&text) {
                    add(shown, values, &BTreeMap::new(), what);
                }
                done.push(text);
            }
        }
    }
}

/// An observable that nothing measures: kept where its formula says all, without noise where that does not.
fn unmeasured(
    assembly: &mut Assembly<'_>,
    observable: &Observable,
    formula: &Expression,
    noise: &Expression,
    holders: &[String],
    taken: &mut Names,
) {
    let id = &observable.id.text;
    let uses = |e: &Expression| names(e).iter().any(|used| holders.contains(used));
    if uses(formula) {
        assembly.findings.push(
            Diagnostic::warning(
                "petab::ignored",
                format!("`{id}` is never measured, and its placeholders stand for nothing"),
                Some(observable.id.span.clone()),
            )
            .with_help("it is left out"),
        );
        return;
    }
    let expression = assembly.translated(formula);
    let noise = if uses(noise) {
        None
    } else {
        Some((observable.model, assembly.translated(noise)))
    };
    assembly.system.observables.push(system::Observable {
        name: taken.of(id),
        expression,
        noise,
        comment: "never measured".to_owned(),
    });
}

/// The placeholders of an observable in its formulas, in order.
fn placeholders(formulas: &[&Expression], id: &str) -> Vec<String> {
    let mut found: Vec<(String, usize, String)> = Vec::new();
    for formula in formulas {
        for used in names(formula) {
            for kind in ["observableParameter", "noiseParameter"] {
                let number = used
                    .strip_prefix(kind)
                    .and_then(|rest| rest.strip_suffix(id))
                    .and_then(|rest| rest.strip_suffix('_'))
                    .and_then(|digits| digits.parse::<usize>().ok());
                if let Some(number) = number.filter(|&number| number > 0) {
                    found.push((kind.to_owned(), number, used.clone()));
                }
            }
        }
    }
    found.sort();
    found.dedup();
    // (observables before noise)
    found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    found.into_iter().map(|(.., used)| used).collect()
}

/// What the placeholders stand for in a measurement; `None` where there are too few, or too many, values.
fn values(
    assembly: &mut Assembly<'_>,
    measurement: &Measurement,
    holders: &[String],
    id: &str,
) -> Option<Values> {
    let mut values = Values::new();
    let lists = [
        ("observableParameter", &measurement.observable_parameters),
        ("noiseParameter", &measurement.noise_parameters),
    ];
    for (kind, list) in lists {
        let of_kind = |holder: &&String| holder.starts_with(kind);
        let most = holders
            .iter()
            .filter(of_kind)
            .filter_map(|holder| {
                let digits = holder[kind.len()..].strip_suffix(id)?.strip_suffix('_')?;
                digits.parse::<usize>().ok()
            })
            .max()
            .unwrap_or(0);
        if list.len() < most {
            let message = format!(
                "the formulas of `{id}` have {most} {kind}s, this measurement gives {}",
                list.len()
            );
            assembly.error("petab::placeholder", message, &measurement.observable.span);
            return None;
        }
        if list.len() > most && most > 0 {
            let message = format!(
                "the formulas of `{id}` have {most} {kind}s, this measurement gives {}",
                list.len()
            );
            assembly.error("petab::placeholder", message, &measurement.observable.span);
            return None;
        }
        for holder in holders.iter().filter(of_kind) {
            let digits = holder[kind.len()..].strip_suffix(id)?.strip_suffix('_')?;
            let k = digits.parse::<usize>().ok()?;
            values.push((holder.clone(), list.get(k - 1)?.clone()));
        }
    }
    Some(values)
}
