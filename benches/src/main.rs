//! Prints what Costate, diffsol and ode_solvers take for the same work, in one run.
//!
//! ```sh
//! cargo build --release && cargo run --release --manifest-path benches/Cargo.toml
//! ```
//!
//! `-- work-precision` draws error against time instead (see `work_precision`), `-- time-events` prints what a time
//! event costs (see `time_events`), `-- arrays` what models with arrays cost (see `arrays`), `-- fields` what whole solves
//! of a field cost (see `fields`), `-- threads` what a second thread gains there, `-- gradients` what gradients cost beside solves (see `gradients`),
//! `-- estimation` what objectives of scenarios with data cost (see `estimation`).
//!
//! The work is task T1 (see `task.rs`). The error beside each time is that of the gradient, or of the objective where the row solves
//! only, relative to a reference at rtol = 3e-14: compare rows at matched error.

mod arrays;
mod clock;
mod costate_side;
mod diffsol_side;
mod estimation;
mod fields;
#[path = "../../tests/studies/golden/mod.rs"]
mod golden;
mod gradients;
mod ode_solvers_side;
mod process;
mod task;
mod time_events;
mod work_precision;

use std::rc::Rc;

fn main() -> std::process::ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        None => compare(),
        Some((command, rest)) if command == "work-precision" => {
            if let Err(message) = work_precision::run(rest) {
                eprintln!("{message}");
                return std::process::ExitCode::FAILURE;
            }
        }
        Some((command, rest)) if command == "estimation" => {
            if let Err(message) = estimation::run(rest) {
                eprintln!("{message}");
                return std::process::ExitCode::FAILURE;
            }
        }
        Some((command, [])) if command == "time-events" => {
            if let Err(message) = time_events::run() {
                eprintln!("{message}");
                return std::process::ExitCode::FAILURE;
            }
        }
        Some((command, [])) if command == "arrays" => {
            if let Err(message) = arrays::run() {
                eprintln!("{message}");
                return std::process::ExitCode::FAILURE;
            }
        }
        Some((command, [])) if command == "fields" => {
            if let Err(message) = fields::run() {
                eprintln!("{message}");
                return std::process::ExitCode::FAILURE;
            }
        }
        Some((command, [])) if command == "threads" => {
            if let Err(message) = fields::threads() {
                eprintln!("{message}");
                return std::process::ExitCode::FAILURE;
            }
        }
        Some((command, [])) if command == "gradients" => {
            if let Err(message) = gradients::run() {
                eprintln!("{message}");
                return std::process::ExitCode::FAILURE;
            }
        }
        Some((other, _)) => {
            eprintln!(
                "unknown command `{other}`: there are `work-precision`, `time-events`, `arrays`, `fields`, `threads`, `gradients` and `estimation`"
            );
            return std::process::ExitCode::FAILURE;
        }
    }
    std::process::ExitCode::SUCCESS
}

/// The table of task T1, and whole runs of the program.
fn compare() {
    let data = Rc::new(task::Data::read());
    for tolerance in [1e-6, 1e-9] {
        let mut rows = costate_side::rows(tolerance);
        rows.extend(diffsol_side::rows(&data, tolerance));
        rows.extend(ode_solvers_side::rows(&data, tolerance));
        rows.sort_by_key(|row| match row.work {
            "solve" => 0,
            "forward" => 1,
            _ => 2,
        });
        let timings = clock::measure(&mut rows);
        println!("Lotka-Volterra, 200 data, rtol = atol = {tolerance:e}; medians, microseconds");
        println!(
            "{:8} {:44} {:>9} {:>9} {:>9}",
            "work", "tool", "wall", "CPU", "error"
        );
        for (row, timing) in rows.iter_mut().zip(timings) {
            let error = (row.run)().error();
            let [wall, cpu] = [timing.wall, timing.cpu].map(|time| time.as_secs_f64() * 1e6);
            println!(
                "{:8} {:44} {wall:9.1} {cpu:9.1} {error:9.1e}",
                row.work, row.name
            );
        }
        println!();
    }

    let program = process::program();
    println!("From process start to exit, the same scenario; medians of 20 runs, milliseconds");
    for (command, options) in [
        ("simulate", &[][..]),
        ("fit", &["--starts", "1", "--no-plots"]),
    ] {
        match process::time(&program, command, options) {
            Ok(timing) => {
                let [wall, cpu] = [timing.wall, timing.cpu].map(|time| time.as_secs_f64() * 1e3);
                println!("costate {command:44} {wall:9.1} {cpu:9.1}");
            }
            Err(message) => println!("costate {command}: {message}"),
        }
    }
}
