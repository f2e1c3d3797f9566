//! `[design]`: experiments to plan.

use toml::de::DeValue;

use super::types::{
    Design, DesignCriterion, Experiment, NoiseModel, Observable, Parameter, Sampling, Scale, Sigma,
};
use super::values::{Reader, Section, Value, did_you_mean, list, shorten};

/// What the table is read against.
pub(super) struct Known<'k> {
    pub time: [f64; 2],
    pub parameters: &'k [Parameter],
    pub observables: &'k [Observable],
    pub experiments: &'k [Experiment],
}

pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    known: &Known<'_>,
) -> Option<Design> {
    let table = top.get("design")?;
    let section = reader.section("design", "design", table)?;
    let criterion = match reader.choice(&section, "criterion") {
        Some("A") => DesignCriterion::A,
        Some("E") => DesignCriterion::E,
        _ => DesignCriterion::D,
    };
    let fitted = |p: &Parameter| p.fit;
    let interest = named_parameters(
        reader,
        &section,
        "parameters",
        known,
        fitted,
        "is not fitted",
    );
    let optimize = named_parameters(
        reader,
        &section,
        "optimize",
        known,
        |p| !p.fit,
        "is fitted, and cannot be chosen",
    );
    if let Some(value) = section.get("optimize") {
        for &i in &optimize {
            let parameter = &known.parameters[i];
            if !parameter.bounds.iter().all(|b| b.is_finite()) {
                let diagnostic = reader.error(
                    "scenario::design",
                    format!(
                        "`{}` is to be chosen inside bounds, and has none on one side",
                        shorten(&parameter.name.text)
                    ),
                    value.span(),
                );
                diagnostic.label = "without two finite bounds".to_owned();
                diagnostic.help = Some("add `bounds = [lower, upper]` to the parameter".to_owned());
            }
            if parameter.scale == Scale::Logit {
                let diagnostic = reader.error(
                    "scenario::design",
                    format!(
                        "`{}` is to be chosen on a logit scale, which has its bounds at infinity",
                        shorten(&parameter.name.text)
                    ),
                    value.span(),
                );
                diagnostic.label = "the best choice may be on a bound".to_owned();
                diagnostic.help =
                    Some("give the parameter `scale = \"linear\"` or `\"log\"`".to_owned());
            }
        }
    }
    if !known.parameters.iter().any(fitted) {
        let diagnostic = reader.error(
            "scenario::design",
            "a design is for estimates, and no parameter is marked `fit = true`",
            table.span(),
        );
        diagnostic.label = "nothing to estimate".to_owned();
        diagnostic.help = Some("mark the parameters to be estimated `fit = true`".to_owned());
    }
    let relative = reader.boolean(&section, "relative").unwrap_or(true);
    let include_data = reader.boolean(&section, "include_data").unwrap_or(true);
    let sampling = sampling_times(reader, &section, known);
    if section.get("sampling_times").is_none() && !section.mistyped("sampling_times") {
        let diagnostic = reader.error(
            "scenario::missing",
            "`[design]` plans no measurements",
            table.span(),
        );
        diagnostic.label = "no `sampling_times`".to_owned();
        diagnostic.help = Some(
            "add `sampling_times = { number = 5 }`, or `[[design.sampling_times]]` for each experiment"
                .to_owned(),
        );
    }
    let starts = reader.whole(&section, "starts", 1).unwrap_or(20);
    Some(Design {
        criterion,
        interest,
        relative,
        include_data,
        sampling,
        optimize,
        starts: usize::try_from(starts).unwrap_or(usize::MAX).min(1_000_000),
        seed: reader.whole(&section, "seed", 0).unwrap_or(1),
    })
}

/// Parameters that a key names, arrays by all their elements.
fn named_parameters(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    key: &str,
    known: &Known<'_>,
    allowed: impl Fn(&Parameter) -> bool,
    otherwise: &str,
) -> Vec<usize> {
    let mut found = Vec::new();
    for (name, item) in texts(reader, section, key, "names of parameters") {
        let all = known.parameters;
        let Some(place) = all.iter().position(|p| p.name.text == name) else {
            let names = || {
                all.iter()
                    .filter(|p| allowed(p))
                    .map(|p| p.name.text.as_str())
            };
            unknown(reader, "parameter", &name, names(), item);
            continue;
        };
        if !allowed(&all[place]) {
            let diagnostic = reader.error(
                "scenario::design",
                format!("`{key}` names `{}`, which {otherwise}", shorten(&name)),
                item.span(),
            );
            diagnostic.label = otherwise.to_owned();
            let names = all
                .iter()
                .filter(|p| allowed(p))
                .map(|p| p.name.text.as_str());
            diagnostic.help = Some(format!("parameters that can stand here: {}", list(names)));
            continue;
        }
        if !found.contains(&place) {
            found.push(place);
        }
    }
    found
}

/// The texts of a key with their places.
fn texts<'t, 'i>(
    reader: &mut Reader<'_>,
    section: &Section<'t, 'i>,
    key: &str,
    what: &str,
) -> Vec<(String, &'t Value<'i>)> {
    let Some(value) = section.get(key) else {
        return Vec::new();
    };
    let items: &'t [Value<'i>] = match value.get_ref() {
        DeValue::Array(items) => items,
        DeValue::String(_) => std::slice::from_ref(value),
        _ => {
            reader.wrong_type(key, &format!("an array of {what}"), value);
            return Vec::new();
        }
    };
    if items.is_empty() {
        let diagnostic = reader.error(
            "scenario::design",
            format!("`{key}` names nothing"),
            value.span(),
        );
        diagnostic.label = "empty".to_owned();
        diagnostic.help = Some("name one at least, or leave the key out".to_owned());
    }
    items
        .iter()
        .filter_map(|item| Some((reader.text_value(key, item)?, item)))
        .collect()
}

fn unknown<'n>(
    reader: &mut Reader<'_>,
    kind: &str,
    name: &str,
    known: impl Iterator<Item = &'n str> + Clone,
    item: &Value<'_>,
) {
    let help = did_you_mean(name, known.clone())
        .unwrap_or_else(|| format!("{kind}s that can stand here: {}", list(known)));
    let diagnostic = reader.error(
        "scenario::unknown-name",
        format!("there is no {kind} `{}`", shorten(name)),
        item.span(),
    );
    diagnostic.label = format!("no such {kind}");
    diagnostic.help = Some(help);
}

fn sampling_times(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    known: &Known<'_>,
) -> Vec<Sampling> {
    let Some(value) = section.get("sampling_times") else {
        return Vec::new();
    };
    let items: &[Value<'_>] = match value.get_ref() {
        DeValue::Array(items) => items,
        DeValue::Table(_) => std::slice::from_ref(value),
        _ => {
            let expected = "a table such as `{ number = 5 }`, or several";
            reader.wrong_type("sampling_times", expected, value);
            return Vec::new();
        }
    };
    items
        .iter()
        .filter_map(|item| sampling(reader, item, known))
        .collect()
}

fn sampling(reader: &mut Reader<'_>, item: &Value<'_>, known: &Known<'_>) -> Option<Sampling> {
    let section = reader.section("design.sampling_times", "sampling_times", item)?;
    let mut experiment = 0;
    if let Some(name) = reader.text(&section, "experiment")
        && let Some(value) = section.get("experiment")
    {
        let all = known.experiments.iter();
        match known.experiments.iter().position(|e| e.name == name) {
            Some(place) => experiment = place,
            None => {
                let names = all.map(|e| e.name.as_str()).filter(|n| !n.is_empty());
                unknown(reader, "experiment", &name, names, value);
            }
        }
    }
    let mut observables = Vec::new();
    let named = texts(reader, &section, "observables", "names of observables");
    for (name, item) in named {
        let all = known.observables.iter();
        match known.observables.iter().position(|o| o.name.text == name) {
            Some(place) if !observables.contains(&place) => observables.push(place),
            Some(_) => {}
            None => unknown(
                reader,
                "observable",
                &name,
                all.map(|o| o.name.text.as_str()),
                item,
            ),
        }
    }
    if section.get("observables").is_none() {
        observables = (0..known.observables.len()).collect();
    }
    for &o in &observables {
        let observable = &known.observables[o];
        let place = section.get("observables").unwrap_or(item);
        let shown = shorten(&observable.name.text);
        let mut refuse = |message: String, help: &str| {
            let diagnostic = reader.error("scenario::design", message, place.span());
            diagnostic.label = "its information cannot be told beforehand".to_owned();
            diagnostic.help = Some(help.to_owned());
        };
        if observable.loss.is_some() {
            refuse(
                format!("`{shown}` has a robust loss, and so no likelihood"),
                "give it a `noise` model, or name other `observables`",
            );
        }
        if let Some(noise) = &observable.noise {
            if matches!(noise.sigma, Sigma::Column(_)) {
                refuse(
                    format!(
                        "the sigma of `{shown}` is a column of the data, unknown for measurements to come"
                    ),
                    "give sigma as a number or an expression, or name other `observables`",
                );
            }
            if noise.model == NoiseModel::NegativeBinomial {
                refuse(
                    format!(
                        "`{shown}` has negative binomial noise, whose dispersion has no expected information in closed form"
                    ),
                    "take `poisson` or `normal` noise, or name other `observables`",
                );
            }
            if noise.limits.iter().any(|limit| limit.is_finite()) {
                refuse(
                    format!("`{shown}` has limits of detection"),
                    "leave out `limits`, or name other `observables`",
                );
            }
        }
    }
    let [start, end] = known.time;
    let span = [start.min(end), start.max(end)];
    let bounds = match section.get("bounds") {
        None => span,
        Some(value) => bounds(reader, value, span)?,
    };
    let number = reader.whole(&section, "number", 1)?;
    if number > 10_000
        && let Some(value) = section.get("number")
    {
        let diagnostic = reader.error(
            "scenario::out-of-range",
            format!("{number} times are more than the 10000 there may be"),
            value.span(),
        );
        diagnostic.label = "too many".to_owned();
        diagnostic.help =
            Some("few times are enough: as many as there are parameters, or some more".to_owned());
        return None;
    }
    Some(Sampling {
        experiment,
        observables,
        number: usize::try_from(number).unwrap_or(1),
        bounds,
    })
}

/// Two times in order, inside the run.
fn bounds(reader: &mut Reader<'_>, value: &Value<'_>, span: [f64; 2]) -> Option<[f64; 2]> {
    let pair = match value.get_ref() {
        DeValue::Array(items) if items.len() == 2 => {
            let low = reader.finite("bounds", &items[0]);
            let high = reader.finite("bounds", &items[1]);
            low.zip(high)
        }
        _ => {
            reader.wrong_type("bounds", "two times, such as `[0, 10]`", value);
            None
        }
    };
    let (low, high) = pair?;
    let (message, help) = if low >= high {
        (
            format!("the times from {low} to {high} are none to choose from"),
            "write the earlier first".to_owned(),
        )
    } else if low < span[0] || high > span[1] {
        (
            format!(
                "times from {low} to {high} are not all inside the run, {} to {}",
                span[0], span[1]
            ),
            "narrow them, or lengthen `scenario.time`".to_owned(),
        )
    } else {
        return Some([low, high]);
    };
    let diagnostic = reader.error("scenario::design", message, value.span());
    diagnostic.label = "`bounds` of the times".to_owned();
    diagnostic.help = Some(help);
    None
}
