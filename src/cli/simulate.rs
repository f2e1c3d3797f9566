//! `simulate`: solve, then write what was asked for.

use costate::report::table::significant;
use costate::study::{Simulation, Solving, Study, StudyError, Verification, simulate_by, verify};
use serde_json::{Map, Value, json};

use super::arguments::SimulateArguments;
use super::look::Look;
use super::{Failure, load, memory, print_json, print_text};

/// Significant digits of the states in the summary.
const DIGITS: u8 = 10;

/// Runs the command.
pub fn run(arguments: &SimulateArguments) -> Result<(), Failure> {
    let overrides = load::overrides(
        &arguments.common,
        Some(&arguments.solver),
        arguments.method.as_deref(),
    )?;
    let (study, _) = load::study(&arguments.common, &overrides)?;
    let experiment = study
        .experiment(arguments.experiment.as_deref())
        .map_err(|e| Failure::Usage(Some(e.to_string())))?;
    let look = Look::new(&study, &arguments.look)?;
    let points = arguments.points.unwrap_or_else(|| {
        let usual = default_points(&study);
        if arguments.common.json {
            usual
        } else {
            look.points(usual)
        }
    });
    let times = equidistant(study.scenario.start, study.scenario.end, points);
    let fail = |error| match error {
        StudyError::Unsupported(_) => Failure::Usage(Some(error.to_string())),
        other => Failure::Work(other.to_string()),
    };
    let solving = Solving::for_simulation(&study).map_err(fail)?;
    if let Some(warning) = memory::warning(&study, &solving, points as usize)
        && !arguments.common.quiet
    {
        super::tell(&format!("warning: {warning}"));
    }
    let p = study.values();
    let solve = || simulate_by(&study, &solving, experiment, &p, &times);
    let result = load::shared(&study, solve).map_err(fail)?;
    let verification = if arguments.verify {
        let again = || verify(&study, &solving, experiment, &p, &times, &result);
        Some(load::shared(&study, again).map_err(fail)?)
    } else {
        None
    };
    let note = &study.scenario.experiments[experiment].name;
    let written = look.write(&study, &result, note)?;
    if arguments.common.json {
        print_json(&document(&study, &result, verification.as_ref()))
    } else {
        let mut text = summary(&study, &result, verification.as_ref());
        for path in written {
            text += &format!("wrote {}\n", path.display());
        }
        print_text(&text)
    }
}

/// Output times where their number is not given: 201, but no more than 25 million numbers in all.
pub fn default_points(study: &Study) -> u32 {
    let most = 25_000_000 / study.equations.states().max(1);
    most.clamp(2, 201) as u32
}

/// `count` times from start to end, both exactly.
pub fn equidistant(start: f64, end: f64, count: u32) -> Vec<f64> {
    let last = count.max(2) - 1;
    (0..=last)
        .map(|k| {
            if k == last {
                end
            } else {
                start + (end - start) * (f64::from(k) / f64::from(last))
            }
        })
        .collect()
}

/// The statistics of a solve as JSON.
fn statistics(result: &Simulation) -> Value {
    let s = result.statistics;
    json!({
        "method": result.method,
        "why": result.choice.to_string(),
        "steps": s.steps,
        "rejected": s.rejected,
        "rhs_evaluations": s.rhs_evaluations,
        "jacobians": s.jacobians,
        "factorizations": s.factorizations,
        "linear_iterations": s.linear_iterations,
        "newton_iterations": s.newton_iterations,
        "newton_failures": s.newton_failures,
        "events": s.events,
        "switches": result
            .switches
            .iter()
            .map(|w| json!({ "t": w.t, "to": if w.to_stiff { "rodas5p" } else { "tsit5" } }))
            .collect::<Vec<_>>(),
    })
}

fn document(study: &Study, result: &Simulation, verification: Option<&Verification>) -> Value {
    let names = &study.equations.model().states;
    let states: Map<String, Value> = names
        .iter()
        .zip(&result.states)
        .map(|(name, v)| (name, json!(v)))
        .collect();
    let observables: Map<String, Value> = study
        .scenario
        .observables
        .iter()
        .zip(&result.observables)
        .map(|(o, v)| (o.name.text.clone(), json!(v)))
        .collect();
    let events: Vec<Value> = result
        .events
        .iter()
        .map(|e| {
            json!({
                "t": e.t,
                "name": study.scenario.events[e.event].name.text,
                "before": e.before,
                "after": e.after,
            })
        })
        .collect();
    let invariants: Map<String, Value> = result
        .invariants
        .iter()
        .map(|d| {
            let drift = json!({
                "initial": d.initial,
                "final": d.last,
                "largest_drift": d.largest,
                "relative_drift": d.relative(),
            });
            (d.name.clone(), drift)
        })
        .collect();
    let verification = verification.map(|v| {
        let states: Map<String, Value> = names
            .iter()
            .zip(&v.states)
            .map(|(name, a)| {
                let agreement =
                    json!({ "digits": a.digits(), "difference": a.difference, "t": a.t });
                (name, agreement)
            })
            .collect();
        let events = v
            .events
            .map(|e| json!({ "counts": e.counts, "difference": e.difference, "digits": e.digits }));
        json!({ "method": v.method, "rtol": v.rtol, "states": states, "events": events })
    });
    json!({
        "t": result.t,
        "states": states,
        "observables": observables,
        "events": events,
        "ended_by": result.ended_by.map(|k| events[k]["name"].clone()),
        "invariants": invariants,
        "statistics": statistics(result),
        "verification": verification,
    })
}

/// The end of the run, which a terminal event may have brought forward.
fn end_text(end: f64, result: &Simulation) -> String {
    match result.ended_by {
        Some(k) => significant(result.events[k].t, DIGITS),
        None => end.to_string(),
    }
}

/// Events listed one by one.
const LISTED: usize = 12;

/// What happened on the way: every event where they are few, else how often each.
fn happenings_text(study: &Study, result: &Simulation) -> String {
    let name = |event: usize| study.scenario.events[event].name.text.as_str();
    let mut text = String::new();
    if result.events.len() <= LISTED {
        for e in &result.events {
            let ends = if result
                .ended_by
                .is_some_and(|k| std::ptr::eq(e, &result.events[k]))
            {
                ", which ends the run"
            } else {
                ""
            };
            text += &format!(
                "event {} at t = {}{ends}\n",
                name(e.event),
                significant(e.t, DIGITS)
            );
        }
        return text;
    }
    for event in 0..study.scenario.events.len() {
        let times: Vec<f64> = result
            .events
            .iter()
            .filter(|e| e.event == event)
            .map(|e| e.t)
            .collect();
        if let (Some(&first), Some(&last)) = (times.first(), times.last()) {
            text += &format!(
                "event {}: {} times, from t = {} to {}\n",
                name(event),
                times.len(),
                significant(first, DIGITS),
                significant(last, DIGITS)
            );
        }
    }
    text
}

/// How far the second solve agrees, state by state.
fn verification_text(study: &Study, v: &Verification) -> String {
    let names = &study.equations.model().states;
    // of an array the element that differs most
    let worst = names.slots().iter().filter_map(|slot| {
        let own = v
            .states
            .iter()
            .enumerate()
            .skip(slot.first)
            .take(slot.len());
        own.min_by(|a, b| a.1.digits().total_cmp(&b.1.digits()))
    });
    let rows: Vec<(String, _)> = worst.map(|(k, a)| (names.name(k), a)).collect();
    let width = rows.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or(0).max("state".len());
    let mut text = format!(
        "\nverified by {} at rtol = {:.0e}, over the output times:\n{:width$}  {:>6}  {:>10}  at t\n",
        v.method, v.rtol, "state", "digits", "differs by"
    );
    for (name, a) in rows {
        text += &format!(
            "{name:width$}  {:>6.1}  {:>10.1e}  {}\n",
            a.digits(),
            a.difference,
            significant(a.t, 6)
        );
    }
    if let Some(e) = v.events {
        let [first, second] = e.counts;
        if first == second {
            text += &format!(
                "events: {first} in both, times agree to {:.1} digits\n",
                e.digits
            );
        } else {
            text += &format!("events: {first} here, {second} there: the two solves DISAGREE\n");
        }
    }
    text
}

fn summary(study: &Study, result: &Simulation, verification: Option<&Verification>) -> String {
    let scenario = &study.scenario;
    let s = result.statistics;
    let mut text = format!("{}\n\n", scenario.title);
    let width = scenario
        .states
        .iter()
        .map(|s| s.name.text.chars().count())
        .max()
        .unwrap_or(0)
        .max(5);
    text += &format!(
        "{:width$}  {:>16}  {:>16}\n",
        "state",
        format!("t = {}", scenario.start),
        format!("t = {}", end_text(scenario.end, result))
    );
    let names = &study.equations.model().states;
    for (state, slot) in scenario.states.iter().zip(names.slots()) {
        let own = &result.states[slot.first..slot.first + slot.len()];
        let unit = state.unit.as_deref().unwrap_or("");
        let at = |row: fn(&Vec<f64>) -> Option<&f64>| -> String {
            let values = || own.iter().map(|v| row(v).copied().unwrap_or(f64::NAN));
            if slot.extents.is_empty() {
                return significant(values().next().unwrap_or(f64::NAN), DIGITS);
            }
            // of an array the range; a NaN shows
            let of = |pick: fn(f64, f64) -> f64| {
                values().fold(f64::NAN, |a, b| {
                    if a.is_nan() || b.is_nan() {
                        b
                    } else {
                        pick(a, b)
                    }
                })
            };
            format!(
                "{} to {}",
                significant(of(f64::min), 6),
                significant(of(f64::max), 6)
            )
        };
        text += format!(
            "{:width$}  {:>16}  {:>16}  {unit}",
            state.name.text,
            at(|v| v.first()),
            at(|v| v.last())
        )
        .trim_end();
        text.push('\n');
    }
    text += &format!(
        "\n{} ({}): {} steps, {} rejected, {} evaluations of the equations",
        result.method, result.choice, s.steps, s.rejected, s.rhs_evaluations
    );
    if s.linear_iterations > 0 {
        text += &format!(", {} iterations of gmres", s.linear_iterations);
    }
    text.push('\n');
    text += &happenings_text(study, result);
    for drift in &result.invariants {
        text += &format!(
            "invariant {}: {} at the start, strays by {:.1e} ({:.1e} of it)\n",
            drift.name,
            significant(drift.initial, DIGITS),
            drift.largest,
            drift.relative()
        );
    }
    if let Some(verification) = verification {
        text += &verification_text(study, verification);
    }
    text
}
