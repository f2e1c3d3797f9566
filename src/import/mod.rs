//! Problems of other tools as scenarios: PEtab and SBML in, a folder of TOML and CSV out.
//!
//! What is written is what a person would write: equations that read like the paper's, names as they were, units and
//! comments. What cannot be expressed is an error that names its file, line and column; what is left out without an
//! effect is a warning. An import is read back before it is given away, so that none is broken.

pub mod algebra;
pub mod names;
pub mod petab;
pub mod sbml;
pub mod system;
mod write;

use std::path::Path;

use crate::compile::Backend;
use crate::diagnostic::{Diagnostic, Severity};
use crate::scenario::source::{Role, open};
use crate::study::Study;

use system::System;

/// An imported problem: the files of a scenario's folder.
#[derive(Debug, Clone)]
pub struct Imported {
    /// the scenario's title
    pub title: String,
    /// name in the folder and text of each file; `scenario.toml` is the first
    pub files: Vec<(String, String)>,
    /// names that had to be changed: as they were, as they are
    pub renamed: Vec<(String, String)>,
}

/// How an SBML model is imported.
#[derive(Debug, Clone, Copy, Default)]
pub struct SbmlOptions {
    /// end of the run, which SBML does not say
    pub end: Option<f64>,
}

/// End of a run where none is given.
const SOME_END: f64 = 100.0;

/// Imports an SBML model; there is a scenario exactly where no finding is an error.
pub fn import_sbml(path: &Path, options: SbmlOptions) -> (Option<Imported>, Vec<Diagnostic>) {
    let file = match open(path, Role::Model, None) {
        Ok(file) => file,
        Err(finding) => return (None, vec![finding]),
    };
    let mut findings = Vec::new();
    let Some(model) = sbml::read::read(&file, &mut findings) else {
        return (None, findings);
    };
    let translated = sbml::equations::translate(&model, &sbml::Asked::default(), &mut findings);
    let Some(translated) = translated else {
        return (None, findings);
    };
    let mut system = translated.system;
    system.time = [0.0, options.end.unwrap_or(SOME_END)];
    if options.end.is_none() {
        system.time_comment = "SBML does not say how long".to_owned();
    }
    system
        .header
        .insert(0, format!("Imported from the SBML model {}.", shown(path)));
    finish(system, path, findings)
}

/// Imports a PEtab v1 problem from its YAML file; there is a scenario exactly where no finding is an error.
pub fn import_petab(path: &Path) -> (Option<Imported>, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let Some(problem) = petab::problem::read(path, &mut findings) else {
        return (None, findings);
    };
    let Some(mut system) = petab::assemble::assemble(&problem, &mut findings) else {
        return (None, findings);
    };
    system.title = petab::assemble::title(&problem.model, &shown(path));
    system.header.insert(
        0,
        format!("Imported from the PEtab problem {}.", shown(path)),
    );
    finish(system, path, findings)
}

/// The name of a file, for comments.
pub(crate) fn shown(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Writes a scenario and reads it back.
fn finish(
    mut system: System,
    path: &Path,
    mut findings: Vec<Diagnostic>,
) -> (Option<Imported>, Vec<Diagnostic>) {
    if system.states.is_empty() {
        // a model of formulas alone is a scenario, too, of a state that stands still
        system.states.push(at_rest(path, &system));
    }
    let mut files = vec![("scenario.toml".to_owned(), write::scenario(&system))];
    files.extend(
        system
            .data
            .iter()
            .map(|file| (file.path.clone(), write::data(file))),
    );
    let imported = Imported {
        title: system.title,
        files,
        renamed: system.renamed,
    };
    let wrong = |d: &Diagnostic| d.severity == Severity::Error;
    if findings.iter().any(wrong) {
        return (None, findings);
    }
    findings.extend(read_back(&imported));
    let failed = findings.iter().any(wrong);
    ((!failed).then_some(imported), findings)
}

fn at_rest(path: &Path, system: &System) -> system::State {
    let span = crate::diagnostic::Span {
        file: std::sync::Arc::new(crate::diagnostic::SourceFile {
            path: path.to_owned(),
            text: String::new(),
        }),
        start: 0,
        end: 0,
    };
    let taken = |name: &str| {
        system.parameters.iter().any(|p| p.name == name)
            || system.definitions.iter().any(|d| d.name == name)
    };
    let mut name = "at_rest".to_owned();
    while taken(&name) {
        name.push('_');
    }
    system::State {
        name,
        initial: algebra::number(0.0, &span),
        rate: Some(algebra::number(0.0, &span)),
        unit: None,
        comment: "a scenario has a state; the model has none".to_owned(),
    }
}

/// What the reader of scenarios finds wrong with what was written: nothing, or this importer is at fault.
fn read_back(imported: &Imported) -> Vec<Diagnostic> {
    let broken = |message: String| Diagnostic::error("import::broken", message, None);
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => return vec![broken(format!("a temporary folder: {error}"))],
    };
    for (name, text) in &imported.files {
        let path = folder.path().join(name);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, text));
        if let Err(error) = written {
            return vec![broken(format!("`{}`: {error}", path.display()))];
        }
    }
    let (_, findings) = Study::load(
        &folder.path().join("scenario.toml"),
        &[],
        Backend::Interpreter,
    );
    findings
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .collect()
}
