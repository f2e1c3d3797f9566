//! `list`: the built-in scenarios.

use serde_json::json;

use super::builtin::{self, Builtin};
use super::{Failure, print_json, print_text};

/// Lists the built-in scenarios.
pub fn run(as_json: bool) -> Result<(), Failure> {
    if as_json {
        let all: Vec<_> = builtin::ALL
            .iter()
            .map(|b| json!({ "name": b.name, "title": b.title() }))
            .collect();
        return print_json(&json!({ "scenarios": all }));
    }
    let width = builtin::ALL.iter().map(|b| b.name.len()).max().unwrap_or(0);
    let line = |b: &Builtin| format!("{:width$}  {}\n", b.name, b.title());
    let mut text: String = builtin::ALL.iter().map(line).collect();
    text.push_str("\n`costate new NAME --template T` writes one as a folder of your own.\n");
    print_text(&text)
}
