//! `[[expect]]`: values the scenario must reproduce.

use super::types::{Expectation, ExpectedTolerance, Experiment};
use super::values::{Reader, Section, did_you_mean, list, shorten};

/// Tolerance where the file gives none.
const DEFAULT_RELATIVE: f64 = 1e-6;

pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    experiments: &[Experiment],
) -> Vec<Expectation> {
    let sections = reader.list(top, "expect");
    sections
        .iter()
        .filter_map(|section| expectation(reader, section, experiments))
        .collect()
}

fn expectation(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    experiments: &[Experiment],
) -> Option<Expectation> {
    let expression = reader.expression_of(section, "expression");
    let value = reader.number(section, "value");
    let relative = reader.positive(section, "relative");
    let absolute = reader.positive(section, "absolute");
    if section.get("relative").is_some()
        && let Some(second) = section.get("absolute")
    {
        let diagnostic = reader.error(
            "scenario::expect",
            "an expectation has either `relative` or `absolute`, not both",
            second.span(),
        );
        diagnostic.label = "a second tolerance".to_owned();
        diagnostic.help = Some("keep one of the two".to_owned());
    }
    if value == Some(0.0) && absolute.is_none() {
        let span = section.get("value")?.span();
        let diagnostic = reader.error(
            "scenario::expect",
            "zero cannot be expected within a relative error",
            span,
        );
        diagnostic.label = "zero".to_owned();
        diagnostic.help = Some("give `absolute = ...` instead of `relative`".to_owned());
    }
    let experiment = reader.text(section, "experiment");
    if let Some(name) = &experiment
        && !experiments
            .iter()
            .any(|experiment| experiment.name == *name)
        && let Some(value) = section.get("experiment")
    {
        let known = || {
            experiments
                .iter()
                .map(|e| e.name.as_str())
                .filter(|name| !name.is_empty())
        };
        let help = did_you_mean(name, known()).unwrap_or_else(|| {
            if known().next().is_none() {
                "the scenario has no `[[experiments]]`: leave `experiment` out".to_owned()
            } else {
                format!("experiments: {}", list(known()))
            }
        });
        let diagnostic = reader.error(
            "scenario::unknown-name",
            format!("there is no experiment `{}`", shorten(name)),
            value.span(),
        );
        diagnostic.label = "no such experiment".to_owned();
        diagnostic.help = Some(help);
    }
    let tolerance = match (absolute, relative) {
        (Some(absolute), _) => ExpectedTolerance::Absolute(absolute),
        (None, Some(relative)) => ExpectedTolerance::Relative(relative),
        (None, None) => ExpectedTolerance::Relative(DEFAULT_RELATIVE),
    };
    Some(Expectation {
        expression: expression?,
        value: value?,
        tolerance,
        experiment,
    })
}
