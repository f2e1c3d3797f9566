//! `[indices]`: `i = 64`, or `i = { size = 64, boundary = "periodic" }`; and `over = ["i", "j"]`, which names them.

use toml::de::DeValue;

use super::reader::Names;
use super::types::{Boundary, Index, Name};
use super::values::{Reader, Section, Value, did_you_mean, list, shorten};

/// Largest index set, and most states of a scenario: four billion bytes.
pub(super) const LARGEST: u64 = 1 << 29;
/// Most elements of an array.
const MOST_ELEMENTS: u64 = 1 << 29;
/// Most dimensions of an array.
const MOST_DIMENSIONS: usize = 4;

pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    names: &mut Names,
) -> Vec<Index> {
    reader
        .named(top, "indices", "an index", names)
        .into_iter()
        .map(|(name, value)| index(reader, name, value))
        .collect()
}

fn index(reader: &mut Reader<'_>, name: Name, value: &Value<'_>) -> Index {
    let mut index = Index {
        size: 1,
        ends: None,
        name,
    };
    let text = index.name.text.clone();
    if !value.get_ref().is_table() {
        let Some(number) = reader.finite(&text, value) else {
            return index;
        };
        let whole = number.fract() == 0.0 && (1.0..=LARGEST as f64).contains(&number);
        if whole {
            index.size = number as u32;
        } else {
            size_refused(reader, &text, value);
        }
        return index;
    }
    let Some(section) = reader.section("indices.*", &text, value) else {
        return index;
    };
    if let Some(size) = reader.whole(&section, "size", 1) {
        match u32::try_from(size) {
            Ok(size) if u64::from(size) <= LARGEST => index.size = size,
            _ => {
                if let Some(value) = section.get("size") {
                    size_refused(reader, &text, value);
                }
            }
        }
    }
    index.ends = section
        .get("boundary")
        .and_then(|value| boundary(reader, value));
    index
}

fn size_refused(reader: &mut Reader<'_>, name: &str, value: &Value<'_>) {
    let diagnostic = reader.error(
        "scenario::index",
        format!("the size of `{name}` must be a whole number from 1 to {LARGEST}"),
        value.span(),
    );
    diagnostic.label = "no size".to_owned();
    diagnostic.help = Some(format!("write `{name} = 64`"));
}

fn boundary(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<[Boundary; 2]> {
    if !value.get_ref().is_table() {
        let end = end(reader, "boundary", value, true)?;
        return Some([end.clone(), end]);
    }
    let section = reader.section("indices.*.boundary", "boundary", value)?;
    let mut of = |key: &str| end(reader, key, section.get(key)?, false);
    let (first, last) = (of("first"), of("last"));
    Some([first?, last?])
}

/// What stands beyond an end: a word, or else a value.
fn end(reader: &mut Reader<'_>, key: &str, value: &Value<'_>, both: bool) -> Option<Boundary> {
    if let DeValue::String(text) = value.get_ref() {
        match text.as_ref() {
            "clamp" => return Some(Boundary::Clamp),
            "zero" => return Some(Boundary::Zero),
            "periodic" if both => return Some(Boundary::Periodic),
            "periodic" => {
                let diagnostic = reader.error(
                    "scenario::index",
                    "one end alone cannot be periodic",
                    value.span(),
                );
                diagnostic.help = Some("write `boundary = \"periodic\"`".to_owned());
                return None;
            }
            other => {
                if let Some(help) = did_you_mean(other, ["periodic", "clamp", "zero"]) {
                    let diagnostic = reader.error(
                        "scenario::index",
                        format!("`{}` is no boundary", shorten(other)),
                        value.span(),
                    );
                    diagnostic.help = Some(format!(
                        "{help} Else: `clamp`, `zero`, or a value that stands outside"
                    ));
                    return None;
                }
            }
        }
    }
    Some(Boundary::Value(reader.expression(key, value)))
}

/// The indices of `over`, by their places; empty where there is none, `None` where something was reported.
pub(super) fn over(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    indices: &[Index],
) -> Option<Vec<usize>> {
    let Some(value) = section.get("over") else {
        return Some(Vec::new());
    };
    let single = std::slice::from_ref(value);
    let items: &[Value<'_>] = match value.get_ref() {
        DeValue::Array(items) => items,
        DeValue::String(_) => single,
        _ => {
            reader.wrong_type("over", "an array of names of indices", value);
            return None;
        }
    };
    let mut found = Vec::new();
    let mut sound = true;
    for item in items {
        let Some(name) = reader.text_value("over", item) else {
            sound = false;
            continue;
        };
        let place = indices.iter().position(|index| index.name.text == name);
        let message = match place {
            None => format!("`[indices]` has no `{}`", shorten(&name)),
            Some(place) if found.contains(&place) => format!("`{name}` is given twice"),
            Some(place) => {
                found.push(place);
                continue;
            }
        };
        let known = || indices.iter().map(|index| index.name.text.as_str());
        let help = match place {
            Some(_) => format!(
                "give a second index of the same size: `{name}2 = {}`",
                indices[place.unwrap_or(0)].size
            ),
            None => did_you_mean(&name, known()).unwrap_or_else(|| {
                if indices.is_empty() {
                    format!("add `[indices]` with `{} = 64`", shorten(&name))
                } else {
                    format!("indices are {}", list(known()))
                }
            }),
        };
        let diagnostic = reader.error("scenario::index", message, item.span());
        diagnostic.help = Some(help);
        sound = false;
    }
    let elements: u64 = found.iter().map(|&k| u64::from(indices[k].size)).product();
    if elements > MOST_ELEMENTS || found.len() > MOST_DIMENSIONS {
        let diagnostic = reader.error(
            "scenario::index",
            format!(
                "an array of {} dimensions and {elements} elements is too large",
                found.len()
            ),
            value.span(),
        );
        diagnostic.help = Some(format!(
            "arrays have up to {MOST_DIMENSIONS} dimensions and {MOST_ELEMENTS} elements"
        ));
        return None;
    }
    sound.then_some(found)
}
