//! The parameter table of a problem.

use super::prior;
use super::problem::{Parameter, number, word};
use super::table::{Cell, Table};
use crate::diagnostic::Diagnostic;

pub(super) fn read(table: &Table, parameters: &mut Vec<Parameter>, findings: &mut Vec<Diagnostic>) {
    const KNOWN: &[&str] = &[
        "parameterId",
        "parameterName",
        "parameterScale",
        "lowerBound",
        "upperBound",
        "nominalValue",
        "estimate",
        "initializationPriorType",
        "initializationPriorParameters",
        "objectivePriorType",
        "objectivePriorParameters",
    ];
    table.check_columns(KNOWN, "parameters", findings);
    let (Some(id), Some(estimate)) = (
        table.needed("parameterId", findings),
        table.needed("estimate", findings),
    ) else {
        return;
    };
    let column = |name| table.column(name);
    let (name, scale) = (column("parameterName"), column("parameterScale"));
    let (lower, upper) = (column("lowerBound"), column("upperBound"));
    let nominal = column("nominalValue");
    if let Some(k) = column("initializationPriorType")
        && let Some(row) = table.rows.iter().find(|row| !row[k].text.is_empty())
    {
        findings.push(
            Diagnostic::warning(
                "petab::ignored",
                "initialization priors are not read",
                Some(row[k].span.clone()),
            )
            .with_help("starts of fits are spread evenly over the bounds"),
        );
    }
    for row in &table.rows {
        let scale = word(row, scale, "lin", &["lin", "log", "log10"], findings);
        let estimated = match row[estimate].text.as_str() {
            "1" | "1.0" | "true" | "True" => true,
            "0" | "0.0" | "false" | "False" => false,
            other => {
                findings.push(
                    Diagnostic::error(
                        "petab::value",
                        format!("`estimate` is `{other}`, not 0 or 1"),
                        Some(row[estimate].span.clone()),
                    )
                    .with_help("write 1 to estimate the parameter, 0 to hold it"),
                );
                false
            }
        };
        let mut bound = |column: Option<usize>, absent: f64| match column
            .map(|k| &row[k])
            .filter(|cell| !cell.is_missing())
        {
            Some(cell) => number(cell, "bound", findings).unwrap_or(absent),
            None => absent,
        };
        let bounds = [bound(lower, f64::NEG_INFINITY), bound(upper, f64::INFINITY)];
        let given = nominal.map(|k| &row[k]).filter(|cell| !cell.is_missing());
        let value = match given {
            Some(cell) => number(cell, "nominal value", findings),
            None => middle(bounds, scale, estimated, &row[id], findings),
        };
        let prior = prior::read(table, row, bounds, estimated, findings);
        let Some(value) = value else { continue };
        let (mut bounds, mut scale) = (bounds, scale);
        if estimated {
            let cell = given.unwrap_or(&row[id]);
            fit_in(value, &mut bounds, &mut scale, cell, findings);
        }
        parameters.push(Parameter {
            id: row[id].clone(),
            name: name.map_or_else(String::new, |k| row[k].text.clone()),
            scale: match scale {
                "log" => Some("log"),
                "log10" => Some("log10"),
                _ => None,
            },
            bounds,
            value,
            estimated,
            prior,
        });
    }
}

/// A first guess where no nominal value is given.
fn middle(
    [low, high]: [f64; 2],
    scale: &str,
    estimated: bool,
    id: &Cell,
    findings: &mut Vec<Diagnostic>,
) -> Option<f64> {
    let value = if scale == "lin" {
        f64::midpoint(low, high)
    } else {
        (low * high).sqrt()
    };
    if !estimated || !value.is_finite() {
        findings.push(
            Diagnostic::error(
                "petab::missing",
                format!("`{}` has no nominal value", id.text),
                Some(id.span.clone()),
            )
            .with_help("a parameter that is not estimated, or not bounded, needs one"),
        );
        return None;
    }
    findings.push(
        Diagnostic::warning(
            "petab::missing",
            format!("`{}` has no nominal value", id.text),
            Some(id.span.clone()),
        )
        .with_help(format!("{value} is taken, the middle of its bounds")),
    );
    Some(value)
}

/// Makes bounds and scale such that a fit can start from the value; what is changed is told.
fn fit_in(
    value: f64,
    bounds: &mut [f64; 2],
    scale: &mut &'static str,
    cell: &Cell,
    findings: &mut Vec<Diagnostic>,
) {
    let mut warn = |message: String, help: String| {
        findings.push(
            Diagnostic::warning("petab::bounds", message, Some(cell.span.clone())).with_help(help),
        );
    };
    if *scale != "lin" && (value <= 0.0 || bounds[0] <= 0.0 && bounds[0].is_finite()) {
        let what = if value <= 0.0 {
            format!("the value {value}")
        } else {
            format!("the lower bound {}", bounds[0])
        };
        warn(
            format!("{what} has no logarithm, but the parameter is estimated on the scale {scale}"),
            "it is estimated on its own scale".to_owned(),
        );
        *scale = "lin";
    }
    let [low, high] = *bounds;
    if value < low || value > high {
        *bounds = [low.min(value), high.max(value)];
        warn(
            format!("{value} is outside of the bounds, {low} to {high}"),
            format!("the bounds are widened to {} to {}", bounds[0], bounds[1]),
        );
    }
    if bounds[0] >= bounds[1] {
        findings.push(
            Diagnostic::error(
                "petab::value",
                format!("the bounds {low} and {high} leave no room between them"),
                Some(cell.span.clone()),
            )
            .with_help("widen them, or do not estimate the parameter"),
        );
    }
}
