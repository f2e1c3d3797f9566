//! `check`: what the scenario is, what is doubtful about it, and whether it reproduces its [[expect]] values.

use costate::diagnostic::{Diagnostic, Severity};
use costate::study::{ExpectationResult, Solving, Study, check_expectations};
use serde_json::{Value, json};

use super::arguments::Common;
use super::memory::Jacobian;
use super::{Failure, load, memory, print_json, print_text};

/// Runs the command.
pub fn run(common: &Common) -> Result<(), Failure> {
    let overrides = load::overrides(common, None, None)?;
    let (study, mut findings) = load::study(common, &overrides)?;
    let solving = Solving::choose(&study);
    let mut more = study.nonsmooth_findings(solving.as_ref().ok());
    more.extend(study.tune_findings());
    if let Ok(solving) = &solving {
        more.extend(study.identifiability_findings(solving));
    }
    if !common.quiet {
        super::diagnostics::print(&more);
    }
    findings.extend(more);
    let expectations = load::shared(&study, || check_expectations(&study));
    let failed = expectations.iter().filter(|e| !e.holds()).count();
    if common.json {
        print_json(&document(
            &study,
            solving.as_ref().ok(),
            &findings,
            &expectations,
        ))?;
    } else {
        print_text(&report(&study, solving.as_ref().ok(), &expectations))?;
    }
    if failed > 0 || findings.iter().any(|d| d.severity == Severity::Error) {
        Err(Failure::Check)
    } else {
        Ok(())
    }
}

fn report(study: &Study, solving: Option<&Solving>, expectations: &[ExpectationResult]) -> String {
    let scenario = &study.scenario;
    let n = study.equations.states();
    let jacobian = Jacobian::of(study);
    let entries = jacobian.map_or(0, |jacobian| jacobian.entries());
    let at_most = match jacobian {
        Some(Jacobian::Values(_)) => "at most ",
        _ => "",
    };
    let fitted = scenario.parameters.iter().filter(|p| p.fit).count();
    let mut text = format!("{}\n\n", scenario.title);
    text += &format!("states        {n}\n");
    text += &format!(
        "parameters    {} ({fitted} to fit)\n",
        scenario.parameters.len()
    );
    text += &format!(
        "Jacobian      {at_most}{entries} of {} entries\n",
        n as u128 * n as u128
    );
    text += &memory::report(study, solving);
    text += &format!("experiments   {}\n", scenario.experiments.len());
    text += &format!("measurements  {}\n", study.measurements());
    if let Some(solving) = solving {
        text += &format!(
            "solver        {} ({})\n",
            solving.stepper.name(),
            solving.choice
        );
    }
    if !expectations.is_empty() {
        text += "\nexpectations\n";
        for e in expectations {
            let mark = if e.holds() { "ok  " } else { "FAIL" };
            text += &format!("  {mark}  {} = {}", e.text, e.outcome_text());
            text.push('\n');
        }
    }
    text
}

fn document(
    study: &Study,
    solving: Option<&Solving>,
    findings: &[Diagnostic],
    expectations: &[ExpectationResult],
) -> Value {
    let scenario = &study.scenario;
    let findings: Vec<Value> = findings
        .iter()
        .map(|d| {
            let place = d.span.as_ref().map(|s| s.file.line_column(s.start));
            json!({
                "severity": if d.severity == Severity::Error { "error" } else { "warning" },
                "code": d.code,
                "message": d.message,
                "help": d.help,
                "line": place.map(|p| p.0),
                "column": place.map(|p| p.1),
            })
        })
        .collect();
    let expectations: Vec<Value> = expectations
        .iter()
        .map(|e| json!({ "expression": e.text, "expected": e.expected, "value": e.value.as_ref().ok(), "holds": e.holds() }))
        .collect();
    json!({
        "title": scenario.title,
        "states": study.equations.model().states.iter().collect::<Vec<_>>(),
        "parameters": scenario.parameters.iter().map(|p| json!({ "name": p.name.text, "value": p.value, "fit": p.fit })).collect::<Vec<_>>(),
        "experiments": scenario.experiments.len(),
        "measurements": study.measurements(),
        "jacobian_entries": Jacobian::of(study).map_or(0, |jacobian| jacobian.entries()),
        "solver": solving.map(|s| json!({ "method": s.stepper.name(), "why": s.choice.to_string() })),
        "findings": findings,
        "expectations": expectations,
    })
}
