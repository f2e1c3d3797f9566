//! `[scenario]`, `[solver]` and `[gradient]`.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::read_tune;
use super::types::{
    AbsoluteTolerance, GradientMethod, GradientSettings, LinearSolver, Parameter, Preconditioner,
    SolverMethod, SolverSettings, State,
};
use super::values::{Reader, Section, did_you_mean, in_order, list, shorten};

/// What `[scenario]` says.
pub(super) struct Header {
    pub title: Option<String>,
    pub start: f64,
    pub end: f64,
    /// the end as a parameter, where it is to be found
    pub free_end: Option<Parameter>,
    pub unit: Option<String>,
}

pub(super) fn header(reader: &mut Reader<'_>, top: &Section<'_, '_>) -> Header {
    let mut header = Header {
        title: None,
        start: f64::NAN,
        end: f64::NAN,
        free_end: None,
        unit: None,
    };
    let Some(section) = top
        .get("scenario")
        .and_then(|value| reader.section("scenario", "scenario", value))
    else {
        return header;
    };
    header.title = reader.text(&section, "title");
    let Some(time) = section
        .get("time")
        .and_then(|value| reader.section("scenario.time", "time", value))
    else {
        return header;
    };
    for (key, place) in [("start", &mut header.start), ("end", &mut header.end)] {
        let Some(value) = time.get(key) else { continue };
        if value.get_ref().is_table() && key == "end" {
            let end = read_tune::free_end(reader, value);
            *place = end.value;
            header.free_end = end.tune.then_some(end);
        } else if let Some(number) = reader.finite(key, value) {
            *place = number;
        }
    }
    header.unit = reader.text(&time, "unit");
    header
}

pub(super) fn solver(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    states: &[State],
    count: usize,
) -> SolverSettings {
    let mut settings = SolverSettings::default();
    let Some(section) = top
        .get("solver")
        .and_then(|value| reader.section("solver", "solver", value))
    else {
        return settings;
    };
    if let Some(word) = reader.choice(&section, "method")
        && let Some(&method) = SolverMethod::ALL
            .iter()
            .find(|method| method.name() == word)
    {
        settings.method = method;
    }
    settings.step = reader.positive(&section, "step");
    if settings.method.needs_step()
        && section.get("step").is_none()
        && !section.mistyped("step")
        && let Some(value) = section.get("method")
    {
        let name = settings.method.name();
        let diagnostic = reader.error(
            "scenario::missing",
            format!("`{name}` has no error estimate to choose steps by, and `[solver]` no `step`"),
            value.span(),
        );
        diagnostic.label = "takes steps of a given size".to_owned();
        diagnostic.help =
            Some("add `step = ...`, the size of every step, to `[solver]`".to_owned());
    }
    if let Some(rtol) = reader.positive(&section, "rtol") {
        if rtol < 1.0 {
            settings.rtol = rtol;
        } else if let Some(value) = section.get("rtol") {
            let diagnostic = reader.error(
                "scenario::out-of-range",
                "`rtol` must be below 1",
                value.span(),
            );
            diagnostic.label = "no accuracy at all".to_owned();
            diagnostic.help = Some("a tolerance such as `1e-6`".to_owned());
        }
    }
    if let Some(value) = section.get("atol") {
        if let DeValue::Table(by_state) = value.get_ref() {
            let mut tolerances = BTreeMap::new();
            for (key, value) in in_order(by_state) {
                let name = key.get_ref().to_string();
                if !states.iter().any(|state| state.name.text == name) {
                    unknown_state(reader, states, &name, "`atol`", key.span());
                }
                if let Some(tolerance) = reader.positive_value("atol", value) {
                    tolerances.insert(name, tolerance);
                }
            }
            settings.atol = AbsoluteTolerance::ByState(tolerances);
        } else if matches!(value.get_ref(), DeValue::Integer(_) | DeValue::Float(_)) {
            if let Some(tolerance) = reader.positive_value("atol", value) {
                settings.atol = AbsoluteTolerance::Uniform(tolerance);
            }
        } else {
            reader.wrong_type("atol", "a number, or a table of numbers by state", value);
        }
    }
    settings.first_step = reader.positive(&section, "first_step");
    settings.max_step = reader.positive(&section, "max_step");
    if let Some(steps) = reader.whole(&section, "max_steps", 1) {
        settings.max_steps = usize::try_from(steps).unwrap_or(usize::MAX);
    }
    settings.linear_solver = linear_solver(reader, &section, settings.method, count);
    settings.stop_times = reader.expressions(&section, "stop_times");
    if let Some(limit) = reader.whole(&section, "event_limit", 1) {
        settings.event_limit = usize::try_from(limit).unwrap_or(usize::MAX);
    }
    settings
}

/// `linear_solver`, `preconditioner` and `block_size`.
fn linear_solver(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    method: SolverMethod,
    states: usize,
) -> LinearSolver {
    let word = reader.choice(section, "linear_solver");
    let preconditioner = reader.choice(section, "preconditioner");
    let size = reader
        .whole(section, "block_size", 1)
        .map(|size| usize::try_from(size).unwrap_or(usize::MAX));
    let mut refuse = |key: &str, what: String, label: &str, help: String| {
        if let Some(value) = section.get(key) {
            let diagnostic = reader.error("scenario::linear-solver", what, value.span());
            diagnostic.label = label.to_owned();
            diagnostic.help = Some(help);
        }
    };
    if word == Some("gmres") && !method.takes_gmres() {
        let able = SolverMethod::BY_GMRES.iter().map(|method| method.name());
        refuse(
            "linear_solver",
            format!("the method `{}` does not solve by `gmres`", method.name()),
            "not with this method",
            format!("`method`: one of {}", list(able)),
        );
    }
    // what a word that is none would have needed nobody knows
    let known = |key: &str, word: Option<&str>| word.is_some() || section.get(key).is_none();
    if word != Some("gmres") && known("linear_solver", word) {
        refuse(
            "preconditioner",
            "`preconditioner` is for `linear_solver = \"gmres\"` alone".to_owned(),
            "nothing to precondition",
            "remove it, or add `linear_solver = \"gmres\"`".to_owned(),
        );
    }
    let blocks = preconditioner == Some("block-jacobi");
    if !blocks && known("preconditioner", preconditioner) {
        refuse(
            "block_size",
            "`block_size` is for `preconditioner = \"block-jacobi\"` alone".to_owned(),
            "no blocks here",
            "remove it, or add `preconditioner = \"block-jacobi\"`".to_owned(),
        );
    } else if blocks && section.get("block_size").is_none() {
        refuse(
            "preconditioner",
            "`block-jacobi` needs the size of its blocks".to_owned(),
            "blocks of which size?",
            "add `block_size = ...`, such as the number of states at a point of a grid".to_owned(),
        );
    } else if blocks && size.is_some_and(|size| size > states) {
        refuse(
            "block_size",
            format!("a block of more states than the {states} there are"),
            "too large",
            format!("at most {states}"),
        );
    }
    match word {
        Some("dense") => LinearSolver::Dense,
        Some("banded") => LinearSolver::Banded,
        Some("sparse") => LinearSolver::Sparse,
        Some("gmres") => LinearSolver::Gmres(match (preconditioner, size) {
            (Some("none"), _) => Preconditioner::None,
            (Some("block-jacobi"), Some(size)) => Preconditioner::BlockJacobi { size },
            _ => Preconditioner::Ilu,
        }),
        _ => LinearSolver::Auto,
    }
}

/// Reports a state that does not exist.
pub(super) fn unknown_state(
    reader: &mut Reader<'_>,
    states: &[State],
    name: &str,
    place: &str,
    range: std::ops::Range<usize>,
) {
    let known = || states.iter().map(|state| state.name.text.as_str());
    let help = did_you_mean(name, known()).unwrap_or_else(|| format!("states: {}", list(known())));
    let diagnostic = reader.error(
        "scenario::unknown-name",
        format!("{place} names `{}`, which is no state", shorten(name)),
        range,
    );
    diagnostic.label = "no such state".to_owned();
    diagnostic.help = Some(help);
}

pub(super) fn gradient(reader: &mut Reader<'_>, top: &Section<'_, '_>) -> GradientSettings {
    let section = top
        .get("gradient")
        .and_then(|value| reader.section("gradient", "gradient", value));
    let method = match section.and_then(|section| reader.choice(&section, "method")) {
        Some("dual") => GradientMethod::Dual,
        Some("adjoint") => GradientMethod::Adjoint,
        Some("continuous-adjoint") => GradientMethod::ContinuousAdjoint,
        Some("finite-difference") => GradientMethod::FiniteDifference,
        _ => GradientMethod::Auto,
    };
    let control = section.and_then(|section| section.get("error_control"));
    let error_control = section.and_then(|section| reader.boolean(&section, "error_control"));
    if let (Some(true), Some(value), GradientMethod::Adjoint | GradientMethod::ContinuousAdjoint) =
        (error_control, control, method)
    {
        let diagnostic = reader.error(
            "scenario::contradiction",
            "steps cannot follow derivatives that an adjoint finds after them".to_owned(),
            value.span(),
        );
        diagnostic.label = "not with an adjoint as `method`".to_owned();
        diagnostic.help = Some("take `method = \"dual\"`, or leave `error_control` out".to_owned());
    }
    let memory = section.and_then(|section| memory(reader, &section));
    GradientSettings {
        method,
        memory,
        error_control: error_control.unwrap_or(false),
    }
}

/// An amount of memory such as "64 MiB", in bytes.
fn memory(reader: &mut Reader<'_>, section: &Section<'_, '_>) -> Option<usize> {
    const UNITS: [(&str, f64); 7] = [
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("kB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("B", 1.0),
    ];
    let value = section.get("memory")?;
    let text = reader.text(section, "memory")?;
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let bytes = unit.and_then(|(unit, size)| {
        let number: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        (number > 0.0 && number.is_finite()).then_some(number * size)
    });
    // less than a few steps of anything is a mistake
    if let Some(bytes) = bytes.filter(|bytes| *bytes >= 65_536.0) {
        return Some(bytes as usize);
    }
    let diagnostic = reader.error(
        "scenario::memory",
        format!("`{}` is no amount of memory", shorten(&text)),
        value.span(),
    );
    diagnostic.label = "expected a number and a unit, 64 KiB at least".to_owned();
    diagnostic.help = Some("such as \"64 MiB\", \"2 GB\" or \"500 kB\"".to_owned());
    None
}
