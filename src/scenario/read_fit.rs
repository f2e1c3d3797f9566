//! `[fit]`, with the starts that a file gives.

use super::data::Csv;
use super::types::{FitAlgorithm, FitSettings, GlobalMethod, Parameter, StartSampling};
use super::values::{Reader, Section, list, shorten};
use crate::diagnostic::{Diagnostic, nearest};

pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    parameters: &[Parameter],
) -> FitSettings {
    let mut settings = FitSettings::default();
    let Some(section) = top
        .get("fit")
        .and_then(|value| reader.section("fit", "fit", value))
    else {
        return settings;
    };
    settings.algorithm = match reader.choice(&section, "algorithm") {
        Some("levenberg-marquardt") => FitAlgorithm::LevenbergMarquardt,
        Some("l-bfgs") => FitAlgorithm::LBfgs,
        Some("newton-cg") => FitAlgorithm::NewtonCg,
        Some("adam") => FitAlgorithm::Adam,
        Some("gradient-descent") => FitAlgorithm::GradientDescent,
        Some("nelder-mead") => FitAlgorithm::NelderMead,
        Some("cma-es") => FitAlgorithm::CmaEs,
        _ => FitAlgorithm::Auto,
    };
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    if let Some(starts) = reader.whole(&section, "starts", 1) {
        settings.starts = whole(starts);
    }
    if let Some(seed) = reader.whole(&section, "seed", 0) {
        settings.seed = seed;
    }
    if let Some(iterations) = reader.whole(&section, "max_iterations", 1) {
        settings.max_iterations = whole(iterations);
    }
    if let Some(tolerance) = reader.positive(&section, "gradient_tolerance") {
        settings.gradient_tolerance = tolerance;
    }
    settings.multiple_shooting = reader.whole(&section, "multiple_shooting", 1).map(whole);
    settings.sampling = match reader.choice(&section, "sampling") {
        Some("sobol") => StartSampling::Sobol,
        Some("uniform") => StartSampling::Uniform,
        _ => StartSampling::LatinHypercube,
    };
    settings.candidates = reader.whole(&section, "candidates", 1).map(whole);
    if let Some(restarts) = reader.whole(&section, "restarts", 0) {
        settings.restarts = whole(restarts);
    }
    settings.geodesic_acceleration = reader
        .boolean(&section, "geodesic_acceleration")
        .unwrap_or(false);
    settings.global = match reader.choice(&section, "global") {
        Some("scatter-search") => Some(GlobalMethod::ScatterSearch),
        _ => None,
    };
    settings.max_evaluations = reader.whole(&section, "max_evaluations", 1).map(whole);
    settings.start_points = start_points(reader, &section, parameters).unwrap_or_default();
    conflicts(reader, &section, &settings);
    settings
}

/// Keys that say nothing beside the others.
fn conflicts(reader: &mut Reader<'_>, section: &Section<'_, '_>, settings: &FitSettings) {
    let least_squares = matches!(
        settings.algorithm,
        FitAlgorithm::Auto | FitAlgorithm::LevenbergMarquardt
    );
    let mut unused = |key: &str, used: bool, needs: &str| {
        let Some(value) = section.get(key).filter(|_| !used) else {
            return;
        };
        let diagnostic = reader.error(
            "scenario::fit",
            format!("`{key}` is of no use here"),
            value.span(),
        );
        diagnostic.label = format!("goes with {needs}");
        diagnostic.help = Some(format!("leave it out, or set {needs}"));
    };
    unused(
        "geodesic_acceleration",
        least_squares || !settings.geodesic_acceleration,
        "`algorithm = \"levenberg-marquardt\"`",
    );
    unused(
        "restarts",
        settings.algorithm == FitAlgorithm::CmaEs || settings.restarts == 0,
        "`algorithm = \"cma-es\"`",
    );
    unused(
        "max_evaluations",
        settings.global.is_some(),
        "`global = \"scatter-search\"`",
    );
}

/// The rows of a file with a column for each parameter that is not to start at its own value.
fn start_points(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    parameters: &[Parameter],
) -> Option<Vec<Vec<f64>>> {
    let place = section.get("start_points")?.span();
    let file = reader.text(section, "start_points")?;
    let source = reader.data_file(&file, place.clone())?;
    let csv = match Csv::new(source) {
        Ok(csv) => csv,
        Err(diagnostic) => {
            reader.report(*diagnostic);
            return None;
        }
    };
    let fitted: Vec<&Parameter> = parameters.iter().filter(|p| p.fit).collect();
    let mut columns = Vec::with_capacity(csv.header().len());
    let mut unknown = None;
    for (column, name) in csv.header().iter().enumerate() {
        match fitted.iter().position(|p| p.name.text == *name) {
            Some(parameter) => columns.push(parameter),
            None => unknown = unknown.or(Some((column, name))),
        }
    }
    if let Some((column, name)) = unknown {
        let names = || fitted.iter().map(|p| p.name.text.as_str());
        let known = parameters.iter().any(|p| p.name.text == *name);
        let help = match nearest(name, names()) {
            _ if known => format!("`{}` is not fitted: mark it `fit = true`", shorten(name)),
            Some(near) => format!("did you mean `{}`?", shorten(near)),
            None => format!("columns are parameters to fit: {}", list(names())),
        };
        let message = format!(
            "column `{}` of `{}` is no parameter to fit",
            shorten(name),
            csv.name()
        );
        let place = csv.heading(column);
        let diagnostic = Diagnostic::error("scenario::start-points", message, Some(place));
        reader.report(diagnostic.with_label("no such parameter").with_help(help));
        return None;
    }
    let all: Vec<usize> = (0..columns.len()).collect();
    let rows = csv.rows(&[], &all);
    let mut findings = rows.findings;
    let mut points = vec![fitted.iter().map(|p| p.value).collect::<Vec<f64>>(); rows.places.len()];
    for (column, (&parameter, values)) in columns.iter().zip(&rows.columns).enumerate() {
        let [lower, upper] = fitted[parameter].bounds;
        for ((point, &value), &row) in points.iter_mut().zip(values).zip(&rows.places) {
            if value.is_nan() {
                continue; // an empty cell: the parameter's own value
            }
            point[parameter] = value;
            if !(lower..=upper).contains(&value) && !findings.full() {
                findings.push(|| {
                    let span = csv.place(row, column);
                    let message = format!(
                        "{}: {value} is outside the bounds",
                        csv.words(&span, column)
                    );
                    Diagnostic::error("scenario::start-points", message, Some(span))
                        .with_label(format!("expected {lower} to {upper}"))
                        .with_help("a start is a point inside the bounds")
                });
            }
        }
    }
    let failed = !findings.is_empty();
    reader.diagnostics.extend(findings.finish(&csv));
    if !failed && points.is_empty() {
        let message = format!("`{}` has no rows", csv.name());
        let diagnostic = reader.error("scenario::start-points", message, place);
        diagnostic.help = Some("a row is a start, a column a parameter to fit".to_owned());
        return None;
    }
    (!failed).then_some(points)
}
