//! Priors of a parameter table.

use super::table::{Cell, Table};
use crate::diagnostic::{Diagnostic, nearest};
use crate::import::system::Prior;

/// PEtab's names, those of scenarios, and whether the density is of the value on its scale.
const PRIORS: &[(&str, &str, bool)] = &[
    ("uniform", "uniform", false),
    ("normal", "normal", false),
    ("laplace", "laplace", false),
    ("logNormal", "log-normal", false),
    ("logLaplace", "log-laplace", false),
    ("parameterScaleUniform", "uniform", true),
    ("parameterScaleNormal", "normal", true),
    ("parameterScaleLaplace", "laplace", true),
];

/// The prior of a row; `None` for none, and for a uniform one that the bounds lie in.
pub fn read(
    table: &Table,
    row: &[Cell],
    bounds: [f64; 2],
    estimated: bool,
    findings: &mut Vec<Diagnostic>,
) -> Option<Prior> {
    let cell = |name: &str| table.column(name).map(|k| &row[k]);
    let kind = cell("objectivePriorType").filter(|cell| !cell.is_missing())?;
    let Some(&(_, distribution, scaled)) = PRIORS.iter().find(|(name, ..)| *name == kind.text)
    else {
        let names = PRIORS.iter().map(|(name, ..)| *name);
        findings.push(
            Diagnostic::error(
                "petab::value",
                format!("there is no prior `{}`", kind.text),
                Some(kind.span.clone()),
            )
            .with_help(match nearest(&kind.text, names.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write one of {}", names.collect::<Vec<_>>().join(", ")),
            }),
        );
        return None;
    };
    let given = cell("objectivePriorParameters").filter(|cell| !cell.is_missing());
    let numbers: Option<[f64; 2]> = match given {
        None if distribution == "uniform" => return None,
        None => None,
        Some(cell) => {
            let parts: Vec<Option<f64>> = cell
                .text
                .split(';')
                .map(|part| part.trim().parse::<f64>().ok())
                .collect();
            match parts[..] {
                [Some(a), Some(b)] if a.is_finite() && b.is_finite() => Some([a, b]),
                _ => None,
            }
        }
    };
    let right = |[a, b]: &[f64; 2]| match distribution {
        "uniform" => a < b,
        _ => *b > 0.0,
    };
    let Some(numbers) = numbers.filter(right) else {
        findings.push(
            Diagnostic::error(
                "petab::value",
                format!("the prior `{}` needs two numbers that fit it", kind.text),
                Some(given.unwrap_or(kind).span.clone()),
            )
            .with_help(match distribution {
                "uniform" => "write `low;high`",
                _ => "write `location;scale`, the scale above zero",
            }),
        );
        return None;
    };
    if !estimated {
        findings.push(
            Diagnostic::warning(
                "petab::ignored",
                "the prior of a parameter that is not estimated is not read",
                Some(kind.span.clone()),
            )
            .with_help("it adds a constant to the objective"),
        );
        return None;
    }
    // where it is as wide as the bounds, or wider, it says what they say, but for a constant
    if distribution == "uniform" {
        let scale = |v: f64| match (scaled, cell("parameterScale").map(|c| c.text.as_str())) {
            (true, Some("log")) => v.ln(),
            (true, Some("log10")) => v.log10(),
            _ => v,
        };
        let [low, high] = bounds.map(scale);
        let slack = 1e-12 * (high - low);
        if numbers[0] <= low + slack && numbers[1] >= high - slack {
            return None;
        }
    }
    Some(Prior {
        distribution,
        numbers,
        scaled,
    })
}
