//! The scenario file to a [`Scenario`]: one pass that reports everything it finds.
//!
//! TOML is parsed with recovery, overrides are put in, every table is read by its own file, names are compared, data
//! files are read. A scenario is given whenever enough was understood for later stages to add their findings (unknown
//! names in expressions, cycles); one with an error among its diagnostics must not be run.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::overrides::{self, Override};
use super::source::{Role, Sources, open};
use super::types::{Name, Scenario};
use super::values::{Reader, Section, Value, shorten};
use super::{
    controllers, read_design, read_events, read_expectations, read_experiments, read_fit,
    read_graphs, read_indices, read_mass, read_mechanics, read_model, read_networks,
    read_observables, read_parameters, read_settings, read_signals, read_smoothing, read_tune,
    schema,
};
use crate::diagnostic::{Diagnostic, Severity, SourceFile};

/// Diagnostics shown of one scenario; the rest are counted.
pub const MOST_DIAGNOSTICS: usize = 50;

/// Reads a scenario file.
///
/// The scenario is there whenever the file is TOML that uses nothing this version does not offer, even where
/// diagnostics are errors: what was wrong is replaced by `NaN` or a default, so that the model's own checks can follow
/// in the same pass. Run it only where no diagnostic is an error.
pub fn read(path: &Path, overrides: &[Override]) -> (Option<Scenario>, Vec<Diagnostic>) {
    match open(path, Role::Scenario, None) {
        Ok(file) => {
            let base = path.parent().unwrap_or(Path::new(""));
            read_source(file, base, overrides)
        }
        Err(diagnostic) => (None, vec![diagnostic]),
    }
}

/// The same from a text; `path` names it in messages, files are looked for in `base_dir`.
pub fn read_text(
    path: &Path,
    text: &str,
    base_dir: &Path,
    overrides: &[Override],
) -> (Option<Scenario>, Vec<Diagnostic>) {
    let file = Arc::new(SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    });
    read_source(file, base_dir, overrides)
}

fn read_source(
    file: Arc<SourceFile>,
    base: &Path,
    overrides: &[Override],
) -> (Option<Scenario>, Vec<Diagnostic>) {
    if file.text.trim_start_matches('\u{feff}').trim().is_empty() {
        let message = format!("`{}` is empty", file.path.display());
        let diagnostic = Diagnostic::error("file::empty", message, None).with_help(
            "a scenario has at least `[scenario]`, `[states]` and `[equations]`; `costate new` writes one",
        );
        return (None, vec![diagnostic]);
    }
    let mut sources = Sources::new(Arc::clone(&file));
    let placed = overrides::place(overrides, &mut sources);
    let (mut root, syntax) = DeTable::parse_recoverable(&file.text);
    let mut reader = Reader {
        sources: &sources,
        base,
        diagnostics: overrides::apply(root.get_mut(), &placed),
        files: BTreeMap::new(),
    };
    let scenario = reader.scenario(root.get_ref());
    let mut diagnostics = reader.diagnostics;
    let broken = !syntax.is_empty();
    if broken {
        diagnostics = after_syntax_errors(&file, &syntax, diagnostics);
    }
    let usable = !broken
        && diagnostics
            .iter()
            .all(|d| d.code != "scenario::not-offered");
    (scenario.filter(|_| usable), arrange(diagnostics, &sources))
}

/// TOML's own errors first; of the rest, what does not follow from them.
fn after_syntax_errors(
    file: &Arc<SourceFile>,
    syntax: &[toml::de::Error],
    rest: Vec<Diagnostic>,
) -> Vec<Diagnostic> {
    let sources = Sources::new(Arc::clone(file));
    let line_of = |offset: usize| -> usize {
        let offset = offset.min(file.text.len());
        file.text.as_bytes()[..offset]
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |at| at + 1)
    };
    let mut lines = Vec::new();
    let mut broken_headers = Vec::new();
    let mut all = Vec::new();
    for error in syntax.iter().take(10 * MOST_DIAGNOSTICS) {
        let message = error.message();
        let range = error.span().unwrap_or(0..0);
        let line = line_of(range.start);
        // one finding a line: the others follow from the first
        if lines.contains(&line) {
            continue;
        }
        lines.push(line);
        let span = sources.span(range);
        let shown = shorten(span.text());
        let (code, text, help) = explain(message, &shown);
        if file.text[line..].starts_with('[') {
            broken_headers.push(line);
        }
        all.push(
            Diagnostic::error(code, text, Some(span))
                .with_label("here")
                .with_help(help),
        );
    }
    let follows = [
        "scenario::missing",
        "scenario::missing-equation",
        "scenario::unknown-name",
        "scenario::unknown-state",
    ];
    all.extend(rest.into_iter().filter(|diagnostic| {
        let Some(span) = &diagnostic.span else {
            return true;
        };
        // below a broken header, keys seem to belong to the table above
        let misplaced = diagnostic.code == "scenario::unknown-key"
            && broken_headers.iter().any(|&header| span.start > header);
        !follows.contains(&diagnostic.code) && !misplaced && !lines.contains(&line_of(span.start))
    }));
    all
}

/// Code, message and help for an error of the TOML parser at the text `shown`.
fn explain(message: &str, shown: &str) -> (&'static str, String, String) {
    let syntax = "scenario::syntax";
    let (code, text, help) = if message.contains("duplicate key") {
        (
            "scenario::duplicate-name",
            format!("`{shown}` is given twice"),
            "keep one of the two",
        )
    } else if message.contains("recurs") {
        (
            "scenario::nesting",
            "brackets are nested too deeply".to_owned(),
            "a scenario needs no more than a few levels",
        )
    } else if message.contains("must be quoted") {
        (
            syntax,
            format!("`{shown}` is no value"),
            "text and expressions stand in quotes: `x = \"2*y\"`; nothing follows a value in its line",
        )
    } else if message.contains("key with no value") {
        (
            syntax,
            "a key has no value".to_owned(),
            "a line is `key = value`; a table starts with `[name]`",
        )
    } else if message.starts_with("invalid") && message.contains("string, expected") {
        (
            syntax,
            "a string is never closed".to_owned(),
            "close it with the quote it starts with; several lines stand between `\"\"\"`",
        )
    } else if message.starts_with("unclosed") {
        (
            syntax,
            format!(
                "{} is never closed",
                message
                    .split(',')
                    .next()
                    .unwrap_or("unclosed bracket")
                    .replace("unclosed", "the bracket of this")
            ),
            "close the bracket: `[table]`, `[1, 2]`, `{ key = 1 }`",
        )
    } else {
        (
            syntax,
            format!("this is not TOML: {message}"),
            "TOML is described at https://toml.io",
        )
    };
    (code, text, help.to_owned())
}

/// In the order of the file, without repetitions, no more than [`MOST_DIAGNOSTICS`].
fn arrange(mut diagnostics: Vec<Diagnostic>, sources: &Sources) -> Vec<Diagnostic> {
    let scenario = sources.scenario();
    diagnostics.sort_by_key(|diagnostic| {
        diagnostic.span.as_ref().map_or((2, 0), |span| {
            (u8::from(!Arc::ptr_eq(&span.file, scenario)), span.start)
        })
    });
    diagnostics.dedup();
    let errors = |list: &[Diagnostic]| {
        list.iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .count()
    };
    if diagnostics.len() > MOST_DIAGNOSTICS {
        let hidden = diagnostics.split_off(MOST_DIAGNOSTICS);
        let message = format!("and {} more", hidden.len());
        let last = if errors(&hidden) > 0 {
            Diagnostic::error("scenario::more", message, None)
        } else {
            Diagnostic::warning("scenario::more", message, None)
        };
        diagnostics.push(last.with_help("correct these first"));
    }
    diagnostics
}

/// Names of the model's one name space, each with what it is.
#[derive(Default)]
pub(super) struct Names {
    known: HashMap<String, (&'static str, Name)>,
    order: Vec<String>,
}

impl Names {
    /// Adds a name; gives what has it already.
    pub fn declare(&mut self, what: &'static str, name: &Name) -> Option<(&'static str, Name)> {
        if let Some(known) = self.known.get(&name.text) {
            return Some(known.clone());
        }
        self.known.insert(name.text.clone(), (what, name.clone()));
        self.order.push(name.text.clone());
        None
    }
    /// Whether a name is known.
    pub fn has(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }
    /// What a name is, with its article.
    pub fn what(&self, name: &str) -> Option<&'static str> {
        self.known.get(name).map(|(what, _)| *what)
    }
    /// All names in the order declared.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(String::as_str)
    }
}

impl Reader<'_> {
    fn scenario(&mut self, root: &DeTable<'_>) -> Option<Scenario> {
        let top = Section {
            schema: schema::table("")?,
            entries: root,
            start: 0,
            end: 0,
        };
        self.check_keys(&top, &[]);
        for (name, example) in [
            (
                "scenario",
                "add `[scenario]` with `time = { start = 0.0, end = 10.0 }`",
            ),
            ("states", "add `[states]` with a line such as `x = 1.0`"),
            (
                "equations",
                "add `[equations]` with a line for each state, such as `x = \"-x\"`",
            ),
        ] {
            if !root.contains_key(name) && !top.mistyped(name) && !spared(root, name) {
                let diagnostic = self.error(
                    "scenario::missing",
                    format!("the scenario has no `[{name}]`"),
                    0..0,
                );
                diagnostic.help = Some(example.to_owned());
            }
        }
        let mut names = Names::default();
        let mut header = read_settings::header(self, &top);
        let mut indices = read_indices::read(self, &top, &mut names);
        let graphs = read_graphs::read(self, &top, &mut indices, &mut names);
        let (mut parameters, mut parameter_arrays) =
            read_parameters::read(self, &top, &indices, &mut names);
        let mut states = read_model::states(self, &top, &indices, &mut names);
        let mechanics = read_mechanics::read(self, &top, &mut names);
        let mut definitions = read_model::definitions(self, &top, &indices, &mut names);
        let signals = read_signals::read(self, &top, &mut names, &mut parameters);
        let functions = read_model::functions(self, &top, &mut names);
        let brought = read_networks::Brought {
            indices: &mut indices,
            parameters: &mut parameters,
            arrays: &mut parameter_arrays,
        };
        let networks = read_networks::read(self, &top, &mut names, brought);
        let (mechanics, moving) = mechanics.unzip();
        let moving = moving.unwrap_or_default();
        let mut equations = read_model::equations(self, &top, &states, &moving);
        states.extend(moving);
        equations.extend(mechanics.iter().flat_map(read_mechanics::equations));
        let known = controllers::Known {
            parameters: &parameters,
            states: &states,
            equations: &equations,
            definitions: &definitions,
            implicit: mechanics.is_some() || root.contains_key("mass"),
            observers: controllers::observers(&top),
            start: header.start,
            end: header.end,
        };
        let made = controllers::read(self, &top, &known, &mut names);
        states.extend(made.states);
        equations.extend(made.equations);
        definitions.extend(made.definitions);
        let mut events = read_events::read(self, &top, header.start, &states, &names);
        events.extend(made.events);
        let mass = read_mass::mass(self, &top, &states);
        let invariants = read_mass::invariants(self, &top);
        let free_end = header.free_end.take().map(|end| {
            parameters.push(end);
            parameters.len() - 1
        });
        let history = read_mass::history(self, &top);
        let observables = read_observables::read(self, &top, &states, &names);
        let count = states
            .iter()
            .map(|state| {
                let sizes = state.over.iter().map(|&k| indices[k].size as usize);
                sizes.product::<usize>()
            })
            .sum();
        if count > read_indices::LARGEST as usize
            && let Some(table) = top.get("states")
        {
            let diagnostic = self.error(
                "scenario::index",
                format!(
                    "{count} states are more than the {} there may be",
                    read_indices::LARGEST
                ),
                table.span(),
            );
            diagnostic.help = Some("make index sets smaller".to_owned());
        }
        let solver = read_settings::solver(self, &top, &states, count);
        let gradient = read_settings::gradient(self, &top);
        let fit = read_fit::read(self, &top, &parameters);
        let smoothing = read_smoothing::read(self, &top, &parameters);
        let time = [header.start, header.end];
        let experiments =
            read_experiments::read(self, &top, time, &parameters, &states, &observables, &names);
        let tune = read_tune::read(self, &top, &parameters, &states);
        let expectations = read_expectations::read(self, &top, &experiments);
        let known = read_design::Known {
            time,
            parameters: &parameters,
            observables: &observables,
            experiments: &experiments,
        };
        let design = read_design::read(self, &top, &known);
        let name = short_name(&self.sources.scenario().path);
        Some(Scenario {
            source: Arc::clone(self.sources.scenario()),
            title: header.title.unwrap_or_else(|| name.clone()),
            name,
            start: header.start,
            end: header.end,
            free_end,
            time_unit: header.unit,
            indices,
            graphs,
            parameters,
            parameter_arrays,
            states,
            definitions,
            equations,
            functions,
            networks,
            signals,
            events,
            controllers: made.controllers,
            mass,
            mechanics,
            history,
            invariants,
            observables,
            experiments,
            solver,
            gradient,
            fit,
            smoothing,
            tune,
            expectations,
            design,
        })
    }

    /// Entries of a table of names, in file order, each with its name checked and declared.
    pub fn named<'t, 'i>(
        &mut self,
        top: &Section<'t, 'i>,
        table: &str,
        what: &'static str,
        names: &mut Names,
    ) -> Vec<(Name, &'t Value<'i>)> {
        let mut entries = Vec::new();
        for (key, value) in self.entries(top, table) {
            let name = self.name(what, key);
            if let Some((other, first)) = names.declare(what, &name) {
                let (line, _) = first.span.file.line_column(first.span.start);
                let diagnostic = self.error(
                    "scenario::duplicate-name",
                    format!("`{}` names {what} and {other}", shorten(&name.text)),
                    key.span(),
                );
                diagnostic.label = format!("already {other} in line {line}");
                diagnostic.help = Some("rename one of the two".to_owned());
            }
            entries.push((name, value));
        }
        entries
    }

    /// Entries of a table of the file in file order; none where it is absent or no table.
    pub fn entries<'t, 'i>(
        &mut self,
        top: &Section<'t, 'i>,
        table: &str,
    ) -> Vec<(&'t super::values::KeyText<'i>, &'t Value<'i>)> {
        let Some(value) = top.get(table) else {
            return Vec::new();
        };
        match value.get_ref().as_table() {
            Some(entries) => super::values::in_order(entries),
            None => {
                self.wrong_type(table, "a table", value);
                Vec::new()
            }
        }
    }

    /// The tables of `[[name]]`.
    pub fn list<'t, 'i>(&mut self, top: &Section<'t, 'i>, name: &str) -> Vec<Section<'t, 'i>> {
        let Some(value) = top.get(name) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            let found = super::values::found(value.get_ref());
            let diagnostic = self.error(
                "scenario::wrong-type",
                format!("`{name}` must be an array of tables, not {found}"),
                value.span(),
            );
            diagnostic.label = found.to_owned();
            diagnostic.help = Some(format!("write `[[{name}]]` before each"));
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item: &Spanned<DeValue<'i>>| self.section(name, name, item))
            .collect()
    }
}

/// Whether `[mechanics]` takes the place of a table: of `[states]`, and of `[equations]` where no state needs one.
fn spared(root: &DeTable<'_>, table: &str) -> bool {
    let discrete = |state: &Value<'_>| {
        let state = state.get_ref().as_table();
        state.is_some_and(|state| {
            matches!(
                state.get("discrete").map(Spanned::get_ref),
                Some(DeValue::Boolean(true))
            )
        })
    };
    let states = root
        .get("states")
        .and_then(|states| states.get_ref().as_table());
    root.contains_key("mechanics")
        && (table == "states"
            || table == "equations" && states.is_none_or(|states| states.values().all(discrete)))
}

/// The folder's name for a file called `scenario.toml`, else the file's without its extension.
fn short_name(path: &Path) -> String {
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    if stem != "scenario" {
        return stem;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute
        .parent()
        .and_then(Path::file_name)
        .map_or(stem, |folder| folder.to_string_lossy().into_owned())
}
