//! `[[expect]]`: does the scenario reproduce its own reference values?

use super::functional::FunctionalStudy;
use super::kinks::{Meeting, Met, met_by};
use super::{Solving, Study};
use crate::diagnostic::Diagnostic;
use crate::model::NonSmooth;
use crate::model::functions::Smoothness;
use crate::scenario::ExpectedTolerance;

/// One expectation, evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectationResult {
    /// the functional as written
    pub text: String,
    /// its expected value
    pub expected: f64,
    /// allowed absolute error
    pub allowed: f64,
    /// its value, or why it has none
    pub value: Result<f64, String>,
}

impl ExpectationResult {
    /// Whether the value is as expected; one that has none, or is NaN, is not.
    pub fn holds(&self) -> bool {
        self.value
            .as_ref()
            .is_ok_and(|v| (v - self.expected).abs() <= self.allowed)
    }

    /// The value beside what was expected, in words.
    pub fn outcome_text(&self) -> String {
        match &self.value {
            Ok(v) => format!(
                "{v} (expected {} within {:.1e}; off by {:.1e})",
                self.expected,
                self.allowed,
                (v - self.expected).abs()
            ),
            Err(reason) => format!("no value: {reason}"),
        }
    }
}

/// Evaluates every expectation of the scenario at the file's values.
pub fn check_expectations(study: &Study) -> Vec<ExpectationResult> {
    let solving = Solving::choose(study);
    let evaluate = |expectation: &crate::scenario::Expectation| -> Result<f64, String> {
        let solving = solving.as_ref().map_err(ToString::to_string)?;
        let functional = FunctionalStudy::new(
            study,
            &expectation.expression,
            expectation.experiment.as_deref(),
        )
        .map_err(|findings| {
            findings
                .first()
                .map_or_else(String::new, |d| d.message.clone())
        })?;
        functional
            .value(study, solving, &study.values())
            .map_err(|e| e.to_string())
    };
    study
        .scenario
        .expectations
        .iter()
        .map(|expectation| ExpectationResult {
            text: expectation
                .expression
                .span
                .text()
                .trim_matches(['"', '\''])
                .to_owned(),
            expected: expectation.value,
            allowed: match expectation.tolerance {
                ExpectedTolerance::Relative(r) => r * expectation.value.abs(),
                ExpectedTolerance::Absolute(a) => a,
            },
            value: evaluate(expectation),
        })
        .collect()
}

impl Study {
    /// A warning for each operation with a kink or a jump: where the runs of the experiments meet it, at the file's values, if
    /// they do. And where a root or a logarithm comes to its singular point.
    pub fn nonsmooth_findings(&self, solving: Option<&Solving>) -> Vec<Diagnostic> {
        let met: Vec<Met> = solving.map_or_else(Vec::new, |solving| {
            let (p, end) = (self.values(), self.scenario.end);
            let experiments = 0..self.scenario.experiments.len();
            let met = experiments.map(|k| met_by(self, solving, &p, k, end));
            met.filter_map(Result::ok).flatten().collect()
        });
        let mut findings = Vec::new();
        for operation in &self.equations.model().nonsmooth {
            let mut here = met.iter().filter(|met| met.operation == *operation);
            match here.next() {
                None => findings.push(unmet(operation)),
                Some(first) => {
                    findings.extend(std::iter::once(first).chain(here).map(Met::finding));
                }
            }
        }
        let singular = met.iter().filter(|met| met.meeting == Meeting::Singular);
        findings.extend(singular.map(Met::finding));
        findings
    }
}

/// What is true of an operation wherever it is met.
fn unmet(operation: &NonSmooth) -> Diagnostic {
    let what = match operation.smoothness {
        Smoothness::Kink => "has a kink: its derivative there is one-sided",
        _ => "jumps: its derivative does not see the jump",
    };
    let message = format!("`{}` {what}", operation.operation);
    let span = Some(operation.span.clone());
    let finding = Diagnostic::warning("model::non-smooth", message, span);
    match operation.smooth_form {
        Some(form) => finding.with_help(format!("the smooth form is `{form}`")),
        None => finding,
    }
}
