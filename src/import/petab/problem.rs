//! A PEtab v1 problem as its files say it: what the YAML names, and the rows of its tables.

use std::collections::BTreeSet;
use std::path::Path;

use super::files::Files;
use super::table::{Cell, Table};
use super::{formula, parameters, yaml};
use crate::diagnostic::{Diagnostic, nearest};
use crate::import::sbml::model::Model;
use crate::import::system::Prior;
use crate::model::Expression;
use crate::scenario::source::{Role, open};

/// A problem.
#[derive(Debug)]
pub struct Problem {
    /// the SBML model
    pub model: Model,
    /// the names of the columns of the condition tables that give values
    pub targets: Vec<Cell>,
    /// conditions
    pub conditions: Vec<Condition>,
    /// observables
    pub observables: Vec<Observable>,
    /// measurements
    pub measurements: Vec<Measurement>,
    /// parameters
    pub parameters: Vec<Parameter>,
}

/// A condition.
#[derive(Debug)]
pub struct Condition {
    /// its identifier
    pub id: Cell,
    /// its name, empty where it has none
    pub name: String,
    /// values by target; what is absent is not given
    pub values: Vec<(String, Expression)>,
}

/// An observable.
#[derive(Debug)]
pub struct Observable {
    /// its identifier
    pub id: Cell,
    /// its name, empty where it has none
    pub name: String,
    /// what is measured
    pub formula: Expression,
    /// the width of its noise
    pub noise: Expression,
    /// the noise model, as scenarios name it
    pub model: &'static str,
}

/// A measurement.
#[derive(Debug)]
pub struct Measurement {
    /// the observable
    pub observable: Cell,
    /// the condition it starts from the equilibrium of
    pub before: Option<Cell>,
    /// the condition
    pub condition: Cell,
    /// the measured value
    pub value: f64,
    /// when; infinite for an equilibrium
    pub time: f64,
    /// values for the observable's placeholders
    pub observable_parameters: Vec<Expression>,
    /// values for the noise's placeholders
    pub noise_parameters: Vec<Expression>,
}

/// A parameter.
#[derive(Debug)]
pub struct Parameter {
    /// its identifier
    pub id: Cell,
    /// its name, empty where it has none
    pub name: String,
    /// the scale it is estimated on, as scenarios name it; `None` for linear
    pub scale: Option<&'static str>,
    /// bounds; infinite where none is given
    pub bounds: [f64; 2],
    /// its value
    pub value: f64,
    /// whether it is estimated
    pub estimated: bool,
    /// its prior
    pub prior: Option<Prior>,
}

/// Reads a problem; `None` where something is wrong with it.
pub fn read(path: &Path, findings: &mut Vec<Diagnostic>) -> Option<Problem> {
    let file = match open(path, Role::Problem, None) {
        Ok(file) => file,
        Err(finding) => {
            findings.push(finding);
            return None;
        }
    };
    let root = match yaml::read(&file) {
        Ok(root) => root,
        Err(finding) => {
            findings.push(*finding);
            return None;
        }
    };
    let before = findings.len();
    let files = Files::of(&root, path, findings)?;
    let model_file = files.open(&files.model, Role::Model, findings)?;
    let model = crate::import::sbml::read::read(&model_file, findings);
    let (mut targets, mut conditions) = (Vec::new(), Vec::new());
    for table in files.tables(&files.conditions, findings) {
        read_conditions(&table, &mut targets, &mut conditions, findings);
    }
    let mut observables = Vec::new();
    for table in files.tables(&files.observables, findings) {
        read_observables(&table, &mut observables, findings);
    }
    let mut parameters = Vec::new();
    for table in files.tables(&files.parameters, findings) {
        parameters::read(&table, &mut parameters, findings);
    }
    let mut measurements = Vec::new();
    for table in files.tables(&files.measurements, findings) {
        read_measurements(&table, &mut measurements, findings);
    }
    duplicates(conditions.iter().map(|c| &c.id), "condition", findings);
    duplicates(observables.iter().map(|o| &o.id), "observable", findings);
    duplicates(parameters.iter().map(|p| &p.id), "parameter", findings);
    known(
        measurements.iter().map(|m| &m.observable),
        observables.iter().map(|o| &o.id),
        "observable",
        findings,
    );
    known(
        measurements
            .iter()
            .flat_map(|m| m.before.iter().chain([&m.condition])),
        conditions.iter().map(|c| &c.id),
        "condition",
        findings,
    );
    let failed = findings[before..]
        .iter()
        .any(|finding| finding.severity == crate::diagnostic::Severity::Error);
    let problem = Problem {
        model: model?,
        targets,
        conditions,
        observables,
        measurements,
        parameters,
    };
    (!failed).then_some(problem)
}

fn duplicates<'c>(ids: impl Iterator<Item = &'c Cell>, what: &str, findings: &mut Vec<Diagnostic>) {
    let mut seen = BTreeSet::new();
    for id in ids {
        if !seen.insert(id.text.as_str()) {
            findings.push(Diagnostic::error(
                "petab::duplicate",
                format!("the {what} `{}` is given twice", id.text),
                Some(id.span.clone()),
            ));
        }
    }
}

/// Every use of a name is of one that is there; each wrong one is told once.
fn known<'c>(
    uses: impl Iterator<Item = &'c Cell>,
    ids: impl Iterator<Item = &'c Cell>,
    what: &str,
    findings: &mut Vec<Diagnostic>,
) {
    let ids: Vec<&str> = ids.map(|id| id.text.as_str()).collect();
    let all: BTreeSet<&str> = ids.iter().copied().collect();
    let mut told = BTreeSet::new();
    for used in uses {
        if all.contains(used.text.as_str()) || !told.insert(used.text.as_str()) {
            continue;
        }
        let diagnostic = Diagnostic::error(
            "petab::unknown",
            format!("there is no {what} `{}`", used.text),
            Some(used.span.clone()),
        );
        findings.push(match nearest(&used.text, ids.iter().copied()) {
            Some(near) => diagnostic.with_help(format!("did you mean `{near}`?")),
            None => diagnostic,
        });
    }
}

fn read_conditions(
    table: &Table,
    targets: &mut Vec<Cell>,
    conditions: &mut Vec<Condition>,
    findings: &mut Vec<Diagnostic>,
) {
    let Some(id) = table.needed("conditionId", findings) else {
        return;
    };
    let name = table.column("conditionName");
    let columns: Vec<usize> = (0..table.header.len())
        .filter(|&k| k != id && Some(k) != name && !table.header[k].text.is_empty())
        .collect();
    for &k in &columns {
        if !targets
            .iter()
            .any(|target| target.text == table.header[k].text)
        {
            targets.push(table.header[k].clone());
        }
    }
    for row in &table.rows {
        let values = columns
            .iter()
            .filter(|&&k| !row[k].is_missing())
            .filter_map(|&k| {
                let value = formula::read(&row[k], findings)?;
                Some((table.header[k].text.clone(), value))
            })
            .collect();
        conditions.push(Condition {
            id: row[id].clone(),
            name: name.map_or_else(String::new, |k| row[k].text.clone()),
            values,
        });
    }
}

fn read_observables(
    table: &Table,
    observables: &mut Vec<Observable>,
    findings: &mut Vec<Diagnostic>,
) {
    const KNOWN: &[&str] = &[
        "observableId",
        "observableName",
        "observableFormula",
        "noiseFormula",
        "observableTransformation",
        "noiseDistribution",
    ];
    table.check_columns(KNOWN, "observables", findings);
    let id = table.needed("observableId", findings);
    let formula = table.needed("observableFormula", findings);
    let noise = table.needed("noiseFormula", findings);
    let (Some(id), Some(formula), Some(noise)) = (id, formula, noise) else {
        return;
    };
    let name = table.column("observableName");
    let transformation = table.column("observableTransformation");
    let distribution = table.column("noiseDistribution");
    for row in &table.rows {
        let transformed = word(
            row,
            transformation,
            "lin",
            &["lin", "log", "log10"],
            findings,
        );
        let law = word(
            row,
            distribution,
            "normal",
            &["normal", "laplace"],
            findings,
        );
        let model = match (transformed, law) {
            ("lin", "normal") => "normal",
            ("log", "normal") => "log-normal",
            ("log10", "normal") => "log10-normal",
            ("lin", _) => "laplace",
            ("log", _) => "log-laplace",
            _ => "log10-laplace",
        };
        for k in [formula, noise] {
            if row[k].text.is_empty() {
                findings.push(Diagnostic::error(
                    "petab::missing",
                    format!("`{}` of `{}` is empty", table.header[k].text, row[id].text),
                    Some(row[k].span.clone()),
                ));
            }
        }
        if row[formula].text.is_empty() || row[noise].text.is_empty() {
            continue;
        }
        let value = formula::read(&row[formula], findings);
        let width = formula::read(&row[noise], findings);
        if let (Some(value), Some(width)) = (value, width) {
            observables.push(Observable {
                id: row[id].clone(),
                name: name.map_or_else(String::new, |k| row[k].text.clone()),
                formula: value,
                noise: width,
                model,
            });
        }
    }
}

/// One of some words in a cell; the first of them where it says something else, which is reported.
pub(super) fn word(
    row: &[Cell],
    column: Option<usize>,
    default: &'static str,
    words: &[&'static str],
    findings: &mut Vec<Diagnostic>,
) -> &'static str {
    let Some(cell) = column.map(|k| &row[k]).filter(|cell| !cell.text.is_empty()) else {
        return default;
    };
    match words.iter().find(|word| **word == cell.text) {
        Some(word) => word,
        None => {
            findings.push(
                Diagnostic::error(
                    "petab::value",
                    format!("`{}` is none of {}", cell.text, words.join(", ")),
                    Some(cell.span.clone()),
                )
                .with_help(match nearest(&cell.text, words.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("write one of {}", words.join(", ")),
                }),
            );
            default
        }
    }
}

pub(super) fn number(cell: &Cell, what: &str, findings: &mut Vec<Diagnostic>) -> Option<f64> {
    let value = cell.number();
    if value.is_none() {
        let shown = if cell.text.is_empty() {
            "an empty cell".to_owned()
        } else {
            format!("`{}`", cell.text)
        };
        findings.push(
            Diagnostic::error(
                "petab::value",
                format!("{shown} is no {what}"),
                Some(cell.span.clone()),
            )
            .with_help("write a number with a decimal point"),
        );
    }
    value
}

fn read_measurements(
    table: &Table,
    measurements: &mut Vec<Measurement>,
    findings: &mut Vec<Diagnostic>,
) {
    const KNOWN: &[&str] = &[
        "observableId",
        "preequilibrationConditionId",
        "simulationConditionId",
        "measurement",
        "time",
        "observableParameters",
        "noiseParameters",
        "datasetId",
        "replicateId",
    ];
    table.check_columns(KNOWN, "measurements", findings);
    let needed: Vec<Option<usize>> = [
        "observableId",
        "simulationConditionId",
        "measurement",
        "time",
    ]
    .iter()
    .map(|name| table.needed(name, findings))
    .collect();
    let [Some(observable), Some(condition), Some(value), Some(time)] = needed[..] else {
        return;
    };
    let before = table.column("preequilibrationConditionId");
    let of_observable = table.column("observableParameters");
    let of_noise = table.column("noiseParameters");
    for row in &table.rows {
        let list = |column: Option<usize>, findings: &mut Vec<Diagnostic>| {
            column.map_or_else(Vec::new, |k| {
                formula::list(&row[k], findings).unwrap_or_default()
            })
        };
        let measured = number(&row[value], "measurement", findings);
        let at = number(&row[time], "time", findings);
        if let Some(at) = at
            && (at < 0.0 || at == f64::NEG_INFINITY)
        {
            findings.push(Diagnostic::error(
                "petab::value",
                format!("the time {at} is before the start, 0"),
                Some(row[time].span.clone()),
            ));
        }
        if let Some(measured) = measured
            && !measured.is_finite()
        {
            number(
                &Cell {
                    text: String::new(),
                    ..row[value].clone()
                },
                "measurement",
                findings,
            );
        }
        let (observable_parameters, noise_parameters) =
            (list(of_observable, findings), list(of_noise, findings));
        if let (Some(value), Some(time)) = (measured, at) {
            measurements.push(Measurement {
                observable: row[observable].clone(),
                before: before
                    .map(|k| row[k].clone())
                    .filter(|cell| !cell.text.is_empty()),
                condition: row[condition].clone(),
                value,
                time,
                observable_parameters,
                noise_parameters,
            });
        }
    }
}
