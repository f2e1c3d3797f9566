//! The files of a problem: what its YAML names, and where it does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::table::Table;
use super::yaml::{Node, Value};
use crate::diagnostic::{Diagnostic, SourceFile, Span};
use crate::scenario::source::{Role, open};

/// A file that the YAML names, and where it does.
pub(super) struct Named {
    path: PathBuf,
    span: Span,
}

/// What the YAML names.
pub(super) struct Files {
    pub model: Named,
    pub conditions: Vec<Named>,
    pub observables: Vec<Named>,
    pub measurements: Vec<Named>,
    pub parameters: Vec<Named>,
}

impl Files {
    pub fn of(root: &Node, path: &Path, findings: &mut Vec<Diagnostic>) -> Option<Self> {
        let before = findings.len();
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let unsupported = |what: String, span: &Span, help: &str| {
            Diagnostic::error("petab::unsupported", what, Some(span.clone()))
                .with_label("not supported")
                .with_help(help)
        };
        let Some(version) = root.get("format_version") else {
            findings.push(
                Diagnostic::error(
                    "petab::missing",
                    "there is no `format_version`",
                    Some(root.span.clone()),
                )
                .with_help("a PEtab problem begins with `format_version: 1`"),
            );
            return None;
        };
        let text = version.text().unwrap_or("");
        if text.split('.').next() != Some("1") {
            findings.push(unsupported(
                format!("PEtab version `{text}` cannot be imported"),
                &version.span,
                "version 1 can",
            ));
            return None;
        }
        root.check_keys(
            &["format_version", "parameter_file", "problems", "extensions"],
            findings,
        );
        if let Some(extensions) = root.get("extensions")
            && matches!(&extensions.value, Value::Mapping(entries) if !entries.is_empty())
        {
            findings.push(unsupported(
                "extensions of PEtab cannot be imported".to_owned(),
                &extensions.span,
                "remove them where the problem does not need them",
            ));
        }
        let list =
            |node: Option<&Node>, key: &str, holder: &Node, findings: &mut Vec<Diagnostic>| {
                let items: Vec<&Node> = match node.map(|node| &node.value) {
                    None => Vec::new(),
                    Some(Value::Sequence(items)) => items.iter().collect(),
                    Some(_) => node.into_iter().collect(),
                };
                let named: Vec<Named> = items
                    .into_iter()
                    .filter_map(|item| {
                        let text = item.text().filter(|text| !text.is_empty());
                        if text.is_none() {
                            findings.push(Diagnostic::error(
                                "petab::value",
                                format!("`{key}` names no file here"),
                                Some(item.span.clone()),
                            ));
                        }
                        Some(Named {
                            path: folder.join(text?),
                            span: item.span.clone(),
                        })
                    })
                    .collect();
                if named.is_empty() {
                    findings.push(
                        Diagnostic::error(
                            "petab::missing",
                            format!("there is no `{key}`"),
                            Some(holder.span.clone()),
                        )
                        .with_help("a problem names its tables and its model"),
                    );
                }
                named
            };
        let parameters = list(root.get("parameter_file"), "parameter_file", root, findings);
        let problems = match root.get("problems").map(|node| (&node.value, node)) {
            Some((Value::Sequence(items), _)) => items.iter().collect(),
            Some((Value::Mapping(_), node)) => vec![node],
            _ => Vec::new(),
        };
        let [problem] = problems[..] else {
            findings.push(match problems.get(1) {
                Some(second) => unsupported(
                    "several models in one problem cannot be imported".to_owned(),
                    &second.span,
                    "write a problem for each",
                ),
                None => Diagnostic::error(
                    "petab::missing",
                    "there is no `problems`",
                    Some(root.span.clone()),
                )
                .with_help("`problems` lists the tables and the model"),
            });
            return None;
        };
        problem.check_keys(
            &[
                "sbml_files",
                "condition_files",
                "measurement_files",
                "observable_files",
                "visualization_files",
                "mapping_files",
            ],
            findings,
        );
        if let Some(mapping) = problem.get("mapping_files") {
            findings.push(unsupported(
                "mapping tables cannot be imported".to_owned(),
                &mapping.span,
                "name parameters as the model does",
            ));
        }
        let mut get = |key: &str| list(problem.get(key), key, problem, findings);
        let models = get("sbml_files");
        let (conditions, measurements) = (get("condition_files"), get("measurement_files"));
        let observables = get("observable_files");
        let mut models = models.into_iter();
        let model = models.next();
        if let Some(second) = models.next() {
            findings.push(unsupported(
                "several models in one problem cannot be imported".to_owned(),
                &second.span,
                "write a problem for each",
            ));
        }
        (findings.len() == before).then_some(())?;
        Some(Self {
            model: model?,
            conditions,
            observables,
            measurements,
            parameters,
        })
    }

    pub fn open(
        &self,
        named: &Named,
        role: Role,
        findings: &mut Vec<Diagnostic>,
    ) -> Option<Arc<SourceFile>> {
        match open(&named.path, role, Some(named.span.clone())) {
            Ok(file) => Some(file),
            Err(finding) => {
                findings.push(finding);
                None
            }
        }
    }

    pub fn tables(&self, list: &[Named], findings: &mut Vec<Diagnostic>) -> Vec<Table> {
        list.iter()
            .filter_map(|named| {
                let file = self.open(named, Role::Table, findings)?;
                Table::read(&file, findings)
            })
            .collect()
    }
}
