//! What a time event costs beyond the restart of the method: the same solve with 1000 events that set a state to what
//! it is, and with 1000 stop times in their places.

use std::path::Path;

use costate::compile::Backend;
use costate::scenario::SolverMethod;
use costate::study::{Run, Solving, Study};
use costate_solvers::{Samples, Statistics};

use crate::work_precision::timing::medians;

const EVENTS: usize = 1000;

const MODEL: &str = r#"
[scenario]
time = { start = 0.0, end = 1000.5 }
[states]
hare = 1.0
lynx = 1.0
[equations]
hare = "1.5*hare - hare*lynx"
lynx = "hare*lynx - 3*lynx"
"#;

/// Prints the table.
pub fn run() -> Result<(), String> {
    let stops: Vec<String> = (1..=EVENTS).map(|k| format!("{k}.0")).collect();
    let stops = format!("[solver]\nstop_times = [{}]\n", stops.join(", "));
    let events =
        "[[events]]\nname = \"tick\"\nevery = 1.0\nfirst = 1.0\nset = { hare = \"hare\" }\n";
    println!("{EVENTS} time events in one run of Lotka-Volterra, rtol = 1e-6; medians of CPU time");
    println!(
        "{:10} {:>8} {:>14} {:>14} {:>22}",
        "method", "steps", "stops, us", "events, us", "beyond restart, us"
    );
    for method in [
        SolverMethod::Tsit5,
        SolverMethod::Vern7,
        SolverMethod::Rodas5p,
        SolverMethod::Bdf,
    ] {
        let (mut with_stops, mut with_events) = (
            solve(&format!("{MODEL}{stops}"), method)?,
            solve(&format!("{MODEL}{events}"), method)?,
        );
        let (plain, eventful) = (with_stops()?, with_events()?);
        if plain.steps != eventful.steps || eventful.events != EVENTS {
            return Err(format!(
                "{} and {} steps, {} events",
                plain.steps, eventful.steps, eventful.events
            ));
        }
        let (mut first, mut second) = (
            || drop(std::hint::black_box(with_stops())),
            || drop(std::hint::black_box(with_events())),
        );
        let times = medians(&mut [&mut first, &mut second]);
        println!(
            "{:10} {:8} {:14.1} {:14.1} {:22.3}",
            method.name(),
            eventful.steps,
            times[0] * 1e6,
            times[1] * 1e6,
            (times[1] - times[0]) * 1e6 / EVENTS as f64
        );
    }
    Ok(())
}

fn solve(
    text: &str,
    method: SolverMethod,
) -> Result<impl FnMut() -> Result<Statistics, String> + use<>, String> {
    let (study, findings) = Study::from_text(text, Path::new("."), Backend::Auto);
    // Solves live as long as the process, and so does what they borrow.
    let study: &'static Study = Box::leak(Box::new(study.ok_or(format!("{findings:?}"))?));
    let options = Solving::options(study);
    let mut run = Run::<f64>::new(&study.equations);
    let values = study.values();
    let [start, end] = [study.scenario.start, study.scenario.end];
    Ok(move || {
        run.prepare(0, &values, start, end)
            .map_err(|e| e.to_string())?;
        let mut samples = Samples::new(vec![start, end]).map_err(|e| e.to_string())?;
        run.solve(method, &options, None, &mut samples)
            .map_err(|e| e.to_string())
    })
}
