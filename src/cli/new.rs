//! `new`: a working scenario folder from a built-in one.

use std::path::Path;

use costate::compile::Backend;
use costate::diagnostic::nearest;
use costate::report::write_atomically;
use costate::study::{Study, Variable};
use serde_json::json;

use super::{Failure, builtin, print_json, print_text};

/// Writes the template's files into a new folder.
pub fn run(name: &Path, template: &str, as_json: bool) -> Result<(), Failure> {
    let Some(chosen) = builtin::ALL.iter().find(|b| b.name == template) else {
        let hint = nearest(template, builtin::ALL.iter().map(|b| b.name)).map_or_else(
            || "`costate list` shows them".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(Failure::Usage(Some(format!(
            "no built-in scenario `{template}`: {hint}"
        ))));
    };
    if name.exists() {
        return Err(Failure::Usage(Some(format!(
            "`{}` exists already; nothing was written",
            name.display()
        ))));
    }
    std::fs::create_dir_all(name)
        .map_err(|e| Failure::Work(format!("cannot make `{}`: {e}", name.display())))?;
    for (file, content) in chosen.files {
        write_atomically(&name.join(file), content.as_bytes())
            .map_err(|e| Failure::Work(e.to_string()))?;
    }
    let scenario = name.join("scenario.toml");
    if as_json {
        return print_json(&json!({ "path": scenario.display().to_string() }));
    }
    // what it is for: one with nothing to fit is watched
    let (study, _) = Study::load(&scenario, &[], Backend::Interpreter);
    let fits = study.is_some_and(|study| !Variable::fitted(&study.scenario).is_empty());
    let command = if fits { "fit" } else { "simulate" };
    print_text(&format!(
        "wrote {}\ntry: costate {command} {}\n",
        scenario.display(),
        scenario.display()
    ))
}
