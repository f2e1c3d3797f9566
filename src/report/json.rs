//! JSON values of results: numbers that may not be finite, and maps that keep their order.
//!
//! JSON has no NaN and no infinity. Every such number is written as `null`, which readers take for "not available"; a reader that must
//! tell a diverged objective from a missing one finds the difference in the status beside it. Finite numbers are written as the shortest
//! decimal that reads back the same.

use serde_json::{Map, Value};

/// A number, or `null` where it is not finite.
pub fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// An array of numbers, `null` where one is not finite.
pub fn numbers(values: &[f64]) -> Value {
    Value::Array(values.iter().copied().map(number).collect())
}

/// An object with its keys in the order given; a repeated key keeps its place and takes the later value.
pub fn object<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
    Value::Object(
        entries
            .into_iter()
            .map(|(key, value)| (key.into(), value))
            .collect::<Map<String, Value>>(),
    )
}

/// An object of named numbers in order, as for parameters.
pub fn named_numbers<'a>(entries: impl IntoIterator<Item = (&'a str, f64)>) -> Value {
    object(
        entries
            .into_iter()
            .map(|(name, value)| (name, number(value))),
    )
}

/// The text of a JSON file: indented, with a newline at its end.
///
/// # Errors
/// When a map has keys that are not strings, or a `Serialize` implementation fails.
pub fn to_text<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}

/// For `#[serde(with = "nullable")]`: an `f64` field that is `null` in JSON when not finite, and NaN when read back from `null`.
pub mod nullable {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes the number, or null where it is not finite.
    ///
    /// # Errors
    /// Whatever the serializer reports.
    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(serializer)
    }

    /// Reads a number, or NaN from null.
    ///
    /// # Errors
    /// When there is neither.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
    }
}
