//! From the common arguments to a study, with every finding printed.

use std::path::{Path, PathBuf};

use costate::compile::Backend;
use costate::diagnostic::{Diagnostic, Severity, nearest};
use costate::scenario::Override;
use costate::study::Study;
use tempfile::TempDir;

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

/// Stack of a thread: that of a process's first one.
const STACK: usize = 8 << 20;

/// Does work on a study: where threads share each step, on one of them, as from outside each share would wake them anew.
pub fn shared<R: Send>(study: &Study, work: impl FnOnce() -> R + Send) -> R {
    if !study.equations.steps_are_shared() {
        return work();
    }
    prepare_threads(0);
    rayon::scope(|_| work())
}

/// Makes the threads that share work, so many or (0) as there are processors.
fn prepare_threads(count: usize) {
    // Fails only where there are threads already, which then are the ones to use.
    let _ = rayon::ThreadPoolBuilder::new()
        .num_threads(count)
        .stack_size(STACK)
        .build_global();
}

/// Reads, resolves and compiles; prints all findings; fails where one is an error.
pub fn study(common: &Common, overrides: &[Override]) -> Result<(Study, Vec<Diagnostic>), Failure> {
    study_of(&common.scenario, common, overrides)
}

/// The same of another scenario than the one that the common arguments name.
pub fn study_of(
    scenario: &Path,
    common: &Common,
    overrides: &[Override],
) -> Result<(Study, Vec<Diagnostic>), Failure> {
    if let Some(threads) = common.threads {
        prepare_threads(usize::from(threads));
    }
    let (path, _folder) = scenario_path(scenario)?;
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
        Some(study) if !wrong => {
            let tolerance =
                |given: &Override| matches!(&*given.path, "solver.rtol" | "solver.atol");
            if !common.quiet
                && study.scenario.solver.step.is_some()
                && overrides.iter().any(tolerance)
            {
                super::tell(
                    "note: `solver.step` gives the size of every step, which no tolerance changes",
                );
            }
            Ok((study, findings))
        }
        _ => Err(Failure::Usage(None)),
    }
}

/// A file as it is, a folder's scenario.toml, or the built-in scenario of that name, laid out in a temporary folder
/// that lives as long as what is returned beside the path.
fn scenario_path(path: &Path) -> Result<(PathBuf, Option<TempDir>), Failure> {
    if path.is_dir() {
        return Ok((path.join("scenario.toml"), None));
    }
    if path.exists() || path.components().count() != 1 || path.extension().is_some() {
        return Ok((path.to_owned(), None));
    }
    let name = path.to_string_lossy();
    if let Some(found) = builtin::ALL.iter().find(|b| b.name == name) {
        let fail =
            |e: std::io::Error| Failure::Work(format!("a temporary folder for `{name}`: {e}"));
        let folder = tempfile::tempdir().map_err(fail)?;
        let inner = folder.path().join(found.name);
        std::fs::create_dir(&inner).map_err(fail)?;
        for (file, content) in found.files {
            std::fs::write(inner.join(file), content).map_err(fail)?;
        }
        return Ok((inner.join("scenario.toml"), Some(folder)));
    }
    match nearest(&name, builtin::ALL.iter().map(|b| b.name)) {
        Some(near) => Err(Failure::Usage(Some(format!(
            "no file and no built-in scenario `{name}`: did you mean the built-in `{near}`?"
        )))),
        None => Ok((path.to_owned(), None)),
    }
}
