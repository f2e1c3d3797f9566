//! A scenario's text with the command line's `--set` values written in: what a run folder keeps, comments and all.

use toml_edit::{DocumentMut, InlineTable, Item, Table, TomlError, Value};

use super::overrides::{FILE_KEYS, Override, valued_parameter};
use super::schema;

/// The text with every override in its place; what is not named stays as the user wrote it.
///
/// The overrides are those that a scenario was read with: a name that nothing is called leaves the text alone.
///
/// # Errors
/// [`TomlError`] where the text is not TOML.
pub fn resolved_text(text: &str, overrides: &[Override]) -> Result<String, TomlError> {
    let mut document: DocumentMut = text.parse()?;
    for given in overrides {
        let mut segments: Vec<&str> = given.path.split('.').collect();
        if segments.len() == 1 {
            segments.insert(0, "parameters");
        }
        let short = schema::short_form(&segments);
        set(
            document.as_table_mut(),
            &segments,
            value(&given.value),
            short,
        );
        if let Some(name) = valued_parameter(&segments)
            && let Some(parameters) = document.get_mut("parameters")
            && let Some(entry) = parameters.get_mut(name).and_then(Item::as_table_like_mut)
        {
            for key in FILE_KEYS {
                entry.remove(key);
            }
        }
    }
    Ok(document.to_string())
}

/// What is no TOML value is a string, as in [`Override`].
fn value(text: &str) -> Value {
    text.parse().unwrap_or_else(|_| Value::from(text))
}

fn set(root: &mut Table, segments: &[&str], value: Value, short: &str) {
    let Some((last, before)) = segments.split_last() else {
        return;
    };
    let mut table: &mut dyn toml_edit::TableLike = root;
    for segment in before {
        let item = table.entry(segment).or_insert(Item::Table(Table::new()));
        if let Item::Value(was) = item
            && !was.is_inline_table()
        {
            let mut long = InlineTable::new();
            *long.decor_mut() = was.decor().clone();
            let mut inner = was.clone();
            inner.decor_mut().clear();
            long.insert(short, inner);
            *item = Item::Value(Value::InlineTable(long));
        }
        let Some(inner) = item.as_table_like_mut() else {
            return;
        };
        table = inner;
    }
    let place = match table.get_mut(last) {
        Some(item) if item.is_table_like() && !short.is_empty() => {
            let Some(inner) = item.as_table_like_mut() else {
                return;
            };
            inner.entry(short).or_insert(Item::None)
        }
        _ => table.entry(last).or_insert(Item::None),
    };
    match place {
        // Spaces and the comment behind the old value stay.
        Item::Value(was) => {
            let decor = was.decor().clone();
            *was = value;
            *was.decor_mut() = decor;
        }
        other => *other = Item::Value(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str, given: &[(&str, &str)]) -> String {
        let overrides: Vec<Override> = given
            .iter()
            .map(|&(path, value)| Override {
                path: path.into(),
                value: value.into(),
            })
            .collect();
        resolved_text(text, &overrides).expect("TOML")
    }

    #[test]
    fn values_change_in_place_and_comments_stay() {
        let text = "# a model\n[parameters]\nk = { value = 1.0, fit = true } # rate\nd = 2 # decay\n\n[states]\nx = \"x0\"\n";
        let given = [
            ("k", "3.5"),
            ("d", "4"),
            ("states.x.unit", "m"),
            ("solver.rtol", "1e-9"),
            ("parameters.d.fit", "true"),
        ];
        assert_eq!(
            resolved(text, &given),
            "# a model\n[parameters]\nk = { value = 3.5, fit = true } # rate\nd = { value = 4, fit = true } # decay\n\n[states]\nx = { initial = \"x0\", unit = \"m\" }\n\n[solver]\nrtol = 1e-9\n"
        );
    }

    #[test]
    fn values_take_the_place_of_a_file() {
        let text = "[parameters]\nm = { over = [\"i\"], file = \"m.csv\", column = \"mass\", unit = \"kg\" }\n";
        assert_eq!(
            resolved(text, &[("m", "2*i")]),
            "[parameters]\nm = { over = [\"i\"], unit = \"kg\" , value = \"2*i\" }\n"
        );
    }

    #[test]
    fn without_overrides_the_text_is_the_text() {
        let text = "[scenario]\ntitle = 'x'   # y\n\n\n[parameters]\na=1\n";
        assert_eq!(resolved(text, &[]), text);
    }
}
