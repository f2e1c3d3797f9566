//! How measurements of an observable scatter: `noise = { model, sigma, ... }`, or `loss = "huber"` where no likelihood is
//! wanted.

use toml::de::DeValue;

use super::names;
use super::reader::Names;
use super::types::{Loss, LossShape, Name, Noise, NoiseModel, Sigma};
use super::values::{Reader, Section, Value};
use crate::model::{Expression, ExpressionKind};

/// The table `noise` of an observable.
pub(super) fn noise(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    names: &Names,
) -> Option<Noise> {
    let word = match reader.choice(section, "model") {
        Some(word) => word,
        None if section.get("model").is_none() => "normal",
        None => return None,
    };
    let scale_key = match word {
        "poisson" => None,
        "negative-binomial" => Some("dispersion"),
        _ => Some("sigma"),
    };
    for key in ["sigma", "dispersion", "degrees_of_freedom"] {
        let own = scale_key == Some(key) || (key == "degrees_of_freedom" && word == "student-t");
        if let Some(value) = section.get(key).filter(|_| !own) {
            foreign(reader, word, key, scale_key, value);
        }
    }
    let model = model(reader, section, word)?;
    let limits = limits(reader, section, model)?;
    let sigma = match scale_key {
        None => Sigma::Expression(Expression {
            kind: ExpressionKind::Number(1.0),
            span: reader.sources.span(section.start..section.end),
        }),
        Some(key) => match section.get(key) {
            Some(value) => scale(reader, key, value, names)?,
            None => {
                reader.missing(section, key);
                return None;
            }
        },
    };
    Some(Noise {
        model,
        sigma,
        limits,
    })
}

fn model(reader: &mut Reader<'_>, section: &Section<'_, '_>, word: &str) -> Option<NoiseModel> {
    Some(match word {
        "log-normal" => NoiseModel::LogNormal,
        "log10-normal" => NoiseModel::Log10Normal,
        "laplace" => NoiseModel::Laplace,
        "log-laplace" => NoiseModel::LogLaplace,
        "log10-laplace" => NoiseModel::Log10Laplace,
        "student-t" => {
            if section.get("degrees_of_freedom").is_none() {
                reader.missing(section, "degrees_of_freedom");
                return None;
            }
            NoiseModel::StudentT {
                degrees_of_freedom: reader.positive(section, "degrees_of_freedom")?,
            }
        }
        "poisson" => NoiseModel::Poisson,
        "negative-binomial" => NoiseModel::NegativeBinomial,
        _ => NoiseModel::Normal,
    })
}

/// A key that the model does not have.
fn foreign(
    reader: &mut Reader<'_>,
    word: &str,
    key: &str,
    scale_key: Option<&str>,
    value: &Value<'_>,
) {
    let diagnostic = reader.error(
        "scenario::noise",
        format!("`{word}` noise has no `{key}`"),
        value.span(),
    );
    diagnostic.label = "of another model".to_owned();
    diagnostic.help = Some(match scale_key {
        _ if key == "degrees_of_freedom" => {
            "leave it out, or use `model = \"student-t\"`".to_owned()
        }
        Some(scale) if scale != key => format!("its scale is `{scale}`"),
        Some(_) => "leave it out".to_owned(),
        None => "its variance is its mean: leave it out".to_owned(),
    });
}

/// A number above zero, an expression, or the name of a data column.
fn scale(reader: &mut Reader<'_>, key: &str, value: &Value<'_>, names: &Names) -> Option<Sigma> {
    Some(match value.get_ref() {
        DeValue::Integer(_) | DeValue::Float(_) => {
            let number = reader.positive_value(key, value)?;
            Sigma::Expression(Expression {
                kind: ExpressionKind::Number(number),
                span: reader.sources.span(value.span()),
            })
        }
        // a name that the model does not have is a column of the data; whether the data has it, the data's reader says
        DeValue::String(text) if is_column(text, names) => Sigma::Column(Name {
            text: text.to_string(),
            span: reader.sources.span(value.span()),
        }),
        _ => Sigma::Expression(reader.expression(key, value)),
    })
}

fn is_column(text: &str, names: &Names) -> bool {
    names::check(text).is_ok() && !names.has(text)
}

/// `lower_limit` and `upper_limit`.
fn limits(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    model: NoiseModel,
) -> Option<[f64; 2]> {
    let mut limits = [f64::NEG_INFINITY, f64::INFINITY];
    for (limit, key) in limits.iter_mut().zip(["lower_limit", "upper_limit"]) {
        let Some(value) = section.get(key) else {
            continue;
        };
        *limit = reader.finite(key, value)?;
        let word = model.name();
        if model.counts() {
            let diagnostic = reader.error(
                "scenario::noise",
                format!("counts with `{word}` noise have no `{key}`"),
                value.span(),
            );
            diagnostic.label = "of a continuous model".to_owned();
            diagnostic.help = Some("leave it out".to_owned());
            return None;
        }
        if model.positive() && *limit <= 0.0 {
            let diagnostic = reader.error(
                "scenario::noise",
                format!("`{key}` must be above zero: `{word}` noise is for such values"),
                value.span(),
            );
            diagnostic.label = "not above zero".to_owned();
            diagnostic.help = Some("write the limit of detection, above zero".to_owned());
            return None;
        }
    }
    let [lower, upper] = limits;
    if lower >= upper {
        let diagnostic = reader.error(
            "scenario::noise",
            format!("`lower_limit`, {lower}, is not below `upper_limit`, {upper}"),
            section.get("lower_limit")?.span(),
        );
        diagnostic.label = "not below `upper_limit`".to_owned();
        diagnostic.help = Some("write the lower one below the upper one".to_owned());
        return None;
    }
    Some(limits)
}

/// `loss` and `loss_width` of an observable.
pub(super) fn loss(reader: &mut Reader<'_>, section: &Section<'_, '_>) -> Option<Loss> {
    let Some(value) = section.get("loss") else {
        if let Some(width) = section.get("loss_width") {
            let diagnostic = reader.error(
                "scenario::noise",
                "`loss_width` without a `loss`",
                width.span(),
            );
            diagnostic.label = "of no loss".to_owned();
            diagnostic.help = Some("add `loss = \"huber\"`".to_owned());
        }
        return None;
    };
    let shape = match reader.choice(section, "loss")? {
        "soft-l1" => LossShape::SoftL1,
        "cauchy" => LossShape::Cauchy,
        "arctan" => LossShape::Arctan,
        "tukey" => LossShape::Tukey,
        _ => LossShape::Huber,
    };
    if section.get("noise").is_some() {
        let diagnostic = reader.error(
            "scenario::noise",
            "an observable has a noise model or a loss, not both",
            value.span(),
        );
        diagnostic.label = "beside `noise`".to_owned();
        diagnostic.help =
            Some("for outliers with a likelihood, use `model = \"student-t\"`".to_owned());
        return None;
    }
    let width = match section.get("loss_width") {
        Some(_) => reader.positive(section, "loss_width")?,
        None => 1.0,
    };
    Some(Loss { shape, width })
}
