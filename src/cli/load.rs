//! From the common arguments to a study, with every finding printed.

use std::path::Path;

use costate::compile::Backend;
use costate::diagnostic::{Diagnostic, Severity, nearest};
use costate::scenario::Override;
use costate::study::Study;

use super::arguments::{Common, SolverArguments};
use super::{Failure, builtin, diagnostics};

/// Overrides of the command line, from `--set` and the options that stand for scenario keys.
pub fn overrides(
    common: &Common,
    solver: Option<&SolverArguments>,
    method: Option<&str>,
) -> Result<Vec<Override>, Failure> {
    let mut all = Vec::new();
    for text in &common.set {
        match Override::parse(text) {
            Ok(one) => all.push(one),
            Err(finding) => {
                diagnostics::print(&[*finding]);
                return Err(Failure::Usage(None));
            }
        }
    }
    if let Some(method) = method {
        all.push(set("solver.method", method));
    }
    if let Some(solver) = solver {
        if let Some(rtol) = solver.rtol {
            all.push(set("solver.rtol", format!("{rtol:e}")));
        }
        if let Some(atol) = solver.atol {
            all.push(set("solver.atol", format!("{atol:e}")));
        }
    }
    Ok(all)
}

/// An override of a key by its path.
pub fn set(path: &str, value: impl Into<String>) -> Override {
    Override {
        path: path.to_owned(),
        value: value.into(),
    }
}

/// Reads, resolves and compiles; prints all findings; fails where one is an error.
pub fn study(common: &Common, overrides: &[Override]) -> Result<(Study, Vec<Diagnostic>), Failure> {
    if let Some(threads) = common.threads {
        // Fails only where a pool exists already, which then is the one to use.
        let _ = rayon::ThreadPoolBuilder::new()
            .num_threads(usize::from(threads))
            .build_global();
    }
    let path = scenario_path(&common.scenario)?;
    let backend = if common.interpret {
        Backend::Interpreter
    } else {
        Backend::Auto
    };
    let (study, findings) = Study::load(&path, overrides, backend);
    let wrong = findings.iter().any(|d| d.severity == Severity::Error);
    if wrong || !common.quiet {
        diagnostics::print(&findings);
    }
    match study {
        Some(study) if !wrong => Ok((study, findings)),
        _ => Err(Failure::Usage(None)),
    }
}

/// A file as it is, or a folder's scenario.toml.
fn scenario_path(path: &Path) -> Result<std::path::PathBuf, Failure> {
    if path.is_dir() {
        return Ok(path.join("scenario.toml"));
    }
    if !path.exists() {
        let name = path.to_string_lossy();
        let known = builtin::ALL.iter().map(|b| b.name);
        if let Some(near) = nearest(&name, known)
            .filter(|_| path.components().count() == 1 && path.extension().is_none())
        {
            return Err(Failure::Usage(Some(format!(
                "no file `{name}`; there is a built-in scenario `{near}`: `costate new {near} --template {near}` writes it here"
            ))));
        }
    }
    Ok(path.to_owned())
}
