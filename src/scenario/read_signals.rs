//! `[signals]`: functions of time of the kinds step, ramp, sine, pulse, expression and table, and controls, whose values at
//! knots are parameters.

use super::data::Csv;
use super::read_parameters::bounds_of;
use super::reader::Names;
use super::schema;
use super::source::Role;
use super::types::{Interpolation, KnotShape, Name, Parameter, Signal, SignalKind};
use super::values::{Reader, Section, Value, shorten};
use crate::model::{Expression, ExpressionKind};

pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Section<'_, '_>,
    names: &mut Names,
    parameters: &mut Vec<Parameter>,
) -> Vec<Signal> {
    reader
        .named(top, "signals", "a signal", names)
        .into_iter()
        .map(|(name, value)| signal(reader, name, value, parameters))
        .collect()
}

fn signal(
    reader: &mut Reader<'_>,
    name: Name,
    value: &Value<'_>,
    parameters: &mut Vec<Parameter>,
) -> Signal {
    let mut signal = Signal {
        kind: SignalKind::Expression(Expression {
            kind: ExpressionKind::Number(f64::NAN),
            span: name.span.clone(),
        }),
        name,
        unit: None,
    };
    if !value.get_ref().is_table() {
        signal.kind = SignalKind::Expression(reader.expression(&signal.name.text, value));
        return signal;
    }
    let Some(section) = reader.section_unchecked("signals.*", &signal.name.text, value) else {
        return signal;
    };
    if section.get("kind").is_none() {
        reader.missing(&section, "kind");
        return signal;
    }
    let Some(word) = reader.choice(&section, "kind") else {
        return signal;
    };
    let Some(of_kind) = schema::table(&format!("signals.*:{word}")) else {
        return signal;
    };
    reader.check_keys(&section, &[of_kind]);
    signal.unit = reader.text(&section, "unit");
    let section = Section {
        schema: of_kind,
        ..section
    };
    let kind = match word {
        "step" => step(reader, &section),
        "ramp" => ramp(reader, &section),
        "sine" => sine(reader, &section),
        "pulse" => pulse(reader, &section),
        "table" => table(reader, &section, &signal.name.text),
        "piecewise-constant" => knots(reader, &section, &signal, KnotShape::Constant, parameters),
        "piecewise-linear" => knots(reader, &section, &signal, KnotShape::Linear, parameters),
        "cubic-spline" => knots(reader, &section, &signal, KnotShape::Cubic, parameters),
        _ => reader
            .expression_of(&section, "expression")
            .map(SignalKind::Expression),
    };
    if let Some(kind) = kind {
        signal.kind = kind;
    }
    signal
}

/// The expression of a key, or a number where it is absent.
fn or(reader: &mut Reader<'_>, section: &Section<'_, '_>, key: &str, default: f64) -> Expression {
    reader
        .expression_of(section, key)
        .unwrap_or_else(|| Expression {
            kind: ExpressionKind::Number(default),
            span: reader.sources.span(section.range()),
        })
}

fn step(reader: &mut Reader<'_>, section: &Section<'_, '_>) -> Option<SignalKind> {
    let before = or(reader, section, "before", 0.0);
    let after = or(reader, section, "after", 1.0);
    let at = reader.expression_of(section, "at")?;
    Some(SignalKind::Step { at, before, after })
}

fn ramp(reader: &mut Reader<'_>, section: &Section<'_, '_>) -> Option<SignalKind> {
    let from = or(reader, section, "from", 0.0);
    let to = or(reader, section, "to", 1.0);
    let start = reader.expression_of(section, "start");
    let end = reader.expression_of(section, "end");
    let (start, end) = start.zip(end)?;
    if let (ExpressionKind::Number(first), ExpressionKind::Number(last)) = (&start.kind, &end.kind)
        && last <= first
    {
        let diagnostic = reader.error(
            "scenario::time-span",
            format!("the ramp's end, {last}, is not after its start, {first}"),
            section.get("end")?.span(),
        );
        diagnostic.label = "not after the start".to_owned();
        diagnostic.help = Some("for a jump, use `kind = \"step\"`".to_owned());
    }
    Some(SignalKind::Ramp {
        start,
        end,
        from,
        to,
    })
}

fn sine(reader: &mut Reader<'_>, section: &Section<'_, '_>) -> Option<SignalKind> {
    let amplitude = or(reader, section, "amplitude", 1.0);
    let phase = or(reader, section, "phase", 0.0);
    let offset = or(reader, section, "offset", 0.0);
    let frequency = reader.expression_of(section, "frequency")?;
    Some(SignalKind::Sine {
        amplitude,
        frequency,
        phase,
        offset,
    })
}

fn pulse(reader: &mut Reader<'_>, section: &Section<'_, '_>) -> Option<SignalKind> {
    let low = or(reader, section, "low", 0.0);
    let high = or(reader, section, "high", 1.0);
    for key in ["width", "period"] {
        if let Some(Expression {
            kind: ExpressionKind::Number(number),
            ..
        }) = reader.expression_of(section, key)
            && number <= 0.0
            && let Some(value) = section.get(key)
        {
            reader.positive_value(key, value);
        }
    }
    let mark = reader.diagnostics.len();
    let width = reader.expression_of(section, "width");
    let period = reader.expression_of(section, "period");
    // they were read above: what is wrong with them is known
    reader.diagnostics.truncate(mark);
    let start = reader.expression_of(section, "start");
    if let (Some(width), Some(period)) = (&width, &period)
        && let (ExpressionKind::Number(wide), ExpressionKind::Number(long)) =
            (&width.kind, &period.kind)
        && *long > 0.0
        && wide > long
    {
        let diagnostic = reader.error(
            "scenario::out-of-range",
            format!("the pulse's width, {wide}, is more than its period, {long}"),
            section.get("width")?.span(),
        );
        diagnostic.label = "longer than the period".to_owned();
        diagnostic.help = Some("write a `width` no longer than `period`".to_owned());
    }
    let (start, width) = start.zip(width)?;
    Some(SignalKind::Pulse {
        start,
        width,
        period,
        low,
        high,
    })
}

fn table(reader: &mut Reader<'_>, section: &Section<'_, '_>, name: &str) -> Option<SignalKind> {
    let interpolation = match reader.choice(section, "interpolation") {
        Some("hold") => Interpolation::Hold,
        Some("cubic") => Interpolation::Cubic,
        Some("pchip") => Interpolation::Pchip,
        _ => Interpolation::Linear,
    };
    let column = reader.text(section, "column");
    let time = reader.text(section, "time");
    let place = section.get("file")?.span();
    let file = reader.text(section, "file")?;
    let source = reader.data_file(&file, place.clone())?;
    let csv = Csv::new(source)
        .map_err(|d| reader.report(*d).span.is_some())
        .ok()?;
    let span_of = |reader: &Reader<'_>, key: &str| {
        reader.sources.span(
            section
                .get(key)
                .map_or_else(|| place.clone(), |value| value.span()),
        )
    };
    let find = |reader: &mut Reader<'_>, name: &str, key: &str| {
        let span = span_of(reader, key);
        csv.column(name, &span)
            .map_err(|diagnostic| reader.report(*diagnostic).span.is_some())
            .ok()
    };
    let time = match time {
        Some(time) => find(reader, &time, "time"),
        None => Some(0),
    };
    let value = find(reader, column.as_deref().unwrap_or(name), "column");
    let (time, value) = time.zip(value)?;
    let rows = csv.rows(&[], &[time, value]);
    let mut findings = rows.findings;
    let [times, values]: [Vec<f64>; 2] = rows.columns.try_into().ok()?;
    for (row, (pair, &place)) in times.iter().zip(&values).zip(&rows.places).enumerate() {
        if findings.full() {
            break;
        }
        let (&at, &y) = pair;
        if at.is_nan() || y.is_nan() {
            let column = if at.is_nan() { time } else { value };
            findings.push(|| csv.missing_cell(place, column, "a table of a signal has no gaps"));
        } else if row > 0 && at <= times[row - 1] {
            findings.push(|| csv.not_ascending(place, time, at, times[row - 1], true));
        }
    }
    if times.is_empty() && findings.is_empty() {
        findings.push(|| csv.no_rows());
    }
    let failed = !findings.is_empty();
    reader.diagnostics.extend(findings.finish(&csv));
    if failed {
        return None;
    }
    Some(SignalKind::Table {
        times,
        values,
        interpolation,
    })
}

/// Most knots of a signal.
const MOST_KNOTS: u64 = 10_000;

/// A control: its values at knots become parameters, such as `torque[1]`.
fn knots(
    reader: &mut Reader<'_>,
    section: &Section<'_, '_>,
    signal: &Signal,
    shape: KnotShape,
    parameters: &mut Vec<Parameter>,
) -> Option<SignalKind> {
    let least = match shape {
        KnotShape::Constant => 1,
        KnotShape::Linear => 2,
        KnotShape::Cubic => 4,
    };
    let tune = reader.boolean(section, "optimize").unwrap_or(false);
    let given = section.get("initial").map(|value| value.span());
    let initial = reader.expressions(section, "initial");
    let mut pattern = Parameter {
        tune,
        unit: signal.unit.clone(),
        ..Parameter::held(signal.name.clone(), 0.0)
    };
    if let Some(bounds) = section.get("bounds") {
        bounds_of(reader, &mut pattern, bounds);
    }
    let count = reader.whole(section, "knots", least)?;
    if count > MOST_KNOTS {
        let diagnostic = reader.error(
            "scenario::out-of-range",
            format!("{count} knots are more than the {MOST_KNOTS} there may be"),
            section.get("knots")?.span(),
        );
        diagnostic.help = Some("use fewer knots".to_owned());
        return None;
    }
    let count = count as usize;
    let mut values = Vec::new();
    for expression in &initial {
        let number = match &expression.kind {
            ExpressionKind::Number(number) => Some(*number),
            ExpressionKind::Negate(inner) => match inner.kind {
                ExpressionKind::Number(number) => Some(-number),
                _ => None,
            },
            _ => None,
        };
        values.push(number);
    }
    let place = given.unwrap_or_else(|| section.range());
    if values.contains(&None) || !matches!(values.len(), 0 | 1) && values.len() != count {
        let message = match values.contains(&None) {
            true => "the first guess of a control is a number, or an array of numbers".to_owned(),
            false => format!(
                "there are {count} knots and {} values of `initial`",
                values.len()
            ),
        };
        let diagnostic = reader.error("scenario::wrong-type", message, place);
        diagnostic.label = "no guess".to_owned();
        diagnostic.help = Some(format!("write a number, or an array of {count} numbers"));
        return None;
    }
    let [lower, upper] = pattern.bounds;
    let outside = |v: &f64| !(lower..=upper).contains(v);
    if let Some(v) = values.iter().flatten().copied().find(outside)
        && v.is_finite()
    {
        let name = shorten(&signal.name.text);
        let diagnostic = reader.error(
            "scenario::bounds",
            format!("the value {v} of `{name}` is outside its bounds, {lower} to {upper}"),
            place,
        );
        diagnostic.label = "outside the bounds".to_owned();
        diagnostic.help = Some("change the value or widen the bounds".to_owned());
        return None;
    }
    let first = parameters.len();
    for k in 0..count {
        let guess = values.get(k).or_else(|| values.first()).copied().flatten();
        let mut own = pattern.clone();
        own.name.text = format!("{}[{}]", signal.name.text, k + 1);
        own.value = guess.unwrap_or_else(|| 0.0_f64.max(lower).min(upper));
        parameters.push(own);
    }
    Some(SignalKind::Knots {
        shape,
        first,
        count,
    })
}

impl Reader<'_> {
    /// A data file, read once however often it is named.
    pub fn data_file(
        &mut self,
        file: &str,
        place: std::ops::Range<usize>,
    ) -> Option<std::sync::Arc<crate::diagnostic::SourceFile>> {
        let path = self.base.join(file);
        if let Some(source) = self.files.get(&path) {
            return Some(std::sync::Arc::clone(source));
        }
        match super::source::open(&path, Role::Data, Some(self.sources.span(place))) {
            Ok(source) => {
                self.files.insert(path, std::sync::Arc::clone(&source));
                Some(source)
            }
            Err(diagnostic) => {
                self.report(diagnostic);
                None
            }
        }
    }
}
