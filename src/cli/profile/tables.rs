//! The profiles in words and columns.

use costate::report::csv::Column;
use costate::report::table::{Cell, Table, significant};
use costate::study::{IntervalEnd, Profiles, Study, Verdict};

/// Eigen-directions that are told.
const MOST_DIRECTIONS: usize = 12;

/// Parameters that the data do not determine, and what of them they do.
pub struct Unidentifiable {
    /// the parameters
    pub names: Vec<String>,
    /// `structural` or `practical`
    pub kind: &'static str,
    /// combinations that are determined
    pub determined: Vec<String>,
}

/// All of them: groups that the Fisher information leaves open, then single parameters with open intervals.
pub fn unidentifiable(result: &Profiles) -> Vec<Unidentifiable> {
    let name = |&i: &usize| result.names[i].clone();
    let verdict = |i: usize| {
        let profile = result.profiles.iter().find(|p| p.parameter == i);
        profile.map(|p| p.verdict)
    };
    let groups = result.local.open.iter().map(|open| {
        let structural = open
            .parameters
            .iter()
            .any(|&i| verdict(i).is_none_or(|v| v == Verdict::StructurallyNot));
        Unidentifiable {
            names: open.parameters.iter().map(name).collect(),
            kind: if structural {
                "structural"
            } else {
                "practical"
            },
            determined: open.determined.clone(),
        }
    });
    let grouped = |i: usize| result.local.open.iter().any(|o| o.parameters.contains(&i));
    let single = result
        .profiles
        .iter()
        .filter(|p| p.verdict == Verdict::PracticallyNot && !grouped(p.parameter))
        .map(|p| Unidentifiable {
            names: vec![name(&p.parameter)],
            kind: "practical",
            determined: Vec::new(),
        });
    groups.chain(single).collect()
}

fn shown(value: f64) -> String {
    significant(value, 5)
}

fn end(end: &IntervalEnd) -> Cell {
    Cell::Text(match end {
        IntervalEnd::At(value) => return Cell::Number(*value),
        IntervalEnd::Bound(bound) => format!("open at {}", shown(*bound)),
        IntervalEnd::Beyond(last) => format!("open past {}", shown(*last)),
        IntervalEnd::Failed { last, .. } => format!("failed past {}", shown(*last)),
        IntervalEnd::Unknown => "not finished".to_owned(),
    })
}

/// What `profile` prints.
pub fn summary(
    study: &Study,
    result: &Profiles,
    seconds: f64,
    folder: &str,
    notes: &[String],
) -> String {
    let percent = significant(100.0 * result.level, 4);
    let local = &result.local;
    let mut table = Table::new([
        "parameter".to_owned(),
        "estimate".to_owned(),
        "std. error".to_owned(),
        "by Hessian".to_owned(),
        format!("{percent} % from"),
        "to".to_owned(),
        "Wald from".to_owned(),
        "to".to_owned(),
        "verdict".to_owned(),
    ]);
    for profile in &result.profiles {
        let i = profile.parameter;
        let error = local.standard_errors[i];
        let wald = |side: usize| {
            profile
                .wald
                .map_or(Cell::Number(f64::NAN), |w| Cell::Number(w[side]))
        };
        table.rows.push(vec![
            Cell::Text(result.names[i].clone()),
            Cell::Number(result.best[i]),
            Cell::Number(error.unwrap_or(f64::NAN)),
            Cell::Number(local.hessian_errors.as_ref().map_or(f64::NAN, |e| e[i])),
            end(&profile.low),
            end(&profile.high),
            wald(0),
            wald(1),
            Cell::Text(match local.at_bound[i] {
                true => format!("{}, at its bound", profile.verdict),
                false => profile.verdict.to_string(),
            }),
        ]);
    }
    let mut remarks = String::new();
    for group in unidentifiable(result) {
        if group.names.len() > 1 || group.kind == "structural" {
            let names = group.names.join("`, `");
            remarks += &match (group.names.len(), group.determined.is_empty()) {
                (1, _) => format!("`{names}` has no effect on any measurement\n"),
                (_, true) => {
                    format!("`{names}` can each change with no effect on any measurement\n")
                }
                (_, false) => format!(
                    "`{names}` can change together with no effect on any measurement; determined: {}\n",
                    group.determined.join(", ")
                ),
            };
        }
    }
    for profile in &result.profiles {
        for side in [&profile.low, &profile.high] {
            if let IntervalEnd::Failed { last, reason } = side {
                let name = &result.names[profile.parameter];
                remarks += &format!("`{name}` past {}: {reason}\n", shown(*last));
            }
        }
    }
    if let Some(first) = result.left.first() {
        remarks += &format!(
            "better optimum found on the way: the fit's objective was {first:.10}; all above is of the better one\n"
        );
    }
    let mut text = format!("{}\n\n{}", study.scenario.title, table.render());
    if !remarks.is_empty() {
        text += &format!("\n{remarks}");
    }
    text += &format!("\nobjective      {:.10}\n", result.objective);
    let why = match local.variance {
        Some(variance) => format!(
            "Student's t with the residual variance {}",
            significant(variance, 5)
        ),
        None => "chi-squared, one degree of freedom, halved".to_owned(),
    };
    text += &format!(
        "threshold      +{} ({why})\n",
        significant(result.threshold, 6)
    );
    let c = &local.criteria;
    text += &format!(
        "criteria       AIC {:.4}, AICc {:.4}, BIC {:.4} ({} parameters, {} measurements)\n",
        c.aic,
        c.aicc,
        c.bic,
        c.parameters,
        study.measurements()
    );
    if local.exact && local.hessian_errors.is_none() {
        text += "Hessian        not positive definite: no standard errors by it\n";
    }
    text += &format!(
        "solver         {} ({})\n",
        result.solving.stepper.name(),
        result.solving.choice
    );
    text += "\ndirections, from the best known (relative changes; std. dev. of the logarithm of the product)\n";
    let count = local.directions.len();
    for (k, direction) in local.directions.iter().enumerate() {
        if count > MOST_DIRECTIONS
            && (MOST_DIRECTIONS / 2..count - MOST_DIRECTIONS / 2).contains(&k)
        {
            if k == MOST_DIRECTIONS / 2 {
                text += &format!("  ... {} more in result.json\n", count - MOST_DIRECTIONS);
            }
            continue;
        }
        let deviation = if direction.eigenvalue > 0.0 {
            significant(direction.eigenvalue.sqrt().recip(), 3)
        } else {
            "inf".to_owned()
        };
        text += &format!("  {deviation:>9}  {}\n", direction.combination);
    }
    for note in notes {
        text += &format!("note: {note}\n");
    }
    text += &format!("\ntime           {seconds:.3} s\nresults        {folder}\n");
    text
}

/// Points of all profiles: the parameter, its value, the objective and its rise, and all parameters there.
pub fn profiles(result: &Profiles) -> Vec<Column> {
    let points = || {
        let each = result.profiles.iter();
        each.flat_map(|p| p.points.iter().map(move |q| (p.parameter, q)))
    };
    let mut columns = vec![
        Column::words(
            "profile_of",
            points()
                .map(|(i, _)| result.names[i].clone())
                .collect::<Vec<_>>(),
        ),
        Column::numbers("at", points().map(|(_, q)| q.value).collect::<Vec<_>>()),
        Column::numbers(
            "objective",
            points().map(|(_, q)| q.objective).collect::<Vec<_>>(),
        ),
        Column::numbers(
            "rise",
            points()
                .map(|(_, q)| q.objective - result.objective)
                .collect::<Vec<_>>(),
        ),
    ];
    columns.extend(result.names.iter().enumerate().map(|(j, name)| {
        let values: Vec<f64> = points().map(|(_, q)| q.parameters[j]).collect();
        Column::numbers(name.clone(), values)
    }));
    columns
}

/// The correlation matrix with the names of its rows.
pub fn correlation(result: &Profiles) -> Vec<Column> {
    let matrix = &result.local.correlation;
    let mut columns = vec![Column::words("parameter", result.names.clone())];
    columns.extend(result.names.iter().enumerate().map(|(j, name)| {
        let values: Vec<f64> = matrix.column(j).iter().copied().collect();
        Column::numbers(name.clone(), values)
    }));
    columns
}
