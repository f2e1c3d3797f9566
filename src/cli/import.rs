//! `import`: a problem of another tool as a scenario folder.

use std::path::Path;

use costate::diagnostic::{Diagnostic, Severity};
use costate::import::{Imported, SbmlOptions, import_petab, import_sbml};
use costate::report::write_atomically;
use serde_json::{Value, json};

use super::arguments::{ImportArguments, ImportFormat};
use super::{Failure, diagnostics, print_json, print_text};

/// Runs the command.
pub fn run(format: &ImportFormat) -> Result<(), Failure> {
    let (common, (imported, findings)) = match format {
        ImportFormat::Petab { common } => (common, import_petab(&common.file)),
        ImportFormat::Sbml { common, end } => {
            (common, import_sbml(&common.file, SbmlOptions { end: *end }))
        }
    };
    let wrong = findings.iter().any(|d| d.severity == Severity::Error);
    if wrong || !common.quiet {
        diagnostics::print(&findings);
    }
    let Some(imported) = imported else {
        return Err(Failure::Usage(None));
    };
    write(&common.out, &imported)?;
    let scenario = common.out.join("scenario.toml");
    if common.json {
        return print_json(&document(&scenario, common, &imported, &findings));
    }
    let mut text = format!("wrote {}\n", scenario.display());
    for (name, _) in imported.files.iter().skip(1).take(8) {
        text += &format!("      {}\n", common.out.join(name).display());
    }
    if imported.files.len() > 9 {
        text += &format!("      and {} more data files\n", imported.files.len() - 9);
    }
    for (was, is) in &imported.renamed {
        text += &format!("renamed `{was}` to `{is}`\n");
    }
    text += &format!("try: costate check {}\n", scenario.display());
    print_text(&text)
}

/// Writes the files into a folder that is new, or empty.
fn write(out: &Path, imported: &Imported) -> Result<(), Failure> {
    let occupied = match std::fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => {
            return Err(Failure::Usage(Some(format!(
                "`{}` cannot be written to: {error}",
                out.display()
            ))));
        }
    };
    if occupied {
        return Err(Failure::Usage(Some(format!(
            "`{}` exists already and is not empty; nothing was written",
            out.display()
        ))));
    }
    for (name, text) in &imported.files {
        let path = out.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|e| Failure::Work(format!("cannot make `{}`: {e}", folder.display())))?;
        }
        write_atomically(&path, text.as_bytes()).map_err(|e| Failure::Work(e.to_string()))?;
    }
    Ok(())
}

fn document(
    scenario: &Path,
    common: &ImportArguments,
    imported: &Imported,
    findings: &[Diagnostic],
) -> Value {
    let renamed: Vec<Value> = imported
        .renamed
        .iter()
        .map(|(was, is)| json!({ "was": was, "is": is }))
        .collect();
    let files: Vec<String> = imported
        .files
        .iter()
        .map(|(name, _)| common.out.join(name).display().to_string())
        .collect();
    let findings: Vec<Value> = findings
        .iter()
        .map(|d| json!({ "code": d.code, "message": d.to_string() }))
        .collect();
    json!({
        "path": scenario.display().to_string(),
        "title": imported.title,
        "files": files,
        "renamed": renamed,
        "findings": findings,
    })
}
