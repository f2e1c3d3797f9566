//! `[smoothing]`: values through which a parameter that the fit holds is taken before its own.

use toml::de::DeValue;

use super::types::{Parameter, Smoothing};
use super::values::{Reader, Section, did_you_mean, list, shorten};

/// The parameters that the table names, with as many values each.
pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    parameters: &[Parameter],
) -> Vec<Smoothing> {
    let mut all: Vec<Smoothing> = Vec::new();
    for (key, value) in reader.entries(top, "smoothing") {
        let name: &str = key.get_ref();
        let place = parameters.iter().position(|p| p.name.text == name);
        let Some(parameter) = place else {
            let names = || parameters.iter().map(|p| p.name.text.as_str());
            let help = did_you_mean(name, names())
                .unwrap_or_else(|| format!("parameters: {}", list(names())));
            let diagnostic = reader.error(
                "scenario::unknown-name",
                format!(
                    "`[smoothing]` names `{}`, which is no parameter",
                    shorten(name)
                ),
                key.span(),
            );
            diagnostic.label = "no such parameter".to_owned();
            diagnostic.help = Some(help);
            continue;
        };
        if parameters[parameter].fit {
            let diagnostic = reader.error(
                "scenario::contradiction",
                format!("`{}` is fitted, and `[smoothing]` sets it", shorten(name)),
                key.span(),
            );
            diagnostic.label = "a fitted parameter".to_owned();
            diagnostic.help =
                Some("leave out `fit = true` there, or this line: a width is held".to_owned());
            continue;
        }
        let DeValue::Array(entries) = value.get_ref() else {
            reader.wrong_type(name, "a list of numbers such as `[1.0, 0.1]`", value);
            continue;
        };
        let values: Vec<f64> = entries
            .iter()
            .filter_map(|entry| reader.positive_value(name, entry))
            .collect();
        if values.len() < entries.len() {
            continue;
        }
        let stages = all.first().map_or(values.len(), |first| first.values.len());
        if values.is_empty() || values.len() != stages {
            let message = match values.is_empty() {
                true => format!("`{}` is taken through no values", shorten(name)),
                false => format!(
                    "`{}` has {} values, `{}` {stages}",
                    shorten(name),
                    values.len(),
                    all.first().map_or("", |first| &first.name)
                ),
            };
            let diagnostic = reader.error("scenario::smoothing", message, value.span());
            diagnostic.label = "one value a stage, the same number for each".to_owned();
            diagnostic.help = Some("such as `[1.0, 0.1]`; its own value comes last".to_owned());
            continue;
        }
        all.push(Smoothing {
            parameter,
            name: name.to_owned(),
            values,
        });
    }
    all
}
