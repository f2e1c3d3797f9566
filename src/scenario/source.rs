//! The texts diagnostics point into, and files opened with a message for whatever may be wrong with them.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, SourceFile, Span, nearest};

/// The scenario's text and one text for each `--set`, laid end to end: a TOML value of any of them is known by one range.
#[derive(Debug)]
pub(super) struct Sources {
    files: Vec<(usize, Arc<SourceFile>)>,
}

impl Sources {
    /// The scenario alone.
    pub fn new(file: Arc<SourceFile>) -> Self {
        Self {
            files: vec![(0, file)],
        }
    }
    /// Adds a text; gives where it starts.
    pub fn add(&mut self, file: Arc<SourceFile>) -> usize {
        let (start, last) = &self.files[self.files.len() - 1];
        let next = start + last.text.len() + 1;
        self.files.push((next, file));
        next
    }
    /// The scenario.
    pub fn scenario(&self) -> &Arc<SourceFile> {
        &self.files[0].1
    }
    /// The place of a range.
    pub fn span(&self, range: Range<usize>) -> Span {
        let index = self
            .files
            .partition_point(|(start, _)| *start <= range.start)
            - 1;
        let (base, file) = &self.files[index];
        Span {
            file: Arc::clone(file),
            start: (range.start - base).min(file.text.len()),
            end: (range.end.max(range.start) - base).min(file.text.len()),
        }
    }
}

/// The largest scenario read.
const MOST_SCENARIO_BYTES: u64 = 64 << 20;
/// The largest data file read.
const MOST_DATA_BYTES: u64 = 2 << 30;

/// What a file is for: it decides the limit of its size and the words of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// the scenario
    Scenario,
    /// a CSV file the scenario names
    Data,
    /// an SBML model to import
    Model,
    /// the file of a PEtab problem that names the others
    Problem,
    /// a table of a PEtab problem
    Table,
}

/// Reads a text file; `place` is where the scenario names it.
pub(crate) fn open(
    path: &Path,
    role: Role,
    place: Option<Span>,
) -> Result<Arc<SourceFile>, Diagnostic> {
    let shown = shown(path);
    let (what, limit) = match role {
        Role::Scenario => ("scenario", MOST_SCENARIO_BYTES),
        Role::Data => ("data file", MOST_DATA_BYTES),
        Role::Model => ("SBML file", MOST_SCENARIO_BYTES),
        Role::Problem => ("PEtab problem file", MOST_SCENARIO_BYTES),
        Role::Table => ("PEtab table", MOST_DATA_BYTES),
    };
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let diagnostic =
                Diagnostic::error("file::missing", format!("no such {what}: `{shown}`"), place)
                    .with_label("this file does not exist");
            return Err(diagnostic.with_help(missing_file_help(path)));
        }
        Err(error) => {
            return Err(Diagnostic::error(
                "file::unreadable",
                format!("cannot read `{shown}`: {error}"),
                place,
            )
            .with_help("check the path and its permissions"));
        }
    };
    if metadata.is_dir() {
        let inside = path.join("scenario.toml");
        let help = if role == Role::Scenario && inside.is_file() {
            format!("give the file in it: `{}`", inside.display())
        } else {
            format!("give the path of a {what}, not of the folder it is in")
        };
        return Err(Diagnostic::error(
            "file::is-folder",
            format!("`{shown}` is a folder, not a {what}"),
            place,
        )
        .with_label("a folder")
        .with_help(help));
    }
    if metadata.len() > limit {
        return Err(Diagnostic::error(
            "file::too-large",
            format!(
                "`{shown}` has {} MiB; a {what} may have {} MiB",
                metadata.len() >> 20,
                limit >> 20
            ),
            place,
        )
        .with_help(match role {
            Role::Scenario => {
                "is this really a scenario? measurements belong in a CSV file that `[data]` names"
            }
            Role::Data => "split the file, one for each experiment",
            Role::Model | Role::Problem | Role::Table => "is it really such a file?",
        }));
    }
    let bytes = std::fs::read(path).map_err(|error| {
        Diagnostic::error(
            "file::unreadable",
            format!("cannot read `{shown}`: {error}"),
            place.clone(),
        )
        .with_help("check the path and its permissions")
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let binary = error.as_bytes().iter().take(4096).any(|&b| b == 0);
        Diagnostic::error(
            "file::not-text",
            format!("`{shown}` is not text: byte {} is not UTF-8", at + 1),
            place.clone(),
        )
        .with_label("not a text file")
        .with_help(if binary {
            format!("it looks like a binary file; give the path of a {what}")
        } else {
            "save it with the encoding UTF-8".to_owned()
        })
    })?;
    if text.contains('\0') {
        return Err(Diagnostic::error(
            "file::not-text",
            format!("`{shown}` is not text: it holds NUL bytes"),
            place,
        )
        .with_label("not a text file")
        .with_help(format!(
            "it looks like a binary file; give the path of a {what}"
        )));
    }
    Ok(Arc::new(SourceFile {
        path: path.to_owned(),
        text,
    }))
}

/// A path for a message: whole, unless it is absurdly long.
fn shown(path: &Path) -> String {
    let whole = path.display().to_string();
    match whole.char_indices().nth(300) {
        Some((cut, _)) => format!("{}...", &whole[..cut]),
        None => whole,
    }
}

/// The nearest file in the folder, or the nearest folder that exists.
fn missing_file_help(path: &Path) -> String {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return format!("the folder `{}` does not exist either", shown(folder));
    }
    let wanted = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .take(10_000)
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    match nearest(&wanted, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{}`?", path.with_file_name(name).display()),
        None => format!("no file in `{}` has a name near it", shown(folder)),
    }
}
