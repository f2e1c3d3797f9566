//! `[tune.ensemble] from_fit`: plants as an earlier fit knows them, by its best values, standard errors and correlations.

use nalgebra::DMatrix;
use serde_json::Value;

use super::types::{Parameter, Scale, Together};
use super::values::{Reader, Section, shorten};

/// The parameters that an earlier run of `fit` or `profile` estimated and this scenario has, but for those that `tune` finds.
pub(super) fn together(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    parameters: &[Parameter],
) -> Option<Together> {
    let place = section.get("from_fit")?.span();
    let run = reader.text(section, "from_fit")?;
    let source = reader.data_file(&format!("{run}/result.json"), place.clone())?;
    let found = serde_json::from_str(&source.text)
        .map_err(|error| format!("it is no JSON: {error}"))
        .and_then(|document| estimated(&document, parameters));
    match found {
        Ok(together) => Some(together),
        Err(why) => {
            let diagnostic = reader.error(
                "scenario::from-fit",
                format!(
                    "`{}/result.json` says nothing of plants: {why}",
                    shorten(&run)
                ),
                place,
            );
            diagnostic.label = "of this run".to_owned();
            diagnostic.help = Some(
                "name the folder of a run of `costate fit` whose parameters the data determine"
                    .to_owned(),
            );
            None
        }
    }
}

fn estimated(document: &Value, parameters: &[Parameter]) -> Result<Together, String> {
    let table = |key: &str| {
        let found = document.get(key).and_then(Value::as_object);
        found.ok_or_else(|| format!("it has no `{key}`"))
    };
    let (best, errors) = (table("best")?, table("standard_errors")?);
    let mut together = Together::default();
    // places among the fit's parameters
    let mut places = Vec::new();
    let mut deviations = Vec::new();
    for (place, (name, value)) in best.iter().enumerate() {
        let Some(index) = parameters.iter().position(|p| p.name.text == *name) else {
            continue;
        };
        let parameter = &parameters[index];
        if parameter.tune {
            continue;
        }
        let value = value
            .as_f64()
            .ok_or_else(|| format!("`{name}` has no value"))?;
        let deviation = errors.get(name).and_then(Value::as_f64).ok_or_else(|| {
            format!("the data do not determine `{name}`, which has no standard error")
        })?;
        let logarithmic = matches!(parameter.scale, Scale::Log | Scale::Log10) && value > 0.0;
        // of the logarithm, to first order
        deviations.push(if logarithmic {
            deviation / value
        } else {
            deviation
        });
        places.push(place);
        together.parameters.push(index);
        together.best.push(value);
        together.logarithmic.push(logarithmic);
        together.bounds.push(parameter.bounds);
    }
    let n = places.len();
    if n == 0 {
        return Err(
            "none of its parameters is one of this scenario's that `tune` does not find".to_owned(),
        );
    }
    let rows = document.get("correlation").and_then(Value::as_array);
    let rows = rows.ok_or("it has no `correlation`")?;
    let entry = |i: usize, j: usize| rows.get(i)?.as_array()?.get(j)?.as_f64();
    let mut covariance = DMatrix::zeros(n, n);
    for i in 0..n {
        for j in 0..n {
            let correlation = entry(places[i], places[j]).ok_or("a correlation is missing")?;
            covariance[(i, j)] = correlation * deviations[i] * deviations[j];
        }
    }
    let factor = covariance
        .cholesky()
        .ok_or("its covariance is not positive definite")?;
    let factor = factor.l();
    together.factor = (0..n)
        .map(|i| factor.row(i).iter().copied().take(i + 1).collect())
        .collect();
    Ok(together)
}
