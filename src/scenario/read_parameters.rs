//! `[parameters]`: `k = 0.5`, or `k = { value, bounds, scale, fit, unit, prior }`; arrays also have `over`, and values
//! from an expression of their indices or from a file.

use toml::de::DeValue;

use super::data::Csv;
use super::read_indices::over;
use super::reader::Names;
use super::types::{Density, Index, Name, Parameter, ParameterArray, Prior, Scale};
use super::values::{Reader, Section, Value, shorten};
use crate::model::{Slot, values_over};

/// The parameters, arrays element by element, and which are arrays.
pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    indices: &[Index],
    names: &mut Names,
) -> (Vec<Parameter>, Vec<ParameterArray>) {
    let (mut parameters, mut arrays) = (Vec::new(), Vec::new());
    for (name, value) in reader.named(top, "parameters", "a parameter", names) {
        let array = value
            .get_ref()
            .as_table()
            .is_some_and(|table| table.contains_key("over"));
        if !array {
            parameters.push(parameter(reader, name, value));
            continue;
        }
        let Some(section) = reader.section("parameters.*", &name.text, value) else {
            continue;
        };
        let over = over(reader, &section, indices).unwrap_or_default();
        let values = values(reader, &section, &name, &over, indices);
        let slot = Slot {
            name: name.text.clone(),
            first: 0,
            extents: over.iter().map(|&k| indices[k].size).collect(),
        };
        arrays.push(ParameterArray {
            name: name.clone(),
            over,
            first: parameters.len(),
        });
        let mut pattern = settings(reader, name, &section);
        for k in 0..slot.len() {
            pattern.name.text = slot.element(k);
            pattern.value = values.get(k).copied().unwrap_or(f64::NAN);
            if k == 0 || pattern.fit || pattern.tune {
                let before = reader.diagnostics.len();
                check_value(reader, &pattern, &section);
                if reader.diagnostics.len() > before {
                    // one finding an array
                    parameters.push(pattern.clone());
                    break;
                }
            }
            parameters.push(pattern.clone());
        }
    }
    (parameters, arrays)
}

/// The values of an array, row by row; `NaN` where there is none, which is reported.
fn values(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    name: &Name,
    over: &[usize],
    indices: &[Index],
) -> Vec<f64> {
    if section.get("file").is_some() {
        if let Some(value) = section.get("value") {
            let diagnostic = reader.error(
                "scenario::array",
                format!("`{}` has values and a file", shorten(&name.text)),
                value.span(),
            );
            diagnostic.help = Some("keep one of `value` and `file`".to_owned());
        }
        let size = over.iter().map(|&k| indices[k].size as usize).product();
        return from_file(reader, section, &name.text, size).unwrap_or_default();
    }
    let Some(value) = section.get("value") else {
        reader.missing(section, "value");
        return Vec::new();
    };
    let expression = reader.expression("value", value);
    let bound: Vec<(&str, u32)> = over
        .iter()
        .map(|&k| (indices[k].name.text.as_str(), indices[k].size))
        .collect();
    match values_over(&expression, &bound) {
        Ok(values) => {
            if let Some(k) = values.iter().position(|v| !v.is_finite())
                && !matches!(expression.kind, crate::model::ExpressionKind::Number(_))
            {
                let diagnostic = reader.error(
                    "scenario::not-finite",
                    format!(
                        "`{}` is {} at its element {}",
                        shorten(&name.text),
                        values[k],
                        k + 1
                    ),
                    value.span(),
                );
                diagnostic.help = Some("elements are counted row by row".to_owned());
            }
            values
        }
        Err(found) => {
            for diagnostic in found {
                reader.report(diagnostic);
            }
            Vec::new()
        }
    }
}

fn from_file(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    name: &str,
    size: usize,
) -> Option<Vec<f64>> {
    let column = reader.text(section, "column");
    let place = section.get("file")?.span();
    let file = reader.text(section, "file")?;
    let source = reader.data_file(&file, place.clone())?;
    let csv = match Csv::new(source) {
        Ok(csv) => csv,
        Err(diagnostic) => {
            reader.report(*diagnostic);
            return None;
        }
    };
    let key = section
        .get("column")
        .map_or_else(|| place.clone(), |value| value.span());
    let span = reader.sources.span(key);
    let column = match csv.column(column.as_deref().unwrap_or(name), &span) {
        Ok(column) => column,
        Err(diagnostic) => {
            reader.report(*diagnostic);
            return None;
        }
    };
    let rows = csv.rows(&[], &[column]);
    let mut findings = rows.findings;
    let [values]: [Vec<f64>; 1] = rows.columns.try_into().ok()?;
    for (&value, &place) in values.iter().zip(&rows.places) {
        if value.is_nan() && !findings.full() {
            findings.push(|| csv.missing_cell(place, column, "an array has a value in each place"));
        }
    }
    let failed = !findings.is_empty();
    reader.diagnostics.extend(findings.finish(&csv));
    if !failed && values.len() != size {
        let diagnostic = reader.error(
            "scenario::array",
            format!(
                "`{}` has {size} elements, the file {} rows",
                shorten(name),
                values.len()
            ),
            place,
        );
        diagnostic.label = format!("{} rows", values.len());
        diagnostic.help =
            Some("a row of the file is an element; the last index goes fastest".to_owned());
    }
    (!failed && values.len() == size).then_some(values)
}

fn parameter(reader: &mut Reader<'_>, name: Name, value: &Value<'_>) -> Parameter {
    let mut parameter = Parameter::held(name, f64::NAN);
    let name = parameter.name.text.clone();
    if !value.get_ref().is_table() {
        match value.get_ref() {
            DeValue::Integer(_) | DeValue::Float(_) => {
                parameter.value = reader.finite(&name, value).unwrap_or(f64::NAN);
            }
            DeValue::String(text) if text.trim().parse::<f64>().is_err() => {
                reader.wrong_type(&name, "a number", value);
                if let Some(last) = reader.diagnostics.last_mut() {
                    last.help =
                        Some("a value computed from others belongs in `[definitions]`".to_owned());
                }
            }
            _ => reader.wrong_type(&name, "a number or a table", value),
        }
        return parameter;
    }
    let Some(section) = reader.section("parameters.*", &name, value) else {
        return parameter;
    };
    parameter = settings(reader, parameter.name, &section);
    for key in ["file", "column"] {
        if let Some(value) = section.get(key) {
            let diagnostic = reader.error(
                "scenario::array",
                format!("`{}` is one number and has no `{key}`", shorten(&name)),
                value.span(),
            );
            diagnostic.help = Some("an array names its indices: `over = [\"i\"]`".to_owned());
        }
    }
    if section.get("value").is_none() && !section.mistyped("value") {
        reader.missing(&section, "value");
    }
    if let Some(number) = reader.number(&section, "value") {
        parameter.value = number;
    }
    check_value(reader, &parameter, &section);
    parameter
}

/// What a parameter, or each of an array, has beside its value.
fn settings(reader: &mut Reader<'_>, name: Name, section: &Section<'_, '_>) -> Parameter {
    let mut parameter = Parameter::held(name, f64::NAN);
    parameter.scale = match reader.choice(section, "scale") {
        Some("log") => Scale::Log,
        Some("log10") => Scale::Log10,
        Some("logit") => Scale::Logit,
        _ => Scale::Linear,
    };
    parameter.fit = reader.boolean(section, "fit").unwrap_or(false);
    parameter.profile_out = reader.boolean(section, "profile_out").unwrap_or(false);
    if parameter.profile_out
        && !parameter.fit
        && let Some(value) = section.get("profile_out")
    {
        let diagnostic = reader.error(
            "scenario::contradiction",
            format!(
                "`{}` is to be profiled out of a fit, which does not estimate it",
                shorten(&parameter.name.text)
            ),
            value.span(),
        );
        diagnostic.label = "without `fit = true`".to_owned();
        diagnostic.help = Some("add `fit = true`, or leave this out".to_owned());
    }
    parameter.tune = reader.boolean(section, "tune").unwrap_or(false);
    parameter.unit = reader.text(section, "unit");
    if let Some(bounds) = section.get("bounds") {
        bounds_of(reader, &mut parameter, bounds);
    }
    parameter.prior = prior_of(reader, section);
    parameter
}

/// The table `prior` of a section.
pub(super) fn prior_of(reader: &mut Reader<'_>, section: &Section<'_, '_>) -> Option<Prior> {
    let value = section.get("prior")?;
    let section = reader.section("parameters.*.prior", "prior", value)?;
    Some(Prior {
        density: density(reader, &section)?,
        scaled: reader.boolean(&section, "scaled").unwrap_or(false),
    })
}

/// Two numbers in order; `-inf` and `inf` are no bound.
pub(super) fn bounds_of(reader: &mut Reader<'_>, parameter: &mut Parameter, value: &Value<'_>) {
    let pair = match value.get_ref() {
        DeValue::Array(items) if items.len() == 2 => {
            let lower = reader.any_number("bounds", &items[0]);
            let upper = reader.any_number("bounds", &items[1]);
            lower
                .zip(upper)
                .map(|(lower, upper)| ([lower, upper], [items[0].span(), items[1].span()]))
        }
        DeValue::Array(items) => {
            let count = items.len();
            let diagnostic = reader.error(
                "scenario::wrong-type",
                format!("`bounds` must be two numbers, not {count}"),
                value.span(),
            );
            diagnostic.label = format!("{count} value{}", if count == 1 { "" } else { "s" });
            diagnostic.help =
                Some("write `[lower, upper]`, with `-inf` or `inf` for no bound".to_owned());
            return;
        }
        _ => {
            reader.wrong_type("bounds", "two numbers, such as `[0, 1]`", value);
            return;
        }
    };
    let Some(([lower, upper], places)) = pair else {
        return;
    };
    for (bound, place) in [lower, upper].into_iter().zip(places) {
        if bound.is_nan() {
            let diagnostic =
                reader.error("scenario::not-finite", "a bound must be a number", place);
            diagnostic.label = "not a number".to_owned();
            diagnostic.help = Some("write `-inf` or `inf` for no bound".to_owned());
            return;
        }
    }
    let name = shorten(&parameter.name.text);
    if lower >= upper || lower == f64::INFINITY || upper == f64::NEG_INFINITY {
        let above = lower > upper;
        let diagnostic = reader.error(
            "scenario::bounds",
            if above {
                format!("the lower bound of `{name}`, {lower}, is above its upper bound, {upper}")
            } else {
                format!("the bounds of `{name}` leave no room between them")
            },
            value.span(),
        );
        diagnostic.label = if above {
            "lower above upper"
        } else {
            "no room"
        }
        .to_owned();
        diagnostic.help = Some(if above && lower.is_finite() {
            format!("swap them: `[{upper}, {lower}]`")
        } else {
            "write `[lower, upper]`; a value that is known needs no bounds, only no `fit = true`"
                .to_owned()
        });
        return;
    }
    match parameter.scale {
        Scale::Log | Scale::Log10 if lower <= 0.0 => {
            let diagnostic = reader.error(
                "scenario::scale",
                format!(
                    "`{name}` has a logarithmic scale, but a lower bound that is not above zero"
                ),
                value.span(),
            );
            diagnostic.label = format!("lower bound {lower}");
            diagnostic.help =
                Some("write a lower bound above zero, or `scale = \"linear\"`".to_owned());
            return;
        }
        Scale::Logit if !(lower.is_finite() && upper.is_finite()) => {
            logit_needs_bounds(reader, &name, value.span());
            return;
        }
        _ => {}
    }
    parameter.bounds = [lower, upper];
}

fn logit_needs_bounds(reader: &mut Reader<'_>, name: &str, range: std::ops::Range<usize>) {
    let diagnostic = reader.error(
        "scenario::scale",
        format!("the logit scale of `{name}` needs two finite bounds"),
        range,
    );
    diagnostic.label = "needs finite bounds".to_owned();
    diagnostic.help = Some("add `bounds = [lower, upper]`".to_owned());
}

/// The value inside the bounds and on the scale.
fn check_value(reader: &mut Reader<'_>, parameter: &Parameter, section: &Section<'_, '_>) {
    let name = shorten(&parameter.name.text);
    if parameter.scale == Scale::Logit
        && section.get("bounds").is_none()
        && let Some(scale) = section.get("scale")
    {
        logit_needs_bounds(reader, &name, scale.span());
    }
    let Some(value) = section.get("value") else {
        return;
    };
    let number = parameter.value;
    let [lower, upper] = parameter.bounds;
    let logarithmic = matches!(parameter.scale, Scale::Log | Scale::Log10);
    if logarithmic && number <= 0.0 {
        let diagnostic = reader.error(
            "scenario::scale",
            format!(
                "`{name}` has a logarithmic scale, but the value {number}, which is not above zero"
            ),
            value.span(),
        );
        diagnostic.label = "not above zero".to_owned();
        diagnostic.help = Some("write a value above zero, or `scale = \"linear\"`".to_owned());
    } else if number < lower || number > upper {
        let diagnostic = reader.error(
            "scenario::bounds",
            format!("the value of `{name}`, {number}, is outside its bounds, {lower} to {upper}"),
            value.span(),
        );
        diagnostic.label = if number < lower {
            "below the lower bound"
        } else {
            "above the upper bound"
        }
        .to_owned();
        diagnostic.help = Some("change the value or widen the bounds".to_owned());
    } else if parameter.scale == Scale::Logit
        && lower.is_finite()
        && (number == lower || number == upper)
    {
        let diagnostic = reader.error(
            "scenario::scale",
            format!("the value of `{name}` is on a bound, which the logit scale puts at infinity"),
            value.span(),
        );
        diagnostic.label = "on a bound".to_owned();
        diagnostic.help = Some("write a value strictly between the bounds".to_owned());
    }
}

fn density(reader: &mut Reader<'_>, section: &Section<'_, '_>) -> Option<Density> {
    let distribution = reader.choice(section, "distribution")?;
    let uniform = distribution == "uniform";
    let foreign: &[&str] = if uniform {
        &["location", "mean", "scale", "sd"]
    } else {
        &["low", "high"]
    };
    for (key, _) in super::values::in_order(section.entries) {
        if foreign.contains(&key.get_ref().as_ref()) {
            let diagnostic = reader.error(
                "scenario::prior",
                format!("a `{distribution}` prior has no `{}`", key.get_ref()),
                key.span(),
            );
            diagnostic.label = "of another distribution".to_owned();
            diagnostic.help = Some(
                if uniform {
                    "it has `low` and `high`"
                } else {
                    "it has `location` and `scale`"
                }
                .to_owned(),
            );
        }
    }
    if uniform {
        let low = required(reader, section, "low", "low");
        let high = required(reader, section, "high", "high");
        let (low, high) = low.zip(high)?;
        if low >= high {
            let diagnostic = reader.error(
                "scenario::prior",
                format!("the prior's low end, {low}, is not below its high end, {high}"),
                section.get("low")?.span(),
            );
            diagnostic.label = "not below `high`".to_owned();
            diagnostic.help = Some("write `low` below `high`".to_owned());
            return None;
        }
        return Some(Density::Uniform { low, high });
    }
    let location = required(reader, section, "location", "mean");
    let scale = required(reader, section, "scale", "sd");
    let (location, scale) = location.zip(scale)?;
    if scale <= 0.0 {
        let key = if section.get("scale").is_some() {
            "scale"
        } else {
            "sd"
        };
        let diagnostic = reader.error(
            "scenario::prior",
            format!("the `{key}` of a prior must be above zero"),
            section.get(key)?.span(),
        );
        diagnostic.label = "not above zero".to_owned();
        diagnostic.help = Some("write a number above zero".to_owned());
        return None;
    }
    Some(match distribution {
        "normal" => Density::Normal { location, scale },
        "log-normal" => Density::LogNormal { location, scale },
        "log-laplace" => Density::LogLaplace { location, scale },
        _ => Density::Laplace { location, scale },
    })
}

/// A number under one of two names.
fn required(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    key: &str,
    also: &str,
) -> Option<f64> {
    if section.get(key).is_some() && key != also && section.get(also).is_some() {
        let range = section.get(also)?.span();
        let diagnostic = reader.error(
            "scenario::prior",
            format!("`{key}` and `{also}` are the same"),
            range,
        );
        diagnostic.label = "given twice".to_owned();
        diagnostic.help = Some("keep one of the two".to_owned());
    }
    let found = if section.get(key).is_some() {
        key
    } else {
        also
    };
    if section.get(found).is_none() {
        reader.missing(section, key);
        return None;
    }
    reader.number(section, found)
}
