//! `gradient`: the objective and its gradient, by one method or all of them side by side.

use costate::scenario::GradientMethod;
use costate::study::{
    Certificate, Forecast, FunctionalStudy, Gradient, GradientOf, Hessian, HessianMethod, Meeting,
    Met, Solving, Study, StudyError, Variable, certify, gradient, hessian, meetings,
};
use serde_json::{Map, Value, json};

use super::arguments::{GradientArguments, GradientChoice};
use super::look::split;
use super::{Failure, load, print_json, print_text};

const ALL: [GradientMethod; 4] = [
    GradientMethod::Dual,
    GradientMethod::Adjoint,
    GradientMethod::ContinuousAdjoint,
    GradientMethod::FiniteDifference,
];

/// Runs the command.
pub fn run(arguments: &GradientArguments) -> Result<(), Failure> {
    let overrides = load::overrides(
        &arguments.common,
        Some(&arguments.solver),
        arguments.solver_method.as_deref(),
    )?;
    let (study, _) = load::study(&arguments.common, &overrides)?;
    let variables = match arguments.wrt.as_slice() {
        [] => Variable::default_set(&study.scenario),
        lists => lists
            .iter()
            .flat_map(|list| split(list))
            .map(|name| Variable::parse_all(&name, &study.scenario))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| Failure::Usage(Some(e.to_string())))?
            .concat(),
    };
    let solving = Solving::choose(&study).map_err(work)?;
    let functional = match &arguments.of {
        Some(text) => Some(FunctionalStudy::parse(&study, text).map_err(|findings| {
            super::diagnostics::print(&findings);
            Failure::Usage(None)
        })?),
        // what is tuned, where there are no data
        None => match &study.scenario.tune {
            Some(tune) if study.measurements() == 0 => {
                let of = FunctionalStudy::new(&study, &tune.minimize, None);
                Some(of.map_err(|findings| {
                    super::diagnostics::print(&findings);
                    Failure::Usage(None)
                })?)
            }
            _ => None,
        },
    };
    let of = functional
        .as_ref()
        .map_or(GradientOf::Data, GradientOf::Functional);
    let methods: &[GradientMethod] = match arguments.gradient_method {
        None => &[study.scenario.gradient.method],
        Some(GradientChoice::Auto) => &[GradientMethod::Auto],
        Some(GradientChoice::Dual) => &[GradientMethod::Dual],
        Some(GradientChoice::Adjoint) => &[GradientMethod::Adjoint],
        Some(GradientChoice::ContinuousAdjoint) => &[GradientMethod::ContinuousAdjoint],
        Some(GradientChoice::FiniteDifference) => &[GradientMethod::FiniteDifference],
        Some(GradientChoice::All) => &ALL,
    };
    let p = study.values();
    let mut results: Vec<Gradient> = Vec::new();
    for &method in methods {
        match gradient(&study, &solving, of, method, &p, &variables) {
            Ok(result) => results.push(result),
            // of all methods, those that there are
            Err(StudyError::Unsupported(why)) if methods.len() > 1 => {
                super::tell(&format!("note: {why}"));
            }
            // frozen steps may not survive a change of the parameters, where the others do
            Err(error) if method == GradientMethod::FiniteDifference && !results.is_empty() => {
                super::tell(&format!("note: finite differences: {error}"));
            }
            Err(error) => return Err(work(error)),
        }
    }
    let met = meetings(&study, &solving, of, &p).map_err(work)?;
    if !arguments.common.quiet {
        let findings: Vec<_> = met.iter().map(Met::finding).collect();
        super::diagnostics::print(&findings);
    }
    let second = match arguments.hessian {
        true => Some(hessian(&study, &solving, of, &p, &variables).map_err(work)?),
        false => None,
    };
    let certificate = match arguments.certify {
        true => Some(certify(&study, &solving, of, &p, &variables, arguments.seed).map_err(work)?),
        false => None,
    };
    if arguments.common.json {
        let mut document = document(&study, &solving, &variables, &results);
        if let Some(second) = &second {
            let rows = second.matrix.chunks(variables.len().max(1));
            document["hessian"] = rows.map(|row| json!(row)).collect();
            document["hessian_method"] = json!(second.method.name());
            document["certificate"]["asymmetry"] = json!(second.asymmetry());
        }
        document["met"] = met.iter().map(meeting).collect();
        if let Some(certificate) = &certificate {
            add_certificate(&mut document["certificate"], certificate);
        }
        print_json(&document)?;
    } else {
        let mut text = table(&study, &solving, &variables, &results);
        if let Some(second) = &second {
            text += &matrix(&study, &variables, second);
        }
        if let Some(certificate) = &certificate {
            text += &checks(certificate);
        }
        print_text(&text)?;
    }
    match certificate {
        Some(certificate) if !certificate.objections().is_empty() => Err(Failure::Check),
        _ => Ok(()),
    }
}

/// A kink, a jump or a singular point that a run meets.
fn meeting(met: &Met) -> Value {
    let (line, column) = met
        .operation
        .span
        .file
        .line_column(met.operation.span.start);
    json!({
        "operation": met.operation.operation,
        "meeting": match met.meeting {
            Meeting::Kink => "kink",
            Meeting::Singular => "singular",
            Meeting::Jump => "jump",
        },
        "t": met.t,
        "count": met.count,
        "experiment": met.experiment,
        "line": line,
        "column": column,
        "message": met.message(),
    })
}

fn add_certificate(to: &mut Value, certificate: &Certificate) {
    let entry = |found: &Result<f64, String>| match found {
        Ok(value) => json!(value),
        Err(why) => json!(why),
    };
    to["forward-backward"] = entry(&certificate.forward_backward);
    to["frozen-differences"] = entry(&certificate.differences);
    to["tolerance"] = entry(&certificate.tolerance);
    if let Some(continuous) = &certificate.continuous {
        to["continuous"] = entry(continuous);
    }
    to["growth"] = entry(&certificate.growth);
    to["holds"] = json!(certificate.objections().is_empty());
    to["objections"] = json!(certificate.objections());
}

/// The certificate, a line a check.
fn checks(certificate: &Certificate) -> String {
    let digits = |found: &Result<f64, String>| match found {
        Ok(0.0) => "all digits agree".into(),
        Ok(value) if *value < 1.0 => format!("{:.1} digits agree", -value.log10()),
        Ok(value) => format!("no digit agrees ({value:.1e})"),
        Err(why) => why.clone(),
    };
    let growth = match &certificate.growth {
        Ok(value) => format!("a small change of the start becomes {value:.2e} times as large"),
        Err(why) => why.clone(),
    };
    let continuous = match &certificate.continuous {
        Some(found) => format!(
            "  the solution between the steps, by the continuous adjoint: {}\n",
            digits(found)
        ),
        None => String::new(),
    };
    let mut text = format!(
        "\ncertificate\n  forward and backward through the same steps: {}\n  differences of the same steps: {}\n  \
         tighter steps that follow the derivatives, too: {}\n{continuous}  {growth}\n",
        digits(&certificate.forward_backward),
        digits(&certificate.differences),
        digits(&certificate.tolerance),
    );
    match certificate.objections().as_slice() {
        [] => text += "the gradient holds\n",
        objections => {
            for objection in objections {
                text += &format!("the gradient does not hold: {objection}\n");
            }
        }
    }
    text
}

/// The second derivatives, a row a variable.
fn matrix(study: &Study, variables: &[Variable], second: &Hessian) -> String {
    let names: Vec<String> = variables.iter().map(|v| v.name(&study.scenario)).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0).max(13);
    let how = match second.method {
        HessianMethod::DualOverDual => "by dual numbers over dual numbers",
        HessianMethod::DualOverAdjoint => "by dual numbers through the adjoint",
    };
    let mut text = format!("\nsecond derivatives {how}\n{:width$}", "");
    for name in &names {
        text += &format!("  {name:>22}");
    }
    text.push('\n');
    for (name, row) in names.iter().zip(second.matrix.chunks(names.len().max(1))) {
        text += &format!("{name:width$}");
        for entry in row {
            text += &format!("  {entry:>22.14e}");
        }
        text.push('\n');
    }
    let asymmetry = second.asymmetry();
    text + &format!("{:width$}  {asymmetry:>22.1e}\n", "asymmetry")
}

fn work(error: StudyError) -> Failure {
    match error {
        StudyError::UnknownName { .. } | StudyError::NoData | StudyError::Unsupported(_) => {
            Failure::Usage(Some(error.to_string()))
        }
        other => Failure::Work(other.to_string()),
    }
}

fn method_name(method: GradientMethod) -> &'static str {
    match method {
        GradientMethod::Auto => "auto",
        GradientMethod::Dual => "dual",
        GradientMethod::Adjoint => "adjoint",
        GradientMethod::ContinuousAdjoint => "continuous-adjoint",
        GradientMethod::FiniteDifference => "finite-difference",
    }
}

/// Largest difference of two gradients, relative to the first one's largest entry.
fn difference(reference: &Gradient, other: &Gradient) -> f64 {
    let largest = reference
        .gradient
        .iter()
        .fold(0.0_f64, |a, g| a.max(g.abs()));
    let difference = reference
        .gradient
        .iter()
        .zip(&other.gradient)
        .fold(0.0_f64, |a, (x, y)| a.max((x - y).abs()));
    if difference == 0.0 {
        0.0
    } else {
        difference / largest
    }
}

fn document(
    study: &Study,
    solving: &Solving,
    variables: &[Variable],
    results: &[Gradient],
) -> Value {
    let by_name = |g: &Gradient| -> Map<String, Value> {
        variables
            .iter()
            .zip(&g.gradient)
            .map(|(v, g)| (v.name(&study.scenario), json!(g)))
            .collect()
    };
    let Some(first) = results.first() else {
        return Value::Null;
    };
    let mut document = json!({
        "objective": first.value,
        "gradient": by_name(first),
        "method": method_name(first.method),
        "seconds": first.seconds,
        "solver": solving.stepper.name(),
        "certificate": {},
    });
    if let Some(forecast) = &first.forecast {
        document["forecast"] = json!({
            "dual": forecast.dual,
            "adjoint": forecast.adjoint,
            "took_solves": first.seconds / forecast.solve_seconds,
        });
    }
    if results.len() > 1 {
        // What the methods' agreement certifies: the largest difference of each from the first.
        for g in &results[1..] {
            document["certificate"][method_name(g.method)] = json!(difference(first, g));
        }
        document["methods"] = results
            .iter()
            .map(|g| {
                json!({
                    "method": method_name(g.method),
                    "objective": g.value,
                    "gradient": by_name(g),
                    "seconds": g.seconds,
                    "difference": difference(first, g),
                })
            })
            .collect();
    }
    document
}

fn table(study: &Study, solving: &Solving, variables: &[Variable], results: &[Gradient]) -> String {
    let Some(first) = results.first() else {
        return String::new();
    };
    let names: Vec<String> = variables.iter().map(|v| v.name(&study.scenario)).collect();
    let width = names
        .iter()
        .map(String::len)
        .max()
        .unwrap_or(0)
        .max("objective".len());
    let mut text = format!(
        "{}: {} ({})\n\n{:width$}",
        study.scenario.title,
        solving.stepper.name(),
        solving.choice,
        ""
    );
    for g in results {
        text += &format!("  {:>22}", method_name(g.method));
    }
    text += &format!("\n{:width$}", "objective");
    for g in results {
        text += &format!("  {:>22.14e}", g.value);
    }
    text.push('\n');
    for (k, name) in names.iter().enumerate() {
        text += &format!("{name:width$}");
        for g in results {
            text += &format!("  {:>22.14e}", g.gradient[k]);
        }
        text.push('\n');
    }
    if results.len() > 1 {
        text += &format!("\n{:width$}", "differs");
        for g in results {
            text += &format!("  {:>22.1e}", difference(first, g));
        }
    }
    text += &format!("\n{:width$}", "time");
    for g in results {
        text += &format!("  {:>19.1} us", g.seconds * 1e6);
    }
    text.push('\n');
    if let Some(forecast) = &first.forecast {
        text += &chosen(first, forecast);
    }
    text
}

/// Why `auto` took its method, and whether it was right.
fn chosen(gradient: &Gradient, forecast: &Forecast) -> String {
    let adjoint = match forecast.adjoint {
        Some(cost) => format!("the adjoint {cost:.1}"),
        None => "this solve has no adjoint".into(),
    };
    format!(
        "chosen by estimated cost: dual numbers {:.1}, {adjoint}; it took {:.1} plain solves\n",
        forecast.dual,
        gradient.seconds / forecast.solve_seconds
    )
}
