//! Names that scenarios can have.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::names;

/// Names given so far, and those that had to be changed.
#[derive(Debug, Clone, Default)]
pub struct Names {
    taken: BTreeSet<String>,
    given: BTreeMap<String, String>,
    /// names that were changed: as they were, as they are
    pub changed: Vec<(String, String)>,
}

impl Names {
    /// Keeps names from being given to anything.
    pub fn reserve<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        self.taken.extend(texts.into_iter().map(str::to_owned));
    }

    /// The name that something of this identifier has; a new one where the identifier is no name.
    pub fn of(&mut self, id: &str) -> String {
        if let Some(name) = self.given.get(id) {
            return name.clone();
        }
        let name = if is_free(id) {
            id.to_owned()
        } else {
            self.fresh(&format!("{}_", names::suggestion(id)))
        };
        if name != id {
            self.changed.push((id.to_owned(), name.clone()));
        }
        self.taken.insert(name.clone());
        self.given.insert(id.to_owned(), name.clone());
        name
    }

    /// The name given for an identifier.
    pub fn get(&self, id: &str) -> Option<&str> {
        self.given.get(id).map(String::as_str)
    }

    /// A name that nothing has, as near to a wish as can be; it is taken then.
    pub fn fresh(&mut self, wish: &str) -> String {
        let base = names::suggestion(wish);
        let mut name = base.clone();
        let mut k = 2_u64;
        while self.taken.contains(&name) || !is_free(&name) {
            name = format!("{base}_{k}");
            k += 1;
        }
        self.taken.insert(name.clone());
        name
    }
}

/// Whether the language leaves a name to its users, in every place.
pub fn is_free(text: &str) -> bool {
    names::check(text).is_ok()
        && !names::FUNCTIONALS.contains(&text)
        && !matches!(text, "sum" | "mean" | "equilibrium")
}
