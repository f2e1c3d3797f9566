//! Every table and key a scenario may hold: one definition from which unknown keys are found, values are checked
//! and the reference is written.
//!
//! A table is known by its path: `solver`, `scenario.time`; `*` stands for a name the user chose (`parameters.*`),
//! and `signals.*:sine` for the keys of one kind of signal. Words that later versions deliver are listed too
//! (`later` of [`Kind::Choice`]), so that a scenario which uses one is told so by name.

pub(super) mod controllers;
mod design;
mod events;
mod mechanics;
mod solver;
mod tables;
mod tune;

pub use tables::TABLES;

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// a finite number, integer or float
    Number,
    /// a whole number, not negative
    Whole,
    /// text
    Text,
    /// true or false
    Boolean,
    /// a number, or text holding an expression
    Expression,
    /// several of them in an array, or one alone
    Expressions,
    /// one of some words
    Choice {
        /// words understood
        now: &'static [&'static str],
        /// words of the language that this version does not offer
        later: &'static [&'static str],
    },
    /// a word or a value that stands beyond the ends of an index set, or a table of one for each end
    Boundary,
    /// two numbers, the lower first
    Pair,
    /// several texts
    Texts,
    /// several whole numbers
    Wholes,
    /// a number, or a table of numbers by state
    NumberByState,
    /// a table with the keys of the schema's table of this path
    Table(&'static str),
    /// a table of entries the user names, each with the keys of the table of this path, or the short form: the one
    /// value named second (empty: no short form)
    Named(&'static str, &'static str),
    /// a table of expressions the user names
    NamedExpressions,
    /// a table of rows by state, each a table of expressions by state
    Rows,
    /// a table of values the user names: text or a number
    NamedTexts,
    /// a table of lists of numbers by name
    NamedLists,
    /// `[[key]]`: several tables with the keys of the table of this path
    List(&'static str),
}

impl Kind {
    /// In words, for messages and the reference.
    pub fn words(self) -> String {
        match self {
            Self::Number => "a number".into(),
            Self::Whole => "a whole number".into(),
            Self::Text => "a string".into(),
            Self::Boolean => "true or false".into(),
            Self::Expression => "a number or an expression in quotes".into(),
            Self::Expressions => "a number or an expression in quotes, or an array of such".into(),
            Self::Choice { now, .. } => format!(
                "one of {}",
                now.iter()
                    .map(|word| format!("`{word}`"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            Self::Boundary => {
                "`periodic`, `clamp`, `zero`, a value, or a table of `first` and `last`".into()
            }
            Self::Pair => "two numbers, such as `[0, 1]`".into(),
            Self::Texts => "an array of strings".into(),
            Self::Wholes => "an array of whole numbers".into(),
            Self::NumberByState => "a number, or a table of numbers by state".into(),
            Self::Table(_) => "a table".into(),
            Self::Named(..) => "a table of names".into(),
            Self::NamedExpressions => "a table of names and expressions".into(),
            Self::Rows => "a table of rows, such as `y1 = { y1 = 1.0, y2 = \"c\" }`".into(),
            Self::NamedTexts => "a table of names and values".into(),
            Self::NamedLists => "a table of names and lists of numbers".into(),
            Self::List(_) => "an array of tables".into(),
        }
    }
    /// Whether one value that is no table can stand there, so that `--set` may give it.
    pub fn is_scalar(self) -> bool {
        matches!(
            self,
            Self::Number
                | Self::Whole
                | Self::Text
                | Self::Boolean
                | Self::Expression
                | Self::Expressions
                | Self::Boundary
                | Self::Choice { .. }
                | Self::NumberByState
        )
    }
}

/// A key of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// as it is written
    pub name: &'static str,
    /// what it holds
    pub kind: Kind,
    /// what is taken where it is absent; empty: nothing; `required`: it must be there
    pub default: &'static str,
    /// what it is for, in one line
    pub doc: &'static str,
}

/// A table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Table {
    /// where it stands
    pub path: &'static str,
    /// in words, for messages
    pub words: &'static str,
    /// its keys
    pub keys: &'static [Key],
}

/// The word that marks a key which must be there.
pub const REQUIRED: &str = "required";

/// The table of a path.
pub fn table(path: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.path == path)
}

/// The key that the short form of an entry stands for, by the path of the entry or of a key in it: `initial` in `x = "x0"`.
/// Empty where there is no short form.
pub fn short_form(path: &[&str]) -> &'static str {
    let mut inside = table("");
    for segment in path {
        match inside
            .and_then(|table| table.key(segment))
            .map(|key| key.kind)
        {
            Some(Kind::Named(_, short)) => return short,
            Some(Kind::Table(path)) => inside = table(path),
            _ => return "",
        }
    }
    ""
}

impl Table {
    /// A key by its name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_named_by_a_key_exists_and_keys_are_distinct() {
        for t in TABLES {
            for (i, k) in t.keys.iter().enumerate() {
                assert!(
                    t.keys[..i].iter().all(|other| other.name != k.name),
                    "{}.{}",
                    t.path,
                    k.name
                );
                assert!(!k.doc.is_empty());
                match k.kind {
                    Kind::Table(path) | Kind::List(path) => {
                        assert!(table(path).is_some(), "{path}")
                    }
                    Kind::Named(path, short) => {
                        let inner = table(path).expect("the entry's table");
                        let kind_of_signal = path == "signals.*";
                        assert!(
                            short.is_empty() || kind_of_signal || inner.key(short).is_some(),
                            "{path} {short}"
                        );
                    }
                    _ => {}
                }
            }
        }
    }
}
