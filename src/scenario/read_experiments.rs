//! `[[experiments]]` and `[data]`.
//!
//! A file without experiments has one, named "", with the data of `[data]`. With experiments, `[data]` gives the
//! keys that an experiment's own `data` table does not; an experiment without such a table has no measurements.

use std::ops::Range;

use toml::de::DeValue;

use super::data::Csv;
use super::read_settings::unknown_state;
use super::reader::Names;
use super::types::{DataSet, Experiment, Name, Observable, Parameter, Sigma, State};
use super::values::{Reader, Section, Value, did_you_mean, in_order, list, shorten};
use crate::diagnostic::{Diagnostic, Severity};

pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    time: [f64; 2],
    parameters: &[Parameter],
    states: &[State],
    observables: &[Observable],
    names: &Names,
) -> Vec<Experiment> {
    let shared = top
        .get("data")
        .and_then(|value| reader.section("data", "data", value));
    let context = Context {
        time,
        observables,
        names,
    };
    let sections = reader.list(top, "experiments");
    if sections.is_empty() {
        let data = shared.and_then(|section| context.data(reader, &[section]));
        if shared.is_none() {
            context.no_data(reader);
        }
        return vec![Experiment {
            name: String::new(),
            parameters: Vec::new(),
            initial: Vec::new(),
            before: None,
            data,
        }];
    }
    let mut experiments: Vec<Experiment> = Vec::new();
    let mut with_data = false;
    for (index, section) in sections.iter().enumerate() {
        let name = reader
            .text(section, "name")
            .unwrap_or_else(|| format!("experiment {}", index + 1));
        if let Some(value) = section.get("name") {
            check_name(reader, &name, value, &experiments);
        }
        let known: Vec<&str> = parameters.iter().map(|p| p.name.text.as_str()).collect();
        let overridden = overrides(reader, section, "parameters", &known, states);
        let initial = overrides(reader, section, "initial", &[], states);
        let before = before(reader, section, &known, states);
        let own = section
            .get("data")
            .and_then(|value| reader.section("experiments.data", "data", value));
        with_data |= section.get("data").is_some();
        let data = own.and_then(|own| {
            let tables: Vec<Section<'_, '_>> = std::iter::once(own).chain(shared).collect();
            context.data(reader, &tables)
        });
        experiments.push(Experiment {
            name,
            parameters: overridden,
            initial,
            before,
            data,
        });
    }
    if !with_data {
        context.no_data(reader);
    }
    if !with_data && let Some(shared) = shared {
        let span = reader.sources.span(shared.range());
        let message = "no experiment uses `[data]`";
        reader.report(
            Diagnostic::warning("scenario::unused", message, Some(span))
                .with_label("not used")
                .with_help("give an experiment `data = {}` to measure there what `[data]` says"),
        );
    }
    experiments
}

fn check_name(reader: &mut Reader<'_>, name: &str, value: &Value<'_>, before: &[Experiment]) {
    let (code, message, help) = if name.trim().is_empty() {
        (
            "scenario::name",
            "an experiment's name is empty".to_owned(),
            "name it, or leave `name` out",
        )
    } else if before.iter().any(|other| other.name == name) {
        (
            "scenario::duplicate-name",
            format!("two experiments are named `{}`", shorten(name)),
            "rename one of the two",
        )
    } else {
        return;
    };
    let diagnostic = reader.error(code, message, value.span());
    diagnostic.label = "not a name of its own".to_owned();
    diagnostic.help = Some(help.to_owned());
}

/// `steady_state_before` and `before_parameters`.
fn before(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    parameters: &[&str],
    states: &[State],
) -> Option<Vec<(Name, crate::model::Expression)>> {
    let rests = reader.boolean(section, "steady_state_before");
    let changed = overrides(reader, section, "before_parameters", parameters, states);
    if rests == Some(true) {
        return Some(changed);
    }
    // (a key of a wrong type has been told)
    let told = rests.is_none() && section.get("steady_state_before").is_some();
    if let Some(value) = section.get("before_parameters").filter(|_| !told) {
        let message = "`before_parameters` is read only with `steady_state_before = true`";
        let diagnostic = reader.error("scenario::unused", message, value.span());
        diagnostic.label = "not used".to_owned();
        diagnostic.help = Some("add `steady_state_before = true` to the experiment".to_owned());
    }
    None
}

/// `parameters = { k = 1.0 }` or `initial = { x = "x0" }` of an experiment.
fn overrides(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    key: &str,
    parameters: &[&str],
    states: &[State],
) -> Vec<(Name, crate::model::Expression)> {
    let Some(value) = section.get(key) else {
        return Vec::new();
    };
    let DeValue::Table(entries) = value.get_ref() else {
        reader.wrong_type(key, "a table of names and values", value);
        return Vec::new();
    };
    let mut all = Vec::new();
    for (name, value) in in_order(entries) {
        let text: &str = name.get_ref();
        let expression = reader.expression(text, value);
        if key == "initial" {
            if !states.iter().any(|state| state.name.text == text) {
                unknown_state(reader, states, text, "`initial`", name.span());
                continue;
            }
        } else if !parameters.contains(&text) {
            let help = did_you_mean(text, parameters.iter().copied())
                .unwrap_or_else(|| format!("parameters: {}", list(parameters.iter().copied())));
            let diagnostic = reader.error(
                "scenario::unknown-name",
                format!("`{key}` names `{}`, which is no parameter", shorten(text)),
                name.span(),
            );
            diagnostic.label = "no such parameter".to_owned();
            diagnostic.help = Some(help);
            continue;
        }
        let name = Name {
            text: text.to_owned(),
            span: reader.sources.span(name.span()),
        };
        all.push((name, expression));
    }
    all
}

/// What data are read against.
struct Context<'c> {
    time: [f64; 2],
    observables: &'c [Observable],
    names: &'c Names,
}

impl Context<'_> {
    /// Without any data file a sigma cannot be a column.
    fn no_data(&self, reader: &mut Reader<'_>) {
        for observable in self.observables {
            if let Some(Sigma::Column(name)) = observable.noise.as_ref().map(|noise| &noise.sigma) {
                let shown = shorten(&name.text);
                let message = format!(
                    "`{}` is no name of the model, and there are no data to have such a column",
                    shown
                );
                let help = did_you_mean(&name.text, self.names.all())
                    .unwrap_or_else(|| format!("add `{shown}` to `[parameters]`"));
                reader.report(
                    Diagnostic::error("scenario::unknown-name", message, Some(name.span.clone()))
                        .with_label("unknown name")
                        .with_help(help),
                );
            }
        }
    }

    /// Reads the data that some tables describe, the first that has a key deciding it.
    fn data(&self, reader: &mut Reader<'_>, tables: &[Section<'_, '_>]) -> Option<DataSet> {
        let holder = |key: &str| tables.iter().find(|table| table.get(key).is_some());
        let Some(with_file) = holder("file") else {
            reader.missing(&tables[0], "file");
            return None;
        };
        let file = reader.text(with_file, "file")?;
        let source = reader.data_file(&file, with_file.get("file")?.span())?;
        let csv = match Csv::new(source) {
            Ok(csv) => csv,
            Err(diagnostic) => {
                let mut diagnostic = *diagnostic;
                if diagnostic.span.is_none() {
                    diagnostic.span = Some(reader.sources.span(with_file.get("file")?.span()));
                }
                reader.report(diagnostic);
                return None;
            }
        };
        let before = errors(reader);
        let time = match holder("time") {
            Some(section) => {
                let value = section.get("time")?;
                let name = reader.text(section, "time")?;
                self.find(reader, &csv, &name, value.span())
            }
            None => Some(0),
        };
        let filter = match holder("rows") {
            Some(section) => self.filter(reader, section, &csv),
            None => Vec::new(),
        };
        let columns = match holder("columns") {
            Some(section) => self.columns(reader, section, &csv),
            None => self.columns_by_name(reader, &csv, with_file.get("file")?.span(), time),
        };
        let sigmas: Vec<Option<usize>> = self
            .observables
            .iter()
            .zip(&columns)
            .map(|(observable, column)| {
                // (an observable that this file does not hold needs no sigma there)
                column.and_then(|_| self.sigma_column(reader, &csv, observable))
            })
            .collect();
        if errors(reader) > before {
            return None;
        }
        let time = time?;
        let mut wanted = vec![time];
        wanted.extend(columns.iter().flatten());
        wanted.extend(sigmas.iter().flatten());
        let filter_cells: Vec<(usize, String)> = filter
            .iter()
            .map(|(column, text, _)| (*column, text.clone()))
            .collect();
        let mut rows = csv.rows(&filter_cells, &wanted);
        if rows.places.is_empty() && rows.findings.is_empty() {
            match filter.first() {
                Some((column, text, range)) => {
                    let name = &csv.header()[*column];
                    let message = format!(
                        "`{}` has no row with `{} = {}`",
                        csv.name(),
                        shorten(name),
                        shorten(text)
                    );
                    let diagnostic = reader.error("data::no-such-rows", message, range.clone());
                    diagnostic.label = "selects no row".to_owned();
                    diagnostic.help = Some("write a value that the column holds".to_owned());
                }
                None => {
                    reader.report(csv.no_rows());
                }
            }
            return None;
        }
        let mut taken = std::mem::take(&mut rows.columns).into_iter();
        let times = taken.next()?;
        let length = times.len();
        let values: Vec<Vec<f64>> = columns
            .iter()
            .map(|column| match column {
                Some(_) => taken.next().unwrap_or_default(),
                None => vec![f64::NAN; length],
            })
            .collect();
        let sigma_values: Vec<Vec<f64>> = sigmas
            .iter()
            .map(|column| match column {
                Some(_) => taken.next().unwrap_or_default(),
                None => Vec::new(),
            })
            .collect();
        let mut findings = rows.findings;
        if findings.is_empty() {
            let [start, end] = self.time;
            let (first, last) = if end < start {
                (end, start)
            } else {
                (start, end)
            };
            let mut latest = f64::NEG_INFINITY;
            for (&at, &place) in times.iter().zip(&rows.places) {
                if at.is_nan() {
                    findings.push(|| csv.missing_cell(place, time, "every row needs its time"));
                } else {
                    if at < latest {
                        findings.push(|| csv.not_ascending(place, time, at, latest, false));
                    }
                    // written so that an end that was itself wrong finds nothing
                    if at < first || at > last {
                        findings.push(|| csv.outside(place, time, at, self.time));
                    }
                    latest = at;
                }
            }
            for (index, observable) in self.observables.iter().enumerate() {
                let Some(column) = columns[index] else {
                    continue;
                };
                let model = observable.noise.as_ref().map(|noise| noise.model);
                for (row, &place) in rows.places.iter().enumerate() {
                    let value = values[index][row];
                    if value.is_nan() {
                        continue;
                    }
                    if let Some(model) = model
                        && model.positive()
                        && value <= 0.0
                    {
                        let why = format!(
                            "{} noise is for values above zero: leave the cell empty, or use `model = \"normal\"`",
                            model.name()
                        );
                        findings.push(|| csv.not_positive(place, column, &why));
                    }
                    if let Some(model) = model
                        && model.counts()
                        && (value < 0.0 || value.fract() != 0.0)
                    {
                        findings.push(|| csv.not_a_count(place, column, model.name()));
                    }
                    if let Some(sigma) = sigmas[index] {
                        let deviation = sigma_values[index][row];
                        if deviation.is_nan() {
                            findings.push(|| {
                                csv.missing_cell(place, sigma, "every measurement needs its sigma")
                            });
                        } else if deviation <= 0.0 {
                            findings.push(|| {
                                csv.not_positive(place, sigma, "a standard deviation is above zero")
                            });
                        }
                    }
                }
            }
        }
        let failed = !findings.is_empty();
        reader.diagnostics.extend(findings.finish(&csv));
        (!failed).then(|| DataSet {
            path: csv.source.path.clone(),
            times,
            values,
            sigmas: sigma_values,
        })
    }

    fn find(
        &self,
        reader: &mut Reader<'_>,
        csv: &Csv,
        name: &str,
        range: Range<usize>,
    ) -> Option<usize> {
        let span = reader.sources.span(range);
        match csv.column(name, &span) {
            Ok(column) => Some(column),
            Err(diagnostic) => {
                reader.report(*diagnostic);
                None
            }
        }
    }

    /// `rows = { subject = 3 }`: column, text of its cells, place of the value.
    fn filter(
        &self,
        reader: &mut Reader<'_>,
        section: &Section<'_, '_>,
        csv: &Csv,
    ) -> Vec<(usize, String, Range<usize>)> {
        let mut filter = Vec::new();
        let Some(value) = section.get("rows") else {
            return filter;
        };
        let DeValue::Table(entries) = value.get_ref() else {
            reader.wrong_type(
                "rows",
                "a table of columns and values, such as `{ subject = 3 }`",
                value,
            );
            return filter;
        };
        for (key, value) in in_order(entries) {
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(_) | DeValue::Float(_) => {
                    let Some(number) = reader.finite(key.get_ref(), value) else {
                        continue;
                    };
                    number.to_string()
                }
                _ => {
                    reader.wrong_type(key.get_ref(), "a number or a string", value);
                    continue;
                }
            };
            if let Some(column) = self.find(reader, csv, key.get_ref(), key.span()) {
                filter.push((column, text, value.span()));
            }
        }
        filter
    }

    /// `columns = { observable = "column" }`, by observable.
    fn columns(
        &self,
        reader: &mut Reader<'_>,
        section: &Section<'_, '_>,
        csv: &Csv,
    ) -> Vec<Option<usize>> {
        let mut columns = vec![None; self.observables.len()];
        let Some(value) = section.get("columns") else {
            return columns;
        };
        let DeValue::Table(entries) = value.get_ref() else {
            reader.wrong_type(
                "columns",
                "a table of observables and columns, such as `{ y = \"column\" }`",
                value,
            );
            return columns;
        };
        if entries.is_empty() {
            let diagnostic = reader.error(
                "data::no-columns",
                "`columns` names no observable",
                value.span(),
            );
            diagnostic.label = "empty".to_owned();
            diagnostic.help =
                Some("write `{ observable = \"column\" }`, or leave `columns` out".to_owned());
        }
        for (key, value) in in_order(entries) {
            let name: &str = key.get_ref();
            let column = reader.text_value(name, value);
            let Some(index) = self.observables.iter().position(|o| o.name.text == name) else {
                let known = || self.observables.iter().map(|o| o.name.text.as_str());
                let help = if name.contains('[') {
                    format!("name the element in `[observables]`: `reading = \"{name}\"`")
                } else {
                    did_you_mean(name, known())
                        .unwrap_or_else(|| format!("observables: {}", list(known())))
                };
                let diagnostic = reader.error(
                    "scenario::unknown-name",
                    format!(
                        "`columns` names `{}`, which is no observable",
                        shorten(name)
                    ),
                    key.span(),
                );
                diagnostic.label = "no such observable".to_owned();
                diagnostic.help = Some(help);
                continue;
            };
            if let Some(column) = column {
                columns[index] = self.find(reader, csv, &column, value.span());
            }
        }
        // An observable that `columns` passes over is still measured where a column bears its very name.
        for (column, observable) in columns.iter_mut().zip(self.observables) {
            if column.is_none() {
                *column = csv
                    .header()
                    .iter()
                    .position(|name| *name == observable.name.text);
            }
        }
        columns
    }

    /// Columns named as observables.
    fn columns_by_name(
        &self,
        reader: &mut Reader<'_>,
        csv: &Csv,
        range: Range<usize>,
        time: Option<usize>,
    ) -> Vec<Option<usize>> {
        let columns: Vec<Option<usize>> = self
            .observables
            .iter()
            .map(|observable| {
                csv.header()
                    .iter()
                    .position(|name| *name == observable.name.text)
            })
            .map(|column| column.filter(|_| column != time))
            .collect();
        if columns.iter().all(Option::is_none) {
            let first = self
                .observables
                .first()
                .map_or("y", |o| o.name.text.as_str());
            let near = csv.header().iter().map(String::as_str);
            let help = match crate::diagnostic::nearest(first, near.clone()) {
                Some(column) => format!("add `columns = {{ {first} = \"{}\" }}`", shorten(column)),
                None => format!(
                    "add `columns = {{ {first} = \"...\" }}` with one of {}",
                    list(near)
                ),
            };
            let diagnostic = reader.error(
                "data::no-columns",
                format!("no column of `{}` is named as an observable", csv.name()),
                range,
            );
            diagnostic.label = "measures nothing".to_owned();
            diagnostic.help = Some(help);
        }
        columns
    }

    /// The column of an observable's sigma, where it is one.
    fn sigma_column(
        &self,
        reader: &mut Reader<'_>,
        csv: &Csv,
        observable: &Observable,
    ) -> Option<usize> {
        let Some(Sigma::Column(name)) = observable.noise.as_ref().map(|noise| &noise.sigma) else {
            return None;
        };
        if let Some(column) = csv.header().iter().position(|other| *other == name.text) {
            return Some(column);
        }
        let candidates = self
            .names
            .all()
            .chain(csv.header().iter().map(String::as_str));
        let help = did_you_mean(&name.text, candidates).unwrap_or_else(|| {
            format!(
                "add `{0}` to `[parameters]`, or a column `{0}` to the data",
                shorten(&name.text)
            )
        });
        let message = format!(
            "`{}` is neither a name of the model nor a column of `{}`",
            shorten(&name.text),
            csv.name()
        );
        reader.report(
            Diagnostic::error("scenario::unknown-name", message, Some(name.span.clone()))
                .with_label("unknown name")
                .with_help(help),
        );
        None
    }
}

fn errors(reader: &Reader<'_>) -> usize {
    reader
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .count()
}
